//! Objects in S3, through the AWS SDK.
//!
//! The SDK retries requests, but not a body that breaks off half-way, and it does not follow a bucket to its
//! region: both are done here. Buckets of other accounts are read through a role, if one is given.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::SharedCredentialsProvider;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::list_objects_v2::{ListObjectsV2Error, ListObjectsV2Output};
use bytes::Bytes;

use crate::IngestError;
use crate::error::FetchFailure;
use crate::objects::{Fetched, ListRequest, Listed, Object, Objects, Page};

mod answer;

use answer::{Response, describe, failure, region_named};

/// How often a body that breaks off is asked for again.
const BODY_ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest silence before an answer starts; what comes slowly is another matter, and the SDK's.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Buckets whose region is remembered; a queue may name any number of them.
const MAX_BUCKETS: usize = 1_024;

/// How buckets are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Options {
    /// A role to read buckets with, such as one in the account that holds the logs.
    pub role_arn: Option<String>,
    /// What that role's trust policy asks for.
    pub external_id: Option<String>,
}

/// Access to buckets, in whatever region they are. Clones share their connections.
#[derive(Debug, Clone)]
pub struct S3 {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: SdkConfig,
    home: Client,
    clients: Mutex<HashMap<String, Client>>,
    /// Regions of buckets that are elsewhere.
    regions: Mutex<HashMap<String, String>>,
}

impl S3 {
    /// Configured as the AWS SDKs are: environment, profile, instance or task role; honours
    /// `AWS_ENDPOINT_URL`. Custom endpoints are asked in path style, because few resolve a host name for
    /// every bucket. A role that `options` name is assumed when it is first needed, and again before its
    /// credentials end.
    pub async fn connect(options: &S3Options) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build();
        let defaults = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
        let mut config = defaults.load().await;
        if let Some(role_arn) = &options.role_arn {
            let mut role =
                AssumeRoleProvider::builder(role_arn).session_name("rolecall").configure(&config);
            if let Some(external_id) = &options.external_id {
                role = role.external_id(external_id);
            }
            let provider = SharedCredentialsProvider::new(role.build().await);
            config = config.into_builder().credentials_provider(provider).build();
        }
        Self::new(config)
    }

    pub(crate) fn new(config: SdkConfig) -> Self {
        let home = client(&config, None);
        let (clients, regions) = (Mutex::default(), Mutex::default());
        Self { shared: Arc::new(Shared { config, home, clients, regions }) }
    }

    /// With whose credentials, and where.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.shared.config
    }

    /// A client for the region that the bucket is in, as far as it is known.
    pub(crate) fn client_for(&self, bucket: &str) -> Client {
        let regions = self.shared.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(region) = regions.get(bucket) else { return self.shared.home.clone() };
        let mut clients = self.shared.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let known = clients.entry(region.clone());
        known.or_insert_with(|| client(&self.shared.config, Some(region))).clone()
    }

    /// Learns from an error that the bucket is in another region. `false` where it says no such thing.
    pub(crate) async fn learn_region<E>(&self, bucket: &str, error: &SdkError<E, Response>) -> bool
    where
        E: ProvideErrorMetadata,
    {
        if !answer::is_of_another_region(error) {
            return false;
        }
        let named = match error.raw_response().and_then(region_named) {
            Some(region) => Some(region),
            // Few answers do not say where the bucket is; this one always does.
            None => match self.client_for(bucket).head_bucket().bucket(bucket).send().await {
                Ok(head) => head.bucket_region,
                Err(error) => error.raw_response().and_then(region_named),
            },
        };
        let Some(region) = named else { return false };
        let mut regions = self.shared.regions.lock().unwrap_or_else(PoisonError::into_inner);
        if regions.len() >= MAX_BUCKETS {
            regions.clear();
        }
        tracing::info!(bucket, region, "bucket is in another region");
        regions.insert(bucket.to_owned(), region.clone()) != Some(region)
    }

    async fn get_once(
        &self,
        object: &Object,
    ) -> Result<GetObjectOutput, SdkError<GetObjectError, Response>> {
        let request = self.client_for(&object.bucket).get_object();
        let request = request.bucket(&object.bucket).key(&object.key);
        request.set_version_id(object.version_id.clone()).send().await
    }

    async fn list_once(
        &self,
        request: &ListRequest,
    ) -> Result<ListObjectsV2Output, SdkError<ListObjectsV2Error, Response>> {
        let list = self.client_for(&request.bucket).list_objects_v2();
        list.bucket(&request.bucket)
            .prefix(&request.prefix)
            .set_delimiter(request.folders.then(|| "/".to_owned()))
            .set_start_after(request.after.clone().filter(|_| request.token.is_none()))
            .set_continuation_token(request.token.clone())
            .set_max_keys(request.max_entries.and_then(|max| i32::try_from(max).ok()))
            .send()
            .await
    }
}

