//! A disk that is full, stood in for by a limit on file size.

use std::process::Command;

use rolecall_lake::Kind;

use crate::support::{Sample, assert_clean, assert_holds, batch_of, folder, lake_at, writer_of};

const CHILD: &str = "ROLECALL_TEST_FULL";

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_the_lake_still_opens() {
    let large = Sample::new(1, 0, 4_000);
    if let Ok(uri) = std::env::var(CHILD) {
        let lake = lake_at(&uri).await;
        let error = writer_of(&lake).await.commit(batch_of([&large])).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Full, "{error}");
        return;
    }
    let (_folder, uri) = folder();
    let small = Sample::new(2, 0, 3);
    let lake = lake_at(&uri).await;
    writer_of(&lake).await.commit(batch_of([&small])).await.unwrap();
    // 40 blocks of 512 bytes: more than any small file, less than the large file's rows.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 40; exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .arg("full::a_full_disk_is_told_and_the_lake_still_opens")
        .env(CHILD, &uri)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lake = lake_at(&uri).await;
    assert_holds(&lake, [&small]).await;
    writer_of(&lake).await.commit(batch_of([&large])).await.unwrap();
    assert_holds(&lake, [&small, &large]).await;
    assert_clean(&lake).await;
}
