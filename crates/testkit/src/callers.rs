//! The caller's columns of an act, and the other verbs: refusals, user sessions, root, certificates.

use crate::json::{Obj, array};
use crate::model::{
    AccountIx, ActIntent, ActIx, Caller, Class, Dress, GLOBAL, Issue, KeyIx, RoleIx, SessIx,
    SessionIntent, SessionKind, UserIx, View, World,
};
use crate::record::resource;
use crate::time::{Micros, SECOND, Spelling, iso};
use crate::truth::Act;

/// What follows `marker` in an ARN.
fn after<'a>(arn: &'a str, marker: &str) -> &'a str {
    arn.split_once(marker).map_or(arn, |(_, rest)| rest)
}

impl World {
    /// An act with only its caller filled in, as the caller's own record shows it.
    pub(crate) fn caller_row(&self, caller: &Caller) -> Act {
        let mut act = Act { caller_resolved_by: String::from("record"), ..Act::default() };
        match caller {
            Caller::Key(key) | Caller::ForwardedKey(key, _) => {
                let key = &self.keys[key.0];
                let user = &self.users[key.user.0];
                act.method = String::from("assume_role");
                act.caller_type = String::from("IAMUser");
                act.caller.clone_from(&user.arn);
                act.caller_arn = Some(user.arn.clone());
                act.caller_account_id = Some(self.id(user.account));
                act.caller_principal_id = Some(user.id.clone());
                act.caller_access_key_id = Some(key.id.clone());
            }
            Caller::Session(session) | Caller::Forwarded(session, _) => {
                self.session_row(*session, &mut act);
            }
            Caller::Service(service) => {
                act.method = String::from("service");
                act.caller_type = String::from("AWSService");
                (*service).clone_into(&mut act.caller);
            }
            Caller::Saml { provider_arn, qualifier, subject } => {
                act.method = String::from("saml");
                act.caller_type = String::from("SAMLUser");
                act.caller = format!("{}/{subject}", after(provider_arn, "saml-provider/"));
                act.caller_principal_id = Some(format!("{qualifier}:{subject}"));
                act.identity_provider = Some(provider_arn.clone());
                act.federated_subject = Some(subject.clone());
            }
            Caller::Web { provider_arn, audience, subject } => {
                act.method = String::from("web_identity");
                act.caller_type = String::from("WebIdentityUser");
                act.caller = format!("{}/{subject}", after(provider_arn, "oidc-provider/"));
                act.caller_principal_id = Some(format!("{provider_arn}:{audience}:{subject}"));
                act.identity_provider = Some(provider_arn.clone());
                act.federated_subject = Some(subject.clone());
            }
            Caller::External { account_id, principal } => {
                act.method = masked_method(principal);
                act.caller_type = String::from("AWSAccount");
                act.caller = format!("{account_id}/{}", unsessioned(principal));
                act.caller_account_id = Some(account_id.clone());
                act.caller_principal_id = Some(principal.clone());
                act.caller_session_name = principal.split_once(':').map(|(_, s)| s.to_owned());
                act.caller_resolved_by = String::from("none");
            }
            Caller::Certificate { account, common_name, .. } => {
                act.method = String::from("roles_anywhere");
                act.caller_type = String::from("Unknown");
                act.caller = format!("CN={common_name}");
                act.caller_account_id = Some(self.id(*account));
            }
            Caller::Portal { user_id } => {
                act.caller_type = String::from("IdentityCenterUser");
                act.caller = format!("identity-center/{user_id}");
            }
        }
        act
    }

    fn session_row(&self, session: SessIx, act: &mut Act) {
        let intent = &self.sessions[session.0];
        act.method = String::from("assume_role");
        act.caller_account_id = Some(self.id(self.home(session)));
        let arn = self.session_arn(session);
        act.caller_access_key_id = Some(intent.used_key.clone());
        act.mfa = intent.mfa;
        let principal = self.principal_of(&Caller::Session(session));
        match intent.kind {
            SessionKind::Role(role) => {
                act.method = String::from("chained_role");
                act.caller_type = String::from("AssumedRole");
                act.caller.clone_from(&self.roles[role.0].arn);
                act.caller_session_name = Some(intent.name.clone());
            }
            SessionKind::User(user) => {
                act.caller_type = String::from("IAMUser");
                act.caller.clone_from(&self.users[user.0].arn);
            }
            SessionKind::Federated(_) => {
                act.caller_type = String::from("FederatedUser");
                act.caller.clone_from(&arn);
            }
            SessionKind::Root(_) => {
                act.caller_type = String::from("Root");
                act.caller.clone_from(&arn);
            }
        }
        act.caller_arn = Some(arn);
        act.caller_principal_id = Some(principal);
    }

