//! Checks log files against CloudTrail's digest files, as `aws cloudtrail validate-logs` does, and
//! records what each digest proves.
//!
//! For every account and region, and within it every trail, the newest digest is taken and the chain
//! followed backwards ([`walk`](mod@walk)): each digest's place, format, signature and hash, then the
//! hash of every log file that it lists. Where the chain breaks off, the listing says where to go
//! on, and the time in between is a gap. Digests of a backfill are chains of their own. What lies
//! where CloudTrail delivers but is listed by no digest of its time is told too
//! ([`unreferenced`]): the CLI does not see that.
//!
//! Signatures and hashes come from well-kept crates; nothing here computes one itself.

mod error;
mod format;
pub(crate) mod hash;
mod keys;
mod s3;
mod store;
mod unreferenced;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{Days, NaiveDate, NaiveTime};
use futures::{StreamExt as _, TryStreamExt as _};
use rolecall_lake::{DigestReport, DigestResult, Lake, Proof, Subject};
use tokio::sync::{Semaphore, mpsc};

pub use error::DigestError;
pub use keys::PublicKeys;
pub use s3::Bucket;
pub use store::{Folder, Got, Store, Stored};

use crate::Selection;
use format::{DigestName, join};

pub(crate) const HOUR: i64 = 3_600_000_000;

/// Accounts and regions that are checked at once.
const GROUPS_AT_ONCE: usize = 8;

/// Results that are recorded together.
const RECORDED_AT_ONCE: usize = 20_000;

/// Findings that are kept to be shown; all are counted and recorded.
const MAX_FINDINGS: usize = 10_000;

/// How often it is said how far checking is.
const LOG_LINE: Duration = Duration::from_secs(5);

/// How deep accounts are looked for below a source.
const MAX_DEPTH: usize = 12;

/// How digests are checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Accounts, regions, and days of delivery (UTC).
    pub selection: Selection,
    /// Objects that are fetched and hashed at once.
    pub fetches: usize,
    /// Cap on the text of one log file or digest, in bytes.
    pub max_inflated_bytes: usize,
    /// Now, in microseconds: when the results were found.
    pub now: i64,
}

/// What checking showed.
#[derive(Debug, Clone, Default)]
pub struct Report {
    counts: BTreeMap<(Subject, Proof), u64>,
    /// Log files for whose time there is no digest (yet): the newest hour or two, always.
    pub not_covered: u64,
    /// Everything that is not verified, up to a limit.
    pub findings: Vec<DigestResult>,
    /// Findings beyond that limit.
    pub findings_left_out: u64,
    /// What the lake was told.
    pub recorded: DigestReport,
}

impl Report {
    /// How many digests, log files or gaps were found so.
    pub fn count(&self, subject: Subject, status: Proof) -> u64 {
        self.counts.get(&(subject, status)).copied().unwrap_or(0)
    }

    /// Whether there are digests at all, nothing is altered, missing or unreferenced, and there is
    /// no gap.
    pub fn is_clean(&self) -> bool {
        let fine = |status: &Proof| matches!(status, Proof::Verified | Proof::NotProvable);
        self.has_digests() && self.counts.keys().all(|(_, status)| fine(status))
    }

    /// Whether there are digests at all.
    pub fn has_digests(&self) -> bool {
        self.counts.keys().any(|(subject, _)| *subject == Subject::Digest)
    }

    fn say(&self) {
        let all = |subject: Subject| {
            let counts = self.counts.iter().filter(|((one, _), _)| *one == subject);
            counts.map(|(_, count)| count).sum::<u64>()
        };
        let (digests, log_files) = (all(Subject::Digest), all(Subject::LogFile));
        tracing::info!(digests, log_files, findings = self.findings.len(), "checking digests");
    }

    fn take_in(&mut self, result: &DigestResult) {
        *self.counts.entry((result.subject, result.status)).or_default() += 1;
        if result.status == Proof::Verified {
            return;
        }
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(result.clone());
        } else {
            self.findings_left_out += 1;
        }
    }
}

/// An account's region below one trail's prefix: its digests list the same log files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// The account's folder as the store sees it, without a closing `/`.
    pub(crate) root: String,
    pub(crate) region: String,
}

/// What all groups share.
pub(crate) struct Run<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) keys: &'a PublicKeys,
    pub(crate) settings: &'a Settings,
    pub(crate) window: Window,
    pub(crate) fetching: Arc<Semaphore>,
    pub(crate) results: mpsc::Sender<Vec<DigestResult>>,
}

