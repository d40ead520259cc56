//! What is read from the databases of three makers, and what is said of a damaged one.

use super::*;

#[path = "../../../../../tests/e2e/support/mmdb.rs"]
pub(crate) mod mmdb;

use self::mmdb::Value::{Map, Number, Text};

fn open(kind: &'static str, networks: &[(&str, mmdb::Value)]) -> AddressDatabase {
    AddressDatabase::read(mmdb::database(kind, networks)).unwrap()
}

#[test]
fn each_maker_has_its_own_names() {
    let maxmind = open(
        "GeoLite2-ASN",
        &[
            (
                "203.0.113.0/24",
                Map(vec![
                    ("autonomous_system_number", Number(64_500)),
                    ("autonomous_system_organization", Text("Example Transit")),
                ]),
            ),
            ("2001:db8::/32", Map(vec![("autonomous_system_number", Number(64_501))])),
        ],
    );
    assert!(maxmind.has_asn() && !maxmind.has_country());
    assert_eq!(maxmind.asn("203.0.113.9"), Some(64_500));
    assert_eq!(maxmind.as_name("::ffff:203.0.113.9").as_deref(), Some("Example Transit"));
    assert_eq!((maxmind.asn("2001:db8::1"), maxmind.as_name("2001:db8::1")), (Some(64_501), None));
    assert_eq!(maxmind.asn("198.51.100.1"), None);
    assert_eq!(maxmind.asn("ec2.amazonaws.com"), None);

    let names = Map(vec![("en", Text("Germany"))]);
    let country = Map(vec![("iso_code", Text("DE")), ("names", names)]);
    let country = open("DBIP-Country-Lite", &[("203.0.113.0/24", Map(vec![("country", country)]))]);
    assert!(!country.has_asn() && country.has_country());
    assert_eq!(country.country("203.0.113.200").as_deref(), Some("DE"));

    let ipinfo = Map(vec![
        ("asn", Text("AS64502")),
        ("as_name", Text("Example Cloud")),
        ("as_domain", Text("example.com")),
        ("country", Text("Ireland")),
        ("country_code", Text("IE")),
    ]);
    let ipinfo = open("ipinfo generic_bundle_free_mmdb.mmdb", &[("192.0.2.0/24", ipinfo)]);
    assert!(ipinfo.has_asn() && ipinfo.has_country());
    assert_eq!(ipinfo.asn("192.0.2.1"), Some(64_502));
    assert_eq!(ipinfo.as_name("192.0.2.1").as_deref(), Some("Example Cloud"));
    assert_eq!(ipinfo.country("192.0.2.1").as_deref(), Some("IE"));
}

#[test]
fn other_types_are_nothing_and_no_failure() {
    let odd = Map(vec![
        ("asn", Map(vec![("number", Number(1))])),
        ("as_name", Number(7)),
        ("country", Text("Ireland")),
        ("country_code", Text("Eire")),
    ]);
    let odd = open("odd", &[("192.0.2.0/24", odd)]);
    assert!(!odd.has_asn() && !odd.has_country());
    let zero = Map(vec![("autonomous_system_number", Number(0))]);
    assert_eq!(open("zero", &[("192.0.2.0/24", zero)]).asn("192.0.2.1"), None);
}

#[test]
fn a_damaged_database_is_known_when_it_is_opened() {
    let record = || Map(vec![("country", Map(vec![("iso_code", Text("DE"))]))]);
    let whole = mmdb::database("Country", &[("203.0.113.0/24", record())]);
    let half = whole[..whole.len() / 2].to_vec();
    let nothing = Vec::new();
    let mut torn = whole.clone();
    let data = whole.windows(7).position(|bytes| bytes == b"country").unwrap();
    torn[data - 2..data + 7].fill(0xff);
    for (bytes, problem) in [
        (half, "it is no MaxMind DB file: "),
        (nothing, "it is no MaxMind DB file: "),
        (b"<html>Not found</html>".to_vec(), "it is no MaxMind DB file: "),
        (torn, "it is damaged: "),
    ] {
        let error = AddressDatabase::read(bytes).unwrap_err();
        assert!(error.starts_with(problem), "{error}");
    }
    assert!(AddressDatabase::read(whole).is_ok());
}
