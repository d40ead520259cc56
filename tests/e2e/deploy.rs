//! What `deploy/` says and makes: linted, set up in an emulated AWS that enforces IAM, and held against the
//! binary.
//!
//! No image is built, as that needs a Docker daemon, and no task is started: the binary runs here instead, with
//! the settings and the credentials that its task would have.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::{
    Cmd, Enforcing, Record, Run, gzip, log_file, log_file_name, python, repository, skipped,
};

/// CloudFormation takes a template of this many bytes in a request; a larger one would have to be in a bucket.
const MAX_TEMPLATE_BYTES: usize = 51_200;
const PROVIDERS: &str = "/opt/tf-plugins";
/// Put by us, and one by `tests/tools/stack.py`.
const LOG_FILES: u32 = 5 + 1;
/// The worker, until there is nothing left to do; its port is whichever is free.
const DRAIN: [&str; 4] = ["worker", "--drain", "--listen", "127.0.0.1:0"];

fn read(name: &str) -> String {
    let path = repository().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn template() -> String {
    read("deploy/cloudformation/rolecall.yaml")
}

/// Inventory and reports, a stack beside the other.
fn template_of_reports() -> String {
    read("deploy/cloudformation/reports.yaml")
}

/// A section of the template: from its heading to the next.
fn section<'a>(template: &'a str, name: &str) -> &'a str {
    let start = template.find(&format!("\n{name}:\n")).unwrap() + name.len() + 3;
    let rest = &template[start..];
    let next = |(at, _): &(usize, &str)| rest[at + 1..].starts_with(|c: char| c.is_alphabetic());
    &rest[..rest.match_indices('\n').find(next).map_or(rest.len(), |(at, _)| at)]
}

/// The names that a section declares.
fn declared(template: &str, name: &str) -> BTreeSet<String> {
    let lines = section(template, name).lines();
    lines.filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':')).map(str::to_owned).collect()
}

fn declared_names<'a>(text: &'a str, before: &str, after: char) -> BTreeSet<&'a str> {
    let ends = |rest: &'a str| rest.split(after).next().unwrap();
    text.split(before).skip(1).map(ends).collect()
}

/// `TrailBucketName` is `trail_bucket_name` in Terraform.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[test]
fn the_templates_pass_their_linter() {
    let templates = [
        "cloudformation/rolecall.yaml",
        "cloudformation/reports.yaml",
        "stackset-inventory-role.yaml",
    ];
    for name in templates {
        let template = repository().join("deploy").join(name);
        Cmd::new(python("linters").join("cfn-lint")).arg("--").arg(&template).run().exits(0);
        let bytes = std::fs::metadata(&template).unwrap().len();
        assert!(usize::try_from(bytes).unwrap() <= MAX_TEMPLATE_BYTES, "{name}: {bytes} bytes");
    }
}

#[test]
fn the_dockerfile_passes_its_linter() {
    let dockerfile = repository().join("deploy/Dockerfile");
    Cmd::new(python("linters").join("hadolint")).arg(&dockerfile).run().exits(0);
    let text = read("deploy/Dockerfile");
    let toolchain = read("rust-toolchain.toml");
    let version = toolchain.split("channel = \"").nth(1).unwrap().split('"').next().unwrap();
    for line in [
        &format!("ARG BUILD=docker.io/library/rust:{version}-bookworm"),
        &format!("    RUSTUP_TOOLCHAIN={version}"),
        "USER 65532:65532",
        "STOPSIGNAL SIGTERM",
    ] {
        assert!(text.lines().any(|other| other == line), "the Dockerfile has no line '{line}'");
    }
    let downloads = ["apt-get", "curl ", "wget ", "ADD ", "rustup "];
    let found: Vec<&str> = downloads.into_iter().filter(|word| text.contains(word)).collect();
    assert!(found.is_empty(), "the Dockerfile downloads with {found:?}");
}

/// What is not in the build context is missing in the build only, which no test does.
#[test]
fn the_image_is_built_from_all_that_a_manifest_names() {
    let ignore = read("deploy/Dockerfile.dockerignore");
    let taken: Vec<&str> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let is_taken = |path: &str| {
        taken.iter().any(|pattern| match pattern.split_once('*') {
            Some((before, after)) => path.starts_with(before) && path.ends_with(after),
            None => path
                .strip_prefix(pattern)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        })
    };
    let mut needed = Vec::from(
        ["Cargo.toml", "Cargo.lock", "LICENSE", "queries/assumptions.sql"].map(str::to_owned),
    );
    for entry in std::fs::read_dir(repository().join("crates")).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).unwrap();
        needed.extend(declared_names(&text, "path = \"../../", '"').into_iter().map(str::to_owned));
        needed.push(manifest.strip_prefix(repository()).unwrap().to_str().unwrap().to_owned());
    }
    let missing: Vec<&String> = needed.iter().filter(|path| !is_taken(path)).collect();
    assert!(missing.is_empty(), "not in the build context: {missing:?}");
    assert!(!is_taken("target/debug/rolecall") && !is_taken(".git/config"));
}

