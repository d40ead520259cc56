//! A lake of one test, on a folder or in a bucket, and the commands that work on it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::{Bucket, Cmd, bucket};

/// Where a test puts its source and its lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    Folder,
    S3,
}

/// A fresh folder, and a fresh bucket where the ground is S3; gone when dropped.
pub(crate) struct Scratch {
    folder: TempDir,
    bucket: Option<Bucket>,
}

impl Scratch {
    pub(crate) fn new(ground: Ground) -> Self {
        let bucket = (ground == Ground::S3).then(bucket);
        Self { folder: tempfile::tempdir().unwrap(), bucket }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file below the folder, and the folders that it lies in.
    pub(crate) fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Puts objects where `ingest` is to read them, and gives the source to name.
    pub(crate) fn deliver(
        &self,
        name: &str,
        objects: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> String {
        match &self.bucket {
            Some(bucket) => {
                let below = |(key, bytes)| (format!("{name}/{key}"), bytes);
                bucket.put(objects.into_iter().map(below));
                format!("{}/{name}/", bucket.uri())
            }
            None => {
                for (key, bytes) in objects {
                    if key.ends_with('/') {
                        std::fs::create_dir_all(self.path(format!("{name}/{key}"))).unwrap();
                    } else {
                        self.write(format!("{name}/{key}"), bytes);
                    }
                }
                self.path(name).into_os_string().into_string().unwrap()
            }
        }
    }

    /// A lake of this name on the same ground; it is made by the first `ingest`.
    pub(crate) fn lake(&self, name: &str) -> Lake<'_> {
        let uri = match &self.bucket {
            Some(bucket) => format!("{}/{name}", bucket.uri()),
            None => self.path(name).into_os_string().into_string().unwrap(),
        };
        Lake { scratch: self, uri }
    }

    /// The binary, in this folder, able to reach this bucket.
    pub(crate) fn rolecall<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Cmd {
        let environment = self.bucket.iter().flat_map(Bucket::environment);
        let cmd = Cmd::rolecall().dir(self.folder()).env("HOME", self.folder());
        environment.fold(cmd, |cmd, (name, value)| cmd.env(name, value)).args(args)
    }

    pub(crate) fn bucket(&self) -> Option<&Bucket> {
        self.bucket.as_ref()
    }
}

/// One row of an answer.
pub(crate) type Row = serde_json::Map<String, Value>;

/// A lake; commands on it are given ready to run.
#[derive(Clone)]
pub(crate) struct Lake<'a> {
    scratch: &'a Scratch,
    pub(crate) uri: String,
}

impl Lake<'_> {
    /// `rolecall ingest` with its figures as JSON.
    pub(crate) fn ingest<S: AsRef<OsStr>>(&self, sources: impl IntoIterator<Item = S>) -> Cmd {
        self.command("ingest").args(["--format", "json"]).args(sources)
    }

    pub(crate) fn maintain(&self) -> Cmd {
        self.command("maintain")
    }

    pub(crate) fn check(&self) -> Cmd {
        self.command("check")
    }

    pub(crate) fn command(&self, name: &str) -> Cmd {
        self.scratch.rolecall([name, "--lake", &self.uri])
    }

    /// The answer to a query.
    #[track_caller]
    pub(crate) fn sql(&self, query: &str) -> Vec<Row> {
        rows(self.command("sql").args(["--format", "json", query]))
    }

    /// The answers to several queries, asked of one process.
    #[track_caller]
    pub(crate) fn sql_all(&self, queries: &[&str]) -> Vec<Vec<Row>> {
        let script: String = queries.iter().map(|query| format!("{query};\n")).collect();
        let run = self.command("sql").args(["--format", "json"]).stdin(script).run().exits(0);
        let answers = serde_json::Deserializer::from_slice(&run.stdout).into_iter();
        let answers: Result<Vec<Vec<Row>>, _> = answers.collect();
        let answers = answers.unwrap_or_else(|error| panic!("not rows ({error}): {run}"));
        assert_eq!(answers.len(), queries.len(), "{run}");
        answers
    }

    /// The answer of a report.
    #[track_caller]
    pub(crate) fn report(&self, name: &str, args: &[&str]) -> Vec<Row> {
        rows(self.command("report").args(["--format", "json", name]).args(args))
    }

    /// The one number that a query answers with.
    #[track_caller]
    pub(crate) fn number(&self, query: &str) -> u64 {
        let rows = self.sql(query);
        rows.first()
            .and_then(|row| row.values().next())
            .and_then(Value::as_u64)
            .unwrap_or_else(|| panic!("{query}: {rows:?} is not one number"))
    }
}

#[track_caller]
fn rows(cmd: Cmd) -> Vec<Row> {
    let run = cmd.run().exits(0);
    serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("not rows ({error}): {run}"))
}
