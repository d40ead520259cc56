//! Processes killed at any instant, alone and beside others, on a folder and on S3. Once one of them has
//! come to its end, the lake equals the truth: no row twice, none lost.

use std::time::Duration;

use crate::support::{
    Chance, Cmd, Delivered, Ground, Lake, Run, Scratch, assert_lake_equals_truth,
    assert_maintained_lake_equals_truth, assert_same_contents,
};

/// Readers hand over a batch each, so a run of so many threads makes about as many commits.
const THREADS: &str = "6";

const TABLES: [&str; 4] = ["credential_events", "iam_changes", "activity", "log_files"];

/// Each side of each step of a commit; see `crates/lake/src/step.rs`.
fn steps_of(actions: &[&str]) -> Vec<String> {
    let mut steps = Vec::new();
    for table in TABLES {
        for action in actions {
            for when in ["before", "after"] {
                steps.push(format!("{when}:{action}:{table}"));
            }
        }
    }
    steps
}

fn failing_at(cmd: Cmd, step: &str) -> Cmd {
    cmd.env("ROLECALL_TEST_FAILPOINT", step)
}

/// An organisation laid out on some ground.
struct Setting {
    scratch: Scratch,
    delivered: Delivered,
    source: String,
}

impl Setting {
    fn new(ground: Ground, seed: u64) -> Self {
        let delivered = Delivered::in_few_files(seed);
        let scratch = Scratch::new(ground);
        let source = scratch.deliver("source", delivered.objects());
        Self { scratch, delivered, source }
    }

    fn ingest(&self, lake: &Lake<'_>) -> Cmd {
        lake.ingest([&self.source]).args(["--threads", THREADS])
    }

    /// A lake that all went well with.
    fn maintained(&self, name: &str) -> Lake<'_> {
        let lake = self.scratch.lake(name);
        done(self.ingest(&lake).run());
        self.assert_truth(&lake);
        lake.maintain().run().exits(0);
        assert_maintained_lake_equals_truth(&lake, &self.delivered.truth);
        lake
    }

    #[track_caller]
    fn assert_truth(&self, lake: &Lake<'_>) {
        assert_lake_equals_truth(lake, &self.delivered.truth);
    }
}

#[track_caller]
fn done(run: Run) -> Run {
    assert!(run.is_done(), "{run}");
    run
}

/// Twenty runs, each killed at a random instant of the time that one takes, then one to the end.
fn killed_at_random_instants(ground: Ground) {
    let setting = Setting::new(ground, 1);
    let mut chance = Chance::new();
    let whole = done(setting.ingest(&setting.scratch.lake("undisturbed")).run()).took;

    let lake = setting.scratch.lake("lake");
    let mut killed = 0;
    for round in 0..20 {
        // Later and later, so that the first runs do not finish the work of the others.
        let most = whole.mul_f64(0.5 + f64::from(round) / 40.0);
        let instant = Duration::from_micros(chance.below(most.as_micros().try_into().unwrap()));
        let run = setting.ingest(&lake).start().kill_after(instant);
        assert!(run.was_killed() || run.is_done(), "{run}");
        killed += usize::from(run.was_killed());
    }
    assert!(killed >= 10, "only {killed} of 20 runs were killed");
    done(setting.ingest(&lake).run());
    setting.assert_truth(&lake);
}

#[test]
fn killed_at_random_instants_on_a_folder() {
    killed_at_random_instants(Ground::Folder);
}

#[test]
fn killed_at_random_instants_on_s3() {
    killed_at_random_instants(Ground::S3);
}

/// Each step in a lake of its own: the first time that it is met, or a later one.
#[test]
fn killed_at_each_step() {
    let setting = Setting::new(Ground::Folder, 2);
    let mut chance = Chance::new();
    for step in steps_of(&["write", "commit"]) {
        let step = format!("{step}@{}", 1 + chance.below(3));
        let lake = setting.scratch.lake(&step.replace([':', '@'], "-"));
        let run = failing_at(setting.ingest(&lake), &step).run();
        assert!(run.was_killed(), "{step}: {run}");
        let run = done(setting.ingest(&lake).run());
        let left = run.json()["log_files"].as_u64();
        assert!(left > Some(0), "{step}: nothing was left to do: {run}");
        setting.assert_truth(&lake);
    }
}

/// All steps one after the other in one lake, so that each run meets what the ones before it left behind.
fn killed_at_each_step_in_a_row(ground: Ground) {
    let setting = Setting::new(ground, 6);
    let mut steps = steps_of(&["write", "commit"]);
    let mut chance = Chance::new();
    chance.shuffle(&mut steps);
    let lake = setting.scratch.lake("lake");
    for step in &steps {
        let run = failing_at(setting.ingest(&lake), step).run();
        assert!(run.was_killed(), "{step}: {run}");
    }
    done(setting.ingest(&lake).run());
    setting.assert_truth(&lake);
}

