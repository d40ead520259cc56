//! An account's trails: those that it made, and those of its organisation that record it too.
//!
//! Trails of all regions are seen from any; of those of one region only the ones of the region that is asked.

use aws_config::SdkConfig;
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types;
use serde_json::{Value, json};

use super::words;
use crate::facts::Facts;
use crate::output;
use crate::parts::Part;

/// Reads them into `facts`; what cannot be read is kept as missing.
pub(super) async fn read(config: &SdkConfig, id: &str, facts: &mut Facts) {
    let client = Client::new(config);
    let described = match client.describe_trails().include_shadow_trails(true).send().await {
        Ok(described) => described.trail_list.unwrap_or_default(),
        Err(error) => {
            let reason = words("cloudtrail:DescribeTrails", &error);
            return facts.account(id).give_up(&[Part::Trails], &reason);
        }
    };
    let trails: Vec<output::Trail> = described.into_iter().map(trail).collect();
    facts.trails.see(id, &trails, None);
    for arn in trails.into_iter().filter_map(|trail| trail.trail_arn) {
        match client.get_event_selectors().trail_name(&arn).send().await {
            Ok(answer) => {
                let basic = answer.event_selectors.unwrap_or_default();
                let advanced = answer.advanced_event_selectors.unwrap_or_default();
                facts.trails.select(&arn, selectors(&basic, &advanced), None);
            }
            Err(error) => {
                let call = format!("cloudtrail:GetEventSelectors {arn}");
                facts.trails.fail(&arn, words(&call, &error));
            }
        }
        match client.get_trail_status().name(&arn).send().await {
            Ok(status) => facts.trails.switch(&arn, status.is_logging.unwrap_or(false), None),
            Err(error) => {
                let call = format!("cloudtrail:GetTrailStatus {arn}");
                facts.trails.fail(&arn, words(&call, &error));
            }
        }
    }
}

fn trail(trail: types::Trail) -> output::Trail {
    output::Trail {
        trail_arn: trail.trail_arn,
        name: trail.name,
        s3_bucket_name: trail.s3_bucket_name,
        s3_key_prefix: trail.s3_key_prefix,
        include_global_service_events: trail.include_global_service_events,
        is_multi_region_trail: trail.is_multi_region_trail,
        is_organization_trail: trail.is_organization_trail,
        log_file_validation_enabled: trail.log_file_validation_enabled,
    }
}

/// As the CLI prints them.
fn selectors(basic: &[types::EventSelector], advanced: &[types::AdvancedEventSelector]) -> Value {
    let basic: Vec<Value> = basic
        .iter()
        .map(|selector| {
            let resources = selector.data_resources.iter().flatten();
            let resources = resources
                .map(|resource| json!({"Type": resource.r#type, "Values": resource.values}));
            json!({
                "ReadWriteType": selector.read_write_type.as_ref().map(types::ReadWriteType::as_str),
                "IncludeManagementEvents": selector.include_management_events,
                "DataResources": resources.collect::<Vec<_>>(),
                "ExcludeManagementEventSources": selector.exclude_management_event_sources,
            })
        })
        .collect();
    let advanced: Vec<Value> = advanced
        .iter()
        .map(|selector| {
            let fields = selector.field_selectors.iter().map(|field| {
                json!({
                    "Field": field.field,
                    "Equals": field.equals,
                    "StartsWith": field.starts_with,
                    "EndsWith": field.ends_with,
                    "NotEquals": field.not_equals,
                    "NotStartsWith": field.not_starts_with,
                    "NotEndsWith": field.not_ends_with,
                })
            });
            json!({"Name": selector.name, "FieldSelectors": fields.collect::<Vec<_>>()})
        })
        .collect();
    json!({"EventSelectors": basic, "AdvancedEventSelectors": advanced})
}
