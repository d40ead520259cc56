//! What a file says, into the facts.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use rolecall_lake::inventory::{KnownAccountRow, TimeFrom};

use super::latest::latest;
use super::{Content, vendors};
use crate::assemble;
use crate::error::Problem;
use crate::facts::{AccountFacts, Facts, account_of, is_account};
use crate::output::{AccessKey, LastUsed, Output, Provider};
use crate::parts::Part;
use crate::report;
use crate::stamp::Stamp;
use crate::time::{CLOCK_SKEW, words};

/// The file that something is from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    /// Of its bytes.
    pub(super) fingerprint: u64,
    /// As of when it is where its content does not say so.
    pub(super) stamp: Option<Stamp>,
    /// Partitions of the accounts whose ARNs name them.
    pub(super) partitions: &'a BTreeMap<String, String>,
}

/// Takes in a file. `home` is the account that it is of where nothing in it says so.
pub(super) fn file(
    facts: &mut Facts,
    source: Source<'_>,
    content: Content,
    home: Option<String>,
) -> Result<(), Problem> {
    match content {
        Content::Report(csv, generated) => credential_report(facts, source, &csv, generated),
        Content::Vendors(vendors) => {
            vendor_accounts(facts, source.path, vendors);
            Ok(())
        }
        Content::Outputs(outputs) => {
            let named = accounts(&outputs);
            let own = named.iter().next().filter(|_| named.len() == 1).cloned();
            let home = own.or(home);
            for output in outputs {
                File::of_output(source, &output, home.clone())?.output(facts, output)?;
            }
            Ok(())
        }
    }
}

fn credential_report(
    facts: &mut Facts,
    source: Source<'_>,
    csv: &[u8],
    generated: Option<i64>,
) -> Result<(), Problem> {
    let mut scratch = Facts::default();
    report::take_in(&mut scratch, csv, None)?;
    let latest = scratch.accounts.values().filter_map(assemble::latest).max();
    let file = File::new(source, generated, latest, None)?;
    report::take_in(facts, csv, Some(file.stamp))?;
    for id in scratch.accounts.keys() {
        let account = file.enter(facts.account(id));
        account.add_end("get-credential-report", "", &file.name, fingerprint(csv));
    }
    Ok(())
}

fn vendor_accounts(facts: &mut Facts, path: &Path, vendors: Vec<vendors::Vendor>) {
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
}

/// Every account that outputs name as the one that they are of.
pub(super) fn accounts(outputs: &[Output]) -> BTreeSet<String> {
    let accounts = arns(outputs).into_iter().filter_map(account_of);
    accounts.map(str::to_owned).collect()
}

/// ARNs of things that are in the account that an output is of.
pub(super) fn arns(outputs: &[Output]) -> Vec<&str> {
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
        let devices = output.virtual_mfa_devices.iter().flatten();
        arns.extend(devices.map(|device| &device.id));
        let services = output.services_last_accessed.iter().flatten();
        arns.extend(services.map(|service| &service.last_authenticated_entity));
    }
    arns.into_iter().flatten().map(String::as_str).collect()
}

/// Accounts and partitions that a credential report is of: one of each, as a rule.
pub(super) fn places_of_report(csv: &[u8]) -> BTreeSet<(String, String)> {
    let mut scratch = Facts::default();
    // What is wrong with it is said when it is taken in.
    let _ = report::take_in(&mut scratch, csv, None);
    let users = scratch.accounts.values().flat_map(|account| account.users.values());
    users.filter_map(|user| place(user.user_arn.as_deref()?)).collect()
}

/// Account and partition of an ARN.
pub(super) fn place(arn: &str) -> Option<(String, String)> {
    Some((account_of(arn)?.to_owned(), arn.split(':').nth(1)?.to_owned()))
}

/// The same for a report as CSV and in base64.
fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.trim_ascii_end().hash(&mut hasher);
    hasher.finish()
}

