//! Sources of log files to durable commits: list or be notified, fetch, read, batch, commit, acknowledge.
//!
//! [`ingest`] reads folders and buckets once; [`work`](worker::work) lives on a queue of notifications. Both
//! go through the same stages. Many files are fetched and read at once; one task commits. A file counts as
//! ingested when its batch is durable, never before, so a run may be stopped at any instant and started
//! again. Memory is bounded by settings: the number of readers times the cap on one log file, and the size
//! of a batch.
//!
//! Knows nothing of SQL or reports.

pub mod backfill;
pub mod digest;
pub mod disposition;
pub mod doctor;
mod error;
pub mod layout;
pub mod metrics;
pub mod notification;
pub mod objects;
mod pipeline;
mod progress;
pub mod queue;
mod run;
mod source;
pub mod worker;

use chrono::NaiveDate;

pub use error::{FetchFailure, IngestError};
pub use metrics::Metrics;
pub use objects::{MemoryObjects, Objects};
pub use progress::{Notice, NoticeSink, Progress, Snapshot};
pub use queue::{MemoryQueue, MemoryQueueOptions, Queue, QueueError, Sqs};
pub use rolecall_events::Limits;
pub use run::{Settings, ingest};
pub use source::{S3, S3Options, Source};
pub use worker::{WorkerSettings, work};

/// Which log files of the sources are wanted, told from the delivery path. Empty lists want all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Account ids.
    pub accounts: Vec<String>,
    /// Regions.
    pub regions: Vec<String>,
    /// First delivery date.
    pub since: Option<NaiveDate>,
    /// Last delivery date.
    pub until: Option<NaiveDate>,
}
