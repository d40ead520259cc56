//! A deterministic CloudTrail organisation, and its truth.
//!
//! [`Organization::generate`] makes accounts, principals and stories; [`Organization::files`] the log
//! files as CloudTrail would deliver them; [`Organization::truth`] what a careful human would answer,
//! given only those files. The truth comes from what was meant, never from reading a record back: this
//! crate depends on no other crate of ours, so that the oracle cannot share our bugs.
//!
//! The same [`Spec`] gives the same bytes, everywhere. All names, ids and addresses are made up;
//! addresses come from the ranges reserved for documentation.

mod acts;
mod apis;
mod callers;
mod deliver;
mod delivered;
mod dice;
mod digests;
mod files;
pub mod inventory;
mod json;
pub mod migration;
mod model;
mod noise;
mod record;
mod resolve;
mod stories;
mod sts;
mod tally;
mod time;
mod tokens;
pub mod truth;

pub use digests::{DigestFile, DigestOptions, Digests};
pub use files::{Files, GeneratedFile, Kind};
pub use sts::SESSION_TOKEN_MARK;
pub use time::Micros;

use deliver::{Delivery, Plan};
use model::World;
use stories::Crew;
use time::MINUTE;
use truth::Truth;

/// 2026-01-05T00:00:00Z, a Monday.
pub const DEFAULT_START: Micros = 1_767_571_200_000_000;

/// Which side of the partner's cross-account stories a lake holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hold {
    /// The callers' account and the roles' account.
    #[default]
    Both,
    /// Only the callers' account (`partner`).
    CallerOnly,
    /// Only the roles' account (`warehouse`).
    OwnerOnly,
}

/// What to generate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spec {
    /// Everything random follows from it.
    pub seed: u64,
    /// Member accounts besides `partner` and `warehouse`; at least 4.
    pub accounts: usize,
    /// Days of events; at least 2.
    pub days: u32,
    /// Multiplies the background: about 100 records per account and day at 1.
    pub size: f64,
    /// First instant, the start of a UTC day.
    pub start: Micros,
    /// Which of `partner` and `warehouse` deliver logs.
    pub hold: Hold,
    /// Records are delivered together when their events lie in the same stretch of so many minutes.
    /// CloudTrail's own is about 5; longer gives fewer files.
    pub delivery_minutes: u32,
    /// Instead of by stretches of time, fill files with so many records of one account, region and day.
    /// About 40,000 come near CloudTrail's limit of 50 MB.
    pub records_per_file: Option<usize>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            seed: 1,
            accounts: 6,
            days: 14,
            size: 1.0,
            start: DEFAULT_START,
            hold: Hold::Both,
            delivery_minutes: 60,
            records_per_file: None,
        }
    }
}

impl Spec {
    /// The smallest organisation that tells every story: about 2,000 records.
    pub fn small(seed: u64) -> Self {
        Self { seed, accounts: 4, days: 3, size: 0.4, ..Self::default() }
    }

    fn within_limits(self) -> Self {
        Self {
            accounts: self.accounts.clamp(4, 900),
            days: self.days.clamp(2, 3_650),
            size: self.size.clamp(0.0, 1_000_000.0),
            start: self.start.div_euclid(time::DAY) * time::DAY,
            delivery_minutes: self.delivery_minutes.clamp(1, 1_440),
            ..self
        }
    }
}

/// A generated organisation: its log files and its truth.
pub struct Organization {
    spec: Spec,
    world: World,
    crew: Crew,
    truth: Truth,
}

impl std::fmt::Debug for Organization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Organization").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl Organization {
    /// Generates an organisation. Values of `spec` outside their limits are moved to the limit.
    pub fn generate(spec: &Spec) -> Self {
        let spec = spec.within_limits();
        let mut world = World::new(spec.seed, spec.accounts, spec.start, spec.days);
        let (partner, warehouse) = (world.partner, world.warehouse);
        world.accounts[partner].delivered = spec.hold != Hold::OwnerOnly;
        world.accounts[warehouse].delivered = spec.hold != Hold::CallerOnly;
        let crew = stories::tell(&mut world);
        let truth = tally::truth(&world, &Plan::new(&world, &crew, delivery(&spec)));
        Self { spec, world, crew, truth }
    }

    /// The specification, within its limits.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What is true, given all of [`Organization::files`].
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Every object under the bucket, log files and others, made one day at a time.
    pub fn files(&self) -> Files<'_> {
        Files::new(&self.world, Plan::new(&self.world, &self.crew, delivery(&self.spec)))
    }

    /// The digests of all log files of [`Organization::files`].
    pub fn digests(&self, options: &DigestOptions) -> Digests {
        let plan = Plan::new(&self.world, &self.crew, delivery(&self.spec));
        digests::make(&self.world, &plan, options)
    }

    /// Writes every object below a folder, keys as paths. A folder object becomes a folder.
    ///
    /// # Errors
    ///
    /// When a folder or file cannot be written.
    pub fn write_to(&self, folder: &std::path::Path) -> std::io::Result<()> {
        for file in self.files() {
            let path = folder.join(&file.key);
            if file.key.ends_with('/') {
                std::fs::create_dir_all(&path)?;
                continue;
            }
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&path, &file.bytes)?;
        }
        Ok(())
    }
}

fn delivery(spec: &Spec) -> Delivery {
    Delivery {
        size: spec.size,
        slot: i64::from(spec.delivery_minutes) * MINUTE,
        records_per_file: spec.records_per_file,
    }
}
