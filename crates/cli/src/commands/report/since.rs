//! `--since-last`: what changed since the newest earlier file of the same report, row by row, and why.
//!
//! The earlier run is read from the Parquet file that every run leaves beside its output. A row is known
//! again by the columns that the report's front-matter calls its key.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::cells;
use super::coverage::Held;

/// The fact under which a file keeps what its run held of each account.
pub(super) const COVERAGE_FACT: &str = "rolecall.coverage";
/// The fact under which it keeps with what parameters it was run; the window is not among them.
pub(super) const PARAMETERS_FACT: &str = "rolecall.parameters";
/// Columns that this module adds.
pub(super) const CHANGE: &str = "change";
pub(super) const CHANGE_REASONS: &str = "change_reasons";
/// What a row of the earlier file is called that is not there any more.
pub(super) const GONE: &str = "gone";

/// Shares that differ by less are the same.
const TOLERANCE: f64 = 0.000_5;

/// What is compared of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) key: Vec<Option<String>>,
    pub(super) verdict: Option<String>,
    /// What else is watched, in the order of its columns; `None` where the column is not there.
    pub(super) watched: Vec<Option<Option<String>>>,
    pub(super) reasons: Vec<String>,
    pub(super) coverage: Option<f64>,
    pub(super) account: Option<String>,
}

/// The columns that are compared, as a report names them.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) key: Vec<String>,
    pub(super) verdict: Option<String>,
    /// Columns whose change is one of the row, though the verdict be the same.
    pub(super) watch: Vec<String>,
}

impl Columns {
    /// What is compared of each row of a batch.
    pub(super) fn read(&self, batch: &RecordBatch) -> anyhow::Result<Vec<Seen>> {
        let mut rows = vec![Seen::default(); batch.num_rows()];
        let texts = |name: &str| match cells::column(batch, name) {
            Some(array) => cells::texts(array),
            None => Ok(vec![None; batch.num_rows()]),
        };
        for name in &self.key {
            for (row, text) in rows.iter_mut().zip(texts(name)?) {
                row.key.push(text);
            }
        }
        if let Some(name) = &self.verdict {
            for (row, text) in rows.iter_mut().zip(texts(name)?) {
                row.verdict = text;
            }
        }
        for name in &self.watch {
            let is_there = cells::column(batch, name).is_some();
            for (row, text) in rows.iter_mut().zip(texts(name)?) {
                row.watched.push(is_there.then_some(text));
            }
        }
        if let Some(array) = cells::column(batch, "coverage") {
            for (row, number) in rows.iter_mut().zip(cells::numbers(array)) {
                row.coverage = number;
            }
        }
        // Not every account's coverage is asked for.
        for (row, account) in rows.iter_mut().zip(texts("account_id")?) {
            row.account = account;
        }
        // Without a key nothing is compared, and the rest would be read for nothing.
        if self.key.is_empty() {
            return Ok(rows);
        }
        if let Some(array) = cells::column(batch, "reason_codes") {
            for (row, list) in rows.iter_mut().zip(cells::lists(array)?) {
                row.reasons = list;
            }
        }
        Ok(rows)
    }
}

/// An earlier run of a report.
#[derive(Debug)]
pub(super) struct Earlier {
    batch: RecordBatch,
    rows: Vec<Seen>,
    /// By key, the rows that have it, in order; a key that is not one is met in that order again.
    by_key: HashMap<Vec<Option<String>>, Vec<usize>>,
    met: Vec<bool>,
    watch: Vec<String>,
    held: BTreeMap<String, f64>,
    /// With what parameters it was run, where the file says so.
    pub(super) parameters: Option<String>,
}

