//! A session: the tables of one lake at one version, the views over them, and queries.
//!
//! Knows tables by name and schema only, so that tests can hand in their own. Queries read: nothing
//! here writes a table, a file or a setting. What is computed for one query is kept for the next.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::ParamValues;
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool, UnboundedMemoryPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{DataFrame, SQLOptions, SessionContext};
use datafusion::scalar::ScalarValue;
use futures::StreamExt as _;
use rolecall_lake::{LakeReader, Table};

use crate::catalog::{self, Relation};
use crate::functions::FUNCTIONS;
use crate::functions::networks::Networks;
use crate::reasons::{Explained, Explainer};
use crate::{NamedOwner, QueryError, materialized, suggest};

/// How much a session may use.
#[derive(Debug, Clone, Default)]
pub struct SessionOptions {
    /// Bytes that queries may hold before they spill; `None` for no limit.
    pub memory_limit: Option<usize>,
    /// Threads that a query is split over; `None` for one per core.
    pub threads: Option<usize>,
    /// Folder to spill to; `None` for the system's temporary folder.
    pub spill_folder: Option<PathBuf>,
    /// Networks that `network_label` knows.
    pub networks: Networks,
    /// Owners of keys and roles, in the order of their file: the first that matches counts.
    pub owners: Vec<NamedOwner>,
}

/// Named values for the placeholders (`$name`) of a query.
pub type Values = BTreeMap<String, ScalarValue>;

/// See the module.
pub struct Session {
    context: SessionContext,
    relations: Vec<Relation>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.relations.iter().map(|relation| &relation.name).collect();
        f.debug_struct("Session").field("relations", &names).finish_non_exhaustive()
    }
}

/// The rows of a query, as they are made.
pub struct Rows {
    /// The columns.
    pub schema: SchemaRef,
    /// The batches.
    pub stream: SendableRecordBatchStream,
    /// What is said of whole accounts, as the rows are read.
    explained: Explained,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Rows {
    /// The same rows with what their reason codes say.
    pub(crate) fn explained_by(self, explainer: Option<Explainer>) -> Self {
        let Some(explainer) = explainer else { return self };
        let (schema, explained) = (explainer.schema(), explainer.explained());
        let batches = self.stream.map(move |batch| Ok(explainer.rows(&batch?)?));
        let stream = Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), batches));
        Self { schema, stream, explained }
    }

    /// Hands out, once the stream is read, what its rows say of accounts as a whole: each sentence once.
    pub fn notes(&self) -> impl Fn() -> Vec<String> + use<> {
        let explained = self.explained.clone();
        move || explained.notes()
    }

    /// All batches at once.
    pub async fn collect(self) -> Result<Vec<RecordBatch>, QueryError> {
        Ok(datafusion::physical_plan::common::collect(self.stream).await?)
    }
}

impl Session {
    /// A session over `tables`, which must hold all of the lake's, those made on use too; others may be among
    /// them.
    pub async fn new(
        tables: HashMap<String, Arc<dyn TableProvider>>,
        options: SessionOptions,
    ) -> Result<Self, QueryError> {
        Self::with_retention(tables, None, options).await
    }

    /// As [`Session::new`]; rows of days before `expired_before`, counted since the epoch, may be gone.
    pub async fn with_retention(
        tables: HashMap<String, Arc<dyn TableProvider>>,
        expired_before: Option<i32>,
        options: SessionOptions,
    ) -> Result<Self, QueryError> {
        for table in Table::READABLE {
            if !tables.contains_key(table.name()) {
                return Err(QueryError::MissingTable(table.name().to_owned()));
            }
        }
        let base = base_context(&options)?;
        let (context, relations) = catalog::build(&base, tables, expired_before, &options).await?;
        Ok(Self { context, relations })
    }

    /// A session over the tables of a lake, at the versions that `reader` pinned.
    pub async fn open(reader: &LakeReader, options: SessionOptions) -> Result<Self, QueryError> {
        let mut tables = HashMap::new();
        for table in Table::READABLE {
            let provider = reader.table(table.name()).await;
            let provider = provider.map_err(|error| QueryError::Lake(error.to_string()))?;
            tables.insert(table.name().to_owned(), provider);
        }
        Self::with_retention(tables, reader.expired_before(), options).await
    }

    /// Runs a query that only reads. `values` stand for its `$name` placeholders.
    pub async fn sql(&self, query: &str, values: &Values) -> Result<Rows, QueryError> {
        let frame = self.plan(query, values).await?;
        let schema = Arc::clone(frame.schema().inner());
        let stream = frame.execute_stream().await?;
        Ok(Rows { schema, stream, explained: Explained::default() })
    }

    /// Plans a query without running it.
    pub(crate) async fn plan(&self, query: &str, values: &Values) -> Result<DataFrame, QueryError> {
        let options = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let values = values
            .iter()
            .map(|(name, value)| (name.clone(), ScalarAndMetadata::new(value.clone(), None)));
        let values = ParamValues::Map(values.collect());
        let planned = materialized::plan(&self.context, query, &options, &values).await;
        planned.map_err(|error| suggest::explain(error.into(), &self.relations))
    }

    /// Tables and views with their columns, types and comments.
    pub fn describe(&self) -> &[Relation] {
        &self.relations
    }

    /// Every word that completion may offer: tables, views, columns and functions, sorted.
    pub fn names(&self) -> Vec<String> {
        let relations = self.relations.iter().map(|relation| relation.name.clone());
        let columns = self.relations.iter().flat_map(|r| &r.columns).map(|c| c.name.clone());
        let state = self.context.state();
        let functions = state.scalar_functions().keys().chain(state.aggregate_functions().keys());
        let ours = FUNCTIONS.iter().map(|function| function.name.to_owned());
        let mut names: Vec<_> =
            relations.chain(columns).chain(functions.cloned()).chain(ours).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn base_context(options: &SessionOptions) -> Result<SessionContext, QueryError> {
    let pool: Arc<dyn MemoryPool> = match options.memory_limit {
        Some(bytes) => Arc::new(FairSpillPool::new(bytes)),
        None => Arc::new(UnboundedMemoryPool::default()),
    };
    let spill = match &options.spill_folder {
        Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(pool)
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(spill))
        .build_arc()?;
    let mut config = LakeReader::session_config()
        .with_default_catalog_and_schema("rolecall", "lake")
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false);
    if let Some(threads) = options.threads {
        config = config.with_target_partitions(threads.max(1));
    }
    Ok(SessionContext::new_with_config_rt(config, runtime))
}
