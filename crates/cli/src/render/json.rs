//! JSON for programs: an array of objects, or one object per line.
//!
//! An object has every column, nulls included, so that each row has the same keys. Lists are
//! arrays, maps objects, times RFC 3339 in UTC, 64-bit integers plain numbers. Characters that
//! would act on a terminal are written as `\u` escapes: the same text to a program, harmless to
//! whoever prints it.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, StructArray};
use arrow::datatypes::{Field, FieldRef};
use arrow::json::writer::{EncoderOptions, make_encoder};

use super::{Sink, Summary};
use crate::term;

/// Rows are handed on in pieces of about this size.
const PIECE_BYTES: usize = 16 << 10;

pub(super) struct Json<W> {
    out: W,
    /// Before the first row, between two, after the last, and instead of all for no rows.
    punctuation: [&'static str; 4],
    started: bool,
}

impl<W: Write> Json<W> {
    /// One array; each row begins a line, for diff and grep.
    pub(super) fn array(out: W) -> Self {
        Self { out, punctuation: ["[\n", ",\n", "\n]\n", "[]\n"], started: false }
    }

    /// One object per line.
    pub(super) fn lines(out: W) -> Self {
        Self { out, punctuation: ["", "\n", "\n", ""], started: false }
    }
}

impl<W: Write> Sink for Json<W> {
    fn rows(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let [before, between, ..] = self.punctuation;
        let options = EncoderOptions::default().with_explicit_nulls(true);
        let field: FieldRef =
            Arc::new(Field::new_struct("", batch.schema().fields().clone(), false));
        let rows = StructArray::try_new_with_length(
            batch.schema().fields().clone(),
            batch.columns().to_vec(),
            None,
            batch.num_rows(),
        )?;
        let mut encoder = make_encoder(&field, &rows, &options)?;

        let (mut row_bytes, mut piece) = (Vec::new(), String::new());
        for row in 0..rows.len() {
            piece.push_str(if self.started { between } else { before });
            self.started = true;
            row_bytes.clear();
            encoder.encode(row, &mut row_bytes);
            escape_acting(std::str::from_utf8(&row_bytes)?, &mut piece);
            if piece.len() >= PIECE_BYTES {
                self.out.write_all(piece.as_bytes())?;
                piece.clear();
            }
        }
        Ok(self.out.write_all(piece.as_bytes())?)
    }

    fn finish(&mut self, _: &Summary, _: &[String]) -> anyhow::Result<()> {
        let [.., after, nothing] = self.punctuation;
        self.out.write_all(if self.started { after } else { nothing }.as_bytes())?;
        Ok(self.out.flush()?)
    }
}

/// Appends JSON text with the characters that act on a terminal as `\u` escapes. Outside strings
/// JSON has none of them but line breaks, and the encoder writes no line breaks.
pub(super) fn escape_acting(json: &str, out: &mut String) {
    if !json.contains(term::acts) {
        out.push_str(json);
        return;
    }
    for c in json.chars() {
        if term::acts(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
}
