//! From a candidate to its bytes and its identity; leaves out what the lake already holds.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{Datelike as _, NaiveDate};
use rolecall_lake::{ContentHash, LogFileId, LogFileMeta, Membership, Writer};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::{End, Origin, Stages, ToRead, Trouble, Watch};
use crate::IngestError;
use crate::digest::hash::hex;
use crate::disposition;
use crate::layout::Layout;
use crate::objects::{Fetched, Objects};
use crate::source::{self, Candidate, Place};

/// Asks the ledger what it knows. What it does not know yet, the commit finds out.
#[derive(Clone)]
pub(crate) enum Members {
    /// A writer for nothing else, so that asking does not wait for a commit under way.
    Own(Arc<Mutex<Writer>>),
    /// The writer that commits, or none while the lake cannot be reached. It is asked when it has time:
    /// months of files are in memory once, not twice.
    Shared(Arc<Mutex<Option<Writer>>>),
}

impl Members {
    async fn ask(&self, id: &LogFileId) -> Result<Membership, IngestError> {
        Ok(match self {
            Self::Own(writer) => writer.lock().await.membership(id).await?,
            Self::Shared(writer) => match writer.try_lock() {
                Ok(mut writer) => match writer.as_mut() {
                    Some(writer) => writer.membership(id).await?,
                    None => Membership::Unknown,
                },
                Err(_) => Membership::Unknown,
            },
        })
    }
}

/// Turns candidates into bytes, many at once.
#[derive(Clone)]
pub(super) struct Fetching {
    pub(super) members: Members,
    pub(super) objects: Option<Arc<dyn Objects>>,
    pub(super) watch: Arc<dyn Watch>,
    pub(super) stages: Stages,
    pub(super) fetched: async_channel::Sender<ToRead>,
}

impl Fetching {
    pub(super) async fn run(
        self,
        mut candidates: mpsc::Receiver<Candidate>,
    ) -> Result<(), IngestError> {
        let mut under_way = JoinSet::new();
        while let Some(candidate) = candidates.recv().await {
            if under_way.len() >= self.stages.fetches.max(1)
                && let Some(done) = under_way.join_next().await
            {
                done.map_err(IngestError::stopped)??;
            }
            under_way.spawn(self.clone().bring(candidate));
        }
        while let Some(done) = under_way.join_next().await {
            done.map_err(IngestError::stopped)??;
        }
        Ok(())
    }

    async fn bring(self, candidate: Candidate) -> Result<(), IngestError> {
        let origin = Origin {
            file: candidate.place.to_string(),
            listed_bytes: candidate.bytes,
            ticket: candidate.ticket,
        };
        match self.fetch(candidate, origin.clone()).await {
            Ok(Some(to_read)) => {
                // A closed queue means that the run is over for another reason, which is told elsewhere.
                let _ = self.fetched.send(to_read).await;
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) if self.ends_the_run(&error) => Err(error),
            Err(error) => {
                self.watch.ended(origin, End::Failed(error));
                Ok(())
            }
        }
    }

    fn ends_the_run(&self, error: &IngestError) -> bool {
        let of_the_run = matches!(
            error,
            IngestError::Stopped(_) | IngestError::NoS3 { .. } | IngestError::Lake(_)
        );
        of_the_run && self.stages.trouble == Trouble::EndsTheRun
    }

    /// Whether the ledger gets to know that the file could not be had: its day is not held until it is.
    fn is_recorded(&self, error: &IngestError) -> bool {
        match self.stages.trouble {
            Trouble::EndsTheRun => error.is_of_the_file(),
            Trouble::EndsTheFile => error.is_of_the_file() && !disposition::may_pass(error),
        }
    }

