//! Exit codes, formats and settings: what scripts rely on.

use std::io::pipe;

use serde_json::{Value, json};

use crate::support::{Cmd, Ground, Record, Scratch, gzip, log_file, log_file_name};

/// A lake with a few events, one of which a hostile person wrote.
fn small_lake() -> Scratch {
    let scratch = Scratch::new(Ground::Folder);
    let hostile = Record::assume_role(3).with("userAgent", json!(HOSTILE));
    let records = [Record::assume_role(1), Record::assume_role(2), hostile];
    scratch.write(format!("source/{}", log_file_name(1)), gzip(log_file(records)));
    scratch.lake("lake").ingest([scratch.path("source")]).run().exits(0);
    scratch
}

/// A formula, a column, a line and a cell of their own, markup, and orders to the terminal.
const HOSTILE: &str = "=cmd|'/c calc'!A1,\"x\"|<script>alert(1)</script>\n\u{1b}[2J\u{202e}nimda";

const QUERY: &str = "select event_id, record_index, event_time, external_id, read_only, user_agent \
                     from credential_events order by record_index";

fn in_format(scratch: &Scratch, format: &str) -> String {
    let sql = scratch.lake("lake").command("sql").args(["--format", format, QUERY]);
    sql.run().exits(0).stdout().to_owned()
}

/// What every format must say, in the words of JSON.
fn expected_rows() -> Vec<Value> {
    (0..3)
        .map(|index| {
            json!({
                "event_id": format!("00000000-0000-4000-8000-{:012}", index + 1),
                "record_index": index,
                "event_time": format!("2026-01-05T07:00:0{}Z", index + 1),
                "external_id": null,
                "read_only": true,
                "user_agent": if index == 2 { HOSTILE } else { "aws-cli/2.27.0" },
            })
        })
        .collect()
}

