//! Parquet files: rows sorted and split by partition, encoded, and described for the log.
//!
//! The statistics that go to the log are computed from the rows, not taken from the file's footer:
//! footers cut long texts, and a reader may answer `max()` from the log alone.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, RecordBatch, UInt32Array};
use arrow::compute::{
    SortColumn, SortOptions, lexsort_to_indices, max, max_string, min, min_string,
    take_record_batch,
};
use arrow::datatypes::{DataType, Date32Type, Int64Type, SchemaRef, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::error::{LakeError, Result};
use crate::rows::TableRows;
use crate::schema::{Table, TableDef};

/// Rows in a row group: small enough for a bloom filter to skip much, large enough to compress.
pub(crate) const ROW_GROUP_ROWS: usize = 131_072;

/// Rows in a page, the unit that the page index skips.
const PAGE_ROWS: usize = 8_192;

/// Longer texts are left out of the log's statistics.
const MAX_STATS_TEXT: usize = 256;

const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// How every file is sorted: ascending, nulls last, as a plain `ORDER BY` gives it.
pub(crate) const SORT_OPTIONS: SortOptions = SortOptions { descending: false, nulls_first: false };

/// What wrote a file, told by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A batch.
    Batch,
    /// Maintenance: sorted, and without duplicates where the table drops them.
    Maintenance,
    /// Maintenance, and counts of dropped rows stand beside it.
    MaintenanceWithDropped,
}

const BATCH_PREFIX: &str = "part-";
const MAINTENANCE_PREFIX: &str = "sorted-";
const DROPPED_PREFIX: &str = "sorted-dropped-";
const SUFFIX: &str = ".zstd.parquet";

