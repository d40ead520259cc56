//! `key-migration`: the decision table, one case per rule, and the accident that it is there to avoid.

use super::super::lake::{Row, TestLake, at, event, used};
use super::super::reporting::run;
use super::{Case, Differences, WINDOW, account, ago, by_iam, key_id, lake};

pub(super) const KEYS: &[&str] = &["users", "access_keys", "access_key_last_used"];
pub(super) const AS_OF: (&str, &str) = ("as_of", "2026-07-01T00:00:00Z");
const TERRAFORM: &str = "APN/1.0 HashiCorp/1.0 Terraform/1.9.0";

pub(super) fn known(name: &str) -> Case {
    Case::new(name).snapshot(1, KEYS).logs(WINDOW)
}

pub(super) fn with_key(case: Case, name: &str, change: impl FnOnce(Row) -> Row) -> Case {
    let row = change(case.key("ci", &key_id(name), 400));
    case.add("iam_access_keys", row)
}

/// A call with the case's key by Terraform from an address, on each of these days ago.
pub(super) fn calls(
    case: Case,
    name: &str,
    source: &str,
    days: impl IntoIterator<Item = i64>,
) -> Case {
    let call = |case: &Case, day: i64| {
        case.signed("ci", &key_id(name), day)
            .text("user_agent", TERRAFORM)
            .text("source_ip", source)
            .text("event_source", "ec2.amazonaws.com")
            .text("event_name", "RunInstances")
    };
    days.into_iter().fold(case, |case, day| {
        let row = call(&case, day);
        case.add("activity", row)
    })
}

/// A call in a session of the role `ci-deploy`, which nobody took with a key.
fn in_role(case: &Case, source: &str, day: i64) -> Row {
    used(&ago(day), &ago(day), 1)
        .key("ASIAROLE")
        .in_session(&case.account, "ci-deploy", "s", &ago(day))
        .text("recipient_account_id", case.account.clone())
        .text("user_agent", TERRAFORM)
        .text("source_ip", source)
        .text("event_source", "ec2.amazonaws.com")
        .text("event_name", "RunInstances")
}

fn role_calls(case: Case, source: &str, days: impl IntoIterator<Item = i64>) -> Case {
    days.into_iter().fold(case, |case, day| {
        let row = in_role(&case, source, day);
        case.add("activity", row)
    })
}

fn web_identity(case: &Case) -> Row {
    event("oidc", &ago(20), "AssumeRoleWithWebIdentity").role(&case.account, "ci-deploy", "s").text(
        "identity_provider",
        "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com",
    )
}

fn deactivated(case: Case, name: &str, day: i64) -> Case {
    let change = case.key_change("UpdateAccessKey", "ci", &key_id(name), day);
    case.add("iam_changes", change.text("status", "Inactive"))
}

type Expected = (&'static str, Case, &'static str);

fn cases() -> Vec<Expected> {
    let mut cases = idle();
    cases.extend(inactive());
    cases.extend(in_use());
    cases
}

fn idle() -> Vec<Expected> {
    vec![
        (
            "old inventory",
            {
                let case = Case::new("old inventory").snapshot(8, KEYS).logs(WINDOW);
                with_key(case, "old inventory", |key| by_iam(key, 300, "ec2"))
            },
            "UNKNOWN |  | [STALE_INVENTORY]",
        ),
        (
            "never used",
            with_key(known("never used"), "never used", |key| key),
            "RETIRE_AFTER_SOAK |  | [NEVER_USED]",
        ),
        (
            "young",
            with_key(known("young"), "young", |key| key.number("created", at(&ago(6)))),
            "UNKNOWN |  | [YOUNG]",
        ),
        (
            "idle",
            with_key(known("idle"), "idle", |key| by_iam(key, 48, "ec2")),
            "RETIRE_AFTER_SOAK |  | [IDLE_TOO_LONG, IAM_ONLY]",
        ),
        // Nothing in the logs, and IAM was not asked: no retiring on silence.
        (
            "silent",
            with_key(known("silent"), "silent", |key| key.flag("last_used_known", false)),
            "UNKNOWN |  | [NO_IAM_LAST_USED, BLIND_DATA_EVENTS]",
        ),
        (
            "not in the inventory",
            calls(known("not in the inventory"), "not in the inventory", "192.0.2.1", [200]),
            "UNKNOWN |  | [NOT_IN_INVENTORY]",
        ),
    ]
}

