//! A history in words.

use chrono::DateTime;

use super::truth::{Account, Call, DAY, Part, Sort, Time};

/// A time as its date and its days before `now`.
fn when(time: Time, now: Time) -> String {
    let date = DateTime::from_timestamp_micros(time).unwrap().format("%m-%d %H:%M");
    let tenths = (now - time) * 10 / DAY;
    format!("{date} ({}.{} d ago)", tenths / 10, (tenths % 10).abs())
}

/// What something is called in a story about `of`.
fn called(account: &Account, at: usize, of: usize) -> String {
    let thing = &account.things[at];
    match thing.sort {
        _ if at == of => "it".to_owned(),
        Sort::Password => "the password".to_owned(),
        _ => thing.id.clone(),
    }
}

/// What happened to `of` and what it hangs together with, in order.
pub(super) fn tell(account: &Account, of: usize, now: Time) -> Vec<String> {
    let role = account.things[of].sort == Sort::Role;
    let of_story = |sort: Sort| (sort == Sort::Role) == role;
    let mut acts: Vec<(Time, String)> = Vec::new();
    for change in account.changes.iter().filter(|one| of_story(account.things[one.of].sort)) {
        let how = match (change.failed, change.seen) {
            (true, _) => "tried and refused",
            (false, true) => "logged",
            (false, false) => "in no log that is held",
        };
        let what = called(account, change.of, of);
        acts.push((change.time, format!("{} of {what}, {how}", change.event)));
    }
    for (at, thing) in account.things.iter().enumerate().filter(|(_, one)| of_story(one.sort)) {
        for usage in &thing.uses {
            let call = match usage.call {
                Call::Write => "write event",
                Call::Read => "read event",
                Call::Data => "data event",
            };
            let seen = if usage.seen { "logged" } else { "in no log that is held" };
            let what = called(account, at, of);
            acts.push((usage.time, format!("{what} is used: {call} in {}, {seen}", usage.region)));
        }
    }
    for (of, time) in account.refused.iter().filter(|(at, _)| of_story(account.things[*at].sort)) {
        acts.push((*time, format!("a call for {} fails", account.things[*of].name)));
    }
    for reading in &account.readings {
        for part in Part::ALL {
            let of_role = matches!(part, Part::Roles | Part::RoleUses);
            if let Some(at) = reading.at(part).filter(|_| of_role == role) {
                acts.push((at, format!("IAM is asked: {}", part.names()[0])));
            }
        }
    }
    acts.sort();
    let mut lines = in_short(&acts, now);
    lines.extend(logs(account, now));
    lines
}

/// One line for what happens several times in a row.
fn in_short(acts: &[(Time, String)], now: Time) -> Vec<String> {
    let runs = acts.chunk_by(|one, other| one.1 == other.1);
    let line = |run: &[(Time, String)]| match run {
        [(time, text)] => format!("  {} {text}", when(*time, now)),
        [(first, text), .., (last, _)] => {
            format!(
                "  {} {text}; {} times until {}",
                when(*first, now),
                run.len(),
                when(*last, now)
            )
        }
        [] => String::new(),
    };
    runs.map(line).collect()
}

fn logs(account: &Account, now: Time) -> Vec<String> {
    let mut lines = Vec::new();
    for region in [super::truth::HOME, super::truth::OTHER] {
        let days = account.logs.keys().filter(|(of, _)| *of == region).map(|(_, day)| *day);
        let (first, last) = (days.clone().min(), days.clone().max());
        lines.push(match first.zip(last) {
            Some((first, last)) => format!(
                "  logs of {region}: {} of the days from {} to {} days ago",
                days.count(),
                now / DAY - first,
                now / DAY - last
            ),
            None => format!("  no logs of {region}"),
        });
    }
    if account.write_only {
        lines.push("  the trail leaves read events out".to_owned());
    }
    lines
}
