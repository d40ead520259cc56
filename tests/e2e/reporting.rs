//! What every report can do by having the columns for it: exit codes, files, changes, exceptions, networks,
//! zones, a webhook. The report is the test's own, over real rows, so that nothing here is about one of ours.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Cmd, Ground, Record, Row, Scratch, gzip, log_file};

/// Rows that somebody accepts until a day.
mod exceptions;
/// Files, one for each report and day, and what changed between two.
mod files;
/// Texts of others that want to act.
mod hostile;
/// Networks, databases, owners.
mod supplied;
/// A message about the run.
mod webhook;

/// One row for each session name in the window. What the callers' program is called decides on the verdict.
const REPORT: &str = "\
-- title: Sessions by name
-- question: Which names are idle?
-- params:
--   as_of: timestamp = now; the answer's now
--   days: integer = null; only the last so many days
--   from: timestamp = null; only from this time on
--   to: timestamp = null; only before this time
--   account: text = null; only this account
-- columns:
--   account_id: account of the caller
--   user_name: name of the session
--   role_arn: the role
--   state: USED, IDLE or BROKEN
--   first_seen: first time
--   network: what the address is called
--   reason_codes: why
--   coverage: share of the window that is held
--   evidence_event_ids: event ids
-- findings: state in (IDLE, BROKEN)
-- key: account_id, user_name
SELECT
    caller_account_id AS account_id,
    session_name AS user_name,
    max(role_arn) AS role_arn,
    CASE WHEN max(user_agent) = 'busy' THEN 'USED' ELSE 'IDLE' END AS state,
    min(event_time) AS first_seen,
    network_label(max(source_ip)) AS network,
    make_array(upper(max(user_agent)), 'SEEN') AS reason_codes,
    CASE WHEN max(user_agent) = 'half' THEN 0.5 ELSE 1.0 END AS coverage,
    array_agg(event_id ORDER BY event_id) AS evidence_event_ids
FROM credential_events
WHERE event_time >= $from
    AND event_time < $to
    AND ($account IS NULL OR caller_account_id = $account)
GROUP BY caller_account_id, session_name
ORDER BY user_name
";

/// An account that is in the records and not in the bucket.
const OTHER: &str = "444455556666";

/// A formula, markup, an order to the terminal, a mention.
const HOSTILE: &str = "=cmd|'/c calc'!A1<script>alert(1)</script>\u{1b}[2J<!channel>";

/// A lake with two days of records, and a folder with [`REPORT`].
pub(super) struct Site {
    scratch: Scratch,
}

impl Site {
    fn new(ground: Ground) -> Self {
        let scratch = Scratch::new(ground);
        let day = |day: u32, sessions: &[(&str, &str)]| {
            let records = sessions.iter().zip(1_u32..).map(|((name, agent), number)| {
                let id = format!("{day:08}-0000-4000-8000-{number:012}");
                let account = if *name == "gamma" { OTHER } else { "111122223333" };
                let role = format!("arn:aws:iam::{account}:role/app/deploy");
                let request = json!({"roleArn": role, "roleSessionName": name});
                Record::assume_role(number)
                    .with("eventTime", json!(format!("2026-01-{day:02}T07:00:{number:02}Z")))
                    .with("eventID", json!(id))
                    .with("requestParameters", request)
                    .with("userAgent", json!(agent))
            });
            let name =
                format!("111122223333_CloudTrail_us-east-1_202601{day:02}T0715Z_unique{day:010}");
            let folder = format!("AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/{day:02}");
            (format!("{folder}/{name}.json.gz"), gzip(log_file(records)))
        };
        let objects = [
            day(5, &[("alpha", "idle"), ("beta", "busy"), ("delta", "idle"), (HOSTILE, "busy")]),
            day(6, &[("alpha", "busy"), ("delta", "idle"), ("gamma", "busy")]),
        ];
        let source = scratch.deliver("source", objects);
        scratch.lake("lake").ingest([source]).run().exits(0);
        scratch.write("queries/names.sql", REPORT);
        Self { scratch }
    }

    /// `rolecall report` as of a day of January 2026, over that day alone.
    fn report(&self, day: u32, args: &[&str]) -> Cmd {
        self.plain(args).args(["--as-of", &format!("2026-01-{day:02}"), "--days", "1"])
    }

    /// `rolecall report`, with the folder of reports.
    fn plain(&self, args: &[&str]) -> Cmd {
        self.scratch.lake("lake").command("report").args(["--queries", "queries"]).args(args)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path(name)
    }

    fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

/// How many reports there are.
fn count_reports(site: &Site) -> usize {
    let run = site.plain(&["--list", "--format", "json"]).run().exits(0);
    // About one session, which is asked for: none of `--all`.
    let in_all = |report: &&Value| report["report"] != "session-activity";
    run.json().as_array().unwrap().iter().filter(in_all).count()
}

fn ndjson(text: &str) -> Vec<Row> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A column of some rows.
fn column<'a>(rows: &'a [Row], name: &str) -> Vec<&'a Value> {
    rows.iter().map(|row| row.get(name).unwrap_or(&Value::Null)).collect()
}

