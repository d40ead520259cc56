//! Draws a history: an account with a user, its keys and password, and a role, what becomes of them, what its trail
//! delivers, and when its inventory is taken.
//!
//! Times crowd where verdicts turn: around the inventories, and a threshold or a grace before them.

use super::chance::Chance;
use super::iam::consistent;
use super::truth::{
    Account, Call, DAY, HOME, HOUR, Held, LAG, MINUTE, OTHER, Part, Reading, Sort, Thing, Time,
    UNHELD,
};

/// What of these days before an inventory is worth a look: graces and thresholds, and a day around them.
const EDGES: [Time; 4] = [7, 30, 45, 90];

struct Draw<'a> {
    chance: &'a mut Chance,
    account: Account,
    now: Time,
    /// A quiet account: everything in it ended long ago.
    quiet: bool,
    /// One whose key was then made inactive, with logs of all the time.
    retiring: bool,
    names: i64,
}

/// A history until `now`.
pub(super) fn account(chance: &mut Chance, number: usize, now: Time) -> Account {
    let quiet = chance.percent(50);
    let retiring = quiet && chance.percent(30);
    let account = Account::new(format!("{:012}", 100_000_000_000_usize + number * 7_919));
    let mut draw = Draw { chance, account, now, quiet, retiring, names: 0 };
    draw.logs();
    draw.readings();
    draw.user();
    draw.role();
    draw.refusals();
    let mut account = draw.account;
    account.changes.sort_by_key(|change| change.time);
    for thing in &mut account.things {
        thing.uses.sort_by_key(|usage| usage.time);
    }
    let readings = std::mem::take(&mut account.readings);
    account.readings =
        readings.into_iter().filter(|reading| consistent(&account, reading)).collect();
    account
}

