//! Records what CloudTrail's digests prove.
//!
//! Results are only ever added. One is added where it differs from the latest on the same thing, so
//! that checking again what has not changed adds nothing, whoever checks and however often; and
//! what was found once stays on record. The table is made with the first result, and takes no part
//! in the commit of batches.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::append::{Source, append};
use crate::error::{LakeError, Result};
use crate::lake::Lake;
use crate::log::Cursor;
use crate::provider::FileEntry;
use crate::rows::{TableBuilder, TableRows};
use crate::schema::Table;
use crate::store::TableStore;

const TABLE: Table = Table::DigestResults;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What a result is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A digest file.
    Digest,
    /// A log file.
    LogFile,
    /// A stretch of time without a digest between two that there are.
    Gap,
}

impl Subject {
    /// The value stored in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::LogFile => "log_file",
            Self::Gap => "gap",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Proof {
    /// It is what CloudTrail delivered.
    Verified,
    /// It is not what CloudTrail delivered, or not where.
    Altered,
    /// CloudTrail delivered it, and it is gone; every gap is missing.
    Missing,
    /// A log file that lies where CloudTrail delivers, in a time whose digests do not list it.
    Unreferenced,
    /// Nothing speaks against it, but what would prove it is not at hand.
    NotProvable,
}

impl Proof {
    /// The value stored in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Altered => "altered",
            Self::Missing => "missing",
            Self::Unreferenced => "unreferenced",
            Self::NotProvable => "not_provable",
        }
    }
}

/// One result: a row of `digest_results`, whose columns have the same names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestResult {
    /// What it is about.
    pub subject: Subject,
    /// What was found.
    pub status: Proof,
    /// Why it is not verified.
    pub reason: Option<String>,
    /// Day of the log file's name, as days since the epoch; else that of `period_start` is taken.
    pub delivered_date: Option<i32>,
    /// What stands before the account in the key, with `AWSLogs`.
    pub trail_prefix: Option<String>,
    /// Account whose log files these are.
    pub account_id: Option<String>,
    /// Region whose log files these are.
    pub aws_region: Option<String>,
    /// Start of the digest's stretch of delivery, or of the gap, in microseconds.
    pub period_start: Option<i64>,
    /// End of that stretch, in microseconds.
    pub period_end: Option<i64>,
    /// Whether the digest belongs to a backfill.
    pub backfill: bool,
    /// Bucket of the digest.
    pub digest_bucket: Option<String>,
    /// Key of the digest.
    pub digest_key: Option<String>,
    /// SHA-256 of the digest's text, in hex.
    pub digest_sha256: Option<String>,
    /// Which public key signed the digest.
    pub public_key_fingerprint: Option<String>,
    /// Identity of the log file; none for others.
    pub log_file: Option<String>,
    /// Bucket of the log file.
    pub bucket: Option<String>,
    /// Key of the log file.
    pub key: Option<String>,
    /// SHA-256 of the log file's text as the digest says, in hex.
    pub sha256: Option<String>,
    /// SHA-256 of the log file's text as found, in hex.
    pub found_sha256: Option<String>,
    /// SHA-256 of the log file's bytes as stored, in hex.
    pub stored_sha256: Option<String>,
    /// Now, in microseconds.
    pub checked_at: i64,
}

impl DigestResult {
    /// A result with nothing but what every one has.
    pub fn new(subject: Subject, status: Proof, checked_at: i64) -> Self {
        Self {
            subject,
            status,
            reason: None,
            delivered_date: None,
            trail_prefix: None,
            account_id: None,
            aws_region: None,
            period_start: None,
            period_end: None,
            backfill: false,
            digest_bucket: None,
            digest_key: None,
            digest_sha256: None,
            public_key_fingerprint: None,
            log_file: None,
            bucket: None,
            key: None,
            sha256: None,
            found_sha256: None,
            stored_sha256: None,
            checked_at,
        }
    }

    fn day(&self) -> Option<i32> {
        let of_start = || self.period_start.map(|at| at.div_euclid(MICROS_PER_DAY));
        self.delivered_date.or_else(|| i32::try_from(of_start()?).ok())
    }

