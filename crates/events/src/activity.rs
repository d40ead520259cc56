//! Every record, aggregated within one log file: who used which credential, for what, from where.
//!
//! Rows keep the order in which their first records stand in the file, so that the same bytes always
//! give the same rows. Does not aggregate across files: a row belongs to exactly one log file.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use bumpalo::Bump;
use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::record::{Record, credential_kind};
use crate::rows::ActivityRow;
use crate::time::hour_of;

/// Finds the row of a record; allocations are kept from file to file.
#[derive(Debug, Default)]
pub(crate) struct Index {
    places: HashTable<(u64, u32)>,
    hasher: RandomState,
}

/// Where a row stands.
enum Found {
    At(usize),
    /// Nowhere, and [`CROWD`] other rows have the same hash.
    Crowd,
    Nowhere,
}

/// Rows that may share a hash before more fields are hashed.
const CROWD: usize = 8;

impl Index {
    pub(crate) fn clear(&mut self) {
        self.places.clear();
    }

    /// Counts `record` into its row of `rows`, a new one if it is the first of its kind.
    pub(crate) fn add<'b>(
        &mut self,
        rows: &mut Vec<ActivityRow<'b>>,
        arena: &'b Bump,
        record: &Record<'_>,
    ) {
        let row = row_of(record);
        let mut hash = self.hash(&row);
        let mut found = self.find(rows, &row, hash);
        if matches!(found, Found::Crowd) {
            hash = self.hash_rest(&row, hash);
            found = self.find(rows, &row, hash);
        }
        if let Found::At(place) = found {
            if let Some(row) = rows.get_mut(place) {
                row.event_count += 1;
                row.first_time = row.first_time.min(record.event_time);
                row.last_time = row.last_time.max(record.event_time);
            }
            return;
        }
        // A file of four thousand million records does not fit under any cap on its size.
        let place = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        rows.push(row.copy_into(arena));
        self.places.insert_unique(hash, (hash, place), |(hash, _)| *hash);
    }

    fn find(&self, rows: &[ActivityRow<'_>], row: &ActivityRow<'_>, hash: u64) -> Found {
        let mut others = 0;
        let found = self.places.find(hash, |(other, place)| {
            if *other != hash {
                return false;
            }
            let equal = usize::try_from(*place).is_ok_and(|at| same(rows.get(at), row));
            others += usize::from(!equal);
            equal
        });
        match found.and_then(|(_, place)| usize::try_from(*place).ok()) {
            Some(place) => Found::At(place),
            None if others >= CROWD => Found::Crowd,
            None => Found::Nowhere,
        }
    }

    /// Over the fields that tell rows apart most often; equality looks at all of them.
    fn hash(&self, row: &ActivityRow<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        row.hour.hash(&mut hasher);
        row.event_name.hash(&mut hasher);
        row.access_key_id.hash(&mut hasher);
        row.principal_id.hash(&mut hasher);
        row.invoked_by.hash(&mut hasher);
        row.session_created.hash(&mut hasher);
        row.source_ip.hash(&mut hasher);
        row.user_agent.hash(&mut hasher);
        row.error_code.hash(&mut hasher);
        row.aws_region.hash(&mut hasher);
        hasher.finish()
    }

    /// Over the other fields, for files that would put many rows under one hash and make every look-up
    /// walk over all of them.
    fn hash_rest(&self, row: &ActivityRow<'_>, hash: u64) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hash.hash(&mut hasher);
        row.event_source.hash(&mut hasher);
        row.mfa.hash(&mut hasher);
        [
            row.principal_type,
            row.principal_arn,
            row.account_id,
            row.user_name,
            row.role_arn,
            row.role_id,
            row.session_name,
            row.source_identity,
            row.in_scope_of,
            row.event_category,
            row.recipient_account_id,
            row.source_service,
        ]
        .hash(&mut hasher);
        hasher.finish()
    }
}

fn row_of<'a>(record: &Record<'a>) -> ActivityRow<'a> {
    let identity = &record.identity;
    let (source_ip, source_service) = record.source();
    ActivityRow {
        hour: hour_of(record.event_time),
        access_key_id: identity.access_key_id,
        credential_kind: credential_kind(identity.access_key_id),
        principal_type: identity.kind,
        principal_id: identity.principal_id,
        principal_arn: identity.arn,
        account_id: identity.account_id,
        user_name: identity.user_name,
        role_arn: identity.role_arn(),
        role_id: identity.role_id(),
        session_name: identity.session_name(),
        session_created: identity.session_created,
        source_identity: identity.source_identity,
        invoked_by: identity.invoked_by,
        in_scope_of: identity.in_scope_of,
        mfa: identity.mfa,
        event_source: record.event_source,
        event_name: record.event_name,
        event_category: record.event_category,
        aws_region: record.aws_region,
        recipient_account_id: record.recipient_account_id,
        error_code: record.error_code,
        source_ip,
        source_service,
        user_agent: record.user_agent,
        event_count: 1,
        first_time: record.event_time,
        last_time: record.event_time,
        sample_event_id: record.event_id,
        sample_record_index: record.index,
    }
}

fn same(known: Option<&ActivityRow<'_>>, new: &ActivityRow<'_>) -> bool {
    let Some(known) = known else { return false };
    known.hour == new.hour
        && known.event_name == new.event_name
        && known.access_key_id == new.access_key_id
        && known.principal_id == new.principal_id
        && known.session_created == new.session_created
        && known.source_ip == new.source_ip
        && known.user_agent == new.user_agent
        && known.error_code == new.error_code
        && known.aws_region == new.aws_region
        && known.event_source == new.event_source
        && known.event_category == new.event_category
        && known.recipient_account_id == new.recipient_account_id
        && known.source_service == new.source_service
        && known.credential_kind == new.credential_kind
        && known.principal_type == new.principal_type
        && known.principal_arn == new.principal_arn
        && known.account_id == new.account_id
        && known.user_name == new.user_name
        && known.role_arn == new.role_arn
        && known.role_id == new.role_id
        && known.session_name == new.session_name
        && known.source_identity == new.source_identity
        && known.invoked_by == new.invoked_by
        && known.in_scope_of == new.in_scope_of
        && known.mfa == new.mfa
}
