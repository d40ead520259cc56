//! `rolecall report`: runs a report from `queries/`, lists them, or explains one.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use futures::TryStreamExt as _;
use rolecall_query::{Report, Reports, Session, Values};

use super::Context;
use crate::exit::{self, Exit, Usage};
use crate::render::{self, Heading};
use crate::{args, clock, term};

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &args::Report) -> anyhow::Result<Exit> {
    let mut reports = Reports::built_in()?;
    if let Some(folder) = &args.queries {
        reports = reports.with_folder(folder)?;
    }
    if args.list {
        context.write_batch(&Heading::default(), &listing(&reports)?)?;
        return Ok(Exit::Done);
    }
    let get = |name: &str| reports.get(name).map_err(|error| Usage::new(error.to_string()));
    if let Some(name) = &args.explain {
        let mut out = exit::stdout();
        write!(out, "{}", term::visible_lines(&get(name)?.explain()))?;
        out.flush()?;
        return Ok(Exit::Done);
    }
    let name = args.name.as_deref().unwrap_or_default();
    show(context, get(name)?, parameters(args)?).await
}

async fn show(
    context: &Context,
    report: &Report,
    given: BTreeMap<String, String>,
) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let now = clock::now_micros();
    let rows = session.report(report, &given, now).await.map_err(super::query_error)?;
    let pitfall = Some(report.pitfall.clone()).filter(|note| !note.is_empty());
    let unseen = unseen(&session).await?;
    let heading = Heading {
        title: Some(report.title.clone()),
        subtitle: Some(report.question.clone()),
        parameters: given.into_iter().collect(),
        generated_micros: Some(now),
        notes: pitfall.into_iter().chain(unseen).collect(),
    };
    let mut out = exit::stdout();
    let stream = rows.stream.map_err(anyhow::Error::from);
    let options = context.render_options();
    let summary = render::stream(&options, &heading, &rows.schema, stream, &mut out).await?;
    out.flush()?;
    context.say_rows(&summary);
    Ok(Exit::Done)
}

/// What the trails do not record, as `rolecall doctor` last saw them: no report can know of it.
async fn unseen(session: &Session) -> anyhow::Result<Vec<String>> {
    const LATEST: &str = "SELECT arrow_cast(trail_arn || ' does not record ' || array_to_string(not_recorded, '; ')
                || ' (as of ' || to_char(snapshot_time, '%Y-%m-%d') || ')', 'Utf8')
         FROM (SELECT *, row_number() OVER (PARTITION BY trail_arn ORDER BY snapshot_time DESC) AS place
               FROM trails)
         WHERE place = 1 AND not_recorded IS NOT NULL
         ORDER BY trail_arn";
    let rows = session.sql(LATEST, &Values::default()).await.map_err(super::query_error)?;
    let batches: Vec<RecordBatch> = rows.stream.map_err(anyhow::Error::from).try_collect().await?;
    let mut notes = Vec::new();
    for batch in &batches {
        let column = batch.column(0).as_string_opt::<i32>().context("read trails")?;
        notes.extend(column.iter().flatten().map(str::to_owned));
    }
    Ok(notes)
}

/// What was typed, by parameter; which of them the report has, it says itself.
fn parameters(args: &args::Report) -> anyhow::Result<BTreeMap<String, String>> {
    let flags = [
        ("as_of", &args.as_of),
        ("days", &args.days),
        ("from", &args.from),
        ("to", &args.to),
        ("account", &args.account),
        ("role", &args.role),
        ("session", &args.session),
        ("access_key", &args.access_key),
    ];
    let mut given: BTreeMap<String, String> = flags
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
        .collect();
    for pair in &args.params {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Usage::new(format!("--param {pair}: write it as name=value")))?;
        given.insert(name.replace('-', "_"), value.to_owned());
    }
    Ok(given)
}

fn listing(reports: &Reports) -> anyhow::Result<RecordBatch> {
    let column = |text: fn(&Report) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(reports.list().map(text)))
    };
    RecordBatch::try_from_iter([
        ("report", column(|report| &report.name)),
        ("question", column(|report| &report.question)),
    ])
    .context("list the reports")
}
