//! `rolecall report`: runs a report from `queries/` or all of them, lists them, or explains one.
//!
//! What every report can do, whatever it is about, is in the modules below; none of them knows a report by
//! name. `plan` checks what was asked for, `annotate` adds to rows and tallies them, `summary` says what it
//! came to.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::Schema;
use datafusion::scalar::ScalarValue;
use futures::{StreamExt as _, TryStreamExt as _};
use rolecall_query::{Reasons, Report, Reports, Rows, Session, Values, with_parts};

use super::Context;
use crate::exit::{self, Exit, Usage};
use crate::render::{self, Format, Heading, Options, Renderer, Summary};
use crate::term::Screen;
use crate::{args, clock, log, term};

mod accounts;
mod annotate;
mod cells;
mod coverage;
mod exceptions;
mod filters;
mod networks;
mod owners;
mod plan;
mod since;
mod split;
mod subject;
mod summary;
mod toml_text;
mod webhook;

use self::annotate::{Annotator, Surroundings, Tally};
use self::coverage::Held;
use self::plan::{Job, Plan};
use self::since::{COVERAGE_FACT, Columns, Earlier, PARAMETERS_FACT};
use self::split::Split;
use self::summary::{Done, Ran, RunSummary};

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
    if let Some(name) = &args.explain {
        let mut out = exit::stdout();
        write!(out, "{}", term::visible_lines(&explain(&reports, name)?))?;
        out.flush()?;
        return Ok(Exit::Done);
    }
    let mut plan = Plan::new(context, args, &reports)?;
    let session = context.session_with(plan.networks.clone(), plan.owners.clone()).await?;
    filters::apply(&session, &mut plan).await?;
    let unseen = unseen(&session, plan.now).await?;
    let ignored = coverage::ignored(&session, &plan.ignored).await?;
    Run { context, plan: &plan, session, unseen, ignored }.all().await
}

/// One pass over the reports that were asked for.
struct Run<'a> {
    context: &'a Context,
    plan: &'a Plan<'a>,
    session: Session,
    /// What the trails do not record.
    unseen: Vec<String>,
    /// Accounts that are not asked for.
    ignored: BTreeSet<String>,
}

