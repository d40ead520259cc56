//! Sources of log files to durable commits: list, fetch, read, batch, commit.
//!
//! Many files are fetched and read at once; one task commits. A file counts as ingested when its batch
//! is durable, never before, so a run may be stopped at any instant and started again. Memory is bounded
//! by settings: the number of readers times the cap on one log file, and the size of a batch.
//!
//! Knows nothing of SQL or reports.

mod error;
pub mod layout;
mod progress;
mod run;
mod source;

use chrono::NaiveDate;

pub use error::IngestError;
pub use progress::{Notice, NoticeSink, Progress, Snapshot};
pub use rolecall_events::Limits;
pub use run::{Settings, ingest};
pub use source::{S3, Source};

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
