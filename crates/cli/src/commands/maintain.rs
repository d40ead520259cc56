//! `rolecall maintain`: one round of maintenance, and what it did.

use std::io::Write as _;

use rolecall_lake::MaintainReport;
use serde_json::json;

use super::Context;
use crate::exit::{self, Exit};
use crate::render::Format;
use crate::{args, term};

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &args::Maintain) -> anyhow::Result<Exit> {
    context.summary_format("maintain")?;
    let lake = context.open_lake().await?;
    let keep_days = args.keep_days.or(context.settings.worker.keep_days);
    let options = context.maintain_options(args.retain_days, keep_days);
    let report = lake.maintain(options).await?;
    let mut out = exit::stdout();
    if context.format() == Format::Table {
        write_words(&mut out, &report)?;
    } else {
        writeln!(out, "{}", as_json(&report))?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn write_words(out: &mut impl std::io::Write, report: &MaintainReport) -> std::io::Result<()> {
    for (table, done) in &report.tables {
        writeln!(
            out,
            "{table}: {} compacted, {} already compact, {} files became {}, {} dropped, {} removed",
            term::count(done.partitions_compacted, "partition"),
            term::grouped(done.partitions_skipped),
            term::grouped(done.files_replaced),
            term::grouped(done.files_written),
            term::count(done.rows_dropped, "duplicate row"),
            term::count(done.files_vacuumed, "unused file"),
        )?;
        if done.partitions_expired > 0 {
            writeln!(
                out,
                "{table}: {} of {} expired",
                term::count(done.rows_expired, "row"),
                term::count(done.partitions_expired, "day"),
            )?;
        }
        if done.partitions_lost > 0 {
            writeln!(
                out,
                "{table}: left {} to another maintenance that was faster",
                term::count(done.partitions_lost, "partition"),
            )?;
        }
    }
    for log_file in &report.closed_as_pending {
        let log_file = term::visible(log_file);
        writeln!(out, "{log_file}: its ingest was broken off over a day ago; ingest it again")?;
    }
    Ok(())
}

fn as_json(report: &MaintainReport) -> serde_json::Value {
    let tables = report.tables.iter().map(|(table, done)| {
        let done = json!({
            "partitions_compacted": done.partitions_compacted,
            "partitions_skipped": done.partitions_skipped,
            "partitions_lost": done.partitions_lost,
            "files_replaced": done.files_replaced,
            "files_written": done.files_written,
            "rows_dropped": done.rows_dropped,
            "partitions_expired": done.partitions_expired,
            "files_expired": done.files_expired,
            "rows_expired": done.rows_expired,
            "files_vacuumed": done.files_vacuumed,
            "log_versions_deleted": done.log_versions_deleted,
        });
        (table.name().to_owned(), done)
    });
    let tables: serde_json::Map<String, serde_json::Value> = tables.collect();
    json!({ "tables": tables, "closed_as_pending": report.closed_as_pending })
}
