//! `stale-keys`: the states of a key, and what each rests on.

use super::super::lake::{Row, at, delivered_name, event};
use super::super::reporting::run;
use super::{Case, Differences, WINDOW, account, ago, by_iam, key_id, lake};

const KEYS: &[&str] = &["users", "access_keys", "access_key_last_used"];
const COLUMNS: &str =
    "account_id user_name slot access_key_id state days_idle confidence reason_codes";

/// A case with a fresh snapshot and logs of the whole window.
fn known(name: &str) -> Case {
    Case::new(name).snapshot(1, KEYS).logs(WINDOW)
}

/// A case with one key: what IAM says of it and what the logs do.
fn one_key(name: &str, row: impl FnOnce(Row) -> Row, used_days_ago: &[i64]) -> Case {
    let case = known(name);
    let key = row(case.key("u", &key_id(name), 400));
    let uses: Vec<_> =
        used_days_ago.iter().map(|days| case.signed("u", &key_id(name), *days)).collect();
    uses.into_iter().fold(case.add("iam_access_keys", key), |case, row| case.add("activity", row))
}

/// A key that was read so many days ago with these states, where no log tells when it was switched.
fn read_as(name: &str, readings: &[(i64, &str)]) -> Case {
    readings.iter().fold(Case::new(name).logs(WINDOW), |case, (days, status)| {
        let case = case.snapshot(*days, KEYS);
        let key = by_iam(case.key("u", &key_id(name), 400), 350, "ec2").text("status", *status);
        case.add("iam_access_keys", key)
    })
}

struct Expected {
    name: &'static str,
    case: Case,
    /// One row each: everything after the account.
    rows: Vec<String>,
}

fn expect(name: &'static str, case: Case, row: &str) -> Expected {
    let rows = vec![format!("u |  | {} | {row}", key_id(name))];
    Expected { name, case, rows }
}

fn cases() -> Vec<Expected> {
    let mut cases = of_age();
    cases.extend(of_sources());
    cases.extend(of_inventories());
    cases
}

/// Never used, young, inactive, at the threshold.
fn of_age() -> Vec<Expected> {
    let at_threshold = |name: &'static str, days: i64, row: &str| {
        expect(name, one_key(name, |key| by_iam(key, days, "ec2"), &[days]), row)
    };
    vec![
        at_threshold("threshold 179", 179, "USED | 179 | high | [IN_USE]"),
        at_threshold("threshold 180", 180, "USED | 180 | high | [IN_USE]"),
        // IAM was asked a day ago, and its word lags by four hours.
        at_threshold("threshold 181", 181, "UNKNOWN | 179 | low | [ASKED_TOO_EARLY]"),
        at_threshold("threshold 182", 182, "UNKNOWN | 180 | low | [ASKED_TOO_EARLY]"),
        at_threshold("threshold 183", 183, "STALE | 181 | high | [IDLE_TOO_LONG]"),
        expect("never", one_key("never", |key| key, &[]), "NEVER_USED | 398 | high | [NEVER_USED]"),
        expect(
            "young",
            one_key("young", |key| key.number("created", at(&ago(6))), &[]),
            "NEVER_USED_YOUNG | 4 | high | [YOUNG]",
        ),
        expect(
            "grown",
            one_key("grown", |key| key.number("created", at(&ago(7))), &[]),
            "UNKNOWN | 5 | low | [ASKED_TOO_EARLY]",
        ),
        expect(
            "grown when asked",
            one_key("grown when asked", |key| key.number("created", at(&ago(9))), &[]),
            "NEVER_USED | 7 | high | [NEVER_USED]",
        ),
        expect(
            "inactive",
            one_key("inactive", |key| by_iam(key.text("status", "Inactive"), 300, "ec2"), &[]),
            "INACTIVE | 298 | high | [INACTIVE]",
        ),
        expect(
            "switched off since",
            {
                let case = one_key("switched off since", |key| by_iam(key, 20, "ec2"), &[20]);
                let off = case.key_change("UpdateAccessKey", "u", &key_id("switched off since"), 0);
                let off = off.text("status", "Inactive").number("event_time", at(&ago(1)) + 1);
                case.add("iam_changes", off)
            },
            "INACTIVE | 18 | high | [INACTIVE]",
        ),
        Expected {
            name: "deleted",
            case: {
                let case = one_key("deleted", |key| by_iam(key, 20, "ec2"), &[20]);
                let gone = case.key_change("DeleteAccessKey", "u", &key_id("deleted"), 0);
                case.add("iam_changes", gone.number("event_time", at(&ago(1)) + 1))
            },
            rows: Vec::new(),
        },
    ]
}

