//! `rolecall inventory`: what there is in accounts' IAM, from the API or from files, into the lake.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{
    ArrayRef, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use rolecall_ingest::doctor::{Described, Sight};
use rolecall_inventory::{
    Facts, Folder, Origin, Problem, Rejected, Request, Trail, read_accounts, read_folder, snapshots,
};
use rolecall_lake::{Inventory, TrailSnapshot};

use super::{Context, doctor, is_account};
use crate::clock::GivenTime;
use crate::exit::{self, Exit, Usage};
use crate::render::{Format, Heading};
use crate::{args, clock, term};

mod words;

/// Accounts whose rows are committed together: many small commits would make a slow lake.
const ACCOUNTS_PER_COMMIT: usize = 50;
/// Clocks of file servers differ by so much, in microseconds, without any being wrong.
const CLOCK_SKEW: i64 = 60_000_000;

/// What was read, and where.
struct Gathered {
    facts: Facts,
    origin: Origin,
    rejected: Vec<Rejected>,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &args::Inventory) -> anyhow::Result<Exit> {
    let now = clock::now_micros();
    let gathered = match &args.from {
        Some(folder) => from_folder(folder, args.snapshot_time.as_deref(), now).await?,
        None => from_aws(args).await?,
    };
    let kept = keep(context, gathered, now).await?;
    if context.format() == Format::Table {
        let mut out = exit::stdout();
        words::write(&mut out, context.stdout, &kept.inventories, &kept.trails)?;
        out.flush()?;
    } else {
        let at = kept.inventories.iter().map(|one| one.snapshot.snapshot_time).max();
        context.write_batch(&heading(at.unwrap_or(now)), &rows(&kept.inventories, &kept.ids)?)?;
    }
    Ok(if kept.rejected == 0 { Exit::Done } else { Exit::SomeRejected })
}

/// What went to the lake.
pub(crate) struct Kept {
    pub(crate) inventories: Vec<Inventory>,
    ids: Vec<String>,
    /// Trails, and what they record.
    trails: Vec<Sight>,
    /// Inputs of which nothing was taken, each named in the log.
    rejected: usize,
}

/// Reads a folder whose files were true at `at`, in microseconds, and keeps it in the lake.
pub(crate) async fn keep_folder(context: &Context, folder: &Path, at: i64) -> anyhow::Result<Kept> {
    let gathered = of_files(read(folder, Some(at)).await?);
    keep(context, gathered, clock::now_micros()).await
}

async fn read(folder: &Path, given: Option<i64>) -> anyhow::Result<Folder> {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || read_folder(&folder, given)).await.context("read files")
}

fn of_files(read: Folder) -> Gathered {
    let Folder { facts, rejected, .. } = read;
    Gathered { facts, origin: Origin::Files, rejected }
}

async fn keep(context: &Context, gathered: Gathered, now: i64) -> anyhow::Result<Kept> {
    let Gathered { facts, origin, mut rejected } = gathered;
    let done = snapshots(facts, origin);
    rejected.extend(done.rejected);
    let mut trails = Vec::new();
    let mut seen: BTreeMap<i64, Vec<TrailSnapshot>> = BTreeMap::new();
    for trail in &done.trails {
        match sight(trail) {
            Ok(sight) => {
                let rows = doctor::snapshots(std::slice::from_ref(&sight));
                seen.entry(trail.read_at).or_default().extend(rows);
                trails.push(sight);
            }
            Err(reason) => {
                let input = trail.trail_arn.clone();
                rejected.push(Rejected { input, problem: Problem::Call(reason) });
            }
        }
    }
    for rejected in &rejected {
        tracing::warn!("{}", term::visible(&rejected.to_string()));
    }
    if done.inventories.is_empty() {
        anyhow::bail!("nothing was read that a snapshot could be made of; the lake is as it was");
    }
    let lake = context.create_or_open_lake().await?;
    let mut ids = Vec::new();
    for some in done.inventories.chunks(ACCOUNTS_PER_COMMIT) {
        ids.extend(lake.record_inventory(some, now).await?);
    }
    // As of when they were so: a report on that time has to find them.
    for (at, trails) in seen {
        lake.record_trails(&trails, at).await?;
    }
    Ok(Kept { inventories: done.inventories, ids, trails, rejected: rejected.len() })
}

/// What a trail records.
fn sight(trail: &Trail) -> Result<Sight, String> {
    let described = Described {
        trail_arn: &trail.trail_arn,
        bucket: &trail.bucket,
        prefix: trail.prefix.as_deref(),
        multi_region: trail.multi_region,
        organization: trail.organization,
        global_services: trail.global_services,
        logging: trail.logging,
        digests: trail.digests,
        selectors: &trail.selectors,
    };
    described.sight()
}

