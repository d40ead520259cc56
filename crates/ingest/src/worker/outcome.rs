//! What happens to files and batches, and what follows for their messages.

use std::time::Duration;

use super::desk::Held;
use super::events::Event;
use super::pause;
use super::run::Running;
use crate::IngestError;
use crate::disposition::{self, Disposition, Refuser};
use crate::objects::Object;
use crate::pipeline::{End, Origin};

impl Running {
    pub(super) fn event(&mut self, event: Event, now: Duration) {
        match event {
            Event::Waits(ticket) => {
                self.desk.waits(ticket, now);
                self.worked(Refuser::Source);
            }
            // At once, and not when the refusal is recorded: an outage must not walk on meanwhile.
            Event::SourceRefused(origin) => self.source_refused(&origin.file, now),
            Event::UnreadWaits(ticket) => self.desk.waits(ticket, now),
            Event::Ended(origin, end) => self.ended(&origin, end, now),
            Event::Broken(origins, error) => self.broken(&origins, error, now),
            Event::Durable => self.worked(Refuser::Lake),
            Event::Flushed => self.flushing = false,
            Event::Probed(refuser, answer) => self.probed(refuser, answer, now),
        }
    }

    fn probed(&mut self, refuser: Refuser, answer: Result<(), IngestError>, now: Duration) {
        self.breaker.probed(answer.is_ok(), now);
        match answer {
            Ok(()) => tracing::info!(?refuser, "it answers; a few messages are tried"),
            Err(error) => {
                tracing::warn!(problem = error.to_string(), "it still refuses");
                if disposition::judge(&error, 1).fatal {
                    self.fatal = Some(error);
                }
            }
        }
    }

    fn ended(&mut self, origin: &Origin, end: End, now: Duration) {
        let file = origin.file.as_str();
        let held = self.desk.message_of(origin.ticket);
        let (receive_count, sent_at) =
            held.map_or((1, None), |held| (held.receive_count, held.sent_at));
        let mut disposition = None;
        match end {
            End::Committed(account) => {
                self.metrics.file("committed");
                self.metrics.records(account.seen, account.rejected);
                let wall = (self.settings.now)();
                if let Some(last) = account.last_event_time {
                    self.metrics.event_lag(wall.saturating_sub(last));
                }
                if let Some(sent_at) = sent_at {
                    self.metrics.delivery_lag(wall.saturating_sub(sent_at));
                }
                if account.rejected > 0 {
                    tracing::warn!(file, rejected = account.rejected, "records were rejected");
                }
            }
            End::Known => self.metrics.file("known"),
            End::Replaced => {
                tracing::warn!(file, "the lake holds this log file with other content");
                self.metrics.file("replaced");
            }
            End::Refused(reason) => {
                tracing::warn!(file, reason, "not a log file; the ledger has it as refused");
                self.metrics.file("refused");
            }
            End::Unread(error) => {
                let judged = disposition::judge(&error, receive_count).disposition;
                self.say_failed(&error, judged, receive_count);
                disposition = Some(judged);
            }
            End::Failed(error) => {
                disposition = Some(self.failed(file, error, receive_count, now));
            }
        }
        if let Some(held) = self.desk.ended(origin.ticket, disposition) {
            self.finished(held);
        }
    }

    fn failed(
        &mut self,
        file: &str,
        error: IngestError,
        receive_count: u32,
        now: Duration,
    ) -> Disposition {
        let judgement = disposition::judge(&error, receive_count);
        self.say_failed(&error, judgement.disposition, receive_count);
        match judgement.refuser {
            Some(Refuser::Lake) => self.lake_refused(now),
            Some(Refuser::Source) => self.source_refused(file, now),
            None => {}
        }
        if judgement.fatal {
            self.fatal = Some(error);
        }
        judgement.disposition
    }

    fn say_failed(&self, error: &IngestError, disposition: Disposition, receive_count: u32) {
        self.metrics.file(match (error, disposition) {
            (IngestError::TooLarge { .. }, _) => "refused",
            (_, Disposition::Discard) => "archived",
            _ => "failed",
        });
        // As text, so that it is quoted: it holds a key, and a key may hold anything.
        let problem = error.to_string();
        tracing::warn!(problem, ?disposition, receive_count, "a file could not be read");
    }

    fn source_refused(&mut self, file: &str, now: Duration) {
        // This file is still among them.
        let others = self.desk.in_progress().saturating_sub(1);
        if self.breaker.source_refused(object_of(file), others, now) {
            self.stop_receiving(Refuser::Source);
        }
    }

    fn broken(&mut self, origins: &[Origin], error: IngestError, now: Duration) {
        let judgement = disposition::judge(&error, 1);
        tracing::warn!(%error, files = origins.len(), "a batch could not be committed");
        for origin in origins {
            self.metrics.file("failed");
            if let Some(held) = self.desk.ended(origin.ticket, Some(judgement.disposition)) {
                self.finished(held);
            }
        }
        if judgement.fatal {
            self.fatal = Some(error);
        }
        self.lake_refused(now);
    }

    fn lake_refused(&mut self, now: Duration) {
        if self.breaker.lake_refused(now) {
            self.stop_receiving(Refuser::Lake);
        }
    }

    fn worked(&mut self, refuser: Refuser) {
        if self.breaker.worked(refuser) {
            tracing::info!("receiving goes on");
            self.metrics.breaker(None);
        }
    }

    /// Releases what is held, with a delay: somebody else may fare better, but not at once.
    fn stop_receiving(&mut self, refuser: Refuser) {
        let released = match refuser {
            Refuser::Lake => self.desk.release_all(),
            // What is under way ends by itself, and what is read can be committed.
            Refuser::Source => self.desk.release_unstarted(),
        };
        let why = self.breaker.why();
        self.metrics.breaker(why);
        tracing::error!(why, released = released.len(), "receiving stops");
        for held in released {
            let delay = self.breaker.pause() + self.retry_pause(held.receive_count);
            self.acks.release(held.receipt, delay);
            self.metrics.message("released");
        }
        self.forget_released();
    }

    /// Files of messages that are not held any more need not be fetched.
    fn forget_released(&mut self) {
        let desk = &self.desk;
        self.backlog.retain(|candidate| desk.message_of(candidate.ticket).is_some());
    }

    /// Every file of a message has ended.
    fn finished(&mut self, held: Held) {
        match held.disposition {
            None | Some(Disposition::Discard) => {
                self.acks.delete(held.receipt);
                self.metrics.message("committed");
            }
            Some(Disposition::Retry) => {
                self.acks.release(held.receipt, self.retry_pause(held.receive_count));
                self.metrics.message("retried");
            }
            Some(Disposition::DeadLetter) => {
                let message_id = held.id.as_str();
                tracing::warn!(message_id, "message is left to the dead-letter queue");
                self.acks.release(held.receipt, self.poison_pause(held.receive_count));
                self.metrics.message("dead_letter");
            }
        }
    }

    fn retry_pause(&self, receive_count: u32) -> Duration {
        pause::growing(self.settings.retry_base, self.settings.retry_cap, receive_count)
    }
}

/// The object that a file's name stands for. Its version is of no matter to a probe.
fn object_of(file: &str) -> Option<Object> {
    let (bucket, key) = file.strip_prefix("s3://")?.split_once('/')?;
    Some(Object { bucket: bucket.to_owned(), key: key.to_owned(), version_id: None })
}