#[test]
fn the_terraform_module_is_valid_and_has_the_same_policies() {
    let providers =
        std::env::var("ROLECALL_TERRAFORM_PROVIDERS").unwrap_or_else(|_| PROVIDERS.to_owned());
    let terraform = Cmd::new("terraform").arg("version").try_start().is_ok();
    if !terraform || !Path::new(&providers).is_dir() {
        skipped("the_terraform_module_is_valid_and_has_the_same_policies", "no Terraform");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    Cmd::new(python("linters").join("python"))
        .arg(repository().join("tests/tools/module.py"))
        .args([repository().as_path(), folder.path(), Path::new(&providers)])
        .env("HOME", folder.path())
        .env("CHECKPOINT_DISABLE", "1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .run()
        .exits(0);
}

#[test]
fn template_and_module_take_and_give_the_same() {
    let template = template();
    let of_module = |file: &str, before: &str| -> BTreeSet<String> {
        let text = read(&format!("deploy/terraform/{file}"));
        declared_names(&text, before, '"').into_iter().map(str::to_owned).collect()
    };
    let reports = template_of_reports();
    let of_both = |section: &str| -> BTreeSet<String> {
        let both = declared(&template, section).into_iter().chain(declared(&reports, section));
        both.map(|name| snake_case(&name)).collect()
    };
    // A stack has a name of its own, and that of the reports is a second one.
    let mut parameters = of_both("Parameters");
    assert!(parameters.insert("name".to_owned()) && parameters.insert("reports".to_owned()));
    assert!(parameters.remove("rolecall_stack"));
    assert_eq!(parameters, of_module("variables.tf", "variable \""));
    assert_eq!(of_both("Outputs"), of_module("outputs.tf", "\noutput \""));
    let patterns = [&template, &reports].map(|text| declared_names(text, "FilterPattern: '", '\''));
    let module = [read("deploy/terraform/alarms.tf"), read("deploy/terraform/reports.tf")].concat();
    assert_eq!((patterns[0].len(), patterns[1].len()), (2, 5));
    for pattern in patterns.into_iter().flatten() {
        let escaped = format!("\"{}\"\n", pattern.replace('"', "\\\""));
        assert!(module.contains(&escaped), "{escaped}");
    }
    // What is given to both stacks is said in the same way.
    let (ours, theirs) = (section(&template, "Parameters"), section(&reports, "Parameters"));
    for name in ["ImageUri", "ImageRepositoryArn", "CpuArchitecture", "AssignPublicIp"] {
        let of = |text: &str| {
            let rest = text.split(&format!("  {name}:\n")).nth(1).unwrap().to_owned();
            rest.lines().take_while(|line| line.starts_with("    ")).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(of(ours), of(theirs), "{name}");
    }
}

#[test]
fn every_statement_and_every_alarm_is_explained() {
    let (readme, runbook) = (read("deploy/README.md"), read("deploy/RUNBOOK.md"));
    let table = readme.lines().filter(|line| line.starts_with("| "));
    let explained: BTreeSet<&str> =
        table.flat_map(|line| line.split('|').nth(1).unwrap().split(',')).map(str::trim).collect();
    let mut statements = BTreeSet::new();
    for entry in std::fs::read_dir(repository().join("deploy/iam")).unwrap() {
        let policy: Value =
            serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let all = policy["Statement"].as_array().unwrap().iter();
        statements.extend(all.map(|statement| statement["Sid"].as_str().unwrap().to_owned()));
    }
    let missing: Vec<&String> =
        statements.iter().filter(|sid| !explained.contains(sid.as_str())).collect();
    assert!(missing.is_empty(), "README.md does not explain {missing:?}");
    let mut alarms = 0;
    for (template, stack) in
        [(template(), "AWS::StackName"), (template_of_reports(), "RolecallStack")]
    {
        // In the template, by a comment above each.
        let lines: Vec<&str> = template.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("- Sid: ")) {
            let optional = lines[at - 2] == "- !If";
            let above = lines[if optional { at - 3 } else { at - 1 }];
            assert!(above.starts_with("# "), "no comment above {line}, line {}", at + 1);
        }
        for alarm in declared_names(&template, &format!("AlarmName: !Sub ${{{stack}}}-"), '\n') {
            alarms += 1;
            assert!(
                runbook.contains(&format!("\n## {alarm}\n")),
                "RUNBOOK.md has no section on {alarm}"
            );
            assert!(
                template.contains(&format!("RUNBOOK.md, {alarm}.")),
                "{alarm} does not name its section"
            );
        }
    }
    assert_eq!(alarms, 4 + 5);
}

/// Every `rolecall …` that a reader may type or a task runs.
fn documented_commands() -> BTreeSet<Vec<String>> {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut commands = BTreeSet::new();
    for name in ["deploy/README.md", "deploy/RUNBOOK.md"] {
        let text = read(name);
        // Lines of code blocks, code in running text, and commands of tasks as JSON.
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix("rolecall "));
        let inline = text.split('`').skip(1).step_by(2);
        let inline = inline.filter_map(|code| code.strip_prefix("rolecall "));
        commands.extend(lines.chain(inline).map(words));
        let lists = text.split("[\"").skip(1).map(|rest| rest.split(']').next().unwrap());
        let lists = lists
            .filter_map(|list| serde_json::from_str::<Vec<String>>(&format!("[\"{list}]")).ok());
        commands.extend(lists.filter(|list| list.iter().all(|word| !word.starts_with("arn:"))));
    }
    commands.extend(["worker", "doctor"].map(|command| vec![command.to_owned()]));
    commands.insert(words("maintain --format json --keep-days 400"));
    commands
}

#[test]
fn every_documented_command_and_setting_is_known_to_the_binary() {
    let commands = documented_commands();
    for expected in ["worker", "maintain", "ingest", "backfill", "doctor", "check"] {
        assert!(commands.iter().any(|words| words[0] == expected), "{expected} is not documented");
    }
    let mut unknown = Vec::new();
    for words in &commands {
        let run = Cmd::rolecall().args([&words[0], "--help"]).run();
        let help = run.stdout();
        let flags = words
            .iter()
            .filter_map(|word| word.split('=').next().filter(|flag| flag.starts_with("--")));
        let known = |flag: &&str| help.split([' ', '\n', ',', '=']).any(|word| word == *flag);
        let wrong: Vec<&str> = flags.filter(|flag| !known(flag)).collect();
        if !run.succeeded() || !wrong.is_empty() {
            unknown.push(format!("rolecall {}: {wrong:?}", words.join(" ")));
        }
    }
    assert!(unknown.is_empty(), "the binary does not know\n{}", unknown.join("\n"));

    let settings = ["settings.rs", "settings/worker.rs"]
        .map(|file| {
            std::fs::read_to_string(repository().join("crates/cli/src").join(file))
                .unwrap_or_default()
        })
        .concat();
    for name in ["cloudformation/rolecall.yaml", "terraform/tasks.tf", "README.md", "RUNBOOK.md"] {
        let text = read(&format!("deploy/{name}"));
        for word in text.split(|c: char| !c.is_ascii_uppercase() && c != '_') {
            let variable = word.starts_with("ROLECALL_");
            assert!(!variable || settings.contains(&format!("\"{word}\"")), "{name}: {word}");
        }
    }
}

/// Whoever looks for a line of the log as the runbook says it must find it.
#[test]
fn the_log_says_what_the_runbook_quotes() {
    let mut sources = String::new();
    for name in ["ingest/src/worker", "ingest/src"] {
        for entry in std::fs::read_dir(repository().join("crates").join(name)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let runbook = read("deploy/RUNBOOK.md");
    let prose = runbook.split("```").step_by(2).collect::<String>();
    // Not what stands in code.
    let prose: String = prose.split('`').step_by(2).collect();
    let mut quoted: Vec<&str> = prose.split('"').skip(1).step_by(2).collect();
    quoted.retain(|text| text.contains(' '));
    assert!(quoted.len() >= 5, "{quoted:?}");
    for text in quoted {
        assert!(sources.contains(&text.replace('\n', " ")), "no line of the log says '{text}'");
    }
}

/// The command of the health check, word by word, as it stands in the template.
fn health_check() -> Vec<String> {
    let template = template();
    let command = template.split("            Command:\n              - CMD\n").nth(1).unwrap();
    let words = command.lines().map_while(|line| line.strip_prefix("              - "));
    words.map(|word| word.trim_matches('\'').to_owned()).collect()
}

#[test]
fn the_health_check_tells_an_answer_from_a_failure() {
    let command = health_check();
    assert_eq!(command.len(), 3, "{command:?}");
    let module = read("deploy/terraform/tasks.tf").replace("\\\\", "\\").replace("\\\"", "\"");
    assert!(module.contains(&command[2]), "another health check in Terraform than {}", command[2]);
    for (status, code) in [("200 OK", 0), ("503 Service Unavailable", 1)] {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let script = command[2].replace("/8080", &format!("/{port}"));
        assert_ne!(script, command[2]);
        let check = Cmd::new(&command[0]).args([&command[1], &script]).start();
        let (mut stream, _) = server.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        assert!(request.starts_with(b"GET /health/live HTTP/1.0\r\n"), "{request:?}");
        write!(stream, "HTTP/1.0 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
        check.wait().exits(code);
        drop((stream, server));
        // Nobody listens there any more.
        Cmd::new(&command[0]).args([&command[1], &script]).run().exits(1);
    }
}

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
    let run = with(&[("--require-coverage", "0")]).exits(3);
    assert!(last_line(&run).ends_with("exit code 3"), "{run}");
    let run = with(&[("--require-coverage", "0"), ("--fail-on", "NEVER_SAID")]).exits(0);
    assert!(last_line(&run).ends_with("exit code 0"), "{run}");
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
