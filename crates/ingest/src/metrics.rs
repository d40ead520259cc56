//! What the worker counts and measures, for Prometheus and for the health check.
//!
//! | metric | kind, unit | says |
//! |---|---|---|
//! | `rolecall_messages_total{outcome}` | counter | messages done with: `committed`, `nothing_to_do`, `retried`, `dead_letter`, `released` |
//! | `rolecall_log_files_total{outcome}` | counter | objects that messages name: `committed`, `known`, `replaced`, `refused`, `archived`, `failed`, `not_a_log_file` |
//! | `rolecall_records_total` | counter | records of log files that were committed |
//! | `rolecall_rejected_records_total` | counter | rejected ones among them |
//! | `rolecall_read_bytes_total` | counter, bytes | bytes fetched, as stored |
//! | `rolecall_inflated_bytes_total` | counter, bytes | bytes of text after inflating |
//! | `rolecall_lake_written_bytes_total` | counter, bytes | bytes of Parquet written to the lake |
//! | `rolecall_commits_total` | counter | commits that were made durable |
//! | `rolecall_commit_seconds` | histogram, seconds | how long a commit took |
//! | `rolecall_last_commit_timestamp_seconds` | gauge, seconds since the epoch | when the last commit was durable; 0 before the first |
//! | `rolecall_batch_age_seconds` | gauge, seconds | how long the oldest file that is read has waited for its commit |
//! | `rolecall_event_lag_seconds` | histogram, seconds | from a log file's latest event to its commit |
//! | `rolecall_delivery_lag_seconds` | histogram, seconds | from the sending of a file's message to its commit |
//! | `rolecall_messages_in_flight` | gauge | messages held: received, not yet acknowledged or released |
//! | `rolecall_queue_failures_total` | counter | calls to the queue that failed |
//! | `rolecall_breaker_open` | gauge | 1 while nothing is received because something refuses |
//!
//! `failed` counts attempts, the others ends. Names are promised to dashboards.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

type Outcome = [(&'static str, &'static str); 1];
type Seconds = Gauge<f64, AtomicU64>;

const MESSAGE_OUTCOMES: [&str; 5] =
    ["committed", "nothing_to_do", "retried", "dead_letter", "released"];
const FILE_OUTCOMES: [&str; 7] =
    ["committed", "known", "replaced", "refused", "archived", "failed", "not_a_log_file"];

const COMMIT_BUCKETS: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];
const LAG_BUCKETS: [f64; 14] = [
    1.0, 5.0, 10.0, 30.0, 60.0, 90.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 21_600.0, 86_400.0,
    604_800.0,
];

/// Counts and measures of a worker; clones share them.
#[derive(Clone)]
pub struct Metrics {
    shared: Arc<Shared>,
}

struct Shared {
    registry: Registry,
    messages: Family<Outcome, Counter>,
    files: Family<Outcome, Counter>,
    records: Counter,
    rejected: Counter,
    read_bytes: Counter,
    inflated_bytes: Counter,
    lake_bytes: Counter,
    commits: Counter,
    commit_seconds: Histogram,
    last_commit: Seconds,
    batch_age: Seconds,
    event_lag: Histogram,
    delivery_lag: Histogram,
    in_flight: Gauge,
    queue_failures: Counter,
    breaker: Gauge,
    health: Mutex<Health>,
}

/// How the queue answered the last receive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum QueueState {
    /// It was not asked yet.
    #[default]
    NotAsked,
    /// It answered.
    Answers,
    /// It did not, or refused; the reason holds no message.
    Fails(String),
}

/// What the health check needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// How the queue answered the last receive.
    pub queue: QueueState,
    /// Why nothing is received, if something refuses.
    pub breaker: Option<&'static str>,
    /// When the last commit was durable, in microseconds since the epoch.
    pub last_commit_at: Option<i64>,
    /// Whether the worker takes messages: not before it has started, nor while it stops.
    pub receiving: bool,
    /// Messages held.
    pub in_flight: usize,
}