    /// `None` where the file ended here.
    async fn fetch(
        &self,
        candidate: Candidate,
        origin: Origin,
    ) -> Result<Option<ToRead>, IngestError> {
        // A name that CloudTrail gave spares fetching the object; a file at hand is read all the same,
        // because only its content shows that it was replaced.
        let is_object = matches!(candidate.place, Place::Object(_));
        if let Some(log_file) = candidate.layout.delivered_identity()
            && is_object
        {
            let id = LogFileId { log_file, delivered_date: days(candidate.layout.delivered_date) };
            if matches!(self.members.ask(&id).await?, Membership::Complete { .. }) {
                self.watch.ended(origin, End::Known);
                return Ok(None);
            }
        }
        let cap = u64::try_from(self.stages.limits.max_inflated_bytes).unwrap_or(u64::MAX);
        let fetched = match source::fetch(&candidate.place, cap, self.objects.as_deref()).await {
            Ok(fetched) => fetched,
            Err(error) if self.is_recorded(&error) => {
                let meta = self.meta_of_unread(candidate, &error);
                self.watch.unread(&origin, &error);
                return Ok(Some(ToRead { meta, content: Err(error), origin }));
            }
            Err(error) => return Err(error),
        };
        self.watch.read(fetched.bytes.len() as u64);
        warn_of_other_content(&candidate, &fetched);
        let (meta, bytes) = self.identify(candidate, fetched).await?;
        if let Membership::Complete { content } = self.members.ask(&meta.id()).await? {
            let replaced = content.differs(ContentHash::of(&meta.sha256));
            self.watch.ended(origin, if replaced { End::Replaced } else { End::Known });
            return Ok(None);
        }
        Ok(Some(ToRead { meta, content: Ok(bytes), origin }))
    }

    async fn identify(
        &self,
        candidate: Candidate,
        fetched: Fetched,
    ) -> Result<(LogFileMeta, Bytes), IngestError> {
        let bytes = fetched.bytes.clone();
        let hash = move || hex(&Sha256::digest(&bytes));
        let sha256 = tokio::task::spawn_blocking(hash).await.map_err(IngestError::stopped)?;
        // Files that CloudTrail did not name are told apart by content: two people's `events.json`.
        let log_file = identity(&candidate.layout, &sha256);
        let meta = LogFileMeta {
            version_id: fetched.version_id,
            etag: fetched.etag,
            sha256,
            bytes: fetched.bytes.len() as u64,
            ..self.meta(candidate, log_file)
        };
        Ok((meta, fetched.bytes))
    }

    /// What the ledger says about a file that was not fetched. Where CloudTrail did not name it, it is told
    /// apart by its address instead of its content.
    fn meta_of_unread(&self, candidate: Candidate, error: &IngestError) -> LogFileMeta {
        let address = hex(&Sha256::digest(candidate.place.to_string().as_bytes()));
        let log_file = identity(&candidate.layout, &address);
        let version_id = match &candidate.place {
            Place::Object(object) => object.version_id.clone(),
            Place::File(_) => None,
        };
        let bytes = match error {
            IngestError::TooLarge { size, .. } => *size,
            _ => candidate.bytes,
        };
        LogFileMeta {
            version_id,
            etag: candidate.etag.clone(),
            bytes,
            ..self.meta(candidate, log_file)
        }
    }

    /// What is known before the bytes are there.
    fn meta(&self, candidate: Candidate, log_file: String) -> LogFileMeta {
        let layout = candidate.layout;
        let (bucket, key) = match candidate.place {
            Place::File(path) => (None, path.to_string_lossy().into_owned()),
            Place::Object(object) => (Some(object.bucket), object.key),
        };
        LogFileMeta {
            log_file,
            delivered_date: days(layout.delivered_date),
            bucket,
            key,
            trail_prefix: layout.trail_prefix,
            account_id: layout.account_id,
            aws_region: layout.aws_region,
            delivered_at: layout.delivered_at.map(|time| time.and_utc().timestamp_micros()),
            ingested_at: (self.stages.now)(),
            ..LogFileMeta::default()
        }
    }
}

fn identity(layout: &Layout, else_by: &str) -> String {
    layout.delivered_identity().unwrap_or_else(|| {
        format!("{}@{}", layout.file_name, else_by.get(..32).unwrap_or_default())
    })
}

/// A notification without a version names an object as it was. Where it was written again since, the one
/// that is there is read: its own notification finds it known.
fn warn_of_other_content(candidate: &Candidate, fetched: &Fetched) {
    let (Some(told), Some(found)) = (&candidate.etag, &fetched.etag) else { return };
    if told.trim_matches('"') != found.trim_matches('"') {
        tracing::warn!(object = %candidate.place, "object was written again since its notification");
    }
}

fn days(date: Option<NaiveDate>) -> Option<i32> {
    let epoch = NaiveDate::default();
    Some(date?.num_days_from_ce() - epoch.num_days_from_ce())
}
