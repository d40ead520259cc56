//! Writes the planned log files out, and the other objects that lie beside them in a bucket.

use std::collections::VecDeque;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::deliver::{Item, Plan, Planned, Trail, root};
use crate::json::Obj;
use crate::model::{GLOBAL, PRODUCTION, World};
use crate::noise::Writer;
use crate::time::{HOUR, MINUTE, Micros, folder, iso, stamp};
use crate::truth::NotLogFile;

/// An object of the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Full S3 key.
    pub key: String,
    /// Content; gzip for log files.
    pub bytes: Vec<u8>,
    /// Whether it is a log file.
    pub kind: Kind,
}

/// What an object of the bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A CloudTrail log file.
    Log,
    /// An object that lies where digests do. Real digests are made by
    /// [`crate::Organization::digests`].
    Digest,
    /// An Insights file.
    Insight,
    /// A zero-byte object that stands for a folder.
    Folder,
    /// A file of another service.
    Other,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Digest => "digest",
            Self::Insight => "insight",
            Self::Folder => "folder",
            Self::Other => "other",
        }
    }
}

/// All objects of the bucket; see [`crate::Organization::files`].
pub struct Files<'a> {
    world: &'a World,
    plan: Plan<'a>,
    days: VecDeque<i64>,
    ready: VecDeque<Planned>,
    others: VecDeque<(String, Kind)>,
    writer: Writer,
}

impl std::fmt::Debug for Files<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("days", &self.days.len()).finish_non_exhaustive()
    }
}

impl<'a> Files<'a> {
    pub(crate) fn new(world: &'a World, plan: Plan<'a>) -> Self {
        let days = plan.days().into();
        let others = not_logs(world).into();
        Self { world, plan, days, ready: VecDeque::new(), others, writer: Writer::default() }
    }
}

impl Iterator for Files<'_> {
    type Item = GeneratedFile;

    fn next(&mut self) -> Option<GeneratedFile> {
        if let Some((key, kind)) = self.others.pop_front() {
            let bytes = match kind {
                Kind::Folder => Vec::new(),
                _ => pack(other_content(kind).as_bytes()),
            };
            return Some(GeneratedFile { key, bytes, kind });
        }
        while self.ready.is_empty() {
            let day = self.days.pop_front()?;
            self.ready = self.plan.day(day).into();
        }
        let planned = self.ready.pop_front()?;
        let bytes = pack(text_of(self.world, &mut self.writer, &planned).as_bytes());
        Some(GeneratedFile { key: planned.key, bytes, kind: Kind::Log })
    }
}

/// A log file's text.
pub(crate) fn text_of(world: &World, writer: &mut Writer, planned: &Planned) -> String {
    let mut text = String::from("{\"Records\":[");
    for (index, item) in planned.items.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        match item {
            Item::Story(record) => text.push_str(&world.records[record.0].body),
            Item::Noise(noise) => writer.write(world, planned.account, noise, &mut text),
        }
    }
    text.push_str("]}");
    text
}

pub(crate) fn pack(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to a Vec cannot fail; if it ever did, an empty file would fail every test at once.
    encoder.write_all(text).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// The objects that are no log files.
pub(crate) fn not_log_files(world: &World) -> Vec<NotLogFile> {
    not_logs(world)
        .into_iter()
        .map(|(key, kind)| NotLogFile { key, kind: kind.as_str().to_owned() })
        .collect()
}

fn not_logs(world: &World) -> Vec<(String, Kind)> {
    let mut others = Vec::new();
    for account in 0..world.accounts.len() {
        if !world.accounts[account].delivered {
            continue;
        }
        let root = root(world, Trail::Organization, account);
        others.push((format!("{root}/CloudTrail/"), Kind::Folder));
        for day in 0..world.days {
            let at = world.at(day, 0, 0, 0) + 13 * HOUR + 7 * MINUTE;
            others.push((digest_key(world, account, at), Kind::Digest));
        }
    }
    let id = &world.accounts[PRODUCTION].id;
    let root = root(world, Trail::Organization, PRODUCTION);
    let at = world.at(0, 10, 0, 0);
    others.push((
        format!(
            "{root}/CloudTrail-Insight/{GLOBAL}/{}/{id}_CloudTrail-Insight_{GLOBAL}_{}_N0tAn0rdinaryLog.json.gz",
            folder(at),
            stamp(at)
        ),
        Kind::Insight,
    ));
    others.push((
        format!(
            "AWSLogs/{id}/vpcflowlogs/{GLOBAL}/{}/{id}_vpcflowlogs_{GLOBAL}_fl-0a1b2c3d_{}_9f8e7d6c.log.gz",
            folder(at),
            stamp(at)
        ),
        Kind::Other,
    ));
    others
}

fn digest_key(world: &World, account: usize, at: Micros) -> String {
    let id = &world.accounts[account].id;
    let root = root(world, Trail::Organization, account);
    // A digest's name carries seconds, unlike a log file's.
    let time = iso(at).replace(['-', ':'], "");
    format!(
        "{root}/CloudTrail-Digest/{GLOBAL}/{}/{id}_CloudTrail-Digest_{GLOBAL}_main_{GLOBAL}_{time}.json.gz",
        folder(at)
    )
}

fn other_content(kind: Kind) -> String {
    match kind {
        Kind::Digest => {
            Obj::new().str("digestSignatureAlgorithm", "SHA256withRSA").raw("logFiles", "[]").end()
        }
        // An Insights file has records too: read as a log file, it would be counted.
        Kind::Insight => String::from(
            r#"{"Records":[{"eventVersion":"1.08","eventTime":"2026-01-05T10:00:00Z","awsRegion":"us-east-1","eventID":"7d0f6a5e-2c1b-4e3d-9a8b-0c1d2e3f4a5b","eventType":"AwsCloudTrailInsight","recipientAccountId":"000000000000","sharedEventID":"9d0f6a5e-2c1b-4e3d-9a8b-0c1d2e3f4a5b","insightDetails":{"state":"Start","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","insightType":"ApiCallRateInsight"},"eventCategory":"Insight"}]}"#,
        ),
        Kind::Log | Kind::Folder | Kind::Other => String::from(
            "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n",
        ),
    }
}
