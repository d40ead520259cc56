//! The queue: whether it can be received from, where poison goes, and how far behind it is.

use std::time::Duration;

use super::Check;
use crate::queue::{Queue, QueueAttributes};

const AREA: &str = "queue";

/// With fewer tries, an outage of minutes would send good messages to the dead letters.
const LEAST_RECEIVES: u32 = 5;
/// A worker that is down over a long weekend should find its messages.
const LEAST_RETENTION: Duration = Duration::from_secs(4 * 86_400);

/// Looks at the queue; gives its attributes for the checks on the bucket's notification.
pub(super) async fn examine(
    queue: &dyn Queue,
    bucket: Option<&str>,
    checks: &mut Vec<Check>,
) -> Option<QueueAttributes> {
    const CHECK: &str = "the queue answers";
    let attributes = match queue.attributes().await {
        Ok(attributes) => attributes,
        Err(error) => {
            let remedy = "check --queue-url, and allow sqs:GetQueueAttributes, ReceiveMessage, \
                          DeleteMessage and ChangeMessageVisibility on it";
            checks.push(Check::failed(AREA, CHECK, error.to_string(), remedy));
            return None;
        }
    };
    let backlog = format!(
        "{} waiting, {} being worked on",
        attributes.visible + attributes.delayed,
        attributes.in_flight
    );
    checks.push(Check::passed(AREA, CHECK, backlog));
    judge(&attributes, bucket, checks);
    Some(attributes)
}

fn judge(attributes: &QueueAttributes, bucket: Option<&str>, checks: &mut Vec<Check>) {
    const DEAD: &str = "it has a dead-letter queue";
    const KEEPS: &str = "it keeps messages long enough";
    const ALLOWS: &str = "its policy lets S3, SNS or EventBridge send";
    checks.push(match &attributes.redrive {
        None => Check::failed(
            AREA,
            DEAD,
            "none: a message that cannot be read would come back until it expires, and be lost then",
            "aws sqs set-queue-attributes --queue-url URL --attributes \
             '{\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":\\\"ARN\\\",\\\"maxReceiveCount\\\":10}\"}'",
        ),
        Some(redrive) if redrive.max_receive_count < LEAST_RECEIVES => Check::failed(
            AREA,
            DEAD,
            format!(
                "{}, after {} tries: an outage of minutes sends good messages there",
                redrive.dead_letter_arn, redrive.max_receive_count
            ),
            "set maxReceiveCount to 10 in the queue's redrive policy",
        ),
        Some(redrive) => Check::passed(
            AREA,
            DEAD,
            format!("{}, after {} tries", redrive.dead_letter_arn, redrive.max_receive_count),
        ),
    });
    if let Some(retention) = attributes.retention {
        let days = retention.as_secs() / 86_400;
        checks.push(if retention >= LEAST_RETENTION {
            Check::passed(AREA, KEEPS, format!("{days} days"))
        } else {
            Check::failed(
                AREA,
                KEEPS,
                format!("{} hours", retention.as_secs() / 3_600),
                "aws sqs set-queue-attributes --queue-url URL --attributes MessageRetentionPeriod=1209600",
            )
        });
    }
    let policy = attributes.policy.as_deref().unwrap_or_default();
    let senders = ["s3.amazonaws.com", "sns.amazonaws.com", "events.amazonaws.com"];
    let allowed: Vec<&str> =
        senders.into_iter().filter(|sender| policy.contains(&format!("\"{sender}\""))).collect();
    checks.push(if allowed.is_empty() {
        let of = bucket.map_or_else(String::new, |bucket| {
            format!(" where aws:SourceArn is the ARN of bucket {bucket}")
        });
        Check::failed(
            AREA,
            ALLOWS,
            "the policy names none of these services",
            format!("allow sqs:SendMessage for Service s3.amazonaws.com{of} in the queue's policy"),
        )
    } else {
        Check::passed(AREA, ALLOWS, allowed.join(", "))
    });
}
