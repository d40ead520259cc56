//! `unused-users`: passwords, keys, root, and people who have left.

use super::super::lake::{Row, at, event};
use super::super::reporting::run;
use super::{Case, Differences, WINDOW, account, ago, by_iam, lake};

const PARTS: &[&str] = &["users", "credential_report", "access_keys", "access_key_last_used"];

/// The user U of a case's account, with a password that was never used.
fn user(case: &Case, name: &str, created: i64) -> Row {
    case.row()
        .text("user_name", name)
        .text("user_arn", format!("arn:aws:iam::{}:user/{name}", case.account))
        .number("created", at(&ago(created)))
        .flag("is_root", false)
        .flag("console_password", true)
        .flag("mfa_active", true)
}

fn known(name: &str) -> Case {
    Case::new(name).snapshot(1, PARTS).logs(WINDOW)
}

fn with_user(name: &str, change: impl FnOnce(Row) -> Row) -> Case {
    let case = known(name);
    let row = change(user(&case, "U", 300));
    case.add("iam_users", row)
}

fn signed_in(row: Row, days: i64) -> Row {
    row.number("password_last_used", at(&ago(days)))
}

fn with_key(case: Case, change: impl FnOnce(Row) -> Row) -> Case {
    let row = change(case.key("U", "AKIAU", 300));
    case.add("iam_access_keys", row)
}

fn cases() -> Vec<(&'static str, Case, &'static str)> {
    let mut cases = of_passwords();
    cases.extend(of_others());
    cases
}

fn of_passwords() -> Vec<(&'static str, Case, &'static str)> {
    vec![
        (
            "signs in",
            with_user("signs in", |row| signed_in(row, 45)),
            "U | USED | USED | 0 | 45 | [IN_USE, OTHER_CREDENTIALS_UNREAD]",
        ),
        (
            "signed in",
            with_user("signed in", |row| signed_in(row, 46)),
            "U | UNKNOWN | UNUSED | 0 | 44 | [OTHER_CREDENTIALS_UNREAD, ASKED_TOO_EARLY]",
        ),
        (
            "signed in before it was asked",
            with_user("signed in before it was asked", |row| signed_in(row, 48)),
            "U | UNUSED | UNUSED | 0 | 46 | [IDLE_TOO_LONG, OTHER_CREDENTIALS_UNREAD]",
        ),
        (
            "signs in, by the logs",
            {
                let case = with_user("signs in, by the logs", |row| signed_in(row, 100));
                let sign_in = event("login", &ago(5), "ConsoleLogin")
                    .text("caller_type", "IAMUser")
                    .text("caller_account_id", case.account.clone())
                    .text("caller_user_name", "U");
                case.add("credential_events", sign_in)
            },
            "U | USED | USED | 0 | 5 | [IN_USE, OTHER_CREDENTIALS_UNREAD]",
        ),
        (
            "fails to sign in",
            {
                let case = with_user("fails to sign in", |row| signed_in(row, 100));
                let sign_in = event("failed", &ago(5), "ConsoleLogin")
                    .text("caller_type", "IAMUser")
                    .text("caller_account_id", case.account.clone())
                    .text("caller_user_name", "U")
                    .failed("Failed authentication");
                case.add("credential_events", sign_in)
            },
            "U | UNUSED | UNUSED | 0 | 98 | [IDLE_TOO_LONG, OTHER_CREDENTIALS_UNREAD]",
        ),
        (
            "never",
            with_user("never", |row| row.flag("mfa_active", false)),
            "U | NEVER_USED | NEVER_USED | 0 | 298 | [NEVER_USED, OTHER_CREDENTIALS_UNREAD, NO_MFA]",
        ),
        (
            "young",
            with_user("young", |row| row.number("created", at(&ago(3)))),
            "U | NEVER_USED_YOUNG | NEVER_USED | 0 | 1 | [CREDENTIAL_YOUNG, OTHER_CREDENTIALS_UNREAD]",
        ),
        (
            "password not read",
            with_user("password not read", |row| row.without("console_password")),
            "U | UNKNOWN | UNKNOWN | 0 | 298 | [OTHER_CREDENTIALS_UNREAD, PASSWORD_UNKNOWN]",
        ),
    ]
}

