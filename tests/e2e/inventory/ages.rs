//! As of when each part of a snapshot tells, and what is not known of credentials that nobody looked at.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{PRODUCTION, SANDBOX, in_one_line, inventory};
use crate::support::{Ground, Lake, Run, Scratch};

/// 2026-01-05T08:00:00Z.
const NOW: Duration = Duration::from_secs(1_767_600_000);
const DAY: Duration = Duration::from_secs(86_400);

fn write_at(scratch: &Scratch, name: &str, text: &Value, time: SystemTime) {
    let path = scratch.write(format!("dump/{name}"), text.to_string());
    std::fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

fn ago(days: u32) -> SystemTime {
    UNIX_EPOCH + NOW - days * DAY
}

fn details(account: &str, users: &[&str]) -> Value {
    let user = |name: &&str| {
        json!({"UserName": name, "UserId": format!("AIDA{name}"), "Path": "/", "CreateDate": "2024-01-01T00:00:00Z",
               "Arn": format!("arn:aws:iam::{account}:user/{name}"), "GroupList": []})
    };
    let role = json!({"RoleName": "busy", "RoleId": "AROABUSY", "Path": "/", "CreateDate": "2024-01-01T00:00:00Z",
                      "Arn": format!("arn:aws:iam::{account}:role/busy"),
                      "RoleLastUsed": {"LastUsedDate": "2025-09-01T00:00:00Z", "Region": "us-east-1"}});
    json!({"UserDetailList": users.iter().map(user).collect::<Vec<_>>(), "GroupDetailList": [],
           "RoleDetailList": [role], "Policies": []})
}

/// Of an account without users, made then: base64 of the header and of root's row.
fn report(generated: &str) -> Value {
    let content = "dXNlcixhcm4sdXNlcl9jcmVhdGlvbl90aW1lLHBhc3N3b3JkX2VuYWJsZWQscGFzc3dvcmRfbGFzdF91c2VkLG1mYV9hY3Rpdm\
        UsYWNjZXNzX2tleV8xX2FjdGl2ZSxhY2Nlc3Nfa2V5XzFfbGFzdF9yb3RhdGVkLGFjY2Vzc19rZXlfMV9sYXN0X3VzZWRfZGF0ZSxhY2Nlc3\
        Nfa2V5XzJfYWN0aXZlLGFjY2Vzc19rZXlfMl9sYXN0X3JvdGF0ZWQsYWNjZXNzX2tleV8yX2xhc3RfdXNlZF9kYXRlLGNlcnRfMV9hY3Rpdm\
        UsY2VydF8yX2FjdGl2ZQo8cm9vdF9hY2NvdW50Pixhcm46YXdzOmlhbTo6MTExMTIyMjIzMzMzOnJvb3QsMjAyMC0wMS0wMVQwMDowMDowMF\
        osbm90X3N1cHBvcnRlZCxub19pbmZvcm1hdGlvbix0cnVlLGZhbHNlLE4vQSxOL0EsZmFsc2UsTi9BLE4vQSxmYWxzZSxmYWxzZQo=";
    json!({"Content": content, "ReportFormat": "text/csv", "GeneratedTime": generated})
}

fn take(scratch: &Scratch, lake: &Lake<'_>, more: &[&str]) -> Run {
    inventory(lake).arg("--from").arg(scratch.path("dump")).args(more).run()
}

/// `part day time_from` of an account's parts, in the order of their names.
fn parts(lake: &Lake<'_>, account: &str, some: &str) -> Vec<String> {
    let query = format!(
        "SELECT concat(part, ' ', CAST(CAST(read_at AS DATE) AS VARCHAR), ' ', time_from) AS line FROM iam_parts
         WHERE account_id = '{account}' AND part IN ({some}) ORDER BY part, read_at, time_from"
    );
    lake.sql(&query).iter().map(|row| row["line"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn regression_each_account_and_part_is_as_old_as_its_own_files() {
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    write_at(&scratch, "111122223333/details.json", &details(PRODUCTION, &["pat"]), ago(70));
    let none = json!({"AccessKeyMetadata": []});
    write_at(&scratch, "111122223333/keys-pat.json", &none, ago(2));
    write_at(&scratch, "444455556666/details.json", &details(SANDBOX, &["pat"]), ago(0));
    let run = take(&scratch, &lake, &[]).exits(0);
    let text = in_one_line(&run);
    for words in [
        "111122223333 as of 2026-01-03 08:00:00Z",
        "as of 2026-01-03 08:00:00Z by the file's modification time: access_keys",
        "as of 2025-10-27 08:00:00Z by the file's modification time: users, ",
        "444455556666 as of 2026-01-05 08:00:00Z",
    ] {
        assert!(text.contains(words), "{words}: {run}");
    }
    let some = "'access_keys', 'role_last_used', 'users'";
    assert_eq!(
        parts(&lake, PRODUCTION, some),
        ["access_keys 2026-01-03 file", "role_last_used 2025-10-27 file", "users 2025-10-27 file"]
    );
    assert_eq!(
        parts(&lake, SANDBOX, some),
        ["role_last_used 2026-01-05 file", "users 2026-01-05 file"]
    );
    let rows =
        lake.sql("SELECT snapshot_time, last_used_as_of FROM iam_snapshots ORDER BY account_id");
    assert_eq!(rows[0]["snapshot_time"], "2026-01-03T08:00:00Z");
    assert_eq!(rows[0]["last_used_as_of"], "2025-10-27T08:00:00Z");
    lake.maintain().run().exits(0);
    lake.check().run().exits(0);
}

#[test]
fn regression_a_dump_that_was_copied_is_refused_until_the_user_says_when() {
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    write_at(&scratch, "111122223333/details.json", &details(PRODUCTION, &[]), ago(0));
    write_at(&scratch, "111122223333/report.json", &report("2025-10-27T08:00:00+00:00"), ago(0));
    write_at(&scratch, "444455556666/details.json", &details(SANDBOX, &[]), ago(0));
    let run = take(&scratch, &lake, &[]).exits(5);
    run.complains_of(&["account 111122223333", "details.json was written at 2026-01-05"]);
    run.complains_of(&["report.json says that it is of 2025-10-27", "--snapshot-time"]);
    assert_eq!(lake.number("SELECT count(*) FROM iam_snapshots"), 1, "nothing else is lost");
    let run = take(&scratch, &lake, &["--snapshot-time", "2025-10-27T09:00:00Z"]).exits(0);
    assert!(in_one_line(&run).contains("111122223333 as of 2025-10-27 09:00:00Z"), "{run}");
    // Older than what the user says, the report's own time counts; newer, it contradicts it.
    take(&scratch, &lake, &["--snapshot-time", "2026-01-01T00:00:00Z"]).exits(0);
    assert_eq!(
        parts(&lake, PRODUCTION, "'credential_report', 'roles'"),
        [
            "credential_report 2025-10-27 content",
            "credential_report 2025-10-27 content",
            "roles 2025-10-27 given",
            "roles 2026-01-01 given",
        ]
    );
    let run = take(&scratch, &lake, &["--snapshot-time", "2025-10-01T00:00:00Z"]).exits(5);
    run.complains_of(&["account 111122223333", "it tells of 2025-10-27 08:00:00Z in"]);
}

#[test]
fn a_user_whose_other_credentials_nobody_read_can_be_told() {
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    write_at(&scratch, "details.json", &details(SANDBOX, &["app", "bot"]), ago(0));
    let one = json!({"ServiceSpecificCredentials": [{
        "UserName": "app", "Status": "Active", "ServiceUserName": "app-at-444455556666",
        "CreateDate": "2025-10-01T00:00:00+00:00", "ServiceSpecificCredentialId": "ACCA0000000000000001",
        "ServiceName": "cassandra.amazonaws.com", "ServicePassword": "nobody-sees-it",
    }]});
    write_at(&scratch, "service-specific-app.json", &one, ago(0));
    let run = take(&scratch, &lake, &[]).exits(0);
    assert!(in_one_line(&run).contains("service_specific_credentials: not read of bot"), "{run}");
    assert_eq!(parts(&lake, SANDBOX, "'service_specific_credentials'"), [""; 0]);
    let rows =
        lake.sql("SELECT user_name, kind, credential_id, service, status FROM iam_credentials");
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(
        (&row["kind"], &row["service"]),
        (&"service_specific".into(), &"cassandra.amazonaws.com".into())
    );
    let ids =
        lake.sql("SELECT service_specific_credentials AS ids FROM iam_users ORDER BY user_name");
    assert_eq!(ids[0]["ids"].to_string(), r#"["ACCA0000000000000001"]"#);
    assert_eq!(ids[1]["ids"], Value::Null);
    assert!(!run.stdout().contains("nobody-sees-it"));

    let none = json!({"ServiceSpecificCredentials": []});
    write_at(&scratch, "service-specific-bot.json", &none, ago(1));
    take(&scratch, &lake, &[]).exits(0);
    let read = parts(&lake, SANDBOX, "'service_specific_credentials'");
    assert_eq!(read, ["service_specific_credentials 2026-01-04 file"]);
}

#[test]
fn regression_keys_of_some_users_are_another_part() {
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    let told = || parts(&lake, SANDBOX, "'access_keys', 'access_keys_of_some'");
    write_at(&scratch, "details.json", &details(SANDBOX, &["app", "bot"]), ago(0));
    let key = json!({"UserName": "app", "AccessKeyId": "AKIAAPP0000000000001", "Status": "Active",
                     "CreateDate": "2025-10-01T00:00:00+00:00"});
    write_at(&scratch, "keys-app.json", &json!({"AccessKeyMetadata": [key]}), ago(2));
    let run = take(&scratch, &lake, &[]).exits(0);
    let words = "access_keys: nothing says whether there are keys of bot";
    assert!(in_one_line(&run).contains(words), "{run}");
    assert_eq!(told(), ["access_keys_of_some 2026-01-03 file"]);
    assert_eq!(lake.number("SELECT count(*) FROM iam_access_keys WHERE status = 'Active'"), 1);

    write_at(&scratch, "keys-bot.json", &json!({"AccessKeyMetadata": []}), ago(1));
    take(&scratch, &lake, &[]).exits(0);
    assert_eq!(told(), ["access_keys 2026-01-03 file", "access_keys_of_some 2026-01-03 file"]);
}

#[test]
fn regression_what_the_report_counts_and_does_not_show_is_in_the_lake() {
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    write_at(&scratch, "details.json", &details(SANDBOX, &["app"]), ago(0));
    let report = format!(
        "user,arn,user_creation_time,password_enabled,password_last_used,mfa_active,access_key_1_active,\
         access_key_1_last_rotated,access_key_1_last_used_date,access_key_2_active,access_key_2_last_rotated,\
         access_key_2_last_used_date,cert_1_active,cert_2_active,additional_credentials_info\n\
         app,arn:aws:iam::{SANDBOX}:user/app,2024-01-01T00:00:00Z,false,N/A,false,false,2024-01-01T00:00:00Z,N/A,\
         false,2024-02-01T00:00:00Z,N/A,false,false,1 additional access key\n"
    );
    scratch.write("dump/report.csv", report);
    take(&scratch, &lake, &["--snapshot-time", "2026-01-05T08:00:00Z"]).exits(0);
    assert_eq!(lake.number("SELECT unshown_credentials FROM iam_users WHERE user_name = 'app'"), 1);
}
