//! How far a lake handle has read each table's log, and which files it has seen there.
//!
//! For each data table, the version read to and the set of files seen advance as one: whoever
//! commits at the next version knows every file that the table holds. Files that the ledger has
//! as complete are not kept here; recovery starts at the marks, below which all are complete.

use std::collections::HashMap;

use crate::error::{LakeError, Result};
use crate::ledger::{FileKey, Ledger};
use crate::log::{Cursor, LogEntry, mark_app_ids};
use crate::rows::{ContentHash, FileStatus};
use crate::schema::Table;
use crate::store::TableStore;

/// A file that a data table holds and whose ledger entry was not seen yet.
#[derive(Debug, Clone)]
pub(crate) struct OpenFile {
    pub(crate) log_file: String,
    pub(crate) delivered_date: Option<i32>,
    pub(crate) content: ContentHash,
    /// Version of the data table that added it.
    pub(crate) version: u64,
    /// When that was committed.
    pub(crate) committed_millis: i64,
}

/// A data table, read up to some version.
pub(crate) struct DataLog {
    pub(crate) cursor: Cursor,
    pub(crate) open: HashMap<FileKey, OpenFile>,
}

impl DataLog {
    fn apply(&mut self, ledger: &Ledger, version: u64, entry: LogEntry) {
        for file in entry.files {
            self.open.insert(
                ledger.hasher.key(&file.log_file),
                OpenFile {
                    log_file: file.log_file,
                    delivered_date: file.delivered_date,
                    content: file.content,
                    version,
                    committed_millis: entry.timestamp_millis,
                },
            );
        }
    }
}

/// All tables, each read up to some version.
pub(crate) struct LakeState {
    pub(crate) ledger: Ledger,
    /// In the order of [`Table::DATA`].
    pub(crate) data: [DataLog; 3],
    /// Data-table versions up to which every batch is known to be complete.
    marks: [u64; 3],
}

/// Position of a data table in [`Table::DATA`].
pub(crate) fn data_index(table: Table) -> usize {
    Table::DATA.into_iter().position(|data| data == table).unwrap_or(0)
}

impl LakeState {
    /// Reads each data table's log from its mark to the end.
    pub(crate) async fn open(stores: &[TableStore; 4], max_loaded: usize) -> Result<Self> {
        let [credential_events, iam_changes, activity, log_files] = stores;
        let snapshot = log_files.files_snapshot().await?;
        let mut marks = [0; 3];
        for (index, (_, app_id)) in mark_app_ids().into_iter().enumerate() {
            let mark = snapshot
                .transaction_version(log_files.log.as_ref(), app_id)
                .await
                .map_err(log_files.failed("read the marks of"))?;
            marks[index] = mark.and_then(|mark| u64::try_from(mark).ok()).unwrap_or(0);
        }
        let ledger_cursor = Cursor { store: log_files.clone(), version: snapshot.version() };
        let data_log = |store: &TableStore, version| DataLog {
            cursor: Cursor { store: store.clone(), version },
            open: HashMap::new(),
        };
        let mut state = Self {
            ledger: Ledger::new(ledger_cursor, max_loaded),
            data: [
                data_log(credential_events, marks[0]),
                data_log(iam_changes, marks[1]),
                data_log(activity, marks[2]),
            ],
            marks,
        };
        for (table, store) in Table::DATA.into_iter().zip(stores) {
            let Some(latest) = store.snapshot().await? else {
                return Err(LakeError::NoLake { uri: store.log.root_url().to_string() });
            };
            store.check(&latest)?;
            state.read_on_data(table, "").await?;
            let log = &state.data[data_index(table)];
            if log.cursor.version < latest.version() {
                return Err(LakeError::LogGap { table, version: log.cursor.version + 1 });
            }
        }
        state.settle().await?;
        Ok(state)
    }

    /// Reads everything that was committed since.
    pub(crate) async fn read_on(&mut self) -> Result<()> {
        for table in Table::DATA {
            self.read_on_data(table, "").await?;
        }
        self.read_on_ledger("").await?;
        Ok(())
    }

