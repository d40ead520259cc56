//! From the bytes of one log file to its rows.
//!
//! A CloudTrail file is one line, `{"Records":[{…},{…}]}`. It is cut between records into pieces of
//! about [`PIECE_BYTES`], and each piece is parsed by itself, where it stands: the tape of a 50 MB file
//! would take more memory than the file, and the tape of a piece stays in the cache. The cut is found
//! by searching for the text that starts a record; inside a JSON string that text cannot stand, because
//! its quotes would be escaped. Where it stands somewhere else all the same, the pieces are not valid
//! JSON, and the file is parsed as a whole, like every file that does not look like CloudTrail's own.
//!
//! Parsing overwrites the text, so whoever tries another way inflates again. Only files that are broken
//! or odd pay for it.

use std::ops::Range;

use bumpalo::Bump;
use memchr::memmem;
use simd_json::{Buffers, INPUT_PADDING, Tape};

use crate::forms::{Form, OtherForm};
use crate::inflate::Inflater;
use crate::record::Record;
use crate::rows::{Account, LogFile, Rejection, RejectionReason};
use crate::tape::{Nodes, Place};
use crate::{Limits, Refusal, activity, aggregated, credential, forms, iam, repair};

/// Small enough for the second-level cache together with its tape.
const PIECE_BYTES: usize = 256 << 10;

/// A parser whose buffers have grown for a text above this is given back after the file.
const KEEP_PARSED_BYTES: usize = 16 * PIECE_BYTES;

/// Rows above this are given back after the file.
const KEEP_ROW_BYTES: usize = 32 << 20;

/// More text than any record holds: CloudTrail cuts fields so that a record stays below 256 KB. What is
/// larger was made to do harm, and would be kept by every table.
const MAX_RECORD_BYTES: usize = 1 << 20;

const PREFIX: &[u8] = b"{\"Records\":[";
const SUFFIX: &[u8] = b"]}";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads log files one after the other; every buffer is used again.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    inflater: Inflater,
    inflated_bytes: u64,
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
            inflated_bytes: 0,
            parser: Parser::new(limits),
            index: activity::Index::default(),
            arena: Bump::new(),
        }
    }

    /// Reads one log file: gzip of one member or several, or plain JSON, with or without a byte-order
    /// mark, in UTF-8 or UTF-16; `{"Records": […]}` as CloudTrail delivers it, or `{"Events": […]}` as
    /// `aws cloudtrail lookup-events` prints it, or the list of events alone; also several of these, one
    /// after the other.
    ///
    /// # Errors
    ///
    /// When the file as a whole cannot be read. A bad record is not an error: it is counted in
    /// [`Account::rejected`].
    pub fn read(&mut self, bytes: &[u8]) -> Result<LogFile<'_>, Refusal> {
        if self.arena.allocated_bytes() > KEEP_ROW_BYTES {
            self.arena = Bump::new();
        }
        self.arena.reset();
        let mut collector = Collector::new(&self.arena, &mut self.index);
        let cap = self.limits.max_inflated_bytes;
        let mut source = Source { bytes, cap, inflater: &mut self.inflater, text_len: 0 };
        let result = read_source(&mut source, &mut self.parser, &mut collector);
        self.inflated_bytes = u64::try_from(source.text_len).unwrap_or(u64::MAX);
        self.parser.give_back();
        result.map(|()| collector.file)
    }

    /// Bytes of text in the file that was read last; zero where it could not be inflated.
    pub fn inflated_bytes(&self) -> u64 {
        self.inflated_bytes
    }
}

/// The text of one file, as often as it is needed.
struct Source<'s> {
    bytes: &'s [u8],
    cap: usize,
    inflater: &'s mut Inflater,
    text_len: usize,
}

impl Source<'_> {
    fn text(&mut self) -> Result<Text<'_>, Refusal> {
        let buffer = self.inflater.inflate(self.bytes, self.cap)?;
        forms::decode_utf16(buffer, self.cap)?;
        self.text_len = buffer.len();
        let after_mark = buffer.strip_prefix(BYTE_ORDER_MARK).unwrap_or(buffer);
        let from_start = after_mark.trim_ascii_start();
        let start = buffer.len() - from_start.len();
        let end = start + from_start.trim_ascii_end().len();
        buffer.truncate(end);
        buffer.resize(end + INPUT_PADDING, 0);
        Ok(Text { buffer, range: start..end })
    }

    /// The text without lone surrogates, and whether there was one.
    fn repaired(&mut self) -> Result<(Text<'_>, bool), Refusal> {
        let mut text = self.text()?;
        let repaired = repair::lone_surrogates(text.bytes_mut());
        Ok((text, repaired))
    }
}

/// One JSON document, without the white space around it and the byte-order mark before it, followed by
/// the padding that the parser may read.
struct Text<'s> {
    buffer: &'s mut [u8],
    range: Range<usize>,
}

