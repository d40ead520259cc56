//! The hot path, from gzip to rows, measured against libdeflate inflating the same bytes in the same
//! process.
//!
//! `cargo bench -p rolecall-events --bench events` prints the ratios first; criterion's own figures
//! (bytes per second, change since the last run) follow. Only the ratios mean anything on another
//! machine. `benches/instructions.sh` counts instructions of the same two passes instead of time.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark reports on standard output and stops at the first surprise"
)]

mod traffic;

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use criterion::{Criterion, Throughput};
use libdeflater::Decompressor;
use rolecall_events::{Limits, Reader};
use rolecall_testkit::{Kind, Organization, Spec};

/// Enough rounds for the fastest to be undisturbed.
const ROUNDS: usize = 25;

struct Input {
    name: &'static str,
    files: Vec<Vec<u8>>,
    /// Room for the largest file's text.
    room: Vec<u8>,
    inflated_bytes: usize,
}

impl Input {
    fn new(name: &'static str, files: Vec<Vec<u8>>) -> Self {
        let sizes: Vec<usize> = files.iter().map(|file| size_in_trailer(file)).collect();
        let room = vec![0; sizes.iter().copied().max().unwrap()];
        Self { name, files, room, inflated_bytes: sizes.iter().sum() }
    }

    /// What the figures are about.
    fn all() -> Vec<Self> {
        vec![
            Self::new("a busy account's five minutes", traffic::files(200, 400)),
            Self::new("near the limit of 50 MB", traffic::files(2, 35_000)),
            Self::new("a quiet account's five minutes", traffic::files(4_000, 8)),
            Self::new(
                "the testkit's organisation",
                organization(&Spec { size: 4.0, ..Spec::small(7) }),
            ),
        ]
    }
}

fn organization(spec: &Spec) -> Vec<Vec<u8>> {
    let organization = Organization::generate(spec);
    let logs = organization.files().filter(|file| file.kind == Kind::Log);
    logs.map(|file| file.bytes).collect()
}

fn size_in_trailer(gzip: &[u8]) -> usize {
    u32::from_le_bytes(*gzip.last_chunk().unwrap()).try_into().unwrap()
}

/// The yardstick: nothing but inflating, into memory that is already there.
#[inline(never)]
fn inflate_all(decompressor: &mut Decompressor, input: &mut Input) -> usize {
    let Input { files, room, .. } = input;
    files.iter().map(|file| decompressor.gzip_decompress(file, room).unwrap()).sum()
}

/// Inflate, parse, extract and aggregate.
#[inline(never)]
fn read_all(reader: &mut Reader, input: &Input) -> usize {
    input.files.iter().map(|file| black_box(reader.read(file).unwrap()).activity.len()).sum()
}

/// Processor time of one pass over one file.
fn cost(pass: impl FnOnce()) -> Duration {
    let start = ThreadTime::now();
    pass();
    start.elapsed()
}

fn print_ratio(input: &mut Input) {
    let mut decompressor = Decompressor::new();
    let mut reader = Reader::new(Limits::default());
    // The fastest of each file's rounds counts, both passes taking turns, so that neighbours on the
    // machine disturb neither more than the other.
    let mut fastest = vec![(Duration::MAX, Duration::MAX); input.files.len()];
    let mut rows = 0;
    for _ in 0..ROUNDS {
        rows = 0;
        for (file, (inflate, read)) in input.files.iter().zip(&mut fastest) {
            *inflate = cost(|| {
                black_box(decompressor.gzip_decompress(file, &mut input.room).unwrap());
            })
            .min(*inflate);
            *read = cost(|| rows += reader.read(file).unwrap().activity.len()).min(*read);
        }
    }
    let inflate: Duration = fastest.iter().map(|(inflate, _)| *inflate).sum();
    let read: Duration = fastest.iter().map(|(_, read)| *read).sum();
    println!(
        "ratio {:.2} to libdeflate alone: {}, {} files, {:.0} MB gzipped, {:.0} MB inflated, {rows} rows \
         of activity",
        read.as_secs_f64() / inflate.as_secs_f64(),
        input.name,
        input.files.len(),
        megabytes(input.files.iter().map(Vec::len).sum()),
        megabytes(input.inflated_bytes),
    );
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

fn measure(criterion: &mut Criterion, input: &mut Input) {
    let mut group = criterion.benchmark_group(input.name);
    group.sample_size(10).throughput(Throughput::Bytes(input.inflated_bytes.try_into().unwrap()));
    let mut decompressor = Decompressor::new();
    group.bench_function("libdeflate alone", |bencher| {
        bencher.iter(|| inflate_all(&mut decompressor, input));
    });
    let mut reader = Reader::new(Limits::default());
    group.bench_function("read", |bencher| bencher.iter(|| read_all(&mut reader, input)));
    group.finish();
}

/// `--write FOLDER MEGABYTES RECORDS`: log files of so many records each, so many megabytes inflated.
fn write_files(arguments: &[String]) {
    let [folder, megabytes, records] = arguments else { panic!("FOLDER MEGABYTES RECORDS") };
    let (megabytes, records): (usize, usize) =
        (megabytes.parse().unwrap(), records.parse().unwrap());
    std::fs::create_dir_all(folder).unwrap();
    let mut written = 0;
    for index in 0.. {
        if written >= megabytes * 1_000_000 {
            break;
        }
        let file = traffic::file(index + 1, records);
        written += size_in_trailer(&file);
        let name = format!("111122223333_CloudTrail_eu-west-1_20260105T0715Z_{index:016}.json.gz");
        std::fs::write(std::path::Path::new(folder).join(name), file).unwrap();
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if has("--count-instructions") {
        let mut input = Input::new("counted", traffic::files(4, 1_000));
        inflate_all(&mut Decompressor::new(), &mut input);
        read_all(&mut Reader::new(Limits::default()), &input);
        return;
    }
    if let Some(at) = arguments.iter().position(|argument| argument == "--write") {
        return write_files(&arguments[at + 1..]);
    }
    let mut criterion = Criterion::default().configure_from_args();
    // `cargo test --benches` only wants to know that everything runs.
    let smallest = || vec![Input::new("smallest", traffic::files(2, 20))];
    let mut inputs = if has("--bench") { Input::all() } else { smallest() };
    inputs.iter_mut().for_each(print_ratio);
    inputs.iter_mut().for_each(|input| measure(&mut criterion, input));
    criterion.final_summary();
}
