//! Vendors' accounts by name, in the form of fwd:cloudsec's `known_aws_accounts`.

use serde::Deserialize;

use crate::error::Problem;

/// A vendor, and its accounts.
#[derive(Debug, Deserialize)]
pub(super) struct Vendor {
    pub(super) name: String,
    /// Quoted or not; unquoted, a leading zero stays all the same, as they are read as text.
    #[serde(default)]
    pub(super) accounts: Vec<String>,
}

pub(super) fn parse(text: &[u8]) -> Result<Vec<Vendor>, Problem> {
    let text = std::str::from_utf8(text).map_err(|_| Problem::Yaml("not UTF-8".to_owned()))?;
    serde_saphyr::from_str(text).map_err(|error| {
        let place = match error.location() {
            Some(at) => format!("line {} column {}", at.line(), at.column()),
            None => "it".to_owned(),
        };
        Problem::Yaml(format!("{place} is not as expected: objects with a name and accounts"))
    })
}
