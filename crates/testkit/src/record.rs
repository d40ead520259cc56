//! One CloudTrail record as JSON, and who signed it.
//!
//! Member order and optional members follow real records; values are invented.

use crate::json::{Obj, array};
use crate::migration;
use crate::model::{
    AccountIx, Caller, Class, Emitted, GLOBAL, KeyIx, RecIx, SessIx, SessionKind, Signer, World,
};
use crate::time::{Micros, iso};

/// `userIdentity`, with what it gives away.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) json: Option<String>,
    pub(crate) signer: Signer,
    pub(crate) key: Option<String>,
    pub(crate) shows: Vec<(String, String)>,
}

impl Identity {
    /// An identity that signs nothing and gives nothing away.
    pub(crate) fn bare(json: String) -> Self {
        Self { json: Some(json), signer: Signer::Nobody, key: None, shows: Vec::new() }
    }
}

/// A call as it will be logged; start from [`World::call`].
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) version: &'static str,
    pub(crate) identity: Identity,
    pub(crate) at: Micros,
    pub(crate) account: AccountIx,
    pub(crate) region: &'static str,
    pub(crate) source: &'static str,
    pub(crate) name: &'static str,
    pub(crate) ip: String,
    pub(crate) agent: String,
    pub(crate) error: Option<(String, String)>,
    /// Failed without an error code.
    pub(crate) failed_quietly: bool,
    pub(crate) request: Option<String>,
    pub(crate) response: Option<String>,
    pub(crate) additional: Option<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) event_type: &'static str,
    pub(crate) read_only: bool,
    pub(crate) data: bool,
    pub(crate) shared: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) service_details: Option<String>,
    pub(crate) addendum: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) vpc_endpoint: Option<&'static str>,
    pub(crate) console: bool,
    pub(crate) class: Class,
    /// Shape of 2014: no event id, no recipient, no type.
    pub(crate) ancient: bool,
    pub(crate) shows: Vec<(String, String)>,
}

impl World {
    /// A plain call by `caller`, in its own account.
    pub(crate) fn call(
        &mut self,
        caller: &Caller,
        at: Micros,
        source: &'static str,
        name: &'static str,
    ) -> Call {
        let identity = self.identity(caller);
        let account = self.account_of(caller).unwrap_or_default();
        let (ip, agent) = match caller {
            Caller::Service(service)
            | Caller::Forwarded(_, service)
            | Caller::ForwardedKey(_, service, _) => ((*service).to_owned(), (*service).to_owned()),
            _ => (String::from("198.51.100.7"), String::from(CLI)),
        };
        let direct = !matches!(
            caller,
            Caller::Service(_) | Caller::Forwarded(..) | Caller::ForwardedKey(..)
        );
        let console = match caller {
            Caller::Session(session) => self.sessions[session.0].dress.console,
            _ => false,
        };
        Call {
            version: "1.10",
            identity,
            at,
            account,
            region: GLOBAL,
            source,
            name,
            ip,
            agent,
            error: None,
            failed_quietly: false,
            request: None,
            response: None,
            additional: None,
            resources: Vec::new(),
            event_type: "AwsApiCall",
            read_only: true,
            data: false,
            shared: None,
            request_id: Some(self.dice.uuid()),
            service_details: None,
            addendum: None,
            host: direct.then(|| source.to_owned()),
            vpc_endpoint: None,
            console,
            class: Class::Other,
            ancient: false,
            shows: Vec::new(),
        }
    }

    /// Logs a call. Whether the record is delivered is decided later.
    pub(crate) fn emit(&mut self, call: Call) -> RecIx {
        let event_id = (!call.ancient).then(|| self.dice.uuid());
        let failed = call.error.is_some() || call.failed_quietly;
        let body = render(&call, event_id.as_deref(), &self.accounts[call.account].id);
        let label = (call.class == Class::Credential).then(|| {
            let service = call.source.split('.').next().unwrap_or_default();
            let outcome = if failed { "failure" } else { "success" };
            format!("{service}:{}:{outcome}", call.name)
        });
        let mut shows = call.identity.shows;
        shows.extend(call.shows);
        self.records.push(Emitted {
            event_id,
            at: call.at,
            account: call.account,
            region: call.region,
            class: call.class,
            label,
            signer: call.identity.signer,
            signing_key: call.identity.key,
            caller: call.host.as_ref().map(|_| migration::name(&call.ip, &call.agent)),
            failed: call.error.is_some(),
            read_only: call.read_only,
            shows,
            body,
            delay: 0,
            again: None,
            twice: false,
            lost: false,
        });
        RecIx(self.records.len() - 1)
    }

