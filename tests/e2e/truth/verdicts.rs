//! Verdicts on keys and roles, held against what a careful human would say of the generated organisation.

use std::collections::BTreeMap;

use rolecall_testkit::inventory::Thresholds;
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
            lake.maintain().run().exits(0);
            sources.reverse();
        }
    }
}
