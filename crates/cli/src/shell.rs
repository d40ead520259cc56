//! The SQL shell: statements in, results out, on a terminal or from a script.
//!
//! It knows nothing of a lake: an [`Engine`] runs the statements and says what can be queried.
//! On a terminal a wrong statement is reported and the next one asked for, Ctrl-C drops the line
//! or the running statement, Ctrl-D leaves. From a script the statements run one by one, all of
//! them, and [`Outcome`] says how many failed.

use std::future::Future;
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::execution::SendableRecordBatchStream;
use futures::future::BoxFuture;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use crate::clock::Stopwatch;
use crate::exit;
use crate::render::{self, Format, Heading, Layout, Options};
use crate::term::{Ink, Screen};

mod command;
mod helper;
mod statement;

use command::Command;
use helper::LineHelper;

/// How many rows of a result a terminal shows unless told otherwise.
pub(crate) const DEFAULT_ROWS: u64 = 500;

const PROMPT: &str = "rolecall> ";

/// What runs the statements.
pub(crate) trait Engine: Sync {
    /// Begins one statement; errors may come here or with the rows.
    fn run(
        &self,
        sql: &str,
    ) -> impl Future<Output = anyhow::Result<SendableRecordBatchStream>> + Send;

    /// What can be queried now.
    fn catalog(&self) -> impl Future<Output = anyhow::Result<Catalog>> + Send;
}

/// What can be queried, for completion and for the commands that list it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    /// Tables and views, in the order in which they are listed.
    pub(crate) relations: Vec<Relation>,
    /// Names of functions.
    pub(crate) functions: Vec<String>,
    /// Reports, by name and title.
    pub(crate) reports: Vec<(String, String)>,
}

/// A table or view.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    /// Its name.
    pub(crate) name: String,
    /// `table` or `view`.
    pub(crate) kind: &'static str,
    /// What it holds.
    pub(crate) comment: String,
    /// Its columns.
    pub(crate) columns: Vec<ColumnInfo>,
}

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct ColumnInfo {
    /// Its name.
    pub(crate) name: String,
    /// Its type, in SQL's words.
    pub(crate) data_type: String,
    /// What it means.
    pub(crate) comment: String,
}

/// How a shell begins.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// Where results go.
    pub(crate) screen: Screen,
    /// Where everything else goes.
    pub(crate) messages: Screen,
    /// How results are written.
    pub(crate) format: Format,
}

/// What a script came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Statements and commands that were run.
    pub(crate) statements: u64,
    /// Those of them that failed.
    pub(crate) failed: u64,
}

/// Reads statements from a terminal until the user leaves.
pub(crate) async fn interactive<E: Engine>(
    engine: &E,
    start: Start,
    history: Option<&Path>,
) -> anyhow::Result<()> {
    let screen = start.messages;
    let mut session = Session::new(engine, start, exit::stdout(), std::io::stderr()).await?;
    session.is_interactive = true;
    session.interrupt = Box::new(|| Box::pin(interrupted()));
    let mut editor = editor(&session, screen)?;
    if let Some(path) = history
        && let Err(error) = open_history(&mut editor, path)
    {
        session.complain(&error.context("the history is not kept"))?;
    }
    session.say("End a statement with ;  .help lists the commands, .quit leaves.")?;
    loop {
        // Reading a line blocks, and the runtime has other things to do, such as ending queries.
        let (returned, read) = tokio::task::spawn_blocking(move || {
            let read = editor.readline(PROMPT);
            (editor, read)
        })
        .await?;
        editor = returned;
        let input = match read {
            Ok(input) => input,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error).context("failed to read from the terminal"),
        };
        remember(&mut editor, &input, history);
        let step = session.submit(&input).await?;
        if step == Step::Quit {
            return Ok(());
        }
        if let Some(helper) = editor.helper_mut() {
            helper.catalog = Arc::clone(&session.catalog);
        }
    }
}

/// Runs the statements and commands of a script, all of them, even if some fail. The last
/// statement needs no `;`.
pub(crate) async fn script<E: Engine>(
    engine: &E,
    start: Start,
    mut input: impl BufRead,
    out: impl Write + Send,
    messages: impl Write + Send,
) -> anyhow::Result<Outcome> {
    let mut session = Session::new(engine, start, out, messages).await?;
    let mut pending = String::new();
    let mut line = String::new();
    loop {
        line.clear();
        let is_end = input.read_line(&mut line).context("failed to read the script")? == 0;
        if pending.trim().is_empty() && command::is_command(&line) {
            pending.clear();
            if session.submit(&line).await? == Step::Quit {
                break;
            }
            continue;
        }
        pending.push_str(&line);
        // Only a line with a `;` can finish a statement, and taking apart all that is pending for
        // each line of a long one would take quadratic time.
        if is_end || line.contains(';') {
            let split = statement::split(&pending);
            for sql in split.complete {
                session.statement(sql).await?;
            }
            let (rest, is_blank) = (split.rest.to_owned(), split.rest_is_blank);
            if is_end && !is_blank {
                session.statement(rest.trim()).await?;
            }
            pending = if is_blank { String::new() } else { rest };
        }
        if is_end {
            break;
        }
    }
    session.out.flush()?;
    Ok(session.outcome)
}

