//! Answers that were once wrong.

use super::lake::{DEV, PROD, Row, TestLake, change, event, used};
use super::whoing::{ask, fact, rows};

const ROLES: &str = "SELECT role, coalesce(role_id, '-'), assumptions, event_count FROM roles \
                     ORDER BY role, role_id";
const ACTS: &str = "SELECT array_to_string(event_ids, ','), method, caller, caller_resolved_by FROM assumptions \
                    ORDER BY event_time, event_id";
const LINEAGE: &str = "SELECT issued_event_id, coalesce(parent_session_id, '-'), parent_link, depth, origin, \
                       coalesce(unlinked_reason, '-') FROM sessions ORDER BY issued_time, session_id";

#[tokio::test]
async fn regression_events_that_share_an_id_are_not_deliveries_of_one() {
    let call = |time: &str, request: &str, role: &str, file: &str| {
        event("EXAMPLE", time, "AssumeRole")
            .by_user("ann", "AKIAANN")
            .role(PROD, role, "s")
            .text("request_id", request)
            .text("log_file", file)
    };
    let lake = TestLake::default().events([
        call("10:00:00", "r1", "a", "f1"),
        // The same, delivered again.
        call("10:00:00", "r1", "a", "f2"),
        call("10:00:00", "r2", "b", "f3"),
        // All but the role is anonymised.
        call("10:00:00", "r2", "d", "f3").number("record_index", 1),
        call("11:00:00", "r1", "c", "f4"),
        // Another call altogether.
        event("EXAMPLE", "10:00:00", "GetSessionToken")
            .by_user("ann", "AKIAANN")
            .text("request_id", "r1")
            .issues("ASIA1", "20:00:00"),
    ]);
    assert_eq!(
        lake.answer("SELECT role_name, copies FROM assumptions ORDER BY role_name").await,
        "a | 1\nb | 1\nc | 1\nd | 1"
    );
    assert_eq!(lake.answer("SELECT count(*) FROM sessions").await, "5");
}

#[tokio::test]
async fn regression_a_record_corrected_under_its_own_id_gives_way() {
    let call = |file: &str| {
        event("same", "10:00:00", "AssumeRole").by_user("ann", "AKIAANN").text("log_file", file)
    };
    let lake = TestLake::default().events([
        call("a"),
        call("b").role(PROD, "Deploy", "s").text("supersedes_event_id", "same"),
    ]);
    assert_eq!(
        lake.answer("SELECT event_id, role_name, copies FROM assumptions").await,
        "same | Deploy | 1"
    );
}

#[tokio::test]
async fn regression_copies_that_share_an_id_by_anonymisation_are_several_acts() {
    let copy = |id: &str, request: &str, role: &str| {
        event(id, "10:00:00", "AssumeRole")
            .by_user("ann", "AKIAANN")
            .role(PROD, role, "s")
            .text("shared_event_id", "EXAMPLE")
            .text("request_id", request)
    };
    let lake = TestLake::default().events([copy("e1", "r1", "a"), copy("e2", "r2", "b")]);
    assert_eq!(
        lake.answer("SELECT event_id, copies FROM assumptions ORDER BY event_id").await,
        "e1 | 1\ne2 | 1"
    );
}

#[tokio::test]
async fn regression_a_role_that_only_signs_in_is_a_role_in_use() {
    let signin = |name: &str, role: &str| {
        used("10:00:00", "10:00:00", 1)
            .in_session(DEV, role, "s", "09:00:00")
            .text("event_source", "signin.amazonaws.com")
            .text("event_name", name)
    };
    let lake = TestLake::default().activity([
        signin("GetSigninToken", "Broker").key("ASIABROKER0000000000"),
        signin("ConsoleLogin", "Fed"),
        // What the console writes of a switch is signed by nobody.
        signin("SwitchRole", "Switched").without("session_created"),
        signin("ExitRole", "Switched").without("session_created"),
    ]);
    assert_eq!(
        lake.answer(ROLES).await,
        "arn:aws:iam::111111111111:role/Broker | AROABROKER | 0 | 1\n\
         arn:aws:iam::111111111111:role/Fed | AROAFED | 0 | 1"
    );
    let answer = ask(&lake, "Broker").await;
    assert!(answer.found, "{answer:#?}");
}

