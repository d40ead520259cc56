//! Where log files come from: a folder, a file, or a prefix of a bucket.
//!
//! Lists candidates and fetches their bytes. Does not parse them, and does not know the lake.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::layout::{self, Layout, Named};
use crate::objects::{Fetched, Object, Objects};
use crate::{IngestError, Notice, Progress, Selection};

pub(crate) mod listing;
mod s3;

use listing::{Listing, Pruning};
pub use s3::{S3, S3Options};

/// A place to read log files from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder, walked to its leaves, or one file.
    Path(PathBuf),
    /// Everything below a prefix of a bucket.
    Bucket {
        /// Name of the bucket.
        bucket: String,
        /// Prefix of the keys; may be empty.
        prefix: String,
    },
}

impl Source {
    /// Reads what the user typed: `s3://bucket/prefix`, else a path.
    ///
    /// # Errors
    ///
    /// For another scheme, and for `s3://` without a bucket.
    pub fn parse(text: &str) -> Result<Self, IngestError> {
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err(IngestError::BadSource {
                    name: text.to_owned(),
                    problem: "names no bucket: write s3://bucket/prefix",
                });
            }
            return Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() });
        }
        if text.contains("://") {
            return Err(IngestError::BadSource {
                name: text.to_owned(),
                problem: "is neither a path nor s3://bucket/prefix",
            });
        }
        Ok(Self::Path(PathBuf::from(text)))
    }
}

/// A log file, or what may be one, before its bytes are there.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) place: Place,
    pub(crate) layout: Layout,
    /// Size as listed, in bytes.
    pub(crate) bytes: u64,
    /// ETag, where a notification tells it.
    pub(crate) etag: Option<String>,
    /// Whatever the one who sends the candidate tells it by.
    pub(crate) ticket: u64,
}

/// Where the bytes of a candidate are.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    File(PathBuf),
    Object(Object),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Object(object) => write!(f, "{object}"),
        }
    }
}

/// Lists the candidates of `source` that `selection` wants.
pub(crate) async fn list(
    source: &Source,
    selection: &Selection,
    objects: Option<&dyn Objects>,
    progress: &Progress,
    found: &mpsc::Sender<Candidate>,
) -> Result<(), IngestError> {
    match source {
        Source::Path(path) => {
            let (path, selection) = (path.clone(), selection.clone());
            let (progress, found) = (progress.clone(), found.clone());
            let walk = move || walk(&path, &selection, &progress, &found);
            tokio::task::spawn_blocking(walk).await.map_err(IngestError::stopped)?
        }
        Source::Bucket { bucket, prefix } => {
            let objects = objects.ok_or_else(|| IngestError::NoS3 { bucket: bucket.clone() })?;
            list_bucket(objects, bucket, prefix, selection, progress, found).await
        }
    }
}

