//! The columns of the inventory's tables, as data.
//!
//! Every row belongs to a snapshot: what was known of one account's IAM at one time. A row counts
//! only where `iam_snapshots` has its snapshot.

use super::ColumnKind::{Count, Date, Flag, Text, TextList, TextMap, Time};
use super::columns::{always, some};
use super::{ColumnDef, TableDef};

const SNAPSHOT_ID: ColumnDef = always("snapshot_id", Text, "Snapshot that the row belongs to");
const SNAPSHOT_TIME: ColumnDef = always("snapshot_time", Time, "Time that the row tells of");
const SNAPSHOT_DATE: ColumnDef =
    always("snapshot_date", Date, "Day of snapshot_time (UTC); partition");
const ACCOUNT_ID: ColumnDef = always("account_id", Text, "Account that the snapshot is of");

/// A table whose rows begin with the snapshot.
macro_rules! table {
    ($id:ident, $name:literal, $comment:literal, [$($sort:literal),*], [$($column:expr),* $(,)?]) => {
        pub(super) static $id: TableDef = TableDef {
            name: $name,
            comment: $comment,
            partition_column: "snapshot_date",
            sort_columns: &["account_id", "snapshot_time", "snapshot_id" $(, $sort)*],
            bloom_columns: &[],
            stats_columns: &["snapshot_id", "snapshot_time", "account_id"],
            columns: &[SNAPSHOT_ID, SNAPSHOT_TIME, SNAPSHOT_DATE, ACCOUNT_ID, $($column),*],
        };
    };
}

table!(
    IAM_SNAPSHOTS,
    "iam_snapshots",
    "What was read of one account's IAM at one time (rolecall inventory); rows of the other inventory \
     tables count only where their snapshot is here",
    [],
    [
        some("account_name", Text, "Name of the account"),
        some("account_email", Text, "Address of the account's root user"),
        some("account_status", Text, "State of the account in its organisation, such as ACTIVE"),
        some("organization_id", Text, "Organisation of the account"),
        always("source", Text, "api, or files"),
        some(
            "parts",
            TextList,
            "What was read: users, credential_report, access_keys (of every user) or access_keys_of_some, \
             access_key_last_used, service_specific_credentials, ssh_public_keys, signing_certificates, mfa_devices, groups, roles, \
             role_details, role_last_used, service_last_accessed, policies, attachments, trust_statements, \
             identity_providers, identity_center, organization_policies, trails, identity_store, accounts",
        ),
        some("missing", TextList, "What was not read, and why, each in words: part: reason"),
        some("last_used_as_of", Time, "When IAM's own last-used was read; null where it was not"),
    ]
);

table!(
    IAM_PARTS,
    "iam_parts",
    "As of when each part of a snapshot tells: what IAM says of a thing holds up to then and no longer, \
     whatever the snapshot's other parts say",
    ["part"],
    [
        always("part", Text, "What was read, as in iam_snapshots.parts"),
        always("read_at", Time, "When it was read: of several files that it rests on, the oldest",),
        always(
            "time_from",
            Text,
            "Where that time is from: api (IAM was asked), content (the file says so), given \
             (--snapshot-time), file (when the file was written, which a copy may change)",
        ),
    ]
);

table!(
    IAM_CREDENTIALS,
    "iam_credentials",
    "Credentials of IAM users other than passwords and access keys as of a snapshot, one row per credential; \
     IAM tells no last use of most of them",
    ["user_name", "kind", "credential_id"],
    [
        always("user_name", Text, "User that it belongs to; <root_account> for root"),
        always("kind", Text, "service_specific, ssh_public_key, signing_certificate or mfa_device",),
        always("credential_id", Text, "Its id, or the serial number of an MFA device"),
        some("service", Text, "Service that a service-specific credential is for"),
        some("status", Text, "Active, Inactive or Expired; an MFA device has none"),
        some("created", Time, "When it was made, uploaded or enabled"),
        some("expires", Time, "When it expires"),
    ]
);

table!(
    IAM_USERS,
    "iam_users",
    "IAM users as of a snapshot, one row per user; root is one",
    ["user_name"],
    [
        always("user_name", Text, "Name of the user; <root_account> for root"),
        some("user_arn", Text, "ARN of the user, with its path"),
        some("user_id", Text, "Unique id of the user (AIDA…)"),
        some("path", Text, "Path of the user"),
        some("created", Time, "When it was made"),
        always("is_root", Flag, "Whether it is the account's root user"),
        some("console_password", Flag, "Whether it has a password for the console"),
        some("password_last_used", Time, "When the password was last used to sign in"),
        some("password_last_changed", Time, "When the password was last changed"),
        some("mfa_active", Flag, "Whether it has a multi-factor device"),
        some("signing_certificates", Count, "Number of active signing certificates"),
        some(
            "service_specific_credentials",
            TextList,
            "Ids of its credentials for one service alone; null where it has none, or none were read (iam_parts)",
        ),
        some("groups", TextList, "Groups that it is in"),
        some("permissions_boundary", Text, "ARN of the policy that bounds it"),
        some("tags", TextMap, "Tags of the user"),
        some(
            "last_used",
            Time,
            "When IAM last saw a call of it to any service (get-service-last-accessed-details), if that was read",
        ),
        some(
            "unshown_credentials",
            Count,
            "How many access keys and certificates of it the credential report counts and nothing shows; null \
             where no report was read, or one without that count",
        ),
    ]
);