#[tokio::test]
async fn regression_the_arn_tells_a_role_session_whatever_the_type() {
    let odd = |kind: &str, role: &str, key: &str| {
        used("10:00:00", "10:00:00", 1)
            .in_session(DEV, role, "s", "09:00:00")
            .key(key)
            .text("principal_type", kind)
    };
    let lake = TestLake::default().activity([
        odd("Unknown", "Bought", "ASIA1").without("role_arn").without("session_created"),
        odd("Role", "Typed", "ASIA2"),
    ]);
    assert_eq!(
        lake.answer(ROLES).await,
        "111111111111/Bought | AROABOUGHT | 0 | 1\n\
         arn:aws:iam::111111111111:role/Typed | AROATYPED | 0 | 1"
    );
    assert_eq!(
        lake.answer("SELECT role, session_name, access_key_id FROM sessions ORDER BY role").await,
        "111111111111/Bought | s | ASIA1\narn:aws:iam::111111111111:role/Typed | s | ASIA2"
    );
    // And what such a session takes is chained.
    let lake = lake.events([event("e1", "10:00:00", "AssumeRole")
        .by_role(DEV, "Typed", "s")
        .text("caller_type", "Role")
        .without("caller_principal_id")
        .role(PROD, "Deploy", "s")]);
    assert_eq!(
        lake.answer(ACTS).await,
        "e1 | chained_role | arn:aws:iam::111111111111:role/Typed | record"
    );
}

fn key_change(id: &str, time: &str, name: &str, key: &str) -> Row {
    change(id, time, name, "access_key", "ann").text("target_id", key)
}

#[tokio::test]
async fn regression_a_key_that_was_never_used_belongs_to_its_user() {
    let lake = TestLake::default()
        .activity([used("09:00:00", "09:00:00", 1).key("AKIAANN0000000000001").of_user("ann")])
        .rows(
            "iam_changes",
            [key_change("c1", "10:00:00", "CreateAccessKey", "AKIAANN0000000000002")],
        );
    let keys = "SELECT access_key_id, account_id, user_name, principal_arn FROM access_keys ORDER BY access_key_id";
    assert_eq!(
        lake.answer(keys).await,
        "AKIAANN0000000000001 | 111111111111 | ann | arn:aws:iam::111111111111:user/ann\n\
         AKIAANN0000000000002 | 111111111111 | ann | arn:aws:iam::111111111111:user/ann"
    );
    let answer = ask(&lake, "ann").await;
    assert_eq!(
        rows(&answer, "Long-term keys"),
        [
            "AKIAANN0000000000001 |  |  | 2026-01-05 09:00:00Z | 1",
            "AKIAANN0000000000002 | Active | 2026-01-05 10:00:00Z |  | 0"
        ]
    );
}

#[tokio::test]
async fn regression_a_renamed_user_has_the_latest_name() {
    let named = |time: &str, name: &str| {
        used(time, time, 1)
            .key("AKIAZOE0000000000000")
            .of_user(name)
            .text("principal_id", "AIDAZOE")
    };
    let lake = TestLake::default().activity([
        named("09:00:00", "zoe"),
        named("10:00:00", "alan"),
        named("10:30:00", "root-alias")
            .key("AKIAROOT000000000000")
            .text("principal_type", "Root")
            .text("principal_arn", format!("arn:aws:iam::{DEV}:root")),
    ]);
    assert_eq!(
        lake.answer("SELECT access_key_id, user_name, principal_arn FROM access_keys ORDER BY 1")
            .await,
        "AKIAROOT000000000000 |  | arn:aws:iam::111111111111:root\n\
         AKIAZOE0000000000000 | alan | arn:aws:iam::111111111111:user/alan"
    );
    // Under the old name, the key is still listed.
    for name in ["zoe", "alan"] {
        assert_eq!(
            rows(&ask(&lake, name).await, "Long-term keys"),
            ["AKIAZOE0000000000000 | 2026-01-05 10:00:00Z | 2"],
            "{name}"
        );
    }
}

#[tokio::test]
async fn regression_deleting_a_key_is_its_last_change_within_one_second() {
    let lake = TestLake::default().rows(
        "iam_changes",
        [
            key_change("z", "10:00:00", "CreateAccessKey", "AKIA1"),
            key_change("y", "11:00:00", "UpdateAccessKey", "AKIA1").text("status", "Active"),
            key_change("a", "11:00:00", "DeleteAccessKey", "AKIA1"),
            key_change("x", "10:00:00", "CreateAccessKey", "AKIA2"),
            key_change("b", "10:00:00", "UpdateAccessKey", "AKIA2").text("status", "Inactive"),
        ],
    );
    assert_eq!(
        lake.answer("SELECT access_key_id, status FROM access_keys ORDER BY access_key_id").await,
        "AKIA1 | Deleted\nAKIA2 | Inactive"
    );
}

