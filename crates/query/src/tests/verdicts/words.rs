//! Words of IAM and of the logs that are older, of less, or of another thing than they seem. Each was once believed.

use super::super::lake::{Row, at, event, used};
use super::super::reporting::run;
use super::{Case, WINDOW, ago, by_iam, lake};

const AS_OF: (&str, &str) = ("as_of", "2026-07-01T00:00:00Z");
const KEYS: &[&str] = &["users", "access_keys", "access_key_last_used"];
const OTHERS: &[&str] =
    &["service_specific_credentials", "ssh_public_keys", "signing_certificates", "mfa_devices"];

async fn ask(case: Case, report: &str, more: &[(&str, &str)], columns: &str) -> String {
    let given: Vec<_> = [AS_OF].iter().chain(more).copied().collect();
    run(&lake([case]), report, &given, columns).await
}

impl Case {
    /// A part of the latest snapshot was read so many days ago, as its file's time says, or what is in it.
    fn part(self, part: &str, days: i64, time_from: &str) -> Self {
        let row = self
            .row()
            .text("part", part)
            .number("read_at", at(&ago(days)))
            .text("time_from", time_from);
        self.add("iam_parts", row)
    }

    fn with_key(self, row: impl FnOnce(Row) -> Row) -> Self {
        let key = row(by_iam(self.key("ci", "AKIACI", 400), 300, "ec2"));
        self.add("iam_access_keys", key)
    }

    fn with_user(self, name: &str, row: impl FnOnce(Row) -> Row) -> Self {
        let user = self
            .row()
            .text("user_name", name)
            .text("user_arn", format!("arn:aws:iam::{}:user/{name}", self.account))
            .number("created", at(&ago(400)))
            .flag("is_root", false);
        self.add("iam_users", row(user))
    }

    fn with_role(self, name: &str, row: impl FnOnce(Row) -> Row) -> Self {
        let role = self
            .row()
            .text("role_name", name)
            .text("role_arn", format!("arn:aws:iam::{}:role/{name}", self.account))
            .text("role_id", "AROAR")
            .number("created", at(&ago(400)))
            .flag("last_used_known", true)
            .flag("service_linked", false)
            .flag("identity_center", false);
        self.add("iam_roles", row(role))
    }

    fn key_set(self, status: &str, days: i64) -> Self {
        let change =
            self.key_change("UpdateAccessKey", "ci", "AKIACI", days).text("status", status);
        self.add("iam_changes", change)
    }
}

#[tokio::test]
async fn regression_keys_that_fit_the_same_slots_are_as_old_as_the_older_word() {
    let case = Case::new("ambiguous")
        .snapshot(1, &["access_keys", "access_key_last_used", "credential_report"]);
    let case =
        case.part("access_key_last_used", 20, "content").part("credential_report", 1, "content");
    let case = case.with_key(|key| key.text("matched_by", "ambiguous"));
    assert_eq!(
        ask(case, "stale-keys", &[], "state known_until").await,
        "UNKNOWN | 2026-06-10T20:00:00Z"
    );
}

#[tokio::test]
async fn regression_a_last_use_that_no_part_dates_is_no_word() {
    let case = Case::new("lone get-role").snapshot(1, &["roles"]);
    let case = case.with_role("R", |role| role.number("last_used", at(&ago(200))));
    assert_eq!(
        ask(case, "unused-roles", &[], "state known_until days_idle reason_codes").await,
        "INSUFFICIENT_COVERAGE |  |  | [NO_IAM_LAST_USED, NO_LOGS]"
    );
}

#[tokio::test]
async fn regression_a_password_that_details_tell_of_is_as_old_as_they_are() {
    let case = Case::new("old details").snapshot(1, &[KEYS, OTHERS].concat());
    let case = case.part("users", 6, "content").with_key(|key| key.text("user_name", "con"));
    let case = case.with_user("con", |user| user.number("password_last_used", at(&ago(48))));
    assert_eq!(
        ask(case, "unused-users", &[], "state known_until").await,
        "UNKNOWN | 2026-06-24T20:00:00Z"
    );
}

