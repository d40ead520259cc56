//! Input that is no log file, and records that are no records: what each is refused or rejected for.

use rolecall_events::rows::{Account, RejectionReason};
use rolecall_events::{Limits, OtherForm, Refusal};
use serde_json::{Value, json};

use crate::support::{account, account_within, counts, gzip, log_file, record};

#[track_caller]
fn check_refused(bytes: &[u8], expect: &Refusal) {
    assert_eq!(account(bytes).as_ref(), Err(expect), "{}", String::from_utf8_lossy(bytes));
    if !bytes.starts_with(b"\x1f\x8b") {
        assert_eq!(account(&gzip(bytes)).as_ref(), Err(expect));
    }
}

#[test]
fn nothing_at_all() {
    for bytes in [&b""[..], b" ", b"\n\t\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"] {
        check_refused(bytes, &Refusal::Empty);
    }
}

#[test]
fn not_json() {
    for text in [
        "hello",
        "{",
        "}",
        "\0",
        "{\"Records\":[",
        "{\"Records\":[{}]",
        "{\"Records\":[{}]}}",
        "{\"Records\":[{},]}",
        "{\"Records\":[,]}",
        "{\"Records\":[{}{}]}",
        "{\"Records\":[{\"a\":\"\n\"}]}",
        "{\"Records\":[{\"a\":01}]}",
        "{\"Records\":[{'a':1}]}",
        "{\"Records\":[{\"a\":\"\\x\"}]}",
        "{\"Records\":[{\"a\":\"\\u12\"}]}",
        "{\"Records\":[{\"a\":\"]}",
        "{\"Records\":[]]}",
        "{\"Records\":[}]}",
        "{\"Records\":[]}{\"Records\":[}",
        "time,name\n2026-01-05T07:12:03Z,AssumeRole\n",
    ] {
        check_refused(text.as_bytes(), &Refusal::NotJson);
    }
}

#[test]
fn json_that_is_no_log_file() {
    for text in [
        "7",
        "null",
        "\"Records\"",
        "[]",
        "[{\"eventTime\":\"2026-01-05T07:12:03Z\"}]",
        "{}",
        "{\"records\":[]}",
        "{\"Events\":{}}",
        "{\"Events\":null}",
    ] {
        check_refused(text.as_bytes(), &Refusal::NoRecords);
    }
    for text in ["null", "{}", "\"[]\"", "7", "true"] {
        let text = format!("{{\"Records\":{text}}}");
        check_refused(text.as_bytes(), &Refusal::RecordsNotAnArray);
    }
}

