//! Records what trails were seen to record, so that reports can say what no log could have told them.
//!
//! Every look at a trail is kept; rows are only added. The table takes no part in the commit of batches.

use std::sync::Arc;

use crate::append::{Plain, append};
use crate::error::Result;
use crate::lake::Lake;
use crate::rows::TableBuilder;
use crate::schema::Table;

const TABLE: Table = Table::Trails;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What one trail recorded when it was looked at: a row of `trails`, whose columns have the same names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrailSnapshot {
    /// ARN of the trail.
    pub trail_arn: String,
    /// Bucket that it delivers to.
    pub bucket: String,
    /// What stands before the account in its keys, with `AWSLogs`.
    pub trail_prefix: String,
    /// It covers all regions.
    pub multi_region: bool,
    /// It covers all accounts of the organisation.
    pub organization: bool,
    /// It was switched on.
    pub logging: bool,
    /// It writes digest files.
    pub digests: bool,
    /// What it does not record.
    pub not_recorded: Vec<String>,
    /// Resource types whose data events it records.
    pub data_event_types: Vec<String>,
}

impl Lake {
    /// Adds what was seen of some trails at `now`, in microseconds.
    pub async fn record_trails(&self, trails: &[TrailSnapshot], now: i64) -> Result<()> {
        if trails.is_empty() {
            return Ok(());
        }
        let mut rows = TableBuilder::new(TABLE);
        let day = i32::try_from(now.div_euclid(MICROS_PER_DAY)).ok();
        for (number, trail) in (0..).zip(trails) {
            rows.text("trail_arn", Some(&trail.trail_arn))
                .time("snapshot_time", Some(now))
                .date("snapshot_date", day)
                .text("bucket", Some(&trail.bucket))
                .text("trail_prefix", Some(&trail.trail_prefix))
                .flag("multi_region", Some(trail.multi_region))
                .flag("organization", Some(trail.organization))
                .flag("logging", Some(trail.logging))
                .flag("digests", Some(trail.digests))
                .list("not_recorded", &texts(&trail.not_recorded))
                .list("data_event_types", &texts(&trail.data_event_types))
                .end_row(number);
        }
        append(self, TABLE, &mut Plain(Arc::new(rows.finish()?)), now).await
    }
}

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}
