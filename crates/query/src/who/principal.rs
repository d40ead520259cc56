//! IAM users by ARN, name or unique id, and whatever else a unique id stands for.

use datafusion::scalar::ScalarValue;

use super::table::{Asked, Rows, SHOWN, values};
use super::thing::{Thing, ThingKind};
use super::{WhoAnswer, change, role, root, session, words};
use crate::QueryError;

/// What is known of a user's ARN.
pub(super) async fn by_arn(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    let ids = "SELECT principal_id AS unique_id, min(first_time) AS first, max(last_time) AS last, \
         sum(event_count) AS records FROM activity WHERE principal_arn = $arn AND principal_id IS NOT NULL \
         GROUP BY 1 ORDER BY last DESC, unique_id";
    let arn = values([("arn", ScalarValue::from(thing.text.as_str()))]);
    let ids = session.first(SHOWN, ids, &arn).await?;
    let id = ids.cell(0, "unique_id").to_owned();
    let bound = values([
        ("arn", ScalarValue::from(thing.text.as_str())),
        ("id", ScalarValue::from(id.as_str())),
    ]);
    let query = "SELECT min(first_time) AS first, max(last_time) AS last, \
         arrow_cast(max(last_time), 'Int64') AS last_micros, sum(event_count) AS records, \
         min(account_id) AS account, \
         array_sort(array_agg(DISTINCT source_ip) FILTER (WHERE source_ip IS NOT NULL)) AS ips, \
         array_sort(array_agg(DISTINCT user_agent) FILTER (WHERE user_agent IS NOT NULL)) AS agents \
         FROM activity WHERE principal_arn = $arn AND coalesce(principal_id, $id) = $id HAVING sum(event_count) > 0";
    let seen = session.rows(query, &bound).await?;
    let roles = roles_taken(session, &bound).await?;
    if seen.is_empty() && roles.is_empty() {
        return Ok(None);
    }
    let mut answer = WhoAnswer::new(thing);
    answer.headline = headline(thing, &seen, &roles);
    answer.fact("who", format!("{} (verified: IAM authenticated it)", thing.text));
    answer.fact("unique id", id.as_str());
    for (label, text) in change::life(session, "user", &thing.text, &id).await? {
        answer.fact(label, text);
    }
    if !seen.is_empty() {
        let span = words::span(seen.cell(0, "first"), seen.cell(0, "last"));
        let ago = words::ago(seen.number(0, "last_micros"), as_of);
        let records = words::counted(seen.number(0, "records"), "record");
        answer.fact("seen", format!("{span} ({ago}), {records}"));
    }
    answer.list("from", seen.list(0, "ips"), 5);
    answer.agents(seen.list(0, "agents"));
    let keys = "SELECT access_key_id AS key, status, created, last_used, event_count AS records \
         FROM access_keys WHERE principal_arn = $arn \
             OR ($arn LIKE '%:user/%' AND account_id = arn_account($arn) AND user_name = arn_name($arn)) \
             OR access_key_id IN (SELECT access_key_id FROM activity \
                 WHERE principal_arn = $arn AND coalesce(principal_id, $id) = $id AND credential_kind = 'long_term') \
         ORDER BY last_used DESC NULLS LAST, key";
    answer.table("Long-term keys", session.first(SHOWN, keys, &bound).await?);
    answer.table("Roles taken", roles);
    // A session's origin is known by name.
    let origin = "SELECT coalesce(role, principal_arn) AS acting_as, depth, count(*) AS sessions, \
         sum(event_count) AS records, max(last_used) AS last_used FROM sessions WHERE origin = $arn \
         GROUP BY 1, 2 ORDER BY depth, sessions DESC, acting_as";
    answer.table("Sessions that go back to it", session.first(SHOWN, origin, &arn).await?);
    let actions = "SELECT replace(event_source, '.amazonaws.com', '') AS service, event_name AS action, \
         sum(event_count) AS records, \
         sum(CASE WHEN error_code IS NULL THEN 0 ELSE event_count END) AS failed, max(last_time) AS last \
         FROM activity WHERE principal_arn = $arn AND coalesce(principal_id, $id) = $id \
         GROUP BY 1, 2 ORDER BY records DESC, service, action";
    answer.table("What it does itself", session.first(SHOWN, actions, &bound).await?);
    if ids.all() > 1 {
        answer.note(format!(
            "{} users had this name, one after the other: records and roles are of the one used last, sessions of all of them",
            ids.all()
        ));
        answer.table("Users of this name", ids);
    }
    answer.note("keys that no record names are not listed: only IAM knows them");
    let account = crate::functions::arn::account(&thing.text).unwrap_or_default();
    answer.next(
        &format!("rolecall report edges --account {}", words::quoted(account)),
        "which principals of the account use which roles",
    );
    Ok(Some(answer))
}

