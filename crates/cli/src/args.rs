//! What can be typed. Only shapes: what it means together with environment and settings file is settled
//! in `settings`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod report;

pub(crate) use report::{Exceptions, ExceptionsCommand, Report};

use crate::settings::{Flags, GivenFlag, QueueFlags, SourceFlags, WorkerFlags};

/// Who assumed which role, when, and from where: AWS CloudTrail logs to answers.
#[derive(Debug, Parser)]
#[command(
    name = "rolecall",
    version,
    about,
    propagate_version = true,
    after_help = "Start with `rolecall demo`. Exit codes: 0 done, 1 failed, 2 wrong usage or settings, \
                  3 done, and a report has findings (--fail-on) or verify found something altered, \
                  missing or planted, 4 done, but the logs cover too little (--require-coverage, \
                  --require-verified), \
                  5 done, but some input was rejected (standard error says which)."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) flags: Flags,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One command each.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Generate an organisation, ingest it, and answer the question: no AWS account needed
    Demo(Demo),
    /// Read log files from folders, files or s3://bucket/prefix into the lake
    Ingest(Ingest),
    /// Take down what users, keys, roles and policies accounts have: from AWS, or from files
    Inventory(Inventory),
    /// Who was that? An access key id, a role, user or session ARN, an event id, or an IP address
    Who(Who),
    /// Run a report or all of them, list them, or explain one
    Report(Box<Report>),
    /// Start a file of exceptions for reports
    Exceptions(Exceptions),
    /// Query the lake with SQL; without a query, an interactive shell
    Sql(Sql),
    /// Describe tables and views, column by column
    Schema(Schema),
    /// Compact and sort the tables, drop duplicate events, remove what nothing refers to
    Maintain(Maintain),
    /// Compare what the ledger says was ingested with the rows that are there
    Check,
    /// Check log files against CloudTrail's digest files, and record what each proves
    Verify(Verify),
    /// Take S3's notifications from a queue and keep the lake up to date, until stopped
    Worker(Worker),
    /// Hand what a bucket already holds to the queue, so that workers share a large history
    Backfill(Backfill),
    /// See whether trail, bucket, queue and lake are set up, and say what to mend
    Doctor(Doctor),
}

impl Command {
    /// The flags of this command that are settings, so that environment and file may give them too.
    pub(crate) fn settings(&self) -> Vec<GivenFlag> {
        match self {
            Self::Ingest(args) => args.source.given(),
            Self::Verify(args) => args.source.given(),
            Self::Worker(args) => args.settings.given(),
            Self::Backfill(args) => [args.queue.given(), args.source.given()].concat(),
            Self::Report(args) => args.scheduled.databases.given(),
            Self::Doctor(args) => [args.queue.given(), args.source.given()].concat(),
            _ => Vec::new(),
        }
    }
}

/// `rolecall demo`
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Folder to put the log files and the lake into; it must be new, empty or an earlier demo's
    #[arg(long, default_value = "demo", value_name = "FOLDER")]
    pub(crate) dir: PathBuf,
    /// Accounts in the organisation
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(4..=200))]
    pub(crate) accounts: u16,
    /// Days of logs
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u16).range(2..=400))]
    pub(crate) days: u16,
    /// Seed: the same seed gives the same organisation, byte for byte
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How much everyday noise surrounds the stories (1 is a small company)
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub(crate) size: f64,
}

/// `rolecall ingest`
#[derive(Debug, Args)]
pub(crate) struct Ingest {
    /// Folders, files, or s3://bucket/prefix; also what `aws cloudtrail lookup-events` printed and the
    /// console's Event History as JSON
    #[arg(required = true, value_name = "SOURCE")]
    pub(crate) sources: Vec<String>,
    #[command(flatten)]
    pub(crate) source: SourceFlags,
    /// Then check the log files against CloudTrail's digests in the same sources, and record what each proves
    #[arg(long)]
    pub(crate) verify_digests: bool,
    #[command(flatten)]
    pub(crate) digests: DigestFlags,
    #[command(flatten)]
    pub(crate) selection: SelectionFlags,
}

