//! What a session or key did is what it signed, and nothing else.

use super::lake::{DEV, PROD, Row, TestLake, at, event, used};
use crate::{WhoAnswer, who};

const DONE: &str = "SELECT coalesce(issued_event_id, '-'), coalesce(access_key_id, '-'), link_method, \
     coalesce(unlinked_reason, '-'), event_count, uses_by_session, uses_of_several, forwarded_count \
     FROM sessions ORDER BY issued_time, session_id";

/// GitHub Actions' default session name, taken by one repository.
fn taken(id: &str, time: &str, key: &str, repository: &str) -> Row {
    event(id, time, "AssumeRoleWithWebIdentity")
        .role(PROD, "Deploy", "GitHubActions")
        .issues(key, "11:00:00")
        .text("caller_type", "WebIdentityUser")
        .text(
            "identity_provider",
            "arn:aws:iam::222222222222:oidc-provider/token.actions.githubusercontent.com",
        )
        .text("federated_subject", format!("repo:acme/{repository}:ref:refs/heads/main"))
}

fn did(time: &str, name: &str, made: &str) -> Row {
    used(time, time, 1).in_session(PROD, "Deploy", "GitHubActions", made).text("event_name", name)
}

async fn ask(lake: &TestLake, thing: &str) -> WhoAnswer {
    who(&lake.open(0).await, thing, at("20:00:00")).await.unwrap()
}

fn rows(answer: &WhoAnswer, title: &str) -> Vec<String> {
    let table = answer.tables.iter().find(|table| table.title.starts_with(title));
    table.map(|table| table.rows.iter().map(|row| row.join(" ")).collect()).unwrap_or_default()
}

#[tokio::test]
async fn regression_two_sessions_of_one_name_and_moment_are_not_given_each_others_acts() {
    let lake = TestLake::default()
        .events([
            taken("e1", "10:00:00", "ASIADOCS000000000001", "docs"),
            taken("e2", "10:00:01", "ASIAINFRA", "infra"),
        ])
        .activity([
            did("10:00:05", "PutObject", "10:00:00").key("ASIADOCS000000000001"),
            did("10:00:04", "DeleteBucket", "10:00:01").key("ASIAINFRA"),
            // Without a key it may be either's; with a key that neither was given it is a third's.
            did("10:00:06", "Decrypt", "10:00:01"),
            did("10:00:07", "GetObject", "10:00:00").key("ASIATHIRD"),
        ]);
    assert_eq!(
        lake.answer(DONE).await,
        "e1 | ASIADOCS000000000001 | key | - | 1 | 0 | 0 | 0\n\
         - | ASIATHIRD | none | before_window | 1 | 0 | 0 | 0\n\
         e2 | ASIAINFRA | key | - | 1 | 0 | 0 | 0\n\
         - | - | none | ambiguous | 1 | 0 | 0 | 0"
    );
    let docs = ask(&lake, "ASIADOCS000000000001").await;
    assert!(docs.headline.contains("acme/docs"), "{docs:?}");
    assert_eq!(rows(&docs, "What it did").len(), 1, "{docs:?}");
    assert!(rows(&docs, "What it did")[0].contains("PutObject"), "{docs:?}");
}

#[tokio::test]
async fn what_sessions_of_one_caller_share_is_counted_once_and_said() {
    let lake = TestLake::default()
        .events([
            taken("e1", "10:00:00", "ASIAONE0000000000001", "docs"),
            taken("e2", "10:00:00", "ASIA2", "docs"),
        ])
        .activity([
            did("10:00:05", "PutObject", "10:00:00").key("ASIAONE0000000000001"),
            did("10:00:06", "Decrypt", "10:00:00"),
        ]);
    assert_eq!(
        lake.answer(DONE).await,
        "e1 | ASIAONE0000000000001 | key | - | 2 | 1 | 1 | 0\n\
         e2 | ASIA2 | none | - | 0 | 0 | 0 | 0"
    );
    let answer = ask(&lake, "ASIAONE0000000000001").await;
    assert!(
        answer.notes.iter().any(|note| note.contains("which of them cannot be told")),
        "{answer:?}"
    );
}

