//! Credentials that the credential report has no column for, root, and further words of IAM.

use serde_json::{Value, json};

use super::*;
use crate::time::parse;

pub(super) fn details(users: &[&str]) -> String {
    details_in("aws", users)
}

fn details_in(partition: &str, users: &[&str]) -> String {
    let users: Vec<Value> = users
        .iter()
        .map(|name| {
            json!({"UserName": name, "UserId": format!("AIDA{name}"), "CreateDate": "2024-01-01T00:00:00Z",
                   "Arn": format!("arn:{partition}:iam::{SANDBOX}:user/{name}"),
                   "Tags": [{"Key": "team", "Value": "shop"}]})
        })
        .collect();
    let role = json!({"RoleName": "deploy", "RoleId": "AROADEPLOY", "CreateDate": "2024-01-01T00:00:00Z",
                      "Arn": format!("arn:{partition}:iam::{SANDBOX}:role/deploy"), "RoleLastUsed": {}});
    json!({"UserDetailList": users, "GroupDetailList": [], "RoleDetailList": [role], "Policies": []})
        .to_string()
}

/// What a folder with these files beside the details makes of the account.
pub(super) fn with(users: &[&str], files: &[(&str, String)]) -> (Inventory, Vec<String>) {
    let details = details(users);
    let mut all = vec![("details.json", details.as_str())];
    all.extend(files.iter().map(|(name, text)| (*name, text.as_str())));
    let (done, rejected) = of(folder_of(&all).path());
    assert_eq!(done.rejected, []);
    (one(&done, SANDBOX).clone(), rejected)
}

pub(super) fn missing(inventory: &Inventory, part: &str) -> Vec<String> {
    let start = format!("{part}: ");
    let lines = inventory.snapshot.missing.iter();
    lines.filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
}

pub(super) fn has(inventory: &Inventory, part: &str) -> bool {
    let told = inventory.part_times.iter().any(|row| row.part == part);
    assert_eq!(told, inventory.snapshot.parts.contains(&part.to_owned()), "{part} has a time");
    told
}

fn service_specific(users: &[&str]) -> String {
    let one = |user: &&str| {
        json!({"UserName": user, "Status": "Active", "ServiceUserName": format!("{user}-at-{SANDBOX}"),
               "CreateDate": "2025-10-01T00:00:00Z", "ExpirationDate": "2026-10-01T00:00:00Z",
               "ServiceSpecificCredentialId": format!("ACCA{user}"), "ServiceName": "bedrock.amazonaws.com",
               "ServicePassword": "s3cret"})
    };
    json!({"ServiceSpecificCredentials": users.iter().map(one).collect::<Vec<_>>()}).to_string()
}

fn rows(inventory: &Inventory) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or("-".to_owned());
    inventory
        .credentials
        .iter()
        .map(|row| {
            let (status, service) = (text(&row.status), text(&row.service));
            format!("{} {} {} {status} {service}", row.user_name, row.kind, row.credential_id)
        })
        .collect()
}