fn inactive() -> Vec<Expected> {
    let off = |name: &'static str, used: i64, since: i64| {
        let case =
            with_key(known(name), name, |key| by_iam(key.text("status", "Inactive"), used, "ec2"));
        deactivated(case, name, since)
    };
    vec![
        (
            "soaked",
            off("soaked", 80, 14),
            "RETIRE_NOW |  | [INACTIVE_AND_UNUSED_BEFORE, INACTIVE, IAM_ONLY]",
        ),
        ("soaking", off("soaking", 80, 13), "RETIRE_AFTER_SOAK |  | [INACTIVE, IAM_ONLY, SOAKING]"),
        // Quiet for 60 days because it was switched off: that proves nothing.
        (
            "switched off in use",
            off("switched off in use", 61, 60),
            "RETIRE_AFTER_SOAK |  | [INACTIVE, IAM_ONLY, SOAKING, USED_BEFORE_DEACTIVATION]",
        ),
        (
            "off since when",
            with_key(known("off since when"), "off since when", |key| {
                by_iam(key.text("status", "Inactive"), 300, "ec2")
            }),
            "RETIRE_AFTER_SOAK |  | [INACTIVE, SOAKING, DEACTIVATION_TIME_UNKNOWN]",
        ),
        // What came before the deactivation is not in the logs: IAM's word alone deletes nothing.
        (
            "off before the logs begin",
            {
                let name = "off before the logs begin";
                let case = Case::new(name).snapshot(1, KEYS).logs(10);
                let case =
                    with_key(case, name, |key| by_iam(key.text("status", "Inactive"), 300, "ec2"));
                deactivated(case, name, 20)
            },
            "RETIRE_AFTER_SOAK |  | [INACTIVE, PARTIAL_LOGS, SOAKING, NO_LOGS_BEFORE_DEACTIVATION]",
        ),
        (
            "off without logs",
            {
                let name = "off without logs";
                let case = Case::new(name).snapshot(1, KEYS);
                let case =
                    with_key(case, name, |key| by_iam(key.text("status", "Inactive"), 300, "ec2"));
                deactivated(case, name, 20)
            },
            "RETIRE_AFTER_SOAK |  | [INACTIVE, NO_LOGS, SOAKING, NO_LOGS_BEFORE_DEACTIVATION]",
        ),
        // Never used, and switched off long ago.
        (
            "off and never used",
            {
                let name = "off and never used";
                let case = with_key(known(name), name, |key| key.text("status", "Inactive"));
                deactivated(case, name, 30)
            },
            "RETIRE_NOW |  | [INACTIVE_AND_UNUSED_BEFORE, INACTIVE]",
        ),
        (
            "off by an old inventory",
            {
                let name = "off by an old inventory";
                let case = Case::new(name).snapshot(8, KEYS).logs(WINDOW);
                let case =
                    with_key(case, name, |key| by_iam(key.text("status", "Inactive"), 300, "ec2"));
                deactivated(case, name, 30)
            },
            "UNKNOWN |  | [STALE_INVENTORY]",
        ),
        // The credential report's last_rotated is the day of creation here, and the logs show only that.
        (
            "made long ago, off since when",
            {
                let name = "made long ago, off since when";
                let case = with_key(known(name), name, |key| {
                    let key = key.number("last_rotated", at(&ago(400)));
                    by_iam(key.text("status", "Inactive"), 300, "ec2")
                });
                let change = case.key_change("CreateAccessKey", "ci", &key_id(name), 400);
                case.add("iam_changes", change)
            },
            "RETIRE_AFTER_SOAK |  | [INACTIVE, SOAKING, DEACTIVATION_TIME_UNKNOWN]",
        ),
    ]
}

