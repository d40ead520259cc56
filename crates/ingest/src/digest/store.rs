//! Where digests and log files lie: a bucket, or a folder that is a copy of one.
//!
//! A copy made by `aws s3 sync` and the like lacks the objects' metadata, and with them every
//! digest's own signature. Each digest repeats that of the one before it, so only the newest of a
//! chain cannot be proven then. What `aws s3api head-object` printed, saved beside the digest as
//! `<digest>.head.json`, makes up for it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use serde::Deserialize;

use super::DigestError;

/// What follows a digest's name where its metadata were saved beside it.
const HEAD_SUFFIX: &str = ".head.json";

/// An object and what is known of it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The bytes as stored.
    pub bytes: Bytes,
    /// User metadata, names in lower case without `x-amz-meta-`; none where the store keeps none.
    pub metadata: Option<HashMap<String, String>>,
}

/// What asking for an object gave.
#[derive(Debug, Clone)]
pub enum Got {
    /// The object.
    Object(Stored),
    /// There is none.
    Missing,
    /// There is one, but it cannot be had as things are; the reason is a phrase.
    Withheld(String),
}

/// A place where digests and log files lie.
#[async_trait]
pub trait Store: Send + Sync {
    /// The folders right below `prefix`, which is empty or ends with `/`; each ends with `/`.
    async fn folders(&self, prefix: &str) -> Result<Vec<String>, DigestError>;

    /// All keys below `prefix` that come after `after`, in order.
    fn keys(&self, prefix: String, after: String) -> BoxStream<'_, Result<String, DigestError>>;

    /// An object of at most `cap` bytes. `bucket` is the one that a digest names; a copy of a
    /// bucket does not care.
    async fn get(&self, bucket: &str, key: &str, cap: u64) -> Result<Got, DigestError>;

    /// The bucket, where this is one.
    fn bucket(&self) -> Option<&str>;

    /// Where to begin: empty, or a prefix of all keys that are of interest.
    fn prefix(&self) -> &str;
}

/// A folder that is a copy of a bucket, or of a part of one.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Head {
    metadata: HashMap<String, String>,
}

impl Folder {
    /// # Errors
    ///
    /// [`DigestError::NoSuchFolder`].
    pub fn new(root: &Path) -> Result<Self, DigestError> {
        if root.is_dir() {
            Ok(Self { root: root.to_owned() })
        } else {
            Err(DigestError::NoSuchFolder { path: root.display().to_string() })
        }
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        // A digest may name anything; only what lies below the folder is read.
        let inside = !key.split('/').any(|part| part == "..") && !key.starts_with('/');
        inside.then(|| self.root.join(key))
    }
}

/// Metadata that were saved beside an object.
fn saved_metadata(path: &Path) -> Option<HashMap<String, String>> {
    let mut name = path.as_os_str().to_owned();
    name.push(HEAD_SUFFIX);
    let head: Head = serde_json::from_slice(&std::fs::read(name).ok()?).ok()?;
    Some(head.metadata.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect())
}

#[async_trait]
impl Store for Folder {
    async fn folders(&self, prefix: &str) -> Result<Vec<String>, DigestError> {
        let Some(folder) = self.path(prefix) else { return Ok(Vec::new()) };
        let prefix = prefix.to_owned();
        let list = move || {
            let failed = |error: std::io::Error| DigestError::Listing {
                place: folder.display().to_string(),
                problem: error.to_string(),
            };
            let entries = match std::fs::read_dir(&folder) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                entries => entries.map_err(failed)?,
            };
            let mut folders = Vec::new();
            for entry in entries {
                let entry = entry.map_err(failed)?;
                if entry.path().is_dir()
                    && let Some(name) = entry.file_name().to_str()
                {
                    folders.push(format!("{prefix}{name}/"));
                }
            }
            folders.sort_unstable();
            Ok(folders)
        };
        tokio::task::spawn_blocking(list)
            .await
            .map_err(|error| DigestError::Stopped(error.to_string()))?
    }

    fn keys(&self, prefix: String, after: String) -> BoxStream<'_, Result<String, DigestError>> {
        let Some(folder) = self.path(&prefix) else { return futures::stream::empty().boxed() };
        let root = self.root.clone();
        let walk = async move {
            tokio::task::spawn_blocking(move || {
                let mut keys = Vec::new();
                for entry in walkdir::WalkDir::new(&folder).follow_links(true) {
                    let entry = match entry {
                        Ok(entry) => entry,
                        // No such folder: nothing below it.
                        Err(error) if error.depth() == 0 => return Ok(Vec::new()),
                        Err(error) => {
                            return Err(DigestError::Listing {
                                place: folder.display().to_string(),
                                problem: error.to_string(),
                            });
                        }
                    };
                    let below = entry.path().strip_prefix(&root).ok().and_then(Path::to_str);
                    if entry.file_type().is_file()
                        && let Some(key) = below
                        && !key.ends_with(HEAD_SUFFIX)
                    {
                        keys.push(key.to_owned());
                    }
                }
                keys.sort_unstable();
                keys.retain(|key| *key > after);
                Ok(keys)
            })
            .await
            .unwrap_or_else(|error| Err(DigestError::Stopped(error.to_string())))
        };
        futures::stream::once(walk)
            .flat_map(|keys| match keys {
                Ok(keys) => futures::stream::iter(keys.into_iter().map(Ok)).left_stream(),
                Err(error) => futures::stream::iter([Err(error)]).right_stream(),
            })
            .boxed()
    }

    async fn get(&self, _bucket: &str, key: &str, cap: u64) -> Result<Got, DigestError> {
        let Some(path) = self.path(key) else { return Ok(Got::Missing) };
        let read = move || {
            let failed = |error: std::io::Error| DigestError::Fetching {
                file: path.display().to_string(),
                problem: error.to_string(),
            };
            let size = match std::fs::metadata(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Ok(Got::Missing);
                }
                metadata => metadata.map_err(failed)?.len(),
            };
            if size > cap {
                return Ok(Got::Withheld(format!("is larger than {cap} bytes")));
            }
            let bytes = std::fs::read(&path).map_err(failed)?.into();
            Ok(Got::Object(Stored { bytes, metadata: saved_metadata(&path) }))
        };
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| DigestError::Stopped(error.to_string()))?
    }

    fn bucket(&self) -> Option<&str> {
        None
    }

    fn prefix(&self) -> &str {
        ""
    }
}