impl Health {
    /// Whether the worker does what it is there for.
    ///
    /// # Errors
    ///
    /// Says why not.
    pub fn ready(&self) -> Result<(), String> {
        if !self.receiving {
            return Err("the worker is starting or stopping".to_owned());
        }
        if let Some(why) = self.breaker {
            return Err(format!("nothing is received, because {why}"));
        }
        match &self.queue {
            QueueState::NotAsked => Err("the queue has not answered yet".to_owned()),
            QueueState::Answers => Ok(()),
            QueueState::Fails(problem) => Err(problem.clone()),
        }
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("health", &self.health()).finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Counts from zero.
    pub fn new() -> Self {
        let mut shared = Shared {
            registry: Registry::with_prefix("rolecall"),
            messages: Family::default(),
            files: Family::default(),
            records: Counter::default(),
            rejected: Counter::default(),
            read_bytes: Counter::default(),
            inflated_bytes: Counter::default(),
            lake_bytes: Counter::default(),
            commits: Counter::default(),
            commit_seconds: Histogram::new(COMMIT_BUCKETS),
            last_commit: Seconds::default(),
            batch_age: Seconds::default(),
            event_lag: Histogram::new(LAG_BUCKETS),
            delivery_lag: Histogram::new(LAG_BUCKETS),
            in_flight: Gauge::default(),
            queue_failures: Counter::default(),
            breaker: Gauge::default(),
            health: Mutex::default(),
        };
        shared.register();
        // So that a rate exists before the first of its kind.
        for outcome in MESSAGE_OUTCOMES {
            drop(shared.messages.get_or_create(&of(outcome)));
        }
        for outcome in FILE_OUTCOMES {
            drop(shared.files.get_or_create(&of(outcome)));
        }
        Self { shared: Arc::new(shared) }
    }

    /// Everything, as OpenMetrics text:
    /// `application/openmetrics-text; version=1.0.0; charset=utf-8`.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.shared.registry);
        text
    }

