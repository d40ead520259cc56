//! What a message on the queue says: which objects were created. Pure; fetches nothing.
//!
//! Every shape that reaches a queue is told apart by its own form, message by message, so that all of
//! them may share one queue:
//!
//! - S3's own notification, and its `s3:TestEvent`. Keys are form-encoded: `+` is a space.
//!   <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
//! - EventBridge's "Object Created". Keys are plain.
//!   <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
//! - CloudTrail's own notice, and the text that it sends to try a topic. Keys are plain.
//! - Each of these inside one SNS envelope.
//!
//! A message may name several objects; the good ones count even where others are bad. Reasons say what is
//! wrong and where, never what the message holds. Keys are decoded here, once, and nowhere else.

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Sent by CloudTrail when a topic is set up; it is not JSON.
const VALIDATION_MESSAGE: &str = "CloudTrail validation message.";

/// What a message says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notification {
    /// Objects that were created, or brought back from an archive, in the order of the message.
    pub created: Vec<Created>,
    /// Records about something else, such as deletions: there is nothing to do for them.
    pub ignored: usize,
    /// Records that cannot be understood: which, and why.
    pub bad: Vec<String>,
}

/// An object that was created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Created {
    /// Name of the bucket.
    pub bucket: String,
    /// Key, decoded.
    pub key: String,
    /// Version, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// ETag, without quotes; CloudTrail's own notice carries none.
    pub etag: Option<String>,
    /// Size as stored, in bytes, where the message says it.
    pub bytes: Option<u64>,
}

/// A message of no shape that we know. The reason fits after "message … ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(&'static str);

/// Reads the body of a message.
///
/// # Errors
///
/// When the message as a whole is of no known shape. Single bad records are no error: see
/// [`Notification::bad`].
pub fn read(body: &str) -> Result<Notification, Unreadable> {
    read_text(body, Envelope::May)
}

/// Whether an SNS envelope may stand around what follows. One is real; more would be somebody's trick.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Envelope {
    May,
    MayNot,
}

fn read_text(text: &str, envelope: Envelope) -> Result<Notification, Unreadable> {
    if text.trim() == VALIDATION_MESSAGE {
        return Ok(Notification::default());
    }
    let value: Value = serde_json::from_str(text).map_err(|_| Unreadable("is not JSON"))?;
    match value {
        // Some relays quote the text that they pass on.
        Value::String(text) if text.trim() == VALIDATION_MESSAGE => Ok(Notification::default()),
        Value::Object(_) => read_object(&value, envelope),
        _ => Err(Unreadable("is no JSON object")),
    }
}

fn read_object(value: &Value, envelope: Envelope) -> Result<Notification, Unreadable> {
    if text(value, "Event") == Some("s3:TestEvent") {
        return Ok(Notification { ignored: 1, ..Notification::default() });
    }
    match text(value, "Type") {
        Some("Notification") if envelope == Envelope::MayNot => {
            return Err(Unreadable("is an SNS envelope within an SNS envelope"));
        }
        Some("Notification") => {
            let inner = text(value, "Message");
            let inner = inner.ok_or(Unreadable("is an SNS envelope without a message"))?;
            return read_text(inner, Envelope::MayNot);
        }
        Some("SubscriptionConfirmation" | "UnsubscribeConfirmation") => {
            return Err(Unreadable("asks to confirm an SNS subscription, which is not done here"));
        }
        _ => {}
    }
    if let Some(records) = value.get("Records").and_then(Value::as_array) {
        return of_s3(records);
    }
    if value.get("detail-type").is_some() {
        return of_event_bridge(value);
    }
    if value.get("s3ObjectKey").is_some() {
        return of_cloudtrail(value);
    }
    Err(Unreadable("is of no known shape"))
}

/// S3's own notification.
fn of_s3(records: &[Value]) -> Result<Notification, Unreadable> {
    if records.is_empty() {
        return Err(Unreadable("has no records"));
    }
    if records.iter().all(|record| record.get("s3").is_none()) {
        return Err(Unreadable("has records that are not S3's"));
    }
    let mut notification = Notification::default();
    for (index, record) in records.iter().enumerate() {
        match s3_record(record) {
            Ok(Some(created)) => notification.created.push(created),
            Ok(None) => notification.ignored += 1,
            Err(reason) => notification.bad.push(format!("record {index} {reason}")),
        }
    }
    Ok(notification)
}

