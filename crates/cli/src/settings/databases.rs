//! Databases of addresses: which files, as flags and as settings. They are opened where they are needed.

use std::path::PathBuf;

use super::{GivenFlag, Key, Sources, key, parse};
use crate::exit::Usage;

pub(super) const ASN_DATABASE: Key =
    key("asn_database", Some("--asn-database"), &["ROLECALL_ASN_DATABASE"]);
pub(super) const COUNTRY_DATABASE: Key =
    key("country_database", Some("--country-database"), &["ROLECALL_COUNTRY_DATABASE"]);

/// The databases as flags.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct DatabaseFlags {
    /// Autonomous systems of addresses, for network_asn(ip) and network_as_name(ip): an .mmdb file such as
    /// GeoLite2-ASN, DB-IP or IPinfo Lite
    #[arg(long, value_name = "FILE")]
    pub(crate) asn_database: Option<String>,
    /// Countries of addresses, for network_country(ip): an .mmdb file
    #[arg(long, value_name = "FILE")]
    pub(crate) country_database: Option<String>,
}

impl DatabaseFlags {
    /// Those that were given.
    pub(crate) fn given(&self) -> Vec<GivenFlag> {
        vec![
            (ASN_DATABASE.flag, self.asn_database.clone()),
            (COUNTRY_DATABASE.flag, self.country_database.clone()),
        ]
    }
}

/// The databases as settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DatabaseSettings {
    /// Of autonomous systems.
    pub(crate) asn: Option<PathBuf>,
    /// Of countries.
    pub(crate) country: Option<PathBuf>,
}

impl DatabaseSettings {
    pub(super) fn load(from: &mut Sources<'_>) -> Result<Self, Usage> {
        Ok(Self {
            asn: from.given(&ASN_DATABASE, parse::file)?,
            country: from.given(&COUNTRY_DATABASE, parse::file)?,
        })
    }
}
