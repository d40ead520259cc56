//! What was read of one account.

use std::collections::BTreeMap;

use rolecall_lake::inventory::{
    AssignmentRow, AttachmentRow, CredentialRow, GroupRow, IdentityProviderRow, PolicyRow, RoleRow,
    TimeFrom, TrustStatementRow, UserRow,
};

use super::lists::{Listed, PagesOfLists};
use super::{fill, given, tags};
use crate::document;
use crate::error::Problem;
use crate::output;
use crate::parts::Part;
use crate::stamp::{Parts, Stamp};

/// Inputs give times to the second, or to parts of one.
const SECOND: i64 = 1_000_000;

/// What was read of one account.
#[derive(Debug, Default)]
pub(crate) struct AccountFacts {
    pub(crate) users: BTreeMap<String, UserRow>,
    pub(crate) groups: BTreeMap<String, GroupRow>,
    /// By ARN.
    pub(crate) roles: BTreeMap<String, RoleRow>,
    /// By ARN.
    pub(crate) policies: BTreeMap<String, PolicyRow>,
    /// By principal, kind and policy.
    pub(crate) attachments: BTreeMap<[String; 4], AttachmentRow>,
    /// By role.
    pub(crate) trust: BTreeMap<String, Vec<TrustStatementRow>>,
    /// By key id.
    pub(crate) keys: BTreeMap<String, Key>,
    /// By key id.
    pub(crate) last_used: BTreeMap<String, LastUse>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) providers: BTreeMap<String, IdentityProviderRow>,
    /// Kinds of providers that were listed, one by one: only both are all of them.
    pub(crate) oidc_listed: bool,
    pub(crate) saml_listed: bool,
    pub(crate) assignments: Vec<AssignmentRow>,
    pub(crate) parts: Parts,
    /// When AWS was asked, in microseconds; none where files were read.
    pub(crate) asked: Option<i64>,
    /// What was asked for and not got, beside what no input was there for.
    pub(crate) missing: Vec<(Part, String)>,
    /// Lists that come in pages.
    pub(crate) pages: PagesOfLists,
    /// Files that hold the end of a list, by the command that prints it, and a fingerprint of each.
    pub(crate) ends: BTreeMap<(&'static str, &'static str), (String, u64)>,
    /// Lists that are of one user each, by what they list.
    pub(crate) lists: BTreeMap<Part, Listed>,
    /// Credentials beside passwords and access keys, by user, kind and id.
    pub(crate) credentials: BTreeMap<(String, &'static str, String), CredentialRow>,
    /// When the newest word on each role's last use was read, by ARN.
    pub(crate) role_uses: BTreeMap<String, Stamp>,
    /// What get-service-last-accessed-details says.
    pub(crate) accessed: Vec<Accessed>,
    /// Users that the credential report has, and when each was made.
    pub(crate) reported: BTreeMap<String, Option<i64>>,
    /// How many credentials the report counts beyond those that it shows, by user, where it counts them.
    pub(crate) further: BTreeMap<String, usize>,
    /// What get-account-authorization-details lists none of, and as of when; with `--filter` it prints empty lists.
    pub(crate) empty: BTreeMap<Part, Stamp>,
    /// Of what a list or a number says by itself that there is none, and as of when.
    pub(crate) none: BTreeMap<Part, Stamp>,
    /// Tags of users, by what the file's name says.
    pub(crate) user_tags: Vec<(String, BTreeMap<String, String>)>,
    /// Whether root has access keys, by get-account-summary.
    pub(crate) root_keys: Option<bool>,
    /// The newest of all that was read.
    pub(crate) newest: Option<Stamp>,
    /// The file that was written last among those whose content does not say of when it is.
    pub(crate) newest_written: Option<(i64, String)>,
    /// The oldest file whose content says so.
    pub(crate) oldest_said: Option<(i64, String)>,
    /// Why nothing of the account can be taken.
    pub(crate) refused: Option<Problem>,
}

