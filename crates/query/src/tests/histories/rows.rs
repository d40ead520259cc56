//! The rows that a lake has of an account: its log files, what they hold, and its inventories.

use chrono::DateTime;

use super::super::lake::{Row, TestLake};
use super::iam;
use super::truth::{
    Account, Call, Change, DAY, HOME, HOUR, Held, MINUTE, Part, Reading, Sort, Thing, Time, Use,
};

/// The lake of these accounts; `copies` of each snapshot, as when one dump is read again.
pub(super) fn lake(accounts: &[Account], copies: usize) -> TestLake {
    accounts.iter().fold(TestLake::default(), |lake, account| of_account(lake, account, copies))
}

fn of_account(lake: TestLake, account: &Account, copies: usize) -> TestLake {
    let mut lake = lake.rows("log_files", log_files(account));
    for (number, change) in account.changes.iter().enumerate().filter(|(_, change)| change.seen) {
        lake = lake.rows("iam_changes", [changed(account, number, change)]);
    }
    for (of, thing) in account.things.iter().enumerate() {
        for usage in thing.uses.iter().filter(|usage| usage.seen) {
            lake = used(lake, account, of, usage);
        }
    }
    for (number, (of, time)) in account.refused.iter().enumerate() {
        lake = lake.rows("credential_events", [refused(account, number, *of, *time)]);
    }
    for copy in 0..copies {
        for (number, reading) in account.readings.iter().enumerate() {
            lake = snapshot(lake, account, reading, &format!("{}-{number}-{copy}", account.number));
        }
    }
    if account.write_only && !account.readings.is_empty() {
        lake = lake.rows("trails", [trail(account)]);
    }
    lake
}

fn trail(account: &Account) -> Row {
    let seen = account.readings[0].taken();
    Row::default()
        .text("trail_arn", format!("arn:aws:cloudtrail:{HOME}:{}:trail/t", account.number))
        .number("snapshot_time", seen)
        .number("snapshot_date", seen / DAY)
        .flag("multi_region", true)
        .flag("organization", false)
        .flag("logging", true)
        .list("not_recorded", &["read events (every AssumeRole is one)", "data events"])
}

fn stamp(time: Time, format: &str) -> String {
    DateTime::from_timestamp_micros(time).unwrap().format(format).to_string()
}

/// Log files are named as CloudTrail names them.
fn file_name(account: &Account, region: &str, day: i64, which: &str) -> String {
    let day = stamp(day * DAY, "%Y%m%d");
    format!("{}_CloudTrail_{region}_{day}T0005Z_{which}.json.gz", account.number)
}

const FIRST: &str = "abcdefghijklmnop";
const SECOND: &str = "qrstuvwxyzabcdef";

fn log_files(account: &Account) -> Vec<Row> {
    let file = |region: &str, day: i64, which: &str, status: &str| {
        Row::default()
            .text("log_file", file_name(account, region, day, which))
            .number("delivered_date", day)
            .number("delivered_at", day * DAY + 5 * MINUTE)
            .text("account_id", account.number.clone())
            .text("aws_region", region)
            .text("status", status)
    };
    let mut rows = Vec::new();
    for ((region, day), held) in &account.logs {
        rows.push(
            file(region, *day, FIRST, "complete")
                .number("records", 1)
                .number("first_event_time", *day * DAY)
                .number("last_event_time", *day * DAY),
        );
        if *held == Held::Half {
            rows.push(file(region, *day, SECOND, "refused").text("refusal", "too large"));
        }
    }
    rows
}

fn found_in(row: Row, account: &Account, region: &str, time: Time) -> Row {
    let name = file_name(account, region, (time + 5 * MINUTE) / DAY, FIRST);
    row.text("log_file", name).text("aws_region", region)
}

fn target(thing: &Thing, event: &str) -> (&'static str, Option<String>) {
    match thing.sort {
        Sort::Key => ("access_key", Some(thing.id.clone())),
        Sort::Password => ("login_profile", None),
        Sort::Service => ("service_specific_credential", Some(thing.id.clone())),
        // Only the answer has the id, and only the calls that create answer with it.
        Sort::User => ("user", event.starts_with("Create").then(|| thing.id.clone())),
        Sort::Role => ("role", event.starts_with("Create").then(|| thing.id.clone())),
    }
}

