//! Answers of `who`.

use super::lake::{DEV, PROD, TestLake, at, event, used};
use crate::{ThingKind, WhoAnswer, who};

/// Ann's key → Jump → Deploy; Jump is used, Deploy lists buckets.
fn organisation() -> TestLake {
    TestLake::default()
        .events([
            event("11111111-0000-0000-0000-000000000001", "10:00:00", "AssumeRole")
                .by_user("ann", "AKIAANN0000000000000")
                .role(DEV, "Jump", "ann-s")
                .issues("ASIAJUMP000000000000", "11:00:00")
                .text("source_ip", "198.51.100.7"),
            event("11111111-0000-0000-0000-000000000002", "10:05:00", "AssumeRole")
                .by_role(DEV, "Jump", "ann-s")
                .text("caller_access_key_id", "ASIAJUMP000000000000")
                .role(PROD, "Deploy", "go")
                .issues("ASIADEPLOY0000000000", "11:00:00"),
        ])
        .activity([
            used("09:00:00", "09:30:00", 5).key("AKIAANN0000000000000").of_user("ann"),
            used("10:05:00", "10:05:00", 1)
                .key("ASIAJUMP000000000000")
                .in_session(DEV, "Jump", "ann-s", "10:00:00")
                .text("event_name", "AssumeRole"),
            used("10:10:00", "10:20:00", 7)
                .key("ASIADEPLOY0000000000")
                .in_session(PROD, "Deploy", "go", "10:05:00")
                .text("sample_event_id", "22222222-0000-0000-0000-000000000001"),
            used("10:10:00", "10:20:00", 2)
                .key("ASIADEPLOY0000000000")
                .in_session(PROD, "Deploy", "go", "10:05:00")
                .text("event_name", "DeleteBucket")
                .text("error_code", "AccessDenied"),
        ])
        .rows(
            "log_files",
            [super::lake::Row::default()
                .text("log_file", "uses.json.gz")
                .text("account_id", PROD)
                .text("status", "complete")
                .number("records", 15)
                .number("first_event_time", at("09:00:00"))
                .number("last_event_time", at("10:20:00"))],
        )
}

pub(super) async fn ask(lake: &TestLake, thing: &str) -> WhoAnswer {
    let mut answers = Vec::new();
    for session in lake.sessions().await {
        answers.push(who(session, thing, at("12:00:00")).await.unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    answers.swap_remove(0)
}

pub(super) fn fact<'a>(answer: &'a WhoAnswer, label: &str) -> &'a str {
    let fact = answer.facts.iter().find(|fact| fact.label == label);
    fact.map_or("", |fact| &fact.text)
}

pub(super) fn rows(answer: &WhoAnswer, title: &str) -> Vec<String> {
    let table = answer.tables.iter().find(|table| table.title == title);
    table.map(|table| table.rows.iter().map(|row| row.join(" | ")).collect()).unwrap_or_default()
}

#[tokio::test]
async fn a_sessions_key_is_followed_back_to_the_user() {
    let lake = organisation();
    let answer = ask(&lake, "asiadeploy0000000000").await;
    assert!(answer.found);
    assert_eq!(answer.kind, ThingKind::TemporaryKey);
    assert_eq!(
        answer.headline,
        "arn:aws:iam::111111111111:user/ann, in a session of arn:aws:iam::222222222222:role/Deploy, \
         through 1 other session"
    );
    let chain: Vec<_> = answer.chain.iter().map(|step| (&*step.principal, &*step.how)).collect();
    assert_eq!(
        chain,
        [
            ("arn:aws:iam::111111111111:user/ann", ""),
            (
                "arn:aws:iam::111111111111:role/Jump",
                "AssumeRole (assume role), asked for with a long-term key"
            ),
            (
                "arn:aws:iam::222222222222:role/Deploy",
                "AssumeRole (chained role), asked for with the key that the session before was given"
            ),
        ]
    );
    assert_eq!(
        fact(&answer, "who"),
        "arn:aws:iam::111111111111:user/ann with key AKIAANN0000000000000 (verified: IAM authenticated this user)"
    );
    assert_eq!(
        fact(&answer, "used"),
        "2026-01-05 10:10:00Z to 2026-01-05 10:20:00Z (100 minutes ago), 9 records, 2 failed"
    );
    assert_eq!(fact(&answer, "valid until"), "2026-01-05 11:00:00Z, expired");
    assert_eq!(
        rows(&answer, "What it did"),
        [
            "s3 | ListBuckets | 7 | 0 | 2026-01-05 10:20:00Z",
            "s3 | DeleteBucket | 2 | 2 | 2026-01-05 10:20:00Z"
        ]
    );
    assert!(answer.notes.iter().any(|note| note.contains("the session name is asserted")));
    let by_arn = ask(&lake, "arn:aws:sts::222222222222:assumed-role/Deploy/go").await;
    assert_eq!(by_arn.headline, answer.headline);
    let jump = ask(&lake, "ASIAJUMP000000000000").await;
    assert_eq!(
        rows(&jump, "What it took from there"),
        ["2026-01-05 10:05:00Z | arn:aws:iam::222222222222:role/Deploy | go | 9"]
    );
}

