//! `unused-roles`: the eight states, and what each rests on.

use super::super::lake::{Row, TestLake, at, event, used};
use super::super::reporting::run;
use super::{Case, Differences, WINDOW, account, ago, lake};

const PARTS: &[&str] = &["roles", "role_last_used", "trust_statements", "attachments"];
const AS_OF: (&str, &str) = ("as_of", "2026-07-01T00:00:00Z");

/// The role R of a case's account, made `created` days ago, whose last use was read from IAM.
fn role(case: &Case, created: i64) -> Row {
    case.row()
        .text("role_name", "R")
        .text("role_arn", format!("arn:aws:iam::{}:role/R", case.account))
        .text("role_id", "AROAR")
        .number("created", at(&ago(created)))
        .flag("last_used_known", true)
        .flag("service_linked", false)
        .flag("identity_center", false)
}

fn last_used(row: Row, days: i64) -> Row {
    row.number("last_used", at(&ago(days))).text("last_used_region", "eu-west-1")
}

/// A record of a session of R with this unique id, `days` ago.
fn signed(case: &Case, role_id: &str, days: i64) -> Row {
    used(&ago(days), &ago(days), 1)
        .key("ASIAR")
        .in_session(&case.account, "R", "s", &ago(days))
        .text("role_id", role_id)
        .text("recipient_account_id", case.account.clone())
        .text("sample_event_id", format!("use-{days}"))
}

fn known(name: &str) -> Case {
    Case::new(name).snapshot(1, PARTS).logs(WINDOW)
}

fn with_role(name: &str, change: impl FnOnce(Row) -> Row) -> Case {
    let case = known(name);
    let row = change(role(&case, 500));
    case.add("iam_roles", row)
}

fn with_use(case: Case, role_id: &str, days: i64) -> Case {
    let row = signed(&case, role_id, days);
    case.add("activity", row)
}

fn cases() -> Vec<(&'static str, Case, Vec<&'static str>)> {
    let mut cases = states();
    cases.extend(kinds());
    cases.extend(unknown());
    cases
}

fn states() -> Vec<(&'static str, Case, Vec<&'static str>)> {
    vec![
        (
            "used",
            with_use(with_role("used", |row| last_used(row, 90)), "AROAR", 90),
            vec!["R | USED | 90 | high | [IN_USE]"],
        ),
        (
            "unused",
            with_role("unused", |row| last_used(row, 91)),
            vec!["R | INSUFFICIENT_COVERAGE | 89 | low | [ASKED_TOO_EARLY]"],
        ),
        (
            "unused when asked",
            with_role("unused when asked", |row| last_used(row, 93)),
            vec!["R | UNUSED | 91 | high | [IDLE_TOO_LONG, REFERENCES_NOT_READ]"],
        ),
        (
            "old",
            with_role("old", |row| row.number("created", at(&ago(200)))),
            vec!["R | NEVER_USED_OLD | 198 | high | [NEVER_USED, REFERENCES_NOT_READ]"],
        ),
        (
            "beyond what IAM remembers",
            with_role("beyond what IAM remembers", |row| row),
            vec![
                "R | NEVER_USED_OLD | 498 | high | [NEVER_USED, NOT_IN_400_DAYS, REFERENCES_NOT_READ]",
            ],
        ),
        (
            "young",
            with_role("young", |row| row.number("created", at(&ago(29)))),
            vec!["R | NEVER_USED_YOUNG | 27 | high | [YOUNG]"],
        ),
        (
            "protected",
            with_role("protected", |row| row.map("tags", &[("RoleCall:Protected", "Yes")])),
            vec!["R | PROTECTED | 498 | high | [PROTECTED]"],
        ),
        (
            "break-glass taken",
            with_use(
                with_role("break-glass taken", |row| {
                    last_used(row.map("tags", &[("RoleCall:Protected", "Yes")]), 2)
                }),
                "AROAR",
                2,
            ),
            vec!["R | PROTECTED | 2 | high | [PROTECTED, IN_USE]"],
        ),
        (
            "held by a profile",
            with_role("held by a profile", |row| {
                last_used(row, 100).list("instance_profiles", &["p"])
            }),
            vec![
                "R | UNUSED | 98 | medium | [IDLE_TOO_LONG, IN_INSTANCE_PROFILE, REFERENCES_NOT_READ]",
            ],
        ),
    ]
}

