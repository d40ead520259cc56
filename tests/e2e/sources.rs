//! What `ingest` takes and what it leaves out, on a folder and on S3.

use rolecall_testkit::truth::LogFileTruth;
use rolecall_testkit::{Kind, SESSION_TOKEN_MARK};
use serde_json::{Value, json};

use crate::support::{
    Chance, Delivered, Ground, Record, Run, Scratch, assert_lake_equals_truth,
    assert_same_contents, contents, gzip, log_file, log_file_name,
};

/// The names that scripts read, in their order.
const SUMMARY: [&str; 11] = [
    "log_files",
    "already_ingested",
    "not_log_files",
    "records",
    "credential_events",
    "iam_changes",
    "rejected_records",
    "rejected_files",
    "bytes_read",
    "bytes_inflated",
    "lake_bytes_written",
];

#[track_caller]
fn number(run: &Run, name: &str) -> u64 {
    run.json()[name].as_u64().unwrap_or_else(|| panic!("no {name}: {run}"))
}

#[track_caller]
fn done(run: Run) -> Run {
    assert!(run.is_done(), "{run}");
    run
}

fn sums_equal_the_truth(ground: Ground) {
    let delivered = Delivered::in_few_files(21);
    let scratch = Scratch::new(ground);
    let source = scratch.deliver("source", delivered.objects());
    let lake = scratch.lake("lake");
    let totals = &delivered.truth.totals;
    let run = lake.ingest([&source]).run().exits(if totals.rejected > 0 { 5 } else { 0 });
    for name in SUMMARY {
        number(&run, name);
    }
    assert!(run.json()["elapsed_seconds"].as_f64() > Some(0.0), "{run}");

    // What stands for a folder in a bucket is one in a folder.
    let others = delivered.objects.iter().filter(|object| match object.kind {
        Kind::Log => false,
        Kind::Folder => ground == Ground::S3,
        Kind::Digest | Kind::Insight | Kind::Other => true,
    });
    let logs = delivered.objects.iter().filter(|object| object.kind == Kind::Log);
    let bytes: usize = logs.map(|object| object.bytes.len()).sum();
    assert_eq!(number(&run, "not_log_files"), others.count() as u64, "{run}");
    assert_eq!(number(&run, "log_files"), totals.files, "{run}");
    assert_eq!(number(&run, "records"), totals.records, "{run}");
    assert_eq!(number(&run, "credential_events"), totals.credential_events, "{run}");
    assert_eq!(number(&run, "iam_changes"), totals.iam_changes, "{run}");
    assert_eq!(number(&run, "rejected_records"), totals.rejected, "{run}");
    assert_eq!(number(&run, "bytes_read"), bytes as u64, "{run}");
    assert!(number(&run, "bytes_inflated") > number(&run, "bytes_read"), "{run}");
    assert!(number(&run, "lake_bytes_written") > 0, "{run}");
    assert_lake_equals_truth(&lake, &delivered.truth);

    let again = lake.ingest([&source, &source]).run().exits(0);
    assert_eq!(number(&again, "log_files"), 0, "{again}");
    assert_eq!(number(&again, "already_ingested"), 2 * totals.files, "{again}");
    assert_lake_equals_truth(&lake, &delivered.truth);
}

#[test]
fn sums_equal_the_truth_on_a_folder() {
    sums_equal_the_truth(Ground::Folder);
}

#[test]
fn sums_equal_the_truth_on_s3() {
    sums_equal_the_truth(Ground::S3);
}

/// Arguments of a filter, and the log files that it wants.
type Filter<'a> = (Vec<&'a str>, Box<dyn Fn(&LogFileTruth) -> bool + 'a>);

