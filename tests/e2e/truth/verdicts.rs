//! Verdicts on keys and roles, held against what a careful human would say of the generated organisation.

use std::collections::{BTreeMap, BTreeSet};

use rolecall_testkit::inventory::Thresholds;
use rolecall_testkit::truth::Truth;
use rolecall_testkit::{Hold, Spec};

use super::spread;
use crate::support::{Chance, Delivered, Ground, Lake, Row, Scratch};

const DAYS: Thresholds = Thresholds { threshold_days: 45, grace_days: 7 };

/// The end of four days of logs.
const AS_OF: &str = "2026-01-09T00:00:00Z";

/// State of each key or role that the report tells of.
fn states(lake: &Lake<'_>, report: &str, key: &str) -> BTreeMap<String, String> {
    let (threshold, grace) = (DAYS.threshold_days.to_string(), DAYS.grace_days.to_string());
    let given = ["--as-of", AS_OF, "--threshold-days", &threshold, "--grace-days", &grace];
    let state = |row: &Row| {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        Some((text(key)?, text("state")?))
    };
    lake.report(report, &given).iter().filter_map(state).collect()
}

fn of_iam(states: Vec<(String, &'static str)>) -> BTreeMap<String, String> {
    states.into_iter().map(|(id, state)| (id, state.to_owned())).collect()
}

/// Days that callers are watched, and that a key stays inactive.
const SOAK_DAYS: i64 = 2;

/// Verdict, replacement where the story has one, callers, and those that remain.
type Migration = (String, Option<String>, u64, BTreeSet<String>);

fn expected_migrations(truth: &Truth) -> BTreeMap<String, Migration> {
    let keys = truth.key_migrations(DAYS, SOAK_DAYS).into_iter();
    keys.map(|key| {
        let left = key.callers_left.into_iter().collect();
        let row = (key.verdict.to_owned(), key.replacement, key.callers as u64, left);
        (key.access_key_id, row)
    })
    .collect()
}

/// As the report answers, with no replacement where no story tells of one.
fn migrations(
    lake: &Lake<'_>,
    expected: &BTreeMap<String, Migration>,
) -> BTreeMap<String, Migration> {
    let soak = SOAK_DAYS.to_string();
    let (threshold, grace) = (DAYS.threshold_days.to_string(), DAYS.grace_days.to_string());
    let given = ["--as-of", AS_OF, "--days", "4", "--soak-days", &soak];
    let given = [&given[..], &["--threshold-days", &threshold, "--grace-days", &grace]].concat();
    let rows = lake.report("key-migration", &given);
    let of_row = |row: &Row| {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        let key = text("access_key_id")?;
        let told = expected.get(&key).is_some_and(|(_, replacement, ..)| replacement.is_some());
        // A caller's name ends where it is told what it does besides.
        let name = |caller: &str| caller.split(" (").next().unwrap_or_default().to_owned();
        let left = row["callers_left"].as_array().into_iter().flatten();
        let left = left.filter_map(|caller| caller.as_str().map(name)).collect();
        let replacement = text("replacement").filter(|_| told);
        Some((key, (text("verdict")?, replacement, row["callers"].as_u64()?, left)))
    };
    rows.iter().filter_map(of_row).collect()
}

/// In any order, with everything given twice, and after maintenance.
#[test]
fn verdicts_are_the_truth_in_any_order() {
    for hold in [Hold::Both, Hold::OwnerOnly] {
        let spec = Spec { hold, days: 4, ..Spec::small(5) };
        let delivered = Delivered::new(&spec);
        let inventory = &delivered.truth.inventory;
        let scratch = Scratch::new(Ground::Folder);
        let lake = scratch.lake("lake");
        let folder = scratch.path("inventory");
        inventory.write_to(&folder).unwrap();
        let mut sources = spread(&delivered, &scratch, &mut Chance::new());
        for stage in ["once", "twice, after maintenance"] {
            assert!(lake.ingest(&sources).run().is_done());
            lake.command("inventory")
                .arg("--from")
                .arg(&folder)
                .args(["--snapshot-time", AS_OF])
                .run()
                .exits(0);
            assert_eq!(
                states(&lake, "stale-keys", "access_key_id"),
                of_iam(inventory.key_states(DAYS)),
                "{stage}"
            );
            assert_eq!(
                states(&lake, "unused-roles", "role_id"),
                of_iam(inventory.role_states(DAYS)),
                "{stage}"
            );
            let expected = expected_migrations(&delivered.truth);
            assert_eq!(migrations(&lake, &expected), expected, "{stage}");
            lake.maintain().run().exits(0);
            sources.reverse();
        }
    }
}
