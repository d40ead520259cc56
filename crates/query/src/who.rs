//! Who is behind one name: an access key, a role, a user, a session, an event or an address.
//!
//! Recognises what kind of name it is, asks the views, and answers in one screen: who, through which
//! chain, from where, when, doing what, and how sure that is. The answer is data; how it looks is the
//! caller's business. Text in it comes from logs and is hostile.

use std::collections::BTreeSet;

use crate::functions::agent;
use crate::{QueryError, Session};

mod address;
mod caller;
mod change;
mod event;
mod forwarded;
mod inventory;
mod key;
mod missing;
mod person;
mod principal;
mod role;
mod root;
mod session;
mod table;
mod thing;
mod words;

use self::table::Asked;
use self::thing::Thing;
pub use self::thing::ThingKind;

/// An answer to "who is this?".
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WhoAnswer {
    /// What was asked for.
    pub thing: String,
    /// What it was taken for.
    pub kind: ThingKind,
    /// Whether the lake knows it.
    pub found: bool,
    /// The answer in one sentence.
    pub headline: String,
    /// What is known, in order of interest.
    pub facts: Vec<Fact>,
    /// From the origin down to the thing; empty where there is no chain.
    pub chain: Vec<ChainStep>,
    /// Short lists.
    pub tables: Vec<WhoTable>,
    /// How sure this is, and what is not known.
    pub notes: Vec<String>,
    /// Where to look next.
    pub next: Vec<NextCommand>,
}

/// One thing that is known.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fact {
    /// What it is about, in a word or two.
    pub label: String,
    /// What is known.
    pub text: String,
    /// All of it and as recorded, where the text has the first few of a list or a short form.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

impl Fact {
    /// A fact that its text says all of.
    pub fn new(label: &str, text: impl Into<String>) -> Self {
        Self { label: label.to_owned(), text: text.into(), values: Vec::new() }
    }
}

/// One step of a chain.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ChainStep {
    /// Who acts from here on.
    pub principal: String,
    /// Under which session name: which instance, which run; empty for the origin.
    pub session_name: String,
    /// How this came from the step before; empty for the origin.
    pub how: String,
    /// When, as text; empty for the origin.
    pub time: String,
    /// The session, to ask on about; empty for the origin.
    pub session_id: String,
}

/// A short list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WhoTable {
    /// What it lists.
    pub title: String,
    /// Column titles.
    pub columns: Vec<String>,
    /// Rows of as many cells; absent values are empty.
    pub rows: Vec<Vec<String>>,
    /// How many rows there are more, which are left out.
    pub more: usize,
}

/// A command that tells more.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NextCommand {
    /// The command line, quoted for a shell.
    pub command: String,
    /// What it shows.
    pub shows: String,
}

impl WhoAnswer {
    fn new(thing: &Thing) -> Self {
        Self {
            thing: thing.text.clone(),
            kind: thing.kind,
            found: true,
            headline: String::new(),
            facts: Vec::new(),
            chain: Vec::new(),
            tables: Vec::new(),
            notes: Vec::new(),
            next: Vec::new(),
        }
    }

    /// Adds a fact, unless there is nothing to say.
    fn fact(&mut self, label: &str, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.facts.push(Fact::new(label, text));
        }
    }

    /// Adds a list: the first few for the eye, all of it for programs.
    fn list(&mut self, label: &str, list: &[String], most: usize) {
        let values = if list.len() > most { list.to_vec() } else { Vec::new() };
        if !list.is_empty() {
            self.facts.push(Fact { values, ..Fact::new(label, words::few(list, most)) });
        }
    }

    /// Adds the programs that user agents name, and the user agents for programs.
    fn agents(&mut self, list: &[String]) {
        let families: BTreeSet<_> =
            list.iter().map(|agent| agent::family(agent).unwrap_or(agent).to_owned()).collect();
        let families: Vec<_> = families.into_iter().collect();
        if !list.is_empty() {
            let text = words::few(&families, 5);
            self.facts.push(Fact { values: list.to_vec(), ..Fact::new("with", text) });
        }
    }

    /// As [`Self::agents`], of one call.
    fn agent(&mut self, agent: &str) {
        if !agent.is_empty() {
            self.agents(&[agent.to_owned()]);
        }
    }

    /// Adds a table, unless it is empty.
    fn table(&mut self, title: &str, table: table::Rows) {
        if !table.is_empty() {
            self.tables.push(table.titled(title));
        }
    }

    fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    fn next(&mut self, command: &str, shows: &str) {
        self.next.push(NextCommand { command: command.to_owned(), shows: shows.to_owned() });
    }
}

