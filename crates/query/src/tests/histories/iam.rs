//! What IAM answers when it is asked, as `rolecall inventory` takes it down: the rows of a snapshot.

use super::truth::{Account, Part, Reading, Sort, Thing, Time};

/// A key in a snapshot.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyRow {
    pub(super) of: usize,
    /// Known from list-access-keys.
    pub(super) id: Option<String>,
    pub(super) slot: Option<i64>,
    pub(super) active: bool,
    pub(super) status_read: Time,
    pub(super) created: Option<Time>,
    pub(super) rotated: Option<Time>,
    pub(super) last_used: Option<Time>,
    /// When IAM was asked about its last use.
    pub(super) asked: Option<Time>,
    pub(super) matched_by: Option<&'static str>,
}

/// A user in a snapshot.
#[derive(Debug, Clone)]
pub(super) struct UserRow {
    pub(super) of: usize,
    /// Authorization details have the id, the credential report has not.
    pub(super) id: Option<String>,
    /// By the credential report: whether there is a password, and of which life.
    pub(super) password: Option<Option<usize>>,
}

fn existing(account: &Account, sort: Sort, at: Time) -> impl Iterator<Item = (usize, &Thing)> {
    let all = account.things.iter().enumerate();
    all.filter(move |(_, thing)| thing.sort == sort && thing.exists(at))
}

fn names(account: &Account, sort: Sort, at: Time) -> Vec<(String, usize)> {
    existing(account, sort, at).map(|(of, thing)| (thing.name.clone(), of)).collect()
}

/// Whether the parts tell of one state: two lives under one name are refused, not mixed.
pub(super) fn consistent(account: &Account, reading: &Reading) -> bool {
    let groups: [(&[Part], Sort); 2] = [
        (&[Part::Users, Part::Report, Part::Keys, Part::KeyUses, Part::Others], Sort::User),
        (&[Part::Roles, Part::RoleUses], Sort::Role),
    ];
    groups.iter().all(|(parts, sort)| {
        let states = parts.iter().filter_map(|part| reading.at(*part));
        let mut lives: Vec<_> = states.flat_map(|at| names(account, *sort, at)).collect();
        lives.sort();
        lives.dedup();
        let count = lives.len();
        lives.dedup_by(|one, other| one.0 == other.0);
        lives.len() == count
    })
}

pub(super) fn users(account: &Account, reading: &Reading) -> Vec<UserRow> {
    let of_details = reading.at(Part::Users).map(|at| names(account, Sort::User, at));
    let of_report = reading.at(Part::Report).map(|at| (at, names(account, Sort::User, at)));
    let mut rows: Vec<UserRow> = Vec::new();
    for (_, of) in of_details.into_iter().flatten() {
        let id = Some(account.things[of].id.clone());
        rows.push(UserRow { of, id, password: None });
    }
    for (at, (_, of)) in
        of_report.into_iter().flat_map(|(at, all)| all.into_iter().map(move |one| (at, one)))
    {
        let password =
            existing(account, Sort::Password, at).find(|(_, thing)| thing.owner == Some(of));
        let password = Some(password.map(|(place, _)| place));
        match rows.iter_mut().find(|row| row.of == of) {
            Some(row) => row.password = password,
            None => rows.push(UserRow { of, id: None, password }),
        }
    }
    rows
}

fn status(thing: &Thing, at: Time) -> (bool, Time) {
    let changed = thing.switched.iter().map(|(time, _)| *time).filter(|time| *time <= at);
    (thing.active(at), changed.fold(thing.made, Time::max))
}

/// The slots of a user's keys in the credential report.
fn slots(account: &Account, owner: usize, at: Time) -> Vec<KeyRow> {
    let keys = existing(account, Sort::Key, at).filter(|(_, key)| key.owner == Some(owner));
    let slot = |(number, (of, key)): (usize, (usize, &Thing))| {
        let (active, rotated) = status(key, at);
        KeyRow {
            of,
            slot: Some(i64::try_from(number + 1).unwrap()),
            active,
            status_read: at,
            rotated: Some(rotated),
            last_used: key.told(at).map(|usage| usage.time),
            asked: Some(at),
            ..KeyRow::default()
        }
    };
    keys.enumerate().map(slot).collect()
}

