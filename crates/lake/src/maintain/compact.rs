//! Which files of a table are rewritten, and the commit that replaces them.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::dropped::read_dropped;
use super::rewrite::{Rewritten, numbered, rewrite, session};
use super::{MaintainOptions, TableReport};
use crate::error::{LakeError, Result};
use crate::files::{NewFile, Origin, partition_text};
use crate::lake::Lake;
use crate::log::{BATCH_KEY, Cursor, MAINTENANCE_KEY};
use crate::provider::FileEntry;
use crate::schema::Table;
use crate::step::Action;
use crate::store::{Attempt, ENGINE, TableStore, actions_to_bytes};

const MAX_ATTEMPTS: usize = 10_000;
const MAX_FAILURES: usize = 3;

/// Compacts all partitions of a table that need it, one after the other.
pub(super) async fn table(
    lake: &Lake,
    table: Table,
    options: &MaintainOptions,
    report: &mut TableReport,
) -> Result<()> {
    let store = lake.store(table);
    let snapshot = store.files_snapshot().await?;
    let mut cursor = Cursor { store: store.clone(), version: snapshot.version() };
    let mut partitions: BTreeMap<Option<i32>, Vec<FileEntry>> = BTreeMap::new();
    for file in FileEntry::list(store, &snapshot).await? {
        partitions.entry(file.partition).or_default().push(file);
    }
    drop(snapshot);
    let context = session(options)?;
    // Removed since the snapshot, by anyone: what is not there any more cannot be replaced.
    let mut removed: HashSet<String> = HashSet::new();
    for (partition, files) in partitions {
        let inputs = inputs(table, files, options);
        if inputs.is_empty() {
            report.partitions_skipped += 1;
            continue;
        }
        lake.hook().before(Action::Compact, table);
        let rewritten = match rewrite(&context, store, partition, &inputs, options).await {
            Ok(Some(rewritten)) => rewritten,
            Ok(None) => {
                report.partitions_skipped += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        lake.hook().after(Action::Compact, table);
        let replaced =
            replace(lake, &mut cursor, &mut removed, &inputs, &rewritten, options).await?;
        if replaced {
            report.partitions_compacted += 1;
            report.files_replaced += inputs.len() as u64;
            report.files_written += rewritten.files.len() as u64;
            report.rows_dropped += rewritten.rows_dropped;
        } else {
            report.partitions_lost += 1;
        }
    }
    Ok(())
}

/// The files of a partition that are to be rewritten together; none where it is compact.
fn inputs(table: Table, files: Vec<FileEntry>, options: &MaintainOptions) -> Vec<FileEntry> {
    if files.iter().all(|file| Origin::of_path(&file.path) != Origin::Batch) {
        return Vec::new();
    }
    if numbered(table).is_some() {
        // What is to be dropped may be anywhere in the partition.
        return files;
    }
    // Nothing is dropped here, so files that are large enough stay as they are.
    let small: Vec<FileEntry> = files
        .into_iter()
        .filter(|file| {
            file.size < options.target_file_bytes / 2
                || Origin::of_path(&file.path) == Origin::Batch
        })
        .collect();
    // A batch writes sorted files: alone, one is as compact as can be.
    if small.len() > 1 { small } else { Vec::new() }
}

/// Commits the replacement of `inputs`, whatever is added meanwhile. `false` where another
/// maintenance has replaced some of them: then nothing is replaced.
async fn replace(
    lake: &Lake,
    cursor: &mut Cursor,
    removed: &mut HashSet<String>,
    inputs: &[FileEntry],
    rewritten: &Rewritten,
    options: &MaintainOptions,
) -> Result<bool> {
    let table = cursor.store.table;
    let store = cursor.store.clone();
    let id = Uuid::new_v4().to_string();
    let commit = actions_to_bytes(&actions(&store, &id, inputs, rewritten, options));
    let mut failures = 0;
    for _ in 0..MAX_ATTEMPTS {
        while let Some(entry) = cursor.next().await? {
            if entry.batch.as_deref() == Some(id.as_str()) {
                return Ok(true);
            }
            removed.extend(entry.removed);
        }
        cursor.ensure_connected().await?;
        if inputs.iter().any(|file| removed.contains(&file.path)) {
            store.discard_files(&rewritten.files).await;
            return Ok(false);
        }
        lake.hook().before(Action::Replace, table);
        match store.write_commit(cursor.version + 1, commit.clone()).await {
            Attempt::Committed => {
                cursor.version += 1;
                removed.extend(inputs.iter().map(|file| file.path.clone()));
                lake.hook().after(Action::Replace, table);
                return Ok(true);
            }
            Attempt::VersionTaken => {}
            Attempt::Unknown(error) => {
                failures += 1;
                if failures >= MAX_FAILURES {
                    return Err(error);
                }
            }
        }
    }
    Err(LakeError::Contended { table, attempts: MAX_ATTEMPTS })
}

fn actions(
    store: &TableStore,
    id: &str,
    inputs: &[FileEntry],
    rewritten: &Rewritten,
    options: &MaintainOptions,
) -> Vec<Value> {
    let table = store.table;
    let now_millis = options.now_millis();
    let data_change = rewritten.rows_dropped > 0;
    let mut actions = vec![json!({"commitInfo": {
        "timestamp": now_millis,
        "operation": "OPTIMIZE",
        "operationParameters": {},
        "isBlindAppend": false,
        "engineInfo": ENGINE,
        BATCH_KEY: id,
        MAINTENANCE_KEY: {"rows_dropped": rewritten.rows_dropped},
    }})];
    actions.extend(inputs.iter().map(|file| {
        json!({"remove": {
            "path": file.path,
            "deletionTimestamp": now_millis,
            "dataChange": data_change,
            "extendedFileMetadata": true,
            "partitionValues": {table.def().partition_column: partition_text(file.partition)},
            "size": file.size,
        }})
    }));
    let add = |file: &NewFile| file.add_action(table, data_change, now_millis);
    actions.extend(rewritten.files.iter().map(add));
    actions
}

/// What earlier compactions dropped beside these files.
pub(super) async fn dropped_before(
    store: &TableStore,
    inputs: &[FileEntry],
) -> Result<super::dropped::Dropped> {
    read_dropped(store, inputs.iter().map(|file| file.path.as_str())).await
}
