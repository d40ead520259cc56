//! What kind of name somebody gives.
//!
//! Told from the text alone; whether the lake knows it comes later.

use std::net::IpAddr;

/// What a name was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThingKind {
    /// `AKIA…`: an access key of an IAM user or root.
    LongTermKey,
    /// `ASIA…`: an access key of a session.
    TemporaryKey,
    /// A role's ARN, or `account/name`.
    Role,
    /// A user's ARN.
    User,
    /// The ARN of an account's root.
    Root,
    /// ARN of an assumed role's or federated user's session.
    Session,
    /// An event id.
    Event,
    /// An IP address.
    Address,
    /// `AROA…` or `AIDA…`, with or without `:session`.
    UniqueId,
    /// Anything else: a name of a role, user or session.
    Name,
}

impl ThingKind {
    /// The kind in words, with its article.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::LongTermKey => "a long-term access key",
            Self::TemporaryKey => "a session's access key",
            Self::Role => "a role",
            Self::User => "an IAM user",
            Self::Root => "an account's root",
            Self::Session => "a session",
            Self::Event => "an event",
            Self::Address => "an address",
            Self::UniqueId => "a unique id",
            Self::Name => "a name",
        }
    }
}

/// A name and its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) text: String,
    pub(super) kind: ThingKind,
}

impl Thing {
    pub(super) fn recognise(text: &str) -> Self {
        let text = text.trim().trim_matches(['"', '\'']).to_owned();
        let kind = kind(&text);
        // Addresses and ids are written in several ways; the lake has one.
        let text = match kind {
            ThingKind::LongTermKey | ThingKind::TemporaryKey => text.to_uppercase(),
            ThingKind::Event if is_uuid(&text) => text.to_lowercase(),
            ThingKind::Address => text.parse::<IpAddr>().map_or(text, |ip| ip.to_string()),
            _ => text,
        };
        Self { text, kind }
    }
}

fn kind(text: &str) -> ThingKind {
    if text.starts_with("arn:") {
        return kind_of_arn(text);
    }
    if text.parse::<IpAddr>().is_ok() {
        return ThingKind::Address;
    }
    if is_uuid(text) || text.contains('#') {
        return ThingKind::Event;
    }
    let prefix = text.get(..4).unwrap_or_default().to_uppercase();
    let is_id = text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match prefix.as_str() {
        "AKIA" if is_id => ThingKind::LongTermKey,
        "ASIA" if is_id => ThingKind::TemporaryKey,
        "AROA" | "AIDA" if is_id || text.contains(':') => ThingKind::UniqueId,
        _ if names_account_and_role(text) => ThingKind::Role,
        _ => ThingKind::Name,
    }
}

fn kind_of_arn(arn: &str) -> ThingKind {
    if arn.contains(":assumed-role/") || arn.contains(":federated-user/") {
        ThingKind::Session
    } else if arn.contains(":role/") {
        ThingKind::Role
    } else if arn.contains(":user/") {
        ThingKind::User
    } else if arn.ends_with(":root") {
        ThingKind::Root
    } else {
        ThingKind::Name
    }
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let lengths = parts.iter().map(|part| part.len());
    lengths.eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// `123456789012/name`
fn names_account_and_role(text: &str) -> bool {
    text.split_once('/').is_some_and(|(account, name)| {
        account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_from_the_text() {
        for (text, kind) in [
            ("AKIAIOSFODNN7EXAMPLE", ThingKind::LongTermKey),
            (" asiaiosfodnn7example ", ThingKind::TemporaryKey),
            ("ASIA", ThingKind::Name),
            ("arn:aws:iam::111122223333:role/a/b", ThingKind::Role),
            ("111122223333/Deploy", ThingKind::Role),
            ("arn:aws-cn:iam::111122223333:user/ann", ThingKind::User),
            ("arn:aws:iam::111122223333:root", ThingKind::Root),
            ("arn:aws:sts::111122223333:assumed-role/Deploy/role/x", ThingKind::Session),
            ("arn:aws:sts::111122223333:federated-user/bo", ThingKind::Session),
            ("arn:aws:s3:::bucket", ThingKind::Name),
            ("4C2F3C3E-0E4B-4A4F-9F1A-0123456789AB", ThingKind::Event),
            ("111122223333_CloudTrail_x.json.gz#4", ThingKind::Event),
            ("10.1.2.3", ThingKind::Address),
            ("2001:DB8:0::1", ThingKind::Address),
            ("AROAEXAMPLEID1234567:session", ThingKind::UniqueId),
            ("Deploy", ThingKind::Name),
            ("'Deploy'", ThingKind::Name),
            ("", ThingKind::Name),
        ] {
            assert_eq!(Thing::recognise(text).kind, kind, "{text}");
        }
        assert_eq!(Thing::recognise("2001:DB8:0::1").text, "2001:db8::1");
        assert_eq!(Thing::recognise(" 'Deploy'").text, "Deploy");
    }
}
