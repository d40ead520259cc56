//! Records that hand out or take up credentials.
//!
//! Which records these are, and where each of their shapes keeps caller, role and session. Does not
//! join records with each other: one record in, one row out.

use std::borrow::Cow;

use crate::record::{Record, access_key_id, names_a_role, split_assumed_role, split_role_session};
use crate::rows::{CredentialEvent, Outcome, RoleArnSource};
use crate::tape::{Nodes, Place};
use crate::time::parse_expiration;

/// The longest session that any call grants: GetSessionToken's and GetFederationToken's 36 hours.
const MAX_DURATION_SECONDS: i64 = 129_600;

/// Most elements of a list that a row keeps. STS takes at most 50 tags and 10 policies; what is longer was
/// made to do harm.
const MAX_LIST: usize = 100;

/// Whether a record is a credential event, by `eventSource` and `eventName` alone.
pub(crate) fn is_credential_event(source: &str, name: &str) -> bool {
    match source {
        "sts.amazonaws.com" => matches!(
            name,
            "AssumeRole"
                | "AssumeRoleWithSAML"
                | "AssumeRoleWithWebIdentity"
                | "AssumeRoot"
                | "GetSessionToken"
                | "GetFederationToken"
                | "GetDelegatedAccessToken"
                | "GetWebIdentityToken"
        ),
        "signin.amazonaws.com" => matches!(
            name,
            "ConsoleLogin"
                | "SwitchRole"
                | "ExitRole"
                | "RenewRole"
                | "GetSigninToken"
                | "CreateOAuth2Token"
                | "CreateOAuth2TokenWithIAM"
                | "CreateOAuth2TokenWithTokenExchange"
                | "AuthorizeOAuth2Access"
                | "RevokeOAuth2TokenWithIAM"
                | "CreateBearerToken"
        ),
        "sso.amazonaws.com" => matches!(name, "Federate" | "GetRoleCredentials"),
        // A device's own CreateToken, of sso.amazonaws.com, is for the portal alone.
        "sso-oauth.amazonaws.com" => matches!(name, "CreateToken" | "CreateTokenWithIAM"),
        "rolesanywhere.amazonaws.com" => name == "CreateSession",
        "eks-auth.amazonaws.com" => name == "AssumeRoleForPodIdentity",
        "cognito-identity.amazonaws.com" => name == "GetCredentialsForIdentity",
        _ => false,
    }
}

/// Reads the row out of a record for which [`is_credential_event`] holds.
pub(crate) fn read<'a>(nodes: Nodes<'_, 'a>, record: &Record<'a>) -> CredentialEvent<'a> {
    let identity = &record.identity;
    let (source_ip, source_service) = record.source();
    let request_details = nodes.member(record.additional, "RequestDetails");
    let mut event = CredentialEvent {
        event_id: record.event_id,
        shared_event_id: record.shared_event_id,
        request_id: record.request_id,
        event_time: record.event_time,
        event_source: record.event_source,
        event_name: record.event_name,
        event_version: record.event_version,
        aws_region: record.aws_region,
        recipient_account_id: record.recipient_account_id,
        caller_type: identity.kind,
        caller_arn: identity.arn,
        caller_principal_id: identity.principal_id,
        caller_account_id: identity.account_id,
        caller_user_name: identity.user_name,
        caller_access_key_id: identity.access_key_id,
        caller_issuer_arn: identity.issuer_arn,
        caller_session_name: identity.session_name(),
        caller_session_created: identity.session_created,
        caller_mfa: caller_mfa(nodes, record),
        caller_invoked_by: identity.invoked_by,
        caller_on_behalf_of: identity.on_behalf_of,
        switch_from: nodes.text_at(record.additional, &["SwitchFrom"]),
        source_ip,
        source_service,
        user_agent: record.user_agent,
        vpc_endpoint_id: record.vpc_endpoint_id,
        tls_host: nodes.text_at(record.tls, &["clientProvidedHostHeader"]),
        from_console: record.from_console,
        outcome: Some(outcome(nodes, record)),
        error_code: record.error_code,
        error_message: record.error_message,
        read_only: record.read_only,
        explicit_trust_grant: nodes.flag(nodes.member(record.additional, "explicitTrustGrant")),
        endpoint_type: nodes.text_at(request_details, &["endpointType"]),
        serving_region: nodes.text_at(request_details, &["awsServingRegion"]),
        supersedes_event_id: superseded_event(nodes, record.addendum),
        record_index: record.index,
        ..CredentialEvent::default()
    };
    read_request(nodes, record, &mut event);
    read_response(nodes, record, &mut event);
    read_federation(nodes, record, &mut event);
    read_role(nodes, record, &mut event);
    read_tokens(nodes, record, &mut event);
    event
}

