//! The views' codes in plain words.

/// How the caller of an act is known.
pub(super) fn resolved_by(code: &str) -> &'static str {
    match code {
        "record" => "the record itself names the caller",
        "shared_event" => {
            "the role owner's record masks the caller; the caller's account recorded the same call and names it"
        }
        "switch_role" => "STS masks the caller; the console's SwitchRole record names it",
        "principal_id" => {
            "the record masks the caller, but the same unique id carries this name elsewhere in the lake"
        }
        _ => "the record masks the caller, and nothing in the lake names its unique id",
    }
}

/// How a session is tied to the session or key before it.
pub(super) fn parent_link(code: &str) -> &'static str {
    match code {
        "key" => "asked for with the key that the session before was given",
        "sign_in" => "asked for in the sign-in session before",
        "session" => "asked for by the session before, by principal and time",
        "long_term_key" => "asked for with a long-term key",
        _ => "taken by the origin itself",
    }
}

/// How use is tied to an issued session.
pub(super) fn link_method(code: &str) -> &'static str {
    match code {
        "key" => "use is tied to the session by its access key: certain",
        "sign_in" => {
            "use is tied to the session by the sign-in session that its records name: certain"
        }
        "session" => {
            "use is tied to the session by principal and creation time, since it was signed with another key \
             than the issue shows (as the console and Identity Center do) or with none"
        }
        "forwarded" => {
            "no call of the session itself was seen, only what services did on its behalf: they belong to it by principal \
             and creation time"
        }
        _ => "no use was seen: unused, or only for calls that the trail does not record",
    }
}

/// Why a chain ends before its origin.
pub(super) fn unlinked(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "before_window" => "the chain goes back to before the logs begin",
        "other_account" => {
            "the chain goes back into an account whose logs the lake does not hold: its owner can tell"
        }
        "console" => "this is a console session whose sign-in is not in the lake",
        "ambiguous" => "several issued sessions fit, and their callers differ: none was chosen",
        "key_reused" => "the key id was given out in the lake, but to another session",
        "not_found" => {
            "the account's logs are held for that time, but nothing shows the session being issued: a region \
             or file may be missing"
        }
        "other_partition" => {
            "the role was taken with a token of another partition of AWS, whose logs the lake does not hold: the record \
             says who asked for it there, not how that caller came in"
        }
        "made_by_aws" => {
            "AWS makes the sessions of this role itself, without a call that is logged"
        }
        "cycle" => "the chain runs into itself and was cut",
        "too_long" => "the chain has more sessions than are followed",
        _ => return None,
    })
}

/// What the names of roles begin with that are AWS's own.
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html#ec2-instance-identity-roles>
pub(super) const OF_AWS: &str = "aws:";

/// The way in.
pub(super) fn session_kind(kind: &str) -> &'static str {
    match kind {
        "console" => "the console",
        "cli_login" => "aws login: the CLI, let in from a browser",
        "agent" => "a program that was let in by OAuth, an AI agent for one",
        "federation" => "federation",
        "workload" => "a workload's own role",
        "key" => "a call signed with a key",
        _ => "",
    }
}

/// What kind of proof stands behind an origin.
pub(super) fn origin(kind: &str) -> &'static str {
    match kind {
        "iam_user" => "verified: IAM authenticated this user",
        "root" => "verified: IAM authenticated the account's root",
        "service" => "verified: an AWS service acted by itself",
        "saml" => "verified by the SAML provider, as far as that is trusted",
        "web_identity" => "verified by the OIDC provider, as far as that is trusted",
        "identity_center" => "verified by Identity Center",
        "account" => "only the account and a unique id are known",
        "role_session" => "a role's session; who took that role is not known",
        _ => "not known",
    }
}

/// Whether a session's name proves anything.
pub(super) fn session_name(role: &str, origin_kind: &str) -> Option<&'static str> {
    if role.contains("AWSReservedSSO_") {
        return None;
    }
    match origin_kind {
        "service" => None,
        _ => Some(
            "the session name is asserted: its caller chose it freely, and it proves nothing about who that was",
        ),
    }
}

/// `3 hours ago`, with one unit.
pub(super) fn ago(time: i64, as_of: i64) -> String {
    let seconds = (as_of - time) / 1_000_000;
    let (count, unit) = match seconds {
        i64::MIN..0 => return "after the answer's now".to_owned(),
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{} ago", counted(count, unit))
}

/// A length as a count.
pub(super) fn number(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// `1 record`, `2 records`.
pub(super) fn counted(count: i64, noun: &str) -> String {
    match (count, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "address") => format!("{count} addresses"),
        _ => format!("{count} {noun}s"),
    }
}

/// The first few of a long list.
pub(super) fn few(list: &[String], most: usize) -> String {
    match list.len() {
        length if length <= most => list.join(", "),
        length => format!("{} and {} more", list[..most].join(", "), length - most),
    }
}

/// `first to last`, or one time where they are the same.
pub(super) fn span(first: &str, last: &str) -> String {
    match (first, last) {
        ("", last) => last.to_owned(),
        (first, last) if first == last => first.to_owned(),
        (first, last) => format!("{first} to {last}"),
    }
}

/// Quoted for a shell, if need be.
pub(super) fn quoted(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || ":/._-+=@,#".contains(c);
    if !text.is_empty() && text.chars().all(safe) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_counts_read_well() {
        let second = 1_000_000;
        for (passed, text) in [
            (1, "1 second ago"),
            (119, "119 seconds ago"),
            (120, "2 minutes ago"),
            (7_200, "2 hours ago"),
            (172_800, "2 days ago"),
            (-1, "after the answer's now"),
        ] {
            assert_eq!(ago(0, passed * second), text);
        }
        let list = ["a", "b (KHTML, like Gecko)", "c"].map(str::to_owned);
        assert_eq!(few(&list, 2), "a, b (KHTML, like Gecko) and 1 more");
        assert_eq!(few(&list, 3), "a, b (KHTML, like Gecko), c");
        assert_eq!(few(&[], 2), "");
    }

    #[test]
    fn hostile_names_are_quoted() {
        assert_eq!(quoted("arn:aws:iam::1:role/x"), "arn:aws:iam::1:role/x");
        assert_eq!(quoted("$(rm -rf ~)"), "'$(rm -rf ~)'");
        assert_eq!(quoted("a'b"), "'a'\\''b'");
    }
}
