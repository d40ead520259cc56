//! What a run came to: one line for each report on standard error, and one exit code.
//!
//! The worst counts, in this order: a report that failed (1), coverage below what was demanded (4), findings
//! (3), nothing of that (0). Low coverage goes before findings, because it says that neither the findings nor
//! their absence can be relied on: a scheduled job has to see to its logs first. The findings are in the
//! result all the same.

use std::collections::BTreeMap;
use std::io::Write as _;

use super::annotate::Tally;
use super::coverage::Held;
use super::exceptions::Exceptions;
use crate::exit::Exit;
use crate::term;

/// Accounts that a message names.
const NAMED: usize = 3;

/// A report that was run, or failed.
pub(super) struct Ran {
    pub(super) name: String,
    /// The error in words, where it failed.
    pub(super) outcome: Result<Done, String>,
}

/// A report's result, apart from its rows.
pub(super) struct Done {
    pub(super) tally: Tally,
    /// What the logs hold of its window, where somebody asked.
    pub(super) held: Option<Held>,
    /// Whether the share of the logs that is held says how far the report can be relied on.
    pub(super) judged: bool,
    /// The files that were written.
    pub(super) files: Vec<String>,
    /// What the reader must know, such as that there is nothing to compare with.
    pub(super) notes: Vec<String>,
}

impl Done {
    /// The lowest coverage there is: of the window, or of a row; none where it does not matter.
    fn lowest_coverage(&self) -> Option<f64> {
        if !self.judged {
            return None;
        }
        let window = self.held.as_ref().map(|held| held.share);
        match (window, self.tally.lowest_coverage) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

impl Ran {
    /// What it came to, in one line.
    pub(super) fn line(&self) -> String {
        let done = match &self.outcome {
            Ok(done) => done,
            Err(error) => return format!("failed: {error}"),
        };
        let mut parts = vec![term::count(done.tally.rows, "row")];
        if !done.tally.verdicts.is_empty() {
            parts[0].push_str(&format!(" ({})", counts(&done.tally.verdicts)));
        }
        if done.tally.findings() > 0 {
            parts.push(term::count(done.tally.findings(), "finding"));
        }
        if done.tally.spared > 0 {
            parts.push(format!("{} excepted", done.tally.spared));
        }
        if !done.tally.changes.is_empty() {
            parts.push(format!("since last: {}", counts(&done.tally.changes)));
        }
        if let Some(coverage) = done.lowest_coverage() {
            parts.push(format!("coverage {coverage:.3}"));
        }
        if let Some(file) = done.files.first() {
            parts.push(format!("→ {file}"));
        }
        parts.join(", ")
    }
}

/// The whole run.
pub(super) struct RunSummary<'a> {
    pub(super) ran: Vec<Ran>,
    pub(super) all: bool,
    /// Whether some verdict was asked about.
    pub(super) fails: bool,
    pub(super) require_coverage: Option<f64>,
    /// The share of the days held that digests must prove, of every account.
    pub(super) require_verified: Option<f64>,
    pub(super) exceptions: Option<&'a Exceptions>,
    pub(super) as_of: i64,
}

impl RunSummary<'_> {
    fn done(&self) -> impl Iterator<Item = (&str, &Done)> {
        self.ran.iter().filter_map(|ran| Some((ran.name.as_str(), ran.outcome.as_ref().ok()?)))
    }

    fn failed(&self) -> usize {
        self.ran.iter().filter(|ran| ran.outcome.is_err()).count()
    }

    fn findings(&self) -> u64 {
        self.done().map(|(_, done)| done.tally.findings()).sum()
    }

