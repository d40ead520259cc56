//! Credentials beside passwords and keys, in pages, throttled and denied; and what roles and users called last.

use super::*;

/// One list of one user's things, with what follows it.
fn list(action: &str, name: &str, member: &str, next: &str) -> (u16, String) {
    let more = match next {
        "" => "<IsTruncated>false</IsTruncated>".to_owned(),
        next => format!("<IsTruncated>true</IsTruncated><Marker>{next}</Marker>"),
    };
    result(action, &format!("<{name}>{member}</{name}>{more}"))
}

fn service_specific(user: &str, number: u32) -> String {
    format!(
        "<member><UserName>{user}</UserName><Status>Active</Status><ServiceUserName>{user}-at</ServiceUserName>\
         <CreateDate>2025-03-0{number}T00:00:00Z</CreateDate><ServiceSpecificCredentialId>ACCA{number}\
         </ServiceSpecificCredentialId><ServiceName>bedrock.amazonaws.com</ServiceName></member>"
    )
}

/// Each list is throttled at first, and the first of service-specific credentials has two pages.
fn listing(action: &str, subject: &str, before: usize) -> (u16, String) {
    let lists = [
        "ListServiceSpecificCredentials",
        "ListSSHPublicKeys",
        "ListSigningCertificates",
        "ListMFADevices",
        "ListVirtualMFADevices",
    ];
    if lists.contains(&action) && before == 0 {
        return error(400, "Throttling");
    }
    match (action, subject) {
        ("ListServiceSpecificCredentials", "u2") => {
            list(action, "ServiceSpecificCredentials", &service_specific("u2", 1), "two")
        }
        ("ListServiceSpecificCredentials", "twou2") => {
            list(action, "ServiceSpecificCredentials", &service_specific("u2", 2), "")
        }
        // Deleted while it was read.
        ("ListServiceSpecificCredentials" | "ListMFADevices", "u3") => error(404, "NoSuchEntity"),
        ("ListSSHPublicKeys", "u1") => list(
            action,
            "SSHPublicKeys",
            "<member><UserName>u1</UserName><SSHPublicKeyId>APKA1</SSHPublicKeyId><Status>Inactive</Status>\
             <UploadDate>2025-01-01T00:00:00Z</UploadDate></member>",
            "",
        ),
        ("ListSigningCertificates", "u1") => list(
            action,
            "Certificates",
            "<member><UserName>u1</UserName><CertificateId>CERT1</CertificateId><Status>Active</Status>\
             <CertificateBody>BEGIN</CertificateBody></member>",
            "",
        ),
        ("ListMFADevices", "u1") => list(
            action,
            "MFADevices",
            "<member><UserName>u1</UserName><SerialNumber>GAHT1</SerialNumber>\
             <EnableDate>2025-01-01T00:00:00Z</EnableDate></member>",
            "",
        ),
        ("ListVirtualMFADevices", _) => list(
            action,
            "VirtualMFADevices",
            "<member><SerialNumber>arn:aws:iam::111122223333:mfa/root</SerialNumber><User><Path>/</Path>\
             <UserName>root</UserName><UserId>111122223333</UserId><Arn>arn:aws:iam::111122223333:root</Arn>\
             <CreateDate>2020-01-01T00:00:00Z</CreateDate></User></member>",
            "",
        ),
        _ => throttling(action, subject, before),
    }
}

fn denied(action: &str, subject: &str, before: usize) -> (u16, String) {
    match (action, subject) {
        ("ListSSHPublicKeys", "u2") => error(403, "AccessDenied"),
        ("ListServiceSpecificCredentials", _) => error(400, "InvalidAction"),
        _ => listing(action, subject, before),
    }
}

const PARTS: [&str; 4] =
    ["service_specific_credentials", "ssh_public_keys", "signing_certificates", "mfa_devices"];

#[tokio::test]
async fn other_credentials_are_read_of_every_user_though_each_list_is_throttled() {
    let mut facts = account::read(&config(serve(listing)), ACCOUNT).await;
    facts.account(ACCOUNT).asked = Some(NOW - 7);
    let done = snapshots(facts, Origin::Api(NOW));
    let one = &done.inventories[0];
    let rows: Vec<String> = one
        .credentials
        .iter()
        .map(|row| format!("{} {} {}", row.user_name, row.kind, row.credential_id))
        .collect();
    assert_eq!(
        rows,
        [
            "<root_account> mfa_device arn:aws:iam::111122223333:mfa/root",
            "u1 mfa_device GAHT1",
            "u1 signing_certificate CERT1",
            "u1 ssh_public_key APKA1",
            "u2 service_specific ACCA1",
            "u2 service_specific ACCA2",
        ]
    );
    for part in PARTS {
        let row = one.part_times.iter().find(|row| row.part == part).unwrap();
        assert_eq!((row.read_at, row.time_from.as_str()), (NOW - 7, "api"), "{part}");
    }
    assert_eq!(one.snapshot.snapshot_time, NOW - 7);
    assert_eq!(one.users[0].mfa_active, Some(true));
}

