//! A table's log, read on version by version, and the commits that we write to it.
//!
//! A commit of ours says which batch it belongs to and names all of the batch's files that it
//! makes part of the table, those without rows too. That is what makes an ingest that was broken
//! off recoverable: whoever reads the log knows which files a table holds, without its rows.

use std::fmt;

use bytes::Bytes;
use deltalake::logstore::commit_uri_from_version;
use object_store::ObjectStoreExt;
use serde_json::{Map, Value, json};

use crate::error::{LakeError, Result};
use crate::files::NewFile;
use crate::rows::{ContentHash, FileStatus};
use crate::schema::Table;
use crate::store::{ENGINE, FORMAT_PROPERTY, TableStore, actions_to_bytes};

pub(crate) const BATCH_KEY: &str = "rolecall.batch";
const FILES_KEY: &str = "rolecall.files";
const DATES_KEY: &str = "rolecall.dates";
const CONTENTS_KEY: &str = "rolecall.sha256";
const STATES_KEY: &str = "rolecall.states";
pub(crate) const MAINTENANCE_KEY: &str = "rolecall.maintenance";

const PENDING_PREFIX: &str = "pending:";

/// A set of data tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct TableSet(u8);

impl TableSet {
    pub(crate) fn insert(&mut self, table: Table) {
        self.0 |= Self::bit(table);
    }

    pub(crate) fn contains(self, table: Table) -> bool {
        self.0 & Self::bit(table) != 0
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Table> {
        Table::DATA.into_iter().filter(move |&table| self.contains(table))
    }

    pub(crate) fn names(self) -> Vec<&'static str> {
        self.iter().map(Table::name).collect()
    }

    fn bit(table: Table) -> u8 {
        Table::DATA.iter().position(|data| *data == table).map_or(0, |index| 1 << index)
    }
}

impl FromIterator<Table> for TableSet {
    fn from_iter<I: IntoIterator<Item = Table>>(tables: I) -> Self {
        let mut set = Self::default();
        for table in tables {
            set.insert(table);
        }
        set
    }
}

/// A file as a commit names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedFile {
    pub(crate) log_file: String,
    pub(crate) delivered_date: Option<i32>,
    pub(crate) content: ContentHash,
    /// What the ledger says from this commit on; of no meaning in the log of a data table.
    pub(crate) status: FileStatus,
    /// Tables that hold a pending file's rows.
    pub(crate) held_by: TableSet,
}

/// What one version of a log says, as far as it concerns us.
#[derive(Debug, Default)]
pub(crate) struct LogEntry {
    pub(crate) batch: Option<String>,
    pub(crate) files: Vec<NamedFile>,
    pub(crate) timestamp_millis: i64,
    /// Data-table versions up to which every batch is complete.
    pub(crate) marks: Vec<(Table, u64)>,
    /// Paths of files that it removed from the table.
    pub(crate) removed: Vec<String>,
    /// Whether maintenance wrote it: rows moved or dropped, none added.
    pub(crate) maintenance: bool,
    /// Whether it added files.
    pub(crate) adds: bool,
    /// Whether it changed the table's schema or properties.
    pub(crate) metadata: bool,
}

/// A version that is read on from.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    pub(crate) store: TableStore,
    pub(crate) version: u64,
}

impl Cursor {
    /// The next version, if there is one yet. Goes there.
    pub(crate) async fn next(&mut self) -> Result<Option<LogEntry>> {
        let version = self.version + 1;
        let read = self.store.log.read_commit_entry(version).await;
        let Some(bytes) = read.map_err(self.store.failed("read the log of"))? else {
            return Ok(None);
        };
        let entry = parse(&self.store, version, &bytes)?;
        self.version = version;
        Ok(Some(entry))
    }

    /// Fails where the log was cleaned up beyond our version. Then the next version being absent
    /// does not mean that it is free.
    pub(crate) async fn ensure_connected(&self) -> Result<()> {
        let path = commit_uri_from_version(Some(self.version));
        match self.store.objects().head(&path).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::NotFound { .. }) => {
                Err(LakeError::LogGap { table: self.store.table, version: self.version })
            }
            Err(error) => Err(LakeError::storage(
                format!("read the log of table {}", self.store.table),
                error,
            )),
        }
    }
}

