//! A shell over an engine that answers from a list, and what it says to whom.

use std::time::Duration;

use arrow::array::Int64Array;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

use super::*;

/// Knows a few statements and remembers nothing.
struct Canned;

impl Engine for Canned {
    async fn run(&self, sql: &str) -> anyhow::Result<SendableRecordBatchStream> {
        let batch = |values: Vec<i64>| {
            let values: ArrayRef = Arc::new(Int64Array::from(values));
            RecordBatch::try_from_iter([("n", values)])
        };
        let (schema, batches) = match sql {
            "SELECT 1" => (batch(vec![1])?.schema(), vec![Ok(batch(vec![1])?)]),
            "SELECT 2" => (batch(vec![2])?.schema(), vec![Ok(batch(vec![2])?)]),
            "SELECT many" => {
                let many = batch((0..2_000).collect())?;
                (many.schema(), vec![Ok(many)])
            }
            "SELECT late" => {
                let error = DataFusionError::Execution("disk on fire\u{1b}[2J".to_owned());
                (batch(vec![1])?.schema(), vec![Err(error)])
            }
            "SELECT forever" => {
                let never = futures::stream::pending();
                let schema = batch(Vec::new())?.schema();
                return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, never)));
            }
            "CREATE VIEW v AS SELECT 1" => {
                (Arc::new(arrow::datatypes::Schema::empty()), Vec::new())
            }
            other => return Err(anyhow!("cannot run {other}")),
        };
        let stream = futures::stream::iter(batches);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }

    async fn catalog(&self) -> anyhow::Result<Catalog> {
        Ok(catalog())
    }
}

pub(super) fn catalog() -> Catalog {
    let relation = |name: &str, kind, columns: &[&str]| Relation {
        name: name.to_owned(),
        kind,
        comment: format!("what {name} holds"),
        columns: columns
            .iter()
            .map(|column| ColumnInfo {
                name: (*column).to_owned(),
                data_type: "Utf8".to_owned(),
                comment: format!("the {column}"),
            })
            .collect(),
    };
    Catalog {
        relations: vec![
            relation("activity", "table", &["access_key_id", "event_count"]),
            relation("assumptions", "view", &["event_time", "role", "role_arn"]),
        ],
        functions: vec!["arn_account".to_owned(), "arn_name".to_owned()],
        reports: vec![("denied".to_owned(), "Denied".to_owned())],
    }
}

fn start(format: Format, terminal: bool) -> Start {
    let screen = if terminal {
        Screen { terminal: true, width: Some(80), colour: false }
    } else {
        Screen::plain()
    };
    Start { screen, messages: Screen::plain(), format }
}

/// Runs a script; gives its outcome, its results and its messages.
async fn run(start: Start, text: &str) -> (Outcome, String, String) {
    let (mut out, mut messages) = (Vec::new(), Vec::new());
    let outcome = script(&Canned, start, text.as_bytes(), &mut out, &mut messages).await.unwrap();
    (outcome, String::from_utf8(out).unwrap(), String::from_utf8(messages).unwrap())
}

#[tokio::test]
async fn a_script_runs_statement_by_statement() {
    let text = "SELECT 1; SELECT\n2; -- next\n;;\n";
    let (outcome, _, messages) = run(start(Format::Csv, false), text).await;
    // The engine is given the statement as it was typed, line breaks and all.
    assert_eq!(messages, "error: cannot run SELECT\n2\n");
    assert_eq!(outcome, Outcome { statements: 2, failed: 1 });

    let (outcome, out, messages) =
        run(start(Format::Csv, false), "SELECT 1;\n/* why; */ \nSELECT 2").await;
    assert_eq!((out.as_str(), messages.as_str()), ("n\n1\nn\n2\n", ""));
    assert_eq!(outcome, Outcome { statements: 2, failed: 0 });
}

#[tokio::test]
async fn an_error_ends_neither_the_script_nor_the_shell() {
    let text = "SELECT nothing;\nSELECT late;\n.nonsense\nSELECT 2\n";
    let (outcome, out, messages) = run(start(Format::Ndjson, false), text).await;
    assert_eq!(outcome, Outcome { statements: 4, failed: 3 });
    assert_eq!(out, "{\"n\":2}\n");
    let expect = [
        "error: cannot run SELECT nothing",
        "error: Execution error: disk on fire\\x1b[2J",
        "error: .nonsense is no command (.help lists them)",
    ];
    assert_eq!(messages.lines().collect::<Vec<_>>(), expect);
}

