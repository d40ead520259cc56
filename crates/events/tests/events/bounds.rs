//! Hostile sizes: time and rows stay in proportion to the input. What memory does is in `memory.rs`.

use std::time::{Duration, Instant};

use rolecall_events::{Limits, Reader};
use serde_json::json;

use crate::support::{check_sum, counts, log_file, record};

#[test]
fn a_string_of_100_mb_is_a_value_like_any_other() {
    let good = record("sts", "AssumeRole", json!({})).to_string();
    let long = "x".repeat(100 << 20);
    for member in ["userAgent", "requestParameters", "unknown"] {
        let big = format!("{{\"{member}\":\"{long}\",{}", &good[1..]);
        let text = format!("{{\"Records\":[{good},{big},{good}]}}");
        let mut reader = Reader::new(Limits::default());
        let file = reader.read(text.as_bytes()).unwrap();
        check_sum(&file);
        assert_eq!(counts(&file.account), [3, 3, 0, 0]);
    }
}

/// Records that differ only where the index of activity rows does not look first.
#[test]
fn regression_rows_that_differ_in_a_rare_field_take_linear_time() {
    let read = |count: usize| {
        let records: Vec<_> = (0..count)
            .map(|index| {
                json!({"eventTime": "2026-01-05T07:12:03Z", "eventSource": "s", "eventName": "n",
                "userIdentity": {"userName": format!("u{index}")}})
            })
            .collect();
        let text = log_file(&records);
        let mut reader = Reader::new(Limits::default());
        let start = Instant::now();
        assert_eq!(reader.read(&text).unwrap().activity.len(), count);
        start.elapsed()
    };
    // Quadratic, the larger file takes minutes; the bound only tells the two apart.
    assert!(read(200_000) < Duration::from_secs(20));
}