/// One of the outputs of a file.
pub(super) struct File<'a> {
    pub(super) path: &'a Path,
    name: String,
    fingerprint: u64,
    /// As of when it is.
    pub(super) stamp: Stamp,
    /// Why it cannot be of that time.
    too_young: Option<Problem>,
    pub(super) home: Option<String>,
    partitions: &'a BTreeMap<String, String>,
}

impl<'a> File<'a> {
    fn of_output(
        source: Source<'a>,
        output: &Output,
        home: Option<String>,
    ) -> Result<Self, Problem> {
        let said = output.job_completion_date.filter(|_| output.services_last_accessed.is_some());
        Self::new(source, said, latest(output), home)
    }

    /// `said` is the time that its content gives for itself, `latest` the latest that it tells of.
    fn new(
        source: Source<'a>,
        said: Option<i64>,
        latest: Option<i64>,
        home: Option<String>,
    ) -> Result<Self, Problem> {
        let Source { path, fingerprint, stamp, partitions } = source;
        let said = said.map(|at| Stamp { at, from: TimeFrom::Content });
        let given = stamp.filter(|stamp| stamp.from == TimeFrom::Given);
        let mut stamp = said.or(stamp).ok_or(Problem::NoTime)?;
        let name = path.display().to_string();
        let problem = |tells: &str, latest: i64, at: i64| {
            let (latest, at) = (words(latest), words(at));
            Problem::Time(format!(
                "it tells of {latest} in {name}, after {at}, {tells}; a clock is wrong, or --snapshot-time"
            ))
        };
        let too_young = match (latest, given) {
            (Some(latest), _) if latest > stamp.at + CLOCK_SKEW => {
                let tells = match stamp.from {
                    TimeFrom::Content => "the time that the file gives for itself",
                    TimeFrom::File => "when the file was written",
                    TimeFrom::Given | TimeFrom::Api => "the time that its snapshot would have",
                };
                Some(problem(tells, latest, stamp.at))
            }
            (_, Some(given)) if stamp.at > given.at + CLOCK_SKEW => {
                Some(problem("the time that its snapshot would have", stamp.at, given.at))
            }
            _ => None,
        };
        stamp.at = stamp.at.max(latest.unwrap_or(stamp.at));
        Ok(Self { path, name, fingerprint, stamp, too_young, home, partitions })
    }

    /// The account of something that may have an ARN.
    pub(super) fn account(&self, arn: Option<&str>) -> Result<String, Problem> {
        let named = arn.and_then(account_of).map(str::to_owned);
        named.or_else(|| self.home.clone()).ok_or(Problem::WhichAccount)
    }

