//! Asks a report, and reads what it says of whom.

use std::collections::BTreeMap;

use arrow::array::{Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};

use super::iam;
use super::truth::{Account, Sort, Time};
use crate::{Reports, Session};

pub(super) const REPORTS: [&str; 4] =
    ["stale-keys", "key-migration", "unused-roles", "unused-users"];

/// What a report says of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) account: String,
    pub(super) name: String,
    pub(super) id: Option<String>,
    pub(super) slot: Option<i64>,
    pub(super) verdict: String,
    /// The column `known_until`, where the report has it.
    pub(super) known_until: Option<Option<Time>>,
}

impl Said {
    pub(super) fn subject(&self) -> (String, String, Option<String>, Option<i64>) {
        (self.account.clone(), self.name.clone(), self.id.clone(), self.slot)
    }
}

/// Columns with the name, the id and the verdict.
fn columns(report: &str) -> (&'static str, Option<&'static str>, &'static str) {
    match report {
        "stale-keys" => ("user_name", Some("access_key_id"), "state"),
        "key-migration" => ("user_name", Some("access_key_id"), "verdict"),
        "unused-roles" => ("role", Some("role_id"), "state"),
        _ => ("user_name", None, "state"),
    }
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let column = cast(batch.column_by_name(column).unwrap(), &DataType::Utf8).unwrap();
    let texts = column.as_any().downcast_ref::<StringArray>().unwrap();
    texts.iter().map(|text| text.map(str::to_owned)).collect()
}

fn numbers(batch: &RecordBatch, column: &str) -> Option<Vec<Option<i64>>> {
    let column = cast(batch.column_by_name(column)?, &DataType::Int64).unwrap();
    Some(column.as_any().downcast_ref::<Int64Array>().unwrap().iter().collect())
}

fn times(batch: &RecordBatch, column: &str) -> Option<Vec<Option<Time>>> {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let column = cast(batch.column_by_name(column)?, &micros).unwrap();
    let times = column.as_any().downcast_ref::<TimestampMicrosecondArray>().unwrap();
    Some(times.iter().collect())
}

/// Runs a report with these parameters.
pub(super) async fn ask(session: &Session, report: &str, given: &[(&str, String)]) -> Vec<Said> {
    let reports = Reports::built_in().unwrap();
    let of = reports.get(report).unwrap();
    let given: BTreeMap<String, String> =
        given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let rows = session.report(of, &given, 0).await.unwrap();
    let (name, id, verdict) = columns(report);
    let mut said = Vec::new();
    for batch in rows.collect().await.unwrap() {
        let (accounts, names) = (texts(&batch, "account_id"), texts(&batch, name));
        let verdicts = texts(&batch, verdict);
        let ids = id.map(|id| texts(&batch, id));
        let slots = numbers(&batch, "slot");
        let known = times(&batch, "known_until");
        for row in 0..batch.num_rows() {
            said.push(Said {
                account: accounts[row].clone().unwrap_or_default(),
                name: names[row].clone().unwrap_or_default(),
                id: ids.as_ref().and_then(|ids| ids[row].clone()),
                slot: slots.as_ref().and_then(|slots| slots[row]),
                verdict: verdicts[row].clone().unwrap(),
                known_until: known.as_ref().map(|known| known[row]),
            });
        }
    }
    said
}

/// Whom a row is about, by the ids that it has, else by the newest inventory.
pub(super) fn subject(account: &Account, report: &str, said: &Said, as_of: Time) -> Option<usize> {
    let by_id = |id: &String| account.things.iter().position(|thing| thing.id == *id);
    if let Some(id) = &said.id {
        return by_id(id);
    }
    let sort = match report {
        "unused-users" => Sort::User,
        "unused-roles" => Sort::Role,
        _ => Sort::Key,
    };
    let readings = account.readings.iter().rev().filter(|reading| reading.taken() <= as_of);
    let listed = readings.map(|reading| match sort {
        Sort::User => iam::users(account, reading).iter().map(|user| user.of).collect(),
        Sort::Role => iam::roles(account, reading).iter().map(|(of, _)| *of).collect(),
        _ => {
            let keys = iam::keys(account, reading).into_iter();
            let of_slot = keys.filter(|key| key.id.is_none() && key.slot == said.slot);
            of_slot.map(|key| key.of).collect::<Vec<usize>>()
        }
    });
    let mut named = listed.flatten().filter(|of| account.things[*of].name == said.name);
    named.next()
}