/// Keys of one user alone were listed after an inventory of all: it says nothing of the others'.
#[tokio::test]
async fn regression_a_list_of_one_users_keys_leaves_the_others_theirs() {
    let all = [KEYS, OTHERS, &["credential_report"]].concat();
    let case = Case::new("some").snapshot(3, &all);
    let of = |case: &Case, user: &str, created: i64| {
        case.key(user, &format!("AKIA{}", user.to_uppercase()), created)
    };
    let (ann, bob) = (of(&case, "ann", 400), of(&case, "bob", 5));
    let case = case.add("iam_access_keys", by_iam(ann, 300, "ec2")).add("iam_access_keys", bob);
    let without_password = |user: Row| user.flag("console_password", false);
    let case = case.with_user("ann", without_password).with_user("bob", without_password);
    let case = case.snapshot(1, &["access_keys_of_some", "access_key_last_used"]);
    let ann = by_iam(of(&case, "ann", 400), 2, "ec2");
    let case = case.add("iam_access_keys", ann);
    let lake = lake([case]);
    assert_eq!(
        run(&lake, "stale-keys", &[AS_OF], "user_name state inventory_time").await,
        "ann | USED | 2026-06-30T00:00:00Z\nbob | NEVER_USED_YOUNG | 2026-06-28T00:00:00Z"
    );
    assert_eq!(
        run(&lake, "unused-users", &[AS_OF], "user_name state active_keys").await,
        "ann | USED | 1\nbob | NEVER_USED_YOUNG | 1"
    );
    assert_eq!(
        run(&lake, "burn-down", &[AS_OF, ("days", "6")], "active_keys keys_retired").await,
        "2 | 0\n2 | 0"
    );
}

#[tokio::test]
async fn regression_keys_that_were_never_listed_are_not_none() {
    let case = Case::new("nobody listed").snapshot(1, &[&["users"], OTHERS].concat());
    let case = case.with_user("bob", |user| user.number("password_last_used", at(&ago(200))));
    let case = case.logs(WINDOW);
    let old = case.signed("bob", "AKIABOB", 80);
    assert_eq!(
        ask(case.add("activity", old), "unused-users", &[], "state reason_codes").await,
        "UNKNOWN | [KEYS_UNKNOWN]"
    );
    // Of a key whose status nobody told nobody knows that it is off.
    let case = Case::new("status").snapshot(1, &[KEYS, OTHERS, &["credential_report"]].concat());
    let case = case.with_user("ci", |user| user.flag("console_password", false));
    let case = case.with_key(|key| key.without("status"));
    assert_eq!(ask(case, "unused-users", &[], "state").await, "UNKNOWN");
}

#[tokio::test]
async fn regression_keys_that_the_report_counts_and_does_not_show_are_credentials() {
    let parts = [KEYS, OTHERS, &["credential_report"]].concat();
    let user = |unshown: i64| {
        let case = Case::new("beyond two").snapshot(1, &parts);
        case.with_user("bob", |user| {
            user.flag("console_password", false).number("unshown_credentials", unshown)
        })
    };
    assert_eq!(ask(user(0), "unused-users", &[], "state").await, "NO_CREDENTIALS");
    assert_eq!(
        ask(user(1), "unused-users", &[], "state reason_codes").await,
        "UNKNOWN | [OTHER_CREDENTIALS, NO_PASSWORD_NO_KEY, NO_LOGS]"
    );
}

/// Off for sixty days by the logs; how far that can be believed depends on what was seen of the days since.
fn off(name: &str, read: i64) -> Case {
    off_but(name, read, None)
}

fn off_but(name: &str, read: i64, missing: Option<i64>) -> Case {
    let case = Case::new(name).snapshot(read, &[KEYS, &["credential_report"]].concat());
    case.logs_but(WINDOW + 30, missing)
        .with_key(|key| key.text("status", "Inactive"))
        .key_set("Inactive", 60)
}

const RETIRED: &str = "verdict deactivated";

#[tokio::test]
async fn regression_a_later_change_that_the_report_tells_of_is_another_deactivation() {
    let rotated = |days: i64| {
        let case = off("changed again", 1);
        let key = by_iam(case.key("ci", "AKIALATER", 400), 300, "ec2");
        let key = key.text("status", "Inactive").number("last_rotated", at(&ago(days)));
        let change = case.key_change("UpdateAccessKey", "ci", "AKIALATER", 60);
        case.add("iam_access_keys", key).add("iam_changes", change.text("status", "Inactive"))
    };
    let asked = [("access_key", "AKIALATER")];
    assert_eq!(
        ask(rotated(60), "key-migration", &asked, RETIRED).await,
        "RETIRE_NOW | 2026-05-02T00:00:00Z"
    );
    assert_eq!(ask(rotated(10), "key-migration", &asked, RETIRED).await, "RETIRE_AFTER_SOAK | ");
}

