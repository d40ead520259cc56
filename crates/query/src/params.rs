//! Parameters of reports: their types, their values, and the window that most of them share.
//!
//! Values are bound to placeholders as typed scalars, never pasted into SQL. Takes "now" as an
//! argument. What cannot be meant (a negative threshold, a window that ends before it begins) is refused here, for
//! every report: in SQL a slip of the finger would make everything idle.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime};
use datafusion::scalar::ScalarValue;

use crate::front_matter::Entry;
use crate::{QueryError, Values};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What a whole number may be: counts, none of which can be negative, or be so large that sums with it overflow.
const NUMBERS: RangeInclusive<i64> = 0..=1_000_000_000;
/// The same for numbers of days (`days`, `…_days`): a century.
const DAYS: RangeInclusive<i64> = 0..=36_500;
/// Years that a time may lie in. A year typed with a digit too few or too many would select nothing, or everything.
const YEARS: RangeInclusive<i32> = 1970..=2199;

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// A time: `2026-01-05`, `2026-01-05T10:00:00Z`, or with an offset.
    Timestamp,
    /// `true` or `false`.
    Boolean,
}

impl ParamKind {
    /// The type's name in front-matter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Timestamp => "timestamp",
            Self::Boolean => "boolean",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Text, Self::Integer, Self::Timestamp, Self::Boolean]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// A parameter of a report.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Param {
    /// Name: `$name` in SQL, `--name` on the command line, with `-` for `_`.
    pub name: String,
    /// Type.
    pub kind: ParamKind,
    /// Default as written; `None` for null, `now` for the answer's "now".
    pub default: Option<String>,
    /// Whether it must be given: its line has no `=`.
    pub required: bool,
    /// What it does, in one line.
    pub comment: String,
}

/// The time that a report looks at, in microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The answer's "now".
    pub as_of: i64,
    /// The start; 0 where it goes back as far as the logs.
    pub from: i64,
    /// The end, not part of it.
    pub to: i64,
}

impl Window {
    /// The window in the values that [`crate::Report::bind`] made; a report without such parameters looks at
    /// everything before `now`.
    pub fn of(values: &Values, now: i64) -> Self {
        let time = |name: &str| match values.get(name) {
            Some(ScalarValue::TimestampMicrosecond(time, _)) => *time,
            _ => None,
        };
        let as_of = time("as_of").unwrap_or(now);
        Self { as_of, from: time("from").unwrap_or(0), to: time("to").unwrap_or(as_of) }
    }
}

impl Param {
    /// Reads `type = default; comment`.
    pub(crate) fn parse(file: &str, entry: &Entry) -> Result<Self, QueryError> {
        let error = |problem: String| QueryError::ReportFile {
            file: file.to_owned(),
            line: entry.line,
            problem,
        };
        let (declaration, comment) = entry.text.split_once(';').unwrap_or((&entry.text, ""));
        let required = !declaration.contains('=');
        let (kind, default) = declaration.split_once('=').unwrap_or((declaration, "null"));
        let (kind, default) = (kind.trim(), default.trim());
        let kind = ParamKind::from_name(kind).ok_or_else(|| {
            error(format!("'{kind}' is no type; there are: text, integer, timestamp, boolean"))
        })?;
        let param = Self {
            name: entry.name.clone(),
            kind,
            default: Some(default.to_owned()).filter(|default| default != "null"),
            required,
            comment: comment.trim().to_owned(),
        };
        param.default_value(0).map_err(|problem| error(problem.to_string()))?;
        Ok(param)
    }

    fn default_value(&self, now: i64) -> Result<ScalarValue, QueryError> {
        match self.default.as_deref() {
            None => Ok(null(self.kind)),
            Some("now") if self.kind == ParamKind::Timestamp => Ok(timestamp(now)),
            Some(text) => self.value(text),
        }
    }

    fn value(&self, text: &str) -> Result<ScalarValue, QueryError> {
        let bad = |problem: &str| QueryError::BadParameter {
            name: self.name.clone(),
            value: text.to_owned(),
            problem: problem.to_owned(),
        };
        match self.kind {
            ParamKind::Text => Ok(ScalarValue::from(text)),
            ParamKind::Integer => self.number(text).map(ScalarValue::from).map_err(|why| bad(&why)),
            ParamKind::Boolean => match text.trim() {
                "true" => Ok(ScalarValue::from(true)),
                "false" => Ok(ScalarValue::from(false)),
                _ => Err(bad("neither true nor false")),
            },
            ParamKind::Timestamp => {
                let ends_day = matches!(self.name.as_str(), "to" | "as_of");
                let micros = parse_time(text, ends_day).ok_or_else(|| {
                    bad("no time; write it like 2026-01-31 or 2026-01-31T09:00:00Z")
                })?;
                let year = DateTime::from_timestamp_micros(micros).map(|time| time.year());
                if !year.is_some_and(|year| YEARS.contains(&year)) {
                    let (first, last) = (YEARS.start(), YEARS.end());
                    return Err(bad(&format!("not between the years {first} and {last}")));
                }
                Ok(timestamp(micros))
            }
        }
    }

