//! Which place wins, and what each complaint says. No test touches the process environment.

use super::*;

fn flags() -> Flags {
    Flags::default()
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().copied().collect()
}

/// Loads with `rolecall.toml` as given; paths in messages begin with `DIR`.
fn load_with(flags: &Flags, variables: &[(&str, &str)], file: &str) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE_NAME), file).unwrap();
    let dir = folder.path().display().to_string();
    load(flags, Vec::new(), &environment(variables), folder.path())
        .map(|mut settings| {
            settings.lake = settings.lake.replace(&dir, "DIR");
            settings
        })
        .map_err(|error| error.to_string().replace(&dir, "DIR"))
}

fn complaint(variables: &[(&str, &str)], file: &str) -> String {
    load_with(&flags(), variables, file).unwrap_err()
}

#[test]
fn without_a_word_there_are_defaults() {
    let settings = load_with(&flags(), &[("HOME", "/home/ada")], "").unwrap();
    assert_eq!(settings.lake, "./lake");
    assert_eq!(settings.format, None);
    assert_eq!(settings.color, Colour::Auto);
    assert_eq!((settings.memory_limit, settings.max_inflated), (1 << 30, 256 << 20));
    assert!(settings.threads >= 1);
    let history = settings.history_file.as_deref().unwrap();
    assert_eq!(history, Path::new("/home/ada/.local/state/rolecall/history"));
    assert_eq!(settings.test_failpoint, None);
    assert!(settings.warnings.is_empty() && settings.networks.is_empty());
    assert!(settings.explain().iter().all(|told| told.origin == Origin::Default));
    assert!(load_with(&flags(), &[], "").unwrap().history_file.is_none());
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let file = "lake = 's3://from-file/x'\nthreads = 3\n";
    let variables = [("ROLECALL_LAKE", "s3://from-environment")];
    let flagged = Flags { lake: Some("s3://from-flag/".to_owned()), ..flags() };
    let lake =
        |flags: &Flags, variables: &[_], file| load_with(flags, variables, file).unwrap().lake;
    assert_eq!(lake(&flagged, &variables, file), "s3://from-flag");
    assert_eq!(lake(&flags(), &variables, file), "s3://from-environment");
    assert_eq!(lake(&flags(), &[("ROLECALL_LAKE", "")], file), "s3://from-file/x");
    assert_eq!(lake(&flags(), &[], ""), "./lake");

    let settings = load_with(&flags(), &variables, file).unwrap();
    let origin = |name: &str| {
        let told = settings.explain().iter().find(|told| told.name == name).unwrap();
        told.origin.to_string()
    };
    assert_eq!(origin("lake"), "environment variable ROLECALL_LAKE");
    assert!(origin("threads").ends_with("rolecall.toml:2"));
    assert_eq!(origin("memory_limit"), "default");
}

