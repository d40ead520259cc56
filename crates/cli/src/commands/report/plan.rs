//! What was asked for, checked as a whole before anything runs: which reports with which values, which
//! verdicts count, and where the results go.

use std::collections::BTreeMap;
use std::path::Path;

use rolecall_query::{Findings, NamedOwner, Networks, Report, Reports, Values, Window, parse_time};

use super::exceptions::Exceptions;
use super::webhook::Webhook;
use super::{networks, owners};
use crate::commands::{self, Context, is_account};
use crate::exit::Usage;
use crate::render::Format;
use crate::settings::{did_you_mean, parse_zone};
use crate::{args, clock};

/// See the module.
pub(super) struct Plan<'a> {
    /// The reports to run, by name.
    pub(super) jobs: Vec<Job<'a>>,
    /// Whether it is `--all`, where one report that fails does not end the run.
    pub(super) all: bool,
    /// Whether some verdict was asked about.
    pub(super) fails: bool,
    /// The share of account-days that must be held.
    pub(super) require_coverage: Option<f64>,
    /// The share of the days held that digests must prove, of every account.
    pub(super) require_verified: Option<f64>,
    /// Accounts that are not asked for, by id or name.
    pub(super) ignored: Vec<String>,
    pub(super) exceptions: Option<Exceptions>,
    pub(super) output: Option<rolecall_lake::Place>,
    pub(super) since_last: bool,
    /// The column by whose values lists are made too; reports without it have none.
    pub(super) split_by: Option<String>,
    pub(super) networks: Networks,
    pub(super) owners: Vec<NamedOwner>,
    /// Zone of the times that people see.
    pub(super) zone: String,
    pub(super) webhook: Option<Webhook>,
    /// The clock, read once.
    pub(super) now: i64,
}

/// One report with its values.
pub(super) struct Job<'a> {
    pub(super) report: &'a Report,
    /// As typed.
    pub(super) given: BTreeMap<String, String>,
    pub(super) values: Values,
    pub(super) window: Window,
    /// The account that the values ask for.
    pub(super) account: Option<String>,
    pub(super) wanted: Wanted,
}

/// Which rows count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// None: nobody asked.
    None,
    /// Every row.
    All,
    /// Those with one of these verdicts, in any case.
    Verdicts(Vec<String>),
}

impl Wanted {
    /// Whether a row with that verdict counts.
    pub(super) fn counts(&self, verdict: Option<&str>) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Verdicts(wanted) => {
                verdict.is_some_and(|v| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(v)))
            }
        }
    }

    /// What the report itself calls findings.
    pub(super) fn of(report: &Report) -> Self {
        match &report.findings {
            None => Self::None,
            Some(Findings::All) => Self::All,
            Some(Findings::In { values, .. }) => Self::Verdicts(values.clone()),
        }
    }
}

