//! What the AWS CLI prints, as far as an inventory is made of it.
//!
//! One struct takes all of the outputs: which it was is told by what is there, not by the file's
//! name. Fields that nobody needs are skipped, new ones do no harm.

use serde::Deserialize;
use serde_json::Value;

use crate::parts::Part;
use crate::time::optional as time;

mod organization;

pub(crate) use organization::{Account, Assignment, Instance, Organization, PermissionSet};

/// Anything that is printed.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Output {
    // get-account-authorization-details, a page of it or all.
    pub(crate) user_detail_list: Option<Vec<User>>,
    pub(crate) group_detail_list: Option<Vec<Group>>,
    pub(crate) role_detail_list: Option<Vec<Role>>,
    /// Also list-policies of IAM, and of Organizations.
    pub(crate) policies: Option<Vec<Policy>>,
    /// list-users of IAM, and of an identity store.
    pub(crate) users: Option<Vec<User>>,
    pub(crate) groups: Option<Vec<Group>>,
    pub(crate) roles: Option<Vec<Role>>,
    pub(crate) user: Option<User>,
    pub(crate) role: Option<Role>,
    // Credential report, whose content is text.
    pub(crate) content: Value,
    pub(crate) report_format: Option<String>,
    #[serde(deserialize_with = "time")]
    pub(crate) generated_time: Option<i64>,
    // list-access-keys.
    pub(crate) access_key_metadata: Option<Vec<AccessKey>>,
    // get-access-key-last-used.
    pub(crate) access_key_last_used: Option<LastUsed>,
    pub(crate) user_name: Option<String>,
    // What people add to it, and the elements of list-access-keys.
    pub(crate) access_key_id: Option<String>,
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "time")]
    pub(crate) create_date: Option<i64>,
    #[serde(deserialize_with = "time")]
    pub(crate) last_used_date: Option<i64>,
    pub(crate) service_name: Option<String>,
    pub(crate) region: Option<String>,
    // list-service-specific-credentials, list-ssh-public-keys, list-signing-certificates, list-mfa-devices and
    // list-virtual-mfa-devices.
    pub(crate) service_specific_credentials: Option<Vec<Credential>>,
    #[serde(rename = "SSHPublicKeys")]
    pub(crate) ssh_public_keys: Option<Vec<Credential>>,
    pub(crate) certificates: Option<Vec<Credential>>,
    #[serde(rename = "MFADevices")]
    pub(crate) mfa_devices: Option<Vec<Credential>>,
    #[serde(rename = "VirtualMFADevices")]
    pub(crate) virtual_mfa_devices: Option<Vec<Credential>>,
    // get-service-last-accessed-details.
    pub(crate) services_last_accessed: Option<Vec<ServiceLastAccessed>>,
    pub(crate) job_status: Option<String>,
    #[serde(deserialize_with = "time")]
    pub(crate) job_completion_date: Option<i64>,
    // get-account-summary.
    pub(crate) summary_map: Option<Summary>,
    // Identity providers.
    #[serde(rename = "OpenIDConnectProviderList")]
    pub(crate) open_id_connect_provider_list: Option<Vec<Provider>>,
    #[serde(rename = "SAMLProviderList")]
    pub(crate) saml_provider_list: Option<Vec<Provider>>,
    pub(crate) url: Option<String>,
    #[serde(rename = "ClientIDList")]
    pub(crate) client_id_list: Option<Vec<String>>,
    pub(crate) thumbprint_list: Option<Vec<String>>,
    pub(crate) tags: Option<Vec<Tag>>,
    // Organizations.
    pub(crate) accounts: Option<Vec<Account>>,
    pub(crate) organization: Option<Organization>,
    pub(crate) policy: Option<OrganizationPolicy>,
    // Identity Center.
    pub(crate) account_assignments: Option<Vec<Assignment>>,
    pub(crate) permission_set: Option<PermissionSet>,
    pub(crate) instances: Option<Vec<Instance>>,
    // describe-trails, list-trails (names alone), get-trail.
    #[serde(rename = "trailList")]
    pub(crate) trail_list: Option<Vec<Trail>>,
    pub(crate) trails: Option<Vec<Trail>>,
    pub(crate) trail: Option<Trail>,
    /// get-event-selectors; get-trail-status does not print it.
    #[serde(rename = "TrailARN")]
    pub(crate) trail_arn: Option<String>,
    pub(crate) event_selectors: Value,
    pub(crate) advanced_event_selectors: Value,
    pub(crate) is_logging: Option<bool>,
    // More pages follow.
    pub(crate) is_truncated: Option<bool>,
    pub(crate) next_token: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Attached {
    pub(crate) policy_name: Option<String>,
    pub(crate) policy_arn: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Inline {
    pub(crate) policy_name: Option<String>,
    pub(crate) policy_document: Value,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Boundary {
    pub(crate) permissions_boundary_arn: Option<String>,
}

/// A user of IAM, or of an identity store.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct User {
    pub(crate) user_name: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) arn: Option<String>,
    pub(crate) path: Option<String>,
    #[serde(deserialize_with = "time")]
    pub(crate) create_date: Option<i64>,
    #[serde(deserialize_with = "time")]
    pub(crate) password_last_used: Option<i64>,
    pub(crate) user_policy_list: Option<Vec<Inline>>,
    pub(crate) attached_managed_policies: Option<Vec<Attached>>,
    pub(crate) group_list: Option<Vec<String>>,
    pub(crate) permissions_boundary: Option<Boundary>,
    pub(crate) tags: Option<Vec<Tag>>,
    // Of an identity store.
    pub(crate) identity_store_id: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) emails: Option<Vec<Email>>,
    pub(crate) user_status: Option<String>,
    pub(crate) active: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Email {
    pub(crate) value: Option<String>,
    pub(crate) primary: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Group {
    // Of an identity store.
    pub(crate) identity_store_id: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) group_name: Option<String>,
    pub(crate) group_id: Option<String>,
    pub(crate) arn: Option<String>,
    pub(crate) path: Option<String>,
    #[serde(deserialize_with = "time")]
    pub(crate) create_date: Option<i64>,
    pub(crate) group_policy_list: Option<Vec<Inline>>,
    pub(crate) attached_managed_policies: Option<Vec<Attached>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Role {
    pub(crate) role_name: Option<String>,
    pub(crate) role_id: Option<String>,
    pub(crate) arn: Option<String>,
    pub(crate) path: Option<String>,
    #[serde(deserialize_with = "time")]
    pub(crate) create_date: Option<i64>,
    pub(crate) assume_role_policy_document: Value,
    /// Each holds its roles once more: only the names are taken.
    pub(crate) instance_profile_list: Option<Vec<InstanceProfile>>,
    pub(crate) role_policy_list: Option<Vec<Inline>>,
    pub(crate) attached_managed_policies: Option<Vec<Attached>>,
    pub(crate) permissions_boundary: Option<Boundary>,
    pub(crate) tags: Option<Vec<Tag>>,
    pub(crate) role_last_used: Option<RoleLastUsed>,
    pub(crate) max_session_duration: Option<i64>,
    pub(crate) description: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct InstanceProfile {
    pub(crate) instance_profile_name: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RoleLastUsed {
    #[serde(deserialize_with = "time")]
    pub(crate) last_used_date: Option<i64>,
    pub(crate) region: Option<String>,
}

/// A managed policy of IAM, or the summary of an organisation's.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Policy {
    pub(crate) policy_name: Option<String>,
    pub(crate) policy_id: Option<String>,
    pub(crate) arn: Option<String>,
    pub(crate) default_version_id: Option<String>,
    pub(crate) attachment_count: Option<i64>,
    pub(crate) policy_version_list: Option<Vec<PolicyVersion>>,
    // Of an organisation.
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    #[serde(rename = "Type")]
    pub(crate) kind: Option<String>,
    pub(crate) aws_managed: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PolicyVersion {
    pub(crate) document: Value,
    pub(crate) version_id: Option<String>,
    pub(crate) is_default_version: Option<bool>,
}

/// What describe-policy of Organizations prints.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct OrganizationPolicy {
    pub(crate) policy_summary: Option<Policy>,
    pub(crate) content: Value,
    /// Added by us where the API was asked, or by whoever put the file together.
    pub(crate) targets: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct AccessKey {
    pub(crate) user_name: Option<String>,
    pub(crate) access_key_id: Option<String>,
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "time")]
    pub(crate) create_date: Option<i64>,
}

/// A credential of a user that is neither password nor access key. What it is secret by is in none of the lists.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Credential {
    pub(crate) user_name: Option<String>,
    #[serde(
        rename = "ServiceSpecificCredentialId",
        alias = "SSHPublicKeyId",
        alias = "CertificateId",
        alias = "SerialNumber"
    )]
    pub(crate) id: Option<String>,
    pub(crate) service_name: Option<String>,
    pub(crate) status: Option<String>,
    #[serde(alias = "UploadDate", alias = "EnableDate", deserialize_with = "time")]
    pub(crate) create_date: Option<i64>,
    #[serde(deserialize_with = "time")]
    pub(crate) expiration_date: Option<i64>,
    /// Of a virtual MFA device; one that nobody has yet has none.
    pub(crate) user: Option<User>,
}

