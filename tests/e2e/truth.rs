//! Every view and every report equals the truth of a generated organisation.
//!
//! Whatever the order in which its files are given, in however many runs, however often, and with
//! `maintain` between the runs and after them. Every column of every answer is compared; where the truth
//! itself knows nothing of a column (the addresses of a session, the samples), a plain reading of the
//! records takes its place. What no test can tell is named where the rows are made: `unknown`.

mod compare;
mod expected;
mod records;
mod reports;
mod verdicts;

use std::collections::BTreeSet;

use rolecall_testkit::{Hold, Kind, Spec};
use serde_json::Value;

use self::compare::{Differences, Expected};
use self::expected::{Known, time};
use self::records::Records;
use crate::support::{
    Chance, Delivered, Ground, Lake, Row, Scratch, assert_lake_equals_truth,
    assert_maintained_lake_equals_truth,
};

/// Folders that the files are spread over, each with the layout of the bucket.
const PARTS: u64 = 4;
/// Runs of `ingest` until everything has been given.
const RUNS: usize = 3;
/// Files named one by one beside the folders.
const NAMED_FILES: usize = 12;

/// How the role is taken in each story that is about a way of taking one.
const METHODS: [(&str, &str); 24] = [
    ("assume_root", "assume_root"),
    ("ci_key_to_oidc", "web_identity"),
    ("console_switch", "console_switch"),
    ("console_switch_unpaired", "console_switch"),
    ("ec2_cross_account", "chained_role"),
    ("ec2_double_issue", "service"),
    ("ecs_task", "service"),
    ("eks_irsa", "web_identity"),
    ("eks_pod_identity", "service"),
    ("github_oidc", "web_identity"),
    ("github_oidc_immutable", "web_identity"),
    ("gitlab_oidc", "web_identity"),
    ("identity_center", "saml"),
    ("lambda", "service"),
    ("mfa", "assume_role"),
    ("role_chain", "chained_role"),
    ("role_from_session_token", "assume_role"),
    ("roles_anywhere", "roles_anywhere"),
    ("root_trusted_cli", "chained_role"),
    ("root_trusted_console", "console_switch"),
    ("saml", "saml"),
    ("same_account_user", "assume_role"),
    ("source_profile", "assume_role"),
    ("vendor_external_id", "chained_role"),
];

const VIEWS: [&str; 6] = [
    "select * from assumptions",
    "select * from sessions",
    "select * from access_keys",
    "select * from coverage",
    "select role, role_arn, role_id, role_account_id, role_name, service_linked, identity_center, first_used,
            last_used, event_count, services
     from roles where event_count > 0",
    "select role, sum(assumptions) as assumptions, sum(denied) as denied, max(last_assumed) as last_assumed,
            last_value(last_assumed_by order by last_assumed) as last_assumed_by,
            array_sort(array_distinct(flatten(array_agg(callers)))) as callers,
            array_sort(array_distinct(flatten(array_agg(methods)))) as methods
     from roles where assumptions + denied > 0 group by role",
];

#[test]
fn both_sides_are_held() {
    in_any_order(Spec::small(1), Chance::new());
}

#[test]
fn the_callers_side_alone_is_held() {
    in_any_order(Spec { hold: Hold::CallerOnly, ..Spec::small(2) }, Chance::new());
}

#[test]
fn the_owners_side_alone_is_held() {
    in_any_order(Spec { hold: Hold::OwnerOnly, ..Spec::small(3) }, Chance::new());
}

#[test]
fn another_organization() {
    let mut chance = Chance::from_seed(1);
    let hold = [Hold::Both, Hold::CallerOnly, Hold::OwnerOnly][chance.below(3) as usize];
    let spec = Spec {
        seed: chance.next(),
        accounts: 4 + chance.below(3) as usize,
        days: 2 + chance.below(4) as u32,
        size: chance.below(10) as f64 / 10.0,
        delivery_minutes: [5, 60, 1_440][chance.below(3) as usize],
        hold,
        ..Spec::default()
    };
    in_any_order(spec, chance);
}

#[test]
fn a_fortnight_in_one_run() {
    let delivered = Delivered::new(&Spec { seed: 4, ..Spec::default() });
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    let source = scratch.deliver("source", delivered.objects());
    assert!(lake.ingest([&source]).run().is_done());
    assert_lake_equals_truth(&lake, &delivered.truth);
    let known = Known::new(&delivered.truth, Records::of(&delivered.objects));
    assert_views_equal_truth(&lake, &known, "in one run");
    assert_reports_equal_truth(&lake, &known, &mut Chance::new());
}

