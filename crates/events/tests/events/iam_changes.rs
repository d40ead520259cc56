//! Changes of keys, users, roles, policies, providers and trails: target, document and status of each.

use std::borrow::Cow;

use rolecall_events::rows::{IamChange, Outcome};
use serde_json::{Value, json};

use crate::support::{SECRET, TIME, account, check_iam, counts, log_file, record};

fn row(source: &'static str, name: &'static str, target_type: &'static str) -> IamChange<'static> {
    IamChange {
        event_id: Some("ev-1"),
        event_time: TIME,
        event_source: source,
        event_name: name,
        aws_region: Some("eu-west-1"),
        recipient_account_id: Some("111111111111"),
        outcome: Some(Outcome::Success),
        actor_arn: Some("arn:aws:iam::111111111111:user/ann"),
        actor_principal_id: Some("AIDAANN"),
        actor_access_key_id: Some("AKIAANN"),
        source_ip: Some("192.0.2.10"),
        user_agent: Some("aws-cli/2.15"),
        target_type,
        ..IamChange::default()
    }
}

fn iam(name: &'static str, target_type: &'static str) -> IamChange<'static> {
    row("iam.amazonaws.com", name, target_type)
}

/// `SOURCE:NAME` by the user ann with this request and answer.
#[track_caller]
fn check(source: &str, request: Value, response: Value, expect: &IamChange<'_>) {
    let call = record(
        source,
        expect.event_name,
        json!({"requestParameters": request, "responseElements": response,
            "userIdentity": {"type": "IAMUser", "principalId": "AIDAANN", "userName": "ann",
                "arn": "arn:aws:iam::111111111111:user/ann", "accessKeyId": "AKIAANN"}}),
    );
    check_iam(&call, expect);
}

#[track_caller]
fn check_iam_call(request: Value, response: Value, expect: &IamChange<'_>) {
    check("iam", request, response, expect);
}

#[test]
fn access_keys() {
    check_iam_call(
        json!({"userName": "bob"}),
        json!({"accessKey": {"userName": "bob", "accessKeyId": "AKIABOB", "status": "Active",
            "createDate": "Jan 5, 2026, 7:12:03 AM", "secretAccessKey": SECRET}}),
        &IamChange {
            target_name: Some("bob"),
            target_id: Some("AKIABOB"),
            status: Some("Active"),
            ..iam("CreateAccessKey", "access_key")
        },
    );
    check_iam_call(
        json!({"userName": "bob", "accessKeyId": "AKIABOB", "status": "Inactive"}),
        Value::Null,
        &IamChange {
            target_name: Some("bob"),
            target_id: Some("AKIABOB"),
            status: Some("Inactive"),
            ..iam("UpdateAccessKey", "access_key")
        },
    );
    // Without a user name the call is about the caller's own key.
    check_iam_call(
        json!({"accessKeyId": "AKIAOLD"}),
        Value::Null,
        &IamChange {
            target_name: Some("ann"),
            target_id: Some("AKIAOLD"),
            ..iam("DeleteAccessKey", "access_key")
        },
    );
}

