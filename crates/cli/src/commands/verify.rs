//! `rolecall verify`: what CloudTrail's digests prove of the log files, and of what the lake holds of them.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::Int64Type;
use rolecall_ingest::digest::{self, Bucket, Folder, PublicKeys, Report, Store};
use rolecall_ingest::{S3, Selection, Source};
use rolecall_lake::{DigestResult, Proof, Subject};
use rolecall_query::Values;
use serde_json::{Value, json};

use super::{Context, ingest, query_error};
use crate::exit::{self, Exit, Usage};
use crate::render::{Format, Heading};
use crate::{args, clock, term};

/// Findings that are written out in words; the other formats have all of them.
const MAX_WORDS: usize = 100;

/// The latest word on each log file, held against what was ingested.
const IN_LAKE: &str = "
    with latest as (
        select log_file, status, stored_sha256,
               row_number() over (partition by log_file order by checked_at desc, status) as age
        from digest_results where subject = 'log_file')
    select count(*) filter (where latest.status = 'verified'
                              and latest.stored_sha256 = log_files.sha256) as proven,
           count(*) filter (where latest.status = 'verified'
                              and latest.stored_sha256 <> log_files.sha256) as otherwise,
           count(*) as all_files
    from log_files left join latest on latest.log_file = log_files.log_file and latest.age = 1
    where log_files.status = 'complete'";

/// What checking came to.
pub(crate) struct Outcome {
    report: Report,
    /// Complete log files in the lake whose content as ingested is verified.
    proven: u64,
    /// Those that were ingested with other bytes than what is verified now.
    otherwise: u64,
    /// All complete log files in the lake.
    in_lake: u64,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &args::Verify) -> anyhow::Result<Exit> {
    let mut sources = ingest::sources(&args.sources)?;
    check_sources(&sources)?;
    let selection = ingest::selection(&args.selection)?;
    if sources.is_empty() {
        sources = sources_of_lake(context).await?;
    }
    let outcome = verify(context, &sources, &args.digests, &selection).await?;
    let mut out = exit::stdout();
    match context.format() {
        Format::Table => outcome.write_words(&mut out)?,
        Format::Json => writeln!(out, "{}", outcome.as_json())?,
        _ => context.write_batch(&Heading::default(), &outcome.rows()?)?,
    }
    out.flush()?;
    Ok(if outcome.is_clean() { Exit::Done } else { Exit::Findings })
}

/// Digests lie in folders of their own, so a single file is no source of them.
pub(crate) fn check_sources(sources: &[Source]) -> Result<(), Usage> {
    for source in sources {
        if let Source::Path(path) = source
            && path.is_file()
        {
            let path = path.display();
            return Err(Usage::new(format!(
                "{path}: digests are checked in a folder or bucket, not in a file"
            )));
        }
    }
    Ok(())
}

/// The trails' folders in the buckets that the lake's log files came from.
async fn sources_of_lake(context: &Context) -> anyhow::Result<Vec<Source>> {
    let session = context.session().await?;
    let query = "select distinct bucket, trail_prefix from log_files
                 where bucket is not null and trail_prefix is not null order by 1, 2";
    let rows = session.sql(query, &Values::new()).await.map_err(query_error)?;
    let mut sources = Vec::new();
    for batch in rows.collect().await.map_err(query_error)? {
        let (buckets, prefixes) = (texts(&batch, 0)?, texts(&batch, 1)?);
        for (bucket, prefix) in buckets.into_iter().zip(prefixes) {
            sources.push(Source::Bucket { bucket, prefix: format!("{prefix}/") });
        }
    }
    if sources.is_empty() {
        return Err(Usage::new(
            "the lake's log files came from no bucket: name the folder or s3://bucket/prefix with the digests",
        )
        .into());
    }
    Ok(sources)
}

fn texts(batch: &RecordBatch, column: usize) -> anyhow::Result<Vec<String>> {
    let column = arrow::compute::cast(batch.column(column), &arrow::datatypes::DataType::Utf8)?;
    Ok(column.as_string::<i32>().iter().flatten().map(str::to_owned).collect())
}