#[tokio::test]
async fn regression_records_that_say_less_of_the_role_are_counted_once() {
    let bare = |time: &str| did(time, "ListBuckets", "10:00:00").key("ASIAONE0000000000001");
    let lake = TestLake::default()
        .events([taken("e1", "10:00:00", "ASIAONE0000000000001", "docs")])
        .activity([
            bare("10:01:00"),
            bare("10:02:00").without("role_id"),
            bare("10:03:00").without("role_id").without("role_arn"),
            bare("10:04:00").text("principal_type", "SAMLUser"),
        ]);
    assert_eq!(
        lake.answer(
            "SELECT (SELECT event_count FROM sessions), (SELECT sum(event_count) FROM session_activity)"
        )
        .await,
        "4 | 4"
    );
}

#[tokio::test]
async fn regression_users_records_of_no_type_are_counted_once() {
    let told = |time: &str| {
        used(time, time, 1)
            .of_user("ann")
            .key("ASIAANN0000000000001")
            .number("session_created", at("10:00:00"))
    };
    let lake = TestLake::default().activity([
        told("10:01:00"),
        told("10:02:00").without("principal_type").without("principal_arn"),
    ]);
    let sums = "SELECT (SELECT sum(event_count) FROM sessions), (SELECT sum(event_count) FROM session_activity)";
    assert_eq!(lake.answer(sums).await, "2 | 2");
}

#[tokio::test]
async fn regression_a_stolen_instance_key_is_not_given_the_instances_own_calls() {
    let by_ec2 = |id: &str, key: &str| {
        event(id, "10:00:00", "AssumeRole")
            .by_service("ec2.amazonaws.com")
            .role(PROD, "Web", "i-0abc")
            .issues(key, "16:00:00")
    };
    let call = |time: &str, key: &str, ip: &str| {
        used(time, time, 1)
            .in_session(PROD, "Web", "i-0abc", "10:00:00")
            .key(key)
            .text("source_ip", ip)
    };
    let lake = TestLake::default().events([by_ec2("e1", "ASIASTOLEN")]).activity([
        call("10:30:00", "ASIASTOLEN", "203.0.113.9"),
        call("10:40:00", "ASIAOWN", "10.0.0.4"),
    ]);
    assert_eq!(
        lake.answer("SELECT access_key_id, link_method, array_to_string(source_ips, ',') FROM sessions ORDER BY 1").await,
        "ASIAOWN | none | 10.0.0.4\nASIASTOLEN | key | 203.0.113.9"
    );
}

#[tokio::test]
async fn a_session_that_went_to_the_console_uses_other_keys() {
    let login = event("e2", "10:00:30", "ConsoleLogin")
        .by_role(PROD, "Deploy", "GitHubActions")
        .number("caller_session_created", at("10:00:00"));
    let lake = TestLake::default()
        .events([taken("e1", "10:00:00", "ASIAONE0000000000001", "docs"), login])
        .activity([did("10:10:00", "ListBuckets", "10:00:00").key("ASIACONSOLE")]);
    assert_eq!(lake.answer(DONE).await, "e1 | ASIAONE0000000000001 | session | - | 1 | 1 | 0 | 0");
}

#[tokio::test]
async fn a_users_or_roots_record_is_never_a_role_sessions() {
    let lake = TestLake::default()
        .events([taken("e1", "10:00:00", "ASIAONE0000000000001", "docs")])
        .activity([
            used("10:05:00", "10:05:00", 1)
                .key("ASIAONE0000000000001")
                .text("principal_type", "Root")
                .text("principal_id", PROD)
                .text("principal_arn", format!("arn:aws:iam::{PROD}:root"))
                .text("account_id", PROD)
                .number("session_created", at("10:00:00")),
            used("10:06:00", "10:06:00", 1)
                .key("ASIAONE0000000000001")
                .of_user("ann")
                .text("account_id", PROD)
                .number("session_created", at("10:00:00")),
        ]);
    assert_eq!(
        lake.answer("SELECT coalesce(issued_event_id, '-'), link_method, coalesce(unlinked_reason, '-') FROM sessions ORDER BY 1").await,
        "- | none | key_reused\n- | none | key_reused\ne1 | none | -"
    );
}

#[tokio::test]
async fn no_role_is_made_up_for_a_session_whose_uses_show_several() {
    let token = event("e1", "10:00:00", "GetSigninToken")
        .text("event_source", "signin.amazonaws.com")
        .issues("ASIATOKEN", "11:00:00");
    let by = |role: &str, time: &str| {
        used(time, time, 1).in_session(PROD, role, "s", "10:00:00").key("ASIATOKEN")
    };
    let role = "SELECT coalesce(role, '-') FROM sessions WHERE issued_event_id = 'e1'";
    let one = TestLake::default().events([token.clone()]).activity([by("Ops", "10:01:00")]);
    assert_eq!(one.answer(role).await, "arn:aws:iam::222222222222:role/Ops");
    let two = TestLake::default()
        .events([token])
        .activity([by("Ops", "10:01:00"), by("Deploy", "10:02:00")]);
    assert_eq!(two.answer(role).await, "-");
}

