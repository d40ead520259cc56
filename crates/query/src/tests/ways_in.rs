//! The ways in of 2026: programs that a person lets in, tokens of other partitions, tokens that leave AWS, aggregated events,
//! roles of AWS's own.
//!
//! Shapes from AWS's pages; no real record of most was found.

use super::lake::{DEV, PROD, Row, TestLake, at, change, event, used};
use super::whoing::{ask, fact, rows};

const MINE: &str =
    "arn:aws:signin:us-east-1:111111111111:session/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
const OTHERS: &str =
    "arn:aws:signin:us-east-1:111111111111:session/ffffffff-4b5a-6978-8796-a5b4c3d2e1f0";
const MCP: &str = "https://aws-mcp.us-east-1.api.aws/mcp";
const LOGIN: &str = "arn:aws:signin:::devtools/same-device";

/// Ann lets a program in; the record names the session that it makes.
fn let_in(id: &str, time: &str, session: &str) -> Row {
    event(id, time, "CreateOAuth2Token")
        .text("event_source", "signin.amazonaws.com")
        .by_user("ann", "ASIABROWSER")
        .number("caller_session_created", at("09:00:00"))
        .text("recipient_account_id", DEV)
        .text("sign_in_session_arn", session)
}

fn login(id: &str, time: &str) -> Row {
    let_in(id, time, MINE).text("oauth_client_id", LOGIN)
}

fn agent(id: &str, time: &str) -> Row {
    let_in(id, time, MINE)
        .text("oauth_client_id", "arn:aws:signin:us-east-1:111111111111:oauth-client/abc")
        .text("oauth_resource", MCP)
}

/// A call in a sign-in session of Ann's, whose key changes with every renewal.
fn called(time: &str, name: &str, key: &str, session: &str) -> Row {
    used(time, time, 1)
        .of_user("ann")
        .key(key)
        .number("session_created", at("10:00:00"))
        .text("event_name", name)
        .text("sign_in_session_arn", session)
}

const WAYS: &str = "SELECT coalesce(issued_event_id, '-'), coalesce(session_kind, '-'), coalesce(oauth_resource, '-'), \
     coalesce(oauth_client_id, '-'), link_method, event_count, uses_by_sign_in, uses_of_several, coalesce(unlinked_reason, '-'), \
     coalesce(chain, '-') FROM sessions ORDER BY issued_time, session_id";

#[tokio::test]
async fn what_an_agent_did_is_tied_to_the_person_who_let_it_in() {
    let lake = TestLake::default()
        .events([agent("e1", "10:00:00"), agent("e2", "10:15:00"), agent("e3", "10:30:00")])
        .activity([
            called("10:05:00", "ListBuckets", "ASIAONE0000000000001", MINE),
            called("10:20:00", "DeleteBucket", "ASIATWO0000000000001", MINE),
            // The grant's own record names the session that it makes, not one that it was made in.
            called("10:15:00", "CreateOAuth2Token", "ASIABROWSER000000001", MINE)
                .number("session_created", at("09:00:00"))
                .text("event_source", "signin.amazonaws.com"),
        ]);
    let ways = lake.answer(WAYS).await;
    assert!(
        ways.contains(&format!(
            "e1 | agent | {MCP} | arn:aws:signin:us-east-1:111111111111:oauth-client/abc | sign_in | 2 | 2 | 0 | - | \
             arn:aws:iam::111111111111:user/ann"
        )),
        "{ways}"
    );
    assert_eq!(
        lake.answer("SELECT count(*) FROM sessions WHERE issued_event_id IS NOT NULL").await,
        "1"
    );
    for thing in ["ASIATWO0000000000001", MINE] {
        let answer = ask(&lake, thing).await;
        assert!(answer.headline.contains("user/ann"), "{answer:#?}");
        assert_eq!(fact(&answer, "let in to"), MCP);
        assert!(fact(&answer, "way in").contains("AI agent"), "{answer:#?}");
        assert_eq!(rows(&answer, "What it did").len(), 2, "{answer:#?}");
    }
}

