//! The same hostile result in every format, and what each must make of it.

use std::collections::HashMap;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, ListBuilder, MapBuilder, RecordBatch, StringArray,
    StringBuilder, StringViewArray, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use super::*;
use crate::exit::{Exit, Output};

/// 2026-01-05 07:12:03 UTC.
const MORNING: i64 = 1_767_597_123_000_000;

const HOSTILE: [&str; 8] = [
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "=cmd|' /C calc'!A0",
    "<script>alert(\"1\")</script>",
    "a|b\\|c\nd",
    "user\u{202e}nimda\u{9b}31m",
    "[x](javascript:alert(1)) ![y](//e.example) @octo",
    "-1+1, \"quoted\"",
    "_session_ my_role *b* `c`",
];

fn one_column(values: &[&str]) -> RecordBatch {
    let array: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
    RecordBatch::try_from_iter([("session_name", array)]).unwrap()
}

/// A row of every kind of column that the lake has, and a row of nulls.
fn every_kind() -> RecordBatch {
    let mut services = ListBuilder::new(StringBuilder::new());
    services.append_value([Some("s3"), Some("ec2"), None]);
    services.append_null();
    let mut tags = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    tags.keys().append_value("team");
    tags.values().append_value("a\"b");
    tags.keys().append_value("env");
    tags.values().append_null();
    tags.append(true).unwrap();
    tags.append(false).unwrap();
    let times = TimestampMicrosecondArray::from(vec![Some(MORNING), None]);
    let columns: [(&str, ArrayRef); 7] = [
        ("event_time", Arc::new(times.with_timezone("UTC"))),
        ("role", Arc::new(StringViewArray::from(vec![Some("admin"), None]))),
        ("calls", Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993), None]))),
        ("change", Arc::new(Int64Array::from(vec![Some(-5), None]))),
        ("mfa", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("services", Arc::new(services.finish())),
        ("tags", Arc::new(tags.finish())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn render(options: &Options, batch: &RecordBatch) -> String {
    render_with(options, &Heading::default(), batch)
}

fn render_with(options: &Options, heading: &Heading, batch: &RecordBatch) -> String {
    let mut out = Vec::new();
    let schema = batch.schema();
    batches(options, heading, &schema, std::slice::from_ref(batch), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn piped(format: Format) -> Options {
    Options::new(format, Screen::plain())
}

/// All formats that are text.
fn texts() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(|format| *format != Format::Parquet)
}

fn on_terminal(format: Format, width: usize) -> Options {
    Options::new(format, Screen { terminal: true, width: Some(width), colour: false })
}

#[test]
fn a_table_shows_every_kind_of_value() {
    insta::assert_snapshot!(render(&piped(Format::Table), &every_kind()), @r##"
    event_time            role              calls  change  mfa   services       tags
    ──────────────────────────────────────────────────────────────────────────────────────────────
    2026-01-05 07:12:03Z  admin  9007199254740993      -5  true  s3, ec2, null  team=a"b, env=null
    "##);
}

#[test]
fn csv_shows_every_kind_of_value() {
    insta::assert_snapshot!(render(&piped(Format::Csv), &every_kind()), @r##"
    event_time,role,calls,change,mfa,services,tags
    2026-01-05T07:12:03Z,admin,9007199254740993,-5,true,"[""s3"",""ec2"",null]","{""team"":""a\""b"",""env"":null}"
    ,,,,,,
    "##);
}

#[test]
fn json_shows_every_kind_of_value() {
    insta::assert_snapshot!(render(&piped(Format::Json), &every_kind()), @r##"
    [
    {"event_time":"2026-01-05T07:12:03Z","role":"admin","calls":9007199254740993,"change":-5,"mfa":true,"services":["s3","ec2",null],"tags":{"team":"a\"b","env":null}},
    {"event_time":null,"role":null,"calls":null,"change":null,"mfa":null,"services":null,"tags":null}
    ]
    "##);
    let lines = render(&piped(Format::Ndjson), &every_kind());
    let array = render(&piped(Format::Json), &every_kind());
    let array: Vec<serde_json::Value> = serde_json::from_str(&array).unwrap();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, array);
}

#[test]
fn markdown_shows_every_kind_of_value() {
    insta::assert_snapshot!(render(&piped(Format::Markdown), &every_kind()), @r##"
    | event_time | role | calls | change | mfa | services | tags |
    | --- | --- | ---: | ---: | --- | --- | --- |
    | 2026-01-05 07:12:03Z | admin | 9007199254740993 | -5 | true | s3, ec2, null | team=a"b, env=null |
    |  |  |  |  |  |  |  |

    2 rows
    "##);
}

#[test]
fn html_shows_every_kind_of_value() {
    let page = render(&piped(Format::Html), &every_kind());
    let rows = page.split_once("<tbody>").unwrap().1.split_once("</tbody>").unwrap().0;
    insta::assert_snapshot!(rows, @r##"
    <tr><td>2026-01-05 07:12:03Z</td><td>admin</td><td class="n">9007199254740993</td><td class="n">-5</td><td>true</td><td>s3, ec2, null</td><td>team=a&#34;b, env=null</td></tr>
    <tr><td></td><td></td><td class="n"></td><td class="n"></td><td></td><td></td><td></td></tr>
    "##);
}

#[test]
fn nothing_hostile_acts_on_a_terminal() {
    for format in texts() {
        let text = render(&on_terminal(format, 60), &one_column(&HOSTILE));
        let acting: Vec<char> = text.chars().filter(|c| *c != '\n' && term::acts(*c)).collect();
        assert!(acting.is_empty(), "{format}: {acting:?}");
        assert!(text.contains("nimda"), "{format} loses text");
    }
}

#[test]
fn hostile_text_in_a_table() {
    insta::assert_snapshot!(render(&piped(Format::Table), &one_column(&HOSTILE)), @r##"
    session_name
    ────────────────────────────────────────────────
    \x1b[2J\x1b]0;owned\x07
    =cmd|' /C calc'!A0
    <script>alert("1")</script>
    a|b\|c\nd
    user\u{202e}nimda\x9b31m
    [x](javascript:alert(1)) ![y](//e.example) @octo
    -1+1, "quoted"
    _session_ my_role *b* `c`
    "##);
}

#[test]
fn hostile_text_in_csv_runs_nothing_and_reads_back() {
    let text = render(&piped(Format::Csv), &one_column(&HOSTILE));
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let read: Vec<String> = reader.records().map(|record| record.unwrap()[0].to_owned()).collect();
    let expect: Vec<String> = HOSTILE
        .iter()
        .map(
            |text| if text.starts_with(['=', '-']) { format!("'{text}") } else { text.to_string() },
        )
        .collect();
    assert_eq!(read, expect);
}

#[test]
fn csv_defuses_every_start_of_a_formula() {
    let starts =
        ["=1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u{ff1d}1", "\u{feff}=1"];
    let text = render(&piped(Format::Csv), &one_column(&starts));
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    for (record, start) in reader.records().zip(starts) {
        assert_eq!(&record.unwrap()[0], format!("'{start}"));
    }
    let harmless = ["a=1", "1-1", " a", "", "'=1"];
    let text = render(&piped(Format::Csv), &one_column(&harmless));
    assert_eq!(text, "session_name\na=1\n1-1\n a\n\"\"\n'=1\n");
}

#[test]
fn a_formula_in_a_list_or_a_column_name_is_defused_too() {
    let mut list = ListBuilder::new(StringBuilder::new());
    list.append_value([Some("=1+1\u{1b}")]);
    let list: ArrayRef = Arc::new(list.finish());
    let batch = RecordBatch::try_from_iter([("=a", list)]).unwrap();
    assert_eq!(render(&piped(Format::Csv), &batch), "'=a\n\"[\"\"=1+1\\u001b\"\"]\"\n");
}

#[test]
fn hostile_text_in_json_is_the_same_text() {
    for format in [Format::Json, Format::Ndjson] {
        let text = render(&piped(format), &one_column(&HOSTILE));
        assert!(!text.contains(|c| c != '\n' && term::acts(c)));
        let rows: Vec<HashMap<String, String>> = match format {
            Format::Json => serde_json::from_str(&text).unwrap(),
            _ => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        };
        let read: Vec<&str> = rows.iter().map(|row| row["session_name"].as_str()).collect();
        assert_eq!(read, HOSTILE);
    }
}

#[test]
fn hostile_text_in_markdown() {
    insta::assert_snapshot!(render(&piped(Format::Markdown), &one_column(&HOSTILE)), @r##"
    | session_name |
    | --- |
    | \\x1b\[2J\\x1b\]0;owned\\x07 |
    | =cmd\|' /C calc'!A0 |
    | &lt;script&gt;alert("1")&lt;/script&gt; |
    | a\|b\\\|c\\nd |
    | user\\u{202e}nimda\\x9b31m |
    | \[x\](javascript:alert(1)) !\[y\](//e.example) @octo |
    | -1+1, "quoted" |
    | \_session\_ my_role \*b\* \`c\` |

    8 rows
    "##);
}

#[test]
fn hostile_text_in_html_is_text_everywhere() {
    let evil = "</title><script>alert(1)</script>\u{202e}\"'";
    let field = Field::new(evil, DataType::Utf8, true)
        .with_metadata(HashMap::from([("comment".to_owned(), evil.to_owned())]));
    let schema = Arc::new(Schema::new(vec![field]));
    let column: ArrayRef = Arc::new(StringArray::from(vec![evil]));
    let batch = RecordBatch::try_new(schema, vec![column]).unwrap();
    let heading = Heading {
        title: Some(evil.to_owned()),
        subtitle: Some(evil.to_owned()),
        parameters: vec![(evil.to_owned(), evil.to_owned())],
        generated_micros: Some(MORNING),
        notes: vec![evil.to_owned()],
        ..Heading::default()
    };
    let page = render_with(&piped(Format::Html), &heading, &batch);
    assert_eq!(page.matches("<script>").count(), 1, "only the page's own");
    assert_eq!(page.matches("alert(1)").count(), 9);
    assert!(!page.contains('\u{202e}'));
    assert!(!page.contains("\\u{202e}\"'"), "quotes are escaped");
    assert!(page.contains("2026-01-05 07:12:03Z") && page.contains("1 row"));
    assert!(!page.contains("http://") && !page.contains("https://"), "needs nothing else");
}

#[test]
fn what_stands_above_a_result_never_disturbs_a_program() {
    let heading = Heading {
        title: Some("Denied".to_owned()),
        subtitle: Some("Who tried and failed?".to_owned()),
        parameters: vec![("days".to_owned(), "90".to_owned())],
        generated_micros: Some(MORNING),
        notes: vec!["two days are missing".to_owned()],
        ..Heading::default()
    };
    let batch = one_column(&["x"]);
    for format in [Format::Csv, Format::Json, Format::Ndjson, Format::Table] {
        let with = render_with(&piped(format), &heading, &batch);
        assert_eq!(with, render(&piped(format), &batch), "{format}");
    }
    insta::assert_snapshot!(render_with(&on_terminal(Format::Table, 40), &heading, &batch), @r##"
    Denied
    Who tried and failed?
    days 90
    two days are missing

    session_name
    ────────────
    x
    "##);
    insta::assert_snapshot!(render_with(&piped(Format::Markdown), &heading, &batch), @r##"
    # Denied

    Who tried and failed?

    - days: 90
    - generated: 2026-01-05 07:12:03Z
    - note: two days are missing

    | session_name |
    | --- |
    | x |

    1 row
    "##);
}

#[test]
fn no_rows_are_a_result_too() {
    let batch = one_column(&[]);
    let check = |format, expect: &str| assert_eq!(render(&piped(format), &batch), expect);
    check(Format::Table, "session_name\n────────────\n");
    check(Format::Csv, "session_name\n");
    check(Format::Json, "[]\n");
    check(Format::Ndjson, "");
    check(Format::Markdown, "| session_name |\n| --- |\n\n0 rows\n");
    for format in texts() {
        let nothing = RecordBatch::new_empty(Arc::new(Schema::empty()));
        let text = render(&piped(format), &nothing);
        assert!(format != Format::Table || text.is_empty(), "{text}");
    }
}

#[test]
fn a_terminal_gets_columns_that_fit_and_a_file_gets_all() {
    let arn = "arn:aws:iam::111122223333:role/teams/platform/deploy-production";
    let agent =
        "aws-cli/2.15.0 Python/3.11 Linux/6.1 exe/x86_64.amzn.2023 prompt/off command/s3.ls";
    let columns: [(&str, ArrayRef); 3] = [
        ("calls", Arc::new(Int64Array::from(vec![7]))),
        ("role_arn", Arc::new(StringArray::from(vec![arn]))),
        ("user_agent", Arc::new(StringArray::from(vec![agent]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    for width in 60..200 {
        let text = render(&on_terminal(Format::Table, width), &batch);
        for line in text.lines() {
            assert!(term::width(line) <= width, "{width}: {line}");
        }
    }
    insta::assert_snapshot!(render(&on_terminal(Format::Table, 72), &batch), @r##"
    calls  role_arn                          user_agent
    ────────────────────────────────────────────────────────────────────────
        7  arn:aws:iam::111122223333:role/t  aws-cli/2.15.0 Python/3.11
           eams/platform/deploy-production   Linux/6.1 exe/x86_64.amzn.2023
                                             prompt/off command/s3.ls
    "##);
    // Not even wrapped columns fit: the row becomes a block.
    insta::assert_snapshot!(render(&on_terminal(Format::Table, 40), &batch), @r##"
    ── 1 ──
    calls       7
    role_arn    arn:aws:iam::111122223333:role/teams/platform/deploy-production
    user_agent  aws-cli/2.15.0 Python/3.11
                Linux/6.1
                exe/x86_64.amzn.2023
                prompt/off command/s3.ls
    "##);
    let text = render(&piped(Format::Table), &batch);
    assert!(text.lines().any(|line| line.contains(arn) && line.contains(agent)));
}

/// Where there is room for all, all are shown; where there is none for the first either, each row is a block.
#[test]
fn a_screen_without_room_for_all_columns_shows_the_first_to_look_at() {
    let heading = Heading {
        screen_columns: ["calls", "role", "not_there"].map(str::to_owned).to_vec(),
        ..Heading::default()
    };
    let shown = |width| render_with(&on_terminal(Format::Table, width), &heading, &every_kind());
    let narrow = shown(40);
    let first = narrow.lines().next().unwrap();
    assert_eq!(first.split_whitespace().collect::<Vec<_>>(), ["calls", "role"]);
    assert!(narrow.contains("5 more columns have no room here"), "{narrow}");
    let wide = shown(200);
    assert!(wide.contains("tags") && !wide.contains("more column"), "{wide}");
    let blocks = shown(12);
    assert!(blocks.contains("── 1 ──") && blocks.contains("tags"), "{blocks}");
    let piped = render_with(&piped(Format::Table), &heading, &every_kind());
    assert!(piped.contains("tags") && !piped.contains("more column"), "{piped}");
}

/// Of many columns to look at first, as many as there is room for, but not too few.
#[test]
fn the_last_of_the_first_columns_gives_way() {
    let columns = ["role", "change", "mfa", "calls", "event_time", "services"];
    let heading =
        Heading { screen_columns: columns.map(str::to_owned).to_vec(), ..Heading::default() };
    let shown = |width| render_with(&on_terminal(Format::Table, width), &heading, &every_kind());
    let narrow = shown(45);
    let first = narrow.lines().next().unwrap();
    assert_eq!(first.split_whitespace().collect::<Vec<_>>(), columns[..4]);
    assert!(narrow.contains("3 more columns have no room here"), "{narrow}");
    assert!(shown(25).contains("── 1 ──"));
}

#[test]
fn a_huge_cell_in_a_file_pads_nothing_and_loses_nothing() {
    let huge = "x".repeat(70_000);
    let text = render(&piped(Format::Table), &one_column(&["a", &huge, "b"]));
    assert!(text.contains(&huge));
    assert!(text.len() < 2 * huge.len(), "{}", text.len());
}

#[test]
fn a_long_table_repeats_its_header() {
    let values: Vec<String> = (0..TABLE_CHUNK_ROWS + 5).map(|row| format!("s{row}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let text = render(&piped(Format::Table), &one_column(&values));
    assert_eq!(text.matches("session_name").count(), 2);
    assert_eq!(text.lines().filter(|line| line.starts_with('s')).count(), values.len() + 2);
}

#[test]
fn the_row_limit_holds_across_batches_and_is_told() {
    let batch = one_column(&["a", "b", "c"]);
    let check = |max_rows, expect: Summary| {
        let options = Options { max_rows, ..piped(Format::Ndjson) };
        let mut out = Vec::new();
        let two = [batch.clone(), batch.clone()];
        let summary =
            batches(&options, &Heading::default(), &batch.schema(), &two, &mut out).unwrap();
        assert_eq!(summary, expect);
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count() as u64, expect.rows);
    };
    check(None, Summary { rows: 6, more: false });
    check(Some(6), Summary { rows: 6, more: false });
    check(Some(4), Summary { rows: 4, more: true });
    check(Some(0), Summary { rows: 0, more: true });
    assert_eq!(Summary { rows: 4, more: true }.footer(), "first 4 rows, there are more");
}

#[test]
fn pages_end_with_what_is_known_after_the_last_row() {
    let batch = one_column(&["a"]);
    let notes = ["account 1: <no> logs\u{1b}[2J".to_owned()];
    for format in texts() {
        let mut out = Vec::new();
        let heading = Heading::default();
        let mut renderer =
            Renderer::new(&piped(format), &heading, &batch.schema(), &mut out).unwrap();
        renderer.rows(&batch).unwrap();
        renderer.finish_with(&notes).unwrap();
        let text = String::from_utf8(out).unwrap();
        let is_page = matches!(format, Format::Markdown | Format::Html);
        assert_eq!(text.contains("account 1: "), is_page, "{format}: {text}");
        assert!(!text.contains('\u{1b}') && !text.contains("<no>"), "{format}: {text}");
    }
}

#[test]
fn every_time_is_shown_in_utc() {
    let zone: ArrayRef =
        Arc::new(TimestampMicrosecondArray::from(vec![MORNING + 500_000]).with_timezone("+05:30"));
    let none: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![MORNING * 1_000]));
    let batch = RecordBatch::try_from_iter([("zone", zone), ("none", none)]).unwrap();
    assert_eq!(
        render(&piped(Format::Csv), &batch),
        "zone,none\n2026-01-05T07:12:03.500Z,2026-01-05T07:12:03Z\n"
    );
    assert!(
        render(&piped(Format::Table), &batch)
            .contains("2026-01-05 07:12:03.500Z  2026-01-05 07:12:03Z")
    );
}

#[test]
fn columns_of_one_name_are_told_apart() {
    let field = || Field::new("x", DataType::Timestamp(TimeUnit::Second, None), true);
    let schema = Arc::new(Schema::new(vec![field(), field()]));
    let column: ArrayRef = Arc::new(arrow::array::TimestampSecondArray::from(vec![0]));
    let batch = RecordBatch::try_new(schema, vec![Arc::clone(&column), column]).unwrap();
    assert_eq!(
        render(&piped(Format::Ndjson), &batch),
        "{\"x\":\"1970-01-01T00:00:00Z\",\"x_2\":\"1970-01-01T00:00:00Z\"}\n"
    );
}

#[test]
fn a_reader_that_leaves_is_success_in_every_format() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }
    // Small enough to be noticed at the end only, and large enough to be noticed on the way.
    for (format, size) in Format::ALL.into_iter().flat_map(|f| [(f, 1), (f, 100_000)]) {
        let batch = one_column(&["x".repeat(size).as_str()]);
        let result = batches(
            &piped(format),
            &Heading::default(),
            &batch.schema(),
            std::slice::from_ref(&batch),
            Output::new(Gone),
        );
        assert_eq!(Exit::of(&result.unwrap_err()), Exit::Done, "{format}");
    }
}

#[test]
fn parquet_reads_back_is_the_same_each_time_and_never_on_a_terminal() {
    let batch = every_kind();
    let write = || {
        let mut out = Vec::new();
        let heading = Heading {
            facts: vec![("rolecall.report".to_owned(), "edges".to_owned())],
            ..Heading::default()
        };
        let schema = batch.schema();
        batches(&piped(Format::Parquet), &heading, &schema, std::slice::from_ref(&batch), &mut out)
            .unwrap();
        out
    };
    let bytes = write();
    assert_eq!(bytes, write());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    let facts = reader.metadata().file_metadata().key_value_metadata().unwrap();
    assert!(facts.iter().any(|fact| fact.value.as_deref() == Some("edges")));
    let read: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].columns(), batch.columns());

    let mut out = Vec::new();
    let terminal = on_terminal(Format::Parquet, 80);
    let refused = batches(&terminal, &Heading::default(), &batch.schema(), &[batch], &mut out);
    assert_eq!(Exit::of(&refused.unwrap_err()), Exit::Usage);
    assert!(out.is_empty());
}

#[test]
fn people_see_times_in_the_zone_that_they_ask_for_and_programs_in_utc() {
    let times = TimestampMicrosecondArray::from(vec![MORNING, MORNING + 180 * 86_400_000_000]);
    let naive: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![MORNING; 2]));
    let columns: [(&str, ArrayRef); 2] =
        [("event_time", Arc::new(times.with_timezone("UTC"))), ("naive", naive)];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let at = |format, zone: &str| render(&Options { zone: zone.into(), ..piped(format) }, &batch);
    let table = at(Format::Table, "Europe/Berlin");
    assert!(table.contains("2026-01-05 08:12:03+01:00  2026-01-05 08:12:03+01:00"), "{table}");
    assert!(table.contains("2026-07-04 09:12:03+02:00"), "{table}");
    let page = at(Format::Html, "-03:30");
    assert!(page.contains("<td>2026-01-05 03:42:03-03:30</td>"), "{page}");
    let csv = at(Format::Csv, "Europe/Berlin");
    assert!(csv.contains("2026-01-05T07:12:03Z,2026-01-05T07:12:03Z"), "{csv}");
}

#[test]
fn a_page_sums_up_the_verdicts() {
    let array: ArrayRef =
        Arc::new(StringArray::from(vec![Some("STALE"), Some("<b>"), Some("STALE"), None]));
    let batch = RecordBatch::try_from_iter([("state", array)]).unwrap();
    let heading = Heading { verdict_column: Some("state".to_owned()), ..Heading::default() };
    let page = render_with(&piped(Format::Html), &heading, &batch);
    assert!(page.contains(r#"data-value="STALE">STALE <b>2</b>"#), "{page}");
    assert!(page.contains(r#"data-value="&#60;b&#62;">&#60;b&#62; <b>1</b>"#), "{page}");
    assert!(page.contains("(none) <b>1</b>"), "{page}");
    let plain = render(&piped(Format::Html), &batch);
    assert!(!plain.contains("data-value=\"STALE"), "{plain}");
}

#[test]
fn a_page_shows_first_what_to_look_at_first() {
    let array = || -> ArrayRef { Arc::new(StringArray::from(vec!["x"])) };
    let columns = ["slot", "state", "calls"].map(|name| (name, array()));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let page_of = |first: &[&str]| {
        let screen_columns = first.iter().copied().map(str::to_owned).collect();
        let heading = Heading { screen_columns, ..Heading::default() };
        render_with(&piped(Format::Html), &heading, &batch)
    };
    let page = page_of(&["state", "change"]);
    assert!(page.contains(":is(tr :nth-child(1), tr :nth-child(3)) {"), "{page}");
    assert!(page.contains("all 3 columns"), "{page}");
    for first in [&["slot", "state", "calls"][..], &[]] {
        assert!(!page_of(first).contains("checkbox"), "{first:?}");
    }
}

#[tokio::test]
async fn a_stream_is_left_when_the_limit_is_reached() {
    let batch = one_column(&["a", "b"]);
    let schema = batch.schema();
    let fetched = std::sync::atomic::AtomicUsize::new(0);
    let endless = futures::stream::iter(std::iter::repeat_with(|| {
        fetched.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok::<_, std::io::Error>(batch.clone())
    }));
    let options = Options { max_rows: Some(3), ..piped(Format::Csv) };
    let mut out = Vec::new();
    let summary = stream(&options, &Heading::default(), &schema, endless, &mut out).await.unwrap();
    assert_eq!(summary, Summary { rows: 3, more: true });
    assert_eq!(fetched.into_inner(), 2);
}

proptest::proptest! {
    /// Whatever the log says, CSV and JSON give it back, and no format lets anything act.
    #[test]
    fn any_text_survives(values in proptest::collection::vec("(?s).{0,40}", 1..5)) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let batch = one_column(&values);
        let text = render(&piped(Format::Ndjson), &batch);
        for (line, value) in text.lines().zip(&values) {
            let row: HashMap<String, String> = serde_json::from_str(line).unwrap();
            proptest::prop_assert_eq!(&row["session_name"], value);
        }
        let text = render(&piped(Format::Csv), &batch);
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        for (record, value) in reader.records().zip(&values) {
            let record = record.unwrap();
            let read = record[0].strip_prefix('\'').filter(|_| !value.starts_with('\''));
            proptest::prop_assert_eq!(read.unwrap_or(&record[0]), *value);
        }
        for format in texts() {
            let text = render(&on_terminal(format, 50), &batch);
            proptest::prop_assert!(!text.contains(|c| c != '\n' && term::acts(c)));
        }
    }
}
