//! What the views must answer, from the truth and from a plain reading of the records.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, SecondsFormat};
use rolecall_testkit::truth::{Act, Session, Truth};
use serde::Serialize;
use serde_json::Value;

use super::compare::{Expected, text};
use super::records::{Records, Seen, distinct};
use crate::support::Row;

/// Columns that hold times, in the truth as microseconds.
const TIMES: [&str; 12] = [
    "event_time",
    "issued_expiration",
    "issued_time",
    "expires",
    "first_used",
    "last_used",
    "first_seen",
    "last_seen",
    "first_event_time",
    "last_event_time",
    "chain_started",
    "created",
];

/// The longest life of any credentials.
const LONGEST_LIFE: i64 = 36 * 3_600_000_000;

/// The truth, its records, and ways to find things in it.
pub(super) struct Known<'a> {
    pub(super) truth: &'a Truth,
    pub(super) records: Records,
    acts: HashMap<&'a str, &'a Act>,
    sessions: HashMap<&'a str, &'a Session>,
    /// Sessions seen in use with each temporary key.
    sessions_with_key: HashMap<&'a str, usize>,
}

/// A truth as a row.
pub(super) fn row(of: &impl Serialize) -> Row {
    let Value::Object(mut row) = serde_json::to_value(of).unwrap() else { panic!("no row") };
    for (column, value) in &mut row {
        if TIMES.contains(&column.as_str())
            && let Some(micros) = value.as_i64()
        {
            *value = time(micros);
        }
    }
    row
}

