//! Parameters of reports: their types, their values, and the window that most of them share.
//!
//! Values are bound to placeholders as typed scalars, never pasted into SQL. Takes "now" as an
//! argument.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use datafusion::scalar::ScalarValue;

use crate::front_matter::Entry;
use crate::{QueryError, Values};

const MICROS_PER_DAY: i64 = 86_400_000_000;

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
            ParamKind::Integer => {
                let number = text.trim().parse::<i64>();
                number.map(ScalarValue::from).map_err(|_| bad("no whole number"))
            }
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
                Ok(timestamp(micros))
            }
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
    if let Some(days) = days.filter(|days| *days < 0) {
        return Err(QueryError::BadParameter {
            name: "days".to_owned(),
            value: days.to_string(),
            problem: "negative".to_owned(),
        });
    }
    let as_of = time(values, "as_of").unwrap_or(now);
    let to = time(values, "to").unwrap_or(as_of);
    let since_days = days.map(|days| to.saturating_sub(days.saturating_mul(MICROS_PER_DAY)));
    let from = time(values, "from").or(since_days).unwrap_or(0);
    for (name, micros) in [("as_of", as_of), ("from", from), ("to", to)] {
        if let Some(value) = values.get_mut(name) {
            *value = timestamp(micros);
        }
    }
    Ok(())
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
