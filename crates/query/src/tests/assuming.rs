//! Rules of `assumptions`.

use super::lake::{DEV, PROD, TestLake, event};

/// The two copies of one call from DEV into PROD.
fn pair() -> [super::lake::Row; 2] {
    let call = |id: &str| {
        event(id, "10:00:00", "AssumeRole")
            .text("shared_event_id", "shared")
            .role(PROD, "Deploy", "s")
            .issues("ASIAPAIR", "11:00:00")
    };
    [
        call("caller-copy").by_user("ann", "AKIAANN").text("recipient_account_id", DEV),
        call("owner-copy").masked("AIDAANN"),
    ]
}

const WHO: &str = "SELECT event_id, array_to_string(event_ids, ','), caller, caller_resolved_by, \
                   array_to_string(recipient_account_ids, ','), cross_account, copies, method \
                   FROM assumptions ORDER BY event_time, event_id";

#[tokio::test]
async fn the_copies_of_a_call_are_one_act_led_by_the_callers() {
    let lake = TestLake::default().events(pair());
    assert_eq!(
        lake.answer(WHO).await,
        "caller-copy | caller-copy,owner-copy | arn:aws:iam::111111111111:user/ann | shared_event | \
         111111111111,222222222222 | true | 2 | assume_role"
    );
}

#[tokio::test]
async fn a_masked_copy_alone_is_named_by_its_unique_id_where_the_lake_knows_it() {
    let [_, owner] = pair();
    let lake = TestLake::default().events([owner]);
    assert_eq!(
        lake.answer(WHO).await,
        "owner-copy | owner-copy | 111111111111/AIDAANN | none | 222222222222 | true | 1 | assume_role"
    );
    let seen = super::lake::used("09:00:00", "09:00:00", 1).key("AKIAANN").of_user("ann");
    let lake = lake.activity([seen]);
    assert_eq!(
        lake.answer(WHO).await,
        "owner-copy | owner-copy | arn:aws:iam::111111111111:user/ann | principal_id | 222222222222 | \
         true | 1 | assume_role"
    );
}

#[tokio::test]
async fn a_masked_role_session_is_named_without_its_session() {
    let [_, owner] = pair();
    let lake = TestLake::default().events([owner.text("caller_principal_id", "AROAJOB:run-7")]);
    let who = "SELECT caller, caller_resolved_by, method FROM assumptions";
    assert_eq!(lake.answer(who).await, "111111111111/AROAJOB | none | chained_role");
    let seen = super::lake::used("09:00:00", "09:00:00", 1)
        .key("ASIAJOB")
        .in_session(DEV, "job", "other", "09:00:00")
        .text("role_arn", format!("arn:aws:iam::{DEV}:role/ci/job"));
    let answer = lake.activity([seen]).answer(who).await;
    assert_eq!(answer, "arn:aws:iam::111111111111:role/ci/job | principal_id | chained_role");
}

#[tokio::test]
async fn a_lone_shared_event_id_is_no_pair() {
    let call = event("e1", "10:00:00", "AssumeRole")
        .text("shared_event_id", "lonely")
        .by_service("ec2.amazonaws.com")
        .role(PROD, "web", "i-1");
    let lake = TestLake::default().events([call]);
    assert_eq!(
        lake.answer(WHO).await,
        "e1 | e1 | ec2.amazonaws.com | record | 222222222222 | false | 1 | service"
    );
}

#[tokio::test]
async fn a_record_that_was_delivered_twice_is_one() {
    let call =
        || event("e1", "10:00:00", "AssumeRole").by_user("ann", "AKIAANN").role(DEV, "r", "s");
    let lake = TestLake::default().events([
        call().text("log_file", "b").number("record_index", 0).text("user_agent", "second"),
        call().text("log_file", "a").number("record_index", 9).text("user_agent", "first"),
        call().text("log_file", "a").number("record_index", 12).text("user_agent", "third"),
    ]);
    assert_eq!(
        lake.answer("SELECT event_id, user_agent, copies FROM assumptions").await,
        "e1 | first | 1"
    );
}

#[tokio::test]
async fn a_corrected_record_gives_way_to_its_correction() {
    let call =
        |id| event(id, "10:00:00", "AssumeRole").by_user("ann", "AKIAANN").role(DEV, "r", "s");
    let lake = TestLake::default().events([
        call("old"),
        call("new").text("supersedes_event_id", "old"),
        call("itself").text("supersedes_event_id", "itself"),
    ]);
    let ids = "SELECT event_id FROM assumptions ORDER BY event_id";
    assert_eq!(lake.answer(ids).await, "itself\nnew");
}

