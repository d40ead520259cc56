//! Every report in every format over texts that want to act: from logs, tags, names of files and a file of owners.
//! And no report shows a secret or a session token.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use serde_json::json;

use super::tree;
use crate::support::{Delivered, Ground, Lake, Record, Scratch, gzip, log_file, log_file_name};

/// Formulas, markup, links, orders to a terminal, a text that reads backwards, a mention.
const TEXTS: [&str; 12] = [
    "=cmd|'/c calc'!A1",
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "\t=1+1",
    "\u{ff1d}1+1",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "[x](javascript:alert(1)) `|` \n# x",
    "\u{1b}]0;owned\u{7}\u{1b}[2J",
    "\u{9b}2J\u{202e}live\u{200b}",
    "<!channel> </table><style>*{display:none}</style>",
];

const SECRET: &str = "SECRETTHATMUSTNEVERBESTORED";
/// What a record of the support's holds.
const TOKEN: &str = "SESSIONTOKENTHATMUSTNEVERBESTORED";

/// For each text a user, a role, a session, a program and a denied call that are called that, or tagged so.
fn lake(scratch: &Scratch) -> Lake<'_> {
    let mut records = Vec::new();
    let (mut users, mut roles, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for (text, number) in TEXTS.iter().zip(1_u32..) {
        let user = format!("user-{number}");
        let key = format!("AKIAEXAMPLEKEY{number:06}");
        let arn = format!("arn:aws:iam::111122223333:user/{user}");
        let record = |more: u32| {
            let identity = json!({
                "type": "IAMUser", "principalId": format!("AIDAEXAMPLE{number:010}"), "arn": arn,
                "accountId": "111122223333", "accessKeyId": key, "userName": user,
            });
            Record::assume_role(number + more)
                .with("userIdentity", identity)
                .with("userAgent", json!(text))
        };
        let role = "arn:aws:iam::111122223333:role/app/deploy";
        records.push(record(0).with(
            "requestParameters",
            json!({"roleArn": role, "roleSessionName": text, "sourceIdentity": text, "externalId": text,
                   "tags": [{"key": text, "value": text}]}),
        ));
        records.push(
            record(100)
                .with("requestParameters", json!(null))
                .with("responseElements", json!(null))
                .with("errorCode", json!(text))
                .with("errorMessage", json!(format!("{text} on resource: {role}"))),
        );
        // No such record is known that holds a secret; none is shown if one does.
        records.push(
            record(200)
                .with("eventSource", json!("iam.amazonaws.com"))
                .with("eventName", json!("CreateAccessKey"))
                .with("sourceIPAddress", json!(text))
                .with("requestParameters", json!({"userName": user}))
                .with(
                    "responseElements",
                    json!({"accessKey": {"accessKeyId": key, "status": "Active", "userName": user,
                           "secretAccessKey": SECRET}}),
                ),
        );
        let tags = json!([{"Key": "owner", "Value": text}, {"Key": text, "Value": "x"}]);
        users.push(json!({
            "Path": "/", "UserName": user, "UserId": format!("AIDAEXAMPLE{number:010}"), "Arn": arn,
            "CreateDate": "2025-01-01T00:00:00Z", "GroupList": [], "AttachedManagedPolicies": [], "Tags": tags,
        }));
        keys.push(json!({"UserName": user, "AccessKeyId": key, "Status": "Active", "CreateDate": "2025-01-01T00:00:00Z"}));
        let name = format!("role-{number}");
        roles.push(json!({
            "Path": "/", "RoleName": name, "RoleId": format!("AROAEXAMPLE{number:010}"),
            "Arn": format!("arn:aws:iam::111122223333:role/{name}"), "CreateDate": "2025-01-01T00:00:00Z",
            "AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"Federated": text}, "Sid": text, "Condition": {"StringEquals": {text.to_owned(): text}}}]},
            "Description": text, "InstanceProfileList": [], "AttachedManagedPolicies": [], "Tags": tags,
            "RolePolicyList": [{"PolicyName": text, "PolicyDocument": {}}], "RoleLastUsed": {},
        }));
    }
    let source = scratch.deliver("source", [(log_file_name(1), gzip(log_file(records)))]);
    let lake = scratch.lake("lake");
    lake.ingest([source]).run().exits(0);
    let details = json!({"UserDetailList": users, "GroupDetailList": [], "RoleDetailList": roles, "Policies": []});
    scratch.write("iam/=cmd\u{1b}[2J<script>.json", details.to_string());
    scratch.write("iam/-\u{202e}.json", json!({"AccessKeyMetadata": keys}).to_string());
    let inventory = lake.command("inventory").arg("--from").arg(scratch.path("iam"));
    let run = inventory.args(["--snapshot-time", "2026-01-05T08:00:00Z"]).run().exits(0);
    assert_nothing_acts("inventory", run.stdout());
    assert_nothing_acts("inventory", &run.stderr());
    lake
}

/// No control character but the end of a line, and none that hides or turns text.
#[track_caller]
fn assert_nothing_acts(what: &str, text: &str) {
    let acts = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let found: BTreeSet<char> = text.chars().filter(|c| acts(*c)).collect();
    assert!(found.is_empty(), "{what}: {found:?}");
}

