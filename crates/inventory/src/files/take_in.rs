//! What a file says, into the facts.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use rolecall_lake::inventory::{AssignmentRow, KnownAccountRow};

use super::Content;
use crate::error::Problem;
use crate::facts::{Facts, account_of, is_account};
use crate::output::{AccessKey, LastUsed, Output, Provider};
use crate::parts::Part;
use crate::report;

/// The file that something is from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    /// Of its bytes.
    pub(super) fingerprint: u64,
    /// When it was written, in microseconds.
    pub(super) modified: Option<i64>,
}

/// Takes in a file. `home` is the account that it is of where nothing in it says so.
pub(super) fn file(
    facts: &mut Facts,
    source: Source<'_>,
    content: Content,
    home: Option<String>,
) -> Result<(), Problem> {
    let path = source.path;
    match content {
        Content::Report(csv, generated) => {
            report::take_in(facts, &csv, generated)?;
            for account in accounts_of_report(&csv) {
                let (file, print) = (path.display().to_string(), fingerprint(&csv));
                if generated.is_none() {
                    facts.account(&account).add_written(source.modified);
                }
                facts.account(&account).add_end("get-credential-report", "", &file, print);
            }
            Ok(())
        }
        Content::Vendors(vendors) => {
            let source = path.file_name().map(|name| name.to_string_lossy().into_owned());
            for vendor in vendors {
                let accounts = vendor.accounts.into_iter().filter(|account| is_account(account));
                facts.vendors.extend(accounts.map(|account| KnownAccountRow {
                    known_account_id: account,
                    name: Some(vendor.name.clone()),
                    kind: "vendor".to_owned(),
                    source: source.clone(),
                    ..KnownAccountRow::default()
                }));
            }
            Ok(())
        }
        Content::Outputs(outputs) => {
            let named = accounts(&outputs);
            let own = named.iter().next().filter(|_| named.len() == 1).cloned();
            let Source { fingerprint, modified, .. } = source;
            let file = File { path, fingerprint, modified, home: own.or(home) };
            for output in outputs {
                file.output(facts, output)?;
            }
            Ok(())
        }
    }
}

/// Every account that outputs name as the one that they are of.
pub(super) fn accounts(outputs: &[Output]) -> BTreeSet<String> {
    let mut arns: Vec<&Option<String>> = Vec::new();
    for output in outputs {
        let users = [&output.user_detail_list, &output.users].into_iter().flatten().flatten();
        arns.extend(users.chain(&output.user).map(|user| &user.arn));
        let groups = [&output.group_detail_list, &output.groups].into_iter().flatten().flatten();
        arns.extend(groups.map(|group| &group.arn));
        let roles = [&output.role_detail_list, &output.roles].into_iter().flatten().flatten();
        arns.extend(roles.chain(&output.role).map(|role| &role.arn));
        // Of an organisation's policies the ARN names the management account.
        let policies = output.policies.iter().flatten().filter(|policy| policy.kind.is_none());
        arns.extend(policies.map(|policy| &policy.arn));
        let providers = [&output.open_id_connect_provider_list, &output.saml_provider_list];
        arns.extend(providers.into_iter().flatten().flatten().map(|provider| &provider.arn));
    }
    let accounts = arns.into_iter().flatten().filter_map(|arn| account_of(arn));
    accounts.map(str::to_owned).collect()
}

/// Every account that a credential report is of: one, as a rule.
pub(super) fn accounts_of_report(csv: &[u8]) -> BTreeSet<String> {
    let mut scratch = Facts::default();
    // What is wrong with it is said when it is taken in.
    let _ = report::take_in(&mut scratch, csv, None);
    scratch.accounts.into_keys().collect()
}

/// The same for a report as CSV and in base64.
fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.trim_ascii_end().hash(&mut hasher);
    hasher.finish()
}

struct File<'a> {
    path: &'a Path,
    fingerprint: u64,
    modified: Option<i64>,
    home: Option<String>,
}

