//! The lake: `credential_events`, `iam_changes`, `activity` and `log_files` as Delta tables, on a
//! folder or on S3. This crate is the only door to them; nothing else names Delta.

pub mod schema;

pub use schema::{Table, TableDef};
