//! Snapshots of accounts' IAM: kept, whole or not at all, readable before there is one.

use std::collections::BTreeMap;

use rolecall_lake::inventory::{
    AccessKeyRow, AssignmentRow, AttachmentRow, CredentialRow, GroupRow, IdentityProviderRow,
    IdentityStoreUserRow, KnownAccountRow, OrganizationPolicyRow, PartRow, PolicyRow, RoleRow,
    TimeFrom, TrustStatementRow, UserRow,
};
use rolecall_lake::{Inventory, MaintainOptions, SnapshotRow, Table};

use crate::support::{
    DAY, DAY_ZERO, HOUR, Trigger, assert_clean, folder, lake_at, lake_with, number, text,
};

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The tables that a snapshot has rows in, the one that makes it count last.
const TABLES: [Table; 15] = [
    Table::IamParts,
    Table::IamCredentials,
    Table::IamUsers,
    Table::IamGroups,
    Table::IamAccessKeys,
    Table::IamRoles,
    Table::IamPolicies,
    Table::IamAttachments,
    Table::IamTrustStatements,
    Table::IamIdentityProviders,
    Table::IdentityCenterAssignments,
    Table::IdentityStoreUsers,
    Table::OrganizationPolicies,
    Table::KnownAccounts,
    Table::IamSnapshots,
];

/// A snapshot with one row in each table, two in those of keys.
fn inventory(account: &str, snapshot_time: i64) -> Inventory {
    let role_arn = format!("arn:aws:iam::{account}:role/app/deploy");
    let tags = BTreeMap::from([("owner".to_owned(), "ann".to_owned())]);
    let key = |slot, last_used| AccessKeyRow {
        access_key_id: Some(format!("AKIA{slot}")),
        slot: Some(slot),
        user_name: "ci".to_owned(),
        created: Some(DAY_ZERO),
        last_used,
        last_used_known: true,
        ..AccessKeyRow::default()
    };
    Inventory {
        snapshot: SnapshotRow {
            snapshot_time,
            account_id: account.to_owned(),
            source: "files".to_owned(),
            parts: vec!["users".to_owned(), "roles".to_owned()],
            missing: vec!["trails: not given".to_owned()],
            last_used_as_of: Some(snapshot_time - HOUR),
            ..SnapshotRow::default()
        },
        part_times: vec![PartRow {
            part: "users".to_owned(),
            read_at: snapshot_time - HOUR,
            time_from: TimeFrom::Content,
        }],
        credentials: vec![CredentialRow::default()],
        users: vec![UserRow {
            user_name: "ci".to_owned(),
            signing_certificates: Some(2),
            groups: vec!["bots".to_owned()],
            tags: tags.clone(),
            ..UserRow::default()
        }],
        groups: vec![GroupRow { group_name: "bots".to_owned(), ..GroupRow::default() }],
        access_keys: vec![key(1, Some(DAY_ZERO + HOUR)), key(2, None)],
        roles: vec![RoleRow {
            role_name: "deploy".to_owned(),
            role_arn: role_arn.clone(),
            max_session_seconds: Some(3_600),
            tags,
            ..RoleRow::default()
        }],
        policies: vec![PolicyRow { policy_arn: "p".to_owned(), ..PolicyRow::default() }],
        attachments: vec![AttachmentRow::default()],
        trust_statements: vec![TrustStatementRow {
            role_arn,
            actions: vec!["sts:AssumeRole".to_owned()],
            ..TrustStatementRow::default()
        }],
        identity_providers: vec![IdentityProviderRow::default()],
        identity_center_assignments: vec![AssignmentRow {
            principal_type: some("USER"),
            ..AssignmentRow::default()
        }],
        identity_store_users: vec![IdentityStoreUserRow::default()],
        organization_policies: vec![OrganizationPolicyRow::default()],
        known_accounts: vec![KnownAccountRow::default()],
    }
}

