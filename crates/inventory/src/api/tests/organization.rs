//! What the emulator lacks: Identity Center, identity store, policies of an organisation, in pages of one, each
//! throttled once; and trails, of which a member may not see all.

use serde_json::{Value, json};

use super::super::{organization, trails};
use super::*;

const INSTANCE: &str = "arn:aws:sso:::instance/ssoins-1";
const STORE: &str = "d-1234567890";
const OTHER: &str = "444455556666";
const TRAIL: &str = "arn:aws:cloudtrail:us-east-1:111122223333:trail/organisation";

fn set(number: u32) -> String {
    format!("arn:aws:sso:::permissionSet/ssoins-1/ps-{number}")
}

fn said(body: &Value) -> (u16, String) {
    (200, body.to_string())
}

fn refused(code: &str) -> (u16, String) {
    (400, json!({"__type": code, "message": "no"}).to_string())
}

/// A list of two in two pages, under the name that the service gives to it.
fn pages(request: &Value, list: &str, both: [Value; 2]) -> (u16, String) {
    let [first, second] = both;
    match request["NextToken"].as_str() {
        None => said(&json!({list: [first], "NextToken": "two"})),
        Some("two") => said(&json!({list: [second]})),
        Some(other) => panic!("{list}: no page {other}"),
    }
}

fn organisation(action: &str, body: &str, before: usize) -> (u16, String) {
    let request: Value = serde_json::from_str(body).unwrap();
    let text =
        |name: &str| request[name].as_str().unwrap_or_else(|| panic!("{action}: {name}: {body}"));
    if before == 0 {
        return refused("ThrottlingException");
    }
    match action {
        "ListAccounts" => {
            let account = |id: &str, name: &str, status: &str| {
                json!({"Id": id, "Name": name, "Status": status, "Email": format!("{name}@example.com"),
                       "Arn": format!("arn:aws:organizations::{ACCOUNT}:account/o-shop/{id}")})
            };
            let both = [account(ACCOUNT, "root", "ACTIVE"), account(OTHER, "old", "SUSPENDED")];
            pages(&request, "Accounts", both)
        }
        "ListPolicies" if text("Filter") == "RESOURCE_CONTROL_POLICY" => {
            said(&json!({"Policies": []}))
        }
        "ListPolicies" => {
            let policy = |id: &str| {
                json!({"Id": id, "Name": format!("name of {id}"), "Type": "SERVICE_CONTROL_POLICY",
                       "Arn": format!("arn:aws:organizations::{ACCOUNT}:policy/{id}"), "AwsManaged": false})
            };
            pages(&request, "Policies", [policy("p-1"), policy("p-2")])
        }
        "DescribePolicy" => {
            let id = text("PolicyId");
            said(
                &json!({"Policy": {"Content": format!("{{\"Sid\": \"{id}\"}}"), "PolicySummary": {"Id": id}}}),
            )
        }
        "ListTargetsForPolicy" => {
            pages(&request, "Targets", [json!({"TargetId": "r-1"}), json!({"TargetId": "ou-1"})])
        }
        "ListInstances" => pages(
            &request,
            "Instances",
            [
                json!({"InstanceArn": INSTANCE, "IdentityStoreId": STORE}),
                json!({"InstanceArn": "incomplete"}),
            ],
        ),
        "ListUsers" => {
            assert_eq!(text("IdentityStoreId"), STORE);
            let user = |number: u32, status: &str| {
                json!({"UserId": format!("user-{number}"), "IdentityStoreId": STORE, "UserStatus": status,
                       "UserName": format!("u{number}@example.com"),
                       "Emails": [{"Value": format!("u{number}@example.com"), "Primary": true}]})
            };
            pages(&request, "Users", [user(1, "ENABLED"), user(2, "DISABLED")])
        }
        "ListGroups" => {
            let group = |number: u32| {
                json!({"GroupId": format!("group-{number}"), "IdentityStoreId": STORE,
                       "DisplayName": format!("Group {number}")})
            };
            pages(&request, "Groups", [group(1), group(2)])
        }
        "ListPermissionSetsProvisionedToAccount" => {
            assert_eq!((text("InstanceArn"), text("AccountId")), (INSTANCE, ACCOUNT));
            pages(&request, "PermissionSets", [json!(set(1)), json!(set(2))])
        }
        "DescribePermissionSet" => {
            let arn = text("PermissionSetArn");
            let name = format!("Set{}", arn.rsplit('-').next().unwrap());
            said(&json!({"PermissionSet": {"PermissionSetArn": arn, "Name": name}}))
        }
        "ListAccountAssignments" => {
            let assignment = |kind: &str, id: &str| {
                json!({"AccountId": ACCOUNT, "PermissionSetArn": text("PermissionSetArn"),
                       "PrincipalType": kind, "PrincipalId": id})
            };
            let both = [assignment("USER", "user-1"), assignment("GROUP", "group-2")];
            pages(&request, "AccountAssignments", both)
        }
        other => panic!("{other}: {body}"),
    }
}