fn switch(id: &str, time: &str) -> super::lake::Row {
    event(id, time, "SwitchRole")
        .by_role(PROD, "Admin", "ann")
        .role(PROD, "Admin", "ann")
        .text("role_arn_source", "identity")
        .text("switch_from", format!("arn:aws:iam::{DEV}:user/ann"))
        .text("source_ip", "203.0.113.9")
        .text("user_agent", "Mozilla/5.0")
}

fn switched(id: &str, time: &str) -> super::lake::Row {
    event(id, time, "AssumeRole")
        .role(PROD, "Admin", "ann")
        .issues("ASIASWITCH", "11:00:00")
        .text("source_service", "AWS Internal")
        .text("user_agent", "AWS Internal")
}

#[tokio::test]
async fn a_switch_alone_has_the_type_of_who_switched() {
    let from = |id: &str, time: &str, arn: &str| switch(id, time).text("switch_from", arn);
    let lake = TestLake::default().events([
        switch("user", "10:00:00"),
        from("role", "11:00:00", "arn:aws:sts::111111111111:assumed-role/Ops/ann"),
        from("root", "12:00:00", "arn:aws:iam::111111111111:root"),
        switch("nobody", "13:00:00").without("switch_from"),
    ]);
    assert_eq!(
        lake.answer(
            "SELECT event_id, method, coalesce(caller_type, '-'), caller FROM assumptions \
             ORDER BY event_time"
        )
        .await,
        "user | console_switch | IAMUser | arn:aws:iam::111111111111:user/ann\n\
         role | console_switch | AssumedRole | arn:aws:sts::111111111111:assumed-role/Ops\n\
         root | console_switch | Root | arn:aws:iam::111111111111:root\n\
         nobody | console_switch | - | unknown"
    );
}

#[tokio::test]
async fn a_console_switch_is_one_act_with_its_assume_role() {
    let lake = TestLake::default()
        .events([switch("sw", "10:00:02"), switched("sts", "10:00:00").masked("AIDAANN")]);
    assert_eq!(
        lake.answer(WHO).await,
        "sts | sts,sw | arn:aws:iam::111111111111:user/ann | switch_role | 222222222222 | true | 2 | \
         console_switch"
    );
    assert_eq!(
        lake.answer("SELECT caller_arn, source_ip, source_service, user_agent FROM assumptions")
            .await,
        "arn:aws:iam::111111111111:user/ann | 203.0.113.9 |  | Mozilla/5.0"
    );
}

#[tokio::test]
async fn a_console_switch_with_both_copies_is_resolved_by_the_callers_copy() {
    let copy = |id| switched(id, "10:00:00").text("shared_event_id", "shared");
    let lake = TestLake::default().events([
        switch("sw", "10:00:02"),
        copy("sts-owner").masked("AIDAANN"),
        copy("sts-caller").by_user("ann", "ASIACONSOLE").text("recipient_account_id", DEV),
    ]);
    assert_eq!(
        lake.answer(WHO).await,
        "sts-caller | sts-caller,sts-owner,sw | arn:aws:iam::111111111111:user/ann | shared_event | \
         111111111111,222222222222 | true | 3 | console_switch"
    );
}

#[tokio::test]
async fn a_switch_in_one_account_is_named_by_its_record() {
    let lake = TestLake::default().events([
        switch("sw", "10:00:02"),
        switched("sts", "10:00:00").by_user("ann", "ASIACONSOLE"),
    ]);
    let who = "SELECT event_id, caller, caller_resolved_by, method FROM assumptions";
    assert_eq!(
        lake.answer(who).await,
        "sts | arn:aws:iam::111111111111:user/ann | record | console_switch"
    );
}

#[tokio::test]
async fn a_switch_without_assume_role_stands_alone() {
    let lake = TestLake::default()
        .events([switch("sw", "10:00:20"), switched("sts", "10:00:00").masked("AIDAANN")]);
    let who = "SELECT event_id, caller, caller_resolved_by, method, caller_account_id, \
               caller_principal_id FROM assumptions ORDER BY event_id";
    assert_eq!(
        lake.answer(who).await,
        "sts | 111111111111/AIDAANN | none | assume_role | 111111111111 | AIDAANN\n\
         sw | arn:aws:iam::111111111111:user/ann | switch_role | console_switch | 111111111111 | "
    );
}

