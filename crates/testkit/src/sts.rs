//! The verbs that hand out credentials: each logs its records and notes the act that was meant.

use crate::json::{Obj, array, strings, tag_list, tag_map};
use crate::model::{
    AccountIx, ActIntent, Caller, Class, Dress, GLOBAL, Issue, RecIx, RoleIx, SessIx,
    SessionIntent, SessionKind, View, World,
};
use crate::record::{BROWSER, CLI, Call, Identity, masked, resource};
use crate::time::{Micros, SECOND, Spelling, localized};
use crate::truth::Act;

/// Every session token in the generated records begins with this text: whoever finds it in a table, a
/// log line or a report has found a leak.
pub const SESSION_TOKEN_MARK: &str = "FwoGZXIvYXdzFAKE";

/// A successful AssumeRole, AssumeRoleWithSAML or AssumeRoleWithWebIdentity.
#[derive(Clone)]
pub(crate) struct Assume {
    pub(crate) caller: Caller,
    pub(crate) role: RoleIx,
    pub(crate) session: String,
    pub(crate) at: Micros,
    pub(crate) region: &'static str,
    pub(crate) ip: String,
    pub(crate) agent: String,
    /// Seconds asked for.
    pub(crate) duration: Option<i64>,
    /// Seconds that the credentials live.
    pub(crate) life: i64,
    pub(crate) external_id: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) source_identity: Option<String>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) transitive: Vec<String>,
    pub(crate) policy: Option<String>,
    pub(crate) policy_arns: Vec<String>,
    /// The answer holds credentials only, as for Lambda and EC2.
    pub(crate) terse: bool,
    /// The session is used with another key than the one issued: console and Identity Center.
    pub(crate) other_key: bool,
    /// The console asks, for this person's browser.
    pub(crate) console: Option<(String, String)>,
    pub(crate) spelling: Spelling,
    pub(crate) additional: Option<String>,
    pub(crate) fixed_key: Option<String>,
    pub(crate) dress: Dress,
    /// Shape of 2014.
    pub(crate) ancient: bool,
    /// The record comes twice: first with this user agent, then corrected.
    pub(crate) corrects: Option<String>,
    /// No copy is delivered: issued before the logs begin.
    pub(crate) lost: bool,
    /// `requestParameters` was too large and is left out.
    pub(crate) request_omitted: bool,
}

impl Assume {
    pub(crate) fn new(caller: Caller, role: RoleIx, session: &str, at: Micros) -> Self {
        Self {
            caller,
            role,
            session: session.to_owned(),
            at,
            region: GLOBAL,
            ip: String::from("198.51.100.7"),
            agent: String::from(CLI),
            duration: None,
            life: 3_600,
            external_id: None,
            serial: None,
            source_identity: None,
            tags: Vec::new(),
            transitive: Vec::new(),
            policy: None,
            policy_arns: Vec::new(),
            terse: false,
            other_key: false,
            console: None,
            spelling: Spelling::Comma,
            additional: None,
            fixed_key: None,
            dress: Dress::default(),
            ancient: false,
            corrects: None,
            lost: false,
            request_omitted: false,
        }
    }

    /// A service that takes a role on a workload's behalf.
    pub(crate) fn service(service: &'static str, role: RoleIx, session: &str, at: Micros) -> Self {
        let mut this = Self::new(Caller::Service(service), role, session, at);
        this.ip = service.to_owned();
        this.agent = service.to_owned();
        this
    }

    pub(crate) fn lasting(mut self, seconds: i64) -> Self {
        self.duration = Some(seconds);
        self.life = seconds;
        self
    }

    pub(crate) fn from(mut self, ip: &str, agent: &str) -> Self {
        self.ip = ip.to_owned();
        self.agent = agent.to_owned();
        self
    }

    fn event_name(&self) -> &'static str {
        match self.caller {
            Caller::Saml { .. } => "AssumeRoleWithSAML",
            Caller::Web { .. } => "AssumeRoleWithWebIdentity",
            _ => "AssumeRole",
        }
    }
}

pub(crate) fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

/// What an assumption hands out.
struct Issued {
    key: String,
    used_key: String,
    expires: Micros,
    source_identity: Option<String>,
    incoming: Vec<(String, String)>,
    passed_on: Vec<(String, String)>,
    mfa: bool,
}

