//! The guide from access keys to roles: every command in it is run on a fresh demo, and answers what it says there.
//!
//! A command is a line that begins with `$ ` in a block, with the lines that it goes on in; what follows is its answer.
//! A line `…` stands for any lines, and `…` in a line for any text. All commands run in one `sh`, in their order, as a
//! reader would type them. Commands of the AWS CLI are not run.

use std::path::Path;

use crate::support::{Cmd, Ground, Scratch, repository, skipped};

const GUIDE: &str = "docs/from-keys-to-roles.md";

/// Begins a line of its own, between the answers. No report prints it.
const MARK: &str = "\u{1e}answer ";

/// A command and the answer that the guide gives, with the line that it stands in.
#[derive(Debug)]
struct Step {
    line: usize,
    command: String,
    answer: Vec<String>,
}

/// What stands between fences: the number of the first line, and the lines.
fn blocks(text: &str) -> Vec<(usize, Vec<&str>)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, Vec<&str>)> = None;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            match open.take() {
                Some(block) => blocks.push(block),
                None => open = Some((number + 2, Vec::new())),
            }
        } else if let Some((_, lines)) = &mut open {
            lines.push(line);
        }
    }
    assert!(open.is_none(), "a block of {GUIDE} does not end");
    blocks
}

/// Whether the shell would wait for more.
fn goes_on(command: &str) -> bool {
    let mut quote = None;
    let mut escaped = false;
    for letter in command.chars() {
        match (quote, letter) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            _ => {}
        }
    }
    quote.is_some() || escaped || command.trim_end().ends_with('|')
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (first, lines) in blocks(text) {
        let mut commanded = false;
        for (number, line) in lines.iter().enumerate() {
            if let Some(command) = line.strip_prefix("$ ") {
                let command = command.to_owned();
                steps.push(Step { line: first + number, command, answer: Vec::new() });
                commanded = true;
            } else if let Some(step) = steps.last_mut().filter(|_| commanded) {
                if step.answer.is_empty() && goes_on(&step.command) {
                    step.command.push('\n');
                    step.command.push_str(line);
                } else {
                    step.answer.push((*line).to_owned());
                }
            }
        }
    }
    steps.retain(|step| !step.command.contains("aws "));
    steps
}

/// Whether `text` is what `pattern` says, where `…` stands for anything.
fn line_is(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut open = false;
    for part in parts {
        open = true;
        let Some(at) = rest.rfind(part).filter(|_| part.is_empty()).or_else(|| rest.find(part))
        else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty() || (open && pattern.ends_with('…'))
}

fn lines_are(lines: &[&str], pattern: &[&str]) -> bool {
    match pattern.split_first() {
        None => lines.is_empty(),
        Some((&"…", rest)) => (0..=lines.len()).any(|skip| lines_are(&lines[skip..], rest)),
        Some((first, rest)) => lines
            .split_first()
            .is_some_and(|(line, lines)| line_is(line, first) && lines_are(lines, rest)),
    }
}

/// The setup that the guide gives, then its commands, each after a line that says which comes.
fn script(text: &str, steps: &[Step]) -> String {
    let setup = blocks(text).into_iter().find(|(_, lines)| lines.contains(&"rolecall demo"));
    let (_, setup) = setup.expect("the guide says how to make the demo");
    let setup: Vec<_> = setup.into_iter().filter(|line| *line != "rolecall demo").collect();
    let binaries = Path::new(env!("CARGO_BIN_EXE_rolecall")).parent().unwrap().display();
    let setup = setup.join("\n");
    let mut script =
        format!("exec 2>&1\nPATH='{binaries}':$PATH\nLC_ALL=C; export LC_ALL\n{setup}\n");
    for (number, step) in steps.iter().enumerate() {
        script.push_str(&format!("printf '\\n{MARK}{number}\\n'\n{}\n", step.command));
    }
    script.push_str("exit 0\n");
    script
}

/// The exceptions that the guide shows, in the file that its commands name.
fn exceptions(text: &str) -> String {
    let block = blocks(text).into_iter().find(|(_, lines)| lines.first() == Some(&"[[exception]]"));
    block.map(|(_, lines)| lines.join("\n")).unwrap_or_default()
}

#[test]
fn the_guide_says_what_its_commands_answer() {
    let asked = Cmd::new("sh").args(["-c", "command -v jq"]).run();
    if asked.stdout().is_empty() {
        skipped("guide", "there is no jq");
        return;
    }
    let text = std::fs::read_to_string(repository().join(GUIDE)).unwrap();
    let steps = steps(&text);
    assert!(steps.len() > 15, "the guide's commands are not found: {steps:?}");
    let scratch = Scratch::new(Ground::Folder);
    let home = scratch.path("guide");
    std::fs::create_dir_all(&home).unwrap();
    Cmd::rolecall().arg("demo").dir(&home).run().exits(0);
    std::fs::write(home.join("exceptions.toml"), exceptions(&text)).unwrap();
    let all = Cmd::new("sh").arg("-c").arg(script(&text, &steps)).dir(&home).run();
    let printed = all.exits(0).stdout().to_owned();
    let answers: Vec<_> = printed.split(MARK).skip(1).collect();
    assert_eq!(answers.len(), steps.len(), "{printed}");
    let mut wrong = String::new();
    for (step, answer) in steps.iter().zip(answers) {
        // The first line is the mark's; the empty one at the end comes before the next mark.
        let answer = answer.split_once('\n').map_or("", |(_, answer)| answer);
        let lines: Vec<_> = answer.trim_end_matches('\n').lines().collect();
        let pattern: Vec<_> = step.answer.iter().map(String::as_str).collect();
        if !lines_are(&lines, &pattern) {
            let said = step.answer.join("\n");
            wrong.push_str(&format!(
                "\n{GUIDE}:{}: $ {}\n--- says\n{said}\n--- answers\n{}\n",
                step.line,
                step.command,
                lines.join("\n")
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn an_omission_stands_for_any_text() {
    assert!(line_is("a b c", "a … c") && line_is("a b c", "a …") && line_is("a", "a"));
    assert!(!line_is("a b c", "a … d") && !line_is("a b", "a") && !line_is("b", "a…"));
    assert!(lines_are(&["a", "b", "c"], &["…", "c"]) && lines_are(&["a"], &["a", "…"]));
    assert!(!lines_are(&["a", "b"], &["a"]) && !lines_are(&["b"], &["…", "a"]));
    assert!(goes_on("a |") && goes_on("a 'b") && goes_on("a \\") && !goes_on("a '\"' b"));
}
