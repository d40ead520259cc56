//! `rolecall backfill`: feeds the queue with what a bucket already holds, so that any number of workers
//! share a large history.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;
use rolecall_ingest::backfill::{EnqueueRequest, EnqueueSnapshot, enqueue};
use rolecall_ingest::queue::Sqs;
use rolecall_ingest::{S3, Source};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Context;
use super::ingest::{LOG_LINE, selection};
use crate::clock::Stopwatch;
use crate::exit::{self, Exit, Usage};
use crate::render::Format;
use crate::{args, clock, term};

/// Keys in one message. A worker acknowledges a message when all of it is durable, so that a message should
/// not hold more than a batch takes.
const KEYS_PER_MESSAGE: usize = 100;

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &args::Backfill) -> anyhow::Result<Exit> {
    context.summary_format("backfill")?;
    let Source::Bucket { bucket, prefix } =
        Source::parse(&args.enqueue).map_err(|error| Usage::new(error.to_string()))?
    else {
        return Err(Usage::new(format!(
            "--enqueue {}: a queue is fed from a bucket, write s3://bucket/prefix; a folder is read by \
             `rolecall ingest`",
            args.enqueue
        ))
        .into());
    };
    let selection = selection(&args.selection)?;
    let queue = Sqs::connect(context.queue_url()?).await?;
    let objects = S3::connect(&context.s3_options()).await;
    let watch = Stopwatch::start();
    let stop = CancellationToken::new();
    let request = EnqueueRequest {
        bucket,
        prefix,
        selection,
        state_file: args.state_file.clone(),
        keys_per_message: KEYS_PER_MESSAGE,
        elapsed: Arc::new(move || watch.elapsed()),
        stop: stop.clone(),
    };
    let today = clock::today();
    let last_day = request.selection.until.map_or(today, |until| until.min(today));
    let latest = Mutex::new(EnqueueSnapshot::default());
    let keep = |snapshot: EnqueueSnapshot| {
        *latest.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    };
    let run = enqueue(&objects, &queue, &request, &keep);
    tokio::pin!(run);
    let done = loop {
        tokio::select! {
            done = &mut run => break done?,
            () = tokio::time::sleep(LOG_LINE) => {
                let seen = latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
                say(&seen, last_day);
            }
            signal = tokio::signal::ctrl_c() => {
                signal?;
                stop.cancel();
            }
        }
    };
    let mut out = exit::stdout();
    if context.format() == Format::Table {
        writeln!(
            out,
            "{} in {} handed to the queue; {} skipped",
            term::count(done.enqueued_files, "log file"),
            term::count(done.enqueued_messages, "message"),
            term::grouped(done.skipped_files),
        )?;
    } else {
        let summary = json!({
            "finished": done.finished,
            "enqueued_files": done.enqueued_files,
            "enqueued_before": done.enqueued_before,
            "enqueued_messages": done.enqueued_messages,
            "skipped_files": done.skipped_files,
            "listed_bytes": done.listed_bytes,
            "elapsed_seconds": watch.elapsed().as_secs_f64(),
        });
        writeln!(out, "{summary}")?;
    }
    out.flush()?;
    if !done.finished {
        let resume = match args.state_file {
            Some(_) => "the same command goes on where it stopped",
            None => "with --state-file it could have gone on where it stopped",
        };
        tracing::warn!("stopped before the end; {resume}");
        return Ok(Exit::Failed);
    }
    Ok(Exit::Done)
}

/// One line of progress on standard error.
fn say(seen: &EnqueueSnapshot, last_day: NaiveDate) {
    let seconds = seen.elapsed.as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let rate = seen.enqueued_files as f64 / seconds;
    let day = seen.day.map_or_else(|| "listing".to_owned(), |day| day.to_string());
    tracing::info!(
        files = seen.enqueued_files,
        messages = seen.enqueued_messages,
        day,
        files_per_second = rate.round(),
        seconds_left = left(seen, last_day),
        "handed to the queue"
    );
}

/// Days come in order, so that those behind tell of those ahead. `None` until one is done.
fn left(seen: &EnqueueSnapshot, last_day: NaiveDate) -> Option<u64> {
    let (first, now) = (seen.first_day?, seen.day?);
    let done = u32::try_from((now - first).num_days()).ok().filter(|days| *days > 0)?;
    let ahead = u32::try_from((last_day - now).num_days() + 1).ok()?;
    Some((seen.elapsed / done * ahead).as_secs())
}
