//! What a reason code means: `queries/reasons.toml`, read once.
//!
//! A report's SQL yields codes and the figures that their sentences need; sentences, what to do next and how sure an
//! answer is are told by the codes alone, so that one code says the same in every report. Does not know which code
//! holds for which row: that is the SQL's business.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::LazyLock;

use toml::de::{DeTable, DeValue};

use crate::catalog::QUERIES;
use crate::{QueryError, suggest};

mod rows;
mod template;

pub(crate) use self::rows::{Explained, Explainer};
use self::template::Template;

const FILE: &str = "reasons.toml";

/// How sure an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// What is known does not say.
    Low,
    /// Something that could tell otherwise was not seen.
    Medium,
    /// Nothing that is known speaks against it.
    High,
}

impl Confidence {
    fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Low, Self::Medium, Self::High].into_iter().find(|one| one.as_str() == word)
    }
}

/// What to do about a reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Next {
    step: Option<Template>,
    command: Option<Template>,
    undo: Option<Template>,
}

/// A reason code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The code, as in `reason_codes`.
    pub code: String,
    /// What it means, in a few words.
    pub title: String,
    /// The sentence of a row, with the row's figures in it.
    sentence: Template,
    /// The sentence is about the account: said once for a report, not on every row.
    account_wide: bool,
    /// What it means for how sure the answer is; `high` settles it, whatever else is not known.
    confidence: Option<Confidence>,
    /// What mends it, or is to be done, in any report.
    mend: Next,
    /// What is to be done, in reports that say more than that.
    next: BTreeMap<String, Next>,
}

/// All codes.
#[derive(Debug, Default)]
pub struct Reasons {
    by_code: BTreeMap<String, Reason>,
}

static BUILT_IN: LazyLock<Result<Reasons, String>> = LazyLock::new(|| {
    let text = QUERIES.get_file(FILE).and_then(|file| file.contents_utf8()).unwrap_or_default();
    Reasons::parse(text)
});

impl Reasons {
    /// The codes of the built-in reports.
    pub fn built_in() -> Result<&'static Self, QueryError> {
        BUILT_IN.as_ref().map_err(|problem| QueryError::ReportFile {
            file: format!("queries/{FILE}"),
            line: 1,
            problem: problem.clone(),
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table = DeTable::parse(text).map_err(|error| error.to_string())?;
        let mut by_code = BTreeMap::new();
        for (code, value) in table.get_ref() {
            let code = code.get_ref().to_string();
            let DeValue::Table(table) = value.get_ref() else {
                return Err(format!("{code} is no table"));
            };
            let reason = reason(&code, table).map_err(|problem| format!("{code}: {problem}"))?;
            by_code.insert(code, reason);
        }
        Ok(Self { by_code })
    }

    /// The reason called `code`, in any case; the error names a near one.
    pub fn get(&self, code: &str) -> Result<&Reason, QueryError> {
        let found = self.by_code.get(&code.to_ascii_uppercase());
        found.ok_or_else(|| {
            let names = self.by_code.keys().map(String::as_str);
            let near = suggest::nearest(&code.to_ascii_uppercase(), names);
            let hint = near.map(|near| format!(" (did you mean '{near}'?)")).unwrap_or_default();
            QueryError::UnknownReason { code: code.to_owned(), hint }
        })
    }

    /// All of them as a page of Markdown: `docs/reason-codes.md`.
    pub fn page(&self) -> String {
        let mut page = "# Reason codes\n\nWhat stands in `reason_codes` of the reports, from \
                        [`queries/reasons.toml`](../queries/reasons.toml). `rolecall report --explain CODE` says more: what \
                        to do, and which reports use it. `rolecall report --explain reason-codes` prints this page.\n\n\
                        | code | what it means | in a row | confidence |\n|---|---|---|---|\n"
            .to_owned();
        for reason in self.list() {
            let sure = reason.confidence.map_or("", Confidence::as_str);
            let sentence = reason.sentence.to_string().replace(['<', '>'], "*");
            // Writing to a String cannot fail.
            let _ =
                writeln!(page, "| `{}` | {} | {sentence} | {sure} |", reason.code, reason.title);
        }
        page
    }

    /// All of them, by code.
    pub fn list(&self) -> impl Iterator<Item = &Reason> {
        self.by_code.values()
    }
}

impl Reason {
    /// The figures that its sentence needs.
    pub fn figures(&self) -> BTreeSet<&str> {
        self.sentence.figures().collect()
    }