    fn lowest_coverage(&self) -> Option<(&str, f64)> {
        let each = self.done().filter_map(|(name, done)| Some((name, done.lowest_coverage()?)));
        each.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The exit code; see the module.
    pub(super) fn exit(&self) -> Exit {
        if self.failed() > 0 {
            Exit::Failed
        } else if self.is_coverage_low() || self.is_verified_low() {
            Exit::LowCoverage
        } else if self.fails && self.findings() > 0 {
            Exit::Findings
        } else {
            Exit::Done
        }
    }

    fn is_coverage_low(&self) -> bool {
        let required = self.require_coverage;
        let lowest = self.lowest_coverage();
        // Nothing was asked of reports that do not rest on it.
        if !self.ran.is_empty()
            && self.ran.len() == self.done().filter(|(_, done)| !done.judged).count()
        {
            return false;
        }
        required.is_some_and(|required| lowest.is_none_or(|(_, lowest)| lowest < required))
    }

    /// Whether digests prove too little of the days held of some account, or there is no account of which to ask.
    fn is_verified_low(&self) -> bool {
        let Some(required) = self.require_verified else { return false };
        let mut judged = self.done().filter(|(_, done)| done.judged).map(|(_, done)| &done.held);
        judged.any(|held| {
            let held = held.as_ref();
            held.is_none_or(|held| {
                held.verified.is_empty() || !held.unverified(required).is_empty()
            })
        })
    }

    /// The run in one line.
    pub(super) fn headline(&self) -> String {
        let mut parts = Vec::new();
        match self.ran.as_slice() {
            [one] if !self.all => parts.push(format!("rolecall {}", one.name)),
            all => parts.push(format!("rolecall: {}", term::count(all.len() as u64, "report"))),
        }
        if self.failed() > 0 {
            parts.push(format!("{} failed", self.failed()));
        }
        if self.fails {
            parts.push(term::count(self.findings(), "finding"));
        } else if let ([one], false) = (self.ran.as_slice(), self.all)
            && let Ok(done) = &one.outcome
        {
            parts.push(term::count(done.tally.rows, "row"));
        }
        if self.is_coverage_low() {
            parts.push("coverage too low".to_owned());
        }
        if self.is_verified_low() {
            parts.push("too little verified".to_owned());
        }
        parts.join(", ")
    }

    /// Says it on standard error: always of `--all` and of files, of a single report only what matters.
    pub(super) fn say(&self) {
        let mut lines = Vec::new();
        let width = self.ran.iter().map(|ran| ran.name.len()).max().unwrap_or_default();
        for ran in &self.ran {
            let wrote = ran.outcome.as_ref().is_ok_and(|done| !done.files.is_empty());
            if self.all || wrote {
                lines.push(format!("{:width$}  {}", ran.name, ran.line()));
            }
        }
        for (name, done) in self.done() {
            lines.extend(done.notes.iter().map(|note| format!("{name}: {note}")));
        }
        lines.extend(self.told_of_exceptions());
        if self.fails && self.findings() > 0 {
            let reports = self.done().filter(|(_, done)| done.tally.findings() > 0);
            let each = reports.map(|(name, done)| match done.tally.findings.contains_key("") {
                true => format!("{name} {}", done.tally.findings()),
                false => format!("{name}: {}", counts(&done.tally.findings)),
            });
            let each: Vec<String> = each.collect();
            let findings = term::count(self.findings(), "finding");
            lines.push(format!("--fail-on: {findings} ({})", each.join("; ")));
        }
        if self.is_coverage_low() {
            let required = self.require_coverage.unwrap_or_default();
            let found = match self.lowest_coverage() {
                Some((name, lowest)) => format!("{lowest:.3} (report {name})"),
                None => "unknown, as no report could be run".to_owned(),
            };
            lines.push(format!(
                "--require-coverage {required}: coverage is {found}; see `rolecall report coverage`"
            ));
            let accounts = self.accounts(|held| held.below(required));
            lines.extend(accounts.map(|accounts| format!("held too little of: {accounts}")));
        }
        if self.is_verified_low() {
            let required = self.require_verified.unwrap_or_default();
            lines.push(format!(
                "--require-verified {required}: digests prove too little of the days held; see `rolecall verify`"
            ));
            let accounts = self.accounts(|held| held.unverified(required));
            lines.extend(accounts.map(|accounts| format!("verified too little of: {accounts}")));
        }
        lines.extend(self.told_of_spared());
        if self.all {
            lines.push(format!("{}: exit code {}", self.headline(), self.exit().code()));
        }
        for line in lines {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(std::io::stderr(), "{}", term::visible(&line));
        }
    }

    /// The accounts of which there is too little in some window, each with its least share and the regions that fell
    /// silent; none where it is not for them.
    fn accounts<'a>(&'a self, low: impl Fn(&'a Held) -> Vec<(&'a str, f64)>) -> Option<String> {
        let judged = self.done().filter(|(_, done)| done.judged);
        let mut least: BTreeMap<&str, (f64, &[String])> = BTreeMap::new();
        for held in judged.filter_map(|(_, done)| done.held.as_ref()) {
            for (account, share) in low(held) {
                let silent = held.silent.get(account).map(Vec::as_slice).unwrap_or_default();
                let known = least.entry(account).or_insert((share, silent));
                known.0 = known.0.min(share);
            }
        }
        let mut least: Vec<_> = least.into_iter().collect();
        least.sort_by(|a, b| a.1.0.total_cmp(&b.1.0).then(a.0.cmp(b.0)));
        let each = least.iter().take(NAMED).map(|(account, (share, silent))| match silent {
            [] => format!("account {account} {share:.3}"),
            silent => format!("account {account} {share:.3} ({} fell silent)", silent.join(", ")),
        });
        let text = each.collect::<Vec<_>>().join(", ");
        match least.len().saturating_sub(NAMED) {
            0 => Some(text).filter(|text| !text.is_empty()),
            more => Some(format!("{text} and {more} more")),
        }
    }

    /// Accounts that were not asked for, once, where somebody asked.
    fn told_of_spared(&self) -> Option<String> {
        self.require_coverage.or(self.require_verified)?;
        let held = self.done().filter_map(|(_, done)| done.held.as_ref());
        let spared: BTreeMap<&String, &String> = held.flat_map(|held| &held.spared).collect();
        let each: Vec<String> =
            spared.iter().map(|(account, why)| format!("{account} ({why})")).collect();
        (!each.is_empty()).then(|| format!("not asked for coverage: account {}", each.join(", ")))
    }