fn headline(thing: &Thing, seen: &Rows, roles: &Rows) -> String {
    let name = crate::functions::arn::name(&thing.text).unwrap_or_default();
    let account = crate::functions::arn::account(&thing.text).unwrap_or_default();
    let roles = words::number(roles.all());
    let records = words::counted(seen.number(0, "records"), "record");
    format!(
        "{name}, an IAM user of account {account}: {records}, takes {}",
        words::counted(roles, "role")
    )
}

async fn roles_taken(session: &Asked<'_>, bound: &crate::Values) -> Result<Rows, QueryError> {
    let query = "SELECT coalesce(role, target_principal) AS role, \
         array_to_string(array_sort(array_agg(DISTINCT method)), ', ') AS how, count(*) AS times, \
         min(event_time) AS first, max(event_time) AS last \
         FROM assumptions WHERE caller = $arn AND outcome = 'success' \
             AND ($id = '' OR coalesce(caller_principal_id, $id) = $id) \
         GROUP BY 1 ORDER BY times DESC, role";
    session.first(SHOWN, query, bound).await
}

/// A user by bare name.
pub(super) async fn by_name(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    let query = "SELECT principal_arn AS arn, max(last_time) AS last FROM activity \
         WHERE user_name = $name AND principal_type = 'IAMUser' AND principal_arn IS NOT NULL \
         GROUP BY principal_arn ORDER BY last DESC, arn";
    let bound = values([("name", ScalarValue::from(thing.text.as_str()))]);
    let found = session.first(SHOWN, query, &bound).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let user = Thing { text: found.cell(0, "arn").to_owned(), kind: ThingKind::User };
    let mut answer = by_arn(session, &user, as_of).await?;
    if let Some(answer) = answer.as_mut().filter(|_| found.len() > 1) {
        let names: Vec<String> = found.column("arn").map(str::to_owned).collect();
        let more = match found.all() - found.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        answer.note(format!("several users have this name: {}{more}", names.join(", ")));
    }
    Ok(answer)
}

/// `AIDA…`, `AROA…`, or `AROA…:session`.
pub(super) async fn by_unique_id(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    let (id, name) = thing.text.split_once(':').unwrap_or((&thing.text, ""));
    let query = "SELECT coalesce(role_arn, principal_arn) AS arn, principal_arn, max(last_time) AS last FROM activity \
         WHERE (principal_id = $id OR role_id = $id) AND ($name = '' OR session_name = $name) \
             AND principal_arn IS NOT NULL \
         GROUP BY 1, 2 ORDER BY last DESC, arn, principal_arn LIMIT 1";
    let bound = values([("id", ScalarValue::from(id)), ("name", ScalarValue::from(name))]);
    let found = session.rows(query, &bound).await?;
    if found.is_empty() {
        return masked(session, thing, id).await;
    }
    let named = if name.is_empty() { found.cell(0, "arn") } else { found.cell(0, "principal_arn") };
    let named = Thing::recognise(named);
    match named.kind {
        ThingKind::Root => root::answer(session, &named, as_of).await,
        ThingKind::Role => role::answer(session, &named, as_of).await,
        ThingKind::Session => session::by_arn(session, &named, as_of).await,
        _ => by_arn(session, &named, as_of).await,
    }
}

/// An id that only masked records carry.
async fn masked(
    session: &Asked<'_>,
    thing: &Thing,
    id: &str,
) -> Result<Option<WhoAnswer>, QueryError> {
    let query = "SELECT role, caller, method, count(*) AS times, min(event_time) AS first, max(event_time) AS last \
         FROM assumptions WHERE caller_principal_id = $id OR starts_with(caller_principal_id, concat($id, ':')) \
         GROUP BY role, caller, method ORDER BY times DESC, role, method";
    let found = session.first(SHOWN, query, &values([("id", ScalarValue::from(id))])).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let mut answer = WhoAnswer::new(thing);
    answer.headline = format!("a caller known by its unique id alone, {}", found.cell(0, "caller"));
    answer.fact("who", found.cell(0, "caller"));
    answer.note(words::resolved_by("none"));
    answer.note("the owner of that account can look the id up in IAM");
    answer.table("Roles taken", found);
    Ok(Some(answer))
}
