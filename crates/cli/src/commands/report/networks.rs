//! `--networks FILE`: what the user calls which address block, as TOML or CSV; and AWS's own list of its networks,
//! as it publishes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ipnet::IpNet;
use serde_json::Value as Json;

use super::toml_text::{self, Document, Entry, Value};
use crate::exit::Usage;
use crate::settings::did_you_mean;
use crate::term;

/// A block with its label and kind.
pub(super) type Named = (IpNet, String, Option<String>);

/// What a network may be.
const KINDS: [&str; 6] = ["office", "vpn", "nat", "aws", "ci", "vendor"];
const COLUMNS: [&str; 3] = ["cidr", "label", "kind"];

/// What the files say.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// What the user calls networks.
    pub(super) own: Vec<Named>,
    /// What AWS publishes: of less weight, where it is asked in which place somebody is.
    pub(super) of_aws: Vec<Named>,
}

impl Lists {
    /// Adds what a file says; a name that ends in `.csv` is CSV with a header, one in `.json` AWS's list, any other
    /// TOML.
    pub(super) fn read(&mut self, path: &Path) -> Result<(), Usage> {
        let text = toml_text::read("--networks", path)?;
        let ends_in = |end: &str| {
            path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(end))
        };
        if ends_in("csv") {
            self.own.extend(from_csv(&text, path)?);
        } else if ends_in("json") {
            self.of_aws.extend(from_aws(&text, path)?);
        } else {
            self.own.extend(from_toml(&text, path)?);
        }
        Ok(())
    }
}

/// <https://ip-ranges.amazonaws.com/ip-ranges.json>: a network is in it once for each service, and once more for
/// AMAZON, which is all of them.
fn from_aws(text: &str, path: &Path) -> Result<Vec<Named>, Usage> {
    const ALL: &str = "AMAZON";
    let wrong = |what: &str| {
        Usage::new(format!(
            "{}: {}: expected AWS's ip-ranges.json",
            path.display(),
            term::visible(what)
        ))
    };
    let list: Json = serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?;
    let mut found: BTreeMap<IpNet, (BTreeSet<&str>, &str)> = BTreeMap::new();
    for (part, cidr) in [("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix")] {
        let prefixes = list.get(part).and_then(Json::as_array);
        for prefix in prefixes.ok_or_else(|| wrong(&format!("it has no list {part}")))? {
            let text = |name: &str| prefix.get(name).and_then(Json::as_str).unwrap_or_default();
            let network = block(text(cidr)).map_err(|problem| wrong(&problem))?;
            let (services, region) = found.entry(network).or_default();
            services.insert(text("service"));
            *region = text("region");
        }
    }
    let named = found.into_iter().map(|(network, (mut services, region))| {
        if services.len() > 1 {
            services.remove(ALL);
        }
        let services: Vec<&str> = services.into_iter().collect();
        (network, format!("AWS {} {region}", services.join("+")), Some("aws".to_owned()))
    });
    Ok(named.collect())
}

fn from_toml(text: &str, path: &Path) -> Result<Vec<Named>, Usage> {
    let document = Document { text, path };
    let mut networks = Vec::new();
    for (span, entries) in document.tables("network")? {
        let mut blocks = Vec::new();
        let (mut label, mut kind) = (None, None);
        for Entry { name, span, value } in entries {
            let complain = |problem: String| document.complain(&span, &problem);
            match (name.as_str(), value) {
                ("cidr", Value::Text(text)) => blocks.push(block(&text).map_err(complain)?),
                ("cidr", Value::Texts(texts)) => {
                    for text in texts {
                        blocks.push(block(&text).map_err(complain)?);
                    }
                }
                ("label", Value::Text(text)) => label = Some(text),
                ("kind", Value::Text(text)) => kind = known_kind(&text).map_err(complain)?,
                (name, value) if COLUMNS.contains(&name) => {
                    return Err(complain(format!("{name}: expected text, found {}", value.kind())));
                }
                (name, _) => {
                    let hint = did_you_mean(name, COLUMNS.into_iter());
                    return Err(complain(format!("{name} is no part of a network{hint}")));
                }
            }
        }
        let Some(label) = label.filter(|label| !label.trim().is_empty()) else {
            return Err(document.complain(&span, "the network has no label"));
        };
        if blocks.is_empty() {
            return Err(document.complain(&span, "the network has no cidr"));
        }
        networks.extend(blocks.into_iter().map(|block| (block, label.clone(), kind.clone())));
    }
    Ok(networks)
}

fn from_csv(text: &str, path: &Path) -> Result<Vec<Named>, Usage> {
    let at = |line: u64, problem: &str| {
        Usage::new(format!("{}:{line}: {}", path.display(), term::visible(problem)))
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| at(1, &error.to_string()))?.clone();
    let column = |name: &str| headers.iter().position(|header| header.eq_ignore_ascii_case(name));
    let (Some(cidr), Some(label)) = (column("cidr"), column("label")) else {
        return Err(at(1, "expected the columns cidr, label and, if you like, kind"));
    };
    let kind = column("kind");
    let mut networks = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            at(error.position().map_or(0, csv::Position::line), "not as many values as columns")
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let value = |index: usize| record.get(index).unwrap_or_default();
        let named = (|| {
            let kind = known_kind(kind.map(value).unwrap_or_default())?;
            if value(label).is_empty() {
                return Err("the network has no label".to_owned());
            }
            Ok((block(value(cidr))?, value(label).to_owned(), kind))
        })();
        networks.push(named.map_err(|problem: String| at(line, &problem))?);
    }
    Ok(networks)
}

