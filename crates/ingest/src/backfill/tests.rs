//! A history on the queue: complete, by day, in messages that SQS takes, also when broken off.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::queue::{MemoryQueueOptions, QueueErrorKind};
use crate::{MemoryObjects, MemoryQueue, notification};

fn bucket() -> (MemoryObjects, Vec<String>) {
    let objects = MemoryObjects::new();
    let mut keys = Vec::new();
    for account in 1..4 {
        for day in 1..6 {
            for number in 0..20 {
                let key = format!(
                    "our logs+/AWSLogs/{account:012}/CloudTrail/us-east-1/2026/01/{day:02}/\
                     {account:012}_CloudTrail_us-east-1_202601{day:02}T0715Z_{number:016}.json.gz"
                );
                objects.put("b", &key, "x");
                keys.push(key);
            }
        }
    }
    objects.put(
        "b",
        "our logs+/AWSLogs/000000000001/CloudTrail-Digest/us-east-1/2026/01/01/d.json.gz",
        "x",
    );
    objects.put(
        "b",
        "our logs+/AWSLogs/000000000001/CloudTrail/us-east-1/2026/01/01/note.txt",
        "x",
    );
    keys.sort();
    (objects, keys)
}

fn queue() -> MemoryQueue {
    let started = Instant::now();
    MemoryQueue::new(Arc::new(move || started.elapsed()), MemoryQueueOptions::default())
}

fn request() -> EnqueueRequest {
    EnqueueRequest {
        bucket: "b".to_owned(),
        prefix: "our logs+/".to_owned(),
        selection: Selection::default(),
        state_file: None,
        keys_per_message: 7,
        elapsed: Arc::new(|| Duration::ZERO),
        stop: CancellationToken::new(),
    }
}

/// Keys of each message, in the order of sending.
async fn messages(queue: &MemoryQueue) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    loop {
        let hidden = Duration::from_secs(3_600);
        let received = queue.receive(BATCH, Duration::ZERO, hidden).await.unwrap();
        if received.is_empty() {
            return all;
        }
        for message in received {
            let read = notification::read(&message.body).unwrap();
            assert_eq!((read.ignored, read.bad.len()), (0, 0));
            assert!(read.created.iter().all(|created| created.bucket == "b"));
            all.push(read.created.into_iter().map(|created| created.key).collect());
        }
    }
}

fn day(key: &str) -> &str {
    key.split("/2026/01/").nth(1).and_then(|rest| rest.get(..2)).unwrap()
}

#[tokio::test]
async fn all_log_files_by_day_in_messages_that_can_be_read() {
    let (objects, keys) = bucket();
    let queue = queue();
    let seen = Mutex::new(Vec::new());
    let progress = |snapshot: EnqueueSnapshot| seen.lock().unwrap().push(snapshot);
    let done = enqueue(&objects, &queue, &request(), &progress).await.unwrap();
    let messages = messages(&queue).await;
    assert!(messages.iter().all(|keys| (1..=7).contains(&keys.len())));
    let mut sent: Vec<String> = messages.into_iter().flatten().collect();
    assert!(sent.iter().map(|key| day(key)).is_sorted(), "by day across accounts");
    sent.sort();
    assert_eq!(sent, keys);
    assert!(done.finished);
    assert_eq!((done.enqueued_files, done.listed_files, done.skipped_files), (300, 300, 1));
    assert_eq!(done.first_day, NaiveDate::from_ymd_opt(2026, 1, 1));
    assert_eq!(done.day, NaiveDate::from_ymd_opt(2026, 1, 5));
    assert_eq!(seen.lock().unwrap().last(), Some(&done));
}

