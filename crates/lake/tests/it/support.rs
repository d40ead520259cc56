//! Files to put into a lake, and questions to ask of it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use rolecall_events::rows::{
    Account, ActivityRow, CredentialEvent, CredentialKind, IamChange, LogFile, Outcome,
};
use rolecall_lake::{
    Batch, Lake, LakeOptions, LakeReader, LogFileMeta, OnStep, Table, Writer, WriterOptions,
};

/// 2024-01-01T00:00:00Z.
pub(crate) const DAY_ZERO: i64 = 1_704_067_200_000_000;
pub(crate) const DAY: i64 = 86_400_000_000;
pub(crate) const HOUR: i64 = 3_600_000_000;
pub(crate) const SECOND: i64 = 1_000_000;
/// 2024-01-01 in days.
pub(crate) const DAY_ZERO_DATE: i32 = 19_723;

/// A log file to be made: the text that rows borrow from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) date: Option<i32>,
    pub(crate) sha256: String,
    /// Event id, time and recipient account of each credential event.
    pub(crate) events: Vec<(String, i64, String)>,
    /// Event id and time of each IAM change.
    pub(crate) changes: Vec<(String, i64)>,
    /// Records of other kinds.
    pub(crate) others: u64,
}

impl Sample {
    /// A file of day `day` with `events` credential events and one IAM change for every four.
    pub(crate) fn new(number: usize, day: i32, events: usize) -> Self {
        let name = format!("111122223333_CloudTrail_eu-west-1_{day:03}T{number:06}Z_x.json.gz");
        let start = DAY_ZERO + i64::from(day) * DAY;
        let time = |index: usize| start + (index as i64 * 37 % 1_440) * 60 * SECOND;
        Self {
            events: (0..events)
                .map(|index| {
                    let id = format!("event-{day}-{number}-{index}");
                    (id, time(index), "111122223333".to_owned())
                })
                .collect(),
            changes: (0..events / 4)
                .map(|index| (format!("change-{day}-{number}-{index}"), time(index)))
                .collect(),
            others: 3,
            sha256: format!(
                "{:016x}{:048x}",
                number * 1_000 + usize::try_from(day).unwrap() + 1,
                0
            ),
            date: Some(DAY_ZERO_DATE + day),
            name,
        }
    }

    pub(crate) fn meta(&self) -> LogFileMeta {
        LogFileMeta {
            log_file: self.name.clone(),
            delivered_date: self.date,
            bucket: Some("trail".to_owned()),
            key: format!("AWSLogs/{}", self.name),
            sha256: self.sha256.clone(),
            bytes: 1_000,
            ingested_at: DAY_ZERO + 30 * DAY,
            ..LogFileMeta::default()
        }
    }

    pub(crate) fn records(&self) -> u64 {
        (self.events.len() + self.changes.len()) as u64 + self.others
    }

    /// Puts the file into a batch.
    pub(crate) fn push(&self, batch: &mut Batch) {
        let credential_events = (0u32..)
            .zip(&self.events)
            .map(|(record_index, (id, time, recipient))| CredentialEvent {
                event_id: Some(id),
                event_time: *time,
                event_source: "sts.amazonaws.com",
                event_name: "AssumeRole",
                recipient_account_id: Some(recipient),
                role_arn: Some("arn:aws:iam::111122223333:role/app"),
                issued_access_key_id: Some(id),
                session_tags: vec![("team", "blue"), ("team", "green"), ("env", "prod")],
                session_policy_arns: vec!["arn:aws:iam::aws:policy/ReadOnlyAccess"],
                outcome: Some(Outcome::Success),
                record_index,
                ..CredentialEvent::default()
            })
            .collect();
        let iam_changes = (1_000u32..)
            .zip(&self.changes)
            .map(|(record_index, (id, time))| IamChange {
                event_id: Some(id),
                event_time: *time,
                event_source: "iam.amazonaws.com",
                event_name: "CreateAccessKey",
                target_type: "access_key",
                record_index,
                ..IamChange::default()
            })
            .collect();
        let times =
            || self.events.iter().map(|(_, time, _)| *time).chain(self.changes.iter().map(|c| c.1));
        let day = self.date.map_or(DAY_ZERO, |date| i64::from(date) * DAY);
        let mut activity = Vec::new();
        let mut left = self.records();
        for hour in 0..3 {
            let event_count = if hour == 2 { left } else { left.min(2) };
            left -= event_count;
            if event_count == 0 {
                continue;
            }
            activity.push(ActivityRow {
                hour: day + hour * HOUR,
                access_key_id: self.events.first().map(|(id, ..)| id.as_str()),
                credential_kind: CredentialKind::Temporary,
                event_source: "s3.amazonaws.com",
                event_name: "GetObject",
                event_count,
                first_time: day + hour * HOUR,
                last_time: day + hour * HOUR + SECOND,
                sample_record_index: u32::try_from(hour).unwrap(),
                ..ActivityRow::default()
            });
        }
        let rows = LogFile {
            account: Account {
                seen: self.records(),
                credential: self.events.len() as u64,
                other: self.changes.len() as u64 + self.others,
                iam_changes: self.changes.len() as u64,
                first_event_time: times().min(),
                last_event_time: times().max(),
                ..Account::default()
            },
            credential_events,
            iam_changes,
            activity,
        };
        batch.push(self.meta(), &rows);
    }
}

/// A batch of these files.
pub(crate) fn batch_of<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Batch {
    let mut batch = Batch::new();
    for sample in samples {
        sample.push(&mut batch);
    }
    batch
}

pub(crate) fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let uri = folder.path().join("lake").to_str().unwrap().to_owned();
    (folder, uri)
}

