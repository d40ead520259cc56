//! Remembers which files' duplicate events were dropped, so that a check stays exact.
//!
//! The counts stand beside the table in `_dropped/ID.json`, where ID is that of the file which
//! holds the survivors; the file's name says that there are some. So the rows go and their count
//! comes in one commit, and a later compaction passes the counts on.

use std::collections::BTreeMap;

use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::error::{LakeError, Result};
use crate::files::dropped_id;
use crate::store::TableStore;

/// Rows dropped, by log file.
pub(crate) type Dropped = BTreeMap<String, u64>;

pub(super) const FOLDER: &str = "_dropped";

fn path_of(id: &str) -> Path {
    Path::from(format!("{FOLDER}/{id}.json"))
}

/// What was dropped beside these files of a table.
pub(crate) async fn read_dropped<'a>(
    store: &TableStore,
    paths: impl Iterator<Item = &'a str>,
) -> Result<Dropped> {
    let what = || format!("read dropped counts of table {}", store.table);
    let objects = store.objects();
    let mut all = Dropped::new();
    for id in paths.filter_map(dropped_id) {
        let read = objects.get(&path_of(id)).await;
        let read = read.map_err(|error| LakeError::storage(what(), error))?;
        let bytes = read.bytes().await.map_err(|error| LakeError::storage(what(), error))?;
        let counts: Dropped = serde_json::from_slice(&bytes)
            .map_err(|error| LakeError::Corrupt { what: what(), reason: error.to_string() })?;
        for (log_file, count) in counts {
            *all.entry(log_file).or_default() += count;
        }
    }
    Ok(all)
}

/// Writes what was dropped beside the file with this id.
pub(super) async fn write_dropped(store: &TableStore, id: &str, dropped: &Dropped) -> Result<()> {
    let what = format!("write dropped counts of table {}", store.table);
    let bytes = serde_json::to_vec(dropped).map_err(|error| LakeError::bug(&what, error))?;
    let put = store.objects().put(&path_of(id), bytes.into()).await;
    put.map(|_| ()).map_err(|error| LakeError::storage(what, error))
}