/// Without a report the logs alone say that it was not switched on and off again before it was read.
#[tokio::test]
async fn regression_days_without_logs_between_the_deactivation_and_the_reading_prove_nothing() {
    assert!(ask(off("watched", 1), "key-migration", &[], RETIRED).await.starts_with("RETIRE_NOW"));
    let case = off_but("a gap", 1, Some(30));
    assert!(ask(case, "key-migration", &[], RETIRED).await.starts_with("RETIRE_AFTER_SOAK"));
}

#[tokio::test]
async fn regression_the_last_minutes_of_a_day_are_delivered_on_the_next() {
    let case = off_but("midnight", 1, Some(0));
    assert!(ask(case, "key-migration", &[], RETIRED).await.starts_with("RETIRE_AFTER_SOAK"));
}

#[tokio::test]
async fn regression_days_of_a_trail_that_leaves_out_what_iam_changes_show_no_activation() {
    let trail = |case: Case, name: &str, region: &str, days: i64, change: &dyn Fn(Row) -> Row| {
        let row = Row::default()
            .text("trail_arn", format!("arn:aws:cloudtrail:{region}:{}:trail/{name}", case.account))
            .number("snapshot_time", at(&ago(days)))
            .number("snapshot_date", at(&ago(days)) / super::DAY)
            .text("bucket", format!("{name}-logs"))
            .text("trail_prefix", "AWSLogs")
            .flag("organization", false)
            .flag("multi_region", true)
            .flag("logging", true);
        case.add("trails", change(row))
    };
    let all = |row: Row| row;
    let data = |row: Row| row.list("not_recorded", &["management events"]);
    let verdict = |case: Case| async { ask(case, "key-migration", &[], "verdict").await };
    assert_eq!(verdict(trail(off("one", 5), "mgmt", "eu-west-1", 100, &all)).await, "RETIRE_NOW");
    // Files of a trail of data events beside those of another: whose these are is not known.
    let both = trail(off("both", 5), "mgmt", "eu-west-1", 100, &all);
    let both = trail(both, "data", "eu-west-1", 100, &data);
    assert_eq!(verdict(both).await, "RETIRE_AFTER_SOAK");
    // A trail of another region only.
    let elsewhere =
        trail(off("elsewhere", 5), "eu", "eu-west-1", 100, &|row| row.flag("multi_region", false));
    assert_eq!(verdict(elsewhere).await, "RETIRE_AFTER_SOAK");
    // Mended since, or changed since.
    let reads = |row: Row| row.list("not_recorded", &["write events"]);
    let mended = trail(off("mended", 5), "mgmt", "eu-west-1", 4, &reads);
    assert_eq!(verdict(trail(mended, "mgmt", "eu-west-1", 1, &all)).await, "RETIRE_AFTER_SOAK");
    let changed = trail(off("changed", 5), "mgmt", "eu-west-1", 100, &all);
    let change =
        super::super::lake::change("selectors", &ago(3), "PutEventSelectors", "trail", "mgmt")
            .text("recipient_account_id", changed.account.clone());
    assert_eq!(verdict(changed.add("iam_changes", change)).await, "RETIRE_AFTER_SOAK");
}

#[tokio::test]
async fn regression_a_slot_that_the_logs_show_switched_on_is_not_off() {
    let slot = |case: &Case| {
        case.key("ci", "", 400)
            .without("access_key_id")
            .number("slot", 1)
            .text("status", "Inactive")
    };
    let case = Case::new("slot").snapshot(3, &["users", "credential_report"]).logs(WINDOW);
    let row = by_iam(slot(&case), 300, "ec2");
    let case = case.add("iam_access_keys", row).key_set("Active", 2);
    let lake = lake([case]);
    let found = run(&lake, "stale-keys", &[AS_OF], "slot state").await;
    assert!(found.contains("1 | UNKNOWN"), "{found}");
    let found = run(&lake, "key-migration", &[AS_OF], "slot verdict").await;
    assert!(found.contains("1 | UNKNOWN"), "{found}");
}

#[tokio::test]
async fn regression_a_session_that_no_key_is_known_to_have_opened_may_be_of_any_key() {
    let case = Case::new("session").snapshot(6, KEYS).logs(WINDOW).with_key(|key| key);
    let session = case.signed("ci", "ASIASESSION", 2).number("session_created", at(&ago(2)));
    let case = case.add("activity", session.text("credential_kind", "temporary"));
    assert_eq!(
        ask(case, "stale-keys", &[], "state reason_codes").await,
        "UNKNOWN | [SESSION_OF_UNKNOWN_KEY]"
    );
    // One that the user signed in for is none of a key's.
    let case = Case::new("console").snapshot(6, KEYS).logs(WINDOW).with_key(|key| key);
    let session = case.signed("ci", "ASIASESSION", 2).number("session_created", at(&ago(2)));
    let sign_in = event("login", &ago(2), "ConsoleLogin")
        .text("caller_type", "IAMUser")
        .text("caller_account_id", case.account.clone())
        .text("caller_user_name", "ci");
    let case = case.add("activity", session.text("credential_kind", "temporary"));
    assert_eq!(
        ask(case.add("credential_events", sign_in), "stale-keys", &[], "state").await,
        "STALE"
    );
}

