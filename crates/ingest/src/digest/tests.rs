//! A generated organisation's digests, tampered with in every way, and what checking says of them.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use rolecall_lake::{Lake, LakeOptions, Proof, Subject};
use rolecall_testkit::{DigestFile, DigestOptions, Digests, Kind, Organization, Spec};

use super::{DigestError, Got, HOUR, PublicKeys, Report, Settings, Store, Stored, verify};
use crate::Selection;

const BUCKET: &str = "trail";
const REGION: &str = "us-east-1";

/// Objects in memory: a bucket, or a copy of one without metadata.
#[derive(Clone)]
struct Memory {
    objects: BTreeMap<String, Stored>,
    is_copy: bool,
    prefix: String,
}

#[async_trait]
impl Store for Memory {
    async fn folders(&self, prefix: &str) -> Result<Vec<String>, DigestError> {
        let below = self.objects.keys().filter_map(|key| key.strip_prefix(prefix));
        let folders = below.filter_map(|rest| rest.split_once('/'));
        let mut folders: Vec<_> = folders.map(|(name, _)| format!("{prefix}{name}/")).collect();
        folders.dedup();
        Ok(folders)
    }

    fn keys(&self, prefix: String, after: String) -> BoxStream<'_, Result<String, DigestError>> {
        let keys = self.objects.keys();
        let keys = keys.filter(move |key| key.starts_with(&prefix) && **key > after);
        futures::stream::iter(keys.map(|key| Ok(key.clone()))).boxed()
    }

    async fn get(&self, bucket: &str, key: &str, _cap: u64) -> Result<Got, DigestError> {
        assert!(self.is_copy || bucket == BUCKET, "{bucket}");
        Ok(self.objects.get(key).cloned().map_or(Got::Missing, Got::Object))
    }

    fn bucket(&self) -> Option<&str> {
        (!self.is_copy).then_some(BUCKET)
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// The organisation's objects, and its production account's digests in one region, oldest first.
struct Scene {
    store: Memory,
    digests: Digests,
    chain: Vec<DigestFile>,
    account: String,
}

fn scene(is_copy: bool, backfill: bool) -> Scene {
    let spec = Spec { days: 2, delivery_minutes: 120, ..Spec::small(3) };
    let organization = Organization::generate(&spec);
    let options =
        DigestOptions { bucket: BUCKET.to_owned(), prefix: "archive/".to_owned(), backfill };
    let digests = organization.digests(&options);
    let mut objects = BTreeMap::new();
    // A copy lacks what stands before the part that was copied.
    let key_of = |key: &str| if is_copy { key.to_owned() } else { format!("archive/{key}") };
    for file in organization.files().filter(|file| file.kind == Kind::Log) {
        let metadata = (!is_copy).then(HashMap::new);
        objects.insert(key_of(&file.key), Stored { bytes: file.bytes.into(), metadata });
    }
    let account = organization.truth().inventory.accounts[1].account_id.clone();
    let mut chain = Vec::new();
    for file in &digests.files {
        let metadata =
            file.metadata.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let metadata = (!is_copy).then(|| metadata.collect());
        let stored = Stored { bytes: file.bytes.clone().into(), metadata };
        objects.insert(key_of(&file.key), stored);
        if file.account_id == account
            && file.aws_region == REGION
            && file.key.contains("organization_trail")
        {
            chain.push(DigestFile { key: key_of(&file.key), ..file.clone() });
        }
    }
    let prefix = if is_copy { String::new() } else { "archive/".to_owned() };
    Scene { store: Memory { objects, is_copy, prefix }, digests, chain, account }
}

impl Scene {
    /// Checks production's region alone.
    async fn check(&self) -> Report {
        let accounts = vec![self.account.clone()];
        let selection =
            Selection { accounts, regions: vec![REGION.to_owned()], ..Selection::default() };
        self.check_all(selection).await
    }

    async fn check_all(&self, selection: Selection) -> Report {
        let folder = tempfile::tempdir().unwrap();
        let uri = folder.path().join("lake").to_str().unwrap().to_owned();
        let lake = Lake::create_or_open(&uri, LakeOptions::default()).await.unwrap();
        let keys = PublicKeys::parse(self.digests.public_keys.as_bytes()).unwrap();
        let settings = Settings {
            selection,
            fetches: 4,
            max_inflated_bytes: 64 << 20,
            now: 1_800_000_000_000_000,
        };
        let stores: Vec<Arc<dyn Store>> = vec![Arc::new(self.store.clone())];
        let report = verify(&stores, &keys, &settings, &lake).await.unwrap();
        let recorded = report.recorded.added + report.recorded.known;
        assert_eq!(recorded, report.counts.values().sum::<u64>());
        let again = verify(&stores, &keys, &settings, &lake).await.unwrap();
        assert_eq!(again.recorded.added, 0, "the same again adds nothing");
        assert_eq!(again.counts, report.counts);
        report
    }

    /// The digest in the middle that lists log files, and its place in the chain.
    fn middle(&self) -> (usize, &DigestFile) {
        let busy = |(_, file): &(usize, &DigestFile)| !file.log_files.is_empty();
        self.chain.iter().enumerate().skip(self.chain.len() / 2).find(busy).unwrap()
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.store.prefix)
    }

    fn logs(&self) -> u64 {
        // Production delivers to a second trail as well, in a folder of its own.
        self.digests
            .files
            .iter()
            .filter(|file| file.account_id == self.account && file.aws_region == REGION)
            .map(|file| file.log_files.len() as u64)
            .sum()
    }

    fn digests(&self) -> u64 {
        let ours =
            |file: &&DigestFile| file.account_id == self.account && file.aws_region == REGION;
        self.digests.files.iter().filter(ours).count() as u64
    }
}

