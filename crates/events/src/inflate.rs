//! Gzip to text, with the cap enforced while inflating.
//!
//! One whole member goes through libdeflate, which is about four times as fast as a streaming
//! decoder but must know the size beforehand: the trailer tells it. Everything else (several members,
//! a trailer that lies, sizes over the cap) goes through flate2 a piece at a time. Bytes without the
//! gzip magic are taken as they are. Does not look at what the text says; the parser may overwrite it.

use std::io::{BufRead, ErrorKind, Read};

use flate2::bufread::GzDecoder;
use libdeflater::Decompressor;
use simd_json::INPUT_PADDING;

use crate::Refusal;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A gzip trailer is eight bytes (CRC-32 and size), a header ten at least.
const GZIP_HEADER_BYTES: usize = 10;
const GZIP_TRAILER_BYTES: usize = 8;

/// Deflate cannot compress better than this, so a trailer that claims more is not believed.
const MAX_DEFLATE_RATIO: usize = 1032;

/// The streaming decoder's first piece; the buffer doubles from there, but never past the cap.
const FIRST_BYTES: usize = 64 << 10;

/// Buffers above this are given back after a file, so that one large file does not stay in memory.
const KEEP_BYTES: usize = 64 << 20;

/// Inflates into one buffer that is used again for every file.
pub(crate) struct Inflater {
    decompressor: Decompressor,
    text: Vec<u8>,
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("capacity", &self.text.capacity()).finish_non_exhaustive()
    }
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self { decompressor: Decompressor::new(), text: Vec::new() }
    }

    /// The text in `bytes`: inflated where they are gzip, else a copy. There is room for
    /// [`INPUT_PADDING`] bytes after it.
    pub(crate) fn inflate(&mut self, bytes: &[u8], cap: usize) -> Result<&mut Vec<u8>, Refusal> {
        if self.text.capacity() > KEEP_BYTES && self.text.capacity() / 4 > bytes.len() {
            self.text = Vec::new();
        }
        if !is_gzip(bytes) {
            if bytes.len() > cap {
                return Err(Refusal::TooLarge { cap });
            }
            self.text.clear();
            self.text.reserve_exact(bytes.len() + INPUT_PADDING);
            self.text.extend_from_slice(bytes);
        } else if !self.inflate_whole(bytes, cap) {
            self.inflate_stream(bytes, cap)?;
            self.text.reserve_exact(INPUT_PADDING);
        }
        Ok(&mut self.text)
    }

    /// Inflates a single member of known size; `false` when the bytes are, or may be, anything else.
    fn inflate_whole(&mut self, bytes: &[u8], cap: usize) -> bool {
        let Some(trailer) = size_in_trailer(bytes) else { return false };
        let Ok(size) = usize::try_from(u32::from_le_bytes(trailer)) else { return false };
        if size == 0 || size > cap || size > bytes.len().saturating_mul(MAX_DEFLATE_RATIO) {
            return false;
        }
        if self.text.capacity() < size + INPUT_PADDING {
            // Nothing in the buffer is worth moving, and doubling would double a large file's memory.
            self.text.clear();
            self.text.reserve_exact(size + INPUT_PADDING);
        }
        // Resizing writes zeros only where the buffer grows past what it held before.
        self.text.resize(size, 0);
        // The streaming decoder tells what is wrong where this one fails.
        if self.decompressor.gzip_decompress(bytes, &mut self.text) != Ok(size) {
            return false;
        }
        // libdeflate stops after the first member without saying so. A member that ends before the
        // last byte ends in its size, which is the size at the end of the file.
        let before_the_last = bytes.split_last().map_or(bytes, |(_, before)| before);
        memchr::memmem::find(before_the_last, &trailer).is_none()
    }

    fn inflate_stream(&mut self, bytes: &[u8], cap: usize) -> Result<(), Refusal> {
        self.text.clear();
        let mut rest = bytes;
        loop {
            self.inflate_member(&mut rest, cap)?;
            skip_zero_padding(&mut rest);
            if rest.is_empty() {
                return Ok(());
            }
            if !is_gzip(rest) {
                return Err(Refusal::DamagedGzip);
            }
        }
    }

    /// Appends the text of one member and steps over its bytes.
    fn inflate_member(&mut self, rest: &mut &[u8], cap: usize) -> Result<(), Refusal> {
        let mut member = GzDecoder::new(rest);
        loop {
            // One byte past the cap tells "exactly full" from "more than allowed".
            let room = cap.saturating_add(1) - self.text.len();
            self.text.reserve_exact(self.text.len().max(FIRST_BYTES).min(room));
            let piece = room.min(self.text.capacity() - self.text.len());
            let limit = u64::try_from(piece).unwrap_or(u64::MAX);
            let read = match (&mut member).take(limit).read_to_end(&mut self.text) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Err(Refusal::TruncatedGzip);
                }
                Err(_) => return Err(Refusal::DamagedGzip),
            };
            if self.text.len() > cap {
                self.text = Vec::new();
                return Err(Refusal::TooLarge { cap });
            }
            if read < piece {
                return Ok(());
            }
        }
    }
}

fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP_MAGIC)
}

/// The size of the last member's text, as its trailer states it.
fn size_in_trailer(bytes: &[u8]) -> Option<[u8; 4]> {
    if bytes.len() < GZIP_HEADER_BYTES + GZIP_TRAILER_BYTES {
        return None;
    }
    bytes.last_chunk().copied()
}

/// Tape archives and some uploaders pad with zeros after the last member; gzip(1) skips them too.
fn skip_zero_padding(rest: &mut &[u8]) {
    let zeros = rest.iter().take_while(|byte| **byte == 0).count();
    rest.consume(zeros);
}
