//! The rule, held against the truth: when may a verdict say that something can go?
//!
//! Silence proves something only up to K, when IAM was asked about the thing, less its lag. Logs only ever add.

use super::iam;
use super::truth::{Account, DAY, HOME, LAG, Part, Reading, Sort, Thing, Time};

/// A report's parameters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) threshold: i64,
    pub(super) grace: i64,
    pub(super) soak: i64,
    pub(super) oldest: i64,
}

/// Who is judged, when, and by which limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) account: &'a Account,
    pub(super) of: usize,
    pub(super) as_of: Time,
    pub(super) limits: Limits,
}

/// Why a verdict may not be given.
pub(super) type Objection = &'static str;

pub(super) const NOT_ASKED: Objection = "IAM was never asked about it";
pub(super) const ASKED_LONG_AGO: Objection = "IAM was asked too long ago";
pub(super) const YOUNG: Objection = "it was too young when IAM was asked";
pub(super) const USED_BEFORE: Objection = "it was used within the threshold before IAM was asked";
pub(super) const USED_SINCE: Objection = "the logs show a use since IAM was asked";
pub(super) const CHANGED_SINCE: Objection = "the logs show a change since IAM was asked";
pub(super) const REACTIVATED: Objection = "it was activated again shortly before IAM was asked";
pub(super) const ACTIVE: Objection = "the key was active at the end of the last whole day";
pub(super) const USED_BEFORE_OFF: Objection =
    "it was used within the threshold before its deactivation";
pub(super) const ASKED_BEFORE_OFF: Objection = "IAM was asked before the deactivation";
pub(super) const SOAKING: Objection = "it was deactivated less than the soak ago";
pub(super) const UNWATCHED: Objection =
    "a reactivation since its status was read could not have been seen";
pub(super) const UNHELD_BEFORE: Objection =
    "logs are not held through the whole threshold before the deactivation";
pub(super) const HAS_CREDENTIALS: Objection = "it has a credential";
pub(super) const NOT_ALL_READ: Objection = "not all kinds of credentials were read";
pub(super) const WAS_USED: Objection = "never used is not true of it";

/// All of them.
pub(super) const OBJECTIONS: [Objection; 16] = [
    NOT_ASKED,
    ASKED_LONG_AGO,
    YOUNG,
    USED_BEFORE,
    USED_SINCE,
    CHANGED_SINCE,
    REACTIVATED,
    ACTIVE,
    USED_BEFORE_OFF,
    ASKED_BEFORE_OFF,
    SOAKING,
    UNWATCHED,
    UNHELD_BEFORE,
    HAS_CREDENTIALS,
    NOT_ALL_READ,
    WAS_USED,
];

/// Inventories until `as_of`, the newest first.
fn readings(account: &Account, as_of: Time) -> impl Iterator<Item = &Reading> {
    account.readings.iter().rev().filter(move |reading| reading.taken() <= as_of)
}