/// The stretch of delivery that is checked, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Window {
    fn of(selection: &Selection) -> Self {
        let start = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
        let after = |day: NaiveDate| day.checked_add_days(Days::new(1)).map(start);
        Self {
            from: selection.since.map_or(i64::MIN / 2, start),
            to: selection.until.and_then(after).unwrap_or(i64::MAX / 2),
        }
    }

    /// Digests that matter: those of the time itself, and those that may list its last log files.
    pub(crate) fn wants_digest(self, end: i64) -> bool {
        end > self.from && end <= self.to.saturating_add(2 * HOUR)
    }

    /// The key below `prefix` after which a listing by day matters, a day early.
    pub(crate) fn listed_after(self, prefix: &str) -> String {
        chrono::DateTime::from_timestamp_micros(self.from)
            .filter(|_| self.from > 0)
            .and_then(|from| from.date_naive().checked_sub_days(Days::new(1)))
            .map_or_else(String::new, |day| format!("{prefix}{}", day.format("%Y/%m/%d")))
    }
}

impl Run<'_> {
    pub(crate) fn cap(&self) -> u64 {
        self.settings.max_inflated_bytes as u64
    }

    pub(crate) async fn report(&self, results: Vec<DigestResult>) -> Result<(), DigestError> {
        let sent = self.results.send(results).await;
        sent.map_err(|_| DigestError::Stopped("nobody takes the results".to_owned()))
    }
}

/// Checks the digests and log files of all stores, and records the results in `lake`.
///
/// # Errors
///
/// When a place cannot be listed or an object cannot be fetched though it may be there: then
/// nothing can be said. What was found until then is recorded.
pub async fn verify(
    stores: &[Arc<dyn Store>],
    keys: &PublicKeys,
    settings: &Settings,
    lake: &Lake,
) -> Result<Report, DigestError> {
    let mut report = Report::default();
    for store in stores {
        let (sender, mut receiver) = mpsc::channel::<Vec<DigestResult>>(GROUPS_AT_ONCE);
        let run = Run {
            store: store.as_ref(),
            keys,
            settings,
            window: Window::of(&settings.selection),
            fetching: Arc::new(Semaphore::new(settings.fetches.max(1))),
            results: sender,
        };
        let checking = check_store(run);
        let recording = async {
            let mut waiting = Vec::new();
            let mut line = tokio::time::interval(LOG_LINE);
            line.reset();
            loop {
                let results = tokio::select! {
                    results = receiver.recv() => results,
                    _ = line.tick() => {
                        report.say();
                        continue;
                    }
                };
                let Some(results) = results else { break };
                results.iter().for_each(|result| report.take_in(result));
                waiting.extend(results);
                if waiting.len() >= RECORDED_AT_ONCE {
                    record(lake, &mut waiting, &mut report.recorded).await?;
                }
            }
            record(lake, &mut waiting, &mut report.recorded).await
        };
        let (checked, recorded) = tokio::join!(checking, recording);
        recorded?;
        report.not_covered += checked?;
    }
    let order = |result: &DigestResult| {
        (
            result.subject,
            result.status,
            result.key.clone(),
            result.digest_key.clone(),
            result.period_start,
        )
    };
    report.findings.sort_by_key(order);
    Ok(report)
}

async fn record(
    lake: &Lake,
    waiting: &mut Vec<DigestResult>,
    recorded: &mut DigestReport,
) -> Result<(), DigestError> {
    let done = lake.digest_results(&std::mem::take(waiting)).await?;
    recorded.added += done.added;
    recorded.known += done.known;
    Ok(())
}

/// Gives the number of log files for whose time there is no digest.
async fn check_store(run: Run<'_>) -> Result<u64, DigestError> {
    let groups = groups(run.store, &run.settings.selection).await?;
    let checks = groups.iter().map(|group| check_group(&run, group));
    futures::stream::iter(checks)
        .buffer_unordered(GROUPS_AT_ONCE)
        .try_fold(0, async |sum, not_covered| Ok(sum + not_covered))
        .await
}

