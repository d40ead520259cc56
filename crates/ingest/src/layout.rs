//! What a path or a key says about a log file: account, region, delivery, trail, and what it is not.
//!
//! Only looks at names. The layout is
//! `[prefix/]AWSLogs/[o-id/]<account>/<kind>/<region>/YYYY/MM/DD/<file>`, and the file
//! `<account>_CloudTrail_<region>_YYYYMMDDTHHmmZ_<unique>.json.gz` (`CloudTrail-Aggregated` for summaries of data events):
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html>.
//! Times in names and folders are delivery, never event, times.
//!
//! What a file is, its place says: the folder after the account (`Config`, `CloudTrail-Digest`, `vpcflowlogs`), or its
//! own name, which AWS begins with account and kind. A word elsewhere in the path says nothing: people call a trail's
//! prefix, or a folder for a review, what they like. CloudTrail's own name makes a log file wherever it lies.

use std::ops::RangeInclusive;

use chrono::{NaiveDate, NaiveDateTime};

/// What a path or key tells about a log file; every part is known only where it stands there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The last part of the path.
    pub file_name: String,
    /// The file has the name that CloudTrail gives, which is unique.
    pub delivered_name: bool,
    /// What precedes `AWSLogs/`, with it and the organisation: tells two trails in one bucket apart.
    pub trail_prefix: Option<String>,
    /// Account whose records these are.
    pub account_id: Option<String>,
    /// Region whose records these are.
    pub aws_region: Option<String>,
    /// Delivery date, from the name, else from the folders.
    pub delivered_date: Option<NaiveDate>,
    /// Delivery time, from the name.
    pub delivered_at: Option<NaiveDateTime>,
}

/// What an object in a bucket, or a file in a folder, is by its name alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A log file, or what may be one.
    LogFile(Layout),
    /// Something else, and what: it is passed over and counted.
    NotALogFile(Other),
}

/// What is passed over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Other {
    /// Another kind of object that AWS delivers, such as `Config` or `CloudTrail-Digest`.
    Kind(String),
    /// A name that does not end in `.json` or `.json.gz`, but in this; empty where it has no ending.
    Ending(String),
    /// A folder that some programs make as an object.
    Folder,
    /// Part of a lake that lies there too.
    OfALake,
    /// In a bucket, a name that CloudTrail does not give, outside of the folders that it delivers to.
    Elsewhere,
}

impl std::fmt::Display for Other {
    /// Follows a number of files: `3 of Config`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "of {kind}"),
            Self::Ending(ending) if ending.is_empty() => f.write_str("without an ending"),
            Self::Ending(ending) => write!(f, "ending in {ending}"),
            Self::Folder => f.write_str("that only stand for a folder"),
            Self::OfALake => f.write_str("of a lake"),
            Self::Elsewhere => f.write_str(
                "that neither lie where CloudTrail delivers nor have the name that it gives",
            ),
        }
    }
}

/// Reads the key of an object in a bucket: CloudTrail's own layout counts, and its own name.
pub fn of_key(key: &str) -> Named {
    let layout = read(key);
    if layout.delivered_name {
        return Named::LogFile(layout);
    }
    if let Some(other) = kind_beside(key) {
        return Named::NotALogFile(Other::Kind(other));
    }
    let in_layout = layout.trail_prefix.is_some()
        && layout.account_id.is_some()
        && layout.aws_region.is_some()
        && layout.delivered_date.is_some();
    if in_layout && key.ends_with(".json.gz") {
        return Named::LogFile(layout);
    }
    Named::NotALogFile(match ending(&layout.file_name) {
        _ if key.ends_with('/') => Other::Folder,
        Some(other) => Other::Ending(other),
        None => Other::Elsewhere,
    })
}

/// Reads the path of a file: every `*.json` and `*.json.gz` may be a log file, but for what says that it
/// is something else of AWS's, or part of a lake that lies in the same folder.
pub fn of_path(path: &str) -> Named {
    let layout = read(path);
    if layout.delivered_name {
        return Named::LogFile(layout);
    }
    if let Some(other) = kind_beside(path) {
        return Named::NotALogFile(Other::Kind(other));
    }
    if let Some(other) = ending(&layout.file_name) {
        return Named::NotALogFile(Other::Ending(other));
    }
    if path.split('/').any(|part| part == "_delta_log") {
        return Named::NotALogFile(Other::OfALake);
    }
    Named::LogFile(layout)
}