fn mark_app_id(table: Table) -> String {
    format!("rolecall.mark.{table}")
}

/// The application ids under which marks are kept, for reading them from a snapshot.
pub(crate) fn mark_app_ids() -> [(Table, String); 3] {
    Table::DATA.map(|table| (table, mark_app_id(table)))
}

fn parse(store: &TableStore, version: u64, bytes: &Bytes) -> Result<LogEntry> {
    let corrupt = |reason: String| LakeError::Corrupt {
        what: format!("version {version} of the log of table {}", store.table),
        reason,
    };
    let mut entry = LogEntry::default();
    for action in serde_json::Deserializer::from_slice(bytes).into_iter::<Map<String, Value>>() {
        let action = action.map_err(|error| corrupt(error.to_string()))?;
        for (kind, body) in action {
            match kind.as_str() {
                "commitInfo" => read_commit_info(&mut entry, &body).map_err(&corrupt)?,
                "txn" => entry.marks.extend(read_mark(&body)),
                "add" => entry.adds = true,
                "remove" => {
                    entry.removed.extend(body["path"].as_str().map(ToOwned::to_owned));
                }
                "metaData" => {
                    entry.metadata = true;
                    store.check_format(body["configuration"][FORMAT_PROPERTY].as_str())?;
                }
                "protocol" => store.check_protocol(
                    body["minReaderVersion"].as_i64().unwrap_or(i64::MAX),
                    body["minWriterVersion"].as_i64().unwrap_or(i64::MAX),
                )?,
                _ => {}
            }
        }
    }
    Ok(entry)
}

fn read_mark(txn: &Value) -> Option<(Table, u64)> {
    let app_id = txn["appId"].as_str()?;
    let table = Table::DATA.into_iter().find(|&table| mark_app_id(table) == app_id)?;
    Some((table, txn["version"].as_u64()?))
}

fn read_commit_info(entry: &mut LogEntry, info: &Value) -> Result<(), String> {
    entry.timestamp_millis = info["timestamp"].as_i64().unwrap_or_default();
    entry.batch = info[BATCH_KEY].as_str().map(ToOwned::to_owned);
    entry.maintenance = info.get(MAINTENANCE_KEY).is_some();
    let Some(names) = info[FILES_KEY].as_array() else {
        return Ok(());
    };
    for (index, name) in names.iter().enumerate() {
        let name = name.as_str().ok_or("a file name is not text")?;
        let day = &info[DATES_KEY][index];
        let (status, held_by) = match info[STATES_KEY][index].as_str() {
            None | Some("complete") => (FileStatus::Complete, TableSet::default()),
            Some("refused") => (FileStatus::Refused, TableSet::default()),
            Some(state) => {
                let tables = state.strip_prefix(PENDING_PREFIX).ok_or("unknown file state")?;
                (FileStatus::Pending, tables.split(',').filter_map(Table::from_name).collect())
            }
        };
        entry.files.push(NamedFile {
            log_file: name.to_owned(),
            delivered_date: day.as_i64().and_then(|day| i32::try_from(day).ok()),
            content: ContentHash::of(info[CONTENTS_KEY][index].as_str().unwrap_or_default()),
            status,
            held_by,
        });
    }
    Ok(())
}

/// A commit that adds a batch's rows to a table, or its entries to the ledger.
pub(crate) struct Draft<'a> {
    pub(crate) table: Table,
    pub(crate) batch: &'a str,
    pub(crate) files: &'a [NamedFile],
    pub(crate) adds: &'a [NewFile],
    /// Only for the ledger.
    pub(crate) marks: &'a [(Table, u64)],
    pub(crate) now_millis: i64,
}

