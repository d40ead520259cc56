//! What is delivered comes to the lake: every shape, every record, once; and is then acknowledged.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::json;

use super::support::{BUCKET, World, content, gzip, key, millis, notice};
use crate::queue::{MemoryQueueOptions, Queue as _};

#[tokio::test]
async fn messages_become_rows_and_are_deleted() {
    let mut world = World::new();
    for number in 0..25 {
        world.deliver(number);
    }
    world.drain().await.unwrap();
    world.check().await;
    assert_eq!((world.files("committed"), world.messages("committed")), (25, 25));
    assert!(world.metrics.commits() <= 5, "{} commits", world.metrics.commits());
    assert_eq!(world.queue.receives(), 25, "each was received once");
}

#[tokio::test]
async fn every_shape_on_one_queue() {
    let mut world = World::new();
    let keys: Vec<String> = (0..5).map(|number| world.put(number)).collect();
    let envelope = |message: &str| json!({"Type": "Notification", "Message": message}).to_string();
    world.queue.push(notice(&[&keys[0]]));
    world.queue.push(envelope(&notice(&[&keys[1]])));
    let event = json!({"detail-type": "Object Created", "source": "aws.s3",
        "detail": {"bucket": {"name": BUCKET}, "object": {"key": keys[2]}}});
    world.queue.push(event.to_string());
    let of_cloudtrail = |key| json!({"s3Bucket": BUCKET, "s3ObjectKey": [key]}).to_string();
    world.queue.push(of_cloudtrail(&keys[3]));
    world.queue.push(envelope(&of_cloudtrail(&keys[4])));
    world.queue.push(json!({"Service": "Amazon S3", "Event": "s3:TestEvent"}).to_string());
    world.queue.push("CloudTrail validation message.");
    world.drain().await.unwrap();
    world.check().await;
    assert_eq!((world.messages("committed"), world.messages("nothing_to_do")), (5, 2));
}

#[tokio::test]
async fn regression_all_records_of_a_notification_are_ingested() {
    let mut world = World::new();
    let keys: Vec<String> = (0..7).map(|number| world.put(number)).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    world.queue.push(notice(&keys));
    world.drain().await.unwrap();
    world.check().await;
    assert_eq!((world.files("committed"), world.messages("committed")), (7, 1));
}

#[tokio::test]
async fn regression_a_plus_sign_in_a_key_is_a_space_and_an_encoded_one_is_itself() {
    let mut world = World::new();
    let stored = format!("our logs+more/{}", key(1));
    world.objects.put(BUCKET, &stored, content(1, 2));
    world.ought_to_hold(1, 2);
    world.queue.push(notice(&[&format!("our+logs%2Bmore/{}", key(1))]));
    world.drain().await.unwrap();
    world.check().await;
}

#[tokio::test]
async fn regression_a_digest_is_not_read_as_a_log_file() {
    let mut world = World::new();
    let digest = "AWSLogs/123456789012/CloudTrail-Digest/us-east-1/2026/01/05/\
                  123456789012_CloudTrail-Digest_us-east-1_t_us-east-1_20260105T071500Z.json.gz";
    let insight = digest.replace("Digest", "Insight");
    for key in [digest, insight.as_str(), "AWSLogs/123456789012/CloudTrail/", "other/app.json.gz"] {
        world.objects.put(BUCKET, key, gzip(b"{}"));
        world.queue.push(notice(&[key]));
    }
    world.deliver(1);
    world.drain().await.unwrap();
    world.check().await;
    assert_eq!((world.files("not_a_log_file"), world.messages("nothing_to_do")), (4, 4));
    assert_eq!(world.objects.fetches(), 1, "they are not even fetched");
}

#[tokio::test]
async fn the_version_that_the_message_names_is_read() {
    let mut world = World::new();
    let first = world.objects.put(BUCKET, &key(1), content(1, 3));
    world.objects.put(BUCKET, &key(1), content(1, 9));
    world.ought_to_hold(1, 3);
    let record = json!({"eventVersion": "2.1", "eventName": "ObjectCreated:Put", "s3": {
        "bucket": {"name": BUCKET}, "object": {"key": key(1), "versionId": first}}});
    world.queue.push(json!({ "Records": [record] }).to_string());
    world.drain().await.unwrap();
    world.check().await;
}

/// A file that comes again while its first copy waits for the commit is acknowledged with it, not before.
#[tokio::test]
async fn copies_of_a_message_cost_one_commit() {
    let mut world = World::with(MemoryQueueOptions { shuffle: Some(3), ..Default::default() });
    for number in 0..8 {
        world.deliver(number);
    }
    world.queue.duplicate_all();
    world.queue.duplicate_all();
    world.drain().await.unwrap();
    world.check().await;
    assert_eq!((world.files("committed"), world.files("known")), (8, 24));
    world.queue.push(notice(&[&key(3)]));
    let fetches = world.objects.fetches();
    world.drain().await.unwrap();
    assert_eq!(world.objects.fetches(), fetches, "a known name is not fetched again");
    world.check().await;
}

