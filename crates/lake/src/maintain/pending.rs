//! Closes ingests that were broken off and never taken up again, and moves the marks on.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::MaintainOptions;
use crate::error::{LakeError, Result};
use crate::files::{NewFile, encode};
use crate::lake::Lake;
use crate::ledger::FileKey;
use crate::log::{Draft, NamedFile, TableSet};
use crate::rows::{FileStatus, LedgerRow, LogFileMeta, TableBuilder, ledger};
use crate::schema::Table;
use crate::state::LakeState;
use crate::step::Action;
use crate::store::Attempt;

const MAX_ATTEMPTS: usize = 1_000;

/// How many versions the marks may lag behind before a commit is made just to move them.
const MAX_LAG: u64 = 100;

/// How many ledger entries are kept in memory here.
const MAX_LEDGER_FILES: usize = 4_000_000;

/// Closes what is to be closed. Gives the names of the closed files and the marks as they are now.
pub(super) async fn close(
    lake: &Lake,
    options: &MaintainOptions,
) -> Result<(Vec<String>, BTreeMap<Table, u64>)> {
    let mut state = LakeState::open(lake.stores(), MAX_LEDGER_FILES).await?;
    let batch = Uuid::new_v4().to_string();
    for _ in 0..MAX_ATTEMPTS {
        state.read_on().await?;
        state.settle().await?;
        let overdue = overdue(&state, options);
        let marks = state.marks_after(|table, key| {
            overdue.get(key).is_some_and(|file| file.held_by.contains(table))
        });
        let lag = marks.iter().zip(state.marks()).map(|((_, mark), known)| mark - known).max();
        if overdue.is_empty() && lag.unwrap_or(0) < MAX_LAG {
            let known = Table::DATA.into_iter().zip(state.marks()).collect();
            return Ok((Vec::new(), known));
        }
        let mut files: Vec<NamedFile> = overdue.into_values().collect();
        files.sort_by(|left, right| left.log_file.cmp(&right.log_file));
        let adds = write_entries(lake, &files, &batch, options).await?;
        let draft = Draft {
            table: Table::LogFiles,
            batch: &batch,
            files: &files,
            adds: &adds,
            marks: &marks,
            now_millis: options.now_millis(),
        };
        let cursor = &state.ledger.cursor;
        lake.hook().before(Action::Commit, Table::LogFiles);
        match cursor.store.write_commit(cursor.version + 1, draft.to_bytes()).await {
            Attempt::Committed => {
                lake.hook().after(Action::Commit, Table::LogFiles);
                let names = files.into_iter().map(|file| file.log_file).collect();
                return Ok((names, marks.into_iter().collect()));
            }
            Attempt::VersionTaken => cursor.store.discard_files(&adds).await,
            // Nothing is lost: the files stay open, and the next maintenance finds them.
            Attempt::Unknown(error) => return Err(error),
        }
    }
    Err(LakeError::Contended { table: Table::LogFiles, attempts: MAX_ATTEMPTS })
}

/// Files that some table has held for long without the ledger knowing of them.
fn overdue(state: &LakeState, options: &MaintainOptions) -> HashMap<FileKey, NamedFile> {
    let limit = options.now.saturating_sub(options.pending_after).div_euclid(1_000);
    let mut files: HashMap<FileKey, (NamedFile, i64)> = HashMap::new();
    for (table, log) in Table::DATA.into_iter().zip(&state.data) {
        for (key, open) in &log.open {
            let (file, newest) = files.entry(*key).or_insert_with(|| {
                let file = NamedFile {
                    log_file: open.log_file.clone(),
                    delivered_date: open.delivered_date,
                    content: open.content,
                    status: FileStatus::Pending,
                    held_by: TableSet::default(),
                };
                (file, open.committed_millis)
            });
            file.held_by.insert(table);
            *newest = (*newest).max(open.committed_millis);
        }
    }
    files
        .into_iter()
        .filter(|(_, (_, newest))| *newest < limit)
        .map(|(key, (file, _))| (key, file))
        .collect()
}

async fn write_entries(
    lake: &Lake,
    files: &[NamedFile],
    batch: &str,
    options: &MaintainOptions,
) -> Result<Vec<NewFile>> {
    let table = Table::LogFiles;
    let mut rows = TableBuilder::new(table);
    for (number, file) in (0..).zip(files) {
        let meta = LogFileMeta {
            log_file: file.log_file.clone(),
            delivered_date: file.delivered_date,
            // All that is known of it: enough to tell whether the same file comes again.
            sha256: file.content.to_string(),
            ingested_at: options.now,
            ..LogFileMeta::default()
        };
        let entry = LedgerRow {
            status: FileStatus::Pending,
            account: None,
            refusal: None,
            pending_tables: &file.held_by.names(),
            parser_version: None,
            batch_id: batch,
        };
        ledger(&mut rows, &meta, &entry, number);
    }
    lake.hook().before(Action::Write, table);
    let encoded = encode(&rows.finish()?)?;
    let written = lake.store(table).put_files(encoded).await?;
    lake.hook().after(Action::Write, table);
    Ok(written)
}
