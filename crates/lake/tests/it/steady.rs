//! A worker that commits for months: what it leaves behind stays bounded.

use std::collections::BTreeMap;

use rolecall_lake::{Lake, MaintainOptions, Table};

use crate::support::{
    DAY, DAY_ZERO, Sample, assert_clean, assert_holds, batch_of, folder, lake_at, writer_of,
};

const COMMITS: usize = 200;
const COMMITS_BETWEEN_MAINTENANCE: usize = 25;

/// The most live files that any day of a table has.
async fn most_files_of_a_day(lake: &Lake, table: Table) -> usize {
    let reader = lake.reader().await.unwrap();
    let mut days: BTreeMap<&str, usize> = BTreeMap::new();
    for path in reader.files(table) {
        *days.entry(path.split('/').next().unwrap()).or_default() += 1;
    }
    days.into_values().max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_keeps_the_live_files_of_a_day_few() {
    let (_folder, uri) = folder();
    let lake = lake_at(&uri).await;
    let mut writer = writer_of(&lake).await;
    // Files of two days, as around midnight.
    let samples: Vec<Sample> = (0..COMMITS)
        .map(|number| Sample::new(number, i32::try_from(number * 2 / COMMITS).unwrap(), 4))
        .collect();
    for (number, sample) in (1..).zip(&samples) {
        writer.commit(batch_of([sample])).await.unwrap();
        if number % COMMITS_BETWEEN_MAINTENANCE != 0 {
            continue;
        }
        // One more than a maintenance leaves, and what was committed since the last.
        for table in Table::ALL {
            let files = most_files_of_a_day(&lake, table).await;
            assert!(files <= COMMITS_BETWEEN_MAINTENANCE + 1, "{table}: {files} at {number}");
        }
        lake.maintain(MaintainOptions::at(DAY_ZERO + 3 * DAY)).await.unwrap();
        for table in Table::ALL {
            let files = most_files_of_a_day(&lake, table).await;
            assert_eq!(files, 1, "{table} at {number}");
        }
    }
    assert_holds(&lake, &samples).await;
    assert_clean(&lake).await;
}