fn filters(ground: Ground) {
    let delivered = Delivered::in_few_files(22);
    let scratch = Scratch::new(ground);
    let source = scratch.deliver("source", delivered.objects());
    let files = &delivered.truth.files;
    let (account, other) = {
        let mut accounts: Vec<&str> = files.iter().map(|file| file.account_id.as_str()).collect();
        accounts.sort_unstable();
        accounts.dedup();
        (accounts[0], accounts[1])
    };
    let region = files[0].aws_region.as_str();
    let day = |file: &LogFileTruth| {
        let date = file.log_file.split('_').nth(3).unwrap();
        format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..8])
    };
    let mut days: Vec<String> = files.iter().map(day).collect();
    days.sort();
    let second = days.iter().find(|other| **other > days[0]).unwrap().as_str();

    let cases: [Filter<'_>; 5] = [
        (vec!["--account", account], Box::new(|file| file.account_id == account)),
        (
            vec!["--account", account, "--account", other],
            Box::new(|file| [account, other].contains(&file.account_id.as_str())),
        ),
        (vec!["--region", region], Box::new(|file| file.aws_region == region)),
        (vec!["--since", second, "--until", second], Box::new(|file| day(file) == second)),
        (
            vec!["--account", account, "--region", region, "--until", &days[0]],
            Box::new(|file| {
                file.account_id == account && file.aws_region == region && day(file) == days[0]
            }),
        ),
    ];
    for (index, (args, wanted)) in cases.iter().enumerate() {
        let lake = scratch.lake(&format!("lake-{index}"));
        let run = done(lake.ingest([&source]).args(args).run());
        let expected: Vec<&LogFileTruth> = files.iter().filter(|file| wanted(file)).collect();
        assert!(!expected.is_empty() && expected.len() < files.len(), "{args:?}");
        assert_eq!(number(&run, "log_files"), expected.len() as u64, "{run}");
        assert_eq!(number(&run, "not_selected"), (files.len() - expected.len()) as u64, "{run}");
        let records: u64 = expected.iter().map(|file| file.records).sum();
        assert_eq!(lake.number("select sum(records) from log_files"), records, "{run}");
    }
}

#[test]
fn filters_on_a_folder() {
    filters(Ground::Folder);
}

#[test]
fn filters_on_s3() {
    filters(Ground::S3);
}

#[test]
fn a_filter_that_a_path_says_nothing_about() {
    let scratch = Scratch::new(Ground::Folder);
    scratch.write("source/events.json", log_file([Record::assume_role(1)]));
    scratch.write(format!("source/{}", log_file_name(1)), gzip(log_file([Record::assume_role(2)])));
    for filter in [["--account", "111122223333"], ["--since", "2026-01-01"]] {
        let lake = scratch.lake(filter[0]);
        let run = done(lake.ingest([scratch.path("source")]).args(filter).run());
        run.complains_of(&["events.json", filter[0]]);
        assert_eq!(number(&run, "log_files"), 1, "{run}");
        assert_eq!(number(&run, "not_selected"), 1, "{run}");
    }
}

#[test]
fn the_order_of_files_changes_nothing() {
    let delivered = Delivered::in_few_files(23);
    let scratch = Scratch::new(Ground::Folder);
    let source = scratch.deliver("source", delivered.objects());
    let in_order = scratch.lake("in-order");
    done(in_order.ingest([&source]).run());

    let mut objects: Vec<_> = delivered.objects().collect();
    Chance::new().shuffle(&mut objects);
    let shuffled = scratch.lake("shuffled");
    for (index, part) in objects.chunks(objects.len().div_ceil(3)).enumerate() {
        let source = scratch.deliver(&format!("part-{index}"), part.iter().cloned());
        done(shuffled.ingest([source]).run());
    }
    assert_lake_equals_truth(&shuffled, &delivered.truth);
    assert_same_contents(&shuffled, &in_order);
}

