//! Told to stop, or killed: nothing is lost, nothing is doubled, and it does not take long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use rolecall_lake::step::Step;
use tokio_util::sync::CancellationToken;

use super::support::{World, in_time, key, millis, notice};
use crate::queue::Queue as _;

/// Stops a worker that holds files in every stage: some are read, some hang, some are not begun.
#[tokio::test]
async fn regression_work_in_flight_is_committed_or_released_when_told_to_stop() {
    let mut world = World::new();
    world.settings.batch_age = Duration::from_secs(3_600);
    world.settings.visibility_timeout = Duration::from_secs(3_600);
    world.settings.stop_within = millis(4_000);
    world.settings.fetches = 2;
    for number in 0..12 {
        world.deliver(number);
    }
    let hangs = |key: &str| key.ends_with("6.json.gz") || key.ends_with("7.json.gz");
    world.objects.set_fault(Some(Arc::new(move |object| {
        async move {
            if hangs(&object.key) {
                std::future::pending::<()>().await;
            }
            None
        }
        .boxed()
    })));
    let stop = CancellationToken::new();
    let worker = world.start(&stop).await;
    let held = async {
        while world.objects.fetches() < 8 || world.metrics.health().in_flight < 12 {
            tokio::time::sleep(millis(5)).await;
        }
    };
    in_time(held).await;
    let told = Instant::now();
    stop.cancel();
    in_time(worker).await.unwrap().unwrap();
    let took = told.elapsed();
    assert!(took < millis(4_500), "it took {took:?}");
    assert_eq!(world.metrics.health().in_flight, 0);
    assert_eq!(world.files("committed"), 6, "what was read is committed");
    assert_eq!(world.queue.len(), 6, "and acknowledged; the rest is there");
    let released = world.queue.receive(10, Duration::ZERO, Duration::from_secs(60)).await.unwrap();
    assert_eq!(released.len(), 6, "and visible at once");
    world.queue.expire_all();
    world.objects.set_fault(None);
    world.drain().await.unwrap();
    world.check().await;
}

#[tokio::test]
async fn an_idle_worker_stops_at_once() {
    let mut world = World::new();
    world.settings.poll_wait = Duration::from_secs(20);
    world.settings.stop_within = Duration::from_secs(2);
    let stop = CancellationToken::new();
    let worker = world.start(&stop).await;
    tokio::time::sleep(millis(100)).await;
    let told = Instant::now();
    stop.cancel();
    in_time(worker).await.unwrap().unwrap();
    assert!(told.elapsed() < Duration::from_secs(1), "{:?}", told.elapsed());
}

/// Every step of a commit, one after the other: the worker dies there, and another one takes over. What was
/// not durable is ingested then, so nothing but the ledger can have known it.
#[tokio::test]
async fn regression_nothing_counts_as_known_before_its_commit_is_durable() {
    let mut world = World::new();
    world.deliver(0);
    world.drain().await.unwrap();
    for fatal_step in (1..=21_u32).step_by(2) {
        let number = 100 + fatal_step;
        world.put(number);
        world.queue.push(notice(&[&key(number)]));
        let met = AtomicU32::new(0);
        world.on_step(Some(Arc::new(move |_: Step| {
            assert!(met.fetch_add(1, Ordering::SeqCst) + 1 != fatal_step, "killed here, as meant");
        })));
        let died = world.drain().await.is_err();
        world.on_step(None);
        world.queue.expire_all();
        world.drain().await.unwrap();
        assert!(world.queue.is_empty());
        if !died {
            world.check().await;
            assert!(fatal_step > 14, "a commit of four tables has more steps than {fatal_step}");
            return;
        }
    }
    panic!("every run died");
}
