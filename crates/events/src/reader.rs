//! From the bytes of one log file to its rows.
//!
//! A CloudTrail file is one line, `{"Records":[{…},{…}]}`. It is cut between records into pieces of
//! about [`PIECE_BYTES`], and each piece is parsed by itself in a buffer that stays in the cache and is
//! used again: the tape of a 50 MB file would take more memory than the file. The cut is found by
//! searching for the text that starts a record; inside a JSON string that text cannot stand, because
//! its quotes would be escaped. Where it stands somewhere else all the same, the pieces are not valid
//! JSON, and the file is parsed as a whole, like every file that does not look like CloudTrail's own.

use bumpalo::Bump;
use simd_json::{Buffers, INPUT_PADDING, Tape};

use crate::inflate::Inflater;
use crate::record::Record;
use crate::rows::{Account, LogFile, Rejection};
use crate::tape::{Nodes, Place};
use crate::{Limits, Refusal, activity, credential, iam, repair};

/// Small enough for the second-level cache together with its tape.
const PIECE_BYTES: usize = 256 << 10;

const PREFIX: &[u8] = b"{\"Records\":[";
const SUFFIX: &[u8] = b"]}";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads log files one after the other; every buffer is used again.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    inflater: Inflater,
    parser: Parser,
    index: activity::Index,
    arena: Bump,
}

impl Reader {
    /// A reader that keeps to `limits`.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            inflater: Inflater::new(),
            parser: Parser::new(limits),
            index: activity::Index::default(),
            arena: Bump::new(),
        }
    }

    /// Reads one log file: gzip of one member or several, or plain JSON, with or without a byte-order
    /// mark; `{"Records": […]}` as CloudTrail delivers it, or `{"Events": […]}` as
    /// `aws cloudtrail lookup-events` prints it.
    ///
    /// # Errors
    ///
    /// When the file as a whole cannot be read. A bad record is not an error: it is counted in
    /// [`Account::rejected`].
    pub fn read(&mut self, bytes: &[u8]) -> Result<LogFile<'_>, Refusal> {
        self.arena.reset();
        let text = self.inflater.inflate(bytes, self.limits.max_inflated_bytes)?;
        let text = trim(text);
        if text.is_empty() {
            return Err(Refusal::Empty);
        }
        let mut collector =
            Collector { file: LogFile::default(), arena: &self.arena, index: &mut self.index };
        if let Some(body) = body_of_delivered_file(text)
            && self.parser.read_pieces(body, &mut collector).is_ok()
        {
            return Ok(collector.file);
        }
        collector.restart();
        self.parser.read_whole(text, &mut collector)?;
        Ok(collector.file)
    }

    /// Bytes of text that the last file held after inflating.
    pub fn inflated_bytes(&self) -> u64 {
        self.inflater.text_len()
    }
}

/// Cuts white space around the document and a byte-order mark before it.
fn trim(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).trim_ascii()
}

/// What stands between the brackets of a file in CloudTrail's own form.
fn body_of_delivered_file(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)
}

/// Cuts the elements of an array into pieces of about [`PIECE_BYTES`].
fn pieces(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let separator = record_separator(body);
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        let current = rest.take()?;
        let cut = separator.as_ref().and_then(|separator| {
            let found = memchr::memmem::find(current.get(PIECE_BYTES..)?, separator)?;
            current.split_at_checked(PIECE_BYTES + found + 1)
        });
        let Some((piece, after)) = cut else { return Some(current) };
        rest = after.strip_prefix(b",");
        Some(piece)
    })
}

/// `},{"eventVersion":`, or whatever the first member of the first record is called.
fn record_separator(body: &[u8]) -> Option<Vec<u8>> {
    let name = body.strip_prefix(b"{\"")?;
    let end = memchr::memchr(b'"', name.get(..64.min(name.len()))?)?;
    let name = name.get(..end)?;
    if !name.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    Some([b"},{\"", name, b"\":"].concat())
}

/// What the rows of one file are gathered into.
struct Collector<'b, 'i> {
    file: LogFile<'b>,
    arena: &'b Bump,
    index: &'i mut activity::Index,
}

impl Collector<'_, '_> {
    fn restart(&mut self) {
        self.file = LogFile::default();
        self.index.clear();
    }

    fn add(&mut self, nodes: Nodes<'_, '_>, place: Place) {
        let account = &mut self.file.account;
        // Positions past u32 do not occur under any cap on a file's size.
        let index = u32::try_from(account.seen).unwrap_or(u32::MAX);
        account.seen += 1;
        let record = match Record::read(nodes, place, index) {
            Ok(record) => record,
            Err(reason) => {
                account.rejected += 1;
                if account.rejections.len() < Account::MAX_REJECTIONS {
                    account.rejections.push(Rejection { record_index: index, reason });
                }
                return;
            }
        };
        let time = record.event_time;
        account.first_event_time = Some(account.first_event_time.map_or(time, |at| at.min(time)));
        account.last_event_time = Some(account.last_event_time.map_or(time, |at| at.max(time)));
        self.index.add(&mut self.file.activity, self.arena, &record);
        if credential::is_credential_event(record.event_source, record.event_name) {
            account.credential += 1;
            let event = credential::read(nodes, &record);
            self.file.credential_events.push(event.copy_into(self.arena));
        } else {
            account.other += 1;
            if let Some(target) = iam::target_type(record.event_source, record.event_name) {
                account.iam_changes += 1;
                let change = iam::read(nodes, &record, target);
                self.file.iam_changes.push(change.copy_into(self.arena));
            }
        }
    }
}

