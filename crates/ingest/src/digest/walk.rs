//! Follows one chain of digests from the newest backwards, and checks what each lists.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use futures::{StreamExt as _, TryStreamExt as _};
use rolecall_lake::{DigestResult, Proof, Subject};

use super::format::{Digest, DigestName, LogEntry, Previous, below, join, root_of, same_folder};
use super::keys::{Range, is_signed};
use super::store::{Got, Stored};
use super::{DigestError, Group, HOUR, Run, hash};
use crate::layout::{self, Named};

/// The digests of one chain as listed: end and key.
pub(super) type Listed = BTreeSet<(i64, String)>;

/// What the digests of a group say together.
#[derive(Default)]
pub(super) struct Ground {
    /// Stretches of delivery whose digests are there and not altered.
    pub(super) periods: Vec<(i64, i64)>,
    /// Bucket and account's folder, as the digests name them.
    pub(super) theirs: Option<(String, String)>,
    hashers: (RandomState, RandomState),
    /// Log files that were reported, by the hash of their key in the store.
    reported: HashSet<(u64, u64)>,
    /// Log files that only altered digests list, so far.
    doubtful: Vec<(String, DigestResult)>,
}

impl Ground {
    fn hash(&self, key: &str) -> (u64, u64) {
        (self.hashers.0.hash_one(key), self.hashers.1.hash_one(key))
    }

    /// Whether a digest lists the log file with this key in the store.
    pub(super) fn is_listed(&self, key: &str) -> bool {
        self.reported.contains(&self.hash(key))
    }

    /// Notes that a log file is reported. False where it was already.
    fn list(&mut self, key: &str) -> bool {
        self.reported.insert(self.hash(key))
    }

    /// What altered digests list and no other one does.
    pub(super) fn doubtful_results(&mut self) -> Vec<DigestResult> {
        let doubtful = std::mem::take(&mut self.doubtful);
        doubtful.into_iter().filter_map(|(key, result)| self.list(&key).then_some(result)).collect()
    }
}

/// What the digest visited before says of the one that is visited.
struct Link {
    /// In the store.
    key: String,
    previous: Previous,
    /// What was found of the digest that says so.
    by: Proof,
}

impl Link {
    /// Whether what it leads to must be there: an altered digest may say anything.
    fn is_binding(&self) -> bool {
        matches!(self.by, Proof::Verified | Proof::NotProvable)
    }
}

/// A digest that was visited.
struct Visited {
    result: DigestResult,
    digest: Option<Digest>,
}

struct Chain<'a> {
    run: &'a Run<'a>,
    group: &'a Group,
    backfill: bool,
    /// When the public keys of the whole chain were valid.
    key_range: Range,
    /// Not visited yet.
    left: Listed,
}

/// Checks one chain.
pub(super) async fn chain(
    run: &Run<'_>,
    group: &Group,
    backfill: bool,
    listed: Listed,
    ground: &mut Ground,
) -> Result<(), DigestError> {
    let (Some((first, _)), Some((last, _))) = (listed.first(), listed.last()) else {
        return Ok(());
    };
    let seconds = |micros: i64| micros.div_euclid(1_000_000);
    let key_range = (seconds(first - 2 * HOUR), seconds(last + 2 * HOUR));
    let mut chain = Chain { run, group, backfill, key_range, left: listed };
    chain.walk(ground).await?;
    // What no other digest leads to.
    while let Some((end, key)) = chain.left.pop_last() {
        let visited = chain.visit(&key, end, None).await?;
        chain.take_in(visited, ground).await?;
    }
    Ok(())
}

