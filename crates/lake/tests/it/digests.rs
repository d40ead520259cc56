//! Results of checking digests: added once, kept, readable, and no part of any batch.

use rolecall_lake::{DigestResult, MaintainOptions, Proof, Subject, Table};

use crate::support::{
    DAY, DAY_ZERO, HOUR, Sample, Trigger, assert_clean, assert_holds, batch_of, elsewhere, folder,
    lake_at, lake_with, number, text, writer_of,
};

fn of_log(number: usize, status: Proof, checked_at: i64) -> DigestResult {
    let log_file = format!("log-{number:03}.json.gz");
    DigestResult {
        delivered_date: Some(19_723 + i32::try_from(number % 2).unwrap()),
        account_id: Some("111122223333".to_owned()),
        aws_region: Some("eu-west-1".to_owned()),
        period_start: Some(DAY_ZERO),
        period_end: Some(DAY_ZERO + HOUR),
        digest_bucket: Some("trail".to_owned()),
        digest_key: Some("digest".to_owned()),
        bucket: Some("trail".to_owned()),
        key: Some(format!("AWSLogs/{log_file}")),
        log_file: Some(log_file),
        sha256: Some("ab".repeat(32)),
        ..DigestResult::new(Subject::LogFile, status, checked_at)
    }
}

fn verified(numbers: std::ops::Range<usize>, checked_at: i64) -> Vec<DigestResult> {
    numbers.map(|number| of_log(number, Proof::Verified, checked_at)).collect()
}

const COUNT: &str = "SELECT count(*) FROM digest_results";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_is_not_added_again() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    assert_eq!(number(&lake, COUNT).await, 0, "readable before there is a table");
    assert!(!lake.reader().await.unwrap().versions().contains_key(&Table::DigestResults));
    let done = lake.digest_results(&verified(0..4, 1)).await.unwrap();
    assert_eq!((done.added, done.known), (4, 0));
    // Later, by another handle, with some that are new.
    let again = lake_at(&uri).await;
    let done = again.digest_results(&verified(0..6, 2)).await.unwrap();
    assert_eq!((done.added, done.known), (2, 4));
    let versions = lake.reader().await.unwrap().versions();
    assert_eq!(again.digest_results(&verified(0..6, 3)).await.unwrap().added, 0);
    assert_eq!(lake.reader().await.unwrap().versions(), versions, "nothing was committed");
    assert_eq!(number(&lake, COUNT).await, 6);
    assert_eq!(again.digest_results(&[]).await.unwrap().added, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_an_outcome_stays_on_record() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let outcomes =
        [Proof::Unreferenced, Proof::Verified, Proof::Verified, Proof::Altered, Proof::Verified];
    let mut added = 0;
    for (at, status) in (1..).zip(outcomes) {
        let mut result = of_log(1, status, at);
        if status == Proof::Unreferenced {
            (result.digest_bucket, result.digest_key) = (None, None);
        }
        added += lake.digest_results(&[result]).await.unwrap().added;
    }
    assert_eq!(added, 4);
    let held = text(&lake, "SELECT status FROM digest_results ORDER BY checked_at").await;
    let found: Vec<&str> = held.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(found, ["status", "unreferenced", "verified", "altered", "verified"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn things_are_told_apart() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let digest = DigestResult {
        subject: Subject::Digest,
        log_file: None,
        bucket: None,
        key: None,
        ..of_log(0, Proof::Verified, 1)
    };
    let other_region = DigestResult { aws_region: Some("us-east-1".to_owned()), ..digest.clone() };
    let gap = DigestResult { subject: Subject::Gap, status: Proof::Missing, ..digest.clone() };
    let later_gap = DigestResult { period_start: Some(DAY_ZERO + 5), ..gap.clone() };
    let twice = of_log(7, Proof::Altered, 1);
    let results =
        [digest, other_region, gap, later_gap, of_log(7, Proof::Verified, 1), twice.clone()];
    assert_eq!(lake.digest_results(&results).await.unwrap().added, 5);
    let sql = "SELECT count(*) FROM digest_results WHERE status = 'altered'";
    assert_eq!(number(&lake, sql).await, 1, "of two on one thing the last counts");
    assert_eq!(lake.digest_results(&results).await.unwrap().added, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_add_each_result_once() {
    for step in ["before:commit:digest_results", "before:write:digest_results"] {
        let (_folder, uri) = folder();
        let trigger = Trigger::default();
        let lake = lake_with(&uri, trigger.hook()).await;
        lake.digest_results(&verified(0..1, 1)).await.unwrap();
        let other_uri = uri.clone();
        trigger.arm(step, move || {
            elsewhere(async move {
                let lake = lake_at(&other_uri).await;
                lake.digest_results(&verified(2..6, 2)).await.unwrap();
            });
        });
        let done = lake.digest_results(&verified(0..4, 2)).await.unwrap();
        assert!(trigger.was_reached());
        assert_eq!(done.added, 1, "{step}: the other one added 2 and 3");
        assert_eq!(number(&lake, COUNT).await, 6, "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_results_are_added_loses_only_them() {
    for step in ["before:write", "after:write", "before:commit", "after:commit"] {
        let (_folder, uri) = folder();
        let sample = Sample::new(1, 0, 4);
        let trigger = Trigger::default();
        trigger.kill_at(&format!("{step}:digest_results"));
        let (killed_uri, hook, killed_sample) = (uri.clone(), trigger.hook(), sample.clone());
        let task = tokio::spawn(async move {
            let lake = lake_with(&killed_uri, hook).await;
            writer_of(&lake).await.commit(batch_of([&killed_sample])).await.unwrap();
            lake.digest_results(&verified(0..3, 1)).await.unwrap();
        });
        assert!(task.await.unwrap_err().is_panic(), "{step}");
        let lake = lake_at(&uri).await;
        lake.digest_results(&verified(0..3, 2)).await.unwrap();
        assert_eq!(number(&lake, COUNT).await, 3, "{step}");
        writer_of(&lake).await.commit(batch_of([&sample])).await.unwrap();
        assert_holds(&lake, [&sample]).await;
        assert_clean(&lake).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_compacts_results_and_keeps_them() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let options =
        || MaintainOptions { keep_days: Some(1), ..MaintainOptions::at(DAY_ZERO + 99 * DAY) };
    let report = lake.maintain(options()).await.unwrap();
    assert!(!report.tables.contains_key(&Table::DigestResults), "there is no such table yet");
    for number in 0..6 {
        lake.digest_results(&verified(number..number + 2, 1)).await.unwrap();
    }
    let report = lake.maintain(options()).await.unwrap();
    let done = &report.tables[&Table::DigestResults];
    assert_eq!((done.partitions_compacted, done.files_written, done.rows_dropped), (2, 2, 0));
    assert_eq!(number(&lake, COUNT).await, 7);
    assert_eq!(lake.digest_results(&verified(0..7, 9)).await.unwrap().added, 0);
}
