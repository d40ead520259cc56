//! `owners`: whom to ask about each key and role.

use super::super::lake::{Row, at};
use super::super::reporting::run;
use super::{Case, WINDOW, ago, lake};
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
        "bob@example.com | NAMED | key | bob | tag:owner | bob@example.com |  |  | [OWNER_TAG, NOT_ASKED]\n\
         db | CONFIRMED | key | ci-db | file:3 | #db |  | 2026-06-20 | [OWNER_CONFIRMED, OWNER_FILE]\n\
         gone | UNMATCHED | entry | nothing-* | file:30 |  |  |  | [ENTRY_UNMATCHED]\n\
         late | UNMATCHED | entry | ci-d? | file:12 |  |  |  | [ENTRY_UNMATCHED]\n\
         web | NAMED | key | ci-web | file:9 |  |  |  | [OWNER_FILE, NOT_ASKED]\n\
         web | ASKED | role | deploy | file:20 |  | 2026-06-21 |  | [OWNER_ASKED, OWNER_FILE]\n \
         | NONE | role | ci-web |  |  |  |  | [NO_OWNER]"
    );
    let mine = [AS_OF, ("owner", "web")];
    assert_eq!(run(&lake, "owners", &mine, "kind name").await, "key | ci-web\nrole | deploy");
}

fn person(case: &Case, id: &str, email: &str, active: bool) -> Row {
    case.row()
        .text("user_id", id)
        .text("user_name", email)
        .text("email", email)
        .flag("active", active)
}

/// Users of one account with these tags, each with a key, and the rows of `owners` about them.
async fn judged(tags: &[(&str, &[(&str, &str)])], given: &[(&str, &str)], columns: &str) -> String {
    let (before, now) = (
        Case::new("directory").snapshot(40, &["identity_store"]),
        Case::new("directory").snapshot(1, &["identity_store"]),
    );
    let people = [
        person(&before, "u-van", "van@example.com", true),
        person(&now, "u-ann", "ann@example.com", true),
        person(&now, "u-zoe", "zoe@example.com", false),
        person(&now, "u-sam", "sam@example.com", true),
        person(&now, "u-sam-2", "sam@other.example", false),
    ];
    let case = Case::new("owners judged").snapshot(1, PARTS).logs(WINDOW);
    let users: Vec<Row> = tags.iter().map(|(name, tags)| user(&case, name, tags)).collect();
    let keys: Vec<Row> =
        tags.iter().map(|(name, _)| case.key(name, &format!("AKIA{name}"), 400)).collect();
    let lake = lake([before, now, case])
        .rows("identity_store_users", people)
        .rows("iam_users", users)
        .rows("iam_access_keys", keys);
    let given: Vec<_> = [AS_OF].into_iter().chain(given.iter().copied()).collect();
    run(&lake, "owners", &given, columns).await
}

#[tokio::test]
async fn regression_a_confirmation_must_be_a_day_that_is_not_long_past() {
    let ann = ("owner", "ann@example.com");
    let confirmed = |day: &'static str| [ann, ("rolecall:confirmed", day)];
    let asked = |day: &'static str| [ann, ("rolecall:asked", day)];
    let rows: Vec<(&str, [(&str, &str); 2])> = vec![
        ("a-day", confirmed(" 2026-06-30 ")),
        ("b-time", confirmed("2026-06-30T10:00:00Z")),
        ("c-word", confirmed("yes")),
        ("d-calendar", confirmed("2026-02-30")),
        ("e-later", confirmed("2026-07-01")),
        ("f-old", confirmed("2025-06-30")),
        ("g-not-so-old", confirmed("2025-07-01")),
        ("h-asked", asked("2026-06-01")),
        ("i-asked-old", asked("2020-01-01")),
        ("j-asked-soon", asked("soon")),
    ];
    let tags: Vec<(&str, &[(&str, &str)])> =
        rows.iter().map(|(name, tags)| (*name, &tags[..])).collect();
    let columns = "name state confidence reason_codes";
    assert_eq!(
        judged(&tags, &[], columns).await,
        "a-day | CONFIRMED | high | [OWNER_CONFIRMED, OWNER_TAG]\n\
         b-time | CONFIRMED | high | [OWNER_CONFIRMED, OWNER_TAG]\n\
         c-word | NAMED | medium | [OWNER_TAG, CONFIRMED_NO_DAY]\n\
         d-calendar | NAMED | medium | [OWNER_TAG, CONFIRMED_NO_DAY]\n\
         e-later | NAMED | medium | [OWNER_TAG, CONFIRMED_LATER]\n\
         f-old | NAMED | medium | [OWNER_TAG, CONFIRMED_LONG_AGO]\n\
         g-not-so-old | CONFIRMED | high | [OWNER_CONFIRMED, OWNER_TAG]\n\
         h-asked | ASKED | medium | [OWNER_ASKED, OWNER_TAG]\n\
         i-asked-old | NAMED | medium | [OWNER_TAG, ASKED_LONG_AGO]\n\
         j-asked-soon | NAMED | medium | [OWNER_TAG, ASKED_NO_DAY]"
    );
    let shorter = [("confirmed_days", "7")];
    let answer = judged(&tags[6..8], &shorter, "name state reasons").await;
    assert_eq!(
        answer,
        "g-not-so-old | NAMED | a tag names the owner; it was confirmed on 2025-07-01, more than 7 days ago\n\
         h-asked | NAMED | a tag names the owner; the owner was asked on 2026-06-01, more than 7 days ago"
    );
}

