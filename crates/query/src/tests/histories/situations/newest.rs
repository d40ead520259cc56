//! A user of years whose key was rotated, or who got a password, some days ago: as young as that. And new users without
//! anything yet.

use super::super::truth::{Call, HOME, Part, Sort, Time};
use super::{STAYS, Situation, ago};

/// What is new about the user.
#[derive(Debug, Clone, Copy)]
enum New {
    Key,
    SecondKey,
    KeyRotated,
    Password,
    PasswordReset,
    PasswordBesideIdleKey,
}

const NEWS: [New; 6] = [
    New::Key,
    New::SecondKey,
    New::KeyRotated,
    New::Password,
    New::PasswordReset,
    New::PasswordBesideIdleKey,
];

pub(super) fn situations() -> Vec<Situation> {
    let mut all = Vec::new();
    for logs in [true, false] {
        for new in NEWS {
            all.extend([0, 1, 3, 6].map(|days| young(new, days, logs)));
            all.push(grown(new, logs));
        }
        all.extend([0, 2, 6].map(|days| empty(days, logs).keeps_user()));
        all.push(empty(60, logs).says("unused-users", &["NO_CREDENTIALS"]));
        all.push(
            unread(logs, &[Part::Users, Part::Report, Part::Keys, Part::KeyUses]).keeps_user(),
        );
        all.push(
            unread(logs, &[Part::Users, Part::Keys, Part::KeyUses, Part::Others]).keeps_user(),
        );
        all.push(unread(logs, &[Part::Users, Part::Others]).keeps_user());
        all.push(with_service_credential(logs).keeps_user());
    }
    all
}

fn base(what: &str, logs: bool) -> Situation {
    let with = if logs { "with logs" } else { "without logs" };
    let situation = Situation::new(format!("{what}, {with}"));
    if logs { situation.logs(100, 0) } else { situation }
}

fn renew(situation: Situation, new: New, time: Time) -> Situation {
    let old = ago(900, 0);
    let situation = situation.has(Sort::User, old);
    let idle_key =
        |situation: Situation| situation.has(Sort::Key, old).used_unseen(Sort::Key, ago(300, 0));
    match new {
        New::Key => situation.has(Sort::Key, time),
        New::SecondKey => idle_key(situation).has(Sort::Key, time),
        New::KeyRotated => {
            // It was used until then, for data; IAM forgets that with the key.
            let situation = situation.has(Sort::Key, old).used_unseen(Sort::Key, time - 1_000_000);
            situation.gone(Sort::Key, time).has(Sort::Key, time)
        }
        New::Password => situation.has(Sort::Password, time),
        New::PasswordReset => situation
            .has(Sort::Password, old)
            .used(Sort::Password, ago(300, 0), Call::Write, HOME)
            .reset(time),
        New::PasswordBesideIdleKey => idle_key(situation).has(Sort::Password, time),
    }
}

fn young(new: New, days: i64, logs: bool) -> Situation {
    let situation = base(&format!("{new:?} {days} days before"), logs);
    let situation = renew(situation, new, ago(days, 8)).read(ago(0, 6)).keeps_user();
    match new {
        New::Key | New::KeyRotated => {
            situation.says("stale-keys", STAYS).may_say("key-migration", STAYS)
        }
        _ => situation,
    }
}

/// The same, two months ago, and nothing since.
fn grown(new: New, logs: bool) -> Situation {
    let situation = base(&format!("{new:?} 60 days before"), logs);
    renew(situation, new, ago(60, 0))
        .read(ago(0, 6))
        .says("unused-users", &["UNUSED", "NEVER_USED"])
}

fn empty(days: i64, logs: bool) -> Situation {
    let what = format!("a user made {days} days before, without credentials");
    base(&what, logs).has(Sort::User, ago(days, 10)).read(ago(0, 6))
}

/// Not all was read: who knows what there is.
fn unread(logs: bool, parts: &[Part]) -> Situation {
    let read: Vec<_> = parts.iter().map(|part| (*part, ago(0, 6))).collect();
    let what = format!("a user without credentials, read {parts:?}");
    base(&what, logs).has(Sort::User, ago(900, 0)).read_parts(&read)
}

fn with_service_credential(logs: bool) -> Situation {
    let situation = base("a user with a credential for one service", logs);
    situation.has(Sort::User, ago(900, 0)).has(Sort::Service, ago(800, 0)).read(ago(0, 6))
}
