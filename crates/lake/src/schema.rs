//! The tables: names, columns with a comment each, partitioning, sort order and bloom filters.
//!
//! This is the one place that says what a table looks like. Row builders, the writer, maintenance,
//! `DESCRIBE` and `rolecall schema` all read it from here. Columns are only ever added, at the end
//! and nullable, so that an older lake stays readable; [`FORMAT_VERSION`] goes up when an older
//! binary could no longer write a lake without harm.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use self::ColumnKind::{Count, Date, Flag, Text, TextList, TextMap, Time};

mod columns;
mod inventory;
mod verified;

/// The lake format that this binary writes, recorded in every table as `rolecall.format`.
pub const FORMAT_VERSION: u32 = 1;

/// Arrow field metadata key under which a column's comment is kept; Delta's own name for it.
pub const COMMENT_KEY: &str = "comment";

/// The tables of a lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// One row per record that hands out or takes up credentials.
    CredentialEvents,
    /// One row per record that changes IAM state.
    IamChanges,
    /// Every record, aggregated per log file.
    Activity,
    /// The ledger: one row per ingested log file.
    LogFiles,
    /// What CloudTrail's digests prove of log files. Not part of any batch; made when the first
    /// result is recorded.
    DigestResults,
    /// What each trail records, as of one look at it. Not part of any batch; made when the first
    /// trail is recorded.
    Trails,
    /// What was read of one account's IAM at one time. The rows of a snapshot in the tables below
    /// count only once it is here.
    IamSnapshots,
    /// As of when each part of a snapshot tells.
    IamParts,
    /// Credentials other than passwords and access keys.
    IamCredentials,
    /// IAM users, root among them.
    IamUsers,
    /// IAM groups.
    IamGroups,
    /// Access keys, and what IAM says of their use.
    IamAccessKeys,
    /// IAM roles.
    IamRoles,
    /// Managed policies.
    IamPolicies,
    /// Which policies a user, group or role has.
    IamAttachments,
    /// Who may assume a role, one row per statement and principal.
    IamTrustStatements,
    /// OIDC and SAML providers.
    IamIdentityProviders,
    /// Who gets which permission set in the account.
    IdentityCenterAssignments,
    /// People in an identity store.
    IdentityStoreUsers,
    /// Service and resource control policies.
    OrganizationPolicies,
    /// Accounts with a name: of the organisation, or of vendors.
    KnownAccounts,
}

impl Table {
    /// The tables that ingest writes and every lake has, in the order in which a batch is
    /// committed: the ledger last.
    pub const ALL: [Self; 4] =
        [Self::CredentialEvents, Self::IamChanges, Self::Activity, Self::LogFiles];

    /// The tables that are made when the first row is written, not with the lake.
    pub const MADE_ON_USE: [Self; 17] = [
        Self::DigestResults,
        Self::Trails,
        Self::IamSnapshots,
        Self::IamParts,
        Self::IamCredentials,
        Self::IamUsers,
        Self::IamGroups,
        Self::IamAccessKeys,
        Self::IamRoles,
        Self::IamPolicies,
        Self::IamAttachments,
        Self::IamTrustStatements,
        Self::IamIdentityProviders,
        Self::IdentityCenterAssignments,
        Self::IdentityStoreUsers,
        Self::OrganizationPolicies,
        Self::KnownAccounts,
    ];

    /// All tables: those that every lake has, then those that some do not have yet and that read
    /// as empty there.
    pub const READABLE: [Self; Self::ALL.len() + Self::MADE_ON_USE.len()] = {
        let mut tables = [Self::CredentialEvents; Self::ALL.len() + Self::MADE_ON_USE.len()];
        let mut index = 0;
        while index < tables.len() {
            tables[index] = match index.checked_sub(Self::ALL.len()) {
                None => Self::ALL[index],
                Some(index) => Self::MADE_ON_USE[index],
            };
            index += 1;
        }
        tables
    };

    /// The tables that hold records.
    pub const DATA: [Self; 3] = [Self::CredentialEvents, Self::IamChanges, Self::Activity];

    /// Whether the table is made when the first row is written, not with the lake.
    pub fn is_made_on_use(self) -> bool {
        Self::MADE_ON_USE.contains(&self)
    }

