//! `rolecall who`: the answer about one name, on one screen or as JSON.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use rolecall_query::{Fact, WhoAnswer, WhoTable};

use super::Context;
use crate::exit::{self, Exit};
use crate::render::{self, Format, Heading, Options, UTC};
use crate::settings::Network;
use crate::term::{self, Ink, Screen};
use crate::{args, clock};

/// Runs the command. A name that the lake does not know is a failure: scripts must not take it for an
/// answer.
pub(crate) async fn run(context: &Context, args: &args::Who) -> anyhow::Result<Exit> {
    context.summary_format("who")?;
    let as_of = match args.as_of.as_deref() {
        Some(text) => clock::parse_time(text)?.end(),
        None => clock::now_micros(),
    };
    let session = context.session().await?;
    let zone = match (&args.tz, context.format()) {
        (Some(zone), Format::Table) => zone,
        _ => UTC,
    };
    let mut answer = rolecall_query::who_in_zone(&session, &args.thing, as_of, zone).await?;
    name_network(&mut answer, &context.settings.networks);
    let mut out = exit::stdout();
    if context.format() == Format::Table {
        write_screen(&mut out, context.stdout, &answer)?;
    } else {
        serde_json::to_writer(&mut out, &answer)?;
        writeln!(out)?;
    }
    out.flush()?;
    Ok(if answer.found { Exit::Done } else { Exit::Failed })
}

/// Says which of the user's own networks an address lies in.
fn name_network(answer: &mut WhoAnswer, networks: &[Network]) {
    let Ok(address) = answer.thing.parse::<std::net::IpAddr>() else { return };
    let names = networks
        .iter()
        .filter(|network| network.blocks.iter().any(|block| block.contains(&address)))
        .map(|network| network.name.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        answer.facts.insert(0, Fact::new("network", names));
    }
}

fn write_screen(
    out: &mut (impl Write + Send),
    screen: Screen,
    answer: &WhoAnswer,
) -> anyhow::Result<()> {
    let headline = term::visible_lines(&answer.headline);
    let headline = term::wrap(&headline, screen.reading_width(), "", "");
    writeln!(out, "{}", screen.paint(Ink::Bold, &headline))?;
    if !answer.facts.is_empty() {
        let facts = answer.facts.iter().map(|fact| (fact.label.as_str(), fact.text.as_str()));
        write!(out, "\n{}", term::labelled(&screen, 2, facts))?;
    }
    write_chain(out, screen, answer)?;
    for table in &answer.tables {
        write_table(out, screen, table)?;
    }
    if !answer.notes.is_empty() {
        writeln!(out, "\n{}", screen.paint(Ink::Bold, "How sure"))?;
        for note in &answer.notes {
            let note = term::visible_lines(note);
            writeln!(out, "{}", term::wrap(&note, screen.reading_width(), "  - ", "    "))?;
        }
    }
    write_next(out, screen, answer)
}

fn write_chain(out: &mut impl Write, screen: Screen, answer: &WhoAnswer) -> anyhow::Result<()> {
    if answer.chain.len() < 2 {
        return Ok(());
    }
    writeln!(out, "\n{}", screen.paint(Ink::Bold, "Chain"))?;
    for (depth, step) in answer.chain.iter().enumerate() {
        let principal = match step.session_name.as_str() {
            "" => step.principal.clone(),
            session => format!("{} as {session}", step.principal),
        };
        let principal = term::visible(&principal);
        if depth == 0 {
            writeln!(out, "  {principal}")?;
            continue;
        }
        let how = term::visible(&step.how);
        let about = format!("{how}  {}", term::visible(&step.time));
        let indent = "   ".repeat(depth - 1);
        writeln!(out, "  {indent}└─ {principal}  {}", screen.paint(Ink::Dim, about.trim()))?;
    }
    Ok(())
}

fn write_table(
    out: &mut (impl Write + Send),
    screen: Screen,
    table: &WhoTable,
) -> anyhow::Result<()> {
    let columns = table.columns.iter().enumerate().map(|(index, title)| {
        let cells = table.rows.iter().map(|row| row.get(index).map(String::as_str));
        let array: ArrayRef = Arc::new(cells.collect::<StringArray>());
        (title.as_str(), array)
    });
    let batch = RecordBatch::try_from_iter(columns).context("lay out a table")?;
    writeln!(out, "\n{}", screen.paint(Ink::Bold, &term::visible(&table.title)))?;
    let options = Options::new(Format::Table, screen);
    let batches = std::slice::from_ref(&batch);
    render::batches(&options, &Heading::default(), &batch.schema(), batches, &mut *out)?;
    if table.more > 0 {
        let more = term::count(table.more as u64, "more row");
        writeln!(out, "{}", screen.paint(Ink::Dim, &format!("and {more}")))?;
    }
    Ok(())
}

fn write_next(out: &mut impl Write, screen: Screen, answer: &WhoAnswer) -> anyhow::Result<()> {
    if answer.next.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", screen.paint(Ink::Bold, "Where to look next"))?;
    for next in &answer.next {
        writeln!(
            out,
            "  {}  {}",
            screen.paint(Ink::Name, &term::visible(&next.command)),
            screen.paint(Ink::Dim, &term::visible(&next.shows)),
        )?;
    }
    Ok(())
}
