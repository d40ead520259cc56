//! Stacks set up in an emulated AWS that enforces IAM, and their tasks run here as they would run there.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::{
    Cmd, Enforcing, Record, Run, gzip, log_file, log_file_name, python, repository,
};

/// Put by us, and one by `tests/tools/stack.py`.
const LOG_FILES: u32 = 5 + 1;
/// The worker, until there is nothing left to do; its port is whichever is free.
const DRAIN: [&str; 4] = ["worker", "--drain", "--listen", "127.0.0.1:0"];

/// A stack in the emulator, checked; see `tests/tools/stack.py`.
struct Stack(Value);

impl Stack {
    fn create(variant: &str) -> Self {
        let script = repository().join("tests/tools/stack.py");
        let cmd = Cmd::new(python("emulator").join("python"))
            .arg(script)
            .arg(Enforcing::start().endpoint());
        Self(cmd.arg(repository()).arg(variant).run().exits(0).json())
    }

    /// The stack with a bucket of its own, with log files that have just been put into it; one for all tests.
    fn with_log_files() -> &'static Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        STACK.get_or_init(|| {
            let stack = Self::create("NewBucket");
            let log_files = (1..LOG_FILES).map(|number| {
                let folder = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/05";
                let key = format!("{folder}/{}", log_file_name(number));
                (key, gzip(log_file([Record::assume_role(number)])))
            });
            Enforcing::start().bucket(stack.trail()).put(log_files);
            stack
        })
    }

    fn trail(&self) -> &str {
        self.0["trail"].as_str().unwrap()
    }

    /// The binary as a task of this role would run it; its command comes from the task too.
    fn task(&self, name: &str) -> Cmd {
        self.started_by(name, name, &[])
    }

    /// A task's settings, with somebody's credentials.
    fn started_by(&self, role: &str, task: &str, command: &[&str]) -> Cmd {
        let task = &self.0["tasks"][task];
        let mut cmd = Cmd::rolecall().env("AWS_ENDPOINT_URL", Enforcing::start().endpoint());
        for variables in [&task["environment"], &self.0["credentials"][role]] {
            for (name, value) in variables.as_object().unwrap() {
                cmd = cmd.env(name, value.as_str().unwrap());
            }
        }
        let own = task["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        if command.is_empty() { cmd.args(own) } else { cmd.args(command) }
    }
}

#[test]
fn a_stack_with_a_new_bucket() {
    Stack::with_log_files();
}

#[test]
fn a_stack_with_an_existing_bucket() {
    Stack::create("ExistingBucketNotification");
}

#[test]
fn a_stack_with_the_events_of_an_existing_bucket() {
    Stack::create("ExistingBucketEventBridge");
}

#[test]
fn a_stack_with_an_existing_topic() {
    Stack::create("ExistingSnsTopic");
}

#[test]
fn a_stack_with_the_bucket_of_another_account_and_keys() {
    let stack = Stack::create("OtherAccount");
    // The one log file there is read with the role of that account.
    stack.started_by("worker", "worker", &DRAIN).run().exits(0);
    let source = format!("s3://{}/AWSLogs/", stack.trail());
    let ingest = ["ingest", "--format", "json", &source];
    let figures = stack.started_by("operator", "operator", &ingest).run().exits(0).json();
    assert_eq!(figures["already_ingested"], 1, "{figures}");
}

