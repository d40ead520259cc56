//! CloudTrail bytes to typed credential events, IAM changes and activity, and an exact account of
//! everything else.
//!
//! ```
//! use rolecall_events::{Limits, Reader};
//!
//! let mut reader = Reader::new(Limits::default());
//! let file = reader.read(br#"{"Records":[{"eventTime":"2026-01-05T07:12:03Z",
//!     "eventSource":"sts.amazonaws.com","eventName":"GetCallerIdentity"}, 7]}"#)?;
//! assert_eq!((file.account.seen, file.account.other, file.account.rejected), (2, 1, 1));
//! # Ok::<(), rolecall_events::Refusal>(())
//! ```
//!
//! Invariants: no panic and no I/O, whatever the bytes; `seen == credential + other + rejected`; memory
//! is bounded by [`Limits`], not by the input. The crate knows nothing of tokio, the AWS SDK, Arrow,
//! the clock, the environment or files.

#![warn(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::expect_used
)]

mod activity;
mod aggregated;
mod arena;
mod credential;
mod forms;
mod iam;
mod inflate;
mod reader;
mod record;
mod repair;
pub mod rows;
mod tape;
mod time;

pub use forms::OtherForm;
pub use reader::Reader;

/// What a reader accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest text after inflating, in bytes. CloudTrail's own files hold up to 50 MB.
    pub max_inflated_bytes: usize,
    /// Deepest nesting of objects and arrays. Real records stay below 20.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_inflated_bytes: 256 << 20, max_depth: 512 }
    }
}

/// Why a file as a whole could not be read. Says where, never what the file holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No bytes, or only white space.
    #[error("is empty")]
    Empty,
    /// The gzip stream ends before it should: an upload or copy was cut off.
    #[error("is a truncated gzip stream")]
    TruncatedGzip,
    /// The gzip stream is damaged, or followed by bytes that are not gzip.
    #[error("is a damaged gzip stream")]
    DamagedGzip,
    /// Inflates to more than [`Limits::max_inflated_bytes`].
    #[error("inflates to more than {cap} bytes (raise --max-inflated to read it)")]
    TooLarge {
        /// The cap in force.
        cap: usize,
    },
    /// Bytes that are no UTF-8.
    #[error("is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Position in the inflated text.
        offset: usize,
    },
    /// Text that is not JSON, or nested deeper than [`Limits::max_depth`].
    #[error("is not JSON, or nested too deep")]
    NotJson,
    /// JSON without `Records`: not a CloudTrail log file.
    #[error("has no `Records`: not a CloudTrail log file")]
    NoRecords,
    /// Something that people have CloudTrail's records in, but not a form that is read.
    #[error("is {0}")]
    OtherForm(OtherForm),
    /// `Records` is not an array.
    #[error("has a `Records` that is not an array")]
    RecordsNotAnArray,
}
