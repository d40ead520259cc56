//! Text that is JSON to most parsers but not to simd-json.
//!
//! Escaped lone surrogates (`\ud83d` with no partner) name no character. Services that cut a user agent
//! at a byte limit can leave one. Python and JavaScript read them; simd-json refuses the whole file. They
//! become U+FFFD, the replacement character, whose escape is as long; everything else stays byte for
//! byte.

use std::ops::Range;

const HIGH: Range<u32> = 0xd800..0xdc00;
const LOW: Range<u32> = 0xdc00..0xe000;

/// Replaces every lone surrogate escape; whether there was one.
pub(crate) fn lone_surrogates(text: &mut [u8]) -> bool {
    let mut repaired = false;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        at += found;
        let Some(unit) = escaped_unit(text, at) else {
            // Any other escape is two bytes, the second of which may be a backslash.
            at += 2;
            continue;
        };
        let low_follows = || escaped_unit(text, at + 6).is_some_and(|low| LOW.contains(&low));
        if HIGH.contains(&unit) && low_follows() {
            at += 12;
            continue;
        }
        if (HIGH.contains(&unit) || LOW.contains(&unit))
            && let Some(escape) = text.get_mut(at..at + 6)
        {
            escape.copy_from_slice(br"\ufffd");
            repaired = true;
        }
        at += 6;
    }
    repaired
}

/// The code unit of the `\uXXXX` at `at`.
fn escaped_unit(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<&str>) {
        let mut bytes = text.as_bytes().to_vec();
        assert_eq!(lone_surrogates(&mut bytes), expect.is_some(), "{text}");
        assert_eq!(bytes, expect.unwrap_or(text).as_bytes(), "{text}");
    }

    #[test]
    fn only_lone_surrogates_change() {
        check(r#"{"a":"plain \n \\ud800"}"#, None);
        check(r#"{"a":"\ud83d\ude00"}"#, None);
        check(r#"{"a":"x\ud83d"}"#, Some(r#"{"a":"x\ufffd"}"#));
        check(r#"{"a":"\ude00\ud83d\ude00"}"#, Some(r#"{"a":"\ufffd\ud83d\ude00"}"#));
        check(r#"{"a":"\\\ud83dx"}"#, Some(r#"{"a":"\\\ufffdx"}"#));
        check(r"\", None);
        check(r"\u12", None);
    }
}
