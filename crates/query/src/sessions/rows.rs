//! One row of the view, before it becomes columns.

use std::borrow::Cow;

use super::chains::{Chain, Held, Parent};
use super::issues::{CallerKind, Issue, Issues};
use super::linking::Link;
use super::names::{Name, Names};
use super::uses::{Unissued, Use, Used};

/// See the module. Values by column name; what is absent is null.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    texts: Vec<(&'static str, Cow<'a, str>)>,
    numbers: Vec<(&'static str, i64)>,
    lists: Vec<(&'static str, Vec<&'a str>)>,
}

impl<'a> Row<'a> {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_ref())
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.numbers.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
    }

    pub(super) fn list(&self, name: &str) -> &[&'a str] {
        let list = self.lists.iter().find(|(known, _)| *known == name);
        list.map(|(_, list)| list.as_slice()).unwrap_or_default()
    }

    fn set(&mut self, name: &'static str, text: Option<&'a str>) {
        self.texts.extend(text.map(|text| (name, Cow::Borrowed(text))));
    }

    fn set_number(&mut self, name: &'static str, number: Option<i64>) {
        self.numbers.extend(number.map(|number| (name, number)));
    }

    fn set_list(&mut self, name: &'static str, list: &[Name], names: &'a Names) {
        let mut texts: Vec<_> = list.iter().map(|name| names.text(*name)).collect();
        texts.sort_unstable();
        self.lists.push((name, texts));
    }
}

/// One row per issue, by time and event id; then the sessions without issue, by first use.
pub(super) fn rows<'a>(
    issues: &'a Issues,
    chains: &[Chain],
    used: &'a Used,
    held: &Held,
    names: &'a Names,
) -> Vec<Row<'a>> {
    let mut rows = Vec::with_capacity(issues.list.len() + used.unissued.len());
    for (at, (issue, chain)) in issues.list.iter().zip(chains).enumerate() {
        let used = used.issued.get(&at);
        let mut row = issued(issue, used, names);
        set_chain(&mut row, issue, (chain, chains), issues, held, names);
        set_use(&mut row, used, names);
        rows.push(row);
    }
    let mut unissued: Vec<_> =
        used.unissued.iter().map(|session| unissued_row(session, held, names)).collect();
    unissued.sort_by_cached_key(|row| {
        (row.number("first_used"), row.text("session_id").map(str::to_owned))
    });
    rows.extend(unissued);
    rows
}

fn issued<'a>(issue: &'a Issue, used: Option<&'a Use>, names: &'a Names) -> Row<'a> {
    let mut row = Row::default();
    let session = &issue.session;
    let role_id = session.role_id.or(used.and_then(|used| used.role_id)).or(issue.known_role_id);
    let principal_arn = issue.principal_arn.or(used.and_then(|used| used.principal_arn));
    let source_identity = issue.source_identity.or(used.and_then(|used| used.source_identity));
    let is_role = session.role_name.is_some();
    for (name, value) in [
        ("session_id", Some(issue.event_id)),
        ("issued_event_id", Some(issue.event_id)),
        ("issued_by", issue.event_name),
        ("method", issue.method),
        ("access_key_id", session.key),
        ("role", issue.role),
        ("role_arn", issue.role_arn.or(used.and_then(|used| used.role_arn))),
        ("role_account_id", session.role_account),
        ("role_name", session.role_name),
        ("role_id", role_id.filter(|_| is_role)),
        ("session_name", session.session_name),
        ("session_arn", issue.session_arn),
        ("principal_arn", principal_arn),
        ("caller", issue.caller),
        ("caller_resolved_by", issue.caller_resolved_by),
        ("source_identity", source_identity),
        ("parent_access_key_id", issue.caller_session.key),
    ] {
        row.set(name, names.get(value));
    }
    row.set_list("issued_event_ids", &issue.event_ids, names);
    row.set_number("issued_time", Some(issue.time));
    row.set_number("expires", issue.expires);
    row
}