async fn check_group(run: &Run<'_>, group: &Group) -> Result<u64, DigestError> {
    let prefix = join(&group.root, &format!("CloudTrail-Digest/{}/", group.region));
    let after = run.window.listed_after(&prefix);
    // Regular chains before backfills.
    let mut chains: BTreeMap<(bool, String), walk::Listed> = BTreeMap::new();
    let mut keys = run.store.keys(prefix, after);
    while let Some(key) = keys.try_next().await? {
        let Some(name) = DigestName::of(&key) else { continue };
        let accounts = &run.settings.selection.accounts;
        if !accounts.is_empty() && !accounts.contains(&name.account) {
            return Ok(0);
        }
        if run.window.wants_digest(name.end) {
            chains.entry((name.backfill, name.trail)).or_default().insert((name.end, key));
        }
    }
    drop(keys);
    let mut ground = walk::Ground::default();
    for ((backfill, _), listed) in chains {
        walk::chain(run, group, backfill, listed, &mut ground).await?;
    }
    run.report(ground.doubtful_results()).await?;
    unreferenced::check(run, group, &ground).await
}

/// Finds the accounts and regions that have digests or log files below a store's prefix.
async fn groups(store: &dyn Store, selection: &Selection) -> Result<Vec<Group>, DigestError> {
    let (roots, only_region) = match inside_account(store.prefix()) {
        Some((root, region)) => (vec![root.to_owned()], region),
        None => (roots(store).await?, None),
    };
    let wanted = |region: &str| {
        (selection.regions.is_empty() || selection.regions.iter().any(|one| one == region))
            && only_region.is_none_or(|only| only == region)
    };
    let mut groups = Vec::new();
    let accounts = &selection.accounts;
    let other_account = |name: &str| {
        !accounts.is_empty() && is_account(name) && !accounts.iter().any(|one| one == name)
    };
    for root in roots {
        if other_account(last_part(&root)) {
            continue;
        }
        // Log files without any digest are to be counted, too.
        let mut regions = BTreeSet::new();
        for kind in ["CloudTrail-Digest/", "CloudTrail/"] {
            for folder in store.folders(&join(&root, kind)).await? {
                let region = last_part(&folder);
                if wanted(region) {
                    regions.insert(region.to_owned());
                }
            }
        }
        groups.extend(regions.into_iter().map(|region| Group { root: root.clone(), region }));
    }
    Ok(groups)
}

/// The name of a folder whose key ends with `/`.
fn last_part(folder: &str) -> &str {
    folder.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

fn is_account(name: &str) -> bool {
    name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Account's folder and region, where a prefix leads to or into an account: the digests lie beside
/// the log files that were named.
fn inside_account(prefix: &str) -> Option<(&str, Option<&str>)> {
    let parts: Vec<&str> = prefix.split('/').collect();
    let logs = parts.iter().rposition(|part| *part == "AWSLogs")?;
    let account = (logs + 1..parts.len()).take(2).find(|&at| is_account(parts[at]))?;
    let length = parts[..=account].iter().map(|part| part.len() + 1).sum::<usize>() - 1;
    let region = parts.get(account + 2).copied().filter(|region| !region.is_empty());
    Some((&prefix[..length], region.filter(|_| parts.len() > account + 3)))
}

/// Folders of accounts below a store's prefix that have digests or log files.
async fn roots(store: &dyn Store) -> Result<Vec<String>, DigestError> {
    let mut roots = Vec::new();
    let mut level = vec![store.prefix().to_owned()];
    for _ in 0..MAX_DEPTH {
        let folders = level.iter().map(|prefix| store.folders(prefix));
        let found: Vec<(usize, Vec<String>)> = futures::stream::iter(folders)
            .buffered(GROUPS_AT_ONCE)
            .enumerate()
            .map(|(index, folders)| Ok::<_, DigestError>((index, folders?)))
            .try_collect()
            .await?;
        let mut next = Vec::new();
        for (index, folders) in found {
            let of_account = level[index].trim_end_matches('/').rsplit('/').next();
            let of_account = of_account.is_some_and(is_account);
            for folder in folders {
                let name = last_part(&folder);
                let is_root = name == "CloudTrail-Digest" || (of_account && name == "CloudTrail");
                if is_root {
                    let root = &folder[..folder.len() - name.len() - 1];
                    roots.push(root.trim_end_matches('/').to_owned());
                } else if !of_account && name != "_delta_log" {
                    // Beside those two lies only what other services deliver.
                    next.push(folder);
                }
            }
        }
        if next.is_empty() {
            break;
        }
        level = next;
    }
    roots.sort_unstable();
    roots.dedup();
    Ok(roots)
}
