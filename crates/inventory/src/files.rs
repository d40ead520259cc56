//! A folder of files, each recognised by what is in it.
//!
//! Every file of the folder and those below it is looked at, hidden ones left out. A file that cannot
//! be read, or is nothing that is known here, is named; the others count all the same. Which account a
//! file is of is told by the ARNs in it; else by the files beside it, or by a folder's name. As of when it is, the
//! content tells where it does, else the user, else when the file was written.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall_lake::inventory::TimeFrom;
use walkdir::{DirEntry, WalkDir};

use crate::error::{Problem, Rejected};
use crate::facts::{Facts, is_account};
use crate::output::Output;
use crate::report;
use crate::stamp::Stamp;

mod accessed;
mod credentials;
mod latest;
mod names;
mod shared;
mod take_in;
mod vendors;

/// What a folder held.
#[derive(Debug, Default)]
pub struct Folder {
    /// All that was read.
    pub facts: Facts,
    /// Files that something was read from.
    pub files: u64,
    /// When the newest of them was written, in microseconds; none where there is none.
    pub newest: Option<i64>,
    /// Files that were not taken.
    pub rejected: Vec<Rejected>,
}

/// A file, parsed.
struct Parsed {
    path: PathBuf,
    modified: Option<i64>,
    content: Content,
    /// Of its bytes: the same for copies.
    fingerprint: u64,
}

enum Content {
    Outputs(Vec<Output>),
    /// A credential report, and when it was made.
    Report(Vec<u8>, Option<i64>),
    Vendors(Vec<vendors::Vendor>),
}

/// Reads all files below `folder`. Those whose content does not say as of when it is were true at `given`, in
/// microseconds, or else when they were written.
pub fn read_folder(folder: &Path, given: Option<i64>) -> Folder {
    let mut found = Folder::default();
    let mut files = Vec::new();
    let seen = |entry: &DirEntry| entry.depth() == 0 || !is_hidden(entry);
    for entry in WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(seen) {
        let entry = match entry {
            Ok(entry) if entry.file_type().is_file() => entry,
            Ok(_) => continue,
            Err(error) => {
                let path = error.path().unwrap_or(folder).display().to_string();
                let problem = Problem::Unreadable(io_words(error.io_error()));
                found.rejected.push(Rejected::new(path, problem));
                continue;
            }
        };
        match parse(&entry) {
            Ok(parsed) => files.push(parsed),
            Err(problem) => {
                found.rejected.push(Rejected::new(entry.path().display().to_string(), problem));
            }
        }
    }
    let homes = Homes::of(folder, &files);
    for file in files {
        let home = homes.home(&file.path);
        let written = file.modified.map(|at| Stamp { at, from: TimeFrom::File });
        let given = given.map(|at| Stamp { at, from: TimeFrom::Given });
        let source = take_in::Source {
            path: &file.path,
            fingerprint: file.fingerprint,
            stamp: given.or(written),
            partitions: &homes.partitions,
        };
        match take_in::file(&mut found.facts, source, file.content, home) {
            Ok(()) => {
                found.files += 1;
                found.newest = found.newest.max(file.modified);
            }
            Err(problem) => {
                found.rejected.push(Rejected::new(file.path.display().to_string(), problem));
            }
        }
    }
    found.rejected.sort_by(|a, b| a.input.cmp(&b.input));
    found
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_str().is_some_and(|name| name.starts_with('.'))
}

fn io_words(error: Option<&std::io::Error>) -> String {
    error.map_or_else(|| "it is in a circle of links".to_owned(), |error| error.kind().to_string())
}

fn parse(entry: &DirEntry) -> Result<Parsed, Problem> {
    let path = entry.path().to_owned();
    let bytes =
        std::fs::read(&path).map_err(|error| Problem::Unreadable(io_words(Some(&error))))?;
    let bytes = in_utf8(bytes);
    let modified = entry.metadata().ok().and_then(|data| data.modified().ok()).and_then(micros);
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Ok(Parsed { content: content(&path, bytes)?, path, modified, fingerprint: hasher.finish() })
}

/// PowerShell writes what a command prints in UTF-16.
fn in_utf8(bytes: Vec<u8>) -> Vec<u8> {
    let unit: fn([u8; 2]) -> u16 = match bytes.get(..2) {
        Some([0xff, 0xfe]) => u16::from_le_bytes,
        Some([0xfe, 0xff]) => u16::from_be_bytes,
        _ => return bytes,
    };
    let units = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let text: String = char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect();
    text.into_bytes()
}

