//! What tells of more than one account: trails, the organisation, Identity Center.

use rolecall_lake::inventory::AssignmentRow;

use super::take_in::File;
use crate::facts::{Facts, account_of, is_account};
use crate::output::Output;
use crate::parts::Part;
use crate::trails::Nameless;

impl File<'_> {
    /// Trails, what they record, and whether they are switched on.
    pub(super) fn trails(&self, facts: &mut Facts, output: &mut Output) {
        let stamp = Some(self.stamp);
        for trail in output.trails.take().into_iter().flatten().chain(output.trail.take()) {
            facts.trails.describe(trail, stamp);
        }
        if let Some(trails) = output.trail_list.take() {
            // An organisation's trail has the ARN of the account that made it, whoever sees it.
            let own = trails.iter().filter(|trail| trail.is_organization_trail != Some(true));
            let mut own = own.chain(&trails).filter_map(|trail| trail.trail_arn.as_deref());
            let own = own.find_map(account_of).map(str::to_owned);
            match self.home.clone().or(own) {
                Some(account) => facts.trails.see(&account, &trails, stamp),
                None => trails.into_iter().for_each(|trail| facts.trails.describe(trail, stamp)),
            }
        }
        let arn = output.trail_arn.take();
        if let Some(arn) = arn.as_ref().filter(|_| {
            output.event_selectors.is_array() || output.advanced_event_selectors.is_array()
        }) {
            let selectors = serde_json::json!({
                "EventSelectors": output.event_selectors.take(),
                "AdvancedEventSelectors": output.advanced_event_selectors.take(),
            });
            facts.trails.select(arn, selectors, stamp);
        }
        match (output.is_logging, arn) {
            (Some(logging), Some(arn)) => facts.trails.switch(&arn, logging, stamp),
            (Some(logging), None) => {
                facts.trails.switch_nameless(Nameless {
                    input: self.path.display().to_string(),
                    account: self.home.clone(),
                    named: self.trail_of_name(),
                    logging,
                    stamp,
                });
            }
            (None, _) => {}
        }
    }

    /// `get-trail-status.TRAIL.json`: the output does not name its trail.
    fn trail_of_name(&self) -> Option<String> {
        let name = self.path.file_stem()?.to_str()?;
        let rest = name.split_once("get-trail-status")?.1;
        let rest = rest.trim_start_matches(['.', '-', '_', ' ']);
        (!rest.is_empty()).then(|| rest.to_owned())
    }

    pub(super) fn organization(&self, facts: &mut Facts, output: &mut Output) {
        let stamp = Some(self.stamp);
        if output.accounts.is_some() {
            facts.shared_parts.tell(Part::Accounts, stamp);
        }
        for account in output.accounts.take().into_iter().flatten() {
            facts.add_organization_account(account);
        }
        if let Some(organization) = output.organization.take() {
            facts.organization.id = organization.id.or(facts.organization.id.take());
            let management = organization.master_account_id;
            facts.organization.management_account =
                management.or(facts.organization.management_account.take());
        }
        if let Some(policy) = output.policy.take()
            && let Some(summary) = policy.policy_summary
        {
            facts.shared_parts.tell(Part::OrganizationPolicies, stamp);
            facts.add_organization_policy(summary, Some(&policy.content), policy.targets);
        }
    }

    pub(super) fn identity_center(&self, facts: &mut Facts, output: &mut Output) {
        for assignment in output.account_assignments.take().into_iter().flatten() {
            let Some(account) = assignment.account_id.filter(|id| is_account(id)) else { continue };
            let account = facts.account(&account);
            account.parts.tell(Part::IdentityCenter, Some(self.stamp));
            account.assignments.push(AssignmentRow {
                permission_set_arn: assignment.permission_set_arn,
                principal_type: assignment.principal_type,
                principal_id: assignment.principal_id,
                ..AssignmentRow::default()
            });
        }
        if let Some(set) = output.permission_set.take()
            && let (Some(arn), Some(name)) = (set.permission_set_arn, set.name)
        {
            facts.permission_sets.insert(arn, name);
        }
        for instance in output.instances.take().into_iter().flatten() {
            if let (Some(arn), Some(store)) = (instance.instance_arn, instance.identity_store_id) {
                facts.instances.insert(arn, store);
            }
        }
    }
}
