//! What a trail's event selectors leave out. Only judges what CloudTrail answered; asks nothing.

use aws_sdk_cloudtrail::types::{AdvancedEventSelector, EventSelector, ReadWriteType};

use super::Finding;

/// What the selectors leave out, and whose data events they take in.
///
/// A trail has basic or advanced selectors; an event is recorded where any of them takes it in:
/// <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutEventSelectors.html>.
pub(super) fn judge(
    basic: &[EventSelector],
    advanced: &[AdvancedEventSelector],
) -> (Vec<Finding>, Vec<String>) {
    let (mut findings, mut data_events) = match advanced {
        [] => judge_basic(basic),
        advanced => judge_advanced(advanced),
    };
    data_events.sort();
    data_events.dedup();
    if data_events.is_empty() {
        findings.push(Finding::DataEvents);
    }
    findings.sort();
    findings.dedup();
    (findings, data_events)
}

/// What the selectors of management events take in together.
#[derive(Default)]
struct Taken {
    read: bool,
    write: bool,
    /// Left out by every selector so far; `None` before the first.
    left_out: Option<Vec<Finding>>,
}

impl Taken {
    fn add(&mut self, read: bool, write: bool, left_out: Vec<Finding>) {
        self.read |= read;
        self.write |= write;
        self.left_out = Some(match self.left_out.take() {
            None => left_out,
            Some(earlier) => earlier.into_iter().filter(|one| left_out.contains(one)).collect(),
        });
    }

    fn findings(self) -> Vec<Finding> {
        let Some(mut findings) = self.left_out else { return vec![Finding::ManagementEvents] };
        if !self.read {
            findings.push(Finding::ReadEvents);
        }
        if !self.write {
            findings.push(Finding::WriteEvents);
        }
        findings
    }
}

fn judge_basic(selectors: &[EventSelector]) -> (Vec<Finding>, Vec<String>) {
    // A trail that was never given a selector records all management events.
    if selectors.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let mut taken = Taken::default();
    let (mut data_events, mut some) = (Vec::new(), Vec::new());
    for selector in selectors {
        let kind = selector.read_write_type.as_ref().unwrap_or(&ReadWriteType::All);
        if selector.include_management_events.unwrap_or(true) {
            let excluded = selector.exclude_management_event_sources.iter().flatten().cloned();
            taken.add(
                matches!(kind, ReadWriteType::All | ReadWriteType::ReadOnly),
                matches!(kind, ReadWriteType::All | ReadWriteType::WriteOnly),
                excluded.map(Finding::EventSource).collect(),
            );
        }
        for resource in selector.data_resources.iter().flatten() {
            let Some(name) = resource.r#type.clone() else { continue };
            let whole = *kind == ReadWriteType::All
                && resource.values.iter().flatten().any(|value| is_whole(value));
            if whole { data_events.push(name) } else { some.push(name) }
        }
    }
    (findings_of(taken, &data_events, some), data_events)
}

fn judge_advanced(selectors: &[AdvancedEventSelector]) -> (Vec<Finding>, Vec<String>) {
    let mut taken = Taken::default();
    let (mut data_events, mut some) = (Vec::new(), Vec::new());
    for selector in selectors {
        let equals = |field: &str| {
            let fields = selector.field_selectors.iter().filter(|one| one.field == field);
            fields.flat_map(|one| one.equals.iter().flatten()).cloned().collect::<Vec<_>>()
        };
        if equals("eventCategory").iter().any(|category| category == "Data") {
            let mut fields = selector.field_selectors.iter().map(|one| one.field.as_str());
            let whole = fields.all(|field| matches!(field, "eventCategory" | "resources.type"));
            let into = if whole { &mut data_events } else { &mut some };
            into.extend(equals("resources.type"));
            continue;
        }
        if !equals("eventCategory").iter().any(|category| category == "Management") {
            continue;
        }
        let read_only = equals("readOnly");
        let takes = |value: &str| read_only.is_empty() || read_only.iter().any(|one| one == value);
        let mut left_out = Vec::new();
        for field in &selector.field_selectors {
            let excluded = field.not_equals.iter().flatten().cloned();
            match field.field.as_str() {
                "eventCategory" | "readOnly" => {}
                "eventSource" if field.equals.is_none() => {
                    left_out.extend(excluded.map(Finding::EventSource));
                }
                other => left_out.push(Finding::UnknownFilter(other.to_owned())),
            }
        }
        taken.add(takes("true"), takes("false"), left_out);
    }
    (findings_of(taken, &data_events, some), data_events)
}

/// Whether it stands for all resources of its type: `arn:aws:s3`, `arn:aws:s3:::`, `arn:aws:lambda`.
fn is_whole(value: &str) -> bool {
    let mut parts = value.trim_end_matches(':').split(':');
    parts.next() == Some("arn") && parts.clone().count() == 2
}

