//! What one log file says, as typed rows that borrow from the parsed text.
//!
//! These are plain data: no Arrow, no I/O, nothing that knows where the bytes came from. Times are
//! microseconds since the Unix epoch, UTC. Absent, JSON null, `""` and a value of another type than
//! text are all `None`; so are an access key id of `Unknown`, a time outside the years 2006 to 2261, and a
//! duration that no session has, so that nothing that is reckoned from a row overflows. A service of China's
//! partition (`ec2.amazonaws.com.cn`) has the name that it has elsewhere. Session tokens and secrets have no
//! field here, so that nothing downstream can store them.
//!
//! Field meanings: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>.

use std::borrow::Cow;

/// Microseconds since the Unix epoch, UTC.
pub type Micros = i64;

/// Everything one log file says, and an exact account of it.
#[derive(Debug, Default)]
pub struct LogFile<'a> {
    /// Records that hand out or take up credentials, in file order.
    pub credential_events: Vec<CredentialEvent<'a>>,
    /// Records that change IAM state, in file order.
    pub iam_changes: Vec<IamChange<'a>>,
    /// Every record that was not rejected, aggregated.
    pub activity: Vec<ActivityRow<'a>>,
    /// What was seen: `seen == credential + other + rejected`.
    pub account: Account,
}

/// The exact account of one log file's records.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Account {
    /// Elements of `Records`.
    pub seen: u64,
    /// Records that became a [`CredentialEvent`].
    pub credential: u64,
    /// Records that are neither credential events nor rejected (IAM changes are among these).
    pub other: u64,
    /// Records that were rejected.
    pub rejected: u64,
    /// Records that also became an [`IamChange`].
    pub iam_changes: u64,
    /// Records that sum up five minutes of data events (`AwsAggregatedEvent`); they are among `other`.
    pub aggregated: u64,
    /// The first rejected records, at most [`Account::MAX_REJECTIONS`]; `rejected` counts all.
    pub rejections: Vec<Rejection>,
    /// Earliest `eventTime` of the records that were not rejected.
    pub first_event_time: Option<Micros>,
    /// Latest `eventTime` of the records that were not rejected.
    pub last_event_time: Option<Micros>,
    /// Whether the last page of `lookup-events` says that another follows (`NextToken`), which is not here.
    pub more_pages: bool,
}

impl Account {
    /// How many rejected records are named one by one.
    pub const MAX_REJECTIONS: usize = 20;

    /// Widens the time that the records cover.
    pub(crate) fn cover(&mut self, time: Micros) {
        self.first_event_time = Some(self.first_event_time.map_or(time, |at| at.min(time)));
        self.last_event_time = Some(self.last_event_time.map_or(time, |at| at.max(time)));
    }
}

/// A record that was rejected: where it stands, and why. Never what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Position in `Records`, from 0.
    pub record_index: u32,
    /// Why.
    pub reason: RejectionReason,
}

/// Why a record was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectionReason {
    /// The element of `Records` is not a JSON object.
    NotAnObject,
    /// `eventTime` is absent, empty or not text.
    NoEventTime,
    /// `eventTime` is text but no time.
    BadEventTime,
    /// `eventTime` is before 2006, when there was no AWS, or after 2261, where many programs' times end.
    EventTimeOutOfRange,
    /// `eventSource` is absent, empty or not text.
    NoEventSource,
    /// `eventName` is absent, empty or not text.
    NoEventName,
    /// Holds more text than any record that CloudTrail delivers.
    TooLarge,
}

impl std::fmt::Display for RejectionReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotAnObject => "is not a JSON object",
            Self::NoEventTime => "has no eventTime",
            Self::BadEventTime => "has an eventTime that is not a time",
            Self::EventTimeOutOfRange => "has an eventTime before 2006 or after 2261",
            Self::NoEventSource => "has no eventSource",
            Self::NoEventName => "has no eventName",
            Self::TooLarge => "is larger than any record that CloudTrail delivers",
        })
    }
}

/// Whether the call did what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// No error code, and no `responseElements` that says `Failure`.
    Success,
    /// `errorCode` is set, or a sign-in event answered `Failure`.
    Failure,
}

impl Outcome {
    /// The value stored in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// Where a credential event's role ARN was found, most trusted place first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoleArnSource {
    /// `requestParameters.roleArn`.
    Request,
    /// `resources[].ARN`.
    Resource,
    /// The text of `errorMessage`: denied calls keep nothing else.
    ErrorMessage,
    /// `userIdentity` itself: console role switching logs the new session as the caller.
    Identity,
}

