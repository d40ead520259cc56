//! `listed(list, n)`: as much of a list as fits into a cell, with a word on the rest.
//!
//! A key that is used from a thousand places must not make a cell of a thousand lines: the first `n` are told, and
//! how many there are more. Takes the list as it comes; who wants an order sorts it first.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, ListBuilder, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

/// The function; see the module. Takes lists whatever their elements are called, so that no cast is asked for.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Listed {
    signature: Signature,
}

impl Listed {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

/// A list of texts, as `array_agg` makes it.
pub(super) fn texts() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

impl ScalarUDFImpl for Listed {
    fn name(&self) -> &str {
        "listed"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(texts())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let lists = cast(&arrays[0], &texts())?;
        let most = cast(&arrays[1], &DataType::Int64)?;
        let most = most.as_primitive::<Int64Type>().iter();
        let shortened: ArrayRef = Arc::new(shorten(lists.as_list::<i32>(), most));
        super::same_shape(&arguments.args, shortened)
    }
}

fn shorten(lists: &ListArray, most: impl Iterator<Item = Option<i64>>) -> ListArray {
    let mut shortened = ListBuilder::new(StringBuilder::new());
    for (list, most) in lists.iter().zip(most) {
        let (Some(list), Some(most)) = (list, most) else {
            shortened.append_null();
            continue;
        };
        let most = usize::try_from(most).unwrap_or(0);
        shortened.values().extend(list.as_string::<i32>().iter().take(most));
        let more = list.len().saturating_sub(most);
        if more > 0 {
            shortened.values().append_value(format!("and {more} more"));
        }
        shortened.append(true);
    }
    shortened.finish()
}
