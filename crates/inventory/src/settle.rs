//! What the facts of one account amount to, once all of it is read: which parts are whole, as of when each
//! tells, and what belongs together across inputs.

use std::collections::{BTreeMap, BTreeSet};

use crate::assemble::names;
use crate::error::Problem;
use crate::facts::{Accessed, AccountFacts, Facts, Listed, Subject};
use crate::parts::Part;
use crate::stamp::Stamp;
use crate::time::words;

/// The list that tells most, in pages.
const DETAILS: &str = "get-account-authorization-details";
/// A file that was written so much later than another says that it is of is a copy, for all we know.
const DAY: i64 = 86_400_000_000;
const SECOND: i64 = 1_000_000;
const UNKNOWN_USERS: &str =
    "which users there are is not known: give get-account-authorization-details";

/// A part counts as read when all of it was.
pub(crate) fn settle(account: &mut AccountFacts) {
    ages(account);
    pages(account);
    empty(account);
    providers(account);
    slots(account);
    lists(account);
    user_tags(account);
    role_uses(account);
    accessed(account);
    nobody(account);
    users(account);
}

/// What belongs to no account counts as read when all of its pages were.
pub(crate) fn settle_shared(facts: &mut Facts) {
    for (list, part) in facts.shared_pages.cut_off() {
        facts.shared_parts.remove(&part);
        let words = format!("{}: {}", part.as_str(), more_pages(list));
        facts.shared_missing.push(words);
    }
}

fn more_pages(list: &str) -> String {
    format!("more pages of {list} follow than were read")
}

/// Refuses files that look newer than what lies beside them says.
fn ages(account: &mut AccountFacts) {
    let (Some((written, file)), Some((said, other))) =
        (account.newest_written.clone(), account.oldest_said.clone())
    else {
        return;
    };
    if written > said + DAY {
        let (written, said) = (words(written), words(said));
        account.refuse(Problem::Copied { file, written, other, said });
    }
}

fn pages(account: &mut AccountFacts) {
    for (list, part) in account.pages.cut_off() {
        let of_details = Part::OF_DETAILS.contains(&part) && list == DETAILS;
        let parts = if of_details { Part::OF_DETAILS.to_vec() } else { vec![part] };
        account.give_up(&parts, &more_pages(list));
    }
}

/// With `--filter`, get-account-authorization-details prints an empty list of all that it was not asked for. So that
/// there is none of a kind, something else has to say as well.
fn empty(account: &mut AccountFacts) {
    if account.parts.contains(&Part::CredentialReport)
        && users_of(account).is_empty()
        && let Some(stamp) = account.parts.time(Part::CredentialReport)
    {
        account.none.insert(Part::Users, stamp);
    }
    for part in [Part::Users, Part::Roles, Part::Groups, Part::Policies] {
        let told = account.parts.contains(&part) || account.has_failed(part);
        let Some(stamp) = account.empty.remove(&part).filter(|_| !told) else { continue };
        // What lists both users and roles was not filtered, for all that can be told.
        let is_rest = [Part::Groups, Part::Policies].contains(&part)
            && [Part::Users, Part::Roles].iter().all(|part| account.parts.contains(part));
        let none = account.none.get(&part).copied().or(is_rest.then_some(stamp));
        if let Some(none) = none {
            let parts = if part == Part::Roles { &Part::OF_ROLES[..] } else { &[part] };
            parts.iter().for_each(|part| account.parts.tell(*part, Some(stamp.min(none))));
        } else {
            let other = if part == Part::Users { "get-credential-report or " } else { "" };
            let reason = format!(
                "{DETAILS} lists none, as it does with --filter: give {other}get-account-summary"
            );
            account.missing.push((part, reason));
        }
    }
}

