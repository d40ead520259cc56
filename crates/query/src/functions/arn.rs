//! ARNs and role names as people write them.
//!
//! `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`. Does not check that an account or role exists.

/// The account id in an ARN; `None` where the text is no ARN or names no account.
pub(crate) fn account(arn: &str) -> Option<&str> {
    let (account, _) = account_and_resource(arn)?;
    Some(account).filter(|account| !account.is_empty())
}

/// The name of the user or role: the last element of its path. For an assumed role, the role's name;
/// for anything else the last part of the resource. A name may hold colons (`aws:ec2-instance`).
pub(crate) fn name(arn: &str) -> Option<&str> {
    let (_, resource) = account_and_resource(arn)?;
    let name = match resource.strip_prefix("assumed-role/") {
        Some(rest) => rest.split('/').next(),
        None if resource.contains('/') => resource.rsplit('/').next(),
        None => resource.rsplit(':').next(),
    };
    name.filter(|name| !name.is_empty())
}

/// The session name of an assumed role's or federated user's ARN.
pub(crate) fn session(arn: &str) -> Option<&str> {
    let (_, resource) = account_and_resource(arn)?;
    let session = match resource.strip_prefix("assumed-role/") {
        Some(rest) => rest.split_once('/')?.1,
        None => resource.strip_prefix("federated-user/")?,
    };
    Some(session).filter(|session| !session.is_empty())
}

/// Account and resource part of an ARN.
fn account_and_resource(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    if parts.next()? != "arn" {
        return None;
    }
    let (_partition, _service, _region) = (parts.next()?, parts.next()?, parts.next()?);
    Some((parts.next()?, parts.next()?))
}

/// A role as people name it: an ARN (role or session, path or not), `account/name`, or a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RolePattern<'a> {
    account: Option<&'a str>,
    name: &'a str,
}

impl<'a> RolePattern<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        let text = text.trim();
        if let (Some(account), Some(name)) = (account(text), name(text)) {
            return Self { account: Some(account), name };
        }
        let name = text.rsplit('/').next().unwrap_or(text);
        let account = text
            .split_once('/')
            .map(|(first, _)| first)
            .filter(|first| first.len() == 12 && first.bytes().all(|byte| byte.is_ascii_digit()));
        Self { account, name }
    }

    pub(crate) fn matches(&self, account: Option<&str>, name: Option<&str>) -> bool {
        name == Some(self.name) && self.account.is_none_or(|wanted| account == Some(wanted))
    }
}
