//! Callers that are neither user nor role: services, federated subjects and their providers,
//! certificates, whole accounts. Whatever `assumptions` calls a caller can be asked for.

use datafusion::scalar::ScalarValue;

use super::table::{Asked, SHOWN, values};
use super::thing::Thing;
use super::{WhoAnswer, words};
use crate::QueryError;

/// A caller as it is written, a part of it (provider, account, subject), or the start of a subject: what
/// follows a repository's name is its branch.
const IS_IT: &str = "(caller = $thing OR starts_with(caller, concat($thing, '/')) OR federated_subject = $thing \
     OR starts_with(federated_subject, concat($thing, ':')) OR identity_provider = $thing \
     OR caller_account_id = $thing)";

/// Which roles such a caller takes.
pub(super) async fn answer(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    if thing.text.is_empty() {
        return Ok(None);
    }
    let bound = values([("thing", ScalarValue::from(thing.text.as_str()))]);
    let query = format!(
        "SELECT count(*) AS acts, count(DISTINCT caller) AS callers, min(caller) AS caller, \
         count(DISTINCT role) FILTER (WHERE outcome = 'success') AS roles, \
         sum(CASE WHEN outcome = 'success' THEN 0 ELSE 1 END) AS failed, \
         min(event_time) AS first, max(event_time) AS last, \
         arrow_cast(max(event_time), 'Int64') AS last_micros, \
         array_sort(array_agg(DISTINCT method)) AS methods, min(caller_resolved_by) AS resolved_by, \
         array_sort(array_agg(DISTINCT source_ip) FILTER (WHERE source_ip IS NOT NULL)) AS ips, \
         array_sort(array_agg(DISTINCT user_agent) FILTER (WHERE user_agent IS NOT NULL)) AS agents \
         FROM assumptions WHERE {IS_IT} HAVING count(*) > 0"
    );
    let seen = session.rows(&query, &bound).await?;
    if seen.is_empty() {
        return Ok(None);
    }
    let cell = |column: &str| seen.cell(0, column);
    let mut answer = WhoAnswer::new(thing);
    let roles = words::counted(seen.number(0, "roles"), "role");
    let acts = words::counted(seen.number(0, "acts"), "act");
    let alone = seen.number(0, "callers") == 1;
    answer.headline = if alone {
        format!("{}, a caller: takes {roles}, {acts}", cell("caller"))
    } else {
        let callers = words::counted(seen.number(0, "callers"), "caller");
        format!("{}: {callers} that take {roles}, {acts}", thing.text)
    };
    let ago = words::ago(seen.number(0, "last_micros"), as_of);
    answer.fact("seen", format!("{} ({ago})", words::span(cell("first"), cell("last"))));
    answer.fact("how", cell("methods").replace('_', " "));
    if seen.number(0, "failed") > 0 {
        answer.fact("failed", words::counted(seen.number(0, "failed"), "act"));
    }
    answer.list("from", seen.list(0, "ips"), 5);
    answer.agents(seen.list(0, "agents"));
    if alone {
        answer.note(format!("caller: {}", words::resolved_by(cell("resolved_by"))));
    } else {
        let callers = format!(
            "SELECT caller, count(DISTINCT role) AS roles, count(*) AS acts, max(event_time) AS last \
             FROM assumptions WHERE {IS_IT} GROUP BY caller ORDER BY acts DESC, caller"
        );
        answer.table("Callers", session.first(SHOWN, &callers, &bound).await?);
    }
    let taken = format!(
        "SELECT coalesce(role, target_principal) AS role, method, outcome, count(*) AS times, \
         min(event_time) AS first, max(event_time) AS last FROM assumptions WHERE {IS_IT} \
         GROUP BY 1, 2, 3 ORDER BY times DESC, role, method, outcome"
    );
    answer.table("Roles taken", session.first(SHOWN, &taken, &bound).await?);
    let origin = format!(
        "SELECT coalesce(role, principal_arn) AS acting_as, depth, count(*) AS sessions, \
         sum(event_count) AS records, max(last_used) AS last_used FROM sessions \
         WHERE origin IN (SELECT caller FROM assumptions WHERE {IS_IT}) \
         GROUP BY 1, 2 ORDER BY depth, sessions DESC, acting_as"
    );
    answer.table("Sessions that go back to it", session.first(SHOWN, &origin, &bound).await?);
    let caller = cell("caller").replace('\'', "''");
    let acts = format!("SELECT * FROM assumptions WHERE caller = '{caller}'");
    answer.next(&format!("rolecall sql {}", words::quoted(&acts)), "its acts, one by one");
    Ok(Some(answer))
}
