//! Input that is broken, hostile or out of reach, among good neighbours: it is named, counted and told
//! apart by the exit code, and costs the neighbours nothing.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Cmd, Ground, Record, Run, Scratch, gzip, log_file, log_file_name, skipped};

/// Records in each of the two good files that lie before and behind the bad one.
const GOOD_RECORDS: u32 = 3;

/// What becomes of a bad file.
#[derive(Default)]
struct Expected {
    /// What the message says besides the file's name.
    told: &'static str,
    rejected_files: u64,
    rejected_records: u64,
    /// Its records that are in the lake all the same.
    kept: u64,
}

fn refused(told: &'static str) -> Expected {
    Expected { told, rejected_files: 1, ..Expected::default() }
}

fn good_file(numbers: std::ops::Range<u32>) -> Vec<u8> {
    gzip(log_file(numbers.map(Record::assume_role)))
}

/// A folder with a good file on either side of what `place_bad_one` puts between them.
fn among_neighbours(place_bad_one: impl FnOnce(&Path)) -> (Scratch, PathBuf) {
    let scratch = Scratch::new(Ground::Folder);
    scratch.write("source/1-good.json.gz", good_file(0..GOOD_RECORDS));
    scratch.write("source/3-good.json.gz", good_file(GOOD_RECORDS..2 * GOOD_RECORDS));
    let source = scratch.path("source");
    place_bad_one(&source);
    (scratch, source)
}

#[track_caller]
fn assert_told_and_counted(scratch: &Scratch, run: Run, name: &str, expected: &Expected) {
    let run = run.exits(5);
    run.complains_of(&[name, expected.told]);
    let said = run.json();
    assert_eq!(said["rejected_files"], expected.rejected_files, "{run}");
    assert_eq!(said["rejected_records"], expected.rejected_records, "{run}");

    let lake = scratch.lake("lake");
    let records = u64::from(2 * GOOD_RECORDS) + expected.kept;
    assert_eq!(lake.number("select count(*) from credential_events"), records, "{run}");
    assert_eq!(lake.number("select sum(event_count) from activity"), records, "{run}");
    lake.check().run().exits(0);
}

/// Ingests the bad file among good ones.
#[track_caller]
fn check(name: &str, bytes: impl AsRef<[u8]>, expected: &Expected) {
    let (scratch, source) = among_neighbours(|source| {
        std::fs::write(source.join(name), bytes).unwrap();
    });
    let run = scratch.lake("lake").ingest([&source]).run();
    assert_told_and_counted(&scratch, run, name, expected);
}

/// The text of a log file with one good record and `record` behind it.
fn with_record(record: &str) -> String {
    let good = log_file([Record::assume_role(100)]);
    format!("{},{record}]}}", good.strip_suffix("]}").unwrap())
}

#[test]
fn truncated_gzip() {
    let whole = good_file(100..200);
    check("2-bad.json.gz", &whole[..whole.len() / 2], &refused("truncated gzip"));
    check("2-bad.json.gz", &whole[..5], &refused("truncated gzip"));
}

#[test]
fn damaged_gzip() {
    let mut damaged = good_file(100..200);
    let middle = damaged.len() / 2;
    damaged[middle..middle + 8].copy_from_slice(b"\xff\xff\xff\xff\xff\xff\xff\xff");
    check("2-bad.json.gz", damaged, &refused("damaged gzip"));

    let text = log_file([Record::assume_role(100)]);
    let followed = [gzip(text), b"not gzip at all".to_vec()].concat();
    check("2-bad.json.gz", followed, &refused("damaged gzip"));
}

