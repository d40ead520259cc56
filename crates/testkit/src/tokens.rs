//! Credentials that are no role: GetSessionToken, GetFederationToken, and the console's sign-in.

use crate::json::Obj;
use crate::model::{
    Caller, Class, Dress, Issue, KeyIx, SessIx, SessionIntent, SessionKind, UserIx, World,
};
use crate::record::{Call, Identity};
use crate::time::{Micros, SECOND, Spelling};

/// A program that people let in.
pub(crate) struct Program {
    pub(crate) client: &'static str,
    pub(crate) resource: Option<&'static str>,
}

impl Program {
    pub(crate) const LOGIN: Self =
        Self { client: "arn:aws:signin:::devtools/same-device", resource: None };
    pub(crate) const AGENT: Self = Self {
        client: "arn:aws:signin:us-east-1:111122223333:oauth-client/0a1b2c3d",
        resource: Some("https://aws-mcp.us-east-1.api.aws/mcp"),
    };
}

impl SessionIntent {
    /// Whether a person let a program in.
    pub(crate) fn was_let_in(&self) -> bool {
        self.issued_by == "CreateOAuth2Token"
    }
}

impl World {
    /// Logs the issue of credentials that are no act of taking a role.
    fn issued_by_record(
        &mut self,
        call: Call,
        kind: SessionKind,
        name: &str,
        (issued_key, life): (Option<String>, i64),
        parent: Option<Caller>,
    ) -> SessIx {
        let (at, issued_by, account) = (call.at, call.name, call.account);
        let record = self.emit(call);
        self.show(record);
        let used_key = issued_key.clone().unwrap_or_else(|| self.temporary_key(account));
        let times = (at, at + life * SECOND);
        let mut session = SessionIntent::new(kind, times, used_key, Issue::Record(record));
        session.name = name.to_owned();
        session.issued_key = issued_key;
        session.issued_by = issued_by;
        session.parent = parent;
        self.push_session(session)
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

    /// A person in the console lets a program in. The record names the sign-in session that it makes.
    pub(crate) fn let_in(
        &mut self,
        browser: SessIx,
        program: &Program,
        at: Micros,
        ip: &str,
    ) -> SessIx {
        let SessionKind::User(user) = self.sessions[browser.0].kind else {
            unreachable!("only users sign in here")
        };
        let account = self.id(self.users[user.0].account);
        let made = format!("arn:aws:signin:us-east-1:{account}:session/{}", self.dice.uuid());
        let call = self.grant(browser, program, &made, (at, ip));
        let parent = Some(Caller::Session(browser));
        let kind = SessionKind::User(user);
        let session = self.issued_by_record(call, kind, "", (None, 12 * 3_600), parent);
        let intent = &mut self.sessions[session.0];
        intent.mfa = true;
        intent.dress = Dress { sign_in: Some(made), ..Dress::default() };
        session
    }

    fn grant(
        &mut self,
        browser: SessIx,
        program: &Program,
        made: &str,
        (at, ip): (Micros, &str),
    ) -> Call {
        let caller = Caller::Session(browser);
        let mut call = self.call(&caller, at, "signin.amazonaws.com", "CreateOAuth2Token");
        let request =
            Obj::new().str("client_id", program.client).str("grant_type", "authorization_code");
        call.request = Some(request.opt("resource", program.resource).end());
        call.additional =
            Some(Obj::new().str("success", "true").str("signInSessionArn", made).end());
        call.ip = ip.to_owned();
        call.read_only = false;
        call.class = Class::Credential;
        call
    }

    /// A ConsoleLogin record with the identity of `user` and nothing decided yet.
    pub(crate) fn console_login_call(
        &mut self,
        user: UserIx,
        at: Micros,
        (ip, agent): &(String, String),
    ) -> Call {
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
        call.identity = Identity::bare(json);
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
}