impl World {
    /// A role is taken: logs one record, or the caller's and the owner's, and the console's own.
    pub(crate) fn assume(&mut self, spec: Assume) -> SessIx {
        let issued = self.issue(&spec);
        let home = self.roles[spec.role.0].account;
        let call = self.assume_call(&spec, &issued);
        let copies = self.log_copies(&spec, call, home);
        let (switch_from, switch_agent) = match (&spec.console, &spec.caller) {
            (Some(person), Caller::Session(session)) => {
                (Some(self.session_arn(*session)), Some(person.clone()))
            }
            _ => (None, None),
        };
        let full = self.assume_row(&spec, &issued);
        let unique = self.unique_of(&spec.caller);
        let act = self.push_act(ActIntent { full, copies, unique, switch_from, switch_agent });
        let event_name = spec.event_name();
        self.push_session(SessionIntent {
            kind: SessionKind::Role(spec.role),
            name: spec.session,
            created: spec.at,
            expires: issued.expires,
            issued_key: Some(issued.key),
            used_key: issued.used_key,
            mfa: issued.mfa,
            source_identity: issued.source_identity,
            dress: spec.dress,
            issue: Issue::Act(act),
            issued_by: event_name,
            parent: Some(spec.caller),
            transitive: issued.passed_on,
        })
    }

    fn issue(&mut self, spec: &Assume) -> Issued {
        let home = self.roles[spec.role.0].account;
        let key = spec.fixed_key.clone().unwrap_or_else(|| self.temporary_key(home));
        let used_key = if spec.other_key { self.temporary_key(home) } else { key.clone() };
        let (mut source_identity, mut incoming, mut mfa) = (None, Vec::new(), false);
        if let Caller::Session(parent) = &spec.caller {
            let parent = &self.sessions[parent.0];
            source_identity.clone_from(&parent.source_identity);
            incoming.clone_from(&parent.transitive);
            mfa = spec.console.is_some() && parent.mfa;
        }
        let mut passed_on = incoming.clone();
        passed_on
            .extend(spec.tags.iter().filter(|(key, _)| spec.transitive.contains(key)).cloned());
        Issued {
            key,
            used_key,
            expires: spec.at + spec.life * SECOND,
            source_identity: spec.source_identity.clone().or(source_identity),
            incoming,
            passed_on,
            mfa: mfa || spec.serial.is_some(),
        }
    }

    fn assume_call(&mut self, spec: &Assume, issued: &Issued) -> Call {
        let mut call = self.call(&spec.caller, spec.at, "sts.amazonaws.com", spec.event_name());
        let role = &self.roles[spec.role.0];
        let account = self.accounts[role.account].id.clone();
        let mut request = Obj::new();
        if let Caller::Saml { provider_arn, .. } = &spec.caller {
            let assertion = format!("_{}", self.dice.hex(32));
            request = request.str("sAMLAssertionID", &assertion).str("principalArn", provider_arn);
        }
        request = request
            .str("roleArn", &role.arn)
            .str("roleSessionName", &spec.session)
            .opt("externalId", spec.external_id.as_deref());
        if let Some(duration) = spec.duration {
            request = request.num("durationSeconds", duration);
        }
        request = request.opt("policy", spec.policy.as_deref());
        if !spec.policy_arns.is_empty() {
            let arns: Vec<String> =
                spec.policy_arns.iter().map(|arn| Obj::new().str("arn", arn).end()).collect();
            request = request.raw("policyArns", &array(&arns));
        }
        if !spec.tags.is_empty() {
            request = match spec.caller {
                Caller::Saml { .. } | Caller::Web { .. } => {
                    request.raw("principalTags", &tag_map(&spec.tags))
                }
                _ => request.raw("tags", &tag_list(&spec.tags)),
            };
        }
        if !spec.transitive.is_empty() {
            request = request.raw("transitiveTagKeys", &strings(&spec.transitive));
        }
        if !issued.incoming.is_empty() {
            request = request.raw("incomingTransitiveTags", &tag_map(&issued.incoming));
        }
        request = request
            .opt("serialNumber", spec.serial.as_deref())
            .opt("sourceIdentity", spec.source_identity.as_deref());
        call.request = (!spec.request_omitted).then(|| request.end());
        call.resources = vec![resource(&role.arn, &account, "AWS::IAM::Role")];
        if let Caller::Saml { provider_arn, .. } = &spec.caller {
            call.resources.push(resource(provider_arn, &account, "AWS::IAM::SAMLProvider"));
        }
        call.account = role.account;
        if !spec.terse {
            call.shows.push((role.id.clone(), role.arn.clone()));
        }
        call.response = Some(self.assume_response(spec, issued));
        call.version = "1.08";
        call.region = spec.region;
        call.ip.clone_from(&spec.ip);
        call.agent.clone_from(&spec.agent);
        call.additional.clone_from(&spec.additional);
        call.class = Class::Credential;
        call.ancient = spec.ancient;
        if spec.region != GLOBAL && call.host.is_some() {
            call.host = Some(format!("sts.{}.amazonaws.com", spec.region));
        }
        call
    }

