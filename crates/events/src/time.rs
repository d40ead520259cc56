//! Times as CloudTrail writes them, to microseconds since the Unix epoch, UTC.
//!
//! By hand, because this runs for every record: no time-zone names, no locale, no clock.
//!
//! Only times that can be true of AWS and of every program that reads the tables come out: none from before
//! AWS was there, none that does not fit nanoseconds in 64 bits, which is what many of them count in. A
//! single record would otherwise make a whole query fail.

use crate::rows::Micros;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// Microseconds in an hour.
pub(crate) const MICROS_PER_HOUR: i64 = 3_600 * MICROS_PER_SECOND;

/// The year of AWS's first service.
const FIRST_YEAR: i64 = 2006;
/// The last whole year of nanoseconds in 64 bits.
const LAST_YEAR: i64 = 2261;
const EARLIEST: Micros = start_of_year(FIRST_YEAR);
const TOO_LATE: Micros = start_of_year(LAST_YEAR + 1);

/// Why a text gives no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoTime {
    /// It is not written as one.
    NotATime,
    /// Nothing can have happened then.
    OutOfRange,
}

/// `eventTime` and `creationDate`: extended ISO 8601 (`2023-07-10T12:21:41Z`, a space for the `T`, a
/// fraction, an offset or none) or the basic form of old documentation (`20131102T010628Z`).
pub(crate) fn parse_time(text: &str) -> Result<Micros, NoTime> {
    let bytes = text.as_bytes();
    in_range(parse_extended(bytes).or_else(|| parse_basic(bytes)))
}

fn in_range(time: Option<Micros>) -> Result<Micros, NoTime> {
    match time {
        Some(time) if (EARLIEST..TOO_LATE).contains(&time) => Ok(time),
        Some(_) => Err(NoTime::OutOfRange),
        None => Err(NoTime::NotATime),
    }
}

/// The start of the hour that `time` lies in.
pub(crate) fn hour_of(time: Micros) -> Micros {
    time - time.rem_euclid(MICROS_PER_HOUR)
}

fn parse_extended(text: &[u8]) -> Option<Micros> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    let [
        y0,
        y1,
        y2,
        y3,
        b'-',
        o0,
        o1,
        b'-',
        d0,
        d1,
        b'T' | b' ',
        h0,
        h1,
        b':',
        m0,
        m1,
        b':',
        s0,
        s1,
    ] = *head
    else {
        return None;
    };
    let seconds = seconds_since_epoch(
        number(&[y0, y1, y2, y3])?,
        number(&[o0, o1])?,
        number(&[d0, d1])?,
        number(&[h0, h1])?,
        number(&[m0, m1])?,
        number(&[s0, s1])?,
    )?;
    if rest == b"Z" {
        return Some(seconds * MICROS_PER_SECOND);
    }
    let (fraction, zone) = parse_fraction(rest)?;
    Some((seconds - parse_zone(zone)?) * MICROS_PER_SECOND + fraction)
}

fn parse_basic(text: &[u8]) -> Option<Micros> {
    let (head, rest) = text.split_first_chunk::<15>()?;
    let [y0, y1, y2, y3, o0, o1, d0, d1, b'T', h0, h1, m0, m1, s0, s1] = *head else {
        return None;
    };
    if !matches!(rest, b"" | b"Z") {
        return None;
    }
    let seconds = seconds_since_epoch(
        number(&[y0, y1, y2, y3])?,
        number(&[o0, o1])?,
        number(&[d0, d1])?,
        number(&[h0, h1])?,
        number(&[m0, m1])?,
        number(&[s0, s1])?,
    )?;
    Some(seconds * MICROS_PER_SECOND)
}

/// Splits `.123Z` into microseconds and what follows; no fraction is zero.
fn parse_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = text.split_first() else { return Some((0, text)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let (digits, rest) = digits.split_at_checked(count)?;
    let mut micros = 0;
    for place in 0..6 {
        micros = micros * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0'));
    }
    Some((micros, rest))
}

/// Offset from UTC in seconds: `Z`, nothing, `+02:00` or `+0200`.
fn parse_zone(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match *text {
        [] | [b'Z'] => return Some(0),
        [sign, h0, h1, b':', m0, m1] | [sign, h0, h1, m0, m1] => {
            (sign, number(&[h0, h1])?, number(&[m0, m1])?)
        }
        _ => return None,
    };
    let seconds = hours * 3_600 + minutes * 60;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// `responseElements.credentials.expiration`: `Jul 10, 2023, 12:21:41 PM`, older without the second
/// comma, newer with U+202F before AM or PM; ISO where a service writes that.
pub(crate) fn parse_expiration(text: &str) -> Option<Micros> {
    if text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return parse_time(text).ok();
    }
    in_range(parse_localized(text)).ok()
}

fn parse_localized(text: &str) -> Option<Micros> {
    let mut words =
        text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    let month = month_number(words.next()?)?;
    let day = number(words.next()?.as_bytes())?;
    let year = number(words.next()?.as_bytes())?;
    let mut clock = words.next()?.split(':');
    let hour = number(clock.next()?.as_bytes())?;
    let minute = number(clock.next()?.as_bytes())?;
    let second = number(clock.next()?.as_bytes())?;
    let hour = match words.next() {
        None => hour,
        Some(half) if half.eq_ignore_ascii_case("AM") && (1..=12).contains(&hour) => hour % 12,
        Some(half) if half.eq_ignore_ascii_case("PM") && (1..=12).contains(&hour) => hour % 12 + 12,
        Some(_) => return None,
    };
    Some(seconds_since_epoch(year, month, day, hour, minute, second)? * MICROS_PER_SECOND)
}

fn month_number(name: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let index = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    i64::try_from(index + 1).ok()
}

/// Decimal digits only, at most nine.
fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0_i64, |sum, byte| {
        byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'))
    })
}

