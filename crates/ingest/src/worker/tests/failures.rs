//! What may pass is tried again, what will not is left to the dead letters, and an outage costs few receives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures::FutureExt as _;
use serde_json::json;

use super::support::{BUCKET, World, key, millis, notice};
use crate::IngestError;
use crate::disposition::MISSING_KEY_RECEIVES;
use crate::error::FetchFailure;
use crate::queue::{MemoryQueueOptions, QueueErrorKind};

fn redriven(max_receive_count: u32) -> World {
    let max_receive_count = Some(max_receive_count);
    World::with(MemoryQueueOptions { max_receive_count, shuffle: None })
}

/// Fetches fail like this, as long as the switch is on.
fn failing(world: &World, kind: FetchFailure) -> Arc<AtomicBool> {
    let on = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&on);
    world.objects.set_fault(Some(Arc::new(move |_| {
        let fails = switch.load(Ordering::SeqCst);
        async move { fails.then_some(kind) }.boxed()
    })));
    on
}

#[tokio::test]
async fn regression_a_message_that_cannot_be_read_is_left_to_the_dead_letters() {
    let mut world = redriven(3);
    let garbage = world.queue.push("no JSON at all");
    let unknown = world.queue.push(json!({"what": "is this"}).to_string());
    let version =
        json!({"Records": [{"eventVersion": "3.0", "eventName": "ObjectCreated:Put", "s3": {}}]});
    let version = world.queue.push(version.to_string());
    world.deliver(1);
    world.drain().await.unwrap();
    world.check().await;
    let mut dead: Vec<String> = world.queue.dead_letters().into_iter().map(|(id, _)| id).collect();
    dead.sort();
    assert_eq!(dead, [garbage, unknown, version]);
    assert_eq!(world.messages("dead_letter"), 9, "three receives of each");
}

#[tokio::test]
async fn the_good_records_of_a_message_are_kept() {
    let mut world = redriven(2);
    let good = world.put(1);
    let record = |key: &str| {
        json!({"eventVersion": "2.1", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}})
    };
    let mut bad = record(&good);
    bad["s3"]["bucket"]["name"] = json!(7);
    let id = world.queue.push(json!({ "Records": [bad, record(&good)] }).to_string());
    world.drain().await.unwrap();
    world.check().await;
    assert_eq!(world.queue.dead_letters()[0].0, id);
    assert_eq!((world.files("committed"), world.files("known")), (1, 1));
}

#[tokio::test]
async fn regression_a_deleted_key_is_not_asked_for_in_a_hot_loop() {
    let mut world = redriven(MISSING_KEY_RECEIVES + 2);
    world.settings.retry_base = millis(40);
    world.settings.retry_cap = millis(400);
    world.settings.poison_delay = millis(40);
    let id = world.queue.push(notice(&[&key(1)]));
    world.drain().await.unwrap();
    assert_eq!(world.queue.dead_letters()[0].0, id);
    let pauses = world.queue.changes();
    let expect = (MISSING_KEY_RECEIVES + 2) as usize;
    assert_eq!((pauses.len(), world.objects.fetches()), (expect, expect));
    assert!(pauses.iter().all(|pause| *pause >= millis(10)), "{pauses:?}");
    let retries = &pauses[..MISSING_KEY_RECEIVES as usize - 1];
    assert!(retries.iter().all(|pause| *pause >= millis(20)), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= millis(400)), "{pauses:?}");
    assert_eq!(world.messages("retried"), u64::from(MISSING_KEY_RECEIVES - 1));
}

#[tokio::test]
async fn a_key_that_comes_late_is_ingested() {
    let mut world = redriven(10);
    world.queue.push(notice(&[&key(7)]));
    let objects = world.objects.clone();
    let tries = Arc::new(AtomicU32::new(0));
    world.objects.set_fault(Some(Arc::new(move |object| {
        if tries.fetch_add(1, Ordering::SeqCst) == 2 {
            objects.put(&object.bucket, &object.key, super::support::content(7, 3));
        }
        async { None }.boxed()
    })));
    world.ought_to_hold(7, 3);
    world.drain().await.unwrap();
    world.check().await;
    assert!(world.queue.dead_letters().is_empty());
}

