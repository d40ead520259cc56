//! The sessions that the lake saw being issued, by time and event id.

use std::collections::HashMap;

use datafusion::error::Result;

use super::columns::Columns;
use super::linking::{Owner, SLACK_MICROS, Subject};
use super::names::{Name, Names};
use super::uses::Used;
use crate::functions::arn;

/// One session's issue.
#[derive(Debug)]
pub(super) struct Issue {
    pub(super) event_id: Name,
    pub(super) event_ids: Vec<Name>,
    pub(super) time: i64,
    pub(super) event_name: Option<Name>,
    pub(super) method: Option<Name>,
    pub(super) expires: Option<i64>,
    /// Who the session is: the key it was given, its role and name, its creation time.
    pub(super) session: Subject,
    pub(super) role: Option<Name>,
    pub(super) role_arn: Option<Name>,
    /// The only unique id that the lake knows for the role's name.
    pub(super) known_role_id: Option<Name>,
    pub(super) session_arn: Option<Name>,
    pub(super) principal_arn: Option<Name>,
    pub(super) caller: Option<Name>,
    pub(super) caller_resolved_by: Option<Name>,
    /// Whose credentials signed the issuing call.
    pub(super) caller_session: Subject,
    pub(super) caller_kind: CallerKind,
    pub(super) source_identity: Option<Name>,
    /// Whether what is done in the session is signed with other keys than the issue shows, or may be.
    pub(super) uses_other_keys: bool,
    pub(super) way: WayIn,
}

/// By which way a session came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct WayIn {
    pub(super) kind: Option<Name>,
    /// The sign-in session that it is.
    pub(super) sign_in: Option<Name>,
    pub(super) oauth_client: Option<Name>,
    pub(super) oauth_resource: Option<Name>,
    /// Whether the caller asked for its token in another partition, whose half is not in the lake.
    pub(super) source_elsewhere: bool,
}

/// What kind of caller stands at the start of a chain, if nothing stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallerKind {
    IamUser,
    Root,
    Service,
    Saml,
    WebIdentity,
    IdentityCenter,
    /// Masked, and named nowhere in the lake.
    Account,
    /// A role session that is not linked to its issue.
    RoleSession,
    /// Named, but of none of these kinds: the holder of a certificate, for one.
    Unknown,
}

impl CallerKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::IamUser => "iam_user",
            Self::Root => "root",
            Self::Service => "service",
            Self::Saml => "saml",
            Self::WebIdentity => "web_identity",
            Self::IdentityCenter => "identity_center",
            Self::Account => "account",
            Self::RoleSession => "role_session",
            Self::Unknown => "unknown",
        }
    }
}

/// All issues; the order is by time and event id.
#[derive(Debug, Default)]
pub(super) struct Issues {
    pub(super) list: Vec<Issue>,
    /// Sessions that were taken into the console, by principal: when they were made, as far as the record says, or seen.
    sign_ins: HashMap<Name, Vec<(Option<i64>, i64)>>,
    /// Where the issue of a program that was let in stands: by sign-in session, client and what it is for.
    grants: HashMap<WayIn, usize>,
}