#[tokio::test]
async fn switches_pair_with_the_nearest_call_one_to_one() {
    let lake = TestLake::default().events([
        switch("sw1", "10:00:01"),
        switch("sw2", "10:00:05"),
        switched("sts1", "10:00:00").masked("AIDAANN"),
        switched("sts2", "10:00:04").masked("AIDAANN"),
        switched("sts3", "10:00:09").masked("AIDAANN"),
    ]);
    let ids =
        "SELECT array_to_string(event_ids, ',') FROM assumptions ORDER BY event_time, event_id";
    assert_eq!(lake.answer(ids).await, "sts1,sw1\nsts2,sw2\nsts3");
}

#[tokio::test]
async fn a_denied_call_keeps_the_role_of_its_message() {
    let denied = event("e1", "10:00:00", "AssumeRole")
        .by_user("ann", "AKIAANN")
        .failed("AccessDenied")
        .text("role_arn", format!("arn:aws:iam::{PROD}:role/admin/Top"))
        .text("role_arn_source", "error_message")
        .text("role_account_id", PROD)
        .text("role_name", "Top");
    let lake = TestLake::default().events([denied]);
    assert_eq!(
        lake.answer("SELECT role, role_arn_source, outcome, error_code, caller, cross_account FROM assumptions").await,
        "arn:aws:iam::222222222222:role/admin/Top | error_message | failure | AccessDenied | \
         arn:aws:iam::111111111111:user/ann | true"
    );
}

#[tokio::test]
async fn callers_of_every_kind_have_one_form() {
    let call = |id, name| event(id, "10:00:00", name).role(PROD, "r", "s");
    let federated = |id, name, kind: &str, provider: &str, subject: &str| {
        call(id, name)
            .text("caller_type", kind)
            .text("identity_provider", provider)
            .text("federated_subject", subject)
    };
    let lake = TestLake::default().events([
        federated(
            "1",
            "AssumeRoleWithWebIdentity",
            "WebIdentityUser",
            "arn:aws:iam::222222222222:oidc-provider/token.actions.githubusercontent.com",
            "repo:o/r:ref:refs/heads/main",
        ),
        federated(
            "2",
            "AssumeRoleWithWebIdentity",
            "WebIdentityUser",
            "accounts.google.com",
            "123",
        ),
        federated(
            "3",
            "AssumeRoleWithSAML",
            "SAMLUser",
            "arn:aws:iam::222222222222:saml-provider/Okta",
            "ann@example.com",
        ),
        call("4", "AssumeRole")
            .by_role(DEV, "job", "run")
            .text("caller_issuer_arn", format!("arn:aws:iam::{DEV}:role/ci/job")),
        call("5", "AssumeRole").by_role(DEV, "job", "run").without("caller_issuer_arn"),
        call("6", "AssumeRole")
            .text("caller_type", "AWSService")
            .text("source_service", "AWS Internal"),
        call("7", "AssumeRole").text("caller_type", "AWSService"),
        call("8", "AssumeRoot")
            .by_user("root-admin", "AKIAROOT")
            .without("role_arn")
            .text("target_principal", PROD),
        call("9", "CreateSession")
            .text("federated_subject", "arn:aws:rolesanywhere:eu-west-1:222222222222:subject/x"),
    ]);
    assert_eq!(
        lake.answer("SELECT event_id, method, caller, coalesce(role, '-') FROM assumptions ORDER BY event_id").await,
        "1 | web_identity | token.actions.githubusercontent.com/repo:o/r:ref:refs/heads/main | arn:aws:iam::222222222222:role/r\n\
         2 | web_identity | accounts.google.com/123 | arn:aws:iam::222222222222:role/r\n\
         3 | saml | Okta/ann@example.com | arn:aws:iam::222222222222:role/r\n\
         4 | chained_role | arn:aws:iam::111111111111:role/ci/job | arn:aws:iam::222222222222:role/r\n\
         5 | chained_role | arn:aws:sts::111111111111:assumed-role/job | arn:aws:iam::222222222222:role/r\n\
         6 | service | AWS Internal | arn:aws:iam::222222222222:role/r\n\
         7 | service | AWS service | arn:aws:iam::222222222222:role/r\n\
         8 | assume_root | arn:aws:iam::111111111111:user/root-admin | -\n\
         9 | roles_anywhere | arn:aws:rolesanywhere:eu-west-1:222222222222:subject/x | arn:aws:iam::222222222222:role/r"
    );
}

#[tokio::test]
async fn other_credential_events_are_no_acts_of_taking_a_role() {
    let call = |name| event(name, "10:00:00", name).by_user("ann", "AKIAANN");
    let names = ["GetSessionToken", "GetFederationToken", "ConsoleLogin", "ExitRole", "Federate"];
    let lake = TestLake::default().events(names.map(call));
    assert_eq!(lake.answer("SELECT event_id FROM assumptions").await, "");
}
