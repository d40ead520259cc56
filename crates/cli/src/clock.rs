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
    /// The instant at which it begins: what `--from` and `--since` mean.
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

/// A time, a date or a number of days that cannot be understood.
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

/// Reads the number of days of `--days`, 1 to 36,500, and gives it in microseconds.
pub(crate) fn parse_days(text: &str) -> Result<i64, BadTime> {
    let digits = text.trim();
    let digits = digits.strip_suffix('d').unwrap_or(digits);
    match digits.parse::<i64>() {
        Ok(days @ 1..=36_500) => Ok(days * DAY),
        Ok(_) => Err(BadTime(format!("'{text}' is not between 1 and 36500 days"))),
        Err(_) => Err(BadTime(format!("'{text}' is not a number of days"))),
    }
}

/// A half-open stretch of time: from `from` up to but not including `to`, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The first instant inside.
    pub(crate) from: i64,
    /// The first instant after.
    pub(crate) to: i64,
}

impl Window {
    /// The window that `--as-of`, `--days`, `--from` and `--to` mean together. `from` beats
    /// `days`; `to` beats `as_of`, which beats `now`.
    pub(crate) fn of(
        now: i64,
        as_of: Option<GivenTime>,
        days: i64,
        from: Option<GivenTime>,
        to: Option<GivenTime>,
    ) -> Result<Self, BadTime> {
        let to = to.or(as_of).map_or(now, GivenTime::end);
        let from = from.map_or(to.saturating_sub(days), GivenTime::start);
        if from < to {
            Ok(Self { from, to })
        } else {
            Err(BadTime(format!(
                "the window is empty: it begins at {} and ends at {}",
                format_time(from),
                format_time(to)
            )))
        }
    }
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

/// A length of time in the one or two units that matter: `45s`, `12m`, `3h 20m`, `9d 4h`.
pub(crate) fn format_span(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let seconds = micros.unsigned_abs() / SECOND.unsigned_abs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let text = match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{minutes}m"),
        3_600..86_400 if minutes % 60 == 0 => format!("{hours}h"),
        3_600..86_400 => format!("{hours}h {}m", minutes % 60),
        _ if hours % 24 == 0 || days >= 30 => format!("{days}d"),
        _ => format!("{days}d {}h", hours % 24),
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORNING: i64 = 1_767_597_123 * SECOND;

    #[test]
    fn a_day_and_an_instant_are_told_apart() {
        let day = parse_time("2026-01-05").unwrap();
        assert_eq!(format_time(day.start()), "2026-01-05 00:00:00Z");
        assert_eq!(format_time(day.end()), "2026-01-06 00:00:00Z");

        for text in ["2026-01-05T07:12:03Z", "2026-01-05 07:12:03Z", "2026-01-05T08:12:03+01:00"] {
            let instant = parse_time(text).unwrap();
            assert_eq!(instant, GivenTime::Instant(MORNING), "{text}");
            assert_eq!(instant.start(), instant.end());
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
    fn days_are_positive_and_bounded() {
        assert_eq!(parse_days("90"), Ok(90 * DAY));
        assert_eq!(parse_days("7d"), Ok(7 * DAY));
        for text in ["0", "-1", "36501"] {
            assert!(parse_days(text).unwrap_err().to_string().contains("between"), "{text}");
        }
        assert!(parse_days("a week").unwrap_err().to_string().contains("not a number"));
    }

    #[test]
    fn the_window_takes_the_most_specific_bound() {
        let day = |text| Some(parse_time(text).unwrap());
        let window = Window::of(MORNING, None, 7 * DAY, None, None).unwrap();
        assert_eq!(window, Window { from: MORNING - 7 * DAY, to: MORNING });

        let window = Window::of(MORNING, day("2025-06-30"), DAY, None, None).unwrap();
        assert_eq!(format_time(window.from), "2025-06-30 00:00:00Z");
        assert_eq!(format_time(window.to), "2025-07-01 00:00:00Z");

        let one = day("2025-06-10");
        let window = Window::of(MORNING, day("2025-06-30"), DAY, one, one).unwrap();
        assert_eq!(window.to - window.from, DAY);

        let empty = Window::of(MORNING, None, DAY, day("2026-01-06"), None).unwrap_err();
        assert_eq!(
            empty.to_string(),
            "the window is empty: it begins at 2026-01-06 00:00:00Z and ends at 2026-01-05 \
             07:12:03Z"
        );
    }

    #[test]
    fn times_and_spans_read_well() {
        assert_eq!(format_time(MORNING), "2026-01-05 07:12:03Z");
        assert_eq!(format_time(MORNING + 250_000), "2026-01-05 07:12:03.250Z");
        assert_eq!(format_rfc3339(MORNING), "2026-01-05T07:12:03Z");
        assert_eq!(format_rfc3339(i64::MAX), "9223372036854775807 µs");
        let spans = [45, 60, 3_600, 12_000, 86_400, 180_000, 86_400 * 40 + 3_600, -90];
        let spans: Vec<_> = spans.iter().map(|seconds| format_span(seconds * SECOND)).collect();
        assert_eq!(spans, ["45s", "1m", "1h", "3h 20m", "1d", "2d 2h", "40d", "-1m"]);
    }

    #[test]
    fn the_clock_runs() {
        let before = now_micros();
        assert!(before > parse_time("2026-01-01").unwrap().start());
        assert!(now_micros() >= before);
    }
}
