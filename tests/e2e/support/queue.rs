//! Queues in the emulator, each with a dead-letter queue, and the ways that notifications take into them.
//!
//! Speaks to SQS, SNS and EventBridge by hand: the worker's own code must not be what it is tested with.

use aws_sdk_s3::types::{
    Event, EventBridgeConfiguration, NotificationConfiguration, QueueConfiguration,
    TopicConfiguration,
};
use serde_json::{Value, json};

use super::emulator::{endpoint, fresh_name};
use super::{Bucket, http};

const ACCOUNT: &str = "000000000000";
/// A batch of SQS.
const BATCH: usize = 10;

/// A queue of one test, and where its poison goes.
pub(crate) struct TestQueue {
    name: String,
    dead: String,
}

/// A message that lies in a queue, hidden or not.
#[derive(Clone, Debug)]
pub(crate) struct Lying {
    pub(crate) body: String,
    pub(crate) visible: bool,
    pub(crate) receive_count: u64,
}

/// How a bucket's notifications come to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    Direct,
    Topic { raw: bool },
    EventBridge,
}

impl TestQueue {
    /// A message that would be received more than `max_receive_count` times goes to the dead letters.
    pub(crate) fn new(max_receive_count: u32) -> Self {
        let queue = Self { name: fresh_name("log-files"), dead: fresh_name("dead-letters") };
        sqs("CreateQueue", &json!({"QueueName": queue.dead}));
        sqs("CreateQueue", &json!({"QueueName": queue.name}));
        let target = arn("sqs", &queue.dead);
        let policy = json!({"deadLetterTargetArn": target, "maxReceiveCount": max_receive_count});
        queue.set("RedrivePolicy", &policy.to_string());
        queue
    }

    /// Named after the emulator itself: a proxy's port would be no different.
    pub(crate) fn url(&self) -> String {
        url(&self.name)
    }

    pub(crate) fn arn(&self) -> String {
        arn("sqs", &self.name)
    }

    pub(crate) fn dead_letter_arn(&self) -> String {
        arn("sqs", &self.dead)
    }

    pub(crate) fn set(&self, attribute: &str, value: &str) {
        let attributes = json!({attribute: value});
        sqs("SetQueueAttributes", &json!({"QueueUrl": self.url(), "Attributes": attributes}));
    }

    pub(crate) fn send<S: AsRef<str>>(&self, bodies: impl IntoIterator<Item = S>) {
        let bodies: Vec<S> = bodies.into_iter().collect();
        for batch in bodies.chunks(BATCH) {
            let entry = |(id, body): (usize, &S)| json!({"Id": id.to_string(), "MessageBody": body.as_ref()});
            let entries: Vec<Value> = batch.iter().enumerate().map(entry).collect();
            let sent =
                sqs("SendMessageBatch", &json!({"QueueUrl": self.url(), "Entries": entries}));
            assert_eq!(sent["Successful"].as_array().map(Vec::len), Some(batch.len()), "{sent}");
        }
    }

    /// Ends the visibility timeout of a message, unless it was received again or deleted since.
    pub(crate) fn expire(&self, receipt: &str) {
        let entry = json!({"Id": "0", "ReceiptHandle": receipt, "VisibilityTimeout": 0});
        let body = json!({"QueueUrl": self.url(), "Entries": [entry]});
        sqs("ChangeMessageVisibilityBatch", &body);
    }

    /// Everything that lies in the queue, without receiving it.
    pub(crate) fn messages(&self) -> Vec<Lying> {
        lying(&self.name)
    }

    /// The bodies of the dead letters, sorted.
    pub(crate) fn dead_letters(&self) -> Vec<String> {
        let mut bodies: Vec<String> =
            lying(&self.dead).into_iter().map(|message| message.body).collect();
        bodies.sort();
        bodies
    }

    pub(crate) fn delete(&self) {
        sqs("DeleteQueue", &json!({"QueueUrl": self.url()}));
    }

