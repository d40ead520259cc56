//! Comma-separated values, safe to open in a spreadsheet.
//!
//! A text that a spreadsheet would run as a formula gets a leading `'`. Lists and maps are JSON
//! text in their cell, times RFC 3339, nulls empty. Numbers are left alone, their signs too.

use std::borrow::Cow;
use std::io::Write;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};

use super::cell::{self, Values};
use super::{Options, Sink, Summary, json};
use crate::term;

pub(super) struct Csv<W: Write> {
    writer: csv::Writer<W>,
    terminal: bool,
}

enum Cells<'a> {
    Plain { values: Values<'a>, is_text: bool },
    Nested(NullableEncoder<'a>),
}

impl<W: Write> Csv<W> {
    pub(super) fn new(options: &Options, schema: &Schema, out: W) -> anyhow::Result<Self> {
        let writer = csv::WriterBuilder::new().flexible(true).from_writer(out);
        let mut this = Self { writer, terminal: options.screen.terminal };
        for field in schema.fields() {
            this.field(field.name(), true)?;
        }
        this.end_of_row()?;
        Ok(this)
    }

    fn field(&mut self, text: &str, is_text: bool) -> anyhow::Result<()> {
        let text = if is_text { defuse(text) } else { Cow::Borrowed(text) };
        // In a file the text is kept as it is; on a terminal nothing may act.
        let text = if self.terminal { term::visible(&text) } else { Cow::Borrowed(&*text) };
        self.writer.write_field(text.as_bytes()).map_err(to_io)?;
        Ok(())
    }

    fn end_of_row(&mut self) -> anyhow::Result<()> {
        self.writer.write_record(None::<&[u8]>).map_err(to_io)?;
        Ok(())
    }
}

impl<W: Write> Sink for Csv<W> {
    fn rows(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let encoding = EncoderOptions::default().with_explicit_nulls(true);
        let schema = batch.schema();
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (array, field) in batch.columns().iter().zip(schema.fields()) {
            columns.push(if is_nested(array.data_type()) {
                Cells::Nested(make_encoder(field, array, &encoding)?)
            } else {
                let is_text = cell::is_text(array.data_type());
                Cells::Plain { values: Values::for_programs(array)?, is_text }
            });
        }
        let (mut text, mut bytes) = (String::new(), Vec::new());
        for row in 0..batch.num_rows() {
            for column in &mut columns {
                text.clear();
                let is_text = match column {
                    Cells::Plain { values, is_text } => {
                        values.write(row, &mut text)?;
                        *is_text
                    }
                    Cells::Nested(encoder) if encoder.is_null(row) => true,
                    Cells::Nested(encoder) => {
                        bytes.clear();
                        encoder.encode(row, &mut bytes);
                        json::escape_acting(std::str::from_utf8(&bytes)?, &mut text);
                        true
                    }
                };
                self.field(&text, is_text)?;
            }
            self.end_of_row()?;
        }
        Ok(())
    }

    fn finish(&mut self, _: &Summary, _: &[String]) -> anyhow::Result<()> {
        Ok(self.writer.flush()?)
    }
}

/// The csv crate wraps the error of our writer; the caller looks for the one inside.
fn to_io(error: csv::Error) -> std::io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => std::io::Error::other(format!("{other:?}")),
    }
}

fn is_nested(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_nested(values),
        other => other.is_nested(),
    }
}

/// Puts a `'` before a text that a spreadsheet would run, looking past blanks, which some trim.
/// The full-width forms count: several spreadsheets fold them.
/// <https://owasp.org/www-community/attacks/CSV_Injection>
fn defuse(text: &str) -> Cow<'_, str> {
    let starts_a_formula = |c: char| {
        matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n')
            || matches!(c, '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
    };
    let seen = text.trim_start_matches([' ', '\u{a0}', '\0', '\u{feff}']);
    if seen.starts_with(starts_a_formula) { format!("'{text}").into() } else { text.into() }
}
