//! One row of the view, before it becomes columns.

use std::borrow::Cow;

use super::chains::{Chain, Held, Parent};
use super::issues::{CallerKind, Issues};
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

/// Everything that is known of the sessions, to make rows of.
pub(super) struct Linked<'a> {
    pub(super) issues: &'a Issues,
    /// By position in `issues`.
    pub(super) chains: &'a [Chain],
    pub(super) used: &'a Used,
    pub(super) held: &'a Held,
    pub(super) names: &'a Names,
}

impl<'a> Linked<'a> {
    /// Sessions without issue by first use, each with the name it is given.
    pub(super) fn unissued(&self) -> Vec<(String, &'a Unissued)> {
        let named = self.used.unissued.iter().map(|session| (self.unissued_id(session), session));
        let mut named: Vec<_> = named.collect();
        named.sort_by(|a, b| (a.1.used.first, &a.0).cmp(&(b.1.used.first, &b.0)));
        named
    }

    /// The row of the issue at a position.
    pub(super) fn issued_row(&self, at: usize) -> Row<'a> {
        let (issue, used) = (&self.issues.list[at], self.used.issued.get(&at));
        let session = &issue.session;
        let role_id = session.role_id.or(used.and_then(|used| used.role_id));
        let mut row = Row::default();
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
            ("role_id", session.role_name.and(role_id.or(issue.known_role_id))),
            ("session_name", session.session_name),
            ("session_arn", issue.session_arn),
            ("principal_arn", issue.principal_arn.or(used.and_then(|used| used.principal_arn))),
            ("caller", issue.caller),
            ("caller_resolved_by", issue.caller_resolved_by),
            (
                "source_identity",
                issue.source_identity.or(used.and_then(|used| used.source_identity)),
            ),
            ("parent_access_key_id", issue.caller_session.key),
            ("session_kind", issue.way.kind),
            ("sign_in_session_arn", session.sign_in),
            ("oauth_client_id", issue.way.oauth_client),
            ("oauth_resource", issue.way.oauth_resource),
        ] {
            row.set(name, self.names.get(value));
        }
        row.set_list("issued_event_ids", &issue.event_ids, self.names);
        row.set_number("issued_time", Some(issue.time));
        row.set_number("expires", issue.expires);
        self.set_chain(&mut row, &self.chains[at]);
        self.set_use(&mut row, used);
        row
    }

    fn set_chain(&self, row: &mut Row<'a>, chain: &Chain) {
        let names = self.names;
        let issue = |at: &usize| &self.issues.list[*at];
        let downwards = || chain.sessions.iter().rev();
        let first = issue(&chain.first());
        let parent = chain.parent.issue().map(|at| issue(&at).event_id);
        let origin_key = names.get(first.caller_session.key).filter(|key| key.starts_with("AKIA"));
        row.set("parent_session_id", names.get(parent));
        row.set("parent_link", Some(chain.parent.as_str()));
        row.set_number("depth", i64::try_from(chain.depth()).ok());
        row.set("origin", names.get(first.caller));
        row.set("origin_kind", Some(first.caller_kind.as_str()));
        row.set("origin_access_key_id", origin_key);
        row.set("unlinked_reason", chain.cut.or_else(|| self.missing_parent(chain.first())));
        row.set("root_session_id", names.get(Some(first.event_id)));
        row.set_number("chain_started", Some(first.time));
        row.set_number("revisits_role", Some(i64::from(self.revisits_role(chain))));
        let links = downwards().map(|at| self.chains[*at].parent.as_str());
        row.lists.push(("chain_links", links.collect()));
        let keys = downwards().map(|at| issue(at).session.key);
        let keys = std::iter::once(first.caller_session.key).chain(keys);
        row.lists.push(("chain_access_key_ids", keys.filter_map(|key| names.get(key)).collect()));
        let mut hops: Vec<_> = names.get(first.caller).into_iter().collect();
        for issue in downwards().map(issue) {
            let hop = names.get(issue.role.or(issue.principal_arn)).unwrap_or("?");
            // A user that trades one credential for another stays one hop; a role that takes itself
            // is two.
            if issue.role.is_some() || hops.last() != Some(&hop) {
                hops.push(hop);
            }
        }
        row.texts.push(("chain", Cow::Owned(hops.join(ARROW))));
    }

    /// Role juggling: a chain that comes back to a role renews itself beyond any session's longest
    /// life.
    fn revisits_role(&self, chain: &Chain) -> bool {
        let role = |at: &usize| {
            let session = &self.issues.list[*at].session;
            session.role_name.map(|name| (session.role_account, name))
        };
        let roles: Vec<_> = chain.sessions.iter().filter_map(role).collect();
        roles.iter().enumerate().any(|(at, role)| roles[..at].contains(role))
    }

    /// Why the caller of a chain's first session, if itself a session, has no issue in the lake.
    fn missing_parent(&self, first: usize) -> Option<&'static str> {
        let issue = &self.issues.list[first];
        if issue.way.source_elsewhere {
            return Some("other_partition");
        }
        match (issue.caller_kind, self.chains[first].parent) {
            (CallerKind::RoleSession, Parent::None(link)) => {
                Some(self.held.why_unissued(&issue.caller_session, link, true, self.names))
            }
            (CallerKind::Account, Parent::None(Link::Ambiguous)) => Some("ambiguous"),
            (CallerKind::Account, _) => Some("other_account"),
            _ => None,
        }
    }

    fn set_use(&self, row: &mut Row<'a>, used: Option<&'a Use>) {
        let Some(used) = used else {
            row.set("link_method", Some("none"));
            let counts = [
                "event_count",
                "error_count",
                "uses_by_key",
                "uses_by_sign_in",
                "uses_by_session",
                "uses_of_several",
                "forwarded_count",
            ];
            for count in counts {
                row.set_number(count, Some(0));
            }
            return;
        };
        let by_key = used.records - used.records_by_session - used.records_by_sign_in;
        let method = match (by_key, used.records_by_sign_in, used.records_by_session) {
            (1.., ..) => "key",
            (_, 1.., _) => "sign_in",
            (.., 1..) => "session",
            _ => "forwarded",
        };
        row.set("link_method", Some(method));
        row.set_number("uses_by_key", Some(by_key));
        row.set_number("uses_by_sign_in", Some(used.records_by_sign_in));
        row.set_number("uses_by_session", Some(used.records_by_session));
        row.set_number("uses_of_several", Some(used.records_of_several));
        self.set_done(row, used);
    }

    fn set_done(&self, row: &mut Row<'a>, used: &'a Use) {
        row.set_number("first_used", Some(used.first));
        row.set_number("last_used", Some(used.last));
        row.set_number("event_count", Some(used.records));
        row.set_number("error_count", Some(used.errors));
        row.set_number("forwarded_count", Some(used.forwarded));
        row.set_list("forwarded_access_key_ids", &used.forwarded_keys, self.names);
        row.set_list("used_access_key_ids", &used.keys, self.names);
        row.set_list("services", &used.services, self.names);
        row.set_list("source_ips", &used.addresses, self.names);
        row.set_list("user_agents", &used.agents, self.names);
        row.set("sample_event_id", self.names.get(used.sample.map(|(_, sample)| sample)));
    }

    /// The row of a session without issue.
    pub(super) fn unissued_row(&self, id: &'a str, session: &'a Unissued) -> Row<'a> {
        let Unissued { subject, link, used } = session;
        let names = self.names;
        let principal_arn = names.get(used.principal_arn);
        let mut row = Row::default();
        row.set("session_id", Some(id));
        for (name, value) in [
            ("access_key_id", subject.key),
            ("sign_in_session_arn", subject.sign_in),
            ("role_arn", used.role_arn),
            ("role_account_id", subject.role_account),
            ("role_name", subject.role_name),
            ("role_id", subject.role_id),
            ("session_name", subject.session_name),
            ("session_arn", subject.role_name.and(used.principal_arn)),
            ("principal_arn", used.principal_arn),
            ("source_identity", used.source_identity),
        ] {
            row.set(name, names.get(value));
        }
        let named = |name| format!("{}/{}", names.get(subject.role_account).unwrap_or("?"), name);
        let role = match names.get(used.role_arn) {
            Some(arn) => Some(Cow::Borrowed(arn)),
            None => names.get(subject.role_name).map(|name| Cow::Owned(named(name))),
        };
        row.texts.extend(role.clone().map(|role| ("role", role)));
        // A user's or root's own session: the record itself says who it is.
        let (origin, origin_kind) = match names.get(used.principal_type) {
            Some("IAMUser") => (principal_arn, CallerKind::IamUser),
            Some("Root") => (principal_arn, CallerKind::Root),
            _ => (None, CallerKind::Unknown),
        };
        let reason = self.held.why_unissued(subject, *link, origin.is_none(), names);
        row.set("parent_link", Some(Parent::None(*link).as_str()));
        row.set("origin", origin);
        row.set("origin_kind", Some(origin_kind.as_str()));
        row.set("link_method", Some("none"));
        row.set("unlinked_reason", Some(reason));
        row.set_number("issued_time", subject.created);
        row.set_number("chain_started", subject.created);
        for zero in [
            "depth",
            "revisits_role",
            "uses_by_key",
            "uses_by_sign_in",
            "uses_by_session",
            "uses_of_several",
        ] {
            row.set_number(zero, Some(0));
        }
        row.lists.push(("chain_links", vec!["none"]));
        row.lists.push(("chain_access_key_ids", names.get(subject.key).into_iter().collect()));
        row.texts.extend(role.or(principal_arn.map(Cow::Borrowed)).map(|own| ("chain", own)));
        self.set_done(&mut row, used);
        row
    }

    /// A name for a session that no event names: the same for the same session, whatever else the
    /// lake holds.
    fn unissued_id(&self, session: &Unissued) -> String {
        let subject = &session.subject;
        let text = |name: Option<Name>| self.names.get(name).unwrap_or_default().to_owned();
        let created = subject.created.map(|created| created.to_string()).unwrap_or_default();
        let account = text(subject.role_account.or(subject.account));
        let parts = match subject.sign_in {
            // Its keys change every few minutes.
            Some(session) => {
                [text(Some(session)), text(subject.principal_id), String::new(), String::new()]
            }
            None => [text(subject.key), text(subject.principal_id), account, created],
        };
        format!("unissued:{:032x}", fnv1a(parts.join("\u{1f}").as_bytes()))
    }
}

/// Between the hops of a chain.
const ARROW: &str = " → ";

/// FNV-1a, 128 bits: stable over versions, and no need to withstand an attacker, who could only make
/// two of their own sessions share a name.
fn fnv1a(bytes: &[u8]) -> u128 {
    let offset = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    let prime = 0x0000_0000_0100_0000_0000_0000_0000_013b_u128;
    bytes.iter().fold(offset, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(prime))
}
