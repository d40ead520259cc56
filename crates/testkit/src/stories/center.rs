//! Identity Center: three permission sets, a trusted second account, and root by AssumeRoot.

use super::trust;
use crate::apis::{CHANGES, LOOKS, Place};
use crate::json::Obj;
use crate::model::{
    AccountIx, Caller, Class, DEVELOPMENT, Dress, EUROPE, GLOBAL, MANAGEMENT, PRODUCTION, RecIx,
    RoleIx, SECURITY, SessIx, World,
};
use crate::record::{BROWSER, CLI};
use crate::sts::{Assume, browser};
use crate::time::{HOUR, MINUTE, Micros, SECOND};

/// A person in the directory.
struct Person {
    name: &'static str,
    user_id: String,
    ip: &'static str,
}

/// A permission set as it stands in one account.
#[derive(Clone)]
struct Assigned {
    role: RoleIx,
    account: AccountIx,
    set: &'static str,
    provider_arn: String,
}

pub(super) fn tell(world: &mut World) {
    let sets = [
        assign(world, MANAGEMENT, "AdministratorAccess"),
        assign(world, PRODUCTION, "ReadOnlyAccess"),
        assign(world, DEVELOPMENT, "DataScientist"),
    ];
    permission_sets(world, &sets);
    trusted_account(world);
}

fn person(world: &mut World, name: &'static str, ip: &'static str) -> Person {
    Person { name, user_id: world.dice.uuid(), ip }
}

fn assign(world: &mut World, account: AccountIx, set: &'static str) -> Assigned {
    let provider = world.dice.hex(16);
    let provider_arn =
        format!("arn:aws:iam::{}:saml-provider/AWSSSO_{provider}_DO_NOT_DELETE", world.id(account));
    let name = format!("AWSReservedSSO_{set}_{}", world.dice.hex(16));
    let path = format!("/aws-reserved/sso.amazonaws.com/{EUROPE}/");
    let role = world.role(account, &path, &name, trust::saml(&provider_arn));
    Assigned { role, account, set, provider_arn }
}

/// The portal's own record, in the account that owns the instance.
fn portal(
    world: &mut World,
    who: &Person,
    name: &'static str,
    set: &Assigned,
    at: Micros,
) -> RecIx {
    let caller = Caller::Portal { user_id: who.user_id.clone() };
    let mut call = world.call(&caller, at, "sso.amazonaws.com", name);
    call.account = MANAGEMENT;
    call.region = EUROPE;
    call.ip = who.ip.to_owned();
    call.agent = String::from(BROWSER);
    call.event_type = "AwsServiceEvent";
    call.read_only = true;
    if matches!(name, "Federate" | "GetRoleCredentials") {
        call.class = Class::Credential;
        call.service_details = Some(
            Obj::new()
                .str("role_name", set.set)
                .str("account_id", &world.accounts[set.account].id)
                .end(),
        );
    }
    call.host = None;
    let record = world.emit(call);
    if matches!(name, "Federate" | "GetRoleCredentials") {
        world.show(record);
    }
    record
}

/// A person gets a session of a permission set, by CLI or in the console.
fn enter(world: &mut World, who: &Person, set: &Assigned, at: Micros, console: bool) -> SessIx {
    portal(world, who, "Authenticate", set, at - 4 * SECOND);
    let name = if console { "Federate" } else { "GetRoleCredentials" };
    portal(world, who, name, set, at - SECOND);
    let qualifier = format!("{}=", world.dice.text("ABCDEFghijkl0123456789+/", 27));
    let caller = Caller::Saml {
        provider_arn: set.provider_arn.clone(),
        qualifier,
        subject: who.name.to_owned(),
    };
    let agent = if console { BROWSER } else { CLI };
    let mut spec =
        Assume::new(caller, set.role, who.name, at).lasting(28_800).from(who.ip, "aws-internal/3");
    // The answer's key is not the one that the person gets.
    spec.other_key = true;
    spec.dress = Dress { on_behalf_of: Some(who.user_id.clone()), console, ..Dress::default() };
    let session = world.assume(spec);
    if console {
        let additional = Obj::new()
            .str("MobileVersion", "No")
            .str("MFAUsed", "No")
            .str("SamlProviderArn", &set.provider_arn)
            .end();
        // The identity is the session already, and carries neither key nor context.
        let record = world.sign_in(
            set.role,
            who.name,
            at + 2 * SECOND,
            "ConsoleLogin",
            additional,
            (who.ip, agent),
        );
        world.show(record);
    }
    session
}

