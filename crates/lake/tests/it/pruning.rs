//! What is skipped when only little is asked for.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;

use crate::support::{Sample, batch_of, folder, lake_at, query, text, writer_of};

/// The metric `name` of the scan in an analyzed plan: how many there were, how many were read.
fn metric(plan: &str, name: &str) -> (u64, u64) {
    let start = plan.find(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in {plan}"));
    let text = &plan[start + name.len() + 1..];
    let mut numbers =
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse::<u64>().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

fn files_in(plan: &str) -> usize {
    plan.matches(".parquet").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_row_groups_and_pages_are_skipped() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let mut writer = writer_of(&lake).await;
    for day in 0..10 {
        for number in 0..2 {
            let events = if day == 3 { 20_000 } else { 20 };
            writer.commit(batch_of([&Sample::new(number, day, events)])).await.unwrap();
        }
    }
    let explain = async |sql: &str| text(&lake, &format!("EXPLAIN ANALYZE {sql}")).await;

    // One day of ten: its files only, and by the log alone.
    let plan =
        explain("SELECT event_id FROM credential_events WHERE event_date = '2024-01-03'").await;
    assert_eq!(files_in(&plan), 2, "{plan}");
    assert!(!plan.contains("FilterExec"), "{plan}");

    // A time range, without a word on the partition: by the files' statistics.
    let range = "event_time >= '2024-01-05T00:00:00Z' AND event_time < '2024-01-06T00:00:00Z'";
    let plan = explain(&format!("SELECT event_id FROM credential_events WHERE {range}")).await;
    assert_eq!(files_in(&plan), 2, "{plan}");

    // An hour of a large file: by its page index.
    let range = "event_time >= '2024-01-04T03:00:00Z' AND event_time < '2024-01-04T04:00:00Z'";
    let plan = explain(&format!("SELECT event_id FROM credential_events WHERE {range}")).await;
    assert_eq!(files_in(&plan), 2, "{plan}");
    let (pages, read) = metric(&plan, "page_index_pages_pruned");
    assert!(read < pages, "{plan}");

    // An id that lies within the range of one row group's, but that it has not: by bloom filter.
    let plan = explain("SELECT * FROM credential_events WHERE event_id = 'event-3-1-777x'").await;
    assert_eq!(metric(&plan, "row_groups_pruned_bloom_filter"), (1, 0), "{plan}");

    // Counting needs no file.
    let plan = explain("SELECT count(*) FROM credential_events").await;
    assert_eq!(files_in(&plan), 0, "{plan}");

    // Whatever is skipped, the answer is the same.
    for (sql, expected) in [
        ("SELECT count(*) FROM credential_events WHERE event_date = '2024-01-04'", 40_000),
        (
            "SELECT count(*) FROM credential_events WHERE event_date IN ('2024-01-01', '2024-01-03')",
            80,
        ),
        ("SELECT count(*) FROM credential_events WHERE event_date IS NULL", 0),
        ("SELECT count(*) FROM credential_events WHERE event_date <> '2024-01-04'", 360),
        ("SELECT count(*) FROM credential_events WHERE event_time < '2024-01-02T00:00:00Z'", 40),
        ("SELECT count(*) FROM credential_events WHERE event_id = 'event-3-1-777'", 1),
        ("SELECT count(*) FROM credential_events WHERE role_account_id IS NULL", 40_360),
        (
            "SELECT count(*) FROM credential_events WHERE role_arn LIKE '%/app' AND event_date > '2024-01-08'",
            80,
        ),
        (
            "SELECT count(DISTINCT event_date) FROM activity WHERE extract(day FROM event_date) < 4",
            3,
        ),
        ("SELECT count(*) FROM log_files WHERE log_file >= '2'", 0),
    ] {
        let batches = query(&lake, sql).await;
        let value = batches[0].column(0).as_primitive::<Int64Type>();
        assert_eq!(value.value(0), expected, "{sql}");
    }
}
