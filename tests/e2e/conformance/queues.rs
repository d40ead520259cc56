//! What a queue does: SQS's as the emulator has it, and the double.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rolecall_ingest::queue::{
    BATCH, EntryFailure, MemoryQueue, MemoryQueueOptions, Message, Queue, Receipt, Sqs,
};

use super::{Exactness, wait, with_emulator};
use crate::support::TestQueue;

const NOW: Duration = Duration::ZERO;
/// SQS counts in whole seconds.
const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(30);
const MAX_RECEIVES: u32 = 3;

/// Queues of one kind, each new and empty.
trait Maker {
    const EXACTNESS: Exactness;

    async fn make(&self) -> (Arc<dyn Queue>, DeadLetters);
}

/// The sorted bodies of a queue's dead letters.
type DeadLetters = Box<dyn Fn() -> Vec<String>>;

struct Emulated;

impl Maker for Emulated {
    const EXACTNESS: Exactness = Exactness::Emulated;

    async fn make(&self) -> (Arc<dyn Queue>, DeadLetters) {
        let queue = TestQueue::new(MAX_RECEIVES);
        let sqs = Sqs::connect(&queue.url()).await.unwrap();
        (Arc::new(sqs), Box::new(move || queue.dead_letters()))
    }
}

struct InMemory;

impl Maker for InMemory {
    const EXACTNESS: Exactness = Exactness::AsDocumented;

    async fn make(&self) -> (Arc<dyn Queue>, DeadLetters) {
        let started = Instant::now();
        let elapsed = Arc::new(move || started.elapsed());
        let options = MemoryQueueOptions {
            max_receive_count: Some(MAX_RECEIVES),
            ..MemoryQueueOptions::default()
        };
        let queue = MemoryQueue::new(elapsed, options);
        let kept = queue.clone();
        let dead = move || {
            let mut bodies: Vec<String> =
                kept.dead_letters().into_iter().map(|(_, body)| body).collect();
            bodies.sort();
            bodies
        };
        (Arc::new(queue), Box::new(dead))
    }
}

#[test]
fn sqs_behaves() {
    with_emulator("conformance::queues::sqs_behaves", every_behaviour(&Emulated));
}

#[test]
fn the_queue_in_memory_behaves_alike() {
    wait(every_behaviour(&InMemory));
}

async fn every_behaviour<M: Maker>(maker: &M) {
    hides_and_shows_again(maker).await;
    visibility_is_extended_and_given_up(maker).await;
    takes_no_more_than_a_batch(maker).await;
    deletes_what_it_can(maker).await;
    receipts_go_out_of_date(maker).await;
    moves_what_is_received_too_often(maker).await;
    waits_for_the_first_message(maker).await;
    tells_its_attributes(maker).await;
    keeps_any_text(maker).await;
}

async fn send(queue: &dyn Queue, bodies: &[&str]) {
    let bodies: Vec<String> = bodies.iter().map(|body| (*body).to_owned()).collect();
    assert_eq!(queue.send(&bodies).await.unwrap(), []);
}

async fn receive(queue: &dyn Queue, visibility: Duration) -> Vec<Message> {
    queue.receive(BATCH, NOW, visibility).await.unwrap()
}

async fn receive_one(queue: &dyn Queue, visibility: Duration) -> Message {
    let mut received = receive(queue, visibility).await;
    assert_eq!(received.len(), 1, "{received:?}");
    received.remove(0)
}

async fn sleep(time: Duration) {
    tokio::time::sleep(time + Duration::from_millis(200)).await;
}

async fn hides_and_shows_again(maker: &impl Maker) {
    let (queue, _) = maker.make().await;
    assert_eq!(receive(&*queue, SHORT).await, []);
    send(&*queue, &["one"]).await;
    let first = receive_one(&*queue, SHORT).await;
    assert_eq!((first.body.as_str(), first.receive_count), ("one", 1));
    assert!(first.sent_at.is_some());
    assert_eq!(receive(&*queue, SHORT).await, [], "hidden");
    sleep(SHORT).await;
    let second = receive_one(&*queue, LONG).await;
    assert_eq!((second.body.as_str(), second.receive_count), ("one", 2));
    assert_eq!(second.id, first.id);
    assert_ne!(second.receipt, first.receipt);
    assert_eq!(second.sent_at, first.sent_at);
    assert_eq!(queue.delete(&[second.receipt]).await.unwrap(), []);
    assert!(queue.attributes().await.unwrap().is_empty());
}

