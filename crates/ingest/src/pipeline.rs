//! The stages that turn objects and files into batches, shared by `ingest` and the worker.
//!
//! ```text
//! candidates ──▶ fetch, identify (many at once) ──▶ read, and encode what is full (a thread each) ──▶ commit
//! ```
//!
//! Every queue is short, so that a slow step holds up the ones before it instead of filling memory: at most
//! `fetches` files are being fetched, and at most twice `readers` are read or wait to be, each of at most
//! the cap. The cap holds for the bytes as stored and, while inflating, for the text.
//!
//! Each file ends exactly once, with an [`End`]; whoever watches knows then what became of it. What that
//! means for a message or a count is not known here. Batches are committed by whoever started the stages,
//! with [`Full::commit`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rolecall_events::rows::Account;
use rolecall_events::{Limits, Reader};
use rolecall_lake::{
    Batch, CommitReport, EncodedBatch, FileOutcome, LakeError, LogFileMeta, Pushed, Writer,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::IngestError;
use crate::objects::Objects;
use crate::queue::Wall;
use crate::source::Candidate;

mod fetch;
mod pages;

use fetch::Fetching;
pub(crate) use fetch::Members;

/// How the stages go about it.
#[derive(Clone)]
pub(crate) struct Stages {
    /// Threads that inflate and parse.
    pub(crate) readers: usize,
    /// Files that are fetched at once.
    pub(crate) fetches: usize,
    /// Size of a batch in memory that is committed, in bytes, all readers together.
    pub(crate) batch_bytes: usize,
    /// Rows of a batch that is committed, all readers together.
    pub(crate) batch_rows: usize,
    /// What a log file may be.
    pub(crate) limits: Limits,
    /// Microseconds since the epoch, now.
    pub(crate) now: Wall,
    /// What is done about a file that cannot be had.
    pub(crate) trouble: Trouble,
}

/// What is done about trouble with one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A file that cannot be had, for whatever reason, is recorded as refused; trouble with the lake ends the run.
    EndsTheRun,
    /// The same of what asking again soon would not mend; the rest ends as failed, and comes again.
    EndsTheFile,
}

/// What the user calls a file, and how large it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) file: String,
    pub(crate) listed_bytes: u64,
    /// Whatever the one who sent the candidate tells it by.
    pub(crate) ticket: u64,
}

/// What became of a file.
#[derive(Debug)]
pub(crate) enum End {
    /// Its rows are durable, by this run's commit.
    Committed(Account),
    /// The lake held it already.
    Known,
    /// The lake holds a file of that name with other content.
    Replaced,
    /// It cannot be read as a log file; the ledger says so.
    Refused(String),
    /// It could not be had, and the ledger says so. [`Watch::unread`] has been told why before.
    Unread(IngestError),
    /// It could not be had, or its batch could not be committed; the ledger does not know of it.
    Failed(IngestError),
}

/// Is told what happens to files, from any thread.
pub(crate) trait Watch: Send + Sync + 'static {
    /// So many bytes were fetched.
    fn read(&self, bytes: u64);
    /// So many bytes of text came out of a file.
    fn inflated(&self, bytes: u64);
    /// The file is read, and waits in a batch for its commit.
    fn waits(&self, origin: &Origin);
    /// The file says that further pages follow, which it does not hold.
    fn more_pages(&self, _origin: &Origin) {}
    /// The file could not be had; that is to be recorded, and then it is done with.
    fn unread(&self, _origin: &Origin, _error: &IngestError) {}
    /// That waits in a batch for its commit.
    fn unread_waits(&self, _origin: &Origin) {}
    /// The file is done with.
    fn ended(&self, origin: Origin, end: End);
}

/// The stages at work. They end when no more candidates can come; dropping this ends them at once.
pub(crate) struct Pipeline {
    tasks: JoinSet<Result<(), IngestError>>,
    /// Batches that readers still add to.
    pub(crate) open: Arc<Open>,
    full: mpsc::Receiver<Full>,
}

