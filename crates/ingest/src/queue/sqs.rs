//! The queue in SQS: the only file that names the SDK.
//!
//! Times are whole seconds in SQS; a shorter one is rounded up, so that a message is never visible earlier
//! than asked. Zero stays zero.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName as MessageAttribute,
    QueueAttributeName, SendMessageBatchRequestEntry,
};
use serde_json::Value;

use super::{
    BATCH, EntryFailure, MAX_VISIBILITY, Message, Queue, QueueAttributes, QueueError,
    QueueErrorKind, Receipt, Redrive,
};

/// A long poll waits up to 20 seconds for its answer.
const READ_TIMEOUT: Duration = Duration::from_secs(40);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that SQS lets a receive wait.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// A queue in SQS.
#[derive(Debug, Clone)]
pub struct Sqs {
    client: Client,
    url: String,
}

impl Sqs {
    /// Configured as the AWS SDKs are: environment, profile, instance or task role; honours
    /// `AWS_ENDPOINT_URL`. The region is the one that the queue's URL names, else the configured one.
    ///
    /// # Errors
    ///
    /// When `url` is no URL of a queue, or there is no region.
    pub async fn connect(url: &str) -> Result<Self, QueueError> {
        let invalid = |problem: &str| QueueError {
            what: "use queue",
            queue: url.to_owned(),
            problem: problem.to_owned(),
            kind: QueueErrorKind::Invalid,
        };
        let is_url = url.starts_with("https://") || url.starts_with("http://");
        if !is_url || url.split('/').filter(|part| !part.is_empty()).count() < 3 {
            return Err(invalid(
                "a queue's URL looks like https://sqs.REGION.amazonaws.com/ACCOUNT/NAME",
            ));
        }
        if url.ends_with(".fifo") {
            return Err(invalid("it is a FIFO queue, which S3 and SNS notifications do not reach"));
        }
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
        if let Some(region) = region_of(url) {
            loader = loader.region(Region::new(region.to_owned()));
        }
        let config = loader.load().await;
        if config.region().is_none() {
            return Err(invalid("no region is configured: set AWS_REGION"));
        }
        Ok(Self { client: Client::new(&config), url: url.to_owned() })
    }

    fn failed<E, R>(&self, what: &'static str, error: &SdkError<E, R>) -> QueueError
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug,
    {
        let problem = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            _ => DisplayErrorContext(error).to_string(),
        };
        QueueError { what, queue: self.url.clone(), problem, kind: kind_of(error.code()) }
    }

    fn unbuildable(&self, what: &'static str, error: impl std::fmt::Display) -> QueueError {
        QueueError {
            what,
            queue: self.url.clone(),
            problem: error.to_string(),
            kind: QueueErrorKind::Invalid,
        }
    }
}

