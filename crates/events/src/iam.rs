//! Records that change who may do what: keys, users, roles, policies, providers, trails.
//!
//! Later verdicts need them ("was this key used before it was deactivated?", "since when does this
//! role trust that account?"). One record in, one row out; nothing is replayed into a state.

use std::borrow::Cow;

use crate::record::{Record, access_key_id};
use crate::rows::{IamChange, Outcome};
use crate::tape::{Nodes, Place};

/// Policy documents are at most 10 KB for roles and 6 KB for managed policies, so nothing real is cut.
const MAX_DOCUMENT_BYTES: usize = 100 * 1024;

/// What kind of thing a record changes; `None` where it changes none of ours.
pub(crate) fn target_type(source: &str, name: &str) -> Option<&'static str> {
    match source {
        "iam.amazonaws.com" => iam_target(name),
        "cloudtrail.amazonaws.com" => matches!(
            name,
            "CreateTrail"
                | "UpdateTrail"
                | "DeleteTrail"
                | "StartLogging"
                | "StopLogging"
                | "PutEventSelectors"
                | "PutInsightSelectors"
        )
        .then_some("trail"),
        "rolesanywhere.amazonaws.com" => match name {
            "CreateTrustAnchor" | "UpdateTrustAnchor" | "DeleteTrustAnchor"
            | "EnableTrustAnchor" | "DisableTrustAnchor" => Some("trust_anchor"),
            "CreateProfile" | "UpdateProfile" | "DeleteProfile" | "EnableProfile"
            | "DisableProfile" => Some("roles_anywhere_profile"),
            _ => None,
        },
        "sso.amazonaws.com" => match name {
            "CreateAccountAssignment" | "DeleteAccountAssignment" => Some("account_assignment"),
            "CreatePermissionSet"
            | "UpdatePermissionSet"
            | "DeletePermissionSet"
            | "PutInlinePolicyToPermissionSet"
            | "DeleteInlinePolicyFromPermissionSet"
            | "AttachManagedPolicyToPermissionSet"
            | "DetachManagedPolicyFromPermissionSet"
            | "AttachCustomerManagedPolicyReferenceToPermissionSet"
            | "DetachCustomerManagedPolicyReferenceFromPermissionSet"
            | "PutPermissionsBoundaryToPermissionSet"
            | "DeletePermissionsBoundaryFromPermissionSet" => Some("permission_set"),
            _ => None,
        },
        "organizations.amazonaws.com" => matches!(
            name,
            "CreatePolicy" | "UpdatePolicy" | "DeletePolicy" | "AttachPolicy" | "DetachPolicy"
        )
        .then_some("organization_policy"),
        "eks.amazonaws.com" => matches!(
            name,
            "CreatePodIdentityAssociation"
                | "UpdatePodIdentityAssociation"
                | "DeletePodIdentityAssociation"
        )
        .then_some("pod_identity_association"),
        _ => None,
    }
}

