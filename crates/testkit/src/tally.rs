//! Walks the planned files once, counts, and puts the truth together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::deliver::{Item, Plan, Planned, Trail, root};
use crate::delivered::Delivered;
use crate::files::not_log_files;
use crate::inventory::gather;
use crate::migration::Seen;
use crate::model::{Class, Emitted, KeyIx, RecIx, SessIx, Signer, View, World};
use crate::noise::Noise;
use crate::resolve;
use crate::time::{HOUR, Micros, date};
use crate::truth::{
    Act, Coverage, Duplicates, Edge, KeyTruth, LogFileTruth, Scenario, Totals, Truth,
};

/// Uses of one credential.
#[derive(Debug, Clone, Default)]
pub(crate) struct Uses {
    pub(crate) count: u64,
    pub(crate) by_key: u64,
    pub(crate) errors: u64,
    pub(crate) first: Option<Micros>,
    pub(crate) last: Option<Micros>,
    pub(crate) keys: BTreeSet<String>,
}

impl Uses {
    fn add(&mut self, at: Micros, failed: bool, by_key: bool) {
        self.count += 1;
        self.by_key += u64::from(by_key);
        self.errors += u64::from(failed);
        widen(&mut self.first, &mut self.last, at);
    }
}

/// What stands before the account in the keys of a trail.
fn trail_prefix(world: &World, planned: &Planned) -> Option<String> {
    let root = root(world, planned.trail, planned.account);
    root.rsplit_once('/').map(|(prefix, _)| prefix.to_owned())
}

fn widen(first: &mut Option<Micros>, last: &mut Option<Micros>, at: Micros) {
    *first = Some(first.map_or(at, |known| known.min(at)));
    *last = Some(last.map_or(at, |known| known.max(at)));
}

/// Where a story's record was delivered: file, position, trail.
pub(crate) type Placement = (usize, usize, Trail);

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) files: Vec<LogFileTruth>,
    pub(crate) totals: Totals,
    pub(crate) placements: HashMap<RecIx, Vec<Placement>>,
    pub(crate) sessions: HashMap<SessIx, Uses>,
    pub(crate) keys: HashMap<KeyIx, Uses>,
    second_trail_noise: u64,
    seen: Seen,
}

impl Tally {
    fn file(&mut self, world: &World, planned: &Planned) {
        let index = self.files.len();
        let mut file = LogFileTruth {
            log_file: planned.name.clone(),
            key: planned.key.clone(),
            trail_prefix: trail_prefix(world, planned),
            account_id: world.id(planned.account),
            aws_region: planned.region.to_owned(),
            delivered_at: planned.delivered_at,
            records: planned.items.len() as u64,
            ..LogFileTruth::default()
        };
        for (position, item) in planned.items.iter().enumerate() {
            match item {
                Item::Story(record) => {
                    let placement = (index, position, planned.trail);
                    self.placements.entry(*record).or_default().push(placement);
                    self.story(world, &world.records[record.0], &mut file);
                }
                Item::Noise(noise) => {
                    self.noise(world, noise);
                    self.second_trail_noise += u64::from(planned.trail == Trail::Security);
                    widen(&mut file.first_event_time, &mut file.last_event_time, noise.at);
                }
            }
        }
        let totals = &mut self.totals;
        totals.files += 1;
        totals.records += file.records;
        totals.credential_events += file.credential_events;
        totals.iam_changes += file.iam_changes;
        totals.rejected += file.rejected;
        for at in [file.first_event_time, file.last_event_time].into_iter().flatten() {
            widen(&mut totals.first_event_time, &mut totals.last_event_time, at);
        }
        self.files.push(file);
    }

    fn story(&mut self, world: &World, record: &Emitted, file: &mut LogFileTruth) {
        match record.class {
            Class::Rejected => {
                file.rejected += 1;
                return;
            }
            Class::Credential => file.credential_events += 1,
            Class::Iam => file.iam_changes += 1,
            Class::Other => {}
        }
        if let Some(label) = &record.label {
            *self.totals.credential_events_by_name.entry(label.clone()).or_default() += 1;
        }
        widen(&mut file.first_event_time, &mut file.last_event_time, record.at);
        let for_tokens = record.label.as_ref().is_some_and(|label| {
            label.starts_with("sts:GetSessionToken") || label.starts_with("sts:GetFederationToken")
        });
        self.seen.add(world, record.signer, record.at, record.caller.as_deref(), for_tokens);
        self.used(record.signer, record.signing_key.as_deref(), record.at, record.failed);
    }

