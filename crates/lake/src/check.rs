//! Compares the ledger's counts with the rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionContext;

use crate::error::{LakeError, Result};
use crate::lake::Lake;
use crate::maintain::read_dropped;
use crate::reader::LakeReader;
use crate::schema::Table;

const MEMORY_BYTES: usize = 512 << 20;

/// How many problems of one kind are named one by one.
const MAX_NAMED: usize = 100;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Whether the ledger's counts and the rows agree. Files that are pending, refused or not in
    /// the ledger yet do not make a lake unclean.
    pub clean: bool,
    /// Log files that are complete.
    pub complete: u64,
    /// Log files that were refused and have not come in since.
    pub refused: u64,
    /// Log files whose ingest was broken off, closed by maintenance.
    pub pending: u64,
    /// Records in all complete log files.
    pub records: u64,
    /// Duplicate events that maintenance dropped.
    pub dropped_duplicates: u64,
    /// What is wrong: the first of each kind.
    pub problems: Vec<Problem>,
    /// How many things are wrong.
    pub problem_count: u64,
    /// Log files of which a table holds rows, but that are not complete: an ingest that is going
    /// on or was broken off. The first of them.
    pub unlisted: Vec<Unlisted>,
    /// How many of those there are.
    pub unlisted_count: u64,
}

/// Rows of a log file that is not complete.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unlisted {
    /// The log file.
    pub log_file: String,
    /// The table that holds rows of it.
    pub table: Table,
    /// How many rows; for activity, how many records they stand for.
    pub rows: u64,
}

/// Something that is wrong with a lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A table holds more or fewer rows of a file than the ledger says.
    Count {
        /// The table.
        table: Table,
        /// The log file.
        log_file: String,
        /// Rows by the ledger; for activity, records.
        expected: u64,
        /// Rows that the table holds; for activity, records that they stand for.
        found: u64,
        /// Rows that maintenance dropped as duplicates.
        dropped: u64,
    },
    /// The ledger has a file as complete more than once.
    LedgerTwice {
        /// The log file.
        log_file: String,
        /// How often.
        entries: u64,
    },
    /// A table holds one record more than once.
    RecordTwice {
        /// The table.
        table: Table,
        /// The log file.
        log_file: String,
        /// Rows beyond the first of each record.
        extra: u64,
    },
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count { table, log_file, expected, found, dropped } => write!(
                f,
                "{table}: {log_file} has {found} rows and {dropped} dropped duplicates, \
                 the ledger says {expected}"
            ),
            Self::LedgerTwice { log_file, entries } => {
                write!(f, "log_files: {log_file} is complete {entries} times")
            }
            Self::RecordTwice { table, log_file, extra } => {
                write!(f, "{table}: {log_file} has {extra} records more than once")
            }
        }
    }
}

impl Lake {
    /// Compares the ledger's counts with the rows, all as they are now.
    pub async fn check(&self) -> Result<CheckReport> {
        let reader = self.reader().await?;
        let context = session(&reader).await?;
        let mut report = CheckReport::default();
        ledger_totals(&context, &mut report).await?;
        for (table, expected) in [
            (Table::CredentialEvents, "credential_events"),
            (Table::IamChanges, "iam_changes"),
            (Table::Activity, "records - rejected"),
        ] {
            let dropped = match table {
                Table::Activity => Default::default(),
                _ => {
                    let paths = reader.files(table).iter().map(String::as_str);
                    read_dropped(self.store(table), paths).await?
                }
            };
            report.dropped_duplicates += dropped.values().sum::<u64>();
            register_dropped(&context, dropped)?;
            let expired_before = reader.expired_before();
            compare(&context, table, expected, expired_before, &mut report).await?;
        }
        report.clean = report.problem_count == 0;
        Ok(report)
    }
}

async fn session(reader: &LakeReader) -> Result<SessionContext> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(MEMORY_BYTES)))
        .build_arc()
        .map_err(|error| LakeError::storage("prepare the check", error))?;
    let context = SessionContext::new_with_config_rt(LakeReader::session_config(), runtime);
    for table in Table::ALL {
        context
            .register_table(table.name(), reader.table(table.name()).await?)
            .map_err(|error| LakeError::bug("register tables", error))?;
    }
    Ok(context)
}

fn register_dropped(
    context: &SessionContext,
    dropped: std::collections::BTreeMap<String, u64>,
) -> Result<()> {
    let (names, counts): (Vec<_>, Vec<_>) = dropped.into_iter().unzip();
    let counts = counts.into_iter().map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    let columns: [(&str, ArrayRef); 2] = [
        ("log_file", Arc::new(StringArray::from(names))),
        ("n", Arc::new(Int64Array::from_iter_values(counts))),
    ];
    let bug = |error: &dyn std::fmt::Display| LakeError::bug("register dropped counts", error);
    let batch = RecordBatch::try_from_iter(columns).map_err(|error| bug(&error))?;
    context.deregister_table("dropped").map_err(|error| bug(&error))?;
    context.register_batch("dropped", batch).map_err(|error| bug(&error))?;
    Ok(())
}

