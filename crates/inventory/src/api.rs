//! What AWS itself says: IAM of many accounts, and what the organisation knows.
//!
//! Only reads, but for one call that has IAM make a credential report. The caller's own account is read
//! with the caller's credentials, every other through a role of one name that is assumed there. What is
//! denied or fails is kept as missing, and everything else goes on; throttling is waited out.

use std::collections::BTreeSet;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sts::config::SharedCredentialsProvider;
use aws_sdk_sts::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use futures::StreamExt as _;

use crate::error::{Problem, Rejected};
use crate::facts::{Facts, account_of};

mod accessed;
mod account;
mod convert;
mod credentials;
mod organization;
mod role;
mod trails;

/// Accounts that are read at once; IAM throttles each account by itself.
const ACCOUNTS_AT_ONCE: usize = 4;
/// IAM's limits are low, and a throttled call waits up to 20 seconds before the next attempt.
const ATTEMPTS: u32 = 10;
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);
const READ_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// Which accounts are read, and as whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Accounts by number; the caller's own where there are none and `organization` is false.
    pub accounts: Vec<String>,
    /// All active accounts of the organisation, and what it knows: policies, people, assignments.
    pub organization: bool,
    /// Role that is assumed in every account but the caller's own: its name, with its path.
    pub role_name: Option<String>,
    /// What that role's trust policy asks for.
    pub external_id: Option<String>,
    /// Also which services each role and user called last, which is slow: a job of IAM for each of them.
    pub service_last_accessed: bool,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Answer {
    /// All that was read, with what was not.
    pub facts: Facts,
    /// Accounts and calls that failed.
    pub rejected: Vec<Rejected>,
    /// Account of whoever asked.
    pub caller: String,
}

/// Reads all accounts that are asked for. Fails only where nobody can be asked anything. `now` is a clock, in
/// microseconds: what an account says holds as of when it was asked.
pub async fn read_accounts(request: &Request, now: fn() -> i64) -> Result<Answer, Problem> {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts)
        .load()
        .await;
    let caller = role::Caller::ask(&config).await?;
    let mut answer = Answer { caller: caller.account.clone(), ..Answer::default() };
    let mut accounts: BTreeSet<String> = request.accounts.iter().cloned().collect();
    if request.organization {
        answer.facts.shared_asked = Some(now());
        accounts.extend(organization::read(&config, &mut answer).await?);
    } else if accounts.is_empty() {
        accounts.insert(caller.account.clone());
    }
    let assignments = organization::Assignments::new(&config, &answer.facts, request.organization);
    let (config, caller, assignments) = (&config, &caller, &assignments);
    let reads = accounts.into_iter().map(|id| async move {
        let read = read_one(config, caller, assignments, &id, request, now).await;
        (id, read)
    });
    let mut reads = futures::stream::iter(reads).buffered(ACCOUNTS_AT_ONCE);
    while let Some((id, read)) = reads.next().await {
        let input = format!("account {id}");
        match read {
            Ok(facts) => {
                tracing::info!(account = id, "read");
                answer.take_in(facts);
            }
            Err(problem) => {
                answer.facts.shared_missing.push(format!("{input}: {problem}"));
                answer.rejected.push(Rejected::new(input, problem));
            }
        }
    }
    // Only now: what one account may not ask of the organisation's trail, another may.
    answer.rejected.extend(answer.facts.settle_trails());
    Ok(answer)
}

async fn read_one(
    config: &SdkConfig,
    caller: &role::Caller,
    assignments: &organization::Assignments,
    id: &str,
    request: &Request,
    now: fn() -> i64,
) -> Result<Facts, Problem> {
    let config = if id == caller.account {
        config.clone()
    } else {
        let name = request.role_name.as_deref().ok_or_else(|| {
            Problem::Call("another account than the caller's: name the role to assume there".into())
        })?;
        let external_id = request.external_id.as_deref();
        let credentials = caller.assume(config, id, name, external_id).await?;
        let provider = SharedCredentialsProvider::new(credentials);
        config.clone().into_builder().credentials_provider(provider).build()
    };
    let asked = now();
    let mut facts = account::read(&config, id).await;
    facts.account(id).asked = Some(asked);
    if request.service_last_accessed {
        accessed::read(&config, facts.account(id)).await;
    }
    trails::read(&config, id, &mut facts).await;
    assignments.read(id, facts.account(id)).await;
    Ok(facts)
}

impl Answer {
    fn take_in(&mut self, facts: Facts) {
        for (id, account) in facts.accounts {
            for (part, reason) in &account.missing {
                let problem = Problem::Call(format!("{}: {reason}", part.as_str()));
                self.rejected.push(Rejected::new(format!("account {id}"), problem));
            }
            self.facts.accounts.insert(id, account);
        }
        self.facts.trails.merge(facts.trails);
    }
}

/// What went wrong with a call, in one line.
fn words<E, R>(call: &str, error: &SdkError<E, R>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{call}: {code}: {message}"),
        (Some(code), None) => format!("{call}: {code}"),
        _ => format!("{call}: {}", DisplayErrorContext(error)),
    }
}

/// The account and the partition that an ARN names.
fn place(arn: &str) -> Option<(&str, &str)> {
    Some((account_of(arn)?, arn.split(':').nth(1)?))
}

#[cfg(test)]
mod tests;
