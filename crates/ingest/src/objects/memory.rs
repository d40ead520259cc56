//! Objects in memory: for tests, and for measuring the worker by itself.
//!
//! Keeps every version of a key. On demand it fails a fetch or holds it up; it remembers how many fetches
//! ran at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;

use super::{Fetched, ListRequest, Listed, Object, Objects, Page};
use crate::IngestError;
use crate::error::FetchFailure;

const PAGE: usize = 1_000;

/// Runs before each fetch: may wait, and decides whether the fetch fails.
pub type ObjectFault =
    Arc<dyn Fn(Object) -> BoxFuture<'static, Option<FetchFailure>> + Send + Sync>;

/// An object's versions, oldest first; one without bytes is a deletion.
type Versions = Vec<Option<Bytes>>;

/// Objects in memory; clones share them.
#[derive(Clone, Default)]
pub struct MemoryObjects {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// All versions by bucket and key, the latest last; `None` marks a deletion.
    objects: Mutex<BTreeMap<(String, String), Versions>>,
    fault: Mutex<Option<ObjectFault>>,
    fetching: AtomicUsize,
    most_fetching: AtomicUsize,
    fetches: AtomicUsize,
}

impl std::fmt::Debug for MemoryObjects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryObjects").field("fetches", &self.fetches()).finish_non_exhaustive()
    }
}

impl MemoryObjects {
    /// No objects.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores a new version and returns its id.
    pub fn put(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) -> String {
        self.add(bucket, key, Some(bytes.into()))
    }

    /// Hides the key behind a deletion; its versions stay.
    pub fn delete(&self, bucket: &str, key: &str) {
        self.add(bucket, key, None);
    }

    /// From now on, fetches fail as `fault` says.
    pub fn set_fault(&self, fault: Option<ObjectFault>) {
        *self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// How many fetches were asked for so far.
    pub fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }

    /// The largest number of fetches that ran at once.
    pub fn most_fetching(&self) -> usize {
        self.shared.most_fetching.load(Ordering::SeqCst)
    }

    fn add(&self, bucket: &str, key: &str, bytes: Option<Bytes>) -> String {
        let mut objects = self.shared.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let versions = objects.entry((bucket.to_owned(), key.to_owned())).or_default();
        versions.push(bytes);
        format!("v{}", versions.len())
    }

    fn find(&self, object: &Object) -> Result<(Bytes, String), FetchFailure> {
        let objects = self.shared.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let versions = objects.get(&(object.bucket.clone(), object.key.clone()));
        let versions = versions.ok_or(FetchFailure::NoSuchKey)?;
        let number = match &object.version_id {
            Some(id) => id.strip_prefix('v').and_then(|number| number.parse().ok()),
            None => Some(versions.len()),
        };
        let version = number.and_then(|number: usize| versions.get(number.checked_sub(1)?));
        match version {
            Some(Some(bytes)) => Ok((bytes.clone(), format!("v{}", number.unwrap_or(1)))),
            Some(None) => Err(FetchFailure::NoSuchKey),
            None => Err(FetchFailure::NoSuchVersion),
        }
    }

    async fn fetch(&self, object: &Object, cap: u64) -> Result<Fetched, IngestError> {
        let failing = |kind| IngestError::Fetching {
            file: object.to_string(),
            problem: format!("{kind:?}"),
            kind,
        };
        let fault = self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(fault) = fault
            && let Some(kind) = fault(object.clone()).await
        {
            return Err(failing(kind));
        }
        let (bytes, version_id) = self.find(object).map_err(failing)?;
        if bytes.len() as u64 > cap {
            let (file, size) = (object.to_string(), bytes.len() as u64);
            return Err(IngestError::TooLarge { file, cap, size });
        }
        let etag = Some(format!("\"{}-{}\"", bytes.len(), version_id));
        Ok(Fetched { bytes, version_id: Some(version_id), etag })
    }
}

/// Counts one fetch for as long as it runs, even if it is given up.
struct Fetching<'s>(&'s Shared);

