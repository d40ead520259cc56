//! Which files the lake knows, loaded partition by partition as it is asked for.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use lru::LruCache;

use crate::error::{LakeError, Result};
use crate::files::partition_from_text;
use crate::log::{Cursor, LogEntry, NamedFile, TableSet};
use crate::rows::{ContentHash, FileStatus};
use crate::schema::Table;

use self::partition::Partition;

mod partition;
mod read;

/// Files that are read at once: each takes some 15 MiB where a day has 150,000 log files.
const GET_CONCURRENCY: usize = 4;

/// Partitions that are loaded together with one that is asked for, where more are to follow: that
/// saves reading the log for each, without holding more than fits for long.
const LOADED_AHEAD: usize = 15;

/// A file's identity in 128 bits, keyed anew in every process: whoever names files cannot make
/// two of them meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FileKey(u64, u64);

/// Makes [`FileKey`]s.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileHasher(RandomState, RandomState);

impl FileHasher {
    pub(crate) fn key(&self, log_file: &str) -> FileKey {
        FileKey(self.0.hash_one(log_file), self.1.hash_one(log_file))
    }
}

/// What the ledger says about a file that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileState {
    pub(crate) status: FileStatus,
    /// Tables that hold a pending file's rows.
    pub(crate) held_by: TableSet,
    pub(crate) content: ContentHash,
}

impl FileState {
    fn of(file: &NamedFile) -> Self {
        Self { status: file.status, held_by: file.held_by, content: file.content }
    }

    /// Of two entries for a file, complete wins, then pending; two pending ones add up.
    fn merge(self, other: Self) -> Self {
        use FileStatus::{Complete, Pending, Refused};
        match (self.status, other.status) {
            (Complete, _) => self,
            (_, Complete) => other,
            (Pending, Pending) => Self { held_by: self.held_by.union(other.held_by), ..self },
            (Pending, Refused) => self,
            (Refused, _) => other,
        }
    }
}

/// Which files the lake knows, as of a version of the ledger.
pub(crate) struct Ledger {
    pub(crate) cursor: Cursor,
    pub(crate) hasher: FileHasher,
    partitions: LruCache<Option<i32>, Partition>,
    /// Files in all loaded partitions together.
    loaded: usize,
    max_loaded: usize,
}

impl Ledger {
    pub(crate) fn new(cursor: Cursor, max_loaded: usize) -> Self {
        Self {
            cursor,
            hasher: FileHasher::default(),
            partitions: LruCache::unbounded(),
            loaded: 0,
            max_loaded,
        }
    }

    /// What the ledger says about a file, loading its partition if need be, and with it some of
    /// those that will be asked for next.
    pub(crate) async fn state(
        &mut self,
        delivered_date: Option<i32>,
        key: FileKey,
        ahead: &[Option<i32>],
    ) -> Result<Option<FileState>> {
        if let Some(partition) = self.partitions.get(&delivered_date) {
            return Ok(partition.get(&key));
        }
        let next = ahead.iter().copied().filter(|day| *day != delivered_date);
        let days: Vec<_> = next.take(LOADED_AHEAD).chain([delivered_date]).collect();
        self.load(&days).await?;
        Ok(self.partitions.get(&delivered_date).and_then(|files| files.get(&key)))
    }

    /// Takes in what a commit to the ledger says.
    pub(crate) fn apply(&mut self, entry: &LogEntry) {
        if entry.files.is_empty() && entry.adds && !entry.maintenance {
            // Someone else's rows: nothing that is loaded can be trusted to be all there is.
            self.partitions.clear();
            self.loaded = 0;
        }
        for file in &entry.files {
            let key = self.hasher.key(&file.log_file);
            if let Some(partition) = self.partitions.peek_mut(&file.delivered_date) {
                let before = partition.len();
                partition.insert(key, FileState::of(file));
                self.loaded += partition.len() - before;
            }
        }
        self.evict();
    }

    /// Loads partitions that are not loaded yet, as of the table's latest version.
    pub(crate) async fn load(&mut self, dates: &[Option<i32>]) -> Result<()> {
        let mut missing: HashMap<Option<i32>, Vec<(FileKey, FileState)>> = HashMap::new();
        for date in dates {
            if !self.partitions.contains(date) {
                missing.insert(*date, Vec::new());
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let store = self.cursor.store.clone();
        let Some(snapshot) = store.snapshot().await? else {
            return Err(LakeError::NoLake { uri: store.log.root_url().to_string() });
        };
        let failed = store.failed("read");
        let mut paths = Vec::new();
        let mut views = snapshot.file_views(store.log.as_ref(), None);
        while let Some(view) = views.try_next().await.map_err(&failed)? {
            let values = view.partition_values_map();
            let value = values.get(Table::LogFiles.def().partition_column);
            let date = value.and_then(|value| value.as_deref()).and_then(partition_from_text);
            if missing.contains_key(&date) {
                let size = u64::try_from(view.size()).unwrap_or(0);
                paths.push((date, view.object_store_path(), size));
            }
        }
        drop(views);
        let objects = store.objects();
        let mut loads = futures::stream::iter(paths)
            .map(|(date, path, size)| {
                let states = read::states(Arc::clone(&objects), path, size, self.hasher.clone());
                async move { Ok::<_, LakeError>((date, states.await?)) }
            })
            .buffer_unordered(GET_CONCURRENCY);
        while let Some((date, states)) = loads.try_next().await? {
            match missing.get_mut(&date) {
                Some(entries) if entries.is_empty() => *entries = states,
                Some(entries) => entries.extend(states),
                None => {}
            }
        }
        drop(loads);
        // In the order given, so that the last one is the last to be dropped again.
        for date in dates {
            if let Some(entries) = missing.remove(date) {
                let partition = Partition::new(entries);
                self.loaded += partition.len();
                self.partitions.put(*date, partition);
            }
        }
        self.evict();
        Ok(())
    }

    /// Drops the partitions that were asked for longest ago, until the rest fits.
    fn evict(&mut self) {
        while self.loaded > self.max_loaded && self.partitions.len() > 1 {
            if let Some((_, partition)) = self.partitions.pop_lru() {
                self.loaded -= partition.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_entries_the_one_that_says_more_wins() {
        let state = |status, tables: &[Table]| FileState {
            status,
            held_by: tables.iter().copied().collect(),
            content: ContentHash::of("00000000000000aa"),
        };
        let complete = state(FileStatus::Complete, &[]);
        let refused = state(FileStatus::Refused, &[]);
        let first = state(FileStatus::Pending, &[Table::Activity]);
        let second = state(FileStatus::Pending, &[Table::IamChanges]);
        for other in [refused, first, second] {
            assert_eq!(complete.merge(other), complete);
            assert_eq!(other.merge(complete), complete);
        }
        assert_eq!(refused.merge(first), first);
        assert_eq!(first.merge(refused), first);
        let both = first.merge(second);
        assert!(both.held_by.contains(Table::Activity) && both.held_by.contains(Table::IamChanges));
    }

    #[test]
    fn content_is_told_apart_only_where_both_are_known() {
        let (known, other) = (ContentHash::of(&"ab".repeat(32)), ContentHash::of(&"cd".repeat(32)));
        assert!(known.differs(other));
        assert!(!known.differs(ContentHash::of("")));
        assert!(!known.differs(ContentHash::of(&known.to_string())));
    }
}
