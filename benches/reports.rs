//! What every report takes on a large lake: time, and memory at most.
//!
//! `cargo bench -p rolecall-query --bench reports [-- ROWS]` makes a lake of ten million rows of activity over
//! ninety days with the credential events and the inventory that go with them, maintains it, and runs every
//! report whose parameters have defaults in a process of its own, on two threads. It fails over the marks.
//! Without optimisation (`cargo test`) it makes few rows and only looks whether every report runs.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that cannot go on ends")]

mod resident;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rolecall_events::rows::{
    Account, ActivityRow, CredentialEvent, CredentialKind, LogFile, Outcome, RoleArnSource,
};
use rolecall_lake::inventory::{AccessKeyRow, RoleRow, TrustStatementRow, UserRow};
use rolecall_lake::{
    Batch, Inventory, Lake, LakeOptions, LogFileMeta, MaintainOptions, SnapshotRow, WriterOptions,
};
use rolecall_query::{Reports, Session, SessionOptions};

/// 2026-01-05, in days.
const FIRST_DAY: i32 = 20_458;
const DAYS: usize = 90;
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
const END: i64 = (FIRST_DAY as i64 + DAYS as i64) * DAY;
const ACCOUNTS: usize = 30;
/// In each account.
const KEYS: usize = 20;
const ROLES: usize = 60;
/// Rows of activity in a session, or of a key in a day.
const ROWS_EACH: usize = 40;
const SECONDS: f64 = 5.0;
const MEBIBYTES: u64 = 1_536;
const THREADS: usize = 2;

/// Tells the processes that report from the one that makes the lake.
const REPORT: &str = "--report";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .unwrap();
    if let Some(at) = args.iter().position(|arg| arg == REPORT) {
        runtime.block_on(report(&args[at + 1], &args[at + 2]));
        return;
    }
    let optimised = !cfg!(debug_assertions);
    let given = args.iter().skip(1).find_map(|arg| arg.parse().ok());
    let rows = given.unwrap_or(if optimised { 10_000_000 } else { 20_000 });
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let started = Instant::now();
    runtime.block_on(make(&lake, rows));
    println!("made a lake of {rows} rows of activity in {:.0} s", started.elapsed().as_secs_f64());
    let mut over = Vec::new();
    for name in names() {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([REPORT, lake.to_str().unwrap(), &name])
            .output()
            .unwrap();
        let said = String::from_utf8(child.stdout).unwrap();
        assert!(child.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&child.stderr));
        let figures: Vec<f64> =
            said.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
        let (seconds, mebibytes, found) = (figures[0], figures[1], figures[2]);
        println!("{name:14} {seconds:6.2} s  {mebibytes:6.0} MiB  {found:8.0} rows");
        if seconds > SECONDS || mebibytes > MEBIBYTES as f64 {
            over.push(name);
        }
    }
    println!("marks: {SECONDS} s, {MEBIBYTES} MiB");
    assert!(!optimised || rows < 10_000_000 || over.is_empty(), "over a mark: {over:?}");
}

/// Reports that can be asked without saying about what.
fn names() -> Vec<String> {
    let reports = Reports::built_in().unwrap();
    // Those that stand on `sessions` are about what is asked for: computed over a whole lake, it is what they take.
    let on_sessions = ["lineage", "session-denials"];
    let asked = reports
        .list()
        .filter(|report| report.in_all && !on_sessions.contains(&report.name.as_str()));
    asked.map(|report| report.name.clone()).collect()
}

async fn report(lake: &str, name: &str) {
    let started = Instant::now();
    let lake = Lake::open(lake, LakeOptions::default()).await.unwrap();
    let options = SessionOptions { threads: Some(THREADS), ..SessionOptions::default() };
    let session = Session::open(&lake.reader().await.unwrap(), options).await.unwrap();
    let reports = Reports::built_in().unwrap();
    let report = reports.get(name).unwrap();
    let rows = session.report(report, &BTreeMap::new(), END).await.unwrap();
    let found: usize = rows.collect().await.unwrap().iter().map(|batch| batch.num_rows()).sum();
    println!("{} {} {found}", started.elapsed().as_secs_f64(), resident::most());
}

