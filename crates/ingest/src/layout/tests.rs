//! What names and places say.

use super::*;

const FILE: &str = "123456789012_CloudTrail_us-east-1_20260105T0715Z_aB3dE5gH7jK9mN1p.json.gz";

fn log_file(named: Named) -> Layout {
    match named {
        Named::LogFile(layout) => layout,
        Named::NotALogFile(other) => panic!("not a log file: {other}"),
    }
}

#[test]
fn keys_of_an_organization_trail() {
    let key =
        format!("a/AWSLogs/b/AWSLogs/o-ab12/123456789012/CloudTrail/us-east-1/2026/01/05/{FILE}");
    let layout = log_file(of_key(&key));
    assert_eq!(layout.trail_prefix.as_deref(), Some("a/AWSLogs/b/AWSLogs/o-ab12"));
    assert_eq!(layout.account_id.as_deref(), Some("123456789012"));
    assert_eq!(layout.aws_region.as_deref(), Some("us-east-1"));
    assert_eq!(layout.delivered_at.unwrap().to_string(), "2026-01-05 07:15:00");
    assert_eq!(layout.delivered_identity().as_deref(), Some(FILE));
}

#[test]
fn what_is_no_log_file_in_a_bucket() {
    let day = "123456789012/CloudTrail/us-east-1/2026/01/05";
    let kind = |kind: &str| Other::Kind(kind.to_owned());
    let ending = |ending: &str| Other::Ending(ending.to_owned());
    let account = "AWSLogs/123456789012";
    for (key, expect) in [
        (format!("AWSLogs/{day}/"), Other::Folder),
        (format!("AWSLogs/{day}/notes.txt"), ending(".txt")),
        (format!("AWSLogs/{day}/x.json"), Other::Elsewhere),
        ("x/y.json.gz".to_owned(), Other::Elsewhere),
        (format!("{account}/CloudTrail/"), Other::Folder),
        (
            format!("{account}/CloudTrail-Digest/us-east-1/2026/01/05/x.json.gz"),
            kind("CloudTrail-Digest"),
        ),
        (format!("{account}/Config/us-east-1/2026/1/5/x.json.gz"), kind("Config")),
        (format!("{account}/Config/ConfigWritabilityCheckFile"), kind("Config")),
        (
            format!("{account}/elasticloadbalancing/us-east-1/2026/01/05/x.log.gz"),
            kind("elasticloadbalancing"),
        ),
    ] {
        assert_eq!(of_key(&key), Named::NotALogFile(expect), "{key}");
    }
}

#[test]
fn regression_cloudtrails_own_name_makes_a_log_file_wherever_it_lies() {
    let unpacked = FILE.trim_end_matches(".gz");
    for path in [
        format!("123456789012/CloudTrail/us-east-1/2026/01/05/{FILE}"),
        format!(
            "cloudtrail/account=123456789012/region=us-east-1/year=2026/month=01/day=05/{FILE}"
        ),
        format!("AWSLogs/123456789012/CloudTrail/us-east-1/2026/01/05/{unpacked}"),
        format!(
            "CloudTrail-Insights-trail/AWSLogs/123456789012/CloudTrail/us-east-1/2026/01/05/{FILE}"
        ),
        format!("CloudTrail-Digest-review/{FILE}"),
        format!("AWSLogs/123456789012/Config/{FILE}"),
        FILE.to_owned(),
    ] {
        for named in [of_key(&path), of_path(&path)] {
            let layout = log_file(named);
            assert_eq!(layout.delivered_identity().as_deref(), Some(FILE), "{path}");
            assert_eq!(layout.account_id.as_deref(), Some("123456789012"), "{path}");
            assert_eq!(layout.aws_region.as_deref(), Some("us-east-1"), "{path}");
            assert_eq!(layout.delivered_date.unwrap().to_string(), "2026-01-05", "{path}");
        }
    }
}

#[test]
fn regression_what_else_aws_delivers_is_judged_by_its_place() {
    let of = |path: &str| match of_path(path) {
        Named::LogFile(_) => "log file".to_owned(),
        Named::NotALogFile(other) => other.to_string(),
    };
    for (path, expect) in [
        ("AWSLogs/123456789012/Config/us-east-1/2026/1/5/ConfigHistory/x.json.gz", "of Config"),
        (
            "b/AWSLogs/o-ab12/123456789012/vpcflowlogs/us-east-1/2026/01/05/x.log.gz",
            "of vpcflowlogs",
        ),
        (
            "123456789012/BedrockModelInvocationLogs/us-east-1/2026/01/05/14/x.json.gz",
            "of BedrockModelInvocationLogs",
        ),
        ("123456789012/CloudTrail-Digest/us-east-1/2026/01/05/x.json.gz", "of CloudTrail-Digest"),
        (
            "flat/123456789012_CloudTrail-Digest_us-east-1_t_us-east-1_20260105T071500Z.json.gz",
            "of CloudTrail-Digest",
        ),
        (
            "flat/123456789012_CloudTrail-Insight_us-east-1_20260105T0715Z_aB3dE5gH7jK9mN1p.json.gz",
            "of CloudTrail-Insight",
        ),
        (
            "flat/123456789012_Config_us-east-1_ConfigSnapshot_20260105T071500Z_x.json.gz",
            "of Config",
        ),
        ("CloudTrail-Digest-review/events.json", "log file"),
        (
            "CloudTrail-Insight/AWSLogs/123456789012/CloudTrail/us-east-1/2026/01/05/x.json.gz",
            "log file",
        ),
        ("123456789012/november/events.json", "log file"),
        ("x/lookup_123456789012_us-east-1.json", "log file"),
    ] {
        assert_eq!(of(path), expect, "{path}");
    }
}

