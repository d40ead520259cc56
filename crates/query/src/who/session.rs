//! Sessions: by access key, by ARN, by name.

use datafusion::scalar::ScalarValue;

use super::table::{Asked, Rows, SHOWN, values};
use super::thing::Thing;
use super::{ChainStep, WhoAnswer, forwarded, words};
use crate::QueryError;

const COLUMNS: &str = "session_id, issued_event_id, issued_time, expires, \
    arrow_cast(expires, 'Int64') AS expires_micros, issued_by, method, access_key_id, used_access_key_ids, \
    role, role_account_id, session_name, session_arn, principal_arn, caller, caller_resolved_by, \
    source_identity, parent_session_id, parent_link, depth, origin, origin_kind, origin_access_key_id, \
    link_method, unlinked_reason, uses_of_several, forwarded_count, first_used, last_used, arrow_cast(last_used, 'Int64') AS last_used_micros, \
    event_count, error_count, source_ips, user_agents, sample_event_id, \
    session_kind, sign_in_session_arn, oauth_client_id, oauth_resource, \
    arrow_cast(first_used, 'Int64') AS first_used_micros";
/// Of two that were issued at once, as EC2's are, the one that was used.
const LATEST_FIRST: &str =
    "ORDER BY coalesce(issued_time, first_used) DESC, event_count = 0, session_id";

/// The session that a temporary key belongs to.
pub(super) async fn by_key(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    let own = "access_key_id = $thing OR array_has(used_access_key_ids, $thing)";
    if let Some(answer) = find(session, thing, own, as_of).await? {
        return Ok(Some(answer));
    }
    forwarded::answer(session, thing, as_of).await
}

/// The sessions of an assumed role's or federated user's ARN.
pub(super) async fn by_arn(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    find(session, thing, "session_arn = $thing OR principal_arn = $thing", as_of).await
}

/// The sessions of a name.
pub(super) async fn by_name(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    find(
        session,
        thing,
        "session_name = $name OR session_id = $thing OR sign_in_session_arn = $thing",
        as_of,
    )
    .await
}

async fn find(
    session: &Asked<'_>,
    thing: &Thing,
    condition: &str,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    let query = format!("SELECT {COLUMNS} FROM sessions WHERE {condition} {LATEST_FIRST}");
    // An instance and a function are the session names of what runs there.
    let workload = [":instance/", ":function:"].iter().find_map(|kind| thing.text.split_once(kind));
    let name = workload.map_or(thing.text.as_str(), |(_, name)| name);
    let bound = values([
        ("thing", ScalarValue::from(thing.text.as_str())),
        ("name", ScalarValue::from(name)),
    ]);
    let found = session.first(1, &query, &bound).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let mut answer = WhoAnswer::new(thing);
    describe(session, &mut answer, &found, as_of).await?;
    if found.all() > 1 {
        answer.note(format!("{} sessions fit; this is the latest of them", found.all()));
        let recent = "SELECT issued_time, session_id, origin, last_used, event_count FROM sessions";
        let query = format!("{recent} WHERE {condition} {LATEST_FIRST}");
        answer.table("Sessions, latest first", session.first(SHOWN, &query, &bound).await?);
    }
    Ok(Some(answer))
}

