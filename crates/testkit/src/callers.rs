//! The caller's columns of an act, for every kind of caller.

use crate::model::{Caller, SessIx, SessionKind, World};
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
            Caller::Key(key) | Caller::ForwardedKey(key, ..) => {
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
            Caller::Key(key) | Caller::ForwardedKey(key, ..) => {
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

    /// Fills in the role of an act from its ARN.
    pub(crate) fn name_role(&self, row: &mut Act, role_arn: &str) {
        row.role = Some(role_arn.to_owned());
        row.role_arn = Some(role_arn.to_owned());
        row.role_account_id = role_arn.split(':').nth(4).map(str::to_owned);
        row.role_name = role_arn.rsplit('/').next().map(str::to_owned);
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