    fn noise(&mut self, world: &World, noise: &Noise) {
        let key = match noise.signer() {
            Signer::Key(key) => Some(world.keys[key.0].id.as_str()),
            Signer::ByKey(session) => Some(world.sessions[session.0].used_key.as_str()),
            Signer::BySession(_) | Signer::Nobody => None,
        };
        if key.is_some() {
            let caller = noise.caller();
            self.seen.add(world, noise.signer(), noise.at, caller.as_deref(), false);
        }
        self.used(noise.signer(), key, noise.at, noise.failed);
    }

    fn used(&mut self, signer: Signer, key: Option<&str>, at: Micros, failed: bool) {
        if let Some(key) = key {
            match self.totals.records_by_access_key.get_mut(key) {
                Some(count) => *count += 1,
                None => {
                    self.totals.records_by_access_key.insert(key.to_owned(), 1);
                }
            }
        }
        let uses = match signer {
            Signer::Nobody => return,
            Signer::Key(key) => self.keys.entry(key).or_default(),
            Signer::ByKey(session) | Signer::BySession(session) => {
                self.sessions.entry(session).or_default()
            }
        };
        uses.add(at, failed, matches!(signer, Signer::ByKey(_)));
        if let Some(key) = key
            && !uses.keys.contains(key)
        {
            uses.keys.insert(key.to_owned());
        }
    }
}

/// What is true, given the files of `plan`.
pub(crate) fn truth(world: &World, plan: &Plan) -> Truth {
    let mut tally = Tally::default();
    for day in plan.days() {
        for planned in plan.day(day) {
            tally.file(world, &planned);
        }
    }
    let delivered = Delivered::new(world, &tally);
    let act_rows = resolve::acts(&delivered);
    let session_rows = resolve::sessions(&delivered, &act_rows);
    let mut acts: Vec<Act> = act_rows.iter().flatten().map(|row| row.act.clone()).collect();
    acts.sort_by(|a, b| (a.event_time, &a.event_id).cmp(&(b.event_time, &b.event_id)));
    let scenarios = scenarios(world, &delivered, &act_rows, &session_rows);
    let mut sessions: Vec<_> = session_rows.into_values().collect();
    sessions.sort_by(|a, b| {
        (a.session_id.is_none(), a.issued_time, &a.session_id, &a.access_key_id).cmp(&(
            b.session_id.is_none(),
            b.issued_time,
            &b.session_id,
            &b.access_key_id,
        ))
    });
    let not_log_files = not_log_files(world);
    let duplicates = duplicates(world, &tally);
    let keys = keys(world, &tally);
    let coverage = coverage(&tally.files);
    let seen = std::mem::take(&mut tally.seen);
    let key_uses = seen.uses(world, |record| {
        tally.placements.contains_key(&record).then(|| world.records[record.0].at)
    });
    let inventory = gather::inventory(
        world,
        |key| tally.keys.get(&key).and_then(|uses| uses.last),
        |session| tally.sessions.get(&session).and_then(|uses| uses.last),
    );
    let mut totals = tally.totals;
    totals.not_log_files = not_log_files.len() as u64;
    let mut files = tally.files;
    files.sort_by(|a, b| a.log_file.cmp(&b.log_file));
    Truth {
        files,
        not_log_files,
        totals,
        edges: edges(&acts),
        denied: acts.iter().filter(|act| act.outcome == "failure").cloned().collect(),
        acts,
        sessions,
        keys,
        key_uses,
        coverage,
        duplicates,
        scenarios,
        inventory,
    }
}

fn edges(acts: &[Act]) -> Vec<Edge> {
    struct Found {
        edge: Edge,
        sessions: BTreeSet<String>,
        hours: BTreeSet<(String, i64)>,
        days: BTreeSet<String>,
    }
    let mut found: BTreeMap<(String, String, String), Found> = BTreeMap::new();
    for act in acts.iter().filter(|act| act.outcome == "success") {
        let Some(role) = act.taken() else { continue };
        let key = (act.caller.clone(), role.clone(), act.method.clone());
        let found = found.entry(key).or_insert_with(|| Found {
            edge: Edge {
                caller: act.caller.clone(),
                role: role.clone(),
                method: act.method.clone(),
                first_seen: act.event_time,
                last_seen: act.event_time,
                ..Edge::default()
            },
            sessions: BTreeSet::new(),
            hours: BTreeSet::new(),
            days: BTreeSet::new(),
        });
        found.edge.acts += 1;
        found.edge.first_seen = found.edge.first_seen.min(act.event_time);
        found.edge.last_seen = found.edge.last_seen.max(act.event_time);
        found.days.insert(date(act.event_time));
        let session = act.session_arn.clone().unwrap_or_default();
        found.hours.insert((session.clone(), act.event_time.div_euclid(HOUR)));
        found.sessions.insert(session);
    }
    found
        .into_values()
        .map(|found| Edge {
            sessions: found.sessions.len() as u64,
            session_hours: found.hours.len() as u64,
            days_active: found.days.len() as u64,
            ..found.edge
        })
        .collect()
}

