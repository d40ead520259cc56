//! What `deploy/` says and makes: linted, set up in an emulated AWS that enforces IAM, and held against the
//! binary.
//!
//! No image is built, as that needs a Docker daemon, and no task is started: the binary runs here instead, with
//! the settings and the credentials that its task would have.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

use crate::support::{Cmd, python, repository, skipped};

/// Stacks in an emulated AWS, and their tasks' work.
mod stack;

/// CloudFormation takes a template of this many bytes in a request; a larger one would have to be in a bucket.
const MAX_TEMPLATE_BYTES: usize = 51_200;
const PROVIDERS: &str = "/opt/tf-plugins";

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
