//! Keys on their way out: half moved to a role, with a role that nobody uses yet, switched off early or late, and in
//! the hands of a vendor.

use super::changes::change;
use super::federation;
use crate::apis::{CHANGES, LOOKS, Place};
use crate::json::Obj;
use crate::model::{AccountIx, Caller, DEVELOPMENT, EUROPE, KeyIx, PRODUCTION, World};
use crate::record::{GITHUB, PYTHON, TERRAFORM};
use crate::sts::Assume;
use crate::time::{DAY, MINUTE, Micros, SECOND};

pub(super) fn tell(world: &mut World) {
    half_migrated(world);
    unproven(world);
    switched_off(world);
    foreign(world);
}

fn new_key(world: &mut World, account: AccountIx, path: &str, name: &str) -> KeyIx {
    let user = world.user(account, path, name);
    world.key(user, 500)
}

/// All the changes there are, once, so that every day of a job is like the others.
fn job(world: &mut World, caller: &Caller, at: Micros, place: Place) {
    for (api, step) in CHANGES.iter().zip(0..) {
        world.work(caller, at + step * MINUTE, api, place);
    }
}

/// Looks at what there is and changes half of it: work that no release does.
fn build(world: &mut World, caller: &Caller, at: Micros, place: Place) {
    for (api, step) in LOOKS[..3].iter().chain(&CHANGES[..3]).zip(0..) {
        world.work(caller, at + step * MINUTE, api, place);
    }
}

/// One key in two jobs. One of them takes a role from half-way on, the other goes on as before.
fn half_migrated(world: &mut World) {
    world.scene("key_half_migrated", "a key of two CI jobs, one of which has moved to a role");
    let key = new_key(world, PRODUCTION, "/ci/", "nightly-build");
    let subject = "repo:acme/build:ref:refs/heads/main";
    let (web, trusted) = federation::github_job(world, subject);
    let role = world.role(PRODUCTION, "/ci/", "github-build", trusted);
    // Runners of one's own, in two data centres.
    let moved = Place { ip: "192.0.2.141", agent: TERRAFORM, region: EUROPE };
    let left = Place { ip: "198.51.100.142", agent: TERRAFORM, region: EUROPE };
    for day in 0..world.days {
        let at = world.at(day, 6, 35, 0);
        build(world, &Caller::Key(key), at + 10 * MINUTE, left);
        if day < world.days / 2 {
            build(world, &Caller::Key(key), at, moved);
        } else {
            let spec = Assume::new(web.clone(), role, "build", at).from(moved.ip, GITHUB);
            let session = world.assume(spec);
            build(world, &Caller::Session(session), at + SECOND, moved);
        }
    }
    world.moves(key, moved, Some(role));
}

/// The classic accident in the making: the role is there, and the job has never taken it.
fn unproven(world: &mut World) {
    world.scene("key_role_unproven", "a key in use, and a role made for its job that nobody uses");
    let key = new_key(world, PRODUCTION, "/ci/", "deploy-bot");
    let (_, trusted) = federation::github_job(world, "repo:acme/deploy:ref:refs/heads/main");
    let role = world.role(PRODUCTION, "/ci/", "github-next-deploy", trusted);
    world.roles[role.0].created = world.end() - 30 * DAY;
    for (day, hour) in (0..world.days).flat_map(|day| [6, 14].map(|hour| (day, hour))) {
        let at = world.at(day, hour, 5, 0);
        let ip = federation::hosted_runner(world, "deploy", day * 24 + hour);
        let place = Place { ip: &ip, agent: TERRAFORM, region: EUROPE };
        job(world, &Caller::Key(key), at, place);
        world.moves(key, place, None);
    }
}

/// Three keys are deactivated: one in use, one idle for long, and one idle for long but only just.
fn switched_off(world: &mut World) {
    let builder = world.keys.iter().position(|key| {
        let user = &world.users[key.user.0];
        user.name == "terraform-dev"
    });
    let Some(builder) = builder.map(KeyIx) else { return };
    let place = Place { ip: "203.0.113.64", agent: PYTHON, region: EUROPE };

    world.scene("key_off_in_use", "a key that is deactivated the day after it was used");
    let key = new_key(world, DEVELOPMENT, "/system/", "sunset-job");
    let at = world.at(0, 6, 20, 0);
    job(world, &Caller::Key(key), at, place);
    switch_off(world, builder, key, world.at(1, 6, 0, 0));

    world.scene("key_off_idle", "a key that is deactivated after a hundred idle days");
    let key = new_key(world, DEVELOPMENT, "/system/", "archived-job");
    world.keys[key.0].used_before = Some(world.start - 100 * DAY);
    switch_off(world, builder, key, world.at(1, 6, 10, 0));

    world.scene("key_off_lately", "an idle key that is deactivated hours before the end");
    let key = new_key(world, DEVELOPMENT, "/system/", "paused-job");
    world.keys[key.0].used_before = Some(world.start - 100 * DAY);
    switch_off(world, builder, key, world.at(world.days - 1, 17, 10, 0));
}

fn switch_off(world: &mut World, by: KeyIx, key: KeyIx, at: Micros) {
    let (id, name) = {
        let key = &world.keys[key.0];
        (key.id.clone(), world.users[key.user.0].name.clone())
    };
    let request =
        Obj::new().str("userName", &name).str("accessKeyId", &id).str("status", "Inactive");
    let record = change(world, by, at, "UpdateAccessKey", request, None);
    world.keys[key.0].active = false;
    world.keys[key.0].switched_off = Some(record);
}

/// A key that was handed to a vendor, who uses it from an address of his own.
fn foreign(world: &mut World) {
    world.scene("key_of_a_vendor", "a key that a vendor uses from an address of its own");
    let key = new_key(world, PRODUCTION, "/vendors/", "vendor-sync");
    let place = Place { ip: "192.0.2.210", agent: PYTHON, region: EUROPE };
    for day in 0..world.days {
        for hour in [3, 15] {
            let at = world.at(day, hour, 21, 0);
            job(world, &Caller::Key(key), at, place);
        }
    }
}
