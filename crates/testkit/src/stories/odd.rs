//! Refusals, and shapes that are easy to get wrong.

use super::trust;
use crate::apis::{LOOKS, Place};
use crate::json::Obj;
use crate::model::{
    Caller, Class, DEVELOPMENT, EUROPE, Emitted, GLOBAL, MANAGEMENT, PRODUCTION, RecIx, Signer,
    World,
};
use crate::record::{BROWSER, CLI, PYTHON};
use crate::sts::Assume;
use crate::time::{HOUR, MINUTE, Micros, SECOND, iso};

pub(super) fn tell(world: &mut World) {
    denials(world);
    service_calls(world);
    self_assumption(world);
    key_reuse(world);
    correction(world);
    ancient(world);
    hostile(world);
    rejected(world);
}

fn denials(world: &mut World) {
    let mallory = world.user(DEVELOPMENT, "/people/", "mallory");
    let key = world.key(mallory, 60);
    let caller = Caller::Key(key);
    let development = world.id(DEVELOPMENT);
    let production = world.id(PRODUCTION);
    let near = format!("arn:aws:iam::{development}:role/db-admin");
    let far = format!("arn:aws:iam::{production}:role/ops-admin");
    for day in 0..world.days {
        world.scene("denied_same_account", "a refused call: its role stands in the message only");
        world.refuse(&caller, &near, world.at(day, 18, 2, 1));
        world.scene(
            "denied_cross_account",
            "a refused call across accounts: the owner logs nothing",
        );
        world.refuse(&caller, &far, world.at(day, 18, 2, 31));
    }
    world.scene("denied_expired", "a call with expired credentials: the request is kept");
    let trusted = trust::root(&development);
    let role = world.role(DEVELOPMENT, "/", "nightly", trusted);
    let at = world.at(0, 4, 4, 4);
    let session = world.assume(Assume::new(caller, role, "nightly", at).lasting(900));
    let desk = Place { ip: "203.0.113.25", agent: CLI, region: EUROPE };
    world.spend(session, (at + SECOND, 10 * MINUTE), 2, &LOOKS, desk);
    world.refuse_expired(session, role, "again", at + 20 * MINUTE);

    world.scene("failed_login", "a sign-in that failed: no error code");
    let person = (String::from("203.0.113.99"), BROWSER.to_owned());
    let mut call = world.console_login_call(mallory, world.at(0, 18, 30, 0), &person);
    call.failed_quietly = true;
    call.additional = Some(
        Obj::new()
            .str("LoginTo", "https://console.aws.amazon.com/console/home")
            .str("MobileVersion", "No")
            .str("MFAUsed", "No")
            .end(),
    );
    call.response = Some(Obj::new().str("ConsoleLogin", "Failure").end());
    let record = world.emit(call);
    world.show(record);
}

/// A service-linked role: most of its calls carry no access key.
fn service_calls(world: &mut World) {
    let trusted = trust::service("config.amazonaws.com");
    let role = world.role(
        PRODUCTION,
        "/aws-service-role/config.amazonaws.com/",
        "AWSServiceRoleForConfig",
        trusted,
    );
    for day in 0..world.days {
        world.scene("service_calls", "a service's calls in a role session carry no access key");
        for hour in [5, 17] {
            let at = world.at(day, hour, 55, 5);
            let mut spec =
                Assume::service("config.amazonaws.com", role, "configRecorder", at).lasting(3_600);
            spec.region = EUROPE;
            let session = world.assume(spec);
            let caller = Caller::Forwarded(session, "config.amazonaws.com");
            let place = Place { ip: "", agent: "", region: EUROPE };
            world.spend_key(&caller, (at + SECOND, 50 * MINUTE), 4, &LOOKS, place);
        }
    }
}

/// A role that takes itself, by old custom rather than by its trust policy.
fn self_assumption(world: &mut World) {
    world.scene("implicit_trust", "a role takes itself though its trust policy does not say so");
    let trusted = trust::service("ec2.amazonaws.com");
    let role = world.role(DEVELOPMENT, "/legacy/", "self-starter", trusted);
    let at = world.at(0, 6, 6, 6);
    let first = world.assume(Assume::service("ec2.amazonaws.com", role, "i-00000000000000042", at));
    let mut spec = Assume::new(Caller::Session(first), role, "self", at + MINUTE);
    spec.additional = Some(Obj::new().bool("explicitTrustGrant", false).end());
    let second = world.assume(spec);
    let place = Place { ip: "198.51.100.60", agent: PYTHON, region: EUROPE };
    world.spend(second, (at + 2 * MINUTE, 10 * MINUTE), 2, &LOOKS, place);
}

