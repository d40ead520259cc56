//! What holds for any bytes, any JSON and any list of records.

use proptest::collection::vec;
use proptest::prelude::*;
use rolecall_events::rows::LogFile;
use rolecall_events::{Limits, Reader};
use serde_json::{Map, Value, json};

use crate::support::{check_sum, gzip, log_file, record};

/// Every row of a file as text; two files with equal texts have equal rows.
fn rows(file: &LogFile<'_>) -> String {
    check_sum(file);
    format!("{file:?}")
}

fn read(bytes: &[u8]) -> Option<String> {
    Reader::new(Limits::default()).read(bytes).ok().map(|file| rows(&file))
}

/// Member names that mean something, so that random values land where the code looks.
fn name() -> impl Strategy<Value = String> {
    const NAMES: &[&str] = &[
        "Records",
        "Events",
        "CloudTrailEvent",
        "eventTime",
        "eventSource",
        "eventName",
        "userIdentity",
        "type",
        "principalId",
        "arn",
        "ARN",
        "accessKeyId",
        "sessionContext",
        "sessionIssuer",
        "attributes",
        "creationDate",
        "mfaAuthenticated",
        "requestParameters",
        "responseElements",
        "roleArn",
        "roleSessionName",
        "tags",
        "key",
        "value",
        "principalTags",
        "transitiveTagKeys",
        "policyArns",
        "durationSeconds",
        "credentials",
        "expiration",
        "assumedRoleUser",
        "assumedRoleId",
        "credentialSet",
        "additionalEventData",
        "SwitchFrom",
        "resources",
        "errorMessage",
        "errorCode",
        "policyDocument",
        "eventSelectors",
        "addendum",
        "reason",
        "originalEventID",
        "serviceEventDetails",
        "identityProvider",
        "userName",
        "targetPrincipal",
        "sourceIPAddress",
        "readOnly",
        "inScopeOf",
        "onBehalfOf",
        "userId",
        "NextToken",
        "serialNumber",
        "serviceSpecificCredentialId",
        "newUserName",
        "status",
    ];
    prop_oneof![9 => proptest::sample::select(NAMES).prop_map(str::to_owned), 1 => ".{0,8}"]
}

