//! Databases of addresses in MaxMind's format: which autonomous system announces an address, and which country
//! it is in. GeoLite2 and GeoIP2, DB-IP and IPinfo name their fields differently; all are read.
//!
//! A database is looked through once when it is opened, so that a damaged one is known before anything is asked
//! of it. Reads no file: the bytes are handed in.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::net::IpAddr;

use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// See the module.
pub struct AddressDatabase {
    reader: Reader<Vec<u8>>,
    has_asn: bool,
    has_country: bool,
}

impl fmt::Debug for AddressDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressDatabase").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

impl AddressDatabase {
    /// Opens a database and looks through all of it.
    ///
    /// # Errors
    ///
    /// In words, where the bytes are no such database, or a damaged one.
    pub fn read(bytes: Vec<u8>) -> Result<Self, String> {
        let opened = Reader::from_source(bytes);
        let reader = opened.map_err(|error| in_words("it is no MaxMind DB file", &error))?;
        let mut database = Self { reader, has_asn: false, has_country: false };
        (database.has_asn, database.has_country) =
            database.look_through().map_err(|error| in_words("it is damaged", &error))?;
        Ok(database)
    }

    /// What it calls itself, such as `GeoLite2-ASN`.
    pub fn kind(&self) -> &str {
        &self.reader.metadata().database_type
    }

    /// Whether any address has an autonomous system in it.
    pub fn has_asn(&self) -> bool {
        self.has_asn
    }

    /// Whether any address has a country in it.
    pub fn has_country(&self) -> bool {
        self.has_country
    }

    /// Which of the two it has. Each record is read once, however many networks share it.
    fn look_through(&self) -> Result<(bool, bool), MaxMindDbError> {
        let nodes = self.reader.metadata().node_count as usize;
        let mut seen = HashSet::new();
        let (mut has_asn, mut has_country) = (false, false);
        for (count, found) in self.reader.networks(WithinOptions::default())?.enumerate() {
            // A tree has no more leaves than that; in a damaged one, a branch may lead back up.
            if count > nodes.saturating_mul(3) {
                return Err(MaxMindDbError::invalid_database("its search tree has a loop"));
            }
            let found = found?;
            if found.offset().is_some_and(|offset| seen.insert(offset))
                && let Some(record) = found.decode::<Record>()?
            {
                has_asn |= record.asn().is_some();
                has_country |= record.country().is_some();
            }
        }
        Ok((has_asn, has_country))
    }

    /// The number of the autonomous system that announces `address`.
    pub fn asn(&self, address: &str) -> Option<u32> {
        self.record(address)?.asn()
    }

    /// The name of that system's operator.
    pub fn as_name(&self, address: &str) -> Option<String> {
        self.record(address)?.as_name()
    }

    /// The two letters of the country that `address` is in.
    pub fn country(&self, address: &str) -> Option<String> {
        self.record(address)?.country()
    }

    fn record(&self, address: &str) -> Option<Record> {
        let address = address.parse::<IpAddr>().ok()?.to_canonical();
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return None;
        }
        // It was looked through when it was opened: what is wrong now is no record.
        self.reader.lookup(address).ok()?.decode().ok()?
    }
}

fn in_words(what: &str, error: &MaxMindDbError) -> String {
    format!("{what}: {error}")
}

/// What the makers of such databases call what is wanted here.
///
/// <https://dev.maxmind.com/geoip/docs/databases/asn/>, <https://db-ip.com/db/format/mmdb.html>,
/// <https://ipinfo.io/developers/ipinfo-lite-database>
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record {
    /// MaxMind, DB-IP.
    autonomous_system_number: Option<Value>,
    autonomous_system_organization: Option<Value>,
    /// IPinfo: `AS15169`.
    asn: Option<Value>,
    as_name: Option<Value>,
    /// MaxMind, DB-IP: a map; IPinfo: a name, or the two letters.
    country: Option<Value>,
    /// IPinfo.
    country_code: Option<Value>,
}

/// A value of any type: two makers may use one name for two things.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Value {
    Number(u64),
    Text(String),
    Map(BTreeMap<String, Value>),
    Other(IgnoredAny),
}

impl Value {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }
}

impl Record {
    fn asn(&self) -> Option<u32> {
        let number = match self.autonomous_system_number.as_ref().or(self.asn.as_ref())? {
            Value::Number(number) => u32::try_from(*number).ok()?,
            Value::Text(text) => {
                let digits = text.trim_start_matches(|c: char| c.is_ascii_alphabetic());
                digits.parse().ok()?
            }
            _ => return None,
        };
        // 0 stands for none in some.
        (number > 0).then_some(number)
    }

    fn as_name(&self) -> Option<String> {
        let name = self.autonomous_system_organization.as_ref().or(self.as_name.as_ref())?;
        name.text().map(str::to_owned)
    }

    fn country(&self) -> Option<String> {
        let is_code = |text: &&str| text.len() == 2 && text.is_ascii();
        let by_code = self.country_code.as_ref().and_then(Value::text).filter(is_code);
        let by_country = || match self.country.as_ref()? {
            Value::Map(country) => country.get("iso_code")?.text(),
            country => country.text().filter(is_code),
        };
        by_code.or_else(by_country).map(str::to_ascii_uppercase)
    }
}

#[cfg(test)]
pub(crate) mod tests;