async fn from_folder(
    folder: &Path,
    snapshot_time: Option<&str>,
    now: i64,
) -> anyhow::Result<Gathered> {
    let given = snapshot_time.map(clock::parse_time).transpose()?;
    if !folder.is_dir() {
        return Err(Usage::new(format!("--from {}: no such folder", folder.display())).into());
    }
    // Of a day its first moment: IAM's silence must not count for hours before which nobody asked.
    let given = given.map(GivenTime::start);
    if let Some(given) = given.filter(|given| *given > now) {
        let words = format!("--snapshot-time: {} is in the future", clock::format_time(given));
        return Err(Usage::new(words).into());
    }
    let read = read(folder, given).await?;
    let newest = read.newest.filter(|newest| given.is_none() && *newest > now + CLOCK_SKEW);
    if let Some(newest) = newest {
        return Err(Usage::new(format!(
            "the newest file was written at {}, and now is {}: a clock is wrong; say with \
             --snapshot-time when this was true",
            clock::format_time(newest),
            clock::format_time(now),
        ))
        .into());
    }
    Ok(of_files(read))
}

async fn from_aws(args: &args::Inventory) -> anyhow::Result<Gathered> {
    if args.role_name.is_some() && args.accounts.is_none() && !args.organization {
        let words = "--role-name: say in which accounts, with --accounts or --organization";
        return Err(Usage::new(words).into());
    }
    let request = Request {
        accounts: args.accounts.as_deref().map(accounts).transpose()?.unwrap_or_default(),
        organization: args.organization,
        role_name: args.role_name.clone(),
        external_id: args.external_id.clone(),
        service_last_accessed: args.service_last_accessed,
    };
    let answer = read_accounts(&request, clock::now_micros).await.context("ask AWS")?;
    // After the last call: nothing that was read is younger.
    let origin = Origin::Api(clock::now_micros());
    let (facts, rejected) = (answer.facts, answer.rejected);
    Ok(Gathered { facts, origin, rejected })
}

/// The accounts that a file lists, or that are listed themselves.
fn accounts(given: &str) -> anyhow::Result<Vec<String>> {
    let wrong = |reason: String| Usage::new(format!("--accounts {given}: {reason}"));
    if given.split(',').all(is_account) {
        return Ok(given.split(',').map(str::to_owned).collect());
    }
    let text = std::fs::read_to_string(given).map_err(|error| {
        let kind = error.kind();
        wrong(format!(
            "neither numbers of 12 digits with commas between, nor a file that can be read ({kind})"
        ))
    })?;
    let mut accounts = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let account = line.split('#').next().unwrap_or_default().trim();
        if account.is_empty() {
            continue;
        }
        if !is_account(account) {
            return Err(wrong(format!("line {number}: an account id has 12 digits")).into());
        }
        accounts.push(account.to_owned());
    }
    if accounts.is_empty() {
        return Err(wrong("it names no account".to_owned()).into());
    }
    Ok(accounts)
}

fn heading(at: i64) -> Heading {
    Heading {
        title: Some("inventory".to_owned()),
        subtitle: Some("What was read of each account's IAM".to_owned()),
        generated_micros: Some(at),
        ..Heading::default()
    }
}

/// One row per account.
fn rows(inventories: &[Inventory], ids: &[String]) -> anyhow::Result<RecordBatch> {
    let text = |value: fn(&Inventory) -> Option<&str>| -> ArrayRef {
        Arc::new(inventories.iter().map(value).collect::<StringArray>())
    };
    let count = |value: fn(&Inventory) -> usize| -> ArrayRef {
        let counts = inventories.iter().map(|one| i64::try_from(value(one)).unwrap_or(i64::MAX));
        Arc::new(Int64Array::from_iter_values(counts))
    };
    let list = |value: fn(&Inventory) -> &Vec<String>| -> ArrayRef {
        let mut builder = ListBuilder::new(StringBuilder::new());
        for inventory in inventories {
            value(inventory).iter().for_each(|text| builder.values().append_value(text));
            builder.append(true);
        }
        Arc::new(builder.finish())
    };
    let times = inventories.iter().map(|one| one.snapshot.snapshot_time);
    let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
    RecordBatch::try_from_iter_with_nullable([
        ("account_id", text(|one| Some(&one.snapshot.account_id)), false),
        ("account_name", text(|one| one.snapshot.account_name.as_deref()), true),
        ("snapshot_id", Arc::new(StringArray::from_iter_values(ids)) as ArrayRef, false),
        ("snapshot_time", Arc::new(times) as ArrayRef, false),
        ("source", text(|one| Some(&one.snapshot.source)), false),
        ("users", count(|one| one.users.len()), false),
        ("access_keys", count(|one| one.access_keys.len()), false),
        ("roles", count(|one| one.roles.len()), false),
        ("trust_statements", count(|one| one.trust_statements.len()), false),
        ("identity_providers", count(|one| one.identity_providers.len()), false),
        ("parts", list(|one| &one.snapshot.parts), false),
        ("missing", list(|one| &one.snapshot.missing), false),
    ])
    .context("lay out the snapshots")
}
