//! `--exceptions FILE`: rows that somebody answers for, until a day.
//!
//! An excepted row stays where it is, marked; what the marks do to the exit code is not decided here. A
//! file that could be read in two ways is refused: an exception that silently matches nothing, or
//! everything, is worse than none.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::RecordBatch;
use rolecall_query::{Reports, glob};

use super::accounts::Accounts;
use super::cells;
use super::subject::Subject;
use super::toml_text::{self, Document, Entry, Value};
use crate::clock;
use crate::commands::is_account;
use crate::exit::Usage;
use crate::settings::did_you_mean;

const KINDS: [&str; 4] = ["breakglass", "vendor", "accepted", "false_positive"];
const KEYS: [&str; 7] = ["id", "match", "kind", "owner", "reason", "ticket", "expires"];

/// All exceptions of a file, in its order.
#[derive(Debug, Default)]
pub(super) struct Exceptions {
    list: Vec<Exception>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Exception {
    pub(super) id: String,
    pub(super) owner: String,
    /// As written.
    pub(super) expires: String,
    /// The instant from which it is expired, in microseconds.
    expires_micros: i64,
    /// The report that it is about; any where it names none.
    pub(super) report: Option<String>,
    account: Option<String>,
    /// What is to be said where `account` is neither an id nor a name of one.
    account_complaint: Option<Usage>,
    arn: Option<String>,
    tag: Option<(String, Option<String>)>,
    columns: Vec<(String, String)>,
}

impl Exception {
    /// Whether it has run out at `as_of`, which is the end of what is looked at: on the day itself it holds.
    pub(super) fn is_expired(&self, as_of: i64) -> bool {
        as_of > self.expires_micros
    }
}

impl Exceptions {
    /// Reads the file. `reports` are those that it may name.
    pub(super) fn read(path: &Path, reports: &Reports) -> Result<Self, Usage> {
        let text = toml_text::read("--exceptions", path)?;
        Self::parse(&text, path, reports)
    }

    fn parse(text: &str, path: &Path, reports: &Reports) -> Result<Self, Usage> {
        let document = Document { text, path };
        let mut list: Vec<Exception> = Vec::new();
        let mut ids = BTreeSet::new();
        for (span, entries) in document.tables("exception")? {
            let exception = exception(&document, &span, entries, reports)?;
            if !ids.insert(exception.id.clone()) {
                let message = format!("there is another exception with the id {}", exception.id);
                return Err(document.complain(&span, &message));
            }
            list.push(exception);
        }
        Ok(Self { list })
    }

    /// Those that may match rows of that report.
    pub(super) fn about<'a>(&'a self, report: &'a str) -> impl Iterator<Item = &'a Exception> {
        self.list.iter().filter(move |exception| {
            exception.report.as_ref().is_none_or(|wanted| wanted == report)
        })
    }

    /// Puts ids where accounts are called by their names. Until then such an exception matches nothing.
    pub(super) fn name_accounts(&mut self, accounts: &Accounts) -> Result<(), Usage> {
        for exception in &mut self.list {
            let (Some(account), Some(complaint)) =
                (&mut exception.account, exception.account_complaint.take())
            else {
                continue;
            };
            *account = accounts
                .id_of(account)
                .map_err(|problem| Usage::new(format!("{complaint}{problem}")))?;
        }
        Ok(())
    }

