//! Rules about the repository itself that no compiler knows: who may depend on whom, what is named in one
//! place only, how long a file may get, and that nothing under `tests/` and `benches/` lies there unused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Cmd, repository};

/// Longest file, lines of tests left out.
const MAX_LINES: usize = 500;
const MAX_ARCHITECTURE_LINES: usize = 200;

/// Crates of ours that a crate may depend on; its tests may use the generator as well.
const INNER: [(&str, &[&str]); 8] = [
    ("rolecall-events", &[]),
    ("rolecall-lake", &["rolecall-events", "rolecall-unify"]),
    ("rolecall-ingest", &["rolecall-events", "rolecall-lake"]),
    ("rolecall-inventory", &["rolecall-lake"]),
    ("rolecall-query", &["rolecall-events", "rolecall-lake"]),
    ("rolecall-testkit", &[]),
    ("rolecall-unify", &[]),
    (
        "rolecall",
        &[
            "rolecall-ingest",
            "rolecall-inventory",
            "rolecall-lake",
            "rolecall-query",
            "rolecall-testkit",
        ],
    ),
];

/// Everything that a crate which knows nothing of the world may depend on outside its own tests.
const PURE: [(&str, &[&str]); 2] = [
    (
        "rolecall-events",
        &[
            "bumpalo",
            "flate2",
            "foldhash",
            "hashbrown",
            "libdeflater",
            "memchr",
            "simd-json",
            "thiserror",
        ],
    ),
    ("rolecall-testkit", &["aws-lc-rs", "flate2", "rand_chacha", "serde", "serde_json"]),
];

/// Dependencies that are some crates' business alone.
const RESERVED: [(&str, &[&str]); 7] = [
    ("deltalake", &["rolecall-lake"]),
    ("aws-sdk-s3", &["rolecall-ingest", "rolecall-unify"]),
    ("aws-sdk-sqs", &["rolecall-ingest"]),
    ("anyhow", &["rolecall"]),
    ("clap", &["rolecall"]),
    ("datafusion", &["rolecall", "rolecall-lake", "rolecall-query"]),
    ("maxminddb", &["rolecall-query"]),
];