    /// What the health check needs to know, now.
    pub fn health(&self) -> Health {
        self.shared.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many messages had this outcome; `None` for an outcome that does not exist.
    pub fn messages(&self, outcome: &str) -> Option<u64> {
        let known = MESSAGE_OUTCOMES.into_iter().find(|known| *known == outcome)?;
        Some(self.shared.messages.get_or_create(&of(known)).get())
    }

    /// How many objects had this outcome; `None` for an outcome that does not exist.
    pub fn log_files(&self, outcome: &str) -> Option<u64> {
        let known = FILE_OUTCOMES.into_iter().find(|known| *known == outcome)?;
        Some(self.shared.files.get_or_create(&of(known)).get())
    }

    /// How many commits were made durable.
    pub fn commits(&self) -> u64 {
        self.shared.commits.get()
    }

    pub(crate) fn message(&self, outcome: &'static str) {
        self.shared.messages.get_or_create(&of(outcome)).inc();
    }

    pub(crate) fn file(&self, outcome: &'static str) {
        self.shared.files.get_or_create(&of(outcome)).inc();
    }

    pub(crate) fn records(&self, seen: u64, rejected: u64) {
        self.shared.records.inc_by(seen);
        self.shared.rejected.inc_by(rejected);
    }

    pub(crate) fn read(&self, bytes: u64) {
        self.shared.read_bytes.inc_by(bytes);
    }

    pub(crate) fn inflated(&self, bytes: u64) {
        self.shared.inflated_bytes.inc_by(bytes);
    }

    /// A commit is durable at `now`, in microseconds since the epoch.
    pub(crate) fn committed(&self, took: Duration, bytes_written: u64, now: i64) {
        self.shared.commits.inc();
        self.shared.commit_seconds.observe(took.as_secs_f64());
        self.shared.lake_bytes.inc_by(bytes_written);
        self.shared.last_commit.set(seconds(now));
        self.with_health(|health| health.last_commit_at = Some(now));
    }

    /// A file was committed so long after its latest event, in microseconds.
    pub(crate) fn event_lag(&self, micros: i64) {
        self.shared.event_lag.observe(seconds(micros.max(0)));
    }

    /// A file was committed so long after its message was sent, in microseconds.
    pub(crate) fn delivery_lag(&self, micros: i64) {
        self.shared.delivery_lag.observe(seconds(micros.max(0)));
    }

    pub(crate) fn batch_age(&self, age: Duration) {
        self.shared.batch_age.set(age.as_secs_f64());
    }

    pub(crate) fn in_flight(&self, messages: usize) {
        self.shared.in_flight.set(i64::try_from(messages).unwrap_or(i64::MAX));
        self.with_health(|health| health.in_flight = messages);
    }

    /// A call to the queue failed.
    pub(crate) fn queue_failed(&self) {
        self.shared.queue_failures.inc();
    }

    /// How the queue answered a receive.
    pub(crate) fn queue(&self, state: QueueState) {
        if matches!(state, QueueState::Fails(_)) {
            self.queue_failed();
        }
        self.with_health(|health| health.queue = state);
    }

    pub(crate) fn breaker(&self, why: Option<&'static str>) {
        self.shared.breaker.set(i64::from(why.is_some()));
        self.with_health(|health| health.breaker = why);
    }

    pub(crate) fn receiving(&self, receiving: bool) {
        self.with_health(|health| health.receiving = receiving);
    }

    fn with_health(&self, change: impl FnOnce(&mut Health)) {
        change(&mut self.shared.health.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Shared {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("messages", "Messages done with, by outcome", self.messages.clone());
        registry.register(
            "log_files",
            "Objects that messages name, by outcome",
            self.files.clone(),
        );
        registry.register("records", "Records of committed log files", self.records.clone());
        let help = "Rejected records of committed log files";
        registry.register("rejected_records", help, self.rejected.clone());
        let mut bytes = |name, help, counter: &Counter| {
            registry.register_with_unit(name, help, Unit::Bytes, counter.clone());
        };
        bytes("read", "Bytes fetched, as stored", &self.read_bytes);
        bytes("inflated", "Bytes of text after inflating", &self.inflated_bytes);
        bytes("lake_written", "Bytes of Parquet written to the lake", &self.lake_bytes);
        registry.register("commits", "Commits that were made durable", self.commits.clone());
        let mut timed = |name, help, histogram: &Histogram| {
            registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
        };
        timed("commit", "How long a commit took", &self.commit_seconds);
        let help = "From a log file's latest event to its commit";
        timed("event_lag", help, &self.event_lag);
        let help = "From the sending of a file's message to its commit";
        timed("delivery_lag", help, &self.delivery_lag);
        let mut gauge = |name, help, gauge: &Seconds| {
            registry.register_with_unit(name, help, Unit::Seconds, gauge.clone());
        };
        let help = "When the last commit was durable, since the epoch";
        gauge("last_commit_timestamp", help, &self.last_commit);
        let help = "How long the oldest file that is read has waited for its commit";
        gauge("batch_age", help, &self.batch_age);
        let help = "Messages received and neither acknowledged nor released";
        registry.register("messages_in_flight", help, self.in_flight.clone());
        let help = "Calls to the queue that failed";
        registry.register("queue_failures", help, self.queue_failures.clone());
        let help = "1 while nothing is received because something refuses";
        registry.register("breaker_open", help, self.breaker.clone());
    }
}

fn of(outcome: &'static str) -> Outcome {
    [("outcome", outcome)]
}

fn seconds(micros: i64) -> f64 {
    // Exact to the microsecond for the next two centuries.
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_is_promised_is_there() {
        let metrics = Metrics::new();
        metrics.message("committed");
        metrics.file("refused");
        metrics.committed(Duration::from_millis(300), 5, 1_767_571_200_000_000);
        metrics.breaker(Some("the lake refuses"));
        let text = metrics.encode();
        for line in [
            "rolecall_messages_total{outcome=\"committed\"} 1",
            "rolecall_messages_total{outcome=\"dead_letter\"} 0",
            "rolecall_log_files_total{outcome=\"refused\"} 1",
            "rolecall_log_files_total{outcome=\"not_a_log_file\"} 0",
            "rolecall_records_total 0",
            "rolecall_rejected_records_total 0",
            "rolecall_read_bytes_total 0",
            "rolecall_inflated_bytes_total 0",
            "rolecall_lake_written_bytes_total 5",
            "rolecall_commits_total 1",
            "rolecall_commit_seconds_count 1",
            "rolecall_last_commit_timestamp_seconds 1767571200.0",
            "rolecall_batch_age_seconds 0.0",
            "rolecall_event_lag_seconds_count 0",
            "rolecall_delivery_lag_seconds_count 0",
            "rolecall_messages_in_flight 0",
            "rolecall_queue_failures_total 0",
            "rolecall_breaker_open 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn readiness_says_why_not() {
        let metrics = Metrics::new();
        assert!(metrics.health().ready().unwrap_err().contains("starting"));
        metrics.receiving(true);
        assert!(metrics.health().ready().unwrap_err().contains("not answered"));
        metrics.queue(QueueState::Answers);
        assert_eq!(metrics.health().ready(), Ok(()));
        metrics.breaker(Some("the lake refuses"));
        assert!(metrics.health().ready().unwrap_err().contains("the lake refuses"));
        metrics.breaker(None);
        metrics.queue(QueueState::Fails("cannot receive from q: AccessDenied".to_owned()));
        assert!(metrics.health().ready().unwrap_err().contains("AccessDenied"));
    }
}