fn set_chain<'a>(
    row: &mut Row<'a>,
    issue: &'a Issue,
    (chain, chains): (&Chain, &[Chain]),
    issues: &'a Issues,
    held: &Held,
    names: &'a Names,
) {
    let first = &issues.list[chain.first()];
    let parent = chain.parent.issue().map(|at| issues.list[at].event_id);
    let origin_key = names.get(first.caller_session.key).filter(|key| key.starts_with("AKIA"));
    let reason = chain.cut.or_else(|| missing_parent(first, chain, held, issues));
    row.set("parent_session_id", names.get(parent));
    row.set("parent_link", Some(chain.parent.as_str()));
    row.set_number("depth", i64::try_from(chain.depth()).ok());
    row.set("origin", names.get(first.caller));
    row.set("origin_kind", Some(first.caller_kind.as_str()));
    row.set("origin_access_key_id", origin_key);
    row.set("unlinked_reason", reason);
    row.set("root_session_id", names.get(Some(first.event_id)));
    row.set_number("chain_started", Some(first.time));
    row.set_number("revisits_role", Some(i64::from(revisits_role(chain, issues))));
    let links = chain.sessions.iter().rev().map(|at| chains[*at].parent.as_str());
    row.lists.push(("chain_links", links.collect()));
    let keys = chain.sessions.iter().rev().map(|at| issues.list[*at].session.key);
    let keys = std::iter::once(first.caller_session.key).chain(keys);
    row.lists.push(("chain_access_key_ids", keys.filter_map(|key| names.get(key)).collect()));
    debug_assert!(chain.sessions.first().is_some_and(|at| std::ptr::eq(&issues.list[*at], issue)));
    let principals = chain.sessions.iter().rev().map(|at| {
        let issue = &issues.list[*at];
        names.get(issue.principal_arn.or(issue.role)).unwrap_or("?")
    });
    let hops: Vec<_> = names.get(first.caller).into_iter().chain(principals).collect();
    row.texts.push(("chain", Cow::Owned(hops.join(" → "))));
}

/// Role juggling: a chain that comes back to a role renews itself beyond any session's longest life.
fn revisits_role(chain: &Chain, issues: &Issues) -> bool {
    let role = |at: &usize| {
        let session = &issues.list[*at].session;
        session.role_name.map(|name| (session.role_account, name))
    };
    let roles: Vec<_> = chain.sessions.iter().filter_map(role).collect();
    roles.iter().enumerate().any(|(at, role)| roles[..at].contains(role))
}

/// Why the chain's first caller, a session, has no issue of its own; `None` if it is no session.
fn missing_parent(
    first: &Issue,
    chain: &Chain,
    held: &Held,
    issues: &Issues,
) -> Option<&'static str> {
    let caller = &first.caller_session;
    debug_assert!(chain.first() < issues.list.len());
    match first.caller_kind {
        CallerKind::RoleSession => Some(held.why_unissued(caller, Link::None, true)),
        CallerKind::FederatedUser => Some(held.why_unissued(caller, Link::None, true)),
        CallerKind::Account => Some("other_account"),
        _ => None,
    }
}

fn set_use<'a>(row: &mut Row<'a>, used: Option<&'a Use>, names: &'a Names) {
    let Some(used) = used else {
        row.set("link_method", Some("none"));
        for count in ["event_count", "error_count", "uses_by_key", "uses_by_session"] {
            row.set_number(count, Some(0));
        }
        return;
    };
    let by_key = used.records - used.records_by_session;
    row.set("link_method", Some(if by_key > 0 { "key" } else { "session" }));
    row.set_number("uses_by_key", Some(by_key));
    row.set_number("uses_by_session", Some(used.records_by_session));
    set_done(row, used, names);
}