/// Fills in the answer for the first of `found`.
pub(super) async fn describe(
    session: &Asked<'_>,
    answer: &mut WhoAnswer,
    found: &Rows,
    as_of: i64,
) -> Result<(), QueryError> {
    let cell = |column: &str| found.cell(0, column);
    answer.headline = headline(found);
    answer.fact("who", who(found));
    answer.fact("acting as", principal(found));
    answer.fact("session name", cell("session_name"));
    answer.fact("source identity", cell("source_identity"));
    answer.fact("way in", words::session_kind(cell("session_kind")));
    answer.fact("program let in", cell("oauth_client_id"));
    answer.fact("let in to", cell("oauth_resource"));
    answer.fact("sign-in session", cell("sign_in_session_arn"));
    answer.fact("issued", issued(found));
    answer.fact("valid until", valid_until(found, as_of));
    answer.fact("key", keys(found));
    answer.fact("used", used(found, as_of));
    if found.number(0, "forwarded_count") > 0 {
        let records = words::counted(found.number(0, "forwarded_count"), "record");
        answer.fact(
            "forwarded",
            format!("{records} of services that acted on for it, with keys of their own"),
        );
    }
    answer.list("from", found.list(0, "source_ips"), 5);
    answer.agents(found.list(0, "user_agents"));
    answer.chain = chain(session, found).await?;
    answer.table("What it did", actions(session, found).await?);
    answer.table("What it took from there", children(session, cell("session_id")).await?);
    notes(answer, found);
    let id = words::quoted(cell("session_id"));
    answer.next(&format!("rolecall report lineage --session {id}"), "the whole chain, as data");
    let role = cell("role");
    if !role.is_empty() {
        let role = words::quoted(role);
        answer.next(&format!("rolecall who {role}"), "who else takes this role");
    }
    let origin = cell("origin");
    if origin.starts_with("arn:") && origin != role {
        let origin = words::quoted(origin);
        answer.next(&format!("rolecall who {origin}"), "what else its origin does");
    }
    Ok(())
}

fn headline(found: &Rows) -> String {
    let cell = |column: &str| found.cell(0, column);
    let what = match (cell("role"), cell("principal_arn")) {
        ("", principal) => format!("a session of {principal}"),
        (role, _) => format!("a session of {role}"),
    };
    let let_in_to = match (cell("session_kind"), cell("oauth_resource")) {
        ("agent", "") => cell("oauth_client_id"),
        ("agent", resource) => resource,
        ("cli_login", _) => "aws login",
        _ => "",
    };
    match (cell("origin"), found.number(0, "depth")) {
        (origin, _) if !origin.is_empty() && !let_in_to.is_empty() => {
            format!("{origin}, through a program that was let in: {let_in_to}")
        }
        ("", _) if found.cell(0, "unlinked_reason") == "made_by_aws" => {
            format!("{what}, which AWS makes by itself")
        }
        ("", _) => format!("{what}; who took it is not in the lake"),
        (origin, 0) => format!("{origin}, in {what}"),
        (origin, depth) => {
            format!("{origin}, in {what}, through {}", words::counted(depth, "other session"))
        }
    }
}

fn who(found: &Rows) -> String {
    let kind = found.cell(0, "origin_kind");
    match (found.cell(0, "origin"), found.cell(0, "origin_access_key_id")) {
        ("", _) => String::new(),
        (origin, "") => format!("{origin} ({})", words::origin(kind)),
        (origin, key) => format!("{origin} with key {key} ({})", words::origin(kind)),
    }
}

fn principal(found: &Rows) -> String {
    let role = found.cell(0, "role");
    if role.is_empty() { found.cell(0, "principal_arn").to_owned() } else { role.to_owned() }
}

fn issued(found: &Rows) -> String {
    match (found.cell(0, "issued_time"), found.cell(0, "issued_by")) {
        ("", _) => String::new(),
        (time, "") => format!("{time}, as its records say"),
        (time, by) => format!("{time} by {by}, event {}", found.cell(0, "issued_event_id")),
    }
}

fn valid_until(found: &Rows, as_of: i64) -> String {
    let expires = found.cell(0, "expires");
    if expires.is_empty() {
        return String::new();
    }
    let live = found.number(0, "expires_micros") > as_of;
    format!("{expires}{}", if live { ", still valid" } else { ", expired" })
}

fn keys(found: &Rows) -> String {
    let (issued, used) = (found.cell(0, "access_key_id"), found.list(0, "used_access_key_ids"));
    let others: Vec<_> = used.iter().filter(|key| *key != issued).cloned().collect();
    match (issued, others.as_slice()) {
        (issued, []) => issued.to_owned(),
        ("", others) => format!("used: {}", words::few(others, 3)),
        (issued, others) => format!("issued: {issued}; used: {}", words::few(others, 3)),
    }
}

fn used(found: &Rows, as_of: i64) -> String {
    let count = found.number(0, "event_count");
    if count == 0 {
        return match found.number(0, "forwarded_count") {
            0 => "not seen in use".to_owned(),
            _ => "only by services that acted on for it".to_owned(),
        };
    }
    let span = words::span(found.cell(0, "first_used"), found.cell(0, "last_used"));
    let ago = words::ago(found.number(0, "last_used_micros"), as_of);
    let errors = found.number(0, "error_count");
    let failed = if errors > 0 { format!(", {errors} failed") } else { String::new() };
    format!("{span} ({ago}), {}{failed}", words::counted(count, "record"))
}

