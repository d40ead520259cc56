//! Lists a bucket in the order of delivery days across accounts and regions.
//!
//! Keys sort by account first, so a plain listing brings years of one account before the first day of the
//! next, and every batch would scatter small files over all partitions. Here every account's region is a list
//! of its own, in the order of days; they are merged day by day. Each holds one page, and pages get shorter
//! where there are many, so that memory is bounded whatever the size of the bucket.
//!
//! Everything below the prefix is listed exactly once. What lies outside of CloudTrail's layout comes last, in
//! the order of keys: log files among it are told by their names. Which objects are log files is not decided here.

use std::collections::VecDeque;

use chrono::NaiveDate;
use futures::{StreamExt as _, TryStreamExt as _};

use crate::layout;
use crate::objects::{ListRequest, Listed, Objects, Page};
use crate::{IngestError, Selection};

/// Requests at once.
const REQUESTS: usize = 16;
/// Entries in memory, all lists together, as long as each list has its shortest page.
const ENTRIES: usize = 300_000;
const SHORTEST_PAGE: usize = 20;
const LONGEST_PAGE: usize = 1_000;
/// Folders that are looked into for an `AWSLogs`. Where there are more, it is cheaper to list them through.
const FOLDERS: usize = 2_000;
/// `YYYY/MM/DD`
const DAY_CHARS: usize = 10;

/// Where a listing goes on that was broken off: after this entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    /// The day as it stands in the key.
    pub(crate) day: String,
    /// The key.
    pub(crate) key: String,
}

/// What is left out without being asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pruning {
    /// Log files that this does not want, as far as the folders tell.
    pub(crate) selection: Selection,
    /// Everything up to this.
    pub(crate) after: Option<Position>,
    /// The folders of whatever else AWS delivers.
    pub(crate) only_log_files: bool,
}

/// The log files of one account and region.
#[derive(Debug)]
struct Region {
    prefix: String,
    page: VecDeque<Listed>,
    after: Option<String>,
    token: Option<String>,
    /// There is no further page.
    ended: bool,
}

impl Region {
    /// The day of the next entry: what follows the prefix. Keys that have no day sort by whatever they have.
    fn day(&self) -> Option<&str> {
        self.page.front().map(|listed| day_of(&self.prefix, &listed.key))
    }
}

fn day_of<'k>(prefix: &str, key: &'k str) -> &'k str {
    let rest = key.strip_prefix(prefix).unwrap_or(key);
    rest.get(..DAY_CHARS).unwrap_or(rest)
}

/// A listing under way.
pub(crate) struct Listing<'o> {
    objects: &'o dyn Objects,
    bucket: String,
    pruning: Pruning,
    regions: Vec<Region>,
    /// Requests for what is listed through, one after the other.
    plain: VecDeque<ListRequest>,
    ready: VecDeque<Listed>,
    /// What was met on the way to the regions. It comes after them, so that a position in a region says that
    /// everything of earlier days has been told.
    aside: VecDeque<Listed>,
}

impl std::fmt::Debug for Listing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listing")
            .field("bucket", &self.bucket)
            .field("regions", &self.regions.len())
            .finish_non_exhaustive()
    }
}

impl<'o> Listing<'o> {
    /// Looks for accounts and regions below `prefix`.
    pub(crate) async fn start(
        objects: &'o dyn Objects,
        bucket: &str,
        prefix: &str,
        pruning: Pruning,
    ) -> Result<Self, IngestError> {
        let mut listing = Self {
            objects,
            bucket: bucket.to_owned(),
            pruning,
            regions: Vec::new(),
            plain: VecDeque::new(),
            ready: VecDeque::new(),
            aside: VecDeque::new(),
        };
        // What lies within one region is in order already.
        if layout::is_within_region(prefix) {
            let after = listing.pruning.after.as_ref().map(|position| position.key.clone());
            let request = ListRequest { after, ..listing.through(prefix.to_owned()) };
            listing.plain.push_back(request);
        } else {
            listing.explore(prefix).await?;
        }
        Ok(listing)
    }

    /// Goes down folder by folder, many at once, until regions are found.
    async fn explore(&mut self, prefix: &str) -> Result<(), IngestError> {
        let mut folders = vec![prefix.to_owned()];
        let mut looked_into = 0;
        while !folders.is_empty() {
            looked_into += folders.len();
            let mut requests = Vec::new();
            for folder in folders {
                let request = ListRequest { folders: true, ..self.through(folder) };
                requests.push(folder_page(self.objects, request));
            }
            let found: Vec<Page> =
                futures::stream::iter(requests).buffered(REQUESTS).try_collect().await?;
            folders = Vec::new();
            for page in found {
                self.aside.extend(page.objects);
                for folder in page.prefixes {
                    match layout::of_folder(&folder) {
                        layout::Folder::Region { account_id, aws_region } => {
                            let selection = &self.pruning.selection;
                            if selection.wants_region(account_id, aws_region) {
                                let region = self.region(folder);
                                self.regions.push(region);
                            }
                        }
                        layout::Folder::OnTheWay => folders.push(folder),
                        layout::Folder::Before if looked_into < FOLDERS => folders.push(folder),
                        layout::Folder::Beside if self.pruning.only_log_files => {}
                        layout::Folder::Beside | layout::Folder::Before | layout::Folder::Other => {
                            let request = self.through(folder);
                            self.plain.push_back(request);
                        }
                    }
                }
            }
        }
        self.regions.sort_by(|one, other| one.prefix.cmp(&other.prefix));
        Ok(())
    }

