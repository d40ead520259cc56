//! Everything goes wrong at once: workers die, calls fail on either side of their effect, messages come
//! twice, come back while they are worked on, or say nothing. In the end the lake equals the truth.
//!
//! A small number of files by default. The full size, with ten seeds:
//!
//! ```text
//! for seed in $(seq 10); do
//!     ROLECALL_TEST_FILES=2000 ROLECALL_TEST_SEED=$seed cargo test -p rolecall --test e2e worker::crash
//! done
//! ```

use std::time::{Duration, Instant};

use rolecall_testkit::{Kind, Spec};

use super::stage::{Stage, Worker};
use crate::support::{
    Call, Chance, Delivered, Fault, Ground, Run, TestQueue, assert_lake_equals_truth,
};

const FILES_VARIABLE: &str = "ROLECALL_TEST_FILES";
const FILES: usize = 300;
const WORKERS: usize = 3;
/// So short that it ends again and again while messages are held.
const VISIBILITY: Duration = Duration::from_secs(10);
const FLAGS: [&str; 4] = ["--visibility-timeout", "10", "--batch-seconds", "2"];
/// Time for every file while everything fails; afterwards only calls fail.
const CHAOS_PER_FILE: Duration = Duration::from_millis(90);
/// Time to come to an end, for every file.
const CALM_PER_FILE: Duration = Duration::from_millis(400);
const STALL_EVERY: usize = 100;
/// Messages that nobody can read.
const POISON: [&str; 6] = [
    "neither JSON nor anything else",
    "{}",
    "[]",
    r#"{"Records":[]}"#,
    r#"{"Type":"Notification","MessageId":"none"}"#,
    r#"{"Type":"Notification","Message":"{\"Type\":\"Notification\",\"Message\":\"{}\"}"}"#,
];

/// An organisation of so many log files, or some more.
fn organization(seed: u64, files: usize) -> Delivered {
    for (accounts, days, minutes) in [
        (4, 3, 240),
        (4, 3, 120),
        (4, 3, 60),
        (6, 4, 60),
        (8, 6, 60),
        (10, 6, 60),
        (12, 8, 60),
        (20, 14, 60),
    ] {
        let spec = Spec { accounts, days, delivery_minutes: minutes, ..Spec::small(seed) };
        let delivered = Delivered::new(&spec);
        if delivered.truth.files.len() >= files {
            return delivered;
        }
    }
    panic!("no organisation of {files} files");
}

/// Fails a twentieth of all calls, and more of those that keep messages hidden; some files take longer than
/// their message is hidden. `fetches` counts.
fn fault(call: &Call, chance: &mut Chance, fetches: &mut usize) -> Option<Fault> {
    if call.is_sqs("ChangeMessageVisibilityBatch") && chance.below(5) == 0 {
        return Some(Fault::Refuse(500, "InternalError"));
    }
    if call.fetches(".json.gz") {
        *fetches += 1;
        if fetches.is_multiple_of(STALL_EVERY) {
            return Some(Fault::Stall(VISIBILITY + Duration::from_secs(2)));
        }
    }
    if chance.below(100) >= 5 {
        return None;
    }
    Some(match chance.below(6) {
        0 if call.sqs.is_some() => Fault::Refuse(400, "ThrottlingException"),
        0 => Fault::Refuse(503, "SlowDown"),
        1 => Fault::Refuse(500, "InternalError"),
        2 => Fault::CloseBefore,
        3 => Fault::CloseAfter,
        4 => Fault::Cut,
        _ => Fault::Delay(Duration::from_millis(50 + chance.below(1_000))),
    })
}

/// The messages' part of what goes wrong.
struct Meddler<'s> {
    stage: &'s Stage,
    /// Receipts of messages that may still be held, and of poison.
    receipts: Vec<String>,
    poison: Vec<String>,
    redelivered: usize,
    duplicated: usize,
}

impl<'s> Meddler<'s> {
    fn new(stage: &'s Stage) -> Self {
        let (receipts, poison) = (Vec::new(), Vec::new());
        Self { stage, receipts, poison, redelivered: 0, duplicated: 0 }
    }

    fn queue(&self) -> &'s TestQueue {
        &self.stage.queue
    }

    fn look(&mut self) {
        for handed in self.stage.proxy.take_handed() {
            let is_poison = POISON.contains(&handed.body.as_str());
            let list = if is_poison { &mut self.poison } else { &mut self.receipts };
            list.push(handed.receipt);
        }
    }

    /// Poison is received again at once, so that it is known for what it is sooner.
    fn hurry_poison(&mut self) {
        self.look();
        for receipt in self.poison.drain(..) {
            self.stage.queue.expire(&receipt);
        }
    }

    /// Has some messages received again that somebody holds.
    fn redeliver(&mut self, number: usize, chance: &mut Chance) {
        self.look();
        chance.shuffle(&mut self.receipts);
        for receipt in self.receipts.drain(..number.min(self.receipts.len())) {
            self.stage.queue.expire(&receipt);
            self.redelivered += 1;
        }
    }

    /// Sends some messages once more.
    fn duplicate(&mut self, number: usize, chance: &mut Chance) {
        let mut bodies: Vec<String> =
            self.queue().messages().into_iter().map(|message| message.body).collect();
        bodies.retain(|body| !POISON.contains(&body.as_str()));
        chance.shuffle(&mut bodies);
        bodies.truncate(number);
        self.duplicated += bodies.len();
        self.queue().send(bodies);
    }
}