fn notes(answer: &mut WhoAnswer, found: &Rows) {
    let cell = |column: &str| found.cell(0, column);
    if !cell("issued_event_id").is_empty() {
        answer.note(format!("caller: {}", words::resolved_by(cell("caller_resolved_by"))));
        answer.note(words::link_method(cell("link_method")));
    }
    if found.number(0, "uses_of_several") > 0 {
        answer.note(format!(
            "{} without a key of this session may be of another that the same caller took at that moment under the same name: \
             which of them cannot be told",
            words::counted(found.number(0, "uses_of_several"), "record")
        ));
    }
    if let Some(reason) = words::unlinked(cell("unlinked_reason")) {
        answer.note(reason);
    }
    if !cell("session_name").is_empty() {
        let asserted = words::session_name(cell("role"), cell("origin_kind"));
        answer.notes.extend(asserted.map(str::to_owned));
    }
}

/// From the origin down, one look-up a step: chains are short, and the view is computed by now.
async fn chain(session: &Asked<'_>, found: &Rows) -> Result<Vec<ChainStep>, QueryError> {
    let mut steps = Vec::new();
    let mut current = found.clone();
    loop {
        let cell = |column: &str| current.cell(0, column).to_owned();
        let by = match (cell("method").as_str(), cell("issued_by").as_str()) {
            (_, "") => "issue not in the lake".to_owned(),
            ("", by) => by.to_owned(),
            (method, by) => format!("{by} ({})", method.replace('_', " ")),
        };
        let how = match cell("parent_link").as_str() {
            "none" => by,
            link => format!("{by}, {}", words::parent_link(link)),
        };
        steps.push(ChainStep {
            principal: principal(&current),
            session_name: cell("session_name"),
            how,
            time: cell("issued_time"),
            session_id: cell("session_id"),
        });
        let parent = cell("parent_session_id");
        let seen = steps.iter().any(|step| step.session_id == parent);
        if parent.is_empty() || seen {
            let origin = cell("origin");
            if !origin.is_empty() {
                steps.push(ChainStep {
                    principal: origin,
                    session_name: String::new(),
                    how: String::new(),
                    time: String::new(),
                    session_id: String::new(),
                });
            }
            break;
        }
        let query = format!("SELECT {COLUMNS} FROM sessions WHERE session_id = $parent");
        current = session.rows(&query, &values([("parent", ScalarValue::from(parent))])).await?;
        if current.is_empty() {
            break;
        }
    }
    steps.reverse();
    Ok(steps)
}

/// What the first session of `found` signed, by the one definition of that.
async fn actions(session: &Asked<'_>, found: &Rows) -> Result<Rows, QueryError> {
    let query = "SELECT replace(event_source, '.amazonaws.com', '') AS service, event_name AS action, \
         sum(event_count) AS records, \
         sum(CASE WHEN error_code IS NULL THEN 0 ELSE event_count END) AS failed, \
         max(last_time) AS last \
         FROM session_activity WHERE session_id = $id AND link <> 'forwarded' \
             AND event_date >= arrow_cast($first, 'Date32') AND event_date <= arrow_cast($last, 'Date32') \
         GROUP BY 1, 2 ORDER BY records DESC, service, action";
    let time = |micros| ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()));
    let bound = values([
        ("id", ScalarValue::from(found.cell(0, "session_id"))),
        ("first", time(found.number(0, "first_used_micros"))),
        ("last", time(found.number(0, "last_used_micros"))),
    ]);
    session.first(SHOWN, query, &bound).await
}

async fn children(session: &Asked<'_>, id: &str) -> Result<Rows, QueryError> {
    let query = "SELECT issued_time AS time, coalesce(role, principal_arn) AS took, session_name, event_count AS records \
         FROM sessions WHERE parent_session_id = $id ORDER BY issued_time, session_id";
    session.first(SHOWN, query, &values([("id", ScalarValue::from(id))])).await
}
