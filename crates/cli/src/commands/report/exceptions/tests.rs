//! What a file of exceptions may say, and which rows it means.

use std::sync::Arc;

use arrow::array::{ArrayRef, MapBuilder, StringArray, StringBuilder};

use super::*;

const DAY: i64 = 86_400_000_000;

fn parse(text: &str) -> Result<Exceptions, String> {
    let reports = Reports::built_in().unwrap();
    Exceptions::parse(text, Path::new("e.toml"), &reports).map_err(|error| error.to_string())
}

fn one(matched: &str) -> String {
    format!(
        "[[exception]]\nid = \"x\"\nkind = \"accepted\"\nowner = \"o\"\nreason = \"r\"\n\
         expires = 2026-01-31\nmatch = {matched}\n"
    )
}

#[test]
fn the_template_is_read_as_it_is_and_without_its_comments() {
    let template = crate::commands::exceptions::TEMPLATE;
    assert_eq!(parse(template).unwrap().list.len(), 0);
    // Its examples name reports that may not be there; the form is what counts here.
    let examples: String = template
        .lines()
        .skip_while(|line| *line != "# [[exception]]")
        .map(|line| format!("{}\n", line.trim_start_matches("# ")))
        .collect();
    let examples = examples
        .replace("\"unused-roles\"", "\"coverage\"")
        .replace("\"stale-keys\"", "\"coverage\"")
        .replace("user_name", "state");
    assert_eq!(parse(&examples).unwrap().list.len(), 2, "{examples}");
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let without = |line: &str| one("{ account = \"111122223333\" }").replace(line, "");
    for (text, problem) in [
        ("x = 1\n".to_owned(), "e.toml:1: expected [[exception]]"),
        ("[[exception]\n".to_owned(), "e.toml:1: "),
        (without("id = \"x\"\n"), "e.toml:1: the exception has no id"),
        (without("owner = \"o\"\n"), "e.toml:1: the exception has no owner"),
        (without("reason = \"r\"\n"), "e.toml:1: the exception has no reason"),
        (without("expires = 2026-01-31\n"), "e.toml:1: the exception has no expires: write a day"),
        (
            without("match = { account = \"111122223333\" }\n"),
            "e.toml:1: the exception has no match",
        ),
        (one("{}"), "e.toml:7: match would except every row: add account, arn, tag or a column"),
        (one("{ report = \"edges\" }"), "e.toml:7: match would except every row"),
        (one("\"edges\""), "e.toml:7: match: expected a table"),
        (
            one("{ report = \"edgs\", account = \"111122223333\" }"),
            "e.toml:7: match.report: no report is called 'edgs'",
        ),
        (one("{ account = \"12\" }"), "e.toml:7: match.account: '12' is not 12 digits"),
        (one("{ arn = \"role/x\" }"), "e.toml:7: match.arn: 'role/x' does not begin with arn:"),
        (
            one("{ acount = \"1\" }"),
            "e.toml:7: match.acount is no column of any report: did you mean account?",
        ),
        (
            one("{ report = \"coverage\", role = \"x\" }"),
            "e.toml:7: match.role is no column of report coverage",
        ),
        (
            one("{ account = 111122223333 }"),
            "e.toml:7: match.account: expected text, found integer",
        ),
        (
            one("{ account = \"111122223333\" }").replace("2026-01-31", "\"soon\""),
            "e.toml:6: expires: 'soon' is not a time",
        ),
        (
            one("{ account = \"111122223333\" }").replace("accepted", "fine"),
            "e.toml:1: kind 'fine' is none of breakglass",
        ),
        (
            one("{ account = \"111122223333\" }").replace("owner", "ower"),
            "e.toml:4: ower is no part of an exception: did you mean owner?",
        ),
        (
            format!("{0}{0}", one("{ account = \"111122223333\" }")),
            "e.toml:8: there is another exception with the id x",
        ),
    ] {
        let error = parse(&text).unwrap_err();
        assert!(error.starts_with(problem), "{error}\nfor\n{text}");
    }
}

#[test]
fn an_exception_holds_through_its_last_day() {
    let exceptions = parse(&one("{ account = \"111122223333\" }")).unwrap();
    let last = clock::parse_time("2026-01-31").unwrap().end();
    assert!(!exceptions.list[0].is_expired(last - DAY));
    assert!(!exceptions.list[0].is_expired(last));
    assert!(exceptions.list[0].is_expired(last + 1));
}

