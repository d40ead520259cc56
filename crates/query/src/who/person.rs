//! People of Identity Center, by user id, sign-in name or e-mail address.
//!
//! Records name a person by the id in the identity store alone (`onBehalfOf.userId`); a name is known where an inventory holds
//! the store. The roles that Identity Center makes are taken under the person's sign-in name, which a trust policy does not check.

use datafusion::scalar::ScalarValue;

use super::table::{Asked, Rows, SHOWN, values};
use super::thing::{Thing, ThingKind};
use super::{WhoAnswer, words};
use crate::QueryError;

/// What a caller of Identity Center's is called in `assumptions`.
const CALLER: &str = "identity-center/";

/// What is known of a person.
pub(super) async fn answer(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    if !matches!(thing.kind, ThingKind::Name | ThingKind::Event) {
        return Ok(None);
    }
    let wanted = thing.text.strip_prefix(CALLER).unwrap_or(&thing.text);
    let bound = values([("wanted", ScalarValue::from(wanted))]);
    let held = "SELECT user_id, user_name, display_name, email, active, snapshot_time FROM identity_store_users \
         WHERE user_id = $wanted OR lower(user_name) = lower($wanted) OR lower(email) = lower($wanted) \
         ORDER BY snapshot_time DESC, user_id";
    let held = session.first(1, held, &bound).await?;
    let id = if held.is_empty() { wanted } else { held.cell(0, "user_id") }.to_owned();
    let person = values([
        ("id", ScalarValue::from(id.as_str())),
        ("name", ScalarValue::from(held.cell(0, "user_name"))),
        ("email", ScalarValue::from(held.cell(0, "email"))),
    ]);
    let asked = "SELECT role_account_id AS account, permission_set, event_name AS by, count(*) AS times, \
         min(event_time) AS first, max(event_time) AS last, arrow_cast(max(event_time), 'Int64') AS last_micros \
         FROM (SELECT DISTINCT event_id, event_time, event_name, role_account_id, permission_set FROM credential_events \
             WHERE caller_on_behalf_of = $id AND outcome = 'success' \
                 AND event_name NOT IN ('CreateToken', 'CreateTokenWithIAM')) AS acts \
         GROUP BY 1, 2, 3 ORDER BY last DESC, account, permission_set, by";
    let asked = session.first(SHOWN, asked, &person).await?;
    let programs = programs(session, &person).await?;
    if held.is_empty() && asked.is_empty() && programs.is_empty() {
        return Ok(None);
    }
    let mut answer = WhoAnswer::new(thing);
    let sessions = sessions(session, &person).await?;
    answer.headline = headline(&held, &id, &sessions);
    answer.fact("user id", id.as_str());
    answer.fact("signs in as", held.cell(0, "user_name"));
    answer.fact("e-mail", held.cell(0, "email"));
    answer.fact("in the directory", directory(&held));
    if !asked.is_empty() {
        let ago = words::ago(asked.number(0, "last_micros"), as_of);
        answer.fact("last asked for a role", format!("{} ({ago})", asked.cell(0, "last")));
    }
    answer.table("Permission sets asked for", asked.without("last_micros"));
    answer.table("Roles used, by session name", sessions);
    answer.table("Programs that act for them", programs);
    if held.is_empty() {
        answer.note("no inventory of the identity store is held, so that the person's name is not known: `rolecall inventory`");
    }
    answer.note("sessions are found by the name that Identity Center gives them, which is the person's sign-in name");
    let who =
        if held.cell(0, "user_name").is_empty() { id.as_str() } else { held.cell(0, "user_name") };
    answer.next(
        &format!("rolecall report session-activity --who {}", words::quoted(who)),
        "what was done in the person's sessions",
    );
    Ok(Some(answer))
}

/// The person's sessions in roles of Identity Center.
async fn sessions(session: &Asked<'_>, person: &crate::Values) -> Result<Rows, QueryError> {
    let query = format!(
        "SELECT coalesce(role, principal_arn) AS role, count(*) AS sessions, sum(event_count) AS records, \
         min(issued_time) AS first, max(coalesce(last_used, issued_time)) AS last FROM sessions \
         WHERE origin = concat('{CALLER}', $id) \
             OR (role_name LIKE 'AWSReservedSSO_%' AND session_name <> '' \
                 AND lower(session_name) IN (lower($name), lower($email))) \
         GROUP BY 1 ORDER BY last DESC, role"
    );
    session.first(SHOWN, &query, person).await
}

/// Programs that were handed tokens for the person: by the person's id, or by the sign-in that a record of the person's names.
async fn programs(session: &Asked<'_>, person: &crate::Values) -> Result<Rows, QueryError> {
    let query = "SELECT program, caller, event_name AS by, count(*) AS times, min(event_time) AS first, max(event_time) AS last \
         FROM (SELECT DISTINCT event_id, event_time, event_name, oauth_client_id AS program, \
                 coalesce(caller_issuer_arn, caller_arn) AS caller FROM credential_events \
             WHERE event_name IN ('CreateToken', 'CreateTokenWithIAM') AND outcome = 'success' \
                 AND (caller_on_behalf_of = $id OR credential_id IN ( \
                     SELECT credential_id FROM credential_events WHERE caller_on_behalf_of = $id AND credential_id IS NOT NULL \
                 ))) AS acts \
         GROUP BY 1, 2, 3 ORDER BY last DESC, program, caller, by";
    session.first(SHOWN, query, person).await
}

fn headline(held: &Rows, id: &str, sessions: &Rows) -> String {
    let name = match (held.cell(0, "display_name"), held.cell(0, "user_name")) {
        ("", "") => format!("the Identity Center user {id}"),
        ("", name) => format!("{name}, an Identity Center user"),
        (shown, name) => format!("{shown} ({name}), an Identity Center user"),
    };
    match words::number(sessions.all()) {
        0 => format!("{name}: no session in the logs"),
        roles => format!("{name}: used {}", words::counted(roles, "role")),
    }
}

fn directory(held: &Rows) -> String {
    let seen = held.cell(0, "snapshot_time");
    match (seen, held.cell(0, "active")) {
        ("", _) => String::new(),
        (seen, "false") => format!("disabled, as of {seen}"),
        (seen, _) => format!("yes, as of {seen}"),
    }
}