#[tokio::test]
async fn an_archived_object_is_counted_and_let_go() {
    let mut world = World::new();
    failing(&world, FetchFailure::Archived);
    world.objects.put(BUCKET, &key(1), "x");
    world.queue.push(notice(&[&key(1)]));
    world.drain().await.unwrap();
    assert!(world.queue.is_empty());
    assert_eq!((world.files("archived"), world.objects.fetches()), (1, 1));
}

/// Whatever lasts is in the ledger as refused, so that nobody takes the day for held; what may pass is not.
#[tokio::test]
async fn regression_what_could_not_be_had_is_in_the_ledger_until_it_can() {
    for (kind, refused) in [
        (FetchFailure::Archived, 1),
        (FetchFailure::Invalid, 1),
        (FetchFailure::Denied, 1),
        (FetchFailure::Kms, 1),
        (FetchFailure::NoSuchVersion, 1),
        (FetchFailure::Throttled, 0),
    ] {
        let mut world = redriven(3);
        let fails = failing(&world, kind);
        world.put(1);
        world.queue.push(notice(&[&key(1)]));
        world.work_until(|world| world.queue.is_empty()).await;
        let report = world.lake().await.check().await.unwrap();
        assert_eq!((report.refused, report.complete), (refused, 0), "{kind:?}");
        assert!(report.clean, "{kind:?}: {:?}", report.problems);
        // Restored, permitted or put back: S3 says so, or somebody sends it again.
        fails.store(false, Ordering::SeqCst);
        world.queue.push(notice(&[&key(1)]));
        world.drain().await.unwrap();
        world.check().await;
    }
}

/// A file that comes again while its refusal waits for the commit is another matter than a copy of a file that was read.
#[tokio::test]
async fn regression_a_file_is_taken_in_though_its_refusal_still_waits() {
    let mut world = World::new();
    world.settings.batch_age = millis(400);
    let tries = Arc::new(AtomicU32::new(0));
    world.objects.set_fault(Some(Arc::new(move |_| {
        let is_first = tries.fetch_add(1, Ordering::SeqCst) == 0;
        async move { is_first.then_some(FetchFailure::Archived) }.boxed()
    })));
    world.settings.fetches = 1;
    world.put(1);
    world.queue.push(notice(&[&key(1)]));
    world.queue.push(notice(&[&key(1)]));
    world.drain().await.unwrap();
    world.check().await;
    assert_eq!((world.files("archived"), world.files("committed")), (1, 1));
}

#[tokio::test]
async fn what_is_no_log_file_inside_is_recorded_and_let_go() {
    let mut world = World::new();
    world.objects.put(BUCKET, &key(1), "{\"not\": \"records\"}");
    world.queue.push(notice(&[&key(1)]));
    world.deliver(2);
    world.drain().await.unwrap();
    world.check().await;
    assert_eq!(world.files("refused"), 1);
    assert_eq!(world.lake().await.check().await.unwrap().refused, 1);
}

/// Forty messages, a bucket that refuses: receiving stops after a few, and goes on when it answers again.
#[tokio::test]
async fn an_outage_of_the_bucket_does_not_walk_the_queue_into_the_dead_letters() {
    for kind in [FetchFailure::Denied, FetchFailure::Kms, FetchFailure::Throttled] {
        let mut world = redriven(12);
        world.settings.breaker_cap = millis(400);
        let refuses = failing(&world, kind);
        for number in 0..40 {
            world.deliver(number);
        }
        let started = std::time::Instant::now();
        let mut opened = false;
        let mut receives = 0;
        world
            .work_until(|world| {
                opened |= world.metrics.health().breaker.is_some();
                if started.elapsed() >= millis(1_500) && refuses.swap(false, Ordering::SeqCst) {
                    receives = world.queue.receives();
                    assert!(world.metrics.health().ready().is_err());
                }
                world.queue.is_empty()
            })
            .await;
        assert!(opened);
        assert!(receives <= 70, "{receives} receives of 40 messages during the outage");
        assert_eq!(world.queue.dead_letters(), [], "{kind:?}");
        world.check().await;
        assert_eq!(world.metrics.health().breaker, None);
    }
}