impl<'a> Plan<'a> {
    /// Checks everything.
    pub(super) fn new(
        context: &Context,
        args: &args::Report,
        reports: &'a Reports,
    ) -> anyhow::Result<Self> {
        let now = clock::now_micros();
        let scheduled = &args.scheduled;
        let chosen: Vec<&Report> = match &args.name {
            Some(name) => vec![reports.get(name).map_err(commands::query_error)?],
            None => reports
                .list()
                .filter(|report| report.in_all && !report.params.iter().any(|p| p.required))
                .collect(),
        };
        let given = parameters(args)?;
        let zone = zone(scheduled.tz.as_deref())?;
        if let Some(text) = given.get("as_of") {
            warn_of_future(text, now);
        }
        let wanted = wanted(&chosen, &scheduled.fail_on)?;
        let jobs = chosen.iter().zip(wanted).map(|(&report, wanted)| {
            let given = with_zone(report, given.clone(), zone.as_deref());
            job(report, &given, args.all, wanted, now).map_err(anyhow::Error::from)
        });
        let jobs = jobs.collect::<anyhow::Result<Vec<_>>>()?;
        for name in given.keys().filter(|_| args.all) {
            if !chosen.iter().any(|report| report.params.iter().any(|param| param.name == *name)) {
                return Err(Usage::new(format!("no report has a parameter '{name}'")).into());
            }
        }
        if args.all
            && scheduled.output.is_none()
            && !matches!(context.format(), Format::Table | Format::Markdown)
        {
            let message = format!(
                "--all --format {}: several results are no one file: name a folder or s3:// with --output",
                context.format()
            );
            return Err(Usage::new(message).into());
        }
        if scheduled.since_last
            && !args.all
            && let Some(job) = jobs.iter().find(|job| job.report.key.is_empty())
        {
            let name = &job.report.name;
            let message = format!(
                "--since-last: report {name} does not say by which columns a row is known again (key, in its front-matter)"
            );
            return Err(Usage::new(message).into());
        }
        if let Some(column) = &scheduled.split_by {
            known_column(&chosen, column)?;
        }
        let read = |path: &std::path::PathBuf| Exceptions::read(path, reports);
        let mut named = networks::Lists::default();
        for path in &scheduled.networks {
            named.read(path)?;
        }
        let webhook = scheduled.webhook.as_ref().or(context.settings.webhook.as_ref());
        Ok(Self {
            all: args.all,
            fails: !scheduled.fail_on.is_empty(),
            require_coverage: share("--require-coverage", scheduled.require_coverage.as_deref())?,
            require_verified: share("--require-verified", scheduled.require_verified.as_deref())?,
            ignored: scheduled.ignore_account.clone(),
            exceptions: scheduled.exceptions.as_ref().map(read).transpose()?,
            since_last: scheduled.since_last,
            split_by: scheduled.split_by.clone(),
            networks: context.networks(named.own)?.with_aws_ranges(named.of_aws),
            owners: match &scheduled.owners {
                Some(path) => owners::read(path)?,
                None => Vec::new(),
            },
            zone: zone.unwrap_or_else(|| "UTC".to_owned()),
            webhook: webhook
                .map(|url| Webhook::new(url.clone(), usize::from(scheduled.webhook_rows)))
                .transpose()?,
            output: scheduled.output.as_deref().map(|uri| place(context, uri)).transpose()?,
            jobs,
            now,
        })
    }
}

impl Plan<'_> {
    /// Gives every report that was given `name` another value of it.
    pub(super) fn give(&mut self, name: &str, value: &str) -> Result<(), Usage> {
        for job in self.jobs.iter_mut().filter(|job| job.given.contains_key(name)) {
            job.given.insert(name.to_owned(), value.to_owned());
            let values = job.report.bind(&job.given, self.now);
            job.values = values.map_err(|error| Usage::new(error.to_string()))?;
            job.account = account_of(&job.given);
        }
        Ok(())
    }
}

/// Nothing is known of a time that is yet to come: the reports are as of what was read, and ages count on. Today is not over
/// before tonight, and clocks differ a little.
fn warn_of_future(text: &str, now: i64) {
    const LENIENCE: i64 = 3_600_000_000;
    let Some(start) = parse_time(text, false) else { return };
    if start > now.saturating_add(LENIENCE) {
        let now = clock::format_time(now);
        tracing::warn!(
            "--as-of {text} is yet to come (it is {now}): what happens until then is in no log and no inventory"
        );
    }
}

/// A misspelt column would make no lists, without a word.
fn known_column(reports: &[&Report], name: &str) -> Result<(), Usage> {
    let columns = || reports.iter().flat_map(|report| &report.columns).map(|c| c.name.as_str());
    if columns().any(|column| column == name) {
        return Ok(());
    }
    let hint = did_you_mean(name, columns());
    let of = match reports {
        [report] => format!("report {}", report.name),
        _ => "any report".to_owned(),
    };
    Err(Usage::new(format!("--split-by {name}: that is no column of {of}{hint}")))
}

fn place(context: &Context, uri: &str) -> anyhow::Result<rolecall_lake::Place> {
    let is_other = uri.contains("://") && !uri.starts_with("s3://");
    if uri.is_empty() || is_other || (!uri.starts_with("s3://") && Path::new(uri).is_file()) {
        let message = format!("--output '{uri}': expected a folder or s3://bucket/prefix");
        return Err(Usage::new(message).into());
    }
    Ok(rolecall_lake::Place::open(uri, &context.settings.s3.storage_options(uri))?)
}

