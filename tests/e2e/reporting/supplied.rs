//! What users supply beside the logs: names of networks, databases of addresses, a file of owners; and lists to
//! send.

use serde_json::json;

use super::{Site, column, ndjson, tree};
use crate::support::{AddressRecord as Value, Ground, Row, Run, address_database as database};

const FOOTPRINT: [&str; 7] =
    ["key-footprint", "--as-of", "2026-01-06", "--days", "2", "--format", "json"];

fn rows(run: &Run) -> Vec<Row> {
    serde_json::from_slice(&run.stdout).unwrap()
}

fn write_databases(site: &Site) {
    let asn = Value::Map(vec![
        ("autonomous_system_number", Value::Number(64_500)),
        ("autonomous_system_organization", Value::Text("Example Transit")),
    ]);
    let country = Value::Map(vec![("iso_code", Value::Text("DE"))]);
    let country = Value::Map(vec![("country", country)]);
    site.scratch.write("asn.mmdb", database("GeoLite2-ASN", &[("192.0.2.0/24", asn)]));
    site.scratch.write("country.mmdb", database("DBIP-Country", &[("192.0.2.0/24", country)]));
}

#[test]
fn a_keys_footprint_says_which_network_it_is() {
    let site = Site::new(Ground::Folder);
    write_databases(&site);
    site.scratch.write("networks.csv", "cidr,label,kind\n192.0.2.0/28,Office,office\n");
    let aws = json!({
        "prefixes": [{"ip_prefix": "192.0.2.0/24", "region": "eu-west-1", "service": "EC2"}],
        "ipv6_prefixes": [],
    });
    site.scratch.write("ip-ranges.json", aws.to_string());
    let names =
        ["sources", "network", "network_kind", "network_asn", "network_as_name", "network_country"];
    let check = |args: &[&str], expected: [serde_json::Value; 6]| {
        let run = site.plain(&[&FOOTPRINT[..], args].concat()).run().exits(0);
        let rows = rows(&run);
        assert!(!rows.is_empty(), "{run}");
        for row in &rows {
            assert_eq!(names.map(|name| row[name].clone()), expected, "{args:?}");
        }
    };
    let ip = || json!(["192.0.2.10"]);
    let none = || json!(null);
    check(&[], [ip(), none(), none(), none(), none(), none()]);
    let both = ["--networks", "ip-ranges.json", "--networks", "networks.csv"];
    check(&both, [ip(), json!("Office"), json!("office"), none(), none(), none()]);
    let asn = ["--asn-database", "asn.mmdb"];
    for (given, place) in [
        (&[][..], "192.0.2.0/24"),
        (&both[..], "Office"),
        (&both[..2], "AWS EC2 eu-west-1"),
        (&[&both[..2], &asn].concat()[..], "AS64500 Example Transit"),
        (&[&both[..], &asn].concat()[..], "Office"),
    ] {
        let run = site.plain(&[&FOOTPRINT[..], given].concat()).run().exits(0);
        assert_eq!(column(&rows(&run), "place")[0], place, "{given:?}");
    }
    let args = ["assumptions", "--format", "json", "--networks", "networks.csv"];
    let run = site.plain(&args).run().exits(0);
    assert!(rows(&run).iter().all(|row| row["network"] == "Office"), "{run}");
    let args = ["edges", "--format", "json", "--networks", "networks.csv"];
    let run = site.plain(&args).run().exits(0);
    assert!(rows(&run).iter().all(|row| row["networks"] == json!(["Office"])), "{run}");
    let aws = json!("AWS EC2 eu-west-1");
    check(&both[..2], [ip(), aws, json!("aws"), none(), none(), none()]);
    let known = || [ip(), none(), none(), json!(64_500), json!("Example Transit"), json!("DE")];
    check(&["--asn-database", "asn.mmdb", "--country-database", "country.mmdb"], known());
    // As settings, and in SQL.
    site.scratch.write(
        "rolecall.toml",
        "asn_database = \"asn.mmdb\"\ncountry_database = \"country.mmdb\"\n",
    );
    check(&[], known());
    let asn = site.scratch.lake("lake").sql("SELECT network_asn('192.0.2.77') AS asn");
    assert_eq!(asn[0]["asn"], 64_500);
}

#[test]
fn a_database_that_cannot_tell_is_refused() {
    let site = Site::new(Ground::Folder);
    write_databases(&site);
    let whole = std::fs::read(site.path("asn.mmdb")).unwrap();
    site.scratch.write("half.mmdb", &whole[..whole.len() / 2]);
    site.scratch.write("page.mmdb", "<html>Please log in</html>");
    let mut torn = whole.clone();
    let name = whole.windows(10).position(|bytes| bytes == b"autonomous").unwrap();
    torn[name - 2..name + 20].fill(0xff);
    site.scratch.write("torn.mmdb", torn);
    for (flag, file, told) in [
        ("--asn-database", "half.mmdb", "asn_database: "),
        ("--asn-database", "half.mmdb", "half.mmdb: it is no MaxMind DB file"),
        ("--asn-database", "page.mmdb", "page.mmdb: it is no MaxMind DB file"),
        ("--country-database", "torn.mmdb", "torn.mmdb: it is damaged"),
        ("--asn-database", "nowhere.mmdb", "nowhere.mmdb: "),
        (
            "--asn-database",
            "country.mmdb",
            "there are no autonomous systems in it: it is a 'DBIP-Country'",
        ),
        ("--country-database", "asn.mmdb", "there are no countries in it: it is a 'GeoLite2-ASN'"),
    ] {
        let run = site.plain(&[&FOOTPRINT[..], &[flag, file]].concat()).run().exits(2);
        run.complains_of(&[told]);
        assert!(run.stdout.is_empty(), "{run}");
    }
}

