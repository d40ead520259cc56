//! The rows of the inventory's tables: one struct per table, with the fields of its columns, and in
//! their order. What they mean is told by the columns' comments (`rolecall schema`).

use std::collections::BTreeMap;

use crate::rows::TableBuilder;
use crate::schema::Table;

/// A row of one of the tables, without the columns of the snapshot.
pub(super) trait Row {
    const TABLE: Table;

    /// Adds the columns that follow those of the snapshot.
    fn append(&self, row: &mut TableBuilder);
}

/// A value of a column.
trait Value {
    fn append(&self, row: &mut TableBuilder, name: &'static str);
}

impl Value for String {
    fn append(&self, row: &mut TableBuilder, name: &'static str) {
        row.text(name, Some(self));
    }
}

impl Value for Option<String> {
    fn append(&self, row: &mut TableBuilder, name: &'static str) {
        row.text(name, self.as_deref());
    }
}

impl Value for bool {
    fn append(&self, row: &mut TableBuilder, name: &'static str) {
        row.flag(name, Some(*self));
    }
}

impl Value for Option<bool> {
    fn append(&self, row: &mut TableBuilder, name: &'static str) {
        row.flag(name, *self);
    }
}

impl Value for i64 {
    fn append(&self, row: &mut TableBuilder, name: &'static str) {
        row.integer(name, Some(*self));
    }
}

impl Value for Option<i64> {
    fn append(&self, row: &mut TableBuilder, name: &'static str) {
        row.integer(name, *self);
    }
}

impl Value for Vec<String> {
    fn append(&self, row: &mut TableBuilder, name: &'static str) {
        row.list(name, &self.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

impl Value for BTreeMap<String, String> {
    fn append(&self, row: &mut TableBuilder, name: &'static str) {
        let pairs = self.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        row.map(name, &pairs.collect::<Vec<_>>());
    }
}

/// A struct whose fields are a table's columns after `account_id`, in order.
macro_rules! row {
    (
        $(#[$meta:meta])*
        $name:ident in $table:ident {
            $($(#[$field_meta:meta])* $field:ident: $kind:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $kind,)*
        }

        impl Row for $name {
            const TABLE: Table = Table::$table;

            fn append(&self, row: &mut TableBuilder) {
                $(Value::append(&self.$field, row, stringify!($field));)*
            }
        }
    };
}

/// Where the time of a part is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeFrom {
    /// IAM was asked then.
    Api,
    /// The file says so.
    Content,
    /// The user says so.
    Given,
    /// When the file was written.
    File,
}

impl TimeFrom {
    /// The word in `iam_parts.time_from`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Content => "content",
            Self::Given => "given",
            Self::File => "file",
        }
    }
}

/// As of when a part of a snapshot tells: a row of `iam_parts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRow {
    /// What was read, as in `iam_snapshots.parts`.
    pub part: String,
    /// When, in microseconds.
    pub read_at: i64,
    /// Where that time is from.
    pub time_from: TimeFrom,
}

impl Row for PartRow {
    const TABLE: Table = Table::IamParts;

    fn append(&self, row: &mut TableBuilder) {
        row.text("part", Some(&self.part))
            .time("read_at", Some(self.read_at))
            .text("time_from", Some(self.time_from.as_str()));
    }
}

row! {
    /// A credential that is neither password nor access key: a row of `iam_credentials`.
    CredentialRow in IamCredentials {
        /// User; `<root_account>` for root.
        user_name: String,
        /// `service_specific`, `ssh_public_key`, `signing_certificate` or `mfa_device`.
        kind: String,
        /// Id, or the serial number of an MFA device.
        credential_id: String,
        /// Service that it is for.
        service: Option<String>,
        /// `Active`, `Inactive` or `Expired`.
        status: Option<String>,
        /// When it was made, in microseconds.
        created: Option<i64>,
        /// When it expires, in microseconds.
        expires: Option<i64>,
    }
}

row! {
    /// A user: a row of `iam_users`.
    UserRow in IamUsers {
        /// Name; `<root_account>` for root.
        user_name: String,
        /// ARN, with its path.
        user_arn: Option<String>,
        /// Unique id (AIDA…).
        user_id: Option<String>,
        /// Path.
        path: Option<String>,
        /// When it was made, in microseconds.
        created: Option<i64>,
        /// It is the account's root user.
        is_root: bool,
        /// It has a password for the console.
        console_password: Option<bool>,
        /// When the password was last used, in microseconds.
        password_last_used: Option<i64>,
        /// When the password was last changed, in microseconds.
        password_last_changed: Option<i64>,
        /// It has a multi-factor device.
        mfa_active: Option<bool>,
        /// Number of active signing certificates.
        signing_certificates: Option<i64>,
        /// Ids of credentials for one service alone.
        service_specific_credentials: Vec<String>,
        /// Groups that it is in.
        groups: Vec<String>,
        /// ARN of the policy that bounds it.
        permissions_boundary: Option<String>,
        /// Tags.
        tags: BTreeMap<String, String>,
        /// When IAM last saw a call of it to any service, in microseconds.
        last_used: Option<i64>,
        /// Keys and certificates that the credential report counts and nothing shows.
        unshown_credentials: Option<i64>,
    }
}

row! {
    /// A group: a row of `iam_groups`.
    GroupRow in IamGroups {
        /// Name.
        group_name: String,
        /// ARN, with its path.
        group_arn: Option<String>,
        /// Unique id (AGPA…).
        group_id: Option<String>,
        /// Path.
        path: Option<String>,
        /// When it was made, in microseconds.
        created: Option<i64>,
    }
}

row! {
    /// An access key: a row of `iam_access_keys`.
    AccessKeyRow in IamAccessKeys {
        /// Id (AKIA…); a credential report has none.
        access_key_id: Option<String>,
        /// 1 or 2: the place in the credential report.
        slot: Option<i64>,
        /// User that it belongs to; `<root_account>` for root.
        user_name: String,
        /// ARN of the user, with its path.
        user_arn: Option<String>,
        /// Unique id of the user (AIDA…).
        user_id: Option<String>,
        /// It belongs to the account's root user.
        is_root: bool,
        /// `Active`, `Inactive` or `Expired`; none where that is not known.
        status: Option<String>,
        /// When it was made, in microseconds.
        created: Option<i64>,
        /// When it was made or last changed by the credential report, in microseconds.
        last_rotated: Option<i64>,
        /// When it last signed a call by IAM, or may have where that is not known, in microseconds.
        last_used: Option<i64>,
        /// Service that it last called by IAM.
        last_used_service: Option<String>,
        /// Region that it last called by IAM.
        last_used_region: Option<String>,
        /// IAM's last use was read: then none means never, or not since April 2015.
        last_used_known: bool,
        /// `access_key_id`, `create_date`, `elimination` or `ambiguous`.
        matched_by: Option<String>,
        /// What must be known of the row, in words.
        note: Option<String>,
    }
}

row! {
    /// A role: a row of `iam_roles`.
    RoleRow in IamRoles {
        /// Name, without its path.
        role_name: String,
        /// ARN, with its path.
        role_arn: String,
        /// Unique id (AROA…).
        role_id: Option<String>,
        /// Path.
        path: Option<String>,
        /// When it was made, in microseconds.
        created: Option<i64>,
        /// What it is for.
        description: Option<String>,
        /// How long a session may last, in seconds.
        max_session_seconds: Option<i64>,
        /// ARN of the policy that bounds it.
        permissions_boundary: Option<String>,
        /// Tags.
        tags: BTreeMap<String, String>,
        /// When its credentials were last used by IAM, in microseconds.
        last_used: Option<i64>,
        /// Region of that use.
        last_used_region: Option<String>,
        /// IAM's last use was read: then none means none in the last 400 days.
        last_used_known: bool,
        /// Instance profiles that hold it.
        instance_profiles: Vec<String>,
        /// It belongs to an AWS service.
        service_linked: bool,
        /// Identity Center made it for a permission set.
        identity_center: bool,
    }
}

row! {
    /// A managed policy: a row of `iam_policies`.
    PolicyRow in IamPolicies {
        /// ARN.
        policy_arn: String,
        /// Name.
        policy_name: Option<String>,
        /// Unique id (ANPA…).
        policy_id: Option<String>,
        /// AWS wrote it.
        aws_managed: Option<bool>,
        /// How many users, groups and roles have it.
        attachments: Option<i64>,
        /// Version that is in force.
        default_version: Option<String>,
        /// That version, as JSON text.
        document: Option<String>,
    }
}

row! {
    /// A policy of a user, group or role: a row of `iam_attachments`.
    AttachmentRow in IamAttachments {
        /// `user`, `group` or `role`.
        principal_type: String,
        /// ARN of the user, group or role.
        principal_arn: Option<String>,
        /// Name of the user, group or role.
        principal_name: String,
        /// `attached`, `inline` or `boundary`.
        kind: String,
        /// ARN of the policy; none where it is inline.
        policy_arn: Option<String>,
        /// Name of the policy.
        policy_name: Option<String>,
        /// The policy as JSON text, where it is inline.
        document: Option<String>,
    }
}

row! {
    /// A principal of a statement of a trust policy: a row of `iam_trust_statements`.
    TrustStatementRow in IamTrustStatements {
        /// ARN of the role, with its path.
        role_arn: String,
        /// Name of the role.
        role_name: String,
        /// Unique id of the role (AROA…).
        role_id: Option<String>,
        /// Number of the statement, from 0.
        statement: i64,
        /// The statement's own name.
        sid: Option<String>,
        /// `Allow` or `Deny`.
        effect: String,
        /// `AWS`, `Service`, `Federated`, `CanonicalUser` or `*`.
        principal_type: String,
        /// Who, as the policy says it.
        principal: String,
        /// Everybody but the principal.
        negated: bool,
        /// Actions; with `NotAction` each begins with `!`.
        actions: Vec<String>,
        /// Conditions, as JSON text.
        condition: Option<String>,
    }
}

row! {
    /// An identity provider: a row of `iam_identity_providers`.
    IdentityProviderRow in IamIdentityProviders {
        /// ARN.
        provider_arn: String,
        /// `oidc` or `saml`.
        kind: String,
        /// Address of an OIDC provider.
        url: Option<String>,
        /// Audiences that an OIDC provider's tokens may have.
        client_ids: Vec<String>,
        /// Certificates of an OIDC provider.
        thumbprints: Vec<String>,
        /// When it was made, in microseconds.
        created: Option<i64>,
        /// When a SAML provider's metadata expires, in microseconds.
        valid_until: Option<i64>,
        /// Tags.
        tags: BTreeMap<String, String>,
    }
}

row! {
    /// Who gets a permission set in the account: a row of `identity_center_assignments`.
    AssignmentRow in IdentityCenterAssignments {
        /// Identity Center instance.
        instance_arn: Option<String>,
        /// Identity store of the instance.
        identity_store_id: Option<String>,
        /// ARN of the permission set.
        permission_set_arn: Option<String>,
        /// Name of the permission set.
        permission_set_name: Option<String>,
        /// `USER` or `GROUP`.
        principal_type: Option<String>,
        /// Id of the user or group.
        principal_id: Option<String>,
        /// Name of the user or group.
        principal_name: Option<String>,
    }
}

row! {
    /// Somebody in an identity store: a row of `identity_store_users`.
    IdentityStoreUserRow in IdentityStoreUsers {
        /// Identity store.
        identity_store_id: Option<String>,
        /// Id in the store.
        user_id: String,
        /// Name to sign in with.
        user_name: Option<String>,
        /// Name as shown to people.
        display_name: Option<String>,
        /// Address.
        email: Option<String>,
        /// May sign in, where the store says so.
        active: Option<bool>,
    }
}

row! {
    /// A policy of the organisation: a row of `organization_policies`.
    OrganizationPolicyRow in OrganizationPolicies {
        /// Id (p-…).
        policy_id: String,
        /// Name.
        policy_name: Option<String>,
        /// `SERVICE_CONTROL_POLICY` and others.
        policy_type: String,
        /// AWS wrote it.
        aws_managed: Option<bool>,
        /// Roots, units and accounts that it is attached to.
        targets: Vec<String>,
        /// The policy as JSON text.
        document: Option<String>,
    }
}

row! {
    /// An account with a name: a row of `known_accounts`.
    KnownAccountRow in KnownAccounts {
        /// The account.
        known_account_id: String,
        /// Name of it or of its owner.
        name: Option<String>,
        /// `organization` or `vendor`.
        kind: String,
        /// Address of its root user.
        email: Option<String>,
        /// State in the organisation.
        status: Option<String>,
        /// Where the name was found.
        source: Option<String>,
    }
}
