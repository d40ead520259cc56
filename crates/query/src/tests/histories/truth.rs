//! What really happened in an account, known from intent, and what its logs and IAM could tell of it.
//!
//! Knows AWS's habits (IAM's lag, what trails leave out, what a deleted key takes with it) and nothing of rolecall's.

use std::collections::BTreeMap;

/// Microseconds since the epoch.
pub(super) type Time = i64;

pub(super) const MINUTE: Time = 60_000_000;
pub(super) const HOUR: Time = 60 * MINUTE;
pub(super) const DAY: Time = 24 * HOUR;
/// What IAM tells of last uses may be so much behind.
pub(super) const LAG: Time = 4 * HOUR;
/// IAM looks back so far for the last use of a role.
pub(super) const ROLE_MEMORY: Time = 400 * DAY;

/// Where IAM's changes are logged.
pub(super) const HOME: &str = "us-east-1";
pub(super) const OTHER: &str = "eu-west-1";
/// No trail delivers it.
pub(super) const UNHELD: &str = "ap-southeast-1";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    User,
    Key,
    Password,
    /// A credential for a single service.
    Service,
    Role,
}

/// What a credential was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Write,
    Read,
    /// In no trail here.
    Data,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    pub(super) time: Time,
    pub(super) call: Call,
    pub(super) region: &'static str,
    /// IAM knows of it after so long.
    pub(super) lag: Time,
    /// It is in the logs that the lake has.
    pub(super) seen: bool,
}

/// One life of something: what is made again under its name is another.
#[derive(Debug, Clone)]
pub(super) struct Thing {
    pub(super) sort: Sort,
    /// Name of the role or user; of a credential, its user's.
    pub(super) name: String,
    pub(super) id: String,
    /// The user that a credential belongs to, by place in [`Account::things`].
    pub(super) owner: Option<usize>,
    pub(super) made: Time,
    pub(super) gone: Option<Time>,
    /// Of a key, since when it is active (true) or inactive, in order; made active.
    pub(super) switched: Vec<(Time, bool)>,
    /// Of a password, when it was set anew.
    pub(super) reset: Vec<Time>,
    pub(super) uses: Vec<Use>,
}

impl Thing {
    pub(super) fn exists(&self, at: Time) -> bool {
        self.made <= at && self.gone.is_none_or(|gone| at < gone)
    }

    pub(super) fn active(&self, at: Time) -> bool {
        let last = self.switched.iter().rev().find(|(time, _)| *time <= at);
        self.exists(at) && last.is_none_or(|(_, active)| *active)
    }

    /// When it was made, or last set anew, before `at`.
    pub(super) fn renewed(&self, at: Time) -> Time {
        self.reset.iter().copied().filter(|time| *time <= at).fold(self.made, Time::max)
    }

    /// The last use that IAM tells when it is asked at `asked`.
    pub(super) fn told(&self, asked: Time) -> Option<Use> {
        let known = self.uses.iter().filter(|usage| usage.time + usage.lag <= asked);
        let known =
            known.filter(|usage| self.sort != Sort::Role || usage.time > asked - ROLE_MEMORY);
        known.copied().max_by_key(|usage| usage.time)
    }

    /// The last use after `from`, until `to`.
    pub(super) fn used(&self, from: Time, to: Time) -> Option<Use> {
        let within = self.uses.iter().filter(|usage| from < usage.time && usage.time <= to);
        within.copied().max_by_key(|usage| usage.time)
    }

    pub(super) fn seen(&self, from: Time, to: Time) -> Option<Use> {
        let within = self.uses.iter().filter(|usage| from < usage.time && usage.time <= to);
        within.filter(|usage| usage.seen).copied().max_by_key(|usage| usage.time)
    }
}

/// A change in IAM, or an attempt at one.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) time: Time,
    pub(super) event: &'static str,
    pub(super) of: usize,
    pub(super) failed: bool,
    pub(super) seen: bool,
}

/// What the lake has of the log files of a region and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    Whole,
    /// One of two files was refused: some records are there.
    Half,
}

/// Part of an inventory; each has its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Users,
    Report,
    Keys,
    KeyUses,
    Roles,
    RoleUses,
    /// Service-specific credentials, SSH keys, certificates, MFA devices.
    Others,
}

