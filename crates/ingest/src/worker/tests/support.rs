//! A queue, objects and a lake for one test, and what the lake ought to hold.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rolecall_lake::step::OnStep;
use rolecall_lake::{Lake, LakeOptions, LogFileId, Membership, WriterOptions};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::queue::{MemoryQueueOptions, Wall};
use crate::{IngestError, MemoryObjects, MemoryQueue, Metrics, WorkerSettings, work};

pub(super) const BUCKET: &str = "trail";
/// 2026-01-05T07:20:00Z
const NOW: i64 = 1_767_597_600_000_000;
const DAY: i32 = 20_458;
/// No test may hang for longer.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) struct World {
    folder: TempDir,
    pub(super) queue: MemoryQueue,
    pub(super) objects: MemoryObjects,
    pub(super) metrics: Metrics,
    pub(super) settings: WorkerSettings,
    on_step: Mutex<Option<OnStep>>,
    /// What the lake ought to hold: records by log file.
    truth: Mutex<BTreeMap<String, u64>>,
}

pub(super) fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

pub(super) fn log_file(number: u32) -> String {
    format!("123456789012_CloudTrail_us-east-1_20260105T0715Z_{number:016}.json.gz")
}

pub(super) fn key(number: u32) -> String {
    format!("AWSLogs/123456789012/CloudTrail/us-east-1/2026/01/05/{}", log_file(number))
}

