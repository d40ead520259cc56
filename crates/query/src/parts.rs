//! Parts of reports: common table expressions that several reports share.
//!
//! A view cannot take a parameter, and what was known *then* needs one. So a report names the parts that it builds
//! on (`-- with: held, keys`), and their text is put at the head of its own `WITH`. A part may name others. What is
//! put together is plain SQL, which `--explain` shows whole. Does not look at what the SQL means.

use crate::QueryError;
use crate::catalog::QUERIES;
use crate::front_matter::FrontMatter;

const KEYS: [&str; 3] = ["title", "comment", "with"];

/// The SQL of the report or part in `file`, with the parts that it names.
pub(crate) fn compose(file: &str, matter: &FrontMatter) -> Result<String, QueryError> {
    let mut found = Vec::new();
    collect(file, matter, &mut found, 0)?;
    if found.is_empty() {
        return Ok(matter.sql.clone());
    }
    let recursive = matter.sql.strip_prefix("WITH RECURSIVE ").map(|own| ("WITH RECURSIVE", own));
    let plain = || matter.sql.strip_prefix("WITH ").map(|own| ("WITH", own));
    let Some((with, own)) = recursive.or_else(plain) else {
        return Err(error(file, "a report with parts must begin with 'WITH '"));
    };
    let parts: Vec<_> = found.into_iter().map(|(_, sql)| sql).collect();
    Ok(format!("{with} {},\n{own}", parts.join(",\n")))
}

/// The SQL that a report's reason codes may come from: its own, and that of the parts whose codes (`AS …_codes`) it takes.
pub(crate) fn judging(file: &str, matter: &FrontMatter) -> Result<String, QueryError> {
    let mut parts = Vec::new();
    collect(file, matter, &mut parts, 0)?;
    let own = &matter.sql;
    let taken = |sql: &String| {
        let columns = sql.split(") AS ").skip(1);
        let mut columns = columns.filter_map(|rest| rest.split([',', '\n']).next());
        columns.any(|column| column.ends_with("_codes") && own.contains(column))
    };
    let parts = parts.into_iter().map(|(_, sql)| sql).filter(taken);
    Ok(parts.chain([own.clone()]).collect::<Vec<_>>().join("\n"))
}

/// `sql`, which begins with `WITH `, with the parts called `names` (`held, inventory_then`) before its own
/// expressions: for what is asked of the lake beside reports, by the same definitions.
///
/// # Errors
///
/// When there is no such part.
pub fn with_parts(names: &str, sql: &str) -> Result<String, QueryError> {
    let file = "sql";
    let matter = FrontMatter::parse(file, &format!("-- with: {names}\n{sql}\n"), &KEYS)?;
    compose(file, &matter)
}

/// Deep enough for any chain of parts that makes sense, and an end for one that goes in a circle.
const MAX_DEPTH: usize = 8;

/// Adds the parts that `matter` names to `found`, each once, those that others build on first.
fn collect(
    file: &str,
    matter: &FrontMatter,
    found: &mut Vec<(String, String)>,
    depth: usize,
) -> Result<(), QueryError> {
    if depth > MAX_DEPTH {
        return Err(error(file, "parts name each other in a circle"));
    }
    let names = matter.value("with").unwrap_or_default();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if found.iter().any(|(known, _)| known == name) {
            continue;
        }
        let path = format!("parts/{name}.sql");
        let text = QUERIES.get_file(&path).and_then(|file| file.contents_utf8());
        let text = text.ok_or_else(|| error(file, &format!("there is no part '{name}'")))?;
        let path = format!("queries/{path}");
        let part = FrontMatter::parse(&path, text, &KEYS)?;
        collect(&path, &part, found, depth + 1)?;
        found.push((name.to_owned(), part.sql));
    }
    Ok(())
}

fn error(file: &str, problem: &str) -> QueryError {
    QueryError::ReportFile { file: file.to_owned(), line: 1, problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(text: &str) -> Result<String, String> {
        let matter = FrontMatter::parse("r.sql", text, &KEYS).unwrap();
        compose("r.sql", &matter).map_err(|error| error.to_string())
    }

    #[test]
    fn parts_stand_before_the_reports_own_expressions_each_once() {
        let sql =
            composed("-- with: held, inventory_then, held\nWITH a AS (SELECT 1) SELECT * FROM a\n");
        let sql = sql.unwrap();
        assert!(sql.starts_with("WITH "), "{sql}");
        assert!(sql.ends_with(",\na AS (SELECT 1) SELECT * FROM a"), "{sql}");
        assert_eq!(sql.matches("held AS MATERIALIZED (").count(), 1, "{sql}");
        assert_eq!(sql.matches("inventory_then AS MATERIALIZED (").count(), 1, "{sql}");
    }

    #[test]
    fn what_has_no_parts_is_left_as_it_is() {
        assert_eq!(composed("-- title: x\nSELECT 1\n"), Ok("SELECT 1".to_owned()));
    }

    #[test]
    fn a_part_that_is_missing_is_named() {
        let problem = composed("-- with: nothing_like_it\nWITH a AS (SELECT 1) SELECT 1\n");
        assert_eq!(problem, Err("r.sql:1: there is no part 'nothing_like_it'".to_owned()));
        let problem = composed("-- with: held\nSELECT 1\n");
        assert_eq!(problem, Err("r.sql:1: a report with parts must begin with 'WITH '".to_owned()));
    }
}