impl Part {
    pub(super) const ALL: [Self; 7] = [
        Self::Users,
        Self::Report,
        Self::Keys,
        Self::KeyUses,
        Self::Roles,
        Self::RoleUses,
        Self::Others,
    ];

    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Users => &["users", "groups"],
            Self::Report => &["credential_report"],
            Self::Keys => &["access_keys"],
            Self::KeyUses => &["access_key_last_used"],
            Self::Roles => &["roles", "trust_statements", "attachments"],
            Self::RoleUses => &["role_last_used"],
            Self::Others => &[
                "service_specific_credentials",
                "ssh_public_keys",
                "signing_certificates",
                "mfa_devices",
            ],
        }
    }
}

/// An inventory: what was read, and when.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading(pub(super) BTreeMap<Part, Time>);

impl Reading {
    pub(super) fn at(&self, part: Part) -> Option<Time> {
        self.0.get(&part).copied()
    }

    /// The snapshot's own time.
    pub(super) fn taken(&self) -> Time {
        self.0.values().copied().max().unwrap()
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    pub(super) number: String,
    pub(super) things: Vec<Thing>,
    pub(super) changes: Vec<Change>,
    /// By region and day since the epoch.
    pub(super) logs: BTreeMap<(&'static str, i64), Held>,
    /// The trail leaves read events out.
    pub(super) write_only: bool,
    /// In the order of their time.
    pub(super) readings: Vec<Reading>,
    /// Sign-ins and role calls that failed: no use of anything. Thing and time.
    pub(super) refused: Vec<(usize, Time)>,
}

impl Account {
    pub(super) fn new(number: impl Into<String>) -> Self {
        Self { number: number.into(), ..Self::default() }
    }

    /// Whether the lake has the record of a call.
    pub(super) fn recorded(&self, time: Time, call: Call, region: &'static str) -> bool {
        let left_out = call == Call::Data || call == Call::Read && self.write_only;
        // CloudTrail delivers five minutes later; days are those of delivery.
        let day = (time + 5 * MINUTE) / DAY;
        !left_out
            && match self.logs.get(&(region, day)) {
                Some(Held::Whole) => true,
                Some(Held::Half) => time / MINUTE % 2 == 0,
                None => false,
            }
    }

    /// Whether all of a region's days from that of `from` to the one before that of `to` are held.
    pub(super) fn holds(&self, region: &'static str, from: Time, to: Time) -> bool {
        (from / DAY..to / DAY).all(|day| self.logs.get(&(region, day)) == Some(&Held::Whole))
    }

    /// Whether every whole day between them has some region held.
    pub(super) fn holds_any(&self, from: Time, to: Time) -> bool {
        ((from + DAY - 1) / DAY..to / DAY).all(|day| {
            [HOME, OTHER].iter().any(|region| self.logs.get(&(region, day)) == Some(&Held::Whole))
        })
    }

    pub(super) fn add(&mut self, thing: Thing) -> usize {
        self.things.push(thing);
        self.things.len() - 1
    }

    pub(super) fn changed(&mut self, time: Time, event: &'static str, of: usize) {
        let seen = self.recorded(time, Call::Write, HOME);
        self.changes.push(Change { time, event, of, failed: false, seen });
    }

    pub(super) fn tried(&mut self, time: Time, event: &'static str, of: usize) {
        self.changed(time, event, of);
        self.changes.last_mut().unwrap().failed = true;
    }

    pub(super) fn uses(
        &mut self,
        of: usize,
        time: Time,
        call: Call,
        region: &'static str,
        lag: Time,
    ) {
        let seen = self.recorded(time, call, region);
        self.things[of].uses.push(Use { time, call, region, lag, seen });
    }

    pub(super) fn credentials_of(&self, user: usize) -> impl Iterator<Item = &Thing> {
        self.things.iter().filter(move |thing| thing.owner == Some(user))
    }

    /// Changes of a thing that the logs show after `from`, until `to`.
    pub(super) fn logged(&self, of: usize, from: Time, to: Time) -> impl Iterator<Item = &Change> {
        let within = move |change: &&Change| from < change.time && change.time <= to;
        let shown = move |change: &&Change| change.seen && !change.failed && change.of == of;
        self.changes.iter().filter(within).filter(shown)
    }
}
