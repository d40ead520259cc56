//! The one task that commits. After a failure the next batch is committed by a newly opened writer.

use std::sync::Arc;

use rolecall_lake::{Lake, LakeError, Writer, WriterOptions};
use tokio::sync::{Mutex, Notify, mpsc};

use super::events::{Event, Reporter};
use crate::pipeline::{Broken, Open, Ready};
use crate::queue::{Elapsed, Wall};

/// The writer, or none while the lake could not be opened.
pub(super) type Slot = Arc<Mutex<Option<Writer>>>;

pub(super) struct Committer {
    pub(super) lake: Lake,
    pub(super) options: WriterOptions,
    pub(super) writer: Slot,
    pub(super) open: Arc<Open>,
    pub(super) full: mpsc::Receiver<Ready>,
    pub(super) flush: Arc<Notify>,
    pub(super) reporter: Reporter,
    pub(super) now: Wall,
    pub(super) elapsed: Elapsed,
}

impl Committer {
    /// Commits what is full, and what is open when asked to. Ends only with the worker.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                Some(ready) = self.full.recv() => self.commit(ready).await,
                () = self.flush.notified() => {
                    while let Ok(ready) = self.full.try_recv() {
                        self.commit(ready).await;
                    }
                    for ready in self.open.drain() {
                        self.commit(ready).await;
                    }
                    self.reporter.send(Event::Flushed);
                }
            }
        }
    }

    async fn commit(&self, ready: Ready) {
        if ready.is_empty() {
            return;
        }
        let started = (self.elapsed)();
        let mut slot = self.writer.lock().await;
        let mut writer = match slot.take() {
            Some(writer) => writer,
            None => match self.lake.writer(self.options.clone()).await {
                Ok(writer) => writer,
                Err(error) => return self.broken(Broken { origins: ready.into_origins(), error }),
            },
        };
        match ready.commit(&mut writer, &self.reporter).await {
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
