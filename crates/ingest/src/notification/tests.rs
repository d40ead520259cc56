//! Every shape of a message, as data.

use serde_json::{Value, json};

use super::{Created, Notification, Unreadable, read};

const KEY: &str = "AWSLogs/123456789012/CloudTrail/us-east-1/2026/01/05/f.json.gz";

fn s3_record(name: &str, key: &str) -> Value {
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-01-05T07:15:00.000Z",
        "eventName": name,
        "userIdentity": {"principalId": "AWS:AROAEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "192.0.2.1"},
        "responseElements": {"x-amz-request-id": "R", "x-amz-id-2": "I"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "to-rolecall",
            "bucket": {"name": "trail", "ownerIdentity": {"principalId": "O"}, "arn": "arn:aws:s3:::trail"},
            "object": {"key": key, "size": 1024, "eTag": "d41d8cd98f00b204e9800998ecf8427e", "sequencer": "0A"}
        }
    })
}

fn s3(records: &[Value]) -> String {
    json!({ "Records": records }).to_string()
}

fn event_bridge(detail_type: &str, key: &str) -> Value {
    json!({
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2026-01-05T07:15:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:s3:::trail"],
        "detail": {
            "version": "0",
            "bucket": {"name": "trail"},
            "object": {"key": key, "size": 7, "etag": "e7", "version-id": "v7", "sequencer": "0A"},
            "request-id": "R",
            "requester": "cloudtrail.amazonaws.com",
            "reason": "PutObject"
        }
    })
}

fn enveloped(message: &str) -> String {
    json!({
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:trail",
        "Subject": "Amazon S3 Notification",
        "Message": message,
        "Timestamp": "2026-01-05T07:15:01.000Z",
        "SignatureVersion": "1",
        "Signature": "x",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/x.pem",
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?x"
    })
    .to_string()
}

fn plain(key: &str) -> Created {
    Created { bucket: "trail".to_owned(), key: key.to_owned(), ..Created::default() }
}

fn by_s3(key: &str) -> Created {
    Created {
        etag: Some("d41d8cd98f00b204e9800998ecf8427e".to_owned()),
        bytes: Some(1024),
        ..plain(key)
    }
}

fn by_event_bridge(key: &str) -> Created {
    Created {
        etag: Some("e7".to_owned()),
        bytes: Some(7),
        version_id: Some("v7".to_owned()),
        ..plain(key)
    }
}

fn keys(body: &str) -> Vec<String> {
    read(body).unwrap().created.into_iter().map(|created| created.key).collect()
}

#[track_caller]
fn check(body: &str, created: &[Created]) {
    let expect = Notification { created: created.to_vec(), ..Notification::default() };
    assert_eq!(read(body), Ok(expect), "{body}");
    let inside = read(&enveloped(body));
    assert_eq!(inside, read(body), "in an envelope: {body}");
}

#[test]
fn every_shape_raw_and_enveloped() {
    check(&s3(&[s3_record("ObjectCreated:Put", KEY)]), &[by_s3(KEY)]);
    check(&s3(&[s3_record("s3:ObjectCreated:CompleteMultipartUpload", KEY)]), &[by_s3(KEY)]);
    check(&s3(&[s3_record("ObjectRestore:Completed", KEY)]), &[by_s3(KEY)]);
    check(&event_bridge("Object Created", KEY).to_string(), &[by_event_bridge(KEY)]);
    check(&event_bridge("Object Restore Completed", KEY).to_string(), &[by_event_bridge(KEY)]);
    check(&json!({"s3Bucket": "trail", "s3ObjectKey": [KEY]}).to_string(), &[plain(KEY)]);
    check(&json!({"s3Bucket": "trail", "s3ObjectKey": KEY}).to_string(), &[plain(KEY)]);
}