/// A log file with so many records.
pub(super) fn content(number: u32, records: u64) -> Vec<u8> {
    let records: Vec<_> = (0..records)
        .map(|index| {
            json!({
                "eventVersion": "1.08",
                "userIdentity": {"type": "IAMUser", "principalId": "AIDAEXAMPLE", "accountId": "123456789012",
                    "arn": "arn:aws:iam::123456789012:user/a", "accessKeyId": "AKIAEXAMPLE"},
                "eventTime": "2026-01-05T07:12:03Z",
                "eventSource": "sts.amazonaws.com",
                "eventName": "AssumeRole",
                "awsRegion": "us-east-1",
                "sourceIPAddress": "192.0.2.1",
                "requestParameters": {"roleArn": "arn:aws:iam::123456789012:role/r", "roleSessionName": "s"},
                "responseElements": null,
                "eventID": format!("00000000-0000-0000-{number:04}-{index:012}"),
                "eventType": "AwsApiCall",
                "recipientAccountId": "123456789012"
            })
        })
        .collect();
    json!({ "Records": records }).to_string().into_bytes()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// S3's notification about these keys, which are given as S3 writes them.
pub(super) fn notice(keys: &[&str]) -> String {
    let record = |key: &&str| {
        json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": BUCKET}, "object": {"key": key, "size": 1}}
        })
    };
    json!({ "Records": keys.iter().map(record).collect::<Vec<_>>() }).to_string()
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(MemoryQueueOptions::default())
    }

    pub(super) fn with(options: MemoryQueueOptions) -> Self {
        let started = Instant::now();
        let elapsed: crate::queue::Elapsed = Arc::new(move || started.elapsed());
        let now: Wall = Arc::new(|| NOW);
        let settings = WorkerSettings {
            fetches: 4,
            batch_age: millis(50),
            visibility_timeout: Duration::from_secs(20),
            poll_wait: millis(50),
            stop_within: Duration::from_secs(10),
            retry_base: millis(20),
            retry_cap: millis(200),
            poison_delay: millis(20),
            breaker_base: millis(50),
            breaker_cap: millis(200),
            ..WorkerSettings::new(now, Arc::clone(&elapsed))
        };
        Self {
            folder: tempfile::tempdir().unwrap(),
            queue: MemoryQueue::new(elapsed, options),
            objects: MemoryObjects::new(),
            metrics: Metrics::new(),
            settings,
            on_step: Mutex::default(),
            truth: Mutex::default(),
        }
    }

    /// Every step of a commit calls this from now on, in lakes that are opened from now on.
    pub(super) fn on_step(&self, on_step: Option<OnStep>) {
        *self.on_step.lock().unwrap() = on_step;
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("lake")
    }

    pub(super) async fn lake(&self) -> Lake {
        let on_step = self.on_step.lock().unwrap().clone();
        let options = LakeOptions { on_step, now: NOW, ..LakeOptions::default() };
        Lake::create_or_open(self.path().to_str().unwrap(), options).await.unwrap()
    }

    /// Puts a log file that the lake ought to hold in the end.
    pub(super) fn put(&self, number: u32) -> String {
        let records = u64::from(number % 5 + 1);
        self.objects.put(BUCKET, &key(number), gzip(&content(number, records)));
        self.ought_to_hold(number, records);
        key(number)
    }

    pub(super) fn ought_to_hold(&self, number: u32, records: u64) {
        self.truth.lock().unwrap().insert(log_file(number), records);
    }

    /// Puts a log file, and a message about it.
    pub(super) fn deliver(&self, number: u32) {
        let key = self.put(number);
        self.queue.push(notice(&[&key]));
    }

    /// Starts a worker.
    pub(super) async fn start(
        &self,
        stop: &CancellationToken,
    ) -> JoinHandle<Result<(), IngestError>> {
        let (lake, settings) = (self.lake().await, self.settings.clone());
        let (queue, objects) = (Arc::new(self.queue.clone()), Arc::new(self.objects.clone()));
        let (metrics, stop) = (self.metrics.clone(), stop.clone());
        tokio::spawn(async move { work(&lake, queue, objects, &settings, &metrics, stop).await })
    }

    /// Runs a worker until the queue stays empty.
    pub(super) async fn drain(&mut self) -> Result<(), IngestError> {
        self.settings.drain = true;
        let worker = self.start(&CancellationToken::new()).await;
        self.settings.drain = false;
        in_time(worker).await.unwrap()
    }

    /// Runs a worker until this holds.
    pub(super) async fn work_until(&self, mut done: impl FnMut(&Self) -> bool) {
        let stop = CancellationToken::new();
        let worker = self.start(&stop).await;
        let wait = async {
            while !done(self) && !worker.is_finished() {
                tokio::time::sleep(millis(5)).await;
            }
        };
        in_time(wait).await;
        let ended_by_itself = worker.is_finished();
        stop.cancel();
        in_time(worker).await.unwrap().unwrap();
        assert!(!ended_by_itself);
    }

    /// The lake holds what it ought to, each record once, and the queue is empty.
    pub(super) async fn check(&self) {
        self.check_lake().await;
        assert!(self.queue.is_empty(), "{:?}", self.queue);
        assert_eq!(self.metrics.health().in_flight, 0);
    }

    pub(super) async fn check_lake(&self) {
        let truth = self.truth.lock().unwrap().clone();
        let lake = self.lake().await;
        let report = lake.check().await.unwrap();
        assert!(report.clean, "{:?}", report.problems);
        let mut writer = lake.writer(WriterOptions::default()).await.unwrap();
        let mut missing = BTreeSet::new();
        for log_file in truth.keys() {
            let id = LogFileId { log_file: log_file.clone(), delivered_date: Some(DAY) };
            if !matches!(writer.membership(&id).await.unwrap(), Membership::Complete { .. }) {
                missing.insert(log_file);
            }
        }
        assert!(missing.is_empty(), "missing: {missing:?}");
        let expect = (truth.len() as u64, truth.values().sum::<u64>());
        assert_eq!((report.complete, report.records), expect, "log files and records");
    }

    pub(super) fn files(&self, outcome: &str) -> u64 {
        self.metrics.log_files(outcome).unwrap()
    }

    pub(super) fn messages(&self, outcome: &str) -> u64 {
        self.metrics.messages(outcome).unwrap()
    }
}

pub(super) async fn in_time<F: IntoFuture>(future: F) -> F::Output {
    tokio::time::timeout(LIMIT, future).await.expect("it hangs")
}
