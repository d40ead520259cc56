//! What a digest file says, what its key says, and the text that its signature covers.
//!
//! Format and rules:
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html>
//! and the `validate-logs` command of the AWS CLI, which is what "valid" means in practice.

use chrono::NaiveDateTime;
use serde::Deserialize;
use serde_json::Value;

/// The one algorithm that CloudTrail signs with.
const SIGNATURE_ALGORITHM: &str = "SHA256withRSA";

/// Keys without which a digest has no valid format, though some of them may be null.
const REQUIRED: [&str; 6] = [
    "digestPublicKeyFingerprint",
    "digestS3Bucket",
    "digestS3Object",
    "previousDigestSignature",
    "digestStartTime",
    "digestEndTime",
];

/// A digest file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Digest {
    pub(crate) digest_start_time: String,
    pub(crate) digest_end_time: String,
    #[serde(rename = "digestS3Bucket")]
    pub(crate) bucket: String,
    #[serde(rename = "digestS3Object")]
    pub(crate) key: String,
    #[serde(rename = "digestPublicKeyFingerprint")]
    pub(crate) fingerprint: String,
    digest_signature_algorithm: Option<String>,
    #[serde(rename = "previousDigestS3Bucket")]
    previous_bucket: Option<String>,
    #[serde(rename = "previousDigestS3Object")]
    previous_key: Option<String>,
    previous_digest_hash_value: Option<String>,
    previous_digest_signature: Option<String>,
    #[serde(default)]
    pub(crate) log_files: Vec<LogEntry>,
}

/// A log file as a digest lists it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogEntry {
    #[serde(rename = "s3Bucket")]
    pub(crate) bucket: String,
    #[serde(rename = "s3Object")]
    pub(crate) key: String,
    pub(crate) hash_value: String,
    hash_algorithm: Option<String>,
}

impl LogEntry {
    /// Why its hash cannot be compared, if it cannot.
    pub(crate) fn unusable(&self) -> Option<String> {
        let algorithm = self.hash_algorithm.as_deref().unwrap_or("SHA-256");
        (algorithm != "SHA-256").then(|| format!("unknown hash algorithm {algorithm}"))
    }
}

/// What a digest says of the one before it in its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Previous {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) hash: Option<String>,
    pub(crate) signature: Option<String>,
}

impl Digest {
    /// Reads the text of a digest. The error is a phrase.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let invalid = |what: &str| format!("has no valid format: {what}");
        let value: Value = serde_json::from_slice(text).map_err(|_| invalid("no JSON"))?;
        for key in REQUIRED {
            if value.get(key).is_none() {
                return Err(invalid(&format!("no {key}")));
            }
        }
        let digest: Self =
            serde_json::from_value(value).map_err(|error| invalid(&error.to_string()))?;
        let times = [&digest.digest_start_time, &digest.digest_end_time].map(|text| time_of(text));
        match times {
            [Some(start), Some(end)] if start <= end => Ok(digest),
            _ => Err(invalid("its times are none")),
        }
    }

    /// Start of its stretch of delivery, in microseconds.
    pub(crate) fn start(&self) -> i64 {
        time_of(&self.digest_start_time).unwrap_or_default()
    }

    /// End of its stretch of delivery, in microseconds.
    pub(crate) fn end(&self) -> i64 {
        time_of(&self.digest_end_time).unwrap_or_default()
    }

    /// The digest before it; none where it starts a chain.
    pub(crate) fn previous(&self) -> Option<Previous> {
        Some(Previous {
            bucket: self.previous_bucket.clone()?,
            key: self.previous_key.clone()?,
            hash: self.previous_digest_hash_value.clone(),
            signature: self.previous_digest_signature.clone(),
        })
    }

    /// Why its signature cannot be checked, if it cannot.
    pub(crate) fn unusable(&self) -> Option<String> {
        let algorithm = self.digest_signature_algorithm.as_deref().unwrap_or(SIGNATURE_ALGORITHM);
        let known = algorithm == SIGNATURE_ALGORITHM;
        (!known).then(|| format!("unknown signature algorithm {algorithm}"))
    }

    /// The text that the signature covers; `sha256` is that of the digest's own text, in hex.
    pub(crate) fn signed_text(&self, sha256: &str) -> String {
        let previous = self.previous_digest_signature.as_deref().unwrap_or("null");
        format!("{}\n{}/{}\n{sha256}\n{previous}", self.digest_end_time, self.bucket, self.key)
    }
}

fn time_of(text: &str) -> Option<i64> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.timestamp_micros())
}

/// What the key of a digest says:
/// `<root>/CloudTrail-Digest/<region>/Y/M/D/<account>_CloudTrail-Digest_<region>_<trail>_<home>_<end>[_backfill].json.gz`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DigestName {
    pub(crate) account: String,
    /// Trail and its home region.
    pub(crate) trail: String,
    pub(crate) backfill: bool,
    /// End of its stretch of delivery, in microseconds.
    pub(crate) end: i64,
}