/// A call that a service made for its caller, with a key of its own.
fn forwarded(row: Row, key: &str) -> Row {
    row.key(key)
        .without("source_ip")
        .text("source_service", "AWS Internal")
        .text("invoked_by", "AWS Internal")
        .text("event_source", "kms.amazonaws.com")
        .text("event_name", "Decrypt")
}

#[tokio::test]
async fn regression_forwarded_access_is_no_session_whose_sign_in_is_missing() {
    let of_ann =
        used("10:00:01", "10:00:01", 1).of_user("ann").number("session_created", at("10:00:00"));
    let lake = TestLake::default().activity([
        used("10:00:00", "10:00:02", 2).key("AKIAANN0000000000001").of_user("ann"),
        forwarded(of_ann, "ASIAFORWARD000000001"),
    ]);
    assert_eq!(lake.answer("SELECT count(*) FROM sessions").await, "0");
    let answer = ask(&lake, "ASIAFORWARD000000001").await;
    let arn = format!("arn:aws:iam::{DEV}:user/ann");
    assert_eq!(
        answer.headline,
        format!("a key of a service that acted on for {arn}: forwarded access")
    );
    assert!(answer.next.iter().any(|next| next.command.ends_with(&arn)), "{answer:?}");
    let text = format!("{answer:?}");
    assert!(!text.contains("sign-in is not in the lake"), "{text}");
}

#[tokio::test]
async fn forwarded_access_belongs_to_the_session_that_it_was_for() {
    let on_behalf = |made: &str, key: &str| forwarded(did("10:20:00", "Decrypt", made), key);
    let lake = TestLake::default()
        .events([taken("e1", "10:00:00", "ASIAONE0000000000001", "docs")])
        .activity([
            did("10:10:00", "GetObject", "10:00:00").key("ASIAONE0000000000001"),
            on_behalf("10:00:00", "ASIAKMS"),
        ]);
    assert_eq!(lake.answer(DONE).await, "e1 | ASIAONE0000000000001 | key | - | 1 | 0 | 0 | 1");
    let answer = ask(&lake, "ASIAONE0000000000001").await;
    assert!(answer.facts.iter().any(|fact| fact.label == "forwarded"), "{answer:?}");
    assert_eq!(rows(&answer, "What it did").len(), 1, "{answer:?}");

    // S3's own reads are in no trail: all that shows the session alive is what KMS was asked for.
    let alone = TestLake::default()
        .events([taken("e1", "10:00:00", "ASIAONE0000000000001", "docs")])
        .activity([on_behalf("10:00:00", "ASIAKMS")]);
    assert_eq!(
        alone.answer(DONE).await,
        "e1 | ASIAONE0000000000001 | forwarded | - | 0 | 0 | 0 | 1"
    );
    assert_eq!(alone.answer("SELECT last_used IS NOT NULL FROM sessions").await, "true");

    // A session that was seen in use only.
    let unissued = TestLake::default().activity([
        did("10:10:00", "GetObject", "10:00:00").key("ASIAONE0000000000001"),
        on_behalf("10:00:00", "ASIAKMS"),
    ]);
    assert_eq!(
        unissued.answer(DONE).await,
        "- | ASIAONE0000000000001 | none | before_window | 1 | 0 | 0 | 1"
    );
}