#[tokio::test]
async fn aws_login_is_told_from_an_agent_and_from_the_console() {
    let lake = TestLake::default().events([login("e1", "10:00:00")]).activity([called(
        "10:05:00",
        "ListBuckets",
        "ASIAONE0000000000001",
        MINE,
    )]);
    assert_eq!(
        lake.answer(WAYS).await,
        format!(
            "e1 | cli_login | - | {LOGIN} | sign_in | 1 | 1 | 0 | - | arn:aws:iam::111111111111:user/ann"
        )
    );
    let console = event("e0", "09:00:00", "ConsoleLogin")
        .by_user("ann", "ASIA")
        .without("caller_access_key_id");
    let lake = TestLake::default().events([console, login("e1", "10:00:00")]).activity([
        called("10:05:00", "ListBuckets", "ASIAONE0000000000001", MINE),
        called("09:05:00", "ListUsers", "ASIABROWSER000000001", MINE)
            .without("sign_in_session_arn")
            .number("session_created", at("09:00:00")),
    ]);
    let kinds = "SELECT session_kind, link_method, event_count FROM sessions ORDER BY issued_time";
    assert_eq!(lake.answer(kinds).await, "console | session | 1\ncli_login | sign_in | 1");
}

#[tokio::test]
async fn roles_taken_in_a_sign_in_session_go_back_to_the_person() {
    let taken = event("e2", "10:05:00", "AssumeRole")
        .by_user("ann", "ASIATHIRD")
        .role(PROD, "Deploy", "agent")
        .issues("ASIADEPLOY0000000001", "11:05:00")
        .text("sign_in_session_arn", MINE);
    let lake = TestLake::default().events([agent("e1", "10:00:00"), taken]);
    assert_eq!(
        lake.answer(
            "SELECT parent_session_id, parent_link, origin, array_to_string(chain_links, ','), unlinked_reason IS NULL \
             FROM sessions WHERE role_name = 'Deploy'"
        )
        .await,
        "e1 | sign_in | arn:aws:iam::111111111111:user/ann | none,sign_in | true"
    );
}

#[tokio::test]
async fn regression_a_role_taken_in_a_sign_in_session_keeps_its_own_acts() {
    let taken = event("e2", "10:05:00", "AssumeRole")
        .by_user("ann", "ASIATHIRD")
        .role(PROD, "Deploy", "agent")
        .issues("ASIADEPLOY0000000001", "11:05:00")
        .text("sign_in_session_arn", MINE);
    let act = used("10:06:00", "10:06:00", 1)
        .in_session(PROD, "Deploy", "agent", "10:05:00")
        .text("sign_in_session_arn", MINE);
    let lake = TestLake::default()
        .events([agent("e1", "10:00:00"), taken])
        .activity([act.clone().key("ASIADEPLOY0000000001"), act]);
    let counts =
        "SELECT session_id, event_count, uses_by_sign_in FROM sessions ORDER BY session_id";
    assert_eq!(lake.answer(counts).await, "e1 | 0 | 0\ne2 | 2 | 0");
    // Nor are they one where neither issue is held.
    let own = called("10:06:00", "ListBuckets", "ASIAONE0000000000001", MINE);
    let act = used("10:06:00", "10:06:00", 1)
        .in_session(PROD, "Deploy", "agent", "10:05:00")
        .key("ASIADEPLOY0000000001")
        .text("sign_in_session_arn", MINE);
    let lake = TestLake::default().activity([own, act]);
    assert_eq!(lake.answer("SELECT count(*), sum(event_count) FROM sessions").await, "2 | 2");
}

#[tokio::test]
async fn a_role_session_that_lets_a_program_in_stands_behind_it() {
    let console = event("e0", "09:00:00", "AssumeRoleWithSAML")
        .role(DEV, "Admin", "ann@example.com")
        .text("caller_type", "SAMLUser")
        .text("identity_provider", "arn:aws:iam::111111111111:saml-provider/Corp")
        .text("federated_subject", "ann@example.com")
        .issues("ASIASAML", "17:00:00");
    let grant = event("e1", "10:00:00", "CreateOAuth2Token")
        .text("event_source", "signin.amazonaws.com")
        .by_role(DEV, "Admin", "ann@example.com")
        .number("caller_session_created", at("09:00:00"))
        .text("caller_access_key_id", "ASIABROWSER")
        .text("sign_in_session_arn", MINE)
        .text("oauth_resource", MCP);
    let call = used("10:05:00", "10:05:00", 3)
        .in_session(DEV, "Admin", "ann@example.com", "10:00:00")
        .key("ASIAAGENT00000000001")
        .text("sign_in_session_arn", MINE);
    let lake = TestLake::default().events([console, grant]).activity([call]);
    assert_eq!(
        lake.answer("SELECT session_id, session_kind, role_name, session_name, origin, depth, event_count FROM sessions ORDER BY 1")
            .await,
        "e0 | federation | Admin | ann@example.com | Corp/ann@example.com | 0 | 0\n\
         e1 | agent | Admin | ann@example.com | Corp/ann@example.com | 1 | 3"
    );
}