#[tokio::test]
async fn a_long_term_key_shows_its_user_and_what_it_starts() {
    let answer = ask(&organisation(), "AKIAANN0000000000000").await;
    assert_eq!(answer.headline, "a long-term access key of arn:aws:iam::111111111111:user/ann");
    assert_eq!(
        rows(&answer, "Roles it takes"),
        ["arn:aws:iam::111111111111:role/Jump | 2026-01-05 10:00:00Z | 2026-01-05 10:00:00Z | 1"]
    );
    assert_eq!(
        rows(&answer, "Sessions that go back to it"),
        [
            "arn:aws:iam::111111111111:role/Jump | 0 | 1 | 1 | 2026-01-05 10:05:00Z",
            "arn:aws:iam::222222222222:role/Deploy | 1 | 1 | 9 | 2026-01-05 10:20:00Z"
        ]
    );
}

#[tokio::test]
async fn a_role_is_found_by_arn_account_and_name() {
    let lake = organisation();
    for thing in ["arn:aws:iam::222222222222:role/Deploy", "222222222222/Deploy", "Deploy"] {
        let answer = ask(&lake, thing).await;
        assert_eq!(
            answer.headline, "role Deploy of account 222222222222: taken 1 time by 1 caller",
            "{thing}"
        );
        assert_eq!(
            rows(&answer, "Who stands at the root of its sessions"),
            ["arn:aws:iam::111111111111:user/ann | iam_user | 1 | 1 | 2026-01-05 10:20:00Z"]
        );
    }
}

#[tokio::test]
async fn a_user_is_found_by_arn_name_and_unique_id() {
    let lake = organisation();
    for thing in ["arn:aws:iam::111111111111:user/ann", "ann"] {
        let answer = ask(&lake, thing).await;
        assert_eq!(
            answer.headline,
            "ann, an IAM user of account 111111111111: 5 records, takes 1 role"
        );
        assert_eq!(answer.next[0].command, "rolecall report edges --account 111111111111");
    }
    let seen = used("09:00:00", "09:00:00", 1)
        .key("AKIABOB0000000000000")
        .of_user("bob")
        .text("principal_id", "AIDABOB0000000000000");
    let answer = ask(&TestLake::default().activity([seen]), "AIDABOB0000000000000").await;
    assert_eq!(
        answer.headline,
        "bob, an IAM user of account 111111111111: 1 record, takes 0 roles"
    );
}

#[tokio::test]
async fn events_are_acts_samples_or_explained() {
    let lake = organisation();
    let act = ask(&lake, "11111111-0000-0000-0000-000000000002").await;
    assert_eq!(
        act.headline,
        "arn:aws:iam::111111111111:role/Jump took arn:aws:iam::222222222222:role/Deploy at 2026-01-05 10:05:00Z"
    );
    assert_eq!(act.chain.len(), 3);
    let sample = ask(&lake, "22222222-0000-0000-0000-000000000001").await;
    assert_eq!(
        sample.headline,
        "ListBuckets by arn:aws:sts::222222222222:assumed-role/Deploy/go at 2026-01-05 10:10:00Z"
    );
    assert_eq!(sample.next[0].command, "rolecall who ASIADEPLOY0000000000");
    let missing = ask(&lake, "33333333-0000-0000-0000-000000000001").await;
    assert!(!missing.found);
    assert!(missing.notes.iter().any(|note| note.contains("kept in groups")));
}

