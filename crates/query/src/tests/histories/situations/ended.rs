//! Logs and inventory ended days ago; a window of last summer, of 7 and of 365 days; a report of the future.

use super::super::truth::{Call, DAY, HOUR, Part, Sort, Time};
use super::{HOME, NOT_KNOWN, STAYS, Situation, Way, ago, now};
use crate::tests::histories::text;

/// Days ago at which both ended. An inventory is good for seven days.
const ENDS: [i64; 6] = [1, 3, 6, 8, 20, 60];

pub(super) fn situations() -> Vec<Situation> {
    let mut all: Vec<Situation> = ENDS.into_iter().flat_map(ended).collect();
    all.extend([1, 8, 30].into_iter().flat_map(of_the_future));
    all.extend(windows().into_iter().flat_map(in_a_window));
    all
}

fn base(name: &str, end: i64) -> Situation {
    Situation::new(format!("{name}, all ended {end} days ago")).logs(end + 100, end)
}

/// So many days before the inventory.
fn before(end: i64, days: i64) -> Time {
    ago(end + days, 0)
}

fn ended(end: i64) -> Vec<Situation> {
    let known = end <= 6;
    let gone = |what: &'static [&'static str]| if known { what } else { NOT_KNOWN };
    let young: &[&str] = if known { &["UNKNOWN", "NEVER_USED_YOUNG"] } else { NOT_KNOWN };
    let idle = before(end, 60);
    vec![
        base("a key of four days, never used", end)
            .key(before(end, 4))
            .read(ago(end, 0))
            .says("stale-keys", young)
            .says("key-migration", NOT_KNOWN),
        // Idle for 40 days when IAM was asked, for more than 45 by now, for all that is known.
        base("a key used each six weeks", end)
            .key(before(end, 400))
            .used_unseen(Sort::Key, before(end, 40))
            .read(ago(end, 0))
            .keeps_key(),
        base("a key idle for 60 days", end)
            .key(before(end, 400))
            .used_unseen(Sort::Key, idle)
            .read(ago(end, 0))
            .says("stale-keys", gone(&["STALE"]))
            .says("key-migration", gone(&["RETIRE_AFTER_SOAK"])),
        base("a role of 27 days, never used", end)
            .has(Sort::Role, before(end, 27))
            .read(ago(end, 0))
            .keeps_role(),
        base("a role idle for 88 days", end)
            .has(Sort::Role, before(end, 400))
            .used_unseen(Sort::Role, before(end, 88))
            .read(ago(end, 0))
            .keeps_role(),
        base("a role idle for 120 days", end)
            .has(Sort::Role, before(end, 400))
            .used_unseen(Sort::Role, before(end, 120))
            .read(ago(end, 0))
            .says("unused-roles", gone(&["UNUSED"])),
        base("a password used 43 days before", end)
            .has(Sort::User, before(end, 400))
            .has(Sort::Password, before(end, 400))
            .used(Sort::Password, before(end, 43), Call::Write, HOME)
            .read(ago(end, 0))
            .keeps_user(),
        base("a user of five days without credentials", end)
            .has(Sort::User, before(end, 5))
            .read(ago(end, 0))
            .keeps_user(),
    ]
}

/// What is idle today is not idle in a month: nobody has looked.
fn of_the_future(days: i64) -> Vec<Situation> {
    let way = || Way::days(now() + days * DAY, 90);
    let near = days == 1;
    let named = |what: &str| Situation::new(format!("{what}, as of in {days} days")).logs(100, 0);
    vec![
        named("a key idle for 60 days")
            .key(ago(400, 0))
            .used_unseen(Sort::Key, ago(60, 0))
            .read(ago(0, 6))
            .asked(way())
            .says("stale-keys", if near { &["STALE"] } else { NOT_KNOWN })
            .says("key-migration", if near { &["RETIRE_AFTER_SOAK"] } else { NOT_KNOWN }),
        named("a key of yesterday").key(ago(1, 0)).read(ago(0, 6)).asked(way()).keeps_key(),
        named("a key that was used yesterday")
            .key(ago(400, 0))
            .used(Sort::Key, ago(1, 0), Call::Write, HOME)
            .read(ago(0, 6))
            .asked(way())
            .keeps_key(),
        named("a role of yesterday")
            .has(Sort::Role, ago(1, 0))
            .read(ago(0, 6))
            .asked(way())
            .keeps_role(),
    ]
}

/// Over last summer, a week and a year.
fn windows() -> Vec<(&'static str, Way)> {
    let summer = vec![("from", text(now() - 340 * DAY)), ("to", text(now() - 300 * DAY))];
    vec![
        ("of last summer", Way { window: summer, ..Way::days(now(), 90) }),
        ("of a week", Way::days(now(), 7)),
        ("of a year", Way::days(now(), 365)),
    ]
}

fn in_a_window((which, way): (&'static str, Way)) -> Vec<Situation> {
    let named = |what: &str, logs: i64| {
        Situation::new(format!("{what}, in a window {which}")).logs(logs, 0).asked(way.clone())
    };
    let asked = ago(2, 0);
    vec![
        named("a key used five days ago, for data", 100)
            .key(ago(400, 0))
            .used_unseen(Sort::Key, ago(5, 0))
            .read(asked)
            .keeps_key(),
        named("a key used since IAM was asked", 100)
            .key(ago(400, 0))
            .used(Sort::Key, ago(1, 0), Call::Write, HOME)
            .read(asked)
            .keeps_key(),
        named("a key idle for 60 days, logs of a week", 7)
            .key(ago(400, 0))
            .used_unseen(Sort::Key, ago(62, 0))
            .read(asked)
            .says("stale-keys", &["STALE", "UNKNOWN"])
            .says("key-migration", &["RETIRE_AFTER_SOAK", "UNKNOWN"]),
        named("a key idle for 44 days when IAM was asked, logs of a week", 7)
            .key(ago(400, 0))
            .used_unseen(Sort::Key, asked - 44 * DAY - HOUR)
            .read(asked)
            .keeps_key(),
        named("a role made 31 days ago, IAM asked two days ago", 100)
            .has(Sort::Role, ago(31, 0))
            .read(asked)
            .keeps_role(),
        named("a role idle for 91 days, for 89 when IAM was asked", 7)
            .has(Sort::Role, ago(400, 0))
            .used_unseen(Sort::Role, ago(91, 0))
            .read(asked)
            .keeps_role(),
        named("a user whose keys were listed, but not their uses", 100)
            .key(ago(400, 0))
            .read_parts(&[(Part::Users, asked), (Part::Keys, asked)])
            .may_say("unused-users", STAYS)
            .keeps_key(),
    ]
}
