//! Why a run could not go on, or a single file could not be fetched.

use rolecall_lake::LakeError;

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
    },
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
