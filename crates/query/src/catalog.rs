//! Builds the views over the tables, from `queries/views`, and says what there is.
//!
//! Three layers, each a context that sees the ones below: the tables and what is computed from them
//! alone; the steps that views share; the views. Only tables and views are in the last one, so that
//! people don't come to build on the steps.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::prelude::SessionContext;
use futures::FutureExt;
use include_dir::{Dir, include_dir};
use rolecall_lake::schema::{COMMENT_KEY, tables};

use crate::front_matter::FrontMatter;
use crate::functions::networks::Networks;
use crate::lazy::LazyTable;
use crate::{QueryError, SessionOptions, functions, lazy, owners, sessions, switches};

/// The files of `queries/`.
pub(crate) static QUERIES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../queries");

/// A table or view.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Relation {
    /// Name, as in SQL.
    pub name: String,
    /// Whether it is stored or made from what is stored.
    pub kind: RelationKind,
    /// What one row is.
    pub comment: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
}

/// Whether a relation is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// A table of the lake.
    Table,
    /// Made from the tables.
    View,
}

/// A column of a table or view.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Column {
    /// Name, as in SQL.
    pub name: String,
    /// Type in words: text, timestamp, date, integer, boolean, list of text, map of text.
    pub data_type: String,
    /// What it says, in one line.
    pub comment: String,
}

/// Steps that are plain SQL, in the order in which they build on each other.
const PLAIN_STEPS: [&str; 2] = ["current_events", "signed"];
/// As [`PLAIN_STEPS`], on top of what tells whether rows have expired.
const LEDGER_STEPS: [&str; 2] = ["known_files", "delivered_days"];
/// Steps that many queries share: computed once.
const KEPT_STEPS: [&str; 3] = ["known_principals", "known_roles", "few_files"];
/// What parts of reports stand on, over and over in one query: computed once. It is described nowhere.
const KEPT_FOR_PARTS: &str = "inventory_reads";
/// Views in SQL. `sessions` is made in Rust, and `session_activity` stands on it.
const VIEWS: [&str; 5] = ["assumptions", "access_keys", "roles", "coverage", "inventory"];

