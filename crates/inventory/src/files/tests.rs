//! Folders of files: the repository's fixtures, and bad ones.

use std::path::{Path, PathBuf};

use rolecall_lake::Inventory;
use rolecall_lake::inventory::{AccessKeyRow, RoleRow};

use super::*;
use crate::assemble::{Assembled, snapshots};

/// 2026-01-05T08:00:00Z.
const NOW: i64 = 1_767_600_000_000_000;
const PRODUCTION: &str = "111122223333";
const SANDBOX: &str = "444455556666";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/inventory")
}

fn of(folder: &Path) -> (Assembled, Vec<String>) {
    let read = read_folder(folder);
    let rejected = read.rejected.iter().map(ToString::to_string).collect();
    (snapshots(read.facts, "files", NOW), rejected)
}

fn one<'a>(done: &'a Assembled, account: &str) -> &'a Inventory {
    let mut all = done.inventories.iter();
    all.find(|one| one.snapshot.account_id == account).unwrap()
}

fn folder_of(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(fixtures().join(name)).unwrap()
}

/// `user/slot id matched_by last_used`.
fn short(key: &AccessKeyRow) -> String {
    format!(
        "{}/{} {} {} {}",
        key.user_name,
        key.slot.map_or("-".to_owned(), |slot| slot.to_string()),
        key.access_key_id.as_deref().unwrap_or("-"),
        key.matched_by.as_deref().unwrap_or("-"),
        match key.last_used {
            Some(at) => crate::time::words(at),
            None if key.last_used_known => "never".to_owned(),
            None => "unknown".to_owned(),
        },
    )
}

#[test]
fn the_fixtures_make_a_snapshot_per_account() {
    let (done, rejected) = of(&fixtures());
    assert_eq!(rejected, [""; 0]);
    assert_eq!(done.rejected, []);
    let accounts: Vec<&str> =
        done.inventories.iter().map(|one| one.snapshot.account_id.as_str()).collect();
    assert_eq!(accounts, [PRODUCTION, SANDBOX]);
    let production = one(&done, PRODUCTION);
    assert_eq!(production.snapshot.account_name.as_deref(), Some("production"));
    assert_eq!(production.snapshot.organization_id.as_deref(), Some("o-shop123456"));
    // When the report was made, which is before the snapshot.
    assert_eq!(production.snapshot.last_used_as_of, crate::time::parse("2026-01-05T04:00:00Z"));
    let users: Vec<&str> = production.users.iter().map(|user| user.user_name.as_str()).collect();
    assert_eq!(users, ["<root_account>", "ann", "backup", "ci-deploy"]);
    let ci = &production.users[3];
    assert_eq!((ci.path.as_deref(), ci.console_password), (Some("/ci/"), Some(false)));
    assert_eq!(ci.tags["owner"], "platform@example.com");
    assert_eq!(production.users[2].signing_certificates, Some(1));
    assert!(production.users[0].is_root && production.users[0].console_password.is_none());
    let parts = production.snapshot.parts.join(" ");
    assert_eq!(
        parts,
        "users credential_report access_keys access_key_last_used groups roles role_details \
         role_last_used policies attachments trust_statements identity_providers identity_center \
         organization_policies identity_store accounts"
    );
    assert_eq!(
        production.snapshot.missing,
        [
            "trails: `rolecall doctor` and `rolecall inventory` without --from look at those of the \
             caller's account",
            "access_key_last_used: not known of 1 of 5 keys",
        ]
    );
}

#[test]
fn roles_are_counted_once_with_what_two_lists_say_of_them() {
    let (done, _) = of(&fixtures());
    let production = one(&done, PRODUCTION);
    let role = |name: &str| -> &RoleRow {
        production.roles.iter().find(|role| role.role_name == name).unwrap()
    };
    assert_eq!(production.roles.len(), 5, "not once more from the instance profile");
    assert_eq!(role("web").instance_profiles, ["web"]);
    assert_eq!(role("web").last_used, crate::time::parse("2026-01-04T22:10:00Z"));
    assert_eq!(role("deploy").max_session_seconds, Some(43_200));
    assert_eq!(role("deploy").description.as_deref(), Some("GitHub Actions deploys the shop"));
    assert!(role("deploy").last_used_known && role("deploy").last_used.is_none());
    assert!(role("AWSServiceRoleForAutoScaling").service_linked);
    assert!(role("AWSReservedSSO_Admin_0123456789abcdef").identity_center);
    let trust: Vec<String> = production
        .trust_statements
        .iter()
        .filter(|row| row.role_name == "vendor-audit" || row.role_name == "deploy")
        .map(|row| format!("{} {} {}", row.role_name, row.principal_type, row.principal))
        .collect();
    assert_eq!(
        trust,
        [
            "deploy Federated arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com",
            "vendor-audit AWS arn:aws:iam::464622532012:root",
            "vendor-audit AWS AROAGONE000000000001",
        ]
    );
    let vendor = production.trust_statements.last().unwrap();
    assert!(vendor.condition.as_deref().unwrap().contains("shop+1"), "a plus is a plus");
    let policy = &production.policies[0];
    assert!(policy.document.as_deref().unwrap().contains("s3:*"), "the version in force");
    let attached: Vec<String> = production
        .attachments
        .iter()
        .filter(|row| row.principal_name == "ci-deploy")
        .map(|row| format!("{} {}", row.kind, row.policy_name.as_deref().unwrap_or("-")))
        .collect();
    assert_eq!(attached, ["boundary ci-boundary", "inline push"]);
}

