//! Which records change something of ours, what kind of thing that is, and where each kind keeps its name,
//! id and ARN. Two tables, nothing else.

/// What kind of thing a record changes; `None` where it changes none of ours.
pub(crate) fn target_type(source: &str, name: &str) -> Option<&'static str> {
    match source {
        "iam.amazonaws.com" => iam_target(name),
        // Root's password is not changed by IAM's calls.
        "signin.amazonaws.com" => matches!(name, "PasswordUpdated" | "PasswordRecoveryCompleted")
            .then_some("login_profile"),
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

/// Every action of IAM that writes, as its service authorization reference lists them, but for those on the
/// account as a whole (alias, password policy, preferences), TLS certificates and delegation requests.
fn iam_target(name: &str) -> Option<&'static str> {
    // Reads are the bulk of IAM's records; they all start like this.
    if name.starts_with("Get") || name.starts_with("List") || name.starts_with("Simulate") {
        return None;
    }
    credential_target(name).or_else(|| principal_target(name)).or_else(|| other_target(name))
}

fn credential_target(name: &str) -> Option<&'static str> {
    Some(match name {
        "CreateAccessKey" | "UpdateAccessKey" | "DeleteAccessKey" => "access_key",
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
        "UploadCloudFrontPublicKey" | "UpdateCloudFrontPublicKey" | "DeleteCloudFrontPublicKey" => {
            "cloudfront_public_key"
        }
        "CreateVirtualMFADevice"
        | "DeleteVirtualMFADevice"
        | "EnableMFADevice"
        | "DeactivateMFADevice"
        | "ResyncMFADevice"
        | "TagMFADevice"
        | "UntagMFADevice" => "mfa_device",
        _ => return None,
    })
}

fn principal_target(name: &str) -> Option<&'static str> {
    Some(match name {
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
        _ => return None,
    })
}

fn other_target(name: &str) -> Option<&'static str> {
    Some(match name {
        "CreateInstanceProfile"
        | "DeleteInstanceProfile"
        | "AddRoleToInstanceProfile"
        | "RemoveRoleFromInstanceProfile"
        | "TagInstanceProfile"
        | "UntagInstanceProfile" => "instance_profile",
        "CreatePolicy"
        | "DeletePolicy"
        | "CreatePolicyVersion"
        | "DeletePolicyVersion"
        | "SetDefaultPolicyVersion"
        | "TagPolicy"
        | "UntagPolicy" => "policy",
        "CreateOpenIDConnectProvider"
        | "DeleteOpenIDConnectProvider"
        | "UpdateOpenIDConnectProviderThumbprint"
        | "AddClientIDToOpenIDConnectProvider"
        | "RemoveClientIDFromOpenIDConnectProvider"
        | "TagOpenIDConnectProvider"
        | "UntagOpenIDConnectProvider" => "oidc_provider",
        "CreateSAMLProvider" | "UpdateSAMLProvider" | "DeleteSAMLProvider" | "TagSAMLProvider"
        | "UntagSAMLProvider" => "saml_provider",
        "EnableOrganizationsRootCredentialsManagement"
        | "DisableOrganizationsRootCredentialsManagement"
        | "EnableOrganizationsRootSessions"
        | "DisableOrganizationsRootSessions" => "organization",
        _ => return None,
    })
}

/// Whether things of a kind belong to a user, so that calls on them name one or mean the caller.
pub(crate) fn is_of_a_user(target_type: &str) -> bool {
    matches!(
        target_type,
        "access_key"
            | "login_profile"
            | "service_specific_credential"
            | "ssh_public_key"
            | "signing_certificate"
            | "cloudfront_public_key"
            | "mfa_device"
    )
}

type Names = &'static [&'static str];

/// Where a kind of target keeps its name, id and ARN: member names in the request, and the object of the
/// answer that describes the target; `""` where the answer itself does.
pub(crate) struct Shape {
    pub(crate) names: Names,
    pub(crate) ids: Names,
    pub(crate) arns: Names,
    pub(crate) answer: &'static str,
}

pub(crate) fn shape(target_type: &str) -> Shape {
    let (names, ids, arns, answer): (Names, Names, Names, &'static str) = match target_type {
        "access_key" => (&["userName"], &["accessKeyId"], &[], "accessKey"),
        "user" => (&["userName"], &["userId"], &["arn"], "user"),
        "login_profile" => (&["userName"], &[], &[], "loginProfile"),
        "service_specific_credential" => {
            (&["userName"], &["serviceSpecificCredentialId"], &[], "serviceSpecificCredential")
        }
        // IAM's names are those of its API with the first letter made small.
        "ssh_public_key" => {
            (&["userName"], &["sSHPublicKeyId", "SSHPublicKeyId"], &[], "sSHPublicKey")
        }
        "signing_certificate" => (&["userName"], &["certificateId"], &[], "certificate"),
        "cloudfront_public_key" => (&["userName"], &["cloudFrontPublicKeyId"], &[], ""),
        // Of a device that was refused there is only the name that it was to have.
        "mfa_device" => (
            &["userName"],
            &["serialNumber", "virtualMFADeviceName"],
            &["serialNumber"],
            "virtualMFADevice",
        ),
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
