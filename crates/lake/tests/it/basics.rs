//! One writer, one reader, nothing in their way.

use rolecall_lake::{
    Batch, FileOutcome, Kind, Lake, LakeError, LakeOptions, LogFileMeta, Membership, Pushed, Table,
};

use crate::support::{
    DAY_ZERO, DAY_ZERO_DATE, Sample, assert_holds, batch_of, folder, lake_at, number, query, text,
    writer_of,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_committed_batch_is_read_back() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let mut writer = writer_of(&lake).await;
    let samples = [Sample::new(1, 0, 9), Sample::new(2, 0, 0), Sample::new(3, 1, 5)];
    let report = writer.commit(batch_of(&samples)).await.unwrap();
    assert_eq!(report.count(FileOutcome::Committed), 3);
    assert_eq!(report.rows[&Table::CredentialEvents], 14);
    assert_eq!(report.rows[&Table::IamChanges], 3);
    assert_eq!(report.rows[&Table::LogFiles], 3);
    assert!(report.bytes_written > 0);
    assert_holds(&lake, &samples).await;
    let row = text(
        &lake,
        "SELECT event_id, event_time, event_date, session_tags['team'] AS team,
                session_policy_arns[1] AS policy, shared_event_id, record_index
         FROM credential_events WHERE event_id = 'event-1-3-1'",
    )
    .await;
    assert_eq!(
        row,
        "\
+-------------+----------------------+------------+-------+----------------------------------------+-----------------+--------------+
| event_id    | event_time           | event_date | team  | policy                                 | shared_event_id | record_index |
+-------------+----------------------+------------+-------+----------------------------------------+-----------------+--------------+
| event-1-3-1 | 2024-01-02T00:37:00Z | 2024-01-02 | green | arn:aws:iam::aws:policy/ReadOnlyAccess |                 | 1            |
+-------------+----------------------+------------+-------+----------------------------------------+-----------------+--------------+"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_given_again_changes_nothing() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let mut writer = writer_of(&lake).await;
    let sample = Sample::new(1, 0, 4);
    writer.commit(batch_of([&sample])).await.unwrap();
    let before = lake.reader().await.unwrap().versions();
    // By the same writer, and by one that knows of it from the tables only.
    for mut writer in [writer, writer_of(&lake).await] {
        let report = writer.commit(batch_of([&sample])).await.unwrap();
        assert_eq!(report.files, [(sample.name.clone(), FileOutcome::Known)]);
        assert!(report.versions.is_empty());
        let membership = writer.membership(&sample.meta().id()).await.unwrap();
        assert!(matches!(membership, Membership::Complete { .. }));
    }
    assert_eq!(lake.reader().await.unwrap().versions(), before);
    assert_holds(&lake, [&sample]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_twice_in_one_batch_is_taken_once() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let sample = Sample::new(1, 0, 4);
    let mut batch = batch_of([&sample]);
    sample.push(&mut batch);
    assert_eq!(batch.push_refused(sample.meta(), "again"), Pushed::Duplicate);
    assert_eq!(batch.files(), 1);
    writer_of(&lake).await.commit(batch).await.unwrap();
    assert_holds(&lake, [&sample]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_content_under_a_known_name_is_reported_as_replaced() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let mut writer = writer_of(&lake).await;
    let first = Sample::new(1, 0, 4);
    writer.commit(batch_of([&first])).await.unwrap();
    let mut second = Sample::new(2, 0, 7);
    second.name.clone_from(&first.name);
    let report = writer.commit(batch_of([&second])).await.unwrap();
    assert_eq!(report.files, [(first.name.clone(), FileOutcome::Replaced)]);
    assert_holds(&lake, [&first]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_file_is_kept_as_such_and_tried_again() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let mut writer = writer_of(&lake).await;
    let sample = Sample::new(1, 0, 4);
    for expected in [FileOutcome::Refused, FileOutcome::KnownRefused] {
        let mut batch = Batch::new();
        batch.push_refused(sample.meta(), "is not gzip");
        let report = writer.commit(batch).await.unwrap();
        assert_eq!(report.count(expected), 1);
        assert!(!report.versions.contains_key(&Table::CredentialEvents));
        let membership = writer.membership(&sample.meta().id()).await.unwrap();
        assert_eq!(membership, Membership::Refused);
    }
    let refused =
        "SELECT count(*) FROM log_files WHERE status = 'refused' AND refusal = 'is not gzip'";
    assert_eq!(number(&lake, refused).await, 1);
    let report = writer.commit(batch_of([&sample])).await.unwrap();
    assert_eq!(report.count(FileOutcome::Committed), 1);
    assert_holds(&lake, [&sample]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn undated_files_and_hostile_times_find_a_partition() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let mut sample = Sample::new(1, 0, 0);
    sample.date = None;
    sample.name = "it's a \"file\"\n%2F name=1.json".to_owned();
    sample.events = [i64::MIN, -1, 0, i64::MAX]
        .iter()
        .enumerate()
        .map(|(index, time)| (format!("hostile-{index}"), *time, String::new()))
        .collect();
    let mut writer = writer_of(&lake).await;
    writer.commit(batch_of([&sample])).await.unwrap();
    assert_holds(&lake, [&sample]).await;
    let report = writer_of(&lake).await.commit(batch_of([&sample])).await.unwrap();
    assert_eq!(report.count(FileOutcome::Known), 1);
    assert_eq!(
        query(&lake, "SELECT DISTINCT event_date FROM credential_events")
            .await
            .iter()
            .map(|b| b.num_rows())
            .sum::<usize>(),
        4
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_event_id_gets_one_that_never_changes() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let sample = Sample::new(1, 0, 1);
    writer_of(&lake).await.commit(batch_of([&sample])).await.unwrap();
    let derived =
        format!("SELECT count(*) FROM activity WHERE sample_event_id = '{}#1'", sample.name);
    assert_eq!(number(&lake, &derived).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_says_what_is_wrong() {
    let (_folder, uri) = folder();
    let missing = Lake::open(&uri, LakeOptions::default()).await.unwrap_err();
    assert!(matches!(missing, LakeError::NoLake { .. }), "{missing}");
    assert!(!std::path::Path::new(&uri).exists(), "opening made a folder");
    std::fs::create_dir(&uri).unwrap();
    let empty = Lake::open(&uri, LakeOptions::default()).await.unwrap_err();
    assert!(matches!(empty, LakeError::NoLake { .. }), "{empty}");
    let mut options = LakeOptions::default();
    options.storage.insert("AWS_S3_ALLOW_UNSAFE_RENAME".to_owned(), "true".to_owned());
    let refused = Lake::open(&uri, options).await.unwrap_err();
    assert!(matches!(refused, LakeError::UnsafeOption { .. }), "{refused}");
    let other = Lake::open("gs://bucket/lake", LakeOptions::default()).await.unwrap_err();
    assert_eq!(other.kind(), Kind::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_lake_is_refused() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let mut writer = writer_of(&lake).await;
    let version_zero =
        std::path::Path::new(&uri).join("activity/_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&version_zero).unwrap();
    let newer = text.replace("\"rolecall.format\":\"1\"", "\"rolecall.format\":\"2\"");
    assert_ne!(text, newer);
    // A newer program raises the format of a lake that an older writer has open.
    std::fs::write(
        std::path::Path::new(&uri).join("activity/_delta_log/00000000000000000001.json"),
        newer.lines().find(|line| line.contains("metaData")).unwrap(),
    )
    .unwrap();
    let error = writer.commit(batch_of([&Sample::new(1, 0, 1)])).await.unwrap_err();
    assert!(matches!(error, LakeError::NewerFormat { found: 2, .. }), "{error}");
    let error = Lake::open(&uri, LakeOptions::default()).await.unwrap_err();
    assert!(matches!(error, LakeError::NewerFormat { found: 2, .. }), "{error}");
    assert_eq!(error.kind(), Kind::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn makers_of_one_lake_meet_in_it() {
    let (_folder, uri) = folder();
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let uri = uri.clone();
            tokio::spawn(async move {
                let lake = lake_at(&uri).await;
                let sample = Sample::new(number, 0, 2);
                writer_of(&lake).await.commit(batch_of([&sample])).await.unwrap();
                sample
            })
        })
        .collect();
    let mut samples = Vec::new();
    for task in tasks {
        samples.push(task.await.unwrap());
    }
    assert_holds(&lake_at(&uri).await, &samples).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_describe_themselves() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let reader = lake.reader().await.unwrap();
    for table in Table::ALL {
        let provider = reader.table(table.name()).await.unwrap();
        let schema = provider.schema();
        assert_eq!(schema.fields().len(), table.def().columns.len());
        for column in table.def().columns {
            let field = schema.field_with_name(column.name).unwrap();
            assert_eq!(field.metadata().get("comment").map(String::as_str), Some(column.comment));
            assert_eq!(field.is_nullable(), column.nullable, "{}", column.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_day_is_known_without_being_loaded_at_start() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let samples: Vec<Sample> = (0..40).map(|day| Sample::new(1, day, 1)).collect();
    for chunk in samples.chunks(10) {
        writer_of(&lake).await.commit(batch_of(chunk)).await.unwrap();
    }
    // So few entries fit that every partition is dropped again and again.
    let options = rolecall_lake::WriterOptions {
        max_ledger_files: 3,
        preload: Some(DAY_ZERO_DATE..=DAY_ZERO_DATE + 13),
        ..Default::default()
    };
    let mut writer = lake.writer(options).await.unwrap();
    for sample in &samples {
        let membership = writer.membership(&sample.meta().id()).await.unwrap();
        assert!(matches!(membership, Membership::Complete { .. }));
    }
    let report = writer.commit(batch_of(&samples)).await.unwrap();
    assert_eq!(report.count(FileOutcome::Known), 40);
    let unknown = LogFileMeta { log_file: "new".to_owned(), ..samples[0].meta() };
    assert_eq!(writer.membership(&unknown.id()).await.unwrap(), Membership::Unknown);
    assert!(samples[0].meta().ingested_at > DAY_ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_has_lost_a_table_is_not_made_anew() {
    for table in Table::ALL {
        let (_folder, uri) = folder();
        let lake = lake_at(&uri).await;
        writer_of(&lake).await.commit(batch_of([&Sample::new(1, 0, 4)])).await.unwrap();
        std::fs::remove_dir_all(std::path::Path::new(&uri).join(table.name())).unwrap();
        let error = Lake::create_or_open(&uri, LakeOptions::default()).await.unwrap_err();
        assert!(
            matches!(&error, LakeError::Foreign { table: lost, .. } if *lost == table),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_whose_making_was_broken_off_is_made_to_the_end() {
    let (_folder, uri) = folder();
    lake_at(&uri).await;
    for table in [Table::LogFiles, Table::Activity] {
        std::fs::remove_dir_all(std::path::Path::new(&uri).join(table.name())).unwrap();
    }
    let lake = lake_at(&uri).await;
    let sample = Sample::new(1, 0, 4);
    writer_of(&lake).await.commit(batch_of([&sample])).await.unwrap();
    assert_holds(&lake, [&sample]).await;
}
