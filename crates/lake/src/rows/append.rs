//! Typed rows to columns: which field goes where.

use rolecall_events::rows::{ActivityRow, CredentialEvent, IamChange, LogFile};

use super::builder::TableBuilder;
use super::{FileStatus, LogFileMeta};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Days since the epoch of 0001-01-01 and 9999-12-31. Partition values outside of what other
/// readers can name are moved to the nearest day that they can.
const FIRST_DAY: i64 = -719_162;
const LAST_DAY: i64 = 2_932_896;

/// Day of `time` in UTC, as days since the epoch.
fn day_of(time: i64) -> i32 {
    let day = time.div_euclid(MICROS_PER_DAY).clamp(FIRST_DAY, LAST_DAY);
    i32::try_from(day).unwrap_or_default()
}

/// An event id that is never null.
fn event_id<'a>(
    event_id: Option<&'a str>,
    log_file: &str,
    record_index: u32,
    derived: &'a mut String,
) -> &'a str {
    match event_id {
        Some(event_id) => event_id,
        None => {
            *derived = format!("{log_file}#{record_index}");
            derived
        }
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn credential_event(
    row: &mut TableBuilder,
    event: &CredentialEvent<'_>,
    log_file: &str,
    file: u32,
) {
    let mut derived = String::new();
    let id = event_id(event.event_id, log_file, event.record_index, &mut derived);
    row.text("event_id", Some(id))
        .text("shared_event_id", event.shared_event_id)
        .text("request_id", event.request_id)
        .time("event_time", Some(event.event_time))
        .date("event_date", Some(day_of(event.event_time)))
        .text("event_source", Some(event.event_source))
        .text("event_name", Some(event.event_name))
        .text("event_version", event.event_version)
        .text("aws_region", event.aws_region)
        .text("recipient_account_id", event.recipient_account_id)
        .text("caller_type", event.caller_type)
        .text("caller_arn", event.caller_arn)
        .text("caller_principal_id", event.caller_principal_id)
        .text("caller_account_id", event.caller_account_id)
        .text("caller_user_name", event.caller_user_name)
        .text("caller_access_key_id", event.caller_access_key_id)
        .text("caller_issuer_arn", event.caller_issuer_arn)
        .text("caller_session_name", event.caller_session_name)
        .time("caller_session_created", event.caller_session_created)
        .flag("caller_mfa", event.caller_mfa)
        .text("caller_invoked_by", event.caller_invoked_by)
        .text("caller_on_behalf_of", event.caller_on_behalf_of)
        .text("identity_provider", event.identity_provider)
        .text("federated_subject", event.federated_subject)
        .text("federated_audience", event.federated_audience)
        .text("role_arn", event.role_arn)
        .text("role_arn_source", event.role_arn_source.map(|source| source.as_str()))
        .text("role_account_id", event.role_account_id)
        .text("role_name", event.role_name)
        .text("role_path", event.role_path)
        .text("role_id", event.role_id)
        .text("session_name", event.session_name)
        .text("session_arn", event.session_arn.as_deref());
    row.text("issued_access_key_id", event.issued_access_key_id)
        .time("issued_expiration", event.issued_expiration)
        .count("duration_seconds", event.duration_seconds)
        .text("external_id", event.external_id)
        .text("mfa_serial", event.mfa_serial)
        .text("source_identity", event.source_identity)
        .text("session_policy", event.session_policy)
        .list("session_policy_arns", &event.session_policy_arns)
        .map("session_tags", &event.session_tags)
        .list("transitive_tag_keys", &event.transitive_tag_keys)
        .text("switch_from", event.switch_from)
        .text("target_principal", event.target_principal)
        .text("task_policy_arn", event.task_policy_arn)
        .text("source_ip", event.source_ip)
        .text("source_service", event.source_service)
        .text("user_agent", event.user_agent)
        .text("vpc_endpoint_id", event.vpc_endpoint_id)
        .text("tls_host", event.tls_host)
        .flag("from_console", event.from_console)
        .text("outcome", event.outcome.map(|outcome| outcome.as_str()))
        .text("error_code", event.error_code)
        .text("error_message", event.error_message)
        .flag("read_only", event.read_only)
        .flag("explicit_trust_grant", event.explicit_trust_grant)
        .text("endpoint_type", event.endpoint_type)
        .text("serving_region", event.serving_region)
        .text("log_file", Some(log_file))
        .count("record_index", Some(event.record_index.into()))
        .text("permission_set", event.permission_set)
        .text("supersedes_event_id", event.supersedes_event_id)
        .text("sign_in_session_arn", event.sign_in_session_arn)
        .text("oauth_client_id", event.oauth_client_id)
        .text("oauth_resource", event.oauth_resource)
        .text("web_identity_token_id", event.web_identity_token_id)
        .text("source_principal_arn", event.source_principal_arn)
        .text("source_region", event.source_region)
        .text("credential_id", event.credential_id)
        .end_row(file);
}

pub(super) fn iam_change(
    row: &mut TableBuilder,
    change: &IamChange<'_>,
    log_file: &str,
    file: u32,
) {
    let mut derived = String::new();
    let id = event_id(change.event_id, log_file, change.record_index, &mut derived);
    row.text("event_id", Some(id))
        .time("event_time", Some(change.event_time))
        .date("event_date", Some(day_of(change.event_time)))
        .text("event_name", Some(change.event_name))
        .text("aws_region", change.aws_region)
        .text("recipient_account_id", change.recipient_account_id)
        .text("outcome", change.outcome.map(|outcome| outcome.as_str()))
        .text("error_code", change.error_code)
        .text("actor_arn", change.actor_arn)
        .text("actor_principal_id", change.actor_principal_id)
        .text("actor_access_key_id", change.actor_access_key_id)
        .text("source_ip", change.source_ip)
        .text("source_service", change.source_service)
        .text("user_agent", change.user_agent)
        .text("target_type", Some(change.target_type))
        .text("target_arn", change.target_arn)
        .text("target_name", change.target_name)
        .text("target_id", change.target_id)
        .text("document", change.document.as_deref())
        .text("log_file", Some(log_file))
        .count("record_index", Some(change.record_index.into()))
        .text("event_source", Some(change.event_source))
        .text("policy_arn", change.policy_arn)
        .text("status", change.status)
        .end_row(file);
}

pub(super) fn activity(
    row: &mut TableBuilder,
    activity: &ActivityRow<'_>,
    log_file: &str,
    file: u32,
) {
    let mut derived = String::new();
    let id =
        event_id(activity.sample_event_id, log_file, activity.sample_record_index, &mut derived);
    row.time("hour", Some(activity.hour))
        .date("event_date", Some(day_of(activity.hour)))
        .text("access_key_id", activity.access_key_id)
        .text("credential_kind", Some(activity.credential_kind.as_str()))
        .text("principal_type", activity.principal_type)
        .text("principal_id", activity.principal_id)
        .text("principal_arn", activity.principal_arn)
        .text("account_id", activity.account_id)
        .text("user_name", activity.user_name)
        .text("role_arn", activity.role_arn)
        .text("role_id", activity.role_id)
        .text("session_name", activity.session_name)
        .time("session_created", activity.session_created)
        .text("source_identity", activity.source_identity)
        .text("invoked_by", activity.invoked_by)
        .text("in_scope_of", activity.in_scope_of)
        .flag("mfa", activity.mfa)
        .text("event_source", Some(activity.event_source))
        .text("event_name", Some(activity.event_name))
        .text("event_category", activity.event_category)
        .text("aws_region", activity.aws_region)
        .text("recipient_account_id", activity.recipient_account_id)
        .text("error_code", activity.error_code)
        .text("source_ip", activity.source_ip)
        .text("source_service", activity.source_service)
        .text("user_agent", activity.user_agent)
        .count("event_count", Some(signed(activity.event_count)))
        .time("first_time", Some(activity.first_time))
        .time("last_time", Some(activity.last_time))
        .text("sample_event_id", Some(id))
        .text("log_file", Some(log_file))
        .text("sign_in_session_arn", activity.sign_in_session_arn)
        .end_row(file);
}

/// What the ledger says about one file beside where it came from.
pub(crate) struct LedgerRow<'a> {
    pub(crate) status: FileStatus,
    /// None where nothing was read.
    pub(crate) account: Option<&'a super::FileAccount>,
    pub(crate) refusal: Option<&'a str>,
    pub(crate) pending_tables: &'a [&'a str],
    pub(crate) parser_version: Option<i64>,
    pub(crate) batch_id: &'a str,
}