    /// Has a bucket tell this queue of each new object.
    pub(crate) fn listen_to(&self, bucket: &Bucket, path: Path) {
        let created = Event::from("s3:ObjectCreated:*");
        let configuration = NotificationConfiguration::builder();
        let configuration = match path {
            Path::Direct => {
                let queue = QueueConfiguration::builder().queue_arn(self.arn()).events(created);
                configuration.queue_configurations(queue.build().unwrap())
            }
            Path::Topic { raw } => {
                let topic = self.subscribe(raw);
                let topic = TopicConfiguration::builder().topic_arn(topic).events(created);
                configuration.topic_configurations(topic.build().unwrap())
            }
            Path::EventBridge => {
                self.be_target_for(bucket);
                let on = EventBridgeConfiguration::builder().build();
                configuration.event_bridge_configuration(on)
            }
        };
        let put = bucket
            .client()
            .put_bucket_notification_configuration()
            .bucket(bucket.name())
            .notification_configuration(configuration.build());
        bucket.wait(async { put.send().await }).unwrap();
    }

    /// Makes a topic whose messages come to this queue.
    fn subscribe(&self, raw: bool) -> String {
        let name = fresh_name("new-log-files");
        let (topic, queue, raw) = (arn("sns", &name), self.arn(), raw.to_string());
        form("sns", &[("Action", "CreateTopic"), ("Name", &name)]);
        form(
            "sns",
            &[
                ("Action", "Subscribe"),
                ("TopicArn", &topic),
                ("Protocol", "sqs"),
                ("Endpoint", &queue),
                ("Attributes.entry.1.key", "RawMessageDelivery"),
                ("Attributes.entry.1.value", &raw),
            ],
        );
        topic
    }

    fn be_target_for(&self, bucket: &Bucket) {
        let rule = fresh_name("object-created");
        let pattern = json!({
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [bucket.name()]}},
        });
        let rules = json!({"Name": rule, "EventPattern": pattern.to_string()});
        ask("events", "AWSEvents.PutRule", "1.1", &rules);
        let targets = json!({"Rule": rule, "Targets": [{"Id": "queue", "Arn": self.arn()}]});
        let put = ask("events", "AWSEvents.PutTargets", "1.1", &targets);
        assert_eq!(put["FailedEntryCount"], 0, "{put}");
    }
}

fn url(name: &str) -> String {
    format!("{}/{ACCOUNT}/{name}", endpoint())
}

fn arn(service: &str, name: &str) -> String {
    format!("arn:aws:{service}:us-east-1:{ACCOUNT}:{name}")
}

fn lying(name: &str) -> Vec<Lying> {
    let target = format!("/_ministack/sqs/messages?QueueUrl={}", url(name));
    let answer = http::call(address(), "GET", &target, &[], b"").unwrap();
    let all: Value = serde_json::from_slice(&answer.body).unwrap();
    let messages = all["messages"][ACCOUNT]["us-east-1"][url(name)].as_array();
    let message = |message: &Value| Lying {
        body: message["Body"].as_str().unwrap().to_owned(),
        visible: message["IsVisible"].as_bool().unwrap(),
        receive_count: message["ReceiveCount"].as_u64().unwrap(),
    };
    messages.unwrap_or_else(|| panic!("queue {name}: {all}")).iter().map(message).collect()
}

fn address() -> &'static str {
    endpoint().strip_prefix("http://").unwrap()
}

/// Tells the emulator which service is meant. Nobody verifies the signature.
fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}

fn sqs(action: &str, body: &Value) -> Value {
    ask("sqs", &format!("AmazonSQS.{action}"), "1.0", body)
}

fn ask(service: &str, action: &str, version: &str, body: &Value) -> Value {
    let headers = [
        ("Authorization", authorization(service)),
        ("Content-Type", format!("application/x-amz-json-{version}")),
        ("X-Amz-Target", action.to_owned()),
    ];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = http::call(address(), "POST", "/", &headers, body.to_string().as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{action}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn form(service: &str, fields: &[(&str, &str)]) {
    let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let headers = [
        ("Authorization", authorization(service)),
        ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
    ];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = http::call(address(), "POST", "/", &headers, body.join("&").as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{fields:?}: {}", answer.text());
}