fn micros(time: SystemTime) -> Option<i64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok()
}

fn content(path: &Path, bytes: Vec<u8>) -> Result<Content, Problem> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') => return outputs(text),
        None => return Err(Problem::Empty),
        Some(_) => {}
    }
    let compressed = [
        (&b"\x1f\x8b"[..], "gunzip"),
        (b"PK\x03\x04", "unzip"),
        (b"\x28\xb5\x2f\xfd", "unzstd"),
        (b"BZh", "bunzip2"),
        (b"\xfd7zXZ", "unxz"),
    ];
    if let Some((_, with)) = compressed.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err(Problem::Compressed(with));
    }
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if std::str::from_utf8(first).is_ok_and(report::is_header) {
        return Ok(Content::Report(text.to_vec(), None));
    }
    // `--query Content --output text` prints the report's base64 alone.
    let packed: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if let Ok(csv) = STANDARD.decode(packed)
        && let Some(first) = csv.split(|byte| *byte == b'\n').next()
        && std::str::from_utf8(first).is_ok_and(report::is_header)
    {
        return Ok(Content::Report(csv, None));
    }
    let is_yaml = path
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("yaml") || end.eq_ignore_ascii_case("yml"));
    if is_yaml {
        return Ok(Content::Vendors(vendors::parse(text)?));
    }
    Err(Problem::NotRecognised)
}

/// One output, several one after the other, or an array of them.
fn outputs(text: &[u8]) -> Result<Content, Problem> {
    let is_array = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let outputs: Vec<Output> = if is_array {
        serde_json::from_slice(text)?
    } else {
        let values = serde_json::Deserializer::from_slice(text).into_iter::<Output>();
        values.collect::<Result<_, _>>()?
    };
    if outputs.is_empty() || !outputs.iter().all(Output::is_known) {
        return Err(Problem::NotRecognised);
    }
    if let [output] = &outputs[..]
        && let Some(encoded) = output.report()
    {
        let encoded: String = encoded.split_whitespace().collect();
        let csv = STANDARD.decode(encoded).map_err(|_| Problem::Shape {
            line: 1,
            column: 1,
            reason: "Content is no base64".to_owned(),
        })?;
        return Ok(Content::Report(csv, output.generated_time));
    }
    Ok(Content::Outputs(outputs))
}

/// The account that a file is of where it does not say itself: by the folder that it lies in.
struct Homes {
    by_folder: BTreeMap<PathBuf, Option<String>>,
    /// Partitions of the accounts, by the ARNs of what is in them.
    partitions: BTreeMap<String, String>,
}

impl Homes {
    fn of(top: &Path, files: &[Parsed]) -> Self {
        let mut named: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
        let mut partitions = BTreeMap::new();
        for file in files {
            let places: BTreeSet<(String, String)> = match &file.content {
                Content::Outputs(outputs) => {
                    take_in::arns(outputs).into_iter().filter_map(take_in::place).collect()
                }
                Content::Report(csv, _) => take_in::places_of_report(csv),
                Content::Vendors(_) => BTreeSet::new(),
            };
            let accounts: BTreeSet<String> =
                places.iter().map(|(account, _)| account.clone()).collect();
            partitions.extend(places);
            // A folder's own files speak for it, and those below for the folders above.
            for folder in file.path.ancestors().skip(1).take_while(|folder| folder.starts_with(top))
            {
                named.entry(folder.to_owned()).or_default().extend(accounts.iter().cloned());
            }
        }
        let one = |accounts: BTreeSet<String>| {
            let mut accounts = accounts.into_iter();
            accounts.next().filter(|_| accounts.next().is_none())
        };
        let by_folder = named.into_iter().map(|(folder, all)| (folder, one(all))).collect();
        Self { by_folder, partitions }
    }

    /// The nearest folder that tells: by its name, or because all in it is of one account.
    fn home(&self, file: &Path) -> Option<String> {
        for folder in file.ancestors().skip(1) {
            let name = folder.file_name().and_then(|name| name.to_str());
            if let Some(name) = name.filter(|name| is_account(name)) {
                return Some(name.to_owned());
            }
            match self.by_folder.get(folder) {
                Some(Some(account)) => return Some(account.clone()),
                Some(None) => {}
                None => return None,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
