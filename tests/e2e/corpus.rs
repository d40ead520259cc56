//! Published records of many origins, held against an independent reading of the same files.
//!
//! The records are other people's and stay where they are: in `ROLECALL_CORPUS`, or in
//! `../shared/corpus` beside the repository. The other reading is the Python program beside them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::support::{Cmd, Ground, Scratch, gzip, repository, skipped};

/// Where the published records lie, one folder for each origin; `None` where they are absent.
fn corpus(test: &str) -> Option<PathBuf> {
    let given = std::env::var_os("ROLECALL_CORPUS").map(PathBuf::from);
    let place = given.unwrap_or_else(|| repository().join("../shared/corpus"));
    let complete = place.is_dir() && oracle(&place).is_file();
    if !complete {
        skipped(test, format_args!("no published records at {}", place.display()));
    }
    complete.then_some(place)
}

fn oracle(corpus: &Path) -> PathBuf {
    corpus.join("../checks/oracle.py")
}

fn folders(corpus: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(!folders.is_empty(), "no folder in {}", corpus.display());
    folders
}

/// What the other reading says of a folder.
fn expected(corpus: &Path, folder: &Path) -> Value {
    Cmd::new("python3").arg(oracle(corpus)).arg(folder).run().exits(0).json()
}

/// The same figures, from what `ingest` says and from the lake.
fn found(folder: &Path) -> Value {
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    let run = lake.ingest([folder]).run();
    let said = run.json();
    let rejected = ["rejected_files", "rejected_records"].map(|name| said[name].as_u64().unwrap());
    run.exits(if rejected == [0, 0] { 0 } else { 5 });

    let rows = lake.sql(
        "
        select 'credential_events_by_name' as what,
               split_part(event_source, '.', 1) || ':' || event_name || ':' || outcome as name,
               count(*) as number
        from credential_events group by 2
        union all
        select 'assume_role_targets',
               coalesce(role_arn, 'None') || '|' || coalesce(role_arn_source, 'None'), count(*)
        from credential_events
        where event_source = 'sts.amazonaws.com' and starts_with(event_name, 'AssumeRole')
        group by 2
        union all
        select 'events_by_access_key', access_key_id, sum(event_count)
        from activity where access_key_id is not null group by 2
        union all
        select 'events_by_source', event_source, sum(event_count) from activity group by 2
        union all
        select 'issued_keys_seen_in_use', '', count(distinct issued_access_key_id)
        from credential_events
        where issued_access_key_id in (select access_key_id from activity)
        ",
    );
    let mut figures: BTreeMap<&str, Value> = BTreeMap::new();
    for name in ["log_files", "rejected_files", "records", "rejected_records", "credential_events"]
    {
        figures.insert(name, said[name].clone());
    }
    for list in [
        "credential_events_by_name",
        "assume_role_targets",
        "events_by_access_key",
        "events_by_source",
    ] {
        let of_list = rows.iter().filter(|row| row["what"] == list);
        let counts: Map<String, Value> = of_list
            .map(|row| (row["name"].as_str().unwrap().to_owned(), row["number"].clone()))
            .collect();
        figures.insert(list, Value::Object(counts));
    }
    let in_use = rows.iter().find(|row| row["what"] == "issued_keys_seen_in_use");
    figures.insert("issued_keys_seen_in_use", in_use.unwrap()["number"].clone());
    json!(figures)
}

/// Both readings agree, figure by figure.
#[track_caller]
fn assert_same_figures(what: &str, found: &Value, expected: &Value) {
    for (name, expected) in expected.as_object().unwrap() {
        let found = &found[name];
        let (Some(expected), Some(found)) = (expected.as_object(), found.as_object()) else {
            assert_eq!(found, expected, "{what}: {name}");
            continue;
        };
        let different: Vec<String> = expected
            .keys()
            .chain(found.keys())
            .filter(|key| expected.get(*key) != found.get(*key))
            .map(|key| format!("{key}: {:?} should be {:?}", found.get(key), expected.get(key)))
            .collect();
        assert!(different.is_empty(), "{what}: {name}:\n{}", different.join("\n"));
    }
}

