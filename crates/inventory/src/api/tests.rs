//! AWS in pages, throttling and denying, from a server that does nothing else.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::Region;
use aws_sdk_sts::config::Credentials;

use super::*;
use crate::assemble::{Origin, snapshots};
use crate::parts::Part;

mod credentials;
mod organization;

const ACCOUNT: &str = "111122223333";
/// 2026-01-05T08:00:00Z.
const NOW: i64 = 1_767_600_000_000_000;

/// Status and body, for action, marker and how often that was asked before. Of services that are asked in JSON
/// the second is the body of the request.
type Answers = fn(&str, &str, usize) -> (u16, String);

/// Serves until the test program ends; gives where.
fn serve(answers: Answers) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let asked = Arc::clone(&asked);
            std::thread::spawn(move || answer(&stream, &asked, answers));
        }
    });
    endpoint
}

fn answer(mut stream: &TcpStream, asked: &Mutex<BTreeMap<String, usize>>, answers: Answers) {
    let mut from = BufReader::new(stream);
    let (mut length, mut target) = (0, None);
    loop {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        let is_target = line.to_ascii_lowercase().starts_with("x-amz-target:");
        target =
            target.or(is_target.then(|| line.trim_end().rsplit('.').next().unwrap().to_owned()));
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).unwrap();
    let form = String::from_utf8(body).unwrap();
    let field = |name: &str| {
        let mut fields = form.split('&').filter_map(|field| field.split_once('='));
        fields.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    };
    let before = {
        let mut asked = asked.lock().unwrap();
        let times = asked.entry(format!("{target:?} {form}")).or_default();
        *times += 1;
        *times - 1
    };
    let subject = ["Marker", "UserName", "AccessKeyId", "Arn", "JobId"].map(&field).concat();
    let (status, body) = match &target {
        Some(action) => answers(action, &form, before),
        None => answers(field("Action"), &subject, before),
    };
    let kind = if target.is_some() { "application/x-amz-json-1.1" } else { "text/xml" };
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // Whoever does not wait for the answer is no failure of ours.
    let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
}

fn config(endpoint: String) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "tests");
    let retry =
        RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(1));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(retry)
        .build()
}

fn result(action: &str, xml: &str) -> (u16, String) {
    let space = "https://iam.amazonaws.com/doc/2010-05-08/";
    let xml = format!(
        "<{action}Response xmlns=\"{space}\"><{action}Result>{xml}</{action}Result></{action}Response>"
    );
    (200, xml)
}

fn error(status: u16, code: &str) -> (u16, String) {
    let xml = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    );
    (status, xml)
}

fn page(number: u32, next: &str) -> String {
    let trust =
        "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%22%2A%22%7D%7D";
    let more = match next {
        "" => "<IsTruncated>false</IsTruncated>".to_owned(),
        next => format!("<IsTruncated>true</IsTruncated><Marker>{next}</Marker>"),
    };
    format!(
        "{more}<UserDetailList><member><UserName>u{number}</UserName><UserId>AIDA{number}</UserId>\
         <Arn>arn:aws:iam::{ACCOUNT}:user/u{number}</Arn><Path>/</Path>\
         <CreateDate>2025-01-01T00:00:00Z</CreateDate></member></UserDetailList>\
         <RoleDetailList><member><RoleName>r{number}</RoleName>\
         <Arn>arn:aws:iam::{ACCOUNT}:role/r{number}</Arn><Path>/</Path>\
         <AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument></member></RoleDetailList>"
    )
}

/// An account of three pages. Each is throttled at first; ListRoles is denied.
fn throttling(action: &str, subject: &str, before: usize) -> (u16, String) {
    match (action, subject) {
        ("GetAccountAuthorizationDetails", _) if before == 0 => error(400, "Throttling"),
        ("GetAccountAuthorizationDetails", "") => result(action, &page(1, "two")),
        ("GetAccountAuthorizationDetails", "two") => result(action, &page(2, "three")),
        ("GetAccountAuthorizationDetails", "three") => result(action, &page(3, "")),
        ("ListRoles", _) => error(403, "AccessDenied"),
        ("ListAccessKeys", "u2") => result(
            action,
            "<AccessKeyMetadata><member><UserName>u2</UserName><AccessKeyId>AKIA2</AccessKeyId>\
             <Status>Active</Status><CreateDate>2025-02-01T00:00:00Z</CreateDate></member>\
             </AccessKeyMetadata><IsTruncated>false</IsTruncated>",
        ),
        ("ListAccessKeys", _) => error(404, "NoSuchEntity"),
        ("GetAccessKeyLastUsed", "AKIA2") => result(
            action,
            "<UserName>u2</UserName><AccessKeyLastUsed><LastUsedDate>2026-01-01T00:00:00Z</LastUsedDate>\
             <ServiceName>s3</ServiceName><Region>us-east-1</Region></AccessKeyLastUsed>",
        ),
        ("GenerateCredentialReport", _) => error(403, "AccessDenied"),
        _ => result(action, ""),
    }
}

