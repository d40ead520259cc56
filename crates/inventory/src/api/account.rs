//! One account's IAM. A part counts as read only when all of its pages were.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::error::ProvideErrorMetadata as _;
use aws_sdk_iam::types::ReportStateType;
use futures::StreamExt as _;
use rolecall_lake::inventory::TimeFrom;

use super::{convert, credentials, words};
use crate::facts::{AccountFacts, Facts};
use crate::output;
use crate::parts::Part;
use crate::report;
use crate::stamp::Stamp;

/// Users whose keys are asked for at once.
const USERS_AT_ONCE: usize = 4;
/// How long a credential report may take to be made: IAM says seconds, large accounts take minutes.
const REPORT_ATTEMPTS: u32 = 60;
const REPORT_PAUSE: Duration = Duration::from_secs(2);

/// Reads all that can be read; what cannot is kept as missing.
pub(super) async fn read(config: &SdkConfig, id: &str) -> Facts {
    let client = Client::new(config);
    let mut facts = Facts::default();
    let account = facts.account(id);
    details(&client, account).await;
    roles(&client, account).await;
    keys(&client, account).await;
    credentials::read(&client, account).await;
    oidc_providers(&client, account).await;
    saml_providers(&client, account).await;
    match credential_report(&client).await {
        Ok((csv, generated)) => {
            let stamp = generated.map(|at| Stamp { at, from: TimeFrom::Content });
            if let Err(problem) = report::take_in(&mut facts, &csv, stamp) {
                facts.account(id).give_up(&[Part::CredentialReport], &problem.to_string());
            }
        }
        Err(reason) => facts.account(id).give_up(&[Part::CredentialReport], &reason),
    }
    facts
}

async fn details(client: &Client, account: &mut AccountFacts) {
    let mut pages = client.get_account_authorization_details().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                let reason = words("iam:GetAccountAuthorizationDetails", &error);
                account.give_up(&Part::OF_DETAILS, &reason);
                return;
            }
        };
        for user in page.user_detail_list.unwrap_or_default() {
            account.add_user_output(convert::user(user));
        }
        for group in page.group_detail_list.unwrap_or_default() {
            account.add_group(convert::group(group));
        }
        for role in page.role_detail_list.unwrap_or_default() {
            account.add_role(convert::role_detail(role), true, None);
        }
        for policy in page.policies.unwrap_or_default() {
            account.add_policy(convert::policy(policy));
        }
    }
    account.parts.extend(Part::OF_DETAILS);
}

/// The longest session and the description are told here alone.
async fn roles(client: &Client, account: &mut AccountFacts) {
    let mut pages = client.list_roles().into_paginator().items().send();
    while let Some(role) = pages.next().await {
        match role {
            Ok(role) => account.add_role(convert::role(role), false, None),
            Err(error) => {
                let reason = words("iam:ListRoles", &error);
                account.give_up(&[Part::RoleDetails], &reason);
                return;
            }
        }
    }
    // Where only this list could be read, roles and who may assume them are known all the same.
    account.missing.retain(|(part, _)| ![Part::Roles, Part::TrustStatements].contains(part));
    account.parts.extend([Part::Roles, Part::RoleDetails, Part::TrustStatements]);
}

async fn keys(client: &Client, account: &mut AccountFacts) {
    if !account.parts.contains(&Part::Users) {
        let mut pages = client.list_users().into_paginator().items().send();
        while let Some(user) = pages.next().await {
            match user {
                Ok(user) => account.add_user_output(output::User {
                    user_name: Some(user.user_name),
                    user_id: Some(user.user_id),
                    arn: Some(user.arn),
                    path: Some(user.path),
                    create_date: convert::micros(Some(user.create_date)),
                    password_last_used: convert::micros(user.password_last_used),
                    ..output::User::default()
                }),
                Err(error) => {
                    let reason = words("iam:ListUsers", &error);
                    let parts = [Part::Users, Part::AccessKeys, Part::AccessKeyLastUsed];
                    account.give_up(&parts, &reason);
                    return;
                }
            }
        }
        account.missing.retain(|(part, _)| *part != Part::Users);
        account.parts.insert(Part::Users);
    }
    let users = account.users.values().filter(|user| !user.is_root);
    let users: Vec<String> = users.map(|user| user.user_name.clone()).collect();
    let reads = users.into_iter().map(|user| keys_of(client, user));
    let mut reads = futures::stream::iter(reads).buffered(USERS_AT_ONCE);
    let (mut unread, mut unused, mut some) = (None, None, false);
    while let Some(read) = reads.next().await {
        some |= read.keys_failed.is_none();
        for key in read.keys {
            account.add_key(key);
        }
        for (id, user, used) in read.used {
            account.add_last_used(id, user, used);
        }
        unread = unread.or(read.keys_failed);
        unused = unused.or(read.used_failed);
    }
    drop(reads);
    account.parts.extend([Part::AccessKeys, Part::AccessKeyLastUsed]);
    if let Some(reason) = unread {
        // Without ids nobody can be asked for last uses.
        account.give_up(&[Part::AccessKeys, Part::AccessKeyLastUsed], &reason);
        if some {
            account.parts.insert(Part::AccessKeysOfSome);
        }
    }
    if let Some(reason) = unused {
        account.give_up(&[Part::AccessKeyLastUsed], &reason);
    }
}

