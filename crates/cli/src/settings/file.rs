//! `rolecall.toml`: which settings it gives, and on which line each stands.
//!
//! A key that is not a setting is an error. It is most often a misspelt one, and going on without
//! it would do something other than what is written there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::parse::{self, did_you_mean};
use super::{FILE_KEYS, Network, Origin, Raw, Told};
use crate::exit::Usage;

/// The table whose keys are names that the user chooses.
const NETWORKS: &str = "networks";

/// What the file says. Without a file it says nothing.
#[derive(Debug, Default)]
pub(super) struct File {
    values: BTreeMap<String, Raw>,
    networks: Vec<(String, Vec<String>, Origin)>,
}

impl File {
    /// The file that `asked_by` names; it must be there.
    pub(super) fn read(path: &Path, asked_by: &str) -> Result<Self, Usage> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) => {
                Err(Usage::new(format!("{asked_by}: failed to read {}: {error}", path.display())))
            }
        }
    }

    /// The file, if there is one.
    pub(super) fn read_if_there(path: &Path) -> Result<Self, Usage> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Usage::new(format!("failed to read {}: {error}", path.display()))),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Usage> {
        let at = Lines { text, path };
        let table = DeTable::parse(text).map_err(|error| {
            at.complain(&error.span().unwrap_or(0..0), error.message().trim_end())
        })?;
        let mut file = Self::default();
        file.add(table.get_ref(), "", &at)?;
        Ok(file)
    }

    fn add(&mut self, table: &DeTable<'_>, prefix: &str, at: &Lines<'_>) -> Result<(), Usage> {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            if name == NETWORKS {
                let DeValue::Table(networks) = value.get_ref() else {
                    return Err(at.complain(&value.span(), "networks is a table, [networks]"));
                };
                for (name, blocks) in networks {
                    let blocks = strings(blocks, at)?;
                    let origin = at.origin(&key_span(name));
                    self.networks.push((name.get_ref().clone().into_owned(), blocks, origin));
                }
                continue;
            }
            let is_known = FILE_KEYS.iter().any(|known| known.name == name);
            let is_section =
                FILE_KEYS.iter().any(|known| known.name.starts_with(&format!("{name}.")));
            match value.get_ref() {
                DeValue::Table(inner) if is_section => self.add(inner, &format!("{name}."), at)?,
                _ if is_section => {
                    let message = format!("{name} is a table, [{name}]");
                    return Err(at.complain(&value.span(), &message));
                }
                scalar if is_known => {
                    let Some(text) = scalar_text(scalar) else {
                        let found = scalar.type_str();
                        let message = format!("{name}: expected one value, found {found}");
                        return Err(at.complain(&value.span(), &message));
                    };
                    let origin = at.origin(&key_span(key));
                    self.values.insert(name, Raw { text, origin });
                }
                _ => {
                    let known = FILE_KEYS.iter().map(|known| known.name);
                    let hint = did_you_mean(&name, known);
                    let message = format!("{name} is no setting{hint}");
                    return Err(at.complain(&key_span(key), &message));
                }
            }
        }
        Ok(())
    }

    /// The value of that name.
    pub(super) fn get(&self, name: &str) -> Option<Raw> {
        self.values.get(name).cloned()
    }

    /// The table of networks, if there is one: by name, and as one line for people.
    pub(super) fn networks(&self) -> Result<Option<(Vec<Network>, Told)>, Usage> {
        let Some((_, _, origin)) = self.networks.first() else { return Ok(None) };
        let mut networks = Vec::with_capacity(self.networks.len());
        for (name, blocks, origin) in &self.networks {
            let network = parse::network(name, blocks.iter().map(String::as_str));
            networks
                .push(network.map_err(|reason| {
                    Usage::new(format!("{origin}: networks.{name}: {reason}"))
                })?);
        }
        networks.sort_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<_> = networks.iter().map(|network| network.name.as_str()).collect();
        let told = Told { name: NETWORKS, value: names.join(", "), origin: origin.clone() };
        Ok(Some((networks, told)))
    }
}

/// One value as it would be written in the environment.
fn scalar_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// A text or an array of texts.
fn strings(value: &Spanned<DeValue<'_>>, at: &Lines<'_>) -> Result<Vec<String>, Usage> {
    let text = |value: &Spanned<DeValue<'_>>| match value.get_ref().as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(at.complain(
            &value.span(),
            "a network is one address block or an array of them, as text",
        )),
    };
    match value.get_ref() {
        DeValue::Array(blocks) => blocks.iter().map(text).collect(),
        _ => Ok(vec![text(value)?]),
    }
}

fn key_span(key: &Spanned<Cow<'_, str>>) -> Range<usize> {
    key.span()
}

/// Turns positions into lines.
struct Lines<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Lines<'_> {
    fn origin(&self, span: &Range<usize>) -> Origin {
        let before = self.text.as_bytes().iter().take(span.start);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        Origin::File(PathBuf::from(self.path), line)
    }

    fn complain(&self, span: &Range<usize>, message: &str) -> Usage {
        Usage::new(format!("{}: {message}", self.origin(span)))
    }
}
