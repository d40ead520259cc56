//! The commands that are not SQL: which there are, and reading one.

use crate::settings::did_you_mean;
use crate::term;

/// One command, as `.help` lists it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    /// The same for those whose fingers know another shell.
    aliases: &'static [&'static str],
    pub(super) words: &'static str,
    pub(super) help: &'static str,
}

/// All commands.
pub(super) const COMMANDS: [Known; 9] = [
    known(".help", &["\\?", "\\h", "?", "help"], "", "this list"),
    known(".tables", &["\\dt", "\\dv"], "", "the tables and views"),
    known(
        ".schema",
        &["\\d", "\\d+"],
        "NAME",
        "the columns of a table or view, and what they mean",
    ),
    known(".reports", &[], "", "the reports (run one with: rolecall report NAME)"),
    known(".format", &[".mode"], "FORMAT", "table, csv, json, ndjson, markdown or html"),
    known(".rows", &[], "N|all", "how many rows of a result a terminal shows"),
    known(".records", &["\\x"], "on|off", "one block per row instead of columns"),
    known(".timing", &["\\timing"], "on|off", "say how long each statement took"),
    known(".quit", &[".exit", "\\q", "quit", "exit"], "", "leave (also Ctrl-D)"),
];

const fn known(
    name: &'static str,
    aliases: &'static [&'static str],
    words: &'static str,
    help: &'static str,
) -> Known {
    Known { name, aliases, words, help }
}

/// A command to carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Tables,
    Schema(Option<String>),
    Reports,
    /// Without a word: say which it is.
    Format(Option<String>),
    /// `None` shows all.
    Rows(Option<u64>),
    /// Without a word: the other of the two.
    Records(Option<bool>),
    Timing(Option<bool>),
    Quit,
}

/// The command's own name, given that or an alias.
pub(super) fn canonical(name: &str) -> Option<&'static str> {
    let is = |known: &&Known| known.name == name || known.aliases.contains(&name);
    COMMANDS.iter().find(is).map(|known| known.name)
}

/// Whether what has been typed is a command rather than SQL.
pub(super) fn is_command(input: &str) -> bool {
    let input = input.trim();
    input.starts_with(['.', '\\']) || canonical(input.trim_end_matches(';')).is_some()
}

/// Reads a command.
pub(super) fn parse(input: &str) -> Result<Command, String> {
    let mut words = input.trim().trim_end_matches(';').split_whitespace();
    let name = words.next().unwrap_or_default();
    let word = words.next();
    if let Some(extra) = words.next() {
        return Err(format!("{name} takes one word: '{}' is too much", term::visible(extra)));
    }
    let Some(canonical) = canonical(name) else {
        let hint = did_you_mean(name, COMMANDS.iter().map(|known| known.name));
        return Err(format!("{} is no command{hint} (.help lists them)", term::visible(name)));
    };
    let command = match (canonical, word) {
        (".schema", name) => Command::Schema(name.map(str::to_owned)),
        (".format", name) => Command::Format(name.map(str::to_owned)),
        (".rows", word) => Command::Rows(rows(word)?),
        (".records", word) => Command::Records(on_or_off(word)?),
        (".timing", word) => Command::Timing(on_or_off(word)?),
        (_, Some(word)) => {
            return Err(format!("{name} takes no word: '{}' is too much", term::visible(word)));
        }
        (".tables", None) => Command::Tables,
        (".reports", None) => Command::Reports,
        (".quit", None) => Command::Quit,
        (_, None) => Command::Help,
    };
    Ok(command)
}

fn rows(word: Option<&str>) -> Result<Option<u64>, String> {
    match word.map(|word| (word, word.parse())) {
        Some(("all", _)) => Ok(None),
        Some((_, Ok(rows))) if rows > 0 => Ok(Some(rows)),
        _ => Err(".rows takes a number above zero, or all".to_owned()),
    }
}

fn on_or_off(word: Option<&str>) -> Result<Option<bool>, String> {
    match word {
        None => Ok(None),
        Some("on") => Ok(Some(true)),
        Some("off") => Ok(Some(false)),
        Some(other) => Err(format!("'{}' is neither on nor off", term::visible(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_their_other_names() {
        let check = |input, expect| assert_eq!(parse(input), Ok(expect), "{input}");
        check(".help", Command::Help);
        check("\\?", Command::Help);
        check(" \\q ", Command::Quit);
        check("exit;", Command::Quit);
        check("\\d", Command::Schema(None));
        check("\\d assumptions;", Command::Schema(Some("assumptions".to_owned())));
        check(".mode json", Command::Format(Some("json".to_owned())));
        check(".rows all", Command::Rows(None));
        check(".rows 20", Command::Rows(Some(20)));
        check("\\x", Command::Records(None));
        check(".timing on", Command::Timing(Some(true)));
    }

    #[test]
    fn what_is_no_command_is_explained() {
        let check = |input, expect: &str| assert_eq!(parse(input).unwrap_err(), expect);
        check(".tabels", ".tabels is no command: did you mean .tables? (.help lists them)");
        check("\\zz\u{1b}", "\\zz\\x1b is no command (.help lists them)");
        check(".tables all", ".tables takes no word: 'all' is too much");
        check(".schema a b", ".schema takes one word: 'b' is too much");
        check(".rows 0", ".rows takes a number above zero, or all");
        check(".timing maybe", "'maybe' is neither on nor off");
    }

    #[test]
    fn sql_is_no_command() {
        for text in ["SELECT 1", "help me", "exit 1 now", "1.5", ""] {
            assert!(!is_command(text), "{text}");
        }
    }
}
