//! `rolecall ingest`: wires sources to the lake, shows the way, and sums up.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use indicatif::{ProgressBar, ProgressStyle};
use rolecall_ingest::layout::Other;
use rolecall_ingest::{Notice, Progress, S3, Selection, Snapshot, Source};
use serde::Serialize;

use super::{Context, is_account, verify};
use crate::args;
use crate::clock::Stopwatch;
use crate::exit::{self, Exit, Usage};
use crate::render::Format;
use crate::term;

/// How often progress is said: a bar is redrawn, a log line is written.
const REDRAW: Duration = Duration::from_millis(100);
pub(crate) const LOG_LINE: Duration = Duration::from_secs(5);

/// Notices about single files that are printed; more of them are counted.
const MAX_NOTICES: usize = 50;

/// The summary that `--format json` ends with. Names and order are promised to scripts.
#[derive(Debug, Serialize)]
struct Summary {
    log_files: u64,
    already_ingested: u64,
    not_log_files: u64,
    not_selected: u64,
    records: u64,
    credential_events: u64,
    iam_changes: u64,
    rejected_records: u64,
    rejected_files: u64,
    empty_files: u64,
    replaced_files: u64,
    bytes_read: u64,
    bytes_inflated: u64,
    lake_bytes_written: u64,
    elapsed_seconds: f64,
    /// Only where digests were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    digests: Option<serde_json::Value>,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &args::Ingest) -> anyhow::Result<Exit> {
    let format = context.format();
    if !matches!(format, Format::Table | Format::Json | Format::Ndjson) {
        return Err(
            Usage::new("--format: the summary of ingest is printed as table or json").into()
        );
    }
    let sources = sources(&args.sources)?;
    let selection = selection(&args.selection)?;
    if args.digests.public_keys.is_some() && !args.verify_digests {
        return Err(Usage::new("--public-keys: is of use with --verify-digests only").into());
    }
    if args.verify_digests {
        verify::check_sources(&sources)?;
    }
    let (progress, elapsed) = ingest(context, &sources, &selection).await?;
    let seen = progress.snapshot();
    let checked = if args.verify_digests {
        Some(verify::verify(context, &sources, &args.digests, &selection).await?)
    } else {
        None
    };
    let mut out = exit::stdout();
    let mut summary = Summary::new(&seen, elapsed);
    summary.digests = checked.as_ref().map(verify::Outcome::as_json);
    if context.format() == Format::Table {
        write_summary(&mut out, &summary)?;
        if let Some(checked) = &checked {
            checked.write_words(&mut out)?;
        }
    } else {
        serde_json::to_writer(&mut out, &summary)?;
        writeln!(out)?;
    }
    out.flush()?;
    say_what_is_missing(&seen, &progress.passed_over());
    if checked.is_some_and(|checked| !checked.is_clean()) {
        return Ok(Exit::Findings);
    }
    let is_clean = !seen.anything_rejected() && !seen.nothing_taken();
    Ok(if is_clean { Exit::Done } else { Exit::SomeRejected })
}

/// What was passed over, where something was, and that nothing was taken, where that is so. On standard error: whoever
/// runs this by the clock looks there when the exit code is not 0.
fn say_what_is_missing(seen: &Snapshot, passed_over: &[(Other, u64)]) {
    let mut met: Vec<String> =
        passed_over.iter().map(|(other, count)| of_files(*count, other)).collect();
    if !met.is_empty() {
        tracing::info!("passed over: {}", met.join(", "));
    }
    let by_ending = passed_over.iter().any(|(other, _)| matches!(other, Other::Ending(_)));
    let hint = if by_ending { "; log files end in .json.gz or .json" } else { "" };
    if seen.undelivered_files > 0 {
        let files = term::count(seen.undelivered_files, "file");
        tracing::warn!(
            "{files} without the name that CloudTrail gives: what is in them counts as used, but they hold no day, because \
             nobody knows what they leave out (rolecall report coverage)"
        );
    }
    if !seen.nothing_taken() {
        return;
    }
    if seen.not_selected > 0 {
        met.push(of_files(seen.not_selected, &"left out by the filters"));
    }
    if seen.rejected_files > 0 {
        met.push(of_files(seen.rejected_files, &"that could not be read"));
    }
    let met = if met.is_empty() { "there is nothing there".to_owned() } else { met.join(", ") };
    tracing::error!("no log file was taken: {met}{hint}");
}

fn of_files(count: u64, what: &dyn std::fmt::Display) -> String {
    format!("{} {what}", term::count(count, "file"))
}

/// Ingests, with progress on standard error; also what `demo` does.
pub(crate) async fn ingest(
    context: &Context,
    sources: &[Source],
    selection: &Selection,
) -> anyhow::Result<(Progress, Duration)> {
    let watch = Stopwatch::start();
    let lake = context.create_or_open_lake().await?;
    let needs_s3 = sources.iter().any(|source| matches!(source, Source::Bucket { .. }));
    let s3 = if needs_s3 { Some(S3::connect(&context.s3_options()).await) } else { None };
    let settings = context.ingest_settings();
    let meter = Meter::new(context);
    let progress = Progress::new(meter.notices());
    let run = rolecall_ingest::ingest(&lake, sources, selection, s3.as_ref(), &settings, &progress);
    tokio::pin!(run);
    let result = loop {
        tokio::select! {
            result = &mut run => break result,
            () = tokio::time::sleep(meter.interval()) => meter.show(&progress.snapshot()),
        }
    };
    meter.finish();
    result?;
    Ok((progress.clone(), watch.elapsed()))
}

