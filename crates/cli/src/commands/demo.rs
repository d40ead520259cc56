//! `rolecall demo`: a generated organisation, ingested and asked, so that a newcomer sees answers within
//! a minute and without an AWS account.
//!
//! The answers come from the lake by the same views and commands that real logs are asked with. What the
//! generator knows to be true is not looked at here; tests compare the two.

use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use rolecall_ingest::{Selection, Source};
use rolecall_query::{Session, Values};
use rolecall_testkit::{Organization, Spec};

use super::Context;
use crate::exit::{self, Exit, Usage};
use crate::render::{self, Format, Heading, Options};
use crate::term::{self, Ink};
use crate::{args, clock};

/// A file that tells a demo's folder from somebody's data.
const MARK: &str = ".rolecall-demo";

/// People, pipelines and partners: services that take their own roles are counted, not listed. Names are
/// shortened for the screen; `rolecall report edges` has the ARNs.
const WHO_TOOK_WHICH_ROLE: &str = r"
    SELECT
        coalesce(
            CASE WHEN method IN ('web_identity', 'saml') THEN federated_subject END,
            regexp_replace(arn_name(caller), '^AWSReservedSSO_(.+)_[0-9a-f]{16}$', '\1 (Identity Center)')
                || ' @ ' || arn_account(caller),
            caller
        ) AS who,
        regexp_replace(arn_name(role), '^AWSReservedSSO_(.+)_[0-9a-f]{16}$', '\1 (Identity Center)')
            || ' @ ' || arn_account(role) AS took_role,
        method AS how,
        count(*) AS times,
        max(event_time) AS last,
        coalesce(max(source_ip), max(source_service)) AS source
    FROM assumptions
    WHERE outcome = 'success' AND method <> 'service'
    GROUP BY 1, 2, 3
    ORDER BY last DESC, who, took_role, how
    LIMIT 20";

const COUNTS: &str = "
    SELECT
        count(*) AS acts,
        count(*) FILTER (WHERE method = 'service') AS by_services,
        count(*) FILTER (WHERE outcome = 'failure') AS denied,
        count(DISTINCT role) AS roles
    FROM assumptions";

/// One thing worth asking about, and the query that finds it.
struct Pointer {
    about: &'static str,
    command: &'static str,
    find: &'static str,
}

const POINTERS: [Pointer; 5] = [
    Pointer {
        about: "a chain of roles, and who stands at its beginning",
        command: "who",
        find: "SELECT access_key_id FROM sessions WHERE event_count > 0 AND access_key_id IS NOT NULL
               ORDER BY depth DESC, issued_time, access_key_id LIMIT 1",
    },
    Pointer {
        about: "an access key that is still in use",
        command: "who",
        find: "SELECT access_key_id FROM access_keys
               ORDER BY event_count DESC, access_key_id LIMIT 1",
    },
    Pointer {
        about: "a GitHub Actions run that took a role without any key",
        command: "who",
        find: "SELECT event_id FROM assumptions
               WHERE method = 'web_identity' AND identity_provider LIKE '%githubusercontent%'
               AND outcome = 'success' ORDER BY event_time DESC, event_id LIMIT 1",
    },
    Pointer {
        about: "somebody outside whom only our own logs show",
        command: "who",
        find: "SELECT event_id FROM assumptions WHERE caller_resolved_by = 'none' AND outcome = 'success'
               ORDER BY event_time DESC, event_id LIMIT 1",
    },
    Pointer {
        about: "everything from one address",
        command: "who",
        find: "SELECT source_ip FROM assumptions WHERE method = 'console_switch' AND source_ip IS NOT NULL
               ORDER BY event_time DESC, source_ip LIMIT 1",
    },
];

/// Reports on what may go.
const VERDICTS: [(&str, &str); 3] = [
    ("stale-keys", "which access keys may go"),
    ("key-migration", "what is to become of each key, and what comes next"),
    ("unused-roles", "which roles may go"),
];

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &args::Demo) -> anyhow::Result<Exit> {
    let spec = Spec {
        seed: args.seed,
        accounts: usize::from(args.accounts),
        days: u32::from(args.days),
        size: args.size,
        ..Spec::default()
    };
    let logs = args.dir.join("logs");
    let lake = args.dir.join("lake");
    prepare(&args.dir)?;
    let organization = Organization::generate(&spec);
    organization
        .write_to(&logs)
        .with_context(|| format!("write log files to {}", logs.display()))?;

    let iam = args.dir.join("inventory");
    let inventory = &organization.truth().inventory;
    inventory
        .write_to(&iam)
        .with_context(|| format!("write the inventory to {}", iam.display()))?;

    let context = context.with_lake(&lake)?;
    let sources = [Source::Path(logs.clone())];
    let (progress, elapsed) =
        super::ingest::ingest(&context, &sources, &Selection::default()).await?;
    let seen = progress.snapshot();
    let kept = super::inventory::keep_folder(&context, &iam, inventory.as_of).await?;

    let mut out = exit::stdout();
    let screen = context.stdout;
    writeln!(
        out,
        "{}",
        screen.paint(Ink::Bold, "A made-up organisation, and what rolecall says about it")
    )?;
    writeln!(
        out,
        "\n  logs  {}       {} from {} over {}, as CloudTrail delivers them",
        logs.display(),
        term::count(seen.log_files, "log file"),
        term::count(inventory.accounts.len() as u64, "account"),
        term::count(u64::from(spec.days), "day"),
    )?;
    writeln!(
        out,
        "  IAM   {}  of {}, as the AWS command line prints it, on {}",
        iam.display(),
        term::count(kept.inventories.len() as u64, "account"),
        clock::format_time(inventory.as_of),
    )?;
    writeln!(
        out,
        "  lake  {}       {} read in {:.1} s; {} other objects passed over, {} rejected on purpose\n",
        lake.display(),
        term::count(seen.records, "record"),
        elapsed.as_secs_f64(),
        term::grouped(seen.not_log_files),
        term::count(seen.rejected_records, "record"),
    )?;
    let session = context.session().await?;
    answer(&context, &session, &mut out).await?;
    point(&context, &session, (&lake, inventory.as_of, spec.days), &mut out).await?;
    out.flush()?;
    Ok(Exit::Done)
}

