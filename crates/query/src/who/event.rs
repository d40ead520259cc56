//! Single events.

use datafusion::scalar::ScalarValue;

use super::table::{Asked, Rows, values};
use super::thing::Thing;
use super::{WhoAnswer, words};
use crate::QueryError;

/// What an event was, by whom.
pub(super) async fn answer(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    if let Some(answer) = assumption(session, thing, as_of).await? {
        return Ok(Some(answer));
    }
    if let Some(answer) = credential_event(session, thing).await? {
        return Ok(Some(answer));
    }
    if let Some(answer) = iam_change(session, thing).await? {
        return Ok(Some(answer));
    }
    sample(session, thing).await
}

fn id(thing: &Thing) -> crate::Values {
    values([("id", ScalarValue::from(thing.text.as_str()))])
}

async fn assumption(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    let query = "SELECT * FROM assumptions WHERE array_has(event_ids, $id) LIMIT 1";
    let found = session.rows(query, &id(thing)).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let cell = |column: &str| found.cell(0, column);
    let mut answer = WhoAnswer::new(thing);
    let role = if cell("role").is_empty() { cell("target_principal") } else { cell("role") };
    let verb = if cell("outcome") == "success" { "took" } else { "failed to take" };
    answer.headline = format!("{} {verb} {role} at {}", cell("caller"), cell("event_time"));
    // A session that came of it knows its whole chain.
    let issued = "SELECT session_id FROM sessions WHERE array_has(issued_event_ids, $id)";
    let issued = session.rows(issued, &id(thing)).await?;
    answer.fact("who", cell("caller"));
    answer.fact("what", format!("{} ({})", cell("event_name"), cell("method").replace('_', " ")));
    answer.fact("role", role);
    answer.fact("when", cell("event_time"));
    answer.fact(
        "from",
        if cell("source_ip").is_empty() { cell("source_service") } else { cell("source_ip") },
    );
    answer.agent(cell("user_agent"));
    answer.fact("region", cell("aws_region"));
    answer.fact("session name", cell("session_name"));
    answer.fact("outcome", outcome(&found));
    answer.fact("records", records(&found));
    answer.note(format!("caller: {}", words::resolved_by(cell("caller_resolved_by"))));
    if !issued.is_empty() {
        let issued = issued.cell(0, "session_id").to_owned();
        let key = Thing { text: issued, kind: thing.kind };
        if let Some(of_session) = super::session::by_name(session, &key, as_of).await? {
            answer.chain = of_session.chain;
            answer.tables = of_session.tables;
            let used = of_session.facts.into_iter().filter(|fact| fact.label == "used");
            answer.facts.extend(used);
            for note in of_session.notes {
                answer.note(note);
            }
            answer.next = of_session.next;
        }
    }
    if answer.next.is_empty() && !role.is_empty() {
        answer.next(&format!("rolecall who {}", words::quoted(role)), "who else takes this role");
    }
    Ok(Some(answer))
}

fn outcome(found: &Rows) -> String {
    let cell = |column: &str| found.cell(0, column);
    match (cell("error_code"), cell("error_message")) {
        ("", "") => cell("outcome").to_owned(),
        (code, "") => format!("{}: {code}", cell("outcome")),
        (code, message) => format!("{}: {code}: {message}", cell("outcome")),
    }
}

fn records(found: &Rows) -> String {
    let ids = found.cell(0, "event_ids");
    if found.number(0, "copies") > 1 {
        format!("one act in several records: {ids}")
    } else {
        String::new()
    }
}

