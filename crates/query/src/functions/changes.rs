//! `change_kind(service, action)`: what a call changes, for people who look a session over.
//!
//! A record's own `readOnly` is not kept per group of calls; a name says as much in AWS's APIs, whose verbs are few. A
//! name that begins with no verb of reading is taken for a change: rather one too many to look at than one too few.

use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};

use super::same_shape;

/// How the names of calls begin that change nothing.
const READS: [&str; 37] = [
    "Assume",
    "BatchCheck",
    "BatchDescribe",
    "BatchDetect",
    "BatchGet",
    "BatchRead",
    "Check",
    "ConsoleLogin",
    "Count",
    "Decrypt",
    "Describe",
    "Detect",
    "Discover",
    "Encrypt",
    "Estimate",
    "ExecuteStatement",
    "Filter",
    "GenerateDataKey",
    "GenerateMac",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Preview",
    "Query",
    "ReEncrypt",
    "Read",
    "Receive",
    "Resolve",
    "Scan",
    "Search",
    "Select",
    "Sign",
    "Simulate",
    "Validate",
    "Verify",
    "View",
];
/// Services that say who may do what.
const IAM: [&str; 14] = [
    "access-analyzer",
    "account",
    "cognito-idp",
    "cognito-identity",
    "ds",
    "iam",
    "identitystore",
    "organizations",
    "ram",
    "rolesanywhere",
    "signin",
    "sso",
    "sso-directory",
    "sts",
];
/// Services that log and watch.
const TRAILS: [&str; 11] = [
    "auditmanager",
    "cloudtrail",
    "config",
    "detective",
    "guardduty",
    "inspector2",
    "logs",
    "macie2",
    "monitoring",
    "securityhub",
    "securitylake",
];
/// Services that say who can reach what.
const NETWORK: [&str; 12] = [
    "apigateway",
    "cloudfront",
    "directconnect",
    "elasticloadbalancing",
    "globalaccelerator",
    "network-firewall",
    "networkmanager",
    "route53",
    "route53domains",
    "route53resolver",
    "vpc-lattice",
    "wafv2",
];
/// What EC2's calls about networks have in their names.
const NETWORK_WORDS: [&str; 14] = [
    "Address",
    "Dhcp",
    "FlowLogs",
    "Gateway",
    "Ingress",
    "Egress",
    "NetworkAcl",
    "NetworkInterface",
    "Peering",
    "Route",
    "SecurityGroup",
    "Subnet",
    "Vpc",
    "Vpn",
];
/// Services that keep data.
const DATA: [&str; 21] = [
    "athena",
    "backup",
    "dynamodb",
    "ebs",
    "elasticfilesystem",
    "elasticache",
    "es",
    "fsx",
    "glacier",
    "glue",
    "kinesis",
    "kms",
    "lakeformation",
    "rds",
    "rds-data",
    "redshift",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
];

fn kind(service: &str, action: &str) -> Option<&'static str> {
    // A policy of a bucket, key or queue says who may do what, too.
    let about_access = ["Policy", "Acl", "Grant", "PublicAccessBlock", "Permission"];
    let service = service.strip_suffix(".amazonaws.com").unwrap_or(service);
    if reads(action) {
        return None;
    }
    let is = |list: &[&str]| list.contains(&service);
    let names = |words: &[&str]| words.iter().any(|word| action.contains(word));
    Some(match service {
        _ if is(&IAM) => "iam",
        _ if is(&TRAILS) => "trails",
        "ec2" if action.contains("FlowLogs") => "trails",
        "ec2" if names(&NETWORK_WORDS) => "network",
        _ if is(&NETWORK) => "network",
        "lambda" | "ecr" if names(&about_access) => "iam",
        _ if is(&DATA) && names(&about_access) => "iam",
        _ if is(&DATA) => "data",
        _ => "other",
    })
}

/// A verb is over where the next word begins: `Get` is none of `Getaway`'s.
fn reads(action: &str) -> bool {
    READS.iter().any(|verb| {
        let rest = action.strip_prefix(verb);
        rest.is_some_and(|rest| rest.chars().next().is_none_or(|next| !next.is_lowercase()))
    })
}

/// The function; see the module.
pub(super) fn function() -> ScalarUDF {
    let apply = |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let (services, actions) =
            (cast(&arrays[0], &DataType::Utf8)?, cast(&arrays[1], &DataType::Utf8)?);
        let pairs = services.as_string::<i32>().iter().zip(actions.as_string::<i32>());
        let kinds: StringArray = pairs.map(|(service, action)| kind(service?, action?)).collect();
        same_shape(arguments, Arc::new(kinds))
    };
    create_udf(
        "change_kind",
        vec![DataType::Utf8; 2],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(apply),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_from_what_only_reads_or_uses() {
        for (service, action, changes) in [
            ("iam.amazonaws.com", "AttachRolePolicy", Some("iam")),
            ("iam", "GetRole", None),
            ("s3", "PutBucketPolicy", Some("iam")),
            ("s3", "DeleteObject", Some("data")),
            ("s3", "GetObject", None),
            ("s3", "HeadBucket", None),
            ("kms", "Decrypt", None),
            ("kms", "ScheduleKeyDeletion", Some("data")),
            ("kms", "CreateGrant", Some("iam")),
            ("cloudtrail", "StopLogging", Some("trails")),
            ("cloudtrail", "LookupEvents", None),
            ("ec2", "DeleteFlowLogs", Some("trails")),
            ("ec2", "AuthorizeSecurityGroupIngress", Some("network")),
            ("ec2", "RunInstances", Some("other")),
            ("lambda", "AddPermission20150331v2", Some("iam")),
            ("lambda", "Invoke", Some("other")),
            ("sts", "AssumeRole", None),
            ("sso", "CreateAccountAssignment", Some("iam")),
            ("made-up", "Getaway", Some("other")),
        ] {
            assert_eq!(kind(service, action), changes, "{service} {action}");
        }
    }
}