#[test]
fn regression_every_record_of_a_message_is_read() {
    let records = [s3_record("ObjectCreated:Put", "a"), s3_record("ObjectCreated:Copy", "b")];
    check(&s3(&records), &[by_s3("a"), by_s3("b")]);
    let notice = json!({"s3Bucket": "trail", "s3ObjectKey": ["a", "b", "c"]});
    check(&notice.to_string(), &[plain("a"), plain("b"), plain("c")]);
}

#[test]
fn regression_keys_are_decoded_where_the_shape_says_so_and_once() {
    let s3_key = |key: &str| keys(&s3(&[s3_record("ObjectCreated:Put", key)]));
    for (written, meant) in [
        ("a+b/c.json.gz", "a b/c.json.gz"),
        ("a%2Bb", "a+b"),
        ("a%252Bb", "a%2Bb"),
        ("a%2520b", "a%20b"),
        ("caf%C3%A9/%E2%9C%93", "café/✓"),
        ("100%25", "100%"),
        ("50%", "50%"),
        ("a%3Db%26c", "a=b&c"),
    ] {
        assert_eq!(s3_key(written), [meant], "{written}");
        let through_sns = enveloped(&s3(&[s3_record("ObjectCreated:Put", written)]));
        assert_eq!(keys(&through_sns), [meant], "{written} in an envelope");
        let as_it_is = event_bridge("Object Created", written).to_string();
        assert_eq!(keys(&as_it_is), [written], "EventBridge encodes nothing");
        let as_it_is = json!({"s3Bucket": "trail", "s3ObjectKey": [written]}).to_string();
        assert_eq!(keys(&as_it_is), [written], "CloudTrail encodes nothing");
    }
}

#[test]
fn versions_and_etags() {
    let mut record = s3_record("ObjectCreated:Put", "k");
    record["s3"]["object"]["versionId"] = json!("096fKKXTRTtl3on89fVO.nfljtsv6qko");
    record["s3"]["object"]["eTag"] = json!("\"quoted\"");
    let created = read(&s3(&[record.clone()])).unwrap().created.remove(0);
    assert_eq!(created.version_id.as_deref(), Some("096fKKXTRTtl3on89fVO.nfljtsv6qko"));
    assert_eq!(created.etag.as_deref(), Some("quoted"));
    record["s3"]["object"]["versionId"] = json!("");
    record["s3"]["object"]["eTag"] = json!("");
    let created = read(&s3(&[record])).unwrap().created.remove(0);
    assert_eq!((created.version_id, created.etag), (None, None));
}

#[test]
fn what_asks_for_nothing_is_acknowledged() {
    let nothing = |body: &str, ignored: usize| {
        let expect = Notification { ignored, ..Notification::default() };
        assert_eq!(read(body), Ok(expect.clone()), "{body}");
        assert_eq!(read(&enveloped(body)), Ok(expect), "in an envelope: {body}");
    };
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-05T07:15:00Z",
        "Bucket": "trail", "RequestId": "R", "HostId": "H"});
    nothing(&test.to_string(), 1);
    nothing("CloudTrail validation message.", 0);
    nothing("\"CloudTrail validation message.\"", 0);
    let mut deleted = s3_record("ObjectRemoved:Delete", KEY);
    deleted["s3"]["object"].as_object_mut().unwrap().remove("size");
    nothing(&s3(&[deleted]), 1);
    for name in
        ["LifecycleExpiration:Delete", "ObjectTagging:Put", "ObjectRestore:Post", "TestEvent"]
    {
        nothing(&s3(&[s3_record(name, KEY)]), 1);
    }
    nothing(&event_bridge("Object Deleted", KEY).to_string(), 1);
}