    /// The same, to put something of this file into it.
    pub(super) fn of<'f>(
        &self,
        facts: &'f mut Facts,
        arn: Option<&str>,
    ) -> Result<&'f mut AccountFacts, Problem> {
        Ok(self.enter(facts.account(&self.account(arn)?)))
    }

    fn enter<'f>(&self, account: &'f mut AccountFacts) -> &'f mut AccountFacts {
        account.add_stamp(&self.name, self.stamp);
        if let Some(problem) = &self.too_young {
            account.refuse(problem.clone());
        }
        account
    }

    /// The partition of an account, by its own ARNs.
    pub(super) fn partition(&self, account: &str) -> &str {
        self.partitions.get(account).map_or("aws", String::as_str)
    }

    fn output(&self, facts: &mut Facts, mut output: Output) -> Result<(), Problem> {
        self.authorization(facts, &output)?;
        self.page(facts, &output);
        self.nobody(facts, &output);
        self.ends(facts, &output);
        self.principals(facts, &mut output)?;
        let stamp = Some(self.stamp);
        for policy in output.policies.take().into_iter().flatten() {
            if policy.kind.is_some() {
                facts.shared_parts.tell(Part::OrganizationPolicies, stamp);
                facts.add_organization_policy(policy, None, None);
            } else if policy.arn.is_some() {
                // AWS's own policies are in no account.
                self.of(facts, policy.arn.as_deref())?.add_policy(policy);
            }
        }
        let cut_off = output.is_cut_off();
        if let Some(keys) = output.access_key_metadata.take() {
            self.access_keys(facts, keys, cut_off)?;
        }
        if output.access_key_last_used.is_some() || output.access_key_id.is_some() {
            self.key(facts, &mut output)?;
        }
        self.credentials(facts, &mut output)?;
        self.accessed(facts, &mut output)?;
        self.summary(facts, &mut output)?;
        let is_tags = output.is_tags() && output.role.is_none();
        self.providers(facts, &mut output)?;
        if is_tags {
            self.tags_of_user(facts, &mut output)?;
        }
        self.trails(facts, &mut output);
        self.organization(facts, &mut output);
        self.identity_center(facts, &mut output);
        Ok(())
    }

    /// Users, groups and roles, and the people of an identity store.
    fn principals(&self, facts: &mut Facts, output: &mut Output) -> Result<(), Problem> {
        let stamp = Some(self.stamp);
        for user in output.user_detail_list.take().into_iter().flatten() {
            self.of(facts, user.arn.as_deref())?.add_user_output(user);
        }
        let all_users = output.users.is_some();
        for user in output.users.take().into_iter().flatten().chain(output.user.take()) {
            // Users of an identity store have no ARN.
            if user.identity_store_id.is_some() || user.arn.is_none() {
                facts.shared_parts.tell(Part::IdentityStore, stamp);
                facts.add_person(user);
            } else {
                let account = self.of(facts, user.arn.as_deref())?;
                if all_users {
                    account.parts.tell(Part::Users, stamp);
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
            let account = self.of(facts, group.arn.as_deref())?;
            account.parts.tell(Part::Groups, stamp);
            account.add_group(group);
        }
        for role in output.role_detail_list.take().into_iter().flatten() {
            self.of(facts, role.arn.as_deref())?.add_role(role, true, stamp);
        }
        let all_roles = [Part::Roles, Part::RoleDetails, Part::TrustStatements];
        for role in output.roles.take().into_iter().flatten() {
            let account = self.of(facts, role.arn.as_deref())?;
            all_roles.iter().for_each(|part| account.parts.tell(*part, stamp));
            account.add_role(role, false, stamp);
        }
        // One by itself says nothing of the others.
        if let Some(role) = output.role.take() {
            self.of(facts, role.arn.as_deref())?.add_role(role, false, stamp);
        }
        Ok(())
    }

    /// One key: its last use, or what is an element of list-access-keys by itself.
    fn key(&self, facts: &mut Facts, output: &mut Output) -> Result<(), Problem> {
        let account = self.of(facts, None)?;
        let id = output.access_key_id.take().or_else(|| self.key_of_name());
        let id = id.ok_or(Problem::WhichKey)?;
        let user_name = output.user_name.take();
        if output.status.is_some() || output.create_date.is_some() {
            let user = user_name.as_deref().unwrap_or_default();
            account.listed(Part::AccessKeys).add(user, self.stamp);
            account.add_key(AccessKey {
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
            account.parts.tell(Part::AccessKeyLastUsed, Some(self.stamp));
            account.add_last_used(id, user_name, used);
        }
        Ok(())
    }

    fn providers(&self, facts: &mut Facts, output: &mut Output) -> Result<(), Problem> {
        let url = output.url.take().filter(|_| output.client_id_list.is_some());
        if let Some(url) = url {
            // What get-open-id-connect-provider prints has no ARN.
            let account = self.account(None)?;
            let host = url.trim_start_matches("https://");
            let partition = self.partition(&account);
            let arn = format!("arn:{partition}:iam::{account}:oidc-provider/{host}");
            let provider = Provider {
                url: Some(host.to_owned()),
                client_id_list: output.client_id_list.take(),
                thumbprint_list: output.thumbprint_list.take(),
                create_date: output.create_date,
                tags: output.tags.take(),
                ..Provider::default()
            };
            let account = self.of(facts, None)?;
            account.parts.note(Part::IdentityProviders, Some(self.stamp));
            account.add_provider(&arn, provider);
        }
        let (oidc, saml) =
            (output.open_id_connect_provider_list.is_some(), output.saml_provider_list.is_some());
        if self.home.is_some() && (oidc || saml) {
            let account = self.of(facts, None)?;
            account.oidc_listed |= oidc;
            account.saml_listed |= saml;
            account.parts.note(Part::IdentityProviders, Some(self.stamp));
        }
        let lists = [output.open_id_connect_provider_list.take(), output.saml_provider_list.take()];
        for provider in lists.into_iter().flatten().flatten() {
            let Some(arn) = provider.arn.clone() else { continue };
            self.of(facts, Some(&arn))?.add_provider(&arn, provider);
        }
        Ok(())
    }

    /// What a page of get-account-authorization-details shows to have been read; of an empty list that is not sure.
    fn authorization(&self, facts: &mut Facts, output: &Output) -> Result<(), Problem> {
        let lists = [
            (output.user_detail_list.as_ref().map(Vec::is_empty), &[Part::Users][..]),
            (output.group_detail_list.as_ref().map(Vec::is_empty), &[Part::Groups]),
            (output.role_detail_list.as_ref().map(Vec::is_empty), &Part::OF_ROLES),
        ];
        if lists.iter().all(|(is_empty, _)| is_empty.is_none()) {
            return Ok(());
        }
        let policies = (output.policies.as_ref().map(Vec::is_empty), &[Part::Policies][..]);
        let account = self.of(facts, None)?;
        for (is_empty, parts) in lists.into_iter().chain([policies]) {
            match is_empty {
                Some(true) => {
                    let oldest = account.empty.entry(parts[0]).or_insert(self.stamp);
                    *oldest = self.stamp.min(*oldest);
                }
                Some(false) => {
                    parts.iter().for_each(|part| account.parts.tell(*part, Some(self.stamp)));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Empty lists of users or roles, which print nothing else. An identity store's users are called the same, so
    /// that the file's name has to say whose they are.
    fn nobody(&self, facts: &mut Facts, output: &Output) {
        let Some(home) = self.home.as_ref().filter(|_| !output.is_cut_off()) else { return };
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let no_users = output.users.as_ref().is_some_and(Vec::is_empty);
        let no_roles = output.roles.as_ref().is_some_and(Vec::is_empty);
        let none =
            [(no_users && name.starts_with("list-users"), Part::Users), (no_roles, Part::Roles)];
        for (_, part) in none.into_iter().filter(|(is_none, _)| *is_none) {
            facts.account(home).none.insert(part, self.stamp);
        }
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
        let file = &self.name;
        for (_, list, of) in lists.into_iter().filter(|(there, ..)| *there) {
            facts.account(home).add_end(list, of, file, self.fingerprint);
        }
    }

    /// Keeps whether more pages follow, so that what is not there is missed.
    fn page(&self, facts: &mut Facts, output: &Output) {
        let Some((list, part)) = output.list() else { return };
        let (of, cut_off) = (output.listed_of(), output.is_cut_off());
        if Part::SHARED.contains(&part) {
            facts.shared_pages.add(list, of, part, cut_off);
            return;
        }
        // Assignments name the account that they are in; all others are of the account whose file it is.
        let named = output.account_assignments.iter().flatten();
        let named = named.filter_map(|one| one.account_id.as_deref().filter(|id| is_account(id)));
        let named: BTreeSet<&str> = named.collect();
        let home = self.home.as_deref().filter(|_| named.is_empty());
        for account in named.into_iter().chain(home) {
            facts.account(account).pages.add(list, of, part, cut_off);
        }
    }
}
