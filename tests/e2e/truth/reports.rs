//! What the reports must answer.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike as _, NaiveDate};
use rolecall_testkit::truth::{Act, Session};
use serde_json::Value;

use super::compare::{Expected, text};
use super::expected::{Known, day, row, set, time};
use super::records::distinct;
use crate::support::Row;

const DAY: i64 = 86_400_000_000;

/// Event ids of the first and the last act.
fn evidence(acts: &[&Act]) -> Value {
    let key = |act: &&&Act| (act.event_time, act.event_id.clone());
    let (first, last) =
        (acts.iter().min_by_key(key).unwrap(), acts.iter().max_by_key(key).unwrap());
    let mut ids = vec![first.event_id.as_str(), last.event_id.as_str()];
    ids.dedup();
    ids.into()
}

fn sources(acts: &[&Act]) -> usize {
    acts.iter().filter_map(|act| act.source_ip.as_deref()).collect::<BTreeSet<_>>().len()
}

impl Known<'_> {
    pub(super) fn assumptions_report(&self) -> Expected {
        let columns = [
            "event_time",
            "caller",
            "caller_session_name",
            "caller_account_id",
            "caller_resolved_by",
            "session_name",
            "method",
            "outcome",
            "error_code",
            "user_agent",
            "mfa",
            "source_identity",
            "cross_account",
            "aws_region",
            "event_id",
            "event_ids",
        ];
        let rows = self.truth.acts.iter().map(|act| {
            let mut row = row(act);
            row.retain(|column, _| columns.contains(&column.as_str()));
            set(&mut row, "caller_kind", act.caller_type.clone());
            set(&mut row, "role", act.role.clone().or(act.target_principal.clone()));
            set(&mut row, "source", act.source_ip.clone().or(act.source_service.clone()));
            // Nobody named any here.
            set(&mut row, "network", Value::Null);
            set(&mut row, "with_external_id", act.external_id.is_some());
            row
        });
        Expected {
            what: String::from("report assumptions"),
            key: &["event_id"],
            rows: rows.collect(),
            unknown: &[],
        }
    }

    /// A role that was deleted and made again under its name is two.
    pub(super) fn edges_report(&self) -> Expected {
        let mut rows = Vec::new();
        for edge in &self.truth.edges {
            let acts = self.truth.acts.iter().filter(|act| {
                act.outcome == "success"
                    && act.caller == edge.caller
                    && act.taken().as_ref() == Some(&edge.role)
                    && act.method == edge.method
            });
            let mut by_id: BTreeMap<Option<&str>, Vec<&Act>> = BTreeMap::new();
            for act in acts {
                let id = act.role_id.as_deref().and_then(|id| id.split(':').next());
                by_id.entry(id).or_default().push(act);
            }
            // Where the record carries no id, it is that of the name's only one.
            if by_id.len() <= 2 {
                let unknown = by_id.remove(&None).unwrap_or_default();
                match by_id.values_mut().next() {
                    Some(known) => known.extend(unknown),
                    None => drop(by_id.insert(None, unknown)),
                }
            }
            rows.extend(by_id.values().map(|acts| self.edge_row(row(edge), acts)));
        }
        Expected {
            what: String::from("report edges"),
            key: &["caller", "role", "method", "first_seen"],
            rows,
            unknown: &["role_id", "current"],
        }
    }

    fn edge_row(&self, mut row: Row, acts: &[&Act]) -> Row {
        row.remove("acts");
        let first = acts.iter().map(|act| act.event_time).min().unwrap();
        let last = acts.iter().map(|act| act.event_time).max().unwrap();
        let session = |act: &&Act| act.session_name.clone().unwrap_or_default();
        let hour = |act: &&Act| (session(act), act.event_time / 3_600_000_000);
        set(&mut row, "assumptions", acts.len());
        set(&mut row, "first_seen", time(first));
        set(&mut row, "last_seen", time(last));
        set(&mut row, "sessions", acts.iter().map(session).collect::<BTreeSet<_>>().len());
        set(&mut row, "session_hours", acts.iter().map(hour).collect::<BTreeSet<_>>().len());
        let days = acts.iter().map(|act| day(act.event_time));
        set(&mut row, "days_active", days.collect::<BTreeSet<_>>().len());
        set(&mut row, "distinct_sources", sources(acts));
        set(&mut row, "networks", Value::Null);
        let across = acts.iter().any(|act| act.cross_account);
        set(&mut row, "cross_account", across);
        let caller_account = acts[0].caller_account_id.as_deref();
        set(&mut row, "external", across && self.held_since(caller_account).is_none());
        let ways = acts.iter().map(|act| act.caller_resolved_by.as_str());
        set(&mut row, "resolved_by", distinct(ways));
        // Within a day of the first record of the role's account, the use may well be older.
        let since = self.held_since(acts[0].role_account_id.as_deref());
        let before = text(Some(&time(first - DAY)));
        let censored = since.is_none_or(|since| before.as_str() < since);
        set(&mut row, "first_seen_is_left_censored", censored);
        set(&mut row, "evidence_event_ids", evidence(acts));
        row
    }

    pub(super) fn denied_report(&self) -> Expected {
        let mut groups: BTreeMap<_, Vec<&Act>> = BTreeMap::new();
        for act in &self.truth.denied {
            let group = (&act.caller, &act.role, &act.error_code);
            groups.entry(group).or_default().push(act);
        }
        let rows = groups.into_iter().map(|((caller, role, error), acts)| {
            let of_caller = self.truth.denied.iter().filter(|act| act.caller == *caller);
            let tried: BTreeSet<_> = of_caller.filter_map(|act| act.role.as_ref()).collect();
            let days: BTreeSet<_> = acts.iter().map(|act| day(act.event_time)).collect();
            let times = || acts.iter().map(|act| act.event_time);
            let mut row = Row::new();
            set(&mut row, "caller", caller.clone());
            set(&mut row, "role", role.clone());
            set(&mut row, "error_code", error.clone());
            // No message of the generator says more than its code.
            set(
                &mut row,
                "reason",
                match error.as_deref() {
                    Some("AccessDenied") => "not authorized",
                    Some("ExpiredToken") => "expired credentials",
                    _ => "other",
                },
            );
            set(&mut row, "policy_arn", Value::Null);
            set(&mut row, "attempts", acts.len());
            set(&mut row, "first_seen", time(times().min().unwrap()));
            set(&mut row, "last_seen", time(times().max().unwrap()));
            set(&mut row, "days_active", days.len());
            set(&mut row, "distinct_sources", sources(&acts));
            set(&mut row, "roles_tried", tried.len());
            set(&mut row, "evidence_event_ids", evidence(&acts));
            row
        });
        Expected {
            what: String::from("report denied"),
            key: &["caller", "role", "error_code", "reason"],
            rows: rows.collect(),
            unknown: &["action"],
        }
    }

    /// The view's rows, and every place on every day on which it delivered nothing.
    pub(super) fn coverage_report(&self) -> Expected {
        let columns = [
            "account_id",
            "aws_region",
            "day",
            "files",
            "undelivered_files",
            "aggregated_files",
            "records",
            "rejected",
            "refused_files",
            "refusals",
            "pending_files",
            "late_files",
            "max_delivery_lag_seconds",
            "trail_prefixes",
            "several_trails",
        ];
        let cells = &self.truth.coverage;
        let places: BTreeSet<_> =
            cells.iter().map(|cell| (&cell.account_id, &cell.aws_region)).collect();
        let days: BTreeSet<_> =
            self.truth.files.iter().map(|file| file.delivered_at / DAY).collect();
        let all_days = days.first().copied().unwrap()..=days.last().copied().unwrap();
        let mut rows = self.coverage().rows;
        for row in &mut rows {
            row.retain(|column, _| columns.contains(&column.as_str()));
            set(row, "state", if row["rejected"] == 0 { "HELD" } else { "PARTIAL" });
        }
        for delivered in all_days {
            let delivered = day(delivered * DAY);
            for (account, region) in &places {
                let is_held = cells.iter().any(|cell| {
                    cell.account_id == **account
                        && cell.aws_region == **region
                        && cell.delivered_date == delivered
                });
                if is_held {
                    continue;
                }
                let mut row = Row::new();
                set(&mut row, "account_id", (*account).clone());
                set(&mut row, "aws_region", (*region).clone());
                set(&mut row, "day", delivered.clone());
                let is_missing = self.is_missing(account, region, &delivered);
                set(&mut row, "state", if is_missing { "MISSING" } else { "NO_EVIDENCE" });
                for column in [
                    "files",
                    "undelivered_files",
                    "aggregated_files",
                    "records",
                    "rejected",
                    "refused_files",
                    "pending_files",
                    "late_files",
                ] {
                    set(&mut row, column, 0);
                }
                set(&mut row, "refusals", Value::Null);
                set(&mut row, "several_trails", false);
                set(&mut row, "max_delivery_lag_seconds", Value::Null);
                set(&mut row, "trail_prefixes", Value::Null);
                rows.push(row);
            }
        }
        for row in &mut rows {
            let account = row["account_id"].as_str().unwrap();
            let note = self.is_blind(account).then_some(
                "roles are used but none is seen being taken: does the trail record writes only, or lack us-east-1?",
            );
            set(row, "note", note);
        }
        Expected {
            what: String::from("report coverage"),
            key: &["account_id", "aws_region", "day"],
            rows,
            unknown: &[],
        }
    }

    /// Whether a place that had the habit of delivering paused for longer than comes about by chance.
    fn is_missing(&self, account: &str, region: &str, on: &str) -> bool {
        let number = |day: &str| day.parse::<NaiveDate>().unwrap().num_days_from_ce();
        let here = self
            .truth
            .coverage
            .iter()
            .filter(|cell| cell.account_id == account && cell.aws_region == region);
        let days: BTreeSet<i32> = here.map(|cell| number(&cell.delivered_date)).collect();
        let (first, last) = (*days.first().unwrap(), *days.last().unwrap());
        let (delivered, lived) = (days.len() as f64, f64::from(last - first + 1));
        let before = days.range(..number(on)).next_back();
        let Some(before) = before.filter(|_| delivered >= 7.0 && 2.0 * delivered >= lived) else {
            return false;
        };
        let end = self.truth.files.iter().map(|file| file.delivered_at).max().unwrap();
        let end = number(&day(end));
        let after = days.range(number(on)..).next().copied().unwrap_or(end);
        let chance = (1.0 - delivered / (lived + 1.0)).powi(after - before - 1);
        number(on) < after && chance <= 0.001
    }

    /// Whether an account's roles are seen in use there, and never being taken.
    fn is_blind(&self, account: &str) -> bool {
        let of_account =
            || self.records.list.iter().filter(|seen| seen.recipient() == Some(account));
        let is_used = of_account().any(|seen| {
            seen.is_of_role_session() && seen.text("/userIdentity/accountId") == Some(account)
        });
        let is_taken = of_account().any(|seen| {
            seen.service() == "sts.amazonaws.com"
                && ["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"]
                    .contains(&seen.name())
        });
        is_used && !is_taken
    }

    /// The report `lineage`, asked for some of the sessions.
    pub(super) fn lineage_report(
        &self,
        what: String,
        wanted: impl Fn(&Session, &Row) -> bool,
    ) -> Expected {
        let columns = [
            "issued_time",
            "session_id",
            "role",
            "session_name",
            "origin",
            "origin_kind",
            "origin_access_key_id",
            "chain",
            "depth",
            "parent_session_id",
            "chain_links",
            "link_method",
            "unlinked_reason",
            "chain_started",
            "expires",
            "revisits_role",
            "first_used",
            "last_used",
            "event_count",
            "error_count",
            "services",
            "source_ips",
        ];
        let mut rows = Vec::new();
        for session in &self.truth.sessions {
            let mut row = self.session_row(session);
            if !wanted(session, &row) {
                continue;
            }
            row.retain(|column, _| columns.contains(&column.as_str()));
            let inferred = row["chain_links"].as_array().unwrap().contains(&Value::from("session"));
            let whole = row["unlinked_reason"].is_null();
            set(
                &mut row,
                "confidence",
                match (whole, inferred) {
                    (true, true) => "inferred",
                    (true, false) => "whole",
                    (false, _) => "cut",
                },
            );
            rows.push(row);
        }
        Expected { what, key: &["session_id"], rows, unknown: &[] }
    }

    /// By which way a session came in, as its issue says.
    pub(super) fn set_way_in(&self, row: &mut Row, session: &Session, act: Option<&Act>) {
        let issue = session.session_id.as_deref();
        let issue = issue.and_then(|id| self.records.list.iter().find(|seen| seen.event_id == id));
        let let_in = session.issued_by.as_deref() == Some("CreateOAuth2Token");
        let asked = |name: &str| {
            let path = format!("/requestParameters/{name}");
            issue.filter(|_| let_in).and_then(|seen| seen.text(&path)).map(str::to_owned)
        };
        let (client, resource) = (asked("client_id"), asked("resource"));
        let method = act.map(|act| act.method.as_str());
        let kind = match (session.issued_by.as_deref(), method) {
            (None, _) => None,
            (Some("CreateOAuth2Token"), _) if resource.is_some() => Some("agent"),
            (Some("CreateOAuth2Token"), _) => Some("cli_login"),
            (Some("ConsoleLogin" | "SwitchRole"), _) | (_, Some("console_switch")) => {
                Some("console")
            }
            (_, Some("saml" | "web_identity")) => Some("federation"),
            (_, Some("service" | "roles_anywhere")) => Some("workload"),
            _ => Some("key"),
        };
        set(row, "session_kind", kind);
        set(row, "oauth_client_id", client);
        set(row, "oauth_resource", resource);
    }
}
