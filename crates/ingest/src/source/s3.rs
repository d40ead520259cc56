//! Log files in a bucket, through the AWS SDK.
//!
//! Lists and fetches. The SDK retries requests, but not a body that breaks off half-way: that is done
//! here.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata as _};
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::layout::{self, Named};
use crate::source::{Candidate, Fetched, Place};
use crate::{IngestError, Progress, Selection};

/// How often a body that breaks off is asked for again.
const BODY_ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Access to buckets.
#[derive(Debug, Clone)]
pub struct S3 {
    client: Client,
}

impl S3 {
    /// Configured as the AWS SDKs are: environment, profile, instance or task role; honours
    /// `AWS_ENDPOINT_URL`. Custom endpoints are asked in path style, because few resolve a host name for
    /// every bucket.
    pub async fn from_environment() -> Self {
        let config = aws_config::load_from_env().await;
        let builder = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(config.endpoint_url().is_some());
        Self { client: Client::from_conf(builder.build()) }
    }

    pub(crate) async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        selection: &Selection,
        progress: &Progress,
        found: &mpsc::Sender<Candidate>,
    ) -> Result<(), IngestError> {
        let mut pages =
            self.client.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| IngestError::Listing {
                prefix: format!("s3://{bucket}/{prefix}"),
                problem: describe(&error),
            })?;
            for object in page.contents.unwrap_or_default() {
                let Some(key) = object.key else { continue };
                let Named::LogFile(layout) = layout::of_key(&key) else {
                    progress.not_a_log_file();
                    continue;
                };
                let bytes = object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
                let place = Place::Object { bucket: bucket.to_owned(), key };
                if !selection.wants(&layout, &place, progress) {
                    continue;
                }
                progress.found(bytes);
                if found.send(Candidate { place, layout, bytes }).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn fetch(
        &self,
        bucket: &str,
        key: &str,
        cap: u64,
    ) -> Result<Fetched, IngestError> {
        let name = || format!("s3://{bucket}/{key}");
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let object =
                self.client.get_object().bucket(bucket).key(key).send().await.map_err(|error| {
                    IngestError::Fetching { file: name(), problem: describe(&error) }
                })?;
            let size = object.content_length.and_then(|size| u64::try_from(size).ok());
            if size.is_some_and(|size| size > cap) {
                return Err(IngestError::TooLarge { file: name(), cap });
            }
            match collect(object.body, cap).await {
                Ok(Some(bytes)) => {
                    let (version_id, etag) = (object.version_id, object.e_tag);
                    return Ok(Fetched { bytes, version_id, etag });
                }
                Ok(None) => return Err(IngestError::TooLarge { file: name(), cap }),
                Err(problem) if attempt >= BODY_ATTEMPTS => {
                    return Err(IngestError::Fetching { file: name(), problem });
                }
                Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(IngestError::Fetching { file: name(), problem: "gave up".to_owned() })
    }
}

/// The whole body; `None` when it is longer than `cap`.
async fn collect(
    mut body: aws_sdk_s3::primitives::ByteStream,
    cap: u64,
) -> Result<Option<Bytes>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| error.to_string())?;
        if (bytes.len() + chunk.len()) as u64 > cap {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(Bytes::from(bytes)))
}

/// Code and message where the service answered, else what kept it from answering.
fn describe<E, R>(error: &aws_sdk_s3::error::SdkError<E, R>) -> String
where
    E: std::error::Error + aws_sdk_s3::error::ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => DisplayErrorContext(error).to_string(),
    }
}