#[test]
fn what_people_have_at_hand_reads_like_a_log_file() {
    let records: Vec<Record> = (0..5).map(Record::assume_role).collect();
    let looked_up: Vec<Value> = records
        .iter()
        .map(|Record(record)| {
            json!({
                "EventId": record["eventID"],
                "EventName": record["eventName"],
                "ReadOnly": "true",
                "AccessKeyId": record["userIdentity"]["accessKeyId"],
                "EventTime": 1_767_596_400.0,
                "EventSource": record["eventSource"],
                "Username": "ana",
                "Resources": [],
                "CloudTrailEvent": record.to_string(),
            })
        })
        .collect();
    let looked_up = json!({"Events": looked_up, "NextToken": "more"});
    let scratch = Scratch::new(Ground::Folder);
    scratch.write("source/log.json", log_file(records.clone()));
    scratch.write("source/looked-up.json", serde_json::to_string_pretty(&looked_up).unwrap());
    let history = json!({"Records": records.iter().map(|record| &record.0).collect::<Vec<_>>()});
    scratch.write("source/event_history.json", serde_json::to_string_pretty(&history).unwrap());

    let mut answers = Vec::new();
    for name in ["log.json", "looked-up.json", "event_history.json"] {
        let lake = scratch.lake(name);
        let run = lake.ingest([scratch.path("source").join(name)]).run().exits(0);
        assert_eq!(number(&run, "credential_events"), 5, "{run}");
        let mut rows = lake.sql("select * from credential_events order by event_id");
        rows.iter_mut().for_each(|row| drop(row.remove("log_file")));
        answers.push(rows);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

#[test]
fn a_file_named_by_itself_is_read_whatever_it_is_called() {
    let scratch = Scratch::new(Ground::Folder);
    let path = scratch.write("anything.txt", gzip(log_file([Record::assume_role(1)])));
    let run = scratch.lake("lake").ingest([&path]).run().exits(0);
    assert_eq!(number(&run, "log_files"), 1, "{run}");
    let folder = scratch.lake("lake").ingest([scratch.folder()]).run().exits(5);
    folder.complains_of(&["no log file was taken", "ending in .txt"]);
    assert_eq!(number(&folder, "log_files"), 0, "{folder}");
    assert!(number(&folder, "not_log_files") >= 1, "{folder}");
}

/// People copy their logs to folders by year and month, leave `AWSLogs` out, or unpack them.
#[test]
fn regression_cloudtrails_own_name_is_enough() {
    for ground in [Ground::Folder, Ground::S3] {
        let scratch = Scratch::new(ground);
        let packed = |number: u32| gzip(log_file([Record::assume_role(number)]));
        let hive = "cloudtrail/account=111122223333/region=us-east-1/year=2026/month=01/day=05";
        let day = "111122223333/CloudTrail/us-east-1/2026/01/05";
        let unpacked = log_file_name(3).trim_end_matches(".gz").to_owned();
        let source = scratch.deliver(
            "source",
            [
                (format!("{hive}/{}", log_file_name(1)), packed(1)),
                (format!("{day}/{}", log_file_name(2)), packed(2)),
                (
                    format!("AWSLogs/{day}/{unpacked}"),
                    log_file([Record::assume_role(3)]).into_bytes(),
                ),
                (format!("AWSLogs/{day}/{}", log_file_name(4)), packed(4)),
                (
                    format!("CloudTrail-Insights-trail/AWSLogs/{day}/{}", log_file_name(5)),
                    packed(5),
                ),
            ],
        );
        let lake = scratch.lake("lake");
        let run = lake.ingest([&source]).run().exits(0);
        assert_eq!(number(&run, "log_files"), 5, "{run}");
        let held = "SELECT files FROM coverage WHERE held AND account_id = '111122223333' AND aws_region = 'us-east-1'";
        assert_eq!(lake.number(held), 5);
    }
}

/// Other services deliver beside CloudTrail.
#[test]
fn regression_what_other_services_deliver_is_passed_over() {
    for ground in [Ground::Folder, Ground::S3] {
        let scratch = Scratch::new(ground);
        let account = "AWSLogs/111122223333";
        let other = || gzip("{\"configurationItems\": []}");
        let source = scratch.deliver(
            "source",
            [
                (
                    format!("{account}/CloudTrail/us-east-1/2026/01/05/{}", log_file_name(1)),
                    gzip(log_file([Record::assume_role(1)])),
                ),
                (format!("{account}/Config/us-east-1/2026/1/5/ConfigHistory/x.json.gz"), other()),
                (format!("{account}/Config/ConfigWritabilityCheckFile"), other()),
                (
                    format!(
                        "{account}/BedrockModelInvocationLogs/us-east-1/2026/01/05/14/x.json.gz"
                    ),
                    other(),
                ),
                (format!("{account}/vpcflowlogs/us-east-1/2026/01/05/x.log.gz"), other()),
            ],
        );
        let lake = scratch.lake("lake");
        let run = lake.ingest([&source]).run().exits(0);
        assert_eq!((number(&run, "log_files"), number(&run, "not_log_files")), (1, 4), "{run}");
        run.complains_of(&[
            "passed over: 2 files of Config",
            "1 file of BedrockModelInvocationLogs",
        ]);
        assert_eq!(lake.number("SELECT count(*) FROM coverage WHERE held"), 1);
    }
}

/// Whoever mistypes a folder must not learn of it weeks later.
#[test]
fn regression_where_nothing_is_taken_it_says_why_and_fails() {
    let scratch = Scratch::new(Ground::Folder);
    scratch.write("other/2026-11-20.json.zst", "x");
    scratch.write("other/event_history.csv", "x");
    scratch.write("other/export.JSON", log_file([Record::assume_role(1)]));
    std::fs::create_dir(scratch.path("empty")).unwrap();
    scratch.write(format!("logs/{}", log_file_name(1)), gzip(log_file([Record::assume_role(1)])));
    let ingest = |args: &[&str]| scratch.lake("lake").ingest(args).run();
    ingest(&["empty"]).exits(5).complains_of(&["no log file was taken", "nothing there"]);
    ingest(&["other"]).exits(5).complains_of(&[".json.zst", ".csv", ".JSON"]);
    let filtered = ingest(&["logs", "--account", "999999999999"]).exits(5);
    filtered.complains_of(&["1 file left out by the filters"]);
    ingest(&["logs"]).exits(0);
    ingest(&["logs"]).exits(0);
}

#[test]
fn a_pipe_that_somebody_names_is_read() {
    let scratch = Scratch::new(Ground::Folder);
    let ingest = scratch.lake("lake").ingest(["/dev/stdin"]);
    let run = ingest.stdin(log_file([Record::assume_role(1)])).run().exits(0);
    assert_eq!(number(&run, "log_files"), 1, "{run}");
}

#[test]
fn the_same_name_with_other_content_is_told_and_not_taken() {
    for ground in [Ground::Folder, Ground::S3] {
        let scratch = Scratch::new(ground);
        let lake = scratch.lake("lake");
        let key = |trail: &str| {
            let name = log_file_name(1);
            format!("{trail}/AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/05/{name}")
        };
        let content = |number| gzip(log_file([Record::assume_role(number)]));
        let first = scratch.deliver("source", [(key("a"), content(1))]);
        lake.ingest([&first]).run().exits(0);
        // The same bytes under another prefix are the same log file.
        scratch.deliver("copy", [(key("b"), content(1))]);
        let copy = first.replace("source", "copy");
        let run = lake.ingest([&copy]).run().exits(0);
        assert_eq!(number(&run, "already_ingested"), 1, "{run}");
        if ground == Ground::Folder {
            let other = scratch.deliver("other", [(key("c"), content(2))]);
            let run = lake.ingest([&other]).run().exits(5);
            run.complains_of(&[&log_file_name(1), "other content"]);
            assert_eq!(number(&run, "replaced_files"), 1, "{run}");
        }
        let ids = lake.sql("select event_id from credential_events");
        assert_eq!(ids.len(), 1, "{ids:?}");
        assert_eq!(ids[0]["event_id"], "00000000-0000-4000-8000-000000000001");
        lake.check().run().exits(0);
    }
}

#[test]
fn a_bucket_that_is_not_there() {
    let scratch = Scratch::new(Ground::S3);
    let run = scratch.lake("lake").ingest(["s3://no-such-bucket/prefix/"]).run().exits(1);
    run.complains_of(&["s3://no-such-bucket/prefix/", "NoSuchBucket"]);
}

#[test]
fn session_tokens_reach_neither_tables_nor_messages() {
    let delivered = Delivered::in_few_files(24);
    let marked = delivered.objects.iter().filter(|object| object.kind == Kind::Log).any(|object| {
        let mut text = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(object.bytes.as_slice());
        std::io::Read::read_to_end(&mut decoder, &mut text).unwrap();
        String::from_utf8(text).unwrap().contains(SESSION_TOKEN_MARK)
    });
    assert!(marked, "the logs hold no session token to look for");
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    let source = scratch.deliver("source", delivered.objects());
    let run = done(lake.ingest([&source]).env("ROLECALL_LOG", "trace").run());
    assert!(!run.to_string().contains(SESSION_TOKEN_MARK));
    assert!(!run.stderr().contains(SESSION_TOKEN_MARK));
    assert!(!contents(&lake).iter().any(|line| line.contains(SESSION_TOKEN_MARK)));
}
