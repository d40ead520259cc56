//! `key-migration`: the decision table, rule by rule, at its edges.
//!
//! The first rule that holds decides. 1: an old inventory. 2: an inactive key. 3: one never used. 4: one idle for long.
//! 5: one in use that the logs do not show well enough. 6 and 7: one in use whose callers have a role, or could have
//! one. 8: one in use from where none is known to do.

use super::super::lake::{Row, at};
use super::super::reporting::run;
use super::key_migration::{AS_OF, calls, known, with_key};
use super::{Case, Differences, WINDOW, account, ago, by_iam, key_id, lake};

/// Which rule, the name of the case, the case, and the rows it gives.
type Rule = (&'static str, &'static str, Case, &'static [&'static str]);

const NETWORK: &str = "192.0.2.1";

fn rules() -> Vec<Rule> {
    let mut rules = before_use();
    rules.extend(idle());
    rules.extend(in_use());
    rules.extend(of_slots());
    rules
}

fn before_use() -> Vec<Rule> {
    let never = |name: &'static str, created: i64| {
        with_key(known(name), name, |key| key.number("created", at(&ago(created))))
    };
    vec![
        (
            // The list of keys is fresh, and their last use was read long ago.
            "1",
            "last use read long ago",
            {
                let name = "last use read long ago";
                let parts = ["users", "access_keys", "access_key_last_used"];
                let case = Case::new(name).snapshot_asked(1, 8, &parts).logs(WINDOW);
                with_key(case, name, |key| by_iam(key, 300, "ec2"))
            },
            &["UNKNOWN | [STALE_INVENTORY]"],
        ),
        ("3", "six days old", never("six days old", 6), &["UNKNOWN | [YOUNG]"]),
        (
            "3",
            "seven days old when asked",
            never("seven days old when asked", 9),
            &["RETIRE_AFTER_SOAK | [NEVER_USED]"],
        ),
        (
            // No password: the user is there for its key alone.
            "3",
            "user for programs only",
            {
                let name = "user for programs only";
                let case = with_key(known(name), name, |key| key);
                let user = case
                    .row()
                    .text("user_name", "ci")
                    .text("user_arn", format!("arn:aws:iam::{}:user/ci", case.account))
                    .flag("is_root", false)
                    .flag("console_password", false);
                case.add("iam_users", user)
            },
            &["RETIRE_AFTER_SOAK | [NEVER_USED]"],
        ),
        (
            "3",
            "never used and no logs",
            {
                let name = "never used and no logs";
                let parts = ["users", "access_keys", "access_key_last_used"];
                with_key(Case::new(name).snapshot(1, &parts), name, |key| key)
            },
            &["RETIRE_AFTER_SOAK | [NEVER_USED, NO_LOGS]"],
        ),
        (
            // IAM's word lags behind: what the logs show is use.
            "3",
            "used in the logs only",
            {
                let name = "used in the logs only";
                calls(with_key(known(name), name, |key| key), name, NETWORK, [1])
            },
            &["MIGRATE | [IN_USE, CLOUDTRAIL_LATER_THAN_IAM, NOT_PROVEN, NO_ROLE_SEEN]"],
        ),
    ]
}

fn idle() -> Vec<Rule> {
    vec![
        (
            "4",
            "idle at the threshold",
            {
                let name = "idle at the threshold";
                let case = with_key(known(name), name, |key| by_iam(key, 45, "ec2"));
                calls(case, name, NETWORK, [45])
            },
            &["MIGRATE | [IN_USE, CALLERS_SILENT, NO_ROLE_SEEN]"],
        ),
        (
            "4",
            "idle beyond the threshold",
            {
                let name = "idle beyond the threshold";
                let case = with_key(known(name), name, |key| by_iam(key, 48, "ec2"));
                calls(case, name, NETWORK, [48])
            },
            &["RETIRE_AFTER_SOAK | [IDLE_TOO_LONG]"],
        ),
        (
            // Who reads objects only is idle by IAM's word, not by silence.
            "4",
            "objects read long ago",
            {
                let name = "objects read long ago";
                with_key(known(name), name, |key| by_iam(key, 80, "s3"))
            },
            &["RETIRE_AFTER_SOAK | [IDLE_TOO_LONG, BLIND_DATA_EVENTS, IAM_ONLY]"],
        ),
    ]
}

fn in_use() -> Vec<Rule> {
    let called = |name: &'static str, agent: &str, address: &str| {
        let case = with_key(known(name), name, |key| by_iam(key, 1, "ec2"));
        let row = case.signed("ci", &key_id(name), 1).text("user_agent", agent);
        case.add("activity", row.text("source_ip", address))
    };
    vec![
        (
            // The trail records such calls, and shows none: something else is missing.
            "5",
            "objects read and recorded",
            {
                let name = "objects read and recorded";
                let case = with_key(known(name), name, |key| by_iam(key, 3, "s3"));
                case.trail(&["AWS::S3::Object"])
            },
            &["UNKNOWN | [IN_USE, IAM_ONLY, NO_CALLER_IN_LOGS]"],
        ),
        (
            // Its last use was of a kind that is not recorded, though others are.
            "5",
            "objects among others",
            {
                let name = "objects among others";
                let case = with_key(known(name), name, |key| by_iam(key, 1, "s3"));
                calls(case, name, NETWORK, [1])
            },
            &["UNKNOWN | [IN_USE, BLIND_DATA_EVENTS]"],
        ),
        (
            "7",
            "pipeline without a role",
            called("pipeline without a role", "HashiCorp Terraform/1.9.0", NETWORK),
            &["MIGRATE | [IN_USE, NOT_PROVEN, NO_ROLE_SEEN]"],
        ),
        (
            "8",
            "vendor from afar",
            called("vendor from afar", "vendor-collector/3", "198.51.100.250"),
            &["BLOCKED | [IN_USE, UNCLASSIFIED_CALLER]"],
        ),
        (
            "7",
            "program on a private network",
            called("program on a private network", "Boto3/1.35", "10.1.2.3"),
            &["MIGRATE | [IN_USE, NOT_PROVEN, NO_ROLE_SEEN]"],
        ),
    ]
}

