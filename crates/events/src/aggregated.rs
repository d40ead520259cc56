//! Aggregated events: what a trail delivers of five minutes of data events, instead of each or beside them.
//!
//! They have a window instead of a time, no `eventName`, and counts by a primary dimension and by others. Only what
//! names an identity says who was at work; how the dimensions go together no record says, so nothing is made of it.
//! Recognised from AWS's page, on which `USER_ACTIONS` is described without an example: an identity is taken as an
//! ARN or a unique id, whichever it is, from any dimension that is called `userIdentity`.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aggregated-events.html>

use crate::record::{Identity, Record};
use crate::rows::Micros;
use crate::tape::{Nodes, Place};
use crate::time::parse_time;

const CATEGORY: &str = "Aggregated";
const MICROS_PER_SECOND: Micros = 1_000_000;

/// What one aggregated event says.
pub(crate) struct Summary<'a> {
    /// What its rows share; the time is the window's start.
    pub(crate) record: Record<'a>,
    /// The last second of the window.
    pub(crate) until: Micros,
    /// Who called, and how often; one without a name where none is named.
    pub(crate) callers: Vec<(Identity<'a>, u64)>,
}

/// Reads the record at `place`, if it is an aggregated event whose window is known.
pub(crate) fn read<'a>(nodes: Nodes<'_, 'a>, place: Place, index: u32) -> Option<Summary<'a>> {
    let text = |path: &[&str]| nodes.text_at(place, path);
    let category = text(&["eventCategory"]).filter(|category| *category == CATEGORY)?;
    let time = |edge| text(&["timeWindow", edge]).and_then(|text| parse_time(text).ok());
    let start = time("windowStart")?;
    let end = time("windowEnd").map(|end| end.saturating_sub(MICROS_PER_SECOND));
    let summary = nodes.member(place, "summary");
    let primary = nodes.member(summary, "primaryDimension");
    let details = nodes.member(summary, "details");
    let dimension = |name: &str| {
        let mut all = std::iter::once(primary).chain(nodes.elements(details));
        all.find(|one| nodes.text_at(*one, &["dimension"]) == Some(name))
    };
    let mut names = dimension("eventName").into_iter().flat_map(|one| statistics(nodes, one));
    let event_name = match (names.next(), names.next()) {
        (Some((name, _)), None) => name,
        // Several, or none.
        _ => CATEGORY,
    };
    let mut callers: Vec<_> = dimension("userIdentity")
        .into_iter()
        .flat_map(|one| statistics(nodes, one))
        .map(|(name, count)| (caller(name), count))
        .collect();
    if callers.is_empty() {
        let calls = statistics(nodes, primary).map(|(_, count)| count);
        callers.push((Identity::default(), calls.fold(0, u64::saturating_add).max(1)));
    }
    Some(Summary {
        record: Record {
            index,
            event_time: start,
            event_source: text(&["eventSource"]).unwrap_or("unknown"),
            event_name,
            event_version: text(&["eventVersion"]),
            event_id: text(&["eventId"]).or_else(|| text(&["eventID"])),
            event_category: Some(category),
            aws_region: text(&["awsRegion"]),
            recipient_account_id: text(&["accountId"]).or_else(|| text(&["recipientAccountId"])),
            ..Record::default()
        },
        until: end.filter(|end| *end >= start).unwrap_or(start),
        callers,
    })
}

/// Names and counts of a dimension.
fn statistics<'t, 'a: 't>(
    nodes: Nodes<'t, 'a>,
    dimension: Place,
) -> impl Iterator<Item = (&'a str, u64)> + 't {
    nodes.elements(nodes.member(dimension, "statistics")).filter_map(move |one| {
        let count = nodes.integer(nodes.member(one, "value")).and_then(|n| u64::try_from(n).ok());
        Some((nodes.text_at(one, &["name"])?, count.unwrap_or(1).max(1)))
    })
}

/// An identity by what it is called: an ARN or a unique id.
fn caller(name: &str) -> Identity<'_> {
    let mut identity = Identity::default();
    if !name.starts_with("arn:") {
        let is_id = ["AROA", "AIDA"].iter().any(|prefix| name.starts_with(prefix));
        identity.principal_id = is_id.then_some(name);
        return identity;
    }
    identity.account_id = name.split(':').nth(4).filter(|account| !account.is_empty());
    let resource = name.splitn(6, ':').nth(5).unwrap_or_default();
    match resource.split_once('/').map_or(resource, |(kind, _)| kind) {
        // The role itself, not one of its sessions.
        "role" => {
            identity.kind = Some("AssumedRole");
            identity.issuer_arn = Some(name);
            return identity;
        }
        "assumed-role" => identity.kind = Some("AssumedRole"),
        "user" => {
            identity.kind = Some("IAMUser");
            identity.user_name = resource.rsplit('/').next();
        }
        "root" => identity.kind = Some("Root"),
        "federated-user" => identity.kind = Some("FederatedUser"),
        _ => {}
    }
    identity.arn = Some(name);
    identity
}
