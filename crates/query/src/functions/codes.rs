//! `codes('A', a, 'B', b, …)`: the list of those codes whose condition holds, in the order in which they are given.
//!
//! A code may be computed, and is left out where it is null; a condition that is null does not hold.

use std::sync::Arc;

use arrow::array::{Array, AsArray, ListBuilder, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

/// The function; see the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Codes {
    signature: Signature,
}

impl Codes {
    pub(super) fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

fn item() -> Field {
    Field::new("item", DataType::Utf8, true)
}

impl ScalarUDFImpl for Codes {
    fn name(&self) -> &str {
        "codes"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let pairs = arguments.as_chunks::<2>();
        if !pairs.1.is_empty() {
            return plan_err!("codes() takes pairs of a code and its condition");
        }
        for [_, condition] in pairs.0 {
            if !matches!(condition, DataType::Boolean | DataType::Null) {
                return plan_err!("codes() takes conditions, and got {condition}");
            }
        }
        Ok(DataType::List(Arc::new(item())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays = args.args.into_iter().map(|argument| argument.into_array(rows));
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let mut pairs = Vec::with_capacity(arrays.len() / 2);
        for [code, condition] in arrays.as_chunks::<2>().0 {
            pairs.push((cast(code, &DataType::Utf8)?, cast(condition, &DataType::Boolean)?));
        }
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(item());
        for row in 0..rows {
            for (code, condition) in &pairs {
                let (code, condition) = (code.as_string::<i32>(), condition.as_boolean());
                if condition.is_valid(row) && condition.value(row) && code.is_valid(row) {
                    lists.values().append_value(code.value(row));
                }
            }
            lists.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(lists.finish())))
    }
}
