//! What a row is about, as an ARN, and whether a pattern means it.
//!
//! An exception is about one user, role or caller, and a row may name many more: who made it, who took it last. So only
//! the column that the report's front-matter calls its `subject` is looked at, and where that holds no ARN, the name in
//! it, or beside it, with the account. Looks at no other column.

use rolecall_query::glob;

/// The columns that hold the subject of a report that does not say which of its columns does, the first that is there.
const USUAL: [&str; 6] = ["arn", "user_arn", "role_arn", "user_name", "role", "role_name"];

/// Partitions that an account may lie in.
const PARTITIONS: [&str; 8] =
    ["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"];

/// As `user_name` says it.
const ROOT: &str = "<root_account>";

/// What a row is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// By its ARN.
    Known(String),
    /// By its name alone: partition and path are not known. A name is that of one user or role of an account, whatever its
    /// path.
    Named {
        /// The account.
        account: String,
        /// `user`, `role` or `root`.
        kind: &'static str,
        /// Without path; empty for root.
        name: String,
    },
}

impl Subject {
    /// What the row with these values is about. `column` is the report's `subject`; empty where it names none.
    pub(super) fn of<'a>(
        column: &str,
        is_there: impl Fn(&str) -> bool,
        text: impl Fn(&str) -> Option<&'a str>,
    ) -> Option<Self> {
        let usual = || USUAL.into_iter().find(|name| is_there(name));
        let column = if column.is_empty() { usual()? } else { column };
        let value = text(column);
        if let Some(arn) = value.filter(|value| value.starts_with("arn:")) {
            return Some(Self::Known(arn.to_owned()));
        }
        let (kind, named) = match column {
            "user_name" | "user_arn" => ("user", ["user_name", "user_name"]),
            "role" | "role_name" | "role_arn" => ("role", ["role_name", "role"]),
            _ => return None,
        };
        let name = value.or_else(|| named.into_iter().find_map(&text))?;
        // A role whose ARN nothing tells is account/name.
        let (account, name) = match name.split_once('/') {
            Some((account, name)) if crate::commands::is_account(account) => (Some(account), name),
            _ => (None, name),
        };
        let account = account.or_else(|| text("account_id"))?.to_owned();
        Some(match name {
            ROOT => Self::Named { account, kind: "root", name: String::new() },
            name => Self::Named { account, kind, name: name.to_owned() },
        })
    }

    /// The account that it lies in.
    pub(super) fn account(&self) -> Option<&str> {
        match self {
            Self::Known(arn) => arn.split(':').nth(4).filter(|account| !account.is_empty()),
            Self::Named { account, .. } => Some(account),
        }
    }

    /// Whether `pattern` means it: as its ARN is, or without the path, which is no part of what tells users and roles of an
    /// account apart.
    pub(super) fn is_meant_by(&self, pattern: &str) -> bool {
        match self {
            Self::Known(arn) => {
                glob(pattern, arn) || without_path(arn).is_some_and(|arn| glob(pattern, &arn))
            }
            Self::Named { account, kind, name } => {
                let resource = match *kind {
                    "root" => "root".to_owned(),
                    kind => format!("{kind}/{name}"),
                };
                let arn = |partition: &str| format!("arn:{partition}:iam::{account}:{resource}");
                let short = without_path(pattern);
                let pattern = short.as_deref().unwrap_or(pattern);
                PARTITIONS.into_iter().any(|partition| glob(pattern, &arn(partition)))
            }
        }
    }
}

