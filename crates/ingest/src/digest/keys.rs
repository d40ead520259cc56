//! CloudTrail's public keys, from a file or from its API, and the check of a signature.
//!
//! A fingerprint is only a name to look a key up by. Keys belong to a region; the file of
//! `aws cloudtrail list-public-keys` does not say to which, and does not need to: a fingerprint is
//! unique. Nothing here trusts a key that a digest brings along.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::config::Region;
use aws_sdk_cloudtrail::error::{DisplayErrorContext, ProvideErrorMetadata as _};
use aws_sdk_cloudtrail::primitives::DateTime;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::DigestError;
use super::hash::{unbase64, unhex};

/// Where public keys come from.
#[derive(Debug)]
pub struct PublicKeys {
    /// DER of PKCS#1 or SPKI.
    known: Mutex<Known>,
    api: Option<Api>,
}

/// By region, where that is known, and fingerprint.
type Known = HashMap<(Option<String>, String), Vec<u8>>;

#[derive(Debug)]
struct Api {
    config: aws_config::SdkConfig,
    /// What was asked for already.
    asked: Mutex<HashSet<(String, Range)>>,
}

/// Seconds since the epoch, from and to.
pub(crate) type Range = (i64, i64);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    public_key_list: Vec<ListedKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedKey {
    value: String,
    fingerprint: String,
}

impl PublicKeys {
    /// Reads what `aws cloudtrail list-public-keys` printed; several outputs may follow each other
    /// in one file, as of several regions.
    ///
    /// # Errors
    ///
    /// [`DigestError::KeyFile`].
    pub fn from_file(path: &Path) -> Result<Self, DigestError> {
        let failed =
            |problem: String| DigestError::KeyFile { file: path.display().to_string(), problem };
        let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
        Self::parse(&text).map_err(failed)
    }

    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let mut known = HashMap::new();
        for listing in serde_json::Deserializer::from_slice(text).into_iter::<Listing>() {
            let listing = listing.map_err(|error| {
                format!("is not what `aws cloudtrail list-public-keys` prints: {error}")
            })?;
            for key in listing.public_key_list {
                let value = unbase64(&key.value)
                    .ok_or_else(|| format!("key {} is not base64", key.fingerprint))?;
                known.insert((None, key.fingerprint), value);
            }
        }
        if known.is_empty() {
            return Err("holds no keys".to_owned());
        }
        Ok(Self { known: Mutex::new(known), api: None })
    }

    /// Asks CloudTrail in each digest's region, with the configuration of the AWS SDKs.
    pub async fn from_api() -> Self {
        let config = aws_config::load_from_env().await;
        let api = Api { config, asked: Mutex::default() };
        Self { known: Mutex::default(), api: Some(api) }
    }

    /// The key of this name, where it is known, or CloudTrail knows it in one of `ranges`.
    pub(crate) async fn find(
        &self,
        region: &str,
        fingerprint: &str,
        ranges: &[Range],
    ) -> Result<Option<Vec<u8>>, DigestError> {
        let mut known = self.known.lock().await;
        let of_api = self.api.is_some();
        let name = (of_api.then(|| region.to_owned()), fingerprint.to_owned());
        for range in ranges {
            if known.contains_key(&name) {
                break;
            }
            if let Some(api) = &self.api
                && api.asked.lock().await.insert((region.to_owned(), *range))
            {
                api.list(region, *range, &mut known).await?;
            }
        }
        Ok(known.get(&name).cloned())
    }
}

impl Api {
    async fn list(
        &self,
        region: &str,
        (from, to): Range,
        known: &mut Known,
    ) -> Result<(), DigestError> {
        let config = aws_sdk_cloudtrail::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()));
        let client = Client::from_conf(config.build());
        let mut pages = client
            .list_public_keys()
            .start_time(DateTime::from_secs(from))
            .end_time(DateTime::from_secs(to))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| DigestError::KeyApi {
                region: region.to_owned(),
                problem: match (error.code(), error.message()) {
                    (Some(code), Some(message)) => format!("{code}: {message}"),
                    _ => DisplayErrorContext(&error).to_string(),
                },
            })?;
            for key in page.public_key_list() {
                if let (Some(fingerprint), Some(value)) = (key.fingerprint(), key.value()) {
                    let name = (Some(region.to_owned()), fingerprint.to_owned());
                    known.insert(name, value.as_ref().to_vec());
                }
            }
        }
        Ok(())
    }
}

/// Whether `signature`, in hex, is that of `text` by the owner of `key`.
pub(crate) fn is_signed(key: &[u8], text: &str, signature: &str) -> bool {
    let Some(signature) = unhex(signature) else { return false };
    // The API gives PKCS#1; the library takes both that and SPKI.
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(text.as_bytes(), &signature)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_files_are_what_the_cli_prints() {
        let one =
            r#"{"PublicKeyList":[{"Value":"Zm9v","ValidityStartTime":1.5,"Fingerprint":"a"}]}"#;
        let other =
            r#"{"PublicKeyList":[{"Value":"YmFy","ValidityStartTime":"x","Fingerprint":"b"}]}"#;
        let keys = PublicKeys::parse(format!("{one}\n{other}").as_bytes()).unwrap();
        assert_eq!(keys.known.into_inner().len(), 2);
        for broken in ["", "{}", r#"{"PublicKeyList":[]}"#, &one.replace("Zm9v", "?")] {
            assert!(PublicKeys::parse(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
