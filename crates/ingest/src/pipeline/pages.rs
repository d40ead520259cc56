//! Whether a file is one page of several, as `aws cloudtrail lookup-events --max-items` and the API leave them.
//!
//! Looks at a file's text as it is stored, and only before its first list and behind its last one: what stands within
//! records is none of the file's own. A compressed file is what somebody made of it, and is not looked at.

const TOKEN: &[u8] = b"\"NextToken\"";

/// Whether the text says that more pages follow.
pub(super) fn more_follow(text: &[u8]) -> bool {
    let first = text.iter().position(|byte| *byte == b'[').unwrap_or(text.len());
    let last = text.iter().rposition(|byte| *byte == b']').unwrap_or(first);
    let (head, tail) = (text.get(..first), text.get(last..));
    [head, tail].into_iter().flatten().any(has_token)
}

/// A token that is there: `null` is what the AWS CLI prints where there is none.
fn has_token(text: &[u8]) -> bool {
    let at = text.windows(TOKEN.len()).position(|part| part == TOKEN);
    let rest = at.and_then(|at| text.get(at + TOKEN.len()..)).unwrap_or_default();
    let mut value = rest.iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != b':');
    value.next() == Some(&b'"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_the_file_says_that_more_follow() {
        for (text, expect) in [
            (r#"{"Events": [{"EventId": "x"}], "NextToken": "abc"}"#, true),
            (r#"{"NextToken" : "abc", "Events": []}"#, true),
            (r#"{"Events": [], "NextToken": null}"#, false),
            (r#"{"Events": [{"a": {"NextToken": "abc"}}]}"#, false),
            (r#"{"Records":[{"requestParameters":{"NextToken":"abc"}}]}"#, false),
            ("", false),
            ("]\"NextToken\"", false),
        ] {
            assert_eq!(more_follow(text.as_bytes()), expect, "{text}");
        }
    }
}
