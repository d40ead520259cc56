//! A batch being committed: its files, what is known of each, and its rows.

use std::sync::Arc;

use uuid::Uuid;

use crate::error::Result;
use crate::files::EncodedFile;
use crate::ledger::{FileHasher, FileKey};
use crate::log::{NamedFile, TableSet};
use crate::rows::{
    BatchFile, FileAccount, FileStatus, LedgerRow, ReadOutcome, TableBuilder, TableRows, ledger,
};
use crate::schema::Table;
use crate::state::data_index;

use super::{CommitReport, EncodedBatch, FileOutcome};

/// What is to be done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its rows are to be written, except to the tables that hold them.
    Write { held_by: TableSet },
    /// It is to be written to the ledger as refused.
    Refuse,
    /// Nothing: it has this outcome.
    Done(FileOutcome),
}

pub(super) struct WorkFile {
    pub(super) file: BatchFile,
    pub(super) key: FileKey,
    pub(super) verdict: Verdict,
}

impl WorkFile {
    pub(super) fn named(&self, status: FileStatus) -> NamedFile {
        NamedFile {
            log_file: self.file.meta.log_file.clone(),
            delivered_date: self.file.meta.delivered_date,
            content: self.file.content,
            status,
            held_by: TableSet::default(),
        }
    }
}

/// A batch being committed.
pub(super) struct Work {
    pub(super) batch_id: String,
    pub(super) files: Vec<WorkFile>,
    rows: [Arc<TableRows>; 3],
    /// All rows of each table as Parquet, until they are put or turn out not to be what is wanted.
    encoded: [Option<Vec<EncodedFile>>; 3],
    pub(super) report: CommitReport,
    /// When the batch's last file was read: the time that its commits carry.
    pub(super) now_millis: i64,
}

impl Work {
    pub(super) fn new(batch: EncodedBatch, hasher: &FileHasher) -> Self {
        let EncodedBatch { files, rows, encoded } = batch;
        let now_micros = files.iter().map(|file| file.meta.ingested_at).max().unwrap_or(0);
        let files = files.into_iter().map(|file| {
            let verdict = match file.outcome {
                ReadOutcome::Read(_) => Verdict::Write { held_by: TableSet::default() },
                ReadOutcome::Refused(_) => Verdict::Refuse,
            };
            WorkFile { key: hasher.key(&file.meta.log_file), file, verdict }
        });
        Self {
            batch_id: Uuid::new_v4().to_string(),
            files: files.collect(),
            rows,
            encoded: encoded.map(Some),
            report: CommitReport::default(),
            now_millis: now_micros.div_euclid(1_000),
        }
    }

    pub(super) fn rows(&self, table: Table) -> Arc<TableRows> {
        Arc::clone(&self.rows[data_index(table)])
    }

    /// What the batch was encoded to, if these are all of the files that have rows; once.
    pub(super) fn take_encoded(
        &mut self,
        table: Table,
        wanted: &[bool],
    ) -> Option<Vec<EncodedFile>> {
        let encoded = self.encoded[data_index(table)].take()?;
        self.rows(table).are_all_of(wanted).then_some(encoded)
    }

    /// The files that the ledger is to get, with the status that it gets.
    pub(super) fn ledger_files(&self) -> Vec<NamedFile> {
        self.files
            .iter()
            .filter_map(|file| match file.verdict {
                Verdict::Write { .. } => Some(file.named(FileStatus::Complete)),
                Verdict::Refuse => Some(file.named(FileStatus::Refused)),
                Verdict::Done(_) => None,
            })
            .collect()
    }

    /// The ledger's rows for [`Self::ledger_files`].
    pub(super) fn ledger_rows(&self, parser_version: i64) -> Result<TableRows> {
        let mut rows = TableBuilder::new(Table::LogFiles);
        for (number, file) in (0..).zip(&self.files) {
            let (status, account, refusal): (_, Option<&FileAccount>, Option<&str>) =
                match (&file.verdict, &file.file.outcome) {
                    (Verdict::Write { .. }, ReadOutcome::Read(account)) => {
                        (FileStatus::Complete, Some(account), None)
                    }
                    (Verdict::Refuse, ReadOutcome::Refused(reason)) => {
                        (FileStatus::Refused, None, Some(reason))
                    }
                    _ => continue,
                };
            let entry = LedgerRow {
                status,
                account,
                refusal,
                pending_tables: &[],
                parser_version: Some(parser_version),
                batch_id: &self.batch_id,
            };
            ledger(&mut rows, &file.file.meta, &entry, number);
        }
        rows.finish()
    }

    /// Notes that the ledger has the batch's files by a commit of ours.
    pub(super) fn ledger_committed(&mut self) {
        for file in &mut self.files {
            file.verdict = match file.verdict {
                Verdict::Write { .. } => Verdict::Done(FileOutcome::Committed),
                Verdict::Refuse => Verdict::Done(FileOutcome::Refused),
                done => done,
            };
        }
    }

    pub(super) fn into_report(mut self) -> CommitReport {
        self.report.files = self
            .files
            .into_iter()
            .map(|file| {
                let outcome = match file.verdict {
                    Verdict::Done(outcome) => outcome,
                    // Whoever returns a report has brought every file to an end.
                    Verdict::Write { .. } | Verdict::Refuse => FileOutcome::Known,
                };
                (file.file.meta.log_file, outcome)
            })
            .collect();
        self.report
    }
}