/// Temporary key ids come back: two sessions of different roles, hours apart, one id.
fn key_reuse(world: &mut World) {
    world.scene("key_reuse", "one temporary access key id in two sessions, far apart in time");
    let trusted = trust::service("lambda.amazonaws.com");
    let one = world.role(PRODUCTION, "/service-role/", "resize-role", trusted.clone());
    let two = world.role(PRODUCTION, "/service-role/", "invoice-role", trusted);
    let key = world.temporary_key(PRODUCTION);
    let place = Place { ip: "198.51.100.92", agent: PYTHON, region: EUROPE };
    let days = [(one, "resize", 0, 2), (two, "invoice", world.days - 1, 20)];
    for (role, name, day, hour) in days {
        let at = world.at(day, hour, 44, 0);
        let mut spec = Assume::service("lambda.amazonaws.com", role, name, at);
        spec.terse = true;
        spec.fixed_key = Some(key.clone());
        let session = world.assume(spec);
        world.spend(session, (at + SECOND, 40 * MINUTE), 3, &LOOKS, place);
    }
}

/// CloudTrail sends an event again with a field set right; the first one no longer counts.
fn correction(world: &mut World) {
    world.scene("correction", "an event that a later one replaces");
    let trusted = trust::service("ecs-tasks.amazonaws.com");
    let role = world.role(PRODUCTION, "/", "search-task", trusted);
    let at = world.at(0, 13, 3, 50);
    let task = world.dice.hex(32);
    let mut spec = Assume::service("ecs-tasks.amazonaws.com", role, &task, at);
    spec.corrects = Some(String::from("unknown"));
    let session = world.assume(spec);
    let place = Place { ip: "198.51.100.93", agent: PYTHON, region: EUROPE };
    world.spend(session, (at + SECOND, 30 * MINUTE), 2, &LOOKS, place);
}

/// Records as they were in 2014: no event id, no recipient, no type.
fn ancient(world: &mut World) {
    world.scene("old_shape", "records of eventVersion 1.01: no event id, no recipient account");
    let user = world.user(MANAGEMENT, "/", "museum");
    let key = world.key(user, 390);
    let caller = Caller::Key(key);
    let trusted = trust::root(&world.id(MANAGEMENT));
    let role = world.role(MANAGEMENT, "/", "archive", trusted);
    let at = world.at(0, 12, 34, 56);
    let mut spec = Assume::new(caller.clone(), role, "museum", at).from("203.0.113.80", CLI);
    spec.ancient = true;
    let session = world.assume(spec);
    let place = Place { ip: "203.0.113.80", agent: CLI, region: GLOBAL };
    world.spend(session, (at + SECOND, 5 * MINUTE), 2, &LOOKS, place);
    for step in 0..3 {
        let mut call =
            world.call(&caller, at + step * HOUR, "ec2.amazonaws.com", "DescribeRegions");
        call.ancient = true;
        call.request = Some(String::from(r#"{"regionSet":{}}"#));
        world.emit(call);
    }
}

/// Text that whoever calls may choose: markup, a formula, terminal escapes, quotes.
fn hostile(world: &mut World) {
    world.scene("hostile", "a user agent that attacks terminals, spreadsheets and web pages");
    let eve = world.user(DEVELOPMENT, "/people/", "eve");
    let key = world.key(eve, 20);
    let trusted = trust::root(&world.id(DEVELOPMENT));
    let role = world.role(DEVELOPMENT, "/", "scratch", trusted);
    let agent =
        "=HYPERLINK(\"http://203.0.113.1/\",\"x\")<script>alert('x')</script>\u{1b}[2J|';--";
    let at = world.at(0, 19, 19, 19);
    let spec = Assume::new(Caller::Key(key), role, "=1+1@eve", at).from("203.0.113.66", agent);
    let session = world.assume(spec);
    let place = Place { ip: "203.0.113.66", agent, region: EUROPE };
    world.spend(session, (at + SECOND, MINUTE), 2, &LOOKS, place);
}

/// Elements of `Records` that are no records.
fn rejected(world: &mut World) {
    world.scene("rejected", "elements that must be rejected, and counted");
    let at = world.at(0, 11, 11, 0);
    let good = |field: &str| {
        format!(
            r#"{{"eventVersion":"1.08","userIdentity":{{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}},{field}"awsRegion":"us-east-1","sourceIPAddress":"ec2.amazonaws.com","userAgent":"ec2.amazonaws.com"}}"#
        )
    };
    let time = iso(at);
    let bodies = [
        String::from("\"a record, once\""),
        String::from("null"),
        String::from("17"),
        good(r#""eventSource":"sts.amazonaws.com","eventName":"AssumeRole","#),
        good(&format!(r#""eventTime":"{time}","eventName":"AssumeRole","#)),
        good(&format!(r#""eventTime":"{time}","eventSource":"sts.amazonaws.com","#)),
        good(
            r#""eventTime":"yesterday","eventSource":"sts.amazonaws.com","eventName":"AssumeRole","#,
        ),
    ];
    for body in bodies {
        world.records.push(no_record(body, at));
        let record = RecIx(world.records.len() - 1);
        world.show(record);
    }
}

fn no_record(body: String, at: Micros) -> Emitted {
    Emitted {
        event_id: None,
        at,
        account: MANAGEMENT,
        region: GLOBAL,
        class: Class::Rejected,
        label: None,
        signer: Signer::Nobody,
        signing_key: None,
        caller: None,
        failed: false,
        read_only: false,
        shows: Vec::new(),
        body,
        delay: 0,
        again: None,
        twice: false,
        lost: false,
    }
}
