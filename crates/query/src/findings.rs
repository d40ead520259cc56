//! What a report says about its own rows: which column holds the verdict, which of its values are findings,
//! and which columns tell a row from the others.
//!
//! ```sql
//! -- findings: state in (STALE, NEVER_USED)
//! -- key: account_id, user_name, slot
//! ```
//!
//! Does not look at rows.

/// The columns that hold a verdict where the front-matter names none, the first that is there.
const VERDICT_COLUMNS: [&str; 4] = ["verdict", "state", "outcome", "severity"];

/// Which rows of a report are findings.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Findings {
    /// Every row.
    All,
    /// Rows with one of these values in this column.
    In {
        /// The column.
        column: String,
        /// The values.
        values: Vec<String>,
    },
}

impl Findings {
    /// Reads `all` or `column in (A, B)`; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is neither 'all' nor 'column in (VALUE, VALUE)'");
        if text == "all" {
            return Ok(Self::All);
        }
        let (column, values) = text.split_once(" in ").ok_or_else(wrong)?;
        let values = values.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        let values = names(values.ok_or_else(wrong)?);
        let column = column.trim().to_owned();
        if values.is_empty() || column.is_empty() {
            return Err(wrong());
        }
        Ok(Self::In { column, values })
    }

    /// The column that it looks at.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::In { column, .. } => Some(column),
        }
    }
}

/// The verdict's column: the one that `findings` names, else the usual one.
pub(crate) fn verdict_column<'a>(
    findings: Option<&Findings>,
    columns: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let named = findings.and_then(Findings::column);
    let mut wanted = named.into_iter().chain(VERDICT_COLUMNS);
    wanted.find_map(|wanted| columns.clone().find(|column| *column == wanted))
}

/// Names between commas.
pub(crate) fn names(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms() {
        let stale = Findings::In {
            column: "state".to_owned(),
            values: vec!["STALE".to_owned(), "NEVER_USED".to_owned()],
        };
        assert_eq!(Findings::parse("state in (STALE, NEVER_USED)"), Ok(stale.clone()));
        assert_eq!(Findings::parse("all"), Ok(Findings::All));
        for wrong in ["", "state", "state in STALE", "state in ()", "in (A)"] {
            assert!(Findings::parse(wrong).is_err(), "{wrong}");
        }
        let columns = ["outcome", "state", "role"];
        assert_eq!(verdict_column(None, columns.into_iter()), Some("state"));
        assert_eq!(verdict_column(Some(&stale), ["state", "verdict"].into_iter()), Some("state"));
        assert_eq!(verdict_column(Some(&Findings::All), ["role"].into_iter()), None);
    }
}