#[async_trait]
impl Queue for Sqs {
    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, QueueError> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(max.clamp(1, BATCH)).unwrap_or(1))
            .wait_time_seconds(seconds(wait.min(MAX_WAIT)))
            .visibility_timeout(seconds(visibility.min(MAX_VISIBILITY)))
            .message_system_attribute_names(MessageAttribute::ApproximateReceiveCount)
            .message_system_attribute_names(MessageAttribute::SentTimestamp)
            .send()
            .await
            .map_err(|error| self.failed("receive from", &error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<Vec<EntryFailure>, QueueError> {
        if receipts.is_empty() {
            return Ok(Vec::new());
        }
        let what = "delete from";
        let mut request = self.client.delete_message_batch().queue_url(&self.url);
        for (index, Receipt(receipt)) in receipts.iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
            let entry = entry.receipt_handle(receipt).build();
            request = request.entries(entry.map_err(|error| self.unbuildable(what, error))?);
        }
        let answer = request.send().await.map_err(|error| self.failed(what, &error))?;
        Ok(failures(&answer.failed))
    }

    async fn change_visibility(
        &self,
        changes: &[(Receipt, Duration)],
    ) -> Result<Vec<EntryFailure>, QueueError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let what = "change the visibility of messages of";
        let mut request = self.client.change_message_visibility_batch().queue_url(&self.url);
        for (index, (Receipt(receipt), visibility)) in changes.iter().enumerate() {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(receipt)
                .visibility_timeout(seconds((*visibility).min(MAX_VISIBILITY)))
                .build();
            request = request.entries(entry.map_err(|error| self.unbuildable(what, error))?);
        }
        let answer = request.send().await.map_err(|error| self.failed(what, &error))?;
        Ok(failures(&answer.failed))
    }

    async fn send(&self, bodies: &[String]) -> Result<Vec<EntryFailure>, QueueError> {
        if bodies.is_empty() {
            return Ok(Vec::new());
        }
        let what = "send to";
        let mut request = self.client.send_message_batch().queue_url(&self.url);
        for (index, body) in bodies.iter().enumerate() {
            let entry = SendMessageBatchRequestEntry::builder().id(index.to_string());
            let entry = entry.message_body(body).build();
            request = request.entries(entry.map_err(|error| self.unbuildable(what, error))?);
        }
        let answer = request.send().await.map_err(|error| self.failed(what, &error))?;
        Ok(failures(&answer.failed))
    }

    async fn attributes(&self) -> Result<QueueAttributes, QueueError> {
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .map_err(|error| self.failed("ask about", &error))?;
        Ok(attributes(&answer.attributes.unwrap_or_default()))
    }
}

fn message(message: aws_sdk_sqs::types::Message) -> Option<Message> {
    let attributes = message.attributes.unwrap_or_default();
    let number = |name| attributes.get(&name).and_then(|text| text.parse::<i64>().ok());
    let receives = number(MessageAttribute::ApproximateReceiveCount).unwrap_or(1);
    Some(Message {
        receipt: Receipt(message.receipt_handle?),
        id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        receive_count: u32::try_from(receives).unwrap_or(1).max(1),
        sent_at: number(MessageAttribute::SentTimestamp).map(|millis| millis.saturating_mul(1_000)),
    })
}

fn failures(failed: &[BatchResultErrorEntry]) -> Vec<EntryFailure> {
    let failure = |entry: &BatchResultErrorEntry| EntryFailure {
        // The ids are ours: positions.
        index: entry.id.parse().unwrap_or(usize::MAX),
        code: entry.code.clone(),
        retry: !entry.sender_fault || kind_of(Some(&entry.code)) == QueueErrorKind::Throttled,
    };
    failed.iter().map(failure).collect()
}

fn attributes(all: &HashMap<QueueAttributeName, String>) -> QueueAttributes {
    use QueueAttributeName as Name;
    let text = |name: Name| all.get(&name).cloned().filter(|text| !text.is_empty());
    let number = |name: Name| text(name).and_then(|text| text.parse::<u64>().ok());
    let managed = text(Name::SqsManagedSseEnabled).is_some_and(|value| value == "true");
    QueueAttributes {
        arn: text(Name::QueueArn),
        visible: number(Name::ApproximateNumberOfMessages).unwrap_or(0),
        in_flight: number(Name::ApproximateNumberOfMessagesNotVisible).unwrap_or(0),
        delayed: number(Name::ApproximateNumberOfMessagesDelayed).unwrap_or(0),
        visibility_timeout: Duration::from_secs(number(Name::VisibilityTimeout).unwrap_or(30)),
        retention: number(Name::MessageRetentionPeriod).map(Duration::from_secs),
        encrypted: managed || text(Name::KmsMasterKeyId).is_some(),
        policy: text(Name::Policy),
        redrive: text(Name::RedrivePolicy).and_then(|policy| redrive(&policy)),
    }
}

/// `{"deadLetterTargetArn":…,"maxReceiveCount":…}`; the count is a number or a text.
fn redrive(policy: &str) -> Option<Redrive> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let count = match policy.get("maxReceiveCount")? {
        Value::String(text) => text.parse().ok()?,
        number => number.as_u64()?,
    };
    Some(Redrive {
        dead_letter_arn: policy.get("deadLetterTargetArn")?.as_str()?.to_owned(),
        max_receive_count: u32::try_from(count).ok()?,
    })
}

