//! Results in a format: one result, seven formats.
//!
//! A [`Renderer`] takes record batches one at a time and writes each as far as its format allows:
//! CSV, JSON, NDJSON, Markdown and HTML hold one batch at most, a table needs rows to size its
//! columns and holds [`TABLE_CHUNK_ROWS`] of them.
//!
//! Every value may come from a log and be hostile, and each format has its own defence: people's
//! formats spell out what acts on a terminal ([`crate::term::visible`]), CSV defuses formulas,
//! HTML and Markdown escape their markup, JSON escapes what would act when printed, Parquet is not
//! written to a terminal. Times are in UTC, or for people in the zone that they ask for. Nothing here chooses what to show, or where a result goes.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use futures::{Stream, StreamExt};

use crate::term::{self, Screen};

mod cell;
mod csv;
mod html;
mod json;
mod markdown;
mod parquet;
mod table;

#[cfg(test)]
mod tests;

/// How many rows of a table are laid out together. A longer one repeats its header, so that
/// neither memory nor a column's width depends on the last row of a million.
pub(crate) const TABLE_CHUNK_ROWS: usize = 10_000;

/// The format of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people, fitted to the terminal.
    #[default]
    Table,
    /// Comma-separated, with a header; safe to open in a spreadsheet.
    Csv,
    /// One array of objects, one per row; nulls are written.
    Json,
    /// One object per line; nulls are written.
    Ndjson,
    /// A Markdown table.
    Markdown,
    /// One HTML page that needs nothing else.
    Html,
    /// A Parquet file, for other programs; not for a terminal.
    Parquet,
}

impl Format {
    /// All formats, in the order in which help lists them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Table,
        Self::Csv,
        Self::Json,
        Self::Ndjson,
        Self::Markdown,
        Self::Html,
        Self::Parquet,
    ];

    /// The name to type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Parquet => "parquet",
        }
    }

    /// How a file of it is called after the dot.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Table => "txt",
            Self::Markdown => "md",
            other => other.name(),
        }
    }

    /// The format of that name, in any case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(name))
    }

    /// Whether a program reads it, rather than a person.
    pub(crate) fn is_data(self) -> bool {
        matches!(self, Self::Csv | Self::Json | Self::Ndjson | Self::Parquet)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a table lays its rows out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Columns where they fit the screen, else one block per row.
    #[default]
    Auto,
    /// One block per row, a line per column; columns without a value are left out.
    Records,
}

/// What a result looks like, apart from the result.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The format.
    pub(crate) format: Format,
    /// Where it goes.
    pub(crate) screen: Screen,
    /// How a table lays its rows out.
    pub(crate) layout: Layout,
    /// Stop after so many rows; [`Summary::more`] says when there were more.
    pub(crate) max_rows: Option<u64>,
    /// The zone that people's formats show times in; the formats for programs are in UTC always.
    pub(crate) zone: Arc<str>,
}

/// Where times are, unless somebody asks otherwise.
pub(crate) const UTC: &str = "UTC";

impl Options {
    /// All rows, for `screen`.
    pub(crate) fn new(format: Format, screen: Screen) -> Self {
        Self { format, screen, layout: Layout::Auto, max_rows: None, zone: UTC.into() }
    }
}

/// What stands above a result. The formats for programs leave it out, and a table shows it on a
/// terminal only, so that what is piped is rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heading {
    /// The report's title.
    pub(crate) title: Option<String>,
    /// The question it answers, or another line of explanation.
    pub(crate) subtitle: Option<String>,
    /// The parameters it ran with, by name.
    pub(crate) parameters: Vec<(String, String)>,
    /// When it was made, in microseconds since the epoch.
    pub(crate) generated_micros: Option<i64>,
    /// What the reader must know to trust it, such as gaps in coverage.
    pub(crate) notes: Vec<String>,
    /// The column whose values an HTML page sums up.
    pub(crate) verdict_column: Option<String>,
    /// What a Parquet file says about itself, by name.
    pub(crate) facts: Vec<(String, String)>,
    /// The columns that a screen shows where it has no room for all.
    pub(crate) screen_columns: Vec<String>,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Rows written.
    pub(crate) rows: u64,
    /// Whether [`Options::max_rows`] kept rows back.
    pub(crate) more: bool,
}

impl Summary {
    /// A line for people: `12 rows`, or `first 500 rows, there are more`.
    pub(crate) fn footer(&self) -> String {
        let rows = term::count(self.rows, "row");
        if self.more { format!("first {rows}, there are more") } else { rows }
    }
}

/// One format's way of writing rows.
trait Sink {
    /// Writes a batch, which has the schema that the sink was made with.
    fn rows(&mut self, batch: &RecordBatch) -> anyhow::Result<()>;

    /// Writes what comes after the last row, with `notes` where a person reads it as a page, and flushes.
    fn finish(&mut self, summary: &Summary, notes: &[String]) -> anyhow::Result<()>;
}

/// Writes one result.
pub(crate) struct Renderer<'a> {
    sink: Box<dyn Sink + Send + 'a>,
    schema: SchemaRef,
    max_rows: Option<u64>,
    summary: Summary,
}

