//! From what was written to what it means, one function per kind of setting. Each gives the
//! reason when it makes no sense; the caller adds the setting's name and place.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use bytesize::ByteSize;
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use super::{Network, Origin, Raw};
use crate::render::Format;
use crate::term::{self, Colour};

/// A folder or `s3://bucket[/prefix]`. In the file, a relative folder is meant from the file.
pub(super) fn lake(raw: &Raw) -> Result<String, String> {
    let text = raw.text.trim();
    if let Some(rest) = text.strip_prefix("s3://") {
        let bucket = rest.split('/').next().unwrap_or_default();
        if bucket.is_empty() {
            return Err(format!("'{text}' names no bucket: expected s3://bucket/prefix"));
        }
        if rest.contains(['?', '#']) {
            return Err(format!("'{text}' has a part after ? or #, which S3 prefixes cannot have"));
        }
        return Ok(text.trim_end_matches('/').to_owned());
    }
    if text.is_empty() {
        return Err("is empty: expected a folder or s3://bucket/prefix".to_owned());
    }
    if text.starts_with("s3:") {
        return Err(format!("'{text}' is no folder: did you mean s3://bucket/prefix?"));
    }
    match text.split_once("://") {
        Some(("file", path)) if path.starts_with('/') => Ok(path.to_owned()),
        Some((scheme, _)) => Err(format!(
            "'{text}': a lake lies in a folder or on s3://, {scheme}:// is not supported"
        )),
        None => Ok(from_file(raw, Path::new(text)).to_str().unwrap_or(text).to_owned()),
    }
}

/// A path given in the settings file is meant from where that file lies.
fn from_file(raw: &Raw, path: &Path) -> PathBuf {
    match &raw.origin {
        Origin::File(file, _) => file.parent().unwrap_or(Path::new("")).join(path),
        _ => path.to_owned(),
    }
}

pub(super) fn file(raw: &Raw) -> Result<PathBuf, String> {
    let path = from_file(raw, Path::new(&raw.text));
    if path.is_dir() {
        return Err(format!("{} is a folder", path.display()));
    }
    Ok(path)
}

/// The format of that name.
pub(crate) fn format(text: &str) -> Result<Format, String> {
    let names = Format::ALL.map(Format::name);
    Format::from_name(text).ok_or_else(|| not_one_of(text, &names))
}

pub(super) fn color(text: &str) -> Result<Colour, String> {
    let names = [Colour::Auto, Colour::Always, Colour::Never].map(Colour::name);
    Colour::from_name(text).ok_or_else(|| not_one_of(text, &names))
}

/// A time zone by its name, or as an offset.
pub(crate) fn zone(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("utc") || text == "Z" {
        return Ok("UTC".to_owned());
    }
    match text.parse::<arrow::array::timezone::Tz>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!(
            "'{}' is no time zone such as Europe/Berlin or +02:00",
            term::visible(text)
        )),
    }
}

fn not_one_of(text: &str, names: &[&str]) -> String {
    let hint = did_you_mean(text, names.iter().copied());
    format!("'{}' is none of {}{hint}", term::visible(text), names.join(", "))
}

pub(super) fn log_filter(raw: &Raw) -> Result<String, String> {
    let text = &raw.text;
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.clone()),
        Err(_) => Err(format!(
            "'{}' is no log filter such as debug or warn,rolecall=info",
            term::visible(text)
        )),
    }
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err(format!("'{}' is not a number from 1 to 1024", term::visible(text))),
    }
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(format!("'{}' is neither true nor false", term::visible(text))),
    }
}

/// A number of bytes such as `256MiB`, `1.5GB` or `268435456`.
pub(super) fn size(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let shown = term::visible(text);
    let size = ByteSize::from_str(text.trim())
        .map_err(|_| format!("'{shown}' is not a size: expected a number and a unit, 256MiB"))?
        .as_u64();
    if size < least {
        return Err(format!("'{shown}' is too small: at least {}", show_size(least)));
    }
    if size > most {
        return Err(format!("'{shown}' is too large: at most {}", show_size(most)));
    }
    Ok(size)
}

pub(super) fn show_size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

/// `office=203.0.113.0/24,198.51.100.7;vpn=10.0.0.0/8`
pub(super) fn networks(text: &str) -> Result<Vec<Network>, String> {
    let entries = text.split(';').map(str::trim).filter(|entry| !entry.is_empty());
    let mut networks = Vec::new();
    for entry in entries {
        let Some((name, blocks)) = entry.split_once('=') else {
            let entry = term::visible(entry);
            return Err(format!("'{entry}' is not name=block,block such as office=203.0.113.0/24"));
        };
        networks.push(network(name, blocks.split(','))?);
    }
    networks.sort_by(|a: &Network, b| a.name.cmp(&b.name));
    match networks.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(format!("'{}' is there twice", pair[0].name)),
        None => Ok(networks),
    }
}

/// One network: its name, and its blocks in CIDR notation or as single addresses.
pub(super) fn network<'a>(
    name: &str,
    blocks: impl Iterator<Item = &'a str>,
) -> Result<Network, String> {
    let name = name.trim();
    if name.is_empty() || name.contains(term::acts) {
        return Err(format!("'{}' is no name for a network", term::visible(name)));
    }
    let blocks = blocks.map(|block| {
        let block = block.trim();
        let parsed: Option<IpNet> = block
            .parse()
            .ok()
            .or_else(|| block.parse().ok().map(|host: std::net::IpAddr| host.into()));
        let Some(parsed) = parsed else {
            let block = term::visible(block);
            return Err(format!("'{block}' is not an address block such as 203.0.113.0/24"));
        };
        if parsed.trunc() != parsed {
            return Err(format!("{parsed} has host bits set: did you mean {}?", parsed.trunc()));
        }
        Ok(parsed)
    });
    let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
    if blocks.is_empty() {
        return Err(format!("'{name}' has no address block"));
    }
    Ok(Network { name: name.to_owned(), blocks })
}

/// `: did you mean X?` for the known name that is nearest, if one is near at all.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let nearest = known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3));
    nearest.map_or_else(String::new, |(_, candidate)| format!(": did you mean {candidate}?"))
}
