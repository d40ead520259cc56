//! Reads columns of a query's batch by name and row.

use arrow::array::RecordBatch;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::{DataFusionError, Result};

use super::names::{Name, Names};

/// The columns of one batch.
pub(super) struct Columns<'a> {
    batch: &'a RecordBatch,
}

/// A text column.
pub(super) struct Text(ArrayRef);

/// A column of integers or of microseconds.
pub(super) struct Number(ArrayRef);

/// A column of flags.
pub(super) struct Flag(BooleanArray);

/// A column of lists of text.
pub(super) struct TextList(ArrayRef);

impl<'a> Columns<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> Self {
        Self { batch }
    }

    pub(super) fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    pub(super) fn text(&self, name: &str) -> Result<Text> {
        Ok(Text(cast(self.column(name)?, &DataType::Utf8)?))
    }

    pub(super) fn number(&self, name: &str) -> Result<Number> {
        Ok(Number(cast(self.column(name)?, &DataType::Int64)?))
    }

    pub(super) fn flag(&self, name: &str) -> Result<Flag> {
        let column = self.column(name)?;
        let flags = column.as_boolean_opt().cloned();
        flags
            .map(Flag)
            .ok_or_else(|| DataFusionError::Internal(format!("column {name} is no flag")))
    }

    pub(super) fn text_list(&self, name: &str) -> Result<TextList> {
        let column = self.column(name)?;
        if column.as_list_opt::<i32>().is_none() {
            return Err(DataFusionError::Internal(format!("column {name} is no list")));
        }
        Ok(TextList(ArrayRef::clone(column)))
    }

    fn column(&self, name: &str) -> Result<&ArrayRef> {
        let missing = || DataFusionError::Internal(format!("sessions: no column {name}"));
        self.batch.column_by_name(name).ok_or_else(missing)
    }
}

impl Text {
    pub(super) fn get(&self, row: usize) -> Option<&str> {
        let texts = self.0.as_string::<i32>();
        (!texts.is_null(row)).then(|| texts.value(row))
    }

    pub(super) fn name(&self, row: usize, names: &mut Names) -> Option<Name> {
        self.get(row).map(|text| names.intern(text))
    }
}

impl Flag {
    /// Whether the flag is known and set.
    pub(super) fn get(&self, row: usize) -> bool {
        !self.0.is_null(row) && self.0.value(row)
    }
}

impl Number {
    pub(super) fn get(&self, row: usize) -> Option<i64> {
        let numbers = self.0.as_primitive::<Int64Type>();
        (!numbers.is_null(row)).then(|| numbers.value(row))
    }
}

impl TextList {
    pub(super) fn names(&self, row: usize, names: &mut Names) -> Result<Vec<Name>> {
        let lists = self.0.as_list::<i32>();
        if lists.is_null(row) {
            return Ok(Vec::new());
        }
        let texts = Text(cast(&lists.value(row), &DataType::Utf8)?);
        Ok((0..texts.0.len()).filter_map(|at| texts.name(at, names)).collect())
    }
}
