//! Which issued session a record was signed in.
//!
//! By access key, for the same owner and with the session's creation date or within its life: key ids come back after a
//! while, so a key alone proves nothing. Then by the sign-in session that the record names, where the lake saw that being made for
//! the same owner. By principal and creation date only what was signed without a key, by a service that
//! acts on with a key of its own, or in a session that is known to use other keys than its issue shows, as the console and
//! Identity Center do: any other key is another session's, whatever name and second they share. A caller from another account
//! is masked: its record has neither key nor date, and only the one session of its role and name that lives at the time will do.

use std::collections::HashMap;

use super::issues::{Issue, Issues};
use super::names::{Name, Names};

/// Clocks of different services may disagree by this much.
pub(super) const SLACK_MICROS: i64 = 2_000_000;
/// The longest life of any session: GetSessionToken and GetFederationToken.
const LONGEST_LIFE_MICROS: i64 = 36 * 3_600_000_000;

/// What kind of principal credentials stand for: a user's or root's record is never a role session's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    Role,
    User,
    Root,
    Federated,
    /// Nothing says.
    #[default]
    Unknown,
}

impl Owner {
    /// By the type of `userIdentity` and its ARN; some services write another type for a role's session.
    pub(super) fn of(kind: Option<&str>, arn: Option<&str>) -> Self {
        let arn = arn.unwrap_or_default();
        match kind {
            _ if arn.contains(":assumed-role/") => Self::Role,
            Some("AssumedRole") => Self::Role,
            Some("IAMUser") => Self::User,
            Some("Root") => Self::Root,
            Some("FederatedUser") => Self::Federated,
            _ if arn.contains(":user/") => Self::User,
            _ if arn.ends_with(":root") => Self::Root,
            _ if arn.contains(":federated-user/") => Self::Federated,
            _ => Self::Unknown,
        }
    }
}

/// Whose credentials signed something, and when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    pub(super) key: Option<Name>,
    pub(super) principal_id: Option<Name>,
    pub(super) account: Option<Name>,
    pub(super) role_account: Option<Name>,
    pub(super) role_name: Option<Name>,
    pub(super) role_id: Option<Name>,
    pub(super) session_name: Option<Name>,
    pub(super) owner: Owner,
    /// Whether a service signed, with a key of its own, on the owner's behalf.
    pub(super) forwarded: bool,
    /// The sign-in session that it is, or was made in.
    pub(super) sign_in: Option<Name>,
    /// When the session says that it was made.
    pub(super) created: Option<i64>,
    /// When the signing was seen.
    pub(super) at: i64,
}

impl Subject {
    /// What two sightings of one session say together, whichever came first.
    pub(super) fn with(&self, other: &Self, names: &Names) -> Self {
        Self {
            key: names.min(self.key, other.key),
            principal_id: names.min(self.principal_id, other.principal_id),
            account: names.min(self.account, other.account),
            role_account: names.min(self.role_account, other.role_account),
            role_name: names.min(self.role_name, other.role_name),
            role_id: names.min(self.role_id, other.role_id),
            session_name: names.min(self.session_name, other.session_name),
            owner: if self.owner == Owner::Unknown { other.owner } else { self.owner },
            forwarded: self.forwarded && other.forwarded,
            sign_in: names.min(self.sign_in, other.sign_in),
            created: self.created.or(other.created),
            at: self.at.min(other.at),
        }
    }
}

/// Whether another issue would do as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// None would.
    Only,
    /// Others of the same caller, name and moment would: it is as likely theirs.
    OneOfSeveral,
}

/// What a subject was linked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// The issue handed out the very key.
    Key(usize),
    /// The issue made the sign-in session that the record names.
    SignIn(usize),
    /// The issue made a session of this principal at this time; it may be one of several of one caller.
    Session(usize, Choice),
    /// Several issues would do, and their callers differ.
    Ambiguous,
    /// The key was handed out in the lake, but not for this session.
    OtherSessionsKey,
    /// Nothing fits.
    None,
}