fn in_use() -> Vec<Expected> {
    let busy = |name: &'static str, service: &str| {
        let case = with_key(known(name), name, |key| by_iam(key, 1, service));
        calls(case, name, "192.0.2.1", 1..=20)
    };
    let called_as = |name: &'static str, agent: &str| {
        let case = with_key(known(name), name, |key| by_iam(key, 1, "ec2"));
        let row = case.signed("ci", &key_id(name), 1).text("user_agent", agent);
        case.add("activity", row)
    };
    vec![
        (
            "objects",
            with_key(known("objects"), "objects", |key| by_iam(key, 3, "s3")),
            "UNKNOWN |  | [IN_USE, BLIND_DATA_EVENTS, IAM_ONLY, NO_CALLER_IN_LOGS]",
        ),
        (
            "seen later by iam",
            {
                let name = "seen later by iam";
                let case = with_key(known(name), name, |key| by_iam(key, 3, "ec2"));
                calls(case, name, "192.0.2.1", [10])
            },
            "UNKNOWN |  | [IN_USE, IAM_LATER_THAN_CLOUDTRAIL]",
        ),
        (
            "no logs",
            {
                let case = Case::new("no logs").snapshot(1, KEYS);
                with_key(case, "no logs", |key| by_iam(key, 3, "ec2"))
            },
            "UNKNOWN |  | [IN_USE, NO_LOGS, NO_CALLER_IN_LOGS]",
        ),
        (
            "no role",
            busy("no role", "ec2"),
            "MIGRATE | create | [IN_USE, NOT_PROVEN, NO_ROLE_SEEN]",
        ),
        (
            "unknown program",
            called_as("unknown program", "backup-tool/1"),
            "BLOCKED |  | [IN_USE, UNCLASSIFIED_CALLER]",
        ),
        (
            "on lambda",
            called_as("on lambda", "Boto3/1.28 exec-env/AWS_Lambda_python3.11"),
            "MIGRATE | create | [IN_USE, NOT_PROVEN, NO_ROLE_SEEN]",
        ),
        (
            "asks for tokens",
            {
                let case = busy("asks for tokens", "sts");
                let row = case
                    .signed("ci", &key_id("asks for tokens"), 1)
                    .text("user_agent", TERRAFORM)
                    .text("event_source", "sts.amazonaws.com")
                    .text("event_name", "GetFederationToken");
                case.add("activity", row)
            },
            "BLOCKED |  | [IN_USE, USER_ONLY_CALL]",
        ),
        (
            "root",
            {
                let case = known("root");
                let row = case.key("<root_account>", &key_id("root"), 400).flag("is_root", true);
                calls(case.add("iam_access_keys", by_iam(row, 1, "ec2")), "root", "192.0.2.1", [1])
            },
            "BLOCKED |  | [IN_USE, ROOT_KEY]",
        ),
    ]
}

#[tokio::test]
async fn the_first_rule_that_holds_decides() {
    let cases = cases();
    let expected: Vec<_> =
        cases.iter().map(|(name, _, row)| (*name, account(name), *row)).collect();
    let lake = lake(cases.into_iter().map(|(_, case, _)| case));
    let columns = "account_id verdict replacement reason_codes";
    let answer = run(&lake, "key-migration", &[AS_OF], columns).await;
    let mut differences = Differences::default();
    for (name, account, row) in expected {
        let found: Vec<_> = answer.lines().filter(|line| line.starts_with(&account)).collect();
        differences.add(name, &found, &[format!("{account} | {row}")]);
    }
    differences.none();
}

/// A pipeline with a key in daily use, and a role of GitHub's identity provider that was made for it.
fn pipeline(name: &str) -> Case {
    let case = with_key(known(name), name, |key| by_iam(key, 1, "ec2"));
    let oidc = web_identity(&case);
    case.add("credential_events", oidc)
}

async fn judge(lake: &TestLake, columns: &str) -> String {
    run(lake, "key-migration", &[AS_OF], columns).await
}

const PROOF: &str = "verdict callers callers_ready callers_left callers_moved reason_codes";

#[tokio::test]
async fn a_role_that_nobody_was_seen_using_retires_no_key() {
    let case = calls(pipeline("unproven"), "unproven", "192.0.2.1", 1..=20);
    assert_eq!(
        judge(&case.lake, PROOF).await,
        "MIGRATE | 1 | 0 | [terraform from 192.0.2.0/24 (key only)] |  | \
         [IN_USE, NOT_PROVEN, NO_ROLE_SEEN]"
    );
    // The job runs once a month, and the logs of the last weeks show nothing: still in use.
    let name = "monthly";
    let case = with_key(known(name), name, |key| by_iam(key, 30, "ec2"));
    let case = calls(case, name, "192.0.2.1", [30, 60]);
    assert!(judge(&case.lake, "verdict").await.starts_with("MIGRATE"));
    // IAM was not asked, and the logs are silent for longer than the threshold.
    let name = "silent for long";
    let case = with_key(known(name), name, |key| key.flag("last_used_known", false));
    let case = calls(case, name, "192.0.2.1", [80]);
    assert_eq!(judge(&case.lake, "verdict").await, "UNKNOWN");
}

#[tokio::test]
async fn the_callers_that_remain_are_named() {
    let name = "half";
    let case = calls(pipeline(name), name, "192.0.2.1", 15..=30);
    let case = role_calls(case, "192.0.2.1", 1..=12);
    let case = calls(case, name, "198.51.100.2", 1..=20);
    let arn = format!("arn:aws:iam::{}:role/ci-deploy", case.account);
    assert_eq!(
        judge(&case.lake, PROOF).await,
        format!(
            "MIGRATE | 2 | 1 | [terraform from 198.51.100.0/24 (key only)] | \
             [terraform from 192.0.2.0/24 ({arn} on 12 of 14 days)] | [IN_USE, HALF_MIGRATED, ROLE_IN_USE]"
        )
    );
    assert_eq!(
        judge(&case.lake, "replacement replacement_kinds candidate_roles fit").await,
        format!("{arn} | [github_oidc, oidc] | [{arn} (12 of 14 days, took over)] | 1.0")
    );
    let reasons = judge(&case.lake, "reasons").await;
    assert!(reasons.contains("1 of 2 callers use a role already"), "{reasons}");
}