/// Roles that are not deleted like others, and roles that have another's name.
fn kinds() -> Vec<(&'static str, Case, Vec<&'static str>)> {
    let pathed = |name: &str, path: &str, role: &str| {
        let (role, arn) =
            (role.to_owned(), format!("arn:aws:iam::{}:role/{path}{role}", account(name)));
        move |row: Row| row.text("role_name", role).text("role_arn", arn)
    };
    vec![
        (
            "service-linked",
            with_role("service-linked", |row| {
                pathed("service-linked", "aws-service-role/x.amazonaws.com/", "AWSServiceRoleForX")(
                    row,
                )
                .flag("service_linked", true)
            }),
            vec!["AWSServiceRoleForX | SLR | 498 | high | [SERVICE_LINKED]"],
        ),
        (
            "identity center",
            with_role("identity center", |row| {
                let path = "aws-reserved/sso.amazonaws.com/eu-west-1/";
                pathed("identity center", path, "AWSReservedSSO_Admin_0123")(row)
                    .flag("identity_center", true)
            }),
            vec!["AWSReservedSSO_Admin_0123 | SSO_RESERVED | 498 | high | [IDENTITY_CENTER]"],
        ),
        // Session ARNs drop the path: the records must find the role by id and name.
        (
            "pathed",
            with_use(
                with_role("pathed", |row| last_used(pathed("pathed", "ci/", "R")(row), 200)),
                "AROAR",
                3,
            ),
            vec!["R | USED | 3 | high | [IN_USE, CLOUDTRAIL_LATER_THAN_IAM]"],
        ),
        (
            "recreated",
            with_use(
                with_role("recreated", |row| row.number("created", at(&ago(60)))),
                "AROAOLD",
                70,
            ),
            vec![
                "R | NEVER_USED_OLD | 58 | high | [NEVER_USED, PREDECESSOR_IN_LOGS, REFERENCES_NOT_READ]",
            ],
        ),
        (
            "recreated and used",
            {
                let case = with_role("recreated and used", |row| {
                    last_used(row.number("created", at(&ago(60))), 4)
                });
                with_use(with_use(case, "AROAOLD", 70), "AROAR", 4)
            },
            vec!["R | USED | 4 | high | [IN_USE, PREDECESSOR_IN_LOGS]"],
        ),
        (
            "last use of a predecessor",
            with_role("last use of a predecessor", |row| {
                last_used(row.number("created", at(&ago(60))), 70)
            }),
            vec!["R | NEVER_USED_OLD | 58 | high | [NEVER_USED, REFERENCES_NOT_READ]"],
        ),
    ]
}

fn unknown() -> Vec<(&'static str, Case, Vec<&'static str>)> {
    vec![
        (
            "silence alone",
            with_role("silence alone", |row| row.flag("last_used_known", false)),
            vec!["R | INSUFFICIENT_COVERAGE |  | low | [NO_IAM_LAST_USED]"],
        ),
        (
            "silence alone, used",
            with_use(
                with_role("silence alone, used", |row| row.flag("last_used_known", false)),
                "AROAR",
                5,
            ),
            vec!["R | USED | 5 | high | [IN_USE, NO_IAM_LAST_USED]"],
        ),
        (
            "old inventory",
            {
                let case = Case::new("old inventory").snapshot(8, PARTS).logs(WINDOW);
                let row = last_used(role(&case, 500), 200);
                case.add("iam_roles", row)
            },
            vec!["R | INSUFFICIENT_COVERAGE | 191 | low | [STALE_INVENTORY]"],
        ),
        (
            "logs only",
            with_use(Case::new("logs only").logs(WINDOW), "AROAR", 80),
            vec!["R | USED | 80 | high | [IN_USE, NO_INVENTORY]"],
        ),
        (
            "not in the inventory",
            with_use(
                Case::new("not in the inventory").snapshot(1, PARTS).logs(WINDOW),
                "AROAR",
                100,
            ),
            vec!["R | INSUFFICIENT_COVERAGE |  | low | [NOT_IN_INVENTORY]"],
        ),
        ("somebody else's", with_use(Case::new("somebody else's"), "AROAR", 3), vec![]),
        (
            "no logs",
            {
                let case = Case::new("no logs").snapshot(1, PARTS);
                let row = last_used(role(&case, 500), 200);
                case.add("iam_roles", row)
            },
            vec!["R | UNUSED | 198 | medium | [IDLE_TOO_LONG, NO_LOGS, REFERENCES_NOT_READ]"],
        ),
        (
            "unseen by the logs",
            with_role("unseen by the logs", |row| last_used(row, 5)),
            vec!["R | USED | 5 | high | [IN_USE, IAM_LATER_THAN_CLOUDTRAIL]"],
        ),
    ]
}

#[tokio::test]
async fn every_edge_case_has_its_row() {
    let cases = cases();
    let expected: Vec<_> =
        cases.iter().map(|(name, _, rows)| (*name, account(name), rows.clone())).collect();
    let lake = lake(cases.into_iter().map(|(_, case, _)| case));
    let columns = "account_id role state days_idle confidence reason_codes";
    let answer = run(&lake, "unused-roles", &[AS_OF], columns).await;
    let mut differences = Differences::default();
    for (name, account, rows) in expected {
        let found: Vec<_> = answer.lines().filter(|line| line.starts_with(&account)).collect();
        let rows: Vec<_> = rows.iter().map(|row| format!("{account} | {row}")).collect();
        differences.add(name, &found, &rows);
    }
    differences.none();
}

