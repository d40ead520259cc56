//! The one wall clock, and the times that people type and read.
//!
//! Everything else is given its "now" as microseconds since the epoch, so that a report of last
//! March comes out the same today. Times are UTC throughout: CloudTrail's are, and a local zone
//! would move events to another day.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat};

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;
/// Microseconds in a day.
pub(crate) const DAY: i64 = 86_400 * SECOND;

/// Now, in microseconds since the epoch.
pub(crate) fn now_micros() -> i64 {
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        // A clock set before 1970 is wrong anyway, but no reason to fail.
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us),
    }
}

/// Today, by UTC.
pub(crate) fn today() -> NaiveDate {
    DateTime::from_timestamp_micros(now_micros()).unwrap_or_default().date_naive()
}

/// Measures how long something takes, whatever happens to the wall clock meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// A time given by a person: an instant, or a whole day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenTime {
    /// An instant, in microseconds since the epoch.
    Instant(i64),
    /// A day, by its first microsecond.
    Day(i64),
}

impl GivenTime {
    /// The first instant that belongs to it.
    pub(crate) fn start(self) -> i64 {
        match self {
            Self::Instant(micros) | Self::Day(micros) => micros,
        }
    }

    /// The instant before which everything belongs to it: what `--to`, `--until` and `--as-of`
    /// mean, so that `--from 2026-01-05 --to 2026-01-05` is that whole day.
    pub(crate) fn end(self) -> i64 {
        match self {
            Self::Instant(micros) => micros,
            Self::Day(micros) => micros.saturating_add(DAY),
        }
    }
}

/// A time or a date that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadTime(String);

impl fmt::Display for BadTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadTime {}

/// Reads `2026-01-05`, `2026-01-05T07:12:03Z` (any RFC 3339 offset) or the form that our own
/// tables print, `2026-01-05 07:12:03Z`.
pub(crate) fn parse_time(text: &str) -> Result<GivenTime, BadTime> {
    let text = text.trim();
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        && text.len() == 10
    {
        return in_range(text, date.and_time(NaiveTime::MIN).and_utc().timestamp_micros())
            .map(GivenTime::Day);
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return in_range(text, time.timestamp_micros()).map(GivenTime::Instant);
    }
    Err(BadTime(explain(text)))
}

/// CloudTrail began in 2013; anything far outside is a slip of the finger, such as a year typed
/// with a digit too few, and would silently select nothing.
fn in_range(text: &str, micros: i64) -> Result<i64, BadTime> {
    const YEAR_2000: i64 = 946_684_800 * SECOND;
    const YEAR_2200: i64 = 7_258_118_400 * SECOND;
    if (YEAR_2000..YEAR_2200).contains(&micros) {
        Ok(micros)
    } else {
        Err(BadTime(format!("'{text}' is not between the years 2000 and 2200")))
    }
}

fn explain(text: &str) -> String {
    let zoneless = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    if zoneless.iter().any(|form| NaiveDateTime::parse_from_str(text, form).is_ok()) {
        return format!("'{text}' has no time zone: write {text}Z for UTC");
    }
    let looks_like_a_date = text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if looks_like_a_date {
        return format!("'{text}' is not in the calendar");
    }
    format!("'{text}' is not a time: expected 2026-01-05 or 2026-01-05T07:12:03Z")
}

/// A time for people, `2026-01-05 07:12:03Z`, with the fraction only where there is one.
pub(crate) fn format_time(micros: i64) -> String {
    match DateTime::from_timestamp_micros(micros) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S%.fZ").to_string(),
        None => format!("{micros} µs"),
    }
}

/// A time for machines, RFC 3339 in UTC: `2026-01-05T07:12:03Z`.
pub(crate) fn format_rfc3339(micros: i64) -> String {
    match DateTime::from_timestamp_micros(micros) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => format!("{micros} µs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORNING: i64 = 1_767_597_123 * SECOND;

    #[test]
    fn a_day_and_an_instant_are_told_apart() {
        let day = parse_time("2026-01-05").unwrap();
        assert_eq!(format_time(day.end()), "2026-01-06 00:00:00Z");

        for text in ["2026-01-05T07:12:03Z", "2026-01-05 07:12:03Z", "2026-01-05T08:12:03+01:00"] {
            let instant = parse_time(text).unwrap();
            assert_eq!(instant, GivenTime::Instant(MORNING), "{text}");
            assert_eq!(instant.end(), MORNING);
        }
    }

    #[test]
    fn what_is_no_time_is_explained() {
        let wrong = |text: &str| parse_time(text).unwrap_err().to_string();
        assert_eq!(
            wrong("yesterday"),
            "'yesterday' is not a time: expected 2026-01-05 or 2026-01-05T07:12:03Z"
        );
        assert_eq!(wrong("2026-02-30"), "'2026-02-30' is not in the calendar");
        assert_eq!(
            wrong("2026-01-05T07:12:03"),
            "'2026-01-05T07:12:03' has no time zone: write 2026-01-05T07:12:03Z for UTC"
        );
        assert_eq!(wrong("0202-01-05"), "'0202-01-05' is not between the years 2000 and 2200");
        assert!(wrong("2026-1-5").contains("expected 2026-01-05"));
        assert!(wrong("").contains("is not a time"));
    }

    #[test]
    fn times_read_well() {
        assert_eq!(format_time(MORNING), "2026-01-05 07:12:03Z");
        assert_eq!(format_time(MORNING + 250_000), "2026-01-05 07:12:03.250Z");
        assert_eq!(format_rfc3339(MORNING), "2026-01-05T07:12:03Z");
        assert_eq!(format_rfc3339(i64::MAX), "9223372036854775807 µs");
    }

    #[test]
    fn the_clock_runs() {
        let before = now_micros();
        assert!(before > parse_time("2026-01-01").unwrap().end());
        assert!(now_micros() >= before);
    }
}
