//! Pinned versions of all tables, to be queried with DataFusion.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionConfig;
use futures::future::try_join_all;

use crate::error::{LakeError, Result};
use crate::lake::Lake;
use crate::maintain::expired;
use crate::provider::{FileEntry, LakeTable};
use crate::schema::Table;

/// The tables that are pinned one after the other: the ledger first, so that it never vouches for
/// rows that are not seen yet, and for the same reason the snapshots before what they are made of.
const PINNED_FIRST: [Table; 5] = [
    Table::LogFiles,
    Table::Activity,
    Table::CredentialEvents,
    Table::IamChanges,
    Table::IamSnapshots,
];

/// All tables, each at one version.
pub struct LakeReader {
    tables: BTreeMap<Table, Pinned>,
    expired_before: Option<i32>,
}

struct Pinned {
    /// None where there is no such table yet.
    version: Option<u64>,
    provider: Arc<LakeTable>,
    files: Vec<String>,
}

impl Pinned {
    /// The table at its latest version, and the day before which its rows may have expired.
    async fn open(lake: &Lake, table: Table) -> Result<(Self, Option<i32>)> {
        let store = lake.store(table);
        let made = !table.is_made_on_use() || store.snapshot().await?.is_some();
        let (version, files, expired) = if made {
            let snapshot = store.files_snapshot().await?;
            let expired = expired(snapshot.metadata().configuration());
            (Some(snapshot.version()), FileEntry::list(store, &snapshot).await?, expired)
        } else {
            (None, Vec::new(), None)
        };
        let paths = files.iter().map(|file| file.path.clone()).collect();
        let provider = Arc::new(LakeTable::new(store, files)?);
        Ok((Self { version, provider, files: paths }, expired))
    }
}

impl LakeReader {
    pub(crate) async fn open(lake: &Lake) -> Result<Self> {
        let mut tables = BTreeMap::new();
        let mut expired_before = None;
        for table in PINNED_FIRST {
            let (pinned, expired) = Pinned::open(lake, table).await?;
            expired_before = expired_before.max(expired);
            tables.insert(table, pinned);
        }
        // Nothing among the others vouches for anything.
        let others = Table::READABLE.into_iter().filter(|table| !PINNED_FIRST.contains(table));
        let open =
            others.map(|table| async move { Ok((table, Pinned::open(lake, table).await?.0)) });
        tables.extend(try_join_all(open).await?);
        Ok(Self { tables, expired_before })
    }

    /// The day, since the epoch, before which rows of the data tables may be gone because they
    /// expired; the ledger keeps their log files. None where nothing has expired.
    pub fn expired_before(&self) -> Option<i32> {
        self.expired_before
    }

    /// A table by name, to be registered with a session.
    ///
    /// Use a session made with [`session_config`](Self::session_config).
    pub async fn table(&self, name: &str) -> Result<Arc<dyn TableProvider>> {
        let pinned = Table::from_name(name).and_then(|table| self.tables.get(&table));
        match pinned {
            Some(pinned) => Ok(Arc::clone(&pinned.provider) as Arc<dyn TableProvider>),
            None => Err(LakeError::Location {
                uri: name.to_owned(),
                reason: "no such table".to_owned(),
            }),
        }
    }

    /// The pinned versions of the tables that there are.
    pub fn versions(&self) -> BTreeMap<Table, u64> {
        let version = |(table, pinned): (&Table, &Pinned)| Some((*table, pinned.version?));
        self.tables.iter().filter_map(version).collect()
    }

    /// The paths of a table's files, relative to the table.
    pub fn files(&self, table: Table) -> &[String] {
        self.tables.get(&table).map_or(&[], |pinned| &pinned.files)
    }

    /// What a session needs so that files, row groups and pages are skipped.
    pub fn session_config() -> SessionConfig {
        let mut config = SessionConfig::new().with_information_schema(true);
        let parquet = &mut config.options_mut().execution.parquet;
        parquet.pruning = true;
        parquet.enable_page_index = true;
        parquet.bloom_filter_on_read = true;
        parquet.pushdown_filters = true;
        parquet.reorder_filters = true;
        config
    }
}

impl fmt::Debug for LakeReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeReader").field("versions", &self.versions()).finish()
    }
}