#[test]
fn a_list_counts_once_it_was_read_of_every_user() {
    let users = ["ann", "keyspaces-app", "app"];
    let none = || service_specific(&[]);
    let of_app = (
        "list-service-specific-credentials-keyspaces-app.json",
        service_specific(&["keyspaces-app"]),
    );
    let (some, _) = with(&users, &[of_app.clone(), ("service-specific-ann.json", none())]);
    assert!(!has(&some, "service_specific_credentials"));
    // That the name of one user ends another's is no answer for the other.
    assert_eq!(missing(&some, "service_specific_credentials"), ["not read of app"]);
    assert_eq!(
        rows(&some),
        ["keyspaces-app service_specific ACCAkeyspaces-app Active bedrock.amazonaws.com"]
    );
    let app = some.users.iter().find(|user| user.user_name == "keyspaces-app").unwrap();
    assert_eq!(app.service_specific_credentials, ["ACCAkeyspaces-app"]);
    assert_eq!(some.credentials[0].expires, parse("2026-10-01T00:00:00Z"));
    assert!(!format!("{some:?}").contains("s3cret"));

    let rest = ("list-service-specific-credentials.app.json", none());
    let (all, _) = with(&users, &[of_app.clone(), ("service-specific-ann.json", none()), rest]);
    assert!(has(&all, "service_specific_credentials"));
    assert_eq!(missing(&all, "service_specific_credentials"), [""; 0]);
    // One file of all users, by its name or because no other call tells of two.
    for (name, text) in [
        ("service-specific-credentials-all-users.json", none()),
        ("service-specific.json", service_specific(&["ann", "app"])),
    ] {
        assert!(has(&with(&users, &[(name, text)]).0, "service_specific_credentials"), "{name}");
    }
    // One that names nobody says nothing of anybody, and neither does half a list.
    let half = service_specific(&["ann"]).replacen('{', "{\"IsTruncated\": true, ", 1);
    for text in [none(), half] {
        let (nobody, _) = with(&["ann"], &[("list-service-specific-credentials.json", text)]);
        assert_eq!(missing(&nobody, "service_specific_credentials").len(), 1);
        assert!(!has(&nobody, "service_specific_credentials"));
    }
    let (without, _) = with(&users, &[]);
    assert!(
        missing(&without, "service_specific_credentials")[0]
            .contains("list-service-specific-credentials of every user")
    );
}

#[test]
fn ssh_keys_certificates_and_devices_are_listed_like_access_keys() {
    let files = [
        ("list-ssh-public-keys-ann.json", json!({"SSHPublicKeys": [{"UserName": "ann", "SSHPublicKeyId": "APKA1",
            "Status": "Inactive", "UploadDate": "2025-01-01T00:00:00Z"}]}).to_string()),
        ("ssh-keys.bob.json", json!({"SSHPublicKeys": []}).to_string()),
        ("list-signing-certificates-ann.json", json!({"Certificates": []}).to_string()),
        ("list-signing-certificates-bob.json", json!({"Certificates": [{"UserName": "bob", "CertificateId": "CERT1",
            "CertificateBody": "-----BEGIN", "Status": "Active", "UploadDate": "2025-01-01T00:00:00Z"}]}).to_string()),
        ("list-mfa-devices-ann.json", json!({"MFADevices": [{"UserName": "ann",
            "SerialNumber": "arn:aws:iam::444455556666:mfa/ann", "EnableDate": "2025-01-01T00:00:00Z"}]}).to_string()),
        ("list-mfa-devices-bob.json", json!({"MFADevices": []}).to_string()),
        ("list-virtual-mfa-devices.json", json!({"VirtualMFADevices": [
            {"SerialNumber": "arn:aws:iam::444455556666:mfa/spare"},
            {"SerialNumber": "arn:aws:iam::444455556666:mfa/root", "EnableDate": "2020-01-01T00:00:00Z",
             "User": {"UserId": SANDBOX, "Arn": "arn:aws:iam::444455556666:root"}},
        ]}).to_string()),
    ];
    let (told, rejected) = with(&["ann", "bob"], &files);
    assert_eq!(rejected, [""; 0]);
    for part in ["ssh_public_keys", "signing_certificates", "mfa_devices"] {
        assert!(has(&told, part), "{part}: {:?}", told.snapshot.missing);
    }
    assert_eq!(
        rows(&told),
        [
            "<root_account> mfa_device arn:aws:iam::444455556666:mfa/root - -",
            "ann mfa_device arn:aws:iam::444455556666:mfa/ann - -",
            "ann ssh_public_key APKA1 Inactive -",
            "bob signing_certificate CERT1 Active -",
        ]
    );
    assert!(!format!("{told:?}").contains("BEGIN"));
    let mfa: Vec<_> = told.users.iter().map(|user| user.mfa_active).collect();
    assert_eq!(mfa, [Some(true), Some(false)]);
    // Virtual devices are not all devices.
    let (some, _) = with(&["ann"], &files[6..]);
    assert!(!has(&some, "mfa_devices"));
    assert_eq!(some.users[0].mfa_active, None);
}

