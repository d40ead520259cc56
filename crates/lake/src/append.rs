//! Adds rows to the tables that take no part in the commit of batches.
//!
//! Such a table is made when its first row is added, and rows are only ever added. Batches have
//! rules of their own: see the writer.

use std::future::Future;
use std::sync::Arc;

use uuid::Uuid;

use crate::error::{LakeError, Result};
use crate::files::encode;
use crate::lake::Lake;
use crate::log::{Cursor, Draft};
use crate::rows::TableRows;
use crate::schema::Table;
use crate::step::Action;
use crate::store::{Attempt, TableStore};

const MAX_ATTEMPTS: usize = 1_000;
const MAX_FAILURES: usize = 3;

/// Rows to be added, which may depend on what the table holds.
pub(crate) trait Source: Send {
    /// The rows to add, and the version of the table that they were chosen at; none where that
    /// version says it all. Asked again where somebody else's commit came first.
    fn read(
        &mut self,
        store: &TableStore,
    ) -> impl Future<Output = Result<(Cursor, Option<Arc<TableRows>>)>> + Send;
}

/// Rows that are added whatever the table holds.
pub(crate) struct Plain(pub(crate) Arc<TableRows>);

impl Source for Plain {
    async fn read(&mut self, store: &TableStore) -> Result<(Cursor, Option<Arc<TableRows>>)> {
        let version = store.files_snapshot().await?.version();
        Ok((Cursor { store: store.clone(), version }, Some(Arc::clone(&self.0))))
    }
}

/// Adds the rows of `source` to `table` in one commit, once, whatever others add meanwhile; makes
/// the table where there is none. `now` is in microseconds.
pub(crate) async fn append(
    lake: &Lake,
    table: Table,
    source: &mut impl Source,
    now: i64,
) -> Result<()> {
    let store = lake.store(table);
    let now_millis = now.div_euclid(1_000);
    match store.snapshot().await? {
        Some(snapshot) => store.check(&snapshot)?,
        None => store.create(now_millis).await?,
    }
    let batch = Uuid::new_v4().to_string();
    let mut failures = 0;
    for _ in 0..MAX_ATTEMPTS {
        let (mut cursor, rows) = source.read(store).await?;
        let Some(rows) = rows else {
            return Ok(());
        };
        lake.hook().before(Action::Write, table);
        let encoded = tokio::task::spawn_blocking(move || encode(&rows))
            .await
            .map_err(|error| LakeError::bug(format!("encode rows of {table}"), error))??;
        let adds = store.put_files(encoded).await?;
        lake.hook().after(Action::Write, table);
        let draft = Draft { table, batch: &batch, files: &[], adds: &adds, marks: &[], now_millis };
        lake.hook().before(Action::Commit, table);
        let attempt = store.write_commit(cursor.version + 1, draft.to_bytes()).await;
        if matches!(attempt, Attempt::Committed) {
            lake.hook().after(Action::Commit, table);
            return Ok(());
        }
        if is_in_log(&mut cursor, &batch).await? {
            return Ok(());
        }
        if let Attempt::Unknown(error) = attempt {
            failures += 1;
            // It may be durable yet, but only at the version that the next attempt goes for, or
            // below it: then that one meets the batch in the log.
            if failures >= MAX_FAILURES {
                return Err(error);
            }
        } else {
            store.discard_files(&adds).await;
        }
    }
    Err(LakeError::Contended { table, attempts: MAX_ATTEMPTS })
}

/// Reads on, and says whether the batch's commit is there.
async fn is_in_log(cursor: &mut Cursor, batch: &str) -> Result<bool> {
    while let Some(entry) = cursor.next().await? {
        if entry.batch.as_deref() == Some(batch) {
            return Ok(true);
        }
    }
    Ok(false)
}
