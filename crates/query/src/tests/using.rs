//! Rules of `sessions`: linking and chains.

use super::lake::{DEV, PROD, Row, TestLake, event, used};

const LINKS: &str = "SELECT coalesce(issued_event_id, '-'), coalesce(access_key_id, '-'), link_method, \
                     coalesce(unlinked_reason, '-'), event_count, depth, coalesce(origin, '-'), origin_kind \
                     FROM sessions ORDER BY issued_time, session_id";

/// Ann takes Deploy with her key.
fn deploy(id: &str, time: &str, key: &str, expires: &str) -> Row {
    event(id, time, "AssumeRole")
        .by_user("ann", "AKIAANN")
        .role(PROD, "Deploy", "s")
        .issues(key, expires)
}

fn in_deploy(first: &str, made: &str) -> Row {
    used(first, first, 1).in_session(PROD, "Deploy", "s", made)
}

#[tokio::test]
async fn use_is_linked_by_key() {
    let lake =
        TestLake::default().events([deploy("e1", "10:00:00", "ASIA1", "11:00:00")]).activity([
            in_deploy("10:10:00", "10:00:00").key("ASIA1"),
            in_deploy("10:20:00", "10:00:00")
                .key("ASIA1")
                .text("error_code", "AccessDenied")
                .text("event_source", "ec2.amazonaws.com"),
        ]);
    assert_eq!(
        lake.answer(LINKS).await,
        "e1 | ASIA1 | key | - | 2 | 0 | arn:aws:iam::111111111111:user/ann | iam_user"
    );
    assert_eq!(
        lake.answer(
            "SELECT parent_link, parent_access_key_id, origin_access_key_id, error_count, \
             array_to_string(services, ','), sample_event_id, chain FROM sessions"
        )
        .await,
        "long_term_key | AKIAANN | AKIAANN | 1 | ec2.amazonaws.com,s3.amazonaws.com | use-10:10:00 | \
         arn:aws:iam::111111111111:user/ann → arn:aws:iam::222222222222:role/Deploy"
    );
}

#[tokio::test]
async fn a_key_that_comes_back_later_is_another_session() {
    let lake = TestLake::default()
        .events([
            deploy("e1", "10:00:00", "ASIA1", "11:00:00"),
            deploy("e2", "2026-02-05T10:00:00", "ASIA1", "2026-02-05T11:00:00"),
        ])
        .activity([
            in_deploy("10:10:00", "10:00:00").key("ASIA1"),
            in_deploy("2026-02-05T10:10:00", "2026-02-05T10:00:00").key("ASIA1"),
            // Without creation date, by hour alone.
            in_deploy("2026-02-05T10:20:00", "10:00:00").key("ASIA1").without("session_created"),
            // Between the two: nobody's.
            in_deploy("2026-01-20T10:10:00", "2026-01-20T10:00:00").key("ASIA1"),
        ]);
    assert_eq!(
        lake.answer(LINKS).await,
        "e1 | ASIA1 | key | - | 1 | 0 | arn:aws:iam::111111111111:user/ann | iam_user\n\
         - | ASIA1 | none | key_reused | 1 | 0 | - | unknown\n\
         e2 | ASIA1 | key | - | 2 | 0 | arn:aws:iam::111111111111:user/ann | iam_user"
    );
}

#[tokio::test]
async fn the_key_links_calls_after_expiry_where_the_creation_date_agrees() {
    let late = |time: &str, made: &str| {
        in_deploy(time, made).key("ASIA1").text("error_code", "ExpiredTokenException")
    };
    let lake =
        TestLake::default().events([deploy("e1", "10:00:00", "ASIA1", "11:00:00")]).activity([
            late("15:00:00", "10:00:00"),
            // Without the date, a key that long after may be anybody's.
            late("18:00:00", "10:00:00").without("session_created"),
        ]);
    assert_eq!(
        lake.answer(LINKS).await,
        "e1 | ASIA1 | key | - | 1 | 0 | arn:aws:iam::111111111111:user/ann | iam_user\n\
         - | ASIA1 | none | key_reused | 1 | 0 | - | unknown"
    );
}