/// Ties slots to keys by creation, then by what is left, as the report has no ids.
fn tie(keys: &mut [KeyRow], slots: &[KeyRow]) {
    let (mut free_keys, mut free_slots): (Vec<usize>, Vec<usize>) =
        ((0..keys.len()).collect(), (0..slots.len()).collect());
    let fits =
        |key: &KeyRow, slot: &KeyRow| key.created == slot.rotated && key.active == slot.active;
    for (slot, of) in slots.iter().enumerate() {
        let fitting: Vec<usize> = (0..keys.len()).filter(|key| fits(&keys[*key], of)).collect();
        if let [key] = fitting[..] {
            tied(&mut keys[key], of, "create_date");
            free_keys.retain(|free| *free != key);
            free_slots.retain(|free| *free != slot);
        }
    }
    if let ([key], [slot]) = (&free_keys[..], &free_slots[..]) {
        // Where list and report are of different days, what is left may be two keys: not mixed up here.
        if keys[*key].active == slots[*slot].active && keys[*key].of == slots[*slot].of {
            tied(&mut keys[*key], &slots[*slot], "elimination");
        }
    }
}

fn tied(key: &mut KeyRow, slot: &KeyRow, how: &'static str) {
    key.slot = slot.slot;
    key.rotated = slot.rotated;
    key.last_used = key.last_used.max(slot.last_used);
    key.asked = key.asked.max(slot.asked);
    key.matched_by = Some(how);
}

/// The keys of a snapshot.
pub(super) fn keys(account: &Account, reading: &Reading) -> Vec<KeyRow> {
    let owners: Vec<usize> = users_of_keys(account);
    let of_owner = |owner: usize| {
        let slots =
            reading.at(Part::Report).map(|at| slots(account, owner, at)).unwrap_or_default();
        let Some(listed) = reading.at(Part::Keys) else { return slots };
        let keys = existing(account, Sort::Key, listed).filter(|(_, key)| key.owner == Some(owner));
        let asked = reading.at(Part::KeyUses);
        let row = |(of, key): (usize, &Thing)| {
            let asked = asked.filter(|asked| key.exists(*asked));
            KeyRow {
                of,
                id: Some(key.id.clone()),
                active: key.active(listed),
                status_read: listed,
                created: Some(key.made),
                last_used: asked.and_then(|asked| key.told(asked)).map(|usage| usage.time),
                asked,
                matched_by: asked.map(|_| "access_key_id"),
                ..KeyRow::default()
            }
        };
        let mut rows: Vec<KeyRow> = keys.map(row).collect();
        tie(&mut rows, &slots);
        // Slots that no key of the list can be are keys of their own.
        if rows.iter().all(|row| row.slot.is_some()) {
            let taken: Vec<_> = rows.iter().map(|row| row.slot).collect();
            rows.extend(slots.into_iter().filter(|slot| !taken.contains(&slot.slot)));
        }
        rows
    };
    owners.into_iter().flat_map(of_owner).collect()
}

fn users_of_keys(account: &Account) -> Vec<usize> {
    let users = account.things.iter().enumerate().filter(|(_, thing)| thing.sort == Sort::User);
    users.map(|(of, _)| of).collect()
}

/// The roles of a snapshot: which, and when IAM was asked about their last use.
pub(super) fn roles(account: &Account, reading: &Reading) -> Vec<(usize, Option<Time>)> {
    let Some(listed) = reading.at(Part::Roles) else { return Vec::new() };
    let asked = reading.at(Part::RoleUses);
    let with = |(of, role): (usize, &Thing)| (of, asked.filter(|asked| role.exists(*asked)));
    existing(account, Sort::Role, listed).map(with).collect()
}

/// Credentials for single services that a snapshot lists.
pub(super) fn services(account: &Account, reading: &Reading) -> Vec<usize> {
    let at = reading.at(Part::Others);
    let listed = at.into_iter().flat_map(|at| existing(account, Sort::Service, at));
    listed.map(|(of, _)| of).collect()
}
