//! `off_hours(time, zone)`: whether people who live in a zone are asleep then, or have their weekend.
//!
//! From 21 to 5 o'clock, Saturdays and Sundays. Knows no holidays, and nobody's own hours.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, Timelike, Weekday};
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};

/// The function; see the module.
pub(super) fn function() -> ScalarUDF {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    create_udf(
        "off_hours",
        vec![time, DataType::Utf8],
        DataType::Boolean,
        Volatility::Immutable,
        Arc::new(apply),
    )
}

fn apply(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let arrays = ColumnarValue::values_to_arrays(arguments)?;
    let zones = cast(&arrays[1], &DataType::Utf8)?;
    let mut zone: Option<(&str, Tz)> = None;
    let mut last: Option<(i64, &str, bool)> = None;
    let mut off = Vec::with_capacity(arrays[0].len());
    let times = arrays[0].as_primitive::<TimestampMicrosecondType>();
    for (time, name) in times.iter().zip(zones.as_string::<i32>()) {
        let (Some(time), Some(name)) = (time, name) else {
            off.push(None);
            continue;
        };
        // Neighbouring rows are often of one hour.
        if let Some((_, _, known)) = last.filter(|(at, of, _)| *at == time && *of == name) {
            off.push(Some(known));
            continue;
        }
        let tz = match zone {
            Some((known, tz)) if known == name => tz,
            _ => match name.parse::<Tz>() {
                Ok(tz) => tz,
                Err(_) => {
                    return exec_err!(
                        "off_hours: '{name}' is no time zone such as UTC or Europe/Berlin"
                    );
                }
            },
        };
        zone = Some((name, tz));
        let found = is_off(time, tz);
        last = found.map(|found| (time, name, found));
        off.push(found);
    }
    super::same_shape(arguments, Arc::new(BooleanArray::from(off)))
}

fn is_off(micros: i64, zone: Tz) -> Option<bool> {
    let time = DateTime::from_timestamp_micros(micros)?.with_timezone(&zone);
    let weekend = matches!(time.weekday(), Weekday::Sat | Weekday::Sun);
    Some(weekend || !(5..=20).contains(&time.hour()))
}