/// What was read of one user's keys.
#[derive(Default)]
struct KeysOf {
    keys: Vec<output::AccessKey>,
    used: Vec<(String, Option<String>, output::LastUsed)>,
    keys_failed: Option<String>,
    used_failed: Option<String>,
}

async fn keys_of(client: &Client, user: String) -> KeysOf {
    let mut read = KeysOf::default();
    let mut pages = client.list_access_keys().user_name(&user).into_paginator().items().send();
    while let Some(key) = pages.next().await {
        match key {
            Ok(key) => read.keys.push(convert::key(key)),
            // Deleted since it was listed: it has none.
            Err(error) if error.code() == Some("NoSuchEntity") => return KeysOf::default(),
            Err(error) => {
                read.keys_failed = Some(words("iam:ListAccessKeys", &error));
                break;
            }
        }
    }
    for id in read.keys.iter().filter_map(|key| key.access_key_id.clone()) {
        match client.get_access_key_last_used().access_key_id(&id).send().await {
            Ok(answer) => {
                if let Some(used) = answer.access_key_last_used {
                    let user = answer.user_name.or_else(|| Some(user.clone()));
                    read.used.push((id, user, convert::key_last_used(used)));
                }
            }
            Err(error) => {
                let reason = words("iam:GetAccessKeyLastUsed", &error);
                read.used_failed.get_or_insert(reason);
            }
        }
    }
    read
}

/// The report as CSV, and when it was made. IAM makes one at most every four hours.
async fn credential_report(client: &Client) -> Result<(Vec<u8>, Option<i64>), String> {
    let mut attempts = 0;
    loop {
        let asked = client.generate_credential_report().send().await;
        let asked = asked.map_err(|error| words("iam:GenerateCredentialReport", &error))?;
        if asked.state == Some(ReportStateType::Complete) {
            break;
        }
        attempts += 1;
        if attempts >= REPORT_ATTEMPTS {
            return Err("iam:GenerateCredentialReport: not done after two minutes".to_owned());
        }
        tokio::time::sleep(REPORT_PAUSE).await;
    }
    let got = client.get_credential_report().send().await;
    let got = got.map_err(|error| words("iam:GetCredentialReport", &error))?;
    let content = got.content.map(aws_sdk_iam::primitives::Blob::into_inner);
    let content = content.ok_or("iam:GetCredentialReport: an answer without a report")?;
    Ok((content, convert::micros(got.generated_time)))
}

async fn oidc_providers(client: &Client, account: &mut AccountFacts) {
    let listed = match client.list_open_id_connect_providers().send().await {
        Ok(listed) => listed.open_id_connect_provider_list.unwrap_or_default(),
        Err(error) => {
            let reason = words("iam:ListOpenIDConnectProviders", &error);
            account.give_up(&[Part::IdentityProviders], &reason);
            return;
        }
    };
    account.oidc_listed = true;
    for arn in listed.into_iter().filter_map(|provider| provider.arn) {
        let asked =
            client.get_open_id_connect_provider().open_id_connect_provider_arn(&arn).send().await;
        match asked {
            Ok(provider) => account.add_provider(&arn, convert::oidc_provider(provider)),
            Err(error) => {
                account.add_provider(&arn, output::Provider::default());
                let reason = words("iam:GetOpenIDConnectProvider", &error);
                account.give_up(&[Part::IdentityProviders], &reason);
            }
        }
    }
}

async fn saml_providers(client: &Client, account: &mut AccountFacts) {
    match client.list_saml_providers().send().await {
        Ok(listed) => {
            account.saml_listed = true;
            for provider in listed.saml_provider_list.unwrap_or_default() {
                let Some(arn) = provider.arn.clone() else { continue };
                account.add_provider(&arn, convert::saml_provider(provider));
            }
        }
        Err(error) => {
            let reason = words("iam:ListSAMLProviders", &error);
            account.give_up(&[Part::IdentityProviders], &reason);
        }
    }
}