fn permission_sets(world: &mut World, sets: &[Assigned; 3]) {
    let alice = person(world, "alice@example.com", "203.0.113.10");
    let bob = person(world, "bob@example.com", "203.0.113.11");
    let carol = person(world, "carol@example.com", "203.0.113.12");
    for day in 0..world.days {
        world.scene("identity_center", "people of Identity Center with three permission sets");
        let at = world.at(day, 8, 3, 20);
        let admin = enter(world, &alice, &sets[0], at, false);
        let desk = Place { ip: alice.ip, agent: CLI, region: GLOBAL };
        world.spend(admin, (at + MINUTE, HOUR), 3, &LOOKS, desk);
        let reader = enter(world, &bob, &sets[1], at + 17 * MINUTE, true);
        let desk = Place { ip: bob.ip, agent: BROWSER, region: EUROPE };
        world.spend(reader, (at + 19 * MINUTE, 2 * HOUR), 4, &LOOKS, desk);
        let scientist = enter(world, &carol, &sets[2], at + 31 * MINUTE, day % 2 == 0);
        let desk = Place { ip: carol.ip, agent: BROWSER, region: EUROPE };
        world.spend(scientist, (at + 33 * MINUTE, 2 * HOUR), 3, &LOOKS, desk);

        if day % 2 == 0 {
            world.scene("assume_root", "an administrator becomes root of a member account");
            let root_at = at + 47 * MINUTE;
            let target = if day % 4 == 0 { DEVELOPMENT } else { SECURITY };
            let root = world.assume_root(admin, target, root_at);
            root_work(world, root, root_at + 5 * SECOND, alice.ip);
        }
    }
}

fn root_work(world: &mut World, session: SessIx, at: Micros, ip: &str) {
    for (offset, name, read_only) in
        [(0, "GetBucketPolicy", true), (20, "DeleteBucketPolicy", false)]
    {
        let mut call =
            world.call(&Caller::Session(session), at + offset * SECOND, "s3.amazonaws.com", name);
        call.ip = ip.to_owned();
        call.read_only = read_only;
        call.region = EUROPE;
        call.request = Some(
            Obj::new()
                .str("bucketName", "locked-out")
                .str("Host", "locked-out.s3.eu-west-1.amazonaws.com")
                .str("policy", "")
                .end(),
        );
        let record = world.emit(call);
        world.show(record);
    }
}

/// The warehouse trusts the whole partner account, without an external id. The partner's people come
/// from Identity Center, by CLI and by console.
fn trusted_account(world: &mut World) {
    let (partner, warehouse) = (world.partner, world.warehouse);
    let set = assign(world, partner, "Analyst");
    let root = trust::root(&world.id(partner));
    let role = world.role(warehouse, "/shared/", "shared-analytics", root);
    let dora = person(world, "dora@partner.example", "192.0.2.31");
    let emil = person(world, "emil@partner.example", "192.0.2.32");
    for day in 0..world.days {
        world.scene(
            "root_trusted_cli",
            "an account trusted as root without external id: its people come by CLI",
        );
        let at = world.at(day, 9, 30, 0);
        let session = enter(world, &dora, &set, at, false);
        let desk = Place { ip: dora.ip, agent: CLI, region: EUROPE };
        world.spend(session, (at + MINUTE, 20 * MINUTE), 2, &LOOKS, desk);
        for (turn, minute) in [25, 95].into_iter().enumerate() {
            let from = at + minute * MINUTE;
            let name = if turn == 0 {
                dora.name.to_owned()
            } else {
                format!("botocore-session-{}", from / SECOND)
            };
            let mut spec =
                Assume::new(Caller::Session(session), role, &name, from).from(dora.ip, CLI);
            spec.region = EUROPE;
            let child = world.assume(spec);
            world.spend(child, (from + 2 * SECOND, 40 * MINUTE), 3, &LOOKS, desk);
        }
        world.scene(
            "root_trusted_console",
            "an account trusted as root without external id: its people come by console",
        );
        let at = world.at(day, 14, 10, 0);
        let session = enter(world, &emil, &set, at, true);
        let from = at + 6 * MINUTE;
        let child = switch(world, session, role, emil.name, from, emil.ip);
        let desk = Place { ip: emil.ip, agent: BROWSER, region: EUROPE };
        world.spend(child, (from + 4 * SECOND, 30 * MINUTE), 3, &LOOKS, desk);
        world.spend(child, (from + 31 * MINUTE, 2 * MINUTE), 1, &CHANGES, desk);
    }
}

/// The console switches role for whoever is signed in: STS logs `AWS Internal`, the console the person.
pub(super) fn switch(
    world: &mut World,
    from: SessIx,
    role: RoleIx,
    name: &str,
    at: Micros,
    ip: &str,
) -> SessIx {
    let mut spec =
        Assume::new(Caller::Session(from), role, name, at).from("AWS Internal", "AWS Internal");
    spec.console = Some(browser(ip));
    spec.other_key = true;
    spec.dress = Dress { console: true, ..Dress::default() };
    world.assume(spec)
}
