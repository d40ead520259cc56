//! Who used which credential: what one row of activity holds, and which records share one.

use rolecall_events::rows::{ActivityRow, CredentialKind};
use rolecall_events::{Limits, Reader};
use serde_json::{Value, json};

use crate::support::{TIME, check_activity, check_sum, log_file, record};

const SECOND: i64 = 1_000_000;
/// `2026-01-05T07:00:00Z`.
const HOUR: i64 = TIME - (12 * 60 + 3) * SECOND;

fn row() -> ActivityRow<'static> {
    ActivityRow {
        hour: HOUR,
        principal_type: Some("IAMUser"),
        event_source: "s3.amazonaws.com",
        event_name: "GetObject",
        aws_region: Some("eu-west-1"),
        recipient_account_id: Some("111111111111"),
        source_ip: Some("192.0.2.10"),
        user_agent: Some("aws-cli/2.15"),
        event_count: 1,
        first_time: TIME,
        last_time: TIME,
        sample_event_id: Some("ev-1"),
        ..ActivityRow::default()
    }
}

#[test]
fn a_role_session_at_work() {
    let call = record(
        "s3",
        "GetObject",
        json!({"eventCategory": "Data", "errorCode": "NoSuchKey",
            "userIdentity": {"type": "AssumedRole", "principalId": "AROADEPLOY:run-7",
                "arn": "arn:aws:sts::111111111111:assumed-role/Deploy/run-7",
                "accountId": "111111111111", "accessKeyId": "ASIACHILD",
                "invokedBy": "athena.amazonaws.com",
                "inScopeOf": {"credentialsIssuedTo": "arn:aws:lambda:eu-west-1:111111111111:function:f",
                    "sourceArn": "arn:aws:x"},
                "sessionContext": {"sourceIdentity": "ann",
                    "sessionIssuer": {"type": "Role", "principalId": "AROADEPLOY",
                        "arn": "arn:aws:iam::111111111111:role/ci/Deploy"},
                    "attributes": {"creationDate": "2026-01-05T07:12:00Z",
                        "mfaAuthenticated": "true"}}}}),
    );
    let expect = ActivityRow {
        access_key_id: Some("ASIACHILD"),
        credential_kind: CredentialKind::Temporary,
        principal_type: Some("AssumedRole"),
        principal_id: Some("AROADEPLOY:run-7"),
        principal_arn: Some("arn:aws:sts::111111111111:assumed-role/Deploy/run-7"),
        account_id: Some("111111111111"),
        role_arn: Some("arn:aws:iam::111111111111:role/ci/Deploy"),
        role_id: Some("AROADEPLOY"),
        session_name: Some("run-7"),
        session_created: Some(TIME - 3 * SECOND),
        source_identity: Some("ann"),
        invoked_by: Some("athena.amazonaws.com"),
        in_scope_of: Some("arn:aws:lambda:eu-west-1:111111111111:function:f"),
        mfa: Some(true),
        event_category: Some("Data"),
        error_code: Some("NoSuchKey"),
        ..row()
    };
    check_activity(&call, &expect);
}

#[test]
fn principals_that_are_no_role_session() {
    let check = |identity: Value, expect: ActivityRow<'_>| {
        check_activity(&record("s3", "GetObject", json!({"userIdentity": identity})), &expect);
    };
    check(
        json!({"type": "IAMUser", "userName": "ann", "accessKeyId": "AKIAANN"}),
        ActivityRow {
            user_name: Some("ann"),
            access_key_id: Some("AKIAANN"),
            credential_kind: CredentialKind::LongTerm,
            ..row()
        },
    );
    check(
        json!({"type": "FederatedUser", "principalId": "111111111111:bob", "accessKeyId": "ABIA1",
            "sessionContext": {"sessionIssuer": {"type": "IAMUser", "principalId": "AIDAANN",
                "arn": "arn:aws:iam::111111111111:user/ann"}}}),
        ActivityRow {
            principal_type: Some("FederatedUser"),
            principal_id: Some("111111111111:bob"),
            access_key_id: Some("ABIA1"),
            credential_kind: CredentialKind::Other,
            ..row()
        },
    );
    // Records of events by AWS itself have no type; old ones no identity at all.
    check(
        json!({"accountId": "111111111111", "invokedBy": "x.amazonaws.com"}),
        ActivityRow {
            principal_type: None,
            account_id: Some("111111111111"),
            invoked_by: Some("x.amazonaws.com"),
            ..row()
        },
    );
    check(Value::Null, ActivityRow { principal_type: None, ..row() });
}

