//! A table that is computed when it is first read, once, and kept.
//!
//! For steps that several queries share, and for what does not read well as SQL. What is kept counts
//! against the session's memory limit. A failed computation is not kept: the next read tries again.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::future::BoxFuture;
use tokio::sync::OnceCell;

type Compute = dyn Fn() -> BoxFuture<'static, Result<Vec<RecordBatch>>> + Send + Sync;

/// See the module.
pub(crate) struct LazyTable {
    name: String,
    schema: SchemaRef,
    runtime: Arc<RuntimeEnv>,
    compute: Box<Compute>,
    computed: OnceCell<Computed>,
}

struct Computed {
    table: MemTable,
    /// Holds the memory for as long as the table lives.
    _reservation: MemoryReservation,
}

impl LazyTable {
    /// A table of `schema`, whose rows `compute` makes.
    pub(crate) fn new(
        name: &str,
        schema: SchemaRef,
        runtime: Arc<RuntimeEnv>,
        compute: impl Fn() -> BoxFuture<'static, Result<Vec<RecordBatch>>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let compute = Box::new(compute);
        Arc::new(Self {
            name: name.to_owned(),
            schema,
            runtime,
            compute,
            computed: OnceCell::new(),
        })
    }

    async fn computed(&self) -> Result<&Computed> {
        self.computed.get_or_try_init(|| self.compute_and_reserve()).await
    }

    async fn compute_and_reserve(&self) -> Result<Computed> {
        let batches = (self.compute)().await?;
        let conform = |batch| conform(batch, &self.schema);
        let batches = batches.into_iter().map(conform).collect::<Result<Vec<_>>>()?;
        let reservation =
            MemoryConsumer::new(self.name.as_str()).register(&self.runtime.memory_pool);
        reservation.try_grow(batches.iter().map(RecordBatch::get_array_memory_size).sum())?;
        tracing::debug!(
            table = self.name,
            rows = batches.iter().map(RecordBatch::num_rows).sum::<usize>(),
            bytes = reservation.size(),
            "computed"
        );
        let table = MemTable::try_new(Arc::clone(&self.schema), vec![batches])?;
        Ok(Computed { table, _reservation: reservation })
    }
}

/// The batch with the types of `schema`: what a query returns may differ from what it was planned to
/// return in nullability and in kinds of text.
fn conform(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let fields = schema.fields().iter();
    let columns = batch.columns().iter().zip(fields).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            Ok(Arc::clone(column))
        } else {
            cast(column, field.data_type())
        }
    });
    let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// `schema` with every column nullable.
pub(crate) fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

impl fmt::Debug for LazyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyTable").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for LazyTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.computed().await?.table.scan(state, projection, filters, limit).await
    }
}
