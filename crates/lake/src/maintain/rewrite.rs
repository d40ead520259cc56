//! Reads some files of a partition, drops what is to be dropped, and writes the rest sorted.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::AsyncArrowWriter;

use super::MaintainOptions;
use super::compact::dropped_before;
use super::dropped::write_dropped;
use crate::error::{LakeError, Result};
use crate::files::{
    FileStatistics, NewFile, Origin, dropped_id, file_schema, new_path, writer_options,
};
use crate::provider::{FileEntry, LakeTable};
use crate::reader::LakeReader;
use crate::schema::Table;
use crate::store::TableStore;

/// The files that replace others.
pub(super) struct Rewritten {
    pub(super) files: Vec<NewFile>,
    /// Rows that are in none of them.
    pub(super) rows_dropped: u64,
}

/// Numbers the rows that say the same, the one that stays first. An event id alone proves nothing:
/// anonymised logs use one, and one request id, for many events. The views go by the same columns, so that answers stay
/// what they were (`queries/views/steps/current_events.sql`).
pub(super) fn numbered(table: Table) -> Option<&'static str> {
    match table {
        Table::CredentialEvents => Some(
            "SELECT *, row_number() OVER (\
             PARTITION BY event_id, recipient_account_id, event_name, event_time, event_source, request_id, \
             supersedes_event_id, outcome, caller_arn, caller_principal_id, source_ip, \
             role_arn, session_name, issued_access_key_id \
             ORDER BY log_file, record_index) AS copy FROM input",
        ),
        Table::IamChanges => Some(
            "SELECT *, row_number() OVER (\
             PARTITION BY event_id, recipient_account_id, event_name, event_time, event_source, \
             target_type, target_arn, target_name, target_id, policy_arn, status, outcome, \
             actor_arn, actor_principal_id, source_ip \
             ORDER BY log_file, record_index) AS copy FROM input",
        ),
        // A file that is complete is no longer refused or pending. Pending entries of one file add
        // up, so all of them stay until then.
        Table::LogFiles => Some(
            "SELECT *, CASE WHEN status = 'complete' THEN 1 \
                 WHEN max(CASE WHEN status = 'complete' THEN 1 ELSE 0 END) \
                      OVER (PARTITION BY log_file) = 1 THEN 2 ELSE 1 END AS copy FROM input",
        ),
        _ => None,
    }
}

/// Rewrites `inputs`, all of one partition. `None` where that would change nothing.
pub(super) async fn rewrite(
    context: &SessionContext,
    store: &TableStore,
    partition: Option<i32>,
    inputs: &[FileEntry],
    options: &MaintainOptions,
) -> Result<Option<Rewritten>> {
    let table = store.table;
    let provider = LakeTable::new(store, inputs.to_vec())?;
    let registered = context
        .deregister_table("input")
        .and_then(|_| context.register_table("input", Arc::new(provider)));
    registered.map_err(|error| LakeError::bug("register input", error))?;
    let mut dropped = dropped_before(store, inputs).await?;
    let rows_dropped = match numbered(table) {
        Some(numbered) => {
            let sql = format!(
                "SELECT log_file, count(*) FROM ({numbered}) WHERE copy > 1 GROUP BY log_file"
            );
            let counts = run(context, table, &sql).await?;
            let mut rows_dropped = 0;
            for (log_file, count) in text_counts(&counts) {
                rows_dropped += count;
                if table != Table::LogFiles {
                    *dropped.entry(log_file).or_default() += count;
                }
            }
            rows_dropped
        }
        None => 0,
    };
    if rows_dropped == 0 && inputs.len() == 1 {
        return Ok(None);
    }
    let def = table.def();
    let order = def.sort_columns.join(", ");
    let source = match numbered(table) {
        Some(numbered) if rows_dropped > 0 => format!("({numbered}) WHERE copy = 1"),
        _ => "input".to_owned(),
    };
    let columns: Vec<&str> = def
        .columns
        .iter()
        .map(|column| column.name)
        .filter(|name| *name != def.partition_column)
        .collect();
    let sql = format!("SELECT {} FROM {source} ORDER BY {order}", columns.join(", "));
    let rows: u64 = inputs.iter().filter_map(|file| file.rows).sum();
    let first_path = new_path(table, partition, origin(&dropped));
    if let Some(id) = dropped_id(&first_path) {
        write_dropped(store, id, &dropped).await?;
    }
    let mut output = Output { store, partition, rows, options, files: Vec::new(), open: None };
    output.start(first_path)?;
    let failed = |error| LakeError::storage(format!("sort table {table}"), error);
    let mut stream =
        context.sql(&sql).await.map_err(failed)?.execute_stream().await.map_err(failed)?;
    while let Some(batch) = stream.next().await {
        output.write(&batch.map_err(failed)?).await?;
    }
    let files = output.finish().await?;
    Ok(Some(Rewritten { files, rows_dropped }))
}