/// What the rows name, made once.
struct Names {
    accounts: Vec<String>,
    keys: Vec<Vec<(String, String, String)>>,
    roles: Vec<Vec<(String, String, String)>>,
    agents: [&'static str; 4],
    calls: [(&'static str, &'static str); 10],
}

impl Names {
    fn new() -> Self {
        let accounts: Vec<String> =
            (0..ACCOUNTS).map(|number| format!("{}", 100_000_000_000 + number)).collect();
        let all = |count: usize, make: &dyn Fn(usize, usize) -> (String, String, String)| {
            let of = |account| (0..count).map(|number| make(account, number)).collect();
            (0..ACCOUNTS).map(of).collect::<Vec<Vec<_>>>()
        };
        let key = |account: usize, number: usize| {
            let id = format!("{account:05}{number:011}");
            let arn = format!("arn:aws:iam::{}:user/job-{number}", accounts[account]);
            (format!("AKIA{id}"), format!("AIDA{id}"), arn)
        };
        let role = |account: usize, number: usize| {
            let arn = format!("arn:aws:iam::{}:role/app/role-{number}", accounts[account]);
            (format!("AROA{account:05}{number:011}"), format!("role-{number}"), arn)
        };
        let (keys, roles) = (all(KEYS, &key), all(ROLES, &role));
        Self {
            keys,
            roles,
            accounts,
            agents: [
                "aws-cli/2.31.2 md/awscrt#0.27.6 ua/2.1 os/linux",
                "Boto3/1.40.61 md/Botocore#1.40.61 ua/2.1 os/linux",
                "APN/1.0 HashiCorp/1.0 Terraform/1.13.4",
                "aws-sdk-go-v2/1.39.4 os/linux lang/go#1.25.3",
            ],
            calls: [
                ("ec2.amazonaws.com", "DescribeInstances"),
                ("s3.amazonaws.com", "ListBuckets"),
                ("kms.amazonaws.com", "Decrypt"),
                ("logs.amazonaws.com", "CreateLogStream"),
                ("sts.amazonaws.com", "GetCallerIdentity"),
                ("dynamodb.amazonaws.com", "DescribeTable"),
                ("secretsmanager.amazonaws.com", "GetSecretValue"),
                ("lambda.amazonaws.com", "GetFunction"),
                ("ecr.amazonaws.com", "BatchGetImage"),
                ("ecs.amazonaws.com", "DescribeTasks"),
            ],
        }
    }
}

async fn make(place: &Path, rows: usize) {
    let options = LakeOptions { now: END, ..LakeOptions::default() };
    let lake = Lake::create_or_open(place.to_str().unwrap(), options).await.unwrap();
    let mut writer = lake.writer(WriterOptions::default()).await.unwrap();
    let names = Names::new();
    let sessions = rows.div_ceil(ROWS_EACH * DAYS);
    for day in 0..DAYS {
        let mut batch = Batch::new();
        for account in 0..ACCOUNTS {
            let of_account = sessions / ACCOUNTS + usize::from(account < sessions % ACCOUNTS);
            log_file(&mut batch, &names, (day, account), of_account);
        }
        writer.commit(batch).await.unwrap();
    }
    let inventories: Vec<Inventory> =
        (0..ACCOUNTS).map(|account| inventory(&names, account)).collect();
    lake.record_inventory(&inventories, END).await.unwrap();
    lake.maintain(MaintainOptions::at(END)).await.unwrap();
}

/// The texts of one session; its rows borrow them.
struct Taken {
    start: i64,
    id: String,
    name: String,
    key: String,
    arn: String,
    principal: String,
    address: String,
    /// Whether a key signs, and not a session.
    by_key: bool,
    which: usize,
}

fn log_file(batch: &mut Batch, names: &Names, (day, account): (usize, usize), sessions: usize) {
    let start = (i64::from(FIRST_DAY) + day as i64) * DAY;
    let taken: Vec<Taken> = (0..sessions)
        .map(|number| {
            let serial = (day * ACCOUNTS + account) * 100_000 + number;
            let by_key = (number + account) % 10 == 0;
            // A third of the keys, and a fifth of the roles, are never used.
            let which = if by_key {
                (number + account) / 10 % (KEYS * 2 / 3)
            } else {
                number % (ROLES * 4 / 5)
            };
            let role = &names.roles[account][which % ROLES];
            let name = format!("run-{}", number % 500);
            Taken {
                start: start + (number as i64 * 61_000_000) % (23 * HOUR),
                id: format!("{serial:036}"),
                key: format!("ASIA{serial:016}"),
                arn: format!(
                    "arn:aws:sts::{}:assumed-role/{}/{name}",
                    names.accounts[account], role.1
                ),
                principal: format!("{}:{name}", role.0),
                address: format!("203.0.{}.{}", account, number % 250),
                name,
                by_key,
                which,
            }
        })
        .collect();
    let activity: Vec<ActivityRow<'_>> = taken
        .iter()
        .flat_map(|taken| (0..ROWS_EACH).map(|row| used(names, account, taken, row)))
        .collect();
    let sessions = taken.iter().filter(|taken| !taken.by_key);
    let credential_events: Vec<_> =
        (0..).zip(sessions).map(|(index, taken)| issued(names, account, taken, index)).collect();
    let records = activity.iter().map(|row| row.event_count).sum::<u64>();
    let rows = LogFile {
        account: Account {
            seen: records,
            credential: credential_events.len() as u64,
            other: records - credential_events.len() as u64,
            first_event_time: Some(start),
            last_event_time: Some(start + DAY - 1),
            ..Account::default()
        },
        credential_events,
        iam_changes: Vec::new(),
        activity,
    };
    let id = &names.accounts[account];
    let meta = LogFileMeta {
        log_file: format!("{id}_CloudTrail_us-east-1_{day:08}.json.gz"),
        delivered_date: Some(FIRST_DAY + i32::try_from(day).unwrap()),
        key: format!("AWSLogs/{id}/CloudTrail/us-east-1/{day}.json.gz"),
        account_id: Some(id.clone()),
        aws_region: Some("us-east-1".to_owned()),
        delivered_at: Some(start + DAY),
        ingested_at: END,
        ..LogFileMeta::default()
    };
    batch.push(meta, &rows);
}

fn used<'a>(names: &'a Names, account: usize, taken: &'a Taken, row: usize) -> ActivityRow<'a> {
    let (source, name) = names.calls[row % names.calls.len()];
    let at = taken.start + row as i64 * 60_000_000;
    let common = ActivityRow {
        hour: at.div_euclid(HOUR) * HOUR,
        account_id: Some(&names.accounts[account]),
        event_source: source,
        event_name: name,
        event_category: Some("Management"),
        aws_region: Some("us-east-1"),
        recipient_account_id: Some(&names.accounts[account]),
        error_code: (row == 7).then_some("AccessDenied"),
        source_ip: Some(&taken.address),
        user_agent: Some(names.agents[taken.which % names.agents.len()]),
        event_count: 3,
        first_time: at,
        last_time: at + 30_000_000,
        sample_event_id: Some(&taken.id),
        ..ActivityRow::default()
    };
    if taken.by_key {
        let (key, user, arn) = &names.keys[account][taken.which];
        return ActivityRow {
            access_key_id: Some(key),
            credential_kind: CredentialKind::LongTerm,
            principal_type: Some("IAMUser"),
            principal_id: Some(user),
            principal_arn: Some(arn),
            user_name: arn.rsplit('/').next(),
            ..common
        };
    }
    let role = &names.roles[account][taken.which];
    ActivityRow {
        access_key_id: Some(&taken.key),
        credential_kind: CredentialKind::Temporary,
        principal_type: Some("AssumedRole"),
        principal_id: Some(&taken.principal),
        principal_arn: Some(&taken.arn),
        role_arn: Some(&role.2),
        role_id: Some(&role.0),
        session_name: Some(&taken.name),
        session_created: Some(taken.start),
        ..common
    }
}

fn issued<'a>(
    names: &'a Names,
    account: usize,
    taken: &'a Taken,
    record_index: u32,
) -> CredentialEvent<'a> {
    let role = &names.roles[account][taken.which];
    let (key, user, arn) = &names.keys[account][taken.which % (KEYS * 2 / 3)];
    CredentialEvent {
        event_id: Some(&taken.id),
        event_time: taken.start,
        event_source: "sts.amazonaws.com",
        event_name: "AssumeRole",
        aws_region: Some("us-east-1"),
        recipient_account_id: Some(&names.accounts[account]),
        caller_type: Some("IAMUser"),
        caller_arn: Some(arn),
        caller_principal_id: Some(user),
        caller_account_id: Some(&names.accounts[account]),
        caller_user_name: arn.rsplit('/').next(),
        caller_access_key_id: Some(key),
        role_arn: Some(&role.2),
        role_arn_source: Some(RoleArnSource::Request),
        role_account_id: Some(&names.accounts[account]),
        role_name: Some(&role.1),
        role_path: Some("/app/"),
        role_id: Some(&role.0),
        session_name: Some(&taken.name),
        session_arn: Some(taken.arn.as_str().into()),
        issued_access_key_id: Some(&taken.key),
        issued_expiration: Some(taken.start + HOUR),
        source_ip: Some(&taken.address),
        user_agent: Some(names.agents[taken.which % names.agents.len()]),
        outcome: Some(Outcome::Success),
        record_index,
        ..CredentialEvent::default()
    }
}

