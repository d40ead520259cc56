//! Instants as microseconds since the Unix epoch, UTC, and the ways CloudTrail writes them.

/// Microseconds since the Unix epoch, UTC.
pub type Micros = i64;

pub(crate) const SECOND: Micros = 1_000_000;
pub(crate) const MINUTE: Micros = 60 * SECOND;
pub(crate) const HOUR: Micros = 60 * MINUTE;
pub(crate) const DAY: Micros = 24 * HOUR;

/// A civil date and time of day.
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

pub(crate) fn civil(at: Micros) -> Civil {
    let seconds = at.div_euclid(SECOND);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 0000-03-01, so that leap days fall at the end of a year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: of_year - (153 * from_march + 2) / 5 + 1,
        hour: of_day / 3_600,
        minute: of_day / 60 % 60,
        second: of_day % 60,
    }
}

/// `2026-01-05T12:21:41Z`
pub(crate) fn iso(at: Micros) -> String {
    let c = civil(at);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    )
}

/// `2026-01-05`
pub(crate) fn date(at: Micros) -> String {
    let c = civil(at);
    format!("{:04}-{:02}-{:02}", c.year, c.month, c.day)
}

/// `20260105T1221Z`, as in a log file's name.
pub(crate) fn stamp(at: Micros) -> String {
    let c = civil(at);
    format!("{:04}{:02}{:02}T{:02}{:02}Z", c.year, c.month, c.day, c.hour, c.minute)
}

/// `2026/01/05`, as in a log file's key.
pub(crate) fn folder(at: Micros) -> String {
    let c = civil(at);
    format!("{:04}/{:02}/{:02}", c.year, c.month, c.day)
}

/// How a service writes an expiration: three spellings occur side by side in one trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// `Jul 10, 2023, 12:21:41 PM`
    Comma,
    /// `Sep 17, 2020 8:04:10 PM`
    Plain,
    /// `Jul 10, 2023, 12:21:41\u{202f}PM`
    Narrow,
}

/// The localized string of STS's `expiration` and IAM's `createDate`.
pub(crate) fn localized(at: Micros, spelling: Spelling) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let c = civil(at);
    let month = MONTHS[(c.month - 1) as usize];
    let hour = if c.hour % 12 == 0 { 12 } else { c.hour % 12 };
    let half = if c.hour < 12 { "AM" } else { "PM" };
    let (comma, space) = match spelling {
        Spelling::Comma => (",", ' '),
        Spelling::Plain => ("", ' '),
        Spelling::Narrow => (",", '\u{202f}'),
    };
    format!(
        "{month} {}, {}{comma} {hour}:{:02}:{:02}{space}{half}",
        c.day, c.year, c.minute, c.second
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_times_as_cloudtrail_does() {
        let noon = 1_767_614_501_000_000; // 2026-01-05T12:01:41Z
        assert_eq!(iso(noon), "2026-01-05T12:01:41Z");
        assert_eq!(stamp(noon), "20260105T1201Z");
        assert_eq!(localized(noon, Spelling::Comma), "Jan 5, 2026, 12:01:41 PM");
        assert_eq!(localized(noon - 12 * HOUR, Spelling::Plain), "Jan 5, 2026 12:01:41 AM");
        assert_eq!(iso(951_782_400_000_000), "2000-02-29T00:00:00Z");
        assert_eq!(iso(-1), "1969-12-31T23:59:59Z");
    }
}