fn iam_target(name: &str) -> Option<&'static str> {
    // Reads are the bulk of IAM's records; they all start like this.
    if name.starts_with("Get") || name.starts_with("List") || name.starts_with("Simulate") {
        return None;
    }
    Some(match name {
        "CreateAccessKey" | "UpdateAccessKey" | "DeleteAccessKey" => "access_key",
        "CreateUser"
        | "UpdateUser"
        | "DeleteUser"
        | "PutUserPolicy"
        | "DeleteUserPolicy"
        | "AttachUserPolicy"
        | "DetachUserPolicy"
        | "PutUserPermissionsBoundary"
        | "DeleteUserPermissionsBoundary"
        | "AddUserToGroup"
        | "RemoveUserFromGroup"
        | "TagUser"
        | "UntagUser" => "user",
        "CreateLoginProfile" | "UpdateLoginProfile" | "DeleteLoginProfile" | "ChangePassword" => {
            "login_profile"
        }
        "CreateServiceSpecificCredential"
        | "UpdateServiceSpecificCredential"
        | "DeleteServiceSpecificCredential"
        | "ResetServiceSpecificCredential" => "service_specific_credential",
        "UploadSSHPublicKey" | "UpdateSSHPublicKey" | "DeleteSSHPublicKey" => "ssh_public_key",
        "UploadSigningCertificate" | "UpdateSigningCertificate" | "DeleteSigningCertificate" => {
            "signing_certificate"
        }
        "CreateVirtualMFADevice"
        | "DeleteVirtualMFADevice"
        | "EnableMFADevice"
        | "DeactivateMFADevice"
        | "ResyncMFADevice" => "mfa_device",
        "CreateGroup" | "UpdateGroup" | "DeleteGroup" | "PutGroupPolicy" | "DeleteGroupPolicy"
        | "AttachGroupPolicy" | "DetachGroupPolicy" => "group",
        "CreateRole"
        | "UpdateRole"
        | "UpdateRoleDescription"
        | "DeleteRole"
        | "UpdateAssumeRolePolicy"
        | "PutRolePolicy"
        | "DeleteRolePolicy"
        | "AttachRolePolicy"
        | "DetachRolePolicy"
        | "PutRolePermissionsBoundary"
        | "DeleteRolePermissionsBoundary"
        | "CreateServiceLinkedRole"
        | "DeleteServiceLinkedRole"
        | "TagRole"
        | "UntagRole" => "role",
        "CreateInstanceProfile"
        | "DeleteInstanceProfile"
        | "AddRoleToInstanceProfile"
        | "RemoveRoleFromInstanceProfile" => "instance_profile",
        "CreatePolicy"
        | "DeletePolicy"
        | "CreatePolicyVersion"
        | "DeletePolicyVersion"
        | "SetDefaultPolicyVersion" => "policy",
        "CreateOpenIDConnectProvider"
        | "DeleteOpenIDConnectProvider"
        | "UpdateOpenIDConnectProviderThumbprint"
        | "AddClientIDToOpenIDConnectProvider"
        | "RemoveClientIDFromOpenIDConnectProvider" => "oidc_provider",
        "CreateSAMLProvider" | "UpdateSAMLProvider" | "DeleteSAMLProvider" => "saml_provider",
        "EnableOrganizationsRootCredentialsManagement"
        | "DisableOrganizationsRootCredentialsManagement"
        | "EnableOrganizationsRootSessions"
        | "DisableOrganizationsRootSessions" => "organization",
        _ => return None,
    })
}

/// Where each kind of target keeps its name, id and ARN: member names in the request, and the object
/// of the answer that describes the target.
struct Shape {
    names: &'static [&'static str],
    ids: &'static [&'static str],
    arns: &'static [&'static str],
    answer: &'static str,
}

fn shape(target_type: &str) -> Shape {
    let (names, ids, arns, answer): (
        &'static [&'static str],
        &'static [&'static str],
        &'static [&'static str],
        &'static str,
    ) = match target_type {
        "access_key" => (&["userName"], &["accessKeyId"], &[], "accessKey"),
        "user" => (&["userName"], &["userId"], &["arn"], "user"),
        "login_profile" => (&["userName"], &[], &[], "loginProfile"),
        "service_specific_credential" => {
            (&["userName"], &["serviceSpecificCredentialId"], &[], "serviceSpecificCredential")
        }
        "ssh_public_key" => (&["userName"], &["sSHPublicKeyId"], &[], "sSHPublicKey"),
        "signing_certificate" => (&["userName"], &["certificateId"], &[], "certificate"),
        "mfa_device" => {
            (&["userName", "virtualMFADeviceName"], &[], &["serialNumber"], "virtualMFADevice")
        }
        "group" => (&["groupName"], &["groupId"], &["arn"], "group"),
        "role" => (&["roleName"], &["roleId"], &["arn"], "role"),
        "instance_profile" => {
            (&["instanceProfileName"], &["instanceProfileId"], &["arn"], "instanceProfile")
        }
        "policy" => (&["policyName"], &["policyId"], &["policyArn", "arn"], "policy"),
        "oidc_provider" => (&["url"], &[], &["openIDConnectProviderArn"], ""),
        "saml_provider" => (&["name"], &[], &["sAMLProviderArn"], ""),
        "trail" => (&["name", "trailName"], &[], &["trailARN", "trailArn"], ""),
        "trust_anchor" => (&["name"], &["trustAnchorId"], &["trustAnchorArn"], "trustAnchor"),
        "roles_anywhere_profile" => (&["name"], &["profileId"], &["profileArn"], "profile"),
        "account_assignment" => (&["targetId"], &["principalId"], &["permissionSetArn"], ""),
        "permission_set" => (&["name"], &[], &["permissionSetArn"], "permissionSet"),
        "organization_policy" => (&["name"], &["policyId", "id"], &[], "policy"),
        "pod_identity_association" => {
            (&["clusterName"], &["associationId"], &["associationArn"], "association")
        }
        _ => (&[], &[], &[], ""),
    };
    Shape { names, ids, arns, answer }
}

