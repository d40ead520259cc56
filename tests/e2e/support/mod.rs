//! What all tests stand on: processes, lakes, organisations, Python tools, an emulated S3.

mod chance;
mod emulator;
mod lake;
mod organization;
mod process;
mod records;
mod tools;

use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub(crate) use chance::Chance;
pub(crate) use emulator::{Bucket, bucket};
pub(crate) use lake::{Ground, Lake, Row, Scratch};
pub(crate) use organization::{
    Delivered, assert_lake_equals_truth, assert_maintained_lake_equals_truth, assert_same_contents,
    contents,
};
pub(crate) use process::{Cmd, Run};
pub(crate) use records::{Record, gzip, log_file, log_file_name};
pub(crate) use tools::python;

/// The top of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Says on standard error why a test did not do its work. The test harness hides what `eprintln!` says in
/// a test that passes; this it does not see.
pub(crate) fn skipped(test: &str, why: impl Display) {
    writeln!(std::io::stderr(), "skipped: {test}: {why}").unwrap();
}
