//! What a store of objects does: S3 as the emulator has it, and the double.

use rolecall_ingest::objects::{ListRequest, MemoryObjects, Object, Objects, Page};
use rolecall_ingest::{FetchFailure, IngestError, S3, S3Options};

use super::{wait, with_emulator};
use crate::support::{Bucket, bucket};

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};

const CAP: u64 = 1 << 20;

/// A bucket that keeps versions, and the store that reads it.
trait Ground {
    fn objects(&self) -> &dyn Objects;
    fn bucket(&self) -> &str;
    /// Stores an object and returns its version.
    async fn put(&self, key: &str, bytes: &[u8]) -> String;
    async fn delete(&self, key: &str);
}

struct Emulated {
    s3: S3,
    bucket: Bucket,
}

impl Emulated {
    async fn new() -> Self {
        let bucket = tokio::task::spawn_blocking(bucket).await.unwrap();
        let enabled = BucketVersioningStatus::Enabled;
        let versioning = VersioningConfiguration::builder().status(enabled).build();
        let put = bucket.client().put_bucket_versioning().bucket(bucket.name());
        put.versioning_configuration(versioning).send().await.unwrap();
        Self { s3: S3::connect(&S3Options::default()).await, bucket }
    }
}

impl Ground for Emulated {
    fn objects(&self) -> &dyn Objects {
        &self.s3
    }

    fn bucket(&self) -> &str {
        self.bucket.name()
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> String {
        let put = self.bucket.client().put_object().bucket(self.bucket()).key(key);
        let put = put.body(bytes.to_vec().into()).send().await.unwrap();
        put.version_id().unwrap().to_owned()
    }

    async fn delete(&self, key: &str) {
        let delete = self.bucket.client().delete_object().bucket(self.bucket()).key(key);
        delete.send().await.unwrap();
    }
}

struct InMemory(MemoryObjects);

impl Ground for InMemory {
    fn objects(&self) -> &dyn Objects {
        &self.0
    }