/// What IAM knows of a role's or user's calls, service by service.
#[derive(Debug, Clone)]
pub(crate) struct Accessed {
    pub(crate) subject: Subject,
    /// The latest attempt, and its region.
    pub(crate) last: Option<(i64, Option<String>)>,
    pub(crate) stamp: Option<Stamp>,
    /// It is all that IAM knows of the subject, and not of a policy that others have too.
    pub(crate) whole: bool,
}

/// Whom it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// By ARN.
    Arn(String),
    /// By what the file's name says: `role.NAME`, `user.NAME`, or a name.
    Named(String),
}

/// An access key, without its use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Key {
    pub(crate) user_name: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) created: Option<i64>,
}

/// What IAM says of a key's last use.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastUse {
    pub(crate) user_name: Option<String>,
    pub(crate) at: Option<i64>,
    pub(crate) service: Option<String>,
    pub(crate) region: Option<String>,
}

/// A key's place in the credential report.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot {
    pub(crate) user_name: String,
    pub(crate) user_arn: String,
    /// When the user was made.
    pub(crate) user_created: Option<i64>,
    /// 1 or 2.
    pub(crate) number: i64,
    pub(crate) active: bool,
    pub(crate) last_rotated: Option<i64>,
    pub(crate) last_used: Option<i64>,
    pub(crate) last_used_service: Option<String>,
    pub(crate) last_used_region: Option<String>,
}

impl AccountFacts {
    pub(crate) fn add_user(&mut self, user: UserRow) {
        let Some(known) = self.users.get_mut(&user.user_name) else {
            self.users.insert(user.user_name.clone(), user);
            return;
        };
        let apart = |(one, other): (i64, i64)| (one - other).abs() > SECOND;
        if are_two(&known.user_id, &user.user_id)
            || known.created.zip(user.created).is_some_and(apart)
        {
            // Deleted and made again between two inputs: what the older one says is about another user.
            if known.created < user.created {
                *known = user;
            }
            return;
        }
        fill(&mut known.user_arn, user.user_arn);
        fill(&mut known.user_id, user.user_id);
        fill(&mut known.path, user.path);
        fill(&mut known.created, user.created);
        fill(&mut known.console_password, user.console_password);
        known.password_last_used = known.password_last_used.max(user.password_last_used);
        fill(&mut known.password_last_changed, user.password_last_changed);
        fill(&mut known.mfa_active, user.mfa_active);
        fill(&mut known.signing_certificates, user.signing_certificates);
        fill(&mut known.permissions_boundary, user.permissions_boundary);
        if known.groups.is_empty() {
            known.groups = user.groups;
        }
        known.tags.extend(user.tags);
        known.last_used = known.last_used.max(user.last_used);
    }

    /// Whether nothing was read of its IAM, and nothing was found empty.
    pub(crate) fn is_unread(&self) -> bool {
        let empty = [
            self.users.is_empty(),
            self.groups.is_empty(),
            self.roles.is_empty(),
            self.policies.is_empty(),
            self.keys.is_empty(),
            self.last_used.is_empty(),
            self.slots.is_empty(),
            self.providers.is_empty(),
            self.credentials.is_empty(),
        ];
        !empty.contains(&false) && !Part::OF_IAM.iter().any(|part| self.parts.contains(part))
    }

    /// Whatever was got of these parts is kept, but they do not count as read.
    pub(crate) fn give_up(&mut self, parts: &[Part], reason: &str) {
        for part in parts {
            self.parts.remove(part);
            self.missing.push((*part, reason.to_owned()));
        }
    }

    /// How many keys and certificates of a user the credential report counts and nothing shows, where it counts
    /// them.
    pub(crate) fn unshown(&self, user: &str) -> Option<usize> {
        let number = *self.further.get(user).filter(|_| self.is_reported(user))?;
        let keys = self.keys.values().filter(|key| key.user_name.as_deref() == Some(user)).count();
        let certificates = self.credentials.keys();
        let certificates =
            certificates.filter(|(of, kind, _)| of == user && *kind == "signing_certificate");
        let shown = keys.saturating_sub(2) + certificates.count().saturating_sub(2);
        Some(number.saturating_sub(shown))
    }