/// The lake can be opened but not written, and after a while it can.
#[tokio::test]
async fn an_outage_of_the_lake_stops_receiving_until_it_is_over() {
    let mut world = redriven(12);
    world.settings.breaker_cap = millis(300);
    let partition = world.path().join("credential_events").join("event_date=2026-01-05");
    let away = partition.with_file_name("away");
    for number in 0..10 {
        world.deliver(number);
    }
    let mut phase = 0;
    let mut opened_at = std::time::Instant::now();
    world
        .work_until(|world| {
            match phase {
                0 if world.metrics.commits() > 0 => {
                    std::fs::rename(&partition, &away).unwrap();
                    std::fs::write(&partition, "not a folder").unwrap();
                    (20..40).for_each(|number| world.deliver(number));
                    phase = 1;
                }
                1 if world.metrics.health().breaker == Some("the lake refuses") => {
                    (phase, opened_at) = (2, std::time::Instant::now());
                }
                2 if opened_at.elapsed() > millis(500) => {
                    std::fs::remove_file(&partition).unwrap();
                    std::fs::rename(&away, &partition).unwrap();
                    phase = 3;
                }
                _ => {}
            }
            phase == 3 && world.queue.is_empty()
        })
        .await;
    assert_eq!(world.queue.dead_letters(), []);
    world.check().await;
}

#[tokio::test]
async fn a_lake_that_is_gone_ends_the_worker_and_releases_what_it_held() {
    let mut world = World::new();
    world.deliver(1);
    drop(world.lake().await);
    let log = world.path().join("credential_events").join("_delta_log");
    let once = AtomicBool::new(true);
    world.objects.set_fault(Some(Arc::new(move |_| {
        // After the worker has opened the lake.
        if once.swap(false, Ordering::SeqCst) {
            std::fs::rename(&log, log.with_file_name("away")).unwrap();
            std::fs::write(&log, "not a folder").unwrap();
        }
        async { None }.boxed()
    })));
    let error = world.drain().await.unwrap_err();
    assert!(matches!(error, IngestError::Lake(_)), "{error}");
    assert!(world.objects.fetches() <= 2, "{} fetches", world.objects.fetches());
    assert_eq!((world.queue.len(), world.metrics.health().in_flight), (1, 0));
    assert!(world.queue.changes().iter().all(|change| *change <= millis(300)));
}

#[tokio::test]
async fn a_queue_that_fails_now_and_then_changes_nothing() {
    let mut world = World::with(MemoryQueueOptions { max_receive_count: None, shuffle: Some(11) });
    // What the queue refuses for good comes back when its timeout ends.
    world.settings.visibility_timeout = millis(3_000);
    let calls = AtomicU32::new(0);
    world.queue.set_fault(Some(Arc::new(move |call| {
        let number = calls.fetch_add(1, Ordering::SeqCst);
        let fails = number % 3 == 1 && (call == "delete" || call == "change_visibility");
        fails.then_some(if number.is_multiple_of(2) {
            QueueErrorKind::Throttled
        } else {
            QueueErrorKind::Invalid
        })
    })));
    for number in 0..30 {
        world.deliver(number);
    }
    world.drain().await.unwrap();
    world.check().await;
}

#[tokio::test]
async fn a_queue_that_refuses_from_the_start_is_said() {
    let mut world = World::new();
    world.queue.set_fault(Some(Arc::new(|_| Some(QueueErrorKind::Refused))));
    let error = world.drain().await.unwrap_err();
    assert!(matches!(error, IngestError::Queue(_)), "{error}");
    assert!(world.metrics.health().ready().is_err());
}
