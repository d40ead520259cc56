//! A query's few rows as text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::scalar::ScalarValue;
use futures::StreamExt as _;

use super::WhoTable;
use crate::{QueryError, Session, Values};

/// The zone of the tables.
pub(super) const UTC: &str = "UTC";

/// Rows that a table of an answer shows; it says how many there are more.
pub(super) const SHOWN: usize = 8;

/// Rows of text; nulls are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
    /// Further rows that were counted and not kept.
    more: usize,
}

/// A value as text, and the texts of a list one by one: what they hold may look like a separator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cell {
    text: String,
    items: Vec<String>,
}

/// Values for a query's placeholders.
pub(super) fn values<const N: usize>(pairs: [(&str, ScalarValue); N]) -> Values {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A session that short questions are put to, and the zone in which people read its times.
pub(super) struct Asked<'s> {
    session: &'s Session,
    zone: Arc<str>,
}

impl std::ops::Deref for Asked<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session
    }
}

impl<'s> Asked<'s> {
    pub(super) fn new(session: &'s Session, zone: &str) -> Self {
        Self { session, zone: zone.into() }
    }

    /// Runs one of our own short queries.
    pub(super) async fn rows(&self, query: &str, values: &Values) -> Result<Rows, QueryError> {
        self.read(self.sql(query, values).await?).await
    }

    /// All rows of a query or a report.
    pub(super) async fn read(&self, rows: crate::Rows) -> Result<Rows, QueryError> {
        Rows::read(rows, usize::MAX, &self.zone).await
    }

    /// The first `most` rows of one of our own short queries, and how many there are more.
    pub(super) async fn first(
        &self,
        most: usize,
        query: &str,
        values: &Values,
    ) -> Result<Rows, QueryError> {
        Rows::read(self.sql(query, values).await?, most, &self.zone).await
    }
}

impl Rows {
    /// The first `most` rows of a query or a report, with times in `zone`.
    async fn read(mut rows: crate::Rows, most: usize, zone: &str) -> Result<Self, QueryError> {
        let columns = rows.schema.fields().iter().map(|field| field.name().clone()).collect();
        let mut table = Self { columns, rows: Vec::new(), more: 0 };
        while let Some(batch) = rows.stream.next().await {
            let batch = batch?;
            let kept = batch.num_rows().min(most - table.rows.len());
            table.more += batch.num_rows() - kept;
            table.push(&batch.slice(0, kept), zone)?;
        }
        Ok(table)
    }

    fn push(&mut self, batch: &RecordBatch, zone: &str) -> Result<(), QueryError> {
        let columns = batch.columns().iter().map(|column| cells(column, zone));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            self.rows.push(columns.iter().map(|column| column[row].clone()).collect());
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many there are, with those that were not kept.
    pub(super) fn all(&self) -> usize {
        self.rows.len() + self.more
    }

    fn at(&self, row: usize, column: &str) -> Option<&Cell> {
        let at = self.columns.iter().position(|name| name == column)?;
        self.rows.get(row)?.get(at)
    }

    /// The cell, empty where there is none.
    pub(super) fn cell(&self, row: usize, column: &str) -> &str {
        self.at(row, column).map_or("", |cell| cell.text.as_str())
    }

    /// What a list holds.
    pub(super) fn list(&self, row: usize, column: &str) -> &[String] {
        self.at(row, column).map_or(&[], |cell| cell.items.as_slice())
    }

    /// The cell as a number, 0 where it is none.
    pub(super) fn number(&self, row: usize, column: &str) -> i64 {
        self.cell(row, column).parse().unwrap_or_default()
    }

    /// A column's cells.
    pub(super) fn column<'a>(&'a self, column: &'a str) -> impl Iterator<Item = &'a str> {
        (0..self.len()).map(move |row| self.cell(row, column))
    }

    /// The same without a column.
    pub(super) fn without(mut self, column: &str) -> Self {
        if let Some(at) = self.columns.iter().position(|name| name == column) {
            self.columns.remove(at);
            for row in &mut self.rows {
                row.remove(at);
            }
        }
        self
    }

    /// As a table of an answer: column names become titles, columns without any value go.
    pub(super) fn titled(self, title: &str) -> WhoTable {
        let filled = |at: &usize| self.rows.iter().any(|row| !row[*at].text.is_empty());
        let kept: Vec<_> = (0..self.columns.len()).filter(filled).collect();
        WhoTable {
            title: title.to_owned(),
            columns: kept.iter().map(|at| self.columns[*at].replace('_', " ")).collect(),
            rows: self
                .rows
                .iter()
                .map(|row| kept.iter().map(|at| row[*at].text.clone()).collect())
                .collect(),
            more: self.more,
        }
    }
}

/// A column as text: times to the second in `zone`, lists joined.
fn cells(column: &ArrayRef, zone: &str) -> Result<Vec<Cell>, QueryError> {
    if let DataType::List(_) = column.data_type() {
        let lists = column.as_list::<i32>();
        let joined = (0..lists.len()).map(|row| {
            if lists.is_null(row) {
                return Ok(Cell::default());
            }
            let items = cells(&Arc::clone(&lists.value(row)), zone)?;
            let items: Vec<String> = items.into_iter().map(|cell| cell.text).collect();
            Ok(Cell { text: items.join(", "), items })
        });
        return joined.collect();
    }
    let bug = |error: arrow::error::ArrowError| QueryError::Bug(error.to_string());
    let (column, form) = match column.data_type() {
        DataType::Timestamp(unit, Some(_)) if zone != UTC => {
            let zoned = DataType::Timestamp(*unit, Some(zone.into()));
            (&arrow::compute::cast(column, &zoned).map_err(bug)?, "%Y-%m-%d %H:%M:%S%:z")
        }
        _ => (column, "%Y-%m-%d %H:%M:%SZ"),
    };
    let options = FormatOptions::new().with_null("").with_timestamp_tz_format(Some(form));
    let formatter = ArrayFormatter::try_new(column, &options).map_err(bug)?;
    let text = |row| formatter.value(row).try_to_string().map_err(bug);
    (0..column.len()).map(|row| Ok(Cell { text: text(row)?, items: Vec::new() })).collect()
}
