//! As of when each part tells: by what the file says, by the user, or by when the file was written.

use serde_json::json;

use super::*;
use crate::time::parse;

/// `part read_at time_from` of the parts of an account.
fn ages(done: &Assembled, account: &str) -> Vec<String> {
    let rows = one(done, account).part_times.iter();
    let days = |at: i64| (NOW - at).div_euclid(DAY);
    rows.map(|row| format!("{} {} {}", row.part, days(row.read_at), row.time_from.as_str()))
        .collect()
}

fn age(done: &Assembled, account: &str, part: &str) -> String {
    let start = format!("{part} ");
    let all = ages(done, account);
    let found = all.iter().find_map(|line| line.strip_prefix(&start));
    found.unwrap_or_else(|| panic!("{part}: {all:?}")).to_owned()
}

/// An account with a user and two roles.
fn details(account: &str) -> String {
    let role = |name: &str| {
        json!({"RoleName": name, "RoleId": format!("AROA{name}"), "Path": "/", "RoleLastUsed": {},
               "Arn": format!("arn:aws:iam::{account}:role/{name}"), "CreateDate": "2024-01-01T00:00:00Z"})
    };
    json!({
        "UserDetailList": [{"UserName": "lab", "UserId": "AIDALAB", "Path": "/", "CreateDate": "2024-01-01T00:00:00Z",
                            "Arn": format!("arn:aws:iam::{account}:user/lab")}],
        "GroupDetailList": [], "RoleDetailList": [role("busy"), role("idle")], "Policies": [],
    })
    .to_string()
}

fn report(account: &str, generated: &str) -> String {
    let csv = fixture("sandbox/credential-report.csv").replace(SANDBOX, account);
    let csv = csv.replace("2025-01-01T00:00:00Z,arn", "2024-01-01T00:00:00Z,arn");
    json!({"Content": STANDARD.encode(csv), "ReportFormat": "text/csv", "GeneratedTime": generated})
        .to_string()
}

const KEYS: &str = "{\"AccessKeyMetadata\": [{\"UserName\": \"lab\", \"AccessKeyId\": \"AKIALAB0000000000001\", \
                    \"Status\": \"Active\", \"CreateDate\": \"2025-01-02T00:00:00Z\"}]}";

fn get_role(name: &str, used: &str) -> String {
    json!({"Role": {"RoleName": name, "RoleId": format!("AROA{name}"), "Path": "/",
        "Arn": format!("arn:aws:iam::{SANDBOX}:role/{name}"), "CreateDate": "2024-01-01T00:00:00Z",
        "RoleLastUsed": {"LastUsedDate": used, "Region": "eu-west-1"}}})
    .to_string()
}

#[test]
fn regression_one_accounts_files_never_date_anothers() {
    let (old, new) = (details(PRODUCTION), details(SANDBOX));
    let folder = folder_of(&[
        ("111122223333/details.json", &old),
        ("444455556666/details.json", &new),
        ("organization/accounts.json", &fixture("organization/list-accounts.json")),
    ]);
    write_at(&folder, "111122223333/details.json", NOW - 70 * DAY);
    write_at(&folder, "444455556666/details.json", NOW);
    write_at(&folder, "organization/accounts.json", NOW);
    let (done, rejected) = given(folder.path(), None);
    assert_eq!((rejected, done.rejected.len()), (vec![], 0));
    assert_eq!(one(&done, PRODUCTION).snapshot.snapshot_time, NOW - 70 * DAY);
    assert_eq!(one(&done, SANDBOX).snapshot.snapshot_time, NOW);
    assert_eq!(age(&done, PRODUCTION, "role_last_used"), "70 file");
    // The management account's snapshot holds the organisation's accounts, which have a time of their own.
    assert_eq!(age(&done, PRODUCTION, "accounts"), "0 file");
    // What the user says stands for when files were written, in every account.
    let (done, _) = given(folder.path(), Some(NOW));
    assert_eq!(one(&done, PRODUCTION).snapshot.snapshot_time, NOW);
    assert_eq!(age(&done, PRODUCTION, "roles"), "0 given");
}