#[tokio::test]
async fn batches_are_small_enough_for_sqs() {
    let objects = MemoryObjects::new();
    for number in 0..300 {
        let prefix = "ü".repeat(400);
        let key = format!(
            "{prefix}/AWSLogs/000000000001/CloudTrail/us-east-1/2026/01/01/{number:04}.json.gz"
        );
        objects.put("b", &key, "x");
    }
    struct Sizes(MemoryQueue, Mutex<Vec<usize>>);
    #[async_trait::async_trait]
    impl Queue for Sizes {
        async fn receive(
            &self,
            max: usize,
            wait: Duration,
            visibility: Duration,
        ) -> Result<Vec<crate::queue::Message>, crate::QueueError> {
            self.0.receive(max, wait, visibility).await
        }
        async fn delete(
            &self,
            receipts: &[crate::queue::Receipt],
        ) -> Result<Vec<crate::queue::EntryFailure>, crate::QueueError> {
            self.0.delete(receipts).await
        }
        async fn change_visibility(
            &self,
            changes: &[(crate::queue::Receipt, Duration)],
        ) -> Result<Vec<crate::queue::EntryFailure>, crate::QueueError> {
            self.0.change_visibility(changes).await
        }
        async fn send(
            &self,
            bodies: &[String],
        ) -> Result<Vec<crate::queue::EntryFailure>, crate::QueueError> {
            self.1.lock().unwrap().push(bodies.iter().map(String::len).sum());
            self.0.send(bodies).await
        }
        async fn attributes(&self) -> Result<crate::queue::QueueAttributes, crate::QueueError> {
            self.0.attributes().await
        }
    }
    let sizes = Sizes(queue(), Mutex::default());
    let request = EnqueueRequest { prefix: String::new(), keys_per_message: 1_000, ..request() };
    enqueue(&objects, &sizes, &request, &|_| {}).await.unwrap();
    let largest = *sizes.1.lock().unwrap().iter().max().unwrap();
    assert!(largest <= 256 << 10, "{largest} bytes");
    assert!(largest > 100 << 10, "{largest} bytes, so this test tests nothing");
    assert_eq!(messages(&sizes.0).await.concat().len(), 300);
}

#[tokio::test]
async fn a_backfill_that_is_broken_off_goes_on() {
    let (objects, keys) = bucket();
    let queue = queue();
    let folder = tempfile::tempdir().unwrap();
    let state_file = Some(folder.path().join("backfill.json"));
    let mut sent_before = 0;
    let mut runs = 0;
    loop {
        runs += 1;
        let stop = CancellationToken::new();
        let request =
            EnqueueRequest { state_file: state_file.clone(), stop: stop.clone(), ..request() };
        let done = enqueue(&objects, &queue, &request, &|_| stop.cancel()).await.unwrap();
        assert_eq!(done.enqueued_before, sent_before);
        sent_before += done.enqueued_files;
        if done.finished {
            break;
        }
    }
    assert!(runs > 3, "{runs} runs");
    let mut sent = messages(&queue).await.concat();
    assert!(sent.iter().map(|key| day(key)).is_sorted());
    sent.sort();
    assert_eq!(sent, keys, "each once");
    let request = EnqueueRequest { state_file, ..request() };
    let again = enqueue(&objects, &queue, &request, &|_| {}).await.unwrap();
    assert_eq!((again.finished, again.enqueued_before, again.enqueued_files), (true, 300, 0));
    let other = EnqueueRequest { prefix: "x".to_owned(), ..request };
    let error = enqueue(&objects, &queue, &other, &|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("another backfill"), "{error}");
}

#[tokio::test]
async fn a_queue_that_is_busy_gets_every_message_in_the_end() {
    let (objects, keys) = bucket();
    let queue = queue();
    let calls = AtomicU32::new(0);
    queue.set_fault(Some(Arc::new(move |call| {
        let number = calls.fetch_add(1, Ordering::SeqCst);
        (call == "send" && number.is_multiple_of(3)).then_some(QueueErrorKind::Throttled)
    })));
    let selection =
        Selection { since: NaiveDate::from_ymd_opt(2026, 1, 4), ..Selection::default() };
    let request = EnqueueRequest { selection, ..request() };
    enqueue(&objects, &queue, &request, &|_| {}).await.unwrap();
    queue.set_fault(None);
    let mut sent = messages(&queue).await.concat();
    sent.sort();
    let expect: Vec<String> = keys.into_iter().filter(|key| day(key) >= "04").collect();
    assert_eq!(sent, expect);
}