impl Origin {
    /// The origin that the path of a file tells; files of other programs count as a batch's.
    pub(crate) fn of_path(path: &str) -> Self {
        let name = file_name(path);
        if name.starts_with(DROPPED_PREFIX) {
            Self::MaintenanceWithDropped
        } else if name.starts_with(MAINTENANCE_PREFIX) {
            Self::Maintenance
        } else {
            Self::Batch
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Batch => BATCH_PREFIX,
            Self::Maintenance => MAINTENANCE_PREFIX,
            Self::MaintenanceWithDropped => DROPPED_PREFIX,
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The id of the dropped counts that stand beside a file, if any do.
pub(crate) fn dropped_id(path: &str) -> Option<&str> {
    file_name(path).strip_prefix(DROPPED_PREFIX)?.strip_suffix(SUFFIX)
}

/// A Parquet file that is complete but not part of a table yet.
#[derive(Debug, Clone)]
pub(crate) struct NewFile {
    /// Relative to the table.
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) rows: u64,
    /// Value of the partition column.
    pub(crate) partition: Option<i32>,
    /// Delta's statistics, as JSON text.
    pub(crate) stats: String,
}

impl NewFile {
    /// The file as an `add` action.
    pub(crate) fn add_action(&self, table: Table, data_change: bool, now_millis: i64) -> Value {
        json!({"add": {
            "path": self.path,
            "partitionValues": {table.def().partition_column: partition_text(self.partition)},
            "size": self.size,
            "modificationTime": now_millis,
            "dataChange": data_change,
            "stats": self.stats,
        }})
    }
}

/// A partition's value as Delta writes it.
pub(crate) fn partition_text(partition: Option<i32>) -> Option<String> {
    partition.map(|day| {
        Date32Type::to_naive_date_opt(day).map_or_else(|| day.to_string(), |date| date.to_string())
    })
}

/// A partition's value from what Delta wrote.
pub(crate) fn partition_from_text(text: &str) -> Option<i32> {
    text.parse::<chrono::NaiveDate>().ok().map(Date32Type::from_naive_date)
}

/// A new path for a file of `partition`.
pub(crate) fn new_path(table: Table, partition: Option<i32>, origin: Origin) -> String {
    let column = table.def().partition_column;
    let value = partition_text(partition);
    let value = value.as_deref().unwrap_or(NULL_PARTITION);
    format!("{column}={value}/{}{}{SUFFIX}", origin.prefix(), Uuid::new_v4())
}

/// The schema of the Parquet files: the table's without the partition column.
pub(crate) fn file_schema(table: Table) -> Result<SchemaRef> {
    let def = table.def();
    let schema = table.schema();
    let kept: Vec<usize> = (0..schema.fields().len())
        .filter(|&index| schema.field(index).name() != def.partition_column)
        .collect();
    let projected = schema
        .project(&kept)
        .map_err(|error| LakeError::bug(format!("project schema of {table}"), error))?;
    Ok(Arc::new(projected))
}

/// How Parquet files are written. `rows` bounds the bloom filters; they fold to what is needed.
pub(crate) fn writer_options(table: Table, rows: usize) -> Result<ArrowWriterOptions> {
    let def = table.def();
    let schema = file_schema(table)?;
    let level =
        ZstdLevel::try_new(3).map_err(|error| LakeError::bug("choose compression level", error))?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_created_by(format!("rolecall {}", env!("CARGO_PKG_VERSION")))
        .set_sorting_columns(Some(sorting_columns(def, &schema)));
    let distinct = u64::try_from(rows.clamp(1, ROW_GROUP_ROWS)).unwrap_or(1);
    for name in def.bloom_columns {
        let path = ColumnPath::from(*name);
        properties = properties
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_fpp(path.clone(), 0.01)
            .set_column_bloom_filter_max_ndv(path, distinct);
    }
    // The Arrow schema repeats all comments in every file; the table's own schema has them.
    Ok(ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true))
}

/// Leaf columns are numbered by Parquet in schema order, lists counting one and maps two.
fn sorting_columns(def: &TableDef, schema: &SchemaRef) -> Vec<SortingColumn> {
    let mut leaf = 0;
    let mut leaves = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        leaves.push((field.name().as_str(), leaf));
        leaf += if matches!(field.data_type(), DataType::Map(..)) { 2 } else { 1 };
    }
    def.sort_columns
        .iter()
        .filter_map(|name| leaves.iter().find(|(leaf_name, _)| leaf_name == name))
        .map(|(_, column_idx)| SortingColumn {
            column_idx: *column_idx,
            descending: SORT_OPTIONS.descending,
            nulls_first: SORT_OPTIONS.nulls_first,
        })
        .collect()
}

/// A file's bytes, and what the log says about it.
pub(crate) struct EncodedFile {
    pub(crate) file: NewFile,
    pub(crate) bytes: Bytes,
}

/// The rows as one sorted Parquet file per partition. Blocks: run it where that is fine.
pub(crate) fn encode(rows: &TableRows) -> Result<Vec<EncodedFile>> {
    let TableRows { table, batch, .. } = rows;
    if batch.num_rows() == 0 {
        return Ok(Vec::new());
    }
    let sorted = take_record_batch(batch, &sort_order(table.def(), batch)?)
        .map_err(|error| LakeError::bug(format!("sort rows of {table}"), error))?;
    let mut encoded = Vec::new();
    for (partition, slice) in split_by_partition(table.def(), &sorted)? {
        encoded.push(encode_partition(*table, partition, slice)?);
    }
    Ok(encoded)
}

/// Partition column first, then the sort columns.
fn sort_order(def: &TableDef, batch: &RecordBatch) -> Result<UInt32Array> {
    let columns =
        [def.partition_column].into_iter().chain(def.sort_columns.iter().copied()).map(|name| {
            let values = batch.column_by_name(name).cloned();
            let values = values.ok_or_else(|| LakeError::bug("sort rows", format!("no {name}")))?;
            Ok(SortColumn { values, options: Some(SORT_OPTIONS) })
        });
    lexsort_to_indices(&columns.collect::<Result<Vec<_>>>()?, None)
        .map_err(|error| LakeError::bug(format!("sort rows of {}", def.name), error))
}