/// All files below a folder, in order.
fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap();
                found.push(name.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn findings_are_three_and_low_coverage_is_four() {
    let site = Site::new(Ground::Folder);
    let run = |day, args: &[&str], code| {
        site.report(day, &[&["names"][..], args].concat()).run().exits(code)
    };
    run(5, &[], 0);
    let found = run(5, &["--fail-on", "idle"], 3);
    assert!(found.stdout().contains("beta"), "the rows are there all the same: {found}");
    found.complains_of(&["--fail-on", "2 findings", "names", "IDLE 2"]);
    run(5, &["--fail-on", "any"], 3);
    run(5, &["--fail-on", "BROKEN"], 0);
    // The report looks at one day, which is held; the day after is not.
    run(5, &["--fail-on", "any", "--require-coverage", "1"], 3);
    run(7, &["--fail-on", "any", "--require-coverage", "90%"], 4).complains_of(&[
        "--require-coverage 0.9",
        "coverage is 0.000",
        "names",
    ]);
    // An account that the records name, whose logs nobody has.
    run(5, &["--fail-on", "any", "--require-coverage", "0.5", "--account", OTHER], 4);
    for (args, told) in [
        (["--fail-on", "IDEL"], "IDLE"),
        (["--require-coverage", "1.5"], "--require-coverage"),
        (["--tz", "Mars/Olympus"], "Mars/Olympus"),
    ] {
        let run = run(5, &args, 2);
        run.complains_of(&[told]);
        assert!(run.stdout.is_empty(), "{run}");
    }
    let edges = site.plain(&["edges", "--fail-on", "any"]).run().exits(2);
    edges.complains_of(&["edges", "does not say"]);
    site.plain(&["edges", "--since-last"]).run().exits(2).complains_of(&["--output"]);
}

#[test]
fn a_row_may_say_of_itself_that_too_little_is_known() {
    let site = Site::new(Ground::Folder);
    let text = REPORT.replace("= 'half'", "= 'idle'");
    site.scratch.write("queries/names.sql", text);
    let run = site.report(5, &["names", "--require-coverage", "0.9"]).run().exits(4);
    run.complains_of(&["coverage is 0.500"]);
}

#[test]
fn a_parameter_of_a_report_is_a_flag() {
    let site = Site::new(Ground::Folder);
    site.plain(&["edges", "--censor-days", "3"]).run().exits(0);
    site.plain(&["edges", "--censor-days", "x"]).run().exits(2).complains_of(&["censor_days"]);
    site.plain(&["names", "--censor-days", "3"]).run().exits(2).complains_of(&["censor_days"]);
}

#[test]
fn regression_what_cannot_be_meant_is_refused() {
    let site = Site::new(Ground::Folder);
    for (report, flag, value, told) in [
        ("stale-keys", "--threshold-days", "-1", "negative"),
        ("unused-roles", "--grace-days", "-1", "negative"),
        ("key-migration", "--soak-days", "-1", "negative"),
        ("unused-users", "--max-inventory-days", "-7", "negative"),
        ("burn-down", "--role-threshold-days", "1000000000000", "more than"),
        ("edges", "--days", "-1", "negative"),
        ("edges", "--from", "2027-01-01", "after the end"),
        ("edges", "--as-of", "20260-01-01", "no time"),
        ("key-footprint", "--param", "tz=Mars/Olympus", "Mars/Olympus"),
    ] {
        // With 2026-01-06 as the end, so that nothing depends on the clock.
        let end = if flag == "--as-of" { "--tz" } else { "--as-of" };
        let end = [end, if end == "--tz" { "UTC" } else { "2026-01-06" }];
        let run = site.plain(&[report, flag, value]).args(end).run().exits(2);
        run.complains_of(&[told]);
        assert!(run.stdout.is_empty(), "{run}");
    }
}

#[test]
fn a_time_that_is_yet_to_come_is_said() {
    let site = Site::new(Ground::Folder);
    let run = site.plain(&["edges", "--as-of", "2190-01-01"]).run().exits(0);
    run.complains_of(&["--as-of 2190-01-01 is yet to come"]);
    let run = site.plain(&["edges", "--as-of", "2026-01-06"]).run().exits(0);
    assert!(!run.stderr().contains("yet to come"), "{run}");
}

#[test]
fn parquet_goes_to_a_file_and_reads_back() {
    let site = Site::new(Ground::Folder);
    let run = site.report(5, &["names", "--format", "parquet"]).run().exits(0);
    let rows = files::parquet_rows(run.stdout.clone());
    assert_eq!(rows.len(), 4);
    assert_eq!(column(&rows, "reason_codes")[1], &json!(["IDLE", "SEEN"]));
    assert_eq!(column(&rows, "user_name")[0], HOSTILE);
}

#[test]
fn networks_have_labels_and_people_a_zone() {
    let site = Site::new(Ground::Folder);
    site.scratch.write(
        "networks.csv",
        "cidr,label,kind\n192.0.2.0/24,Office,office\n192.0.2.10,\"Desk 4\",\n0.0.0.0/0,World,\n",
    );
    let args = ["names", "--networks", "networks.csv", "--tz", "Asia/Kolkata"];
    let csv = site.report(5, &[&args[..], &["--format", "csv"]].concat()).run().exits(0);
    assert!(csv.stdout().contains("2026-01-05T07:00:01Z,Desk 4"), "{csv}");
    let table = site.report(5, &[&args[..], &["--format", "table"]].concat()).run().exits(0);
    assert!(table.stdout().contains("2026-01-05 12:30:01+05:30"), "{table}");
    site.scratch.write("networks.toml", "[[network]]\nlabel = \"x\"\ncidr = \"300.0.0.0/8\"\n");
    let run = site.report(5, &["names", "--networks", "networks.toml"]).run().exits(2);
    run.complains_of(&["networks.toml:3", "300.0.0.0/8"]);
    // Without a file, those of the settings.
    site.scratch.write("rolecall.toml", "[networks]\noffice = \"192.0.2.0/24\"\n");
    let csv = site.report(5, &["names", "--format", "csv"]).run().exits(0);
    assert!(csv.stdout().contains("Z,office"), "{csv}");
}
