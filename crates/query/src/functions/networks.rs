//! `network_label(ip)` and `network_kind(ip)`: what an address's network is called, from a list that the user
//! supplies. The longest prefix wins. Null for what is no address, and for an address in none of them. Reads
//! no file: the list is handed in.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use ipnet::IpNet;

/// Networks with names. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Networks {
    /// By length of the prefix, so that a look-up is one probe for each length, however many there are:
    /// AWS alone publishes thousands.
    by_length: Arc<BTreeMap<u8, HashMap<IpNet, Named>>>,
}

#[derive(Debug, Clone)]
struct Named {
    label: String,
    kind: Option<String>,
}

impl Networks {
    /// A list of network, label, and kind. Of two with the same network the later counts.
    pub fn new(list: impl IntoIterator<Item = (IpNet, String, Option<String>)>) -> Self {
        let mut by_length: BTreeMap<u8, HashMap<IpNet, Named>> = BTreeMap::new();
        for (network, label, kind) in list {
            let network = network.trunc();
            let same_length = by_length.entry(network.prefix_len()).or_default();
            same_length.insert(network, Named { label, kind });
        }
        Self { by_length: Arc::new(by_length) }
    }

    /// The label of the smallest network that holds `address`.
    pub fn label(&self, address: &str) -> Option<&str> {
        self.named(address).map(|named| named.label.as_str())
    }

    /// The kind of the smallest network that holds `address`.
    pub fn kind(&self, address: &str) -> Option<&str> {
        self.named(address)?.kind.as_deref()
    }

    fn named(&self, address: &str) -> Option<&Named> {
        // `::ffff:192.0.2.1` is the same host as 192.0.2.1.
        let address = address.parse::<IpAddr>().ok()?.to_canonical();
        self.by_length.iter().rev().find_map(|(length, networks)| {
            let network = IpNet::new(address, *length).ok()?.trunc();
            networks.get(&network)
        })
    }
}

/// The functions over `networks`.
pub(super) fn functions(networks: &Networks) -> [ScalarUDF; 2] {
    [
        function("network_label", networks.clone(), |networks, ip| networks.label(ip)),
        function("network_kind", networks.clone(), |networks, ip| networks.kind(ip)),
    ]
}

fn function(
    name: &str,
    networks: Networks,
    part: for<'a> fn(&'a Networks, &str) -> Option<&'a str>,
) -> ScalarUDF {
    let apply = move |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let text = cast(&arrays[0], &DataType::Utf8)?;
        let addresses = text.as_string::<i32>().iter();
        let parts: StringArray =
            addresses.map(|address| address.and_then(|ip| part(&networks, ip))).collect();
        super::same_shape(arguments, Arc::new(parts))
    };
    create_udf(name, vec![DataType::Utf8], DataType::Utf8, Volatility::Immutable, Arc::new(apply))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins_in_both_families() {
        let list = [
            ("10.0.0.0/8", "everything", None),
            ("10.1.0.0/16", "office", Some("office")),
            ("10.1.2.3/32", "printer", None),
            ("2001:db8::/32", "six", Some("vpn")),
            ("0.0.0.0/0", "world", None),
        ];
        let list = list.map(|(network, label, kind)| {
            (network.parse().unwrap(), label.to_owned(), kind.map(str::to_owned))
        });
        let networks = Networks::new(list);
        for (ip, label) in [
            ("10.1.2.3", Some("printer")),
            ("10.1.2.4", Some("office")),
            ("10.2.0.1", Some("everything")),
            ("::ffff:10.1.0.1", Some("office")),
            ("198.51.100.1", Some("world")),
            ("2001:db8::1", Some("six")),
            ("2001:db9::1", None),
            ("ec2.amazonaws.com", None),
        ] {
            assert_eq!(networks.label(ip), label, "{ip}");
        }
        assert_eq!(networks.kind("10.1.2.4"), Some("office"));
        assert_eq!(networks.kind("10.1.2.3"), None);
        assert_eq!(Networks::default().label("10.1.2.3"), None);
    }
}