#[test]
fn regression_each_part_is_as_old_as_the_oldest_file_that_it_rests_on() {
    let of = |details_age: i64, keys_age: i64| {
        let text = details(SANDBOX);
        let folder = folder_of(&[("details.json", text.as_str()), ("keys-lab.json", KEYS)]);
        write_at(&folder, "details.json", NOW - details_age * DAY);
        write_at(&folder, "keys-lab.json", NOW - keys_age * DAY);
        let (done, rejected) = given(folder.path(), None);
        assert_eq!((rejected, done.rejected.len()), (vec![], 0));
        let parts = ["users", "roles", "role_last_used", "access_keys"];
        let ages = parts.map(|part| age(&done, SANDBOX, part)).join(", ");
        (ages, one(&done, SANDBOX).snapshot.clone())
    };
    // A fresh key list beside old details, and the other way.
    let (ages, snapshot) = of(70, 0);
    assert_eq!(ages, "70 file, 70 file, 70 file, 0 file");
    assert_eq!((snapshot.snapshot_time, snapshot.last_used_as_of), (NOW, Some(NOW - 70 * DAY)));
    let (ages, snapshot) = of(0, 70);
    assert_eq!(ages, "0 file, 0 file, 0 file, 70 file");
    assert_eq!((snapshot.snapshot_time, snapshot.last_used_as_of), (NOW, Some(NOW)));

    // Two users' key lists of two ages: the part promises no more than the older one.
    let other = KEYS.replace("\"lab\"", "\"ann\"").replace("AKIALAB", "AKIAANN");
    let folder = folder_of(&[
        ("details.json", &details(SANDBOX)),
        ("keys-lab.json", KEYS),
        ("keys-ann.json", &other),
    ]);
    write_at(&folder, "details.json", NOW);
    write_at(&folder, "keys-lab.json", NOW);
    write_at(&folder, "keys-ann.json", NOW - 3 * DAY);
    let (done, _) = given(folder.path(), None);
    assert_eq!(age(&done, SANDBOX, "access_keys"), "3 file");
}

#[test]
fn regression_a_report_is_of_when_it_was_made_whenever_its_file_was_written() {
    let text = report(SANDBOX, "2026-01-02T08:00:00+00:00");
    let folder = folder_of(&[("report.json", text.as_str())]);
    for written in [NOW, NOW - 3 * DAY, NOW - 30 * DAY] {
        write_at(&folder, "report.json", written);
        for at in [None, Some(NOW)] {
            let (done, rejected) = given(folder.path(), at);
            assert_eq!((rejected, done.rejected.len()), (vec![], 0));
            assert_eq!(age(&done, SANDBOX, "credential_report"), "3 content");
            assert_eq!(one(&done, SANDBOX).snapshot.snapshot_time, NOW - 3 * DAY);
        }
    }
    // What was made after the time that the user gives contradicts it.
    let (done, _) = given(folder.path(), Some(NOW - 4 * DAY));
    let words = done.rejected[0].to_string();
    assert!(
        words.contains("it tells of 2026-01-02 08:00:00Z in ") && words.contains("--snapshot-time"),
        "{words}"
    );
    // As CSV it does not say when.
    let folder = folder_of(&[("report.csv", &fixture("sandbox/credential-report.csv"))]);
    write_at(&folder, "report.csv", NOW - 9 * DAY);
    let (done, _) = given(folder.path(), None);
    assert_eq!(age(&done, SANDBOX, "credential_report"), "9 file");
    assert_eq!(age(&given(folder.path(), Some(NOW)).0, SANDBOX, "credential_report"), "0 given");
}

#[test]
fn regression_an_old_dump_that_was_copied_today_is_refused() {
    let old = report(PRODUCTION, "2025-10-27T08:00:00+00:00");
    let folder = folder_of(&[
        ("111122223333/details.json", details(PRODUCTION).as_str()),
        ("111122223333/report.json", old.as_str()),
        ("444455556666/details.json", details(SANDBOX).as_str()),
    ]);
    for name in
        ["111122223333/details.json", "111122223333/report.json", "444455556666/details.json"]
    {
        write_at(&folder, name, NOW);
    }
    let (done, rejected) = given(folder.path(), None);
    assert_eq!(rejected, [""; 0], "the files themselves are good");
    let accounts: Vec<&str> =
        done.inventories.iter().map(|one| one.snapshot.account_id.as_str()).collect();
    assert_eq!(accounts, [SANDBOX], "nothing else is lost");
    let words = done.rejected[0].to_string();
    for part in [
        "111122223333/details.json was written at 2026-01-05 08:00:00Z",
        "report.json says that it is of 2025-10-27",
        "--snapshot-time",
    ] {
        assert!(words.contains(part), "{part} is not in {words}");
    }
    // The user says when: the report's own time still counts.
    let (done, _) = given(folder.path(), Some(NOW));
    assert_eq!(age(&done, PRODUCTION, "roles"), "0 given");
    assert_eq!(age(&done, PRODUCTION, "credential_report"), "70 content");
    // Within a day it is one reading, and an older file beside a fresh report promises no more than it can.
    for written in [parse("2025-10-28T07:59:00Z").unwrap(), NOW - 200 * DAY] {
        write_at(&folder, "111122223333/details.json", written);
        let (done, _) = given(folder.path(), None);
        assert_eq!(done.rejected, []);
        assert!(age(&done, PRODUCTION, "roles").ends_with(" file"));
    }
}

#[test]
fn nothing_in_a_file_is_younger_than_the_file() {
    let used = get_role("busy", "2026-01-04T00:00:00Z");
    let folder =
        folder_of(&[("details.json", details(SANDBOX).as_str()), ("busy.json", used.as_str())]);
    write_at(&folder, "details.json", NOW - 70 * DAY);
    write_at(&folder, "busy.json", NOW);
    // A younger file may tell of what is later than the older one.
    let (done, _) = given(folder.path(), None);
    assert_eq!(done.rejected, []);
    let busy = one(&done, SANDBOX).roles.iter().find(|role| role.role_name == "busy").unwrap();
    assert_eq!(busy.last_used, parse("2026-01-04T00:00:00Z"));
    write_at(&folder, "busy.json", NOW - 30 * DAY);
    let (done, _) = given(folder.path(), None);
    let words = done.rejected[0].to_string();
    assert!(
        words.contains("busy.json, after 2025-12-06 08:00:00Z, when the file was written"),
        "{words}"
    );
    assert!(done.inventories.is_empty());
}

