//! The parts that an inventory is made of, and what is said where one is missing.

/// One thing that can be read of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Users with their groups and tags.
    Users,
    /// The credential report: passwords, certificates, both key slots with their last use.
    CredentialReport,
    /// Access keys by id.
    AccessKeys,
    /// Last use of access keys by id.
    AccessKeyLastUsed,
    /// Groups.
    Groups,
    /// Roles.
    Roles,
    /// Maximum session duration and description of roles.
    RoleDetails,
    /// Last use of roles.
    RoleLastUsed,
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
    /// All parts, in the order in which they are listed.
    pub const ALL: [Self; 17] = [
        Self::Users,
        Self::CredentialReport,
        Self::AccessKeys,
        Self::AccessKeyLastUsed,
        Self::Groups,
        Self::Roles,
        Self::RoleDetails,
        Self::RoleLastUsed,
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
    pub(crate) const OF_IAM: [Self; 9] = [
        Self::Users,
        Self::CredentialReport,
        Self::AccessKeys,
        Self::AccessKeyLastUsed,
        Self::Groups,
        Self::Roles,
        Self::RoleDetails,
        Self::Policies,
        Self::IdentityProviders,
    ];

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

    /// The word in `iam_snapshots.parts`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::CredentialReport => "credential_report",
            Self::AccessKeys => "access_keys",
            Self::AccessKeyLastUsed => "access_key_last_used",
            Self::Groups => "groups",
            Self::Roles => "roles",
            Self::RoleDetails => "role_details",
            Self::RoleLastUsed => "role_last_used",
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
            Self::AccessKeys => {
                "neither get-account-authorization-details nor the credential report has key ids: give \
                 list-access-keys of every user"
            }
            Self::AccessKeyLastUsed => {
                "give get-credential-report, or get-access-key-last-used of every key"
            }
            Self::RoleDetails => {
                "get-account-authorization-details has neither the longest session nor the description: \
                 give list-roles"
            }
            Self::RoleLastUsed => {
                "list-roles does not have it: give get-account-authorization-details"
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
