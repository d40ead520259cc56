//! Addresses, and what stands in a record where an address should: services, and texts that are none.

use datafusion::scalar::ScalarValue;

use super::table::{Asked, SHOWN, values};
use super::thing::{Thing, ThingKind};
use super::{WhoAnswer, words};
use crate::QueryError;

/// Who called from an address.
pub(super) async fn answer(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    let bound = values([("ip", ScalarValue::from(thing.text.as_str()))]);
    let query = "SELECT min(first_time) AS first, max(last_time) AS last, \
         arrow_cast(max(last_time), 'Int64') AS last_micros, sum(event_count) AS records, \
         sum(CASE WHEN error_code IS NULL THEN 0 ELSE event_count END) AS failed, \
         count(DISTINCT coalesce(role_arn, principal_arn, principal_id)) AS principals, \
         array_sort(array_agg(DISTINCT user_agent) FILTER (WHERE user_agent IS NOT NULL)) AS agents, \
         array_sort(array_agg(DISTINCT recipient_account_id) FILTER (WHERE recipient_account_id IS NOT NULL)) AS accounts, \
         array_sort(array_agg(DISTINCT in_scope_of) FILTER (WHERE in_scope_of IS NOT NULL)) AS resources \
         FROM activity WHERE (source_ip = $ip OR source_service = $ip) HAVING sum(event_count) > 0";
    let seen = session.rows(query, &bound).await?;
    if seen.is_empty() {
        return Ok(None);
    }
    let mut answer = WhoAnswer::new(thing);
    let records = words::counted(seen.number(0, "records"), "record");
    let principals = words::counted(seen.number(0, "principals"), "principal");
    answer.headline = format!("{principals} called from {}: {records}", thing.text);
    let span = words::span(seen.cell(0, "first"), seen.cell(0, "last"));
    let ago = words::ago(seen.number(0, "last_micros"), as_of);
    answer.fact("seen", format!("{span} ({ago}), {records}"));
    if seen.number(0, "failed") > 0 {
        answer.fact("failed", words::counted(seen.number(0, "failed"), "record"));
    }
    answer.list("accounts", seen.list(0, "accounts"), 5);
    answer.list("resources", seen.list(0, "resources"), 3);
    answer.agents(seen.list(0, "agents"));
    let who = "SELECT coalesce(role_arn, principal_arn, principal_id, 'not named') AS principal, \
         min(access_key_id) FILTER (WHERE credential_kind = 'long_term') AS key, \
         count(DISTINCT session_name) AS sessions, sum(event_count) AS records, max(last_time) AS last \
         FROM activity WHERE (source_ip = $ip OR source_service = $ip) GROUP BY 1 ORDER BY records DESC, principal";
    let who = session.first(SHOWN, who, &bound).await?;
    if let Some(principal) = who.column("principal").find(|name| name.starts_with("arn:")) {
        let principal = words::quoted(principal);
        answer.next(&format!("rolecall who {principal}"), "who that is");
    }
    answer.table("Who called from it", who);
    let taken = "SELECT caller, role, method, outcome, count(*) AS times, max(event_time) AS last FROM assumptions \
         WHERE (source_ip = $ip OR source_service = $ip) GROUP BY caller, role, method, outcome \
         ORDER BY times DESC, caller, role, method, outcome";
    answer.table("Roles taken from it", session.first(SHOWN, taken, &bound).await?);
    let actions = "SELECT replace(event_source, '.amazonaws.com', '') AS service, event_name AS action, \
         sum(event_count) AS records, \
         sum(CASE WHEN error_code IS NULL THEN 0 ELSE event_count END) AS failed, max(last_time) AS last \
         FROM activity WHERE (source_ip = $ip OR source_service = $ip) GROUP BY 1, 2 ORDER BY records DESC, service, action";
    answer.table("What was done", session.first(SHOWN, actions, &bound).await?);
    if thing.kind == ThingKind::Address {
        answer.note("an address is not a person: many may share it, and one may change it");
    }
    let quoted = thing.text.replace('\'', "''");
    let by_address =
        format!("SELECT * FROM assumptions WHERE '{quoted}' IN (source_ip, source_service)");
    answer.next(
        &format!("rolecall sql {}", words::quoted(&by_address)),
        "the roles taken from it, one by one",
    );
    Ok(Some(answer))
}