#[tokio::test]
async fn regression_a_renamed_user_is_the_same_user() {
    let case = Case::new("renamed").snapshot(1, &[KEYS, OTHERS, &["credential_report"]].concat());
    let case = case.logs(WINDOW).with_key(|key| key.text("user_name", "ci-new"));
    let case = case
        .with_user("ci-new", |user| user.text("user_id", "AIDACI").flag("console_password", false));
    // By a key that is gone, under the name of before.
    let before = case.signed("ci", "AKIAGONE", 10);
    let case = case.add("activity", before);
    assert_eq!(ask(case, "unused-users", &[], "user_name state").await, "ci-new | USED");
    // A report has no ids: what a slot is of after a renaming is not known.
    let case = Case::new("slot of a name").snapshot(6, &["users", "credential_report"]);
    let slot =
        by_iam(case.key("ci", "", 400).without("access_key_id").number("slot", 1), 300, "ec2");
    let renamed = super::super::lake::change("renamed", &ago(5), "UpdateUser", "user", "ci")
        .text("recipient_account_id", case.account.clone());
    let case = case.add("iam_access_keys", slot).add("iam_changes", renamed);
    assert_eq!(ask(case, "stale-keys", &[], "state").await, "UNKNOWN");
}

/// The account's own logs are not held; another's, which its role and user called, are.
#[tokio::test]
async fn regression_another_accounts_record_of_a_call_is_a_use_of_who_made_it() {
    let case = Case::new("masked").snapshot(6, &["roles", "role_last_used"]);
    let masked = |case: &Case, id: &str| {
        used(&ago(2), &ago(2), 1)
            .text("principal_type", "AWSAccount")
            .text("principal_id", id)
            .text("account_id", case.account.clone())
            .text("recipient_account_id", "999999999999")
    };
    let call = masked(&case, "AROAR:s").text("role_id", "AROAR");
    let case = case.with_role("R", |role| role.number("last_used", at(&ago(300))));
    assert_eq!(
        ask(case.add("activity", call), "unused-roles", &[], "role state").await,
        "R | USED"
    );
    let parts = [KEYS, OTHERS, &["credential_report"]].concat();
    let case = Case::new("masked user").snapshot(6, &parts);
    let call = masked(&case, "AIDABOB");
    let case = case.with_user("bob", |user| {
        user.text("user_id", "AIDABOB")
            .flag("console_password", true)
            .number("password_last_used", at(&ago(300)))
    });
    assert_eq!(
        ask(case.add("activity", call), "unused-users", &[], "user_name state").await,
        "bob | USED"
    );
}

#[tokio::test]
async fn regression_a_list_without_tags_takes_no_protection_away() {
    let parts = ["roles", "role_last_used"];
    let idle = |role: Row| role.number("last_used", at(&ago(300)));
    let case = Case::new("protected").snapshot(3, &parts);
    let case =
        case.with_role("dr", |role| idle(role).map("tags", &[("rolecall:protected", "true")]));
    let case = case.snapshot(1, &parts).with_role("dr", idle);
    assert_eq!(ask(case, "unused-roles", &[], "state").await, "PROTECTED");
    for name in ["BreakGlassAdmin", "ops-BREAK_GLASS", "awscontroltowerexecution"] {
        let case = Case::new(name).snapshot(1, &parts).with_role(name, idle);
        assert_eq!(ask(case, "unused-roles", &[], "state").await, "STANDBY", "{name}");
    }
}

#[tokio::test]
async fn regression_what_was_made_after_iam_was_asked_was_not_asked_about() {
    let none = [("grace_days", "0")];
    let made = at(&ago(1)) - 3_600_000_000;
    let case = Case::new("made since").snapshot(1, KEYS);
    let row = case.key("ci", "AKIANEW", 1).number("created", made);
    let case = case.add("iam_access_keys", row);
    assert_eq!(ask(case, "stale-keys", &none, "state").await, "UNKNOWN");
    let case = Case::new("role made since").snapshot(1, &["roles", "role_last_used"]);
    let case = case.with_role("R", |role| role.number("created", made));
    assert_eq!(ask(case, "unused-roles", &none, "state").await, "INSUFFICIENT_COVERAGE");
}

