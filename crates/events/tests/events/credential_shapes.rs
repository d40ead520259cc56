//! Every way CloudTrail writes down that somebody got credentials, a whole row each.

use std::borrow::Cow;

use rolecall_events::rows::{CredentialEvent, Micros, Outcome, RoleArnSource};
use serde_json::{Value, json};

use crate::support::{SECRET, TIME, ask, check_credential, envelope, record};

const HOUR: Micros = 3_600_000_000;

fn assume_role(members: Value) -> Value {
    record("sts", "AssumeRole", members)
}

fn sts(name: &'static str) -> CredentialEvent<'static> {
    envelope("sts.amazonaws.com", name)
}

fn credentials(key: &str) -> Value {
    json!({"accessKeyId": key, "sessionToken": SECRET, "expiration": "Jan 5, 2026, 8:12:03 AM"})
}

/// The caller of [`by_user`], as members of the row.
fn user_calls(row: CredentialEvent<'static>) -> CredentialEvent<'static> {
    CredentialEvent {
        caller_type: Some("IAMUser"),
        caller_arn: Some("arn:aws:iam::111111111111:user/eng/ann"),
        caller_principal_id: Some("AIDAANN"),
        caller_account_id: Some("111111111111"),
        caller_user_name: Some("ann"),
        caller_access_key_id: Some("AKIAANN"),
        ..row
    }
}

fn user() -> Value {
    json!({"type": "IAMUser", "principalId": "AIDAANN", "accountId": "111111111111",
        "arn": "arn:aws:iam::111111111111:user/eng/ann", "accessKeyId": "AKIAANN", "userName": "ann"})
}

/// The session of a role with a path, as a caller.
fn role_session() -> Value {
    json!({"type": "AssumedRole", "principalId": "AROADEPLOY:run-7", "accountId": "111111111111",
        "arn": "arn:aws:sts::111111111111:assumed-role/Deploy/run-7", "accessKeyId": "ASIAPARENT",
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "principalId": "AROADEPLOY", "userName": "Deploy",
                "arn": "arn:aws:iam::111111111111:role/ci/Deploy", "accountId": "111111111111"},
            "attributes": {"creationDate": "2026-01-05T06:12:03Z", "mfaAuthenticated": "false"},
            "sourceIdentity": "ann"}})
}

