//! Hostile sizes: time and rows stay in proportion to the input, and no figure or time in a row is so large
//! that reckoning with it overflows. What memory does is in `memory.rs`.

use rolecall_events::rows::{LogFile, Micros, RejectionReason};
use rolecall_events::{Limits, Reader};
use serde_json::{Value, json};

use crate::support::{account, ask, check_sum, counts, log_file, record};

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

/// `duration * 1,000,000` used to overflow in whatever asked when a session ends.
#[test]
fn regression_durations_that_no_session_has_are_absent() {
    let asked = |duration: Value| {
        let call = record(
            "sts",
            "AssumeRole",
            json!({"requestParameters": {"durationSeconds": duration}}),
        );
        ask(&call, |event| event.duration_seconds)
    };
    for seconds in [1, 900, 3_600, 43_200, 129_600] {
        assert_eq!(asked(json!(seconds)), Some(seconds));
        assert_eq!(asked(json!(seconds.to_string())), Some(seconds));
    }
    for seconds in [i64::MIN, -9_223_372_036_855, -1, 0, 129_601, 9_223_372_036_855, i64::MAX] {
        assert_eq!(asked(json!(seconds)), None, "{seconds}");
        assert_eq!(asked(json!(seconds.to_string())), None, "{seconds}");
    }
    for odd in [json!(u64::MAX), json!(3_600.0), json!("1h"), json!([3_600]), json!(1e300)] {
        assert_eq!(asked(odd.clone()), None, "{odd}");
    }
}

/// Times that nothing can have happened at used to be stored, and made whole queries fail.
#[test]
fn regression_event_times_out_of_range_reject_the_record_alone() {
    let good = record("sts", "AssumeRole", json!({}));
    for (time, fits) in [
        ("2006-01-01T00:00:00Z", true),
        ("2261-12-31T23:59:59Z", true),
        ("2005-12-31T23:59:59Z", false),
        ("2006-01-01T00:00:00+00:01", false),
        ("2262-01-01T00:00:00Z", false),
        ("9999-12-31T23:59:59Z", false),
        ("0000-01-01T00:00:00Z", false),
        ("00000101T000000Z", false),
        ("1677-09-21T00:12:43Z", false),
    ] {
        for (source, name) in [("sts", "AssumeRole"), ("iam", "CreateUser"), ("s3", "GetObject")] {
            let odd = record(source, name, json!({"eventTime": time}));
            let account = account(&log_file(&[good.clone(), odd, good.clone()])).unwrap();
            assert_eq!((account.seen, account.rejected), (3, u64::from(!fits)), "{time}");
            let reasons: Vec<_> =
                account.rejections.iter().map(|one| (one.record_index, one.reason)).collect();
            let expect = [(1, RejectionReason::EventTimeOutOfRange)];
            assert_eq!(reasons, if fits { &expect[..0] } else { &expect }, "{time}");
        }
    }
}

#[test]
fn regression_other_times_out_of_range_are_absent() {
    for time in [
        "0000-01-01T00:00:00Z",
        "2005-12-31T23:59:59Z",
        "2262-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "Jan 1, 0, 1:00:00 AM",
        "Jan 1, 290000, 1:00:00 AM",
        // This one overflowed while it was read.
        "Jan 1, 999999999, 1:00:00 AM",
        "Jan 999999999, 2026, 999999999:999999999:999999999 AM",
    ] {
        let call = record(
            "sts",
            "AssumeRole",
            json!({
                "userIdentity": {"type": "AssumedRole",
                    "sessionContext": {"attributes": {"creationDate": time}}},
                "responseElements": {"credentials": {"accessKeyId": "ASIAX", "expiration": time}},
            }),
        );
        let text = log_file(&[call]);
        let mut reader = Reader::new(Limits::default());
        let file = reader.read(&text).unwrap();
        assert_eq!(file.account.rejected, 0, "{time}");
        let event = &file.credential_events[0];
        assert_eq!(event.issued_access_key_id, Some("ASIAX"), "{time}");
        assert_eq!((event.issued_expiration, event.caller_session_created), (None, None), "{time}");
        assert_eq!(file.activity[0].session_created, None, "{time}");
    }
}