#[tokio::test]
async fn regression_users_and_roles_that_only_changes_name_are_answered_for() {
    let eve = "arn:aws:iam::111111111111:user/ops/eve";
    let new = "arn:aws:iam::111111111111:role/New";
    let lake = TestLake::default().rows(
        "iam_changes",
        [
            change("c1", "10:00:00", "CreateUser", "user", "eve")
                .text("target_arn", eve)
                .text("target_id", "AIDAEVE0000000000000"),
            change("c2", "10:01:00", "CreateAccessKey", "access_key", "eve")
                .text("target_id", "AKIAEVE0000000000000"),
            change("c3", "10:02:00", "CreateRole", "role", "New")
                .text("target_arn", new)
                .text("target_id", "AROANEW0000000000000"),
            change("c4", "10:03:00", "DeleteRole", "role", "New"),
        ],
    );
    for thing in ["eve", eve, "AIDAEVE0000000000000"] {
        let answer = ask(&lake, thing).await;
        assert!(answer.found, "{thing}");
        assert_eq!(
            answer.headline,
            "eve, an IAM user of account 111111111111, created 2026-01-05 10:00:00Z by \
             arn:aws:iam::111111111111:user/admin: no record is signed by it",
            "{thing}"
        );
        assert_eq!(
            rows(&answer, "Long-term keys"),
            ["AKIAEVE0000000000000 | Active | 2026-01-05 10:01:00Z"]
        );
        assert_eq!(answer.next[0].command, "rolecall who arn:aws:iam::111111111111:user/admin");
    }
    for thing in ["New", "111111111111/New", "AROANEW0000000000000"] {
        let answer = ask(&lake, thing).await;
        assert_eq!(
            answer.headline,
            "role New of account 111111111111, created 2026-01-05 10:02:00Z by \
             arn:aws:iam::111111111111:user/admin: nobody has taken or used it",
            "{thing}"
        );
        assert_eq!(
            fact(&answer, "deleted"),
            "2026-01-05 10:03:00Z by arn:aws:iam::111111111111:user/admin"
        );
    }
    // Who is known otherwise has the same told.
    let lake = lake.activity([used("11:00:00", "11:00:00", 1)
        .key("AKIAEVE0000000000000")
        .of_user("eve")
        .text("principal_id", "AIDAEVE0000000000000")
        .text("principal_arn", eve)]);
    let answer = ask(&lake, "eve").await;
    assert_eq!(
        fact(&answer, "created"),
        "2026-01-05 10:00:00Z by arn:aws:iam::111111111111:user/admin"
    );
}

/// Ann switches to Admin in the console.
fn switch(id: &str, time: &str) -> Row {
    event(id, time, "SwitchRole")
        .by_role(PROD, "Admin", "ann")
        .role(PROD, "Admin", "ann")
        .text("switch_from", format!("arn:aws:iam::{DEV}:user/ann"))
}

fn taken(id: &str, time: &str) -> Row {
    event(id, time, "AssumeRole").role(PROD, "Admin", "ann").issues("ASIA1", "11:00:00")
}

#[tokio::test]
async fn regression_a_switch_is_paired_with_the_consoles_call_only() {
    let lake = TestLake::default().events([
        switch("switch", "10:00:01"),
        // From the command line, in the same second, and from the console, a second before.
        taken("cli", "10:00:01").by_user("ann", "AKIAANN").text("user_agent", "aws-cli/2"),
        taken("console", "10:00:00").masked("AIDAANN").text("source_service", "AWS Internal"),
    ]);
    assert_eq!(
        lake.answer(ACTS).await,
        "console,switch | console_switch | arn:aws:iam::111111111111:user/ann | switch_role\n\
         cli | assume_role | arn:aws:iam::111111111111:user/ann | record"
    );
}

#[tokio::test]
async fn regression_a_switch_is_not_paired_with_somebody_elses_call() {
    let internal = |row: Row| row.text("user_agent", "AWS Internal");
    let stranger = || internal(taken("other", "10:00:02"));
    for call in [
        stranger().masked("AIDAEVE").text("caller_account_id", "999999999999"),
        stranger().masked("AROAJOB:ann"),
        stranger().by_user("eve", "AKIAEVE"),
    ] {
        let lake = TestLake::default().events([switch("switch", "10:00:01"), call]);
        assert_eq!(
            lake.answer(
                "SELECT array_to_string(event_ids, ',') FROM assumptions ORDER BY event_id"
            )
            .await,
            "other\nswitch"
        );
    }
    let of_role = switch("switch", "10:00:01")
        .text("switch_from", format!("arn:aws:sts::{DEV}:assumed-role/Sso/ann"));
    let lake = TestLake::default().events([of_role, stranger().masked("AROASSO:ann")]);
    assert_eq!(
        lake.answer(ACTS).await,
        "other,switch | console_switch | arn:aws:sts::111111111111:assumed-role/Sso | switch_role"
    );
}

