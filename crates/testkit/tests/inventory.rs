//! The inventory that goes with a generated organisation.

use std::collections::{BTreeMap, BTreeSet};

use rolecall_testkit::inventory::Thresholds;
use rolecall_testkit::{Organization, Spec};
use serde_json::Value;

const DAYS: Thresholds = Thresholds { threshold_days: 45, grace_days: 7 };

fn states(organization: &Organization) -> BTreeMap<String, &'static str> {
    organization.truth().inventory.key_states(DAYS).into_iter().collect()
}

#[test]
fn every_state_of_a_key_and_of_a_role_is_told() {
    let organization = Organization::generate(&Spec::default());
    let states = states(&organization);
    let state = |story: &str, place: usize| {
        let mut keys: Vec<_> = organization.truth().scenarios[story].keys.clone();
        let inventory = &organization.truth().inventory.access_keys;
        keys.sort_by_key(|id| {
            inventory.iter().find(|key| key.access_key_id == *id).map(|key| key.created)
        });
        states.get(&keys[place]).copied()
    };
    assert_eq!(state("key_busy", 0), Some("USED"));
    assert_eq!(state("key_idle", 0), Some("STALE"));
    assert_eq!(state("key_never_used", 0), Some("INACTIVE"));
    assert_eq!(state("key_never_used", 1), Some("NEVER_USED"));
    assert_eq!(state("key_young", 0), Some("NEVER_USED_YOUNG"));
    assert_eq!(state("key_second_slot", 0), Some("INACTIVE"));
    assert_eq!(state("key_second_slot", 1), Some("STALE"));
    assert_eq!(state("key_data_events_only", 0), Some("USED"));
    assert_eq!(state("key_life", 0), None, "a key that was deleted is not listed");
    let roles: BTreeSet<_> =
        organization.truth().inventory.role_states(DAYS).into_iter().map(|(_, s)| s).collect();
    let all = ["NEVER_USED_OLD", "NEVER_USED_YOUNG", "SLR", "SSO_RESERVED", "USED"];
    assert_eq!(roles, BTreeSet::from(all));
}

#[test]
fn every_way_out_of_a_key_is_told() {
    let organization = Organization::generate(&Spec { days: 4, ..Spec::small(5) });
    let truth = organization.truth();
    let verdicts = truth.key_migrations(DAYS, 2);
    let of_story = |story: &str| {
        let key = &truth.scenarios[story].keys[0];
        let found = verdicts.iter().find(|verdict| verdict.access_key_id == *key).unwrap();
        let role = found.replacement.as_deref().map(|arn| arn.rsplit('/').next().unwrap_or(arn));
        format!("{} {} left {}", found.verdict, role.unwrap_or("-"), found.callers_left.join(", "))
    };
    for (story, expected) in [
        ("ci_key_to_oidc", "MIGRATE github-release left "),
        ("key_half_migrated", "MIGRATE github-build left terraform from 198.51.100.0/24"),
        ("key_role_unproven", "MIGRATE create left terraform from hosted CI"),
        ("key_off_in_use", "RETIRE_AFTER_SOAK - left "),
        // Four days of logs do not hold the 45 before it was switched off; one day they do.
        ("key_off_idle", "RETIRE_AFTER_SOAK - left "),
        ("key_off_lately", "RETIRE_AFTER_SOAK - left "),
        ("key_of_a_vendor", "BLOCKED - left boto3 from 192.0.2.0/24"),
        ("key_busy", "BLOCKED - left boto3 from 203.0.113.0/24"),
        ("key_data_events_only", "UNKNOWN - left "),
        ("key_young", "UNKNOWN - left "),
        ("key_idle", "RETIRE_AFTER_SOAK - left "),
    ] {
        assert_eq!(of_story(story), expected, "{story}");
    }
    let off = &truth.scenarios["key_off_idle"].keys[0];
    let short = truth.key_migrations(Thresholds { threshold_days: 1, ..DAYS }, 2);
    let found = short.iter().find(|verdict| verdict.access_key_id == *off).unwrap();
    assert_eq!(found.verdict, "RETIRE_NOW");
}

/// What `docs/from-keys-to-roles.md` counts, and the report with it.
#[test]
fn the_demos_keys_have_the_verdicts_that_the_guide_counts() {
    let organization = Organization::generate(&Spec::default());
    let mut counts = BTreeMap::new();
    for key in organization.truth().key_migrations(DAYS, 14) {
        *counts.entry(key.verdict).or_insert(0) += 1;
    }
    let expected = [("BLOCKED", 16), ("MIGRATE", 7), ("RETIRE_AFTER_SOAK", 8), ("UNKNOWN", 2)];
    assert_eq!(counts, BTreeMap::from(expected));
}

#[test]
fn the_files_hold_what_iam_lists() {
    let organization = Organization::generate(&Spec::small(3));
    let inventory = &organization.truth().inventory;
    let (mut keys, mut roles, mut rows) = (0, 0, 0);
    for (path, content) in inventory.files() {
        if path.ends_with(".csv") {
            let columns = content.lines().next().unwrap().split(',').count();
            assert!(content.lines().all(|line| line.split(',').count() == columns), "{path}");
            rows += content.lines().count() - 2;
            continue;
        }
        let value: Value = serde_json::from_str(&content).unwrap();
        let length = |name: &str| value[name].as_array().map_or(0, Vec::len);
        keys += length("AccessKeyMetadata");
        roles += length("RoleDetailList");
    }
    let listed = inventory.access_keys.iter().filter(|key| key.deleted.is_none()).count();
    assert_eq!(keys, listed);
    let member = |id: &str| inventory.accounts.iter().any(|a| a.account_id == id && a.member);
    let of_members = |role: &&rolecall_testkit::inventory::Role| {
        role.deleted.is_none() && member(&role.account_id)
    };
    assert_eq!(roles, inventory.roles.iter().filter(of_members).count());
    assert_eq!(rows, inventory.users.iter().filter(|user| member(&user.account_id)).count());
}
