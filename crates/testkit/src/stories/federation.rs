//! Outside identity providers: GitHub, GitLab, SAML, and one job that moves from a key to OIDC.

use super::{trust, workloads::deploy, workloads::endpoint};
use crate::apis::{CHANGES, IDENTITY_CHECK, LOOKS, Place};
use crate::dice::mix;
use crate::json::Obj;
use crate::migration::HOSTED;
use crate::model::{Caller, DEVELOPMENT, EUROPE, GLOBAL, PRODUCTION, World};
use crate::record::{CLI, GITHUB, TERRAFORM};
use crate::sts::{Assume, pair};
use crate::time::{HOUR, MINUTE, SECOND, Spelling};

const GITHUB_HOST: &str = "token.actions.githubusercontent.com";
const GITLAB_HOST: &str = "gitlab.com";

pub(super) fn tell(world: &mut World) {
    github(world);
    gitlab(world);
    saml(world);
    migration(world);
}

fn provider(world: &World, host: &str) -> String {
    format!("arn:aws:iam::{}:oidc-provider/{host}", world.id(PRODUCTION))
}

fn web(world: &World, host: &str, audience: &str, subject: &str) -> Caller {
    Caller::Web {
        provider_arn: provider(world, host),
        audience: audience.to_owned(),
        subject: subject.to_owned(),
    }
}

/// A job in GitHub Actions, and the trust policy of a role for it alone.
pub(super) fn github_job(world: &World, subject: &str) -> (Caller, String) {
    let trusted = trust::oidc(&provider(world, GITHUB_HOST), GITHUB_HOST, subject);
    (web(world, GITHUB_HOST, "sts.amazonaws.com", subject), trusted)
}

/// The address of a hosted runner: another one on each run of each job, in networks that all the world shares.
pub(super) fn hosted_runner(world: &World, job: &str, run: i64) -> String {
    let name = job.bytes().fold(world.seed, |state, byte| mix(state ^ u64::from(byte)));
    let number = mix(name ^ run.unsigned_abs());
    let (half, block, host) = (number % 2, (number >> 8) % 256, (number >> 16) % 254 + 1);
    format!("{HOSTED}{}.{block}.{host}", 8 + half)
}

/// What newer records say about how the provider's certificate was checked.
fn verified() -> String {
    let request = Obj::new().str("awsServingRegion", GLOBAL).str("endpointType", "global").end();
    Obj::new()
        .raw("RequestDetails", &request)
        .str("identityProviderConnectionVerificationMethod", "IAMTrustStore")
        .end()
}

fn github(world: &mut World) {
    let arn = provider(world, GITHUB_HOST);
    let role = world.role(
        PRODUCTION,
        "/ci/",
        "github-deploy",
        trust::oidc(&arn, GITHUB_HOST, "repo:acme*"),
    );
    let legacy = web(world, GITHUB_HOST, "sts.amazonaws.com", "repo:acme/shop:ref:refs/heads/main");
    let immutable = web(
        world,
        GITHUB_HOST,
        "sts.amazonaws.com",
        "repo:acme@58213907/billing@871230456:environment:production",
    );
    for day in 0..world.days {
        for (hour, caller, story, text) in [
            (9, &legacy, "github_oidc", "GitHub Actions by OIDC, subject in the old form"),
            (11, &immutable, "github_oidc_immutable", "GitHub Actions by OIDC, subject with ids"),
            (16, &legacy, "github_oidc", "GitHub Actions by OIDC, subject in the old form"),
        ] {
            world.scene(story, text);
            let minute = world.dice.between(20, 29);
            let at = world.at(day, hour, minute, 11);
            let ip = hosted_runner(world, "github-deploy", day * 24 + hour);
            let mut spec = Assume::new(caller.clone(), role, "GitHubActions", at)
                .lasting(3_600)
                .from(&ip, GITHUB);
            spec.additional = Some(verified());
            let session = world.assume(spec);
            let place = Place { ip: &ip, agent: TERRAFORM, region: EUROPE };
            deploy(world, session, at + 3 * SECOND, place);
        }
    }
}