#[test]
fn regression_an_empty_key_list_says_that_its_user_has_none() {
    let none = || "{\"AccessKeyMetadata\": []}".to_owned();
    let (told, _) = with(
        &["ann", "bob", "eve"],
        &[("keys-ann.json", none()), ("list-access-keys.bob.json", none())],
    );
    assert!(has(&told, "access_keys_of_some") && !has(&told, "access_keys"));
    assert_eq!(missing(&told, "access_keys")[0], "nothing says whether there are keys of eve");
    let (all, _) = with(&["ann"], &[("keys-ann.json", none())]);
    assert_eq!(missing(&all, "access_keys").len(), 1, "root: {:?}", missing(&all, "access_keys"));
    // Without keys there are no last uses to ask for.
    assert!(has(&all, "access_key_last_used"));
}

#[test]
fn regression_an_account_without_users_has_no_keys() {
    let (told, _) = with(&[], &[("report.csv", root_report())]);
    for part in [
        "access_keys",
        "access_key_last_used",
        "service_specific_credentials",
        "ssh_public_keys",
        "signing_certificates",
        "mfa_devices",
    ] {
        assert!(has(&told, part), "{part}");
    }
    assert!(told.access_keys.is_empty() && told.credentials.is_empty());
    // Half of the users is not none.
    let page = fixture("111122223333/authorization-page-1.json")
        .replace("\"UserDetailList\"", "\"Other\"");
    let (done, _) = of(folder_of(&[("page.json", &page)]).path());
    assert!(!has(one(&done, PRODUCTION), "access_keys"));
}

pub(super) fn report(users: &[(&str, &str)]) -> String {
    let mut csv = "user,arn,user_creation_time,password_enabled,password_last_used,mfa_active,access_key_1_active,\
         access_key_1_last_rotated,access_key_1_last_used_date,access_key_2_active,access_key_2_last_rotated,\
         access_key_2_last_used_date,cert_1_active,cert_2_active,additional_credentials_info\n"
        .to_owned();
    for (user, more) in users {
        csv.push_str(&format!(
            "{user},arn:aws:iam::{SANDBOX}:user/{user},2024-01-01T00:00:00Z,false,N/A,false,true,2024-01-01T00:00:00Z,\
             N/A,true,2024-02-01T00:00:00Z,N/A,false,false,{more}\n"
        ));
    }
    csv
}

pub(super) fn root_report() -> String {
    let header = report(&[]);
    format!(
        "{header}<root_account>,arn:aws:iam::{SANDBOX}:root,2020-01-01T00:00:00Z,not_supported,N/A,true,false,N/A,N/A,\
         false,N/A,N/A,false,false,N/A\n"
    )
}

