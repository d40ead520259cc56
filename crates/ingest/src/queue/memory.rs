//! A queue in memory that behaves as SQS does: for tests, and for measuring the worker by itself.
//!
//! Hides and shows messages by the clock that it is given, counts receives, moves what was received too
//! often to its dead letters, refuses receipts that are out of date. On demand it delivers twice, lets every
//! receive expire, or fails a call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{
    BATCH, Elapsed, EntryFailure, MAX_VISIBILITY, Message, Queue, QueueAttributes, QueueError,
    QueueErrorKind, Receipt, Redrive,
};

/// How often a receive looks again at a clock that may not be the runtime's.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How a queue in memory behaves.
#[derive(Debug, Clone, Default)]
pub struct MemoryQueueOptions {
    /// A message that would be received more often than this goes to the dead letters.
    pub max_receive_count: Option<u32>,
    /// Receives in an order that follows from this number, instead of the order of sending.
    pub shuffle: Option<u64>,
}

/// Decides whether a call fails: given the call's name, `receive`, `delete`, `change_visibility`, `send` or
/// `attributes`.
pub type QueueFault = Arc<dyn Fn(&'static str) -> Option<QueueErrorKind> + Send + Sync>;

/// A queue in memory; clones share it.
#[derive(Clone)]
pub struct MemoryQueue {
    shared: Arc<Shared>,
}

struct Shared {
    elapsed: Elapsed,
    options: MemoryQueueOptions,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// By the number of the copy, so that a message that was duplicated is there twice.
    copies: BTreeMap<u64, Copy>,
    dead: Vec<(String, String)>,
    next: u64,
    receives: u64,
    changes: Vec<Duration>,
    fault: Option<QueueFault>,
}

struct Copy {
    id: String,
    body: String,
    sent_at: i64,
    visible_at: Duration,
    receive_count: u32,
    /// Of the last receive: its number and time.
    received: Option<(u64, Duration)>,
}

impl std::fmt::Debug for MemoryQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryQueue").field("messages", &self.len()).finish_non_exhaustive()
    }
}

impl MemoryQueue {
    /// An empty queue that lives by the clock `elapsed`.
    pub fn new(elapsed: Elapsed, options: MemoryQueueOptions) -> Self {
        let state = State { next: options.shuffle.unwrap_or(0), ..State::default() };
        let (state, changed) = (Mutex::new(state), Notify::new());
        Self { shared: Arc::new(Shared { elapsed, options, state, changed }) }
    }

    /// Sends one message and returns its id.
    pub fn push(&self, body: impl Into<String>) -> String {
        let now = self.now();
        let id = self.state(|state| {
            let number = state.number();
            let id = format!("m-{number}");
            state.put(number, id.clone(), body.into(), now);
            id
        });
        self.shared.changed.notify_waiters();
        id
    }

    /// Delivers every message that is in the queue once more, as a standard queue may.
    pub fn duplicate_all(&self) {
        let now = self.now();
        self.state(|state| {
            let all: Vec<(String, String)> =
                state.copies.values().map(|copy| (copy.id.clone(), copy.body.clone())).collect();
            for (id, body) in all {
                let number = state.number();
                state.put(number, id, body, now);
            }
        });
        self.shared.changed.notify_waiters();
    }

    /// Ends the visibility timeout of every message that somebody has received.
    pub fn expire_all(&self) {
        let now = self.now();
        self.state(|state| state.copies.values_mut().for_each(|copy| copy.visible_at = now));
        self.shared.changed.notify_waiters();
    }

    /// From now on, calls fail as `fault` says.
    pub fn set_fault(&self, fault: Option<QueueFault>) {
        self.state(|state| state.fault = fault);
    }

    /// Messages that are there, hidden ones too.
    pub fn len(&self) -> usize {
        self.state(|state| state.copies.len())
    }

    /// Whether there is no message, hidden ones included.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Messages that were received too often: id and body.
    pub fn dead_letters(&self) -> Vec<(String, String)> {
        self.state(|state| state.dead.clone())
    }

    /// How many messages were handed out so far, each receive of each.
    pub fn receives(&self) -> u64 {
        self.state(|state| state.receives)
    }

    /// The receive count of each message that is still there, by id.
    pub fn receive_counts(&self) -> Vec<(String, u32)> {
        self.state(|state| {
            state.copies.values().map(|copy| (copy.id.clone(), copy.receive_count)).collect()
        })
    }

    /// Every change of a visibility that was asked for and done, in order.
    pub fn changes(&self) -> Vec<Duration> {
        self.state(|state| state.changes.clone())
    }

    fn now(&self) -> Duration {
        (self.shared.elapsed)()
    }

