//! A lake: its tables under one place, opened or made.

use std::collections::HashMap;
use std::fmt;

use deltalake::ensure_table_uri;
use url::Url;

use crate::error::{LakeError, Result};
use crate::reader::LakeReader;
use crate::schema::Table;
use crate::step::{Hook, OnStep};
use crate::store::TableStore;
use crate::writer::{Writer, WriterOptions};

/// Options that would replace the conditional put, on which commits rest.
const UNSAFE_OPTIONS: [&str; 3] =
    ["aws_s3_allow_unsafe_rename", "allow_unsafe_rename", "aws_s3_locking_provider"];

/// Options that may be set, but not to `disabled`.
const CONDITIONAL_PUT_OPTIONS: [&str; 2] = ["aws_conditional_put", "conditional_put"];

fn is_unsafe(option: &str, value: &str) -> bool {
    let option = option.to_ascii_lowercase();
    UNSAFE_OPTIONS.contains(&option.as_str())
        || (CONDITIONAL_PUT_OPTIONS.contains(&option.as_str())
            && value.trim().eq_ignore_ascii_case("disabled"))
}

/// How a lake is opened.
#[derive(Clone, Default)]
pub struct LakeOptions {
    /// Options of the object store, such as `aws_endpoint`.
    pub storage: HashMap<String, String>,
    /// Called before and after every step of a commit and of maintenance.
    pub on_step: Option<OnStep>,
    /// Now, in microseconds: the time that a lake made by [`Lake::create_or_open`] carries.
    pub now: i64,
}

impl fmt::Debug for LakeOptions {
    /// Leaves the values out: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeOptions")
            .field("storage", &self.storage.keys().collect::<Vec<_>>())
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// The only door to the tables.
///
/// On S3, one TLS provider must be installed by the program before a lake is opened
/// (`rustls::crypto::aws_lc_rs::default_provider().install_default()`): several are linked, and
/// none is picked by itself.
#[derive(Debug, Clone)]
pub struct Lake {
    uri: String,
    stores: [TableStore; 4],
    /// By position in [`Table::MADE_ON_USE`].
    made_on_use: Vec<TableStore>,
    hook: Hook,
}

impl Lake {
    /// Opens the lake at `uri`, a folder or `s3://bucket/prefix`; makes it where there is none.
    pub async fn create_or_open(uri: &str, options: LakeOptions) -> Result<Self> {
        let lake = Self::at(uri, &options, true)?;
        let mut versions = Vec::with_capacity(Table::ALL.len());
        for store in &lake.stores {
            versions.push(store.snapshot().await?.map(|snapshot| snapshot.version()));
        }
        // Nothing is committed before all tables are there, so one that is missing beside rows is
        // lost, or was made by another process just now.
        let in_use = versions.iter().flatten().any(|version| *version > 0);
        for (store, version) in lake.stores.iter().zip(versions) {
            if version.is_some() {
                continue;
            }
            if !in_use {
                store.create(options.now.div_euclid(1_000)).await?;
            } else if store.snapshot().await?.is_none() {
                return Err(LakeError::Foreign {
                    table: store.table,
                    reason: "it is gone while the lake's other tables hold rows".to_owned(),
                });
            }
        }
        lake.check_tables().await?;
        Ok(lake)
    }

    /// Opens the lake at `uri`, which must exist.
    pub async fn open(uri: &str, options: LakeOptions) -> Result<Self> {
        let lake = Self::at(uri, &options, false)?;
        lake.check_tables().await?;
        Ok(lake)
    }

    pub(crate) fn at(uri: &str, options: &LakeOptions, create: bool) -> Result<Self> {
        if let Some((option, _)) =
            options.storage.iter().find(|(option, value)| is_unsafe(option, value))
        {
            return Err(LakeError::UnsafeOption { option: option.clone() });
        }
        let root = locate(uri, create)?;
        let [first, second, third, fourth] =
            Table::ALL.map(|table| TableStore::new(&root, table, &options.storage));
        let made_on_use =
            Table::MADE_ON_USE.map(|table| TableStore::new(&root, table, &options.storage));
        Ok(Self {
            uri: uri.to_owned(),
            stores: [first?, second?, third?, fourth?],
            made_on_use: made_on_use.into_iter().collect::<Result<_>>()?,
            hook: Hook(options.on_step.clone()),
        })
    }

    async fn check_tables(&self) -> Result<()> {
        for store in &self.stores {
            match store.snapshot().await? {
                Some(snapshot) => store.check(&snapshot)?,
                None => return Err(LakeError::NoLake { uri: self.uri.clone() }),
            }
        }
        Ok(())
    }

    /// The place, as it was given.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// A view of all tables as they are now.
    pub async fn reader(&self) -> Result<LakeReader> {
        LakeReader::open(self).await
    }

    /// A writer with its own view of the lake.
    pub async fn writer(&self, options: WriterOptions) -> Result<Writer> {
        Writer::open(self, options).await
    }

    pub(crate) fn stores(&self) -> &[TableStore; 4] {
        &self.stores
    }

    pub(crate) fn store(&self, table: Table) -> &TableStore {
        let position = |tables: &[Table]| tables.iter().position(|other| *other == table);
        match position(&Table::MADE_ON_USE) {
            Some(index) => &self.made_on_use[index],
            None => &self.stores[position(&Table::ALL).unwrap_or(0)],
        }
    }

    /// So that a test can put a store of its own in a table's place.
    #[cfg(test)]
    pub(crate) fn store_mut(&mut self, table: Table) -> &mut TableStore {
        let position = |tables: &[Table]| tables.iter().position(|other| *other == table);
        match position(&Table::MADE_ON_USE) {
            Some(index) => &mut self.made_on_use[index],
            None => &mut self.stores[position(&Table::ALL).unwrap_or(0)],
        }
    }

    pub(crate) fn hook(&self) -> &Hook {
        &self.hook
    }
}

/// The place as a URL. Where a lake is only opened, a folder must exist: asking for its URL would
/// make it.
fn locate(uri: &str, create: bool) -> Result<Url> {
    let invalid = |reason: String| LakeError::Location { uri: uri.to_owned(), reason };
    if uri.is_empty() {
        return Err(invalid("the place is empty".to_owned()));
    }
    let is_url = uri.contains("://");
    if is_url
        && !uri.starts_with("s3://")
        && !uri.starts_with("s3a://")
        && !uri.starts_with("file://")
    {
        return Err(invalid("neither a folder nor s3://".to_owned()));
    }
    if !is_url && !create && !std::path::Path::new(uri).is_dir() {
        return Err(LakeError::NoLake { uri: uri.to_owned() });
    }
    ensure_table_uri(uri).map_err(|error| LakeError::storage(format!("open lake {uri}"), error))
}