pub(crate) fn sources(given: &[String]) -> anyhow::Result<Vec<Source>> {
    given
        .iter()
        .map(|source| Source::parse(source).map_err(|error| Usage::new(error.to_string()).into()))
        .collect()
}

pub(crate) fn selection(args: &args::SelectionFlags) -> anyhow::Result<Selection> {
    for account in &args.accounts {
        if !is_account(account) {
            return Err(
                Usage::new(format!("--account {account}: an account id has 12 digits")).into()
            );
        }
    }
    Ok(Selection {
        accounts: args.accounts.clone(),
        regions: args.regions.clone(),
        since: day("--since", args.since.as_deref())?,
        until: day("--until", args.until.as_deref())?,
    })
}

fn day(flag: &str, given: Option<&str>) -> anyhow::Result<Option<NaiveDate>> {
    let Some(text) = given else { return Ok(None) };
    let date = text.parse::<NaiveDate>();
    date.map(Some)
        .map_err(|_| Usage::new(format!("{flag} {text}: write a day as 2026-01-31")).into())
}

impl Summary {
    fn new(seen: &Snapshot, elapsed: Duration) -> Self {
        Self {
            log_files: seen.log_files,
            already_ingested: seen.already_ingested,
            not_log_files: seen.not_log_files,
            not_selected: seen.not_selected,
            records: seen.records,
            credential_events: seen.credential_events,
            iam_changes: seen.iam_changes,
            rejected_records: seen.rejected_records,
            rejected_files: seen.rejected_files,
            empty_files: seen.empty_files,
            replaced_files: seen.replaced_files,
            bytes_read: seen.bytes_read,
            bytes_inflated: seen.bytes_inflated,
            lake_bytes_written: seen.lake_bytes_written,
            elapsed_seconds: elapsed.as_secs_f64(),
            digests: None,
        }
    }
}

fn write_summary(out: &mut impl std::io::Write, seen: &Summary) -> anyhow::Result<()> {
    let size = |bytes| indicatif::BinaryBytes(bytes).to_string();
    writeln!(
        out,
        "{} ingested: {}, {}, {}",
        term::count(seen.log_files, "log file"),
        term::count(seen.records, "record"),
        term::count(seen.credential_events, "credential event"),
        term::count(seen.iam_changes, "IAM change"),
    )?;
    let mut aside = Vec::new();
    let mut say = |number: u64, what: &str| {
        if number > 0 {
            aside.push(format!("{} {what}", term::grouped(number)));
        }
    };
    say(seen.already_ingested, "already in the lake");
    say(seen.not_log_files, "not CloudTrail log files");
    say(seen.not_selected, "left out by the filters");
    say(seen.rejected_files, "files rejected");
    say(seen.rejected_records, "records rejected");
    say(seen.empty_files, "without records");
    say(seen.replaced_files, "replaced since, kept as first ingested");
    if !aside.is_empty() {
        writeln!(out, "{}", aside.join(", "))?;
    }
    writeln!(
        out,
        "{} read, {} of text, {} written to the lake, {:.1} s",
        size(seen.bytes_read),
        size(seen.bytes_inflated),
        size(seen.lake_bytes_written),
        seen.elapsed_seconds,
    )?;
    Ok(())
}

/// A bar on a terminal, a log line every few seconds elsewhere.
struct Meter {
    bar: Option<ProgressBar>,
    said: Arc<std::sync::atomic::AtomicUsize>,
    watch: Stopwatch,
}

impl Meter {
    fn new(context: &Context) -> Self {
        let bar = context.stderr.terminal.then(|| {
            let bar = ProgressBar::new(0);
            // The template is ours; were it wrong, the bar would look different and nothing else.
            if let Ok(style) = ProgressStyle::with_template(
                "{bar:30} {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {msg}",
            ) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, said: Arc::default(), watch: Stopwatch::start() }
    }

    fn interval(&self) -> Duration {
        if self.bar.is_some() { REDRAW } else { LOG_LINE }
    }

    fn notices(&self) -> rolecall_ingest::NoticeSink {
        let (bar, said) = (self.bar.clone(), Arc::clone(&self.said));
        Arc::new(move |notice: Notice| {
            let number = said.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if number >= MAX_NOTICES {
                return;
            }
            // Names of files are not ours: no control character of theirs reaches the terminal.
            let text = term::visible_lines(&notice.to_string()).into_owned();
            let line = || tracing::warn!("{text}");
            match &bar {
                Some(bar) => bar.suspend(line),
                None => line(),
            }
        })
    }

    fn show(&self, seen: &Snapshot) {
        let files = format!(
            "{} of {}",
            term::grouped(seen.done_files),
            term::count(seen.found_files, "file")
        );
        match &self.bar {
            Some(bar) => {
                bar.set_length(seen.found_bytes);
                bar.set_position(seen.done_bytes);
                bar.set_message(files);
            }
            None => tracing::info!(
                files = seen.done_files,
                found = seen.found_files,
                records = seen.records,
                seconds = self.watch.elapsed().as_secs(),
                "ingesting"
            ),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let said = self.said.load(std::sync::atomic::Ordering::Relaxed);
        if let Some(more) = said.checked_sub(MAX_NOTICES)
            && more > 0
        {
            tracing::warn!("and {} like these", term::count(more as u64, "more notice"));
        }
    }
}