/// What is asked for again in another form must be told from what is broken.
#[test]
fn other_forms_are_refused_by_their_names() {
    use OtherForm::*;
    let record = record("sts", "AssumeRole", json!({})).to_string();
    let text = Value::from(record.as_str()).to_string();
    let event = format!("{{\"EventId\":\"e\",\"CloudTrailEvent\":{text}}}");
    let of = |bytes: &[u8], form| check_refused(bytes, &Refusal::OtherForm(form));
    for bare in [
        record.clone(),
        format!("{record}\n{record}\n"),
        format!("{record}\t{record}"),
        format!("[{record},{record}]"),
        format!("{{\"Records\":[{record}]}}\n{record}"),
    ] {
        of(bare.as_bytes(), BareRecords);
    }
    for texts in [text.clone(), format!("[{text},{text}]"), format!("[[{text}],[{text}]]")] {
        of(texts.as_bytes(), RecordsAsText);
    }
    of(event.as_bytes(), OneLookedUpEvent);
    of(b"{\"digestStartTime\":\"2026-01-05T07:12:03Z\",\"logFiles\":[]}", Digest);
    for yaml in [
        format!("Events:\n- CloudTrailEvent: '{record}'\n"),
        format!("- CloudTrailEvent: '{record}'\n"),
        format!("---\nEvents:\n- CloudTrailEvent: '{record}'\n"),
        "Records:\n- eventName: AssumeRole\n".to_owned(),
    ] {
        of(yaml.as_bytes(), Yaml);
    }
    of(format!("EVENTS\t{record}\te\n").as_bytes(), TextOutput);
    of(format!("eyJ4Ijox\nEVENTS\t{record}\te\n").as_bytes(), TextOutput);
    of(b"------------\n|LookupEvents|\n+----------+\n", Table);
    of(b"Event name,Event time,User name\nAssumeRole,\"Jan 5, 2026, 07:12:03\",ann\n", Csv);
    of(b"eventTime,eventName\n2026-01-05T07:12:03Z,AssumeRole\n", Csv);
    of(b"\xef\xbb\xbf\"Event ID\",\"Event time\"\n", Csv);
    of(b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", Markup);
    of(b"<html></html>", Markup);
    for (start, unpack_with) in [
        (&b"PK\x03\x04\xff"[..], "unzip"),
        (b"\x28\xb5\x2f\xfd\x04", "unzstd"),
        (b"BZh91AY", "bunzip2"),
        (b"\xfd7zXZ\0", "unxz"),
    ] {
        of(start, Compressed { unpack_with });
    }
}

/// A file counts whole or not at all, of however many documents it is.
#[test]
fn one_broken_page_refuses_all_of_them() {
    let page = String::from_utf8(log_file(&[record("sts", "AssumeRole", json!({}))])).unwrap();
    for (rest, expect) in [
        ("{\"Records\":[", Refusal::NotJson),
        ("{\"Records\":[}", Refusal::NotJson),
        ("]", Refusal::NotJson),
        ("nothing", Refusal::NotJson),
        ("{}", Refusal::NoRecords),
        ("[]", Refusal::NoRecords),
        ("{\"Records\":7}", Refusal::RecordsNotAnArray),
    ] {
        check_refused(format!("{page}\n{rest}").as_bytes(), &expect);
        check_refused(format!("{page}\n{page}{rest}").as_bytes(), &expect);
    }
}

#[test]
fn bytes_that_are_not_utf8() {
    for (bytes, offset) in [
        (&b"\xff{}"[..], 0),
        (b"{\"Records\":[{\"a\":\"\xff\"}]}", 18),
        (b"{\"Records\":[{\"a\":\"\xc3\"}]}", 18),
        (b"{\"Records\":[{\"a\":\"\xed\xa0\xbd\"}]}", 18),
        (b"{\"Records\":[{\"a\":\"\xc0\x80\"}]}", 18),
        (b"{\"Records\":[]}\xf5", 14),
    ] {
        check_refused(bytes, &Refusal::NotUtf8 { offset });
    }
}

/// A file of many pieces is refused as a whole when its last record is broken, and its rows are gone.
#[test]
fn damage_far_into_a_file_refuses_all_of_it() {
    let records: Vec<Value> = (0..1_500)
        .map(|_| record("sts", "AssumeRole", json!({"apiVersion": "x".repeat(600)})))
        .collect();
    let text = log_file(&records);
    for (damage, expect) in [
        (&b"{\"eventName\":nul}"[..], Refusal::NotJson),
        (b"{\"eventName\":\"\x01\"}", Refusal::NotJson),
    ] {
        let end = text.len() - 2;
        check_refused(&[&text[..end], b",", damage, b"]}"].concat(), &expect);
    }
    let mut not_utf8 = text.clone();
    let at = text.len() - 40;
    not_utf8[at] = 0xff;
    check_refused(&not_utf8, &Refusal::NotUtf8 { offset: at });
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let file = |depth| {
        let good = record("sts", "AssumeRole", json!({}));
        let deep = format!("{{\"eventVersion\":{}}}", nested(depth));
        format!("{{\"Records\":[{good},{deep}]}}").into_bytes()
    };
    // The document, its array and the record are three levels themselves.
    let deepest = Limits::default().max_depth - 3;
    assert_eq!(counts(&account(&file(deepest)).unwrap()), [2, 1, 0, 1]);
    check_refused(&file(Limits::default().max_depth + 1), &Refusal::NotJson);
    for depth in [10_000, 1_000_000] {
        check_refused(&file(depth), &Refusal::NotJson);
        check_refused(nested(depth).as_bytes(), &Refusal::NotJson);
        check_refused("[".repeat(depth).as_bytes(), &Refusal::NotJson);
        check_refused("{\"a\":".repeat(depth).as_bytes(), &Refusal::NotJson);
    }
    let shallow = Limits { max_depth: 8, ..Limits::default() };
    assert_eq!(account_within(shallow, &file(40)), Err(Refusal::NotJson));
    assert_eq!(counts(&account_within(shallow, &file(2)).unwrap()), [2, 1, 0, 1]);
}

#[test]
fn records_are_rejected_one_by_one() {
    let time = "2026-01-05T07:12:03Z";
    let good = record("sts", "AssumeRole", json!({}));
    let without = |name: &str| record("sts", "AssumeRole", json!({ name: "-" }));
    let with = |name: &str, value: Value| record("sts", "AssumeRole", json!({ name: value }));
    for (bad, expect) in [
        (json!(null), RejectionReason::NotAnObject),
        (json!(7), RejectionReason::NotAnObject),
        (json!("text"), RejectionReason::NotAnObject),
        (json!([good]), RejectionReason::NotAnObject),
        (with("eventTime", json!("2262-01-01T00:00:00Z")), RejectionReason::EventTimeOutOfRange),
        (with("eventTime", json!("1970-01-01T00:00:00Z")), RejectionReason::EventTimeOutOfRange),
        (json!({}), RejectionReason::NoEventTime),
        (without("eventTime"), RejectionReason::NoEventTime),
        (with("eventTime", json!("")), RejectionReason::NoEventTime),
        (with("eventTime", json!(1_767_597_123)), RejectionReason::NoEventTime),
        (with("eventTime", json!("yesterday")), RejectionReason::BadEventTime),
        (with("eventTime", json!("2026-02-30T00:00:00Z")), RejectionReason::BadEventTime),
        (with("eventTime", json!("..........")), RejectionReason::BadEventTime),
        (without("eventSource"), RejectionReason::NoEventSource),
        (with("eventSource", json!("")), RejectionReason::NoEventSource),
        (with("eventSource", json!({})), RejectionReason::NoEventSource),
        (without("eventName"), RejectionReason::NoEventName),
        (with("eventName", json!(null)), RejectionReason::NoEventName),
        (with("eventName", json!(5)), RejectionReason::NoEventName),
        (
            json!({"@timestamp": time, "eventSource": "s", "eventName": "n"}),
            RejectionReason::NoEventTime,
        ),
    ] {
        let account = account(&log_file(&[good.clone(), bad.clone(), good.clone()])).unwrap();
        assert_eq!(counts(&account), [3, 2, 0, 1], "{bad}");
        assert_eq!(account.rejections[0].record_index, 1);
        assert_eq!(account.rejections[0].reason, expect, "{bad}");
    }
}

#[test]
fn rejections_are_all_counted_but_only_the_first_are_named() {
    let account = account(&log_file(&vec![json!(7); 5_000])).unwrap();
    assert_eq!(counts(&account), [5_000, 0, 0, 5_000]);
    assert_eq!(account.rejections.len(), Account::MAX_REJECTIONS);
    let last = account.rejections.last().unwrap();
    assert_eq!(usize::try_from(last.record_index).unwrap(), Account::MAX_REJECTIONS - 1);
}

#[test]
fn of_duplicate_members_the_last_counts() {
    let text = br#"{"Records":[{"eventTime":"x","eventTime":"2026-01-05T07:12:03Z",
        "eventSource":"s3.amazonaws.com","eventSource":"sts.amazonaws.com","eventName":"AssumeRole",
        "userIdentity":{"type":"Root","arn":"arn:a"},"userIdentity":{"type":"IAMUser"},
        "requestParameters":{"externalId":"a","externalId":"b"}},
        {"eventTime":"2026-01-05T07:12:03Z","eventSource":"s","eventName":"n","eventName":7}]}"#;
    let mut reader = rolecall_events::Reader::new(Limits::default());
    let file = reader.read(text).unwrap();
    assert_eq!(counts(&file.account), [2, 1, 0, 1]);
    let event = &file.credential_events[0];
    assert_eq!((event.caller_type, event.caller_arn), (Some("IAMUser"), None));
    assert_eq!(event.external_id, Some("b"));
}

