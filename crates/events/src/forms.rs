//! The forms in which people have CloudTrail's records at hand.
//!
//! Read are CloudTrail's own files and what `aws cloudtrail lookup-events` prints: its pages, one or several
//! in one file, the list of events alone, and all of it in UTF-16, as PowerShell writes it. Everything else
//! is told by its name, so that whoever has it knows what to ask for instead. Does not look into records.

use std::fmt;
use std::ops::Range;

use simd_json::INPUT_PADDING;

use crate::Refusal;
use crate::tape::{Nodes, Place};

/// What a JSON document holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// Records, as the elements of this array.
    Records(Place),
    /// Events of `lookup-events`, each with its record as text in `CloudTrailEvent`.
    LookedUp {
        /// The array.
        events: Place,
        /// Whether the page says that another follows.
        more_pages: bool,
    },
}

/// Input that holds, or may hold, what CloudTrail recorded, but not in a form that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtherForm {
    /// Records with nothing around them, one or several.
    BareRecords,
    /// Records as JSON text, without what `lookup-events` says beside.
    RecordsAsText,
    /// A single event of `lookup-events`.
    OneLookedUpEvent,
    /// A digest file of CloudTrail's.
    Digest,
    /// YAML of the AWS CLI.
    Yaml,
    /// Lines of tab-separated words of the AWS CLI.
    TextOutput,
    /// A table of the AWS CLI.
    Table,
    /// The console's event history as CSV.
    Csv,
    /// XML or HTML.
    Markup,
    /// Compressed, but not with gzip.
    Compressed {
        /// The program that unpacks it.
        unpack_with: &'static str,
    },
}

impl fmt::Display for OtherForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let again = "ask for it again with --output json";
        let whole = "give the whole JSON output of `aws cloudtrail lookup-events`, without --query";
        match self {
            Self::BareRecords => f.write_str(
                "records one by one, as text output or jq prints them: give the log files as delivered, or \
                 the whole JSON output of `aws cloudtrail lookup-events`",
            ),
            Self::RecordsAsText => write!(f, "a list of records as text: {whole}"),
            Self::OneLookedUpEvent => write!(f, "one event of lookup-events: {whole}"),
            Self::Digest => f.write_str("a digest file of CloudTrail's, which holds no records"),
            Self::Yaml => write!(f, "YAML: {again}"),
            Self::TextOutput => write!(f, "text output of the AWS CLI: {again}"),
            Self::Table => write!(f, "a table: {again}"),
            Self::Csv => f.write_str("CSV, which lacks most of each record: download it as JSON"),
            Self::Markup => f.write_str("XML or HTML: a server's answer instead of a log file"),
            Self::Compressed { unpack_with } => {
                write!(f, "compressed, but not with gzip: unpack it with {unpack_with} first")
            }
        }
    }
}

/// Decides what a document is by the members that it has.
pub(crate) fn form(nodes: Nodes<'_, '_>) -> Result<Form, Refusal> {
    if nodes.is_array(Place::ROOT) {
        let mut events = nodes.elements(Place::ROOT);
        return match events.any(|event| nodes.text_at(event, &[LOOKED_UP]).is_some()) {
            true => Ok(Form::LookedUp { events: Place::ROOT, more_pages: false }),
            false => Err(name_of_list(nodes)),
        };
    }
    if !nodes.is_object(Place::ROOT) {
        return Err(name_of_text(nodes, Place::ROOT));
    }
    let records = nodes.member(Place::ROOT, "Records");
    if records != Place::ABSENT {
        return match nodes.is_array(records) {
            true => Ok(Form::Records(records)),
            false => Err(Refusal::RecordsNotAnArray),
        };
    }
    let events = nodes.member(Place::ROOT, "Events");
    if nodes.is_array(events) {
        let more_pages = nodes.text_at(Place::ROOT, &["NextToken"]).is_some();
        return Ok(Form::LookedUp { events, more_pages });
    }
    Err(name_of_object(nodes, Place::ROOT))
}

/// The member in which `lookup-events` has a record as text.
pub(crate) const LOOKED_UP: &str = "CloudTrailEvent";

fn name_of_object(nodes: Nodes<'_, '_>, place: Place) -> Refusal {
    let has = |name: &&str| nodes.text_at(place, &[name]).is_some();
    if has(&LOOKED_UP) {
        return Refusal::OtherForm(OtherForm::OneLookedUpEvent);
    }
    let of_a_record = ["eventVersion", "eventTime", "eventSource", "eventName", "eventID"];
    if of_a_record.iter().filter(|name| has(name)).count() > 1 {
        return Refusal::OtherForm(OtherForm::BareRecords);
    }
    if has(&"digestStartTime") {
        return Refusal::OtherForm(OtherForm::Digest);
    }
    Refusal::NoRecords
}