impl DigestName {
    /// Reads a key or path. None where it is not a digest's.
    pub(crate) fn of(key: &str) -> Option<Self> {
        let name = key.rsplit('/').next()?;
        let (account, rest) = name.split_once("_CloudTrail-Digest_")?;
        let stem = rest.strip_suffix(".json.gz")?;
        let (stem, backfill) = match stem.strip_suffix("_backfill") {
            Some(stem) => (stem, true),
            None => (stem, false),
        };
        let (region_and_trail, stamp) = stem.rsplit_once('_')?;
        let (_region, trail) = region_and_trail.split_once('_')?;
        let end = NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%M%SZ").ok()?;
        let end = end.and_utc().timestamp_micros();
        let (account, trail) = (account.to_owned(), trail.to_owned());
        Some(Self { account, trail, backfill, end })
    }
}

/// What stands before `CloudTrail-Digest/` in a digest's key, without the closing `/`: the account's
/// folder.
pub(crate) fn root_of(key: &str) -> Option<&str> {
    let at = key.rfind("/CloudTrail-Digest/");
    at.map(|at| &key[..at]).or_else(|| key.starts_with("CloudTrail-Digest/").then_some(""))
}

/// A key below a folder that is named without a closing `/`, or is empty for the top.
pub(crate) fn join(folder: &str, rest: &str) -> String {
    if folder.is_empty() { rest.to_owned() } else { format!("{folder}/{rest}") }
}

/// The part of a key below such a folder.
pub(crate) fn below<'a>(folder: &str, key: &'a str) -> Option<&'a str> {
    if folder.is_empty() { Some(key) } else { key.strip_prefix(folder)?.strip_prefix('/') }
}

/// Whether two folders may be the same one, seen from a place further up or further down: a folder
/// synced from a bucket's prefix lacks the prefix, and may lie below other folders.
pub(crate) fn same_folder(one: &str, other: &str) -> bool {
    if one.is_empty() || other.is_empty() {
        return true;
    }
    let mut one = one.rsplit('/');
    let mut other = other.rsplit('/');
    loop {
        match (one.next(), other.next()) {
            (Some(left), Some(right)) if left == right => {}
            (Some(_), Some(_)) => return false,
            _ => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_from_the_end() {
        let key = "p/AWSLogs/o-1/111122223333/CloudTrail-Digest/eu-west-1/2026/01/05/\
                   111122223333_CloudTrail-Digest_eu-west-1_my_trail.x_us-east-1_20260105T130707Z";
        let of = |end: &str| DigestName::of(&format!("{key}{end}")).unwrap();
        let name = of(".json.gz");
        assert_eq!((name.trail.as_str(), name.backfill), ("my_trail.x_us-east-1", false));
        assert_eq!(name.account, "111122223333");
        assert_eq!(name.end, 1_767_618_427_000_000);
        assert_eq!(of("_backfill.json.gz"), DigestName { backfill: true, ..name });
        assert_eq!(DigestName::of(&format!("{key}.json")), None);
        assert_eq!(
            DigestName::of("x/111122223333_CloudTrail_eu-west-1_20260105T1307Z_x.json.gz"),
            None
        );
        assert_eq!(root_of(key), Some("p/AWSLogs/o-1/111122223333"));
        assert_eq!(root_of("CloudTrail-Digest/eu-west-1/x"), Some(""));
        assert_eq!(below("a/b", &join("a/b", "c/d")), Some("c/d"));
        assert_eq!(below("", &join("", "c/d")), Some("c/d"));
        assert_eq!(below("a", "ab/c"), None);
    }

    #[test]
    fn copies_of_a_folder_are_the_same_folder() {
        assert!(same_folder("p/AWSLogs/1", "AWSLogs/1"));
        assert!(same_folder("AWSLogs/1", "/home/x/AWSLogs/1"));
        assert!(!same_folder("p/AWSLogs/1", "q/AWSLogs/1"));
        assert!(!same_folder("AWSLogs/1", "AWSLogs/2"));
    }

    #[test]
    fn a_digest_without_a_required_part_is_none() {
        let text = r#"{"awsAccountId":"1","digestStartTime":"2026-01-05T12:07:07Z",
            "digestEndTime":"2026-01-05T13:07:07Z","digestS3Bucket":"b","digestS3Object":"k",
            "digestPublicKeyFingerprint":"f","digestSignatureAlgorithm":"SHA256withRSA",
            "previousDigestS3Bucket":null,"previousDigestS3Object":null,
            "previousDigestHashValue":null,"previousDigestHashAlgorithm":null,
            "previousDigestSignature":null,"logFiles":[]}"#;
        let digest = Digest::parse(text.as_bytes()).unwrap();
        assert_eq!(digest.previous(), None);
        assert_eq!(digest.signed_text("00"), "2026-01-05T13:07:07Z\nb/k\n00\nnull");
        assert_eq!(digest.end() - digest.start(), 3_600_000_000);
        for key in REQUIRED {
            let broken = text.replace(key, "other");
            assert!(Digest::parse(broken.as_bytes()).is_err(), "{key}");
        }
        assert!(Digest::parse(b"{").is_err());
        assert!(Digest::parse(text.replace("2026", "26").as_bytes()).is_err());
    }
}
