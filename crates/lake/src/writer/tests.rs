//! Commits whose outcome the store leaves in the dark.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use deltalake::DeltaResult;
use deltalake::kernel::transaction::TransactionError;
use deltalake::logstore::{CommitOrBytes, LogStore, LogStoreConfig, LogStoreRef};
use object_store::ObjectStore;
use rolecall_events::rows::{Account, ActivityRow, CredentialEvent, IamChange, LogFile};
use uuid::Uuid;

use super::{FileOutcome, WriterOptions};
use crate::error::Kind;
use crate::lake::{Lake, LakeOptions};
use crate::maintain::MaintainOptions;
use crate::rows::{Batch, LogFileMeta};
use crate::schema::Table;

/// How a store answers a commit wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The commit is durable, the answer is lost.
    AnswerLost,
    /// The commit is durable; the store repeats the request by itself and meets its own commit.
    MeetsItself,
    /// Nothing happened.
    NotDone,
}

const FAULTS: [Fault; 3] = [Fault::AnswerLost, Fault::MeetsItself, Fault::NotDone];

/// A log store that answers the next commits wrongly.
#[derive(Debug)]
struct Flaky {
    inner: LogStoreRef,
    next: Arc<Mutex<Vec<Fault>>>,
}

#[async_trait]
impl LogStore for Flaky {
    fn name(&self) -> String {
        self.inner.name()
    }

    async fn read_commit_entry(&self, version: u64) -> DeltaResult<Option<Bytes>> {
        self.inner.read_commit_entry(version).await
    }

    async fn write_commit_entry(
        &self,
        version: u64,
        commit: CommitOrBytes,
        operation: Uuid,
    ) -> Result<(), TransactionError> {
        let fault = self.next.lock().unwrap().pop();
        let lost = || TransactionError::ObjectStore {
            source: object_store::Error::Generic { store: "flaky", source: "timeout".into() },
        };
        if fault == Some(Fault::NotDone) {
            return Err(lost());
        }
        self.inner.write_commit_entry(version, commit, operation).await?;
        match fault {
            Some(Fault::AnswerLost) => Err(lost()),
            Some(Fault::MeetsItself) => Err(TransactionError::VersionAlreadyExists(version)),
            Some(Fault::NotDone) | None => Ok(()),
        }
    }

    async fn abort_commit_entry(
        &self,
        version: u64,
        commit: CommitOrBytes,
        operation: Uuid,
    ) -> Result<(), TransactionError> {
        self.inner.abort_commit_entry(version, commit, operation).await
    }

    async fn get_latest_version(&self, start: u64) -> DeltaResult<u64> {
        self.inner.get_latest_version(start).await
    }

    fn object_store(&self, operation: Option<Uuid>) -> Arc<dyn ObjectStore> {
        self.inner.object_store(operation)
    }

    fn root_object_store(&self, operation: Option<Uuid>) -> Arc<dyn ObjectStore> {
        self.inner.root_object_store(operation)
    }

    fn config(&self) -> &LogStoreConfig {
        self.inner.config()
    }
}

/// A lake, and where to put the faults of one of its tables.
async fn flaky_lake(uri: &str, table: Table) -> (Lake, Arc<Mutex<Vec<Fault>>>) {
    let mut lake = Lake::create_or_open(uri, LakeOptions::default()).await.unwrap();
    let faults = Arc::new(Mutex::new(Vec::new()));
    let store = lake.store_mut(table);
    store.log = Arc::new(Flaky { inner: Arc::clone(&store.log), next: Arc::clone(&faults) });
    (lake, faults)
}

fn batch(names: &[&str]) -> Batch {
    let mut batch = Batch::new();
    for name in names {
        let rows = LogFile {
            credential_events: vec![CredentialEvent {
                event_source: "sts.amazonaws.com",
                event_name: "AssumeRole",
                ..CredentialEvent::default()
            }],
            iam_changes: vec![IamChange { target_type: "user", ..IamChange::default() }],
            activity: vec![ActivityRow { event_count: 2, ..ActivityRow::default() }],
            account: Account {
                seen: 2,
                credential: 1,
                other: 1,
                iam_changes: 1,
                ..Account::default()
            },
        };
        let meta = LogFileMeta { log_file: (*name).to_owned(), ..LogFileMeta::default() };
        batch.push(meta, &rows);
    }
    batch
}

fn temp_lake() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let uri = folder.path().join("lake").to_str().unwrap().to_owned();
    (folder, uri)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_nobody_knows_is_found_out() {
    for table in Table::ALL {
        for fault in FAULTS {
            let (_folder, uri) = temp_lake();
            let (lake, faults) = flaky_lake(&uri, table).await;
            let mut writer = lake.writer(WriterOptions::default()).await.unwrap();
            faults.lock().unwrap().push(fault);
            let report = writer.commit(batch(&["a", "b"])).await.unwrap();
            assert_eq!(report.count(FileOutcome::Committed), 2, "{table} {fault:?}");
            assert_eq!(report.versions.len(), 4, "{table} {fault:?}");
            assert!(faults.lock().unwrap().is_empty());
            writer.commit(batch(&["b", "c"])).await.unwrap();
            let found = lake.check().await.unwrap();
            assert!(found.clean, "{table} {fault:?}: {:?}", found.problems);
            assert_eq!((found.complete, found.unlisted_count), (3, 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stays_down_is_told_and_what_was_done_is_taken_up() {
    for table in Table::ALL {
        let (_folder, uri) = temp_lake();
        let (lake, faults) = flaky_lake(&uri, table).await;
        let mut writer = lake.writer(WriterOptions::default()).await.unwrap();
        *faults.lock().unwrap() = vec![Fault::NotDone; 3];
        let error = writer.commit(batch(&["a", "b"])).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Retry);
        assert!(faults.lock().unwrap().is_empty());
        // By the same writer, whose view has stayed true.
        let report = writer.commit(batch(&["a", "b"])).await.unwrap();
        assert_eq!(report.count(FileOutcome::Committed), 2);
        let found = lake.check().await.unwrap();
        assert!(found.clean, "{table}: {:?}", found.problems);
        assert_eq!((found.complete, found.unlisted_count), (2, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_finds_out_too() {
    for fault in FAULTS {
        let (_folder, uri) = temp_lake();
        let (lake, faults) = flaky_lake(&uri, Table::CredentialEvents).await;
        let mut writer = lake.writer(WriterOptions::default()).await.unwrap();
        writer.commit(batch(&["a", "b"])).await.unwrap();
        writer.commit(batch(&["c"])).await.unwrap();
        faults.lock().unwrap().push(fault);
        let report = lake.maintain(MaintainOptions::at(0)).await.unwrap();
        assert_eq!(report.tables[&Table::CredentialEvents].partitions_compacted, 1, "{fault:?}");
        assert!(faults.lock().unwrap().is_empty());
        let found = lake.check().await.unwrap();
        assert!(found.clean, "{fault:?}: {:?}", found.problems);
        assert_eq!(found.complete, 3);
    }
}