#[test]
fn json_and_ndjson_read_back() {
    let scratch = small_lake();
    let array: Vec<Value> = serde_json::from_str(&in_format(&scratch, "json")).unwrap();
    assert_eq!(array, expected_rows());
    let text = in_format(&scratch, "ndjson");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, expected_rows());
    assert!(text.ends_with('\n') && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn csv_reads_back_and_no_spreadsheet_runs_it() {
    let text = in_format(&small_lake(), "csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<Vec<String>> =
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    let expected: Vec<Vec<String>> = expected_rows()
        .iter()
        .map(|row| {
            names
                .iter()
                .map(|name| match &row[name] {
                    Value::Null => String::new(),
                    Value::String(text) if text.starts_with('=') => format!("'{text}"),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                })
                .collect()
        })
        .collect();
    assert_eq!(names.len(), 6);
    assert_eq!(rows, expected);
}

#[test]
fn what_people_read_has_every_row_and_nothing_acts() {
    let scratch = small_lake();
    for format in ["table", "markdown", "html"] {
        let text = in_format(&scratch, format);
        for index in 1..=3 {
            assert!(text.contains(&format!("4000-8000-{index:012}")), "{format}: {text}");
        }
        assert!(format == "table" || !text.contains("<script>alert"), "{format}: {text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{format}: {text}");
    }
    let table = in_format(&scratch, "markdown");
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let lines: Vec<&str> = table.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(lines.len(), 5, "{table}");
    assert!(lines.iter().all(|line| cells(line) == 7), "{table}");
}

#[test]
fn a_reader_that_leaves_early_is_success() {
    let scratch = small_lake();
    let query = "select value from generate_series(1, 2000000) t(value)";
    for format in ["csv", "table", "json"] {
        let (reader, writer) = pipe().unwrap();
        let cmd = scratch.lake("lake").command("sql").args(["--format", format, query]);
        let running = cmd.stdout_to(writer).start();
        drop(reader);
        let run = running.wait().exits(0);
        assert_eq!(run.stderr(), "", "{format}");
    }
}

#[test]
fn a_wrong_command_line_is_two() {
    let scratch = Scratch::new(Ground::Folder);
    let lines: [(&[&str], &str); 9] = [
        (&[], "Usage"),
        (&["fly"], "fly"),
        (&["check", "--wings"], "--wings"),
        (&["sql", "--format", "yaml", "select 1"], "yaml"),
        (&["check", "--lake", "ftp://host/lake"], "ftp"),
        (&["ingest"], "SOURCE"),
        (&["ingest", "--since", "yesterday", "x"], "yesterday"),
        (&["ingest", "--account", "12", "x"], "12 digits"),
        (&["check", "--threads", "none"], "none"),
    ];
    for (args, told) in lines {
        let run = scratch.rolecall(args).run().exits(2);
        assert!(run.stdout.is_empty(), "{run}");
        run.complains_of(&[told]);
    }
    for name in ["ROLECALL_FORMAT", "ROLECALL_THREADS", "ROLECALL_MAX_INFLATED"] {
        let run = scratch.rolecall(["check"]).env(name, "no such thing").run().exits(2);
        run.complains_of(&[name]);
    }
}

#[test]
fn help_and_version_are_results() {
    for arg in ["--help", "--version"] {
        let run = Cmd::rolecall().arg(arg).run().exits(0);
        assert!(run.stdout().contains("rolecall"), "{run}");
        assert!(run.stderr.is_empty(), "{run}");
    }
    let help = Cmd::rolecall().arg("--help").run();
    for command in ["demo", "ingest", "who", "report", "sql", "schema", "maintain", "check"] {
        assert!(help.stdout().contains(command), "{command}: {help}");
    }
}

#[test]
fn what_cannot_be_done_is_one() {
    let scratch = small_lake();
    for command in ["check", "maintain", "schema"] {
        let run = scratch.lake("nowhere").command(command).run();
        if command == "schema" && run.succeeded() {
            // It describes the tables without a lake, too.
            continue;
        }
        run.exits(1).complains_of(&["nowhere", "no lake"]);
    }
    assert!(!scratch.path("nowhere").exists(), "looking for a lake must not make one");
    let wrong = [
        ("select no_such_column from credential_events", "no_such_column"),
        ("select * from no_such_table", "no_such_table"),
        ("selct 1", "selct"),
    ];
    for (query, told) in wrong {
        let run = scratch.lake("lake").command("sql").arg(query).run().exits(1);
        assert!(run.stdout.is_empty(), "{run}");
        run.complains_of(&[told]);
    }
}

#[test]
fn sql_changes_nothing() {
    let scratch = small_lake();
    let lake = scratch.lake("lake");
    for statement in [
        "delete from credential_events",
        "insert into log_files select * from log_files",
        "drop table credential_events",
        "create table t as select 1",
        "copy credential_events to 'stolen.parquet'",
        "create external table t stored as csv location '/etc/passwd'",
    ] {
        let run = lake.command("sql").arg(statement).run().exits(1);
        assert!(!run.stderr().is_empty(), "{run}");
    }
    assert_eq!(lake.number("select count(*) from credential_events"), 3);
    assert!(!scratch.path("stolen.parquet").exists());
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let scratch = small_lake();
    let sql = |args: &[&str], environment: &[(&str, &str)]| {
        let cmd =
            scratch.rolecall(["sql", "--format", "json", "select count(*) as n from log_files"]);
        environment.iter().fold(cmd.args(args), |cmd, (name, value)| cmd.env(name, value)).run()
    };
    // The default is ./lake, which is the one that is there.
    assert_eq!(sql(&[], &[]).exits(0).json(), json!([{"n": 1}]));
    scratch.write("rolecall.toml", "lake = \"from-file\"\n");
    sql(&[], &[]).exits(1).complains_of(&["from-file"]);
    sql(&[], &[("ROLECALL_LAKE", "from-environment")]).exits(1).complains_of(&["from-environment"]);
    sql(&["--lake", "lake"], &[("ROLECALL_LAKE", "from-environment")]).exits(0);
    scratch.write("rolecall.toml", "lakes = 1\n");
    sql(&["--lake", "lake"], &[]).exits(2).complains_of(&["rolecall.toml", "lakes"]);
}

#[test]
fn sql_reads_statements_from_standard_input() {
    let scratch = small_lake();
    let cmd = scratch.lake("lake").command("sql").args(["--format", "csv"]);
    let run = cmd.stdin("select count(*) as events from credential_events;\nselect\n 1 as one;\n");
    let run = run.run().exits(0);
    assert!(run.stdout().contains("events\n3\n") && run.stdout().contains("one\n1\n"), "{run}");
}

#[test]
fn every_column_of_every_table_and_view_is_explained() {
    let scratch = small_lake();
    let lake = scratch.lake("lake");
    for name in [
        "credential_events",
        "iam_changes",
        "activity",
        "log_files",
        "assumptions",
        "sessions",
        "access_keys",
        "roles",
        "coverage",
    ] {
        let run = lake.command("schema").args(["--format", "json", name]).run().exits(0);
        let columns = run.json();
        let columns = columns.as_array().unwrap();
        assert!(columns.len() > 5, "{run}");
        for column in columns {
            let texts = column.as_object().unwrap().values().filter_map(Value::as_str);
            let longest = texts.map(str::len).max().unwrap();
            assert!(longest > 10, "{name}: {column} explains nothing");
        }
        let queried = lake.sql(&format!("select * from {name} limit 1"));
        assert!(queried.len() <= 1);
    }
    let run = lake.command("schema").arg("credential_event").run().exits(2);
    run.complains_of(&["credential_events"]);
}

#[test]
fn the_demo_runs_twice() {
    let scratch = Scratch::new(Ground::Folder);
    let demo = || scratch.rolecall(["demo", "--accounts", "4", "--days", "2", "--size", "0.2"]);
    let first = demo().run().exits(0);
    let second = demo().run().exits(0);
    for run in [&first, &second] {
        assert!(run.stdout().contains("rolecall "), "no command to go on with: {run}");
        assert!(run.stdout().lines().count() > 10, "{run}");
        assert!(!run.stderr().contains("rror"), "{run}");
    }
    let check = scratch.rolecall(["check", "--lake", "demo/lake"]).run();
    check.exits(0);
}

#[test]
fn a_reason_code_is_explained_and_a_misspelt_one_set_right() {
    let scratch = Scratch::new(Ground::Folder);
    let explain =
        |name: &str| scratch.lake("lake").command("report").args(["--explain", name]).run();
    let told = explain("ASKED_TOO_EARLY").exits(0);
    let told = told.stdout();
    assert!(told.contains("rolecall inventory") && told.contains("unused-roles"), "{told}");
    explain("ASKED_TO_EARLY").exits(2).complains_of(&["did you mean 'ASKED_TOO_EARLY'?"]);
    let page = explain("reason-codes").exits(0);
    assert!(page.stdout().contains("| `ASKED_TOO_EARLY` |"), "{page}");
}