#[tokio::test]
async fn commands_change_what_follows() {
    let text = ".format json\nSELECT 1;\n.mode csv\nSELECT 2;\n\\x\n.format table\nSELECT 1;\n.quit\nSELECT 2;";
    let (outcome, out, messages) = run(start(Format::Table, false), text).await;
    assert_eq!(out, "[\n{\"n\":1}\n]\nn\n2\n── 1 ──\nn  1\n");
    assert_eq!(messages, "format json\nformat csv\nrecords on\nformat table\n");
    assert_eq!(outcome.failed, 0);
}

#[tokio::test]
async fn what_can_be_queried_is_listed_in_the_format_of_results() {
    let (_, out, _) = run(start(Format::Csv, false), ".tables\n\\d assumptions\n.reports\n").await;
    insta::assert_snapshot!(out, @r##"
    name,kind,holds
    activity,table,what activity holds
    assumptions,view,what assumptions holds
    column,type,means
    event_time,Utf8,the event_time
    role,Utf8,the role
    role_arn,Utf8,the role_arn
    report,title
    denied,Denied
    "##);
    let (outcome, _, messages) = run(start(Format::Csv, false), ".schema asumptions").await;
    assert_eq!(outcome.failed, 1);
    assert_eq!(
        messages,
        "error: there is no table or view asumptions: did you mean assumptions?\n"
    );
    let (_, out, messages) = run(start(Format::Csv, false), ".help").await;
    assert_eq!(out, "");
    for known in &command::COMMANDS {
        assert!(messages.contains(known.name) && messages.contains(known.help));
    }
}

#[tokio::test]
async fn a_terminal_shows_the_first_rows_and_a_file_all() {
    let (_, out, _) = run(start(Format::Csv, true), "SELECT many;").await;
    assert_eq!(out.lines().count(), 2_001);
    let (_, out, _) = run(start(Format::Table, false), "SELECT many;").await;
    assert_eq!(out.lines().count(), 2_002);
    let text = ".timing on\nSELECT many;\n.rows all\nSELECT many;\n.rows 3\nSELECT many;\n";
    let (_, out, messages) = run(start(Format::Table, true), text).await;
    assert_eq!(out.lines().filter(|line| line.trim() == "2").count(), 3);
    assert_eq!(out.lines().count(), 502 + 2_002 + 5);
    assert!(messages.contains("first 500 rows, there are more (.rows all shows them), 0."));
    assert!(messages.contains("2,000 rows, 0."));
}

#[tokio::test]
async fn a_statement_without_a_result_says_so() {
    let (outcome, out, messages) =
        run(start(Format::Json, false), "CREATE VIEW v AS SELECT 1;").await;
    assert_eq!((out.as_str(), messages.as_str(), outcome.failed), ("", "done\n", 0));
}

#[tokio::test]
async fn an_interrupt_ends_the_statement_and_not_the_shell() {
    let (mut out, mut messages) = (Vec::new(), Vec::new());
    let mut session =
        Session::new(&Canned, start(Format::Csv, false), &mut out, &mut messages).await.unwrap();
    session.interrupt = Box::new(|| Box::pin(tokio::time::sleep(Duration::from_millis(20))));
    assert_eq!(session.submit("SELECT forever;").await.unwrap(), Step::Continue);
    assert_eq!(session.submit("SELECT 1;").await.unwrap(), Step::Continue);
    assert_eq!(session.submit("\\q").await.unwrap(), Step::Quit);
    assert_eq!(String::from_utf8(messages).unwrap(), "error: interrupted\n");
    assert_eq!(String::from_utf8(out).unwrap(), "n\nn\n1\n");
}

#[tokio::test]
async fn output_that_cannot_be_written_ends_the_script() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut messages = Vec::new();
    let text = "SELECT nothing;\nSELECT 1;\nSELECT 2;\n";
    let out = exit::Output::new(Full);
    let error = script(&Canned, start(Format::Csv, false), text.as_bytes(), out, &mut messages)
        .await
        .unwrap_err();
    assert_eq!(exit::Exit::of(&error), exit::Exit::Failed);
    assert_eq!(String::from_utf8(messages).unwrap(), "error: cannot run SELECT nothing\n");
}

#[test]
fn the_history_is_kept_from_one_shell_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/rolecall/history");
    let open = || {
        let config = Config::builder().max_history_size(10).unwrap().build();
        let mut editor: LineEditor = Editor::with_config(config).unwrap();
        open_history(&mut editor, &path).unwrap();
        editor
    };
    let mut editor = open();
    remember(&mut editor, "SELECT 1,\n  ';';\n", Some(&path));
    remember(&mut editor, ".tables", Some(&path));
    let kept: Vec<String> = open().history().iter().cloned().collect();
    assert_eq!(kept, ["SELECT 1,\n  ';';", ".tables"]);

    let error = open_history(&mut open(), folder.path()).unwrap_err();
    assert!(error.to_string().contains("failed to open"), "{error}");
}
