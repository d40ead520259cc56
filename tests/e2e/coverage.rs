//! Which days count as held: what CloudTrail delivered and was read, and nothing that merely resembles it.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::{Ground, Lake, Record, Run, Scratch, gzip, log_file};

const ACCOUNT: &str = "111122223333";
/// No logs of it are held.
const OTHER: &str = "444455556666";

fn name(account: &str, day: u32, unique: &str) -> String {
    format!("{account}_CloudTrail_us-east-1_202601{day:02}T0715Z_{unique}.json.gz")
}

fn key(account: &str, day: u32, unique: &str) -> String {
    let name = name(account, day, unique);
    format!("AWSLogs/{account}/CloudTrail/us-east-1/2026/01/{day:02}/{name}")
}

fn content(number: u32) -> Vec<u8> {
    gzip(log_file([Record::assume_role(number)]))
}

/// A log file on each of the days.
fn daily(days: std::ops::Range<u32>) -> impl Iterator<Item = (String, Vec<u8>)> {
    days.map(|day| (key(ACCOUNT, day, "a"), content(day)))
}

/// How the report on roles ends for the first ten days of the year.
#[track_caller]
fn gated(lake: &Lake<'_>, args: &[&str], code: i32) -> Run {
    let window =
        ["unused-roles", "--from", "2026-01-01", "--to", "2026-01-10", "--as-of", "2026-01-10"];
    lake.command("report").args(window).args(args).run().exits(code)
}

fn states(lake: &Lake<'_>) -> Vec<Value> {
    let rows = lake.report("coverage", &["--as-of", "2026-02-01"]);
    rows.iter().map(|row| json!([row["day"], row["state"]])).collect()
}

#[test]
fn regression_a_dump_of_chosen_events_holds_no_day() {
    let scratch = Scratch::new(Ground::Folder);
    for day in 1..11 {
        let event = Record::assume_role(day)
            .with("eventTime", json!(format!("2026-01-{day:02}T07:00:00Z")));
        let looked_up =
            json!({"Events": [{"EventId": "x", "CloudTrailEvent": event.0.to_string()}]});
        scratch.write(format!("daily/assume-role-{day:02}.json"), looked_up.to_string());
    }
    let page = json!({"Events": [{"EventId": "x", "CloudTrailEvent": Record::assume_role(99).0.to_string()}],
        "NextToken": "eyJOZXh0VG9rZW4iOiBudWxsfQ=="});
    scratch.write("page.json", page.to_string());
    let lake = scratch.lake("lake");
    let run = lake.ingest([scratch.path("daily"), scratch.path("page.json")]).run().exits(0);
    run.complains_of(&["page.json", "NextToken", "more pages"]);
    run.complains_of(&["11 files", "hold no day"]);
    assert_eq!(run.json()["log_files"], 11, "{run}");
    // They are uses all the same.
    assert_eq!(lake.number("SELECT count(*) FROM assumptions"), 11);
    assert_eq!(lake.number("SELECT count(*) FROM coverage WHERE held"), 0);
    let states = states(&lake);
    assert_eq!(states.len(), 10, "{states:?}");
    assert!(states.iter().all(|row| row[1] == "NOT_DELIVERED"), "{states:?}");
    let run = gated(&lake, &["--require-coverage", "95%"], 4);
    run.complains_of(&["coverage is 0.000"]);
    run.complains_of(&["held too little of", ACCOUNT]);
}

#[test]
fn regression_what_could_not_be_read_takes_its_day_until_it_is_taken_in() {
    let scratch = Scratch::new(Ground::Folder);
    let source = scratch.deliver("source", daily(1..11));
    let gone = scratch.path("source").join(key(ACCOUNT, 4, "gone"));
    symlink(scratch.path("nowhere"), &gone).unwrap();
    let lake = scratch.lake("lake");
    let run = lake.ingest([&source]).run().exits(5);
    run.complains_of(&["gone.json.gz", "o such file"]);
    assert_eq!(run.json()["rejected_files"], 1, "{run}");
    let refused = lake.sql("SELECT log_file, refusal FROM log_files WHERE status = 'refused'");
    assert_eq!(refused[0]["log_file"], json!(name(ACCOUNT, 4, "gone")));
    assert!(refused[0]["refusal"].as_str().unwrap().contains("o such file"), "{refused:?}");
    let partial = lake.report("coverage", &["--as-of", "2026-02-01"]);
    let partial: Vec<_> = partial.iter().filter(|row| row["state"] == "PARTIAL").collect();
    assert_eq!(partial.len(), 1);
    assert_eq!(partial[0]["day"], "2026-01-04");
    assert!(partial[0]["refusals"].as_str().unwrap().contains("o such file"), "{partial:?}");
    gated(&lake, &["--require-coverage", "1"], 4).complains_of(&["account", ACCOUNT, "0.900"]);

    // Again nothing, and then it is there.
    lake.ingest([&source]).run().exits(5);
    assert_eq!(lake.number("SELECT count(*) FROM log_files WHERE status = 'refused'"), 1);
    std::fs::remove_file(&gone).unwrap();
    std::fs::write(&gone, content(40)).unwrap();
    let run = lake.ingest([&source]).run().exits(0);
    assert_eq!(run.json()["log_files"], 1, "{run}");
    assert!(states(&lake).iter().all(|row| row[1] == "HELD"));
    gated(&lake, &["--require-coverage", "1"], 0);
    lake.check().run().exits(0);
}