#[tokio::test]
async fn an_address_shows_who_called_from_it() {
    let lake = organisation();
    let answer = ask(&lake, "198.51.100.7").await;
    assert_eq!(answer.headline, "3 principals called from 198.51.100.7: 15 records");
    assert_eq!(
        rows(&answer, "Who called from it")[0],
        "arn:aws:iam::222222222222:role/Deploy |  | 1 | 9 | 2026-01-05 10:20:00Z"
    );
    let missing = ask(&lake, "198.51.100.200").await;
    assert!(!missing.found);
    assert_eq!(fact(&missing, "in its network"), "198.51.100.7");
}

#[tokio::test]
async fn what_is_not_there_is_said_with_what_is() {
    let answer = ask(&organisation(), "arn:aws:iam::999999999999:role/Deplay").await;
    assert!(!answer.found);
    assert_eq!(
        answer.headline,
        "no record in this lake names arn:aws:iam::999999999999:role/Deplay, taken as a role"
    );
    assert_eq!(fact(&answer, "did you mean"), "arn:aws:iam::222222222222:role/Deploy");
    assert_eq!(
        fact(&answer, "the lake"),
        "1 log file, 15 records, 2026-01-05 09:00:00Z to 2026-01-05 10:20:00Z"
    );
    assert!(answer.notes.contains(&"the lake holds no logs of account 999999999999".to_owned()));
    let empty = ask(&TestLake::default(), "nobody").await;
    assert_eq!(fact(&empty, "the lake"), "holds no log files yet");
}

#[tokio::test]
async fn a_masked_caller_is_told_as_such() {
    let call = event("e1", "10:00:00", "AssumeRole")
        .masked("AROAVENDOR0000000000:eve")
        .role(PROD, "Audit", "eve");
    let answer = ask(&TestLake::default().events([call]), "AROAVENDOR0000000000").await;
    assert_eq!(
        answer.headline,
        "a caller known by its unique id alone, 111111111111/AROAVENDOR0000000000"
    );
}

/// The organisation, and two snapshots of ann's account: she has a second key, which no record names, and had
/// a third.
fn with_inventory() -> TestLake {
    let of_snapshot = |id: &str, time: &str| {
        super::lake::Row::default()
            .text("snapshot_id", id)
            .number("snapshot_time", at(time))
            .number("snapshot_date", at(time) / 86_400_000_000)
            .text("account_id", DEV)
    };
    let snapshot = |id: &str, time: &str| {
        let parts = ["users", "access_keys", "access_key_last_used", "roles", "role_last_used"];
        of_snapshot(id, time)
            .text("source", "files")
            .list("parts", &parts)
            .text("account_name", "dev")
    };
    let key = |id: &str, time: &str, key: &str| {
        of_snapshot(id, time)
            .text("user_name", "ann")
            .text("user_arn", "arn:aws:iam::111111111111:user/ann")
            .text("user_id", "AIDAANN")
            .text("access_key_id", key)
            .flag("is_root", false)
            .text("status", "Active")
            .number("created", at("01:00:00"))
            .flag("last_used_known", true)
    };
    let used = |row: super::lake::Row| {
        row.number("last_used", at("06:00:00"))
            .text("last_used_service", "s3")
            .text("last_used_region", "eu-west-1")
    };
    let role = of_snapshot("two", "08:00:00")
        .text("role_name", "Idle")
        .text("role_arn", "arn:aws:iam::111111111111:role/app/Idle")
        .text("role_id", "AROAIDLE")
        .flag("last_used_known", true)
        .flag("service_linked", false)
        .flag("identity_center", false);
    let user = of_snapshot("two", "08:00:00")
        .text("user_name", "ann")
        .text("user_arn", "arn:aws:iam::111111111111:user/ann")
        .text("user_id", "AIDAANN")
        .flag("is_root", false);
    organisation()
        .rows("iam_snapshots", [snapshot("one", "07:00:00"), snapshot("two", "08:00:00")])
        .rows(
            "iam_access_keys",
            [
                key("one", "07:00:00", "AKIAGONE000000000000"),
                used(key("two", "08:00:00", "AKIASILENT0000000000")).number("slot", 2),
                used(key("two", "08:00:00", "AKIAANN0000000000000")),
                // Not of a whole snapshot, so it does not count.
                key("half", "08:00:00", "AKIAHALF000000000000"),
            ],
        )
        .rows("iam_roles", [role])
        .rows("iam_users", [user])
}