#[test]
fn the_tasks_do_their_work_with_their_own_roles() {
    let stack = Stack::with_log_files();
    let source = format!("s3://{}/AWSLogs/", stack.trail());
    let ingest = ["ingest", "--format", "json", &source];
    let refused = stack.started_by("maintenance", "operator", &ingest).run();
    assert!(!refused.is_done(), "{refused}");

    // The worker takes the messages, and the log line that the alarm counts is there.
    let run = stack.started_by("worker", "worker", &DRAIN).run().exits(0);
    let commits = run.stderr().lines().filter(|line| is_commit(line)).count();
    assert!(commits >= 1, "no line says that a batch was committed: {run}");

    // The operator finds that all is there, and announces it once more, which changes nothing.
    let figures = stack.started_by("operator", "operator", &ingest).run().exits(0).json();
    assert_eq!(figures["already_ingested"], LOG_FILES, "{figures}");
    assert_eq!(figures["log_files"], 0, "{figures}");
    let backfill = ["backfill", "--enqueue", &source];
    stack.started_by("operator", "operator", &backfill).run().exits(0);
    stack.started_by("worker", "worker", &DRAIN).run().exits(0);
    stack.started_by("operator", "operator", &["check"]).run().exits(0);

    // Doctor, which is the operator's task unless told otherwise, is refused nothing.
    let run = stack.task("operator").args(["--format", "json"]).run().exits(0);
    let checks = run.json()["checks"].as_array().unwrap().clone();
    let refused = |check: &&Value| check["found"].as_str().unwrap().contains("AccessDenied");
    assert_eq!(checks.iter().find(refused), None, "{run}");
    let areas: BTreeSet<&str> = checks.iter().filter_map(|check| check["area"].as_str()).collect();
    for area in ["trail", "bucket", "queue", "notification", "lake"] {
        assert!(areas.contains(area), "doctor says nothing about {area}: {run}");
    }

    the_timers_do_their_work(stack);

    // Maintenance says what its alarm looks for.
    let run = stack.task("maintenance").run().exits(0);
    assert_eq!(run.stdout().lines().count(), 1, "one line, or CloudWatch sees no JSON: {run}");
    let vacuumed = &run.json()["tables"]["log_files"]["files_vacuumed"];
    assert!(vacuumed.is_u64(), "the metric filter finds nothing: {run}");
}

/// Inventory and reports, as the timers start them, each with its own role; they say what their alarms look for.
fn the_timers_do_their_work(stack: &Stack) {
    let run = stack.task("inventory").run().exits(0);
    let lines: Vec<Value> =
        run.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [line] = lines.as_slice() else { panic!("not one account: {run}") };
    assert!(line["snapshot_id"].is_string(), "the metric filter finds nothing: {run}");
    // Of this account nothing is missing but what the organisation would tell.
    let missing = line["missing"].as_array().unwrap();
    let other = |text: &&Value| !text.as_str().unwrap().ends_with("read with --organization");
    assert_eq!(missing.iter().find(other), None, "{run}");

    let last_line = |run: &Run| run.stderr().lines().last().unwrap_or_default().to_owned();
    let given: Vec<String> =
        serde_json::from_value(stack.0["tasks"]["report"]["command"].clone()).unwrap();
    let with = |changes: &[(&str, &str)]| {
        let mut command = given.clone();
        for (flag, value) in changes {
            let at = command.iter().position(|word| word == flag).unwrap();
            (*value).clone_into(&mut command[at + 1]);
        }
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        stack.started_by("report", "report", &words).run()
    };
    // The logs hold next to nothing: failures, then coverage, then findings, and the last line says which.
    let run = with(&[]).exits(4);
    assert!(
        last_line(&run).starts_with("rolecall: ") && last_line(&run).ends_with("exit code 4"),
        "{run}"
    );
    let run = with(&[("--require-coverage", "0"), ("--fail-on", "any")]).exits(3);
    assert!(last_line(&run).ends_with("exit code 3"), "{run}");
    let reports =
        format!("s3://{}/reports/", stack.0["outputs"]["LakeBucketName"].as_str().unwrap());
    assert!(run.stderr().contains(&reports), "no file below {reports}: {run}");

    // Its role cannot change the lake.
    let refused = stack.started_by("report", "report", &["maintain"]).run();
    assert!(!refused.is_done(), "{refused}");
    let refused = stack.started_by("report", "report", &["inventory"]).run();
    assert!(!refused.is_done(), "{refused}");
}

/// What the metric filter `{ $.message = "batch committed" }` matches.
fn is_commit(line: &str) -> bool {
    let line: Result<Value, _> = serde_json::from_str(line);
    line.is_ok_and(|line| line["message"] == "batch committed")
}
