//! What a path or a key says about a log file: account, region, delivery, trail, and what it is not.
//!
//! Only looks at names. The layout is
//! `[prefix/]AWSLogs/[o-id/]<account>/<kind>/<region>/YYYY/MM/DD/<file>`, and the file
//! `<account>_CloudTrail_<region>_YYYYMMDDTHHmmZ_<unique>.json.gz`:
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html>.
//! Times in names and folders are delivery, never event, times.

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
    /// Something else: it is passed over and counted.
    NotALogFile,
}

/// Kinds of object that CloudTrail delivers beside log files.
const OTHER_KINDS: [&str; 4] = [
    "CloudTrail-Digest",
    "CloudTrail-Insight",
    "CloudTrail-NetworkActivity",
    "CloudTrail-Aggregated",
];

/// Reads the key of an object in a bucket: only CloudTrail's own layout counts.
pub fn of_key(key: &str) -> Named {
    let layout = read(key);
    let in_layout = layout.trail_prefix.is_some()
        && layout.account_id.is_some()
        && layout.aws_region.is_some()
        && layout.delivered_date.is_some();
    if in_layout && key.ends_with(".json.gz") && is_kind_cloudtrail(key) {
        Named::LogFile(layout)
    } else {
        Named::NotALogFile
    }
}

/// Reads the path of a file: every `*.json` and `*.json.gz` may be a log file, but for what says that it
/// is something else of CloudTrail's, or part of a lake that lies in the same folder.
pub fn of_path(path: &str) -> Named {
    let is_json = path.ends_with(".json") || path.ends_with(".json.gz");
    let is_of_a_lake = path.split('/').any(|part| part == "_delta_log");
    if !is_json || is_of_a_lake || OTHER_KINDS.iter().any(|kind| path.contains(kind)) {
        return Named::NotALogFile;
    }
    Named::LogFile(read(path))
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
    /// It is below an `AWSLogs`, but no log files are below it.
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
        [account] | [account, "CloudTrail"] if is_account_id(account) => Folder::OnTheWay,
        [account, "CloudTrail", region] if is_account_id(account) && is_region(region) => {
            Folder::Region { account_id: account, aws_region: region }
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

fn is_kind_cloudtrail(key: &str) -> bool {
    key.rsplit('/').nth(5) == Some("CloudTrail")
}

fn read_file_name(layout: &mut Layout) {
    let name = layout.file_name.as_str();
    let Some(stem) = name.strip_suffix(".gz").unwrap_or(name).strip_suffix(".json") else { return };
    let Some((account, rest)) = stem.split_once("_CloudTrail_") else { return };
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
mod tests {
    use super::*;

    const FILE: &str = "123456789012_CloudTrail_us-east-1_20260105T0715Z_aB3dE5gH7jK9mN1p.json.gz";

    fn log_file(named: Named) -> Layout {
        match named {
            Named::LogFile(layout) => layout,
            Named::NotALogFile => panic!("not a log file"),
        }
    }

    #[test]
    fn keys_of_an_organization_trail() {
        let key = format!(
            "a/AWSLogs/b/AWSLogs/o-ab12/123456789012/CloudTrail/us-east-1/2026/01/05/{FILE}"
        );
        let layout = log_file(of_key(&key));
        assert_eq!(layout.trail_prefix.as_deref(), Some("a/AWSLogs/b/AWSLogs/o-ab12"));
        assert_eq!(layout.account_id.as_deref(), Some("123456789012"));
        assert_eq!(layout.aws_region.as_deref(), Some("us-east-1"));
        assert_eq!(layout.delivered_at.unwrap().to_string(), "2026-01-05 07:15:00");
        assert_eq!(layout.delivered_identity().as_deref(), Some(FILE));
    }

    #[test]
    fn what_is_no_log_file_in_a_bucket() {
        let day = "123456789012/CloudTrail/us-east-1/2026/01/05";
        for key in [
            format!("AWSLogs/{day}/"),
            format!("AWSLogs/{day}/notes.txt"),
            format!("AWSLogs/{day}/x.json"),
            format!("{day}/{FILE}"),
            "AWSLogs/123456789012/CloudTrail/".to_owned(),
            "AWSLogs/123456789012/CloudTrail-Digest/us-east-1/2026/01/05/x.json.gz".to_owned(),
            "AWSLogs/123456789012/Config/us-east-1/2026/1/5/x.json.gz".to_owned(),
            "AWSLogs/123456789012/elasticloadbalancing/us-east-1/2026/01/05/x.log.gz".to_owned(),
        ] {
            assert_eq!(of_key(&key), Named::NotALogFile, "{key}");
        }
    }

    #[test]
    fn files_in_a_folder_are_read_whatever_they_are_called() {
        assert_eq!(of_path("x/README.md"), Named::NotALogFile);
        assert_eq!(of_path("x/CloudTrail-Digest/y.json.gz"), Named::NotALogFile);
        assert_eq!(of_path("x/lake/activity/_delta_log/0.json"), Named::NotALogFile);
        let layout = log_file(of_path("x/events.json"));
        assert_eq!(layout.delivered_identity(), None);
        assert_eq!(layout.account_id, None);
        let unpacked = log_file(of_path(&format!("x/{}", FILE.trim_end_matches(".gz"))));
        assert_eq!(unpacked.delivered_identity().as_deref(), Some(FILE));
    }

    #[test]
    fn folders_on_the_way_to_a_region() {
        let region = |account_id, aws_region| Folder::Region { account_id, aws_region };
        for (folder, expect) in [
            ("", Folder::Before),
            ("logs/", Folder::Before),
            ("logs/AWSLogs/", Folder::OnTheWay),
            ("AWSLogs/o-ab12/", Folder::OnTheWay),
            ("AWSLogs/o-ab12/123456789012/", Folder::OnTheWay),
            ("AWSLogs/123456789012/CloudTrail/", Folder::OnTheWay),
            ("AWSLogs/123456789012/CloudTrail/us-east-1/", region("123456789012", "us-east-1")),
            ("AWSLogs/123456789012/CloudTrail/us-east-1/2026/", Folder::Other),
            ("AWSLogs/123456789012/CloudTrail/elsewhere/", Folder::Other),
            ("AWSLogs/123456789012/CloudTrail-Digest/", Folder::Other),
            ("AWSLogs/123456789012/Config/", Folder::Other),
            ("AWSLogs/vpc/", Folder::Other),
        ] {
            assert_eq!(of_folder(folder), expect, "{folder}");
        }
        assert!(is_within_region("x/AWSLogs/o-ab12/123456789012/CloudTrail/us-east-1/2026/01"));
        assert!(!is_within_region("x/AWSLogs/o-ab12/123456789012/CloudTrail/us-east-1"));
        assert!(!is_within_region("x/AWSLogs/"));
    }

    #[test]
    fn names_that_only_resemble() {
        for name in [
            "811596193553_CloudTrail_us-east-1-20200930T2300.json",
            "123456789012_CloudTrail_us-east-1_20261305T0715Z_aB3dE5gH7jK9mN1p.json.gz",
            "123456789012_CloudTrail_us-east-1_20260105T0715Z_.json.gz",
            "12345_CloudTrail_us-east-1_20260105T0715Z_aB3dE5gH7jK9mN1p.json.gz",
        ] {
            assert!(!log_file(of_path(name)).delivered_name, "{name}");
        }
    }
}
