//! What a trail records, from what CloudTrail's calls have told somebody else. Asks nothing.

use aws_sdk_cloudtrail::types::{
    AdvancedEventSelector, AdvancedFieldSelector, DataResource, EventSelector, ReadWriteType,
};
use serde::Deserialize;
use serde_json::Value;

use super::selectors::judge;
use super::{Finding, Sight};

/// A trail, as describe-trails, get-trail-status and get-event-selectors tell of it.
#[derive(Debug, Clone, Copy)]
pub struct Described<'a> {
    /// ARN of the trail.
    pub trail_arn: &'a str,
    /// Name of the bucket.
    pub bucket: &'a str,
    /// Prefix in the bucket, if it has one.
    pub prefix: Option<&'a str>,
    /// All regions.
    pub multi_region: bool,
    /// All accounts of the organisation.
    pub organization: bool,
    /// IAM, STS and other global services.
    pub global_services: bool,
    /// Delivers now.
    pub logging: bool,
    /// Writes digest files.
    pub digests: bool,
    /// What get-event-selectors prints: an object with `EventSelectors` or `AdvancedEventSelectors`.
    pub selectors: &'a Value,
}

impl Described<'_> {
    /// What it records; in words, why that cannot be told.
    pub fn sight(&self) -> Result<Sight, String> {
        let selectors = Selectors::deserialize(self.selectors);
        let selectors = selectors.map_err(|_| "its selectors are not as CloudTrail prints them")?;
        let basic: Vec<EventSelector> =
            selectors.event_selectors.into_iter().flatten().map(Basic::built).collect();
        let advanced = selectors.advanced_event_selectors.into_iter().flatten();
        let advanced: Vec<AdvancedEventSelector> =
            advanced.map(Advanced::built).collect::<Result<_, _>>()?;
        let (mut findings, data_events) = judge(&basic, &advanced);
        if !self.multi_region {
            findings.push(Finding::OtherRegions);
        }
        if !self.global_services {
            findings.push(Finding::GlobalServices);
        }
        findings.sort();
        Ok(Sight {
            trail_arn: self.trail_arn.to_owned(),
            bucket: self.bucket.to_owned(),
            prefix: self.prefix.map(str::to_owned),
            multi_region: self.multi_region,
            organization: self.organization,
            logging: self.logging,
            digests: self.digests,
            findings,
            data_events,
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Selectors {
    event_selectors: Option<Vec<Basic>>,
    advanced_event_selectors: Option<Vec<Advanced>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Basic {
    read_write_type: Option<String>,
    include_management_events: Option<bool>,
    data_resources: Option<Vec<Resource>>,
    exclude_management_event_sources: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Resource {
    r#type: Option<String>,
    values: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Advanced {
    field_selectors: Vec<Field>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Field {
    field: String,
    equals: Option<Vec<String>>,
    starts_with: Option<Vec<String>>,
    ends_with: Option<Vec<String>>,
    not_equals: Option<Vec<String>>,
    not_starts_with: Option<Vec<String>>,
    not_ends_with: Option<Vec<String>>,
}

impl Basic {
    fn built(self) -> EventSelector {
        let resource = |one: Resource| {
            DataResource::builder().set_type(one.r#type).set_values(one.values).build()
        };
        let resources = self.data_resources.map(|all| all.into_iter().map(resource).collect());
        EventSelector::builder()
            .set_read_write_type(self.read_write_type.as_deref().map(ReadWriteType::from))
            .set_include_management_events(self.include_management_events)
            .set_data_resources(resources)
            .set_exclude_management_event_sources(self.exclude_management_event_sources)
            .build()
    }
}

impl Advanced {
    fn built(self) -> Result<AdvancedEventSelector, String> {
        let fields = self.field_selectors.into_iter().map(Field::built);
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        let built = AdvancedEventSelector::builder().set_field_selectors(Some(fields)).build();
        built.map_err(|error| error.to_string())
    }
}

impl Field {
    fn built(self) -> Result<AdvancedFieldSelector, String> {
        let built = AdvancedFieldSelector::builder()
            .field(self.field)
            .set_equals(self.equals)
            .set_starts_with(self.starts_with)
            .set_ends_with(self.ends_with)
            .set_not_equals(self.not_equals)
            .set_not_starts_with(self.not_starts_with)
            .set_not_ends_with(self.not_ends_with)
            .build();
        built.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sight(selectors: &Value) -> Sight {
        let described = Described {
            trail_arn: "arn:aws:cloudtrail:us-east-1:111122223333:trail/organisation",
            bucket: "logs",
            prefix: None,
            multi_region: true,
            organization: true,
            global_services: true,
            logging: true,
            digests: false,
            selectors,
        };
        described.sight().unwrap()
    }

    #[test]
    fn what_the_cli_prints_is_judged_as_what_the_api_says() {
        let all = json!({"EventSelectors": [{
            "ReadWriteType": "All", "IncludeManagementEvents": true, "ExcludeManagementEventSources": [],
            "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}],
        }]});
        let seen = sight(&all);
        assert_eq!((seen.findings, seen.data_events), (vec![], vec!["AWS::S3::Object".to_owned()]));
        let writes = json!({"AdvancedEventSelectors": [{"Name": "x", "FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Management"]}, {"Field": "readOnly", "Equals": ["false"]},
        ]}]});
        assert_eq!(sight(&writes).findings, [Finding::ReadEvents, Finding::DataEvents]);
        // A trail of one region alone, and what is no answer of CloudTrail's.
        let described = |selectors| Described {
            trail_arn: "x",
            bucket: "logs",
            prefix: None,
            multi_region: false,
            organization: false,
            global_services: false,
            logging: true,
            digests: false,
            selectors,
        };
        let findings = described(&all).sight().unwrap().findings;
        assert_eq!(findings, [Finding::OtherRegions, Finding::GlobalServices]);
        assert!(described(&json!({"EventSelectors": [7]})).sight().is_err());
    }
}
