//! Stops receiving while everything is refused anyway. Pure: no queue, no clock, no waiting.
//!
//! The lake's refusal opens it at once: nothing can be done without the lake. Refusals of the source open it
//! when many come in a row with no success between them, or a few and nothing else is under way: a single one
//! may be about a single object, or a message that somebody made up.
//!
//! While it is open, a probe asks again what was refused, after pauses that grow. When the probe finds it
//! answering, a few messages are tried; only their success closes it. Where an object is still refused, one
//! message is tried all the same, because others may fare better. So an outage costs few receives, each of
//! which counts towards the dead-letter queue.

use std::collections::VecDeque;
use std::time::Duration;

use crate::disposition::Refuser;
use crate::objects::Object;
use crate::queue::BATCH;

/// Refusals of the source in a row, while other files are under way that may yet succeed.
const IN_A_ROW: u32 = 10;
/// The same, where there are no others.
const ALONE_IN_A_ROW: u32 = 3;
/// Refused objects that are remembered, for probing.
const SUSPECTS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    /// Nothing is received; a probe is due then.
    Open(Duration),
    /// A probe is under way.
    Probing,
    /// So many messages may be tried, once none is held.
    Trial(usize),
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Probe {
    Lake,
    Object(Object),
}

#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    refuser: Refuser,
    in_a_row: u32,
    suspects: VecDeque<Object>,
    first_pause: Duration,
    longest_pause: Duration,
    pause: Duration,
}

impl Breaker {
    pub(super) fn new(first_pause: Duration, longest_pause: Duration) -> Self {
        Self {
            state: State::Closed,
            refuser: Refuser::Lake,
            in_a_row: 0,
            suspects: VecDeque::new(),
            first_pause,
            longest_pause: longest_pause.max(first_pause),
            pause: first_pause,
        }
    }

    /// The lake refused a batch. Returns whether receiving stops now.
    pub(super) fn lake_refused(&mut self, now: Duration) -> bool {
        self.open(Refuser::Lake, now)
    }

    /// An object was refused; `others` files are still under way. Returns whether receiving stops now.
    pub(super) fn source_refused(
        &mut self,
        object: Option<Object>,
        others: usize,
        now: Duration,
    ) -> bool {
        self.in_a_row = self.in_a_row.saturating_add(1);
        if let Some(object) = object.filter(|object| !self.suspects.contains(object)) {
            self.suspects.truncate(SUSPECTS - 1);
            self.suspects.push_front(object);
        }
        let on_trial = matches!(self.state, State::Trial(_)) && self.refuser == Refuser::Source;
        let enough = if others == 0 { ALONE_IN_A_ROW } else { IN_A_ROW };
        (on_trial || self.in_a_row >= enough) && self.open(Refuser::Source, now)
    }

    fn open(&mut self, refuser: Refuser, now: Duration) -> bool {
        match self.state {
            // Known already.
            State::Open(_) | State::Probing => return false,
            State::Trial(_) => self.pause = self.pause.saturating_mul(2).min(self.longest_pause),
            State::Closed => {}
        }
        self.refuser = refuser;
        self.state = State::Open(now + self.pause);
        true
    }

    /// An object was fetched, or a batch was committed. Returns whether that closes it.
    pub(super) fn worked(&mut self, refuser: Refuser) -> bool {
        if refuser == Refuser::Source {
            self.in_a_row = 0;
            self.suspects.clear();
        }
        if self.state == State::Closed || self.refuser != refuser {
            return false;
        }
        self.state = State::Closed;
        self.pause = self.first_pause;
        true
    }

    /// The probe that is due, if one is; it is then under way.
    pub(super) fn probe(&mut self, now: Duration) -> Option<Probe> {
        match self.state {
            State::Open(until) if until <= now => self.state = State::Probing,
            _ => return None,
        }
        Some(match self.refuser {
            Refuser::Lake => Probe::Lake,
            Refuser::Source => match self.suspects.pop_front() {
                Some(object) => {
                    // Another one next time: this one may be the only one that is refused.
                    self.suspects.push_back(object.clone());
                    Probe::Object(object)
                }
                None => Probe::Lake,
            },
        })
    }

    /// What the probe found.
    pub(super) fn probed(&mut self, answers: bool, now: Duration) {
        if self.state != State::Probing {
            return;
        }
        if answers {
            self.state = State::Trial(BATCH);
        } else if self.refuser == Refuser::Source {
            // This object may be the only one that is refused.
            self.state = State::Trial(1);
        } else {
            self.pause = self.pause.saturating_mul(2).min(self.longest_pause);
            self.state = State::Open(now + self.pause);
        }
    }

