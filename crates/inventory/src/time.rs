//! Times as the AWS CLI prints them, to microseconds.

use chrono::DateTime;
use serde::{Deserialize, Deserializer};

/// So far AWS's clock and ours may be apart, in microseconds, and calls are signed well all the same.
pub(crate) const CLOCK_SKEW: i64 = 5 * 60 * 1_000_000;

/// RFC 3339 with any offset.
pub(crate) fn parse(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text.trim()).ok().map(|time| time.timestamp_micros())
}

/// For people.
pub(crate) fn words(micros: i64) -> String {
    match DateTime::from_timestamp_micros(micros) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%SZ").to_string(),
        None => format!("{micros} µs"),
    }
}

/// Seconds since the epoch, as the wire has them; the CLI prints them so where it is told to.
pub(crate) fn from_seconds(seconds: f64) -> Option<i64> {
    let micros = (seconds * 1_000_000.0).round();
    // Beyond these, a float holds no exact number of microseconds, and no date is meant.
    (micros.abs() < 9e15).then_some(micros as i64)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Text(String),
    Seconds(f64),
}

/// A time that may be absent; `N/A` is none.
pub(crate) fn optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let wrong = || serde::de::Error::custom("not a time");
    match Option::<Given>::deserialize(from)? {
        None => Ok(None),
        Some(Given::Text(text)) if text.is_empty() || text.eq_ignore_ascii_case("n/a") => Ok(None),
        Some(Given::Text(text)) => parse(&text).map(Some).ok_or_else(wrong),
        Some(Given::Seconds(seconds)) => from_seconds(seconds).map(Some).ok_or_else(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_all_forms_are_the_same_time() {
        let at = 1_767_597_123_000_000;
        assert_eq!(parse("2026-01-05T07:12:03Z"), Some(at));
        assert_eq!(parse("2026-01-05T07:12:03+00:00"), Some(at));
        assert_eq!(parse("2026-01-05T08:12:03.000+01:00"), Some(at));
        assert_eq!(from_seconds(1_767_597_123.0), Some(at));
        assert_eq!(from_seconds(f64::INFINITY), None);
        assert_eq!(parse("N/A"), None);
        assert_eq!(words(at), "2026-01-05 07:12:03Z");
    }
}
