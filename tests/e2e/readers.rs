//! The tables as other programs see them: the `deltalake` Python package, and DuckDB over the files that
//! it lists.

use serde_json::Value;

use crate::support::{Cmd, Delivered, Ground, Lake, Scratch, python};
const TABLES: [&str; 4] = ["credential_events", "iam_changes", "activity", "log_files"];

/// For each table: its rows as counted by the package from the log, by the package from the files, and by
/// DuckDB; the package's schema; and a sum over a column of numbers by both.
const SCRIPT: &str = r#"
import json, sys
import duckdb
from deltalake import DeltaTable, QueryBuilder

lake, options = sys.argv[1], json.loads(sys.argv[2])
sums = {"credential_events": "record_index", "iam_changes": "record_index",
        "activity": "event_count", "log_files": "records"}
answer = {}
for name, column in sums.items():
    table = DeltaTable(f"{lake}/{name}", storage_options=options)
    query = QueryBuilder().register("t", table)
    rows = query.execute(f"select count(*) as n, sum({column}) as s from t").read_all()
    by_package = [rows["n"][0].as_py(), rows["s"][0].as_py()]
    by_log = sum(table.get_add_actions(flatten=True)["num_records"].to_pylist())
    by_duckdb = None
    if not options:
        by_duckdb = list(duckdb.execute(
            f"select count(*), sum({column})::bigint from read_parquet(?, hive_partitioning = true)",
            [table.file_uris()]).fetchone())
    columns = {field.name: (str(field.type), field.nullable, field.metadata.get("comment"))
               for field in table.schema().fields}
    protocol = table.protocol()
    answer[name] = {"log": by_log, "package": by_package, "duckdb": by_duckdb, "columns": columns,
                    "protocol": [protocol.min_reader_version, protocol.min_writer_version],
                    "features": protocol.reader_features}
json.dump(answer, sys.stdout)
"#;

fn read_by_others(lake: &Lake<'_>, scratch: &Scratch) -> Value {
    let environment: serde_json::Map<String, Value> = scratch
        .bucket()
        .iter()
        .flat_map(|bucket| bucket.environment())
        .map(|(name, value)| (name.to_owned(), value.into()))
        .chain(scratch.bucket().map(|_| ("AWS_ALLOW_HTTP".to_owned(), "true".into())))
        .collect();
    Cmd::new(python("readers").join("python"))
        .args(["-c", SCRIPT, &lake.uri, &Value::Object(environment).to_string()])
        .env("HOME", scratch.folder())
        .run()
        .exits(0)
        .json()
}

#[track_caller]
fn assert_others_agree(lake: &Lake<'_>, scratch: &Scratch) {
    let others = read_by_others(lake, scratch);
    for table in TABLES {
        let column = match table {
            "activity" => "event_count",
            "log_files" => "records",
            _ => "record_index",
        };
        let ours = &lake.sql(&format!("select count(*) as n, sum({column}) as s from {table}"))[0];
        let ours = Value::Array(vec![ours["n"].clone(), ours["s"].clone()]);
        let theirs = &others[table];
        assert!(ours[0].as_u64().unwrap() > 0, "{table} is empty");
        assert_eq!(theirs["package"], ours, "{table} as the package reads it");
        assert_eq!(theirs["log"], ours[0], "{table} as its log says");
        if scratch.bucket().is_none() {
            assert_eq!(theirs["duckdb"], ours, "{table} as DuckDB reads it");
        }
        // Nothing that an old reader would have to know.
        assert_eq!(theirs["features"], Value::Null, "{table}");
        assert!(theirs["protocol"][0].as_u64().unwrap() <= 1, "{table}: {}", theirs["protocol"]);
        for (name, column) in theirs["columns"].as_object().unwrap() {
            let comment = column[2].as_str().unwrap_or_default();
            assert!(!comment.is_empty(), "{table}.{name} has no comment");
        }
    }
}

#[test]
fn other_programs_count_the_same_before_and_after_maintenance() {
    let delivered = Delivered::in_few_files(11);
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    let source = scratch.deliver("source", delivered.objects());
    assert!(lake.ingest([&source]).run().is_done());
    assert_others_agree(&lake, &scratch);
    lake.maintain().run().exits(0);
    assert_others_agree(&lake, &scratch);
}

#[test]
fn other_programs_read_a_lake_in_a_bucket() {
    let delivered = Delivered::in_few_files(12);
    let scratch = Scratch::new(Ground::S3);
    let lake = scratch.lake("lake");
    let source = scratch.deliver("source", delivered.objects());
    assert!(lake.ingest([&source]).run().is_done());
    assert_others_agree(&lake, &scratch);
    lake.maintain().run().exits(0);
    assert_others_agree(&lake, &scratch);
}
