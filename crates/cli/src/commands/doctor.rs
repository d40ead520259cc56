//! `rolecall doctor`: everything that the worker and the reports rest on, each line passed, failed or not
//! checked, with what mends it.
//!
//! Trail, bucket, queue and notification are looked at by `rolecall_ingest::doctor`; the lake, the clock and
//! the order of lines are this command's.

use std::io::Write as _;

use rolecall_ingest::Source;
use rolecall_ingest::doctor::{Check, Diagnosis, Outcome, Request, Sight, examine};
use rolecall_ingest::queue::{Queue, Sqs};
use rolecall_lake::{Lake, TrailSnapshot};
use serde_json::json;

use super::Context;
use crate::exit::{self, Exit, Usage};
use crate::render::Format;
use crate::term::Ink;
use crate::{args, clock, term};

/// AWS refuses requests that are signed with a time 15 minutes off; a lake's times should be nearer.
const MOST_SKEW_SECONDS: i64 = 60;

/// Runs the command. A failed check is a failure; one that could not be made is none.
pub(crate) async fn run(context: &Context, args: &args::Doctor) -> anyhow::Result<Exit> {
    context.summary_format("doctor")?;
    let request = request(context, args)?;
    let mut checks = lake(context).await;
    let queue = match &context.settings.worker.queue_url {
        Some(url) => Some(Sqs::connect(url).await?),
        None => None,
    };
    let queue = queue.as_ref().map(|queue| queue as &dyn Queue);
    let diagnosis = examine(&request, queue).await;
    checks.extend(diagnosis.checks.iter().cloned());
    let diagnosis = Diagnosis { checks, ..diagnosis };
    let mut out = exit::stdout();
    if context.format() == Format::Table {
        write_words(context, &mut out, &diagnosis)?;
    } else {
        writeln!(out, "{}", json!({ "checks": diagnosis.checks, "trails": diagnosis.trails }))?;
    }
    out.flush()?;
    // Last, so that a lake that refuses does not keep anybody from reading what is wrong.
    keep(context, &diagnosis.trails).await?;
    let failed = diagnosis.checks.iter().any(|check| check.outcome == Outcome::Failed);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// Keeps what the trails do not record where there is a lake: its reports say so from then on.
async fn keep(context: &Context, trails: &[Sight]) -> anyhow::Result<()> {
    let options = context.lake_options();
    let lake = match Lake::open(&context.settings.lake, options).await {
        Ok(lake) => lake,
        // A check on the lake has said what is wrong with it.
        Err(_) => return Ok(()),
    };
    lake.record_trails(&snapshots(trails), clock::now_micros()).await?;
    Ok(())
}

/// The trails as rows of the lake.
pub(super) fn snapshots(trails: &[Sight]) -> Vec<TrailSnapshot> {
    trails
        .iter()
        .map(|sight| TrailSnapshot {
            trail_arn: sight.trail_arn.clone(),
            bucket: sight.bucket.clone(),
            trail_prefix: match sight.prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
                Some(prefix) => format!("{}/AWSLogs", prefix.trim_end_matches('/')),
                None => "AWSLogs".to_owned(),
            },
            multi_region: sight.multi_region,
            organization: sight.organization,
            logging: sight.logging,
            digests: sight.digests,
            not_recorded: sight.findings.iter().map(ToString::to_string).collect(),
            data_event_types: sight.data_events.clone(),
        })
        .collect()
}

fn request(context: &Context, args: &args::Doctor) -> anyhow::Result<Request> {
    let s3 = context.s3_options();
    let Some(text) = &args.bucket else { return Ok(Request { s3, ..Request::default() }) };
    match Source::parse(text).map_err(|error| Usage::new(error.to_string()))? {
        Source::Bucket { bucket, prefix } => Ok(Request { bucket: Some(bucket), prefix, s3 }),
        Source::Path(_) => {
            Err(Usage::new(format!("{text}: write the trail's bucket as s3://bucket/prefix"))
                .into())
        }
    }
}