    fn assume_response(&mut self, spec: &Assume, issued: &Issued) -> String {
        let credentials = self.credentials(&issued.key, issued.expires, spec.spelling);
        let mut response = Obj::new().raw("credentials", &credentials);
        if !spec.terse {
            let role = &self.roles[spec.role.0];
            let user = Obj::new()
                .str("assumedRoleId", &format!("{}:{}", role.id, spec.session))
                .str(
                    "arn",
                    &format!(
                        "arn:aws:sts::{}:assumed-role/{}/{}",
                        self.accounts[role.account].id, role.name, spec.session
                    ),
                )
                .end();
            response = response.raw("assumedRoleUser", &user);
        }
        if spec.policy.is_some() || !spec.tags.is_empty() {
            response = response.num("packedPolicySize", 14);
        }
        response = match &spec.caller {
            Caller::Saml { qualifier, subject, .. } => response
                .str("subject", subject)
                .str("subjectType", "persistent")
                .str("issuer", "https://idp.example.com/saml2")
                .str("audience", "https://signin.aws.amazon.com/saml")
                .str("nameQualifier", qualifier),
            Caller::Web { provider_arn, audience, subject } => response
                .str("subjectFromWebIdentityToken", subject)
                .str("provider", provider_arn)
                .str("audience", audience),
            _ => response,
        };
        response.opt("sourceIdentity", issued.source_identity.as_deref()).end()
    }

    /// The `credentials` of an answer, with a made-up session token.
    pub(crate) fn credentials(&mut self, key: &str, expires: Micros, how: Spelling) -> String {
        const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let token = format!("{SESSION_TOKEN_MARK}{}==", self.dice.text(BASE64, 342));
        Obj::new()
            .str("accessKeyId", key)
            .str("sessionToken", &token)
            .str("expiration", &localized(expires, how))
            .end()
    }

    /// Logs the copies of an act on something in `home`, which may be another account than the
    /// caller's.
    fn log_copies(&mut self, spec: &Assume, call: Call, home: AccountIx) -> Vec<(RecIx, View)> {
        let mut copies = Vec::new();
        let mut call = call;
        if let Some(wrong_agent) = &spec.corrects {
            let mut first = call.clone();
            first.agent.clone_from(wrong_agent);
            let record = self.emit(first);
            copies.push((record, View::Replaced));
            let original = self.records[record.0].event_id.clone().unwrap_or_default();
            let addendum = Obj::new()
                .str("reason", "UPDATED_DATA")
                .str("updatedFields", "userAgent")
                .str("originalRequestID", call.request_id.as_deref().unwrap_or_default())
                .str("originalEventID", &original)
                .end();
            call.addendum = Some(addendum);
        }
        copies.extend(self.share(call, &spec.caller, home));
        if let (Some((ip, agent)), Caller::Session(session)) = (&spec.console, &spec.caller) {
            let from = self.session_arn(*session);
            let at = spec.at + self.dice.between(0, 1) * SECOND;
            let record = self.switch_record(spec.role, &spec.session, &from, at, (ip, agent));
            copies.push((record, View::Switch));
        }
        if spec.lost {
            for (record, _) in &copies {
                self.records[record.0].lost = true;
            }
        }
        copies
    }