impl Text<'_> {
    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.range.clone()).unwrap_or_default()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.range.clone()).unwrap_or_default()
    }

    /// Where the elements of `Records` stand in a file of CloudTrail's own form.
    fn body(&self) -> Option<Range<usize>> {
        self.bytes().strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        Some(self.range.start + PREFIX.len()..self.range.end - SUFFIX.len())
    }
}

/// Tries the ways of reading a text, the fastest first.
fn read_source(
    source: &mut Source<'_>,
    parser: &mut Parser,
    collector: &mut Collector<'_, '_>,
) -> Result<(), Refusal> {
    let text = source.text()?;
    if text.range.is_empty() {
        return Err(Refusal::Empty);
    }
    if forms::is_csv(text.bytes()) {
        return Err(Refusal::OtherForm(OtherForm::Csv));
    }
    let body = text.body();
    let first = match body.clone() {
        Some(body) => parser.read_pieces(text.buffer, body, collector),
        None => parser.read_whole(text, collector),
    };
    if first != Err(Refusal::NotJson) {
        return first;
    }
    let (text, repaired) = source.repaired()?;
    if let Some(body) = body.clone()
        && repaired
        && parser.read_pieces(text.buffer, body, collector).is_ok()
    {
        return Ok(());
    }
    if body.is_some() || repaired {
        match parser.read_whole(source.repaired()?.0, collector) {
            Err(Refusal::NotJson) => {}
            result => return result,
        }
    }
    match parser.read_several(source.repaired()?.0, collector) {
        Err(Refusal::NotJson) => Err(forms::name_of_other(source.text()?.bytes())),
        result => result,
    }
}

/// `},{"eventVersion":`, or whatever the first member of the first record is called.
fn record_separator(body: &[u8]) -> Option<memmem::Finder<'static>> {
    let name = body.strip_prefix(b"{\"")?;
    let end = memchr::memchr(b'"', name.get(..64.min(name.len()))?)?;
    let name = name.get(..end)?;
    if !name.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    Some(memmem::Finder::new(&[b"},{\"", name, b"\":"].concat()).into_owned())
}

/// Where the piece that begins at `start` ends: at a comma between two records, or at `end`.
fn piece_end(
    text: &[u8],
    start: usize,
    end: usize,
    separator: Option<&memmem::Finder<'_>>,
) -> usize {
    let cut = || {
        let from = start + PIECE_BYTES;
        Some(from + separator?.find(text.get(from..end)?)? + 1)
    };
    cut().unwrap_or(end)
}

/// What the rows of one file are gathered into.
struct Collector<'b, 'i> {
    file: LogFile<'b>,
    halves: activity::Halves<'b>,
    arena: &'b Bump,
    index: &'i mut activity::Index,
    /// Whether the text that is being read could hold a record that is too large.
    measure: bool,
}

impl<'b, 'i> Collector<'b, 'i> {
    fn new(arena: &'b Bump, index: &'i mut activity::Index) -> Self {
        let (file, halves) = (LogFile::default(), activity::Halves::default());
        Self { file, halves, arena, index, measure: false }
    }

    fn restart(&mut self) {
        self.file = LogFile::default();
        self.halves = activity::Halves::default();
        self.index.clear();
    }

