//! Every record, aggregated within one log file: who used which credential, for what, from where.
//!
//! A row's text is kept twice over by many rows: few principals make few calls. So the two halves of a
//! row, who and what, are looked up by themselves, and a row is a pair of them and an hour; what is
//! compared and copied for each record is then small enough for the cache.
//!
//! Rows keep the order in which their first records stand in the file, so that the same bytes always
//! give the same rows. Does not aggregate across files: a row belongs to exactly one log file.

use std::hash::{BuildHasher as _, Hash, Hasher};

use bumpalo::Bump;
use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::record::{Identity, Record, credential_kind, source};
use crate::rows::{ActivityRow, Micros};
use crate::time::hour_of;

/// Finds the row of a record; allocations are kept from file to file.
#[derive(Debug, Default)]
pub(crate) struct Index {
    who: Table,
    what: Table,
    rows: HashTable<(Key, u32)>,
    random: RandomState,
}

/// The halves of one file's rows.
#[derive(Default)]
pub(crate) struct Halves<'b> {
    who: Vec<Identity<'b>>,
    what: Vec<Call<'b>>,
}

/// What a record stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// How many calls.
    pub(crate) count: u64,
    /// When the last of them may have been.
    pub(crate) until: Micros,
}

impl Seen {
    /// One call, at one time.
    pub(crate) fn once(record: &Record<'_>) -> Self {
        Self { count: 1, until: record.event_time }
    }
}

/// Everything in a row but who: all of it is text of the record.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Call<'a> {
    event_source: &'a str,
    event_name: &'a str,
    event_category: Option<&'a str>,
    aws_region: Option<&'a str>,
    recipient_account_id: Option<&'a str>,
    error_code: Option<&'a str>,
    source_ip_address: Option<&'a str>,
    user_agent: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    hour: Micros,
    who: u32,
    what: u32,
}

impl Index {
    pub(crate) fn clear(&mut self) {
        self.who.places.clear();
        self.what.places.clear();
        self.rows.clear();
    }

    /// Counts `record` into its row of `rows`, a new one if it is the first of its kind.
    pub(crate) fn add<'b>(
        &mut self,
        rows: &mut Vec<ActivityRow<'b>>,
        halves: &mut Halves<'b>,
        arena: &'b Bump,
        record: &Record<'_>,
        seen: Seen,
    ) {
        let Halves { who, what } = halves;
        let key = Key {
            hour: hour_of(record.event_time),
            who: match self.who.find(who, &record.identity, &self.random) {
                Ok(place) => place,
                Err(hash) => self.who.insert(hash, who, record.identity.copy_into(arena)),
            },
            what: match self.what.find(what, &Call::of(record), &self.random) {
                Ok(place) => place,
                Err(hash) => self.what.insert(hash, what, Call::of(record).copy_into(arena)),
            },
        };
        let hash = self.random.hash_one(key);
        let found = self.rows.find(hash, |(other, _)| *other == key);
        if let Some(row) = found.and_then(|(_, place)| rows.get_mut(index(*place))) {
            row.event_count = row.event_count.saturating_add(seen.count);
            row.first_time = row.first_time.min(record.event_time);
            row.last_time = row.last_time.max(seen.until);
            return;
        }
        let halves = who.get(index(key.who)).zip(what.get(index(key.what)));
        // Both were found or put there above.
        let Some((who, what)) = halves else { return };
        let place = count(rows.len());
        rows.push(new_row(who, what, record, seen, arena));
        self.rows.insert_unique(hash, (key, place), |(key, _)| self.random.hash_one(key));
    }
}

fn new_row<'b>(
    who: &Identity<'b>,
    what: &Call<'b>,
    record: &Record<'_>,
    seen: Seen,
    arena: &'b Bump,
) -> ActivityRow<'b> {
    let (source_ip, source_service) = source(what.source_ip_address);
    ActivityRow {
        hour: hour_of(record.event_time),
        access_key_id: who.access_key_id,
        credential_kind: credential_kind(who.access_key_id),
        principal_type: who.kind,
        principal_id: who.principal_id,
        principal_arn: who.arn,
        account_id: who.account_id,
        user_name: who.user_name,
        role_arn: who.role_arn(),
        role_id: who.role_id(),
        session_name: who.session_name(),
        session_created: who.session_created,
        source_identity: who.source_identity,
        sign_in_session_arn: who.sign_in_session_arn,
        invoked_by: who.invoked_by,
        in_scope_of: who.in_scope_of,
        mfa: who.mfa,
        event_source: what.event_source,
        event_name: what.event_name,
        event_category: what.event_category,
        aws_region: what.aws_region,
        recipient_account_id: what.recipient_account_id,
        error_code: what.error_code,
        source_ip,
        source_service,
        user_agent: what.user_agent,
        event_count: seen.count,
        first_time: record.event_time,
        last_time: seen.until,
        sample_event_id: record.event_id.map(|id| -> &str { arena.alloc_str(id) }),
        sample_record_index: record.index,
    }
}

