//! The SDK's types to those of the CLI's output, so that both go the same way from there.

use aws_sdk_iam::primitives::DateTime;
use aws_sdk_iam::types;
use serde_json::Value;

use crate::output;

pub(super) fn micros(time: Option<DateTime>) -> Option<i64> {
    let time = time?;
    time.secs().checked_mul(1_000_000)?.checked_add(i64::from(time.subsec_nanos() / 1_000))
}

fn document(text: Option<String>) -> Value {
    text.map_or(Value::Null, Value::String)
}

fn tags(tags: Option<Vec<types::Tag>>) -> Option<Vec<output::Tag>> {
    let tag = |tag: types::Tag| output::Tag { key: tag.key, value: tag.value };
    tags.map(|tags| tags.into_iter().map(tag).collect())
}

fn attached(policies: Option<Vec<types::AttachedPolicy>>) -> Option<Vec<output::Attached>> {
    let one = |policy: types::AttachedPolicy| output::Attached {
        policy_name: policy.policy_name,
        policy_arn: policy.policy_arn,
    };
    policies.map(|policies| policies.into_iter().map(one).collect())
}

fn inline(policies: Option<Vec<types::PolicyDetail>>) -> Option<Vec<output::Inline>> {
    let one = |policy: types::PolicyDetail| output::Inline {
        policy_name: policy.policy_name,
        policy_document: document(policy.policy_document),
    };
    policies.map(|policies| policies.into_iter().map(one).collect())
}

fn boundary(boundary: Option<types::AttachedPermissionsBoundary>) -> Option<output::Boundary> {
    boundary.map(|one| output::Boundary { permissions_boundary_arn: one.permissions_boundary_arn })
}

fn last_used(used: types::RoleLastUsed) -> output::RoleLastUsed {
    output::RoleLastUsed { last_used_date: micros(used.last_used_date), region: used.region }
}

pub(super) fn user(user: types::UserDetail) -> output::User {
    output::User {
        user_name: user.user_name,
        user_id: user.user_id,
        arn: user.arn,
        path: user.path,
        create_date: micros(user.create_date),
        user_policy_list: inline(user.user_policy_list),
        attached_managed_policies: attached(user.attached_managed_policies),
        group_list: user.group_list,
        permissions_boundary: boundary(user.permissions_boundary),
        tags: tags(user.tags),
        ..output::User::default()
    }
}

pub(super) fn group(group: types::GroupDetail) -> output::Group {
    output::Group {
        group_name: group.group_name,
        group_id: group.group_id,
        arn: group.arn,
        path: group.path,
        create_date: micros(group.create_date),
        group_policy_list: inline(group.group_policy_list),
        attached_managed_policies: attached(group.attached_managed_policies),
        ..output::Group::default()
    }
}

pub(super) fn role_detail(role: types::RoleDetail) -> output::Role {
    let profile = |profile: types::InstanceProfile| output::InstanceProfile {
        instance_profile_name: Some(profile.instance_profile_name),
    };
    let profiles = role.instance_profile_list;
    output::Role {
        role_name: role.role_name,
        role_id: role.role_id,
        arn: role.arn,
        path: role.path,
        create_date: micros(role.create_date),
        assume_role_policy_document: document(role.assume_role_policy_document),
        instance_profile_list: profiles.map(|list| list.into_iter().map(profile).collect()),
        role_policy_list: inline(role.role_policy_list),
        attached_managed_policies: attached(role.attached_managed_policies),
        permissions_boundary: boundary(role.permissions_boundary),
        tags: tags(role.tags),
        role_last_used: role.role_last_used.map(last_used),
        ..output::Role::default()
    }
}

pub(super) fn role(role: types::Role) -> output::Role {
    output::Role {
        role_name: Some(role.role_name),
        role_id: Some(role.role_id),
        arn: Some(role.arn),
        path: Some(role.path),
        create_date: micros(Some(role.create_date)),
        assume_role_policy_document: document(role.assume_role_policy_document),
        permissions_boundary: boundary(role.permissions_boundary),
        tags: tags(role.tags),
        max_session_duration: role.max_session_duration.map(i64::from),
        description: role.description,
        ..output::Role::default()
    }
}

pub(super) fn policy(policy: types::ManagedPolicyDetail) -> output::Policy {
    let version = |version: types::PolicyVersion| output::PolicyVersion {
        document: document(version.document),
        version_id: version.version_id,
        is_default_version: Some(version.is_default_version),
    };
    let versions = policy.policy_version_list;
    output::Policy {
        policy_name: policy.policy_name,
        policy_id: policy.policy_id,
        arn: policy.arn,
        default_version_id: policy.default_version_id,
        attachment_count: policy.attachment_count.map(i64::from),
        policy_version_list: versions.map(|list| list.into_iter().map(version).collect()),
        ..output::Policy::default()
    }
}

pub(super) fn key(key: types::AccessKeyMetadata) -> output::AccessKey {
    output::AccessKey {
        user_name: key.user_name,
        access_key_id: key.access_key_id,
        status: key.status.map(|status| status.as_str().to_owned()),
        create_date: micros(key.create_date),
    }
}

pub(super) fn key_last_used(used: types::AccessKeyLastUsed) -> output::LastUsed {
    output::LastUsed {
        last_used_date: micros(used.last_used_date),
        service_name: Some(used.service_name),
        region: Some(used.region),
    }
}

pub(super) fn saml_provider(provider: types::SamlProviderListEntry) -> output::Provider {
    output::Provider {
        arn: provider.arn,
        create_date: micros(provider.create_date),
        valid_until: micros(provider.valid_until),
        ..output::Provider::default()
    }
}

pub(super) fn oidc_provider(
    provider: aws_sdk_iam::operation::get_open_id_connect_provider::GetOpenIdConnectProviderOutput,
) -> output::Provider {
    output::Provider {
        url: provider.url,
        client_id_list: provider.client_id_list,
        thumbprint_list: provider.thumbprint_list,
        create_date: micros(provider.create_date),
        tags: tags(provider.tags),
        ..output::Provider::default()
    }
}