#[test]
fn keys_are_tied_to_their_slots_where_that_is_certain() {
    let (done, _) = of(&fixtures());
    let keys: Vec<String> = one(&done, PRODUCTION).access_keys.iter().map(short).collect();
    assert_eq!(
        keys,
        [
            "ann/2 AKIAANN0000000000001 create_date never",
            // Made in the same second: the last use by id is certain, the slot is not.
            "backup/- AKIABACKUP0000000001 ambiguous 2026-01-02 01:05:00Z",
            "backup/- AKIABACKUP0000000002 ambiguous unknown",
            "ci-deploy/1 AKIACIDEPLOY00000001 create_date 2026-01-04 23:45:00Z",
            "ci-deploy/2 AKIACIDEPLOY00000002 elimination 2024-07-30 12:00:00Z",
        ]
    );
    let keys: Vec<String> = one(&done, SANDBOX).access_keys.iter().map(short).collect();
    assert_eq!(keys, ["lab/1 AKIALAB0000000000001 create_date never"]);
}

#[test]
fn what_belongs_to_no_account_is_kept_once() {
    let (done, _) = of(&fixtures());
    let (production, sandbox) = (one(&done, PRODUCTION), one(&done, SANDBOX));
    let people: Vec<_> = production
        .identity_store_users
        .iter()
        .map(|one| (one.user_name.as_deref(), one.email.as_deref(), one.active))
        .collect();
    assert_eq!(
        people,
        [
            (Some("ann@example.com"), Some("ann@example.com"), None),
            (Some("bob@example.com"), None, Some(false)),
        ]
    );
    let named: Vec<String> = production
        .known_accounts
        .iter()
        .map(|row| {
            format!("{} {} {}", row.known_account_id, row.kind, row.name.as_deref().unwrap())
        })
        .collect();
    assert_eq!(
        named,
        [
            "111122223333 organization production",
            "444455556666 organization sandbox",
            "999900001111 organization log-archive",
            "464622532012 vendor Datadog",
            "012345678901 vendor With a leading zero",
            "210987654321 vendor With a leading zero",
        ]
    );
    assert_eq!(production.organization_policies[0].policy_name.as_deref(), Some("no-new-keys"));
    let assignment = &production.identity_center_assignments[0];
    assert_eq!(assignment.permission_set_name.as_deref(), Some("Admin"));
    assert_eq!(assignment.principal_name.as_deref(), Some("ann@example.com"));
    assert!(sandbox.identity_store_users.is_empty() && sandbox.known_accounts.is_empty());
    assert_eq!(sandbox.snapshot.account_name.as_deref(), Some("sandbox"));
    assert!(sandbox.snapshot.missing.iter().any(|line| line.starts_with("role_details: ")));
}

#[test]
fn bad_files_are_named_and_the_others_count() {
    let good = fixture("sandbox/get-account-authorization-details.json");
    let half = &good[..good.len() / 2];
    let folder = folder_of(&[
        ("good.json", &good),
        ("half.json", half),
        ("wrong.json", "{\"Roles\": [{\"Arn\": 7}]}"),
        ("no.json", "{\"Roles\": nothing}"),
        ("other.json", "{\"Buckets\": []}"),
        ("report.csv", "user,arn,password_enabled,mfa_active\nlab,secret,true,true\n"),
        ("short.csv", "a,b\n1,2\n"),
        ("list.yaml", "accounts: 7\n"),
        ("empty.json", ""),
        (".hidden", "nobody looks"),
    ]);
    let (done, rejected) = of(folder.path());
    let named: Vec<&str> = rejected
        .iter()
        .map(|line| line.strip_prefix(&format!("{}/", folder.path().display())).unwrap())
        .collect();
    let starts = [
        "empty.json: not recognised",
        "half.json: the JSON ends in the middle, at line ",
        "list.yaml: no list of known accounts",
        "no.json: no JSON at line 1 column 12",
        "other.json: not recognised",
        "report.csv: looks like a credential report, but has no column user_creation_time, ",
        "short.csv: not recognised",
        "wrong.json: line 1 column 20: a value is not of the kind",
    ];
    assert_eq!(named.len(), starts.len(), "{named:#?}");
    for (found, start) in named.iter().zip(starts) {
        assert!(found.starts_with(start), "{found} does not start with {start}");
        assert!(!found.contains("secret"), "{found} repeats what the file holds");
    }
    assert_eq!(one(&done, SANDBOX).roles.len(), 1);
}

