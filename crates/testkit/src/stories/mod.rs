//! The named ways of taking a role, and the named traps, each told once a day or once.
//!
//! A story logs records through the verbs of [`crate::sts`] and [`crate::callers`], and says by
//! [`World::scene`] what it shows. Stories of one day run at fixed hours, so that no two sessions of
//! one role and one name begin within seconds of each other unless a story wants just that.

mod agents;
mod center;
mod changes;
mod federation;
mod idle;
mod keys;
mod moving;
mod odd;
mod people;
mod trails;
mod workloads;

pub(crate) use trails::second_trail;
pub(crate) use workloads::Crew;

use crate::model::World;

/// Trust policies, in the form in which IAM stores them.
pub(crate) mod trust {
    fn policy(principal: &str, action: &str, condition: &str) -> String {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"{action}"{condition}}}]}}"#
        )
    }

    pub(crate) fn service(name: &str) -> String {
        policy(&format!(r#"{{"Service":"{name}"}}"#), "sts:AssumeRole", "")
    }

    /// Names a principal by ARN; an account's root stands for the whole account.
    pub(crate) fn arn(arn: &str) -> String {
        policy(&format!(r#"{{"AWS":"{arn}"}}"#), "sts:AssumeRole", "")
    }

    pub(crate) fn root(account_id: &str) -> String {
        arn(&format!("arn:aws:iam::{account_id}:root"))
    }

    pub(crate) fn external(account_id: &str, external_id: &str) -> String {
        policy(
            &format!(r#"{{"AWS":"arn:aws:iam::{account_id}:root"}}"#),
            "sts:AssumeRole",
            &format!(r#","Condition":{{"StringEquals":{{"sts:ExternalId":"{external_id}"}}}}"#),
        )
    }

    pub(crate) fn oidc(provider_arn: &str, host: &str, pattern: &str) -> String {
        policy(
            &format!(r#"{{"Federated":"{provider_arn}"}}"#),
            "sts:AssumeRoleWithWebIdentity",
            &format!(r#","Condition":{{"StringLike":{{"{host}:sub":"{pattern}"}}}}"#),
        )
    }

    pub(crate) fn saml(provider_arn: &str) -> String {
        policy(
            &format!(r#"{{"Federated":"{provider_arn}"}}"#),
            "sts:AssumeRoleWithSAML",
            r#","Condition":{"StringEquals":{"SAML:aud":"https://signin.aws.amazon.com/saml"}}"#,
        )
    }
}

/// Tells everything. The crew is what the background noise is signed with.
pub(crate) fn tell(world: &mut World) -> Crew {
    workloads::tell(world);
    federation::tell(world);
    center::tell(world);
    people::tell(world);
    keys::tell(world);
    changes::tell(world);
    odd::tell(world);
    trails::tell(world);
    let crew = workloads::crew(world);
    keys::untraced(world);
    idle::tell(world);
    moving::tell(world);
    world.off_scene();
    keys::forwarded(world);
    agents::tell(world);
    world.off_scene();
    crew
}
