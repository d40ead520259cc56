//! The world that the stories play in: accounts, principals, and what was meant to happen.
//!
//! Stories add to it; nothing here renders JSON or knows about log files.

use std::collections::{BTreeMap, BTreeSet};

use crate::dice::Dice;
use crate::migration::Move;
use crate::time::{DAY, Micros};
use crate::truth::Act;

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) usize);
    )*};
}
index!(UserIx, KeyIx, RoleIx, SessIx, ActIx, RecIx);

/// Position of an account in [`World::accounts`].
pub(crate) type AccountIx = usize;
pub(crate) const MANAGEMENT: AccountIx = 0;
pub(crate) const PRODUCTION: AccountIx = 1;
pub(crate) const DEVELOPMENT: AccountIx = 2;
pub(crate) const SECURITY: AccountIx = 3;

pub(crate) const GLOBAL: &str = "us-east-1";
pub(crate) const EUROPE: &str = "eu-west-1";

pub(crate) struct AccountInfo {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) member: bool,
    pub(crate) delivered: bool,
    /// Part that the ids of one account have in common.
    pub(crate) stem: String,
}

pub(crate) struct UserInfo {
    pub(crate) account: AccountIx,
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) console: bool,
}

pub(crate) struct KeyInfo {
    pub(crate) id: String,
    pub(crate) user: UserIx,
    pub(crate) created: Micros,
    pub(crate) active: bool,
    /// A use that lies before the window, or that no log shows.
    pub(crate) used_before: Option<Micros>,
    /// The service of that use, where it matters.
    pub(crate) used_service: Option<&'static str>,
    pub(crate) deleted: Option<Micros>,
    pub(crate) switched_off: Option<RecIx>,
}

pub(crate) struct RoleInfo {
    pub(crate) account: AccountIx,
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) trust: String,
    pub(crate) created: Micros,
    pub(crate) deleted: Option<Micros>,
}

/// Who makes a call, and with which credential.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// An IAM user with a long-term key.
    Key(KeyIx),
    /// The same, forwarded by a service: the record gains a session context, and keeps the key or has the service's own.
    ForwardedKey(KeyIx, &'static str, Option<String>),
    /// Whoever holds a session.
    Session(SessIx),
    /// A service acting in the session: no key in the record.
    Forwarded(SessIx, &'static str),
    /// An AWS service.
    Service(&'static str),
    /// A person of a SAML provider.
    Saml { provider_arn: String, qualifier: String, subject: String },
    /// A workload of an OIDC provider.
    Web { provider_arn: String, audience: String, subject: String },
    /// A principal of an account outside the organisation.
    External { account_id: String, principal: String },
    /// The holder of a certificate.
    Certificate { account: AccountIx, common_name: String },
    /// A person at Identity Center's portal.
    Portal { user_id: String },
}

/// What records signed in a session look like.
#[derive(Debug, Clone)]
pub(crate) enum SessionKind {
    Role(RoleIx),
    /// An IAM user's temporary credentials: console or GetSessionToken.
    User(UserIx),
    /// GetFederationToken.
    Federated(UserIx),
    /// AssumeRoot: the account's root user.
    Root(AccountIx),
}

pub(crate) struct SessionIntent {
    pub(crate) kind: SessionKind,
    /// Session name; empty for users and root.
    pub(crate) name: String,
    pub(crate) created: Micros,
    pub(crate) expires: Micros,
    pub(crate) issued_key: Option<String>,
    pub(crate) used_key: String,
    pub(crate) mfa: bool,
    pub(crate) source_identity: Option<String>,
    pub(crate) dress: Dress,
    pub(crate) issue: Issue,
    pub(crate) issued_by: &'static str,
    pub(crate) parent: Option<Caller>,
    /// Tags that go on to the next role.
    pub(crate) transitive: Vec<(String, String)>,
}

impl SessionIntent {
    /// A session with `key`, without name, parent or decoration.
    pub(crate) fn new(
        kind: SessionKind,
        (created, expires): (Micros, Micros),
        key: String,
        issue: Issue,
    ) -> Self {
        Self {
            kind,
            name: String::new(),
            created,
            expires,
            issued_key: Some(key.clone()),
            used_key: key,
            mfa: false,
            source_identity: None,
            dress: Dress::default(),
            issue,
            issued_by: "",
            parent: None,
            transitive: Vec::new(),
        }
    }
}

/// How uses of a session are decorated.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dress {
    pub(crate) console: bool,
    pub(crate) on_behalf_of: Option<String>,
    pub(crate) ec2_delivery: Option<&'static str>,
    pub(crate) in_scope_of: Option<String>,
    pub(crate) web: Option<String>,
    pub(crate) sign_in: Option<String>,
}

/// What issued a session.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Issue {
    Act(ActIx),
    Record(RecIx),
}

