//! What Organizations and Identity Center print of accounts, and of who is let into them.

use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Account {
    pub(crate) id: Option<String>,
    pub(crate) arn: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) status: Option<String>,
    /// What stands for `Status` in newer outputs.
    pub(crate) state: Option<String>,
}

impl Account {
    /// ACTIVE, SUSPENDED, PENDING_CLOSURE and the like.
    pub(crate) fn state(&self) -> Option<String> {
        self.state.clone().or_else(|| self.status.clone())
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Organization {
    pub(crate) id: Option<String>,
    pub(crate) master_account_id: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Assignment {
    pub(crate) account_id: Option<String>,
    pub(crate) permission_set_arn: Option<String>,
    pub(crate) principal_type: Option<String>,
    pub(crate) principal_id: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PermissionSet {
    pub(crate) permission_set_arn: Option<String>,
    pub(crate) name: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Instance {
    pub(crate) instance_arn: Option<String>,
    pub(crate) identity_store_id: Option<String>,
}