    /// The figures that what it says to do next in `report` needs.
    pub fn figures_of_next(&self, report: &str) -> BTreeSet<&str> {
        let next = self.next.get(report).unwrap_or(&self.mend);
        let all = [&next.step, &next.command, &next.undo];
        all.into_iter().flatten().flat_map(Template::figures).collect()
    }

    /// The code in words: title, sentence, what it means for confidence, and what mends it.
    pub fn explain(&self) -> String {
        let mut text = format!("{}: {}\n\n  \"{}\"\n", self.code, self.title, self.sentence);
        let sure = match self.confidence {
            Some(Confidence::High) => "It settles the answer: confidence is high.",
            Some(Confidence::Medium) => "With it, confidence is medium at most.",
            Some(Confidence::Low) => "With it, confidence is low.",
            None => "It leaves confidence as it is.",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{sure}");
        if self.account_wide {
            let _ = writeln!(text, "It is about the account, and said once for a report.");
        }
        let general = [("Next", &self.mend)];
        let next = self.next.iter().map(|(report, next)| (report.as_str(), next));
        for (of, next) in general.into_iter().chain(next) {
            let lines = [("", &next.step), ("command: ", &next.command), ("undo: ", &next.undo)];
            for (what, template) in lines {
                if let Some(template) = template {
                    let _ = writeln!(text, "{of}: {what}{template}");
                }
            }
        }
        text
    }
}

fn text<'a>(table: &'a DeTable<'_>, key: &str) -> Result<Option<&'a str>, String> {
    match table.get(key).map(|value| value.get_ref()) {
        None => Ok(None),
        Some(DeValue::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{key} is no text")),
    }
}

fn template(table: &DeTable<'_>, key: &str) -> Result<Option<Template>, String> {
    text(table, key)?.map(Template::parse).transpose()
}

fn next(table: &DeTable<'_>) -> Result<Next, String> {
    known(table, &["step", "command", "undo"])?;
    Ok(Next {
        step: template(table, "step")?,
        command: template(table, "command")?,
        undo: template(table, "undo")?,
    })
}

fn known(table: &DeTable<'_>, keys: &[&str]) -> Result<(), String> {
    let unknown = table.keys().find(|key| !keys.contains(&key.get_ref().as_ref()));
    unknown.map_or(Ok(()), |key| Err(format!("unknown key '{}'", key.get_ref())))
}

fn reason(code: &str, table: &DeTable<'_>) -> Result<Reason, String> {
    known(table, &["title", "sentence", "account_wide", "confidence", "mend", "next"])?;
    let inner = |key: &str| match table.get(key).map(|value| value.get_ref()) {
        None => Ok(None),
        Some(DeValue::Table(table)) => Ok(Some(table)),
        Some(_) => Err(format!("{key} is no table")),
    };
    let mut by_report = BTreeMap::new();
    for (report, value) in inner("next")?.into_iter().flatten() {
        let DeValue::Table(table) = value.get_ref() else {
            return Err("next has a table for each report".to_owned());
        };
        by_report.insert(report.get_ref().to_string(), next(table)?);
    }
    let confidence = match text(table, "confidence")? {
        None => None,
        Some(word) => {
            let known = Confidence::from_word(word);
            Some(known.ok_or_else(|| format!("confidence: '{word}'"))?)
        }
    };
    Ok(Reason {
        code: code.to_owned(),
        title: text(table, "title")?.ok_or("it has no title")?.to_owned(),
        sentence: template(table, "sentence")?.ok_or("it has no sentence")?,
        account_wide: matches!(
            table.get("account_wide").map(|value| value.get_ref()),
            Some(DeValue::Boolean(true))
        ),
        confidence,
        mend: inner("mend")?.map(next).transpose()?.unwrap_or_default(),
        next: by_report,
    })
}

#[cfg(test)]
mod tests;
