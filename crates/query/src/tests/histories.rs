//! Random histories of keys, users and roles against the truth: no verdict that can be wrong, and what is honestly idle is
//! found.
//!
//! [`truth`] is what happened and what of it logs and IAM tell, [`iam`] what an inventory takes down, [`rules`] the rule by
//! which a verdict may be given. None of them knows how a report comes to what it says. Each account is a history of its
//! own; some hundreds lie in one lake, so that one query judges them all.
//!
//!     ROLECALL_TEST_HISTORIES=10000 ROLECALL_TEST_SEED=7 cargo test -p rolecall-query -- --nocapture histories
//!
//! Without a seed, the number alone draws new histories each time.
#![expect(clippy::print_stderr, reason = "seed, shares and stories are for who runs the tests")]

mod ask;
mod chance;
mod draw;
mod iam;
mod judge;
mod rows;
mod rules;
mod situations;
mod story;
mod truth;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};

use chrono::DateTime;
use tokio::sync::OnceCell;

use self::ask::{REPORTS, Said, ask};
use self::chance::Chance;
use self::judge::{Findings, limits, objections};
use self::rules::{Case, Limits, OBJECTIONS};
use self::truth::{Account, DAY, HOUR, Sort, Time};
use super::lake::at;

/// How many histories each report judges.
const HISTORIES_VARIABLE: &str = "ROLECALL_TEST_HISTORIES";
/// Set this to a seed that a failed test named, to draw the same histories.
const SEED_VARIABLE: &str = "ROLECALL_TEST_SEED";
const HISTORIES: usize = 300;
const LAKE: usize = 300;
const SEED: u64 = 20_260_701;
/// Of what can be known, so many of a hundred have to be found.
const FOUND: usize = 95;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn histories() -> (usize, u64) {
    let count = number(HISTORIES_VARIABLE).map(|count| usize::try_from(count).unwrap());
    let drawn = || if count.is_some() { RandomState::new().hash_one(0) } else { SEED };
    (count.unwrap_or(HISTORIES), number(SEED_VARIABLE).unwrap_or_else(drawn))
}

/// All tests look at the same runs.
static FINDINGS: OnceCell<Findings> = OnceCell::const_new();

async fn findings() -> &'static Findings {
    FINDINGS.get_or_init(find).await
}

async fn find() -> Findings {
    let (count, seed) = histories();
    eprintln!("{HISTORIES_VARIABLE}={count} {SEED_VARIABLE}={seed}");
    let mut chance = Chance::new(seed);
    let mut findings = Findings::new(seed);
    for first in (0..count).step_by(LAKE) {
        let (accounts, now) = draw(&mut chance, LAKE.min(count - first));
        judge_lake(&mut findings, &accounts, now).await;
    }
    findings
}

/// Histories for one lake, and until when they go.
fn draw(chance: &mut Chance, count: usize) -> (Vec<Account>, Time) {
    let now = at("2026-07-01T00:00:00") + chance.below(24) * HOUR;
    ((0..count).map(|number| draw::account(chance, number, now)).collect(), now)
}

/// A way to ask: as of when, by which limits, over which window.
#[derive(Debug, Clone)]
struct Way {
    as_of: Time,
    limits: Option<Limits>,
    window: Vec<(&'static str, String)>,
}

impl Way {
    fn days(as_of: Time, days: i64) -> Self {
        Self { as_of, limits: None, window: vec![("days", days.to_string())] }
    }

    fn limits(&self, report: &str) -> Limits {
        self.limits.unwrap_or_else(|| limits(report))
    }

