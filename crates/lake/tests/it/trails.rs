//! What trails were seen to record: added by each look, kept, and no part of any batch.

use rolecall_lake::{MaintainOptions, Table, TrailSnapshot};

use crate::support::{DAY_ZERO, HOUR, assert_clean, folder, lake_at, number, text};

fn trail(name: &str, not_recorded: &[&str]) -> TrailSnapshot {
    TrailSnapshot {
        trail_arn: format!("arn:aws:cloudtrail:eu-west-1:111122223333:trail/{name}"),
        bucket: "trail".to_owned(),
        trail_prefix: "AWSLogs".to_owned(),
        multi_region: true,
        not_recorded: not_recorded.iter().map(|text| (*text).to_owned()).collect(),
        ..TrailSnapshot::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_look_is_kept() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    assert_eq!(number(&lake, "SELECT count(*) FROM trails").await, 0, "readable before it is made");
    lake.record_trails(&[], DAY_ZERO).await.unwrap();
    assert!(!lake.reader().await.unwrap().versions().contains_key(&Table::Trails));
    let (blind, whole) = (trail("a", &["read events"]), trail("b", &[]));
    lake.record_trails(&[blind, whole], DAY_ZERO).await.unwrap();
    let again = lake_at(&uri).await;
    let looks = [trail("a", &[])];
    let (one, other) = tokio::join!(
        lake.record_trails(&looks, DAY_ZERO + HOUR),
        again.record_trails(&looks, DAY_ZERO + 2 * HOUR),
    );
    one.unwrap();
    other.unwrap();
    assert_eq!(number(&lake, "SELECT count(*) FROM trails").await, 4);
    let blind = "SELECT trail_arn FROM trails WHERE not_recorded[1] = 'read events'";
    assert!(text(&lake, blind).await.contains("trail/a "));
    lake.maintain(MaintainOptions::at(DAY_ZERO + 3 * HOUR)).await.unwrap();
    assert_eq!(number(&lake, "SELECT count(*) FROM trails").await, 4);
    assert_clean(&lake).await;
}