    /// Whether an account is called by its name.
    pub(super) fn has_account_names(&self) -> bool {
        self.list.iter().any(|exception| exception.account_complaint.is_some())
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Exception> {
        self.list.iter()
    }
}

fn exception(
    document: &Document<'_>,
    span: &std::ops::Range<usize>,
    entries: Vec<Entry>,
    reports: &Reports,
) -> Result<Exception, Usage> {
    let mut texts: Vec<(&str, String)> = Vec::new();
    let (mut matched, mut expires) = (None, None);
    for Entry { name, span, value } in entries {
        let complain = |problem: String| document.complain(&span, &problem);
        let Some(key) = KEYS.into_iter().find(|key| *key == name) else {
            let hint = did_you_mean(&name, KEYS.into_iter());
            return Err(complain(format!("{name} is no part of an exception{hint}")));
        };
        match (key, value) {
            ("match", Value::Table(entries)) => matched = Some((span, entries)),
            ("match", value) => {
                let found = value.kind();
                return Err(complain(format!(
                    "match: expected a table such as {{ report = \"edges\" }}, found {found}"
                )));
            }
            ("expires", Value::Text(text) | Value::Time(text)) => {
                let time = clock::parse_time(&text);
                let time = time.map_err(|error| complain(format!("expires: {error}")))?;
                expires = Some((text, time.end()));
            }
            (key, Value::Text(text)) if !text.trim().is_empty() => texts.push((key, text)),
            (key, Value::Text(_)) => return Err(complain(format!("{key} is empty"))),
            (key, value) => {
                return Err(complain(format!("{key}: expected text, found {}", value.kind())));
            }
        }
    }
    let text =
        |key: &str| texts.iter().find(|(name, _)| *name == key).map(|(_, text)| text.clone());
    let needed = |key: &str| {
        text(key).ok_or_else(|| document.complain(span, &format!("the exception has no {key}")))
    };
    let id = needed("id")?;
    let kind = needed("kind")?;
    if !KINDS.contains(&kind.as_str()) {
        let message = format!("kind '{kind}' is none of {}", KINDS.join(", "));
        return Err(document.complain(span, &message));
    }
    let owner = needed("owner")?;
    needed("reason")?;
    let Some((expires, expires_micros)) = expires else {
        let message =
            "the exception has no expires: write a day such as 2027-01-31, or nobody looks again";
        return Err(document.complain(span, message));
    };
    let Some((match_span, entries)) = matched else {
        return Err(document.complain(span, "the exception has no match"));
    };
    let mut exception = Exception {
        id,
        owner,
        expires,
        expires_micros,
        report: None,
        account: None,
        account_complaint: None,
        arn: None,
        tag: None,
        columns: Vec::new(),
    };
    for entry in entries {
        set_match(&mut exception, document, entry, reports)?;
    }
    let narrowed = exception.account.is_some()
        || exception.arn.is_some()
        || exception.tag.is_some()
        || !exception.columns.is_empty();
    if !narrowed {
        let message = "match would except every row: add account, arn, tag or a column";
        return Err(document.complain(&match_span, message));
    }
    check_columns(&exception, document, &match_span, reports)?;
    Ok(exception)
}

fn set_match(
    exception: &mut Exception,
    document: &Document<'_>,
    Entry { name, span, value }: Entry,
    reports: &Reports,
) -> Result<(), Usage> {
    let complain = |problem: String| document.complain(&span, &problem);
    let Value::Text(text) = value else {
        return Err(complain(format!("match.{name}: expected text, found {}", value.kind())));
    };
    if text.trim().is_empty() {
        return Err(complain(format!("match.{name} is empty")));
    }
    match name.as_str() {
        "report" => {
            reports.get(&text).map_err(|error| complain(format!("match.report: {error}")))?;
            exception.report = Some(text);
        }
        "account" => {
            let text = text.trim().to_owned();
            if !is_account(&text) {
                if text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(complain(format!("match.account: '{text}' is not 12 digits")));
                }
                exception.account_complaint = Some(complain("match.account".to_owned()));
            }
            exception.account = Some(text);
        }
        "arn" => {
            if !text.starts_with("arn:") && !text.starts_with('*') {
                return Err(complain(format!("match.arn: '{text}' does not begin with arn:")));
            }
            exception.arn = Some(text);
        }
        "tag" => {
            exception.tag = Some(match text.split_once('=') {
                Some((name, value)) => (name.trim().to_owned(), Some(value.trim().to_owned())),
                None => (text, None),
            });
        }
        _ => exception.columns.push((name, text)),
    }
    Ok(())
}

/// A misspelt column would match nothing, without a word.
fn check_columns(
    exception: &Exception,
    document: &Document<'_>,
    span: &std::ops::Range<usize>,
    reports: &Reports,
) -> Result<(), Usage> {
    for (name, _) in &exception.columns {
        let about = reports
            .list()
            .filter(|report| exception.report.as_ref().is_none_or(|wanted| *wanted == report.name));
        let known: BTreeSet<&str> =
            about.flat_map(|report| &report.columns).map(|column| column.name.as_str()).collect();
        if !known.contains(name.as_str()) {
            let words = ["report", "account", "arn", "tag"].into_iter();
            let hint = did_you_mean(name, words.chain(known.iter().copied()));
            let of = exception
                .report
                .as_deref()
                .map_or("any report".to_owned(), |report| format!("report {report}"));
            return Err(
                document.complain(span, &format!("match.{name} is no column of {of}{hint}"))
            );
        }
    }
    Ok(())
}

/// What exceptions look at in the rows of one batch.
pub(super) struct Facts {
    /// Columns of text, by name.
    texts: Vec<(String, Vec<Option<String>>)>,
    /// Everything in columns of tags.
    tags: Vec<Vec<(String, String)>>,
    /// What each row is about, where that is a user, a role or a caller.
    subjects: Vec<Option<Subject>>,
}

impl Facts {
    /// Reads the batch once, for all exceptions. `subject` is the column that the report's front-matter names.
    pub(super) fn of(batch: &RecordBatch, subject: &str) -> anyhow::Result<Self> {
        let mut texts = Vec::new();
        let mut tags = vec![Vec::new(); batch.num_rows()];
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let name = field.name();
            if name == "tags" || name.ends_with("_tags") {
                for (all, more) in tags.iter_mut().zip(cells::maps(array)?) {
                    all.extend(more);
                }
            } else if !matches!(array.data_type(), arrow::datatypes::DataType::List(_)) {
                texts.push((name.clone(), cells::texts(array)?));
            }
        }
        let mut facts = Self { texts, tags, subjects: Vec::new() };
        let is_there = |name: &str| facts.texts.iter().any(|(other, _)| other == name);
        let rows = 0..batch.num_rows();
        let subjects = rows.map(|row| Subject::of(subject, is_there, |name| facts.text(name, row)));
        facts.subjects = subjects.collect();
        Ok(facts)
    }

