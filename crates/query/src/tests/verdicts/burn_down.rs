//! `burn-down`: whether it is getting less, and in which weeks nobody knows.

use super::super::lake::{Row, TestLake, at, event};
use super::super::reporting::run;
use super::{Case, ago, by_iam, lake};

const AS_OF: (&str, &str) = ("as_of", "2026-07-01T00:00:00Z");
const PARTS: &[&str] = &[
    "users",
    "access_keys",
    "access_key_last_used",
    "roles",
    "role_last_used",
    "trust_statements",
];

fn user(case: &Case, name: &str, tags: &[(&str, &str)]) -> Row {
    case.row().text("user_name", name).flag("is_root", false).map("tags", tags)
}

fn role(case: &Case, name: &str) -> Row {
    case.row()
        .text("role_name", name)
        .text("role_arn", format!("arn:aws:iam::{}:role/{name}", case.account))
        .number("created", at(&ago(400)))
        .flag("last_used_known", true)
        .flag("service_linked", false)
        .flag("identity_center", false)
}

#[tokio::test]
async fn each_week_counts_what_its_snapshots_hold() {
    let keys = |case: &Case, names: &[&str]| -> Vec<Row> {
        names
            .iter()
            .map(|name| by_iam(case.key(name, &format!("AKIA{name}"), 400), 40, "ec2"))
            .collect()
    };
    let mut lakes = Vec::new();
    // Read in two weeks: three keys, then one that is active and one that is not, and a stale one.
    let case = Case::new("both weeks").snapshot(16, PARTS);
    let first = keys(&case, &["A", "B", "C"]);
    let users = ["A", "B", "C", "D"].map(|name| user(&case, name, &[]));
    lakes.push(case);
    let case = Case::new("both weeks").snapshot(2, PARTS);
    let mut second = keys(&case, &["A", "B"]);
    second.push(by_iam(case.key("C", "AKIAC", 400), 100, "ec2"));
    second[1] = second[1].clone().text("status", "Inactive");
    let later_users = ["A", "B", "C"].map(|name| user(&case, name, &[]));
    let roles = [
        role(&case, "R").number("last_used", at(&ago(100))),
        role(&case, "S").number("last_used", at(&ago(10))),
    ];
    let trust = case
        .row()
        .text("role_arn", "arn:aws:iam::1:role/S")
        .text("role_name", "S")
        .number("statement", 0)
        .text("effect", "Allow")
        .text("principal_type", "Federated")
        .text("principal", "arn:aws:iam::1:oidc-provider/x")
        .flag("negated", false);
    lakes.push(case);
    // Read in the first week only: counts on as it was.
    let case = Case::new("first week").snapshot(15, PARTS);
    let other = keys(&case, &["X"]);
    lakes.push(case);
    let lake = lake(lakes)
        .rows("iam_access_keys", first)
        .rows("iam_access_keys", second)
        .rows("iam_access_keys", other)
        .rows("iam_users", users)
        .rows("iam_users", later_users)
        .rows("iam_roles", roles)
        .rows("iam_trust_statements", [trust]);
    let columns = "week iso_week accounts accounts_read users users_without_keys active_keys inactive_keys \
                   stale_keys roles unused_roles federated_roles active_keys_change share_read";
    assert_eq!(
        run(&lake, "burn-down", &[AS_OF], columns).await,
        "2026-06-15 | 2026-W25 | 2 | 2 | 4 | 1 | 4 | 0 | 0 | 0 | 0 | 0 |  | 1.0\n\
         2026-06-22 | 2026-W26 | 2 | 0 | 4 | 1 | 4 | 0 |  | 0 |  | 0 | 0 | 0.0\n\
         2026-06-29 | 2026-W27 | 2 | 1 | 3 | 1 | 3 | 1 |  | 2 |  | 1 | -1 | 0.5",
        "one account was read too long before the end of the later weeks"
    );
    let given = [AS_OF, ("max_inventory_days", "15")];
    let columns = "iso_week stale_keys unused_roles";
    assert_eq!(
        run(&lake, "burn-down", &given, columns).await,
        "2026-W25 | 0 | 0\n2026-W26 | 0 | 0\n2026-W27 | 1 | 1"
    );
}

