//! Further words of IAM: what a role or user called, service by service, and what the account says of root.

use rolecall_lake::inventory::UserRow;

use super::names;
use super::take_in::File;
use crate::error::Problem;
use crate::facts::{Accessed, Facts, Subject, account_of};
use crate::output::{Output, ServiceLastAccessed};
use crate::parts::Part;
use crate::report::ROOT;

/// What the files are called that get-service-last-accessed-details was printed to.
const FILES: [&str; 4] = [
    "get-service-last-accessed-details",
    "service-last-accessed-details",
    "service-last-accessed",
    "last-accessed",
];

impl File<'_> {
    /// get-service-last-accessed-details of a role or a user.
    pub(super) fn accessed(&self, facts: &mut Facts, output: &mut Output) -> Result<(), Problem> {
        let Some(services) = output.services_last_accessed.take() else { return Ok(()) };
        if output.job_status.as_deref().is_some_and(|status| status != "COMPLETED") {
            return Err(Problem::NotDone);
        }
        let entities = services.iter().filter_map(|one| one.last_authenticated_entity.as_deref());
        let mut entities: Vec<String> = entities.map(str::to_owned).collect();
        entities.sort_unstable();
        entities.dedup();
        let named = names::after(self.path, &FILES).map(str::to_owned);
        let whole = entities.len() < 2;
        // Of a group or a policy it names whoever made the latest call: that is a use of theirs all the same.
        for entity in &entities {
            let of_entity = services.iter();
            let of_entity = of_entity
                .filter(|one| one.last_authenticated_entity.as_deref() == Some(entity.as_str()));
            let last = newest(of_entity);
            let stamp = Some(self.stamp);
            let subject = Subject::Arn(entity.clone());
            let home = account_of(entity).map(|_| entity.as_str());
            self.of(facts, home)?.accessed.push(Accessed { subject, last, stamp, whole });
        }
        let nameless = services.iter().filter(|one| one.last_authenticated_entity.is_none());
        let last = newest(nameless);
        match named {
            Some(named) if entities.is_empty() => {
                let (subject, stamp) = (Subject::Named(named), Some(self.stamp));
                self.of(facts, None)?.accessed.push(Accessed { subject, last, stamp, whole });
            }
            None if entities.is_empty() => return Err(Problem::WhoseCalls),
            _ => {}
        }
        Ok(())
    }

    /// get-account-summary: what it says of root, and what there is none of.
    pub(super) fn summary(&self, facts: &mut Facts, output: &mut Output) -> Result<(), Problem> {
        let Some(summary) = output.summary_map.take() else { return Ok(()) };
        let id = self.account(None)?;
        let partition = self.partition(&id);
        let account = self.of(facts, None)?;
        let counts = [
            (summary.users, Part::Users),
            (summary.groups, Part::Groups),
            (summary.roles, Part::Roles),
            (summary.policies, Part::Policies),
        ];
        let none = counts.into_iter().filter(|(count, _)| *count == Some(0));
        account.none.extend(none.map(|(_, part)| (part, self.stamp)));
        account.root_keys = summary.account_access_keys_present.map(|keys| keys > 0);
        account.add_user(UserRow {
            user_name: ROOT.to_owned(),
            user_arn: Some(format!("arn:{partition}:iam::{id}:root")),
            is_root: true,
            mfa_active: summary.account_mfa_enabled.map(|mfa| mfa > 0),
            ..UserRow::default()
        });
        Ok(())
    }
}

fn newest<'a>(
    services: impl Iterator<Item = &'a ServiceLastAccessed>,
) -> Option<(i64, Option<String>)> {
    let uses = services
        .filter_map(|one| Some((one.last_authenticated?, one.last_authenticated_region.clone())));
    uses.max_by_key(|(at, _)| *at)
}