    /// The `userIdentity` of a caller.
    pub(crate) fn identity(&self, caller: &Caller) -> Identity {
        match caller {
            Caller::Key(key) => self.key_identity(*key, None, None),
            Caller::ForwardedKey(key, service, with) => {
                self.key_identity(*key, Some(service), with.as_deref())
            }
            Caller::Session(session) => self.session_identity(*session, None),
            Caller::Forwarded(session, service) => self.session_identity(*session, Some(service)),
            Caller::Service(service) => {
                Identity::bare(Obj::new().str("type", "AWSService").str("invokedBy", service).end())
            }
            Caller::Saml { qualifier, subject, .. } => Identity::bare(
                Obj::new()
                    .str("type", "SAMLUser")
                    .str("principalId", &format!("{qualifier}:{subject}"))
                    .str("userName", subject)
                    .str("identityProvider", qualifier)
                    .end(),
            ),
            Caller::Web { provider_arn, audience, subject } => Identity::bare(
                Obj::new()
                    .str("type", "WebIdentityUser")
                    .str("principalId", &format!("{provider_arn}:{audience}:{subject}"))
                    .str("userName", subject)
                    .str("identityProvider", provider_arn)
                    .end(),
            ),
            Caller::External { account_id, principal } => {
                Identity::bare(masked(account_id, principal))
            }
            Caller::Certificate { account, .. } => Identity::bare(
                Obj::new()
                    .str("type", "Unknown")
                    .str("principalId", "")
                    .str("arn", "")
                    .str("accountId", &self.accounts[*account].id)
                    .str("accessKeyId", "")
                    .str("userName", "")
                    .end(),
            ),
            Caller::Portal { user_id } => Identity::bare(
                Obj::new()
                    .str("type", "IdentityCenterUser")
                    .str("accountId", &self.accounts[0].id)
                    .raw("onBehalfOf", &self.on_behalf_of(user_id))
                    .str("credentialId", &format!("{}ACY3LmTk5Q", user_id.replace('-', "")))
                    .end(),
            ),
        }
    }

    pub(crate) fn on_behalf_of(&self, user_id: &str) -> String {
        let store = format!(
            "arn:aws:identitystore::{}:identitystore/d-{}",
            self.accounts[0].id,
            &self.accounts[0].id[2..12]
        );
        Obj::new().str("userId", user_id).str("identityStoreArn", &store).end()
    }

    fn key_identity(&self, key: KeyIx, service: Option<&str>, with: Option<&str>) -> Identity {
        let info = &self.keys[key.0];
        let user = &self.users[info.user.0];
        let context = service.map(|_| context(Obj::new().end(), info.created, false).end());
        let json = Obj::new()
            .str("type", "IAMUser")
            .str("principalId", &user.id)
            .str("arn", &user.arn)
            .str("accountId", &self.accounts[user.account].id)
            .str("accessKeyId", with.unwrap_or(&info.id))
            .str("userName", &user.name)
            .opt_raw("sessionContext", context.as_deref())
            .opt("invokedBy", service)
            .end();
        Identity {
            json: Some(json),
            signer: if with.is_some() { Signer::Nobody } else { Signer::Key(key) },
            key: Some(with.unwrap_or(&info.id).to_owned()),
            shows: vec![(user.id.clone(), user.arn.clone())],
        }
    }

    fn session_identity(&self, session: SessIx, service: Option<&str>) -> Identity {
        let intent = &self.sessions[session.0];
        let account = &self.accounts[self.home(session)].id;
        let arn = self.session_arn(session);
        let key = service.is_none().then(|| intent.used_key.clone());
        let mut shows = Vec::new();
        let (kind, principal, issuer, user_name) = match intent.kind {
            SessionKind::Role(role) => {
                let role = &self.roles[role.0];
                shows.push((role.id.clone(), role.arn.clone()));
                let issuer = Obj::new()
                    .str("type", "Role")
                    .str("principalId", &role.id)
                    .str("arn", &role.arn)
                    .str("accountId", account)
                    .str("userName", &role.name)
                    .end();
                ("AssumedRole", format!("{}:{}", role.id, intent.name), issuer, None)
            }
            SessionKind::User(user) => {
                let user = &self.users[user.0];
                shows.push((user.id.clone(), user.arn.clone()));
                ("IAMUser", user.id.clone(), Obj::new().end(), Some(user.name.as_str()))
            }
            SessionKind::Federated(user) => {
                let user = &self.users[user.0];
                shows.push((user.id.clone(), user.arn.clone()));
                let issuer = Obj::new()
                    .str("type", "IAMUser")
                    .str("principalId", &user.id)
                    .str("arn", &user.arn)
                    .str("accountId", account)
                    .str("userName", &user.name)
                    .end();
                ("FederatedUser", format!("{account}:{}", intent.name), issuer, None)
            }
            SessionKind::Root(_) => ("Root", account.clone(), Obj::new().end(), None),
        };
        let dress = &intent.dress;
        let mut context = context(issuer, intent.created, intent.mfa)
            .opt("sourceIdentity", intent.source_identity.as_deref())
            .opt("ec2RoleDelivery", dress.ec2_delivery)
            .opt("signInSessionArn", dress.sign_in.as_deref());
        if matches!(intent.kind, SessionKind::Root(_)) {
            context = context.str("assumedRoot", "true");
        }
        if let Some(web) = &dress.web {
            context = context.raw("webIdFederationData", web);
        }
        let on_behalf = dress.on_behalf_of.as_deref().map(|user| self.on_behalf_of(user));
        let json = Obj::new()
            .str("type", kind)
            .str("principalId", &principal)
            .str("arn", &arn)
            .str("accountId", account)
            .opt("accessKeyId", key.as_deref())
            .opt("userName", user_name)
            .raw("sessionContext", &context.end())
            .opt("invokedBy", service)
            .opt_raw("inScopeOf", dress.in_scope_of.as_deref())
            .opt_raw("onBehalfOf", on_behalf.as_deref())
            .end();
        let by_key = key.is_some() && key == intent.issued_key;
        let signer = if by_key { Signer::ByKey(session) } else { Signer::BySession(session) };
        Identity { json: Some(json), signer, key, shows }
    }
}

