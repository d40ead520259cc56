//! The lake: `credential_events`, `iam_changes`, `activity` and `log_files` as Delta tables, on a
//! folder or on S3. This crate is the only door to them; nothing else names Delta.

mod check;
mod error;
mod files;
mod lake;
mod ledger;
mod log;
mod maintain;
mod provider;
mod reader;
mod rows;
pub mod schema;
mod state;
pub mod step;
mod store;
mod writer;

pub use check::{CheckReport, Problem, Unlisted};
pub use error::{Kind, LakeError, Result};
pub use lake::{Lake, LakeOptions};
pub use maintain::{MaintainOptions, MaintainReport, TableReport};
pub use reader::LakeReader;
pub use rows::{Batch, ContentHash, FileStatus, LogFileId, LogFileMeta, Pushed};
pub use schema::{Table, TableDef};
pub use step::{OnStep, Step};
pub use writer::{CommitReport, FileOutcome, Membership, Writer, WriterOptions};
