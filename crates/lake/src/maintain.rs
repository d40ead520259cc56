//! Keeps a lake small and quick: closes broken-off ingests, lets old days expire, compacts and
//! sorts, drops duplicate events, deletes what nothing refers to any more.
//!
//! Safe beside writers and beside other maintenance: every change is one commit at the next
//! version, made only if nobody removed the files that it replaces. Nothing here adds a row.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::Result;
use crate::lake::Lake;
use crate::schema::Table;
use crate::step::Action;

mod compact;
mod dropped;
mod expire;
mod pending;
mod rewrite;
mod vacuum;

pub(crate) use dropped::read_dropped;
pub(crate) use expire::expired;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// How a lake is maintained.
#[derive(Debug, Clone)]
pub struct MaintainOptions {
    /// Now, in microseconds.
    pub now: i64,
    /// Files whose ingest was broken off this long ago, in microseconds, are closed as pending.
    pub pending_after: i64,
    /// Files that nothing refers to are deleted this long after, in microseconds. Readers and
    /// writers that take longer than this may fail: keep it above a day beside either.
    pub retention: i64,
    /// Log versions older than this, in microseconds, are deleted where nothing needs them.
    pub log_retention: i64,
    /// Whole days (UTC) before today whose rows stay; older ones expire: their rows go from the
    /// data tables, while the ledger keeps their log files. All stay where `None`. A log file that
    /// comes late for an expired day is ingested all the same, and its rows go with the next
    /// maintenance that is told to.
    pub keep_days: Option<u32>,
    /// Files grow to about this size.
    pub target_file_bytes: u64,
    /// Memory for sorting; more than that goes to disk.
    pub memory_bytes: usize,
    /// Where sorting puts what does not fit in memory; the system's place where `None`.
    pub temp_dir: Option<PathBuf>,
}

impl MaintainOptions {
    /// The usual options, at `now` in microseconds.
    pub fn at(now: i64) -> Self {
        Self {
            now,
            pending_after: DAY,
            retention: 7 * DAY,
            log_retention: 30 * DAY,
            keep_days: None,
            target_file_bytes: 128 << 20,
            memory_bytes: 256 << 20,
            temp_dir: None,
        }
    }

    /// The first day that is kept, since the epoch.
    fn first_kept_day(&self) -> Option<i32> {
        let first = self.now.div_euclid(DAY) - i64::from(self.keep_days?);
        Some(i32::try_from(first).unwrap_or(i32::MIN))
    }

    fn now_millis(&self) -> i64 {
        self.now.div_euclid(1_000)
    }
}

/// What maintenance did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaintainReport {
    /// Log files that were closed as pending.
    pub closed_as_pending: Vec<String>,
    /// By table, what was compacted.
    pub tables: BTreeMap<Table, TableReport>,
}

/// What maintenance did to one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableReport {
    /// Partitions whose files were replaced.
    pub partitions_compacted: u64,
    /// Partitions that were compact already.
    pub partitions_skipped: u64,
    /// Partitions that another maintenance was faster with.
    pub partitions_lost: u64,
    /// Files that were replaced.
    pub files_replaced: u64,
    /// Files that replaced them.
    pub files_written: u64,
    /// Duplicate events that were dropped; for the ledger, entries that a later one overtook.
    pub rows_dropped: u64,
    /// Days whose rows expired.
    pub partitions_expired: u64,
    /// Files of those days.
    pub files_expired: u64,
    /// Rows of those days, as far as the log counts them.
    pub rows_expired: u64,
    /// Files that nothing referred to, deleted.
    pub files_vacuumed: u64,
    /// Log versions deleted.
    pub log_versions_deleted: u64,
}

impl Lake {
    /// Maintains the lake; see [`MaintainOptions`].
    pub async fn maintain(&self, options: MaintainOptions) -> Result<MaintainReport> {
        let mut report = MaintainReport::default();
        let (closed, marks) = pending::close(self, &options).await?;
        report.closed_as_pending = closed;
        for table in Table::READABLE {
            let store = self.store(table);
            if table.is_made_on_use() && store.snapshot().await?.is_none() {
                continue;
            }
            let mut done = TableReport::default();
            if let Some(first_kept) = options.first_kept_day()
                && Table::DATA.contains(&table)
            {
                expire::table(self, table, first_kept, &options, &mut done).await?;
            }
            compact::table(self, table, &options, &mut done).await?;
            self.hook().before(Action::Vacuum, table);
            done.files_vacuumed = vacuum::files(store, &options).await?;
            self.hook().after(Action::Vacuum, table);
            self.hook().before(Action::Checkpoint, table);
            if vacuum::worth_a_checkpoint(store).await? {
                store.checkpoint().await?;
            }
            self.hook().after(Action::Checkpoint, table);
            let needed_from = marks.get(&table).copied();
            done.log_versions_deleted = vacuum::log(store, needed_from, &options).await?;
            report.tables.insert(table, done);
        }
        Ok(report)
    }
}
