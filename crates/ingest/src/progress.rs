//! What a run has seen so far, for whoever shows or sums it: counts, and notices about single files.
//!
//! Counts that concern rows are taken from what was committed, not from what was parsed, so that they
//! are true even if the run ends in the middle.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::layout::{self, Other};

/// Kinds of what is passed over that are told apart.
const KINDS: usize = 64;

/// Something about one file that the user should know. Names the file, never what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The file could not be read at all, or not as a log file.
    Refused {
        /// Path or `s3://` address.
        file: String,
        /// A phrase that follows the file's name.
        reason: String,
    },
    /// Records of the file were rejected; the others were kept.
    RecordsRejected {
        /// Path or `s3://` address.
        file: String,
        /// How many.
        rejected: u64,
        /// The first of them: position in `Records`, and why.
        first: Vec<(u32, String)>,
    },
    /// The file is a log file with an empty `Records`, which CloudTrail does not deliver.
    NoRecordsInside {
        /// Path or `s3://` address.
        file: String,
    },
    /// A log file of this name was ingested before, with other content: it is not ingested again.
    Replaced {
        /// Path or `s3://` address.
        file: String,
    },
    /// The file is one page of several: the rest was not asked for, or cut off.
    MorePages {
        /// Path or `s3://` address.
        file: String,
    },
    /// A filter was given that this path says nothing about, so the file is left out.
    CannotTell {
        /// Path or `s3://` address.
        file: String,
        /// The filter, as it is typed.
        filter: &'static str,
    },
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused { file, reason } => write!(f, "{file}: {reason}"),
            Self::RecordsRejected { file, rejected, first } => {
                write!(f, "{file}: rejected {rejected} record")?;
                f.write_str(if *rejected == 1 { ":" } else { "s:" })?;
                for (position, (index, reason)) in first.iter().enumerate() {
                    let comma = if position == 0 { "" } else { "," };
                    write!(f, "{comma} record {index} {reason}")?;
                }
                f.write_str(if *rejected > first.len() as u64 { ", …" } else { "" })
            }
            Self::NoRecordsInside { file } => write!(f, "{file}: has no records inside"),
            Self::Replaced { file } => write!(
                f,
                "{file}: a log file of this name is in the lake with other content; kept the one in the \
                 lake"
            ),
            Self::MorePages { file } => write!(
                f,
                "{file}: has a NextToken, so more pages follow it that are not in this file: ask for all of them \
                 (without --max-items)"
            ),
            Self::CannotTell { file, filter } => {
                write!(f, "{file}: left out, because its path does not say what {filter} asks for")
            }
        }
    }
}

/// Receives notices as they occur, from any thread.
pub type NoticeSink = Arc<dyn Fn(Notice) + Send + Sync>;