impl Issues {
    /// Takes the rows of one batch of `steps/issues.sql`, which orders them.
    pub(super) fn push(&mut self, columns: &Columns<'_>, names: &mut Names) -> Result<()> {
        let event_id = columns.text("event_id")?;
        let event_ids = columns.text_list("event_ids")?;
        let time = columns.number("event_time")?;
        let expires = columns.number("expires")?;
        let created = columns.number("caller_session_created")?;
        let text = |name: &str| columns.text(name);
        let [event_name, key, role] =
            [text("event_name")?, text("issued_access_key_id")?, text("role")?];
        let [role_arn, role_account, role_name] =
            [text("role_arn")?, text("role_account_id")?, text("role_name")?];
        let [role_id, known_role_id, session_name] =
            [text("role_id")?, text("known_role_id")?, text("session_name")?];
        let [session_arn, principal_id, principal_arn, account] = [
            text("session_arn")?,
            text("principal_id")?,
            text("principal_arn")?,
            text("session_account_id")?,
        ];
        let [method, caller, resolved_by, source_identity] = [
            text("method")?,
            text("caller")?,
            text("caller_resolved_by")?,
            text("source_identity")?,
        ];
        let [issues_session, other_keys] =
            [columns.flag("issues_session")?, columns.flag("uses_other_keys")?];
        let ways = WaysIn::new(columns)?;
        let callers = Callers::new(columns)?;
        for row in 0..columns.rows() {
            let issued = time.get(row).unwrap_or_default();
            if !issues_session.get(row) {
                let caller = callers.subject(row, issued, created.get(row), names);
                if let Some(principal) = caller.principal_id {
                    self.sign_ins.entry(principal).or_default().push((caller.created, issued));
                }
                continue;
            }
            let way = ways.read(row, names);
            if let Some(known) = self.renewed(&way) {
                self.list[known].event_ids.extend(event_ids.names(row, names)?);
                continue;
            }
            let session = Subject {
                key: key.name(row, names),
                principal_id: principal_id.name(row, names),
                account: account.name(row, names),
                role_account: role_account.name(row, names),
                role_name: role_name.name(row, names),
                role_id: role_id.name(row, names),
                session_name: session_name.name(row, names),
                owner: callers.owner_of_issued(row),
                forwarded: false,
                sign_in: way.sign_in,
                created: Some(issued),
                at: issued,
            };
            self.list.push(Issue {
                event_id: names.intern(event_id.get(row).unwrap_or_default()),
                event_ids: event_ids.names(row, names)?,
                time: issued,
                event_name: event_name.name(row, names),
                method: method.name(row, names),
                expires: expires.get(row),
                session,
                role: role.name(row, names),
                role_arn: role_arn.name(row, names),
                known_role_id: known_role_id.name(row, names),
                session_arn: session_arn.name(row, names),
                principal_arn: principal_arn.name(row, names),
                caller: caller.name(row, names),
                caller_resolved_by: resolved_by.name(row, names),
                caller_session: callers.subject(row, issued, created.get(row), names),
                caller_kind: callers.kind(row, role_name.get(row)),
                source_identity: source_identity.name(row, names),
                uses_other_keys: other_keys.get(row),
                way,
            });
        }
        Ok(())
    }

    /// The issue that the next one renews: a program asks for its token again every few minutes, in the session that it has.
    fn renewed(&mut self, way: &WayIn) -> Option<usize> {
        way.sign_in?;
        let known = self.grants.get(way).copied();
        if known.is_none() {
            self.grants.insert(*way, self.list.len());
        }
        known
    }

    /// Marks the sessions that were taken into the console; for when all rows are in.
    pub(super) fn mark_signed_in(&mut self) {
        for issue in &mut self.list {
            let sign_ins =
                issue.session.principal_id.and_then(|principal| self.sign_ins.get(&principal));
            let until = issue.expires.unwrap_or(i64::MAX);
            issue.uses_other_keys |=
                sign_ins.into_iter().flatten().any(|(created, seen)| match created {
                    Some(created) => created.abs_diff(issue.time) <= SLACK_MICROS.unsigned_abs(),
                    None => (issue.time..=until).contains(seen),
                });
        }
    }

    /// Says of which role a session is where its use alone shows that: a record that hands out a sign-in
    /// token's or Cognito's credentials names no role. Where uses show several, it is of none.
    pub(super) fn complete(&mut self, used: &Used, names: &mut Names) {
        for (at, used) in &used.issued {
            let principal = names.get(used.principal_arn).unwrap_or_default().to_owned();
            let Some(issue) = self.list.get_mut(*at) else { continue };
            let one_role = !used.several_principals && principal.contains(":assumed-role/");
            if issue.session.role_name.is_some() || !one_role {
                continue;
            }
            let (Some(account), Some(name)) = (arn::account(&principal), arn::name(&principal))
            else {
                continue;
            };
            issue.role_arn = used.role_arn;
            issue.role = used.role_arn.or_else(|| Some(names.intern(&format!("{account}/{name}"))));
            issue.session_arn = used.principal_arn;
            issue.session.role_account = Some(names.intern(account));
            issue.session.role_name = Some(names.intern(name));
            issue.session.session_name = arn::session(&principal).map(|name| names.intern(name));
        }
    }
}

struct WaysIn {
    kind: super::columns::Text,
    sign_in: super::columns::Text,
    client: super::columns::Text,
    resource: super::columns::Text,
    elsewhere: super::columns::Flag,
}

impl WaysIn {
    fn new(columns: &Columns<'_>) -> Result<Self> {
        Ok(Self {
            kind: columns.text("session_kind")?,
            sign_in: columns.text("sign_in_session_arn")?,
            client: columns.text("oauth_client_id")?,
            resource: columns.text("oauth_resource")?,
            elsewhere: columns.flag("source_elsewhere")?,
        })
    }

    fn read(&self, row: usize, names: &mut Names) -> WayIn {
        WayIn {
            kind: self.kind.name(row, names),
            sign_in: self.sign_in.name(row, names),
            oauth_client: self.client.name(row, names),
            oauth_resource: self.resource.name(row, names),
            source_elsewhere: self.elsewhere.get(row),
        }
    }
}

