//! How the process ends: the exit codes, and which of them an error means.
//!
//! A reader that closes our output early (`rolecall sql … | head`) has what it wanted, so that is
//! success. Only our own output counts: a connection to S3 that breaks is a broken pipe too, and a
//! failure. [`Output`] makes the difference by marking the errors of the writer it wraps.

use std::error::Error;
use std::fmt;
use std::io::{self, BufWriter, Stdout, Write};
use std::process::ExitCode;

use datafusion::error::DataFusionError;

use crate::clock::BadTime;
use crate::term;

/// What a run of `rolecall` came to; the numbers are promised to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything asked for was done, or the reader of the output left early.
    Done = 0,
    /// Something failed: input or lake unreadable, disk full, query wrong.
    Failed = 1,
    /// The command line or a setting is wrong; nothing was started.
    Usage = 2,
    /// Done, and what was looked for was found: rows of a report with a verdict that was asked about, or log
    /// files or digests that are altered, missing or planted.
    Findings = 3,
    /// Done, but the logs hold less of what was asked about than was demanded.
    LowCoverage = 4,
    /// Done, but some of the input was rejected; which, the run has said.
    SomeRejected = 5,
}

impl Exit {
    /// The code for an error that ends the run.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if is_output_closed(error) {
            Self::Done
        } else if error.chain().any(|cause| cause.is::<Usage>() || cause.is::<BadTime>()) {
            Self::Usage
        } else {
            Self::Failed
        }
    }

    /// The number a shell sees.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error together with its causes on one line, safe to print on a terminal.
///
/// A cause that the line already ends with is left out: several libraries put the text of the
/// cause into their own.
pub(crate) fn message(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        // This one prints the parser's error twice, once in Rust's words.
        let is_sql = matches!(cause.downcast_ref(), Some(DataFusionError::SQL(..)));
        let text = if is_sql { "wrong SQL".to_owned() } else { cause.to_string() };
        if !line.is_empty() {
            if line.contains(&text) {
                continue;
            }
            line.push_str(": ");
        }
        line.push_str(&text);
    }
    term::visible_lines(&line).into_owned()
}

/// The command line or a setting is wrong: exit code 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Usage(String);

impl Usage {
    /// `message` names the flag or the setting, and where it came from.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Usage {}

/// An error of our own output, as against any other input or output.
#[derive(Debug)]
struct OutputError(io::Error);

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed to write the output")
    }
}

impl Error for OutputError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// Whether `error` says that nobody reads our output any more.
pub(crate) fn is_output_closed(error: &anyhow::Error) -> bool {
    output_error(error).is_some_and(|inner| inner.0.kind() == io::ErrorKind::BrokenPipe)
}

/// Whether `error` says that our output cannot be written, for whatever reason: nothing that
/// follows could be either.
pub(crate) fn is_output_failed(error: &anyhow::Error) -> bool {
    output_error(error).is_some()
}

fn output_error(error: &anyhow::Error) -> Option<&OutputError> {
    error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref())
}

/// The writer that results go to; see the module.
#[derive(Debug)]
pub(crate) struct Output<W> {
    inner: W,
}

impl<W: Write> Output<W> {
    /// Wraps where the results go.
    pub(crate) fn new(inner: W) -> Self {
        Self { inner }
    }
}

/// Standard output, buffered. Flush it before leaving: what is lost on drop is lost silently.
pub(crate) fn stdout() -> Output<BufWriter<Stdout>> {
    Output::new(BufWriter::with_capacity(1 << 16, io::stdout()))
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes).map_err(mark)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush().map_err(mark)
    }
}

/// The kind stays: the standard library goes by it, and tries an interrupted write again.
fn mark(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), OutputError(error))
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    struct Fails(io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn only_our_own_closed_output_is_success() {
        let ours = Output::new(Fails(io::ErrorKind::BrokenPipe)).write(b"x").unwrap_err();
        let ours = Err::<(), _>(ours).context("failed to write the result").unwrap_err();
        assert_eq!(Exit::of(&ours), Exit::Done);

        let network = anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(Exit::of(&network), Exit::Failed);

        let full = Output::new(Fails(io::ErrorKind::StorageFull)).flush().unwrap_err().into();
        assert_eq!(Exit::of(&full), Exit::Failed);
        assert!(is_output_failed(&full) && !is_output_failed(&network));
        assert_eq!(message(&full), "failed to write the output: no storage space");
    }

    #[test]
    fn wrong_usage_is_two_whatever_wraps_it() {
        let error =
            Err::<(), _>(Usage::new("--days: 0 is too small")).context("report").unwrap_err();
        assert_eq!(Exit::of(&error).code(), 2);
        let error = crate::clock::parse_time("yesterday").unwrap_err();
        assert_eq!(Exit::of(&error.into()).code(), 2);
    }

    #[test]
    fn the_message_says_each_cause_once_and_nothing_acts_on_the_terminal() {
        let error = anyhow::anyhow!("no such \u{1b}[2Jtable")
            .context("failed to plan: no such \u{1b}[2Jtable")
            .context("failed to run the query");
        assert_eq!(
            message(&error),
            "failed to run the query: failed to plan: no such \\x1b[2Jtable"
        );
    }

    #[tokio::test]
    async fn a_parser_error_is_said_once() {
        let session = datafusion::prelude::SessionContext::new();
        let error = session.sql("SELEC 1").await.unwrap_err();
        assert_eq!(
            message(&error.into()),
            "wrong SQL: sql parser error: Expected: an SQL statement, found: SELEC at Line: 1, \
             Column: 1"
        );
    }
}
