//! Days that expire: alone, killed at any step, beside writers and beside other maintenance.

use rolecall_lake::{FileOutcome, Lake, MaintainOptions, MaintainReport, Table};

use crate::support::{
    DAY, DAY_ZERO, DAY_ZERO_DATE, Sample, Trigger, assert_clean, assert_holds, batch_of, elsewhere,
    folder, lake_at, lake_with, number, writer_of,
};

/// As of day 9, with three days before it kept: days 6 to 9.
fn keeping() -> MaintainOptions {
    MaintainOptions { keep_days: Some(3), ..MaintainOptions::at(DAY_ZERO + 9 * DAY + 7) }
}

async fn expire(lake: &Lake) -> MaintainReport {
    lake.maintain(keeping()).await.unwrap()
}

/// One file on each day from 3 to 8, every other one batch.
async fn lake_of_days(uri: &str) -> (Lake, Vec<Sample>) {
    let lake = lake_at(uri).await;
    let samples: Vec<Sample> = (3..9).map(|day| Sample::new(1, day, 8)).collect();
    let mut writer = writer_of(&lake).await;
    for batch in samples.chunks(2) {
        writer.commit(batch_of(batch)).await.unwrap();
    }
    (lake, samples)
}

/// Fails unless the data tables hold exactly `kept` and the ledger knows all of `known`.
async fn assert_expired(lake: &Lake, kept: &[Sample], known: i64) {
    for (table, count) in [
        ("credential_events", kept.iter().map(|sample| sample.events.len()).sum::<usize>()),
        ("iam_changes", kept.iter().map(|sample| sample.changes.len()).sum()),
    ] {
        let held = number(lake, &format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(held, i64::try_from(count).unwrap(), "{table}");
    }
    let records: u64 = kept.iter().map(Sample::records).sum();
    let held = number(lake, "SELECT CAST(sum(event_count) AS BIGINT) FROM activity").await;
    assert_eq!(held, i64::try_from(records).unwrap(), "activity");
    assert_eq!(number(lake, "SELECT count(DISTINCT log_file) FROM log_files").await, known);
    assert_clean(lake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_days_go_and_the_ledger_stays() {
    let (_folder, uri) = folder();
    let (lake, samples) = lake_of_days(&uri).await;
    assert_eq!(lake.reader().await.unwrap().expired_before(), None);
    let report = expire(&lake).await;
    for table in Table::DATA {
        let done = &report.tables[&table];
        assert_eq!((done.partitions_expired, done.files_expired), (3, 3), "{table}");
    }
    assert_eq!(report.tables[&Table::LogFiles].partitions_expired, 0);
    assert_eq!(report.tables[&Table::CredentialEvents].rows_expired, 24);
    assert_eq!(lake.reader().await.unwrap().expired_before(), Some(DAY_ZERO_DATE + 6));
    assert_expired(&lake, &samples[3..], 6).await;
    // Done once; nothing more is committed.
    let versions = lake.reader().await.unwrap().versions();
    expire(&lake).await;
    assert_eq!(lake.reader().await.unwrap().versions(), versions);
    // The same files again bring nothing back.
    let report = writer_of(&lake).await.commit(batch_of(&samples)).await.unwrap();
    assert_eq!(report.count(FileOutcome::Known), 6);
    assert_expired(&lake, &samples[3..], 6).await;
    // Keeping more days later does not undo what is known to be gone.
    let options = MaintainOptions { keep_days: Some(8), ..keeping() };
    lake.maintain(options).await.unwrap();
    assert_eq!(lake.reader().await.unwrap().expired_before(), Some(DAY_ZERO_DATE + 6));
    // What expired is deleted once nobody can be reading it.
    let sweeping = MaintainOptions { retention: 0, now: 4_102_444_800_000_000, ..keeping() };
    let swept = lake.maintain(MaintainOptions { keep_days: None, ..sweeping }).await.unwrap();
    assert!(swept.tables[&Table::Activity].files_vacuumed >= 3, "{swept:?}");
    assert_expired(&lake, &samples[3..], 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_file_of_an_expired_day_comes_in_and_goes_with_the_next_maintenance() {
    let (_folder, uri) = folder();
    let (lake, mut samples) = lake_of_days(&uri).await;
    let mut writer = writer_of(&lake).await;
    expire(&lake).await;
    let late = Sample::new(2, 4, 6);
    let report = writer.commit(batch_of([&late])).await.unwrap();
    assert_eq!(report.count(FileOutcome::Committed), 1);
    samples.push(late);
    assert_expired(&lake, &samples[3..], 7).await;
    let report = expire(&lake).await;
    assert_eq!(report.tables[&Table::CredentialEvents].rows_expired, 6);
    assert_expired(&lake, &samples[3..6], 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_over_the_edge_loses_only_its_expired_rows() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let mut sample = Sample::new(1, 6, 8);
    // Half of it happened on the day before.
    for (_, time, _) in &mut sample.events[..4] {
        *time -= DAY;
    }
    writer_of(&lake).await.commit(batch_of([&sample])).await.unwrap();
    expire(&lake).await;
    assert_eq!(number(&lake, "SELECT count(*) FROM credential_events").await, 4);
    assert_clean(&lake).await;
    // A check still sees rows that are too many.
    let mut more = Sample::new(1, 7, 8);
    more.name.clone_from(&sample.name);
    more.date = Some(DAY_ZERO_DATE + 7);
    writer_of(&lake).await.commit(batch_of([&more])).await.unwrap();
    assert!(!lake.check().await.unwrap().clean);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_step_of_expiry_is_made_up_for() {
    for table in Table::DATA {
        for when in ["before", "after"] {
            let (_folder, uri) = folder();
            let (_, samples) = lake_of_days(&uri).await;
            let trigger = Trigger::default();
            trigger.kill_at(&format!("{when}:expire:{table}"));
            let (killed_uri, hook) = (uri.clone(), trigger.hook());
            let task = tokio::spawn(async move {
                lake_with(&killed_uri, hook).await.maintain(keeping()).await.unwrap();
            });
            assert!(task.await.unwrap_err().is_panic(), "{when} {table}");
            let lake = lake_at(&uri).await;
            // In between, some tables have expired and others not: that is no fault.
            assert_clean(&lake).await;
            expire(&lake).await;
            assert_expired(&lake, &samples[3..], 6).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_in_the_middle_of_expiry_loses_nothing() {
    for table in Table::DATA {
        let (_folder, uri) = folder();
        let (_, mut samples) = lake_of_days(&uri).await;
        let (late, young) = (Sample::new(7, 3, 4), Sample::new(8, 8, 4));
        let trigger = Trigger::default();
        let lake = lake_with(&uri, trigger.hook()).await;
        let (other_uri, theirs) = (uri.clone(), [late.clone(), young.clone()]);
        trigger.arm(&format!("before:expire:{table}"), move || {
            elsewhere(async move {
                let lake = lake_at(&other_uri).await;
                writer_of(&lake).await.commit(batch_of(&theirs)).await.unwrap();
            });
        });
        expire(&lake).await;
        assert!(trigger.was_reached(), "{table}");
        assert_clean(&lake).await;
        expire(&lake).await;
        samples.push(young);
        assert_expired(&lake, &samples[3..], 8).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_over_which_days_expire_goes_on() {
    let (_folder, uri) = folder();
    let (_, samples) = lake_of_days(&uri).await;
    let trigger = Trigger::default();
    let lake = lake_with(&uri, trigger.hook()).await;
    let mut writer = writer_of(&lake).await;
    for table in ["credential_events", "log_files"] {
        let other_uri = uri.clone();
        trigger.arm(&format!("before:commit:{table}"), move || {
            elsewhere(async move {
                expire(&lake_at(&other_uri).await).await;
            });
        });
        let young = Sample::new(table.len(), 8, 4);
        writer.commit(batch_of([&young, &samples[0]])).await.unwrap();
        assert!(trigger.was_reached(), "{table}");
    }
    let mut kept = samples[3..].to_vec();
    kept.extend([17, 9].map(|number| Sample::new(number, 8, 4)));
    assert_expired(&lake, &kept, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_maintenances_at_once_expire_once() {
    for step in ["before:expire", "before:replace", "before:compact"] {
        let (_folder, uri) = folder();
        let (_, mut samples) = lake_of_days(&uri).await;
        let trigger = Trigger::default();
        let lake = lake_with(&uri, trigger.hook()).await;
        let more = Sample::new(5, 3, 4);
        samples.push(Sample::new(6, 8, 4));
        let batch = batch_of([&more, &samples[6]]);
        writer_of(&lake).await.commit(batch).await.unwrap();
        // The one compacts what the other lets expire.
        let compacting = step != "before:expire";
        let (other_uri, other) =
            (uri.clone(), MaintainOptions { keep_days: compacting.then_some(3), ..keeping() });
        trigger.arm(&format!("{step}:activity"), move || {
            elsewhere(async move {
                lake_at(&other_uri).await.maintain(other).await.unwrap();
            });
        });
        let ours = MaintainOptions { keep_days: (!compacting).then_some(3), ..keeping() };
        lake.maintain(ours).await.unwrap();
        assert!(trigger.was_reached(), "{step}");
        assert_clean(&lake).await;
        expire(&lake).await;
        assert_expired(&lake, &samples[3..], 8).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_expires_unless_told() {
    let (_folder, uri) = folder();
    let (lake, samples) = lake_of_days(&uri).await;
    lake.maintain(MaintainOptions::at(DAY_ZERO + 900 * DAY)).await.unwrap();
    assert_holds(&lake, &samples).await;
    assert_eq!(lake.reader().await.unwrap().expired_before(), None);
}