#[tokio::test]
async fn a_key_of_another_role_does_not_link() {
    let lake = TestLake::default()
        .events([deploy("e1", "10:00:00", "ASIA1", "11:00:00")])
        .activity([used("10:10:00", "10:10:00", 1)
            .in_session(PROD, "Deploy", "s", "10:00:00")
            .text("role_id", "AROARECREATED")
            .text("principal_id", "AROARECREATED:s")
            .key("ASIA1")]);
    assert_eq!(
        lake.answer(LINKS).await,
        "e1 | ASIA1 | none | - | 0 | 0 | arn:aws:iam::111111111111:user/ann | iam_user\n\
         - | ASIA1 | none | key_reused | 1 | 0 | - | unknown"
    );
}

#[tokio::test]
async fn identity_center_uses_another_key_and_is_linked_by_session() {
    let role = "AWSReservedSSO_Admin_0123456789abcdef";
    let login = event("e1", "10:00:00", "AssumeRoleWithSAML")
        .role(PROD, role, "ann@example.com")
        .issues("ASIAISSUED", "18:00:00")
        .text("caller_type", "SAMLUser")
        .text(
            "identity_provider",
            "arn:aws:iam::222222222222:saml-provider/AWSSSO_0011_DO_NOT_DELETE",
        )
        .text("federated_subject", "ann@example.com");
    let lake = TestLake::default().events([login]).activity([
        used("10:10:00", "10:10:00", 1)
            .in_session(PROD, role, "ann@example.com", "10:00:01")
            .key("ASIAUSED"),
        used("12:10:00", "12:10:00", 1).in_session(PROD, role, "ann@example.com", "10:00:01"),
    ]);
    assert_eq!(
        lake.answer(LINKS).await,
        "e1 | ASIAISSUED | session | - | 2 | 0 | AWSSSO_0011_DO_NOT_DELETE/ann@example.com | identity_center"
    );
    assert_eq!(
        lake.answer("SELECT array_to_string(used_access_key_ids, ','), uses_by_key, uses_by_session FROM sessions").await,
        "ASIAUSED | 0 | 2"
    );
}

#[tokio::test]
async fn ec2_issues_twice_in_one_second() {
    let issue = |id: &str, key: &str| {
        event(id, "10:00:00", "AssumeRole")
            .by_service("ec2.amazonaws.com")
            .role(PROD, "web", "i-1")
            .without("role_id")
            .issues(key, "16:00:00")
    };
    let lake = TestLake::default().events([issue("e1", "ASIA1"), issue("e2", "ASIA2")]).activity([
        used("10:10:00", "10:10:00", 1).in_session(PROD, "web", "i-1", "10:00:00").key("ASIA2"),
        // A service on the session's behalf: no key, and two issues that agree.
        used("10:20:00", "10:20:00", 4).in_session(PROD, "web", "i-1", "10:00:00"),
    ]);
    assert_eq!(
        lake.answer(LINKS).await,
        "e1 | ASIA1 | session | - | 4 | 0 | ec2.amazonaws.com | service\n\
         e2 | ASIA2 | key | - | 1 | 0 | ec2.amazonaws.com | service"
    );
    assert_eq!(lake.answer("SELECT DISTINCT role_id FROM sessions").await, "AROAWEB");
}

#[tokio::test]
async fn candidates_that_disagree_are_ambiguous() {
    let issue = |id: &str, user: &str, key: &str| {
        event(id, "10:00:00", "AssumeRole")
            .by_user(user, &format!("AKIA{user}"))
            .role(PROD, "Deploy", "s")
            .issues(key, "11:00:00")
    };
    let lake = TestLake::default()
        .events([issue("e1", "ann", "ASIA1"), issue("e2", "bob", "ASIA2")])
        .activity([in_deploy("10:10:00", "10:00:00")]);
    assert_eq!(
        lake.answer(LINKS).await,
        "e1 | ASIA1 | none | - | 0 | 0 | arn:aws:iam::111111111111:user/ann | iam_user\n\
         e2 | ASIA2 | none | - | 0 | 0 | arn:aws:iam::111111111111:user/bob | iam_user\n\
         - | - | none | ambiguous | 1 | 0 | - | unknown"
    );
}

