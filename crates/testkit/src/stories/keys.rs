//! Long-term access keys: busy, idle for 200 days, never used, forwarded by a service, and those that no
//! log shows.

use crate::apis::{CHANGES, LOOKS, Place};
use crate::model::{Caller, DEVELOPMENT, EUROPE, KeyIx, MANAGEMENT, PRODUCTION, UserInfo, World};
use crate::record::PYTHON;
use crate::time::{DAY, HOUR, MINUTE};

pub(super) fn tell(world: &mut World) {
    world.scene("key_busy", "an access key that is used all day");
    let user = world.user(DEVELOPMENT, "/system/", "backup-agent");
    let busy = world.key(user, 600);
    let place = Place { ip: "203.0.113.60", agent: PYTHON, region: EUROPE };
    for day in 0..world.days {
        let at = world.at(day, 0, 7, 0);
        world.spend_key(&Caller::Key(busy), (at, 23 * HOUR), 24, &LOOKS, place);
        world.spend_key(&Caller::Key(busy), (at + 9 * MINUTE, HOUR), 1, &CHANGES, place);
        // A service that acts for the user keeps the key and adds a session context.
        let forwarded = Caller::ForwardedKey(busy, "athena.amazonaws.com", None);
        let at = world.at(day, 20, 7, 30);
        world.spend_key(&forwarded, (at, MINUTE), 2, &LOOKS, place);
    }

    world.scene("key_idle", "an access key that was last used 200 days before the end");
    let user = world.user(PRODUCTION, "/legacy/", "quarterly-report");
    let idle = world.key(user, 1_000);
    let last = world.end() - 200 * DAY;
    world.keys[idle.0].used_before = Some(last);
    if last >= world.start {
        let place = Place { ip: "203.0.113.61", agent: PYTHON, region: EUROPE };
        world.spend_key(&Caller::Key(idle), (last - 10 * MINUTE, 11 * MINUTE), 5, &LOOKS, place);
        let used = world.records.last().map_or(last, |record| record.at);
        world.keys[idle.0].used_before = Some(used);
    }

    world.scene("key_never_used", "access keys that were never used");
    let user = world.user(MANAGEMENT, "/people/", "noor");
    world.key(user, 150);
    let user = world.user(PRODUCTION, "/system/", "mail-relay");
    let inactive = world.key(user, 800);
    world.keys[inactive.0].active = false;
}

/// S3 that reads encrypted objects for a user asks KMS with a key of its own: no session, and no sign-in that is missing.
pub(super) fn forwarded(world: &mut World) {
    let is_busy = |user: &UserInfo| user.name == "backup-agent";
    let Some(busy) = world.keys.iter().position(|key| is_busy(&world.users[key.user.0])) else {
        return;
    };
    let place = Place { ip: "203.0.113.60", agent: PYTHON, region: EUROPE };
    for day in 0..world.days.min(3) {
        let own = format!("ASIAFORWARDEDBYS3{day:03}");
        let caller = Caller::ForwardedKey(KeyIx(busy), "s3.amazonaws.com", Some(own));
        world.work(&caller, world.at(day, 11, 3, 0), &LOOKS[0], place);
    }
}

/// Keys that no log shows, and that only an inventory tells apart.
pub(super) fn untraced(world: &mut World) {
    world.scene(
        "key_data_events_only",
        "an access key that only reads objects, which no trail records",
    );
    let user = world.user(PRODUCTION, "/system/", "object-sync");
    let key = world.key(user, 700);
    world.keys[key.0].used_before = Some(world.end() - 6 * HOUR);
    world.keys[key.0].used_service = Some("s3");

    world
        .scene("key_young", "an access key that was made two days before the end and not used yet");
    let user = world.user(DEVELOPMENT, "/people/", "newcomer");
    let key = world.key(user, 0);
    world.keys[key.0].created = world.end() - 2 * DAY;

    world.scene(
        "key_second_slot",
        "a user with an inactive key in the first slot and an old one in the second",
    );
    let user = world.user(DEVELOPMENT, "/system/", "rotated");
    let first = world.key(user, 900);
    world.keys[first.0].active = false;
    world.keys[first.0].used_before = Some(world.end() - 300 * DAY);
    let second = world.key(user, 310);
    world.keys[second.0].used_before = Some(world.end() - 100 * DAY);
}
