//! The run of `ingest`: lists its sources, sends what it finds through the [stages](crate::pipeline), commits,
//! and counts.

use std::sync::Arc;

use rolecall_events::Limits;
use rolecall_lake::{Lake, Writer, WriterOptions};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::objects::Objects;
use crate::pipeline::{End, Full, Members, Origin, Pipeline, Ready, Stages, Trouble, Watch};
use crate::source::{self, Candidate};
use crate::{IngestError, Notice, Progress, S3, Selection, Source};

/// How a run goes about it.
#[derive(Clone)]
pub struct Settings {
    /// Threads that inflate and parse.
    pub readers: usize,
    /// Files that are fetched at once.
    pub fetches: usize,
    /// Size of a batch in memory that is committed, in bytes, all readers together.
    pub batch_bytes: usize,
    /// What a log file may be.
    pub limits: Limits,
    /// Microseconds since the epoch, now.
    pub now: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("readers", &self.readers)
            .field("fetches", &self.fetches)
            .field("batch_bytes", &self.batch_bytes)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Ingests what `selection` wants of `sources` into `lake`, and counts into `progress`.
///
/// # Errors
///
/// When a source cannot be listed at all, or the lake cannot be written. A file that cannot be read is no
/// error: it is counted, and noticed.
pub async fn ingest(
    lake: &Lake,
    sources: &[Source],
    selection: &Selection,
    s3: Option<&S3>,
    settings: &Settings,
    progress: &Progress,
) -> Result<(), IngestError> {
    // Membership is asked of a writer of its own, so that asking does not wait for a commit under way.
    // What it does not know yet, the commit finds out.
    let members = Members::Own(Arc::new(Mutex::new(lake.writer(WriterOptions::default()).await?)));
    let mut writer = lake.writer(WriterOptions::default()).await?;
    let objects = s3.map(|s3| Arc::new(s3.clone()) as Arc<dyn Objects>);
    let watch: Arc<dyn Watch> = Arc::new(Counting(progress.clone()));
    let (found, candidates) = mpsc::channel(2 * settings.fetches.max(1));
    let mut listing = JoinSet::new();
    listing.spawn(list_all(
        sources.to_vec(),
        selection.clone(),
        objects.clone(),
        progress.clone(),
        found,
    ));
    let stages = Stages {
        readers: settings.readers,
        fetches: settings.fetches,
        batch_bytes: settings.batch_bytes,
        batch_rows: usize::MAX,
        limits: settings.limits,
        now: Arc::clone(&settings.now),
        trouble: Trouble::EndsTheRun,
    };
    let mut pipeline = Pipeline::start(&stages, members, objects, &watch, candidates);
    while let Some(batch) = pipeline.next_full().await {
        commit(batch, &mut writer, watch.as_ref(), progress).await?;
    }
    let mut last = Ready::encode_all(pipeline.open.drain());
    while let Some(batch) = last.join_next().await {
        let batch = batch.map_err(IngestError::stopped)?.map_err(|broken| broken.error)?;
        commit(batch, &mut writer, watch.as_ref(), progress).await?;
    }
    while let Some(task) = listing.join_next().await {
        task.map_err(IngestError::stopped)??;
    }
    pipeline.join().await
}

async fn commit(
    batch: Full,
    writer: &mut Writer,
    watch: &dyn Watch,
    progress: &Progress,
) -> Result<(), IngestError> {
    let report = batch.commit(writer, watch).await.map_err(|broken| broken.error)?;
    progress.lake_bytes_written(report.bytes_written);
    Ok(())
}

async fn list_all(
    sources: Vec<Source>,
    selection: Selection,
    objects: Option<Arc<dyn Objects>>,
    progress: Progress,
    found: mpsc::Sender<Candidate>,
) -> Result<(), IngestError> {
    for source in &sources {
        source::list(source, &selection, objects.as_deref(), &progress, &found).await?;
    }
    Ok(())
}

/// Turns what becomes of files into counts.
struct Counting(Progress);

impl Watch for Counting {
    fn read(&self, bytes: u64) {
        self.0.read(bytes);
    }

    fn inflated(&self, bytes: u64) {
        self.0.inflated(bytes);
    }

    fn waits(&self, _origin: &Origin) {}

    fn more_pages(&self, origin: &Origin) {
        self.0.notice(Notice::MorePages { file: origin.file.clone() });
    }

    fn ended(&self, origin: Origin, end: End) {
        let Origin { file, listed_bytes, .. } = origin;
        match end {
            End::Committed(account) => self.0.committed(&file, &account),
            End::Known => self.0.already_ingested(),
            End::Replaced => self.0.replaced(file),
            End::Refused(reason) => self.0.unreadable(&file, &reason),
            End::Unread(error) | End::Failed(error) => self.0.unreadable(&file, &error.reason()),
        }
        self.0.done(listed_bytes);
    }
}