#[tokio::test]
async fn a_key_that_no_record_names_is_known_to_the_inventory() {
    let lake = with_inventory();
    let answer = ask(&lake, "AKIASILENT0000000000").await;
    assert!(answer.found);
    assert_eq!(
        answer.headline,
        "a long-term access key of arn:aws:iam::111111111111:user/ann, known to the inventory of \
         2026-01-05 08:00:00Z: no record in the logs held"
    );
    assert_eq!(fact(&answer, "account"), "111111111111 (dev)");
    assert_eq!(
        fact(&answer, "in the inventory"),
        "Active, slot 2, created 2026-01-05 01:00:00Z, as of \
         2026-01-05 08:00:00Z (4 hours ago)"
    );
    assert_eq!(
        fact(&answer, "IAM's last use"),
        "2026-01-05 06:00:00Z (6 hours ago), s3 in eu-west-1"
    );
    assert!(answer.notes.contains(&"the lake holds no logs of account 111111111111".to_owned()));
    assert_eq!(answer.next[0].command, "rolecall report stale-keys --account 111111111111");
    // One that was there and is no more, and one of a snapshot that was never finished.
    let gone = ask(&lake, "AKIAGONE000000000000").await;
    assert!(
        fact(&gone, "in the inventory")
            .ends_with("as of 2026-01-05 07:00:00Z; gone in the snapshot of 2026-01-05 08:00:00Z"),
        "{gone:#?}"
    );
    assert_eq!(fact(&gone, "IAM's last use"), "never, or not since April 2015");
    assert!(!ask(&lake, "AKIAHALF000000000000").await.found);
}

#[tokio::test]
async fn what_the_logs_say_stands_beside_the_inventory() {
    let lake = with_inventory();
    let answer = ask(&lake, "AKIAANN0000000000000").await;
    assert_eq!(answer.headline, "a long-term access key of arn:aws:iam::111111111111:user/ann");
    assert!(fact(&answer, "in the inventory").starts_with("Active, created "));
    assert_eq!(
        fact(&answer, "IAM's last use"),
        "2026-01-05 06:00:00Z (6 hours ago), s3 in eu-west-1"
    );
    assert!(fact(&answer, "used").contains("5 records"), "{answer:#?}");
    // Before the snapshots there is nothing to say of them.
    let session = lake.sessions().await.first().unwrap();
    let early = who(session, "AKIASILENT0000000000", at("06:30:00")).await.unwrap();
    assert!(!early.found);
}

#[tokio::test]
async fn roles_and_users_of_the_inventory_are_known_by_name_and_id() {
    let lake = with_inventory();
    for thing in ["arn:aws:iam::111111111111:role/app/Idle", "AROAIDLE", "Idle"] {
        let answer = ask(&lake, thing).await;
        assert_eq!(
            answer.headline,
            "role arn:aws:iam::111111111111:role/app/Idle, known to the inventory of 2026-01-05 08:00:00Z: \
             no record in the logs held",
            "{thing}"
        );
        assert_eq!(fact(&answer, "unique id"), "AROAIDLE");
        assert_eq!(fact(&answer, "IAM's last use"), "not in the last 400 days");
    }
    let user = ask(&lake, "AIDAANN").await;
    assert!(user.found, "{user:#?}");
    assert_eq!(
        rows(&user, "Its keys"),
        [
            "AKIAANN0000000000000 |  | Active | 2026-01-05 01:00:00Z | 2026-01-05 06:00:00Z | s3",
            "AKIASILENT0000000000 | 2 | Active | 2026-01-05 01:00:00Z | 2026-01-05 06:00:00Z | s3"
        ]
    );
}
