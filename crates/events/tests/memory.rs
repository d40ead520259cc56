//! Memory is bounded by the limits, not by the input. A program of its own, because the figures are the
//! whole process's: one test, so that nothing runs beside it.

#![expect(clippy::unwrap_used, reason = "a failed expectation is how a test reports")]
#![cfg(target_os = "linux")]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use rolecall_events::{Limits, Reader, Refusal};

const MIB: usize = 1 << 20;

/// A figure of `/proc/self/status`, in bytes.
fn status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

fn peak() -> usize {
    status("VmHWM")
}

fn gzip(text: &[u8], times: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    for _ in 0..times {
        encoder.write_all(text).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn memory_follows_the_limits_and_is_given_back() {
    let cap = 16 * MIB;
    let limits = Limits { max_inflated_bytes: cap, ..Limits::default() };
    let blanks = vec![b' '; MIB];
    let member = gzip(&blanks, 1);
    let mut lying = gzip(&blanks, 300);
    let at = lying.len() - 4;
    lying[at..].copy_from_slice(&1_000_u32.to_le_bytes());
    let bombs = [gzip(&blanks, 300), lying, member.repeat(1_000)];

    let before = peak();
    for bomb in &bombs {
        let mut reader = Reader::new(limits);
        assert_eq!(reader.read(bomb).err(), Some(Refusal::TooLarge { cap }));
        assert_eq!(reader.inflated_bytes(), 0);
    }
    let grown = peak() - before;
    assert!(grown < 2 * cap, "bombs took {} MiB with a cap of {}", grown / MIB, cap / MIB);

    // A large string needs its text and the parser's copy of it, and is gone after the next file.
    let mut reader = Reader::new(Limits::default());
    let long = [b"{\"Records\":[\"".as_slice(), &vec![b'x'; 100 * MIB], b"\"]}"].concat();
    let packed = gzip(&long, 1);
    drop(long);
    let before = status("VmRSS");
    assert_eq!(reader.read(&packed).unwrap().account.rejected, 1);
    assert_eq!(reader.read(b"{\"Records\":[7]}").unwrap().account.rejected, 1);
    let kept = status("VmRSS").saturating_sub(before);
    assert!(kept < 16 * MIB, "{} MiB stay after a large file", kept / MIB);
}
