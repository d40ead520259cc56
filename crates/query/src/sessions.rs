//! The view `sessions`: every set of issued credentials with its parent, its origin and what it did.
//!
//! Made in Rust, because walking chains does not read well as SQL. The input is aggregated by SQL
//! first; what is held here is one entry per session and one per session, service, address and agent.
//! Nothing depends on the order in which rows arrive.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::error::Result;
use datafusion::prelude::{DataFrame, SessionContext};
use futures::{FutureExt, TryStreamExt};
use tokio::sync::OnceCell;

use self::columns::Columns;
use self::issues::Issues;
use self::names::Names;
use self::uses::Uses;
use crate::catalog::{self, Column, Relation, RelationKind, type_in_words};
use crate::lazy::LazyTable;

mod chains;
mod columns;
mod issues;
mod linking;
mod names;
mod output;
mod rows;
mod uses;

/// The view, and the table that ties rows of activity to it: computed together, when either is first read.
pub(crate) fn tables(context: &SessionContext) -> (Arc<dyn TableProvider>, Arc<dyn TableProvider>) {
    let computed: Arc<OnceCell<Computed>> = Arc::default();
    let table = |name, schema, take: fn(&Computed) -> &Vec<RecordBatch>| {
        let (context, computed) = (context.clone(), Arc::clone(&computed));
        let runtime = context.runtime_env();
        let compute = move || {
            let (context, computed) = (context.clone(), Arc::clone(&computed));
            async move { Ok(take(computed.get_or_try_init(|| compute(&context)).await?).clone()) }
                .boxed()
        };
        LazyTable::new(name, schema, runtime, compute)
    };
    (
        table("sessions", output::schema(), |computed| &computed.sessions),
        table("session_signers", output::signers_schema(), |computed| &computed.signers),
    )
}

struct Computed {
    sessions: Vec<RecordBatch>,
    signers: Vec<RecordBatch>,
}

/// The view as `describe` shows it.
pub(crate) fn relation() -> Relation {
    let columns = output::COLUMNS.iter().map(|(name, kind, comment)| Column {
        name: (*name).to_owned(),
        data_type: type_in_words(&kind.data_type()),
        comment: (*comment).to_owned(),
    });
    Relation {
        name: "sessions".to_owned(),
        kind: RelationKind::View,
        comment: "One row per set of credentials that was issued, with its parent, its origin and what it did; \
                  and one per session seen in use whose issue is not in the lake"
            .to_owned(),
        columns: columns.collect(),
    }
}

async fn compute(context: &SessionContext) -> Result<Computed> {
    let mut names = Names::default();
    let mut issues = Issues::default();
    each_batch(step(context, "issues").await?, |columns| issues.push(columns, &mut names)).await?;
    issues.mark_signed_in();
    let mut uses = Uses::default();
    each_batch(step(context, "uses").await?, |columns| uses.push(columns, &mut names)).await?;
    let mut held = chains::Held::default();
    each_batch(step(context, "held_accounts").await?, |columns| held.push(columns, &mut names))
        .await?;

    let index = linking::Index::new(&issues);
    let used = uses::attribute(uses, &issues, &index, &names);
    let chains = chains::walk(&issues, &index, &names);
    issues.complete(&used, &mut names);
    let linked =
        rows::Linked { issues: &issues, chains: &chains, used: &used, held: &held, names: &names };
    Ok(Computed { sessions: output::build(&linked)?, signers: output::build_signers(&linked)? })
}

async fn step(context: &SessionContext, name: &str) -> Result<DataFrame> {
    let file = catalog::read(&format!("views/steps/{name}.sql"))
        .map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))?;
    context.sql(&file.sql).await
}

async fn each_batch(
    frame: DataFrame,
    mut take: impl FnMut(&Columns<'_>) -> Result<()>,
) -> Result<()> {
    let mut stream = frame.execute_stream().await?;
    while let Some(batch) = stream.try_next().await? {
        take(&Columns::new(&batch))?;
    }
    Ok(())
}