    fn add(&mut self, nodes: Nodes<'_, '_>, place: Place) {
        let account = &mut self.file.account;
        // Positions past u32 do not occur under any cap on a file's size.
        let index = u32::try_from(account.seen).unwrap_or(u32::MAX);
        account.seen += 1;
        let too_large = self.measure && nodes.text_len(place) > MAX_RECORD_BYTES;
        let read = match too_large {
            true => Err(RejectionReason::TooLarge),
            false => Record::read(nodes, place, index),
        };
        let record = match read {
            Ok(record) => record,
            Err(reason) => {
                if let Some(summary) = aggregated::read(nodes, place, index).filter(|_| !too_large)
                {
                    self.add_summary(&summary);
                    return;
                }
                account.rejected += 1;
                if account.rejections.len() < Account::MAX_REJECTIONS {
                    account.rejections.push(Rejection { record_index: index, reason });
                }
                return;
            }
        };
        account.cover(record.event_time);
        let seen = activity::Seen::once(&record);
        self.index.add(&mut self.file.activity, &mut self.halves, self.arena, &record, seen);
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

impl Collector<'_, '_> {
    /// Takes what an aggregated event says, by identity.
    fn add_summary(&mut self, summary: &aggregated::Summary<'_>) {
        let account = &mut self.file.account;
        account.other += 1;
        account.aggregated += 1;
        account.cover(summary.record.event_time);
        for (identity, count) in &summary.callers {
            let record = Record { identity: identity.clone(), ..summary.record.clone() };
            let seen = activity::Seen { count: *count, until: summary.until };
            self.index.add(&mut self.file.activity, &mut self.halves, self.arena, &record, seen);
        }
    }
}

/// simd-json with every buffer kept.
struct Parser {
    limits: Limits,
    buffers: Buffers,
    tape: Option<Tape<'static>>,
    scratch: Vec<u8>,
    largest: usize,
}

impl std::fmt::Debug for Parser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parser").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Parser {
    fn new(limits: Limits) -> Self {
        let buffers = Buffers::with_max_depth(PIECE_BYTES, limits.max_depth);
        Self { limits, buffers, tape: None, scratch: Vec::new(), largest: 0 }
    }

    /// Buffers that grew for one odd file must not stay for good.
    fn give_back(&mut self) {
        if self.largest > KEEP_PARSED_BYTES {
            *self = Self::new(self.limits);
        }
    }

    /// Reads the elements at `body`, which stand between two brackets.
    fn read_pieces(
        &mut self,
        text: &mut [u8],
        body: Range<usize>,
        collector: &mut Collector<'_, '_>,
    ) -> Result<(), Refusal> {
        collector.restart();
        let separator = record_separator(text.get(body.clone()).unwrap_or_default());
        let mut start = body.start;
        loop {
            let end = piece_end(text, start, body.end, separator.as_ref());
            let piece = text.get_mut(start - 1..).unwrap_or_default();
            let len = end + 2 - start;
            // What stands around a piece is a bracket or a comma: brackets make it a document.
            if let Some([open, .., close]) = piece.get_mut(..len) {
                (*open, *close) = (b'[', b']');
            }
            collector.measure = len > MAX_RECORD_BYTES;
            self.parse(piece, len, |nodes| {
                nodes.elements(Place::ROOT).for_each(|record| collector.add(nodes, record));
                Ok(())
            })?;
            if end == body.end {
                return Ok(());
            }
            start = end + 1;
        }
    }

    fn read_whole(
        &mut self,
        text: Text<'_>,
        collector: &mut Collector<'_, '_>,
    ) -> Result<(), Refusal> {
        collector.restart();
        collector.measure = text.range.len() > MAX_RECORD_BYTES;
        self.read_document(text.buffer, text.range, collector)
    }

    /// Reads documents that stand one after the other, as `>>` leaves them.
    fn read_several(
        &mut self,
        text: Text<'_>,
        collector: &mut Collector<'_, '_>,
    ) -> Result<(), Refusal> {
        collector.restart();
        collector.measure = text.range.len() > MAX_RECORD_BYTES;
        let Text { buffer, range } = text;
        let mut at = range.start;
        while at < range.end {
            let written = buffer.get(..range.end).unwrap_or_default();
            let document = forms::next_document(written, at).ok_or(Refusal::NotJson)?;
            at = document.end;
            self.read_document(buffer, document, collector)?;
        }
        Ok(())
    }

    fn read_document(
        &mut self,
        text: &mut [u8],
        range: Range<usize>,
        collector: &mut Collector<'_, '_>,
    ) -> Result<(), Refusal> {
        let len = range.len();
        let document = text.get_mut(range.start..).unwrap_or_default();
        match self.parse(document, len, |nodes| gather(nodes, collector))? {
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
        let mut add = |nodes: Nodes<'_, '_>| {
            collector.add(nodes, Place::ROOT);
            Ok(())
        };
        for event in events {
            let text = event.as_deref().unwrap_or("null").as_bytes();
            if self.parse_copy(text, &mut add).is_ok() {
                continue;
            }
            let mut repaired = text.to_vec();
            if repair::lone_surrogates(&mut repaired)
                && self.parse_copy(&repaired, &mut add).is_ok()
            {
                continue;
            }
            // Text that is no JSON is a record that is no object.
            self.parse_copy(b"null", &mut add)?;
        }
        Ok(())
    }

    /// Parses a copy of `text`.
    fn parse_copy<T>(
        &mut self,
        text: &[u8],
        read: impl FnOnce(Nodes<'_, '_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut copy = std::mem::take(&mut self.scratch);
        copy.clear();
        copy.extend_from_slice(text);
        copy.resize(text.len() + INPUT_PADDING, 0);
        let result = self.parse(&mut copy, text.len(), read);
        self.scratch = copy;
        result
    }

    /// Parses the document in `text[..len]`, overwriting it, and hands over its tape.
    fn parse<T>(
        &mut self,
        text: &mut [u8],
        len: usize,
        read: impl FnOnce(Nodes<'_, '_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.largest = self.largest.max(len);
        let mut tape = self.tape.take().unwrap_or_else(Tape::null).reset();
        let parsed = simd_json::fill_tape_padded(text, len, &mut self.buffers, &mut tape);
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
fn gather(
    nodes: Nodes<'_, '_>,
    collector: &mut Collector<'_, '_>,
) -> Result<Option<Vec<Option<String>>>, Refusal> {
    let account = &mut collector.file.account;
    match forms::form(nodes)? {
        Form::Records(records) => {
            account.more_pages = false;
            nodes.elements(records).for_each(|record| collector.add(nodes, record));
            Ok(None)
        }
        Form::LookedUp { events, more_pages } => {
            account.more_pages = more_pages;
            let record = |event| nodes.text_at(event, &[forms::LOOKED_UP]).map(str::to_owned);
            Ok(Some(nodes.elements(events).map(record).collect()))
        }
    }
}
