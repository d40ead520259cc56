//! `rolecall inventory`: what accounts have, from files and from an emulated AWS; what was not read is said.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::{Cmd, Fault, Ground, Lake, Proxy, Scratch, call, endpoint, repository};

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
    let text = read.stdout();
    assert!(text.contains("111122223333 production as of 2026-01-05 08:00:00Z"), "{read}");
    assert!(text.contains("  read     users, credential_report, access_keys, "), "{read}");
    assert!(text.contains("  missing  trails: "), "{read}");

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

fn organizations(account: &str, action: &str, body: &Value) -> Value {
    let target = format!("AWSOrganizationsV20161128.{action}");
    let headers =
        [("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", target.as_str())];
    serde_json::from_str(&ask(account, "organizations", &headers, &body.to_string())).unwrap()
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
    let parts_of_own = by_account(&said, own)["parts"].as_array().unwrap();
    assert!(parts_of_own.contains(&"trails".into()), "{run}");
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

/// Least privilege, and no call that it does not cover.
#[test]
fn the_role_of_every_account_allows_what_is_asked_and_no_more() {
    let services = ["iam:", "organizations:", "sso:", "identitystore:"];
    let named = |text: &str, before: &str| -> BTreeSet<String> {
        let words = text.split(before).skip(1);
        let words = words.map(|rest| {
            let end = |c: char| !c.is_ascii_alphanumeric() && c != ':';
            rest.split(end).next().unwrap_or_default().trim_end_matches(':').to_owned()
        });
        words.filter(|word| services.iter().any(|service| word.starts_with(service))).collect()
    };
    let mut asked = BTreeSet::new();
    for file in ["account.rs", "organization.rs"] {
        let code = repository().join("crates/inventory/src/api").join(file);
        asked.extend(named(&std::fs::read_to_string(code).unwrap(), "\""));
    }
    let template = repository().join("deploy/stackset-inventory-role.yaml");
    let template = std::fs::read_to_string(template).unwrap();
    let mut allowed = named(&template, "- ");
    allowed.extend(named(&template, "Action: "));
    assert_eq!(asked, allowed);
    assert!(asked.len() > 15, "{asked:?}");
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
