//! One HTML page that needs nothing else: no network, no other file. The template escapes every
//! value; the page's own policy forbids it to fetch anything, should an escape ever be missing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use askama::Template;

use super::cell::{self, Values};
use super::{Heading, Sink, Summary};
use crate::{clock, term};

/// The field metadata that explains a column, as the lake and the views set it.
const COMMENT: &str = "comment";

#[derive(Template)]
#[template(path = "page.html", block = "top")]
struct Top<'a> {
    title: Cow<'a, str>,
    subtitle: Cow<'a, str>,
    parameters: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    notes: Vec<Cow<'a, str>>,
    columns: Vec<Column<'a>>,
    /// Cells of the columns that only show when asked for, as a list of CSS selectors.
    folded: String,
}

struct Column<'a> {
    name: Cow<'a, str>,
    comment: Cow<'a, str>,
    is_number: bool,
    is_verdict: bool,
}

#[derive(Template)]
#[template(path = "page.html", block = "row")]
struct Row<'a> {
    cells: &'a [Cell],
}

#[derive(Clone, Default)]
struct Cell {
    text: String,
    is_number: bool,
}

#[derive(Template)]
#[template(path = "page.html", block = "bottom")]
struct Bottom<'a> {
    footer: &'a str,
    notes: Vec<Cow<'a, str>>,
    verdict: &'a str,
    states: Vec<(&'a str, u64)>,
}

pub(super) struct Html<W> {
    out: W,
    cells: Vec<Cell>,
    verdict: Option<Verdict>,
}

/// The column that is summed up above the table.
struct Verdict {
    name: String,
    index: usize,
    counts: BTreeMap<String, u64>,
}

/// More different values than this are no verdict, and a page of buttons helps nobody.
const MAX_STATES: usize = 24;

impl<W: Write> Html<W> {
    pub(super) fn new(heading: &Heading, schema: &Schema, mut out: W) -> anyhow::Result<Self> {
        let mut parameters: Vec<_> = heading
            .parameters
            .iter()
            .map(|(name, value)| (term::visible(name), term::visible(value)))
            .collect();
        if let Some(micros) = heading.generated_micros {
            parameters.push(("generated".into(), clock::format_time(micros).into()));
        }
        let verdict = heading.verdict_column.as_deref();
        let columns = schema.fields().iter().map(|field| Column {
            is_verdict: Some(field.name().as_str()) == verdict,
            name: term::visible(field.name()),
            comment: term::visible(field.metadata().get(COMMENT).map_or("", String::as_str)),
            is_number: cell::is_number(field.data_type()),
        });
        let top = Top {
            title: term::visible(heading.title.as_deref().unwrap_or("rolecall")),
            subtitle: term::visible(heading.subtitle.as_deref().unwrap_or_default()),
            parameters,
            notes: heading.notes.iter().map(|note| term::visible(note)).collect(),
            columns: columns.collect(),
            folded: folded(heading, schema),
        };
        top.write_into(&mut out)?;
        let cells = schema
            .fields()
            .iter()
            .map(|field| Cell {
                text: String::new(),
                is_number: cell::is_number(field.data_type()),
            })
            .collect();
        let index = schema.fields().iter().position(|f| Some(f.name().as_str()) == verdict);
        let verdict = index.map(|index| Verdict {
            name: term::visible(schema.field(index).name()).into_owned(),
            index,
            counts: BTreeMap::new(),
        });
        Ok(Self { out, cells, verdict })
    }
}

/// What a screen without room for all would leave out: a page has it all, and shows first what to look at first.
fn folded(heading: &Heading, schema: &Schema) -> String {
    let first = &heading.screen_columns;
    if !schema.fields().iter().any(|field| first.contains(field.name())) {
        return String::new();
    }
    let fields = schema.fields().iter().enumerate();
    let rest = fields.filter(|(_, field)| !first.contains(field.name()));
    let cells: Vec<String> =
        rest.map(|(index, _)| format!("tr :nth-child({})", index + 1)).collect();
    cells.join(", ")
}

impl<W: Write> Sink for Html<W> {
    fn rows(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|array| Values::for_people(array))
            .collect::<Result<_, _>>()?;
        let mut value = String::new();
        for row in 0..batch.num_rows() {
            for (column, cell) in columns.iter().zip(&mut self.cells) {
                value.clear();
                column.write(row, &mut value)?;
                cell.text.clear();
                cell.text.push_str(&term::visible(&value));
            }
            Row { cells: &self.cells }.write_into(&mut self.out)?;
            if let Some(verdict) = &mut self.verdict
                && let Some(cell) = self.cells.get(verdict.index)
                && verdict.counts.len() <= MAX_STATES
            {
                *verdict.counts.entry(cell.text.clone()).or_default() += 1;
            }
        }
        Ok(())
    }

    fn finish(&mut self, summary: &Summary, notes: &[String]) -> anyhow::Result<()> {
        let verdict = self.verdict.as_ref().filter(|verdict| verdict.counts.len() <= MAX_STATES);
        let states = verdict.into_iter().flat_map(|verdict| &verdict.counts);
        let bottom = Bottom {
            footer: &summary.footer(),
            notes: notes.iter().map(|note| term::visible(note)).collect(),
            verdict: verdict.map(|verdict| verdict.name.as_str()).unwrap_or_default(),
            states: states.map(|(value, count)| (value.as_str(), *count)).collect(),
        };
        bottom.write_into(&mut self.out)?;
        Ok(self.out.flush()?)
    }
}
