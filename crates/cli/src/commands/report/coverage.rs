//! How much of what a report looks at the logs hold: days of accounts held, out of days of accounts asked for.
//!
//! Which days are held, the part `held` of `queries/` says, to this module and to the reports alike. An account that
//! only the inventory knows is asked for too; one that is closed, or that nobody wants asked for, is not, and is
//! named. What the trail does not record is no matter of days: `report coverage` and `trails` have it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use datafusion::scalar::ScalarValue;
use rolecall_query::{Session, Values, Window, with_parts};

use crate::commands::is_account;
use crate::exit::Usage;
use crate::settings::did_you_mean;

/// The share held, of each account and of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Held {
    /// By account, from 0 to 1; those that are not asked for too.
    pub(super) by_account: BTreeMap<String, f64>,
    /// Of all account-days that are asked for; 0 where no account is.
    pub(super) share: f64,
    /// Of the days held, those of which digests say that every log file is as CloudTrail delivered it, by account that is
    /// asked for; 0 where there are no digest results.
    pub(super) verified: BTreeMap<String, f64>,
    /// Regions that stopped delivering, by account that is asked for.
    pub(super) silent: BTreeMap<String, Vec<String>>,
    /// Accounts that are not asked for, and why.
    pub(super) spared: BTreeMap<String, String>,
}

impl Held {
    /// Whether the account's days count.
    pub(super) fn is_asked_for(&self, account: Option<&str>) -> bool {
        account.is_none_or(|account| !self.spared.contains_key(account))
    }

    /// The accounts asked for that hold less than `required`, those with the least first.
    pub(super) fn below(&self, required: f64) -> Vec<(&str, f64)> {
        let asked = self.by_account.iter().filter(|(account, _)| self.is_asked_for(Some(account)));
        below(asked, required)
    }

    /// The same of what digests prove.
    pub(super) fn unverified(&self, required: f64) -> Vec<(&str, f64)> {
        below(self.verified.iter(), required)
    }
}

fn below<'a>(
    shares: impl Iterator<Item = (&'a String, &'a f64)>,
    required: f64,
) -> Vec<(&'a str, f64)> {
    let low = shares.filter(|(_, share)| **share < required);
    let mut low: Vec<_> = low.map(|(account, share)| (account.as_str(), *share)).collect();
    low.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(b.0)));
    low
}

/// Words in which the organisation says that nobody can use an account any more.
const CLOSED: &str = "('CLOSED', 'PENDING_CLOSURE', 'SUSPENDED')";

fn shares_sql() -> String {
    format!(
        "WITH asked AS (
            SELECT DISTINCT account_id
            FROM (
                SELECT account_id FROM log_files
                UNION ALL
                SELECT recipient_account_id FROM activity
                UNION ALL
                SELECT account_id FROM inventory
            ) AS met
            WHERE account_id IS NOT NULL
                AND ($account IS NULL OR account_id = $account)
        ),
        listed AS (
            SELECT
                known_account_id,
                upper(status) AS status,
                row_number() OVER (PARTITION BY known_account_id ORDER BY snapshot_time DESC, snapshot_id DESC) AS place
            FROM known_accounts
            WHERE kind = 'organization'
                AND status IS NOT NULL
                AND snapshot_time <= $as_of
        )
        SELECT
            arrow_cast(asked.account_id, 'Utf8') AS account_id,
            coalesce(days_held, 0) AS days_held,
            greatest(end_day - first_day, 0) AS window_days,
            coalesce(days_verified, 0) AS days_verified,
            arrow_cast(array_to_string(silent_regions, ' '), 'Utf8') AS silent_regions,
            arrow_cast(listed.status, 'Utf8') AS closed
        FROM asked
        CROSS JOIN held_window
        LEFT JOIN held ON asked.account_id = held.account_id
        LEFT JOIN listed ON asked.account_id = known_account_id AND place = 1 AND listed.status IN {CLOSED}
        ORDER BY account_id"
    )
}

/// Looks into the ledger and the inventory. With `account` only that one is asked for, whether the lake knows it or
/// not, and be it closed. `ignored` are accounts that are not asked for.
pub(super) async fn held(
    session: &Session,
    window: Window,
    account: Option<&str>,
    ignored: &BTreeSet<String>,
) -> anyhow::Result<Held> {
    let time = |micros| ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()));
    let values = Values::from([
        ("account".to_owned(), ScalarValue::Utf8(account.map(str::to_owned))),
        ("as_of".to_owned(), time(window.as_of)),
        ("from".to_owned(), time(window.from)),
        ("to".to_owned(), time(window.to)),
    ]);
    let sql = with_parts("held", &shares_sql())?;
    let rows = session.sql(&sql, &values).await.map_err(crate::commands::query_error)?;
    let mut found = Vec::new();
    for batch in rows.collect().await? {
        found.extend(shares_in(&batch).context("failed to read what the logs hold")?);
    }
    if let Some(account) = account
        && found.is_empty()
    {
        found.push(Share { account: account.to_owned(), ..Share::default() });
    }
    Ok(summed(found, account.is_some(), ignored))
}

/// What is held of one account.
#[derive(Clone, Debug, Default, PartialEq)]
struct Share {
    account: String,
    days_held: i64,
    window_days: i64,
    days_verified: i64,
    silent_regions: Vec<String>,
    /// The organisation's word, where it is closed.
    closed: Option<String>,
}

