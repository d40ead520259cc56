//! Holds what reports say against the rule, and keeps the smallest story of each kind of lie.

use std::collections::{BTreeMap, HashMap};

use super::Way;
use super::ask::{Said, subject};
use super::rules::{Case, Limits, Objection};
use super::story::tell;
use super::truth::{Account, Sort, Time};

/// Kinds of lies: how many, and the smallest story.
pub(super) type Lies = BTreeMap<String, (usize, Vec<String>)>;

#[derive(Debug, Default)]
pub(super) struct Findings {
    seed: u64,
    pub(super) lies: Lies,
    pub(super) missed: Lies,
    pub(super) contradictions: Lies,
    /// By what is sought: how many were found, and how many there are.
    pub(super) found: BTreeMap<String, (usize, usize)>,
}

/// The defaults of the reports.
pub(super) fn limits(report: &str) -> Limits {
    match report {
        "unused-roles" => Limits { threshold: 90, grace: 30, soak: 0, oldest: 7 },
        _ => Limits { threshold: 45, grace: 7, soak: 14, oldest: 7 },
    }
}

const GOING: [&str; 9] = [
    "STALE",
    "NEVER_USED",
    "RETIRE_AFTER_SOAK",
    "RETIRE_NOW",
    "UNUSED",
    "NEVER_USED_OLD",
    "NO_CREDENTIALS",
    "LEAVER",
    "ROOT_KEYS",
];
const NOT_KNOWN: [&str; 2] = ["UNKNOWN", "INSUFFICIENT_COVERAGE"];
const NO_KNOWN_UNTIL: Objection = "it does not say up to when IAM was asked";
const KNOWN_TOO_LATE: Objection = "it says that IAM was asked later than it was";

pub(super) fn goes(verdict: &str) -> bool {
    GOING.contains(&verdict)
}

/// What stands against a verdict.
pub(super) fn objections(case: &Case<'_>, verdict: &str) -> Vec<Objection> {
    match verdict {
        "RETIRE_NOW" => case.against_now(),
        "RETIRE_AFTER_SOAK" => case.against_soak(),
        "NO_CREDENTIALS" => case.against_no_credentials(),
        _ => case.against_idle(verdict == "NEVER_USED"),
    }
}

/// What the column `known_until` gets wrong, where there is one.
fn of_known_until(case: &Case<'_>, said: &Said) -> Option<Objection> {
    let told = said.known_until?;
    let known = case.known_until();
    match (told, known) {
        (None, _) if goes(&said.verdict) => Some(NO_KNOWN_UNTIL),
        // Of a user who stays, any of its credentials may be meant.
        (Some(_), _) if said.slot.is_none() && said.id.is_none() && !goes(&said.verdict) => None,
        (Some(told), Some(known)) if told > known => Some(KNOWN_TOO_LATE),
        _ => None,
    }
}

impl Findings {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub(super) fn judge(&mut self, accounts: &[Account], report: &str, way: &Way, said: &[Said]) {
        let accounts = by_number(accounts);
        for said in said {
            let account = accounts[said.account.as_str()];
            let Some(of) = subject(account, report, said, way.as_of) else {
                if goes(&said.verdict) {
                    let kind = format!("{report} says {}: it is in no inventory", said.verdict);
                    keep(&mut self.lies, kind, vec![format!("  {said:?}")]);
                }
                continue;
            };
            let case = Case { account, of, as_of: way.as_of, limits: way.limits(report) };
            let mut against =
                if goes(&said.verdict) { objections(&case, &said.verdict) } else { Vec::new() };
            against.extend(of_known_until(&case, said));
            for objection in against {
                let kind = format!("{report} says {}: {objection}", said.verdict);
                let mut story = tell(account, of, way.as_of);
                story.insert(
                    0,
                    format!(
                        "  of {} {}, asked {:?}",
                        account.number,
                        account.things[of].id,
                        way.given(report)
                    ),
                );
                keep(&mut self.lies, kind, story);
            }
        }
    }

    /// Counts what should have been found, and what was.
    pub(super) fn seek(&mut self, accounts: &[Account], report: &str, way: &Way, said: &[Said]) {
        let mut verdicts: HashMap<(&str, usize), &str> = HashMap::new();
        let numbered = by_number(accounts);
        for said in said {
            let account = numbered[said.account.as_str()];
            if let Some(of) = subject(account, report, said, way.as_of) {
                verdicts.insert((account.number.as_str(), of), &said.verdict);
            }
        }
        for account in accounts {
            for (of, thing) in account.things.iter().enumerate() {
                let case = Case { account, of, as_of: way.as_of, limits: way.limits(report) };
                let verdict = verdicts.get(&(account.number.as_str(), of)).copied();
                let going = verdict.is_some_and(goes);
                let (idle, found) = match (report, thing.sort) {
                    ("stale-keys" | "key-migration", Sort::Key) => (case.is_idle(), going),
                    ("unused-roles", Sort::Role) => (case.is_idle(), going),
                    ("unused-users", Sort::User) => (case.is_unused(), going),
                    _ => continue,
                };
                self.sought(report, &case, verdict, (idle, found));
                if report == "key-migration" {
                    let found = verdict == Some("RETIRE_NOW");
                    self.sought(
                        "key-migration RETIRE_NOW",
                        &case,
                        verdict,
                        (case.is_ready(), found),
                    );
                }
            }
        }
    }

