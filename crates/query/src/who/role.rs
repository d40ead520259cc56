//! Roles.

use std::collections::BTreeSet;

use datafusion::scalar::ScalarValue;

use super::table::{Asked, Rows, SHOWN, values};
use super::thing::Thing;
use super::{WhoAnswer, change, words};
use crate::QueryError;

/// Who takes a role, and what is done in it.
pub(super) async fn answer(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    let bound = values([("role", ScalarValue::from(thing.text.as_str()))]);
    let query = "SELECT *, arrow_cast(last_used, 'Int64') AS last_used_micros, \
         arrow_cast(last_assumed, 'Int64') AS last_assumed_micros \
         FROM roles WHERE role_is(role_account_id, role_name, $role) \
         ORDER BY greatest(last_used, last_assumed) DESC NULLS LAST, role, role_id";
    let found = session.first(1, query, &bound).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let cell = |column: &str| found.cell(0, column);
    let mut answer = WhoAnswer::new(thing);
    let (times, distinct, callers) = callers(session, &found).await?;
    answer.headline = format!(
        "role {} of account {}: taken {}",
        cell("role_name"),
        cell("role_account_id"),
        times_by(times, distinct),
    );
    answer.fact("role", cell("role"));
    answer.fact("unique id", cell("role_id"));
    for (label, text) in change::life(session, "role", cell("role"), cell("role_id")).await? {
        answer.fact(label, text);
    }
    answer.fact("current", current(&found));
    answer.fact("kind", kind(&found));
    answer.fact("last taken", last_taken(&found, as_of));
    answer.fact("how", cell("methods").replace('_', " "));
    answer.fact("used", used(&found, as_of));
    answer.fact("services", services(&found));
    if found.number(0, "denied") > 0 {
        answer.fact("denied", words::counted(found.number(0, "denied"), "attempt"));
    }
    answer.table("Who takes it", callers);
    answer.table("Who stands at the root of its sessions", origins(session, &found).await?);
    answer.table("What is done in it", actions(session, &found).await?);
    if found.all() > 1 {
        others(session, &mut answer, &bound).await?;
    }
    answer.note(
        "calls from other accounts that were denied are not recorded here, and who may take the role but never did \
         is not in the logs",
    );
    let role = words::quoted(cell("role"));
    answer.next(
        &format!("rolecall report edges --role {role}"),
        "who takes it, since when, how often",
    );
    answer.next(&format!("rolecall report lineage --role {role}"), "every session and its origin");
    Ok(Some(answer))
}

/// Other roles that fit what was asked: of other accounts, or earlier and later ones of the name. They come first, to choose from.
async fn others(
    session: &Asked<'_>,
    answer: &mut WhoAnswer,
    bound: &crate::Values,
) -> Result<(), QueryError> {
    let query = "SELECT role, role_id, current, last_assumed, last_used, role_account_id FROM roles \
         WHERE role_is(role_account_id, role_name, $role) \
         ORDER BY greatest(last_used, last_assumed) DESC NULLS LAST, role, role_id";
    let others = session.first(SHOWN, query, bound).await?;
    let accounts: BTreeSet<_> = others.column("role_account_id").collect();
    answer.note(match accounts.len() {
        1 => format!(
            "{} roles had this name, one after the other; this is the one used last",
            others.all()
        ),
        _ => format!(
            "{} roles fit, in {} accounts; this is the one used last",
            others.all(),
            accounts.len()
        ),
    });
    let shown = answer.headline.clone();
    for role in others.column("role").collect::<BTreeSet<_>>() {
        if accounts.len() > 1 && !answer.facts.iter().any(|fact| fact.text == role) {
            answer.next(
                &format!("rolecall who {}", words::quoted(role)),
                "another role of this name",
            );
        }
    }
    answer.headline = match accounts.len() {
        1 => shown,
        count => format!("{count} accounts have a role of this name; used last: {shown}"),
    };
    answer.table("Roles of this name", others.without("role_account_id"));
    // To choose from, before what is said of one.
    answer.tables.rotate_right(1);
    Ok(())
}

/// Whether it is the role that has the name now.
fn current(found: &Rows) -> String {
    match (found.cell(0, "current"), found.cell(0, "deleted_at")) {
        (_, deleted) if !deleted.is_empty() => {
            format!("no: deleted at {deleted}, and none was made since")
        }
        ("true", _) => "yes: it has the name now".to_owned(),
        ("false", _) => "no: another role has the name now".to_owned(),
        _ => String::new(),
    }
}