#[tokio::test]
async fn a_list_that_one_user_denies_is_missing() {
    let facts = account::read(&config(serve(denied)), ACCOUNT).await;
    let done = snapshots(facts, Origin::Api(NOW));
    let one = &done.inventories[0];
    let missing = one.snapshot.missing.join("\n");
    for line in [
        "ssh_public_keys: iam:ListSSHPublicKeys: AccessDenied: no",
        "service_specific_credentials: iam:ListServiceSpecificCredentials: InvalidAction: no",
    ] {
        assert!(missing.contains(line), "{line} is not in\n{missing}");
    }
    let read: Vec<bool> =
        PARTS.iter().map(|part| one.part_times.iter().any(|row| row.part == *part)).collect();
    assert_eq!(read, [false, false, true, true]);
    // Where users are not known, nobody could be asked.
    let facts = account::read(&config(serve(breaking_off)), ACCOUNT).await;
    let done = snapshots(facts, Origin::Api(NOW));
    let missing = done.inventories[0].snapshot.missing.join("\n");
    assert!(missing.contains("mfa_devices: iam:ListUsers: AccessDenied: no"), "{missing}");
}

/// An account without users, whose virtual devices may not be listed.
fn of_nobody(action: &str, subject: &str, before: usize) -> (u16, String) {
    match action {
        "GetAccountAuthorizationDetails" => result(action, "<IsTruncated>false</IsTruncated>"),
        "ListVirtualMFADevices" => error(403, "AccessDenied"),
        _ => throttling(action, subject, before),
    }
}

#[tokio::test]
async fn without_users_all_is_read_but_what_was_denied() {
    let facts = account::read(&config(serve(of_nobody)), ACCOUNT).await;
    let done = snapshots(facts, Origin::Api(NOW));
    let parts = &done.inventories[0].snapshot.parts;
    let read = ["access_keys", "access_key_last_used", "ssh_public_keys", "mfa_devices"]
        .map(|part| parts.contains(&part.to_owned()));
    assert_eq!(read, [true, true, true, false]);
}

/// A job is done when it is asked about again; its answer has two pages.
fn working(action: &str, subject: &str, before: usize) -> (u16, String) {
    let job = |status: &str, services: &str| {
        format!(
            "<JobStatus>{status}</JobStatus><JobCreationDate>2026-01-05T07:00:00Z</JobCreationDate>\
             <JobCompletionDate>2026-01-05T07:00:01Z</JobCompletionDate>\
             <ServicesLastAccessed>{services}</ServicesLastAccessed>"
        )
    };
    let service = |at: &str| {
        format!(
            "<member><ServiceName>S3</ServiceName><ServiceNamespace>s3</ServiceNamespace>\
             <LastAuthenticated>{at}</LastAuthenticated><LastAuthenticatedRegion>eu-west-1</LastAuthenticatedRegion>\
             </member>"
        )
    };
    match (action, subject) {
        ("GenerateServiceLastAccessedDetails", _) if subject.ends_with("u3") => {
            error(404, "NoSuchEntity")
        }
        ("GenerateServiceLastAccessedDetails", _) => {
            let id = subject.rsplit("%2F").next().unwrap();
            result(action, &format!("<JobId>{id}</JobId>"))
        }
        ("GetServiceLastAccessedDetails", "r1") if before == 0 => {
            result(action, &job("IN_PROGRESS", ""))
        }
        ("GetServiceLastAccessedDetails", "r1") => {
            let more = "<IsTruncated>true</IsTruncated><Marker>two</Marker>";
            result(action, &(job("COMPLETED", &service("2026-01-01T00:00:00Z")) + more))
        }
        ("GetServiceLastAccessedDetails", "twor1") => {
            result(action, &job("COMPLETED", &service("2026-01-03T00:00:00Z")))
        }
        ("GetServiceLastAccessedDetails", "r2") => result(action, &job("FAILED", "")),
        ("GetServiceLastAccessedDetails", _) => result(action, &job("COMPLETED", "")),
        _ => throttling(action, subject, before),
    }
}

#[tokio::test]
async fn calls_by_service_are_waited_for_and_read_page_by_page() {
    let config = config(serve(working));
    let mut facts = account::read(&config, ACCOUNT).await;
    accessed::read(&config, facts.account(ACCOUNT)).await;
    let done = snapshots(facts, Origin::Api(NOW));
    let one = &done.inventories[0];
    assert_eq!(one.roles[0].last_used, crate::time::parse("2026-01-03T00:00:00Z"));
    assert_eq!(one.roles[0].last_used_region.as_deref(), Some("eu-west-1"));
    assert_eq!(one.users[0].last_used, None);
    assert!(!one.snapshot.parts.contains(&"service_last_accessed".to_owned()));
    let missing = one.snapshot.missing.join("\n");
    let line = "service_last_accessed: iam:GetServiceLastAccessedDetails: the job is FAILED";
    assert!(missing.contains(line), "{missing}");
}