/// Appends a ledger row. An empty text in `meta` is stored as null.
pub(crate) fn ledger(row: &mut TableBuilder, meta: &LogFileMeta, entry: &LedgerRow<'_>, file: u32) {
    fn filled(text: &str) -> Option<&str> {
        (!text.is_empty()).then_some(text)
    }
    let optional = |text: &'_ Option<String>| text.clone().filter(|text| !text.is_empty());
    let account = entry.account;
    row.text("log_file", Some(&meta.log_file))
        .date("delivered_date", meta.delivered_date)
        .text("bucket", optional(&meta.bucket).as_deref())
        .text("key", filled(&meta.key))
        .text("version_id", optional(&meta.version_id).as_deref())
        .text("etag", optional(&meta.etag).as_deref())
        .text("sha256", filled(&meta.sha256))
        .count("bytes", account.map(|_| signed(meta.bytes)).or(meta.known_bytes()))
        .text("trail_prefix", optional(&meta.trail_prefix).as_deref())
        .text("account_id", optional(&meta.account_id).as_deref())
        .text("aws_region", optional(&meta.aws_region).as_deref())
        .time("delivered_at", meta.delivered_at)
        .time("ingested_at", Some(meta.ingested_at))
        .text("status", Some(entry.status.as_str()))
        .count("records", account.map(|account| signed(account.records)))
        .count("credential_events", account.map(|account| signed(account.credential_events)))
        .count("iam_changes", account.map(|account| signed(account.iam_changes)))
        .count("rejected", account.map(|account| signed(account.rejected)))
        .time("first_event_time", account.and_then(|account| account.first_event_time))
        .time("last_event_time", account.and_then(|account| account.last_event_time))
        .count("parser_version", entry.parser_version)
        .text("batch_id", filled(entry.batch_id))
        .text("refusal", entry.refusal)
        .list("pending_tables", entry.pending_tables)
        .end_row(file);
}

/// Appends all rows of one log file, as file number `file` of the batch.
pub(super) fn log_file(tables: &mut [TableBuilder; 3], rows: &LogFile<'_>, name: &str, file: u32) {
    let [credential_events, iam_changes, activity_rows] = tables;
    for event in &rows.credential_events {
        credential_event(credential_events, event, name, file);
    }
    for change in &rows.iam_changes {
        iam_change(iam_changes, change, name, file);
    }
    for row in &rows.activity {
        activity(activity_rows, row, name, file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_round_down_and_stay_nameable() {
        assert_eq!(day_of(0), 0);
        assert_eq!(day_of(-1), -1);
        assert_eq!(day_of(MICROS_PER_DAY), 1);
        assert_eq!(i64::from(day_of(i64::MAX)), LAST_DAY);
        assert_eq!(i64::from(day_of(i64::MIN)), FIRST_DAY);
    }
}
