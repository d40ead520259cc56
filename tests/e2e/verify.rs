//! What `verify` and `ingest --verify-digests` say of a trail that was tampered with, held against what was
//! planted: on a folder, which lacks the objects' metadata, and on S3.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;

use aws_sdk_s3::primitives::ByteStream;
use futures::StreamExt as _;
use rolecall_testkit::{DigestFile, DigestOptions, Digests, Kind, Organization, Spec};
use serde_json::{Value, json};

use crate::support::{Ground, Lake, Run, Scratch, gzip};

/// Uploads that are under way at once.
const UPLOADS_AT_ONCE: usize = 16;

/// An object's bytes and its user metadata.
type Object = (Vec<u8>, Vec<(&'static str, String)>);

/// Production's log files and digests of both of its trails, ready to be tampered with.
struct Trail {
    scratch: Scratch,
    objects: BTreeMap<String, Object>,
    digests: Digests,
    keys: PathBuf,
}

impl Trail {
    fn new(ground: Ground) -> Self {
        let scratch = Scratch::new(ground);
        let spec = Spec { days: 2, delivery_minutes: 240, ..Spec::small(8) };
        let organization = Organization::generate(&spec);
        let account = organization.truth().inventory.accounts[1].account_id.clone();
        // As far as a bucket lies around it, the digests know it by its name and prefix.
        let (bucket, prefix) = match scratch.bucket() {
            Some(bucket) => (bucket.name().to_owned(), "source/".to_owned()),
            None => ("trail".to_owned(), String::new()),
        };
        let mut digests = organization.digests(&DigestOptions { bucket, prefix, backfill: false });
        // Each object is a request there.
        let one_region = ground == Ground::S3;
        let is_wanted = |key: &str| !one_region || key.contains("/us-east-1/");
        digests.files.retain(|file| file.account_id == account && is_wanted(&file.key));
        let of_account = format!("/{account}/CloudTrail/");
        let logs = organization
            .files()
            .filter(|file| {
                file.kind == Kind::Log && file.key.contains(&of_account) && is_wanted(&file.key)
            })
            .map(|file| (file.key, (file.bytes, Vec::new())));
        let mut objects: BTreeMap<String, Object> = logs.collect();
        assert!(objects.len() > 10, "{} log files", objects.len());
        objects.extend(
            digests
                .files
                .iter()
                .map(|file| (file.key.clone(), (file.bytes.clone(), file.metadata.clone()))),
        );
        let keys = scratch.write("keys.json", &digests.public_keys);
        Self { scratch, objects, digests, keys }
    }

    /// Puts everything where `ingest` reads it.
    fn deliver(&self) -> String {
        let Some(bucket) = self.scratch.bucket() else {
            let objects = self.objects.iter().map(|(key, (bytes, _))| (key.clone(), bytes.clone()));
            return self.scratch.deliver("source", objects);
        };
        let uploads = self.objects.iter().map(|(key, (bytes, metadata))| {
            let put = bucket.client().put_object().bucket(bucket.name());
            let put = put.key(format!("source/{key}")).body(ByteStream::from(bytes.clone()));
            let put = metadata.iter().fold(put, |put, (name, value)| put.metadata(*name, value));
            async { put.send().await }
        });
        let all = futures::stream::iter(uploads).buffer_unordered(UPLOADS_AT_ONCE);
        bucket.wait(all.for_each(async |upload| drop(upload.unwrap())));
        format!("{}/source/", bucket.uri())
    }

    fn log_keys(&self) -> BTreeSet<String> {
        self.objects.keys().filter(|key| key.contains("/CloudTrail/")).cloned().collect()
    }

    /// The digests with log files of the chain that has most, without its ends.
    fn busy(&self) -> Vec<&DigestFile> {
        let chain = self.digests.files.iter().filter(|file| {
            file.aws_region == "us-east-1" && file.key.contains("_organization_trail_")
        });
        let chain: Vec<_> = chain.collect();
        let inner = &chain[2..chain.len() - 2];
        inner.iter().copied().filter(|file| !file.log_files.is_empty()).collect()
    }

    /// The newest digest of each chain, which a copy cannot prove.
    fn newest(&self) -> Vec<&DigestFile> {
        let previous: BTreeSet<_> =
            self.digests.files.iter().filter_map(|file| file.previous.as_ref()).collect();
        self.digests.files.iter().filter(|file| !previous.contains(&file.key)).collect()
    }

    fn verify(&self, lake: &Lake<'_>, format: &str, source: &str) -> Run {
        let cmd = lake.command("verify").args(["--format", format, "--public-keys"]);
        cmd.arg(&self.keys).arg(source).run()
    }
}

fn counts(value: &Value) -> BTreeMap<&str, u64> {
    let counts = value.as_object().unwrap().iter();
    let counts = counts.map(|(name, count)| (name.as_str(), count.as_u64().unwrap()));
    counts.filter(|(_, count)| *count > 0).collect()
}

fn all_is_verified(ground: Ground) {
    let trail = Trail::new(ground);
    let source = trail.deliver();
    let lake = trail.scratch.lake("lake");
    let keys = trail.keys.to_str().unwrap();
    let flags = ["--verify-digests", "--public-keys", keys];
    let run = lake.ingest(flags).arg(&source).run();
    assert!(run.is_done(), "{run}");
    let (files, logs) = (trail.digests.files.len() as u64, trail.log_keys().len() as u64);
    let newest = if ground == Ground::Folder { trail.newest() } else { Vec::new() };
    let not_provable = newest.len() as u64;
    let of_newest = newest.iter().map(|file| file.log_files.len() as u64).sum::<u64>();
    let found = run.json()["digests"].clone();
    let mut digests = BTreeMap::from([("verified", files - not_provable)]);
    if not_provable > 0 {
        digests.insert("not_provable", not_provable);
    }
    assert_eq!(counts(&found["digests"]), digests, "{run}");
    assert_eq!(counts(&found["log_files"])["verified"], logs - of_newest, "{run}");
    assert_eq!(
        found["lake"],
        json!({
            "log_files": logs, "proven": logs - of_newest, "ingested_with_other_bytes": 0,
        })
    );
    assert_eq!((&found["clean"], &found["gaps"]), (&json!(true), &json!(0)), "{run}");

    // Recorded once, readable, and described.
    let again = trail.verify(&lake, "json", &source).exits(0).json();
    assert_eq!(again["recorded"], json!({ "added": 0, "known": files + logs }));
    let sql = "select count(*) from digest_results join log_files using (log_file)
               where digest_results.status = 'verified' and stored_sha256 = log_files.sha256";
    assert_eq!(lake.number(sql), logs - of_newest);
    let described =
        lake.command("schema").args(["--format", "json", "digest_results"]).run().exits(0);
    assert!(described.stdout().contains("\"column\":\"stored_sha256\""), "{described}");
    if ground == Ground::S3 {
        // The lake knows where its log files came from.
        let cmd = lake.command("verify").args(["--format", "json", "--public-keys", keys]);
        let run = cmd.run().exits(0).json();
        assert_eq!((&run["digests"], &run["recorded"]["added"]), (&again["digests"], &json!(0)));
    } else {
        lake.command("verify").run().exits(2).complains_of(&["came from no bucket"]);
    }
}

#[test]
fn all_is_verified_on_a_folder() {
    all_is_verified(Ground::Folder);
}

#[test]
fn all_is_verified_on_s3() {
    all_is_verified(Ground::S3);
}

fn what_was_planted_is_found(ground: Ground) {
    let mut trail = Trail::new(ground);
    let source = trail.deliver();
    let lake = trail.scratch.lake("lake");
    assert!(lake.ingest([&source]).run().is_done());

    // Four kinds of tampering, each with another digest of the chain.
    let [altering, deleting, planting, dropped] = [0, 2, 4, 6].map(|at| trail.busy()[at].clone());
    let altered = altering.log_files[0].clone();
    let (bytes, _) = trail.objects.get_mut(&altered).unwrap();
    *bytes = gzip(b"{\"Records\":[]}");
    let deleted = deleting.log_files[0].clone();
    let (copy, _) = trail.objects.remove(&deleted).unwrap();
    let planted = planting.log_files[0].replace(".json.gz", "0.json.gz");
    trail.objects.insert(planted.clone(), (copy, Vec::new()));
    let (moved, metadata) = trail.objects.remove(&dropped.key).unwrap();
    let moved_to = dropped.key.replacen("Z.json.gz", "Z_backfill.json.gz", 1);
    trail.objects.insert(moved_to.clone(), (moved, metadata));
    let name = |key: &String| key.rsplit('/').next().unwrap().to_owned();

    // Where it was delivered before, it is gone or other now.
    let source = match trail.scratch.bucket() {
        Some(bucket) => {
            for key in [&deleted, &dropped.key] {
                let key = format!("source/{key}");
                let delete = bucket.client().delete_object().bucket(bucket.name()).key(key);
                bucket.wait(async { delete.send().await }).unwrap();
            }
            trail.deliver()
        }
        None => {
            std::fs::remove_dir_all(&source).unwrap();
            trail.deliver()
        }
    };
    let run = trail.verify(&lake, "json", &source).exits(3);
    let found = run.json();
    let of = |status: &str, subject: &str| -> Vec<String> {
        let all = found["findings"].as_array().unwrap().iter();
        let all = all.filter(|one| one["status"] == status && one["subject"] == subject);
        let key = if subject == "log_file" { "key" } else { "digest_key" };
        let keys = all.map(|one| one[key].as_str().unwrap_or_default().to_owned());
        let mut names: Vec<_> = keys.map(|key| name(&key)).collect();
        names.sort();
        names
    };
    assert_eq!(of("altered", "log_file"), [name(&altered)], "{run}");
    assert_eq!(of("missing", "log_file"), [name(&deleted)], "{run}");
    assert_eq!(of("unreferenced", "log_file"), [name(&planted)], "{run}");
    assert_eq!(of("missing", "digest"), [name(&dropped.key)], "{run}");
    assert_eq!(of("altered", "digest"), [name(&moved_to)], "{run}");
    let gaps: Vec<_> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["subject"] == "gap")
        .map(|one| {
            let time = |name: &str| {
                let time = chrono::DateTime::parse_from_rfc3339(one[name].as_str().unwrap());
                time.unwrap().timestamp_micros()
            };
            (time("period_start"), time("period_end"))
        })
        .collect();
    assert_eq!(gaps, [(dropped.start, dropped.end)], "{run}");
    // What the deleted digest listed is listed by a digest that is not in its place.
    let doubtful: BTreeSet<String> = dropped.log_files.iter().map(name).collect();
    let not_provable: BTreeSet<String> = of("not_provable", "log_file").into_iter().collect();
    assert!(not_provable.is_superset(&doubtful), "{run}");
    // The lake holds what was there before: all but what nothing proves any more.
    assert_eq!(found["lake"]["ingested_with_other_bytes"], json!(0), "{run}");

    every_format_tells(&trail, &lake, &source, [&altered, &deleted, &planted].map(name));
}

fn every_format_tells(trail: &Trail, lake: &Lake<'_>, source: &str, names: [String; 3]) {
    for format in ["table", "csv", "ndjson", "markdown", "html"] {
        let run = trail.verify(lake, format, source).exits(3);
        for name in &names {
            assert!(run.stdout().contains(name.as_str()), "{format}: no {name}: {run}");
        }
    }
    let rows = lake.number("select count(*) from digest_results where status = 'unreferenced'");
    assert_eq!(rows, 1, "recorded once");
}

#[test]
fn what_was_planted_is_found_on_a_folder() {
    what_was_planted_is_found(Ground::Folder);
}

#[test]
fn what_was_planted_is_found_on_s3() {
    what_was_planted_is_found(Ground::S3);
}

#[test]
fn the_wrong_keys_verify_nothing() {
    let trail = Trail::new(Ground::Folder);
    let source = trail.deliver();
    let lake = trail.scratch.lake("lake");
    assert!(lake.ingest([&source]).run().is_done());
    let mut keys: Value = serde_json::from_str(&trail.digests.public_keys).unwrap();
    let value = |index: usize| keys["PublicKeyList"][index]["Value"].clone();
    let [first, second] = [value(0), value(1)];
    keys["PublicKeyList"][0]["Value"] = second;
    keys["PublicKeyList"][1]["Value"] = first;
    trail.scratch.write("keys.json", keys.to_string());
    let found = trail.verify(&lake, "json", &source).exits(3).json();
    assert_eq!(found["digests"]["verified"], json!(0), "{found}");
    assert_eq!(found["log_files"]["verified"], json!(0), "{found}");
    assert_eq!(found["lake"]["proven"], json!(0), "{found}");

    trail.scratch.write("keys.json", "{}");
    trail.verify(&lake, "json", &source).exits(2).complains_of(&["list-public-keys"]);
    let file = trail.keys.to_str().unwrap();
    trail.verify(&lake, "json", file).exits(2).complains_of(&["not in a file"]);
}

/// The API gives numbers where the command line tool prints times.
fn api_answer(trail: &Trail) -> String {
    let mut keys: Value = serde_json::from_str(&trail.digests.public_keys).unwrap();
    for key in keys["PublicKeyList"].as_array_mut().unwrap() {
        key.as_object_mut().unwrap().retain(|name, _| !name.starts_with("Validity"));
    }
    keys.to_string()
}

/// Answers `ListPublicKeys` and nothing else. Gives the regions that were asked, in the end.
fn cloudtrail(listener: TcpListener, answer: String) -> std::thread::JoinHandle<BTreeSet<String>> {
    std::thread::spawn(move || {
        let mut regions = BTreeSet::new();
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut headers = BTreeMap::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap() == 0 || line.trim().is_empty() {
                    break;
                }
                if let Some((name, value)) = line.split_once(':') {
                    headers.insert(name.to_lowercase(), value.trim().to_owned());
                }
            }
            let Some(length) = headers.get("content-length") else { return regions };
            let mut body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            assert!(headers["x-amz-target"].ends_with("ListPublicKeys"), "{headers:?}");
            let asked: Value = serde_json::from_slice(&body).unwrap();
            assert!(asked["StartTime"].as_f64() < asked["EndTime"].as_f64(), "{asked}");
            let scope = headers["authorization"].split('/').nth(2).unwrap().to_owned();
            regions.insert(scope);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n",
                answer.len()
            );
            let mut stream = reader.into_inner();
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
        regions
    })
}

