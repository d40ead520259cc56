//! The comment block that a report or view file opens with.
//!
//! `-- key: value` lines; `params` and `columns` hold one indented entry a line; a line that starts
//! deeper than its entry carries on the text. Ends at the first line that is no comment. Does not
//! look at the SQL below it.
//!
//! ```sql
//! -- title: Who uses which role
//! -- params:
//! --   role: text = null; a role's ARN, account/name, or name
//! -- columns:
//! --   caller: who took the role
//! ```

use crate::QueryError;

/// Front-matter and the SQL that follows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FrontMatter {
    /// Single-valued keys, in order, with the line that each starts on.
    pub(crate) values: Vec<(String, String, usize)>,
    /// Entries of `params` and `columns`: section, name, text, line.
    pub(crate) entries: Vec<Entry>,
    /// Everything below.
    pub(crate) sql: String,
}

/// One indented line of a section.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) section: String,
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl FrontMatter {
    /// Reads `text`; `file` is for errors, `keys` are the single-valued keys that may occur.
    pub(crate) fn parse(file: &str, text: &str, keys: &[&str]) -> Result<Self, QueryError> {
        let mut parser = Parser { file, keys, matter: Self::default(), section: None };
        let mut body_at = text.len();
        let mut offset = 0;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let Some(comment) = line.trim_end().strip_prefix("--") else {
                body_at = offset;
                break;
            };
            parser.comment(comment, index + 1)?;
            offset += line.len();
        }
        let mut matter = parser.matter;
        matter.sql = text.get(body_at..).unwrap_or_default().trim().to_owned();
        Ok(matter)
    }

    /// The value of `key`.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(name, _, _)| name == key).map(|(_, value, _)| value.as_str())
    }

    /// The entries of `section`, in order.
    pub(crate) fn section<'a>(&'a self, section: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.section == section)
    }
}

struct Parser<'a> {
    file: &'a str,
    keys: &'a [&'a str],
    matter: FrontMatter,
    /// The section that indented lines belong to; `None` while a single value is open.
    section: Option<String>,
}

/// Where a line's text starts decides what it is.
const KEY_INDENT: usize = 1;
const ENTRY_INDENT: usize = 3;

impl Parser<'_> {
    fn comment(&mut self, comment: &str, line: usize) -> Result<(), QueryError> {
        let text = comment.trim();
        let indent = comment.len() - comment.trim_start().len();
        if text.is_empty() {
            return Ok(());
        }
        match (indent, self.section.is_some()) {
            (0..=KEY_INDENT, _) => self.key(text, line),
            (ENTRY_INDENT, true) => self.entry(text, line),
            _ => self.carry_on(text, line),
        }
    }

    fn key(&mut self, text: &str, line: usize) -> Result<(), QueryError> {
        let Some((key, value)) = text.split_once(':') else {
            return Err(self.error(line, "expected 'key: value'"));
        };
        let (key, value) = (key.trim(), value.trim());
        if matches!(key, "params" | "columns") && value.is_empty() {
            self.section = Some(key.to_owned());
            return Ok(());
        }
        if !self.keys.contains(&key) {
            let known = self.keys.join(", ");
            return Err(self.error(line, &format!("unknown key '{key}'; known: {known}")));
        }
        if self.matter.value(key).is_some() {
            return Err(self.error(line, &format!("'{key}' is given twice")));
        }
        self.section = None;
        self.matter.values.push((key.to_owned(), value.to_owned(), line));
        Ok(())
    }

    fn entry(&mut self, text: &str, line: usize) -> Result<(), QueryError> {
        let section = self.section.clone().unwrap_or_default();
        let parts = text.split_once(':').map(|(name, text)| (name.trim(), text.trim()));
        let Some((name, text)) = parts.filter(|(name, _)| is_name(name)) else {
            return Err(self.error(line, &format!("expected 'name: text' in '{section}'")));
        };
        if self.matter.section(&section).any(|entry| entry.name == name) {
            return Err(self.error(line, &format!("'{name}' is given twice in '{section}'")));
        }
        let (name, text) = (name.to_owned(), text.to_owned());
        self.matter.entries.push(Entry { section, name, text, line });
        Ok(())
    }

    fn carry_on(&mut self, text: &str, line: usize) -> Result<(), QueryError> {
        let open = match self.section {
            Some(_) => self.matter.entries.last_mut().map(|entry| &mut entry.text),
            None => self.matter.values.last_mut().map(|(_, value, _)| value),
        };
        let Some(open) = open else {
            return Err(self.error(line, "indented, but there is nothing to carry on"));
        };
        if !open.is_empty() {
            open.push(' ');
        }
        open.push_str(text);
        Ok(())
    }

    fn error(&self, line: usize, problem: &str) -> QueryError {
        QueryError::ReportFile { file: self.file.to_owned(), line, problem: problem.to_owned() }
    }
}

/// Lower case, digits and underscores: what needs no quotes in SQL.
fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 2] = ["title", "pitfall"];

    #[test]
    fn reads_keys_sections_and_carried_on_lines() {
        let text = "-- title: Roles\n--   in use\n-- params:\n--   role: text; which\n--     one\n\
                    --\n-- columns:\n--   caller: who\n-- pitfall: none\n\nSELECT 1 -- not: this\n";
        let matter = FrontMatter::parse("x.sql", text, &KEYS).unwrap();
        assert_eq!(matter.value("title"), Some("Roles in use"));
        assert_eq!(matter.value("pitfall"), Some("none"));
        let params: Vec<_> = matter.section("params").map(|entry| &*entry.text).collect();
        assert_eq!(params, ["text; which one"]);
        let columns: Vec<_> = matter.section("columns").map(|e| (&*e.name, e.line)).collect();
        assert_eq!(columns, [("caller", 8)]);
        assert_eq!(matter.sql, "SELECT 1 -- not: this");
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, expected) in [
            ("-- title: a\n-- titel: b\n", "x.sql:2: unknown key 'titel'; known: title, pitfall"),
            ("-- no colon\n", "x.sql:1: expected 'key: value'"),
            ("-- title: a\n-- title: b\n", "x.sql:2: 'title' is given twice"),
            ("-- params:\n--   Role: x\n", "x.sql:2: expected 'name: text' in 'params'"),
            ("-- params:\n--   a: x\n--   a: y\n", "x.sql:3: 'a' is given twice in 'params'"),
            ("--     deep\n", "x.sql:1: indented, but there is nothing to carry on"),
        ] {
            let error = FrontMatter::parse("x.sql", text, &KEYS).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