#[test]
fn a_report_that_breaks_off_is_refused_whole() {
    let report = fixture("sandbox/credential-report.csv");
    let broken = format!("{}\nhalf,of,a", report.trim_end());
    let folder = folder_of(&[("report.csv", &broken)]);
    let (done, rejected) = of(folder.path());
    assert!(
        rejected[0]
            .ends_with("line 3: it has fewer fields than the header: is the file truncated?")
    );
    assert!(done.inventories.is_empty());
}

#[test]
fn keys_without_an_account_are_placed_by_their_folder_or_not_at_all() {
    let key = "{\"AccessKeyMetadata\": [{\"UserName\": \"lab\", \"AccessKeyId\": \"AKIALAB0000000000001\", \
               \"Status\": \"Active\", \"CreateDate\": \"2025-01-02T00:00:00Z\"}]}";
    let details = fixture("sandbox/get-account-authorization-details.json");
    let other = details.replace(SANDBOX, "777788889999");
    // Beside its account's file; in a folder with its number; among two.
    let folder = folder_of(&[
        ("a/details.json", &details),
        ("a/keys/keys.json", key),
        ("777788889999/keys.json", key),
        ("b/details.json", &other),
        ("keys.json", key),
    ]);
    let (done, rejected) = of(folder.path());
    assert_eq!(rejected.len(), 1, "{rejected:?}");
    assert!(rejected[0].contains("/keys.json: nothing in it or beside it says which account"));
    assert_eq!(one(&done, SANDBOX).access_keys.len(), 1);
    assert_eq!(one(&done, "777788889999").access_keys.len(), 1);
    let used = "{\"UserName\": \"lab\", \"AccessKeyLastUsed\": {\"ServiceName\": \"N/A\"}}";
    let folder = folder_of(&[("a/details.json", &details), ("a/used.json", used)]);
    let (_, rejected) = of(folder.path());
    assert!(rejected[0].contains("get-access-key-last-used prints no key id"), "{rejected:?}");
}

#[test]
fn a_missing_page_and_data_of_the_future_are_said() {
    let folder = folder_of(&[("page.json", &fixture("111122223333/authorization-page-1.json"))]);
    let read = read_folder(folder.path());
    let done = snapshots(read.facts, "files", NOW);
    let missing = one(&done, PRODUCTION).snapshot.missing.join("\n");
    let words = "roles: more pages of get-account-authorization-details follow than were read";
    assert!(missing.contains(words), "{missing}");
    assert!(missing.contains("access_keys: neither get-account-authorization-details nor"));
    assert_eq!(one(&done, PRODUCTION).snapshot.parts, [""; 0], "half a list is no list");
    assert_eq!(one(&done, PRODUCTION).users.len(), 3);
    let done = snapshots(read_folder(folder.path()).facts, "files", NOW - 86_400_000_000);
    assert!(done.inventories.is_empty());
    let words = done.rejected[0].to_string();
    assert!(
        words.contains("it tells of 2026-01-04 22:10:00Z, after 2026-01-04 08:00:00Z"),
        "{words}"
    );
}

#[test]
fn what_powershell_wrote_is_read() {
    let folder = folder_of(&[]);
    let text = fixture("sandbox/get-account-authorization-details.json");
    let bytes = ['\u{feff}'].into_iter().chain(text.chars());
    let bytes: Vec<u8> =
        bytes.collect::<String>().encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(folder.path().join("details.json"), bytes).unwrap();
    let (done, rejected) = of(folder.path());
    assert_eq!(rejected, [""; 0]);
    assert_eq!(one(&done, SANDBOX).roles.len(), 1);
}

#[test]
fn a_clock_that_is_a_little_behind_does_no_harm() {
    let folder = folder_of(&[("page.json", &fixture("111122223333/authorization-page-1.json"))]);
    let used = crate::time::parse("2026-01-04T22:10:00Z").unwrap();
    let done = snapshots(read_folder(folder.path()).facts, "files", used - 3_000_000);
    assert_eq!(one(&done, PRODUCTION).snapshot.snapshot_time, used);
}

#[test]
fn people_alone_make_no_snapshot() {
    let folder = folder_of(&[("users.json", &fixture("organization/identity-store-users.json"))]);
    let (done, rejected) = of(folder.path());
    assert_eq!(rejected, [""; 0]);
    assert!(done.inventories.is_empty());
    assert!(done.rejected[0].to_string().contains("kept with an account's IAM"), "{done:?}");
}