#[test]
fn rows_match_by_account_arn_tag_and_column() {
    let text =
        |values: [Option<&str>; 3]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let mut tags = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    tags.keys().append_value("team");
    tags.values().append_value("billing");
    tags.append(true).unwrap();
    tags.append(true).unwrap();
    tags.append(false).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("account_id", text([Some("111122223333"), Some("444455556666"), None])),
        ("user_name", text([Some("ci-deploy"), Some("ci*"), None])),
        ("role", text([None, Some("arn:aws:iam::444455556666:role/app/Admin"), Some("Ops")])),
        ("caller_account_id", text([Some("999999999999"), None, Some("111122223333")])),
        ("tags", Arc::new(tags.finish()) as ArrayRef),
    ])
    .unwrap();
    let facts = Facts::of(&batch, "").unwrap();
    let of_roles = Facts::of(&batch, "role").unwrap();
    let arn = "{ arn = \"arn:aws:iam::*:role/*Admin\" }";
    let exceptions = parse(&one(arn)).unwrap();
    let found = [0, 1, 2].map(|row| of_roles.matches(&exceptions.list[0], row));
    assert_eq!(found, [false, true, false], "{arn}");
    for (matched, expected) in [
        ("{ account = \"111122223333\" }", [true, false, false]),
        ("{ account = \"999999999999\" }", [false, false, false]),
        ("{ arn = \"arn:aws:iam::*:user/ci-*\" }", [true, false, false]),
        // Users are what these rows are about; the role is another column of theirs.
        ("{ arn = \"arn:aws:iam::*:role/*Admin\" }", [false, false, false]),
        ("{ tag = \"Team\" }", [true, false, false]),
        ("{ tag = \"team=BILLING\" }", [true, false, false]),
        ("{ tag = \"team=bill*\" }", [true, false, false]),
        ("{ tag = \"team=b\" }", [false, false, false]),
        ("{ role = \"Op?\" }", [false, false, true]),
        ("{ account = \"111122223333\", role = \"Ops\" }", [false, false, false]),
    ] {
        let exceptions = parse(&one(matched)).unwrap();
        let found = [0, 1, 2].map(|row| facts.matches(&exceptions.list[0], row));
        assert_eq!(found, expected, "{matched}");
    }
}

#[test]
fn regression_an_exception_by_arn_is_about_what_the_row_is_about() {
    let terraform = "arn:aws:iam::111122223333:role/terraform";
    let victim = "arn:aws:iam::111122223333:role/victim";
    let maker = "arn:aws:iam::111122223333:user/maker";
    let text = |values: [&str; 2]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let roles = RecordBatch::try_from_iter([
        ("account_id", text(["111122223333"; 2])),
        ("role", text(["terraform", "victim"])),
        ("role_arn", text([terraform, victim])),
        ("last_assumed_by", text([victim, terraform])),
    ]);
    let keys = RecordBatch::try_from_iter([
        ("account_id", text(["111122223333"; 2])),
        ("user_name", text(["maker", "made"])),
        ("created_by", text([terraform, maker])),
    ]);
    for (batch, subject, arn) in
        [(roles.unwrap(), "role_arn", terraform), (keys.unwrap(), "user_name", maker)]
    {
        let facts = Facts::of(&batch, subject).unwrap();
        let exceptions = parse(&one(&format!("{{ arn = \"{arn}\" }}"))).unwrap();
        let found = [0, 1].map(|row| facts.matches(&exceptions.list[0], row));
        assert_eq!(found, [true, false], "{arn}");
    }
}

#[test]
fn an_account_may_be_called_by_its_name() {
    let mut exceptions = parse(&one("{ account = \"Prod\" }")).unwrap();
    assert!(exceptions.has_account_names());
    let accounts = Accounts::new([("111122223333", Some("prod")), ("444455556666", None)]);
    exceptions.name_accounts(&accounts).unwrap();
    assert_eq!(exceptions.list[0].account.as_deref(), Some("111122223333"));
    assert!(!exceptions.has_account_names());
    let mut exceptions = parse(&one("{ account = \"prd\" }")).unwrap();
    let error = exceptions.name_accounts(&accounts).unwrap_err().to_string();
    assert!(error.starts_with("e.toml:7: match.account 'prd'"), "{error}");
    assert!(error.contains("did you mean prod?"), "{error}");
}
