//! Tells the queue what became of messages: deletes, releases and extensions, in batches, beside everything
//! else.
//!
//! A batch can succeed as a whole and fail in single entries. What may succeed is asked again a few times;
//! after that the message comes back by itself when its timeout ends, and is found known.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::desk::Extension;
use crate::Metrics;
use crate::queue::{BATCH, EntryFailure, Queue, QueueError, Receipt};

/// Calls at once.
const CALLS: usize = 8;
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// One message, and what the queue is told about it.
#[derive(Debug, Clone)]
struct Order {
    what: What,
    receipt: Receipt,
    attempts: u32,
    not_before: Duration,
    /// Asked for by itself, because it was in a batch that was refused as a whole.
    alone: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Delete,
    Hide(Duration),
    /// Hides a message of the desk for longer.
    Extend(u64, Duration),
}

/// An extension that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotExtended {
    pub(super) message: u64,
    /// Whether asking again may help.
    pub(super) again: bool,
}

/// A call that has ended.
pub(super) struct Told {
    orders: Vec<Order>,
    result: Result<Vec<EntryFailure>, QueueError>,
}

/// What is to be told, and the calls under way.
pub(super) struct Acks {
    queue: Arc<dyn Queue>,
    metrics: Metrics,
    /// Extensions go first: they are the ones that can come too late.
    extensions: VecDeque<Order>,
    changes: VecDeque<Order>,
    deletes: VecDeque<Order>,
    calls: JoinSet<Told>,
}

impl Acks {
    pub(super) fn new(queue: Arc<dyn Queue>, metrics: Metrics) -> Self {
        Self {
            queue,
            metrics,
            extensions: VecDeque::new(),
            changes: VecDeque::new(),
            deletes: VecDeque::new(),
            calls: JoinSet::new(),
        }
    }

    pub(super) fn delete(&mut self, receipt: Receipt) {
        self.deletes.push_back(Order::new(What::Delete, receipt));
    }

    /// Makes a message visible again after `pause`.
    pub(super) fn release(&mut self, receipt: Receipt, pause: Duration) {
        self.changes.push_back(Order::new(What::Hide(pause), receipt));
    }

    pub(super) fn extend(&mut self, extension: Extension) {
        let what = What::Extend(extension.message, extension.visibility);
        self.extensions.push_back(Order::new(what, extension.receipt));
    }

    /// Starts as many calls as may run.
    pub(super) fn start(&mut self, now: Duration) {
        while self.calls.len() < CALLS {
            let batch = [&mut self.extensions, &mut self.changes, &mut self.deletes]
                .into_iter()
                .map(|orders| next_batch(orders, now))
                .find(|batch| !batch.is_empty());
            let Some(batch) = batch else { return };
            let queue = Arc::clone(&self.queue);
            self.calls.spawn(async move {
                let result = tell(queue.as_ref(), &batch).await;
                Told { orders: batch, result }
            });
        }
    }

    /// Whether a call is under way.
    pub(super) fn busy(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Whether nothing is left to tell.
    pub(super) fn idle(&self) -> bool {
        self.calls.is_empty()
            && self.extensions.is_empty()
            && self.changes.is_empty()
            && self.deletes.is_empty()
    }

    /// Waits for a call to end; safe to drop. Never returns while none is under way.
    pub(super) async fn next(&mut self) -> Told {
        loop {
            match self.calls.join_next().await {
                Some(Ok(told)) => return told,
                // A call does not panic, and is only aborted with everything else.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Takes in how a call ended; returns the extensions that failed.
    pub(super) fn ended(&mut self, told: Told, now: Duration) -> Vec<NotExtended> {
        let Told { orders, result } = told;
        match result {
            Ok(failures) => {
                let failed = failures.into_iter().filter_map(|failure| {
                    let order = orders.get(failure.index)?.clone();
                    Some((order, failure))
                });
                let failed: Vec<_> = failed.collect();
                failed
                    .into_iter()
                    .filter_map(|(order, failure)| {
                        self.entry_failed(order, failure.retry, &failure.code, now)
                    })
                    .collect()
            }
            Err(error) => {
                self.metrics.queue_failed();
                tracing::warn!(%error, "a call to the queue failed");
                let one_of_many = orders.len() > 1 && error.lasts();
                orders
                    .into_iter()
                    .filter_map(|order| {
                        let order = Order { alone: order.alone || one_of_many, ..order };
                        let again = one_of_many || !error.lasts();
                        self.entry_failed(order, again, &error.problem, now)
                    })
                    .collect()
            }
        }
    }

    fn entry_failed(
        &mut self,
        order: Order,
        may_retry: bool,
        code: &str,
        now: Duration,
    ) -> Option<NotExtended> {
        if let What::Extend(message, _) = order.what {
            tracing::debug!(code, "a message's visibility was not extended");
            return Some(NotExtended { message, again: may_retry });
        }
        let attempts = order.attempts + 1;
        if !may_retry || attempts >= ATTEMPTS {
            tracing::debug!(code, what = ?order.what, "left to the message's timeout");
            return None;
        }
        let not_before = now + FIRST_PAUSE * 2_u32.saturating_pow(order.attempts);
        let order = Order { attempts, not_before, ..order };
        match order.what {
            What::Delete => self.deletes.push_back(order),
            _ => self.changes.push_back(order),
        }
        None
    }

    /// Tells everything that is left, with no pauses but those between attempts; safe to drop.
    pub(super) async fn finish(&mut self, elapsed: &crate::queue::Elapsed) {
        while !self.idle() {
            self.start(elapsed());
            if self.busy() {
                let told = self.next().await;
                self.ended(told, elapsed());
            } else {
                tokio::time::sleep(FIRST_PAUSE / 4).await;
            }
        }
    }
}

impl Order {
    fn new(what: What, receipt: Receipt) -> Self {
        Self { what, receipt, attempts: 0, not_before: Duration::ZERO, alone: false }
    }
}

/// Up to [`BATCH`] orders that are due; one that must go alone goes alone.
fn next_batch(orders: &mut VecDeque<Order>, now: Duration) -> Vec<Order> {
    let mut batch: Vec<Order> = Vec::new();
    for _ in 0..orders.len() {
        let Some(order) = orders.pop_front() else { break };
        let fits = batch.is_empty() || (!order.alone && !batch.iter().any(|other| other.alone));
        if order.not_before <= now && fits {
            batch.push(order);
            if batch.len() >= BATCH || batch.iter().any(|order| order.alone) {
                break;
            }
        } else {
            orders.push_back(order);
        }
    }
    batch
}

async fn tell(queue: &dyn Queue, batch: &[Order]) -> Result<Vec<EntryFailure>, QueueError> {
    if batch.iter().all(|order| order.what == What::Delete) {
        let receipts: Vec<Receipt> = batch.iter().map(|order| order.receipt.clone()).collect();
        return queue.delete(&receipts).await;
    }
    let changes: Vec<(Receipt, Duration)> = batch
        .iter()
        .map(|order| match order.what {
            What::Hide(visibility) | What::Extend(_, visibility) => {
                (order.receipt.clone(), visibility)
            }
            What::Delete => (order.receipt.clone(), Duration::ZERO),
        })
        .collect();
    queue.change_visibility(&changes).await
}
