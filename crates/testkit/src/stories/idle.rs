//! Roles that nobody takes: no log names them, only an inventory.

use super::trust;
use crate::model::{DEVELOPMENT, PRODUCTION, World};
use crate::time::DAY;

pub(super) fn tell(world: &mut World) {
    let trusted = trust::root(&world.id(PRODUCTION));
    world.role(PRODUCTION, "/legacy/", "old-export", trusted.clone());
    let young = world.role(PRODUCTION, "/", "next-pipeline", trusted);
    world.roles[young.0].created = world.end() - 3 * DAY;
    let trusted = trust::service("support.amazonaws.com");
    let path = "/aws-service-role/support.amazonaws.com/";
    world.role(DEVELOPMENT, path, "AWSServiceRoleForSupport", trusted);
}
