//! Pinned versions of all tables, to be queried with DataFusion.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionConfig;
use deltalake::delta_datafusion::DeltaScanNext;
use deltalake::kernel::EagerSnapshot;

use crate::error::{LakeError, Result};
use crate::lake::Lake;
use crate::schema::Table;
use crate::store::TableStore;

/// The order in which versions are pinned: the ledger first, so that it never vouches for rows
/// that are not seen yet.
const PIN_ORDER: [Table; 4] =
    [Table::LogFiles, Table::Activity, Table::CredentialEvents, Table::IamChanges];

/// All tables, each at one version.
pub struct LakeReader {
    tables: BTreeMap<Table, Pinned>,
}

struct Pinned {
    store: TableStore,
    snapshot: Arc<EagerSnapshot>,
}

impl LakeReader {
    pub(crate) async fn open(lake: &Lake) -> Result<Self> {
        let mut tables = BTreeMap::new();
        for table in PIN_ORDER {
            let store = lake.store(table).clone();
            let snapshot = Arc::new(store.files_snapshot().await?);
            tables.insert(table, Pinned { store, snapshot });
        }
        Ok(Self { tables })
    }

    /// A table by name, to be registered with a session.
    ///
    /// Use a session made with [`session_config`](Self::session_config).
    pub async fn table(&self, name: &str) -> Result<Arc<dyn TableProvider>> {
        let table = Table::from_name(name).ok_or_else(|| LakeError::Location {
            uri: name.to_owned(),
            reason: "no such table".to_owned(),
        })?;
        let pinned = &self.tables[&table];
        let provider = DeltaScanNext::builder()
            .with_log_store(Arc::clone(&pinned.store.log))
            .with_eager_snapshot(Arc::clone(&pinned.snapshot))
            .build()
            .await
            .map_err(|error| LakeError::storage(format!("read table {table}"), error))?;
        Ok(Arc::new(provider))
    }

    /// The pinned versions.
    pub fn versions(&self) -> BTreeMap<Table, u64> {
        self.tables.iter().map(|(table, pinned)| (*table, pinned.snapshot.version())).collect()
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

impl std::fmt::Debug for LakeReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LakeReader").field("versions", &self.versions()).finish()
    }
}