#[test]
fn killed_at_each_step_in_a_row_on_a_folder() {
    killed_at_each_step_in_a_row(Ground::Folder);
}

#[test]
fn killed_at_each_step_in_a_row_on_s3() {
    killed_at_each_step_in_a_row(Ground::S3);
}

/// Each step in a lake of its own, while a second `ingest` puts the same files into it. That one must come to
/// its end whatever happens to the first.
fn killed_at_each_step_beside_another(ground: Ground) {
    let setting = Setting::new(ground, 3);
    let mut chance = Chance::new();
    let mut killed = 0;
    let steps = steps_of(&["write", "commit"]);
    for step in &steps {
        let step = format!("{step}@{}", 1 + chance.below(3));
        let lake = setting.scratch.lake(&step.replace([':', '@'], "-"));
        let first = failing_at(setting.ingest(&lake), &step).start();
        let second = setting.ingest(&lake).start();
        let (first, second) = (first.wait(), second.wait());
        assert!(first.was_killed() || first.is_done(), "{step}: {first}");
        killed += usize::from(first.was_killed());
        done(second);
        done(setting.ingest(&lake).run());
        setting.assert_truth(&lake);
    }
    // The other one may be so fast that nothing is left to be killed at.
    assert!(killed >= steps.len() / 4, "only {killed} of {} runs were killed", steps.len());
}

#[test]
fn killed_at_each_step_beside_another_on_a_folder() {
    killed_at_each_step_beside_another(Ground::Folder);
}

#[test]
fn killed_at_each_step_beside_another_on_s3() {
    killed_at_each_step_beside_another(Ground::S3);
}

/// `maintain` again and again while two `ingest` work and die, then one of each to the end.
fn maintain_beside_ingest(ground: Ground) {
    let setting = Setting::new(ground, 4);
    let undisturbed = setting.maintained("undisturbed");

    let lake = setting.scratch.lake("lake");
    let mut chance = Chance::new();
    let steps = steps_of(&["write", "commit"]);
    done(setting.ingest(&lake).args(["--until", "2026-01-05"]).run());
    for _ in 0..4 {
        let step = &steps[usize::try_from(chance.below(steps.len() as u64)).unwrap()];
        let ingests = [
            failing_at(setting.ingest(&lake), &format!("{step}@2")).start(),
            failing_at(setting.ingest(&lake), &format!("{step}@3")).start(),
        ];
        for _ in 0..2 {
            lake.maintain().run().exits(0);
        }
        for run in ingests.map(|ingest| ingest.wait()) {
            assert!(run.was_killed() || run.is_done(), "{run}");
        }
    }
    done(setting.ingest(&lake).run());
    lake.maintain().run().exits(0);
    assert_same_contents(&lake, &undisturbed);
}

#[test]
fn maintain_beside_ingest_on_a_folder() {
    maintain_beside_ingest(Ground::Folder);
}

#[test]
fn maintain_beside_ingest_on_s3() {
    maintain_beside_ingest(Ground::S3);
}

/// Two `maintain` at once, and one killed at each of its steps.
fn maintain_twice_and_killed(ground: Ground) {
    let setting = Setting::new(ground, 5);
    let undisturbed = setting.maintained("undisturbed");

    let lake = setting.scratch.lake("twice");
    done(setting.ingest(&lake).run());
    for run in [lake.maintain().start(), lake.maintain().start()].map(|maintain| maintain.wait()) {
        run.exits(0);
    }
    assert_same_contents(&lake, &undisturbed);

    let lake = setting.scratch.lake("killed");
    done(setting.ingest(&lake).run());
    let mut killed = Vec::new();
    for step in steps_of(&["compact", "replace", "vacuum", "checkpoint"]) {
        let run = failing_at(lake.maintain(), &step).run();
        assert!(run.was_killed() || run.is_done(), "{step}: {run}");
        if run.was_killed() {
            killed.push(step);
        }
    }
    let before_replace = killed.iter().filter(|step| step.starts_with("before:replace")).count();
    assert!(before_replace >= 3, "maintenance has no such steps: {killed:?}");
    lake.maintain().run().exits(0);
    assert_same_contents(&lake, &undisturbed);
}

#[test]
fn maintain_twice_and_killed_on_a_folder() {
    maintain_twice_and_killed(Ground::Folder);
}

#[test]
fn maintain_twice_and_killed_on_s3() {
    maintain_twice_and_killed(Ground::S3);
}