#[test]
fn users_and_groups() {
    check_iam_call(
        json!({"userName": "bob", "path": "/eng/"}),
        json!({"user": {"userName": "bob", "userId": "AIDABOB", "path": "/eng/",
            "arn": "arn:aws:iam::111111111111:user/eng/bob"}}),
        &IamChange {
            target_name: Some("bob"),
            target_id: Some("AIDABOB"),
            target_arn: Some("arn:aws:iam::111111111111:user/eng/bob"),
            ..iam("CreateUser", "user")
        },
    );
    check_iam_call(
        json!({"userName": "bob", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        Value::Null,
        &IamChange {
            target_name: Some("bob"),
            policy_arn: Some("arn:aws:iam::aws:policy/AdministratorAccess"),
            ..iam("AttachUserPolicy", "user")
        },
    );
    check_iam_call(
        json!({"userName": "bob", "permissionsBoundary": "arn:aws:iam::111111111111:policy/B"}),
        Value::Null,
        &IamChange {
            target_name: Some("bob"),
            policy_arn: Some("arn:aws:iam::111111111111:policy/B"),
            ..iam("PutUserPermissionsBoundary", "user")
        },
    );
    check_iam_call(
        json!({"groupName": "admins", "policyName": "p", "policyDocument": "{\"Statement\":[]}"}),
        Value::Null,
        &IamChange {
            target_name: Some("admins"),
            document: Some(Cow::Borrowed("{\"Statement\":[]}")),
            ..iam("PutGroupPolicy", "group")
        },
    );
    check_iam_call(
        json!({"passwordResetRequired": true}),
        json!({"loginProfile": {"userName": "ann"}}),
        &IamChange { target_name: Some("ann"), ..iam("CreateLoginProfile", "login_profile") },
    );
}

#[test]
fn roles_and_their_policies() {
    let trust = r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"222222222222"}}]}"#;
    check_iam_call(
        json!({"roleName": "Deploy", "path": "/ci/", "assumeRolePolicyDocument": trust}),
        json!({"role": {"roleName": "Deploy", "roleId": "AROADEPLOY", "path": "/ci/",
            "arn": "arn:aws:iam::111111111111:role/ci/Deploy",
            "assumeRolePolicyDocument": "%7B%7D"}}),
        &IamChange {
            target_name: Some("Deploy"),
            target_id: Some("AROADEPLOY"),
            target_arn: Some("arn:aws:iam::111111111111:role/ci/Deploy"),
            document: Some(Cow::Borrowed(trust)),
            ..iam("CreateRole", "role")
        },
    );
    check_iam_call(
        json!({"roleName": "Deploy", "policyDocument": trust}),
        Value::Null,
        &IamChange {
            target_name: Some("Deploy"),
            document: Some(Cow::Borrowed(trust)),
            ..iam("UpdateAssumeRolePolicy", "role")
        },
    );
    check_iam_call(
        json!({"roleName": "Deploy", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
        Value::Null,
        &IamChange {
            target_name: Some("Deploy"),
            policy_arn: Some("arn:aws:iam::aws:policy/ReadOnlyAccess"),
            ..iam("DetachRolePolicy", "role")
        },
    );
    check_iam_call(
        json!({"instanceProfileName": "web", "roleName": "Web"}),
        Value::Null,
        &IamChange {
            target_name: Some("web"),
            ..iam("AddRoleToInstanceProfile", "instance_profile")
        },
    );
}

#[test]
fn managed_policies() {
    check_iam_call(
        json!({"policyName": "p", "policyDocument": "{}"}),
        json!({"policy": {"policyName": "p", "policyId": "ANPAP",
            "arn": "arn:aws:iam::111111111111:policy/p", "defaultVersionId": "v1"}}),
        &IamChange {
            target_name: Some("p"),
            target_id: Some("ANPAP"),
            target_arn: Some("arn:aws:iam::111111111111:policy/p"),
            document: Some(Cow::Borrowed("{}")),
            ..iam("CreatePolicy", "policy")
        },
    );
    check_iam_call(
        json!({"policyArn": "arn:aws:iam::111111111111:policy/p", "versionId": "v2"}),
        Value::Null,
        &IamChange {
            target_arn: Some("arn:aws:iam::111111111111:policy/p"),
            policy_arn: Some("arn:aws:iam::111111111111:policy/p"),
            ..iam("SetDefaultPolicyVersion", "policy")
        },
    );
}

#[test]
fn identity_providers() {
    let arn = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com";
    check_iam_call(
        json!({"url": "https://token.actions.githubusercontent.com", "clientIDList": ["sts"]}),
        json!({"openIDConnectProviderArn": arn}),
        &IamChange {
            target_name: Some("https://token.actions.githubusercontent.com"),
            target_arn: Some(arn),
            ..iam("CreateOpenIDConnectProvider", "oidc_provider")
        },
    );
    check_iam_call(
        json!({"sAMLMetadataDocument": "<md/>", "name": "Corp"}),
        json!({"sAMLProviderArn": "arn:aws:iam::111111111111:saml-provider/Corp"}),
        &IamChange {
            target_name: Some("Corp"),
            target_arn: Some("arn:aws:iam::111111111111:saml-provider/Corp"),
            document: Some(Cow::Borrowed("<md/>")),
            ..iam("CreateSAMLProvider", "saml_provider")
        },
    );
}

#[test]
fn trails_and_their_selectors() {
    let arn = "arn:aws:cloudtrail:eu-west-1:111111111111:trail/org";
    let trail = |name| row("cloudtrail.amazonaws.com", name, "trail");
    check(
        "cloudtrail",
        json!({"name": "org", "s3BucketName": "logs"}),
        json!({"name": "org", "trailARN": arn}),
        &IamChange { target_name: Some("org"), target_arn: Some(arn), ..trail("CreateTrail") },
    );
    // Calls may name the trail by its ARN.
    check(
        "cloudtrail",
        json!({"name": arn}),
        Value::Null,
        &IamChange { target_name: Some(arn), target_arn: Some(arn), ..trail("StopLogging") },
    );
    check(
        "cloudtrail",
        json!({"trailName": "org", "eventSelectors": [
            {"readWriteType": "WriteOnly", "includeManagementEvents": true, "dataResources": []}]}),
        Value::Null,
        &IamChange {
            target_name: Some("org"),
            document: Some(Cow::Borrowed(
                "{\"eventSelectors\":[{\"dataResources\":[],\"includeManagementEvents\":true,\
                 \"readWriteType\":\"WriteOnly\"}]}",
            )),
            ..trail("PutEventSelectors")
        },
    );
}

#[test]
fn selectors_are_written_as_json_again() {
    let selectors =
        json!([{"a": ["\"quoted\" \\ \n\r\t\u{1}\u{1f}é", 1, -2.5, true, null, {}, []]}]);
    let call = record(
        "cloudtrail",
        "PutEventSelectors",
        json!({"requestParameters": {"advancedEventSelectors": selectors}}),
    );
    let mut reader = rolecall_events::Reader::new(rolecall_events::Limits::default());
    let text = log_file(&[call]);
    let file = reader.read(&text).unwrap();
    let document: Value =
        serde_json::from_str(file.iam_changes[0].document.as_deref().unwrap()).unwrap();
    assert_eq!(document, json!({ "advancedEventSelectors": selectors }));
}

#[test]
fn trust_anchors_profiles_and_identity_center() {
    let anchor = "arn:aws:rolesanywhere:eu-west-1:111111111111:trust-anchor/ta-1";
    check(
        "rolesanywhere",
        json!({"name": "hosts", "enabled": true,
            "source": {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509": "-----"}}}),
        json!({"trustAnchor": {"name": "hosts", "trustAnchorId": "ta-1", "trustAnchorArn": anchor}}),
        &IamChange {
            target_name: Some("hosts"),
            target_id: Some("ta-1"),
            target_arn: Some(anchor),
            ..row("rolesanywhere.amazonaws.com", "CreateTrustAnchor", "trust_anchor")
        },
    );
    check(
        "rolesanywhere",
        json!({"trustAnchorId": "ta-1"}),
        json!({"trustAnchor": {"name": "hosts", "trustAnchorId": "ta-1"}}),
        &IamChange {
            target_name: Some("hosts"),
            target_id: Some("ta-1"),
            ..row("rolesanywhere.amazonaws.com", "DisableTrustAnchor", "trust_anchor")
        },
    );
    check(
        "sso",
        json!({"targetId": "222222222222", "targetType": "AWS_ACCOUNT", "principalId": "g-1",
            "principalType": "GROUP", "permissionSetArn": "arn:aws:sso:::permissionSet/i/ps"}),
        json!({"accountAssignmentCreationStatus": {"status": "IN_PROGRESS"}}),
        &IamChange {
            target_name: Some("222222222222"),
            target_id: Some("g-1"),
            target_arn: Some("arn:aws:sso:::permissionSet/i/ps"),
            ..row("sso.amazonaws.com", "CreateAccountAssignment", "account_assignment")
        },
    );
    check(
        "sso",
        json!({"permissionSetArn": "arn:aws:sso:::permissionSet/i/ps", "inlinePolicy": "{}"}),
        Value::Null,
        &IamChange {
            target_arn: Some("arn:aws:sso:::permissionSet/i/ps"),
            document: Some(Cow::Borrowed("{}")),
            ..row("sso.amazonaws.com", "PutInlinePolicyToPermissionSet", "permission_set")
        },
    );
}

#[test]
fn a_denied_change_is_a_change_that_failed() {
    let call = record(
        "iam",
        "CreateUser",
        json!({"errorCode": "AccessDenied", "errorMessage": "x", "sourceIPAddress": "AWS Internal"}),
    );
    let expect = IamChange {
        actor_arn: None,
        actor_principal_id: None,
        actor_access_key_id: None,
        outcome: Some(Outcome::Failure),
        error_code: Some("AccessDenied"),
        source_ip: None,
        source_service: Some("AWS Internal"),
        ..iam("CreateUser", "user")
    };
    check_iam(&call, &expect);
}

#[test]
fn reading_changes_nothing() {
    for name in ["GetUser", "ListAccessKeys", "SimulatePrincipalPolicy", "GenerateCredentialReport"]
    {
        let account = account(&log_file(&[record("iam", name, json!({}))])).unwrap();
        assert_eq!((counts(&account), account.iam_changes), ([1, 0, 1, 0], 0), "{name}");
    }
}

#[test]
fn every_kind_of_change_the_product_promises_is_one() {
    for (source, names) in [
        (
            "iam",
            "CreateAccessKey UpdateAccessKey DeleteAccessKey CreateUser UpdateUser DeleteUser \
            CreateGroup DeleteGroup AddUserToGroup RemoveUserFromGroup CreateRole UpdateRole DeleteRole \
            UpdateAssumeRolePolicy CreateServiceLinkedRole PutRolePolicy DeleteRolePolicy PutUserPolicy \
            DeleteUserPolicy PutGroupPolicy DeleteGroupPolicy AttachRolePolicy DetachRolePolicy \
            AttachUserPolicy DetachUserPolicy AttachGroupPolicy DetachGroupPolicy \
            PutRolePermissionsBoundary DeleteRolePermissionsBoundary CreatePolicy DeletePolicy \
            CreatePolicyVersion DeletePolicyVersion SetDefaultPolicyVersion CreateSAMLProvider \
            UpdateSAMLProvider DeleteSAMLProvider CreateOpenIDConnectProvider \
            DeleteOpenIDConnectProvider UpdateOpenIDConnectProviderThumbprint \
            AddClientIDToOpenIDConnectProvider RemoveClientIDFromOpenIDConnectProvider \
            AddRoleToInstanceProfile RemoveRoleFromInstanceProfile CreateLoginProfile",
        ),
        (
            "rolesanywhere",
            "CreateTrustAnchor UpdateTrustAnchor DeleteTrustAnchor EnableTrustAnchor \
            DisableTrustAnchor CreateProfile UpdateProfile DeleteProfile",
        ),
        (
            "cloudtrail",
            "CreateTrail UpdateTrail DeleteTrail StartLogging StopLogging \
            PutEventSelectors PutInsightSelectors",
        ),
        (
            "sso",
            "CreatePermissionSet DeletePermissionSet CreateAccountAssignment \
            DeleteAccountAssignment PutPermissionsBoundaryToPermissionSet \
            DeletePermissionsBoundaryFromPermissionSet \
            AttachCustomerManagedPolicyReferenceToPermissionSet \
            DetachCustomerManagedPolicyReferenceFromPermissionSet",
        ),
    ] {
        for name in names.split_whitespace() {
            let account = account(&log_file(&[record(source, name, json!({}))])).unwrap();
            assert_eq!((account.other, account.iam_changes), (1, 1), "{source}:{name}");
        }
    }
}

#[test]
fn documents_are_bounded_between_characters() {
    const BOUND: usize = 100 * 1024;
    // 'é' is two bytes, so one of the two paddings puts the bound inside a character.
    for padding in ["", "x"] {
        let long = format!("{padding}{}", "é".repeat(BOUND));
        let cut = BOUND - (BOUND - padding.len()) % 2;
        check_iam_call(
            json!({"roleName": "Deploy", "policyDocument": long}),
            Value::Null,
            &IamChange {
                target_name: Some("Deploy"),
                document: Some(Cow::Borrowed(&long[..cut])),
                ..iam("UpdateAssumeRolePolicy", "role")
            },
        );
    }
    let call = record(
        "cloudtrail",
        "PutEventSelectors",
        json!({"requestParameters": {"eventSelectors": ["é".repeat(BOUND)]}}),
    );
    let mut reader = rolecall_events::Reader::new(rolecall_events::Limits::default());
    let text = log_file(&[call]);
    let file = reader.read(&text).unwrap();
    let document = file.iam_changes[0].document.as_deref().unwrap();
    assert!(document.starts_with("{\"eventSelectors\":[\"éé") && document.ends_with('é'));
    assert!((BOUND - 1..=BOUND).contains(&document.len()));
}
