//! Takes days that are no longer to be kept out of a data table.
//!
//! One commit per table removes all files of those days and notes in the table's properties up to
//! which day rows may be missing, so that no reader sees the one without the other. The ledger
//! keeps its entries: a file that was ingested once stays known. Files that arrive late for a day
//! that has expired are ingested as any other, and go with the next maintenance.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use deltalake::kernel::EagerSnapshot;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{MaintainOptions, TableReport};
use crate::error::{LakeError, Result};
use crate::files::{partition_from_text, partition_text};
use crate::lake::Lake;
use crate::log::{BATCH_KEY, Cursor, MAINTENANCE_KEY};
use crate::provider::FileEntry;
use crate::schema::Table;
use crate::step::Action;
use crate::store::{Attempt, ENGINE, actions_to_bytes};

/// Table property that holds the day before which rows may have expired.
const EXPIRED_PROPERTY: &str = "rolecall.expired_before";

const MAX_ATTEMPTS: usize = 10_000;
const MAX_FAILURES: usize = 3;

/// The day before which rows of a table may have expired, from its properties.
pub(crate) fn expired(properties: &HashMap<String, String>) -> Option<i32> {
    properties.get(EXPIRED_PROPERTY).and_then(|day| partition_from_text(day))
}

/// How an attempt to remove files ended.
enum Outcome {
    Done,
    /// Others have changed what is to be removed, so that it must be looked up again.
    Stale,
}

/// Removes the rows of all days before `cutoff` from a data table.
pub(super) async fn table(
    lake: &Lake,
    table: Table,
    cutoff: i32,
    options: &MaintainOptions,
    report: &mut TableReport,
) -> Result<()> {
    let store = lake.store(table);
    let mut failures = 0;
    for _ in 0..MAX_ATTEMPTS {
        let snapshot = store.files_snapshot().await?;
        let mut doomed = FileEntry::list(store, &snapshot).await?;
        doomed.retain(|file| file.partition.is_some_and(|day| day < cutoff));
        if doomed.is_empty() {
            return Ok(());
        }
        let id = Uuid::new_v4().to_string();
        let metadata = metadata_with(&snapshot, table, cutoff)?;
        let commit = actions_to_bytes(&actions(&id, metadata, table, &doomed, options));
        let cursor = Cursor { store: store.clone(), version: snapshot.version() };
        let outcome = remove(lake, cursor, (&id, commit), &doomed, &mut failures).await?;
        if matches!(outcome, Outcome::Done) {
            let days: HashSet<_> = doomed.iter().map(|file| file.partition).collect();
            report.partitions_expired += days.len() as u64;
            report.files_expired += doomed.len() as u64;
            report.rows_expired += doomed.iter().filter_map(|file| file.rows).sum::<u64>();
            return Ok(());
        }
    }
    Err(LakeError::Contended { table, attempts: MAX_ATTEMPTS })
}

/// Commits the removal at the next version that is free, as long as all of `doomed` is still part
/// of the table.
async fn remove(
    lake: &Lake,
    mut cursor: Cursor,
    (id, commit): (&str, Bytes),
    doomed: &[FileEntry],
    failures: &mut usize,
) -> Result<Outcome> {
    let table = cursor.store.table;
    let paths: HashSet<&str> = doomed.iter().map(|file| file.path.as_str()).collect();
    for _ in 0..MAX_ATTEMPTS {
        let mut stale = false;
        while let Some(entry) = cursor.next().await? {
            if entry.batch.as_deref() == Some(id) {
                return Ok(Outcome::Done);
            }
            stale |=
                entry.metadata || entry.removed.iter().any(|path| paths.contains(path.as_str()));
        }
        cursor.ensure_connected().await?;
        if stale {
            return Ok(Outcome::Stale);
        }
        lake.hook().before(Action::Expire, table);
        match cursor.store.write_commit(cursor.version + 1, commit.clone()).await {
            Attempt::Committed => {
                lake.hook().after(Action::Expire, table);
                return Ok(Outcome::Done);
            }
            Attempt::VersionTaken => {}
            Attempt::Unknown(error) => {
                *failures += 1;
                if *failures >= MAX_FAILURES {
                    return Err(error);
                }
            }
        }
    }
    Err(LakeError::Contended { table, attempts: MAX_ATTEMPTS })
}

fn actions(
    id: &str,
    metadata: Value,
    table: Table,
    doomed: &[FileEntry],
    options: &MaintainOptions,
) -> Vec<Value> {
    let now_millis = options.now_millis();
    let rows: u64 = doomed.iter().filter_map(|file| file.rows).sum();
    let info = json!({"commitInfo": {
        "timestamp": now_millis,
        "operation": "DELETE",
        "operationParameters": {},
        "isBlindAppend": false,
        "engineInfo": ENGINE,
        BATCH_KEY: id,
        MAINTENANCE_KEY: {"rows_expired": rows},
    }});
    let removes = doomed.iter().map(|file| {
        json!({"remove": {
            "path": file.path,
            "deletionTimestamp": now_millis,
            "dataChange": true,
            "extendedFileMetadata": true,
            "partitionValues": {table.def().partition_column: partition_text(file.partition)},
            "size": file.size,
        }})
    });
    [info, json!({"metaData": metadata})].into_iter().chain(removes).collect()
}

/// The table's metadata as it is, but for the day before which rows have expired.
fn metadata_with(snapshot: &EagerSnapshot, table: Table, cutoff: i32) -> Result<Value> {
    let metadata = snapshot.metadata();
    let known = expired(metadata.configuration());
    let cutoff = partition_text(Some(known.map_or(cutoff, |known| known.max(cutoff))));
    let mut metadata = serde_json::to_value(metadata)
        .map_err(|error| LakeError::bug(format!("describe table {table}"), error))?;
    metadata["configuration"][EXPIRED_PROPERTY] = json!(cutoff);
    Ok(metadata)
}