/// Failed sign-ins carry no `errorCode`, only `responseElements.<eventName>: "Failure"`.
pub(crate) fn outcome(nodes: Nodes<'_, '_>, record: &Record<'_>) -> Outcome {
    let answered_failure = record.event_source == "signin.amazonaws.com"
        && nodes.text_at(record.response, &[record.event_name]) == Some("Failure");
    if record.error_code.is_some() || answered_failure {
        Outcome::Failure
    } else {
        Outcome::Success
    }
}

/// A federated console sign-in always says `MFAUsed: No`, whatever the identity provider asked for,
/// so it says nothing.
fn caller_mfa(nodes: Nodes<'_, '_>, record: &Record<'_>) -> Option<bool> {
    if record.event_name != "ConsoleLogin" {
        return record.identity.mfa;
    }
    if !matches!(record.identity.kind, Some("IAMUser" | "Root")) {
        return None;
    }
    let used = nodes.text_at(record.additional, &["MFAUsed"])?;
    Some(used.eq_ignore_ascii_case("yes"))
}

fn superseded_event<'a>(nodes: Nodes<'_, 'a>, addendum: Place) -> Option<&'a str> {
    if nodes.text_at(addendum, &["reason"]) != Some("UPDATED_DATA") {
        return None;
    }
    nodes.text_at(addendum, &["originalEventID"])
}

fn read_request<'a>(nodes: Nodes<'_, 'a>, record: &Record<'a>, event: &mut CredentialEvent<'a>) {
    for (key, value) in nodes.members(record.request) {
        match key {
            "durationSeconds" => {
                let asked = nodes.integer(value);
                event.duration_seconds = asked.filter(|n| (1..=MAX_DURATION_SECONDS).contains(n));
            }
            "externalId" => event.external_id = nodes.text(value),
            "serialNumber" => event.mfa_serial = nodes.text(value),
            "sourceIdentity" => event.source_identity = nodes.text(value),
            "policy" => event.session_policy = nodes.text(value),
            "policyArns" => event.session_policy_arns = policy_arns(nodes, value),
            "transitiveTagKeys" => {
                let keys = nodes.elements(value).filter_map(|key| nodes.text(key));
                event.transitive_tag_keys = keys.take(MAX_LIST).collect();
            }
            "roleSessionName" => event.session_name = nodes.text(value),
            // GetFederationToken names the federated user, which is its session.
            "name" if record.event_name == "GetFederationToken" => {
                event.session_name = nodes.text(value);
            }
            "targetPrincipal" => event.target_principal = nodes.text(value),
            "taskPolicyArn" => {
                event.task_policy_arn =
                    nodes.text(value).or_else(|| nodes.text_at(value, &["arn"]));
            }
            _ => {}
        }
    }
    // The call's own tags first, whatever order they are written in: they are what it asked for.
    for key in ["tags", "principalTags", "incomingTransitiveTags"] {
        read_tags(nodes, nodes.member(record.request, key), &mut event.session_tags);
    }
}

fn policy_arns<'a>(nodes: Nodes<'_, 'a>, place: Place) -> Vec<&'a str> {
    let arn = |element| nodes.text(element).or_else(|| nodes.text_at(element, &["arn"]));
    nodes.elements(place).filter_map(arn).take(MAX_LIST).collect()
}

