//! The delivered records, read plainly: who signed what, when, from where.
//!
//! The truth says of a session how often it was used, and when. From where and for what, a reader of the
//! files can tell as well; this is that reader, as simple as can be, and no part of the product.

use std::collections::{BTreeSet, HashMap};
use std::io::Read as _;
use std::net::IpAddr;

use flate2::read::MultiGzDecoder;
use rolecall_testkit::{GeneratedFile, Kind};
use serde_json::Value;

/// A record that must not be rejected.
pub(super) struct Seen {
    pub(super) event_id: String,
    /// As in the record: whole seconds, UTC, so that texts sort as times do.
    pub(super) at: String,
    record: Value,
}

/// All records of the delivered log files, as often as they were delivered.
pub(super) struct Records {
    pub(super) list: Vec<Seen>,
    by_key: HashMap<String, Vec<usize>>,
    by_principal: HashMap<String, Vec<usize>>,
}

impl Seen {
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        let text = self.record.pointer(pointer).and_then(Value::as_str);
        text.filter(|text| !text.is_empty() && *text != "Unknown")
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.text("/userIdentity/accessKeyId")
    }

    pub(super) fn principal_arn(&self) -> Option<&str> {
        self.text("/userIdentity/arn")
    }

    pub(super) fn created(&self) -> Option<&str> {
        self.text("/userIdentity/sessionContext/attributes/creationDate")
    }

    pub(super) fn source_ip(&self) -> Option<&str> {
        self.text("/sourceIPAddress").filter(|source| source.parse::<IpAddr>().is_ok())
    }

    pub(super) fn service(&self) -> &str {
        self.text("/eventSource").unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.text("/eventName").unwrap_or_default()
    }

    pub(super) fn recipient(&self) -> Option<&str> {
        self.text("/recipientAccountId")
    }

    pub(super) fn is_of_role_session(&self) -> bool {
        self.text("/userIdentity/type") == Some("AssumedRole")
    }

    pub(super) fn failed(&self) -> bool {
        self.text("/errorCode").is_some()
    }
}

impl Records {
    pub(super) fn of(objects: &[GeneratedFile]) -> Self {
        let mut records =
            Self { list: Vec::new(), by_key: HashMap::new(), by_principal: HashMap::new() };
        for object in objects.iter().filter(|object| object.kind == Kind::Log) {
            let name = object.key.rsplit('/').next().unwrap();
            let mut text = String::new();
            MultiGzDecoder::new(object.bytes.as_slice()).read_to_string(&mut text).unwrap();
            let mut file: Value = serde_json::from_str(&text).unwrap();
            let Value::Array(list) = file["Records"].take() else { panic!("{name}") };
            for (position, record) in list.into_iter().enumerate() {
                records.add(format!("{name}#{position}"), record);
            }
        }
        records
    }

    fn add(&mut self, place: String, record: Value) {
        let mut seen = Seen { event_id: String::new(), at: String::new(), record };
        let (Some(at), Some(_), Some(_)) =
            (seen.text("/eventTime"), seen.text("/eventSource"), seen.text("/eventName"))
        else {
            return;
        };
        if !at.ends_with('Z') {
            return;
        }
        seen.at = at.to_owned();
        seen.event_id = seen.text("/eventID").map_or(place, str::to_owned);
        let position = self.list.len();
        match (seen.key(), seen.principal_arn()) {
            (Some(key), _) => self.by_key.entry(key.to_owned()).or_default().push(position),
            (None, Some(arn)) => {
                self.by_principal.entry(arn.to_owned()).or_default().push(position)
            }
            (None, None) => {}
        }
        self.list.push(seen);
    }

    /// Records signed with a key.
    pub(super) fn with_key<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a Seen> {
        self.by_key.get(key).into_iter().flatten().map(|position| &self.list[*position])
    }

    /// Records of a principal that show no key.
    pub(super) fn without_key<'a>(&'a self, principal: &str) -> impl Iterator<Item = &'a Seen> {
        self.by_principal.get(principal).into_iter().flatten().map(|position| &self.list[*position])
    }
}

/// Each text once, sorted, as the views list them.
pub(super) fn distinct<'a>(texts: impl IntoIterator<Item = &'a str>) -> Value {
    texts.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}
