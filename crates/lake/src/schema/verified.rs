//! The columns of what is looked up beside the log files: digests' word on them, and the trails that write them.

use super::ColumnKind::{Date, Flag, Text, TextList, Time};
use super::TableDef;
use super::columns::{always, some};

pub(super) static DIGEST_RESULTS: TableDef = TableDef {
    name: "digest_results",
    comment: "What CloudTrail's digest files prove: one row per digest, log file or gap and outcome; \
              of several rows on one thing the latest checked_at holds",
    partition_column: "delivered_date",
    sort_columns: &["account_id", "aws_region", "period_start", "log_file"],
    bloom_columns: &["log_file"],
    stats_columns: &[
        "subject",
        "status",
        "account_id",
        "aws_region",
        "period_start",
        "period_end",
        "log_file",
        "checked_at",
    ],
    columns: &[
        always(
            "subject",
            Text,
            "What the row is about: digest, log_file, or gap (no digest at all)",
        ),
        always(
            "status",
            Text,
            "verified, altered, missing, unreferenced (a log file that no digest lists) or \
             not_provable (nothing speaks against it, but a signature is not at hand)",
        ),
        some("reason", Text, "Why it is not verified"),
        some(
            "delivered_date",
            Date,
            "Day that the log file's name carries, else that of period_start; partition",
        ),
        some("trail_prefix", Text, "What stands before the account in the key, with AWSLogs"),
        some("account_id", Text, "Account whose log files these are"),
        some("aws_region", Text, "Region whose log files these are"),
        some(
            "period_start",
            Time,
            "Start of the stretch of delivery that the digest covers, or of the gap",
        ),
        some("period_end", Time, "End of that stretch"),
        some("chain", Text, "regular, or backfill for digests that CloudTrail made up for later"),
        some("digest_bucket", Text, "Bucket of the digest"),
        some("digest_key", Text, "Key of the digest"),
        some("digest_sha256", Text, "SHA-256 of the digest's text, in hex"),
        some("public_key_fingerprint", Text, "Which of CloudTrail's public keys signed the digest"),
        some("log_file", Text, "Identity of the log file, as in log_files; null for others"),
        some("bucket", Text, "Bucket of the log file, as the digest says"),
        some("key", Text, "Key of the log file, as the digest says"),
        some("sha256", Text, "SHA-256 of the log file's text as the digest says, in hex"),
        some("found_sha256", Text, "SHA-256 of the log file's text as found, in hex"),
        some(
            "stored_sha256",
            Text,
            "SHA-256 of the log file's bytes as stored: where it equals log_files.sha256, the lake \
             holds what was checked",
        ),
        always("checked_at", Time, "When it was checked"),
    ],
};

pub(super) static TRAILS: TableDef = TableDef {
    name: "trails",
    comment: "What CloudTrail's trails record and what they leave out, one row per trail and look at it \
              (rolecall doctor, rolecall inventory); the latest snapshot_time holds",
    partition_column: "snapshot_date",
    sort_columns: &["trail_arn", "snapshot_time"],
    bloom_columns: &[],
    stats_columns: &["trail_arn", "snapshot_time"],
    columns: &[
        always("trail_arn", Text, "ARN of the trail"),
        always("snapshot_time", Time, "When it was looked at"),
        always("snapshot_date", Date, "Day of snapshot_time (UTC); partition"),
        some("bucket", Text, "Bucket that it delivers to"),
        some(
            "trail_prefix",
            Text,
            "What stands before the account in its keys, with AWSLogs, without an organisation's id",
        ),
        some("multi_region", Flag, "It covers all regions"),
        some("organization", Flag, "It covers all accounts of the organisation"),
        some("logging", Flag, "It was switched on"),
        some("digests", Flag, "It writes digest files"),
        some(
            "not_recorded",
            TextList,
            "What it does not record, so that its absence from the lake proves nothing",
        ),
        some(
            "data_event_types",
            TextList,
            "Resource types whose data events it records, such as AWS::S3::Object",
        ),
    ],
};
