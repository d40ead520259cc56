//! What helps while typing: completion, colour, and knowing when a statement is finished.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Whitespace};
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Hinter};

use super::command::{self, COMMANDS};
use super::statement;
use super::{Catalog, Relation};
use crate::render::Format;
use crate::term::{Ink, Screen};

/// The words of SQL that people type in queries; the engine knows more.
const KEYWORDS: [&str; 72] = [
    "ALL",
    "AND",
    "ANY",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CREATE",
    "CROSS",
    "CURRENT",
    "DATE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXTRACT",
    "FALSE",
    "FILTER",
    "FIRST",
    "FOLLOWING",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LAST",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PRECEDING",
    "RECURSIVE",
    "RIGHT",
    "ROW",
    "ROWS",
    "SELECT",
    "SHOW",
    "TABLE",
    "THEN",
    "TIMESTAMP",
    "TRUE",
    "UNBOUNDED",
    "UNION",
    "UNNEST",
    "USING",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WITH",
];

/// The helper that the line editor asks.
#[derive(Helper, Hinter)]
pub(super) struct LineHelper {
    pub(super) catalog: Arc<Catalog>,
    pub(super) screen: Screen,
}

impl Validator for LineHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_finished(context.input()) {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

/// Whether Enter runs what has been typed rather than beginning another line.
pub(super) fn is_finished(input: &str) -> bool {
    if command::is_command(input) {
        return true;
    }
    let split = statement::split(input);
    split.rest_is_blank
}

impl Completer for LineHelper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, candidates) = complete(line, position, &self.catalog);
        let pair = |text: String| Pair { display: text.clone(), replacement: text };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

/// What the word that ends at `position` could become, and where that word begins.
pub(super) fn complete(line: &str, position: usize, catalog: &Catalog) -> (usize, Vec<String>) {
    let before = line.get(..position).unwrap_or(line);
    if before.trim_start().starts_with(['.', '\\']) && !before.contains('\n') {
        return complete_command(before, catalog);
    }
    let start = word_start(before);
    let (context, word) = before.split_at(start);
    if statement::scan(context).is_open {
        return (position, Vec::new());
    }
    if let Some(qualified) = context.strip_suffix('.') {
        let qualifier = &qualified[word_start(qualified)..];
        let relation = relation_of(line, qualifier, catalog);
        let columns = relation.into_iter().flat_map(|relation| &relation.columns);
        return (start, matching(word, columns.map(|column| column.name.as_str())));
    }
    let names = catalog.relations.iter().map(|relation| relation.name.as_str());
    if wants_relation(context) {
        return (start, matching(word, names));
    }
    if word.is_empty() {
        return (start, Vec::new());
    }
    let mentioned = mentioned(line, catalog);
    let columns = mentioned.iter().flat_map(|relation| &relation.columns);
    let mut found = matching(word, columns.map(|column| column.name.as_str()));
    let functions: Vec<_> = catalog.functions.iter().map(|name| format!("{name}(")).collect();
    found.extend(matching(word, names));
    found.extend(matching(word, functions.iter().map(String::as_str)));
    let lower = word.chars().all(|c| !c.is_uppercase());
    let keywords = matching(word, KEYWORDS.into_iter());
    found.extend(keywords.into_iter().map(|word| if lower { word.to_lowercase() } else { word }));
    (start, found)
}

fn complete_command(before: &str, catalog: &Catalog) -> (usize, Vec<String>) {
    let start = before.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
    let (head, word) = before.split_at(start);
    let Some(name) = head.split_whitespace().next() else {
        return (start, matching(word, COMMANDS.iter().map(|command| command.name)));
    };
    let found = match command::canonical(name) {
        Some(".schema") => {
            matching(word, catalog.relations.iter().map(|relation| relation.name.as_str()))
        }
        Some(".format") => matching(word, Format::ALL.into_iter().map(Format::name)),
        Some(".timing" | ".records") => matching(word, ["on", "off"].into_iter()),
        _ => Vec::new(),
    };
    (start, found)
}

/// The names that begin with `word` in any case, sorted, each once.
fn matching<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let begins =
        |name: &&str| name.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    let mut found: Vec<_> = names.filter(begins).map(str::to_owned).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn word_start(text: &str) -> usize {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.trim_end_matches(is_part).len()
}

/// Whether a table or view must come next.
fn wants_relation(context: &str) -> bool {
    let tokens = statement::scan(context).tokens;
    let last = tokens.iter().rev().find(|(_, token)| !matches!(token, Token::Whitespace(_)));
    matches!(last, Some((_, Token::Word(word))) if matches!(
        word.keyword,
        Keyword::FROM | Keyword::JOIN | Keyword::DESCRIBE | Keyword::DESC | Keyword::TABLE
    ))
}

/// The relations that the text names.
fn mentioned<'a>(text: &str, catalog: &'a Catalog) -> Vec<&'a Relation> {
    let tokens = statement::scan(text).tokens;
    let words = tokens.iter().filter_map(|(_, token)| match token {
        Token::Word(word) => Some(&word.value),
        _ => None,
    });
    let named: Vec<_> = words.collect();
    let is_named =
        |relation: &&Relation| named.iter().any(|name| name.eq_ignore_ascii_case(&relation.name));
    catalog.relations.iter().filter(is_named).collect()
}

