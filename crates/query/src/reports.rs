//! Reports: files of plain SQL over the views, with front-matter that says what they answer.
//!
//! Ours are built into the binary; a folder of the user's own can add to them or take a name over.
//! What a report's SQL means is not looked at here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::catalog::QUERIES;
use crate::front_matter::FrontMatter;
use crate::params::{self, Param};
use crate::reasons::{Explainer, Reasons};
use crate::{Findings, QueryError, Rows, Session, Values, findings, parts, suggest};

const KEYS: [&str; 12] = [
    "title", "question", "with", "pitfall", "findings", "subject", "key", "watch", "screen",
    "coverage", "figures", "all",
];

/// A report, as its file says it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Name: the file's, without `.sql`.
    pub name: String,
    /// File it was read from.
    pub file: String,
    /// Title.
    pub title: String,
    /// The question that it answers.
    pub question: String,
    /// Its parameters, in order.
    pub params: Vec<Param>,
    /// Its columns, in order.
    pub columns: Vec<ReportColumn>,
    /// The mistake that it avoids.
    pub pitfall: String,
    /// Which of its rows are findings, if it says so.
    pub findings: Option<Findings>,
    /// The column that holds the ARN of what a row is about: a user, a role, a caller. Empty where it does not say.
    pub subject: String,
    /// The columns that tell a row from the others, from one run to the next; empty where it does not say.
    pub key: Vec<String>,
    /// The columns whose change, from one run to the next, is one of the row though its verdict be the same.
    pub watch: Vec<String>,
    /// Whether the share of the window that the logs hold says how far it can be relied on; `coverage: none` says that
    /// it does not.
    pub judged_by_coverage: bool,
    /// Whether it is one of those that run when all reports do; `all: no` says that it is about one thing, which is asked for.
    pub in_all: bool,
    /// The columns that come first where a screen has no room for all; empty where it does not say.
    pub screen: Vec<String>,
    /// Columns of its SQL that only the sentences of its reasons need; they are no columns of the answer.
    pub figures: Vec<String>,
    /// The query, with the parts that it shares with others (`with`) at its head.
    pub sql: String,
    /// As much of it as its reason codes come from.
    #[serde(skip)]
    judging: String,
}

/// A column of a report.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ReportColumn {
    /// Name.
    pub name: String,
    /// What it says, in one line.
    pub comment: String,
}

impl Report {
    fn parse(file: &str, name: &str, text: &str) -> Result<Self, QueryError> {
        let matter = FrontMatter::parse(file, text, &KEYS)?;
        let error = |problem: &str| QueryError::ReportFile {
            file: file.to_owned(),
            line: 1,
            problem: problem.to_owned(),
        };
        let value = |key: &str| matter.value(key).unwrap_or_default().to_owned();
        if matter.value("title").is_none() {
            return Err(error("the front-matter has no title"));
        }
        if matter.sql.is_empty() {
            return Err(error("there is no SQL below the front-matter"));
        }
        let params = matter.section("params").map(|entry| Param::parse(file, entry));
        let columns = matter
            .section("columns")
            .map(|entry| ReportColumn { name: entry.name.clone(), comment: entry.text.clone() });
        let columns: Vec<ReportColumn> = columns.collect();
        let known = |key: &str, named: &str| {
            if columns.iter().any(|column| column.name == named) {
                return Ok(());
            }
            Err(error(&format!("{key} names no column: {named}")))
        };
        let findings = matter.value("findings").map(Findings::parse).transpose();
        let findings = findings.map_err(|problem| error(&format!("findings: {problem}")))?;
        if let Some(column) = findings.as_ref().and_then(Findings::column) {
            known("findings", column)?;
        }
        let listed = |name: &str| {
            let columns = findings::names(&value(name));
            columns.iter().try_for_each(|column| known(name, column))?;
            Ok::<_, QueryError>(columns)
        };
        let subject = value("subject");
        if !subject.is_empty() {
            known("subject", &subject)?;
        }
        let (key, watch, screen) = (listed("key")?, listed("watch")?, listed("screen")?);
        let judged_by_coverage = match matter.value("coverage") {
            None | Some("window") => true,
            Some("none") => false,
            Some(other) => {
                return Err(error(&format!("coverage: '{other}' is neither 'window' nor 'none'")));
            }
        };
        let in_all = match matter.value("all") {
            None | Some("yes") => true,
            Some("no") => false,
            Some(other) => return Err(error(&format!("all: '{other}' is neither 'yes' nor 'no'"))),
        };
        Ok(Self {
            name: name.to_owned(),
            file: file.to_owned(),
            title: value("title"),
            question: value("question"),
            params: params.collect::<Result<_, _>>()?,
            columns,
            pitfall: value("pitfall"),
            findings,
            subject,
            key,
            watch,
            judged_by_coverage,
            in_all,
            screen,
            figures: findings::names(&value("figures")),
            sql: parts::compose(file, &matter)?,
            judging: parts::judging(file, &matter)?,
        })
    }

    /// The column that holds the verdict, out of those that its front-matter names.
    pub fn verdict_column(&self) -> Option<&str> {
        let columns = self.columns.iter().map(|column| column.name.as_str());
        findings::verdict_column(self.findings.as_ref(), columns)
    }

    /// The values that its verdict may have, as far as its front-matter names them: words in capitals, and
    /// what it calls findings.
    pub fn verdicts(&self) -> Vec<&str> {
        let column = self.verdict_column();
        let comment = self.columns.iter().find(|c| Some(c.name.as_str()) == column);
        let comment = comment.map(|column| column.comment.as_str()).unwrap_or_default();
        let words = comment.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let mut values: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        if let Some(Findings::In { values: named, .. }) = &self.findings {
            values.extend(named.iter().map(String::as_str));
        }
        values
    }