async fn list_bucket(
    objects: &dyn Objects,
    bucket: &str,
    prefix: &str,
    selection: &Selection,
    progress: &Progress,
    found: &mpsc::Sender<Candidate>,
) -> Result<(), IngestError> {
    // Everything is looked at, so that everything is counted: also what the filters leave out.
    let mut listing = Listing::start(objects, bucket, prefix, Pruning::default()).await?;
    while let Some(listed) = listing.next().await? {
        let layout = match layout::of_key(&listed.key) {
            Named::LogFile(layout) => layout,
            Named::NotALogFile(other) => {
                progress.not_a_log_file(&other);
                continue;
            }
        };
        let (bucket, key) = (bucket.to_owned(), listed.key);
        let place = Place::Object(Object { bucket, key, version_id: None });
        if !selection.wants(&layout, &place, progress) {
            continue;
        }
        progress.found(listed.bytes);
        let candidate = Candidate { place, layout, bytes: listed.bytes, etag: None, ticket: 0 };
        if found.send(candidate).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Fetches the bytes at `place`, at most `cap` of them.
pub(crate) async fn fetch(
    place: &Place,
    cap: u64,
    objects: Option<&dyn Objects>,
) -> Result<Fetched, IngestError> {
    match place {
        Place::File(path) => {
            let path = path.clone();
            let read = move || read_file(&path, cap);
            tokio::task::spawn_blocking(read).await.map_err(IngestError::stopped)?
        }
        Place::Object(object) => {
            let no_s3 = || IngestError::NoS3 { bucket: object.bucket.clone() };
            objects.ok_or_else(no_s3)?.get(object, cap).await
        }
    }
}

fn read_file(path: &Path, cap: u64) -> Result<Fetched, IngestError> {
    use std::io::Read as _;
    let unreadable = |source| IngestError::Unreadable { file: path.display().to_string(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    if size > cap {
        return Err(IngestError::TooLarge { file: path.display().to_string(), cap, size });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    // A file may grow while it is read, and a special file has no size at all.
    file.take(cap + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > cap {
        let size = bytes.len() as u64;
        return Err(IngestError::TooLarge { file: path.display().to_string(), cap, size });
    }
    Ok(Fetched { bytes: Bytes::from(bytes), version_id: None, etag: None })
}

/// Walks a folder in the order of names, so that two runs see the same order.
fn walk(
    root: &Path,
    selection: &Selection,
    progress: &Progress,
    found: &mpsc::Sender<Candidate>,
) -> Result<(), IngestError> {
    let named_one_by_one = !root.is_dir();
    if !root.exists() {
        return Err(IngestError::NoSuchPath { path: root.display().to_string() });
    }
    for entry in walkdir::WalkDir::new(root).follow_links(true).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if let Some(gone) = gone_log_file(root, &error) => {
                if selection.wants(&gone.layout, &gone.place, progress) {
                    progress.found(0);
                    if found.blocking_send(gone).is_err() {
                        return Ok(());
                    }
                }
                continue;
            }
            Err(error) => {
                let place = error.path().unwrap_or(root).display().to_string();
                let reason = match error.loop_ancestor() {
                    Some(_) => "is a link to a folder above it".to_owned(),
                    None => error.io_error().map_or_else(|| error.to_string(), ToString::to_string),
                };
                progress.unreadable(&place, &reason);
                continue;
            }
        };
        if entry.file_type().is_dir() {
            continue;
        }
        let path = path_in_bucket(root, entry.path());
        let named = match named_one_by_one {
            true => Named::LogFile(layout::of_named_file(&path)),
            false => layout::of_path(&path),
        };
        let layout = match named {
            Named::LogFile(layout) => layout,
            Named::NotALogFile(other) => {
                progress.not_a_log_file(&other);
                continue;
            }
        };
        let place = Place::File(entry.path().to_owned());
        if let Some(reason) = unusable(&entry, named_one_by_one) {
            progress.unreadable(&place.to_string(), reason);
            continue;
        }
        let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
        if !selection.wants(&layout, &place, progress) {
            continue;
        }
        progress.found(bytes);
        if found.blocking_send(Candidate { place, layout, bytes, etag: None, ticket: 0 }).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// What has a log file's name but cannot be looked at, such as a link to nowhere: reading it says why, and leaves that in
/// the ledger.
fn gone_log_file(root: &Path, error: &walkdir::Error) -> Option<Candidate> {
    let path = error.path().filter(|path| error.loop_ancestor().is_none() && !path.is_dir())?;
    path.to_str()?;
    match layout::of_path(&path_in_bucket(root, path)) {
        Named::LogFile(layout) if layout.delivered_name => {
            let place = Place::File(path.to_owned());
            Some(Candidate { place, layout, bytes: 0, etag: None, ticket: 0 })
        }
        _ => None,
    }
}

/// Why a file that looks like a log file is not even opened.
fn unusable(entry: &walkdir::DirEntry, named_one_by_one: bool) -> Option<&'static str> {
    // A pipe that somebody names is meant; one that lies in a folder would be waited for without end.
    if !named_one_by_one && !entry.file_type().is_file() {
        return Some("is no regular file");
    }
    // The ledger says which file each row came from, and it holds text.
    if entry.path().to_str().is_none() {
        return Some("has a name that is not UTF-8: rename it");
    }
    None
}

/// The path as it was in the bucket that the folder is a copy of: what leads to the copy says nothing about
/// the trail.
fn path_in_bucket(root: &Path, path: &Path) -> String {
    let full = path.to_string_lossy().into_owned();
    let below = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    if below.split('/').any(|part| part == "AWSLogs") {
        return below;
    }
    match full.rfind("/AWSLogs/") {
        Some(at) => full.get(at + 1..).unwrap_or(&full).to_owned(),
        None => full,
    }
}

impl Selection {
    /// Whether anything of this account and region may be wanted.
    pub(crate) fn wants_region(&self, account_id: &str, aws_region: &str) -> bool {
        let listed = |list: &[String], value: &str| {
            list.is_empty() || list.iter().any(|wanted| wanted == value)
        };
        listed(&self.accounts, account_id) && listed(&self.regions, aws_region)
    }

    /// Whether a log file of a bucket is wanted, all of whose layout is known.
    pub(crate) fn wants_key(&self, layout: &Layout) -> bool {
        let (account, region) = (layout.account_id.as_deref(), layout.aws_region.as_deref());
        let date = layout.delivered_date;
        self.wants_region(account.unwrap_or_default(), region.unwrap_or_default())
            && self.since.is_none_or(|since| date.is_some_and(|date| date >= since))
            && self.until.is_none_or(|until| date.is_some_and(|date| date <= until))
    }

    /// Whether a candidate is wanted. One that lacks the layout cannot be told, is left out, and is said.
    pub(crate) fn wants(&self, layout: &Layout, place: &Place, progress: &Progress) -> bool {
        let told = |wanted: bool, known: bool, filter: &'static str| {
            if wanted && !known {
                progress.notice(Notice::CannotTell { file: place.to_string(), filter });
            }
            !wanted || known
        };
        let date = layout.delivered_date;
        let by_date = self.since.is_some() || self.until.is_some();
        let tellable = told(!self.accounts.is_empty(), layout.account_id.is_some(), "--account")
            && told(!self.regions.is_empty(), layout.aws_region.is_some(), "--region")
            && told(by_date, date.is_some(), "--since and --until");
        let listed = |list: &[String], value: &Option<String>| {
            list.is_empty() || value.as_ref().is_some_and(|value| list.contains(value))
        };
        let wanted = tellable
            && listed(&self.accounts, &layout.account_id)
            && listed(&self.regions, &layout.aws_region)
            && self.since.is_none_or(|since| date.is_some_and(|date| date >= since))
            && self.until.is_none_or(|until| date.is_some_and(|date| date <= until));
        if !wanted {
            progress.not_selected();
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_a_copy_is_no_part_of_the_trail() {
        let check = |root: &str, path: &str, expect: &str| {
            assert_eq!(path_in_bucket(Path::new(root), Path::new(path)), expect);
        };
        check("/home/a/logs", "/home/a/logs/x/AWSLogs/1/f.json", "x/AWSLogs/1/f.json");
        check("/home/a/AWSLogs/1", "/home/a/AWSLogs/1/f.json", "AWSLogs/1/f.json");
        check("logs", "logs/f.json", "logs/f.json");
        check("f.json", "f.json", "f.json");
    }

    #[test]
    fn sources_are_paths_or_prefixes() {
        let bucket = Source::Bucket { bucket: "b".to_owned(), prefix: "p/q".to_owned() };
        assert_eq!(Source::parse("s3://b/p/q").unwrap(), bucket);
        assert!(Source::parse("s3:///p").is_err());
        assert!(Source::parse("https://b/p").is_err());
    }
}
