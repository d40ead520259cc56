//! The run: listing, fetching, reading and committing at once, joined by bounded queues.
//!
//! ```text
//! list ──▶ fetch (many at once) ──▶ read (a thread each, with its own batch) ──▶ commit (one)
//! ```
//!
//! Every queue is short, so that a slow step holds up the ones before it instead of filling memory.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{Datelike as _, NaiveDate};
use rolecall_events::rows::Account;
use rolecall_events::{Limits, Reader};
use rolecall_lake::{
    Batch, ContentHash, FileOutcome, Lake, LogFileId, LogFileMeta, Membership, Pushed, Writer,
    WriterOptions,
};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::source::{self, Candidate, Fetched, Place};
use crate::{IngestError, Progress, S3, Selection, Source};

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
    let ledger = Arc::new(Mutex::new(lake.writer(WriterOptions::default()).await?));
    let mut writer = lake.writer(WriterOptions::default()).await?;

    let (found, candidates) = mpsc::channel(2 * settings.fetches);
    let (fetched, to_read) = async_channel::bounded::<ToRead>(settings.readers);
    let (ready, mut batches) = mpsc::channel::<Ready>(1);

    let mut tasks = JoinSet::new();
    tasks.spawn(list_all(
        sources.to_vec(),
        selection.clone(),
        s3.cloned(),
        progress.clone(),
        found,
    ));
    let fetching = Fetching {
        ledger,
        s3: s3.cloned(),
        progress: progress.clone(),
        settings: settings.clone(),
        fetched,
    };
    tasks.spawn(fetching.run(candidates));
    for _ in 0..settings.readers {
        let reading = Reading {
            reader: Reader::new(settings.limits),
            batch_bytes: settings.batch_bytes / settings.readers.max(1),
            progress: progress.clone(),
            pending: Ready::default(),
            ready: ready.clone(),
        };
        let to_read = to_read.clone();
        tasks.spawn_blocking(move || reading.run(&to_read));
    }
    drop((ready, to_read));

    while let Some(batch) = batches.recv().await {
        batch.commit(&mut writer, progress).await?;
    }
    while let Some(task) = tasks.join_next().await {
        task.map_err(IngestError::stopped)??;
    }
    Ok(())
}

async fn list_all(
    sources: Vec<Source>,
    selection: Selection,
    s3: Option<S3>,
    progress: Progress,
    found: mpsc::Sender<Candidate>,
) -> Result<(), IngestError> {
    for source in &sources {
        source::list(source, &selection, s3.as_ref(), &progress, &found).await?;
    }
    Ok(())
}

/// A log file whose bytes are there.
struct ToRead {
    meta: LogFileMeta,
    bytes: Bytes,
    origin: Origin,
}

/// What the user calls a file, and how large it was listed.
struct Origin {
    file: String,
    listed_bytes: u64,
}

/// Turns candidates into bytes, many at once; leaves out what the lake already holds.
#[derive(Clone)]
struct Fetching {
    ledger: Arc<Mutex<Writer>>,
    s3: Option<S3>,
    progress: Progress,
    settings: Settings,
    fetched: async_channel::Sender<ToRead>,
}

impl Fetching {
    async fn run(self, mut candidates: mpsc::Receiver<Candidate>) -> Result<(), IngestError> {
        let mut under_way = JoinSet::new();
        while let Some(candidate) = candidates.recv().await {
            if under_way.len() >= self.settings.fetches
                && let Some(done) = under_way.join_next().await
            {
                done.map_err(IngestError::stopped)??;
            }
            under_way.spawn(self.clone().fetch(candidate));
        }
        while let Some(done) = under_way.join_next().await {
            done.map_err(IngestError::stopped)??;
        }
        Ok(())
    }

    async fn fetch(self, candidate: Candidate) -> Result<(), IngestError> {
        let origin = Origin { file: candidate.place.to_string(), listed_bytes: candidate.bytes };
        // A name that CloudTrail gave spares fetching the object; a file at hand is read all the same,
        // because only its content shows that it was replaced.
        let is_object = matches!(candidate.place, Place::Object { .. });
        if let Some(log_file) = candidate.layout.delivered_identity()
            && is_object
        {
            let id = LogFileId { log_file, delivered_date: days(candidate.layout.delivered_date) };
            if matches!(
                self.ledger.lock().await.membership(&id).await?,
                Membership::Complete { .. }
            ) {
                self.progress.already_ingested();
                self.progress.done(origin.listed_bytes);
                return Ok(());
            }
        }
        let cap = self.settings.limits.max_inflated_bytes as u64;
        let fetched = match source::fetch(&candidate.place, cap, self.s3.as_ref()).await {
            Ok(fetched) => fetched,
            Err(error @ (IngestError::Stopped(_) | IngestError::NoS3 { .. })) => return Err(error),
            Err(error) => {
                self.progress.unreadable(&origin.file, &error.reason());
                self.progress.done(origin.listed_bytes);
                return Ok(());
            }
        };
        self.progress.read(fetched.bytes.len() as u64);
        let (meta, bytes) = self.identify(candidate, fetched).await?;
        if let Membership::Complete { content } =
            self.ledger.lock().await.membership(&meta.id()).await?
        {
            if content.differs(ContentHash::of(&meta.sha256)) {
                self.progress.replaced(origin.file);
            } else {
                self.progress.already_ingested();
            }
            self.progress.done(origin.listed_bytes);
            return Ok(());
        }
        // A closed queue means that the run is over for another reason, which is told elsewhere.
        let _ = self.fetched.send(ToRead { meta, bytes, origin }).await;
        Ok(())
    }

