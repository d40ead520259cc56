//! Trails, as far as it is known what they record: described, with selectors, and switched on or off.
//!
//! A trail that covers the organisation is seen by every account of it, and what one account may not ask
//! another may: facts are kept by the trail's ARN. What its selectors leave out is judged elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::error::{Problem, Rejected};
use crate::facts::{Facts, is_account};
use crate::output;
use crate::parts::Part;
use crate::stamp::Stamp;

/// A trail of which all is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Trail {
    /// ARN of the trail.
    pub trail_arn: String,
    /// Bucket that it delivers to.
    pub bucket: String,
    /// What its keys begin with, if it has a prefix of its own.
    pub prefix: Option<String>,
    /// It covers all regions.
    pub multi_region: bool,
    /// It covers all accounts of the organisation.
    pub organization: bool,
    /// It records IAM, STS and other global services.
    pub global_services: bool,
    /// It is switched on.
    pub logging: bool,
    /// It writes digest files.
    pub digests: bool,
    /// What get-event-selectors prints: `EventSelectors` or `AdvancedEventSelectors`.
    pub selectors: Value,
    /// As of when all of this was so, in microseconds.
    pub read_at: i64,
}

/// What was read of trails.
#[derive(Debug, Default)]
pub(crate) struct TrailFacts {
    /// By ARN.
    trails: BTreeMap<String, Known>,
    /// Trails that an account sees, by account; none at all is an answer too.
    seen: BTreeMap<String, BTreeSet<String>>,
    /// As of when it does, where that is not when AWS was asked.
    seen_at: BTreeMap<String, Stamp>,
    /// States without a name: of which account they are, what the file's name says, and on or off.
    nameless: Vec<Nameless>,
}

#[derive(Debug, Default)]
struct Known {
    described: Option<output::Trail>,
    selectors: Option<Value>,
    logging: Option<bool>,
    /// Why one of them could not be had.
    failed: Option<String>,
    /// The oldest of the files that say so.
    stamp: Option<Stamp>,
}

impl Known {
    fn note(&mut self, stamp: Option<Stamp>) {
        self.stamp = self.stamp.into_iter().chain(stamp).min();
    }
}

/// A state that names no trail.
#[derive(Debug)]
pub(crate) struct Nameless {
    pub(crate) input: String,
    pub(crate) account: Option<String>,
    /// What the file's name says.
    pub(crate) named: Option<String>,
    pub(crate) logging: bool,
    pub(crate) stamp: Option<Stamp>,
}

impl TrailFacts {
    /// What describe-trails or get-trail says of one.
    pub(crate) fn describe(&mut self, trail: output::Trail, stamp: Option<Stamp>) {
        let Some(arn) = trail.trail_arn.clone() else { return };
        let known = self.trails.entry(arn).or_default();
        known.note(stamp);
        if trail.s3_bucket_name.is_some() {
            known.described = Some(trail);
        }
    }

    /// All trails that an account sees.
    pub(crate) fn see(&mut self, account: &str, trails: &[output::Trail], stamp: Option<Stamp>) {
        if let Some(stamp) = stamp {
            let oldest = self.seen_at.entry(account.to_owned()).or_insert(stamp);
            *oldest = stamp.min(*oldest);
        }
        let seen = self.seen.entry(account.to_owned()).or_default();
        seen.extend(trails.iter().filter_map(|trail| trail.trail_arn.clone()));
        for trail in trails {
            self.describe(trail.clone(), stamp);
        }
    }

    pub(crate) fn select(&mut self, arn: &str, selectors: Value, stamp: Option<Stamp>) {
        let known = self.trails.entry(arn.to_owned()).or_default();
        known.selectors = Some(selectors);
        known.note(stamp);
    }

    pub(crate) fn switch(&mut self, arn: &str, logging: bool, stamp: Option<Stamp>) {
        let known = self.trails.entry(arn.to_owned()).or_default();
        known.logging = Some(logging);
        known.note(stamp);
    }

    /// What get-trail-status prints, which does not say of which trail.
    pub(crate) fn switch_nameless(&mut self, state: Nameless) {
        self.nameless.push(state);
    }

    pub(crate) fn fail(&mut self, arn: &str, reason: String) {
        self.trails.entry(arn.to_owned()).or_default().failed.get_or_insert(reason);
    }

    /// Takes in what somebody else has read.
    pub(crate) fn merge(&mut self, other: Self) {
        for (account, seen) in other.seen {
            self.seen.entry(account).or_default().extend(seen);
        }
        for (arn, other) in other.trails {
            let known = self.trails.entry(arn).or_default();
            known.described = known.described.take().or(other.described);
            known.selectors = known.selectors.take().or(other.selectors);
            known.logging = known.logging.or(other.logging);
            known.failed = known.failed.take().or(other.failed);
            known.note(other.stamp);
        }
        self.nameless.extend(other.nameless);
    }