fn changed(account: &Account, number: usize, change: &Change) -> Row {
    let thing = &account.things[change.of];
    let (sort, id) = target(thing, change.event);
    let (event, status) = match change.event.split_once(' ') {
        Some((event, status)) => (event, Some(status)),
        None => (change.event, None),
    };
    let row = Row::default()
        .text("event_id", format!("{}-change-{number}", account.number))
        .number("event_time", change.time)
        .number("event_date", change.time / DAY)
        .text("event_name", event)
        .text("event_source", "iam.amazonaws.com")
        .text("recipient_account_id", account.number.clone())
        .text("outcome", if change.failed { "failure" } else { "success" })
        .text("actor_arn", format!("arn:aws:iam::{}:role/admin", account.number))
        .text("target_type", sort)
        .text("target_name", thing.name.clone())
        .number("record_index", 0);
    let row = found_in(row, account, HOME, change.time);
    let row = if change.failed { row.text("error_code", "AccessDenied") } else { row };
    let row = status.into_iter().fold(row, |row, status| row.text("status", status));
    id.into_iter().fold(row, |row, id| row.text("target_id", id))
}

fn user_arn(account: &Account, name: &str) -> String {
    format!("arn:aws:iam::{}:user/{name}", account.number)
}

fn role_arn(account: &Account, name: &str) -> String {
    format!("arn:aws:iam::{}:role/{name}", account.number)
}

fn user_id(account: &Account, thing: &Thing) -> String {
    thing.owner.map_or_else(|| thing.id.clone(), |owner| account.things[owner].id.clone())
}

/// A credential event of the account, of which nothing more is known.
fn event(account: &Account, id: String, name: &str, time: Time, region: &str) -> Row {
    let source = if name == "ConsoleLogin" { "signin.amazonaws.com" } else { "sts.amazonaws.com" };
    let row = Row::default()
        .text("event_id", id)
        .number("event_time", time)
        .number("event_date", time / DAY)
        .text("event_source", source)
        .text("event_name", name)
        .text("recipient_account_id", account.number.clone())
        .text("outcome", "success")
        .number("record_index", 0);
    found_in(row, account, region, time)
}

fn sign_in(account: &Account, thing: &Thing, id: String, time: Time, region: &str) -> Row {
    event(account, id, "ConsoleLogin", time, region)
        .text("caller_type", "IAMUser")
        .text("caller_account_id", account.number.clone())
        .text("caller_user_name", thing.name.clone())
        .text("caller_arn", user_arn(account, &thing.name))
        .text("caller_principal_id", user_id(account, thing))
}

fn taken(account: &Account, role: &Thing, id: String, time: Time, region: &str) -> Row {
    let session = format!("arn:aws:sts::{}:assumed-role/{}/s", account.number, role.name);
    event(account, id, "AssumeRole", time, region)
        .text("caller_type", "AWSService")
        .text("caller_invoked_by", "ec2.amazonaws.com")
        .text("source_service", "ec2.amazonaws.com")
        .text("role_arn", role_arn(account, &role.name))
        .text("role_arn_source", "request")
        .text("role_account_id", account.number.clone())
        .text("role_name", role.name.clone())
        .text("role_path", "/")
        .text("session_name", "s")
        .text("session_arn", session)
        .flag("read_only", true)
}

fn refused(account: &Account, number: usize, of: usize, time: Time) -> Row {
    let thing = &account.things[of];
    let id = format!("{}-refused-{number}", account.number);
    let row = match thing.sort {
        Sort::Role => taken(account, thing, id, time, HOME).text("error_code", "AccessDenied"),
        _ => sign_in(account, thing, id, time, HOME).text("error_code", "Failed authentication"),
    };
    row.text("outcome", "failure")
}