/// Answers who `thing` is. `as_of` is the answer's "now", in microseconds since the Unix epoch.
pub async fn who(session: &Session, thing: &str, as_of: i64) -> Result<WhoAnswer, QueryError> {
    who_in_zone(session, thing, as_of, table::UTC).await
}

/// As [`who`], with times as they are in `zone`, a name such as `Europe/Berlin` or an offset.
pub async fn who_in_zone(
    session: &Session,
    thing: &str,
    as_of: i64,
    zone: &str,
) -> Result<WhoAnswer, QueryError> {
    let session = &Asked::new(session, zone);
    let thing = in_account(session, Thing::recognise(thing)).await?;
    let answer = match thing.kind {
        ThingKind::LongTermKey => key::long_term(session, &thing, as_of).await?,
        ThingKind::TemporaryKey => session::by_key(session, &thing, as_of).await?,
        ThingKind::Role => role::answer(session, &thing, as_of).await?,
        ThingKind::User => principal::by_arn(session, &thing, as_of).await?,
        ThingKind::Root => root::answer(session, &thing, as_of).await?,
        ThingKind::Session => session::by_arn(session, &thing, as_of).await?,
        ThingKind::Event => match event::answer(session, &thing, as_of).await? {
            // The ids of people in an identity store look like those of events.
            None => person::answer(session, &thing, as_of).await?,
            found => found,
        },
        ThingKind::Address => address::answer(session, &thing, as_of).await?,
        ThingKind::UniqueId => principal::by_unique_id(session, &thing, as_of).await?,
        ThingKind::Name => by_name(session, &thing, as_of).await?,
    };
    let known = inventory::look(session, &thing, as_of).await?;
    // What no record was signed by may still be named by one.
    let answer = match answer {
        None => change::answer(session, &thing).await?,
        some => some,
    };
    if let Some(mut answer) = answer {
        // A bare name may be another's here than there.
        if let Some(known) = known.filter(|_| thing.kind != ThingKind::Name) {
            known.add_to(&mut answer);
        }
        return Ok(answer);
    }
    if let Some(known) = known {
        return known.alone(session, &thing).await;
    }
    if let Some(answer) = caller::answer(session, &thing, as_of).await? {
        return Ok(answer);
    }
    // What stands where an address should: a service, or what the log has of a broken one.
    if let Some(answer) = address::answer(session, &thing, as_of).await? {
        return Ok(answer);
    }
    if let Some(account) = account_called(session, &thing.text).await? {
        let account = Thing::recognise(&account);
        if let Some(answer) = caller::answer(session, &account, as_of).await? {
            return Ok(answer);
        }
    }
    missing::answer(session, &thing).await
}

/// A role of an account that is called by its name, as `Production/Deploy`, gets the account's id.
async fn in_account(session: &Asked<'_>, thing: Thing) -> Result<Thing, QueryError> {
    let Some((account, role)) =
        thing.text.split_once('/').filter(|_| thing.kind == ThingKind::Name)
    else {
        return Ok(thing);
    };
    let id = account_called(session, account).await?;
    Ok(id.map_or(thing.clone(), |id| Thing::recognise(&format!("{id}/{role}"))))
}

/// The id of the one account that an inventory or the list of accounts calls so.
async fn account_called(session: &Asked<'_>, name: &str) -> Result<Option<String>, QueryError> {
    let bound = table::values([("name", datafusion::scalar::ScalarValue::from(name))]);
    let mut ids = BTreeSet::new();
    for query in [
        "SELECT DISTINCT account_id AS id FROM iam_snapshots WHERE lower(account_name) = lower($name)",
        "SELECT DISTINCT known_account_id AS id FROM known_accounts WHERE lower(name) = lower($name)",
    ] {
        let found = session.rows(query, &bound).await?;
        ids.extend(found.column("id").map(str::to_owned));
    }
    Ok(ids.pop_first().filter(|_| ids.is_empty()))
}

/// A bare name may be a role's, a user's or a session's; or an event id of an unusual form.
async fn by_name(
    session: &Asked<'_>,
    thing: &Thing,
    as_of: i64,
) -> Result<Option<WhoAnswer>, QueryError> {
    if let Some(answer) = role::answer(session, thing, as_of).await? {
        return Ok(Some(answer));
    }
    if let Some(answer) = principal::by_name(session, thing, as_of).await? {
        return Ok(Some(answer));
    }
    if let Some(answer) = person::answer(session, thing, as_of).await? {
        return Ok(Some(answer));
    }
    if let Some(answer) = session::by_name(session, thing, as_of).await? {
        return Ok(Some(answer));
    }
    event::answer(session, thing, as_of).await
}
