//! Any text as a log file, and as the elements of one: no panic, the account adds up, and the file read
//! in pieces gives the same rows as the file read whole.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rolecall_events::rows::LogFile;
use rolecall_events::{Limits, Reader};

fuzz_target!(|bytes: &[u8]| {
    // Gzip is the other target's business.
    if bytes.starts_with(b"\x1f\x8b") {
        return;
    }
    let mut reader = Reader::new(Limits { max_inflated_bytes: 16 << 20, max_depth: 64 });
    read(&mut reader, bytes);
    let in_pieces = read(&mut reader, &[b"{\"Records\":[", bytes, b"]}"].concat());
    let whole = read(&mut reader, &[b"{\"Records\": [", bytes, b"]}"].concat());
    // Pieces lack one level of nesting, so that they may pass where the whole does not.
    if whole.is_some() {
        assert_eq!(in_pieces, whole);
    }
    // Enough copies of one record to be cut several times.
    if bytes.len() > 64 && whole.is_some() {
        let copies = vec![bytes; 600_000 / bytes.len() + 1].join(&b","[..]);
        let in_pieces = read(&mut reader, &[b"{\"Records\":[", &copies[..], b"]}"].concat());
        let whole = read(&mut reader, &[b"{\"Records\": [", &copies[..], b"]}"].concat());
        assert_eq!(in_pieces, whole);
    }
});

fn read(reader: &mut Reader, bytes: &[u8]) -> Option<String> {
    let file = reader.read(bytes).ok()?;
    check(&file);
    Some(format!("{file:?}"))
}

fn check(file: &LogFile<'_>) {
    let account = &file.account;
    assert_eq!(account.seen, account.credential + account.other + account.rejected);
    assert_eq!(account.credential, file.credential_events.len() as u64);
    assert_eq!(account.iam_changes, file.iam_changes.len() as u64);
    let counted: u64 = file.activity.iter().map(|row| row.event_count).sum();
    assert_eq!(counted, account.seen - account.rejected);
    // 2006 to 2261: whatever is reckoned from a row must not overflow.
    let in_range = |time: &i64| (1_136_073_600_000_000..9_214_646_400_000_000).contains(time);
    assert!(account.first_event_time.iter().chain(&account.last_event_time).all(in_range));
    for event in &file.credential_events {
        assert!(event.issued_expiration.iter().chain(&event.caller_session_created).all(in_range));
        assert!(event.duration_seconds.is_none_or(|seconds| (1..=129_600).contains(&seconds)));
    }
    assert!(file.activity.iter().all(|row| row.session_created.iter().all(in_range)));
}