/// Texts that may stand in code in one place only, tests left out.
const ONE_PLACE: [(&str, &str); 9] = [
    ("std::env", "crates/cli/src/settings.rs"),
    ("env::var", "crates/cli/src/settings.rs"),
    ("SystemTime::now", "crates/cli/src/clock.rs"),
    ("Instant::now", "crates/cli/src/clock.rs"),
    ("Utc::now", "crates/cli/src/clock.rs"),
    ("Local::now", "crates/cli/src/clock.rs"),
    ("deltalake", "crates/lake/src/"),
    ("aws_sdk_sqs", "crates/ingest/src/queue/sqs.rs"),
    ("aws_sdk_s3", "crates/ingest/src/"),
];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Paths below a folder of the repository that end so, in order.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![repository().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A path as seen from the top of the repository.
fn name_of(path: &Path) -> &str {
    path.strip_prefix(repository()).unwrap().to_str().unwrap()
}

/// The sources of our crates, each with the part that is not tests.
fn sources() -> Vec<(PathBuf, String)> {
    let is_test =
        |path: &Path| name_of(path).split('/').any(|part| part == "tests" || part == "tests.rs");
    let all = files("crates", ".rs").into_iter();
    let ours = all.filter(|path| name_of(path).split('/').nth(2) == Some("src") && !is_test(path));
    ours.map(|path| {
        let text = read(&path);
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
        (path, code)
    })
    .collect()
}

fn packages() -> Vec<Value> {
    let metadata = Cmd::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .envs_of_cargo()
        .dir(&repository())
        .run()
        .exits(0)
        .json();
    metadata["packages"].as_array().unwrap().clone()
}

fn dependencies(package: &Value) -> impl Iterator<Item = (&str, bool)> {
    let all = package["dependencies"].as_array().unwrap().iter();
    all.map(|dependency| (dependency["name"].as_str().unwrap(), dependency["kind"] == "dev"))
}

#[test]
fn crates_depend_in_one_direction() {
    let inner = BTreeMap::from(INNER);
    let pure = BTreeMap::from(PURE);
    let reserved = BTreeMap::from(RESERVED);
    let packages = packages();
    let names: BTreeSet<&str> =
        packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert_eq!(names, inner.keys().copied().collect(), "crates of the workspace");
    let mut wrong = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        for (dependency, dev) in dependencies(package) {
            let allowed =
                if dev && (dependency == "rolecall-testkit" || !names.contains(dependency)) {
                    true
                } else if names.contains(dependency) {
                    inner[name].contains(&dependency)
                } else {
                    let known = pure.get(name).is_none_or(|known| known.contains(&dependency));
                    known && reserved.get(dependency).is_none_or(|crates| crates.contains(&name))
                };
            if !allowed {
                wrong.push(format!("{name} may not depend on {dependency}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn environment_clock_and_delta_are_named_in_one_place() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, code) in sources() {
        let name = name_of(&path).to_owned();
        for (index, line) in code.lines().enumerate() {
            let line = line.trim_start();
            for (text, place) in ONE_PLACE {
                if line.starts_with("//") || !line.contains(text) {
                    continue;
                }
                if name.starts_with(place) {
                    seen.insert(text);
                } else {
                    wrong.push(format!("{name}:{}: {text} belongs in {place}", index + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for text in ["std::env", "SystemTime::now", "deltalake", "aws_sdk_s3"] {
        assert!(seen.contains(text), "{text} is not where this test looks for it");
    }
}

#[test]
fn files_are_short_enough_to_read() {
    let mut wrong = Vec::new();
    let tests = files("tests", ".rs").into_iter().map(|path| (path.clone(), read(&path)));
    for (path, code) in sources().into_iter().chain(tests) {
        let lines = code.lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{}: {lines} lines", name_of(&path)));
        }
    }
    let architecture = read(&repository().join("ARCHITECTURE.md")).lines().count();
    if architecture >= MAX_ARCHITECTURE_LINES {
        wrong.push(format!("ARCHITECTURE.md: {architecture} lines"));
    }
    assert!(wrong.is_empty(), "at most {MAX_LINES} lines:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    let mut wrong = Vec::new();
    for path in files("crates", ".rs").into_iter().chain(files("tests", ".rs")) {
        if !read(&path).starts_with("//!") {
            wrong.push(name_of(&path).to_owned());
        }
    }
    assert!(wrong.is_empty(), "open with `//!`:\n{}", wrong.join("\n"));
}

#[test]
fn every_query_has_front_matter() {
    let required = |name: &str| match name.strip_prefix("queries/").unwrap() {
        view if view.starts_with("views/steps/") => vec!["title", "comment"],
        part if part.starts_with("parts/") => vec!["title", "comment"],
        view if view.starts_with("views/") => vec!["title", "comment", "columns"],
        _report => vec!["title", "question", "params", "columns", "pitfall"],
    };
    let queries = files("queries", ".sql");
    assert!(queries.iter().any(|path| name_of(path).matches('/').count() == 1), "no reports");
    let mut wrong = Vec::new();
    for path in &queries {
        let text = read(path);
        let front: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("-- ")).collect();
        for key in required(name_of(path)) {
            if !front.iter().any(|line| line.starts_with(&format!("{key}:"))) {
                wrong.push(format!("{}: no {key}", name_of(path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A virtual workspace compiles nothing in `tests/` and `benches/` that no manifest names.
#[test]
fn every_test_and_benchmark_is_compiled() {
    let manifests: String = files("crates", "Cargo.toml").iter().map(|path| read(path)).collect();
    let all: Vec<PathBuf> =
        files("tests", ".rs").into_iter().chain(files("benches", ".rs")).collect();
    // A file is a module of one beside it, or of one beside its folder.
    let declared = |path: &Path| {
        let folder = path.parent().unwrap();
        let module = match path.file_stem().unwrap().to_str().unwrap() {
            "mod" => folder.file_name().unwrap().to_str().unwrap(),
            stem => stem,
        };
        let declaration = format!("mod {module};");
        all.iter()
            .filter(|other| *other != path && folder.starts_with(other.parent().unwrap()))
            .any(|other| read(other).lines().any(|line| line.trim() == declaration))
    };
    let wrong: Vec<&str> = all
        .iter()
        .filter(|path| !manifests.contains(&format!("\"../../{}\"", name_of(path))))
        .filter(|path| !declared(path))
        .map(|path| name_of(path))
        .collect();
    assert!(wrong.is_empty(), "declared nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn python_tools_are_pinned() {
    for path in files("tests/tools", ".txt") {
        for line in read(&path).lines() {
            assert!(line.contains("=="), "{}: {line}", name_of(&path));
        }
    }
}

#[test]
fn continuous_integration_runs_what_the_readme_says() {
    let command = "cargo test --workspace --locked";
    for name in ["README.md", ".ci/run"] {
        let text = read(&repository().join(name));
        assert!(text.lines().any(|line| line.trim().starts_with(command)), "{name}: no {command}");
    }
}