/// IAM and CloudTrail side by side.
fn of_sources() -> Vec<Expected> {
    let session = |case: &Case, key: &str, days: i64| {
        event(&format!("{key}-session"), &ago(days), "GetSessionToken")
            .text("caller_type", "IAMUser")
            .text("caller_account_id", case.account.clone())
            .text("caller_access_key_id", key)
            .issues("ASIACHILD", &ago(days - 1))
    };
    vec![
        expect(
            "iam later",
            one_key("iam later", |key| by_iam(key, 10, "ec2"), &[60]),
            "USED | 10 | high | [IN_USE, IAM_LATER_THAN_CLOUDTRAIL]",
        ),
        expect(
            "logs later",
            one_key("logs later", |key| by_iam(key, 200, "ec2"), &[10]),
            "USED | 10 | high | [IN_USE, CLOUDTRAIL_LATER_THAN_IAM]",
        ),
        expect(
            "before the logs",
            one_key("before the logs", |key| by_iam(key, 200, "ec2"), &[]),
            "STALE | 198 | high | [IDLE_TOO_LONG]",
        ),
        // Reads objects only: IAM sees it, the logs cannot.
        expect(
            "objects only",
            one_key("objects only", |key| by_iam(key, 3, "s3"), &[]),
            "USED | 3 | high | [IN_USE, BLIND_DATA_EVENTS, IAM_ONLY]",
        ),
        // The same, where IAM was not asked: nothing speaks for its life, and nothing proves its death.
        expect(
            "objects unasked",
            one_key("objects unasked", |key| key.flag("last_used_known", false), &[]),
            "UNKNOWN |  | low | [NO_IAM_LAST_USED, BLIND_DATA_EVENTS]",
        ),
        expect("objects recorded", recorded(), "USED | 3 | high | [IN_USE, IAM_ONLY]"),
        expect(
            "silence alone",
            one_key("silence alone", |key| key.flag("last_used_known", false), &[200]),
            "UNKNOWN |  | low | [NO_IAM_LAST_USED]",
        ),
        expect(
            "by its session",
            {
                let name = "by its session";
                let case = one_key(name, |key| by_iam(key, 300, "sts"), &[]);
                let issued = session(&case, &key_id(name), 5);
                let child = case.signed("u", "ASIACHILD", 5);
                // The same key id, long before: not this session.
                let namesake = case.signed("u", "ASIACHILD", 70);
                case.add("credential_events", issued)
                    .add("activity", child)
                    .add("activity", namesake)
            },
            "USED | 5 | high | [IN_USE, CLOUDTRAIL_LATER_THAN_IAM]",
        ),
        expect(
            "a console session",
            {
                let case = one_key("a console session", |key| by_iam(key, 300, "sts"), &[]);
                let console = case.signed("u", "ASIACONSOLE", 5);
                case.add("activity", console)
            },
            "STALE | 298 | high | [IDLE_TOO_LONG]",
        ),
    ]
}

fn recorded() -> Case {
    one_key("objects recorded", |key| by_iam(key, 3, "s3"), &[]).trail(&["AWS::S3::Object"])
}

/// What the inventory holds and lacks.
fn of_inventories() -> Vec<Expected> {
    let id = key_id;
    let mut cases = of_credential_reports();
    cases.extend([
        Expected {
            name: "not in the inventory",
            case: {
                let case = known("not in the inventory");
                let recent = case.signed("u", &id("gone1"), 20);
                let old = case.signed("u", &id("gone2"), 200);
                case.add("activity", recent).add("activity", old)
            },
            rows: vec![
                format!("u |  | {} | USED | 20 | high | [IN_USE, NOT_IN_INVENTORY]", id("gone1")),
                format!("u |  | {} | UNKNOWN |  | low | [NOT_IN_INVENTORY]", id("gone2")),
            ],
        },
        Expected {
            name: "no inventory",
            case: {
                let case = Case::new("no inventory").logs(WINDOW);
                let old = case.signed("u", &id("no inventory"), 200);
                case.add("activity", old)
            },
            rows: vec![
                format!("u |  | {} | UNKNOWN |  | low | [NO_INVENTORY]", id("no inventory")),
                " |  |  | UNKNOWN |  | low | [NO_INVENTORY]".to_owned(),
            ],
        },
        expect(
            "no logs",
            {
                let case = Case::new("no logs").snapshot(1, KEYS);
                let key = by_iam(case.key("u", &id("no logs"), 400), 300, "ec2");
                case.add("iam_access_keys", key)
            },
            "STALE | 298 | medium | [IDLE_TOO_LONG, NO_LOGS]",
        ),
        expect(
            "few logs",
            {
                let case = Case::new("few logs").snapshot(1, KEYS).logs(45);
                let key = by_iam(case.key("u", &id("few logs"), 400), 300, "ec2");
                case.add("iam_access_keys", key)
            },
            "STALE | 298 | medium | [IDLE_TOO_LONG, PARTIAL_LOGS]",
        ),
    ]);
    cases.extend(of_snapshots());
    cases
}

