//! What was read so far, by account, whichever way it came.
//!
//! What two inputs say of one thing is put together: each fills in what the other leaves out.

use std::collections::BTreeMap;

use rolecall_lake::inventory::{IdentityStoreUserRow, KnownAccountRow, OrganizationPolicyRow};

use crate::document;
use crate::output;
use crate::stamp::Parts;
use crate::trails::TrailFacts;

mod account;
mod lists;

pub(crate) use account::{Accessed, AccountFacts, Key, LastUse, Slot, Subject};
pub(crate) use lists::{Listed, PagesOfLists};

/// Everything that was read.
#[derive(Debug, Default)]
pub struct Facts {
    pub(crate) accounts: BTreeMap<String, AccountFacts>,
    pub(crate) organization: OrganizationFacts,
    /// By store and id.
    pub(crate) people: BTreeMap<(Option<String>, String), IdentityStoreUserRow>,
    /// Names of the groups of identity stores, by store and id.
    pub(crate) groups: BTreeMap<(Option<String>, String), String>,
    /// Vendors' accounts.
    pub(crate) vendors: Vec<KnownAccountRow>,
    /// Names of permission sets, by ARN.
    pub(crate) permission_sets: BTreeMap<String, String>,
    /// Identity stores, by Identity Center instance.
    pub(crate) instances: BTreeMap<String, String>,
    /// Trails of all accounts.
    pub(crate) trails: TrailFacts,
    /// Parts that were read and belong to no account, such as the identity store.
    pub(crate) shared_parts: Parts,
    /// When AWS was asked for those, in microseconds.
    pub(crate) shared_asked: Option<i64>,
    /// Lists of those that come in pages.
    pub(crate) shared_pages: PagesOfLists,
    /// What was not read of those, and which accounts were not read at all, in words.
    pub(crate) shared_missing: Vec<String>,
}

/// What was read of the organisation.
#[derive(Debug, Default)]
pub(crate) struct OrganizationFacts {
    pub(crate) id: Option<String>,
    pub(crate) management_account: Option<String>,
    pub(crate) accounts: BTreeMap<String, output::Account>,
    pub(crate) policies: BTreeMap<String, OrganizationPolicyRow>,
}

/// Whether it is an account's number.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The account that an ARN names.
pub(crate) fn account_of(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':');
    let account = (parts.next() == Some("arn")).then(|| parts.nth(3)).flatten()?;
    is_account(account).then_some(account)
}

fn fill<T>(into: &mut Option<T>, from: Option<T>) {
    if into.is_none() {
        *into = from;
    }
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty() && !text.eq_ignore_ascii_case("n/a"))
}

fn tags(tags: Option<Vec<output::Tag>>) -> BTreeMap<String, String> {
    tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()
}

impl Facts {
    /// An account, which is new where it was not met before.
    pub(crate) fn account(&mut self, id: &str) -> &mut AccountFacts {
        self.accounts.entry(id.to_owned()).or_default()
    }

    pub(crate) fn add_person(&mut self, user: output::User) {
        let Some(user_id) = user.user_id else { return };
        let emails = user.emails.unwrap_or_default();
        let primary = emails.iter().find(|email| email.primary == Some(true));
        let email = primary.or(emails.first()).and_then(|email| email.value.clone());
        let by_status = user.user_status.map(|status| status.eq_ignore_ascii_case("enabled"));
        let row = IdentityStoreUserRow {
            identity_store_id: user.identity_store_id.clone(),
            user_id: user_id.clone(),
            user_name: user.user_name,
            display_name: given(user.display_name),
            email,
            active: user.active.or(by_status),
        };
        self.people.insert((user.identity_store_id, user_id), row);
    }

    /// A group of an identity store.
    pub(crate) fn add_group_of_people(&mut self, group: output::Group) {
        if let (Some(id), Some(name)) = (group.group_id, group.display_name) {
            self.groups.insert((group.identity_store_id, id), name);
        }
    }

    pub(crate) fn add_organization_account(&mut self, account: output::Account) {
        let Some(id) = account.id.clone() else { return };
        // arn:aws:organizations::MANAGEMENT:account/o-…/ID
        let arn = account.arn.as_deref().filter(|arn| arn.contains(":organizations:"));
        let management = arn.and_then(account_of).map(str::to_owned);
        fill(&mut self.organization.management_account, management);
        let organization = arn.and_then(|arn| arn.split('/').nth(1)).map(str::to_owned);
        fill(&mut self.organization.id, organization);
        self.organization.accounts.insert(id, account);
    }

    pub(crate) fn add_organization_policy(
        &mut self,
        summary: output::Policy,
        content: Option<&serde_json::Value>,
        targets: Option<Vec<String>>,
    ) {
        let Some(id) = summary.id else { return };
        let row = self.organization.policies.entry(id.clone()).or_default();
        row.policy_id = id;
        fill(&mut row.policy_name, summary.name);
        if let Some(kind) = summary.kind {
            row.policy_type = kind;
        }
        fill(&mut row.aws_managed, summary.aws_managed);
        let content = content.filter(|content| !content.is_null());
        fill(&mut row.document, content.map(document::text));
        if let Some(targets) = targets {
            row.targets = targets;
        }
    }
}
