//! What the worker says of itself over HTTP, and what it does while something refuses: it waits, it says so,
//! and it does not walk the queue into the dead letters.

use std::time::Duration;

use rolecall_testkit::Kind;

use super::stage::{Stage, Worker, until};
use crate::support::{Delivered, Fault, Ground, Lying, assert_lake_equals_truth};

/// Few, so that an outage that uses up receives is noticed.
const MAX_RECEIVES: u32 = 4;
const LIMIT: Duration = Duration::from_secs(90);
/// Acknowledged without further ado.
const NOTHING: &str = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"none"}"#;

/// Promised to dashboards.
const METRICS: [&str; 18] = [
    "rolecall_messages_total{outcome=\"committed\"}",
    "rolecall_messages_total{outcome=\"dead_letter\"}",
    "rolecall_log_files_total{outcome=\"committed\"}",
    "rolecall_log_files_total{outcome=\"not_a_log_file\"}",
    "rolecall_records_total",
    "rolecall_read_bytes_total",
    "rolecall_inflated_bytes_total",
    "rolecall_rejected_records_total",
    "rolecall_commit_seconds_count",
    "rolecall_commit_seconds_sum",
    "rolecall_batch_age_seconds",
    "rolecall_event_lag_seconds_count",
    "rolecall_event_lag_seconds_sum",
    "rolecall_messages_in_flight",
    "rolecall_breaker_open",
    "rolecall_commits_total",
    "rolecall_last_commit_timestamp_seconds",
    "rolecall_queue_failures_total",
];

fn deliver(stage: &Stage, delivered: &Delivered) {
    let objects = delivered.objects.iter().filter(|file| file.kind != Kind::Folder);
    stage.trail.put(objects.map(|file| (file.key.clone(), file.bytes.clone())));
}

#[test]
fn health_and_metrics() {
    let delivered = Delivered::in_few_files(41);
    let stage = Stage::notified(Ground::Folder, MAX_RECEIVES);
    let mut worker = stage.worker(&["--batch-seconds", "1"]);
    worker.wait_until_ready(true);
    let answer = worker.get("/metrics");
    let kind = answer.head.header("content-type").unwrap();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(answer.text().ends_with("# EOF\n"), "{}", answer.text());
    for name in METRICS {
        assert_eq!(worker.metric(name), 0.0, "{name} before anything happened");
    }
    for path in ["/", "/health", "/metrics/more"] {
        assert_eq!(worker.get(path).status, 404, "{path}");
    }

    deliver(&stage, &delivered);
    stage.wait_for_empty_queue(LIMIT);
    let truth = &delivered.truth.totals;
    assert_eq!(worker.metric("rolecall_records_total"), truth.records as f64);
    assert_eq!(worker.metric("rolecall_rejected_records_total"), truth.rejected as f64);
    let others = delivered.objects.iter();
    let others = others.filter(|file| !matches!(file.kind, Kind::Log | Kind::Folder)).count();
    let skipped = worker.metric("rolecall_log_files_total{outcome=\"not_a_log_file\"}");
    assert_eq!(skipped, others as f64);
    assert_eq!(
        worker.metric("rolecall_log_files_total{outcome=\"committed\"}"),
        truth.files as f64
    );
    assert!(
        worker.metric("rolecall_inflated_bytes_total") > worker.metric("rolecall_read_bytes_total")
    );
    assert_eq!(worker.metric("rolecall_messages_in_flight"), 0.0);
    let commits = worker.metric("rolecall_commits_total");
    assert!(commits > 0.0);
    assert_eq!(worker.metric("rolecall_commit_seconds_count"), commits);
    assert!(worker.metric("rolecall_last_commit_timestamp_seconds") > 1.7e9);

    the_queue_fails(&stage, &mut worker);
    let run = worker.stop();
    for line in run.stderr().lines() {
        let line: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(line.is_ok_and(|line| line["level"].is_string()), "a log line is not JSON: {run}");
    }
    assert_lake_equals_truth(&stage.lake(), &delivered.truth);
}

/// It says so while the queue refuses or does not answer, lives on, and recovers.
fn the_queue_fails(stage: &Stage, worker: &mut Worker) {
    for fault in [Fault::Refuse(400, "AccessDeniedException"), Fault::CloseBefore] {
        stage.proxy.fail(move |call, _| call.is_sqs("ReceiveMessage").then_some(fault));
        // Ends the poll that is under way.
        stage.queue.send([NOTHING]);
        let said = worker.wait_until_ready(false);
        assert!(said.contains("queue") || said.contains("receive"), "{fault:?}: {said}");
        assert!(worker.metric("rolecall_queue_failures_total") > 0.0);
        stage.proxy.heal();
        worker.wait_until_ready(true);
    }
}

/// Whoever refuses, nothing is lost, nothing becomes a dead letter, and all is well when it does no more.
fn refused(stage: &Stage, fails: impl Fn() -> String, seed: u64) {
    let delivered = Delivered::in_few_files(seed);
    let mut worker = stage.worker(&["--batch-seconds", "1", "--visibility-timeout", "10"]);
    worker.wait_until_ready(true);
    let refusing = fails();
    stage
        .proxy
        .fail(move |call, _| call.is_in(&refusing).then_some(Fault::Refuse(403, "AccessDenied")));
    deliver(stage, &delivered);
    let said = worker.wait_until_ready(false);
    assert!(said.contains("nothing is received"), "{said}");
    assert_eq!(worker.metric("rolecall_breaker_open"), 1.0);
    // A poll may have been under way; after that, nobody asks for messages.
    std::thread::sleep(Duration::from_secs(2));
    let polls = || stage.proxy.count(|call| call.is_sqs("ReceiveMessage"));
    let before = polls();
    std::thread::sleep(Duration::from_secs(3));
    assert!(polls() <= before + 1, "{} receives while everything is refused", polls() - before);
    let often = |message: &Lying| message.receive_count > u64::from(MAX_RECEIVES) / 2;
    let messages = stage.queue.messages();
    assert!(!messages.iter().any(often), "walked to the end: {messages:?}");

    stage.proxy.heal();
    worker.wait_until_ready(true);
    until(LIMIT, || match worker.metric("rolecall_breaker_open") {
        0.0 => Ok(()),
        _ => Err("still open".to_owned()),
    });
    stage.wait_for_empty_queue(LIMIT);
    worker.stop();
    assert_eq!(stage.queue.dead_letters(), [""; 0]);
    assert_lake_equals_truth(&stage.lake(), &delivered.truth);
}

#[test]
fn the_lake_refuses() {
    let stage = Stage::notified(Ground::S3, MAX_RECEIVES);
    refused(&stage, || stage.scratch.bucket().unwrap().name().to_owned(), 42);
}

#[test]
fn the_trails_bucket_refuses() {
    let stage = Stage::notified(Ground::Folder, MAX_RECEIVES);
    refused(&stage, || stage.trail.name().to_owned(), 43);
}

/// Somebody has to mend it, so that saying it once and ending is better than waiting.
#[test]
fn a_queue_that_is_not_there() {
    let stage = Stage::new(Ground::Folder, MAX_RECEIVES);
    stage.queue.delete();
    let run = stage.worker_cmd(&[]).run();
    assert!(!run.succeeded(), "{run}");
    run.complains_of(&[&stage.queue.url()]);
}