/// An act as meant, before it is known which of its records are delivered.
pub(crate) struct ActIntent {
    /// The row as the caller's own, unmasked record would give it.
    pub(crate) full: Act,
    pub(crate) copies: Vec<(RecIx, View)>,
    /// `AIDA…` or `AROA…` of the caller, as masked records show it.
    pub(crate) unique: Option<String>,
    /// Name that the console's own record gives the caller.
    pub(crate) switch_from: Option<String>,
    pub(crate) switch_agent: Option<(String, String)>,
}

impl ActIntent {
    /// An act that the console has no part in.
    pub(crate) fn of(full: Act, copies: Vec<(RecIx, View)>, unique: Option<String>) -> Self {
        Self { full, copies, unique, switch_from: None, switch_agent: None }
    }
}

/// What one record of an act shows of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// Everything.
    Full,
    /// Account and unique id only.
    Masked,
    /// The console's own record: `SwitchFrom`.
    Switch,
    /// A record that a later correction replaces.
    Replaced,
}

/// Which credential signed a record, and how a reader can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signer {
    Nobody,
    Key(KeyIx),
    /// By the key that the issue handed out.
    ByKey(SessIx),
    /// By principal and creation date alone.
    BySession(SessIx),
}

/// What becomes of a record in the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Credential,
    Iam,
    Other,
    Rejected,
}

pub(crate) struct Emitted {
    pub(crate) event_id: Option<String>,
    pub(crate) at: Micros,
    pub(crate) account: AccountIx,
    pub(crate) region: &'static str,
    pub(crate) class: Class,
    pub(crate) label: Option<String>,
    pub(crate) signer: Signer,
    pub(crate) signing_key: Option<String>,
    /// Program and network of whoever called; `None` where a service passed the call on.
    pub(crate) caller: Option<String>,
    pub(crate) failed: bool,
    pub(crate) read_only: bool,
    /// Unique id and role or user ARN that the record shows together.
    pub(crate) shows: Vec<(String, String)>,
    pub(crate) body: String,
    /// How much later than usual it is delivered.
    pub(crate) delay: Micros,
    /// Delivered a second time, in another file, this much later.
    pub(crate) again: Option<Micros>,
    /// Twice in its file.
    pub(crate) twice: bool,
    /// Never delivered.
    pub(crate) lost: bool,
}

/// A stretch of time in which an account's trail lacks records.
pub(crate) struct Blackout {
    pub(crate) account: AccountIx,
    pub(crate) from: Micros,
    pub(crate) to: Micros,
    /// Only records with `readOnly: true` are missing: a write-only selector.
    pub(crate) read_only: bool,
}

#[derive(Default)]
pub(crate) struct Scene {
    pub(crate) description: &'static str,
    pub(crate) acts: BTreeSet<ActIx>,
    pub(crate) sessions: BTreeSet<SessIx>,
    pub(crate) records: BTreeSet<RecIx>,
    pub(crate) keys: BTreeSet<KeyIx>,
}

