//! Any bytes as a gzip file, and any text cut into gzip members: no panic, the cap holds, and members
//! give the same text as one.

#![no_main]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use rolecall_events::{Limits, Reader, Refusal};

const CAP: usize = 64 << 10;

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Reader::new(Limits { max_inflated_bytes: CAP, ..Limits::default() });
    let _ = reader.read(bytes);
    assert!(reader.inflated_bytes() <= CAP as u64);
    let _ = reader.read(&[b"\x1f\x8b\x08", bytes].concat());
    assert!(reader.inflated_bytes() <= CAP as u64);

    // The first byte says where to cut the rest.
    let Some((cut, text)) = bytes.split_first() else { return };
    // Text that itself begins like gzip would be inflated when given plain.
    if text.starts_with(b"\x1f\x8b") || text.is_empty() {
        return;
    }
    let (left, right) = text.split_at(text.len() * usize::from(*cut) / 256);
    let plain = outcome(&mut reader, text);
    assert_eq!(plain, outcome(&mut reader, &gzip(text)));
    assert_eq!(plain, outcome(&mut reader, &[gzip(left), gzip(right)].concat()));
    assert_eq!(plain, outcome(&mut reader, &[gzip(text), vec![0; 9]].concat()));
});

fn outcome(reader: &mut Reader, bytes: &[u8]) -> Result<String, Refusal> {
    reader.read(bytes).map(|file| format!("{file:?}"))
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}
