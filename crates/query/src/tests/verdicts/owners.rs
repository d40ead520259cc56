//! `owners` and `burn-down`: whom to ask, and whether it is getting less.

use super::super::lake::{Row, TestLake, at, event};
use super::super::reporting::run;
use super::{Case, WINDOW, ago, by_iam, lake};
use crate::NamedOwner;

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
async fn an_owner_is_named_by_tag_or_guessed_from_who_made_it() {
    let directory = Case::new("directory").snapshot(1, &["identity_store"]);
    let person = |name: &str, active: bool| {
        directory
            .row()
            .text("user_id", name)
            .text("user_name", name)
            .text("display_name", name.to_uppercase())
            .text("email", format!("{name}@example.com"))
            .flag("active", active)
    };
    let people = [person("ann", true), person("bob", false)];
    let case = Case::new("owners").snapshot(1, PARTS).logs(WINDOW);
    let users = [
        user(&case, "tagged", &[("Team", "platform"), ("Owner", "Ann@example.com")]),
        user(&case, "team", &[("team", "platform")]),
        user(&case, "left", &[("owner", "bob")]),
        user(&case, "asked", &[("owner", "ann"), ("rolecall:asked", "2026-06-01")]),
        user(&case, "sure", &[("owner", "ann"), ("rolecall:confirmed", "2026-06-02")]),
    ];
    let names = ["tagged", "team", "left", "asked", "sure", "made", "nobody"];
    let keys: Vec<_> = names
        .iter()
        .map(|name| case.key(name, &format!("AKIA{}", name.to_uppercase()), 400))
        .collect();
    let made = case
        .key_change("CreateAccessKey", "made", "AKIAMADE", 80)
        .text("actor_arn", "arn:aws:sts::1:assumed-role/Admin/carol@example.com");
    let roles = [
        role(&case, "deploy").map("tags", &[("squad", "web")]),
        role(&case, "AWSReservedSSO_X").flag("identity_center", true),
    ];
    let lake = lake([directory, case])
        .rows("identity_store_users", people)
        .rows("iam_users", users)
        .rows("iam_access_keys", keys)
        .rows("iam_roles", roles)
        .rows("iam_changes", [made]);
    let columns = "owner state kind name owner_source directory_name";
    assert_eq!(
        run(&lake, "owners", &[AS_OF], columns).await,
        "Ann@example.com | NAMED | key | tagged | tag:Owner | ANN\n\
         ann | ASKED | key | asked | tag:owner | ANN\n\
         ann | CONFIRMED | key | sure | tag:owner | ANN\n\
         bob | LEFT | key | left | tag:owner | BOB\n\
         carol@example.com | GUESSED | key | made | creator | \n\
         platform | NAMED | key | team | tag:team | \n\
         web | NAMED | role | deploy | tag:squad | \n \
         | NONE | key | nobody |  | "
    );
    let mine = [AS_OF, ("owner", "WEB")];
    assert_eq!(run(&lake, "owners", &mine, "name evidence_event_ids").await, "deploy | []");
}

#[tokio::test]
async fn the_file_goes_before_tags_and_its_first_entry_counts() {
    let case = Case::new("owners file").snapshot(1, PARTS).logs(WINDOW);
    let users = [
        user(&case, "ci-web", &[("owner", "ann"), ("rolecall:asked", "2026-06-01")]),
        user(&case, "ci-db", &[]),
        user(&case, "bob", &[("owner", "bob@example.com")]),
    ];
    let keys = ["ci-web", "ci-db", "bob"].map(|name| case.key(name, &format!("AKIA{name}"), 400));
    let arn = format!("arn:aws:iam::{}:role/deploy", case.account);
    let account = case.account.clone();
    let roles = [role(&case, "deploy"), role(&case, "ci-web")];
    let lake = lake([case])
        .rows("iam_users", users)
        .rows("iam_access_keys", keys)
        .rows("iam_roles", roles);
    let some = |text: &str| Some(text.to_owned());
    let entry = |line: usize, owner: &str| NamedOwner {
        line,
        owner: owner.to_owned(),
        ..NamedOwner::default()
    };
    let entries = [
        NamedOwner {
            access_key: some("AKIAci-db"),
            contact: some("#db"),
            confirmed: some("2026-06-20"),
            ..entry(3, "db")
        },
        NamedOwner { account: Some(account), user: some("ci-*"), ..entry(9, "web") },
        // The one before it is about them all.
        NamedOwner { user: some("ci-d?"), ..entry(12, "late") },
        NamedOwner { arn: Some(arn), asked: some("2026-06-21"), ..entry(20, "web") },
        NamedOwner { account: some("1*"), role: some("nothing-*"), ..entry(30, "gone") },
    ];
    let lake = lake.owners(entries);
    let columns = "owner state kind name owner_source contact asked confirmed reason_codes";
    assert_eq!(
        run(&lake, "owners", &[AS_OF], columns).await,
        "bob@example.com | NAMED | key | bob | tag:owner | bob@example.com |  |  | [OWNER_TAG]\n\
         db | CONFIRMED | key | ci-db | file:3 | #db |  | 2026-06-20 | [OWNER_CONFIRMED, OWNER_FILE]\n\
         gone | UNMATCHED | entry | nothing-* | file:30 |  |  |  | [ENTRY_UNMATCHED]\n\
         late | UNMATCHED | entry | ci-d? | file:12 |  |  |  | [ENTRY_UNMATCHED]\n\
         web | NAMED | key | ci-web | file:9 |  |  |  | [OWNER_FILE]\n\
         web | ASKED | role | deploy | file:20 |  | 2026-06-21 |  | [OWNER_ASKED, OWNER_FILE]\n \
         | NONE | role | ci-web |  |  |  |  | [NO_OWNER]"
    );
    let mine = [AS_OF, ("owner", "web")];
    assert_eq!(run(&lake, "owners", &mine, "kind name").await, "key | ci-web\nrole | deploy");
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
         2026-06-22 | 2026-W26 | 2 | 0 | 4 | 1 | 4 | 0 | 0 | 0 | 0 | 0 | 0 | 0.0\n\
         2026-06-29 | 2026-W27 | 2 | 1 | 3 | 1 | 3 | 1 | 1 | 2 | 1 | 1 | -1 | 0.5"
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