    /// Which trail a state without a name is of: the one that the file is named after, else the only one that
    /// its account sees.
    fn settle_nameless(&mut self) -> Vec<Rejected> {
        let mut rejected = Vec::new();
        for state in std::mem::take(&mut self.nameless) {
            let seen = state.account.as_ref().and_then(|account| self.seen.get(account));
            let named = state.named.as_deref().filter(|name| !is_account(name));
            let found: Vec<&String> = match (named, seen) {
                (Some(name), _) => {
                    let all = self.trails.keys().filter(|arn| arn.rsplit('/').next() == Some(name));
                    let ours = |arn: &&String| seen.is_some_and(|seen| seen.contains(*arn));
                    // Two accounts may have trails of one name.
                    let (ours, others): (Vec<_>, Vec<_>) = all.partition(ours);
                    if ours.is_empty() { others } else { ours }
                }
                (None, Some(seen)) => seen.iter().collect(),
                (None, None) => self.trails.keys().collect(),
            };
            match found.as_slice() {
                [arn] => {
                    let arn = (*arn).clone();
                    self.switch(&arn, state.logging, state.stamp);
                }
                _ => rejected.push(Rejected::new(state.input, Problem::WhichTrail)),
            }
        }
        rejected
    }

    /// Why a trail cannot be judged, and whether it is because a call failed; none where it can.
    fn lacks(&self, arn: &str) -> Option<(String, bool)> {
        let known = self.trails.get(arn)?;
        let what = if known.described.is_none() {
            "describe-trails"
        } else if known.selectors.is_none() {
            "get-event-selectors"
        } else if known.logging.is_none() {
            "get-trail-status"
        } else {
            return None;
        };
        Some(match known.failed.clone() {
            Some(failed) => (failed, true),
            None => (format!("{what} of {arn} is not there"), false),
        })
    }

    fn stamp(&self, arn: &str) -> Option<Stamp> {
        self.trails.get(arn)?.stamp
    }

    /// Those of which all is known; AWS was asked for them at `asked`.
    pub(crate) fn complete(&self, asked: i64) -> Vec<Trail> {
        let complete = self.trails.iter().filter_map(|(arn, known)| {
            let described = known.described.as_ref()?;
            Some(Trail {
                trail_arn: arn.clone(),
                bucket: described.s3_bucket_name.clone()?,
                prefix: described.s3_key_prefix.clone().filter(|prefix| !prefix.is_empty()),
                multi_region: described.is_multi_region_trail.unwrap_or(false),
                organization: described.is_organization_trail.unwrap_or(false),
                global_services: described.include_global_service_events.unwrap_or(true),
                logging: known.logging?,
                digests: described.log_file_validation_enabled.unwrap_or(false),
                selectors: known.selectors.clone()?,
                read_at: known.stamp.map_or(asked, |stamp| stamp.at),
            })
        });
        complete.collect()
    }
}

impl Facts {
    /// Says of each account whether it is known what its trails record, or why not; once, when all is read.
    /// Gives calls that failed, and states that are of no trail.
    pub(crate) fn settle_trails(&mut self) -> Vec<Rejected> {
        let mut rejected = self.trails.settle_nameless();
        let complete = self.trails.complete(0);
        let organization: Vec<&str> = complete
            .iter()
            .filter(|trail| trail.organization)
            .map(|trail| trail.trail_arn.as_str())
            .collect();
        let of_all = !organization.is_empty();
        let members: BTreeSet<String> = self.organization.accounts.keys().cloned().collect();
        for (id, account) in &mut self.accounts {
            if account.parts.contains(&Part::Trails)
                || account.missing.iter().any(|(part, _)| *part == Part::Trails)
            {
                continue;
            }
            match self.trails.seen.get(id) {
                Some(seen) => match seen.iter().find_map(|arn| self.trails.lacks(arn)) {
                    None => {
                        let own = self.trails.seen_at.get(id).copied();
                        let stamps = seen.iter().filter_map(|arn| self.trails.stamp(arn));
                        account.parts.tell(Part::Trails, stamps.chain(own).min());
                    }
                    Some((reason, failed)) => {
                        if failed {
                            let words = format!("{}: {reason}", Part::Trails.as_str());
                            let input = format!("account {id}");
                            rejected.push(Rejected::new(input, Problem::Call(words)));
                        }
                        account.missing.push((Part::Trails, reason));
                    }
                },
                // What the organisation's trail records is known of every member; a trail of its own could
                // only record more.
                None if of_all && (members.is_empty() || members.contains(id)) => {
                    let stamps = organization.iter().filter_map(|arn| self.trails.stamp(arn));
                    account.parts.tell(Part::Trails, stamps.min());
                }
                None => {}
            }
        }
        rejected
    }
}
