//! `session-activity` and `session-denials`.

use std::collections::BTreeMap;

use super::lake::{DEV, PROD, TestLake, at, change, event, table_text, used};
use crate::Reports;

/// The named columns of a report's rows.
async fn run(lake: &TestLake, report: &str, given: &[(&str, &str)], columns: &[&str]) -> String {
    let reports = Reports::built_in().unwrap();
    let given: BTreeMap<_, _> =
        given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let session = lake.open(0).await;
    let rows = session.report(reports.get(report).unwrap(), &given, at("20:00:00")).await.unwrap();
    let batches = rows.collect().await.unwrap();
    let project = |batch: &arrow::array::RecordBatch| {
        let at: Vec<_> =
            columns.iter().map(|name| batch.schema().index_of(name).unwrap()).collect();
        batch.project(&at).unwrap()
    };
    table_text(&batches.iter().map(project).collect::<Vec<_>>())
}

/// Ann takes Deploy twice; in between somebody else does.
fn lake() -> TestLake {
    let taken = |id: &str, time: &str, user: &str, key: &str| {
        event(id, time, "AssumeRole")
            .by_user(user, &format!("AKIA{user}"))
            .role(PROD, "Deploy", user)
            .issues(key, "12:00:00")
    };
    let did = |time: &str, user: &str, key: &str, service: &str, name: &str| {
        let made = if user == "ann" { "10:00:00" } else { "10:05:00" };
        used(time, time, 1)
            .in_session(PROD, "Deploy", user, made)
            .key(key)
            .text("event_source", format!("{service}.amazonaws.com"))
            .text("event_name", name)
    };
    let attached = change("c1", "10:20:00", "AttachRolePolicy", "role", "Ops")
        .text("recipient_account_id", PROD)
        .text("actor_access_key_id", "ASIAANN0000000000001");
    TestLake::default()
        .events([
            taken("e1", "10:00:00", "ann", "ASIAANN0000000000001"),
            taken("e2", "10:05:00", "bob", "ASIABOB0000000000001"),
        ])
        .rows("iam_changes", [attached])
        .activity([
            did("10:30:00", "ann", "ASIAANN0000000000001", "cloudtrail", "StopLogging")
                .text("error_code", "AccessDenied"),
            did("10:20:00", "ann", "ASIAANN0000000000001", "iam", "AttachRolePolicy"),
            did("10:10:00", "ann", "ASIAANN0000000000001", "s3", "ListBuckets"),
            did("10:15:00", "bob", "ASIABOB0000000000001", "s3", "DeleteBucket"),
        ])
}

#[tokio::test]
async fn what_was_done_stands_in_the_order_of_time_with_what_it_changed() {
    let lake = lake();
    let columns = ["time", "service", "action", "change", "targets", "outcome"];
    let anns = "2026-01-05T10:10:00Z | s3 | ListBuckets |  |  | success\n\
        2026-01-05T10:20:00Z | iam | AttachRolePolicy | iam | [Ops] | success\n\
        2026-01-05T10:30:00Z | cloudtrail | StopLogging | trails |  | failure";
    let user = format!("arn:aws:iam::{DEV}:user/ann");
    for given in [
        [("who", "ann")],
        [("who", user.as_str())],
        [("session", "e1")],
        [("session", "ann")],
        [("session", "ASIAANN0000000000001")],
    ] {
        assert_eq!(run(&lake, "session-activity", &given, &columns).await, anns, "{given:?}");
    }
    let window = [("from", "2026-01-05T10:12:00Z"), ("to", "2026-01-05T10:25:00Z")];
    assert_eq!(
        run(&lake, "session-activity", &window, &["who", "action"]).await,
        format!("arn:aws:iam::{DEV}:user/bob | DeleteBucket\n{user} | AttachRolePolicy")
    );
}

#[tokio::test]
async fn what_is_not_about_the_session_stays_out() {
    let lake = lake();
    assert_eq!(run(&lake, "session-activity", &[("session", "nobody")], &["action"]).await, "");
    let other = [("account", DEV)];
    assert_eq!(run(&lake, "session-activity", &other, &["action"]).await, "", "recorded elsewhere");
}

#[tokio::test]
async fn refusals_are_told_by_caller_role_and_call() {
    let columns = ["who", "service", "action", "error_code", "attempts", "sessions"];
    assert_eq!(
        run(&lake(), "session-denials", &[], &columns).await,
        format!("arn:aws:iam::{DEV}:user/ann | cloudtrail | StopLogging | AccessDenied | 1 | 1")
    );
    assert_eq!(run(&lake(), "session-denials", &[("who", "bob")], &columns).await, "");
}
