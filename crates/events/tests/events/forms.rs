//! The forms one log file can take: as CloudTrail delivers it, and as people have it at hand.

use rolecall_events::{Limits, Reader};
use serde_json::{Value, json};

use crate::support::{account, account_within, check_sum, counts, gzip, log_file, record};

fn three() -> [Value; 3] {
    [
        record("sts", "AssumeRole", json!({"eventID": "a"})),
        record("iam", "CreateUser", json!({"eventID": "b"})),
        json!({"eventVersion": "1.08"}),
    ]
}

const THREE: [u64; 4] = [3, 1, 1, 1];

#[track_caller]
fn check(bytes: &[u8], expect: [u64; 4]) {
    assert_eq!(counts(&account(bytes).unwrap()), expect);
    assert_eq!(counts(&account(&gzip(bytes)).unwrap()), expect);
}

#[test]
fn one_line_or_pretty_printed() {
    check(&log_file(&three()), THREE);
    check(&serde_json::to_vec_pretty(&json!({"Records": three()})).unwrap(), THREE);
    let text = String::from_utf8(log_file(&three())).unwrap();
    check(text.replace(":[{", ": [ {").as_bytes(), THREE);
    check(format!("\n\t {text} \r\n").as_bytes(), THREE);
    check(format!("{text}\n\n").as_bytes(), THREE);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let text = [b"\xef\xbb\xbf".as_slice(), &log_file(&three())].concat();
    check(&text, THREE);
    check(&[b"\xef\xbb\xbf\n".as_slice(), &log_file(&three())].concat(), THREE);
}