    /// Whether the credential report tells of this user, and not of one of the same name that was deleted since.
    pub(crate) fn is_reported(&self, user: &str) -> bool {
        let Some(then) = self.reported.get(user) else { return false };
        let made = self.users.get(user).and_then(|user| user.created);
        made.zip(*then).is_none_or(|(made, then)| then + SECOND >= made)
    }

    pub(crate) fn has_failed(&self, part: Part) -> bool {
        self.missing.iter().any(|(missing, _)| *missing == part)
    }

    /// The end of a list of some kind of thing, which a file has. Another file with another end of the same list is
    /// of another time; a copy does no harm.
    pub(crate) fn add_end(
        &mut self,
        list: &'static str,
        of: &'static str,
        file: &str,
        fingerprint: u64,
    ) {
        let end = (file.to_owned(), fingerprint);
        let (first, known) = self.ends.entry((list, of)).or_insert(end);
        if *known != fingerprint && self.refused.is_none() {
            let (first, second) = (first.clone(), file.to_owned());
            self.refused = Some(Problem::Twice { list, first, second });
        }
    }

    /// A file of the account that holds as of then.
    pub(crate) fn add_stamp(&mut self, file: &str, stamp: Stamp) {
        self.newest = self.newest.max(Some(stamp));
        let (known, is_further): (_, fn(i64, i64) -> bool) = match stamp.from {
            TimeFrom::File => (&mut self.newest_written, |one, other| one > other),
            TimeFrom::Content => (&mut self.oldest_said, |one, other| one < other),
            TimeFrom::Api | TimeFrom::Given => return,
        };
        if known.as_ref().is_none_or(|(at, _)| is_further(stamp.at, *at)) {
            *known = Some((stamp.at, file.to_owned()));
        }
    }

    pub(crate) fn refuse(&mut self, problem: Problem) {
        self.refused.get_or_insert(problem);
    }

    pub(crate) fn listed(&mut self, part: Part) -> &mut Listed {
        self.lists.entry(part).or_default()
    }

    pub(crate) fn add_credential(&mut self, row: CredentialRow, kind: &'static str) {
        let key = (row.user_name.clone(), kind, row.credential_id.clone());
        self.credentials.insert(key, CredentialRow { kind: kind.to_owned(), ..row });
    }

    /// A user of IAM.
    pub(crate) fn add_user_output(&mut self, user: output::User) {
        let Some(name) = user.user_name else { return };
        let principal = Principal { kind: "user", name: &name, arn: user.arn.as_deref() };
        let boundary = user.permissions_boundary.and_then(|one| one.permissions_boundary_arn);
        self.add_attachments(&principal, user.attached_managed_policies, user.user_policy_list);
        self.add_boundary(&principal, boundary.as_deref());
        self.add_user(UserRow {
            user_name: name,
            user_arn: user.arn,
            user_id: user.user_id,
            path: user.path,
            created: user.create_date,
            password_last_used: user.password_last_used,
            groups: user.group_list.unwrap_or_default(),
            permissions_boundary: boundary,
            tags: tags(user.tags),
            ..UserRow::default()
        });
    }

    pub(crate) fn add_group(&mut self, group: output::Group) {
        let Some(name) = group.group_name else { return };
        let principal = Principal { kind: "group", name: &name, arn: group.arn.as_deref() };
        self.add_attachments(&principal, group.attached_managed_policies, group.group_policy_list);
        let row = self.groups.entry(name.clone()).or_default();
        row.group_name = name;
        fill(&mut row.group_arn, group.arn);
        fill(&mut row.group_id, group.group_id);
        fill(&mut row.path, group.path);
        fill(&mut row.created, group.create_date);
    }