impl Run<'_> {
    async fn all(&self) -> anyhow::Result<Exit> {
        let plan = self.plan;
        let mut ran = Vec::with_capacity(plan.jobs.len());
        for job in &plan.jobs {
            let outcome = match self.one(job).await {
                Ok(done) => Ok(done),
                // Where standard output is gone, nothing that follows could be written either.
                Err(error) if !plan.all || exit::is_output_failed(&error) => return Err(error),
                Err(error) => Err(exit::message(&error)),
            };
            ran.push(Ran { name: job.report.name.clone(), outcome });
        }
        let summary = RunSummary {
            ran,
            all: plan.all,
            fails: plan.fails,
            require_coverage: plan.require_coverage,
            require_verified: plan.require_verified,
            exceptions: plan.exceptions.as_ref(),
            as_of: plan.jobs.first().map_or(plan.now, |job| job.window.as_of),
        };
        summary.say();
        if let Some(webhook) = &plan.webhook
            && let Err(error) = webhook.post(&summary).await
        {
            log::say_error(&exit::message(&error));
            return Ok(Exit::Failed);
        }
        Ok(summary.exit())
    }

    async fn one(&self, job: &Job<'_>) -> anyhow::Result<Done> {
        let plan = self.plan;
        let format = self.context.format();
        let mut held = None;
        let is_asked = plan.require_coverage.is_some() || plan.require_verified.is_some();
        if job.report.judged_by_coverage && (plan.output.is_some() || is_asked) {
            let account = job.account.as_deref();
            held = Some(coverage::held(&self.session, job.window, account, &self.ignored).await?);
        }
        let mut notes = Vec::new();
        let since = self.earlier(job, &mut notes).await?;
        if let (Some(Some(earlier)), Some(held)) = (&since, &held) {
            notes.extend(earlier.held_more_than(held));
        }
        let rows = self.session.run(job.report, &job.values).await.map_err(super::query_error)?;
        let exceptions = plan.exceptions.as_ref();
        let around = Surroundings {
            exceptions: exceptions.map(|all| all.about(&job.report.name).collect()),
            since,
            held: held.clone().unwrap_or_default(),
            top_rows: plan.webhook.as_ref().map_or(0, |webhook| webhook.rows),
        };
        let mut annotator = Annotator::new(job, &rows.schema, around);
        let heading = self.heading(job, &annotator, held.as_ref());

        let (mut file, mut beside) = (Vec::new(), Vec::new());
        let mut stdout = exit::stdout();
        let mut outs: Vec<(Options, Box<dyn Write + Send + '_>)> = Vec::new();
        if plan.output.is_some() {
            outs.push((self.options(format, Screen::plain()), Box::new(&mut file)));
            if format != Format::Parquet {
                // What the next run with --since-last reads, whatever people read.
                outs.push((self.options(Format::Parquet, Screen::plain()), Box::new(&mut beside)));
            }
        } else {
            if plan.all && format == Format::Table && !self.context.stdout.terminal {
                writeln!(stdout, "{}: {}", job.report.name, job.report.title)?;
            }
            outs.push((self.options(format, self.context.stdout), Box::new(&mut stdout)));
        }
        let has = |column: &&String| job.report.columns.iter().any(|c| c.name == **column);
        let mut split = plan.split_by.as_ref().filter(has).map(|column| Split::new(column));
        let of_accounts = rows.notes();
        let summary = write_rows(rows, &mut annotator, &heading, outs, split.as_mut()).await?;
        if plan.output.is_none() {
            self.context.say_below(&footer(&summary, &annotator.tally));
            for note in of_accounts() {
                self.context.say_below(&note);
            }
            if plan.all {
                writeln!(stdout)?;
            }
        }
        stdout.flush()?;
        if let Some(split) = &split {
            let lists = self.put_lists(job, format, split, &heading, annotator.schema()).await?;
            notes.push(format!("{} by {}", term::count(lists, "list"), split.column()));
        }
        let files = self.put(job, format, file, beside).await?;
        let judged = job.report.judged_by_coverage;
        Ok(Done { tally: annotator.tally, held, judged, files, notes })
    }

    fn options(&self, format: Format, screen: Screen) -> Options {
        Options { zone: self.plan.zone.as_str().into(), ..Options::new(format, screen) }
    }

    /// What stands above the rows. In a file nothing depends on when it was written: the same `--as-of` makes
    /// the same file.
    fn heading(&self, job: &Job<'_>, annotator: &Annotator<'_>, held: Option<&Held>) -> Heading {
        let report = job.report;
        let as_of = clock::format_time(job.window.as_of);
        let mut parameters: Vec<(String, String)> = job.given.clone().into_iter().collect();
        let mut facts = vec![
            ("rolecall.report".to_owned(), report.name.clone()),
            ("rolecall.as_of".to_owned(), as_of.clone()),
            (PARAMETERS_FACT.to_owned(), parameters_fact(job)),
        ];
        let in_file = self.plan.output.is_some();
        if in_file {
            parameters.retain(|(name, _)| name != "as_of");
            parameters.insert(0, ("as_of".to_owned(), as_of));
        }
        let pitfall = Some(report.pitfall.clone()).filter(|note| !note.is_empty());
        let mut notes: Vec<String> = pitfall.into_iter().chain(self.unseen.clone()).collect();
        if let Some(held) = held {
            let share = held.share * 100.0;
            notes.push(format!(
                "The logs hold {share:.1}% of the days of the accounts that this looks at."
            ));
            if let Ok(text) = serde_json::to_string(&held.by_account) {
                facts.push((COVERAGE_FACT.to_owned(), text));
            }
        }
        Heading {
            title: Some(report.title.clone()),
            subtitle: Some(report.question.clone()),
            parameters,
            generated_micros: (!in_file).then_some(self.plan.now),
            notes,
            verdict_column: annotator.verdict().map(str::to_owned),
            facts,
            screen_columns: screen_columns(report),
        }
    }

    /// With `--since-last`, the newest file of the report of an earlier day, if there is one.
    async fn earlier(
        &self,
        job: &Job<'_>,
        notes: &mut Vec<String>,
    ) -> anyhow::Result<Option<Option<Earlier>>> {
        let Some(place) = self.plan.output.as_ref().filter(|_| self.plan.since_last) else {
            return Ok(None);
        };
        let name = &job.report.name;
        if job.report.key.is_empty() {
            let why = "its front-matter names no key, so that no row is known again: changes are left out";
            notes.push(why.to_owned());
            return Ok(None);
        }
        let (today, file) = (folder(job), format!("{name}.parquet"));
        let paths = place.list(name).await?;
        let earlier = paths.iter().filter(|path| {
            let mut parts = path.rsplit('/');
            let is_it = parts.next() == Some(file.as_str());
            let folder = parts.next().unwrap_or_default();
            is_it && folder.starts_with(FOLDER) && folder < today.as_str()
        });
        // The days are in the order of their names.
        let Some(newest) = earlier.max() else {
            notes.push("no earlier file to compare with".to_owned());
            return Ok(Some(None));
        };
        let verdict = job.report.verdict_column().map(str::to_owned);
        let watch = job.report.watch.clone();
        let columns = Columns { key: job.report.key.clone(), verdict, watch };
        let bytes = place.get(newest).await?;
        let earlier = Earlier::read(bytes, &columns)
            .with_context(|| format!("failed to compare with {}", place.uri_of(newest)))?;
        if earlier.parameters.as_ref().is_some_and(|then| *then != parameters_fact(job)) {
            let place = place.uri_of(newest);
            notes.push(format!(
                "{place} was made with other parameters: rows may be new or gone for that alone"
            ));
        }
        Ok(Some(Some(earlier)))
    }

    /// Puts the lists, each with its value among the parameters; how many there are.
    async fn put_lists(
        &self,
        job: &Job<'_>,
        format: Format,
        split: &Split,
        heading: &Heading,
        schema: &Schema,
    ) -> anyhow::Result<u64> {
        let Some(place) = &self.plan.output else { return Ok(0) };
        let mut count = 0;
        for (name, value, rows) in split.lists() {
            let mut heading = heading.clone();
            heading.parameters.push((split.column().to_owned(), value.to_owned()));
            let mut file = Vec::new();
            let options = self.options(format, Screen::plain());
            render::batches(&options, &heading, schema, rows, &mut file)?;
            let extension = format.extension();
            let path = format!("{}/{}/{name}.{extension}", job.report.name, folder(job));
            place.put(&path, file).await?;
            count += 1;
        }
        Ok(count)
    }

    /// Puts the files, that of people last: where it is, the other is too.
    async fn put(
        &self,
        job: &Job<'_>,
        format: Format,
        file: Vec<u8>,
        beside: Vec<u8>,
    ) -> anyhow::Result<Vec<String>> {
        let Some(place) = &self.plan.output else { return Ok(Vec::new()) };
        let name = &job.report.name;
        let path = |extension: &str| format!("{name}/{}/{name}.{extension}", folder(job));
        let mut files = Vec::new();
        if !beside.is_empty() {
            place.put(&path("parquet"), beside).await?;
            files.push(place.uri_of(&path("parquet")));
        }
        place.put(&path(format.extension()), file).await?;
        files.insert(0, place.uri_of(&path(format.extension())));
        Ok(files)
    }
}