/// Checks the digests of `sources` and records what they prove.
pub(crate) async fn verify(
    context: &Context,
    sources: &[Source],
    flags: &args::DigestFlags,
    selection: &Selection,
) -> anyhow::Result<Outcome> {
    let lake = context.open_lake().await?;
    let keys = match &flags.public_keys {
        Some(file) => PublicKeys::from_file(file).map_err(|error| Usage::new(error.to_string()))?,
        None => PublicKeys::from_api().await,
    };
    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    let mut s3 = None;
    for source in sources {
        stores.push(match source {
            Source::Path(path) => Arc::new(Folder::new(path)?),
            Source::Bucket { bucket, prefix } => {
                let s3 = match &s3 {
                    Some(s3) => S3::clone(s3),
                    None => s3.insert(S3::connect(&context.s3_options()).await).clone(),
                };
                Arc::new(Bucket::new(s3, bucket, prefix).await)
            }
        });
    }
    let usual = context.ingest_settings();
    let settings = digest::Settings {
        selection: selection.clone(),
        fetches: usual.fetches,
        max_inflated_bytes: usual.limits.max_inflated_bytes,
        now: clock::now_micros(),
    };
    let report = digest::verify(&stores, &keys, &settings, &lake).await?;
    let session = context.session().await?;
    let rows = session.sql(IN_LAKE, &Values::new()).await.map_err(query_error)?;
    let batches = rows.collect().await.map_err(query_error)?;
    let batch = batches.iter().find(|batch| batch.num_rows() == 1).context("count log files")?;
    let count = |column: usize| {
        let counts = batch.column(column).as_primitive_opt::<Int64Type>();
        counts.and_then(|counts| u64::try_from(counts.value(0)).ok()).unwrap_or(0)
    };
    Ok(Outcome { report, proven: count(0), otherwise: count(1), in_lake: count(2) })
}

impl Outcome {
    /// Whether nothing is altered, missing, unreferenced or ingested with other bytes, and there is no gap.
    pub(crate) fn is_clean(&self) -> bool {
        self.report.is_clean() && self.otherwise == 0
    }

    fn count(&self, subject: Subject, status: Proof) -> u64 {
        self.report.count(subject, status)
    }

    /// Everything but the verified, for programs.
    pub(crate) fn as_json(&self) -> Value {
        let count = |subject, status| self.count(subject, status);
        json!({
            "clean": self.is_clean(),
            "digests": {
                "verified": count(Subject::Digest, Proof::Verified),
                "altered": count(Subject::Digest, Proof::Altered),
                "missing": count(Subject::Digest, Proof::Missing),
                "not_provable": count(Subject::Digest, Proof::NotProvable),
            },
            "log_files": {
                "verified": count(Subject::LogFile, Proof::Verified),
                "altered": count(Subject::LogFile, Proof::Altered),
                "missing": count(Subject::LogFile, Proof::Missing),
                "unreferenced": count(Subject::LogFile, Proof::Unreferenced),
                "not_provable": count(Subject::LogFile, Proof::NotProvable),
                "not_covered": self.report.not_covered,
            },
            "gaps": count(Subject::Gap, Proof::Missing),
            "lake": {
                "log_files": self.in_lake,
                "proven": self.proven,
                "ingested_with_other_bytes": self.otherwise,
            },
            "recorded": {
                "added": self.report.recorded.added,
                "known": self.report.recorded.known,
            },
            "findings": self.report.findings.iter().map(finding).collect::<Vec<_>>(),
            "findings_left_out": self.report.findings_left_out,
        })
    }

