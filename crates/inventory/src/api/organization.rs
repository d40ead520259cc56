//! What the organisation knows: its accounts and policies, the people of the identity store, and who
//! gets which permission set.

use aws_config::SdkConfig;
use aws_sdk_organizations::types::PolicyType;
use rolecall_lake::inventory::AssignmentRow;

use super::{Answer, words};
use crate::error::{Problem, Rejected};
use crate::facts::{AccountFacts, Facts};
use crate::output;
use crate::parts::Part;

/// The policies that say what may be done, whoever asks.
const POLICY_TYPES: [PolicyType; 2] =
    [PolicyType::ServiceControlPolicy, PolicyType::ResourceControlPolicy];

/// Reads the organisation into `answer`, and gives its active accounts. Fails where there are none to
/// be had.
pub(super) async fn read(config: &SdkConfig, answer: &mut Answer) -> Result<Vec<String>, Problem> {
    let client = aws_sdk_organizations::Client::new(config);
    let facts = &mut answer.facts;
    let mut active = Vec::new();
    let mut pages = client.list_accounts().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|error| Problem::Call(words("organizations:ListAccounts", &error)))?;
        for account in page.accounts.unwrap_or_default() {
            let account = output::Account {
                id: account.id,
                arn: account.arn,
                name: account.name,
                email: account.email,
                status: account.status.map(|status| status.as_str().to_owned()),
                state: account.state.map(|state| state.as_str().to_owned()),
            };
            if account.state().is_none_or(|state| state == "ACTIVE") {
                active.extend(account.id.clone());
            }
            facts.add_organization_account(account);
        }
    }
    facts.shared_parts.insert(Part::Accounts);
    let failed = match policies(&client, facts).await {
        Ok(()) => None,
        Err(reason) => Some((Part::OrganizationPolicies, reason)),
    };
    let people = match people(config, facts).await {
        Ok(()) => None,
        Err(reason) => Some((Part::IdentityStore, reason)),
    };
    for (part, reason) in failed.into_iter().chain(people) {
        answer.facts.shared_missing.push(format!("{}: {reason}", part.as_str()));
        let problem = Problem::Call(reason);
        answer.rejected.push(Rejected::new(part.as_str(), problem));
    }
    Ok(active)
}

async fn policies(client: &aws_sdk_organizations::Client, facts: &mut Facts) -> Result<(), String> {
    for kind in POLICY_TYPES {
        let mut pages = client.list_policies().filter(kind.clone()).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| words("organizations:ListPolicies", &error))?;
            for policy in page.policies.unwrap_or_default() {
                let Some(id) = policy.id else { continue };
                let described = client.describe_policy().policy_id(&id).send().await;
                let described =
                    described.map_err(|error| words("organizations:DescribePolicy", &error))?;
                let content = described.policy.and_then(|policy| policy.content);
                let targets = targets(client, &id).await?;
                let summary = output::Policy {
                    id: Some(id),
                    name: policy.name,
                    kind: Some(kind.as_str().to_owned()),
                    aws_managed: Some(policy.aws_managed),
                    ..output::Policy::default()
                };
                let content = content.map(serde_json::Value::String);
                facts.add_organization_policy(summary, content.as_ref(), Some(targets));
            }
        }
    }
    facts.shared_parts.insert(Part::OrganizationPolicies);
    Ok(())
}

async fn targets(
    client: &aws_sdk_organizations::Client,
    policy: &str,
) -> Result<Vec<String>, String> {
    let mut targets = Vec::new();
    let mut pages = client.list_targets_for_policy().policy_id(policy).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| words("organizations:ListTargetsForPolicy", &error))?;
        let found = page.targets.unwrap_or_default().into_iter();
        targets.extend(found.filter_map(|target| target.target_id));
    }
    targets.sort();
    Ok(targets)
}

