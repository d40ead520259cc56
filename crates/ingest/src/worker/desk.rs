//! The messages that are held, and the files that they named. Pure: no queue, no clock, no waiting.
//!
//! A message is on the desk from its receive to its last file's end, or until it is released; then nothing
//! is left of it here. So what is held is bounded by how many messages may be held, not by how many there
//! ever were.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::time::Duration;

use crate::disposition::Disposition;
use crate::queue::{MAX_VISIBILITY, Message, Receipt};

/// Left between the last extension and the twelve hours that SQS allows.
const MARGIN: Duration = Duration::from_secs(5);

/// A message that is held.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: String,
    pub(super) receipt: Receipt,
    pub(super) receive_count: u32,
    pub(super) sent_at: Option<i64>,
    /// What is done with it, from what its files came to so far; `None` while all is well.
    pub(super) disposition: Option<Disposition>,
    received_at: Duration,
    extend_at: Duration,
    tickets: Range<u64>,
    left: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It has not been handed to the stages.
    Listed,
    /// It is being fetched or read.
    Started,
    /// It is read, and waits for its commit since then.
    Waits(Duration),
}

#[derive(Debug)]
struct File {
    message: u64,
    stage: Stage,
}

/// An extension that is to be asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extension {
    pub(super) message: u64,
    pub(super) receipt: Receipt,
    pub(super) visibility: Duration,
}

/// All messages that are held.
#[derive(Debug)]
pub(super) struct Desk {
    visibility: Duration,
    messages: HashMap<u64, Held>,
    files: HashMap<u64, File>,
    /// Files that wait for their commit, the oldest first.
    waiting: BTreeSet<(Duration, u64)>,
    next: u64,
}

impl Desk {
    pub(super) fn new(visibility: Duration) -> Self {
        Self {
            visibility,
            messages: HashMap::new(),
            files: HashMap::new(),
            waiting: BTreeSet::new(),
            next: 0,
        }
    }

    /// Takes a message that names `files` log files, at least one; returns their tickets.
    pub(super) fn take(
        &mut self,
        message: &Message,
        files: usize,
        disposition: Option<Disposition>,
        now: Duration,
    ) -> Range<u64> {
        let number = self.next;
        let tickets = number..number + files.max(1) as u64;
        self.next = tickets.end;
        for ticket in tickets.clone() {
            self.files.insert(ticket, File { message: number, stage: Stage::Listed });
        }
        let held = Held {
            id: message.id.clone(),
            receipt: message.receipt.clone(),
            receive_count: message.receive_count,
            sent_at: message.sent_at,
            disposition,
            received_at: now,
            extend_at: now + self.visibility / 2,
            left: files.max(1),
            tickets: tickets.clone(),
        };
        self.messages.insert(number, held);
        tickets
    }

    /// The message that named the file, while it is held.
    pub(super) fn message_of(&self, ticket: u64) -> Option<&Held> {
        self.messages.get(&self.files.get(&ticket)?.message)
    }

    /// Notes that a file is handed to the stages; `false` where its message is not held any more.
    pub(super) fn started(&mut self, ticket: u64) -> bool {
        let Some(file) = self.files.get_mut(&ticket) else { return false };
        file.stage = Stage::Started;
        true
    }

    /// Notes that a file is read, and waits for its commit.
    pub(super) fn waits(&mut self, ticket: u64, now: Duration) {
        if let Some(file) = self.files.get_mut(&ticket)
            && !matches!(file.stage, Stage::Waits(_))
        {
            file.stage = Stage::Waits(now);
            self.waiting.insert((now, ticket));
        }
    }

    /// Notes that a file has ended; returns its message where that was the last one.
    pub(super) fn ended(&mut self, ticket: u64, disposition: Option<Disposition>) -> Option<Held> {
        let file = self.files.remove(&ticket)?;
        if let Stage::Waits(since) = file.stage {
            self.waiting.remove(&(since, ticket));
        }
        let held = self.messages.get_mut(&file.message)?;
        held.disposition = held.disposition.max(disposition);
        held.left = held.left.saturating_sub(1);
        if held.left > 0 {
            return None;
        }
        self.messages.remove(&file.message)
    }