/// `rolecall inventory`
#[derive(Debug, Args)]
pub(crate) struct Inventory {
    /// Folder with what the AWS CLI printed, instead of asking AWS; a folder below it for each account:
    /// get-account-authorization-details, list-roles, get-credential-report, list-access-keys of every user,
    /// describe-trails with get-event-selectors and get-trail-status, and others that the README lists
    #[arg(long, value_name = "FOLDER")]
    pub(crate) from: Option<PathBuf>,
    /// When the files were true that do not say so themselves, as a credential report in JSON does; a day stands for
    /// its first moment [default: when each was written]. Reports on an earlier time do not see them
    #[arg(long, value_name = "TIME", requires = "from")]
    pub(crate) snapshot_time: Option<String>,
    /// Role to assume in every account but the caller's own, by its name
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    pub(crate) role_name: Option<String>,
    /// External ID that the role asks for
    #[arg(long, value_name = "ID", requires = "role_name")]
    pub(crate) external_id: Option<String>,
    /// Accounts to read: numbers with commas between, or a file with one number a line, where what follows a
    /// # is a remark [default: the caller's own]
    #[arg(long, value_name = "NUMBERS|FILE", requires = "role_name", conflicts_with = "from")]
    pub(crate) accounts: Option<String>,
    /// Read all active accounts of the organisation, its policies, and the identity store's people
    #[arg(long, requires = "role_name", conflicts_with = "from")]
    pub(crate) organization: bool,
    /// Also ask which services each role and user called last: slow, as IAM does a job for each of them
    #[arg(long, conflicts_with = "from")]
    pub(crate) service_last_accessed: bool,
}

/// Which log files are wanted, by the place they lie in.
#[derive(Debug, Args)]
pub(crate) struct SelectionFlags {
    /// Only log files of this account; may be given several times
    #[arg(long = "account", value_name = "ID")]
    pub(crate) accounts: Vec<String>,
    /// Only log files of this region; may be given several times
    #[arg(long = "region", value_name = "REGION")]
    pub(crate) regions: Vec<String>,
    /// Only log files delivered on or after this day (UTC)
    #[arg(long, value_name = "DATE")]
    pub(crate) since: Option<String>,
    /// Only log files delivered on or before this day (UTC)
    #[arg(long, value_name = "DATE")]
    pub(crate) until: Option<String>,
}

/// `rolecall verify`
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Folders or s3://bucket/prefix with log files and digests; without one, the buckets that the lake's log
    /// files came from
    #[arg(value_name = "SOURCE")]
    pub(crate) sources: Vec<String>,
    #[command(flatten)]
    pub(crate) digests: DigestFlags,
    #[command(flatten)]
    pub(crate) source: SourceFlags,
    #[command(flatten)]
    pub(crate) selection: SelectionFlags,
}

/// How digests are checked.
#[derive(Debug, Args)]
pub(crate) struct DigestFlags {
    /// What `aws cloudtrail list-public-keys` printed; without it, CloudTrail is asked
    #[arg(long, value_name = "FILE")]
    pub(crate) public_keys: Option<PathBuf>,
}

/// `rolecall who`
#[derive(Debug, Args)]
pub(crate) struct Who {
    /// An access key id, a role, user or session by ARN or name, a person, an event id, an instance, or an address
    pub(crate) thing: String,
    /// Show times in this zone, such as Europe/Berlin or +02:00; JSON is in UTC always
    #[arg(long, value_name = "ZONE", value_parser = crate::settings::parse_zone)]
    pub(crate) tz: Option<String>,
    /// Answer as of this time (default: now)
    #[arg(long, value_name = "TIME")]
    pub(crate) as_of: Option<String>,
}

/// `rolecall sql`
#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// The query; without one, an interactive shell, or the statements on standard input
    pub(crate) query: Option<String>,
}

/// `rolecall schema`
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// A table or view; without one, all of them with a line each
    pub(crate) name: Option<String>,
}

/// `rolecall maintain`
#[derive(Debug, Args)]
pub(crate) struct Maintain {
    /// Delete files that nothing refers to only after so many days [default: 7]; 0 only where nothing else
    /// reads or writes the lake
    #[arg(long, value_name = "N")]
    pub(crate) retain_days: Option<u16>,
    /// Let rows expire that are older than so many days before today (UTC); which log files they came in
    /// stays known, and one that comes late is ingested and goes with the next maintenance [default: ROLECALL_KEEP_DAYS, else keep all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keep_days: Option<u32>,
}

/// `rolecall worker`
#[derive(Debug, Args)]
pub(crate) struct Worker {
    #[command(flatten)]
    pub(crate) settings: WorkerFlags,
    /// End when the queue is empty
    #[arg(long)]
    pub(crate) drain: bool,
}

/// `rolecall backfill`
#[derive(Debug, Args)]
pub(crate) struct Backfill {
    /// The bucket and prefix whose log files are handed to the queue
    #[arg(long, value_name = "S3-URI")]
    pub(crate) enqueue: String,
    #[command(flatten)]
    pub(crate) queue: QueueFlags,
    #[command(flatten)]
    pub(crate) source: SourceFlags,
    #[command(flatten)]
    pub(crate) selection: SelectionFlags,
    /// Keeps how far it came, so that the same command goes on there
    #[arg(long, value_name = "FILE")]
    pub(crate) state_file: Option<PathBuf>,
}

/// `rolecall doctor`
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Where the trail delivers; the only trail's bucket where it is not given
    #[arg(value_name = "S3-URI")]
    pub(crate) bucket: Option<String>,
    #[command(flatten)]
    pub(crate) queue: QueueFlags,
    #[command(flatten)]
    pub(crate) source: SourceFlags,
}