    /// For people.
    pub(crate) fn write_words(&self, out: &mut impl std::io::Write) -> std::io::Result<()> {
        let verdict = if self.is_clean() {
            "clean: nothing is altered, missing or planted, as far as digests reach"
        } else if self.report.has_digests() {
            "NOT CLEAN"
        } else {
            "NOTHING PROVEN: there are no digests; is log file validation on for the trail?"
        };
        writeln!(out, "{verdict}")?;
        let list = |counts: &[(u64, &str)]| {
            let some = counts.iter().filter(|(count, _)| *count > 0);
            let some: Vec<_> =
                some.map(|(count, what)| format!("{} {what}", term::grouped(*count))).collect();
            if some.is_empty() { "none".to_owned() } else { some.join(", ") }
        };
        let count = |subject, status| self.count(subject, status);
        let digests = [
            (count(Subject::Digest, Proof::Verified), "verified"),
            (count(Subject::Digest, Proof::Altered), "altered"),
            (count(Subject::Digest, Proof::Missing), "missing"),
            (count(Subject::Digest, Proof::NotProvable), "not provable"),
        ];
        let log_files = [
            (count(Subject::LogFile, Proof::Verified), "verified"),
            (count(Subject::LogFile, Proof::Altered), "altered"),
            (count(Subject::LogFile, Proof::Missing), "missing"),
            (count(Subject::LogFile, Proof::Unreferenced), "that no digest lists"),
            (count(Subject::LogFile, Proof::NotProvable), "not provable"),
            (self.report.not_covered, "of times without a digest (yet)"),
        ];
        writeln!(out, "digests: {}", list(&digests))?;
        writeln!(out, "log files: {}", list(&log_files))?;
        let gaps = count(Subject::Gap, Proof::Missing);
        if gaps > 0 {
            writeln!(out, "{} without digests", term::count(gaps, "gap"))?;
        }
        writeln!(
            out,
            "in the lake: {} of {} proven as ingested",
            term::grouped(self.proven),
            term::count(self.in_lake, "log file"),
        )?;
        if self.otherwise > 0 {
            writeln!(
                out,
                "  {} ingested with other bytes than those that are verified now",
                term::count(self.otherwise, "log file"),
            )?;
        }
        for result in self.report.findings.iter().take(MAX_WORDS) {
            writeln!(out, "  {}", term::visible(&words(result)))?;
        }
        let more = self.report.findings.len().saturating_sub(MAX_WORDS) as u64;
        let more = more + self.report.findings_left_out;
        if more > 0 {
            writeln!(out, "  and {} more: see the table digest_results", term::grouped(more))?;
        }
        Ok(())
    }

    fn rows(&self) -> anyhow::Result<RecordBatch> {
        let findings = &self.report.findings;
        let text = |value: fn(&DigestResult) -> Option<String>| -> ArrayRef {
            Arc::new(findings.iter().map(value).collect::<StringArray>())
        };
        let time = |value: fn(&DigestResult) -> Option<i64>| -> ArrayRef {
            let times = findings.iter().map(value).collect::<TimestampMicrosecondArray>();
            Arc::new(times.with_timezone("UTC"))
        };
        RecordBatch::try_from_iter_with_nullable([
            ("status", text(|one| Some(one.status.as_str().to_owned())), false),
            ("subject", text(|one| Some(one.subject.as_str().to_owned())), false),
            ("reason", text(|one| one.reason.clone()), true),
            ("account_id", text(|one| one.account_id.clone()), true),
            ("aws_region", text(|one| one.aws_region.clone()), true),
            ("period_start", time(|one| one.period_start), true),
            ("period_end", time(|one| one.period_end), true),
            ("bucket", text(|one| one.bucket.clone().or_else(|| one.digest_bucket.clone())), true),
            ("key", text(|one| one.key.clone().or_else(|| one.digest_key.clone())), true),
            ("log_file", text(|one| one.log_file.clone()), true),
        ])
        .context("lay out the findings")
    }
}

fn time(micros: Option<i64>) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_micros(micros?)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

fn finding(result: &DigestResult) -> Value {
    json!({
        "status": result.status.as_str(),
        "subject": result.subject.as_str(),
        "reason": result.reason,
        "account_id": result.account_id,
        "aws_region": result.aws_region,
        "period_start": time(result.period_start),
        "period_end": time(result.period_end),
        "digest_bucket": result.digest_bucket,
        "digest_key": result.digest_key,
        "log_file": result.log_file,
        "bucket": result.bucket,
        "key": result.key,
    })
}

fn words(result: &DigestResult) -> String {
    let status = result.status.as_str().replace('_', " ");
    let reason = result.reason.as_deref().unwrap_or_default();
    if result.subject == Subject::Gap {
        let [start, end] = [result.period_start, result.period_end].map(time);
        let place = [result.account_id.as_deref(), result.aws_region.as_deref()];
        let place: Vec<&str> = place.into_iter().flatten().collect();
        return format!(
            "gap in {}: {reason}: {} to {}",
            place.join(" "),
            start.unwrap_or_default(),
            end.unwrap_or_default(),
        );
    }
    let (bucket, key) = match result.subject {
        Subject::LogFile => (&result.bucket, &result.key),
        _ => (&result.digest_bucket, &result.digest_key),
    };
    let place = match bucket {
        Some(bucket) => format!("s3://{bucket}/{}", key.as_deref().unwrap_or_default()),
        None => key.clone().unwrap_or_default(),
    };
    format!("{status}: {place}: {reason}")
}