    /// The extensions that are due: each message at half its timeout, whatever it waits for. The next one
    /// is due after as long again; see [`Desk::not_extended`] for one that fails.
    pub(super) fn due(&mut self, now: Duration) -> Vec<Extension> {
        let mut due = Vec::new();
        for (number, held) in &mut self.messages {
            if held.extend_at > now {
                continue;
            }
            let most = MAX_VISIBILITY.saturating_sub(now.saturating_sub(held.received_at) + MARGIN);
            let visibility = self.visibility.min(most);
            if most <= self.visibility {
                // The last one: SQS counts its twelve hours from the receive.
                held.extend_at = Duration::MAX;
            } else {
                held.extend_at = now + self.visibility / 2;
            }
            if !visibility.is_zero() {
                let receipt = held.receipt.clone();
                due.push(Extension { message: *number, receipt, visibility });
            }
        }
        due
    }

    /// Notes that an extension failed: it is asked for again soon, unless that is of no use, because the
    /// message is somebody else's by now.
    pub(super) fn not_extended(&mut self, message: u64, again: bool, now: Duration) {
        if let Some(held) = self.messages.get_mut(&message) {
            held.extend_at = if again { now + self.visibility / 20 } else { Duration::MAX };
        }
    }

    /// Gives up all messages.
    pub(super) fn release_all(&mut self) -> Vec<Held> {
        self.files.clear();
        self.waiting.clear();
        self.messages.drain().map(|(_, held)| held).collect()
    }

    /// Gives up the messages of which no file was handed to the stages yet.
    pub(super) fn release_unstarted(&mut self) -> Vec<Held> {
        let is_listed =
            |ticket| self.files.get(&ticket).is_some_and(|file: &File| file.stage == Stage::Listed);
        let unstarted =
            self.messages.iter().filter(|(_, held)| held.tickets.clone().all(is_listed));
        let unstarted: Vec<u64> = unstarted.map(|(number, _)| *number).collect();
        unstarted.into_iter().filter_map(|number| self.release(number)).collect()
    }

    fn release(&mut self, number: u64) -> Option<Held> {
        let held = self.messages.remove(&number)?;
        for ticket in held.tickets.clone() {
            if let Some(File { stage: Stage::Waits(since), .. }) = self.files.remove(&ticket) {
                self.waiting.remove(&(since, ticket));
            }
        }
        Some(held)
    }

    /// Messages held.
    pub(super) fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Files of them that have not ended.
    pub(super) fn files(&self) -> usize {
        self.files.len()
    }

    /// Files that wait for their commit.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Files that are still to be read.
    pub(super) fn in_progress(&self) -> usize {
        self.files.len() - self.waiting.len()
    }

    /// Files that the stages have in their hands.
    pub(super) fn under_way(&self) -> usize {
        self.files.values().filter(|file| file.stage == Stage::Started).count()
    }

