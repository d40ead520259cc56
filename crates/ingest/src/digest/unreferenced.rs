//! Finds what lies where CloudTrail delivers although no digest of its time lists it.
//!
//! A log file is only held against the digests once there are some for its hour and for the hour
//! after: CloudTrail lists by delivery, which lags behind the name. The newest hours are therefore
//! never covered, and neither is a time before the first digest or in a gap.

use futures::TryStreamExt as _;
use rolecall_lake::{DigestResult, Proof, Subject};

use super::format::{below, join};
use super::walk::{Ground, named};
use super::{DigestError, Group, HOUR, Run};
use crate::layout::{self, Layout, Named};

/// How much later than its name says a log file may have been listed, in microseconds.
const SLACK: i64 = HOUR;

/// Results that are sent together.
const PIECE: usize = 1_000;

/// Reports the log files of a group that no digest lists. Gives the number of those for whose time
/// there is no digest.
pub(super) async fn check(
    run: &Run<'_>,
    group: &Group,
    ground: &Ground,
) -> Result<u64, DigestError> {
    let unknown = || (run.store.bucket().unwrap_or_default().to_owned(), group.root.clone());
    let (bucket, theirs) = &ground.theirs.clone().unwrap_or_else(unknown);
    let covered = merged(&ground.periods);
    let prefix = join(&group.root, &format!("CloudTrail/{}/", group.region));
    let after = run.window.listed_after(&prefix);
    let mut keys = run.store.keys(prefix, after);
    let (mut not_covered, mut found) = (0, Vec::new());
    while let Some(key) = keys.try_next().await? {
        // As the bucket has it: a copy may lack what the layout is told by.
        let theirs_key = below(&group.root, &key).map(|rest| join(theirs, rest));
        let Some(theirs_key) = theirs_key else { continue };
        let Named::LogFile(layout) = layout::of_key(&theirs_key) else { continue };
        // A copy that was unpacked beside the log file: digests list what was delivered.
        if !theirs_key.ends_with(".gz") {
            continue;
        }
        let Some(at) = delivered(&layout) else { continue };
        if at >= run.window.to {
            // A day's folder may hold what was named for the next.
            if at >= run.window.to.saturating_add(24 * HOUR) {
                break;
            }
            continue;
        }
        if at < run.window.from || ground.is_listed(&key) {
            continue;
        }
        if !is_covered(&covered, at) {
            not_covered += 1;
            continue;
        }
        let result = DigestResult {
            reason: Some("no digest of its time lists it".to_owned()),
            trail_prefix: layout.trail_prefix.clone(),
            account_id: layout.account_id.clone(),
            aws_region: layout.aws_region.clone(),
            bucket: Some(bucket.clone()),
            key: Some(theirs_key.clone()),
            ..DigestResult::new(Subject::LogFile, Proof::Unreferenced, run.settings.now)
        };
        found.push(named(result, &theirs_key));
        if found.len() >= PIECE {
            run.report(std::mem::take(&mut found)).await?;
        }
    }
    run.report(found).await?;
    Ok(not_covered)
}

/// When a log file was delivered, by its name; the end of the day where that does not say.
fn delivered(layout: &Layout) -> Option<i64> {
    match (layout.delivered_at, layout.delivered_date) {
        (Some(at), _) => Some(at.and_utc().timestamp_micros()),
        (None, Some(date)) => Some(date.and_hms_opt(23, 59, 0)?.and_utc().timestamp_micros()),
        (None, None) => None,
    }
}

/// The stretches of time in order, those that touch as one.
fn merged(periods: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut sorted = periods.to_vec();
    sorted.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::new();
    for (start, end) in sorted {
        match merged.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => merged.push((start, end)),
        }
    }
    merged
}

fn is_covered(merged: &[(i64, i64)], at: i64) -> bool {
    let index = merged.partition_point(|(start, _)| *start <= at);
    index > 0 && merged[index - 1].1 > at + SLACK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_covered_when_the_hour_after_it_is_too() {
        let hours = |from: i64, to: i64| (from * HOUR, to * HOUR);
        let covered = merged(&[hours(2, 3), hours(1, 2), hours(5, 6), hours(5, 6)]);
        assert_eq!(covered, [hours(1, 3), hours(5, 6)]);
        assert!(is_covered(&covered, HOUR));
        assert!(is_covered(&covered, 2 * HOUR - 1));
        for at in [HOUR - 1, 2 * HOUR, 3 * HOUR, 4 * HOUR, 5 * HOUR, 6 * HOUR] {
            assert!(!is_covered(&covered, at), "{at}");
        }
    }
}
