//! "Did you mean …?" for names that are not there.
//!
//! Looks only at the message and at the names there are; never changes what the query means.

use datafusion::common::utils::datafusion_strsim::levenshtein;

use crate::QueryError;
use crate::catalog::Relation;

/// Adds what may have been meant to an error about SQL.
pub(crate) fn explain(error: QueryError, relations: &[Relation]) -> QueryError {
    let QueryError::Sql { message, hint: None } = error else { return error };
    let hint = missing_table(&message)
        .map(|wanted| {
            let names: Vec<_> = relations.iter().map(|relation| relation.name.as_str()).collect();
            match nearest(wanted, names.iter().copied()) {
                Some(name) => format!("did you mean '{name}'? There are: {}", names.join(", ")),
                None => format!("there are: {}", names.join(", ")),
            }
        })
        .or_else(|| missing_column(&message, relations));
    QueryError::Sql { message, hint }
}

/// The name that is closest to `wanted`, if it is close at all.
pub(crate) fn nearest<'a>(
    wanted: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let scored = names.into_iter().map(|name| (levenshtein(&wanted, &name.to_lowercase()), name));
    let (distance, name) = scored.min()?;
    (distance <= 1 + wanted.chars().count() / 3).then_some(name)
}

/// `table 'rolecall.lake.NAME' not found`
fn missing_table(message: &str) -> Option<&str> {
    let (before, _) = message.split_once("' not found")?;
    let (_, name) = before.rsplit_once("table '")?;
    name.rsplit('.').next()
}

/// `No field named NAME.` DataFusion suggests a field itself only when one is very close; else it is
/// more use to say which tables have a column of that name.
fn missing_column(message: &str, relations: &[Relation]) -> Option<String> {
    let (_, after) = message.split_once("No field named ")?;
    let end = after.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '"' | '.')));
    let name = after.get(..end.unwrap_or(after.len()))?.trim_end_matches('.').replace('"', "");
    let name = name.rsplit('.').next()?;
    let holders = relations
        .iter()
        .filter(|relation| relation.columns.iter().any(|column| column.name == name))
        .map(|relation| relation.name.as_str());
    let holders: Vec<_> = holders.collect();
    (!holders.is_empty()).then(|| format!("'{name}' is a column of: {}", holders.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["assumptions", "sessions", "coverage"];
        assert_eq!(nearest("asumptions", names), Some("assumptions"));
        assert_eq!(nearest("Session", names), Some("sessions"));
        assert_eq!(nearest("users", names), None);
    }
}