    /// Reads what was committed to a data table since. Gives the version of batch `own`, if it was
    /// among that.
    pub(crate) async fn read_on_data(&mut self, table: Table, own: &str) -> Result<Option<u64>> {
        let log = &mut self.data[data_index(table)];
        let mut found = None;
        while let Some(entry) = log.cursor.next().await? {
            let version = log.cursor.version;
            if entry.batch.as_deref() == Some(own) {
                found = Some(version);
            }
            log.apply(&self.ledger, version, entry);
        }
        log.cursor.ensure_connected().await?;
        Ok(found)
    }

    /// Reads what was committed to the ledger since. Gives the version of batch `own`, if it was
    /// among that.
    pub(crate) async fn read_on_ledger(&mut self, own: &str) -> Result<Option<u64>> {
        let mut found = None;
        while let Some(entry) = self.ledger.cursor.next().await? {
            if entry.batch.as_deref() == Some(own) {
                found = Some(self.ledger.cursor.version);
            }
            self.apply_ledger(&entry);
        }
        self.ledger.cursor.ensure_connected().await?;
        Ok(found)
    }

    /// Takes in a commit to a data table that this handle made itself, at the next version.
    pub(crate) fn committed_data(&mut self, table: Table, entry: LogEntry) -> u64 {
        let log = &mut self.data[data_index(table)];
        log.cursor.version += 1;
        let version = log.cursor.version;
        log.apply(&self.ledger, version, entry);
        version
    }

    /// Takes in a commit to the ledger that this handle made itself, at the next version.
    pub(crate) fn committed_ledger(&mut self, entry: &LogEntry) -> u64 {
        self.ledger.cursor.version += 1;
        self.apply_ledger(entry);
        self.ledger.cursor.version
    }

    fn apply_ledger(&mut self, entry: &LogEntry) {
        self.ledger.apply(entry);
        for (table, version) in &entry.marks {
            // A mark once true stays true, so a lower one from a slower writer changes nothing.
            let mark = &mut self.marks[data_index(*table)];
            *mark = (*mark).max(*version);
        }
    }

    /// Forgets the files that the ledger has by now.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        for table in Table::DATA {
            let log = &self.data[data_index(table)];
            let mut open: Vec<(Option<i32>, FileKey)> =
                log.open.iter().map(|(key, file)| (file.delivered_date, *key)).collect();
            // By partition, so that each is loaded at most once, and some together.
            open.sort_unstable();
            let mut days: Vec<Option<i32>> = open.iter().map(|(date, _)| *date).collect();
            days.dedup();
            for (date, key) in open {
                let ahead = &days[days.partition_point(|day| *day < date)..];
                let settled = match self.ledger.state(date, key, ahead).await? {
                    Some(state) => match state.status {
                        FileStatus::Complete => true,
                        FileStatus::Pending => state.held_by.contains(table),
                        FileStatus::Refused => false,
                    },
                    None => false,
                };
                if settled {
                    self.data[data_index(table)].open.remove(&key);
                }
            }
        }
        Ok(())
    }

    /// The highest marks that hold once the files of `completing` are complete. Needs a state that
    /// is [settled](Self::settle).
    pub(crate) fn marks_after(
        &self,
        completing: impl Fn(Table, &FileKey) -> bool,
    ) -> [(Table, u64); 3] {
        Table::DATA.map(|table| {
            let index = data_index(table);
            let log = &self.data[index];
            let oldest = log
                .open
                .iter()
                .filter(|(key, _)| !completing(table, key))
                .map(|(_, file)| file.version)
                .min();
            let mark = oldest.map_or(log.cursor.version, |version| version.saturating_sub(1));
            (table, mark.max(self.marks[index]))
        })
    }

    /// The marks as last seen.
    pub(crate) fn marks(&self) -> [u64; 3] {
        self.marks
    }
}
