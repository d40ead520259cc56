//! Dumps whose parts are of different days: each tells as of its own, and a fresh one makes no other fresh.

use super::super::truth::{Call, DAY, HOME, HOUR, Part, Sort, Time};
use super::{NOT_KNOWN, Situation, ago};

pub(super) fn situations() -> Vec<Situation> {
    let mut all: Vec<Situation> = [8, 20, 70, 300].into_iter().flat_map(too_old).collect();
    all.extend([2, 4, 5].into_iter().flat_map(a_little_older));
    all
}

/// All parts today, but these.
fn but(old: &[Part], at: Time) -> Vec<(Part, Time)> {
    let time = |part: Part| if old.contains(&part) { at } else { ago(0, 6) };
    Part::ALL.map(|part| (part, time(part))).to_vec()
}

const KEY_USES: &[Part] = &[Part::Report, Part::KeyUses];

/// A part that is older than any inventory may be.
fn too_old(days: i64) -> Vec<Situation> {
    let old = ago(days, 0);
    let named = |what: &str| Situation::new(format!("{what} of {days} days ago")).logs(40, 0);
    let long_ago = || ago(days + 400, 0);
    // Only what was asked last is today's: nothing of what matters.
    let others_today = but(
        &[Part::Users, Part::Report, Part::Keys, Part::KeyUses, Part::Roles, Part::RoleUses],
        old,
    );
    vec![
        named("a role; its last use is")
            .has(Sort::Role, long_ago())
            .used_unseen(Sort::Role, old - 100 * DAY)
            .used_unseen(Sort::Role, ago(1, 0))
            .read_parts(&but(&[Part::RoleUses], old))
            .says("unused-roles", NOT_KNOWN),
        named("a role of ten days when its last use was read; that is")
            .has(Sort::Role, old - 10 * DAY)
            .used_unseen(Sort::Role, ago(1, 0))
            .read_parts(&but(&[Part::RoleUses], old))
            .keeps_role(),
        named("a key in today's list; its last use is")
            .key(long_ago())
            .used_unseen(Sort::Key, old - 100 * DAY)
            .used_unseen(Sort::Key, ago(1, 0))
            .read_parts(&but(KEY_USES, old))
            .says("stale-keys", NOT_KNOWN)
            .says("key-migration", NOT_KNOWN)
            .keeps_user(),
        named("a key never used, in today's list; its last use is")
            .key(old - 3 * DAY)
            .used_unseen(Sort::Key, ago(1, 0))
            .read_parts(&but(KEY_USES, old))
            .keeps_key()
            .keeps_user(),
        named("a key made since, in today's list; the last uses are")
            .has(Sort::User, long_ago())
            .has(Sort::Key, ago(days - 1, 0))
            .used_unseen(Sort::Key, ago(1, 0))
            .read_parts(&but(KEY_USES, old))
            .keeps_key()
            .keeps_user(),
        named("a password; the report is")
            .has(Sort::User, long_ago())
            .has(Sort::Password, long_ago())
            .used(Sort::Password, old - 100 * DAY, Call::Write, HOME)
            .read_parts(&but(&[Part::Report], old))
            .keeps_user(),
        named("a user without credentials by a report")
            .has(Sort::User, long_ago())
            .read_parts(&but(&[Part::Report], old))
            .keeps_user(),
        named("everything but other credentials is")
            .key(long_ago())
            .used_unseen(Sort::Key, old - 100 * DAY)
            .has(Sort::Role, long_ago())
            .read_parts(&others_today)
            .says("stale-keys", NOT_KNOWN)
            .says("key-migration", NOT_KNOWN)
            .says("unused-roles", NOT_KNOWN)
            .keeps_user(),
        named("a dump read twice, each time as it was")
            .key(long_ago())
            .used_unseen(Sort::Key, old - 100 * DAY)
            .has(Sort::Role, long_ago())
            .read(old)
            .read(old)
            .says("stale-keys", NOT_KNOWN)
            .says("key-migration", NOT_KNOWN)
            .says("unused-roles", NOT_KNOWN)
            .keeps_user(),
    ]
}

/// A part that is fresh enough, but not as fresh as the rest: idle is counted up to its time.
fn a_little_older(days: i64) -> Vec<Situation> {
    let old = ago(days, 0);
    let named = |what: &str| Situation::new(format!("{what} of {days} days ago")).logs(100, 0);
    let long_ago = ago(400, 0);
    vec![
        named("a key of six days when asked; its last use is")
            .key(old - 6 * DAY)
            .used_unseen(Sort::Key, ago(1, 0))
            .read_parts(&but(KEY_USES, old))
            .keeps_key()
            .keeps_user(),
        named("a key idle for 45 days when asked; its last use is")
            .key(long_ago)
            .used_unseen(Sort::Key, old - 45 * DAY)
            .used_unseen(Sort::Key, ago(1, 0))
            .read_parts(&but(KEY_USES, old))
            .keeps_key()
            .keeps_user(),
        named("a role of 29 days when asked; its last use is")
            .has(Sort::Role, old - 29 * DAY)
            .used_unseen(Sort::Role, ago(1, 0))
            .read_parts(&but(&[Part::RoleUses], old))
            .keeps_role(),
        named("a role idle for 90 days when asked; its last use is")
            .has(Sort::Role, long_ago)
            .used_unseen(Sort::Role, old - 90 * DAY + HOUR)
            .used_unseen(Sort::Role, ago(1, 0))
            .read_parts(&but(&[Part::RoleUses], old))
            .keeps_role(),
        named("a password idle for 45 days by a report")
            .has(Sort::User, long_ago)
            .has(Sort::Password, long_ago)
            .used(Sort::Password, old - 45 * DAY, Call::Write, HOME)
            .read_parts(&but(&[Part::Report], old))
            .keeps_user(),
        // A list of keys that is older than the last uses: idle for long all the same.
        named("a key idle for 100 days, uses read today, in a list")
            .key(long_ago)
            .used_unseen(Sort::Key, ago(100, 0))
            .read_parts(&but(&[Part::Keys, Part::Users], old))
            .says("stale-keys", &["STALE", "UNKNOWN"])
            .says("key-migration", &["RETIRE_AFTER_SOAK", "UNKNOWN"]),
        named("a key idle for 100 days, its uses")
            .key(long_ago)
            .used_unseen(Sort::Key, ago(100, 0))
            .read_parts(&but(KEY_USES, old))
            .says("stale-keys", &["STALE"])
            .says("key-migration", &["RETIRE_AFTER_SOAK"]),
    ]
}
