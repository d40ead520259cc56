//! Hostile sizes: time and rows stay in proportion to the input. What memory does is in `memory.rs`.

use rolecall_events::rows::RejectionReason;
use rolecall_events::{Limits, Reader};
use serde_json::json;

use crate::support::{check_sum, counts, log_file, record};

/// CloudTrail's records stay below 256 KB. What is far larger is no record of its, and must not reach the
/// tables; its neighbours do.
#[test]
fn a_record_with_a_string_of_100_mb_is_rejected_by_itself() {
    let good = record("sts", "AssumeRole", json!({})).to_string();
    let check = |text_len: usize, space: &str, expect: [u64; 4]| {
        let long = "x".repeat(text_len);
        for member in ["userAgent", "requestParameters", "unknown"] {
            let big = format!("{{\"{member}\":\"{long}\",{}", &good[1..]);
            let text = format!("{{\"Records\":{space}[{good},{big},{good}]}}");
            let mut reader = Reader::new(Limits::default());
            let file = reader.read(text.as_bytes()).unwrap();
            check_sum(&file);
            assert_eq!(counts(&file.account), expect);
            for rejection in &file.account.rejections {
                assert_eq!(
                    (rejection.record_index, rejection.reason),
                    (1, RejectionReason::TooLarge)
                );
            }
        }
    };
    check(100 << 20, "", [3, 2, 0, 1]);
    for space in ["", " "] {
        check(2 << 20, space, [3, 2, 0, 1]);
        check(900 << 10, space, [3, 3, 0, 0]);
    }
}

/// Records that differ only where the index of activity rows does not look first. In quadratic time this
/// runs for many minutes.
#[test]
fn regression_rows_that_differ_in_a_rare_field_take_linear_time() {
    let record = |index: usize| {
        json!({"eventTime": "2026-01-05T07:12:03Z", "eventSource": "s", "eventName": "n",
            "userIdentity": {"userName": format!("u{index}")}})
    };
    let records: Vec<_> = (0..200_000).map(record).collect();
    let text = log_file(&[records.as_slice(), &records].concat());
    let mut reader = Reader::new(Limits::default());
    let file = reader.read(&text).unwrap();
    check_sum(&file);
    assert_eq!(file.activity.len(), 200_000);
    assert!(file.activity.iter().all(|row| row.event_count == 2));
}
