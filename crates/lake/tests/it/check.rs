//! That a check finds what is wrong, and does not take for wrong what is not.

use std::path::{Path, PathBuf};

use rolecall_lake::{Batch, Lake, Problem, Table};

use crate::support::{
    Sample, Trigger, assert_clean, batch_of, commit_or_die, folder, lake_at, writer_of,
};

fn log_of(uri: &str, table: Table) -> PathBuf {
    Path::new(uri).join(table.name()).join("_delta_log")
}

/// Tampers with a table: puts a commit of its own.
async fn put_commit(lake: &Lake, table: Table, line: &str) {
    let version = lake.reader().await.unwrap().versions()[&table] + 1;
    std::fs::write(log_of(lake.uri(), table).join(format!("{version:020}.json")), line).unwrap();
}

/// The `add` actions of a version.
fn adds(uri: &str, table: Table, version: u64) -> Vec<String> {
    let commit = std::fs::read_to_string(log_of(uri, table).join(format!("{version:020}.json")));
    commit.unwrap().lines().filter(|line| line.contains("\"add\"")).map(ToOwned::to_owned).collect()
}

async fn lake_of_two(uri: &str) -> (Lake, [Sample; 2]) {
    let lake = lake_at(uri).await;
    let samples = [Sample::new(1, 0, 4), Sample::new(2, 0, 8)];
    for sample in &samples {
        writer_of(&lake).await.commit(batch_of([sample])).await.unwrap();
    }
    assert_clean(&lake).await;
    (lake, samples)
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_rows_are_found() {
    for table in Table::DATA {
        let (_folder, uri) = folder();
        let (lake, samples) = lake_of_two(&uri).await;
        let path = lake.reader().await.unwrap().files(table)[0].clone();
        let add = adds(&uri, table, 1).concat();
        let lost = if add.contains(&path) { &samples[0] } else { &samples[1] };
        put_commit(
            &lake,
            table,
            &format!(
                "{{\"remove\":{{\"path\":\"{path}\",\"dataChange\":true,\"deletionTimestamp\":0}}}}"
            ),
        )
        .await;
        let report = lake.check().await.unwrap();
        assert!(!report.clean);
        assert_eq!(report.problem_count, 1);
        let Problem::Count { table: named, log_file, found: 0, dropped: 0, .. } =
            &report.problems[0]
        else {
            panic!("{:?}", report.problems);
        };
        assert_eq!((*named, log_file), (table, &lost.name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doubled_rows_are_found() {
    for table in Table::DATA {
        let (_folder, uri) = folder();
        let (lake, samples) = lake_of_two(&uri).await;
        let add = adds(&uri, table, 1).concat();
        let action: serde_json::Value = serde_json::from_str(&add).unwrap();
        let path = action["add"]["path"].as_str().unwrap();
        let copy = path.replace("part-", "part-copy-");
        let folder = Path::new(&uri).join(table.name());
        std::fs::copy(folder.join(path), folder.join(&copy)).unwrap();
        put_commit(&lake, table, &add.replace(path, &copy)).await;
        let report = lake.check().await.unwrap();
        assert!(!report.clean);
        let counted = report.problems.iter().any(|problem| {
            matches!(problem, Problem::Count { table: named, log_file, expected, found, .. }
                if *named == table && *log_file == samples[0].name && *found == expected * 2)
        });
        assert!(counted, "{:?}", report.problems);
        let twice =
            report.problems.iter().any(|problem| matches!(problem, Problem::RecordTwice { .. }));
        assert_eq!(twice, table != Table::Activity);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_twice_in_the_ledger_is_found() {
    let (_folder, uri) = folder();
    let (lake, samples) = lake_of_two(&uri).await;
    let add = adds(&uri, Table::LogFiles, 1).concat();
    let action: serde_json::Value = serde_json::from_str(&add).unwrap();
    let path = action["add"]["path"].as_str().unwrap();
    let copy = path.replace("part-", "part-copy-");
    let folder = Path::new(&uri).join("log_files");
    std::fs::copy(folder.join(path), folder.join(&copy)).unwrap();
    put_commit(&lake, Table::LogFiles, &add.replace(path, &copy)).await;
    let report = lake.check().await.unwrap();
    assert_eq!(
        report.problems,
        [Problem::LedgerTwice { log_file: samples[0].name.clone(), entries: 2 }]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_off_ingest_is_named_but_is_not_corruption() {
    let (_folder, uri) = folder();
    let (lake, _) = lake_of_two(&uri).await;
    let sample = Sample::new(3, 0, 4);
    let trigger = Trigger::default();
    trigger.kill_at("after:commit:activity");
    assert!(!commit_or_die(&uri, trigger.hook(), std::slice::from_ref(&sample)).await);
    let mut batch = Batch::new();
    batch.push_refused(Sample::new(4, 0, 0).meta(), "is not gzip");
    writer_of(&lake).await.commit(batch).await.unwrap();
    let report = lake.check().await.unwrap();
    assert!(report.clean, "{report:?}");
    assert_eq!((report.complete, report.refused, report.pending), (2, 1, 0));
    let rows: Vec<(Table, u64)> = report.unlisted.iter().map(|u| (u.table, u.rows)).collect();
    assert_eq!(
        rows,
        [(Table::CredentialEvents, 4), (Table::IamChanges, 1), (Table::Activity, sample.records())]
    );
    writer_of(&lake).await.commit(batch_of([&sample])).await.unwrap();
    assert_clean(&lake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_lake_is_clean() {
    let (_folder, uri) = folder();
    let report = lake_at(&uri).await.check().await.unwrap();
    assert!(report.clean);
    assert_eq!(report.complete, 0);
}
