//! A batch turned into Parquet, before it is known which of its files the lake has.
//!
//! Encoding is most of a commit's work and needs nothing of the lake, so that it can be done by many
//! threads at once while commits go one after the other. The rows stay beside the Parquet: where the lake
//! turns out to hold some of the files, the rest is encoded again.

use std::fmt;
use std::sync::Arc;

use crate::error::Result;
use crate::files::{EncodedFile, encode};
use crate::rows::{Batch, BatchFile, TableBuilder, TableRows};

/// A batch that is sorted and encoded, for [`Writer::commit_encoded`](crate::Writer::commit_encoded).
pub struct EncodedBatch {
    pub(super) files: Vec<BatchFile>,
    pub(super) rows: [Arc<TableRows>; 3],
    /// All rows of each table.
    pub(super) encoded: [Vec<EncodedFile>; 3],
}

impl EncodedBatch {
    /// Sorts and encodes a batch. Blocks for as long as that takes, up to seconds for a large one.
    ///
    /// # Errors
    ///
    /// Only where rows and schema do not agree, which would be an error of this crate.
    pub fn new(batch: Batch) -> Result<Self> {
        let (builders, files) = batch.into_parts();
        let [credential_events, iam_changes, activity] = builders.map(encode_table);
        let (credential_events, iam_changes, activity) =
            (credential_events?, iam_changes?, activity?);
        Ok(Self {
            files,
            rows: [credential_events.0, iam_changes.0, activity.0],
            encoded: [credential_events.1, iam_changes.1, activity.1],
        })
    }

    /// Files in the batch.
    pub fn files(&self) -> usize {
        self.files.len()
    }
}

fn encode_table(builder: TableBuilder) -> Result<(Arc<TableRows>, Vec<EncodedFile>)> {
    let rows = builder.finish()?;
    let encoded = encode(&rows)?;
    Ok((Arc::new(rows), encoded))
}

impl fmt::Debug for EncodedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodedBatch").field("files", &self.files()).finish_non_exhaustive()
    }
}
