//! A table's files at one version, as DataFusion reads them.
//!
//! Files are skipped by partition and by the log's statistics while planning; row groups and pages
//! are skipped by DataFusion's own Parquet reader. Delta's features beyond plain files are not
//! supported here, and tables that have them are refused when they are opened.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Date32Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, DFSchema, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use deltalake::kernel::EagerSnapshot;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use serde_json::Value;

use crate::error::{LakeError, Result};
use crate::files::partition_from_text;
use crate::schema::{Table, TableDef};
use crate::store::TableStore;

/// With more files than this, DataFusion gets statistics of all of them together only: those of
/// each would take more memory than they are worth.
const MAX_FILES_WITH_STATISTICS: usize = 1_000;

/// A file of a table, and what the log says about it.
#[derive(Debug, Clone)]
pub(crate) struct FileEntry {
    /// Relative to the table, as the log has it.
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) rows: Option<u64>,
    pub(crate) partition: Option<i32>,
    /// In the order of [`TableDef::stats_columns`].
    bounds: Vec<Bounds>,
}

#[derive(Debug, Clone, Default)]
struct Bounds {
    nulls: Option<u64>,
    range: Option<(ScalarValue, ScalarValue)>,
}

impl FileEntry {
    /// All files of a snapshot.
    pub(crate) async fn list(store: &TableStore, snapshot: &EagerSnapshot) -> Result<Vec<Self>> {
        let def = store.table.def();
        let mut views = snapshot.file_views(store.log.as_ref(), None);
        let mut files = Vec::new();
        while let Some(view) = views.try_next().await.map_err(store.failed("list the files of"))? {
            let partition = view
                .partition_values_map()
                .remove(def.partition_column)
                .flatten()
                .and_then(|value| partition_from_text(&value));
            let stats: Value = view
                .stats()
                .and_then(|stats| serde_json::from_str(&stats).ok())
                .unwrap_or_default();
            files.push(Self {
                path: view.path().into_owned(),
                size: u64::try_from(view.size()).unwrap_or(0),
                rows: stats["numRecords"].as_u64(),
                partition,
                bounds: def
                    .stats_columns
                    .iter()
                    .map(|name| read_bounds(def, name, &stats))
                    .collect(),
            });
        }
        // The log's own order changes with every checkpoint.
        files.sort_by(|left, right| {
            (left.partition, &left.path).cmp(&(right.partition, &right.path))
        });
        Ok(files)
    }
}

fn read_bounds(def: &TableDef, name: &str, stats: &Value) -> Bounds {
    let data_type = def.column(name).map(|column| column.kind.data_type());
    let scalar = |value: &Value| match &data_type {
        Some(DataType::Utf8) => value.as_str().map(|text| ScalarValue::Utf8(Some(text.to_owned()))),
        Some(DataType::Int64) => value.as_i64().map(|count| ScalarValue::Int64(Some(count))),
        Some(DataType::Timestamp(_, zone)) => {
            let time = chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
            let micros = time.timestamp_micros();
            Some(ScalarValue::TimestampMicrosecond(Some(micros), zone.clone()))
        }
        _ => None,
    };
    let least = scalar(&stats["minValues"][name]);
    let greatest = scalar(&stats["maxValues"][name]);
    Bounds { nulls: stats["nullCount"][name].as_u64(), range: least.zip(greatest) }
}

/// A table's files at one version.
pub(crate) struct LakeTable {
    table: Table,
    /// The columns in the table's own order.
    schema: SchemaRef,
    /// The columns as files have them, the partition column last.
    file_order: TableSchema,
    objects_url: ObjectStoreUrl,
    objects: Arc<dyn ObjectStore>,
    root: Path,
    files: Vec<FileEntry>,
}

impl LakeTable {
    /// Texts are read as `Utf8`, not as views: a view keeps the whole page that it points into, and every
    /// join hands on all of them, so that a sort of wide rows counts and holds the same bytes many times.
    pub(crate) fn new(store: &TableStore, files: Vec<FileEntry>) -> Result<Self> {
        let table = store.table;
        let def = table.def();
        let schema = table.schema();
        let (partition, in_files): (Vec<_>, Vec<_>) =
            schema.fields().iter().cloned().partition(|field| field.name() == def.partition_column);
        let url = store.log.root_url();
        let place = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
        let invalid = |reason: String| LakeError::Location { uri: url.to_string(), reason };
        Ok(Self {
            table,
            file_order: TableSchema::builder(Arc::new(Schema::new(in_files)))
                .with_table_partition_cols(partition)
                .build(),
            schema,
            objects_url: ObjectStoreUrl::parse(place)
                .map_err(|error| invalid(error.to_string()))?,
            objects: store.log.root_object_store(None),
            root: Path::from_url_path(url.path()).map_err(|error| invalid(error.to_string()))?,
            files,
        })
    }

