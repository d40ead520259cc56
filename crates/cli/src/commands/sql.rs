//! `rolecall sql`: one query, a script on standard input, or the interactive shell.

use std::io::{IsTerminal as _, Write as _};

use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt as _;
use rolecall_query::{FUNCTIONS, RelationKind, Session, Values};

use super::Context;
use crate::args;
use crate::exit::{self, Exit, Usage};
use crate::render::{self, Format, Heading};
use crate::shell::{self, Catalog, ColumnInfo, Engine, Relation, Start};

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &args::Sql) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    if let Some(query) = &args.query {
        let rows = session.sql(query.trim().trim_end_matches(';'), &Values::new()).await?;
        let mut out = exit::stdout();
        let stream = rows.stream.map_err(anyhow::Error::from);
        let options = context.render_options();
        let summary =
            render::stream(&options, &Heading::default(), &rows.schema, stream, &mut out).await?;
        out.flush()?;
        context.say_below(&summary.footer());
        return Ok(Exit::Done);
    }
    if context.format() == Format::Parquet {
        let message =
            "--format parquet: several results are no one file: give one query as an argument";
        return Err(Usage::new(message).into());
    }
    let engine = SessionEngine { session };
    let start =
        Start { screen: context.stdout, messages: context.stderr, format: context.format() };
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        shell::interactive(&engine, start, context.settings.history_file.as_deref()).await?;
        return Ok(Exit::Done);
    }
    // Not the lock: it must not be held while waiting for rows on another thread.
    let input = std::io::BufReader::new(stdin);
    let outcome = shell::script(&engine, start, input, exit::stdout(), std::io::stderr()).await?;
    Ok(if outcome.failed > 0 { Exit::Failed } else { Exit::Done })
}

struct SessionEngine {
    session: Session,
}

impl Engine for SessionEngine {
    async fn run(&self, sql: &str) -> anyhow::Result<SendableRecordBatchStream> {
        Ok(self.session.sql(sql, &Values::new()).await?.stream)
    }

    async fn catalog(&self) -> anyhow::Result<Catalog> {
        let relations = self.session.describe().iter().map(|relation| Relation {
            name: relation.name.clone(),
            kind: match relation.kind {
                RelationKind::Table => "table",
                RelationKind::View => "view",
            },
            comment: relation.comment.clone(),
            columns: relation
                .columns
                .iter()
                .map(|column| ColumnInfo {
                    name: column.name.clone(),
                    data_type: column.data_type.clone(),
                    comment: column.comment.clone(),
                })
                .collect(),
        });
        Ok(Catalog {
            relations: relations.collect(),
            functions: FUNCTIONS.iter().map(|function| function.name.to_owned()).collect(),
            reports: Vec::new(),
        })
    }
}
