//! Programs that a person lets in from the browser: the CLI by `aws login`, and an agent by OAuth.
//!
//! <https://docs.aws.amazon.com/signin/latest/userguide/oauth-sign-in-overview.html>

use super::trust;
use crate::apis::{LOOKS, Place};
use crate::model::{Caller, DEVELOPMENT, EUROPE, GLOBAL, World};
use crate::record::{BROWSER, CLI, PYTHON};
use crate::sts::Assume;
use crate::time::{HOUR, MINUTE, SECOND};
use crate::tokens::Program;

const DESK: &str = "203.0.113.31";

pub(super) fn tell(world: &mut World) {
    let iris = world.user(DEVELOPMENT, "/people/", "iris");
    world.users[iris.0].console = true;
    let trusted = trust::arn(&world.users[iris.0].arn.clone());
    let role = world.role(DEVELOPMENT, "/agents/", "agent-reader", trusted);
    let person = (String::from(DESK), String::from(BROWSER));
    for day in 0..world.days {
        world.scene("sign_in_sessions", "a person lets the CLI and an agent in by OAuth");
        let at = world.at(day, 9, 41, 7);
        let browser = world.console_login(iris, at, &person, true);
        let desk = Place { ip: DESK, agent: BROWSER, region: EUROPE };
        world.spend(browser, (at + 20 * SECOND, 5 * MINUTE), 2, &LOOKS, desk);
        let login = world.let_in(browser, &Program::LOGIN, at + 10 * MINUTE, DESK);
        let shell = Place { ip: DESK, agent: CLI, region: GLOBAL };
        world.spend(login, (at + 11 * MINUTE, 30 * MINUTE), 3, &LOOKS, shell);
        let agent = world.let_in(browser, &Program::AGENT, at + 12 * MINUTE, DESK);
        let work = Place { ip: "192.0.2.77", agent: PYTHON, region: EUROPE };
        world.spend(agent, (at + 13 * MINUTE, 20 * MINUTE), 4, &LOOKS, work);
        let spec = Assume::new(Caller::Session(agent), role, "agent", at + 28 * MINUTE)
            .lasting(3_600)
            .from("192.0.2.77", PYTHON);
        let reader = world.assume(spec);
        world.spend(reader, (at + 29 * MINUTE, HOUR / 2), 2, &LOOKS, work);
    }
}