    fn sought(
        &mut self,
        what: &str,
        case: &Case<'_>,
        verdict: Option<&str>,
        (is, found): (bool, bool),
    ) {
        if !is {
            return;
        }
        let count = self.found.entry(what.to_owned()).or_default();
        count.1 += 1;
        if found {
            count.0 += 1;
        } else {
            let thing = &case.account.things[case.of];
            let verdict = verdict.unwrap_or("nothing");
            let kind = format!("{what} does not find it, but says {verdict}");
            let mut story = tell(case.account, case.of, case.as_of);
            story.insert(0, format!("  of {} {}", case.account.number, thing.id));
            keep(&mut self.missed, kind, story);
        }
    }

    /// A smaller window says the same or that it is not known, and nothing that a larger one does not.
    pub(super) fn compare_windows(
        &mut self,
        accounts: &[Account],
        report: &str,
        now: Time,
        by_days: &[(i64, Vec<Said>)],
    ) {
        let verdicts = |said: &[Said]| -> HashMap<_, String> {
            said.iter().map(|said| (said.subject(), said.verdict.clone())).collect()
        };
        let accounts = by_number(accounts);
        for pair in by_days.windows(2) {
            let (less, more) = (verdicts(&pair[0].1), verdicts(&pair[1].1));
            for said in &pair[0].1 {
                let (of_less, of_more) = (less.get(&said.subject()), more.get(&said.subject()));
                let same = of_less == of_more;
                let weaker = of_less.is_some_and(|verdict| NOT_KNOWN.contains(&verdict.as_str()));
                let matters = [of_less, of_more].into_iter().flatten().any(|verdict| goes(verdict));
                if !same && !weaker && matters {
                    let says = |of: Option<&String>| of.map_or("nothing".to_owned(), String::clone);
                    let (less, more) = (says(of_less), says(of_more));
                    let days = (pair[0].0, pair[1].0);
                    let kind = format!(
                        "{report} says {less} over {} days and {more} over {}",
                        days.0, days.1
                    );
                    let account = accounts[said.account.as_str()];
                    let of = subject(account, report, said, now).unwrap();
                    keep(&mut self.contradictions, kind, tell(account, of, now));
                }
            }
        }
    }

    /// The rows in another order, and each dump read twice.
    pub(super) fn compare_same(
        &mut self,
        accounts: &[Account],
        report: &str,
        now: Time,
        (one, other): (&[Said], &[Said]),
    ) {
        let accounts = by_number(accounts);
        let others: HashMap<_, &Said> = other.iter().map(|said| (said.subject(), said)).collect();
        for said in one {
            let other = others.get(&said.subject()).map(|other| other.verdict.as_str());
            if other != Some(said.verdict.as_str()) {
                let other = other.unwrap_or("nothing");
                let kind = format!(
                    "{report} says {}, and {other} of dumps that are read twice",
                    said.verdict
                );
                let account = accounts[said.account.as_str()];
                let story = subject(account, report, said, now).map(|of| tell(account, of, now));
                keep(&mut self.contradictions, kind, story.unwrap_or_default());
            }
        }
        if one.len() != other.len() {
            let kind = format!(
                "{report} has {} rows, and {} of dumps that are read twice",
                one.len(),
                other.len()
            );
            keep(&mut self.contradictions, kind, Vec::new());
        }
    }

    /// In words, each kind with its smallest story.
    pub(super) fn told(&self, lies: &Lies) -> String {
        let told = |(kind, (count, story)): (&String, &(usize, Vec<String>))| {
            format!("\n{count} times {kind}\n{}\n", story.join("\n"))
        };
        let all: String = lies.iter().map(told).collect();
        format!("{all}\nto draw the same histories: ROLECALL_TEST_SEED={}", self.seed)
    }

    pub(super) fn shares(&self) -> String {
        let share = |(what, (found, of)): (&String, &(usize, usize))| {
            format!("{what} finds {found} of {of} that are idle and can be known")
        };
        self.found.iter().map(share).collect::<Vec<_>>().join("\n")
    }
}

fn by_number(accounts: &[Account]) -> HashMap<&str, &Account> {
    accounts.iter().map(|account| (account.number.as_str(), account)).collect()
}

fn keep(lies: &mut Lies, kind: String, story: Vec<String>) {
    let entry = lies.entry(kind).or_insert_with(|| (0, story.clone()));
    entry.0 += 1;
    if story.len() < entry.1.len() {
        entry.1 = story;
    }
}
