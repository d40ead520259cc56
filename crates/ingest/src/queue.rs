//! A queue of messages, as much of SQS as the worker needs.
//!
//! [`Sqs`] is the real one, [`MemoryQueue`] a double that behaves alike; one set of tests runs against both.
//! What a message says is read elsewhere.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

mod memory;
mod sqs;

pub use memory::{MemoryQueue, MemoryQueueOptions, QueueFault};
pub use sqs::Sqs;

/// Messages that one call may receive, delete, change or send.
pub const BATCH: usize = 10;

/// A message stays hidden at most so long, counted from its receive; extending does not start anew.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html>
pub const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);

/// Time since some fixed moment; never goes back.
pub type Elapsed = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Microseconds since the epoch, now.
pub type Wall = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Names one receive of a message to the queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Receipt(pub String);

/// A message as received.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id, the same at every receive.
    pub id: String,
    /// This receive of it.
    pub receipt: Receipt,
    /// What it says.
    pub body: String,
    /// How often it has been received, this time included.
    pub receive_count: u32,
    /// When it was sent, in microseconds since the epoch.
    pub sent_at: Option<i64>,
}

/// Leaves the body out: it does not belong in a log.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("body_bytes", &self.body.len())
            .field("receive_count", &self.receive_count)
            .finish_non_exhaustive()
    }
}

/// One entry of a batch that failed while the call succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryFailure {
    /// Position in what was given.
    pub index: usize,
    /// SQS's own code.
    pub code: String,
    /// Whether the same may succeed if tried again.
    pub retry: bool,
}

/// Where messages go that were received too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// The dead-letter queue.
    pub dead_letter_arn: String,
    /// A message moves when it would be received more often than this.
    pub max_receive_count: u32,
}

/// How a queue is set up, and roughly how full it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueAttributes {
    /// Its ARN.
    pub arn: Option<String>,
    /// Messages that can be received now, about.
    pub visible: u64,
    /// Messages that are hidden because somebody has received them, about.
    pub in_flight: u64,
    /// Messages that are not to be received yet, about.
    pub delayed: u64,
    /// How long a received message is hidden where the receiver does not say.
    pub visibility_timeout: Duration,
    /// How long a message is kept.
    pub retention: Option<Duration>,
    /// Whether messages are encrypted at rest.
    pub encrypted: bool,
    /// The queue's policy, as JSON.
    pub policy: Option<String>,
    /// The dead-letter queue, if there is one.
    pub redrive: Option<Redrive>,
}

impl QueueAttributes {
    /// No message is anywhere, as far as the queue's own counts tell.
    pub fn is_empty(&self) -> bool {
        self.visible == 0 && self.in_flight == 0 && self.delayed == 0
    }
}

/// Why a call failed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueErrorKind {
    /// Too many calls: later.
    Throttled,
    /// No answer, or an error of the service: later.
    Unreachable,
    /// The caller may not do this, or the queue's key refuses.
    Refused,
    /// There is no such queue.
    NoSuchQueue,
    /// The call itself is wrong.
    Invalid,
}

/// A call to the queue that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {what} {queue}: {problem}")]
pub struct QueueError {
    /// What was tried: a phrase such as "receive from".
    pub what: &'static str,
    /// The queue's URL.
    pub queue: String,
    /// What the service answered.
    pub problem: String,
    /// What kind of failure it is.
    pub kind: QueueErrorKind,
}

impl QueueError {
    /// Whether it will be the same until somebody changes settings or permissions.
    pub fn lasts(&self) -> bool {
        !matches!(self.kind, QueueErrorKind::Throttled | QueueErrorKind::Unreachable)
    }
}

/// A standard queue: at least once, in no order.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Receives up to `max` messages, at most [`BATCH`], and hides them for `visibility`. Waits up to `wait`
    /// for the first one; none is no error.
    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, QueueError>;

    /// Deletes at most [`BATCH`] messages. A message that is gone already is no failure.
    async fn delete(&self, receipts: &[Receipt]) -> Result<Vec<EntryFailure>, QueueError>;

    /// Hides at most [`BATCH`] messages for so long from now; zero makes them visible at once.
    async fn change_visibility(
        &self,
        changes: &[(Receipt, Duration)],
    ) -> Result<Vec<EntryFailure>, QueueError>;

    /// Sends at most [`BATCH`] messages.
    async fn send(&self, bodies: &[String]) -> Result<Vec<EntryFailure>, QueueError>;

    /// How the queue is set up, and roughly how full it is.
    async fn attributes(&self) -> Result<QueueAttributes, QueueError>;
}