fn inventory(names: &Names, account: usize) -> Inventory {
    let created = Some(END - 500 * DAY);
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    let name = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_owned();
    let keys = &names.keys[account];
    Inventory {
        snapshot: SnapshotRow {
            snapshot_time: END,
            account_id: names.accounts[account].clone(),
            source: "api".to_owned(),
            parts: texts(&[
                "users",
                "access_keys",
                "access_key_last_used",
                "roles",
                "role_last_used",
                "trust_statements",
            ]),
            last_used_as_of: Some(END),
            ..SnapshotRow::default()
        },
        users: keys
            .iter()
            .map(|(_, id, arn)| UserRow {
                user_name: name(arn),
                user_arn: Some(arn.clone()),
                user_id: Some(id.clone()),
                created,
                ..UserRow::default()
            })
            .collect(),
        access_keys: (0..KEYS)
            .map(|number| {
                let (key, id, arn) = &keys[number];
                AccessKeyRow {
                    access_key_id: Some(key.clone()),
                    user_name: name(arn),
                    user_arn: Some(arn.clone()),
                    user_id: Some(id.clone()),
                    status: Some("Active".to_owned()),
                    created,
                    last_used: (number < KEYS * 2 / 3).then_some(END - DAY),
                    last_used_known: true,
                    ..AccessKeyRow::default()
                }
            })
            .collect(),
        roles: names.roles[account]
            .iter()
            .map(|(id, name, arn)| RoleRow {
                role_name: name.clone(),
                role_arn: arn.clone(),
                role_id: Some(id.clone()),
                created,
                last_used_known: true,
                ..RoleRow::default()
            })
            .collect(),
        trust_statements: names.roles[account]
            .iter()
            .map(|(id, name, arn)| TrustStatementRow {
                role_arn: arn.clone(),
                role_name: name.clone(),
                role_id: Some(id.clone()),
                effect: "Allow".to_owned(),
                principal_type: "AWS".to_owned(),
                principal: format!("arn:aws:iam::{}:root", names.accounts[account]),
                actions: texts(&["sts:AssumeRole"]),
                ..TrustStatementRow::default()
            })
            .collect(),
        ..Inventory::default()
    }
}
