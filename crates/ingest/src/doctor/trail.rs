//! The trails that deliver to the bucket: whether they run, and what they do not record.

use aws_config::SdkConfig;
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::Trail;
use serde::Serialize;

use super::selectors::judge;
use super::{Check, Diagnosis, Request, describe, is_denied};

const AREA: &str = "trail";

/// What one trail records, and what it does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sight {
    /// ARN of the trail.
    pub trail_arn: String,
    /// Name of the bucket.
    pub bucket: String,
    /// Prefix in the bucket, if it has one.
    pub prefix: Option<String>,
    /// All regions.
    pub multi_region: bool,
    /// All accounts of the organisation.
    pub organization: bool,
    /// Delivers now.
    pub logging: bool,
    /// Writes digest files.
    pub digests: bool,
    /// What it does not see.
    pub findings: Vec<Finding>,
    /// Resource types whose data events it records, such as `AWS::S3::Object`.
    pub data_events: Vec<String>,
}

/// Something that a trail does not record, so that its absence from the lake proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "missing", content = "detail")]
pub enum Finding {
    /// Management events at all.
    ManagementEvents,
    /// Read events, AssumeRole among them.
    ReadEvents,
    /// Write events.
    WriteEvents,
    /// Management events of one service.
    EventSource(String),
    /// Regions other than the trail's own.
    OtherRegions,
    /// IAM, STS and other global services.
    GlobalServices,
    /// Data events, such as reading an object: a key used for nothing else looks unused.
    DataEvents,
    /// Data events of a type, but for some resources or some calls.
    OtherDataEvents(String),
    /// A filter that is too special to be judged.
    UnknownFilter(String),
}

impl Finding {
    fn is_of_data(&self) -> bool {
        matches!(self, Self::DataEvents | Self::OtherDataEvents(_))
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ManagementEvents => f.write_str("management events"),
            Self::ReadEvents => f.write_str("read events (every AssumeRole is one)"),
            Self::WriteEvents => f.write_str("write events"),
            Self::EventSource(source) => write!(f, "management events of {source}"),
            Self::OtherRegions => f.write_str("other regions"),
            Self::GlobalServices => f.write_str("global services (IAM, STS)"),
            Self::DataEvents => f.write_str("data events"),
            Self::OtherDataEvents(kind) => write!(f, "data events of {kind}, but for some"),
            Self::UnknownFilter(field) => write!(f, "what a filter on {field} leaves out"),
        }
    }
}

/// Looks at the trails; gives the bucket that the other checks are about.
pub(super) async fn examine(
    config: &SdkConfig,
    request: &Request,
    diagnosis: &mut Diagnosis,
) -> Option<String> {
    const CHECK: &str = "a trail delivers to the bucket";
    let client = Client::new(config);
    let described = match client.describe_trails().include_shadow_trails(true).send().await {
        Ok(described) => described,
        Err(error) => {
            let remedy = is_denied(&error).then(|| {
                "allow cloudtrail:DescribeTrails, GetTrailStatus, GetEventSelectors".to_owned()
            });
            let found = describe(&error);
            diagnosis.checks.push(Check::not_checked(AREA, CHECK, found, remedy));
            return request.bucket.clone();
        }
    };
    let all = described.trail_list.unwrap_or_default();
    let delivers = |trail: &&Trail| match &request.bucket {
        Some(bucket) => trail.s3_bucket_name.as_deref() == Some(bucket),
        None => true,
    };
    let trails: Vec<&Trail> = all.iter().filter(delivers).collect();
    let bucket = request.bucket.clone().or_else(|| match trails.as_slice() {
        [only] => only.s3_bucket_name.clone(),
        _ => None,
    });
    match trails.as_slice() {
        [] => diagnosis.checks.push(match &request.bucket {
            // The trail of an organisation is in its management account.
            Some(bucket) => Check::not_checked(
                AREA,
                CHECK,
                format!("no trail that this account sees delivers to {bucket}"),
                Some("rolecall doctor, with credentials of the account that has the trail".to_owned()),
            ),
            None => Check::failed(
                AREA,
                CHECK,
                "this account sees no trail",
                "aws cloudtrail create-trail --name rolecall --s3-bucket-name BUCKET --is-multi-region-trail \
                 --enable-log-file-validation && aws cloudtrail start-logging --name rolecall",
            ),
        }),
        several => {
            let names: Vec<&str> = several.iter().filter_map(|trail| trail.name.as_deref()).collect();
            diagnosis.checks.push(Check::passed(AREA, CHECK, names.join(", ")));
        }
    }
    for trail in trails {
        examine_one(&client, trail, diagnosis).await;
    }
    bucket
}

async fn examine_one(client: &Client, trail: &Trail, diagnosis: &mut Diagnosis) {
    let arn = trail.trail_arn.clone().unwrap_or_default();
    let name = trail.name.clone().unwrap_or_else(|| arn.clone());
    let mut sight = Sight {
        trail_arn: arn.clone(),
        bucket: trail.s3_bucket_name.clone().unwrap_or_default(),
        prefix: trail.s3_key_prefix.clone(),
        multi_region: trail.is_multi_region_trail.unwrap_or(false),
        organization: trail.is_organization_trail.unwrap_or(false),
        logging: false,
        digests: trail.log_file_validation_enabled.unwrap_or(false),
        findings: Vec::new(),
        data_events: Vec::new(),
    };
    let checks = &mut diagnosis.checks;
    status(client, &arn, &name, &mut sight, checks).await;
    scope(trail, &name, &mut sight, checks);
    selectors(client, &arn, &name, &mut sight, checks).await;
    sight.findings.sort();
    diagnosis.trails.push(sight);
}