/// simd-json with every buffer kept.
struct Parser {
    limits: Limits,
    buffers: Buffers,
    text: Vec<u8>,
    tape: Option<Tape<'static>>,
}

impl std::fmt::Debug for Parser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parser").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Parser {
    fn new(limits: Limits) -> Self {
        let buffers = Buffers::with_max_depth(PIECE_BYTES, limits.max_depth);
        Self { limits, buffers, text: Vec::new(), tape: None }
    }

    fn read_pieces(
        &mut self,
        body: &[u8],
        collector: &mut Collector<'_, '_>,
    ) -> Result<(), Refusal> {
        collector.restart();
        for piece in pieces(body) {
            self.parse(&[b"[", piece, b"]"], |nodes| {
                nodes.elements(Place::ROOT).for_each(|record| collector.add(nodes, record));
                Ok(())
            })?;
        }
        Ok(())
    }

    fn read_whole(
        &mut self,
        text: &[u8],
        collector: &mut Collector<'_, '_>,
    ) -> Result<(), Refusal> {
        // Large buffers are for this file only.
        let result = self.read_document(text, collector);
        if self.text.capacity() > 16 * PIECE_BYTES {
            *self = Self::new(self.limits);
        }
        result
    }

    fn read_document(
        &mut self,
        text: &[u8],
        collector: &mut Collector<'_, '_>,
    ) -> Result<(), Refusal> {
        let looked_up = match self.parse(&[text], |nodes| read_records(nodes, collector)) {
            Err(Refusal::NotJson) => {
                let repaired = repair::lone_surrogates(text);
                let Some(repaired) = repaired else { return Err(not_json(text)) };
                self.parse(&[&repaired], |nodes| read_records(nodes, collector))
            }
            result => result,
        }?;
        match looked_up {
            Some(events) => self.read_looked_up(&events, collector),
            None => Ok(()),
        }
    }

    /// `lookup-events` wraps each record as text in `CloudTrailEvent`.
    fn read_looked_up(
        &mut self,
        events: &[Option<String>],
        collector: &mut Collector<'_, '_>,
    ) -> Result<(), Refusal> {
        for event in events {
            let text = event.as_deref().unwrap_or("null").as_bytes();
            let add = |nodes: Nodes<'_, '_>| {
                collector.add(nodes, Place::ROOT);
                Ok(())
            };
            if self.parse(&[text], add).is_err() {
                // Text that is no JSON is a record that is no object.
                self.parse(&[b"null"], |nodes| {
                    collector.add(nodes, Place::ROOT);
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// Parses the concatenation of `parts` and hands over its tape.
    fn parse<T>(
        &mut self,
        parts: &[&[u8]],
        read: impl FnOnce(Nodes<'_, '_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.text.clear();
        parts.iter().for_each(|part| self.text.extend_from_slice(part));
        let len = self.text.len();
        self.text.resize(len + INPUT_PADDING, 0);
        let mut tape = self.tape.take().unwrap_or_else(Tape::null).reset();
        let parsed = simd_json::fill_tape_padded(&mut self.text, len, &mut self.buffers, &mut tape);
        let result = match parsed {
            Ok(()) => read(Nodes(&tape.0)),
            Err(_) => Err(Refusal::NotJson),
        };
        self.tape = Some(tape.reset());
        result
    }
}

/// Gathers the records of a whole document; what `lookup-events` wrapped as text is handed back, to be
/// parsed in its turn.
fn read_records(
    nodes: Nodes<'_, '_>,
    collector: &mut Collector<'_, '_>,
) -> Result<Option<Vec<Option<String>>>, Refusal> {
    if !nodes.is_object(Place::ROOT) {
        return Err(Refusal::NoRecords);
    }
    let records = nodes.member(Place::ROOT, "Records");
    if records != Place::ABSENT {
        if !nodes.is_array(records) {
            return Err(Refusal::RecordsNotAnArray);
        }
        nodes.elements(records).for_each(|record| collector.add(nodes, record));
        return Ok(None);
    }
    let events = nodes.member(Place::ROOT, "Events");
    if !nodes.is_array(events) {
        return Err(Refusal::NoRecords);
    }
    let wrapped = |event| nodes.text_at(event, &["CloudTrailEvent"]).map(str::to_owned);
    Ok(Some(nodes.elements(events).map(wrapped).collect()))
}

fn not_json(text: &[u8]) -> Refusal {
    match std::str::from_utf8(text) {
        Ok(_) => Refusal::NotJson,
        Err(error) => Refusal::NotUtf8 { offset: error.valid_up_to() },
    }
}
