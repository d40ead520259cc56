//! The lake: `credential_events`, `iam_changes`, `activity`, `log_files` and what is made on use
//! (`digest_results`, `trails`, the inventory) as Delta tables, on a folder or on S3. This crate is the
//! only door to them; nothing else names Delta.
//!
//! - [`schema`]: what the tables look like.
//! - [`Batch`]: typed rows of many log files to Arrow, waiting for one commit.
//! - [`Writer`]: commits batches. For each table a log file's rows are added in exactly one commit
//!   and never twice, whatever is killed when, and however many writers share the lake.
//! - [`LakeReader`]: all tables, each pinned at one version, for DataFusion.
//! - [`Lake::digest_results`]: adds what CloudTrail's digests prove.
//! - [`Lake::record_inventory`]: adds snapshots of accounts' IAM.
//! - [`Lake::maintain`]: lets old days expire, compacts, sorts, drops duplicate events, deletes
//!   what is not needed.
//! - [`Place`]: a folder or prefix for other files, such as reports.
//! - [`Lake::check`]: compares the ledger's counts with the rows.
//!
//! It does not know where log files come from, reads no clock and no environment: times are passed
//! in as microseconds, options by the caller. On a folder, durable means a killed process, not a
//! power cut.

mod append;
mod check;
mod digests;
mod error;
mod files;
pub mod inventory;
mod lake;
mod ledger;
mod log;
mod maintain;
mod place;
mod probe;
mod provider;
mod reader;
mod rows;
pub mod schema;
mod state;
pub mod step;
mod store;
mod trails;
mod writer;

pub use check::{CheckReport, Problem, Unlisted};
pub use digests::{DigestReport, DigestResult, Proof, Subject};
pub use error::{Kind, LakeError, Result};
pub use inventory::{Inventory, SnapshotRow};
pub use lake::{Lake, LakeOptions};
pub use maintain::{MaintainOptions, MaintainReport, TableReport};
pub use place::Place;
pub use probe::Probe;
pub use reader::LakeReader;
pub use rows::{Batch, ContentHash, FileStatus, LogFileId, LogFileMeta, Pushed};
pub use schema::{Table, TableDef};
pub use step::{OnStep, Step};
pub use trails::TrailSnapshot;
pub use writer::{CommitReport, EncodedBatch, FileOutcome, Membership, Writer, WriterOptions};