#[test]
fn every_setting_can_come_from_the_file() {
    let file = r#"
lake = "data/lake"
format = "json"
color = "never"
log = "rolecall=debug"
threads = 2
memory_limit = "2GiB"
max_inflated = 1_000_000
history_file = "h"

asn_database = "asn.mmdb"
country_database = "country.mmdb"
[networks]
vpn = "10.0.0.0/8"
office = ["203.0.113.0/24", "2001:db8::/32", "198.51.100.7"]

[s3]
endpoint = "http://127.0.0.1:9000/"
region = "eu-west-1"
path_style = false

[source]
role_arn = "arn:aws:iam::123456789012:role/log-reader"
external_id = "chosen-by-us"

[worker]
queue_url = "https://sqs.eu-west-1.amazonaws.com/123456789012/rolecall"
listen = "127.0.0.1:8080"
batch_seconds = 30
visibility_timeout = 120
max_messages = 50
maintain_hours = 6
keep_days = 400
"#;
    let settings = load_with(&flags(), &[], file).unwrap();
    assert_eq!(settings.lake, "DIR/data/lake", "a folder in the file is meant from the file");
    assert_eq!((settings.format, settings.color), (Some(Format::Json), Colour::Never));
    assert_eq!(settings.log, "rolecall=debug");
    assert_eq!((settings.threads, settings.memory_limit), (2, 2 << 30));
    assert_eq!(settings.max_inflated, 1_000_000);
    let names: Vec<_> =
        settings.networks.iter().map(|n| (n.name.as_str(), n.blocks.len())).collect();
    assert_eq!(names, [("office", 3), ("vpn", 1)]);
    assert_eq!(settings.s3.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
    assert_eq!(settings.s3.region.as_deref(), Some("eu-west-1"));
    assert!(!settings.s3.path_style);
    let role = "arn:aws:iam::123456789012:role/log-reader";
    assert_eq!(settings.source.role_arn.as_deref(), Some(role));
    assert_eq!(settings.source.external_id.as_deref(), Some("chosen-by-us"));
    let worker = &settings.worker;
    assert_eq!(worker.listen.map(|address| address.port()), Some(8080));
    assert_eq!((worker.batch_age.as_secs(), worker.visibility_timeout.as_secs()), (30, 120));
    assert_eq!((worker.max_messages, worker.keep_days), (50, Some(400)));
    assert_eq!(worker.maintain_every.map(|every| every.as_secs()), Some(6 * 3_600));
    assert!(settings.databases.asn.as_deref().unwrap().ends_with("asn.mmdb"));
    for key in FILE_KEYS {
        assert!(settings.explain().iter().any(|told| told.name == key.name), "{}", key.name);
    }
}

#[test]
fn every_setting_can_come_from_the_environment() {
    let settings = load_with(
        &flags(),
        &[
            ("ROLECALL_FORMAT", "NDJSON"),
            ("ROLECALL_COLOR", "always"),
            ("ROLECALL_THREADS", "7"),
            ("ROLECALL_MEMORY_LIMIT", "512 MB"),
            ("ROLECALL_MAX_INFLATED", "64MiB"),
            ("ROLECALL_HISTORY_FILE", "/tmp/h"),
            ("ROLECALL_NETWORKS", "vpn=10.0.0.0/8; office=203.0.113.0/24,192.0.2.1"),
            ("ROLECALL_LOG", "debug"),
            ("ROLECALL_TEST_FAILPOINT", "after:activity"),
            ("AWS_ENDPOINT_URL", "https://s3.example.com"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_REGION", "eu-central-1"),
        ],
        "networks.old = '192.0.2.0/24'",
    )
    .unwrap();
    assert_eq!((settings.format, settings.color), (Some(Format::Ndjson), Colour::Always));
    assert_eq!((settings.threads, settings.memory_limit), (7, 512_000_000));
    assert_eq!(settings.max_inflated, 64 << 20);
    assert_eq!(settings.history_file.as_deref(), Some(Path::new("/tmp/h")));
    assert_eq!(settings.networks.len(), 2, "the environment replaces the file's");
    assert_eq!(settings.log, "debug");
    assert_eq!(settings.test_failpoint.as_deref(), Some("after:activity"));
    assert_eq!(settings.s3.endpoint.as_deref(), Some("https://s3.example.com"));
    assert_eq!(settings.s3.region.as_deref(), Some("eu-central-1"));
    assert!(settings.s3.path_style, "the default for an endpoint that is not Amazon's");
    assert!(settings.warnings.is_empty());
}

#[test]
fn a_wrong_value_is_refused_by_name_and_place() {
    let check = |variables: &[(&str, &str)], file: &str, expect: &str| {
        assert_eq!(complaint(variables, file), expect);
    };
    check(
        &[("ROLECALL_THREADS", "0")],
        "",
        "environment variable ROLECALL_THREADS: threads: '0' is not a number from 1 to 1024",
    );
    check(
        &[],
        "\nformat = 'jsno'",
        "DIR/rolecall.toml:2: format: 'jsno' is none of table, csv, json, ndjson, markdown, html, parquet: \
         did you mean json?",
    );
    check(
        &[],
        "memory_limit = '1MiB'",
        "DIR/rolecall.toml:1: memory_limit: '1MiB' is too small: at least 64.0 MiB",
    );
    check(
        &[("ROLECALL_MAX_INFLATED", "lots")],
        "",
        "environment variable ROLECALL_MAX_INFLATED: max_inflated: 'lots' is not a size: expected \
         a number and a unit, 256MiB",
    );
    check(
        &[("ROLECALL_LAKE", "gs://bucket")],
        "",
        "environment variable ROLECALL_LAKE: lake: 'gs://bucket': a lake lies in a folder or on \
         s3://, gs:// is not supported",
    );
    check(
        &[("ROLECALL_LAKE", "s3:/bucket")],
        "",
        "environment variable ROLECALL_LAKE: lake: 's3:/bucket' is no folder: did you mean \
         s3://bucket/prefix?",
    );
    check(
        &[],
        "networks.office = ['203.0.113.7/24']",
        "DIR/rolecall.toml:1: networks.office: 203.0.113.7/24 has host bits set: did you mean \
         203.0.113.0/24?",
    );
    check(
        &[("ROLECALL_LOG", "rolecall=loud")],
        "",
        "environment variable ROLECALL_LOG: log: 'rolecall=loud' is no log filter such as debug or \
         warn,rolecall=info",
    );
    let wrong = Flags { max_inflated: Some("5GiB".to_owned()), ..flags() };
    assert_eq!(
        load_with(&wrong, &[], "").unwrap_err(),
        "--max-inflated: max_inflated: '5GiB' is too large: at most 4.0 GiB"
    );
}

#[test]
fn the_file_holds_settings_and_nothing_else() {
    let check = |file: &str, expect: &str| assert_eq!(complaint(&[], file), expect, "{file}");
    check(
        "lake = 'x'\nmemory-limit = '1GiB'",
        "DIR/rolecall.toml:2: memory-limit is no setting: did you mean memory_limit?",
    );
    check(
        "[s3]\n\nendpiont = 'http://x'",
        "DIR/rolecall.toml:3: s3.endpiont is no setting: did you mean s3.endpoint?",
    );
    check("[s4]\nx = 1", "DIR/rolecall.toml:1: s4 is no setting");
    check("s3 = 'x'", "DIR/rolecall.toml:1: s3 is a table, [s3]");
    check("networks = 'x'", "DIR/rolecall.toml:1: networks is a table, [networks]");
    check("threads = [1, 2]", "DIR/rolecall.toml:1: threads: expected one value, found array");
    // Secrets and test switches are not for files.
    check(
        "[s3]\nsecret_access_key = 'x'",
        "DIR/rolecall.toml:2: s3.secret_access_key is no setting",
    );
    check("test_failpoint = 'x'", "DIR/rolecall.toml:1: test_failpoint is no setting");
    assert!(complaint(&[], "lake = 'x'\nlake = ").starts_with("DIR/rolecall.toml:2: "));
}

#[test]
fn a_file_that_is_asked_for_must_be_there() {
    let missing = Flags { config: Some(PathBuf::from("/nowhere/r.toml")), ..flags() };
    let error = load_with(&missing, &[], "").unwrap_err();
    assert!(error.starts_with("--config: failed to read /nowhere/r.toml: "), "{error}");
    let error = complaint(&[("ROLECALL_CONFIG", "/nowhere/r.toml")], "");
    assert!(error.starts_with("environment variable ROLECALL_CONFIG: failed to read"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.toml");
    std::fs::write(&path, "threads = 9").unwrap();
    let other = Flags { config: Some(path), ..flags() };
    assert_eq!(load_with(&other, &[], "threads = 3").unwrap().threads, 9);
    assert_eq!(
        load(&flags(), Vec::new(), &environment(&[]), folder.path()).unwrap().lake,
        "./lake"
    );
}

#[test]
fn colour_is_off_where_it_is_not_wanted() {
    let color = |variables: &[(&str, &str)]| load_with(&flags(), variables, "").unwrap().color;
    assert_eq!(color(&[("NO_COLOR", "1")]), Colour::Never);
    assert_eq!(color(&[("NO_COLOR", "")]), Colour::Auto);
    assert_eq!(color(&[("TERM", "dumb")]), Colour::Never);
    assert_eq!(color(&[("NO_COLOR", "1"), ("ROLECALL_COLOR", "always")]), Colour::Always);
}

#[test]
fn a_misspelt_variable_is_mentioned() {
    let settings =
        load_with(&flags(), &[("ROLECALL_THREADZ", "1"), ("ROLECALL_ZZZZZZZZZZZZ", "")], "")
            .unwrap();
    assert_eq!(
        settings.warnings,
        [
            "environment variable ROLECALL_THREADZ is no setting and is ignored: did you mean \
             ROLECALL_THREADS?",
            "environment variable ROLECALL_ZZZZZZZZZZZZ is no setting and is ignored",
        ]
    );
}

#[test]
fn s3_options_for_the_lake() {
    let options = |variables: &[(&str, &str)], lake: &str| {
        let settings = load_with(&flags(), variables, "").unwrap();
        let options: BTreeMap<_, _> = settings.s3.storage_options(lake).into_iter().collect();
        options.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    assert!(options(&[("AWS_REGION", "eu-west-1")], "./lake").is_empty());
    assert_eq!(
        options(&[("AWS_REGION", "eu-west-1")], "s3://b/lake"),
        ["aws_region=eu-west-1", "aws_virtual_hosted_style_request=true"]
    );
    let local = [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
    ];
    assert_eq!(
        options(&local, "s3://b/lake"),
        [
            "aws_access_key_id=test",
            "aws_allow_http=true",
            "aws_endpoint=http://127.0.0.1:4566",
            "aws_secret_access_key=secret",
            "aws_session_token=token",
            "aws_virtual_hosted_style_request=false",
        ]
    );
    let hosted =
        [("ROLECALL_S3_ENDPOINT", "https://oss.example.com"), ("ROLECALL_S3_PATH_STYLE", "no")];
    assert_eq!(
        options(&hosted, "s3://b/lake"),
        [
            "AWS_FORCE_CREDENTIAL_LOAD=true",
            "aws_allow_http=false",
            "aws_endpoint=https://b.oss.example.com",
            "aws_virtual_hosted_style_request=true",
        ]
    );
}

#[test]
fn s3_settings_that_cannot_work_are_refused() {
    let check = |variables: &[(&str, &str)], expect: &str| {
        assert_eq!(complaint(variables, ""), expect);
    };
    check(
        &[("AWS_ACCESS_KEY_ID", "AKIA")],
        "environment variable AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not: set both \
         or neither",
    );
    check(
        &[("AWS_ENDPOINT_URL", "127.0.0.1:4566")],
        "environment variable AWS_ENDPOINT_URL: s3.endpoint: '127.0.0.1:4566' is not an endpoint \
         such as https://s3.example.com",
    );
    check(
        &[("AWS_REGION", "Ireland")],
        "environment variable AWS_REGION: s3.region: 'Ireland' is not a region such as eu-west-1",
    );
    for name in ["AWS_S3_ALLOW_UNSAFE_RENAME", "AWS_S3_LOCKING_PROVIDER"] {
        let error = complaint(&[(name, "dynamodb")], "");
        assert!(error.starts_with(&format!("environment variable {name} is set")), "{error}");
    }
}

#[test]
fn no_secret_is_ever_printed() {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI"),
        ("AWS_SESSION_TOKEN", "FwoGZXIvYXdzE"),
    ];
    let settings = load_with(&flags(), &variables, "").unwrap();
    let printed = format!("{settings:?} {:?}", environment(&variables));
    for (_, secret) in variables {
        assert!(!printed.contains(secret), "{printed}");
    }
}