    /// A role; `detailed` where it came with its last use, so that none given is none.
    pub(crate) fn add_role(&mut self, role: output::Role, detailed: bool, stamp: Option<Stamp>) {
        let (Some(name), Some(arn)) = (role.role_name, role.arn) else { return };
        let principal = Principal { kind: "role", name: &name, arn: Some(&arn) };
        let boundary = role.permissions_boundary.and_then(|one| one.permissions_boundary_arn);
        self.add_attachments(&principal, role.attached_managed_policies, role.role_policy_list);
        self.add_boundary(&principal, boundary.as_deref());
        let known = self.roles.get(&arn);
        if known.is_some_and(|known| are_two(&known.role_id, &role.role_id)) {
            // Deleted and made again between two inputs: what the older one says is about another role.
            if known.and_then(|known| known.created) >= role.create_date {
                return;
            }
            self.roles.remove(&arn);
            self.role_uses.remove(&arn);
            self.trust.remove(&arn);
        }
        let row = self.roles.entry(arn.clone()).or_default();
        row.role_name = name;
        row.role_arn.clone_from(&arn);
        fill(&mut row.role_id, role.role_id);
        fill(&mut row.path, role.path);
        fill(&mut row.created, role.create_date);
        fill(&mut row.description, given(role.description));
        fill(&mut row.max_session_seconds, role.max_session_duration);
        fill(&mut row.permissions_boundary, boundary);
        row.tags.extend(tags(role.tags));
        let told = detailed || role.role_last_used.is_some();
        row.last_used_known |= told;
        // Of two words the later use counts: either may be the older one.
        if let Some(used) = role.role_last_used
            && used.last_used_date > row.last_used
        {
            row.last_used = used.last_used_date;
            row.last_used_region = given(used.region);
        }
        if let Some(stamp) = stamp.filter(|_| told) {
            let newest = self.role_uses.entry(arn.clone()).or_insert(stamp);
            *newest = stamp.max(*newest);
        }
        let profiles = role.instance_profile_list.unwrap_or_default().into_iter();
        for profile in profiles.filter_map(|profile| profile.instance_profile_name) {
            if !row.instance_profiles.contains(&profile) {
                row.instance_profiles.push(profile);
            }
        }
        let path = row.path.clone().or_else(|| path_of(&arn)).unwrap_or_default();
        row.service_linked = path.starts_with("/aws-service-role/");
        row.identity_center = path.starts_with("/aws-reserved/sso.amazonaws.com/");
        if !role.assume_role_policy_document.is_null() {
            match document::trust_statements(row, &role.assume_role_policy_document) {
                Some(rows) => self.trust.extend([(arn, rows)]),
                None => {
                    let reason = format!("the trust policy of {arn} cannot be understood");
                    self.missing.push((Part::TrustStatements, reason));
                }
            }
        }
    }

    pub(crate) fn add_policy(&mut self, policy: output::Policy) {
        let Some(arn) = policy.arn else { return };
        let versions = policy.policy_version_list.unwrap_or_default();
        let in_force = |version: &&output::PolicyVersion| {
            version.is_default_version == Some(true)
                || (version.version_id.is_some() && version.version_id == policy.default_version_id)
        };
        let document = versions.iter().find(in_force).map(|version| &version.document);
        let document = document.filter(|document| !document.is_null()).map(document::text);
        let row = self.policies.entry(arn.clone()).or_default();
        row.aws_managed = Some(arn.split(':').nth(4) == Some("aws"));
        row.policy_arn = arn;
        fill(&mut row.policy_name, policy.policy_name);
        fill(&mut row.policy_id, policy.policy_id);
        fill(&mut row.attachments, policy.attachment_count);
        fill(&mut row.default_version, policy.default_version_id);
        fill(&mut row.document, document);
    }

    /// Whether something else is known of the key than this.
    pub(crate) fn differs(&self, key: &output::AccessKey) -> bool {
        let known = key.access_key_id.as_ref().and_then(|id| self.keys.get(id));
        let differ = |known: &Key| {
            let status = known.status.as_ref().zip(key.status.as_ref());
            let created = known.created.zip(key.create_date);
            status.is_some_and(|(one, other)| one != other)
                || created.is_some_and(|(one, other)| one != other)
        };
        known.is_some_and(differ)
    }