impl Earlier {
    /// Reads an earlier run's Parquet file.
    pub(super) fn read(bytes: Vec<u8>, columns: &Columns) -> anyhow::Result<Self> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes))
            .context("it is no Parquet file")?;
        let facts = reader.metadata().file_metadata().key_value_metadata();
        let fact = |name: &str| {
            let fact = facts.into_iter().flatten().find(|fact| fact.key == name);
            fact.and_then(|fact| fact.value.clone())
        };
        let held = fact(COVERAGE_FACT).and_then(|text| serde_json::from_str(&text).ok());
        let parameters = fact(PARAMETERS_FACT);
        let schema = Arc::clone(reader.schema());
        let batches = reader.build()?.collect::<Result<Vec<_>, _>>()?;
        let all = concat_batches(&schema, &batches)?;
        Ok(Self { parameters, ..Self::new(&all, columns, held.unwrap_or_default())? })
    }

    fn new(
        batch: &RecordBatch,
        columns: &Columns,
        held: BTreeMap<String, f64>,
    ) -> anyhow::Result<Self> {
        let batch = without_gone(batch)?;
        let rows = columns.read(&batch)?;
        let mut by_key: HashMap<Vec<Option<String>>, Vec<usize>> = HashMap::new();
        for (index, row) in rows.iter().enumerate() {
            by_key.entry(row.key.clone()).or_default().push(index);
        }
        let met = vec![false; rows.len()];
        let watch = columns.watch.clone();
        Ok(Self { batch, rows, by_key, met, watch, held, parameters: None })
    }

    /// The accounts of which the logs hold less than at the earlier run, in a sentence.
    pub(super) fn held_more_than(&self, now: &Held) -> Option<String> {
        let of = |account: &String| now.by_account.get(account).copied().unwrap_or_default();
        let fell: Vec<String> = self
            .held
            .iter()
            .filter_map(|(account, then)| fell(account, *then, of(account)))
            .collect();
        let shown = fell.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = match fell.len().saturating_sub(3) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        (!fell.is_empty()).then(|| {
            format!("coverage was lost since the earlier file: account {shown}{more}: a row may have changed for that alone")
        })
    }

    /// What became of a row, and why. `held` is what the logs hold of each account now.
    pub(super) fn compare(
        &mut self,
        row: &Seen,
        held: &BTreeMap<String, f64>,
    ) -> (String, Option<String>) {
        let place = self
            .by_key
            .get(&row.key)
            .and_then(|places| places.iter().copied().find(|place| !self.met[*place]));
        let Some(place) = place else {
            return ("new".to_owned(), joined([self.account_fell(row, held)]));
        };
        self.met[place] = true;
        let before = &self.rows[place];
        let flipped = before.verdict != row.verdict;
        let changed = self.changed(before, row);
        let change = match (&before.verdict, &row.verdict) {
            _ if !flipped => match &changed {
                Some(changed) => format!("changed: {changed}"),
                None => "same".to_owned(),
            },
            (before, now) => {
                let name = |verdict: &Option<String>| verdict.clone().unwrap_or("none".to_owned());
                format!("flipped: {} → {}", name(before), name(now))
            }
        };
        let missing = |of: &[String], from: &[String]| {
            let names: Vec<&str> =
                of.iter().filter(|code| !from.contains(code)).map(String::as_str).collect();
            names.join(", ")
        };
        let (added, removed) =
            (missing(&row.reasons, &before.reasons), missing(&before.reasons, &row.reasons));
        let labelled =
            |label: &str, codes: String| (!codes.is_empty()).then(|| format!("{label}: {codes}"));
        let fell = match (before.coverage, row.coverage) {
            (Some(before), Some(now)) => fell("coverage", before, now),
            _ if flipped => self.account_fell(row, held),
            _ => None,
        };
        // Less to see is the first thing to know of a verdict that flipped.
        let fell = match fell {
            Some(fell) if flipped => Some(format!("the logs hold less than then: {fell}")),
            fell => fell,
        };
        let reasons = [
            fell,
            changed.filter(|_| flipped),
            labelled("reasons added", added),
            labelled("reasons removed", removed),
        ];
        (change, joined(reasons))
    }

    /// What is watched and differs: `status Active → Inactive`.
    fn changed(&self, before: &Seen, now: &Seen) -> Option<String> {
        let each = self.watch.iter().zip(before.watched.iter().zip(&now.watched));
        let changed = each.filter_map(|(name, (before, now))| {
            let (before, now) = (before.as_ref()?, now.as_ref()?);
            let shown = |text: &Option<String>| text.clone().unwrap_or("none".to_owned());
            (before != now).then(|| format!("{name} {} → {}", shown(before), shown(now)))
        });
        let changed: Vec<String> = changed.collect();
        (!changed.is_empty()).then(|| changed.join(", "))
    }

    /// The rows that were not met again, in the columns of `schema`.
    pub(super) fn gone(
        &self,
        schema: &SchemaRef,
        held: &BTreeMap<String, f64>,
    ) -> anyhow::Result<RecordBatch> {
        let places: Vec<usize> =
            self.met.iter().enumerate().filter(|(_, met)| !**met).map(|(place, _)| place).collect();
        let indices = places.iter().map(|place| u32::try_from(*place));
        let indices = UInt32Array::from(indices.collect::<Result<Vec<u32>, _>>()?);
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let column = match field.name().as_str() {
                CHANGE => cells::text_column(places.iter().map(|_| Some(GONE.to_owned()))),
                CHANGE_REASONS => cells::text_column(
                    places
                        .iter()
                        .map(|place| joined([self.account_fell(&self.rows[*place], held)])),
                ),
                // Whether a row of then is excepted now means nothing.
                name if super::annotate::EXCEPTION_COLUMNS.contains(&name) => {
                    cells::as_type(None, field.data_type(), places.len())
                }
                name => {
                    let then = cells::column(&self.batch, name);
                    let then = then.map(|array| take(array, &indices, None)).transpose()?;
                    cells::as_type(then, field.data_type(), places.len())
                }
            };
            columns.push(column);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }

    /// An account that the logs hold less of than before explains what changed.
    fn account_fell(&self, row: &Seen, held: &BTreeMap<String, f64>) -> Option<String> {
        let account = row.account.as_ref()?;
        let now = held.get(account).copied().unwrap_or_default();
        fell(&format!("coverage of account {account}"), *self.held.get(account)?, now)
    }
}