/// The ARN of a user or role without its path; `None` where it has none, and where the name, or what stands for it, may
/// be part of a path.
fn without_path(arn: &str) -> Option<String> {
    let (before, resource) = arn.rsplit_once(':')?;
    let (kind, rest) = resource.split_once('/')?;
    let (_, name) = rest.rsplit_once('/')?;
    let is_plain = matches!(kind, "user" | "role") && !name.contains(['*', '?']);
    is_plain.then(|| format!("{before}:{kind}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(kind: &'static str, name: &str) -> Subject {
        Subject::Named { account: "111122223333".to_owned(), kind, name: name.to_owned() }
    }

    #[test]
    fn an_arn_is_meant_with_its_path_and_without() {
        let role = |text: &str| Subject::Known(format!("arn:aws-cn:iam::111122223333:{text}"));
        for (subject, pattern, expected) in [
            (role("role/app/ci"), "arn:aws-cn:iam::111122223333:role/app/ci", true),
            (role("role/app/ci"), "arn:aws-cn:iam::111122223333:role/ci", true),
            (role("role/app/ci"), "arn:*:iam::*:role/ci", true),
            (role("role/app/ci"), "arn:aws-cn:iam::111122223333:role/other/ci", false),
            (role("role/app/ci"), "arn:aws:iam::111122223333:role/app/ci", false),
            (role("role/app/ci"), "arn:aws-cn:iam::111122223333:user/ci", false),
            (role("role/ci"), "arn:aws-cn:iam::111122223333:role/app/ci", false),
            (role("role/app/ci"), "arn:aws-cn:iam::444455556666:role/ci", false),
            (role("role/app/breakglass-1"), "arn:*:iam::*:role/breakglass-*", true),
            (role("role/app/ci"), "arn:*:iam::*:role/app/*", true),
        ] {
            assert_eq!(subject.is_meant_by(pattern), expected, "{subject:?} {pattern}");
        }
    }

    #[test]
    fn a_name_is_meant_in_every_partition_and_path() {
        for (subject, pattern, expected) in [
            (named("user", "ci"), "arn:aws:iam::111122223333:user/ci", true),
            (named("user", "ci"), "arn:aws-cn:iam::111122223333:user/ci", true),
            (named("user", "ci"), "arn:aws-us-gov:iam::111122223333:user/bots/ci", true),
            // Whether its path is that one, nobody knows.
            (named("user", "ci"), "arn:aws:iam::111122223333:user/bots/*", false),
            (named("user", "ci"), "arn:aws:iam::*:user/c?", true),
            (named("user", "ci"), "arn:aws:iam::111122223333:role/ci", false),
            (named("user", "ci"), "arn:aws:iam::444455556666:user/ci", false),
            (named("root", ""), "arn:aws:iam::111122223333:root", true),
            (named("root", ""), "arn:aws:iam::*:user/*", false),
        ] {
            assert_eq!(subject.is_meant_by(pattern), expected, "{subject:?} {pattern}");
        }
    }

    #[test]
    fn the_subject_is_in_its_own_column_or_in_the_name_beside_it() {
        let of = |column: &str, row: &[(&str, &'static str)]| {
            let text = |name: &str| row.iter().find(|(other, _)| *other == name).map(|(_, v)| *v);
            Subject::of(column, |name| row.iter().any(|(other, _)| *other == name), text)
        };
        let arn = "arn:aws:iam::111122223333:role/x";
        let account = ("account_id", "111122223333");
        assert_eq!(of("caller", &[("caller", arn)]), Some(Subject::Known(arn.to_owned())));
        assert_eq!(of("caller", &[account, ("caller", "ec2.amazonaws.com"), ("role", arn)]), None);
        let row = [account, ("user_name", "ci"), ("created_by", arn)];
        assert_eq!(of("user_arn", &row), Some(named("user", "ci")));
        assert_eq!(of("", &row), Some(named("user", "ci")));
        assert_eq!(of("user_arn", &[("user_name", "ci")]), None, "in no account");
        let root = [account, ("user_name", "<root_account>")];
        assert_eq!(of("user_name", &root), Some(named("root", "")));
        assert_eq!(of("role", &[("role", "111122223333/x")]), Some(named("role", "x")));
        assert_eq!(of("", &[account, ("created_by", arn)]), None);
    }
}
