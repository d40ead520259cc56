//! The reports, and what a session says about itself.

use std::collections::BTreeMap;

use super::lake::{DEV, PROD, Row, TestLake, at, delivered_name, event, table_text, used};
use crate::{QueryError, Reports, Values};

/// One of everything that the reports tell apart.
fn organisation() -> TestLake {
    let deploy = |id: &str, time: &str, key: &str| {
        event(id, time, "AssumeRole")
            .by_user("ann", "AKIAANN")
            .role(PROD, "Deploy", "s")
            .issues(key, "2026-01-08T00:00:00")
            .text("source_ip", "198.51.100.7")
    };
    let vendor = event("v1", "2026-01-06T10:00:00", "AssumeRole")
        .masked("AROAVENDOR:eve")
        .text("caller_account_id", "333333333333")
        .text("external_id", "x")
        .role(PROD, "Audit", "eve");
    let denied = |id: &str, time: &str, role: &str| {
        event(id, time, "AssumeRole")
            .by_user("bob", "AKIABOB")
            .failed("AccessDenied")
            .text(
                "error_message",
                "… because no identity-based policy allows the sts:AssumeRole action",
            )
            .text("role_arn", format!("arn:aws:iam::{PROD}:role/{role}"))
            .text("role_account_id", PROD)
            .text("role_name", role)
    };
    let file = |name: &str, day: &str, region: &str| {
        Row::default()
            .text("log_file", delivered_name(PROD, region, at(day), name))
            .number("delivered_date", at(day) / 86_400_000_000)
            .number("delivered_at", at(day))
            .text("account_id", PROD)
            .text("aws_region", region)
            .text("status", "complete")
            .number("records", 1)
            .number("rejected", 0)
            .number("first_event_time", at(day))
            .number("last_event_time", at(day))
    };
    TestLake::default()
        .events([
            deploy("d1", "2026-01-05T10:00:00", "ASIA1"),
            deploy("d2", "2026-01-07T10:00:00", "ASIA2"),
            deploy("d3", "2026-01-07T10:30:00", "ASIA3"),
            vendor,
            denied("x1", "2026-01-06T11:00:00", "Top"),
            denied("x2", "2026-01-06T12:00:00", "Top"),
            denied("x3", "2026-01-07T12:00:00", "Other"),
        ])
        .activity([
            used("2026-01-05T09:00:00", "2026-01-05T09:00:00", 1).key("AKIAANN").of_user("ann"),
            used("2026-01-05T09:00:00", "2026-01-05T09:00:00", 1)
                .key("AKIAANN")
                .of_user("ann")
                .text("recipient_account_id", DEV),
            used("2026-01-07T11:00:00", "2026-01-07T11:00:00", 2).key("ASIA3").in_session(
                PROD,
                "Deploy",
                "s",
                "2026-01-07T10:30:00",
            ),
        ])
        .rows(
            "log_files",
            [
                file("f1", "2026-01-05T10:00:00", "us-east-1"),
                file("f2", "2026-01-07T10:00:00", "us-east-1"),
                file("f3", "2026-01-06T10:00:00", "eu-west-1").number("rejected", 1),
            ],
        )
}

