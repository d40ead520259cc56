//! Lets a test end the process at a named step of a commit, as a kill would: at once, with nothing
//! flushed or tidied.
//!
//! `ROLECALL_TEST_FAILPOINT=after:commit:activity@2` ends it when that step is met the second time. A run
//! without the variable does none of this.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rolecall_lake::step::{OnStep, Step};

use crate::exit::Usage;

/// The hook for `failpoint`, a step's name with `@N` where not the first is meant.
pub(crate) fn hook(failpoint: &str) -> Result<OnStep, Usage> {
    let (name, number) = failpoint.split_once('@').unwrap_or((failpoint, "1"));
    let number: u32 = number.parse().map_err(|_| {
        Usage::new(format!("ROLECALL_TEST_FAILPOINT: {failpoint}: what follows @ is no number"))
    })?;
    let name = name.to_owned();
    let met = AtomicU32::new(0);
    Ok(Arc::new(move |step: Step| {
        if step.to_string() == name && met.fetch_add(1, Ordering::SeqCst) + 1 == number {
            kill_this_process();
        }
    }))
}

/// SIGKILL where there is one: no handler, no destructor, no buffered byte gets out.
fn kill_this_process() {
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &std::process::id().to_string()])
        .status();
    // Where there is no `kill`, aborting is the next best.
    if killed.is_err() {
        std::process::abort();
    }
    loop {
        std::thread::park();
    }
}
