//! Rows that outlive the piece of text they were read from.
//!
//! The parser reuses one small buffer for every piece of a file, so that it stays in the processor's
//! cache; what a row keeps is copied into an arena that lives until the next file. Fields are listed
//! one by one so that a new one cannot be forgotten: the compiler asks for it.

use std::borrow::Cow;

use bumpalo::Bump;

use crate::record::Identity;
use crate::rows::{CredentialEvent, IamChange};

impl CredentialEvent<'_> {
    /// The same row, with its text in `arena`.
    pub(crate) fn copy_into(self, arena: &Bump) -> CredentialEvent<'_> {
        let text = |text: &str| -> &str { arena.alloc_str(text) };
        let opt = |field: Option<&str>| field.map(text);
        CredentialEvent {
            event_id: opt(self.event_id),
            shared_event_id: opt(self.shared_event_id),
            request_id: opt(self.request_id),
            event_time: self.event_time,
            event_source: text(self.event_source),
            event_name: text(self.event_name),
            event_version: opt(self.event_version),
            aws_region: opt(self.aws_region),
            recipient_account_id: opt(self.recipient_account_id),
            caller_type: opt(self.caller_type),
            caller_arn: opt(self.caller_arn),
            caller_principal_id: opt(self.caller_principal_id),
            caller_account_id: opt(self.caller_account_id),
            caller_user_name: opt(self.caller_user_name),
            caller_access_key_id: opt(self.caller_access_key_id),
            caller_issuer_arn: opt(self.caller_issuer_arn),
            caller_session_name: opt(self.caller_session_name),
            caller_session_created: self.caller_session_created,
            caller_mfa: self.caller_mfa,
            caller_invoked_by: opt(self.caller_invoked_by),
            caller_on_behalf_of: opt(self.caller_on_behalf_of),
            identity_provider: opt(self.identity_provider),
            federated_subject: opt(self.federated_subject),
            federated_audience: opt(self.federated_audience),
            role_arn: opt(self.role_arn),
            role_arn_source: self.role_arn_source,
            role_account_id: opt(self.role_account_id),
            role_name: opt(self.role_name),
            role_path: opt(self.role_path),
            role_id: opt(self.role_id),
            session_name: opt(self.session_name),
            session_arn: opt(self.session_arn.as_deref()).map(Cow::Borrowed),
            permission_set: opt(self.permission_set),
            issued_access_key_id: opt(self.issued_access_key_id),
            issued_expiration: self.issued_expiration,
            duration_seconds: self.duration_seconds,
            external_id: opt(self.external_id),
            mfa_serial: opt(self.mfa_serial),
            source_identity: opt(self.source_identity),
            session_policy: opt(self.session_policy),
            session_policy_arns: self.session_policy_arns.iter().map(|item| text(item)).collect(),
            session_tags: self
                .session_tags
                .iter()
                .map(|(key, value)| (text(key), text(value)))
                .collect(),
            transitive_tag_keys: self.transitive_tag_keys.iter().map(|item| text(item)).collect(),
            switch_from: opt(self.switch_from),
            target_principal: opt(self.target_principal),
            task_policy_arn: opt(self.task_policy_arn),
            source_ip: opt(self.source_ip),
            source_service: opt(self.source_service),
            user_agent: opt(self.user_agent),
            vpc_endpoint_id: opt(self.vpc_endpoint_id),
            tls_host: opt(self.tls_host),
            from_console: self.from_console,
            outcome: self.outcome,
            error_code: opt(self.error_code),
            error_message: opt(self.error_message),
            read_only: self.read_only,
            explicit_trust_grant: self.explicit_trust_grant,
            endpoint_type: opt(self.endpoint_type),
            serving_region: opt(self.serving_region),
            supersedes_event_id: opt(self.supersedes_event_id),
            sign_in_session_arn: opt(self.sign_in_session_arn),
            oauth_client_id: opt(self.oauth_client_id),
            oauth_resource: opt(self.oauth_resource),
            web_identity_token_id: opt(self.web_identity_token_id),
            source_principal_arn: opt(self.source_principal_arn),
            source_region: opt(self.source_region),
            credential_id: opt(self.credential_id),
            record_index: self.record_index,
        }
    }
}

impl IamChange<'_> {
    /// The same row, with its text in `arena`.
    pub(crate) fn copy_into(self, arena: &Bump) -> IamChange<'_> {
        let text = |text: &str| -> &str { arena.alloc_str(text) };
        let opt = |field: Option<&str>| field.map(text);
        IamChange {
            event_id: opt(self.event_id),
            event_time: self.event_time,
            event_source: text(self.event_source),
            event_name: text(self.event_name),
            aws_region: opt(self.aws_region),
            recipient_account_id: opt(self.recipient_account_id),
            outcome: self.outcome,
            error_code: opt(self.error_code),
            actor_arn: opt(self.actor_arn),
            actor_principal_id: opt(self.actor_principal_id),
            actor_access_key_id: opt(self.actor_access_key_id),
            source_ip: opt(self.source_ip),
            source_service: opt(self.source_service),
            user_agent: opt(self.user_agent),
            target_type: self.target_type,
            target_arn: opt(self.target_arn),
            target_name: opt(self.target_name),
            target_id: opt(self.target_id),
            policy_arn: opt(self.policy_arn),
            status: opt(self.status),
            document: opt(self.document.as_deref()).map(Cow::Borrowed),
            record_index: self.record_index,
        }
    }
}

impl Identity<'_> {
    /// What a row of activity needs of it, with its text in `arena`.
    pub(crate) fn copy_into<'b>(&self, arena: &'b Bump) -> Identity<'b> {
        let opt = |field: Option<&str>| field.map(|text| -> &'b str { arena.alloc_str(text) });
        Identity {
            kind: opt(self.kind),
            principal_id: opt(self.principal_id),
            arn: opt(self.arn),
            account_id: opt(self.account_id),
            access_key_id: opt(self.access_key_id),
            user_name: opt(self.user_name),
            invoked_by: opt(self.invoked_by),
            // No column of activity.
            identity_provider: None,
            on_behalf_of: None,
            in_scope_of: opt(self.in_scope_of),
            issuer_arn: opt(self.issuer_arn),
            issuer_id: opt(self.issuer_id),
            session_created: self.session_created,
            mfa: self.mfa,
            source_identity: opt(self.source_identity),
            sign_in_session_arn: opt(self.sign_in_session_arn),
            credential_id: None,
        }
    }
}