#[test]
fn everything_goes_wrong_at_once() {
    let mut chance = Chance::from_seed(1);
    let wanted = match std::env::var(FILES_VARIABLE) {
        Ok(number) => number.parse().unwrap(),
        Err(_) => FILES,
    };
    let delivered = organization(chance.next(), wanted);
    let files = u32::try_from(delivered.truth.files.len()).unwrap();
    // So high that being killed is no poison.
    let stage = Stage::notified(Ground::S3, 30 + files / 40);
    let mut fetches = 0;
    stage.proxy.fail(move |call, chance| fault(call, chance, &mut fetches));
    let mut meddler = Meddler::new(&stage);
    let mut objects: Vec<_> =
        delivered.objects.iter().filter(|object| object.kind != Kind::Folder).collect();
    chance.shuffle(&mut objects);
    let objects: Vec<_> =
        objects.into_iter().map(|object| (object.key.clone(), object.bytes.clone())).collect();

    let mut workers = std::thread::scope(|scope| {
        let uploads = scope.spawn(|| {
            for (number, some) in objects.chunks(50).enumerate() {
                stage.trail.put(some.iter().cloned());
                if let Some(poison) = POISON.get(number..=number) {
                    stage.queue.send(poison);
                }
            }
            stage.queue.send(&POISON[objects.len().div_ceil(50).min(POISON.len())..]);
        });
        let workers = chaos(&stage, &mut meddler, &mut chance, CHAOS_PER_FILE * files);
        uploads.join().unwrap();
        workers
    });
    let calmed = Instant::now();
    calm(&stage, &mut workers, &mut meddler, &mut chance, CALM_PER_FILE * files);
    let calm = calmed.elapsed();
    replace_ended(&stage, &mut workers);
    for mut worker in workers {
        worker.signal("TERM");
        let run = worker.wait(Duration::from_secs(30));
        if !run.succeeded() {
            assert_may_end(run);
        }
    }
    let mut poison: Vec<String> = POISON.map(str::to_owned).to_vec();
    poison.sort();
    assert_eq!(stage.queue.dead_letters(), poison);
    let (redelivered, duplicated) = (meddler.redelivered, meddler.duplicated);
    let faults = stage.proxy.faults();
    eprintln!(
        "{files} files, calm after {calm:?}; {redelivered} redelivered, {duplicated} sent twice; {faults:?}"
    );
    assert!(redelivered > 0 && duplicated > 0, "no message came twice");
    for kind in ["refused", "closed before", "closed after", "cut", "delayed", "stalled"] {
        assert!(faults.contains_key(kind), "no call was {kind}: {faults:?}");
    }
    assert_lake_equals_truth(&stage.lake(), &delivered.truth);
}

/// Kills workers and starts others, meddles with messages, and freezes one worker for longer than its
/// messages are hidden. Returns the workers that are left.
fn chaos(
    stage: &Stage,
    meddler: &mut Meddler<'_>,
    chance: &mut Chance,
    limit: Duration,
) -> Vec<Worker> {
    let started = Instant::now();
    let mut workers: Vec<Worker> = (0..WORKERS).map(|_| stage.worker(&FLAGS)).collect();
    let mut frozen = stage.worker(&FLAGS);
    let mut froze = None;
    let mut thawed = false;
    let mut killed = 0;
    while started.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(500 + chance.below(1_000)));
        let victim = usize::try_from(chance.below(WORKERS as u64)).unwrap();
        replace_ended(stage, &mut workers);
        let run = std::mem::replace(&mut workers[victim], stage.worker(&FLAGS)).kill();
        if run.was_killed() {
            killed += 1;
        } else {
            assert_may_end(run);
        }
        meddler.hurry_poison();
        meddler.redeliver(3, chance);
        meddler.duplicate(2, chance);
        // By now it holds messages, and may be reading or committing what they name.
        if froze.is_none() && killed >= 4 {
            replace_ended(stage, std::slice::from_mut(&mut frozen));
            frozen.signal("STOP");
            froze = Some(Instant::now());
        }
        if !thawed && froze.is_some_and(|at| at.elapsed() > VISIBILITY + Duration::from_secs(2)) {
            frozen.signal("CONT");
            thawed = true;
        }
    }
    assert!(killed >= 10, "only {killed} workers were killed");
    frozen.signal("CONT");
    workers.push(frozen);
    workers
}

/// A worker that cannot even find out whether there is a lake may end; it is started again, as ECS does.
#[track_caller]
fn assert_may_end(run: Run) {
    let run = run.exits(1);
    assert!(!run.stderr().contains("worker started"), "it gave up: {run}");
}

fn replace_ended(stage: &Stage, workers: &mut [Worker]) {
    for worker in workers.iter_mut().filter_map(|worker| worker.has_ended().then_some(worker)) {
        assert_may_end(std::mem::replace(worker, stage.worker(&FLAGS)).kill());
    }
}

/// Nobody dies any more, but calls go on to fail.
fn calm(
    stage: &Stage,
    workers: &mut [Worker],
    meddler: &mut Meddler<'_>,
    chance: &mut Chance,
    limit: Duration,
) {
    let started = Instant::now();
    let mut last = Instant::now();
    loop {
        let left = stage.queue.messages();
        if left.is_empty() {
            return;
        }
        assert!(started.elapsed() < limit, "{} are left after {limit:?}: {left:?}", left.len());
        replace_ended(stage, workers);
        meddler.hurry_poison();
        // What failed several times would wait for minutes.
        if last.elapsed() > VISIBILITY {
            meddler.redeliver(usize::MAX, chance);
            last = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