fn without_gone(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let Some(changes) = cells::column(batch, CHANGE) else { return Ok(batch.clone()) };
    let changes = cells::texts(changes)?;
    let there = changes.iter().map(|change| Some(change.as_deref() != Some(GONE))).collect();
    Ok(arrow::compute::filter_record_batch(batch, &there)?)
}

fn fell(what: &str, before: f64, now: f64) -> Option<String> {
    (now < before - TOLERANCE).then(|| format!("{what} fell {before:.3} → {now:.3}"))
}

fn joined(parts: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, ListBuilder, StringArray, StringBuilder};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    type Line = (&'static str, &'static str, &'static [&'static str], f64);

    fn batch(lines: &[Line]) -> RecordBatch {
        let texts = |part: fn(&Line) -> &'static str| -> ArrayRef {
            Arc::new(StringArray::from(lines.iter().map(part).collect::<Vec<_>>()))
        };
        let mut codes = ListBuilder::new(StringBuilder::new());
        for (_, _, reasons, _) in lines {
            codes.append_value(reasons.iter().map(|code| Some(*code)));
        }
        let coverage: Vec<f64> = lines.iter().map(|line| line.3).collect();
        RecordBatch::try_from_iter([
            ("account_id", texts(|line| line.0.split('/').next().unwrap())),
            ("user_name", texts(|line| line.0.split('/').nth(1).unwrap())),
            ("state", texts(|line| line.1)),
            ("reason_codes", Arc::new(codes.finish()) as ArrayRef),
            ("coverage", Arc::new(Float64Array::from(coverage)) as ArrayRef),
        ])
        .unwrap()
    }

    fn columns() -> Columns {
        Columns {
            key: vec!["account_id".to_owned(), "user_name".to_owned()],
            verdict: Some("state".to_owned()),
            watch: Vec::new(),
        }
    }

    #[test]
    fn every_change_has_its_name_and_reason() {
        let held = |a: f64, b: f64| BTreeMap::from([("1".to_owned(), a), ("2".to_owned(), b)]);
        let then = batch(&[
            ("1/ann", "USED", &["CT_USE"], 1.0),
            ("1/bob", "STALE", &["IDLE"], 1.0),
            ("1/cy", "USED", &[], 1.0),
            ("1/twin", "USED", &[], 1.0),
            ("1/twin", "STALE", &[], 1.0),
            ("2/gone", "USED", &[], 1.0),
            ("1/gone", "USED", &[], 1.0),
        ]);
        let mut earlier = Earlier::new(&then, &columns(), held(1.0, 1.0)).unwrap();
        let now = batch(&[
            ("1/ann", "STALE", &["IDLE"], 0.5),
            ("1/bob", "STALE", &["IDLE", "NO_OWNER"], 1.0),
            ("1/cy", "USED", &[], 1.0),
            ("1/twin", "USED", &[], 1.0),
            ("1/twin", "STALE", &[], 1.0),
            ("1/dan", "USED", &[], 1.0),
        ]);
        let now_held = held(1.0, 0.25);
        let rows = columns().read(&now).unwrap();
        let found: Vec<_> = rows.iter().map(|row| earlier.compare(row, &now_held)).collect();
        let expected = [
            (
                "flipped: USED → STALE",
                Some(
                    "the logs hold less than then: coverage fell 1.000 → 0.500; reasons added: IDLE; reasons removed: CT_USE",
                ),
            ),
            ("same", Some("reasons added: NO_OWNER")),
            ("same", None),
            ("same", None),
            ("same", None),
            ("new", None),
        ];
        let expected = expected.map(|(change, why)| (change.to_owned(), why.map(str::to_owned)));
        assert_eq!(found, expected);

        let mut fields: Vec<Field> =
            now.schema().fields().iter().map(|field| Field::clone(field)).collect();
        fields.push(Field::new("later", DataType::Int64, true));
        fields.push(Field::new(CHANGE, DataType::Utf8, true));
        fields.push(Field::new(CHANGE_REASONS, DataType::Utf8, true));
        let gone = earlier.gone(&Arc::new(Schema::new(fields)), &now_held).unwrap();
        let texts = |name: &str| cells::texts(cells::column(&gone, name).unwrap()).unwrap();
        let some = |texts: [&str; 2]| texts.map(|text| Some(text.to_owned())).to_vec();
        assert_eq!(texts("account_id"), some(["2", "1"]));
        assert_eq!(texts("user_name"), some(["gone", "gone"]));
        assert_eq!(texts("later"), [None, None]);
        assert_eq!(texts(CHANGE), some(["gone", "gone"]));
        let why = "coverage of account 2 fell 1.000 → 0.250".to_owned();
        assert_eq!(texts(CHANGE_REASONS), [Some(why), None]);

        // A row that was gone then is not gone again.
        let again = Earlier::new(&gone, &columns(), BTreeMap::new()).unwrap();
        assert!(again.rows.is_empty());
    }

    #[test]
    fn what_is_watched_changes_a_row_though_its_verdict_be_the_same() {
        let rows = |states: [&str; 4], status: Option<[&str; 4]>| {
            let names = StringArray::from(vec!["a", "b", "c", "d"]);
            let mut columns = vec![
                ("user_name", Arc::new(names) as ArrayRef),
                ("state", Arc::new(StringArray::from(states.to_vec())) as ArrayRef),
            ];
            let status = status.map(|status| Arc::new(StringArray::from(status.to_vec())));
            columns.extend(status.map(|status| ("status", status as ArrayRef)));
            RecordBatch::try_from_iter(columns).unwrap()
        };
        let columns = Columns {
            key: vec!["user_name".to_owned()],
            verdict: Some("state".to_owned()),
            watch: vec!["status".to_owned(), "nowhere".to_owned()],
        };
        let held = BTreeMap::new();
        let then =
            rows(["GO", "GO", "GO", "STAY"], Some(["Active", "Active", "Inactive", "Active"]));
        let now =
            rows(["GO", "GO", "STAY", "STAY"], Some(["Active", "Inactive", "Active", "Active"]));
        let now = columns.read(&now).unwrap();
        let mut earlier = Earlier::new(&then, &columns, held.clone()).unwrap();
        let found: Vec<_> = now.iter().map(|row| earlier.compare(row, &held)).collect();
        let expected = [
            ("same", None),
            ("changed: status Active → Inactive", None),
            ("flipped: GO → STAY", Some("status Inactive → Active")),
            ("same", None),
        ];
        let expected = expected.map(|(change, why)| (change.to_owned(), why.map(str::to_owned)));
        assert_eq!(found, expected);

        // A file from before the column was there tells nothing of it.
        let then = rows(["GO", "GO", "STAY", "STAY"], None);
        let mut earlier = Earlier::new(&then, &columns, held.clone()).unwrap();
        assert!(now.iter().all(|row| earlier.compare(row, &held).0 == "same"));
    }

    #[test]
    fn accounts_that_the_logs_hold_less_of_are_named() {
        let held = |shares: &[(&str, f64)]| -> BTreeMap<String, f64> {
            shares.iter().map(|(account, share)| ((*account).to_owned(), *share)).collect()
        };
        let all = held(&[("1", 1.0), ("2", 1.0), ("3", 0.5), ("4", 1.0), ("5", 1.0)]);
        let earlier = Earlier::new(&batch(&[]), &columns(), all.clone()).unwrap();
        let now = |shares: &[(&str, f64)]| Held { by_account: held(shares), ..Held::default() };
        assert_eq!(earlier.held_more_than(&Held { by_account: all, ..Held::default() }), None);
        let less = earlier.held_more_than(&now(&[("1", 0.25), ("3", 0.5), ("4", 1.0), ("5", 1.0)]));
        let less = less.unwrap();
        assert!(less.contains("account 1 fell 1.000 → 0.250, 2 fell 1.000 → 0.000:"), "{less}");
        let none = earlier.held_more_than(&now(&[])).unwrap();
        assert!(none.contains(", and 2 more:"), "{none}");
    }
}