/// Issues by what they can be found by.
pub(super) struct Index<'a> {
    issues: &'a [Issue],
    by_sign_in: HashMap<Name, Vec<usize>>,
    by_key: HashMap<Name, Vec<usize>>,
    by_principal: HashMap<Name, Vec<usize>>,
    by_role_session: HashMap<(Name, Name, Name), Vec<usize>>,
}

impl<'a> Index<'a> {
    pub(super) fn new(issues: &'a Issues) -> Self {
        let mut index = Self {
            issues: &issues.list,
            by_sign_in: HashMap::new(),
            by_key: HashMap::new(),
            by_principal: HashMap::new(),
            by_role_session: HashMap::new(),
        };
        for (at, issue) in issues.list.iter().enumerate() {
            let session = &issue.session;
            if let Some(sign_in) = session.sign_in {
                index.by_sign_in.entry(sign_in).or_default().push(at);
            }
            if let Some(key) = session.key {
                index.by_key.entry(key).or_default().push(at);
            }
            if let Some(principal) = session.principal_id {
                index.by_principal.entry(principal).or_default().push(at);
            }
            if let Some(role_session) = role_session(session) {
                index.by_role_session.entry(role_session).or_default().push(at);
            }
        }
        index
    }

    /// The issue of the session that `subject` is.
    pub(super) fn find(&self, subject: &Subject) -> Link {
        let with_key = subject.key.and_then(|key| self.by_key.get(&key));
        let with_key = with_key.map(Vec::as_slice).unwrap_or_default();
        match self.by_key(subject, with_key) {
            Link::None => {}
            found => return found,
        }
        match self.by_sign_in(subject) {
            Link::None => {}
            found => return found,
        }
        match self.by_session(subject) {
            Link::None if !with_key.is_empty() => Link::OtherSessionsKey,
            found => found,
        }
    }

    fn by_key(&self, subject: &Subject, with_key: &[usize]) -> Link {
        let own = with_key.iter().copied();
        let own: Vec<_> = own.filter(|&at| same_owner(subject, &self.issues[at].session)).collect();
        // With the creation date, the key is proven even where the session has expired and the call failed.
        let made_then = |at: &usize| self.gap(*at, subject.created).is_some();
        let exact: Vec<_> = own.iter().copied().filter(made_then).collect();
        let alive = own.into_iter().filter(|&at| self.is_alive(at, subject.at));
        let best = if exact.is_empty() { alive.collect() } else { exact };
        // The latest issue: the same key again means that the earlier session is over.
        self.agreed(&best, best.last().copied()).map_or(Link::None, |found| match found {
            Some(at) => Link::Key(at),
            None => Link::Ambiguous,
        })
    }

    /// A role that was taken in a sign-in session may name it too: that is the role's session, not the person's.
    fn by_sign_in(&self, subject: &Subject) -> Link {
        let made = subject.sign_in.and_then(|session| self.by_sign_in.get(&session));
        let made = made.into_iter().flatten().copied();
        let mut own = made.filter(|&at| same_owner(subject, &self.issues[at].session));
        match (own.next(), own.next()) {
            (None, _) => Link::None,
            (Some(only), None) => Link::SignIn(only),
            // Let in twice in one sign-in session, for other things: the same person either way.
            (Some(first), Some(_)) => Link::Session(first, Choice::OneOfSeveral),
        }
    }

