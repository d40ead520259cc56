//! When the lake does not know a name: what it does hold, and what comes near.

use std::net::IpAddr;

use datafusion::scalar::ScalarValue;

use super::table::{Asked, values};
use super::thing::{Thing, ThingKind};
use super::{WhoAnswer, words};
use crate::functions::arn;
use crate::{QueryError, Values, suggest};

/// An answer that says so.
pub(super) async fn answer(session: &Asked<'_>, thing: &Thing) -> Result<WhoAnswer, QueryError> {
    let mut answer = WhoAnswer::new(thing);
    answer.found = false;
    answer.headline = match thing.kind {
        ThingKind::Name => format!("'{}' names no role, user or session in this lake", thing.text),
        kind => {
            format!("no record in this lake names {}, taken as {}", thing.text, kind.in_words())
        }
    };
    holdings(session, &mut answer).await?;
    near(session, thing, &mut answer).await?;
    if thing.kind == ThingKind::Event {
        answer.note(
            "other records than those that hand out credentials or change IAM are kept in groups, with one event id \
             each; the record may be there under another id",
        );
    }
    if thing.kind == ThingKind::LongTermKey {
        answer.note(
            "a key that was never used leaves no record; IAM knows whether it exists, and so does the lake after \
             `rolecall inventory`",
        );
    }
    answer.next("rolecall report coverage", "which accounts, regions and days the lake holds");
    Ok(answer)
}

async fn holdings(session: &Asked<'_>, answer: &mut WhoAnswer) -> Result<(), QueryError> {
    let query = "SELECT min(first_event_time) AS first, max(last_event_time) AS last, sum(files) AS files, \
         sum(records) AS records, array_sort(array_agg(DISTINCT account_id) FILTER (WHERE account_id IS NOT NULL)) \
         AS accounts FROM coverage";
    let held = session.rows(query, &Values::new()).await?;
    if held.number(0, "files") == 0 {
        answer.fact("the lake", "holds no log files yet");
        return Ok(());
    }
    let files = words::counted(held.number(0, "files"), "log file");
    let records = words::counted(held.number(0, "records"), "record");
    let span = words::span(held.cell(0, "first"), held.cell(0, "last"));
    answer.fact("the lake", format!("{files}, {records}, {span}"));
    answer.fact("accounts", words::few(held.list(0, "accounts"), 10));
    let account = arn::account(&answer.thing).unwrap_or_default().to_owned();
    if !account.is_empty() && !held.cell(0, "accounts").contains(&account) {
        answer.note(format!("the lake holds no logs of account {account}"));
    }
    Ok(())
}

/// Names that may have been meant.
async fn near(
    session: &Asked<'_>,
    thing: &Thing,
    answer: &mut WhoAnswer,
) -> Result<(), QueryError> {
    let (query, wanted) = match thing.kind {
        ThingKind::Role | ThingKind::Name | ThingKind::Session => {
            let name = arn::name(&thing.text);
            let name = name.or(thing.text.rsplit('/').next()).unwrap_or_default();
            ("SELECT DISTINCT role AS found, role_name AS name FROM roles ORDER BY 1", name)
        }
        ThingKind::User => (
            "SELECT DISTINCT principal_arn AS found, user_name AS name FROM activity \
             WHERE principal_type = 'IAMUser' AND user_name IS NOT NULL ORDER BY 1",
            arn::name(&thing.text).unwrap_or_default(),
        ),
        ThingKind::Address => return near_addresses(session, thing, answer).await,
        _ => return Ok(()),
    };
    let names = session.rows(query, &Values::new()).await?;
    let Some(nearest) = suggest::nearest(wanted, names.column("name")) else { return Ok(()) };
    let found = (0..names.len()).filter(|row| names.cell(*row, "name") == nearest);
    let found: Vec<_> = found.map(|row| names.cell(row, "found").to_owned()).take(3).collect();
    answer.fact("did you mean", found.join(", "));
    Ok(())
}

async fn near_addresses(
    session: &Asked<'_>,
    thing: &Thing,
    answer: &mut WhoAnswer,
) -> Result<(), QueryError> {
    let network = match thing.text.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => format!("{}/24", thing.text),
        Ok(IpAddr::V6(_)) => format!("{}/64", thing.text),
        Err(_) => return Ok(()),
    };
    let query = "SELECT source_ip AS found, sum(event_count) AS records FROM activity WHERE ip_in(source_ip, $network) \
         GROUP BY source_ip ORDER BY records DESC, found LIMIT 3";
    let found =
        session.rows(query, &values([("network", ScalarValue::from(network.as_str()))])).await?;
    if !found.is_empty() {
        let found: Vec<_> = found.column("found").collect();
        answer.fact("in its network", found.join(", "));
    }
    Ok(())
}
