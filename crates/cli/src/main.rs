//! The one binary: what was typed, to settings, to the crates that do it, to an exit code.
//!
//! Only wiring. Standard output carries results and nothing else; everything said to a person on the way
//! goes to standard error.

mod args;
mod clock;
mod commands;
mod exit;
mod failpoint;
mod http;
mod log;
mod render;
mod settings;
mod shell;
mod term;

use std::path::Path;
use std::process::ExitCode;

use crate::args::{Cli, Command};
use crate::commands::Context;
use crate::exit::Exit;
use crate::settings::Environment;

fn main() -> ExitCode {
    let exit = match Cli::read().and_then(run) {
        Ok(exit) => exit,
        Err(error) => {
            if !exit::is_output_closed(&error) {
                log::say_error(&exit::message(&error));
            }
            Exit::of(&error)
        }
    };
    exit.into()
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    let settings = settings::load(
        &cli.flags,
        cli.command.settings(),
        &Environment::of_process(),
        Path::new("."),
    )?;
    log::init(&settings, matches!(cli.command, Command::Worker(_)))?;
    for told in settings.explain() {
        tracing::debug!(setting = told.name, value = told.value, origin = %told.origin, "setting");
    }
    settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    // Two TLS providers are linked, and neither is picked by itself. That one is installed already is the
    // only way in which this fails.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(settings.threads.max(2))
        .enable_all()
        .build()?;
    let context = Context::new(settings)?;
    runtime.block_on(command(&context, cli.command))
}

async fn command(context: &Context, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(args) => commands::demo::run(context, &args).await,
        Command::Ingest(args) => commands::ingest::run(context, &args).await,
        Command::Inventory(args) => commands::inventory::run(context, &args).await,
        Command::Who(args) => commands::who::run(context, &args).await,
        Command::Report(args) => commands::report::run(context, &args).await,
        Command::Exceptions(args) => commands::exceptions::run(&args),
        Command::Sql(args) => commands::sql::run(context, &args).await,
        Command::Schema(args) => commands::schema::run(context, &args).await,
        Command::Maintain(args) => commands::maintain::run(context, &args).await,
        Command::Check => commands::check::run(context).await,
        Command::Verify(args) => commands::verify::run(context, &args).await,
        Command::Worker(args) => commands::worker::run(context, &args).await,
        Command::Backfill(args) => commands::backfill::run(context, &args).await,
        Command::Doctor(args) => commands::doctor::run(context, &args).await,
    }
}
