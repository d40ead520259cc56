//! What was done in each session.

use std::collections::{BTreeMap, HashMap};

use datafusion::error::Result;

use super::columns::{Columns, Text};
use super::issues::Issues;
use super::linking::{Choice, Index, Link, Owner, Subject};
use super::names::{Name, Names};

/// Uses by who signed them.
#[derive(Debug, Default)]
pub(super) struct Uses {
    by_subject: HashMap<Subject, Use>,
}

/// What was done under one subject, or in one session.
#[derive(Debug, Clone, Default)]
pub(super) struct Use {
    pub(super) principal_type: Option<Name>,
    pub(super) principal_arn: Option<Name>,
    pub(super) role_arn: Option<Name>,
    pub(super) role_id: Option<Name>,
    pub(super) source_identity: Option<Name>,
    pub(super) keys: Vec<Name>,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) records: i64,
    pub(super) errors: i64,
    /// Records that name the sign-in session.
    pub(super) records_by_sign_in: i64,
    /// Records that only principal and creation date tie to the session.
    pub(super) records_by_session: i64,
    /// Those of them that another session of the same caller, name and moment may have signed.
    pub(super) records_of_several: i64,
    /// What services did on the session's behalf, with keys of their own.
    pub(super) forwarded: i64,
    pub(super) forwarded_keys: Vec<Name>,
    /// Whether records of the session name different principals.
    pub(super) several_principals: bool,
    pub(super) services: Vec<Name>,
    pub(super) addresses: Vec<Name>,
    pub(super) agents: Vec<Name>,
    /// Earliest record.
    pub(super) sample: Option<(i64, Name)>,
    /// Who signed, as the records say (with the unsure hour as time), and how that is tied to the session.
    pub(super) signers: Vec<(Subject, &'static str)>,
}

/// Uses by the session they belong to.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// By position in [`Issues`].
    pub(super) issued: HashMap<usize, Use>,
    /// Sessions whose issue is not in the lake.
    pub(super) unissued: Vec<Unissued>,
}

/// A session that was seen in use only.
#[derive(Debug)]
pub(super) struct Unissued {
    pub(super) subject: Subject,
    pub(super) link: Link,
    pub(super) used: Use,
}

impl Uses {
    /// Takes the rows of one batch of `steps/uses.sql`.
    pub(super) fn push(&mut self, columns: &Columns<'_>, names: &mut Names) -> Result<()> {
        let text = |name: &str| columns.text(name);
        let [key, principal_type, principal_id, principal_arn] = [
            text("access_key_id")?,
            text("principal_type")?,
            text("principal_id")?,
            text("principal_arn")?,
        ];
        let [account, role_arn, role_id] =
            [text("account_id")?, text("role_arn")?, text("role_id")?];
        let [role_account, role_name, session_name] =
            [text("role_account_id")?, text("role_name")?, text("session_name")?];
        let [service, address, agent] =
            [text("event_source")?, text("source_ip")?, text("user_agent")?];
        let [source_identity, sample, sign_in] =
            [text("source_identity")?, text("sample_event_id")?, text("signed_in")?];
        let number = |name: &str| columns.number(name);
        let [created, hour] = [number("session_created")?, number("unsure_hour")?];
        let forwarded = columns.flag("forwarded")?;
        let [first, last] = [number("first_used")?, number("last_used")?];
        let [records, errors] = [number("event_count")?, number("error_count")?];
        for row in 0..columns.rows() {
            let mut name = |column: &Text| column.name(row, names);
            let first = first.get(row).unwrap_or_default();
            let subject = Subject {
                key: name(&key),
                principal_id: name(&principal_id),
                account: name(&account),
                role_account: name(&role_account),
                role_name: name(&role_name),
                role_id: name(&role_id),
                session_name: name(&session_name),
                owner: Owner::of(principal_type.get(row), principal_arn.get(row)),
                forwarded: forwarded.get(row),
                sign_in: name(&sign_in),
                created: created.get(row),
                // Only tells subjects apart; the time of the first use takes its place below.
                at: hour.get(row).unwrap_or_default(),
            };
            let used = Use {
                principal_type: name(&principal_type),
                principal_arn: name(&principal_arn),
                role_arn: name(&role_arn),
                role_id: subject.role_id,
                source_identity: name(&source_identity),
                keys: subject.key.into_iter().collect(),
                first,
                last: last.get(row).unwrap_or_default(),
                records: records.get(row).unwrap_or_default(),
                errors: errors.get(row).unwrap_or_default(),
                records_by_sign_in: 0,
                records_by_session: 0,
                records_of_several: 0,
                forwarded: 0,
                forwarded_keys: Vec::new(),
                several_principals: false,
                services: name(&service).into_iter().collect(),
                addresses: name(&address).into_iter().collect(),
                agents: name(&agent).into_iter().collect(),
                sample: name(&sample).map(|sample| (first, sample)),
                signers: Vec::new(),
            };
            merge(self.by_subject.entry(subject), used, names);
        }
        Ok(())
    }
}

