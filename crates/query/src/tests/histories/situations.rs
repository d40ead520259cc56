//! Situations made by hand, some thirty and more of each kind that once made a report wrong, each with the verdicts that are
//! right, worked out from the rule.
//!
//! A situation is an account in which one thing matters; tables of days and kinds make the many. All lie in one lake, and
//! each way to ask is asked once.

mod changed;
mod ended;
mod mixed;
mod newest;
mod now;
mod unseen;

use std::collections::BTreeMap;

use tokio::sync::OnceCell;

use super::ask::{Said, ask};
use super::rows;
use super::story::tell;
use super::truth::{Account, Call, DAY, HOME, HOUR, Held, OTHER, Part, Reading, Sort, Thing, Time};
use super::{Way, at};

/// As of when reports are asked, where a situation says nothing else.
fn now() -> Time {
    at("2026-07-01T12:00:00")
}

/// So many days and hours before.
fn ago(days: i64, hours: i64) -> Time {
    now() - days * DAY - hours * HOUR
}

/// Verdicts that leave a thing where it is.
const STAYS: &[&str] = &[
    "USED",
    "NEVER_USED_YOUNG",
    "INACTIVE",
    "UNKNOWN",
    "MIGRATE",
    "BLOCKED",
    "INSUFFICIENT_COVERAGE",
];
/// Not enough is known for any of the others.
const NOT_KNOWN: &[&str] = &["UNKNOWN", "INSUFFICIENT_COVERAGE"];

/// So many of what is wrong are told in full.
const STORIES: usize = 8;

/// What a report has to say of every row of the account.
struct Check {
    report: &'static str,
    allowed: &'static [&'static str],
    /// It must have a row.
    has_row: bool,
}

struct Situation {
    name: String,
    account: Account,
    way: Way,
    checks: Vec<Check>,
}

impl Situation {
    fn new(name: impl Into<String>) -> Self {
        let way = Way::days(now(), 90);
        Self { name: name.into(), account: Account::default(), way, checks: Vec::new() }
    }

    /// Logs of both regions from so many days ago until so many.
    fn logs(mut self, from: i64, until: i64) -> Self {
        for day in from_to(from, until) {
            self = self.log(HOME, day).log(OTHER, day);
        }
        self
    }

    fn log(mut self, region: &'static str, days_ago: i64) -> Self {
        self.account.logs.insert((region, now() / DAY - days_ago), Held::Whole);
        self
    }

    fn unlogged(mut self, region: &'static str, days_ago: i64) -> Self {
        self.account.logs.remove(&(region, now() / DAY - days_ago));
        self
    }

    fn write_only(mut self) -> Self {
        self.account.write_only = true;
        self
    }

    fn has(mut self, sort: Sort, made: Time) -> Self {
        let (name, prefix, event) = match sort {
            Sort::User => ("u", "AIDA", "CreateUser"),
            Sort::Key => ("u", "AKIA", "CreateAccessKey"),
            Sort::Password => ("u", "", "CreateLoginProfile"),
            Sort::Service => ("u", "ACCA", "CreateServiceSpecificCredential"),
            Sort::Role => ("r", "AROA", "CreateRole"),
        };
        let credential = matches!(sort, Sort::Key | Sort::Password | Sort::Service);
        let things = &self.account.things;
        let owner = things.iter().rposition(|thing| thing.sort == Sort::User);
        // Ids are made when the account has its number.
        let id = format!("{prefix}{}", things.len());
        let of = self.account.add(Thing {
            sort,
            name: name.to_owned(),
            id,
            owner: if credential { owner } else { None },
            made,
            gone: None,
            switched: Vec::new(),
            reset: Vec::new(),
            uses: Vec::new(),
        });
        self.account.changed(made, event, of);
        self
    }

    /// A user with an active key, both made then.
    fn key(self, made: Time) -> Self {
        self.has(Sort::User, made).has(Sort::Key, made)
    }

    fn last(&self, sort: Sort) -> usize {
        self.account.things.iter().rposition(|thing| thing.sort == sort).unwrap()
    }

    /// The newest of the sort is used; IAM knows of it at once.
    fn used(mut self, sort: Sort, time: Time, call: Call, region: &'static str) -> Self {
        let of = self.last(sort);
        self.account.uses(of, time, call, region, 0);
        self
    }

    /// Used where no log tells.
    fn used_unseen(self, sort: Sort, time: Time) -> Self {
        self.used(sort, time, Call::Data, HOME)
    }

    fn gone(mut self, sort: Sort, time: Time) -> Self {
        let of = self.last(sort);
        self.account.things[of].gone = Some(time);
        self.account.changed(time, super::draw::deletes(sort), of);
        self
    }

    fn switched(mut self, time: Time, active: bool) -> Self {
        let of = self.last(Sort::Key);
        self.account.things[of].switched.push((time, active));
        let event = if active { "UpdateAccessKey Active" } else { "UpdateAccessKey Inactive" };
        self.account.changed(time, event, of);
        self
    }

    fn reset(mut self, time: Time) -> Self {
        let of = self.last(Sort::Password);
        self.account.things[of].reset.push(time);
        self.account.changed(time, "UpdateLoginProfile", of);
        self
    }

    fn changed(mut self, sort: Sort, event: &'static str, time: Time) -> Self {
        let of = self.last(sort);
        self.account.changed(time, event, of);
        self
    }

    /// All parts are read.
    fn read(self, at: Time) -> Self {
        self.read_parts(&Part::ALL.map(|part| (part, at)))
    }

    fn read_parts(mut self, parts: &[(Part, Time)]) -> Self {
        self.account.readings.push(Reading(parts.iter().copied().collect()));
        self
    }

