//! One table's place: its log, its files, how it is created and what makes it ours.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::TransactionError;
use deltalake::kernel::{EagerSnapshot, Snapshot, StructType};
use deltalake::logstore::{CommitOrBytes, LogStoreRef, StorageConfig, logstore_for};
use deltalake::protocol::checkpoints::create_checkpoint;
use deltalake::{DeltaTable, DeltaTableError};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::error::{LakeError, Result};
use crate::files::{EncodedFile, NewFile};
use crate::schema::{FORMAT_VERSION, Table};

/// Table property that holds the lake's format version.
pub(crate) const FORMAT_PROPERTY: &str = "rolecall.format";

/// Files that are put at once.
const PUT_CONCURRENCY: usize = 8;

/// One table's place in the lake.
#[derive(Debug, Clone)]
pub(crate) struct TableStore {
    pub(crate) table: Table,
    pub(crate) log: LogStoreRef,
}

/// How an attempt to commit ended.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// It is durable.
    Committed,
    /// The version exists already: another's commit, or our own if a request was repeated.
    VersionTaken,
    /// Nobody knows: it may be durable.
    Unknown(LakeError),
}

impl TableStore {
    pub(crate) fn new(lake: &Url, table: Table, options: &HashMap<String, String>) -> Result<Self> {
        let mut root = lake.clone();
        root.path_segments_mut()
            .map_err(|()| LakeError::Location {
                uri: lake.to_string(),
                reason: "not a place that can hold tables".to_owned(),
            })?
            .pop_if_empty()
            .push(table.name())
            .push("");
        let config = StorageConfig::parse_options(options.clone()).map_err(|error| {
            LakeError::Location { uri: lake.to_string(), reason: error.to_string() }
        })?;
        let log = logstore_for(&root, config).map_err(|error| LakeError::Location {
            uri: lake.to_string(),
            reason: error.to_string(),
        })?;
        Ok(Self { table, log })
    }

    pub(crate) fn objects(&self) -> Arc<dyn ObjectStore> {
        self.log.object_store(None)
    }

    /// An error of this table's store.
    pub(crate) fn failed(&self, what: &str) -> impl Fn(DeltaTableError) -> LakeError + use<> {
        let what = format!("{what} table {}", self.table);
        move |error| LakeError::storage(what.clone(), error)
    }

    /// The table's latest version, without its files; `None` where there is no table.
    pub(crate) async fn snapshot(&self) -> Result<Option<Snapshot>> {
        let exists = self.log.is_delta_table_location().await.map_err(self.failed("open"))?;
        if !exists {
            return Ok(None);
        }
        match Snapshot::try_new(self.log.as_ref(), None).await {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(DeltaTableError::NotATable(_)) => Ok(None),
            Err(error) => Err(self.failed("open")(error)),
        }
    }

    /// The table's latest version, with its files.
    pub(crate) async fn files_snapshot(&self) -> Result<EagerSnapshot> {
        EagerSnapshot::try_new(self.log.as_ref(), None).await.map_err(self.failed("open"))
    }

    /// Refuses a table that is newer than this binary, or that others gave features we don't know.
    pub(crate) fn check(&self, snapshot: &Snapshot) -> Result<()> {
        let configuration = snapshot.metadata().configuration();
        self.check_format(configuration.get(FORMAT_PROPERTY).map(String::as_str))?;
        let protocol = snapshot.protocol();
        self.check_protocol(
            protocol.min_reader_version().into(),
            protocol.min_writer_version().into(),
        )
    }

    pub(crate) fn check_format(&self, format: Option<&str>) -> Result<()> {
        let Some(found) = format.and_then(|format| format.parse::<u32>().ok()) else {
            return Err(LakeError::Foreign {
                table: self.table,
                reason: format!(
                    "it has no {FORMAT_PROPERTY} property, so it is not of this program"
                ),
            });
        };
        if found > FORMAT_VERSION {
            return Err(LakeError::NewerFormat {
                table: self.table,
                found,
                supported: FORMAT_VERSION,
            });
        }
        Ok(())
    }

    pub(crate) fn check_protocol(&self, reader: i64, writer: i64) -> Result<()> {
        if reader > READER_VERSION || writer > WRITER_VERSION {
            return Err(LakeError::Foreign {
                table: self.table,
                reason: format!("another program raised its protocol to {reader}/{writer}"),
            });
        }
        Ok(())
    }

