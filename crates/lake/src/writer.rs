//! Commits batches so that no row is ever lost or written twice.
//!
//! A batch goes to the data tables first and to the ledger last. To each table it is put at the
//! version that follows the last one read, if that is still free, and it then names only files
//! that the table does not hold. Where another writer was faster, its commit is read first, the
//! files that it brought are left out, and the rest is put again. Whatever breaks off in between
//! is taken up by whoever meets the files next: it finds in the logs which tables hold them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use crate::error::{LakeError, Result};
use crate::lake::Lake;
use crate::ledger::FileKey;
use crate::log::TableSet;
use crate::rows::{Batch, ContentHash, FileStatus, LogFileId};
use crate::schema::Table;
use crate::state::{LakeState, data_index};
use crate::step::Hook;

pub use self::encoded::EncodedBatch;
use self::work::Work;

mod commit;
mod encoded;
#[cfg(test)]
mod tests;
mod work;

/// How a writer works.
#[derive(Debug, Clone)]
pub struct WriterOptions {
    /// Version of the parser that read the files; kept in the ledger.
    pub parser_version: i64,
    /// Days, since the epoch, whose part of the ledger is loaded at once.
    pub preload: Option<RangeInclusive<i32>>,
    /// How many files' ledger entries are kept in memory, at about 32 bytes each.
    pub max_ledger_files: usize,
    /// A checkpoint of a table's log is written every so many commits.
    pub checkpoint_interval: u64,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            parser_version: 1,
            preload: None,
            max_ledger_files: 4_000_000,
            checkpoint_interval: 50,
        }
    }
}

/// What the lake knows of a file, as far as this writer has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// Nothing.
    Unknown,
    /// All of it.
    Complete {
        /// What it held.
        content: ContentHash,
    },
    /// It could not be read when it was last met; worth another try.
    Refused,
    /// Some tables hold its rows; it is to be read again, and the others get theirs.
    Pending {
        /// Those that hold them.
        tables: Vec<Table>,
    },
}

/// What became of one file of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileOutcome {
    /// This commit made it complete.
    Committed,
    /// The lake had it already, or another writer was faster.
    Known,
    /// The lake has a file of that identity with other content; this one was not ingested.
    Replaced,
    /// It is now in the ledger as refused.
    Refused,
    /// It was in the ledger as refused already.
    KnownRefused,
}

/// What a commit did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitReport {
    /// The batch's id, as in the ledger; empty where nothing had to be committed.
    pub batch_id: String,
    /// For each file, in the order in which they were pushed, what became of it.
    pub files: Vec<(String, FileOutcome)>,
    /// Rows that this commit added, by table.
    pub rows: BTreeMap<Table, u64>,
    /// Bytes of Parquet that this commit added.
    pub bytes_written: u64,
    /// The versions that this commit made, by table.
    pub versions: BTreeMap<Table, u64>,
}

impl CommitReport {
    /// How many files had this outcome.
    pub fn count(&self, outcome: FileOutcome) -> usize {
        self.files.iter().filter(|(_, file)| *file == outcome).count()
    }
}

/// Commits batches to a lake. One writer commits one batch at a time; any number of writers, in
/// any number of processes, may share a lake.
pub struct Writer {
    state: LakeState,
    options: WriterOptions,
    hook: Hook,
    /// For log lines.
    uri: String,
}

impl Writer {
    pub(crate) async fn open(lake: &Lake, options: WriterOptions) -> Result<Self> {
        let mut state = LakeState::open(lake.stores(), options.max_ledger_files).await?;
        if let Some(days) = options.preload.clone() {
            let days: Vec<Option<i32>> = days.map(Some).collect();
            state.ledger.load(&days).await?;
        }
        Ok(Self { state, options, hook: lake.hook().clone(), uri: lake.uri().to_owned() })
    }

    /// Loads the ledger's part on some days at once, so that [`membership`](Self::membership) need
    /// not load them one by one. `None` is the part on undated files.
    pub async fn preload(&mut self, days: &[Option<i32>]) -> Result<()> {
        self.state.ledger.load(days).await
    }

    /// What the lake knows of a file, as far as this writer has read: what other writers did
    /// meanwhile shows up when the next batch is committed, which decides.
    pub async fn membership(&mut self, id: &LogFileId) -> Result<Membership> {
        let key = self.state.ledger.hasher.key(&id.log_file);
        let state = self.state.ledger.state(id.delivered_date, key, &[]).await?;
        if let Some(state) = state
            && state.status == FileStatus::Complete
        {
            return Ok(Membership::Complete { content: state.content });
        }
        let held_by =
            self.held_by(&key).union(state.map(|state| state.held_by).unwrap_or_default());
        Ok(if !held_by.is_empty() {
            Membership::Pending { tables: held_by.iter().collect() }
        } else if state.is_some_and(|state| state.status == FileStatus::Refused) {
            Membership::Refused
        } else {
            Membership::Unknown
        })
    }

    /// Reads what other writers have committed since, so that [`membership`](Self::membership)
    /// knows of it.
    pub async fn refresh(&mut self) -> Result<()> {
        self.state.read_on().await
    }

    /// Makes a batch durable. When this returns, every file of the batch is in the ledger, or has
    /// an outcome that says why not.
    ///
    /// After an error, some tables may hold the batch's rows and others not. Committing the same
    /// files again, by this writer or any other, completes them without doubling a row.
    pub async fn commit(&mut self, batch: Batch) -> Result<CommitReport> {
        let encoded = tokio::task::spawn_blocking(move || EncodedBatch::new(batch)).await;
        let encoded = encoded.map_err(|error| LakeError::bug("encode a batch", error))?;
        self.commit_encoded(encoded?).await
    }

    /// Makes a batch durable whose rows are encoded already; see [`Writer::commit`].
    ///
    /// # Errors
    ///
    /// As [`Writer::commit`].
    pub async fn commit_encoded(&mut self, batch: EncodedBatch) -> Result<CommitReport> {
        if batch.files() > Batch::MAX_FILES {
            return Err(LakeError::BatchTooLarge { files: batch.files(), limit: Batch::MAX_FILES });
        }
        if batch.files() == 0 {
            return Ok(CommitReport::default());
        }
        let mut work = Work::new(batch, &self.state.ledger.hasher);
        self.state.read_on().await?;
        self.judge(&mut work).await?;
        let mut staged = self.stage_all(&mut work).await?;
        for table in Table::DATA {
            let own = staged[data_index(table)].take();
            if let Err(error) = self.commit_table(&mut work, table, own).await {
                self.discard(staged).await;
                return Err(error);
            }
        }
        self.commit_ledger(&mut work).await?;
        tracing::debug!(lake = self.uri, batch = work.report.batch_id, "commit is durable");
        Ok(work.into_report())
    }

    /// Data tables that hold a file which the ledger has not as complete.
    fn held_by(&self, key: &FileKey) -> TableSet {
        Table::DATA
            .into_iter()
            .zip(&self.state.data)
            .filter(|(_, log)| log.open.contains_key(key))
            .map(|(table, _)| table)
            .collect()
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("lake", &self.uri)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
