//! What the Parquet files and the log look like to other programs.

use std::fs::File;
use std::path::Path;

use datafusion::arrow::compute::{
    SortColumn, SortOptions, concat_batches, lexsort_to_indices, take,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use rolecall_lake::{Lake, MaintainOptions, Table};

use crate::support::{DAY_ZERO, Sample, batch_of, folder, lake_at, writer_of};

async fn assert_files_are_what_they_say(lake: &Lake) {
    let reader = lake.reader().await.unwrap();
    for table in Table::ALL {
        let def = table.def();
        assert!(!reader.files(table).is_empty());
        for path in reader.files(table) {
            let path = Path::new(lake.uri()).join(table.name()).join(path);
            let metadata = ParquetMetaDataReader::new()
                .with_page_index_policy(PageIndexPolicy::Required)
                .parse_and_finish(&File::open(&path).unwrap())
                .unwrap();
            assert!(metadata.column_index().is_some() && metadata.offset_index().is_some());
            let group = metadata.row_group(0);
            for column in group.columns() {
                let name = column.column_path().string();
                assert!(matches!(column.compression(), Compression::ZSTD(_)), "{name}");
                let bloom = def.bloom_columns.contains(&name.as_str());
                assert_eq!(column.bloom_filter_offset().is_some(), bloom, "{name}");
            }
            let sorted_by: Vec<String> = group
                .sorting_columns()
                .unwrap()
                .iter()
                .map(|sorting| {
                    let index = usize::try_from(sorting.column_idx).unwrap();
                    group.column(index).column_path().string()
                })
                .collect();
            assert_eq!(sorted_by, def.sort_columns);
            // It really is sorted as it says.
            let builder =
                ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
            let schema = builder.schema().clone();
            assert!(schema.index_of(def.partition_column).is_err());
            let batches: Vec<_> = builder.build().unwrap().map(Result::unwrap).collect();
            let rows = concat_batches(&schema, &batches).unwrap();
            let columns: Vec<SortColumn> = def
                .sort_columns
                .iter()
                .map(|name| SortColumn {
                    values: rows.column_by_name(name).unwrap().clone(),
                    options: Some(SortOptions { descending: false, nulls_first: false }),
                })
                .collect();
            let order = lexsort_to_indices(&columns, None).unwrap();
            for sort in &columns {
                let sorted = take(&sort.values, &order, None).unwrap();
                assert_eq!(&sorted, &sort.values, "{table} is not sorted");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_sorted_indexed_and_compressed_as_they_say() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    // The last ones have no events, and so activity without an access key.
    let samples: Vec<Sample> = [40, 30, 0, 20, 10, 0]
        .iter()
        .enumerate()
        .map(|(n, rows)| Sample::new(n, 0, *rows))
        .collect();
    for chunk in samples.chunks(2) {
        writer_of(&lake).await.commit(batch_of(chunk)).await.unwrap();
    }
    assert_files_are_what_they_say(&lake).await;
    lake.maintain(MaintainOptions::at(DAY_ZERO)).await.unwrap();
    assert_files_are_what_they_say(&lake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_old_features_are_used() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    writer_of(&lake).await.commit(batch_of([&Sample::new(1, 0, 4)])).await.unwrap();
    for table in Table::ALL {
        let log = Path::new(&uri).join(table.name()).join("_delta_log");
        let creation = std::fs::read_to_string(log.join("00000000000000000000.json")).unwrap();
        let action = |name: &str| -> serde_json::Value {
            let line =
                creation.lines().find(|line| line.starts_with(&format!("{{\"{name}\""))).unwrap();
            serde_json::from_str::<serde_json::Value>(line).unwrap()[name].clone()
        };
        assert_eq!(
            action("protocol").to_string(),
            r#"{"minReaderVersion":1,"minWriterVersion":2}"#
        );
        let metadata = action("metaData");
        assert_eq!(metadata["configuration"]["delta.enableExpiredLogCleanup"], "false");
        assert_eq!(metadata["configuration"]["rolecall.format"], "1");
        assert_eq!(metadata["partitionColumns"][0], table.def().partition_column);
        let commit = std::fs::read_to_string(log.join("00000000000000000001.json")).unwrap();
        assert!(commit.contains("rolecall.batch") && commit.contains("rolecall.files"));
        assert!(!commit.contains("deletionVector"));
    }
}
