//! Settings: what a run is told, from wherever it is told.
//!
//! Each setting is looked for in four places, and the first that has it wins: the command line,
//! the environment (`ROLECALL_…`, and the AWS SDK's own variables for S3), `rolecall.toml`, the
//! default. All are checked before anything starts, and a complaint names the setting and the
//! place. Secrets come from the environment or the AWS SDK's own chain only, never from the file,
//! and are not shown.
//!
//! This file is the only one that reads the process environment.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::exit::Usage;
use crate::render::Format;
use crate::term::Colour;

mod databases;
mod file;
mod parse;
mod s3;
mod worker;

#[cfg(test)]
mod tests;

pub(crate) use databases::{DatabaseFlags, DatabaseSettings};
pub(crate) use parse::{did_you_mean, format as parse_format, zone as parse_zone};
pub(crate) use s3::S3Settings;
pub(crate) use worker::{QueueFlags, SourceFlags, SourceSettings, WorkerFlags, WorkerSettings};

/// The name of the file that is read from the current directory.
pub(crate) const FILE_NAME: &str = "rolecall.toml";

/// The settings that the command line can give, for every command.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Flags {
    /// The lake: a folder or s3://bucket/prefix [default: ./lake]
    #[arg(long, global = true, value_name = "URI")]
    pub(crate) lake: Option<String>,
    /// How results are written
    #[arg(long, global = true, value_enum)]
    pub(crate) format: Option<Format>,
    /// When to colour [default: auto]
    #[arg(long, alias = "colour", global = true, value_enum, value_name = "WHEN")]
    pub(crate) color: Option<Colour>,
    /// Settings file [default: rolecall.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Threads that work at once [default: one per processor]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<String>,
    /// Memory that queries may hold before they use the disk [default: 1GiB]
    #[arg(long, global = true, value_name = "SIZE")]
    pub(crate) memory_limit: Option<String>,
    /// Largest log file after inflating; a larger one is refused [default: 256MiB]
    #[arg(long, global = true, value_name = "SIZE")]
    pub(crate) max_inflated: Option<String>,
}

/// All settings, checked.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// A folder, or `s3://bucket/prefix`.
    pub(crate) lake: String,
    /// The format of results; each command has its own default.
    pub(crate) format: Option<Format>,
    /// When to colour; `NO_COLOR` and a dumb terminal are taken into account.
    pub(crate) color: Colour,
    /// What to log, as a `tracing` filter.
    pub(crate) log: String,
    /// Threads that work at once.
    pub(crate) threads: usize,
    /// Bytes that queries may hold before they use the disk.
    pub(crate) memory_limit: u64,
    /// Bytes that a log file may have after inflating.
    pub(crate) max_inflated: u64,
    /// Where the shell keeps its history; none where there is no home directory.
    pub(crate) history_file: Option<PathBuf>,
    /// Networks that have a name, in the order of their names.
    pub(crate) networks: Vec<Network>,
    /// What is known of other addresses.
    pub(crate) databases: DatabaseSettings,
    /// Where reports are told to (`ROLECALL_WEBHOOK`); never in the file, as it is a secret.
    pub(crate) webhook: Option<Secret>,
    /// How S3 is reached.
    pub(crate) s3: S3Settings,
    /// As whom log files are read.
    pub(crate) source: SourceSettings,
    /// How the worker goes about it.
    pub(crate) worker: WorkerSettings,
    /// Where a test wants the process to die (`ROLECALL_TEST_FAILPOINT`). For tests only: a run
    /// without it behaves as if this did not exist.
    pub(crate) test_failpoint: Option<String>,
    /// What is odd but no reason to stop, to be logged.
    pub(crate) warnings: Vec<String>,
    told: Vec<Told>,
}

impl Settings {
    /// Every setting with its value as text and where it came from, secrets left out.
    pub(crate) fn explain(&self) -> &[Told] {
        &self.told
    }
}

/// A text that is never printed: whoever has it can use it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The text itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A network with a name, such as the office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    /// Its name.
    pub(crate) name: String,
    /// Its address blocks.
    pub(crate) blocks: Vec<IpNet>,
}

/// One setting, for people who wonder why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Its name in `rolecall.toml`.
    pub(crate) name: &'static str,
    /// Its value.
    pub(crate) value: String,
    /// Where it came from.
    pub(crate) origin: Origin,
}

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The command line.
    Flag(&'static str),
    /// An environment variable.
    Environment(&'static str),
    /// The settings file.
    File(PathBuf, usize),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Default => write!(f, "default"),
        }
    }
}

/// A setting's names in the three places that can give it.
struct Key {
    name: &'static str,
    flag: Option<&'static str>,
    /// The first that is set counts.
    variables: &'static [&'static str],
}

const fn key(
    name: &'static str,
    flag: Option<&'static str>,
    variables: &'static [&'static str],
) -> Key {
    Key { name, flag, variables }
}