fn name_of_list(nodes: Nodes<'_, '_>) -> Refusal {
    // `--query 'Events[].[CloudTrailEvent]'` has lists in the list.
    let mut first = Place::ROOT;
    while let Some(inner) = nodes.elements(first).next() {
        first = inner;
    }
    match nodes.is_object(first) {
        true => name_of_object(nodes, first),
        false => name_of_text(nodes, first),
    }
}

fn name_of_text(nodes: Nodes<'_, '_>, place: Place) -> Refusal {
    match nodes.text(place).is_some_and(|text| text.trim_start().starts_with('{')) {
        true => Refusal::OtherForm(OtherForm::RecordsAsText),
        false => Refusal::NoRecords,
    }
}

/// What a text is that is no JSON.
pub(crate) fn name_of_other(text: &[u8]) -> Refusal {
    let packed = [
        (&b"PK\x03\x04"[..], "unzip"),
        (b"\x28\xb5\x2f\xfd", "unzstd"),
        (b"BZh", "bunzip2"),
        (b"\xfd7zXZ", "unxz"),
    ];
    if let Some((_, unpack_with)) = packed.iter().find(|(start, _)| text.starts_with(start)) {
        return Refusal::OtherForm(OtherForm::Compressed { unpack_with });
    }
    if let Err(error) = std::str::from_utf8(text) {
        return Refusal::NotUtf8 { offset: error.valid_up_to() };
    }
    let starts = |with: &[&str]| with.iter().any(|start| text.starts_with(start.as_bytes()));
    let head = text.get(..text.len().min(HEAD_BYTES)).unwrap_or_default();
    let other = if starts(&["<"]) {
        OtherForm::Markup
    } else if starts(&["----", "+-", "|"]) {
        OtherForm::Table
    } else if starts(&["EVENTS\t"]) || memchr::memmem::find(head, b"\nEVENTS\t").is_some() {
        OtherForm::TextOutput
    } else if starts(&["Events:", "Records:", "NextToken:", "- ", "---"]) {
        OtherForm::Yaml
    } else {
        return Refusal::NotJson;
    };
    Refusal::OtherForm(other)
}

/// As much of a text as is looked at to tell what it is.
const HEAD_BYTES: usize = 64 << 10;

/// Whether it is the console's event history as CSV, told by the header. Where that is quoted, its first name
/// is JSON all the same.
pub(crate) fn is_csv(text: &[u8]) -> bool {
    let head = text.get(..text.len().min(HEAD_BYTES)).unwrap_or_default();
    let header = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_name = |name: &[u8]| {
        let letters = name.iter().filter(|byte| byte.is_ascii_alphabetic());
        let letters: Vec<u8> = letters.map(u8::to_ascii_lowercase).collect();
        matches!(letters.as_slice(), b"eventname" | b"eventtime" | b"eventid")
    };
    let names = || header.split(|byte| *byte == b',');
    !header.starts_with(b"{")
        && !header.starts_with(b"[")
        && names().filter(|name| is_name(name)).count() > 1
}

/// Where the next of several JSON documents stands, from `from` on; `None` where none does. Whether it is
/// one is for the parser to say.
pub(crate) fn next_document(text: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    let start = from + rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match text.get(at)? {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b'"' => at = end_of_string(text, at + 1)?,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(start..at);
        }
    }
}

/// Where the string that goes on at `at` has its closing quote.
fn end_of_string(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

/// Turns UTF-16, which is told by its mark, into UTF-8.
pub(crate) fn decode_utf16(buffer: &mut Vec<u8>, cap: usize) -> Result<(), Refusal> {
    let unit: fn([u8; 2]) -> u16 = match buffer.get(..2) {
        Some([0xff, 0xfe]) => u16::from_le_bytes,
        Some([0xfe, 0xff]) => u16::from_be_bytes,
        _ => return Ok(()),
    };
    let chars = || {
        let (pairs, _) = buffer.get(2..).unwrap_or_default().as_chunks::<2>();
        let units = pairs.iter().map(|pair| unit(*pair));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
    };
    let len: usize = chars().map(char::len_utf8).sum();
    if len > cap {
        return Err(Refusal::TooLarge { cap });
    }
    let mut text = String::with_capacity(len + INPUT_PADDING);
    text.extend(chars());
    *buffer = text.into_bytes();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_apart_by_their_brackets() {
        let texts = |text: &str| {
            let (mut found, mut from) = (Vec::new(), 0);
            while let Some(range) = next_document(text.as_bytes(), from) {
                found.push(text.get(range.clone()).unwrap().to_owned());
                from = range.end;
            }
            found
        };
        assert_eq!(texts(r#"{"a":"}{\"\\"} [1,[2]]"#), [r#"{"a":"}{\"\\"}"#, "[1,[2]]"]);
        assert_eq!(texts("{}\n\n{}\t{}"), ["{}", "{}", "{}"]);
        assert_eq!(texts("{"), [""; 0]);
        assert_eq!(texts("{\"a"), [""; 0]);
        assert_eq!(texts("{\"a\\"), [""; 0]);
        assert_eq!(texts("]{}"), [""; 0]);
        assert_eq!(texts(""), [""; 0]);
    }
}
