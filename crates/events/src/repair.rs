//! Text that is JSON to most parsers but not to simd-json.
//!
//! Escaped lone surrogates (`\ud83d` with no partner) name no character. Services that cut a user agent
//! at a byte limit can leave one. Python and JavaScript read them; simd-json refuses the whole file. They
//! become U+FFFD, the replacement character, and everything else stays byte for byte.

/// The text with every lone surrogate escape replaced; `None` where there is none.
pub(crate) fn lone_surrogates(text: &[u8]) -> Option<Vec<u8>> {
    let mut repaired: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', text.get(at..)?) {
        at += found;
        let Some(unit) = escaped_unit(text, at) else {
            // Any other escape is two bytes, the second of which may be a backslash.
            at += 2;
            continue;
        };
        let follows_low =
            escaped_unit(text, at + 6).is_some_and(|low| (0xdc00..0xe000).contains(&low));
        match unit {
            0xd800..0xdc00 if follows_low => at += 12,
            0xd800..0xe000 => {
                let copy = repaired.get_or_insert_with(|| text.to_vec());
                if let Some(escape) = copy.get_mut(at..at + 6) {
                    escape.copy_from_slice(b"\\ufffd");
                }
                at += 6;
            }
            _ => at += 6,
        }
        if at > text.len() {
            break;
        }
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
        let repaired = lone_surrogates(text.as_bytes());
        assert_eq!(repaired.as_deref(), expect.map(str::as_bytes), "{text}");
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
