//! Long-term access keys.

use datafusion::scalar::ScalarValue;

use super::table::{Asked, Rows, SHOWN, values};
use super::thing::Thing;
use super::{WhoAnswer, words};
use crate::QueryError;

/// Who a long-term key belongs to, and what is done with it.
pub(super) async fn long_term(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    let bound = values([("key", ScalarValue::from(thing.text.as_str()))]);
    let query = "SELECT *, arrow_cast(last_used, 'Int64') AS last_used_micros \
                 FROM access_keys WHERE access_key_id = $key";
    let found = session.rows(query, &bound).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let cell = |column: &str| found.cell(0, column);
    let mut answer = WhoAnswer::new(thing);
    let owner = owner(&found);
    answer.headline = format!("a long-term access key of {owner}");
    answer.fact("who", format!("{owner} (verified: IAM authenticated the key)"));
    answer.fact("account", cell("account_id"));
    answer.fact("created", created(&found));
    answer.fact("status", status(session, &found, &bound).await?);
    answer.fact("used", used(&found, as_of));
    answer.list("from", found.list(0, "source_ips"), 5);
    answer.agents(found.list(0, "user_agents"));
    answer.list("regions", found.list(0, "regions"), 5);
    let actions = "SELECT replace(event_source, '.amazonaws.com', '') AS service, event_name AS action, \
         sum(event_count) AS records, \
         sum(CASE WHEN error_code IS NULL THEN 0 ELSE event_count END) AS failed, \
         count(DISTINCT event_date) AS days, max(last_time) AS last \
         FROM activity WHERE access_key_id = $key \
         GROUP BY 1, 2 ORDER BY records DESC, service, action";
    answer.table("What it does", session.first(SHOWN, actions, &bound).await?);
    let roles = "SELECT role, min(event_time) AS first, max(event_time) AS last, count(*) AS times \
         FROM assumptions WHERE caller_access_key_id = $key AND outcome = 'success' \
         GROUP BY role ORDER BY times DESC, role";
    let roles = session.first(SHOWN, roles, &bound).await?;
    if roles.all() > 0 {
        answer.fact("takes", words::counted(words::number(roles.all()), "role"));
    }
    answer.table("Roles it takes", roles);
    let sessions = "SELECT coalesce(role, principal_arn) AS acting_as, depth, count(*) AS sessions, \
         sum(event_count) AS records, max(last_used) AS last_used \
         FROM sessions WHERE origin_access_key_id = $key \
         GROUP BY 1, 2 ORDER BY depth, sessions DESC, acting_as";
    answer.table("Sessions that go back to it", session.first(SHOWN, sessions, &bound).await?);
    answer.note(
        "the logs show calls only where the trail records them: reads and writes of S3 objects, Lambda invocations \
         and the like are usually not among them, so a quiet key may be alive",
    );
    if cell("last_used").is_empty() {
        answer.note("no record is signed with the key: it is known from an IAM change alone");
    }
    let key = words::quoted(&thing.text);
    answer.next(
        &format!("rolecall report lineage --access-key {key}"),
        "every session that goes back to the key",
    );
    let user = cell("principal_arn");
    if !user.is_empty() {
        answer.next(
            &format!("rolecall who {}", words::quoted(user)),
            "the user's other keys and sessions",
        );
    }
    Ok(Some(answer))
}

fn owner(found: &Rows) -> String {
    match (found.cell(0, "principal_arn"), found.cell(0, "user_name")) {
        ("", "") => "an unknown user".to_owned(),
        ("", user) => format!("user {user} of account {}", found.cell(0, "account_id")),
        (arn, _) => arn.to_owned(),
    }
}

fn created(found: &Rows) -> String {
    match (found.cell(0, "created"), found.cell(0, "created_by")) {
        ("", _) => "before the logs begin, or not recorded".to_owned(),
        (time, "") => time.to_owned(),
        (time, by) => format!("{time} by {by}"),
    }
}

/// The status as the logs show it, since when and by whom.
async fn status(
    session: &Asked<'_>,
    found: &Rows,
    bound: &crate::Values,
) -> Result<String, QueryError> {
    let status = found.cell(0, "status");
    if status.is_empty() {
        return Ok(String::new());
    }
    let query = "SELECT coalesce(actor_arn, actor_principal_id) AS actor FROM iam_changes \
         WHERE target_type = 'access_key' AND target_id = $key AND outcome = 'success' \
         ORDER BY event_time DESC, event_id DESC LIMIT 1";
    let by = session.rows(query, bound).await?;
    let by = by.cell(0, "actor");
    let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
    Ok(format!("{status} since {}{by}", found.cell(0, "status_changed")))
}

fn used(found: &Rows, as_of: i64) -> String {
    if found.cell(0, "last_used").is_empty() {
        return "not seen in use".to_owned();
    }
    let span = words::span(found.cell(0, "first_used"), found.cell(0, "last_used"));
    let ago = words::ago(found.number(0, "last_used_micros"), as_of);
    let records = words::counted(found.number(0, "event_count"), "record");
    let days = words::counted(found.number(0, "days_used"), "day");
    format!("{span} ({ago}), {records} on {days}")
}
