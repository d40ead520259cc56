//! What is said on the way, on standard error: plain lines. JSON would surprise people who pipe, so that only
//! the worker, whose lines a machine collects, writes it where standard error is no terminal.

use std::io::Write as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::clock;
use crate::settings::Settings;
use crate::term::Screen;

/// Starts logging. Called once.
pub(crate) fn init(settings: &Settings, is_service: bool) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.log)?;
    let screen = Screen::stderr(settings.color);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(screen.colour)
        .with_target(false);
    let started = if screen.terminal {
        builder.without_time().try_init()
    } else if is_service {
        builder.with_timer(Utc).json().flatten_event(true).try_init()
    } else {
        builder.with_timer(Utc).try_init()
    };
    started.map_err(|error| anyhow::anyhow!("start logging: {error}"))
}

/// Says why the run ends. Not through the log, whose filter might hide it.
pub(crate) fn say_error(message: &str) {
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(std::io::stderr(), "rolecall: {message}");
}

struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        w.write_str(&clock::format_rfc3339(clock::now_micros()))
    }
}