    /// `principalId` of a caller, as its own and masked records carry it.
    pub(crate) fn principal_of(&self, caller: &Caller) -> String {
        match caller {
            Caller::Key(key) | Caller::ForwardedKey(key, _) => {
                self.users[self.keys[key.0].user.0].id.clone()
            }
            Caller::Session(session) | Caller::Forwarded(session, _) => {
                let intent = &self.sessions[session.0];
                match intent.kind {
                    SessionKind::Role(role) => {
                        format!("{}:{}", self.roles[role.0].id, intent.name)
                    }
                    SessionKind::User(user) => self.users[user.0].id.clone(),
                    SessionKind::Federated(user) => {
                        format!("{}:{}", self.id(self.users[user.0].account), intent.name)
                    }
                    SessionKind::Root(account) => self.id(account),
                }
            }
            Caller::External { principal, .. } => principal.clone(),
            _ => String::new(),
        }
    }

    /// `AIDA…` or `AROA…` of a caller.
    pub(crate) fn unique_of(&self, caller: &Caller) -> Option<String> {
        match caller {
            Caller::Key(_) | Caller::Session(_) | Caller::External { .. } => {
                Some(unsessioned(&self.principal_of(caller)).to_owned())
            }
            _ => None,
        }
    }

    /// A refused AssumeRole: the record keeps nothing but the message. It stays in the caller's
    /// account, whoever owns the role.
    pub(crate) fn refuse(&mut self, caller: &Caller, role_arn: &str, at: Micros) -> ActIx {
        let mut row = self.caller_row(caller);
        let who = row.caller_arn.clone().unwrap_or_default();
        let message = format!(
            "User: {who} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
        );
        let mut call = self.call(caller, at, "sts.amazonaws.com", "AssumeRole");
        call.error = Some((String::from("AccessDenied"), message.clone()));
        call.class = Class::Credential;
        call.version = "1.08";
        row.role_arn_source = Some(String::from("error_message"));
        self.name_role(&mut row, role_arn);
        row.error_code = Some(String::from("AccessDenied"));
        row.error_message = Some(message);
        self.refused(row, call, caller)
    }

    /// A call with credentials that have expired: the request is kept.
    pub(crate) fn refuse_expired(
        &mut self,
        session: SessIx,
        role: RoleIx,
        name: &str,
        at: Micros,
    ) -> ActIx {
        let role_arn = self.roles[role.0].arn.clone();
        let caller = Caller::Session(session);
        let mut row = self.caller_row(&caller);
        let message = String::from("The security token included in the request is expired");
        let mut call = self.call(&caller, at, "sts.amazonaws.com", "AssumeRole");
        // Past its expiry a key proves nothing; principal and creation date still do.
        call.identity.signer = crate::model::Signer::BySession(session);
        call.error = Some((String::from("ExpiredToken"), message.clone()));
        call.request =
            Some(Obj::new().str("roleArn", &role_arn).str("roleSessionName", name).end());
        call.class = Class::Credential;
        call.version = "1.08";
        row.role_arn_source = Some(String::from("request"));
        row.session_name = Some(name.to_owned());
        row.open.insert(String::from("session_arn"));
        self.name_role(&mut row, &role_arn);
        row.error_code = Some(String::from("ExpiredToken"));
        row.error_message = Some(message);
        self.refused(row, call, &caller)
    }

    fn name_role(&self, row: &mut Act, role_arn: &str) {
        row.role = Some(role_arn.to_owned());
        row.role_arn = Some(role_arn.to_owned());
        row.role_account_id = role_arn.split(':').nth(4).map(str::to_owned);
        row.role_name = role_arn.rsplit('/').next().map(str::to_owned);
    }

    fn refused(&mut self, row: Act, call: crate::record::Call, caller: &Caller) -> ActIx {
        let mut row = row;
        row.event_time = call.at;
        row.event_source = String::from("sts.amazonaws.com");
        row.event_name = String::from("AssumeRole");
        row.outcome = String::from("failure");
        row.source_ip = Some(call.ip.clone());
        row.user_agent = Some(call.agent.clone());
        call.region.clone_into(&mut row.aws_region);
        let unique = self.unique_of(caller);
        let copies = vec![(self.emit(call), View::Full)];
        self.push_act(ActIntent {
            full: row,
            copies,
            unique,
            switch_from: None,
            switch_agent: None,
        })
    }

