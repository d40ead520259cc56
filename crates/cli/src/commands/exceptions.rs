//! `rolecall exceptions init`: a template of the file that `report --exceptions` reads. What the file means
//! is in `report/exceptions.rs`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};

use anyhow::Context as _;

use crate::args;
use crate::exit::{Exit, Usage};

/// What is written; all of it comments, so that it excepts nothing until somebody says so.
pub(crate) const TEMPLATE: &str = include_str!("exceptions/template.toml");

/// Runs the command.
pub(crate) fn run(args: &args::Exceptions) -> anyhow::Result<Exit> {
    let args::ExceptionsCommand::Init { file } = &args.command;
    // Not looked for first: another process may be faster, and nobody's exceptions are to be lost.
    match OpenOptions::new().write(true).create_new(true).open(file) {
        Ok(mut new) => new
            .write_all(TEMPLATE.as_bytes())
            .with_context(|| format!("failed to write {}", file.display()))?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let message = format!("{} is there already and is left as it is", file.display());
            return Err(Usage::new(message).into());
        }
        Err(error) => {
            return Err(error).with_context(|| format!("failed to make {}", file.display()));
        }
    }
    let next =
        format!("Wrote {0}. Use it with `rolecall report --exceptions {0}`.", file.display());
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(std::io::stderr(), "{next}");
    Ok(Exit::Done)
}
