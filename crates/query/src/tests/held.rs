//! Which days the logs hold, and which they do not: the part `held` and the view `coverage`.

use datafusion::scalar::ScalarValue;

use super::lake::{DEV, PROD, Row, TestLake, at, delivered_name, table_text};
use super::reporting::run;
use crate::{Values, with_parts};

const DAY: i64 = 86_400_000_000;

/// Midnight of the day that is so many days after 1 January 2026.
fn day(number: i64) -> i64 {
    at("2026-01-01T00:00:00") + number * DAY
}

/// A log file that CloudTrail delivered at noon.
fn file(account: &str, region: &str, number: i64, id: &str) -> Row {
    let time = day(number) + DAY / 2;
    Row::default()
        .text("log_file", delivered_name(account, region, time, id))
        .number("delivered_date", time / DAY)
        .number("delivered_at", time)
        .text("account_id", account)
        .text("aws_region", region)
        .text("status", "complete")
        .number("records", 1)
        .number("rejected", 0)
        .number("first_event_time", time)
        .number("last_event_time", time)
}

fn daily(region: &'static str, days: impl IntoIterator<Item = i64>) -> impl Iterator<Item = Row> {
    days.into_iter().map(move |number| file(PROD, region, number, "a"))
}

fn lake(files: impl IntoIterator<Item = Row>) -> TestLake {
    TestLake::default().rows("log_files", files)
}

/// `columns` of the part `held` in a window, the same in every order of rows.
async fn held(lake: &TestLake, from: i64, to: i64, columns: &str) -> String {
    let sql =
        format!("WITH own AS (SELECT * FROM held) SELECT {columns} FROM own ORDER BY account_id");
    ask(lake, from, to, &sql).await
}

