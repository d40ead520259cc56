//! The worker: takes notifications from a queue, commits what they name to the lake, acknowledges. For months.
//!
//! ```text
//! receive ──▶ desk ──▶ fetch ──▶ read ──▶ batch ──▶ commit ──▶ delete the message
//!               │ each message: extended at half its timeout, until it is deleted or released
//! ```
//!
//! - A message is deleted only when every log file that it names is durable, refused in the ledger, or beyond
//!   help; never before. What may pass is made visible again after a pause that grows; what will not pass is
//!   made visible soon, and moves on to the dead-letter queue. [`crate::disposition`] decides.
//! - What the lake holds is known to its ledger alone; nothing here remembers files.
//! - A batch is committed on age, rows, bytes or files, whichever comes first, and also when no more messages
//!   may be taken: it would wait for ever otherwise.
//! - When the lake refuses, or everything that is fetched is refused, receiving stops, what is held is
//!   released with a delay, and a probe with growing pauses finds out when to go on: a queue is not walked
//!   into its dead letters by an outage.
//! - When told to stop, it stops receiving, commits what is read if there is time, and releases the rest.
//!
//! It does not know what SQS or S3 are, reads no clock but the ones it is given, and does not maintain the
//! lake.

use std::sync::Arc;
use std::time::Duration;

use rolecall_events::Limits;
use rolecall_lake::Lake;
use tokio_util::sync::CancellationToken;

use crate::objects::Objects;
use crate::queue::{Elapsed, Queue, Wall};
use crate::{IngestError, Metrics};

mod acks;
mod breaker;
mod commit;
mod desk;
mod events;
mod outcome;
mod pause;
mod receive;
mod run;
mod stop;
#[cfg(test)]
mod tests;

/// How the worker goes about it.
#[derive(Clone)]
pub struct WorkerSettings {
    /// Threads that inflate and parse.
    pub readers: usize,
    /// Files that are fetched at once.
    pub fetches: usize,
    /// What a log file may be. With `fetches` and `readers` it bounds the memory: each holds one file, as
    /// stored and as text, of at most this size.
    pub limits: Limits,
    /// Size of a batch in memory that is committed, in bytes.
    pub batch_bytes: usize,
    /// Rows of a batch that is committed.
    pub batch_rows: usize,
    /// The longest that a file which is read waits for its commit.
    pub batch_age: Duration,
    /// Messages held at once. Half as many files that are read are committed.
    pub max_messages: usize,
    /// How long a message is hidden from others; extended at half of it for as long as it is held.
    pub visibility_timeout: Duration,
    /// How long a receive waits for the first message.
    pub poll_wait: Duration,
    /// The time from being told to stop to having stopped.
    pub stop_within: Duration,
    /// How many files' ledger entries are kept in memory, at about 60 bytes each.
    pub max_ledger_files: usize,
    /// Ends when the queue stays empty.
    pub drain: bool,
    /// The first pause before a failure that may pass is tried again; it doubles with every receive.
    pub retry_base: Duration,
    /// The longest such pause.
    pub retry_cap: Duration,
    /// The longest pause before a message that cannot be read is received again, on its way to the
    /// dead-letter queue.
    pub poison_delay: Duration,
    /// The first pause after which it is tried whether what refused still does; it doubles each time.
    pub breaker_base: Duration,
    /// The longest such pause.
    pub breaker_cap: Duration,
    /// Microseconds since the epoch, now.
    pub now: Wall,
    /// Time since some fixed moment.
    pub elapsed: Elapsed,
}

impl WorkerSettings {
    /// The defaults, by the clocks `now` (microseconds since the epoch) and `elapsed` (since some fixed
    /// moment).
    pub fn new(now: Wall, elapsed: Elapsed) -> Self {
        Self {
            readers: 2,
            fetches: 16,
            limits: Limits::default(),
            batch_bytes: 256 << 20,
            batch_rows: 1_000_000,
            batch_age: Duration::from_secs(60),
            max_messages: 500,
            visibility_timeout: Duration::from_secs(300),
            poll_wait: Duration::from_secs(20),
            stop_within: Duration::from_secs(25),
            max_ledger_files: 2_500_000,
            drain: false,
            retry_base: Duration::from_secs(2),
            retry_cap: Duration::from_secs(300),
            poison_delay: Duration::from_secs(5),
            breaker_base: Duration::from_secs(5),
            breaker_cap: Duration::from_secs(300),
            now,
            elapsed,
        }
    }
}

impl std::fmt::Debug for WorkerSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerSettings")
            .field("readers", &self.readers)
            .field("fetches", &self.fetches)
            .field("batch_bytes", &self.batch_bytes)
            .field("batch_age", &self.batch_age)
            .field("max_messages", &self.max_messages)
            .field("visibility_timeout", &self.visibility_timeout)
            .field("drain", &self.drain)
            .finish_non_exhaustive()
    }
}

/// Works until `stop` is cancelled, or with [`WorkerSettings::drain`] until the queue stays empty.
///
/// Dropping the future in the middle is as safe as a kill: what was not acknowledged is delivered again, and
/// what was committed is known.
///
/// # Errors
///
/// When only a person can mend it: a lake that is not there, not ours or too new for this version; a queue
/// that refuses from the start; or a bug. Everything else is waited out.
pub async fn work(
    lake: &Lake,
    queue: Arc<dyn Queue>,
    objects: Arc<dyn Objects>,
    settings: &WorkerSettings,
    metrics: &Metrics,
    stop: CancellationToken,
) -> Result<(), IngestError> {
    let start = run::Running::start(lake, queue, objects, settings, metrics);
    let mut running = tokio::select! {
        started = start => started?,
        () = stop.cancelled() => return Ok(()),
    };
    let result = running.until(&stop).await;
    metrics.receiving(false);
    result
}
