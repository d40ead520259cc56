//! The generated files, read back plainly with serde_json, against the truth.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its own input has failed")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read as _;

use rolecall_testkit::truth::Truth;
use rolecall_testkit::{Hold, Kind, Organization, SESSION_TOKEN_MARK, Spec};
use serde_json::Value;

/// A record, with the file and position it was found at.
struct Found {
    log_file: String,
    index: usize,
    value: Value,
}

impl Found {
    fn text(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn id(&self) -> String {
        self.text("/eventID")
            .map_or_else(|| format!("{}#{}", self.log_file, self.index), str::to_owned)
    }

    fn key(&self) -> Option<&str> {
        self.text("/userIdentity/accessKeyId").filter(|key| *key != "Unknown")
    }

    fn is_rejected(&self) -> bool {
        ["/eventTime", "/eventSource", "/eventName"].iter().any(|field| self.text(field).is_none())
            || !self.text("/eventTime").unwrap().ends_with('Z')
    }

    fn is_credential_event(&self) -> bool {
        matches!(
            (self.text("/eventSource").unwrap(), self.text("/eventName").unwrap()),
            ("signin.amazonaws.com", "CreateOAuth2Token")
                | (
                    "sts.amazonaws.com",
                    "AssumeRole"
                        | "AssumeRoleWithSAML"
                        | "AssumeRoleWithWebIdentity"
                        | "AssumeRoot"
                        | "GetSessionToken"
                        | "GetFederationToken"
                )
                | ("signin.amazonaws.com", "ConsoleLogin" | "SwitchRole" | "ExitRole")
                | ("sso.amazonaws.com", "Federate" | "GetRoleCredentials")
                | ("rolesanywhere.amazonaws.com", "CreateSession")
                | ("eks-auth.amazonaws.com", "AssumeRoleForPodIdentity")
        )
    }
}

fn read(organization: &Organization) -> Vec<Found> {
    let mut found = Vec::new();
    for file in organization.files().filter(|file| file.kind == Kind::Log) {
        let mut text = String::new();
        flate2::read::GzDecoder::new(file.bytes.as_slice()).read_to_string(&mut text).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let log_file = file.key.rsplit('/').next().unwrap().to_owned();
        for (index, value) in document["Records"].as_array().unwrap().iter().enumerate() {
            found.push(Found { log_file: log_file.clone(), index, value: value.clone() });
        }
    }
    found
}

/// Each event once, as (event id, recipient).
fn distinct(found: &[Found]) -> HashMap<(String, Option<&str>), &Found> {
    found
        .iter()
        .filter(|record| !record.is_rejected())
        .map(|record| ((record.id(), record.text("/recipientAccountId")), record))
        .collect()
}

fn holds() -> [Hold; 3] {
    [Hold::Both, Hold::CallerOnly, Hold::OwnerOnly]
}

const NAMED: [&str; 45] = [
    "assume_root",
    "before_window",
    "ci_key_to_oidc",
    "console_switch",
    "console_switch_unpaired",
    "correction",
    "denied_cross_account",
    "denied_expired",
    "denied_same_account",
    "duplicates",
    "ec2_cross_account",
    "ec2_double_issue",
    "ecs_task",
    "eks_irsa",
    "eks_pod_identity",
    "failed_login",
    "federation_token",
    "get_session_token",
    "github_oidc",
    "github_oidc_immutable",
    "gitlab_oidc",
    "hostile",
    "iam_changes",
    "identity_center",
    "implicit_trust",
    "key_busy",
    "key_idle",
    "key_life",
    "key_never_used",
    "key_reuse",
    "lambda",
    "late",
    "mfa",
    "old_shape",
    "recreated_role",
    "rejected",
    "role_chain",
    "roles_anywhere",
    "root_trusted_cli",
    "root_trusted_console",
    "same_account_user",
    "saml",
    "service_calls",
    "source_profile",
    "vendor_external_id",
];

#[test]
fn the_same_specification_gives_the_same_bytes() {
    let spec = Spec::small(7);
    let one = Organization::generate(&spec);
    let two = Organization::generate(&spec);
    assert_eq!(one.truth(), two.truth());
    assert!(one.files().eq(two.files()));
    // And asking again does not change the answer.
    assert!(one.files().eq(one.files()));
    let other = Organization::generate(&Spec { seed: 8, ..spec });
    assert_ne!(one.truth().files, other.truth().files);
}

#[test]
fn every_story_is_told_whatever_the_lake_holds() {
    for hold in holds() {
        for (accounts, days) in [(4, 2), (7, 5)] {
            let spec = Spec { accounts, days, hold, ..Spec::small(3) };
            let organization = Organization::generate(&spec);
            let scenarios = &organization.truth().scenarios;
            for name in NAMED {
                let scenario = &scenarios[name];
                let shown = scenario.acts.len()
                    + scenario.sessions.len()
                    + scenario.events.len()
                    + scenario.keys.len();
                assert!(shown > 0, "{name} shows nothing with {hold:?}");
            }
            for name in ["session_policy", "twelve_hours", "source_identity", "session_tags"] {
                assert!(!scenarios[name].acts.is_empty(), "{name}");
            }
        }
    }
}

#[test]
fn the_sums_agree_with_the_files() {
    for hold in holds() {
        let organization = Organization::generate(&Spec { hold, ..Spec::small(11) });
        let truth = organization.truth();
        let found = read(&organization);
        let totals = &truth.totals;
        assert_eq!(totals.records, found.len() as u64);
        assert_eq!(totals.files, truth.files.len() as u64);
        assert_eq!(totals.records, truth.files.iter().map(|file| file.records).sum::<u64>());
        assert_eq!(totals.records, truth.coverage.iter().map(|cell| cell.records).sum::<u64>());
        assert_eq!(totals.files, truth.coverage.iter().map(|cell| cell.files).sum::<u64>());
        let rejected = found.iter().filter(|record| record.is_rejected()).count() as u64;
        assert_eq!(totals.rejected, rejected);
        assert!(rejected >= 7);
        let good: Vec<&Found> = found.iter().filter(|record| !record.is_rejected()).collect();
        let credential = good.iter().filter(|record| record.is_credential_event()).count() as u64;
        assert_eq!(totals.credential_events, credential);
        assert_eq!(totals.credential_events_by_name.values().sum::<u64>(), credential);
        let mut keys: BTreeMap<String, u64> = BTreeMap::new();
        for record in &good {
            if let Some(key) = record.key() {
                *keys.entry(key.to_owned()).or_default() += 1;
            }
        }
        assert_eq!(totals.records_by_access_key, keys);
        for key in &truth.keys {
            let count = keys.get(&key.access_key_id).copied().unwrap_or_default();
            assert_eq!(key.event_count, count, "{}", key.user_arn);
        }
        let again = good.len() as u64 - distinct(&found).len() as u64;
        let duplicates = &truth.duplicates;
        let told = duplicates.same_file + duplicates.other_file + duplicates.second_trail;
        assert_eq!(told, again);
        assert!(duplicates.same_file > 0 && duplicates.other_file > 0);
        assert!(duplicates.second_trail > 0 && duplicates.superseded == 1);
    }
}

#[test]
fn file_names_and_keys_are_cloudtrails() {
    let organization = Organization::generate(&Spec::small(5));
    let mut names = BTreeSet::new();
    let mut others = 0;
    for file in organization.files() {
        if file.kind != Kind::Log {
            others += 1;
            continue;
        }
        let name = file.key.rsplit('/').next().unwrap();
        let parts: Vec<&str> = name.split('_').collect();
        assert_eq!((parts.len(), parts[1]), (5, "CloudTrail"), "{name}");
        assert_eq!(parts[4].len(), "0123456789abcdef.json.gz".len());
        let folder = format!(
            "/{}/CloudTrail/{}/{}/{}/{}/",
            parts[0],
            parts[2],
            &parts[3][..4],
            &parts[3][4..6],
            &parts[3][6..8]
        );
        assert!(file.key.contains(&folder), "{} in {folder}", file.key);
        assert!(names.insert(name.to_owned()), "{name} is not unique");
    }
    let truth = organization.truth();
    let told: BTreeSet<String> = truth.files.iter().map(|file| file.log_file.clone()).collect();
    assert_eq!(names, told);
    assert_eq!(others, truth.not_log_files.len());
}

/// Every act names records that exist, and every credential event that should be in an act is in one.
#[test]
fn acts_and_records_agree() {
    for hold in holds() {
        let organization = Organization::generate(&Spec { hold, ..Spec::small(13) });
        let truth = organization.truth();
        let found = read(&organization);
        let records: HashMap<String, &Found> =
            distinct(&found).into_iter().map(|((id, _), record)| (id, record)).collect();
        let superseded: BTreeSet<&str> = records
            .values()
            .filter_map(|record| record.text("/addendum/originalEventID"))
            .collect();
        let mut in_acts = BTreeSet::new();
        for act in &truth.acts {
            assert_eq!(act.copies, act.event_ids.len() as u64);
            for id in &act.event_ids {
                assert!(records.contains_key(id), "{id} of an act is in no file");
                assert!(in_acts.insert(id.clone()), "{id} is in two acts");
            }
            agree(act, records[&act.event_id]);
        }
        for (id, record) in &records {
            let name = record.text("/eventName").unwrap();
            let wanted = record.is_credential_event()
                && matches!(
                    name,
                    "AssumeRole"
                        | "AssumeRoleWithSAML"
                        | "AssumeRoleWithWebIdentity"
                        | "AssumeRoot"
                        | "SwitchRole"
                        | "CreateSession"
                )
                && !superseded.contains(id.as_str());
            assert_eq!(wanted, in_acts.contains(id), "{name} {id}");
        }
    }
}

/// The plain columns of an act against its leading record.
fn agree(act: &rolecall_testkit::truth::Act, lead: &Found) {
    assert_eq!(lead.text("/eventName"), Some(act.event_name.as_str()));
    assert_eq!(lead.text("/awsRegion"), Some(act.aws_region.as_str()));
    assert_eq!(lead.text("/errorCode"), act.error_code.as_deref());
    assert_eq!(lead.text("/errorMessage"), act.error_message.as_deref());
    let same = |column: &str, pointer: &str, told: Option<&str>| {
        assert_eq!(lead.text(pointer), told, "{column} of {}", act.event_id);
    };
    if act.event_name != "SwitchRole" {
        same("caller_type", "/userIdentity/type", Some(&act.caller_type));
    }
    if act.caller_resolved_by != "switch_role" {
        same("caller_arn", "/userIdentity/arn", act.caller_arn.as_deref());
    }
    same("external_id", "/requestParameters/externalId", act.external_id.as_deref());
    same("session_policy", "/requestParameters/policy", act.session_policy.as_deref());
    if act.method != "roles_anywhere" {
        let key = "/responseElements/credentials/accessKeyId";
        same("issued_access_key_id", key, act.issued_access_key_id.as_deref());
        let user = "/responseElements/assumedRoleUser/assumedRoleId";
        if act.event_name != "SwitchRole" {
            assert_eq!(
                lead.text(user).and_then(|id| id.split(':').next()),
                act.role_id.as_deref().filter(|_| act.outcome == "success")
            );
        }
        assert_eq!(lead.key(), act.caller_access_key_id.as_deref());
    }
    if act.role_arn_source.as_deref() == Some("request") {
        same("role_arn", "/requestParameters/roleArn", act.role_arn.as_deref());
        if act.method != "roles_anywhere" {
            same("session_name", "/requestParameters/roleSessionName", act.session_name.as_deref());
        }
    }
}

/// Sessions against a plain reading of `userIdentity`.
#[test]
fn sessions_and_uses_agree() {
    for hold in holds() {
        let organization = Organization::generate(&Spec { hold, ..Spec::small(17) });
        let truth = organization.truth();
        let found = read(&organization);
        let mut uses: HashMap<(String, String), u64> = HashMap::new();
        for record in found.iter().filter(|record| !record.is_rejected()) {
            let created = record.text("/userIdentity/sessionContext/attributes/creationDate");
            let arn = record.text("/userIdentity/arn");
            if let (Some(created), Some(arn)) = (created, arn)
                // Nor what a service does on somebody's behalf, with a key of its own.
                && !record.key().is_some_and(|key| key.starts_with("AKIA") || key.starts_with("ASIAFORWARDED"))
            {
                *uses.entry((arn.to_owned(), created.to_owned())).or_default() += 1;
            }
        }
        let mut told: HashMap<(String, String), u64> = HashMap::new();
        for session in truth.sessions.iter().filter(|session| session.event_count > 0) {
            let created = iso(session.issued_time);
            *told.entry((session.principal_arn.clone(), created)).or_default() +=
                session.event_count;
        }
        // A console switch may be logged a second after its session began.
        let off = |map: &HashMap<(String, String), u64>| {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for ((arn, created), count) in map {
                *counts.entry(format!("{arn} {}", &created[..16])).or_default() += count;
            }
            counts
        };
        assert_eq!(off(&told), off(&uses));
        descents_hold_together(truth);
    }
}

fn iso(at: i64) -> String {
    let seconds = at / 1_000_000;
    let days = seconds / 86_400 - 20_454; // since 2026-01-01
    let (month, day) = if days < 31 { (1, days + 1) } else { (2, days - 30) };
    let of_day = seconds % 86_400;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    if days < 0 {
        return format!("2025-12-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 32);
    }
    format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn descents_hold_together(truth: &Truth) {
    let by_id: HashMap<&str, _> = truth
        .sessions
        .iter()
        .filter_map(|session| Some((session.session_id.as_deref()?, session)))
        .collect();
    for session in &truth.sessions {
        let linked = session.session_id.as_ref().map_or(0, |_| session.event_count);
        assert_eq!(session.uses_by_key + session.uses_by_sign_in + session.uses_by_session, linked);
        if let (Some(first), Some(last), Some(expires)) =
            (session.first_used, session.last_used, session.expires)
        {
            assert!(session.issued_time - 2_000_000 <= first);
            assert!(last <= expires || session.error_count > 0, "{session:?}");
        }
        if let Some(parent) = &session.parent_session_id {
            let parent = by_id[parent.as_str()];
            assert_eq!(session.depth, parent.depth + 1);
            assert_eq!(session.origin, parent.origin);
            assert!(session.chain.starts_with(&parent.chain));
        } else {
            assert_eq!(session.depth, 0);
        }
        if let Some(origin) = &session.origin {
            assert_eq!(session.chain.first(), Some(origin));
        }
    }
}

#[test]
fn the_partners_side_decides_how_callers_are_known() {
    let acts = |hold, scenario: &str| {
        let organization = Organization::generate(&Spec { hold, ..Spec::small(19) });
        let truth = organization.truth();
        let ids = &truth.scenarios[scenario].acts;
        truth
            .acts
            .iter()
            .filter(|act| ids.contains(&act.event_id) && act.cross_account)
            .map(|act| {
                (act.caller_resolved_by.clone(), act.method.clone(), act.copies, act.caller.clone())
            })
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    };
    let check = |hold, scenario, resolved: &str, method: &str, copies| {
        let rows = acts(hold, scenario);
        assert_eq!(rows.len(), 1, "{hold:?} {scenario}: {rows:?}");
        assert_eq!((rows[0].0.as_str(), rows[0].1.as_str(), rows[0].2), (resolved, method, copies));
        rows[0].3.clone()
    };
    let cli = "root_trusted_cli";
    let console = "root_trusted_console";
    let named = check(Hold::Both, cli, "shared_event", "chained_role", 2);
    assert!(named.contains(":role/aws-reserved/sso.amazonaws.com/"), "{named}");
    assert_eq!(check(Hold::CallerOnly, cli, "record", "chained_role", 1), named);
    // A colleague's console switch tells whose id it is.
    let masked = check(Hold::OwnerOnly, cli, "principal_id", "chained_role", 1);
    assert!(masked.contains(":assumed-role/AWSReservedSSO_Analyst_"), "{masked}");
    assert_eq!(check(Hold::Both, console, "shared_event", "console_switch", 3), named);
    assert_eq!(check(Hold::CallerOnly, console, "record", "chained_role", 1), named);
    let switched = check(Hold::OwnerOnly, console, "switch_role", "console_switch", 2);
    assert!(switched.contains(":assumed-role/AWSReservedSSO_Analyst_"), "{switched}");
    assert!(!switched.contains('@'), "{switched}");
}

#[test]
fn chains_lead_back_to_their_origin() {
    let organization = Organization::generate(&Spec::small(23));
    let truth = organization.truth();
    let sessions = |scenario: &str| {
        let ids = &truth.scenarios[scenario].sessions;
        truth
            .sessions
            .iter()
            .filter(|session| session.session_id.as_ref().is_some_and(|id| ids.contains(id)))
    };
    let deepest = sessions("role_chain").max_by_key(|session| session.depth).unwrap();
    assert_eq!(deepest.depth, 2);
    assert_eq!(deepest.origin_kind, "iam_user");
    assert!(deepest.origin_access_key_id.as_ref().unwrap().starts_with("AKIA"));
    assert_eq!(deepest.source_identity.as_deref(), Some("grace"));
    assert!(sessions("role_from_session_token").all(|session| session.depth == 1));
    assert!(sessions("trail_stopped").any(|session| {
        session.caller_resolved_by.as_deref() == Some("principal_id")
            && session.caller.as_ref().unwrap().ends_with(":role/app-instance")
    }));
    let unpaired = sessions("console_switch_unpaired")
        .find(|session| session.issued_by.as_deref() == Some("SwitchRole"))
        .unwrap();
    assert_eq!(unpaired.link_method, "session");
    assert!(unpaired.caller.as_ref().unwrap().ends_with(":user/people/ivy"));
    assert!(sessions("key_reuse").all(|session| session.event_count >= 3));
    let keys: BTreeSet<_> = sessions("key_reuse").map(|s| s.access_key_id.clone()).collect();
    assert_eq!(keys.len(), 1);
}

#[test]
fn idle_and_unused_keys_show_as_meant() {
    for days in [2, 203] {
        let spec = Spec { days, size: 0.0, ..Spec::small(29) };
        let organization = Organization::generate(&spec);
        let truth = organization.truth();
        let key = |scenario: &str| {
            let id = &truth.scenarios[scenario].keys[0];
            let seen = truth.keys.iter().find(|key| &key.access_key_id == id).unwrap();
            let known = &truth.inventory.access_keys;
            (seen, known.iter().find(|key| &key.access_key_id == id).unwrap())
        };
        let (seen, known) = key("key_idle");
        let idle_days = (truth.inventory.as_of - known.last_used.unwrap()) / 86_400_000_000;
        assert_eq!(idle_days, 200);
        assert_eq!(seen.last_seen, known.last_used.filter(|_| days > 200));
        let (seen, known) = key("key_never_used");
        assert_eq!((seen.event_count, known.last_used), (0, None));
        let (seen, _) = key("key_busy");
        assert!(seen.event_count >= 25 * u64::from(days));
        let (seen, _) = key("ci_key_to_oidc");
        let half = truth.inventory.as_of - i64::from(days) * 43_200_000_000;
        assert!(seen.last_seen.unwrap() < half + 86_400_000_000);
    }
}

#[test]
fn session_tokens_can_be_recognised() {
    let organization = Organization::generate(&Spec::small(31));
    let mut tokens = 0;
    for record in read(&organization) {
        let text = record.value.to_string();
        let inside = text.matches("\"sessionToken\":\"").count();
        assert_eq!(inside, text.matches(SESSION_TOKEN_MARK).count());
        tokens += inside;
    }
    assert!(tokens > 50);
}

#[test]
fn large_files_come_on_request() {
    let spec = Spec {
        accounts: 4,
        days: 2,
        size: 100.0,
        records_per_file: Some(5_000),
        ..Spec::default()
    };
    let organization = Organization::generate(&spec);
    let largest = organization.truth().files.iter().map(|file| file.records).max().unwrap();
    assert_eq!(largest, 5_000);
    let records: u64 = organization.truth().totals.records;
    assert!(records > 100_000, "{records}");
}

#[test]
fn sizes_are_as_described() {
    let small = Organization::generate(&Spec::small(1));
    let records = small.truth().totals.records;
    assert!((1_500..3_000).contains(&records), "{records}");
    let folder = std::env::temp_dir().join(format!("rolecall-testkit-{}", std::process::id()));
    small.write_to(&folder).unwrap();
    let first = small.truth().files.first().unwrap();
    assert!(folder.join(&first.key).is_file());
    std::fs::remove_dir_all(&folder).unwrap();
}
