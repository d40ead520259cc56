//! Acts other than a plain AssumeRole: refusals, AssumeRoot, and Roles Anywhere.

use crate::json::{Obj, array};
use crate::model::{
    AccountIx, ActIntent, ActIx, Caller, Class, EUROPE, GLOBAL, Issue, RoleIx, SessIx,
    SessionIntent, SessionKind, View, World,
};
use crate::record::{Call, resource};
use crate::time::{Micros, SECOND, Spelling, iso, localized};
use crate::truth::Act;

impl World {
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
        call.error = Some((String::from("ExpiredToken"), message.clone()));
        call.request =
            Some(Obj::new().str("roleArn", &role_arn).str("roleSessionName", name).end());
        call.class = Class::Credential;
        call.version = "1.08";
        row.role_arn_source = Some(String::from("request"));
        row.session_name = Some(name.to_owned());
        self.name_role(&mut row, &role_arn);
        row.error_code = Some(String::from("ExpiredToken"));
        row.error_message = Some(message);
        self.refused(row, call, &caller)
    }

    fn refused(&mut self, row: Act, call: Call, caller: &Caller) -> ActIx {
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
        self.push_act(ActIntent::of(row, copies, unique))
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
        call.region = EUROPE;
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
        let copies = self.share(call, &caller, target);
        let unique = self.unique_of(&caller);
        let act = self.push_act(ActIntent::of(full, copies, unique));
        let kind = SessionKind::Root(target);
        let mut session = SessionIntent::new(kind, (at, expires), issued, Issue::Act(act));
        session.issued_by = "AssumeRoot";
        session.parent = Some(caller);
        self.push_session(session)
    }

    /// A machine outside AWS takes a role with its certificate.
    pub(crate) fn create_session(&mut self, machine: &Machine, role: RoleIx, at: Micros) -> SessIx {
        let caller = machine.caller();
        let key = self.temporary_key(machine.account);
        let expires = at + 3_600 * SECOND;
        let account_id = self.id(machine.account);
        let info = &self.roles[role.0];
        let (role_arn, role_id) = (info.arn.clone(), info.id.clone());
        let session_arn =
            format!("arn:aws:sts::{account_id}:assumed-role/{}/{}", info.name, machine.serial);
        let source_identity = format!("CN={}", machine.common_name);
        let mut call = self.call(&caller, at, "rolesanywhere.amazonaws.com", "CreateSession");
        let anywhere = format!("arn:aws:rolesanywhere:{GLOBAL}:{account_id}");
        call.request = Some(
            Obj::new()
                .str("cert", "MIIDfakeCERTIFICATEofAbackupMACHINE")
                .num("durationSeconds", 3_600)
                .str("profileArn", &format!("{anywhere}:profile/4e0c1a5e-backup"))
                .str("roleArn", &role_arn)
                .str("trustAnchorArn", &format!("{anywhere}:trust-anchor/91d3b2f0-corporate"))
                .end(),
        );
        let credentials = self.credentials(&key, expires, Spelling::Comma);
        // This API answers with an ISO date, unlike STS.
        let credentials = credentials.replace(&localized(expires, Spelling::Comma), &iso(expires));
        let user = Obj::new()
            .str("arn", &session_arn)
            .str("assumedRoleId", &format!("{role_id}:{}", machine.serial));
        let set = Obj::new()
            .raw("assumedRoleUser", &user.end())
            .raw("credentials", &credentials)
            .num("packedPolicySize", 28)
            .str("roleArn", &role_arn)
            .str("sourceIdentity", &source_identity);
        let response = Obj::new()
            .raw("credentialSet", &array(&[set.end()]))
            .str("subjectArn", &machine.subject_arn);
        call.response = Some(response.end());
        call.resources = vec![resource(&role_arn, &account_id, "AWS::IAM::Role")];
        call.read_only = false;
        call.class = Class::Credential;
        call.ip = String::from("203.0.113.77");
        call.agent = String::from("CredHelper/1.4.0 (linux; amd64)");
        call.shows.push((role_id.clone(), role_arn.clone()));
        let mut full = self.machine_row(&caller, &call);
        full.federated_subject = Some(machine.subject_arn.clone());
        self.name_role(&mut full, &role_arn);
        full.role_id = Some(role_id);
        full.session_name = Some(machine.serial.clone());
        full.session_arn = Some(session_arn);
        full.issued_access_key_id = Some(key.clone());
        full.issued_expiration = Some(expires);
        full.source_identity = Some(source_identity.clone());
        let copies = vec![(self.emit(call), View::Full)];
        let act = self.push_act(ActIntent::of(full, copies, None));
        let kind = SessionKind::Role(role);
        let mut session = SessionIntent::new(kind, (at, expires), key, Issue::Act(act));
        session.name.clone_from(&machine.serial);
        session.source_identity = Some(source_identity);
        session.issued_by = "CreateSession";
        session.parent = Some(caller);
        self.push_session(session)
    }

    fn machine_row(&self, caller: &Caller, call: &Call) -> Act {
        let mut full = self.caller_row(caller);
        full.event_time = call.at;
        full.event_source = call.source.to_owned();
        full.event_name = call.name.to_owned();
        full.role_arn_source = Some(String::from("request"));
        full.duration_seconds = Some(3_600);
        full.source_ip = Some(call.ip.clone());
        full.user_agent = Some(call.agent.clone());
        call.region.clone_into(&mut full.aws_region);
        full.outcome = String::from("success");
        full
    }
}

/// A machine with a certificate.
pub(crate) struct Machine {
    pub(crate) account: AccountIx,
    pub(crate) subject_arn: String,
    pub(crate) common_name: &'static str,
    /// Serial number of the certificate: the session's name.
    pub(crate) serial: String,
}

impl Machine {
    fn caller(&self) -> Caller {
        Caller::Certificate { account: self.account, common_name: self.common_name.to_owned() }
    }
}