/// Counts of a run; clones share them.
#[derive(Clone)]
pub struct Progress {
    counts: Arc<Counts>,
    /// What was passed over, and how many files of it.
    passed_over: Arc<Mutex<BTreeMap<Other, u64>>>,
    sink: NoticeSink,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("counts", &self.counts).finish_non_exhaustive()
    }
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[derive(Debug, Default)]
        struct Counts { $($name: AtomicU64,)* }

        /// What a run has seen, at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
        pub struct Snapshot { $($(#[$doc])* pub $name: u64,)* }

        impl Counts {
            fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counts! {
    /// Files listed that may be log files and that the filters want.
    found_files,
    /// Their size as listed, in bytes.
    found_bytes,
    /// Files that are done with, in whatever way.
    done_files,
    /// Their size as listed, in bytes.
    done_bytes,
    /// Log files committed by this run.
    log_files,
    /// Log files that the lake held already.
    already_ingested,
    /// Objects or files that are no CloudTrail log files by their name.
    not_log_files,
    /// Log files that the filters leave out.
    not_selected,
    /// Records of the log files committed by this run.
    records,
    /// Credential events among them.
    credential_events,
    /// IAM changes among them.
    iam_changes,
    /// Rejected records among them.
    rejected_records,
    /// Files that could not be read, or not as a log file.
    rejected_files,
    /// Log files committed by this run that hold no records.
    empty_files,
    /// Log files that the lake holds with other content.
    replaced_files,
    /// Log files committed by this run that do not have the name that CloudTrail gives.
    undelivered_files,
    /// Bytes read from the sources, as stored.
    bytes_read,
    /// Bytes of text after inflating.
    bytes_inflated,
    /// Bytes of Parquet written to the lake.
    lake_bytes_written,
}

impl Progress {
    /// Counts from zero; notices go to `sink`.
    pub fn new(sink: NoticeSink) -> Self {
        Self { counts: Arc::default(), passed_over: Arc::default(), sink }
    }

    /// The counts as they are now.
    pub fn snapshot(&self) -> Snapshot {
        self.counts.snapshot()
    }

    pub(crate) fn notice(&self, notice: Notice) {
        (self.sink)(notice);
    }

    pub(crate) fn found(&self, bytes: u64) {
        add(&self.counts.found_files, 1);
        add(&self.counts.found_bytes, bytes);
    }

    pub(crate) fn done(&self, bytes: u64) {
        add(&self.counts.done_files, 1);
        add(&self.counts.done_bytes, bytes);
    }

    pub(crate) fn not_a_log_file(&self, other: &Other) {
        add(&self.counts.not_log_files, 1);
        let mut passed_over = self.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = passed_over.get_mut(other) {
            *count += 1;
        } else if passed_over.len() < KINDS {
            passed_over.insert(other.clone(), 1);
        }
    }

    /// What was passed over and how many files of it, most of them first. Of very many kinds, some.
    pub fn passed_over(&self) -> Vec<(Other, u64)> {
        let passed_over = self.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<(Other, u64)> =
            passed_over.iter().map(|(other, count)| (other.clone(), *count)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all
    }

    pub(crate) fn not_selected(&self) {
        add(&self.counts.not_selected, 1);
    }

    pub(crate) fn already_ingested(&self) {
        add(&self.counts.already_ingested, 1);
    }

    pub(crate) fn read(&self, bytes: u64) {
        add(&self.counts.bytes_read, bytes);
    }

    pub(crate) fn inflated(&self, bytes: u64) {
        add(&self.counts.bytes_inflated, bytes);
    }

    pub(crate) fn lake_bytes_written(&self, bytes: u64) {
        add(&self.counts.lake_bytes_written, bytes);
    }

    /// A file that never came to a committed row.
    pub(crate) fn unreadable(&self, file: &str, reason: &str) {
        add(&self.counts.rejected_files, 1);
        self.notice(Notice::Refused { file: file.to_owned(), reason: reason.to_owned() });
    }

    pub(crate) fn replaced(&self, file: String) {
        add(&self.counts.replaced_files, 1);
        self.notice(Notice::Replaced { file });
    }

    /// A log file whose rows are durable.
    pub(crate) fn committed(&self, file: &str, account: &rolecall_events::rows::Account) {
        let counts = &self.counts;
        add(&counts.log_files, 1);
        add(&counts.records, account.seen);
        add(&counts.credential_events, account.credential);
        add(&counts.iam_changes, account.iam_changes);
        add(&counts.rejected_records, account.rejected);
        if !layout::of_named_file(file).delivered_name {
            add(&counts.undelivered_files, 1);
        }
        if account.seen == 0 {
            add(&counts.empty_files, 1);
            self.notice(Notice::NoRecordsInside { file: file.to_owned() });
        }
        if account.rejected > 0 {
            let named = account.rejections.iter().take(3);
            self.notice(Notice::RecordsRejected {
                file: file.to_owned(),
                rejected: account.rejected,
                first: named.map(|one| (one.record_index, one.reason.to_string())).collect(),
            });
        }
    }
}

impl Snapshot {
    /// Whether some input was rejected, so that the run is done but not clean.
    pub fn anything_rejected(&self) -> bool {
        self.rejected_files + self.rejected_records + self.empty_files + self.replaced_files > 0
    }

    /// Whether there was no log file at all, neither now nor before: most likely not what was meant.
    pub fn nothing_taken(&self) -> bool {
        self.log_files + self.already_ingested + self.replaced_files == 0
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}
