//! What the inventory knows of a key, a role or a user: also of those that the logs say nothing of.
//!
//! The newest snapshot as of the answer's "now" that has it; where a later one of the account has it no more,
//! that is said. Whether it is idle is not judged here: the report on such things says it, with its defaults.

use std::collections::BTreeMap;

use datafusion::scalar::ScalarValue;

use super::table::{Asked, Rows, values};
use super::thing::{Thing, ThingKind};
use super::{Fact, WhoAnswer, words};
use crate::{QueryError, Reports};

/// What the inventory holds.
pub(super) struct Known {
    what: What,
    found: Rows,
    as_of: i64,
    /// What the report on such things says of it; nothing of what is gone.
    verdict: Option<Fact>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Key,
    Role,
    User,
}

impl What {
    /// Table, part that has to be read for an absence to mean something, and what is asked for.
    fn query(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Key => ("iam_access_keys", "access_keys", "things.access_key_id = $thing"),
            Self::Role => (
                "iam_roles",
                "roles",
                "(things.role_id = $thing OR role_is(things.account_id, things.role_name, $thing))",
            ),
            Self::User => (
                "iam_users",
                "users",
                "(things.user_id = $thing OR role_is(things.account_id, things.user_name, $thing))",
            ),
        }
    }
}

impl What {
    /// The report that judges such things, and the column that tells them apart in an account, here and there.
    fn report(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Key => ("stale-keys", "access_key_id", "access_key_id"),
            Self::Role => ("unused-roles", "role", "role_name"),
            Self::User => ("unused-users", "user_name", "user_name"),
        }
    }

    /// The parts of the inventory that what is told of it rests on: it is as old as the oldest.
    fn rests_on(self) -> &'static str {
        match self {
            Self::Key => {
                "'access_keys', 'access_keys_of_some', 'access_key_last_used', 'credential_report'"
            }
            Self::Role => "'roles', 'role_last_used'",
            Self::User => "'users', 'credential_report'",
        }
    }
}

/// Looks for the thing in the inventory.
pub(super) async fn look(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<Known>, QueryError> {
    let kinds: &[What] = match thing.kind {
        ThingKind::LongTermKey => &[What::Key],
        ThingKind::Role => &[What::Role],
        ThingKind::User => &[What::User],
        ThingKind::UniqueId | ThingKind::Name => &[What::Role, What::User],
        _ => return Ok(None),
    };
    // Of a session's principal id only what stands before the colon is the role's.
    let wanted = thing.text.split(':').next().unwrap_or_default();
    let wanted = if thing.kind == ThingKind::UniqueId { wanted } else { thing.text.as_str() };
    let now = ScalarValue::TimestampMicrosecond(Some(as_of), Some("UTC".into()));
    let bound = values([("thing", ScalarValue::from(wanted)), ("as_of", now)]);
    for what in kinds {
        let (table, part, condition) = what.query();
        let query = format!(
            "WITH read AS (
                 SELECT snapshot_id, account_id, min(read_at) AS read_at
                 FROM iam_parts WHERE part IN ({rests_on}) GROUP BY 1, 2
             ),
             held AS (
                 SELECT iam_snapshots.snapshot_id, account_name, source,
                     coalesce(read_at, snapshot_time) AS read_at,
                     max(CASE WHEN array_has(parts, '{part}') THEN snapshot_time END)
                         OVER (PARTITION BY iam_snapshots.account_id) AS newest
                 FROM iam_snapshots
                 LEFT JOIN read
                     ON iam_snapshots.snapshot_id = read.snapshot_id
                     AND iam_snapshots.account_id = read.account_id
                 WHERE snapshot_time <= $as_of
             )
             SELECT things.*, account_name, source, newest, newest > snapshot_time AS gone, read_at,
                 arrow_cast(read_at, 'Int64') AS read_micros,
                 arrow_cast(last_used, 'Int64') AS last_used_micros
             FROM (SELECT {columns} FROM {table}) AS things JOIN held ON things.snapshot_id = held.snapshot_id
             WHERE {condition}
             ORDER BY snapshot_time DESC, things.account_id LIMIT 1",
            rests_on = what.rests_on(),
            columns = match what {
                What::User => {
                    "* EXCEPT (last_used), greatest(last_used, password_last_used) AS last_used"
                }
                What::Key | What::Role => "*",
            },
        );
        let found = session.rows(&query, &bound).await?;
        if !found.is_empty() {
            let mut known = Known { what: *what, found, as_of, verdict: None };
            if !known.is_gone() {
                known.verdict = known.judge(session).await?;
            }
            return Ok(Some(known));
        }
    }
    Ok(None)
}