    /// Exceptions that have expired, and those that are about nothing.
    fn told_of_exceptions(&self) -> Vec<String> {
        let Some(exceptions) = self.exceptions else { return Vec::new() };
        let sum = |of: fn(&Tally) -> &BTreeMap<String, u64>, id: &str| -> u64 {
            self.done().filter_map(|(_, done)| of(&done.tally).get(id)).sum()
        };
        let mut lines = Vec::new();
        for exception in exceptions.all() {
            let about = exception.report.as_deref();
            // Of a single report nothing follows for an exception that may be about others, and where a report
            // failed nobody knows.
            let looked = match about {
                Some(report) => self.done().any(|(name, _)| name == report),
                None => self.all && self.failed() == 0,
            };
            let (id, owner) = (&exception.id, &exception.owner);
            let expired = sum(|tally| &tally.expired, id);
            if expired > 0 {
                let rows = term::count(expired, "row");
                let verb = if expired == 1 { "counts" } else { "count" };
                let when = &exception.expires;
                lines.push(format!(
                    "exception {id} expired on {when} and {rows} {verb} again (owner {owner})"
                ));
            } else if looked && sum(|tally| &tally.excepted, id) == 0 {
                lines.push(format!(
                    "exception {id} matches no row (owner {owner}): is it still needed?"
                ));
            }
        }
        lines
    }
}

/// `STALE 2, USED 10`
pub(super) fn counts(counts: &BTreeMap<String, u64>) -> String {
    let name = |name: &str| if name.is_empty() { "none".to_owned() } else { name.to_owned() };
    let each: Vec<String> =
        counts.iter().map(|(value, count)| format!("{} {count}", name(value))).collect();
    each.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(findings: u64, coverage: f64) -> Ran {
        judged(findings, coverage, true)
    }

    fn judged(findings: u64, coverage: f64, judged: bool) -> Ran {
        let tally = Tally {
            rows: 3,
            findings: BTreeMap::from([("STALE".to_owned(), findings)]),
            lowest_coverage: Some(coverage),
            ..Tally::default()
        };
        let done = Done { tally, held: None, judged, files: Vec::new(), notes: Vec::new() };
        Ran { name: "keys".to_owned(), outcome: Ok(done) }
    }

    fn summary(ran: Vec<Ran>, require_coverage: Option<f64>) -> RunSummary<'static> {
        RunSummary {
            ran,
            all: true,
            fails: true,
            require_coverage,
            require_verified: None,
            exceptions: None,
            as_of: 0,
        }
    }

    #[test]
    fn the_worst_counts() {
        let failed = || Ran { name: "x".to_owned(), outcome: Err("no".to_owned()) };
        let exit = |ran, required| summary(ran, required).exit().code();
        assert_eq!(exit(vec![ran(0, 1.0)], Some(0.9)), 0);
        assert_eq!(exit(vec![ran(0, 1.0), ran(2, 1.0)], Some(0.9)), 3);
        assert_eq!(exit(vec![ran(2, 1.0), ran(0, 0.5)], Some(0.9)), 4);
        assert_eq!(exit(vec![ran(2, 0.5), failed()], Some(0.9)), 1);
        assert_eq!(exit(vec![ran(2, 0.5)], None), 3);
        assert_eq!(exit(vec![ran(2, 0.9)], Some(0.9)), 3);
        assert_eq!(exit(vec![], Some(0.9)), 4);
        // What does not rest on the logs counts neither way.
        assert_eq!(exit(vec![judged(0, 0.1, false)], Some(0.9)), 0);
        assert_eq!(exit(vec![judged(2, 0.1, false)], Some(0.9)), 3);
        assert_eq!(exit(vec![judged(0, 0.1, false), ran(0, 1.0)], Some(0.9)), 0);
        assert_eq!(exit(vec![judged(0, 1.0, false), ran(0, 0.1)], Some(0.9)), 4);
    }

    #[test]
    fn what_digests_prove_is_asked_of_every_account() {
        let with = |verified: &[(&str, f64)]| {
            let verified = verified.iter().map(|(account, share)| ((*account).to_owned(), *share));
            let mut ran = ran(0, 1.0);
            if let Ok(done) = &mut ran.outcome {
                done.held = Some(Held {
                    share: 1.0,
                    verified: verified.collect(),
                    silent: BTreeMap::from([("1".to_owned(), vec!["eu-west-1".to_owned()])]),
                    ..Held::default()
                });
            }
            RunSummary { require_verified: Some(0.9), ..summary(vec![ran], None) }
        };
        assert_eq!(with(&[("1", 0.95), ("2", 1.0)]).exit().code(), 0);
        let low = with(&[("1", 0.5), ("2", 0.0), ("3", 1.0)]);
        assert_eq!(low.exit().code(), 4);
        assert_eq!(
            low.accounts(|held| held.unverified(0.9)).as_deref(),
            Some("account 2 0.000, account 1 0.500 (eu-west-1 fell silent)")
        );
        assert_eq!(with(&[]).exit().code(), 4);
    }
}