#[tokio::test]
async fn a_name_is_a_guess_where_it_is_one_persons_alone() {
    let tags: [(&str, &[(&str, &str)]); 10] = [
        ("ann", &[]),
        ("ci", &[("email", "platform-team@example.com")]),
        ("plain", &[(" Owner ", "  ANN@Example.com ")]),
        ("sam", &[]),
        ("van@example.com", &[]),
        ("vans", &[("owner", "van@example.com")]),
        ("web", &[("owner", "Zoe")]),
        ("zoe", &[]),
        ("zoe@example.com", &[]),
        ("zoe-bot", &[("owner", "zoe@example.com")]),
    ];
    let columns = "name owner state owner_source directory_active confidence reason_codes";
    assert_eq!(
        judged(&tags, &[], columns).await,
        "plain | ANN@Example.com | NAMED | tag: Owner | true | medium | [OWNER_TAG, NOT_ASKED]\n\
         web | Zoe | NAMED | tag:owner |  | medium | [OWNER_TAG, NOT_ASKED, OWNER_MAY_HAVE_LEFT]\n\
         ann | ann@example.com | GUESSED | name | true | low | [NAMESAKE]\n\
         ci | platform-team@example.com | NAMED | tag:email |  | medium | [OWNER_TAG, NOT_ASKED, OWNER_NOT_IN_DIRECTORY]\n\
         van@example.com | van@example.com | LEFT | name | false | low | [OWNER_LEFT, NAMESAKE, VANISHED_FROM_DIRECTORY]\n\
         vans | van@example.com | LEFT | tag:owner | false | low | [OWNER_LEFT, OWNER_TAG, VANISHED_FROM_DIRECTORY]\n\
         zoe | zoe@example.com | GUESSED | name | false | low | [NAMESAKE, OWNER_MAY_HAVE_LEFT]\n\
         zoe-bot | zoe@example.com | LEFT | tag:owner | false | low | [OWNER_LEFT, OWNER_TAG]\n\
         zoe@example.com | zoe@example.com | LEFT | name | false | low | [OWNER_LEFT, NAMESAKE]\n \
         |  | NONE |  |  | low | [NO_OWNER]"
            .replace("\n | ", "\nsam | ")
    );
    let mine = [("owner", " ann@EXAMPLE.com ")];
    assert_eq!(judged(&tags, &mine, "name").await, "plain\nann");
}

#[tokio::test]
async fn an_entry_of_the_file_may_call_an_account_by_its_name() {
    let case = Case::new("named account").snapshot(1, PARTS).logs(WINDOW);
    let known = case
        .row()
        .text("known_account_id", case.account.clone())
        .text("name", "Prod")
        .text("kind", "organization");
    let keys = [case.key("ci", "AKIACI", 400)];
    let users = [user(&case, "ci", &[])];
    let lake = lake([case])
        .rows("known_accounts", [known])
        .rows("iam_users", users)
        .rows("iam_access_keys", keys);
    let entry = |line: usize, account: &str| NamedOwner {
        line,
        account: Some(account.to_owned()),
        owner: "platform".to_owned(),
        ..NamedOwner::default()
    };
    let lake = lake.owners([entry(1, "sandbox"), entry(5, "prod")]);
    assert_eq!(
        run(&lake, "owners", &[AS_OF], "state name owner_source").await,
        "UNMATCHED |  | file:1\nNAMED | ci | file:5"
    );
}
