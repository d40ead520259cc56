//! Gzip to text, with the cap enforced while inflating.
//!
//! One whole member goes through libdeflate, which is about four times as fast as a streaming
//! decoder but must know the size beforehand: the trailer tells it. Everything else (several members,
//! a trailer that lies, sizes over the cap) goes through flate2 a piece at a time. Bytes without the
//! gzip magic are taken as they are. Does not look at what the text says.

use std::io::{BufRead, Read};

use flate2::bufread::GzDecoder;
use libdeflater::{DecompressionError, Decompressor};

use crate::Refusal;

const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// A gzip trailer is eight bytes (CRC-32 and size), a header ten at least.
const GZIP_HEADER_BYTES: usize = 10;
const GZIP_TRAILER_BYTES: usize = 8;

/// Deflate cannot compress better than this, so a trailer that claims more is not believed.
const MAX_DEFLATE_RATIO: usize = 1032;

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

    /// Length of the text that the last call gave.
    pub(crate) fn text_len(&self) -> u64 {
        u64::try_from(self.text.len()).unwrap_or(u64::MAX)
    }

    /// The text in `bytes`: inflated where they are gzip, else a copy.
    pub(crate) fn inflate(&mut self, bytes: &[u8], cap: usize) -> Result<&[u8], Refusal> {
        if self.text.capacity() > KEEP_BYTES && self.text.capacity() / 4 > bytes.len() {
            self.text = Vec::new();
        }
        if !is_gzip(bytes) {
            if bytes.len() > cap {
                return Err(Refusal::TooLarge { cap });
            }
            self.text.clear();
            self.text.extend_from_slice(bytes);
        } else if !self.inflate_whole(bytes, cap)? {
            self.inflate_stream(bytes, cap)?;
        }
        Ok(&self.text)
    }

    /// Inflates a single member of known size; `false` when the bytes are anything else.
    fn inflate_whole(&mut self, bytes: &[u8], cap: usize) -> Result<bool, Refusal> {
        let Some((crc, size)) = trailer(bytes) else { return Ok(false) };
        if size > cap || size > bytes.len().saturating_mul(MAX_DEFLATE_RATIO) {
            return Ok(false);
        }
        // Resizing writes zeros only where the buffer grows past what it held before.
        self.text.resize(size, 0);
        match self.decompressor.gzip_decompress(bytes, &mut self.text) {
            Ok(written) if written == size => {}
            Ok(_) | Err(DecompressionError::InsufficientSpace) => return Ok(false),
            // The streaming decoder tells a truncated file from a damaged one.
            Err(DecompressionError::BadData) => return Ok(false),
        }
        // libdeflate stops after the first member without saying so. A second one needs the magic.
        let rest = bytes.get(GZIP_HEADER_BYTES..).unwrap_or_default();
        let single = memchr::memmem::find(rest, &GZIP_MAGIC).is_none();
        Ok(single || libdeflater::crc32(&self.text) == crc)
    }

    fn inflate_stream(&mut self, bytes: &[u8], cap: usize) -> Result<(), Refusal> {
        self.text.clear();
        let mut rest = bytes;
        loop {
            let mut member = GzDecoder::new(&mut rest);
            // One byte past the cap tells "exactly full" from "more than allowed".
            let room = (cap - self.text.len()) as u64 + 1;
            if let Err(error) = (&mut member).take(room).read_to_end(&mut self.text) {
                return Err(match error.kind() {
                    std::io::ErrorKind::UnexpectedEof => Refusal::TruncatedGzip,
                    _ => Refusal::DamagedGzip,
                });
            }
            if self.text.len() > cap {
                self.text = Vec::new();
                return Err(Refusal::TooLarge { cap });
            }
            skip_zero_padding(&mut rest);
            if rest.is_empty() {
                return Ok(());
            }
            if !is_gzip(rest) {
                return Err(Refusal::DamagedGzip);
            }
        }
    }
}

fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP_MAGIC[..2])
}

/// CRC-32 and size of the last member, as its trailer states them.
fn trailer(bytes: &[u8]) -> Option<(u32, usize)> {
    if bytes.len() < GZIP_HEADER_BYTES + GZIP_TRAILER_BYTES {
        return None;
    }
    let (_, tail) = bytes.split_last_chunk::<8>()?;
    let [c0, c1, c2, c3, s0, s1, s2, s3] = *tail;
    let size = usize::try_from(u32::from_le_bytes([s0, s1, s2, s3])).ok()?;
    Some((u32::from_le_bytes([c0, c1, c2, c3]), size))
}

/// Tape archives and some uploaders pad with zeros after the last member; gzip(1) skips them too.
fn skip_zero_padding(rest: &mut &[u8]) {
    let zeros = rest.iter().take_while(|byte| **byte == 0).count();
    rest.consume(zeros);
}