fn known_kind(text: &str) -> Result<Option<String>, String> {
    match text.trim() {
        "" => Ok(None),
        kind if KINDS.contains(&kind) => Ok(Some(kind.to_owned())),
        other => Err(format!("kind '{other}' is none of {}", KINDS.join(", "))),
    }
}

fn block(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let host = || text.parse().ok().map(|host: std::net::IpAddr| host.into());
    let Some(block) = text.parse::<IpNet>().ok().or_else(host) else {
        return Err(format!("'{text}' is not an address block such as 203.0.113.0/24"));
    };
    if block.trunc() != block {
        return Err(format!("{block} has host bits set: did you mean {}?", block.trunc()));
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str) -> Result<Vec<Named>, String> {
        from_toml(text, Path::new("n.toml")).map_err(|error| error.to_string())
    }

    fn csv(text: &str) -> Result<Vec<Named>, String> {
        from_csv(text, Path::new("n.csv")).map_err(|error| error.to_string())
    }

    #[test]
    fn both_forms_say_the_same() {
        let expected = vec![
            (
                "203.0.113.0/24".parse().unwrap(),
                "HQ, first floor".to_owned(),
                Some("office".to_owned()),
            ),
            ("2001:db8::1/128".parse().unwrap(), "VPN".to_owned(), None),
        ];
        let text = "[[network]]\ncidr = \"203.0.113.0/24\"\nlabel = \"HQ, first floor\"\nkind = \"office\"\n\
                    [[network]]\ncidr = [\"2001:db8::1\"]\nlabel = \"VPN\"\n";
        assert_eq!(toml(text), Ok(expected.clone()));
        let text = "Kind,cidr,label\noffice,203.0.113.0/24,\"HQ, first floor\"\n,2001:db8::1,VPN\n";
        assert_eq!(csv(text), Ok(expected));
        let runners = csv("cidr,label,kind\n198.18.0.0/15,GitHub Actions,ci\n").unwrap();
        assert_eq!(runners[0].2.as_deref(), Some("ci"));
    }

    #[test]
    fn aws_publishes_its_own() {
        let prefix = |cidr: &str, service: &str| {
            format!(r#"{{"ip_prefix":"{cidr}","region":"eu-west-1","service":"{service}"}}"#)
        };
        let prefixes = [
            prefix("3.5.64.0/21", "AMAZON"),
            prefix("3.5.64.0/21", "S3"),
            prefix("3.5.64.0/21", "EC2"),
            prefix("15.230.1.0/24", "AMAZON"),
        ];
        let six = r#"{"ipv6_prefix":"2600:1f68::/36","region":"eu-west-1","service":"EC2"}"#;
        let list = |prefixes: &str| {
            let text = format!(r#"{{"prefixes":[{prefixes}],"ipv6_prefixes":[{six}]}}"#);
            from_aws(&text, Path::new("r.json")).map_err(|error| error.to_string())
        };
        let labels = list(&prefixes.join(",")).unwrap();
        let labels: Vec<&str> = labels.iter().map(|(_, label, _)| label.as_str()).collect();
        assert_eq!(labels, ["AWS EC2+S3 eu-west-1", "AWS AMAZON eu-west-1", "AWS EC2 eu-west-1"]);
        let error = list(&prefix("x", "EC2")).unwrap_err();
        assert!(error.contains("'x' is not an address block"), "{error}");
        let error = from_aws("{}", Path::new("r.json")).unwrap_err().to_string();
        assert_eq!(error, "r.json: it has no list prefixes: expected AWS's ip-ranges.json");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, problem) in [
            ("[[network]]\ncidr = \"10.0.0.0/8\"\n", "n.toml:1: the network has no label"),
            ("\n[[network]]\nlabel = \"x\"\n", "n.toml:2: the network has no cidr"),
            (
                "[[network]]\ncidr = \"10.0.0.1/8\"\n",
                "n.toml:2: 10.0.0.1/8 has host bits set: did you mean 10.0.0.0/8?",
            ),
            (
                "[[network]]\nkind = \"home\"\n",
                "n.toml:2: kind 'home' is none of office, vpn, nat, aws, ci, vendor",
            ),
            (
                "[[network]]\nlable = \"x\"\n",
                "n.toml:2: lable is no part of a network: did you mean label?",
            ),
            ("[[network]]\nlabel = 3\n", "n.toml:2: label: expected text, found integer"),
            ("[network]\nlabel = \"x\"\n", "n.toml:1: expected [[network]]"),
        ] {
            assert_eq!(toml(text), Err(problem.to_owned()));
        }
        for (text, problem) in [
            ("net,label\n", "n.csv:1: expected the columns cidr, label and, if you like, kind"),
            (
                "cidr,label\n10.0.0.0/8,a\nx,b\n",
                "n.csv:3: 'x' is not an address block such as 203.0.113.0/24",
            ),
            ("cidr,label\n10.0.0.0/8\n", "n.csv:2: not as many values as columns"),
        ] {
            assert_eq!(csv(text), Err(problem.to_owned()));
        }
    }
}