    /// How many messages may be received while so many are held.
    pub(super) fn allows(&self, held: usize) -> usize {
        match self.state {
            State::Closed => usize::MAX,
            State::Open(_) | State::Probing => 0,
            State::Trial(messages) => messages.saturating_sub(held),
        }
    }

    /// How long to keep away what is released now.
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    /// Why nothing is received, or little.
    pub(super) fn why(&self) -> Option<&'static str> {
        if self.state == State::Closed {
            return None;
        }
        Some(match self.refuser {
            Refuser::Lake => "the lake refuses",
            Refuser::Source => "the bucket or its key refuses, or everything is throttled",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn breaker() -> Breaker {
        Breaker::new(at(5), at(60))
    }

    fn object(key: &str) -> Object {
        Object { bucket: "b".to_owned(), key: key.to_owned(), version_id: None }
    }

    fn refuse(breaker: &mut Breaker, times: u32, now: Duration) -> bool {
        let refuse = |number: u32| Some(object(&number.to_string()));
        (0..times).any(|number| breaker.source_refused(refuse(number), 1, now))
    }

    #[test]
    fn a_few_refusals_among_successes_do_not_stop_it() {
        let mut breaker = breaker();
        for _ in 0..100 {
            assert!(!refuse(&mut breaker, IN_A_ROW - 1, at(0)));
            breaker.worked(Refuser::Source);
        }
        assert_eq!((breaker.allows(0), breaker.why()), (usize::MAX, None));
        assert!(refuse(&mut breaker, IN_A_ROW, at(0)));
        assert_eq!(breaker.allows(0), 0);
        assert!(breaker.why().is_some());

        let mut breaker = self::breaker();
        assert!(!breaker.source_refused(Some(object("k")), 0, at(0)));
        assert!(!breaker.source_refused(Some(object("k")), 0, at(0)));
        assert!(breaker.source_refused(Some(object("k")), 0, at(0)), "there is nothing else");
    }

    #[test]
    fn probes_come_with_growing_pauses_and_success_closes_it() {
        let mut breaker = breaker();
        assert!(breaker.lake_refused(at(0)));
        assert!(!breaker.lake_refused(at(0)), "it is open already");
        let mut now = at(0);
        for pause in [5, 10, 20, 40, 60, 60] {
            assert_eq!(breaker.probe(now + at(pause - 1)), None);
            now += at(pause);
            assert_eq!(breaker.probe(now), Some(Probe::Lake));
            assert_eq!((breaker.probe(now), breaker.allows(0)), (None, 0), "one at a time");
            breaker.probed(false, now);
        }
        breaker.probe(now + at(60));
        breaker.probed(true, now + at(60));
        assert_eq!((breaker.allows(0), breaker.allows(BATCH)), (BATCH, 0), "a few are tried");
        assert!(!breaker.worked(Refuser::Source), "that is not what refused");
        assert!(breaker.worked(Refuser::Lake));
        assert_eq!((breaker.allows(0), breaker.why()), (usize::MAX, None));
    }

    #[test]
    fn a_failed_trial_waits_longer() {
        let mut breaker = breaker();
        breaker.lake_refused(at(0));
        breaker.probe(at(5));
        breaker.probed(true, at(5));
        assert!(breaker.lake_refused(at(6)));
        assert_eq!(breaker.probe(at(15)), None);
        assert_eq!(breaker.probe(at(16)), Some(Probe::Lake));
    }

    #[test]
    fn suspects_take_turns_and_each_time_one_message_is_tried() {
        let mut breaker = breaker();
        refuse(&mut breaker, IN_A_ROW, at(0));
        let mut asked = Vec::new();
        let mut now = at(0);
        for pause in [5, 10, 20, 40, 60, 60] {
            assert_eq!(breaker.probe(now + at(pause - 1)), None, "after {pause}");
            now += at(pause);
            match breaker.probe(now) {
                Some(Probe::Object(object)) => asked.push(object.key),
                other => panic!("{other:?}"),
            }
            breaker.probed(false, now);
            assert_eq!((breaker.allows(0), breaker.allows(1)), (1, 0));
            assert!(breaker.source_refused(None, 0, now), "one refusal ends the trial");
        }
        asked.sort();
        asked.dedup();
        assert!(asked.len() >= 4, "{asked:?}");
        assert!(breaker.suspects.len() <= SUSPECTS);
        now += at(60);
        breaker.probe(now);
        breaker.probed(false, now);
        assert!(breaker.worked(Refuser::Source), "and one success");
        assert_eq!(breaker.allows(0), usize::MAX);
    }
}