impl Known {
    fn cell(&self, column: &str) -> &str {
        self.found.cell(0, column)
    }

    /// What the report says, in words.
    async fn judge(&self, session: &Asked<'_>) -> Result<Option<Fact>, QueryError> {
        let (name, column, here) = self.what.report();
        let reports = Reports::built_in()?;
        let report = reports.get(name)?;
        let mut given =
            BTreeMap::from([("account".to_owned(), self.cell("account_id").to_owned())]);
        match self.what {
            What::Key => {
                given.insert("access_key".to_owned(), self.cell("access_key_id").to_owned())
            }
            What::Role => {
                let role = format!("{}/{}", self.cell("account_id"), self.cell("role_name"));
                given.insert("role".to_owned(), role)
            }
            What::User => None,
        };
        let rows = session.read(session.report(report, &given, self.as_of).await?).await?;
        let row = (0..rows.len()).find(|row| rows.cell(*row, column) == self.cell(here));
        Ok(row.map(|row| {
            let verdict = rows.cell(row, report.verdict_column().unwrap_or_default());
            let (confidence, reasons) = (rows.cell(row, "confidence"), rows.cell(row, "reasons"));
            let text = match confidence {
                "" => format!("{verdict}: {reasons}"),
                confidence => format!("{verdict}, {confidence} confidence: {reasons}"),
            };
            Fact::new(&format!("{name} says"), text)
        }))
    }

    /// When the inventory was taken.
    fn taken(&self) -> String {
        let ago = words::ago(self.found.number(0, "read_micros"), self.as_of);
        format!("{} ({ago})", self.cell("read_at"))
    }

    fn account(&self) -> String {
        match self.cell("account_name") {
            "" => self.cell("account_id").to_owned(),
            name => format!("{} ({name})", self.cell("account_id")),
        }
    }

    fn is_gone(&self) -> bool {
        self.cell("gone") == "true"
    }

    /// What IAM says of its last use.
    fn last_used(&self) -> String {
        if self.what == What::User {
            return self.cell("last_used").to_owned();
        }
        match self.cell("last_used") {
            "" if self.cell("last_used_known") == "true" && self.what == What::Key => {
                "never, or not since April 2015".to_owned()
            }
            "" if self.cell("last_used_known") == "true" => "not in the last 400 days".to_owned(),
            "" => "not read".to_owned(),
            time => {
                let ago = words::ago(self.found.number(0, "last_used_micros"), self.as_of);
                let place = [self.cell("last_used_service"), self.cell("last_used_region")];
                let place: Vec<&str> = place.into_iter().filter(|word| !word.is_empty()).collect();
                let place = place.join(" in ");
                if place.is_empty() {
                    format!("{time} ({ago})")
                } else {
                    format!("{time} ({ago}), {place}")
                }
            }
        }
    }

    /// The state in the inventory, in one line; whose key it is only where nothing else has named the user.
    fn state(&self, is_named: bool) -> String {
        let mut parts = Vec::new();
        if self.what == What::Key {
            let status = self.cell("status");
            parts.push(if status.is_empty() { "status not known" } else { status }.to_owned());
            if !self.cell("slot").is_empty() {
                parts.push(format!("slot {}", self.cell("slot")));
            }
            if !is_named {
                parts.push(format!("of {}", self.owner()));
            }
        }
        if !self.cell("created").is_empty() {
            parts.push(format!("created {}", self.cell("created")));
        }
        if self.is_gone() {
            parts.push(format!(
                "as of {}; gone in the snapshot of {}",
                self.cell("snapshot_time"),
                self.cell("newest")
            ));
        } else {
            parts.push(format!("as of {}", self.taken()));
        }
        parts.join(", ")
    }