fn of_others() -> Vec<(&'static str, Case, &'static str)> {
    let no_password = |row: Row| row.flag("console_password", false);
    vec![
        (
            "key alone",
            with_key(with_user("key alone", no_password), |key| by_iam(key, 10, "ec2")),
            "U | USED | NONE | 1 | 10 | [IN_USE, OTHER_CREDENTIALS_UNREAD]",
        ),
        (
            "key used, password not",
            with_key(with_user("key used, password not", |row| row), |key| by_iam(key, 10, "ec2")),
            "U | USED | NEVER_USED | 1 | 10 | [IN_USE, OTHER_CREDENTIALS_UNREAD, PASSWORD_UNUSED]",
        ),
        (
            "idle key",
            with_key(with_user("idle key", no_password), |key| by_iam(key, 100, "ec2")),
            "U | UNUSED | NONE | 1 | 98 | [IDLE_TOO_LONG, OTHER_CREDENTIALS_UNREAD]",
        ),
        (
            "key not asked about",
            with_key(with_user("key not asked about", no_password), |key| {
                key.flag("last_used_known", false)
            }),
            "U | UNKNOWN | NONE | 1 | 298 | [OTHER_CREDENTIALS_UNREAD, KEYS_UNKNOWN]",
        ),
        (
            "nothing",
            with_user("nothing", no_password),
            "U | UNKNOWN | NONE | 0 | 298 | [NO_PASSWORD_NO_KEY, OTHER_CREDENTIALS_UNREAD]",
        ),
        (
            "mail credentials",
            with_user("mail credentials", |row| {
                no_password(row).list("service_specific_credentials", &["ses"])
            }),
            "U | UNKNOWN | NONE | 0 | 298 | [OTHER_CREDENTIALS, NO_PASSWORD_NO_KEY, OTHER_CREDENTIALS_UNREAD]",
        ),
        (
            "root keys",
            {
                let case = known("root keys");
                let root = no_password(user(&case, "<root_account>", 900)).flag("is_root", true);
                let key = case.key("<root_account>", "AKIAROOT", 900).flag("is_root", true);
                case.add("iam_users", root).add("iam_access_keys", by_iam(key, 2, "s3"))
            },
            "<root_account> | ROOT_KEYS | NEVER_USED | 1 | 0 | [ROOT_KEY, IN_USE]",
        ),
        (
            "logs only",
            {
                let case = Case::new("logs only").logs(WINDOW);
                let row = case.signed("U", "AKIALOGS", 100);
                case.add("activity", row)
            },
            "U | UNKNOWN | UNKNOWN | 0 |  | [NO_INVENTORY]",
        ),
    ]
}

#[tokio::test]
async fn every_edge_case_has_its_row() {
    let cases = cases();
    let expected: Vec<_> =
        cases.iter().map(|(name, _, row)| (*name, account(name), *row)).collect();
    let lake = lake(cases.into_iter().map(|(_, case, _)| case));
    let columns = "account_id user_name state password active_keys days_idle reason_codes";
    let as_of = [("as_of", "2026-07-01T00:00:00Z")];
    let answer = run(&lake, "unused-users", &as_of, columns).await;
    let mut differences = Differences::default();
    for (name, account, row) in expected {
        let found: Vec<_> = answer.lines().filter(|line| line.starts_with(&account)).collect();
        differences.add(name, &found, &[format!("{account} | {row}")]);
    }
    differences.none();
}

#[tokio::test]
async fn people_who_have_left_are_named() {
    let directory = Case::new("directory").snapshot(1, &["identity_store"]);
    let person = |name: &str, active: bool| {
        directory
            .row()
            .text("user_id", name)
            .text("user_name", name)
            .text("email", format!("{name}@example.com"))
            .flag("active", active)
    };
    let people = [person("ann", true), person("bob", false)];
    let case = known("people");
    let tagged =
        |name: &str, tag: &str, mail: &str| user(&case, name, 300).map("tags", &[(tag, mail)]);
    let users = [
        tagged("ann-cli", "Email", "Ann@example.com"),
        tagged("bob-cli", "email", "bob@example.com"),
        user(&case, "bob", 300),
        user(&case, "eve@example.com", 300),
        user(&case, "vendor@elsewhere.org", 300),
        user(&case, "robot", 300),
    ];
    let lake =
        lake([directory, case]).rows("identity_store_users", people).rows("iam_users", users);
    let as_of = [("as_of", "2026-07-01T00:00:00Z")];
    assert_eq!(
        run(&lake, "unused-users", &as_of, "user_name state leaver").await,
        "ann-cli | NEVER_USED | \n\
         bob | LEAVER | inactive\n\
         bob-cli | LEAVER | inactive\n\
         eve@example.com | LEAVER? | absent\n\
         robot | NEVER_USED | \n\
         vendor@elsewhere.org | NEVER_USED | "
    );
}

#[tokio::test]
async fn a_user_is_idle_after_the_threshold_not_on_it() {
    for (idle, expected) in [(180, "USED"), (182, "UNKNOWN"), (183, "UNUSED")] {
        let case = with_user("threshold", |row| signed_in(row, idle));
        let given = [("as_of", "2026-07-01T00:00:00Z"), ("threshold_days", "180")];
        assert_eq!(run(&case.lake, "unused-users", &given, "state").await, expected, "{idle}");
    }
}

#[tokio::test]
async fn regression_without_logs_a_user_is_idle_until_iam_was_asked() {
    for (idle, expected) in [
        (50, "UNKNOWN | [OTHER_CREDENTIALS_UNREAD, ASKED_TOO_EARLY, NO_LOGS]"),
        (53, "UNUSED | [IDLE_TOO_LONG, OTHER_CREDENTIALS_UNREAD, NO_LOGS]"),
    ] {
        let case = Case::new("asked six days ago").snapshot(6, PARTS);
        let row = signed_in(user(&case, "U", 300), idle);
        let lake = lake([case.add("iam_users", row)]);
        let as_of = [("as_of", "2026-07-01T00:00:00Z")];
        let found = run(&lake, "unused-users", &as_of, "state reason_codes").await;
        assert_eq!(found, expected, "{idle}");
    }
}
