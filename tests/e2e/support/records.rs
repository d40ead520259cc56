//! Log files written by hand, for tests that need to say exactly what is in them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

/// A record that CloudTrail might deliver: a user takes a role.
#[derive(Clone)]
pub(crate) struct Record(pub(crate) Value);

impl Record {
    /// `AssumeRole` by a user; `number` tells it from others.
    pub(crate) fn assume_role(number: u32) -> Self {
        let role = "arn:aws:iam::111122223333:role/app/deploy";
        let session = format!("session-{number}");
        Self(json!({
            "eventVersion": "1.08",
            "userIdentity": {
                "type": "IAMUser",
                "principalId": "AIDAEXAMPLEUSER000001",
                "arn": "arn:aws:iam::111122223333:user/ana",
                "accountId": "111122223333",
                "accessKeyId": "AKIAEXAMPLEKEY000001",
                "userName": "ana"
            },
            "eventTime": format!("2026-01-05T07:{:02}:{:02}Z", number / 60 % 60, number % 60),
            "eventSource": "sts.amazonaws.com",
            "eventName": "AssumeRole",
            "awsRegion": "us-east-1",
            "sourceIPAddress": "192.0.2.10",
            "userAgent": "aws-cli/2.27.0",
            "requestParameters": {"roleArn": role, "roleSessionName": session},
            "responseElements": {
                "credentials": {
                    "accessKeyId": format!("ASIAEXAMPLE{number:09}"),
                    "sessionToken": "SESSIONTOKENTHATMUSTNEVERBESTORED",
                    "expiration": "Jan 5, 2026, 8:00:00 AM"
                },
                "assumedRoleUser": {
                    "assumedRoleId": format!("AROAEXAMPLEROLE000001:{session}"),
                    "arn": format!("arn:aws:sts::111122223333:assumed-role/deploy/{session}")
                }
            },
            "resources": [
                {"accountId": "111122223333", "type": "AWS::IAM::Role", "ARN": role}
            ],
            "requestID": format!("00000000-0000-4000-9000-{number:012}"),
            "eventID": format!("00000000-0000-4000-8000-{number:012}"),
            "readOnly": true,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": "111122223333",
            "eventCategory": "Management"
        }))
    }

    /// The same, with another value in one place.
    pub(crate) fn with(mut self, member: &str, value: Value) -> Self {
        self.0[member] = value;
        self
    }
}

/// The text of a log file.
pub(crate) fn log_file(records: impl IntoIterator<Item = Record>) -> String {
    let records: Vec<Value> = records.into_iter().map(|record| record.0).collect();
    json!({"Records": records}).to_string()
}

/// A name as CloudTrail gives it.
pub(crate) fn log_file_name(number: u32) -> String {
    format!("111122223333_CloudTrail_us-east-1_20260105T0715Z_unique{number:010}.json.gz")
}

/// One gzip member.
pub(crate) fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_ref()).unwrap();
    encoder.finish().unwrap()
}