/// `None` for a record about something else than an object that is there now.
fn s3_record(record: &Value) -> Result<Option<Created>, &'static str> {
    let version = text(record, "eventVersion").ok_or("has no eventVersion")?;
    if version.split('.').next() != Some("2") {
        return Err("has an eventVersion that is not 2.x");
    }
    let name = text(record, "eventName").ok_or("has no eventName")?;
    let name = name.strip_prefix("s3:").unwrap_or(name);
    // An object that is back from an archive is worth another look: before, it could not be read.
    if !name.starts_with("ObjectCreated") && name != "ObjectRestore:Completed" {
        return Ok(None);
    }
    let s3 = record.get("s3").ok_or("has no s3")?;
    let object = s3.get("object").ok_or("has no s3.object")?;
    let bucket = s3.get("bucket").and_then(|bucket| filled(bucket, "name"));
    let key = filled(object, "key").ok_or("has no s3.object.key")?;
    Ok(Some(Created {
        bucket: bucket.ok_or("has no s3.bucket.name")?.to_owned(),
        key: form_decoded(key).ok_or("has a key that is not UTF-8")?,
        version_id: filled(object, "versionId").map(str::to_owned),
        etag: etag(filled(object, "eTag")),
        bytes: object.get("size").and_then(Value::as_u64),
    }))
}

/// EventBridge's event about one object; its key is not encoded.
fn of_event_bridge(event: &Value) -> Result<Notification, Unreadable> {
    if text(event, "source") != Some("aws.s3") {
        return Err(Unreadable("is an EventBridge event that is not S3's"));
    }
    if !matches!(text(event, "detail-type"), Some("Object Created" | "Object Restore Completed")) {
        return Ok(Notification { ignored: 1, ..Notification::default() });
    }
    let detail = event.get("detail").ok_or(Unreadable("is an EventBridge event without detail"))?;
    let bucket = detail.get("bucket").and_then(|bucket| filled(bucket, "name"));
    let bucket = bucket.ok_or(Unreadable("is an EventBridge event without detail.bucket.name"))?;
    let object = detail.get("object");
    let object = object.ok_or(Unreadable("is an EventBridge event without detail.object"))?;
    let key = filled(object, "key");
    let key = key.ok_or(Unreadable("is an EventBridge event without detail.object.key"))?;
    let created = Created {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version_id: filled(object, "version-id").map(str::to_owned),
        etag: etag(filled(object, "etag")),
        bytes: object.get("size").and_then(Value::as_u64),
    };
    Ok(Notification { created: vec![created], ..Notification::default() })
}

/// CloudTrail's own notice: one bucket, many keys, none of them encoded.
fn of_cloudtrail(notice: &Value) -> Result<Notification, Unreadable> {
    let bucket = filled(notice, "s3Bucket");
    let bucket = bucket.ok_or(Unreadable("is a notice of CloudTrail without s3Bucket"))?;
    let keys = match notice.get("s3ObjectKey") {
        Some(Value::Array(keys)) if !keys.is_empty() => keys.as_slice(),
        Some(one @ Value::String(_)) => std::slice::from_ref(one),
        _ => return Err(Unreadable("is a notice of CloudTrail without keys")),
    };
    let mut notification = Notification::default();
    for (index, key) in keys.iter().enumerate() {
        match key.as_str().filter(|key| !key.is_empty()) {
            Some(key) => notification.created.push(Created {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                ..Created::default()
            }),
            None => notification.bad.push(format!("key {index} is no text")),
        }
    }
    Ok(notification)
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

/// Text that is there and not empty.
fn filled<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    text(value, name).filter(|text| !text.is_empty())
}

fn etag(text: Option<&str>) -> Option<String> {
    let text = text?.trim_matches('"');
    (!text.is_empty()).then(|| text.to_owned())
}

/// `application/x-www-form-urlencoded`: plus signs first, for an encoded plus sign must stay one.
fn form_decoded(key: &str) -> Option<String> {
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|key| key.into_owned())
}

#[cfg(test)]
mod tests;