fn text() -> impl Strategy<Value = String> {
    const TEXTS: &[&str] = &[
        "",
        "Unknown",
        "true",
        "2026-01-05T07:12:03Z",
        "9999-12-31T23:59:59Z",
        "Jan 1, 999999999, 1:00:00 AM",
        "sts.amazonaws.com",
        "iam.amazonaws.com.cn",
        "signin.amazonaws.com",
        "iam.amazonaws.com",
        "sso.amazonaws.com",
        "rolesanywhere.amazonaws.com",
        "AssumeRole",
        "AssumeRoot",
        "AssumeRoleWithWebIdentity",
        "SwitchRole",
        "ConsoleLogin",
        "CreateSession",
        "PutEventSelectors",
        "CreateRole",
        "AROAX:s",
        "AROA:",
        "Jan 5, 2026, 8:12:03 AM",
        "Failure",
        "arn:aws:iam::111111111111:role/a/B",
        "x on resource: arn:aws:iam::111111111111:role/B.",
        ":role/",
        "arn:::::",
        "UPDATED_DATA",
        "IAMUser",
        "AssumedRole",
        "192.0.2.1",
        "::1",
        "1:2:3",
    ];
    prop_oneof![4 => proptest::sample::select(TEXTS).prop_map(str::to_owned), 1 => ".{0,40}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((name(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A record that passes, with random values in random members.
fn random_record() -> impl Strategy<Value = Value> {
    let events = proptest::sample::select(&[
        ("sts", "AssumeRole"),
        ("sts", "AssumeRoleWithSAML"),
        ("sts", "AssumeRoleWithWebIdentity"),
        ("sts", "AssumeRoot"),
        ("sts", "GetFederationToken"),
        ("signin", "ConsoleLogin"),
        ("signin", "SwitchRole"),
        ("sso", "GetRoleCredentials"),
        ("rolesanywhere", "CreateSession"),
        ("iam", "CreateRole"),
        ("iam", "DeleteAccessKey"),
        ("iam", "ResetServiceSpecificCredential"),
        ("iam", "DeactivateMFADevice"),
        ("iam", "UpdateUser"),
        ("signin", "PasswordUpdated"),
        ("cloudtrail", "PutEventSelectors"),
        ("s3", "GetObject"),
    ]);
    (events, vec((name(), value()), 0..6)).prop_map(|((source, event), members)| {
        record(source, event, Value::Object(members.into_iter().collect()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..600)) {
        read(&bytes);
        read(&[b"\x1f\x8b\x08".as_slice(), &bytes].concat());
        read(&[b"{\"Records\":[".as_slice(), &bytes, b"]}"].concat());
        read(&gzip(&bytes));
    }

    #[test]
    fn damaged_files_never_panic(
        records in vec(random_record(), 1..4),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        packed in any::<bool>(),
    ) {
        let text = log_file(&records);
        let mut bytes = if packed { gzip(&text) } else { text };
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read(&bytes);
    }

    #[test]
    fn arbitrary_json_never_panics_and_the_sum_holds(records in vec(value(), 0..8)) {
        let seen = records.len() as u64;
        let text = log_file(&records);
        let mut reader = Reader::new(Limits::default());
        let file = reader.read(&text).unwrap();
        rows(&file);
        prop_assert_eq!(file.account.seen, seen);
    }

    #[test]
    fn records_with_arbitrary_members_never_panic_and_the_sum_holds(
        records in vec(random_record(), 0..8),
    ) {
        let seen = records.len() as u64;
        let text = log_file(&records);
        let mut reader = Reader::new(Limits::default());
        let file = reader.read(&text).unwrap();
        rows(&file);
        prop_assert_eq!(file.account.seen, seen);
    }

    #[test]
    fn arbitrary_documents_never_panic(document in value()) {
        read(document.to_string().as_bytes());
    }

    #[test]
    fn gzip_and_looked_up_forms_give_the_same_rows(records in vec(random_record(), 0..8)) {
        let plain = read(&log_file(&records));
        prop_assert!(plain.is_some());
        prop_assert_eq!(&read(&gzip(&log_file(&records))), &plain);
        let pretty = serde_json::to_vec_pretty(&json!({ "Records": records })).unwrap();
        prop_assert_eq!(&read(&pretty), &plain);
        let wrapped: Vec<Value> =
            records.iter().map(|record| json!({"CloudTrailEvent": record.to_string()})).collect();
        prop_assert_eq!(&read(json!({ "Events": wrapped }).to_string().as_bytes()), &plain);
        let in_utf16 = String::from_utf8(log_file(&records)).unwrap();
        let units = std::iter::once(0xfeff).chain(in_utf16.encode_utf16());
        prop_assert_eq!(&read(&units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()), &plain);
    }

    /// However records are spread over documents that stand one after the other.
    #[test]
    fn appended_documents_give_the_same_rows_as_one(
        records in vec((random_record(), any::<bool>(), any::<bool>()), 1..8),
    ) {
        let mut text = String::new();
        for (record, wrapped, apart) in &records {
            let event = json!({"CloudTrailEvent": record.to_string()});
            text += &match wrapped {
                true => json!({"Events": [event]}).to_string(),
                false => json!({"Records": [record]}).to_string(),
            };
            text += if *apart { "\r\n" } else { "" };
        }
        let records: Vec<Value> = records.into_iter().map(|(record, ..)| record).collect();
        let plain = read(&log_file(&records));
        prop_assert!(plain.is_some());
        prop_assert_eq!(read(text.as_bytes()), plain);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// A space after the first bracket is enough to be read as a whole rather than in pieces.
    #[test]
    fn pieces_give_the_same_rows_as_the_whole(
        records in vec((random_record(), 0..12_000_usize), 1..260),
    ) {
        let records: Vec<Value> = records
            .into_iter()
            .map(|(mut record, padding)| {
                record["apiVersion"] = json!("p".repeat(padding));
                record
            })
            .collect();
        let pieces = String::from_utf8(log_file(&records)).unwrap();
        let whole = pieces.replacen(":[", ": [", 1);
        let rows = read(pieces.as_bytes());
        prop_assert!(rows.is_some());
        prop_assert!(rows == read(whole.as_bytes()));
        prop_assert!(rows == read(&gzip(pieces.as_bytes())));
    }

    /// Whatever a reader read before, a file gives the same rows.
    #[test]
    fn files_do_not_see_what_was_read_before_them(
        files in vec((vec(random_record(), 0..30), 0..4_usize, any::<bool>()), 1..12),
    ) {
        let mut reader = Reader::new(Limits::default());
        for (records, form, packed) in files {
            let mut text = log_file(&records);
            match form {
                0 => text.truncate(text.len() / 2),
                1 => text = serde_json::to_vec_pretty(&json!({ "Records": records })).unwrap(),
                _ => {}
            }
            let bytes = if packed { gzip(&text) } else { text };
            let again = reader.read(&bytes).ok().map(|file| rows(&file));
            prop_assert!(again == read(&bytes));
        }
    }
}
