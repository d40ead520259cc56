//! From each session back to whoever stands at the root of its chain.
//!
//! A chain ends where the caller is no session (a user's key, a service, a federated subject), where
//! the calling session's issue is not in the lake, or at [`MAX_DEPTH`]. A chain that runs into itself
//! is cut where it would close.

use std::collections::HashMap;

use datafusion::error::Result;

use super::columns::Columns;
use super::issues::{Issue, Issues};
use super::linking::{Index, Link, Subject};
use super::names::{Name, Names};

/// Sessions that a chain may hold before the walk gives up.
pub(super) const MAX_DEPTH: usize = 64;

/// How a session's caller is tied to what came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    /// The caller's key was handed out by this issue.
    Key(usize),
    /// The caller's record names the sign-in session that this issue made.
    SignIn(usize),
    /// The caller's principal and creation date fit this issue, or it alone lived then.
    Session(usize),
    /// The caller signed with a long-term key.
    LongTermKey,
    /// The caller is no session, or its session has no issue in the lake.
    None(Link),
}

impl Parent {
    pub(super) fn issue(self) -> Option<usize> {
        match self {
            Self::Key(at) | Self::SignIn(at) | Self::Session(at) => Some(at),
            Self::LongTermKey | Self::None(_) => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::SignIn(_) => "sign_in",
            Self::Session(_) => "session",
            Self::LongTermKey => "long_term_key",
            Self::None(_) => "none",
        }
    }
}

/// A session's way back.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) parent: Parent,
    /// The session itself, its parent, and so on to the first.
    pub(super) sessions: Vec<usize>,
    /// Why the walk stopped early.
    pub(super) cut: Option<&'static str>,
}

impl Chain {
    /// The session that the origin took itself.
    pub(super) fn first(&self) -> usize {
        self.sessions.last().copied().unwrap_or_default()
    }

    /// Sessions between the origin and this one.
    pub(super) fn depth(&self) -> usize {
        self.sessions.len().saturating_sub(1)
    }
}

/// The chain of every issue, in the order of [`Issues`].
pub(super) fn walk(issues: &Issues, index: &Index<'_>, names: &Names) -> Vec<Chain> {
    let parents: Vec<_> =
        (0..issues.list.len()).map(|at| parent(&issues.list[at], at, index, names)).collect();
    (0..parents.len()).map(|at| chain(at, &parents)).collect()
}

fn parent(issue: &Issue, at: usize, index: &Index<'_>, names: &Names) -> Parent {
    let caller = &issue.caller_session;
    if names.get(caller.key).is_some_and(|key| key.starts_with("AKIA")) {
        return Parent::LongTermKey;
    }
    let link = match index.find(caller) {
        Link::None => index.find_masked(caller, at),
        found => found,
    };
    match link {
        Link::Key(found) if found != at => Parent::Key(found),
        Link::SignIn(found) if found != at => Parent::SignIn(found),
        Link::Session(found, _) if found != at => Parent::Session(found),
        Link::Key(_) | Link::SignIn(_) | Link::Session(..) => Parent::None(Link::None),
        link => Parent::None(link),
    }
}

fn chain(at: usize, parents: &[Parent]) -> Chain {
    let mut sessions = vec![at];
    let mut cut = None;
    let mut current = at;
    while let Some(next) = parents[current].issue() {
        if sessions.contains(&next) {
            cut = Some("cycle");
            break;
        }
        if sessions.len() > MAX_DEPTH {
            cut = Some("too_long");
            break;
        }
        sessions.push(next);
        current = next;
    }
    Chain { parent: parents[at], sessions, cut }
}

/// The accounts whose trails the lake holds, and since when.
#[derive(Debug, Default)]
pub(super) struct Held {
    since: HashMap<Name, i64>,
}

impl Held {
    /// Takes the rows of one batch of `steps/held_accounts.sql`.
    pub(super) fn push(&mut self, columns: &Columns<'_>, names: &mut Names) -> Result<()> {
        let (account, since) =
            (columns.text("recipient_account_id")?, columns.number("held_since")?);
        for row in 0..columns.rows() {
            if let (Some(account), Some(since)) = (account.name(row, names), since.get(row)) {
                self.since.insert(account, since);
            }
        }
        Ok(())
    }

    /// Why the issue of `subject`'s session is not in the lake.
    pub(super) fn why_unissued(
        &self,
        subject: &Subject,
        link: Link,
        is_role_session: bool,
        names: &Names,
    ) -> &'static str {
        if names.get(subject.role_name).is_some_and(|name| name.starts_with("aws:")) {
            return "made_by_aws";
        }
        match link {
            Link::Ambiguous => return "ambiguous",
            Link::OtherSessionsKey => return "key_reused",
            Link::Key(_) | Link::SignIn(_) | Link::Session(..) | Link::None => {}
        }
        let account = subject.role_account.or(subject.account);
        let Some(since) = account.and_then(|account| self.since.get(&account)) else {
            return "other_account";
        };
        // Where the record does not say when the session was made, it was a session's life ago at most.
        let made_after = subject.created.unwrap_or(subject.at - LONGEST_SESSION_MICROS);
        if made_after < *since {
            return "before_window";
        }
        if is_role_session { "not_found" } else { "console" }
    }
}

const LONGEST_SESSION_MICROS: i64 = 36 * 3_600_000_000;