#[test]
fn regression_a_copy_that_can_be_read_is_taken_in_beside_one_that_cannot() {
    let scratch = Scratch::new(Ground::Folder);
    let bad = scratch.write("a/placeholder.txt", "").with_file_name(name(ACCOUNT, 5, "a"));
    symlink(scratch.path("nowhere"), &bad).unwrap();
    scratch.write(format!("b/{}", name(ACCOUNT, 5, "a")), content(5));
    let lake = scratch.lake("lake");
    lake.ingest([scratch.path("a"), scratch.path("b")]).run().exits(5);
    assert_eq!(lake.number("SELECT count(*) FROM credential_events"), 1);
    assert!(states(&lake).iter().all(|row| row[1] == "HELD"));
    lake.check().run().exits(0);
}

/// What an account of the organisation is called, and whether it is open.
fn accounts(scratch: &Scratch, status: &str) {
    let account = |id: &str, name: &str, status: &str| {
        json!({"Id": id, "Name": name, "Status": status,
        "Arn": format!("arn:aws:organizations::{ACCOUNT}:account/o-abcdefghij/{id}"),
        "Email": format!("{name}@example.com"), "JoinedMethod": "CREATED",
        "JoinedTimestamp": "2020-01-01T00:00:00+00:00"})
    };
    let listed = json!({"Accounts": [account(ACCOUNT, "production", "ACTIVE"), account(OTHER, "sandbox", status)]});
    scratch.write("iam/accounts.json", listed.to_string());
    for id in [ACCOUNT, OTHER] {
        let users = json!({"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [{
            "Path": "/", "RoleName": "r", "RoleId": format!("AROA{id}"), "Arn": format!("arn:aws:iam::{id}:role/r"),
            "CreateDate": "2020-01-01T00:00:00+00:00", "AssumeRolePolicyDocument": {"Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
            "InstanceProfileList": [], "RolePolicyList": [], "AttachedManagedPolicies": [], "Tags": [],
            "RoleLastUsed": {}}], "Policies": []});
        scratch.write(format!("iam/{id}/details.json"), users.to_string());
    }
}

#[test]
fn closed_and_ignored_accounts_are_not_asked_for() {
    for (status, args, code) in [
        ("ACTIVE", vec![], 4),
        ("ACTIVE", vec!["--ignore-account", OTHER], 0),
        ("ACTIVE", vec!["--ignore-account", "Sandbox"], 0),
        ("SUSPENDED", vec![], 0),
    ] {
        let scratch = Scratch::new(Ground::Folder);
        let lake = scratch.lake("lake");
        lake.ingest([scratch.deliver("source", daily(1..11))]).run().exits(0);
        accounts(&scratch, status);
        let taken = ["--from", "iam", "--snapshot-time", "2026-01-10T12:00:00Z"];
        lake.command("inventory").args(taken).run().exits(0);
        let run = gated(&lake, &[&["--require-coverage", "95%"], &args[..]].concat(), code);
        // Whichever way, it is said once.
        assert_eq!(run.stderr().matches(OTHER).count(), 1, "{run}");
        let wrong = gated(&lake, &["--require-coverage", "95%", "--ignore-account", "sandbx"], 2);
        wrong.complains_of(&["--ignore-account sandbx", "sandbox"]);
    }
}

#[test]
fn digests_that_prove_nothing_fail_the_gate() {
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    lake.ingest([scratch.deliver("source", daily(1..11))]).run().exits(0);
    gated(&lake, &["--require-coverage", "1"], 0);
    let run = gated(&lake, &["--require-coverage", "1", "--require-verified", "90%"], 4);
    run.complains_of(&["--require-verified 0.9", "rolecall verify"]);
    run.complains_of(&["verified too little of", ACCOUNT]);
    gated(&lake, &["--require-verified", "2"], 2).complains_of(&["--require-verified"]);
}
