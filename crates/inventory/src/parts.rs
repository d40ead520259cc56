//! The parts that an inventory is made of, and what is said where one is missing.

/// One thing that can be read of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Users with their groups and tags.
    Users,
    /// The credential report: passwords, certificates, both key slots with their last use.
    CredentialReport,
    /// Access keys by id, of every user.
    AccessKeys,
    /// Access keys by id, of some users: nothing is said of the others.
    AccessKeysOfSome,
    /// Last use of access keys by id.
    AccessKeyLastUsed,
    /// Service-specific credentials of users.
    ServiceSpecificCredentials,
    /// SSH public keys of users.
    SshPublicKeys,
    /// Signing certificates of users.
    SigningCertificates,
    /// MFA devices of users.
    MfaDevices,
    /// Groups.
    Groups,
    /// Roles.
    Roles,
    /// Maximum session duration and description of roles.
    RoleDetails,
    /// Last use of roles.
    RoleLastUsed,
    /// Calls of every role and user, service by service.
    ServiceLastAccessed,
    /// Managed policies.
    Policies,
    /// Which policies users, groups and roles have.
    Attachments,
    /// Trust policies.
    TrustStatements,
    /// OIDC and SAML providers.
    IdentityProviders,
    /// Permission sets and who gets them in the account.
    IdentityCenter,
    /// Service and resource control policies.
    OrganizationPolicies,
    /// Trails and what they record.
    Trails,
    /// People in the identity store.
    IdentityStore,
    /// Accounts of the organisation.
    Accounts,
}

impl Part {
    /// All parts that there are to be read, in the order in which they are listed.
    pub const ALL: [Self; 22] = [
        Self::Users,
        Self::CredentialReport,
        Self::AccessKeys,
        Self::AccessKeyLastUsed,
        Self::ServiceSpecificCredentials,
        Self::SshPublicKeys,
        Self::SigningCertificates,
        Self::MfaDevices,
        Self::Groups,
        Self::Roles,
        Self::RoleDetails,
        Self::RoleLastUsed,
        Self::ServiceLastAccessed,
        Self::Policies,
        Self::Attachments,
        Self::TrustStatements,
        Self::IdentityProviders,
        Self::IdentityCenter,
        Self::OrganizationPolicies,
        Self::Trails,
        Self::IdentityStore,
        Self::Accounts,
    ];

    /// The parts that belong to no account.
    pub(crate) const SHARED: [Self; 3] =
        [Self::OrganizationPolicies, Self::IdentityStore, Self::Accounts];

    /// The parts that tell of an account's IAM; a snapshot has at least one of them.
    pub(crate) const OF_IAM: [Self; 14] = [
        Self::Users,
        Self::CredentialReport,
        Self::AccessKeys,
        Self::AccessKeysOfSome,
        Self::AccessKeyLastUsed,
        Self::ServiceSpecificCredentials,
        Self::SshPublicKeys,
        Self::SigningCertificates,
        Self::MfaDevices,
        Self::Groups,
        Self::Roles,
        Self::RoleDetails,
        Self::Policies,
        Self::IdentityProviders,
    ];

    /// The parts that are listed user by user.
    pub(crate) const OF_USERS: [Self; 5] = [
        Self::AccessKeys,
        Self::ServiceSpecificCredentials,
        Self::SshPublicKeys,
        Self::SigningCertificates,
        Self::MfaDevices,
    ];

    /// Files of the organisation, or of another account, may tell these of an account: its own files alone say of when
    /// its snapshot is.
    pub(crate) fn is_told_elsewhere(self) -> bool {
        Self::SHARED.contains(&self) || matches!(self, Self::Trails | Self::IdentityCenter)
    }

    /// What get-account-authorization-details tells.
    pub(crate) const OF_DETAILS: [Self; 7] = [
        Self::Users,
        Self::Groups,
        Self::Roles,
        Self::RoleLastUsed,
        Self::Policies,
        Self::Attachments,
        Self::TrustStatements,
    ];

    /// What its list of roles tells.
    pub(crate) const OF_ROLES: [Self; 4] =
        [Self::Roles, Self::RoleLastUsed, Self::Attachments, Self::TrustStatements];

    /// The word in `iam_snapshots.parts`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::CredentialReport => "credential_report",
            Self::AccessKeys => "access_keys",
            Self::AccessKeysOfSome => "access_keys_of_some",
            Self::AccessKeyLastUsed => "access_key_last_used",
            Self::ServiceSpecificCredentials => "service_specific_credentials",
            Self::SshPublicKeys => "ssh_public_keys",
            Self::SigningCertificates => "signing_certificates",
            Self::MfaDevices => "mfa_devices",
            Self::Groups => "groups",
            Self::Roles => "roles",
            Self::RoleDetails => "role_details",
            Self::RoleLastUsed => "role_last_used",
            Self::ServiceLastAccessed => "service_last_accessed",
            Self::Policies => "policies",
            Self::Attachments => "attachments",
            Self::TrustStatements => "trust_statements",
            Self::IdentityProviders => "identity_providers",
            Self::IdentityCenter => "identity_center",
            Self::OrganizationPolicies => "organization_policies",
            Self::Trails => "trails",
            Self::IdentityStore => "identity_store",
            Self::Accounts => "accounts",
        }
    }

    /// What to do where AWS was asked for the rest.
    pub(crate) fn remedy_of_api(self) -> &'static str {
        match self {
            Self::IdentityCenter
            | Self::OrganizationPolicies
            | Self::IdentityStore
            | Self::Accounts => "read with --organization",
            _ => "not read",
        }
    }

    /// What to give where a folder does not have it.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::Users | Self::Groups | Self::Roles => "give get-account-authorization-details",
            Self::CredentialReport => {
                "passwords, certificates and key slots are in the credential report alone: give \
                 get-credential-report"
            }
            Self::AccessKeys | Self::AccessKeysOfSome => {
                "neither get-account-authorization-details nor the credential report has key ids: give \
                 list-access-keys of every user"
            }
            Self::AccessKeyLastUsed => {
                "give get-credential-report, or get-access-key-last-used of every key"
            }
            Self::ServiceSpecificCredentials => {
                "they are in no column of the credential report: give list-service-specific-credentials of \
                 every user, or with --all-users"
            }
            Self::SshPublicKeys => "give list-ssh-public-keys of every user",
            Self::SigningCertificates => "give list-signing-certificates of every user",
            Self::MfaDevices => "give list-mfa-devices of every user",
            Self::ServiceLastAccessed => {
                "give get-service-last-accessed-details of every role and user"
            }
            Self::RoleDetails => {
                "get-account-authorization-details has neither the longest session nor the description: \
                 give list-roles"
            }
            Self::RoleLastUsed => {
                "list-roles does not have it: give get-account-authorization-details, or get-role of every role"
            }
            Self::Policies | Self::Attachments | Self::TrustStatements => {
                "give get-account-authorization-details"
            }
            Self::IdentityProviders => {
                "give list-open-id-connect-providers and list-saml-providers"
            }
            Self::IdentityCenter => "give list-account-assignments of every permission set",
            Self::OrganizationPolicies => {
                "give describe-policy of every policy of the organisation"
            }
            Self::Trails => {
                "give describe-trails, and get-event-selectors and get-trail-status of every trail"
            }
            Self::IdentityStore => "give `aws identitystore list-users`",
            Self::Accounts => "give `aws organizations list-accounts`",
        }
    }
}
