//! The IAM state behind the stories, as an inventory of the accounts would list it.
//!
//! Plain data for verdicts on keys, roles and trust policies, and the files that AWS's command line would
//! print of it ([`Inventory::files`]). It covers all accounts of the organisation, whether or not their
//! logs are delivered.

mod files;
pub(crate) mod gather;
mod states;

pub use states::Thresholds;

use serde::{Deserialize, Serialize};

use crate::time::Micros;

/// IAM state at the end of the logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// When this was true: the end of the generated window.
    pub as_of: Micros,
    /// Organisation id.
    pub organization_id: String,
    /// Accounts.
    pub accounts: Vec<Account>,
    /// IAM users.
    pub users: Vec<User>,
    /// Long-term access keys.
    pub access_keys: Vec<AccessKey>,
    /// Roles.
    pub roles: Vec<Role>,
}

/// An account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Twelve digits.
    pub account_id: String,
    /// Name.
    pub name: String,
    /// Whether it is a member of the organisation; the vendor is not.
    pub member: bool,
    /// Whether its logs are delivered.
    pub delivered: bool,
}

/// An IAM user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// ARN.
    pub arn: String,
    /// `AIDA…`.
    pub user_id: String,
    /// Account.
    pub account_id: String,
    /// Name.
    pub name: String,
    /// Whether it has a console password.
    pub console: bool,
    /// When it was created.
    pub created: Micros,
    /// What its tag `owner` says, if it has one: most have none.
    pub owner: Option<String>,
}

/// A long-term access key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// `AKIA…`.
    pub access_key_id: String,
    /// ARN of its user.
    pub user_arn: String,
    /// When it was created, usually before the logs begin.
    pub created: Micros,
    /// Whether it is active at the end.
    pub active: bool,
    /// What IAM reports as its last use, logged or not; `None` is "never".
    pub last_used: Option<Micros>,
    /// The service of that use, as IAM spells it.
    pub last_used_service: Option<String>,
    /// When it was deleted, if it was: then IAM lists it no more.
    pub deleted: Option<Micros>,
}

/// A role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// ARN, with path.
    pub arn: String,
    /// `AROA…`.
    pub role_id: String,
    /// Account.
    pub account_id: String,
    /// Name.
    pub name: String,
    /// Trust policy, JSON.
    pub trust_policy: String,
    /// When it was created.
    pub created: Micros,
    /// When it was deleted, if it was.
    pub deleted: Option<Micros>,
    /// What IAM reports as its last use, logged or not; `None` is "never".
    pub last_used: Option<Micros>,
    /// What its tag `owner` says, if it has one: most have none.
    pub owner: Option<String>,
}