table!(
    IAM_GROUPS,
    "iam_groups",
    "IAM groups as of a snapshot, one row per group",
    ["group_name"],
    [
        always("group_name", Text, "Name of the group"),
        some("group_arn", Text, "ARN of the group, with its path"),
        some("group_id", Text, "Unique id of the group (AGPA…)"),
        some("path", Text, "Path of the group"),
        some("created", Time, "When it was made"),
    ]
);

table!(
    IAM_ACCESS_KEYS,
    "iam_access_keys",
    "Access keys of IAM users and of root as of a snapshot, one row per key, with IAM's own last use",
    ["user_name", "access_key_id"],
    [
        some("access_key_id", Text, "Id of the key (AKIA…); a credential report alone has none"),
        some("slot", Count, "1 or 2: the key's place in the credential report"),
        always("user_name", Text, "User that the key belongs to; <root_account> for root"),
        some("user_arn", Text, "ARN of the user, with its path"),
        some("user_id", Text, "Unique id of the user (AIDA…)"),
        always("is_root", Flag, "Whether it is a key of the account's root user"),
        some(
            "status",
            Text,
            "Active, Inactive or Expired; null where no list has it, or where the credential report may tell of \
             another one and is not known to be the older",
        ),
        some("created", Time, "When the key was made"),
        some(
            "last_rotated",
            Time,
            "When the key was made or last changed, by the credential report; the latest of the slots that \
             may be the key's",
        ),
        some(
            "last_used",
            Time,
            "When the key last signed a call, by IAM; where last_used_known is false, the latest use that may \
             be the key's",
        ),
        some("last_used_service", Text, "Service that the key last called, by IAM"),
        some("last_used_region", Text, "Region that the key last called, by IAM"),
        always(
            "last_used_known",
            Flag,
            "IAM's last use was read: then no last_used means never, or not since April 2015",
        ),
        some(
            "matched_by",
            Text,
            "How last use was tied to the id: access_key_id (asked for by id); or the slot of the \
             credential report: create_date, elimination (no other is left), ambiguous (none)",
        ),
        some("note", Text, "What must be known of the row, in words"),
    ]
);

table!(
    IAM_ROLES,
    "iam_roles",
    "IAM roles as of a snapshot, one row per role, with IAM's own last use",
    ["role_name"],
    [
        always("role_name", Text, "Name of the role, without its path"),
        always("role_arn", Text, "ARN of the role, with its path"),
        some("role_id", Text, "Unique id of the role (AROA…)"),
        some("path", Text, "Path of the role"),
        some("created", Time, "When it was made"),
        some("description", Text, "What its makers say that it is for"),
        some("max_session_seconds", Count, "How long a session of it may last, in seconds"),
        some("permissions_boundary", Text, "ARN of the policy that bounds it"),
        some("tags", TextMap, "Tags of the role"),
        some("last_used", Time, "When the role's credentials were last used, by IAM"),
        some("last_used_region", Text, "Region of that use"),
        always(
            "last_used_known",
            Flag,
            "IAM's last use was read: then no last_used means none in the last 400 days",
        ),
        some("instance_profiles", TextList, "Instance profiles that hold the role"),
        always("service_linked", Flag, "It belongs to an AWS service"),
        always("identity_center", Flag, "Identity Center made it for a permission set"),
    ]
);

table!(
    IAM_POLICIES,
    "iam_policies",
    "Managed policies as of a snapshot, one row per policy",
    ["policy_arn"],
    [
        always("policy_arn", Text, "ARN of the policy"),
        some("policy_name", Text, "Name of the policy"),
        some("policy_id", Text, "Unique id of the policy (ANPA…)"),
        some("aws_managed", Flag, "Whether AWS wrote it"),
        some("attachments", Count, "How many users, groups and roles have it"),
        some("default_version", Text, "Version that is in force"),
        some("document", Text, "That version, as JSON text"),
    ]
);

