//! Maintenance, alone and beside writers and other maintenance.

use rolecall_lake::{Lake, MaintainOptions, MaintainReport, Membership, Table};

use crate::support::{
    DAY, DAY_ZERO, Sample, Trigger, assert_clean, assert_holds, batch_of, commit_or_die,
    commit_steps, elsewhere, folder, lake_at, lake_with, number, query, text, writer_of,
};

/// 2100-01-01T00:00:00Z, later than any file's time.
const FAR_FUTURE: i64 = 4_102_444_800_000_000;

/// As usual, but nothing is deleted.
async fn maintain(lake: &Lake) -> MaintainReport {
    lake.maintain(MaintainOptions::at(DAY_ZERO + 31 * DAY)).await.unwrap()
}

/// Deletes all that can be deleted.
fn sweeping() -> MaintainOptions {
    MaintainOptions { retention: 0, log_retention: 0, ..MaintainOptions::at(FAR_FUTURE) }
}

async fn lake_of(uri: &str, batches: &[&[Sample]]) -> Lake {
    let lake = lake_at(uri).await;
    let mut writer = writer_of(&lake).await;
    for batch in batches {
        writer.commit(batch_of(*batch)).await.unwrap();
    }
    lake
}

fn samples(count: usize) -> Vec<Sample> {
    (0..count).map(|n| Sample::new(n, i32::try_from(n % 2).unwrap(), 6)).collect()
}