/// SQS takes whole seconds.
fn seconds(time: Duration) -> i32 {
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}

/// `https://sqs.eu-west-1.amazonaws.com/…`, also in other partitions and through an endpoint in a VPC.
fn region_of(url: &str) -> Option<&str> {
    let host = url.split("://").nth(1)?.split('/').next()?;
    let (before, _) = host.split_once(".amazonaws.com")?;
    let region = before.strip_prefix("sqs.").or_else(|| before.strip_prefix("sqs-fips."))?;
    Some(region.split('.').next().unwrap_or(region))
}

fn kind_of(code: Option<&str>) -> QueueErrorKind {
    let Some(code) = code else { return QueueErrorKind::Unreachable };
    let has = |part: &str| code.contains(part);
    if has("Throttl") || has("TooManyRequests") || has("OverLimit") || has("SlowDown") {
        QueueErrorKind::Throttled
    } else if has("NonExistentQueue") || has("QueueDoesNotExist") {
        QueueErrorKind::NoSuchQueue
    } else if has("AccessDenied")
        || has("Kms")
        || has("KMS")
        || has("InvalidSecurity")
        || has("Token")
        || has("SignatureDoesNotMatch")
        || has("InvalidAccessKeyId")
        || has("OptInRequired")
    {
        QueueErrorKind::Refused
    } else if has("InvalidAddress")
        || has("InvalidParameter")
        || has("InvalidAttribute")
        || has("UnsupportedOperation")
        || has("BatchRequestTooLong")
        || has("InvalidMessageContents")
    {
        QueueErrorKind::Invalid
    } else {
        QueueErrorKind::Unreachable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_in_the_url() {
        for (url, region) in [
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/q", Some("eu-west-1")),
            ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q", Some("cn-north-1")),
            ("https://sqs-fips.us-gov-west-1.amazonaws.com/1/q", Some("us-gov-west-1")),
            ("http://127.0.0.1:4566/000000000000/q", None),
        ] {
            assert_eq!(region_of(url), region, "{url}");
        }
    }

    #[test]
    fn a_time_is_never_shortened() {
        assert_eq!(seconds(Duration::ZERO), 0);
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::from_secs(30)), 30);
        assert_eq!(seconds(Duration::from_millis(30_001)), 31);
    }

    #[test]
    fn the_redrive_policy_is_read_with_either_kind_of_count() {
        for count in ["5", "\"5\""] {
            let policy =
                format!("{{\"deadLetterTargetArn\":\"arn:x\",\"maxReceiveCount\":{count}}}");
            let expect = Redrive { dead_letter_arn: "arn:x".to_owned(), max_receive_count: 5 };
            assert_eq!(redrive(&policy), Some(expect));
        }
        assert_eq!(redrive("{}"), None);
    }

    #[test]
    fn codes_of_sqs_say_whether_waiting_helps() {
        for (code, kind) in [
            (Some("AccessDenied"), QueueErrorKind::Refused),
            (Some("AWS.SimpleQueueService.NonExistentQueue"), QueueErrorKind::NoSuchQueue),
            (Some("QueueDoesNotExist"), QueueErrorKind::NoSuchQueue),
            (Some("RequestThrottled"), QueueErrorKind::Throttled),
            (Some("OverLimit"), QueueErrorKind::Throttled),
            (Some("KmsThrottled"), QueueErrorKind::Throttled),
            (Some("KmsAccessDenied"), QueueErrorKind::Refused),
            (Some("InternalError"), QueueErrorKind::Unreachable),
            (Some("ServiceUnavailable"), QueueErrorKind::Unreachable),
            (Some("InvalidParameterValue"), QueueErrorKind::Invalid),
            (None, QueueErrorKind::Unreachable),
        ] {
            assert_eq!(kind_of(code), kind, "{code:?}");
        }
    }
}