/// A lake with snapshots of one account, each so many days ago with so many active keys.
fn snapshots(name: &str, counts: &[(i64, usize)]) -> Vec<TestLake> {
    let each = counts.iter().map(|(days, count)| {
        let case = Case::new(name).snapshot(*days, &["access_keys", "access_key_last_used"]);
        let keys = (0..*count).map(|key| case.key("u", &format!("AKIA{name}{key}"), 400));
        let keys: Vec<Row> = keys.collect();
        case.lake.rows("iam_access_keys", keys)
    });
    each.collect()
}

#[tokio::test]
async fn an_end_is_foreseen_only_where_the_pace_leads_there() {
    let lake = |lakes: Vec<TestLake>| lakes.into_iter().fold(TestLake::default(), TestLake::merged);
    let columns = "iso_week active_keys keys_retired users weeks_left eta";
    // Four keys of eight in four weeks.
    let steady = lake(snapshots("steady", &[(30, 8), (2, 4)]));
    let given = [AS_OF, ("from", "2026-06-24T00:00:00Z")];
    assert_eq!(
        run(&steady, "burn-down", &[AS_OF], columns).await.lines().last(),
        Some("2026-W27 | 4 | 4 |  | 4 | 2026-07-27")
    );
    // In two weeks nobody can see a pace.
    assert_eq!(
        run(&steady, "burn-down", &given, columns).await,
        "2026-W26 | 8 | 0 |  |  | \n2026-W27 | 4 | 4 |  |  | "
    );
    let slow = lake(snapshots("slow", &[(30, 400), (2, 399)]));
    let last = "2026-W27 | 399 | 1 |  |  | ";
    assert_eq!(run(&slow, "burn-down", &[AS_OF], columns).await.lines().last(), Some(last));
    // An account that was not known before brings keys that are not new.
    let joined = [snapshots("joined", &[(30, 8), (2, 4)]), snapshots("other", &[(2, 1)])];
    let joined = joined.into_iter().flatten().collect();
    let last = "2026-W27 | 5 | 4 |  |  | ";
    assert_eq!(run(&lake(joined), "burn-down", &[AS_OF], columns).await.lines().last(), Some(last));
    let done = lake(snapshots("done", &[(9, 1), (2, 0)]));
    let last = "2026-W27 | 0 | 1 |  | 0 | 2026-06-29";
    assert_eq!(run(&done, "burn-down", &[AS_OF], columns).await.lines().last(), Some(last));
}

#[tokio::test]
async fn sessions_are_counted_by_how_their_role_was_taken() {
    let case = Case::new("sessions").logs(7);
    let account = case.account.clone();
    let act = |id: &str, days: i64, name: &str| event(id, &ago(days), name);
    let center = "AWSReservedSSO_Admin_0123456789abcdef";
    let acts = [
        act("a", 3, "AssumeRole").by_user("u", "AKIAU").role(&account, "R", "s"),
        // The same session, its credentials renewed within the hour.
        act("b", 3, "AssumeRole").by_user("u", "AKIAU").role(&account, "R", "s"),
        act("c", 1, "AssumeRole").by_user("u", "AKIAU").role(&account, "R", "s"),
        act("d", 1, "AssumeRoleWithWebIdentity").role(&account, "R", "ci"),
        act("e", 1, "AssumeRoleWithSAML").role(&account, center, "ann"),
        act("f", 1, "AssumeRoleWithSAML").role(&account, "Analyst", "ann"),
    ];
    let lake = lake([case]).rows("credential_events", acts);
    let columns = "iso_week accounts active_keys sessions sessions_oidc sessions_identity_center sessions_saml \
                   sessions_service sessions_user share_held";
    assert_eq!(
        run(&lake, "burn-down", &[AS_OF], columns).await,
        "2026-W26 | 0 |  | 1 | 0 | 0 | 0 | 0 | 1 | 0.714\n\
         2026-W27 | 0 |  | 4 | 1 | 1 | 1 | 0 | 1 | 1.0"
    );
    let given = [AS_OF, ("role", "Analyst")];
    let columns = "iso_week sessions sessions_saml";
    assert_eq!(run(&lake, "burn-down", &given, columns).await, "2026-W27 | 1 | 1");
}