/// What several snapshots of one account say, and when.
fn of_snapshots() -> Vec<Expected> {
    let id = key_id;
    vec![
        expect(
            "two snapshots",
            {
                let case = Case::new("two snapshots").logs(WINDOW).snapshot(30, KEYS);
                let old = by_iam(case.key("u", &id("two snapshots"), 400), 300, "ec2");
                let gone = case.key("u", &id("only then"), 400);
                let case = case.add("iam_access_keys", old).add("iam_access_keys", gone);
                let case = case.snapshot(2, KEYS);
                let new = by_iam(case.key("u", &id("two snapshots"), 400), 10, "ec2");
                case.add("iam_access_keys", new)
            },
            "USED | 10 | high | [IN_USE, IAM_ONLY]",
        ),
        expect(
            "snapshot from the future",
            {
                let case = Case::new("snapshot from the future").logs(WINDOW).snapshot(2, KEYS);
                let now = by_iam(case.key("u", &id("snapshot from the future"), 400), 300, "ec2");
                let case = case.add("iam_access_keys", now).snapshot(-3, KEYS);
                let later = by_iam(case.key("u", &id("snapshot from the future"), 400), -2, "ec2");
                case.add("iam_access_keys", later)
            },
            "STALE | 297 | high | [IDLE_TOO_LONG]",
        ),
        Expected {
            name: "only from the future",
            case: {
                let case = Case::new("only from the future").logs(WINDOW).snapshot(-3, KEYS);
                let key = case.key("u", &id("only from the future"), 400);
                case.add("iam_access_keys", key)
            },
            rows: vec![" |  |  | UNKNOWN |  | low | [INVENTORY_LATER_THAN_AS_OF]".to_owned()],
        },
        expect(
            "old inventory",
            {
                let case = Case::new("old inventory").logs(WINDOW).snapshot(8, KEYS);
                let key = by_iam(case.key("u", &id("old inventory"), 400), 300, "ec2");
                case.add("iam_access_keys", key)
            },
            "UNKNOWN | 291 | low | [STALE_INVENTORY]",
        ),
        // Nobody knows how long it waited for what it was switched on again for.
        expect(
            "on again by the report",
            one_key(
                "on again by the report",
                |key| by_iam(key, 300, "ec2").number("last_rotated", at(&ago(10))),
                &[],
            ),
            "UNKNOWN | 8 | low | [ASKED_TOO_EARLY]",
        ),
        expect(
            "on again since",
            read_as("on again since", &[(30, "Inactive"), (2, "Active")]),
            "UNKNOWN | 0 | low | [ASKED_TOO_EARLY]",
        ),
        expect(
            "on again long since",
            read_as("on again long since", &[(300, "Inactive"), (150, "Active"), (1, "Active")]),
            "STALE | 148 | high | [IDLE_TOO_LONG]",
        ),
        // Written, and then the writer died before its snapshot's own row.
        Expected {
            name: "half written",
            case: {
                let case = Case::new("half written").snapshot(1, KEYS);
                let row = case.key("u", &id("half written"), 400).text("snapshot_id", "other");
                case.add("iam_access_keys", row)
            },
            rows: Vec::new(),
        },
    ]
}

