//! Two readings of the same rows, and how they differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::Row;

/// Differences that are shown; the rest is counted.
const SHOWN: usize = 20;

/// Everything that was found to differ, in words.
#[derive(Default)]
pub(super) struct Differences {
    lines: Vec<String>,
    compared: usize,
}

/// What a view or a report must answer.
pub(super) struct Expected {
    /// Its name, and what it was asked.
    pub(super) what: String,
    /// Columns that tell its rows apart.
    pub(super) key: &'static [&'static str],
    /// Every row, with every column of which the truth knows what must stand there.
    pub(super) rows: Vec<Row>,
    /// Columns that the truth knows nothing of, in no row.
    pub(super) unknown: &'static [&'static str],
}

impl Differences {
    /// Compares row by row and column by column. A column that neither an expected row nor the list of
    /// unknown columns names is a difference: nothing stays uncompared unnoticed.
    pub(super) fn compare(&mut self, expected: Expected, found: Vec<Row>) {
        let Expected { what, key, rows, unknown } = expected;
        let known: BTreeSet<&str> = rows
            .iter()
            .flat_map(|row| row.keys().map(String::as_str))
            .chain(unknown.iter().copied())
            .collect();
        if let (Some(row), false) = (found.first(), rows.is_empty()) {
            let columns: BTreeSet<&str> = row.keys().map(String::as_str).collect();
            for column in columns.symmetric_difference(&known) {
                self.add(format!("{what}: only one of both has a column {column}"));
            }
        }
        let rows = self.by_key(&what, "truth", key, rows);
        let mut found = self.by_key(&what, "rolecall", key, found);
        for (name, row) in rows {
            let Some(found) = found.remove(&name) else {
                self.add(format!("{what} {name}: rolecall lacks it: {}", Value::Object(row)));
                continue;
            };
            for (column, value) in row {
                self.compared += 1;
                let there = found.get(&column).unwrap_or(&Value::Null);
                if *there != value {
                    self.add(format!(
                        "{what} {name}\n    {column}: truth {value}, rolecall {there}"
                    ));
                }
            }
        }
        for (name, row) in found {
            self.add(format!("{what} {name}: rolecall alone has it: {}", Value::Object(row)));
        }
    }

    fn by_key(
        &mut self,
        what: &str,
        whose: &str,
        key: &[&str],
        rows: Vec<Row>,
    ) -> BTreeMap<String, Row> {
        let mut named = BTreeMap::new();
        for row in rows {
            let parts: Vec<String> = key.iter().map(|column| text(row.get(*column))).collect();
            if let Some(twin) = named.insert(parts.join(" | "), row) {
                self.add(format!("{what}: {whose} has it twice: {}", Value::Object(twin)));
            }
        }
        named
    }

    pub(super) fn add(&mut self, line: String) {
        self.lines.push(line);
    }

    /// Fails the test if anything differs, or nothing was compared.
    #[track_caller]
    pub(super) fn none(self, stage: &str) {
        let Self { lines, compared } = self;
        assert!(compared > 1_000, "{stage}: only {compared} values were compared");
        let shown = lines.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("\n");
        assert!(lines.is_empty(), "{stage}: {} differences\n{shown}", lines.len());
    }
}

/// A value as people would write it.
pub(super) fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::from("-"),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