/// Two trails that deliver the same events: same ids, other files.
fn twice_delivered() -> (Sample, Sample) {
    let first = Sample::new(1, 0, 8);
    let mut second = Sample::new(2, 0, 8);
    second.events.clone_from(&first.events);
    second.changes.clone_from(&first.changes);
    (first, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn compacting_keeps_every_row_and_is_done_once() {
    let (_folder, uri) = folder();
    let samples = samples(8);
    let batches: Vec<&[Sample]> = samples.chunks(2).collect();
    let lake = lake_of(&uri, &batches).await;
    let report = maintain(&lake).await;
    for table in Table::ALL {
        let done = &report.tables[&table];
        assert_eq!((done.partitions_compacted, done.files_replaced), (2, 8), "{table}");
        assert_eq!((done.files_written, done.rows_dropped), (2, 0), "{table}");
    }
    assert_holds(&lake, &samples).await;
    assert_clean(&lake).await;
    let versions = lake.reader().await.unwrap().versions();
    let again = maintain(&lake).await;
    assert!(again.tables.values().all(|done| done.partitions_compacted == 0), "{again:?}");
    assert_eq!(lake.reader().await.unwrap().versions(), versions);
    // Everything is still known.
    let report = writer_of(&lake).await.commit(batch_of(&samples)).await.unwrap();
    assert!(report.versions.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn large_partitions_become_several_sorted_files() {
    let (_folder, uri) = folder();
    let samples: Vec<Sample> = (0..4).map(|number| Sample::new(number, 0, 20_000)).collect();
    let batches: Vec<&[Sample]> = samples.chunks(1).collect();
    let lake = lake_of(&uri, &batches).await;
    let options = MaintainOptions {
        target_file_bytes: 200_000,
        memory_bytes: 24 << 20,
        ..MaintainOptions::at(DAY_ZERO)
    };
    let report = lake.maintain(options).await.unwrap();
    assert!(report.tables[&Table::CredentialEvents].files_written > 1, "{report:?}");
    assert_holds(&lake, &samples).await;
    assert_clean(&lake).await;
    assert!(maintain(&lake).await.tables.values().all(|done| done.partitions_compacted == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicate_events_are_dropped_and_accounted_for() {
    let (_folder, uri) = folder();
    let (first, second) = twice_delivered();
    let lake = lake_of(&uri, &[std::slice::from_ref(&second), std::slice::from_ref(&first)]).await;
    let report = maintain(&lake).await;
    assert_eq!(report.tables[&Table::CredentialEvents].rows_dropped, 8);
    assert_eq!(report.tables[&Table::IamChanges].rows_dropped, 2);
    assert_eq!(report.tables[&Table::Activity].rows_dropped, 0);
    let survivors =
        text(&lake, "SELECT log_file, count(*) AS n FROM credential_events GROUP BY 1").await;
    assert!(survivors.contains(&first.name) && !survivors.contains(&second.name), "{survivors}");
    assert_clean(&lake).await;
    assert_eq!(lake.check().await.unwrap().dropped_duplicates, 10);
    // A third copy comes late, in a file whose name is the lowest: it survives in their place.
    let mut late = Sample::new(0, 0, 8);
    late.events.clone_from(&first.events);
    late.changes.clone_from(&first.changes);
    writer_of(&lake).await.commit(batch_of([&late])).await.unwrap();
    assert_clean(&lake).await;
    assert_eq!(maintain(&lake).await.tables[&Table::CredentialEvents].rows_dropped, 8);
    let survivors =
        text(&lake, "SELECT log_file, count(*) AS n FROM credential_events GROUP BY 1").await;
    assert!(survivors.contains(&late.name) && !survivors.contains(&first.name), "{survivors}");
    assert_clean(&lake).await;
    assert_eq!(lake.check().await.unwrap().dropped_duplicates, 20);
    // What was dropped stays known.
    let all = [first, second, late];
    assert!(writer_of(&lake).await.commit(batch_of(&all)).await.unwrap().versions.is_empty());
    lake.maintain(sweeping()).await.unwrap();
    assert_clean(&lake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_within_one_file_are_dropped_and_other_accounts_copies_are_not() {
    let (_folder, uri) = folder();
    let mut sample = Sample::new(1, 0, 3);
    sample.events[1] = sample.events[0].clone();
    sample.events[2] = sample.events[0].clone();
    sample.events[2].2 = "444455556666".to_owned();
    let lake = lake_of(&uri, &[std::slice::from_ref(&sample)]).await;
    assert_eq!(maintain(&lake).await.tables[&Table::CredentialEvents].rows_dropped, 1);
    let left = "SELECT sum(record_index) FROM credential_events";
    assert_eq!(number(&lake, left).await, 2);
    assert_clean(&lake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn regression_events_that_share_an_id_alone_are_no_duplicates() {
    let (_folder, uri) = folder();
    // As in anonymised logs: one id for events of different times.
    let anonymised = |number| {
        let mut sample = Sample::new(number, 0, 8);
        sample.events.iter_mut().for_each(|event| event.0 = "EXAMPLE".to_owned());
        sample.changes.iter_mut().for_each(|change| change.0 = "EXAMPLE".to_owned());
        sample
    };
    let (first, again) = (anonymised(1), anonymised(2));
    let lake = lake_of(&uri, &[std::slice::from_ref(&first)]).await;
    let report = maintain(&lake).await;
    assert_eq!(report.tables[&Table::CredentialEvents].rows_dropped, 0);
    assert_eq!(report.tables[&Table::IamChanges].rows_dropped, 0);
    assert_holds(&lake, [&first]).await;
    // Delivered again, each is a duplicate of its own.
    writer_of(&lake).await.commit(batch_of([&again])).await.unwrap();
    let report = maintain(&lake).await;
    assert_eq!(report.tables[&Table::CredentialEvents].rows_dropped, 8);
    assert_eq!(report.tables[&Table::IamChanges].rows_dropped, 2);
    assert_clean(&lake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_never_double_a_row() {
    for table in Table::ALL {
        for step in ["before:compact", "before:replace"] {
            let (_folder, uri) = folder();
            let (first, second) = twice_delivered();
            let other = Sample::new(3, 1, 4);
            let more = Sample::new(4, 1, 4);
            lake_of(&uri, &[&[first.clone(), other.clone()], &[second.clone(), more.clone()]])
                .await;
            let trigger = Trigger::default();
            let lake = lake_with(&uri, trigger.hook()).await;
            let other_uri = uri.clone();
            trigger.arm(&format!("{step}:{table}"), move || {
                elsewhere(async move {
                    maintain(&lake_at(&other_uri).await).await;
                });
            });
            let report = maintain(&lake).await;
            assert!(trigger.was_reached(), "{step}:{table}");
            if step == "before:replace" {
                assert_eq!(report.tables[&table].partitions_lost, 2, "{table}");
            }
            let rows = number(&lake, "SELECT count(*) FROM credential_events").await;
            assert_eq!(rows, 16, "{step}:{table}");
            let records = first.records() + second.records() + other.records() + more.records();
            let counted = number(&lake, "SELECT sum(event_count) FROM activity").await;
            assert_eq!(counted, i64::try_from(records).unwrap(), "{step}:{table}");
            assert_clean(&lake).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_at_any_step_of_maintenance_loses_nothing() {
    for table in Table::ALL {
        for step in ["before:compact", "before:replace"] {
            let (_folder, uri) = folder();
            let samples = samples(6);
            let trigger = Trigger::default();
            lake_of(&uri, &[&samples[..2], &samples[2..4]]).await;
            let lake = lake_with(&uri, trigger.hook()).await;
            let (other_uri, late) = (uri.clone(), samples[4..].to_vec());
            trigger.arm(&format!("{step}:{table}"), move || {
                elsewhere(async move {
                    let lake = lake_at(&other_uri).await;
                    writer_of(&lake).await.commit(batch_of(&late)).await.unwrap();
                });
            });
            maintain(&lake).await;
            assert!(trigger.was_reached(), "{step}:{table}");
            assert_holds(&lake, &samples).await;
            assert_clean(&lake).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_at_any_step_of_a_writer_loses_nothing() {
    for step in commit_steps().into_iter().filter(|step| step.contains(":commit:")) {
        let (_folder, uri) = folder();
        let samples = samples(6);
        let trigger = Trigger::default();
        let lake = lake_with(&uri, trigger.hook()).await;
        let mut writer = writer_of(&lake).await;
        writer.commit(batch_of(&samples[..2])).await.unwrap();
        writer.commit(batch_of(&samples[2..4])).await.unwrap();
        let other_uri = uri.clone();
        trigger.arm(&step, move || {
            elsewhere(async move {
                maintain(&lake_at(&other_uri).await).await;
            });
        });
        writer.commit(batch_of(&samples[3..])).await.unwrap();
        assert!(trigger.was_reached(), "{step}");
        assert_holds(&lake, &samples).await;
        assert_clean(&lake).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_maintenance_leaves_the_lake_as_good_as_before() {
    for action in ["write", "commit", "compact", "replace", "vacuum", "checkpoint"] {
        for when in ["before", "after"] {
            let (_folder, uri) = folder();
            let samples = samples(4);
            let broken_off = Sample::new(9, 0, 3);
            lake_of(&uri, &[&samples[..2], &samples[2..]]).await;
            let trigger = Trigger::default();
            trigger.kill_at("after:commit:credential_events");
            assert!(!commit_or_die(&uri, trigger.hook(), std::slice::from_ref(&broken_off)).await);
            let lake = lake_with(&uri, trigger.hook()).await;
            trigger.kill_at(&format!("{when}:{action}:log_files"));
            let killed = tokio::spawn(async move { lake.maintain(sweeping()).await }).await;
            assert!(killed.unwrap_err().is_panic(), "{when}:{action}");
            let lake = lake_at(&uri).await;
            lake.maintain(sweeping()).await.unwrap();
            writer_of(&lake).await.commit(batch_of([&broken_off])).await.unwrap();
            assert_holds(&lake, samples.iter().chain([&broken_off])).await;
            assert_clean(&lake).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_off_file_is_closed_after_a_day_and_completed_when_it_comes_again() {
    for step in ["credential_events", "iam_changes", "activity"] {
        let (_folder, uri) = folder();
        let sample = Sample::new(1, 0, 4);
        let trigger = Trigger::default();
        trigger.kill_at(&format!("after:commit:{step}"));
        assert!(!commit_or_die(&uri, trigger.hook(), std::slice::from_ref(&sample)).await);
        let lake = lake_at(&uri).await;
        let committed = sample.meta().ingested_at;
        let early = lake.maintain(MaintainOptions::at(committed + DAY)).await.unwrap();
        assert_eq!(early.closed_as_pending, [""; 0]);
        let late = lake.maintain(MaintainOptions::at(committed + DAY + 1_000)).await.unwrap();
        assert_eq!(late.closed_as_pending, std::slice::from_ref(&sample.name));
        let report = lake.check().await.unwrap();
        assert_eq!((report.clean, report.pending), (true, 1));
        // The marks have moved on, so its commits may go; it is in the ledger as pending now.
        lake.maintain(sweeping()).await.unwrap();
        let mut writer = writer_of(&lake).await;
        let membership = writer.membership(&sample.meta().id()).await.unwrap();
        assert!(matches!(membership, Membership::Pending { .. }), "{membership:?}");
        let mut other = Sample::new(5, 0, 2);
        other.name.clone_from(&sample.name);
        let report = writer.commit(batch_of([&other])).await.unwrap();
        assert!(report.versions.is_empty(), "other content was taken for the broken-off file");
        writer.commit(batch_of([&sample])).await.unwrap();
        assert_holds(&lake, [&sample]).await;
        assert_clean(&lake).await;
        let after = lake.maintain(sweeping()).await.unwrap();
        assert_eq!(after.closed_as_pending, [""; 0]);
        assert_eq!(number(&lake, "SELECT count(*) FROM log_files").await, 1);
        assert_holds(&lake, [&sample]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_clean_up_leaves_what_recovery_needs() {
    let (_folder, uri) = folder();
    let samples = samples(12);
    let lake = lake_of(&uri, &[&samples[..1], &samples[1..2]]).await;
    let trigger = Trigger::default();
    trigger.kill_at("after:commit:iam_changes");
    assert!(!commit_or_die(&uri, trigger.hook(), &samples[2..3]).await);
    let mut writer = writer_of(&lake).await;
    for sample in &samples[3..] {
        writer.commit(batch_of([sample])).await.unwrap();
    }
    // The broken-off file is not closed, so its commits must stay, whatever their age.
    let options = MaintainOptions { pending_after: FAR_FUTURE, ..sweeping() };
    for _ in 0..2 {
        let report = lake.maintain(options.clone()).await.unwrap();
        assert_eq!(report.closed_as_pending, [""; 0]);
    }
    writer_of(&lake).await.commit(batch_of(&samples)).await.unwrap();
    assert_holds(&lake, &samples).await;
    assert_clean(&lake).await;
    // Nothing is open any more: the log shrinks, and all is still known.
    writer_of(&lake).await.commit(batch_of([&Sample::new(99, 0, 1)])).await.unwrap();
    let report = lake.maintain(options.clone()).await.unwrap();
    let deleted: u64 = report.tables.values().map(|done| done.log_versions_deleted).sum();
    assert!(deleted > 0, "{report:?}");
    let again = writer_of(&lake).await.commit(batch_of(&samples)).await.unwrap();
    assert!(again.versions.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_left_behind_by_log_clean_up_says_so() {
    let (_folder, uri) = folder();
    let samples = samples(8);
    let lake = lake_at(&uri).await;
    let mut behind = writer_of(&lake).await;
    behind.commit(batch_of(&samples[..1])).await.unwrap();
    let mut writer = writer_of(&lake).await;
    for sample in &samples[1..7] {
        writer.commit(batch_of([sample])).await.unwrap();
    }
    lake.maintain(sweeping()).await.unwrap();
    lake.maintain(sweeping()).await.unwrap();
    // Its next version is free, but only because it is long gone.
    let error = behind.commit(batch_of(&samples[7..])).await.unwrap_err();
    assert_eq!(error.kind(), rolecall_lake::Kind::Retry, "{error}");
    writer_of(&lake).await.commit(batch_of(&samples)).await.unwrap();
    assert_holds(&lake, &samples).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vacuum_keeps_what_is_young_and_deletes_what_is_old() {
    let (_folder, uri) = folder();
    let (first, second) = twice_delivered();
    let lake = lake_of(&uri, &[&[first], &[second]]).await;
    let trigger = Trigger::default();
    trigger.kill_at("after:write:credential_events");
    assert!(!commit_or_die(&uri, trigger.hook(), &[Sample::new(5, 0, 3)]).await);
    let count = || {
        walk(std::path::Path::new(&uri)).iter().filter(|path| path.ends_with(".parquet")).count()
    };
    maintain(&lake).await;
    let before = count();
    maintain(&lake).await;
    assert_eq!(count(), before, "something young was deleted");
    let report = lake.maintain(sweeping()).await.unwrap();
    assert!(report.tables[&Table::CredentialEvents].files_vacuumed >= 3, "{report:?}");
    let reader = lake.reader().await.unwrap();
    let live: usize = Table::ALL.iter().map(|table| reader.files(*table).len()).sum();
    let checkpoints = walk(std::path::Path::new(&uri))
        .iter()
        .filter(|path| path.ends_with(".checkpoint.parquet"))
        .count();
    assert_eq!(count(), live + checkpoints);
    assert_clean(&lake).await;
    assert!(!query(&lake, "SELECT * FROM activity").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_goes_on_reading_what_it_has_pinned() {
    let (_folder, uri) = folder();
    let samples = samples(4);
    let lake = lake_of(&uri, &[&samples[..2], &samples[2..]]).await;
    let session = crate::support::session(&lake).await;
    maintain(&lake).await;
    writer_of(&lake).await.commit(batch_of([&Sample::new(9, 0, 3)])).await.unwrap();
    let rows =
        session.sql("SELECT * FROM credential_events").await.unwrap().collect().await.unwrap();
    assert_eq!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>(), 24);
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            paths.extend(walk(&path));
        } else {
            paths.push(path.to_str().unwrap().to_owned());
        }
    }
    paths
}
