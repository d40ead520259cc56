//! Credentials of users that the credential report does not have: user by user, as IAM lists most of them so.
//!
//! A part counts as read only when it was read of every user.

use aws_sdk_iam::Client;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use futures::StreamExt as _;
use rolecall_lake::inventory::CredentialRow;

use super::{convert, words};
use crate::facts::AccountFacts;
use crate::parts::Part;
use crate::report::ROOT;

/// Users that are asked for at once.
const USERS_AT_ONCE: usize = 4;

/// The parts that are read here.
const PARTS: [Part; 4] = [
    Part::ServiceSpecificCredentials,
    Part::SshPublicKeys,
    Part::SigningCertificates,
    Part::MfaDevices,
];

/// Reads them into `account`, whose users are known by then; what cannot be read is kept as missing.
pub(super) async fn read(client: &Client, account: &mut AccountFacts) {
    if !account.parts.contains(&Part::Users) {
        let reason = account.missing.iter().rev().find(|(part, _)| *part == Part::Users);
        let reason =
            reason.map_or_else(|| "users were not read".to_owned(), |(_, why)| why.clone());
        return account.give_up(&PARTS, &reason);
    }
    let users = account.users.values().filter(|user| !user.is_root);
    let users: Vec<String> = users.map(|user| user.user_name.clone()).collect();
    let reads = users.into_iter().map(|user| of_user(client, user));
    let mut reads = futures::stream::iter(reads).buffered(USERS_AT_ONCE);
    let mut failed: Vec<(Part, String)> = Vec::new();
    while let Some(read) = reads.next().await {
        for (part, kind, rows) in read {
            match rows {
                Ok(rows) => rows.into_iter().for_each(|row| account.add_credential(row, kind)),
                Err(reason) if failed.iter().any(|(known, _)| *known == part) => drop(reason),
                Err(reason) => failed.push((part, reason)),
            }
        }
    }
    drop(reads);
    account.parts.extend(PARTS);
    for (part, reason) in failed {
        account.give_up(&[part], &reason);
    }
    if let Err(reason) = virtual_devices(client, account).await {
        account.give_up(&[Part::MfaDevices], &reason);
    }
}

type Rows = Result<Vec<CredentialRow>, String>;

async fn of_user(client: &Client, user: String) -> [(Part, &'static str, Rows); 4] {
    [
        (
            Part::ServiceSpecificCredentials,
            "service_specific",
            service_specific(client, &user).await,
        ),
        (Part::SshPublicKeys, "ssh_public_key", ssh_public_keys(client, &user).await),
        (
            Part::SigningCertificates,
            "signing_certificate",
            signing_certificates(client, &user).await,
        ),
        (Part::MfaDevices, "mfa_device", mfa_devices(client, &user).await),
    ]
}

/// Of a user that was deleted since it was listed there is nothing.
fn ended<E, R>(call: &str, error: &SdkError<E, R>) -> Rows
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    if error.code() == Some("NoSuchEntity") { Ok(Vec::new()) } else { Err(words(call, error)) }
}

/// The SDK has no paginator for it. All users could be asked for in one call, but a server that does not know of
/// that would answer for one of them.
async fn service_specific(client: &Client, user: &str) -> Rows {
    let (mut rows, mut marker) = (Vec::new(), None::<String>);
    loop {
        let asked = client.list_service_specific_credentials().user_name(user);
        let page = match asked.set_marker(marker.take()).send().await {
            Ok(page) => page,
            Err(error) => return ended("iam:ListServiceSpecificCredentials", &error),
        };
        for one in page.service_specific_credentials.unwrap_or_default() {
            rows.push(CredentialRow {
                user_name: user.to_owned(),
                credential_id: one.service_specific_credential_id,
                service: Some(one.service_name),
                status: Some(one.status.as_str().to_owned()),
                created: convert::micros(Some(one.create_date)),
                expires: convert::micros(one.expiration_date),
                ..CredentialRow::default()
            });
        }
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok(rows);
        }
    }
}

async fn ssh_public_keys(client: &Client, user: &str) -> Rows {
    let mut rows = Vec::new();
    let mut pages = client.list_ssh_public_keys().user_name(user).into_paginator().items().send();
    while let Some(key) = pages.next().await {
        match key {
            Ok(key) => rows.push(CredentialRow {
                user_name: user.to_owned(),
                credential_id: key.ssh_public_key_id,
                status: Some(key.status.as_str().to_owned()),
                created: convert::micros(Some(key.upload_date)),
                ..CredentialRow::default()
            }),
            Err(error) => return ended("iam:ListSSHPublicKeys", &error),
        }
    }
    Ok(rows)
}

async fn signing_certificates(client: &Client, user: &str) -> Rows {
    let mut rows = Vec::new();
    let pages = client.list_signing_certificates().user_name(user);
    let mut pages = pages.into_paginator().items().send();
    while let Some(certificate) = pages.next().await {
        match certificate {
            Ok(certificate) => rows.push(CredentialRow {
                user_name: user.to_owned(),
                credential_id: certificate.certificate_id,
                status: Some(certificate.status.as_str().to_owned()),
                created: convert::micros(certificate.upload_date),
                ..CredentialRow::default()
            }),
            Err(error) => return ended("iam:ListSigningCertificates", &error),
        }
    }
    Ok(rows)
}

async fn mfa_devices(client: &Client, user: &str) -> Rows {
    let mut rows = Vec::new();
    let mut pages = client.list_mfa_devices().user_name(user).into_paginator().items().send();
    while let Some(device) = pages.next().await {
        match device {
            Ok(device) => rows.push(CredentialRow {
                user_name: user.to_owned(),
                credential_id: device.serial_number,
                created: convert::micros(Some(device.enable_date)),
                ..CredentialRow::default()
            }),
            Err(error) => return ended("iam:ListMFADevices", &error),
        }
    }
    Ok(rows)
}

/// Root's device, if it is a virtual one, is in no other list; those of users are known already.
async fn virtual_devices(client: &Client, account: &mut AccountFacts) -> Result<(), String> {
    let mut pages = client.list_virtual_mfa_devices().into_paginator().items().send();
    while let Some(device) = pages.next().await {
        let device = device.map_err(|error| words("iam:ListVirtualMFADevices", &error))?;
        let is_root = device.user.as_ref().is_some_and(|user| user.arn.ends_with(":root"));
        if is_root {
            let row = CredentialRow {
                user_name: ROOT.to_owned(),
                credential_id: device.serial_number,
                created: convert::micros(device.enable_date),
                ..CredentialRow::default()
            };
            account.add_credential(row, "mfa_device");
        }
    }
    Ok(())
}
