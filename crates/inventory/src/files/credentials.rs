//! Lists of one user's credentials: access keys, and what has no column in the credential report.
//!
//! An empty list names nobody, so that the file's name has to; see `names`. Secrets are in none of these lists,
//! and nothing but ids is taken.

use std::collections::BTreeSet;

use rolecall_lake::inventory::CredentialRow;

use super::names;
use super::take_in::File;
use crate::error::Problem;
use crate::facts::{AccountFacts, Facts};
use crate::output::{AccessKey, Credential, Output};
use crate::parts::Part;
use crate::report::ROOT;

/// What files with these lists are called.
const ACCESS_KEYS: [&str; 4] = ["list-access-keys", "access-keys", "access_keys", "keys"];
const SERVICE_SPECIFIC: [&str; 4] = [
    "list-service-specific-credentials",
    "service-specific-credentials",
    "service-specific",
    "service_specific_credentials",
];
const SSH_KEYS: [&str; 5] =
    ["list-ssh-public-keys", "ssh-public-keys", "ssh_public_keys", "ssh-keys", "ssh"];
const CERTIFICATES: [&str; 5] = [
    "list-signing-certificates",
    "signing-certificates",
    "signing_certificates",
    "certificates",
    "certs",
];
const MFA_DEVICES: [&str; 4] = ["list-mfa-devices", "mfa-devices", "mfa_devices", "mfa"];

/// A kind of credential: its part, the word in `iam_credentials.kind`, and what its files are called.
struct Kind {
    part: Part,
    word: &'static str,
    files: &'static [&'static str],
}

impl File<'_> {
    /// list-access-keys.
    pub(super) fn access_keys(
        &self,
        facts: &mut Facts,
        keys: Vec<AccessKey>,
        cut_off: bool,
    ) -> Result<(), Problem> {
        let account = self.of(facts, None)?;
        let users = keys.iter().filter_map(|key| key.user_name.clone()).collect();
        for key in keys {
            if account.differs(&key) {
                let file = self.path.display().to_string();
                let id = key.access_key_id.clone().unwrap_or_default();
                account.refuse(Problem::KeyTwice { id, file });
            }
            account.add_key(key);
        }
        if cut_off {
            // Nobody's keys are all there, but those that are were read then.
            account.listed(Part::AccessKeys).named.push((String::new(), self.stamp));
        } else {
            self.list(account, Part::AccessKeys, users, &ACCESS_KEYS);
        }
        Ok(())
    }

    /// The lists of other credentials.
    pub(super) fn credentials(
        &self,
        facts: &mut Facts,
        output: &mut Output,
    ) -> Result<(), Problem> {
        let kinds = [
            (
                output.service_specific_credentials.take(),
                Part::ServiceSpecificCredentials,
                "service_specific",
                &SERVICE_SPECIFIC[..],
            ),
            (output.ssh_public_keys.take(), Part::SshPublicKeys, "ssh_public_key", &SSH_KEYS[..]),
            (
                output.certificates.take(),
                Part::SigningCertificates,
                "signing_certificate",
                &CERTIFICATES[..],
            ),
            (output.mfa_devices.take(), Part::MfaDevices, "mfa_device", &MFA_DEVICES[..]),
        ];
        let cut_off = output.is_cut_off();
        for (list, part, word, files) in kinds {
            if let Some(list) = list {
                self.credential_list(facts, list, &Kind { part, word, files }, cut_off)?;
            }
        }
        // They are those of the whole account, but of one kind alone: no user's list is whole with them.
        for device in output.virtual_mfa_devices.take().into_iter().flatten() {
            let Some(user) = device.user.clone() else { continue };
            let arn = user.arn.as_deref();
            let is_root = arn.is_some_and(|arn| arn.ends_with(":root"));
            let name = if is_root { Some(ROOT.to_owned()) } else { user.user_name };
            let account = self.of(facts, arn)?;
            add(account, Credential { user_name: name, ..device }, "mfa_device");
        }
        Ok(())
    }

    fn credential_list(
        &self,
        facts: &mut Facts,
        list: Vec<Credential>,
        kind: &Kind,
        cut_off: bool,
    ) -> Result<(), Problem> {
        let account = self.of(facts, None)?;
        let users = list.iter().filter_map(|one| one.user_name.clone()).collect();
        for credential in list {
            add(account, credential, kind.word);
        }
        if !cut_off {
            self.list(account, kind.part, users, kind.files);
        }
        Ok(())
    }

    /// A list of these users' things was there, whole.
    fn list(
        &self,
        account: &mut AccountFacts,
        part: Part,
        users: BTreeSet<String>,
        files: &[&str],
    ) {
        let listed = account.listed(part);
        for user in &users {
            listed.add(user, self.stamp);
        }
        // One call without --all-users tells of one user.
        if part == Part::ServiceSpecificCredentials && users.len() > 1 {
            listed.all = listed.all.into_iter().chain([self.stamp]).min();
        }
        let named = names::after(self.path, files);
        if let Some(named) = named {
            listed.named.push((named.to_owned(), self.stamp));
        } else if part == Part::AccessKeys && users.is_empty() {
            listed.named.push((String::new(), self.stamp));
        }
    }

    /// What list-user-tags prints.
    pub(super) fn tags_of_user(
        &self,
        facts: &mut Facts,
        output: &mut Output,
    ) -> Result<(), Problem> {
        const FILES: [&str; 2] = ["list-user-tags", "user-tags"];
        let Some(tags) = output.tags.take() else { return Ok(()) };
        let named = names::after(self.path, &FILES).ok_or(Problem::WhoseTags)?;
        let tags = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
        self.of(facts, None)?.user_tags.push((named.to_owned(), tags));
        Ok(())
    }
}

fn add(account: &mut AccountFacts, credential: Credential, kind: &'static str) {
    let (Some(user_name), Some(credential_id)) = (credential.user_name, credential.id) else {
        return;
    };
    let row = CredentialRow {
        user_name,
        credential_id,
        service: credential.service_name,
        status: credential.status,
        created: credential.create_date,
        expires: credential.expiration_date,
        ..CredentialRow::default()
    };
    account.add_credential(row, kind);
}