fn shares_in(batch: &RecordBatch) -> Option<Vec<Share>> {
    let text = |column: usize| batch.column(column).as_string_opt::<i32>();
    let number = |column: usize| batch.column(column).as_primitive_opt::<Int64Type>();
    let (accounts, held, days) = (text(0)?, number(1)?, number(2)?);
    let (verified, silent, closed) = (number(3)?, text(4)?, text(5)?);
    let share = |row: usize| Share {
        account: accounts.value(row).to_owned(),
        days_held: held.value(row),
        window_days: days.value(row),
        days_verified: verified.value(row),
        silent_regions: silent.iter().nth(row).flatten().map_or_else(Vec::new, words),
        closed: closed.iter().nth(row).flatten().map(str::to_owned),
    };
    Some((0..batch.num_rows()).map(share).collect())
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn summed(found: Vec<Share>, is_named: bool, ignored: &BTreeSet<String>) -> Held {
    let mut held = Held::default();
    let (mut total, mut asked) = (0, 0);
    for share in found {
        let account = share.account;
        held.by_account.insert(account.clone(), of(share.days_held, share.window_days));
        if ignored.contains(&account) {
            held.spared.insert(account, "--ignore-account".to_owned());
            continue;
        }
        if let Some(word) = share.closed.filter(|_| !is_named) {
            held.spared.insert(account, word);
            continue;
        }
        total += share.days_held;
        asked += share.window_days;
        held.verified.insert(account.clone(), of(share.days_verified, share.days_held));
        if !share.silent_regions.is_empty() {
            held.silent.insert(account, share.silent_regions);
        }
    }
    held.share = of(total, asked);
    held
}

#[expect(clippy::cast_precision_loss, reason = "numbers of days are small")]
fn of(part: i64, whole: i64) -> f64 {
    if whole > 0 { part as f64 / whole as f64 } else { 0.0 }
}

/// Where names of accounts are.
const NAMES: [&str; 2] = [
    "SELECT DISTINCT arrow_cast(known_account_id, 'Utf8'), arrow_cast(name, 'Utf8')
     FROM known_accounts WHERE kind = 'organization' AND name IS NOT NULL",
    "SELECT DISTINCT arrow_cast(account_id, 'Utf8'), arrow_cast(account_name, 'Utf8')
     FROM iam_snapshots WHERE account_name IS NOT NULL",
];

/// The ids of the accounts that were given to `--ignore-account`, by id or by name.
pub(super) async fn ignored(
    session: &Session,
    given: &[String],
) -> anyhow::Result<BTreeSet<String>> {
    let mut ids: BTreeSet<String> = given.iter().filter(|id| is_account(id)).cloned().collect();
    if given.len() == ids.len() {
        return Ok(ids);
    }
    let mut known: Vec<(String, String)> = Vec::new();
    for sql in NAMES {
        let rows = session.sql(sql, &Values::new()).await.map_err(crate::commands::query_error)?;
        for batch in rows.collect().await? {
            let text = |column: usize| {
                let text = batch.column(column).as_string_opt::<i32>();
                text.context("failed to read names of accounts")
            };
            let pairs = text(0)?.iter().zip(text(1)?);
            known.extend(pairs.filter_map(|(id, name)| Some((id?.to_owned(), name?.to_owned()))));
        }
    }
    known.sort();
    for name in given.iter().filter(|name| !is_account(name)) {
        let before = ids.len();
        let named = known.iter().filter(|(_, known)| known.eq_ignore_ascii_case(name.trim()));
        let named: Vec<String> = named.map(|(id, _)| id.clone()).collect();
        ids.extend(named.iter().cloned());
        if named.is_empty() && ids.len() == before {
            let hint = did_you_mean(name, known.iter().map(|(_, known)| known.as_str()));
            let message = format!(
                "--ignore-account {name}: that is no account id and no account of that name is known{hint}"
            );
            return Err(Usage::new(message).into());
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(account: &str, days_held: i64, days_verified: i64) -> Share {
        let account = account.to_owned();
        Share { account, days_held, days_verified, window_days: 4, ..Share::default() }
    }

    #[test]
    fn an_account_without_a_day_counts() {
        let held = summed(vec![share("a", 3, 3), share("b", 0, 0)], false, &BTreeSet::new());
        assert_eq!(held.by_account["a"], 0.75);
        assert_eq!(held.by_account["b"], 0.0);
        assert_eq!(held.share, 0.375);
        assert_eq!(held.below(0.8), [("b", 0.0), ("a", 0.75)]);
        assert_eq!(held.unverified(0.8), [("b", 0.0)]);
        assert_eq!(summed(vec![], false, &BTreeSet::new()).share, 0.0);
    }

    #[test]
    fn closed_and_ignored_accounts_are_not_asked_for() {
        let closed = Share { closed: Some("SUSPENDED".to_owned()), ..share("b", 0, 0) };
        let all = vec![share("a", 4, 2), closed.clone(), share("c", 0, 0)];
        let ignored = BTreeSet::from(["c".to_owned()]);
        let held = summed(all, false, &ignored);
        assert_eq!(held.share, 1.0);
        assert_eq!(held.by_account.len(), 3);
        assert!(held.below(1.0).is_empty());
        assert_eq!(held.unverified(1.0), [("a", 0.5)]);
        let spared: Vec<_> = held.spared.values().map(String::as_str).collect();
        assert_eq!(spared, ["SUSPENDED", "--ignore-account"]);
        assert!(held.is_asked_for(Some("a")) && !held.is_asked_for(Some("b")));
        // Whoever names it wants to know.
        assert!(summed(vec![closed], true, &ignored).spared.is_empty());
    }
}
