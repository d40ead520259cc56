//! What the name of a file says that its content leaves out: most lists of one user's things do not name the
//! user, least of all where they are empty.

use std::path::Path;

/// Endings that are no part of a user's name, which may have dots of its own.
const ENDINGS: [&str; 4] = [".json", ".ndjson", ".jsonl", ".txt"];

/// What follows one of these words, after a dash, a dot, an underscore or a space: `list-access-keys-ann.json`,
/// `keys.ann.json`. The first word that fits counts, so the longer ones come first.
pub(super) fn after<'a>(path: &'a Path, words: &[&str]) -> Option<&'a str> {
    let name = path.file_name()?.to_str()?;
    let name = ENDINGS.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let fits =
        |word: &&str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let word = words.iter().find(|word| fits(word))?;
    let rest = &name[word.len()..];
    rest.strip_prefix(['-', '.', '_', ' ']).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_a_list_is() {
        let words = ["list-access-keys", "access-keys", "keys"];
        let said = |name: &str| after(Path::new(name), &words).map(str::to_owned);
        for (name, user) in [
            ("a/list-access-keys-ann.json", Some("ann")),
            ("keys.ann.smith.json", Some("ann.smith")),
            ("Keys_ann@example.com", Some("ann@example.com")),
            ("access-keys-ci-deploy.json", Some("ci-deploy")),
            ("keys.json", None),
            ("keys-.json", None),
            ("keyspaces-app.json", None),
            ("ann-keys.json", None),
        ] {
            assert_eq!(said(name).as_deref(), user, "{name}");
        }
    }
}
