//! The binary as its users meet it: real processes, real files, an S3 that speaks HTTP.
//!
//! Unit tests live beside the code; here is what only the whole shows: exit codes, processes killed at
//! any instant, two of them at once, other programs that read the tables. Every test has a fresh folder
//! and a fresh bucket of its own, and may run beside any other.
//!
//! Four things may be absent, and the tests that need them say so on standard error and pass: published
//! records (`ROLECALL_CORPUS`, or `../shared/corpus` beside the repository), an account without privileges
//! where the tests run as root, `jq` for the guide, and Terraform with its AWS provider (`ROLECALL_TERRAFORM_PROVIDERS`, or
//! `/opt/tf-plugins`). Python tools are installed under `target/` by the tests
//! themselves, from the pinned lists in `tests/tools`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::explicit_write,
    reason = "a test that cannot go on fails, wherever it stands; clippy spares test functions only"
)]

mod support;

/// What can be given to `ingest` that is no proper log file.
mod bad_input;
/// Exit codes, formats, settings.
mod cli;
/// Queues and objects: the doubles do what the emulated AWS does.
mod conformance;
/// Published records, held against an independent reading of them.
mod corpus;
/// Which days the logs hold.
mod coverage;
/// Killed at any instant, alone and beside others; the lake equals the truth all the same.
mod crash;
/// What `deploy/` says and makes: linted, set up in the emulator, held against the binary.
mod deploy;
/// What `doctor` finds wrong, and whether doing as it says mends it.
mod doctor;
/// The guide's commands, and the answers that it promises.
mod guide;
/// What `inventory` reads of accounts, from files and from AWS.
mod inventory;
/// Other programs that read the tables.
mod readers;
/// What every report can do, whatever it is about.
mod reporting;
/// What `ingest` takes and what it leaves out.
mod sources;
/// Rules about the repository itself.
mod tidy;
/// Every view and report, held against the truth of generated organisations.
mod truth;
/// What digests prove of log files, and what was tampered with; days that expire.
mod verify;
/// The worker: a queue to a lake, exactly once, while everything fails.
mod worker;
