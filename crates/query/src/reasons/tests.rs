//! Codes, sentences and what the reports yield: all fit together.

use super::*;

fn parse(text: &str) -> Result<Reasons, String> {
    Reasons::parse(text)
}

#[test]
fn what_is_wrong_with_the_file_is_said() {
    for (text, expected) in [
        ("A = 1", "A is no table"),
        ("[A]\ntitle = 'x'", "A: it has no sentence"),
        ("[A]\nsentence = 'x'", "A: it has no title"),
        ("[A]\ntitle = 'x'\nsentence = 'x {B}'", "A: 'B' is no name of a column, in 'x {B}'"),
        ("[A]\ntitle = 'x'\nsentence = '{a'", "A: '{' without '}' in '{a'"),
        ("[A]\ntitle = 'x'\nsentence = 'x'\nsure = 1", "A: unknown key 'sure'"),
        ("[A]\ntitle = 'x'\nsentence = 'x'\nconfidence = 'some'", "A: confidence: 'some'"),
    ] {
        assert_eq!(parse(text).unwrap_err(), expected);
    }
}

#[test]
fn a_sentence_without_one_of_its_figures_is_not_said() {
    let figures = |name: &str| match name {
        "days" => Some("1".to_owned()),
        "keys" => Some("2".to_owned()),
        "share" => Some("0.5313".to_owned()),
        _ => None,
    };
    let said = |text: &str| Template::parse(text).unwrap().fill(figures);
    assert_eq!(said("{days|day} of {keys|key}"), Some("1 day of 2 keys".to_owned()));
    assert_eq!(said("{share|percent} held"), Some("53.1 % held".to_owned()));
    assert_eq!(said("delete {access_key_id}"), None);
}

/// The SQL of every built-in report.
fn reports() -> Vec<crate::Report> {
    crate::Reports::built_in().unwrap().list().cloned().collect()
}

/// Codes that a report's SQL may yield: what stands in `codes(…)`, and in the cases of columns called `…_code`.
fn codes_in(sql: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = sql;
    while let Some(start) = rest.find("codes(") {
        let inner = &rest[start + "codes(".len()..];
        let mut depth = 1;
        let end = inner.char_indices().find(|(_, c)| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        });
        let (end, _) = end.unwrap();
        rest = &inner[end..];
        // What a part yields, and the report does not take, is none of its own.
        let column = rest.strip_prefix(") AS ").and_then(|rest| rest.split([',', '\n']).next());
        if !column
            .is_some_and(|column| column != "reason_codes" && sql.matches(column).count() == 1)
        {
            literals(&inner[..end], &mut found);
        }
    }
    for (end, _) in sql.match_indices("_code\n").chain(sql.match_indices("_code,")) {
        let before = &sql[..end];
        if let Some(start) =
            before.rfind("CASE").filter(|_| before.trim_end().rsplit(' ').nth(1) == Some("AS"))
        {
            literals(&before[start..], &mut found);
        }
    }
    found
}

/// Texts in capitals that are yielded: not those that something is compared with.
fn literals(sql: &str, found: &mut BTreeSet<String>) {
    let pieces: Vec<&str> = sql.split('\'').collect();
    for pair in pieces.windows(2).step_by(2) {
        let (before, text) = (pair[0].trim_end(), pair[1]);
        let yielded = before.is_empty()
            || before.ends_with("THEN")
            || before.ends_with("ELSE")
            || before.ends_with(',') && !before.contains(" IN (") && pair[0] != ", ";
        let is_code = text.len() > 3
            && text
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit());
        if yielded && is_code {
            found.insert(text.to_owned());
        }
    }
}

#[test]
fn every_code_that_is_used_exists_and_every_one_that_exists_is_used() {
    let known: BTreeSet<String> =
        Reasons::built_in().unwrap().list().map(|reason| reason.code.clone()).collect();
    let used: BTreeSet<String> =
        reports().iter().flat_map(|report| codes_in(&report.sql)).collect();
    assert_eq!(used.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "not in {FILE}");
    assert_eq!(known.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "in no report");
}

#[test]
fn a_code_is_of_the_reports_that_take_it_from_a_part_not_of_all_that_build_on_the_part() {
    let of = |code: &str| -> Vec<String> {
        reports().into_iter().filter(|report| report.yields(code)).map(|one| one.name).collect()
    };
    assert_eq!(of("ACTIVE_AGAIN"), ["key-migration", "stale-keys"]);
    assert_eq!(of("RECREATED_SINCE_INVENTORY"), ["unused-roles"]);
    assert_eq!(of("ENTRY_UNMATCHED"), ["owners"]);
}

#[test]
fn no_report_picks_its_words_by_looking_into_joined_codes() {
    for report in reports() {
        assert!(!report.sql.contains("codes LIKE"), "{}", report.name);
    }
}

/// A sentence with a figure that no column has would be left out without a word.
#[tokio::test]
async fn each_sentence_fills_and_each_next_step_too() {
    let lake = crate::tests::lake::TestLake::default();
    let session = &lake.sessions().await[0];
    let reasons = Reasons::built_in().unwrap();
    for report in reports() {
        let values = report.bind(&BTreeMap::new(), 0).unwrap();
        let rows = session.sql(&report.sql, &values).await.unwrap();
        let columns: BTreeSet<&str> =
            rows.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let says_next = report.columns.iter().any(|column| column.name == "next_step");
        for code in codes_in(&report.sql) {
            let reason = reasons.get(&code).unwrap();
            let mut figures = reason.figures();
            if says_next {
                figures.extend(reason.figures_of_next(&report.name));
            }
            let lacking: Vec<_> = figures.difference(&columns).collect();
            assert!(lacking.is_empty(), "{}: {code} needs {lacking:?}", report.name);
        }
        for figure in &report.figures {
            assert!(columns.contains(figure.as_str()), "{}: figures: {figure}", report.name);
        }
    }
}

#[test]
fn the_page_of_codes_is_that_of_the_file() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reason-codes.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    let mend = "rolecall report --explain reason-codes > docs/reason-codes.md";
    assert!(page == Reasons::built_in().unwrap().page(), "write it anew: {mend}");
}