    async fn identify(
        &self,
        candidate: Candidate,
        fetched: Fetched,
    ) -> Result<(LogFileMeta, Bytes), IngestError> {
        let bytes = fetched.bytes.clone();
        let hash = move || hex(&Sha256::digest(&bytes));
        let sha256 = tokio::task::spawn_blocking(hash).await.map_err(IngestError::stopped)?;
        let Candidate { place, layout, .. } = candidate;
        let (bucket, key) = match place {
            Place::File(path) => (None, path.to_string_lossy().into_owned()),
            Place::Object { bucket, key } => (Some(bucket), key),
        };
        let delivered = layout.delivered_identity();
        let meta = LogFileMeta {
            // Files that CloudTrail did not name are told apart by content: two people's `events.json`.
            log_file: delivered.unwrap_or_else(|| {
                format!("{}@{}", layout.file_name, sha256.get(..32).unwrap_or_default())
            }),
            delivered_date: layout.delivered_date.and_then(|date| days(Some(date))),
            bucket,
            key,
            version_id: fetched.version_id,
            etag: fetched.etag,
            sha256,
            bytes: fetched.bytes.len() as u64,
            trail_prefix: layout.trail_prefix,
            account_id: layout.account_id,
            aws_region: layout.aws_region,
            delivered_at: layout.delivered_at.map(|time| time.and_utc().timestamp_micros()),
            ingested_at: (self.settings.now)(),
        };
        Ok((meta, fetched.bytes))
    }
}

/// One thread that reads log files into a batch of its own.
struct Reading {
    reader: Reader,
    batch_bytes: usize,
    progress: Progress,
    pending: Ready,
    ready: mpsc::Sender<Ready>,
}

impl Reading {
    fn run(mut self, to_read: &async_channel::Receiver<ToRead>) -> Result<(), IngestError> {
        while let Ok(file) = to_read.recv_blocking() {
            self.read(file);
            let full = self.pending.batch.is_full()
                || self.pending.batch.bytes_estimate() >= self.batch_bytes;
            if full && !self.hand_over() {
                return Ok(());
            }
        }
        self.hand_over();
        Ok(())
    }

    fn read(&mut self, file: ToRead) {
        let ToRead { meta, bytes, origin } = file;
        let (pushed, outcome) = match self.reader.read(&bytes) {
            Ok(rows) => {
                let account = rows.account.clone();
                (self.pending.batch.push(meta, &rows), Outcome::Read(account))
            }
            Err(refusal) => {
                let reason = refusal.to_string();
                (self.pending.batch.push_refused(meta, reason.clone()), Outcome::Refused(reason))
            }
        };
        self.progress.inflated(self.reader.inflated_bytes());
        match pushed {
            Pushed::Added => self.pending.files.push(ReadFile { origin, outcome }),
            Pushed::Duplicate => {
                self.progress.already_ingested();
                self.progress.done(origin.listed_bytes);
            }
        }
    }

    /// `false` when nobody takes batches any more.
    fn hand_over(&mut self) -> bool {
        let ready = std::mem::take(&mut self.pending);
        ready.batch.is_empty() || self.ready.blocking_send(ready).is_ok()
    }
}

/// A batch, and what to say about its files once it is durable.
#[derive(Default)]
struct Ready {
    batch: Batch,
    /// In the order in which they were pushed.
    files: Vec<ReadFile>,
}

struct ReadFile {
    origin: Origin,
    outcome: Outcome,
}

enum Outcome {
    Read(Account),
    Refused(String),
}

impl Ready {
    async fn commit(self, writer: &mut Writer, progress: &Progress) -> Result<(), IngestError> {
        let report = writer.commit(self.batch).await?;
        progress.lake_bytes_written(report.bytes_written);
        for (file, (_, committed)) in self.files.into_iter().zip(report.files) {
            let Origin { file: name, listed_bytes } = file.origin;
            match (committed, file.outcome) {
                (FileOutcome::Replaced, _) => progress.replaced(name),
                (_, Outcome::Refused(reason)) => progress.unreadable(&name, &reason),
                (FileOutcome::Committed, Outcome::Read(account)) => {
                    progress.committed(&name, &account);
                }
                (_, Outcome::Read(_)) => progress.already_ingested(),
            }
            progress.done(listed_bytes);
        }
        Ok(())
    }
}

fn days(date: Option<NaiveDate>) -> Option<i32> {
    let epoch = NaiveDate::default();
    Some(date?.num_days_from_ce() - epoch.num_days_from_ce())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
