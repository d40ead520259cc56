//! `rolecall schema`: what the tables and views hold, column by column.

use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use rolecall_query::{Relation, RelationKind};

use super::Context;
use crate::args;
use crate::exit::{Exit, Usage};
use crate::render::Heading;

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &args::Schema) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let relations = session.describe();
    match &args.name {
        None => context.write_batch(&Heading::default(), &overview(relations)?)?,
        Some(name) => {
            let known = relations.iter().find(|relation| relation.name.eq_ignore_ascii_case(name));
            let Some(relation) = known else {
                let names: Vec<_> =
                    relations.iter().map(|relation| relation.name.as_str()).collect();
                let names = names.join(", ");
                return Err(
                    Usage::new(format!("{name} is no table or view; there are {names}")).into()
                );
            };
            let heading = Heading {
                title: Some(relation.name.clone()),
                subtitle: Some(relation.comment.clone()),
                ..Heading::default()
            };
            context.write_batch(&heading, &columns(relation)?)?;
        }
    }
    Ok(Exit::Done)
}

fn overview(relations: &[Relation]) -> anyhow::Result<RecordBatch> {
    let kind = |relation: &Relation| match relation.kind {
        RelationKind::Table => "table",
        RelationKind::View => "view",
    };
    texts([
        ("name", relations.iter().map(|relation| relation.name.clone()).collect()),
        ("kind", relations.iter().map(|relation| kind(relation).to_owned()).collect()),
        ("one_row_is", relations.iter().map(|relation| relation.comment.clone()).collect()),
    ])
}

fn columns(relation: &Relation) -> anyhow::Result<RecordBatch> {
    let columns = &relation.columns;
    texts([
        ("column", columns.iter().map(|column| column.name.clone()).collect()),
        ("type", columns.iter().map(|column| column.data_type.clone()).collect()),
        ("meaning", columns.iter().map(|column| column.comment.clone()).collect()),
    ])
}

fn texts(columns: [(&str, Vec<String>); 3]) -> anyhow::Result<RecordBatch> {
    let arrays = columns.map(|(name, values)| {
        let array: ArrayRef = Arc::new(StringArray::from(values));
        (name, array)
    });
    RecordBatch::try_from_iter(arrays).context("lay out the columns")
}
