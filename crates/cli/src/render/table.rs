//! Aligned columns for people.
//!
//! On a terminal the columns are fitted to its width: long cells wrap, up to
//! [`MAX_CELL_LINES`]. Where even that leaves no readable columns, only those are shown that the heading
//! calls the first to look at, and the rest is counted below; without such, or where not even they fit, each
//! row becomes a block of `name  value` lines. In a file nothing is cut, wrapped or left out.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use comfy_table::{
    Cell, CellAlignment, ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, Row,
    TableStyle, Width,
};

use super::cell::{self, Values};
use super::{Heading, Layout, Options, Sink, Summary, TABLE_CHUNK_ROWS};
use crate::term::{self, Ink, Screen};

/// A wrapped cell shows so many lines and then an ellipsis.
const MAX_CELL_LINES: usize = 6;
/// Narrower than this no column is made by wrapping.
const MIN_WRAPPED: usize = 18;
/// With fewer of the columns to look at first, a row says too little to be worth a table.
const LEAST_COLUMNS: usize = 4;
/// Without a screen, a column wider than this would pad every row to its width.
const MAX_UNWRAPPED: usize = 2_000;
/// Text held before a chunk is written, whatever its number of rows.
const CHUNK_BYTES: usize = 16 << 20;
/// Between two columns.
const GAP: usize = 2;

pub(super) struct Table<W> {
    out: W,
    screen: Screen,
    layout: Layout,
    columns: Vec<Column>,
    /// Those that a screen without room for all is to show, by position; empty where nobody says.
    first: Vec<usize>,
    /// Columns that were left out.
    hidden: usize,
    rows: Vec<Vec<String>>,
    bytes: usize,
    /// Rows of earlier chunks.
    written: usize,
}

struct Column {
    name: String,
    is_number: bool,
}

impl<W: Write> Table<W> {
    pub(super) fn new(
        options: &Options,
        heading: &Heading,
        schema: &Schema,
        mut out: W,
    ) -> anyhow::Result<Self> {
        let screen = options.screen;
        if screen.terminal {
            write_heading(&screen, heading, &mut out)?;
        }
        let columns = schema.fields().iter().map(|field| Column {
            name: term::visible(field.name()).into_owned(),
            is_number: cell::is_number(field.data_type()),
        });
        let place = |name: &String| schema.index_of(name).ok();
        Ok(Self {
            out,
            screen,
            layout: options.layout,
            columns: columns.collect(),
            first: heading.screen_columns.iter().filter_map(place).collect(),
            hidden: 0,
            rows: Vec::new(),
            bytes: 0,
            written: 0,
        })
    }

