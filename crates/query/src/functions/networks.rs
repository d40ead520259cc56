//! `network_label(ip)` and `network_kind(ip)`: what an address's network is called, from a list that the user
//! supplies, of which the longest prefix wins; and `network_asn(ip)`, `network_as_name(ip)` and
//! `network_country(ip)`, from databases that the user supplies. Null for what is no address, and for an address
//! of which nothing is known. Reads no file: list and databases are handed in.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use ipnet::IpNet;

use super::databases::AddressDatabase;

/// Networks with names. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Networks {
    /// By length of the prefix, so that a look-up is one probe for each length, however many there are:
    /// AWS alone publishes thousands.
    by_length: Arc<BTreeMap<u8, HashMap<IpNet, Named>>>,
    asn: Option<Arc<AddressDatabase>>,
    country: Option<Arc<AddressDatabase>>,
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
        Self { by_length: Arc::new(by_length), asn: None, country: None }
    }

    /// Autonomous systems as `database` has them.
    #[must_use]
    pub fn with_asn(mut self, database: AddressDatabase) -> Self {
        self.asn = Some(Arc::new(database));
        self
    }

    /// Countries as `database` has them.
    #[must_use]
    pub fn with_country(mut self, database: AddressDatabase) -> Self {
        self.country = Some(Arc::new(database));
        self
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
pub(super) fn functions(networks: &Networks) -> [ScalarUDF; 5] {
    let text = |name: &str, part: fn(&Networks, &str) -> Option<String>| {
        function(name, DataType::Utf8, networks, move |networks, addresses| {
            Arc::new(each(addresses, |ip| part(networks, ip)).collect::<StringArray>())
        })
    };
    [
        text("network_label", |networks, ip| networks.label(ip).map(str::to_owned)),
        text("network_kind", |networks, ip| networks.kind(ip).map(str::to_owned)),
        text("network_as_name", |networks, ip| networks.asn.as_ref()?.as_name(ip)),
        text("network_country", |networks, ip| networks.country.as_ref()?.country(ip)),
        function("network_asn", DataType::Int64, networks, |networks, addresses| {
            let asn = |ip: &str| networks.asn.as_ref()?.asn(ip).map(i64::from);
            Arc::new(each(addresses, asn).collect::<Int64Array>())
        }),
    ]
}

/// Neighbouring rows often hold the same address: it is looked up once.
fn each<T: Clone>(
    addresses: &StringArray,
    part: impl Fn(&str) -> Option<T>,
) -> impl Iterator<Item = Option<T>> {
    let mut last: Option<(Option<&str>, Option<T>)> = None;
    addresses.iter().map(move |address| match &last {
        Some((seen, found)) if *seen == address => found.clone(),
        _ => {
            let found = address.and_then(&part);
            last = Some((address, found.clone()));
            found
        }
    })
}

fn function(
    name: &str,
    returns: DataType,
    networks: &Networks,
    parts: impl Fn(&Networks, &StringArray) -> ArrayRef + Send + Sync + 'static,
) -> ScalarUDF {
    let networks = networks.clone();
    let apply = move |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let text = cast(&arrays[0], &DataType::Utf8)?;
        super::same_shape(arguments, parts(&networks, text.as_string::<i32>()))
    };
    create_udf(name, vec![DataType::Utf8], returns, Volatility::Immutable, Arc::new(apply))
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
