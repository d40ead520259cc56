//! Random histories of commits, kills and maintenance, against a plain list of files.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::Config;
use rolecall_lake::{FileOutcome, MaintainOptions, Membership, Writer};

use crate::support::{
    DAY, Sample, Trigger, assert_clean, assert_holds, batch_of, commit_steps, elsewhere, folder,
    lake_at, lake_with, writer_of,
};

const FILES: usize = 6;
const FAR_FUTURE: i64 = 4_102_444_800_000_000;

#[derive(Debug, Clone)]
enum Op {
    /// A writer that lives on commits some files.
    Commit { writer: usize, files: Vec<usize> },
    /// A writer is killed at a step of a commit; its next commit is by a new one.
    Kill { writer: usize, files: Vec<usize>, step: usize },
    /// Another writer commits in the middle of a commit.
    Between { writer: usize, files: Vec<usize>, step: usize, others: Vec<usize> },
    /// Maintenance; some of it sweeping.
    Maintain { closes: bool, sweeps: bool },
    /// Maintenance in the middle of a commit.
    MaintainBetween { writer: usize, files: Vec<usize>, step: usize },
}

fn files() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::btree_set(0..FILES, 1..4).prop_map(|files| files.into_iter().collect())
}

fn op() -> impl Strategy<Value = Op> {
    let step = 0..commit_steps().len();
    prop_oneof![
        3 => (0..2usize, files()).prop_map(|(writer, files)| Op::Commit { writer, files }),
        3 => (0..2usize, files(), step.clone())
            .prop_map(|(writer, files, step)| Op::Kill { writer, files, step }),
        2 => (0..2usize, files(), step.clone(), files()).prop_map(
            |(writer, files, step, others)| Op::Between { writer, files, step, others }
        ),
        1 => any::<(bool, bool)>().prop_map(|(closes, sweeps)| Op::Maintain { closes, sweeps }),
        1 => (0..2usize, files(), step)
            .prop_map(|(writer, files, step)| Op::MaintainBetween { writer, files, step }),
    ]
}

/// All files there are. Some deliver the same events.
fn all_files() -> Vec<Sample> {
    let mut samples: Vec<Sample> =
        (0..FILES).map(|n| Sample::new(n, i32::try_from(n % 2).unwrap(), n % 4 * 2)).collect();
    let events = samples[3].events.clone();
    samples[1].events = events;
    samples
}

fn maintenance(closes: bool, sweeps: bool) -> MaintainOptions {
    let options = MaintainOptions::at(FAR_FUTURE);
    MaintainOptions {
        pending_after: if closes { DAY } else { FAR_FUTURE },
        retention: if sweeps { 0 } else { FAR_FUTURE },
        log_retention: if sweeps { 0 } else { FAR_FUTURE },
        ..options
    }
}

struct World {
    uri: String,
    trigger: Trigger,
    samples: Vec<Sample>,
    writers: [Option<Writer>; 2],
    /// Files that a writer said are in the lake.
    promised: BTreeMap<String, Sample>,
}

impl World {
    fn batch(&self, files: &[usize]) -> rolecall_lake::Batch {
        batch_of(files.iter().map(|&file| &self.samples[file]))
    }

    async fn commit(&mut self, writer: usize, files: &[usize]) {
        let current = match self.writers[writer].take() {
            Some(current) => current,
            None => writer_of(&lake_with(&self.uri, self.trigger.hook()).await).await,
        };
        let batch = self.batch(files);
        let task = tokio::spawn(async move {
            let mut current = current;
            let report = current.commit(batch).await;
            (current, report)
        });
        match task.await {
            Ok((current, Ok(report))) => {
                for (name, outcome) in report.files {
                    assert!(matches!(outcome, FileOutcome::Committed | FileOutcome::Known));
                    let sample = self.samples.iter().find(|sample| sample.name == name).unwrap();
                    self.promised.insert(name, sample.clone());
                }
                self.writers[writer] = Some(current);
            }
            // Left behind by a sweeping clean-up: a new writer takes over.
            Ok((_, Err(error))) => assert_eq!(error.kind(), rolecall_lake::Kind::Retry, "{error}"),
            Err(killed) => assert!(killed.is_panic()),
        }
    }

    async fn run(&mut self, op: Op) {
        let steps = commit_steps();
        match op {
            Op::Commit { writer, files } => self.commit(writer, &files).await,
            Op::Kill { writer, files, step } => {
                self.trigger.kill_at(&steps[step]);
                self.commit(writer, &files).await;
            }
            Op::Between { writer, files, step, others } => {
                let (uri, batch) = (self.uri.clone(), self.batch(&others));
                self.trigger.arm(&steps[step], move || {
                    elsewhere(async move {
                        let lake = lake_at(&uri).await;
                        writer_of(&lake).await.commit(batch).await.unwrap();
                    });
                });
                self.commit(writer, &files).await;
            }
            Op::Maintain { closes, sweeps } => {
                let lake = lake_at(&self.uri).await;
                lake.maintain(maintenance(closes, sweeps)).await.unwrap();
            }
            Op::MaintainBetween { writer, files, step } => {
                let uri = self.uri.clone();
                self.trigger.arm(&steps[step], move || {
                    elsewhere(async move {
                        let lake = lake_at(&uri).await;
                        lake.maintain(maintenance(true, false)).await.unwrap();
                    });
                });
                self.commit(writer, &files).await;
            }
        }
        // A step that was not reached must not be met by a later operation.
        self.trigger.was_reached();
    }
}

proptest! {
    #![proptest_config(Config { cases: 12, max_shrink_iters: 40, ..Config::default() })]

    #[test]
    fn any_history_ends_with_every_row_once(ops in proptest::collection::vec(op(), 1..9)) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (_folder, uri) = folder();
            let lake = lake_at(&uri).await;
            let mut world = World {
                uri,
                trigger: Trigger::default(),
                samples: all_files(),
                writers: [None, None],
                promised: BTreeMap::new(),
            };
            for op in ops {
                world.run(op).await;
                assert_eq!(lake.check().await.unwrap().problems, []);
                let mut writer = writer_of(&lake).await;
                for sample in world.promised.values() {
                    let known = writer.membership(&sample.meta().id()).await.unwrap();
                    assert!(matches!(known, Membership::Complete { .. }), "{known:?}");
                }
            }
            let all: Vec<usize> = (0..FILES).collect();
            writer_of(&lake).await.commit(world.batch(&all)).await.unwrap();
            assert_clean(&lake).await;
            let report = lake.check().await.unwrap();
            assert_eq!(report.complete, FILES as u64);
            if report.dropped_duplicates == 0 {
                assert_holds(&lake, &world.samples).await;
            }
        });
    }
}