const LAKE: Key = key("lake", Some("--lake"), &["ROLECALL_LAKE"]);
const FORMAT: Key = key("format", Some("--format"), &["ROLECALL_FORMAT"]);
const COLOR: Key = key("color", Some("--color"), &["ROLECALL_COLOR"]);
const LOG: Key = key("log", None, &["ROLECALL_LOG"]);
const THREADS: Key = key("threads", Some("--threads"), &["ROLECALL_THREADS"]);
const MEMORY_LIMIT: Key = key("memory_limit", Some("--memory-limit"), &["ROLECALL_MEMORY_LIMIT"]);
const MAX_INFLATED: Key = key("max_inflated", Some("--max-inflated"), &["ROLECALL_MAX_INFLATED"]);
const HISTORY_FILE: Key = key("history_file", None, &["ROLECALL_HISTORY_FILE"]);
const NETWORKS: Key = key("networks", None, &["ROLECALL_NETWORKS"]);
const S3_ENDPOINT: Key =
    key("s3.endpoint", None, &["ROLECALL_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]);
const S3_REGION: Key =
    key("s3.region", None, &["ROLECALL_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"]);
const S3_PATH_STYLE: Key = key("s3.path_style", None, &["ROLECALL_S3_PATH_STYLE"]);
const TEST_FAILPOINT: Key = key("test_failpoint", None, &["ROLECALL_TEST_FAILPOINT"]);

/// What `rolecall.toml` may say, `networks` being a table of its own. A failpoint is not for files.
const FILE_KEYS: [&Key; 23] = [
    &LAKE,
    &FORMAT,
    &COLOR,
    &LOG,
    &THREADS,
    &MEMORY_LIMIT,
    &MAX_INFLATED,
    &HISTORY_FILE,
    &NETWORKS,
    &databases::ASN_DATABASE,
    &databases::COUNTRY_DATABASE,
    &S3_ENDPOINT,
    &S3_REGION,
    &S3_PATH_STYLE,
    &worker::SOURCE_ROLE_ARN,
    &worker::EXTERNAL_ID,
    &worker::QUEUE_URL,
    &worker::LISTEN,
    &worker::BATCH_SECONDS,
    &worker::VISIBILITY_TIMEOUT,
    &worker::MAX_MESSAGES,
    &worker::MAINTAIN_HOURS,
    &worker::KEEP_DAYS,
];

/// The file itself can be named by a variable.
const CONFIG_VARIABLE: &str = "ROLECALL_CONFIG";

/// A secret: looked for here only, and not told by `--log debug`.
const WEBHOOK_VARIABLE: &str = "ROLECALL_WEBHOOK";

/// The environment, as it was when the process started or as a test says.
#[derive(Clone, Default)]
pub(crate) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The environment of this process.
    pub(crate) fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// A variable's value; an empty one counts as not set, as most shells make it hard to unset.
    fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A variable's value as text.
    fn text(&self, name: &str) -> Result<Option<&str>, Usage> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.to_str() {
            Some(text) => Ok(Some(text)),
            None => Err(Usage::new(format!("environment variable {name} is not valid UTF-8"))),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(|name| name.to_str())
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// The environment holds secrets: a debug print names the variables only.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A value as it was written, and where.
#[derive(Clone, Debug)]
struct Raw {
    text: String,
    origin: Origin,
}

/// The places, in the order in which they are asked.
struct Sources<'a> {
    flags: HashMap<&'static str, String>,
    environment: &'a Environment,
    file: file::File,
    told: Vec<Told>,
}

impl Sources<'_> {
    /// The value of the first place that has one.
    fn raw(&self, key: &Key) -> Result<Option<Raw>, Usage> {
        if let Some(flag) = key.flag
            && let Some(text) = self.flags.get(flag)
        {
            return Ok(Some(Raw { text: text.clone(), origin: Origin::Flag(flag) }));
        }
        for variable in key.variables {
            if let Some(text) = self.environment.text(variable)? {
                let origin = Origin::Environment(variable);
                return Ok(Some(Raw { text: text.to_owned(), origin }));
            }
        }
        Ok(self.file.get(key.name))
    }

    /// The setting, read by `parse`; `None` if nobody gave it.
    fn given<T>(
        &mut self,
        key: &'static Key,
        parse: impl FnOnce(&Raw) -> Result<T, String>,
    ) -> Result<Option<T>, Usage> {
        let Some(raw) = self.raw(key)? else { return Ok(None) };
        let value = parse(&raw)
            .map_err(|reason| Usage::new(format!("{}: {}: {reason}", raw.origin, key.name)))?;
        self.told.push(Told { name: key.name, value: raw.text, origin: raw.origin });
        Ok(Some(value))
    }

    /// The setting, or its default, which `shown` puts into words.
    fn or<T>(
        &mut self,
        key: &'static Key,
        parse: impl FnOnce(&Raw) -> Result<T, String>,
        default: T,
        shown: impl FnOnce(&T) -> String,
    ) -> Result<T, Usage> {
        if let Some(value) = self.given(key, parse)? {
            return Ok(value);
        }
        let told = Told { name: key.name, value: shown(&default), origin: Origin::Default };
        self.told.push(told);
        Ok(default)
    }
}

/// Finds and checks all settings. `more` are the flags of the command that are settings too; `directory`
/// is where [`FILE_NAME`] is looked for.
pub(crate) fn load(
    flags: &Flags,
    more: Vec<GivenFlag>,
    environment: &Environment,
    directory: &Path,
) -> Result<Settings, Usage> {
    let file = match (&flags.config, environment.get(CONFIG_VARIABLE)) {
        (Some(path), _) => file::File::read(path, "--config")?,
        (None, Some(path)) => {
            file::File::read(Path::new(path), &format!("environment variable {CONFIG_VARIABLE}"))?
        }
        (None, None) => file::File::read_if_there(&directory.join(FILE_NAME))?,
    };
    let mut from = Sources { flags: given_flags(flags, more), environment, file, told: Vec::new() };

    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let lake = from.or(&LAKE, parse::lake, "./lake".to_owned(), String::clone)?;
    let format = from.given(&FORMAT, |raw| parse::format(&raw.text))?;
    let color = from.given(&COLOR, |raw| parse::color(&raw.text))?;
    let log = from.or(&LOG, parse::log_filter, "warn,rolecall=info".to_owned(), String::clone)?;
    let threads =
        from.or(&THREADS, |raw| parse::threads(&raw.text), processors, usize::to_string)?;
    let memory_limit = from.or(
        &MEMORY_LIMIT,
        |raw| parse::size(&raw.text, 64 << 20, 1 << 50),
        1 << 30,
        |size| parse::show_size(*size),
    )?;
    let max_inflated = from.or(
        &MAX_INFLATED,
        |raw| parse::size(&raw.text, 1 << 10, u64::from(u32::MAX)),
        256 << 20,
        |size| parse::show_size(*size),
    )?;
    let history_file = match from.given(&HISTORY_FILE, parse::file)? {
        Some(path) => Some(path),
        None => default_history_file(environment),
    };
    let mut networks = from.given(&NETWORKS, |raw| parse::networks(&raw.text))?.unwrap_or_default();
    if networks.is_empty()
        && let Some((in_file, told)) = from.file.networks()?
    {
        networks = in_file;
        from.told.push(told);
    }
    let databases = DatabaseSettings::load(&mut from)?;
    let s3 = S3Settings::load(&mut from)?;
    let source = SourceSettings::load(&mut from)?;
    let worker = WorkerSettings::load(&mut from)?;
    let test_failpoint = from.given(&TEST_FAILPOINT, |raw| Ok(raw.text.clone()))?;
    Ok(Settings {
        lake,
        format,
        color: color.unwrap_or_else(|| default_color(environment)),
        log,
        threads,
        memory_limit,
        max_inflated,
        history_file,
        networks,
        databases,
        webhook: environment.text(WEBHOOK_VARIABLE)?.map(|url| Secret(url.to_owned())),
        s3,
        source,
        worker,
        test_failpoint,
        warnings: unknown_variables(environment),
        told: from.told,
    })
}

/// A flag and what was written after it, if it was given.
pub(crate) type GivenFlag = (Option<&'static str>, Option<String>);

fn given_flags(flags: &Flags, more: Vec<GivenFlag>) -> HashMap<&'static str, String> {
    let given = [
        (LAKE.flag, flags.lake.clone()),
        (FORMAT.flag, flags.format.map(|format| format.name().to_owned())),
        (COLOR.flag, flags.color.map(|color| color.name().to_owned())),
        (THREADS.flag, flags.threads.clone()),
        (MEMORY_LIMIT.flag, flags.memory_limit.clone()),
        (MAX_INFLATED.flag, flags.max_inflated.clone()),
    ];
    given.into_iter().chain(more).filter_map(|(flag, value)| Some((flag?, value?))).collect()
}

/// <https://no-color.org>: any value but an empty one. A dumb terminal shows the codes as text.
fn default_color(environment: &Environment) -> Colour {
    let dumb = environment.get("TERM").is_some_and(|term| term == "dumb");
    if dumb || environment.get("NO_COLOR").is_some() { Colour::Never } else { Colour::Auto }
}

/// Where the XDG base directories put what a program remembers.
fn default_history_file(environment: &Environment) -> Option<PathBuf> {
    let state = match environment.get("XDG_STATE_HOME").map(PathBuf::from) {
        Some(path) if path.is_absolute() => path,
        _ => Path::new(environment.get("HOME")?).join(".local/state"),
    };
    Some(state.join("rolecall").join("history"))
}

/// A misspelt variable would be ignored without a word. It is no error, as another version of
/// rolecall may know it.
fn unknown_variables(environment: &Environment) -> Vec<String> {
    let known: Vec<&str> = FILE_KEYS
        .iter()
        .copied()
        .chain([&TEST_FAILPOINT])
        .flat_map(|key| key.variables.iter().copied())
        .chain([CONFIG_VARIABLE, WEBHOOK_VARIABLE])
        .collect();
    environment
        .names()
        .filter(|name| name.starts_with("ROLECALL_") && !known.contains(name))
        .map(|name| {
            let hint = did_you_mean(name, known.iter().copied());
            format!("environment variable {name} is no setting and is ignored{hint}")
        })
        .collect()
}