/// Accounts, principals, and everything that the stories told.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) dice: Dice,
    pub(crate) start: Micros,
    pub(crate) days: i64,
    pub(crate) organization: String,
    pub(crate) accounts: Vec<AccountInfo>,
    pub(crate) partner: AccountIx,
    pub(crate) warehouse: AccountIx,
    pub(crate) vendor: AccountIx,
    pub(crate) users: Vec<UserInfo>,
    pub(crate) keys: Vec<KeyInfo>,
    pub(crate) roles: Vec<RoleInfo>,
    pub(crate) sessions: Vec<SessionIntent>,
    pub(crate) acts: Vec<ActIntent>,
    pub(crate) records: Vec<Emitted>,
    pub(crate) blackouts: Vec<Blackout>,
    pub(crate) moves: Vec<Move>,
    pub(crate) scenes: BTreeMap<&'static str, Scene>,
    scene: Option<&'static str>,
}

impl World {
    pub(crate) fn new(seed: u64, members: usize, start: Micros, days: u32) -> Self {
        let mut dice = Dice::new(seed, "world", 0);
        let mut accounts: Vec<AccountInfo> = Vec::new();
        let fixed = ["management", "production", "development", "security"];
        for index in 0..members + 3 {
            let name = match index.checked_sub(members) {
                None => fixed.get(index).map_or_else(
                    || format!("workload-{:02}", index + 1 - fixed.len()),
                    |name| (*name).to_owned(),
                ),
                Some(0) => "partner".to_owned(),
                Some(1) => "warehouse".to_owned(),
                Some(_) => "vendor".to_owned(),
            };
            // The position stands in the id, so that no two accounts can draw the same.
            let id = format!("{}{:03}{}", dice.between(1, 9), index % 1000, dice.digits(8));
            let member = index < members + 2;
            let stem = dice.upper(8);
            accounts.push(AccountInfo { id, name, member, delivered: member, stem });
        }
        let organization = format!("o-{}", dice.text("abcdefghijklmnopqrstuvwxyz0123456789", 10));
        Self {
            seed,
            dice,
            start,
            days: i64::from(days),
            organization,
            accounts,
            partner: members,
            warehouse: members + 1,
            vendor: members + 2,
            users: Vec::new(),
            keys: Vec::new(),
            roles: Vec::new(),
            sessions: Vec::new(),
            acts: Vec::new(),
            records: Vec::new(),
            blackouts: Vec::new(),
            moves: Vec::new(),
            scenes: BTreeMap::new(),
            scene: None,
        }
    }

    pub(crate) fn end(&self) -> Micros {
        self.start + self.days * DAY
    }

    /// An instant of a day of the window.
    pub(crate) fn at(&self, day: i64, hour: i64, minute: i64, second: i64) -> Micros {
        self.start + day * DAY + ((hour * 60 + minute) * 60 + second) * 1_000_000
    }

    pub(crate) fn id(&self, account: AccountIx) -> String {
        self.accounts[account].id.clone()
    }

    /// A new identifier of an account: prefix, the account's own stem, and chance.
    pub(crate) fn unique(&mut self, account: AccountIx, prefix: &str, len: usize) -> String {
        let rest = len - prefix.len() - self.accounts[account].stem.len();
        let tail = self.dice.upper(rest);
        format!("{prefix}{}{tail}", self.accounts[account].stem)
    }

    pub(crate) fn temporary_key(&mut self, account: AccountIx) -> String {
        self.unique(account, "ASIA", 20)
    }

    pub(crate) fn user(&mut self, account: AccountIx, path: &str, name: &str) -> UserIx {
        let id = self.unique(account, "AIDA", 21);
        let arn = format!("arn:aws:iam::{}:user{path}{name}", self.accounts[account].id);
        self.users.push(UserInfo { account, name: name.to_owned(), arn, id, console: false });
        UserIx(self.users.len() - 1)
    }

    /// A long-term key that is `age` days old when the window begins.
    pub(crate) fn key(&mut self, user: UserIx, age: i64) -> KeyIx {
        let id = self.unique(self.users[user.0].account, "AKIA", 20);
        let created = self.start - age * DAY;
        self.keys.push(KeyInfo {
            id,
            user,
            created,
            active: true,
            used_before: None,
            used_service: None,
            deleted: None,
            switched_off: None,
        });
        let key = KeyIx(self.keys.len() - 1);
        self.show_key(key);
        key
    }