/// Runs a report; the same answer in every order of rows.
pub(super) async fn run(
    lake: &TestLake,
    report: &str,
    given: &[(&str, &str)],
    columns: &str,
) -> String {
    let reports = Reports::built_in().unwrap();
    let report = reports.get(report).unwrap();
    let given: BTreeMap<_, _> =
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut answers = Vec::new();
    for session in lake.sessions().await {
        let rows = session.report(report, &given, at("2026-01-08T00:00:00")).await.unwrap();
        let wanted: Vec<_> = columns.split_whitespace().collect();
        let batches = rows.collect().await.unwrap();
        let project = |batch: &arrow::array::RecordBatch| {
            let at = wanted.iter().map(|name| batch.schema().index_of(name).unwrap());
            batch.project(&at.collect::<Vec<_>>()).unwrap()
        };
        answers.push(table_text(&batches.iter().map(project).collect::<Vec<_>>()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    answers.swap_remove(0)
}

#[tokio::test]
async fn every_report_answers_with_the_columns_that_it_declares() {
    let lake = organisation();
    let session = &lake.sessions().await[0];
    let reports = Reports::built_in().unwrap();
    let names: Vec<_> = reports.list().map(|report| report.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "assumptions",
            "burn-down",
            "coverage",
            "denied",
            "edges",
            "key-footprint",
            "key-migration",
            "lineage",
            "owners",
            "session-activity",
            "session-denials",
            "stale-keys",
            "unused-roles",
            "unused-users"
        ]
    );
    for report in reports.list() {
        let rows = session.report(report, &BTreeMap::new(), at("10:00:00")).await.unwrap();
        let columns: Vec<_> = rows.schema.fields().iter().map(|field| field.name()).collect();
        let declared: Vec<_> = report.columns.iter().map(|column| &column.name).collect();
        assert_eq!(columns, declared, "{}", report.name);
        assert!(!report.question.is_empty() && !report.pitfall.is_empty(), "{}", report.name);
        for name in ["as_of", "days", "from", "to", "account", "role"] {
            assert!(report.params.iter().any(|param| param.name == name), "{} {name}", report.name);
        }
    }
}

#[tokio::test]
async fn edges_say_since_when_and_whether_that_is_sure() {
    let lake = organisation();
    let columns = "caller role method days_active sessions session_hours assumptions external first_seen_is_left_censored";
    assert_eq!(
        run(&lake, "edges", &[], columns).await,
        "333333333333/AROAVENDOR | arn:aws:iam::222222222222:role/Audit | chained_role | 1 | 1 | 1 | 1 | true | false\n\
         arn:aws:iam::111111111111:user/ann | arn:aws:iam::222222222222:role/Deploy | assume_role | 2 | 1 | 2 | 3 | false | true"
    );
    let last_day = [("from", "2026-01-07"), ("role", "Deploy")];
    assert_eq!(
        run(&lake, "edges", &last_day, "first_seen assumptions session_hours evidence_event_ids")
            .await,
        "2026-01-05T10:00:00Z | 2 | 1 | [d1, d3]"
    );
    assert_eq!(
        run(&lake, "edges", &[("to", "2026-01-06")], "role").await,
        "arn:aws:iam::222222222222:role/Audit\narn:aws:iam::222222222222:role/Deploy"
    );
    assert_eq!(
        run(&lake, "edges", &[("account", "333333333333")], "role").await,
        "arn:aws:iam::222222222222:role/Audit"
    );
}

#[tokio::test]
async fn denials_are_grouped_by_reason() {
    assert_eq!(
        run(
            &organisation(),
            "denied",
            &[],
            "caller role error_code reason attempts roles_tried evidence_event_ids"
        )
        .await,
        "arn:aws:iam::111111111111:user/bob | arn:aws:iam::222222222222:role/Top | AccessDenied | no identity policy allows it | 2 | 2 | [x1, x2]\n\
         arn:aws:iam::111111111111:user/bob | arn:aws:iam::222222222222:role/Other | AccessDenied | no identity policy allows it | 1 | 2 | [x3]"
    );
}

/// What AWS writes of why, and what that comes to: the kinds of policies on AWS's page on access denied errors, and what STS
/// answers otherwise.
#[tokio::test]
async fn regression_each_kind_of_refusal_is_told_apart() {
    const SCP: &str = "arn:aws:organizations::111111111111:policy/o-a/service_control_policy/p-b";
    let with =
        |policy: &str| format!("sts:AssumeRole on resource: R with an explicit deny in {policy}");
    let none = |policy: &str| {
        format!(
            "sts:TagSession on resource: R because no {policy} allows the sts:TagSession action"
        )
    };
    let refusals = [
        ("AccessDenied", with("a resource control policy"), "denied by a resource control policy | sts:AssumeRole | "),
        ("AccessDenied", with("a VPC endpoint policy"), "denied by a VPC endpoint policy | sts:AssumeRole | "),
        ("AccessDenied", none("VPC endpoint policy"), "no VPC endpoint policy allows it | sts:TagSession | "),
        (
            "AccessDenied",
            with(&format!("a service control policy: {SCP}")),
            &format!("denied by a service control policy | sts:AssumeRole | {SCP}"),
        ),
        ("AccessDenied", with("a permissions boundary"), "denied by a permissions boundary | sts:AssumeRole | "),
        ("AccessDenied", none("permissions boundary"), "no permissions boundary allows it | sts:TagSession | "),
        ("AccessDenied", with("a session policy"), "denied by a session policy | sts:AssumeRole | "),
        ("AccessDenied", with("an identity-based policy"), "denied by an identity policy | sts:AssumeRole | "),
        ("AccessDenied", none("identity-based policy"), "no identity policy allows it | sts:TagSession | "),
        ("AccessDenied", with("a resource-based policy"), "denied by the trust policy | sts:AssumeRole | "),
        ("AccessDenied", none("resource-based policy"), "the trust policy does not allow it | sts:TagSession | "),
        ("AccessDenied", "sts:AssumeRole on resource: \"R\"".to_owned(), "not authorized | sts:AssumeRole | "),
        ("AccessDenied", "Roles may not be assumed by root accounts.".to_owned(), "root may not take roles |  | "),
        (
            "AccessDenied",
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ".to_owned(),
            "wrong or missing MFA code |  | ",
        ),
        (
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining".to_owned(),
            "asked for longer than allowed |  | ",
        ),
        ("ExpiredTokenException", "The security token included in the request is expired".to_owned(), "expired credentials |  | "),
        ("RegionDisabledException", "STS is not activated in this region".to_owned(), "STS is not active in the region |  | "),
    ];
    let events = refusals.iter().enumerate().map(|(number, (code, message, _))| {
        let message = match message.strip_prefix("sts:") {
            Some(_) => format!("User: U is not authorized to perform: {message}"),
            None => message.clone(),
        };
        event(&format!("r{number:02}"), "10:00:00", "AssumeRole")
            .by_user(&format!("u{number:02}"), "AKIAU")
            .failed(code)
            .text("error_message", message)
            .text("role_account_id", PROD)
            .text("role_name", "R")
    });
    let lake = TestLake::default().events(events.collect::<Vec<_>>());
    let found = run(&lake, "denied", &[], "caller reason action policy_arn").await;
    let expected: Vec<String> = refusals
        .iter()
        .enumerate()
        .map(|(number, (_, _, told))| {
            format!("arn:aws:iam::111111111111:user/u{number:02} | {told}")
        })
        .collect();
    assert_eq!(found, expected.join("\n"));
}

#[tokio::test]
async fn assumptions_keep_to_the_window_and_the_role() {
    let lake = organisation();
    assert_eq!(run(&lake, "assumptions", &[("days", "1")], "event_id").await, "d2\nd3\nx3");
    assert_eq!(
        run(&lake, "assumptions", &[("role", "222222222222/Audit")], "event_id with_external_id")
            .await,
        "v1 | true"
    );
    assert_eq!(run(&lake, "assumptions", &[("role", "x' OR 1=1 --")], "event_id").await, "");
}

#[tokio::test]
async fn lineage_is_found_by_session_role_and_key() {
    let lake = organisation();
    let columns = "session_id origin confidence link_method";
    let d3 = "d3 | arn:aws:iam::111111111111:user/ann | whole | key";
    assert_eq!(run(&lake, "lineage", &[("session", "d3")], columns).await, d3);
    assert_eq!(run(&lake, "lineage", &[("access_key", "ASIA3")], columns).await, d3);
    assert_eq!(
        run(&lake, "lineage", &[("access_key", "AKIAANN")], "session_id").await,
        "d1\nd2\nd3"
    );
    assert_eq!(
        run(&lake, "lineage", &[("role", "Audit")], "session_id confidence unlinked_reason").await,
        "v1 | cut | other_account"
    );
}

/// The ledger knows the log files of a day whose rows are gone: that day vouches for nothing.
#[tokio::test]
async fn coverage_says_which_days_have_expired() {
    let lake = organisation().expired_before("2026-01-06T00:00:00");
    let states = run(&lake, "coverage", &[], "day state").await;
    assert!(states.contains("2026-01-05 | EXPIRED"), "{states}");
    assert!(!states.contains("2026-01-05 | HELD"), "{states}");
    let kept = organisation().expired_before("2026-01-05T00:00:00");
    assert!(run(&kept, "coverage", &[], "day state").await.contains("2026-01-05 | HELD"));
}

#[tokio::test]
async fn coverage_tells_quiet_from_held() {
    let note = "roles are used but none is seen being taken: does the trail record writes only, or lack us-east-1?";
    assert_eq!(
        run(&organisation(), "coverage", &[], "account_id aws_region day state files note").await,
        "222222222222 | eu-west-1 | 2026-01-05 | NO_EVIDENCE | 0 | \n\
         222222222222 | eu-west-1 | 2026-01-06 | PARTIAL | 1 | \n\
         222222222222 | eu-west-1 | 2026-01-07 | NO_EVIDENCE | 0 | \n\
         222222222222 | us-east-1 | 2026-01-05 | HELD | 1 | \n\
         222222222222 | us-east-1 | 2026-01-06 | NO_EVIDENCE | 0 | \n\
         222222222222 | us-east-1 | 2026-01-07 | HELD | 1 | "
    );
    let blind = TestLake::default()
        .activity([used("2026-01-07T11:00:00", "2026-01-07T11:00:00", 2).key("ASIA3").in_session(
            PROD,
            "Deploy",
            "s",
            "2026-01-07T10:30:00",
        )])
        .rows(
            "log_files",
            [Row::default()
                .text("log_file", delivered_name(PROD, "us-east-1", at("2026-01-07T11:00:00"), "x"))
                .number("delivered_date", at("2026-01-07T11:00:00") / 86_400_000_000)
                .text("account_id", PROD)
                .text("aws_region", "us-east-1")
                .text("status", "complete")],
        );
    assert_eq!(run(&blind, "coverage", &[], "state note").await, format!("HELD | {note}"));
}

#[tokio::test]
async fn a_users_folder_adds_reports_and_names_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "mine.sql",
        "-- title: Mine\n-- params:\n--   key: text; a key\nSELECT count(*) AS n FROM access_keys WHERE access_key_id = $key\n",
    );
    write("notes.txt", "no report");
    let reports = Reports::built_in().unwrap().with_folder(folder.path()).unwrap();
    let lake = organisation();
    let session = &lake.sessions().await[0];
    let given = BTreeMap::from([("key".to_owned(), "AKIAANN".to_owned())]);
    let rows = session.report(reports.get("mine").unwrap(), &given, 0).await.unwrap();
    assert_eq!(table_text(&rows.collect().await.unwrap()), "1");

    let error = reports.get("edgs").unwrap_err().to_string();
    assert!(error.contains("did you mean 'edges'?"), "{error}");
    write("bad.sql", "-- title: Bad\n-- params:\n--   key: string; a key\nSELECT 1\n");
    let error = Reports::built_in().unwrap().with_folder(folder.path()).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "bad.sql:3: 'string' is no type; there are: text, integer, timestamp, boolean"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn every_column_of_every_view_is_explained() {
    let lake = organisation();
    let session = &lake.sessions().await[0];
    let all = session.describe().iter();
    let (tables, views): (Vec<_>, Vec<_>) =
        all.partition(|relation| relation.kind == crate::RelationKind::Table);
    assert_eq!(tables.len(), rolecall_lake::schema::Table::READABLE.len());
    let names: Vec<_> = views.iter().map(|relation| relation.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "access_keys",
            "assumptions",
            "coverage",
            "inventory",
            "roles",
            "session_activity",
            "sessions"
        ]
    );
    for relation in session.describe() {
        assert!(!relation.comment.is_empty(), "{}", relation.name);
        for column in &relation.columns {
            assert!(!column.comment.is_empty(), "{}.{}", relation.name, column.name);
        }
        let rows =
            session.sql(&format!("SELECT * FROM {}", relation.name), &Values::new()).await.unwrap();
        let columns: Vec<_> = rows.schema.fields().iter().map(|field| field.name()).collect();
        let described: Vec<_> = relation.columns.iter().map(|column| &column.name).collect();
        assert_eq!(columns, described, "{}", relation.name);
    }
    assert!(session.names().iter().any(|name| name == "ip_in"));
}

#[tokio::test]
async fn mistakes_in_sql_are_explained_and_writes_refused() {
    let lake = organisation();
    let session = &lake.sessions().await[0];
    let error = async |query: &str| match session.sql(query, &Values::new()).await {
        Err(error) => error,
        Ok(_) => panic!("{query}"),
    };
    let message = error("SELECT * FROM asumptions").await.to_string();
    assert!(message.contains("did you mean 'assumptions'?"), "{message}");
    let message = error("SELECT issued_by FROM roles").await.to_string();
    assert!(message.contains("'issued_by' is a column of: sessions"), "{message}");
    for query in [
        "CREATE TABLE x AS SELECT 1",
        "INSERT INTO activity SELECT * FROM activity",
        "SET datafusion.execution.batch_size = 1",
        "COPY roles TO '/tmp/never.csv'",
        "SELECT * FROM acts",
    ] {
        assert!(matches!(error(query).await, QueryError::Sql { .. }), "{query}");
    }
}