/// What comes after an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Continue,
    Quit,
}

/// Waits for what ends a running statement.
type Interrupt = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// One shell: its engine, its settings and where it writes.
struct Session<'a, E, O, M> {
    engine: &'a E,
    catalog: Arc<Catalog>,
    start: Start,
    layout: Layout,
    max_rows: Option<u64>,
    timing: bool,
    is_interactive: bool,
    interrupt: Interrupt,
    outcome: Outcome,
    out: O,
    messages: M,
}

impl<'a, E: Engine, O: Write + Send, M: Write + Send> Session<'a, E, O, M> {
    async fn new(engine: &'a E, start: Start, out: O, messages: M) -> anyhow::Result<Self> {
        Ok(Self {
            engine,
            catalog: Arc::new(engine.catalog().await?),
            start,
            layout: Layout::Auto,
            max_rows: Some(DEFAULT_ROWS),
            timing: false,
            is_interactive: false,
            interrupt: Box::new(|| Box::pin(std::future::pending())),
            outcome: Outcome::default(),
            out,
            messages,
        })
    }

    /// Carries out one input: a command, or statements. Fails only when there is nobody left to
    /// tell; everything else is reported.
    async fn submit(&mut self, input: &str) -> anyhow::Result<Step> {
        if command::is_command(input) {
            return self.command(input);
        }
        let split = statement::split(input);
        for sql in split.complete {
            self.statement(sql).await?;
        }
        if !split.rest_is_blank {
            self.statement(split.rest.trim()).await?;
        }
        Ok(Step::Continue)
    }

    async fn statement(&mut self, sql: &str) -> anyhow::Result<()> {
        self.outcome.statements += 1;
        let interrupt = (self.interrupt)();
        let result = tokio::select! {
            result = self.execute(sql) => result,
            () = interrupt => Err(anyhow!("interrupted")),
        };
        if let Err(error) = result {
            if exit::is_output_failed(&error) {
                return Err(error);
            }
            self.outcome.failed += 1;
            self.complain(&error)?;
        }
        Ok(())
    }

    async fn execute(&mut self, sql: &str) -> anyhow::Result<()> {
        let watch = Stopwatch::start();
        let mut rows = self.engine.run(sql).await?;
        let schema = rows.schema();
        if schema.fields().is_empty() {
            // A statement without a result may still fail, and may have made a view.
            while let Some(batch) = futures::StreamExt::next(&mut rows).await {
                batch?;
            }
            self.catalog = Arc::new(self.engine.catalog().await?);
            return self.say(&format!("done{}", self.took(watch)));
        }
        let options = self.options();
        let heading = Heading::default();
        let summary = render::stream(&options, &heading, &schema, rows, &mut self.out).await?;
        let hint = if summary.more { " (.rows all shows them)" } else { "" };
        let footer = format!("{}{hint}{}", summary.footer(), self.took(watch));
        if self.is_interactive || self.timing { self.say(&footer) } else { Ok(()) }
    }

    fn took(&self, watch: Stopwatch) -> String {
        if self.timing {
            format!(", {:.3} s", watch.elapsed().as_secs_f64())
        } else {
            String::new()
        }
    }

    /// The row limit is for eyes: what goes to a file is whole.
    fn options(&self) -> Options {
        let is_for_eyes = self.start.screen.terminal && !self.start.format.is_data();
        Options {
            layout: self.layout,
            max_rows: self.max_rows.filter(|_| is_for_eyes),
            ..Options::new(self.start.format, self.start.screen)
        }
    }

    fn command(&mut self, input: &str) -> anyhow::Result<Step> {
        self.outcome.statements += 1;
        let result = match command::parse(input) {
            Ok(Command::Quit) => {
                self.out.flush()?;
                return Ok(Step::Quit);
            }
            Ok(command) => self.carry_out(command),
            Err(message) => Err(anyhow!(message)),
        };
        if let Err(error) = result {
            if exit::is_output_failed(&error) {
                return Err(error);
            }
            self.outcome.failed += 1;
            self.complain(&error)?;
        }
        Ok(Step::Continue)
    }