/// Region, or the configured one. A custom endpoint stands for all regions.
fn client(config: &SdkConfig, region: Option<&String>) -> Client {
    let mut builder =
        aws_sdk_s3::config::Builder::from(config).force_path_style(config.endpoint_url().is_some());
    if let Some(region) = region {
        builder = builder.region(Region::new(region.clone()));
    }
    Client::from_conf(builder.build())
}

#[async_trait]
impl Objects for S3 {
    async fn get(&self, object: &Object, cap: u64) -> Result<Fetched, IngestError> {
        let failed =
            |kind, problem| IngestError::Fetching { file: object.to_string(), problem, kind };
        let too_large = |size| IngestError::TooLarge { file: object.to_string(), cap, size };
        if !answer::can_be_asked_for(object) {
            let problem = "this names no object".to_owned();
            return Err(failed(FetchFailure::Invalid, problem));
        }
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let mut answer = self.get_once(object).await;
            if let Err(error) = &answer
                && self.learn_region(&object.bucket, error).await
            {
                answer = self.get_once(object).await;
            }
            let found = answer.map_err(|error| failed(failure(&error), describe(&error)))?;
            let size = found.content_length.and_then(|size| u64::try_from(size).ok());
            if let Some(size) = size.filter(|size| *size > cap) {
                return Err(too_large(size));
            }
            match collect(found.body, cap).await {
                Ok(Ok(bytes)) => {
                    let (version_id, etag) = (found.version_id, found.e_tag);
                    return Ok(Fetched { bytes, version_id, etag });
                }
                Ok(Err(read)) => return Err(too_large(read)),
                Err(problem) if attempt >= BODY_ATTEMPTS => {
                    return Err(failed(FetchFailure::Unreachable, problem));
                }
                Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            attempt += 1;
            pause *= 2;
        }
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, IngestError> {
        let mut answer = self.list_once(request).await;
        if let Err(error) = &answer
            && self.learn_region(&request.bucket, error).await
        {
            answer = self.list_once(request).await;
        }
        let page = answer.map_err(|error| IngestError::Listing {
            prefix: format!("s3://{}/{}", request.bucket, request.prefix),
            problem: describe(&error),
        })?;
        let listed = |object: aws_sdk_s3::types::Object| {
            let bytes = object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
            Some(Listed { key: object.key?, bytes })
        };
        let folders = page.common_prefixes.unwrap_or_default();
        Ok(Page {
            objects: page.contents.unwrap_or_default().into_iter().filter_map(listed).collect(),
            prefixes: folders.into_iter().filter_map(|folder| folder.prefix).collect(),
            next: page.next_continuation_token.filter(|_| page.is_truncated == Some(true)),
        })
    }
}

/// The whole body; how much was read of it where it is longer than `cap`.
async fn collect(
    mut body: aws_sdk_s3::primitives::ByteStream,
    cap: u64,
) -> Result<Result<Bytes, u64>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| error.to_string())?;
        let read = (bytes.len() + chunk.len()) as u64;
        if read > cap {
            return Ok(Err(read));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Ok(Bytes::from(bytes)))
}

#[cfg(test)]
mod tests;