    /// The values for its placeholders: what was typed, else defaults. `now` is in microseconds.
    pub fn bind(&self, given: &BTreeMap<String, String>, now: i64) -> Result<Values, QueryError> {
        params::bind(&self.name, &self.params, given, now)
    }

    /// Whether its SQL may yield a reason code.
    pub fn yields(&self, code: &str) -> bool {
        self.judging.contains(&format!("'{code}'"))
    }

    /// The report in words: question, parameters, columns, pitfall and SQL.
    pub fn explain(&self) -> String {
        let mut text = format!("{}: {}\n{}\n", self.name, self.title, self.question);
        let mut section = |title: &str, lines: Vec<(String, &str)>| {
            let width =
                lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\n{title}");
            for (name, comment) in lines {
                let _ = writeln!(text, "  {name:width$}  {comment}");
            }
        };
        let params = self.params.iter().map(|param| {
            let default = param.default.as_ref().map(|default| format!(" = {default}"));
            let flag = param.name.replace('_', "-");
            let name = format!("--{flag} {}{}", param.kind.as_str(), default.unwrap_or_default());
            (name, param.comment.as_str())
        });
        section("Parameters", params.collect());
        let columns = self.columns.iter().map(|c| (c.name.clone(), c.comment.as_str()));
        section("Columns", columns.collect());
        if let Some(Findings::In { column, values }) = &self.findings {
            let _ = writeln!(text, "\nFindings\n  {column} is one of {}", values.join(", "));
        }
        if !self.subject.is_empty() {
            let _ = writeln!(text, "\nWhat a row is about (--exceptions)\n  {}", self.subject);
        }
        if !self.watch.is_empty() {
            let _ = writeln!(
                text,
                "\nWatched from run to run (--since-last)\n  {}",
                self.watch.join(", ")
            );
        }
        if !self.judged_by_coverage {
            let _ = writeln!(
                text,
                "\nNot asked by --require-coverage: it does not rest on the logs alone"
            );
        }
        if !self.in_all {
            let _ = writeln!(text, "\nNot one of --all: it is about what is asked for");
        }
        if !self.pitfall.is_empty() {
            text.push_str(&format!("\nMind\n  {}\n", self.pitfall));
        }
        text.push_str(&format!("\nSQL ({})\n\n{}\n", self.file, self.sql));
        text
    }
}

/// Reports by name.
#[derive(Debug, Clone, Default)]
pub struct Reports {
    by_name: BTreeMap<String, Report>,
}

impl Reports {
    /// The reports that are built in.
    pub fn built_in() -> Result<Self, QueryError> {
        let mut reports = Self::default();
        for file in QUERIES.files() {
            let path = file.path();
            let Some(name) = report_name(path) else { continue };
            let text = file.contents_utf8().unwrap_or_default();
            reports.add(&format!("queries/{}", path.display()), &name, text)?;
        }
        Ok(reports)
    }

    /// Adds the `*.sql` files of `folder`; a report of the same name is replaced.
    pub fn with_folder(mut self, folder: &Path) -> Result<Self, QueryError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |source| QueryError::Unreadable { path, source }
        };
        let entries = std::fs::read_dir(folder).map_err(unreadable(folder))?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(unreadable(folder))?;
        paths.sort_unstable();
        for path in paths {
            let Some(name) = report_name(&path) else { continue };
            let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
            self.add(&path.display().to_string(), &name, &text)?;
        }
        Ok(self)
    }

    fn add(&mut self, file: &str, name: &str, text: &str) -> Result<(), QueryError> {
        self.by_name.insert(name.to_owned(), Report::parse(file, name, text)?);
        Ok(())
    }

    /// All reports, by name.
    pub fn list(&self) -> impl Iterator<Item = &Report> {
        self.by_name.values()
    }

    /// The report called `name`.
    pub fn get(&self, name: &str) -> Result<&Report, QueryError> {
        self.by_name.get(name).ok_or_else(|| {
            let known: Vec<_> = self.by_name.keys().map(String::as_str).collect();
            let near = suggest::nearest(name, known.iter().copied());
            let hint = near.map(|near| format!(" (did you mean '{near}'?)")).unwrap_or_default();
            QueryError::UnknownReport {
                name: name.to_owned(),
                known: format!("{}{hint}", known.join(", ")),
            }
        })
    }
}

fn report_name(path: &Path) -> Option<String> {
    let is_sql = path.extension().is_some_and(|extension| extension == "sql");
    let name = path.file_stem()?.to_str()?;
    is_sql.then(|| name.to_owned())
}

impl Session {
    /// Runs `report`. `given` holds parameters as typed by the user; `now` is in microseconds.
    pub async fn report(
        &self,
        report: &Report,
        given: &BTreeMap<String, String>,
        now: i64,
    ) -> Result<Rows, QueryError> {
        self.run(report, &report.bind(given, now)?).await
    }

    /// Runs `report` with values that [`Report::bind`] made.
    pub async fn run(&self, report: &Report, values: &Values) -> Result<Rows, QueryError> {
        let rows = self.sql(&report.sql, values).await.map_err(|error| match error {
            QueryError::Sql { message, hint } => {
                QueryError::Sql { message: format!("{}: {message}", report.file), hint }
            }
            other => other,
        })?;
        let explainer = Explainer::new(report, &rows.schema, Reasons::built_in()?);
        Ok(rows.explained_by(explainer))
    }
}
