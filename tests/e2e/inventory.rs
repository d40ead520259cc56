//! `rolecall inventory`: what accounts have, from files and from an emulated AWS; what was not read is said.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::{
    Cmd, Fault, Ground, Lake, Proxy, Record, Row, Run, Scratch, call, endpoint, gzip, log_file,
    log_file_name, repository,
};

mod ages;

const PRODUCTION: &str = "111122223333";
const SANDBOX: &str = "444455556666";
const AS_OF: [&str; 2] = ["--snapshot-time", "2026-01-05T08:00:00Z"];

fn fixtures() -> PathBuf {
    repository().join("tests/fixtures/inventory")
}

fn inventory(lake: &Lake<'_>) -> Cmd {
    lake.command("inventory")
}

/// The rows of an answer in JSON, by account.
fn by_account<'a>(said: &'a Value, account: &str) -> &'a Value {
    let mut rows = said.as_array().unwrap().iter();
    rows.find(|row| row["account_id"] == account).unwrap_or_else(|| panic!("{account}: {said}"))
}

fn missing(row: &Value) -> String {
    let lines = row["missing"].as_array().unwrap().iter();
    lines.map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

/// What people read, however it is broken into lines.
fn in_one_line(run: &Run) -> String {
    run.stdout().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn files_become_snapshots_that_are_kept() {
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    let from = |lake: &Lake<'_>| inventory(lake).arg("--from").arg(fixtures()).args(AS_OF);
    let run = from(&lake).args(["--format", "json"]).run().exits(0);
    let said = run.json();
    let production = by_account(&said, PRODUCTION);
    assert_eq!(production["account_name"], "production");
    assert_eq!((&production["users"], &production["access_keys"]), (&4.into(), &5.into()));
    assert_eq!(production["roles"], 5);
    assert!(missing(production).contains("not known of 1 of 5 keys"), "{run}");
    assert!(missing(by_account(&said, SANDBOX)).contains("role_details: "), "{run}");

    // People read the same.
    let read = from(&lake).run().exits(0);
    let text = in_one_line(&read);
    assert!(text.contains("111122223333 production as of 2026-01-05 08:00:00Z"), "{read}");
    assert!(text.contains("also read role_details, identity_providers, "), "{read}");
    // What all have in common is said once.
    let (of_one, of_all) = text.split_once("Of each of the 2 accounts").unwrap();
    assert!(of_all.contains("read users, credential_report, access_keys, "), "{read}");
    assert!(
        of_all.contains("missing trails: give describe-trails") && !of_one.contains("trails:"),
        "{read}"
    );
    assert!(of_one.contains("missing access_key_last_used: not known of 1 of 5 keys"), "{read}");

    let answers = lake.sql_all(&[
        "SELECT count(*) AS n, count(DISTINCT snapshot_id) AS ids FROM iam_snapshots",
        "SELECT access_key_id, slot, matched_by FROM iam_access_keys
         WHERE user_name = 'ci-deploy' AND snapshot_id = (SELECT max(snapshot_id) FROM iam_snapshots
         WHERE account_id = '111122223333') ORDER BY slot",
        "SELECT principal FROM iam_trust_statements WHERE principal_type = 'Federated'
         AND role_name = 'deploy' LIMIT 1",
    ]);
    assert_eq!((&answers[0][0]["n"], &answers[0][0]["ids"]), (&4.into(), &4.into()));
    let keys: Vec<_> =
        answers[1].iter().map(|row| (&row["access_key_id"], &row["matched_by"])).collect();
    assert_eq!(
        keys,
        [
            (&"AKIACIDEPLOY00000001".into(), &"create_date".into()),
            (&"AKIACIDEPLOY00000002".into(), &"elimination".into()),
        ]
    );
    let provider = answers[2][0]["principal"].as_str().unwrap();
    assert!(provider.ends_with("oidc-provider/token.actions.githubusercontent.com"));
    lake.maintain().run().exits(0);
    lake.check().run().exits(0);
    assert_eq!(lake.number("SELECT count(*) FROM iam_access_keys"), 12);
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_counts() {
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    let details = fixtures().join("sandbox/get-account-authorization-details.json");
    let details = std::fs::read(details).unwrap();
    scratch.write("dump/details.json", &details);
    scratch.write("dump/half.json", &details[..details.len() / 3]);
    scratch.write("dump/report.csv", "arn,user,mfa_active,password_enabled\nx,y,true,true\n");
    let from = || inventory(&lake).arg("--from").arg(scratch.path("dump"));
    let run = from().run().exits(5);
    run.complains_of(&["half.json", "ends in the middle", "truncated"]);
    run.complains_of(&["report.csv", "has no column user_creation_time"]);
    assert_eq!(lake.number("SELECT count(*) FROM iam_roles"), 1);

    from().args(["--snapshot-time", "2199-01-01"]).run().exits(2).complains_of(&["in the future"]);
    let early = from().args(["--snapshot-time", "2020-01-01"]).run().exits(1);
    early.complains_of(&[SANDBOX, "it tells of 2025-01-01", "--snapshot-time"]);
    let file =
        std::fs::File::options().append(true).open(scratch.path("dump/details.json")).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(86_400)).unwrap();
    from().run().exits(2).complains_of(&["the newest file was written at", "a clock is wrong"]);
    let nothing = inventory(&lake).args(["--from", "nowhere"]).run().exits(2);
    nothing.complains_of(&["--from nowhere", "no such folder"]);
    assert_eq!(lake.number("SELECT count(*) FROM iam_snapshots"), 1);
}

/// Asks the emulator by hand, as an account's administrator. The binary's own code must not be what it is
/// tested with.
fn ask(account: &str, service: &str, headers: &[(&str, &str)], body: &str) -> String {
    let credential = format!(
        "AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    );
    let headers = [headers, &[("Authorization", credential.as_str())]].concat();
    let address = endpoint().trim_start_matches("http://");
    let answer = call(address, "POST", "/", &headers, body.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{body}: {}", answer.text());
    answer.text()
}

fn iam(account: &str, form: &str) -> String {
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    ask(account, "iam", &headers, &format!("{form}&Version=2010-05-08"))
}

fn in_json(account: &str, service: &str, target: &str, body: &Value) -> Value {
    let headers = [("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", target)];
    serde_json::from_str(&ask(account, service, &headers, &body.to_string())).unwrap()
}

fn organizations(account: &str, action: &str, body: &Value) -> Value {
    in_json(account, "organizations", &format!("AWSOrganizationsV20161128.{action}"), body)
}

fn cloudtrail(account: &str, action: &str, body: &Value) -> Value {
    let target = format!("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.{action}");
    in_json(account, "cloudtrail", &target, body)
}

/// The command, asking this account's AWS through the proxy.
fn through(proxy: &Proxy, account: &str, cmd: Cmd) -> Cmd {
    cmd.args(["--format", "json"])
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .env("AWS_ACCESS_KEY_ID", account)
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
}

#[test]
fn many_accounts_are_read_through_a_role_while_iam_throttles() {
    // Numbers of their own: the emulator is shared with other tests.
    let [own, member, denied] = ["700000000001", "700000000002", "700000000003"];
    for (account, users) in [(own, 1), (member, 3), (denied, 1)] {
        let trust = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22AWS%22%3A%22\
                     arn%3Aaws%3Aiam%3A%3A700000000001%3Aroot%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";
        iam(
            account,
            &format!("Action=CreateRole&RoleName=rolecall&AssumeRolePolicyDocument={trust}"),
        );
        for number in 0..users {
            iam(account, &format!("Action=CreateUser&UserName=user-{number}"));
            iam(account, &format!("Action=CreateAccessKey&UserName=user-{number}"));
        }
    }
    let trail = json!({"Name": "shop", "S3BucketName": "shop-logs"});
    cloudtrail(member, "CreateTrail", &trail);
    cloudtrail(member, "StartLogging", &json!({"Name": "shop"}));
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    let accounts = format!("{own}\n# the others\n{member} # shop\n\n{denied}\n");
    let accounts = scratch.write("accounts.txt", accounts);
    let proxy = Proxy::new(1);
    let mut asked = BTreeSet::new();
    proxy.fail(move |call, _| {
        let denied = call.is_action("AssumeRole") && call.form.contains("700000000003");
        if denied {
            return Some(Fault::Refuse(403, "AccessDenied"));
        }
        // Every list of every account is throttled once.
        let list = call.is_action("ListRoles") || call.is_action("GetAccountAuthorizationDetails");
        (list && asked.len() < 2 && asked.insert(call.form.clone()))
            .then_some(Fault::Refuse(400, "Throttling"))
    });
    let all = inventory(&lake).args(["--role-name", "rolecall", "--accounts"]).arg(&accounts);
    let run = through(&proxy, own, all).run().exits(5);
    let said = run.json();
    assert_eq!(said.as_array().unwrap().len(), 2, "{run}");
    assert_eq!(proxy.faults()["refused"], 3, "two throttled calls, one denied: {run}");
    run.complains_of(&["account 700000000003", "sts:AssumeRole", "AccessDenied"]);
    let row = by_account(&said, member);
    assert_eq!((&row["access_keys"], &row["roles"]), (&3.into(), &1.into()), "{run}");
    let parts = row["parts"].as_array().unwrap();
    for part in
        ["users", "access_keys", "access_key_last_used", "role_details", "credential_report"]
    {
        assert!(parts.contains(&part.into()), "{part}: {run}");
    }
    let first = missing(by_account(&said, own));
    assert!(first.contains("account 700000000003: sts:AssumeRole"), "{run}");
    // In every account where the role was taken, not in the caller's alone.
    for account in [own, member] {
        let parts = by_account(&said, account)["parts"].as_array().unwrap();
        assert!(parts.contains(&"trails".into()), "{account}: {run}");
    }
    let arn = format!("arn:aws:cloudtrail:us-east-1:{member}:trail/shop");
    let trail = lake.sql("SELECT trail_arn, data_event_types FROM trails");
    assert_eq!(trail.len(), 1, "{trail:?}");
    assert_eq!(
        (&trail[0]["trail_arn"], trail[0]["data_event_types"].to_string()),
        (&arn.into(), "null".to_owned())
    );
    let keys =
        "SELECT count(*) FROM iam_access_keys WHERE account_id = '700000000002' AND last_used_known
                AND last_used IS NULL AND status = 'Active' AND created IS NOT NULL";
    assert_eq!(lake.number(keys), 3);

    // One call denied everywhere: the rest is kept, and the part is missing.
    proxy.fail(|call, _| {
        call.is_action("ListAccessKeys").then_some(Fault::Refuse(403, "AccessDenied"))
    });
    let run = through(&proxy, member, inventory(&lake)).run().exits(5);
    let said = run.json();
    let row = by_account(&said, member);
    assert!(missing(row).contains("access_keys: iam:ListAccessKeys: AccessDenied"), "{run}");
    assert!(!row["parts"].as_array().unwrap().contains(&"access_keys".into()), "{run}");
    assert_eq!(row["roles"], 1);
    run.complains_of(&["account 700000000002", "access_keys", "AccessDenied"]);
}

/// An account that is in the logs alone, and one that is in the inventory alone: a row each, and no verdict.
#[test]
fn logs_and_inventory_of_different_accounts_judge_nothing() {
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    // Production's logs: a user's key takes a role.
    let identity = json!({
        "type": "IAMUser", "principalId": "AIDACI", "arn": format!("arn:aws:iam::{PRODUCTION}:user/ci"),
        "accountId": PRODUCTION, "accessKeyId": "AKIALOGSONLY00000001", "userName": "ci",
    });
    let record = Record::assume_role(1).with("userIdentity", identity);
    let name = log_file_name(1);
    scratch.write(format!("logs/{name}"), gzip(log_file([record])));
    lake.ingest([scratch.path("logs")]).run().exits(0);
    // The sandbox's inventory.
    let folder = fixtures().join("sandbox");
    inventory(&lake).arg("--from").arg(folder).args(AS_OF).run().exits(0);
    let row = |as_of: &str, key: &str| {
        let rows = lake.report("stale-keys", &["--as-of", as_of]);
        let found = rows.iter().find(|row| row["access_key_id"] == key);
        found.unwrap_or_else(|| panic!("{key}: {rows:?}")).clone()
    };
    let codes = |row: &Row| row["reason_codes"].to_string();
    let used = row("2026-01-05", "AKIALOGSONLY00000001");
    assert_eq!(used["state"], "USED", "{used:?}");
    // Months later its silence does not make it stale: nobody knows what IAM saw.
    let silent = row("2026-06-01", "AKIALOGSONLY00000001");
    assert_eq!(silent["state"], "UNKNOWN", "{silent:?}");
    assert!(codes(&used).contains("NO_INVENTORY") && codes(&silent).contains("NO_INVENTORY"));
    let inventory_only = row("2026-01-05", "AKIALAB0000000000001");
    assert!(codes(&inventory_only).contains("NO_LOGS"), "{inventory_only:?}");
    let verdicts = lake.report("key-migration", &["--as-of", "2026-01-05"]);
    assert!(
        verdicts.iter().any(|row| row["access_key_id"] == "AKIALOGSONLY00000001"),
        "{verdicts:?}"
    );
    for row in &verdicts {
        assert_ne!(row["verdict"], "RETIRE_NOW", "{row:?}");
    }

    // Each is known by name, with what its own side says.
    let known =
        lake.command("who").args(["AKIALAB0000000000001", "--as-of", "2026-01-05"]).run().exits(0);
    for words in
        ["user/lab", "known to the inventory of 2026-01-05 08:00:00Z: no record", "Active, slot 1"]
    {
        assert!(in_one_line(&known).contains(words), "{words}: {known}");
    }
    assert!(in_one_line(&known).contains("holds no logs of account 444455556666"), "{known}");
    let signed =
        lake.command("who").args(["AKIALOGSONLY00000001", "--as-of", "2026-01-05"]).run().exits(0);
    assert!(!signed.stdout().contains("in the inventory"), "{signed}");
    // People may have times in their own zone; programs have UTC.
    let mut in_zone =
        vec!["AKIALOGSONLY00000001", "--as-of", "2026-01-05", "--tz", "Europe/Berlin"];
    let shown = lake.command("who").args(&in_zone).run().exits(0);
    assert!(shown.stdout().contains("+01:00") && !shown.stdout().contains("00Z"), "{shown}");
    in_zone.extend(["--format", "json"]);
    let read = lake.command("who").args(&in_zone).run().exits(0);
    assert!(!read.stdout().contains("+01:00"), "{read}");
    let nowhere = ["AKIALOGSONLY00000001", "--tz", "Mars"];
    let refused = lake.command("who").args(nowhere).run().exits(2);
    assert!(refused.stderr().contains("Mars"), "{refused}");
    lake.command("who").args(["AKIANOWHERE000000001"]).run().exits(1);
}

/// Least privilege, and no call that it does not cover.
#[test]
fn the_role_of_every_account_allows_what_is_asked_and_no_more() {
    let services = ["iam:", "organizations:", "sso:", "identitystore:", "cloudtrail:"];
    let named = |text: &str, before: &str| -> BTreeSet<String> {
        let words = text.split(before).skip(1);
        let words = words.map(|rest| {
            let end = |c: char| !c.is_ascii_alphanumeric() && c != ':';
            rest.split(end).next().unwrap_or_default().trim_end_matches(':').to_owned()
        });
        words.filter(|word| services.iter().any(|service| word.starts_with(service))).collect()
    };
    let mut asked = BTreeSet::new();
    for file in ["accessed.rs", "account.rs", "credentials.rs", "organization.rs", "trails.rs"] {
        let code = repository().join("crates/inventory/src/api").join(file);
        asked.extend(named(&std::fs::read_to_string(code).unwrap(), "\""));
    }
    let template = repository().join("deploy/stackset-inventory-role.yaml");
    let template = std::fs::read_to_string(template).unwrap();
    let mut allowed = named(&template, "- ");
    allowed.extend(named(&template, "Action: "));
    assert_eq!(asked, allowed);
    assert!(asked.len() > 20, "{asked:?}");

    // The task that reads its own account itself may do the same, and take the role elsewhere.
    let policy = std::fs::read(repository().join("deploy/iam/inventory.json")).unwrap();
    let policy: Value = serde_json::from_slice(&policy).unwrap();
    let mut actions = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        match &statement["Action"] {
            Value::Array(several) => {
                actions.extend(several.iter().map(|action| action.as_str().unwrap().to_owned()));
            }
            one => actions.extend(one.as_str().map(str::to_owned)),
        }
    }
    let of_lake = |action: &str| action.starts_with("s3:") || action.starts_with("kms:");
    actions.retain(|action| !of_lake(action));
    assert!(actions.remove("sts:AssumeRole"));
    assert_eq!(asked, actions);
}

/// A trail as describe-trails, get-event-selectors and get-trail-status print it, and what the trail records.
fn trail_files(scratch: &Scratch, selectors: &Value) {
    let arn = format!("arn:aws:cloudtrail:us-east-1:{PRODUCTION}:trail/organisation");
    let trail = json!({"trailList": [{
        "Name": "organisation", "S3BucketName": "logs", "IncludeGlobalServiceEvents": true,
        "IsMultiRegionTrail": true, "HomeRegion": "us-east-1", "TrailARN": arn,
        "LogFileValidationEnabled": true, "HasCustomEventSelectors": true, "HasInsightSelectors": false,
        "IsOrganizationTrail": true,
    }]});
    let mut selectors = selectors.clone();
    selectors["TrailARN"] = json!(arn);
    scratch.write("dump/describe-trails.json", trail.to_string());
    scratch.write("dump/get-event-selectors.json", selectors.to_string());
    let status = json!({"IsLogging": true, "LatestDeliveryTime": "2026-01-05T07:55:01+00:00"});
    scratch.write("dump/get-trail-status.organisation.json", status.to_string());
}

#[test]
fn trails_from_files_say_what_silence_proves() {
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    let details = fixtures().join("sandbox/get-account-authorization-details.json");
    scratch.write("dump/sandbox/details.json", std::fs::read(details).unwrap());
    // A key of which IAM's last use was not read: only the logs could tell, if they hold data events.
    let key = json!({"AccessKeyMetadata": [{
        "UserName": "lab", "AccessKeyId": "AKIALAB0000000000001", "Status": "Active",
        "CreateDate": "2025-01-02T00:00:00+00:00",
    }]});
    scratch.write("dump/sandbox/keys.json", key.to_string());
    let take = |hour: &str| {
        let time = format!("2026-01-05T{hour}:00:00Z");
        inventory(&lake)
            .arg("--from")
            .arg(scratch.path("dump"))
            .args(["--snapshot-time", &time])
            .run()
    };
    let codes = || {
        let rows = lake.report("stale-keys", &["--as-of", "2026-01-05"]);
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        row["reason_codes"].to_string()
    };
    let run = take("08").exits(0);
    assert!(in_one_line(&run).contains("missing trails: give describe-trails"), "{run}");
    assert!(codes().contains("BLIND_DATA_EVENTS"), "{}", codes());

    let management = json!({"Field": "eventCategory", "Equals": ["Management"]});
    let objects = json!([{"Field": "eventCategory", "Equals": ["Data"]},
                         {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}]);
    let selectors = json!({"AdvancedEventSelectors": [
        {"Name": "management", "FieldSelectors": [management]}, {"Name": "objects", "FieldSelectors": objects},
    ]});
    trail_files(&scratch, &selectors);
    let run = take("09").exits(0);
    assert!(!in_one_line(&run).contains("missing trails"), "{run}");
    assert!(run.stdout().contains("trail/organisation, of the whole organisation: on"), "{run}");
    let rows = lake.sql("SELECT snapshot_time, bucket, organization, logging, data_event_types, not_recorded FROM trails");
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(row["snapshot_time"], "2026-01-05T09:00:00Z", "as of the files, not of now");
    assert_eq!((&row["bucket"], &row["organization"]), (&"logs".into(), &true.into()));
    assert_eq!(row["data_event_types"].to_string(), r#"["AWS::S3::Object"]"#);
    assert!(!codes().contains("BLIND_DATA_EVENTS"), "it is a trail of every account: {}", codes());

    // One bucket's objects are not all objects, and then silence proves nothing again.
    let one = json!({"EventSelectors": [{
        "ReadWriteType": "All", "IncludeManagementEvents": true, "ExcludeManagementEventSources": [],
        "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::shop/"]}],
    }]});
    trail_files(&scratch, &one);
    let run = take("10").exits(0);
    let words = "does not record data events; data events of AWS::S3::Object, but for some";
    assert!(in_one_line(&run).contains(words), "{run}");
    assert!(codes().contains("BLIND_DATA_EVENTS"), "{}", codes());
}

#[test]
fn the_organization_is_read_as_far_as_it_lets() {
    let management = "700000000011";
    let created = json!({"Email": "shop@example.com", "AccountName": "shop"});
    let created = organizations(management, "CreateAccount", &created);
    let member = created["CreateAccountStatus"]["AccountId"].as_str().unwrap().to_owned();
    let content = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    let policy = json!({"Name": "no-new-keys", "Type": "SERVICE_CONTROL_POLICY", "Description": "x",
                        "Content": content});
    organizations(management, "CreatePolicy", &policy);
    iam(&member, "Action=CreateUser&UserName=shop-user");
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    let proxy = Proxy::new(1);
    proxy.fail(|call, _| {
        call.is_action("ListInstances").then_some(Fault::Refuse(400, "AccessDeniedException"))
    });
    let all = inventory(&lake).args(["--role-name", "rolecall", "--organization"]);
    let run = through(&proxy, management, all).run().exits(5);
    let said = run.json();
    assert_eq!(by_account(&said, &member)["account_name"], "shop", "{run}");
    assert_eq!(by_account(&said, &member)["users"], 2, "root, and the one that was made: {run}");
    let first = missing(by_account(&said, management));
    assert!(first.contains("identity_store: sso:ListInstances: AccessDeniedException"), "{run}");
    let known = format!("SELECT count(*) FROM known_accounts WHERE known_account_id = '{member}'
                         AND account_id = '{management}' AND name = 'shop' AND kind = 'organization'");
    assert_eq!(lake.number(&known), 1);
    let policies = "SELECT count(*) FROM organization_policies WHERE policy_name = 'no-new-keys'
                    AND document LIKE '%2012-10-17%' AND NOT aws_managed";
    assert_eq!(lake.number(policies), 1);
}