#[test]
fn regression_the_report_counts_keys_beyond_two_and_no_service_credentials() {
    let csv = report(&[
        ("three-keys", "1 additional access key. Use ListAccessKeys to list it."),
        ("five", "\"[\"\"a\"\",\"\"b\"\",\"\"c\"\"]\""),
        ("two", "N/A"),
        ("none", "[]"),
    ]);
    let users = ["three-keys", "five", "two", "none"];
    let (told, rejected) = with(&users, &[("report.csv", csv.clone())]);
    assert_eq!(rejected, [""; 0]);
    assert!(told.users.iter().all(|user| user.service_specific_credentials.is_empty()));
    let unshown = |told: &Inventory| -> Vec<String> {
        let users = told.users.iter();
        let users = users.map(|user| format!("{} {:?}", user.user_name, user.unshown_credentials));
        users.collect()
    };
    assert_eq!(
        unshown(&told),
        ["five Some(3)", "none Some(0)", "three-keys Some(1)", "two Some(0)"],
        "verdicts have to know"
    );
    let lines = missing(&told, "credential_report");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("five has 3 further credentials that the report does not show"));
    assert!(
        lines[1].starts_with("three-keys has 1 further credential that the report does not show")
    );
    // The list of its keys shows it.
    let keys: Vec<Value> = (1..=3)
        .map(|number| {
            json!({"UserName": "three-keys", "AccessKeyId": format!("AKIATHREE00000000{number}"),
                   "Status": "Active", "CreateDate": format!("2024-0{number}-01T00:00:00Z")})
        })
        .collect();
    let keys = json!({"AccessKeyMetadata": keys}).to_string();
    let (told, _) = with(&users, &[("report.csv", csv.clone()), ("keys-three-keys.json", keys)]);
    assert_eq!(missing(&told, "credential_report").len(), 1);
    assert!(unshown(&told).contains(&"three-keys Some(0)".to_owned()));
    // Words without a number are of one at least; without the column, and without a report, nobody knows.
    let words = report(&[("two", "Use ListAccessKeys to list the others.")]);
    assert_eq!(unshown(&with(&["two"], &[("report.csv", words)]).0), ["two Some(1)"]);
    let lines = csv.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n");
    let older: String = lines.filter(|line| !line.starts_with("five")).collect();
    assert_eq!(unshown(&with(&["two"], &[("report.csv", older)]).0)[2], "two None");
    assert_eq!(unshown(&with(&["two"], &[]).0), ["two None"]);
}

fn accessed(entity: Option<&str>, at: &str, done: &str) -> String {
    let service = |at: Option<&str>| {
        let entity = at.and(entity);
        json!({"ServiceName": "Amazon S3", "ServiceNamespace": "s3", "LastAuthenticated": at,
               "LastAuthenticatedEntity": entity, "LastAuthenticatedRegion": at.map(|_| "eu-west-1")})
    };
    let used = service(entity.map(|_| at));
    json!({"JobStatus": "COMPLETED", "JobCompletionDate": done, "IsTruncated": false,
           "ServicesLastAccessed": [service(None), used]})
    .to_string()
}

#[test]
fn calls_by_service_are_uses_of_the_role_or_user() {
    let (role, user) =
        (format!("arn:aws:iam::{SANDBOX}:role/deploy"), format!("arn:aws:iam::{SANDBOX}:user/ann"));
    let (at, done) = ("2025-12-30T10:00:00Z", "2026-01-03T00:00:00Z");
    let files =
        [("a.json", accessed(Some(&role), at, done)), ("b.json", accessed(Some(&user), at, done))];
    let (told, rejected) = with(&["ann"], &files);
    assert_eq!(rejected, [""; 0]);
    assert_eq!(
        (told.roles[0].last_used, told.roles[0].last_used_region.as_deref()),
        (parse(at), Some("eu-west-1"))
    );
    assert_eq!(told.users[0].last_used, parse(at));
    assert!(has(&told, "service_last_accessed"));
    let time = told.part_times.iter().find(|row| row.part == "service_last_accessed").unwrap();
    assert_eq!((Some(time.read_at), time.time_from.as_str()), (parse(done), "content"));
    // Of somebody who called nothing, the file's name says who it is.
    let nothing = ("service-last-accessed.user.ann.json", accessed(None, at, done));
    let (told, rejected) = with(&["ann"], &[files[0].clone(), nothing.clone()]);
    assert_eq!((rejected.len(), told.users[0].last_used), (0, None));
    assert!(has(&told, "service_last_accessed"));
    let (told, rejected) = with(&["ann"], &[files[0].clone(), ("x.json", nothing.1)]);
    assert!(
        rejected[0].contains("names neither role nor user where nothing was called"),
        "{rejected:?}"
    );
    assert_eq!(missing(&told, "service_last_accessed"), ["not read of 1 roles and users"]);
    let unfinished = files[0].1.replace("COMPLETED", "IN_PROGRESS");
    let (_, rejected) = with(&["ann"], &[("a.json", unfinished)]);
    assert!(rejected[0].contains("the job was not done yet"), "{rejected:?}");
}

