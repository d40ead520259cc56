//! Which files the lake knows, loaded partition by partition as it is asked for.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use lru::LruCache;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::{LakeError, Result};
use crate::files::partition_from_text;
use crate::log::{Cursor, LogEntry, NamedFile, TableSet};
use crate::rows::{ContentHash, FileStatus};
use crate::schema::Table;

const GET_CONCURRENCY: usize = 8;

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

type Partition = HashMap<FileKey, FileState>;

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

    /// What the ledger says about a file, loading its partition if need be.
    pub(crate) async fn state(
        &mut self,
        delivered_date: Option<i32>,
        key: FileKey,
    ) -> Result<Option<FileState>> {
        if let Some(partition) = self.partitions.get(&delivered_date) {
            return Ok(partition.get(&key).copied());
        }
        self.load(&[delivered_date]).await?;
        Ok(self.partitions.get(&delivered_date).and_then(|files| files.get(&key).copied()))
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
                self.loaded += usize::from(!partition.contains_key(&key));
                insert(partition, key, FileState::of(file));
            }
        }
        self.evict();
    }

    /// Loads partitions that are not loaded yet, as of the table's latest version.
    pub(crate) async fn load(&mut self, dates: &[Option<i32>]) -> Result<()> {
        let mut missing: HashMap<Option<i32>, Partition> = HashMap::new();
        for date in dates {
            if !self.partitions.contains(date) {
                missing.insert(*date, Partition::new());
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
                paths.push((date, view.object_store_path()));
            }
        }
        drop(views);
        let objects = store.objects();
        let mut loads = futures::stream::iter(paths)
            .map(|(date, path)| {
                let (objects, hasher) = (Arc::clone(&objects), self.hasher.clone());
                async move { Ok::<_, LakeError>((date, read_states(objects, path, hasher).await?)) }
            })
            .buffer_unordered(GET_CONCURRENCY);
        while let Some((date, states)) = loads.try_next().await? {
            if let Some(partition) = missing.get_mut(&date) {
                for (key, state) in states {
                    insert(partition, key, state);
                }
            }
        }
        drop(loads);
        for (date, partition) in missing {
            self.loaded += partition.len();
            self.partitions.put(date, partition);
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

fn insert(partition: &mut Partition, key: FileKey, state: FileState) {
    partition.entry(key).and_modify(|known| *known = known.merge(state)).or_insert(state);
}

async fn read_states(
    objects: Arc<dyn ObjectStore>,
    path: Path,
    hasher: FileHasher,
) -> Result<Vec<(FileKey, FileState)>> {
    let failed = |error| LakeError::storage("read a file of table log_files", error);
    let bytes = objects.get(&path).await.map_err(failed)?.bytes().await.map_err(failed)?;
    let decoded = tokio::task::spawn_blocking(move || decode_states(bytes, &hasher)).await;
    decoded.map_err(|error| LakeError::bug("read table log_files", error))?
}

fn decode_states(bytes: Bytes, hasher: &FileHasher) -> Result<Vec<(FileKey, FileState)>> {
    let corrupt = |reason: String| LakeError::Corrupt {
        what: "a file of table log_files".to_owned(),
        reason,
    };
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .map_err(|error| corrupt(error.to_string()))?;
    let columns = ["log_file", "status", "sha256", "pending_tables"];
    let schema = Arc::clone(builder.schema());
    let roots = columns.iter().filter_map(|name| schema.index_of(name).ok());
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let reader =
        builder.with_projection(mask).build().map_err(|error| corrupt(error.to_string()))?;
    let mut states = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| corrupt(error.to_string()))?;
        states_of(&batch, hasher, &mut states)
            .ok_or_else(|| corrupt("a column has another type".to_owned()))?;
    }
    Ok(states)
}

/// `None` where a column is missing or not what it should be.
fn states_of(
    batch: &RecordBatch,
    hasher: &FileHasher,
    states: &mut Vec<(FileKey, FileState)>,
) -> Option<()> {
    let names = batch.column_by_name("log_file")?.as_string_opt::<i32>()?;
    let statuses = batch.column_by_name("status")?.as_string_opt::<i32>()?;
    let contents = batch.column_by_name("sha256")?.as_string_opt::<i32>()?;
    let pending = batch.column_by_name("pending_tables")?.as_list_opt::<i32>()?;
    for row in 0..batch.num_rows() {
        let status = match statuses.value(row) {
            "complete" => FileStatus::Complete,
            "refused" => FileStatus::Refused,
            "pending" => FileStatus::Pending,
            _ => return None,
        };
        let held_by = if pending.is_valid(row) {
            let tables = pending.value(row);
            let tables = tables.as_string_opt::<i32>()?;
            tables.iter().flatten().filter_map(Table::from_name).collect()
        } else {
            TableSet::default()
        };
        let content = if contents.is_valid(row) { contents.value(row) } else { "" };
        let state = FileState { status, held_by, content: ContentHash::of(content) };
        states.push((hasher.key(names.value(row)), state));
    }
    Some(())
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
