//! What it takes to open a writer on a lake whose ledger knows many log files: time, and memory at most.
//!
//! `cargo bench -p rolecall-lake --bench ledger [-- FILES]` makes a lake with two million log files of the last
//! fourteen days in the ledger, compacts it as maintenance does, and opens it in a process of its own, with
//! those days loaded as the worker does. It fails over the marks. Without optimisation (`cargo test`) it makes
//! few files and only looks whether all are known.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that cannot go on ends")]

mod resident;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rolecall_events::rows::{Account, LogFile};
use rolecall_lake::{
    Batch, Lake, LakeOptions, LogFileId, LogFileMeta, MaintainOptions, Membership, WriterOptions,
};

/// 2026-01-05, in days.
const FIRST_DAY: i32 = 20_458;
const DAYS: i32 = 14;
const MICROS_PER_DAY: i64 = 86_400_000_000;
const SECONDS: f64 = 5.0;
const MEBIBYTES: u64 = 300;

/// Tells the process that opens the lake from the one that makes it.
const OPEN: &str = "--open";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let Some(at) = args.iter().position(|arg| arg == OPEN) {
        let files = args[at + 2].parse().unwrap();
        runtime.block_on(open(&args[at + 1], files));
        return;
    }
    let optimised = !cfg!(debug_assertions);
    let given = args.iter().skip(1).find_map(|arg| arg.parse().ok());
    let files = given.unwrap_or(if optimised { 2_000_000 } else { 9_000 });
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    let started = Instant::now();
    runtime.block_on(make(&lake, files));
    println!("made a ledger of {files} log files in {:.1} s", started.elapsed().as_secs_f64());
    let child = Command::new(std::env::current_exe().unwrap())
        .arg(OPEN)
        .arg(&lake)
        .arg(files.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8(child.stdout).unwrap();
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    let mut figures = said.split_whitespace();
    let seconds: f64 = figures.next().unwrap().parse().unwrap();
    let mebibytes: u64 = figures.next().unwrap().parse().unwrap();
    println!(
        "opened a writer on it in {seconds:.2} s (mark: {SECONDS} s), at most {mebibytes} MiB resident (mark: {MEBIBYTES} MiB)"
    );
    if optimised && files >= 2_000_000 {
        assert!(seconds < SECONDS && mebibytes < MEBIBYTES, "over the mark");
    }
}

/// The name and the day of a log file.
fn id(number: usize, files: usize) -> LogFileId {
    let day = FIRST_DAY + i32::try_from(number * DAYS as usize / files).unwrap();
    let account = 100_000_000_000 + (number as u64 * 7_919) % 900;
    let [first, second] = scattered::<2>(number as u64);
    LogFileId {
        log_file: format!(
            "{account}_CloudTrail_eu-west-1_{day}T{:04}Z_{first:08x}{second:08x}.json.gz",
            number % 1_440
        ),
        delivered_date: Some(day),
    }
}

/// Numbers that look random.
fn scattered<const N: usize>(seed: u64) -> [u32; N] {
    let mut state = seed;
    std::array::from_fn(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 32) as u32
    })
}

fn meta(id: LogFileId, number: usize) -> LogFileMeta {
    let sha256 = scattered::<8>(number as u64 ^ 0xabcd).map(|word| format!("{word:08x}")).concat();
    let day = id.delivered_date.unwrap();
    LogFileMeta {
        bucket: Some("organization-trail".to_owned()),
        key: format!(
            "AWSLogs/o-abcdefghij/{}/CloudTrail/eu-west-1/2026/01/{}/{}",
            &id.log_file[..12],
            day % 28,
            id.log_file
        ),
        etag: Some(format!("\"{}\"", &sha256[..32])),
        sha256,
        bytes: 20_000 + number as u64 % 10_000,
        trail_prefix: Some("AWSLogs/o-abcdefghij".to_owned()),
        account_id: Some(id.log_file[..12].to_owned()),
        aws_region: Some("eu-west-1".to_owned()),
        delivered_at: Some(i64::from(day) * MICROS_PER_DAY),
        ingested_at: i64::from(day) * MICROS_PER_DAY + number as i64,
        delivered_date: id.delivered_date,
        log_file: id.log_file,
        ..LogFileMeta::default()
    }
}

async fn lake(at: &Path) -> Lake {
    Lake::create_or_open(at.to_str().unwrap(), LakeOptions::default()).await.unwrap()
}

async fn make(at: &Path, files: usize) {
    let lake = lake(at).await;
    let mut writer = lake.writer(WriterOptions::default()).await.unwrap();
    let mut number = 0;
    while number < files {
        let mut batch = Batch::new();
        while number < files && !batch.is_full() {
            let rows = LogFile {
                account: Account { seen: 200, other: 200, ..Account::default() },
                credential_events: Vec::new(),
                iam_changes: Vec::new(),
                activity: Vec::new(),
            };
            batch.push(meta(id(number, files), number), &rows);
            number += 1;
        }
        writer.commit(batch).await.unwrap();
    }
    let now = i64::from(FIRST_DAY + DAYS) * MICROS_PER_DAY;
    lake.maintain(MaintainOptions::at(now)).await.unwrap();
}

async fn open(at: &str, files: usize) {
    let started = Instant::now();
    let lake = lake(Path::new(at)).await;
    let preload = Some(FIRST_DAY..=FIRST_DAY + DAYS - 1);
    let mut writer =
        lake.writer(WriterOptions { preload, ..WriterOptions::default() }).await.unwrap();
    let seconds = started.elapsed().as_secs_f64();
    println!("{seconds} {}", resident::most());
    for number in (0..files).step_by(files.div_ceil(1_000)) {
        let known = writer.membership(&id(number, files)).await.unwrap();
        assert!(matches!(known, Membership::Complete { .. }), "{number}: {known:?}");
    }
    let other = LogFileId { log_file: "other".to_owned(), delivered_date: Some(FIRST_DAY) };
    assert_eq!(writer.membership(&other).await.unwrap(), Membership::Unknown);
}