/// A credential report has slots and no ids.
fn of_credential_reports() -> Vec<Expected> {
    let report = &["users", "credential_report"];
    let slot = |case: &Case, number: i64| {
        case.key("u", "", 400).without("access_key_id").number("slot", number)
    };
    vec![
        Expected {
            name: "second slot only",
            case: {
                let case = Case::new("second slot only").logs(WINDOW).snapshot(0, report);
                let second = by_iam(slot(&case, 2), 100, "ec2").text("status", "Active");
                case.add("iam_access_keys", second)
            },
            rows: vec!["u | 2 |  | STALE | 99 | medium | [IDLE_TOO_LONG, KEY_ID_UNKNOWN]".to_owned()],
        },
        Expected {
            name: "slots without ids",
            case: {
                let case = Case::new("slots without ids").logs(WINDOW).snapshot(2, report);
                let first = by_iam(slot(&case, 1), 100, "ec2");
                let second = by_iam(slot(&case, 2).text("status", "Inactive"), 200, "ec2");
                let since = case.signed("u", &key_id("slots without ids"), 1);
                case.add("iam_access_keys", first)
                    .add("iam_access_keys", second)
                    .add("activity", since)
            },
            rows: vec![
                "u | 1 |  | USED | 1 | high | [IN_USE, KEY_ID_UNKNOWN, USED_BY_UNKNOWN_KEY, \
                 CLOUDTRAIL_LATER_THAN_IAM]"
                    .to_owned(),
                "u | 2 |  | INACTIVE | 0 | medium | [INACTIVE, KEY_ID_UNKNOWN, USED_BY_UNKNOWN_KEY, \
                 CLOUDTRAIL_LATER_THAN_IAM]"
                    .to_owned(),
                format!(
                    "u |  | {} | USED | 1 | high | [IN_USE, KEY_ID_UNKNOWN]",
                    key_id("slots without ids")
                ),
            ],
        },
        Expected {
            name: "both slots at once",
            case: {
                let case = Case::new("both slots at once").logs(WINDOW).snapshot(1, KEYS);
                let row = |key: &str, slot| {
                    let row = case.key("u", key, 400).number("slot", slot);
                    by_iam(row, 100, "ec2").text("matched_by", "ambiguous")
                };
                let (one, two) = (row("AKIAONE", 1), row("AKIATWO", 2));
                case.add("iam_access_keys", one).add("iam_access_keys", two)
            },
            rows: vec![
                "u | 1 | AKIAONE | STALE | 98 | medium | [IDLE_TOO_LONG, SLOT_AMBIGUOUS]".to_owned(),
                "u | 2 | AKIATWO | STALE | 98 | medium | [IDLE_TOO_LONG, SLOT_AMBIGUOUS]".to_owned(),
            ],
        },
    ]
}

#[tokio::test]
async fn every_edge_case_has_its_row() {
    let cases = cases();
    let expected: Vec<_> = cases
        .iter()
        .map(|case| {
            let account = account(case.name);
            let rows: Vec<_> = case.rows.iter().map(|row| format!("{account} | {row}")).collect();
            (case.name, rows)
        })
        .collect();
    let lake = lake(cases.into_iter().map(|case| case.case));
    let ago_days = [("as_of", "2026-07-01T00:00:00Z"), ("threshold_days", "45")];
    let at_180 = [("as_of", "2026-07-01T00:00:00Z"), ("threshold_days", "180")];
    let (short, long) = (
        run(&lake, "stale-keys", &ago_days, COLUMNS).await,
        run(&lake, "stale-keys", &at_180, COLUMNS).await,
    );
    let mut differences = Differences::default();
    for (name, rows) in expected {
        let account = account(name);
        let answer = if name.starts_with("threshold") { &long } else { &short };
        let found: Vec<_> = answer.lines().filter(|line| line.starts_with(&account)).collect();
        differences.add(name, &found, &rows);
    }
    differences.none();
}

/// The ledger knows log files whose rows are gone, or that could not be read: they vouch for nothing.
#[tokio::test]
async fn regression_days_that_are_not_held_are_no_coverage() {
    let refused = |case: Case| {
        let row = Row::default()
            .text("log_file", delivered_name(&case.account, "us-east-1", at(&ago(1)), "refused"))
            .number("delivered_date", at(&ago(1)) / super::DAY)
            .text("account_id", case.account.clone())
            .text("aws_region", "us-east-1")
            .text("status", "refused");
        case.add("log_files", row)
    };
    let coverage = |lake| async move {
        run(&lake, "stale-keys", &[("as_of", "2026-07-01T00:00:00Z"), ("days", "4")], "coverage")
            .await
    };
    let four_days = || one_key("idle", |key| by_iam(key, 300, "ec2"), &[]);
    assert_eq!(coverage(lake([four_days()])).await, "1.0");
    assert_eq!(coverage(lake([refused(four_days())])).await, "0.75");
    assert_eq!(coverage(lake([four_days()]).expired_before(&ago(2))).await, "0.5");
}
