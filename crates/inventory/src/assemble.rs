//! One snapshot per account, out of all that was read; and what was not.
//!
//! What belongs to no account (people of an identity store, the organisation's policies, accounts with
//! names) goes to one snapshot: the management account's where it is among them, else the first.

use std::collections::BTreeSet;

use rolecall_lake::inventory::{AccessKeyRow, AssignmentRow, KnownAccountRow, TimeFrom};
use rolecall_lake::{Inventory, SnapshotRow};

use crate::error::{Problem, Rejected};
use crate::facts::{AccountFacts, Facts, OrganizationFacts};
use crate::keys;
use crate::parts::Part;
use crate::report::ROOT;
use crate::settle::{settle, settle_shared};
use crate::stamp::{Parts, Stamp};
use crate::time::{CLOCK_SKEW, words};
use crate::trails::Trail;

/// How many names a sentence holds.
const MAX_NAMED: usize = 5;

/// Snapshots, and what none could be made of.
#[derive(Debug, Default)]
pub struct Assembled {
    /// One per account, in the order of their numbers.
    pub inventories: Vec<Inventory>,
    /// Accounts of which there is no snapshot, and what could not be placed.
    pub rejected: Vec<Rejected>,
    /// Trails of which it is known what they record.
    pub trails: Vec<Trail>,
}

/// Where what was read is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// AWS was asked, and the last answer came at this time, in microseconds.
    Api(i64),
    /// Files, each of which has its own time.
    Files,
}

impl Origin {
    fn as_str(self) -> &'static str {
        match self {
            Self::Api(_) => "api",
            Self::Files => "files",
        }
    }

    /// When something was read that has no time of its own.
    fn asked(self, asked: Option<i64>, newest: Option<Stamp>) -> Stamp {
        match self {
            Self::Api(until) => Stamp { at: asked.unwrap_or(until), from: TimeFrom::Api },
            Self::Files => newest.unwrap_or(Stamp { at: 0, from: TimeFrom::File }),
        }
    }
}

/// Makes a snapshot of each account.
pub fn snapshots(mut facts: Facts, origin: Origin) -> Assembled {
    let rejected = facts.settle_trails();
    let until = match origin {
        Origin::Api(until) => until,
        Origin::Files => 0,
    };
    let trails = facts.trails.complete(until);
    let mut done = Assembled { trails, rejected, ..Assembled::default() };
    let tells_shared = !facts.shared_parts.is_empty();
    settle_shared(&mut facts);
    let mut unread = facts.shared_missing.clone();
    let Facts { accounts, organization, people, groups, .. } = facts;
    let (vendors, permission_sets, instances) =
        (facts.vendors, facts.permission_sets, facts.instances);
    for (id, mut account) in accounts {
        settle(&mut account);
        let input = format!("account {id}");
        if let Some(problem) = refusal(&mut account, origin) {
            unread.push(format!("{input}: {problem}"));
            done.rejected.push(Rejected::new(input, problem));
            continue;
        }
        if account.is_unread() {
            let reason =
                account.missing.first().map(|(part, why)| format!("{}: {why}", part.as_str()));
            let reason =
                reason.unwrap_or_else(|| "nothing of its IAM is there to be read".to_owned());
            unread.push(format!("{input}: {reason}"));
            done.rejected.push(Rejected::new(input, Problem::Nothing(reason)));
            continue;
        }
        let mut inventory = snapshot(account, &facts.shared_parts, origin);
        name(&mut inventory.snapshot, &id, &organization);
        for assignment in &mut inventory.identity_center_assignments {
            complete(assignment, &instances);
            let set = assignment.permission_set_arn.as_ref();
            if let Some(name) = set.and_then(|arn| permission_sets.get(arn)) {
                assignment.permission_set_name = Some(name.clone());
            }
            let id = assignment.principal_id.clone().unwrap_or_default();
            let principal = (assignment.identity_store_id.clone(), id);
            let person = people.get(&principal).and_then(|person| person.user_name.clone());
            assignment.principal_name = person.or_else(|| groups.get(&principal).cloned());
        }
        done.inventories.push(inventory);
    }
    let home = organization.management_account.as_deref();
    let home =
        done.inventories.iter().position(|one| Some(one.snapshot.account_id.as_str()) == home);
    if let Some(home) = done.inventories.get_mut(home.unwrap_or(0)) {
        let parts = facts.shared_parts.iter().map(|part| part.as_str().to_owned());
        home.snapshot.parts.extend(parts);
        let asked = origin.asked(facts.shared_asked, None);
        home.part_times.extend(facts.shared_parts.rows(asked));
        home.snapshot.missing.extend(unread);
        home.identity_store_users = people.into_values().collect();
        home.known_accounts = known_accounts(&organization, vendors);
        home.organization_policies = organization.policies.into_values().collect();
    } else if tells_shared && done.rejected.is_empty() {
        let reason = "people, policies and names of accounts are kept with an account's IAM, and none \
                      is there: give them together with get-account-authorization-details";
        done.rejected.push(Rejected::new("snapshot", Problem::Nothing(reason.to_owned())));
    }
    done
}