impl<'s> Fetching<'s> {
    fn start(shared: &'s Shared) -> Self {
        shared.fetches.fetch_add(1, Ordering::SeqCst);
        let running = shared.fetching.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_fetching.fetch_max(running, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        self.0.fetching.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Objects for MemoryObjects {
    async fn get(&self, object: &Object, cap: u64) -> Result<Fetched, IngestError> {
        let _counted = Fetching::start(&self.shared);
        self.fetch(object, cap).await
    }

    async fn list(&self, request: &ListRequest) -> Result<Page, IngestError> {
        let after = request.token.as_ref().or(request.after.as_ref());
        let max = request.max_entries.unwrap_or(PAGE).clamp(1, PAGE);
        let objects = self.shared.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let mut page = Page::default();
        let mut last = String::new();
        for ((_, key), versions) in
            objects.iter().filter(|((bucket, _), _)| *bucket == request.bucket)
        {
            let Some(rest) = key.strip_prefix(&request.prefix) else { continue };
            let Some(Some(bytes)) = versions.last() else { continue };
            let folder = rest.split_once('/').filter(|_| request.folders);
            let folder = folder.map(|(name, _)| format!("{}{name}/", request.prefix));
            let name = folder.as_ref().unwrap_or(key);
            // A token names a whole folder, so what lies in it has been told.
            let told = match &request.token {
                Some(token) => name <= token,
                None => after.is_some_and(|after| key <= after),
            };
            if told || *name == last {
                continue;
            }
            if page.objects.len() + page.prefixes.len() >= max {
                page.next = Some(last);
                return Ok(page);
            }
            last.clone_from(name);
            match folder {
                Some(folder) => page.prefixes.push(folder),
                None => {
                    page.objects.push(Listed { key: key.clone(), bytes: bytes.len() as u64 });
                }
            }
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, version: Option<&str>) -> Object {
        Object {
            bucket: "b".to_owned(),
            key: key.to_owned(),
            version_id: version.map(str::to_owned),
        }
    }

    #[tokio::test]
    async fn versions_stay_when_a_key_is_written_again_or_deleted() {
        let objects = MemoryObjects::new();
        let first = objects.put("b", "k", "one");
        objects.put("b", "k", "two");
        assert_eq!(objects.get(&object("k", None), 9).await.unwrap().bytes, "two");
        assert_eq!(objects.get(&object("k", Some(&first)), 9).await.unwrap().bytes, "one");
        objects.delete("b", "k");
        let gone = objects.get(&object("k", None), 9).await.unwrap_err();
        assert!(matches!(gone, IngestError::Fetching { kind: FetchFailure::NoSuchKey, .. }));
        let never = objects.get(&object("k", Some("v9")), 9).await.unwrap_err();
        assert!(matches!(never, IngestError::Fetching { kind: FetchFailure::NoSuchVersion, .. }));
        assert_eq!(objects.get(&object("k", Some("v2")), 9).await.unwrap().bytes, "two");
        let large = objects.get(&object("k", Some("v2")), 2).await.unwrap_err();
        assert!(matches!(large, IngestError::TooLarge { cap: 2, size: 3, .. }));
    }

    #[tokio::test]
    async fn lists_pages_and_folders() {
        let objects = MemoryObjects::new();
        for key in ["a/1", "a/2", "b", "c/1", "c/2/3", "d"] {
            objects.put("b", key, "x");
        }
        let mut request =
            ListRequest { bucket: "b".to_owned(), max_entries: Some(2), ..Default::default() };
        let mut keys = Vec::new();
        loop {
            let page = objects.list(&request).await.unwrap();
            keys.extend(page.objects.into_iter().map(|object| object.key));
            request.token = page.next;
            if request.token.is_none() {
                break;
            }
        }
        assert_eq!(keys, ["a/1", "a/2", "b", "c/1", "c/2/3", "d"]);
        request = ListRequest {
            bucket: "b".to_owned(),
            folders: true,
            max_entries: Some(2),
            ..Default::default()
        };
        let first = objects.list(&request).await.unwrap();
        assert_eq!((first.prefixes.as_slice(), first.objects.len()), (&["a/".to_owned()][..], 1));
        request.token = first.next;
        let second = objects.list(&request).await.unwrap();
        assert_eq!((second.prefixes.as_slice(), second.objects.len()), (&["c/".to_owned()][..], 1));
        assert_eq!(second.next, None);
        request = ListRequest {
            bucket: "b".to_owned(),
            after: Some("b".to_owned()),
            ..Default::default()
        };
        assert_eq!(objects.list(&request).await.unwrap().objects.len(), 3);
    }
}
