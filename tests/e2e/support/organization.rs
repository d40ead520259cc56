//! A generated organisation, and whether a lake holds exactly what it delivered.

use std::collections::BTreeMap;

use rolecall_testkit::truth::Truth;
use rolecall_testkit::{GeneratedFile, Organization, Spec};
use serde_json::Value;

use super::{Lake, Row};

/// The objects in the bucket of an organisation, and what is true of them.
pub(crate) struct Delivered {
    pub(crate) objects: Vec<GeneratedFile>,
    pub(crate) truth: Truth,
}

impl Delivered {
    /// All stories in about a hundred log files: each is a request where the ground is S3.
    pub(crate) fn in_few_files(seed: u64) -> Self {
        Self::new(&Spec { delivery_minutes: 480, ..Spec::small(seed) })
    }

    pub(crate) fn new(spec: &Spec) -> Self {
        let organization = Organization::generate(spec);
        let objects: Vec<GeneratedFile> = organization.files().collect();
        let truth = organization.truth().clone();
        assert!(truth.totals.credential_events > 0 && truth.totals.iam_changes > 0, "{spec:?}");
        Self { objects, truth }
    }

    /// Key and content of everything.
    pub(crate) fn objects(&self) -> impl Iterator<Item = (String, Vec<u8>)> {
        self.objects.iter().map(|object| (object.key.clone(), object.bytes.clone()))
    }
}

/// What a lake or a truth says, by table and log file, or by another name.
type Figures = BTreeMap<(String, String), [i64; 6]>;

/// Every table holds every log file's rows exactly once, and the ledger says so.
#[track_caller]
pub(crate) fn assert_lake_equals_truth(lake: &Lake<'_>, truth: &Truth) {
    assert_same_figures(&figures_of_lake(lake), &figures_of_truth(truth));
    lake.check().run().exits(0);
}

/// The same after maintenance, which drops events that were delivered more than once.
#[track_caller]
pub(crate) fn assert_maintained_lake_equals_truth(lake: &Lake<'_>, truth: &Truth) {
    let by_file = |mut figures: Figures| {
        figures.retain(|(what, _), _| {
            ["log_files", "activity", "access_key"].contains(&what.as_str())
        });
        figures
    };
    assert_same_figures(&by_file(figures_of_lake(lake)), &by_file(figures_of_truth(truth)));
    let events = truth.totals.credential_events - truth.duplicates.credential_events;
    let counts =
        "select count(*) as rows, count(distinct event_id || coalesce(recipient_account_id, '')) as events
                  from credential_events";
    let row = &lake.sql(counts)[0];
    assert_eq!((row["rows"].as_u64(), row["events"].as_u64()), (Some(events), Some(events)));
    lake.check().run().exits(0);
}

#[track_caller]
fn assert_same_figures(found: &Figures, expected: &Figures) {
    let names = found.keys().chain(expected.keys());
    let mut different: Vec<_> =
        names.filter(|name| found.get(*name) != expected.get(*name)).collect();
    different.dedup();
    let shown: Vec<String> = different
        .iter()
        .take(10)
        .map(|name| format!("{name:?}: {:?} should be {:?}", found.get(*name), expected.get(*name)))
        .collect();
    assert!(shown.is_empty(), "{} differ:\n{}", different.len(), shown.join("\n"));
}

fn figures_of_lake(lake: &Lake<'_>) -> Figures {
    // A file in the ledger twice shows in the third figure, a record in a table twice in the second.
    let rows = lake.sql(
        "
        select 'log_files' as what, log_file as name, sum(records) as a, sum(credential_events) as b,
               count(*) as c, sum(rejected) as d, sum(iam_changes) as e,
               cast(max(last_event_time) as bigint) as f
        from log_files where status = 'complete' group by log_file
        union all
        select 'credential_events', log_file, count(*), count(distinct record_index), 0, 0, 0, 0
        from credential_events group by log_file
        union all
        select 'iam_changes', log_file, count(*), count(distinct record_index), 0, 0, 0, 0
        from iam_changes group by log_file
        union all
        select 'activity', log_file, sum(event_count), 0, 0, 0, 0, cast(max(last_time) as bigint)
        from activity group by log_file
        union all
        select 'name', split_part(event_source, '.', 1) || ':' || event_name || ':' || outcome,
               count(*), 0, 0, 0, 0, 0
        from credential_events group by 2
        union all
        select 'access_key', access_key_id, sum(event_count), 0, 0, 0, 0, 0
        from activity where access_key_id is not null group by access_key_id
        ",
    );
    let text = |row: &Row, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| {
            let figures =
                ["a", "b", "c", "d", "e", "f"].map(|name| row[name].as_i64().unwrap_or_default());
            ((text(row, "what"), text(row, "name")), figures)
        })
        .collect()
}

fn figures_of_truth(truth: &Truth) -> Figures {
    let count = |number: u64| i64::try_from(number).unwrap();
    let mut figures = Figures::new();
    let mut add = |what: &str, name: &str, numbers: [i64; 6]| {
        if numbers[0] > 0 {
            figures.insert((what.to_owned(), name.to_owned()), numbers);
        }
    };
    for file in &truth.files {
        let name = file.log_file.as_str();
        let (credential, iam) = (count(file.credential_events), count(file.iam_changes));
        let (records, rejected) = (count(file.records), count(file.rejected));
        let last = file.last_event_time.unwrap_or_default();
        add("log_files", name, [records, credential, 1, rejected, iam, last]);
        add("credential_events", name, [credential, credential, 0, 0, 0, 0]);
        add("iam_changes", name, [iam, iam, 0, 0, 0, 0]);
        add("activity", name, [records - rejected, 0, 0, 0, 0, last]);
    }
    for (name, number) in &truth.totals.credential_events_by_name {
        add("name", name, [count(*number), 0, 0, 0, 0, 0]);
    }
    for (key, number) in &truth.totals.records_by_access_key {
        add("access_key", key, [count(*number), 0, 0, 0, 0, 0]);
    }
    figures
}

/// Row by row, two lakes hold the same.
#[track_caller]
pub(crate) fn assert_same_contents(found: &Lake<'_>, expected: &Lake<'_>) {
    let (found, expected) = (contents(found), contents(expected));
    let count =
        |lines: &[String], line: &String| lines.iter().filter(|other| *other == line).count();
    let different: Vec<String> = found
        .iter()
        .chain(&expected)
        .filter(|line| count(&found, line) != count(&expected, line))
        .take(5)
        .map(|line| {
            format!("{}, should be {}: {line}", count(&found, line), count(&expected, line))
        })
        .collect();
    assert!(found == expected, "the lakes differ:\n{}", different.join("\n"));
}

/// Everything that a lake holds but for what tells one run from another, as sorted lines.
pub(crate) fn contents(lake: &Lake<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for table in ["credential_events", "iam_changes", "activity", "log_files"] {
        for mut row in lake.sql(&format!("select * from {table}")) {
            for column in ["ingested_at", "batch_id", "bucket", "key", "version_id", "etag"] {
                row.remove(column);
            }
            lines.push(format!("{table} {}", Value::Object(row)));
        }
    }
    lines.sort_unstable();
    lines
}