fn gitlab(world: &mut World) {
    let arn = provider(world, GITLAB_HOST);
    let subject = "project_path:acme/data:ref_type:branch:ref:main";
    let role = world.role(
        PRODUCTION,
        "/ci/",
        "gitlab-pipeline",
        trust::oidc(&arn, GITLAB_HOST, "project_path:acme/*"),
    );
    let caller = web(world, GITLAB_HOST, "https://gitlab.com", subject);
    let place = Place { ip: "203.0.113.150", agent: CLI, region: EUROPE };
    for day in 0..world.days {
        world.scene("gitlab_oidc", "GitLab CI by OIDC");
        let at = world.at(day, 10, 2, 41);
        let job = format!("gitlab-{}", 70_000 + day * 13);
        let mut spec = Assume::new(caller.clone(), role, &job, at).from(place.ip, CLI);
        spec.region = EUROPE;
        spec.additional = Some(endpoint("regional", EUROPE));
        let session = world.assume(spec);
        deploy(world, session, at + 2 * SECOND, place);
    }
}

fn saml(world: &mut World) {
    let provider_arn = format!("arn:aws:iam::{}:saml-provider/corp-idp", world.id(DEVELOPMENT));
    let trusted = trust::saml(&provider_arn);
    let role = world.role(DEVELOPMENT, "/people/", "federated-analyst", trusted);
    let qualifier = format!("{}=", world.dice.text("ABCDEFghijkl0123456789+/", 27));
    // IPv6, as a person's address may well be.
    let place = Place { ip: "2001:db8:42::1f", agent: CLI, region: GLOBAL };
    for day in 0..world.days {
        world.scene("saml", "a person of a company's own SAML provider");
        for (hour, person) in [(8, "lena@example.com"), (13, "milo@example.com")] {
            let caller = Caller::Saml {
                provider_arn: provider_arn.clone(),
                qualifier: qualifier.clone(),
                subject: person.to_owned(),
            };
            let at = world.at(day, hour, 41, 3);
            let mut spec =
                Assume::new(caller, role, person, at).lasting(14_400).from(place.ip, CLI);
            spec.tags = vec![pair("CostCenter", "4711"), pair("Department", "Research")];
            spec.transitive = vec![String::from("CostCenter")];
            spec.source_identity = Some(person.to_owned());
            let session = world.assume(spec);
            world.spend(session, (at + MINUTE, 3 * HOUR), 3, &LOOKS, place);
        }
    }
}

/// One job signs with a key in the first half and takes a role by OIDC in the second.
fn migration(world: &mut World) {
    world.scene("ci_key_to_oidc", "a CI job moves from an access key to OIDC half-way");
    let user = world.user(PRODUCTION, "/ci/", "release-bot");
    let key = world.key(user, 900);
    let caller = Caller::Key(key);
    let arn = provider(world, GITHUB_HOST);
    let subject = "repo:acme/release:ref:refs/heads/main";
    let trusted = trust::oidc(&arn, GITHUB_HOST, subject);
    let role = world.role(PRODUCTION, "/ci/", "github-release", trusted);
    let web = web(world, GITHUB_HOST, "sts.amazonaws.com", subject);
    for (day, hour) in (0..world.days).flat_map(|day| [7, 12, 18].map(|hour| (day, hour))) {
        let at = world.at(day, hour, 15, 0);
        let ip = hosted_runner(world, "release", day * 24 + hour);
        let place = Place { ip: &ip, agent: TERRAFORM, region: EUROPE };
        if day < world.days / 2 {
            world.spend_key(&caller, (at, MINUTE), 1, &IDENTITY_CHECK, place);
            world.spend_key(&caller, (at + MINUTE, 9 * MINUTE), 5, &CHANGES, place);
            world.moves(key, place, Some(role));
        } else {
            let mut spec = Assume::new(web.clone(), role, "release", at).from(&ip, GITHUB);
            spec.spelling = Spelling::Narrow;
            let session = world.assume(spec);
            world.spend(session, (at + SECOND, MINUTE), 1, &IDENTITY_CHECK, place);
            world.spend(session, (at + MINUTE, 9 * MINUTE), 5, &CHANGES, place);
        }
    }
}