impl RoleArnSource {
    /// The value stored in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Resource => "resource",
            Self::ErrorMessage => "error_message",
            Self::Identity => "identity",
        }
    }
}

/// A record that hands out or takes up credentials, success or failure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CredentialEvent<'a> {
    /// `eventID`; old records have none.
    pub event_id: Option<&'a str>,
    /// `sharedEventID`: the same act in another account's trail carries the same.
    pub shared_event_id: Option<&'a str>,
    /// `requestID`.
    pub request_id: Option<&'a str>,
    /// `eventTime`.
    pub event_time: Micros,
    /// `eventSource`.
    pub event_source: &'a str,
    /// `eventName`.
    pub event_name: &'a str,
    /// `eventVersion`.
    pub event_version: Option<&'a str>,
    /// `awsRegion`.
    pub aws_region: Option<&'a str>,
    /// `recipientAccountId`.
    pub recipient_account_id: Option<&'a str>,

    /// `userIdentity.type`.
    pub caller_type: Option<&'a str>,
    /// `userIdentity.arn`; absent where the caller is masked.
    pub caller_arn: Option<&'a str>,
    /// `userIdentity.principalId`.
    pub caller_principal_id: Option<&'a str>,
    /// `userIdentity.accountId`.
    pub caller_account_id: Option<&'a str>,
    /// `userIdentity.userName`.
    pub caller_user_name: Option<&'a str>,
    /// `userIdentity.accessKeyId`: for a chained role, the link to the parent session.
    pub caller_access_key_id: Option<&'a str>,
    /// `userIdentity.sessionContext.sessionIssuer.arn`: keeps the role's path.
    pub caller_issuer_arn: Option<&'a str>,
    /// The caller's own session name, from `principalId` or `arn`.
    pub caller_session_name: Option<&'a str>,
    /// `userIdentity.sessionContext.attributes.creationDate`.
    pub caller_session_created: Option<Micros>,
    /// `mfaAuthenticated` of the caller's session, or `MFAUsed` of a console sign-in.
    pub caller_mfa: Option<bool>,
    /// `userIdentity.invokedBy`.
    pub caller_invoked_by: Option<&'a str>,
    /// `userIdentity.onBehalfOf.userId`: the Identity Center user.
    pub caller_on_behalf_of: Option<&'a str>,

    /// The OIDC or SAML provider: its ARN where the record has one, else host name or hash.
    pub identity_provider: Option<&'a str>,
    /// The federated subject (`sub`, or SAML's NameID).
    pub federated_subject: Option<&'a str>,
    /// The audience the token was made for.
    pub federated_audience: Option<&'a str>,

    /// ARN of the role, with its path.
    pub role_arn: Option<&'a str>,
    /// Where `role_arn` was found.
    pub role_arn_source: Option<RoleArnSource>,
    /// Account that owns the role.
    pub role_account_id: Option<&'a str>,
    /// Name of the role, without path.
    pub role_name: Option<&'a str>,
    /// Path of the role, `/` at both ends; `None` where the ARN is not known.
    pub role_path: Option<&'a str>,
    /// Unique id of the role (`AROA…`).
    pub role_id: Option<&'a str>,
    /// Name of the new session.
    pub session_name: Option<&'a str>,
    /// ARN of the new session; built from role and session name where the answer lacks it.
    pub session_arn: Option<Cow<'a, str>>,
    /// Permission set, on Identity Center's own events.
    pub permission_set: Option<&'a str>,

    /// Access key id that the call handed out.
    pub issued_access_key_id: Option<&'a str>,
    /// When the handed-out credentials expire.
    pub issued_expiration: Option<Micros>,
    /// `durationSeconds` as asked for; `None` outside 1 to 129,600, the longest that any call grants.
    pub duration_seconds: Option<i64>,

    /// `externalId`.
    pub external_id: Option<&'a str>,
    /// `serialNumber`: set means that the call passed MFA.
    pub mfa_serial: Option<&'a str>,
    /// Source identity of the new session.
    pub source_identity: Option<&'a str>,
    /// Inline session policy.
    pub session_policy: Option<&'a str>,
    /// ARNs of managed session policies; at most 100, as of every list here. STS takes 10, and 50 tags.
    pub session_policy_arns: Vec<&'a str>,
    /// Session tags, in the order given.
    pub session_tags: Vec<(&'a str, &'a str)>,
    /// Keys of the tags that are passed on in role chaining.
    pub transitive_tag_keys: Vec<&'a str>,

    /// `additionalEventData.SwitchFrom`: the person behind a console role switch.
    pub switch_from: Option<&'a str>,
    /// `targetPrincipal` of AssumeRoot: account id or root ARN.
    pub target_principal: Option<&'a str>,
    /// `taskPolicyArn` of AssumeRoot.
    pub task_policy_arn: Option<&'a str>,

    /// `sourceIPAddress`, where it is an address.
    pub source_ip: Option<&'a str>,
    /// `sourceIPAddress`, where it is anything else (a service).
    pub source_service: Option<&'a str>,
    /// `userAgent`.
    pub user_agent: Option<&'a str>,
    /// `vpcEndpointId`.
    pub vpc_endpoint_id: Option<&'a str>,
    /// `tlsDetails.clientProvidedHostHeader`.
    pub tls_host: Option<&'a str>,
    /// `sessionCredentialFromConsole`.
    pub from_console: Option<bool>,

    /// Success or failure.
    pub outcome: Option<Outcome>,
    /// `errorCode`.
    pub error_code: Option<&'a str>,
    /// `errorMessage`.
    pub error_message: Option<&'a str>,
    /// `readOnly`.
    pub read_only: Option<bool>,
    /// `additionalEventData.explicitTrustGrant`.
    pub explicit_trust_grant: Option<bool>,
    /// `additionalEventData.RequestDetails.endpointType`: `global` or `regional`.
    pub endpoint_type: Option<&'a str>,
    /// `additionalEventData.RequestDetails.awsServingRegion`.
    pub serving_region: Option<&'a str>,
    /// `addendum.originalEventID` of a correction (`UPDATED_DATA`): the event that this one replaces.
    pub supersedes_event_id: Option<&'a str>,

    /// `signInSessionArn`: of a sign-in's own records (`signin.amazonaws.com`) the session that it made, from
    /// `additionalEventData`; of any other the session that the call was made in, from the session context.
    pub sign_in_session_arn: Option<&'a str>,
    /// `requestParameters.client_id`: the OAuth client that a token was handed to; an ARN where it is AWS's own or registered.
    pub oauth_client_id: Option<&'a str>,
    /// `requestParameters.resource`: what the OAuth token is for, such as AWS's MCP server.
    pub oauth_resource: Option<&'a str>,
    /// `webIdentityTokenId`, in the answer of GetWebIdentityToken and in what asks for a role with that token.
    pub web_identity_token_id: Option<&'a str>,
    /// `additionalEventData.crossPartitionData.sourcePrincipalArn`: who asked for the token, in another partition.
    pub source_principal_arn: Option<&'a str>,
    /// `additionalEventData.crossPartitionData.sourceRegion`: where.
    pub source_region: Option<&'a str>,
    /// `userIdentity.credentialId`, or `identitycenter:CredentialId` wherever the record has it: the sign-in to Identity Center.
    pub credential_id: Option<&'a str>,

    /// Position in `Records`, from 0.
    pub record_index: u32,
}