#[test]
fn regression_what_is_nowhere_is_wrong_usage() {
    let site = Site::new(Ground::Folder);
    let accounts = json!({"Accounts": [
        {"Id": "111122223333", "Arn": "arn:aws:organizations::111122223333:account/o-1/111122223333",
         "Name": "Production", "Email": "aws@example.com", "Status": "ACTIVE"}]});
    site.scratch.write("iam/accounts.json", accounts.to_string());
    let details =
        json!({"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []});
    site.scratch.write("iam/111122223333/details.json", details.to_string());
    // Empty lists alone might be those of a filter.
    let none = json!({"SummaryMap": {"Users": 0, "Groups": 0, "Roles": 0, "Policies": 0}});
    site.scratch.write("iam/111122223333/summary.json", none.to_string());
    let inventory = ["--from", "iam", "--snapshot-time", "2026-01-06T12:00:00Z"];
    site.scratch.lake("lake").command("inventory").args(inventory).run();
    let at = ["--as-of", "2026-01-06", "--format", "json"];
    for (args, told) in [
        (["edges", "--account", "111122223334"], "did you mean 111122223333?"),
        (["edges", "--account", "productoin"], "did you mean production?"),
        (["edges", "--account", "elsewhere"], "neither 12 digits nor the name of an account"),
        (["edges", "--role", "deplyo"], "did you mean deploy?"),
        (["edges", "--role", "999900001111/deploy"], "did you mean 111122223333/deploy?"),
        (["lineage", "--access-key", "AKIAEXAMPLEKEY000002"], "did you mean AKIAEXAMPLEKEY000001?"),
        (["owners", "--owner", "anna"], "--owner anna: no owners file, tag, directory"),
    ] {
        let run = site.plain(&[&args[..], &at].concat()).run().exits(2);
        run.complains_of(&[args[1], args[2], told]);
        assert!(run.stdout.is_empty(), "{run}");
    }
    let of = |args: &[&str]| rows(&site.plain(&[&["edges"], args, &at].concat()).run().exits(0));
    let all = of(&[]);
    assert!(!all.is_empty());
    for name in ["production", "1111-2222-3333", "111122223333", super::OTHER] {
        assert!(!of(&["--account", name]).is_empty(), "{name}");
    }
    assert_eq!(of(&["--role", "Production/deploy"]), of(&["--role", "111122223333/deploy"]));
    let owners =
        "[[owner]]\nname = \"Anna\"\nmatch = { account = \"production\", user = \"ana\" }\n";
    site.scratch.write("owners.toml", owners);
    let args = ["owners", "--owner", "anna", "--owners", "owners.toml"];
    let mine = rows(&site.plain(&[&args[..], &at].concat()).run().exits(0));
    assert_eq!(column(&mine, "name"), ["ana"]);
}

#[test]
fn each_owner_has_a_list_to_send() {
    let site = Site::new(Ground::Folder);
    let owners = "[[owner]]\nname = \"Team A/B\"\ncontact = \"#team-a\"\nasked = 2026-01-04\n\
                  match = { account = \"111122223333\", user = \"an?\" }\n\
                  [[owner]]\nname = \"Carol\"\nmatch = { role = \"gone\" }\n";
    site.scratch.write("owners.toml", owners);
    let args = ["owners", "--as-of", "2026-01-06", "--days", "2", "--owners", "owners.toml"];
    let split = ["--format", "ndjson", "--output", "out", "--split-by", "owner"];
    let args = [&args[..], &split].concat();
    let run = site.plain(&args).run().exits(0);
    run.complains_of(&["2 lists by owner"]);
    let files = tree(&site.path("out"));
    let expected =
        ["owner=carol.ndjson", "owner=team_20a_2fb.ndjson", "owners.ndjson", "owners.parquet"];
    assert_eq!(files, expected.map(|name| format!("owners/as_of=2026-01-06/{name}")));
    let list = ndjson(&site.read(&format!("out/{}", files[1])));
    for (name, value) in [
        ("owner", "Team A/B"),
        ("state", "ASKED"),
        ("owner_source", "file:1"),
        ("contact", "#team-a"),
        ("asked", "2026-01-04"),
        ("access_key_id", "AKIAEXAMPLEKEY000001"),
    ] {
        assert_eq!(column(&list, name), [&json!(value)], "{name}");
    }
    let list = ndjson(&site.read(&format!("out/{}", files[0])));
    assert_eq!(column(&list, "state"), ["UNMATCHED"]);
    // The same again makes the same files.
    site.plain(&args).run().exits(0);
    assert_eq!(tree(&site.path("out")), files);

    let run = site.plain(&["owners", "--output", "out", "--split-by", "ower"]).run().exits(2);
    run.complains_of(&["--split-by ower", "did you mean owner?"]);
    site.plain(&["owners", "--split-by", "owner"]).run().exits(2).complains_of(&["--output"]);
    site.scratch.write("owners.toml", "[[owner]]\nname = \"x\"\nmatch = { usr = \"y\" }\n");
    let run = site.plain(&["owners", "--owners", "owners.toml"]).run().exits(2);
    run.complains_of(&["owners.toml:3: match.usr is none of account, user"]);
}