/// The second page is denied, whoever asks how often.
fn breaking_off(action: &str, subject: &str, before: usize) -> (u16, String) {
    match (action, subject) {
        ("GetAccountAuthorizationDetails", "") => result(action, &page(1, "two")),
        ("GetAccountAuthorizationDetails", _) => error(403, "AccessDenied"),
        ("ListUsers", _) => error(403, "AccessDenied"),
        ("GenerateCredentialReport" | "ListRoles", _) => error(403, "AccessDenied"),
        _ => throttling(action, subject, before),
    }
}

#[tokio::test]
async fn all_pages_are_read_though_each_is_throttled() {
    let facts = account::read(&config(serve(throttling)), ACCOUNT).await;
    let done = snapshots(facts, Origin::Api(NOW));
    let one = &done.inventories[0];
    let users: Vec<&str> = one.users.iter().map(|user| user.user_name.as_str()).collect();
    assert_eq!(users, ["u1", "u2", "u3"]);
    assert_eq!((one.roles.len(), one.trust_statements.len()), (3, 3));
    let key = &one.access_keys[0];
    assert_eq!(key.access_key_id.as_deref(), Some("AKIA2"));
    assert_eq!(key.last_used_service.as_deref(), Some("s3"));
    assert_eq!(key.last_used, crate::time::parse("2026-01-01T00:00:00Z"));
    let missing = one.snapshot.missing.join("\n");
    for line in [
        "role_details: iam:ListRoles: AccessDenied: no",
        "credential_report: iam:GenerateCredentialReport: AccessDenied: no",
        "accounts: read with --organization",
    ] {
        assert!(missing.contains(line), "{line} is not in\n{missing}");
    }
    for part in [Part::Users, Part::Roles, Part::AccessKeys, Part::TrustStatements] {
        assert!(one.snapshot.parts.contains(&part.as_str().to_owned()), "{part:?}");
    }
}

/// The keys of one user are denied.
fn of_one_denied(action: &str, subject: &str, before: usize) -> (u16, String) {
    match (action, subject) {
        ("ListAccessKeys", "u1") => error(403, "AccessDenied"),
        _ => throttling(action, subject, before),
    }
}

/// The keys of every user are.
fn of_all_denied(action: &str, subject: &str, before: usize) -> (u16, String) {
    match action {
        "ListAccessKeys" => error(403, "AccessDenied"),
        _ => throttling(action, subject, before),
    }
}

#[tokio::test]
async fn regression_keys_of_some_users_are_not_all_keys() {
    for (answers, told) in [
        (throttling as Answers, Some("access_keys")),
        (of_one_denied, Some("access_keys_of_some")),
        (of_all_denied, None),
    ] {
        let mut facts = account::read(&config(serve(answers)), ACCOUNT).await;
        facts.account(ACCOUNT).asked = Some(NOW - 7);
        let done = snapshots(facts, Origin::Api(NOW));
        let one = &done.inventories[0];
        let parts = one.part_times.iter().filter(|row| row.part.starts_with("access_keys"));
        let parts: Vec<_> = parts.map(|row| (row.part.as_str(), row.read_at)).collect();
        assert_eq!(parts, told.map(|part| (part, NOW - 7)).into_iter().collect::<Vec<_>>());
        let denied =
            one.snapshot.missing.iter().filter(|line| line.starts_with("access_keys: iam"));
        assert_eq!(denied.count(), usize::from(told != Some("access_keys")));
        assert_eq!(one.access_keys.len(), usize::from(told.is_some()), "what was got is kept");
    }
}