/// A record that changes a credential, user, role, policy, attachment, identity provider, trust anchor or
/// trail, success or failure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IamChange<'a> {
    /// `eventID`; old records have none.
    pub event_id: Option<&'a str>,
    /// `eventTime`.
    pub event_time: Micros,
    /// `eventSource`.
    pub event_source: &'a str,
    /// `eventName`.
    pub event_name: &'a str,
    /// `awsRegion`.
    pub aws_region: Option<&'a str>,
    /// `recipientAccountId`.
    pub recipient_account_id: Option<&'a str>,
    /// Success or failure.
    pub outcome: Option<Outcome>,
    /// `errorCode`.
    pub error_code: Option<&'a str>,
    /// `userIdentity.arn`.
    pub actor_arn: Option<&'a str>,
    /// `userIdentity.principalId`.
    pub actor_principal_id: Option<&'a str>,
    /// `userIdentity.accessKeyId`.
    pub actor_access_key_id: Option<&'a str>,
    /// `sourceIPAddress`, where it is an address.
    pub source_ip: Option<&'a str>,
    /// `sourceIPAddress`, where it is anything else.
    pub source_service: Option<&'a str>,
    /// `userAgent`.
    pub user_agent: Option<&'a str>,
    /// What kind of thing was changed: `access_key`, `login_profile` (a password), `user`, `role`, `policy`, ….
    pub target_type: &'static str,
    /// Its ARN, where the record has one.
    pub target_arn: Option<&'a str>,
    /// Its name; for a credential, the user's, and `<root_account>` for root's.
    pub target_name: Option<&'a str>,
    /// Its unique id; for a credential its own: the access key id, a device's serial number.
    pub target_id: Option<&'a str>,
    /// The policy that was attached, detached, or made the default.
    pub policy_arn: Option<&'a str>,
    /// The status that was set (`Active` or `Inactive` for a credential).
    pub status: Option<&'a str>,
    /// The policy document, the selectors of a trail, or what a user or group is called from now on
    /// (`newUserName`, `newGroupName`, `newPath`), as JSON text; at most 100 KB.
    pub document: Option<Cow<'a, str>>,
    /// Position in `Records`, from 0.
    pub record_index: u32,
}