/// The relation of that name, or the one that has it as its alias: `assumptions [AS] a`.
fn relation_of<'a>(text: &str, name: &str, catalog: &'a Catalog) -> Option<&'a Relation> {
    let of_name = |name: &str| {
        catalog.relations.iter().find(|relation| relation.name.eq_ignore_ascii_case(name))
    };
    if let Some(relation) = of_name(name) {
        return Some(relation);
    }
    let tokens = statement::scan(text).tokens;
    let mut words = tokens.iter().filter(|(_, token)| {
        !matches!(token, Token::Whitespace(_))
            && !matches!(token, Token::Word(word) if word.keyword == Keyword::AS)
    });
    let mut before: Option<&str> = None;
    words.find_map(|(_, token)| {
        let Token::Word(word) = token else {
            before = None;
            return None;
        };
        let relation = before.filter(|_| word.value.eq_ignore_ascii_case(name)).and_then(of_name);
        before = Some(&word.value);
        relation
    })
}

impl Highlighter for LineHelper {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if !self.screen.colour || command::is_command(line) {
            return Cow::Borrowed(line);
        }
        let mut out = String::with_capacity(line.len() * 2);
        let mut end = 0;
        for (range, token) in statement::scan(line).tokens {
            let text = line.get(range.clone()).unwrap_or_default();
            end = range.end;
            match ink(&token) {
                Some(ink) => out.push_str(&self.screen.paint(ink, text).to_string()),
                None => out.push_str(text),
            }
        }
        out.push_str(line.get(end..).unwrap_or_default());
        Cow::Owned(out)
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Owned(self.screen.paint(Ink::Bold, prompt).to_string())
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.screen.colour && kind != CmdKind::MoveCursor
    }
}

fn ink(token: &Token) -> Option<Ink> {
    match token {
        Token::Word(word) if word.quote_style.is_none() && word.keyword != Keyword::NoKeyword => {
            let shown = word.value.to_ascii_uppercase();
            KEYWORDS.binary_search(&shown.as_str()).is_ok().then_some(Ink::Name)
        }
        Token::SingleQuotedString(_) => Some(Ink::Good),
        Token::Number(..) => Some(Ink::Warn),
        Token::Whitespace(
            Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_),
        ) => Some(Ink::Dim),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::catalog;
    use super::*;

    fn check(line: &str, expect: &[&str]) {
        let (_, found) = complete(line, line.len(), &catalog());
        assert_eq!(found, expect, "{line}");
    }

    #[test]
    fn completes_what_may_come_next() {
        check("SELECT * FROM ass", &["assumptions"]);
        check("select * from ", &["activity", "assumptions"]);
        check("SELECT a.rol| FROM assumptions".split('|').next().unwrap_or_default(), &[]);
        check("SELECT arn", &["arn_account(", "arn_name("]);
        check("sel", &["select"]);
        check("SEL", &["SELECT"]);
        check("", &[]);
        check("SELECT 'from ", &[]);
        check("SELECT x -- from ", &[]);
    }

    #[test]
    fn completes_columns_of_what_is_named() {
        let line = "SELECT rol FROM assumptions";
        let (start, found) = complete(line, 10, &catalog());
        assert_eq!((start, found), (7, vec!["role".to_owned(), "role_arn".to_owned()]));
        check("SELECT * FROM assumptions AS a JOIN activity b ON a.ev", &["event_time"]);
        check(
            "SELECT * FROM assumptions a JOIN activity b ON b.",
            &["access_key_id", "event_count"],
        );
        check("SELECT activity.", &["access_key_id", "event_count"]);
        check("SELECT * FROM assumptions WHERE z.", &[]);
    }

    #[test]
    fn completes_commands_and_their_words() {
        check(".sch", &[".schema"]);
        check(".schema a", &["activity", "assumptions"]);
        check("\\d as", &["assumptions"]);
        check(".format m", &["markdown"]);
        check(".mode js", &["json"]);
        check(".timing o", &["off", "on"]);
        check(".quit x", &[]);
    }

    #[test]
    fn enter_runs_a_finished_statement_only() {
        for text in ["SELECT 1;", ".tables", "\\q", "quit", " exit ", "", "SELECT 1; -- done", "?"]
        {
            assert!(is_finished(text), "{text}");
        }
        for text in ["SELECT 1", "SELECT ';", "SELECT 1; SELECT", "/* ; ", "quit now"] {
            assert!(!is_finished(text), "{text}");
        }
    }

    #[test]
    fn colour_changes_no_text() {
        let helper = |colour| LineHelper {
            catalog: Arc::new(catalog()),
            screen: Screen { terminal: true, width: Some(80), colour },
        };
        let line = "SELECT role, 'x;', 12 -- why\nFROM \"from\" WHERE 'open";
        let coloured = helper(true).highlight(line, 0).into_owned();
        assert!(coloured.contains("\u{1b}["));
        let mut plain = coloured;
        while let Some(start) = plain.find('\u{1b}') {
            let end = plain[start..].find('m').unwrap() + start;
            plain.replace_range(start..=end, "");
        }
        assert_eq!(plain, line);
        assert_eq!(helper(false).highlight(line, 0), line);
    }

    #[test]
    fn keywords_are_sorted_for_the_search() {
        assert!(KEYWORDS.is_sorted());
    }
}
