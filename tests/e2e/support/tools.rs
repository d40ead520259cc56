//! Python tools, installed on demand from the pinned lists in `tests/tools`.
//!
//! They lie under `target/`, so a second run finds them; a changed list makes a new folder. Test programs
//! that run at once wait for each other.

use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::repository;

/// How often the registry is asked before we give up on it.
const ATTEMPTS: usize = 3;

/// The folder with the programs (`python` among them) of `tests/tools/{list}.txt`.
pub(crate) fn python(list: &str) -> PathBuf {
    let requirements = repository().join(format!("tests/tools/{list}.txt"));
    let pinned = std::fs::read_to_string(&requirements).unwrap();
    let mut hasher = DefaultHasher::new();
    pinned.hash(&mut hasher);
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tools");
    std::fs::create_dir_all(&tools).unwrap();
    let environment = tools.join(format!("{list}-{:016x}", hasher.finish()));

    let lock = File::create(tools.join(format!("{list}.lock"))).unwrap();
    lock.lock().unwrap();
    let complete = environment.join("complete");
    if !complete.exists() {
        install(&environment, &requirements);
        File::create(complete).unwrap();
    }
    environment.join("bin")
}

fn install(environment: &Path, requirements: &Path) {
    let run = |command: &mut Command| {
        let line = format!("{command:?}");
        let output = command.output().unwrap_or_else(|error| {
            panic!("failed to start {line} (the tests need Python 3): {error}")
        });
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(format!("{line}: {stderr}")) }
    };
    let create = run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment));
    create.unwrap_or_else(|error| panic!("failed to make a Python environment: {error}"));
    let mut result = Ok(());
    for _ in 0..ATTEMPTS {
        result = run(Command::new(environment.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
            ])
            .arg(requirements));
        if result.is_ok() {
            break;
        }
    }
    result.unwrap_or_else(|error| panic!("failed to install Python tools: {error}"));
}