/// A report in words, or a reason code, which is written in capitals.
fn explain(reports: &Reports, name: &str) -> anyhow::Result<String> {
    if name == "reason-codes" {
        return Ok(Reasons::built_in().map_err(super::query_error)?.page());
    }
    let is_code = name.len() > 1 && !name.bytes().any(|byte| byte.is_ascii_lowercase());
    if is_code {
        let reasons = Reasons::built_in().map_err(super::query_error)?;
        let reason = reasons.get(name).map_err(|error| Usage::new(error.to_string()))?;
        let mut text = reason.explain();
        let uses = |report: &&Report| report.yields(&reason.code);
        let named: Vec<&str> = reports.list().filter(uses).map(|one| one.name.as_str()).collect();
        text.push_str(&format!("\nIn the reports: {}\n", named.join(", ")));
        return Ok(text);
    }
    let report = reports.get(name).map_err(|error| Usage::new(error.to_string()))?;
    Ok(report.explain())
}

/// The report's own, and what a run adds.
fn screen_columns(report: &Report) -> Vec<String> {
    if report.screen.is_empty() {
        return Vec::new();
    }
    let added = annotate::EXCEPTION_COLUMNS.into_iter().chain([since::CHANGE]).map(str::to_owned);
    report.screen.iter().cloned().chain(added).collect()
}