    fn text(&self, column: &str, row: usize) -> Option<&str> {
        let (_, values) = self.texts.iter().find(|(name, _)| name == column)?;
        values.get(row)?.as_deref()
    }

    fn subject(&self, row: usize) -> Option<&Subject> {
        self.subjects.get(row)?.as_ref()
    }

    /// Whether the row is of that account: by its `account_id`, else by where its subject lies.
    fn is_of(&self, account: &str, row: usize) -> bool {
        let own = self.text("account_id", row);
        own.or_else(|| self.subject(row)?.account()) == Some(account)
    }

    /// Whether `exception` is about that row.
    pub(super) fn matches(&self, exception: &Exception, row: usize) -> bool {
        let account = exception.account.as_ref().is_none_or(|account| self.is_of(account, row));
        let arn = || {
            exception.arn.as_ref().is_none_or(|wanted| {
                self.subject(row).is_some_and(|subject| subject.is_meant_by(wanted))
            })
        };
        let tag = || {
            exception.tag.as_ref().is_none_or(|(name, value)| {
                let tags = self.tags.get(row).into_iter().flatten();
                // To IAM, too, tags whose names differ by case alone are one.
                let mut tags = tags.filter(|(other, _)| other.trim().eq_ignore_ascii_case(name));
                tags.any(|(_, other)| {
                    value.as_ref().is_none_or(|value| {
                        glob(&value.to_lowercase(), &other.trim().to_lowercase())
                    })
                })
            })
        };
        let columns = || {
            exception.columns.iter().all(|(column, wanted)| {
                self.text(column, row).is_some_and(|value| glob(wanted, value))
            })
        };
        account && arn() && tag() && columns()
    }
}

#[cfg(test)]
mod tests;