    fn through(&self, prefix: String) -> ListRequest {
        ListRequest { bucket: self.bucket.clone(), prefix, ..ListRequest::default() }
    }

    fn region(&self, prefix: String) -> Region {
        let since = self.pruning.selection.since.map(folder_of);
        let reached = self.pruning.after.as_ref().map(|position| position.day.clone());
        let first_day = since.max(reached);
        Region {
            after: first_day.map(|day| format!("{prefix}{day}")),
            prefix,
            page: VecDeque::new(),
            token: None,
            ended: false,
        }
    }

    /// The next object, or none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Listed>, IngestError> {
        loop {
            if let Some(listed) = self.ready.pop_front() {
                return Ok(Some(listed));
            }
            if !self.regions.is_empty() {
                self.fill().await?;
                self.take_day();
            } else if let Some(listed) = self.aside.pop_front() {
                return Ok(Some(listed));
            } else if let Some(request) = self.plain.pop_front() {
                let page = self.objects.list(&request).await?;
                self.ready.extend(page.objects);
                if page.next.is_some() {
                    self.plain.push_front(ListRequest { token: page.next, ..request });
                }
            } else {
                return Ok(None);
            }
        }
    }

    /// Brings a page to every region that has none, and drops those that have ended.
    async fn fill(&mut self) -> Result<(), IngestError> {
        let max_entries = (ENTRIES / self.regions.len()).clamp(SHORTEST_PAGE, LONGEST_PAGE);
        let mut requests = Vec::new();
        for (index, region) in self.regions.iter().enumerate() {
            if region.page.is_empty() && !region.ended {
                let request = ListRequest {
                    after: region.after.clone(),
                    token: region.token.clone(),
                    max_entries: Some(max_entries),
                    ..self.through(region.prefix.clone())
                };
                requests.push(page_of(self.objects, index, request));
            }
        }
        let pages: Vec<(usize, Page)> =
            futures::stream::iter(requests).buffer_unordered(REQUESTS).try_collect().await?;
        let until = self.pruning.selection.until.map(folder_of);
        for (index, page) in pages {
            let region = &mut self.regions[index];
            let wanted = |listed: &Listed| {
                let day = day_of(&region.prefix, &listed.key);
                until.as_deref().is_none_or(|until| day <= until)
            };
            let listed = page.objects.len();
            region.page = page.objects.into_iter().take_while(wanted).collect();
            region.ended = page.next.is_none() || region.page.len() < listed;
            region.token = page.next;
        }
        self.regions.retain(|region| !region.page.is_empty() || !region.ended);
        Ok(())
    }

    /// Takes what there is of the earliest day.
    fn take_day(&mut self) {
        // A page may be empty though there is a next one; it is asked for before anything is taken.
        if self.regions.iter().any(|region| region.page.is_empty()) {
            return;
        }
        let Some(day) = self.regions.iter().filter_map(Region::day).min().map(str::to_owned) else {
            return;
        };
        for region in &mut self.regions {
            while region.day() == Some(day.as_str()) {
                let Some(listed) = region.page.pop_front() else { break };
                let told = self.pruning.after.as_ref().is_some_and(|position| {
                    (day.as_str(), listed.key.as_str())
                        <= (position.day.as_str(), position.key.as_str())
                });
                if !told {
                    self.ready.push_back(listed);
                }
            }
            // More of this day may be on its next page, and comes before the regions that follow: within a
            // day the order is that of keys, so that a position says what has been told.
            if region.page.is_empty() && !region.ended {
                return;
            }
        }
    }
}

async fn page_of(
    objects: &dyn Objects,
    index: usize,
    request: ListRequest,
) -> Result<(usize, Page), IngestError> {
    Ok((index, objects.list(&request).await?))
}

async fn folder_page(objects: &dyn Objects, mut request: ListRequest) -> Result<Page, IngestError> {
    let mut all = Page::default();
    loop {
        let page = objects.list(&request).await?;
        all.objects.extend(page.objects);
        all.prefixes.extend(page.prefixes);
        request.token = page.next;
        if request.token.is_none() {
            return Ok(all);
        }
    }
}