/// The folder must be ours to fill: new, empty, or an earlier demo's, which is made anew.
fn prepare(dir: &Path) -> anyhow::Result<()> {
    let place = || format!("prepare folder {}", dir.display());
    if dir.join(MARK).is_file() {
        for part in ["logs", "inventory", "lake"] {
            let part = dir.join(part);
            if part.exists() {
                std::fs::remove_dir_all(&part).with_context(place)?;
            }
        }
    } else if dir.exists() && std::fs::read_dir(dir).with_context(place)?.next().is_some() {
        let problem = "is not empty and no earlier demo; choose another folder";
        return Err(Usage::new(format!("--dir {}: {problem}", dir.display())).into());
    }
    std::fs::create_dir_all(dir).with_context(place)?;
    std::fs::write(dir.join(MARK), "made by `rolecall demo`, which may overwrite it\n")
        .with_context(place)
}

async fn answer(
    context: &Context,
    session: &Session,
    out: &mut (impl Write + Send),
) -> anyhow::Result<()> {
    let title = "Who assumed which role, when, and from where?";
    writeln!(out, "{}\n", context.stdout.paint(Ink::Bold, title))?;
    let rows = session.sql(WHO_TOOK_WHICH_ROLE, &Values::new()).await?;
    let schema = std::sync::Arc::clone(&rows.schema);
    let options = Options::new(Format::Table, context.stdout);
    render::batches(&options, &Heading::default(), &schema, &rows.collect().await?, &mut *out)?;
    let [acts, services, denied, roles] = counts(session).await?;
    writeln!(
        out,
        "\n{} of {}, {} of them by AWS services for their own roles (left out above), {} denied.\n",
        term::count(acts, "act"),
        term::count(roles, "role"),
        term::grouped(services),
        term::grouped(denied),
    )?;
    Ok(())
}

async fn counts(session: &Session) -> anyhow::Result<[u64; 4]> {
    let batches = session.sql(COUNTS, &Values::new()).await?.collect().await?;
    let batch = batches.first().context("count the acts")?;
    let mut counts = [0; 4];
    for (count, column) in counts.iter_mut().zip(batch.columns()) {
        *count = arrow::util::display::array_value_to_string(column, 0)?.parse()?;
    }
    Ok(counts)
}

async fn point(
    context: &Context,
    session: &Session,
    (lake, as_of, days): (&Path, i64, u32),
    out: &mut (impl Write + Send),
) -> anyhow::Result<()> {
    let mut commands = Vec::new();
    for pointer in &POINTERS {
        if let Some(thing) = first_value(session, pointer.find).await? {
            commands.push((format!("{} {thing}", pointer.command), pointer.about));
        }
    }
    // Ages and windows count from the last day of the logs, not from today.
    let as_of = clock::format_rfc3339(as_of);
    for (report, about) in VERDICTS {
        commands.push((format!("report {report} --as-of {as_of} --days {days}"), about));
    }
    commands.push(("report edges".to_owned(), "which principals use which roles"));
    commands.push(("report denied".to_owned(), "who failed to take what"));
    commands.push(("report coverage".to_owned(), "what these logs cannot tell"));
    commands.push(("report --list".to_owned(), "all reports"));
    commands.push(("schema".to_owned(), "tables and views, column by column"));
    commands.push(("sql".to_owned(), "ask anything"));
    writeln!(out, "{}\n", context.stdout.paint(Ink::Bold, "Where to look next"))?;
    let lake = lake.display();
    writeln!(out, "  export ROLECALL_LAKE={lake}\n")?;
    let widest = commands.iter().map(|(command, _)| term::width(command)).max().unwrap_or(0);
    for (command, about) in commands {
        let pad = " ".repeat(widest.saturating_sub(term::width(&command)));
        writeln!(out, "  rolecall {}{pad}  {about}", term::visible(&command))?;
    }
    Ok(())
}

async fn first_value(session: &Session, query: &str) -> anyhow::Result<Option<String>> {
    let batches = session.sql(query, &Values::new()).await?.collect().await?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(None) };
    let value = arrow::util::display::array_value_to_string(batch.column(0), 0)?;
    Ok(Some(value).filter(|value| !value.is_empty()))
}