/// Types of which only some resources or some calls are recorded do not count as recorded: a credential that
/// uses others would look idle.
fn findings_of(taken: Taken, whole: &[String], some: Vec<String>) -> Vec<Finding> {
    let mut findings = taken.findings();
    let some = some.into_iter().filter(|name| !whole.contains(name));
    findings.extend(some.map(Finding::OtherDataEvents));
    findings
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudtrail::types::{AdvancedFieldSelector, DataResource};

    use super::*;

    fn basic(kind: ReadWriteType) -> EventSelector {
        EventSelector::builder().read_write_type(kind).include_management_events(true).build()
    }

    fn field(name: &str, equals: &[&str]) -> AdvancedFieldSelector {
        let builder = AdvancedFieldSelector::builder().field(name);
        equals.iter().fold(builder, |builder, value| builder.equals(*value)).build().unwrap()
    }

    fn advanced(fields: Vec<AdvancedFieldSelector>) -> AdvancedEventSelector {
        AdvancedEventSelector::builder().set_field_selectors(Some(fields)).build().unwrap()
    }

    #[test]
    fn a_trail_without_selectors_records_all_management_events() {
        assert_eq!(judge(&[], &[]).0, [Finding::DataEvents]);
    }

    #[test]
    fn a_write_only_trail_has_no_assume_role() {
        let (findings, _) = judge(&[basic(ReadWriteType::WriteOnly)], &[]);
        assert_eq!(findings, [Finding::ReadEvents, Finding::DataEvents]);
    }

    #[test]
    fn two_selectors_complete_each_other() {
        let both = [basic(ReadWriteType::WriteOnly), basic(ReadWriteType::ReadOnly)];
        assert_eq!(judge(&both, &[]).0, [Finding::DataEvents]);
    }

    #[test]
    fn data_events_alone_are_no_management_events() {
        let objects =
            DataResource::builder().r#type("AWS::S3::Object").values("arn:aws:s3").build();
        let selector = EventSelector::builder()
            .include_management_events(false)
            .data_resources(objects)
            .build();
        let (findings, data) = judge(&[selector], &[]);
        assert_eq!(findings, [Finding::ManagementEvents]);
        assert_eq!(data, ["AWS::S3::Object"]);
    }

    #[test]
    fn objects_of_one_bucket_are_not_all_objects() {
        let some = Finding::OtherDataEvents("AWS::S3::Object".to_owned());
        let objects = |kind: ReadWriteType, value: &str| {
            let resource = DataResource::builder().r#type("AWS::S3::Object").values(value).build();
            EventSelector::builder()
                .read_write_type(kind)
                .include_management_events(true)
                .data_resources(resource)
                .build()
        };
        for whole in ["arn:aws:s3", "arn:aws:s3:::", "arn:aws-cn:s3"] {
            let (findings, data) = judge(&[objects(ReadWriteType::All, whole)], &[]);
            assert_eq!((findings, data), (vec![], vec!["AWS::S3::Object".to_owned()]), "{whole}");
        }
        let one = objects(ReadWriteType::All, "arn:aws:s3:::shop/");
        let writes = objects(ReadWriteType::WriteOnly, "arn:aws:s3");
        for part in [one, writes] {
            let (findings, data) = judge(&[part, basic(ReadWriteType::All)], &[]);
            assert_eq!((findings, data), (vec![Finding::DataEvents, some.clone()], vec![]));
        }
        let filtered = advanced(vec![
            field("eventCategory", &["Data"]),
            field("resources.type", &["AWS::S3::Object"]),
            field("readOnly", &["false"]),
        ]);
        let management = advanced(vec![field("eventCategory", &["Management"])]);
        assert_eq!(judge(&[], &[management, filtered]).0, [Finding::DataEvents, some]);
    }

    #[test]
    fn excluded_sources_are_named() {
        let selector = EventSelector::builder()
            .include_management_events(true)
            .exclude_management_event_sources("kms.amazonaws.com")
            .build();
        let kms = Finding::EventSource("kms.amazonaws.com".to_owned());
        assert!(judge(std::slice::from_ref(&selector), &[]).0.contains(&kms));
        // Another selector takes them in.
        assert!(!judge(&[selector, basic(ReadWriteType::All)], &[]).0.contains(&kms));
    }

    #[test]
    fn advanced_selectors() {
        let management = |more: Vec<AdvancedFieldSelector>| {
            advanced([vec![field("eventCategory", &["Management"])], more].concat())
        };
        let data = advanced(vec![
            field("eventCategory", &["Data"]),
            field("resources.type", &["AWS::Lambda::Function"]),
        ]);
        let (findings, types) = judge(&[], &[management(vec![]), data.clone()]);
        assert_eq!((findings, types), (vec![], vec!["AWS::Lambda::Function".to_owned()]));
        let writes = management(vec![field("readOnly", &["false"])]);
        assert_eq!(judge(&[], &[writes, data.clone()]).0, [Finding::ReadEvents]);
        assert_eq!(judge(&[], std::slice::from_ref(&data)).0, [Finding::ManagementEvents]);
        let but_kms = AdvancedFieldSelector::builder()
            .field("eventSource")
            .not_equals("kms.amazonaws.com")
            .build()
            .unwrap();
        let kms = Finding::EventSource("kms.amazonaws.com".to_owned());
        assert_eq!(judge(&[], &[management(vec![but_kms]), data.clone()]).0, [kms]);
        let odd = management(vec![field("userIdentity.arn", &["arn:aws:iam::1:user/a"])]);
        let unknown = Finding::UnknownFilter("userIdentity.arn".to_owned());
        assert_eq!(judge(&[], &[odd, data]).0, [unknown]);
    }
}