/// A time as the formats for programs write it.
pub(super) fn time(micros: i64) -> Value {
    let time = DateTime::from_timestamp_micros(micros).unwrap();
    Value::from(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// The day of a time.
pub(super) fn day(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap().format("%Y-%m-%d").to_string()
}

pub(super) fn set(row: &mut Row, column: &str, value: impl Into<Value>) {
    row.insert(column.to_owned(), value.into());
}

impl<'a> Known<'a> {
    pub(super) fn new(truth: &'a Truth, records: Records) -> Self {
        let mut sessions_with_key = HashMap::new();
        for key in truth.sessions.iter().flat_map(|session| &session.used_access_key_ids) {
            *sessions_with_key.entry(key.as_str()).or_default() += 1;
        }
        let issued = |session: &'a Session| Some((session.session_id.as_deref()?, session));
        Self {
            truth,
            records,
            acts: truth.acts.iter().map(|act| (act.event_id.as_str(), act)).collect(),
            sessions: truth.sessions.iter().filter_map(issued).collect(),
            sessions_with_key,
        }
    }

    pub(super) fn act(&self, event_id: &str) -> Option<&'a Act> {
        self.acts.get(event_id).copied()
    }

    pub(super) fn session(&self, id: &str) -> Option<&'a Session> {
        self.sessions.get(id).copied()
    }

    /// Every row of the view `assumptions`.
    pub(super) fn assumptions(&self) -> Expected {
        let rows = self.truth.acts.iter().map(|act| {
            let mut row = row(act);
            set(&mut row, "event_date", day(act.event_time));
            // What no record tells is null, lists and maps too.
            if act.session_tags.is_empty() {
                set(&mut row, "session_tags", Value::Null);
            }
            if act.recipient_account_ids.is_empty() {
                set(&mut row, "recipient_account_ids", Value::Null);
            }
            row
        });
        Expected {
            what: String::from("assumptions"),
            key: &["event_id"],
            rows: rows.collect(),
            // Where the record carries no id, a name's only one: the rules are tested beside the view.
            unknown: &["known_role_id"],
        }
    }

    /// The rows of the view `sessions` whose issue was delivered.
    pub(super) fn issued_sessions(&self) -> Expected {
        Expected {
            what: String::from("sessions"),
            key: &["session_id"],
            rows: self.sessions.values().map(|session| self.session_row(session)).collect(),
            // Any record of its first hour will do: see `samples`.
            unknown: &["sample_event_id"],
        }
    }

    /// The rows of the view `sessions` whose issue was not delivered.
    pub(super) fn unissued_sessions(&self) -> Expected {
        let unissued = self.truth.sessions.iter().filter(|session| session.session_id.is_none());
        let rows = unissued.map(|session| {
            let mut row = self.session_row(session);
            row.remove("session_id");
            row
        });
        Expected {
            what: String::from("sessions without issue"),
            key: &["principal_arn", "issued_time", "access_key_id"],
            rows: rows.collect(),
            // Their ids are made up: see `unissued_ids`.
            unknown: &["sample_event_id", "session_id"],
        }
    }

    pub(super) fn session_row(&self, session: &Session) -> Row {
        let mut row = row(session);
        let act = session.session_id.as_deref().and_then(|id| self.act(id));
        let line = self.line(session);
        let first = line[0];
        set(&mut row, "issued_event_id", session.session_id.clone());
        set(&mut row, "method", act.map(|act| act.method.clone()));
        set(
            &mut row,
            "role",
            match act {
                Some(act) => act.role.clone(),
                None => session.role_arn.clone(),
            },
        );
        set(&mut row, "chain", session.chain.join(" → "));
        let links: Vec<_> = line.iter().map(|one| one.parent_link.as_str()).collect();
        set(&mut row, "chain_links", links);
        let keys = line.iter().filter_map(|one| one.access_key_id.as_deref());
        let keys: Vec<_> = first.parent_access_key_id.as_deref().into_iter().chain(keys).collect();
        set(&mut row, "chain_access_key_ids", keys);
        set(&mut row, "root_session_id", first.session_id.clone());
        set(&mut row, "chain_started", time(first.issued_time));
        let roles: Vec<_> = line
            .iter()
            .filter_map(|one| Some((&one.role_account_id, one.role_name.as_ref()?)))
            .collect();
        let distinct_roles: BTreeSet<_> = roles.iter().collect();
        set(&mut row, "revisits_role", distinct_roles.len() < roles.len());
        self.set_use(&mut row, session);
        set(&mut row, "unlinked_reason", self.unlinked_reason(first));
        self.set_way_in(&mut row, session, act);
        row
    }

    /// The session and those before it in its chain, from the first on.
    pub(super) fn line<'s>(&self, session: &'s Session) -> Vec<&'s Session>
    where
        'a: 's,
    {
        let mut line = vec![session];
        let mut current = session;
        while let Some(parent) = &current.parent_session_id {
            let Some(above) = self.session(parent) else { break };
            line.push(above);
            current = above;
        }
        line.reverse();
        line
    }

    /// Why nothing stands before the first session of a chain; `None` where nothing should.
    fn unlinked_reason(&self, first: &Session) -> Option<&'static str> {
        let (account, created, otherwise) = match (first.origin_kind.as_str(), &first.session_id) {
            ("account", _) => return Some("other_account"),
            ("role_session", Some(id)) => {
                let issue = self.records.list.iter().find(|seen| seen.event_id == *id);
                let created = issue.and_then(Seen::created).map(str::to_owned);
                // A masked caller does not say when its session began: any time of the longest life.
                let longest_ago = || text(Some(&time(first.issued_time - LONGEST_LIFE)));
                let origin = first.origin.as_deref();
                (origin, created.unwrap_or_else(longest_ago), "not_found")
            }
            (_, Some(_)) => return None,
            (kind, None) => {
                let is_person = kind == "iam_user" || kind == "root";
                let otherwise = if is_person { "console" } else { "not_found" };
                (
                    Some(first.principal_arn.as_str()),
                    text(Some(&time(first.issued_time))),
                    otherwise,
                )
            }
        };
        let account = account.and_then(|arn| arn.split(':').nth(4));
        Some(match self.held_since(account) {
            None => "other_account",
            Some(since) if created.as_str() < since => "before_window",
            Some(_) => otherwise,
        })
    }

    /// The first record that an account's trails delivered.
    pub(super) fn held_since(&self, account: Option<&str>) -> Option<&str> {
        let of_account = self
            .records
            .list
            .iter()
            .filter(|seen| seen.recipient().is_some() && seen.recipient() == account);
        of_account.map(|seen| seen.at.as_str()).min()
    }

    /// Which records were signed in a session.
    pub(super) fn uses<'s>(&'s self, session: &'s Session) -> Vec<&'s Seen> {
        let (Some(first), Some(last)) = (session.first_used, session.last_used) else {
            return Vec::new();
        };
        let (first, last) = (time(first), time(last));
        let (first, last) = (first.as_str().unwrap(), last.as_str().unwrap());
        let by_key = session.used_access_key_ids.iter().flat_map(|key| {
            let alone = self.sessions_with_key.get(key.as_str()) == Some(&1);
            self.records.with_key(key).filter(move |seen| {
                alone || (first <= seen.at.as_str() && seen.at.as_str() <= last)
            })
        });
        let created = time(session.issued_time);
        let by_date = self.records.without_key(&session.principal_arn);
        let by_date = by_date.filter(|seen| seen.created() == created.as_str());
        by_key.chain(by_date).collect()
    }

    fn set_use(&self, row: &mut Row, session: &Session) {
        let uses = self.uses(session);
        assert_eq!(uses.len() as u64, session.event_count, "the truth, or its reader: {session:?}");
        // No service acts on for a session here with a key of its own.
        set(row, "forwarded_count", 0);
        set(row, "forwarded_access_key_ids", Vec::<String>::new());
        let is_twin = |other: &&Session| {
            let near = other.issued_time.abs_diff(session.issued_time) <= 2_000_000;
            near && other.session_id.is_some()
                && other.session_id != session.session_id
                && other.principal_arn == session.principal_arn
        };
        let has_twin = self.truth.sessions.iter().any(|other| is_twin(&other));
        let of_several =
            if has_twin && session.session_id.is_some() { session.uses_by_session } else { 0 };
        set(row, "uses_of_several", of_several);
        set(row, "services", distinct(uses.iter().map(|seen| seen.service())));
        set(row, "source_ips", distinct(uses.iter().filter_map(|seen| seen.source_ip())));
        set(row, "user_agents", distinct(uses.iter().filter_map(|seen| seen.text("/userAgent"))));
    }

    /// Every row of the view `access_keys`: keys that signed something, or that a change names.
    pub(super) fn access_keys(&self) -> Expected {
        let changes = self.key_changes();
        let mut rows = Vec::new();
        for key in &self.truth.keys {
            let id = key.access_key_id.as_str();
            let change = changes.get(id);
            if key.event_count == 0 && change.is_none() {
                continue;
            }
            let uses: Vec<&Seen> = self.records.with_key(id).collect();
            let mut row = row(key);
            for (truth, view) in [
                ("user_arn", "principal_arn"),
                ("first_seen", "first_used"),
                ("last_seen", "last_used"),
            ] {
                let value = row.remove(truth).unwrap();
                set(&mut row, view, value);
            }
            set(&mut row, "user_name", key.user_arn.rsplit('/').next());
            let principal = uses.iter().find_map(|seen| seen.text("/userIdentity/principalId"));
            set(&mut row, "principal_id", principal);
            let named = |seen: &Seen| {
                let arn = Some(key.user_arn.as_str());
                seen.text("/userIdentity/arn") == arn
                    || (!seen.failed() && seen.text("/responseElements/user/arn") == arn)
            };
            if !self.records.list.iter().any(named) {
                // Changes to a key name the user, not the ARN.
                set(&mut row, "principal_arn", Value::Null);
            }
            let days: BTreeSet<&str> = uses.iter().map(|seen| &seen.at[..10]).collect();
            set(&mut row, "days_used", days.len());
            let list = |texts: Value| if uses.is_empty() { Value::Null } else { texts };
            set(&mut row, "services", list(distinct(uses.iter().map(|seen| seen.service()))));
            let regions = uses.iter().filter_map(|seen| seen.text("/awsRegion"));
            set(&mut row, "regions", list(distinct(regions)));
            let sources = uses.iter().filter_map(|seen| seen.source_ip());
            set(&mut row, "source_ips", list(distinct(sources)));
            let agents = uses.iter().filter_map(|seen| seen.text("/userAgent"));
            set(&mut row, "user_agents", list(distinct(agents)));
            let taken = self.truth.acts.iter().filter(|act| {
                act.caller_access_key_id.as_deref() == Some(id) && act.outcome == "success"
            });
            let taken = distinct(taken.filter_map(|act| act.role.as_deref()));
            let none = taken.as_array().is_some_and(Vec::is_empty);
            set(&mut row, "roles", if none { Value::Null } else { taken });
            let change = change.copied().unwrap_or_default();
            set(&mut row, "created", change.created);
            set(&mut row, "created_by", change.created_by);
            set(&mut row, "status", change.status);
            set(&mut row, "status_changed", change.last);
            rows.push(row);
        }
        Expected { what: String::from("access_keys"), key: &["access_key_id"], rows, unknown: &[] }
    }

    /// What the records say of each long-term key's life.
    fn key_changes(&self) -> HashMap<&str, KeyChange<'_>> {
        let mut changes: HashMap<&str, KeyChange<'_>> = HashMap::new();
        let mut records: Vec<&Seen> = self
            .records
            .list
            .iter()
            .filter(|seen| seen.service() == "iam.amazonaws.com" && !seen.failed())
            .collect();
        records.sort_by_key(|seen| (seen.at.as_str(), seen.event_id.as_str()));
        for seen in records {
            let (pointer, status) = match seen.name() {
                "CreateAccessKey" => ("/responseElements/accessKey/accessKeyId", Some("Active")),
                "UpdateAccessKey" => {
                    ("/requestParameters/accessKeyId", seen.text("/requestParameters/status"))
                }
                "DeleteAccessKey" => ("/requestParameters/accessKeyId", Some("Deleted")),
                _ => continue,
            };
            let Some(key) = seen.text(pointer) else { continue };
            let change = changes.entry(key).or_default();
            change.status = status;
            change.last = Some(&seen.at);
            if seen.name() == "CreateAccessKey" {
                change.created = Some(&seen.at);
                change.created_by = seen.principal_arn();
            }
        }
        changes
    }

    /// Every row of the view `coverage`.
    pub(super) fn coverage(&self) -> Expected {
        let rows = self.truth.coverage.iter().map(|cell| {
            let mut row = row(cell);
            let day_of_delivery = row.remove("delivered_date").unwrap();
            set(&mut row, "day", day_of_delivery);
            let lag = row.remove("max_lag").unwrap();
            set(&mut row, "max_delivery_lag_seconds", lag.as_i64().map(|lag| lag / 1_000_000));
            let files = self.truth.files.iter().filter(|file| {
                file.account_id == cell.account_id
                    && file.aws_region == cell.aws_region
                    && day(file.delivered_at) == cell.delivered_date
            });
            let files: Vec<_> = files.collect();
            let events: u64 = files.iter().map(|file| file.credential_events).sum();
            set(&mut row, "credential_events", events);
            let late = files.iter().filter(|file| {
                file.first_event_time.is_some_and(|at| file.delivered_at - at > 3 * 3_600_000_000)
            });
            set(&mut row, "late_files", late.count());
            set(&mut row, "several_trails", cell.trail_prefixes.len() > 1);
            set(&mut row, "undelivered_files", 0);
            set(&mut row, "aggregated_files", 0);
            set(&mut row, "delivered", true);
            set(&mut row, "refusals", Value::Null);
            set(&mut row, "refused_files", 0);
            set(&mut row, "pending_files", 0);
            set(&mut row, "expired", false);
            set(&mut row, "held", true);
            row
        });
        Expected {
            what: String::from("coverage"),
            key: &["account_id", "aws_region", "day"],
            rows: rows.collect(),
            unknown: &[],
        }
    }

    /// Roles as they were taken, by role.
    pub(super) fn roles_taken(&self) -> Expected {
        let mut roles: BTreeMap<&str, Vec<&Act>> = BTreeMap::new();
        for act in &self.truth.acts {
            if let Some(role) = &act.role {
                roles.entry(role).or_default().push(act);
            }
        }
        let rows = roles.into_iter().map(|(role, acts)| {
            let (taken, denied): (Vec<&Act>, Vec<&Act>) =
                acts.into_iter().partition(|act| act.outcome == "success");
            let last = taken.iter().max_by_key(|act| (act.event_time, &act.event_id));
            let mut row = Row::new();
            set(&mut row, "role", role);
            set(&mut row, "assumptions", taken.len());
            set(&mut row, "denied", denied.len());
            set(&mut row, "last_assumed", last.map(|act| time(act.event_time)));
            set(&mut row, "last_assumed_by", last.map(|act| act.caller.clone()));
            set(&mut row, "callers", distinct(taken.iter().map(|act| act.caller.as_str())));
            set(&mut row, "methods", distinct(taken.iter().map(|act| act.method.as_str())));
            row
        });
        Expected {
            what: String::from("roles, as taken"),
            key: &["role"],
            rows: rows.collect(),
            unknown: &[],
        }
    }

    /// Roles as they were used, by unique id.
    pub(super) fn roles_used(&self) -> Expected {
        let mut roles: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
        for seen in &self.records.list {
            let id = seen.text("/userIdentity/sessionContext/sessionIssuer/principalId");
            if let (Some(id), true) = (id, seen.is_of_role_session()) {
                roles.entry(id).or_default().push(seen);
            }
        }
        let rows = roles.into_iter().map(|(id, uses)| {
            let arn = uses[0].text("/userIdentity/sessionContext/sessionIssuer/arn");
            let arn = arn.unwrap_or_default();
            let name = arn.rsplit('/').next().unwrap_or_default();
            let mut row = Row::new();
            set(&mut row, "role", arn);
            set(&mut row, "role_arn", arn);
            set(&mut row, "role_id", id);
            set(&mut row, "role_account_id", arn.split(':').nth(4));
            set(&mut row, "role_name", name);
            set(&mut row, "service_linked", arn.contains(":role/aws-service-role/"));
            set(&mut row, "identity_center", name.starts_with("AWSReservedSSO_"));
            set(&mut row, "first_used", uses.iter().map(|seen| seen.at.as_str()).min());
            set(&mut row, "last_used", uses.iter().map(|seen| seen.at.as_str()).max());
            set(&mut row, "event_count", uses.len());
            set(&mut row, "services", distinct(uses.iter().map(|seen| seen.service())));
            row
        });
        Expected {
            what: String::from("roles, as used"),
            key: &["role_id"],
            rows: rows.collect(),
            unknown: &[],
        }
    }

    /// Event ids of the records that may stand as the sample of a session: those of its first hour.
    pub(super) fn samples<'s>(&'s self, session: &'s Session) -> Vec<&'s str> {
        let uses = self.uses(session);
        let hour = |seen: &&Seen| seen.at[..13].to_owned();
        let first = uses.iter().map(hour).min();
        let early = uses.into_iter().filter(|seen| Some(hour(seen)) == first);
        early.map(|seen| seen.event_id.as_str()).collect()
    }
}

/// What is known of a key from IAM's own records.
#[derive(Clone, Copy, Default)]
struct KeyChange<'a> {
    created: Option<&'a str>,
    created_by: Option<&'a str>,
    status: Option<&'a str>,
    last: Option<&'a str>,
}