    fn bucket(&self) -> &str {
        "bucket"
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> String {
        self.0.put("bucket", key, bytes.to_vec())
    }

    async fn delete(&self, key: &str) {
        self.0.delete("bucket", key);
    }
}

#[test]
fn s3_behaves() {
    with_emulator("conformance::objects::s3_behaves", async {
        every_behaviour(&Emulated::new().await).await;
    });
}

#[test]
fn the_objects_in_memory_behave_alike() {
    wait(every_behaviour(&InMemory(MemoryObjects::new())));
}

async fn every_behaviour(ground: &impl Ground) {
    fetches(ground).await;
    fetches_versions(ground).await;
    names_what_is_not_there(ground).await;
    stops_at_the_cap(ground).await;
    lists(ground).await;
}

fn object(ground: &impl Ground, key: &str, version: Option<&str>) -> Object {
    Object {
        bucket: ground.bucket().to_owned(),
        key: key.to_owned(),
        version_id: version.map(str::to_owned),
    }
}

async fn fetches(ground: &impl Ground) {
    for key in ["plain", "a b+c/100%25 für alle/?x=y&z#.json", "trailing/"] {
        let version = ground.put(key, key.as_bytes()).await;
        let fetched = ground.objects().get(&object(ground, key, None), CAP).await.unwrap();
        assert_eq!(fetched.bytes, key, "{key}");
        assert_eq!(fetched.version_id.as_deref(), Some(version.as_str()), "{key}");
        let etag = fetched.etag.unwrap();
        assert!(etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"'), "{etag}");
        ground.delete(key).await;
    }
    ground.put("empty", b"").await;
    let empty = ground.objects().get(&object(ground, "empty", None), CAP).await.unwrap();
    assert!(empty.bytes.is_empty());
    ground.delete("empty").await;
}

async fn fetches_versions(ground: &impl Ground) {
    let first = ground.put("versions", b"one").await;
    let second = ground.put("versions", b"two").await;
    assert_ne!(first, second);
    let get = async |version: Option<&str>| {
        ground.objects().get(&object(ground, "versions", version), CAP).await.map(|got| got.bytes)
    };
    assert_eq!(get(None).await.unwrap(), "two");
    assert_eq!(get(Some(&first)).await.unwrap(), "one");
    ground.delete("versions").await;
    assert_eq!(kind(get(None).await), FetchFailure::NoSuchKey);
    assert_eq!(get(Some(&second)).await.unwrap(), "two", "a version outlives the key");
}

#[track_caller]
fn kind<T: std::fmt::Debug>(result: Result<T, IngestError>) -> FetchFailure {
    match result {
        Err(IngestError::Fetching { kind, .. }) => kind,
        other => panic!("not a failed fetch: {other:?}"),
    }
}

async fn names_what_is_not_there(ground: &impl Ground) {
    let missing = ground.objects().get(&object(ground, "missing", None), CAP).await;
    assert_eq!(kind(missing), FetchFailure::NoSuchKey);
    ground.put("there", b"x").await;
    let version = "11111111-1111-1111-1111-111111111111";
    let missing = ground.objects().get(&object(ground, "there", Some(version)), CAP).await;
    assert_eq!(kind(missing), FetchFailure::NoSuchVersion);
    ground.delete("there").await;
}

async fn stops_at_the_cap(ground: &impl Ground) {
    ground.put("large", &[b'x'; 1_000]).await;
    let large = object(ground, "large", None);
    assert_eq!(ground.objects().get(&large, 1_000).await.unwrap().bytes.len(), 1_000);
    match ground.objects().get(&large, 999).await {
        Err(IngestError::TooLarge { cap: 999, size: 1_000, .. }) => {}
        other => panic!("not too large: {other:?}"),
    }
    ground.delete("large").await;
}

async fn lists(ground: &impl Ground) {
    let keys = ["a+b/1", "a/1", "a/2", "b c", "c/1", "c/2/3", "d", "é"];
    for key in keys {
        ground.put(key, key.as_bytes()).await;
    }
    ground.put("gone", b"x").await;
    ground.delete("gone").await;
    let bucket = ground.bucket().to_owned();
    let all = ListRequest { bucket: bucket.clone(), ..ListRequest::default() };

    let whole = ground.objects().list(&all).await.unwrap();
    assert_eq!((names(&whole), whole.next), (keys.map(str::to_owned).to_vec(), None));
    for listed in &whole.objects {
        assert_eq!(listed.bytes, listed.key.len() as u64, "{}", listed.key);
    }
    for size in 1..=keys.len() {
        let request = ListRequest { max_entries: Some(size), ..all.clone() };
        let (found, pages) = page_by_page(ground, request).await;
        assert_eq!(found, keys, "pages of {size}");
        assert_eq!(pages, keys.len().div_ceil(size), "pages of {size}");
    }
    let after = ListRequest { after: Some("b c".to_owned()), ..all.clone() };
    assert_eq!(names(&ground.objects().list(&after).await.unwrap()), ["c/1", "c/2/3", "d", "é"]);
    let between =
        ListRequest { after: Some("a/11".to_owned()), max_entries: Some(2), ..all.clone() };
    let (found, _) = page_by_page(ground, between).await;
    assert_eq!(found, ["a/2", "b c", "c/1", "c/2/3", "d", "é"], "after a key that is not there");

    let below = ListRequest { prefix: "c/".to_owned(), ..all.clone() };
    assert_eq!(names(&ground.objects().list(&below).await.unwrap()), ["c/1", "c/2/3"]);
    let none = ListRequest { prefix: "nothing".to_owned(), ..all.clone() };
    assert_eq!(ground.objects().list(&none).await.unwrap(), Page::default());

    let folders = ListRequest { folders: true, ..all };
    let page = ground.objects().list(&folders).await.unwrap();
    assert_eq!(page.prefixes, ["a+b/", "a/", "c/"]);
    assert_eq!(names(&page), ["b c", "d", "é"]);
    for size in 1..=6 {
        let (mut found, _) =
            page_by_page(ground, ListRequest { max_entries: Some(size), ..folders.clone() }).await;
        found.sort();
        assert_eq!(found, ["a+b/", "a/", "b c", "c/", "d", "é"], "folders in pages of {size}");
    }
    let inner = ListRequest { prefix: "c/".to_owned(), ..folders };
    let page = ground.objects().list(&inner).await.unwrap();
    assert_eq!(
        (page.prefixes.clone(), names(&page)),
        (vec!["c/2/".to_owned()], vec!["c/1".to_owned()])
    );
}

fn names(page: &Page) -> Vec<String> {
    page.objects.iter().map(|listed| listed.key.clone()).collect()
}

/// Everything, page by page, and how many pages there were.
async fn page_by_page(ground: &impl Ground, mut request: ListRequest) -> (Vec<String>, usize) {
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = ground.objects().list(&request).await.unwrap();
        pages += 1;
        assert!(pages < 100, "the listing does not end");
        found.extend(names(&page));
        found.extend(page.prefixes);
        request.token = page.next;
        if request.token.is_none() {
            return (found, pages);
        }
    }
}