    /// Logs the issue of credentials that are no act of taking a role.
    fn issued_by_record(
        &mut self,
        call: crate::record::Call,
        kind: SessionKind,
        name: &str,
        (issued_key, life): (Option<String>, i64),
        parent: Option<Caller>,
    ) -> SessIx {
        let (at, issued_by, account) = (call.at, call.name, call.account);
        let record = self.emit(call);
        self.show(record);
        let used_key = issued_key.clone().unwrap_or_else(|| self.temporary_key(account));
        self.push_session(SessionIntent {
            kind,
            name: name.to_owned(),
            created: at,
            expires: at + life * SECOND,
            issued_key,
            used_key,
            mfa: false,
            source_identity: None,
            dress: Dress::default(),
            issue: Issue::Record(record),
            issued_by,
            parent,
            transitive: Vec::new(),
            terse: false,
        })
    }

    /// An IAM user trades its key for a session, with MFA.
    pub(crate) fn get_session_token(&mut self, key: KeyIx, at: Micros, life: i64) -> SessIx {
        let caller = &Caller::Key(key);
        let user = self.keys[key.0].user;
        let account = self.users[user.0].account;
        let serial = self.serial(user);
        let issued = self.temporary_key(account);
        let mut call = self.call(caller, at, "sts.amazonaws.com", "GetSessionToken");
        let request = Obj::new().num("durationSeconds", life).str("serialNumber", &serial);
        let credentials = self.credentials(&issued, at + life * SECOND, Spelling::Plain);
        call.request = Some(request.end());
        call.response = Some(Obj::new().raw("credentials", &credentials).end());
        call.read_only = false;
        call.class = Class::Credential;
        let kind = SessionKind::User(user);
        let parent = Some(caller.clone());
        let session = self.issued_by_record(call, kind, "", (Some(issued), life), parent);
        self.sessions[session.0].mfa = true;
        session
    }

    /// A broker's key makes credentials for somebody else.
    pub(crate) fn get_federation_token(
        &mut self,
        key: KeyIx,
        name: &str,
        at: Micros,
        life: i64,
    ) -> SessIx {
        let caller = &Caller::Key(key);
        let user = self.keys[key.0].user;
        let account = self.users[user.0].account;
        let id = self.id(account);
        let issued = self.temporary_key(account);
        let mut call = self.call(caller, at, "sts.amazonaws.com", "GetFederationToken");
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:List*","Resource":"*"}]}"#;
        call.request = Some(
            Obj::new().str("name", name).num("durationSeconds", life).str("policy", policy).end(),
        );
        let credentials = self.credentials(&issued, at + life * SECOND, Spelling::Comma);
        let federated = Obj::new()
            .str("federatedUserId", &format!("{id}:{name}"))
            .str("arn", &format!("arn:aws:sts::{id}:federated-user/{name}"))
            .end();
        call.response = Some(
            Obj::new()
                .raw("credentials", &credentials)
                .raw("federatedUser", &federated)
                .num("packedPolicySize", 7)
                .end(),
        );
        call.read_only = false;
        call.class = Class::Credential;
        let kind = SessionKind::Federated(user);
        self.issued_by_record(call, kind, name, (Some(issued), life), Some(caller.clone()))
    }

    /// An IAM user signs in to the console: the session's key is never shown at its issue.
    pub(crate) fn console_login(
        &mut self,
        user: UserIx,
        at: Micros,
        person: &(String, String),
        mfa: bool,
    ) -> SessIx {
        let mut call = self.console_login_call(user, at, person);
        let used = if mfa { "Yes" } else { "No" };
        let mut additional = Obj::new()
            .str("LoginTo", "https://console.aws.amazon.com/console/home")
            .str("MobileVersion", "No")
            .str("MFAUsed", used);
        if mfa {
            additional = additional.str("MFAIdentifier", &self.serial(user));
        }
        call.additional = Some(additional.end());
        call.response = Some(Obj::new().str("ConsoleLogin", "Success").end());
        let kind = SessionKind::User(user);
        let session = self.issued_by_record(call, kind, "", (None, 12 * 3_600), None);
        let account = self.id(self.users[user.0].account);
        let sign_in = format!("arn:aws:signin:us-east-1:{account}:session/{}", self.dice.uuid());
        let intent = &mut self.sessions[session.0];
        intent.mfa = mfa;
        intent.dress = Dress { console: true, sign_in: Some(sign_in), ..Dress::default() };
        session
    }

