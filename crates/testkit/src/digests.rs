//! The digest files that CloudTrail delivers every hour beside the log files: what each trail delivered,
//! hash by hash, chained and signed.
//!
//! Format, names and signed text are those of
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html>.
//! The two signing keys are fixed and worthless: they are published with this crate, so that the same
//! organisation has the same signatures everywhere.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};

use crate::deliver::{Item, Plan, Planned, Trail, root};
use crate::dice::Dice;
use crate::files::{pack, text_of};
use crate::json::{Obj, array};
use crate::model::{AccountIx, EUROPE, GLOBAL, PRODUCTION, World};
use crate::noise::Writer;
use crate::time::{DAY, HOUR, MINUTE, Micros, folder, iso};

const KEYS: [&[u8]; 2] = [include_bytes!("digests/key-1.pk8"), include_bytes!("digests/key-2.pk8")];

/// How digests are delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DigestOptions {
    /// The bucket that the digests name.
    pub bucket: String,
    /// What stands before each generated key in that bucket, as in `archive/`.
    pub prefix: String,
    /// The digests of production's first day come later and as a chain of their own, as CloudTrail
    /// backfills what it missed.
    pub backfill: bool,
}

/// A digest file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestFile {
    /// Key, without the prefix of the options.
    pub key: String,
    /// Content: gzip.
    pub bytes: Vec<u8>,
    /// The object's user metadata, names without `x-amz-meta-`.
    pub metadata: Vec<(&'static str, String)>,
    /// Account whose log files it lists.
    pub account_id: String,
    /// Region whose log files it lists.
    pub aws_region: String,
    /// Whether it belongs to a backfill.
    pub backfill: bool,
    /// Start of the stretch of delivery that it covers.
    pub start: Micros,
    /// End of that stretch, itself outside.
    pub end: Micros,
    /// Keys of the log files that it lists, without the prefix of the options.
    pub log_files: Vec<String>,
    /// Key of the digest before it, without the prefix; none in the first of a chain.
    pub previous: Option<String>,
}

/// All digests of an organisation, and what is needed to check them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    /// The digests: chain by chain, oldest first.
    pub files: Vec<DigestFile>,
    /// What `aws cloudtrail list-public-keys` would print.
    pub public_keys: String,
}

struct Signer {
    keys: Vec<RsaKeyPair>,
    fingerprints: Vec<String>,
    /// From here on the second key signs.
    rotation: Micros,
}

/// A log file as a digest lists it.
struct Listed {
    key: String,
    hash: String,
    newest: Micros,
    oldest: Micros,
}