impl Draft<'_> {
    pub(crate) fn to_bytes(&self) -> Bytes {
        let mut info = Map::new();
        info.insert("timestamp".to_owned(), json!(self.now_millis));
        info.insert("operation".to_owned(), json!("WRITE"));
        info.insert("operationParameters".to_owned(), json!({"mode": "Append"}));
        info.insert("isBlindAppend".to_owned(), json!(true));
        info.insert("engineInfo".to_owned(), json!(ENGINE));
        info.insert(BATCH_KEY.to_owned(), json!(self.batch));
        let names = self.files.iter().map(|file| json!(file.log_file));
        info.insert(FILES_KEY.to_owned(), names.collect());
        let dates = self.files.iter().map(|file| json!(file.delivered_date));
        info.insert(DATES_KEY.to_owned(), dates.collect());
        let contents = self.files.iter().map(|file| json!(file.content.to_string()));
        info.insert(CONTENTS_KEY.to_owned(), contents.collect());
        if self.table == Table::LogFiles {
            let states = self.files.iter().map(|file| json!(state_text(file)));
            info.insert(STATES_KEY.to_owned(), states.collect());
        }
        let mut actions = vec![json!({"commitInfo": info})];
        actions.extend(self.marks.iter().map(|(table, version)| {
            json!({"txn": {
                "appId": mark_app_id(*table),
                "version": version,
                "lastUpdated": self.now_millis,
            }})
        }));
        actions
            .extend(self.adds.iter().map(|add| add.add_action(self.table, true, self.now_millis)));
        actions_to_bytes(&actions)
    }
}

fn state_text(file: &NamedFile) -> String {
    match file.status {
        FileStatus::Complete | FileStatus::Refused => file.status.as_str().to_owned(),
        FileStatus::Pending => format!("{PENDING_PREFIX}{}", file.held_by.names().join(",")),
    }
}

impl fmt::Display for TableSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use url::Url;

    fn store(table: Table) -> TableStore {
        TableStore::new(&Url::parse("memory:///lake/").unwrap(), table, &HashMap::new()).unwrap()
    }

    #[test]
    fn what_a_commit_says_is_read_back() {
        let named = |name: &str, date, status, held_by: &[Table]| NamedFile {
            log_file: name.to_owned(),
            delivered_date: date,
            content: ContentHash::of("00000000000000ff and more"),
            status,
            held_by: held_by.iter().copied().collect(),
        };
        let files = [
            named("a \"quoted\"\nname", Some(-3), FileStatus::Complete, &[]),
            named("b", None, FileStatus::Refused, &[]),
            named("c", Some(7), FileStatus::Pending, &[Table::IamChanges, Table::Activity]),
        ];
        let draft = Draft {
            table: Table::LogFiles,
            batch: "batch",
            files: &files,
            adds: &[],
            marks: &[(Table::Activity, 4), (Table::IamChanges, 5)],
            now_millis: 12,
        };
        let entry = parse(&store(Table::LogFiles), 3, &draft.to_bytes()).unwrap();
        assert_eq!(entry.files, files);
        assert_eq!(entry.batch.as_deref(), Some("batch"));
        assert_eq!(entry.marks, [(Table::Activity, 4), (Table::IamChanges, 5)]);
        assert_eq!(entry.timestamp_millis, 12);
        assert!(!entry.adds && !entry.maintenance);
    }

    #[test]
    fn a_commit_of_another_program_is_read_for_what_it_changes() {
        let table = store(Table::Activity);
        let bytes = Bytes::from_static(
            br#"{"remove":{"path":"x.parquet","dataChange":true}}
{"add":{"path":"y.parquet"}}
{"domainMetadata":{"domain":"other"}}"#,
        );
        let entry = parse(&table, 1, &bytes).unwrap();
        assert_eq!(entry.removed, ["x.parquet"]);
        assert!(entry.adds && entry.files.is_empty() && entry.batch.is_none());
        let raised =
            Bytes::from_static(br#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7}}"#);
        assert!(matches!(parse(&table, 2, &raised), Err(LakeError::Foreign { .. })));
        let torn = Bytes::from_static(br#"{"add":{"path":"#);
        assert!(matches!(parse(&table, 2, &torn), Err(LakeError::Corrupt { .. })));
    }
}
