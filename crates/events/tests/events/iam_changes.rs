//! Changes of keys, users, roles, policies, providers and trails: target, document and status of each.

use std::borrow::Cow;

use rolecall_events::rows::{IamChange, Outcome};
use rolecall_events::{Limits, Reader};
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

/// A call of IAM's by `caller`, else by the user ann.
fn call(name: &str, request: Value, response: Value, caller: Option<Value>) -> Value {
    let caller = caller.unwrap_or_else(|| {
        json!({"type": "IAMUser", "principalId": "AIDAANN", "userName": "ann",
            "arn": "arn:aws:iam::111111111111:user/ann", "accessKeyId": "AKIAANN"})
    });
    let members = json!({
        "requestParameters": request, "responseElements": response, "userIdentity": caller});
    record("iam", name, members)
}

/// A question about the one change of `record`.
#[track_caller]
fn ask<T>(record: &Value, get: impl FnOnce(&IamChange<'_>) -> T) -> T {
    let text = log_file(std::slice::from_ref(record));
    let mut reader = Reader::new(Limits::default());
    let file = reader.read(&text).unwrap();
    assert_eq!(file.iam_changes.len(), 1, "no IAM change: {record}");
    assert!(!format!("{file:?}").contains(SECRET), "a secret came out: {file:#?}");
    get(&file.iam_changes[0])
}

#[test]
fn service_specific_credentials() {
    let credential = |name| IamChange {
        target_name: Some("bob"),
        target_id: Some("ACCABOB"),
        ..iam(name, "service_specific_credential")
    };
    let answer = json!({"serviceSpecificCredential": {"createDate": "Jan 5, 2026 7:12:03 AM",
        "status": "Active", "serviceName": "bedrock.amazonaws.com", "userName": "bob",
        "serviceUserName": "bob-at-111111111111", "servicePassword": SECRET,
        "serviceCredentialAlias": "bob-1", "serviceCredentialSecret": SECRET,
        "serviceSpecificCredentialId": "ACCABOB"}});
    check_iam_call(
        json!({"userName": "bob", "serviceName": "bedrock.amazonaws.com", "credentialAgeDays": 30}),
        answer.clone(),
        &IamChange { status: Some("Active"), ..credential("CreateServiceSpecificCredential") },
    );
    check_iam_call(
        json!({"userName": "bob", "serviceSpecificCredentialId": "ACCABOB"}),
        answer,
        &IamChange { status: Some("Active"), ..credential("ResetServiceSpecificCredential") },
    );
    check_iam_call(
        json!({"userName": "bob", "serviceSpecificCredentialId": "ACCABOB", "status": "Inactive"}),
        Value::Null,
        &IamChange { status: Some("Inactive"), ..credential("UpdateServiceSpecificCredential") },
    );
    check_iam_call(
        json!({"serviceSpecificCredentialId": "ACCABOB"}),
        Value::Null,
        &IamChange { target_name: Some("ann"), ..credential("DeleteServiceSpecificCredential") },
    );
}

#[test]
fn ssh_keys_and_signing_certificates() {
    let key = |name| IamChange {
        target_name: Some("bob"),
        target_id: Some("APKABOB"),
        ..iam(name, "ssh_public_key")
    };
    check_iam_call(
        json!({"userName": "bob", "sSHPublicKeyBody": "ssh-rsa AAAA"}),
        json!({"sSHPublicKey": {"fingerprint": "9f:4d", "sSHPublicKeyBody": "ssh-rsa AAAA",
            "status": "Active", "uploadDate": "Jan 5, 2026 7:12:03 AM", "userName": "bob",
            "sSHPublicKeyId": "APKABOB"}}),
        &IamChange { status: Some("Active"), ..key("UploadSSHPublicKey") },
    );
    check_iam_call(
        json!({"userName": "bob", "sSHPublicKeyId": "APKABOB", "status": "Inactive"}),
        Value::Null,
        &IamChange { status: Some("Inactive"), ..key("UpdateSSHPublicKey") },
    );
    check_iam_call(
        json!({"userName": "bob", "SSHPublicKeyId": "APKABOB"}),
        Value::Null,
        &key("DeleteSSHPublicKey"),
    );
    let certificate = |name| IamChange {
        target_name: Some("bob"),
        target_id: Some("CERTBOB"),
        ..iam(name, "signing_certificate")
    };
    check_iam_call(
        json!({"userName": "bob", "certificateBody": "-----BEGIN CERTIFICATE-----"}),
        json!({"certificate": {"userName": "bob", "certificateId": "CERTBOB", "status": "Active",
            "certificateBody": "-----BEGIN CERTIFICATE-----"}}),
        &IamChange { status: Some("Active"), ..certificate("UploadSigningCertificate") },
    );
    check_iam_call(
        json!({"userName": "bob", "certificateId": "CERTBOB", "status": "Inactive"}),
        Value::Null,
        &IamChange { status: Some("Inactive"), ..certificate("UpdateSigningCertificate") },
    );
    check_iam_call(
        json!({"certificateId": "CERTBOB"}),
        Value::Null,
        &IamChange { target_name: Some("ann"), ..certificate("DeleteSigningCertificate") },
    );
}

#[test]
fn mfa_devices() {
    let serial = "arn:aws:iam::111111111111:mfa/bobs-phone";
    let device = |name| IamChange {
        target_id: Some(serial),
        target_arn: Some(serial),
        ..iam(name, "mfa_device")
    };
    // Nobody's until it is enabled, whoever makes it.
    check_iam_call(
        json!({"virtualMFADeviceName": "bobs-phone", "path": "/"}),
        json!({"virtualMFADevice": {"serialNumber": serial, "base32StringSeed": SECRET,
            "qRCodePNG": SECRET}}),
        &device("CreateVirtualMFADevice"),
    );
    for name in ["EnableMFADevice", "ResyncMFADevice", "DeactivateMFADevice"] {
        check_iam_call(
            json!({"userName": "bob", "serialNumber": serial, "authenticationCode1": SECRET}),
            Value::Null,
            &IamChange { target_name: Some("bob"), ..device(name) },
        );
    }
    // Without a name it is the caller's; a hardware device has a serial number that is no ARN.
    check_iam_call(
        json!({"serialNumber": "GAHT12345678"}),
        Value::Null,
        &IamChange {
            target_name: Some("ann"),
            target_id: Some("GAHT12345678"),
            ..iam("DeactivateMFADevice", "mfa_device")
        },
    );
    check_iam_call(json!({"serialNumber": serial}), Value::Null, &device("DeleteVirtualMFADevice"));
}

#[test]
fn passwords() {
    let of = |name, user| IamChange { target_name: Some(user), ..iam(name, "login_profile") };
    for name in ["CreateLoginProfile", "UpdateLoginProfile"] {
        check_iam_call(
            json!({"userName": "bob", "password": SECRET, "passwordResetRequired": true}),
            json!({"loginProfile": {"userName": "bob", "passwordResetRequired": true}}),
            &of(name, "bob"),
        );
    }
    check_iam_call(json!({"userName": "bob"}), Value::Null, &of("DeleteLoginProfile", "bob"));
    check_iam_call(Value::Null, Value::Null, &of("ChangePassword", "ann"));
    check_iam_call(
        json!({"oldPassword": SECRET, "newPassword": SECRET}),
        Value::Null,
        &of("ChangePassword", "ann"),
    );
}

#[test]
fn what_names_no_user_is_the_callers_own() {
    let user = |arn: &str| json!({"type": "IAMUser", "principalId": "AIDAX", "arn": arn});
    let root = json!({"type": "Root", "principalId": "111111111111", "userName": "alias",
        "arn": "arn:aws:iam::111111111111:root"});
    let role = json!({"type": "AssumedRole", "principalId": "AROAX:s"});
    for (caller, expect) in [
        (user("arn:aws-cn:iam::111111111111:user/a/b/cy"), Some("cy")),
        (user("arn:aws:iam::111111111111:user/"), None),
        // As the inventory calls it; its user name in records is the alias of the account.
        (root, Some("<root_account>")),
        (role, None),
        (json!({}), None),
    ] {
        for name in ["DeleteAccessKey", "DeleteLoginProfile", "DeactivateMFADevice"] {
            let call = call(name, Value::Null, Value::Null, Some(caller.clone()));
            let got = ask(&call, |change| change.target_name.map(str::to_owned));
            assert_eq!(got.as_deref(), expect, "{name} by {caller}");
        }
    }
    // The console must name root where the call must name a user.
    let request = json!({"userName": "AWS ROOT USER", "serialNumber":
        "arn:aws:iam::111111111111:mfa/root-account-mfa-device"});
    let named = call("EnableMFADevice", request, Value::Null, None);
    let got = ask(&named, |change| change.target_name.map(str::to_owned));
    assert_eq!(got.as_deref(), Some("<root_account>"));
}

/// A refused call keeps no request: it was about anybody.
#[test]
fn regression_a_refused_change_of_another_users_key_is_not_the_callers() {
    for (name, request, expect) in [
        ("CreateAccessKey", Value::Null, None),
        ("DeleteLoginProfile", Value::Null, None),
        ("DeleteAccessKey", json!({"accessKeyId": "AKIAX"}), Some("ann")),
        // Nobody can change another's.
        ("ChangePassword", Value::Null, Some("ann")),
    ] {
        let mut call = call(name, request, Value::Null, None);
        call["errorCode"] = json!("AccessDenied");
        let (outcome, target) =
            ask(&call, |change| (change.outcome, change.target_name.map(str::to_owned)));
        assert_eq!((outcome, target.as_deref()), (Some(Outcome::Failure), expect), "{name}");
    }
}

#[test]
fn a_renamed_user_is_followed_to_its_new_name() {
    for (request, name, kind, document) in [
        (
            json!({"userName": "bob", "newUserName": "bob.two"}),
            "UpdateUser",
            "user",
            Some("{\"newUserName\":\"bob.two\"}"),
        ),
        (
            json!({"newPath": "/left/", "newUserName": "b\"2", "userName": "bob"}),
            "UpdateUser",
            "user",
            Some("{\"newUserName\":\"b\\\"2\",\"newPath\":\"/left/\"}"),
        ),
        (
            json!({"groupName": "bob", "newGroupName": "g2"}),
            "UpdateGroup",
            "group",
            Some("{\"newGroupName\":\"g2\"}"),
        ),
        (json!({"userName": "bob"}), "UpdateUser", "user", None),
    ] {
        check_iam_call(
            request,
            Value::Null,
            &IamChange {
                target_name: Some("bob"),
                document: document.map(Cow::Borrowed),
                ..iam(name, kind)
            },
        );
    }
}

/// Root's password is changed where people sign in, not by IAM's calls.
#[test]
fn passwords_of_root() {
    for name in ["PasswordUpdated", "PasswordRecoveryCompleted"] {
        for (answer, outcome) in [("Success", Outcome::Success), ("Failure", Outcome::Failure)] {
            let call = record(
                "signin",
                name,
                json!({"responseElements": {name: answer}, "userIdentity": {"type": "Root",
                    "principalId": "111111111111", "arn": "arn:aws:iam::111111111111:root"}}),
            );
            let got = ask(&call, |change| {
                (change.target_type, change.target_name.map(str::to_owned), change.outcome)
            });
            let root = Some("<root_account>".to_owned());
            assert_eq!(got, ("login_profile", root, Some(outcome)), "{name}");
        }
    }
    for name in ["PasswordRecoveryRequested", "CheckMfa", "EmailUpdated"] {
        let account = account(&log_file(&[record("signin", name, json!({}))])).unwrap();
        assert_eq!((account.other, account.iam_changes), (1, 0), "{name}");
    }
}

/// Some services of China's partition have names of their own.
#[test]
fn changes_in_china_are_changes() {
    let mut made = call("CreateUser", json!({"userName": "bob"}), Value::Null, None);
    made["eventSource"] = json!("iam.amazonaws.com.cn");
    made["sourceIPAddress"] = json!("cloudformation.amazonaws.com.cn");
    let expect =
        ("iam.amazonaws.com".to_owned(), Some("cloudformation.amazonaws.com".to_owned()), "user");
    let got = ask(&made, |change| {
        let service = change.source_service.map(str::to_owned);
        (change.event_source.to_owned(), service, change.target_type)
    });
    assert_eq!(got, expect);
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
    let mut reader = Reader::new(Limits::default());
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
            AddRoleToInstanceProfile RemoveRoleFromInstanceProfile CreateLoginProfile \
            UpdateLoginProfile DeleteLoginProfile ChangePassword CreateServiceSpecificCredential \
            UpdateServiceSpecificCredential DeleteServiceSpecificCredential \
            ResetServiceSpecificCredential UploadSSHPublicKey UpdateSSHPublicKey DeleteSSHPublicKey \
            UploadSigningCertificate UpdateSigningCertificate DeleteSigningCertificate \
            UploadCloudFrontPublicKey UpdateCloudFrontPublicKey DeleteCloudFrontPublicKey \
            CreateVirtualMFADevice DeleteVirtualMFADevice EnableMFADevice DeactivateMFADevice \
            ResyncMFADevice TagMFADevice UntagMFADevice TagUser UntagUser TagRole UntagRole \
            PutUserPermissionsBoundary DeleteUserPermissionsBoundary UpdateRoleDescription \
            DeleteServiceLinkedRole UpdateGroup CreateInstanceProfile DeleteInstanceProfile \
            TagInstanceProfile UntagInstanceProfile TagPolicy UntagPolicy TagOpenIDConnectProvider \
            UntagOpenIDConnectProvider TagSAMLProvider UntagSAMLProvider",
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
    let mut reader = Reader::new(Limits::default());
    let text = log_file(&[call]);
    let file = reader.read(&text).unwrap();
    let document = file.iam_changes[0].document.as_deref().unwrap();
    assert!(document.starts_with("{\"eventSelectors\":[\"éé") && document.ends_with('é'));
    assert!((BOUND - 1..=BOUND).contains(&document.len()));
}
