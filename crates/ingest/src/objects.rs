//! Objects in buckets, as much of S3 as reading log files needs: get one, list a page.
//!
//! [`S3`](crate::S3) is the real one, [`MemoryObjects`] a double. Which objects are log files is not decided
//! here.

use async_trait::async_trait;
use bytes::Bytes;

use crate::IngestError;

mod memory;

pub use memory::{MemoryObjects, ObjectFault};

/// Names an object, or one version of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    /// Name of the bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// The version, where a certain one is meant.
    pub version_id: Option<String>,
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// The bytes of an object, and what only fetching tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// As stored.
    pub bytes: Bytes,
    /// The version that was fetched.
    pub version_id: Option<String>,
    /// Its ETag, as the store writes it.
    pub etag: Option<String>,
}

/// Asks for one page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// Name of the bucket.
    pub bucket: String,
    /// Keys start so.
    pub prefix: String,
    /// Keys come after this one.
    pub after: Option<String>,
    /// Goes on where another page ended: its [`Page::next`].
    pub token: Option<String>,
    /// Keys that have a `/` after the prefix are summed up as [`Page::prefixes`].
    pub folders: bool,
    /// At most so many entries; 1,000 where it is not said.
    pub max_entries: Option<usize>,
}

/// One page of a listing, in the order of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects.
    pub objects: Vec<Listed>,
    /// Folders, each with its closing `/`.
    pub prefixes: Vec<String>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<String>,
}

/// An object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its size as stored, in bytes.
    pub bytes: u64,
}

/// A store of objects.
#[async_trait]
pub trait Objects: Send + Sync + 'static {
    /// Fetches an object of at most `cap` bytes.
    ///
    /// # Errors
    ///
    /// [`IngestError::Fetching`], and [`IngestError::TooLarge`] for a larger one, before its bytes are there.
    async fn get(&self, object: &Object, cap: u64) -> Result<Fetched, IngestError>;

    /// One page of a listing.
    ///
    /// # Errors
    ///
    /// [`IngestError::Listing`].
    async fn list(&self, request: &ListRequest) -> Result<Page, IngestError>;
}
