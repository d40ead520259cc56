//! As whom accounts are read.

use aws_config::SdkConfig;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::Credentials;

use super::{place, words};
use crate::error::Problem;

const SESSION_NAME: &str = "rolecall-inventory";

/// Who we are before any role is assumed.
pub(super) struct Caller {
    pub(super) account: String,
    partition: String,
}

impl Caller {
    pub(super) async fn ask(config: &SdkConfig) -> Result<Self, Problem> {
        let asked = Client::new(config).get_caller_identity().send().await;
        let identity =
            asked.map_err(|error| Problem::Call(words("sts:GetCallerIdentity", &error)))?;
        let arn = identity.arn.unwrap_or_default();
        let (account, partition) = place(&arn).ok_or_else(|| {
            Problem::Call("sts:GetCallerIdentity names no account in its answer".to_owned())
        })?;
        Ok(Self { account: account.to_owned(), partition: partition.to_owned() })
    }

    /// Credentials for an hour, which is the longest that a chained role gives.
    pub(super) async fn assume(
        &self,
        config: &SdkConfig,
        account: &str,
        name: &str,
        external_id: Option<&str>,
    ) -> Result<Credentials, Problem> {
        let name = name.trim_start_matches('/');
        let arn = format!("arn:{}:iam::{account}:role/{name}", self.partition);
        let asked = Client::new(config)
            .assume_role()
            .role_arn(&arn)
            .role_session_name(SESSION_NAME)
            .set_external_id(external_id.map(str::to_owned))
            .send()
            .await;
        let failed = |error| Problem::Call(words(&format!("sts:AssumeRole {arn}"), &error));
        let given = asked.map_err(failed)?.credentials;
        let given = given.ok_or_else(|| {
            Problem::Call(format!("sts:AssumeRole {arn}: an answer without credentials"))
        })?;
        let expires = std::time::SystemTime::try_from(given.expiration).ok();
        Ok(Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            expires,
            "rolecall-inventory",
        ))
    }
}