/// The lake's place, and the clock by it.
async fn lake(context: &Context) -> Vec<Check> {
    const WRITE: &str = "the lake can be written and read";
    const APART: &str = "the lake keeps two writers apart";
    const DELETE: &str = "maintenance can delete what it replaced";
    const CLOCK: &str = "this clock agrees with the store's";
    let uri = &context.settings.lake;
    let probe = match Lake::probe(uri, context.lake_options()).await {
        Ok(probe) => probe,
        Err(error) => {
            let remedy = if uri.starts_with("s3://") {
                "allow s3:GetObject, PutObject, DeleteObject and ListBucket on the lake's bucket, and use of its key"
            } else {
                "name a folder that can be written with --lake"
            };
            let error = exit::message(&error.into());
            return vec![Check::failed("lake", WRITE, error, remedy)];
        }
    };
    let state =
        if probe.has_lake { "there is a lake" } else { "no lake yet; the first run makes it" };
    let mut checks = vec![Check::passed("lake", WRITE, format!("{uri}: {state}"))];
    checks.push(if probe.conditional_put {
        Check::passed("lake", APART, "the second of two conditional writes was refused")
    } else {
        Check::failed(
            "lake",
            APART,
            "a conditional write replaced an object: two writers would lose rows",
            "use Amazon S3, or a store that honours If-None-Match",
        )
    });
    checks.push(match probe.cannot_delete {
        None => Check::passed("lake", DELETE, "deleted what was written for this check"),
        Some(why) => {
            Check::failed("lake", DELETE, why, "allow s3:DeleteObject on the lake's bucket")
        }
    });
    let skew = (clock::now_micros() - probe.store_time) / 1_000_000;
    checks.push(if skew.abs() <= MOST_SKEW_SECONDS {
        Check::passed("clock", CLOCK, format!("within {MOST_SKEW_SECONDS} s"))
    } else {
        let found = format!("{} s {}", skew.abs(), if skew > 0 { "ahead" } else { "behind" });
        Check::failed("clock", CLOCK, found, "synchronise it: timedatectl set-ntp true")
    });
    checks
}

fn write_words(
    context: &Context,
    out: &mut impl std::io::Write,
    diagnosis: &Diagnosis,
) -> std::io::Result<()> {
    let screen = context.stdout;
    let width = screen.reading_width();
    for check in &diagnosis.checks {
        let (mark, ink) = match check.outcome {
            Outcome::Passed => ("passed     ", Ink::Good),
            Outcome::Failed => ("FAILED     ", Ink::Bad),
            Outcome::NotChecked => ("not checked", Ink::Dim),
        };
        let line = format!("{}: {}: {}", check.area, check.check, term::visible(&check.found));
        let indent = " ".repeat(mark.len() + 2);
        let wrapped = term::wrap(&line, width, &indent, &indent);
        writeln!(out, "{}  {}", screen.paint(ink, mark), wrapped.trim_start())?;
        // A command is not wrapped, so that it can be copied.
        if let Some(remedy) = &check.remedy {
            writeln!(out, "{indent}→ {}", term::visible(remedy))?;
        }
    }
    for sight in &diagnosis.trails {
        let unseen: Vec<String> = sight.findings.iter().map(ToString::to_string).collect();
        if !unseen.is_empty() {
            let line = format!("{} does not record: {}", sight.trail_arn, unseen.join("; "));
            writeln!(out, "{}", term::wrap(&term::visible(&line), width, "", "  "))?;
        }
    }
    let count =
        |wanted| diagnosis.checks.iter().filter(|check| check.outcome == wanted).count() as u64;
    writeln!(
        out,
        "{} passed, {} failed, {} not checked",
        count(Outcome::Passed),
        count(Outcome::Failed),
        count(Outcome::NotChecked)
    )
}
