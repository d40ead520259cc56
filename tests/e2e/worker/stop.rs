//! Told to stop, a worker ends in time and loses nothing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rolecall_testkit::Kind;

use super::stage::{Stage, until};
use crate::support::{Delivered, Fault, Ground, assert_lake_equals_truth};

/// Each of these is still being read when the worker is told to stop.
const SLOW: usize = 6;

#[test]
fn sigterm_while_files_are_read() {
    let delivered = Delivered::in_few_files(31);
    let stage = Stage::notified(Ground::Folder, 5);
    let logs: Vec<_> = delivered.objects.iter().filter(|file| file.kind == Kind::Log).collect();
    let slow: BTreeSet<String> = logs.iter().take(SLOW).map(|file| file.key.clone()).collect();
    stage.proxy.fail(move |call, _| {
        slow.iter().any(|key| call.fetches(key)).then_some(Fault::Stall(Duration::from_secs(40)))
    });
    let objects = delivered.objects.iter().filter(|file| file.kind != Kind::Folder);
    stage.trail.put(objects.map(|file| (file.key.clone(), file.bytes.clone())));
    let mut worker = stage.worker(&["--batch-seconds", "600"]);
    // Whatever is committed before it is told to stop, the slow ones are not.
    until(Duration::from_secs(60), || {
        let fetched = stage.proxy.count(|call| call.fetches(".json.gz"));
        let held = worker.metric("rolecall_messages_in_flight");
        if fetched >= logs.len() && held >= SLOW as f64 {
            Ok(())
        } else {
            Err(format!("{fetched} fetched, {held} held"))
        }
    });
    let told = Instant::now();
    let run = worker.stop();
    assert!(told.elapsed() < Duration::from_secs(28), "{run}");

    let left = stage.queue.messages();
    assert!(left.iter().all(|message| message.visible), "hidden although released: {left:?}");
    assert_eq!(left.len(), SLOW, "{left:?}");
    let lake = stage.lake();
    let known = lake.number("select count(*) as n from log_files where status = 'complete'");
    assert_eq!(known, (logs.len() - SLOW) as u64);

    stage.proxy.heal();
    stage.drain();
    assert!(stage.queue.messages().is_empty() && stage.queue.dead_letters().is_empty());
    assert_lake_equals_truth(&lake, &delivered.truth);
}

#[test]
fn either_signal_ends_an_idle_worker() {
    let stage = Stage::new(Ground::Folder, 5);
    for signal in ["TERM", "INT"] {
        let mut worker = stage.worker(&[]);
        worker.wait_until_ready(true);
        let told = Instant::now();
        worker.signal(signal);
        let run = worker.wait(Duration::from_secs(30)).exits(0);
        assert!(told.elapsed() < Duration::from_secs(10), "SIG{signal}: {run}");
    }
}