fn providers(account: &mut AccountFacts) {
    let failed = account.has_failed(Part::IdentityProviders);
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

/// Leaves out slots of a user of the same name that was deleted since.
fn slots(account: &mut AccountFacts) {
    let users = &account.users;
    account.slots.retain(|slot| {
        let made = users.get(&slot.user_name).and_then(|user| user.created);
        made.zip(slot.user_created).is_none_or(|(made, then)| then + SECOND >= made)
    });
}

fn users_of(account: &AccountFacts) -> BTreeSet<String> {
    let users = account.users.values().filter(|user| !user.is_root);
    users.map(|user| user.user_name.clone()).collect()
}

/// Whether all users are known.
fn knows_users(account: &AccountFacts) -> bool {
    account.parts.contains(&Part::Users) || account.parts.contains(&Part::CredentialReport)
}

/// Lists of one user's things are read when every user's was there.
fn lists(account: &mut AccountFacts) {
    let users = users_of(account);
    for part in Part::OF_USERS {
        let Some(listed) = account.lists.remove(&part) else { continue };
        let (listed, oldest) = named(listed, &users, part);
        let unread = || users.iter().filter(|user| !listed.users.contains_key(*user));
        if part == Part::AccessKeys {
            let unread = unread().cloned().collect();
            key_lists(account, unread, oldest);
            continue;
        }
        let unread: Vec<&str> = unread().map(String::as_str).collect();
        let reason = if listed.all.is_some() || (knows_users(account) && unread.is_empty()) {
            account.parts.tell(part, oldest);
            continue;
        } else if knows_users(account) {
            format!("not read of {}", names(&unread))
        } else {
            UNKNOWN_USERS.to_owned()
        };
        account.missing.push((part, reason));
    }
}

/// Keys are read when every user's were. Lists of some users say nothing of the others, so that they are another
/// part. `unread` are the users that no list was there of.
fn key_lists(account: &mut AccountFacts, unread: BTreeSet<String>, oldest: Option<Stamp>) {
    let has_keys = |user: &str| account.slots.iter().any(|slot| slot.user_name == user);
    let shows_none = |user: &String| {
        account.is_reported(user) && !has_keys(user) && account.unshown(user).unwrap_or(0) == 0
    };
    // The credential report says of its users whether they have any.
    let (keyless, unread): (Vec<String>, Vec<String>) = unread.into_iter().partition(shows_none);
    let reported = account.parts.time(Part::CredentialReport).filter(|_| !keyless.is_empty());
    let is_whole =
        knows_users(account) && unread.is_empty() && !account.has_failed(Part::AccessKeys);
    let part = if is_whole { Part::AccessKeys } else { Part::AccessKeysOfSome };
    if !knows_users(account) {
        account.missing.push((Part::AccessKeys, UNKNOWN_USERS.to_owned()));
    }
    let unknown = unread.iter().filter(|user| !account.is_reported(user));
    let unknown: Vec<&str> = unknown.map(String::as_str).collect();
    if !unknown.is_empty() {
        let words = format!("nothing says whether there are keys of {}", names(&unknown));
        account.missing.push((Part::AccessKeys, words));
    }
    account.parts.tell(part, oldest.into_iter().chain(reported.filter(|_| is_whole)).min());
}

/// Gives each empty list to the user that its file is named after, and the oldest time of all of them.
fn named(listed: Listed, users: &BTreeSet<String>, part: Part) -> (Listed, Option<Stamp>) {
    let mut all = Listed { named: Vec::new(), ..listed };
    let mut oldest: Option<Stamp> = None;
    for (name, stamp) in listed.named {
        let of_all = ["all", "all-users", "all_users"].contains(&name.as_str());
        if users.contains(&name) {
            all.add(&name, stamp);
        } else if of_all && part == Part::ServiceSpecificCredentials {
            all.all = all.all.into_iter().chain([stamp]).min();
        }
        oldest = oldest.into_iter().chain([stamp]).min();
    }
    let others = all.users.values().copied().chain(all.all);
    let oldest = others.chain(oldest).min();
    (all, oldest)
}

fn user_tags(account: &mut AccountFacts) {
    for (name, tags) in std::mem::take(&mut account.user_tags) {
        if let Some(user) = account.users.get_mut(&name) {
            user.tags.extend(tags);
        }
    }
}

/// Of each role the newest word counts; of all of them the oldest of these.
fn role_uses(account: &mut AccountFacts) {
    let uses = std::mem::take(&mut account.role_uses);
    let all = account.roles.keys().all(|arn| uses.contains_key(arn));
    let whole = account.parts.contains(&Part::Roles) && all;
    let Some(oldest) = uses.values().min().filter(|_| whole) else { return };
    if !account.has_failed(Part::RoleLastUsed) {
        account.parts.insert(Part::RoleLastUsed);
    }
    account.parts.set(Part::RoleLastUsed, *oldest);
}

/// Calls that IAM knows of are uses; that it knows of none proves nothing, as it counts only services that the
/// policies of today allow.
fn accessed(account: &mut AccountFacts) {
    let all = std::mem::take(&mut account.accessed);
    if all.is_empty() {
        return;
    }
    let (mut covered, mut oldest) = (BTreeSet::new(), None::<Stamp>);
    let mut unknown = Vec::new();
    for Accessed { subject, last, stamp, whole } in all {
        let arn = match subject {
            Subject::Arn(arn) => arn,
            Subject::Named(name) => match arn_of(account, &name) {
                Some(arn) => arn,
                None => {
                    unknown.push(name);
                    continue;
                }
            },
        };
        note_use(account, &arn, last);
        if whole {
            oldest = oldest.into_iter().chain(stamp).min();
            covered.insert(arn);
        }
    }
    if !unknown.is_empty() {
        let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
        let reason = format!("no role or user is called {}", names(&unknown));
        account.missing.push((Part::ServiceLastAccessed, reason));
    }
    let users = account.users.values().filter(|user| !user.is_root);
    let users = users.filter_map(|user| user.user_arn.as_ref());
    let left = users.chain(account.roles.keys()).filter(|arn| !covered.contains(*arn)).count();
    if left > 0 {
        let reason = format!("not read of {left} roles and users");
        account.missing.push((Part::ServiceLastAccessed, reason));
    } else {
        account.parts.tell(Part::ServiceLastAccessed, oldest);
    }
}

fn note_use(account: &mut AccountFacts, arn: &str, last: Option<(i64, Option<String>)>) {
    let Some((at, region)) = last else { return };
    if let Some(role) = account.roles.get_mut(arn) {
        if role.last_used < Some(at) {
            role.last_used = Some(at);
            role.last_used_region = region;
        }
        return;
    }
    let user = account.users.values_mut().find(|user| user.user_arn.as_deref() == Some(arn));
    if let Some(user) = user {
        user.last_used = user.last_used.max(Some(at));
    }
}

/// The role or user that a file's name means: `role.NAME`, `user.NAME`, or a name that only one of them has.
fn arn_of(account: &AccountFacts, name: &str) -> Option<String> {
    let kind = |word: &str| {
        let rest = name.strip_prefix(word)?;
        rest.strip_prefix(['-', '.', '_', ' '])
    };
    let role = |name: &str| {
        let named = account.roles.values().find(|role| role.role_name == name);
        named.map(|role| role.role_arn.clone())
    };
    let user = |name: &str| account.users.get(name).and_then(|user| user.user_arn.clone());
    let found = [kind("role").and_then(role), kind("user").and_then(user), role(name), user(name)];
    let found: BTreeSet<String> = found.into_iter().flatten().collect();
    let mut found = found.into_iter();
    found.next().filter(|_| found.next().is_none())
}

/// Where there is nobody who could have any, all of them were read.
fn nobody(account: &mut AccountFacts) {
    let of_users = account.parts.time(Part::Users);
    if account.parts.contains(&Part::Users) && users_of(account).is_empty() {
        for part in Part::OF_USERS {
            if !account.has_failed(part) && !account.parts.contains(&part) {
                account.parts.tell(part, of_users);
            }
        }
    }
    let keys = account.keys.is_empty() && account.last_used.is_empty();
    if keys
        && !account.has_failed(Part::AccessKeys)
        && account.parts.contains(&Part::AccessKeys)
        && !account.parts.contains(&Part::AccessKeyLastUsed)
    {
        let listed = account.parts.time(Part::AccessKeys);
        account.parts.tell(Part::AccessKeyLastUsed, listed);
    }
}

/// What a user's row says of the user's other credentials.
fn users(account: &mut AccountFacts) {
    let devices = account.parts.contains(&Part::MfaDevices);
    let unshown = |user: &String| Some((user.clone(), i64::try_from(account.unshown(user)?).ok()?));
    let unshown: BTreeMap<String, i64> = account.further.keys().filter_map(unshown).collect();
    for user in account.users.values_mut() {
        let own = account.credentials.keys().filter(|(name, ..)| *name == user.user_name);
        let service = own.clone().filter(|(_, kind, _)| *kind == "service_specific");
        let ids: Vec<String> = service.map(|(_, _, id)| id.clone()).collect();
        let has_device = own.clone().any(|(_, kind, _)| *kind == "mfa_device");
        user.service_specific_credentials = ids;
        user.unshown_credentials = unshown.get(&user.user_name).copied();
        if user.mfa_active.is_none() && (has_device || (devices && !user.is_root)) {
            user.mfa_active = Some(has_device);
        }
    }
}
