//! Settings of what reads from S3 on behalf of others, and of the worker.

use std::net::SocketAddr;
use std::time::Duration;

use super::{GivenFlag, Key, Raw, Sources, key};
use crate::exit::Usage;
use crate::term;

pub(super) const SOURCE_ROLE_ARN: Key =
    key("source.role_arn", Some("--source-role-arn"), &["ROLECALL_SOURCE_ROLE_ARN"]);
pub(super) const EXTERNAL_ID: Key =
    key("source.external_id", Some("--external-id"), &["ROLECALL_EXTERNAL_ID"]);
pub(super) const QUEUE_URL: Key =
    key("worker.queue_url", Some("--queue-url"), &["ROLECALL_QUEUE_URL"]);
pub(super) const LISTEN: Key = key("worker.listen", Some("--listen"), &["ROLECALL_LISTEN"]);
pub(super) const BATCH_SECONDS: Key =
    key("worker.batch_seconds", Some("--batch-seconds"), &["ROLECALL_BATCH_SECONDS"]);
pub(super) const VISIBILITY_TIMEOUT: Key = key(
    "worker.visibility_timeout",
    Some("--visibility-timeout"),
    &["ROLECALL_VISIBILITY_TIMEOUT"],
);
pub(super) const MAX_MESSAGES: Key =
    key("worker.max_messages", Some("--max-messages"), &["ROLECALL_MAX_MESSAGES"]);
pub(super) const MAINTAIN_HOURS: Key =
    key("worker.maintain_hours", Some("--maintain-every"), &["ROLECALL_MAINTAIN_EVERY"]);
pub(super) const KEEP_DAYS: Key =
    key("worker.keep_days", Some("--keep-days"), &["ROLECALL_KEEP_DAYS"]);

const DEFAULT_BATCH_SECONDS: u64 = 60;
const DEFAULT_VISIBILITY_TIMEOUT: u64 = 300;
const DEFAULT_MAX_MESSAGES: u64 = 500;

/// The flags of every command that reads log files from a bucket.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct SourceFlags {
    /// Role to assume for reading the bucket, where it belongs to another account
    #[arg(long, value_name = "ARN")]
    source_role_arn: Option<String>,
    /// External ID that the role asks for
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
}

impl SourceFlags {
    pub(crate) fn given(&self) -> Vec<GivenFlag> {
        vec![
            (SOURCE_ROLE_ARN.flag, self.source_role_arn.clone()),
            (EXTERNAL_ID.flag, self.external_id.clone()),
        ]
    }
}

/// The flag of every command that uses the queue.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct QueueFlags {
    /// The queue that S3's notifications arrive in
    #[arg(long, value_name = "URL")]
    queue_url: Option<String>,
}

impl QueueFlags {
    pub(crate) fn given(&self) -> Vec<GivenFlag> {
        vec![(QUEUE_URL.flag, self.queue_url.clone())]
    }
}

/// The flags of `rolecall worker` that are settings.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct WorkerFlags {
    #[command(flatten)]
    queue: QueueFlags,
    #[command(flatten)]
    source: SourceFlags,
    /// Address for /health/live, /health/ready and /metrics, such as 127.0.0.1:8080 [default: none]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Commit at least this often while there is something to commit [default: 60]
    #[arg(long, value_name = "SECONDS")]
    batch_seconds: Option<String>,
    /// How long a message stays hidden unless the worker asks for more [default: 300]
    #[arg(long, value_name = "SECONDS")]
    visibility_timeout: Option<String>,
    /// Messages held at once [default: 500]
    #[arg(long, value_name = "N")]
    max_messages: Option<String>,
    /// Maintain the lake every so many hours; 0 leaves that to `rolecall maintain` [default: 0]
    #[arg(long, value_name = "HOURS")]
    maintain_every: Option<String>,
    /// When maintaining, drop rows of events older than this; without it nothing is dropped
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<String>,
}

impl WorkerFlags {
    pub(crate) fn given(&self) -> Vec<GivenFlag> {
        let own = [
            (LISTEN.flag, self.listen.clone()),
            (BATCH_SECONDS.flag, self.batch_seconds.clone()),
            (VISIBILITY_TIMEOUT.flag, self.visibility_timeout.clone()),
            (MAX_MESSAGES.flag, self.max_messages.clone()),
            (MAINTAIN_HOURS.flag, self.maintain_every.clone()),
            (KEEP_DAYS.flag, self.keep_days.clone()),
        ];
        [self.queue.given(), self.source.given(), own.to_vec()].concat()
    }
}

/// As whom log files are read from buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceSettings {
    /// Role to assume first.
    pub(crate) role_arn: Option<String>,
    /// External ID that its trust policy asks for.
    pub(crate) external_id: Option<String>,
}