#[test]
fn regression_of_duplicate_session_contexts_the_last_counts() {
    let text =
        br#"{"Records":[{"eventTime":"2026-01-05T07:12:03Z","eventSource":"sts.amazonaws.com",
        "eventName":"AssumeRole","userIdentity":{"type":"AssumedRole","sessionContext":{
        "sourceIdentity":"first","sessionIssuer":{"arn":"arn:aws:iam::111111111111:role/A"},
        "attributes":{"creationDate":"2026-01-05T07:12:03Z","mfaAuthenticated":"true"}},
        "sessionContext":{"sessionIssuer":{"arn":"x"},"sessionIssuer":{}}}}]}"#;
    let mut reader = rolecall_events::Reader::new(Limits::default());
    let file = reader.read(text).unwrap();
    let event = &file.credential_events[0];
    assert_eq!((event.caller_issuer_arn, event.caller_session_created), (None, None));
    assert_eq!((event.caller_mfa, file.activity[0].source_identity), (None, None));
}

#[test]
fn refusals_say_what_is_wrong_and_nothing_of_the_contents() {
    for (bytes, expect) in [
        (&b""[..], "is empty"),
        (b"secret", "is not JSON, or nested too deep"),
        (b"\"\xff\"", "is not UTF-8 at byte 1"),
        (b"{}", "has no `Records`: not a CloudTrail log file"),
        (
            b"{\"eventID\":\"secret\",\"eventName\":\"n\"}",
            "is records one by one, as text output or jq \
            prints them: give the log files as delivered, or the whole JSON output of `aws cloudtrail \
            lookup-events`",
        ),
        (b"Events:\n- EventId: secret\n", "is YAML: ask for it again with --output json"),
        (b"{\"Records\":7}", "has a `Records` that is not an array"),
        (b"\x1f\x8b\x08", "is a truncated gzip stream"),
    ] {
        assert_eq!(account(bytes).unwrap_err().to_string(), expect);
    }
}