/// The caller's side of the issuing events.
struct Callers {
    event_name: super::columns::Text,
    kind: super::columns::Text,
    arn: super::columns::Text,
    principal_id: super::columns::Text,
    account: super::columns::Text,
    key: super::columns::Text,
    session_name: super::columns::Text,
    provider: super::columns::Text,
    sign_in: super::columns::Text,
    across: super::columns::Flag,
}

impl Callers {
    fn new(columns: &Columns<'_>) -> Result<Self> {
        Ok(Self {
            event_name: columns.text("event_name")?,
            kind: columns.text("caller_type")?,
            arn: columns.text("caller_resolved_arn")?,
            principal_id: columns.text("caller_principal_id")?,
            account: columns.text("caller_account_id")?,
            key: columns.text("caller_access_key_id")?,
            session_name: columns.text("caller_session_name")?,
            provider: columns.text("identity_provider")?,
            sign_in: columns.text("caller_sign_in")?,
            across: columns.flag("across")?,
        })
    }

    fn subject(&self, row: usize, at: i64, created: Option<i64>, names: &mut Names) -> Subject {
        let session = self.arn.get(row).filter(|arn| arn.contains(":assumed-role/"));
        let role_name = session.and_then(arn::name);
        let role_account = session.and_then(arn::account);
        let role_id = self.principal_id.get(row).and_then(|id| id.split_once(':')).map(|id| id.0);
        let role_id = role_id.filter(|id| id.starts_with("AROA"));
        let mut intern = |text: Option<&str>| text.map(|text| names.intern(text));
        Subject {
            key: intern(self.key.get(row)),
            principal_id: intern(self.principal_id.get(row)),
            account: intern(self.account.get(row)),
            role_account: intern(role_account),
            role_name: intern(role_name),
            role_id: intern(role_id),
            session_name: intern(self.session_name.get(row)),
            owner: Owner::of(self.kind.get(row), self.arn.get(row)),
            forwarded: false,
            sign_in: intern(self.sign_in.get(row)),
            created,
            at,
        }
    }

    /// Of what kind the principal is that the credentials stand for; a sign-in token's or Cognito's are of whoever uses them.
    fn owner_of_issued(&self, row: usize) -> Owner {
        match self.event_name.get(row) {
            Some(
                "AssumeRole"
                | "AssumeRoleWithSAML"
                | "AssumeRoleWithWebIdentity"
                | "CreateSession"
                | "SwitchRole"
                | "GetRoleCredentials"
                | "AssumeRoleForPodIdentity",
            ) => Owner::Role,
            Some("AssumeRoot") => Owner::Root,
            Some("GetFederationToken") => Owner::Federated,
            Some(name)
                if matches!(name, "GetSessionToken" | "ConsoleLogin")
                    || name.starts_with("CreateOAuth2Token") =>
            {
                Owner::of(self.kind.get(row), self.arn.get(row))
            }
            _ => Owner::Unknown,
        }
    }

    fn kind(&self, row: usize, role_name: Option<&str>) -> CallerKind {
        let federated = || {
            let provider = self.provider.get(row).unwrap_or_default();
            provider.contains(":saml-provider/AWSSSO_")
                || role_name.is_some_and(|name| name.starts_with("AWSReservedSSO_"))
        };
        match (self.event_name.get(row), self.kind.get(row)) {
            (Some("AssumeRoleWithSAML"), _) if federated() => CallerKind::IdentityCenter,
            (Some("AssumeRoleWithSAML"), _) | (_, Some("SAMLUser")) => CallerKind::Saml,
            (Some("AssumeRoleWithWebIdentity"), _) | (_, Some("WebIdentityUser"))
                if !self.across.get(row) =>
            {
                CallerKind::WebIdentity
            }
            (Some("CreateSession"), _) => CallerKind::Unknown,
            (_, Some("AWSService")) => CallerKind::Service,
            (_, Some("IdentityCenterUser")) => CallerKind::IdentityCenter,
            (_, Some("Root")) => CallerKind::Root,
            (_, Some("IAMUser")) => CallerKind::IamUser,
            (_, kind) => self.kind_by_arn(row, kind),
        }
    }

    fn kind_by_arn(&self, row: usize, kind: Option<&str>) -> CallerKind {
        match self.arn.get(row) {
            Some(arn) if arn.contains(":user/") => CallerKind::IamUser,
            Some(arn) if arn.ends_with(":root") => CallerKind::Root,
            Some(arn) if arn.contains(":assumed-role/") || arn.contains(":role/") => {
                CallerKind::RoleSession
            }
            _ if kind == Some("AWSAccount") => CallerKind::Account,
            _ if kind == Some("AssumedRole") => CallerKind::RoleSession,
            _ => CallerKind::Unknown,
        }
    }
}