fn zone(given: Option<&str>) -> Result<Option<String>, Usage> {
    let read = |text| parse_zone(text).map_err(|reason| Usage::new(format!("--tz: {reason}")));
    given.map(read).transpose()
}

/// Nights and weekends are those of the zone in which people see times, unless another is given.
fn with_zone(
    report: &Report,
    mut given: BTreeMap<String, String>,
    zone: Option<&str>,
) -> BTreeMap<String, String> {
    if let Some(zone) = zone.filter(|_| report.params.iter().any(|param| param.name == ZONE)) {
        given.entry(ZONE.to_owned()).or_insert_with(|| zone.to_owned());
    }
    given
}

/// The parameter of reports that look at nights and weekends.
const ZONE: &str = "tz";

fn job<'a>(
    report: &'a Report,
    given: &BTreeMap<String, String>,
    all: bool,
    wanted: Wanted,
    now: i64,
) -> Result<Job<'a>, Usage> {
    let has = |name: &String| report.params.iter().any(|param| param.name == *name);
    let mut given = given.clone();
    given.retain(|name, _| !all || has(name));
    let values = report.bind(&given, now).map_err(|error| Usage::new(error.to_string()))?;
    if let Some(zone) = given.get(ZONE).filter(|_| has(&ZONE.to_owned())) {
        parse_zone(zone).map_err(|reason| Usage::new(format!("--param {ZONE}: {reason}")))?;
    }
    let window = Window::of(&values, now);
    let account = account_of(&given);
    Ok(Job { report, given, values, window, account, wanted })
}

/// The account that the values ask for, by itself or as that of a role.
fn account_of(given: &BTreeMap<String, String>) -> Option<String> {
    let of_role = |role: &String| match role.split(':').nth(4) {
        Some(account) => Some(account.to_owned()),
        None => role.split_once('/').map(|(account, _)| account.to_owned()),
    };
    let of_role = || given.get("role").and_then(of_role).filter(|account| is_account(account));
    given.get("account").cloned().or_else(of_role)
}

/// Which rows of each report count. A verdict that none of them has is a slip of the finger, after which
/// nothing would ever be found.
fn wanted(reports: &[&Report], fail_on: &[String]) -> Result<Vec<Wanted>, Usage> {
    let mut known = Vec::new();
    let mut all = vec![Wanted::None; reports.len()];
    for value in fail_on.iter().map(|value| value.trim()).filter(|value| !value.is_empty()) {
        let mut is_known = false;
        for (report, wanted) in reports.iter().zip(&mut all) {
            let more = if value.eq_ignore_ascii_case("any") {
                Wanted::of(report)
            } else if report.verdicts().iter().any(|v| v.eq_ignore_ascii_case(value)) {
                Wanted::Verdicts(vec![value.to_owned()])
            } else {
                known.extend(report.verdicts().into_iter().filter(|v| is_verdict(v)));
                Wanted::None
            };
            is_known |= more != Wanted::None;
            *wanted = match (std::mem::replace(wanted, Wanted::None), more) {
                (Wanted::All, _) | (_, Wanted::All) => Wanted::All,
                (Wanted::Verdicts(mut one), Wanted::Verdicts(more)) => {
                    one.extend(more);
                    Wanted::Verdicts(one)
                }
                (Wanted::None, other) | (other, Wanted::None) => other,
            };
        }
        if !is_known {
            return Err(unknown_verdict(reports, value, &mut known));
        }
    }
    Ok(all)
}

fn is_verdict(word: &str) -> bool {
    word.len() > 1 && word.bytes().all(|byte| !byte.is_ascii_lowercase())
}

fn unknown_verdict(reports: &[&Report], value: &str, known: &mut Vec<&str>) -> Usage {
    let of = match reports {
        [report] => format!("report {} ", report.name),
        _ => "no report ".to_owned(),
    };
    if value.eq_ignore_ascii_case("any") {
        return Usage::new(format!(
            "--fail-on any: {of}does not say which of its rows are findings: name verdicts"
        ));
    }
    known.sort_unstable();
    known.dedup();
    let hint = did_you_mean(&value.to_ascii_uppercase(), known.iter().copied());
    let verb = if reports.len() == 1 { "has no such verdict" } else { "has such a verdict" };
    let list =
        if known.is_empty() { String::new() } else { format!("; there are: {}", known.join(", ")) };
    Usage::new(format!("--fail-on {value}: {of}{verb}{hint}{list}"))
}

