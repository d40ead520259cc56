//! What a careful human would say of each access key: whether it can be retired, and which role takes over.
//!
//! From what was meant and what was delivered: who called with the key, from where and when, and which role a
//! story moved a caller to. Nothing here reads a record, and nothing knows how a report finds out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::apis::Place;
use crate::inventory::{AccessKey, Thresholds};
use crate::model::{Caller, KeyInfo, KeyIx, RecIx, RoleIx, SessIx, SessionKind, Signer, World};
use crate::time::{DAY, HOUR, Micros, date};
use crate::truth::Truth;

/// A program in a network that called with a key, or in a session that the key opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCaller {
    /// `boto3 from 203.0.113.0/24`.
    pub name: String,
    /// First delivered call.
    pub first: Micros,
    /// Last delivered call.
    pub last: Micros,
    /// Whether it ever called between 21 and 5 o'clock UTC, or on a weekend.
    pub off_hours: bool,
}

/// What the delivered logs show of a key's use, and what the stories mean to happen to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    /// `AKIA…`.
    pub access_key_id: String,
    /// Account of its user.
    pub account_id: String,
    /// Its callers, by name.
    pub callers: Vec<KeyCaller>,
    /// Last delivered record, also of what a service called for a caller.
    pub last: Option<Micros>,
    /// Whether it asked for tokens that roles cannot ask for.
    pub asks_for_tokens: bool,
    /// When it was deactivated, where a delivered record says so.
    pub deactivated: Option<Micros>,
    /// Names of the callers that a story moves to a role.
    pub moved: Vec<String>,
    /// ARN of the role that they are moved to; `create` where a story says that no role is in use.
    pub replacement: Option<String>,
}

/// The verdict on a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMigration {
    /// `AKIA…`.
    pub access_key_id: String,
    /// `RETIRE_NOW`, `RETIRE_AFTER_SOAK`, `MIGRATE`, `BLOCKED` or `UNKNOWN`.
    pub verdict: &'static str,
    /// As in [`KeyUse::replacement`], where a story has one.
    pub replacement: Option<String>,
    /// Callers in the window.
    pub callers: usize,
    /// Names of those that still used the key in the last days.
    pub callers_left: Vec<String>,
}

impl Truth {
    /// The verdict on each key that IAM lists, when `soak_days` are watched.
    pub fn key_migrations(&self, days: Thresholds, soak_days: i64) -> Vec<KeyMigration> {
        let uses: BTreeMap<&str, &KeyUse> =
            self.key_uses.iter().map(|uses| (uses.access_key_id.as_str(), uses)).collect();
        let listed = self.inventory.access_keys.iter().filter(|key| key.deleted.is_none());
        listed
            .filter_map(|key| Some((key, *uses.get(key.access_key_id.as_str())?)))
            .map(|(key, uses)| {
                let since = self.inventory.as_of - soak_days * DAY;
                let left = uses.callers.iter().filter(|caller| caller.last >= since);
                let verdict = self.verdict(key, uses, days, soak_days);
                KeyMigration {
                    access_key_id: key.access_key_id.clone(),
                    verdict,
                    replacement: uses.replacement.clone().filter(|_| verdict == "MIGRATE"),
                    callers: uses.callers.len(),
                    callers_left: left.map(|caller| caller.name.clone()).collect(),
                }
            })
            .collect()
    }

    fn verdict(
        &self,
        key: &AccessKey,
        uses: &KeyUse,
        days: Thresholds,
        soak_days: i64,
    ) -> &'static str {
        let since = |at: Micros| (self.inventory.as_of - at).div_euclid(DAY);
        if !key.active {
            let Some(off) = uses.deactivated else { return "RETIRE_AFTER_SOAK" };
            let idle_then =
                key.last_used.is_none_or(|last| (off - last).div_euclid(DAY) > days.threshold_days);
            let soaked = since(off) >= soak_days
                && self.logs_hold_before(&uses.account_id, off, days.threshold_days);
            return if idle_then && soaked { "RETIRE_NOW" } else { "RETIRE_AFTER_SOAK" };
        }
        let Some(last) = key.last_used else {
            let young = since(key.created) < days.grace_days;
            return if young { "UNKNOWN" } else { "RETIRE_AFTER_SOAK" };
        };
        if since(last) > days.threshold_days {
            return "RETIRE_AFTER_SOAK";
        }
        // IAM saw what no log shows: not all callers are known.
        if uses.callers.is_empty() || uses.last.is_none_or(|shown| last > shown + HOUR) {
            return "UNKNOWN";
        }
        let known = |caller: &KeyCaller| uses.moved.contains(&caller.name) || can_be_placed(caller);
        if uses.asks_for_tokens || !uses.callers.iter().all(known) { "BLOCKED" } else { "MIGRATE" }
    }

    fn logs_hold_before(&self, account: &str, at: Micros, days: i64) -> bool {
        let held = |day: i64| {
            let day = date(at - day * DAY);
            self.coverage
                .iter()
                .any(|cell| cell.account_id == account && cell.delivered_date == day)
        };
        (1..=days).all(held)
    }
}

/// Whether program and habits say what kind of role would do: pipelines' tools, and people at work.
fn can_be_placed(caller: &KeyCaller) -> bool {
    match caller.name.split(' ').next() {
        Some("terraform" | "configure-aws-credentials" | "browser") => true,
        Some("aws-cli") => !caller.off_hours,
        _ => false,
    }
}

