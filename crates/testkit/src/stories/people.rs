//! People with IAM users, and what they can ask for: MFA, tags, policies, chains, federation.

use super::{center::switch, trust, workloads::deploy};
use crate::apis::{CHANGES, IDENTITY_CHECK, LOOKS, Place};
use crate::json::Obj;
use crate::model::{
    Caller, DEVELOPMENT, Dress, EUROPE, GLOBAL, KeyIx, MANAGEMENT, PRODUCTION, RoleIx, UserIx,
    World,
};
use crate::record::{BROWSER, CLI, PYTHON};
use crate::sts::{Assume, pair};
use crate::time::{DAY, HOUR, MINUTE, SECOND, Spelling};

const HOME: &str = "203.0.113.20";

/// The users and roles that these stories share.
struct Cast {
    grace: UserIx,
    grace_key: KeyIx,
    operators: RoleIx,
    administrators: RoleIx,
}

pub(super) fn tell(world: &mut World) {
    let management = world.id(MANAGEMENT);
    let grace = world.user(MANAGEMENT, "/people/", "grace");
    let grace_key = world.key(grace, 300);
    let trusted = trust::root(&management);
    let operators = world.role(PRODUCTION, "/", "ops-readonly", trusted.clone());
    let administrators = world.role(PRODUCTION, "/", "ops-admin", trusted);
    let cast = Cast { grace, grace_key, operators, administrators };
    console(world, &cast);
    command_line(world, &cast);
    multi_factor(world, &cast);
    chain(world, &cast);
    same_account(world);
    vendor(world);
    broker(world);
}

fn console(world: &mut World, cast: &Cast) {
    let frank = world.user(MANAGEMENT, "/people/", "frank");
    world.users[frank.0].console = true;
    let ip = "203.0.113.21";
    for day in 0..world.days {
        world.scene("console_switch", "an IAM user signs in to the console and switches role");
        let at = world.at(day, 10, 30, 0);
        let person = (ip.to_owned(), BROWSER.to_owned());
        let login = world.console_login(frank, at, &person, true);
        let desk = Place { ip, agent: BROWSER, region: GLOBAL };
        world.spend(login, (at + 20 * SECOND, 3 * MINUTE), 2, &LOOKS, desk);
        let from = at + 5 * MINUTE;
        let session = switch(world, login, cast.administrators, "frank", from, ip);
        world.spend(session, (from + 5 * SECOND, 25 * MINUTE), 3, &LOOKS, desk);
        world.spend(session, (from + 26 * MINUTE, MINUTE), 1, &CHANGES, desk);
        let back = Obj::new()
            .str("SwitchFrom", &world.session_arn(session))
            .str("RedirectTo", "https://console.aws.amazon.com/console/home")
            .end();
        let record = world.sign_in(
            cast.administrators,
            "frank",
            from + 40 * MINUTE,
            "ExitRole",
            back,
            (ip, BROWSER),
        );
        world.show(record);
    }
}

fn command_line(world: &mut World, cast: &Cast) {
    let caller = Caller::Key(cast.grace_key);
    let desk = Place { ip: HOME, agent: CLI, region: EUROPE };
    for day in 0..world.days {
        world.scene("source_profile", "a CLI profile with source_profile takes a role with a key");
        world.show_key(cast.grace_key);
        for hour in [9, 15] {
            let at = world.at(day, hour, 50, 12);
            let name = format!("botocore-session-{}", at / SECOND);
            let mut spec = Assume::new(caller.clone(), cast.operators, &name, at).from(HOME, CLI);
            if hour == 15 {
                // The global endpoint, served locally: logged in us-east-1 all the same.
                spec.additional = Some(super::workloads::endpoint("global", EUROPE));
            }
            let session = world.assume(spec);
            world.spend(session, (at + SECOND, 40 * MINUTE), 3, &LOOKS, desk);
        }
    }
}

fn multi_factor(world: &mut World, cast: &Cast) {
    let caller = Caller::Key(cast.grace_key);
    let desk = Place { ip: HOME, agent: CLI, region: GLOBAL };
    for day in 0..world.days {
        let at = world.at(day, 11, 5, 9);
        world.scene("mfa", "a role is taken with MFA");
        let mut spec =
            Assume::new(caller.clone(), cast.administrators, "grace", at).from(HOME, CLI);
        spec.serial = Some(world.serial(cast.grace));
        let session = world.assume(spec);
        world.spend(session, (at + SECOND, 30 * MINUTE), 2, &CHANGES, desk);

        world.scene("session_policy", "a session policy narrows the session");
        let at = at + 45 * MINUTE;
        let mut spec = Assume::new(caller.clone(), cast.operators, "narrow", at).from(HOME, CLI);
        spec.policy = Some(String::from(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"}]}"#,
        ));
        spec.policy_arns = vec![String::from("arn:aws:iam::aws:policy/ReadOnlyAccess")];
        spec.spelling = Spelling::Plain;
        let session = world.assume(spec);
        world.spend(session, (at + SECOND, 10 * MINUTE), 2, &LOOKS, desk);

        world.scene("twelve_hours", "a session of twelve hours");
        let at = at + 20 * MINUTE;
        let spec = Assume::new(caller.clone(), cast.operators, "long-watch", at).lasting(43_200);
        let session = world.assume(spec);
        world.spend(session, (at + SECOND, 11 * HOUR), 5, &LOOKS, desk);

        world.scene("get_session_token", "a user trades its key for a session with MFA");
        let at = at + 30 * MINUTE;
        let token = world.get_session_token(cast.grace_key, at, 43_200);
        world.spend(token, (at + SECOND, 2 * HOUR), 3, &LOOKS, desk);
        world.scene("role_from_session_token", "a role is taken from a GetSessionToken session");
        let at = at + 7 * MINUTE;
        let spec = Assume::new(Caller::Session(token), cast.administrators, "grace-token", at)
            .from(HOME, CLI);
        let session = world.assume(spec);
        world.spend(session, (at + SECOND, 10 * MINUTE), 2, &CHANGES, desk);
    }
}