#[tokio::test]
async fn regression_what_iam_was_not_asked_about_is_not_called_idle() {
    let columns = "iso_week active_keys stale_keys roles unused_roles";
    // In use when it was read, three months ago; nobody looked since.
    let case = Case::new("once").snapshot(90, PARTS);
    let keys = [by_iam(case.key("busy", "AKIABUSY", 400), 91, "ec2")];
    let roles = [role(&case, "R").number("last_used", at(&ago(91)))];
    let once = lake([case]).rows("iam_access_keys", keys).rows("iam_roles", roles);
    let answer = run(&once, "burn-down", &[AS_OF], columns).await;
    let lines: Vec<&str> = answer.lines().collect();
    assert_eq!(lines.first(), Some(&"2026-W14 | 1 | 0 | 1 | 0"));
    assert_eq!(lines.last(), Some(&"2026-W27 | 1 |  | 1 | "));
    let given = [AS_OF, ("max_inventory_days", "365")];
    let answer = run(&once, "burn-down", &given, columns).await;
    assert_eq!(answer.lines().last(), Some("2026-W27 | 1 | 0 | 1 | 0"), "as of when it was read");
    // Without any word of last uses, none is idle and none is not.
    let case = Case::new("untold").snapshot(1, &["access_keys", "roles"]);
    let keys = [case.key("u", "AKIAU", 400).flag("last_used_known", false)];
    let roles = [role(&case, "R").flag("last_used_known", false)];
    let untold = lake([case]).rows("iam_access_keys", keys).rows("iam_roles", roles);
    assert_eq!(run(&untold, "burn-down", &[AS_OF], columns).await, "2026-W27 | 1 |  | 1 | ");
    // And a later as_of makes nothing idle either.
    let given = [("as_of", "2027-07-01T00:00:00Z"), ("max_inventory_days", "36500")];
    let answer = run(&once, "burn-down", &given, columns).await;
    assert_eq!(answer.lines().last(), Some("2027-W26 | 1 | 0 | 1 | 0"));
}

#[tokio::test]
async fn each_part_of_a_snapshot_is_as_old_as_it_was_read() {
    let case = Case::new("parts").snapshot(1, PARTS);
    let part = |part: &str, days: i64| {
        case.row().text("part", part).number("read_at", at(&ago(days))).text("time_from", "file")
    };
    let keys = [by_iam(case.key("u", "AKIAU", 400), 60, "ec2")];
    let roles = [role(&case, "R").number("last_used", at(&ago(100)))];
    let rows = |parts: Vec<Row>| {
        let base = Case::new("parts").snapshot(1, PARTS).lake;
        base.rows("iam_parts", parts)
            .rows("iam_access_keys", keys.clone())
            .rows("iam_roles", roles.clone())
    };
    let columns = "iso_week stale_keys unused_roles";
    let fresh = rows(vec![part("access_key_last_used", 1), part("role_last_used", 1)]);
    assert_eq!(run(&fresh, "burn-down", &[AS_OF], columns).await, "2026-W27 | 1 | 1");
    let mixed = rows(vec![part("access_key_last_used", 30), part("role_last_used", 1)]);
    assert_eq!(run(&mixed, "burn-down", &[AS_OF], columns).await, "2026-W27 |  | 1");
    // Idle for sixty days now, and for thirty when IAM was asked.
    let given = [AS_OF, ("max_inventory_days", "30")];
    assert_eq!(run(&mixed, "burn-down", &given, columns).await, "2026-W27 | 0 | 1");
    let other = rows(vec![part("access_key_last_used", 1), part("role_last_used", 30)]);
    assert_eq!(run(&other, "burn-down", &[AS_OF], columns).await, "2026-W27 | 1 | ");
}