/// As `organisation`, but assignments of the second permission set may not be listed.
fn half_denied(action: &str, body: &str, before: usize) -> (u16, String) {
    if action == "ListAccountAssignments" && body.contains("ps-2")
        || action == "ListTargetsForPolicy"
    {
        return refused("AccessDeniedException");
    }
    organisation(action, body, before)
}

/// The organisation's part, and assignments in one account that has a user, so that there is a snapshot.
async fn read(answers: Answers) -> (Answer, Vec<String>) {
    let config = config(serve(answers));
    let mut answer = Answer::default();
    let active = organization::read(&config, &mut answer).await.unwrap();
    let assignments = organization::Assignments::new(&config, &answer.facts, true);
    let account = answer.facts.account(ACCOUNT);
    account.parts.insert(Part::Users);
    let mut account = std::mem::take(account);
    assignments.read(ACCOUNT, &mut account).await;
    *answer.facts.account(ACCOUNT) = account;
    (answer, active)
}

#[tokio::test]
async fn identity_center_and_policies_are_read_page_by_page_though_each_is_throttled() {
    let (answer, active) = read(organisation).await;
    assert_eq!(active, [ACCOUNT], "a suspended account is named, and not read");
    assert_eq!(answer.rejected, []);
    let done = snapshots(answer.facts, Origin::Api(NOW));
    let one = &done.inventories[0];
    let known: Vec<_> = one
        .known_accounts
        .iter()
        .map(|row| (row.known_account_id.as_str(), row.status.as_deref().unwrap()))
        .collect();
    assert_eq!(known, [(ACCOUNT, "ACTIVE"), (OTHER, "SUSPENDED")]);
    let people: Vec<_> = one
        .identity_store_users
        .iter()
        .map(|row| (row.user_id.as_str(), row.email.as_deref().unwrap(), row.active))
        .collect();
    assert_eq!(
        people,
        [("user-1", "u1@example.com", Some(true)), ("user-2", "u2@example.com", Some(false))]
    );
    let assigned: Vec<String> = one
        .identity_center_assignments
        .iter()
        .map(|row| {
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            format!(
                "{} {} {}",
                text(&row.permission_set_name),
                text(&row.principal_type),
                text(&row.principal_name)
            )
        })
        .collect();
    assert_eq!(
        assigned,
        [
            "Set1 USER u1@example.com",
            "Set1 GROUP Group 2",
            "Set2 USER u1@example.com",
            "Set2 GROUP Group 2",
        ]
    );
    assert_eq!(one.identity_center_assignments[0].instance_arn.as_deref(), Some(INSTANCE));
    let policies: Vec<_> = one
        .organization_policies
        .iter()
        .map(|row| {
            (row.policy_id.as_str(), row.document.as_deref().unwrap(), row.targets.join(" "))
        })
        .collect();
    assert_eq!(
        policies,
        [
            ("p-1", "{\"Sid\":\"p-1\"}", "ou-1 r-1".to_owned()),
            ("p-2", "{\"Sid\":\"p-2\"}", "ou-1 r-1".to_owned())
        ]
    );
    for part in ["identity_center", "organization_policies", "identity_store", "accounts"] {
        assert!(one.snapshot.parts.contains(&part.to_owned()), "{part}");
    }
}

