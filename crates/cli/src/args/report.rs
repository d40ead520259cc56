//! What can be typed after `rolecall report` and `rolecall exceptions`. A parameter of a built-in report is a
//! flag of its own; those of the user's reports are given with `--param`.

use std::path::PathBuf;

use clap::{
    Arg, ArgMatches, Args, Command as ClapCommand, CommandFactory as _, FromArgMatches as _,
    Subcommand,
};
use rolecall_query::Reports;

use super::{Cli, Command};
use crate::settings::{DatabaseFlags, Secret};

/// `rolecall report`
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Name of the report
    #[arg(required_unless_present_any = ["list", "explain", "all"])]
    pub(crate) name: Option<String>,
    /// Run every report whose parameters have defaults, with one exit code
    #[arg(long, conflicts_with_all = ["name", "list", "explain"])]
    pub(crate) all: bool,
    /// List the reports
    #[arg(long, conflicts_with_all = ["name", "explain"])]
    pub(crate) list: bool,
    /// Say what a report answers, its parameters and columns, and what it cannot know; or what a reason code means
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    pub(crate) explain: Option<String>,
    /// Answer as of this time (default: now)
    #[arg(long, value_name = "TIME")]
    pub(crate) as_of: Option<String>,
    /// The last N days before --as-of
    #[arg(long, value_name = "N", conflicts_with_all = ["from", "to"], allow_negative_numbers = true)]
    pub(crate) days: Option<String>,
    /// From this time on
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Up to this time
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
    /// Only this account, by id or name
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,
    /// Only this role: ARN, account/name or name
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Option<String>,
    /// Only this session: its ARN or name (lineage)
    #[arg(long, value_name = "SESSION")]
    pub(crate) session: Option<String>,
    /// Only this access key (stale-keys, key-migration, key-footprint, lineage)
    #[arg(long, value_name = "KEY")]
    pub(crate) access_key: Option<String>,
    /// Another parameter of the report, as name=value
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    /// Folder with your own reports, beside the built-in ones
    #[arg(long, value_name = "FOLDER")]
    pub(crate) queries: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) scheduled: Scheduled,
}

/// What a scheduled run needs.
#[derive(Debug, Args)]
#[command(next_help_heading = "What every report can do")]
pub(crate) struct Scheduled {
    /// Exit with 3 when a row has one of these verdicts; `any` stands for what the report calls findings
    #[arg(long, value_name = "VERDICT", value_delimiter = ',')]
    pub(crate) fail_on: Vec<String>,
    /// Exit with 4 when the logs hold a smaller share of the window's account-days, or a row says so of itself
    #[arg(long, value_name = "SHARE")]
    pub(crate) require_coverage: Option<String>,
    /// Exit with 4 when digests prove a smaller share of the days held of some account: see `rolecall verify`
    #[arg(long, value_name = "SHARE")]
    pub(crate) require_verified: Option<String>,
    /// Do not ask for this account with --require-coverage and --require-verified: id or name; may be given several
    /// times. Accounts that the organisation's list says are closed are not asked for anyway
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) ignore_account: Vec<String>,
    /// Write files instead, one for each report and day: NAME/as_of=DATE/NAME.EXT in a folder or s3://
    #[arg(long, value_name = "DIR|S3-URI")]
    pub(crate) output: Option<String>,
    /// With --output, also a file for each value of a column, COLUMN=VALUE.EXT beside the one of all rows: a list
    /// for each owner to send
    #[arg(long, value_name = "COLUMN", requires = "output")]
    pub(crate) split_by: Option<String>,
    /// Say of each row whether it is new, the same, flipped or gone since the newest earlier file in --output
    #[arg(long, requires = "output")]
    pub(crate) since_last: bool,
    /// Rows that somebody accepts until a day: they stay, marked, and do not count for --fail-on (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) exceptions: Option<PathBuf>,
    /// Owners of keys and roles, and when they were asked and answered, for the report owners (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) owners: Option<PathBuf>,
    /// Networks with label and kind, for network_label(ip) in reports: TOML, CSV, or AWS's ip-ranges.json; may be
    /// given several times, and of two with the same addresses the later counts
    #[arg(long, value_name = "FILE")]
    pub(crate) networks: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) databases: DatabaseFlags,
    /// Zone that tables, Markdown and HTML show times in, and in which nights and weekends are counted, such as
    /// Europe/Berlin or +02:00 [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub(crate) tz: Option<String>,
    /// Post the result and its top rows, as Slack takes them [default: ROLECALL_WEBHOOK]
    #[arg(long, value_name = "URL")]
    pub(crate) webhook: Option<Secret>,
    /// How many rows of each report the webhook is told
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=20))]
    pub(crate) webhook_rows: u8,
}

/// `rolecall exceptions`
#[derive(Debug, Args)]
pub(crate) struct Exceptions {
    #[command(subcommand)]
    pub(crate) command: ExceptionsCommand,
}

/// What can be done with exceptions.
#[derive(Debug, Subcommand)]
pub(crate) enum ExceptionsCommand {
    /// Write a template with comments; a file that is there is left alone
    Init {
        /// Where to
        #[arg(default_value = "rolecall-exceptions.toml", value_name = "FILE")]
        file: PathBuf,
    },
}

impl Cli {
    /// Reads the command line; wrong usage and help end the process here.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let flags = parameter_flags()?;
        let command = Self::command();
        let command = command.mut_subcommand("report", |report| {
            flags.iter().fold(report, |report, flag| report.arg(flag.arg()))
        });
        let matches = command.get_matches();
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        if let (Command::Report(report), Some(matches)) =
            (&mut cli.command, matches.subcommand_matches("report"))
        {
            report.params.extend(flags.iter().filter_map(|flag| flag.typed(matches)));
        }
        Ok(cli)
    }
}

/// A parameter of a built-in report as a flag of its own.
struct ParameterFlag {
    id: &'static str,
    name: &'static str,
    help: String,
}

impl ParameterFlag {
    fn arg(&self) -> Arg {
        let arg = Arg::new(self.id).long(self.name).value_name("VALUE").help(self.help.clone());
        // That a number cannot be negative, the parameter says itself.
        let arg = arg.allow_negative_numbers(true);
        arg.help_heading("Parameters of single reports")
    }

    fn typed(&self, matches: &ArgMatches) -> Option<String> {
        let value = matches.get_one::<String>(self.id)?;
        Some(format!("{}={value}", self.name))
    }
}

/// Those that are not flags already. clap wants names that live as long as the process, and these do.
fn parameter_flags() -> anyhow::Result<Vec<ParameterFlag>> {
    let command = Cli::command();
    let known = |name: &str| {
        let report = command.find_subcommand("report").into_iter().chain([&command]);
        report.flat_map(ClapCommand::get_arguments).any(|arg| arg.get_long() == Some(name))
    };
    let reports = Reports::built_in()?;
    let mut flags: Vec<ParameterFlag> = Vec::new();
    for param in reports.list().flat_map(|report| &report.params) {
        let name = param.name.replace('_', "-");
        if !known(&name) && !flags.iter().any(|flag| flag.name == name) {
            flags.push(ParameterFlag {
                id: format!("param-{name}").leak(),
                name: name.leak(),
                help: param.comment.clone(),
            });
        }
    }
    Ok(flags)
}