/// A credential report holds no ids, so that callers and slots do not meet.
fn of_slots() -> Vec<Rule> {
    let slot = |case: &Case, number: i64| {
        case.key("ci", "", 400).without("access_key_id").number("slot", number)
    };
    let report = |name: &str| Case::new(name).snapshot(1, &["credential_report"]).logs(WINDOW);
    vec![
        (
            "4",
            "second slot only",
            {
                let case = report("second slot only");
                let row = by_iam(slot(&case, 2), 100, "ec2");
                case.add("iam_access_keys", row)
            },
            &["RETIRE_AFTER_SOAK | [IDLE_TOO_LONG, KEY_ID_UNKNOWN]"],
        ),
        (
            "2, 4",
            "one slot off and one idle",
            {
                let case = report("one slot off and one idle");
                let off = by_iam(slot(&case, 1), 100, "ec2").text("status", "Inactive");
                let idle = by_iam(slot(&case, 2), 100, "ec2");
                case.add("iam_access_keys", off).add("iam_access_keys", idle)
            },
            &[
                "RETIRE_AFTER_SOAK | [INACTIVE, KEY_ID_UNKNOWN, SOAKING, DEACTIVATION_TIME_UNKNOWN]",
                "RETIRE_AFTER_SOAK | [IDLE_TOO_LONG, KEY_ID_UNKNOWN]",
            ],
        ),
    ]
}

#[tokio::test]
async fn every_rule_holds_at_its_edges() {
    let rules = rules();
    let expected: Vec<_> =
        rules.iter().map(|(rule, name, _, rows)| (*rule, *name, account(name), *rows)).collect();
    let lake = lake(rules.into_iter().map(|(_, _, case, _)| case));
    let answer = run(&lake, "key-migration", &[AS_OF], "account_id verdict reason_codes").await;
    let mut differences = Differences::default();
    for (rule, name, account, rows) in expected {
        let found: Vec<_> = answer.lines().filter(|line| line.starts_with(&account)).collect();
        let rows: Vec<_> = rows.iter().map(|row| format!("{account} | {row}")).collect();
        differences.add(&format!("rule {rule}: {name}"), &found, &rows);
    }
    differences.none();
}

#[tokio::test]
async fn a_key_is_idle_after_the_threshold_not_on_it() {
    for (idle, expected) in [(180, "UNKNOWN"), (182, "UNKNOWN"), (183, "RETIRE_AFTER_SOAK")] {
        let name = "threshold";
        // IAM was asked a day ago, and its word lags by four hours.
        let case = with_key(known(name), name, |key| by_iam(key, idle, "ec2"));
        let given = [AS_OF, ("threshold_days", "180")];
        assert_eq!(run(&case.lake, "key-migration", &given, "verdict").await, expected, "{idle}");
    }
}

/// The evidence lies before the deactivation, in logs that are older than the window.
#[tokio::test]
async fn what_came_before_the_deactivation_counts_from_before_the_window() {
    let name = "off for long";
    let off = |case: Case| {
        let case = with_key(case, name, |key| by_iam(key.text("status", "Inactive"), 300, "ec2"));
        let change = case.key_change("UpdateAccessKey", "ci", &key_id(name), 60);
        case.add("iam_changes", change.text("status", "Inactive"))
    };
    let given = [AS_OF, ("days", "30")];
    let judged = async |case: Case| run(&case.lake, "key-migration", &given, "verdict").await;
    let parts = ["users", "access_keys", "access_key_last_used"];
    let logged = |days: i64| Case::new(name).snapshot(1, &parts).logs(days);
    assert_eq!(judged(off(logged(105))).await, "RETIRE_NOW");
    // It was in use in the days before.
    let used = calls(off(logged(105)), name, NETWORK, [70]);
    assert_eq!(judged(used).await, "RETIRE_AFTER_SOAK");
    // Of the first of the 45 days before there are no logs.
    assert_eq!(judged(off(logged(104))).await, "RETIRE_AFTER_SOAK");
}

/// A trail that is known to leave out writes shows no activation.
#[tokio::test]
async fn regression_days_of_a_trail_without_writes_do_not_show_that_a_key_stayed_off() {
    let name = "off and reads alone";
    let off = |not_recorded: &[&str]| {
        let parts = ["users", "access_keys", "access_key_last_used"];
        let case = Case::new(name).snapshot(1, &parts).logs(105);
        let case = with_key(case, name, |key| by_iam(key.text("status", "Inactive"), 300, "ec2"));
        let change = case.key_change("UpdateAccessKey", "ci", &key_id(name), 60);
        let case = case.add("iam_changes", change.text("status", "Inactive"));
        let trail = Row::default()
            .text("trail_arn", format!("arn:aws:cloudtrail:us-east-1:{}:trail/t", case.account))
            .number("snapshot_time", at(&ago(2)))
            .number("snapshot_date", at(&ago(2)) / super::DAY)
            .flag("organization", false)
            .flag("logging", true)
            .list("not_recorded", not_recorded);
        case.add("trails", trail)
    };
    let judged = async |case: Case| run(&case.lake, "key-migration", &[AS_OF], "verdict").await;
    assert_eq!(judged(off(&["data events"])).await, "RETIRE_NOW");
    assert_eq!(judged(off(&["write events"])).await, "RETIRE_AFTER_SOAK");
}
