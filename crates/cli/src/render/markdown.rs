//! A Markdown table, as GitHub and most others read it.
//!
//! Values are text, never markup: what could become a link, an image, emphasis, HTML or a new
//! column is escaped. Rows are written as they come, so columns are not padded.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::cell::{self, Values};
use super::{Heading, Sink, Summary};
use crate::{clock, term};

pub(super) struct Markdown<W> {
    out: W,
}

impl<W: Write> Markdown<W> {
    pub(super) fn new(heading: &Heading, schema: &Schema, mut out: W) -> anyhow::Result<Self> {
        let mut top = String::new();
        if let Some(title) = &heading.title {
            top.push_str(&format!("# {}\n\n", escape(title)));
        }
        if let Some(subtitle) = &heading.subtitle {
            top.push_str(&format!("{}\n\n", escape(subtitle)));
        }
        for (name, value) in &heading.parameters {
            top.push_str(&format!("- {}: {}\n", escape(name), escape(value)));
        }
        if let Some(micros) = heading.generated_micros {
            top.push_str(&format!("- generated: {}\n", clock::format_time(micros)));
        }
        for note in &heading.notes {
            top.push_str(&format!("- note: {}\n", escape(note)));
        }
        if !top.is_empty() && !top.ends_with("\n\n") {
            top.push('\n');
        }
        let columns = schema.fields();
        for field in columns {
            top.push_str(&format!("| {} ", escape(field.name())));
        }
        top.push_str("|\n");
        for field in columns {
            let is_number = cell::is_number(field.data_type());
            top.push_str(if is_number { "| ---: " } else { "| --- " });
        }
        top.push_str("|\n");
        out.write_all(top.as_bytes())?;
        Ok(Self { out })
    }
}

impl<W: Write> Sink for Markdown<W> {
    fn rows(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|array| Values::for_people(array))
            .collect::<Result<_, _>>()?;
        let (mut value, mut line) = (String::new(), String::new());
        for row in 0..batch.num_rows() {
            line.clear();
            for column in &columns {
                value.clear();
                column.write(row, &mut value)?;
                line.push_str("| ");
                line.push_str(&escape(&value));
                line.push(' ');
            }
            line.push_str("|\n");
            self.out.write_all(line.as_bytes())?;
        }
        Ok(())
    }

    fn finish(&mut self, summary: &Summary, notes: &[String]) -> anyhow::Result<()> {
        writeln!(self.out, "\n{}", summary.footer())?;
        for note in notes {
            writeln!(self.out, "\n{}", escape(note))?;
        }
        Ok(self.out.flush()?)
    }
}

/// Text as Markdown that shows exactly that text.
fn escape(text: &str) -> String {
    let text = term::visible(text);
    let mut out = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' | '$' | '#' => out.extend(['\\', c]),
            // Inside a word an underscore is no emphasis, and role names are full of them.
            '_' => {
                let within = before.is_alphanumeric()
                    && rest.peek().is_some_and(|after| after.is_alphanumeric());
                out.push_str(if within { "_" } else { "\\_" });
            }
            // A bare address would become a link.
            ':' if rest.peek() == Some(&'/') => out.push_str("&#58;"),
            _ => out.push(c),
        }
        before = c;
    }
    out
}
