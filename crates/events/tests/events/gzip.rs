//! Gzip as it should be, and every way in which it should not.

use rolecall_events::{Limits, Reader, Refusal};
use serde_json::json;

use crate::support::{account, account_within, counts, gzip, log_file, record};

fn sample() -> Vec<u8> {
    log_file(&[
        record("sts", "AssumeRole", json!({})),
        record("s3", "ListBuckets", json!({})),
        json!(7),
    ])
}

const SAMPLE_COUNTS: [u64; 4] = [3, 1, 1, 1];

#[track_caller]
fn check(bytes: &[u8], expect: Result<[u64; 4], Refusal>) {
    assert_eq!(account(bytes).map(|account| counts(&account)), expect);
}

#[test]
fn one_member() {
    check(&gzip(&sample()), Ok(SAMPLE_COUNTS));
}

#[test]
fn every_cut_of_a_file_is_refused() {
    let whole = gzip(&sample());
    for end in 0..whole.len() {
        let refusal = account(&whole[..end]).unwrap_err();
        let expect: &[Refusal] = match end {
            0 => &[Refusal::Empty],
            // Half of the magic is not gzip yet.
            1 => &[Refusal::NotJson],
            _ => &[Refusal::TruncatedGzip],
        };
        assert!(expect.contains(&refusal), "cut at {end} of {}: {refusal}", whole.len());
    }
}

#[test]
fn every_flipped_bit_is_refused_or_harmless() {
    let whole = gzip(&sample());
    let mut refused = 0;
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            match account(&damaged) {
                // Header bytes that only describe: time, flags without effect, operating system.
                Ok(account) if at < 10 => assert_eq!(counts(&account), SAMPLE_COUNTS),
                Ok(_) => panic!("bit {bit} of byte {at} was read over"),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > whole.len() * 7, "the checksum must catch the rest: {refused}");
}

#[test]
fn zero_padding_after_the_member_is_skipped() {
    for padding in [1, 7, 8, 512, 10_240] {
        let mut bytes = gzip(&sample());
        bytes.resize(bytes.len() + padding, 0);
        check(&bytes, Ok(SAMPLE_COUNTS));
    }
}

#[test]
fn trailing_bytes_are_refused() {
    for tail in [&b"x"[..], b"garbage after the end", &[0x1f], &[0, 0, 1]] {
        let bytes = [gzip(&sample()), tail.to_vec()].concat();
        check(&bytes, Err(Refusal::DamagedGzip));
    }
    let bytes = [gzip(&sample()), vec![0x1f, 0x8b]].concat();
    check(&bytes, Err(Refusal::TruncatedGzip));
}

/// The last four bytes say how long the text is; here they are not the trailer.
#[test]
fn regression_trailing_bytes_that_end_in_the_size_are_refused() {
    let whole = gzip(&sample());
    let size = &whole[whole.len() - 4..];
    let bytes = [&whole, b"more".as_slice(), b"garbage".as_slice(), size].concat();
    check(&bytes, Err(Refusal::DamagedGzip));
    let trailer = &whole[whole.len() - 8..];
    check(&[&whole, trailer].concat(), Err(Refusal::DamagedGzip));
}

#[test]
fn members_are_one_text() {
    let text = sample();
    for parts in [2, 3, text.len()] {
        let size = text.len().div_ceil(parts);
        let bytes: Vec<u8> = text.chunks(size).flat_map(gzip).collect();
        check(&bytes, Ok(SAMPLE_COUNTS));
    }
    // Members of equal size, and empty ones.
    let (left, right) = text.split_at(text.len() / 2);
    let right = [right, &b" "[..left.len().saturating_sub(right.len())]].concat();
    check(&[gzip(left), gzip(&right)].concat(), Ok(SAMPLE_COUNTS));
    check(&[gzip(b""), gzip(&text), gzip(b"")].concat(), Ok(SAMPLE_COUNTS));
}

/// The same member twice has the same trailer twice; its text is two documents.
#[test]
fn regression_a_repeated_member_is_not_read_once() {
    let member = gzip(&sample());
    check(&[member.as_slice(), &member].concat(), Ok(SAMPLE_COUNTS.map(|count| 2 * count)));
    check(&[gzip(b" "), gzip(&sample()), gzip(b" ")].concat(), Ok(SAMPLE_COUNTS));
}

#[test]
fn optional_header_fields_are_skipped() {
    let plain = gzip(&sample());
    // FEXTRA, FNAME and FCOMMENT, with the gzip magic inside the extra field.
    let mut bytes = plain[..10].to_vec();
    bytes[3] = 0b0001_1100;
    bytes.extend_from_slice(&[4, 0, 0x1f, 0x8b, 0x08, 0]);
    bytes.extend_from_slice(b"name.json\0comment\0");
    bytes.extend_from_slice(&plain[10..]);
    check(&bytes, Ok(SAMPLE_COUNTS));
}

#[test]
fn a_trailer_that_lies_about_the_size_is_refused() {
    let whole = gzip(&sample());
    let size = u32::try_from(sample().len()).unwrap();
    for claimed in [0, 1, size - 1, size + 1, 255 << 20, 257 << 20, u32::MAX] {
        let mut bytes = whole.clone();
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&claimed.to_le_bytes());
        check(&bytes, Err(Refusal::DamagedGzip));
    }
}

#[test]
fn a_wrong_checksum_is_refused() {
    let mut bytes = gzip(&sample());
    let at = bytes.len() - 8;
    bytes[at] ^= 0xff;
    check(&bytes, Err(Refusal::DamagedGzip));
}

#[test]
fn the_cap_counts_inflated_bytes_exactly() {
    let text = sample();
    let limits = |cap| Limits { max_inflated_bytes: cap, ..Limits::default() };
    let halves: Vec<u8> = text.chunks(text.len() / 2).flat_map(gzip).collect();
    for bytes in [text.clone(), gzip(&text), halves] {
        let exact = account_within(limits(text.len()), &bytes).unwrap();
        assert_eq!(counts(&exact), SAMPLE_COUNTS);
        let cap = text.len() - 1;
        assert_eq!(account_within(limits(cap), &bytes), Err(Refusal::TooLarge { cap }));
    }
    account_within(limits(usize::MAX), &gzip(&text)).unwrap();
    let halves: Vec<u8> = text.chunks(text.len() / 2).flat_map(gzip).collect();
    account_within(limits(usize::MAX), &halves).unwrap();
}

#[test]
fn the_reader_works_on_after_a_refusal() {
    let mut reader = Reader::new(Limits { max_inflated_bytes: 1 << 20, ..Limits::default() });
    let bomb = gzip(&vec![b'x'; 2 << 20]);
    let good = gzip(&sample());
    for bad in [&bomb[..], &good[..good.len() / 2], b"no json", b"", &gzip(b"{}")] {
        assert!(reader.read(bad).is_err());
        assert_eq!(counts(&reader.read(&good).unwrap().account), SAMPLE_COUNTS);
    }
}