    /// The table's name, which is its folder's name too.
    pub fn name(self) -> &'static str {
        self.def().name
    }

    /// The table called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::READABLE.into_iter().find(|table| table.name() == name)
    }

    /// What the table looks like.
    pub fn def(self) -> &'static TableDef {
        match self {
            Self::CredentialEvents => &columns::CREDENTIAL_EVENTS,
            Self::IamChanges => &columns::IAM_CHANGES,
            Self::Activity => &columns::ACTIVITY,
            Self::LogFiles => &columns::LOG_FILES,
            Self::DigestResults => &verified::DIGEST_RESULTS,
            Self::Trails => &verified::TRAILS,
            Self::IamSnapshots => &inventory::IAM_SNAPSHOTS,
            Self::IamParts => &inventory::IAM_PARTS,
            Self::IamCredentials => &inventory::IAM_CREDENTIALS,
            Self::IamUsers => &inventory::IAM_USERS,
            Self::IamGroups => &inventory::IAM_GROUPS,
            Self::IamAccessKeys => &inventory::IAM_ACCESS_KEYS,
            Self::IamRoles => &inventory::IAM_ROLES,
            Self::IamPolicies => &inventory::IAM_POLICIES,
            Self::IamAttachments => &inventory::IAM_ATTACHMENTS,
            Self::IamTrustStatements => &inventory::IAM_TRUST_STATEMENTS,
            Self::IamIdentityProviders => &inventory::IAM_IDENTITY_PROVIDERS,
            Self::IdentityCenterAssignments => &inventory::IDENTITY_CENTER_ASSIGNMENTS,
            Self::IdentityStoreUsers => &inventory::IDENTITY_STORE_USERS,
            Self::OrganizationPolicies => &inventory::ORGANIZATION_POLICIES,
            Self::KnownAccounts => &inventory::KNOWN_ACCOUNTS,
        }
    }

    /// The table's Arrow schema, comments in the field metadata.
    pub fn schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<Vec<SchemaRef>> = LazyLock::new(|| {
            Table::READABLE.iter().map(|table| Arc::new(table.def().build_schema())).collect()
        });
        Arc::clone(&SCHEMAS[self.position()])
    }

    /// Where the table stands in [`Table::READABLE`], which has the order of the variants.
    fn position(self) -> usize {
        self as usize
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a table looks like.
#[derive(Debug)]
pub struct TableDef {
    /// Name of the table and of its folder in the lake.
    pub name: &'static str,
    /// What one row is.
    pub comment: &'static str,
    /// Column that the files are partitioned by.
    pub partition_column: &'static str,
    /// Columns that rows are sorted by within a file.
    pub sort_columns: &'static [&'static str],
    /// Columns with a bloom filter: what people look up by value.
    pub bloom_columns: &'static [&'static str],
    /// Columns whose least and greatest value the log keeps for every file.
    pub stats_columns: &'static [&'static str],
    /// The columns, in order.
    pub columns: &'static [ColumnDef],
}

impl TableDef {
    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&'static ColumnDef> {
        self.columns.iter().find(|column| column.name == name)
    }

    fn build_schema(&self) -> Schema {
        Schema::new(self.columns.iter().map(ColumnDef::field).collect::<Vec<_>>())
    }
}

/// One column of a table.
#[derive(Debug)]
pub struct ColumnDef {
    /// Name, as in SQL.
    pub name: &'static str,
    /// Type.
    pub kind: ColumnKind,
    /// Whether it can be null.
    pub nullable: bool,
    /// What it says, in one line.
    pub comment: &'static str,
}

impl ColumnDef {
    /// The column as an Arrow field, its comment in the metadata.
    pub fn field(&self) -> Field {
        Field::new(self.name, self.kind.data_type(), self.nullable)
            .with_metadata(HashMap::from([(COMMENT_KEY.to_owned(), self.comment.to_owned())]))
    }
}

/// The few types that columns have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// `Utf8`.
    Text,
    /// `Timestamp(us, UTC)`.
    Time,
    /// `Date32`.
    Date,
    /// `Int64`.
    Count,
    /// `Boolean`.
    Flag,
    /// `List<Utf8>`.
    TextList,
    /// `Map<Utf8, Utf8>`.
    TextMap,
}

impl ColumnKind {
    /// The Arrow type. The inner names are those that Delta readers give lists and maps.
    pub fn data_type(self) -> DataType {
        match self {
            Text => DataType::Utf8,
            Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Date => DataType::Date32,
            Count => DataType::Int64,
            Flag => DataType::Boolean,
            TextList => DataType::List(text_list_element()),
            TextMap => DataType::Map(
                Arc::new(Field::new("key_value", DataType::Struct(text_map_fields()), false)),
                false,
            ),
        }
    }
}

/// The element field of a [`TextList`].
pub(crate) fn text_list_element() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Utf8, true))
}

/// The key and value fields of a [`TextMap`].
pub(crate) fn text_map_fields() -> Fields {
    Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ])
}

/// All tables, in the order of [`Table::READABLE`].
pub fn tables() -> [&'static TableDef; Table::READABLE.len()] {
    Table::READABLE.map(Table::def)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_column_exists_and_every_column_is_commented() {
        for def in tables() {
            let named = def.sort_columns.iter().chain(def.bloom_columns).chain(def.stats_columns);
            for name in named.chain([&def.partition_column]) {
                assert!(def.column(name).is_some(), "{}.{name}", def.name);
            }
            for column in def.columns {
                assert!(!column.comment.is_empty(), "{}.{}", def.name, column.name);
                let same = def.columns.iter().filter(|other| other.name == column.name);
                assert_eq!(same.count(), 1, "{}.{}", def.name, column.name);
            }
        }
    }

    #[test]
    fn names_round_trip() {
        for (position, table) in Table::READABLE.into_iter().enumerate() {
            assert_eq!(table.position(), position);
            assert_eq!(Table::from_name(table.name()), Some(table));
            assert_eq!(table.schema().fields().len(), table.def().columns.len());
        }
    }
}
