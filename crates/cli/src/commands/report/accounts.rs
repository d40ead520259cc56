//! Accounts as people call them: by id, by id with hyphens, or by name. Knows what the lake and the inventory name,
//! as it was read; asks nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::commands::is_account;
use crate::settings::did_you_mean;

/// The accounts there are.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    ids: BTreeSet<String>,
    /// Ids by name, in lower case.
    names: BTreeMap<String, BTreeSet<String>>,
}

impl Accounts {
    /// Of ids, each with a name of it or none; an id may come with several.
    pub(super) fn new<'a>(all: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let mut accounts = Self::default();
        for (id, name) in all {
            accounts.ids.insert(id.to_owned());
            let name = name.map(str::trim).filter(|name| !name.is_empty());
            if let Some(name) = name {
                accounts.names.entry(name.to_lowercase()).or_default().insert(id.to_owned());
            }
        }
        accounts
    }

    /// Whether it is one of them.
    pub(super) fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// The id of the account that `text` calls. One that is an id already need not be known. The error carries on a sentence
    /// that begins with what `text` stands for.
    pub(super) fn id_of(&self, text: &str) -> Result<String, String> {
        let text = text.trim();
        let digits = text.replace('-', "");
        if is_account(&digits) {
            return Ok(digits);
        }
        let named = self.names.get(&text.to_lowercase());
        let mut ids = named.into_iter().flatten();
        match (ids.next(), ids.next()) {
            (Some(id), None) => Ok(id.clone()),
            (Some(one), Some(other)) => Err(format!(
                " '{text}' is the name of several accounts, {one} and {other} among them: give the id"
            )),
            _ => Err(format!(
                " '{text}' is neither 12 digits nor the name of an account that the inventory tells{}",
                self.hint(text)
            )),
        }
    }

    /// `: did you mean …?`, where an id or a name is near.
    pub(super) fn hint(&self, text: &str) -> String {
        let known = self.ids.iter().chain(self.names.keys()).map(String::as_str);
        did_you_mean(&text.trim().to_lowercase(), known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_called_by_id_or_name() {
        let accounts = Accounts::new([
            ("111122223333", Some("Prod")),
            ("111122223333", Some("prod-old")),
            ("444455556666", Some("Sandbox ")),
            ("777788889999", Some("sandbox")),
            ("999900001111", None),
        ]);
        let id = |text: &str| accounts.id_of(text);
        assert_eq!(id(" prod"), Ok("111122223333".to_owned()));
        assert_eq!(id("PROD-OLD"), Ok("111122223333".to_owned()));
        assert_eq!(id("1111-2222-3333"), Ok("111122223333".to_owned()));
        assert_eq!(id("000000000000"), Ok("000000000000".to_owned()));
        assert!(accounts.has("999900001111") && !accounts.has("000000000000"));
        assert!(id("sandbox").unwrap_err().contains("444455556666 and 777788889999"));
        assert!(id("pord").unwrap_err().ends_with("did you mean prod?"));
        assert!(id("11112222333").unwrap_err().ends_with("did you mean 111122223333?"));
        assert!(id("elsewhere").unwrap_err().ends_with("the inventory tells"));
    }
}
