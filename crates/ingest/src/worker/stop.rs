//! How the worker stops: commits what is read if there is time, releases the rest, loses nothing.
//!
//! Of the time that it has, a quarter is for files that are being read, up to four fifths for commits, and
//! the rest for telling the queue. Whatever is not durable by then is released and delivered again.

use std::time::Duration;

use super::run::Running;
use crate::IngestError;

impl Running {
    /// Stops receiving, and releases what was not begun.
    pub(super) fn begin_stop(&mut self, now: Duration) {
        self.stopping = Some(now);
        self.metrics.receiving(false);
        // A poll that is cut off may have taken messages; they come back when their timeout ends. It gets a
        // moment to answer, see `has_stopped`.
        self.feed = None;
        let released = self.desk.release_unstarted();
        let (released_now, held) = (released.len(), self.desk.messages());
        tracing::info!(released = released_now, held, "stopping");
        for message in released {
            self.acks.release(message.receipt, Duration::ZERO);
            self.metrics.message("released");
        }
        self.backlog.clear();
    }

    /// What is read is committed when no more will be, or when it is time.
    pub(super) fn must_flush_to_stop(&self, now: Duration) -> bool {
        self.stopping.is_some_and(|since| {
            now >= since + self.settings.stop_within / 4 || self.desk.under_way() == 0
        })
    }

    /// Nothing more can be done, or there is no more time for it.
    pub(super) fn has_stopped(&mut self, now: Duration) -> bool {
        let Some(since) = self.stopping else { return false };
        if now >= since + self.settings.stop_within.mul_f64(0.05) {
            self.receive = None;
        }
        // A message may still be held of which some files were never begun.
        let nothing_comes = self.receive.is_none() && !self.flushing && self.desk.waiting() == 0;
        let nothing_left = nothing_comes && self.acks.idle() && self.desk.under_way() == 0;
        nothing_left || now >= since + self.settings.stop_within.mul_f64(0.8)
    }

    /// Releases what is still held, and tells the queue all there is to tell, in the time that is left.
    pub(super) async fn finish(&mut self) -> Result<(), IngestError> {
        for message in self.desk.release_all() {
            self.acks.release(message.receipt, Duration::ZERO);
            self.metrics.message("released");
        }
        self.metrics.in_flight(0);
        let left = match self.stopping {
            Some(since) => (since + self.settings.stop_within).saturating_sub(self.now()),
            None => self.settings.stop_within,
        };
        self.tell_for(left).await;
        Ok(())
    }

    /// Releases everything with a delay, because this worker cannot go on and the next one may not either.
    pub(super) async fn give_up(&mut self, now: Duration) {
        self.stopping = Some(now);
        for message in self.desk.release_all() {
            self.acks.release(message.receipt, self.settings.breaker_base);
            self.metrics.message("released");
        }
        self.metrics.in_flight(0);
        self.tell_for(self.settings.stop_within / 5).await;
    }

    async fn tell_for(&mut self, time: Duration) {
        let elapsed = std::sync::Arc::clone(&self.settings.elapsed);
        if tokio::time::timeout(time, self.acks.finish(&elapsed)).await.is_err() {
            tracing::warn!("the queue did not hear of every message; they come back by themselves");
        }
    }
}