async fn run(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>> {
    let failed = |error| LakeError::storage("check the lake", error);
    context.sql(sql).await.map_err(failed)?.collect().await.map_err(failed)
}

/// A count in a result; null is none.
fn count(batch: &RecordBatch, column: usize, row: usize) -> Option<u64> {
    let values = batch.column(column).as_primitive_opt::<Int64Type>()?;
    values.is_valid(row).then(|| u64::try_from(values.value(row)).ok())?
}

fn text(batch: &RecordBatch, column: usize, row: usize) -> String {
    let texts = batch.column(column).as_string_opt::<i32>();
    texts.map(|texts| texts.value(row)).unwrap_or_default().to_owned()
}

async fn ledger_totals(context: &SessionContext, report: &mut CheckReport) -> Result<()> {
    let by_file = "
        SELECT log_file, sum(records) AS records,
               sum(CASE WHEN status = 'complete' THEN 1 ELSE 0 END) AS complete,
               sum(CASE WHEN status = 'pending' THEN 1 ELSE 0 END) AS pending
        FROM log_files GROUP BY log_file";
    let sql = format!(
        "SELECT sum(CASE WHEN complete > 0 THEN 1 ELSE 0 END),
                sum(CASE WHEN complete = 0 AND pending = 0 THEN 1 ELSE 0 END),
                sum(CASE WHEN complete = 0 AND pending > 0 THEN 1 ELSE 0 END),
                sum(records),
                sum(CASE WHEN complete > 1 THEN 1 ELSE 0 END)
         FROM ({by_file})"
    );
    let mut twice = 0;
    for batch in run(context, &sql).await? {
        for row in 0..batch.num_rows() {
            report.complete = count(&batch, 0, row).unwrap_or(0);
            report.refused = count(&batch, 1, row).unwrap_or(0);
            report.pending = count(&batch, 2, row).unwrap_or(0);
            report.records = count(&batch, 3, row).unwrap_or(0);
            twice = count(&batch, 4, row).unwrap_or(0);
        }
    }
    if twice == 0 {
        return Ok(());
    }
    let sql = format!("SELECT log_file, complete FROM ({by_file}) WHERE complete > 1 ORDER BY 1");
    for batch in run(context, &sql).await? {
        for row in 0..batch.num_rows() {
            let entries = count(&batch, 1, row).unwrap_or(0);
            report.problem(Problem::LedgerTwice { log_file: text(&batch, 0, row), entries });
        }
    }
    Ok(())
}

/// Finds files whose rows are not as many as the ledger says, or of which a table holds a record
/// more than once. Of a file with events before the day from which on rows are kept, rows may be
/// missing.
async fn compare(
    context: &SessionContext,
    table: Table,
    expected: &str,
    expired_before: Option<i32>,
    report: &mut CheckReport,
) -> Result<()> {
    let held = match table {
        // Rows have no number here: what counts is that they add up to the file's records.
        Table::Activity => {
            format!(
                "SELECT log_file, sum(event_count) AS n, 0 AS extra FROM {table} GROUP BY log_file"
            )
        }
        _ => format!(
            "SELECT log_file, sum(copies) AS n, sum(copies) - count(*) AS extra FROM (
                 SELECT log_file, record_index, count(*) AS copies FROM {table}
                 GROUP BY log_file, record_index)
             GROUP BY log_file"
        ),
    };
    let expired = match expired_before {
        Some(day) => {
            format!("coalesce(min(first_event_time) < to_timestamp({day} * 86400), false)")
        }
        None => "false".to_owned(),
    };
    let sql = format!(
        "WITH ledger AS (
             SELECT log_file, max({expected}) AS n, {expired} AS expired FROM log_files
             WHERE status = 'complete' GROUP BY log_file),
         held AS ({held})
         SELECT coalesce(ledger.log_file, held.log_file) AS name, ledger.n, held.n, dropped.n,
                held.extra
         FROM ledger FULL JOIN held ON held.log_file = ledger.log_file
              LEFT JOIN dropped ON dropped.log_file = coalesce(ledger.log_file, held.log_file)
         WHERE ledger.n IS NULL OR held.extra > 0
            OR ledger.n < coalesce(held.n, 0) + coalesce(dropped.n, 0)
            OR (ledger.n > coalesce(held.n, 0) + coalesce(dropped.n, 0) AND NOT ledger.expired)
         ORDER BY name"
    );
    for batch in run(context, &sql).await? {
        for row in 0..batch.num_rows() {
            let log_file = text(&batch, 0, row);
            let found = count(&batch, 2, row).unwrap_or(0);
            let dropped = count(&batch, 3, row).unwrap_or(0);
            let extra = count(&batch, 4, row).unwrap_or(0);
            if extra > 0 {
                report.problem(Problem::RecordTwice { table, log_file: log_file.clone(), extra });
            }
            match count(&batch, 1, row) {
                Some(expected) if expected != found + dropped => {
                    report.problem(Problem::Count { table, log_file, expected, found, dropped });
                }
                Some(_) => {}
                None => {
                    report.unlisted_count += 1;
                    if report.unlisted.len() < MAX_NAMED {
                        report.unlisted.push(Unlisted { log_file, table, rows: found });
                    }
                }
            }
        }
    }
    Ok(())
}

impl CheckReport {
    fn problem(&mut self, problem: Problem) {
        self.problem_count += 1;
        let same_kind =
            |other: &&Problem| std::mem::discriminant(*other) == std::mem::discriminant(&problem);
        if self.problems.iter().filter(same_kind).count() < MAX_NAMED {
            self.problems.push(problem);
        }
    }
}
