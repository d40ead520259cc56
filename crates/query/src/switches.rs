//! Pairs each console role switch with the AssumeRole call behind it.
//!
//! A switch writes two records: signin's SwitchRole, which names the person, and STS's AssumeRole,
//! which names the credentials. Nothing ties them but role, session name and time. The nearest two
//! are a pair, then the nearest of what is left: each record is in one pair at most, and ties go to
//! the lower event ids, so that the pairs do not depend on the order of rows.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use futures::FutureExt;

use crate::lazy::LazyTable;
use crate::{QueryError, catalog};

/// The columns that `acts` joins with (`assume_event_name` keeps that join off other calls), and the id that the call shows, and when.
const COLUMNS: [&str; 10] = [
    "assume_key",
    "assume_event_name",
    "switch_key",
    "switch_event_id",
    "switch_from",
    "source_ip",
    "user_agent",
    "recipient_account_id",
    "caller_principal_id",
    "assume_time",
];

/// The table `switch_pairs`: one row per pair.
pub(crate) fn table(context: &SessionContext) -> Result<Arc<dyn TableProvider>, QueryError> {
    let sql = catalog::read("views/steps/switch_candidates.sql")?.sql;
    let schema = schema();
    let runtime = context.runtime_env();
    let context = context.clone();
    let compute = move || {
        let (context, sql) = (context.clone(), sql.clone());
        async move {
            let candidates = context.sql(&sql).await?;
            let columns = Arc::clone(candidates.schema().inner());
            let batches = candidates.collect().await?;
            Ok(vec![pairs(&concat_batches(&columns, &batches)?)?])
        }
        .boxed()
    };
    Ok(LazyTable::new("switch_pairs", schema, runtime, compute))
}

fn schema() -> SchemaRef {
    let text = |name: &&str| Field::new(*name, DataType::Utf8, true);
    let mut fields: Vec<_> = COLUMNS.iter().map(text).collect();
    fields.push(Field::new("mfa", DataType::Boolean, true));
    Arc::new(Schema::new(fields))
}

/// Chooses the pairs among the candidates.
fn pairs(candidates: &RecordBatch) -> Result<RecordBatch> {
    let text = |name: &str| -> Result<ArrayRef> {
        let column = candidates.column_by_name(name);
        let column = column.ok_or_else(|| {
            datafusion::error::DataFusionError::Internal(format!(
                "switch candidates have no column {name}"
            ))
        })?;
        Ok(cast(column, &DataType::Utf8)?)
    };
    let ids = |name: &str| -> Result<StringArray> { Ok(text(name)?.as_string::<i32>().clone()) };
    let (assumes, switches) = (ids("assume_key")?, ids("switch_key")?);
    let (assume_ids, switch_ids) = (ids("assume_event_id")?, ids("switch_event_id")?);
    let gaps = candidates.column_by_name("gap").map(|gaps| cast(gaps, &DataType::Int64));
    let gaps = gaps.transpose()?;
    let gap = |row: usize| gaps.as_ref().map_or(0, |g| g.as_primitive::<Int64Type>().value(row));

    let mut order: Vec<usize> = (0..candidates.num_rows()).collect();
    // Anonymised records share their ids; the keys tell them apart.
    order.sort_by_key(|&row| {
        let ids = (assume_ids.value(row), switch_ids.value(row));
        (gap(row), ids, assumes.value(row), switches.value(row))
    });
    let (mut taken_assumes, mut taken_switches) = (HashSet::new(), HashSet::new());
    let mut chosen = Vec::new();
    for row in order {
        let (assume, switch) = (assumes.value(row), switches.value(row));
        if !taken_assumes.contains(assume) && !taken_switches.contains(switch) {
            taken_assumes.insert(assume);
            taken_switches.insert(switch);
            chosen.push(u64::try_from(row).unwrap_or_default());
        }
    }
    let names: StringArray =
        std::iter::repeat_n(Some("AssumeRole"), candidates.num_rows()).collect();
    let columns = COLUMNS.iter().map(|name| match *name {
        "assume_event_name" => Ok(Arc::new(names.clone()) as ArrayRef),
        name => text(name),
    });
    let mut columns = columns.collect::<Result<Vec<_>>>()?;
    columns.extend(candidates.column_by_name("mfa").cloned());
    let all = RecordBatch::try_new(schema(), columns)?;
    Ok(take_record_batch(&all, &arrow::array::UInt64Array::from(chosen))?)
}