/// Runs of equal partition value in a batch that is sorted by it, without that column.
fn split_by_partition(
    def: &TableDef,
    sorted: &RecordBatch,
) -> Result<Vec<(Option<i32>, RecordBatch)>> {
    let index = sorted
        .schema()
        .index_of(def.partition_column)
        .map_err(|error| LakeError::bug(format!("split rows of {}", def.name), error))?;
    let days: Date32Array = sorted.column(index).as_primitive::<Date32Type>().clone();
    let mut data = sorted.clone();
    data.remove_column(index);
    let day_at = |row: usize| days.is_valid(row).then(|| days.value(row));
    let mut partitions = Vec::new();
    let mut start = 0;
    for row in 1..=days.len() {
        if row == days.len() || day_at(row) != day_at(start) {
            partitions.push((day_at(start), data.slice(start, row - start)));
            start = row;
        }
    }
    Ok(partitions)
}

fn encode_partition(
    table: Table,
    partition: Option<i32>,
    batch: RecordBatch,
) -> Result<EncodedFile> {
    let failed = |error| LakeError::bug(format!("encode rows of {table}"), error);
    let mut statistics = FileStatistics::new(table);
    statistics.add(&batch);
    let options = writer_options(table, batch.num_rows())?;
    let schema = file_schema(table)?;
    let batch = batch
        .with_schema(Arc::clone(&schema))
        .map_err(|error| LakeError::bug(format!("encode rows of {table}"), error))?;
    let mut writer =
        ArrowWriter::try_new_with_options(Vec::new(), schema, options).map_err(failed)?;
    writer.write(&batch).map_err(failed)?;
    let bytes = Bytes::from(writer.into_inner().map_err(failed)?);
    let file = NewFile {
        path: new_path(table, partition, Origin::Batch),
        size: bytes.len() as u64,
        rows: statistics.rows,
        partition,
        stats: statistics.finish(),
    };
    Ok(EncodedFile { file, bytes })
}

/// Least and greatest values of a file's columns, gathered batch by batch.
pub(crate) struct FileStatistics {
    pub(crate) rows: u64,
    columns: Vec<ColumnStatistics>,
}

struct ColumnStatistics {
    name: &'static str,
    nulls: u64,
    bounds: Bounds,
}

enum Bounds {
    Text(Option<(String, String)>),
    Time(Option<(i64, i64)>),
    Count(Option<(i64, i64)>),
    /// Other types have no bounds in the log.
    None,
}

fn widen<T: PartialOrd>(bounds: &mut Option<(T, T)>, least: T, greatest: T) {
    match bounds {
        Some((low, high)) => {
            if least < *low {
                *low = least;
            }
            if greatest > *high {
                *high = greatest;
            }
        }
        None => *bounds = Some((least, greatest)),
    }
}

impl FileStatistics {
    pub(crate) fn new(table: Table) -> Self {
        let def = table.def();
        let columns = def.stats_columns.iter().map(|name| {
            let bounds = match def.column(name).map(|column| column.kind.data_type()) {
                Some(DataType::Utf8) => Bounds::Text(None),
                Some(DataType::Timestamp(..)) => Bounds::Time(None),
                Some(DataType::Int64) => Bounds::Count(None),
                _ => Bounds::None,
            };
            ColumnStatistics { name, nulls: 0, bounds }
        });
        Self { rows: 0, columns: columns.collect() }
    }

    /// Takes in a batch whose text columns are `Utf8`.
    pub(crate) fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        for column in &mut self.columns {
            if let Some(values) = batch.column_by_name(column.name) {
                column.add(values);
            }
        }
    }

    /// The statistics as Delta keeps them.
    pub(crate) fn finish(self) -> String {
        let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
        for column in self.columns {
            nulls.insert(column.name.to_owned(), json!(column.nulls));
            if let Some((low, high)) = column.bounds.to_json() {
                least.insert(column.name.to_owned(), low);
                greatest.insert(column.name.to_owned(), high);
            }
        }
        json!({
            "numRecords": self.rows,
            "minValues": least,
            "maxValues": greatest,
            "nullCount": nulls,
        })
        .to_string()
    }
}

