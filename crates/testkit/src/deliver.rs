//! From records to log files: which trail, which file, in which order, and what is lost on the way.
//!
//! The plan is a pure function of world and specification. It is run once for the truth and again
//! whenever files are asked for, one day at a time.

use std::collections::BTreeMap;

use crate::dice::Dice;
use crate::model::{AccountIx, Emitted, PRODUCTION, RecIx, World};
use crate::noise::{self, Noise};
use crate::stories::{Crew, second_trail};
use crate::time::{DAY, MINUTE, Micros, SECOND, folder, stamp};

/// How records become files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery {
    pub(crate) size: f64,
    pub(crate) slot: Micros,
    pub(crate) records_per_file: Option<usize>,
}

/// A record on its way into a file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item {
    Story(RecIx),
    Noise(Noise),
}

/// A log file, planned.
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) trail: Trail,
    pub(crate) account: AccountIx,
    pub(crate) region: &'static str,
    pub(crate) delivered_at: Micros,
    pub(crate) items: Vec<Item>,
}

/// The organisation's trail, and production's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trail {
    Organization,
    Security,
}

/// Whether any trail holds the record at all.
pub(crate) fn is_delivered(world: &World, record: &Emitted) -> bool {
    !record.lost && is_logged(world, record.account, record.at, record.read_only)
}

fn is_logged(world: &World, account: AccountIx, at: Micros, read_only: bool) -> bool {
    world.accounts[account].delivered
        && !world.blackouts.iter().any(|blackout| {
            blackout.account == account
                && blackout.from < at
                && at < blackout.to
                && (read_only || !blackout.read_only)
        })
}

/// Story records by the day on which they set out, with the moment they do.
type Outbox = BTreeMap<i64, Vec<(Trail, Micros, RecIx)>>;

/// The plan of all deliveries; call [`Plan::day`] for each of [`Plan::days`].
pub(crate) struct Plan<'a> {
    world: &'a World,
    crew: &'a Crew,
    delivery: Delivery,
    outbox: Outbox,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(world: &'a World, crew: &'a Crew, delivery: Delivery) -> Self {
        let mut outbox = Outbox::new();
        let (from, to) = second_trail(world);
        for (index, record) in world.records.iter().enumerate() {
            if !is_delivered(world, record) {
                continue;
            }
            let index = RecIx(index);
            let leaves = record.at + record.delay;
            let mut send = |trail, at: Micros| {
                let day = (at - world.start).div_euclid(DAY);
                outbox.entry(day).or_default().push((trail, at, index));
            };
            send(Trail::Organization, leaves);
            if record.twice {
                send(Trail::Organization, leaves);
            }
            if let Some(later) = record.again {
                send(Trail::Organization, leaves + later.max(delivery.slot));
            }
            if record.account == PRODUCTION && (from..to).contains(&record.at) {
                send(Trail::Security, leaves);
            }
        }
        Self { world, crew, delivery, outbox }
    }

    pub(crate) fn days(&self) -> Vec<i64> {
        let mut days: Vec<i64> = (0..self.world.days).collect();
        days.extend(self.outbox.keys().filter(|day| !(0..self.world.days).contains(*day)));
        days.sort_unstable();
        days
    }

    /// The files whose records set out on a day.
    pub(crate) fn day(&self, day: i64) -> Vec<Planned> {
        type Group = (Trail, AccountIx, &'static str, i64);
        let mut groups: BTreeMap<Group, Vec<(Micros, Item)>> = BTreeMap::new();
        let slot = |at: Micros| match self.delivery.records_per_file {
            Some(_) => day,
            None => at.div_euclid(self.delivery.slot),
        };
        for (trail, at, record) in self.outbox.get(&day).into_iter().flatten() {
            let emitted = &self.world.records[record.0];
            let group = (*trail, emitted.account, emitted.region, slot(*at));
            groups.entry(group).or_default().push((*at, Item::Story(*record)));
        }
        if (0..self.world.days).contains(&day) {
            let (from, to) = second_trail(self.world);
            for account in 0..self.world.vendor {
                for noise in noise::of_day(self.world, self.crew, account, day, self.delivery.size)
                {
                    if !is_logged(self.world, account, noise.at, noise.read_only) {
                        continue;
                    }
                    let mut send = |trail| {
                        let group = (trail, account, noise.region, slot(noise.at));
                        groups.entry(group).or_default().push((noise.at, Item::Noise(noise)));
                    };
                    send(Trail::Organization);
                    if account == PRODUCTION && (from..to).contains(&noise.at) {
                        send(Trail::Security);
                    }
                }
            }
        }
        let mut files = Vec::new();
        for ((trail, account, region, slot), items) in groups {
            let mut items = items;
            items.sort_by_key(|(at, _)| *at);
            let most = self.delivery.records_per_file.unwrap_or(usize::MAX).max(1);
            for (part, chunk) in items.chunks(most.min(items.len())).enumerate() {
                files.push(self.file((trail, account, region), (slot, part), chunk));
            }
        }
        files
    }

    fn file(
        &self,
        (trail, account, region): (Trail, AccountIx, &'static str),
        (slot, part): (i64, usize),
        items: &[(Micros, Item)],
    ) -> Planned {
        let world = self.world;
        let index = (slot as u64) << 20 ^ (part as u64) << 8 ^ account as u64;
        let stream = format!("file/{region}/{trail:?}");
        let mut dice = Dice::new(world.seed, &stream, index);
        // Delivered about five minutes after the newest event, on a whole minute.
        let newest = items.iter().map(|(at, _)| *at).max().unwrap_or(world.start);
        let lag = dice.between(4, 6) * MINUTE + dice.between(0, 59) * SECOND;
        let delivered_at = (newest + lag) / MINUTE * MINUTE;
        let mut items: Vec<Item> = items.iter().map(|(_, item)| *item).collect();
        dice.shuffle(&mut items);
        let id = &world.accounts[account].id;
        let suffix = dice.file_suffix();
        let name = format!("{id}_CloudTrail_{region}_{}_{suffix}.json.gz", stamp(delivered_at));
        let root = root(world, trail, account);
        let key = format!("{root}/CloudTrail/{region}/{}/{name}", folder(delivered_at));
        Planned { name, key, trail, account, region, delivered_at, items }
    }
}

/// What a trail's keys of one account begin with.
pub(crate) fn root(world: &World, trail: Trail, account: AccountIx) -> String {
    let id = &world.accounts[account].id;
    match trail {
        Trail::Organization => format!("AWSLogs/{}/{id}", world.organization),
        Trail::Security => format!("security/AWSLogs/{id}"),
    }
}