impl Pipeline {
    pub(crate) fn start(
        stages: &Stages,
        members: Members,
        objects: Option<Arc<dyn Objects>>,
        watch: &Arc<dyn Watch>,
        candidates: mpsc::Receiver<Candidate>,
    ) -> Self {
        let readers = stages.readers.max(1);
        let (fetched, to_read) = async_channel::bounded::<ToRead>(readers);
        let (sender, full) = mpsc::channel::<Full>(1);
        let open = Arc::new(Open::new(match stages.trouble {
            Trouble::EndsTheRun => readers,
            Trouble::EndsTheFile => 1,
        }));
        let mut tasks = JoinSet::new();
        let fetching = Fetching {
            members,
            objects,
            watch: Arc::clone(watch),
            stages: stages.clone(),
            fetched,
        };
        tasks.spawn(fetching.run(candidates));
        for _ in 0..readers {
            let reading = Reading {
                reader: Reader::new(stages.limits),
                batch_bytes: stages.batch_bytes / readers,
                batch_rows: stages.batch_rows / readers,
                watch: Arc::clone(watch),
                open: Arc::clone(&open),
                full: sender.clone(),
            };
            let to_read = to_read.clone();
            tasks.spawn_blocking(move || reading.run(&to_read));
        }
        Self { tasks, open, full }
    }

    /// The next batch that is full; none when the readers have ended.
    pub(crate) async fn next_full(&mut self) -> Option<Full> {
        self.full.recv().await
    }

    /// The batches that are full, for a task of their own.
    pub(crate) fn take_full(&mut self) -> mpsc::Receiver<Full> {
        std::mem::replace(&mut self.full, mpsc::channel(1).1)
    }

    /// Whether every stage has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits for every stage to end, and says how the first one failed; safe to drop.
    pub(crate) async fn join(&mut self) -> Result<(), IngestError> {
        while let Some(task) = self.tasks.join_next().await {
            task.map_err(IngestError::stopped)??;
        }
        Ok(())
    }
}

/// A log file whose bytes are there, or that is known to be too large.
struct ToRead {
    meta: LogFileMeta,
    content: Result<Bytes, IngestError>,
    origin: Origin,
}

/// Batches that readers add to. Each reader takes one for the time of one file, so there are at most as many
/// as readers. A run opens as many at once, and fills them alike; a worker opens one, and more only while
/// several are needed at once, so that where there is little to read, there is one commit.
pub(crate) struct Open {
    at_once: usize,
    batches: Mutex<Batches>,
}

#[derive(Default)]
struct Batches {
    /// Those that no reader has in its hands.
    idle: VecDeque<Ready>,
    /// All that are open.
    open: usize,
}

impl Open {
    fn new(at_once: usize) -> Self {
        Self { at_once, batches: Mutex::default() }
    }

    fn batches(&self) -> MutexGuard<'_, Batches> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Ready {
        let mut batches = self.batches();
        if batches.open >= self.at_once
            && let Some(ready) = batches.idle.pop_front()
        {
            return ready;
        }
        batches.open += 1;
        Ready::default()
    }

    fn put(&self, ready: Ready) {
        self.batches().idle.push_back(ready);
    }

    /// A batch that was taken is not put back.
    fn forget(&self) {
        let mut batches = self.batches();
        batches.open = batches.open.saturating_sub(1);
    }

    /// All that are there. A batch that a reader has in its hands is not; its files come later.
    pub(crate) fn drain(&self) -> Vec<Ready> {
        let mut batches = self.batches();
        let idle: Vec<Ready> = batches.idle.drain(..).collect();
        batches.open = batches.open.saturating_sub(idle.len());
        idle
    }
}

/// One thread that reads log files into open batches.
struct Reading {
    reader: Reader,
    batch_bytes: usize,
    batch_rows: usize,
    watch: Arc<dyn Watch>,
    open: Arc<Open>,
    full: mpsc::Sender<Full>,
}

impl Reading {
    fn run(mut self, to_read: &async_channel::Receiver<ToRead>) -> Result<(), IngestError> {
        while let Ok(file) = to_read.recv_blocking() {
            let mut ready = self.open.take();
            let is_unread = file.content.is_err();
            let origin = self.read(file, &mut ready);
            let batch = &ready.batch;
            let is_full = batch.is_full()
                || batch.bytes_estimate() >= self.batch_bytes
                || batch.rows() >= self.batch_rows;
            if is_full {
                self.open.forget();
                self.waits(&origin, is_unread);
                // Here and not where batches are committed: those go one after the other, readers not.
                let full = ready.encode().map_err(|broken| broken.error)?;
                // Nobody takes batches any more: the run is over.
                if self.full.blocking_send(full).is_err() {
                    return Ok(());
                }
            } else {
                // In this order, so that whoever is told that the file waits finds it.
                self.open.put(ready);
                self.waits(&origin, is_unread);
            }
        }
        Ok(())
    }

    fn waits(&self, origin: &Origin, is_unread: bool) {
        match is_unread {
            true => self.watch.unread_waits(origin),
            false => self.watch.waits(origin),
        }
    }

