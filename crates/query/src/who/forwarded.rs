//! Keys of services that act on for somebody: forward access sessions.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html>: S3 that decrypts for its caller
//! signs with a key that was handed out to nobody. It is no session, and no sign-in is missing.

use datafusion::scalar::ScalarValue;

use super::table::{Asked, SHOWN, values};
use super::thing::Thing;
use super::{WhoAnswer, words};
use crate::QueryError;

const IS_IT: &str = "access_key_id = $key AND invoked_by IS NOT NULL AND source_ip IS NULL";

/// For whom a service used the key.
pub(super) async fn answer(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    let bound = values([("key", ScalarValue::from(thing.text.as_str()))]);
    let query = format!(
        "SELECT min(coalesce(role_arn, principal_arn, principal_id)) AS who, min(principal_arn) AS principal, \
         array_sort(array_agg(DISTINCT coalesce(source_service, invoked_by))) AS services, \
         min(first_time) AS first, max(last_time) AS last, arrow_cast(max(last_time), 'Int64') AS last_micros, \
         sum(event_count) AS records FROM activity WHERE {IS_IT} HAVING sum(event_count) > 0"
    );
    let seen = session.rows(&query, &bound).await?;
    if seen.is_empty() {
        return Ok(None);
    }
    let mut answer = WhoAnswer::new(thing);
    let who = seen.cell(0, "who");
    answer.headline = format!("a key of a service that acted on for {who}: forwarded access");
    answer.fact("for", seen.cell(0, "principal"));
    answer.list("service", seen.list(0, "services"), 5);
    let span = words::span(seen.cell(0, "first"), seen.cell(0, "last"));
    let ago = words::ago(seen.number(0, "last_micros"), as_of);
    let records = words::counted(seen.number(0, "records"), "record");
    answer.fact("used", format!("{span} ({ago}), {records}"));
    let did = format!(
        "SELECT replace(event_source, '.amazonaws.com', '') AS service, event_name AS action, \
         sum(event_count) AS records, sum(CASE WHEN error_code IS NULL THEN 0 ELSE event_count END) AS failed, \
         max(last_time) AS last FROM activity WHERE {IS_IT} GROUP BY 1, 2 ORDER BY records DESC, service, action"
    );
    answer.table("What the service did", session.first(SHOWN, &did, &bound).await?);
    answer.note(
        "a service that needs another for what its caller asked signs with a key of its own; it was handed out to nobody, \
         and no sign-in is missing",
    );
    if who.starts_with("arn:") {
        answer.next(&format!("rolecall who {}", words::quoted(who)), "whose work it was part of");
    }
    Ok(Some(answer))
}
