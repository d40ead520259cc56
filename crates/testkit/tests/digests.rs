//! The generated digests, read back plainly, against the generated log files.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its own input has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rolecall_testkit::{DigestFile, DigestOptions, Digests, Kind, Organization, Spec};
use serde_json::Value;

fn organization() -> Organization {
    Organization::generate(&Spec { delivery_minutes: 240, ..Spec::small(5) })
}

fn options(backfill: bool) -> DigestOptions {
    DigestOptions { bucket: "trail".to_owned(), prefix: "archive/".to_owned(), backfill }
}

fn inflate(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut text).unwrap();
    text
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn unbase64(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<u32> = text
        .chars()
        .filter_map(|c| ALPHABET.find(c))
        .map(|at| u32::try_from(at).unwrap())
        .collect();
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - group.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}

fn keys(digests: &Digests) -> BTreeMap<String, Vec<u8>> {
    let listed: Value = serde_json::from_str(&digests.public_keys).unwrap();
    let listed = listed["PublicKeyList"].as_array().unwrap().clone();
    let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    listed.iter().map(|key| (text(key, "Fingerprint"), unbase64(&text(key, "Value")))).collect()
}

fn signature(file: &DigestFile) -> &str {
    &file.metadata.iter().find(|(name, _)| *name == "signature").unwrap().1
}

#[test]
fn every_log_file_is_listed_once_by_the_digest_of_its_hour() {
    let organization = organization();
    let digests = organization.digests(&options(false));
    let logs: BTreeMap<String, Vec<u8>> = organization
        .files()
        .filter(|file| file.kind == Kind::Log)
        .map(|file| (file.key, file.bytes))
        .collect();
    let mut listed = BTreeSet::new();
    for file in &digests.files {
        let value: Value = serde_json::from_slice(&inflate(&file.bytes)).unwrap();
        let entries = value["logFiles"].as_array().unwrap();
        assert_eq!(entries.len(), file.log_files.len());
        for (entry, key) in entries.iter().zip(&file.log_files) {
            assert_eq!(entry["s3Object"], format!("archive/{key}"));
            assert_eq!(entry["hashValue"], hex(digest(&SHA256, &inflate(&logs[key]))));
            assert!(listed.insert(key.clone()), "{key} is listed twice");
        }
    }
    assert_eq!(listed, logs.into_keys().collect());
    assert!(digests.files.iter().any(|file| file.log_files.is_empty()), "no empty digest");
}

#[test]
fn every_digest_is_signed_and_names_the_one_before_it() {
    for backfill in [false, true] {
        let digests = organization().digests(&options(backfill));
        let keys = keys(&digests);
        assert_eq!(keys.len(), 2);
        let by_key: BTreeMap<&str, &DigestFile> =
            digests.files.iter().map(|file| (file.key.as_str(), file)).collect();
        assert_eq!(by_key.len(), digests.files.len());
        let mut used = BTreeSet::new();
        let mut starts = 0;
        for file in &digests.files {
            let text = inflate(&file.bytes);
            let value: Value = serde_json::from_slice(&text).unwrap();
            match &file.previous {
                None => {
                    starts += 1;
                    assert!(value["previousDigestSignature"].is_null());
                }
                Some(previous) => {
                    let previous = by_key[previous.as_str()];
                    assert_eq!((previous.end, previous.backfill), (file.start, file.backfill));
                    assert_eq!(value["previousDigestSignature"], signature(previous));
                    let hash = hex(digest(&SHA256, &inflate(&previous.bytes)));
                    assert_eq!(value["previousDigestHashValue"], hash);
                }
            }
            let signed = format!(
                "{}\ntrail/archive/{}\n{}\n{}",
                value["digestEndTime"].as_str().unwrap(),
                file.key,
                hex(digest(&SHA256, &text)),
                value["previousDigestSignature"].as_str().unwrap_or("null"),
            );
            let fingerprint = value["digestPublicKeyFingerprint"].as_str().unwrap();
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &keys[fingerprint])
                .verify(signed.as_bytes(), &unhex(signature(file)))
                .unwrap();
            used.insert(fingerprint.to_owned());
        }
        assert_eq!(used.len(), 2, "both keys sign");
        let chains: BTreeSet<_> = digests
            .files
            .iter()
            .map(|file| {
                (file.key.split("/CloudTrail-Digest/").next(), &file.aws_region, file.backfill)
            })
            .collect();
        assert_eq!(starts, chains.len());
        assert_eq!(digests.files.iter().any(|file| file.backfill), backfill);
    }
}

#[test]
fn the_same_specification_gives_the_same_digests() {
    let digests = organization().digests(&options(true));
    assert_eq!(digests, organization().digests(&options(true)));
}