fn coverage(files: &[LogFileTruth]) -> Vec<Coverage> {
    let mut cells: BTreeMap<(String, String, String), Coverage> = BTreeMap::new();
    for file in files {
        let day = date(file.delivered_at);
        let key = (file.account_id.clone(), file.aws_region.clone(), day.clone());
        let cell = cells.entry(key).or_insert_with(|| Coverage {
            account_id: file.account_id.clone(),
            aws_region: file.aws_region.clone(),
            delivered_date: day,
            ..Coverage::default()
        });
        cell.files += 1;
        cell.records += file.records;
        cell.rejected += file.rejected;
        for at in [file.first_event_time, file.last_event_time].into_iter().flatten() {
            widen(&mut cell.first_event_time, &mut cell.last_event_time, at);
        }
        cell.max_lag = cell.max_lag.max(file.first_event_time.map(|at| file.delivered_at - at));
        let prefix = file.trail_prefix.clone().unwrap_or_default();
        if !cell.trail_prefixes.contains(&prefix) {
            cell.trail_prefixes.push(prefix);
            cell.trail_prefixes.sort();
        }
    }
    cells.into_values().collect()
}

fn duplicates(world: &World, tally: &Tally) -> Duplicates {
    let mut out = Duplicates { second_trail: tally.second_trail_noise, ..Duplicates::default() };
    for (record, placements) in &tally.placements {
        let emitted = &world.records[record.0];
        for (index, placement) in placements.iter().enumerate().skip(1) {
            let same_file = placements[..index].iter().any(|earlier| earlier.0 == placement.0);
            if same_file {
                out.same_file += 1;
            } else if placement.2 == Trail::Security {
                out.second_trail += 1;
            } else {
                out.other_file += 1;
            }
        }
        if emitted.class == Class::Credential {
            out.credential_events += placements.len() as u64 - 1;
        }
    }
    out.superseded = world
        .acts
        .iter()
        .flat_map(|act| &act.copies)
        .filter(|(record, view)| *view == View::Replaced && tally.placements.contains_key(record))
        .count() as u64;
    out
}

fn keys(world: &World, tally: &Tally) -> Vec<KeyTruth> {
    let mut keys: Vec<KeyTruth> = world
        .keys
        .iter()
        .enumerate()
        .map(|(index, key)| {
            let user = &world.users[key.user.0];
            let uses = tally.keys.get(&KeyIx(index)).cloned().unwrap_or_default();
            KeyTruth {
                access_key_id: key.id.clone(),
                user_arn: user.arn.clone(),
                account_id: world.id(user.account),
                first_seen: uses.first,
                last_seen: uses.last,
                event_count: uses.count,
                error_count: uses.errors,
            }
        })
        .collect();
    keys.sort_by(|a, b| a.access_key_id.cmp(&b.access_key_id));
    keys
}

fn scenarios(
    world: &World,
    delivered: &Delivered,
    acts: &[Option<resolve::ActRow>],
    sessions: &BTreeMap<SessIx, crate::truth::Session>,
) -> BTreeMap<String, Scenario> {
    let mut scenarios = BTreeMap::new();
    for (name, scene) in &world.scenes {
        let mut scenario =
            Scenario { description: scene.description.to_owned(), ..Scenario::default() };
        let rows = scene.acts.iter().filter_map(|act| acts[act.0].as_ref());
        scenario.acts = rows.map(|row| row.act.event_id.clone()).collect();
        let rows = scene.sessions.iter().filter_map(|session| sessions.get(session));
        scenario.sessions = rows.filter_map(|row| row.session_id.clone()).collect();
        scenario.events = scene
            .records
            .iter()
            .filter(|record| delivered.holds(**record))
            .map(|record| delivered.event_id(*record))
            .collect();
        scenario.keys = scene.keys.iter().map(|key| world.keys[key.0].id.clone()).collect();
        for list in
            [&mut scenario.acts, &mut scenario.sessions, &mut scenario.events, &mut scenario.keys]
        {
            list.sort();
            list.dedup();
        }
        scenarios.insert((*name).to_owned(), scenario);
    }
    scenarios
}