#[track_caller]
fn assert_no_formula(what: &str, text: &str) {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    for record in reader.records() {
        for field in &record.unwrap() {
            let starts = field.trim_start_matches([' ', '\u{a0}', '\0', '\u{feff}']).chars().next();
            let is_formula =
                starts.is_some_and(|c| "=+-@\t\r\n\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(c));
            assert!(!is_formula || field.parse::<f64>().is_ok(), "{what}: {field:?}");
        }
    }
}

#[track_caller]
fn assert_no_markup(what: &str, page: &str) {
    for markup in ["<script>alert", "<img", "</table><style>", "javascript:alert(1)\""] {
        assert!(!page.contains(markup), "{what}: {markup}");
    }
}

fn read(folder: &Path, name: &str) -> String {
    String::from_utf8(std::fs::read(folder.join(name)).unwrap()).unwrap()
}

#[test]
fn no_text_of_others_acts_in_any_report() {
    let scratch = Scratch::new(Ground::Folder);
    let lake = lake(&scratch);
    let entry = |text: &str| {
        let text = json!(text);
        // JSON's escapes are TOML's too.
        format!("[[owner]]\nname = {text}\ncontact = {text}\nmatch = {{ user = {text} }}\n")
    };
    let owners: String = TEXTS.iter().map(|text| entry(text)).collect();
    let owners = scratch.write("owners\u{1b}[2J.toml", owners);
    let owners = owners.to_str().unwrap();
    let mut shown = BTreeSet::new();
    for format in ["csv", "html", "markdown", "table", "json", "ndjson"] {
        let args = [
            "--all",
            "--as-of",
            "2026-01-05",
            "--days",
            "2",
            "--format",
            format,
            "--output",
            format,
        ];
        let args = [&args[..], &["--owners", owners, "--split-by", "owner"]].concat();
        let run = lake.command("report").args(args).run().exits(0);
        assert_nothing_acts(format, &run.stderr());
        let files = tree(&scratch.path(format));
        assert!(files.len() > 20, "{files:?}");
        for name in files {
            assert_nothing_acts(format, &name);
            if name.ends_with(".parquet") {
                continue;
            }
            let (what, text) = (format!("{format}: {name}"), read(&scratch.path(format), &name));
            assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{what}");
            match format {
                "csv" => assert_no_formula(&what, &text),
                "html" => assert_no_markup(&what, &text),
                _ => {}
            }
            // A CSV file is for programs, and keeps what it is given.
            if format != "csv" {
                assert_nothing_acts(&what, &text);
            }
            let report = name.split('/').next().unwrap().to_owned();
            if ["1+1", "alert(1)", "alert\\(1"].iter().any(|part| text.contains(part)) {
                shown.insert((format, report));
            }
        }
    }
    // They were there to act.
    for (format, report) in [
        ("csv", "assumptions"),
        ("html", "assumptions"),
        ("csv", "owners"),
        ("html", "owners"),
        ("markdown", "owners"),
        ("csv", "key-footprint"),
        ("csv", "unused-roles"),
        ("html", "denied"),
    ] {
        assert!(shown.contains(&(format, report.to_owned())), "{format} {report}: {shown:?}");
    }
}

#[test]
fn a_complaint_about_a_file_does_not_act_either() {
    let scratch = Scratch::new(Ground::Folder);
    let lake = lake(&scratch);
    let name = "x\u{1b}[2J\u{202e}.toml";
    for text in
        ["[[owner]]\nname = \"\\u001b[2J\"\n", "[[owner]]\n\"\\u001b[2J\" = 1\n", "\u{1b}[2J"]
    {
        let path = scratch.write(name, text);
        let path = path.to_str().unwrap();
        for flag in ["--owners", "--networks", "--exceptions", "--asn-database"] {
            let run = lake.command("report").args(["owners", flag, path]).run().exits(2);
            assert_nothing_acts(flag, &run.stderr());
        }
    }
}

/// Every value of the member `sessionToken` in the records.
fn tokens(delivered: &Delivered) -> BTreeSet<String> {
    let mut tokens = BTreeSet::new();
    for object in &delivered.objects {
        let mut text = Vec::new();
        // A file that is damaged on purpose is read as far as it goes.
        let _ = flate2::read::MultiGzDecoder::new(object.bytes.as_slice()).read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        let values = text.split("\"sessionToken\":\"").skip(1);
        tokens.extend(values.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }
    tokens.retain(|token| token.len() > 8);
    tokens
}

#[test]
fn no_report_shows_a_session_token_of_the_organisation() {
    let delivered = Delivered::in_few_files(11);
    let tokens = tokens(&delivered);
    assert!(tokens.len() > 50, "{}", tokens.len());
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    assert!(lake.ingest([scratch.deliver("source", delivered.objects())]).run().is_done());
    delivered.truth.inventory.write_to(&scratch.path("iam")).unwrap();
    lake.command("inventory").arg("--from").arg(scratch.path("iam")).run().exits(0);
    // A part of a token is one too; its beginning is often that of others.
    let parts: BTreeSet<&str> = tokens.iter().map(|token| &token[token.len() - 8..]).collect();
    for format in ["ndjson", "html"] {
        let args = ["--all", "--days", "4000", "--format", format, "--output", format];
        lake.command("report").args(args).run().exits(0);
        for name in tree(&scratch.path(format)) {
            if name.ends_with(".parquet") {
                continue;
            }
            let text = read(&scratch.path(format), &name);
            let found = parts.iter().find(|part| text.contains(**part));
            assert_eq!(found, None, "{format}: {name}");
        }
    }
    assert!(read(&scratch.path("ndjson"), &first(&scratch, "assumptions")).lines().count() > 50);
}

/// The file of a report.
fn first(scratch: &Scratch, report: &str) -> String {
    let files = tree(&scratch.path("ndjson")).into_iter();
    let mut files = files.filter(|name| name.starts_with(report) && name.ends_with(".ndjson"));
    files.next().unwrap()
}