/// Rows of a table that belong to a snapshot that counts.
fn counted(table: Table) -> String {
    format!(
        "SELECT count(*) FROM {table} WHERE snapshot_id IN (SELECT snapshot_id FROM iam_snapshots)"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_snapshot_is_kept_with_all_its_rows() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    for table in TABLES {
        assert_eq!(number(&lake, &counted(table)).await, 0, "readable before it is made");
    }
    assert_eq!(lake.record_inventory(&[], DAY_ZERO).await.unwrap(), [""; 0]);
    assert!(!lake.reader().await.unwrap().versions().contains_key(&Table::IamSnapshots));
    let first = [inventory("111122223333", DAY_ZERO), inventory("444455556666", DAY_ZERO)];
    let ids = lake.record_inventory(&first, DAY_ZERO).await.unwrap();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    // The same once more, a day later and beside another writer.
    let again = lake_at(&uri).await;
    let (next, other) =
        ([inventory("111122223333", DAY_ZERO + DAY)], [inventory("777788889999", DAY_ZERO)]);
    let (one, two) = tokio::join!(
        lake.record_inventory(&next, DAY_ZERO + DAY),
        again.record_inventory(&other, DAY_ZERO + DAY),
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.len(), two.len()), (1, 1));
    let expected = |table| if table == Table::IamAccessKeys { 8 } else { 4 };
    for table in TABLES {
        assert_eq!(number(&lake, &counted(table)).await, expected(table), "{table}");
    }
    lake.maintain(MaintainOptions {
        keep_days: Some(1),
        ..MaintainOptions::at(DAY_ZERO + 9 * DAY)
    })
    .await
    .unwrap();
    for table in TABLES {
        assert_eq!(number(&lake, &counted(table)).await, expected(table), "{table} maintained");
    }
    assert_clean(&lake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_come_back_as_they_were_given() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let ids = lake.record_inventory(&[inventory("111122223333", DAY_ZERO)], DAY_ZERO).await;
    let ids = ids.unwrap();
    let sql = "SELECT concat_ws(',', snapshot_id, account_id, parts[2], missing[1], \
               last_used_as_of, snapshot_date) FROM iam_snapshots";
    let expected = "111122223333,roles,trails: not given,2023-12-31T23:00:00Z,2024-01-01";
    let found = text(&lake, sql).await;
    assert!(found.contains(&format!("{},{expected}", ids[0])), "{found}");
    let sql = "SELECT u.signing_certificates + r.max_session_seconds FROM iam_users u, iam_roles r \
               WHERE u.groups[1] = 'bots' AND NOT u.is_root AND r.tags IS NOT NULL";
    assert_eq!(number(&lake, sql).await, 3_602);
    let sql = "SELECT slot FROM iam_access_keys WHERE last_used IS NULL AND last_used_known";
    assert_eq!(number(&lake, sql).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_broken_off_does_not_count() {
    for step in ["after:commit:iam_users", "before:commit:iam_roles", "before:commit:iam_snapshots"]
    {
        let (_folder, uri) = folder();
        let trigger = Trigger::default();
        trigger.kill_at(step);
        let (killed_uri, hook) = (uri.clone(), trigger.hook());
        let task = tokio::spawn(async move {
            let lake = lake_with(&killed_uri, hook).await;
            let one = [inventory("111122223333", DAY_ZERO)];
            lake.record_inventory(&one, DAY_ZERO).await.unwrap();
        });
        assert!(task.await.unwrap_err().is_panic(), "{step}");
        let lake = lake_at(&uri).await;
        assert_eq!(number(&lake, "SELECT count(*) FROM iam_users").await, 1, "{step}");
        for table in TABLES {
            assert_eq!(number(&lake, &counted(table)).await, 0, "{step}: {table}");
        }
        lake.record_inventory(&[inventory("111122223333", DAY_ZERO)], DAY_ZERO).await.unwrap();
        assert_eq!(number(&lake, &counted(Table::IamUsers)).await, 1, "{step}");
    }
}