/// How long the credential that signed a record lives, told from its access key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CredentialKind {
    /// `AKIA…`: an access key of an IAM user or root.
    LongTerm,
    /// `ASIA…`: credentials of a session.
    Temporary,
    /// Any other access key id.
    Other,
    /// The record names no access key.
    #[default]
    None,
}

impl CredentialKind {
    /// The value stored in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LongTerm => "long_term",
            Self::Temporary => "temporary",
            Self::Other => "other",
            Self::None => "none",
        }
    }
}

/// Records of one log file that agree in everything but time and event id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ActivityRow<'a> {
    /// Start of the hour that the records' `eventTime` lies in.
    pub hour: Micros,
    /// `userIdentity.accessKeyId`.
    pub access_key_id: Option<&'a str>,
    /// Told from `access_key_id`.
    pub credential_kind: CredentialKind,
    /// `userIdentity.type`.
    pub principal_type: Option<&'a str>,
    /// `userIdentity.principalId`.
    pub principal_id: Option<&'a str>,
    /// `userIdentity.arn`.
    pub principal_arn: Option<&'a str>,
    /// `userIdentity.accountId`.
    pub account_id: Option<&'a str>,
    /// `userIdentity.userName`.
    pub user_name: Option<&'a str>,
    /// `sessionIssuer.arn`, where the issuer is a role.
    pub role_arn: Option<&'a str>,
    /// Unique id of the role (`AROA…`), from the session issuer or the principal id.
    pub role_id: Option<&'a str>,
    /// Name of the session.
    pub session_name: Option<&'a str>,
    /// `sessionContext.attributes.creationDate`.
    pub session_created: Option<Micros>,
    /// `sessionContext.sourceIdentity`.
    pub source_identity: Option<&'a str>,
    /// `sessionContext.signInSessionArn`: the sign-in session that the calls were made in.
    pub sign_in_session_arn: Option<&'a str>,
    /// `userIdentity.invokedBy`.
    pub invoked_by: Option<&'a str>,
    /// `userIdentity.inScopeOf.credentialsIssuedTo`, else its `sourceArn`.
    pub in_scope_of: Option<&'a str>,
    /// `mfaAuthenticated`.
    pub mfa: Option<bool>,
    /// `eventSource`.
    pub event_source: &'a str,
    /// `eventName`.
    pub event_name: &'a str,
    /// `eventCategory`.
    pub event_category: Option<&'a str>,
    /// `awsRegion`.
    pub aws_region: Option<&'a str>,
    /// `recipientAccountId`.
    pub recipient_account_id: Option<&'a str>,
    /// `errorCode`.
    pub error_code: Option<&'a str>,
    /// `sourceIPAddress`, where it is an address.
    pub source_ip: Option<&'a str>,
    /// `sourceIPAddress`, where it is anything else.
    pub source_service: Option<&'a str>,
    /// `userAgent`.
    pub user_agent: Option<&'a str>,
    /// Records in this row; of aggregated events, the calls that they sum up.
    pub event_count: u64,
    /// Earliest `eventTime`.
    pub first_time: Micros,
    /// Latest `eventTime`.
    pub last_time: Micros,
    /// `eventID` of the record at `sample_record_index`.
    pub sample_event_id: Option<&'a str>,
    /// Position of the row's first record in `Records`.
    pub sample_record_index: u32,
}