#[tokio::test]
async fn what_is_denied_of_an_organisation_is_named_and_does_not_count() {
    let (answer, _) = read(half_denied).await;
    let words: Vec<String> = answer.rejected.iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        ["organization_policies: organizations:ListTargetsForPolicy: AccessDeniedException: no"]
    );
    let done = snapshots(answer.facts, Origin::Api(NOW));
    let one = &done.inventories[0];
    assert_eq!(one.identity_store_users.len(), 2, "what was got is kept");
    let missing = one.snapshot.missing.join("\n");
    for line in [
        "identity_center: sso:ListAccountAssignments: AccessDeniedException: no",
        "organization_policies: organizations:ListTargetsForPolicy: AccessDeniedException: no",
    ] {
        assert!(missing.contains(line), "{line} is not in\n{missing}");
    }
    for part in ["identity_center", "organization_policies"] {
        assert!(!one.snapshot.parts.contains(&part.to_owned()), "{part}");
    }
}

/// CloudTrail of the account that made the organisation's trail.
fn of_owner(action: &str, body: &str, before: usize) -> (u16, String) {
    match action {
        _ if before == 0 => refused("ThrottlingException"),
        "DescribeTrails" => said(&json!({"trailList": [{
            "Name": "organisation", "TrailARN": TRAIL, "S3BucketName": "logs", "S3KeyPrefix": "x",
            "IsMultiRegionTrail": true, "IsOrganizationTrail": true, "IncludeGlobalServiceEvents": true,
        }]})),
        "GetTrailStatus" if body.contains(TRAIL) => said(&json!({"IsLogging": true})),
        "GetEventSelectors" if body.contains(TRAIL) => {
            said(&json!({"TrailARN": TRAIL, "EventSelectors": [
                {"ReadWriteType": "All", "IncludeManagementEvents": true, "ExcludeManagementEventSources": [],
                 "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}]}
            ]}))
        }
        other => panic!("{other}: {body}"),
    }
}

/// The same trail as a member sees it, which may not ask for its selectors.
fn of_member(action: &str, body: &str, before: usize) -> (u16, String) {
    match action {
        "GetEventSelectors" => refused("AccessDeniedException"),
        _ => of_owner(action, body, before),
    }
}

#[tokio::test]
async fn what_a_member_may_not_ask_of_a_trail_its_owner_may() {
    let mut owner = Facts::default();
    trails::read(&config(serve(of_owner)), ACCOUNT, &mut owner).await;
    let mut member = Facts::default();
    member.account(OTHER).parts.insert(Part::Users);
    trails::read(&config(serve(of_member)), OTHER, &mut member).await;
    let mut alone = Facts::default();
    alone.account(OTHER).parts.insert(Part::Users);
    trails::read(&config(serve(of_member)), OTHER, &mut alone).await;
    let rejected: Vec<String> = alone.settle_trails().iter().map(ToString::to_string).collect();
    let words = format!(
        "account {OTHER}: trails: cloudtrail:GetEventSelectors {TRAIL}: AccessDeniedException: no"
    );
    assert_eq!(rejected, [words]);
    assert_eq!(snapshots(alone, Origin::Api(NOW)).trails, []);

    let mut both = Answer::default();
    both.take_in(member);
    both.take_in(owner);
    assert_eq!(both.facts.settle_trails(), []);
    let done = snapshots(both.facts, Origin::Api(NOW));
    let [trail] = done.trails.as_slice() else { panic!("{:?}", done.trails) };
    assert_eq!((trail.trail_arn.as_str(), trail.prefix.as_deref()), (TRAIL, Some("x")));
    assert_eq!(trail.selectors["EventSelectors"][0]["DataResources"][0]["Type"], "AWS::S3::Object");
    assert!(done.inventories[0].snapshot.parts.contains(&"trails".to_owned()));
}