#[tokio::test]
async fn regression_who_of_root_says_who_took_it_and_that_nobody_signed_in() {
    let root = format!("arn:aws:iam::{PROD}:root");
    let took = event("e1", "10:00:00", "AssumeRoot")
        .by_role(DEV, "Admin", "john")
        .text("caller_access_key_id", "ASIAADMIN")
        .text("role_account_id", PROD)
        .text("target_principal", PROD)
        .issues("ASIAROOT", "10:15:00");
    let done = used("10:01:00", "10:01:00", 1)
        .key("ASIAROOT")
        .text("principal_type", "Root")
        .text("principal_id", PROD)
        .text("principal_arn", root.clone())
        .text("account_id", PROD)
        .number("session_created", at("10:00:00"))
        .text("event_name", "DeleteBucketPolicy");
    let lake = TestLake::default().events([took.clone()]).activity([done.clone()]);
    let answer = ask(&lake, &root).await;
    assert_eq!(
        answer.headline,
        "the root of account 222222222222: no root user signed in or called; taken by AssumeRoot 1 time"
    );
    assert!(rows(&answer, "Who took it")[0].contains("role/Admin"), "{answer:?}");
    assert!(rows(&answer, "What they did as root")[0].contains("DeleteBucketPolicy"), "{answer:?}");
    assert!(rows(&answer, "What it does itself").is_empty(), "{answer:?}");
    assert_eq!(
        lake.answer("SELECT principal_arn, event_count, link_method, origin FROM sessions").await,
        format!("{root} | 1 | key | arn:aws:iam::111111111111:role/Admin")
    );

    // Root's own doings stay apart.
    let login = event("e2", "12:00:00", "ConsoleLogin")
        .text("caller_type", "Root")
        .text("caller_arn", root.clone())
        .text("caller_account_id", PROD)
        .text("caller_principal_id", PROD);
    let own = done
        .key("ASIACONSOLE")
        .text("event_name", "GetAccountSummary")
        .number("session_created", at("12:00:00"));
    let lake = TestLake::default().events([took, login]).activity([own]);
    let answer = ask(&lake, &root).await;
    assert_eq!(
        answer.headline,
        "the root of account 222222222222: 1 sign-in, 1 record; taken by AssumeRoot 1 time"
    );
    assert!(rows(&answer, "What they did as root").is_empty(), "{answer:?}");
    assert!(rows(&answer, "What it does itself")[0].contains("GetAccountSummary"), "{answer:?}");
}

#[tokio::test]
async fn a_person_of_identity_center_is_found_by_id_name_and_address() {
    let id = "90670c2d-5d5e-4b2a-9a51-0123456789ab";
    let asked = event("e1", "10:00:00", "GetRoleCredentials")
        .text("event_source", "sso.amazonaws.com")
        .text("caller_type", "IdentityCenterUser")
        .text("caller_on_behalf_of", id)
        .text("role_account_id", PROD)
        .text("permission_set", "Admin");
    let lake = TestLake::default().events([asked]);
    let answer = ask(&lake, id).await;
    assert_eq!(answer.headline, format!("the Identity Center user {id}: no session in the logs"));
    assert_eq!(
        rows(&answer, "Permission sets")[0].split(' ').take(3).collect::<Vec<_>>(),
        [PROD, "Admin", "GetRoleCredentials"]
    );
    assert!(
        answer.notes.iter().any(|note| note.contains("no inventory of the identity store")),
        "{answer:?}"
    );

    let role = "AWSReservedSSO_Admin_0123456789abcdef";
    let held = Row::default()
        .text("snapshot_id", "s1")
        .number("snapshot_time", at("09:00:00"))
        .number("snapshot_date", at("09:00:00") / 86_400_000_000)
        .text("account_id", PROD)
        .text("user_id", id)
        .text("user_name", "ann@example.com")
        .text("display_name", "Ann Lee")
        .text("email", "ann.lee@example.com");
    let lake =
        lake.rows("identity_store_users", [held]).activity([used("10:10:00", "10:10:00", 4)
            .in_session(PROD, role, "Ann@example.com", "10:00:01")
            .key("ASIAUSED")]);
    for name in [id, "ann@example.com", "ANN.LEE@example.com", &format!("identity-center/{id}")] {
        let answer = ask(&lake, name).await;
        assert_eq!(
            answer.headline, "Ann Lee (ann@example.com), an Identity Center user: used 1 role",
            "{name}"
        );
        assert!(rows(&answer, "Roles used")[0].contains(role), "{answer:?}");
    }
}

#[tokio::test]
async fn accounts_may_be_called_by_their_names() {
    let snapshot = Row::default()
        .text("snapshot_id", "s1")
        .text("account_id", PROD)
        .text("account_name", "Production")
        .text("source", "files")
        .number("snapshot_time", at("09:00:00"))
        .number("snapshot_date", at("09:00:00") / 86_400_000_000);
    let lake = TestLake::default()
        .events([taken("e1", "10:00:00", "ASIAONE0000000000001", "docs")])
        .rows("iam_snapshots", [snapshot]);
    let answer = ask(&lake, "production/Deploy").await;
    assert!(answer.headline.starts_with("role Deploy of account 222222222222"), "{answer:?}");
}

