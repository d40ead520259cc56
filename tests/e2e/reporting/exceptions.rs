//! `--exceptions`, and `rolecall exceptions init`.

use serde_json::json;

use super::{Site, column};
use crate::support::{Ground, Row, Run};

fn exceptions(list: &[(&str, &str, &str)]) -> String {
    let one = |(id, expires, matched): &(&str, &str, &str)| {
        format!(
            "[[exception]]\nid = \"{id}\"\nkind = \"accepted\"\nowner = \"ops@example.com\"\n\
             reason = \"known\"\nexpires = {expires}\nmatch = {{ {matched} }}\n"
        )
    };
    list.iter().map(one).collect()
}

fn rows(run: &Run) -> Vec<Row> {
    serde_json::from_slice(&run.stdout).unwrap()
}

#[test]
fn an_excepted_row_stays_and_does_not_count_until_it_expires() {
    let site = Site::new(Ground::Folder);
    let list = [
        ("alpha", "2026-01-05", "report = \"names\", user_name = \"al*\""),
        ("delta", "2026-12-31", "account = \"111122223333\", user_name = \"delta\""),
        ("nothing", "2026-12-31", "report = \"names\", arn = \"arn:aws:iam::*:role/other\""),
        ("other", "2026-12-31", "report = \"edges\", account = \"111122223333\""),
    ];
    site.scratch.write("e.toml", exceptions(&list));
    let args = ["names", "--exceptions", "e.toml", "--fail-on", "idle", "--format", "json"];
    let run = site.report(5, &args).run().exits(0);
    let found = rows(&run);
    assert_eq!(
        column(&found, "exception"),
        [&json!(null), &json!("alpha"), &json!(null), &json!("delta")]
    );
    let expired = [&json!(null), &json!(false), &json!(null), &json!(false)];
    assert_eq!(column(&found, "exception_expired"), expired);
    run.complains_of(&["exception nothing matches no row", "ops@example.com"]);
    assert!(!run.stderr().contains("exception other"), "it is about another report: {run}");

    // A second later, the day on which the first expires is over.
    let later = ["--from", "2026-01-05", "--to", "2026-01-05", "--as-of", "2026-01-06T00:00:01Z"];
    let run = site.plain(&[&args[..], &later].concat()).run().exits(3);
    let found = rows(&run);
    assert_eq!(column(&found, "exception")[1], "alpha");
    assert_eq!(column(&found, "exception_expired")[1], true);
    run.complains_of(&[
        "exception alpha expired on 2026-01-05",
        "1 row counts again",
        "ops@example.com",
    ]);
    run.complains_of(&["--fail-on", "1 finding"]);
}

/// Two roles and two keys, all idle; each pair with one that names the other.
fn write_inventory(site: &Site) {
    let role = |name: &str, id: &str| {
        json!({"Path": "/app/", "RoleName": name, "RoleId": id,
               "Arn": format!("arn:aws:iam::111122223333:role/app/{name}"), "CreateDate": "2024-01-01T00:00:00Z",
               "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
               "InstanceProfileList": [], "RolePolicyList": [], "AttachedManagedPolicies": [], "Tags": [],
               "RoleLastUsed": {}})
    };
    let details = json!({"UserDetailList": [], "GroupDetailList": [], "Policies": [],
                         "RoleDetailList": [role("deploy", "AROAEXAMPLEROLE000001"), role("terraform", "AROAEXAMPLEROLE000002")]});
    site.scratch.write("iam/111122223333/details.json", details.to_string());
    let args = ["--from", "iam", "--snapshot-time", "2026-01-06T12:00:00Z"];
    site.scratch.lake("lake").command("inventory").args(args).run().exits(0);
}

#[test]
fn regression_an_exception_by_arn_spares_what_the_row_is_about_alone() {
    let site = Site::new(Ground::Folder);
    write_inventory(&site);
    let list = [
        // Its path may be left out; the caller of all that the site's records show is a user.
        ("terraform", "2026-12-31", "arn = \"arn:aws:iam::111122223333:role/terraform\""),
        ("ana", "2026-12-31", "arn = \"arn:aws:iam::111122223333:user/ana\""),
    ];
    site.scratch.write("e.toml", exceptions(&list));
    let args = ["--exceptions", "e.toml", "--as-of", "2026-01-06T12:00:00Z", "--format", "json"];
    let roles = site.plain(&[&["unused-roles"][..], &args].concat()).run().exits(0);
    let found = rows(&roles);
    assert_eq!(column(&found, "role"), ["deploy", "terraform"]);
    assert_eq!(found[0]["last_assumed_by"], "arn:aws:iam::111122223333:user/ana");
    assert_eq!(column(&found, "exception"), [&json!(null), &json!("terraform")]);
    let edges = site.plain(&[&["edges"][..], &args].concat()).run().exits(0);
    assert!(rows(&edges).iter().all(|row| row["exception"] == "ana"), "the caller: {edges}");
}

#[test]
fn a_file_that_can_be_misread_is_refused() {
    let site = Site::new(Ground::Folder);
    for (list, told) in [
        (vec![("x", "\"never\"", "account = \"111122223333\"")], "e.toml:6: expires: 'never'"),
        (
            vec![("x", "2026-12-31", "report = \"nmes\", account = \"111122223333\"")],
            "did you mean 'names'",
        ),
        (vec![("x", "2026-12-31", "user_nme = \"a\"")], "e.toml:7: match.user_nme is no column"),
        (vec![("x", "2026-12-31", "")], "would except every row"),
    ] {
        site.scratch.write("e.toml", exceptions(&list));
        let run = site.report(5, &["names", "--exceptions", "e.toml"]).run().exits(2);
        run.complains_of(&[told]);
        assert!(run.stdout.is_empty(), "{run}");
    }
    let run = site.report(5, &["names", "--exceptions", "none.toml"]).run().exits(2);
    run.complains_of(&["none.toml"]);
}

#[test]
fn a_template_is_written_once() {
    let site = Site::new(Ground::Folder);
    let init = || site.scratch.rolecall(["exceptions", "init", "mine.toml"]);
    init().run().exits(0);
    let text = site.read("mine.toml");
    assert!(text.contains("# expires = "), "{text}");
    site.report(5, &["names", "--exceptions", "mine.toml"]).run().exits(0);
    site.scratch.write("mine.toml", "# ours\n");
    init().run().exits(2).complains_of(&["mine.toml", "already"]);
    assert_eq!(site.read("mine.toml"), "# ours\n");
}