impl Draw<'_> {
    /// Not in the last half hour of a day, so that a record's day is that of its delivery.
    fn calm(&self, time: Time) -> Time {
        let over = time.rem_euclid(DAY) - (DAY - 30 * MINUTE);
        let calm = if over > 0 { time - over - MINUTE } else { time };
        calm.min(self.now - 10 * MINUTE) / MINUTE * MINUTE
    }

    fn before(&mut self, from: Time, to: Time) -> Time {
        let time = self.now - self.chance.between(from, to.max(from + 1));
        self.calm(time)
    }

    /// Some time in the past.
    fn sometime(&mut self) -> Time {
        let readings = self.account.readings.len();
        if self.quiet && self.chance.percent(85) {
            return self.before(110 * DAY, 560 * DAY);
        }
        if readings > 0 && self.chance.percent(35) {
            let at = self.account.readings[readings - 1].taken();
            let edge = if self.chance.percent(40) { 0 } else { self.chance.pick(&EDGES) * DAY };
            let time = at - edge + self.chance.between(-30 * HOUR, 30 * HOUR);
            return self.calm(time);
        }
        match self.chance.below(10) {
            0 | 1 => self.before(HOUR, DAY),
            2..=4 => self.before(DAY, 9 * DAY),
            5 => self.before(9 * DAY, 30 * DAY),
            6 => self.before(30 * DAY, 60 * DAY),
            7 => self.before(60 * DAY, 130 * DAY),
            _ => self.before(130 * DAY, 500 * DAY),
        }
    }

    fn long_ago(&mut self) -> Time {
        if self.chance.percent(if self.quiet { 97 } else { 60 }) {
            self.before(130 * DAY, 560 * DAY)
        } else {
            self.sometime()
        }
    }

    fn id(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}N{}", &self.account.number[3..], self.names)
    }

    fn logs(&mut self) {
        self.account.write_only = self.chance.percent(15);
        if !self.retiring && self.chance.percent(8) {
            return;
        }
        let today = self.now / DAY;
        let span = if self.chance.percent(80) { 115 } else { self.chance.between(5, 200) };
        let stopped = if self.chance.percent(75) { 0 } else { self.chance.below(14) };
        let silent = if self.chance.percent(80) { 0 } else { self.chance.below(40) };
        let gaps = self.chance.pick(&[0, 0, 0, 2, 10, 40]);
        let home = self.chance.percent(92);
        let whole = self.retiring && self.chance.percent(85);
        let (span, stopped, silent, gaps, home) =
            if whole { (115, 0, 0, 0, true) } else { (span, stopped, silent, gaps, home) };
        for day in today - span..=today - stopped {
            for region in [HOME, OTHER] {
                let off = if region == HOME { !home } else { day > today - silent };
                if off || self.chance.percent(gaps) {
                    continue;
                }
                let half = gaps > 0 && self.chance.percent(gaps / 2);
                let held = if half { Held::Half } else { Held::Whole };
                self.account.logs.insert((region, day), held);
            }
        }
    }

    fn readings(&mut self) {
        let count = if self.quiet { 1 } else { self.chance.pick(&[0, 1, 1, 1, 1, 1, 2, 2, 2, 3]) };
        let mut at = match self.chance.below(20) {
            _ if self.quiet => self.before(HOUR, 6 * DAY),
            0..=7 => self.before(HOUR, DAY),
            8..=13 => self.before(DAY, 6 * DAY),
            14..=16 => self.before(6 * DAY, 7 * DAY + 6 * HOUR),
            _ => self.before(8 * DAY, 40 * DAY),
        };
        for _ in 0..count {
            let reading = self.reading(at);
            if !reading.0.is_empty() {
                self.account.readings.insert(0, reading);
            }
            at -= self.chance.between(HOUR, 60 * DAY);
        }
    }

    fn reading(&mut self, at: Time) -> Reading {
        let parts: &[Part] = match self.chance.below(10) {
            0..=5 => &Part::ALL,
            6 => &[Part::Users, Part::Report, Part::Roles, Part::RoleUses],
            _ => {
                &[Part::Users, Part::Report, Part::Keys, Part::Roles, Part::RoleUses, Part::Others]
            }
        };
        let mixed = !self.quiet && self.chance.percent(35);
        let mut reading = Reading::default();
        for part in parts {
            let left_out = if *part == Part::Others { 35 } else { 4 };
            if self.chance.percent(if self.quiet { left_out / 4 } else { left_out }) {
                continue;
            }
            let older = match self.chance.below(4) {
                0 if mixed => self.chance.between(HOUR, 2 * DAY),
                1 if mixed => self.chance.between(DAY, 60 * DAY),
                _ => 0,
            };
            reading.0.insert(*part, (at - older) / MINUTE * MINUTE);
        }
        reading
    }

    fn thing(&mut self, sort: Sort, name: &str, owner: Option<usize>, made: Time) -> usize {
        let id = self.id(match sort {
            Sort::User => "AIDA",
            Sort::Key => "AKIA",
            Sort::Role => "AROA",
            Sort::Service => "ACCA",
            Sort::Password => "",
        });
        let of = self.account.add(Thing {
            sort,
            name: name.to_owned(),
            id,
            owner,
            made,
            gone: None,
            switched: Vec::new(),
            reset: Vec::new(),
            uses: Vec::new(),
        });
        self.account.changed(made, creates(sort), of);
        of
    }

    fn end(&mut self, of: usize, at: Time) {
        self.account.things[of].gone = Some(at);
        self.account.changed(at, deletes(self.account.things[of].sort), of);
    }

    fn switch(&mut self, of: usize, at: Time, active: bool) {
        self.account.things[of].switched.push((at, active));
        let event = if active { "UpdateAccessKey Active" } else { "UpdateAccessKey Inactive" };
        self.account.changed(at, event, of);
    }

    /// What there is of this sort at this time, by this owner.
    fn current(&self, sort: Sort, owner: Option<usize>, at: Time) -> Vec<usize> {
        let all = self.account.things.iter().enumerate();
        let current = all.filter(|(_, thing)| {
            thing.sort == sort && thing.exists(at) && (owner.is_none() || thing.owner == owner)
        });
        current.map(|(of, _)| of).collect()
    }

    fn times(&mut self, from: Time, count: i64) -> Vec<Time> {
        let mut times: Vec<Time> = (0..count).map(|_| self.sometime()).collect();
        times.retain(|time| *time > from + 2 * HOUR);
        times.sort_unstable();
        // So that no two acts are at one time.
        times.dedup_by(|later, earlier| *later - *earlier < HOUR);
        times
    }

    fn user(&mut self) {
        let born = self.long_ago();
        let mut user = self.thing(Sort::User, "u", None, born);
        if self.chance.percent(80) {
            self.thing(Sort::Key, "u", Some(user), born + 5 * MINUTE);
        }
        if self.chance.percent(40) {
            self.thing(Sort::Password, "u", Some(user), born + 6 * MINUTE);
        }
        let count = if self.quiet { self.chance.below(2) } else { self.chance.below(5) };
        for at in self.times(born, count) {
            let at = at + 7 * MINUTE;
            self.act_on_user(&mut user, at);
        }
        if self.retiring || self.chance.percent(15) {
            self.retire(user);
        }
        for of in 0..self.account.things.len() {
            match self.account.things[of].sort {
                Sort::Key => self.key_uses(of),
                Sort::Password => self.password_uses(of),
                _ => {}
            }
        }
    }

    fn act_on_user(&mut self, user: &mut usize, at: Time) {
        let keys = self.current(Sort::Key, Some(*user), at);
        let password = self.current(Sort::Password, Some(*user), at).first().copied();
        let key = (!keys.is_empty()).then(|| self.chance.pick(&keys));
        match (self.chance.below(14), key, password) {
            (0 | 1, ..) if keys.len() < 2 => {
                self.thing(Sort::Key, "u", Some(*user), at);
            }
            (2 | 3, Some(key), _) => {
                // Rotated: what IAM knew of the old key goes with it.
                self.end(key, at + 10 * MINUTE);
                self.thing(Sort::Key, "u", Some(*user), at);
            }
            (4 | 5, Some(key), _) if self.account.things[key].active(at) => {
                self.switch(key, at, false);
            }
            (4..=7, Some(key), _) if !self.account.things[key].active(at) => {
                self.switch(key, at, true);
            }
            (8, Some(key), _) => self.end(key, at),
            (9, _, Some(password)) => {
                self.account.things[password].reset.push(at);
                self.account.changed(at, "UpdateLoginProfile", password);
            }
            (9 | 10, _, None) => {
                self.thing(Sort::Password, "u", Some(*user), at);
            }
            (10, _, Some(password)) => self.end(password, at),
            (11, ..) => *user = self.again(*user, at),
            (12, ..) => {
                self.thing(Sort::Service, "u", Some(*user), at);
            }
            (13, Some(key), _) => self.account.tried(at, "DeleteAccessKey", key),
            _ => self.account.changed(at, "AttachUserPolicy", *user),
        }
    }

    /// The user is deleted, and one of the same name made.
    fn again(&mut self, user: usize, at: Time) -> usize {
        for sort in [Sort::Key, Sort::Password, Sort::Service] {
            for of in self.current(sort, Some(user), at) {
                self.end(of, at);
            }
        }
        self.end(user, at + MINUTE);
        let user = self.thing(Sort::User, "u", None, at + 2 * MINUTE);
        if self.chance.percent(70) {
            self.thing(Sort::Key, "u", Some(user), at + 3 * MINUTE);
        }
        user
    }

    /// A key on its way out: made inactive after it was idle, or not quite idle.
    fn retire(&mut self, user: usize) {
        let Some(&key) = self.current(Sort::Key, Some(user), self.now).first() else { return };
        let last = self.account.things[key].switched.last().map(|(time, _)| *time);
        let mut off = self.before(10 * DAY, if self.retiring { 30 * DAY } else { 50 * DAY });
        // Now and then when IAM has just been asked, or is about to be.
        let asked = self.account.readings.last().map(Reading::taken);
        if let Some(asked) = asked.filter(|_| self.chance.percent(20)) {
            let about = asked + self.chance.between(-6 * HOUR, 2 * DAY);
            off = self.calm(about);
        }
        if off < self.account.things[key].made + DAY || last.is_some_and(|last| last > off - DAY) {
            return;
        }
        if self.account.things[key].active(off) {
            self.switch(key, off, false);
        }
        if self.chance.percent(if self.retiring { 10 } else { 30 }) {
            let on = self.sometime();
            if on > off + HOUR {
                self.switch(key, on, true);
                let again = on + self.chance.between(HOUR, 20 * DAY);
                let again = self.calm(again);
                if self.chance.percent(60) && again > on {
                    self.switch(key, again, false);
                }
            }
        }
    }

    /// Times of use between two times: none, until some day, until the end, or now and then.
    fn pattern(&mut self, from: Time, to: Time) -> Vec<Time> {
        if to - from < HOUR {
            return Vec::new();
        }
        let (from, length) = (from + 20 * MINUTE, to - from - 30 * MINUTE);
        let mut times: Vec<Time> = match self.chance.below(8) {
            0 | 1 => Vec::new(),
            2..=5 => {
                let to_the_end = self.chance.percent(if self.quiet { 10 } else { 50 });
                let end = if to_the_end { to } else { self.sometime().clamp(from, to) };
                let step = (end - from) / self.chance.between(2, 12);
                let step = step.clamp(HOUR, 30 * DAY);
                (0..12).map(|number| end - number * step - 11 * MINUTE).collect()
            }
            _ => (0..3).map(|_| self.sometime()).collect(),
        };
        times.iter_mut().for_each(|time| *time = self.calm(*time));
        times.retain(|time| *time > from && *time < from + length);
        times
    }

    fn use_between(&mut self, of: usize, from: Time, to: Time) {
        let kind = self.chance.below(10);
        // What is retired is not always idle.
        let quiet = self.quiet;
        self.quiet = quiet && self.chance.percent(90);
        for time in self.pattern(from, to) {
            let (call, region) = match if kind == 9 { self.chance.below(9) } else { kind } {
                0..=2 => (Call::Write, self.chance.pick(&[HOME, OTHER])),
                3 | 4 => (Call::Read, HOME),
                5 | 6 => (Call::Data, HOME),
                _ => (Call::Write, UNHELD),
            };
            let lag = self.lag();
            self.account.uses(of, time, call, region, lag);
        }
        self.quiet = quiet;
    }

    fn lag(&mut self) -> Time {
        match self.chance.below(3) {
            0 => 0,
            1 => LAG,
            _ => self.chance.below(LAG),
        }
    }

    fn key_uses(&mut self, of: usize) {
        let key = self.account.things[of].clone();
        let end = key.gone.unwrap_or(self.now);
        let mut since = Some(key.made);
        for (time, active) in key.switched.iter().copied().filter(|(time, _)| *time < end) {
            match (since, active) {
                (Some(from), false) => {
                    self.use_between(of, from, time);
                    since = None;
                }
                (None, true) => since = Some(time),
                _ => {}
            }
        }
        if let Some(from) = since {
            self.use_between(of, from, end);
        }
    }

    fn password_uses(&mut self, of: usize) {
        let password = self.account.things[of].clone();
        let end = password.gone.unwrap_or(self.now);
        let region = self.chance.pick(&[HOME, HOME, OTHER, UNHELD]);
        for time in self.pattern(password.made, end) {
            let lag = self.lag();
            self.account.uses(of, time, Call::Write, region, lag);
        }
    }

    fn role(&mut self) {
        let born = self.long_ago();
        let mut role = self.thing(Sort::Role, "r", None, born);
        let count = if self.quiet { self.chance.below(2) } else { self.chance.below(4) };
        for at in self.times(born, count) {
            let at = at + 8 * MINUTE;
            match self.chance.below(7) {
                0 | 1 => {
                    self.end(role, at);
                    role = self.thing(Sort::Role, "r", None, at + 5 * MINUTE);
                }
                2 => self.account.changed(at, "UpdateAssumeRolePolicy", role),
                3 => self.account.changed(at, "AttachRolePolicy", role),
                4 => self.account.changed(at, "PutRolePolicy", role),
                5 => self.account.tried(at, "DeleteRole", role),
                _ => {
                    self.end(role, at);
                    break;
                }
            }
        }
        for of in 0..self.account.things.len() {
            if self.account.things[of].sort == Sort::Role {
                let end = self.account.things[of].gone.unwrap_or(self.now);
                self.use_between(of, self.account.things[of].made, end);
            }
        }
    }

    /// Sign-ins and role calls that were refused, lately.
    fn refusals(&mut self) {
        for of in 0..self.account.things.len() {
            let sort = self.account.things[of].sort;
            if matches!(sort, Sort::Password | Sort::Role) && self.chance.percent(10) {
                let time = self.before(HOUR, 30 * DAY);
                if self.account.things[of].exists(time)
                    && self.account.recorded(time, Call::Write, HOME)
                {
                    self.account.refused.push((of, time));
                }
            }
        }
    }
}

fn creates(sort: Sort) -> &'static str {
    match sort {
        Sort::User => "CreateUser",
        Sort::Key => "CreateAccessKey",
        Sort::Password => "CreateLoginProfile",
        Sort::Service => "CreateServiceSpecificCredential",
        Sort::Role => "CreateRole",
    }
}

pub(super) fn deletes(sort: Sort) -> &'static str {
    match sort {
        Sort::User => "DeleteUser",
        Sort::Key => "DeleteAccessKey",
        Sort::Password => "DeleteLoginProfile",
        Sort::Service => "DeleteServiceSpecificCredential",
        Sort::Role => "DeleteRole",
    }
}
