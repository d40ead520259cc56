//! Every shape of notification, mixed on one queue: good ones end in the lake, others are acknowledged, and
//! what nobody can read reaches the dead letters.

use std::collections::BTreeSet;
use std::time::Duration;

use rolecall_testkit::{GeneratedFile, Kind};
use serde_json::{Value, json};

use super::stage::{Stage, until};
use crate::support::{
    Bucket, Delivered, Ground, NotificationPath, assert_lake_equals_truth, bucket,
};

/// Plus, space, percent sign and letters beyond ASCII: each is written in another way by each shape.
const PREFIX: &str = "audit logs+more/100%25 für alle/";

/// How S3 writes a key into its notifications.
fn form_encoded(key: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
            char::from(byte).to_string()
        }
        b' ' => "+".to_owned(),
        other => format!("%{other:02X}"),
    };
    key.bytes().map(encode).collect()
}

fn record_of_s3(event: &str, bucket: &str, key: &str) -> Value {
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-01-05T07:20:00.000Z",
        "eventName": event,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket, "arn": format!("arn:aws:s3:::{bucket}")},
            "object": {"key": form_encoded(key), "sequencer": "0055AED6DCD90281E5"}
        }
    })
}

fn enveloped(message: &str) -> String {
    json!({
        "Type": "Notification",
        "MessageId": "5a1d1e4c-0000-4000-8000-000000000000",
        "TopicArn": "arn:aws:sns:us-east-1:111122223333:trail",
        "Message": message,
        "Timestamp": "2026-01-05T07:20:00.000Z",
        "SignatureVersion": "1",
        "Signature": "none",
    })
    .to_string()
}

/// What the emulator does not send: several objects in one message, and CloudTrail's own notice.
fn written_by_hand(bucket: &str, keys: &[String]) -> Vec<String> {
    let mut bodies = Vec::new();
    for (number, some) in keys.chunks(3).enumerate() {
        let notice = json!({"s3Bucket": bucket, "s3ObjectKey": some}).to_string();
        let mut records: Vec<Value> =
            some.iter().map(|key| record_of_s3("ObjectCreated:Put", bucket, key)).collect();
        records.insert(1, record_of_s3("ObjectRemoved:Delete", bucket, "AWSLogs/gone"));
        let notification = json!({"Records": records}).to_string();
        bodies.push(match number % 4 {
            0 => notice,
            1 => enveloped(&notice),
            2 => notification,
            _ => enveloped(&notification),
        });
    }
    bodies
}

/// Says that something happened which is no business of ours.
fn acknowledged(bucket: &str) -> Vec<String> {
    let validation = "CloudTrail validation message.";
    let removed =
        json!({"Records": [record_of_s3("ObjectRemoved:Delete", bucket, "AWSLogs/gone")]});
    let event_bridge = json!({
        "version": "0",
        "detail-type": "Object Deleted",
        "source": "aws.s3",
        "detail": {"bucket": {"name": bucket}, "object": {"key": "AWSLogs/gone"}}
    });
    vec![
        validation.to_owned(),
        enveloped(validation),
        removed.to_string(),
        event_bridge.to_string(),
        enveloped(&json!({"Service": "Amazon S3", "Event": "s3:TestEvent"}).to_string()),
    ]
}

/// Nothing that we know; the last two have a good part, whose log files are `good`.
fn poison(bucket: &str, good: [&str; 2]) -> Vec<String> {
    let of_later_version = {
        let mut record = record_of_s3("ObjectCreated:Put", bucket, "AWSLogs/later");
        record["eventVersion"] = json!("3.0");
        json!({"Records": [record]})
    };
    let half_bad = json!({"Records": [
        {"eventVersion": "2.1", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}}},
        record_of_s3("ObjectCreated:Put", bucket, good[0]),
    ]});
    let missing = good[1].replace(".json.gz", "x.json.gz");
    let half_missing = json!({"s3Bucket": bucket, "s3ObjectKey": [missing, good[1]]});
    vec![
        "certainly not JSON".to_owned(),
        json!({"Records": []}).to_string(),
        json!({"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification"})
            .to_string(),
        enveloped(&enveloped("{}")),
        enveloped("a text"),
        of_later_version.to_string(),
        half_bad.to_string(),
        half_missing.to_string(),
    ]
}

fn put(bucket: &Bucket, prefix: &str, files: &[&GeneratedFile]) -> Vec<String> {
    let key = |file: &GeneratedFile| format!("{prefix}{}", file.key);
    bucket.put(files.iter().map(|file| (key(file), file.bytes.clone())));
    files.iter().map(|file| key(file)).collect()
}

#[test]
fn every_shape_on_one_queue() {
    let delivered = Delivered::in_few_files(51);
    let stage = Stage::new(Ground::Folder, 3);
    let paths = [
        NotificationPath::Direct,
        NotificationPath::Topic { raw: false },
        NotificationPath::Topic { raw: true },
        NotificationPath::EventBridge,
    ];
    let files: Vec<&GeneratedFile> =
        delivered.objects.iter().filter(|file| file.kind != Kind::Folder).collect();
    let kinds: BTreeSet<String> = files.iter().map(|file| format!("{:?}", file.kind)).collect();
    assert_eq!(kinds.len(), 4, "all kinds of objects are there: {kinds:?}");
    let part = |number: usize| -> Vec<&GeneratedFile> {
        files.iter().skip(number).step_by(paths.len() + 1).copied().collect()
    };

    let mut worker = stage.worker(&["--batch-seconds", "1"]);
    for (number, path) in paths.into_iter().enumerate() {
        let trail = bucket();
        stage.queue.listen_to(&trail, path);
        put(&trail, PREFIX, &part(number));
    }
    let mut by_hand = part(paths.len());
    // Two log files are named only by messages that are bad besides.
    by_hand.sort_by_key(|file| file.kind != Kind::Log);
    let keys = put(&stage.trail, PREFIX, &by_hand);
    let mut poison = poison(stage.trail.name(), [&keys[0], &keys[1]]);
    stage.queue.send(written_by_hand(stage.trail.name(), &keys[2..]));
    stage.queue.send(acknowledged(stage.trail.name()));
    stage.queue.send(&poison);

    stage.wait_for_empty_queue(Duration::from_secs(90));
    poison.sort();
    assert_eq!(stage.queue.dead_letters(), poison);
    let committed = delivered.truth.totals.files as f64;
    until(Duration::from_secs(5), || {
        let found = worker.metric("rolecall_log_files_total{outcome=\"committed\"}");
        if found == committed { Ok(()) } else { Err(format!("{found} of {committed} committed")) }
    });
    let others = files.iter().filter(|file| file.kind != Kind::Log).count();
    let skipped = worker.metric("rolecall_log_files_total{outcome=\"not_a_log_file\"}");
    assert_eq!(skipped, others as f64);
    let fetched_others = stage.proxy.count(|call| {
        let path = call.target.split('?').next().unwrap_or_default();
        call.method == "GET" && call.sqs.is_none() && path.contains("Digest")
    });
    assert_eq!(fetched_others, 0, "digests were fetched");
    let run = worker.stop();
    run.complains_of(&["message_id"]);
    assert!(!run.stderr().contains("certainly not JSON"), "a message's body is in the log: {run}");
    assert_lake_equals_truth(&stage.lake(), &delivered.truth);
}