#[test]
fn endings_say_what_was_met() {
    for (name, expect) in [
        ("2026-11-20.json.zst", Some(".json.zst")),
        ("export.JSON", Some(".JSON")),
        ("event_history.csv", Some(".csv")),
        ("x.log.gz", Some(".log.gz")),
        ("ConfigWritabilityCheckFile", Some("")),
        (".hidden", Some("")),
        ("a.b\u{1b}[31m", Some("")),
        ("a.json", None),
        ("a.json.gz", None),
    ] {
        assert_eq!(ending(name).as_deref(), expect, "{name}");
    }
}

#[test]
fn files_in_a_folder_are_read_whatever_they_are_called() {
    let is_log_file = |path| matches!(of_path(path), Named::LogFile(_));
    assert!(!is_log_file("x/README.md"));
    assert!(is_log_file("x/CloudTrail-Digest/y.json.gz"));
    assert!(!is_log_file("x/lake/activity/_delta_log/0.json"));
    let layout = log_file(of_path("x/events.json"));
    assert_eq!(layout.delivered_identity(), None);
    assert_eq!(layout.account_id, None);
    let unpacked = log_file(of_path(&format!("x/{}", FILE.trim_end_matches(".gz"))));
    assert_eq!(unpacked.delivered_identity().as_deref(), Some(FILE));
}

#[test]
fn folders_on_the_way_to_a_region() {
    let region = |account_id, aws_region| Folder::Region { account_id, aws_region };
    for (folder, expect) in [
        ("", Folder::Before),
        ("logs/", Folder::Before),
        ("logs/AWSLogs/", Folder::OnTheWay),
        ("AWSLogs/o-ab12/", Folder::OnTheWay),
        ("AWSLogs/o-ab12/123456789012/", Folder::OnTheWay),
        ("AWSLogs/123456789012/CloudTrail/", Folder::OnTheWay),
        ("AWSLogs/123456789012/CloudTrail/us-east-1/", region("123456789012", "us-east-1")),
        ("AWSLogs/123456789012/CloudTrail/us-east-1/2026/", Folder::Other),
        ("AWSLogs/123456789012/CloudTrail/elsewhere/", Folder::Other),
        ("AWSLogs/123456789012/CloudTrail-Digest/", Folder::Beside),
        ("AWSLogs/123456789012/Config/", Folder::Beside),
        ("AWSLogs/vpc/", Folder::Other),
    ] {
        assert_eq!(of_folder(folder), expect, "{folder}");
    }
    assert!(is_within_region("x/AWSLogs/o-ab12/123456789012/CloudTrail/us-east-1/2026/01"));
    assert!(!is_within_region("x/AWSLogs/o-ab12/123456789012/CloudTrail/us-east-1"));
    assert!(!is_within_region("x/AWSLogs/"));
}

#[test]
fn names_that_only_resemble() {
    for name in [
        "811596193553_CloudTrail_us-east-1-20200930T2300.json",
        "123456789012_CloudTrail_us-east-1_20261305T0715Z_aB3dE5gH7jK9mN1p.json.gz",
        "123456789012_CloudTrail_us-east-1_20260105T0715Z_.json.gz",
        "12345_CloudTrail_us-east-1_20260105T0715Z_aB3dE5gH7jK9mN1p.json.gz",
    ] {
        assert!(!log_file(of_path(name)).delivered_name, "{name}");
    }
}

/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/aggregating-data-events.html>
#[test]
fn summaries_of_data_events_are_log_files_of_their_own_kind() {
    let name =
        "123456789012_CloudTrail-Aggregated_us-east-1_20260105T0715Z_aB3dE5gH7jK9mN1p.json.gz";
    let key = format!("AWSLogs/123456789012/CloudTrail-Aggregated/us-east-1/2026/01/05/{name}");
    for named in [of_key(&key), of_path(&key), of_path(name)] {
        let layout = log_file(named);
        assert_eq!(layout.aws_region.as_deref(), Some("us-east-1"));
        assert_eq!(layout.delivered_identity().as_deref(), Some(name));
    }
    let folder = "AWSLogs/123456789012/CloudTrail-Aggregated/us-east-1/";
    assert_eq!(
        of_folder(folder),
        Folder::Region { account_id: "123456789012", aws_region: "us-east-1" }
    );
}