fn role_session_calls(row: CredentialEvent<'static>) -> CredentialEvent<'static> {
    CredentialEvent {
        caller_type: Some("AssumedRole"),
        caller_arn: Some("arn:aws:sts::111111111111:assumed-role/Deploy/run-7"),
        caller_principal_id: Some("AROADEPLOY:run-7"),
        caller_account_id: Some("111111111111"),
        caller_access_key_id: Some("ASIAPARENT"),
        caller_issuer_arn: Some("arn:aws:iam::111111111111:role/ci/Deploy"),
        caller_session_name: Some("run-7"),
        caller_session_created: Some(TIME - HOUR),
        caller_mfa: Some(false),
        ..row
    }
}

/// The role `/app/Target` of account 222222222222 and the session `s1`, asked for by request.
fn target(row: CredentialEvent<'static>) -> CredentialEvent<'static> {
    CredentialEvent {
        role_arn: Some("arn:aws:iam::222222222222:role/app/Target"),
        role_arn_source: Some(RoleArnSource::Request),
        role_account_id: Some("222222222222"),
        role_name: Some("Target"),
        role_path: Some("/app/"),
        role_id: Some("AROATARGET"),
        session_name: Some("s1"),
        session_arn: Some(Cow::Borrowed("arn:aws:sts::222222222222:assumed-role/Target/s1")),
        issued_access_key_id: Some("ASIACHILD"),
        issued_expiration: Some(TIME + HOUR),
        ..row
    }
}

fn target_request() -> Value {
    json!({"roleArn": "arn:aws:iam::222222222222:role/app/Target", "roleSessionName": "s1"})
}

fn target_response() -> Value {
    json!({"credentials": credentials("ASIACHILD"), "assumedRoleUser": {
        "assumedRoleId": "AROATARGET:s1",
        "arn": "arn:aws:sts::222222222222:assumed-role/Target/s1"}})
}

#[test]
fn a_user_takes_a_role_with_every_option() {
    let call = assume_role(json!({
        "userIdentity": user(),
        "requestParameters": {
            "roleArn": "arn:aws:iam::222222222222:role/app/Target", "roleSessionName": "s1",
            "durationSeconds": 43200, "externalId": "vendor-7", "serialNumber": "arn:aws:iam::1:mfa/ann",
            "policy": "{\"Version\":\"2012-10-17\"}", "sourceIdentity": "ann", "tokenCode": SECRET,
            "policyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
            "tags": [{"key": "team", "value": "core"}, {"key": "empty", "value": ""}],
            "incomingTransitiveTags": {"cost": "7", "team": "older"},
            "transitiveTagKeys": ["team"]},
        "responseElements": {
            "credentials": credentials("ASIACHILD"), "packedPolicySize": 9, "sourceIdentity": "ann",
            "assumedRoleUser": {"assumedRoleId": "AROATARGET:s1",
                "arn": "arn:aws:sts::222222222222:assumed-role/Target/s1"}},
        "additionalEventData": {"explicitTrustGrant": false,
            "RequestDetails": {"endpointType": "global", "awsServingRegion": "eu-west-1"}},
        "resources": [{"ARN": "arn:aws:iam::222222222222:role/app/Target",
            "accountId": "222222222222", "type": "AWS::IAM::Role"}],
        "sharedEventID": "sh-1", "vpcEndpointId": "vpce-1", "sessionCredentialFromConsole": "true",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "clientProvidedHostHeader": "sts.eu-west-1.amazonaws.com"},
    }));
    let expect = CredentialEvent {
        shared_event_id: Some("sh-1"),
        duration_seconds: Some(43_200),
        external_id: Some("vendor-7"),
        mfa_serial: Some("arn:aws:iam::1:mfa/ann"),
        session_policy: Some("{\"Version\":\"2012-10-17\"}"),
        session_policy_arns: vec!["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        // The request's own tags before what the chain handed on.
        session_tags: vec![("team", "core"), ("empty", ""), ("cost", "7")],
        transitive_tag_keys: vec!["team"],
        source_identity: Some("ann"),
        explicit_trust_grant: Some(false),
        endpoint_type: Some("global"),
        serving_region: Some("eu-west-1"),
        vpc_endpoint_id: Some("vpce-1"),
        tls_host: Some("sts.eu-west-1.amazonaws.com"),
        from_console: Some(true),
        ..target(user_calls(sts("AssumeRole")))
    };
    check_credential(&call, &expect);
}

#[test]
fn a_role_session_takes_a_role_and_hands_on_its_source_identity() {
    let call = assume_role(json!({"userIdentity": role_session(),
        "requestParameters": target_request(), "responseElements": target_response()}));
    let expect = CredentialEvent {
        source_identity: Some("ann"),
        ..target(role_session_calls(sts("AssumeRole")))
    };
    check_credential(&call, &expect);
}

#[test]
fn services_get_no_assumed_role_user_so_the_session_is_built() {
    for (service, session) in
        [("ec2.amazonaws.com", "i-0abc"), ("lambda.amazonaws.com", "my-function")]
    {
        let call = assume_role(json!({
            "userIdentity": {"type": "AWSService", "invokedBy": service},
            "sourceIPAddress": service, "userAgent": service,
            "requestParameters": {"roleSessionName": session,
                "roleArn": "arn:aws:iam::111111111111:role/service/App"},
            "responseElements": {"credentials": credentials("ASIACHILD")},
            "sharedEventID": "sh-1"}));
        let arn = format!("arn:aws:sts::111111111111:assumed-role/App/{session}");
        let expect = CredentialEvent {
            shared_event_id: Some("sh-1"),
            caller_type: Some("AWSService"),
            caller_invoked_by: Some(service),
            source_ip: None,
            source_service: Some(service),
            user_agent: Some(service),
            role_arn: Some("arn:aws:iam::111111111111:role/service/App"),
            role_arn_source: Some(RoleArnSource::Request),
            role_account_id: Some("111111111111"),
            role_name: Some("App"),
            role_path: Some("/service/"),
            session_name: Some(session),
            session_arn: Some(Cow::Owned(arn)),
            issued_access_key_id: Some("ASIACHILD"),
            issued_expiration: Some(TIME + HOUR),
            ..sts("AssumeRole")
        };
        check_credential(&call, &expect);
    }
}

#[test]
fn a_denied_call_names_its_role_only_in_the_message() {
    let role = "arn:aws:iam::222222222222:role/app/Target";
    for (lead, tail) in [
        ("", ""),
        ("", " because no identity-based policy allows it"),
        ("", " with an explicit deny"),
        ("", "."),
        ("\"", "\""),
        ("\"", "\" with an explicit deny in a service control policy"),
    ] {
        let message = format!(
            "User: arn:aws:iam::111111111111:user/eng/ann is not authorized to perform: \
             sts:AssumeRole on resource: {lead}{role}{tail}"
        );
        let call = assume_role(json!({"userIdentity": user(), "errorCode": "AccessDenied",
            "errorMessage": message}));
        let expect = CredentialEvent {
            outcome: Some(Outcome::Failure),
            error_code: Some("AccessDenied"),
            error_message: Some(message.as_str()),
            role_arn: Some(role),
            role_arn_source: Some(RoleArnSource::ErrorMessage),
            role_account_id: Some("222222222222"),
            role_name: Some("Target"),
            role_path: Some("/app/"),
            ..user_calls(sts("AssumeRole"))
        };
        check_credential(&call, &expect);
    }
}

#[test]
fn messages_that_name_no_role_give_none() {
    for message in [
        "Access denied",
        "is not authorized to perform: sts:AssumeRole on resource: ",
        "… on resource: arn:aws:iam::222222222222:user/x",
        "… on resource: arn:aws:iam::22222222222x:role/x",
        "… on resource: arn:aws:iam::222222222222:role/",
    ] {
        let call = assume_role(json!({"errorCode": "AccessDenied", "errorMessage": message}));
        assert_eq!(ask(&call, |row| row.role_arn.map(str::to_owned)), None, "{message}");
    }
}

#[test]
fn the_request_is_believed_before_the_resource_and_both_before_the_message() {
    const REQUEST: &str = "arn:aws:iam::111111111111:role/Request";
    const RESOURCE: &str = "arn:aws:iam::111111111111:role/Resource";
    const MESSAGE: &str = "x on resource: arn:aws:iam::111111111111:role/Message";
    let user = json!({"ARN": "arn:aws:iam::111111111111:user/x"});
    let check = |request: Value, resources: Value, expect: Option<(&str, RoleArnSource)>| {
        let call = assume_role(json!({"requestParameters": request, "resources": resources,
            "errorCode": "AccessDenied", "errorMessage": MESSAGE}));
        let got = ask(&call, |row| row.role_arn.map(str::to_owned).zip(row.role_arn_source));
        assert_eq!(got.as_ref().map(|(arn, source)| (arn.as_str(), *source)), expect);
    };
    check(
        json!({"roleArn": REQUEST}),
        json!([{"ARN": RESOURCE}]),
        Some((REQUEST, RoleArnSource::Request)),
    );
    check(
        json!({"roleArn": "Request"}),
        json!([7, user, {"ARN": RESOURCE}]),
        Some((RESOURCE, RoleArnSource::Resource)),
    );
    check(Value::Null, json!([{"arn": RESOURCE}]), Some((RESOURCE, RoleArnSource::Resource)));
    check(
        json!({"roleArn": 7}),
        json!([user]),
        Some(("arn:aws:iam::111111111111:role/Message", RoleArnSource::ErrorMessage)),
    );
}

#[test]
fn an_expired_token_keeps_its_request() {
    let call = assume_role(json!({"userIdentity": user(), "errorCode": "ExpiredTokenException",
        "requestParameters": target_request()}));
    let expect = CredentialEvent {
        outcome: Some(Outcome::Failure),
        error_code: Some("ExpiredTokenException"),
        // No session came to be, so it has no ARN.
        session_arn: None,
        role_id: None,
        issued_access_key_id: None,
        issued_expiration: None,
        ..target(user_calls(sts("AssumeRole")))
    };
    check_credential(&call, &expect);
}

#[test]
fn the_owners_copy_of_a_cross_account_call_is_masked() {
    let call = assume_role(json!({
        "userIdentity": {"type": "AWSAccount", "principalId": "AROADEPLOY:run-7",
            "accountId": "333333333333"},
        "requestParameters": target_request(), "responseElements": target_response(),
        "sharedEventID": "sh-1", "recipientAccountId": "222222222222"}));
    let expect = CredentialEvent {
        shared_event_id: Some("sh-1"),
        recipient_account_id: Some("222222222222"),
        caller_type: Some("AWSAccount"),
        caller_principal_id: Some("AROADEPLOY:run-7"),
        caller_account_id: Some("333333333333"),
        caller_session_name: Some("run-7"),
        ..target(sts("AssumeRole"))
    };
    check_credential(&call, &expect);
}

#[test]
fn the_role_keeps_its_path_where_the_session_has_lost_it() {
    let role = "arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/us-west-2/AWSReservedSSO_X_dad1";
    let call = assume_role(json!({
        "requestParameters": {"roleArn": role, "roleSessionName": "ann@example.com"},
        "responseElements": {"assumedRoleUser": {"assumedRoleId": "AROASSO:ann@example.com",
            "arn": "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_X_dad1/ann@example.com"}}}));
    let expect = CredentialEvent {
        caller_type: Some("IAMUser"),
        role_arn: Some(role),
        role_arn_source: Some(RoleArnSource::Request),
        role_account_id: Some("111111111111"),
        role_name: Some("AWSReservedSSO_X_dad1"),
        role_path: Some("/aws-reserved/sso.amazonaws.com/us-west-2/"),
        role_id: Some("AROASSO"),
        session_name: Some("ann@example.com"),
        session_arn: Some(Cow::Borrowed(
            "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_X_dad1/ann@example.com",
        )),
        ..sts("AssumeRole")
    };
    check_credential(&call, &expect);
}

#[test]
fn expirations_in_every_format() {
    for (text, expect) in [
        (json!("Jan 5, 2026, 8:12:03 AM"), Some(TIME + HOUR)),
        (json!("Jan 5, 2026 8:12:03 AM"), Some(TIME + HOUR)),
        (json!("Jan 5, 2026, 8:12:03\u{202f}AM"), Some(TIME + HOUR)),
        (json!("Jan 5, 2026, 8:12:03\u{202f}PM"), Some(TIME + 13 * HOUR)),
        (json!("2026-01-05T08:12:03Z"), Some(TIME + HOUR)),
        (json!("soon"), None),
        (json!(""), None),
        (json!(1_767_600_723), None),
    ] {
        let call = assume_role(json!({"responseElements": {"credentials": {
            "accessKeyId": "ASIACHILD", "sessionToken": SECRET, "expiration": text}}}));
        assert_eq!(ask(&call, |row| row.issued_expiration), expect, "{text}");
    }
}

#[test]
fn web_identity_from_github() {
    let provider = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com";
    let subject = "repo:acme/shop:ref:refs/heads/main";
    let call = record(
        "sts",
        "AssumeRoleWithWebIdentity",
        json!({
            "userIdentity": {"type": "WebIdentityUser", "identityProvider": provider,
                "principalId": format!("{provider}:sts.amazonaws.com:{subject}"), "userName": subject},
            "requestParameters": target_request(),
            "responseElements": {
                "credentials": credentials("ASIACHILD"), "provider": provider,
                "subjectFromWebIdentityToken": subject, "audience": "sts.amazonaws.com",
                "assumedRoleUser": {"assumedRoleId": "AROATARGET:s1",
                    "arn": "arn:aws:sts::222222222222:assumed-role/Target/s1"}}}),
    );
    let principal_id = format!("{provider}:sts.amazonaws.com:{subject}");
    let expect = CredentialEvent {
        caller_type: Some("WebIdentityUser"),
        caller_principal_id: Some(principal_id.as_str()),
        caller_user_name: Some(subject),
        identity_provider: Some(provider),
        federated_subject: Some(subject),
        federated_audience: Some("sts.amazonaws.com"),
        ..target(sts("AssumeRoleWithWebIdentity"))
    };
    check_credential(&call, &expect);
}

#[test]
fn the_audience_stands_between_provider_and_subject() {
    let eks = "arn:aws:iam::111111111111:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC";
    for (provider, audience, subject) in [
        (eks, "sts.amazonaws.com", "system:serviceaccount:shop:cart"),
        ("accounts.google.com", "407.apps.googleusercontent.com", "1066"),
        (
            "arn:aws:iam::1:oidc-provider/gitlab.com",
            "https://gitlab.com",
            "project_path:a/b:ref:main",
        ),
    ] {
        let call = record(
            "sts",
            "AssumeRoleWithWebIdentity",
            json!({"errorCode": "AccessDenied", "userIdentity": {"type": "WebIdentityUser",
                "principalId": format!("{provider}:{audience}:{subject}"),
                "userName": subject, "identityProvider": provider}}),
        );
        let got = ask(&call, |row| {
            [row.identity_provider, row.federated_audience, row.federated_subject]
                .map(|text| text.map(str::to_owned))
        });
        assert_eq!(got, [provider, audience, subject].map(|text| Some(text.to_owned())));
    }
    // A principal id that does not begin with the provider tells nothing about the audience.
    let call = record(
        "sts",
        "AssumeRoleWithWebIdentity",
        json!({"userIdentity": {"type": "WebIdentityUser", "principalId": "x:y:z",
            "userName": "z", "identityProvider": "accounts.google.com"}}),
    );
    assert_eq!(ask(&call, |row| row.federated_audience.map(str::to_owned)), None);
}

#[test]
fn saml_names_its_provider_in_the_request() {
    let provider = "arn:aws:iam::222222222222:saml-provider/Corp";
    let call = record(
        "sts",
        "AssumeRoleWithSAML",
        json!({
            "userIdentity": {"type": "SAMLUser", "principalId": "aGFzaA==:ann@example.com",
                "userName": "ann@example.com", "identityProvider": "aGFzaA=="},
            "requestParameters": {"sAMLAssertionID": "_c0", "principalArn": provider,
                "roleSessionName": "s1", "durationSeconds": 3600,
                "roleArn": "arn:aws:iam::222222222222:role/app/Target",
                "principalTags": {"team": "core", "groups": ["first", "second"]}},
            "responseElements": {"subjectType": "persistent", "issuer": "https://idp.example.com",
                "credentials": credentials("ASIACHILD"), "nameQualifier": "aGFzaA==",
                "assumedRoleUser": {"assumedRoleId": "AROATARGET:s1",
                    "arn": "arn:aws:sts::222222222222:assumed-role/Target/s1"},
                "subject": "ann@example.com", "audience": "https://signin.aws.amazon.com/saml"},
            "resources": [{"ARN": "arn:aws:iam::222222222222:role/app/Target", "type": "AWS::IAM::Role"},
                {"ARN": provider, "type": "AWS::IAM::SAMLProvider"}]}),
    );
    let expect = CredentialEvent {
        caller_type: Some("SAMLUser"),
        caller_principal_id: Some("aGFzaA==:ann@example.com"),
        caller_user_name: Some("ann@example.com"),
        identity_provider: Some(provider),
        federated_subject: Some("ann@example.com"),
        federated_audience: Some("https://signin.aws.amazon.com/saml"),
        duration_seconds: Some(3_600),
        session_tags: vec![("groups", "first"), ("team", "core")],
        ..target(sts("AssumeRoleWithSAML"))
    };
    check_credential(&call, &expect);
}

#[test]
fn a_saml_session_is_named_by_the_answer_alone() {
    let call = record(
        "sts",
        "AssumeRoleWithSAML",
        json!({"requestParameters": {"roleArn": "arn:aws:iam::222222222222:role/app/Target"},
            "responseElements": {"assumedRoleUser": {"assumedRoleId": "AROATARGET:ann@example.com"}}}),
    );
    let got = ask(&call, |row| row.session_arn.as_deref().map(str::to_owned));
    let expect = "arn:aws:sts::222222222222:assumed-role/Target/ann@example.com";
    assert_eq!(got.as_deref(), Some(expect));
}

#[test]
fn eks_pod_identity_is_two_events() {
    let node = record(
        "eks-auth",
        "AssumeRoleForPodIdentity",
        json!({"userIdentity": role_session(),
            "requestParameters": {"clusterName": "c1", "token": "HIDDEN_DUE_TO_SECURITY_REASONS"}}),
    );
    // Nothing is known of the pod's role here, and the node's must not stand in for it.
    check_credential(
        &node,
        &role_session_calls(envelope("eks-auth.amazonaws.com", "AssumeRoleForPodIdentity")),
    );

    let service = "pods.eks.amazonaws.com";
    let pod = assume_role(json!({
        "userIdentity": {"type": "AWSService", "invokedBy": service},
        "sourceIPAddress": service, "userAgent": service,
        "requestParameters": {"roleArn": "arn:aws:iam::222222222222:role/app/Target",
            "roleSessionName": "s1", "tags": [{"key": "kubernetes-namespace", "value": "shop"},
                {"key": "kubernetes-service-account", "value": "cart"}],
            "transitiveTagKeys": ["kubernetes-namespace", "kubernetes-service-account"]},
        "responseElements": target_response()}));
    let expect = CredentialEvent {
        caller_type: Some("AWSService"),
        caller_invoked_by: Some(service),
        source_ip: None,
        source_service: Some(service),
        user_agent: Some(service),
        session_tags: vec![
            ("kubernetes-namespace", "shop"),
            ("kubernetes-service-account", "cart"),
        ],
        transitive_tag_keys: vec!["kubernetes-namespace", "kubernetes-service-account"],
        ..target(sts("AssumeRole"))
    };
    check_credential(&pod, &expect);
}

fn switch(name: &str, answer: &str) -> Value {
    record(
        "signin",
        name,
        json!({
            "eventType": "AwsConsoleSignIn", "requestID": "-", "readOnly": false,
            "userIdentity": {"type": "AssumedRole", "principalId": "AROATARGET:ann",
                "arn": "arn:aws:sts::222222222222:assumed-role/Target/ann",
                "accountId": "222222222222"},
            "responseElements": {name: answer}, "recipientAccountId": "222222222222",
            "additionalEventData": {"SwitchFrom": "arn:aws:iam::111111111111:user/eng/ann",
                "RedirectTo": "https://console.aws.amazon.com/s3"}}),
    )
}

#[test]
fn switching_roles_in_the_console_is_logged_in_reverse() {
    for name in ["SwitchRole", "ExitRole", "RenewRole"] {
        let expect = CredentialEvent {
            request_id: None,
            read_only: Some(false),
            recipient_account_id: Some("222222222222"),
            caller_type: Some("AssumedRole"),
            caller_arn: Some("arn:aws:sts::222222222222:assumed-role/Target/ann"),
            caller_principal_id: Some("AROATARGET:ann"),
            caller_account_id: Some("222222222222"),
            caller_session_name: Some("ann"),
            role_account_id: Some("222222222222"),
            role_name: Some("Target"),
            role_id: Some("AROATARGET"),
            session_name: Some("ann"),
            session_arn: Some(Cow::Borrowed("arn:aws:sts::222222222222:assumed-role/Target/ann")),
            switch_from: Some("arn:aws:iam::111111111111:user/eng/ann"),
            ..envelope("signin.amazonaws.com", name)
        };
        check_credential(&switch(name, "Success"), &expect);
        let failed = CredentialEvent { outcome: Some(Outcome::Failure), ..expect };
        check_credential(&switch(name, "Failure"), &failed);
    }
}

#[test]
fn a_switch_with_a_session_issuer_has_the_roles_arn() {
    let mut call = switch("SwitchRole", "Success");
    call["userIdentity"]["sessionContext"] = json!({"sessionIssuer": {"type": "Role",
        "principalId": "AROATARGET", "arn": "arn:aws:iam::222222222222:role/app/Target"}});
    let got = ask(&call, |row| {
        (row.role_arn.map(str::to_owned), row.role_arn_source, row.role_path.map(str::to_owned))
    });
    let expect = (
        Some("arn:aws:iam::222222222222:role/app/Target".to_owned()),
        Some(RoleArnSource::Identity),
        Some("/app/".to_owned()),
    );
    assert_eq!(got, expect);
}

#[test]
fn console_sign_in_of_a_user() {
    let sign_in = |answer: &str, mfa: &str| {
        record(
            "signin",
            "ConsoleLogin",
            json!({"eventType": "AwsConsoleSignIn", "requestID": "-", "readOnly": "-",
                "userIdentity": {"type": "IAMUser", "principalId": "AIDAANN", "userName": "ann",
                    "accountId": "111111111111", "accessKeyId": ""},
                "responseElements": {"ConsoleLogin": answer},
                "additionalEventData": {"LoginTo": "https://console.aws.amazon.com/",
                    "MobileVersion": "No", "MFAUsed": mfa}}),
        )
    };
    let expect = |outcome, mfa| CredentialEvent {
        request_id: None,
        read_only: None,
        caller_type: Some("IAMUser"),
        caller_principal_id: Some("AIDAANN"),
        caller_account_id: Some("111111111111"),
        caller_user_name: Some("ann"),
        caller_mfa: Some(mfa),
        outcome: Some(outcome),
        ..envelope("signin.amazonaws.com", "ConsoleLogin")
    };
    check_credential(&sign_in("Success", "Yes"), &expect(Outcome::Success, true));
    check_credential(&sign_in("Success", "YES"), &expect(Outcome::Success, true));
    check_credential(&sign_in("Success", "No"), &expect(Outcome::Success, false));
    check_credential(&sign_in("Failure", "No"), &expect(Outcome::Failure, false));

    let mut with_message = sign_in("Failure", "No");
    with_message["errorMessage"] = json!("Failed authentication");
    let failed = CredentialEvent {
        error_message: Some("Failed authentication"),
        ..expect(Outcome::Failure, false)
    };
    check_credential(&with_message, &failed);
}

#[test]
fn console_sign_in_by_saml_says_nothing_about_mfa() {
    let call = record(
        "signin",
        "ConsoleLogin",
        json!({"userIdentity": {"type": "AssumedRole", "principalId": "AROATARGET:ann@example.com",
                "arn": "arn:aws:sts::111111111111:assumed-role/Target/ann@example.com",
                "accountId": "111111111111"},
            "responseElements": {"ConsoleLogin": "Success"},
            "additionalEventData": {"MFAUsed": "No",
                "SamlProviderArn": "arn:aws:iam::111111111111:saml-provider/Corp"}}),
    );
    let expect = CredentialEvent {
        caller_type: Some("AssumedRole"),
        caller_arn: Some("arn:aws:sts::111111111111:assumed-role/Target/ann@example.com"),
        caller_principal_id: Some("AROATARGET:ann@example.com"),
        caller_account_id: Some("111111111111"),
        caller_session_name: Some("ann@example.com"),
        caller_mfa: None,
        identity_provider: Some("arn:aws:iam::111111111111:saml-provider/Corp"),
        role_account_id: Some("111111111111"),
        role_name: Some("Target"),
        role_id: Some("AROATARGET"),
        session_name: Some("ann@example.com"),
        session_arn: Some(Cow::Borrowed(
            "arn:aws:sts::111111111111:assumed-role/Target/ann@example.com",
        )),
        ..envelope("signin.amazonaws.com", "ConsoleLogin")
    };
    check_credential(&call, &expect);
}

#[test]
fn a_sign_in_token_is_a_new_key_of_the_same_caller() {
    let call = record(
        "signin",
        "GetSigninToken",
        json!({"userIdentity": role_session(), "responseElements": {"GetSigninToken": "Success",
            "credentials": {"accessKeyId": "ASIANEW"}}}),
    );
    let expect = CredentialEvent {
        issued_access_key_id: Some("ASIANEW"),
        source_identity: Some("ann"),
        ..role_session_calls(envelope("signin.amazonaws.com", "GetSigninToken"))
    };
    check_credential(&call, &expect);
}

#[test]
fn assume_root_names_the_account_either_way() {
    for principal in ["222222222222", "arn:aws:iam::222222222222:root"] {
        let call = record(
            "sts",
            "AssumeRoot",
            json!({"userIdentity": user(), "readOnly": false,
                "requestParameters": {"targetPrincipal": principal, "durationSeconds": 900,
                    "taskPolicyArn": {"arn": "arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy"}},
                "responseElements": {"credentials": credentials("ASIAROOT")}}),
        );
        let expect = CredentialEvent {
            read_only: Some(false),
            target_principal: Some(principal),
            task_policy_arn: Some("arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy"),
            duration_seconds: Some(900),
            role_account_id: Some("222222222222"),
            issued_access_key_id: Some("ASIAROOT"),
            issued_expiration: Some(TIME + HOUR),
            ..user_calls(sts("AssumeRoot"))
        };
        check_credential(&call, &expect);
    }
}

#[test]
fn federation_and_session_tokens_of_a_user() {
    let federation = record(
        "sts",
        "GetFederationToken",
        json!({"userIdentity": user(), "readOnly": false,
            "requestParameters": {"name": "bob", "policyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
                "tags": [{"key": "team", "value": "core"}], "durationSeconds": 7200},
            "responseElements": {"credentials": credentials("ASIAFED"), "packedPolicySize": 4,
                "federatedUser": {"federatedUserId": "111111111111:bob",
                    "arn": "arn:aws:sts::111111111111:federated-user/bob"}}}),
    );
    let expect = CredentialEvent {
        read_only: Some(false),
        session_name: Some("bob"),
        session_arn: Some(Cow::Borrowed("arn:aws:sts::111111111111:federated-user/bob")),
        session_policy_arns: vec!["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        session_tags: vec![("team", "core")],
        duration_seconds: Some(7_200),
        issued_access_key_id: Some("ASIAFED"),
        issued_expiration: Some(TIME + HOUR),
        ..user_calls(sts("GetFederationToken"))
    };
    check_credential(&federation, &expect);

    let session = record(
        "sts",
        "GetSessionToken",
        json!({"userIdentity": user(), "readOnly": false,
            "requestParameters": {"serialNumber": "arn:aws:iam::111111111111:mfa/ann",
                "durationSeconds": "3600"},
            "responseElements": {"credentials": credentials("ASIASES")}}),
    );
    let expect = CredentialEvent {
        read_only: Some(false),
        mfa_serial: Some("arn:aws:iam::111111111111:mfa/ann"),
        duration_seconds: Some(3_600),
        issued_access_key_id: Some("ASIASES"),
        issued_expiration: Some(TIME + HOUR),
        ..user_calls(sts("GetSessionToken"))
    };
    check_credential(&session, &expect);
}

#[test]
fn roles_anywhere_answers_with_a_list() {
    let call = record(
        "rolesanywhere",
        "CreateSession",
        json!({"userIdentity": {"type": "Unknown"}, "readOnly": false,
            "requestParameters": {"cert": SECRET, "durationSeconds": 3600,
                "profileArn": "arn:aws:rolesanywhere:eu-west-1:222222222222:profile/p",
                "trustAnchorArn": "arn:aws:rolesanywhere:eu-west-1:222222222222:trust-anchor/t",
                "roleArn": "arn:aws:iam::222222222222:role/app/Target"},
            "responseElements": {
                "subjectArn": "arn:aws:rolesanywhere:eu-west-1:222222222222:subject/s",
                "credentialSet": [{"credentials": credentials("ASIACHILD"),
                    "sourceIdentity": "CN=host7", "assumedRoleUser": {
                        "assumedRoleId": "AROATARGET:s1",
                        "arn": "arn:aws:sts::222222222222:assumed-role/Target/s1"}}]}}),
    );
    let expect = CredentialEvent {
        read_only: Some(false),
        caller_type: Some("Unknown"),
        duration_seconds: Some(3_600),
        federated_subject: Some("arn:aws:rolesanywhere:eu-west-1:222222222222:subject/s"),
        source_identity: Some("CN=host7"),
        ..target(envelope("rolesanywhere.amazonaws.com", "CreateSession"))
    };
    check_credential(&call, &expect);
}

#[test]
fn identity_center_keeps_the_target_in_service_event_details() {
    let call = record(
        "sso",
        "GetRoleCredentials",
        json!({"eventType": "AwsServiceEvent",
            "userIdentity": {"type": "IdentityCenterUser", "accountId": "111111111111",
                "onBehalfOf": {"userId": "u-1", "identityStoreArn": "arn:aws:identitystore::1:x"},
                "credentialId": "c-1"},
            "serviceEventDetails": {"account_id": "222222222222", "role_name": "ReadOnly"}}),
    );
    let expect = CredentialEvent {
        caller_type: Some("IdentityCenterUser"),
        caller_account_id: Some("111111111111"),
        caller_on_behalf_of: Some("u-1"),
        role_account_id: Some("222222222222"),
        permission_set: Some("ReadOnly"),
        credential_id: Some("c-1"),
        ..envelope("sso.amazonaws.com", "GetRoleCredentials")
    };
    check_credential(&call, &expect);
}

#[test]
fn absent_empty_and_unknown_are_the_same() {
    for absent in [json!(""), json!("Unknown"), Value::Null, json!(7), json!({}), json!("-")] {
        let mut identity = json!({"type": "IAMUser", "accessKeyId": absent});
        if absent == "-" {
            identity = json!({"type": "IAMUser"});
        }
        let call = assume_role(json!({"userIdentity": identity,
            "responseElements": {"credentials": {"accessKeyId": absent}}, "sharedEventID": ""}));
        let mut call = call;
        if absent == "-" {
            call["responseElements"] = json!({"credentials": {}});
        }
        let expect = CredentialEvent { caller_type: Some("IAMUser"), ..sts("AssumeRole") };
        check_credential(&call, &expect);
    }
}

#[test]
fn an_empty_session_issuer_is_no_issuer() {
    let call = record(
        "sts",
        "GetSessionToken",
        json!({"userIdentity": {"type": "IAMUser", "accessKeyId": "ASIAUSER", "userName": "ann",
            "sessionContext": {"sessionIssuer": {}, "webIdFederationData": {},
                "attributes": {"creationDate": "20260105T061203Z", "mfaAuthenticated": "true"}}}}),
    );
    let expect = CredentialEvent {
        caller_type: Some("IAMUser"),
        caller_user_name: Some("ann"),
        caller_access_key_id: Some("ASIAUSER"),
        caller_session_created: Some(TIME - HOUR),
        caller_mfa: Some(true),
        ..sts("GetSessionToken")
    };
    check_credential(&call, &expect);
}

#[test]
fn a_record_of_2013_lacks_what_came_later() {
    let call = json!({"eventVersion": "1.01", "userIdentity": user(),
        "eventTime": "2026-01-05T07:12:03Z", "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRole", "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.10",
        "userAgent": "[aws-sdk-java/1.6]", "requestParameters": target_request(),
        "responseElements": target_response()});
    let expect = CredentialEvent {
        event_id: None,
        request_id: None,
        event_version: Some("1.01"),
        aws_region: Some("us-east-1"),
        recipient_account_id: None,
        user_agent: Some("[aws-sdk-java/1.6]"),
        read_only: None,
        ..target(user_calls(sts("AssumeRole")))
    };
    check_credential(&call, &expect);
}

#[test]
fn values_of_other_types_than_documented_are_absent() {
    let call = assume_role(json!({
        "eventVersion": 1.08, "awsRegion": ["eu-west-1"], "requestID": 17, "eventID": {},
        "readOnly": "TRUE", "recipientAccountId": 111_111_111_111_u64, "sharedEventID": true,
        "userIdentity": {"type": "AWSAccount", "accountId": 333_333_333_333_u64, "arn": [],
            "principalId": 5, "userName": {}, "sessionContext": "text", "onBehalfOf": "u-1",
            "inScopeOf": 3},
        "requestParameters": {"roleArn": 5, "durationSeconds": "3600", "tags": "team", "policyArns": {},
            "externalId": 12345, "transitiveTagKeys": [1, "a"], "roleSessionName": null},
        "responseElements": "text", "additionalEventData": "{\"SwitchFrom\":\"x\"}",
        "resources": {"ARN": "arn:aws:iam::111111111111:role/X"},
        "tlsDetails": [], "addendum": "UPDATED_DATA", "serviceEventDetails": 1}));
    let expect = CredentialEvent {
        event_id: None,
        request_id: None,
        event_version: None,
        aws_region: None,
        recipient_account_id: None,
        caller_type: Some("AWSAccount"),
        duration_seconds: Some(3_600),
        transitive_tag_keys: vec!["a"],
        ..sts("AssumeRole")
    };
    check_credential(&call, &expect);
}

#[test]
fn a_correction_names_the_event_it_replaces() {
    for (reason, expect) in
        [("UPDATED_DATA", Some("ev-0")), ("DELIVERY_DELAY", None), ("SERVICE_OUTAGE", None)]
    {
        let call = assume_role(json!({"addendum": {"reason": reason, "updatedFields": "x",
            "originalRequestID": "req-0", "originalEventID": "ev-0"}}));
        let got = ask(&call, |row| row.supersedes_event_id.map(str::to_owned));
        assert_eq!(got.as_deref(), expect, "{reason}");
    }
}

#[test]
fn exactly_the_documented_events_are_credential_events() {
    for (source, names) in [
        (
            "sts",
            &[
                "AssumeRole",
                "AssumeRoleWithSAML",
                "AssumeRoleWithWebIdentity",
                "AssumeRoot",
                "GetSessionToken",
                "GetFederationToken",
                "GetDelegatedAccessToken",
                "GetWebIdentityToken",
            ][..],
        ),
        (
            "signin",
            &[
                "ConsoleLogin",
                "SwitchRole",
                "ExitRole",
                "RenewRole",
                "GetSigninToken",
                "CreateOAuth2Token",
                "CreateOAuth2TokenWithIAM",
                "CreateOAuth2TokenWithTokenExchange",
                "AuthorizeOAuth2Access",
                "RevokeOAuth2TokenWithIAM",
                "CreateBearerToken",
            ],
        ),
        ("sso", &["Federate", "GetRoleCredentials"]),
        ("sso-oauth", &["CreateToken", "CreateTokenWithIAM"]),
        ("rolesanywhere", &["CreateSession"]),
        ("eks-auth", &["AssumeRoleForPodIdentity"]),
        ("cognito-identity", &["GetCredentialsForIdentity"]),
    ] {
        for name in names {
            assert_eq!(ask(&record(source, name, json!({})), |row| row.record_index), 0, "{name}");
        }
    }
    for (source, name) in [
        ("sts", "GetCallerIdentity"),
        ("sts", "SwitchRole"),
        ("signin", "AssumeRole"),
        ("signin", "CheckMfa"),
        ("sso", "Authenticate"),
        ("sso", "CreateToken"),
        ("iam", "CreateSession"),
    ] {
        let text = crate::support::log_file(&[record(source, name, json!({}))]);
        let account = crate::support::account(&text).unwrap();
        assert_eq!((account.credential, account.other), (0, 1), "{source}:{name}");
    }
}

#[test]
fn a_program_that_is_let_in_says_which_session_it_makes_and_what_for() {
    let made = "arn:aws:signin:us-east-1:111111111111:session/0f1e";
    let call = record(
        "signin",
        "CreateOAuth2Token",
        json!({
            "requestParameters": {"client_id": "arn:aws:signin:::devtools/same-device",
                "resource": "https://aws-mcp.us-east-1.api.aws/mcp", "code": SECRET},
            "additionalEventData": {"signInSessionArn": made, "success": "true"},
        }),
    );
    let got = ask(&call, |row| {
        [row.sign_in_session_arn, row.oauth_client_id, row.oauth_resource]
            .map(|text| text.map(str::to_owned))
    });
    assert_eq!(
        got.map(Option::unwrap),
        [made, "arn:aws:signin:::devtools/same-device", "https://aws-mcp.us-east-1.api.aws/mcp"]
    );
    let within = record(
        "sts",
        "AssumeRole",
        json!({"userIdentity": {"type": "IAMUser", "sessionContext": {"signInSessionArn": made}}}),
    );
    assert_eq!(ask(&within, |row| row.sign_in_session_arn.map(str::to_owned)).unwrap(), made);
}

#[test]
fn tokens_for_other_partitions_and_clouds() {
    let asked = record(
        "sts",
        "GetWebIdentityToken",
        json!({
            "requestParameters": {"audience": ["api://AzureADTokenExchange"], "signingAlgorithm": "ES384"},
            "responseElements": {"webIdentityTokenId": "t-1", "expiration": "x", "webIdentityToken": SECRET},
        }),
    );
    let got = ask(&asked, |row| {
        [row.web_identity_token_id, row.federated_audience].map(|text| text.map(str::to_owned))
    });
    assert_eq!(got.map(Option::unwrap), ["t-1", "api://AzureADTokenExchange"]);
    let traded = record(
        "sts",
        "AssumeRoleWithWebIdentity",
        json!({
            "requestParameters": {"webIdentityTokenId": "t-1", "roleArn": "arn:aws-cn:iam::333333333333:role/Mirror"},
            "additionalEventData": {"crossPartitionData":
                {"sourcePrincipalArn": "arn:aws:iam::111111111111:role/Sync", "sourceRegion": "us-east-1"}},
        }),
    );
    let got = ask(&traded, |row| {
        [row.web_identity_token_id, row.source_principal_arn, row.source_region]
            .map(|text| text.map(str::to_owned))
    });
    assert_eq!(
        got.map(Option::unwrap),
        ["t-1", "arn:aws:iam::111111111111:role/Sync", "us-east-1"]
    );
}

#[test]
fn identity_centers_sign_in_is_kept_where_a_call_stands_on_it() {
    let portal = record(
        "sso",
        "GetRoleCredentials",
        json!({"userIdentity": {"type": "IdentityCenterUser", "credentialId": "cred-1",
            "onBehalfOf": {"userId": "94d0"}}}),
    );
    let program = record(
        "sso-oauth",
        "CreateTokenWithIAM",
        json!({"requestParameters": {"clientId": "arn:aws:sso::1:application/a"},
            "responseElements": {"awsAdditionalDetails": {"identitycenter:CredentialId": "cred-1"}}}),
    );
    for call in [portal, program] {
        assert_eq!(ask(&call, |row| row.credential_id.map(str::to_owned)).unwrap(), "cred-1");
    }
}
