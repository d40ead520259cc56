//! A place for files that are no tables, such as reports: a folder or an S3 prefix, reached as the lake is.
//!
//! A file appears whole or not at all: on a folder it is written under another name and renamed, on S3 it is
//! one put. Knows nothing of what is in the files.

use std::collections::HashMap;
use std::sync::Arc;

use deltalake::logstore::{StorageConfig, logstore_for};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::error::{LakeError, Result};

/// See the module.
#[derive(Debug, Clone)]
pub struct Place {
    uri: String,
    store: Arc<dyn ObjectStore>,
}

impl Place {
    /// The folder or `s3://bucket/prefix` at `uri`; a folder is made where there is none. `storage` are
    /// options of the object store, such as `aws_endpoint`.
    pub fn open(uri: &str, storage: &HashMap<String, String>) -> Result<Self> {
        let invalid = |reason: String| LakeError::Location { uri: uri.to_owned(), reason };
        if uri.is_empty() {
            return Err(invalid("the place is empty".to_owned()));
        }
        if uri.contains("://") && !uri.starts_with("s3://") && !uri.starts_with("file://") {
            return Err(invalid("neither a folder nor s3://".to_owned()));
        }
        let mut root = deltalake::ensure_table_uri(uri)
            .map_err(|error| LakeError::storage(format!("open {uri}"), error))?;
        // An object store below a URL needs it to be that of a folder.
        if let Ok(mut segments) = root.path_segments_mut() {
            segments.pop_if_empty().push("");
        }
        let config = StorageConfig::parse_options(storage.clone())
            .map_err(|error| invalid(error.to_string()))?;
        let log = logstore_for(&root, config).map_err(|error| invalid(error.to_string()))?;
        Ok(Self { uri: uri.trim_end_matches('/').to_owned(), store: log.object_store(None) })
    }

    /// Where a file of it lies, for people.
    pub fn uri_of(&self, path: &str) -> String {
        format!("{}/{path}", self.uri)
    }

    /// Puts a file, in place of the one that may be there.
    pub async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<()> {
        let put = self.store.put(&Path::from(path), bytes.into()).await;
        put.map(|_| ()).map_err(|error| self.failed("write", path, error))
    }

    /// A file's bytes.
    pub async fn get(&self, path: &str) -> Result<Vec<u8>> {
        let read = async { self.store.get(&Path::from(path)).await?.bytes().await };
        Ok(read.await.map_err(|error| self.failed("read", path, error))?.to_vec())
    }

    /// Paths of the files below `folder`, in order.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = Path::from(folder);
        let listed = self.store.list(Some(&prefix)).try_collect::<Vec<_>>().await;
        let files = listed.map_err(|error| self.failed("list", folder, error))?;
        let mut paths: Vec<String> =
            files.into_iter().map(|file| file.location.to_string()).collect();
        paths.sort_unstable();
        Ok(paths)
    }

    fn failed(&self, what: &str, path: &str, error: object_store::Error) -> LakeError {
        LakeError::storage(format!("{what} {}", self.uri_of(path)), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_is_made_and_a_file_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("reports/daily");
        let place = Place::open(below.to_str().unwrap(), &HashMap::new()).unwrap();
        assert!(place.list("edges").await.unwrap().is_empty());
        let path = "edges/as_of=2026-01-31/edges.csv";
        for text in ["first, longer", "second"] {
            place.put(path, text.as_bytes().to_vec()).await.unwrap();
            assert_eq!(std::fs::read_to_string(below.join(path)).unwrap(), text);
        }
        place.put("edges/as_of=2026-01-30/edges.csv", vec![]).await.unwrap();
        place.put("edges2/x.csv", vec![]).await.unwrap();
        let listed = place.list("edges").await.unwrap();
        assert_eq!(listed, ["edges/as_of=2026-01-30/edges.csv", path]);
        assert_eq!(place.get(path).await.unwrap(), b"second");
        let error = place.get("nothing").await.unwrap_err().to_string();
        assert!(error.contains("daily/nothing"), "{error}");
        assert!(Place::open("gs://x/y", &HashMap::new()).is_err());
    }
}