#[tokio::test]
async fn a_sign_in_session_whose_grant_is_not_held_is_one_session_whatever_its_keys() {
    let lake = TestLake::default().events([agent("e1", "10:00:00")]).activity([
        called("10:05:00", "ListBuckets", "ASIAONE0000000000001", OTHERS),
        called("10:25:00", "ListBuckets", "ASIATWO0000000000001", OTHERS),
    ]);
    assert_eq!(
        lake.answer(
            "SELECT event_count, cardinality(used_access_key_ids), unlinked_reason FROM sessions WHERE issued_event_id IS NULL"
        )
        .await,
        "2 | 2 | other_account"
    );
    assert_eq!(
        lake.answer("SELECT event_count FROM sessions WHERE issued_event_id = 'e1'").await,
        "0"
    );
}

#[tokio::test]
async fn two_programs_of_one_sign_in_session_cannot_be_told_apart_and_that_is_said() {
    let lake = TestLake::default()
        .events([agent("e1", "10:00:00"), login("e2", "10:00:30")])
        .activity([called("10:05:00", "ListBuckets", "ASIAONE0000000000001", MINE)]);
    assert_eq!(
        lake.answer("SELECT sum(event_count), sum(uses_of_several) FROM sessions").await,
        "1 | 1"
    );
}

fn token(id: &str, time: &str, token: &str) -> Row {
    event(id, time, "GetWebIdentityToken")
        .by_role(DEV, "Sync", "i-0abc")
        .text("caller_access_key_id", "ASIASYNC000000000001")
        .text("recipient_account_id", DEV)
        .text("web_identity_token_id", token)
        .text("federated_audience", "sts.amazonaws.com.cn")
}

fn crossed(id: &str, time: &str, token: &str) -> Row {
    event(id, time, "AssumeRoleWithWebIdentity")
        .text("caller_type", "WebIdentityUser")
        .text("identity_provider", "https://abc.tokens.sts.global.api.aws")
        .text("federated_subject", "arn:aws:iam::111111111111:role/Sync")
        .role("333333333333", "Mirror", "sync")
        .issues("ASIAMIRROR0000000001", "11:00:00")
        .text("web_identity_token_id", token)
        .text("source_principal_arn", "arn:aws:sts::111111111111:assumed-role/Sync/i-0abc")
        .text("source_region", "us-east-1")
}

const ACROSS: &str = "SELECT caller, parent_session_id, parent_link, origin, unlinked_reason, chain FROM sessions \
     WHERE role_name = 'Mirror'";

#[tokio::test]
async fn a_token_of_another_partition_links_both_halves() {
    let instance = event("e0", "09:00:00", "AssumeRole")
        .by_service("ec2.amazonaws.com")
        .role(DEV, "Sync", "i-0abc")
        .issues("ASIASYNC000000000001", "15:00:00");
    let both = TestLake::default().events([
        instance,
        token("e1", "10:00:00", "t-1"),
        crossed("e2", "10:00:05", "t-1"),
    ]);
    assert_eq!(
        both.answer(ACROSS).await,
        "arn:aws:iam::111111111111:role/Sync | e0 | key | ec2.amazonaws.com |  | \
         ec2.amazonaws.com → arn:aws:iam::111111111111:role/Sync → arn:aws:iam::333333333333:role/Mirror"
    );
    let answer = ask(&both, "ASIAMIRROR0000000001").await;
    assert_eq!(answer.chain.len(), 3, "{answer:#?}");
    assert_eq!(answer.chain[1].session_name, "i-0abc");
}