/// Tags are a list of `{key, value}` in a request's `tags`, but a map in `principalTags` and
/// `incomingTransitiveTags`. The first value of a key stands.
fn read_tags<'a>(nodes: Nodes<'_, 'a>, place: Place, tags: &mut Vec<(&'a str, &'a str)>) {
    let mut add = |key: &'a str, value: Option<&'a str>| {
        if tags.len() < MAX_LIST && !tags.iter().any(|(known, _)| *known == key) {
            tags.push((key, value.unwrap_or_default()));
        }
    };
    for (key, value) in nodes.members(place) {
        // A SAML attribute may have several values; the first is the tag.
        let first = || nodes.elements(value).find_map(|element| nodes.text(element));
        add(key, nodes.text(value).or_else(first));
    }
    for element in nodes.elements(place) {
        if let Some(key) = nodes.text_at(element, &["key"]) {
            add(key, nodes.text_at(element, &["value"]));
        }
    }
}

fn read_response<'a>(nodes: Nodes<'_, 'a>, record: &Record<'a>, event: &mut CredentialEvent<'a>) {
    // Roles Anywhere wraps its one answer in a list.
    let set = nodes.member(record.response, "credentialSet");
    let response = nodes.elements(set).next().unwrap_or(record.response);
    for (key, value) in nodes.members(response) {
        match key {
            "credentials" => {
                event.issued_access_key_id = access_key_id(nodes.text_at(value, &["accessKeyId"]));
                event.issued_expiration =
                    nodes.text_at(value, &["expiration"]).and_then(parse_expiration);
            }
            "assumedRoleUser" => {
                event.session_arn = nodes.text_at(value, &["arn"]).map(Cow::Borrowed);
                let assumed = nodes.text_at(value, &["assumedRoleId"]);
                if let Some((role_id, session)) = assumed.and_then(split_role_session) {
                    event.role_id = Some(role_id);
                    event.session_name = event.session_name.or(Some(session));
                }
            }
            "federatedUser" => {
                event.session_arn = nodes.text_at(value, &["arn"]).map(Cow::Borrowed);
            }
            "sourceIdentity" => {
                event.source_identity = event.source_identity.or(nodes.text(value));
            }
            _ => {}
        }
    }
    // Source identity cannot be changed along a chain, so the caller's is the new session's.
    if event.issued_access_key_id.is_some() {
        event.source_identity = event.source_identity.or(record.identity.source_identity);
    }
}

fn read_federation<'a>(nodes: Nodes<'_, 'a>, record: &Record<'a>, event: &mut CredentialEvent<'a>) {
    let identity = &record.identity;
    let response = |key| nodes.text_at(record.response, &[key]);
    match record.event_name {
        "AssumeRoleWithWebIdentity" => {
            event.identity_provider = identity.identity_provider.or_else(|| response("provider"));
            event.federated_subject =
                identity.user_name.or_else(|| response("subjectFromWebIdentityToken"));
            event.federated_audience =
                response("audience").or_else(|| audience_in_principal_id(record));
        }
        // `identityProvider` is a hash for SAML; the provider's ARN stands in the request.
        "AssumeRoleWithSAML" => {
            event.identity_provider =
                nodes.text_at(record.request, &["principalArn"]).or(identity.identity_provider);
            event.federated_subject = identity.user_name.or_else(|| response("subject"));
            event.federated_audience = response("audience");
        }
        // What the token is for: the audiences that are to take it.
        "GetWebIdentityToken" => {
            let audience = nodes.member(record.request, "audience");
            let first = || nodes.elements(audience).find_map(|one| nodes.text(one));
            event.federated_audience = nodes.text(audience).or_else(first);
        }
        "ConsoleLogin" => {
            event.identity_provider = nodes.text_at(record.additional, &["SamlProviderArn"]);
        }
        "CreateSession" => event.federated_subject = response("subjectArn"),
        _ => event.identity_provider = identity.identity_provider,
    }
}

