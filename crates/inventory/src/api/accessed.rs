//! Which services each role and user called last: a job of IAM for each of them, so that it is read on demand
//! alone.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{JobStatusType, ServiceLastAccessed};
use futures::StreamExt as _;
use rolecall_lake::inventory::TimeFrom;

use super::{convert, words};
use crate::facts::{Accessed, AccountFacts, Subject};
use crate::parts::Part;
use crate::stamp::Stamp;

/// Jobs that are waited for at once.
const JOBS_AT_ONCE: usize = 4;
/// A job takes seconds.
const ATTEMPTS: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// Reads them into `account`, whose roles and users are known by then.
pub(super) async fn read(config: &SdkConfig, account: &mut AccountFacts) {
    let client = Client::new(config);
    let users = account.users.values().filter(|user| !user.is_root);
    let users = users.filter_map(|user| user.user_arn.clone());
    let arns: Vec<String> = users.chain(account.roles.keys().cloned()).collect();
    let reads = arns.into_iter().map(|arn| of_one(&client, arn));
    let mut reads = futures::stream::iter(reads).buffered(JOBS_AT_ONCE);
    let mut failed = None;
    while let Some(read) = reads.next().await {
        match read {
            Ok(accessed) => account.accessed.extend(accessed),
            Err(reason) => failed = failed.or(Some(reason)),
        }
    }
    drop(reads);
    if let Some(reason) = failed {
        account.give_up(&[Part::ServiceLastAccessed], &reason);
    }
}

/// None where it was deleted since it was listed.
async fn of_one(client: &Client, arn: String) -> Result<Option<Accessed>, String> {
    let job = match client.generate_service_last_accessed_details().arn(&arn).send().await {
        Ok(job) => job.job_id.unwrap_or_default(),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_no_such_entity_exception()) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(words("iam:GenerateServiceLastAccessedDetails", &error)),
    };
    let (services, completed) = wait(client, &job).await?;
    let uses = services.into_iter();
    let uses = uses.filter_map(|one| {
        Some((convert::micros(one.last_authenticated)?, one.last_authenticated_region))
    });
    let stamp = completed.map(|at| Stamp { at, from: TimeFrom::Content });
    let last = uses.max_by_key(|(at, _)| *at);
    Ok(Some(Accessed { subject: Subject::Arn(arn), last, stamp, whole: true }))
}

/// All pages of a job's answer, and when it was done.
async fn wait(
    client: &Client,
    job: &str,
) -> Result<(Vec<ServiceLastAccessed>, Option<i64>), String> {
    const CALL: &str = "iam:GetServiceLastAccessedDetails";
    let (mut services, mut marker, mut attempts) = (Vec::new(), None::<String>, 0);
    loop {
        let asked = client.get_service_last_accessed_details().job_id(job);
        let page = asked.set_marker(marker.clone()).send().await;
        let page = page.map_err(|error| words(CALL, &error))?;
        match page.job_status {
            JobStatusType::Completed => {}
            JobStatusType::InProgress if attempts < ATTEMPTS => {
                attempts += 1;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            status => return Err(format!("{CALL}: the job is {}", status.as_str())),
        }
        services.extend(page.services_last_accessed);
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok((services, convert::micros(Some(page.job_completion_date))));
        }
    }
}