#[tokio::test]
async fn with_one_half_alone_the_chain_is_not_whole() {
    let destination = TestLake::default().events([crossed("e2", "10:00:05", "t-1")]);
    assert_eq!(
        destination.answer(ACROSS).await,
        "arn:aws:sts::111111111111:assumed-role/Sync |  | none | arn:aws:sts::111111111111:assumed-role/Sync | other_partition | \
         arn:aws:sts::111111111111:assumed-role/Sync → arn:aws:iam::333333333333:role/Mirror"
    );
    let answer = ask(&destination, "ASIAMIRROR0000000001").await;
    assert!(answer.notes.iter().any(|note| note.contains("another partition")), "{answer:#?}");
    // Another token's source says nothing of this one.
    let other = TestLake::default()
        .events([token("e1", "10:00:00", "t-9"), crossed("e2", "10:00:05", "t-1")]);
    assert!(other.answer(ACROSS).await.contains("other_partition"));
}

#[tokio::test]
async fn a_token_with_which_no_role_was_taken_is_an_edge_out_of_the_lake() {
    let lake = TestLake::default().events([
        token("e1", "10:00:00", "t-1").text("federated_audience", "api://AzureADTokenExchange"),
        token("e2", "11:00:00", "t-2").text("federated_audience", "api://AzureADTokenExchange"),
        token("e3", "11:30:00", "t-3"),
        crossed("e4", "11:30:05", "t-3"),
        token("e5", "11:40:00", "t-4").failed("AccessDenied"),
    ]);
    let edges = super::reporting::run(
        &lake,
        "edges",
        &[],
        "caller role method role_id current external assumptions",
    )
    .await;
    let out: Vec<_> = edges.lines().filter(|line| line.contains("web_identity_token")).collect();
    assert_eq!(out.len(), 1, "{edges}");
    assert!(out[0].contains("outside api://AzureADTokenExchange"), "{edges}");
}

#[tokio::test]
async fn roles_of_awss_own_are_neither_missing_nor_deleted() {
    let lake = TestLake::default()
        .activity([used("10:00:00", "10:30:00", 4)
            .key("ASIAINSTANCE00000001")
            .in_session(PROD, "aws:ec2-instance", "i-0abc", "09:00:00")
            .text("principal_id", "222222222222:aws:ec2-instance:i-0abc")
            .without("role_id")])
        .rows(
            "log_files",
            [Row::default()
                .text("log_file", "uses.json.gz")
                .text("status", "complete")
                .text("account_id", PROD)
                .number("first_event_time", at("2025-12-01T00:00:00"))],
        );
    assert_eq!(lake.answer("SELECT unlinked_reason FROM sessions").await, "made_by_aws");
    let unused =
        super::reporting::run(&lake, "unused-roles", &[], "account_id role_name state").await;
    assert!(!unused.contains("ec2-instance"), "{unused}");
    let answer = ask(&lake, "ASIAINSTANCE00000001").await;
    assert!(answer.headline.contains("AWS makes by itself"), "{answer:#?}");
    let answer = ask(&lake, "i-0abc").await;
    assert!(answer.found, "{answer:#?}");
    let answer = ask(&lake, "arn:aws:ec2:us-east-1:222222222222:instance/i-0abc").await;
    assert!(answer.found, "{answer:#?}");
}

/// Five minutes of data events that name an identity, and no key.
fn summed(time: &str) -> Row {
    used(time, time, 1_000)
        .text("event_category", "Aggregated")
        .text("event_name", "Aggregated")
        .without("source_ip")
        .without("user_agent")
}

#[tokio::test]
async fn an_aggregated_event_keeps_a_role_alive_and_makes_no_session() {
    let lake = TestLake::default().activity([summed("10:00:00")
        .text("principal_type", "AssumedRole")
        .text("principal_arn", format!("arn:aws:sts::{PROD}:assumed-role/Reader/run-1"))
        .text("account_id", PROD)
        .text("session_name", "run-1")]);
    assert_eq!(lake.answer("SELECT count(*) FROM sessions").await, "0");
    assert_eq!(
        lake.answer("SELECT role_name, last_used IS NOT NULL, event_count FROM roles").await,
        "Reader | true | 1000"
    );
}