    fn chain(&self) -> &'static str {
        if self.backfill { "backfill" } else { "regular" }
    }

    fn append(&self, row: &mut TableBuilder, number: u32) {
        row.text("subject", Some(self.subject.as_str()))
            .text("status", Some(self.status.as_str()))
            .text("reason", self.reason.as_deref())
            .date("delivered_date", self.day())
            .text("trail_prefix", self.trail_prefix.as_deref())
            .text("account_id", self.account_id.as_deref())
            .text("aws_region", self.aws_region.as_deref())
            .time("period_start", self.period_start)
            .time("period_end", self.period_end)
            .text("chain", Some(self.chain()))
            .text("digest_bucket", self.digest_bucket.as_deref())
            .text("digest_key", self.digest_key.as_deref())
            .text("digest_sha256", self.digest_sha256.as_deref())
            .text("public_key_fingerprint", self.public_key_fingerprint.as_deref())
            .text("log_file", self.log_file.as_deref())
            .text("bucket", self.bucket.as_deref())
            .text("key", self.key.as_deref())
            .text("sha256", self.sha256.as_deref())
            .text("found_sha256", self.found_sha256.as_deref())
            .text("stored_sha256", self.stored_sha256.as_deref())
            .time("checked_at", Some(self.checked_at))
            .end_row(number);
    }
}

/// What became of results that were handed in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DigestReport {
    /// Results that were added.
    pub added: u64,
    /// Results that say what the latest one on the same thing says.
    pub known: u64,
}

impl Lake {
    /// Adds what was found to the table `digest_results`, but for what it says already. Of several
    /// results on one thing, the last one given counts.
    ///
    /// Safe beside other writers of results; whoever is later sees what the other has added.
    pub async fn digest_results(&self, results: &[DigestResult]) -> Result<DigestReport> {
        let Some(now) = results.iter().map(|result| result.checked_at).max() else {
            return Ok(DigestReport::default());
        };
        let known = Known::new(self.store(TABLE).clone(), results);
        let mut news = News { known, results, report: DigestReport::default() };
        append(self, TABLE, &mut news, now).await?;
        Ok(news.report)
    }
}

/// What results say that the table does not say yet.
struct News<'a> {
    known: Known,
    results: &'a [DigestResult],
    report: DigestReport,
}

impl Source for News<'_> {
    async fn read(&mut self, _store: &TableStore) -> Result<(Cursor, Option<Arc<TableRows>>)> {
        let cursor = self.known.read().await?;
        let fresh = self.known.fresh(self.results);
        self.report = DigestReport {
            added: fresh.len() as u64,
            known: (self.results.len() - fresh.len()) as u64,
        };
        let rows = if fresh.is_empty() { None } else { Some(Arc::new(rows(&fresh)?)) };
        Ok((cursor, rows))
    }
}

fn rows(results: &[&DigestResult]) -> Result<TableRows> {
    let mut rows = TableBuilder::new(TABLE);
    for (number, result) in (0..).zip(results) {
        result.append(&mut rows, number);
    }
    rows.finish()
}

/// A thing, and an outcome, in 128 bits each, keyed anew for each use.
type Key = (u64, u64);

/// What the table says of the things that some results are about.
struct Known {
    store: TableStore,
    hashers: (RandomState, RandomState),
    days: HashSet<Option<i32>>,
    wanted: HashSet<Key>,
    /// The latest outcome of each, and when it was found.
    latest: HashMap<Key, (i64, Key)>,
    /// Files that were read. They never change, and compaction only moves rows.
    read: HashSet<String>,
}

/// What identifies a thing: its columns, in the order of [`THING_COLUMNS`].
type Thing<'a> = [Option<&'a str>; 7];

const THING_COLUMNS: [&str; 7] =
    ["subject", "bucket", "key", "digest_bucket", "digest_key", "account_id", "aws_region"];
const OUTCOME_COLUMNS: [&str; 6] =
    ["status", "reason", "sha256", "found_sha256", "stored_sha256", "digest_sha256"];

fn outcome(result: &DigestResult) -> [Option<&str>; 6] {
    [
        Some(result.status.as_str()),
        result.reason.as_deref(),
        result.sha256.as_deref(),
        result.found_sha256.as_deref(),
        result.stored_sha256.as_deref(),
        result.digest_sha256.as_deref(),
    ]
}

impl Known {
    fn new(store: TableStore, results: &[DigestResult]) -> Self {
        let mut known = Self {
            store,
            hashers: Default::default(),
            days: results.iter().map(DigestResult::day).collect(),
            wanted: HashSet::new(),
            latest: HashMap::new(),
            read: HashSet::new(),
        };
        known.wanted = results.iter().map(|result| known.thing(result)).collect();
        known
    }