fn seconds_since_epoch(
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
) -> Option<i64> {
    // The sum of a later year might not fit; a leap second (60) is the last valid value, and the next
    // second's sum is the same.
    if year > 9_999 {
        return None;
    }
    if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if day < 1 || day > days_in_month(year, month) {
        return None;
    }
    Some(days_since_epoch(year, month, day) * SECONDS_PER_DAY + hour * 3_600 + minute * 60 + second)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const fn start_of_year(year: i64) -> Micros {
    days_since_epoch(year, 1, 1) * SECONDS_PER_DAY * MICROS_PER_SECOND
}

/// Days from 1970-01-01 in the Gregorian calendar; years start in March so that leap days come last.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: Micros = 1_688_991_701 * MICROS_PER_SECOND;

    #[test]
    fn event_times() {
        for text in [
            "2023-07-10T12:21:41Z",
            "2023-07-10 12:21:41Z",
            "2023-07-10T12:21:41",
            "2023-07-10T14:21:41+02:00",
            "2023-07-10T10:21:41-0200",
            "2023-07-10T12:21:41.000Z",
            "20230710T122141Z",
        ] {
            assert_eq!(parse_time(text), Ok(SAMPLE), "{text}");
        }
        assert_eq!(parse_time("2023-07-10T12:21:41.25Z"), Ok(SAMPLE + 250_000));
        assert_eq!(parse_time("2023-07-10T12:21:41.1234567Z"), Ok(SAMPLE + 123_456));
        assert_eq!(parse_time("2024-02-29T00:00:00Z"), Ok(1_709_164_800 * MICROS_PER_SECOND));
    }

    #[test]
    fn no_times() {
        for text in [
            "",
            "2023-07-10",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-07-10T24:00:00Z",
            "2023-07-10T12:21:41.Z",
            "2023-07-10T12:21:41+2",
            "2023-07-10T12:21:41Zx",
            "٢٠٢٣-07-10T12:21:41Z",
        ] {
            assert_eq!(parse_time(text), Err(NoTime::NotATime), "{text}");
        }
    }

    #[test]
    fn regression_times_that_no_reader_of_the_tables_can_hold_are_none() {
        for (text, seconds) in [
            ("2006-01-01T00:00:00Z", 1_136_073_600),
            ("2006-01-01T00:00:00-00:00", 1_136_073_600),
            ("2261-12-31T23:59:59Z", 9_214_646_399),
        ] {
            assert_eq!(parse_time(text), Ok(seconds * MICROS_PER_SECOND), "{text}");
            assert_eq!(parse_expiration(text), Some(seconds * MICROS_PER_SECOND), "{text}");
        }
        for text in [
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "1677-09-21T00:12:43Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00Z",
            "2005-12-31T23:59:59.999999Z",
            "2006-01-01T00:00:00+00:01",
            "2261-12-31T23:59:59-00:01",
            "2261-12-31T23:59:60Z",
            "2262-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "00000101T000000Z",
        ] {
            assert_eq!(parse_time(text), Err(NoTime::OutOfRange), "{text}");
            assert_eq!(parse_expiration(text), None, "{text}");
        }
        for text in [
            "Jan 1, 0, 1:00:00 AM",
            "Dec 31, 2005, 11:59:59 PM",
            "Jan 1, 2262, 12:00:00 AM",
            "Jan 1, 290000, 1:00:00 AM",
            "Jan 1, 999999999, 1:00:00 AM",
        ] {
            assert_eq!(parse_expiration(text), None, "{text}");
        }
    }

    #[test]
    fn expirations() {
        for text in [
            "Jul 10, 2023, 12:21:41 PM",
            "Jul 10, 2023 12:21:41 PM",
            "Jul 10, 2023, 12:21:41\u{202f}PM",
            "2023-07-10T12:21:41Z",
        ] {
            assert_eq!(parse_expiration(text), Some(SAMPLE), "{text}");
        }
        assert_eq!(
            parse_expiration("Jul 11, 2023, 12:21:41 AM"),
            Some(SAMPLE + 12 * MICROS_PER_HOUR)
        );
        assert_eq!(parse_expiration("13 Juli 2023"), None);
        assert_eq!(parse_expiration("Jul 10, 2023, 13:21:41 PM"), None);
    }

    #[test]
    fn hours_before_the_epoch_round_down() {
        assert_eq!(hour_of(-1), -MICROS_PER_HOUR);
        assert_eq!(hour_of(MICROS_PER_HOUR + 5), MICROS_PER_HOUR);
    }
}
