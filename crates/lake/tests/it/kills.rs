//! Writers that are killed at every step, alone and with another writer in the middle of theirs.

use rolecall_lake::{FileOutcome, Membership, Table};

use crate::support::{
    Sample, Trigger, assert_clean, assert_holds, batch_of, commit_or_die, commit_steps, elsewhere,
    folder, lake_at, lake_with, writer_of,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_step_neither_loses_nor_doubles() {
    for step in commit_steps() {
        let (_folder, uri) = folder();
        let samples: Vec<Sample> = [(1, 0, 5), (2, 1, 0), (3, 0, 4)]
            .map(|(n, day, rows)| Sample::new(n, day, rows))
            .into();
        let trigger = Trigger::default();
        trigger.kill_at(&step);
        assert!(
            !commit_or_die(&uri, trigger.hook(), &samples[..2]).await,
            "{step} was not reached"
        );
        let lake = lake_at(&uri).await;
        assert_eq!(lake.check().await.unwrap().problems, [], "{step}");
        // One of the broken-off files comes again with a new one, then all do.
        writer_of(&lake).await.commit(batch_of(&samples[1..])).await.unwrap();
        writer_of(&lake).await.commit(batch_of(&samples)).await.unwrap();
        assert_holds(&lake, &samples).await;
        assert_clean(&lake).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_a_checkpoint_changes_nothing() {
    for when in ["before", "after"] {
        for table in Table::ALL {
            let (_folder, uri) = folder();
            let samples: Vec<Sample> = (0..9).map(|number| Sample::new(number, 0, 4)).collect();
            let trigger = Trigger::default();
            let mut killed = false;
            trigger.kill_at(&format!("{when}:checkpoint:{table}"));
            for sample in &samples {
                killed |= !commit_or_die(&uri, trigger.hook(), std::slice::from_ref(sample)).await;
            }
            assert!(killed, "no checkpoint of {table}");
            let lake = lake_at(&uri).await;
            writer_of(&lake).await.commit(batch_of(&samples)).await.unwrap();
            assert_holds(&lake, &samples).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_writer_at_any_step_neither_loses_nor_doubles() {
    for step in commit_steps() {
        let (_folder, uri) = folder();
        let samples: Vec<Sample> = (0..4).map(|number| Sample::new(number, 0, 5)).collect();
        let trigger = Trigger::default();
        let lake = lake_with(&uri, trigger.hook()).await;
        let mut writer = writer_of(&lake).await;
        let (other_uri, others) = (uri.clone(), samples[1..].to_vec());
        trigger.arm(&step, move || {
            elsewhere(async move {
                let lake = lake_at(&other_uri).await;
                writer_of(&lake).await.commit(batch_of(&others)).await.unwrap();
            });
        });
        let report = writer.commit(batch_of(&samples[..3])).await.unwrap();
        assert!(trigger.was_reached(), "{step}");
        assert_eq!(report.files.len(), 3);
        assert_holds(&lake, &samples).await;
        assert_clean(&lake).await;
        // The writer has seen it all and goes on.
        let more = Sample::new(9, 1, 3);
        writer.commit(batch_of([&more, &samples[3]])).await.unwrap();
        assert_holds(&lake, samples.iter().chain([&more])).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_writers_kill_at_any_step_neither_loses_nor_doubles() {
    let commits: Vec<String> =
        commit_steps().into_iter().filter(|step| step.contains(":commit:")).collect();
    for step in commits.iter().filter(|step| step.starts_with("before")) {
        for killed_at in &commits {
            let (_folder, uri) = folder();
            let samples: Vec<Sample> = (0..3).map(|number| Sample::new(number, 0, 4)).collect();
            let trigger = Trigger::default();
            let lake = lake_with(&uri, trigger.hook()).await;
            let mut writer = writer_of(&lake).await;
            let (other_uri, others, other_step) =
                (uri.clone(), samples[1..].to_vec(), killed_at.clone());
            trigger.arm(step, move || {
                elsewhere(async move {
                    let trigger = Trigger::default();
                    trigger.kill_at(&other_step);
                    assert!(!commit_or_die(&other_uri, trigger.hook(), &others).await);
                });
            });
            writer.commit(batch_of(&samples[..2])).await.unwrap();
            assert!(trigger.was_reached(), "{step}");
            writer_of(&lake).await.commit(batch_of(&samples)).await.unwrap();
            assert_holds(&lake, &samples).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_off_file_is_seen_as_pending_by_writers_that_come_later() {
    let (_folder, uri) = folder();
    let sample = Sample::new(1, 0, 4);
    let trigger = Trigger::default();
    trigger.kill_at("after:commit:iam_changes");
    assert!(!commit_or_die(&uri, trigger.hook(), std::slice::from_ref(&sample)).await);
    let lake = lake_at(&uri).await;
    let mut writer = writer_of(&lake).await;
    let held = vec![Table::CredentialEvents, Table::IamChanges];
    assert_eq!(
        writer.membership(&sample.meta().id()).await.unwrap(),
        Membership::Pending { tables: held }
    );
    // The rest is written, and only the rest.
    let report = writer.commit(batch_of([&sample])).await.unwrap();
    assert_eq!(
        report.versions.keys().copied().collect::<Vec<_>>(),
        [Table::Activity, Table::LogFiles]
    );
    assert_holds(&lake, [&sample]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_off_file_with_other_content_is_left_alone() {
    let (_folder, uri) = folder();
    let sample = Sample::new(1, 0, 4);
    let trigger = Trigger::default();
    trigger.kill_at("after:commit:credential_events");
    assert!(!commit_or_die(&uri, trigger.hook(), std::slice::from_ref(&sample)).await);
    let lake = lake_at(&uri).await;
    let mut other = Sample::new(2, 0, 6);
    other.name.clone_from(&sample.name);
    let report = writer_of(&lake).await.commit(batch_of([&other])).await.unwrap();
    assert_eq!(report.count(FileOutcome::Replaced), 1);
    writer_of(&lake).await.commit(batch_of([&sample])).await.unwrap();
    assert_holds(&lake, [&sample]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_with_other_contents_for_one_name_keep_one_of_them_whole() {
    for step in commit_steps().into_iter().filter(|step| step.contains(":commit:")) {
        let (_folder, uri) = folder();
        let sample = Sample::new(1, 0, 4);
        let mut other = Sample::new(2, 0, 9);
        other.name.clone_from(&sample.name);
        let trigger = Trigger::default();
        let lake = lake_with(&uri, trigger.hook()).await;
        let mut writer = writer_of(&lake).await;
        let (other_uri, theirs) = (uri.clone(), other.clone());
        trigger.arm(&step, move || {
            elsewhere(async move {
                let lake = lake_at(&other_uri).await;
                writer_of(&lake).await.commit(batch_of([&theirs])).await.unwrap();
            });
        });
        let report = writer.commit(batch_of([&sample])).await.unwrap();
        assert!(trigger.was_reached(), "{step}");
        let ours = report.count(FileOutcome::Committed) == 1;
        assert_eq!(report.count(FileOutcome::Replaced), usize::from(!ours), "{step}");
        assert_holds(&lake, [if ours { &sample } else { &other }]).await;
        assert_clean(&lake).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_at_once_share_the_work() {
    let (_folder, uri) = folder();
    let samples: Vec<Sample> =
        (0..24).map(|number| Sample::new(number, i32::try_from(number % 3).unwrap(), 3)).collect();
    let tasks: Vec<_> = (0..4)
        .map(|writer| {
            let (uri, samples) = (uri.clone(), samples.clone());
            tokio::spawn(async move {
                let lake = lake_at(&uri).await;
                let mut committer = writer_of(&lake).await;
                let mut committed = 0;
                // Each takes all files, in batches that overlap with the others'.
                for start in (0..samples.len()).step_by(4) {
                    let batch = (0..6)
                        .map(|offset| &samples[(start + offset + writer * 5) % samples.len()]);
                    let report = committer.commit(batch_of(batch)).await.unwrap();
                    committed += report.count(FileOutcome::Committed);
                }
                committed
            })
        })
        .collect();
    let mut committed = 0;
    for task in tasks {
        committed += task.await.unwrap();
    }
    assert_eq!(committed, samples.len());
    let lake = lake_at(&uri).await;
    assert_holds(&lake, &samples).await;
    assert_clean(&lake).await;
}
