//! S3 against a server of our own that answers as S3 does for a bucket in another region.

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Answers every request with what `answer` makes of its head; keeps the heads.
async fn server(
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let heads = Arc::new(Mutex::new(Vec::new()));
    let (kept, answer) = (Arc::clone(&heads), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                let head = String::from_utf8(head).unwrap();
                kept.lock().unwrap().push(head.clone());
                stream.write_all(answer(&head).as_bytes()).await.unwrap();
            });
        }
    });
    (endpoint, heads)
}

fn s3(endpoint: &str) -> S3 {
    let credentials = Credentials::new("test", "test", None, None, "tests");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    S3::new(config)
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn object(key: &str, version_id: Option<&str>) -> Object {
    let version_id = version_id.map(str::to_owned);
    Object { bucket: "far-away".to_owned(), key: key.to_owned(), version_id }
}

fn signed_for(head: &str, region: &str) -> bool {
    head.contains(&format!("/{region}/s3/aws4_request"))
}

#[tokio::test]
async fn regression_a_bucket_in_another_region_is_followed_there_once() {
    for (status, headers, body) in [
        (
            "301 Moved Permanently",
            "x-amz-bucket-region: eu-central-1\r\n",
            "<Error><Code>PermanentRedirect</Code><Message>m</Message></Error>",
        ),
        ("301 Moved Permanently", "x-amz-bucket-region: eu-central-1\r\n", ""),
        (
            "400 Bad Request",
            "",
            "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong; \
             expecting 'eu-central-1'</Message><Region>eu-central-1</Region></Error>",
        ),
    ] {
        let refusal = response(status, headers, body);
        let (endpoint, heads) = server(move |head| {
            if signed_for(head, "eu-central-1") {
                response("200 OK", "ETag: \"e\"\r\nx-amz-version-id: v1\r\n", "text")
            } else {
                refusal.clone()
            }
        })
        .await;
        let s3 = s3(&endpoint);
        let fetched = s3.get(&object("k", None), 100).await.unwrap();
        assert_eq!(
            (fetched.bytes.as_ref(), fetched.version_id),
            (&b"text"[..], Some("v1".to_owned()))
        );
        s3.get(&object("k2", Some("v 2")), 100).await.unwrap();
        let heads = heads.lock().unwrap();
        let far = heads.iter().filter(|head| signed_for(head, "eu-central-1")).count();
        assert_eq!((heads.len(), far), (3, 2), "the region is remembered: {heads:#?}");
        assert!(heads[2].contains("versionId=v%202"), "{}", heads[2]);
    }
}

#[tokio::test]
async fn a_refusal_is_told_from_a_redirect() {
    let (endpoint, _) = server(|_| {
        let body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
        response("403 Forbidden", "x-amz-bucket-region: eu-central-1\r\n", body)
    })
    .await;
    let error = s3(&endpoint).get(&object("k", None), 100).await.unwrap_err();
    let IngestError::Fetching { kind, file, .. } = error else { panic!("{error}") };
    assert_eq!((kind, file.as_str()), (FetchFailure::Denied, "s3://far-away/k"));
}

#[tokio::test]
async fn what_is_larger_than_the_cap_is_not_read() {
    let (endpoint, _) = server(|_| response("200 OK", "", "twelve bytes")).await;
    let error = s3(&endpoint).get(&object("k", None), 11).await.unwrap_err();
    assert!(matches!(error, IngestError::TooLarge { cap: 11, size: 12, .. }), "{error}");
}
