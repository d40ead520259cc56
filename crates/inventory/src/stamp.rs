//! As of when something that was read tells, and where that time is from.
//!
//! What IAM says of a thing holds up to the moment when it was asked. So every part keeps the oldest of the
//! times that it rests on; a newer file beside it, or another account's, changes nothing of that.

use std::collections::{BTreeMap, BTreeSet};

use rolecall_lake::inventory::{PartRow, TimeFrom};

use crate::parts::Part;

/// A time in microseconds; the lesser one is the older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) at: i64,
    pub(crate) from: TimeFrom,
}

/// Parts that were read, each with its time; without one where AWS was asked.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    read: BTreeSet<Part>,
    times: BTreeMap<Part, Stamp>,
}

impl Parts {
    pub(crate) fn contains(&self, part: &Part) -> bool {
        self.read.contains(part)
    }

    pub(crate) fn insert(&mut self, part: Part) {
        self.read.insert(part);
    }

    pub(crate) fn extend(&mut self, parts: impl IntoIterator<Item = Part>) {
        self.read.extend(parts);
    }

    pub(crate) fn remove(&mut self, part: &Part) {
        self.read.remove(part);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.read.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Part> {
        self.read.iter()
    }

    /// It was read as of then.
    pub(crate) fn tell(&mut self, part: Part, stamp: Option<Stamp>) {
        self.insert(part);
        self.note(part, stamp);
    }

    /// It rests on something of that time too, whether or not all of it was read.
    pub(crate) fn note(&mut self, part: Part, stamp: Option<Stamp>) {
        let oldest = self.times.get(&part).copied().into_iter().chain(stamp).min();
        if let Some(oldest) = oldest {
            self.times.insert(part, oldest);
        }
    }

    /// It rests on this alone.
    pub(crate) fn set(&mut self, part: Part, stamp: Stamp) {
        self.times.insert(part, stamp);
    }

    pub(crate) fn time(&self, part: Part) -> Option<Stamp> {
        self.times.get(&part).copied()
    }

    /// The rows of the parts that were read; `asked` is the time of those that have none of their own.
    pub(crate) fn rows(&self, asked: Stamp) -> Vec<PartRow> {
        let row = |part: &Part| {
            let stamp = self.time(*part).unwrap_or(asked);
            PartRow { part: part.as_str().to_owned(), read_at: stamp.at, time_from: stamp.from }
        };
        self.read.iter().map(row).collect()
    }
}