    fn given(&self, report: &str) -> Vec<(&'static str, String)> {
        let mut given = vec![("as_of", text(self.as_of))];
        given.extend(self.window.iter().cloned());
        if let Some(limits) = self.limits {
            given.push(("threshold_days", limits.threshold.to_string()));
            given.push(("grace_days", limits.grace.to_string()));
            given.push(("max_inventory_days", limits.oldest.to_string()));
            if report == "key-migration" {
                given.push(("soak_days", limits.soak.to_string()));
            }
        }
        given
    }
}

fn text(time: Time) -> String {
    DateTime::from_timestamp_micros(time).unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Other ways to ask than with the defaults.
fn ways(now: Time) -> Vec<Way> {
    let summer = [("from", text(now - 300 * DAY)), ("to", text(now - 270 * DAY))];
    let other = Limits { threshold: 20, grace: 3, soak: 2, oldest: 30 };
    vec![
        Way { window: summer.to_vec(), ..Way::days(now - 5 * DAY, 90) },
        Way::days(now + 10 * DAY, 90),
        Way { limits: Some(other), ..Way::days(now, 90) },
    ]
}

async fn judge_lake(findings: &mut Findings, accounts: &[Account], now: Time) {
    let session = rows::lake(accounts, 1).open(0).await;
    let copied = rows::lake(accounts, 2).open(1).await;
    for report in REPORTS {
        let mut by_days: Vec<(i64, Vec<Said>)> = Vec::new();
        for days in [7, 90, 365] {
            let way = Way::days(now, days);
            let said = ask(&session, report, &way.given(report)).await;
            findings.judge(accounts, report, &way, &said);
            by_days.push((days, said));
        }
        findings.compare_windows(accounts, report, now, &by_days);
        let way = Way::days(now, 90);
        findings.seek(accounts, report, &way, &by_days[1].1);
        let again = ask(&copied, report, &way.given(report)).await;
        findings.compare_same(accounts, report, now, (&by_days[1].1, &again));
        for way in ways(now) {
            let said = ask(&session, report, &way.given(report)).await;
            findings.judge(accounts, report, &way, &said);
        }
    }
}

/// So that no rule is held against nothing: for each there are histories of which a verdict could be wrong.
#[test]
fn the_histories_break_each_rule_somewhere() {
    let (accounts, now) = draw(&mut Chance::new(SEED), HISTORIES);
    let mut broken: BTreeMap<&str, usize> = BTreeMap::new();
    for account in &accounts {
        for (of, thing) in account.things.iter().enumerate() {
            let (report, verdicts): (_, &[&str]) = match thing.sort {
                Sort::Key => ("key-migration", &["NEVER_USED", "RETIRE_AFTER_SOAK", "RETIRE_NOW"]),
                Sort::User => ("unused-users", &["UNUSED", "NO_CREDENTIALS"]),
                Sort::Role => ("unused-roles", &["UNUSED"]),
                Sort::Password | Sort::Service => continue,
            };
            let case = Case { account, of, as_of: now, limits: limits(report) };
            let all = verdicts.iter().flat_map(|verdict| objections(&case, verdict));
            all.for_each(|objection| *broken.entry(objection).or_default() += 1);
        }
    }
    for objection in OBJECTIONS {
        assert!(broken.contains_key(objection), "{objection}: {broken:#?}");
    }
}

#[tokio::test]
async fn no_verdict_lets_go_of_what_may_be_alive() {
    let findings = findings().await;
    assert!(findings.lies.is_empty(), "{}", findings.told(&findings.lies));
}

#[tokio::test]
async fn what_is_idle_and_can_be_known_is_found() {
    let findings = findings().await;
    eprintln!("{}", findings.shares());
    for (what, (found, of)) in &findings.found {
        assert!(*of > 0, "{what}: no history of the kind was drawn");
        assert!(
            found * 100 >= of * FOUND,
            "{}\n{}",
            findings.shares(),
            findings.told(&findings.missed)
        );
    }
}

#[tokio::test]
async fn the_same_history_gets_the_same_verdict_however_it_is_asked_for() {
    let findings = findings().await;
    assert!(findings.contradictions.is_empty(), "{}", findings.told(&findings.contradictions));
}