impl<'a> Case<'a> {
    fn thing(&self) -> &'a Thing {
        &self.account.things[self.of]
    }

    /// K: up to when IAM was asked about it.
    pub(super) fn known_until(&self) -> Option<Time> {
        let of = |reading: &Reading| match self.thing().sort {
            Sort::Role => {
                let roles = iam::roles(self.account, reading).into_iter();
                roles.filter(|(role, _)| *role == self.of).filter_map(|(_, asked)| asked).max()
            }
            Sort::User => None,
            _ => {
                let keys = iam::keys(self.account, reading).into_iter();
                keys.filter(|key| key.of == self.of).filter_map(|key| key.asked).max()
            }
        };
        if self.thing().sort == Sort::User {
            return self.user_known_until();
        }
        readings(self.account, self.as_of).filter_map(of).max().map(|asked| asked - LAG)
    }

    /// Of a user: the older of the words on its password and on its keys.
    fn user_known_until(&self) -> Option<Time> {
        let listed = |reading: &&Reading| {
            iam::users(self.account, reading).iter().any(|user| user.of == self.of)
        };
        let asked = |part: fn(&Reading) -> Option<Time>| {
            readings(self.account, self.as_of).filter(listed).filter_map(part).max()
        };
        let password = asked(|reading| reading.at(Part::Report))?;
        let keys = asked(|reading| {
            let by_id = reading.at(Part::Keys).min(reading.at(Part::KeyUses));
            by_id.max(reading.at(Part::Report))
        })?;
        Some(password.min(keys) - LAG)
    }

    fn limit(days: i64) -> Time {
        days * DAY
    }

    /// Changes that the logs show since `from`, of it and of what has its name.
    fn changes_since(&self, from: Time) -> Vec<&'static str> {
        let (account, thing) = (self.account, self.thing());
        let concerns = |of: usize| {
            let other = &account.things[of];
            match thing.sort {
                Sort::User => other.name == thing.name && other.sort != Sort::Role,
                Sort::Role => other.sort == Sort::Role && other.name == thing.name,
                _ => of == self.of,
            }
        };
        let all = (0..account.things.len()).filter(|of| concerns(*of));
        let events = all.flat_map(|of| account.logged(of, from, self.as_of));
        events.map(|change| change.event).collect()
    }

    fn asked_lately(&self) -> Result<Time, Objection> {
        let known = self.known_until().ok_or(NOT_ASKED)?;
        if self.as_of - known > Self::limit(self.limits.oldest) {
            return Err(ASKED_LONG_AGO);
        }
        Ok(known)
    }

    /// What stands against saying that it is not in use and can go.
    pub(super) fn against_idle(&self, never: bool) -> Vec<Objection> {
        let known = match self.asked_lately() {
            Ok(known) => known,
            Err(objection) => return vec![objection],
        };
        let threshold = known - Self::limit(self.limits.threshold);
        let grace = known - Self::limit(self.limits.grace);
        let mut found = Vec::new();
        let mut note = |holds: bool, objection: Objection| {
            if holds {
                found.push(objection);
            }
        };
        note(self.made() > grace, YOUNG);
        note(self.used(threshold, known), USED_BEFORE);
        note(self.seen(known), USED_SINCE);
        note(!self.changes_since(known).is_empty(), CHANGED_SINCE);
        if self.thing().sort == Sort::Key {
            let since = if never { grace } else { threshold };
            let again = self.account.logged(self.of, since, known);
            note(again.into_iter().any(|change| change.event.ends_with(" Active")), REACTIVATED);
            note(self.told_again().is_some_and(|again| again > since), REACTIVATED);
            note(never && self.thing().used(0, known).is_some(), WAS_USED);
        }
        found
    }

    /// When IAM says, or lets one conclude, that the key was switched on again: by the time of its last change in a report, or
    /// by the first reading that saw it active after one that did not.
    fn told_again(&self) -> Option<Time> {
        let mut rows: Vec<_> = self.account.readings.iter().collect();
        rows.retain(|reading| reading.taken() <= self.as_of);
        let keys = rows.iter().flat_map(|one| iam::keys(self.account, one));
        let mut keys: Vec<_> = keys.filter(|key| key.of == self.of && key.id.is_some()).collect();
        keys.sort_by_key(|key| key.status_read);
        let told = keys.iter().filter(|key| key.active).filter_map(|key| key.rotated);
        let off = keys.iter().rposition(|key| !key.active);
        let seen = off.and_then(|off| keys.get(off + 1)).map(|key| key.status_read);
        // Where the logs or a report tell when, it was then.
        let logged = self.account.logged(self.of, 0, self.as_of);
        let logged = logged.filter(|change| change.event.ends_with(" Active"));
        let told = told.filter(|time| *time > self.thing().made);
        let exact = told.chain(logged.map(|change| change.time)).max();
        let off = off.map(|off| keys[off].status_read);
        match (exact, seen) {
            (Some(exact), Some(_)) if off.is_some_and(|off| exact > off) => Some(exact),
            (exact, seen) => exact.max(seen),
        }
    }

    /// A user's credentials at this time. One for a single service only if somebody told of it: IAM where it was asked for
    /// such, or the logs.
    fn credentials(&self, at: Time) -> Vec<&'a Thing> {
        let account = self.account;
        let told = |of: usize, thing: &Thing| {
            let listed = readings(account, self.as_of).filter_map(|one| one.at(Part::Others));
            thing.sort != Sort::Service
                || listed.into_iter().any(|read| thing.exists(read))
                || account.logged(of, thing.made - 1, thing.made).next().is_some()
        };
        let all = account.things.iter().enumerate();
        let own = all.filter(|(_, thing)| thing.owner == Some(self.of) && thing.exists(at));
        own.filter(|(of, thing)| told(*of, thing)).map(|(_, thing)| thing).collect()
    }

    /// When it was made; a user is as young as the newest of its credentials.
    fn made(&self) -> Time {
        let read = self.known_until().unwrap() + LAG;
        let thing = self.thing();
        if thing.sort != Sort::User {
            return thing.made;
        }
        let credentials = self.credentials(read).into_iter();
        credentials.map(|credential| credential.renewed(read)).fold(thing.made, Time::max)
    }

    fn used(&self, from: Time, to: Time) -> bool {
        let thing = self.thing();
        if thing.sort != Sort::User {
            return thing.used(from, to).is_some();
        }
        // IAM forgets the uses of what is gone; the logs do not.
        self.account.credentials_of(self.of).any(|credential| {
            credential.exists(to) && credential.used(from, to).is_some()
                || credential.seen(from, to).is_some()
        })
    }

    fn seen(&self, from: Time) -> bool {
        let thing = self.thing();
        if thing.sort != Sort::User {
            return thing.seen(from, self.as_of).is_some();
        }
        let mut credentials = self.account.credentials_of(self.of);
        credentials.any(|credential| credential.seen(from, self.as_of).is_some())
    }

    /// What stands against saying that the user has nothing to sign in or call with.
    pub(super) fn against_no_credentials(&self) -> Vec<Objection> {
        let mut found = self.against_idle(false);
        let Some(known) = self.known_until() else { return found };
        let read = known + LAG;
        // Each word counts as of its own time, and a newer list says more of keys than an older report.
        let listed = readings(self.account, self.as_of).filter_map(|one| one.at(Part::Keys)).max();
        let listed = listed.map_or(read, |listed| listed.max(read));
        let has = |key: bool, at: Time| {
            let credentials = self.credentials(at);
            let mut of_sort = credentials.iter().filter(|one| (one.sort == Sort::Key) == key);
            of_sort.any(|credential| credential.active(at))
        };
        if has(false, read) || has(true, listed) {
            found.push(HAS_CREDENTIALS);
        }
        let others = readings(self.account, self.as_of).filter_map(|one| one.at(Part::Others));
        if others.max().is_none_or(|read| self.as_of - read > Self::limit(self.limits.oldest) + LAG)
        {
            found.push(NOT_ALL_READ);
        }
        found
    }

    /// When the key's status was read last, and what it was.
    fn status_read(&self) -> Option<(Time, bool)> {
        let keys = readings(self.account, self.as_of).flat_map(|one| iam::keys(self.account, one));
        let keys = keys.filter(|key| key.of == self.of);
        keys.map(|key| (key.status_read, key.active)).max()
    }

    /// What stands against telling somebody to leave the key inactive, or to make it so, and to delete it later.
    pub(super) fn against_soak(&self) -> Vec<Objection> {
        let read = self.status_read();
        let since = read.map_or(0, |(read, _)| read);
        let switched = self.account.logged(self.of, since, self.as_of).map(|change| change.event);
        let last = switched.filter(|event| event.starts_with("UpdateAccessKey")).last();
        let inactive = match last {
            Some(event) => event.ends_with(" Inactive"),
            None => read.is_some_and(|(_, active)| !active),
        };
        if !inactive {
            return self.against_idle(false);
        }
        // It is out of use already: what may not be is that it came back.
        let mut found = Vec::new();
        let asked = self.known_until().map_or(since, |known| known.max(since));
        if self.as_of - asked > Self::limit(self.limits.oldest) {
            found.push(ASKED_LONG_AGO);
        }
        let off = self.off().unwrap_or(0);
        if self.thing().seen(off.max(since), self.as_of).is_some() {
            found.push(USED_SINCE);
        }
        found
    }

    /// The last deactivation before the last midnight, if the key was inactive then.
    fn off(&self) -> Option<Time> {
        let midnight = self.as_of / DAY * DAY;
        let last = self.thing().switched.iter().rev().find(|(time, _)| *time < midnight);
        last.filter(|(_, active)| !active).map(|(time, _)| *time)
    }

    /// What stands against deleting the key at once.
    pub(super) fn against_now(&self) -> Vec<Objection> {
        let known = match self.asked_lately() {
            Ok(known) => known,
            Err(objection) => return vec![objection],
        };
        let Some(off) = self.off() else { return vec![ACTIVE] };
        let before = off - Self::limit(self.limits.threshold);
        let read = self.status_read().map_or(0, |(read, _)| read);
        let mut found = Vec::new();
        let mut note = |holds: bool, objection: Objection| {
            if holds {
                found.push(objection);
            }
        };
        note(self.thing().used(before, off).is_some(), USED_BEFORE_OFF);
        note(known < off, ASKED_BEFORE_OFF);
        note(self.as_of - off < Self::limit(self.limits.soak), SOAKING);
        note(self.as_of - read > Self::limit(self.limits.oldest), ASKED_LONG_AGO);
        note(!self.account.holds(HOME, read.max(off), self.as_of), UNWATCHED);
        note(!self.account.holds_any(before, off), UNHELD_BEFORE);
        note(self.thing().made > known - Self::limit(self.limits.grace), YOUNG);
        note(self.seen(off), USED_SINCE);
        let again = self.account.logged(self.of, known.max(off), self.as_of);
        note(again.into_iter().next().is_some(), CHANGED_SINCE);
        found
    }
}

