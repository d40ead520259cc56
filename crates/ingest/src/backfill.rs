//! Feeds a listing to the queue, so that any number of workers share a large history.
//!
//! Messages have the shape of S3's own notifications, and come in the order of delivery days across accounts:
//! workers then fill one partition after the other. The live notifications may go on beside it.
//!
//! With a state file, a backfill that is broken off goes on where it was: it says after each batch what has
//! been sent. A batch that was sent and not yet noted is sent again, which does no harm. What arrives in the
//! bucket meanwhile for days that are done is not listed again; its own notifications bring it.

use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveDate;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::layout::{self, Named};
use crate::objects::Objects;
use crate::queue::{BATCH, Elapsed, Queue};
use crate::source::listing::{Listing, Position, Pruning};
use crate::{IngestError, Selection};

mod state;

use state::State;

/// SQS takes 256 KiB for a whole batch in every region; a little is left for what surrounds it.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
const BATCH_BYTES: usize = 240 << 10;
/// Keys have at most 1,024 bytes, three times that when encoded, so a record always fits.
const MESSAGE_BYTES: usize = BATCH_BYTES / 10;
const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// What S3 leaves as it is in the keys of its notifications.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');

/// What is to be enqueued.
#[derive(Clone)]
pub struct EnqueueRequest {
    /// Name of the bucket.
    pub bucket: String,
    /// Prefix of the keys; may be empty.
    pub prefix: String,
    /// Which log files are wanted.
    pub selection: Selection,
    /// Where it is noted how far the backfill has come.
    pub state_file: Option<PathBuf>,
    /// Log files that one message names, at most; at least 1. A worker holds a message until all of them are
    /// durable.
    pub keys_per_message: usize,
    /// Time since some fixed moment.
    pub elapsed: Elapsed,
    /// Ends the backfill after the batch under way.
    pub stop: CancellationToken,
}

impl std::fmt::Debug for EnqueueRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnqueueRequest")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("selection", &self.selection)
            .field("state_file", &self.state_file)
            .finish_non_exhaustive()
    }
}

/// How far a backfill has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnqueueSnapshot {
    /// Log files listed that are wanted.
    pub listed_files: u64,
    /// Their size as stored, in bytes.
    pub listed_bytes: u64,
    /// Log files in messages that were sent.
    pub enqueued_files: u64,
    /// Messages that were sent.
    pub enqueued_messages: u64,
    /// Objects listed that are no log files, or not wanted.
    pub skipped_files: u64,
    /// Log files sent by earlier runs of this backfill, as its state file says.
    pub enqueued_before: u64,
    /// The first delivery day of this run.
    pub first_day: Option<NaiveDate>,
    /// The delivery day that is being enqueued. Days come in order, so that it tells how much is left.
    pub day: Option<NaiveDate>,
    /// The time since the start. With the rate of `enqueued_files` and the days that are left, it tells how
    /// long the rest takes.
    pub elapsed: Duration,
    /// Everything is sent, not only what there was time for.
    pub finished: bool,
}

/// Lists the bucket and sends messages about its log files to the queue. `progress` is called after every
/// batch.
///
/// # Errors
///
/// When the bucket cannot be listed, the queue does not take messages, or the state file is that of another
/// backfill or cannot be written.
pub async fn enqueue(
    objects: &dyn Objects,
    queue: &dyn Queue,
    request: &EnqueueRequest,
    progress: &(dyn Fn(EnqueueSnapshot) + Send + Sync),
) -> Result<EnqueueSnapshot, IngestError> {
    let started = (request.elapsed)();
    let mut state = State::load(request)?;
    let mut snapshot =
        EnqueueSnapshot { enqueued_before: state.enqueued_files, ..EnqueueSnapshot::default() };
    if state.finished {
        snapshot.finished = true;
        return Ok(snapshot);
    }
    let pruning = Pruning {
        selection: request.selection.clone(),
        after: state.position.clone(),
        only_log_files: true,
    };
    let mut listing = Listing::start(objects, &request.bucket, &request.prefix, pruning).await?;
    let mut batch = Batch::new(request);
    while !request.stop.is_cancelled() {
        let Some(listed) = listing.next().await? else {
            batch.send(queue, &mut state, &mut snapshot, progress).await?;
            (state.finished, snapshot.finished) = (true, true);
            state.save(request)?;
            progress(snapshot.clone());
            return Ok(snapshot);
        };
        let layout = match layout::of_key(&listed.key) {
            Named::LogFile(layout) if request.selection.wants_key(&layout) => layout,
            _ => {
                snapshot.skipped_files += 1;
                continue;
            }
        };
        snapshot.listed_files += 1;
        snapshot.first_day = snapshot.first_day.or(layout.delivered_date);
        snapshot.elapsed = (request.elapsed)().saturating_sub(started);
        snapshot.listed_bytes += listed.bytes;
        batch.add(&listed.key, listed.bytes, layout.delivered_date);
        if batch.is_full() {
            batch.send(queue, &mut state, &mut snapshot, progress).await?;
        }
    }
    batch.send(queue, &mut state, &mut snapshot, progress).await?;
    Ok(snapshot)
}