#[tokio::test]
async fn a_chain_is_walked_to_the_key_at_its_root() {
    let lake = TestLake::default().events([
        event("e1", "10:00:00", "GetSessionToken")
            .by_user("ann", "AKIAANN")
            .issues("ASIA1", "20:00:00"),
        event("e2", "10:01:00", "AssumeRole")
            .by_user("ann", "ASIA1")
            .role(DEV, "a", "s1")
            .issues("ASIA2", "11:00:00"),
        event("e3", "10:02:00", "AssumeRole")
            .by_role(DEV, "a", "s1")
            .text("caller_access_key_id", "ASIA2")
            .role(PROD, "b", "s2")
            .issues("ASIA3", "11:00:00"),
        // No key on the caller's side: by principal and creation date.
        event("e4", "10:03:00", "AssumeRole")
            .by_role(PROD, "b", "s2")
            .number("caller_session_created", super::lake::at("10:02:01"))
            .role(PROD, "c", "s3")
            .issues("ASIA4", "11:00:00"),
    ]);
    assert_eq!(
        lake.answer(
            "SELECT issued_event_id, coalesce(parent_session_id, '-'), parent_link, depth, origin, origin_access_key_id, \
             unlinked_reason FROM sessions ORDER BY issued_time"
        )
        .await,
        "e1 | - | long_term_key | 0 | arn:aws:iam::111111111111:user/ann | AKIAANN | \n\
         e2 | e1 | key | 1 | arn:aws:iam::111111111111:user/ann | AKIAANN | \n\
         e3 | e2 | key | 2 | arn:aws:iam::111111111111:user/ann | AKIAANN | \n\
         e4 | e3 | session | 3 | arn:aws:iam::111111111111:user/ann | AKIAANN | "
    );
    assert_eq!(
        lake.answer(
            "SELECT array_to_string(chain_links, ','), array_to_string(chain_access_key_ids, ','), \
             root_session_id, revisits_role FROM sessions WHERE issued_event_id = 'e4'"
        )
        .await,
        "long_term_key,key,key,session | AKIAANN,ASIA1,ASIA2,ASIA3,ASIA4 | e1 | false"
    );
    assert_eq!(
        lake.answer("SELECT chain FROM sessions WHERE issued_event_id = 'e4'").await,
        "arn:aws:iam::111111111111:user/ann → arn:aws:iam::111111111111:role/a → \
         arn:aws:iam::222222222222:role/b → arn:aws:iam::222222222222:role/c"
    );
}

#[tokio::test]
async fn a_chain_that_closes_on_itself_is_cut() {
    let hop = |id: &str, from: &str, from_key: &str, to: &str, key: &str| {
        event(id, "10:00:00", "AssumeRole")
            .by_role(PROD, from, "s")
            .text("caller_access_key_id", from_key)
            .role(PROD, to, "s")
            .issues(key, "11:00:00")
    };
    let lake = TestLake::default()
        .events([hop("e1", "b", "ASIAB", "a", "ASIAA"), hop("e2", "a", "ASIAA", "b", "ASIAB")]);
    assert_eq!(
        lake.answer("SELECT issued_event_id, parent_session_id, depth, unlinked_reason FROM sessions ORDER BY session_id").await,
        "e1 | e2 | 1 | cycle\ne2 | e1 | 1 | cycle"
    );
}

#[tokio::test]
async fn a_session_without_issue_says_why() {
    let lake = TestLake::default().activity([
        // The logs begin here.
        used("10:00:00", "10:00:00", 1).key("AKIAANN").of_user("ann"),
        in_deploy("10:10:00", "09:30:00").key("ASIABEFORE"),
        in_deploy("10:40:00", "10:30:00").key("ASIALOST"),
        // The same session, called for by a service without key.
        in_deploy("10:45:00", "10:30:00"),
        used("10:50:00", "10:50:00", 1).key("ASIAOTHER").in_session(
            "333333333333",
            "x",
            "s",
            "10:45:00",
        ),
        used("10:51:00", "10:51:00", 1)
            .key("ASIACONSOLE")
            .of_user("ann")
            .number("session_created", super::lake::at("10:50:00"))
            .text("recipient_account_id", DEV),
        used("09:00:00", "09:00:00", 1)
            .key("AKIAANN")
            .of_user("ann")
            .text("recipient_account_id", DEV),
    ]);
    assert_eq!(
        lake.answer(LINKS).await,
        "- | ASIABEFORE | none | before_window | 1 | 0 | - | unknown\n\
         - | ASIALOST | none | not_found | 2 | 0 | - | unknown\n\
         - | ASIAOTHER | none | other_account | 1 | 0 | - | unknown\n\
         - | ASIACONSOLE | none | console | 1 | 0 | arn:aws:iam::111111111111:user/ann | iam_user"
    );
}