/// What can be known of it is known, and it is idle: a report has to say so.
impl Case<'_> {
    /// The newest inventory has all of these parts, read at one time, lately; that time.
    fn well_read(&self, parts: &[Part]) -> Option<Time> {
        let reading = readings(self.account, self.as_of).next()?;
        let at = reading.at(parts[0])?;
        let whole = parts.iter().all(|part| reading.at(*part) == Some(at));
        let fresh = self.as_of - at < Self::limit(self.limits.oldest) - DAY;
        // A newer word of an older inventory would be the better one.
        let newest = self
            .account
            .readings
            .iter()
            .flat_map(|one| one.0.values())
            .all(|time| *time <= at || *time > self.as_of);
        (whole && fresh && newest).then_some(at)
    }

    fn long_idle(&self, thing: &Thing, known: Time) -> bool {
        let before = known - Self::limit(self.limits.threshold.max(self.limits.grace) + 1);
        let still = thing.switched.iter().all(|(time, _)| *time < before);
        thing.renewed(self.as_of) < before
            && still
            && thing.used(before, self.as_of).is_none()
            && thing.exists(self.as_of)
    }

    fn nothing_since(&self, known: Time) -> bool {
        self.changes_since(known).is_empty() && !self.seen(known)
    }

    /// Of an active key with a known id, or of a role.
    pub(super) fn is_idle(&self) -> bool {
        let thing = self.thing();
        let parts: &[Part] = match thing.sort {
            Sort::Role => &[Part::Roles, Part::RoleUses],
            _ => &[Part::Users, Part::Report, Part::Keys],
        };
        let Some(at) = self.well_read(parts) else { return false };
        let known = self.known_until().is_some_and(|known| known == at - LAG);
        known
            && thing.active(at)
            && self.long_idle(thing, at - LAG)
            && self.nothing_since(at - LAG)
            && thing
                .owner
                .is_none_or(|owner| Case { of: owner, ..*self }.changes_since(at - LAG).is_empty())
    }

    /// Of a user with a password or an active key, or with nothing at all.
    pub(super) fn is_unused(&self) -> bool {
        let parts = [Part::Users, Part::Report, Part::Keys, Part::Others];
        let Some(at) = self.well_read(&parts) else { return false };
        let idle = |thing: &Thing| self.long_idle(thing, at - LAG);
        let listed: Vec<&Thing> = self
            .account
            .credentials_of(self.of)
            .filter(|credential| credential.exists(at))
            .collect();
        let usable = listed.iter().any(|credential| credential.active(at));
        let services = listed.iter().any(|credential| credential.sort == Sort::Service);
        // Whether an inactive key alone is a credential is left open.
        idle(self.thing())
            && (usable || listed.is_empty())
            && !services
            && listed.iter().all(|credential| idle(credential))
            && !self.used(at - Self::limit(self.limits.threshold + 2), self.as_of)
            && self.nothing_since(at - LAG)
    }

    /// All that deleting an inactive key at once rests on is known.
    pub(super) fn is_ready(&self) -> bool {
        let parts = [Part::Users, Part::Report, Part::Keys];
        let Some(at) = self.well_read(&parts) else { return false };
        let Some(off) = self.off() else { return false };
        let before = off - Self::limit(self.limits.threshold + 2);
        let logged = self.account.logged(self.of, off - 1, off).next().is_some();
        let account = self.account;
        self.against_now().is_empty()
            && logged
            && self.known_until() == Some(at - LAG)
            && off < at - LAG - DAY
            && self.as_of - off > Self::limit(self.limits.soak + 1)
            && self.thing().used(before, self.as_of).is_none()
            && self.thing().made < before
            && self.thing().switched.len() == 1
            && self.thing().exists(self.as_of)
            && [HOME, super::truth::OTHER]
                .iter()
                .all(|region| account.holds(region, before, self.as_of))
    }
}
