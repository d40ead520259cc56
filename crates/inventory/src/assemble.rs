//! One snapshot per account, out of all that was read; and what was not.
//!
//! What belongs to no account (people of an identity store, the organisation's policies, accounts with
//! names) goes to one snapshot: the management account's where it is among them, else the first.

use std::collections::BTreeSet;

use rolecall_lake::inventory::{AccessKeyRow, AssignmentRow, KnownAccountRow};
use rolecall_lake::{Inventory, SnapshotRow};

use crate::error::{Problem, Rejected};
use crate::facts::{AccountFacts, Facts, OrganizationFacts};
use crate::keys;
use crate::parts::Part;
use crate::time::words;
use crate::trails::Trail;

/// So far AWS's clock and ours may be apart, in microseconds, and calls are signed well all the same.
const CLOCK_SKEW: i64 = 5 * 60 * 1_000_000;

/// The list that tells most, in pages.
const DETAILS: &str = "get-account-authorization-details";

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

/// Makes snapshots of what was true at `at`, in microseconds. `source` is `api` or `files`.
pub fn snapshots(mut facts: Facts, source: &str, at: i64) -> Assembled {
    let rejected = facts.settle_trails();
    let mut done = Assembled { trails: facts.trails.complete(), rejected, ..Assembled::default() };
    let mut unread = facts.shared_missing.clone();
    let Facts { accounts, organization, people, groups, .. } = facts;
    let (vendors, permission_sets, instances) =
        (facts.vendors, facts.permission_sets, facts.instances);
    for (id, mut account) in accounts {
        settle(&mut account);
        let input = format!("account {id}");
        if let Some(problem) = account.twice.take() {
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
        let at = match latest(&account) {
            Some(latest) if latest > at + CLOCK_SKEW => {
                let problem = Problem::Time(format!(
                    "it tells of {}, after {}, the time that its snapshot would have; a clock is wrong, \
                     or --snapshot-time",
                    words(latest),
                    words(at),
                ));
                unread.push(format!("{input}: {problem}"));
                done.rejected.push(Rejected::new(input, problem));
                continue;
            }
            // Nothing in it may be younger than the snapshot.
            latest => at.max(latest.unwrap_or(at)),
        };
        let mut inventory = snapshot(account, &facts.shared_parts, source, at);
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
        home.snapshot.missing.extend(unread);
        home.identity_store_users = people.into_values().collect();
        home.known_accounts = known_accounts(&organization, vendors);
        home.organization_policies = organization.policies.into_values().collect();
    } else if !facts.shared_parts.is_empty() && done.rejected.is_empty() {
        let reason = "people, policies and names of accounts are kept with an account's IAM, and none \
                      is there: give them together with get-account-authorization-details";
        done.rejected.push(Rejected::new("snapshot", Problem::Nothing(reason.to_owned())));
    }
    done
}

/// A part counts as read when all of it was.
fn settle(account: &mut AccountFacts) {
    for (list, pages) in std::mem::take(&mut account.pages) {
        if pages.last || !pages.cut_off {
            continue;
        }
        let reason = format!("more pages of {list} follow than were read");
        let of_details = Part::OF_DETAILS.contains(&pages.part) && list == DETAILS;
        let parts = if of_details { Part::OF_DETAILS.to_vec() } else { vec![pages.part] };
        account.give_up(&parts, &reason);
    }
    let failed = account.missing.iter().any(|(part, _)| *part == Part::IdentityProviders);
    match (account.oidc_listed, account.saml_listed) {
        _ if failed => {}
        (true, true) => account.parts.extend([Part::IdentityProviders]),
        (true, false) => {
            account.give_up(&[Part::IdentityProviders], "SAML providers were not listed")
        }
        (false, true) => {
            account.give_up(&[Part::IdentityProviders], "OIDC providers were not listed")
        }
        (false, false) => {}
    }
}

/// The latest time that an account's data tells of.
fn latest(account: &AccountFacts) -> Option<i64> {
    let users = account.users.values().flat_map(|user| [user.created, user.password_last_used]);
    let roles = account.roles.values().flat_map(|role| [role.created, role.last_used]);
    let keys = account.keys.values().map(|key| key.created);
    let used = account.last_used.values().map(|used| used.at);
    let slots = account.slots.iter().flat_map(|slot| [slot.last_rotated, slot.last_used]);
    let all = users.chain(roles).chain(keys).chain(used).chain(slots);
    all.chain([account.report_generated]).flatten().max()
}

fn snapshot(account: AccountFacts, shared: &BTreeSet<Part>, source: &str, at: i64) -> Inventory {
    let access_keys = keys::rows(&account);
    let used = [Part::RoleLastUsed, Part::AccessKeyLastUsed, Part::CredentialReport];
    let last_used_read = used.iter().any(|part| account.parts.contains(part));
    let last_used_as_of = last_used_read.then(|| {
        // A report may be older than the rest; the earlier time promises less.
        let told = account.report_generated.into_iter().chain(account.uses_written);
        told.fold(at, i64::min)
    });
    let missing = missing(&account, &access_keys, shared, source);
    Inventory {
        snapshot: SnapshotRow {
            snapshot_time: at,
            source: source.to_owned(),
            parts: account.parts.iter().map(|part| part.as_str().to_owned()).collect(),
            missing,
            last_used_as_of,
            ..SnapshotRow::default()
        },
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
    shared: &BTreeSet<Part>,
    source: &str,
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
        if !read && !covered && reasons.is_empty() {
            say(part, if source == "files" { part.remedy() } else { part.remedy_of_api() });
        }
    }
    let unknown = keys.iter().filter(|key| !key.last_used_known).count();
    if unknown > 0 && account.parts.contains(&Part::AccessKeys) {
        let of = keys.len();
        say(Part::AccessKeyLastUsed, &format!("not known of {unknown} of {of} keys"));
    }
    let nameless = keys.iter().filter(|key| key.access_key_id.is_none());
    let nameless: Vec<&str> = nameless.map(|key| key.user_name.as_str()).collect();
    if !nameless.is_empty() && account.parts.contains(&Part::AccessKeys) {
        say(Part::AccessKeys, &format!("no ids of keys of {}", names(&nameless)));
    }
    if account.parts.contains(&Part::AccessKeys) && account.slots.is_empty() && source == "files" {
        let with: BTreeSet<&str> = keys.iter().map(|key| key.user_name.as_str()).collect();
        let without = account.users.values().filter(|user| !user.is_root);
        let without = without.map(|user| user.user_name.as_str());
        let without: Vec<&str> = without.filter(|user| !with.contains(user)).collect();
        if !without.is_empty() {
            let words = format!("nothing says whether there are keys of {}", names(&without));
            say(Part::AccessKeys, &words);
        }
    }
    found
}

fn names(names: &[&str]) -> String {
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
        snapshot.account_status.clone_from(&account.status);
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
        status: account.status.clone(),
        source: Some("organizations".to_owned()),
    });
    let mut seen = BTreeSet::new();
    let new = |row: &KnownAccountRow| seen.insert((row.known_account_id.clone(), row.name.clone()));
    members.chain(vendors).filter(new).collect()
}