impl ColumnStatistics {
    fn add(&mut self, values: &ArrayRef) {
        self.nulls += values.null_count() as u64;
        match &mut self.bounds {
            Bounds::Text(bounds) => {
                if let Some(text) = values.as_string_opt::<i32>()
                    && let (Some(low), Some(high)) = (min_string(text), max_string(text))
                {
                    widen(bounds, low.to_owned(), high.to_owned());
                }
            }
            Bounds::Time(bounds) => {
                if let Some(times) = values.as_primitive_opt::<TimestampMicrosecondType>()
                    && let (Some(low), Some(high)) = (min(times), max(times))
                {
                    widen(bounds, low, high);
                }
            }
            Bounds::Count(bounds) => {
                if let Some(counts) = values.as_primitive_opt::<Int64Type>()
                    && let (Some(low), Some(high)) = (min(counts), max(counts))
                {
                    widen(bounds, low, high);
                }
            }
            Bounds::None => {}
        }
    }
}

impl Bounds {
    fn to_json(&self) -> Option<(Value, Value)> {
        match self {
            Self::Text(Some((low, high)))
                if low.len() <= MAX_STATS_TEXT && high.len() <= MAX_STATS_TEXT =>
            {
                Some((json!(low), json!(high)))
            }
            Self::Time(Some((low, high))) => Some((time_text(*low)?, time_text(*high)?)),
            Self::Count(Some((low, high))) => Some((json!(low), json!(high))),
            _ => None,
        }
    }
}

/// A time as Delta's statistics write it; `None` where the year has more than four digits.
fn time_text(micros: i64) -> Option<Value> {
    const FIRST: i64 = -62_135_596_800_000_000;
    const LAST: i64 = 253_402_300_799_999_999;
    if !(FIRST..=LAST).contains(&micros) {
        return None;
    }
    let time = chrono::DateTime::from_timestamp_micros(micros)?;
    Some(json!(time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_delta_reads_them() {
        assert_eq!(time_text(1), Some(json!("1970-01-01T00:00:00.000001Z")));
        assert_eq!(time_text(i64::MAX), None);
        assert_eq!(time_text(i64::MIN), None);
    }

    #[test]
    fn partitions_are_written_and_read_alike() {
        for day in [-719_162, -1, 0, 19_723, 2_932_896] {
            let text = partition_text(Some(day)).unwrap();
            assert_eq!(partition_from_text(&text), Some(day), "{text}");
        }
        assert_eq!(partition_text(None), None);
    }

    #[test]
    fn a_files_name_tells_where_it_is_from() {
        for origin in [Origin::Batch, Origin::Maintenance, Origin::MaintenanceWithDropped] {
            let path = new_path(Table::Activity, Some(0), origin);
            assert_eq!(Origin::of_path(&path), origin, "{path}");
            assert_eq!(dropped_id(&path).is_some(), origin == Origin::MaintenanceWithDropped);
        }
        assert_eq!(
            Origin::of_path("event_date=2024-01-01/part-00000-x.snappy.parquet"),
            Origin::Batch
        );
    }

    #[test]
    fn long_texts_stay_out_of_the_log() {
        let mut bounds = None;
        widen(&mut bounds, "b".to_owned(), "c".repeat(MAX_STATS_TEXT));
        assert!(Bounds::Text(bounds.clone()).to_json().is_some());
        widen(&mut bounds, "a".to_owned(), "d".repeat(MAX_STATS_TEXT + 1));
        assert!(Bounds::Text(bounds).to_json().is_none());
    }
}
