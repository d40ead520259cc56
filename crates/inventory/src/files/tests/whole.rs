//! What counts as read only when all of it was: keys of every user, lists in pages, lists that nothing was left out of.

use serde_json::{Value, json};

use super::credentials::{details, has, missing, report, root_report, with};
use super::*;

const KEYS: [&str; 2] = ["access_keys", "access_keys_of_some"];

fn key_list(users: &[&str]) -> String {
    let key = |user: &&str| {
        json!({"UserName": user, "AccessKeyId": format!("AKIA{user}"), "Status": "Active",
               "CreateDate": "2024-01-01T00:00:00Z"})
    };
    json!({"AccessKeyMetadata": users.iter().map(key).collect::<Vec<_>>()}).to_string()
}

/// Which of the two parts is told, and how many days old it is.
fn keys_told(inventory: &Inventory) -> Vec<String> {
    let rows = inventory.part_times.iter().filter(|row| KEYS.contains(&row.part.as_str()));
    rows.map(|row| format!("{} {}", row.part, (NOW - row.read_at).div_euclid(DAY))).collect()
}

#[test]
fn regression_keys_of_some_users_are_not_all_keys() {
    let (some, _) = with(&["ann", "bob"], &[("keys-ann.json", key_list(&["ann"]))]);
    assert_eq!(keys_told(&some), ["access_keys_of_some 0"]);
    assert_eq!(missing(&some, "access_keys")[0], "nothing says whether there are keys of bob");
    assert_eq!(missing(&some, "access_keys_of_some"), [""; 0]);
    assert_eq!(some.access_keys.len(), 1, "what there is stays");
    // A list that names nobody, and half of a list, say nothing of anybody.
    let half = key_list(&["ann"]).replacen('{', "{\"IsTruncated\": true, ", 1);
    for text in [key_list(&[]), half] {
        let (told, _) = with(&["ann"], &[("list-access-keys.json", text)]);
        assert_eq!(keys_told(&told), ["access_keys_of_some 0"]);
    }
    let (all, _) = with(&["ann", "bob"], &[("keys.json", key_list(&["ann", "bob"]))]);
    assert_eq!(keys_told(&all), ["access_keys 0"]);
}

#[test]
fn regression_keys_are_not_all_where_users_are_not_known() {
    let folder = folder_of(&[("444455556666/keys-ann.json", &key_list(&["ann"]))]);
    let (done, _) = of(folder.path());
    let told = one(&done, SANDBOX);
    assert_eq!(keys_told(told), ["access_keys_of_some 0"]);
    assert!(missing(told, "access_keys")[0].starts_with("which users there are is not known"));
    // A list of the users makes it whole.
    let user = json!({"UserName": "ann", "Arn": format!("arn:aws:iam::{SANDBOX}:user/ann")});
    let users = json!({"Users": [user]}).to_string();
    std::fs::write(folder.path().join("444455556666/list-users.json"), users).unwrap();
    assert_eq!(keys_told(one(&of(folder.path()).0, SANDBOX)), ["access_keys 0"]);
}

#[test]
fn regression_the_report_speaks_for_users_without_keys_as_of_its_own_time() {
    let keyless = report(&[("bob", "N/A")]).replace("true,2024-01-01T00:00:00Z", "false,N/A");
    let keyless = keyless.replace("true,2024-02-01T00:00:00Z", "false,N/A");
    let folder = |csv: &str| {
        let folder = folder_of(&[
            ("details.json", &details(&["ann", "bob"])),
            ("keys-ann.json", &key_list(&["ann"])),
            ("report.csv", csv),
        ]);
        write_at(&folder, "report.csv", NOW - 3 * DAY);
        ["details.json", "keys-ann.json"].iter().for_each(|name| write_at(&folder, name, NOW));
        folder
    };
    let (done, rejected) = given(folder(&keyless).path(), None);
    assert_eq!((rejected.len(), done.rejected.len()), (0, 0));
    assert_eq!(keys_told(one(&done, SANDBOX)), ["access_keys 3"]);
    // With keys, or with more than it shows, the report is no list of them.
    let counted = keyless.replace(",N/A\n", ",1 additional access key\n");
    for csv in [report(&[("bob", "N/A")]), counted] {
        let (done, _) = given(folder(&csv).path(), None);
        let told = one(&done, SANDBOX);
        assert_eq!(keys_told(told), ["access_keys_of_some 0"]);
        assert!(!missing(told, "access_keys").is_empty());
    }
    // A user of the same name that was made since is another one.
    let again = keyless.replace("2024-01-01T00:00:00Z,false,N/A", "2020-01-01T00:00:00Z,false,N/A");
    assert_ne!(again, keyless);
    let (done, _) = given(folder(&again).path(), None);
    assert_eq!(keys_told(one(&done, SANDBOX)), ["access_keys_of_some 0"]);
    assert_eq!(
        missing(one(&done, SANDBOX), "access_keys")[0],
        "nothing says whether there are keys of bob"
    );
}

/// What details with `--filter` print: one kind alone.
fn filtered(kept: &str) -> String {
    let mut one: Value = serde_json::from_str(&details(&["ann"])).unwrap();
    one["Policies"] =
        json!([{"PolicyName": "p", "Arn": format!("arn:aws:iam::{SANDBOX}:policy/p")}]);
    for list in ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"] {
        if list != kept {
            one[list] = json!([]);
        }
    }
    one.to_string()
}

fn parts_of(files: &[(&str, &str)]) -> String {
    let (done, rejected) = of(folder_of(files).path());
    assert_eq!((rejected.len(), done.rejected.len()), (0, 0), "{:?}", done.rejected);
    one(&done, SANDBOX).snapshot.parts.join(" ")
}