    fn owner(&self) -> String {
        match self.cell("user_arn") {
            "" => format!("user {} of account {}", self.cell("user_name"), self.cell("account_id")),
            arn => arn.to_owned(),
        }
    }

    /// Adds to what the logs say.
    pub(super) fn add_to(&self, answer: &mut WhoAnswer) {
        let label = if self.what == What::User { "console's last use" } else { "IAM's last use" };
        let owner = self.owner();
        let is_named = answer.facts.iter().any(|fact| fact.text.contains(&owner));
        answer.fact("in the inventory", self.state(is_named));
        answer.fact(label, self.last_used());
        if let Some(verdict) = &self.verdict {
            answer.fact(&verdict.label, verdict.text.as_str());
        }
    }

    /// An answer of its own, where no record in the logs names it.
    pub(super) async fn alone(
        &self,
        session: &Asked<'_>,
        thing: &Thing,
    ) -> Result<WhoAnswer, QueryError> {
        let mut answer = WhoAnswer::new(thing);
        let (what, label, arn) = match self.what {
            What::Key => (format!("a long-term access key of {}", self.owner()), "who", "user_arn"),
            What::Role => (format!("role {}", self.cell("role_arn")), "role", "role_arn"),
            What::User => (format!("{}, an IAM user", self.owner()), "who", "user_arn"),
        };
        answer.headline = format!(
            "{what}, known to the inventory of {}: no record in the logs held",
            self.cell("snapshot_time")
        );
        answer.fact(label, self.cell(arn));
        answer.fact("account", self.account());
        let id = if self.what == What::Role { "role_id" } else { "user_id" };
        if self.what != What::Key {
            answer.fact("unique id", self.cell(id));
        }
        self.add_to(&mut answer);
        if self.what == What::User {
            answer.table("Its keys", self.keys(session).await?);
        }
        self.say_what_is_held(session, &mut answer).await?;
        answer.note(
            "quiet is not unused: calls that no trail records (reading objects and the like) leave no trace, and \
             neither do those of accounts, regions and days that the lake does not hold",
        );
        let account = self.cell("account_id");
        let (report, shows) = match self.what {
            What::Key => ("stale-keys", "what IAM and the logs together say of the account's keys"),
            What::Role => {
                ("unused-roles", "what IAM and the logs together say of the account's roles")
            }
            What::User => {
                ("unused-users", "what IAM and the logs together say of the account's users")
            }
        };
        answer.next(&format!("rolecall report {report} --account {account}"), shows);
        if self.what == What::Key && !self.cell("user_arn").is_empty() {
            let user = words::quoted(self.cell("user_arn"));
            answer.next(&format!("rolecall who {user}"), "the user's other keys");
        }
        Ok(answer)
    }

    async fn keys(&self, session: &Asked<'_>) -> Result<Rows, QueryError> {
        let query = "SELECT access_key_id AS key, slot, status, created, last_used, last_used_service AS service \
             FROM iam_access_keys WHERE snapshot_id = $snapshot AND user_name = $user ORDER BY created, key";
        let bound = values([
            ("snapshot", ScalarValue::from(self.cell("snapshot_id"))),
            ("user", ScalarValue::from(self.cell("user_name"))),
        ]);
        session.rows(query, &bound).await
    }

    /// Which logs of its account there are.
    async fn say_what_is_held(
        &self,
        session: &Asked<'_>,
        answer: &mut WhoAnswer,
    ) -> Result<(), QueryError> {
        let query = "SELECT min(first_event_time) AS first, max(last_event_time) AS last, sum(files) AS files \
             FROM coverage WHERE account_id = $account";
        let account = self.cell("account_id");
        let held = session.rows(query, &values([("account", ScalarValue::from(account))])).await?;
        if held.number(0, "files") == 0 {
            answer.note(format!("the lake holds no logs of account {account}"));
        } else {
            let span = words::span(held.cell(0, "first"), held.cell(0, "last"));
            answer.fact("logs held", format!("of this account: {span}"));
        }
        Ok(())
    }
}
