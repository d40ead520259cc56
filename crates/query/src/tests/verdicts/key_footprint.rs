//! `key-footprint`: where a key is used, by what and for what.

use super::super::lake::event;
use super::super::reporting::run;
use super::{Case, WINDOW, ago};
use crate::functions::databases::tests::mmdb::{Value, database};
use crate::{AddressDatabase, Networks};

const AS_OF: (&str, &str) = ("as_of", "2026-07-01T00:00:00Z");

/// A key used by two programs from one address, in a session that it opened, and to take a role.
fn used_key() -> Case {
    let case = Case::new("footprint").logs(WINDOW);
    let session = event("token", &ago(5), "GetSessionToken")
        .by_user("u", "AKIAU")
        .issues("ASIACHILD", &ago(4));
    let role = event("role", &ago(3), "AssumeRole")
        .by_user("u", "AKIAU")
        .role(&case.account, "R", "s")
        .text("source_ip", "198.51.100.7")
        .text("user_agent", "aws-cli/2.9");
    let rows = [
        case.signed("u", "AKIAU", 10).text("user_agent", "aws-cli/1.18"),
        case.signed("u", "AKIAU", 3)
            .text("user_agent", "aws-cli/2.9")
            .text("event_source", "sts.amazonaws.com")
            .text("event_name", "AssumeRole"),
        case.signed("u", "AKIAU", 3)
            .text("user_agent", "Boto3/1")
            .text("error_code", "AccessDenied"),
        case.signed("u", "ASIACHILD", 5).text("source_ip", "203.0.113.9"),
        // The same id long after: another session's.
        case.signed("u", "ASIACHILD", 1),
        // Before the window.
        case.signed("u", "AKIAU", 91).text("user_agent", "old/1"),
        case.signed("other", "AKIAOTHER", 1),
    ];
    let case = rows.into_iter().fold(case, |case, row| case.add("activity", row));
    case.add("credential_events", session).add("credential_events", role)
}

#[tokio::test]
async fn calls_are_grouped_by_where_they_come_from() {
    let case = used_key();
    let columns =
        "access_key_id user_name via sources agent actions days_active calls errors coverage";
    assert_eq!(
        run(&case.lake, "key-footprint", &[AS_OF, ("access_key", "AKIAU")], columns).await,
        "AKIAU | u | key | [198.51.100.7] | aws-cli | [s3:ListBuckets, sts:AssumeRole] | 2 | 2 | 0 | 1.0\n\
         AKIAU | u | key | [198.51.100.7] | boto3 | [s3:ListBuckets] | 1 | 1 | 1 | 1.0\n\
         AKIAU | u | session | [203.0.113.9] | aws-cli | [s3:ListBuckets] | 1 | 1 | 0 | 1.0"
    );
    let columns = "access_key_id agent evidence_event_ids";
    let role = format!("{}/R", case.account);
    assert_eq!(
        run(&case.lake, "key-footprint", &[AS_OF, ("role", &role)], columns).await,
        "AKIAU | aws-cli | [AKIAU-10, AKIAU-3]"
    );
    assert_eq!(
        run(&case.lake, "key-footprint", &[AS_OF, ("days", "2")], "access_key_id").await,
        "AKIAOTHER"
    );
}

#[tokio::test]
async fn each_key_is_in_the_state_that_stale_keys_gives_it() {
    let keys = ["users", "access_keys", "access_key_last_used"];
    let case = used_key().snapshot(1, &keys);
    let listed = case.key("u", "AKIAU", 400).text("status", "Inactive");
    let gone = case.key_change("DeleteAccessKey", "other", "AKIAOTHER", 1);
    let case = case.add("iam_access_keys", listed).add("iam_changes", gone);
    let of_key = [AS_OF, ("access_key", "AKIAU")];
    let found = run(&case.lake, "key-footprint", &of_key, "state status").await;
    assert!(found.lines().all(|line| line == "INACTIVE | Inactive"), "{found}");
    assert_eq!(run(&case.lake, "stale-keys", &of_key, "state status").await, "INACTIVE | Inactive");
    let of_other = [AS_OF, ("access_key", "AKIAOTHER")];
    assert_eq!(run(&case.lake, "key-footprint", &of_other, "state status").await, " | ");
}

#[tokio::test]
async fn addresses_have_the_names_that_the_user_gives_them() {
    let map = |name, value| Value::Map(vec![(name, value)]);
    let asn = Value::Map(vec![
        ("autonomous_system_number", Value::Number(64_500)),
        ("autonomous_system_organization", Value::Text("Example Transit")),
    ]);
    let country = map("country", map("iso_code", Value::Text("DE")));
    let asn = AddressDatabase::read(database("ASN", &[("198.51.100.0/24", asn)])).unwrap();
    let country =
        AddressDatabase::read(database("Country", &[("203.0.113.0/24", country)])).unwrap();
    let office =
        ("198.51.100.0/28".parse().unwrap(), "Office".to_owned(), Some("office".to_owned()));
    let mut case = used_key();
    case.lake = case.lake.networks(Networks::new([office]));
    let columns = "via sources network network_kind network_asn network_as_name network_country";
    let given = [AS_OF, ("access_key", "AKIAU")];
    assert_eq!(
        run(&case.lake, "key-footprint", &given, columns).await,
        "key | [198.51.100.7] | Office | office |  |  | \n\
         key | [198.51.100.7] | Office | office |  |  | \n\
         session | [203.0.113.9] |  |  |  |  | "
    );
    case.lake = case.lake.networks(Networks::default().with_asn(asn).with_country(country));
    assert_eq!(
        run(&case.lake, "key-footprint", &given, columns).await,
        "key | [198.51.100.7] |  |  | 64500 | Example Transit | \n\
         key | [198.51.100.7] |  |  | 64500 | Example Transit | \n\
         session | [203.0.113.9] |  |  |  |  | DE"
    );
}
