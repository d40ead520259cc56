//! `glob_is(text, pattern)`: patterns of people's files, in which `*` stands for any text and `?` for one
//! character. A pattern that is null asks for nothing, so that any text will do.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};

/// Whether `text` has the form of `pattern`, in which `*` stands for any text and `?` for one character.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on when the rest does not fit: the last `*`, and how much of the text it took.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The function; see the module.
pub(super) fn function() -> ScalarUDF {
    let apply = |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let (texts, patterns) =
            (cast(&arrays[0], &DataType::Utf8)?, cast(&arrays[1], &DataType::Utf8)?);
        let (texts, patterns) = (texts.as_string::<i32>(), patterns.as_string::<i32>());
        let is: BooleanArray = (0..texts.len())
            .map(|row| {
                let is = match (texts.is_null(row), patterns.is_null(row)) {
                    (_, true) => true,
                    (true, false) => false,
                    (false, false) => glob(patterns.value(row), texts.value(row)),
                };
                Some(is)
            })
            .collect();
        super::same_shape(arguments, Arc::new(is))
    };
    let arguments = vec![DataType::Utf8; 2];
    create_udf("glob_is", arguments, DataType::Boolean, Volatility::Immutable, Arc::new(apply))
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn globs() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("a*b*c", "a-b-b-c", true),
            ("?", "", false),
            ("role/é?", "role/éü", true),
            ("", "", true),
            ("a", "A", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