/// Messages come ten at a time, wait longer than their visibility timeout for slow objects and for the
/// commit, and are still received once each.
#[tokio::test]
async fn regression_held_messages_stay_hidden_for_as_long_as_it_takes() {
    let mut world = World::new();
    world.settings.visibility_timeout = millis(2_000);
    world.settings.batch_age = millis(2_500);
    world.settings.fetches = 2;
    for number in 0..20 {
        world.deliver(number);
    }
    world.objects.set_fault(Some(Arc::new(|object| {
        async move {
            let slow = object.key.ends_with("0001.json.gz") || object.key.ends_with("0002.json.gz");
            tokio::time::sleep(if slow { millis(3_000) } else { Duration::ZERO }).await;
            None
        }
        .boxed()
    })));
    world.work_until(|world| world.queue.is_empty()).await;
    world.check().await;
    assert_eq!(world.queue.receives(), 20, "none became visible again");
    let extended = world.queue.changes().iter().filter(|change| **change == millis(2_000)).count();
    assert!(extended >= 20, "{extended} extensions");
}

/// <https://github.com/elastic/beats/issues/37754>
#[tokio::test]
async fn regression_a_batch_does_not_wait_for_messages_that_may_not_be_taken() {
    let mut world = World::new();
    world.settings.max_messages = 3;
    world.settings.batch_age = Duration::from_secs(3_600);
    for number in 0..10 {
        world.deliver(number);
    }
    let many = world.put(10);
    let keys: Vec<String> = (11..40).map(|number| world.put(number)).collect();
    let mut keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    keys.push(&many);
    world.queue.push(notice(&keys));
    // So that there is one message less than may be held at the end, and the batch cannot wait for more.
    world.work_until(|world| world.queue.len() <= 1).await;
    world.drain().await.unwrap();
    world.check().await;
}

#[tokio::test]
async fn no_more_messages_are_held_than_may_be() {
    let mut world = World::new();
    world.settings.max_messages = 12;
    world.settings.fetches = 3;
    for number in 0..40 {
        world.deliver(number);
    }
    world.objects.set_fault(Some(Arc::new(|_| {
        async {
            tokio::time::sleep(millis(10)).await;
            None
        }
        .boxed()
    })));
    let mut most = 0;
    world
        .work_until(|world| {
            most = most.max(world.metrics.health().in_flight);
            world.queue.is_empty()
        })
        .await;
    world.check().await;
    assert!((1..=12).contains(&most), "{most} held");
    assert!(world.objects.most_fetching() <= 3, "{} fetches", world.objects.most_fetching());
}

/// What matters is the text, not the bytes as stored: a small object may hold any amount of it.
#[tokio::test]
async fn regression_memory_is_judged_by_what_comes_out() {
    let mut world = World::new();
    world.settings.limits.max_inflated_bytes = 1 << 20;
    world.settings.batch_age = Duration::from_secs(3_600);
    world.settings.batch_bytes = 1 << 20;
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 1 << 17, "{} bytes", bomb.len());
    world.objects.put(BUCKET, &key(0), bomb);
    world.queue.push(notice(&[&key(0)]));
    world.objects.put(BUCKET, &key(1), vec![b'x'; (1 << 20) + 1]);
    world.queue.push(notice(&[&key(1)]));
    let mut stored = 0;
    for number in 2..20 {
        let bytes = gzip(&content(number, 1_000));
        stored += bytes.len();
        world.objects.put(BUCKET, &key(number), bytes);
        world.ought_to_hold(number, 1_000);
        world.queue.push(notice(&[&key(number)]));
    }
    assert!(stored < world.settings.batch_bytes, "as stored, one batch would hold them: {stored}");
    world.drain().await.unwrap();
    world.check().await;
    assert_eq!((world.files("refused"), world.files("committed")), (2, 18));
    assert!(world.metrics.commits() > 2, "{} commits", world.metrics.commits());
    let report = world.lake().await.check().await.unwrap();
    assert_eq!(report.refused, 2, "the ledger has both, to be tried again with a higher cap");
}

#[tokio::test]
async fn draining_waits_for_messages_that_others_hold() {
    let mut world = World::new();
    world.deliver(1);
    let held = world.queue.receive(1, Duration::ZERO, millis(1_500)).await.unwrap();
    assert_eq!(held.len(), 1);
    world.drain().await.unwrap();
    world.check().await;
}