#[tokio::test]
async fn a_role_session_of_an_account_that_is_not_held_ends_the_chain() {
    let call = event("e1", "10:00:00", "AssumeRole")
        .by_role("333333333333", "vendor", "eve")
        .text("caller_access_key_id", "ASIAVENDOR")
        .role(PROD, "Deploy", "s")
        .issues("ASIA1", "11:00:00");
    let lake = TestLake::default()
        .events([call])
        .activity([in_deploy("10:10:00", "10:00:00").key("ASIA1")]);
    assert_eq!(
        lake.answer(LINKS).await,
        "e1 | ASIA1 | key | other_account | 1 | 0 | arn:aws:iam::333333333333:role/vendor | role_session"
    );
}

#[tokio::test]
async fn a_console_switch_is_one_session_and_failures_are_none() {
    let lake = TestLake::default().events([
        event("sw", "10:00:02", "SwitchRole")
            .by_role(PROD, "Admin", "ann")
            .role(PROD, "Admin", "ann")
            .text("switch_from", format!("arn:aws:iam::{DEV}:user/ann")),
        event("sts", "10:00:00", "AssumeRole")
            .masked("AIDAANN")
            .role(PROD, "Admin", "ann")
            .text("source_service", "AWS Internal")
            .issues("ASIA1", "11:00:00"),
        event("denied", "10:00:00", "AssumeRole")
            .by_user("ann", "AKIAANN")
            .role(PROD, "Top", "ann")
            .failed("AccessDenied"),
        event("signin", "10:00:00", "GetSigninToken")
            .by_user("ann", "ASIAX")
            .issues("ASIAX", "11:00:00"),
    ]);
    assert_eq!(
        lake.answer(LINKS).await,
        "sts | ASIA1 | none | - | 0 | 0 | arn:aws:iam::111111111111:user/ann | iam_user"
    );
}

#[tokio::test]
async fn assume_root_is_a_session_of_the_accounts_root() {
    let lake = TestLake::default()
        .events([event("e1", "10:00:00", "AssumeRoot")
            .by_role(DEV, "central", "ops")
            .text("target_principal", PROD)
            .text("role_account_id", PROD)
            .issues("ASIAROOT", "10:15:00")])
        .activity([used("10:05:00", "10:05:00", 2)
            .key("ASIAROOT")
            .text("principal_type", "Root")
            .text("principal_id", PROD)
            .text("principal_arn", format!("arn:aws:iam::{PROD}:root"))
            .text("account_id", PROD)]);
    assert_eq!(
        lake.answer("SELECT issued_event_id, principal_arn, link_method, event_count, coalesce(role, '-') FROM sessions").await,
        "e1 | arn:aws:iam::222222222222:root | key | 2 | -"
    );
}

#[tokio::test]
async fn a_console_sign_in_is_the_session_behind_its_switches() {
    let signed_in = super::lake::at("10:00:00");
    let lake = TestLake::default()
        .events([
            event("login", "10:00:00", "ConsoleLogin")
                .by_user("ann", "")
                .without("caller_access_key_id"),
            event("federated", "10:00:00", "ConsoleLogin").by_role(PROD, "Deploy", "s"),
            event("sts", "10:05:00", "AssumeRole")
                .by_user("ann", "ASIACONSOLE")
                .number("caller_session_created", signed_in)
                .role(PROD, "Admin", "ann")
                .issues("ASIA1", "11:00:00"),
        ])
        .activity([used("10:01:00", "10:01:00", 3)
            .key("ASIACONSOLE")
            .of_user("ann")
            .number("session_created", signed_in)]);
    assert_eq!(
        lake.answer(
            "SELECT session_id, issued_by, parent_session_id, parent_link, depth, origin_kind, \
             event_count FROM sessions ORDER BY issued_time"
        )
        .await,
        "login | ConsoleLogin |  | none | 0 | iam_user | 3\n\
         sts | AssumeRole | login | session | 1 | iam_user | 0"
    );
}