fn origin(dropped: &super::dropped::Dropped) -> Origin {
    if dropped.is_empty() { Origin::Maintenance } else { Origin::MaintenanceWithDropped }
}

/// A session that sorts in bounded memory.
pub(super) fn session(options: &MaintainOptions) -> Result<SessionContext> {
    let mode = match &options.temp_dir {
        Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(options.memory_bytes)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode))
        .build_arc()
        .map_err(|error| LakeError::storage("prepare sorting", error))?;
    let mut config: SessionConfig = LakeReader::session_config().with_target_partitions(1);
    // What sorting keeps aside for merging; the default alone is more than a small limit.
    config.options_mut().execution.sort_spill_reservation_bytes = options.memory_bytes / 8;
    config.options_mut().execution.parquet.schema_force_view_types = false;
    Ok(SessionContext::new_with_config_rt(config, runtime))
}

async fn run(context: &SessionContext, table: Table, sql: &str) -> Result<Vec<RecordBatch>> {
    let failed = |error| LakeError::storage(format!("find duplicates in table {table}"), error);
    context.sql(sql).await.map_err(failed)?.collect().await.map_err(failed)
}

fn text_counts(batches: &[RecordBatch]) -> impl Iterator<Item = (String, u64)> {
    batches.iter().flat_map(|batch| {
        let names = batch.column(0).as_string::<i32>();
        let counts = batch.column(1).as_primitive::<Int64Type>();
        names
            .iter()
            .zip(counts)
            .filter_map(|(name, count)| Some((name?.to_owned(), u64::try_from(count?).ok()?)))
    })
}

/// Sorted rows going to one file after the other.
struct Output<'a> {
    store: &'a TableStore,
    partition: Option<i32>,
    /// At most so many rows will come.
    rows: u64,
    options: &'a MaintainOptions,
    files: Vec<NewFile>,
    open: Option<OpenFile>,
}

struct OpenFile {
    path: String,
    writer: AsyncArrowWriter<BufWriter>,
    statistics: FileStatistics,
}

impl Output<'_> {
    fn start(&mut self, path: String) -> Result<()> {
        let table = self.store.table;
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        let sink = BufWriter::new(self.store.objects(), Path::from(path.as_str()));
        let writer = AsyncArrowWriter::try_new_with_options(
            sink,
            file_schema(table)?,
            writer_options(table, rows)?,
        )
        .map_err(|error| LakeError::bug(format!("write table {table}"), error))?;
        self.open = Some(OpenFile { path, writer, statistics: FileStatistics::new(table) });
        Ok(())
    }

    async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let table = self.store.table;
        if self.open.is_none() {
            self.start(new_path(table, self.partition, Origin::Maintenance))?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let batch = RecordBatch::try_new(file_schema(table)?, batch.columns().to_vec())
            .map_err(|error| LakeError::bug(format!("rewrite table {table}"), error))?;
        open.statistics.add(&batch);
        open.writer
            .write(&batch)
            .await
            .map_err(|error| LakeError::storage(format!("write a file of table {table}"), error))?;
        let written = open.writer.bytes_written() + open.writer.in_progress_size();
        if written as u64 >= self.options.target_file_bytes {
            self.close().await?;
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        let table = self.store.table;
        let what = || format!("write a file of table {table}");
        let Some(mut open) = self.open.take() else { return Ok(()) };
        open.writer.finish().await.map_err(|error| LakeError::storage(what(), error))?;
        let path = Path::from(open.path.as_str());
        let written = self.store.objects().head(&path).await;
        let written = written.map_err(|error| LakeError::storage(what(), error))?;
        self.files.push(NewFile {
            path: open.path,
            size: written.size,
            rows: open.statistics.rows,
            partition: self.partition,
            stats: open.statistics.finish(),
        });
        Ok(())
    }

    async fn finish(mut self) -> Result<Vec<NewFile>> {
        self.close().await?;
        Ok(self.files)
    }
}
