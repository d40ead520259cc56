//! Rows with what their codes say: `reasons`, `next_step`, `next_command`, `undo` and `confidence`, as far as the
//! report's front-matter names them and its SQL does not say them itself.
//!
//! Figures that only sentences need (`figures` in the front-matter) are left out of the answer. Looks at no other
//! column, and decides nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::{Confidence, Next, Reason, Reasons};
use crate::Report;

const CODES: &str = "reason_codes";

/// The columns that codes fill.
const FILLED: [&str; 5] = ["confidence", "reasons", "next_step", "next_command", "undo"];

/// What was said of accounts as a whole, each once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Explained(Arc<Mutex<BTreeSet<String>>>);

impl Explained {
    pub(crate) fn notes(&self) -> Vec<String> {
        match self.0.lock() {
            Ok(notes) => notes.iter().cloned().collect(),
            Err(poisoned) => poisoned.into_inner().iter().cloned().collect(),
        }
    }

    fn add(&self, note: String) {
        if let Ok(mut notes) = self.0.lock() {
            notes.insert(note);
        }
    }
}

/// Where a column of the answer is from.
#[derive(Debug, Clone, Copy)]
enum From {
    Sql(usize),
    Codes(&'static str),
}

/// Makes rows of the answer out of those of a report's SQL.
#[derive(Debug)]
pub(crate) struct Explainer {
    report: String,
    reasons: &'static Reasons,
    codes: usize,
    columns: Vec<From>,
    schema: SchemaRef,
    explained: Explained,
}

impl Explainer {
    /// For rows with columns of `sql`; none where there is nothing to say.
    pub(crate) fn new(report: &Report, sql: &Schema, reasons: &'static Reasons) -> Option<Self> {
        let codes = sql.index_of(CODES).ok()?;
        let mut columns = Vec::new();
        let mut fields = Vec::new();
        for column in &report.columns {
            let name = column.name.as_str();
            if let Ok(at) = sql.index_of(name) {
                columns.push(From::Sql(at));
                fields.push(sql.field(at).clone());
            } else if let Some(filled) = FILLED.into_iter().find(|filled| *filled == name) {
                columns.push(From::Codes(filled));
                fields.push(Field::new(name, DataType::Utf8, true));
            }
        }
        for (at, field) in sql.fields().iter().enumerate() {
            let is_there = report.columns.iter().any(|column| column.name == *field.name());
            if !is_there && !report.figures.contains(field.name()) {
                columns.push(From::Sql(at));
                fields.push(field.as_ref().clone());
            }
        }
        let schema = Arc::new(Schema::new(fields));
        let report = report.name.clone();
        Some(Self { report, reasons, codes, columns, schema, explained: Explained::default() })
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What is said of accounts, known once all rows are.
    pub(crate) fn explained(&self) -> Explained {
        self.explained.clone()
    }

    /// The same rows, explained.
    pub(crate) fn rows(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let options =
            FormatOptions::new().with_null("").with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%SZ"));
        let cells = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<Vec<_>, _>>()?;
        let cells = Cells { batch, cells };
        let mut filled = [const { Vec::new() }; FILLED.len()];
        for row in 0..batch.num_rows() {
            let said = self.say(&cells, row);
            for (column, text) in filled.iter_mut().zip(said) {
                column.push(text);
            }
        }
        let array = |from: &From| -> ArrayRef {
            match from {
                From::Sql(at) => Arc::clone(batch.column(*at)),
                From::Codes(name) => {
                    let at = FILLED.iter().position(|filled| filled == name).unwrap_or_default();
                    Arc::new(StringArray::from(filled[at].clone()))
                }
            }
        };
        let columns = self.columns.iter().map(array).collect();
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema(), columns, &rows)
    }

    /// In the order of `FILLED`.
    fn say(&self, cells: &Cells<'_>, row: usize) -> [Option<String>; FILLED.len()] {
        let codes = self.codes_of(cells.batch, row);
        let mut sentences = Vec::new();
        for reason in &codes {
            let Some(sentence) = reason.sentence.fill(|name| cells.figure(name, row)) else {
                continue;
            };
            if reason.account_wide {
                let account = cells.figure("account_id", row).unwrap_or_default();
                self.explained.add(format!("account {account}: {sentence}"));
            } else {
                sentences.push(sentence);
            }
        }
        let next = self.next(&codes);
        let fill = |part: fn(&Next) -> &Option<super::Template>| {
            part(next?).as_ref()?.fill(|name| cells.figure(name, row))
        };
        [
            Some(confidence(&codes).as_str().to_owned()),
            Some(sentences.join("; ")),
            fill(|next| &next.step),
            fill(|next| &next.command),
            fill(|next| &next.undo),
        ]
    }

    /// What is to be done in this report goes before what mends a reason in any.
    fn next<'a>(&self, codes: &[&'a Reason]) -> Option<&'a Next> {
        let own = codes.iter().find_map(|reason| reason.next.get(&self.report));
        own.or_else(|| {
            codes.iter().map(|reason| &reason.mend).find(|mend| **mend != Next::default())
        })
    }

    fn codes_of(&self, batch: &RecordBatch, row: usize) -> Vec<&'static Reason> {
        let column = batch.column(self.codes);
        let Some(lists) = column.as_list_opt::<i32>().filter(|lists| lists.is_valid(row)) else {
            return Vec::new();
        };
        let codes = lists.value(row);
        let Some(codes) = codes.as_string_opt::<i32>() else { return Vec::new() };
        codes.iter().flatten().filter_map(|code| self.reasons.by_code.get(code)).collect()
    }
}

fn confidence(codes: &[&Reason]) -> Confidence {
    let told = || codes.iter().filter_map(|reason| reason.confidence);
    if told().any(|one| one == Confidence::High) {
        return Confidence::High;
    }
    told().min().unwrap_or(Confidence::High)
}

struct Cells<'a> {
    batch: &'a RecordBatch,
    cells: Vec<ArrayFormatter<'a>>,
}

impl Cells<'_> {
    /// A list is its items with commas between.
    fn figure(&self, name: &str, row: usize) -> Option<String> {
        let at = self.batch.schema_ref().index_of(name).ok()?;
        let column = self.batch.column(at);
        if column.is_null(row) {
            return None;
        }
        if let Some(lists) = column.as_list_opt::<i32>() {
            let items = lists.value(row);
            let items = items.as_string_opt::<i32>()?.iter().flatten();
            return Some(items.collect::<Vec<_>>().join(", "));
        }
        Some(self.cells[at].value(row).to_string())
    }
}