#[tokio::test]
async fn a_role_may_be_protected_by_name() {
    let case = with_role("by name", |row| last_used(row, 200));
    let protected = ("protected", "111111111111/X, R");
    let answer = run(&case.lake, "unused-roles", &[AS_OF, protected], "role state").await;
    assert_eq!(answer, "R | PROTECTED");
    let other = [AS_OF, ("protected", "111111111111/R")];
    assert_eq!(run(&case.lake, "unused-roles", &other, "role state").await, "R | UNUSED");
}

/// A role that an idle vendor may take, and that was taken by a user and then by a masked copy of the same call.
fn told() -> TestLake {
    let case = with_role("told", |row| last_used(row, 100));
    let trust = |statement: i64, kind: &str, principal: &str| {
        case.row()
            .text("role_arn", format!("arn:aws:iam::{}:role/R", case.account))
            .text("role_name", "R")
            .text("role_id", "AROAR")
            .number("statement", statement)
            .text("effect", "Allow")
            .text("principal_type", kind)
            .text("principal", principal)
            .flag("negated", false)
    };
    let rows = [
        trust(0, "Service", "ec2.amazonaws.com"),
        trust(1, "AWS", "AROADELETED00000"),
        trust(1, "AWS", "arn:aws:iam::333333333333:root")
            .text("condition", r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#),
    ];
    let attached = case
        .row()
        .text("principal_type", "role")
        .text("principal_name", "R")
        .text("kind", "attached")
        .text("policy_name", "ReadOnlyAccess");
    let taken = |id: &str, row: Row| {
        row.role(&case.account, "R", "s")
            .text("event_id", id)
            .text("recipient_account_id", case.account.clone())
    };
    let calls = [
        taken("b", event("b", &ago(100), "AssumeRole").by_user("ann", "AKIAANN")),
        taken("c", event("c", &ago(100), "AssumeRole").masked("AIDAANN")),
    ];
    let case = case.add("iam_attachments", attached);
    case.lake.rows("iam_trust_statements", rows).events(calls)
}

#[tokio::test]
async fn the_last_taker_the_trust_and_the_way_to_delete_are_told() {
    let lake = told();
    let columns = "state last_assumed_by trust_summary attachments reason_codes";
    assert_eq!(
        run(&lake, "unused-roles", &[AS_OF], columns).await,
        "UNUSED | arn:aws:iam::111111111111:user/ann | AWS AROADELETED00000; AWS \
         arn:aws:iam::333333333333:root (on conditions); Service ec2.amazonaws.com | \
         [ReadOnlyAccess] | [IDLE_TOO_LONG, TRUSTS_DELETED_PRINCIPAL, REFERENCES_NOT_READ]"
    );
    let how = run(&lake, "unused-roles", &[AS_OF], "delete_method").await;
    let account = account("told");
    let command = format!("aws iam delete-role --role-name R  # in account {account}");
    assert!(how.ends_with(&command), "{how}");
    let evidence = run(&lake, "unused-roles", &[AS_OF], "evidence_event_ids").await;
    assert_eq!(evidence, "[b]");
}

#[tokio::test]
async fn a_role_is_idle_after_the_threshold_not_on_it() {
    for (idle, expected) in [(180, "USED"), (182, "INSUFFICIENT_COVERAGE"), (183, "UNUSED")] {
        let case = with_role("threshold", |row| last_used(row, idle));
        let given = [AS_OF, ("threshold_days", "180")];
        assert_eq!(run(&case.lake, "unused-roles", &given, "state").await, expected, "{idle}");
    }
}

#[tokio::test]
async fn regression_a_role_made_again_after_the_inventory_is_in_use() {
    let case = Case::new("made again").snapshot(3, PARTS).logs(WINDOW);
    let row = last_used(role(&case, 500), 200);
    let case = with_use(case.add("iam_roles", row), "AROANEW", 1);
    assert_eq!(
        run(&lake([case]), "unused-roles", &[AS_OF], "role state reason_codes").await,
        "R | USED | [IN_USE, RECREATED_SINCE_INVENTORY, CLOUDTRAIL_LATER_THAN_IAM]"
    );
}

#[tokio::test]
async fn regression_without_logs_a_role_is_idle_until_iam_was_asked() {
    for (idle, expected) in [
        (95, "INSUFFICIENT_COVERAGE | [ASKED_TOO_EARLY, NO_LOGS]"),
        (98, "UNUSED | [IDLE_TOO_LONG, NO_LOGS, REFERENCES_NOT_READ]"),
    ] {
        let case = Case::new("asked six days ago").snapshot(6, PARTS);
        let row = last_used(role(&case, 500), idle);
        let lake = lake([case.add("iam_roles", row)]);
        let found = run(&lake, "unused-roles", &[AS_OF], "state reason_codes").await;
        assert_eq!(found, expected, "{idle}");
    }
}