/// The kind of what AWS delivers beside CloudTrail's log files, as its place or its name says.
fn kind_beside(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    let (name, folders) = parts.split_last()?;
    let kind = kind_of_folder(folders).or_else(|| kind_of_name(name))?;
    (!KINDS_READ.contains(&kind)).then(|| kind.to_owned())
}

/// The kinds that hold log files: records one by one, and five-minute summaries of data events.
const KINDS_READ: [&str; 2] = ["CloudTrail", "CloudTrail-Aggregated"];

/// The folder after the account. Without an `AWSLogs` before it, only what AWS's layout follows on is one: region and
/// year.
fn kind_of_folder<'p>(folders: &[&'p str]) -> Option<&'p str> {
    if let Some(at) = folders.iter().rposition(|part| *part == "AWSLogs") {
        let below = match folders.get(at + 1..)? {
            [organization, rest @ ..] if is_organization_id(organization) => rest,
            rest => rest,
        };
        return match below {
            [account, kind, ..] if is_account_id(account) => Some(kind),
            _ => None,
        };
    }
    let is_year = |part: &str| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    folders.windows(4).rev().find_map(|parts| match parts {
        [account, kind, region, year]
            if is_account_id(account) && is_region(region) && is_year(year) =>
        {
            Some(*kind)
        }
        _ => None,
    })
}

/// `<account>_<kind>_<region>_…`
fn kind_of_name(name: &str) -> Option<&str> {
    let mut parts = name.split('_');
    let (account, kind, region) = (parts.next()?, parts.next()?, parts.next()?);
    (is_account_id(account) && is_region(region)).then_some(kind)
}

/// What a name ends in, where it is not what log files end in.
fn ending(name: &str) -> Option<String> {
    if name.ends_with(".json") || name.ends_with(".json.gz") {
        return None;
    }
    let dots: Vec<usize> = name.match_indices('.').map(|(at, _)| at).filter(|at| *at > 0).collect();
    let last = dots.last().copied();
    // Of a compressed file, what is compressed too.
    let inner = dots.iter().rev().nth(1).copied();
    let from = match (inner, last) {
        (Some(inner), Some(last)) if is_compression(name.get(last..)?) => inner,
        (_, Some(last)) => last,
        _ => return Some(String::new()),
    };
    let ending = name.get(from..).unwrap_or_default();
    // Names are not ours: an ending is a few letters and digits, and anything else none.
    let is_short = ending.len() <= 16
        && ending.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    Some(if is_short { ending.to_owned() } else { String::new() })
}

fn is_compression(ending: &str) -> bool {
    [".gz", ".zst", ".bz2", ".xz", ".zip"].contains(&ending.to_ascii_lowercase().as_str())
}

/// Reads the path of a file that was named one by one, whatever it is called.
pub fn of_named_file(path: &str) -> Layout {
    read(path)
}

/// What a folder of a bucket is, by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folder<'f> {
    /// The log files of one account and region lie below it, in folders by day.
    Region { account_id: &'f str, aws_region: &'f str },
    /// Between `AWSLogs` and a region.
    OnTheWay,
    /// It is not below an `AWSLogs`; one may be below it.
    Before,
    /// It is another kind's, below an `AWSLogs`: no log files are below it.
    Beside,
    /// It is below an `AWSLogs`, but not where CloudTrail delivers. Copies may be below it.
    Other,
}

/// Reads the name of a folder, which ends with `/`.
pub(crate) fn of_folder(folder: &str) -> Folder<'_> {
    let parts: Vec<&str> = folder.strip_suffix('/').unwrap_or(folder).split('/').collect();
    let Some(at) = parts.iter().rposition(|part| *part == "AWSLogs") else { return Folder::Before };
    let rest = match parts.get(at + 1..).unwrap_or_default() {
        [organization, rest @ ..] if is_organization_id(organization) => rest,
        rest => rest,
    };
    match rest {
        [] => Folder::OnTheWay,
        [account] if is_account_id(account) => Folder::OnTheWay,
        [account, kind] if is_account_id(account) && KINDS_READ.contains(kind) => Folder::OnTheWay,
        [account, kind, region]
            if is_account_id(account) && KINDS_READ.contains(kind) && is_region(region) =>
        {
            Folder::Region { account_id: account, aws_region: region }
        }
        [account, kind, ..] if is_account_id(account) && !KINDS_READ.contains(kind) => {
            Folder::Beside
        }
        _ => Folder::Other,
    }
}