    pub(crate) fn add_key(&mut self, key: output::AccessKey) {
        let Some(id) = key.access_key_id else { return };
        let known = self.keys.entry(id).or_default();
        fill(&mut known.user_name, key.user_name);
        fill(&mut known.status, key.status);
        fill(&mut known.created, key.create_date);
    }

    pub(crate) fn add_last_used(
        &mut self,
        id: String,
        user_name: Option<String>,
        used: output::LastUsed,
    ) {
        let last = LastUse {
            user_name,
            at: used.last_used_date,
            service: given(used.service_name),
            region: given(used.region),
        };
        let newer = self.last_used.get(&id).is_none_or(|known| known.at < last.at);
        if newer {
            self.last_used.insert(id, last);
        }
    }

    pub(crate) fn add_provider(&mut self, arn: &str, provider: output::Provider) {
        let row = self.providers.entry(arn.to_owned()).or_default();
        arn.clone_into(&mut row.provider_arn);
        let kind = if arn.contains(":saml-provider/") { "saml" } else { "oidc" };
        kind.clone_into(&mut row.kind);
        let address = || arn.split_once(":oidc-provider/").map(|(_, url)| url.to_owned());
        fill(&mut row.url, given(provider.url).or_else(address));
        fill(&mut row.created, provider.create_date);
        fill(&mut row.valid_until, provider.valid_until);
        for (into, from) in [
            (&mut row.client_ids, provider.client_id_list),
            (&mut row.thumbprints, provider.thumbprint_list),
        ] {
            if into.is_empty() {
                *into = from.unwrap_or_default();
            }
        }
        row.tags.extend(tags(provider.tags));
    }

    fn add_attachments(
        &mut self,
        principal: &Principal<'_>,
        attached: Option<Vec<output::Attached>>,
        inline: Option<Vec<output::Inline>>,
    ) {
        for policy in attached.unwrap_or_default() {
            self.add_attachment(principal, "attached", policy.policy_arn, policy.policy_name, None);
        }
        for policy in inline.unwrap_or_default() {
            let document = Some(document::text(&policy.policy_document));
            self.add_attachment(principal, "inline", None, policy.policy_name, document);
        }
    }

    fn add_boundary(&mut self, principal: &Principal<'_>, arn: Option<&str>) {
        let Some(arn) = arn else { return };
        let name = arn.rsplit('/').next().map(str::to_owned);
        self.add_attachment(principal, "boundary", Some(arn.to_owned()), name, None);
    }

    fn add_attachment(
        &mut self,
        principal: &Principal<'_>,
        kind: &str,
        policy_arn: Option<String>,
        policy_name: Option<String>,
        document: Option<String>,
    ) {
        let policy = policy_arn.clone().or_else(|| policy_name.clone()).unwrap_or_default();
        let key = [principal.kind, principal.name, kind, &policy].map(str::to_owned);
        let row = AttachmentRow {
            principal_type: principal.kind.to_owned(),
            principal_arn: principal.arn.map(str::to_owned),
            principal_name: principal.name.to_owned(),
            kind: kind.to_owned(),
            policy_arn,
            policy_name,
            document,
        };
        self.attachments.insert(key, row);
    }
}

/// Whether both are known, and are not the same.
fn are_two(one: &Option<String>, other: &Option<String>) -> bool {
    one.as_ref().zip(other.as_ref()).is_some_and(|(one, other)| one != other)
}

/// The path of the role that an ARN names.
fn path_of(arn: &str) -> Option<String> {
    let (_, name) = arn.split_once(":role")?;
    name.rfind('/').map(|end| name[..=end].to_owned())
}

/// Who has a policy.
struct Principal<'a> {
    kind: &'static str,
    name: &'a str,
    arn: Option<&'a str>,
}