    fn hash(&self, value: &impl std::hash::Hash) -> Key {
        (self.hashers.0.hash_one(value), self.hashers.1.hash_one(value))
    }

    fn thing(&self, result: &DigestResult) -> Key {
        let thing: Thing<'_> = [
            Some(result.subject.as_str()),
            result.bucket.as_deref(),
            result.key.as_deref(),
            result.digest_bucket.as_deref(),
            result.digest_key.as_deref(),
            result.account_id.as_deref(),
            result.aws_region.as_deref(),
        ];
        self.key_of(thing, result.period_start)
    }

    /// A log file is the same whichever digest lists it, or none; a gap is where it begins.
    fn key_of(&self, mut thing: Thing<'_>, period_start: Option<i64>) -> Key {
        let subject = thing[0];
        if subject == Some(Subject::LogFile.as_str()) {
            thing[3..].fill(None);
        }
        let start = period_start.filter(|_| subject == Some(Subject::Gap.as_str()));
        self.hash(&(thing, start))
    }

    /// Reads the files of the days that matter which were not read yet. Gives where that was.
    async fn read(&mut self) -> Result<Cursor> {
        let snapshot = self.store.files_snapshot().await?;
        let cursor = Cursor { store: self.store.clone(), version: snapshot.version() };
        for file in FileEntry::list(&self.store, &snapshot).await? {
            if !self.days.contains(&file.partition) || !self.read.insert(file.path.clone()) {
                continue;
            }
            let failed = |error| LakeError::storage("read a file of table digest_results", error);
            let read = self.store.objects().get(&Path::from(file.path.as_str())).await;
            let bytes = read.map_err(failed)?.bytes().await.map_err(failed)?;
            self.take_in(bytes).map_err(|reason| LakeError::Corrupt {
                what: "a file of table digest_results".to_owned(),
                reason,
            })?;
        }
        Ok(cursor)
    }

    fn take_in(&mut self, bytes: bytes::Bytes) -> Result<(), String> {
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| error.to_string())?;
        let schema = Arc::clone(builder.schema());
        let columns = THING_COLUMNS.iter().chain(&OUTCOME_COLUMNS);
        let roots = columns.chain(&["period_start", "checked_at"]);
        let roots = roots.filter_map(|name| schema.index_of(name).ok());
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let reader = builder.with_projection(mask).build().map_err(|error| error.to_string())?;
        for batch in reader {
            let batch = batch.map_err(|error| error.to_string())?;
            self.take_in_batch(&batch).ok_or("a column is missing or has another type")?;
        }
        Ok(())
    }

    fn take_in_batch(&mut self, batch: &RecordBatch) -> Option<()> {
        let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>();
        let time =
            |name: &str| batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>();
        let things: Vec<_> = THING_COLUMNS.iter().map(|name| text(name)).collect::<Option<_>>()?;
        let outcomes: Vec<_> =
            OUTCOME_COLUMNS.iter().map(|name| text(name)).collect::<Option<_>>()?;
        let (starts, checks) = (time("period_start")?, time("checked_at")?);
        for row in 0..batch.num_rows() {
            let mut thing: Thing<'_> = [None; 7];
            let mut found = [None; 6];
            for (slot, column) in thing.iter_mut().zip(&things) {
                *slot = column.is_valid(row).then(|| column.value(row));
            }
            let key = self.key_of(thing, starts.is_valid(row).then(|| starts.value(row)));
            if !self.wanted.contains(&key) {
                continue;
            }
            for (slot, column) in found.iter_mut().zip(&outcomes) {
                *slot = column.is_valid(row).then(|| column.value(row));
            }
            let (at, found) = (checks.value(row), self.hash(&found));
            let latest = self.latest.entry(key).or_insert((at, found));
            if at >= latest.0 {
                *latest = (at, found);
            }
        }
        Some(())
    }

    /// The results that say something new, in order.
    fn fresh<'a>(&self, results: &'a [DigestResult]) -> Vec<&'a DigestResult> {
        let mut last: BTreeMap<Key, usize> = BTreeMap::new();
        for (index, result) in results.iter().enumerate() {
            last.insert(self.thing(result), index);
        }
        let mut fresh: Vec<usize> = last
            .into_iter()
            .filter(|(key, index)| {
                let found = self.hash(&outcome(&results[*index]));
                self.latest.get(key).is_none_or(|(_, known)| *known != found)
            })
            .map(|(_, index)| index)
            .collect();
        fresh.sort_unstable();
        fresh.into_iter().map(|index| &results[index]).collect()
    }
}