#[test]
fn the_newest_word_on_a_role_counts_and_dates_the_part_where_every_role_has_one() {
    let (busy, idle) =
        (get_role("busy", "2025-12-01T00:00:00Z"), get_role("idle", "2024-02-01T00:00:00Z"));
    let mut old = details(SANDBOX);
    old = old.replacen(
        "\"RoleLastUsed\":{}",
        "\"RoleLastUsed\":{\"LastUsedDate\":\"2025-10-01T00:00:00Z\"}",
        1,
    );
    let folder = folder_of(&[("details.json", old.as_str()), ("a-busy.json", busy.as_str())]);
    write_at(&folder, "details.json", NOW - 70 * DAY);
    write_at(&folder, "a-busy.json", NOW - DAY);
    let (done, _) = given(folder.path(), None);
    let last = |done: &Assembled| one(done, SANDBOX).roles[0].last_used;
    assert_eq!(last(&done), parse("2025-12-01T00:00:00Z"), "whichever file is read first");
    assert_eq!(
        age(&done, SANDBOX, "role_last_used"),
        "70 file",
        "of the other role nobody asked since"
    );
    std::fs::write(folder.path().join("idle.json"), idle).unwrap();
    write_at(&folder, "idle.json", NOW - 2 * DAY);
    let (done, _) = given(folder.path(), None);
    assert_eq!(age(&done, SANDBOX, "role_last_used"), "2 file");
    assert_eq!(age(&done, SANDBOX, "roles"), "70 file");

    // list-roles with get-role of each of them is as good as the details.
    let role = |name: &str| {
        json!({"RoleName": name, "RoleId": format!("AROA{name}"),
               "Arn": format!("arn:aws:iam::{SANDBOX}:role/{name}")})
    };
    let roles = json!({"Roles": [role("busy"), role("idle")]});
    std::fs::write(folder.path().join("details.json"), roles.to_string()).unwrap();
    write_at(&folder, "details.json", NOW);
    let (done, _) = given(folder.path(), None);
    assert_eq!(age(&done, SANDBOX, "role_last_used"), "2 file");
    assert!(one(&done, SANDBOX).roles.iter().all(|role| role.last_used_known));
    std::fs::remove_file(folder.path().join("idle.json")).unwrap();
    let (done, _) = given(folder.path(), None);
    assert!(!one(&done, SANDBOX).snapshot.parts.contains(&"role_last_used".to_owned()));
}

#[test]
fn a_role_made_again_between_two_files_is_the_newer_one() {
    let used = details(SANDBOX).replacen(
        "\"RoleLastUsed\":{}",
        "\"RoleLastUsed\":{\"LastUsedDate\":\"2025-10-01T00:00:00Z\"}",
        1,
    );
    let again = json!({"Roles": [{"RoleName": "busy", "Arn": format!("arn:aws:iam::{SANDBOX}:role/busy"),
                                  "RoleId": "AROAAGAIN", "CreateDate": "2026-01-01T00:00:00Z"}]});
    for (first, second) in [("a.json", "b.json"), ("b.json", "a.json")] {
        let folder = folder_of(&[(first, used.as_str()), (second, again.to_string().as_str())]);
        let (done, _) = of(folder.path());
        let role = one(&done, SANDBOX).roles.iter().find(|role| role.role_name == "busy").unwrap();
        assert_eq!(role.role_id.as_deref(), Some("AROAAGAIN"), "{first} {second}");
        assert_eq!(
            (role.last_used, role.last_used_known),
            (None, false),
            "that was another role's"
        );
    }
}

#[test]
fn a_trail_is_as_old_as_the_files_that_tell_of_it() {
    let folder = folder_of(&[
        ("details.json", details(PRODUCTION).as_str()),
        ("trails.json", described("shop", true).as_str()),
        ("selectors.json", selectors("shop").as_str()),
        ("status.json", STATUS),
        ("sandbox/details.json", details(SANDBOX).as_str()),
    ]);
    for (name, days) in [
        ("details.json", 1),
        ("trails.json", 0),
        ("selectors.json", 5),
        ("status.json", 0),
        ("sandbox/details.json", 2),
    ] {
        write_at(&folder, name, NOW - days * DAY);
    }
    let (done, rejected) = given(folder.path(), None);
    assert_eq!((rejected, done.rejected.len()), (vec![], 0));
    assert_eq!(done.trails[0].read_at, NOW - 5 * DAY);
    for (account, own) in [(PRODUCTION, 1), (SANDBOX, 2)] {
        assert_eq!(age(&done, account, "trails"), "5 file", "{account}");
        assert_eq!(one(&done, account).snapshot.snapshot_time, NOW - own * DAY, "{account}");
    }
}
