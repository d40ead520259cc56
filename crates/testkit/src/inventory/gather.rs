//! The inventory of a world: what IAM itself would answer at the end of the window.
//!
//! IAM sees every use, delivered to a trail or not.

use std::collections::BTreeMap;

use crate::inventory::{AccessKey, Account, Inventory, Role, User};
use crate::model::{KeyIx, RoleIx, SessIx, SessionKind, Signer, World};
use crate::time::{DAY, Micros};

/// Users are about this much older than the window, unless they are made in it.
const USER_AGE: Micros = 1_100 * DAY;

/// The state at the end. `key_used` and `session_used` say when delivered records, everyday noise
/// among them, show a last use.
pub(crate) fn inventory(
    world: &World,
    key_used: impl Fn(KeyIx) -> Option<Micros>,
    session_used: impl Fn(SessIx) -> Option<Micros>,
) -> Inventory {
    let (keys, roles) = last_uses(world, key_used, session_used);
    Inventory {
        as_of: world.end(),
        organization_id: world.organization.clone(),
        accounts: accounts(world),
        users: users(world),
        access_keys: access_keys(world, &keys),
        roles: world
            .roles
            .iter()
            .enumerate()
            .map(|(index, role)| Role {
                arn: role.arn.clone(),
                role_id: role.id.clone(),
                account_id: world.id(role.account),
                name: role.name.clone(),
                trust_policy: role.trust.clone(),
                created: role.created,
                deleted: role.deleted,
                last_used: roles.get(&RoleIx(index)).copied(),
                owner: owner_of(&role.name),
            })
            .collect(),
    }
}

fn last_uses(
    world: &World,
    key_used: impl Fn(KeyIx) -> Option<Micros>,
    session_used: impl Fn(SessIx) -> Option<Micros>,
) -> (BTreeMap<KeyIx, Micros>, BTreeMap<RoleIx, Micros>) {
    let mut keys: BTreeMap<KeyIx, Micros> = BTreeMap::new();
    let mut roles: BTreeMap<RoleIx, Micros> = BTreeMap::new();
    let mut by_session = |session: SessIx, at: Micros| {
        if let SessionKind::Role(role) = world.sessions[session.0].kind {
            let last = roles.entry(role).or_insert(at);
            *last = at.max(*last);
        }
    };
    let mut by_key = |key: KeyIx, at: Micros| {
        let last = keys.entry(key).or_insert(at);
        *last = at.max(*last);
    };
    for (index, key) in world.keys.iter().enumerate() {
        let key_ix = KeyIx(index);
        for at in key_used(key_ix).into_iter().chain(key.used_before) {
            by_key(key_ix, at);
        }
    }
    for index in 0..world.sessions.len() {
        if let Some(at) = session_used(SessIx(index)) {
            by_session(SessIx(index), at);
        }
    }
    for record in &world.records {
        match record.signer {
            Signer::Key(key) => by_key(key, record.at),
            Signer::ByKey(session) | Signer::BySession(session) => by_session(session, record.at),
            Signer::Nobody => {}
        }
    }
    (keys, roles)
}

fn accounts(world: &World) -> Vec<Account> {
    let accounts = world.accounts.iter().map(|account| Account {
        account_id: account.id.clone(),
        name: account.name.clone(),
        member: account.member,
        delivered: account.delivered && account.member,
    });
    accounts.collect()
}

fn users(world: &World) -> Vec<User> {
    let users = world.users.iter().enumerate().map(|(index, user)| {
        let keys = world.keys.iter().filter(|key| key.user.0 == index);
        let first_key = keys.map(|key| key.created).min();
        User {
            arn: user.arn.clone(),
            user_id: user.id.clone(),
            account_id: world.id(user.account),
            name: user.name.clone(),
            console: user.console,
            // A user that is made in the window is made together with its key.
            created: match first_key {
                Some(created) if created >= world.start => created,
                _ => world.start - USER_AGE,
            },
            owner: owner_of(&user.name),
        }
    });
    users.collect()
}

/// Some teams tag what is theirs.
fn owner_of(name: &str) -> Option<String> {
    let owner = match name {
        "monitor" | "vendor-monitor" => "observability@example.com",
        "release-bot" | "terraform" | "github-release" | "github-deploy" => "platform@example.com",
        "quarterly-report" | "old-export" => "finance@example.com",
        _ => return None,
    };
    Some(owner.to_owned())
}

fn access_keys(world: &World, last_used: &BTreeMap<KeyIx, Micros>) -> Vec<AccessKey> {
    let keys = world.keys.iter().enumerate().map(|(index, key)| {
        let last_used = last_used.get(&KeyIx(index)).copied();
        AccessKey {
            access_key_id: key.id.clone(),
            user_arn: world.users[key.user.0].arn.clone(),
            created: key.created,
            active: key.active,
            deleted: key.deleted,
            last_used,
            last_used_service: last_used.map(|_| key.used_service.unwrap_or("ec2").to_owned()),
        }
    });
    keys.collect()
}
