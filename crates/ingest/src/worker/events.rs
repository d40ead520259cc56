//! What the stages tell the worker about files, as messages to its loop.

use tokio::sync::mpsc;

use crate::disposition::{self, Refuser};
use crate::pipeline::{End, Origin, Watch};
use crate::{IngestError, Metrics};

/// Something that happened to a file, or to all of a batch.
#[derive(Debug)]
pub(super) enum Event {
    /// The file is read, and waits for its commit.
    Waits(u64),
    /// The source refused the file, which is recorded before it is done with.
    SourceRefused(Origin),
    /// That waits for its commit.
    UnreadWaits(u64),
    /// The file is done with.
    Ended(Origin, End),
    /// A batch could not be committed.
    Broken(Vec<Origin>, IngestError),
    /// A batch was committed.
    Durable,
    /// All batches that were open when it was asked for are committed, or broken.
    Flushed,
    /// A probe came back: who was asked, and how it still refuses.
    Probed(Refuser, Result<(), IngestError>),
}

/// Sends them. Unbounded: there are never more than a few for each file that is held.
#[derive(Debug, Clone)]
pub(super) struct Reporter {
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) metrics: Metrics,
}

impl Reporter {
    pub(super) fn send(&self, event: Event) {
        // A closed channel means that the worker is gone, and nobody wants to know.
        let _ = self.events.send(event);
    }
}

impl Watch for Reporter {
    fn read(&self, bytes: u64) {
        self.metrics.read(bytes);
    }

    fn inflated(&self, bytes: u64) {
        self.metrics.inflated(bytes);
    }

    fn waits(&self, origin: &Origin) {
        self.send(Event::Waits(origin.ticket));
    }

    fn unread(&self, origin: &Origin, error: &IngestError) {
        if disposition::judge(error, 1).refuser == Some(Refuser::Source) {
            self.send(Event::SourceRefused(origin.clone()));
        }
    }

    fn unread_waits(&self, origin: &Origin) {
        self.send(Event::UnreadWaits(origin.ticket));
    }

    fn ended(&self, origin: Origin, end: End) {
        self.send(Event::Ended(origin, end));
    }
}
