//! A history handed to the queue, and `ingest` beside a live worker.

use std::time::Duration;

use rolecall_testkit::Kind;
use serde_json::Value;

use super::stage::Stage;
use crate::support::{Cmd, Delivered, Fault, Ground, Run, assert_lake_equals_truth};

fn put(stage: &Stage, delivered: &Delivered) {
    let objects = delivered.objects.iter().filter(|file| file.kind != Kind::Folder);
    stage.trail.put(objects.map(|file| (file.key.clone(), file.bytes.clone())));
}

fn backfill(stage: &Stage) -> Cmd {
    let state = stage.scratch.path("backfill.state");
    let cmd = stage.scratch.rolecall(["backfill", "--format", "json", "--enqueue"]);
    let cmd = cmd.arg(stage.trail.uri()).args(["--queue-url", &stage.queue.url()]);
    stage.proxied(cmd.arg("--state-file").arg(state))
}

fn enqueued(run: &Run) -> u64 {
    run.json()["enqueued_files"].as_u64().unwrap_or_else(|| panic!("{run}"))
}

/// The dates that messages are about, in the order in which they lie in the queue.
fn days(stage: &Stage) -> Vec<String> {
    let mut days = Vec::new();
    for message in stage.queue.messages() {
        let body: Value = serde_json::from_str(&message.body).unwrap();
        for record in body["Records"].as_array().unwrap() {
            let key = record["s3"]["object"]["key"].as_str().unwrap();
            let name = key.rsplit('/').next().unwrap();
            days.push(name.split('_').nth(3).unwrap()[..8].to_owned());
        }
    }
    days
}

#[test]
fn a_history_shared_by_workers() {
    let delivered = Delivered::in_few_files(61);
    let stage = Stage::new(Ground::S3, 10);
    put(&stage, &delivered);
    // Messages arrive, but it never hears so, and is refused when it asks again.
    let mut faults = [Fault::CloseAfter].into_iter();
    stage.proxy.fail(move |call, _| {
        let refused = Fault::Refuse(400, "AccessDeniedException");
        call.is_sqs("SendMessageBatch").then(|| faults.next().unwrap_or(refused))
    });
    let run = backfill(&stage).run();
    assert!(!run.succeeded(), "{run}");
    run.complains_of(&["AccessDenied"]);
    assert!(!stage.queue.messages().is_empty(), "nothing arrived: {run}");
    stage.proxy.heal();
    let run = backfill(&stage).run().exits(0);
    assert!(enqueued(&run) > 0, "{run}");
    let again = backfill(&stage).run().exits(0);
    assert_eq!(enqueued(&again), 0, "{again}");

    let mut days = days(&stage);
    assert!(days.len() as u64 >= delivered.truth.totals.files, "{} are in the queue", days.len());
    // What the interrupted run sent comes first, and starts over at the first day.
    let resumed = days.split_off(days.len() - usize::try_from(enqueued(&run)).unwrap());
    assert!(resumed.is_sorted(), "not in the order of days: {resumed:?}");

    let flags = ["--drain", "--batch-seconds", "1"];
    let workers = [stage.worker(&flags), stage.worker(&flags)];
    for worker in workers {
        worker.wait(Duration::from_secs(90)).exits(0);
    }
    assert!(stage.queue.messages().is_empty() && stage.queue.dead_letters().is_empty());
    assert_lake_equals_truth(&stage.lake(), &delivered.truth);
}

#[test]
fn ingest_beside_a_live_worker() {
    let delivered = Delivered::in_few_files(62);
    let stage = Stage::notified(Ground::S3, 10);
    let lake = stage.lake();
    let worker = stage.worker(&["--batch-seconds", "1"]);
    put(&stage, &delivered);
    let run = stage.proxied(lake.ingest([stage.trail.uri()])).run();
    assert!(run.is_done(), "{run}");
    stage.wait_for_empty_queue(Duration::from_secs(90));
    worker.stop();
    assert_eq!(stage.queue.dead_letters(), [""; 0]);
    assert_lake_equals_truth(&lake, &delivered.truth);
}