pub(crate) async fn lake_at(uri: &str) -> Lake {
    Lake::create_or_open(uri, LakeOptions { now: DAY_ZERO, ..LakeOptions::default() })
        .await
        .unwrap()
}

pub(crate) async fn lake_with(uri: &str, on_step: OnStep) -> Lake {
    let options = LakeOptions { on_step: Some(on_step), now: DAY_ZERO, ..LakeOptions::default() };
    Lake::create_or_open(uri, options).await.unwrap()
}

pub(crate) async fn writer_of(lake: &Lake) -> Writer {
    lake.writer(WriterOptions { checkpoint_interval: 7, ..WriterOptions::default() }).await.unwrap()
}

/// A session over the lake as it is now.
pub(crate) async fn session(lake: &Lake) -> SessionContext {
    let reader = lake.reader().await.unwrap();
    let context = SessionContext::new_with_config(LakeReader::session_config());
    for table in Table::READABLE {
        let provider = reader.table(table.name()).await.unwrap();
        context.register_table(table.name(), provider).unwrap();
    }
    context
}

pub(crate) async fn query(lake: &Lake, sql: &str) -> Vec<RecordBatch> {
    session(lake).await.sql(sql).await.unwrap().collect().await.unwrap()
}

/// The one number that a query gives.
pub(crate) async fn number(lake: &Lake, sql: &str) -> i64 {
    let batches = query(lake, sql).await;
    let batch = batches.iter().find(|batch| batch.num_rows() == 1).unwrap();
    let values = batch.column(0).as_primitive::<Int64Type>();
    if values.is_null(0) { 0 } else { values.value(0) }
}

/// What a query gives, as text.
pub(crate) async fn text(lake: &Lake, sql: &str) -> String {
    pretty_format_batches(&query(lake, sql).await).unwrap().to_string()
}

/// Fails unless the lake holds exactly these files, each row once.
pub(crate) async fn assert_holds<'a>(lake: &Lake, samples: impl IntoIterator<Item = &'a Sample>) {
    let session = session(lake).await;
    let mut expected: [BTreeMap<String, i64>; 4] = Default::default();
    for sample in samples {
        let counts = [
            1,
            sample.events.len(),
            sample.changes.len(),
            usize::try_from(sample.records()).unwrap(),
        ];
        for (table, count) in expected.iter_mut().zip(counts) {
            if count > 0 {
                table.insert(sample.name.clone(), i64::try_from(count).unwrap());
            }
        }
    }
    let held = [
        "SELECT log_file, count(*) FROM log_files WHERE status = 'complete' GROUP BY log_file",
        "SELECT log_file, count(*) FROM credential_events GROUP BY log_file",
        "SELECT log_file, count(*) FROM iam_changes GROUP BY log_file",
        "SELECT log_file, sum(event_count) FROM activity GROUP BY log_file",
    ];
    for (sql, expected) in held.into_iter().zip(expected) {
        let mut found = BTreeMap::new();
        for batch in session.sql(sql).await.unwrap().collect().await.unwrap() {
            let names = batch.column(0).as_string::<i32>();
            let counts = batch.column(1).as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                found.insert(names.value(row).to_owned(), counts.value(row));
            }
        }
        assert_eq!(found, expected, "{sql}");
    }
}

type Action = Box<dyn FnOnce() + Send>;

/// Does something once, when a step of a given name is reached.
#[derive(Clone, Default)]
pub(crate) struct Trigger(Arc<Mutex<Option<(String, Action)>>>);

impl Trigger {
    pub(crate) fn hook(&self) -> OnStep {
        let armed = Arc::clone(&self.0);
        Arc::new(move |step| {
            let action = {
                let mut armed = armed.lock().unwrap();
                armed.take_if(|(name, _)| *name == step.to_string())
            };
            if let Some((_, action)) = action {
                action();
            }
        })
    }

    pub(crate) fn arm(&self, step: &str, action: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some((step.to_owned(), Box::new(action)));
    }

    /// Stops whoever reaches the step, as a kill would.
    pub(crate) fn kill_at(&self, step: &str) {
        self.arm(step, || panic!("killed at a step"));
    }

    /// Whether the step was reached. Disarms.
    pub(crate) fn was_reached(&self) -> bool {
        self.0.lock().unwrap().take().is_none()
    }
}

/// Runs something to its end, in a world of its own, while the caller waits.
pub(crate) fn elsewhere<F>(future: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let thread = std::thread::spawn(move || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
            .block_on(future);
    });
    thread.join().unwrap();
}

/// Commits with a new writer that may be killed. `true` where it came through.
pub(crate) async fn commit_or_die(uri: &str, hook: OnStep, samples: &[Sample]) -> bool {
    let (uri, batch) = (uri.to_owned(), batch_of(samples));
    let task = tokio::spawn(async move {
        let lake = lake_with(&uri, hook).await;
        writer_of(&lake).await.commit(batch).await.unwrap();
    });
    match task.await {
        Ok(()) => true,
        Err(error) => {
            assert!(error.is_panic());
            false
        }
    }
}

/// Every step that a commit of files with all kinds of rows goes through.
pub(crate) fn commit_steps() -> Vec<String> {
    let mut steps = Vec::new();
    for action in ["write", "commit"] {
        for table in Table::ALL {
            for when in ["before", "after"] {
                steps.push(format!("{when}:{action}:{table}"));
            }
        }
    }
    steps
}

/// Fails unless the check finds nothing wrong and nothing unfinished.
pub(crate) async fn assert_clean(lake: &Lake) {
    let report = lake.check().await.unwrap();
    assert!(report.clean, "{:?}", report.problems);
    assert_eq!(report.unlisted, []);
}