impl File<'_> {
    /// The account of something that may have an ARN.
    fn account(&self, arn: Option<&str>) -> Result<String, Problem> {
        let named = arn.and_then(account_of).map(str::to_owned);
        named.or_else(|| self.home.clone()).ok_or(Problem::WhichAccount)
    }

    fn output(&self, facts: &mut Facts, mut output: Output) -> Result<(), Problem> {
        self.authorization(facts, &output)?;
        self.page(facts, &output);
        self.ends(facts, &output);
        self.principals(facts, &mut output)?;
        for policy in output.policies.take().into_iter().flatten() {
            if policy.kind.is_some() {
                facts.shared_parts.insert(Part::OrganizationPolicies);
                facts.add_organization_policy(policy, None, None);
            } else if policy.arn.is_some() {
                facts.account(&self.account(policy.arn.as_deref())?).add_policy(policy);
            }
        }
        if let Some(keys) = output.access_key_metadata.take() {
            // An empty list says that a user has no keys.
            let account = facts.account(&self.account(None)?);
            account.parts.insert(Part::AccessKeys);
            for key in keys {
                if account.differs(&key) && account.twice.is_none() {
                    let file = self.path.display().to_string();
                    let id = key.access_key_id.clone().unwrap_or_default();
                    account.twice = Some(Problem::KeyTwice { id, file });
                }
                account.add_key(key);
            }
        }
        if output.access_key_last_used.is_some() || output.access_key_id.is_some() {
            self.key(facts, &mut output)?;
        }
        self.providers(facts, &mut output)?;
        self.trails(facts, &mut output);
        Self::organization(facts, output.accounts, output.organization, output.policy);
        Self::identity_center(
            facts,
            output.account_assignments,
            output.permission_set,
            output.instances,
        );
        Ok(())
    }

    /// Users, groups and roles, and the people of an identity store.
    fn principals(&self, facts: &mut Facts, output: &mut Output) -> Result<(), Problem> {
        for user in output.user_detail_list.take().into_iter().flatten() {
            facts.account(&self.account(user.arn.as_deref())?).add_user_output(user);
        }
        let all_users = output.users.is_some();
        for user in output.users.take().into_iter().flatten().chain(output.user.take()) {
            // Users of an identity store have no ARN.
            if user.identity_store_id.is_some() || user.arn.is_none() {
                facts.shared_parts.insert(Part::IdentityStore);
                facts.add_person(user);
            } else {
                let account = facts.account(&self.account(user.arn.as_deref())?);
                if all_users {
                    account.parts.insert(Part::Users);
                }
                account.add_user_output(user);
            }
        }
        let groups = output.group_detail_list.take().into_iter().chain(output.groups.take());
        for group in groups.flatten() {
            // Groups of an identity store have no ARN.
            if group.arn.is_none() && group.display_name.is_some() {
                facts.add_group_of_people(group);
                continue;
            }
            let account = facts.account(&self.account(group.arn.as_deref())?);
            account.parts.insert(Part::Groups);
            account.add_group(group);
        }
        for role in output.role_detail_list.take().into_iter().flatten() {
            facts.account(&self.account(role.arn.as_deref())?).add_role(role, true);
        }
        let all_roles = [Part::Roles, Part::RoleDetails, Part::TrustStatements];
        for role in output.roles.take().into_iter().flatten() {
            let account = facts.account(&self.account(role.arn.as_deref())?);
            account.parts.extend(all_roles);
            account.add_role(role, false);
        }
        // One by itself says nothing of the others.
        if let Some(role) = output.role.take() {
            facts.account(&self.account(role.arn.as_deref())?).add_role(role, false);
        }
        Ok(())
    }

    /// One key: its last use, or what is an element of list-access-keys by itself.
    fn key(&self, facts: &mut Facts, output: &mut Output) -> Result<(), Problem> {
        let account = self.account(None)?;
        let id = output.access_key_id.take().or_else(|| self.key_of_name());
        let id = id.ok_or(Problem::WhichKey)?;
        let user_name = output.user_name.take();
        if output.status.is_some() || output.create_date.is_some() {
            facts.account(&account).add_key(AccessKey {
                user_name: user_name.clone(),
                access_key_id: Some(id.clone()),
                status: output.status.take(),
                create_date: output.create_date,
            });
        }
        let flat = output.last_used_date.is_some() || output.service_name.is_some();
        let used = output.access_key_last_used.take().or_else(|| {
            flat.then(|| LastUsed {
                last_used_date: output.last_used_date,
                service_name: output.service_name.take(),
                region: output.region.take(),
            })
        });
        if let Some(used) = used {
            facts.account(&account).add_written(self.modified);
            facts.account(&account).add_last_used(id, user_name, used);
        }
        Ok(())
    }

    fn providers(&self, facts: &mut Facts, output: &mut Output) -> Result<(), Problem> {
        let url = output.url.take().filter(|_| output.client_id_list.is_some());
        if let Some(url) = url {
            // What get-open-id-connect-provider prints has no ARN.
            let account = self.account(None)?;
            let host = url.trim_start_matches("https://");
            let arn = format!("arn:aws:iam::{account}:oidc-provider/{host}");
            let provider = Provider {
                url: Some(host.to_owned()),
                client_id_list: output.client_id_list.take(),
                thumbprint_list: output.thumbprint_list.take(),
                create_date: output.create_date,
                tags: output.tags.take(),
                ..Provider::default()
            };
            facts.account(&account).add_provider(&arn, provider);
        }
        if let Some(home) = &self.home {
            let account = facts.account(home);
            account.oidc_listed |= output.open_id_connect_provider_list.is_some();
            account.saml_listed |= output.saml_provider_list.is_some();
        }
        let lists = [output.open_id_connect_provider_list.take(), output.saml_provider_list.take()];
        for provider in lists.into_iter().flatten().flatten() {
            let Some(arn) = provider.arn.clone() else { continue };
            facts.account(&self.account(Some(&arn))?).add_provider(&arn, provider);
        }
        Ok(())
    }

    /// Trails, what they record, and whether they are switched on.
    fn trails(&self, facts: &mut Facts, output: &mut Output) {
        for trail in output.trails.take().into_iter().flatten().chain(output.trail.take()) {
            facts.trails.describe(trail);
        }
        if let Some(trails) = output.trail_list.take() {
            // An organisation's trail has the ARN of the account that made it, whoever sees it.
            let own = trails.iter().filter(|trail| trail.is_organization_trail != Some(true));
            let mut own = own.chain(&trails).filter_map(|trail| trail.trail_arn.as_deref());
            let own = own.find_map(account_of).map(str::to_owned);
            match self.home.clone().or(own) {
                Some(account) => facts.trails.see(&account, &trails),
                None => trails.into_iter().for_each(|trail| facts.trails.describe(trail)),
            }
        }
        let arn = output.trail_arn.take();
        if let Some(arn) = arn.as_ref().filter(|_| {
            output.event_selectors.is_array() || output.advanced_event_selectors.is_array()
        }) {
            let selectors = serde_json::json!({
                "EventSelectors": output.event_selectors.take(),
                "AdvancedEventSelectors": output.advanced_event_selectors.take(),
            });
            facts.trails.select(arn, selectors);
        }
        match (output.is_logging, arn) {
            (Some(logging), Some(arn)) => facts.trails.switch(&arn, logging),
            (Some(logging), None) => {
                let input = self.path.display().to_string();
                let (home, named) = (self.home.clone(), self.trail_of_name());
                facts.trails.switch_nameless(input, home, named, logging);
            }
            (None, _) => {}
        }
    }

    /// `get-trail-status.TRAIL.json`: the output does not name its trail.
    fn trail_of_name(&self) -> Option<String> {
        let name = self.path.file_stem()?.to_str()?;
        let rest = name.split_once("get-trail-status")?.1;
        let rest = rest.trim_start_matches(['.', '-', '_', ' ']);
        (!rest.is_empty()).then(|| rest.to_owned())
    }

    /// What a page of get-account-authorization-details shows to have been read, though it may hold
    /// none of it.
    fn authorization(&self, facts: &mut Facts, output: &Output) -> Result<(), Problem> {
        let lists = [
            (output.user_detail_list.is_some(), Part::Users),
            (output.group_detail_list.is_some(), Part::Groups),
            (output.role_detail_list.is_some(), Part::Roles),
        ];
        if lists.iter().all(|(there, _)| !there) {
            return Ok(());
        }
        let account = facts.account(&self.account(None)?);
        account.parts.extend(lists.iter().filter(|(there, _)| *there).map(|(_, part)| *part));
        account.parts.insert(Part::Attachments);
        if output.role_detail_list.is_some() {
            account.parts.extend([Part::RoleLastUsed, Part::TrustStatements]);
        }
        if output.policies.is_some() {
            account.parts.insert(Part::Policies);
        }
        Ok(())
    }

    /// `get-access-key-last-used.AKIA….json`: the output does not name its key.
    fn key_of_name(&self) -> Option<String> {
        let name = self.path.file_name()?.to_str()?;
        let is_key = |word: &&str| {
            word.len() >= 16
                && word.starts_with("AKIA")
                && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
        words.find(is_key).map(str::to_owned)
    }

    fn organization(
        facts: &mut Facts,
        accounts: Option<Vec<crate::output::Account>>,
        organization: Option<crate::output::Organization>,
        policy: Option<crate::output::OrganizationPolicy>,
    ) {
        if accounts.is_some() {
            facts.shared_parts.insert(Part::Accounts);
        }
        for account in accounts.into_iter().flatten() {
            facts.add_organization_account(account);
        }
        if let Some(organization) = organization {
            facts.organization.id = organization.id.or(facts.organization.id.take());
            let management = organization.master_account_id;
            facts.organization.management_account =
                management.or(facts.organization.management_account.take());
        }
        if let Some(policy) = policy
            && let Some(summary) = policy.policy_summary
        {
            facts.shared_parts.insert(Part::OrganizationPolicies);
            facts.add_organization_policy(summary, Some(&policy.content), policy.targets);
        }
    }

    fn identity_center(
        facts: &mut Facts,
        assignments: Option<Vec<crate::output::Assignment>>,
        set: Option<crate::output::PermissionSet>,
        instances: Option<Vec<crate::output::Instance>>,
    ) {
        for assignment in assignments.into_iter().flatten() {
            let Some(account) = assignment.account_id.filter(|id| is_account(id)) else { continue };
            let account = facts.account(&account);
            account.parts.insert(Part::IdentityCenter);
            account.assignments.push(AssignmentRow {
                permission_set_arn: assignment.permission_set_arn,
                principal_type: assignment.principal_type,
                principal_id: assignment.principal_id,
                ..AssignmentRow::default()
            });
        }
        if let Some(set) = set
            && let (Some(arn), Some(name)) = (set.permission_set_arn, set.name)
        {
            facts.permission_sets.insert(arn, name);
        }
        for instance in instances.into_iter().flatten() {
            if let (Some(arn), Some(store)) = (instance.instance_arn, instance.identity_store_id) {
                facts.instances.insert(arn, store);
            }
        }
    }

    /// Keeps which file has the end of a list. With `--filter` the lists of others are empty.
    fn ends(&self, facts: &mut Facts, output: &Output) {
        const DETAILS: &str = "get-account-authorization-details";
        fn has<T>(list: Option<&Vec<T>>) -> bool {
            list.is_some_and(|list| !list.is_empty())
        }
        let Some(home) = self.home.as_ref().filter(|_| !output.is_cut_off()) else { return };
        let users =
            output.users.as_ref().filter(|users| users.iter().any(|user| user.arn.is_some()));
        let lists = [
            (has(output.user_detail_list.as_ref()), DETAILS, "users"),
            (has(output.group_detail_list.as_ref()), DETAILS, "groups"),
            (has(output.role_detail_list.as_ref()), DETAILS, "roles"),
            (has(output.roles.as_ref()), "list-roles", "roles"),
            (users.is_some(), "list-users", "users"),
        ];
        let file = self.path.display().to_string();
        for (_, list, of) in lists.into_iter().filter(|(there, ..)| *there) {
            facts.account(home).add_end(list, of, &file, self.fingerprint);
        }
    }

    /// Keeps whether more pages follow, so that what is not there is missed.
    fn page(&self, facts: &mut Facts, output: &Output) {
        let Some((list, part)) = output.list() else { return };
        match &self.home {
            Some(home) if !Part::SHARED.contains(&part) => {
                facts.account(home).add_page(list, part, output.is_cut_off());
            }
            _ if output.is_cut_off() => {
                let words =
                    format!("{}: more pages of {list} follow than were read", part.as_str());
                facts.shared_missing.push(words);
            }
            _ => {}
        }
    }
}