async fn ask(lake: &TestLake, from: i64, to: i64, sql: &str) -> String {
    let sql = with_parts("held", sql).unwrap();
    let time = |micros| ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()));
    let values = Values::from([("from".to_owned(), time(from)), ("to".to_owned(), time(to))]);
    let mut answers = Vec::new();
    for session in lake.sessions().await {
        let rows = session.sql(&sql, &values).await.unwrap();
        answers.push(table_text(&rows.collect().await.unwrap()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    answers.swap_remove(0)
}

const SHARE: &str =
    "account_id, held_from, last_day, coverage, array_to_string(silent_regions, ' ')";

#[tokio::test]
async fn the_share_is_of_the_windows_whole_days() {
    let lake = lake(daily("us-east-1", 10..20).chain([file(DEV, "us-east-1", 15, "a")]));
    assert_eq!(
        held(&lake, day(10), day(20), SHARE).await,
        "111111111111 | 2026-01-16 | 2026-01-16 | 0.1 | \n\
         222222222222 | 2026-01-11 | 2026-01-20 | 1.0 | "
    );
    // Neither the hour of the run nor the files that are still to come count.
    let hour = DAY / 24;
    assert_eq!(
        held(&lake, day(9) + hour, day(20) + hour, "account_id, coverage").await,
        "111111111111 | 0.1\n222222222222 | 1.0"
    );
    // What was there before the window began, and nothing that came after it ended.
    assert_eq!(
        held(&lake, day(17), day(19), SHARE).await,
        "111111111111 | 2026-01-16 | 2026-01-16 | 0.0 | \n\
         222222222222 | 2026-01-11 | 2026-01-19 | 1.0 | "
    );
    // Without a beginning, it begins with the lake.
    assert_eq!(
        held(&lake, 0, day(20), "account_id, coverage, window_days").await,
        "111111111111 | 0.1 | 10\n222222222222 | 1.0 | 10"
    );
    // An hour of a day is that day.
    assert_eq!(
        held(&lake, day(15) + hour, day(15) + 2 * hour, "account_id, coverage").await,
        "111111111111 | 1.0\n222222222222 | 1.0"
    );
}

/// What `aws cloudtrail lookup-events` prints, a filtered download, or a copy under another name.
#[tokio::test]
async fn regression_files_that_cloudtrail_did_not_deliver_hold_no_day() {
    let others = [
        "assume-role-2026-01-12.json@0123456789abcdef0123456789abcdef",
        "222222222222_CloudTrail_us-east-1_20260113T1200Z.json.gz@0123456789abcdef0123456789abcdef",
        "x_222222222222_CloudTrail_us-east-1_20260114T1200Z_a.json.gz",
        "222222222222_CloudTrail-Digest_us-east-1_20260115T1200Z_a.json.gz",
        "222222222222_CloudTrail_us-east-1_20260116T1200Z_a.json.gz.part",
    ];
    let others = (11..)
        .zip(others)
        .map(|(number, name)| file(PROD, "us-east-1", number, "a").text("log_file", name));
    let lake = lake(daily("us-east-1", [10]).chain(others));
    assert_eq!(
        held(&lake, day(10), day(16), SHARE).await,
        "222222222222 | 2026-01-11 | 2026-01-11 | 0.167 | "
    );
    assert_eq!(
        lake.answer(
            "SELECT day, files, undelivered_files, delivered, held FROM coverage WHERE day < '2026-01-13' ORDER BY day"
        )
        .await,
        "2026-01-11 | 1 | 0 | true | true\n2026-01-12 | 1 | 1 | false | false"
    );
}

#[tokio::test]
async fn a_day_is_not_held_where_a_file_could_not_be_read_until_it_is_taken_in() {
    let refused = |number, id| {
        file(PROD, "us-east-1", number, id)
            .text("status", "refused")
            .text("refusal", "cannot be fetched: it is archived")
            .without("records")
            .without("first_event_time")
    };
    let whole = || daily("us-east-1", 10..14);
    let others = || [refused(10, "b"), refused(11, "b").text("status", "pending")];
    // Of a file that was read, single records may have been rejected: the report says so.
    let rejected = file(PROD, "us-east-1", 12, "b").number("rejected", 1);
    let met = lake(whole().chain(others()).chain([rejected]));
    assert_eq!(held(&met, day(10), day(14), "coverage, held_from").await, "0.5 | 2026-01-13");
    assert_eq!(
        met.answer(
            "SELECT day, files, refused_files, pending_files, held, array_to_string(refusals, ';') \
             FROM coverage ORDER BY day LIMIT 2"
        )
        .await,
        "2026-01-11 | 1 | 1 | 0 | false | cannot be fetched: it is archived\n\
         2026-01-12 | 1 | 0 | 1 | false | cannot be fetched: it is archived"
    );
    let again = [file(PROD, "us-east-1", 10, "b"), file(PROD, "us-east-1", 11, "b")];
    let mended = lake(whole().chain(others()).chain(again));
    assert_eq!(held(&mended, day(10), day(14), "coverage").await, "1.0");
    assert_eq!(
        mended
            .answer("SELECT sum(files), sum(refused_files), sum(pending_files) FROM coverage")
            .await,
        "6 | 0 | 0"
    );
    let expired = lake(whole()).expired_before("2026-01-12T00:00:00");
    assert_eq!(held(&expired, day(10), day(14), "coverage").await, "0.75");
}

#[tokio::test]
async fn regression_a_region_that_fell_silent_lowers_the_coverage_and_is_named() {
    let stopped = lake(daily("us-east-1", 0..90).chain(daily("eu-west-1", 0..60)));
    assert_eq!(
        held(&stopped, day(0), day(90), SHARE).await,
        "222222222222 | 2026-01-01 | 2026-03-01 | 0.667 | eu-west-1"
    );
    // A smaller window has no better word.
    assert_eq!(held(&stopped, day(83), day(90), "coverage").await, "0.0");
    // It came back: the days between were missing.
    let back = daily("us-east-1", 0..90).chain(daily("eu-west-1", (0..60).chain(70..90)));
    assert_eq!(
        held(&lake(back), day(0), day(90), SHARE).await,
        "222222222222 | 2026-01-01 | 2026-03-31 | 0.889 | "
    );
    // All of an account's regions are one region less each.
    let all = lake(daily("us-east-1", 0..84));
    assert_eq!(
        held(&all, day(0), day(90), SHARE).await,
        "222222222222 | 2026-01-01 | 2026-03-25 | 0.933 | us-east-1"
    );
}

#[tokio::test]
async fn regions_that_are_quiet_now_and_then_are_not_missing() {
    let busy = || daily("us-east-1", 0..90);
    // Working days, and a long weekend at the end.
    let weekdays = daily("eu-west-1", (0..87).filter(|number| number % 7 < 5));
    assert_eq!(held(&lake(busy().chain(weekdays)), day(0), day(90), SHARE).await, QUIET);
    // Once a week, and then not for a month.
    let weekly = daily("eu-west-1", (0..60).filter(|number| number % 7 == 0));
    assert_eq!(held(&lake(busy().chain(weekly)), day(0), day(90), SHARE).await, QUIET);
    // Six days are no habit.
    let new = daily("eu-west-1", 50..56);
    assert_eq!(held(&lake(busy().chain(new)), day(0), day(90), SHARE).await, QUIET);
    // Given up last summer.
    let left = (-200..-1).map(|number| file(PROD, "eu-west-1", number, "a"));
    let left = lake(daily("us-east-1", -200..90).chain(left));
    assert_eq!(
        held(&left, day(0), day(90), "coverage, array_to_string(silent_regions, ' ')").await,
        "1.0 | "
    );
}

const QUIET: &str = "222222222222 | 2026-01-01 | 2026-03-31 | 1.0 | ";

fn checked(number: i64, id: &str, status: &str) -> Row {
    let time = day(number) + DAY / 2;
    Row::default()
        .text("subject", "log_file")
        .text("status", status)
        .text("account_id", PROD)
        .text("aws_region", "us-east-1")
        .text("log_file", delivered_name(PROD, "us-east-1", time, id))
        .number("delivered_date", time / DAY)
        .number("checked_at", day(number + 1))
}

#[tokio::test]
async fn days_are_verified_where_digests_know_every_log_file_and_no_other() {
    let files = || daily("us-east-1", 10..15).chain([file(DEV, "us-east-1", 10, "a")]);
    let share = async |results: Vec<Row>| {
        let lake = lake(files()).rows("digest_results", results);
        held(&lake, day(10), day(15), "account_id, verified").await
    };
    let good = |number| checked(number, "a", "verified");
    let both = |share: &str| format!("111111111111 | \n222222222222 | {share}");
    assert_eq!(share(vec![]).await, both(""));
    assert_eq!(share((10..15).map(good).collect()).await, both("1.0"));
    assert_eq!(share((10..14).map(good).collect()).await, both("0.8"));
    // One more that CloudTrail delivered and nobody took in.
    let more = [checked(12, "b", "verified")];
    assert_eq!(share((10..15).map(good).chain(more).collect()).await, both("0.8"));
    // The latest word counts, in either direction.
    let altered = checked(12, "a", "altered").number("checked_at", day(20));
    assert_eq!(share((10..15).map(good).chain([altered]).collect()).await, both("0.8"));
    let doubted = checked(12, "a", "not_provable").number("checked_at", day(12));
    assert_eq!(share((10..15).map(good).chain([doubted]).collect()).await, both("1.0"));
    // What was checked is not what was taken in.
    let lake = lake(files().map(|row| row.text("sha256", "aa")));
    let results = (10..15)
        .map(|number| good(number).text("stored_sha256", if number == 12 { "bb" } else { "aa" }));
    let lake = lake.rows("digest_results", results);
    assert_eq!(held(&lake, day(10), day(15), "account_id, verified").await, both("0.8"));
}

#[tokio::test]
async fn days_before_the_window_can_be_asked_for_by_region() {
    let lake = lake(daily("us-east-1", 3..6).chain(daily("eu-west-1", 4..5)));
    let sql =
        "WITH own AS (SELECT * FROM held_days) SELECT aws_region, day, held FROM own ORDER BY 1, 2";
    assert_eq!(
        ask(&lake, day(5), day(5), sql).await,
        "eu-west-1 | 2026-01-05 | true\nus-east-1 | 2026-01-04 | true\nus-east-1 | 2026-01-05 | true"
    );
}

#[tokio::test]
async fn the_report_says_why_a_day_is_not_held() {
    let dump = file(PROD, "us-east-1", 3, "a")
        .text("log_file", "assume-role.json@00")
        .number("records", 2);
    let refused = file(PROD, "us-east-1", 4, "b")
        .text("status", "refused")
        .text("refusal", "cannot be fetched: it is archived");
    let files = daily("us-east-1", (0..3).chain(4..40)).chain(daily("eu-west-1", 0..30));
    let lake = lake(files.chain([dump, refused]));
    let columns = "aws_region day state files undelivered_files refusals note";
    let all =
        run(&lake, "coverage", &[("as_of", "2026-02-10T00:00:00Z"), ("days", "40")], columns).await;
    let rows = |of: &[&str]| -> Vec<String> {
        let rows = all.lines().filter(|row| of.iter().any(|part| row.contains(part)));
        rows.map(str::to_owned).collect()
    };
    assert_eq!(rows(&["HELD"]).len(), 38 + 30);
    assert_eq!(
        rows(&["NOT_DELIVERED", "PARTIAL"]),
        [
            "us-east-1 | 2026-01-04 | NOT_DELIVERED | 1 | 1 |  | chosen events or a renamed copy: only files under \
             the name that CloudTrail gave them say that nothing is left out",
            "us-east-1 | 2026-01-05 | PARTIAL | 1 | 0 | cannot be fetched: it is archived | ",
        ]
    );
    let missing = rows(&["MISSING"]);
    assert_eq!(missing.len(), 10);
    assert_eq!(missing[0], "eu-west-1 | 2026-01-31 | MISSING | 0 | 0 |  | ");
    assert_eq!(rows(&["NO_EVIDENCE"]).len(), 0);
}

#[tokio::test]
async fn summaries_of_data_events_hold_no_day_and_are_said() {
    let name = |number| {
        let time = day(number);
        delivered_name(PROD, "us-east-1", time, "a")
            .replace("_CloudTrail_", "_CloudTrail-Aggregated_")
    };
    let aggregated = |number| file(PROD, "us-east-1", number, "a").text("log_file", name(number));
    let lake = lake(daily("us-east-1", 0..3).chain([aggregated(2), aggregated(3)]));
    let columns = "day state files undelivered_files aggregated_files note";
    let all =
        run(&lake, "coverage", &[("as_of", "2026-01-06T00:00:00Z"), ("days", "5")], columns).await;
    let note = "data events came as five-minute summaries: they show that whom they name is alive, and no single call";
    assert!(all.contains(&format!("2026-01-03 | HELD | 2 | 0 | 1 | {note}")), "{all}");
    assert!(all.contains(&format!("2026-01-04 | AGGREGATED | 1 | 0 | 1 | {note}")), "{all}");
}