    fn by_session(&self, subject: &Subject) -> Link {
        let by_principal = subject.principal_id.and_then(|id| self.by_principal.get(&id));
        let by_role = role_session(subject).and_then(|role| self.by_role_session.get(&role));
        let mut fitting: Vec<(i64, usize)> = Vec::new();
        for list in [by_principal, by_role].into_iter().flatten() {
            for &at in self.near(list, subject.created) {
                if let Some(gap) = self.gap(at, subject.created)
                    && (subject.key.is_none()
                        || subject.forwarded
                        || self.issues[at].uses_other_keys)
                    && same_owner(subject, &self.issues[at].session)
                    && !fitting.contains(&(gap, at))
                {
                    fitting.push((gap, at));
                }
            }
        }
        fitting.sort_unstable();
        let list: Vec<_> = fitting.iter().map(|(_, at)| *at).collect();
        self.agreed(&list, list.first().copied()).map_or(Link::None, |found| match found {
            Some(at) if list.len() == 1 => Link::Session(at, Choice::Only),
            Some(at) => Link::Session(at, Choice::OneOfSeveral),
            None => Link::Ambiguous,
        })
    }

    /// Whose session a masked caller is, other than the one at `itself`, which its call made.
    pub(super) fn find_masked(&self, subject: &Subject, itself: usize) -> Link {
        if subject.key.is_some() || subject.created.is_some() || subject.role_id.is_none() {
            return Link::None;
        }
        let list = subject.principal_id.and_then(|id| self.by_principal.get(&id));
        let list = list.into_iter().flatten().copied();
        let alive: Vec<_> =
            list.filter(|&at| at != itself && self.is_alive(at, subject.at)).collect();
        match alive.as_slice() {
            [] => Link::None,
            [only] => Link::Session(*only, Choice::Only),
            _ => Link::Ambiguous,
        }
    }

    /// Whether the session of an issue lives at a time.
    fn is_alive(&self, at: usize, time: i64) -> bool {
        let issue = &self.issues[at];
        let end = issue.expires.unwrap_or(issue.time.saturating_add(LONGEST_LIFE_MICROS));
        issue.time - SLACK_MICROS <= time && time <= end.saturating_add(SLACK_MICROS)
    }

    /// The part of `list` (ordered by time) that lies around `created`.
    fn near<'l>(&self, list: &'l [usize], created: Option<i64>) -> &'l [usize] {
        let Some(created) = created else { return &[] };
        let start = list.partition_point(|&at| self.issues[at].time < created - SLACK_MICROS);
        let end = list.partition_point(|&at| self.issues[at].time <= created + SLACK_MICROS);
        list.get(start..end).unwrap_or_default()
    }

    /// How far the issue's time is from `created`, if within the slack.
    fn gap(&self, at: usize, created: Option<i64>) -> Option<i64> {
        let gap = self.issues[at].time.abs_diff(created?);
        i64::try_from(gap).ok().filter(|gap| *gap <= SLACK_MICROS)
    }

    /// `Some(Some(choice))` if all of `list` have one caller, `Some(None)` if not, `None` if empty.
    fn agreed(&self, list: &[usize], choice: Option<usize>) -> Option<Option<usize>> {
        let first = self.issues[*list.first()?].caller;
        let agree = list.iter().all(|&at| self.issues[at].caller == first);
        Some(choice.filter(|_| agree))
    }
}

fn role_session(subject: &Subject) -> Option<(Name, Name, Name)> {
    Some((subject.role_account?, subject.role_name?, subject.session_name?))
}

/// Whether both may be sessions of the same role, or of the same account where one has no role. A
/// role that was deleted and made again under its old name is another role.
fn same_owner(a: &Subject, b: &Subject) -> bool {
    if a.owner != Owner::Unknown && b.owner != Owner::Unknown && a.owner != b.owner {
        return false;
    }
    if a.sign_in.is_some() && b.sign_in.is_some() && a.sign_in != b.sign_in {
        return false;
    }
    if let (Some(a), Some(b)) = (a.role_id, b.role_id) {
        return a == b;
    }
    if a.role_name.is_some() && b.role_name.is_some() {
        return a.role_name == b.role_name && a.role_account == b.role_account;
    }
    match (a.role_account.or(a.account), b.role_account.or(b.account)) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}
