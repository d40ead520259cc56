//! Users and roles that changes in IAM name.

use datafusion::scalar::ScalarValue;

use super::table::{Asked, Rows, SHOWN, values};
use super::thing::{Thing, ThingKind};
use super::{WhoAnswer, words};
use crate::{QueryError, Values};

/// The users and roles that changes name; `WHERE` follows.
const NAMED: &str = "SELECT \
     CASE WHEN target_type = 'role' THEN 'role' ELSE 'user' END AS kind, \
     coalesce(arn_account(target_arn), recipient_account_id) AS account, \
     coalesce(arn_name(target_arn), target_name) AS name, \
     CASE WHEN target_type IN ('user', 'role') THEN target_arn END AS arn, \
     CASE WHEN target_type IN ('user', 'role') THEN target_id END AS unique_id, \
     event_name, event_time, event_id, coalesce(actor_arn, actor_principal_id) AS actor \
     FROM iam_changes \
     WHERE outcome = 'success' AND target_type IN ('role', 'user', 'access_key', 'login_profile')";
const IS_CREATION: &str = "event_name IN ('CreateUser', 'CreateRole', 'CreateServiceLinkedRole')";
const IS_DELETION: &str = "event_name IN ('DeleteUser', 'DeleteRole', 'DeleteServiceLinkedRole')";

/// When a user or role was made and deleted, and by whom; what no record shows is left out. `kind` is `user` or `role`, `name` an ARN
/// or `account/name`. Another of the name, with another id than `id`, is another.
pub(super) async fn life(
    session: &Asked<'_>,
    kind: &str,
    name: &str,
    id: &str,
) -> Result<Vec<(&'static str, String)>, QueryError> {
    let query = format!(
        "SELECT event_time AS time, actor, {IS_CREATION} AS is_start, coalesce(unique_id, '') AS id FROM ({NAMED}) \
         WHERE kind = $kind AND role_is(account, name, $name) AND ({IS_CREATION} OR {IS_DELETION}) \
         GROUP BY event_time, event_name, event_id, actor, unique_id ORDER BY event_time, event_id"
    );
    let bound = values([("kind", ScalarValue::from(kind)), ("name", ScalarValue::from(name))]);
    let found = session.rows(&query, &bound).await?;
    let is_start = |row: usize| found.cell(row, "is_start") == "true";
    let said = |row: usize| at_by(found.cell(row, "time"), found.cell(row, "actor"));
    // The last time that this one was made; where records carry no id, the last time at all.
    let own = |row: &usize| is_start(*row) && !id.is_empty() && found.cell(*row, "id") == id;
    let other = |row: &usize| is_start(*row) && !id.is_empty() && found.cell(*row, "id") != id;
    let rows = 0..found.len();
    let start = rows.clone().rfind(own).or_else(|| {
        rows.clone()
            .rfind(|row| is_start(*row) && (id.is_empty() || found.cell(*row, "id").is_empty()))
    });
    let from = start.map_or(0, |start| start + 1);
    // An end that comes before the first of its ids is another's.
    let end = (from..found.len())
        .find(|row| !is_start(*row))
        .filter(|end| start.is_some() || !(0..*end).any(|row| other(&row)));
    let next = end.and_then(|end| (end..found.len()).find(|row| is_start(*row)));
    let mut life = Vec::new();
    life.extend(start.map(|row| ("created", said(row))));
    life.extend(end.map(|row| ("deleted", said(row))));
    life.extend(next.map(|row| ("made again", said(row))));
    Ok(life)
}