fn context(issuer: String, created: Micros, mfa: bool) -> Obj {
    let attributes = Obj::new()
        .str("creationDate", &iso(created))
        .str("mfaAuthenticated", if mfa { "true" } else { "false" })
        .end();
    Obj::new().raw("sessionIssuer", &issuer).raw("attributes", &attributes)
}

/// What a role's owner sees of a caller in another account.
pub(crate) fn masked(account_id: &str, principal: &str) -> String {
    Obj::new()
        .str("type", "AWSAccount")
        .str("principalId", principal)
        .str("accountId", account_id)
        .end()
}

/// An entry of `resources`.
pub(crate) fn resource(arn: &str, account_id: &str, kind: &str) -> String {
    Obj::new().str("accountId", account_id).str("type", kind).str("ARN", arn).end()
}

pub(crate) const CLI: &str = "aws-cli/2.22.7 md/awscrt#0.23.4 ua/2.0 os/linux#6.1.115 md/arch#x86_64 lang/python#3.12.6 md/pyimpl#CPython cfg/retry-mode#standard md/installer#exe md/prompt#off";
pub(crate) const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";
pub(crate) const TERRAFORM: &str = "APN/1.0 HashiCorp/1.0 Terraform/1.9.8 (+https://www.terraform.io) terraform-provider-aws/5.76.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.32.5 ua/2.1 os/linux lang/go#1.23.3 md/GOOS#linux md/GOARCH#amd64";
pub(crate) const PYTHON: &str = "Boto3/1.35.66 md/Botocore#1.35.66 ua/2.0 os/linux#6.1.112 md/arch#x86_64 lang/python#3.11.10 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.35.66";
pub(crate) const GITHUB: &str = "aws-sdk-js/3.693.0 ua/2.1 os/linux#6.8.0-1017-azure lang/js md/nodejs#20.18.0 api/sts#3.693.0 configure-aws-credentials-for-github-actions";

fn render(call: &Call, event_id: Option<&str>, account_id: &str) -> String {
    let mut out = Obj::new().str("eventVersion", if call.ancient { "1.01" } else { call.version });
    if let Some(json) = &call.identity.json {
        out = out.raw("userIdentity", json);
    }
    out = out
        .str("eventTime", &iso(call.at))
        .str("eventSource", call.source)
        .str("eventName", call.name)
        .str("awsRegion", call.region)
        .str("sourceIPAddress", &call.ip)
        .str("userAgent", &call.agent);
    if let Some((code, message)) = &call.error {
        out = out.str("errorCode", code).str("errorMessage", message);
    } else if call.failed_quietly {
        out = out.str("errorMessage", "Failed authentication");
    }
    out = out
        .raw("requestParameters", call.request.as_deref().unwrap_or("null"))
        .raw("responseElements", call.response.as_deref().unwrap_or("null"))
        .opt_raw("additionalEventData", call.additional.as_deref())
        .opt("requestID", call.request_id.as_deref());
    if call.ancient {
        return out.end();
    }
    out = out.opt("eventID", event_id).bool("readOnly", call.read_only);
    if !call.resources.is_empty() {
        out = out.raw("resources", &array(&call.resources));
    }
    out = out
        .str("eventType", call.event_type)
        .bool("managementEvent", !call.data)
        .str("recipientAccountId", account_id)
        .opt("sharedEventID", call.shared.as_deref())
        .opt_raw("serviceEventDetails", call.service_details.as_deref())
        .opt("vpcEndpointId", call.vpc_endpoint)
        .str("eventCategory", if call.data { "Data" } else { "Management" })
        .opt_raw("addendum", call.addendum.as_deref());
    if let Some(host) = &call.host {
        let tls = Obj::new()
            .str("tlsVersion", "TLSv1.3")
            .str("cipherSuite", "TLS_AES_128_GCM_SHA256")
            .str("clientProvidedHostHeader", host)
            .end();
        out = out.raw("tlsDetails", &tls);
    }
    if call.console {
        out = out.str("sessionCredentialFromConsole", "true");
    }
    out.end()
}