    /// Which files may hold rows that all filters let pass.
    fn prune(&self, session: &dyn Session, filters: &[Expr]) -> DataFusionResult<Vec<bool>> {
        let (on_partition, others): (Vec<_>, Vec<_>) =
            filters.iter().cloned().partition(|filter| self.is_on_partition(filter));
        let mut keep = vec![true; self.files.len()];
        for filter in on_partition {
            for (keep, passes) in keep.iter_mut().zip(self.partitions_that_pass(session, filter)?) {
                *keep &= passes;
            }
        }
        if let Some(filter) = conjunction(others) {
            let df_schema = DFSchema::try_from(Arc::clone(&self.schema))?;
            let filter = session.create_physical_expr(filter, &df_schema)?;
            // A filter that cannot be used to skip files is no error: it just skips none.
            if let Ok(predicate) = PruningPredicateBuilder::new()
                .with_file_schema(Arc::clone(&self.schema))
                .try_build(filter)
                && let Ok(may_match) = predicate.prune(self)
            {
                for (keep, may_match) in keep.iter_mut().zip(may_match) {
                    *keep &= may_match;
                }
            }
        }
        Ok(keep)
    }

    fn is_on_partition(&self, filter: &Expr) -> bool {
        let partition_column = self.table.def().partition_column;
        let columns: HashSet<&Column> = filter.column_refs();
        !filter.is_volatile()
            && !columns.is_empty()
            && columns.iter().all(|column| column.name == partition_column)
    }

    /// Evaluates a filter on the partition column alone, which decides it for whole files.
    fn partitions_that_pass(
        &self,
        session: &dyn Session,
        filter: Expr,
    ) -> DataFusionResult<Vec<bool>> {
        let schema = Arc::new(Schema::new(self.file_order.table_partition_cols().clone()));
        let df_schema = DFSchema::try_from(Arc::clone(&schema))?;
        let filter = session.create_physical_expr(filter, &df_schema)?;
        let days: Date32Array = self.files.iter().map(|file| file.partition).collect();
        let batch = RecordBatch::try_new(schema, vec![Arc::new(days)])?;
        let passes = filter.evaluate(&batch)?.into_array(batch.num_rows())?;
        let passes: &BooleanArray = passes.as_boolean();
        Ok(passes.iter().map(|passes| passes == Some(true)).collect())
    }

    fn partitioned_file(&self, file: &FileEntry, statistics: bool) -> PartitionedFile {
        let mut partitioned = PartitionedFile::new_from_meta(ObjectMeta {
            location: Path::from_iter(
                self.root.parts().chain(Path::from(file.path.as_str()).parts()),
            ),
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: file.size,
            e_tag: None,
            version: None,
        });
        partitioned.partition_values = vec![ScalarValue::Date32(file.partition)];
        if statistics {
            partitioned.statistics = Some(Arc::new(self.statistics(&[file])));
        }
        partitioned
    }

    /// Statistics of some files together, in file order.
    fn statistics(&self, files: &[&FileEntry]) -> Statistics {
        let rows = files.iter().map(|file| file.rows).sum::<Option<u64>>();
        let rows = precise(rows);
        let schema = self.file_order.table_schema();
        let mut statistics = Statistics::new_unknown(schema);
        statistics.num_rows = rows;
        statistics.total_byte_size = Precision::Inexact(
            usize::try_from(files.iter().map(|file| file.size).sum::<u64>()).unwrap_or(usize::MAX),
        );
        let def = self.table.def();
        for (index, name) in def.stats_columns.iter().enumerate() {
            let Ok(column) = schema.index_of(name) else { continue };
            let bounds = files.iter().map(|file| &file.bounds[index]);
            let data_type = schema.field(column).data_type();
            statistics.column_statistics[column] = column_statistics(bounds, data_type);
        }
        if let Some(column) = statistics.column_statistics.last_mut()
            && let Some(days) = files.iter().map(|file| file.partition).collect::<Option<Vec<_>>>()
            && let (Some(first), Some(last)) = (days.iter().min(), days.iter().max())
        {
            column.null_count = Precision::Exact(0);
            column.min_value = Precision::Exact(ScalarValue::Date32(Some(*first)));
            column.max_value = Precision::Exact(ScalarValue::Date32(Some(*last)));
        }
        statistics
    }