fn folder_of(day: NaiveDate) -> String {
    day.format("%Y/%m/%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryObjects;

    fn put(objects: &MemoryObjects, account: u32, region: &str, day: u32, number: u32) {
        let key = format!(
            "logs/AWSLogs/o-abc/{account:012}/CloudTrail/{region}/2026/01/{day:02}/f-{number:04}.json.gz"
        );
        objects.put("b", &key, "x");
    }

    fn bucket() -> MemoryObjects {
        let objects = MemoryObjects::new();
        for account in 1..4 {
            for region in ["eu-west-1", "us-east-1"] {
                for day in [30, 2, 1, 5] {
                    for number in 0..day * 3 {
                        put(&objects, account, region, day, number);
                    }
                }
            }
        }
        for key in [
            "README",
            "logs/AWSLogs/o-abc/000000000001/CloudTrail/",
            "logs/AWSLogs/o-abc/000000000001/CloudTrail-Digest/us-east-1/2026/01/01/d.json.gz",
            "logs/AWSLogs/o-abc/000000000001/CloudTrail/us-east-1/notes.txt",
            "logs/AWSLogs/o-abc/000000000001/Config/us-east-1/2026/1/1/c.json.gz",
            "other/deep/down/file",
            "nested/AWSLogs/x/AWSLogs/000000000009/CloudTrail/us-east-1/2026/01/03/f.json.gz",
            "logs/year=2026/month=01/000000000001_CloudTrail_us-east-1_20260102T0715Z_aB3dE5gH.json.gz",
            "logs/000000000001_CloudTrail_us-east-1_20261231T0715Z_aB3dE5gH.json.gz",
        ] {
            objects.put("b", key, "x");
        }
        objects
    }

    async fn all(objects: &MemoryObjects, prefix: &str, pruning: Pruning) -> Vec<String> {
        let mut listing = Listing::start(objects, "b", prefix, pruning).await.unwrap();
        let mut keys = Vec::new();
        while let Some(listed) = listing.next().await.unwrap() {
            keys.push(listed.key);
        }
        keys
    }

    fn days(keys: &[String]) -> Vec<&str> {
        let dated =
            keys.iter().filter(|key| key.contains("/CloudTrail/") && key.contains("/2026/01/"));
        dated.filter_map(|key| key.split("/2026/01/").nth(1)?.get(..2)).collect()
    }

    #[tokio::test]
    async fn every_object_once_and_by_day_across_accounts() {
        let objects = bucket();
        let plain = ListRequest { bucket: "b".to_owned(), ..ListRequest::default() };
        for prefix in
            ["", "logs/", "logs", "logs/AWSLogs/o-abc/0000", "logs/AWSLogs/o-abc/000000000001/"]
        {
            let mut expect = Vec::new();
            let mut request = ListRequest { prefix: prefix.to_owned(), ..plain.clone() };
            loop {
                let page = objects.list(&request).await.unwrap();
                expect.extend(page.objects.into_iter().map(|listed| listed.key));
                request.token = page.next;
                if request.token.is_none() {
                    break;
                }
            }
            let mut keys = all(&objects, prefix, Pruning::default()).await;
            if !prefix.is_empty() {
                let days = days(&keys);
                assert!(days.len() > 100 && days.is_sorted(), "{prefix}: {days:?}");
            }
            keys.sort();
            assert_eq!(keys, expect, "{prefix}");
        }
    }

    #[tokio::test]
    async fn what_is_not_wanted_is_not_asked_for() {
        let objects = bucket();
        let selection = Selection {
            accounts: vec!["000000000002".to_owned()],
            regions: vec!["eu-west-1".to_owned()],
            since: NaiveDate::from_ymd_opt(2026, 1, 2),
            until: NaiveDate::from_ymd_opt(2026, 1, 5),
        };
        let pruning = Pruning { selection, after: None, only_log_files: true };
        let mut keys = all(&objects, "logs/", pruning).await;
        // What is told by its name comes last, and what other services deliver not at all.
        let aside = keys.split_off(6 + 15);
        assert_eq!(aside.len(), 3, "{aside:?}");
        assert!(aside.iter().all(|key| !key.contains("Digest") && !key.contains("Config")));
        assert!(keys.iter().all(|key| key.contains("/000000000002/CloudTrail/eu-west-1/")));
        assert!(days(&keys).iter().all(|day| ["02", "05"].contains(day)));
    }

    #[tokio::test]
    async fn goes_on_where_it_was_broken_off() {
        let objects = bucket();
        let pruning = Pruning { only_log_files: true, ..Pruning::default() };
        let keys = all(&objects, "logs/", pruning.clone()).await;
        let mut listing = Listing::start(&objects, "b", "logs/", pruning.clone()).await.unwrap();
        let mut told = Vec::new();
        while told.len() < 40 {
            told.push(listing.next().await.unwrap().unwrap().key);
        }
        let key = told.last().unwrap().clone();
        let day = format!("2026/01/{}", days(&told).last().unwrap());
        let after = Some(Position { day, key });
        let rest = all(&objects, "logs/", Pruning { after, ..pruning }).await;
        assert!(rest.iter().all(|key| !told.contains(key)));
        assert_eq!(told.len() + rest.len(), keys.len());
    }

    #[tokio::test]
    async fn within_one_region_the_order_of_keys_is_the_order_of_days() {
        let objects = bucket();
        let prefix = "logs/AWSLogs/o-abc/000000000001/CloudTrail/us-east-1/2026/01/";
        let keys = all(&objects, prefix, Pruning::default()).await;
        assert_eq!(keys.len(), 38 * 3);
        assert!(days(&keys).is_sorted());
    }
}