/// What changes say of a user or role that has left no other trace.
pub(super) async fn answer(
    session: &Asked<'_>,
    thing: &Thing,
) -> Result<Option<WhoAnswer>, QueryError> {
    let wanted = thing.text.as_str();
    let (condition, wanted) = match thing.kind {
        ThingKind::Role => ("kind = 'role' AND role_is(account, name, $wanted)", wanted),
        ThingKind::User => ("kind = 'user' AND role_is(account, name, $wanted)", wanted),
        ThingKind::Name => ("name = $wanted", wanted),
        // Only some of the changes carry the id.
        ThingKind::UniqueId => {
            ("bool_or(unique_id = $wanted)", wanted.split(':').next().unwrap_or_default())
        }
        _ => return Ok(None),
    };
    let query = format!(
        "SELECT kind, account, name, max(arn) AS arn, max(unique_id) AS id, \
         max(event_time) AS last, max(event_time) FILTER (WHERE {IS_CREATION}) AS created, \
         last_value(actor ORDER BY event_time, event_id) FILTER (WHERE {IS_CREATION}) AS created_by, \
         max(event_time) FILTER (WHERE {IS_DELETION}) AS deleted, \
         last_value(actor ORDER BY event_time, event_id) FILTER (WHERE {IS_DELETION}) AS deleted_by \
         FROM ({NAMED}) WHERE name IS NOT NULL \
         GROUP BY kind, account, name HAVING {condition} ORDER BY last DESC, kind, account, name"
    );
    let found = session.first(1, &query, &values([("wanted", ScalarValue::from(wanted))])).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let mut answer = WhoAnswer::new(thing);
    describe(session, &mut answer, &found).await?;
    if found.all() > 1 {
        answer.note(format!("{} users or roles fit; this is the one changed last", found.all()));
    }
    Ok(Some(answer))
}

async fn describe(
    session: &Asked<'_>,
    answer: &mut WhoAnswer,
    found: &Rows,
) -> Result<(), QueryError> {
    let cell = |column: &str| found.cell(0, column);
    let is_role = cell("kind") == "role";
    let created = at_by(cell("created"), cell("created_by"));
    let (what, silent) = if is_role {
        let what = format!("role {} of account {}", cell("name"), cell("account"));
        (what, "nobody has taken or used it")
    } else {
        let what = format!("{}, an IAM user of account {}", cell("name"), cell("account"));
        (what, "no record is signed by it")
    };
    answer.headline = match created.as_str() {
        "" => format!("{what}, known from changes in IAM alone: {silent}"),
        created => format!("{what}, created {created}: {silent}"),
    };
    answer.fact(if is_role { "role" } else { "who" }, cell("arn"));
    answer.fact("unique id", cell("id"));
    answer.fact("created", created);
    answer.fact("deleted", at_by(cell("deleted"), cell("deleted_by")));
    let named = named(found);
    if !is_role {
        let keys = "SELECT access_key_id AS key, status, created, last_used FROM access_keys \
             WHERE account_id = $account AND user_name = $name ORDER BY created, key";
        let keys = session.first(SHOWN, keys, &without_kind(&named)).await?;
        answer.table("Long-term keys", keys);
    }
    let changes = format!(
        "SELECT event_time AS time, event_name AS change, actor AS by FROM ({NAMED}) \
         WHERE kind = $kind AND account = $account AND name = $name \
         GROUP BY event_time, event_name, actor, event_id \
         ORDER BY event_time DESC, event_id"
    );
    answer.table("Changes, latest first", session.first(SHOWN, &changes, &named).await?);
    answer.note("quiet is not unused: calls that the trail does not record leave no trace");
    let by = if cell("created_by").is_empty() { cell("deleted_by") } else { cell("created_by") };
    if !by.is_empty() {
        answer.next(&format!("rolecall who {}", words::quoted(by)), "who made it");
    }
    Ok(())
}

fn named(found: &Rows) -> Values {
    let value = |column: &str| ScalarValue::from(found.cell(0, column));
    values([("kind", value("kind")), ("account", value("account")), ("name", value("name"))])
}

fn without_kind(named: &Values) -> Values {
    let mut named = named.clone();
    named.remove("kind");
    named
}

fn at_by(time: &str, by: &str) -> String {
    if by.is_empty() { time.to_owned() } else { format!("{time} by {by}") }
}