fn in_any_order(spec: Spec, mut chance: Chance) {
    let delivered = Delivered::new(&spec);
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    let mut sources = spread(&delivered, &scratch, &mut chance);
    let a_run = sources.len().div_ceil(RUNS);
    for (number, run) in sources.chunks(a_run).enumerate() {
        if number > 0 {
            lake.maintain().run().exits(0);
        }
        let run = lake.ingest(run).run();
        assert!(run.is_done(), "{run}");
    }
    chance.shuffle(&mut sources);
    let again = lake.ingest(&sources).run().exits(0);
    let said = again.json();
    assert_eq!(said["log_files"], 0, "{again}");
    let known = Known::new(&delivered.truth, Records::of(&delivered.objects));
    assert_views_equal_truth(&lake, &known, "given twice");
    lake.maintain().run().exits(0);
    assert_maintained_lake_equals_truth(&lake, &delivered.truth);
    assert_views_equal_truth(&lake, &known, "after maintain");
    assert_reports_equal_truth(&lake, &known, &mut chance);
}

/// Writes the organisation's objects into several folders, and gives the sources to name, in any order:
/// the folders, and some files on their own.
fn spread(delivered: &Delivered, scratch: &Scratch, chance: &mut Chance) -> Vec<String> {
    let mut parts: Vec<Vec<(String, Vec<u8>)>> = (0..PARTS).map(|_| Vec::new()).collect();
    let mut sources = Vec::new();
    for object in &delivered.objects {
        let part = chance.below(PARTS);
        // Of a file on its own, only what follows AWSLogs is known to be a key.
        if object.kind == Kind::Log
            && object.key.starts_with("AWSLogs/")
            && sources.len() < NAMED_FILES
        {
            let path = scratch.path(format!("part-{part}/{}", object.key));
            sources.push(path.into_os_string().into_string().unwrap());
        }
        parts[part as usize].push((object.key.clone(), object.bytes.clone()));
    }
    for (number, objects) in parts.into_iter().enumerate() {
        sources.push(scratch.deliver(&format!("part-{number}"), objects));
    }
    chance.shuffle(&mut sources);
    sources
}

/// Asks for every view.
fn assert_views_equal_truth(lake: &Lake<'_>, known: &Known<'_>, stage: &str) {
    let mut differences = Differences::default();
    let mut views = lake.sql_all(&VIEWS).into_iter();
    let mut next = || views.next().unwrap();
    let assumptions = next();
    let (sessions, unissued): (Vec<Row>, Vec<Row>) =
        next().into_iter().partition(|row| !row["issued_event_id"].is_null());
    scenarios(known, &assumptions, &sessions, &mut differences);
    samples(known, &sessions, &mut differences);
    unissued_ids(&unissued, &mut differences);
    differences.compare(known.assumptions(), assumptions);
    differences.compare(known.issued_sessions(), sessions);
    differences.compare(known.unissued_sessions(), unissued);
    differences.compare(known.access_keys(), next());
    differences.compare(known.coverage(), next());
    differences.compare(known.roles_used(), next());
    differences.compare(known.roles_taken(), next());
    differences.none(stage);
}

/// Asks for every report.
fn assert_reports_equal_truth(lake: &Lake<'_>, known: &Known<'_>, chance: &mut Chance) {
    let mut differences = Differences::default();
    let last = known.truth.files.iter().map(|file| file.delivered_at).max().unwrap();
    let as_of = compare::text(Some(&time(last + 1)));
    let report = |name: &str, args: &[&str]| {
        lake.report(name, &[&["--as-of", as_of.as_str()], args].concat())
    };
    differences.compare(known.assumptions_report(), report("assumptions", &[]));
    differences.compare(known.edges_report(), report("edges", &[]));
    differences.compare(known.denied_report(), report("denied", &[]));
    differences.compare(known.coverage_report(), report("coverage", &[]));
    lineage(known, &mut differences, chance, report);
    differences.none("reports");
}

/// What tells each named story is found, and tells it.
fn scenarios(
    known: &Known<'_>,
    assumptions: &[Row],
    sessions: &[Row],
    differences: &mut Differences,
) {
    let ids = |rows: &[Row], column: &str| -> BTreeSet<String> {
        rows.iter().filter_map(|row| Some(row[column].as_str()?.to_owned())).collect()
    };
    let with_method = |scenario: &str, method: &str| {
        let acts = &known.truth.scenarios[scenario].acts;
        let is_one = |row: &&Row| {
            row["method"] == method && acts.iter().any(|act| row["event_id"] == act.as_str())
        };
        assumptions.iter().any(|row| is_one(&row))
    };
    // A lake of one side may hold only records that cannot tell the method.
    let told = |scenario: &str, method: &str| {
        let ids = &known.truth.scenarios[scenario].acts;
        known.truth.acts.iter().any(|act| act.method == method && ids.contains(&act.event_id))
    };
    for (scenario, method) in METHODS {
        if told(scenario, method) && !with_method(scenario, method) {
            differences.add(format!("scenario {scenario}: rolecall has no act by {method}"));
        }
    }
    let (assumptions, sessions) = (ids(assumptions, "event_id"), ids(sessions, "session_id"));
    for (name, scenario) in &known.truth.scenarios {
        for (what, wanted, found) in
            [("act", &scenario.acts, &assumptions), ("session", &scenario.sessions, &sessions)]
        {
            for id in wanted.iter().filter(|id| !found.contains(*id)) {
                differences.add(format!("scenario {name}: rolecall lacks its {what} {id}"));
            }
        }
        let counts = [&scenario.acts, &scenario.sessions, &scenario.events, &scenario.keys];
        if counts.iter().all(|list| list.is_empty()) {
            differences.add(format!("scenario {name}: nothing shows it"));
        }
    }
}