    /// Logs a call in its caller's account and, masked, in `home`.
    pub(crate) fn share(
        &mut self,
        call: Call,
        caller: &Caller,
        home: AccountIx,
    ) -> Vec<(RecIx, View)> {
        let mut call = call;
        let origin = match caller {
            Caller::Service(_) => {
                // Set on a service's calls too, though no second copy exists.
                call.shared = Some(self.dice.uuid());
                None
            }
            Caller::External { .. } => None,
            _ => self.account_of(caller).filter(|account| *account != home),
        };
        call.account = home;
        if let Caller::External { .. } = caller {
            call.shared = Some(self.dice.uuid());
            return vec![(self.emit(call), View::Masked)];
        }
        let Some(origin) = origin else {
            return vec![(self.emit(call), View::Full)];
        };
        call.shared = Some(self.dice.uuid());
        let mut owner = call.clone();
        owner.identity =
            Identity::bare(masked(&self.accounts[origin].id, &self.principal_of(caller)));
        call.account = origin;
        vec![(self.emit(call), View::Full), (self.emit(owner), View::Masked)]
    }

    fn switch_record(
        &mut self,
        role: RoleIx,
        session: &str,
        from: &str,
        at: Micros,
        person: (&str, &str),
    ) -> RecIx {
        let additional = Obj::new()
            .str("SwitchFrom", from)
            .str("RedirectTo", "https://us-east-1.console.aws.amazon.com/console/home")
            .end();
        self.sign_in(role, session, at, "SwitchRole", additional, person)
    }

    /// SwitchRole or ExitRole: the session itself is the identity, without key or context.
    pub(crate) fn sign_in(
        &mut self,
        role: RoleIx,
        session: &str,
        at: Micros,
        name: &'static str,
        additional: String,
        (ip, agent): (&str, &str),
    ) -> RecIx {
        let info = &self.roles[role.0];
        let account = &self.accounts[info.account].id;
        let json = Obj::new()
            .str("type", "AssumedRole")
            .str("principalId", &format!("{}:{session}", info.id))
            .str("arn", &format!("arn:aws:sts::{account}:assumed-role/{}/{session}", info.name))
            .str("accountId", account)
            .end();
        let home = info.account;
        let mut call = self.call(&Caller::Service(""), at, "signin.amazonaws.com", name);
        call.identity = Identity::bare(json);
        call.account = home;
        call.version = "1.08";
        call.ip = ip.to_owned();
        call.agent = agent.to_owned();
        call.response = Some(Obj::new().str(name, "Success").end());
        call.additional = Some(additional);
        call.request_id = None;
        call.read_only = false;
        call.event_type = "AwsConsoleSignIn";
        call.host = Some(String::from("signin.aws.amazon.com"));
        call.class = Class::Credential;
        self.emit(call)
    }

    fn assume_row(&self, spec: &Assume, issued: &Issued) -> Act {
        let role = &self.roles[spec.role.0];
        let account = self.accounts[role.account].id.clone();
        let mut act = self.caller_row(&spec.caller);
        act.event_time = spec.at;
        act.event_source = String::from("sts.amazonaws.com");
        act.event_name = spec.event_name().to_owned();
        act.role = Some(role.arn.clone());
        act.role_arn = Some(role.arn.clone());
        act.role_arn_source =
            Some(String::from(if spec.request_omitted { "resource" } else { "request" }));
        act.session_arn =
            Some(format!("arn:aws:sts::{account}:assumed-role/{}/{}", role.name, spec.session));
        act.role_account_id = Some(account);
        act.role_name = Some(role.name.clone());
        act.role_id = (!spec.terse).then(|| role.id.clone());
        act.session_name = Some(spec.session.clone());
        act.issued_access_key_id = Some(issued.key.clone());
        act.issued_expiration = Some(issued.expires);
        act.duration_seconds = spec.duration.filter(|_| !spec.request_omitted);
        act.external_id.clone_from(&spec.external_id);
        act.mfa |= spec.serial.is_some();
        act.source_identity.clone_from(&issued.source_identity);
        act.session_tags = issued.incoming.iter().chain(&spec.tags).cloned().collect();
        act.session_policy.clone_from(&spec.policy);
        if matches!(spec.caller, Caller::Service(_)) || spec.ip == "AWS Internal" {
            act.source_service = Some(spec.ip.clone());
        } else {
            act.source_ip = Some(spec.ip.clone());
        }
        act.user_agent = Some(spec.agent.clone());
        spec.region.clone_into(&mut act.aws_region);
        act.outcome = String::from("success");
        act
    }
}

/// The browser that console stories use.
pub(crate) fn browser(ip: &str) -> (String, String) {
    (ip.to_owned(), BROWSER.to_owned())
}
