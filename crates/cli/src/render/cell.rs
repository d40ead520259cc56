//! One value as text: what the formats for people and CSV share.

use std::ops::Range;

use arrow::array::{Array, AsArray, MapArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::fmt::Write as _;

/// For people: `2026-01-05 07:12:03Z`. The renderer has put all times into UTC.
const PEOPLE: FormatOptions<'static> =
    FormatOptions::new().with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.fZ")).with_null("null");

/// For people who asked for another zone: `2026-01-05 08:12:03+01:00`.
const PEOPLE_ELSEWHERE: FormatOptions<'static> = FormatOptions::new()
    .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f%:z"))
    .with_null("null");

/// For programs: arrow's own forms, which for times are RFC 3339.
const PROGRAMS: FormatOptions<'static> = FormatOptions::new().with_null("null");

/// Writes the values of one column; nulls as nothing.
pub(super) struct Values<'a> {
    nulls: Option<NullBuffer>,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Plain(ArrayFormatter<'a>),
    /// `a, b`
    List(Box<dyn Fn(usize) -> Range<usize> + 'a>, Box<Values<'a>>),
    /// `k=v, l=w`
    Map(&'a MapArray, Box<Values<'a>>, Box<Values<'a>>),
}

impl<'a> Values<'a> {
    /// As people read them: lists and maps without brackets.
    pub(super) fn for_people(array: &'a dyn Array) -> Result<Self, ArrowError> {
        let kind = match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let offsets = list.value_offsets();
                let range = |row: usize| offset(offsets, row)..offset(offsets, row + 1);
                Kind::List(Box::new(range), Box::new(Self::for_people(list.values())?))
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                let offsets = list.value_offsets();
                let range = |row: usize| offset(offsets, row)..offset(offsets, row + 1);
                Kind::List(Box::new(range), Box::new(Self::for_people(list.values())?))
            }
            DataType::Map(_, _) => {
                let map = array.as_map();
                let keys = Box::new(Self::for_people(map.keys())?);
                let values = Box::new(Self::for_people(map.values())?);
                Kind::Map(map, keys, values)
            }
            DataType::Timestamp(_, Some(zone)) if &**zone != super::UTC => {
                Kind::Plain(ArrayFormatter::try_new(array, &PEOPLE_ELSEWHERE)?)
            }
            _ => Kind::Plain(ArrayFormatter::try_new(array, &PEOPLE)?),
        };
        Ok(Self { nulls: array.logical_nulls(), kind })
    }

    /// As programs read them, for columns that are not nested.
    pub(super) fn for_programs(array: &'a dyn Array) -> Result<Self, ArrowError> {
        let kind = Kind::Plain(ArrayFormatter::try_new(array, &PROGRAMS)?);
        Ok(Self { nulls: array.logical_nulls(), kind })
    }

    /// Whether the value in that row is null.
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends the value of that row.
    pub(super) fn write(&self, row: usize, out: &mut String) -> Result<(), ArrowError> {
        if self.is_null(row) {
            return Ok(());
        }
        match &self.kind {
            Kind::Plain(formatter) => {
                let value = formatter.value(row);
                write!(out, "{value}").map_err(|_| unprintable(row))?;
            }
            Kind::List(range, values) => {
                for (position, index) in range(row).enumerate() {
                    separate(position, out);
                    values.write_element(index, out)?;
                }
            }
            Kind::Map(map, keys, values) => {
                let offsets = map.value_offsets();
                for (position, index) in
                    (offset(offsets, row)..offset(offsets, row + 1)).enumerate()
                {
                    separate(position, out);
                    keys.write_element(index, out)?;
                    out.push('=');
                    values.write_element(index, out)?;
                }
            }
        }
        Ok(())
    }

    fn write_element(&self, index: usize, out: &mut String) -> Result<(), ArrowError> {
        if self.is_null(index) {
            out.push_str("null");
            return Ok(());
        }
        self.write(index, out)
    }
}

fn unprintable(row: usize) -> ArrowError {
    ArrowError::CastError(format!("the value in row {row} of a batch cannot be printed"))
}

fn separate(position: usize, out: &mut String) {
    if position > 0 {
        out.push_str(", ");
    }
}

/// Arrow keeps offsets as signed numbers that are never negative.
fn offset<T: Copy + TryInto<usize>>(offsets: &[T], index: usize) -> usize {
    offsets.get(index).and_then(|offset| (*offset).try_into().ok()).unwrap_or_default()
}

/// Whether a column holds numbers, to be aligned to the right.
pub(super) fn is_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_number(values),
        other => other.is_numeric(),
    }
}

/// Whether a column can hold text that someone outside has chosen.
pub(super) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        DataType::Boolean | DataType::Null => false,
        other => !other.is_numeric() && !other.is_temporal(),
    }
}
