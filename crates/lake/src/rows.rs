//! A batch: the rows of many log files, waiting for one commit.
//!
//! A batch holds Arrow builders, not parsed files: once pushed, a file's text can go. It knows
//! nothing of what the lake already has; the writer sorts that out when the batch is committed.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU64;

use rolecall_events::rows::LogFile;

use crate::schema::Table;

pub(crate) use self::append::{LedgerRow, ledger};
pub(crate) use self::builder::{TableBuilder, TableRows};

mod append;
mod builder;

/// What identifies a log file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogFileId {
    /// The CloudTrail file name where it has that form, else name plus content hash.
    pub log_file: String,
    /// Day that the file name carries, as days since the epoch; the ledger is partitioned by it.
    pub delivered_date: Option<i32>,
}

/// Where a log file came from, and what it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogFileMeta {
    /// The file's identity; see [`LogFileId`].
    pub log_file: String,
    /// Day that the file name carries, as days since the epoch.
    pub delivered_date: Option<i32>,
    /// Bucket, where it came from one.
    pub bucket: Option<String>,
    /// Key in the bucket, or path.
    pub key: String,
    /// Version of the object.
    pub version_id: Option<String>,
    /// ETag of the object.
    pub etag: Option<String>,
    /// SHA-256 of the bytes as delivered, in hex; empty where they were not read.
    pub sha256: String,
    /// Size as delivered, compressed.
    pub bytes: u64,
    /// What stands before the account in the key, with `AWSLogs` and the organisation.
    pub trail_prefix: Option<String>,
    /// Account that the path or name carries.
    pub account_id: Option<String>,
    /// Region that the path or name carries.
    pub aws_region: Option<String>,
    /// Delivery time that the name carries, in microseconds.
    pub delivered_at: Option<i64>,
    /// Now, in microseconds.
    pub ingested_at: i64,
}

impl LogFileMeta {
    /// The file's identity.
    pub fn id(&self) -> LogFileId {
        LogFileId { log_file: self.log_file.clone(), delivered_date: self.delivered_date }
    }

    fn known_bytes(&self) -> Option<i64> {
        (self.bytes > 0).then(|| i64::try_from(self.bytes).unwrap_or(i64::MAX))
    }
}

/// The first 64 bits of a file's SHA-256: enough to see that a file came again with other content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash(Option<NonZeroU64>);

impl ContentHash {
    const HEX_DIGITS: usize = 16;

    /// Of a hex SHA-256, or of its first 16 digits. Anything else is an unknown content, and so is the
    /// one hash in 2^64 that begins with 16 zeros.
    pub fn of(sha256_hex: &str) -> Self {
        Self(
            sha256_hex
                .get(..Self::HEX_DIGITS)
                .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                .and_then(NonZeroU64::new),
        )
    }

    /// Whether both are known and differ.
    pub fn differs(self, other: Self) -> bool {
        matches!((self.0, other.0), (Some(left), Some(right)) if left != right)
    }
}

impl fmt::Display for ContentHash {
    /// 16 hex digits; nothing for an unknown content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(hash) => write!(f, "{hash:0width$x}", width = Self::HEX_DIGITS),
            None => Ok(()),
        }
    }
}

/// The ledger's word on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileStatus {
    /// All tables hold its rows.
    Complete,
    /// Nothing could be read from it.
    Refused,
    /// Some tables hold its rows; its ingest was broken off long ago.
    Pending,
}

impl FileStatus {
    /// The value stored in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Refused => "refused",
            Self::Pending => "pending",
        }
    }
}

/// A file's counts, as the ledger keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FileAccount {
    pub(crate) records: u64,
    pub(crate) credential_events: u64,
    pub(crate) iam_changes: u64,
    pub(crate) rejected: u64,
    pub(crate) first_event_time: Option<i64>,
    pub(crate) last_event_time: Option<i64>,
}

/// One file of a batch.
#[derive(Debug)]
pub(crate) struct BatchFile {
    pub(crate) meta: LogFileMeta,
    pub(crate) content: ContentHash,
    pub(crate) outcome: ReadOutcome,
}

/// What reading a file gave.
#[derive(Debug)]
pub(crate) enum ReadOutcome {
    Read(FileAccount),
    Refused(String),
}

/// Whether a file was taken into a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It was.
    Added,
    /// The batch already holds a file of that identity; nothing was added.
    Duplicate,
}

/// The rows of many log files, waiting for one commit.
pub struct Batch {
    tables: [TableBuilder; 3],
    files: Vec<BatchFile>,
    /// The files, and whether something was read from each.
    names: HashMap<String, bool>,
    meta_bytes: usize,
}

impl Batch {
    /// How many files one commit may name.
    pub const MAX_FILES: usize = 4_096;

    /// An empty batch.
    pub fn new() -> Self {
        Self {
            tables: Table::DATA.map(TableBuilder::new),
            files: Vec::new(),
            names: HashMap::new(),
            meta_bytes: 0,
        }
    }

    /// Adds a file and its rows, unless the batch already holds the rows of a file of that identity. One that could
    /// not be read before is no such file.
    pub fn push(&mut self, meta: LogFileMeta, rows: &LogFile<'_>) -> Pushed {
        if self.names.insert(meta.log_file.clone(), true) == Some(true) {
            return Pushed::Duplicate;
        }
        let file = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        append::log_file(&mut self.tables, rows, &meta.log_file, file);
        let account = FileAccount {
            records: rows.account.seen,
            credential_events: rows.account.credential,
            iam_changes: rows.account.iam_changes,
            rejected: rows.account.rejected,
            first_event_time: rows.account.first_event_time,
            last_event_time: rows.account.last_event_time,
        };
        self.add(meta, ReadOutcome::Read(account));
        Pushed::Added
    }

    /// Adds a file that could not be read, unless the batch already holds one of that identity.
    pub fn push_refused(&mut self, meta: LogFileMeta, reason: impl Into<String>) -> Pushed {
        if self.names.contains_key(&meta.log_file) {
            return Pushed::Duplicate;
        }
        self.names.insert(meta.log_file.clone(), false);
        self.add(meta, ReadOutcome::Refused(reason.into()));
        Pushed::Added
    }

    fn add(&mut self, meta: LogFileMeta, outcome: ReadOutcome) {
        self.meta_bytes += 256 + 2 * meta.log_file.len() + meta.key.len();
        let content = ContentHash::of(&meta.sha256);
        self.files.push(BatchFile { meta, content, outcome });
    }

    /// Rows in all data tables together.
    pub fn rows(&self) -> usize {
        self.tables.iter().map(TableBuilder::rows).sum()
    }

    /// Roughly what the batch takes in memory.
    pub fn bytes_estimate(&self) -> usize {
        self.meta_bytes + self.tables.iter().map(TableBuilder::bytes).sum::<usize>()
    }

    /// Files in the batch.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// Whether another file would make the batch too large to commit.
    pub fn is_full(&self) -> bool {
        self.files.len() >= Self::MAX_FILES
    }

    pub(crate) fn into_parts(self) -> ([TableBuilder; 3], Vec<BatchFile>) {
        (self.tables, self.files)
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("files", &self.files())
            .field("rows", &self.rows())
            .finish_non_exhaustive()
    }
}
