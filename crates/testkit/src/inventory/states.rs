//! What a careful human would say of each key and role, given the inventory and all logs.
//!
//! The logs of a generated organisation never show a later use than IAM knows of, so that IAM's own word
//! decides; what is told apart here is never used, young, idle, inactive, and roles that are not one's
//! own to delete.

use super::{AccessKey, Inventory, Role};
use crate::time::{DAY, Micros};

/// The days that decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Idle for more days than this is unused.
    pub threshold_days: i64,
    /// Never used and younger than this is not unused yet.
    pub grace_days: i64,
}

impl Inventory {
    /// State of each key that IAM lists, by key id.
    pub fn key_states(&self, days: Thresholds) -> Vec<(String, &'static str)> {
        let listed = self.access_keys.iter().filter(|key| key.deleted.is_none());
        listed.map(|key| (key.access_key_id.clone(), self.key_state(key, days))).collect()
    }

    fn key_state(&self, key: &AccessKey, days: Thresholds) -> &'static str {
        if !key.active {
            return "INACTIVE";
        }
        match key.last_used {
            Some(last) if self.days_since(last.max(key.created)) <= days.threshold_days => "USED",
            Some(_) => "STALE",
            None if self.days_since(key.created) < days.grace_days => "NEVER_USED_YOUNG",
            None => "NEVER_USED",
        }
    }

    /// State of each role that IAM lists, by its unique id.
    pub fn role_states(&self, days: Thresholds) -> Vec<(String, &'static str)> {
        let listed = self.roles.iter().filter(|role| role.deleted.is_none());
        listed.map(|role| (role.role_id.clone(), self.role_state(role, days))).collect()
    }

    fn role_state(&self, role: &Role, days: Thresholds) -> &'static str {
        if role.arn.contains(":role/aws-service-role/") {
            return "SLR";
        }
        if role.arn.contains(":role/aws-reserved/sso.amazonaws.com/") {
            return "SSO_RESERVED";
        }
        match role.last_used {
            Some(last) if self.days_since(last.max(role.created)) <= days.threshold_days => "USED",
            Some(_) => "UNUSED",
            None if self.days_since(role.created) < days.grace_days => "NEVER_USED_YOUNG",
            None => "NEVER_USED_OLD",
        }
    }

    fn days_since(&self, at: Micros) -> i64 {
        (self.as_of - at).div_euclid(DAY)
    }
}
