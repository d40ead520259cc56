//! `--webhook`: what is posted, and what becomes of a run whose message does not arrive.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use serde_json::Value;

use super::{Site, tree};
use crate::support::Ground;

const SECRET: &str = "T0SECRETPATH";

/// Takes one call, answers with that status, and gives what was posted.
fn receiver(status: u16) -> (String, JoinHandle<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/services/{SECRET}", listener.local_addr().unwrap());
    let receive = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let answer =
            format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
        serde_json::from_slice(&body).unwrap()
    };
    (url, std::thread::spawn(receive))
}

#[test]
fn the_top_rows_are_posted_and_nothing_in_them_is_markup() {
    let site = Site::new(Ground::Folder);
    let (url, receiver) = receiver(200);
    let args = ["names", "--webhook", &url, "--fail-on", "any"];
    let run = site.report(5, &args).run().exits(3);
    assert!(!run.stderr().contains(SECRET), "{run}");
    let message = receiver.join().unwrap();
    let text = message["text"].as_str().unwrap();
    assert!(text.contains("names") && text.contains("2 findings"), "{message}");
    let blocks = message["blocks"].as_array().unwrap();
    assert_eq!(blocks[0]["type"], "header");
    let section = blocks.last().unwrap()["text"]["text"].as_str().unwrap();
    assert!(
        section.contains("user_name=alpha") && section.contains("user_name=delta"),
        "{section}"
    );
    assert!(!section.contains("user_name=beta"), "only what counts: {section}");

    // What a log says is shown, not obeyed.
    let (url, receiver) = self::receiver(200);
    site.report(5, &["names"])
        .env("ROLECALL_WEBHOOK", &url)
        .args(["--fail-on", "USED"])
        .run()
        .exits(3);
    let message = receiver.join().unwrap().to_string();
    assert!(message.contains("&lt;!channel&gt;"), "{message}");
    assert!(!message.contains("<!channel>") && !message.contains("\\u001b"), "{message}");
}

#[test]
fn a_message_that_does_not_arrive_is_a_failure_and_the_files_are_there() {
    let site = Site::new(Ground::Folder);
    let (url, receiver) = receiver(404);
    let run = site
        .report(5, &["--all", "--format", "csv", "--output", "out", "--webhook", &url])
        .env("ROLECALL_LOG", "trace")
        .run();
    receiver.join().unwrap();
    let run = run.exits(1);
    run.complains_of(&["webhook answered 404"]);
    assert!(!run.stderr().contains(SECRET), "{run}");
    assert!(tree(&site.path("out")).len() >= 12);

    // The port is free again: nobody listens.
    let run = site.report(5, &["names", "--webhook", &url]).run().exits(1);
    run.complains_of(&["webhook", "cannot be reached"]);
    assert!(!run.stderr().contains(SECRET) && run.stdout().contains("alpha"), "{run}");
    let run = site.report(5, &["names", "--webhook", "secret"]).run().exits(2);
    run.complains_of(&["--webhook"]);
    assert!(!run.stderr().contains("secret"), "{run}");
}
