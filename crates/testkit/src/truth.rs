//! What a careful human would answer, given only the delivered log files.
//!
//! Field names are the column names of the views. Every value comes from what the generator meant to
//! happen, never from reading a record back. Times are microseconds since the Unix epoch, UTC. Lists
//! are sorted unless they say otherwise.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::inventory::Inventory;
use crate::migration::KeyUse;
use crate::time::Micros;

/// Everything that is true of one generated organisation, for the accounts whose logs are delivered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Log files, by name.
    pub files: Vec<LogFileTruth>,
    /// Objects under the prefix that are no log files.
    pub not_log_files: Vec<NotLogFile>,
    /// Sums over all files.
    pub totals: Totals,
    /// Rows of the `assumptions` view, by time and event id.
    pub acts: Vec<Act>,
    /// Rows of the `sessions` view, by time and event id; sessions without a delivered issue come last.
    pub sessions: Vec<Session>,
    /// Successful acts by caller, role and method.
    pub edges: Vec<Edge>,
    /// The acts that failed, with the same fields as in `acts`.
    pub denied: Vec<Act>,
    /// Long-term access keys: every one that exists or was seen.
    pub keys: Vec<KeyTruth>,
    /// Who uses each key, and what is to become of it.
    pub key_uses: Vec<KeyUse>,
    /// Log files and records by account, region and day of delivery.
    pub coverage: Vec<Coverage>,
    /// Records that were delivered more than once.
    pub duplicates: Duplicates,
    /// What shows each named way of taking a role, and each named trap.
    pub scenarios: BTreeMap<String, Scenario>,
    /// The IAM state at the end of the logs.
    pub inventory: Inventory,
}

/// One log file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFileTruth {
    /// File name, unique.
    pub log_file: String,
    /// Full S3 key.
    pub key: String,
    /// What stands before the account in the key, without the last slash: with `AWSLogs` and the
    /// organisation, which tell two trails of one bucket apart.
    pub trail_prefix: Option<String>,
    /// Account in the key and the name.
    pub account_id: String,
    /// Region in the key and the name.
    pub aws_region: String,
    /// Time in the name (whole minutes).
    pub delivered_at: Micros,
    /// Elements of `Records`.
    pub records: u64,
    /// Credential events among them, duplicates included.
    pub credential_events: u64,
    /// IAM changes among them, duplicates included.
    pub iam_changes: u64,
    /// Records that must be rejected.
    pub rejected: u64,
    /// Earliest event time of the records that are not rejected.
    pub first_event_time: Option<Micros>,
    /// Latest event time of the records that are not rejected.
    pub last_event_time: Option<Micros>,
}

/// An object that `ingest` must skip and count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotLogFile {
    /// Full S3 key. A key that ends in `/` is a zero-byte folder object; in a folder it is a folder.
    pub key: String,
    /// `digest`, `insight`, `folder` or `other`.
    pub kind: String,
}

/// Sums over all log files, as delivered: duplicates count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Log files.
    pub files: u64,
    /// Elements of `Records`.
    pub records: u64,
    /// Credential events.
    pub credential_events: u64,
    /// IAM changes.
    pub iam_changes: u64,
    /// Rejected records.
    pub rejected: u64,
    /// Objects that are no log files.
    pub not_log_files: u64,
    /// Credential events by `sts:AssumeRole:success`: service, event name, outcome.
    pub credential_events_by_name: BTreeMap<String, u64>,
    /// Records signed with each access key id, long-term and temporary.
    pub records_by_access_key: BTreeMap<String, u64>,
    /// Earliest event time.
    pub first_event_time: Option<Micros>,
    /// Latest event time.
    pub last_event_time: Option<Micros>,
}

