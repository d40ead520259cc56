//! Records snapshots of accounts' IAM: who and what there is, and what was last used by IAM.
//!
//! Every snapshot is kept; rows are only added. A snapshot is several commits, one for each table,
//! and the one that names it in `iam_snapshots` is the last: what was broken off before that is
//! there, but does not count. Where the rows came from is not this module's business.

use std::sync::Arc;

use uuid::Uuid;

use self::rows::Row;
use crate::append::{Plain, append};
use crate::error::Result;
use crate::lake::Lake;
use crate::rows::TableBuilder;
use crate::schema::Table;

mod rows;

pub use self::rows::{
    AccessKeyRow, AssignmentRow, AttachmentRow, CredentialRow, GroupRow, IdentityProviderRow,
    IdentityStoreUserRow, KnownAccountRow, OrganizationPolicyRow, PartRow, PolicyRow, RoleRow,
    TimeFrom, TrustStatementRow, UserRow,
};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What a snapshot is of: a row of `iam_snapshots`. Its id is given when it is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotRow {
    /// Time that it tells of, in microseconds.
    pub snapshot_time: i64,
    /// Account that it is of.
    pub account_id: String,
    /// Name of the account.
    pub account_name: Option<String>,
    /// Address of the account's root user.
    pub account_email: Option<String>,
    /// State of the account in its organisation.
    pub account_status: Option<String>,
    /// Organisation of the account.
    pub organization_id: Option<String>,
    /// `api` or `files`.
    pub source: String,
    /// What was read.
    pub parts: Vec<String>,
    /// What was not, each as `part: reason`.
    pub missing: Vec<String>,
    /// When IAM's own last-used was read, in microseconds; none where it was not.
    pub last_used_as_of: Option<i64>,
}

/// One account's snapshot with all of its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// What it is of.
    pub snapshot: SnapshotRow,
    /// As of when each of its parts tells.
    pub part_times: Vec<PartRow>,
    /// Credentials other than passwords and access keys.
    pub credentials: Vec<CredentialRow>,
    /// Users.
    pub users: Vec<UserRow>,
    /// Groups.
    pub groups: Vec<GroupRow>,
    /// Access keys.
    pub access_keys: Vec<AccessKeyRow>,
    /// Roles.
    pub roles: Vec<RoleRow>,
    /// Managed policies.
    pub policies: Vec<PolicyRow>,
    /// Which policies users, groups and roles have.
    pub attachments: Vec<AttachmentRow>,
    /// Who may assume the roles.
    pub trust_statements: Vec<TrustStatementRow>,
    /// OIDC and SAML providers.
    pub identity_providers: Vec<IdentityProviderRow>,
    /// Who gets which permission set in the account.
    pub identity_center_assignments: Vec<AssignmentRow>,
    /// People in an identity store.
    pub identity_store_users: Vec<IdentityStoreUserRow>,
    /// Policies of the organisation.
    pub organization_policies: Vec<OrganizationPolicyRow>,
    /// Accounts with a name.
    pub known_accounts: Vec<KnownAccountRow>,
}

/// An account's snapshot, and the id that it was given.
struct Named<'a> {
    id: String,
    inventory: &'a Inventory,
}

impl Named<'_> {
    fn start_row(&self, row: &mut TableBuilder) {
        let snapshot = &self.inventory.snapshot;
        let day = i32::try_from(snapshot.snapshot_time.div_euclid(MICROS_PER_DAY)).ok();
        row.text("snapshot_id", Some(&self.id))
            .time("snapshot_time", Some(snapshot.snapshot_time))
            .date("snapshot_date", day)
            .text("account_id", Some(&snapshot.account_id));
    }
}

impl Lake {
    /// Adds snapshots, each of one account, and gives the ids that they got, in their order. `now`
    /// is in microseconds. All of a snapshot counts from its last commit on, and nothing before.
    pub async fn record_inventory(
        &self,
        inventories: &[Inventory],
        now: i64,
    ) -> Result<Vec<String>> {
        let named = |inventory| Named { id: Uuid::new_v4().to_string(), inventory };
        let named: Vec<Named<'_>> = inventories.iter().map(named).collect();
        self.record_rows(&named, |inventory| &inventory.part_times, now).await?;
        self.record_rows(&named, |inventory| &inventory.credentials, now).await?;
        self.record_rows(&named, |inventory| &inventory.users, now).await?;
        self.record_rows(&named, |inventory| &inventory.groups, now).await?;
        self.record_rows(&named, |inventory| &inventory.access_keys, now).await?;
        self.record_rows(&named, |inventory| &inventory.roles, now).await?;
        self.record_rows(&named, |inventory| &inventory.policies, now).await?;
        self.record_rows(&named, |inventory| &inventory.attachments, now).await?;
        self.record_rows(&named, |inventory| &inventory.trust_statements, now).await?;
        self.record_rows(&named, |inventory| &inventory.identity_providers, now).await?;
        self.record_rows(&named, |inventory| &inventory.identity_center_assignments, now).await?;
        self.record_rows(&named, |inventory| &inventory.identity_store_users, now).await?;
        self.record_rows(&named, |inventory| &inventory.organization_policies, now).await?;
        self.record_rows(&named, |inventory| &inventory.known_accounts, now).await?;
        self.record_snapshots(&named, now).await?;
        Ok(named.into_iter().map(|named| named.id).collect())
    }

    async fn record_rows<R: Row>(
        &self,
        named: &[Named<'_>],
        of: fn(&Inventory) -> &Vec<R>,
        now: i64,
    ) -> Result<()> {
        let mut rows = TableBuilder::new(R::TABLE);
        for (number, snapshot) in (0..).zip(named) {
            for row in of(snapshot.inventory) {
                snapshot.start_row(&mut rows);
                row.append(&mut rows);
                rows.end_row(number);
            }
        }
        self.append_rows(R::TABLE, rows, now).await
    }

    async fn record_snapshots(&self, named: &[Named<'_>], now: i64) -> Result<()> {
        let mut rows = TableBuilder::new(Table::IamSnapshots);
        for (number, named) in (0..).zip(named) {
            let snapshot = &named.inventory.snapshot;
            named.start_row(&mut rows);
            rows.text("account_name", snapshot.account_name.as_deref())
                .text("account_email", snapshot.account_email.as_deref())
                .text("account_status", snapshot.account_status.as_deref())
                .text("organization_id", snapshot.organization_id.as_deref())
                .text("source", Some(&snapshot.source))
                .list("parts", &texts(&snapshot.parts))
                .list("missing", &texts(&snapshot.missing))
                .time("last_used_as_of", snapshot.last_used_as_of)
                .end_row(number);
        }
        self.append_rows(Table::IamSnapshots, rows, now).await
    }

    async fn append_rows(&self, table: Table, rows: TableBuilder, now: i64) -> Result<()> {
        if rows.rows() == 0 {
            return Ok(());
        }
        append(self, table, &mut Plain(Arc::new(rows.finish()?)), now).await
    }
}

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}