#[tokio::test]
async fn a_list_that_breaks_off_does_not_count_as_read() {
    let facts = account::read(&config(serve(breaking_off)), ACCOUNT).await;
    let done = snapshots(facts, Origin::Api(NOW));
    let one = &done.inventories[0];
    assert_eq!(one.users.len(), 1, "what was got is kept");
    for part in ["users", "roles", "trust_statements", "access_keys"] {
        assert!(!one.snapshot.parts.contains(&part.to_owned()), "{part}");
        let prefix = format!("{part}: iam:");
        assert!(one.snapshot.missing.iter().any(|line| line.starts_with(&prefix)), "{part}");
    }
}

/// Every list in two pages, of which each is throttled at first; what tells most is denied.
fn in_two_pages(action: &str, subject: &str, before: usize) -> (u16, String) {
    let lists = ["ListUsers", "ListRoles", "ListAccessKeys"];
    if lists.contains(&action) && before == 0 {
        return error(400, "Throttling");
    }
    let list = |name: &str, first: &str, second: &str| {
        let (member, end) = match subject.starts_with("two") {
            false => (first, "<IsTruncated>true</IsTruncated><Marker>two</Marker>"),
            true => (second, "<IsTruncated>false</IsTruncated>"),
        };
        result(action, &format!("<{name}><member>{member}</member></{name}>{end}"))
    };
    let user = |number: u32| {
        format!(
            "<UserName>u{number}</UserName><UserId>AIDA{number}</UserId><Path>/</Path>\
             <Arn>arn:aws:iam::{ACCOUNT}:user/u{number}</Arn><CreateDate>2025-01-01T00:00:00Z</CreateDate>"
        )
    };
    let role = |number: u32| {
        format!(
            "<RoleName>r{number}</RoleName><RoleId>AROA{number}</RoleId><Path>/</Path>\
             <Arn>arn:aws:iam::{ACCOUNT}:role/r{number}</Arn><CreateDate>2025-01-01T00:00:00Z</CreateDate>\
             <MaxSessionDuration>{number}</MaxSessionDuration>"
        )
    };
    let key = |number: u32| {
        let user = subject.trim_start_matches("two");
        format!(
            "<UserName>{user}</UserName><AccessKeyId>AKIA{user}{number}</AccessKeyId><Status>Active</Status>\
             <CreateDate>2025-02-0{number}T00:00:00Z</CreateDate>"
        )
    };
    match action {
        "GetAccountAuthorizationDetails" => error(403, "AccessDenied"),
        "ListUsers" => list("Users", &user(1), &user(2)),
        "ListRoles" => list("Roles", &role(1), &role(2)),
        "ListAccessKeys" => list("AccessKeyMetadata", &key(1), &key(2)),
        "GetAccessKeyLastUsed" => result(
            action,
            "<AccessKeyLastUsed><ServiceName>N/A</ServiceName><Region>N/A</Region></AccessKeyLastUsed>",
        ),
        _ => throttling(action, subject, before),
    }
}

#[tokio::test]
async fn users_roles_and_keys_are_read_page_by_page_where_the_details_are_denied() {
    let facts = account::read(&config(serve(in_two_pages)), ACCOUNT).await;
    let done = snapshots(facts, Origin::Api(NOW));
    let one = &done.inventories[0];
    let users: Vec<&str> = one.users.iter().map(|user| user.user_name.as_str()).collect();
    assert_eq!(users, ["u1", "u2"]);
    let roles: Vec<_> =
        one.roles.iter().map(|role| (role.role_name.as_str(), role.max_session_seconds)).collect();
    assert_eq!(roles, [("r1", Some(1)), ("r2", Some(2))]);
    let mut keys: Vec<&str> =
        one.access_keys.iter().filter_map(|key| key.access_key_id.as_deref()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["AKIAu11", "AKIAu12", "AKIAu21", "AKIAu22"]);
    assert!(one.access_keys.iter().all(|key| key.last_used_known && key.last_used.is_none()));
    for part in ["users", "roles", "access_keys", "access_key_last_used"] {
        assert!(one.snapshot.parts.contains(&part.to_owned()), "{part}");
    }
    let missing = one.snapshot.missing.join("\n");
    for part in ["groups", "role_last_used", "policies", "attachments"] {
        let line = format!("{part}: iam:GetAccountAuthorizationDetails: AccessDenied");
        assert!(missing.contains(&line), "{line} is not in\n{missing}");
    }
}
