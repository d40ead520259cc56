//! A bucket as a place of digests. Unlike reading log files for ingest, this needs the objects'
//! metadata, and to know whether an object is missing or withheld.

use async_trait::async_trait;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use futures::StreamExt as _;
use futures::stream::BoxStream;

use super::DigestError;
use super::store::{Got, Store, Stored};
use crate::S3;

/// Answers that say that an object is there but not to be had now.
const WITHHELD: [&str; 1] = ["InvalidObjectState"];

/// A prefix of a bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    s3: S3,
    name: String,
    prefix: String,
}

impl Bucket {
    /// Everything below `prefix` in the bucket called `name`, which may be in any region.
    pub async fn new(s3: S3, name: &str, prefix: &str) -> Self {
        // Any other trouble shows when the bucket is read.
        if let Err(error) = s3.client_for(name).head_bucket().bucket(name).send().await {
            s3.learn_region(name, &error).await;
        }
        Self { s3, name: name.to_owned(), prefix: prefix.to_owned() }
    }

    fn listing_failed(&self, prefix: &str, problem: String) -> DigestError {
        DigestError::Listing { place: format!("s3://{}/{prefix}", self.name), problem }
    }
}

#[async_trait]
impl Store for Bucket {
    async fn folders(&self, prefix: &str) -> Result<Vec<String>, DigestError> {
        let mut folders = Vec::new();
        let client = self.s3.client_for(&self.name);
        let mut pages = client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(prefix)
            .delimiter("/")
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.listing_failed(prefix, describe(&error)))?;
            folders.extend(page.common_prefixes.into_iter().flatten().filter_map(|one| one.prefix));
        }
        Ok(folders)
    }

    fn keys(&self, prefix: String, after: String) -> BoxStream<'_, Result<String, DigestError>> {
        let request =
            self.s3.client_for(&self.name).list_objects_v2().bucket(&self.name).prefix(&prefix);
        let pages = request.start_after(after).into_paginator().send();
        futures::stream::unfold(pages, |mut pages| async { Some((pages.next().await?, pages)) })
            .flat_map(move |page| {
                let keys: Vec<_> = match page {
                    Ok(page) => {
                        let objects = page.contents.into_iter().flatten();
                        objects.filter_map(|object| object.key.map(Ok)).collect()
                    }
                    Err(error) => vec![Err(self.listing_failed(&prefix, describe(&error)))],
                };
                futures::stream::iter(keys)
            })
            .boxed()
    }

    async fn get(&self, bucket: &str, key: &str, cap: u64) -> Result<Got, DigestError> {
        let failed =
            |problem| DigestError::Fetching { file: format!("s3://{bucket}/{key}"), problem };
        let object =
            match self.s3.client_for(bucket).get_object().bucket(bucket).key(key).send().await {
                Ok(object) => object,
                Err(error) => {
                    let code = error.code().unwrap_or_default();
                    if code == "NoSuchKey" {
                        return Ok(Got::Missing);
                    }
                    if WITHHELD.contains(&code) {
                        return Ok(Got::Withheld(
                            "is archived and must be restored first".to_owned(),
                        ));
                    }
                    return Err(failed(describe(&error)));
                }
            };
        let size = object.content_length.and_then(|size| u64::try_from(size).ok());
        if size.is_none_or(|size| size > cap) {
            return Ok(Got::Withheld(format!("is larger than {cap} bytes")));
        }
        let metadata = object.metadata.unwrap_or_default().into_iter();
        let metadata = metadata.map(|(name, value)| (name.to_lowercase(), value)).collect();
        let bytes = object.body.collect().await.map_err(|error| failed(error.to_string()))?;
        Ok(Got::Object(Stored { bytes: bytes.into_bytes(), metadata: Some(metadata) }))
    }

    fn bucket(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// Code and message where the service answered, else what kept it from answering.
fn describe<E, R>(error: &SdkError<E, R>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => DisplayErrorContext(error).to_string(),
    }
}
