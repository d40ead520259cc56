//! Opens the databases of addresses that the settings name. Wrong ones are wrong settings: nobody wants a report
//! without the column that was asked for.

use std::path::Path;

use rolecall_query::{AddressDatabase, Networks};

use crate::exit::Usage;
use crate::settings::DatabaseSettings;
use crate::term;

/// `networks` with what the databases know.
pub(super) fn open(mut networks: Networks, settings: &DatabaseSettings) -> Result<Networks, Usage> {
    if let Some(path) = &settings.asn {
        let database = read("asn_database", path)?;
        if !database.has_asn() {
            return Err(lacks("asn_database", path, &database, "autonomous systems"));
        }
        networks = networks.with_asn(database);
    }
    if let Some(path) = &settings.country {
        let database = read("country_database", path)?;
        if !database.has_country() {
            return Err(lacks("country_database", path, &database, "countries"));
        }
        networks = networks.with_country(database);
    }
    Ok(networks)
}

fn read(setting: &str, path: &Path) -> Result<AddressDatabase, Usage> {
    let bytes = std::fs::read(path)
        .map_err(|error| Usage::new(format!("{setting}: {}: {error}", path.display())))?;
    AddressDatabase::read(bytes).map_err(|problem| {
        let problem = term::visible(&problem);
        Usage::new(format!("{setting}: {}: {problem}: download it again", path.display()))
    })
}

fn lacks(setting: &str, path: &Path, database: &AddressDatabase, what: &str) -> Usage {
    let kind = term::visible(database.kind());
    Usage::new(format!(
        "{setting}: {}: there are no {what} in it: it is a '{kind}'",
        path.display()
    ))
}
