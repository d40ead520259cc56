//! The one task that commits. After a failure the next batch is committed by a newly opened writer.

use std::sync::Arc;

use rolecall_lake::{Lake, LakeError, Writer, WriterOptions};
use tokio::sync::{Mutex, Notify, mpsc};

use super::events::{Event, Reporter};
use crate::IngestError;
use crate::pipeline::{Broken, Full, Open, Ready};
use crate::queue::{Elapsed, Wall};

/// The writer, or none while the lake could not be opened.
pub(super) type Slot = Arc<Mutex<Option<Writer>>>;

pub(super) struct Committer {
    pub(super) lake: Lake,
    pub(super) options: WriterOptions,
    pub(super) writer: Slot,
    pub(super) open: Arc<Open>,
    pub(super) full: mpsc::Receiver<Full>,
    pub(super) flush: Arc<Notify>,
    pub(super) reporter: Reporter,
    pub(super) now: Wall,
    pub(super) elapsed: Elapsed,
}

impl Committer {
    /// Commits what is full, and what is open when asked to. Ends only with the worker.
    pub(super) async fn run(mut self) -> Result<(), IngestError> {
        loop {
            tokio::select! {
                Some(full) = self.full.recv() => self.commit(full).await,
                () = self.flush.notified() => {
                    let mut open = Ready::encode_all(self.open.drain());
                    while let Ok(full) = self.full.try_recv() {
                        self.commit(full).await;
                    }
                    while let Some(encoded) = open.join_next().await {
                        match encoded.map_err(IngestError::stopped)? {
                            Ok(full) => self.commit(full).await,
                            Err(broken) => self.broken(broken),
                        }
                    }
                    self.reporter.send(Event::Flushed);
                }
            }
        }
    }

    async fn commit(&self, full: Full) {
        let started = (self.elapsed)();
        let mut slot = self.writer.lock().await;
        let mut writer = match slot.take() {
            Some(writer) => writer,
            None => match self.lake.writer(self.options.clone()).await {
                Ok(writer) => writer,
                Err(error) => return self.broken(Broken { origins: full.into_origins(), error }),
            },
        };
        match full.commit(&mut writer, &self.reporter).await {
            Ok(report) => {
                *slot = Some(writer);
                drop(slot);
                // Nothing is committed where another worker was faster with every file.
                if !report.batch_id.is_empty() {
                    let took = (self.elapsed)().saturating_sub(started);
                    self.reporter.metrics.committed(took, report.bytes_written, (self.now)());
                    // An alarm counts these lines: deploy/RUNBOOK.md.
                    tracing::info!(
                        batch = report.batch_id,
                        log_files = report.files.len(),
                        rows = report.rows.values().sum::<u64>(),
                        seconds = took.as_secs_f64(),
                        "batch committed"
                    );
                }
                self.reporter.send(Event::Durable);
            }
            Err(broken) => self.broken(broken),
        }
    }

    fn broken(&self, Broken { origins, error }: Broken) {
        self.reporter.send(Event::Broken(origins, error.into()));
    }
}

/// Opens the lake anew, to see whether it answers.
pub(super) async fn probe(
    lake: &Lake,
    options: WriterOptions,
    slot: &Slot,
) -> Result<(), LakeError> {
    let mut slot = slot.lock().await;
    *slot = Some(lake.writer(options).await?);
    Ok(())
}