fn used(lake: TestLake, account: &Account, of: usize, usage: &Use) -> TestLake {
    let thing = &account.things[of];
    let id = format!("{}-{of}-{}", account.number, usage.time / MINUTE);
    match thing.sort {
        Sort::Password => lake.events([sign_in(account, thing, id, usage.time, usage.region)]),
        Sort::Role => {
            let key = format!("ASIA{of}X{}", usage.time / MINUTE);
            let session = format!("arn:aws:sts::{}:assumed-role/{}/s", account.number, thing.name);
            let row = activity(account, usage, &id)
                .text("access_key_id", key.clone())
                .text("credential_kind", "temporary")
                .text("principal_type", "AssumedRole")
                .text("principal_id", format!("{}:s", thing.id))
                .text("principal_arn", session)
                .text("role_arn", role_arn(account, &thing.name))
                .text("role_id", thing.id.clone())
                .text("session_name", "s")
                .number("session_created", usage.time - MINUTE);
            let lake = lake.activity([row]);
            // Taking a role is a read event.
            let begin = usage.time - MINUTE;
            if account.recorded(begin, Call::Read, usage.region) {
                let taken = taken(account, thing, format!("{id}-taken"), begin, usage.region)
                    .text("role_id", thing.id.clone())
                    .text("issued_access_key_id", key)
                    .number("issued_expiration", begin + HOUR);
                lake.events([taken])
            } else {
                lake
            }
        }
        Sort::Key => key_used(lake, account, thing, usage, &id),
        Sort::User | Sort::Service => lake,
    }
}

/// A key signs itself, or opens a session that does.
fn key_used(lake: TestLake, account: &Account, key: &Thing, usage: &Use, id: &str) -> TestLake {
    let row = activity(account, usage, id)
        .text("principal_type", "IAMUser")
        .text("principal_id", user_id(account, key))
        .text("principal_arn", user_arn(account, &key.name))
        .text("user_name", key.name.clone());
    let begin = usage.time - MINUTE;
    if usage.time / MINUTE % 3 > 0 || !account.recorded(begin, Call::Write, usage.region) {
        let row = row.text("access_key_id", key.id.clone());
        return lake.activity([row.text("credential_kind", "long_term")]);
    }
    let child = format!("ASIA{}X{}", key.id, usage.time / MINUTE);
    let opened = event(account, format!("{id}-opened"), "GetSessionToken", begin, usage.region)
        .text("caller_type", "IAMUser")
        .text("caller_account_id", account.number.clone())
        .text("caller_user_name", key.name.clone())
        .text("caller_arn", user_arn(account, &key.name))
        .text("caller_principal_id", user_id(account, key))
        .text("caller_access_key_id", key.id.clone())
        .text("issued_access_key_id", child.clone())
        .number("issued_expiration", begin + HOUR)
        .flag("read_only", false);
    let row = row.text("access_key_id", child).text("credential_kind", "temporary");
    lake.events([opened]).activity([row.number("session_created", begin)])
}

fn activity(account: &Account, usage: &Use, id: &str) -> Row {
    let name = if usage.call == Call::Read { "DescribeInstances" } else { "RunInstances" };
    let hour = usage.time / HOUR * HOUR;
    let row = Row::default()
        .number("hour", hour)
        .number("event_date", hour / DAY)
        .text("account_id", account.number.clone())
        .text("recipient_account_id", account.number.clone())
        .text("event_source", "ec2.amazonaws.com")
        .text("event_name", name)
        .text("event_category", "Management")
        .text("source_ip", "198.51.100.7")
        .text("user_agent", "aws-cli/2")
        .number("event_count", 1)
        .number("first_time", usage.time)
        .number("last_time", usage.time)
        .text("sample_event_id", id);
    found_in(row, account, usage.region, usage.time)
}

fn snapshot(lake: TestLake, account: &Account, reading: &Reading, id: &str) -> TestLake {
    let at = reading.taken();
    let row = || {
        Row::default()
            .text("snapshot_id", id)
            .number("snapshot_time", at)
            .number("snapshot_date", at / DAY)
            .text("account_id", account.number.clone())
    };
    let parts: Vec<(&str, Time)> = reading
        .0
        .iter()
        .flat_map(|(part, at)| part.names().iter().map(move |name| (*name, *at)))
        .collect();
    let names: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
    let uses = [Part::Report, Part::KeyUses, Part::RoleUses];
    let asked = uses.iter().filter_map(|part| reading.at(*part)).min();
    let of_snapshot = row().text("source", "files").list("parts", &names);
    let of_snapshot =
        asked.into_iter().fold(of_snapshot, |row, asked| row.number("last_used_as_of", asked));
    let part = |(name, at): &(&str, Time)| {
        row().text("part", *name).number("read_at", *at).text("time_from", "api")
    };
    let users = iam::users(account, reading);
    let keys = iam::keys(account, reading);
    lake.rows("iam_snapshots", [of_snapshot])
        .rows("iam_parts", parts.iter().map(part).collect::<Vec<_>>())
        .rows(
            "iam_users",
            users.iter().map(|of| user(row(), account, reading, of)).collect::<Vec<_>>(),
        )
        .rows("iam_access_keys", keys.iter().map(|of| key(row(), account, of)).collect::<Vec<_>>())
        .rows(
            "iam_roles",
            iam::roles(account, reading)
                .iter()
                .map(|(of, asked)| role(row(), account, &account.things[*of], *asked))
                .collect::<Vec<_>>(),
        )
        .rows(
            "iam_trust_statements",
            iam::roles(account, reading)
                .iter()
                .map(|(of, _)| trust(row(), account, &account.things[*of]))
                .collect::<Vec<_>>(),
        )
        .rows(
            "iam_credentials",
            iam::services(account, reading)
                .iter()
                .map(|of| service(row(), &account.things[*of]))
                .collect::<Vec<_>>(),
        )
}

