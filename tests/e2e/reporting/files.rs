//! `--output`, `--all` and `--since-last`.

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use super::{HOSTILE, Site, column, count_reports, ndjson, tree};
use crate::support::{Ground, Row};

/// The rows of a Parquet file, as JSON has them.
pub(super) fn parquet_rows(bytes: Vec<u8>) -> Vec<Row> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let mut json = arrow::json::LineDelimitedWriter::new(Vec::new());
    json.write_batches(&batches.iter().collect::<Vec<_>>()).unwrap();
    json.finish().unwrap();
    ndjson(str::from_utf8(&json.into_inner()).unwrap())
}

#[test]
fn the_same_as_of_makes_the_same_bytes() {
    let site = Site::new(Ground::Folder);
    for format in ["html", "markdown", "csv", "table", "json", "ndjson", "parquet"] {
        let write = || {
            let run =
                site.report(5, &["names", "--format", format, "--output", "out"]).run().exits(0);
            assert!(run.stdout.is_empty(), "{run}");
            run.complains_of(&["names", "4 rows", "IDLE 2", "coverage 1.000"]);
        };
        let bytes = || -> Vec<(String, Vec<u8>)> {
            let names = tree(&site.path("out")).into_iter();
            names
                .map(|name| (name.clone(), std::fs::read(site.path("out").join(name)).unwrap()))
                .collect()
        };
        write();
        let first = bytes();
        write();
        assert_eq!(bytes(), first, "{format}");
    }
    let expected = ["csv", "html", "json", "md", "ndjson", "parquet", "txt"];
    let expected = expected.map(|extension| format!("names/as_of=2026-01-05/names.{extension}"));
    assert_eq!(tree(&site.path("out")), expected);
    let text = |extension| site.read(&format!("out/names/as_of=2026-01-05/names.{extension}"));
    assert!(
        text("csv").contains("\"'=cmd|'/c calc'!A1") || text("csv").contains(",'=cmd"),
        "{}",
        text("csv")
    );
    let page = text("html");
    assert!(!page.contains("<script>alert") && !page.contains('\u{1b}'), "{page}");
    assert!(page.contains("data-value=\"IDLE\">IDLE <b>2</b>"), "{page}");
    assert!(page.contains("2026-01-06 00:00:00Z"), "the end of the day that was asked for: {page}");
}

#[test]
fn what_flipped_came_and_went_is_said_with_its_reason() {
    let site = Site::new(Ground::Folder);
    let args = ["names", "--format", "ndjson", "--output", "out", "--since-last"];
    let first = site.report(5, &args).run().exits(0);
    first.complains_of(&["no earlier file"]);
    let rows = ndjson(&site.read("out/names/as_of=2026-01-05/names.ndjson"));
    assert_eq!(column(&rows, "change"), [&json!(null); 4]);

    let check = || {
        let run = site.report(6, &[&args[..], &["--fail-on", "idle"]].concat()).run().exits(3);
        run.complains_of(&["flipped 1", "gone 2", "new 1", "same 1"]);
        run.complains_of(&["1 finding"]);
        let rows = ndjson(&site.read("out/names/as_of=2026-01-06/names.ndjson"));
        assert_eq!(column(&rows, "user_name"), ["alpha", "delta", "gamma", HOSTILE, "beta"]);
        let changes = ["flipped: IDLE → USED", "same", "new", "gone", "gone"];
        assert_eq!(column(&rows, "change"), changes);
        let why = json!("reasons added: BUSY; reasons removed: IDLE");
        let none = json!(null);
        assert_eq!(column(&rows, "change_reasons"), [&why, &none, &none, &none, &none]);
        assert_eq!(
            column(&rows, "evidence_event_ids")[4],
            &json!(["00000005-0000-4000-8000-000000000002"])
        );
    };
    check();
    // It is not compared with itself, and rows that were gone are not gone again.
    check();
    let run = site.report(7, &args).run().exits(0);
    run.complains_of(&["gone 3"]);
    run.complains_of(&["coverage was lost", "account 111122223333 fell 1.000 → 0.000"]);
    let rows = ndjson(&site.read("out/names/as_of=2026-01-07/names.ndjson"));
    let fell = json!("coverage of account 111122223333 fell 1.000 → 0.000");
    assert_eq!(column(&rows, "change_reasons"), [&fell; 3]);

    // What was asked for is another thing: it says so.
    let other = [&args[..], &["--account", super::OTHER]].concat();
    site.report(8, &other).run().exits(0).complains_of(&["as_of=2026-01-07", "other parameters"]);

    let broken = site.path("out/names/as_of=2026-01-06/names.parquet");
    std::fs::write(broken, "PAR1 not").unwrap();
    let run = site.report(7, &args).run().exits(1);
    run.complains_of(&["failed to compare with", "as_of=2026-01-06/names.parquet"]);
}

#[test]
fn a_verdict_that_flipped_under_lost_coverage_says_so_first() {
    let site = Site::new(Ground::Folder);
    site.scratch.write("queries/names.sql", super::REPORT.replace("= 'half'", "= 'busy'"));
    let args = ["names", "--format", "ndjson", "--output", "out", "--since-last"];
    site.report(5, &args).run().exits(0);
    site.report(6, &args).run().exits(0).complains_of(&["flipped 1"]);
    let rows = ndjson(&site.read("out/names/as_of=2026-01-06/names.ndjson"));
    assert_eq!(column(&rows, "change")[0], "flipped: IDLE → USED");
    let why = "the logs hold less than then: coverage fell 1.000 → 0.500; reasons added: BUSY; reasons removed: IDLE";
    assert_eq!(column(&rows, "change_reasons")[0], why);
}