#[test]
fn gzip_bomb() {
    // 1 GiB of zeros in 1 MB, in a member whose trailer tells its size, and in one that lies about it.
    let mebibyte = vec![0; 1 << 20];
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..1024 {
        std::io::Write::write_all(&mut bomb, &mebibyte).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    check("2-bad.json.gz", &bomb, &refused("inflates to more than 268435456 bytes"));
    let mut liar = bomb;
    let size_at = liar.len() - 4;
    liar[size_at..].copy_from_slice(&1000_u32.to_le_bytes());
    check("2-bad.json.gz", &liar, &refused("inflates to more than 268435456 bytes"));
}

#[test]
fn not_json() {
    check("2-bad.json", "Not every file is JSON.", &refused("not JSON"));
    check("2-bad.json", r#"{"Records":[{"eventTime":"2026-01-05T07"#, &refused("not JSON"));
    check("2-bad.json.gz", gzip("\0\0\0\0"), &refused("not JSON"));
    check("2-bad.json", "", &refused("is empty"));
    check("2-bad.json.gz", gzip(" \n"), &refused("is empty"));
}

#[test]
fn records_missing_or_no_array() {
    check("2-bad.json", "{}", &refused("no `Records`"));
    check("2-bad.json", "[]", &refused("no `Records`"));
    check("2-bad.json", r#"{"records":[]}"#, &refused("no `Records`"));
    check("2-bad.json", r#"{"Records":{}}"#, &refused("not an array"));
    check("2-bad.json", r#"{"Records":null}"#, &refused("not an array"));
}

#[test]
fn records_empty() {
    // It is a log file, and is counted as one; CloudTrail delivers none like it, so it is told.
    let none = Expected { told: "no records", ..Expected::default() };
    check("2-bad.json", r#"{"Records":[]}"#, &none);
}

#[test]
fn records_that_are_none() {
    let records = r#"7,null,"text",[],{},{"eventTime":"2026-01-05T07:12:03Z"}"#;
    let expected = Expected {
        told: "rejected 6 records: record 1 is not a JSON object",
        rejected_records: 6,
        kept: 1,
        ..Expected::default()
    };
    check("2-bad.json", with_record(records), &expected);
}

#[test]
fn numbers_where_text_belongs() {
    for member in ["eventTime", "eventSource", "eventName"] {
        let bad = Record::assume_role(101).with(member, json!(7));
        let expected = Expected {
            told: "rejected 1 record: record 1 has no event",
            rejected_records: 1,
            kept: 1,
            ..Expected::default()
        };
        check("2-bad.json", log_file([Record::assume_role(100), bad]), &expected);
    }
}

#[test]
fn numbers_where_other_text_belongs_leave_the_rest() {
    // What a record can do without is null, and the record stays.
    let mut bad = Record::assume_role(100);
    for member in ["userAgent", "sourceIPAddress", "awsRegion", "eventID", "resources"] {
        bad = bad.with(member, json!(7));
    }
    for member in ["userIdentity", "requestParameters", "responseElements"] {
        bad = bad.with(member, json!([{"accessKeyId": {"roleArn": 7}}]));
    }
    let (scratch, source) = among_neighbours(|source| {
        std::fs::write(source.join("2-odd.json"), log_file([bad])).unwrap();
    });
    let lake = scratch.lake("lake");
    lake.ingest([&source]).run().exits(0);
    let query =
        "select event_id, role_arn, user_agent from credential_events where user_agent is null";
    let rows = lake.sql(query);
    assert_eq!(rows.len(), 1);
    assert!(rows[0]["role_arn"].is_null());
    let event_id = rows[0]["event_id"].as_str().unwrap();
    assert!(event_id.starts_with("2-odd.json") && event_id.ends_with("#0"), "{event_id}");
}

#[test]
fn deep_nesting() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let depth = 200_000;
        let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        check("2-bad.json", &nested, &refused("2-bad.json"));
        check("2-bad.json", format!(r#"{{"Records":{nested}}}"#), &refused("nested too deep"));
        let record = format!(r#"{{"eventName":{nested}}}"#);
        check("2-bad.json", with_record(&record), &refused("nested too deep"));
    }
}

#[test]
fn invalid_utf_8() {
    let mut bytes = log_file([Record::assume_role(100)]).into_bytes();
    let at = bytes.windows(8).position(|window| window == b"aws-cli/").unwrap();
    bytes[at] = 0xff;
    check("2-bad.json", &bytes, &refused("not UTF-8"));
    check("2-bad.json.gz", gzip(&bytes), &refused("not UTF-8"));
}

#[test]
fn enormous_strings() {
    // No service writes a record of more than 1 MB; one is rejected, and its file stays.
    let text = "x".repeat(100 << 20);
    let expected = Expected {
        told: "rejected 1 record: record 1",
        rejected_records: 1,
        kept: 1,
        ..Expected::default()
    };
    let bad = Record::assume_role(101).with("userAgent", json!(text));
    check("2-bad.json.gz", gzip(log_file([Record::assume_role(100), bad])), &expected);
    let bad = Record::assume_role(101).with("requestParameters", json!({"roleArn": text}));
    check("2-bad.json.gz", gzip(log_file([Record::assume_role(100), bad])), &expected);

    // As much text where no record is: nothing but its size could say what it is.
    check("2-bad.json", format!("\"{text}\""), &refused("no `Records`"));
}

/// Figures and times that overflow what is reckoned from them, each in a record of its own, and the furthest
/// that are still taken; with the number of those that must be rejected.
fn records_at_the_bounds() -> (Vec<Record>, u64) {
    let mut number = 100;
    let mut call = |name: &str| {
        number += 1;
        Record::assume_role(number).with("eventName", json!(name))
    };
    let mut records = Vec::new();
    let issued = |expiration: &str| json!({"credentials": {"accessKeyId": "ASIAODD", "expiration": expiration}});
    for seconds in [i64::MIN, -1, 0, 1, 129_600, 129_601, 9_223_372_036_854, i64::MAX] {
        for name in ["AssumeRole", "GetSessionToken"] {
            let request = json!({"durationSeconds": seconds, "roleSessionName": "odd",
                "roleArn": "arn:aws:iam::111122223333:role/app/deploy"});
            let answer = json!({"credentials": {"accessKeyId": format!("ASIA{seconds}")}});
            let call = call(name).with("requestParameters", request);
            records.push(call.with("responseElements", answer));
        }
    }
    let times = [
        "0000-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "2262-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ];
    let localized =
        ["Jan 1, 0, 1:00:00 AM", "Jan 1, 290000, 1:00:00 AM", "Jan 1, 999999999, 1:00:00 AM"];
    for time in times.iter().chain(&localized) {
        let mut identity = call("AssumeRole").0["userIdentity"].clone();
        identity["sessionContext"] = json!({"attributes": {"creationDate": time}});
        let call = call("AssumeRole").with("userIdentity", identity);
        records.push(call.with("responseElements", issued(time)));
    }
    for time in ["2006-01-01T00:00:00Z", "2261-12-31T23:59:59Z"] {
        records.push(
            call("AssumeRole")
                .with("eventTime", json!(time))
                .with("responseElements", issued(time)),
        );
    }
    let mut rejected = 0;
    for time in times {
        for name in ["AssumeRole", "CreateAccessKey", "GetCallerIdentity"] {
            records.push(call(name).with("eventTime", json!(time)));
            rejected += 1;
        }
    }
    (records, rejected)
}

/// One record made every view fail that it came to: `Arithmetic overflow`, `Timestamp out of range`.
#[test]
fn regression_no_record_can_break_a_view_or_a_report() {
    let (records, rejected) = records_at_the_bounds();
    let (scratch, source) = among_neighbours(|source| {
        std::fs::write(source.join("2-odd.json"), log_file(records)).unwrap();
    });
    let lake = scratch.lake("lake");
    let run = lake.ingest([&source]).run().exits(5);
    run.complains_of(&["2-odd.json", "has an eventTime before 2006 or after 2261"]);
    assert_eq!(run.json()["rejected_records"], rejected, "{run}");
    assert_eq!(run.json()["rejected_files"], 0, "{run}");

    let names = lake.command("schema").args(["--format", "json"]).run().exits(0).json();
    let names: Vec<&str> =
        names.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"sessions") && names.contains(&"credential_events"), "{names:?}");
    let queries: Vec<String> = names.iter().map(|name| format!("SELECT * FROM {name}")).collect();
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    lake.sql_all(&queries);
    for as_of in ["2026-01-06T00:00:00Z", "2199-12-31T00:00:00Z"] {
        let reports = ["--all", "--as-of", as_of, "--format", "json", "--output", "reports"];
        lake.command("report").args(reports).run().exits(0);
    }
}

#[test]
fn a_file_above_the_cap() {
    let (scratch, source) = among_neighbours(|source| {
        std::fs::write(source.join("2-bad.json.gz"), good_file(0..200)).unwrap();
    });
    let run = scratch.lake("lake").ingest([&source]).args(["--max-inflated", "64KiB"]).run();
    let told = refused("inflates to more than 65536 bytes");
    assert_told_and_counted(&scratch, run, "2-bad.json.gz", &told);
}

#[test]
fn a_refused_file_is_tried_again_and_taken_once_it_is_whole() {
    let whole = good_file(100..110);
    let name = log_file_name(1);
    let (scratch, source) = among_neighbours(|source| {
        std::fs::write(source.join(&name), &whole[..whole.len() / 2]).unwrap();
    });
    let lake = scratch.lake("lake");
    lake.ingest([&source]).run().exits(5).complains_of(&[&name, "truncated gzip"]);
    lake.ingest([&source]).run().exits(5).complains_of(&[&name, "truncated gzip"]);
    std::fs::write(source.join(&name), &whole).unwrap();
    lake.ingest([&source]).run().exits(0);
    let expected = 10 + u64::from(2 * GOOD_RECORDS);
    assert_eq!(lake.number("select count(*) from credential_events"), expected);
    assert_eq!(lake.number("select count(*) from log_files where status = 'complete'"), 3);
    lake.check().run().exits(0);
}

#[test]
fn links_that_lead_nowhere_or_in_circles() {
    let (scratch, source) = among_neighbours(|source| {
        std::fs::create_dir(source.join("2-folder")).unwrap();
        symlink(source, source.join("2-folder/2-circle")).unwrap();
    });
    let run = scratch.lake("lake").ingest([&source]).run();
    assert_told_and_counted(&scratch, run, "2-circle", &refused("link"));

    let (scratch, source) = among_neighbours(|source| {
        symlink(source.join("gone.json"), source.join("2-nowhere.json")).unwrap();
    });
    let run = scratch.lake("lake").ingest([&source]).run();
    assert_told_and_counted(&scratch, run, "2-nowhere.json", &refused("o such file"));
}

#[test]
fn a_pipe_among_files() {
    // Nobody ever writes into it, so reading it would take for ever.
    let (scratch, source) = among_neighbours(|source| {
        Cmd::new("mkfifo").arg(source.join("2-pipe.json")).run().exits(0);
    });
    let run = scratch.lake("lake").ingest([&source]).run();
    assert_told_and_counted(&scratch, run, "2-pipe.json", &refused("no regular file"));
}

#[test]
fn a_name_that_is_not_utf_8() {
    let (scratch, source) = among_neighbours(|source| {
        let name = OsStr::from_bytes(b"2-bad-\xff\xfe.json.gz");
        std::fs::write(source.join(name), good_file(100..101)).unwrap();
    });
    let run = scratch.lake("lake").ingest([&source]).run();
    assert_told_and_counted(&scratch, run, "2-bad-", &refused("not UTF-8"));
}

/// Some account without privileges; which one does not matter.
const NOBODY: u32 = 65_534;

#[test]
fn a_folder_and_a_file_without_permission() {
    let forbid = |path: PathBuf| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).unwrap();
    };
    let allow = |path: &Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    };
    for name in ["2-folder", "2-file.json"] {
        let (scratch, source) = among_neighbours(|source| match name {
            "2-folder" => {
                std::fs::create_dir(source.join(name)).unwrap();
                std::fs::write(source.join(name).join("hidden.json"), "{}").unwrap();
                forbid(source.join(name));
            }
            _ => {
                std::fs::write(source.join(name), "{}").unwrap();
                forbid(source.join(name));
            }
        });
        let ingest = || scratch.lake("lake").ingest([&source]);
        // Whoever owns everything is let in everywhere, so then someone else has to try.
        let started = if std::fs::read(source.join("2-file.json")).is_ok()
            || std::fs::read_dir(source.join("2-folder")).is_ok()
        {
            allow(scratch.folder());
            ingest().user(NOBODY).try_start()
        } else {
            ingest().try_start()
        };
        match started {
            Ok(running) => {
                let run = running.wait();
                let told = refused("ermission denied");
                let scratch = readable_again(scratch, &source.join(name));
                assert_told_and_counted(&scratch, run, name, &told);
            }
            Err(error) => {
                skipped("a folder without permission", format_args!("as another user: {error}"));
            }
        }
    }
}

/// So that the folder can be removed.
fn readable_again(scratch: Scratch, path: &Path) -> Scratch {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    scratch
}

#[test]
fn a_source_that_is_not_there() {
    let scratch = Scratch::new(Ground::Folder);
    let run = scratch.lake("lake").ingest(["nowhere"]).run().exits(1);
    run.complains_of(&["nowhere", "no such file or folder"]);
    scratch
        .lake("lake")
        .ingest(["ftp://host/file"])
        .run()
        .exits(2)
        .complains_of(&["ftp://host/file"]);
    scratch.lake("lake").ingest(["s3://"]).run().exits(2).complains_of(&["s3://"]);
}

/// A disk that is full at different moments: a limit on the size of files stands in for it.
#[test]
fn a_full_disk() {
    let scratch = Scratch::new(Ground::Folder);
    for number in 0..6 {
        let records = (500 * number)..(500 * (number + 1));
        scratch.write(format!("source/{}", log_file_name(number)), good_file(records));
    }
    let source = scratch.path("source");
    // In blocks of 512 bytes: too little for the tables to be made, for all of them, for Parquet files.
    for blocks in [1, 12, 30, 60] {
        let lake = scratch.lake(&format!("lake-{blocks}"));
        let limit = format!("trap '' XFSZ; ulimit -f {blocks}");
        let run = lake.ingest([&source]).after_shell(&limit).run().exits(1);
        run.complains_of(&["no space left"]);

        let opened = lake.command("sql").arg("select count(*) from log_files").run();
        if !opened.succeeded() {
            assert!(blocks <= 12, "there was room to make the lake: {opened}");
            opened.exits(1).complains_of(&["no lake"]);
        }
        lake.ingest([&source]).run().exits(0);
        let counts = "select count(*) as rows, count(distinct event_id) as events
                      from credential_events";
        let counts = &lake.sql(counts)[0];
        assert_eq!((&counts["rows"], &counts["events"]), (&json!(3_000), &json!(3_000)));
        lake.check().run().exits(0);
    }
}