#[tokio::test]
async fn regression_a_device_that_was_named_in_vain_is_no_mfa() {
    let call = |id: &str| {
        event(id, "10:00:00", "AssumeRole")
            .by_user("ann", "AKIAANN")
            .role(PROD, "Deploy", "s")
            .text("mfa_serial", "arn:aws:iam::111111111111:mfa/ann")
    };
    let lake = TestLake::default().events([call("failed").failed("AccessDenied"), call("passed")]);
    assert_eq!(
        lake.answer("SELECT event_id, mfa FROM assumptions ORDER BY event_id").await,
        "failed | false\npassed | true"
    );
}

/// Changes call root as the inventory does; the view has no user for it, whether its key was used or not.
#[tokio::test]
async fn a_key_of_root_that_only_its_creation_names_has_no_user() {
    let made = change("c1", "02:00:00", "CreateAccessKey", "access_key", "<root_account>");
    let lake = TestLake::default().rows("iam_changes", [made.text("target_id", "AKIAROOT")]);
    let keys = "SELECT access_key_id, coalesce(user_name, '-'), status FROM access_keys";
    assert_eq!(lake.answer(keys).await, "AKIAROOT | - | Active");
}

/// Lambda takes Re; STS does not say its unique id.
fn taken_by_lambda(id: &str, time: &str) -> Row {
    event(id, time, "AssumeRole")
        .by_service("lambda.amazonaws.com")
        .role(DEV, "Re", "fn")
        .without("role_id")
        .text("recipient_account_id", DEV)
}

#[tokio::test]
async fn regression_an_act_before_a_role_was_made_again_is_not_the_new_roles() {
    let lake = TestLake::default()
        .events([taken_by_lambda("before", "00:30:00"), taken_by_lambda("after", "03:00:00")])
        .rows(
            "iam_changes",
            [
                change("c1", "02:00:00", "DeleteRole", "role", "Re"),
                change("c2", "02:10:00", "CreateRole", "role", "Re")
                    .text("target_arn", format!("arn:aws:iam::{DEV}:role/Re"))
                    .text("target_id", "AROANEW"),
            ],
        );
    assert_eq!(
        lake.answer("SELECT coalesce(role_id, '-'), last_assumed FROM roles ORDER BY last_assumed")
            .await,
        "- | 2026-01-05T00:30:00Z\nAROANEW | 2026-01-05T03:00:00Z"
    );
}

#[tokio::test]
async fn regression_an_act_after_a_role_was_deleted_is_not_the_old_roles() {
    let old = event("old", "01:00:00", "AssumeRole")
        .by_user("ann", "AKIAANN")
        .role(DEV, "Re", "s")
        .text("role_id", "AROAOLD:User")
        .text("recipient_account_id", DEV);
    let lake = TestLake::default()
        .events([old, taken_by_lambda("new", "03:00:00")])
        .rows("iam_changes", [change("c1", "02:00:00", "DeleteRole", "role", "Re")]);
    // And an id is an id, whatever hangs on it.
    assert_eq!(
        lake.answer("SELECT coalesce(role_id, '-'), last_assumed FROM roles ORDER BY last_assumed")
            .await,
        "AROAOLD | 2026-01-05T01:00:00Z\n- | 2026-01-05T03:00:00Z"
    );
}

/// Ann takes Mid.
fn mid(id: &str, time: &str, expires: &str) -> Row {
    event(id, time, "AssumeRole")
        .by_user("ann", "AKIAANN")
        .role(DEV, "Mid", "m")
        .issues(&format!("ASIA{id}"), expires)
        .text("recipient_account_id", DEV)
}

/// A session of Mid takes Far; only the role owner's record is here.
fn far(time: &str) -> Row {
    event("far", time, "AssumeRole")
        .masked("AROAMID:m")
        .role(PROD, "Far", "f")
        .issues("ASIAFAR", "12:00:00")
}

#[tokio::test]
async fn regression_a_masked_caller_is_the_one_live_session_of_its_name() {
    let lake = TestLake::default().events([
        mid("old", "07:00:00", "08:00:00"),
        mid("live", "10:00:00", "11:00:00"),
        far("10:05:00"),
    ]);
    let ann = "arn:aws:iam::111111111111:user/ann";
    assert_eq!(
        lake.answer(LINEAGE).await,
        format!(
            "old | - | long_term_key | 0 | {ann} | -\n\
             live | - | long_term_key | 0 | {ann} | -\n\
             far | live | session | 1 | {ann} | -"
        )
    );
}