    fn write_chunk(&mut self) -> anyhow::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let all: Vec<usize> = (0..self.columns.len()).collect();
        if let Some(widths) = self.fit(&rows, &all) {
            self.write_columns(&rows, &all, &widths)?;
        } else if let Some((first, widths)) = self.fit_some(&rows) {
            self.hidden = all.len() - first.len();
            self.write_columns(&rows, &first, &widths)?;
        } else {
            self.write_records(&rows)?;
        }
        self.written += rows.len();
        Ok(())
    }

    /// As many of the columns to look at first as there is room for, from the left, and their widths.
    fn fit_some(&self, rows: &[Vec<String>]) -> Option<(Vec<usize>, Vec<usize>)> {
        let least = self.first.len().clamp(1, LEAST_COLUMNS);
        (least..=self.first.len()).rev().find_map(|count| {
            let columns = &self.first[..count];
            self.fit(rows, columns).map(|widths| (columns.to_vec(), widths))
        })
    }

    /// The width of each of `columns`, or nothing when the rows are better shown otherwise.
    fn fit(&self, rows: &[Vec<String>], columns: &[usize]) -> Option<Vec<usize>> {
        let names = columns.iter().map(|column| term::width(&self.columns[*column].name));
        let mut natural: Vec<_> = names.clone().collect();
        for row in rows {
            for (widest, column) in natural.iter_mut().zip(columns) {
                *widest = (*widest).max(term::width(&row[*column]));
            }
        }
        match (self.layout, self.screen.width) {
            (Layout::Records, _) => None,
            (Layout::Auto, None) => {
                natural.iter().all(|width| *width <= MAX_UNWRAPPED).then_some(natural)
            }
            (Layout::Auto, Some(screen)) => {
                let gaps = GAP * natural.len().saturating_sub(1);
                let room = screen.saturating_sub(gaps);
                let least: Vec<_> = names
                    .zip(&natural)
                    .map(|(name, natural)| name.max(MIN_WRAPPED.min(*natural)))
                    .collect();
                if least.iter().sum::<usize>() > room {
                    return None;
                }
                Some(share(room, &natural, &least))
            }
        }
    }

    fn write_columns(
        &mut self,
        rows: &[Vec<String>],
        columns: &[usize],
        widths: &[usize],
    ) -> anyhow::Result<()> {
        let too_wide = |row: &Vec<String>| {
            columns.iter().zip(widths).any(|(column, width)| term::width(&row[*column]) > *width)
        };
        let wraps = rows.iter().any(too_wide);
        let mut table = comfy_table::Table::new();
        table
            .load_style(style(wraps))
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_truncation_indicator("…")
            .set_header(columns.iter().map(|column| Cell::new(&self.columns[*column].name)));
        for row in rows {
            let mut row = Row::from(columns.iter().map(|column| Cell::new(&row[*column])));
            row.max_height(MAX_CELL_LINES);
            table.add_row(row);
        }
        let last = widths.len().saturating_sub(1);
        for (index, (width, column)) in widths.iter().zip(columns).enumerate() {
            let gap = if index == last { 0 } else { u16::try_from(GAP)? };
            let total = u16::try_from(*width)?.saturating_add(gap);
            if let Some(shown) = table.column_mut(index) {
                shown
                    .set_padding((0, gap))
                    .set_constraint(ColumnConstraint::Absolute(Width::Fixed(total)));
                if self.columns[*column].is_number {
                    shown.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        if self.written > 0 {
            writeln!(self.out)?;
        }
        let mut is_header = true;
        for line in table.lines() {
            let line = line.trim_end();
            is_header &= !line.starts_with('─');
            let ink = if is_header { Ink::Bold } else { Ink::Dim };
            if is_header || line.starts_with(['─', '╌']) {
                writeln!(self.out, "{}", self.screen.paint(ink, line))?;
            } else {
                writeln!(self.out, "{line}")?;
            }
        }
        Ok(())
    }

    fn write_records(&mut self, rows: &[Vec<String>]) -> anyhow::Result<()> {
        for (index, row) in rows.iter().enumerate() {
            let number = format!("── {} ──", term::grouped((self.written + index + 1) as u64));
            writeln!(self.out, "{}", self.screen.paint(Ink::Dim, &number))?;
            let entries = self.columns.iter().zip(row);
            let entries = entries.map(|(column, value)| (column.name.as_str(), value.as_str()));
            let text = match self.screen.width {
                Some(_) => term::labelled(&self.screen, 0, entries),
                None => {
                    term::labelled(&Screen { width: Some(usize::MAX), ..self.screen }, 0, entries)
                }
            };
            self.out.write_all(text.as_bytes())?;
        }
        Ok(())
    }
}

impl<W: Write> Sink for Table<W> {
    fn rows(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|array| Values::for_people(array))
            .collect::<Result<_, _>>()?;
        let mut value = String::new();
        for row in 0..batch.num_rows() {
            let mut cells = Vec::with_capacity(columns.len());
            for column in &columns {
                value.clear();
                column.write(row, &mut value)?;
                let shown = term::visible(&value);
                self.bytes += shown.len();
                cells.push(shown.into_owned());
            }
            self.rows.push(cells);
            if self.rows.len() >= TABLE_CHUNK_ROWS || self.bytes >= CHUNK_BYTES {
                self.write_chunk()?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: &Summary, _: &[String]) -> anyhow::Result<()> {
        // The header of an empty table still says which columns there are.
        if !self.columns.is_empty() && (self.written == 0 || !self.rows.is_empty()) {
            self.write_chunk()?;
        }
        if self.hidden > 0 {
            let columns = if self.hidden == 1 { "column" } else { "columns" };
            let words = format!(
                "{} more {columns} have no room here: --format csv, json or html has them all",
                self.hidden
            );
            writeln!(self.out, "\n{}", self.screen.paint(Ink::Dim, &words))?;
        }
        Ok(self.out.flush()?)
    }
}

fn write_heading(screen: &Screen, heading: &Heading, out: &mut impl Write) -> anyhow::Result<()> {
    if let Some(title) = &heading.title {
        writeln!(out, "{}", screen.paint(Ink::Bold, &term::visible(title)))?;
    }
    let parameters: Vec<_> =
        heading.parameters.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let lines = [heading.subtitle.clone().unwrap_or_default(), parameters.join(", ")];
    let lines = lines.iter().chain(&heading.notes).filter(|line| !line.is_empty());
    for line in lines {
        let line = term::wrap(&term::visible(line), screen.reading_width(), "", "  ");
        writeln!(out, "{}", screen.paint(Ink::Dim, &line))?;
    }
    if heading.title.is_some() {
        writeln!(out)?;
    }
    Ok(())
}

/// No frame, a line under the header, and lines between rows only where rows take several lines.
fn style(wraps: bool) -> TableStyle {
    let style = TableStyle::new()
        .header_lines(ContentLineStyle::none())
        .header_separator(LineStyle::none().fill('─'));
    if wraps { style.row_separator(LineStyle::none().fill('╌')) } else { style }
}

/// Gives every column what it needs, as far as there is room, and lets the widest ones share what
/// is left: no column gets less than `least`, none more than `natural`.
fn share(room: usize, natural: &[usize], least: &[usize]) -> Vec<usize> {
    let at = |level: usize| -> Vec<usize> {
        let columns = natural.iter().zip(least);
        columns.map(|(natural, least)| level.min(*natural).max(*least)).collect()
    };
    let fits = |widths: &[usize]| widths.iter().sum::<usize>() <= room;
    let highest = natural.iter().copied().max().unwrap_or(0);
    // The largest level that fits; at level 0 every column has its least.
    let (mut low, mut high) = (0, highest);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(&at(middle)) { low = middle } else { high = middle - 1 }
    }
    let mut widths = at(low);
    let mut spare = room.saturating_sub(widths.iter().sum());
    for (width, natural) in widths.iter_mut().zip(natural) {
        if spare > 0 && *width < *natural {
            *width += 1;
            spare -= 1;
        }
    }
    widths
}
