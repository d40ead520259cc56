//! The worker's own share: bytes per second of `work` on a queue and objects in memory, over those of
//! `ingest` on the same files in a folder. What a queue and a bucket cost is left out; long polling,
//! tickets, extensions, smaller batches and acknowledgements are in.
//!
//! `cargo bench -p rolecall-ingest --bench worker` prints a ratio for each input and fails under the mark.
//! Without optimisation (`cargo test`) it takes few files and only looks whether both lakes hold them all.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that cannot go on ends")]

mod traffic;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rolecall_ingest::{
    Limits, MemoryObjects, MemoryQueue, MemoryQueueOptions, Metrics, Progress, Selection, Settings,
    Source, WorkerSettings, ingest, work,
};
use rolecall_lake::{Lake, LakeOptions};
use tokio_util::sync::CancellationToken;

/// Of `ingest`'s bytes per second.
const MARK: f64 = 0.7;
const ROUNDS: usize = 5;
const THREADS: usize = 2;
/// As the command sets it.
const BATCH_BYTES: usize = 64 << 20;
const BUCKET: &str = "trail-logs";

struct Input {
    name: &'static str,
    files: Vec<Vec<u8>>,
}

fn main() {
    let optimised = !cfg!(debug_assertions);
    let inputs = if optimised {
        vec![
            Input { name: "busy accounts", files: traffic::files(400, 1_000) },
            Input { name: "quiet accounts", files: traffic::files(6_000, 40) },
        ]
    } else {
        vec![Input { name: "a few files", files: traffic::files(30, 20) }]
    };
    let rounds = if optimised { ROUNDS } else { 1 };
    let mut worst = f64::INFINITY;
    for Input { name, files } in inputs {
        let folder = tempfile::tempdir().unwrap();
        let objects = MemoryObjects::new();
        for (number, bytes) in files.iter().enumerate() {
            let key = key(number);
            let path = folder.path().join(&key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
            objects.put(BUCKET, &key, bytes.clone());
        }
        let objects = Arc::new(objects);
        let mut fastest = [Duration::MAX; 2];
        for _ in 0..rounds {
            let (by_ingest, held) = timed(|lake| run_ingest(lake, folder.path().to_owned()));
            assert_eq!(held, files.len() as u64);
            let (by_worker, held) =
                timed(|lake| run_worker(lake, Arc::clone(&objects), files.len()));
            assert_eq!(held, files.len() as u64);
            fastest = [fastest[0].min(by_ingest), fastest[1].min(by_worker)];
        }
        let ratio = fastest[0].as_secs_f64() / fastest[1].as_secs_f64();
        worst = worst.min(ratio);
        println!(
            "{name}: {} files, the worker at {:.0}% of ingest's bytes per second (mark: {:.0}%)",
            files.len(),
            100.0 * ratio,
            100.0 * MARK
        );
    }
    assert!(!optimised || worst >= MARK, "under the mark");
}

fn key(number: usize) -> String {
    let account = 100_000_000_000 + number % 40;
    format!(
        "AWSLogs/{account}/CloudTrail/eu-west-1/2026/01/05/\
         {account}_CloudTrail_eu-west-1_20260105T{:02}{:02}Z_{number:016x}.json.gz",
        number / 60 % 24,
        number % 60
    )
}

/// How long it took, and the log files that the lake has then.
fn timed<F: Future<Output = ()>>(run: impl FnOnce(Lake) -> F) -> (Duration, u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let place = tempfile::tempdir().unwrap();
        let lake = new_lake(place.path()).await;
        let started = Instant::now();
        run(lake.clone()).await;
        let took = started.elapsed();
        let report = lake.check().await.unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        (took, report.complete)
    })
}

async fn new_lake(place: &Path) -> Lake {
    let place = place.join("lake");
    let options = LakeOptions { now: now(), ..LakeOptions::default() };
    Lake::create_or_open(place.to_str().unwrap(), options).await.unwrap()
}

async fn run_ingest(lake: Lake, folder: std::path::PathBuf) {
    let settings = Settings {
        readers: THREADS,
        fetches: 16,
        batch_bytes: BATCH_BYTES,
        limits: Limits::default(),
        now: Arc::new(now),
    };
    let progress = Progress::new(Arc::new(|_| {}));
    let sources = [Source::Path(folder)];
    ingest(&lake, &sources, &Selection::default(), None, &settings, &progress).await.unwrap();
}

async fn run_worker(lake: Lake, objects: Arc<MemoryObjects>, files: usize) {
    let start = Instant::now();
    let elapsed = Arc::new(move || start.elapsed());
    let queue = {
        // What the worker cannot read moves on, so that a mistake here ends the run.
        let options = MemoryQueueOptions { max_receive_count: Some(1), ..Default::default() };
        MemoryQueue::new(elapsed.clone(), options)
    };
    for number in 0..files {
        queue.push(format!(
            r#"{{"Records":[{{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{{"bucket":{{"name":"{BUCKET}"}},"object":{{"key":"{}"}}}}}}]}}"#,
            key(number)
        ));
    }
    let settings = WorkerSettings {
        readers: THREADS,
        batch_bytes: BATCH_BYTES,
        poll_wait: Duration::from_millis(10),
        drain: true,
        ..WorkerSettings::new(Arc::new(now), elapsed)
    };
    let queue = Arc::new(queue);
    let metrics = Metrics::new();
    work(&lake, queue, objects, &settings, &metrics, CancellationToken::new()).await.unwrap();
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}