    /// The number, if it is one that can be meant; the error says what it is instead.
    fn number(&self, text: &str) -> Result<i64, String> {
        let text = text.trim();
        let is_days = self.name == "days" || self.name.ends_with("_days");
        let bounds = if is_days { DAYS } else { NUMBERS };
        let is_whole = |text: &str| {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        match text.parse::<i64>() {
            Ok(number) if bounds.contains(&number) => Ok(number),
            Err(_) if !is_whole(text) => Err("no whole number".to_owned()),
            _ if text.starts_with('-') => Err("negative".to_owned()),
            _ => Err(format!("more than {}", bounds.end())),
        }
    }
}

fn timestamp(micros: i64) -> ScalarValue {
    ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()))
}

fn null(kind: ParamKind) -> ScalarValue {
    match kind {
        ParamKind::Text => ScalarValue::Utf8(None),
        ParamKind::Integer => ScalarValue::Int64(None),
        ParamKind::Boolean => ScalarValue::Boolean(None),
        ParamKind::Timestamp => ScalarValue::TimestampMicrosecond(None, Some("UTC".into())),
    }
}

/// Reads a time as microseconds since the Unix epoch; without offset it is UTC. A day alone is its
/// start, or, where `ends_day`, its end: "to the 31st" includes the 31st.
pub fn parse_time(text: &str, ends_day: bool) -> Option<i64> {
    let text = text.trim();
    if let Ok(day) = text.parse::<NaiveDate>() {
        let start = day.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
        return Some(if ends_day { start + MICROS_PER_DAY } else { start });
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    let formats =
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let parsed = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    parsed.map(|time| time.and_utc().timestamp_micros())
}

/// The values for a report's placeholders: what was given, else defaults; `from`, `to` and `as_of`
/// worked out from each other so that SQL never meets a null there.
pub(crate) fn bind(
    report: &str,
    params: &[Param],
    given: &BTreeMap<String, String>,
    now: i64,
) -> Result<Values, QueryError> {
    for name in given.keys() {
        if !params.iter().any(|param| param.name == *name) {
            let known: Vec<_> = params.iter().map(|param| param.name.as_str()).collect();
            return Err(QueryError::UnknownParameter {
                report: report.to_owned(),
                name: name.clone(),
                known: known.join(", "),
            });
        }
    }
    let mut values = Values::new();
    for param in params {
        let value = match given.get(&param.name) {
            Some(text) => param.value(text)?,
            None if param.required => {
                return Err(QueryError::MissingParameter {
                    report: report.to_owned(),
                    name: param.name.replace('_', "-"),
                });
            }
            None => param.default_value(now)?,
        };
        values.insert(param.name.clone(), value);
    }
    set_window(&mut values, now)?;
    Ok(values)
}

fn set_window(values: &mut Values, now: i64) -> Result<(), QueryError> {
    let time = |values: &Values, name: &str| match values.get(name) {
        Some(ScalarValue::TimestampMicrosecond(time, _)) => *time,
        _ => None,
    };
    let days = match values.get("days") {
        Some(ScalarValue::Int64(days)) => *days,
        _ => None,
    };
    let as_of = time(values, "as_of").unwrap_or(now);
    let to = time(values, "to").unwrap_or(as_of);
    let since_days = days.map(|days| to.saturating_sub(days.saturating_mul(MICROS_PER_DAY)));
    let from = time(values, "from").or(since_days).unwrap_or(0);
    if from > to {
        return Err(QueryError::BadParameter {
            name: "from".to_owned(),
            value: text_of(from),
            problem: format!("after the end of the window, {}", text_of(to)),
        });
    }
    for (name, micros) in [("as_of", as_of), ("from", from), ("to", to)] {
        if let Some(value) = values.get_mut(name) {
            *value = timestamp(micros);
        }
    }
    Ok(())
}

fn text_of(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).map(|time| time.to_rfc3339()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = MICROS_PER_DAY;

    fn param(name: &str, kind: ParamKind, default: Option<&str>) -> Param {
        Param {
            name: name.to_owned(),
            kind,
            default: default.map(str::to_owned),
            required: false,
            comment: String::new(),
        }
    }

    fn window(given: &[(&str, &str)]) -> Result<[i64; 3], String> {
        let params = [
            param("as_of", ParamKind::Timestamp, Some("now")),
            param("days", ParamKind::Integer, None),
            param("from", ParamKind::Timestamp, None),
            param("to", ParamKind::Timestamp, None),
        ];
        let given = given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let values = bind("r", &params, &given, 100 * DAY).map_err(|error| error.to_string())?;
        Ok(["from", "to", "as_of"].map(|name| match &values[name] {
            ScalarValue::TimestampMicrosecond(Some(time), _) => *time,
            other => panic!("{other:?}"),
        }))
    }

    #[test]
    fn the_window_ends_now_and_goes_back_as_far_as_asked() {
        assert_eq!(window(&[]), Ok([0, 100 * DAY, 100 * DAY]));
        assert_eq!(window(&[("days", "7")]), Ok([93 * DAY, 100 * DAY, 100 * DAY]));
        assert_eq!(window(&[("from", "1970-01-03")]), Ok([2 * DAY, 100 * DAY, 100 * DAY]));
        let to_the_fifth = window(&[("to", "1970-01-05"), ("days", "1")]);
        assert_eq!(to_the_fifth, Ok([4 * DAY, 5 * DAY, 100 * DAY]));
        let as_of = window(&[("as_of", "1970-01-11T00:00:00Z"), ("days", "2")]);
        assert_eq!(as_of, Ok([8 * DAY, 10 * DAY, 10 * DAY]));
    }

    #[test]
    fn wrong_values_and_names_are_named() {
        for (given, expected) in [
            (("days", "seven"), "parameter 'days': 'seven' is no whole number"),
            (("days", "-1"), "parameter 'days': '-1' is negative"),
            (
                ("from", "soon"),
                "parameter 'from': 'soon' is no time; write it like 2026-01-31 or 2026-01-31T09:00:00Z",
            ),
            (("rolle", "x"), "report 'r' has no parameter 'rolle'; it has: as_of, days, from, to"),
        ] {
            assert_eq!(window(&[given]), Err(expected.to_owned()));
        }
    }

    #[test]
    fn regression_what_cannot_be_meant_is_refused() {
        let value = |name: &str, text: &str| {
            let param = param(name, ParamKind::Integer, None);
            param.value(text).map_err(|error| error.to_string())
        };
        for name in ["threshold_days", "grace_days", "soak_days", "days", "rows"] {
            let negative = format!("parameter '{name}': '-1' is negative");
            assert_eq!(value(name, "-1"), Err(negative));
            assert_eq!(value(name, " 0 "), Ok(ScalarValue::from(0_i64)));
        }
        let days = |text: &str| value("max_inventory_days", text);
        assert_eq!(days("36500"), Ok(ScalarValue::from(36_500_i64)));
        for much in ["36501", "1000000000000", "99999999999999999999"] {
            let expected = format!("parameter 'max_inventory_days': '{much}' is more than 36500");
            assert_eq!(days(much), Err(expected));
        }
        assert!(days("-99999999999999999999").unwrap_err().ends_with("is negative"));
        assert_eq!(value("rows", "1000000000"), Ok(ScalarValue::from(1_000_000_000_i64)));
        assert!(value("rows", "1000000001").unwrap_err().ends_with("is more than 1000000000"));
        for wrong in ["", "-", "1.5", "1e3", "--1"] {
            assert!(days(wrong).unwrap_err().ends_with("is no whole number"), "{wrong}");
        }
        for (name, text) in [("as_of", "0226-01-05"), ("to", "20260-01-05"), ("from", "2200-01-01")]
        {
            let error = window(&[(name, text)]).unwrap_err();
            assert!(error.starts_with(&format!("parameter '{name}'")), "{error}");
        }
    }

    #[test]
    fn regression_a_window_does_not_end_before_it_begins() {
        let error = window(&[("from", "1970-01-09"), ("to", "1970-01-05")]).unwrap_err();
        let expected = "parameter 'from': '1970-01-09T00:00:00+00:00' is after the end of the window, \
                        1970-01-06T00:00:00+00:00";
        assert_eq!(error, expected);
        assert!(window(&[("from", "1970-05-01")]).is_err(), "it ends now");
        assert!(window(&[("from", "1970-01-05"), ("to", "1970-01-05")]).is_ok(), "that whole day");
    }

    #[test]
    fn times_are_read_with_and_without_offset() {
        let ten = parse_time("2026-01-05T10:00:00Z", false);
        for text in [
            "2026-01-05T12:00:00+02:00",
            "2026-01-05T10:00:00",
            "2026-01-05 10:00",
            "2026-01-05 10:00:00.0",
        ] {
            assert_eq!(parse_time(text, false), ten, "{text}");
        }
        assert_eq!(parse_time("5 January", false), None);
    }
}