#[test]
fn regression_an_empty_list_of_filtered_details_is_no_reading() {
    let roles = filtered("RoleDetailList");
    let of_roles = "roles role_last_used attachments trust_statements";
    assert_eq!(parts_of(&[("roles.json", &roles)]), of_roles);
    assert_eq!(parts_of(&[("users.json", &filtered("UserDetailList"))]), "users");
    assert_eq!(parts_of(&[("policies.json", &filtered("Policies"))]), "policies");
    let (done, _) = of(folder_of(&[("roles.json", &roles)]).path());
    assert_eq!(
        missing(one(&done, SANDBOX), "users"),
        ["get-account-authorization-details lists none, as it does with --filter: give \
          get-credential-report or get-account-summary"]
    );
    assert!(missing(one(&done, SANDBOX), "access_keys")[0].contains("give list-access-keys"));
    // Nor is one of all lists: every account has roles.
    let folder = folder_of(&[("444455556666/nothing.json", &filtered("nothing"))]);
    assert!(of(folder.path()).0.inventories.is_empty());
}

#[test]
fn regression_an_empty_list_counts_where_something_else_says_the_same() {
    let roles = filtered("RoleDetailList");
    let summary = json!({"SummaryMap": {"Users": 0, "Groups": 0, "Roles": 1}}).to_string();
    let some = json!({"SummaryMap": {"Users": 1}}).to_string();
    let nobody = json!({"Users": []}).to_string();
    for (name, text, read) in [
        ("report.csv", root_report(), true),
        ("report.csv", report(&[("ann", "N/A")]), false),
        ("summary.json", summary, true),
        ("summary.json", some, false),
        ("list-users.json", nobody.clone(), true),
        // People of an identity store, for all that can be told.
        ("people.json", nobody, false),
    ] {
        let parts = parts_of(&[("roles.json", &roles), (name, &text)]);
        let of_users = ["users", "access_keys", "service_specific_credentials", "ssh_public_keys"];
        for part in of_users {
            assert_eq!(parts.split(' ').any(|told| told == part), read, "{part} {name}: {parts}");
        }
    }
    let folder = folder_of(&[("roles.json", &roles), ("report.csv", &root_report())]);
    write_at(&folder, "roles.json", NOW);
    write_at(&folder, "report.csv", NOW - 2 * DAY);
    let (done, _) = given(folder.path(), None);
    assert!(has(one(&done, SANDBOX), "groups"), "users and roles were not filtered");
    assert_eq!(keys_told(one(&done, SANDBOX)), ["access_keys 2"], "no more than the older word");
}

/// A page of a list of the organisation.
fn page(name: &str, mut list: Value, more: bool) -> (String, String) {
    if more {
        list["NextToken"] = json!("more");
    }
    (format!("organization/{name}.json"), list.to_string())
}

fn with_pages(pages: &[(String, String)]) -> Inventory {
    let details = details(&["ann"]);
    let mut files = vec![("444455556666/details.json", details.as_str())];
    files.extend(pages.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let (done, rejected) = of(folder_of(&files).path());
    assert_eq!((rejected.len(), done.rejected.len()), (0, 0), "{:?}", done.rejected);
    one(&done, SANDBOX).clone()
}

#[test]
fn regression_a_directory_that_is_cut_off_is_not_read() {
    let people = |store: &str, id: &str| json!({"Users": [{"UserId": id, "IdentityStoreId": store, "UserName": id}]});
    let groups =
        json!({"Groups": [{"GroupId": "g", "IdentityStoreId": "d-1", "DisplayName": "g"}]});
    let accounts = json!({"Accounts": [{"Id": SANDBOX, "Name": "sandbox", "Status": "ACTIVE"}]});
    let policies =
        json!({"Policies": [{"Id": "p-1", "Name": "p", "Type": "SERVICE_CONTROL_POLICY"}]});
    let whole = page("a", people("d-1", "u1"), false);
    for (pages, part, list) in [
        (vec![page("a", people("d-1", "u1"), true)], "identity_store", "list-users"),
        (vec![whole.clone(), page("b", groups.clone(), true)], "identity_store", "list-groups"),
        // The end of another store is not the end of this one.
        (vec![whole.clone(), page("b", people("d-2", "u2"), true)], "identity_store", "list-users"),
        (vec![page("a", accounts, true)], "accounts", "list-accounts"),
        (vec![page("a", policies, true)], "organization_policies", "list-policies"),
    ] {
        let told = with_pages(&pages);
        assert!(!has(&told, part), "{part} {list}");
        let words = format!("more pages of {list} follow than were read");
        assert!(missing(&told, part).contains(&words), "{:?}", told.snapshot.missing);
    }
    // With the last page it is all there.
    let told = with_pages(&[whole, page("b", people("d-1", "u2"), true)]);
    assert!(has(&told, "identity_store"));
    assert_eq!(told.identity_store_users.len(), 2);
    assert!(!told.snapshot.missing.iter().any(|line| line.contains("more pages")));
}

#[test]
fn regression_assignments_that_are_cut_off_are_not_read() {
    let assigned = |set: &str| {
        json!({"AccountAssignments": [{"AccountId": SANDBOX, "PrincipalType": "USER", "PrincipalId": "u1",
            "PermissionSetArn": format!("arn:aws:sso:::permissionSet/ssoins-1/{set}")}]})
    };
    let told = with_pages(&[page("a", assigned("ps-1"), true), page("b", assigned("ps-2"), false)]);
    assert!(!has(&told, "identity_center"));
    let words = "more pages of list-account-assignments follow than were read";
    assert_eq!(missing(&told, "identity_center"), [words]);
    let told = with_pages(&[page("a", assigned("ps-1"), true), page("b", assigned("ps-1"), false)]);
    assert!(has(&told, "identity_center"));
}