#[tokio::test]
async fn regression_burn_down_counts_nothing_idle_that_iam_was_not_asked_about() {
    let case = Case::new("not asked").snapshot(1, &["access_keys", "roles", "role_last_used"]);
    let unasked = |row: Row| row.flag("last_used_known", false).without("last_used");
    let case = case.with_key(unasked);
    let off = unasked(case.key("ci", "AKIAOFF", 400)).text("status", "Inactive");
    let case = case.add("iam_access_keys", off);
    let case = case.with_role("R", |role| role.number("last_used", at(&ago(10))));
    let case = case.with_role("S", unasked);
    assert_eq!(
        ask(case, "burn-down", &[("days", "6")], "active_keys stale_keys unused_roles").await,
        "1 |  | 0"
    );
}

#[tokio::test]
async fn regression_the_time_of_a_file_is_said_wherever_it_counts() {
    let parts = [KEYS, OTHERS, &["credential_report"]].concat();
    let dated = |case: Case| {
        parts.iter().fold(case, |case, part| {
            let from = if *part == "credential_report" { "content" } else { "file" };
            case.part(part, 1, from)
        })
    };
    let case = dated(Case::new("files").snapshot(1, &parts)).logs(WINDOW);
    let case = case.with_key(|key| key.text("matched_by", "access_key_id"));
    let case = case.with_user("ci", |user| user.flag("console_password", false));
    let lake = lake([case]);
    for report in ["stale-keys", "unused-users"] {
        let found = run(&lake, report, &[AS_OF], "inventory_time_from reason_codes").await;
        assert!(
            found.starts_with("file |") && found.contains("TIME_FROM_FILE"),
            "{report}: {found}"
        );
    }
}

#[tokio::test]
async fn regression_a_report_without_tags_takes_no_owner_away() {
    let case = Case::new("tags").snapshot(3, KEYS);
    let tags = [("owner", "amy@example.com"), ("rolecall:confirmed", "2026-06-20")];
    let case = case.with_key(|key| key).with_user("ci", |user| user.map("tags", &tags));
    let case = case.snapshot(1, &["credential_report"]).with_user("ci", |user| user);
    let case = case.with_key(|key| key.without("access_key_id").number("slot", 1));
    assert_eq!(ask(case, "owners", &[], "owner state").await, "amy@example.com | CONFIRMED");
}

#[tokio::test]
async fn regression_a_key_that_is_seen_in_its_sessions_alone_is_its_users() {
    let case = Case::new("sessions").snapshot(2, &["users", "credential_report"]).logs(WINDOW);
    let slot = case.key("ci", "", 400).without("access_key_id").number("slot", 1);
    let opened = event("token", &ago(1), "GetSessionToken")
        .by_user("ci", "AKIACI")
        .issues("ASIACI", &ago(0));
    let session = case.signed("ci", "ASIACI", 1).text("credential_kind", "temporary");
    let case = case.add("iam_access_keys", by_iam(slot, 300, "ec2"));
    let case = case.add("credential_events", opened).add("activity", session);
    let found = ask(case, "stale-keys", &[], "user_name slot state").await;
    assert_eq!(found, "ci | 1 | USED\nci |  | USED");
}

#[tokio::test]
async fn regression_an_old_sign_in_in_the_logs_is_no_word_on_the_password() {
    let case = Case::new("old sign-in").snapshot(1, &[KEYS, OTHERS].concat()).logs(WINDOW);
    let sign_in = event("login", &ago(80), "ConsoleLogin")
        .text("caller_type", "IAMUser")
        .text("caller_account_id", case.account.clone())
        .text("caller_user_name", "con");
    let case = case.with_user("con", |user| user).add("credential_events", sign_in);
    assert_eq!(ask(case, "unused-users", &[], "state password").await, "UNKNOWN | UNKNOWN");
}

#[tokio::test]
async fn regression_a_user_is_as_young_as_the_newest_key_on_or_off() {
    let parts = [KEYS, OTHERS, &["credential_report"]].concat();
    let case = Case::new("new and off").snapshot(1, &parts).logs(WINDOW);
    let case = case.with_user("ci", |user| user.flag("console_password", false));
    let old = case.key("ci", "AKIAOLD", 200);
    let new = case.key("ci", "AKIANEW", 5).text("status", "Inactive");
    let case = case.add("iam_access_keys", old).add("iam_access_keys", new);
    assert_eq!(ask(case, "unused-users", &[], "state").await, "NEVER_USED_YOUNG");
}