/// Tokens beside AWS's keys: OAuth for programs that a person lets in, and JWTs for other partitions and clouds.
///
/// <https://docs.aws.amazon.com/signin/latest/userguide/oauth-sign-in-overview.html>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_cross_partition_auditing.html>.
fn read_tokens<'a>(nodes: Nodes<'_, 'a>, record: &Record<'a>, event: &mut CredentialEvent<'a>) {
    let request = |key| nodes.text_at(record.request, &[key]);
    let made = nodes.text_at(record.additional, &["signInSessionArn"]);
    event.sign_in_session_arn = made.or(record.identity.sign_in_session_arn);
    event.credential_id = record.identity.credential_id.or_else(|| credential_in(nodes, record));
    match record.event_source {
        "signin.amazonaws.com" | "sso.amazonaws.com" | "sso-oauth.amazonaws.com" => {
            event.oauth_client_id = request("client_id").or_else(|| request("clientId"));
            event.oauth_resource = request("resource");
        }
        _ => {
            let response = || nodes.text_at(record.response, &["webIdentityTokenId"]);
            event.web_identity_token_id = request("webIdentityTokenId").or_else(response);
            let across = nodes.member(record.additional, "crossPartitionData");
            event.source_principal_arn = nodes.text_at(across, &["sourcePrincipalArn"]);
            event.source_region = nodes.text_at(across, &["sourceRegion"]);
        }
    }
}

/// The sign-in that an application's token stands on; AWS shows it in more than one place.
fn credential_in<'a>(nodes: Nodes<'_, 'a>, record: &Record<'a>) -> Option<&'a str> {
    const KEY: &str = "identitycenter:CredentialId";
    let direct = |place| nodes.text_at(place, &[KEY]);
    let context = |place| direct(nodes.member(place, "awsAdditionalDetails"));
    [record.additional, record.response, record.request, record.service_details]
        .into_iter()
        .find_map(|place| direct(place).or_else(|| context(place)))
}

/// `<provider>:<audience>:<subject>`, where provider and subject may hold colons themselves.
fn audience_in_principal_id<'a>(record: &Record<'a>) -> Option<&'a str> {
    let identity = &record.identity;
    let rest = identity.principal_id?.strip_prefix(identity.identity_provider?)?;
    let audience = rest.strip_prefix(':')?.strip_suffix(identity.user_name?)?.strip_suffix(':')?;
    Some(audience).filter(|audience| !audience.is_empty())
}

fn read_role<'a>(nodes: Nodes<'_, 'a>, record: &Record<'a>, event: &mut CredentialEvent<'a>) {
    let found = role_in_request(nodes, record)
        .or_else(|| role_in_resources(nodes, record))
        .or_else(|| role_in_error_message(record))
        .or_else(|| role_in_identity(record));
    if let Some((arn, source)) = found {
        event.role_arn = Some(arn);
        event.role_arn_source = Some(source);
        if let Some(role) = RoleArn::split(arn) {
            event.role_account_id = Some(role.account);
            event.role_name = Some(role.name);
            event.role_path = Some(role.path);
            if event.session_arn.is_none() && event.outcome == Some(Outcome::Success) {
                event.session_arn = event.session_name.map(|name| role.session_arn(name));
            }
        }
    }
    if caller_is_the_new_session(record) {
        read_new_session(record, event);
    }
    if record.event_source == "sso.amazonaws.com" {
        let details = record.service_details;
        event.role_account_id = nodes.text_at(details, &["account_id"]).or(event.role_account_id);
        event.permission_set = nodes.text_at(details, &["role_name"]);
    }
    if record.event_name == "AssumeRoot" {
        let target = event.target_principal.and_then(account_of_principal);
        event.role_account_id = target.or(event.role_account_id);
    }
}

fn role_in_request<'a>(
    nodes: Nodes<'_, 'a>,
    record: &Record<'a>,
) -> Option<(&'a str, RoleArnSource)> {
    let arn = nodes.text_at(record.request, &["roleArn"]).filter(|arn| names_a_role(arn))?;
    Some((arn, RoleArnSource::Request))
}

fn role_in_resources<'a>(
    nodes: Nodes<'_, 'a>,
    record: &Record<'a>,
) -> Option<(&'a str, RoleArnSource)> {
    let arn_of =
        |element| nodes.text_at(element, &["ARN"]).or_else(|| nodes.text_at(element, &["arn"]));
    let arn = nodes.elements(record.resources).filter_map(arn_of).find(|arn| names_a_role(arn))?;
    Some((arn, RoleArnSource::Resource))
}