#[test]
fn cloudtrail_is_asked_for_keys_in_each_region() {
    let trail = Trail::new(Ground::Folder);
    let source = trail.deliver();
    let lake = trail.scratch.lake("lake");
    assert!(lake.ingest([&source]).run().is_done());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = cloudtrail(listener, api_answer(&trail));
    let found = lake
        .command("verify")
        .args(["--format", "json"])
        .arg(&source)
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .run()
        .exits(0)
        .json();
    // A request without a body ends it.
    std::net::TcpStream::connect(address).unwrap().write_all(b"\r\n").unwrap();
    let asked = server.join().unwrap();
    let regions: BTreeSet<String> =
        trail.digests.files.iter().map(|file| file.aws_region.clone()).collect();
    assert_eq!(asked, regions);
    assert_eq!(found["clean"], json!(true), "{found}");
    assert!(found["digests"]["verified"].as_u64() > Some(0), "{found}");
}

#[test]
fn expired_days_go_and_what_was_ingested_stays_known() {
    let trail = Trail::new(Ground::Folder);
    let source = trail.deliver();
    let lake = trail.scratch.lake("lake");
    assert!(lake.ingest([&source]).run().is_done());
    let rows = "select sum(event_count) from activity";
    let (records, files) = (lake.number(rows), lake.number("select count(*) from log_files"));
    lake.maintain().args(["--keep-days", "30000"]).run().exits(0);
    assert_eq!(lake.number(rows), records);
    lake.maintain().args(["--keep-days", "0"]).run().exits(2);
    let run = lake.maintain().args(["--format", "json", "--keep-days", "1"]).run().exits(0).json();
    assert!(run["tables"]["activity"]["rows_expired"].as_u64() > Some(0), "{run}");
    assert_eq!(lake.number("select count(*) from activity"), 0);
    assert_eq!(lake.number("select count(*) from log_files"), files);
    lake.check().run().exits(0);
    let again = lake.ingest([&source]).run().exits(0).json();
    assert_eq!((&again["log_files"], &again["already_ingested"]), (&json!(0), &json!(files)));
}
