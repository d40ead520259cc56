//! Used after IAM was asked, where no log shows it: data and read events, regions that nobody holds, days that are missing.

use super::super::truth::{Call, HOME, OTHER, Sort, Time, UNHELD};
use super::{Situation, ago};

/// Why the use is in no log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    DataEvent,
    /// The trail records writes only.
    ReadEvent,
    RegionNeverHeld,
    /// It delivered until ten days ago.
    RegionSilent,
    DayMissing,
    /// No log file of IAM's region at all.
    HomeMissing,
}

const WHYS: [Why; 6] = [
    Why::DataEvent,
    Why::ReadEvent,
    Why::RegionNeverHeld,
    Why::RegionSilent,
    Why::DayMissing,
    Why::HomeMissing,
];

pub(super) fn situations() -> Vec<Situation> {
    WHYS.into_iter()
        .flat_map(|why| [4, 6].into_iter().flat_map(move |read| of(why, read)))
        .collect()
}

fn base(why: Why, what: &str, read: i64) -> Situation {
    let all = Situation::new(format!("{what}, {why:?}, IAM asked {read} days ago")).logs(100, 0);
    let without = |region: &'static str, days: i64| {
        (0..=days).fold(all_of(&all), |situation, day| situation.unlogged(region, day))
    };
    match why {
        Why::DataEvent | Why::RegionNeverHeld => all,
        Why::ReadEvent => all.write_only(),
        Why::RegionSilent => without(OTHER, 10),
        Why::DayMissing => all.unlogged(HOME, 1).unlogged(OTHER, 1),
        Why::HomeMissing => without(HOME, 100),
    }
}

/// The same, to be changed.
fn all_of(situation: &Situation) -> Situation {
    let mut copy = Situation::new(situation.name.clone());
    copy.account = situation.account.clone();
    copy
}

/// The thing is used a day ago, where the logs do not show it.
fn unseen(situation: Situation, why: Why, sort: Sort) -> Situation {
    let (call, region) = match why {
        Why::DataEvent => (Call::Data, HOME),
        Why::ReadEvent => (Call::Read, HOME),
        Why::RegionNeverHeld => (Call::Write, UNHELD),
        Why::RegionSilent => (Call::Write, OTHER),
        Why::DayMissing | Why::HomeMissing => (Call::Write, HOME),
    };
    let situation = situation.used(sort, ago(1, 0), call, region);
    let last = &situation.account.things[situation.last(sort)].uses;
    assert!(!last.last().unwrap().seen, "{}", situation.name);
    situation
}

/// So many days before IAM was asked.
fn before(read: i64, days: i64) -> Time {
    ago(read + days, 0)
}

fn of(why: Why, read: i64) -> Vec<Situation> {
    let base = |what: &str| base(why, what, read);
    let asked = ago(read, 0);
    let old = ago(400, 0);
    vec![
        unseen(base("a key of five days").key(before(read, 5)).read(asked), why, Sort::Key)
            .keeps_key()
            .keeps_user(),
        unseen(
            base("a key used 43 days before")
                .key(old)
                .used_unseen(Sort::Key, before(read, 43))
                .read(asked),
            why,
            Sort::Key,
        )
        .keeps_key()
        .keeps_user(),
        unseen(
            base("a role of 28 days").has(Sort::Role, before(read, 28)).read(asked),
            why,
            Sort::Role,
        )
        .keeps_role(),
        unseen(
            base("a role used 87 days before")
                .has(Sort::Role, old)
                .used_unseen(Sort::Role, before(read, 87))
                .read(asked),
            why,
            Sort::Role,
        )
        .keeps_role(),
        // What IAM itself saw idle for long is idle, whatever the logs cannot show.
        base("a key that IAM saw idle for 100 days")
            .key(old)
            .used_unseen(Sort::Key, before(read, 100))
            .read(asked)
            .says("stale-keys", &["STALE"])
            .says("key-migration", &["RETIRE_AFTER_SOAK"]),
        base("a role that IAM saw idle for 100 days")
            .has(Sort::Role, old)
            .used_unseen(Sort::Role, before(read, 100))
            .read(asked)
            .says("unused-roles", &["UNUSED"]),
    ]
}