impl Chain<'_> {
    async fn walk(&mut self, ground: &mut Ground) -> Result<(), DigestError> {
        let mut link: Option<Link> = None;
        // Start of the oldest stretch that was accounted for.
        let mut edge: Option<i64> = None;
        loop {
            let (end, key, link_here) = match link.take() {
                Some(link) => {
                    let end = DigestName::of(&link.key).map_or(edge.unwrap_or(0), |name| name.end);
                    if end <= self.run.window.from {
                        break;
                    }
                    self.left.remove(&(end, link.key.clone()));
                    (end, link.key.clone(), Some(link))
                }
                None => match self.older_than(edge) {
                    Some((end, key)) => (end, key, None),
                    None => break,
                },
            };
            let visited = self.visit(&key, end, link_here.as_ref()).await?;
            let status = visited.result.status;
            let linked = link_here.is_some_and(|link| link.is_binding());
            if let Some(edge) = edge
                && !linked
                && end < edge
            {
                self.run.report(vec![self.gap(end, edge)]).await?;
            }
            if status == Proof::Missing {
                // The edge stays: whatever is found next shows how much is missing.
                self.report_digest(visited).await?;
                if self.left.range(..(end, String::new())).next().is_none() {
                    let start = end - HOUR;
                    self.run.report(vec![self.gap(start, edge.unwrap_or(end))]).await?;
                    break;
                }
                continue;
            }
            edge = Some(match (&visited.digest, status) {
                (Some(digest), Proof::Verified | Proof::NotProvable) => digest.start(),
                // What an altered digest says of its time is not to be relied upon.
                _ => end - HOUR,
            });
            link = self.link(&visited);
            self.take_in(visited, ground).await?;
        }
        Ok(())
    }

    /// The newest digest listed that ends at `edge` or before.
    fn older_than(&mut self, edge: Option<i64>) -> Option<(i64, String)> {
        let limit = edge.map_or(i64::MAX, |edge| edge.saturating_add(1));
        let found = self.left.range(..(limit, String::new())).next_back().cloned()?;
        self.left.take(&found)
    }

    /// Where a digest leads to. One that is not verified leads on only to what is listed.
    fn link(&self, visited: &Visited) -> Option<Link> {
        let digest = visited.digest.as_ref()?;
        let previous = digest.previous()?;
        let key = self.in_store(root_of(&digest.key)?, &previous.key);
        let end = DigestName::of(&key).map(|name| name.end);
        let listed = end.is_some_and(|end| self.left.contains(&(end, key.clone())));
        let link = Link { key, previous, by: visited.result.status };
        (link.is_binding() || listed).then_some(link)
    }

    /// The key in the store of what a digest names by `key`, where `root` is the account's folder
    /// as the digest knows it.
    fn in_store(&self, root: &str, key: &str) -> String {
        below(root, key).map_or_else(|| key.to_owned(), |rest| join(&self.group.root, rest))
    }

    fn result(&self, subject: Subject, status: Proof) -> DigestResult {
        let root = self.group.root.as_str();
        let trail_prefix = root.rsplit_once('/').map(|(prefix, _)| prefix.to_owned());
        let account = root.rsplit('/').next().unwrap_or_default().to_owned();
        DigestResult {
            trail_prefix,
            account_id: Some(account).filter(|account| super::is_account(account)),
            aws_region: Some(self.group.region.clone()),
            backfill: self.backfill,
            ..DigestResult::new(subject, status, self.run.settings.now)
        }
    }

    fn gap(&self, start: i64, end: i64) -> DigestResult {
        DigestResult {
            reason: Some("there is no digest of this time".to_owned()),
            period_start: Some(start),
            period_end: Some(end),
            ..self.result(Subject::Gap, Proof::Missing)
        }
    }

    /// Fetches and checks one digest.
    async fn visit(
        &self,
        key: &str,
        end: i64,
        link: Option<&Link>,
    ) -> Result<Visited, DigestError> {
        let bucket = link.map(|link| link.previous.bucket.as_str());
        let bucket = self.run.store.bucket().map(|own| bucket.unwrap_or(own));
        let mut result = DigestResult {
            digest_bucket: bucket.map(str::to_owned),
            digest_key: Some(link.map_or(key, |link| link.previous.key.as_str()).to_owned()),
            period_start: Some(end - HOUR),
            period_end: Some(end),
            ..self.result(Subject::Digest, Proof::Verified)
        };
        if result.account_id.is_none() {
            result.account_id = DigestName::of(key).map(|name| name.account);
        }
        let got = self.run.store.get(bucket.unwrap_or_default(), key, self.run.cap()).await?;
        let stored = match got {
            Got::Object(stored) => stored,
            Got::Missing => {
                result.status = Proof::Missing;
                result.reason = Some("the digest after it names it, but it is gone".to_owned());
                return Ok(Visited { result, digest: None });
            }
            Got::Withheld(reason) => {
                (result.status, result.reason) = (Proof::NotProvable, Some(reason));
                return Ok(Visited { result, digest: None });
            }
        };
        let mut digest = None;
        if let Err((status, reason)) =
            self.check(key, &stored, link, &mut result, &mut digest).await?
        {
            (result.status, result.reason) = (status, Some(reason));
        }
        Ok(Visited { result, digest })
    }

    /// Whether a digest is what CloudTrail delivered, and if not, why.
    async fn check(
        &self,
        key: &str,
        stored: &Stored,
        link: Option<&Link>,
        result: &mut DigestResult,
        kept: &mut Option<Digest>,
    ) -> Result<Result<(), (Proof, String)>, DigestError> {
        let altered = |reason: &str| Ok(Err((Proof::Altered, reason.to_owned())));
        let (text, sha256) = match hash::text(&stored.bytes, self.run.settings.max_inflated_bytes) {
            Ok(read) => read,
            Err(reason) => return altered(&reason),
        };
        result.digest_sha256 = Some(sha256.clone());
        let digest = match Digest::parse(&text) {
            Ok(digest) => kept.insert(digest),
            Err(reason) => return altered(&reason),
        };
        result.public_key_fingerprint = Some(digest.fingerprint.clone());
        if !self.is_in_place(key, digest, result.digest_bucket.as_deref()) {
            return altered(&format!("was moved: it is s3://{}/{}", digest.bucket, digest.key));
        }
        result.digest_bucket = Some(digest.bucket.clone());
        result.digest_key = Some(digest.key.clone());
        (result.period_start, result.period_end) = (Some(digest.start()), Some(digest.end()));
        if let Some(reason) = digest.unusable() {
            return altered(&reason);
        }
        let said = link.filter(|link| link.by == Proof::Verified);
        let said = said.and_then(|link| link.previous.hash.as_deref());
        if said.is_some_and(|said| !said.eq_ignore_ascii_case(&sha256)) {
            return altered("its hash is not the one that the digest after it names");
        }
        let signature = match &stored.metadata {
            Some(metadata) => match metadata.get("signature") {
                Some(signature) => signature.clone(),
                None => return altered("its metadata hold no signature"),
            },
            None => match link.and_then(|link| link.previous.signature.clone()) {
                Some(signature) => signature,
                None => {
                    let reason = "its signature is not at hand: it is in the object's metadata, \
                                  which a copy lacks";
                    return Ok(Err((Proof::NotProvable, reason.to_owned())));
                }
            },
        };
        let mut ranges = vec![self.key_range];
        ranges.extend(self.own_key_range(digest, stored));
        let region = self.group.region.as_str();
        let Some(public_key) = self.run.keys.find(region, &digest.fingerprint, &ranges).await?
        else {
            return altered(&format!("there is no public key {}", digest.fingerprint));
        };
        if is_signed(&public_key, &digest.signed_text(&sha256), &signature) {
            Ok(Ok(()))
        } else if stored.metadata.is_none() && link.is_none_or(|link| !link.is_binding()) {
            let reason = "its signature is not at hand: the digest that repeats it is altered";
            Ok(Err((Proof::NotProvable, reason.to_owned())))
        } else {
            altered("its signature does not match")
        }
    }

    /// When the key that signed a digest was valid: for a backfill, when that was made.
    fn own_key_range(&self, digest: &Digest, stored: &Stored) -> Option<Range> {
        let made = stored.metadata.as_ref()?.get("backfill-generation-timestamp");
        if let Some(made) = made {
            let made = chrono::DateTime::parse_from_rfc3339(made).ok()?.timestamp();
            return Some((made - 3_600, made + 3_600));
        }
        Some((
            digest.start().div_euclid(1_000_000),
            (digest.end() + 2 * HOUR).div_euclid(1_000_000),
        ))
    }

    /// Whether a digest lies where it says. A copy may lie further up or down than the original.
    fn is_in_place(&self, key: &str, digest: &Digest, bucket: Option<&str>) -> bool {
        if let Some(bucket) = bucket {
            return digest.bucket == bucket && digest.key == key;
        }
        let (Some(ours), Some(theirs)) = (root_of(key), root_of(&digest.key)) else { return false };
        same_folder(ours, theirs) && below(ours, key) == below(theirs, &digest.key)
    }

    /// Reports a visited digest and what it lists.
    async fn take_in(&self, visited: Visited, ground: &mut Ground) -> Result<(), DigestError> {
        if let Some(digest) = &visited.digest {
            match visited.result.status {
                Proof::Verified | Proof::NotProvable => {
                    ground.periods.push((digest.start(), digest.end()));
                    if let Some(root) = root_of(&digest.key) {
                        ground.theirs.get_or_insert((digest.bucket.clone(), root.to_owned()));
                    }
                    let logs = self.logs(digest, &visited.result, ground).await?;
                    self.run.report(logs).await?;
                }
                _ => self.doubt(digest, &visited.result, ground),
            }
        }
        self.report_digest(visited).await
    }

    async fn report_digest(&self, visited: Visited) -> Result<(), DigestError> {
        self.run.report(vec![visited.result]).await
    }

    /// Keeps in mind what an altered digest lists: it proves nothing.
    fn doubt(&self, digest: &Digest, result: &DigestResult, ground: &mut Ground) {
        let Some(root) = root_of(&digest.key) else { return };
        for entry in &digest.log_files {
            let key = self.in_store(root, &entry.key);
            let doubtful = DigestResult {
                status: Proof::NotProvable,
                reason: Some("the digest that lists it is altered".to_owned()),
                ..log_result(entry, result)
            };
            ground.doubtful.push((key, doubtful));
        }
    }

    /// Checks the log files that a digest lists and that were not reported yet.
    async fn logs(
        &self,
        digest: &Digest,
        result: &DigestResult,
        ground: &mut Ground,
    ) -> Result<Vec<DigestResult>, DigestError> {
        let root = root_of(&digest.key).unwrap_or_default();
        let entries = digest.log_files.iter().filter_map(|entry| {
            let key = self.in_store(root, &entry.key);
            ground.list(&key).then_some((entry, key))
        });
        let entries: Vec<_> = entries.collect();
        let checks = entries.into_iter().map(|(entry, key)| self.log(entry, key, result));
        futures::stream::iter(checks).buffered(self.run.settings.fetches.max(1)).try_collect().await
    }

    async fn log(
        &self,
        entry: &LogEntry,
        key: String,
        digest: &DigestResult,
    ) -> Result<DigestResult, DigestError> {
        let mut result = log_result(entry, digest);
        if let Some(reason) = entry.unusable() {
            (result.status, result.reason) = (Proof::NotProvable, Some(reason));
            return Ok(result);
        }
        let permit = self.run.fetching.acquire().await;
        let permit = permit.map_err(|error| DigestError::Stopped(error.to_string()))?;
        let bytes = match self.run.store.get(&entry.bucket, &key, self.run.cap()).await? {
            Got::Object(stored) => stored.bytes,
            Got::Missing => {
                let reason = "its digest lists it, but it is gone";
                (result.status, result.reason) = (Proof::Missing, Some(reason.to_owned()));
                return Ok(result);
            }
            Got::Withheld(reason) => {
                (result.status, result.reason) = (Proof::NotProvable, Some(reason));
                return Ok(result);
            }
        };
        let cap = self.run.settings.max_inflated_bytes;
        let hashes = tokio::task::spawn_blocking(move || hash::hashes(&bytes, cap))
            .await
            .map_err(|error| DigestError::Stopped(error.to_string()))?;
        drop(permit);
        result.stored_sha256 = Some(hashes.stored);
        match hashes.text {
            Ok(found) if found.eq_ignore_ascii_case(&entry.hash_value) => {
                result.status = digest.status;
                if digest.status == Proof::NotProvable {
                    result.reason =
                        Some("it is what its digest says, but that is not provable".to_owned());
                }
                result.found_sha256 = Some(found);
            }
            Ok(found) => {
                let reason = "its hash is not the one that its digest names";
                (result.status, result.reason) = (Proof::Altered, Some(reason.to_owned()));
                result.found_sha256 = Some(found);
            }
            Err(reason) => (result.status, result.reason) = (Proof::Altered, Some(reason)),
        }
        Ok(result)
    }
}

/// What a result on a log file takes over from its digest's.
fn log_result(entry: &LogEntry, digest: &DigestResult) -> DigestResult {
    DigestResult {
        subject: Subject::LogFile,
        status: Proof::Verified,
        reason: None,
        digest_sha256: None,
        bucket: Some(entry.bucket.clone()),
        key: Some(entry.key.clone()),
        sha256: Some(entry.hash_value.to_ascii_lowercase()),
        ..named(digest.clone(), &entry.key)
    }
}

/// A result on the log file with this key: what the ledger knows it by.
pub(super) fn named(result: DigestResult, key: &str) -> DigestResult {
    let file_name = key.rsplit('/').next().unwrap_or(key).to_owned();
    let layout = match layout::of_key(key) {
        Named::LogFile(layout) => Some(layout),
        Named::NotALogFile(_) => None,
    };
    let date = layout.as_ref().and_then(|layout| layout.delivered_date);
    let day = |date: chrono::NaiveDate| (date - chrono::NaiveDate::default()).num_days();
    DigestResult {
        delivered_date: date.and_then(|date| i32::try_from(day(date)).ok()),
        log_file: Some(layout.and_then(|layout| layout.delivered_identity()).unwrap_or(file_name)),
        ..result
    }
}
