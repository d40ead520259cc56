//! `ip_in(ip, cidr)`: is an address in a network?
//!
//! Null for what is no address. A network that is no CIDR is an error that names it when it is a
//! constant (a typing mistake must not read as "no rows"), and null when it comes from a column.

use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use ipnet::IpNet;

/// The function; see the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct IpIn {
    signature: Signature,
}

impl IpIn {
    pub(super) fn new() -> Self {
        let arguments = vec![DataType::Utf8, DataType::Utf8];
        Self { signature: Signature::exact(arguments, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for IpIn {
    fn name(&self) -> &str {
        "ip_in"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    /// A wrong constant network fails while planning, whether there are rows or not.
    fn simplify(&self, arguments: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        if let Some(Expr::Literal(value, _)) = arguments.get(1)
            && let Some(Some(text)) = value.try_as_str()
            && network(text).is_none()
        {
            return plan_err!("ip_in: '{text}' is no network; write it like 10.0.0.0/8");
        }
        Ok(ExprSimplifyResult::Original(arguments))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = match &arguments.args[1] {
            ColumnarValue::Scalar(value) => Some(value.try_as_str().flatten().map(str::to_owned)),
            ColumnarValue::Array(_) => None,
        };
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let addresses = cast(&arrays[0], &DataType::Utf8)?;
        let addresses = addresses.as_string::<i32>();
        let inside: BooleanArray = match constant {
            Some(None) => BooleanArray::new_null(addresses.len()),
            Some(Some(text)) => {
                let Some(network) = network(&text) else {
                    return exec_err!("ip_in: '{text}' is no network; write it like 10.0.0.0/8");
                };
                addresses.iter().map(|address| contains(Some(network), address)).collect()
            }
            None => {
                let networks = cast(&arrays[1], &DataType::Utf8)?;
                each(addresses, networks.as_string::<i32>())
            }
        };
        super::same_shape(&arguments.args, Arc::new(inside))
    }
}

fn each(addresses: &StringArray, networks: &StringArray) -> BooleanArray {
    let pairs = addresses.iter().zip(networks.iter());
    pairs.map(|(address, text)| contains(text.and_then(network), address)).collect()
}

fn contains(network: Option<IpNet>, address: Option<&str>) -> Option<bool> {
    let address: IpAddr = address?.parse().ok()?;
    Some(network?.contains(&address))
}

/// A network in CIDR form; a single address is the network of itself.
fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