    /// How long the oldest of the waiting files has waited.
    pub(super) fn oldest_wait(&self, now: Duration) -> Option<Duration> {
        self.waiting.first().map(|(since, _)| now.saturating_sub(*since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VISIBILITY: Duration = Duration::from_secs(300);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn message(id: &str) -> Message {
        Message {
            id: id.to_owned(),
            receipt: Receipt(format!("r-{id}")),
            body: String::new(),
            receive_count: 1,
            sent_at: None,
        }
    }

    fn receipts(extensions: Vec<Extension>) -> Vec<String> {
        let mut all: Vec<String> = extensions.into_iter().map(|due| due.receipt.0).collect();
        all.sort();
        all
    }

    #[test]
    fn a_message_is_done_with_its_last_file() {
        let mut desk = Desk::new(VISIBILITY);
        let tickets = desk.take(&message("a"), 3, None, at(0));
        assert_eq!((desk.messages(), desk.files(), desk.in_progress()), (1, 3, 3));
        assert!(desk.started(0) && desk.started(1));
        desk.waits(1, at(5));
        assert_eq!((desk.waiting(), desk.in_progress()), (1, 2));
        assert_eq!(desk.oldest_wait(at(9)), Some(at(4)));
        assert!(desk.ended(0, None).is_none());
        assert!(desk.ended(1, Some(Disposition::DeadLetter)).is_none());
        let done = desk.ended(tickets.end - 1, Some(Disposition::Discard)).unwrap();
        assert_eq!(done.disposition, Some(Disposition::DeadLetter));
        assert_eq!((desk.messages(), desk.files(), desk.waiting()), (0, 0, 0));
        assert!(desk.ended(0, None).is_none(), "a file ends once");
    }

    /// Messages that were taken ten at a time, and each at its own time: every one of them is extended, and
    /// counted from its own receive.
    #[test]
    fn regression_every_message_is_extended_at_half_its_own_timeout() {
        let mut desk = Desk::new(VISIBILITY);
        for second in 0..10 {
            for number in 0..10 {
                desk.take(&message(&format!("{second}-{number}")), 1, None, at(second));
            }
        }
        assert!(desk.due(at(149)).is_empty(), "not before half the timeout");
        for second in 0..10 {
            let due = receipts(desk.due(at(150 + second)));
            let expect: Vec<_> = (0..10).map(|number| format!("r-{second}-{number}")).collect();
            assert_eq!(due, expect);
        }
        assert!(desk.due(at(299)).is_empty());
        assert_eq!(desk.due(at(309)).len(), 100, "and again, for as long as they are held");
    }

    #[test]
    fn regression_what_waits_for_its_commit_is_extended_too() {
        let mut desk = Desk::new(VISIBILITY);
        desk.take(&message("listed"), 1, None, at(0));
        let started = desk.take(&message("started"), 1, None, at(0)).start;
        let waits = desk.take(&message("waits"), 1, None, at(0)).start;
        desk.started(started);
        desk.started(waits);
        desk.waits(waits, at(1));
        assert_eq!(receipts(desk.due(at(150))), ["r-listed", "r-started", "r-waits"]);
    }

    #[test]
    fn nothing_is_hidden_for_more_than_twelve_hours() {
        let mut desk = Desk::new(VISIBILITY);
        desk.take(&message("a"), 1, None, at(0));
        let mut last = Duration::ZERO;
        for second in 0..=MAX_VISIBILITY.as_secs() {
            for due in desk.due(at(second)) {
                assert!(at(second) + due.visibility <= MAX_VISIBILITY, "{second}: {due:?}");
                last = at(second) + due.visibility;
            }
        }
        assert_eq!(last, MAX_VISIBILITY - MARGIN);
    }

    #[test]
    fn an_extension_that_failed_is_asked_for_again_soon() {
        let mut desk = Desk::new(VISIBILITY);
        desk.take(&message("a"), 1, None, at(0));
        desk.take(&message("b"), 1, None, at(0));
        let due = desk.due(at(150));
        desk.not_extended(due[0].message, true, at(151));
        desk.not_extended(due[1].message, false, at(151));
        assert_eq!(desk.due(at(165)).len(), 0);
        assert_eq!(desk.due(at(166)).len(), 1);
        assert_eq!(desk.due(at(5_000)).len(), 1, "the other one is lost");
    }

    #[test]
    fn released_messages_leave_nothing() {
        let mut desk = Desk::new(VISIBILITY);
        let first = desk.take(&message("a"), 2, None, at(0)).start;
        desk.take(&message("b"), 2, None, at(0));
        desk.started(first);
        let released = desk.release_unstarted();
        assert_eq!(released.iter().map(|held| held.id.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!((desk.messages(), desk.files()), (1, 2));
        desk.waits(first, at(1));
        assert_eq!(desk.release_all().len(), 1);
        assert_eq!((desk.messages(), desk.files(), desk.waiting()), (0, 0, 0));
        assert!(!desk.started(first));
    }

    #[test]
    fn regression_state_does_not_grow_with_every_file_seen() {
        let mut desk = Desk::new(VISIBILITY);
        let mut most = 0;
        for round in 0..20_000_u64 {
            let ticket = desk.take(&message("a"), 1, None, at(round)).start;
            desk.started(ticket);
            desk.waits(ticket, at(round));
            most = most.max(desk.files());
            if round % 100 == 0 {
                desk.release_all();
            } else {
                desk.ended(ticket, None);
            }
        }
        assert_eq!((desk.messages.len(), desk.files.len(), desk.waiting.len()), (0, 0, 0));
        assert_eq!(most, 1);
        assert!(desk.files.capacity() < 100 && desk.messages.capacity() < 100);
    }
}