    /// Makes the table, unless another process is faster: then theirs is as good.
    pub(crate) async fn create(&self, now_millis: i64) -> Result<()> {
        let commit = self.creation(now_millis)?;
        match self.write_commit(0, commit).await {
            Attempt::Committed | Attempt::VersionTaken => Ok(()),
            Attempt::Unknown(error) => Err(error),
        }
    }

    fn creation(&self, now_millis: i64) -> Result<Bytes> {
        let def = self.table.def();
        let schema = self.table.schema();
        let schema: StructType = schema
            .as_ref()
            .try_into_kernel()
            .map_err(|error| LakeError::bug(format!("describe table {}", self.table), error))?;
        let schema = serde_json::to_string(&schema)
            .map_err(|error| LakeError::bug(format!("describe table {}", self.table), error))?;
        Ok(actions_to_bytes(&[
            json!({"commitInfo": {
                "timestamp": now_millis,
                "operation": "CREATE TABLE",
                "operationParameters": {},
                "isBlindAppend": true,
                "engineInfo": ENGINE,
            }}),
            json!({"protocol": {
                "minReaderVersion": READER_VERSION,
                "minWriterVersion": WRITER_VERSION,
            }}),
            json!({"metaData": {
                "id": Uuid::new_v4().to_string(),
                "name": def.name,
                "description": def.comment,
                "format": {"provider": "parquet", "options": {}},
                "schemaString": schema,
                "partitionColumns": [def.partition_column],
                "createdTime": now_millis,
                "configuration": {
                    FORMAT_PROPERTY: FORMAT_VERSION.to_string(),
                    // Otherwise every commit would list the whole log, and recovery could find
                    // the versions gone that it reads on from.
                    "delta.enableExpiredLogCleanup": "false",
                    "delta.dataSkippingStatsColumns": def.stats_columns.join(","),
                },
            }}),
        ]))
    }

    /// Puts `commit` as `version`, once, and only if there is no such version yet.
    pub(crate) async fn write_commit(&self, version: u64, commit: Bytes) -> Attempt {
        let put =
            self.log.write_commit_entry(version, CommitOrBytes::LogBytes(commit), Uuid::new_v4());
        match put.await {
            Ok(()) => Attempt::Committed,
            Err(TransactionError::VersionAlreadyExists(_)) => Attempt::VersionTaken,
            Err(error) => Attempt::Unknown(LakeError::storage(
                format!("commit version {version} of table {}", self.table),
                error,
            )),
        }
    }

    /// Puts files that nothing refers to yet: all of them, or as far as that works none.
    pub(crate) async fn put_files(&self, encoded: Vec<EncodedFile>) -> Result<Vec<NewFile>> {
        let objects = self.objects();
        let files: Vec<NewFile> = encoded.iter().map(|encoded| encoded.file.clone()).collect();
        let put: Result<()> = futures::stream::iter(encoded)
            .map(|encoded| {
                let objects = Arc::clone(&objects);
                async move {
                    let path = Path::from(encoded.file.path.as_str());
                    let put = objects.put(&path, encoded.bytes.into()).await;
                    put.map(|_| ()).map_err(|error| {
                        LakeError::storage(format!("write a file of table {}", self.table), error)
                    })
                }
            })
            .buffered(PUT_CONCURRENCY)
            .try_collect()
            .await;
        match put {
            Ok(()) => Ok(files),
            Err(error) => {
                self.discard_files(&files).await;
                Err(error)
            }
        }
    }

    /// Writes a checkpoint of the latest version.
    pub(crate) async fn checkpoint(&self) -> Result<()> {
        let mut table = DeltaTable::new(Arc::clone(&self.log));
        table.load().await.map_err(self.failed("open"))?;
        create_checkpoint(&table, None).await.map_err(self.failed("write a checkpoint of"))
    }

    /// Deletes files that nothing refers to, as far as that works: what is left over is vacuumed.
    pub(crate) async fn discard_files(&self, files: &[NewFile]) {
        let objects = self.objects();
        for file in files {
            if let Err(error) = objects.delete(&Path::from(file.path.as_str())).await {
                tracing::debug!(table = %self.table, path = file.path, %error, "left a file to vacuum");
            }
        }
    }
}

/// The newest Delta protocol that plain tables need; readers of any age know it.
const READER_VERSION: i64 = 1;
const WRITER_VERSION: i64 = 2;

/// Who wrote a commit.
pub(crate) const ENGINE: &str = concat!("rolecall/", env!("CARGO_PKG_VERSION"));

/// Actions as the text of a commit: one JSON object per line.
pub(crate) fn actions_to_bytes(actions: &[Value]) -> Bytes {
    let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
    Bytes::from(lines.join("\n"))
}