fn user(row: Row, account: &Account, reading: &Reading, of: &iam::UserRow) -> Row {
    let thing = &account.things[of.of];
    let row = row
        .text("user_name", thing.name.clone())
        .text("user_arn", user_arn(account, &thing.name))
        .number("created", thing.made)
        .flag("is_root", false);
    let row = match &of.id {
        Some(id) => row.text("user_id", id.clone()).text("path", "/"),
        None => row,
    };
    let Some(password) = of.password else { return row };
    let row = row.flag("console_password", password.is_some()).flag("mfa_active", true);
    let Some(password) = password.map(|place| &account.things[place]) else { return row };
    let at = reading.at(Part::Report).unwrap();
    let row = row.number("password_last_changed", password.renewed(at));
    match password.told(at) {
        Some(usage) => row.number("password_last_used", usage.time),
        None => row,
    }
}

fn key(row: Row, account: &Account, of: &iam::KeyRow) -> Row {
    let thing = &account.things[of.of];
    let row = row
        .text("user_name", thing.name.clone())
        .text("user_arn", user_arn(account, &thing.name))
        .flag("is_root", false)
        .text("status", if of.active { "Active" } else { "Inactive" })
        .flag("last_used_known", of.asked.is_some());
    let row = match &of.id {
        Some(id) => row.text("access_key_id", id.clone()).text("user_id", user_id(account, thing)),
        None => row,
    };
    let times =
        [("created", of.created), ("last_rotated", of.rotated), ("last_used", of.last_used)];
    let row = times.into_iter().fold(row, |row, (column, time)| match time {
        Some(time) => row.number(column, time),
        None => row,
    });
    let row = of.slot.into_iter().fold(row, |row, slot| row.number("slot", slot));
    let row = of.matched_by.into_iter().fold(row, |row, how| row.text("matched_by", how));
    let Some(usage) = thing.uses.iter().find(|usage| Some(usage.time) == of.last_used) else {
        return row;
    };
    let service = if usage.call == Call::Data { "s3" } else { "ec2" };
    row.text("last_used_service", service).text("last_used_region", usage.region)
}

fn role(row: Row, account: &Account, thing: &Thing, asked: Option<Time>) -> Row {
    let row = row
        .text("role_name", thing.name.clone())
        .text("role_arn", role_arn(account, &thing.name))
        .text("role_id", thing.id.clone())
        .text("path", "/")
        .number("created", thing.made)
        .flag("last_used_known", asked.is_some())
        .flag("service_linked", false)
        .flag("identity_center", false);
    match asked.and_then(|asked| thing.told(asked)) {
        Some(usage) => row.number("last_used", usage.time).text("last_used_region", usage.region),
        None => row,
    }
}

fn trust(row: Row, account: &Account, thing: &Thing) -> Row {
    row.text("role_arn", role_arn(account, &thing.name))
        .text("role_name", thing.name.clone())
        .text("role_id", thing.id.clone())
        .number("statement", 0)
        .text("effect", "Allow")
        .text("principal_type", "Service")
        .text("principal", "ec2.amazonaws.com")
        .flag("negated", false)
        .list("actions", &["sts:AssumeRole"])
}

fn service(row: Row, thing: &Thing) -> Row {
    row.text("user_name", thing.name.clone())
        .text("kind", "service_specific")
        .text("credential_id", thing.id.clone())
        .text("service", "codecommit.amazonaws.com")
        .text("status", "Active")
        .number("created", thing.made)
}