/// Messages that are sent together.
struct Batch<'r> {
    request: &'r EnqueueRequest,
    bodies: Vec<String>,
    /// Records of the message that is being written, without what surrounds them.
    records: Vec<String>,
    record_bytes: usize,
    files: u64,
    last: Option<(String, Option<NaiveDate>)>,
}

impl<'r> Batch<'r> {
    fn new(request: &'r EnqueueRequest) -> Self {
        let (bodies, records) = (Vec::new(), Vec::new());
        Self { request, bodies, records, record_bytes: 0, files: 0, last: None }
    }

    fn add(&mut self, key: &str, bytes: u64, day: Option<NaiveDate>) {
        let record = record(&self.request.bucket, key, bytes);
        if self.record_bytes + record.len() > MESSAGE_BYTES {
            self.close_message();
        }
        self.record_bytes += record.len() + 1;
        self.records.push(record);
        self.files += 1;
        self.last = Some((key.to_owned(), day));
        if self.records.len() >= self.request.keys_per_message.max(1) {
            self.close_message();
        }
    }

    fn close_message(&mut self) {
        if !self.records.is_empty() {
            self.bodies.push(format!("{{\"Records\":[{}]}}", self.records.join(",")));
            self.records.clear();
            self.record_bytes = 0;
        }
    }

    /// One message may have been closed to make room for the record that came last.
    fn is_full(&self) -> bool {
        self.bodies.len() >= BATCH - 1
    }

    /// Sends what there is, and notes it.
    async fn send(
        &mut self,
        queue: &dyn Queue,
        state: &mut State,
        snapshot: &mut EnqueueSnapshot,
        progress: &(dyn Fn(EnqueueSnapshot) + Send + Sync),
    ) -> Result<(), IngestError> {
        self.close_message();
        let Some((key, day)) = self.last.take() else { return Ok(()) };
        send_all(queue, &self.bodies).await?;
        snapshot.enqueued_messages += self.bodies.len() as u64;
        snapshot.enqueued_files += self.files;
        snapshot.day = day.or(snapshot.day);
        state.enqueued_files += self.files;
        let day = day.map(|day| day.format("%Y/%m/%d").to_string()).unwrap_or_default();
        state.position = Some(Position { day, key });
        state.save(self.request)?;
        self.bodies.clear();
        self.files = 0;
        progress(snapshot.clone());
        Ok(())
    }
}

/// A record as S3 writes it, as far as anybody reads it.
fn record(bucket: &str, key: &str, bytes: u64) -> String {
    let key = utf8_percent_encode(key, ENCODED).to_string().replace(' ', "+");
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "rolecall-backfill",
            "bucket": {"name": bucket},
            "object": {"key": key, "size": bytes}
        }
    })
    .to_string()
}

async fn send_all(queue: &dyn Queue, bodies: &[String]) -> Result<(), IngestError> {
    let mut left = bodies.to_vec();
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        let problem = match queue.send(&left).await {
            Ok(failures) => {
                let failed = |index: &usize| failures.iter().any(|entry| entry.index == *index);
                let again = (0..left.len()).filter(failed).map(|index| left[index].clone());
                left = again.collect();
                let Some(first) = failures.first() else { return Ok(()) };
                let code = first.code.clone();
                if !failures.iter().any(|entry| entry.retry) || attempt >= ATTEMPTS {
                    return Err(IngestError::Enqueuing { messages: left.len(), code });
                }
                code
            }
            Err(error) if error.lasts() || attempt >= ATTEMPTS => return Err(error.into()),
            Err(error) => error.to_string(),
        };
        tracing::warn!(problem, "the queue did not take all messages; they are sent again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