/// One act of taking a role: a row of the `assumptions` view.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// Event id of the leading copy.
    pub event_id: String,
    /// Event ids of all records of the act, each once.
    pub event_ids: Vec<String>,
    /// Event time of the leading copy.
    pub event_time: Micros,
    /// Event source of the leading copy.
    pub event_source: String,
    /// Event name of the leading copy.
    pub event_name: String,
    /// `assume_role`, `chained_role`, `service`, `saml`, `web_identity`, `assume_root`,
    /// `console_switch` or `roles_anywhere`.
    pub method: String,
    /// Who, without session; never empty.
    pub caller: String,
    /// `userIdentity.type` of the leading copy; for a switch without its AssumeRole, of whom
    /// `SwitchFrom` names.
    pub caller_type: String,
    /// ARN of the caller, session included.
    pub caller_arn: Option<String>,
    /// Account of the caller.
    pub caller_account_id: Option<String>,
    /// Principal id of the caller.
    pub caller_principal_id: Option<String>,
    /// Name of the session that called.
    pub caller_session_name: Option<String>,
    /// Access key that signed the call.
    pub caller_access_key_id: Option<String>,
    /// `record`, `shared_event`, `switch_role`, `principal_id` or `none`.
    pub caller_resolved_by: String,
    /// Identity provider, as in the record.
    pub identity_provider: Option<String>,
    /// Subject that the provider vouched for.
    pub federated_subject: Option<String>,
    /// The role as the view names it; `None` only for AssumeRoot.
    pub role: Option<String>,
    /// ARN of the role.
    pub role_arn: Option<String>,
    /// `request`, `resource`, `error_message` or `identity`.
    pub role_arn_source: Option<String>,
    /// Account of the role.
    pub role_account_id: Option<String>,
    /// Name of the role, without path.
    pub role_name: Option<String>,
    /// Unique id of the role, where the record carries it.
    pub role_id: Option<String>,
    /// Name of the new session.
    pub session_name: Option<String>,
    /// ARN of the new session.
    pub session_arn: Option<String>,
    /// Access key that the call handed out.
    pub issued_access_key_id: Option<String>,
    /// When it expires.
    pub issued_expiration: Option<Micros>,
    /// Duration as asked for.
    pub duration_seconds: Option<i64>,
    /// External id.
    pub external_id: Option<String>,
    /// Whether the log shows MFA; what is not known is `false`.
    pub mfa: bool,
    /// Source identity of the new session.
    pub source_identity: Option<String>,
    /// Tags of the new session: those sent with the call, and those that came in from the parent session.
    pub session_tags: BTreeMap<String, String>,
    /// Inline session policy.
    pub session_policy: Option<String>,
    /// Target of AssumeRoot.
    pub target_principal: Option<String>,
    /// Address the call came from; for a console switch, the person's.
    pub source_ip: Option<String>,
    /// Service the call came from.
    pub source_service: Option<String>,
    /// User agent; for a console switch, the person's browser.
    pub user_agent: Option<String>,
    /// Region of the leading copy.
    pub aws_region: String,
    /// Accounts whose trails delivered the act.
    pub recipient_account_ids: Vec<String>,
    /// `success` or `failure`.
    pub outcome: String,
    /// Error code.
    pub error_code: Option<String>,
    /// Error message.
    pub error_message: Option<String>,
    /// Whether caller and role are known to lie in different accounts.
    pub cross_account: bool,
    /// Records merged into the row; duplicates do not count.
    pub copies: u64,
}

impl Act {
    /// What was taken: the role, or for AssumeRoot the root of the target account.
    pub fn taken(&self) -> Option<String> {
        let root =
            || self.role_account_id.as_ref().map(|account| format!("arn:aws:iam::{account}:root"));
        if self.method == "assume_root" { root() } else { self.role.clone() }
    }
}