#[tokio::test]
async fn incarnations_of_a_role_are_edges_of_their_own_and_one_is_current() {
    let taken = |id: &str, time: &str, role_id: &str| {
        event(id, time, "AssumeRole")
            .by_user("ann", "AKIAANN")
            .role(PROD, "Deploy", "s")
            .text("role_id", role_id)
    };
    let role = format!("arn:aws:iam::{PROD}:role/Deploy");
    let made = |id: &str, time: &str, name: &str| {
        change(id, time, name, "role", "Deploy")
            .text("target_arn", role.as_str())
            .text("recipient_account_id", PROD)
    };
    let lake = TestLake::default()
        .events([taken("e1", "10:00:00", "AROAOLD"), taken("e2", "11:00:00", "AROANEW")])
        .rows(
            "iam_changes",
            [
                made("c1", "10:30:00", "DeleteRole"),
                made("c2", "10:31:00", "CreateRole").text("target_id", "AROANEW"),
            ],
        );
    assert_eq!(
        lake.answer("SELECT role_id, current, assumptions FROM roles ORDER BY role_id").await,
        "AROANEW | true | 1\nAROAOLD | false | 1"
    );
    let edges = super::reporting::run(
        &lake,
        "edges",
        &[],
        "caller role method role_id current external assumptions",
    )
    .await;
    assert!(edges.contains("AROANEW") && edges.contains("AROAOLD"), "{edges}");
    let answer = ask(&lake, &role).await;
    assert_eq!(fact(&answer, "unique id"), "AROANEW");
    assert!(fact(&answer, "created").contains("10:31:00"), "{answer:#?}");
    assert_eq!(fact(&answer, "current"), "yes: it has the name now");
    assert_eq!(fact(&answer, "deleted"), "");
    let gone = TestLake::default()
        .events([taken("e1", "10:00:00", "AROAOLD")])
        .rows("iam_changes", [made("c1", "10:30:00", "DeleteRole")]);
    let answer = ask(&gone, &role).await;
    assert!(fact(&answer, "deleted").contains("user/admin"), "{answer:#?}");
    assert!(fact(&answer, "current").starts_with("no: deleted at"), "{answer:#?}");
}

#[tokio::test]
async fn users_of_one_name_are_told_apart() {
    let call = |time: &str, id: &str| {
        used(time, time, 1).of_user("ann").key("AKIAANN0000000000000").text("principal_id", id)
    };
    let lake = TestLake::default().activity([
        call("09:00:00", "AIDAOLD"),
        call("10:00:00", "AIDANEW"),
        call("10:10:00", "AIDANEW"),
    ]);
    let answer = ask(&lake, "arn:aws:iam::111111111111:user/ann").await;
    assert_eq!(fact(&answer, "unique id"), "AIDANEW");
    assert!(fact(&answer, "seen").contains("2 records"), "{answer:#?}");
    assert_eq!(rows(&answer, "Users of this name").len(), 2, "{answer:#?}");
}

#[tokio::test]
async fn programs_that_act_for_a_person_are_listed() {
    let portal = event("e1", "10:00:00", "GetRoleCredentials")
        .text("event_source", "sso.amazonaws.com")
        .text("caller_type", "IdentityCenterUser")
        .text("caller_on_behalf_of", "94d00cd8-e9e6-4810-b177-b08e84775435")
        .text("credential_id", "cred-1")
        .text("permission_set", "ReadOnly")
        .text("role_account_id", PROD);
    let program = event("e2", "10:05:00", "CreateTokenWithIAM")
        .text("event_source", "sso-oauth.amazonaws.com")
        .by_role(PROD, "QBusiness", "app")
        .text("oauth_client_id", "arn:aws:sso::222222222222:application/ssoins-1/apl-1")
        .text("credential_id", "cred-1");
    let other = program.clone().text("event_id", "e3").text("credential_id", "cred-2");
    let lake = TestLake::default().events([portal, program, other]);
    let answer = ask(&lake, "94d00cd8-e9e6-4810-b177-b08e84775435").await;
    let programs = rows(&answer, "Programs that act for them");
    assert_eq!(programs.len(), 1, "{answer:#?}");
    assert!(programs[0].contains("apl-1") && programs[0].contains("role/QBusiness"), "{answer:#?}");
}