#[test]
fn the_summary_tells_of_root() {
    let summary = |keys: i64| {
        let map = json!({"AccountMFAEnabled": 1, "AccountAccessKeysPresent": keys, "Users": 1});
        json!({"SummaryMap": map}).to_string()
    };
    let keys = ("keys-ann.json", "{\"AccessKeyMetadata\": []}".to_owned());
    let (none, rejected) = with(&["ann"], &[("summary.json", summary(0)), keys.clone()]);
    assert_eq!(rejected, [""; 0]);
    let root = &none.users[0];
    assert_eq!(
        (root.user_name.as_str(), root.is_root, root.mfa_active),
        ("<root_account>", true, Some(true))
    );
    assert_eq!(missing(&none, "access_keys"), [""; 0]);
    let (some, _) = with(&["ann"], &[("summary.json", summary(1)), keys.clone()]);
    assert!(
        missing(&some, "access_keys")[0]
            .starts_with("root has keys, of which nothing else is known")
    );
    let (unknown, _) = with(&["ann"], &[keys]);
    assert!(missing(&unknown, "access_keys")[0].starts_with("nothing says whether root has keys"));
}

#[test]
fn tags_of_a_user_are_taken_by_the_name_of_the_file() {
    let tags =
        json!({"Tags": [{"Key": "owner", "Value": "shop@example.com"}], "IsTruncated": false})
            .to_string();
    let (told, rejected) = with(&["ann"], &[("list-user-tags-ann.json", tags.clone())]);
    assert_eq!(rejected, [""; 0]);
    assert_eq!(
        (&*told.users[0].tags["team"], &*told.users[0].tags["owner"]),
        ("shop", "shop@example.com")
    );
    let (_, rejected) = with(&["ann"], &[("tags.json", tags)]);
    assert!(rejected[0].contains("list-user-tags prints no user"), "{rejected:?}");
}

#[test]
fn regression_arns_are_made_up_in_the_accounts_own_partition() {
    let provider =
        json!({"Url": "token.actions.githubusercontent.com", "ClientIDList": ["sts.amazonaws.com"],
                          "ThumbprintList": []})
        .to_string();
    let summary = json!({"SummaryMap": {"AccountMFAEnabled": 0}}).to_string();
    for partition in ["aws", "aws-cn", "aws-us-gov"] {
        let details = details_in(partition, &["ann"]);
        let files = [
            ("a-provider.json", provider.as_str()),
            ("details.json", &details),
            ("a-summary.json", &summary),
        ];
        let (done, rejected) = of(folder_of(&files).path());
        assert_eq!(rejected, [""; 0]);
        let told = one(&done, SANDBOX);
        let start = format!("arn:{partition}:iam::{SANDBOX}:");
        assert!(told.identity_providers[0].provider_arn.starts_with(&start), "{partition}");
        assert_eq!(told.users[0].user_arn, Some(format!("{start}root")), "{partition}");
    }
}

#[test]
fn closed_accounts_keep_their_state_under_its_older_and_newer_name() {
    let account = |id: &str, name: &str, state: &str| json!({"Id": id, "Name": id, name: state});
    let list = json!({"Accounts": [
        account("111111111111", "Status", "SUSPENDED"), account("222222222222", "State", "PENDING_CLOSURE"),
        {"Id": "333333333333", "Status": "ACTIVE", "State": "CLOSED"}, account(SANDBOX, "State", "ACTIVE"),
    ]});
    let (told, _) = with(&["ann"], &[("accounts.json", list.to_string())]);
    let states: Vec<_> =
        told.known_accounts.iter().map(|row| row.status.as_deref().unwrap()).collect();
    assert_eq!(states, ["SUSPENDED", "PENDING_CLOSURE", "CLOSED", "ACTIVE"]);
    assert_eq!(told.snapshot.account_status.as_deref(), Some("ACTIVE"));
}
