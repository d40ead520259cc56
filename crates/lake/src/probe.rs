//! Tries whether a place can hold a lake, before anything relies on it: writing, reading back, deleting, and
//! above all the conditional put that keeps two writers apart.
//!
//! Leaves nothing behind, unless it is not allowed to delete.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions};
use uuid::Uuid;

use crate::error::{LakeError, Result};
use crate::lake::{Lake, LakeOptions};
use crate::schema::Table;

/// What a place can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// A second put of the same object was refused, as two writers need it.
    pub conditional_put: bool,
    /// When the store says the object was written, in microseconds: its clock.
    pub store_time: i64,
    /// Why the object could not be deleted again, where it could not. Only maintenance deletes.
    pub cannot_delete: Option<String>,
    /// There is a lake already.
    pub has_lake: bool,
}

impl Lake {
    /// Tries the place `uri`. A folder is made where there is none.
    ///
    /// # Errors
    ///
    /// Where it cannot be written or read back.
    pub async fn probe(uri: &str, options: LakeOptions) -> Result<Probe> {
        let lake = Self::at(uri, &options, true)?;
        let store = lake.store(Table::LogFiles).objects();
        let path = Path::from(format!("_probe-{}", Uuid::new_v4()));
        let put = |body: &'static str| {
            let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            store.put_opts(&path, Bytes::from(body).into(), create)
        };
        let failed = |what: &str| {
            let what = format!("{what} lake {uri}");
            move |error| LakeError::storage(what.clone(), error)
        };
        put("first").await.map_err(failed("write to"))?;
        let again = put("second").await;
        let read = store.head(&path).await;
        let deleted = store.delete(&path).await;
        let conditional_put = match again {
            Ok(_) => false,
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => true,
            Err(error) => return Err(failed("write to")(error)),
        };
        let store_time = read.map_err(failed("read"))?.last_modified.timestamp_micros();
        let cannot_delete = deleted.err().map(|error| error.to_string());
        let has_lake = lake.store(Table::LogFiles).snapshot().await?.is_some();
        Ok(Probe { conditional_put, store_time, cannot_delete, has_lake })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_passes_and_stays_empty() {
        let folder = tempfile::tempdir().unwrap();
        let uri = folder.path().join("lake").to_str().unwrap().to_owned();
        let probe = Lake::probe(&uri, LakeOptions::default()).await.unwrap();
        assert!(probe.conditional_put);
        assert!(!probe.has_lake);
        assert_eq!(probe.cannot_delete, None);
        assert!(probe.store_time > 1_700_000_000_000_000);
        let left: Vec<_> = walk(folder.path());
        assert!(left.is_empty(), "{left:?}");
        Lake::create_or_open(&uri, LakeOptions::default()).await.unwrap();
        assert!(Lake::probe(&uri, LakeOptions::default()).await.unwrap().has_lake);
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let uri = file.join("lake").to_str().unwrap().to_owned();
        assert!(Lake::probe(&uri, LakeOptions::default()).await.is_err());
    }

    /// Files below a folder.
    fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
    }
}
