//! What all tests stand on: processes, lakes, organisations, Python tools, an emulated AWS.

mod chance;
mod emulator;
mod faults;
mod http;
mod lake;
mod mmdb;
mod organization;
mod process;
mod queue;
mod records;
mod tools;

use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub(crate) use chance::Chance;
pub(crate) use emulator::{Bucket, ENDPOINT_VARIABLE, Enforcing, bucket, endpoint};
pub(crate) use faults::{Call, Fault, Proxy};
pub(crate) use http::{Answer, call};
pub(crate) use lake::{Ground, Lake, Row, Scratch};
pub(crate) use mmdb::{Value as AddressRecord, database as address_database};
pub(crate) use organization::{
    Delivered, assert_lake_equals_truth, assert_maintained_lake_equals_truth, assert_same_contents,
    contents,
};
pub(crate) use process::{Cmd, Run, Running};
pub(crate) use queue::{Lying, Path as NotificationPath, TestQueue};
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