async fn credential_event(
    session: &Asked<'_>,
    thing: &Thing,
) -> Result<Option<WhoAnswer>, QueryError> {
    let query = "SELECT event_time, event_name, event_source, \
         coalesce(caller_arn, caller_invoked_by, caller_principal_id, caller_user_name) AS caller, \
         coalesce(source_ip, source_service) AS source, user_agent, outcome, error_code, error_message, \
         issued_access_key_id, coalesce(role_arn, role_name, permission_set) AS role, log_file, \
         sign_in_session_arn, oauth_client_id, oauth_resource, web_identity_token_id, federated_audience, \
         source_principal_arn, credential_id \
         FROM credential_events WHERE event_id = $id ORDER BY log_file, record_index LIMIT 1";
    let found = session.rows(query, &id(thing)).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let cell = |column: &str| found.cell(0, column);
    let mut answer = WhoAnswer::new(thing);
    let caller = if cell("caller").is_empty() { "somebody" } else { cell("caller") };
    answer.headline = format!("{} by {caller} at {}", cell("event_name"), cell("event_time"));
    for (label, column) in [
        ("who", "caller"),
        ("what", "event_name"),
        ("when", "event_time"),
        ("from", "source"),
        ("role", "role"),
        ("key issued", "issued_access_key_id"),
        ("program let in", "oauth_client_id"),
        ("let in to", "oauth_resource"),
        ("sign-in session", "sign_in_session_arn"),
        ("token", "web_identity_token_id"),
        ("token for", "federated_audience"),
        ("asked for by", "source_principal_arn"),
        ("Identity Center sign-in", "credential_id"),
        ("log file", "log_file"),
    ] {
        answer.fact(label, cell(column));
    }
    answer.agent(cell("user_agent"));
    answer.fact("outcome", outcome(&found));
    let made = [
        ("issued_access_key_id", "what was done with the key"),
        ("sign_in_session_arn", "what was done in the sign-in session"),
    ];
    for (column, shows) in made.into_iter().filter(|(column, _)| !cell(column).is_empty()) {
        answer.next(&format!("rolecall who {}", words::quoted(cell(column))), shows);
    }
    Ok(Some(answer))
}

async fn iam_change(session: &Asked<'_>, thing: &Thing) -> Result<Option<WhoAnswer>, QueryError> {
    let query = "SELECT event_time, event_name, coalesce(actor_arn, actor_principal_id) AS actor, actor_access_key_id, \
         coalesce(source_ip, source_service) AS source, user_agent, outcome, error_code, '' AS error_message, \
         target_type, coalesce(target_arn, target_name, target_id) AS target, status, log_file \
         FROM iam_changes WHERE event_id = $id ORDER BY log_file, record_index LIMIT 1";
    let found = session.rows(query, &id(thing)).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let cell = |column: &str| found.cell(0, column);
    let mut answer = WhoAnswer::new(thing);
    answer.headline =
        format!("{} by {} at {}", cell("event_name"), cell("actor"), cell("event_time"));
    for (label, column) in [
        ("who", "actor"),
        ("with key", "actor_access_key_id"),
        ("what", "event_name"),
        ("kind", "target_type"),
        ("target", "target"),
        ("status set", "status"),
        ("when", "event_time"),
        ("from", "source"),
        ("log file", "log_file"),
    ] {
        answer.fact(label, cell(column));
    }
    answer.agent(cell("user_agent"));
    answer.fact("outcome", outcome(&found));
    let by = if cell("actor_access_key_id").is_empty() {
        cell("actor")
    } else {
        cell("actor_access_key_id")
    };
    if !by.is_empty() {
        answer.next(
            &format!("rolecall who {}", words::quoted(by)),
            "who that was, and what else it did",
        );
    }
    Ok(Some(answer))
}

/// Other records are aggregated: one event id of each group is kept.
async fn sample(session: &Asked<'_>, thing: &Thing) -> Result<Option<WhoAnswer>, QueryError> {
    let query = "SELECT first_time, last_time, event_name, event_source, \
         coalesce(principal_arn, invoked_by, principal_id) AS principal, access_key_id, \
         coalesce(source_ip, source_service) AS source, user_agent, event_count, error_code, log_file \
         FROM activity WHERE sample_event_id = $id ORDER BY log_file LIMIT 1";
    let found = session.rows(query, &id(thing)).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let cell = |column: &str| found.cell(0, column);
    let mut answer = WhoAnswer::new(thing);
    let principal = if cell("principal").is_empty() { "somebody" } else { cell("principal") };
    answer.headline = format!("{} by {principal} at {}", cell("event_name"), cell("first_time"));
    for (label, column) in [
        ("who", "principal"),
        ("with key", "access_key_id"),
        ("what", "event_name"),
        ("service", "event_source"),
        ("from", "source"),
        ("error", "error_code"),
        ("log file", "log_file"),
    ] {
        answer.fact(label, cell(column));
    }
    answer.agent(cell("user_agent"));
    let count = found.number(0, "event_count");
    if count > 1 {
        let span = words::span(cell("first_time"), cell("last_time"));
        answer.fact("like it", format!("{count} records, {span}"));
        answer.note(
            "the log file holds more records like this one, and only the first is kept by its id",
        );
    }
    let by =
        if cell("access_key_id").is_empty() { cell("principal") } else { cell("access_key_id") };
    if !by.is_empty() {
        answer.next(
            &format!("rolecall who {}", words::quoted(by)),
            "who that was, and what else it did",
        );
    }
    Ok(Some(answer))
}
