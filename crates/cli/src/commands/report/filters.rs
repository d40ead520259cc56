//! `--account`, `--role`, `--access-key` and `--owner` before anything runs: what is nowhere is a slip of the finger,
//! after which a report would say that there is nothing, and accounts that are called by their names get their ids.
//!
//! One look for each filter that was given. Tables of the inventory and the ledger are small; the logs are asked
//! only about what those do not have, and of them only until the first row. Does not look at what a report makes of
//! a filter.

use anyhow::Context as _;
use arrow::array::AsArray as _;
use datafusion::scalar::ScalarValue;
use rolecall_query::{Session, Values};

use super::accounts::Accounts;
use super::plan::Plan;
use crate::exit::Usage;
use crate::settings::did_you_mean;

/// Ids, and names where there are any. One query for each table: a set of columns from several tables keeps the comments of
/// one of them, which a DISTINCT above it stumbles over.
const ACCOUNTS: [&str; 3] = [
    "SELECT DISTINCT account_id, account_name FROM iam_snapshots",
    "SELECT DISTINCT known_account_id, name FROM known_accounts",
    "SELECT DISTINCT account_id, arrow_cast(NULL, 'Utf8') AS name FROM log_files",
];

/// Where an account may be that none of those names.
const ACCOUNT_PLACES: [&str; 3] = [
    "SELECT 1 FROM credential_events
     WHERE recipient_account_id = $wanted OR caller_account_id = $wanted OR role_account_id = $wanted LIMIT 1",
    "SELECT 1 FROM activity WHERE recipient_account_id = $wanted OR account_id = $wanted LIMIT 1",
    "SELECT 1 FROM iam_changes WHERE recipient_account_id = $wanted LIMIT 1",
];

const ROLE_PLACES: [&str; 4] = [
    "SELECT 1 FROM iam_roles WHERE role_is(account_id, role_name, $wanted) LIMIT 1",
    "SELECT 1 FROM credential_events WHERE role_is(role_account_id, role_name, $wanted) LIMIT 1",
    "SELECT 1 FROM iam_changes
     WHERE target_type = 'role'
         AND role_is(coalesce(arn_account(target_arn), recipient_account_id), target_name, $wanted) LIMIT 1",
    "SELECT 1 FROM activity
     WHERE principal_type = 'AssumedRole'
         AND role_is(coalesce(arn_account(role_arn), account_id), coalesce(arn_name(role_arn), arn_name(principal_arn)), $wanted)
     LIMIT 1",
];

const ROLES: [&str; 2] = [
    "SELECT DISTINCT role_name, account_id FROM iam_roles ORDER BY role_name, account_id",
    "SELECT DISTINCT role_name, role_account_id FROM credential_events ORDER BY role_name, role_account_id",
];

const KEY_PLACES: [&str; 4] = [
    "SELECT 1 FROM iam_access_keys WHERE access_key_id = $wanted LIMIT 1",
    "SELECT 1 FROM iam_changes WHERE target_id = $wanted OR actor_access_key_id = $wanted LIMIT 1",
    "SELECT 1 FROM credential_events WHERE caller_access_key_id = $wanted OR issued_access_key_id = $wanted LIMIT 1",
    "SELECT 1 FROM activity WHERE access_key_id = $wanted LIMIT 1",
];

const KEYS: [&str; 2] = [
    "SELECT DISTINCT access_key_id, arrow_cast(NULL, 'Utf8') AS account_id FROM iam_access_keys ORDER BY access_key_id",
    "SELECT DISTINCT access_key_id, arrow_cast(NULL, 'Utf8') AS account_id FROM activity
     WHERE credential_kind = 'long_term' ORDER BY access_key_id",
];

/// Everything that may stand for an owner, apart from the file: what tags say, who is in the directory, who made things.
const OWNERS: [&str; 5] = [
    "SELECT DISTINCT btrim(tag.value) AS owner, arrow_cast(NULL, 'Utf8') AS account_id
     FROM (SELECT unnest(map_entries(tags)) AS tag FROM iam_users) AS tags ORDER BY owner",
    "SELECT DISTINCT btrim(tag.value) AS owner, arrow_cast(NULL, 'Utf8') AS account_id
     FROM (SELECT unnest(map_entries(tags)) AS tag FROM iam_roles) AS tags ORDER BY owner",
    "SELECT DISTINCT user_name, email FROM identity_store_users ORDER BY user_name, email",
    "SELECT DISTINCT display_name, arrow_cast(NULL, 'Utf8') AS account_id FROM identity_store_users ORDER BY display_name",
    "SELECT DISTINCT coalesce(arn_session(actor_arn), arn_name(actor_arn)) AS owner, arrow_cast(NULL, 'Utf8') AS account_id
     FROM iam_changes WHERE event_name IN ('CreateUser', 'CreateRole', 'CreateAccessKey') ORDER BY owner",
];

