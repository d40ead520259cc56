//! The credential report: a CSV whose columns are found by name.
//!
//! It has users with their passwords and certificates, root among them, and two slots for access keys
//! each, without the keys' ids. Columns may come in any order, and more of them may follow; `N/A`,
//! `no_information` and `not_supported` are no values.

use std::collections::HashMap;

use rolecall_lake::inventory::UserRow;

use crate::error::Problem;
use crate::facts::{Facts, Slot, account_of};
use crate::parts::Part;
use crate::stamp::Stamp;
use crate::time;

/// The user that stands for root.
pub(crate) const ROOT: &str = "<root_account>";

/// Without these it is no credential report, or one that would be misread.
const REQUIRED: [&str; 14] = [
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "cert_1_active",
    "cert_2_active",
];

/// How many of them make a CSV one that is meant to be a credential report.
const TELLING: usize = 3;

/// Whether a first line looks like a credential report's.
pub(crate) fn is_header(line: &str) -> bool {
    let names: Vec<String> = line.split(',').map(clean).collect();
    REQUIRED.iter().filter(|name| names.iter().any(|other| other == *name)).count() >= TELLING
}

fn clean(name: &str) -> String {
    name.trim().trim_start_matches('\u{feff}').trim_matches('"').to_ascii_lowercase()
}

/// Takes in a report of that time.
pub(crate) fn take_in(facts: &mut Facts, csv: &[u8], stamp: Option<Stamp>) -> Result<(), Problem> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(csv);
    let header = reader.headers().map_err(|error| unreadable(&error))?;
    let columns: HashMap<String, usize> =
        header.iter().enumerate().map(|(index, name)| (clean(name), index)).collect();
    let missing: Vec<String> = REQUIRED
        .iter()
        .filter(|name| !columns.contains_key(**name))
        .map(|name| (*name).to_owned())
        .collect();
    if !missing.is_empty() {
        return Err(Problem::Columns(missing));
    }
    let width = header.len();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = Row { columns: &columns, record, line };
        if row.record.len() < width {
            let reason = "it has fewer fields than the header: is the file truncated?".to_owned();
            return Err(Problem::Row { line, reason });
        }
        rows.push(row.read()?);
    }
    // All or nothing: half a report would make users look as if they had no keys.
    for (account, user, slots, further) in rows {
        let account = facts.account(&account);
        account.parts.tell(Part::CredentialReport, stamp);
        account.reported.insert(user.user_name.clone(), user.created);
        if let Some(further) = further {
            account.further.insert(user.user_name.clone(), further);
        }
        account.add_user(user);
        account.slots.extend(slots);
    }
    Ok(())
}

fn unreadable(error: &csv::Error) -> Problem {
    let line = error.position().map_or(0, csv::Position::line);
    Problem::Row { line, reason: "this is no CSV in UTF-8".to_owned() }
}

struct Row<'a> {
    columns: &'a HashMap<String, usize>,
    record: csv::StringRecord,
    line: u64,
}

impl Row<'_> {
    /// A value; none where the column or the value is not there.
    fn text(&self, name: &str) -> Option<&str> {
        let value = self.record.get(*self.columns.get(name)?)?.trim();
        let nothing = ["", "n/a", "no_information", "not_supported"];
        (!nothing.contains(&value.to_ascii_lowercase().as_str())).then_some(value)
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.text(name).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(self.wrong(name, "neither true nor false")),
        }
    }

    fn time(&self, name: &str) -> Result<Option<i64>, Problem> {
        match self.text(name) {
            None => Ok(None),
            Some(text) => match time::parse(text) {
                Some(time) => Ok(Some(time)),
                None => Err(self.wrong(name, "not a time")),
            },
        }
    }

    fn wrong(&self, name: &str, what: &str) -> Problem {
        Problem::Row { line: self.line, reason: format!("{name} is {what}") }
    }

    fn read(&self) -> Result<(String, UserRow, Vec<Slot>, Option<usize>), Problem> {
        let arn = self.text("arn").unwrap_or_default().to_owned();
        let account = account_of(&arn).ok_or_else(|| self.wrong("arn", "not an ARN"))?.to_owned();
        let is_root = arn.ends_with(":root");
        let name = self.text("user").filter(|_| !is_root).unwrap_or(ROOT).to_owned();
        let certificates = ["cert_1_active", "cert_2_active"].map(|name| self.flag(name));
        let mut active = 0;
        for certificate in certificates {
            active += i64::from(certificate? == Some(true));
        }
        let user = UserRow {
            user_name: name.clone(),
            user_arn: Some(arn.clone()),
            created: self.time("user_creation_time")?,
            is_root,
            console_password: self.flag("password_enabled")?,
            password_last_used: self.time("password_last_used")?,
            password_last_changed: self.time("password_last_changed")?,
            mfa_active: self.flag("mfa_active")?,
            signing_certificates: Some(active),
            ..UserRow::default()
        };
        let mut slots = Vec::new();
        for number in [1, 2] {
            let column = |what: &str| format!("access_key_{number}_{what}");
            let active = self.flag(&column("active"))? == Some(true);
            let last_rotated = self.time(&column("last_rotated"))?;
            let last_used = self.time(&column("last_used_date"))?;
            // A slot that never held a key says false and N/A.
            if !active && last_rotated.is_none() && last_used.is_none() {
                continue;
            }
            let text = |what: &str| self.text(&column(what)).map(str::to_owned);
            slots.push(Slot {
                user_name: name.clone(),
                user_arn: arn.clone(),
                user_created: user.created,
                number,
                active,
                last_rotated,
                last_used,
                last_used_service: text("last_used_service"),
                last_used_region: text("last_used_region"),
            });
        }
        Ok((account, user, slots, self.further()))
    }

    /// How many access keys and certificates there are beyond the two that have columns, where the report has the
    /// column that counts them; one at least where it has words without a number.
    fn further(&self) -> Option<usize> {
        const COLUMN: &str = "additional_credentials_info";
        self.columns.get(COLUMN)?;
        let text = self.text(COLUMN).unwrap_or("{}");
        if let Ok(list) = serde_json::from_str::<Vec<serde_json::Value>>(text) {
            return Some(list.len());
        }
        let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
        let numbers: Vec<usize> = numbers.filter_map(|word| word.parse().ok()).collect();
        Some(match numbers.as_slice() {
            [0] => 0,
            [] if text == "{}" => 0,
            numbers => numbers.iter().sum::<usize>().max(1),
        })
    }
}