/// Why nothing of an account can be taken, if so.
fn refusal(account: &mut AccountFacts, origin: Origin) -> Option<Problem> {
    let problem = account.refused.take();
    let Origin::Api(until) = origin else { return problem };
    let young = latest(account).filter(|latest| *latest > until + CLOCK_SKEW).map(|latest| {
        let (latest, until) = (words(latest), words(until));
        Problem::Time(format!(
            "it tells of {latest}, after {until}, when it was asked; a clock is wrong"
        ))
    });
    problem.or(young)
}

/// The latest time that an account's data tells of.
pub(crate) fn latest(account: &AccountFacts) -> Option<i64> {
    let users = account.users.values().flat_map(|user| [user.created, user.password_last_used]);
    let roles = account.roles.values().flat_map(|role| [role.created, role.last_used]);
    let keys = account.keys.values().map(|key| key.created);
    let used = account.last_used.values().map(|used| used.at);
    let slots = account.slots.iter().flat_map(|slot| [slot.last_rotated, slot.last_used]);
    let credentials = account.credentials.values().map(|credential| credential.created);
    let all = users.chain(roles).chain(keys).chain(used).chain(slots).chain(credentials);
    let report = account.parts.time(Part::CredentialReport).map(|stamp| stamp.at);
    all.chain([report]).flatten().max()
}

/// The time of a snapshot: the newest of the account's own parts.
fn snapshot_time(account: &AccountFacts, asked: Stamp, origin: Origin) -> i64 {
    let time = |part: &Part| account.parts.time(*part).unwrap_or(asked).at;
    let own = account.parts.iter().filter(|part| !part.is_told_elsewhere()).map(time).max();
    match origin {
        // Nothing in it is younger than the snapshot, though things may change while they are read.
        Origin::Api(_) => own.unwrap_or(asked.at).max(latest(account).unwrap_or(asked.at)),
        Origin::Files => {
            let newest = account.newest.map(|stamp| stamp.at);
            own.or(newest).or_else(|| account.parts.iter().map(time).max()).unwrap_or(asked.at)
        }
    }
}

fn snapshot(account: AccountFacts, shared: &Parts, origin: Origin) -> Inventory {
    let access_keys = keys::rows(&account);
    let asked = origin.asked(account.asked, account.newest);
    let used = [Part::RoleLastUsed, Part::AccessKeyLastUsed, Part::CredentialReport];
    let used = used.into_iter().filter(|part| account.parts.contains(part));
    // The earliest time promises the least.
    let last_used_as_of = used.map(|part| account.parts.time(part).unwrap_or(asked).at).min();
    Inventory {
        snapshot: SnapshotRow {
            snapshot_time: snapshot_time(&account, asked, origin),
            source: origin.as_str().to_owned(),
            parts: account.parts.iter().map(|part| part.as_str().to_owned()).collect(),
            missing: missing(&account, &access_keys, shared, origin),
            last_used_as_of,
            ..SnapshotRow::default()
        },
        part_times: account.parts.rows(asked),
        credentials: account.credentials.into_values().collect(),
        users: account.users.into_values().collect(),
        groups: account.groups.into_values().collect(),
        access_keys,
        roles: account.roles.into_values().collect(),
        policies: account.policies.into_values().collect(),
        attachments: account.attachments.into_values().collect(),
        trust_statements: account.trust.into_values().flatten().collect(),
        identity_providers: account.providers.into_values().collect(),
        identity_center_assignments: account.assignments,
        ..Inventory::default()
    }
}

