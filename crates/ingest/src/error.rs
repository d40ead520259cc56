//! Why a run could not go on, or a single file could not be fetched.

use rolecall_lake::LakeError;

use crate::queue::QueueError;

/// Why an object could not be fetched, as far as it matters for what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FetchFailure {
    /// Too many requests: later.
    Throttled,
    /// An error of the service: later.
    Server,
    /// No answer, or one that broke off, or whose checksum was wrong: later.
    Unreachable,
    /// There is no such key: not yet, or not any more.
    NoSuchKey,
    /// There is no such version of the key.
    NoSuchVersion,
    /// There is no such bucket.
    NoSuchBucket,
    /// The bucket refuses us, or our credentials are not good.
    Denied,
    /// The key that the object is encrypted with cannot be used by us.
    Kms,
    /// The object lies in an archive, and must be restored before it can be read.
    Archived,
    /// The request itself is wrong.
    Invalid,
}

/// What went wrong; the message names the file or setting and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The user's source is not of a form that we read.
    #[error("source {name:?} {problem}")]
    BadSource {
        /// As typed.
        name: String,
        /// A phrase that follows the source.
        problem: &'static str,
    },
    /// The path does not exist.
    #[error("no such file or folder: {path}")]
    NoSuchPath {
        /// As typed.
        path: String,
    },
    /// A bucket is asked for without access to S3.
    #[error("no access to S3 was set up, so bucket {bucket} cannot be read")]
    NoS3 {
        /// Name of the bucket.
        bucket: String,
    },
    /// The bucket could not be listed.
    #[error("cannot list {prefix}: {problem}")]
    Listing {
        /// `s3://bucket/prefix`.
        prefix: String,
        /// What S3 answered.
        problem: String,
    },
    /// An object could not be fetched.
    #[error("{file}: cannot be fetched: {problem}")]
    Fetching {
        /// `s3://bucket/key`.
        file: String,
        /// What S3 answered.
        problem: String,
        /// What kind of failure it is.
        kind: FetchFailure,
    },
    /// A file could not be read.
    #[error("{file}: cannot be read: {source}")]
    Unreadable {
        /// Its path.
        file: String,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A file is larger as stored than its text may be after inflating.
    #[error("{file}: is larger than {cap} bytes (raise --max-inflated to read it)")]
    TooLarge {
        /// Path or `s3://` address.
        file: String,
        /// The cap in force.
        cap: u64,
        /// Its size as stored, in bytes; where the store does not say, what was read of it.
        size: u64,
    },
    /// The state of a backfill cannot be used.
    #[error("{path}: {problem}")]
    BackfillState {
        /// The state file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The queue took a batch but for some of its messages, and will not take those.
    #[error("the queue did not take {messages} messages: {code}")]
    Enqueuing {
        /// How many.
        messages: usize,
        /// SQS's own code.
        code: String,
    },
    /// The queue refused.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The lake refused.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A part of the run ended before its time: a bug.
    #[error("a part of the run stopped: {0}")]
    Stopped(String),
}

impl IngestError {
    pub(crate) fn stopped(error: impl std::fmt::Display) -> Self {
        Self::Stopped(error.to_string())
    }

    /// Whether it concerns one file, and neither the run nor the lake.
    pub(crate) fn is_of_the_file(&self) -> bool {
        matches!(self, Self::Fetching { .. } | Self::Unreadable { .. } | Self::TooLarge { .. })
    }

    /// For a failure that concerns one file: the phrase that follows the file's name.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Fetching { problem, .. } => format!("cannot be fetched: {problem}"),
            Self::Unreadable { source, .. } => format!("cannot be read: {source}"),
            Self::TooLarge { cap, .. } => {
                format!("is larger than {cap} bytes (raise --max-inflated to read it)")
            }
            other => other.to_string(),
        }
    }
}
