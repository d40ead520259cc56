//! `rolecall doctor`: what is wrong is found, and what it says to do mends it.

use std::collections::BTreeMap;

use rolecall_testkit::Spec;
use serde_json::{Value, json};

use crate::support::{
    Bucket, Cmd, Delivered, Ground, NotificationPath, Scratch, TestQueue, bucket, call, endpoint,
};

const TARGET: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101";

/// Asks CloudTrail by hand: the binary's own code must not be what it is tested with.
fn cloudtrail(action: &str, body: &Value) {
    let address = endpoint().trim_start_matches("http://");
    let target = format!("{TARGET}.{action}");
    let credential = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/cloudtrail/aws4_request, \
                      SignedHeaders=host, Signature=0";
    let headers = [
        ("Content-Type", "application/x-amz-json-1.1"),
        ("X-Amz-Target", target.as_str()),
        ("Authorization", credential),
    ];
    let answer = call(address, "POST", "/", &headers, body.to_string().as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{action}: {}", answer.text());
}

fn doctor(bucket: &Bucket, lake: &str, queue: Option<&TestQueue>) -> Cmd {
    let cmd = Cmd::rolecall().args(["doctor", "--lake", lake, &format!("{}/", bucket.uri())]);
    let cmd = bucket.environment().into_iter().fold(cmd, |cmd, (name, value)| cmd.env(name, value));
    match queue {
        Some(queue) => cmd.args(["--queue-url", &queue.url()]),
        None => cmd,
    }
}

/// Outcome by check.
fn outcomes(said: &Value) -> BTreeMap<String, String> {
    let checks = said["checks"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    checks.iter().map(|check| (text(&check["check"]), text(&check["outcome"]))).collect()
}

fn failed(said: &Value) -> Vec<String> {
    let all = outcomes(said).into_iter();
    all.filter(|(_, outcome)| outcome == "failed").map(|(check, _)| check).collect()
}

#[test]
fn what_is_wrong_is_found_and_can_be_mended() {
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.path("lake").to_str().unwrap().to_owned();
    let bucket = bucket();
    let trail = format!("trail-of-{}", bucket.name());
    cloudtrail(
        "CreateTrail",
        &json!({"Name": trail, "S3BucketName": bucket.name(), "IsMultiRegionTrail": false}),
    );
    let write_only = json!([{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": true}]);
    cloudtrail("PutEventSelectors", &json!({"TrailName": trail, "EventSelectors": write_only}));
    let queue = TestQueue::new(1);

    let run = doctor(&bucket, &lake, Some(&queue)).args(["--format", "json"]).run().exits(1);
    let said = run.json();
    assert_eq!(
        failed(&said),
        [
            "it covers all regions",
            "it has a dead-letter queue",
            "it records read events",
            "it writes digest files, so that log files can be verified",
            "its policy lets S3, SNS or EventBridge send",
            "log files can be listed",
            "new log files are announced to the queue",
            "the trail is switched on",
        ],
        "{run}"
    );
    for check in said["checks"].as_array().unwrap() {
        let helps = check["remedy"].is_string();
        assert!(check["outcome"] != "failed" || helps, "it does not say what to do: {check}");
    }
    let missing: Vec<&str> = said["trails"][0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["missing"].as_str().unwrap())
        .collect();
    assert_eq!(missing, ["read_events", "other_regions", "data_events"], "{run}");

    // As it says.
    let all = json!([{"ReadWriteType": "All", "IncludeManagementEvents": true}]);
    cloudtrail("PutEventSelectors", &json!({"TrailName": trail, "EventSelectors": all}));
    cloudtrail(
        "UpdateTrail",
        &json!({"Name": trail, "IsMultiRegionTrail": true, "EnableLogFileValidation": true}),
    );
    cloudtrail("StartLogging", &json!({"Name": trail}));
    let policy = json!({"deadLetterTargetArn": queue.dead_letter_arn(), "maxReceiveCount": 10});
    queue.set("RedrivePolicy", &policy.to_string());
    let allow = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue.arn(),
    }]});
    queue.set("Policy", &allow.to_string());
    let delivered = Delivered::new(&Spec { days: 1, size: 0.0, ..Spec::small(1) });
    bucket.put(delivered.objects());
    queue.listen_to(&bucket, NotificationPath::Direct);

    let with_bucket = |command: &str| {
        let cmd = Cmd::rolecall().args([command, "--lake", &lake]);
        bucket.environment().into_iter().fold(cmd, |cmd, (name, value)| cmd.env(name, value))
    };
    assert!(with_bucket("ingest").arg(bucket.uri()).run().is_done());
    let run = doctor(&bucket, &lake, Some(&queue)).args(["--format", "json"]).run().exits(0);
    let said = run.json();
    assert_eq!(failed(&said), Vec::<String>::new(), "{run}");
    let passed = outcomes(&said).values().filter(|outcome| *outcome == "passed").count();
    assert!(passed >= 14, "only {passed} passed: {run}");

    // What the trail does not see is kept, and reports say so from then on.
    let report = with_bucket("report").args(["edges", "--format", "markdown"]).run().exits(0);
    let text = String::from_utf8(report.stdout.clone()).unwrap();
    assert!(
        text.contains(&format!("trail/{trail} does not record data events (as of ")),
        "{report}"
    );

    // People read the same.
    let read = doctor(&bucket, &lake, Some(&queue)).run().exits(0);
    let text = String::from_utf8(read.stdout.clone()).unwrap();
    assert!(text.contains("passed       trail: it records read events"), "{read}");
    assert!(text.contains(" 0 failed, "), "{read}");
}

#[test]
fn what_is_not_there_is_said() {
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.path("lake").to_str().unwrap().to_owned();
    let queue = TestQueue::new(10);
    queue.delete();
    let bucket = bucket();
    let run = doctor(&bucket, &lake, Some(&queue)).args(["--format", "json"]).run().exits(1);
    let said = run.json();
    let found = failed(&said);
    assert!(found.contains(&"the queue answers".to_owned()), "{run}");
    assert!(found.contains(&"log files can be listed".to_owned()), "{run}");
    let trail = outcomes(&said)["a trail delivers to the bucket"].clone();
    assert_eq!(trail, "not_checked", "another account may have it: {run}");

    let file = scratch.write("file", "no folder");
    let lake = file.join("lake").to_str().unwrap().to_owned();
    let run = doctor(&bucket, &lake, None).args(["--format", "json"]).run().exits(1);
    assert!(failed(&run.json()).contains(&"the lake can be written and read".to_owned()), "{run}");
}

#[test]
fn a_folder_is_no_bucket() {
    let run = Cmd::rolecall().args(["doctor", "./AWSLogs"]).run().exits(2);
    run.complains_of(&["./AWSLogs", "s3://"]);
}