/// A user, a jump role, a deployment role, a release role: source identity and tags go all the way.
fn chain(world: &mut World, cast: &Cast) {
    let management = world.id(MANAGEMENT);
    let development = world.id(DEVELOPMENT);
    let trusted = trust::arn(&world.users[cast.grace.0].arn.clone());
    let jump = world.role(MANAGEMENT, "/", "jump", trusted);
    let trusted = trust::arn(&format!("arn:aws:iam::{management}:role/jump"));
    let stage = world.role(DEVELOPMENT, "/deploy/", "stage", trusted);
    let trusted = trust::arn(&format!("arn:aws:iam::{development}:role/deploy/stage"));
    let release = world.role(PRODUCTION, "/deploy/", "release", trusted);
    let desk = Place { ip: HOME, agent: PYTHON, region: EUROPE };
    for day in 0..world.days {
        world.scene("role_chain", "role chaining three deep, from a user's key");
        let at = world.at(day, 16, 45, 0);
        let mut spec =
            Assume::new(Caller::Key(cast.grace_key), jump, "grace", at).from(HOME, PYTHON);
        spec.source_identity = Some(String::from("grace"));
        spec.tags = vec![pair("Team", "platform"), pair("Ticket", "OPS-4711")];
        spec.transitive = vec![String::from("Ticket")];
        let first = world.assume(spec);
        let mut spec = Assume::new(Caller::Session(first), stage, "grace", at + MINUTE)
            .lasting(3_600)
            .from(HOME, PYTHON);
        spec.source_identity = Some(String::from("grace"));
        let second = world.assume(spec);
        // The last hop does not send the source identity again: it is carried over all the same.
        let third = world.assume(
            Assume::new(Caller::Session(second), release, "grace", at + 2 * MINUTE)
                .from(HOME, PYTHON),
        );
        world.spend(second, (at + 90 * SECOND, 10 * SECOND), 1, &IDENTITY_CHECK, desk);
        deploy(world, third, at + 3 * MINUTE, desk);
        for session in [first, second, third] {
            world.also(
                "source_identity",
                "a source identity that is carried along a chain",
                session,
            );
        }
        world.also("session_tags", "session tags, one of them transitive", first);
    }
}

fn same_account(world: &mut World) {
    let henry = world.user(DEVELOPMENT, "/", "henry");
    let key = world.key(henry, 120);
    let trusted = trust::arn(&world.users[henry.0].arn.clone());
    let role = world.role(DEVELOPMENT, "/", "db-admin", trusted);
    let desk = Place { ip: "203.0.113.24", agent: CLI, region: EUROPE };
    for day in 0..world.days {
        world.scene("same_account_user", "a user named in the trust policy in the same account");
        let at = world.at(day, 13, 13, 13);
        let mut spec =
            Assume::new(Caller::Key(key), role, "henry", at).lasting(3_600).from(desk.ip, CLI);
        // Too large a request is left out of the record: the role stands in `resources` only.
        spec.request_omitted = day % 5 == 4;
        let session = world.assume(spec);
        world.spend(session, (at + SECOND, 20 * MINUTE), 2, &LOOKS, desk);
    }
}

fn vendor(world: &mut World) {
    let vendor = world.id(world.vendor);
    let trusted = trust::external(&vendor, "acme-7d41c0");
    let role = world.role(PRODUCTION, "/vendors/", "vendor-monitor", trusted);
    let id = world.unique(world.vendor, "AROA", 21);
    let caller = Caller::External { account_id: vendor, principal: format!("{id}:collector") };
    let desk = Place { ip: "192.0.2.200", agent: PYTHON, region: EUROPE };
    for day in 0..world.days {
        world.scene("vendor_external_id", "a vendor's account takes a role with an external id");
        for hour in [0, 6, 12, 18] {
            let at = world.at(day, hour, 33, 0);
            let name = format!("collector-{}", at / DAY);
            let mut spec =
                Assume::new(caller.clone(), role, &name, at).lasting(3_600).from(desk.ip, PYTHON);
            spec.external_id = Some(String::from("acme-7d41c0"));
            let session = world.assume(spec);
            world.spend(session, (at + SECOND, 20 * MINUTE), 4, &LOOKS, desk);
        }
    }
}

fn broker(world: &mut World) {
    let user = world.user(DEVELOPMENT, "/system/", "token-broker");
    let key = world.key(user, 700);
    let desk = Place { ip: "203.0.113.30", agent: PYTHON, region: GLOBAL };
    for day in 0..world.days {
        world.scene("federation_token", "a broker's key makes federation tokens for others");
        let at = world.at(day, 12, 20, 0);
        let name = format!("guest-{}", day % 3);
        let session = world.get_federation_token(key, &name, at, 7_200);
        world.sessions[session.0].dress = Dress::default();
        world.spend(session, (at + SECOND, HOUR), 2, &LOOKS, desk);
    }
}