#[test]
fn every_folder_reads_as_the_independent_reading_says() {
    let Some(corpus) = corpus("corpus") else { return };
    for folder in folders(&corpus) {
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert_same_figures(name, &found(&folder), &expected(&corpus, &folder));
    }
}

#[test]
fn packing_changes_nothing() {
    let Some(corpus) = corpus("corpus, packed in all ways") else { return };
    let folder = corpus.join("invictus-ir__aws_dataset");
    let scratch = Scratch::new(Ground::Folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for (number, path) in files.iter().enumerate() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (name, bytes) = packed(number, name, std::fs::read(path).unwrap());
        scratch.write(Path::new("source").join(name), bytes);
    }
    assert_same_figures("packed", &found(&scratch.path("source")), &expected(&corpus, &folder));
}

#[test]
fn regression_maintenance_changes_no_answer() {
    let Some(corpus) = corpus("corpus, maintained") else { return };
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    lake.ingest([&corpus]).run().exits(5);
    let answers = || {
        let queries =
            ["select * from assumptions", "select * from sessions", "select * from roles"];
        lake.sql_all(&queries).into_iter().map(|rows| {
            let mut rows: Vec<String> = rows.iter().map(|row| json!(row).to_string()).collect();
            rows.sort();
            rows
        })
    };
    let before: Vec<_> = answers().collect();
    assert!(before.iter().all(|rows| !rows.is_empty()));
    lake.maintain().run().exits(0);
    for (before, after) in before.into_iter().zip(answers()) {
        assert_eq!(before, after);
    }
}

/// A file's name and content, packed in one of the ways that occur.
/// Every record that a role's credentials signed belongs to a session whose issue is in the lake, by its
/// key or, where a service signed without one, by principal and creation date. Counted independently from
/// the published files: 76 records of roles, of which 6 carry no key.
#[test]
fn every_call_of_a_role_in_the_attack_simulation_is_tied_to_its_issue() {
    let Some(corpus) = corpus("every_call_of_a_role_in_the_attack_simulation_is_tied_to_its_issue")
    else {
        return;
    };
    let scratch = Scratch::new(Ground::Folder);
    let lake = scratch.lake("lake");
    lake.ingest([corpus.join("invictus-ir__aws_dataset")]).run().exits(0);
    let signed = lake.sql(
        "select sum(event_count) as calls,
                sum(case when access_key_id is null then event_count else 0 end) as without_key
         from activity where principal_type = 'AssumedRole'",
    );
    assert_eq!(json!(signed), json!([{"calls": 76, "without_key": 6}]));
    let tied = lake.sql(
        "select sum(uses_by_key) as by_key, sum(uses_by_session) as by_session,
                sum(case when starts_with(session_id, 'unissued') then event_count else 0 end) as not_tied
         from sessions where role is not null",
    );
    assert_eq!(json!(tied), json!([{"by_key": 70, "by_session": 6, "not_tied": 0}]));
    // Of sessions of users, those of the console have no issue in the lake, and say so.
    let without_reason = lake.sql(
        "select session_id from sessions
         where starts_with(session_id, 'unissued') and unlinked_reason is null",
    );
    assert_eq!(without_reason, []);
}

fn packed(number: usize, name: &str, text: Vec<u8>) -> (String, Vec<u8>) {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let packed_name = format!("{name}.gz");
    let (start, end) = text.split_at(text.len() / 3);
    match number % 6 {
        0 => (name.to_owned(), text),
        1 => (name.to_owned(), [MARK, &text].concat()),
        2 => (packed_name, gzip(text)),
        3 => (packed_name, gzip([MARK, &text].concat())),
        // What ends one member and begins the next may stand anywhere, and a member may be empty.
        4 => (packed_name, [gzip(start), gzip(end)].concat()),
        _ => (packed_name, [gzip(start), gzip(""), gzip(end), gzip("\n")].concat()),
    }
}