/// Makes the views over `tables`, in contexts like `base`.
pub(crate) async fn build(
    base: &SessionContext,
    tables: HashMap<String, Arc<dyn TableProvider>>,
    expired_before: Option<i32>,
    options: &SessionOptions,
) -> Result<(SessionContext, Vec<Relation>), QueryError> {
    let layer = |more: &[_]| layer(base, &tables, more, &options.networks);
    let ground = layer(&[])?;
    let mut steps: Vec<(&'static str, Arc<dyn TableProvider>)> =
        vec![("retention", retention(expired_before)?)];
    for name in PLAIN_STEPS {
        let view = view(&ground, &step_file(name)).await?;
        ground.register_table(name, Arc::clone(&view))?;
        steps.push((name, view));
    }
    let switches = switches::table(&ground)?;
    // Who switched says whose id a masked record has.
    let known = layer(&[("switch_pairs", Arc::clone(&switches) as _)])?;
    for name in KEPT_STEPS {
        steps.push((name, kept(&known, name).await?));
    }
    let known_roles = steps.iter().find(|(name, _)| *name == "known_roles").cloned();
    steps.push(("switch_pairs", switches));
    let middle = layer(&steps)?;
    let acts = view(&middle, &step_file("acts")).await?;
    middle.register_table("acts", acts)?;
    // Which role has a name now, reports ask too; it is described nowhere, for people have `roles`.
    let mut views: Vec<(&'static str, Arc<dyn TableProvider>)> = known_roles.into_iter().collect();
    for name in LEDGER_STEPS {
        let step = view(&middle, &step_file(name)).await?;
        middle.register_table(name, Arc::clone(&step))?;
        // Parts of reports stand on what was delivered; it is described nowhere, for people have `coverage`.
        if name == "delivered_days" {
            views.push((name, step));
        }
    }
    views.push((KEPT_FOR_PARTS, kept(&ground, KEPT_FOR_PARTS).await?));
    let mut relations = described_tables(&tables);
    for name in VIEWS {
        let (matter, provider) = public_view(&middle, name).await?;
        relations.push(described_view(name, &matter, &provider.schema()));
        views.push((name, provider));
    }
    let (of_sessions, signers) = sessions::tables(&middle);
    views.push(("sessions", of_sessions));
    relations.push(sessions::relation());
    middle.register_table("session_signers", signers)?;
    let (matter, acted) = public_view(&middle, "session_activity").await?;
    relations.push(described_view("session_activity", &matter, &acted.schema()));
    views.push(("session_activity", acted));
    // Of the run, not of the lake: none of the tables that are described.
    views.push(("named_owners", owners::table(&options.owners)?));
    relations.sort_by(|a, b| (a.kind as u8, &a.name).cmp(&(b.kind as u8, &b.name)));
    Ok((layer(&views)?, relations))
}

/// A table of one row: the day before which rows may be gone because they expired, null where none are.
fn retention(expired_before: Option<i32>) -> Result<Arc<dyn TableProvider>, QueryError> {
    let day: ArrayRef = Arc::new(Date32Array::from(vec![expired_before]));
    let field = Field::new("expired_before", DataType::Date32, true);
    let schema = Arc::new(Schema::new(vec![field]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![day])
        .map_err(|error| QueryError::Bug(format!("table retention: {error}")))?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}

/// A context with the functions, the tables and `more`.
fn layer(
    base: &SessionContext,
    tables: &HashMap<String, Arc<dyn TableProvider>>,
    more: &[(&'static str, Arc<dyn TableProvider>)],
    networks: &Networks,
) -> Result<SessionContext, QueryError> {
    let context = SessionContext::new_with_config_rt(base.copied_config(), base.runtime_env());
    functions::register(&context, networks);
    for (name, table) in tables {
        context.register_table(name.as_str(), Arc::clone(table))?;
    }
    for (name, table) in more {
        context.register_table(*name, Arc::clone(table))?;
    }
    Ok(context)
}

/// A step that is computed when first read, and kept.
async fn kept(
    context: &SessionContext,
    name: &'static str,
) -> Result<Arc<dyn TableProvider>, QueryError> {
    let sql = read(&step_file(name))?.sql;
    let frame = context.sql(&sql).await.map_err(|error| broken(name, &error))?;
    let schema = lazy::nullable(frame.schema().as_arrow());
    let (runtime, context) = (context.runtime_env(), context.clone());
    let compute = move || {
        let (context, sql) = (context.clone(), sql.clone());
        async move { context.sql(&sql).await?.collect().await }.boxed()
    };
    Ok(LazyTable::new(name, schema, runtime, compute))
}

async fn view(context: &SessionContext, path: &str) -> Result<Arc<dyn TableProvider>, QueryError> {
    let sql = read(path)?.sql;
    let plan = context.sql(&sql).await.map_err(|error| broken(path, &error))?;
    Ok(Arc::new(ViewTable::new(plan.into_unoptimized_plan(), Some(sql))))
}

async fn public_view(
    context: &SessionContext,
    name: &str,
) -> Result<(FrontMatter, Arc<dyn TableProvider>), QueryError> {
    let path = format!("views/{name}.sql");
    Ok((read(&path)?, view(context, &path).await?))
}

fn step_file(name: &str) -> String {
    format!("views/steps/{name}.sql")
}

/// Reads one of our own view files.
pub(crate) fn read(path: &str) -> Result<FrontMatter, QueryError> {
    let file = QUERIES.get_file(path).and_then(|file| file.contents_utf8());
    let text = file.ok_or_else(|| QueryError::Bug(format!("queries/{path} is missing")))?;
    FrontMatter::parse(&format!("queries/{path}"), text, &["title", "comment"])
}

fn broken(what: &str, error: &datafusion::error::DataFusionError) -> QueryError {
    QueryError::Bug(format!("view {what}: {error}"))
}

fn described_tables(provided: &HashMap<String, Arc<dyn TableProvider>>) -> Vec<Relation> {
    let mut relations: Vec<_> = provided
        .iter()
        .map(|(name, provider)| {
            let def = tables().into_iter().find(|def| def.name == name);
            let comment_of = |column: &str| {
                def.and_then(|def| def.column(column)).map(|column| column.comment.to_owned())
            };
            let schema = provider.schema();
            let columns = schema.fields().iter().map(|field| Column {
                name: field.name().clone(),
                data_type: type_in_words(field.data_type()),
                comment: comment_of(field.name())
                    .or_else(|| field.metadata().get(COMMENT_KEY).cloned())
                    .unwrap_or_default(),
            });
            Relation {
                name: name.clone(),
                kind: RelationKind::Table,
                comment: def.map(|def| def.comment.to_owned()).unwrap_or_default(),
                columns: columns.collect(),
            }
        })
        .collect();
    relations.sort_by(|a, b| a.name.cmp(&b.name));
    relations
}

/// The columns of a view, from its schema, with the comments of its file.
fn described_view(name: &str, matter: &FrontMatter, schema: &SchemaRef) -> Relation {
    Relation {
        name: name.to_owned(),
        kind: RelationKind::View,
        comment: matter.value("comment").unwrap_or_default().to_owned(),
        columns: described_columns(schema, matter),
    }
}

/// Columns of `schema` with the comments of `matter`.
pub(crate) fn described_columns(schema: &Schema, matter: &FrontMatter) -> Vec<Column> {
    let comment_of = |name: &str| {
        let entry = matter.section("columns").find(|entry| entry.name == name);
        entry.map(|entry| entry.text.clone()).unwrap_or_default()
    };
    let columns = schema.fields().iter().map(|field| Column {
        name: field.name().clone(),
        data_type: type_in_words(field.data_type()),
        comment: comment_of(field.name()),
    });
    columns.collect()
}

/// A type as people say it.
pub(crate) fn type_in_words(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "text".to_owned(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "timestamp".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Float64 => "number".to_owned(),
        integer if integer.is_integer() => "integer".to_owned(),
        DataType::List(item) => format!("list of {}", type_in_words(item.data_type())),
        DataType::Map(..) => "map of text".to_owned(),
        other => other.to_string(),
    }
}