fn merge<K>(entry: std::collections::hash_map::Entry<'_, K, Use>, used: Use, names: &Names) {
    match entry {
        std::collections::hash_map::Entry::Occupied(mut known) => known.get_mut().add(used, names),
        std::collections::hash_map::Entry::Vacant(new) => {
            new.insert(used);
        }
    }
}

impl Use {
    /// Adds `other`; the result does not depend on which was there first.
    fn add(&mut self, other: Self, names: &Names) {
        self.principal_type = names.min(self.principal_type, other.principal_type);
        let arns = self.principal_arn.zip(other.principal_arn);
        self.several_principals |= other.several_principals || arns.is_some_and(|(a, b)| a != b);
        self.principal_arn = names.min(self.principal_arn, other.principal_arn);
        self.role_arn = names.min(self.role_arn, other.role_arn);
        self.role_id = names.min(self.role_id, other.role_id);
        self.source_identity = names.min(self.source_identity, other.source_identity);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.records += other.records;
        self.errors += other.errors;
        self.records_by_sign_in += other.records_by_sign_in;
        self.records_by_session += other.records_by_session;
        self.records_of_several += other.records_of_several;
        self.forwarded += other.forwarded;
        union(&mut self.forwarded_keys, other.forwarded_keys);
        union(&mut self.keys, other.keys);
        union(&mut self.services, other.services);
        union(&mut self.addresses, other.addresses);
        union(&mut self.agents, other.agents);
        self.signers.extend(other.signers);
        let earliest = [self.sample, other.sample].into_iter().flatten();
        self.sample = earliest.min_by_key(|(time, sample)| (*time, names.text(*sample).to_owned()));
    }
}

impl Use {
    /// As what a service did on a session's behalf: it shows the session alive, and is nothing that the session signed.
    fn into_forwarded(self) -> Self {
        Self {
            forwarded: self.records,
            forwarded_keys: self.keys,
            records: 0,
            errors: 0,
            keys: Vec::new(),
            services: Vec::new(),
            addresses: Vec::new(),
            agents: Vec::new(),
            sample: None,
            ..self
        }
    }
}

/// Lists stay short (services, addresses of one session), so that a look through beats a set.
fn union(list: &mut Vec<Name>, more: Vec<Name>) {
    for name in more {
        if !list.contains(&name) {
            list.push(name);
        }
    }
}

/// Gives each use to its session.
pub(super) fn attribute(uses: Uses, issues: &Issues, index: &Index<'_>, names: &Names) -> Used {
    let mut issued: HashMap<usize, Use> = HashMap::new();
    let mut unissued: BTreeMap<UnissuedKey, Unissued> = BTreeMap::new();
    let mut forwarded: Vec<(Subject, Use)> = Vec::new();
    for (mut subject, mut used) in uses.by_subject {
        let told = subject;
        subject.at = used.first;
        let link = index.find(&subject);
        used.signers.push((told, method(link, subject.forwarded)));
        match link {
            Link::Key(at) => merge(issued.entry(at), used, names),
            Link::SignIn(at) | Link::Session(at, _) if subject.forwarded => {
                merge(issued.entry(at), used.into_forwarded(), names)
            }
            Link::SignIn(at) => {
                used.records_by_sign_in = used.records;
                merge(issued.entry(at), used, names);
            }
            Link::Session(at, choice) => {
                used.records_by_session = used.records;
                if choice == Choice::OneOfSeveral {
                    used.records_of_several = used.records;
                }
                merge(issued.entry(at), used, names);
            }
            _ if subject.forwarded => forwarded.push((subject, used.into_forwarded())),
            link => add_unissued(&mut unissued, Unissued { subject, link, used }, names),
        }
    }
    debug_assert!(issued.keys().all(|at| *at < issues.list.len()));
    let mut unissued = join_keyless(unissued, names);
    give_forwarded(&mut unissued, forwarded, names);
    Used { issued, unissued }
}

