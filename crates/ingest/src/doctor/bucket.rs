//! The trail's bucket: whether log files can be listed, fetched and decrypted, and whether new ones are
//! announced to the queue.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Event, NotificationConfigurationFilter};

use super::{Check, describe, is_denied};
use crate::S3;
use crate::layout::{self, Named};
use crate::queue::QueueAttributes;

const AREA: &str = "bucket";

/// Where the trail's objects are.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) bucket: &'a str,
    pub(super) prefix: &'a str,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// Pages of a listing that are looked through for a log file. Digests come before log files in the order of
/// keys only where accounts have both.
const PAGES: usize = 20;

pub(super) async fn examine(
    s3: &S3,
    place: Place<'_>,
    queue: Option<&QueueAttributes>,
    checks: &mut Vec<Check>,
) {
    // Learns where the bucket is, if it is elsewhere; what else is wrong, listing tells.
    let here = s3.client_for(place.bucket);
    if let Err(error) = here.head_bucket().bucket(place.bucket).send().await {
        s3.learn_region(place.bucket, &error).await;
    }
    let client = s3.client_for(place.bucket);
    if let Some(key) = list(&client, place, checks).await {
        read(&client, place, &key, checks).await;
    }
    notification(&client, place, queue, checks).await;
}

/// Gives the key of a log file, if there is one.
async fn list(client: &Client, place: Place<'_>, checks: &mut Vec<Check>) -> Option<String> {
    const CHECK: &str = "log files can be listed";
    let request = client.list_objects_v2().bucket(place.bucket).prefix(place.prefix);
    let mut pages = request.into_paginator().send();
    let mut others = 0_u64;
    for _ in 0..PAGES {
        let page = match pages.next().await {
            None => break,
            Some(Ok(page)) => page,
            Some(Err(error)) => {
                let remedy = if is_denied(&error) {
                    format!("allow s3:ListBucket on bucket {}", place.bucket)
                } else {
                    "check the bucket's name and region".to_owned()
                };
                checks.push(Check::failed(
                    AREA,
                    CHECK,
                    format!("{place}: {}", describe(&error)),
                    remedy,
                ));
                return None;
            }
        };
        for object in page.contents.unwrap_or_default() {
            let Some(key) = object.key else { continue };
            if let Named::LogFile(_) = layout::of_key(&key) {
                checks.push(Check::passed(AREA, CHECK, format!("{place}: found {key}")));
                return Some(key);
            }
            others += 1;
        }
    }
    checks.push(if others == 0 {
        Check::failed(
            AREA,
            CHECK,
            format!("{place} holds nothing"),
            "check the prefix: log files lie under [prefix/]AWSLogs/",
        )
    } else {
        let found = format!("{place}: the first {others} objects are no log files of CloudTrail");
        Check::not_checked(
            AREA,
            CHECK,
            found,
            Some("name a prefix nearer to one account".to_owned()),
        )
    });
    None
}

async fn read(client: &Client, place: Place<'_>, key: &str, checks: &mut Vec<Check>) {
    const CHECK: &str = "log files can be fetched and decrypted";
    let answer = client.get_object().bucket(place.bucket).key(key).range("bytes=0-0").send().await;
    checks.push(match answer {
        Ok(object) => {
            let how = object.server_side_encryption.map_or_else(
                || "not encrypted by a key of KMS".to_owned(),
                |encryption| format!("encrypted with {}", encryption.as_str()),
            );
            Check::passed(AREA, CHECK, how)
        }
        Err(error) => {
            let found = describe(&error);
            let remedy = if found.to_ascii_lowercase().contains("kms") {
                "allow kms:Decrypt on the trail's key, in the key's policy too where it is another account's"
                    .to_owned()
            } else {
                format!("allow s3:GetObject on the objects of bucket {}", place.bucket)
            };
            Check::failed(AREA, CHECK, format!("s3://{}/{key}: {found}", place.bucket), remedy)
        }
    });
}

async fn notification(
    client: &Client,
    place: Place<'_>,
    queue: Option<&QueueAttributes>,
    checks: &mut Vec<Check>,
) {
    const CHECK: &str = "new log files are announced to the queue";
    let Some(arn) = queue.and_then(|queue| queue.arn.as_deref()) else { return };
    let configured =
        client.get_bucket_notification_configuration().bucket(place.bucket).send().await;
    let configured = match configured {
        Ok(configured) => configured,
        Err(error) => {
            let remedy = is_denied(&error)
                .then(|| format!("allow s3:GetBucketNotification on bucket {}", place.bucket));
            checks.push(Check::not_checked("notification", CHECK, describe(&error), remedy));
            return;
        }
    };
    let creates = |events: &[Event]| {
        events.iter().any(|event| event.as_str().starts_with("s3:ObjectCreated:"))
    };
    let queues = configured.queue_configurations.unwrap_or_default();
    let direct = queues.iter().find(|one| one.queue_arn == arn && creates(&one.events));
    let topics = configured.topic_configurations.unwrap_or_default();
    let topic = topics.iter().find(|one| creates(&one.events));
    checks.push(if let Some(direct) = direct {
        let filter = filter(direct.filter.as_ref());
        Check::passed("notification", CHECK, format!("directly{filter}"))
    } else if let Some(topic) = topic {
        Check::not_checked(
            "notification",
            CHECK,
            format!("to topic {}; whether the queue is subscribed is not seen from here", topic.topic_arn),
            Some(format!("aws sns list-subscriptions-by-topic --topic-arn {}", topic.topic_arn)),
        )
    } else if configured.event_bridge_configuration.is_some() {
        Check::not_checked(
            "notification",
            CHECK,
            "to EventBridge; whether a rule sends them to the queue is not seen from here",
            Some(format!("aws events list-rule-names-by-target --target-arn {arn}")),
        )
    } else {
        Check::failed(
            "notification",
            CHECK,
            format!("the bucket announces nothing to {arn}"),
            format!(
                "aws s3api put-bucket-notification-configuration --bucket {} --notification-configuration \
                 '{{\"QueueConfigurations\":[{{\"QueueArn\":\"{arn}\",\"Events\":[\"s3:ObjectCreated:*\"]}}]}}' \
                 (it replaces what is configured; or let CloudTrail's own topic announce them)",
                place.bucket
            ),
        )
    });
}

fn filter(filter: Option<&NotificationConfigurationFilter>) -> String {
    let rules = filter.and_then(|filter| filter.key.as_ref());
    let rules = rules.into_iter().flat_map(|key| key.filter_rules.iter().flatten());
    let rules: Vec<String> = rules
        .filter_map(|rule| {
            Some(format!("{} {}", rule.name.as_ref()?.as_str(), rule.value.as_ref()?))
        })
        .collect();
    if rules.is_empty() { String::new() } else { format!(", for {}", rules.join(" and ")) }
}