/// Every time of a file; those in the tables are among them.
fn times(file: &LogFile<'_>) -> Vec<Micros> {
    let mut times: Vec<Option<Micros>> =
        vec![file.account.first_event_time, file.account.last_event_time];
    for event in &file.credential_events {
        let issued = event.issued_expiration;
        times.extend([Some(event.event_time), event.caller_session_created, issued]);
    }
    times.extend(file.iam_changes.iter().map(|change| Some(change.event_time)));
    for row in &file.activity {
        let [hour, first, last] = [row.hour, row.first_time, row.last_time].map(Some);
        times.extend([hour, first, last, row.session_created]);
    }
    times.into_iter().flatten().collect()
}

/// Whatever stands where a time belongs, what comes out fits nanoseconds in 64 bits.
#[test]
fn every_time_that_comes_out_is_within_bounds() {
    const BOUNDS: std::ops::Range<Micros> = 1_136_073_600_000_000..9_214_646_400_000_000;
    let mut records = Vec::new();
    for year in (0..10_000).step_by(7) {
        let time = format!("{year:04}-03-01T00:00:00Z");
        records.push(record("sts", "AssumeRole", json!({"eventTime": time})));
        records.push(record(
            "sts",
            "AssumeRole",
            json!({
                "userIdentity": {"sessionContext": {"attributes": {"creationDate": time}}},
                "responseElements": {"credentials": {"expiration": time}},
            }),
        ));
        let local = format!("Mar 1, {}, 1:00:00 AM", year * 100_003);
        let issued = json!({"responseElements": {"credentials": {"expiration": local}}});
        records.push(record("sts", "AssumeRole", issued));
    }
    let text = log_file(&records);
    let mut reader = Reader::new(Limits::default());
    let file = reader.read(&text).unwrap();
    check_sum(&file);
    assert!(file.account.rejected > 1_000);
    let times = times(&file);
    assert!(times.len() > 2_858);
    assert!(times.iter().all(|time| BOUNDS.contains(time)));
}

/// STS takes 50 tags and 10 policies. In quadratic time this runs for minutes.
#[test]
fn regression_lists_are_bounded_and_take_linear_time() {
    let many = 20_000;
    let texts: Vec<String> = (0..many).map(|index| format!("k{index}")).collect();
    let pairs: Vec<Value> = texts.iter().map(|key| json!({"key": key, "value": "v"})).collect();
    let map: serde_json::Map<String, Value> =
        texts.iter().map(|key| (key.clone(), json!("v"))).collect();
    for request in [
        json!({"tags": pairs, "policyArns": texts, "transitiveTagKeys": texts}),
        json!({"principalTags": map, "policyArns": texts, "transitiveTagKeys": texts}),
    ] {
        let call = record("sts", "AssumeRole", json!({"requestParameters": request}));
        let records = vec![call; 8];
        let text = log_file(&records);
        let mut reader = Reader::new(Limits::default());
        let file = reader.read(&text).unwrap();
        assert_eq!(file.account.rejected, 0);
        for event in &file.credential_events {
            let lens = [
                event.session_tags.len(),
                event.session_policy_arns.len(),
                event.transitive_tag_keys.len(),
            ];
            assert_eq!(lens, [100; 3]);
            assert_eq!(event.session_policy_arns[99], "k99");
        }
    }
}

/// Text alone counts towards the size of a record, so numbers must be bounded where they become text.
#[test]
fn selectors_of_any_size_become_a_bounded_document() {
    let numbers = "1,".repeat(500_000);
    let call = record(
        "cloudtrail",
        "PutEventSelectors",
        json!({"requestParameters": {"eventSelectors": ["NUMBERS"]}}),
    );
    let call = call.to_string().replace("\"NUMBERS\"", &format!("[{numbers}1]"));
    let mut reader = Reader::new(Limits::default());
    let text = format!("{{\"Records\":[{call}]}}");
    let file = reader.read(text.as_bytes()).unwrap();
    assert_eq!(file.iam_changes[0].document.as_deref().map(str::len), Some(100 * 1024));
}