#[test]
fn a_key_that_becomes_inactive_is_a_change_though_its_verdict_stays() {
    let site = Site::new(Ground::Folder);
    let keys = |day: u32, status: &str| {
        let key = json!({"UserName": "idle", "AccessKeyId": "AKIAIDLE000000000001", "Status": status,
                         "CreateDate": "2024-01-01T00:00:00Z"});
        let folder = format!("iam-{day}");
        site.scratch.write(
            format!("{folder}/111122223333/list-access-keys.json"),
            json!({"AccessKeyMetadata": [key]}).to_string(),
        );
        let lake = site.scratch.lake("lake");
        let inventory = lake.command("inventory").arg("--from").arg(site.path(&folder));
        let time = format!("2026-01-{day:02}T12:00:00Z");
        inventory.args(["--snapshot-time", &time]).run().exits(0);
        let args = ["key-migration", "--format", "ndjson", "--output", "out", "--since-last"];
        site.report(day, &args).run().exits(0);
        let file = format!("out/key-migration/as_of=2026-01-{day:02}/key-migration.ndjson");
        let rows = ndjson(&site.read(&file));
        let row = rows.into_iter().find(|row| row["user_name"] == "idle").unwrap();
        (row["verdict"].clone(), row["change"].clone(), row["change_reasons"].clone())
    };
    let (then, _, _) = keys(5, "Active");
    let (now, change, reasons) = keys(6, "Inactive");
    let changed = "status Active → Inactive";
    if then == now {
        assert_eq!(change, format!("changed: {changed}"));
    } else {
        assert!(reasons.as_str().unwrap().contains(changed), "{reasons}");
    }
}

#[test]
fn a_report_that_rests_on_snapshots_is_not_judged_by_the_logs() {
    let site = Site::new(Ground::Folder);
    let asked = ["--as-of", "2026-01-06", "--require-coverage", "1"];
    site.plain(&[&["burn-down"], &asked[..]].concat()).run().exits(0);
    let args = [&["--days", "365", "--format", "html", "--output", "out"], &asked[..]].concat();
    site.plain(&[&["edges"], &args[..]].concat()).run().exits(4);
    site.plain(&[&["burn-down"], &args[..]].concat()).run().exits(0);
    let page = site.read("out/burn-down/as_of=2026-01-06/burn-down.html");
    assert!(!page.contains("The logs hold"), "{page}");
}

#[test]
fn all_reports_run_and_the_worst_counts() {
    let site = Site::new(Ground::Folder);
    let all = ["--all", "--format", "html", "--output", "out", "--fail-on", "any"];
    let run = site.report(5, &all).run().exits(3);
    let count = count_reports(&site);
    run.complains_of(&[&format!("{count} reports"), "exit code 3"]);
    let pages = |files: &[String]| files.iter().filter(|file| file.ends_with(".html")).count();
    assert_eq!(pages(&tree(&site.path("out"))), count);

    let low = [&all[..], &["--require-coverage", "1"]].concat();
    site.report(7, &low).run().exits(4).complains_of(&["exit code 4"]);

    // One that fails while it runs stops no other; one that needs a parameter is left out.
    let text =
        super::REPORT.replace("'SEEN'", "CAST(arrow_cast('x' || user_agent, 'Int64') AS VARCHAR)");
    let text = text.replace(
        "GROUP BY caller_account_id, session_name",
        "GROUP BY caller_account_id, session_name, user_agent",
    );
    site.scratch.write("queries/broken.sql", text);
    site.scratch.write(
        "queries/asks.sql",
        "-- title: Asks\n-- params:\n--   what: text; it\nSELECT $what AS x\n",
    );
    let run = site.report(6, &all).run().exits(1);
    run.complains_of(&["broken", "failed:"]);
    run.complains_of(&[&format!("{} reports", count + 1), "1 failed", "exit code 1"]);
    let files = tree(&site.path("out"));
    let of_day: Vec<String> = files.into_iter().filter(|f| f.contains("2026-01-06")).collect();
    assert_eq!(pages(&of_day), count);

    let tables = site.report(5, &["--all"]).run().exits(1);
    let titles = ["edges: Edges", "names: Sessions by name"];
    assert!(titles.iter().all(|title| tables.stdout().contains(title)), "{tables}");
    site.plain(&["--all", "--format", "json"]).run().exits(2).complains_of(&["--output"]);
    site.plain(&["--all", "--param", "wings=2"]).run().exits(2).complains_of(&["wings"]);
    site.plain(&["--all", "--as-of", "soon", "--output", "never"])
        .run()
        .exits(2)
        .complains_of(&["soon"]);
    site.plain(&["asks"]).run().exits(2).complains_of(&["needs --what"]);
    assert!(!site.path("never").exists());
}

#[test]
fn files_go_to_s3_and_are_compared_there() {
    let site = Site::new(Ground::S3);
    let output = format!("{}/reports", site.scratch.bucket().unwrap().uri());
    let args = ["names", "--format", "ndjson", "--output", &output, "--since-last"];
    site.report(5, &args).run().exits(0).complains_of(&["no earlier file"]);
    site.report(6, &args).run().exits(0).complains_of(&["flipped 1", "gone 2"]);
}

#[test]
fn a_place_that_is_none_is_named() {
    let site = Site::new(Ground::Folder);
    site.scratch.write("file", "x");
    for place in ["gs://bucket/x", "", "file"] {
        let run = site.report(5, &["names", "--output", place]).run().exits(2);
        run.complains_of(&["--output"]);
    }
    let run = site.report(5, &["names", "--output", "file/below"]).run();
    run.exits(1).complains_of(&["file/below"]);
}
