//! `--owners FILE`: whose the keys and roles are that no tag tells of, and who was asked when.
//!
//! The first entry that matches counts, before any tag. A file that could be read in two ways is refused. What
//! matches what, the report `owners` decides; entries that match nothing are rows of it.

use std::path::Path;

use rolecall_query::NamedOwner;

use super::toml_text::{self, Document, Entry, Value};
use crate::clock;
use crate::commands::is_account;
use crate::exit::Usage;
use crate::settings::did_you_mean;

const KEYS: [&str; 5] = ["match", "name", "contact", "asked", "confirmed"];
const MATCHES: [&str; 5] = ["account", "user", "role", "key", "arn"];

/// Reads the file.
pub(super) fn read(path: &Path) -> Result<Vec<NamedOwner>, Usage> {
    parse(&toml_text::read("--owners", path)?, path)
}

fn parse(text: &str, path: &Path) -> Result<Vec<NamedOwner>, Usage> {
    let document = Document { text, path };
    let tables = document.tables("owner")?;
    tables.into_iter().map(|(span, entries)| owner(&document, &span, entries)).collect()
}

fn owner(
    document: &Document<'_>,
    span: &std::ops::Range<usize>,
    entries: Vec<Entry>,
) -> Result<NamedOwner, Usage> {
    let mut owner = NamedOwner { line: document.line(span), ..NamedOwner::default() };
    let mut is_matched = false;
    for Entry { name, span, value } in entries {
        let complain = |problem: String| document.complain(&span, &problem);
        match (name.as_str(), value) {
            ("match", Value::Table(entries)) => {
                is_matched = !entries.is_empty();
                for entry in entries {
                    set_match(&mut owner, document, entry)?;
                }
            }
            ("asked" | "confirmed", Value::Text(text) | Value::Time(text)) => {
                let day = day(&text).map_err(|error| complain(format!("{name}: {error}")))?;
                let place = if name == "asked" { &mut owner.asked } else { &mut owner.confirmed };
                *place = Some(day);
            }
            ("name" | "contact", Value::Text(text)) if text.trim().is_empty() => {
                return Err(complain(format!("{name} is empty")));
            }
            ("name", Value::Text(text)) => owner.owner = text.trim().to_owned(),
            ("contact", Value::Text(text)) => owner.contact = Some(text.trim().to_owned()),
            (known, value) if KEYS.contains(&known) => {
                let expected = if known == "match" { "a table" } else { "text" };
                let found = value.kind();
                return Err(complain(format!("{known}: expected {expected}, found {found}")));
            }
            (unknown, _) => {
                let hint = did_you_mean(unknown, KEYS.into_iter());
                return Err(complain(format!("{unknown} is no part of an owner{hint}")));
            }
        }
    }
    if owner.owner.is_empty() {
        return Err(document.complain(span, "the owner has no name"));
    }
    if !is_matched {
        let message = "the owner has no match: write which keys or roles are meant, such as \
                       match = { account = \"111122223333\", user = \"ci-*\" }";
        return Err(document.complain(span, message));
    }
    if owner.role.is_some() && (owner.user.is_some() || owner.access_key.is_some()) {
        let message = "match names a role and a user or key: nothing is both";
        return Err(document.complain(span, message));
    }
    Ok(owner)
}

/// The day, as `2026-01-05`. A time of day is more than anybody asks for, and is left out.
fn day(text: &str) -> Result<String, clock::BadTime> {
    let text = clock::format_time(clock::parse_time(text)?.start());
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}

fn set_match(
    owner: &mut NamedOwner,
    document: &Document<'_>,
    Entry { name, span, value }: Entry,
) -> Result<(), Usage> {
    let complain = |problem: String| document.complain(&span, &problem);
    let Some(known) = MATCHES.into_iter().find(|known| *known == name) else {
        let hint = did_you_mean(&name, MATCHES.into_iter());
        return Err(complain(format!("match.{name} is none of {}{hint}", MATCHES.join(", "))));
    };
    let Value::Text(text) = value else {
        return Err(complain(format!("match.{name}: expected text, found {}", value.kind())));
    };
    if text.trim().is_empty() {
        return Err(complain(format!("match.{name} is empty")));
    }
    let pattern = match known {
        // Anything else is the name of an account, as SQL knows it.
        "account" if !is_account(&text) && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            return Err(complain(format!("match.account: '{text}' is not 12 digits")));
        }
        "arn" if !text.starts_with("arn:") && !text.starts_with('*') => {
            return Err(complain(format!("match.arn: '{text}' does not begin with arn:")));
        }
        "account" => &mut owner.account,
        "user" => &mut owner.user,
        "role" => &mut owner.role,
        "key" => &mut owner.access_key,
        _ => &mut owner.arn,
    };
    *pattern = Some(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<NamedOwner>, String> {
        parse(text, Path::new("o.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn an_entry_says_who_and_of_what() {
        let text = "[[owner]]\nname = \"platform\"\ncontact = \"#platform\"\nasked = 2026-01-05\n\
                    confirmed = \"2026-01-07T23:30:00Z\"\nmatch = { account = \"1111*\", user = \"ci-*\" }\n\
                    \n[[owner]]\nname = \"ann\"\nmatch = { arn = \"arn:aws:iam::*:role/x\" }\n";
        let some = |text: &str| Some(text.to_owned());
        let first = NamedOwner {
            line: 1,
            account: some("1111*"),
            user: some("ci-*"),
            owner: "platform".to_owned(),
            contact: some("#platform"),
            asked: some("2026-01-05"),
            confirmed: some("2026-01-07"),
            ..NamedOwner::default()
        };
        let second = NamedOwner {
            line: 8,
            arn: some("arn:aws:iam::*:role/x"),
            owner: "ann".to_owned(),
            ..NamedOwner::default()
        };
        assert_eq!(parsed(text), Ok(vec![first, second]));
        assert_eq!(parsed("# nothing yet\n"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let entry = |rest: &str| format!("[[owner]]\nname = \"a\"\n{rest}\n");
        for (text, problem) in [
            ("[[owner]]\nmatch = { user = \"x\" }\n".to_owned(), "o.toml:1: the owner has no name"),
            (entry(""), "o.toml:1: the owner has no match"),
            (entry("match = {}"), "o.toml:1: the owner has no match"),
            (entry("match = \"ci\""), "o.toml:3: match: expected a table, found text"),
            (entry("match = { usr = \"x\" }"), "o.toml:3: match.usr is none of account, user"),
            (entry("match = { user = \"\" }"), "o.toml:3: match.user is empty"),
            (
                entry("match = { account = \"12\" }"),
                "o.toml:3: match.account: '12' is not 12 digits",
            ),
            (entry("match = { arn = \"role/x\" }"), "o.toml:3: match.arn: 'role/x' does not begin"),
            (
                entry("match = { user = \"x\", role = \"y\" }"),
                "o.toml:1: match names a role and a user or key",
            ),
            (entry("asked = \"soon\"\nmatch = { user = \"x\" }"), "o.toml:3: asked: 'soon'"),
            (entry("contact = 3\nmatch = { user = \"x\" }"), "o.toml:3: contact: expected text"),
            (
                entry("conact = \"x\""),
                "o.toml:3: conact is no part of an owner: did you mean contact?",
            ),
            ("[[owners]]\nname = \"a\"\n".to_owned(), "o.toml:1: expected [[owner]]"),
        ] {
            let error = parsed(&text).unwrap_err();
            assert!(error.starts_with(problem), "{error}\nfor\n{text}");
        }
    }
}
