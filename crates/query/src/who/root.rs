//! An account's root: its own sign-ins and keys, and those who took it for a task.
//!
//! `AssumeRoot` gives a session of root to a principal of the management account
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-user-privileged-task.html>); no root user signs in for
//! that. Both sign as root, and only the keys that were handed out tell them apart.

use datafusion::scalar::ScalarValue;

use super::table::{Asked, Rows, SHOWN, values};
use super::thing::Thing;
use super::{WhoAnswer, words};
use crate::functions::arn;
use crate::{QueryError, Values};

/// The sessions of root that were taken.
const TAKEN: &str = "FROM sessions WHERE issued_by = 'AssumeRoot' AND role_account_id = $account";
/// What was signed as root, and whether in a session that was taken.
const SIGNED: &str = "(SELECT activity.*, taken.key IS NOT NULL AS was_taken FROM activity \
     LEFT JOIN (SELECT DISTINCT unnest(used_access_key_ids) AS key \
         FROM sessions WHERE issued_by = 'AssumeRoot' AND role_account_id = $account) AS taken ON access_key_id = taken.key \
     WHERE principal_arn = $arn) AS signed";

/// What is known of the root of an account.
pub(super) async fn answer(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    let account = arn::account(&thing.text).unwrap_or_default();
    let bound = values([
        ("arn", ScalarValue::from(thing.text.as_str())),
        ("account", ScalarValue::from(account)),
    ]);
    let own = own(session, &bound).await?;
    let taken = format!(
        "SELECT issued_time AS time, origin AS who, CASE WHEN caller <> origin THEN caller END AS through, \
         event_count AS records, session_id {TAKEN} ORDER BY issued_time DESC, session_id"
    );
    let taken = session.first(SHOWN, &taken, &bound).await?;
    let sign_ins = sign_ins(session, &bound).await?;
    let signed_in = sign_ins.number(0, "succeeded") + sign_ins.number(0, "failed") > 0;
    if own.is_empty() && taken.is_empty() && !signed_in {
        return Ok(None);
    }
    let mut answer = WhoAnswer::new(thing);
    answer.headline = headline(account, &own, &taken, &sign_ins);
    answer.fact("sign-ins", said_of_sign_ins(&sign_ins));
    if own.is_empty() {
        answer.fact("itself", "signed nothing, as far as the logs show");
    } else {
        let span = words::span(own.cell(0, "first"), own.cell(0, "last"));
        let ago = words::ago(own.number(0, "last_micros"), as_of);
        let records = words::counted(own.number(0, "records"), "record");
        answer.fact("itself", format!("{span} ({ago}), {records}"));
        answer.list("from", own.list(0, "ips"), 5);
        answer.agents(own.list(0, "agents"));
    }
    let first = taken.cell(0, "session_id").to_owned();
    answer.fact(
        "taken",
        match taken.all() {
            0 => String::new(),
            times => format!(
                "{}, last at {}",
                words::counted(words::number(times), "time"),
                taken.cell(0, "time")
            ),
        },
    );
    answer.table("Who took it (AssumeRoot), latest first", taken);
    answer.table("What they did as root", did(session, "was_taken", &bound).await?);
    let keys = "SELECT access_key_id AS key, status, created, last_used, event_count AS records \
         FROM access_keys WHERE principal_arn = $arn ORDER BY last_used DESC NULLS LAST, key";
    answer.table("Long-term keys", session.first(SHOWN, keys, &bound).await?);
    answer.table("What it does itself", did(session, "NOT was_taken", &bound).await?);
    if !first.is_empty() {
        answer.note(
            "AssumeRoot gives a short session of root to a principal of the management account, or of the delegated one, for one task: \
             no root user signs in for it",
        );
        let session_of_root = words::quoted(&first);
        answer.next(
            &format!("rolecall who {session_of_root}"),
            "who took root last, and what was done",
        );
    }
    answer.next(
        &format!("rolecall report edges --account {}", words::quoted(account)),
        "which principals of the account use which roles",
    );
    Ok(Some(answer))
}

/// What root itself signed.
async fn own(session: &Asked<'_>, bound: &Values) -> Result<Rows, QueryError> {
    let query = format!(
        "SELECT min(first_time) AS first, max(last_time) AS last, arrow_cast(max(last_time), 'Int64') AS last_micros, \
         sum(event_count) AS records, \
         array_sort(array_agg(DISTINCT source_ip) FILTER (WHERE source_ip IS NOT NULL)) AS ips, \
         array_sort(array_agg(DISTINCT user_agent) FILTER (WHERE user_agent IS NOT NULL)) AS agents \
         FROM {SIGNED} WHERE NOT was_taken HAVING sum(event_count) > 0"
    );
    session.rows(&query, bound).await
}

async fn sign_ins(session: &Asked<'_>, bound: &Values) -> Result<Rows, QueryError> {
    let query = "SELECT count(*) FILTER (WHERE outcome = 'success') AS succeeded, \
         count(*) FILTER (WHERE outcome <> 'success') AS failed, max(event_time) AS last \
         FROM (SELECT DISTINCT event_id, event_time, outcome FROM credential_events \
             WHERE event_name = 'ConsoleLogin' AND caller_type = 'Root' AND caller_account_id = $account) AS logins";
    session.rows(query, bound).await
}

async fn did(session: &Asked<'_>, which: &str, bound: &Values) -> Result<Rows, QueryError> {
    let query = format!(
        "SELECT replace(event_source, '.amazonaws.com', '') AS service, event_name AS action, \
         sum(event_count) AS records, sum(CASE WHEN error_code IS NULL THEN 0 ELSE event_count END) AS failed, \
         max(last_time) AS last FROM {SIGNED} WHERE {which} GROUP BY 1, 2 ORDER BY records DESC, service, action"
    );
    session.first(SHOWN, &query, bound).await
}

fn headline(account: &str, own: &Rows, taken: &Rows, sign_ins: &Rows) -> String {
    let own = match (sign_ins.number(0, "succeeded"), own.number(0, "records")) {
        (0, 0) => "no root user signed in or called".to_owned(),
        (0, records) => format!("no sign-in, {}", words::counted(records, "record")),
        (times, records) => {
            format!("{}, {}", words::counted(times, "sign-in"), words::counted(records, "record"))
        }
    };
    let taken = match words::number(taken.all()) {
        0 => String::new(),
        times => format!("; taken by AssumeRoot {}", words::counted(times, "time")),
    };
    format!("the root of account {account}: {own}{taken}")
}

fn said_of_sign_ins(found: &Rows) -> String {
    let last = found.cell(0, "last");
    match (found.number(0, "succeeded"), found.number(0, "failed")) {
        (0, 0) => "none in the logs".to_owned(),
        (0, failed) => format!("{failed} that failed, the last at {last}"),
        (done, 0) => format!("{done}, the last at {last}"),
        (done, failed) => format!("{done}, and {failed} that failed; the last at {last}"),
    }
}