#[test]
fn a_masked_caller_keeps_its_session_in_the_principal_id() {
    let call = record(
        "s3",
        "GetObject",
        json!({"userIdentity": {"type": "AWSAccount", "principalId": "AROAX:i-0abc"}}),
    );
    let expect = ActivityRow {
        principal_type: Some("AWSAccount"),
        principal_id: Some("AROAX:i-0abc"),
        role_id: Some("AROAX"),
        session_name: Some("i-0abc"),
        ..row()
    };
    check_activity(&call, &expect);
}

#[test]
fn addresses_and_services_are_told_apart() {
    for (text, is_ip) in [
        ("192.0.2.1", true),
        ("2001:db8::1", true),
        ("::ffff:192.0.2.1", true),
        ("lambda.amazonaws.com", false),
        ("AWS Internal", false),
        ("AWS Internal/3", false),
        ("192.0.2.256", false),
        ("1password.example", false),
        ("a:b", false),
    ] {
        let call = record("s3", "GetObject", json!({"sourceIPAddress": text}));
        let expect = ActivityRow {
            source_ip: is_ip.then_some(text),
            source_service: (!is_ip).then_some(text),
            ..row()
        };
        check_activity(&call, &expect);
    }
}

/// How many rows the records give, and how many records each.
fn rows(records: &[Value]) -> Vec<u64> {
    let mut reader = Reader::new(Limits::default());
    let text = log_file(records);
    let file = reader.read(&text).unwrap();
    check_sum(&file);
    file.activity.iter().map(|row| row.event_count).collect()
}

#[test]
fn records_that_differ_in_time_and_id_only_share_a_row() {
    let at = |time: &str, id: &str| {
        record("s3", "GetObject", json!({"eventTime": time, "eventID": id, "requestID": id}))
    };
    let records = [
        at("2026-01-05T07:30:00Z", "b"),
        at("2026-01-05T07:10:00Z", "a"),
        at("2026-01-05T07:59:59Z", "c"),
        at("2026-01-05T08:00:00Z", "d"),
    ];
    assert_eq!(rows(&records), [3, 1]);
    let mut reader = Reader::new(Limits::default());
    let text = log_file(&records);
    let file = reader.read(&text).unwrap();
    let row = &file.activity[0];
    let minutes = |time: i64| (time - HOUR) / (60 * SECOND);
    assert_eq!((minutes(row.first_time), minutes(row.last_time)), (10, 59));
    assert_eq!((row.sample_event_id, row.sample_record_index), (Some("b"), 0));
    assert_eq!(file.account.first_event_time, Some(HOUR + 600 * SECOND));
    assert_eq!(file.account.last_event_time, Some(HOUR + 3_600 * SECOND));
}

#[test]
fn every_other_difference_makes_a_row_of_its_own() {
    let identity = |members: Value| json!({ "userIdentity": members });
    let context = |members: Value| identity(json!({ "sessionContext": members }));
    let differences = [
        json!({}),
        json!({"eventName": "PutObject"}),
        json!({"eventSource": "ec2.amazonaws.com"}),
        json!({"eventCategory": "Data"}),
        json!({"awsRegion": "eu-west-2"}),
        json!({"recipientAccountId": "2"}),
        json!({"errorCode": "AccessDenied"}),
        json!({"sourceIPAddress": "192.0.2.11"}),
        json!({"sourceIPAddress": "ec2.amazonaws.com"}),
        json!({"userAgent": "Boto3"}),
        identity(json!({"type": "Root"})),
        identity(json!({"principalId": "a"})),
        identity(json!({"arn": "a"})),
        identity(json!({"accountId": "a"})),
        identity(json!({"accessKeyId": "a"})),
        identity(json!({"userName": "a"})),
        identity(json!({"invokedBy": "a"})),
        identity(json!({"inScopeOf": {"sourceArn": "a"}})),
        context(json!({"sourceIdentity": "a"})),
        context(json!({"attributes": {"creationDate": "2026-01-05T07:12:00Z"}})),
        context(json!({"attributes": {"mfaAuthenticated": "true"}})),
        context(json!({"sessionIssuer": {"arn": "arn:aws:iam::111111111111:role/R"}})),
        context(json!({"sessionIssuer": {"principalId": "AROAX"}})),
        identity(json!({"arn": "arn:aws:sts::1:assumed-role/R/s"})),
        // A role session's own ARN differs too, so the session name alone never does.
    ];
    let records: Vec<Value> =
        differences.iter().map(|members| record("s3", "GetObject", members.clone())).collect();
    let twice: Vec<Value> = records.iter().chain(&records).cloned().collect();
    assert_eq!(rows(&twice), vec![2; records.len()]);
}