async fn status(
    client: &Client,
    arn: &str,
    name: &str,
    sight: &mut Sight,
    checks: &mut Vec<Check>,
) {
    const LOGGING: &str = "the trail is switched on";
    const DELIVERS: &str = "its last delivery succeeded";
    let status = match client.get_trail_status().name(arn).send().await {
        Ok(status) => status,
        Err(error) => {
            checks.push(Check::not_checked(
                AREA,
                LOGGING,
                format!("{name}: {}", describe(&error)),
                None,
            ));
            return;
        }
    };
    sight.logging = status.is_logging.unwrap_or(false);
    checks.push(if sight.logging {
        Check::passed(AREA, LOGGING, name)
    } else {
        let remedy = format!("aws cloudtrail start-logging --name {arn}");
        Check::failed(AREA, LOGGING, format!("{name} is switched off"), remedy)
    });
    match status.latest_delivery_error.filter(|error| !error.is_empty()) {
        Some(error) => checks.push(Check::failed(
            AREA,
            DELIVERS,
            format!("{name}: {error}"),
            "mend the bucket's policy or its key's: \
             https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html",
        )),
        None => {
            let when = status.latest_delivery_time.map_or_else(
                || "nothing delivered yet".to_owned(),
                |time| {
                    time.fmt(aws_sdk_cloudtrail::primitives::DateTimeFormat::DateTime)
                        .unwrap_or_default()
                },
            );
            checks.push(Check::passed(AREA, DELIVERS, when));
        }
    }
}

fn scope(trail: &Trail, name: &str, sight: &mut Sight, checks: &mut Vec<Check>) {
    const REGIONS: &str = "it covers all regions";
    const DIGESTS: &str = "it writes digest files, so that log files can be verified";
    if sight.multi_region {
        checks.push(Check::passed(AREA, REGIONS, name));
    } else {
        sight.findings.push(Finding::OtherRegions);
        let home = trail.home_region.as_deref().unwrap_or("its own region");
        checks.push(Check::failed(
            AREA,
            REGIONS,
            format!("{name} covers {home} alone"),
            format!(
                "aws cloudtrail update-trail --name {} --is-multi-region-trail",
                sight.trail_arn
            ),
        ));
    }
    if trail.include_global_service_events == Some(false) {
        sight.findings.push(Finding::GlobalServices);
        checks.push(Check::failed(
            AREA,
            "it records global services",
            format!("{name} leaves out IAM and STS's global endpoint"),
            format!(
                "aws cloudtrail update-trail --name {} --include-global-service-events",
                sight.trail_arn
            ),
        ));
    }
    checks.push(if sight.digests {
        Check::passed(AREA, DIGESTS, name)
    } else {
        let remedy = format!(
            "aws cloudtrail update-trail --name {} --enable-log-file-validation",
            sight.trail_arn
        );
        Check::failed(AREA, DIGESTS, format!("{name} writes none"), remedy)
    });
}

async fn selectors(
    client: &Client,
    arn: &str,
    name: &str,
    sight: &mut Sight,
    checks: &mut Vec<Check>,
) {
    const READ: &str = "it records read events";
    let selectors = match client.get_event_selectors().trail_name(arn).send().await {
        Ok(selectors) => selectors,
        Err(error) => {
            checks.push(Check::not_checked(
                AREA,
                READ,
                format!("{name}: {}", describe(&error)),
                is_denied(&error).then(|| "allow cloudtrail:GetEventSelectors".to_owned()),
            ));
            return;
        }
    };
    let basic = selectors.event_selectors.unwrap_or_default();
    let advanced = selectors.advanced_event_selectors.unwrap_or_default();
    let (findings, data_events) = judge(&basic, &advanced);
    judge_checks(&findings, &data_events, arn, name, checks);
    sight.findings.extend(findings);
    sight.data_events = data_events;
}

fn judge_checks(
    findings: &[Finding],
    data_events: &[String],
    arn: &str,
    name: &str,
    checks: &mut Vec<Check>,
) {
    const READ: &str = "it records read events";
    const ALL: &str = "it records every management event";
    const DATA: &str = "it records data events";
    let record_all = format!(
        "aws cloudtrail put-event-selectors --trail-name {arn} --event-selectors \
         '[{{\"ReadWriteType\":\"All\",\"IncludeManagementEvents\":true}}]'"
    );
    let blind = [Finding::ManagementEvents, Finding::ReadEvents];
    if let Some(finding) = findings.iter().find(|finding| blind.contains(finding)) {
        let found = format!("{name} does not record {finding}");
        checks.push(Check::failed(AREA, READ, found, record_all.clone()));
    } else {
        checks.push(Check::passed(AREA, READ, name));
    }
    let others: Vec<String> = findings
        .iter()
        .filter(|finding| !blind.contains(finding) && !finding.is_of_data())
        .map(ToString::to_string)
        .collect();
    checks.push(if others.is_empty() {
        Check::passed(AREA, ALL, name)
    } else {
        Check::failed(
            AREA,
            ALL,
            format!("{name} does not record {}", others.join(", ")),
            record_all,
        )
    });
    checks.push(if data_events.is_empty() {
        Check::not_checked(
            AREA,
            DATA,
            "none: a key or role used for data alone (reading objects, say) looks unused, and reports \
             cannot know better",
            Some("https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html".to_owned()),
        )
    } else {
        Check::passed(AREA, DATA, data_events.join(", "))
    });
}
