//! `network_label(ip)` and `network_kind(ip)`: what an address's network is called, from a list that the user
//! supplies, of which the longest prefix wins; and `network_asn(ip)`, `network_as_name(ip)` and
//! `network_country(ip)`, from databases that the user supplies. Null for what is no address, and for an address
//! of which nothing is known. `network_place(ip)` is the best of them, and where there is none the block that
//! `network_block(ip)` says, so that every address has a place. Reads no file: list and databases are handed in.

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
    by_length: Arc<ByLength>,
    /// What AWS publishes of its own.
    of_aws: Arc<ByLength>,
    asn: Option<Arc<AddressDatabase>>,
    country: Option<Arc<AddressDatabase>>,
}

type ByLength = BTreeMap<u8, HashMap<IpNet, Named>>;

#[derive(Debug, Clone)]
struct Named {
    label: String,
    kind: Option<String>,
}

/// How much of an address says whose network it is, where nobody says more: what is routed on its own.
const BLOCK_BITS: (u8, u8) = (24, 48);

impl Networks {
    /// A list of network, label, and kind. Of two with the same network the later counts.
    pub fn new(list: impl IntoIterator<Item = (IpNet, String, Option<String>)>) -> Self {
        Self { by_length: Arc::new(by_length(list)), ..Self::default() }
    }

    /// Networks as AWS publishes them, which come after the user's own, and after autonomous systems.
    #[must_use]
    pub fn with_aws_ranges(
        mut self,
        list: impl IntoIterator<Item = (IpNet, String, Option<String>)>,
    ) -> Self {
        self.of_aws = Arc::new(by_length(list));
        self
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
        let address = parse(address)?;
        match (smallest(&self.by_length, address), smallest(&self.of_aws, address)) {
            (Some((own, named)), Some((aws, _))) if own >= aws => Some(named),
            (own, aws) => aws.or(own).map(|(_, named)| named),
        }
    }

    /// Where `address` is, in the words that somebody would use: the user's own, else the autonomous system, else
    /// AWS's service and region, else the block.
    pub fn place(&self, address: &str) -> Option<String> {
        let parsed = parse(address)?;
        if let Some((_, own)) = smallest(&self.by_length, parsed) {
            return Some(own.label.clone());
        }
        if let Some(system) = self.system(address) {
            return Some(system);
        }
        match smallest(&self.of_aws, parsed) {
            Some((_, aws)) => Some(aws.label.clone()),
            None => block(address),
        }
    }

    /// `AS64500 Example Transit`.
    fn system(&self, address: &str) -> Option<String> {
        let database = self.asn.as_ref()?;
        let number = database.asn(address).map(|number| format!("AS{number}"));
        let parts: Vec<String> = number.into_iter().chain(database.as_name(address)).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }
}

fn by_length(list: impl IntoIterator<Item = (IpNet, String, Option<String>)>) -> ByLength {
    let mut by_length = ByLength::new();
    for (network, label, kind) in list {
        let network = network.trunc();
        let same_length = by_length.entry(network.prefix_len()).or_default();
        same_length.insert(network, Named { label, kind });
    }
    by_length
}

/// `::ffff:192.0.2.1` is the same host as 192.0.2.1.
fn parse(address: &str) -> Option<IpAddr> {
    address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// The smallest network that holds `address`, with the length of its prefix.
fn smallest(networks: &ByLength, address: IpAddr) -> Option<(u8, &Named)> {
    networks.iter().rev().find_map(|(length, networks)| {
        let network = IpNet::new(address, *length).ok()?.trunc();
        networks.get(&network).map(|named| (*length, named))
    })
}

/// The /24 that an address lies in, for IPv6 the /48.
fn block(address: &str) -> Option<String> {
    let address = parse(address)?;
    let bits = if address.is_ipv4() { BLOCK_BITS.0 } else { BLOCK_BITS.1 };
    IpNet::new(address, bits).ok().map(|block| block.trunc().to_string())
}

/// The functions over `networks`.
pub(super) fn functions(networks: &Networks) -> [ScalarUDF; 7] {
    let text = |name: &str, part: fn(&Networks, &str) -> Option<String>| {
        function(name, DataType::Utf8, networks, move |networks, addresses| {
            Arc::new(each(addresses, |ip| part(networks, ip)).collect::<StringArray>())
        })
    };
    [
        text("network_label", |networks, ip| networks.label(ip).map(str::to_owned)),
        text("network_kind", |networks, ip| networks.kind(ip).map(str::to_owned)),
        text("network_place", Networks::place),
        text("network_block", |_, ip| block(ip)),
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

    #[test]
    fn every_address_has_a_place() {
        let named = |network: &str, label: &str| (network.parse().unwrap(), label.to_owned(), None);
        let own = [named("203.0.113.0/28", "Office")];
        let aws = [named("203.0.113.0/24", "AWS EC2 eu-west-1"), named("203.0.113.4/32", "AWS S3")];
        let networks = Networks::new(own).with_aws_ranges(aws);
        for (ip, place) in [
            ("203.0.113.4", Some("Office")),
            ("203.0.113.77", Some("AWS EC2 eu-west-1")),
            ("198.51.100.7", Some("198.51.100.0/24")),
            ("::ffff:198.51.100.9", Some("198.51.100.0/24")),
            ("2001:db8:42:7::1f", Some("2001:db8:42::/48")),
            ("ec2.amazonaws.com", None),
            ("AWS Internal", None),
        ] {
            assert_eq!(networks.place(ip).as_deref(), place, "{ip}");
        }
        // As a name the longest prefix counts, whoever says it.
        assert_eq!(networks.label("203.0.113.4"), Some("AWS S3"));
        assert_eq!(networks.label("203.0.113.5"), Some("Office"));
    }

    #[test]
    fn an_autonomous_system_comes_before_what_aws_says_and_after_the_users_word() {
        use crate::functions::databases::tests::mmdb::{Value, database};
        let asn = Value::Map(vec![
            ("autonomous_system_number", Value::Number(64_500)),
            ("autonomous_system_organization", Value::Text("Example Transit")),
        ]);
        let asn = AddressDatabase::read(database("ASN", &[("203.0.113.0/24", asn)])).unwrap();
        let named = |network: &str, label: &str| (network.parse().unwrap(), label.to_owned(), None);
        let networks = Networks::new([named("203.0.113.0/28", "Office")])
            .with_aws_ranges([named("203.0.113.0/24", "AWS EC2 eu-west-1")])
            .with_asn(asn);
        assert_eq!(networks.place("203.0.113.4").as_deref(), Some("Office"));
        assert_eq!(networks.place("203.0.113.77").as_deref(), Some("AS64500 Example Transit"));
        assert_eq!(networks.place("198.51.100.7").as_deref(), Some("198.51.100.0/24"));
    }
}
