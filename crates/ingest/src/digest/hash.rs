//! Inflating and hashing, as strictly as CloudTrail's own rules: one gzip member, nothing after it.

use std::io::Read as _;

use flate2::bufread::GzDecoder;
use sha2::{Digest as _, Sha256};

const PIECE: usize = 64 << 10;

/// The hashes of an object, in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hashes {
    /// Of the bytes as stored.
    pub(crate) stored: String,
    /// Of the text, or why there is none.
    pub(crate) text: Result<String, String>,
}

/// Hashes an object and the text in it, of at most `cap` bytes, which is not kept.
pub(crate) fn hashes(bytes: &[u8], cap: usize) -> Hashes {
    let mut hash = Sha256::new();
    let text = inflate(bytes, cap, &mut |piece| hash.update(piece));
    Hashes { stored: hex(&Sha256::digest(bytes)), text: text.map(|()| hex(&hash.finalize())) }
}

/// The text of an object of at most `cap` bytes, and its hash.
pub(crate) fn text(bytes: &[u8], cap: usize) -> Result<(Vec<u8>, String), String> {
    let mut text = Vec::new();
    inflate(bytes, cap, &mut |piece| text.extend_from_slice(piece))?;
    let hash = hex(&Sha256::digest(&text));
    Ok((text, hash))
}

fn inflate(bytes: &[u8], cap: usize, take: &mut dyn FnMut(&[u8])) -> Result<(), String> {
    let mut decoder = GzDecoder::new(bytes);
    let mut piece = vec![0; PIECE];
    let mut total = 0;
    loop {
        let read = decoder.read(&mut piece).map_err(|_| "is no valid gzip".to_owned())?;
        if read == 0 {
            break;
        }
        total += read;
        if total > cap {
            return Err(format!("inflates to more than {cap} bytes"));
        }
        take(&piece[..read]);
    }
    if decoder.into_inner().is_empty() {
        Ok(())
    } else {
        Err("has bytes after the end of its gzip stream".to_owned())
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ignored = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes that hex digits of either case stand for.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    digits
        .len()
        .is_multiple_of(2)
        .then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// The bytes that base64 stands for; white space between is passed over.
pub(crate) fn unbase64(text: &str) -> Option<Vec<u8>> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let text = text.trim_end_matches(['=', '\n', '\r', ' ']);
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        bits = bits << 6 | u32::from(value(byte)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    // What is left over are the zeros that filled up the last digit.
    (held < 6 && bits == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn exactly_one_member_is_hashed() {
        let one = gzip(b"abc");
        // SHA-256 of "abc", as FIPS 180-2 has it.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hashes(&one, 3).text.as_deref(), Ok(known));
        assert_eq!(text(&one, 3), Ok((b"abc".to_vec(), known.to_owned())));
        let appended = [one.as_slice(), b"\0"].concat();
        assert!(hashes(&appended, 3).text.unwrap_err().contains("after the end"));
        let two = [one.as_slice(), &gzip(b"")].concat();
        assert!(hashes(&two, 3).text.unwrap_err().contains("after the end"));
        assert!(hashes(&one, 2).text.unwrap_err().contains("more than 2 bytes"));
        assert!(hashes(&one[..one.len() - 1], 3).text.is_err());
        assert!(hashes(b"abc", 3).text.is_err());
        assert!(hashes(b"", 3).text.is_err());
    }

    #[test]
    fn texts_of_bytes() {
        assert_eq!(unhex("00fFa1"), Some(vec![0, 255, 0xa1]));
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("0g"), None);
        assert_eq!(hex(&[0, 255, 0xa1]), "00ffa1");
        for (text, bytes) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9v\nYg", "foob")]
        {
            assert_eq!(unbase64(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(unbase64("Zm9v!"), None);
        assert_eq!(unbase64("Zm9vY"), None);
    }
}