    /// A ConsoleLogin record with the identity of `user` and nothing decided yet.
    pub(crate) fn console_login_call(
        &mut self,
        user: UserIx,
        at: Micros,
        (ip, agent): &(String, String),
    ) -> crate::record::Call {
        let info = &self.users[user.0];
        let json = Obj::new()
            .str("type", "IAMUser")
            .str("principalId", &info.id)
            .str("arn", &info.arn)
            .str("accountId", &self.accounts[info.account].id)
            .str("accessKeyId", "")
            .str("userName", &info.name)
            .end();
        let shows = vec![(info.id.clone(), info.arn.clone())];
        let account = info.account;
        let mut call = self.call(&Caller::Service(""), at, "signin.amazonaws.com", "ConsoleLogin");
        call.identity = crate::record::Identity::bare(json);
        call.shows = shows;
        call.account = account;
        call.ip.clone_from(ip);
        call.agent.clone_from(agent);
        call.request_id = None;
        call.read_only = false;
        call.event_type = "AwsConsoleSignIn";
        call.host = Some(String::from("signin.aws.amazon.com"));
        call.class = Class::Credential;
        call
    }

    /// ARN of a user's MFA device.
    pub(crate) fn serial(&self, user: UserIx) -> String {
        let user = &self.users[user.0];
        format!("arn:aws:iam::{}:mfa/{}", self.accounts[user.account].id, user.name)
    }

    /// A central administrator becomes root of a member account for a quarter of an hour.
    pub(crate) fn assume_root(&mut self, by: SessIx, target: AccountIx, at: Micros) -> SessIx {
        let caller = Caller::Session(by);
        let issued = self.temporary_key(target);
        let expires = at + 900 * SECOND;
        let mut call = self.call(&caller, at, "sts.amazonaws.com", "AssumeRoot");
        let policy = "arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy";
        let target_id = self.id(target);
        call.request = Some(
            Obj::new()
                .str("targetPrincipal", &target_id)
                .raw("taskPolicyArn", &Obj::new().str("arn", policy).end())
                .num("durationSeconds", 900)
                .end(),
        );
        let credentials = self.credentials(&issued, expires, Spelling::Comma);
        call.response = Some(Obj::new().raw("credentials", &credentials).end());
        call.read_only = false;
        call.class = Class::Credential;
        call.region = crate::model::EUROPE;
        call.host = Some(String::from("sts.eu-west-1.amazonaws.com"));
        let mut full = self.caller_row(&caller);
        full.method = String::from("assume_root");
        full.event_time = at;
        full.event_source = String::from("sts.amazonaws.com");
        full.event_name = String::from("AssumeRoot");
        full.role_account_id = Some(target_id.clone());
        full.target_principal = Some(target_id);
        full.issued_access_key_id = Some(issued.clone());
        full.issued_expiration = Some(expires);
        full.duration_seconds = Some(900);
        full.source_ip = Some(call.ip.clone());
        full.user_agent = Some(call.agent.clone());
        call.region.clone_into(&mut full.aws_region);
        full.outcome = String::from("success");
        // The contract names no role for root; neither column has a single right answer.
        for column in ["role", "role_account_id", "session_arn"] {
            full.open.insert(column.to_owned());
        }
        let copies = self.share(call, &caller, target);
        let unique = self.unique_of(&caller);
        let act = self.push_act(ActIntent {
            full,
            copies,
            unique,
            switch_from: None,
            switch_agent: None,
        });
        self.push_session(SessionIntent {
            kind: SessionKind::Root(target),
            name: String::new(),
            created: at,
            expires,
            issued_key: Some(issued.clone()),
            used_key: issued,
            mfa: false,
            source_identity: None,
            dress: Dress::default(),
            issue: Issue::Act(act),
            issued_by: "AssumeRoot",
            parent: Some(caller),
            transitive: Vec::new(),
            terse: false,
        })
    }