/// How a use is tied to its session, as the view says it.
fn method(link: Link, forwarded: bool) -> &'static str {
    match link {
        Link::Key(_) => "key",
        _ if forwarded => "forwarded",
        Link::SignIn(_) => "sign_in",
        Link::Session(_, Choice::Only) => "session",
        Link::Session(_, Choice::OneOfSeveral) => "one_of_several",
        Link::Ambiguous | Link::OtherSessionsKey | Link::None => "none",
    }
}

/// What services did on behalf of sessions that were seen in use only, where principal and creation date fit one of them. What fits none
/// makes no session: a service has a key of its own for each of a user's calls.
fn give_forwarded(unissued: &mut [Unissued], forwarded: Vec<(Subject, Use)>, names: &Names) {
    let mut homes: HashMap<_, Vec<usize>> = HashMap::new();
    for (at, session) in unissued.iter().enumerate() {
        let Subject { principal_id: Some(principal), created: Some(created), .. } = session.subject
        else {
            continue;
        };
        homes.entry((principal, created)).or_default().push(at);
    }
    for (subject, used) in forwarded {
        let home =
            subject.principal_id.zip(subject.created).and_then(|session| homes.get(&session));
        if let Some([at]) = home.map(Vec::as_slice) {
            unissued[*at].used.add(used, names);
        }
    }
}

/// What makes two uses the same session when no issue does: texts, for a stable order.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnissuedKey {
    principal: Option<String>,
    role_account: Option<String>,
    created: Option<i64>,
    key: Option<String>,
    sign_in: Option<String>,
}

impl UnissuedKey {
    fn new(subject: &Subject, names: &Names) -> Self {
        let text = |name: Option<Name>| names.get(name).map(str::to_owned);
        // A sign-in session outlives its keys, which change every few minutes.
        if subject.sign_in.is_some() {
            let (sign_in, principal) = (text(subject.sign_in), text(subject.principal_id));
            return Self { sign_in, principal, ..Self::default() };
        }
        Self {
            sign_in: None,
            principal: text(subject.principal_id),
            role_account: text(subject.role_account.or(subject.account)),
            created: subject.created,
            key: text(subject.key),
        }
    }
}

fn add_unissued(list: &mut BTreeMap<UnissuedKey, Unissued>, new: Unissued, names: &Names) {
    let key = UnissuedKey::new(&new.subject, names);
    let Some(known) = list.get_mut(&key) else {
        list.insert(key, new);
        return;
    };
    known.subject = known.subject.with(&new.subject, names);
    if known.link == Link::None || new.link == Link::Ambiguous {
        known.link = new.link;
    }
    known.used.add(new.used, names);
}

/// Records without key belong to the session of the same principal and creation date whose records
/// have one, when there is exactly one.
fn join_keyless(list: BTreeMap<UnissuedKey, Unissued>, names: &Names) -> Vec<Unissued> {
    let session = |key: &UnissuedKey| (key.principal.clone(), key.created);
    let mut keyed: BTreeMap<_, Vec<UnissuedKey>> = BTreeMap::new();
    for key in list.keys().filter(|key| key.key.is_some() && key.created.is_some()) {
        keyed.entry(session(key)).or_default().push(key.clone());
    }
    let (mut whole, keyless): (BTreeMap<_, _>, BTreeMap<_, _>) =
        list.into_iter().partition(|(key, _)| key.key.is_some());
    for (key, part) in keyless {
        // What several issued sessions fit is as likely theirs.
        let home = keyed.get(&session(&key)).filter(|_| part.link != Link::Ambiguous);
        let home = home.filter(|homes| homes.len() == 1);
        match home.and_then(|homes| whole.get_mut(&homes[0])) {
            Some(home) => {
                home.subject = home.subject.with(&part.subject, names);
                home.used.add(part.used, names);
            }
            None => {
                whole.insert(key, part);
            }
        }
    }
    whole.into_values().collect()
}