#[tokio::test]
async fn what_stands_where_an_address_should_is_found_as_the_log_has_it() {
    let broken = used("10:10:00", "10:10:00", 1)
        .of_user("ann")
        .without("source_ip")
        .text("source_service", "198.51.100.7:443");
    let lake = TestLake::default().activity([broken]);
    let answer = ask(&lake, "198.51.100.7:443").await;
    assert_eq!(answer.headline, "1 principal called from 198.51.100.7:443: 1 record");
}

#[tokio::test]
async fn a_masked_caller_has_a_name_where_its_id_has_one_at_a_time() {
    let took = |id: &str| {
        event("e1", "10:00:00", "AssumeRole")
            .masked(id)
            .role(PROD, "Deploy", "s")
            .issues("ASIAONE0000000000001", "11:00:00")
    };
    let caller = "SELECT caller, caller_resolved_by FROM assumptions";
    let user = |name: &str, id: &str, time: &str| {
        Row::default()
            .text("snapshot_id", format!("{name}{time}"))
            .number("snapshot_time", at(time))
            .number("snapshot_date", at(time) / 86_400_000_000)
            .text("account_id", DEV)
            .text("user_name", name)
            .flag("is_root", false)
            .text("user_id", id)
            .text("user_arn", format!("arn:aws:iam::{DEV}:user/{name}"))
    };
    // From an inventory alone.
    let lake = TestLake::default()
        .events([took("AIDAONE")])
        .rows("iam_users", [user("ann", "AIDAONE", "09:00:00")]);
    assert_eq!(lake.answer(caller).await, "arn:aws:iam::111111111111:user/ann | principal_id");
    // Renamed: the later name.
    let lake = TestLake::default().events([took("AIDAONE")]).rows(
        "iam_users",
        [user("ann", "AIDAONE", "09:00:00"), user("anna", "AIDAONE", "12:00:00")],
    );
    assert_eq!(lake.answer(caller).await, "arn:aws:iam::111111111111:user/anna | principal_id");
    // Two names at a time, or another account's: none.
    let lake = TestLake::default().events([took("AIDAONE")]).rows(
        "iam_users",
        [user("ann", "AIDAONE", "09:00:00"), user("bob", "AIDAONE", "09:00:00")],
    );
    assert_eq!(lake.answer(caller).await, "111111111111/AIDAONE | none");
    let elsewhere =
        user("ann", "AIDAONE", "09:00:00").text("user_arn", "arn:aws:iam::333333333333:user/ann");
    let lake = TestLake::default().events([took("AIDAONE")]).rows("iam_users", [elsewhere]);
    assert_eq!(lake.answer(caller).await, "111111111111/AIDAONE | none");
}

#[tokio::test]
async fn refusals_of_pod_identity_and_of_the_portal_are_told() {
    let refused = |id: &str, name: &str, source: &str| {
        event(id, "10:00:00", name)
            .text("event_source", source)
            .failed("AccessDeniedException")
            .by_role(PROD, "Node", "i-0abc")
    };
    let portal = refused("e2", "GetRoleCredentials", "sso.amazonaws.com")
        .text("role_account_id", PROD)
        .text("permission_set", "Admin");
    let lake = TestLake::default()
        .events([refused("e1", "AssumeRoleForPodIdentity", "eks-auth.amazonaws.com"), portal]);
    assert_eq!(
        lake.answer("SELECT method, coalesce(role, '-'), outcome FROM assumptions ORDER BY 1")
            .await,
        "identity_center | 222222222222/AWSReservedSSO_Admin_* | failure\npod_identity | - | failure"
    );
}

#[tokio::test]
async fn regression_edges_show_who_took_root() {
    let took = event("e1", "10:00:00", "AssumeRoot")
        .by_role(DEV, "Admin", "john")
        .text("role_account_id", PROD)
        .text("target_principal", PROD)
        .issues("ASIAROOT", "10:15:00");
    let lake = TestLake::default().events([took]);
    let reports = crate::Reports::built_in().unwrap();
    let session = lake.open(0).await;
    let rows = session
        .report(reports.get("edges").unwrap(), &std::collections::BTreeMap::new(), at("20:00:00"))
        .await
        .unwrap();
    let text = super::lake::table_text(&rows.collect().await.unwrap());
    assert!(text.contains("role/Admin | arn:aws:iam::222222222222:root | assume_root"), "{text}");
}
