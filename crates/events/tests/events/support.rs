//! One helper per question; everything else in these tests is data.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use rolecall_events::rows::{Account, ActivityRow, CredentialEvent, IamChange, LogFile, Micros};
use rolecall_events::{Limits, Reader, Refusal};
use serde_json::{Value, json};

/// `2026-01-05T07:12:03Z`, the time of every record that [`record`] makes.
pub(crate) const TIME: Micros = 1_767_597_123_000_000;

/// Stands in every record where a secret could; must never come out again.
pub(crate) const SECRET: &str = "IQoJb3JpZ2luX2VjTOKEN";

/// A record of CloudTrail's usual form; `members` replaces and adds members, and `"-"` removes one.
pub(crate) fn record(source: &str, name: &str, members: Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.08",
        "userIdentity": {"type": "IAMUser"},
        "eventTime": "2026-01-05T07:12:03Z",
        "eventSource": format!("{source}.amazonaws.com"),
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "192.0.2.10",
        "userAgent": "aws-cli/2.15",
        "requestParameters": null,
        "responseElements": null,
        "requestID": "req-1",
        "eventID": "ev-1",
        "readOnly": true,
        "eventType": "AwsApiCall",
        "recipientAccountId": "111111111111",
    });
    let (Value::Object(all), Value::Object(members)) = (&mut record, members) else {
        panic!("members must be an object")
    };
    for (name, value) in members {
        if value == "-" {
            all.remove(&name);
        } else {
            all.insert(name, value);
        }
    }
    record
}

/// What [`record`] gives to every credential event.
pub(crate) fn envelope(source: &'static str, name: &'static str) -> CredentialEvent<'static> {
    CredentialEvent {
        event_id: Some("ev-1"),
        request_id: Some("req-1"),
        event_time: TIME,
        event_source: source,
        event_name: name,
        event_version: Some("1.08"),
        aws_region: Some("eu-west-1"),
        recipient_account_id: Some("111111111111"),
        source_ip: Some("192.0.2.10"),
        user_agent: Some("aws-cli/2.15"),
        outcome: Some(rolecall_events::rows::Outcome::Success),
        read_only: Some(true),
        ..CredentialEvent::default()
    }
}

/// A log file as CloudTrail writes it: one line, one member.
pub(crate) fn log_file(records: &[Value]) -> Vec<u8> {
    serde_json::to_vec(&json!({ "Records": records })).unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The account of a file, by a reader of its own.
pub(crate) fn account(bytes: &[u8]) -> Result<Account, Refusal> {
    account_within(Limits::default(), bytes)
}

pub(crate) fn account_within(limits: Limits, bytes: &[u8]) -> Result<Account, Refusal> {
    let mut reader = Reader::new(limits);
    let file = reader.read(bytes)?;
    check_sum(&file);
    Ok(file.account)
}

/// The invariants of every file that was read.
pub(crate) fn check_sum(file: &LogFile<'_>) {
    let account = &file.account;
    assert_eq!(account.seen, account.credential + account.other + account.rejected);
    assert_eq!(account.credential, file.credential_events.len() as u64);
    assert_eq!(account.iam_changes, file.iam_changes.len() as u64);
    let counted: u64 = file.activity.iter().map(|row| row.event_count).sum();
    assert_eq!(counted, account.seen - account.rejected);
    let named = account.rejected.min(Account::MAX_REJECTIONS as u64);
    assert_eq!(named, account.rejections.len() as u64);
}

/// Records as `[seen, credential, other, rejected]`.
pub(crate) fn counts(account: &Account) -> [u64; 4] {
    [account.seen, account.credential, account.other, account.rejected]
}

fn read_one<T>(record: &Value, get: impl FnOnce(&LogFile<'_>) -> T) -> T {
    let mut reader = Reader::new(Limits::default());
    let text = log_file(std::slice::from_ref(record));
    let file = reader.read(&gzip(&text)).unwrap();
    check_sum(&file);
    assert_eq!(file.account.rejected, 0, "rejected: {:?}", file.account.rejections);
    assert!(!format!("{file:?}").contains(SECRET), "a secret came out: {file:#?}");
    let result = get(&file);
    drop(file);
    assert!(!format!("{reader:?}").contains(SECRET), "the reader shows a secret");
    result
}

/// `record` is a credential event, and all of its row is `expect`.
#[track_caller]
pub(crate) fn check_credential(record: &Value, expect: &CredentialEvent<'_>) {
    read_one(record, |file| {
        assert_eq!(file.credential_events.len(), 1, "no credential event: {record}");
        assert_same(&file.credential_events[0], expect);
    });
}

/// `record` is an IAM change, and all of its row is `expect`.
#[track_caller]
pub(crate) fn check_iam(record: &Value, expect: &IamChange<'_>) {
    read_one(record, |file| {
        assert_eq!(file.iam_changes.len(), 1, "no IAM change: {record}");
        assert_same(&file.iam_changes[0], expect);
    });
}

/// `record` is neither a credential event nor an IAM change, and its activity row is `expect`.
#[track_caller]
pub(crate) fn check_activity(record: &Value, expect: &ActivityRow<'_>) {
    read_one(record, |file| assert_same(&file.activity[0], expect));
}

/// A question about the one credential event of `record`.
pub(crate) fn ask<T>(record: &Value, get: impl FnOnce(&CredentialEvent<'_>) -> T) -> T {
    read_one(record, |file| get(&file.credential_events[0]))
}

/// Shows only the lines that differ: the rows have some sixty fields.
#[track_caller]
fn assert_same<T: std::fmt::Debug + PartialEq>(got: &T, expect: &T) {
    if got == expect {
        return;
    }
    let [got, expect] = [got, expect].map(|row| fields(&format!("{row:#?}")));
    let differing: Vec<String> = got
        .iter()
        .zip(&expect)
        .filter(|(got, expect)| got != expect)
        .map(|(got, expect)| format!("got      {got}\nexpected {expect}"))
        .collect();
    panic!("rows differ:\n{}", differing.join("\n"));
}

/// The fields of a pretty-printed struct, one string each.
fn fields(text: &str) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    for line in text.lines() {
        let inner = line.strip_prefix("    ");
        match inner {
            Some(line) if !line.starts_with([' ', ')', ']', '}']) => fields.push(line.to_owned()),
            Some(line) => fields.last_mut().unwrap().push_str(line.trim()),
            None => {}
        }
    }
    fields
}