/// Everybody in the identity stores of this region, and the names of their groups.
async fn people(config: &SdkConfig, facts: &mut Facts) -> Result<(), String> {
    let center = aws_sdk_ssoadmin::Client::new(config);
    let mut pages = center.list_instances().into_paginator().items().send();
    while let Some(instance) = pages.next().await {
        let instance = instance.map_err(|error| words("sso:ListInstances", &error))?;
        if let (Some(arn), Some(store)) = (instance.instance_arn, instance.identity_store_id) {
            facts.instances.insert(arn, store);
        }
    }
    if facts.instances.is_empty() {
        let region = config.region().map_or("this region", |region| region.as_ref());
        return Err(format!("sso:ListInstances: there is no Identity Center in {region}"));
    }
    let store_client = aws_sdk_identitystore::Client::new(config);
    let stores: Vec<String> = facts.instances.values().cloned().collect();
    for store in stores {
        let users = store_client.list_users().identity_store_id(&store);
        let mut pages = users.into_paginator().items().send();
        while let Some(user) = pages.next().await {
            let user = user.map_err(|error| words("identitystore:ListUsers", &error))?;
            let emails = user.emails.unwrap_or_default().into_iter();
            facts.add_person(output::User {
                user_name: user.user_name,
                user_id: Some(user.user_id),
                identity_store_id: Some(user.identity_store_id),
                display_name: user.display_name,
                emails: Some(
                    emails
                        .map(|email| output::Email {
                            value: email.value,
                            primary: Some(email.primary),
                        })
                        .collect(),
                ),
                user_status: user.user_status.map(|status| status.as_str().to_owned()),
                ..output::User::default()
            });
        }
        let groups = store_client.list_groups().identity_store_id(&store);
        let mut pages = groups.into_paginator().items().send();
        while let Some(group) = pages.next().await {
            let group = group.map_err(|error| words("identitystore:ListGroups", &error))?;
            facts.add_group_of_people(output::Group {
                group_id: Some(group.group_id),
                identity_store_id: Some(group.identity_store_id),
                display_name: group.display_name,
                ..output::Group::default()
            });
        }
    }
    facts.shared_parts.insert(Part::IdentityStore);
    Ok(())
}

/// Who gets which permission set, account by account.
pub(super) struct Assignments {
    client: Option<aws_sdk_ssoadmin::Client>,
    instances: Vec<(String, String)>,
}

impl Assignments {
    pub(super) fn new(config: &SdkConfig, facts: &Facts, wanted: bool) -> Self {
        let client = wanted.then(|| aws_sdk_ssoadmin::Client::new(config));
        let instances = facts.instances.iter();
        let instances = instances.map(|(arn, store)| (arn.clone(), store.clone())).collect();
        Self { client, instances }
    }

    /// Reads those of one account into `facts`.
    pub(super) async fn read(&self, account: &str, facts: &mut AccountFacts) {
        let Some(client) = self.client.as_ref().filter(|_| !self.instances.is_empty()) else {
            return;
        };
        for (instance, store) in &self.instances {
            match of_account(client, instance, store, account).await {
                Ok(rows) => facts.assignments.extend(rows),
                Err(reason) => return facts.give_up(&[Part::IdentityCenter], &reason),
            }
        }
        facts.parts.insert(Part::IdentityCenter);
    }
}

async fn of_account(
    client: &aws_sdk_ssoadmin::Client,
    instance: &str,
    store: &str,
    account: &str,
) -> Result<Vec<AssignmentRow>, String> {
    let provisioned = client.list_permission_sets_provisioned_to_account();
    let provisioned = provisioned.instance_arn(instance).account_id(account);
    let mut sets = provisioned.into_paginator().items().send();
    let mut rows = Vec::new();
    while let Some(set) = sets.next().await {
        let call = "sso:ListPermissionSetsProvisionedToAccount";
        let set = set.map_err(|error| words(call, &error))?;
        let described = client.describe_permission_set();
        let described = described.instance_arn(instance).permission_set_arn(&set).send().await;
        let described = described.map_err(|error| words("sso:DescribePermissionSet", &error))?;
        let name = described.permission_set.and_then(|set| set.name);
        let assigned = client.list_account_assignments().instance_arn(instance);
        let assigned = assigned.account_id(account).permission_set_arn(&set);
        let mut assigned = assigned.into_paginator().items().send();
        while let Some(one) = assigned.next().await {
            let one = one.map_err(|error| words("sso:ListAccountAssignments", &error))?;
            rows.push(AssignmentRow {
                instance_arn: Some(instance.to_owned()),
                identity_store_id: Some(store.to_owned()),
                permission_set_arn: Some(set.clone()),
                permission_set_name: name.clone(),
                principal_type: one.principal_type.map(|kind| kind.as_str().to_owned()),
                principal_id: one.principal_id,
                principal_name: None,
            });
        }
    }
    Ok(rows)
}
