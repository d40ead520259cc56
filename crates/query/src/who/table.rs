//! A query's few rows as text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::scalar::ScalarValue;

use super::WhoTable;
use crate::{QueryError, Session, Values};

/// Rows of text; nulls are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Values for a query's placeholders.
pub(super) fn values<const N: usize>(pairs: [(&str, ScalarValue); N]) -> Values {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Session {
    /// Runs one of our own short queries.
    pub(super) async fn rows(&self, query: &str, values: &Values) -> Result<Rows, QueryError> {
        let rows = self.sql(query, values).await?;
        let columns = rows.schema.fields().iter().map(|field| field.name().clone()).collect();
        let mut table = Rows { columns, rows: Vec::new() };
        for batch in rows.collect().await? {
            table.push(&batch)?;
        }
        Ok(table)
    }
}

impl Rows {
    fn push(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        let columns = batch.columns().iter().map(texts).collect::<Result<Vec<_>, _>>()?;
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

    /// The cell, empty where there is none.
    pub(super) fn cell(&self, row: usize, column: &str) -> &str {
        let at = self.columns.iter().position(|name| name == column);
        let cell = at.and_then(|at| self.rows.get(row)?.get(at));
        cell.map_or("", String::as_str)
    }

    /// The cell as a number, 0 where it is none.
    pub(super) fn number(&self, row: usize, column: &str) -> i64 {
        self.cell(row, column).parse().unwrap_or_default()
    }

    /// The rows without one column.
    pub(super) fn without(mut self, column: &str) -> Self {
        if let Some(at) = self.columns.iter().position(|name| name == column) {
            self.columns.remove(at);
            self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
        self
    }

    /// A column's cells.
    pub(super) fn column<'a>(&'a self, column: &'a str) -> impl Iterator<Item = &'a str> {
        (0..self.len()).map(move |row| self.cell(row, column))
    }

    /// As a table of an answer: column names become titles, columns without any value go.
    pub(super) fn titled(self, title: &str) -> WhoTable {
        let filled = |at: &usize| self.rows.iter().any(|row| !row[*at].is_empty());
        let kept: Vec<_> = (0..self.columns.len()).filter(filled).collect();
        WhoTable {
            title: title.to_owned(),
            columns: kept.iter().map(|at| self.columns[*at].replace('_', " ")).collect(),
            rows: self
                .rows
                .iter()
                .map(|row| kept.iter().map(|at| row[*at].clone()).collect())
                .collect(),
        }
    }
}

/// A column as text: times to the second, lists joined.
fn texts(column: &ArrayRef) -> Result<Vec<String>, QueryError> {
    if let DataType::List(_) = column.data_type() {
        let lists = column.as_list::<i32>();
        let joined = (0..lists.len()).map(|row| {
            if lists.is_null(row) {
                return Ok(String::new());
            }
            Ok(texts(&Arc::clone(&lists.value(row)))?.join(", "))
        });
        return joined.collect();
    }
    let options =
        FormatOptions::new().with_null("").with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S"));
    let bug = |error: arrow::error::ArrowError| QueryError::Bug(error.to_string());
    let formatter = ArrayFormatter::try_new(column, &options).map_err(bug)?;
    (0..column.len()).map(|row| formatter.value(row).try_to_string().map_err(bug)).collect()
}
