//! Pinned versions of all tables, to be queried with DataFusion.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionConfig;

use crate::error::{LakeError, Result};
use crate::lake::Lake;
use crate::provider::{FileEntry, LakeTable};
use crate::schema::Table;

/// The order in which versions are pinned: the ledger first, so that it never vouches for rows
/// that are not seen yet.
const PIN_ORDER: [Table; 4] =
    [Table::LogFiles, Table::Activity, Table::CredentialEvents, Table::IamChanges];

/// All tables, each at one version.
pub struct LakeReader {
    tables: BTreeMap<Table, Pinned>,
}

struct Pinned {
    version: u64,
    provider: Arc<LakeTable>,
    files: Vec<String>,
}

impl LakeReader {
    pub(crate) async fn open(lake: &Lake) -> Result<Self> {
        let mut tables = BTreeMap::new();
        for table in PIN_ORDER {
            let store = lake.store(table);
            let snapshot = store.files_snapshot().await?;
            let files = FileEntry::list(store, &snapshot).await?;
            tables.insert(
                table,
                Pinned {
                    version: snapshot.version(),
                    files: files.iter().map(|file| file.path.clone()).collect(),
                    provider: Arc::new(LakeTable::new(store, files, true)?),
                },
            );
        }
        Ok(Self { tables })
    }

    /// A table by name, to be registered with a session.
    ///
    /// Texts are `Utf8View`. Use a session made with [`session_config`](Self::session_config).
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

    /// The pinned versions.
    pub fn versions(&self) -> BTreeMap<Table, u64> {
        self.tables.iter().map(|(table, pinned)| (*table, pinned.version)).collect()
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
