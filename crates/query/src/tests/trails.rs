//! What several trails record together: the part `trails`.

use datafusion::scalar::ScalarValue;

use super::lake::{DEV, PROD, Row, TestLake, at, table_text};
use crate::{Values, with_parts};

const READ: &str = "read events (every AssumeRole is one)";
const KMS: &str = "management events of kms.amazonaws.com";

fn trail(account: &str, name: &str, not_recorded: &[&str]) -> Row {
    let seen = at("2026-01-05T10:00:00");
    let row = Row::default()
        .text("trail_arn", format!("arn:aws:cloudtrail:us-east-1:{account}:trail/{name}"))
        .number("snapshot_time", seen)
        .number("snapshot_date", seen / 86_400_000_000)
        .flag("multi_region", true)
        .flag("organization", false)
        .flag("logging", true);
    if not_recorded.is_empty() { row } else { row.list("not_recorded", not_recorded) }
}

async fn ask(trails: impl IntoIterator<Item = Row>, sql: &str) -> String {
    let known = [DEV, PROD].map(|account| {
        Row::default()
            .text("account_id", account)
            .text("log_file", account)
            .text("status", "complete")
    });
    let lake = TestLake::default().rows("trails", trails).rows("log_files", known);
    let sql = with_parts("trails", sql).unwrap();
    let as_of =
        ScalarValue::TimestampMicrosecond(Some(at("2026-01-06T00:00:00")), Some("UTC".into()));
    let values = Values::from([("as_of".to_owned(), as_of)]);
    let mut answers = Vec::new();
    for session in lake.sessions().await {
        let rows = session.sql(&sql, &values).await.unwrap();
        answers.push(table_text(&rows.collect().await.unwrap()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    answers.swap_remove(0)
}

async fn records(trails: impl IntoIterator<Item = Row>) -> String {
    let sql = "WITH own AS (SELECT account_id, records_read, records_write, all_regions, \
               array_to_string(excluded_sources, ' ') FROM trail_records) SELECT * FROM own ORDER BY 1";
    ask(trails, sql).await
}

async fn gaps(trails: impl IntoIterator<Item = Row>) -> String {
    let sql = "WITH own AS (SELECT split_part(trail_arn, '/', 2), gap FROM trail_gaps) SELECT * FROM own ORDER BY 1, 2";
    ask(trails, sql).await
}

#[tokio::test]
async fn an_account_is_judged_by_all_its_trails_and_those_of_the_organisation() {
    let writes = || trail(DEV, "writes", &[READ, KMS, "data events"]);
    assert_eq!(records([writes()]).await, "111111111111 | false | true | true | kms.amazonaws.com");
    // Together they leave out nothing but data events.
    let reads = || trail(DEV, "reads", &["write events", "data events"]);
    assert_eq!(records([writes(), reads()]).await, "111111111111 | true | true | true | ");
    let of_all = trail(PROD, "all", &[KMS]).flag("organization", true).flag("multi_region", false);
    assert_eq!(
        records([writes(), of_all]).await,
        "111111111111 | true | true | true | kms.amazonaws.com\n\
         222222222222 | true | true | false | kms.amazonaws.com"
    );
    // One that is switched off, or of data events alone, adds nothing.
    let off = trail(DEV, "off", &[]).flag("logging", false);
    let data =
        trail(DEV, "data", &["management events"]).list("data_event_types", &["AWS::S3::Object"]);
    assert_eq!(
        records([writes(), off, data]).await,
        "111111111111 | false | true | true | kms.amazonaws.com"
    );
}

#[tokio::test]
async fn regression_what_another_trail_records_is_no_gap() {
    let writes = || trail(DEV, "writes", &[READ, KMS, "data events"]);
    let alone = format!("writes | data events\nwrites | {KMS}\nwrites | {READ}");
    assert_eq!(gaps([writes()]).await, alone);
    // In another account, or in one region alone, it does not help.
    assert_eq!(gaps([writes(), trail(PROD, "other", &[])]).await, alone);
    assert_eq!(gaps([writes(), trail(DEV, "one", &[]).flag("multi_region", false)]).await, alone);
    let data =
        trail(DEV, "s3", &["management events"]).list("data_event_types", &["AWS::S3::Object"]);
    assert_eq!(
        gaps([writes(), data]).await,
        format!("s3 | management events\nwrites | {KMS}\nwrites | {READ}")
    );
    let all = trail(DEV, "all", &["data events"]);
    assert_eq!(gaps([writes(), all]).await, "all | data events\nwrites | data events");
}