impl SourceSettings {
    pub(super) fn load(from: &mut Sources<'_>) -> Result<Self, Usage> {
        let role_arn = from.given(&SOURCE_ROLE_ARN, role_arn)?;
        let external_id = from.given(&EXTERNAL_ID, external_id)?;
        if external_id.is_some() && role_arn.is_none() {
            return Err(Usage::new(
                "--external-id: it goes with a role, name that by --source-role-arn too",
            ));
        }
        Ok(Self { role_arn, external_id })
    }
}

/// How the worker goes about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkerSettings {
    /// The queue.
    pub(crate) queue_url: Option<String>,
    /// Where health and metrics are served.
    pub(crate) listen: Option<SocketAddr>,
    /// Age at which a batch is committed.
    pub(crate) batch_age: Duration,
    /// How long SQS hides a message that it gave out.
    pub(crate) visibility_timeout: Duration,
    /// Messages held at once.
    pub(crate) max_messages: usize,
    /// Time between two maintenances in the worker.
    pub(crate) maintain_every: Option<Duration>,
    /// Days of events that maintenance in the worker keeps.
    pub(crate) keep_days: Option<u32>,
}

impl WorkerSettings {
    pub(super) fn load(from: &mut Sources<'_>) -> Result<Self, Usage> {
        let queue_url = from.given(&QUEUE_URL, queue_url)?;
        let listen = from.given(&LISTEN, listen)?;
        let batch_seconds = number(from, &BATCH_SECONDS, 1..=900, DEFAULT_BATCH_SECONDS)?;
        // SQS: 0 to 12 hours. Below five seconds there is no time to ask for more.
        let visibility = number(from, &VISIBILITY_TIMEOUT, 5..=43_200, DEFAULT_VISIBILITY_TIMEOUT)?;
        // SQS gives out some 120,000 at once; each is kept in memory.
        let max_messages = number(from, &MAX_MESSAGES, 10..=100_000, DEFAULT_MAX_MESSAGES)?;
        let maintain_hours = number(from, &MAINTAIN_HOURS, 0..=168, 0)?;
        let keep_days =
            from.given(&KEEP_DAYS, |raw| whole(raw, 1..=36_500))?.and_then(|n| n.try_into().ok());
        Ok(Self {
            queue_url,
            listen,
            batch_age: Duration::from_secs(batch_seconds),
            visibility_timeout: Duration::from_secs(visibility),
            max_messages: usize::try_from(max_messages).unwrap_or(usize::MAX),
            maintain_every: (maintain_hours > 0)
                .then(|| Duration::from_secs(maintain_hours * 3_600)),
            keep_days,
        })
    }
}

fn number(
    from: &mut Sources<'_>,
    key: &'static Key,
    range: std::ops::RangeInclusive<u64>,
    default: u64,
) -> Result<u64, Usage> {
    from.or(key, |raw| whole(raw, range), default, u64::to_string)
}

fn whole(raw: &Raw, range: std::ops::RangeInclusive<u64>) -> Result<u64, String> {
    match raw.text.trim().parse::<u64>() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!(
            "'{}' is not a whole number from {} to {}",
            term::visible(&raw.text),
            range.start(),
            range.end()
        )),
    }
}

fn role_arn(raw: &Raw) -> Result<String, String> {
    let text = raw.text.trim();
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", account, name]
            if account.len() == 12 && name.starts_with("role/") && name.len() > 5 =>
        {
            Ok(text.to_owned())
        }
        _ => Err(format!(
            "'{}' is not the ARN of a role such as arn:aws:iam::123456789012:role/log-reader",
            term::visible(text)
        )),
    }
}

/// What STS takes: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.
fn external_id(raw: &Raw) -> Result<String, String> {
    let text = raw.text.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
    if (2..=1_224).contains(&text.len()) && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("an external ID has 2 to 1224 of the characters A-Z a-z 0-9 _ + = , . @ : / -"
            .to_owned())
    }
}

fn queue_url(raw: &Raw) -> Result<String, String> {
    let text = raw.text.trim();
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match host.and_then(|host| host.split_once('/')) {
        Some((host, path)) if !host.is_empty() && !path.is_empty() => Ok(text.to_owned()),
        _ => Err(format!(
            "'{}' is not the URL of a queue such as \
             https://sqs.eu-west-1.amazonaws.com/123456789012/rolecall",
            term::visible(text)
        )),
    }
}

fn listen(raw: &Raw) -> Result<SocketAddr, String> {
    raw.text.trim().parse().map_err(|_| {
        format!(
            "'{}' is not an address and port such as 127.0.0.1:8080 or 0.0.0.0:8080",
            term::visible(&raw.text)
        )
    })
}
