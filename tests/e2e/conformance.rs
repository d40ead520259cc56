//! One description of what a queue and a store of objects do, held against the emulator's and against the
//! doubles in memory, so that what is proven with the doubles holds.
//!
//! The SDKs find the emulator by their environment, and a process cannot safely change its own. So each of
//! these tests runs this test program again, with that environment, for itself alone.
//!
//! Where AWS documents something that the emulator does not do, [`Exactness`] says so, and only the double is
//! held to it.

mod objects;
mod queues;

use crate::support::{Bucket, Cmd, ENDPOINT_VARIABLE, bucket, endpoint};

/// How true to AWS's documentation the other side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exactness {
    AsDocumented,
    Emulated,
}

/// Runs a test in a process whose environment leads the SDKs to the emulator.
fn with_emulator(test: &str, run: impl Future<Output = ()>) {
    if std::env::var_os(ENDPOINT_VARIABLE).is_some() {
        return wait(run);
    }
    let bucket: Bucket = bucket();
    let cmd = Cmd::new(std::env::current_exe().unwrap());
    let cmd = bucket.environment().into_iter().fold(cmd, |cmd, (name, value)| cmd.env(name, value));
    let cmd = cmd.env(ENDPOINT_VARIABLE, endpoint()).args([test, "--exact", "--nocapture"]);
    let run = cmd.run().exits(0);
    assert!(run.stdout().contains("1 passed"), "{test} is not the name of a test: {run}");
}

fn wait(run: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(run);
}
