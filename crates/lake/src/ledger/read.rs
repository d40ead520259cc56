//! Reads what the ledger's files say of log files: of large files only the columns that say it.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::{FileHasher, FileKey, FileState};
use crate::error::{LakeError, Result};
use crate::log::TableSet;
use crate::rows::{ContentHash, FileStatus};
use crate::schema::Table;

/// A file up to this size is fetched at once; of a larger one, what is needed.
const SMALL: u64 = 1 << 20;

/// Where a file's own description is likely to begin, from its end.
const FOOTER: usize = 64 << 10;

const COLUMNS: [&str; 4] = ["log_file", "status", "sha256", "pending_tables"];

fn failed(error: object_store::Error) -> LakeError {
    LakeError::storage("read a file of table log_files", error)
}

fn corrupt(reason: impl std::fmt::Display) -> LakeError {
    LakeError::Corrupt { what: "a file of table log_files".to_owned(), reason: reason.to_string() }
}

/// The entries of one file of `size` bytes.
pub(super) async fn states(
    objects: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
    hasher: FileHasher,
) -> Result<Vec<(FileKey, FileState)>> {
    // A task of its own, so that several are decoded at once.
    let read = tokio::spawn(async move {
        if size > SMALL {
            return large(Remote { objects, path, size }, &hasher).await;
        }
        let bytes = objects.get(&path).await.map_err(failed)?.bytes().await.map_err(failed)?;
        small(bytes, &hasher)
    });
    read.await.map_err(|error| LakeError::bug("read table log_files", error))?
}

fn small(bytes: Bytes, hasher: &FileHasher) -> Result<Vec<(FileKey, FileState)>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(corrupt)?;
    let schema = Arc::clone(builder.schema());
    let roots = COLUMNS.iter().filter_map(|name| schema.index_of(name).ok());
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let mut states = Vec::new();
    for batch in builder.with_projection(mask).build().map_err(corrupt)? {
        take_in(&batch.map_err(corrupt)?, hasher, &mut states)?;
    }
    Ok(states)
}

async fn large(remote: Remote, hasher: &FileHasher) -> Result<Vec<(FileKey, FileState)>> {
    let unreadable = |error: ParquetError| match error {
        ParquetError::External(error) => {
            LakeError::storage("read a file of table log_files", error)
        }
        error => corrupt(error),
    };
    let builder = ParquetRecordBatchStreamBuilder::new(remote).await.map_err(unreadable)?;
    let schema = Arc::clone(builder.schema());
    let roots = COLUMNS.iter().filter_map(|name| schema.index_of(name).ok());
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let rows = builder.metadata().file_metadata().num_rows();
    let mut states = Vec::with_capacity(usize::try_from(rows).unwrap_or(0));
    let mut batches = builder.with_projection(mask).build().map_err(unreadable)?;
    while let Some(batch) = batches.try_next().await.map_err(unreadable)? {
        take_in(&batch, hasher, &mut states)?;
    }
    Ok(states)
}

/// A file of which parts are fetched.
struct Remote {
    objects: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for Remote {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move { self.objects.get_range(&self.path, range).await.map_err(external) }.boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        async move { self.objects.get_ranges(&self.path, &ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let reader = ParquetMetaDataReader::new().with_prefetch_hint(Some(FOOTER));
            reader.load_and_finish(self, size).await.map(Arc::new)
        }
        .boxed()
    }
}

fn take_in(
    batch: &RecordBatch,
    hasher: &FileHasher,
    states: &mut Vec<(FileKey, FileState)>,
) -> Result<()> {
    states_of(batch, hasher, states).ok_or_else(|| corrupt("a column has another type"))
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