type ChainKey = (Trail, AccountIx, &'static str);

/// Makes the digests of all that `plan` delivers.
pub(crate) fn make(world: &World, plan: &Plan, options: &DigestOptions) -> Digests {
    let mut writer = Writer::default();
    let mut chains: BTreeMap<ChainKey, BTreeMap<Micros, Vec<Listed>>> = BTreeMap::new();
    for account in 0..world.accounts.len() {
        if world.accounts[account].delivered {
            for region in [GLOBAL, EUROPE] {
                chains.entry((Trail::Organization, account, region)).or_default();
            }
        }
    }
    let (mut first, mut last) = (world.start, world.end());
    for day in plan.days() {
        for planned in plan.day(day) {
            let hash = hex(digest(&SHA256, text_of(world, &mut writer, &planned).as_bytes()));
            let at = planned.delivered_at;
            (first, last) = (first.min(at), last.max(at));
            let chain = (planned.trail, planned.account, planned.region);
            let listed = listed(world, planned, hash);
            chains.entry(chain).or_default().entry(at).or_default().push(listed);
        }
    }
    let signer = Signer::new(world, world.start + (world.end() - world.start) / 2);
    let mut files = Vec::new();
    for (chain, listed) in chains {
        chain_files(world, options, &signer, chain, first, listed, &mut files);
    }
    Digests { files, public_keys: signer.public_keys(first, last) }
}

fn listed(world: &World, planned: Planned, hash: String) -> Listed {
    let times = planned.items.iter().map(|item| match item {
        Item::Story(record) => world.records[record.0].at,
        Item::Noise(noise) => noise.at,
    });
    let newest = times.clone().max().unwrap_or(planned.delivered_at);
    let oldest = times.min().unwrap_or(planned.delivered_at);
    Listed { key: planned.key, hash, newest, oldest }
}

/// One chain, hour by hour; with a backfill, the first day of production's is another.
fn chain_files(
    world: &World,
    options: &DigestOptions,
    signer: &Signer,
    chain: ChainKey,
    first: Micros,
    mut listed: BTreeMap<Micros, Vec<Listed>>,
    files: &mut Vec<DigestFile>,
) {
    let (trail, account, region) = chain;
    let stream = format!("digest/{region}/{trail:?}");
    let mut dice = Dice::new(world.seed, &stream, account as u64);
    // A few records set out weeks later; only their chains go on until then.
    let last = listed.keys().next_back().map_or(world.end(), |late| world.end().max(*late));
    // Every chain has its own minute of the hour.
    let offset = dice.between(1, 59) * MINUTE;
    let mut start = first.div_euclid(HOUR) * HOUR - HOUR + offset;
    let backfilled = options.backfill && account == PRODUCTION && trail == Trail::Organization;
    let regular_from = if backfilled { first + DAY } else { start };
    let mut previous: Option<Previous> = None;
    let mut is_backfill = backfilled;
    while start <= last {
        let end = start + HOUR;
        if is_backfill && start >= regular_from {
            previous = None;
            is_backfill = false;
        }
        let later = listed.split_off(&end);
        let logs: Vec<Listed> =
            std::mem::replace(&mut listed, later).into_values().flatten().collect();
        let maker = Maker { world, options, signer, chain, period: (start, end), is_backfill };
        let (file, made) = maker.make(&logs, previous.as_ref());
        files.push(file);
        previous = Some(made);
        start = end;
    }
}

/// What a digest says of the one before it.
struct Previous {
    key: String,
    hash: String,
    signature: String,
}

struct Maker<'a> {
    world: &'a World,
    options: &'a DigestOptions,
    signer: &'a Signer,
    chain: ChainKey,
    period: (Micros, Micros),
    is_backfill: bool,
}

