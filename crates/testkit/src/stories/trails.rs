//! What happens to the logs themselves: stopped and narrowed trails, late files, duplicates.

use super::{center::switch, trust};
use crate::apis::{CHANGES, LOOKS, Place};
use crate::json::Obj;
use crate::model::{
    Blackout, Caller, Class, DEVELOPMENT, EUROPE, GLOBAL, KeyIx, RecIx, SECURITY, World,
};
use crate::record::{BROWSER, CLI};
use crate::time::{DAY, HOUR, MINUTE, Micros, SECOND};

pub(super) fn tell(world: &mut World) {
    stopped(world);
    write_only(world);
    late(world);
    duplicated(world);
}

fn trail_event(world: &mut World, key: KeyIx, at: Micros, name: &'static str, request: Obj) {
    let mut call = world.call(&Caller::Key(key), at, "cloudtrail.amazonaws.com", name);
    call.region = EUROPE;
    call.read_only = false;
    call.class = Class::Iam;
    call.request = Some(request.end());
    call.agent = String::from(CLI);
    let record = world.emit(call);
    world.show(record);
}

/// The development trail stops for an hour, in which an instance there takes a role in production:
/// only the owner's copy is left, and the caller is known by its unique id alone.
fn stopped(world: &mut World) {
    world.scene(
        "trail_stopped",
        "a trail that is stopped for an hour: only the owner's copies are left",
    );
    let user = world.user(DEVELOPMENT, "/people/", "oskar");
    let key = world.key(user, 90);
    let account = world.id(DEVELOPMENT);
    let name = format!("arn:aws:cloudtrail:{EUROPE}:{account}:trail/main");
    let from = world.at(1, 12, 4, 50);
    let to = from + HOUR;
    trail_event(world, key, from, "StopLogging", Obj::new().str("name", &name));
    trail_event(world, key, to, "StartLogging", Obj::new().str("name", &name));
    world.blackouts.push(Blackout { account: DEVELOPMENT, from, to, read_only: false });
    let affected: Vec<_> = world
        .sessions
        .iter()
        .enumerate()
        .filter(|(_, session)| session.name == "app-7")
        .map(|(index, _)| crate::model::SessIx(index))
        .collect();
    for session in affected {
        world.also(
            "trail_stopped",
            "a trail that is stopped for an hour: only the owner's copies are left",
            session,
        );
    }
}

/// A write-only selector: AssumeRole is read-only and vanishes, the console's SwitchRole stays.
fn write_only(world: &mut World) {
    world.scene("console_switch_unpaired", "a console switch whose AssumeRole was not logged");
    let ivy = world.user(SECURITY, "/people/", "ivy");
    world.users[ivy.0].console = true;
    let key = world.key(ivy, 40);
    let trusted = trust::root(&world.id(SECURITY));
    let role = world.role(SECURITY, "/", "auditor", trusted);
    let ip = "203.0.113.26";
    let person = (ip.to_owned(), BROWSER.to_owned());
    let desk = Place { ip, agent: BROWSER, region: GLOBAL };
    let selectors = |kind: &str| {
        let selector = Obj::new()
            .str("readWriteType", kind)
            .bool("includeManagementEvents", true)
            .raw("dataResources", "[]")
            .end();
        Obj::new().str("trailName", "main").raw("eventSelectors", &format!("[{selector}]"))
    };
    let from = world.at(0, 15, 0, 0);
    let to = from + HOUR;
    trail_event(world, key, from, "PutEventSelectors", selectors("WriteOnly"));
    trail_event(world, key, to, "PutEventSelectors", selectors("All"));
    world.blackouts.push(Blackout { account: SECURITY, from, to, read_only: true });
    let login = world.console_login(ivy, from + 10 * MINUTE, &person, false);
    let session = switch(world, login, role, "ivy", from + 15 * MINUTE, ip);
    world.spend(session, (from + 16 * MINUTE, 10 * MINUTE), 2, &CHANGES, desk);
    // Uses after the hour make the role's ARN known.
    world.spend(session, (to + MINUTE, 10 * MINUTE), 3, &LOOKS, desk);
}

fn records_of(world: &World, scene: &str) -> Vec<RecIx> {
    let Some(scene) = world.scenes.get(scene) else { return Vec::new() };
    let mut records: Vec<RecIx> = scene
        .acts
        .iter()
        .flat_map(|act| world.acts[act.0].copies.iter().map(|(record, _)| *record))
        .collect();
    records.sort_unstable();
    records
}

/// GitLab's acts of every other day arrive 27 hours late; one arrives after three weeks.
fn late(world: &mut World) {
    world.scene("late", "files that are delivered days after their events");
    for (turn, record) in records_of(world, "gitlab_oidc").into_iter().enumerate() {
        if turn % 2 == 0 {
            let emitted = &mut world.records[record.0];
            emitted.delay = if turn == 0 { 21 * DAY } else { 27 * HOUR };
            // CloudTrail says so in the record.
            emitted.body.pop();
            emitted.body.push_str(r#","addendum":{"reason":"DELIVERY_DELAY"}}"#);
            world.show(record);
        }
    }
}

/// Some records come again: in a later file of the same trail, or twice within one file.
fn duplicated(world: &mut World) {
    world.scene("duplicates", "records that are delivered more than once");
    for (turn, record) in records_of(world, "github_oidc").into_iter().enumerate() {
        if turn % 3 == 0 {
            world.records[record.0].again = Some(2 * HOUR);
            world.show(record);
        }
    }
    for (turn, record) in records_of(world, "ec2_cross_account").into_iter().enumerate() {
        if turn % 7 == 0 {
            world.records[record.0].twice = true;
            world.show(record);
        }
    }
    // Not only credential events: uses and IAM changes too.
    for record in (0..world.records.len()).step_by(97) {
        let emitted = &mut world.records[record];
        if emitted.event_id.is_some() && emitted.again.is_none() && emitted.delay == 0 {
            emitted.again = Some(30 * MINUTE + 5 * SECOND);
        }
    }
}

/// The day on which production is logged by a second trail as well.
pub(crate) fn second_trail(world: &World) -> (Micros, Micros) {
    let from = world.at(1, 0, 0, 0);
    (from, from + DAY)
}