table!(
    IAM_ATTACHMENTS,
    "iam_attachments",
    "Policies of users, groups and roles as of a snapshot, one row per principal and policy",
    ["principal_type", "principal_name", "kind", "policy_name"],
    [
        always("principal_type", Text, "user, group or role"),
        some("principal_arn", Text, "ARN of the user, group or role"),
        always("principal_name", Text, "Name of the user, group or role"),
        always("kind", Text, "attached, inline, or boundary (permissions boundary)"),
        some("policy_arn", Text, "ARN of the policy; null where it is inline"),
        some("policy_name", Text, "Name of the policy"),
        some("document", Text, "The policy as JSON text, where it is inline"),
    ]
);

table!(
    IAM_TRUST_STATEMENTS,
    "iam_trust_statements",
    "Who may assume which role as of a snapshot, one row per statement and principal of a trust policy",
    ["role_arn", "statement", "principal_type", "principal"],
    [
        always("role_arn", Text, "ARN of the role, with its path"),
        always("role_name", Text, "Name of the role"),
        some("role_id", Text, "Unique id of the role (AROA…)"),
        always("statement", Count, "Number of the statement in the policy, from 0"),
        some("sid", Text, "The statement's own name"),
        always("effect", Text, "Allow or Deny"),
        always(
            "principal_type",
            Text,
            "AWS, Service, Federated, CanonicalUser, or * for everybody",
        ),
        always("principal", Text, "Who, as the policy says it"),
        always("negated", Flag, "Everybody but the principal (NotPrincipal)"),
        some("actions", TextList, "Actions of the statement; with NotAction each begins with !"),
        some("condition", Text, "Conditions of the statement, as JSON text"),
    ]
);

table!(
    IAM_IDENTITY_PROVIDERS,
    "iam_identity_providers",
    "OIDC and SAML identity providers as of a snapshot, one row per provider",
    ["provider_arn"],
    [
        always("provider_arn", Text, "ARN of the provider"),
        always("kind", Text, "oidc or saml"),
        some("url", Text, "Address of an OIDC provider"),
        some("client_ids", TextList, "Audiences that an OIDC provider's tokens may have"),
        some("thumbprints", TextList, "Certificates of an OIDC provider, by thumbprint"),
        some("created", Time, "When it was made"),
        some("valid_until", Time, "When a SAML provider's metadata expires"),
        some("tags", TextMap, "Tags of the provider"),
    ]
);

table!(
    IDENTITY_CENTER_ASSIGNMENTS,
    "identity_center_assignments",
    "Who gets which permission set in the account as of a snapshot, one row per assignment",
    ["permission_set_arn", "principal_id"],
    [
        some("instance_arn", Text, "Identity Center instance"),
        some("identity_store_id", Text, "Identity store of the instance"),
        some("permission_set_arn", Text, "ARN of the permission set"),
        some("permission_set_name", Text, "Name of the permission set, part of its roles' names"),
        some("principal_type", Text, "USER or GROUP"),
        some("principal_id", Text, "Id of the user or group in the identity store"),
        some("principal_name", Text, "Name of the user or group in the identity store"),
    ]
);

table!(
    IDENTITY_STORE_USERS,
    "identity_store_users",
    "People in an identity store as of a snapshot, one row per user",
    ["user_id"],
    [
        some("identity_store_id", Text, "Identity store"),
        always("user_id", Text, "Id of the user in the store"),
        some("user_name", Text, "Name that the user signs in with"),
        some("display_name", Text, "Name as shown to people"),
        some("email", Text, "Address of the user: the primary one, else the first"),
        some("active", Flag, "Whether the user may sign in, where the store says so"),
    ]
);

table!(
    ORGANIZATION_POLICIES,
    "organization_policies",
    "Policies of the organisation as of a snapshot, one row per policy",
    ["policy_id"],
    [
        always("policy_id", Text, "Id of the policy (p-…)"),
        some("policy_name", Text, "Name of the policy"),
        always("policy_type", Text, "SERVICE_CONTROL_POLICY, RESOURCE_CONTROL_POLICY and others"),
        some("aws_managed", Flag, "Whether AWS wrote it"),
        some("targets", TextList, "Roots, units and accounts that it is attached to"),
        some("document", Text, "The policy as JSON text"),
    ]
);

table!(
    KNOWN_ACCOUNTS,
    "known_accounts",
    "Accounts that have a name as of a snapshot, of the organisation or of vendors, one row per account",
    ["known_account_id", "kind"],
    [
        always("known_account_id", Text, "Account that is named; account_id is the snapshot's"),
        some("name", Text, "Name of the account, or of its owner"),
        always("kind", Text, "organization or vendor"),
        some("email", Text, "Address of the account's root user"),
        some(
            "status",
            Text,
            "State in the organisation, such as ACTIVE, SUSPENDED, PENDING_CLOSURE"
        ),
        some("source", Text, "Where the name was found"),
    ]
);
