//! Where statements begin and end in what has been typed so far.
//!
//! The tokenizer is the engine's own, so a `;` in a string or a comment is what the engine takes
//! it for. Whether a statement means anything is not decided here.

use std::ops::Range;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};

/// The tokens of a text with their places.
#[derive(Debug)]
pub(super) struct Scan {
    /// Each token, up to where the next one begins.
    pub(super) tokens: Vec<(Range<usize>, Token)>,
    /// Whether a string, a quoted name or a comment is still open at the end.
    pub(super) is_open: bool,
}

/// Splits `text` into tokens, as far as it has any.
pub(super) fn scan(text: &str) -> Scan {
    let mut found = Vec::new();
    let result =
        Tokenizer::new(&GenericDialect {}, text).tokenize_with_location_into_buf(&mut found);
    let is_open = match &result {
        Ok(()) => false,
        // Other errors (a stray character) do not go away by typing on: the engine reports them.
        Err(error) => {
            let message = error.message.to_ascii_lowercase();
            message.contains("unterminated")
                || message.contains("expected close delimiter")
                || message.contains("unexpected eof")
        }
    };
    let mut places = Places::new(text);
    let starts: Vec<_> = found.iter().map(|token| places.byte(token.span.start)).collect();
    // After an error the last good token ends where its span says.
    let end = match (&result, found.last()) {
        (Err(_), Some(last)) => places.byte(last.span.end),
        _ => text.len(),
    };
    let ends = starts.iter().skip(1).copied().chain([end]);
    let tokens = found.into_iter().zip(starts.iter().zip(ends));
    Scan {
        tokens: tokens.map(|(found, (start, end))| (*start..end, found.token)).collect(),
        is_open,
    }
}

/// What has been typed, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split<'a> {
    /// The statements that are complete, without their `;`.
    pub(super) complete: Vec<&'a str>,
    /// What comes after the last `;`.
    pub(super) rest: &'a str,
    /// Whether `rest` has nothing but blanks and finished comments.
    pub(super) rest_is_blank: bool,
}

/// Takes `text` apart at each `;` that ends a statement.
pub(super) fn split(text: &str) -> Split<'_> {
    let scan = scan(text);
    let mut complete = Vec::new();
    let (mut start, mut has_content) = (0, false);
    for (range, token) in &scan.tokens {
        match token {
            Token::SemiColon => {
                if has_content && let Some(statement) = text.get(start..range.start) {
                    complete.push(statement.trim());
                }
                (start, has_content) = (range.start + 1, false);
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => has_content = true,
        }
    }
    let rest = text.get(start..).unwrap_or_default();
    let seen = scan.tokens.last().map_or(0, |(range, _)| range.end);
    let is_unread = text.get(seen..).is_some_and(|tail| !tail.trim().is_empty());
    Split { complete, rest, rest_is_blank: !has_content && !is_unread }
}

/// Turns the tokenizer's lines and columns into byte offsets; asked in ascending order.
struct Places<'a> {
    text: &'a str,
    chars: std::iter::Peekable<std::str::CharIndices<'a>>,
    line: u64,
    column: u64,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, chars: text.char_indices().peekable(), line: 1, column: 1 }
    }

    fn byte(&mut self, at: Location) -> usize {
        while (self.line, self.column) < (at.line, at.column) {
            match self.chars.next() {
                Some((_, '\n')) => (self.line, self.column) = (self.line + 1, 1),
                Some(_) => self.column += 1,
                None => break,
            }
        }
        self.chars.peek().map_or(self.text.len(), |(offset, _)| *offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, complete: &[&str], rest: &str) {
        let split = split(text);
        assert_eq!(split.complete, complete, "{text}");
        assert_eq!(split.rest.trim(), rest, "{text}");
    }

    #[test]
    fn statements_end_at_their_semicolon() {
        check("SELECT 1", &[], "SELECT 1");
        check("SELECT 1;", &["SELECT 1"], "");
        check("SELECT 1;\nSELECT 2 ; SELECT", &["SELECT 1", "SELECT 2"], "SELECT");
        check(";;  ; SELECT 1;;", &["SELECT 1"], "");
        check("", &[], "");
    }

    #[test]
    fn a_semicolon_in_a_string_a_name_or_a_comment_ends_nothing() {
        check(
            "SELECT ';', \"a;b\" -- ;\n, 1 /* ; /* ; */ */;",
            &["SELECT ';', \"a;b\" -- ;\n, 1 /* ; /* ; */ */"],
            "",
        );
        check("SELECT 'it''s; fine';", &["SELECT 'it''s; fine'"], "");
        check("SELECT 'open;\n", &[], "SELECT 'open;");
        check("SELECT 1; SELECT 'open;", &["SELECT 1"], "SELECT 'open;");
        check("SELECT 'ü;日本';SELECT '🦀;'; x", &["SELECT 'ü;日本'", "SELECT '🦀;'"], "x");
    }

    #[test]
    fn blank_and_open_are_told_apart() {
        for (text, blank, open) in [
            ("", true, false),
            ("SELECT 1; -- done\n", true, false),
            ("/* open", false, true),
            ("SELECT 'a", false, true),
            ("SELECT \"a", false, true),
            ("SELECT 1", false, false),
        ] {
            assert_eq!(split(text).rest_is_blank, blank, "{text}");
            assert_eq!(scan(text).is_open, open, "{text}");
        }
    }

    proptest::proptest! {
        /// Nothing typed is lost, and nothing typed makes it fail.
        #[test]
        fn tokens_follow_each_other_within_the_text(text in "(?s)[a-z;'\"\\-/*\n ü🦀$.\\\\]{0,30}|.{0,20}") {
            let scan = scan(&text);
            let mut end = 0;
            for (range, _) in &scan.tokens {
                proptest::prop_assert!(range.start == end && range.end >= range.start);
                proptest::prop_assert!(text.get(range.clone()).is_some());
                end = range.end;
            }
            let split = split(&text);
            proptest::prop_assert!(text.ends_with(split.rest));
        }
    }
}