impl<'a> Renderer<'a> {
    /// Begins a result with the columns of `schema`; what stands above the rows is written now.
    pub(crate) fn new(
        options: &Options,
        heading: &Heading,
        schema: &Schema,
        out: impl Write + Send + 'a,
    ) -> anyhow::Result<Self> {
        let zone = if options.format.is_data() { UTC } else { &options.zone };
        let schema = shown(schema, zone);
        let sink: Box<dyn Sink + Send + 'a> = match options.format {
            Format::Table => Box::new(table::Table::new(options, heading, &schema, out)?),
            Format::Csv => Box::new(csv::Csv::new(options, &schema, out)?),
            Format::Json => Box::new(json::Json::array(out)),
            Format::Ndjson => Box::new(json::Json::lines(out)),
            Format::Markdown => Box::new(markdown::Markdown::new(heading, &schema, out)?),
            Format::Html => Box::new(html::Html::new(heading, &schema, out)?),
            Format::Parquet => Box::new(parquet::Parquet::new(options, heading, &schema, out)?),
        };
        Ok(Self { sink, schema, max_rows: options.max_rows, summary: Summary::default() })
    }

    /// Whether the row limit is reached and another row was offered: more need not be fetched.
    pub(crate) fn is_full(&self) -> bool {
        self.summary.more
    }

    /// Writes a batch, or of it as many rows as the limit allows.
    pub(crate) fn rows(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let offered = batch.num_rows() as u64;
        let room = self.max_rows.map_or(u64::MAX, |max| max - self.summary.rows.min(max));
        let taken = offered.min(room);
        self.summary.more |= taken < offered;
        if taken == 0 {
            return Ok(());
        }
        let batch = batch.slice(0, usize::try_from(taken)?);
        self.sink.rows(&in_zone(&batch, &self.schema)?)?;
        self.summary.rows += taken;
        Ok(())
    }

    /// Writes what comes after the last row and flushes.
    pub(crate) fn finish(self) -> anyhow::Result<Summary> {
        self.finish_with(&[])
    }

    /// The same, with what is known only now: a page has it below the rows, where nothing else says it.
    pub(crate) fn finish_with(mut self, notes: &[String]) -> anyhow::Result<Summary> {
        self.sink.finish(&self.summary, notes)?;
        Ok(self.summary)
    }
}

impl fmt::Debug for Renderer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renderer").field("summary", &self.summary).finish_non_exhaustive()
    }
}

/// Writes a whole result that is in memory.
pub(crate) fn batches(
    options: &Options,
    heading: &Heading,
    schema: &Schema,
    batches: &[RecordBatch],
    out: impl Write + Send,
) -> anyhow::Result<Summary> {
    let mut renderer = Renderer::new(options, heading, schema, out)?;
    for batch in batches {
        renderer.rows(batch)?;
    }
    renderer.finish()
}

/// Writes a result as it arrives, and stops fetching at the row limit.
pub(crate) async fn stream<E>(
    options: &Options,
    heading: &Heading,
    schema: &Schema,
    mut batches: impl Stream<Item = Result<RecordBatch, E>> + Unpin,
    out: impl Write + Send,
) -> anyhow::Result<Summary>
where
    E: Into<anyhow::Error>,
{
    let mut renderer = Renderer::new(options, heading, schema, out)?;
    while let Some(batch) = batches.next().await {
        renderer.rows(&batch.map_err(Into::into)?)?;
        if renderer.is_full() {
            break;
        }
    }
    renderer.finish()
}

/// The columns as they are shown: times in `zone`, and no name twice (SQL allows `a.x, b.x`; an
/// object with the same key twice loses a value in most readers).
fn shown(schema: &Schema, zone: &str) -> SchemaRef {
    let mut names: Vec<String> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let mut name = field.name().clone();
        let mut number = 2;
        while names.contains(&name) {
            name = format!("{}_{number}", field.name());
            number += 1;
        }
        names.push(name);
    }
    let fields = schema.fields().iter().zip(names).map(|(field, name)| {
        let field = Field::clone(field).with_name(name).with_nullable(true);
        let shown_type = zoned(field.data_type(), zone);
        field.with_data_type(shown_type)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The same type with all its times in `zone`. A time without a zone is in UTC: everything in the
/// lake is.
fn zoned(data_type: &DataType, zone: &str) -> DataType {
    let inner = |field: &FieldRef| -> FieldRef {
        Arc::new(Field::clone(field).with_data_type(zoned(field.data_type(), zone)))
    };
    match data_type {
        DataType::Timestamp(unit, _) => DataType::Timestamp(*unit, Some(zone.into())),
        DataType::List(field) => DataType::List(inner(field)),
        DataType::LargeList(field) => DataType::LargeList(inner(field)),
        DataType::FixedSizeList(field, size) => DataType::FixedSizeList(inner(field), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        DataType::Map(field, sorted) => DataType::Map(inner(field), *sorted),
        other => other.clone(),
    }
}

fn in_zone(batch: &RecordBatch, schema: &SchemaRef) -> anyhow::Result<RecordBatch> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        columns.push(if column.data_type() == field.data_type() {
            Arc::clone(column)
        } else {
            // A time without a zone is in UTC; casting it to another would move it.
            cast(&cast(column, &zoned(column.data_type(), UTC))?, field.data_type())?
        });
    }
    let rows = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows)?)
}