/// The sample of each session is a record of its first hour.
fn samples(known: &Known<'_>, sessions: &[Row], differences: &mut Differences) {
    for row in sessions {
        let Some(session) = row["session_id"].as_str().and_then(|id| known.session(id)) else {
            continue;
        };
        let samples = known.samples(session);
        let found = row["sample_event_id"].as_str();
        if found.map_or(!samples.is_empty(), |found| !samples.contains(&found)) {
            let id = &row["session_id"];
            differences.add(format!("sample of {id}: {found:?}, not of {samples:?}"));
        }
    }
}

/// Sessions without issue have names of their own, all different.
fn unissued_ids(rows: &[Row], differences: &mut Differences) {
    let ids: BTreeSet<&str> = rows.iter().filter_map(|row| row["session_id"].as_str()).collect();
    if ids.len() < rows.len() || ids.iter().any(|id| !id.starts_with("unissued:")) {
        differences.add(format!("ids of sessions without issue: {ids:?}"));
    }
}

/// The report for some sessions, keys and roles.
fn lineage(
    known: &Known<'_>,
    differences: &mut Differences,
    chance: &mut Chance,
    report: impl Fn(&str, &[&str]) -> Vec<Row>,
) {
    let named = known.truth.scenarios.values().flat_map(|scenario| &scenario.sessions);
    let sessions: Vec<&str> = named.map(String::as_str).collect();
    let mut keys = BTreeSet::new();
    let mut roles = BTreeSet::new();
    for session in sessions.iter().filter_map(|id| known.session(id)) {
        keys.extend(session.access_key_id.as_deref());
        keys.extend(session.origin_access_key_id.as_deref());
        roles.extend(session.role_arn.as_deref());
    }
    let keys: Vec<&str> = keys.into_iter().collect();
    let roles: Vec<&str> = roles.into_iter().collect();
    let id = one_of(&sessions, chance);
    let what = format!("lineage --session {id}");
    let expected =
        known.lineage_report(what, |session, _| session.session_id.as_deref() == Some(id));
    compare_lineage(differences, expected, report("lineage", &["--session", id]));

    let key = one_of(&keys, chance);
    let what = format!("lineage --access-key {key}");
    let expected = known.lineage_report(what, |session, row| {
        session.access_key_id.as_deref() == Some(key)
            || session.used_access_key_ids.iter().any(|used| used == key)
            || row["chain_access_key_ids"].as_array().unwrap().contains(&Value::from(key))
    });
    compare_lineage(differences, expected, report("lineage", &["--access-key", key]));

    let unissued = known.truth.sessions.iter().find(|session| session.session_id.is_none());
    let of_unissued = unissued.and_then(|session| session.role_arn.as_deref());
    for role in [Some(one_of(&roles, chance)), of_unissued].into_iter().flatten() {
        let what = format!("lineage --role {role}");
        let expected =
            known.lineage_report(what, |session, _| session.role_arn.as_deref() == Some(role));
        compare_lineage(differences, expected, report("lineage", &["--role", role]));
    }
}

/// Sessions without issue have made-up ids, so that they are told apart by what they were.
fn compare_lineage(differences: &mut Differences, expected: Expected, found: Vec<Row>) {
    let is_issued =
        |row: &Row| row["session_id"].as_str().is_some_and(|id| !id.starts_with("unissued:"));
    let (issued, mut unissued): (Vec<Row>, Vec<Row>) =
        expected.rows.into_iter().partition(is_issued);
    let (found_issued, found_unissued) = found.into_iter().partition(is_issued);
    for row in &mut unissued {
        row.remove("session_id");
    }
    differences.compare(
        Expected {
            what: format!("{}, without issue", expected.what),
            key: &["role", "session_name", "issued_time", "first_used"],
            rows: unissued,
            unknown: &["session_id"],
        },
        found_unissued,
    );
    differences.compare(Expected { rows: issued, ..expected }, found_issued);
}

fn one_of<'a>(list: &[&'a str], chance: &mut Chance) -> &'a str {
    list[chance.below(list.len() as u64) as usize]
}