fn set_done<'a>(row: &mut Row<'a>, used: &'a Use, names: &'a Names) {
    row.set_number("first_used", Some(used.first));
    row.set_number("last_used", Some(used.last));
    row.set_number("event_count", Some(used.records));
    row.set_number("error_count", Some(used.errors));
    row.set_list("used_access_key_ids", &used.keys, names);
    row.set_list("services", &used.services, names);
    row.set_list("source_ips", &used.addresses, names);
    row.set_list("user_agents", &used.agents, names);
    row.set("sample_event_id", names.get(used.sample.map(|(_, sample)| sample)));
}

fn unissued_row<'a>(session: &'a Unissued, held: &Held, names: &'a Names) -> Row<'a> {
    let Unissued { subject, link, used } = session;
    let mut row = Row::default();
    let kind = names.get(used.principal_type);
    let is_role = subject.role_name.is_some();
    let principal_arn = names.get(used.principal_arn);
    row.texts.push(("session_id", Cow::Owned(unissued_id(session, names))));
    for (name, value) in [
        ("access_key_id", subject.key),
        ("role_arn", used.role_arn),
        ("role_account_id", subject.role_account),
        ("role_name", subject.role_name),
        ("role_id", subject.role_id),
        ("session_name", subject.session_name),
        ("principal_arn", used.principal_arn),
        ("source_identity", used.source_identity),
    ] {
        row.set(name, names.get(value));
    }
    row.set("session_arn", principal_arn.filter(|_| is_role));
    match (used.role_arn, subject.role_name) {
        (Some(arn), _) => row.set("role", names.get(Some(arn))),
        (None, Some(name)) => {
            let account = names.get(subject.role_account).unwrap_or("?");
            let role = format!("{account}/{}", names.text(name));
            row.texts.push(("role", Cow::Owned(role)));
        }
        (None, None) => {}
    }
    // A user's or root's own session: the record itself says who it is.
    let (origin, origin_kind) = match kind {
        Some("IAMUser") => (principal_arn, CallerKind::IamUser),
        Some("Root") => (principal_arn, CallerKind::Root),
        _ => (None, CallerKind::Unknown),
    };
    let reason = held.why_unissued(subject, *link, origin.is_none());
    row.set("parent_link", Some(Parent::None(*link).as_str()));
    row.set("origin", origin);
    row.set("origin_kind", Some(origin_kind.as_str()));
    row.set("link_method", Some("none"));
    row.set("unlinked_reason", Some(reason));
    row.set_number("issued_time", subject.created);
    row.set_number("chain_started", subject.created);
    row.set_number("depth", Some(0));
    row.set_number("revisits_role", Some(0));
    row.lists.push(("chain_links", vec!["none"]));
    row.lists.push(("chain_access_key_ids", names.get(subject.key).into_iter().collect()));
    for count in ["uses_by_key", "uses_by_session"] {
        row.set_number(count, Some(0));
    }
    let hops: Vec<_> = origin.into_iter().chain(principal_arn).collect();
    row.texts.push(("chain", Cow::Owned(hops.join(" → "))));
    set_done(&mut row, used, names);
    row
}

/// A name for a session that no event names: the same for the same session, whatever else the lake
/// holds.
fn unissued_id(session: &Unissued, names: &Names) -> String {
    let subject = &session.subject;
    let text = |name: Option<Name>| names.get(name).unwrap_or_default().to_owned();
    let created = subject.created.map(|created| created.to_string()).unwrap_or_default();
    let account = text(subject.role_account.or(subject.account));
    let parts = [text(subject.key), text(subject.principal_id), account, created];
    format!("unissued:{:032x}", fnv1a(parts.join("\u{1f}").as_bytes()))
}

/// FNV-1a, 128 bits: stable over versions, and no need to withstand an attacker, who could only make
/// two of their own sessions share a name.
fn fnv1a(bytes: &[u8]) -> u128 {
    let offset = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    let prime = 0x0000_0000_0100_0000_0000_0000_0000_013b_u128;
    bytes.iter().fold(offset, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(prime))
}