/// How many rows there were, and how many with which verdict.
fn footer(summary: &Summary, tally: &Tally) -> String {
    let rows = summary.footer();
    match tally.verdicts.is_empty() {
        true => rows,
        false => format!("{rows}: {}", summary::counts(&tally.verdicts)),
    }
}

/// What was asked for, apart from the window, which moves from run to run.
fn parameters_fact(job: &Job<'_>) -> String {
    let moves = |name: &str| matches!(name, "as_of" | "from" | "to");
    let rest = job.given.iter().filter(|(name, _)| !moves(name.as_str()));
    serde_json::Value::from_iter(rest.map(|(name, value)| (name.as_str(), value.as_str())))
        .to_string()
}

const FOLDER: &str = "as_of=";

/// The folder of a run: the last day that it looks at, as `--as-of 2026-01-31` means the end of that day.
fn folder(job: &Job<'_>) -> String {
    let last = clock::format_time(job.window.as_of.saturating_sub(1));
    format!("{FOLDER}{}", last.split(' ').next().unwrap_or_default())
}

/// Writes the rows as they come, to every place at once.
async fn write_rows(
    rows: Rows,
    annotator: &mut Annotator<'_>,
    heading: &Heading,
    outs: Vec<(Options, Box<dyn Write + Send + '_>)>,
    mut split: Option<&mut Split>,
) -> anyhow::Result<Summary> {
    let mut renderers = Vec::with_capacity(outs.len());
    for (options, out) in outs {
        renderers.push(Renderer::new(&options, heading, annotator.schema(), out)?);
    }
    let of_accounts = rows.notes();
    let mut stream = rows.stream;
    let mut write = |batch: &RecordBatch| {
        for renderer in &mut renderers {
            renderer.rows(batch)?;
        }
        split.as_mut().map_or(Ok(()), |split| split.rows(batch))
    };
    while let Some(batch) = stream.next().await {
        write(&annotator.rows(&batch?)?)?;
    }
    if let Some(gone) = annotator.gone()? {
        write(&gone)?;
    }
    let mut summary = Summary::default();
    for renderer in renderers {
        summary = renderer.finish_with(&of_accounts())?;
    }
    Ok(summary)
}

/// What the trails do not record, and no other trail of the account either, as they were last seen: no report can know
/// of it.
async fn unseen(session: &Session, now: i64) -> anyhow::Result<Vec<String>> {
    const LATEST: &str = "WITH words AS (
            SELECT trail_arn, max(snapshot_time) AS seen, array_to_string(array_sort(array_agg(gap)), '; ') AS gaps
            FROM trail_gaps
            GROUP BY trail_arn
        )
        SELECT arrow_cast(trail_arn || ' does not record ' || gaps || ' (as of ' || to_char(seen, '%Y-%m-%d') || ')', 'Utf8')
        FROM words
        ORDER BY trail_arn";
    let as_of = ScalarValue::TimestampMicrosecond(Some(now), Some("UTC".into()));
    let values = Values::from([("as_of".to_owned(), as_of)]);
    let sql = with_parts("trails", LATEST)?;
    let rows = session.sql(&sql, &values).await.map_err(super::query_error)?;
    let batches: Vec<RecordBatch> = rows.stream.map_err(anyhow::Error::from).try_collect().await?;
    let mut notes = Vec::new();
    for batch in &batches {
        let column = batch.column(0).as_string_opt::<i32>().context("read trails")?;
        notes.extend(column.iter().flatten().map(str::to_owned));
    }
    Ok(notes)
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
