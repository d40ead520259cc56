//! What every report gets by having the columns for it: exceptions and changes as further columns, and a tally
//! of what counts for the exit code. No report is named here.
//!
//! Works batch by batch; only `--since-last` holds more, the earlier run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use rolecall_lake::schema::COMMENT_KEY;

use super::cells;
use super::coverage::Held;
use super::exceptions::{Exception, Facts};
use super::plan::{Job, Wanted};
use super::since::{CHANGE, CHANGE_REASONS, Columns, Earlier};

/// Columns that exceptions add.
pub(super) const EXCEPTION_COLUMNS: [&str; 2] = ["exception", "exception_expired"];

/// What the rows came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Rows of the report; those that are gone not among them.
    pub(super) rows: u64,
    /// Rows by verdict.
    pub(super) verdicts: BTreeMap<String, u64>,
    /// Rows that count for `--fail-on`, by verdict.
    pub(super) findings: BTreeMap<String, u64>,
    /// Rows that would count but for an exception.
    pub(super) spared: u64,
    /// Rows that an exception matches, by its id.
    pub(super) excepted: BTreeMap<String, u64>,
    /// Those whose exception has expired.
    pub(super) expired: BTreeMap<String, u64>,
    /// The lowest coverage that a row says of itself.
    pub(super) lowest_coverage: Option<f64>,
    /// Rows by what became of them, by the first word of it.
    pub(super) changes: BTreeMap<String, u64>,
    /// The first rows that count, or else the first of all, as text.
    pub(super) top: Vec<Vec<(String, String)>>,
    /// Rows in `top` that count.
    pub(super) top_counts: usize,
}

impl Tally {
    /// Rows that count.
    pub(super) fn findings(&self) -> u64 {
        self.findings.values().sum()
    }
}

/// What is added to one report's rows.
pub(super) struct Annotator<'a> {
    schema: SchemaRef,
    columns: Columns,
    wanted: Wanted,
    /// What the webhook shows first where nothing was asked about.
    notable: Wanted,
    exceptions: Option<Vec<&'a Exception>>,
    /// The column that names what a row is about.
    subject: &'a str,
    since: Option<Since>,
    held: Held,
    as_of: i64,
    top_rows: usize,
    pub(super) tally: Tally,
}

/// With an earlier run or without: the columns are there either way.
type Since = Option<Earlier>;

/// What else there is to know about the run.
pub(super) struct Surroundings<'a> {
    /// The exceptions, where a file was given.
    pub(super) exceptions: Option<Vec<&'a Exception>>,
    /// With `--since-last`: the earlier run, if there is one.
    pub(super) since: Option<Option<Earlier>>,
    /// What the logs hold; nothing where nobody asked.
    pub(super) held: Held,
    /// How many rows the webhook is told.
    pub(super) top_rows: usize,
}

impl<'a> Annotator<'a> {
    /// For rows with the columns of `schema`.
    pub(super) fn new(job: &Job<'a>, schema: &Schema, around: Surroundings<'a>) -> Self {
        let comment = |name: &str| {
            let column = job.report.columns.iter().find(|column| column.name == name);
            column.map(|column| column.comment.clone())
        };
        let mut fields: Vec<Field> = Vec::with_capacity(schema.fields().len() + 4);
        for field in schema.fields() {
            let field = Field::clone(field).with_nullable(true);
            fields.push(match comment(field.name()) {
                Some(comment) => described(field, &comment),
                None => field,
            });
        }
        if around.exceptions.is_some() {
            let id = Field::new(EXCEPTION_COLUMNS[0], DataType::Utf8, true);
            fields.push(described(id, "id of the exception that matches the row"));
            let expired = Field::new(EXCEPTION_COLUMNS[1], DataType::Boolean, true);
            fields.push(described(
                expired,
                "whether that exception has expired: the row counts again",
            ));
        }
        if around.since.is_some() {
            let change = Field::new(CHANGE, DataType::Utf8, true);
            fields.push(described(
                change,
                "what became of the row since the earlier file: new, same, changed, flipped, gone",
            ));
            let reasons = Field::new(CHANGE_REASONS, DataType::Utf8, true);
            fields.push(described(
                reasons,
                "coverage that fell, columns that changed, reason codes added and removed since then",
            ));
        }
        let verdict = verdict_column(job, schema);
        Self {
            schema: Arc::new(Schema::new(fields)),
            columns: Columns {
                key: around.since.as_ref().map(|_| job.report.key.clone()).unwrap_or_default(),
                verdict,
                watch: around.since.as_ref().map(|_| job.report.watch.clone()).unwrap_or_default(),
            },
            wanted: job.wanted.clone(),
            notable: match &job.wanted {
                Wanted::None => Wanted::of(job.report),
                wanted => wanted.clone(),
            },
            exceptions: around.exceptions,
            subject: &job.report.subject,
            since: around.since,
            held: around.held,
            as_of: job.window.as_of,
            top_rows: around.top_rows,
            tally: Tally::default(),
        }
    }

    /// The columns, those that are added included.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The column that holds the verdict, if there is one.
    pub(super) fn verdict(&self) -> Option<&str> {
        self.columns.verdict.as_deref()
    }

