//! One record, walked once.
//!
//! Takes what every record gives to activity, and the places of the objects that only credential
//! events and IAM changes look into. Decides whether the record is one at all.

use crate::rows::{CredentialKind, Micros, RejectionReason};
use crate::tape::{Nodes, Place};
use crate::time::{NoTime, parse_time};

/// The fields of a record that all tables share.
#[derive(Debug, Default, Clone)]
pub(crate) struct Record<'a> {
    pub(crate) index: u32,
    pub(crate) event_time: Micros,
    pub(crate) event_source: &'a str,
    pub(crate) event_name: &'a str,
    pub(crate) event_version: Option<&'a str>,
    pub(crate) event_id: Option<&'a str>,
    pub(crate) event_category: Option<&'a str>,
    pub(crate) aws_region: Option<&'a str>,
    pub(crate) recipient_account_id: Option<&'a str>,
    pub(crate) shared_event_id: Option<&'a str>,
    pub(crate) request_id: Option<&'a str>,
    pub(crate) source_ip_address: Option<&'a str>,
    pub(crate) user_agent: Option<&'a str>,
    pub(crate) error_code: Option<&'a str>,
    pub(crate) error_message: Option<&'a str>,
    pub(crate) vpc_endpoint_id: Option<&'a str>,
    pub(crate) read_only: Option<bool>,
    pub(crate) from_console: Option<bool>,
    pub(crate) identity: Identity<'a>,
    pub(crate) request: Place,
    pub(crate) response: Place,
    pub(crate) additional: Place,
    pub(crate) resources: Place,
    pub(crate) service_details: Place,
    pub(crate) tls: Place,
    pub(crate) addendum: Place,
}

/// `userIdentity` and its session context.
#[derive(Debug, Default, Clone)]
pub(crate) struct Identity<'a> {
    pub(crate) kind: Option<&'a str>,
    pub(crate) principal_id: Option<&'a str>,
    pub(crate) arn: Option<&'a str>,
    pub(crate) account_id: Option<&'a str>,
    pub(crate) access_key_id: Option<&'a str>,
    pub(crate) user_name: Option<&'a str>,
    pub(crate) invoked_by: Option<&'a str>,
    pub(crate) identity_provider: Option<&'a str>,
    pub(crate) on_behalf_of: Option<&'a str>,
    pub(crate) in_scope_of: Option<&'a str>,
    pub(crate) issuer_arn: Option<&'a str>,
    pub(crate) issuer_id: Option<&'a str>,
    pub(crate) session_created: Option<Micros>,
    pub(crate) mfa: Option<bool>,
    pub(crate) source_identity: Option<&'a str>,
    pub(crate) sign_in_session_arn: Option<&'a str>,
    pub(crate) credential_id: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// Walks the record at `place`.
    pub(crate) fn read(
        nodes: Nodes<'_, 'a>,
        place: Place,
        index: u32,
    ) -> Result<Self, RejectionReason> {
        if !nodes.is_object(place) {
            return Err(RejectionReason::NotAnObject);
        }
        let mut record = Self { index, ..Self::default() };
        let mut event_time = None;
        for (key, value) in nodes.members(place) {
            match key {
                "eventVersion" => record.event_version = nodes.text(value),
                "userIdentity" => record.identity = Identity::read(nodes, value),
                "eventTime" => event_time = nodes.text(value),
                "eventSource" => {
                    record.event_source = service(nodes.text(value)).unwrap_or_default()
                }
                "eventName" => record.event_name = nodes.text(value).unwrap_or_default(),
                "awsRegion" => record.aws_region = nodes.text(value),
                "sourceIPAddress" => record.source_ip_address = service(nodes.text(value)),
                "userAgent" => record.user_agent = nodes.text(value),
                "errorCode" => record.error_code = nodes.text(value),
                "errorMessage" => record.error_message = nodes.text(value),
                "requestParameters" => record.request = value,
                "responseElements" => record.response = value,
                "additionalEventData" => record.additional = value,
                "requestID" => record.request_id = nodes.text(value),
                "eventID" => record.event_id = nodes.text(value),
                "readOnly" => record.read_only = nodes.flag(value),
                "resources" => record.resources = value,
                "recipientAccountId" => record.recipient_account_id = nodes.text(value),
                "sharedEventID" => record.shared_event_id = nodes.text(value),
                "vpcEndpointId" => record.vpc_endpoint_id = nodes.text(value),
                "eventCategory" => record.event_category = nodes.text(value),
                "serviceEventDetails" => record.service_details = value,
                "tlsDetails" => record.tls = value,
                "addendum" => record.addendum = value,
                "sessionCredentialFromConsole" => record.from_console = nodes.flag(value),
                _ => {}
            }
        }
        let event_time = event_time.ok_or(RejectionReason::NoEventTime)?;
        record.event_time = parse_time(event_time).map_err(|no| match no {
            NoTime::NotATime => RejectionReason::BadEventTime,
            NoTime::OutOfRange => RejectionReason::EventTimeOutOfRange,
        })?;
        if record.event_source.is_empty() {
            return Err(RejectionReason::NoEventSource);
        }
        if record.event_name.is_empty() {
            return Err(RejectionReason::NoEventName);
        }
        Ok(record)
    }

    /// `sourceIPAddress` as an address and as the name of a service; at most one is set.
    pub(crate) fn source(&self) -> (Option<&'a str>, Option<&'a str>) {
        source(self.source_ip_address)
    }
}