#[tokio::test]
async fn a_caller_that_uses_both_is_left_too() {
    let name = "both";
    let case = calls(pipeline(name), name, "192.0.2.1", 1..=20);
    let case = role_calls(case, "192.0.2.1", 1..=3);
    let arn = format!("arn:aws:iam::{}:role/ci-deploy", case.account);
    assert_eq!(
        judge(&case.lake, PROOF).await,
        format!(
            "MIGRATE | 1 | 1 | [terraform from 192.0.2.0/24 (also {arn} on 3 of 14 days)] |  | \
             [IN_USE, HALF_MIGRATED, ROLE_IN_USE]"
        )
    );
}

#[tokio::test]
async fn when_all_have_moved_the_key_is_still_not_for_deleting() {
    let name = "moved";
    let case = with_key(known(name), name, |key| by_iam(key, 16, "ec2"));
    let case = calls(case, name, "192.0.2.1", 16..=30);
    let case = role_calls(case, "192.0.2.1", 1..=14);
    let answer = judge(&case.lake, "verdict callers_left reason_codes").await;
    assert_eq!(answer, "MIGRATE |  | [IN_USE, CALLERS_MOVED, ROLE_IN_USE]");
}

#[tokio::test]
async fn a_role_taken_with_the_key_is_no_proof_of_doing_without() {
    let name = "through";
    let case = calls(pipeline(name), name, "192.0.2.1", 1..=10);
    let take = event("take", &ago(2), "AssumeRole")
        .by_user("ci", &key_id(name))
        .role(&case.account, "ci-deploy", "s")
        .issues("ASIAROLE", &ago(1));
    let case = role_calls(case.add("credential_events", take), "192.0.2.1", [2]);
    let arn = format!("arn:aws:iam::{}:role/ci-deploy", case.account);
    assert_eq!(
        judge(&case.lake, "verdict replacement callers_ready candidate_roles reason_codes").await,
        format!(
            "MIGRATE | {arn} | 0 | [{arn} (taken with the key)] | \
             [IN_USE, NOT_PROVEN, ROLE_TAKEN_WITH_KEY]"
        )
    );
}

#[tokio::test]
async fn what_outlives_a_deactivation_is_listed_with_its_end() {
    let name = "children";
    let case = with_key(known(name), name, |key| by_iam(key, 100, "ec2"));
    let issued = |id: &str, hour: &str, call: &str, caller: &str, key: &str, end: &str| {
        event(id, &format!("2026-06-30T{hour}:00:00"), call)
            .by_user("ci", caller)
            .issues(key, &format!("2026-07-0{end}"))
    };
    let rows = [
        issued("s", "20", "GetSessionToken", &key_id(name), "ASIAS", "2T08:00:00"),
        issued("r", "22", "AssumeRole", "ASIAS", "ASIAR", "1T10:00:00").role(
            &case.account,
            "A",
            "s",
        ),
        issued("c", "23", "AssumeRole", "ASIAR", "ASIAC", "1T00:30:00").role(
            &case.account,
            "B",
            "s",
        ),
        issued("x", "10", "AssumeRole", &key_id(name), "ASIAX", "1T00:00:00").role(
            &case.account,
            "X",
            "s",
        ),
    ];
    let case = rows.into_iter().fold(case, |case, row| case.add("credential_events", row));
    let answer = judge(&case.lake, "live_children live_until").await;
    let id = &case.account;
    assert_eq!(
        answer,
        format!(
            "[GetSessionToken until 2026-07-02T08:00:00Z, \
             arn:aws:iam::{id}:role/A until 2026-07-01T10:00:00Z, \
             arn:aws:iam::{id}:role/B until 2026-07-01T00:30:00Z] | 2026-07-02T08:00:00Z"
        )
    );
}

#[tokio::test]
async fn each_verdict_has_its_command_and_the_way_back() {
    let name = "commands";
    let case = with_key(known(name), name, |key| by_iam(key, 100, "ec2"));
    let flags = format!("--user-name ci --access-key-id {}", key_id(name));
    assert_eq!(
        judge(&case.lake, "verdict next_command undo").await,
        format!(
            "RETIRE_AFTER_SOAK | aws iam update-access-key {flags} --status Inactive  # in account {id} | \
             aws iam update-access-key {flags} --status Active  # in account {id}",
            id = case.account
        )
    );
}