    fn carry_out(&mut self, command: Command) -> anyhow::Result<()> {
        match command {
            Command::Help => self.help(),
            Command::Tables | Command::Schema(None) => {
                let relations = self.catalog.relations.iter();
                let rows = relations.map(|relation| {
                    [relation.name.as_str(), relation.kind, relation.comment.as_str()]
                });
                let batch = text_batch(["name", "kind", "holds"], rows)?;
                self.show(&batch)
            }
            Command::Schema(Some(name)) => {
                let catalog = Arc::clone(&self.catalog);
                let relation =
                    catalog.relations.iter().find(|found| found.name.eq_ignore_ascii_case(&name));
                let Some(relation) = relation else {
                    let names = catalog.relations.iter().map(|relation| relation.name.as_str());
                    let hint = crate::settings::did_you_mean(&name, names);
                    return Err(anyhow!("there is no table or view {name}{hint}"));
                };
                let columns = relation.columns.iter().map(|column| {
                    [column.name.as_str(), column.data_type.as_str(), column.comment.as_str()]
                });
                self.show(&text_batch(["column", "type", "means"], columns)?)
            }
            Command::Reports => {
                let reports = self.catalog.reports.iter();
                let rows = reports.map(|(name, title)| [name.as_str(), title.as_str()]);
                let batch = text_batch(["report", "title"], rows)?;
                self.show(&batch)
            }
            Command::Format(name) => {
                if let Some(name) = name {
                    self.start.format = crate::settings::parse_format(&name)
                        .map_err(|reason| anyhow!(".format: {reason}"))?;
                }
                self.say(&format!("format {}", self.start.format))
            }
            Command::Rows(rows) => {
                self.max_rows = rows;
                let rows = rows.map_or_else(|| "all".to_owned(), |rows| rows.to_string());
                self.say(&format!("rows {rows}"))
            }
            Command::Records(on) => {
                let on = on.unwrap_or(self.layout != Layout::Records);
                self.layout = if on { Layout::Records } else { Layout::Auto };
                self.say(if on { "records on" } else { "records off" })
            }
            Command::Timing(on) => {
                self.timing = on.unwrap_or(!self.timing);
                self.say(if self.timing { "timing on" } else { "timing off" })
            }
            Command::Quit => Ok(()),
        }
    }

    fn help(&mut self) -> anyhow::Result<()> {
        let screen = self.start.messages;
        for known in &command::COMMANDS {
            let usage = format!("{} {}", known.name, known.words);
            let usage = format!("{usage:<18}");
            writeln!(self.messages, "{} {}", screen.paint(Ink::Name, &usage), known.help)?;
        }
        self.say("Everything else is SQL. Tab completes, Ctrl-C drops the line or the statement.")
    }

    /// A list of our own goes the way of a result, in its format.
    fn show(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let options = Options { max_rows: None, layout: Layout::Auto, ..self.options() };
        let heading = Heading::default();
        let schema = batch.schema();
        let batches = std::slice::from_ref(batch);
        render::batches(&options, &heading, &schema, batches, &mut self.out)?;
        Ok(())
    }

    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        let text = self.start.messages.paint(Ink::Dim, text);
        Ok(writeln!(self.messages, "{text}")?)
    }

    fn complain(&mut self, error: &anyhow::Error) -> anyhow::Result<()> {
        let label = self.start.messages.paint(Ink::Bad, "error:");
        Ok(writeln!(self.messages, "{label} {}", exit::message(error))?)
    }
}

fn text_batch<'a, const N: usize>(
    names: [&str; N],
    rows: impl Iterator<Item = [&'a str; N]>,
) -> anyhow::Result<RecordBatch> {
    let rows: Vec<_> = rows.collect();
    let columns = names.iter().enumerate().map(|(index, name)| {
        let column: StringArray = rows.iter().map(|row| Some(row[index])).collect();
        (*name, Arc::new(column) as ArrayRef)
    });
    Ok(RecordBatch::try_from_iter(columns)?)
}

type LineEditor = Editor<LineHelper, FileHistory>;

fn editor<E, O, M>(session: &Session<'_, E, O, M>, screen: Screen) -> anyhow::Result<LineEditor> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .max_history_size(5_000)?
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(LineHelper { catalog: Arc::clone(&session.catalog), screen }));
    Ok(editor)
}

/// Reads the history, and makes sure that it can be written: rustyline gives the file to its owner
/// alone.
fn open_history(editor: &mut LineEditor, path: &Path) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
    }
    let failed = || format!("failed to open {}", path.display());
    if path.exists() {
        editor.load_history(path).with_context(failed)
    } else {
        editor.save_history(path).with_context(failed)
    }
}

/// Adds to the history at once, so that a shell that is killed has not forgotten everything.
fn remember(editor: &mut LineEditor, input: &str, history: Option<&Path>) {
    let is_new = editor.add_history_entry(input.trim()).unwrap_or(false);
    if is_new && let Some(path) = history {
        // That the history cannot be kept has been said at the start; it stops nothing.
        drop(editor.append_history(path));
    }
}

/// Ctrl-C. Where it cannot be watched, a statement runs to its end.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