/// Whether everything that starts so belongs to one account and region.
pub(crate) fn is_within_region(prefix: &str) -> bool {
    let ends = prefix.match_indices('/').map(|(at, _)| at);
    ends.filter_map(|at| prefix.get(..=at))
        .any(|folder| matches!(of_folder(folder), Folder::Region { .. }))
}

fn read(path: &str) -> Layout {
    let mut layout = Layout::default();
    let parts: Vec<&str> = path.split('/').collect();
    layout.file_name = parts.last().copied().unwrap_or_default().to_owned();
    read_folders(&parts, &mut layout);
    read_file_name(&mut layout);
    layout
}

/// A prefix may hold `/` and even `AWSLogs`, so the last `AWSLogs` counts.
fn read_folders(parts: &[&str], layout: &mut Layout) {
    let Some(at) = parts.iter().rposition(|part| *part == "AWSLogs") else { return };
    let (prefix, mut rest) = parts.split_at(at + 1);
    let mut prefix = prefix.join("/");
    if let [organization, tail @ ..] = rest
        && is_organization_id(organization)
    {
        prefix = format!("{prefix}/{organization}");
        rest = tail;
    }
    let [account, _kind, region, year, month, day, _file] = rest else { return };
    if !is_account_id(account) {
        return;
    }
    layout.trail_prefix = Some(prefix);
    layout.account_id = Some((*account).to_owned());
    layout.aws_region = Some((*region).to_owned()).filter(|region| is_region(region));
    layout.delivered_date = date(year, month, day);
}

fn read_file_name(layout: &mut Layout) {
    let name = layout.file_name.as_str();
    let Some(stem) = name.strip_suffix(".gz").unwrap_or(name).strip_suffix(".json") else { return };
    let Some((account, rest)) = stem.split_once('_') else { return };
    let Some((_, rest)) = rest.split_once('_').filter(|(kind, _)| KINDS_READ.contains(kind)) else {
        return;
    };
    let mut parts = rest.split('_');
    let (Some(region), Some(stamp), Some(unique), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return;
    };
    let Some(delivered_at) = stamp_time(stamp) else { return };
    let valid = is_account_id(account)
        && is_region(region)
        && !unique.is_empty()
        && unique.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !valid {
        return;
    }
    layout.account_id = Some(account.to_owned());
    layout.aws_region = Some(region.to_owned());
    layout.delivered_at = Some(delivered_at);
    layout.delivered_date = Some(delivered_at.date());
    layout.delivered_name = true;
}

impl Layout {
    /// The name that identifies the log file in the ledger: CloudTrail's own where the file has it. A copy
    /// that was unpacked in place is the same log file.
    pub fn delivered_identity(&self) -> Option<String> {
        if !self.delivered_name {
            return None;
        }
        Some(match self.file_name.ends_with(".gz") {
            true => self.file_name.clone(),
            false => format!("{}.gz", self.file_name),
        })
    }
}

/// `YYYYMMDDTHHmmZ`
fn stamp_time(stamp: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%MZ").ok()
}

fn date(year: &str, month: &str, day: &str) -> Option<NaiveDate> {
    let digits = |text: &str, range: RangeInclusive<u32>| {
        text.parse::<u32>().ok().filter(|number| range.contains(number))
    };
    let year = i32::try_from(digits(year, 2000..=9999)?).ok()?;
    NaiveDate::from_ymd_opt(year, digits(month, 1..=12)?, digits(day, 1..=31)?)
}

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_organization_id(text: &str) -> bool {
    text.strip_prefix("o-").is_some_and(|id| {
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

/// `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`
fn is_region(text: &str) -> bool {
    let mut parts = text.rsplit('-');
    let numbered = parts.next().is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    numbered
        && text.split('-').count() >= 3
        && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
}

#[cfg(test)]
mod tests;
