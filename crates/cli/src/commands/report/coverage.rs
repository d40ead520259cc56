//! How much of what a report looks at the logs hold: days of accounts held, out of days of accounts asked for.
//!
//! A day of an account is held when log files of it were delivered and all of them are held, as the view
//! `coverage` says. An account that only the inventory knows is asked for too. It says nothing of regions, and
//! nothing of what the trail does not record: `report coverage` has both.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use arrow::array::AsArray as _;
use arrow::datatypes::Date32Type;
use datafusion::scalar::ScalarValue;
use rolecall_query::{Session, Values, Window};

use crate::clock::DAY;

/// The share held, of each account and of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Held {
    /// By account, from 0 to 1.
    pub(super) by_account: BTreeMap<String, f64>,
    /// Of all account-days; 0 where no account is known.
    pub(super) share: f64,
}

const DAYS: &str = "
    SELECT
        arrow_cast(account_id, 'Utf8') AS account_id,
        day,
        bool_and(held) AS held
    FROM coverage
    WHERE account_id IS NOT NULL
        AND day IS NOT NULL
        AND ($account IS NULL OR account_id = $account)
    GROUP BY account_id, day
    UNION ALL
    SELECT arrow_cast(account_id, 'Utf8'), NULL, false
    FROM inventory
    WHERE $account IS NULL OR account_id = $account
    ORDER BY account_id, day";

/// Looks into the views `coverage` and `inventory`. With `account` only that one is asked for, whether the lake
/// knows it or not.
pub(super) async fn held(
    session: &Session,
    window: Window,
    account: Option<&str>,
) -> anyhow::Result<Held> {
    let account_value = ScalarValue::Utf8(account.map(str::to_owned));
    let values = Values::from([("account".to_owned(), account_value)]);
    let rows = session.sql(DAYS, &values).await.map_err(crate::commands::query_error)?;
    let mut days: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    let mut first_day = None;
    for batch in rows.collect().await? {
        let accounts = batch.column(0).as_string_opt::<i32>().context("read coverage")?;
        let dates = batch.column(1).as_primitive_opt::<Date32Type>().context("read coverage")?;
        let held = batch.column(2).as_boolean_opt().context("read coverage")?;
        for ((account, day), held) in accounts.iter().zip(dates).zip(held) {
            let Some(account) = account else { continue };
            let days = days.entry(account.to_owned()).or_default();
            let Some(day) = day else { continue };
            first_day = first_day.map_or(Some(day), |first: i32| Some(first.min(day)));
            if held == Some(true) {
                days.insert(i64::from(day));
            }
        }
    }
    if let Some(account) = account {
        days.entry(account.to_owned()).or_default();
    }
    Ok(share(&days, whole_days(window, first_day.map(i64::from))))
}

/// The days that lie in the window as a whole, so that neither the hour of the run nor log files that are
/// still to come count as gaps; where there are none, those that it touches.
fn whole_days(window: Window, first_held: Option<i64>) -> std::ops::Range<i64> {
    let ceil = |micros: i64| micros.div_euclid(DAY) + i64::from(micros.rem_euclid(DAY) > 0);
    let from = match window.from {
        0 => first_held.unwrap_or_default() * DAY,
        from => from,
    };
    let whole = ceil(from)..window.to.div_euclid(DAY);
    if whole.is_empty() { from.div_euclid(DAY)..ceil(window.to) } else { whole }
}

fn share(days: &BTreeMap<String, BTreeSet<i64>>, window: std::ops::Range<i64>) -> Held {
    let length = (window.end - window.start).max(0);
    let mut held = Held::default();
    let mut total = 0;
    for (account, days) in days {
        let count = days.range(window.clone()).count();
        total += count;
        held.by_account.insert(account.clone(), of(count, length));
    }
    held.share = of(total, length * i64::try_from(days.len()).unwrap_or(i64::MAX));
    held
}

#[expect(clippy::cast_precision_loss, reason = "numbers of days are small")]
fn of(part: usize, whole: i64) -> f64 {
    if whole > 0 { part as f64 / whole as f64 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: i64, to: i64) -> Window {
        Window { as_of: to, from, to }
    }

    #[test]
    fn only_whole_days_count_where_there_are_any() {
        let hour = DAY / 24;
        assert_eq!(whole_days(window(10 * DAY, 12 * DAY), None), 10..12);
        assert_eq!(whole_days(window(10 * DAY + hour, 12 * DAY + hour), None), 11..12);
        assert_eq!(whole_days(window(10 * DAY + hour, 10 * DAY + 2 * hour), None), 10..11);
        assert_eq!(whole_days(window(0, 12 * DAY), Some(9)), 9..12);
        assert_eq!(whole_days(window(0, 12 * DAY), None), 0..12);
    }

    #[test]
    fn an_account_without_a_day_counts() {
        let days = BTreeMap::from([
            ("a".to_owned(), BTreeSet::from([1, 2, 3, 9])),
            ("b".to_owned(), BTreeSet::new()),
        ]);
        let held = share(&days, 1..5);
        assert_eq!(held.by_account["a"], 0.75);
        assert_eq!(held.by_account["b"], 0.0);
        assert_eq!(held.share, 0.375);
        assert_eq!(share(&BTreeMap::new(), 1..5).share, 0.0);
    }
}
