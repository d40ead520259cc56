//! Values of a report's rows as text, numbers and lists, whatever Arrow type the query gave them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// Each value as text, in the form that programs get; `None` for null.
pub(super) fn texts(array: &dyn Array) -> Result<Vec<Option<String>>, ArrowError> {
    let formatter = ArrayFormatter::try_new(array, &FormatOptions::new())?;
    let nulls = array.logical_nulls();
    let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    Ok((0..array.len())
        .map(|row| (!is_null(row)).then(|| formatter.value(row).to_string()))
        .collect())
}

/// Each value as a number; `None` for null, and for all of a column that holds none.
pub(super) fn numbers(array: &ArrayRef) -> Vec<Option<f64>> {
    match cast(array, &DataType::Float64) {
        Ok(array) => array.as_primitive::<Float64Type>().iter().collect(),
        Err(_) => vec![None; array.len()],
    }
}

/// Each list of text; empty for null, and for all of a column that holds no lists.
pub(super) fn lists(array: &ArrayRef) -> Result<Vec<Vec<String>>, ArrowError> {
    let Some(lists) = array.as_list_opt::<i32>() else {
        return Ok(vec![Vec::new(); array.len()]);
    };
    let list = |list: Option<ArrayRef>| -> Result<Vec<String>, ArrowError> {
        let texts = list.map(|list| texts(&list)).transpose()?;
        Ok(texts.into_iter().flatten().flatten().collect())
    };
    lists.iter().map(list).collect()
}

/// Each map of text; empty for null, and for all of a column that holds no maps.
pub(super) fn maps(array: &ArrayRef) -> Result<Vec<Vec<(String, String)>>, ArrowError> {
    let Some(maps) = array.as_map_opt() else {
        return Ok(vec![Vec::new(); array.len()]);
    };
    let map =
        |map: Option<arrow::array::StructArray>| -> Result<Vec<(String, String)>, ArrowError> {
            let Some(map) = map else { return Ok(Vec::new()) };
            let (names, values) = (texts(map.column(0))?, texts(map.column(1))?);
            let pairs = names.into_iter().zip(values);
            Ok(pairs.filter_map(|(name, value)| Some((name?, value.unwrap_or_default()))).collect())
        };
    maps.iter().map(map).collect()
}

/// The column of that name.
pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a ArrayRef> {
    batch.schema_ref().index_of(name).ok().map(|index| batch.column(index))
}

/// The column as another type; nulls where it cannot be.
pub(super) fn as_type(array: Option<ArrayRef>, wanted: &DataType, rows: usize) -> ArrayRef {
    match array {
        Some(array) if array.data_type() == wanted => array,
        Some(array) => {
            cast(&array, wanted).unwrap_or_else(|_| arrow::array::new_null_array(wanted, rows))
        }
        None => arrow::array::new_null_array(wanted, rows),
    }
}

/// Texts as a column.
pub(super) fn text_column(texts: impl IntoIterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(texts.into_iter().collect::<arrow::array::StringArray>())
}