/// How the addresses of hosted runners begin: networks for benchmarks, which are nobody's.
pub(crate) const HOSTED: &str = "198.1";

/// `program from network`, for a call that nobody passed on. Hosted runners are wherever they are.
pub(crate) fn name(ip: &str, agent: &str) -> String {
    let known = [
        ("Terraform/", "terraform"),
        ("configure-aws-credentials", "configure-aws-credentials"),
        ("aws-cli/", "aws-cli"),
        ("Boto3/", "boto3"),
        ("Mozilla/", "browser"),
    ];
    let first_word = agent.split(['/', ' ']).next().unwrap_or_default();
    let program = known.iter().find(|(mark, _)| agent.contains(mark)).map_or(first_word, |k| k.1);
    format!("{program} from {}", place(ip))
}

fn place(ip: &str) -> String {
    if [8, 9].iter().any(|half| ip.starts_with(&format!("{HOSTED}{half}."))) {
        return String::from("hosted CI");
    }
    match ip.parse() {
        Ok(IpAddr::V4(ip)) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
        Err(_) => ip.to_owned(),
    }
}

/// A caller of a key that is to move to a role.
pub(crate) struct Move {
    key: KeyIx,
    /// Program and network.
    caller: String,
    /// The role that it moves to; `None` while it uses none.
    role: Option<RoleIx>,
}

impl World {
    /// The caller of `key` at `place` is to move to `role`, or has none to move to.
    pub(crate) fn moves(&mut self, key: KeyIx, place: Place, role: Option<RoleIx>) {
        self.moves.push(Move { key, caller: name(place.ip, place.agent), role });
    }
}

/// What delivered records add up to, key by key.
#[derive(Default)]
pub(crate) struct Seen {
    callers: BTreeMap<(KeyIx, String), KeyCaller>,
    last: BTreeMap<KeyIx, Micros>,
    asks_for_tokens: BTreeSet<KeyIx>,
}

impl Seen {
    /// Adds a delivered record: who called, where somebody did, and whether for tokens.
    pub(crate) fn add(
        &mut self,
        world: &World,
        signer: Signer,
        at: Micros,
        caller: Option<&str>,
        for_tokens: bool,
    ) {
        let Some(key) = key_behind(world, signer) else { return };
        let last = self.last.entry(key).or_insert(at);
        *last = at.max(*last);
        if for_tokens {
            self.asks_for_tokens.insert(key);
        }
        let Some(name) = caller else { return };
        let caller = self.callers.entry((key, name.to_owned())).or_insert_with(|| KeyCaller {
            name: name.to_owned(),
            first: at,
            last: at,
            off_hours: false,
        });
        caller.first = at.min(caller.first);
        caller.last = at.max(caller.last);
        caller.off_hours |= off_hours(at);
    }

    /// The uses of each key; `delivered` says when a record that is held was made.
    pub(crate) fn uses(
        self,
        world: &World,
        delivered: impl Fn(RecIx) -> Option<Micros>,
    ) -> Vec<KeyUse> {
        let of_key = |(index, key): (usize, &KeyInfo)| {
            let ix = KeyIx(index);
            let moves = || world.moves.iter().filter(move |moved| moved.key == ix);
            let role = |moved: &Move| match moved.role {
                Some(role) => world.roles[role.0].arn.clone(),
                None => String::from("create"),
            };
            let callers = self.callers.range((ix, String::new())..);
            KeyUse {
                access_key_id: key.id.clone(),
                account_id: world.id(world.users[key.user.0].account),
                callers: callers
                    .take_while(|((of, _), _)| *of == ix)
                    .map(|(_, caller)| caller.clone())
                    .collect(),
                last: self.last.get(&ix).copied(),
                asks_for_tokens: self.asks_for_tokens.contains(&ix),
                deactivated: key.switched_off.and_then(&delivered),
                moved: moves()
                    .filter(|moved| moved.role.is_some())
                    .map(|moved| moved.caller.clone())
                    .collect(),
                replacement: moves().map(role).next(),
            }
        };
        let mut uses: Vec<_> = world.keys.iter().enumerate().map(of_key).collect();
        uses.sort_by(|a, b| a.access_key_id.cmp(&b.access_key_id));
        uses
    }
}

/// The key that signed, or that opened the session (GetSessionToken, GetFederationToken) which did.
fn key_behind(world: &World, signer: Signer) -> Option<KeyIx> {
    let of_session = |session: SessIx| {
        let intent = &world.sessions[session.0];
        match (&intent.kind, &intent.parent) {
            (SessionKind::User(_) | SessionKind::Federated(_), Some(Caller::Key(key))) => {
                Some(*key)
            }
            _ => None,
        }
    };
    match signer {
        Signer::Nobody => None,
        Signer::Key(key) => Some(key),
        Signer::ByKey(session) | Signer::BySession(session) => of_session(session),
    }
}

/// 5 January 1970 was a Monday.
fn off_hours(at: Micros) -> bool {
    let weekday = (at.div_euclid(DAY) - 4).rem_euclid(7);
    let hour = at.rem_euclid(DAY) / HOUR;
    weekday >= 5 || !(5..=20).contains(&hour)
}