    /// Adds to a batch what is to be added, and tallies it.
    pub(super) fn rows(&mut self, batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
        let seen = self.columns.read(batch)?;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for (array, field) in batch.columns().iter().zip(self.schema.fields()) {
            // What a query was planned to give and what it gives may differ in how text is laid out.
            columns.push(cast(array, field.data_type())?);
        }
        let mut excepted: Vec<Option<(String, bool)>> = vec![None; batch.num_rows()];
        if let Some(exceptions) = &self.exceptions {
            let facts = Facts::of(batch, self.subject)?;
            for (row, found) in excepted.iter_mut().enumerate() {
                *found = exception_of(exceptions, &facts, row, self.as_of);
            }
            columns.push(cells::text_column(
                excepted.iter().map(|found| found.as_ref().map(|(id, _)| id.clone())),
            ));
            let expired = excepted.iter().map(|found| found.as_ref().map(|(_, expired)| *expired));
            columns.push(Arc::new(expired.collect::<BooleanArray>()));
        }
        let mut notable = Vec::with_capacity(seen.len());
        for (row, found) in seen.iter().zip(&excepted) {
            let coverage = row.coverage.filter(|_| self.held.is_asked_for(row.account.as_deref()));
            notable.push(self.count(row.verdict.as_deref(), coverage, found.as_ref()));
        }
        if let Some(since) = &mut self.since {
            let mut changes: Vec<(Option<String>, Option<String>)> = vec![(None, None); seen.len()];
            if let Some(earlier) = since {
                for (row, change) in seen.iter().zip(&mut changes) {
                    let (what, why) = earlier.compare(row, &self.held.by_account);
                    let word = what.split(':').next().unwrap_or_default().to_owned();
                    *self.tally.changes.entry(word).or_default() += 1;
                    *change = (Some(what), why);
                }
            }
            let (what, why): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
            columns.push(cells::text_column(what));
            columns.push(cells::text_column(why));
        }
        let batch = RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
        )?;
        self.keep_top(&batch, &notable)?;
        Ok(batch)
    }

    /// After the last row: those of the earlier run that are not there any more.
    pub(super) fn gone(&mut self) -> anyhow::Result<Option<RecordBatch>> {
        let Some(Some(earlier)) = &self.since else { return Ok(None) };
        let gone = earlier.gone(&self.schema, &self.held.by_account)?;
        if gone.num_rows() == 0 {
            return Ok(None);
        }
        self.tally.changes.insert(super::since::GONE.to_owned(), gone.num_rows() as u64);
        Ok(Some(gone))
    }

    /// Tallies a row; whether it is one to show first.
    fn count(
        &mut self,
        verdict: Option<&str>,
        coverage: Option<f64>,
        found: Option<&(String, bool)>,
    ) -> bool {
        let tally = &mut self.tally;
        tally.rows += 1;
        let name = verdict.unwrap_or_default();
        if self.columns.verdict.is_some() {
            *tally.verdicts.entry(name.to_owned()).or_default() += 1;
        }
        if let Some(coverage) = coverage {
            let lowest = tally.lowest_coverage.map_or(coverage, |lowest| lowest.min(coverage));
            tally.lowest_coverage = Some(lowest);
        }
        let is_spared = matches!(found, Some((_, false)));
        if let Some((id, expired)) = found {
            *tally.excepted.entry(id.clone()).or_default() += 1;
            if *expired {
                *tally.expired.entry(id.clone()).or_default() += 1;
            }
        }
        if self.wanted.counts(verdict) {
            if is_spared {
                tally.spared += 1;
            } else {
                *tally.findings.entry(name.to_owned()).or_default() += 1;
            }
        }
        self.notable.counts(verdict) && !is_spared
    }

    /// Keeps the first rows that count; until there are any, the first rows.
    fn keep_top(&mut self, batch: &RecordBatch, notable: &[bool]) -> anyhow::Result<()> {
        let tally = &mut self.tally;
        if tally.top_counts >= self.top_rows {
            return Ok(());
        }
        let mut chosen: BTreeSet<usize> = BTreeSet::new();
        let counting = notable.iter().enumerate().filter(|(_, counts)| **counts);
        chosen.extend(counting.map(|(row, _)| row).take(self.top_rows - tally.top_counts));
        if !chosen.is_empty() && tally.top_counts == 0 {
            tally.top.clear();
        }
        let are_counting = !chosen.is_empty();
        if !are_counting && tally.top_counts == 0 && self.notable == Wanted::None {
            chosen.extend((0..batch.num_rows()).take(self.top_rows - tally.top.len()));
        }
        if chosen.is_empty() {
            return Ok(());
        }
        if are_counting {
            tally.top_counts += chosen.len();
        }
        let last = chosen.last().copied().unwrap_or_default();
        let batch = batch.slice(0, last + 1);
        let mut rows = vec![Vec::new(); batch.num_rows()];
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            for (row, text) in rows.iter_mut().zip(cells::texts(array)?) {
                row.extend(text.map(|text| (field.name().clone(), text)));
            }
        }
        tally.top.extend(chosen.into_iter().filter_map(|row| rows.get(row).cloned()));
        Ok(())
    }
}

/// The verdict's column, out of those that there are.
fn verdict_column(job: &Job<'_>, schema: &Schema) -> Option<String> {
    let has = |name: &&str| schema.fields().iter().any(|field| field.name() == name);
    job.report.verdict_column().filter(has).map(str::to_owned)
}

/// The first exception that holds, else the first that has expired.
fn exception_of(
    exceptions: &[&Exception],
    facts: &Facts,
    row: usize,
    as_of: i64,
) -> Option<(String, bool)> {
    let matching: Vec<&&Exception> =
        exceptions.iter().filter(|exception| facts.matches(exception, row)).collect();
    let holding = matching.iter().find(|exception| !exception.is_expired(as_of));
    let found = holding.or(matching.first())?;
    Some((found.id.clone(), found.is_expired(as_of)))
}

fn described(field: Field, comment: &str) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(COMMENT_KEY.to_owned(), comment.to_owned());
    field.with_metadata(metadata)
}