/// One session: a row of the `sessions` view.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Event id of the issuing act; `None` when the issue was not delivered.
    pub session_id: Option<String>,
    /// Event ids of all records that show the issue.
    pub issued_event_ids: Vec<String>,
    /// When it was issued.
    pub issued_time: Micros,
    /// When it expires.
    pub expires: Option<Micros>,
    /// Event name of the issue.
    pub issued_by: Option<String>,
    /// Access key that the issue handed out; without an issue, the key seen in use.
    pub access_key_id: Option<String>,
    /// Access keys seen in use, which may be others than the issued one.
    pub used_access_key_ids: Vec<String>,
    /// ARN of the role.
    pub role_arn: Option<String>,
    /// Account of the role; for AssumeRoot, of the root user.
    pub role_account_id: Option<String>,
    /// Name of the role.
    pub role_name: Option<String>,
    /// Unique id of the role, whether or not the issuing record carries it.
    pub role_id: Option<String>,
    /// Name of the session, of a federated user's too.
    pub session_name: Option<String>,
    /// ARN of the role session.
    pub session_arn: Option<String>,
    /// ARN that records signed in the session carry.
    pub principal_arn: String,
    /// Who took it, as in [`Act::caller`].
    pub caller: Option<String>,
    /// How the caller is known.
    pub caller_resolved_by: Option<String>,
    /// Source identity.
    pub source_identity: Option<String>,
    /// `session_id` of the session that asked for this one, if its issue was delivered.
    pub parent_session_id: Option<String>,
    /// `key`, `session`, `long_term_key` or `none`.
    pub parent_link: String,
    /// Access key that signed the issuing call.
    pub parent_access_key_id: Option<String>,
    /// Sessions between the origin and this one.
    pub depth: u64,
    /// The caller at the root of the chain.
    pub origin: Option<String>,
    /// `iam_user`, `root`, `service`, `saml`, `web_identity`, `identity_center`, `account`,
    /// `role_session` or `unknown`.
    pub origin_kind: String,
    /// Long-term access key at the root of the chain.
    pub origin_access_key_id: Option<String>,
    /// Origin, then the principal of each session down to this one.
    pub chain: Vec<String>,
    /// `key` when any use is linked by the issued key, else `sign_in`, else `session`, else `none`.
    pub link_method: String,
    /// The sign-in session that it is.
    pub sign_in_session_arn: Option<String>,
    /// Uses signed with the issued key; 0 without an issue, as the next.
    pub uses_by_key: u64,
    /// Uses that name the sign-in session that the issue made.
    pub uses_by_sign_in: u64,
    /// Uses that only principal and creation date tie to the session.
    pub uses_by_session: u64,
    /// First use.
    pub first_used: Option<Micros>,
    /// Last use.
    pub last_used: Option<Micros>,
    /// Records signed in the session, as delivered.
    pub event_count: u64,
    /// Those with an error code.
    pub error_count: u64,
}

/// A caller, a role, and how often the one took the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// Caller.
    pub caller: String,
    /// Role.
    pub role: String,
    /// Method.
    pub method: String,
    /// First act.
    pub first_seen: Micros,
    /// Last act.
    pub last_seen: Micros,
    /// Successful acts.
    pub acts: u64,
    /// Distinct session ARNs.
    pub sessions: u64,
    /// Distinct pairs of session ARN and hour: EC2's double issue counts once.
    pub session_hours: u64,
    /// Distinct UTC days with an act.
    pub days_active: u64,
}

/// A long-term access key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyTruth {
    /// `AKIA…`.
    pub access_key_id: String,
    /// ARN of its user.
    pub user_arn: String,
    /// Account of its user.
    pub account_id: String,
    /// First delivered record that it signed.
    pub first_seen: Option<Micros>,
    /// Last delivered record that it signed.
    pub last_seen: Option<Micros>,
    /// Records that it signed, as delivered; 0 when the logs do not show it at all.
    pub event_count: u64,
    /// Those with an error code.
    pub error_count: u64,
}

/// One account, region and day of delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Account.
    pub account_id: String,
    /// Region.
    pub aws_region: String,
    /// Day of delivery, `2026-01-05`.
    pub delivered_date: String,
    /// Log files, of all trails.
    pub files: u64,
    /// Records in them.
    pub records: u64,
    /// Rejected records.
    pub rejected: u64,
    /// Earliest event time.
    pub first_event_time: Option<Micros>,
    /// Latest event time.
    pub last_event_time: Option<Micros>,
    /// Longest time from a file's earliest event to its delivery.
    pub max_lag: Option<Micros>,
    /// Trail prefixes.
    pub trail_prefixes: Vec<String>,
}

/// Records delivered more than once, by how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicates {
    /// Extra copies within one log file.
    pub same_file: u64,
    /// Extra copies in another log file of the same trail.
    pub other_file: u64,
    /// Extra copies in a second trail's files.
    pub second_trail: u64,
    /// Extra copies of credential events, of any kind.
    pub credential_events: u64,
    /// Records replaced by a correction (`addendum.originalEventID`).
    pub superseded: u64,
}

/// What shows a named story. Only delivered records are named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// What the story is.
    pub description: String,
    /// `event_id` of its rows in [`Truth::acts`].
    pub acts: Vec<String>,
    /// `session_id` of its rows in [`Truth::sessions`]; an undelivered issue is not among them.
    pub sessions: Vec<String>,
    /// Event ids of other records that show it.
    pub events: Vec<String>,
    /// Long-term access keys that show it.
    pub keys: Vec<String>,
}
