//! What each command does, on top of the crates that do the work.

pub(crate) mod backfill;
pub(crate) mod check;
mod databases;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod exceptions;
pub(crate) mod ingest;
pub(crate) mod inventory;
pub(crate) mod maintain;
pub(crate) mod report;
pub(crate) mod schema;
pub(crate) mod sql;
pub(crate) mod verify;
pub(crate) mod who;
pub(crate) mod worker;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::RecordBatch;
use ipnet::IpNet;
use rolecall_lake::{Lake, LakeError, LakeOptions, MaintainOptions};
use rolecall_query::{NamedOwner, Networks, QueryError, Session, SessionOptions};

use crate::exit::Usage;
use crate::render::{self, Format, Heading};
use crate::settings::Settings;
use crate::term::Screen;
use crate::{clock, exit, failpoint, term};

/// Log files that are fetched at once, for each thread that reads. Objects come with a delay each.
const FETCHES_PER_THREAD: usize = 8;

/// Rows of all readers together that make a batch, in bytes of memory. Larger batches make larger
/// Parquet files and fewer commits; this and the readers' buffers bound what ingest takes.
const BATCH_BYTES: usize = 64 << 20;

/// What all commands work with.
pub(crate) struct Context {
    /// The settings.
    pub(crate) settings: Settings,
    /// Where results go.
    pub(crate) stdout: Screen,
    /// Where everything else goes.
    pub(crate) stderr: Screen,
    on_step: Option<rolecall_lake::OnStep>,
}

impl Context {
    pub(crate) fn new(settings: Settings) -> anyhow::Result<Self> {
        let on_step = settings.test_failpoint.as_deref().map(failpoint::hook).transpose()?;
        let (stdout, stderr) = (Screen::stdout(settings.color), Screen::stderr(settings.color));
        Ok(Self { settings, stdout, stderr, on_step })
    }

    /// The format of results.
    pub(crate) fn format(&self) -> Format {
        self.settings.format.unwrap_or(Format::Table)
    }

    /// The same settings with another lake.
    pub(crate) fn with_lake(&self, lake: &Path) -> anyhow::Result<Self> {
        let lake = lake.to_str().context("the folder's name is not UTF-8")?.to_owned();
        let mut settings = self.settings.clone();
        settings.lake = lake;
        Self::new(settings)
    }

    /// For commands that do something and sum it up, rather than print rows.
    pub(crate) fn summary_format(&self, command: &str) -> Result<(), Usage> {
        match self.format() {
            Format::Table | Format::Json | Format::Ndjson => Ok(()),
            other => Err(Usage::new(format!(
                "--format {}: what {command} did is printed as table or json",
                other.name()
            ))),
        }
    }

    pub(crate) fn render_options(&self) -> render::Options {
        render::Options::new(self.format(), self.stdout)
    }

    /// How the lake is maintained, by the command and by the worker.
    pub(crate) fn maintain_options(
        &self,
        retain_days: Option<u16>,
        keep_days: Option<u32>,
    ) -> MaintainOptions {
        let usual = MaintainOptions::at(clock::now_micros());
        MaintainOptions {
            retention: retain_days.map_or(usual.retention, |days| i64::from(days) * clock::DAY),
            keep_days,
            memory_bytes: usize::try_from(self.settings.memory_limit / 2).unwrap_or(usize::MAX),
            ..usual
        }
    }

    pub(crate) fn lake_options(&self) -> LakeOptions {
        LakeOptions {
            storage: self.settings.s3.storage_options(&self.settings.lake),
            on_step: self.on_step.clone(),
            now: clock::now_micros(),
        }
    }

    pub(crate) async fn create_or_open_lake(&self) -> anyhow::Result<Lake> {
        Ok(Lake::create_or_open(&self.settings.lake, self.lake_options()).await?)
    }

    pub(crate) async fn open_lake(&self) -> anyhow::Result<Lake> {
        let opened = Lake::open(&self.settings.lake, self.lake_options()).await;
        if let Err(LakeError::NoLake { .. }) = opened {
            let lake = &self.settings.lake;
            return opened.with_context(|| {
                format!(
                    "no lake at {lake}; name one with --lake, or make it with `rolecall ingest`"
                )
            });
        }
        Ok(opened?)
    }

    pub(crate) async fn session(&self) -> anyhow::Result<Session> {
        self.session_with(self.networks(Vec::new())?, Vec::new()).await
    }

    /// The networks of the settings and `more`, as SQL knows them, with the databases that there are.
    pub(crate) fn networks(
        &self,
        more: Vec<(IpNet, String, Option<String>)>,
    ) -> Result<Networks, Usage> {
        let mut list = Vec::new();
        for network in &self.settings.networks {
            list.extend(network.blocks.iter().map(|block| (*block, network.name.clone(), None)));
        }
        list.extend(more);
        databases::open(Networks::new(list), &self.settings.databases)
    }

    /// A session that knows other networks, and owners.
    pub(crate) async fn session_with(
        &self,
        networks: Networks,
        owners: Vec<NamedOwner>,
    ) -> anyhow::Result<Session> {
        let lake = self.open_lake().await?;
        let reader = lake.reader().await?;
        let options = SessionOptions {
            memory_limit: usize::try_from(self.settings.memory_limit).ok(),
            threads: Some(self.settings.threads),
            spill_folder: None,
            networks,
            owners,
        };
        Ok(Session::open(&reader, options).await?)
    }

    /// Writes a result that is in memory to standard output.
    pub(crate) fn write_batch(&self, heading: &Heading, batch: &RecordBatch) -> anyhow::Result<()> {
        let mut out = exit::stdout();
        let batches = std::slice::from_ref(batch);
        render::batches(&self.render_options(), heading, &batch.schema(), batches, &mut out)?;
        out.flush()?;
        Ok(())
    }

    /// Says what stands below the rows, such as how many there were, to a person who sees them as a table.
    pub(crate) fn say_below(&self, footer: &str) {
        if self.format() == Format::Table && self.stdout.terminal {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(std::io::stderr(), "{}", term::visible(footer));
        }
    }

    pub(crate) fn ingest_settings(&self) -> rolecall_ingest::Settings {
        let threads = self.settings.threads;
        rolecall_ingest::Settings {
            readers: threads,
            fetches: FETCHES_PER_THREAD * threads,
            batch_bytes: BATCH_BYTES,
            limits: rolecall_ingest::Limits {
                max_inflated_bytes: usize::try_from(self.settings.max_inflated)
                    .unwrap_or(usize::MAX),
                ..rolecall_ingest::Limits::default()
            },
            now: Arc::new(clock::now_micros),
        }
    }
}

/// Whether `text` is an account id: twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Wrong parameters are wrong usage; everything else is a failure.
pub(crate) fn query_error(error: QueryError) -> anyhow::Error {
    match error.kind() {
        rolecall_query::Kind::Question => Usage::new(error.to_string()).into(),
        _ => error.into(),
    }
}