/// As AWS's page has it, with who was at work.
fn aggregated(summary: Value) -> Value {
    json!({
        "eventVersion": "1.0",
        "accountId": "111111111111",
        "eventId": "ag-1",
        "eventCategory": "Aggregated",
        "eventType": "AwsAggregatedEvent",
        "awsRegion": "eu-west-1",
        "eventSource": "s3.amazonaws.com",
        "timeWindow": {"windowStart": "2026-01-05T07:10:00Z", "windowEnd": "2026-01-05T07:15:00Z", "windowSize": "PT5M"},
        "summary": summary,
    })
}

fn dimension(name: &str, statistics: &[(&str, u64)]) -> Value {
    let statistics: Vec<_> =
        statistics.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({"dimension": name, "statistics": statistics, "aggregationType": "Count"})
}

#[test]
fn an_aggregated_event_is_activity_of_whom_it_names_within_its_window() {
    let reader = "arn:aws:sts::111111111111:assumed-role/Reader/run-1";
    let ann = "arn:aws:iam::111111111111:user/team/ann";
    let call = aggregated(json!({
        "primaryDimension": dimension("userIdentity", &[(reader, 900), (ann, 100), ("AROAX:s", 5), ("x", 1)]),
        "details": [dimension("eventName", &[("GetObject", 700), ("PutObject", 306)])],
    }));
    let mut reader_of = Reader::new(Limits::default());
    let bytes = log_file(&[call]);
    let file = reader_of.read(&bytes).unwrap();
    assert_eq!((file.account.seen, file.account.other, file.account.rejected), (1, 1, 0));
    assert_eq!(file.account.aggregated, 1);
    let start = TIME - 123 * SECOND;
    let expect = ActivityRow {
        principal_type: Some("AssumedRole"),
        principal_arn: Some(reader),
        account_id: Some("111111111111"),
        session_name: Some("run-1"),
        event_category: Some("Aggregated"),
        event_name: "Aggregated",
        source_ip: None,
        user_agent: None,
        event_count: 900,
        first_time: start,
        last_time: start + 299 * SECOND,
        sample_event_id: Some("ag-1"),
        ..row()
    };
    assert_eq!(file.activity[0], expect);
    let names: Vec<_> =
        file.activity.iter().map(|row| (row.user_name, row.role_id, row.event_count)).collect();
    assert_eq!(
        names,
        [(None, None, 900), (Some("ann"), None, 100), (None, Some("AROAX"), 5), (None, None, 1)]
    );
}

#[test]
fn an_aggregated_event_that_names_nobody_is_counted_all_the_same() {
    let call = aggregated(json!({
        "primaryDimension": dimension("eventName", &[("PutObject", 1000)]),
        "details": [dimension("resourceARN", &[("arn:aws:s3:::bucket-1", 800), ("arn:aws:s3:::bucket-2", 200)])],
    }));
    let mut reader = Reader::new(Limits::default());
    let bytes = log_file(&[
        call,
        json!({"eventCategory": "Aggregated", "eventSource": "s3.amazonaws.com"}),
    ]);
    let file = reader.read(&bytes).unwrap();
    let rows: Vec<_> = file.activity.iter().map(|row| (row.event_name, row.event_count)).collect();
    assert_eq!(rows, [("PutObject", 1000)]);
    // Without a window it is no aggregated event, and without a time no record.
    assert_eq!((file.account.aggregated, file.account.rejected), (1, 1));
}
