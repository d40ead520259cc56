//! Is everything there that ingest and the worker need? Each check passed, failed or was not checked, with
//! the command that mends it.
//!
//! Only reads, and only asks: nothing in the account is changed. The lake is looked at elsewhere
//! (`Lake::probe`). What a trail does not record is kept apart, as [`Finding`]s: no report can be better than
//! what was logged.

use aws_config::SdkConfig;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use serde::Serialize;

use crate::queue::Queue;
use crate::{S3, S3Options};

mod bucket;
mod described;
mod queue;
mod selectors;
mod trail;

pub use described::Described;
pub use trail::{Finding, Sight};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Not as it should be.
    Failed,
    /// Could not be told from here.
    NotChecked,
}

/// One line of what the doctor says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, in a word or two: `trail`, `bucket`, `queue` and the like.
    pub area: &'static str,
    /// What should be so.
    pub check: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// What was found.
    pub found: String,
    /// What to do about it: a command where there is one.
    pub remedy: Option<String>,
}

impl Check {
    /// As it should be.
    pub fn passed(area: &'static str, check: &'static str, found: impl Into<String>) -> Self {
        Self { area, check, outcome: Outcome::Passed, found: found.into(), remedy: None }
    }

    /// Not as it should be.
    pub fn failed(
        area: &'static str,
        check: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { area, check, outcome: Outcome::Failed, found: found.into(), remedy }
    }

    /// Could not be told from here.
    pub fn not_checked(
        area: &'static str,
        check: &'static str,
        found: impl Into<String>,
        remedy: Option<String>,
    ) -> Self {
        Self { area, check, outcome: Outcome::NotChecked, found: found.into(), remedy }
    }
}

/// What to look at.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The trail's bucket; where it is not given, that of the only trail that is found.
    pub bucket: Option<String>,
    /// Prefix of the trail in the bucket.
    pub prefix: String,
    /// As whom the bucket is read.
    pub s3: S3Options,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Diagnosis {
    /// Every check, in the order in which things are set up.
    pub checks: Vec<Check>,
    /// What the trails record, one for each that delivers to the bucket.
    pub trails: Vec<Sight>,
}

/// Looks at trail, bucket, queue and notification.
pub async fn examine(request: &Request, queue: Option<&dyn Queue>) -> Diagnosis {
    let own = S3::connect(&S3Options::default()).await;
    let reading = S3::connect(&request.s3).await;
    let mut diagnosis = Diagnosis::default();
    if let Some(check) = credentials(own.config()).await {
        let has_failed = check.outcome == Outcome::Failed;
        diagnosis.checks.push(check);
        if has_failed {
            return diagnosis;
        }
    }
    let bucket = trail::examine(own.config(), request, &mut diagnosis).await;
    let attributes = match queue {
        Some(queue) => queue::examine(queue, bucket.as_deref(), &mut diagnosis.checks).await,
        None => {
            diagnosis.checks.push(Check::not_checked(
                "queue",
                "messages can be received",
                "no queue was named",
                Some("rolecall doctor --queue-url https://sqs.…".to_owned()),
            ));
            None
        }
    };
    match bucket {
        Some(name) => {
            let place = bucket::Place { bucket: &name, prefix: &request.prefix };
            bucket::examine(&reading, place, attributes.as_ref(), &mut diagnosis.checks).await;
        }
        None => diagnosis.checks.push(Check::not_checked(
            "bucket",
            "log files can be listed and read",
            "no bucket was named, and no single trail names one",
            Some("rolecall doctor s3://bucket/prefix".to_owned()),
        )),
    }
    diagnosis
}

/// Without credentials, everything else would fail for that one reason.
async fn credentials(config: &SdkConfig) -> Option<Check> {
    use aws_sdk_s3::config::ProvideCredentials as _;
    const CHECK: &str = "the AWS SDK finds credentials";
    let provider = config.credentials_provider()?;
    Some(match provider.provide_credentials().await {
        Ok(found) => {
            // The id is no secret; the provider's name says where it came from.
            let id = found.access_key_id().to_owned();
            Check::passed("credentials", CHECK, id)
        }
        // The error's own text lists every provider three times over.
        Err(_) => Check::failed(
            "credentials",
            CHECK,
            "none: not in the environment, in a profile, by SSO, or as the role of a task or instance",
            "aws sso login, or set AWS_PROFILE, or give the task or instance a role",
        ),
    })
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

/// Whether the caller may not ask; then nothing is wrong with what was to be looked at.
fn is_denied<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error
        .code()
        .is_some_and(|code| code.contains("AccessDenied") || code == "UnauthorizedOperation")
}