    fn asked(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    fn says(mut self, report: &'static str, allowed: &'static [&'static str]) -> Self {
        self.checks.push(Check { report, allowed, has_row: true });
        self
    }

    /// As [`Self::says`], or has no row of it.
    fn may_say(mut self, report: &'static str, allowed: &'static [&'static str]) -> Self {
        self.checks.push(Check { report, allowed, has_row: false });
        self
    }

    /// No report of keys lets go.
    fn keeps_key(self) -> Self {
        self.may_say("stale-keys", STAYS).may_say("key-migration", STAYS)
    }

    fn keeps_role(self) -> Self {
        self.may_say("unused-roles", STAYS)
    }

    fn keeps_user(self) -> Self {
        self.may_say("unused-users", STAYS)
    }

    /// Gives the account its number, and the ids that go with it.
    fn numbered(mut self, number: usize) -> Self {
        self.account.number = format!("{:012}", 200_000_000_000_usize + number * 6_007);
        for thing in &mut self.account.things {
            if thing.sort != Sort::Password {
                thing.id = format!("{}N{}", thing.id, number);
            }
        }
        self.account.changes.sort_by_key(|change| change.time);
        self
    }

    /// What is wrong in one line, and the story.
    fn wrong(&self, check: &Check, said: &[Said]) -> Option<(String, Vec<String>)> {
        let own: Vec<&Said> =
            said.iter().filter(|said| said.account == self.account.number).collect();
        let right = |said: &&Said| check.allowed.contains(&said.verdict.as_str());
        if own.iter().all(right) && (!own.is_empty() || !check.has_row) {
            return None;
        }
        let verdicts: Vec<&str> = own.iter().map(|said| said.verdict.as_str()).collect();
        let verdicts = if own.is_empty() { "nothing".to_owned() } else { verdicts.join(", ") };
        let right = if check.allowed == STAYS {
            "that it stays".to_owned()
        } else {
            check.allowed.join(" or ")
        };
        let line = format!("{}: {} says {verdicts}, right is {right}", self.name, check.report);
        let sort = if check.report == "unused-roles" { Sort::Role } else { Sort::User };
        let of = self.account.things.iter().rposition(|thing| thing.sort == sort);
        let story = of.map(|of| tell(&self.account, of, self.way.as_of));
        Some((line, story.unwrap_or_default()))
    }
}

fn from_to(from: i64, until: i64) -> impl Iterator<Item = i64> {
    (until..=from).rev()
}

/// A kind's situations: how many, and what is wrong of them, each in one line and as its story.
type Judged = BTreeMap<&'static str, (usize, Vec<(String, Vec<String>)>)>;

static JUDGED: OnceCell<Judged> = OnceCell::const_new();

/// All kinds lie in one lake, and each way to ask is asked once.
async fn judge() -> Judged {
    let kinds = [
        ("ended", ended::situations()),
        ("unseen", unseen::situations()),
        ("mixed", mixed::situations()),
        ("newest", newest::situations()),
        ("changed", changed::situations()),
        ("now", now::situations()),
    ];
    let all = kinds.into_iter().flat_map(|(kind, of)| of.into_iter().map(move |one| (kind, one)));
    let all: Vec<(&str, Situation)> = all
        .enumerate()
        .map(|(number, (kind, situation))| (kind, situation.numbered(number)))
        .collect();
    let accounts: Vec<Account> = all.iter().map(|(_, one)| one.account.clone()).collect();
    let session = rows::lake(&accounts, 1).open(0).await;
    let mut answers: BTreeMap<String, Vec<Said>> = BTreeMap::new();
    let mut judged = Judged::new();
    for (kind, situation) in &all {
        let (count, wrong) = judged.entry(kind).or_default();
        *count += 1;
        for check in &situation.checks {
            let given = situation.way.given(check.report);
            let asked = format!("{} {given:?}", check.report);
            if !answers.contains_key(&asked) {
                let said = ask(&session, check.report, &given).await;
                answers.insert(asked.clone(), said);
            }
            wrong.extend(situation.wrong(check, &answers[&asked]));
        }
    }
    judged
}

async fn right(kind: &str) {
    let (count, wrong) = &JUDGED.get_or_init(judge).await[kind];
    assert!(*count >= 30, "{kind}: {count} situations");
    let lines: Vec<&str> = wrong.iter().map(|(line, _)| line.as_str()).collect();
    let stories = wrong.iter().take(STORIES);
    let stories: Vec<String> =
        stories.map(|(line, story)| format!("\n{line}\n{}", story.join("\n"))).collect();
    assert!(
        wrong.is_empty(),
        "{kind}: {} wrong answers on {count} situations\n{}\n{}",
        wrong.len(),
        lines.join("\n"),
        stories.join("\n")
    );
}

/// A1: what nobody has told of since is not known.
#[tokio::test]
async fn logs_and_inventory_that_ended() {
    right("ended").await;
}

/// A2: what logs cannot show.
#[tokio::test]
async fn uses_that_no_log_shows() {
    right("unseen").await;
}

/// A3: each part tells as of its own time.
#[tokio::test]
async fn dumps_of_mixed_ages() {
    right("mixed").await;
}

/// A4: a user is as young as the newest of its credentials.
#[tokio::test]
async fn users_with_new_credentials() {
    right("newest").await;
}

/// A5: what was changed is no longer what IAM was asked about.
#[tokio::test]
async fn changes_after_the_inventory() {
    right("changed").await;
}

/// A6: deleting at once cannot be taken back.
#[tokio::test]
async fn keys_to_be_deleted_at_once() {
    right("now").await;
}