fn times_by(times: i64, callers: i64) -> String {
    if times == 0 {
        return "by nobody, as far as the logs show".to_owned();
    }
    format!("{} by {}", words::counted(times, "time"), words::counted(callers, "caller"))
}

fn kind(found: &Rows) -> &'static str {
    if found.cell(0, "role_name").starts_with(words::OF_AWS) {
        return "AWS's own: its sessions are made without a call that is logged, and IAM has no role of the name";
    }
    match (found.cell(0, "service_linked"), found.cell(0, "identity_center")) {
        ("true", _) => "service-linked: AWS alone takes it",
        (_, "true") => "made by an Identity Center permission set",
        _ => "",
    }
}

fn last_taken(found: &Rows, as_of: i64) -> String {
    match found.cell(0, "last_assumed") {
        "" => String::new(),
        time => {
            let ago = words::ago(found.number(0, "last_assumed_micros"), as_of);
            format!("{time} ({ago}) by {}", found.cell(0, "last_assumed_by"))
        }
    }
}

fn services(found: &Rows) -> String {
    let services = found.list(0, "services").iter();
    let short: Vec<_> = services.map(|name| name.replace(".amazonaws.com", "")).collect();
    words::few(&short, 8)
}

fn used(found: &Rows, as_of: i64) -> String {
    if found.cell(0, "last_used").is_empty() {
        return "no session of it was seen in use".to_owned();
    }
    let span = words::span(found.cell(0, "first_used"), found.cell(0, "last_used"));
    let ago = words::ago(found.number(0, "last_used_micros"), as_of);
    format!("{span} ({ago}), {}", words::counted(found.number(0, "event_count"), "record"))
}

fn this_role(found: &Rows) -> crate::Values {
    values([
        ("account", ScalarValue::from(found.cell(0, "role_account_id"))),
        ("name", ScalarValue::from(found.cell(0, "role_name"))),
        ("id", ScalarValue::from(found.cell(0, "role_id"))),
    ])
}

/// Of an earlier or later role of that name only where the record does not say which it was.
const IS_THIS_ROLE: &str = "role_account_id = $account AND role_name = $name \
     AND ($id = '' OR coalesce(split_part(role_id, ':', 1), $id) = $id)";

/// How often it was taken, by how many, and by whom.
async fn callers(session: &Asked<'_>, found: &Rows) -> Result<(i64, i64, Rows), QueryError> {
    let taken = format!("FROM assumptions WHERE {IS_THIS_ROLE} AND outcome = 'success'");
    let query = format!(
        "SELECT caller, array_to_string(array_sort(array_agg(DISTINCT method)), ', ') AS how, count(*) AS times, \
         min(event_time) AS first, max(event_time) AS last, count(DISTINCT source_ip) AS addresses, \
         CASE WHEN bool_or(caller_resolved_by = 'none') THEN 'masked' END AS known_by_id_only \
         {taken} GROUP BY caller ORDER BY times DESC, caller"
    );
    let callers = session.first(SHOWN, &query, &this_role(found)).await?;
    let query = format!("SELECT count(*) AS times {taken}");
    let times = session.rows(&query, &this_role(found)).await?.number(0, "times");
    Ok((times, words::number(callers.all()), callers))
}

async fn origins(session: &Asked<'_>, found: &Rows) -> Result<Rows, QueryError> {
    let query = format!(
        "SELECT origin, origin_kind AS kind, max(depth) AS depth, count(*) AS sessions, max(last_used) AS last_used \
         FROM sessions WHERE {IS_THIS_ROLE} AND origin IS NOT NULL AND depth > 0 \
         GROUP BY origin, origin_kind ORDER BY sessions DESC, origin"
    );
    session.first(SHOWN, &query, &this_role(found)).await
}

async fn actions(session: &Asked<'_>, found: &Rows) -> Result<Rows, QueryError> {
    let query = "SELECT replace(event_source, '.amazonaws.com', '') AS service, event_name AS action, \
         sum(event_count) AS records, \
         sum(CASE WHEN error_code IS NULL THEN 0 ELSE event_count END) AS failed, max(last_time) AS last \
         FROM activity WHERE role_arn = $role AND ($id = '' OR coalesce(split_part(role_id, ':', 1), $id) = $id) \
         GROUP BY 1, 2 ORDER BY records DESC, service, action";
    let value = |column: &str| ScalarValue::from(found.cell(0, column));
    session.first(SHOWN, query, &values([("role", value("role")), ("id", value("role_id"))])).await
}
