//! Deletes what nothing refers to any more: data files, dropped counts, old log versions.

use std::collections::HashSet;
use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::logstore::extract_version_from_filename;
use deltalake::operations::vacuum::{Clock, VacuumMode};
use deltalake::protocol::checkpoints::cleanup_expired_logs_for;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;

use super::MaintainOptions;
use super::dropped::FOLDER;
use crate::error::{LakeError, Result};
use crate::files::dropped_id;
use crate::provider::FileEntry;
use crate::store::TableStore;

#[derive(Debug)]
struct Now(i64);

impl Clock for Now {
    fn current_timestamp_millis(&self) -> i64 {
        self.0
    }
}

/// Deletes data files that have not been part of the table for the retention time, and files of
/// that age that never were. What a writer has written but not committed yet is younger.
pub(super) async fn files(store: &TableStore, options: &MaintainOptions) -> Result<u64> {
    let failed = store.failed("vacuum");
    let plan = DeltaTable::new(Arc::clone(&store.log))
        .vacuum()
        .with_mode(VacuumMode::Full)
        .with_retention_period(chrono::Duration::microseconds(options.retention))
        .with_enforce_retention_duration(false)
        .with_clock(Arc::new(Now(options.now_millis())))
        // Only asks what is to be deleted: nothing of this belongs in the log.
        .with_dry_run(true);
    let (table, plan) = plan.await.map_err(&failed)?;
    let snapshot = table.snapshot().map_err(&failed)?.snapshot();
    let live: HashSet<String> = FileEntry::list(store, snapshot)
        .await?
        .iter()
        .filter_map(|file| dropped_id(&file.path).map(ToOwned::to_owned))
        .collect();
    let mut doomed = Vec::new();
    for path in plan.files_deleted {
        let path = Path::parse(&path)
            .map_err(|error| LakeError::bug("vacuum", format!("{path}: {error}")))?;
        doomed.push(path);
    }
    let data_files = doomed.len() as u64;
    let objects = store.objects();
    let what = || format!("vacuum table {}", store.table);
    let mut listed = objects.list(Some(&Path::from(FOLDER)));
    let limit = options.now.saturating_sub(options.retention);
    while let Some(object) = listed.next().await {
        let object = object.map_err(|error| LakeError::storage(what(), error))?;
        let id = object.location.filename().and_then(|name| name.strip_suffix(".json"));
        let dead = id.is_some_and(|id| !live.contains(id));
        if dead && object.last_modified.timestamp_micros() <= limit {
            doomed.push(object.location);
        }
    }
    let deleted = objects.delete_stream(futures::stream::iter(doomed.into_iter().map(Ok)).boxed());
    let ignored_if_gone = deleted.filter(|result| {
        // Another vacuum may be at it.
        let gone = matches!(result, Err(object_store::Error::NotFound { .. }));
        std::future::ready(!gone)
    });
    ignored_if_gone
        .try_for_each(|_| std::future::ready(Ok(())))
        .await
        .map_err(|error| LakeError::storage(what(), error))?;
    Ok(data_files)
}

/// Whether the log has grown since its last checkpoint.
pub(super) async fn worth_a_checkpoint(store: &TableStore) -> Result<bool> {
    let objects = store.objects();
    let mut listed = objects.list(Some(store.log.log_path()));
    let (mut last_version, mut last_checkpoint) = (0, None);
    while let Some(object) = listed.next().await {
        let object = object.map_err(|error| {
            LakeError::storage(format!("list the log of table {}", store.table), error)
        })?;
        let Some(name) = object.location.filename() else { continue };
        if name.starts_with('_') {
            continue;
        }
        if let Some(version) = extract_version_from_filename(name) {
            last_version = last_version.max(version);
            if name.contains(".checkpoint") {
                last_checkpoint = last_checkpoint.max(Some(version));
            }
        }
    }
    Ok(last_checkpoint.is_none_or(|checkpoint| checkpoint < last_version))
}

/// Deletes log versions older than the retention time that lie before a checkpoint, and for data
/// tables before the mark, from where recovery reads on.
pub(super) async fn log(
    store: &TableStore,
    mark: Option<u64>,
    options: &MaintainOptions,
) -> Result<u64> {
    let failed = store.failed("clean up the log of");
    let Some(snapshot) = store.snapshot().await? else { return Ok(0) };
    let keep_from = mark.unwrap_or(snapshot.version()).min(snapshot.version());
    let cutoff = options.now.saturating_sub(options.log_retention).div_euclid(1_000);
    let deleted = cleanup_expired_logs_for(keep_from, store.log.as_ref(), cutoff, None);
    Ok(deleted.await.map_err(failed)? as u64)
}
