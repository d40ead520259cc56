//! Records that change who may do what: credentials, users, roles, policies, providers, trails.
//!
//! Later verdicts need them ("was this key used before it was deactivated?", "since when does this
//! role trust that account?"). One record in, one row out; nothing is replayed into a state.

mod target;

use std::borrow::Cow;

use crate::credential::outcome;
use crate::record::{Identity, Record, access_key_id};
use crate::rows::IamChange;
use crate::tape::{Nodes, Place};

pub(crate) use target::target_type;
use target::{is_of_a_user, shape};

/// Policy documents are at most 10 KB for roles and 6 KB for managed policies, so nothing real is cut.
const MAX_DOCUMENT_BYTES: usize = 100 * 1024;

/// What the credential report, and with it the inventory, calls root.
const ROOT_USER: &str = "<root_account>";

/// What the console calls root in calls that must name a user.
const ROOT_IN_REQUESTS: &str = "AWS ROOT USER";

/// Reads the row out of a record whose [`target_type`] is known.
pub(crate) fn read<'a>(
    nodes: Nodes<'_, 'a>,
    record: &Record<'a>,
    target_type: &'static str,
) -> IamChange<'a> {
    let identity = &record.identity;
    let (source_ip, source_service) = record.source();
    let shape = shape(target_type);
    let answer = match shape.answer {
        "" => record.response,
        name => nodes.member(record.response, name),
    };
    let find = |names: &[&str]| {
        names.iter().find_map(|name| {
            let asked = nodes.text_at(record.request, &[name]);
            asked.or_else(|| nodes.text_at(answer, &[name]))
        })
    };
    let target_name = match find(shape.names) {
        Some(ROOT_IN_REQUESTS) => Some(ROOT_USER),
        None if means_the_caller(nodes, record, target_type) => own_user(identity),
        name => name,
    };
    // Trails may be named by their ARN, and a device's serial number is one or is not.
    let target_arn =
        [find(shape.arns), target_name].into_iter().flatten().find(|text| text.starts_with("arn:"));
    IamChange {
        event_id: record.event_id,
        event_time: record.event_time,
        event_source: record.event_source,
        event_name: record.event_name,
        aws_region: record.aws_region,
        recipient_account_id: record.recipient_account_id,
        outcome: Some(outcome(nodes, record)),
        error_code: record.error_code,
        actor_arn: identity.arn,
        actor_principal_id: identity.principal_id,
        actor_access_key_id: identity.access_key_id,
        source_ip,
        source_service,
        user_agent: record.user_agent,
        target_type,
        target_arn,
        target_name,
        target_id: access_key_id(find(shape.ids)),
        policy_arn: find(&["policyArn", "permissionsBoundary", "managedPolicyArn"]),
        status: find(&["status"]),
        document: document(nodes, record.request),
        record_index: record.index,
    }
}

/// Whether a call that names no user is about the caller's own credential.
fn means_the_caller(nodes: Nodes<'_, '_>, record: &Record<'_>, target_type: &str) -> bool {
    // A device is nobody's until it is enabled, and is changed by its serial number alone.
    let no_user_in_request = matches!(
        record.event_name,
        "CreateVirtualMFADevice" | "DeleteVirtualMFADevice" | "TagMFADevice" | "UntagMFADevice"
    );
    // A refused call has lost its request, and with it the name.
    let request_is_told = record.error_code.is_none() || nodes.is_object(record.request);
    is_of_a_user(target_type)
        && !no_user_in_request
        && (request_is_told || record.event_name == "ChangePassword")
}

fn own_user<'a>(identity: &Identity<'a>) -> Option<&'a str> {
    match identity.kind? {
        "Root" => Some(ROOT_USER),
        "IAMUser" => identity.user_name.or_else(|| {
            let (_, path_and_name) = identity.arn?.split_once(":user/")?;
            path_and_name.rsplit('/').next().filter(|name| !name.is_empty())
        }),
        _ => None,
    }
}

fn document<'a>(nodes: Nodes<'_, 'a>, request: Place) -> Option<Cow<'a, str>> {
    const TEXTS: [&str; 5] = [
        "policyDocument",
        "assumeRolePolicyDocument",
        "inlinePolicy",
        "content",
        "sAMLMetadataDocument",
    ];
    const OBJECTS: [&str; 3] = ["eventSelectors", "advancedEventSelectors", "insightSelectors"];
    for (key, value) in nodes.members(request) {
        if TEXTS.contains(&key) {
            if let Some(text) = nodes.text(value) {
                return Some(Cow::Borrowed(bounded(text)));
            }
        } else if OBJECTS.contains(&key) && nodes.elements(value).next().is_some() {
            return Some(Cow::Owned(as_json(nodes, &[(key, value)])));
        }
    }
    new_names(nodes, request).map(Cow::Owned)
}

/// What a user or group is called from now on. A renamed user keeps its id, its credentials and their last
/// use: what was known of the old name is so of the new one.
fn new_names(nodes: Nodes<'_, '_>, request: Place) -> Option<String> {
    let members: Vec<_> = ["newUserName", "newGroupName", "newPath"]
        .into_iter()
        .map(|key| (key, nodes.member(request, key)))
        .filter(|(_, value)| nodes.text(*value).is_some())
        .collect();
    (!members.is_empty()).then(|| as_json(nodes, &members))
}

/// An object of these members as JSON text, cut at [`MAX_DOCUMENT_BYTES`].
fn as_json(nodes: Nodes<'_, '_>, members: &[(&str, Place)]) -> String {
    let mut text = String::new();
    for (key, value) in members {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(&format!("\"{key}\":"));
        nodes.write_json(*value, &mut text, MAX_DOCUMENT_BYTES);
    }
    text.push('}');
    let end = bounded(&text).len();
    text.truncate(end);
    text
}

/// At most [`MAX_DOCUMENT_BYTES`], cut between characters.
fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_DOCUMENT_BYTES)).unwrap_or(text)
}