impl<'a> Identity<'a> {
    fn read(nodes: Nodes<'_, 'a>, place: Place) -> Self {
        let mut identity = Self::default();
        let mut context = Place::ABSENT;
        for (key, value) in nodes.members(place) {
            match key {
                "type" => identity.kind = nodes.text(value),
                "principalId" => identity.principal_id = nodes.text(value),
                "arn" => identity.arn = nodes.text(value),
                "accountId" => identity.account_id = nodes.text(value),
                "accessKeyId" => identity.access_key_id = access_key_id(nodes.text(value)),
                "userName" => identity.user_name = nodes.text(value),
                "invokedBy" => identity.invoked_by = service(nodes.text(value)),
                "identityProvider" => identity.identity_provider = nodes.text(value),
                "onBehalfOf" => identity.on_behalf_of = nodes.text_at(value, &["userId"]),
                "inScopeOf" => {
                    identity.in_scope_of = nodes
                        .text_at(value, &["credentialsIssuedTo"])
                        .or_else(|| nodes.text_at(value, &["sourceArn"]));
                }
                "credentialId" => identity.credential_id = nodes.text(value),
                "sessionContext" => context = value,
                _ => {}
            }
        }
        identity.read_session_context(nodes, context);
        identity
    }

    fn read_session_context(&mut self, nodes: Nodes<'_, 'a>, place: Place) {
        let (mut issuer, mut attributes) = (Place::ABSENT, Place::ABSENT);
        for (key, value) in nodes.members(place) {
            match key {
                "sessionIssuer" => issuer = value,
                "attributes" => attributes = value,
                "sourceIdentity" => self.source_identity = nodes.text(value),
                "signInSessionArn" => self.sign_in_session_arn = nodes.text(value),
                _ => {}
            }
        }
        for (key, value) in nodes.members(issuer) {
            match key {
                "arn" => self.issuer_arn = nodes.text(value),
                "principalId" => self.issuer_id = nodes.text(value),
                _ => {}
            }
        }
        for (key, value) in nodes.members(attributes) {
            match key {
                "creationDate" => {
                    self.session_created = nodes.text(value).and_then(|text| parse_time(text).ok());
                }
                "mfaAuthenticated" => self.mfa = nodes.flag(value),
                _ => {}
            }
        }
    }