    fn read(&mut self, file: ToRead, ready: &mut Ready) -> Origin {
        let ToRead { meta, content, origin } = file;
        let (pushed, outcome) = match content {
            Ok(bytes) => {
                let (pushed, outcome) = match self.reader.read(&bytes) {
                    Ok(rows) => {
                        if pages::more_follow(&bytes) {
                            self.watch.more_pages(&origin);
                        }
                        let account = rows.account.clone();
                        (ready.batch.push(meta, &rows), Outcome::Read(account))
                    }
                    Err(refusal) => {
                        let reason = refusal.to_string();
                        let pushed = ready.batch.push_refused(meta, reason.clone());
                        (pushed, Outcome::Refused(reason))
                    }
                };
                self.watch.inflated(self.reader.inflated_bytes());
                (pushed, outcome)
            }
            Err(error) => (ready.batch.push_refused(meta, error.reason()), Outcome::Unread(error)),
        };
        match pushed {
            Pushed::Added => ready.files.push(ReadFile { origin: origin.clone(), outcome }),
            // The file is durable when the one in the batch is, not before.
            Pushed::Duplicate => {
                let unread = match outcome {
                    Outcome::Unread(error) => Some(error),
                    Outcome::Read(_) | Outcome::Refused(_) => None,
                };
                ready.duplicates.push((origin.clone(), unread));
            }
        }
        origin
    }
}

/// A batch, and what to say about its files once it is durable.
#[derive(Default)]
pub(crate) struct Ready {
    batch: Batch,
    /// In the order in which they were pushed.
    files: Vec<ReadFile>,
    /// Files that came again while the batch was open, and why they could not be had then.
    duplicates: Vec<(Origin, Option<IngestError>)>,
}

struct ReadFile {
    origin: Origin,
    outcome: Outcome,
}

enum Outcome {
    Read(Account),
    Refused(String),
    Unread(IngestError),
}

/// A batch that could not be committed: its files, and why.
pub(crate) struct Broken {
    pub(crate) origins: Vec<Origin>,
    pub(crate) error: LakeError,
}

impl Ready {
    /// Closes the batch. Blocks for as long as encoding its rows takes.
    pub(crate) fn encode(self) -> Result<Full, Broken> {
        let Self { batch, files, duplicates } = self;
        match EncodedBatch::new(batch) {
            Ok(batch) => Ok(Full { batch, files, duplicates }),
            Err(error) => Err(Broken { origins: origins_of(files, duplicates), error }),
        }
    }

    /// Closes batches side by side, on threads that may block.
    pub(crate) fn encode_all(batches: Vec<Self>) -> JoinSet<Result<Full, Broken>> {
        let mut encoding = JoinSet::new();
        for batch in batches {
            encoding.spawn_blocking(move || batch.encode());
        }
        encoding
    }
}

/// A batch that no file is added to any more, encoded.
pub(crate) struct Full {
    batch: EncodedBatch,
    files: Vec<ReadFile>,
    duplicates: Vec<(Origin, Option<IngestError>)>,
}

impl Full {
    /// The files, where the batch is given up.
    pub(crate) fn into_origins(self) -> Vec<Origin> {
        origins_of(self.files, self.duplicates)
    }

    /// Makes the batch durable, and tells `watch` how each of its files ended. After a failure nobody is
    /// told: that is for the caller to decide.
    pub(crate) async fn commit(
        self,
        writer: &mut Writer,
        watch: &dyn Watch,
    ) -> Result<CommitReport, Broken> {
        let mut report = match writer.commit_encoded(self.batch).await {
            Ok(report) => report,
            Err(error) => {
                return Err(Broken { origins: origins_of(self.files, self.duplicates), error });
            }
        };
        let outcomes = std::mem::take(&mut report.files);
        for (file, (_, committed)) in self.files.into_iter().zip(outcomes) {
            let end = match (committed, file.outcome) {
                (_, Outcome::Unread(error)) => End::Unread(error),
                (FileOutcome::Replaced, _) => End::Replaced,
                (_, Outcome::Refused(reason)) => End::Refused(reason),
                (FileOutcome::Committed, Outcome::Read(account)) => End::Committed(account),
                (_, Outcome::Read(_)) => End::Known,
            };
            watch.ended(file.origin, end);
        }
        for (origin, unread) in self.duplicates {
            watch.ended(origin, unread.map_or(End::Known, End::Unread));
        }
        Ok(report)
    }
}

fn origins_of(files: Vec<ReadFile>, duplicates: Vec<(Origin, Option<IngestError>)>) -> Vec<Origin> {
    let duplicates = duplicates.into_iter().map(|(origin, _)| origin);
    files.into_iter().map(|file| file.origin).chain(duplicates).collect()
}