/// Reads the row out of a record whose [`target_type`] is known.
pub(crate) fn read<'a>(
    nodes: Nodes<'_, 'a>,
    record: &Record<'a>,
    target_type: &'static str,
) -> IamChange<'a> {
    let identity = &record.identity;
    let (source_ip, source_service) = record.source();
    let shape = shape(target_type);
    let answer = match shape.answer {
        "" => record.response,
        name => nodes.member(record.response, name),
    };
    let find = |names: &[&str]| {
        [record.request, answer]
            .into_iter()
            .flat_map(|place| names.iter().map(move |name| nodes.text_at(place, &[name])))
            .find_map(std::convert::identity)
    };
    let mut target_name = find(shape.names);
    // Key and password calls without a user name act on the caller's own user.
    let own = matches!(target_type, "access_key" | "login_profile");
    if own && target_name.is_none() && identity.kind == Some("IAMUser") {
        target_name = identity.user_name;
    }
    let target_arn =
        find(shape.arns).or_else(|| target_name.filter(|name| name.starts_with("arn:")));
    IamChange {
        event_id: record.event_id,
        event_time: record.event_time,
        event_source: record.event_source,
        event_name: record.event_name,
        aws_region: record.aws_region,
        recipient_account_id: record.recipient_account_id,
        outcome: Some(match record.error_code {
            Some(_) => Outcome::Failure,
            None => Outcome::Success,
        }),
        error_code: record.error_code,
        actor_arn: identity.arn,
        actor_principal_id: identity.principal_id,
        actor_access_key_id: identity.access_key_id,
        source_ip,
        source_service,
        user_agent: record.user_agent,
        target_type,
        target_arn,
        target_name,
        target_id: access_key_id(find(shape.ids)),
        policy_arn: find(&["policyArn", "permissionsBoundary", "managedPolicyArn"]),
        status: find(&["status"]),
        document: document(nodes, record.request),
        record_index: record.index,
    }
}

fn document<'a>(nodes: Nodes<'_, 'a>, request: Place) -> Option<Cow<'a, str>> {
    const TEXTS: [&str; 5] = [
        "policyDocument",
        "assumeRolePolicyDocument",
        "inlinePolicy",
        "content",
        "sAMLMetadataDocument",
    ];
    const OBJECTS: [&str; 3] = ["eventSelectors", "advancedEventSelectors", "insightSelectors"];
    for (key, value) in nodes.members(request) {
        if TEXTS.contains(&key) {
            if let Some(text) = nodes.text(value) {
                return Some(Cow::Borrowed(bounded(text)));
            }
        } else if OBJECTS.contains(&key) && nodes.elements(value).next().is_some() {
            let mut text = String::from("{");
            text.push_str(&format!("\"{key}\":"));
            nodes.write_json(value, &mut text);
            text.push('}');
            let end = bounded(&text).len();
            text.truncate(end);
            return Some(Cow::Owned(text));
        }
    }
    None
}

/// At most [`MAX_DOCUMENT_BYTES`], cut between characters.
fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_DOCUMENT_BYTES)).unwrap_or(text)
}