    /// The ARN of the role whose session this is; the session's own ARN has lost the path.
    pub(crate) fn role_arn(&self) -> Option<&'a str> {
        self.issuer_arn.filter(|arn| names_a_role(arn))
    }

    /// Unique id of the role whose session this is.
    pub(crate) fn role_id(&self) -> Option<&'a str> {
        let of_issuer = self.issuer_id.filter(|id| is_role_id(id));
        of_issuer.or_else(|| self.role_session().map(|(role_id, _)| role_id))
    }

    /// Name of the role session that this identity is.
    pub(crate) fn session_name(&self) -> Option<&'a str> {
        if let Some((_, session)) = self.role_session() {
            return Some(session);
        }
        let (_, session) = split_assumed_role(self.arn?)?;
        Some(session).filter(|session| !session.is_empty())
    }

    /// `AROA…:session`, the only thing that masked callers keep. Federated principal ids hold colons
    /// too, so the prefix decides.
    fn role_session(&self) -> Option<(&'a str, &'a str)> {
        split_role_session(self.principal_id?)
    }
}

/// Whether an ARN is a role's.
pub(crate) fn names_a_role(arn: &str) -> bool {
    after_colon(arn, "role/").is_some()
}

/// Role name and session name of a session's ARN.
pub(crate) fn split_assumed_role(arn: &str) -> Option<(&str, &str)> {
    after_colon(arn, "assumed-role/")?.split_once('/')
}

/// What follows the first `:` and `start`. The standard library's search for a text spends most of its
/// time on preparing itself.
fn after_colon<'a>(arn: &'a str, start: &str) -> Option<&'a str> {
    let mut rest = arn;
    loop {
        (_, rest) = rest.split_at_checked(memchr::memchr(b':', rest.as_bytes())? + 1)?;
        if let Some(after) = rest.strip_prefix(start) {
            return Some(after);
        }
    }
}

/// Splits `AROA…:session`.
pub(crate) fn split_role_session(principal_id: &str) -> Option<(&str, &str)> {
    if !is_role_id(principal_id) {
        return None;
    }
    let (id, session) = principal_id.split_once(':')?;
    (!session.is_empty()).then_some((id, session))
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes>
fn is_role_id(id: &str) -> bool {
    id.starts_with("AROA")
}

/// The one spelling of a service's name: some in China are called `ec2.amazonaws.com.cn`. Everything that
/// asks for a service by its name would otherwise miss those.
fn service(name: Option<&str>) -> Option<&str> {
    let name = name?;
    let global = name.strip_suffix(".cn").filter(|name| name.ends_with(".amazonaws.com"));
    Some(global.unwrap_or(name))
}

/// Services write `Unknown` where they do not know the key.
pub(crate) fn access_key_id(text: Option<&str>) -> Option<&str> {
    text.filter(|id| *id != "Unknown")
}

/// What kind of credential an access key id stands for.
pub(crate) fn credential_kind(access_key_id: Option<&str>) -> CredentialKind {
    match access_key_id.and_then(|id| id.get(..4)) {
        Some("AKIA") => CredentialKind::LongTerm,
        Some("ASIA") => CredentialKind::Temporary,
        _ if access_key_id.is_none() => CredentialKind::None,
        _ => CredentialKind::Other,
    }
}

/// `sourceIPAddress` as an address and as the name of a service; at most one is set.
pub(crate) fn source(source_ip_address: Option<&str>) -> (Option<&str>, Option<&str>) {
    match source_ip_address {
        Some(text) if is_address(text) => (Some(text), None),
        other => (None, other),
    }
}

fn is_address(text: &str) -> bool {
    // Service names start with a letter and hold no colon: spare them the parse.
    let bytes = text.as_bytes();
    let may_be = bytes.first().is_some_and(u8::is_ascii_digit) || bytes.contains(&b':');
    may_be && text.parse::<std::net::IpAddr>().is_ok()
}