/// Looks at every filter of the plan, and puts ids where accounts are called by their names.
pub(super) async fn apply(session: &Session, plan: &mut Plan<'_>) -> anyhow::Result<()> {
    let given =
        |plan: &Plan<'_>, name: &str| plan.jobs.iter().find_map(|job| job.given.get(name).cloned());
    let (account, role) = (given(plan, "account"), given(plan, "role"));
    let has_names = plan.exceptions.as_ref().is_some_and(|all| all.has_account_names());
    if account.is_some() || role.is_some() || has_names {
        let accounts = Accounts::new(
            pairs(session, &ACCOUNTS)
                .await?
                .iter()
                .map(|(id, name)| (id.as_str(), name.as_deref())),
        );
        if let Some(exceptions) = &mut plan.exceptions {
            exceptions.name_accounts(&accounts)?;
        }
        if let Some(account) = account {
            let id = account_id(session, &accounts, &account).await?;
            plan.give("account", &id)?;
        }
        if let Some(role) = role {
            let role = known_role(session, &accounts, &role).await?;
            plan.give("role", &role)?;
        }
    }
    if let Some(key) = given(plan, "access_key") {
        known_key(session, &key).await?;
    }
    // Whose they are, a report says in a column of that name; to others the word may mean anything.
    let says_owner = plan.jobs.iter().any(|job| {
        job.given.contains_key("owner") && job.report.columns.iter().any(|c| c.name == "owner")
    });
    if let Some(owner) = given(plan, "owner").filter(|_| says_owner) {
        let file = plan.owners.iter().map(|owner| owner.owner.clone());
        known_owner(session, &owner, file.collect()).await?;
    }
    Ok(())
}

async fn account_id(session: &Session, accounts: &Accounts, text: &str) -> anyhow::Result<String> {
    let id = accounts.id_of(text).map_err(|why| Usage::new(format!("--account{why}")))?;
    if accounts.has(&id) || is_in(session, &ACCOUNT_PLACES, &id).await? {
        return Ok(id);
    }
    let hint = accounts.hint(&id);
    Err(Usage::new(format!("--account {text}: neither the logs nor the inventory name it{hint}"))
        .into())
}

/// The role with the id of its account, where that was called by its name.
async fn known_role(session: &Session, accounts: &Accounts, text: &str) -> anyhow::Result<String> {
    let mut forms = vec![text.to_owned()];
    if let Some((account, name)) = text.split_once('/').filter(|_| !text.starts_with("arn:"))
        && let Ok(id) = accounts.id_of(account)
    {
        forms.insert(0, format!("{id}/{name}"));
    }
    for form in forms {
        if is_in(session, &ROLE_PLACES, &form).await? {
            return Ok(form);
        }
    }
    let name = text.rsplit(['/', ':']).next().unwrap_or(text);
    let roles = pairs(session, &ROLES).await?;
    let elsewhere = roles.iter().find(|(other, _)| other == name);
    let hint = match elsewhere.and_then(|(_, account)| account.as_deref()) {
        Some(account) => format!(": did you mean {account}/{name}?"),
        None => did_you_mean(name, roles.iter().map(|(name, _)| name.as_str())),
    };
    Err(Usage::new(format!("--role {text}: neither the logs nor the inventory name it{hint}"))
        .into())
}

async fn known_key(session: &Session, text: &str) -> anyhow::Result<()> {
    if is_in(session, &KEY_PLACES, text).await? {
        return Ok(());
    }
    let keys = pairs(session, &KEYS).await?;
    let hint =
        did_you_mean(&text.trim().to_ascii_uppercase(), keys.iter().map(|(key, _)| key.as_str()));
    Err(Usage::new(format!(
        "--access-key {text}: neither the logs nor the inventory name it{hint}"
    ))
    .into())
}

async fn known_owner(session: &Session, text: &str, file: Vec<String>) -> anyhow::Result<()> {
    let wanted = text.trim().to_lowercase();
    let is_it = |owner: &String| owner.trim().to_lowercase() == wanted;
    if file.iter().any(is_it) {
        return Ok(());
    }
    let known = pairs(session, &OWNERS).await?;
    let mut owners: Vec<String> =
        known.into_iter().flat_map(|(one, other)| std::iter::once(one).chain(other)).collect();
    owners.retain(|owner| !owner.is_empty());
    if owners.iter().any(is_it) {
        return Ok(());
    }
    owners.extend(file);
    let hint = did_you_mean(text.trim(), owners.iter().map(String::as_str));
    Err(Usage::new(format!(
        "--owner {text}: no owners file, tag, directory or record of who made something names it{hint}"
    ))
    .into())
}

/// Whether one of the queries has a row.
async fn is_in(session: &Session, places: &[&str], wanted: &str) -> anyhow::Result<bool> {
    let values = Values::from([("wanted".to_owned(), ScalarValue::from(wanted))]);
    for place in places {
        let rows = session.sql(place, &values).await.map_err(crate::commands::query_error)?;
        if rows.collect().await?.iter().any(|batch| batch.num_rows() > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Rows of two texts; those without the first are left out.
async fn pairs(
    session: &Session,
    queries: &[&str],
) -> anyhow::Result<Vec<(String, Option<String>)>> {
    let mut pairs = Vec::new();
    for query in queries {
        let rows = session.sql(query, &Values::new()).await;
        for batch in rows.map_err(crate::commands::query_error)?.collect().await? {
            let first = batch.column(0).as_string_opt::<i32>().context("read names")?;
            let second = batch.column(1).as_string_opt::<i32>().context("read names")?;
            let found = first.iter().zip(second);
            pairs.extend(found.filter_map(|(a, b)| Some((a?.to_owned(), b.map(str::to_owned)))));
        }
    }
    Ok(pairs)
}