/// A share from 0 to 1, or per cent.
fn share(flag: &str, text: Option<&str>) -> Result<Option<f64>, Usage> {
    let Some(text) = text.map(str::trim) else { return Ok(None) };
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    let number = number.ok().filter(|share| (0.0..=1.0).contains(share));
    let bad = || Usage::new(format!("{flag} '{text}': expected a share such as 0.9, or 90%"));
    number.map(Some).ok_or_else(bad)
}

/// What was typed, by parameter; which of them a report has, it says itself.
fn parameters(args: &args::Report) -> Result<BTreeMap<String, String>, Usage> {
    let flags = [
        ("as_of", &args.as_of),
        ("days", &args.days),
        ("from", &args.from),
        ("to", &args.to),
        ("account", &args.account),
        ("role", &args.role),
        ("session", &args.session),
        ("access_key", &args.access_key),
    ];
    let mut given: BTreeMap<String, String> = flags
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
        .collect();
    for pair in &args.params {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Usage::new(format!("--param {pair}: write it as name=value")))?;
        given.insert(name.replace('-', "_"), value.to_owned());
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_numbers_or_per_cent() {
        let share =
            |text| share("--require-coverage", Some(text)).map_err(|error| error.to_string());
        assert_eq!(share("0.9"), Ok(Some(0.9)));
        assert_eq!(share(" 95 %"), Ok(Some(0.95)));
        for wrong in ["", "1.1", "-0.1", "101%", "NaN", "most"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_zone_is_told_to_reports_that_look_at_nights() {
        let reports = Reports::built_in().unwrap();
        let zone = |name: &str, given: &[(&str, &str)]| {
            let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let report = reports.get(name).unwrap();
            with_zone(report, given.collect(), Some("Asia/Tokyo")).remove("tz")
        };
        assert_eq!(zone("key-footprint", &[]).as_deref(), Some("Asia/Tokyo"));
        assert_eq!(zone("key-migration", &[]).as_deref(), Some("Asia/Tokyo"));
        assert_eq!(zone("key-footprint", &[("tz", "UTC")]).as_deref(), Some("UTC"));
        assert_eq!(zone("coverage", &[]), None);
    }

    #[test]
    fn verdicts_are_those_of_the_reports() {
        let reports = Reports::built_in().unwrap();
        let coverage = [reports.get("coverage").unwrap()];
        let both = [coverage[0], reports.get("denied").unwrap()];
        let fail_on = |reports: &[&Report], values: &[&str]| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            wanted(reports, &values).map_err(|error| error.to_string())
        };
        let verdicts = |values: &[&str]| {
            Wanted::Verdicts(values.iter().map(|value| (*value).to_owned()).collect())
        };
        assert_eq!(fail_on(&coverage, &[]), Ok(vec![Wanted::None]));
        assert_eq!(
            fail_on(&coverage, &["partial", "HELD"]),
            Ok(vec![verdicts(&["partial", "HELD"])])
        );
        assert_eq!(
            fail_on(&both, &["any"]),
            Ok(vec![
                verdicts(&[
                    "PARTIAL",
                    "EXPIRED",
                    "NOT_DELIVERED",
                    "AGGREGATED",
                    "MISSING",
                    "NO_EVIDENCE"
                ]),
                Wanted::All
            ])
        );
        assert_eq!(fail_on(&both, &["PARTIAL"]), Ok(vec![verdicts(&["PARTIAL"]), Wanted::None]));
        let error = fail_on(&coverage, &["PARTAL"]).unwrap_err();
        assert!(
            error.starts_with(
                "--fail-on PARTAL: report coverage has no such verdict: did you mean PARTIAL?"
            ),
            "{error}"
        );
        let edges = [reports.get("edges").unwrap()];
        assert!(fail_on(&edges, &["any"]).unwrap_err().contains("does not say which"));
        assert!(verdicts(&["partial"]).counts(Some("PARTIAL")));
        assert!(!verdicts(&["partial"]).counts(None) && Wanted::All.counts(None));
    }
}