    fn state<T>(&self, use_state: impl FnOnce(&mut State) -> T) -> T {
        use_state(&mut self.shared.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fail(&self, call: &'static str, entries: usize) -> Result<(), QueueError> {
        let fault = self.state(|state| state.fault.clone());
        let kind = match fault.and_then(|fault| fault(call)) {
            Some(kind) => kind,
            None if entries > BATCH => QueueErrorKind::Invalid,
            None => return Ok(()),
        };
        let problem = if entries > BATCH { "TooManyEntriesInBatchRequest" } else { "made to fail" };
        Err(QueueError {
            what: call,
            queue: "memory".to_owned(),
            problem: problem.to_owned(),
            kind,
        })
    }

    fn take(&self, max: usize, visibility: Duration) -> Vec<Message> {
        let (now, options) = (self.now(), &self.shared.options);
        self.state(|state| {
            let mut taken = Vec::new();
            while taken.len() < max.clamp(1, BATCH) {
                let Some(number) = state.visible(now, options.shuffle.is_some()) else { break };
                let receive = state.receives + 1;
                let Some(copy) = state.copies.get_mut(&number) else { break };
                if options.max_receive_count.is_some_and(|max| copy.receive_count >= max) {
                    if let Some(copy) = state.copies.remove(&number) {
                        state.dead.push((copy.id, copy.body));
                    }
                    continue;
                }
                copy.receive_count += 1;
                copy.visible_at = now + visibility;
                copy.received = Some((receive, now));
                taken.push(Message {
                    id: copy.id.clone(),
                    receipt: Receipt(format!("{number}/{receive}")),
                    body: copy.body.clone(),
                    receive_count: copy.receive_count,
                    sent_at: Some(copy.sent_at),
                });
                state.receives = receive;
            }
            taken
        })
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn put(&mut self, number: u64, id: String, body: String, now: Duration) {
        let copy = Copy {
            id,
            body,
            sent_at: i64::try_from(now.as_micros()).unwrap_or(i64::MAX),
            visible_at: now,
            receive_count: 0,
            received: None,
        };
        self.copies.insert(number, copy);
    }

    /// A message that can be received: the first, or any.
    fn visible(&mut self, now: Duration, shuffled: bool) -> Option<u64> {
        let mut visible = self
            .copies
            .iter()
            .filter(|(_, copy)| copy.visible_at <= now)
            .map(|(number, _)| *number);
        if !shuffled {
            return visible.next();
        }
        let all: Vec<u64> = visible.collect();
        let count = u64::try_from(all.len()).ok().filter(|count| *count > 0)?;
        // SplitMix64: cheap, and the same numbers everywhere.
        self.next += 1;
        let mut random = self.next.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        random = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random ^= random >> 27;
        all.get(usize::try_from(random % count).unwrap_or(0)).copied()
    }

    /// The copy that a receipt is for, where no later receive has outdated it.
    fn of_receipt(&mut self, receipt: &Receipt) -> Option<(u64, &mut Copy)> {
        let (number, receive) = numbers(receipt)?;
        let copy = self.copies.get_mut(&number)?;
        copy.received.is_some_and(|(last, _)| last == receive).then_some((number, copy))
    }
}

/// The numbers of the copy and of the receive that a receipt is for.
fn numbers(Receipt(receipt): &Receipt) -> Option<(u64, u64)> {
    let (number, receive) = receipt.split_once('/')?;
    Some((number.parse().ok()?, receive.parse().ok()?))
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, QueueError> {
        let until = self.now() + wait;
        loop {
            self.fail("receive", 0)?;
            let changed = self.shared.changed.notified();
            let taken = self.take(max, visibility);
            if !taken.is_empty() || self.now() >= until {
                return Ok(taken);
            }
            let left = until.saturating_sub(self.now());
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(left.min(LOOK_AGAIN)) => {}
            }
        }
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<Vec<EntryFailure>, QueueError> {
        self.fail("delete", receipts.len())?;
        Ok(self.state(|state| {
            let mut failures = Vec::new();
            for (index, receipt) in receipts.iter().enumerate() {
                if let Some((number, _)) = state.of_receipt(receipt) {
                    state.copies.remove(&number);
                } else if numbers(receipt).is_none() {
                    let code = "ReceiptHandleIsInvalid".to_owned();
                    failures.push(EntryFailure { index, code, retry: false });
                }
                // Out of date: SQS says that it went well, and deletes nothing.
            }
            failures
        }))
    }

    async fn change_visibility(
        &self,
        changes: &[(Receipt, Duration)],
    ) -> Result<Vec<EntryFailure>, QueueError> {
        self.fail("change_visibility", changes.len())?;
        let now = self.now();
        let failures = self.state(|state| {
            let mut failures = Vec::new();
            for (index, (receipt, visibility)) in changes.iter().enumerate() {
                let mut refuse = |code: &str| {
                    let code = code.to_owned();
                    failures.push(EntryFailure { index, code, retry: false });
                };
                match state.of_receipt(receipt) {
                    None => refuse("ReceiptHandleIsInvalid"),
                    Some((_, copy)) if copy.visible_at <= now => refuse("MessageNotInflight"),
                    Some((_, copy)) => {
                        let held = copy.received.map_or(Duration::ZERO, |(_, at)| now - at);
                        if held + *visibility > MAX_VISIBILITY {
                            refuse("InvalidParameterValue");
                            continue;
                        }
                        copy.visible_at = now + *visibility;
                        state.changes.push(*visibility);
                    }
                }
            }
            failures
        });
        self.shared.changed.notify_waiters();
        Ok(failures)
    }

    async fn send(&self, bodies: &[String]) -> Result<Vec<EntryFailure>, QueueError> {
        self.fail("send", bodies.len())?;
        for body in bodies {
            self.push(body.clone());
        }
        Ok(Vec::new())
    }

    async fn attributes(&self) -> Result<QueueAttributes, QueueError> {
        self.fail("attributes", 0)?;
        let now = self.now();
        let (visible, in_flight) = self.state(|state| {
            let visible = state.copies.values().filter(|copy| copy.visible_at <= now).count();
            (visible as u64, (state.copies.len() - visible) as u64)
        });
        let redrive = self.shared.options.max_receive_count.map(|max_receive_count| Redrive {
            dead_letter_arn: "arn:aws:sqs:us-east-1:000000000000:dead-letters".to_owned(),
            max_receive_count,
        });
        Ok(QueueAttributes {
            arn: Some("arn:aws:sqs:us-east-1:000000000000:memory".to_owned()),
            visible,
            in_flight,
            visibility_timeout: Duration::from_secs(30),
            redrive,
            ..QueueAttributes::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn queue(options: MemoryQueueOptions) -> (MemoryQueue, impl Fn(u64)) {
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&seconds);
        let elapsed = Arc::new(move || Duration::from_secs(clock.load(Ordering::SeqCst)));
        let advance = move |more| {
            seconds.fetch_add(more, Ordering::SeqCst);
        };
        (MemoryQueue::new(elapsed, options), advance)
    }

    const HIDE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn hides_and_shows_again() {
        let (queue, advance) = queue(MemoryQueueOptions::default());
        queue.push("a");
        let first = queue.receive(10, NOW, HIDE).await.unwrap();
        assert_eq!((first[0].body.as_str(), first[0].receive_count), ("a", 1));
        advance(29);
        assert!(queue.receive(10, NOW, HIDE).await.unwrap().is_empty());
        advance(1);
        let second = queue.receive(10, NOW, HIDE).await.unwrap();
        assert_eq!((second[0].id.clone(), second[0].receive_count), (first[0].id.clone(), 2));
        assert!(queue.delete(&[first[0].receipt.clone()]).await.unwrap().is_empty());
        assert_eq!(queue.len(), 1, "a receipt that is out of date deletes nothing");
        queue.delete(&[second[0].receipt.clone()]).await.unwrap();
        assert!(queue.is_empty());
    }

    #[tokio::test]
    async fn visibility_is_counted_from_the_change_and_ends_after_twelve_hours() {
        let (queue, advance) = queue(MemoryQueueOptions::default());
        queue.push("a");
        let receipt = queue.receive(1, NOW, HIDE).await.unwrap().remove(0).receipt;
        advance(20);
        assert!(queue.change_visibility(&[(receipt.clone(), HIDE)]).await.unwrap().is_empty());
        advance(29);
        assert!(queue.receive(1, NOW, HIDE).await.unwrap().is_empty());
        let too_long = [(receipt.clone(), MAX_VISIBILITY)];
        let failed = queue.change_visibility(&too_long).await.unwrap();
        assert_eq!(failed[0].code, "InvalidParameterValue");
        queue.change_visibility(&[(receipt.clone(), NOW)]).await.unwrap();
        let failed = queue.change_visibility(&[(receipt, HIDE)]).await.unwrap();
        assert_eq!(failed[0].code, "MessageNotInflight");
        assert_eq!(queue.receive(1, NOW, HIDE).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_is_received_too_often_goes_to_the_dead_letters() {
        let options = MemoryQueueOptions { max_receive_count: Some(2), shuffle: Some(7) };
        let (queue, advance) = queue(options);
        let id = queue.push("poison");
        for _ in 0..2 {
            assert_eq!(queue.receive(1, NOW, HIDE).await.unwrap().len(), 1);
            advance(30);
        }
        assert!(queue.receive(1, NOW, HIDE).await.unwrap().is_empty());
        assert_eq!(queue.dead_letters(), [(id, "poison".to_owned())]);
    }

    #[tokio::test]
    async fn a_receive_waits_for_the_first_message() {
        let started = std::time::Instant::now();
        let elapsed = Arc::new(move || started.elapsed());
        let queue = MemoryQueue::new(elapsed, MemoryQueueOptions::default());
        let sender = queue.clone();
        let send = async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            sender.push("late");
        };
        let (received, ()) = tokio::join!(queue.receive(10, Duration::from_secs(20), HIDE), send);
        assert_eq!(received.unwrap().len(), 1);
    }
}