impl<'a> Call<'a> {
    fn of(record: &Record<'a>) -> Self {
        Self {
            event_source: record.event_source,
            event_name: record.event_name,
            event_category: record.event_category,
            aws_region: record.aws_region,
            recipient_account_id: record.recipient_account_id,
            error_code: record.error_code,
            source_ip_address: record.source_ip_address,
            user_agent: record.user_agent,
        }
    }

    fn copy_into<'b>(self, arena: &'b Bump) -> Call<'b> {
        let text = |text: &str| -> &'b str { arena.alloc_str(text) };
        let opt = |field: Option<&str>| field.map(text);
        Call {
            event_source: text(self.event_source),
            event_name: text(self.event_name),
            event_category: opt(self.event_category),
            aws_region: opt(self.aws_region),
            recipient_account_id: opt(self.recipient_account_id),
            error_code: opt(self.error_code),
            source_ip_address: opt(self.source_ip_address),
            user_agent: opt(self.user_agent),
        }
    }
}

/// Half of a row.
trait Half {
    /// Whether no column tells the two apart.
    fn is_same(&self, other: &Self) -> bool;

    /// Hashes the fields that tell halves apart most often.
    fn hash_telling(&self, hasher: &mut impl Hasher);

    /// Hashes the others.
    fn hash_rest(&self, hasher: &mut impl Hasher);
}

impl Half for Identity<'_> {
    fn is_same(&self, other: &Self) -> bool {
        self.access_key_id == other.access_key_id
            && self.principal_id == other.principal_id
            && self.session_created == other.session_created
            && self.invoked_by == other.invoked_by
            && self.kind == other.kind
            && self.arn == other.arn
            && self.account_id == other.account_id
            && self.user_name == other.user_name
            && self.in_scope_of == other.in_scope_of
            && self.issuer_arn == other.issuer_arn
            && self.issuer_id == other.issuer_id
            && self.mfa == other.mfa
            && self.source_identity == other.source_identity
            && self.sign_in_session_arn == other.sign_in_session_arn
    }

    fn hash_telling(&self, hasher: &mut impl Hasher) {
        self.access_key_id.hash(hasher);
        self.principal_id.hash(hasher);
        self.invoked_by.hash(hasher);
        self.session_created.hash(hasher);
    }

    fn hash_rest(&self, hasher: &mut impl Hasher) {
        self.mfa.hash(hasher);
        [
            self.kind,
            self.arn,
            self.account_id,
            self.user_name,
            self.in_scope_of,
            self.issuer_arn,
            self.issuer_id,
            self.source_identity,
            self.sign_in_session_arn,
        ]
        .hash(hasher);
    }
}

impl Half for Call<'_> {
    fn is_same(&self, other: &Self) -> bool {
        self == other
    }

    fn hash_telling(&self, hasher: &mut impl Hasher) {
        self.event_name.hash(hasher);
        self.source_ip_address.hash(hasher);
        self.user_agent.hash(hasher);
        self.error_code.hash(hasher);
    }

    fn hash_rest(&self, hasher: &mut impl Hasher) {
        self.event_source.hash(hasher);
        [self.event_category, self.aws_region, self.recipient_account_id].hash(hasher);
    }
}

/// Halves that may share a hash before the rest of their fields is hashed too. Otherwise a file could put
/// all of them under one hash, and every look-up would walk over them all.
const CROWD: usize = 8;

/// Places of halves in their list, by hash.
#[derive(Debug, Default)]
struct Table {
    places: HashTable<(u64, u32)>,
}

impl Table {
    /// The place of `half` in `known`, or the hash to put it under.
    fn find<T: Half>(&self, known: &[T], half: &T, random: &RandomState) -> Result<u32, u64> {
        let mut hasher = random.build_hasher();
        half.hash_telling(&mut hasher);
        let hash = hasher.finish();
        let mut others = 0;
        if let Some(place) = self.look_up(known, half, hash, &mut others) {
            return Ok(place);
        }
        if others < CROWD {
            return Err(hash);
        }
        half.hash_rest(&mut hasher);
        let hash = hasher.finish();
        self.look_up(known, half, hash, &mut others).ok_or(hash)
    }

    fn look_up<T: Half>(
        &self,
        known: &[T],
        half: &T,
        hash: u64,
        others: &mut usize,
    ) -> Option<u32> {
        let found = self.places.find(hash, |(other, place)| {
            if *other != hash {
                return false;
            }
            let same = known.get(index(*place)).is_some_and(|known| known.is_same(half));
            *others += usize::from(!same);
            same
        });
        found.map(|(_, place)| *place)
    }

    fn insert<T>(&mut self, hash: u64, known: &mut Vec<T>, half: T) -> u32 {
        let place = count(known.len());
        known.push(half);
        self.places.insert_unique(hash, (hash, place), |(hash, _)| *hash);
        place
    }
}

/// A file of four thousand million records does not fit under any cap on its size.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}
