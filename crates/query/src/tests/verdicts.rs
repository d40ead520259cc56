//! Verdicts on keys, roles and users: each edge case a fixture with its expected row.
//!
//! Every case has an account of its own, so that all of one report's cases lie in one lake and one run answers them.

mod alive;
mod burn_down;
mod callers;
mod decision_table;
mod key_candidates;
mod key_footprint;
mod key_migration;
mod leavers;
mod owners;
mod stale_keys;
mod unused_roles;
mod unused_users;
mod words;

use chrono::{Duration, NaiveDate};

use super::lake::{Row, TestLake, at, delivered_name, used};

/// Days of the report's window.
const WINDOW: i64 = 90;
const DAY: i64 = 86_400_000_000;

/// The time `days` before the reports' "now", 1 July 2026, as text.
fn ago(days: i64) -> String {
    let now = NaiveDate::from_ymd_opt(2026, 7, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
    (now - Duration::days(days)).format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// An account for the case called `name`: twelve digits, the same each time.
fn account(name: &str) -> String {
    let sum = name.bytes().fold(7_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 999_999_999_983);
    format!("{sum:012}")
}

/// A key for the case called `name`.
fn key_id(name: &str) -> String {
    format!("AKIA{}", name.to_uppercase().replace([' ', '-'], ""))
}

/// The account that a case is about, with what is known of it.
struct Case {
    account: String,
    snapshot: Option<i64>,
    lake: TestLake,
}

impl Case {
    fn new(name: &str) -> Self {
        Self { account: account(name), snapshot: None, lake: TestLake::default() }
    }

    /// A snapshot of the account was taken `days` ago, and holds `parts`.
    fn snapshot(self, days: i64, parts: &[&str]) -> Self {
        self.snapshot_asked(days, days, parts)
    }

    /// The same, and IAM was asked about last uses `asked` days ago.
    fn snapshot_asked(mut self, days: i64, asked: i64, parts: &[&str]) -> Self {
        self.snapshot = Some(days);
        let row = self
            .row()
            .text("source", "files")
            .list("parts", parts)
            .number("last_used_as_of", at(&ago(asked)));
        self.add("iam_snapshots", row)
    }

    /// The beginning of a row of the latest snapshot.
    fn row(&self) -> Row {
        let days = self.snapshot.unwrap();
        Row::default()
            .text("snapshot_id", format!("{}-{days}", self.account))
            .number("snapshot_time", at(&ago(days)))
            .number("snapshot_date", at(&ago(days)) / DAY)
            .text("account_id", self.account.clone())
    }

    fn add(mut self, table: &'static str, row: Row) -> Self {
        self.lake = self.lake.rows(table, [row]);
        self
    }

    /// An active key in the snapshot, made `created` days ago, whose last use was read from IAM.
    fn key(&self, user: &str, key: &str, created: i64) -> Row {
        self.row()
            .text("user_name", user)
            .text("user_arn", format!("arn:aws:iam::{}:user/{user}", self.account))
            .text("access_key_id", key)
            .flag("is_root", false)
            .text("status", "Active")
            .number("created", at(&ago(created)))
            .flag("last_used_known", true)
    }

    /// Log files of the account on each of the last `days` days, and on the day that begins with the answer.
    fn logs(self, days: i64) -> Self {
        self.logs_but(days, None)
    }

    /// The same without the day so many days ago.
    fn logs_but(mut self, days: i64, missing: Option<i64>) -> Self {
        let file = |day: i64| {
            Row::default()
                .text("log_file", delivered_name(&self.account, "us-east-1", at(&ago(day)), "x"))
                .number("delivered_date", at(&ago(day)) / DAY)
                .number("delivered_at", at(&ago(day)))
                .text("account_id", self.account.clone())
                .text("aws_region", "us-east-1")
                .text("status", "complete")
                .number("records", 1)
                .number("first_event_time", at(&ago(day)))
                .number("last_event_time", at(&ago(day)))
        };
        let held = (0..=days).filter(|day| Some(*day) != missing);
        let files: Vec<_> = held.map(file).collect();
        self.lake = self.lake.rows("log_files", files);
        self
    }

    /// A record signed with `key` by `user`, `days` ago.
    fn signed(&self, user: &str, key: &str, days: i64) -> Row {
        used(&ago(days), &ago(days), 1)
            .key(key)
            .text("principal_type", "IAMUser")
            .text("principal_id", format!("AIDA{}", user.to_uppercase()))
            .text("principal_arn", format!("arn:aws:iam::{}:user/{user}", self.account))
            .text("account_id", self.account.clone())
            .text("recipient_account_id", self.account.clone())
            .text("user_name", user)
            .text("sample_event_id", format!("{key}-{days}"))
    }

    /// A trail of the account was seen two days ago, and records these data events.
    fn trail(self, data_event_types: &[&str]) -> Self {
        let row = Row::default()
            .text("trail_arn", format!("arn:aws:cloudtrail:eu-west-1:{}:trail/t", self.account))
            .number("snapshot_time", at(&ago(2)))
            .number("snapshot_date", at(&ago(2)) / DAY)
            .flag("organization", false)
            .flag("logging", true)
            .list("data_event_types", data_event_types);
        self.add("trails", row)
    }

    /// A change of a key, `days` ago.
    fn key_change(&self, event: &str, user: &str, key: &str, days: i64) -> Row {
        super::lake::change(&format!("{event}-{key}-{days}"), &ago(days), event, "access_key", user)
            .text("recipient_account_id", self.account.clone())
            .text("target_id", key)
    }
}

/// One lake of all cases.
fn lake(cases: impl IntoIterator<Item = Case>) -> TestLake {
    cases.into_iter().fold(TestLake::default(), |lake, case| lake.merged(case.lake))
}

/// A last use by IAM.
fn by_iam(row: Row, days: i64, service: &str) -> Row {
    row.number("last_used", at(&ago(days)))
        .text("last_used_service", service)
        .text("last_used_region", "eu-west-1")
}

/// What a case gave, and what it should have given.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn add(&mut self, name: &str, found: &[&str], expected: &[String]) {
        if found != expected {
            self.0.push(format!("{name}:\n  found    {found:?}\n  expected {expected:?}"));
        }
    }

    /// Fails with all of them, not with the first alone.
    fn none(self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}
