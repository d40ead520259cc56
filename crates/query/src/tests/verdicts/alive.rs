//! What is alive and was once called fit to go.

use super::super::reporting::run;
use super::key_migration::{AS_OF, KEYS, calls, known, with_key};
use super::{Case, WINDOW, ago, at, by_iam, key_id, lake};

const NETWORK: &str = "192.0.2.1";

async fn migration(case: Case, more: &[(&str, &str)], columns: &str) -> String {
    let given: Vec<_> = [AS_OF].iter().chain(more).copied().collect();
    run(&lake([case]), "key-migration", &given, columns).await
}

#[tokio::test]
async fn regression_a_key_that_signs_after_the_inventory_saw_it_inactive_is_active_again() {
    let name = "switched on";
    let case = || {
        let case = Case::new(name).snapshot(5, KEYS).logs(WINDOW);
        let case = with_key(case, name, |key| by_iam(key, 6, "ec2").text("status", "Inactive"));
        calls(case, name, NETWORK, [1, 2])
    };
    assert_eq!(
        migration(case(), &[], "verdict status reason_codes").await,
        "MIGRATE | Active | [IN_USE, ACTIVE_AGAIN, CLOUDTRAIL_LATER_THAN_IAM, NOT_PROVEN, NO_ROLE_SEEN]"
    );
    assert_eq!(
        run(&lake([case()]), "stale-keys", &[AS_OF], "state reason_codes").await,
        "USED | [IN_USE, ACTIVE_AGAIN, CLOUDTRAIL_LATER_THAN_IAM]"
    );
}

#[tokio::test]
async fn regression_a_second_deactivation_does_not_make_the_silence_before_it_count() {
    let name = "switched off twice";
    let off = |case: Case, status: &str, day: i64| {
        let change = case.key_change("UpdateAccessKey", "ci", &key_id(name), day);
        case.add("iam_changes", change.text("status", status))
    };
    let used = || {
        let case =
            with_key(known(name), name, |key| by_iam(key, 80, "ec2").text("status", "Inactive"));
        calls(case, name, NETWORK, [80, 81])
    };
    let columns = "verdict deactivated reason_codes";
    assert_eq!(
        migration(off(off(used(), "Inactive", 79), "Inactive", 20), &[], columns).await,
        "RETIRE_AFTER_SOAK | 2026-04-13T00:00:00Z | [INACTIVE, SOAKING, USED_BEFORE_DEACTIVATION]"
    );
    // Switched on between, it was not used before the second.
    let between = off(off(off(used(), "Inactive", 79), "Active", 78), "Inactive", 20);
    assert_eq!(
        migration(between, &[], columns).await,
        "RETIRE_NOW | 2026-06-11T00:00:00Z | [INACTIVE_AND_UNUSED_BEFORE, INACTIVE]"
    );
    // An earlier inventory saw it inactive: since when is not known.
    let seen =
        with_key(Case::new(name).snapshot(50, KEYS), name, |key| key.text("status", "Inactive"));
    assert_eq!(
        run(&lake([seen, off(used(), "Inactive", 20)]), "key-migration", &[AS_OF], columns).await,
        "RETIRE_AFTER_SOAK |  | [INACTIVE, SOAKING, DEACTIVATION_TIME_UNKNOWN]"
    );
}

#[tokio::test]
async fn regression_uses_between_to_and_as_of_are_uses() {
    let name = "used lately";
    let case = with_key(known(name), name, |key| by_iam(key, 100, "ec2"));
    let case = calls(case, name, NETWORK, [2, 3]);
    let to = ("to", "2026-06-20T00:00:00Z");
    assert_eq!(
        migration(case, &[to], "verdict days_idle reason_codes").await,
        "UNKNOWN | 2 | [IN_USE, CLOUDTRAIL_LATER_THAN_IAM, PARTIAL_LOGS, NO_CALLER_IN_LOGS]"
    );
}

#[tokio::test]
async fn regression_an_old_word_on_last_uses_judges_nothing() {
    let name = "asked long ago";
    let case = Case::new(name).snapshot_asked(1, 40, KEYS).logs(WINDOW);
    let lake = lake([with_key(case, name, |key| key)]);
    assert_eq!(
        run(&lake, "stale-keys", &[AS_OF], "state reason_codes").await,
        "UNKNOWN | [STALE_INVENTORY]"
    );
    let said = run(&lake, "key-migration", &[AS_OF], "reasons").await;
    assert!(said.contains("the inventory, or its word on last uses, is 40 days old"), "{said}");
}

#[tokio::test]
async fn regression_a_use_shortly_before_the_report_counts_for_its_slots() {
    let case = Case::new("report").snapshot(1, &["credential_report"]).logs(WINDOW);
    let row = case.key("ci", "", 400).without("access_key_id").number("slot", 1);
    let case = case.add("iam_access_keys", by_iam(row, 100, "ec2"));
    let case = calls(case, "report", NETWORK, [2]);
    assert_eq!(
        run(&lake([case]), "stale-keys", &[AS_OF], "slot state days_idle").await,
        "1 | USED | 2\n | USED | 2"
    );
}

#[tokio::test]
async fn regression_keys_that_were_read_long_ago_do_not_make_a_user_unused() {
    let user = |case: &Case| {
        case.row()
            .text("user_name", "ci")
            .text("user_arn", "arn:aws:iam::1:user/ci")
            .number("created", at(&ago(500)))
            .flag("is_root", false)
            .flag("console_password", false)
    };
    let name = "keys of long ago";
    let case = with_key(Case::new(name).snapshot(200, KEYS), name, |key| by_iam(key, 201, "ec2"));
    let case = case.snapshot(1, &["users"]).logs(WINDOW);
    let row = user(&case);
    assert_eq!(
        run(&lake([case.add("iam_users", row)]), "unused-users", &[AS_OF], "state reason_codes")
            .await,
        "UNKNOWN | [OTHER_CREDENTIALS_UNREAD, STALE_INVENTORY]"
    );
}

#[tokio::test]
async fn regression_without_logs_idleness_ends_when_iam_was_asked() {
    let key = |name: &'static str, created: i64, idle: Option<i64>| {
        let case = Case::new(name).snapshot(6, KEYS);
        with_key(case, name, |key| {
            let key = key.number("created", at(&ago(created)));
            idle.map_or(key.clone(), |days| by_iam(key, days, "s3"))
        })
    };
    for (created, idle, state, verdict) in [
        (10, None, "UNKNOWN", "UNKNOWN"),
        (14, None, "NEVER_USED", "RETIRE_AFTER_SOAK"),
        (400, Some(50), "UNKNOWN", "UNKNOWN"),
        (400, Some(53), "STALE", "RETIRE_AFTER_SOAK"),
    ] {
        let lake = lake([key("asked six days ago", created, idle)]);
        let found = run(&lake, "stale-keys", &[AS_OF], "state").await;
        assert_eq!(found, state, "{created} {idle:?}");
        let found = run(&lake, "key-migration", &[AS_OF], "verdict reason_codes").await;
        assert!(found.starts_with(verdict), "{created} {idle:?}: {found}");
        assert_eq!(found.contains("ASKED_TOO_EARLY"), verdict == "UNKNOWN", "{found}");
    }
}
