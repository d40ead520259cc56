//! Why digests could not be checked at all, as against what checking them showed.

use rolecall_lake::LakeError;

/// What went wrong; the message names the place or the setting and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// The source is no folder and no bucket.
    #[error("{path}: no such folder")]
    NoSuchFolder {
        /// As typed.
        path: String,
    },
    /// A place could not be listed.
    #[error("cannot list {place}: {problem}")]
    Listing {
        /// Folder, or `s3://bucket/prefix`.
        place: String,
        /// What the system or S3 answered.
        problem: String,
    },
    /// A digest or log file could not be fetched, though it may be there.
    #[error("{file}: cannot be fetched: {problem}")]
    Fetching {
        /// Path, or `s3://bucket/key`.
        file: String,
        /// What the system or S3 answered.
        problem: String,
    },
    /// The file of public keys cannot be used.
    #[error("public keys {file}: {problem}")]
    KeyFile {
        /// As typed.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// CloudTrail did not give its public keys.
    #[error(
        "cannot list CloudTrail's public keys of {region}: {problem} (it takes \
         cloudtrail:ListPublicKeys; or save them with `aws cloudtrail list-public-keys` and give \
         the file)"
    )]
    KeyApi {
        /// The region that was asked.
        region: String,
        /// What CloudTrail answered.
        problem: String,
    },
    /// The results could not be recorded.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A part of the run ended before its time: a bug.
    #[error("a part of the run stopped: {0}")]
    Stopped(String),
}