fn counts(report: &Report) -> Vec<((Subject, Proof), u64)> {
    let found = report.counts.iter().map(|(key, count)| (*key, *count));
    found.filter(|((_, status), _)| *status != Proof::Verified).collect()
}

fn inflate(bytes: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

const LOG: Subject = Subject::LogFile;
const DIGEST: Subject = Subject::Digest;
const GAP: Subject = Subject::Gap;

#[tokio::test]
async fn all_that_was_delivered_is_verified() {
    for backfill in [false, true] {
        let scene = scene(false, backfill);
        let report = scene.check_all(Selection::default()).await;
        assert_eq!(counts(&report), []);
        assert!(report.is_clean());
        let logs: usize = scene.digests.files.iter().map(|file| file.log_files.len()).sum();
        assert_eq!(report.count(LOG, Proof::Verified), logs as u64);
        assert_eq!(report.count(DIGEST, Proof::Verified), scene.digests.files.len() as u64);
        assert_eq!(report.not_covered, 0);
    }
}

#[tokio::test]
async fn of_a_copy_only_the_newest_digest_of_each_chain_is_not_provable() {
    let mut scene = scene(true, true);
    let report = scene.check_all(Selection::default()).await;
    let chains = scene.digests.files.iter().filter(|file| file.previous.is_none()).count() as u64;
    assert_eq!(report.count(DIGEST, Proof::NotProvable), chains);
    let verified = scene.digests.files.len() as u64 - chains;
    assert_eq!(report.count(DIGEST, Proof::Verified), verified);
    assert!(report.is_clean());
    // What was saved of the metadata makes up for it.
    for file in &scene.digests.files {
        let metadata =
            file.metadata.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        scene.store.objects.get_mut(&file.key).unwrap().metadata = Some(metadata.collect());
    }
    let report = scene.check_all(Selection::default()).await;
    assert_eq!(counts(&report), []);
}

#[tokio::test]
async fn log_files_that_were_tampered_with_are_told() {
    let scene = scene(false, false);
    let (_, digest) = scene.middle();
    let key = scene.key(&digest.log_files[0]);
    let bytes = scene.store.objects[&key].bytes.to_vec();
    let text = inflate(&bytes);
    let other_level = gzip(&text);
    assert_ne!(other_level, bytes);
    let cases = [
        (Some(gzip(&text.replacen("eventName", "eventname", 1))), Some(Proof::Altered)),
        (Some([bytes.as_slice(), b"x"].concat()), Some(Proof::Altered)),
        (Some([bytes.as_slice(), &gzip("")].concat()), Some(Proof::Altered)),
        (Some(text.into_bytes()), Some(Proof::Altered)),
        (Some(bytes[..bytes.len() - 4].to_vec()), Some(Proof::Altered)),
        (None, Some(Proof::Missing)),
        // Compressed anew, it is still the same text.
        (Some(other_level), None),
    ];
    for (bytes, expected) in cases {
        let mut scene = scene_with(&scene);
        match bytes {
            Some(bytes) => scene.store.objects.get_mut(&key).unwrap().bytes = bytes.into(),
            None => drop(scene.store.objects.remove(&key)),
        }
        let report = scene.check().await;
        let expected: Vec<_> = expected.map(|status| ((LOG, status), 1)).into_iter().collect();
        assert_eq!(counts(&report), expected);
        assert_eq!(report.is_clean(), expected.is_empty());
        assert_eq!(report.count(LOG, Proof::Verified), scene.logs() - expected.len() as u64);
        for finding in &report.findings {
            assert_eq!(finding.key.as_deref(), Some(key.as_str()));
            assert_eq!(finding.digest_key.as_deref(), Some(digest.key.as_str()));
            assert!(key.ends_with(finding.log_file.as_deref().unwrap()));
        }
    }
}

fn scene_with(scene: &Scene) -> Scene {
    Scene {
        store: scene.store.clone(),
        digests: scene.digests.clone(),
        chain: scene.chain.clone(),
        account: scene.account.clone(),
    }
}

#[tokio::test]
async fn a_deleted_digest_is_missing_and_leaves_a_gap() {
    for is_copy in [false, true] {
        let mut scene = scene(is_copy, false);
        let (at, digest) = scene.middle();
        let (start, end, unlisted) = (digest.start, digest.end, digest.log_files.len() as u64);
        let key = digest.key.clone();
        scene.store.objects.remove(&key);
        let report = scene.check().await;
        assert_eq!(report.count(DIGEST, Proof::Missing), 1);
        assert_eq!(report.count(GAP, Proof::Missing), 1);
        let gap = report.findings.iter().find(|finding| finding.subject == GAP).unwrap();
        assert_eq!((gap.period_start, gap.period_end), (Some(start), Some(end)));
        // Its log files lie in a time without a digest: nothing is said of them.
        assert_eq!(report.not_covered, unlisted);
        assert_eq!(report.count(LOG, Proof::Unreferenced), 0);
        assert!(!report.is_clean());
        // Without its successor, a copy lacks the signature of what came before.
        let lost = u64::from(is_copy);
        let newest = if is_copy { newest(&scene) } else { 0 };
        assert_eq!(report.count(DIGEST, Proof::NotProvable), lost + newest, "{at}");
        assert_eq!(report.count(DIGEST, Proof::Verified), scene.digests() - 1 - lost - newest);
    }
}

/// Newest digests of production's chains in the region: both trails have one.
fn newest(scene: &Scene) -> u64 {
    let ours = |file: &&DigestFile| file.account_id == scene.account && file.aws_region == REGION;
    scene.digests.files.iter().filter(ours).filter(|file| file.previous.is_none()).count() as u64
}

#[tokio::test]
async fn several_deleted_digests_leave_one_gap() {
    let mut scene = scene(false, false);
    let (at, _) = scene.middle();
    for file in &scene.chain[at..at + 3] {
        scene.store.objects.remove(&file.key);
    }
    let report = scene.check().await;
    // Only the last of them is named by a digest that is there.
    assert_eq!(counts(&report), [((DIGEST, Proof::Missing), 1), ((GAP, Proof::Missing), 1)]);
    let gap = report.findings.iter().find(|finding| finding.subject == GAP).unwrap();
    assert_eq!(gap.period_end.unwrap() - gap.period_start.unwrap(), 3 * HOUR);
}

#[tokio::test]
async fn an_altered_digest_proves_nothing() {
    let first = scene(false, false);
    let (_, digest) = first.middle();
    let text = inflate(&digest.bytes);
    let unlisted = digest.log_files.len() as u64;
    let cases = [
        text.replacen("\"hashValue\":\"", "\"hashValue\":\"0", 1),
        text.replacen("SHA256withRSA", "none", 1),
        text.replacen("digestPublicKeyFingerprint", "publicKeyFingerprint", 1),
        text.replacen("\"logFiles\"", "\"other\"", 1),
        "{".to_owned(),
    ];
    for case in cases {
        let mut scene = scene_with(&first);
        let parsed = case.contains("digestPublicKeyFingerprint");
        let lists = case.contains("\"logFiles\"") && parsed;
        scene.store.objects.get_mut(&digest.key).unwrap().bytes = gzip(&case).into();
        let report = scene.check().await;
        assert_eq!(report.count(DIGEST, Proof::Altered), 1, "{case}");
        assert_eq!(report.count(DIGEST, Proof::Verified), scene.digests() - 1);
        assert_eq!(report.count(GAP, Proof::Missing), 0);
        assert_eq!(report.count(LOG, Proof::NotProvable), if lists { unlisted } else { 0 });
        assert_eq!(report.not_covered, if lists { 0 } else { unlisted });
    }
    // Without metadata there is no signature.
    let mut scene = scene_with(&first);
    scene.store.objects.get_mut(&digest.key).unwrap().metadata = Some(HashMap::new());
    let report = scene.check().await;
    assert_eq!(report.count(DIGEST, Proof::Altered), 1);
    assert!(report.findings[0].reason.as_ref().unwrap().contains("signature"));
}

#[tokio::test]
async fn a_digest_signed_anew_with_another_key_is_altered() {
    let mut scene = scene(false, false);
    // Each key now stands for the other one's name.
    let listed: serde_json::Value = serde_json::from_str(&scene.digests.public_keys).unwrap();
    let mut swapped = listed.clone();
    for index in 0..2 {
        swapped["PublicKeyList"][index]["Value"] =
            listed["PublicKeyList"][1 - index]["Value"].clone();
    }
    scene.digests.public_keys = swapped.to_string();
    let report = scene.check().await;
    assert_eq!(report.count(DIGEST, Proof::Altered), scene.digests());
    assert_eq!(report.count(LOG, Proof::NotProvable), scene.logs());
    assert!(!report.is_clean());
    // A key that nobody published is no key.
    let mut one = listed;
    one["PublicKeyList"].as_array_mut().unwrap().truncate(1);
    scene.digests.public_keys = one.to_string();
    let report = scene.check().await;
    let unknown = report.count(DIGEST, Proof::Altered);
    assert!(unknown > 0 && unknown < scene.digests());
    assert_eq!(report.count(DIGEST, Proof::Verified), scene.digests() - unknown);
    assert!(report.findings.iter().any(|f| f.reason.as_ref().unwrap().contains("no public key")));
}

#[tokio::test]
async fn a_moved_digest_is_found_out() {
    for is_copy in [false, true] {
        let mut scene = scene(is_copy, false);
        let (at, digest) = scene.middle();
        let (from, to) = (digest.key.clone(), scene.chain[at - 5].key.clone());
        let moved = scene.store.objects[&from].clone();
        scene.store.objects.insert(to.clone(), moved);
        let report = scene.check().await;
        assert_eq!(report.count(DIGEST, Proof::Altered), 1, "{:?}", report.findings);
        let finding = report.findings.iter().find(|one| one.status == Proof::Altered).unwrap();
        assert!(finding.digest_key.as_ref().unwrap().ends_with(&to), "{finding:?}");
        assert!(finding.reason.as_ref().unwrap().contains("was moved"), "{finding:?}");
    }
}

#[tokio::test]
async fn a_planted_log_file_is_unreferenced_once_its_hour_is_covered() {
    let mut scene = scene(false, false);
    let (_, digest) = scene.middle();
    let bytes = scene.store.objects[&scene.key(&digest.log_files[0])].clone();
    let planted = scene.key(&digest.log_files[0].replace(".json.gz", "x.json.gz"));
    scene.store.objects.insert(planted.clone(), bytes.clone());
    // One that is younger than what the digests cover, and things that are no log files.
    let newest = scene.chain.last().unwrap();
    let day = chrono::DateTime::from_timestamp_micros(newest.end + 30 * HOUR).unwrap();
    let (root, _) = newest.key.split_once("/CloudTrail-Digest/").unwrap();
    let young = format!(
        "{root}/CloudTrail/{REGION}/{}/{}_CloudTrail_{REGION}_{}_young.json.gz",
        day.format("%Y/%m/%d"),
        scene.account,
        day.format("%Y%m%dT%H%MZ"),
    );
    scene.store.objects.insert(young, bytes.clone());
    scene.store.objects.insert(format!("{root}/CloudTrail/{REGION}/notes.txt"), bytes);
    let report = scene.check().await;
    assert_eq!(counts(&report), [((LOG, Proof::Unreferenced), 1)]);
    assert_eq!(report.findings[0].key.as_deref(), Some(planted.as_str()));
    assert_eq!(report.not_covered, 1);
    assert!(!report.is_clean());
}

#[tokio::test]
async fn days_bound_what_is_checked() {
    let scene = scene(false, false);
    let day = chrono::NaiveDate::from_ymd_opt(2026, 1, 5).unwrap();
    let accounts = vec![scene.account.clone()];
    let regions = vec![REGION.to_owned()];
    let selection = Selection { accounts, regions, since: Some(day), until: Some(day) };
    let report = scene.check_all(selection).await;
    assert_eq!(counts(&report), []);
    assert_eq!(report.not_covered, 0);
    // A day, what began before it, and what may list its last log files.
    let checked = report.count(DIGEST, Proof::Verified);
    assert!((24..=2 * 27).contains(&checked), "{checked}");
    assert!(report.count(LOG, Proof::Verified) > 0);
    assert!(report.count(LOG, Proof::Verified) < scene.logs());
}

#[tokio::test]
async fn a_source_may_be_an_account_or_a_region_of_one() {
    let mut scene = scene(false, false);
    let (root, _) = scene.chain[0].key.split_once("/CloudTrail-Digest/").unwrap();
    for prefix in [format!("{root}/"), format!("{root}/CloudTrail/{REGION}/2026/01/")] {
        scene.store.prefix = prefix;
        let selection = Selection { regions: vec![REGION.to_owned()], ..Selection::default() };
        let report = scene.check_all(selection).await;
        assert_eq!(counts(&report), []);
        assert_eq!(report.count(DIGEST, Proof::Verified), scene.chain.len() as u64);
    }
}

#[tokio::test]
async fn without_digests_nothing_is_proven() {
    let mut scene = scene(false, false);
    scene.store.objects.retain(|key, _| !key.contains("/CloudTrail-Digest/"));
    let report = scene.check_all(Selection::default()).await;
    assert!(!report.is_clean() && !report.has_digests());
    assert_eq!(report.not_covered, scene.store.objects.len() as u64);
}
