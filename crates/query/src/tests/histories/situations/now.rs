//! Deleting a key at once needs: IAM asked after the deactivation, the status read lately and watched since, logs of all of
//! the threshold before the deactivation, and no use in it.

use super::super::rules::Limits;
use super::super::truth::{Call, DAY, HOME, HOUR, OTHER, Sort, Time};
use super::{STAYS, Situation, Way, ago, now};

const NOT_NOW: &[&str] = &["RETIRE_AFTER_SOAK", "UNKNOWN", "MIGRATE", "BLOCKED"];

/// A key that was idle for long, in an account whose logs go back by so many days.
fn idle(what: &str, logs: i64) -> Situation {
    Situation::new(what).logs(logs, 0).key(ago(500, 0)).used_unseen(Sort::Key, ago(300, 0))
}

/// The same, deactivated and then read so many days ago.
fn off(what: &str, days: i64, read: Time) -> Situation {
    idle(&format!("{what}, off {days} days ago"), 110).switched(ago(days, 0), false).read(read)
}

pub(super) fn situations() -> Vec<Situation> {
    let mut all = honest();
    all.extend(asked_before());
    all.extend(held_too_little());
    all.extend(used_before());
    all.extend(perhaps_active());
    all
}

fn honest() -> Vec<Situation> {
    let mut all: Vec<Situation> = [15, 30, 50]
        .into_iter()
        .flat_map(|days| [6, 54, 120].map(|hours| off("honest", days, now() - hours * HOUR)))
        .map(|situation| situation.says("key-migration", &["RETIRE_NOW"]))
        .collect();
    // IAM saw the last use, long enough before.
    all.push(
        idle("used 60 days before", 110)
            .used(Sort::Key, ago(90, 0), Call::Write, HOME)
            .switched(ago(30, 0), false)
            .read(ago(1, 0))
            .says("key-migration", &["RETIRE_NOW"]),
    );
    all
}

/// The soak may be short; that IAM was asked in it may not be left out.
fn asked_before() -> Vec<Situation> {
    let short = |soak: i64| {
        let limits = Limits { threshold: 45, grace: 7, soak, oldest: 7 };
        Way { limits: Some(limits), ..Way::days(now(), 90) }
    };
    let mut all = Vec::new();
    for days in [3, 4, 5, 6] {
        for hours in [1, 12, 30] {
            // Read before the deactivation, while it still signed what no log shows.
            let read = ago(days, hours);
            if now() - read < 7 * DAY {
                let what = format!("asked {hours} hours before it was off, {days} days ago");
                all.push(
                    idle(&what, 110)
                        .read(read)
                        .used_unseen(Sort::Key, ago(days, 0) - HOUR / 2)
                        .switched(ago(days, 0), false)
                        .asked(short(2))
                        .says("key-migration", NOT_NOW),
                );
            }
        }
        // What IAM says is hours behind: it may not know of the last use yet.
        let what = format!("asked two hours after it was off, {days} days ago");
        all.push(
            idle(&what, 110)
                .switched(ago(days, 0), false)
                .read(ago(days, -2))
                .asked(short(2))
                .says("key-migration", NOT_NOW),
        );
    }
    all.extend(
        [1, 7, 13].map(|days| off("soaking", days, ago(0, 6)).says("key-migration", NOT_NOW)),
    );
    all
}

/// Logs of a part of the threshold before the deactivation prove nothing.
fn held_too_little() -> Vec<Situation> {
    let days = 30;
    let with = |what: &str, logs: i64| {
        idle(&format!("logs {what}"), logs).switched(ago(days, 0), false).read(ago(1, 0))
    };
    let gap = |from: i64, to: i64| {
        let situation = (to..=from).fold(
            Situation::new(format!("days {from} to {to} are missing")).logs(110, 0),
            |situation, day| situation.unlogged(HOME, day).unlogged(OTHER, day),
        );
        situation
            .key(ago(500, 0))
            .used_unseen(Sort::Key, ago(300, 0))
            .switched(ago(days, 0), false)
            .read(ago(1, 0))
    };
    vec![
        with("of the day of the deactivation and since", days).says("key-migration", NOT_NOW),
        with("of the day before", days + 1).says("key-migration", NOT_NOW),
        with("of half of the threshold", days + 22).says("key-migration", NOT_NOW),
        with("of all but two days of the threshold", days + 43).says("key-migration", NOT_NOW),
        gap(70, 35).says("key-migration", NOT_NOW),
        gap(60, 60).says("key-migration", NOT_NOW),
        gap(33, 31).says("key-migration", NOT_NOW),
        // The deactivation itself is in no log: since when it is inactive is not known.
        gap(31, 29).says("key-migration", NOT_NOW),
    ]
}

fn used_before() -> Vec<Situation> {
    let days = 30;
    let used = |before: i64, call: Call| {
        idle(&format!("used for {call:?} {before} days before it was off"), 110)
            .used(Sort::Key, ago(days + before, 1), call, HOME)
            .switched(ago(days, 0), false)
            .read(ago(1, 0))
    };
    let mut all = Vec::new();
    for before in [0, 1, 20, 44] {
        for call in [Call::Data, Call::Write] {
            all.push(used(before, call).says("key-migration", NOT_NOW));
        }
    }
    all
}

/// Active again, or nobody could have seen that it was.
fn perhaps_active() -> Vec<Situation> {
    let mut all = Vec::new();
    for days in [1, 2, 4] {
        let situation = off("activated since", 30, ago(5, 0)).switched(ago(days, 1), true);
        all.push(situation.says("key-migration", STAYS).may_say("stale-keys", STAYS));
        // The same on a day of which there are no logs.
        let unseen = Situation::new(format!("activated {days} days ago, on a day without logs"))
            .logs(110, 0)
            .unlogged(HOME, days)
            .key(ago(500, 0))
            .used_unseen(Sort::Key, ago(300, 0))
            .switched(ago(30, 0), false)
            .read(ago(5, 0))
            .switched(ago(days, 1), true);
        all.push(unseen.says("key-migration", NOT_NOW));
    }
    for read in [8, 12] {
        let old = off("status read long ago", 30, ago(read, 0));
        all.push(old.says("key-migration", NOT_NOW));
    }
    for again in [5, 10] {
        let twice = idle(&format!("off, on, and off again {again} days ago"), 110)
            .switched(ago(40, 0), false)
            .switched(ago(28, 0), true)
            .switched(ago(again, 0), false)
            .read(ago(1, 0));
        all.push(twice.says("key-migration", NOT_NOW));
    }
    all
}
