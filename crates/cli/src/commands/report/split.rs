//! `--split-by COLUMN`: beside the file of all rows, one for each value of a column, to send to whom it is about.
//!
//! Values differ for this if they do so by more than case. A value comes from a log, a tag or a file: what of it
//! may be in a name of a file is decided here. Writes nothing.

use std::collections::BTreeMap;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use super::cells;

/// The rows by value, `None` for those without one.
#[derive(Debug)]
pub(super) struct Split {
    column: String,
    lists: BTreeMap<Option<String>, Vec<RecordBatch>>,
}

impl Split {
    pub(super) fn new(column: &str) -> Self {
        Self { column: column.to_owned(), lists: BTreeMap::new() }
    }

    /// The column.
    pub(super) fn column(&self) -> &str {
        &self.column
    }

    /// Takes rows, in their order.
    pub(super) fn rows(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let Some(array) = cells::column(batch, &self.column) else { return Ok(()) };
        let values: Vec<Option<String>> = cells::texts(array)?
            .into_iter()
            .map(|value| value.map(|value| value.trim().to_lowercase()).filter(|v| !v.is_empty()))
            .collect();
        let mut distinct: Vec<&Option<String>> = values.iter().collect();
        distinct.sort_unstable();
        distinct.dedup();
        for value in distinct {
            let is_it: BooleanArray = values.iter().map(|other| Some(other == value)).collect();
            let rows = filter_record_batch(batch, &is_it)?;
            self.lists.entry(value.clone()).or_default().push(rows);
        }
        Ok(())
    }

    /// Each list with the name of its file, without extension, and its value.
    pub(super) fn lists(&self) -> impl Iterator<Item = (String, &str, &[RecordBatch])> {
        self.lists.iter().map(|(value, rows)| {
            let name = match value {
                Some(value) => format!("{}={}", self.column, file_name(value)),
                None => format!("{}-none", self.column),
            };
            (name, value.as_deref().unwrap_or("none"), rows.as_slice())
        })
    }
}

/// Letters, digits and what is harmless stay; the rest becomes `_` and its bytes (stores write `%` in their own way).
/// What is too long for a name is cut, and ends in a number made from all of it.
fn file_name(value: &str) -> String {
    const LONGEST: usize = 120;
    let mut name = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"@.+-".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("_{byte:02x}"));
        }
    }
    if name.len() <= LONGEST {
        return name;
    }
    name.truncate(LONGEST);
    // FNV-1a: the same in every version, so that the same list has the same name.
    let hash = value.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{name}-{hash:016x}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    use super::*;

    #[test]
    fn each_value_has_a_list_in_the_order_of_the_rows() {
        let batch = |rows: [(Option<&str>, &str); 3]| {
            let owners = StringArray::from(rows.map(|(owner, _)| owner).to_vec());
            let names = StringArray::from(rows.map(|(_, name)| name).to_vec());
            RecordBatch::try_from_iter([
                ("owner", Arc::new(owners) as ArrayRef),
                ("name", Arc::new(names) as ArrayRef),
            ])
            .unwrap()
        };
        let mut split = Split::new("owner");
        split.rows(&batch([(Some("Ann@x"), "a"), (None, "b"), (Some("bob"), "c")])).unwrap();
        split
            .rows(&batch([(Some("ann@x"), "d"), (Some(" "), "e"), (Some("../etc"), "f")]))
            .unwrap();
        let found: Vec<(String, String)> = split
            .lists()
            .map(|(name, _, rows)| {
                let names = rows.iter().flat_map(|rows| cells::texts(rows.column(1)).unwrap());
                (name, names.flatten().collect())
            })
            .collect();
        let expected = [
            ("owner-none", "be"),
            ("owner=.._2fetc", "f"),
            ("owner=ann@x", "ad"),
            ("owner=bob", "c"),
        ];
        assert_eq!(found, expected.map(|(name, rows)| (name.to_owned(), rows.to_owned())));
    }

    #[test]
    fn a_name_is_never_too_long_for_a_file() {
        let (one, other) = ("ü".repeat(256), format!("{}x", "ü".repeat(255)));
        assert!(file_name(&one).len() < 150);
        assert_ne!(file_name(&one), file_name(&other));
        assert_eq!(file_name("a\u{1b}[2J=b"), "a_1b_5b2J_3db");
    }
}
