//! What is skipped when only little is asked for.

use crate::support::{Sample, batch_of, folder, lake_at, text, writer_of};

#[tokio::test(flavor = "multi_thread")]
async fn explore() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let mut writer = writer_of(&lake).await;
    for day in 0..5 {
        for number in 0..2 {
            writer.commit(batch_of([&Sample::new(number, day, 2000)])).await.unwrap();
        }
    }
    for sql in [
        "SELECT count(*) FROM credential_events WHERE event_date = DATE '2024-01-03'",
        "SELECT count(*), min(event_id) FROM credential_events WHERE event_date = DATE '2024-01-03'",
        "SELECT count(*), min(event_id) FROM credential_events WHERE event_time >= TIMESTAMP '2024-01-03T00:00:00Z' AND event_time < TIMESTAMP '2024-01-03T01:00:00Z'",
        "SELECT event_name FROM credential_events WHERE issued_access_key_id = 'event-3-1-77'",
        "SELECT max(log_file) FROM credential_events",
        "SELECT event_time, event_id FROM credential_events ORDER BY event_time LIMIT 3",
    ] {
        println!("{}", text(&lake, &format!("EXPLAIN ANALYZE VERBOSE {sql}")).await);
    }
}
