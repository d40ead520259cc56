//! Objects that cannot be had: gone, archived.

use std::time::Duration;

use aws_sdk_s3::types::StorageClass;

use super::stage::{Stage, until};
use crate::support::{Ground, Record, gzip, log_file, log_file_name};

const MAX_RECEIVES: u32 = 4;

fn key(number: u32) -> String {
    let name = log_file_name(number);
    format!("AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/05/{name}")
}

fn one_record(number: u32) -> Vec<u8> {
    gzip(log_file([Record::assume_role(number)]))
}

/// It is asked for now and then, in case the notification came before the object, and never in a hot loop.
#[test]
fn a_deleted_key_becomes_a_dead_letter() {
    let stage = Stage::notified(Ground::Folder, MAX_RECEIVES);
    stage.trail.put([(key(1), one_record(1)), (key(2), one_record(2))]);
    let delete = stage.trail.client().delete_object().bucket(stage.trail.name()).key(key(1));
    stage.trail.wait(async { delete.send().await }).unwrap();
    let mut worker = stage.worker(&["--batch-seconds", "1"]);
    stage.wait_for_empty_queue(Duration::from_secs(90));
    let asked = stage.proxy.count(|call| call.fetches(&key(1)));
    assert!((2..=MAX_RECEIVES as usize).contains(&asked), "asked for {asked} times");
    let dead = stage.queue.dead_letters();
    assert!(dead.len() == 1 && dead[0].contains(&log_file_name(1)), "{dead:?}");
    assert_eq!(worker.metric("rolecall_log_files_total{outcome=\"committed\"}"), 1.0);
    worker.stop();
    assert_eq!(
        ledger(&stage),
        [format!("{} complete", log_file_name(2)), format!("{} refused", log_file_name(1))]
    );
}

/// What the ledger says of each log file.
fn ledger(stage: &Stage) -> Vec<String> {
    let rows =
        stage.lake().sql("select log_file || ' ' || status as said from log_files order by status");
    rows.iter().map(|row| row["said"].as_str().unwrap().to_owned()).collect()
}

/// Nobody can read it before it is restored, and restoring it is notified anew.
#[test]
fn an_archived_object_is_acknowledged_and_counted() {
    let stage = Stage::notified(Ground::Folder, 2);
    let put = stage.trail.client().put_object().bucket(stage.trail.name()).key(key(1));
    let put = put.storage_class(StorageClass::Glacier).body(one_record(1).into());
    stage.trail.wait(async { put.send().await }).unwrap();
    let mut worker = stage.worker(&["--batch-seconds", "1"]);
    until(Duration::from_secs(60), || {
        match worker.metric("rolecall_log_files_total{outcome=\"archived\"}") {
            1.0 => Ok(()),
            other => Err(format!("{other} archived")),
        }
    });
    stage.wait_for_empty_queue(Duration::from_secs(30));
    worker.stop();
    assert_eq!(stage.queue.dead_letters(), [""; 0]);
    assert_eq!(stage.proxy.count(|call| call.fetches(&key(1))), 1);
    assert_eq!(ledger(&stage), [format!("{} refused", log_file_name(1))]);
}