    pub(crate) fn role(
        &mut self,
        account: AccountIx,
        path: &str,
        name: &str,
        trust: String,
    ) -> RoleIx {
        let id = self.unique(account, "AROA", 21);
        let arn = format!("arn:aws:iam::{}:role{path}{name}", self.accounts[account].id);
        let created = self.start - 400 * DAY;
        let name = name.to_owned();
        self.roles.push(RoleInfo { account, name, arn, id, trust, created, deleted: None });
        RoleIx(self.roles.len() - 1)
    }

    /// From here on, acts and sessions belong to the story `name`.
    pub(crate) fn scene(&mut self, name: &'static str, description: &'static str) {
        self.scene = Some(name);
        self.scenes.entry(name).or_default().description = description;
    }

    /// From here on, acts and sessions belong to no story.
    pub(crate) fn off_scene(&mut self) {
        self.scene = None;
    }

    fn current(&mut self) -> Option<&mut Scene> {
        self.scene.and_then(|name| self.scenes.get_mut(name))
    }

    pub(crate) fn push_act(&mut self, act: ActIntent) -> ActIx {
        self.acts.push(act);
        let index = ActIx(self.acts.len() - 1);
        if let Some(scene) = self.current() {
            scene.acts.insert(index);
        }
        index
    }

    pub(crate) fn push_session(&mut self, session: SessionIntent) -> SessIx {
        self.sessions.push(session);
        let index = SessIx(self.sessions.len() - 1);
        if let Some(scene) = self.current() {
            scene.sessions.insert(index);
        }
        index
    }

    /// Names a record as part of the current story.
    pub(crate) fn show(&mut self, record: RecIx) {
        if let Some(scene) = self.current() {
            scene.records.insert(record);
        }
    }

    /// Names a key as part of the current story.
    pub(crate) fn show_key(&mut self, key: KeyIx) {
        if let Some(scene) = self.current() {
            scene.keys.insert(key);
        }
    }

    /// Counts a session, and the act behind it, to another story as well.
    pub(crate) fn also(&mut self, name: &'static str, description: &'static str, session: SessIx) {
        let act = match self.sessions[session.0].issue {
            Issue::Act(act) => Some(act),
            Issue::Record(_) => None,
        };
        let scene = self.scenes.entry(name).or_default();
        scene.description = description;
        scene.sessions.insert(session);
        scene.acts.extend(act);
    }

    pub(crate) fn account_of(&self, caller: &Caller) -> Option<AccountIx> {
        match caller {
            Caller::Key(key) | Caller::ForwardedKey(key, ..) => {
                Some(self.users[self.keys[key.0].user.0].account)
            }
            Caller::Session(session) | Caller::Forwarded(session, _) => Some(self.home(*session)),
            Caller::Certificate { account, .. } => Some(*account),
            Caller::Portal { .. } => Some(MANAGEMENT),
            Caller::Service(_) | Caller::Saml { .. } | Caller::Web { .. } => None,
            Caller::External { .. } => Some(self.vendor),
        }
    }

    /// The account that a session lives in.
    pub(crate) fn home(&self, session: SessIx) -> AccountIx {
        match self.sessions[session.0].kind {
            SessionKind::Role(role) => self.roles[role.0].account,
            SessionKind::User(user) | SessionKind::Federated(user) => self.users[user.0].account,
            SessionKind::Root(account) => account,
        }
    }

    /// ARN that records signed in the session carry.
    pub(crate) fn session_arn(&self, session: SessIx) -> String {
        let intent = &self.sessions[session.0];
        match intent.kind {
            SessionKind::Role(role) => {
                let role = &self.roles[role.0];
                let account = &self.accounts[role.account].id;
                format!("arn:aws:sts::{account}:assumed-role/{}/{}", role.name, intent.name)
            }
            SessionKind::User(user) => self.users[user.0].arn.clone(),
            SessionKind::Federated(user) => {
                let account = &self.accounts[self.users[user.0].account].id;
                format!("arn:aws:sts::{account}:federated-user/{}", intent.name)
            }
            SessionKind::Root(account) => {
                format!("arn:aws:iam::{}:root", self.accounts[account].id)
            }
        }
    }
}
