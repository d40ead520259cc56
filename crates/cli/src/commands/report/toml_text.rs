//! A TOML file of the user's, with complaints that name file and line. Knows nothing of what is in it.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::exit::Usage;
use crate::term;

/// A file's text and name.
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) path: &'a Path,
}

/// Where a table stands, and what it holds.
pub(super) type Table = (Range<usize>, Vec<Entry>);

impl Document<'_> {
    /// The tables of `[[name]]`; anything else at the top is an error.
    pub(super) fn tables(&self, name: &str) -> Result<Vec<Table>, Usage> {
        let top = DeTable::parse(self.text).map_err(|error| {
            self.complain(&error.span().unwrap_or(0..0), error.message().trim_end())
        })?;
        let mut tables = Vec::new();
        for (key, value) in top.get_ref() {
            let expected = format!("expected [[{name}]]");
            let DeValue::Array(items) = value.get_ref() else {
                return Err(self.complain(&key.span(), &expected));
            };
            if key.get_ref() != name {
                return Err(self.complain(&key.span(), &expected));
            }
            for item in items.iter() {
                let DeValue::Table(table) = item.get_ref() else {
                    return Err(self.complain(&item.span(), &expected));
                };
                tables.push((item.span(), self.entries(table)?));
            }
        }
        Ok(tables)
    }

    fn entries(&self, table: &DeTable<'_>) -> Result<Vec<Entry>, Usage> {
        let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
            let value = match value.get_ref() {
                DeValue::String(text) => Value::Text(text.clone().into_owned()),
                DeValue::Datetime(time) => Value::Time(time.to_string()),
                DeValue::Table(inner) => Value::Table(self.entries(inner)?),
                DeValue::Array(items) => {
                    let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
                    match texts.collect::<Option<Vec<String>>>() {
                        Some(texts) => Value::Texts(texts),
                        None => return Err(self.complain(&value.span(), "expected texts")),
                    }
                }
                other => Value::Other(other.type_str()),
            };
            Ok(Entry { name: key.get_ref().clone().into_owned(), span: key.span(), value })
        };
        table.iter().map(entry).collect()
    }

    /// What is wrong, and where.
    pub(super) fn complain(&self, span: &Range<usize>, message: &str) -> Usage {
        let line = self.line(span);
        Usage::new(format!("{}:{line}: {}", self.path.display(), term::visible(message)))
    }

    /// The line on which `span` begins, from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().iter().take(span.start);
        1 + before.filter(|byte| **byte == b'\n').count()
    }
}

/// A key with its value.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) span: Range<usize>,
    pub(super) value: Value,
}

/// As much of TOML's values as our files use.
pub(super) enum Value {
    Text(String),
    Texts(Vec<String>),
    /// A date or time, as written.
    Time(String),
    Table(Vec<Entry>),
    /// Something else: what TOML calls it.
    Other(&'static str),
}

impl Value {
    /// What it is, for complaints.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Texts(_) => "a list",
            Self::Time(_) => "a date",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// The text of a file that a flag names.
pub(super) fn read(flag: &str, path: &Path) -> Result<String, Usage> {
    std::fs::read_to_string(path)
        .map_err(|error| Usage::new(format!("{flag} {}: {error}", path.display())))
}