/// What was not read, each as `part: reason`.
fn missing(
    account: &AccountFacts,
    keys: &[AccessKeyRow],
    shared: &Parts,
    origin: Origin,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |part: Part, reason: &str| found.push(format!("{}: {reason}", part.as_str()));
    for part in Part::ALL {
        let reasons = account.missing.iter().filter(|(of, _)| *of == part);
        let reasons: Vec<&str> = reasons.map(|(_, reason)| reason.as_str()).collect();
        for reason in &reasons {
            say(part, reason);
        }
        let read = account.parts.contains(&part) || shared.contains(&part);
        // The credential report has it for every slot: said below where that was not enough.
        let covered =
            part == Part::AccessKeyLastUsed && account.parts.contains(&Part::CredentialReport);
        // Slow to get, and a further word only: it is nothing that anybody has to miss.
        let covered = covered || part == Part::ServiceLastAccessed;
        if !read && !covered && reasons.is_empty() {
            say(part, if origin == Origin::Files { part.remedy() } else { part.remedy_of_api() });
        }
    }
    let listed = [Part::AccessKeys, Part::AccessKeysOfSome];
    let listed = listed.iter().any(|part| account.parts.contains(part));
    let unknown = keys.iter().filter(|key| !key.last_used_known).count();
    if unknown > 0 && listed {
        let of = keys.len();
        say(Part::AccessKeyLastUsed, &format!("not known of {unknown} of {of} keys"));
    }
    let nameless = keys.iter().filter(|key| key.access_key_id.is_none());
    let nameless: Vec<&str> = nameless.map(|key| key.user_name.as_str()).collect();
    if !nameless.is_empty() && listed {
        say(Part::AccessKeys, &format!("no ids of keys of {}", names(&nameless)));
    }
    if origin == Origin::Files
        && listed
        && let Some(words) = roots_keys(account)
    {
        say(Part::AccessKeys, words);
    }
    for user in account.further.keys() {
        if let Some(words) = further(account, user) {
            say(Part::CredentialReport, &words);
        }
    }
    found
}

/// What is not known of root's keys, which no list has but the report.
fn roots_keys(account: &AccountFacts) -> Option<&'static str> {
    let reported = account.parts.contains(&Part::CredentialReport);
    match account.root_keys {
        Some(true) if !account.slots.iter().any(|slot| slot.user_name == ROOT) => {
            Some("root has keys, of which nothing else is known: give get-credential-report")
        }
        None if !reported => Some(
            "nothing says whether root has keys: give get-credential-report or get-account-summary",
        ),
        _ => None,
    }
}

/// What the report counts and does not show, unless lists of the user's keys and certificates do.
fn further(account: &AccountFacts, user: &str) -> Option<String> {
    let which = match account.unshown(user)? {
        0 => return None,
        1 => "1 further credential that the report does not show".to_owned(),
        more => format!("{more} further credentials that the report does not show"),
    };
    Some(format!(
        "{user} has {which}: give list-access-keys and list-signing-certificates of the user"
    ))
}

pub(crate) fn names(names: &[&str]) -> String {
    let mut words = names.iter().take(MAX_NAMED).copied().collect::<Vec<_>>().join(", ");
    if let Some(more) = names.len().checked_sub(MAX_NAMED).filter(|more| *more > 0) {
        words.push_str(&format!(" and {more} more"));
    }
    words
}

fn name(snapshot: &mut SnapshotRow, id: &str, organization: &OrganizationFacts) {
    id.clone_into(&mut snapshot.account_id);
    if let Some(account) = organization.accounts.get(id) {
        snapshot.account_name.clone_from(&account.name);
        snapshot.account_email.clone_from(&account.email);
        snapshot.account_status = account.state();
        snapshot.organization_id.clone_from(&organization.id);
    }
}

/// The instance of an assignment, from the permission set: `arn:aws:sso:::permissionSet/INSTANCE/ID`.
fn complete(
    assignment: &mut AssignmentRow,
    instances: &std::collections::BTreeMap<String, String>,
) {
    let arn = assignment.permission_set_arn.as_deref().unwrap_or_default();
    let Some((start, rest)) = arn.split_once(":permissionSet/") else { return };
    let Some(instance) = rest.split('/').next() else { return };
    let instance = format!("{start}:instance/{instance}");
    if let Some(store) = instances.get(&instance) {
        assignment.identity_store_id = Some(store.clone());
    }
    assignment.instance_arn = Some(instance);
}

fn known_accounts(
    organization: &OrganizationFacts,
    vendors: Vec<KnownAccountRow>,
) -> Vec<KnownAccountRow> {
    let members = organization.accounts.iter().map(|(id, account)| KnownAccountRow {
        known_account_id: id.clone(),
        name: account.name.clone(),
        kind: "organization".to_owned(),
        email: account.email.clone(),
        status: account.state(),
        source: Some("organizations".to_owned()),
    });
    let mut seen = BTreeSet::new();
    let new = |row: &KnownAccountRow| seen.insert((row.known_account_id.clone(), row.name.clone()));
    members.chain(vendors).filter(new).collect()
}