    /// A machine outside AWS takes a role with its certificate.
    pub(crate) fn create_session(
        &mut self,
        caller: &Caller,
        role: RoleIx,
        serial: &str,
        at: Micros,
    ) -> SessIx {
        let Caller::Certificate { subject_arn, common_name, account } = caller else {
            unreachable!("only certificates open Roles Anywhere sessions")
        };
        let account_id = self.id(*account);
        let role_arn = self.roles[role.0].arn.clone();
        let role_id = self.roles[role.0].id.clone();
        let role_name = self.roles[role.0].name.clone();
        let key = self.temporary_key(*account);
        let expires = at + 3_600 * SECOND;
        let session_arn = format!("arn:aws:sts::{account_id}:assumed-role/{role_name}/{serial}");
        let anywhere = format!("arn:aws:rolesanywhere:{GLOBAL}:{account_id}");
        let source_identity = format!("CN={common_name}");
        let mut call = self.call(caller, at, "rolesanywhere.amazonaws.com", "CreateSession");
        call.request = Some(
            Obj::new()
                .str("cert", "MIIDfakeCERTIFICATEofAbuildMACHINE")
                .num("durationSeconds", 3_600)
                .str("profileArn", &format!("{anywhere}:profile/4e0c1a5e-build"))
                .str("roleArn", &role_arn)
                .str("trustAnchorArn", &format!("{anywhere}:trust-anchor/91d3b2f0-corporate"))
                .end(),
        );
        let mut credentials = self.credentials(&key, expires, Spelling::Comma);
        // This API answers with an ISO date, unlike STS.
        credentials =
            credentials.replace(&crate::time::localized(expires, Spelling::Comma), &iso(expires));
        let set = Obj::new()
            .raw(
                "assumedRoleUser",
                &Obj::new()
                    .str("arn", &session_arn)
                    .str("assumedRoleId", &format!("{role_id}:{serial}"))
                    .end(),
            )
            .raw("credentials", &credentials)
            .num("packedPolicySize", 28)
            .str("roleArn", &role_arn)
            .str("sourceIdentity", &source_identity)
            .end();
        call.response = Some(
            Obj::new().raw("credentialSet", &array(&[set])).str("subjectArn", subject_arn).end(),
        );
        call.resources = vec![resource(&role_arn, &account_id, "AWS::IAM::Role")];
        call.read_only = false;
        call.class = Class::Credential;
        call.ip = String::from("203.0.113.77");
        call.agent = String::from("CredHelper/1.4.0 (linux; amd64)");
        call.shows.push((role_id.clone(), role_arn.clone()));
        let mut full = self.caller_row(caller);
        full.event_time = at;
        full.event_source = String::from("rolesanywhere.amazonaws.com");
        full.event_name = String::from("CreateSession");
        self.name_role(&mut full, &role_arn);
        full.role_arn_source = Some(String::from("request"));
        full.role_id = Some(role_id);
        full.session_name = Some(serial.to_owned());
        full.session_arn = Some(session_arn);
        full.issued_access_key_id = Some(key.clone());
        full.issued_expiration = Some(expires);
        full.duration_seconds = Some(3_600);
        full.source_identity = Some(source_identity.clone());
        full.source_ip = Some(call.ip.clone());
        full.user_agent = Some(call.agent.clone());
        call.region.clone_into(&mut full.aws_region);
        full.outcome = String::from("success");
        // No published record shows this event's identity, so no spelling of the caller is the right one.
        for column in [
            "caller",
            "caller_arn",
            "caller_principal_id",
            "federated_subject",
            "identity_provider",
        ] {
            full.open.insert(column.to_owned());
        }
        let copies = vec![(self.emit(call), View::Full)];
        let act = self.push_act(ActIntent {
            full,
            copies,
            unique: None,
            switch_from: None,
            switch_agent: None,
        });
        self.push_session(SessionIntent {
            kind: SessionKind::Role(role),
            name: serial.to_owned(),
            created: at,
            expires,
            issued_key: Some(key.clone()),
            used_key: key,
            mfa: false,
            source_identity: Some(source_identity),
            dress: Dress::default(),
            issue: Issue::Act(act),
            issued_by: "CreateSession",
            parent: Some(caller.clone()),
            transitive: Vec::new(),
            terse: false,
        })
    }
}

/// `AROA…:session` without its session.
pub(crate) fn unsessioned(principal: &str) -> &str {
    principal.split_once(':').map_or(principal, |(id, _)| id)
}

/// How a masked principal took the role: role ids say that it was a session.
pub(crate) fn masked_method(principal: &str) -> String {
    String::from(if principal.starts_with("AROA") { "chained_role" } else { "assume_role" })
}