#[test]
fn good_records_are_kept_beside_bad_ones() {
    let without = |path: &[&str]| {
        let mut record = s3_record("ObjectCreated:Put", KEY);
        let (last, before) = path.split_last().unwrap();
        let holder = before.iter().fold(&mut record, |value, name| &mut value[*name]);
        holder.as_object_mut().unwrap().remove(*last);
        record
    };
    let mut other_version = s3_record("ObjectCreated:Put", KEY);
    other_version["eventVersion"] = json!("3.0");
    let mut prefixed_version = s3_record("ObjectCreated:Put", KEY);
    prefixed_version["eventVersion"] = json!("20.1");
    let records = [
        s3_record("ObjectCreated:Put", "good"),
        without(&["s3", "bucket", "name"]),
        without(&["s3", "object", "key"]),
        without(&["eventName"]),
        without(&["eventVersion"]),
        without(&["s3"]),
        other_version,
        prefixed_version,
        s3_record("ObjectCreated:Put", "%FF"),
        json!(7),
        s3_record("ObjectRemoved:Delete", "gone"),
        s3_record("ObjectCreated:Put", "good too"),
    ];
    let expect = Notification {
        created: vec![by_s3("good"), by_s3("good too")],
        ignored: 1,
        bad: [
            "record 1 has no s3.bucket.name",
            "record 2 has no s3.object.key",
            "record 3 has no eventName",
            "record 4 has no eventVersion",
            "record 5 has no s3",
            "record 6 has an eventVersion that is not 2.x",
            "record 7 has an eventVersion that is not 2.x",
            "record 8 has a key that is not UTF-8",
            "record 9 has no eventVersion",
        ]
        .map(str::to_owned)
        .to_vec(),
    };
    assert_eq!(read(&s3(&records)), Ok(expect));

    let notice = json!({"s3Bucket": "trail", "s3ObjectKey": ["a", 7, "", "b"]});
    let read = read(&notice.to_string()).unwrap();
    assert_eq!(read.created, [plain("a"), plain("b")]);
    assert_eq!(read.bad, ["key 1 is no text", "key 2 is no text"]);
}

#[test]
fn minor_versions_of_two_are_all_read() {
    for version in ["2.0", "2.1", "2.2", "2.3", "2.17", "2"] {
        let mut record = s3_record("ObjectCreated:Put", KEY);
        record["eventVersion"] = json!(version);
        check(&s3(&[record]), &[by_s3(KEY)]);
    }
}

#[test]
fn garbage_is_unreadable_and_not_repeated() {
    let secret = "FwoGZXIvYXdzEXAMPLE";
    for (body, reason) in [
        (format!("{secret} no JSON"), "is not JSON"),
        (String::new(), "is not JSON"),
        (format!("[\"{secret}\"]"), "is no JSON object"),
        (format!("\"{secret}\""), "is no JSON object"),
        ("null".to_owned(), "is no JSON object"),
        (format!("{{\"a\":\"{secret}\"}}"), "is of no known shape"),
        ("{}".to_owned(), "is of no known shape"),
        (s3(&[]), "has no records"),
        (s3(&[json!({"eventName": secret})]), "has records that are not S3's"),
        (
            json!({"Type": "SubscriptionConfirmation", "Token": secret}).to_string(),
            "asks to confirm an SNS subscription, which is not done here",
        ),
        (json!({"Type": "Notification", "Message": 7}).to_string(), "is an SNS envelope without a message"),
        (enveloped(&format!("{secret} no JSON")), "is not JSON"),
        (
            enveloped(&enveloped(&s3(&[s3_record("ObjectCreated:Put", KEY)]))),
            "is an SNS envelope within an SNS envelope",
        ),
        (
            json!({"detail-type": "Object Created", "source": secret}).to_string(),
            "is an EventBridge event that is not S3's",
        ),
        (
            json!({"detail-type": "Object Created", "source": "aws.s3", "detail": {"bucket": {"name": "b"},
                "object": {"size": 1}}})
            .to_string(),
            "is an EventBridge event without detail.object.key",
        ),
        (json!({"s3ObjectKey": [secret]}).to_string(), "is a notice of CloudTrail without s3Bucket"),
        (json!({"s3Bucket": "b", "s3ObjectKey": []}).to_string(), "is a notice of CloudTrail without keys"),
        (format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000)), "is not JSON"),
    ] {
        assert_eq!(read(&body), Err(Unreadable(reason)), "{body}");
        assert!(!reason.contains(secret));
    }
}
