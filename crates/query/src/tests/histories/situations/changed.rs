//! Changes that the logs show after the inventory: made again, active again, a password given. What IAM said before is of
//! another thing.

use super::super::truth::{HOUR, Sort, Time};
use super::{Situation, ago, now};

/// The inventory is of three days ago; all was idle for a year then.
const READ: i64 = 3;

pub(super) fn situations() -> Vec<Situation> {
    // Hours ago.
    [60, 36, 13, 2].into_iter().flat_map(|hours| since(now() - hours * HOUR, hours)).collect()
}

fn base(what: &str, hours: i64) -> Situation {
    Situation::new(format!("{what} {hours} hours ago")).logs(100, 0)
}

fn since(time: Time, hours: i64) -> Vec<Situation> {
    let mut all = of_roles(time, hours);
    all.extend(of_keys(time, hours));
    all.extend(of_users(time, hours));
    all
}

fn of_roles(time: Time, hours: i64) -> Vec<Situation> {
    let role = |what: &str| {
        base(what, hours)
            .has(Sort::Role, ago(500, 0))
            .used_unseen(Sort::Role, ago(200, 0))
            .read(ago(READ, 0))
    };
    let changed = |event: &'static str| {
        role(&format!("a role; {event}")).changed(Sort::Role, event, time).keeps_role()
    };
    vec![
        role("a role, deleted and made again")
            .gone(Sort::Role, time)
            .has(Sort::Role, time + HOUR / 2)
            .keeps_role(),
        role("a role, deleted").gone(Sort::Role, time).keeps_role(),
        base("a role, made", hours).read(ago(READ, 0)).has(Sort::Role, time).keeps_role(),
        changed("UpdateAssumeRolePolicy"),
        changed("AttachRolePolicy"),
        changed("PutRolePolicy"),
    ]
}

fn of_keys(time: Time, hours: i64) -> Vec<Situation> {
    let key = |what: &str| {
        base(what, hours).key(ago(500, 0)).used_unseen(Sort::Key, ago(200, 0)).read(ago(READ, 0))
    };
    vec![
        base("an inactive key, activated", hours)
            .key(ago(500, 0))
            .used_unseen(Sort::Key, ago(200, 0))
            .switched(ago(40, 0), false)
            .read(ago(READ, 0))
            .switched(time, true)
            .keeps_key()
            .keeps_user(),
        key("a key, switched off and on")
            .switched(time, false)
            .switched(time + HOUR / 2, true)
            .keeps_key()
            .keeps_user(),
        // It is inactive now; that it may be left so is all that can be said.
        key("a key, switched off")
            .switched(time, false)
            .may_say("stale-keys", &["INACTIVE", "UNKNOWN"])
            .may_say("key-migration", &["RETIRE_AFTER_SOAK", "UNKNOWN"]),
        key("a key, deleted").gone(Sort::Key, time).keeps_key(),
        key("a key, rotated")
            .gone(Sort::Key, time + HOUR / 2)
            .has(Sort::Key, time)
            .keeps_key()
            .keeps_user(),
    ]
}

fn of_users(time: Time, hours: i64) -> Vec<Situation> {
    let user = |what: &str| base(what, hours).has(Sort::User, ago(500, 0));
    let empty = |what: &str| user(what).read(ago(READ, 0));
    let keyed = |what: &str| {
        user(what)
            .has(Sort::Key, ago(500, 0))
            .used_unseen(Sort::Key, ago(200, 0))
            .read(ago(READ, 0))
    };
    vec![
        empty("a user without credentials; a password is given")
            .has(Sort::Password, time)
            .keeps_user(),
        empty("a user without credentials; a key is made").has(Sort::Key, time).keeps_user(),
        empty("a user without credentials; one for a service is made")
            .has(Sort::Service, time)
            .keeps_user(),
        keyed("a user with an idle key; a password is given")
            .has(Sort::Password, time)
            .keeps_user(),
        keyed("a user with an idle key; another is made").has(Sort::Key, time).keeps_user(),
        keyed("a user, deleted and made again")
            .gone(Sort::Key, time)
            .gone(Sort::User, time)
            .has(Sort::User, time + HOUR / 2)
            .keeps_user(),
        keyed("a user, deleted").gone(Sort::Key, time).gone(Sort::User, time).keeps_user(),
        user("a user with an idle password, which is set anew")
            .has(Sort::Password, ago(500, 0))
            .read(ago(READ, 0))
            .reset(time)
            .keeps_user(),
        keyed("a user; AttachUserPolicy")
            .changed(Sort::User, "AttachUserPolicy", time)
            .keeps_user(),
    ]
}