/// A denied call keeps neither request nor resources: "… is not authorized to perform:
/// sts:AssumeRole on resource: arn:aws:iam::123456789012:role/Name with an explicit deny".
fn role_in_error_message<'a>(record: &Record<'a>) -> Option<(&'a str, RoleArnSource)> {
    let mut rest = record.error_message?;
    loop {
        let (_, after) = rest.split_once("on resource: ")?;
        let is_quote = |c: char| matches!(c, '"' | '\'');
        let arn = after.trim_start_matches(is_quote);
        let end = arn.find(|c: char| c.is_whitespace() || is_quote(c));
        let whole = end.is_none();
        let arn = end.and_then(|end| arn.get(..end)).unwrap_or(arn);
        // A name may end with a full stop, but a sentence does.
        let arn = if whole { arn.strip_suffix('.').unwrap_or(arn) } else { arn };
        if RoleArn::split(arn).is_some() {
            return Some((arn, RoleArnSource::ErrorMessage));
        }
        rest = after;
    }
}

/// Console role switching logs the new session as the caller; only its issuer keeps the role's path.
fn role_in_identity<'a>(record: &Record<'a>) -> Option<(&'a str, RoleArnSource)> {
    if !caller_is_the_new_session(record) {
        return None;
    }
    Some((record.identity.role_arn()?, RoleArnSource::Identity))
}

fn caller_is_the_new_session(record: &Record<'_>) -> bool {
    record.event_source == "signin.amazonaws.com"
        && record.identity.kind == Some("AssumedRole")
        && matches!(record.event_name, "SwitchRole" | "ExitRole" | "RenewRole" | "ConsoleLogin")
}

fn read_new_session<'a>(record: &Record<'a>, event: &mut CredentialEvent<'a>) {
    let identity = &record.identity;
    event.session_arn = identity.arn.map(Cow::Borrowed);
    event.session_name = identity.session_name();
    event.role_id = identity.role_id();
    event.role_account_id = event.role_account_id.or(identity.account_id);
    event.role_name = event.role_name.or_else(|| {
        let (role_name, _) = split_assumed_role(identity.arn?)?;
        Some(role_name)
    });
}

/// AssumeRoot takes an account id or the ARN of its root user.
fn account_of_principal(principal: &str) -> Option<&str> {
    let account = principal.split(':').nth(4).unwrap_or(principal);
    is_account_id(account).then_some(account)
}

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The parts of `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`.
struct RoleArn<'a> {
    partition: &'a str,
    account: &'a str,
    /// `/` at both ends.
    path: &'a str,
    name: &'a str,
}

impl<'a> RoleArn<'a> {
    fn split(arn: &'a str) -> Option<Self> {
        let rest = arn.strip_prefix("arn:")?;
        let (partition, rest) = rest.split_once(":iam::")?;
        let (account, resource) = rest.split_once(":role")?;
        let name_at = resource.rfind('/')? + 1;
        let (path, name) = resource.split_at_checked(name_at)?;
        let valid = !partition.is_empty()
            && partition.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
            && is_account_id(account)
            && path.starts_with('/')
            && !name.is_empty();
        valid.then_some(Self { partition, account, path, name })
    }

    /// The session's ARN, which drops the role's path.
    fn session_arn(&self, session: &str) -> Cow<'a, str> {
        let Self { partition, account, name, .. } = self;
        Cow::Owned(format!("arn:{partition}:sts::{account}:assumed-role/{name}/{session}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_arns_split_into_account_path_and_name() {
        let arn = "arn:aws-us-gov:iam::123456789012:role/aws-reserved/sso.amazonaws.com/X_dad1";
        let role = RoleArn::split(arn).unwrap();
        assert_eq!(role.account, "123456789012");
        assert_eq!(role.path, "/aws-reserved/sso.amazonaws.com/");
        assert_eq!(role.name, "X_dad1");
        assert_eq!(
            role.session_arn("ann"),
            "arn:aws-us-gov:sts::123456789012:assumed-role/X_dad1/ann"
        );
        for arn in [
            "arn:aws:iam::12345:role/X",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:rolex/X",
            "arn:aws:sts::123456789012:assumed-role/X/s",
        ] {
            assert!(RoleArn::split(arn).is_none(), "{arn}");
        }
    }
}