#[tokio::test]
async fn keys_are_retired_where_both_weeks_know_them_by_id() {
    let week = |days: i64, parts: &[&str], keys: &[&str]| {
        let case = Case::new("ids").snapshot(days, parts);
        let rows: Vec<Row> = keys.iter().map(|key| case.key("u", key, 400)).collect();
        case.lake.rows("iam_access_keys", rows)
    };
    let slot = |days: i64| {
        let case = Case::new("ids").snapshot(days, &["users", "credential_report"]);
        let row = case.key("u", "x", 400).without("access_key_id").text("slot", "1");
        case.lake.rows("iam_access_keys", [row.without("slot")])
    };
    let listed: &[&str] = &["users", "access_keys"];
    let lake = week(23, listed, &["AKIAA", "AKIAB"])
        .merged(slot(16))
        .merged(week(9, listed, &["AKIAB"]))
        .merged(week(2, listed, &[]));
    assert_eq!(
        run(&lake, "burn-down", &[AS_OF], "iso_week active_keys keys_retired").await,
        "2026-W24 | 2 | 0\n2026-W25 | 1 | \n2026-W26 | 1 | 1\n2026-W27 | 0 | 2"
    );
}

#[tokio::test]
async fn users_without_keys_are_those_of_accounts_whose_keys_were_listed() {
    let users = |case: &Case| vec![user(case, "a", &[]), user(case, "b", &[])];
    let bare = Case::new("bare").snapshot(2, &["users"]);
    let rows = users(&bare);
    let columns = "iso_week users users_without_keys";
    // Of an older list of keys nobody knows whether it has those of today's users.
    let before = Case::new("bare").snapshot(3, &["access_keys"]);
    let unlisted = lake([before, bare]).rows("iam_users", rows);
    assert_eq!(
        run(&unlisted, "burn-down", &[AS_OF], columns).await.lines().last(),
        Some("2026-W27 | 2 | ")
    );
    let listed = Case::new("listed").snapshot(2, &["users", "credential_report"]);
    let keys = [listed.key("a", "AKIAA", 400)];
    let rows = users(&listed);
    let both = unlisted.merged(listed.lake).rows("iam_users", rows).rows("iam_access_keys", keys);
    assert_eq!(
        run(&both, "burn-down", &[AS_OF], columns).await.lines().last(),
        Some("2026-W27 | 4 | 1")
    );
}

#[tokio::test]
async fn an_account_that_is_closed_is_not_waited_for() {
    let gone = Case::new("gone").snapshot(40, PARTS);
    let keys = [by_iam(gone.key("u", "AKIAGONE", 400), 100, "ec2")];
    let account = gone.account.clone();
    let mut lakes = vec![gone, Case::new("here").snapshot(1, PARTS)];
    let mut known = Vec::new();
    for (days, status) in [(21, "ACTIVE"), (11, "SUSPENDED"), (2, "PENDING_CLOSURE")] {
        let list = Case::new("list").snapshot(days, &["accounts"]);
        let row = list.row().text("known_account_id", account.clone()).text("status", status);
        known.push(row.text("kind", "organization"));
        lakes.push(list);
    }
    let lake = lake(lakes).rows("iam_access_keys", keys).rows("known_accounts", known);
    let columns = "iso_week accounts active_keys stale_keys";
    let answer = run(&lake, "burn-down", &[AS_OF], columns).await;
    let last: Vec<&str> = answer.lines().rev().take(3).collect();
    assert_eq!(last, ["2026-W27 | 1 | 0 | 0", "2026-W26 | 0 |  | ", "2026-W25 | 0 |  | "]);
    assert!(answer.contains("2026-W24 | 1 | 1 | \n"), "{answer}");
}