impl Maker<'_> {
    fn make(&self, logs: &[Listed], previous: Option<&Previous>) -> (DigestFile, Previous) {
        let (_, account, region) = self.chain;
        let (start, end) = self.period;
        let id = &self.world.accounts[account].id;
        let key = self.key(end);
        let object = self.object(&key);
        let (signing, fingerprint) = self.signer.at(end);
        let null = "null";
        let before = |value: &dyn Fn(&Previous) -> String| {
            previous.map_or_else(|| null.to_owned(), |previous| quoted(&value(previous)))
        };
        let time = |at: Option<Micros>| at.map_or(null.to_owned(), |at| quoted(&iso(at)));
        let text = Obj::new()
            .str("awsAccountId", id)
            .str("digestStartTime", &iso(start))
            .str("digestEndTime", &iso(end))
            .str("digestS3Bucket", &self.options.bucket)
            .str("digestS3Object", &object)
            .str("digestPublicKeyFingerprint", fingerprint)
            .str("digestSignatureAlgorithm", "SHA256withRSA")
            .raw("newestEventTime", &time(logs.iter().map(|log| log.newest).max()))
            .raw("oldestEventTime", &time(logs.iter().map(|log| log.oldest).min()))
            .raw("previousDigestS3Bucket", &before(&|_| self.options.bucket.clone()))
            .raw("previousDigestS3Object", &before(&|previous| self.object(&previous.key)))
            .raw("previousDigestHashValue", &before(&|previous| previous.hash.clone()))
            .raw("previousDigestHashAlgorithm", &before(&|_| "SHA-256".to_owned()))
            .raw("previousDigestSignature", &before(&|previous| previous.signature.clone()))
            .raw("logFiles", &self.log_files(logs))
            .end();
        let hash = hex(digest(&SHA256, text.as_bytes()));
        let signed = format!(
            "{}\n{}/{object}\n{hash}\n{}",
            iso(end),
            self.options.bucket,
            previous.map_or(null, |previous| previous.signature.as_str())
        );
        let signature = sign(signing, signed.as_bytes());
        let mut metadata = vec![
            ("signature", signature.clone()),
            ("signature-algorithm", "SHA256withRSA".to_owned()),
        ];
        if self.is_backfill {
            metadata.push(("backfill-generation-timestamp", iso(end + DAY)));
        }
        let file = DigestFile {
            key: key.clone(),
            bytes: pack(text.as_bytes()),
            metadata,
            account_id: id.clone(),
            aws_region: region.to_owned(),
            backfill: self.is_backfill,
            start,
            end,
            log_files: logs.iter().map(|log| log.key.clone()).collect(),
            previous: previous.map(|previous| previous.key.clone()),
        };
        (file, Previous { key, hash, signature })
    }

    fn key(&self, end: Micros) -> String {
        let (trail, account, region) = self.chain;
        let id = &self.world.accounts[account].id;
        let root = root(self.world, trail, account);
        let name = match trail {
            Trail::Organization => "organization_trail",
            Trail::Security => "security",
        };
        // A digest's name carries seconds, unlike a log file's.
        let time = iso(end).replace(['-', ':'], "");
        let kind = if self.is_backfill { "_backfill" } else { "" };
        format!(
            "{root}/CloudTrail-Digest/{region}/{}/{id}_CloudTrail-Digest_{region}_{name}_{GLOBAL}_{time}{kind}.json.gz",
            folder(end)
        )
    }

    fn object(&self, key: &str) -> String {
        format!("{}{key}", self.options.prefix)
    }

    fn log_files(&self, logs: &[Listed]) -> String {
        let logs: Vec<String> = logs
            .iter()
            .map(|log| {
                Obj::new()
                    .str("s3Bucket", &self.options.bucket)
                    .str("s3Object", &self.object(&log.key))
                    .str("hashValue", &log.hash)
                    .str("hashAlgorithm", "SHA-256")
                    .str("newestEventTime", &iso(log.newest))
                    .str("oldestEventTime", &iso(log.oldest))
                    .end()
            })
            .collect();
        array(&logs)
    }
}

impl Signer {
    fn new(world: &World, rotation: Micros) -> Self {
        let keys = KEYS.iter().filter_map(|der| RsaKeyPair::from_pkcs8(der).ok()).collect();
        let mut dice = Dice::new(world.seed, "digest/keys", 0);
        let fingerprints = KEYS.iter().map(|_| dice.hex(32)).collect();
        Self { keys, fingerprints, rotation }
    }

    fn at(&self, end: Micros) -> (&RsaKeyPair, &str) {
        let index = usize::from(end >= self.rotation);
        (&self.keys[index], &self.fingerprints[index])
    }

    /// As the API answers: DER of PKCS#1 in base64. Validity ranges overlap.
    fn public_keys(&self, first: Micros, last: Micros) -> String {
        let ranges = [(first - DAY, self.rotation + DAY), (self.rotation - DAY, last + 2 * DAY)];
        let keys: Vec<String> = self
            .keys
            .iter()
            .zip(&self.fingerprints)
            .zip(ranges)
            .map(|((key, fingerprint), (from, to))| {
                Obj::new()
                    .str("Value", &base64(key.public_key().as_ref()))
                    .str("ValidityStartTime", &iso(from))
                    .str("ValidityEndTime", &iso(to))
                    .str("Fingerprint", fingerprint)
                    .end()
            })
            .collect();
        Obj::new().raw("PublicKeyList", &array(&keys)).end()
    }
}

fn sign(key: &RsaKeyPair, text: &[u8]) -> String {
    let mut signature = vec![0; key.public_modulus_len()];
    // Fails only for a buffer of the wrong size. Were it to, no digest would verify.
    let _ignored = key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature);
    hex(signature)
}

fn quoted(text: &str) -> String {
    // Nothing that is quoted here has a character that JSON escapes.
    format!("\"{text}\"")
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut bits = 0u32;
        for index in 0..3 {
            bits = bits << 8 | u32::from(chunk.get(index).copied().unwrap_or(0));
        }
        for index in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * index)) as usize & 63];
            text.push(if index <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
