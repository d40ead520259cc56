//! Folders of files: the repository's fixtures, and bad ones.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rolecall_lake::Inventory;
use rolecall_lake::inventory::{AccessKeyRow, RoleRow};

use super::*;
use crate::assemble::{Assembled, Origin, snapshots};

/// 2026-01-05T08:00:00Z.
const NOW: i64 = 1_767_600_000_000_000;
const DAY: i64 = 86_400_000_000;
const PRODUCTION: &str = "111122223333";
const SANDBOX: &str = "444455556666";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/inventory")
}

fn of(folder: &Path) -> (Assembled, Vec<String>) {
    given(folder, Some(NOW))
}

fn given(folder: &Path, at: Option<i64>) -> (Assembled, Vec<String>) {
    let read = read_folder(folder, at);
    let rejected = read.rejected.iter().map(ToString::to_string).collect();
    (snapshots(read.facts, Origin::Files), rejected)
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

/// Sets when a file was written.
fn write_at(folder: &tempfile::TempDir, name: &str, micros: i64) {
    let time = std::time::UNIX_EPOCH + Duration::from_micros(micros.unsigned_abs());
    let file = std::fs::File::options().write(true).open(folder.path().join(name)).unwrap();
    file.set_modified(time).unwrap();
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
            Some(at) if key.last_used_known => crate::time::words(at),
            Some(at) => format!("perhaps {}", crate::time::words(at)),
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
            "service_specific_credentials: they are in no column of the credential report: give \
             list-service-specific-credentials of every user, or with --all-users",
            "ssh_public_keys: give list-ssh-public-keys of every user",
            "signing_certificates: give list-signing-certificates of every user",
            "mfa_devices: give list-mfa-devices of every user",
            "trails: give describe-trails, and get-event-selectors and get-trail-status of every trail",
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
            "backup/- AKIABACKUP0000000002 ambiguous perhaps 2026-01-02 01:00:00Z",
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
        "empty.json: the file is empty: did the command",
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
fn two_states_of_one_account_are_told_and_not_mixed() {
    let details = fixture("sandbox/get-account-authorization-details.json");
    let later = details.replace("\"RoleName\": \"", "\"RoleName\": \"later-");
    assert_ne!(details, later);
    let other = details.replace(SANDBOX, "777788889999");
    let folder = folder_of(&[
        ("monday/details.json", &details),
        ("tuesday/details.json", &later),
        ("other/details.json", &other),
    ]);
    let (done, rejected) = of(folder.path());
    assert_eq!(rejected, [""; 0]);
    let accounts: Vec<&str> =
        done.inventories.iter().map(|one| one.snapshot.account_id.as_str()).collect();
    assert_eq!(accounts, ["777788889999"], "the others count");
    let words = done.rejected[0].to_string();
    let start =
        format!("account {SANDBOX}: two different outputs of get-account-authorization-details");
    assert!(words.starts_with(&start), "{words}");
    for part in ["monday/details.json", "tuesday/details.json", "--snapshot-time"] {
        assert!(words.contains(part), "{part} is not in {words}");
    }
    let told = &done.inventories[0].snapshot.missing;
    assert!(told.iter().any(|line| line.starts_with(&start)), "{told:?}");
    // A copy is no other state.
    std::fs::copy(
        folder.path().join("monday/details.json"),
        folder.path().join("tuesday/details.json"),
    )
    .unwrap();
    let (done, _) = of(folder.path());
    assert_eq!((done.inventories.len(), done.rejected.len()), (2, 0));

    // Two credential reports, of which one is in base64 as the CLI prints it; the same report in both forms is one.
    let csv = fixture("sandbox/credential-report.csv");
    let json = |csv: &str| {
        format!("{{\"Content\": \"{}\", \"ReportFormat\": \"text/csv\"}}", STANDARD.encode(csv))
    };
    let folder = folder_of(&[("report.csv", &csv), ("report.json", &json(csv.trim_end()))]);
    let (done, rejected) = of(folder.path());
    assert_eq!((rejected.len(), done.rejected.len(), done.inventories.len()), (0, 0, 1));
    let newer = csv.replace("2025-", "2024-");
    std::fs::write(folder.path().join("report.json"), json(&newer)).unwrap();
    let (done, _) = of(folder.path());
    assert!(done.inventories.is_empty());
    assert!(
        done.rejected[0].to_string().contains("two different outputs of get-credential-report")
    );
}

#[test]
fn a_key_in_two_states_is_told() {
    let details = fixture("sandbox/get-account-authorization-details.json");
    let key = |status: &str| {
        format!(
            "{{\"AccessKeyMetadata\": [{{\"UserName\": \"lab\", \"AccessKeyId\": \"AKIALAB0000000000001\", \
             \"Status\": \"{status}\", \"CreateDate\": \"2025-01-02T00:00:00Z\"}}]}}"
        )
    };
    let with = |second: &str| {
        let (first, second) = (key("Active"), key(second));
        let files = [("d.json", details.as_str()), ("a.json", &first), ("b.json", &second)];
        of(folder_of(&files).path()).0
    };
    assert_eq!(one(&with("Active"), SANDBOX).access_keys.len(), 1, "said twice, and the same");
    let done = with("Inactive");
    assert!(done.inventories.is_empty());
    let words = done.rejected[0].to_string();
    assert!(
        words.contains("access key AKIALAB0000000000001 is of another state")
            && words.contains("b.json"),
        "{words}"
    );
}

#[test]
fn lists_by_kind_are_one_state() {
    let all: serde_json::Value =
        serde_json::from_str(&fixture("sandbox/get-account-authorization-details.json")).unwrap();
    let only = |kind: &str| {
        let mut one = all.clone();
        for list in ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"] {
            if list != kind {
                one[list] = serde_json::json!([]);
            }
        }
        one.to_string()
    };
    let folder = folder_of(&[
        ("444455556666/users.json", &only("UserDetailList")),
        ("444455556666/roles.json", &only("RoleDetailList")),
    ]);
    let (done, rejected) = of(folder.path());
    assert_eq!((rejected.len(), done.rejected.len()), (0, 0), "{:?}", done.rejected);
    assert_eq!((one(&done, SANDBOX).users.len(), one(&done, SANDBOX).roles.len()), (1, 1));
}

/// Columns in another order, CRLF and a mark of the byte order, as a spreadsheet saves it; base64 by itself.
#[test]
fn a_report_is_read_in_every_form() {
    let csv = fixture("sandbox/credential-report.csv");
    let reversed = |line: &str| line.split(',').rev().collect::<Vec<_>>().join(",");
    let turned: Vec<String> = csv.lines().map(reversed).collect();
    let saved = format!("\u{feff}{}\r\n", turned.join("\r\n"));
    let more = csv.lines().map(|line| format!("{line},x\n")).collect::<String>();
    let content = STANDARD.encode(&csv);
    let wrapped = content.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n");
    let wrapped = wrapped.collect::<String>();
    let plain = of(folder_of(&[("report.csv", &csv)]).path()).0;
    assert_eq!(one(&plain, SANDBOX).users.len(), 1);
    for (name, text) in
        [("a.csv", &saved), ("more.csv", &more), ("b.txt", &wrapped), ("c.txt", &content)]
    {
        let (done, rejected) = of(folder_of(&[(name, text)]).path());
        assert_eq!(rejected, [""; 0], "{name}");
        assert_eq!(one(&done, SANDBOX).users, one(&plain, SANDBOX).users, "{name}");
        assert_eq!(one(&done, SANDBOX).access_keys, one(&plain, SANDBOX).access_keys, "{name}");
    }
    let details = fixture("sandbox/get-account-authorization-details.json").replace('\n', "\r\n");
    let (done, rejected) = of(folder_of(&[("d.json", &format!("\u{feff}{details}"))]).path());
    assert_eq!((rejected.len(), one(&done, SANDBOX).roles.len()), (0, 1));
}

#[test]
fn what_is_compressed_is_refused_with_the_way_out() {
    let folder = folder_of(&[]);
    std::fs::write(folder.path().join("details.json.gz"), b"\x1f\x8b\x08\x00rest").unwrap();
    std::fs::write(folder.path().join("details.zip"), b"PK\x03\x04rest").unwrap();
    let (_, rejected) = of(folder.path());
    assert!(rejected[0].ends_with("it is compressed: unpack it first (gunzip)"), "{rejected:?}");
    assert!(rejected[1].ends_with("it is compressed: unpack it first (unzip)"), "{rejected:?}");
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
    let (done, _) = of(folder.path());
    let missing = one(&done, PRODUCTION).snapshot.missing.join("\n");
    let words = "roles: more pages of get-account-authorization-details follow than were read";
    assert!(missing.contains(words), "{missing}");
    assert!(missing.contains("access_keys: neither get-account-authorization-details nor"));
    assert_eq!(one(&done, PRODUCTION).snapshot.parts, [""; 0], "half a list is no list");
    assert_eq!(one(&done, PRODUCTION).users.len(), 3);
    let (done, _) = given(folder.path(), Some(NOW - DAY));
    assert!(done.inventories.is_empty());
    let words = done.rejected[0].to_string();
    assert!(
        words.contains("it tells of 2026-01-04 22:10:00Z in ")
            && words.contains("page.json, after 2026-01-04 08:00:00Z, the time that its snapshot"),
        "{words}"
    );
}

/// As describe-trails prints it: a trail of the organisation, made by its management account.
fn described(name: &str, organization: bool) -> String {
    format!(
        "{{\"trailList\": [{{\"Name\": \"{name}\", \"S3BucketName\": \"logs\", \"IncludeGlobalServiceEvents\": true, \
         \"IsMultiRegionTrail\": true, \"HomeRegion\": \"us-east-1\", \"TrailARN\": \"{}\", \
         \"LogFileValidationEnabled\": true, \"HasCustomEventSelectors\": true, \"IsOrganizationTrail\": {organization}}}]}}",
        trail_arn(name)
    )
}

fn trail_arn(name: &str) -> String {
    format!("arn:aws:cloudtrail:us-east-1:{PRODUCTION}:trail/{name}")
}

fn selectors(name: &str) -> String {
    format!(
        "{{\"TrailARN\": \"{}\", \"AdvancedEventSelectors\": [{{\"Name\": \"all\", \"FieldSelectors\": \
         [{{\"Field\": \"eventCategory\", \"Equals\": [\"Management\"]}}]}}]}}",
        trail_arn(name)
    )
}

/// As get-trail-status prints it, without the trail's name.
const STATUS: &str =
    "{\"IsLogging\": true, \"LatestDeliveryTime\": \"2026-01-05T07:55:01.500000+00:00\"}";

fn lines_on_trails(done: &Assembled, account: &str) -> String {
    let missing = one(done, account).snapshot.missing.iter();
    missing.filter(|line| line.starts_with("trails: ")).cloned().collect()
}

#[test]
fn the_trail_of_an_organisation_is_known_for_every_account() {
    let page = fixture("111122223333/authorization-page-2.json");
    let sandbox = fixture("sandbox/get-account-authorization-details.json");
    let folder = folder_of(&[
        ("production/page.json", &page),
        ("production/trails.json", &described("organisation", true)),
        ("production/selectors.json", &selectors("organisation")),
        ("production/status.json", STATUS),
        ("sandbox/details.json", &sandbox),
    ]);
    let (done, rejected) = of(folder.path());
    assert_eq!((rejected, done.rejected.len()), (vec![], 0));
    let [trail] = done.trails.as_slice() else { panic!("{:?}", done.trails) };
    assert_eq!(
        (trail.trail_arn.as_str(), trail.bucket.as_str()),
        (&*trail_arn("organisation"), "logs")
    );
    assert!(trail.organization && trail.multi_region && trail.logging && trail.digests);
    for account in [PRODUCTION, SANDBOX] {
        assert_eq!(lines_on_trails(&done, account), "", "{account}");
        assert!(one(&done, account).snapshot.parts.contains(&"trails".to_owned()), "{account}");
    }
    // The sandbox has two trails of its own, of which one is not known.
    let both = described("own", false).replace("]}", ",").replace(PRODUCTION, SANDBOX)
        + described("other", false).replace(PRODUCTION, SANDBOX).split_once('[').unwrap().1;
    std::fs::write(folder.path().join("sandbox/trails.json"), both).unwrap();
    let own = selectors("own").replace(PRODUCTION, SANDBOX);
    std::fs::write(folder.path().join("sandbox/selectors.json"), own).unwrap();
    std::fs::write(folder.path().join("sandbox/get-trail-status.own.json"), STATUS).unwrap();
    let (done, rejected) = of(folder.path());
    assert_eq!((rejected, done.rejected.len()), (vec![], 0));
    assert_eq!(done.trails.len(), 2, "{:?}", done.trails);
    let words = "trails: get-event-selectors of arn:aws:cloudtrail:us-east-1:444455556666:trail/other is not there";
    assert_eq!(lines_on_trails(&done, SANDBOX), words);
    assert_eq!(lines_on_trails(&done, PRODUCTION), "");
}

#[test]
fn a_trail_counts_only_where_all_is_known_of_it() {
    let details = fixture("sandbox/get-account-authorization-details.json");
    let with = |more: &[(&str, &str)]| {
        let of_sandbox: Vec<(&str, String)> =
            more.iter().map(|(name, text)| (*name, text.replace(PRODUCTION, SANDBOX))).collect();
        let mut files = vec![("details.json", details.as_str())];
        files.extend(of_sandbox.iter().map(|(name, text)| (*name, text.as_str())));
        let (done, rejected) = of(folder_of(&files).path());
        assert_eq!(rejected, [""; 0]);
        let refused: Vec<String> = done.rejected.iter().map(ToString::to_string).collect();
        (lines_on_trails(&done, SANDBOX), done.trails.len(), refused)
    };
    let (trails, chosen) = (described("a", false), selectors("a"));
    let (words, known, _) = with(&[("trails.json", &trails), ("status.json", STATUS)]);
    assert!(words.starts_with("trails: get-event-selectors of arn:aws:") && known == 0, "{words}");
    let (words, known, _) = with(&[("trails.json", &trails), ("selectors.json", &chosen)]);
    assert!(words.starts_with("trails: get-trail-status of arn:aws:") && known == 0, "{words}");
    let names =
        format!("{{\"Trails\": [{{\"TrailARN\": \"{}\", \"Name\": \"a\"}}]}}", trail_arn("a"));
    let (words, known, _) = with(&[("names.json", &names), ("selectors.json", &chosen)]);
    assert!(words.starts_with("trails: give describe-trails") && known == 0, "{words}");
    // Of which trail this is, nobody can say; the account's others are not touched by it.
    let both = trails.replace("]}", ",") + described("b", false).split_once('[').unwrap().1;
    let (_, known, refused) =
        with(&[("trails.json", &both), ("selectors.json", &chosen), ("status.json", STATUS)]);
    assert!(refused[0].contains("status.json: get-trail-status prints no name"), "{refused:?}");
    assert_eq!(known, 0);
    // An account without trails is known to have none.
    let (words, known, refused) = with(&[("trails.json", "{\"trailList\": []}")]);
    assert_eq!((words.as_str(), known, refused.len()), ("", 0, 0));
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
    let (done, _) = given(folder.path(), Some(used - 3_000_000));
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

#[test]
fn regression_last_uses_are_as_old_as_the_file_that_tells_them() {
    let details = fixture("sandbox/get-account-authorization-details.json");
    let used = "{\"UserName\": \"lab\", \"AccessKeyLastUsed\": {\"ServiceName\": \"N/A\"}}";
    let name = "get-access-key-last-used.AKIALAB0000000000001.json";
    let folder = folder_of(&[("details.json", &details), (name, used)]);
    let written = NOW - 109 * DAY;
    write_at(&folder, name, written);
    write_at(&folder, "details.json", NOW);
    let told = |at: Option<i64>| one(&given(folder.path(), at).0, SANDBOX).snapshot.last_used_as_of;
    assert_eq!(told(None), Some(written));
    assert_eq!(told(Some(NOW)), Some(NOW));
}

mod ages;
mod credentials;
mod whole;
