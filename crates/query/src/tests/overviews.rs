//! Rules of `access_keys`, `roles` and `coverage`.

use super::lake::{DEV, PROD, Row, TestLake, at, delivered_name, event, used};

fn file(name: &str, delivered: &str, first: &str) -> Row {
    Row::default()
        .text("log_file", delivered_name(PROD, "eu-west-1", at(delivered), name))
        .number("delivered_date", at(delivered) / 86_400_000_000)
        .number("delivered_at", at(delivered))
        .text("account_id", PROD)
        .text("aws_region", "eu-west-1")
        .text("status", "complete")
        .number("records", 10)
        .number("credential_events", 2)
        .number("rejected", 0)
        .number("first_event_time", at(first))
        .number("last_event_time", at(first))
}

#[tokio::test]
async fn keys_show_use_and_changes() {
    let change = |id: &str, time: &str, name: &str, key: &str| {
        Row::default()
            .text("event_id", id)
            .number("event_time", at(time))
            .number("event_date", at(time) / 86_400_000_000)
            .text("event_name", name)
            .text("event_source", "iam.amazonaws.com")
            .text("recipient_account_id", DEV)
            .text("outcome", "success")
            .text("actor_arn", "arn:aws:iam::111111111111:user/admin")
            .text("target_type", "access_key")
            .text("target_name", "ann")
            .text("target_id", key)
            .text("log_file", "f")
            .number("record_index", 0)
    };
    let lake = TestLake::default()
        .activity([
            used("10:00:00", "10:30:00", 3).key("AKIAANN").of_user("ann"),
            used("12:00:00", "12:30:00", 2)
                .key("AKIAANN")
                .of_user("ann")
                .text("error_code", "AccessDenied"),
            used("12:00:00", "12:30:00", 2).key("ASIATEMP").of_user("ann"),
        ])
        .events([event("e", "12:00:00", "AssumeRole")
            .by_user("ann", "AKIAANN")
            .role(PROD, "Deploy", "s")])
        .rows(
            "iam_changes",
            [
                change("c1", "09:00:00", "CreateAccessKey", "AKIAANN"),
                change("c2", "13:00:00", "UpdateAccessKey", "AKIAANN").text("status", "Inactive"),
                change("c3", "09:00:00", "CreateAccessKey", "AKIAIDLE"),
            ],
        );
    assert_eq!(
        lake.answer(
            "SELECT access_key_id, user_name, status, event_count, error_count, last_used IS NULL, \
             coalesce(array_to_string(roles, ','), '-') FROM access_keys ORDER BY access_key_id"
        )
        .await,
        "AKIAANN | ann | Inactive | 5 | 2 | false | arn:aws:iam::222222222222:role/Deploy\n\
         AKIAIDLE | ann | Active | 0 | 0 | true | -"
    );
}

#[tokio::test]
async fn a_role_made_again_is_another_role() {
    let call = |id: &str, time: &str, role_id: &str| {
        event(id, time, "AssumeRole")
            .by_user("ann", "AKIAANN")
            .role(PROD, "Deploy", "s")
            .text("role_id", role_id)
    };
    let lake = TestLake::default()
        .events([
            call("e1", "10:00:00", "AROAOLD"),
            call("e2", "12:00:00", "AROANEW"),
            event("e3", "13:00:00", "AssumeRole")
                .by_user("eve", "AKIAEVE")
                .role(PROD, "Deploy", "s")
                .without("role_id")
                .failed("AccessDenied"),
        ])
        .activity([used("10:10:00", "10:20:00", 4)
            .key("ASIA1")
            .in_session(PROD, "Deploy", "s", "10:00:00")
            .text("role_id", "AROAOLD")]);
    assert_eq!(
        lake.answer(
            "SELECT role, role_id, assumptions, denied, event_count FROM roles ORDER BY role_id"
        )
        .await,
        "arn:aws:iam::222222222222:role/Deploy | AROANEW | 1 | 0 | 0\n\
         arn:aws:iam::222222222222:role/Deploy | AROAOLD | 1 | 0 | 4\n\
         arn:aws:iam::222222222222:role/Deploy |  | 0 | 1 | 0"
    );
}

#[tokio::test]
async fn a_role_with_one_id_is_one_row_though_not_every_record_says_it() {
    let lake = TestLake::default()
        .events([event("e1", "10:00:00", "AssumeRole")
            .by_service("ec2.amazonaws.com")
            .role(PROD, "web", "i-1")
            .without("role_id")])
        .activity([used("10:10:00", "10:20:00", 4)
            .key("ASIA1")
            .in_session(PROD, "web", "i-1", "10:00:00")]);
    assert_eq!(
        lake.answer("SELECT role_name, role_id, assumptions, event_count FROM roles").await,
        "web | AROAWEB | 1 | 4"
    );
}

#[tokio::test]
async fn coverage_counts_by_day_of_delivery_and_names_trails() {
    let lake = TestLake::default().rows(
        "log_files",
        [
            file("a", "10:10:00", "10:00:00").text("trail_prefix", "org"),
            file("b", "10:20:00", "09:00:00").number("rejected", 3),
            file("c", "10:30:00", "10:29:00")
                .text("status", "refused")
                .number("records", 0)
                .without("first_event_time"),
        ],
    );
    assert_eq!(
        lake.answer(
            "SELECT account_id, aws_region, day, files, refused_files, records, rejected, \
             max_delivery_lag_seconds, array_to_string(trail_prefixes, ',', '-'), several_trails FROM coverage"
        )
        .await,
        "222222222222 | eu-west-1 | 2026-01-05 | 2 | 1 | 20 | 3 | 4800 | ,org | true"
    );
}

#[tokio::test]
async fn a_file_that_names_no_account_is_counted_by_its_records() {
    let lake = TestLake::default()
        .rows(
            "log_files",
            [file("", "10:10:00", "10:00:00")
                .text("log_file", "uses.json.gz")
                .without("account_id")
                .without("aws_region")
                .without("delivered_date")
                .without("delivered_at")],
        )
        .activity([used("10:00:00", "10:01:00", 3).key("AKIAANN").of_user("ann")]);
    assert_eq!(
        lake.answer(
            "SELECT account_id, aws_region, day, records, max_delivery_lag_seconds FROM coverage"
        )
        .await,
        "222222222222 | eu-west-1 | 2026-01-05 | 10 | "
    );
}