/// What was called of one service.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ServiceLastAccessed {
    #[serde(deserialize_with = "time")]
    pub(crate) last_authenticated: Option<i64>,
    /// ARN of the role or user.
    pub(crate) last_authenticated_entity: Option<String>,
    pub(crate) last_authenticated_region: Option<String>,
}

/// What get-account-summary says: of root, with 1 for yes, and how many there are.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Summary {
    #[serde(rename = "AccountMFAEnabled")]
    pub(crate) account_mfa_enabled: Option<i64>,
    pub(crate) account_access_keys_present: Option<i64>,
    pub(crate) users: Option<i64>,
    pub(crate) groups: Option<i64>,
    pub(crate) roles: Option<i64>,
    pub(crate) policies: Option<i64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct LastUsed {
    #[serde(deserialize_with = "time")]
    pub(crate) last_used_date: Option<i64>,
    pub(crate) service_name: Option<String>,
    pub(crate) region: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Provider {
    pub(crate) arn: Option<String>,
    pub(crate) url: Option<String>,
    #[serde(rename = "ClientIDList")]
    pub(crate) client_id_list: Option<Vec<String>>,
    pub(crate) thumbprint_list: Option<Vec<String>>,
    #[serde(deserialize_with = "time")]
    pub(crate) create_date: Option<i64>,
    #[serde(deserialize_with = "time")]
    pub(crate) valid_until: Option<i64>,
    pub(crate) tags: Option<Vec<Tag>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Trail {
    #[serde(rename = "TrailARN")]
    pub(crate) trail_arn: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) s3_bucket_name: Option<String>,
    pub(crate) s3_key_prefix: Option<String>,
    pub(crate) include_global_service_events: Option<bool>,
    pub(crate) is_multi_region_trail: Option<bool>,
    pub(crate) is_organization_trail: Option<bool>,
    pub(crate) log_file_validation_enabled: Option<bool>,
}

impl Output {
    /// Whether it is anything that an inventory is made of.
    pub(crate) fn is_known(&self) -> bool {
        let provider = self.url.is_some() && self.client_id_list.is_some();
        let key = self.access_key_id.is_some()
            && (self.status.is_some() || self.last_used_date.is_some() || self.user_name.is_some());
        [
            self.user_detail_list.is_some(),
            self.group_detail_list.is_some(),
            self.role_detail_list.is_some(),
            self.policies.is_some(),
            self.users.is_some(),
            self.groups.is_some(),
            self.roles.is_some(),
            self.user.is_some(),
            self.role.is_some(),
            self.report().is_some(),
            self.access_key_metadata.is_some(),
            self.access_key_last_used.is_some(),
            self.service_specific_credentials.is_some(),
            self.ssh_public_keys.is_some(),
            self.certificates.is_some(),
            self.mfa_devices.is_some(),
            self.virtual_mfa_devices.is_some(),
            self.services_last_accessed.is_some(),
            self.summary_map.is_some(),
            self.is_tags(),
            self.open_id_connect_provider_list.is_some(),
            self.saml_provider_list.is_some(),
            self.accounts.is_some(),
            self.organization.is_some(),
            self.policy.as_ref().is_some_and(|policy| policy.policy_summary.is_some()),
            self.account_assignments.is_some(),
            self.permission_set.is_some(),
            self.instances.is_some(),
            self.trail_list.is_some(),
            self.trails.is_some(),
            self.trail.is_some(),
            self.is_selectors(),
            self.is_logging.is_some(),
            provider,
            key,
        ]
        .contains(&true)
    }

    /// What list-user-tags prints, which does not say whose they are.
    pub(crate) fn is_tags(&self) -> bool {
        let provider = self.url.is_some() || self.client_id_list.is_some();
        self.tags.is_some() && !provider
    }

    /// What get-event-selectors prints.
    pub(crate) fn is_selectors(&self) -> bool {
        self.trail_arn.is_some()
            && (self.event_selectors.is_array() || self.advanced_event_selectors.is_array())
    }

    /// The credential report, in base64.
    pub(crate) fn report(&self) -> Option<&str> {
        let is_report = self.report_format.is_some() || self.generated_time.is_some();
        self.content.as_str().filter(|_| is_report)
    }

    /// The list that it is a page of, where it is one of a list in pages.
    pub(crate) fn list(&self) -> Option<(&'static str, Part)> {
        let lists = [
            (self.role_detail_list.is_some(), "get-account-authorization-details", Part::Roles),
            (self.user_detail_list.is_some(), "get-account-authorization-details", Part::Users),
            (self.roles.is_some(), "list-roles", Part::Roles),
            (self.access_key_metadata.is_some(), "list-access-keys", Part::AccessKeys),
            (self.accounts.is_some(), "list-accounts", Part::Accounts),
            (self.account_assignments.is_some(), "list-account-assignments", Part::IdentityCenter),
            (self.policies.is_some(), "list-policies", self.policies_part()),
            (self.users.is_some(), "list-users", self.users_part()),
            (self.groups.is_some(), "list-groups", self.groups_part()),
        ];
        lists.into_iter().find(|(there, ..)| *there).map(|(_, list, part)| (list, part))
    }

    /// Whether users are IAM's or those of an identity store.
    fn users_part(&self) -> Part {
        let mut users = self.users.iter().flatten();
        if users.any(|user| user.arn.is_some()) { Part::Users } else { Part::IdentityStore }
    }

    /// Whether groups are IAM's or those of an identity store.
    fn groups_part(&self) -> Part {
        let mut groups = self.groups.iter().flatten();
        if groups.any(|group| group.arn.is_some()) { Part::Groups } else { Part::IdentityStore }
    }

    /// Whether policies are IAM's or those of the organisation.
    fn policies_part(&self) -> Part {
        let mut policies = self.policies.iter().flatten();
        let is_shared = policies.any(|policy| policy.kind.is_some());
        if is_shared { Part::OrganizationPolicies } else { Part::Policies }
    }

    /// What its list is of, where there are several of the same kind: an identity store, a permission set, a type of
    /// policies. Each has pages of its own.
    pub(crate) fn listed_of(&self) -> &str {
        let users = self.users.iter().flatten().map(|user| &user.identity_store_id);
        let groups = self.groups.iter().flatten().map(|group| &group.identity_store_id);
        let assigned = self.account_assignments.iter().flatten();
        let sets = assigned.map(|one| &one.permission_set_arn);
        let kinds = self.policies.iter().flatten().map(|policy| &policy.kind);
        let mut all = users.chain(groups).chain(sets).chain(kinds).flatten();
        all.next().map_or("", String::as_str)
    }

    /// Whether another page follows this one.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.is_truncated == Some(true)
            || self.next_token.as_ref().is_some_and(|token| !token.is_empty())
    }
}
