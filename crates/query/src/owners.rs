//! The table `named_owners`: who is said to own which keys and roles, in a file of the user's. Reads no file: the
//! lines are handed in. What they mean, the report `owners` says.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;

use crate::QueryError;

/// One entry of the file. Patterns are those of [`crate::glob`]; `None` asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedOwner {
    /// Line of the file on which it begins.
    pub line: usize,
    /// Pattern of the account.
    pub account: Option<String>,
    /// Pattern of the user's name, for keys.
    pub user: Option<String>,
    /// Pattern of the role's name, for roles.
    pub role: Option<String>,
    /// Pattern of the key's id, for keys.
    pub access_key: Option<String>,
    /// Pattern of the ARN of user or role.
    pub arn: Option<String>,
    /// The person or team.
    pub owner: String,
    /// Where to reach them.
    pub contact: Option<String>,
    /// Day on which they were asked.
    pub asked: Option<String>,
    /// Day on which they said that it is needed.
    pub confirmed: Option<String>,
}

/// The table, empty where there is no file.
pub(crate) fn table(owners: &[NamedOwner]) -> Result<Arc<dyn TableProvider>, QueryError> {
    let lines = owners.iter().map(|owner| i64::try_from(owner.line).unwrap_or(i64::MAX));
    type Part = fn(&NamedOwner) -> Option<&str>;
    let texts: [(&str, Part); 9] = [
        ("account_pattern", |owner| owner.account.as_deref()),
        ("user_pattern", |owner| owner.user.as_deref()),
        ("role_pattern", |owner| owner.role.as_deref()),
        ("access_key_pattern", |owner| owner.access_key.as_deref()),
        ("arn_pattern", |owner| owner.arn.as_deref()),
        ("named_owner", |owner| Some(&owner.owner)),
        ("contact", |owner| owner.contact.as_deref()),
        ("asked", |owner| owner.asked.as_deref()),
        ("confirmed", |owner| owner.confirmed.as_deref()),
    ];
    let mut fields = vec![Field::new("line", DataType::Int64, true)];
    let mut columns: Vec<ArrayRef> = vec![Arc::new(lines.collect::<Int64Array>())];
    for (name, part) in texts {
        fields.push(Field::new(name, DataType::Utf8, true));
        columns.push(Arc::new(owners.iter().map(part).collect::<StringArray>()));
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)
        .map_err(|error| QueryError::Bug(format!("table named_owners: {error}")))?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}