    /// For the pruning predicate: one value per file, null where nothing is known.
    fn bounds_of(
        &self,
        column: &Column,
        pick: impl Fn(&(ScalarValue, ScalarValue)) -> &ScalarValue,
    ) -> Option<ArrayRef> {
        let def = self.table.def();
        let data_type = self.schema.field_with_name(&column.name).ok()?.data_type();
        if column.name == def.partition_column {
            return Some(Arc::new(Date32Array::from_iter(self.files.iter().map(|f| f.partition))));
        }
        let index = def.stats_columns.iter().position(|name| *name == column.name)?;
        let unknown = ScalarValue::try_from(data_type).ok()?;
        let values = self.files.iter().map(|file| match &file.bounds[index].range {
            Some(range) => pick(range).cast_to(data_type).unwrap_or_else(|_| unknown.clone()),
            None => unknown.clone(),
        });
        ScalarValue::iter_to_array(values).ok()
    }
}

fn precise(count: Option<u64>) -> Precision<usize> {
    count.and_then(|count| usize::try_from(count).ok()).map_or(Precision::Absent, Precision::Exact)
}

fn column_statistics<'a>(
    bounds: impl Iterator<Item = &'a Bounds> + Clone,
    data_type: &DataType,
) -> ColumnStatistics {
    let mut statistics = ColumnStatistics::new_unknown();
    statistics.null_count = precise(bounds.clone().map(|bounds| bounds.nulls).sum());
    let mut range: Option<(ScalarValue, ScalarValue)> = None;
    for bounds in bounds {
        let Some((least, greatest)) = &bounds.range else { return statistics };
        range = Some(match range {
            None => (least.clone(), greatest.clone()),
            Some((low, high)) => (
                if *least < low { least.clone() } else { low },
                if *greatest > high { greatest.clone() } else { high },
            ),
        });
    }
    let cast = |value: ScalarValue| value.cast_to(data_type).ok();
    if let Some((low, high)) = range
        && let (Some(low), Some(high)) = (cast(low), cast(high))
    {
        // Ours are exact, but another program that compacts the lake may cut long texts.
        let precise = |value| match data_type {
            DataType::Utf8 => Precision::Inexact(value),
            _ => Precision::Exact(value),
        };
        statistics.min_value = precise(low);
        statistics.max_value = precise(high);
    }
    statistics
}

impl PruningStatistics for LakeTable {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds_of(column, |(least, _)| least)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds_of(column, |(_, greatest)| greatest)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let def = self.table.def();
        let index = def.stats_columns.iter().position(|name| *name == column.name)?;
        let nulls = self.files.iter().map(|file| file.bounds[index].nulls);
        Some(Arc::new(nulls.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.files.iter().map(|file| file.rows).collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        let pushdown = |filter: &&Expr| {
            if self.is_on_partition(filter) {
                TableProviderFilterPushDown::Exact
            } else {
                TableProviderFilterPushDown::Inexact
            }
        };
        Ok(filters.iter().map(pushdown).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let projection = projection.unwrap_or(&all);
        let keep = self.prune(session, filters)?;
        let files: Vec<&FileEntry> =
            self.files.iter().zip(keep).filter_map(|(file, keep)| keep.then_some(file)).collect();
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(Arc::new(self.schema.project(projection)?))));
        }
        session
            .runtime_env()
            .register_object_store(self.objects_url.as_ref(), Arc::clone(&self.objects));
        let in_file_order = projection
            .iter()
            .map(|&index| self.file_order.table_schema().index_of(self.schema.field(index).name()))
            .collect::<Result<Vec<_>, _>>()?;
        let each = files.len() <= MAX_FILES_WITH_STATISTICS;
        let partitioned = files.iter().map(|file| self.partitioned_file(file, each)).collect();
        let groups = FileGroup::new(partitioned).split_files(session.config().target_partitions());
        let source = ParquetSource::new(self.file_order.clone());
        let config = FileScanConfigBuilder::new(self.objects_url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(self.statistics(&files))
            .with_projection_indices(Some(in_file_order))?
            .with_limit(limit)
            .build();
        ParquetFormat::default()
            .with_options(session.default_table_options().parquet)
            .create_physical_plan(session, config)
            .await
    }
}

impl fmt::Debug for LakeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeTable")
            .field("table", &self.table)
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}
