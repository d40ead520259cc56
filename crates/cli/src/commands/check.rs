//! `rolecall check`: whether the rows are what the ledger says, and what is wrong where they are not.

use std::io::Write as _;

use rolecall_lake::CheckReport;
use serde_json::json;

use super::Context;
use crate::exit::{self, Exit};
use crate::render::Format;
use crate::term;

/// Runs the command. A lake that is not clean is a failure.
pub(crate) async fn run(context: &Context) -> anyhow::Result<Exit> {
    context.summary_format("check")?;
    let report = context.open_lake().await?.check().await?;
    let mut out = exit::stdout();
    if context.format() == Format::Table {
        write_words(&mut out, &report)?;
    } else {
        writeln!(out, "{}", as_json(&report))?;
    }
    out.flush()?;
    Ok(if report.clean { Exit::Done } else { Exit::Failed })
}

fn write_words(out: &mut impl std::io::Write, report: &CheckReport) -> std::io::Result<()> {
    let verdict = match report.clean {
        true => "clean: the rows are what the ledger says".to_owned(),
        false => format!("NOT CLEAN: {}", term::count(report.problem_count, "problem")),
    };
    writeln!(out, "{verdict}")?;
    writeln!(
        out,
        "{}, {}; {} refused, {} pending, {} dropped",
        term::count(report.complete, "complete log file"),
        term::count(report.records, "record"),
        term::grouped(report.refused),
        term::grouped(report.pending),
        term::count(report.dropped_duplicates, "duplicate event"),
    )?;
    for problem in &report.problems {
        writeln!(out, "  {}", term::visible(&problem.to_string()))?;
    }
    if report.unlisted_count > 0 {
        writeln!(
            out,
            "{} broken off or going on; ingest the same sources again to complete them:",
            term::count(report.unlisted_count, "log file"),
        )?;
    }
    for unlisted in &report.unlisted {
        writeln!(out, "  {} ({})", term::visible(&unlisted.log_file), unlisted.table)?;
    }
    Ok(())
}

fn as_json(report: &CheckReport) -> serde_json::Value {
    let unlisted = report.unlisted.iter().map(|unlisted| {
        json!({
            "log_file": unlisted.log_file,
            "table": unlisted.table.name(),
            "rows": unlisted.rows,
        })
    });
    json!({
        "clean": report.clean,
        "complete": report.complete,
        "refused": report.refused,
        "pending": report.pending,
        "records": report.records,
        "dropped_duplicates": report.dropped_duplicates,
        "problem_count": report.problem_count,
        "problems": report.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "unlisted_count": report.unlisted_count,
        "unlisted": unlisted.collect::<Vec<_>>(),
    })
}
