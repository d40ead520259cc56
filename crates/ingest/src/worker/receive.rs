//! From messages to files: what a message asks for, and the pause after a receive that failed.

use std::time::Duration;

use super::pause;
use super::run::Running;
use crate::IngestError;
use crate::disposition::Disposition;
use crate::layout::{self, Named, Other};
use crate::metrics::QueueState;
use crate::notification::{self, Created};
use crate::objects::Object;
use crate::queue::{BATCH, Message, QueueError};
use crate::source::{Candidate, Place};

/// A receive that fails is repeated after a pause that grows up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Files held at once, for each message that may be: CloudTrail's own notice may name thousands.
const FILES_PER_MESSAGE: usize = 16;

impl Running {
    /// How many messages may be received now.
    pub(super) fn may_receive(&self) -> usize {
        let held = self.desk.messages();
        let room = self.settings.max_messages.max(1).saturating_sub(held);
        let most_files = self.settings.max_messages.max(1).saturating_mul(FILES_PER_MESSAGE);
        if self.stopping.is_some() || self.desk.files() >= most_files {
            return 0;
        }
        room.min(self.breaker.allows(held)).min(BATCH)
    }

    /// Starts a receive, where one may start.
    pub(super) fn start_receive(&mut self, now: Duration) {
        let max = self.may_receive();
        if self.receive.is_some() || max == 0 || now < self.receive_after {
            return;
        }
        let queue = std::sync::Arc::clone(&self.queue);
        let (wait, visibility) = (self.poll_wait(), self.settings.visibility_timeout);
        self.receive = Some(Box::pin(async move { queue.receive(max, wait, visibility).await }));
    }

    pub(super) fn received(
        &mut self,
        result: Result<Vec<Message>, QueueError>,
        now: Duration,
    ) -> Result<(), IngestError> {
        self.receive = None;
        let messages = match result {
            Ok(messages) => messages,
            Err(error) => return self.receive_failed(error, now),
        };
        self.receive_failures = 0;
        self.has_received = true;
        self.metrics.queue(QueueState::Answers);
        if messages.is_empty() {
            self.empty_receives = self.empty_receives.saturating_add(1);
        } else {
            (self.empty_receives, self.asked_after) = (0, 0);
        }
        // A poll under way when receiving stopped may still bring messages.
        let refused = self.breaker.allows(self.desk.messages()) == 0;
        for message in messages {
            if self.stopping.is_some() || refused {
                let pause = if refused { self.breaker.pause() } else { Duration::ZERO };
                self.acks.release(message.receipt, pause);
                self.metrics.message("released");
            } else {
                self.take(&message, now);
            }
        }
        Ok(())
    }

    fn receive_failed(&mut self, error: QueueError, now: Duration) -> Result<(), IngestError> {
        self.metrics.queue(QueueState::Fails(error.to_string()));
        // From the start, it is the settings or the permissions; later, it may pass.
        if error.lasts() && !self.has_received {
            return Err(error.into());
        }
        self.receive_failures = self.receive_failures.saturating_add(1);
        let pause = pause::growing(FIRST_PAUSE, LONGEST_PAUSE, self.receive_failures);
        self.receive_after = now + pause;
        tracing::warn!(%error, pause_seconds = pause.as_secs_f64(), "receiving failed");
        Ok(())
    }

    /// Takes a message: its files are to be fetched, or it is done with at once.
    fn take(&mut self, message: &Message, now: Duration) {
        let notification = match notification::read(&message.body) {
            Ok(notification) => notification,
            Err(reason) => return self.poison(message, &reason.to_string()),
        };
        let (mut files, mut passed_over) = (Vec::new(), Vec::new());
        for created in notification.created {
            match layout::of_key(&created.key) {
                Named::LogFile(layout) => files.push((created, layout)),
                // A digest, an Insights file, or another program's object in the same bucket.
                Named::NotALogFile(other) => {
                    self.metrics.file("not_a_log_file");
                    passed_over.push((created, other));
                }
            }
        }
        say_passed_over(message, &passed_over);
        let disposition = match notification.bad.as_slice() {
            [] => None,
            bad if files.is_empty() => return self.poison(message, &bad.join(", ")),
            bad => {
                let (message_id, reason) = (message.id.as_str(), bad.join(", "));
                tracing::warn!(message_id, reason, "part of a message cannot be read");
                Some(Disposition::DeadLetter)
            }
        };
        if files.is_empty() {
            if passed_over.is_empty() {
                let message_id = message.id.as_str();
                let ignored = notification.ignored;
                tracing::info!(message_id, ignored, "message announces no object; it is deleted");
            }
            self.acks.delete(message.receipt.clone());
            self.metrics.message("nothing_to_do");
            return;
        }
        let tickets = self.desk.take(message, files.len(), disposition, now);
        for (ticket, (created, layout)) in tickets.zip(files) {
            let place = Place::Object(Object {
                bucket: created.bucket,
                key: created.key,
                version_id: created.version_id,
            });
            let bytes = created.bytes.unwrap_or(0);
            self.backlog.push_back(Candidate { place, layout, bytes, etag: created.etag, ticket });
        }
    }

    /// A message that cannot be read stays in the queue, which moves it on after so many receives.
    fn poison(&mut self, message: &Message, reason: &str) {
        let message_id = message.id.as_str();
        let receive_count = message.receive_count;
        tracing::warn!(
            message_id,
            receive_count,
            reason,
            "message cannot be read; it is left to the dead-letter queue"
        );
        self.acks.release(message.receipt.clone(), self.poison_pause(receive_count));
        self.metrics.message("dead_letter");
    }

    /// Short, so that the message moves on in time; but where there is no dead-letter queue, it goes round
    /// for days, and then slower and slower.
    pub(super) fn poison_pause(&self, receive_count: u32) -> Duration {
        let settings = &self.settings;
        pause::growing(settings.poison_delay, settings.retry_cap, 1 + receive_count / 100)
    }

    /// The queue gave nothing several times, nothing is held, and its own counts say that it is empty.
    pub(super) async fn is_drained(&mut self) -> bool {
        let quiet = self.desk.messages() == 0 && self.acks.idle();
        let asked = self.asked_after == self.empty_receives;
        if !self.settings.drain || !quiet || self.empty_receives < 2 || asked {
            return false;
        }
        self.asked_after = self.empty_receives;
        match self.queue.attributes().await {
            Ok(attributes) => attributes.is_empty(),
            // Not everybody may ask; then many empty receives must do.
            Err(error) => error.lasts() && self.empty_receives >= 5,
        }
    }

    /// Someone who waits for the queue to be empty does not want to wait long.
    fn poll_wait(&self) -> Duration {
        if self.settings.drain {
            self.settings.poll_wait.min(Duration::from_secs(1))
        } else {
            self.settings.poll_wait
        }
    }
}

/// Nothing is deleted without a word: one line for each message, with the first of the objects.
fn say_passed_over(message: &Message, passed_over: &[(Created, Other)]) {
    let Some((created, other)) = passed_over.first() else { return };
    // As text, so that it is quoted: a key may hold anything.
    let first = format!("s3://{}/{}", created.bucket, created.key);
    let (message_id, what) = (message.id.as_str(), other.to_string());
    tracing::info!(
        message_id,
        objects = passed_over.len(),
        first,
        what,
        "objects that are no CloudTrail log files are passed over"
    );
}