async fn visibility_is_extended_and_given_up(maker: &impl Maker) {
    let (queue, _) = maker.make().await;
    send(&*queue, &["one"]).await;
    let held = receive_one(&*queue, SHORT).await;
    let change = |time| [(held.receipt.clone(), time)];
    assert_eq!(queue.change_visibility(&change(LONG)).await.unwrap(), []);
    sleep(SHORT).await;
    assert_eq!(receive(&*queue, SHORT).await, [], "extended");
    assert_eq!(queue.change_visibility(&change(NOW)).await.unwrap(), []);
    assert_eq!(receive_one(&*queue, LONG).await.receive_count, 2, "given up");
}

async fn takes_no_more_than_a_batch(maker: &impl Maker) {
    let (queue, _) = maker.make().await;
    let bodies: Vec<String> = (0..=BATCH).map(|number| format!("{number:02}")).collect();
    assert_eq!(queue.send(&bodies[..BATCH]).await.unwrap(), []);
    assert!(queue.send(&bodies).await.is_err(), "more than a batch was sent");
    assert_eq!(queue.send(&bodies[BATCH..]).await.unwrap(), []);
    let three = queue.receive(3, NOW, LONG).await.unwrap();
    assert_eq!(three.len(), 3);
    let mut received = receive(&*queue, LONG).await;
    received.extend(three);
    let mut found: Vec<&str> = received.iter().map(|message| message.body.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, bodies, "each once, while all are hidden");
    let receipts: Vec<Receipt> = received.into_iter().map(|message| message.receipt).collect();
    assert!(queue.delete(&receipts).await.is_err(), "more than a batch was deleted");
    let changes: Vec<_> = receipts.iter().map(|receipt| (receipt.clone(), LONG)).collect();
    assert!(queue.change_visibility(&changes).await.is_err(), "more than a batch was changed");
    assert_eq!(queue.change_visibility(&changes[..BATCH]).await.unwrap(), []);
    assert_eq!(queue.delete(&receipts[..BATCH]).await.unwrap(), []);
    assert_eq!(queue.attributes().await.unwrap().in_flight, 1);
}

fn indexes(failures: &[EntryFailure]) -> Vec<usize> {
    failures.iter().map(|failure| failure.index).collect()
}

/// One bad entry fails by itself, and says which it is.
async fn deletes_what_it_can(maker: &impl Maker) {
    let (queue, _) = maker.make().await;
    send(&*queue, &["one", "two"]).await;
    let [first, second] = receive(&*queue, LONG).await.try_into().unwrap();
    let nonsense = Receipt("nonsense".to_owned());
    let change = |receipt: &Receipt| (receipt.clone(), LONG);
    let changes = [change(&first.receipt), change(&nonsense), change(&second.receipt)];
    let failures = queue.change_visibility(&changes).await.unwrap();
    assert_eq!(indexes(&failures), [1], "{failures:?}");
    assert!(!failures[0].retry && failures[0].code == "ReceiptHandleIsInvalid", "{failures:?}");
    let failures = queue.delete(&[first.receipt, nonsense, second.receipt]).await.unwrap();
    assert_eq!(indexes(&failures), [1], "{failures:?}");
    assert!(!failures[0].retry && failures[0].code == "ReceiptHandleIsInvalid", "{failures:?}");
    assert!(queue.attributes().await.unwrap().is_empty());
}

async fn receipts_go_out_of_date<M: Maker>(maker: &M) {
    let (queue, _) = maker.make().await;
    send(&*queue, &["one"]).await;
    let old = receive_one(&*queue, SHORT).await.receipt;
    sleep(SHORT).await;
    let too_late = queue.change_visibility(&[(old.clone(), LONG)]).await.unwrap();
    if M::EXACTNESS == Exactness::AsDocumented {
        // The emulator lets a message be hidden again that nobody holds any more.
        assert_eq!(too_late[0].code, "MessageNotInflight");
    } else {
        queue.change_visibility(&[(old.clone(), NOW)]).await.unwrap();
    }
    let new = receive_one(&*queue, LONG).await.receipt;
    let failures = queue.delete(std::slice::from_ref(&old)).await.unwrap();
    if M::EXACTNESS == Exactness::AsDocumented {
        // "If you use an old receipt handle, the request succeeds, but the message might not be deleted."
        assert_eq!(failures, []);
    }
    assert_eq!(queue.attributes().await.unwrap().in_flight, 1, "deleted by an old receipt");
    assert!(!queue.change_visibility(&[(old, NOW)]).await.unwrap().is_empty());
    assert_eq!(receive(&*queue, LONG).await, [], "shown by an old receipt");
    assert_eq!(queue.delete(std::slice::from_ref(&new)).await.unwrap(), []);
    assert!(queue.attributes().await.unwrap().is_empty());
}