#[test]
fn no_records_are_a_file_all_the_same() {
    check(br#"{"Records":[]}"#, [0; 4]);
    check(br#"{ "Records" : [ ] }"#, [0; 4]);
    check(br#"{"Events":[]}"#, [0; 4]);
}

#[test]
fn other_members_of_the_document_do_no_harm() {
    let records = serde_json::to_string(&three()).unwrap();
    check(format!(r#"{{"version":[{{"a":1}}],"Records":{records}}}"#).as_bytes(), THREE);
    check(format!(r#"{{"Records":{records},"more":{{"Records":[]}}}}"#).as_bytes(), THREE);
    // Of duplicate members the last counts.
    check(format!(r#"{{"Records":[1,2],"Records":{records}}}"#).as_bytes(), THREE);
    check(format!(r#"{{"Records":{records},"Records":[]}}"#).as_bytes(), [0; 4]);
}

#[test]
fn an_event_history_download_is_a_log_file() {
    // The console writes one record a line, indented.
    let lines: Vec<String> = three().iter().map(Value::to_string).collect();
    check(format!("{{\"Records\": [\n    {}\n]}}\n", lines.join(",\n    ")).as_bytes(), THREE);
}

#[test]
fn lookup_events_wraps_each_record_as_text() {
    let wrap = |record: &Value| {
        json!({"EventId": "e", "EventName": "n", "ReadOnly": "true", "AccessKeyId": "AKIAX",
            "EventTime": "2026-01-05T08:12:03+01:00", "EventSource": "sts.amazonaws.com",
            "Username": "ann", "Resources": [], "CloudTrailEvent": record.to_string()})
    };
    let events: Vec<Value> = three().iter().map(wrap).collect();
    check(json!({"Events": events, "NextToken": "x"}).to_string().as_bytes(), THREE);
    let pretty = serde_json::to_vec_pretty(&json!({ "Events": events })).unwrap();
    check(&pretty, THREE);
}

/// The forms that the same records have come in, after what people do with the command's output.
#[test]
fn looked_up_events_are_read_in_every_json_form() {
    let [a, b, bad] =
        three().map(|record| json!({"EventId": "e", "CloudTrailEvent": record.to_string()}));
    // `--query Events`
    check(json!([a, b, bad]).to_string().as_bytes(), THREE);
    check(&serde_json::to_vec_pretty(&json!([a, b, bad])).unwrap(), THREE);
    // Pages that were appended to one file.
    let page =
        |events: &[&Value]| serde_json::to_string_pretty(&json!({"Events": events})).unwrap();
    let pages = [page(&[&a]), page(&[]), page(&[&b, &bad])];
    for between in ["", "\n", "\r\n\r\n", "\t"] {
        check(pages.join(between).as_bytes(), THREE);
    }
    let lists = format!("{}\n{}\n", json!([a, b]), json!([bad]));
    check(lists.as_bytes(), THREE);
    // And log files, as `zcat` and `cat` leave them.
    let files: Vec<String> =
        three().iter().map(|record| json!({"Records": [record]}).to_string()).collect();
    check(files.concat().as_bytes(), THREE);
    check(files.join("\n").as_bytes(), THREE);
    check(format!("{}{}{}", files[0], pages[1], page(&[&b, &bad])).as_bytes(), THREE);
    let members: Vec<u8> = files.iter().flat_map(|file| gzip(file.as_bytes())).collect();
    assert_eq!(counts(&account(&members).unwrap()), THREE);
}

#[test]
fn lone_surrogates_in_appended_pages() {
    let page = |record: &Value| json!({"Records": [record]}).to_string();
    let text: String = three().iter().map(page).collect();
    check(text.replace("aws-cli/2.15", r"cut\ud83d").as_bytes(), THREE);
}

/// Windows PowerShell writes what a command prints in UTF-16.
#[test]
fn utf_16_is_read() {
    let agent = "é \u{1f600} aws-cli";
    let records = [record("sts", "AssumeRole", json!({"userAgent": agent}))];
    let looked_up = json!({"Events": [{"CloudTrailEvent": records[0].to_string()}]}).to_string();
    let page = String::from_utf8(log_file(&records)).unwrap();
    for text in [page.clone(), format!("{page}\r\n{page}\r\n"), looked_up] {
        for encode in [u16::to_le_bytes, u16::to_be_bytes] {
            let units = std::iter::once(0xfeff).chain(text.encode_utf16());
            let bytes: Vec<u8> = units.flat_map(encode).collect();
            for bytes in [gzip(&bytes), bytes] {
                let mut reader = Reader::new(Limits::default());
                let file = reader.read(&bytes).unwrap();
                check_sum(&file);
                assert_eq!(file.account.rejected, 0);
                assert_eq!(file.credential_events[0].user_agent, Some(agent));
                drop(file);
                assert_eq!(reader.inflated_bytes(), text.len() as u64);
            }
        }
    }
    // Half a character at the end is none; an unpaired one is told as such.
    let mut odd: Vec<u8> = [0xff, 0xfe].into();
    odd.extend(page.encode_utf16().flat_map(u16::to_le_bytes));
    odd.push(b'x');
    check(&odd, [1, 1, 0, 0]);
    let lone: Vec<u8> = [0xfeff, 0xd83d].into_iter().flat_map(u16::to_le_bytes).collect();
    assert_eq!(account(&lone), Err(rolecall_events::Refusal::NotJson));
}

#[test]
fn utf_16_keeps_to_the_cap() {
    let units = std::iter::once(0xfeff).chain(std::iter::repeat_n(0x4e00_u16, 1_000));
    let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
    let limits = Limits { max_inflated_bytes: 2_500, ..Limits::default() };
    let refused = rolecall_events::Refusal::TooLarge { cap: 2_500 };
    assert_eq!(account_within(limits, &bytes), Err(refused));
}

/// The answer of `lookup-events` may end in the middle: its last page tells.
#[test]
fn a_page_that_says_that_another_follows_is_told() {
    let more = |text: String| account(text.as_bytes()).unwrap().more_pages;
    let first = r#"{"Events":[],"NextToken":"eyJ4IjoxfQ=="}"#;
    let last = r#"{"Events":[]}"#;
    assert!(more(first.to_owned()));
    assert!(more(serde_json::to_string_pretty(&json!({"Events": [], "NextToken": "x"})).unwrap()));
    assert!(more(format!("{last}\n{first}")));
    assert!(!more(last.to_owned()));
    assert!(!more(format!("{first}\n{last}")));
    assert!(!more(r#"{"Events":[],"NextToken":null}"#.to_owned()));
    assert!(!more(r#"{"Events":[],"NextToken":""}"#.to_owned()));
    assert!(!more(r#"{"Records":[],"NextToken":"x"}"#.to_owned()));
    // A reader remembers nothing of the file before.
    let mut reader = Reader::new(Limits::default());
    assert!(reader.read(first.as_bytes()).unwrap().account.more_pages);
    assert!(!reader.read(br#"{"Records":[]}"#).unwrap().account.more_pages);
}

#[test]
fn one_bad_looked_up_event_does_not_take_the_others_with_it() {
    let good = json!({"CloudTrailEvent": record("sts", "AssumeRole", json!({})).to_string()});
    for bad in [
        json!({"CloudTrailEvent": "{\"eventTime\":"}),
        json!({"CloudTrailEvent": ""}),
        json!({"CloudTrailEvent": "[]"}),
        json!({"CloudTrailEvent": 7}),
        json!({"EventId": "e"}),
        json!(null),
        json!([]),
    ] {
        let text = json!({"Events": [good, bad, good]}).to_string();
        let account = account(text.as_bytes()).unwrap();
        assert_eq!(counts(&account), [3, 2, 0, 1], "{bad}");
        assert_eq!(account.rejections[0].record_index, 1);
    }
}

#[test]
fn regression_lone_surrogates_inside_a_looked_up_event() {
    let inner = record("sts", "AssumeRole", json!({"userAgent": "cut"}));
    let inner = inner.to_string().replace("cut", r"cut\ud83d");
    let text = json!({"Events": [{"CloudTrailEvent": inner}]}).to_string();
    check(text.as_bytes(), [1, 1, 0, 0]);
}

#[test]
fn lone_surrogates_become_the_replacement_character() {
    let text = String::from_utf8(log_file(&three())).unwrap();
    let text =
        text.replacen("aws-cli/2.15", r"cut\ud83d", 1).replacen("aws-cli/2.15", r"\ude00", 1);
    for text in [text.clone(), text.replace(":[{", ": [{")] {
        let mut reader = Reader::new(Limits::default());
        let file = reader.read(text.as_bytes()).unwrap();
        assert_eq!(counts(&file.account), THREE);
        assert_eq!(file.credential_events[0].user_agent, Some("cut\u{fffd}"));
        assert_eq!(file.iam_changes[0].user_agent, Some("\u{fffd}"));
    }
}

/// Records whose text is long enough that the file is cut into pieces.
fn many(count: usize, extra: &Value) -> Vec<Value> {
    let padding = "x".repeat(700);
    let member = |index: usize| {
        let mut members = json!({"eventID": format!("e{index}"), "apiVersion": padding});
        members.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        members
    };
    (0..count).map(|index| record("sts", "AssumeRole", member(index))).collect()
}

#[track_caller]
fn check_many(text: &[u8], count: usize) {
    let mut reader = Reader::new(Limits::default());
    let file = reader.read(text).unwrap();
    check_sum(&file);
    assert_eq!(file.credential_events.len(), count);
    for (index, event) in file.credential_events.iter().enumerate() {
        assert_eq!(event.event_id, Some(format!("e{index}").as_str()));
        assert_eq!(event.record_index, u32::try_from(index).unwrap());
    }
}

#[test]
fn files_of_many_pieces_keep_their_order() {
    check_many(&log_file(&many(2_000, &json!({}))), 2_000);
}

#[test]
fn records_may_begin_with_any_member() {
    for name in ["a", "9", "event version", "", "é", "with\\\"quote", &"long".repeat(40)] {
        let records: Vec<String> = many(1_500, &json!({}))
            .iter()
            .map(|record| format!("{{\"{name}\":1,{}", &record.to_string()[1..]))
            .collect();
        check_many(format!("{{\"Records\":[{}]}}", records.join(",")).as_bytes(), 1_500);
    }
}

/// An array of objects inside a record, each beginning as records do: every cut falls on one of them.
#[test]
fn nested_objects_that_begin_like_records_are_not_records() {
    let nested: Vec<Value> = (0..40).map(|_| json!({"apiVersion": "z".repeat(200)})).collect();
    let records = many(400, &json!({"additionalEventData": {"list": nested}}));
    // serde_json sorts members, so the records must begin like the nested ones for this to bite.
    let text = String::from_utf8(log_file(&records)).unwrap();
    let text =
        text.replace("{\"additionalEventData\"", "{\"apiVersion\":0,\"additionalEventData\"");
    assert!(text.starts_with("{\"Records\":[{\"apiVersion\":"));
    check_many(text.as_bytes(), 400);
}

/// The text that separates records, inside a string.
#[test]
fn text_that_looks_like_a_separator_is_not_one() {
    let records = many(1_000, &json!({"userAgent": "},{\"apiVersion\":".repeat(30)}));
    check_many(&log_file(&records), 1_000);
}

#[test]
fn unicode_and_escapes_come_out_as_written() {
    let agent = "é \u{1f600} \u{7f} \"quoted\" back\\slash \u{202e} \n\t\u{1} \u{0}";
    let text = log_file(&[record("sts", "AssumeRole", json!({"userAgent": agent}))]);
    let mut reader = Reader::new(Limits::default());
    assert_eq!(reader.read(&text).unwrap().credential_events[0].user_agent, Some(agent));
}