#[tokio::test]
async fn regression_a_masked_caller_with_several_live_sessions_is_ambiguous() {
    let lake = TestLake::default().events([
        mid("one", "10:00:00", "11:00:00"),
        mid("two", "10:01:00", "11:01:00"),
        far("10:05:00"),
    ]);
    let ann = "arn:aws:iam::111111111111:user/ann";
    assert_eq!(
        lake.answer(LINEAGE).await,
        format!(
            "one | - | long_term_key | 0 | {ann} | -\n\
             two | - | long_term_key | 0 | {ann} | -\n\
             far | - | none | 0 | arn:aws:iam::111111111111:role/Mid | ambiguous"
        )
    );
}

#[tokio::test]
async fn regression_a_session_whose_issue_names_no_role_has_the_one_it_is_used_as() {
    let lake = TestLake::default()
        .events([event("token", "10:00:00", "GetSigninToken")
            .text("event_source", "signin.amazonaws.com")
            .by_role(DEV, "Broker", "b")
            .text("caller_access_key_id", "ASIABROKER0000000000")
            .issues("ASIATOKEN00000000000", "11:00:00")])
        .activity([used("10:05:00", "10:05:00", 3)
            .key("ASIATOKEN00000000000")
            .in_session(DEV, "Broker", "b", "10:00:00")]);
    assert_eq!(
        lake.answer(
            "SELECT session_id, role, role_account_id, role_name, role_id, session_name, session_arn, event_count \
             FROM sessions WHERE role_is(role_account_id, role_name, 'Broker')"
        )
        .await,
        "token | arn:aws:iam::111111111111:role/Broker | 111111111111 | Broker | AROABROKER | b | \
         arn:aws:sts::111111111111:assumed-role/Broker/b | 3"
    );
}

#[tokio::test]
async fn regression_whatever_is_called_a_caller_can_be_asked_for() {
    let taken = |id: &str, name: &str| event(id, "10:00:00", name).role(PROD, "Deploy", "s");
    let lake = TestLake::default().events([
        taken("e1", "AssumeRoleWithWebIdentity")
            .text("caller_type", "WebIdentityUser")
            .text(
                "identity_provider",
                "arn:aws:iam::222222222222:oidc-provider/token.actions.githubusercontent.com",
            )
            .text("federated_subject", "repo:org/repo:ref:refs/heads/main"),
        taken("e2", "AssumeRole").by_service("lambda.amazonaws.com"),
        taken("e3", "CreateSession").text("source_identity", "CN=host"),
        taken("e4", "AssumeRole").masked("AIDAVENDOR").text("caller_account_id", "999999999999"),
    ]);
    let github = "token.actions.githubusercontent.com/repo:org/repo:ref:refs/heads/main";
    for (thing, caller) in [
        ("repo:org/repo", github),
        ("token.actions.githubusercontent.com", github),
        ("lambda.amazonaws.com", "lambda.amazonaws.com"),
        ("CN=host", "CN=host"),
        ("999999999999", "999999999999/AIDAVENDOR"),
    ] {
        let answer = ask(&lake, thing).await;
        assert!(answer.found, "{thing}");
        assert_eq!(answer.headline, format!("{caller}, a caller: takes 1 role, 1 act"));
        assert_eq!(rows(&answer, "Roles taken").len(), 1);
    }
}

#[tokio::test]
async fn regression_of_two_credentials_issued_at_once_the_used_one_leads() {
    let issue = |id: &str, key: &str| {
        event(id, "10:00:00", "AssumeRole")
            .by_service("ec2.amazonaws.com")
            .role(PROD, "web", "i-1")
            .without("role_id")
            .issues(key, "16:00:00")
    };
    let lake =
        TestLake::default().events([issue("e1", "ASIA1"), issue("e2", "ASIA2")]).activity([used(
            "10:10:00", "10:10:00", 1,
        )
        .in_session(PROD, "web", "i-1", "10:00:00")
        .key("ASIA2")]);
    let answer = ask(&lake, "i-1").await;
    assert_eq!(fact(&answer, "key"), "ASIA2");
    assert!(rows(&answer, "Sessions, latest first")[0].contains("e2"), "{answer:#?}");
}

#[tokio::test]
async fn regression_a_roles_name_may_hold_colons() {
    let lake = TestLake::default().activity([used("10:00:00", "10:00:00", 1)
        .key("ASIA1")
        .in_session(DEV, "aws:ec2-instance", "i-1", "09:00:00")]);
    assert_eq!(
        lake.answer("SELECT role_name FROM roles UNION SELECT role_name FROM sessions").await,
        "aws:ec2-instance"
    );
}