async fn moves_what_is_received_too_often(maker: &impl Maker) {
    let (queue, dead_letters) = maker.make().await;
    send(&*queue, &["poison", "other"]).await;
    for time in 1..=MAX_RECEIVES {
        let received = receive(&*queue, LONG).await;
        let (poison, others): (Vec<Message>, Vec<Message>) =
            received.into_iter().partition(|message| message.body == "poison");
        assert_eq!((poison.len(), poison[0].receive_count), (1, time));
        let others: Vec<Receipt> = others.into_iter().map(|message| message.receipt).collect();
        if !others.is_empty() {
            assert_eq!(queue.delete(&others).await.unwrap(), []);
        }
        assert_eq!(dead_letters(), [""; 0], "after {time} receives");
        let shown = [(poison[0].receipt.clone(), NOW)];
        assert_eq!(queue.change_visibility(&shown).await.unwrap(), []);
    }
    assert_eq!(receive(&*queue, LONG).await, []);
    assert_eq!(dead_letters(), ["poison"]);
    assert!(queue.attributes().await.unwrap().is_empty());
}

async fn waits_for_the_first_message(maker: &impl Maker) {
    let (queue, _) = maker.make().await;
    let started = Instant::now();
    assert_eq!(queue.receive(BATCH, SHORT, LONG).await.unwrap(), []);
    assert!(started.elapsed() >= SHORT, "it did not wait");
    let (sender, started) = (Arc::clone(&queue), Instant::now());
    let sending = tokio::spawn(async move {
        tokio::time::sleep(SHORT).await;
        send(&*sender, &["late"]).await;
    });
    let received = queue.receive(BATCH, Duration::from_secs(15), LONG).await.unwrap();
    assert_eq!(received.len(), 1);
    assert!(started.elapsed() < Duration::from_secs(10), "it waited on");
    sending.await.unwrap();
}

async fn tells_its_attributes(maker: &impl Maker) {
    let (queue, _) = maker.make().await;
    assert!(queue.attributes().await.unwrap().is_empty());
    send(&*queue, &["one", "two", "three"]).await;
    queue.receive(2, NOW, LONG).await.unwrap();
    let attributes = queue.attributes().await.unwrap();
    assert_eq!((attributes.visible, attributes.in_flight, attributes.delayed), (1, 2, 0));
    assert!(!attributes.is_empty());
    assert_eq!(attributes.visibility_timeout, Duration::from_secs(30));
    assert!(
        attributes.arn.is_some_and(|arn| arn.starts_with("arn:aws:sqs:us-east-1:000000000000:"))
    );
    let redrive = attributes.redrive.unwrap();
    assert_eq!(redrive.max_receive_count, MAX_RECEIVES);
    assert!(redrive.dead_letter_arn.starts_with("arn:aws:sqs:us-east-1:000000000000:dead-letters"));
}

async fn keeps_any_text(maker: &impl Maker) {
    let (queue, _) = maker.make().await;
    let bodies = ["{\"a\":\"\\u0000 +%2B\"}", "für alle <&>\u{1f600}\n\ttab", &"x".repeat(200_000)];
    send(&*queue, &bodies).await;
    let mut received: Vec<String> =
        receive(&*queue, LONG).await.into_iter().map(|message| message.body).collect();
    received.sort_unstable();
    let mut bodies = bodies.map(str::to_owned).to_vec();
    bodies.sort_unstable();
    assert!(received == bodies, "other bodies came out than went in");
}

/// SQS counts twelve hours from the receive; the emulator does not know that.
#[test]
fn visibility_ends_after_twelve_hours() {
    wait(async {
        let (queue, _) = InMemory.make().await;
        send(&*queue, &["one"]).await;
        let held = receive_one(&*queue, LONG).await.receipt;
        let half_a_day = Duration::from_secs(12 * 60 * 60 + 1);
        let failures = queue.change_visibility(&[(held, half_a_day)]).await.unwrap();
        assert_eq!(failures[0].code, "InvalidParameterValue");
    });
}
