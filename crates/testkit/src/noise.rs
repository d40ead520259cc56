//! The background: what monitoring users, instances and services do all day.
//!
//! Made per account and day from compact facts, so that millions of records need no memory: the same
//! facts are made again when the files are written.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::apis::{Api, CHANGES, LOOKS};
use crate::dice::{Dice, mix, uuid};
use crate::migration;
use crate::model::{AccountIx, Caller, EUROPE, GLOBAL, KeyIx, SessIx, Signer, World};
use crate::record::{CLI, PYTHON, TERRAFORM};
use crate::stories::Crew;
use crate::time::{DAY, Micros, SECOND, iso};

/// Background records of one account on one day at size 1.
const PER_DAY: f64 = 100.0;

/// Who made a background call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Actor {
    Key(KeyIx),
    Session(SessIx),
    Service(usize),
    /// A record of the service's own doing, without `userIdentity.type`.
    ServiceEvent,
    /// A user whose record shows no usable key: `""` or `Unknown`.
    Blank(KeyIx, bool),
}

/// One background record, before it is written out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    pub(crate) at: Micros,
    pub(crate) region: &'static str,
    pub(crate) actor: Actor,
    pub(crate) failed: bool,
    pub(crate) read_only: bool,
    api: usize,
    salt: u64,
}

impl Noise {
    /// Program and network, where a key's owner called.
    pub(crate) fn caller(&self) -> Option<String> {
        matches!(self.actor, Actor::Key(_)).then(|| {
            let (ip, agent) = source(self);
            migration::name(&ip, agent)
        })
    }

    pub(crate) fn signer(&self) -> Signer {
        match self.actor {
            Actor::Key(key) => Signer::Key(key),
            Actor::Session(session) => Signer::ByKey(session),
            Actor::Service(_) | Actor::ServiceEvent | Actor::Blank(..) => Signer::Nobody,
        }
    }
}

const SERVICES: [&str; 5] = [
    "cloudtrail.amazonaws.com",
    "config.amazonaws.com",
    "guardduty.amazonaws.com",
    "autoscaling.amazonaws.com",
    "rds.amazonaws.com",
];

/// The background of one account on one day, in order of time.
pub(crate) fn of_day(
    world: &World,
    crew: &Crew,
    account: AccountIx,
    day: i64,
    size: f64,
) -> Vec<Noise> {
    let index = (day as u64) << 16 | account as u64;
    let mut dice = Dice::new(world.seed, "noise", index);
    let wanted = PER_DAY * size * (0.8 + dice.below(40) as f64 / 100.0);
    let key = crew.keys[account];
    let shifts = &crew.sessions[account];
    let mut noise: Vec<Noise> = (0..wanted.round() as u64)
        .map(|_| {
            let at = world.start + day * DAY + dice.below(86_400) as i64 * SECOND;
            let shift = shifts.partition_point(|(_, from, _)| *from <= at);
            let on_duty = shift.checked_sub(1).map(|last| shifts[last]);
            let actor = match (dice.below(100), on_duty) {
                (0..50, Some((session, _, to))) if at < to => Actor::Session(session),
                (0..84, _) => Actor::Key(key),
                (84..94, _) => Actor::Service(dice.below(SERVICES.len() as u64) as usize),
                (94..98, _) => Actor::ServiceEvent,
                (odd, _) => Actor::Blank(key, odd == 98),
            };
            let own = matches!(actor, Actor::Service(_) | Actor::ServiceEvent);
            let changes = !own && dice.chance(8);
            let api = if changes {
                LOOKS.len() + dice.below(CHANGES.len() as u64) as usize
            } else {
                dice.below(LOOKS.len() as u64) as usize
            };
            let region = if dice.chance(65) { EUROPE } else { GLOBAL };
            let region = if api_of(api).source == "iam.amazonaws.com" { GLOBAL } else { region };
            Noise {
                at,
                region,
                actor,
                failed: !own && dice.chance(3),
                read_only: !changes,
                api,
                salt: dice.next(),
            }
        })
        .collect();
    noise.sort_by_key(|noise| (noise.at, noise.salt));
    noise
}

fn api_of(index: usize) -> &'static Api {
    LOOKS.get(index).unwrap_or_else(|| &CHANGES[index - LOOKS.len()])
}

/// Writes background records out; keeps the identities it has met.
#[derive(Default)]
pub(crate) struct Writer {
    identities: HashMap<Actor, String>,
}

impl Writer {
    pub(crate) fn write(
        &mut self,
        world: &World,
        account: AccountIx,
        noise: &Noise,
        out: &mut String,
    ) {
        let id = &world.accounts[account].id;
        let identity = self
            .identities
            .entry(noise.actor)
            .or_insert_with(|| identity(world, account, noise.actor));
        let api = api_of(noise.api);
        let (ip, agent) = source(noise);
        let digits = format!("{:08x}", noise.salt as u32);
        let (error, request, response) = if noise.failed {
            (
                r#""errorCode":"AccessDenied","errorMessage":"You are not authorized to perform this operation.","#,
                String::from("null"),
                "null",
            )
        } else {
            let done = if api.read_only { "null" } else { r#"{"_return":true}"# };
            ("", api.request.replace('%', &digits), done)
        };
        let own = matches!(noise.actor, Actor::ServiceEvent);
        let extra =
            if api.source == "s3.amazonaws.com" { transfer(noise.salt) } else { String::new() };
        let event_type = if own { "AwsServiceEvent" } else { "AwsApiCall" };
        let request_id = uuid(mix(noise.salt ^ 1), mix(noise.salt ^ 2));
        let event_id = uuid(mix(noise.salt ^ 3), mix(noise.salt ^ 4));
        // Writing to a String cannot fail.
        let _ignored = write!(
            out,
            r#"{{"eventVersion":"1.10","userIdentity":{identity},"eventTime":"{}","eventSource":"{}","eventName":"{}","awsRegion":"{}","sourceIPAddress":"{ip}","userAgent":"{agent}",{error}"requestParameters":{request},"responseElements":{response},{extra}"requestID":"{request_id}","eventID":"{event_id}","readOnly":{},"eventType":"{event_type}","managementEvent":true,"recipientAccountId":"{id}","eventCategory":"Management""#,
            iso(noise.at),
            api.source,
            api.name,
            noise.region,
            noise.read_only,
        );
        if matches!(noise.actor, Actor::Key(_) | Actor::Session(_)) {
            let _ignored = write!(
                out,
                r#","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{}"}}"#,
                api.source
            );
        }
        out.push('}');
    }
}

fn identity(world: &World, account: AccountIx, actor: Actor) -> String {
    let of = |caller: &Caller| world.identity(caller).json.unwrap_or_default();
    match actor {
        Actor::Key(key) => of(&Caller::Key(key)),
        Actor::Session(session) => of(&Caller::Session(session)),
        Actor::Service(service) => of(&Caller::Service(SERVICES[service])),
        Actor::ServiceEvent => format!(
            r#"{{"accountId":"{}","invokedBy":"secretsmanager.amazonaws.com"}}"#,
            world.accounts[account].id
        ),
        Actor::Blank(key, unknown) => {
            let shown = if unknown { "Unknown" } else { "" };
            of(&Caller::Key(key)).replace(&world.keys[key.0].id, shown)
        }
    }
}

/// What S3 adds to its records: mostly an id that does not compress.
fn transfer(salt: u64) -> String {
    let id: String =
        (0..7).map(|part| format!("{:010X}x", mix(salt ^ (100 + part)) >> 20)).collect();
    format!(
        r#""additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"{id}=","bytesTransferredOut":{}}},"#,
        salt % 9_000
    )
}

fn source(noise: &Noise) -> (String, &'static str) {
    match noise.actor {
        Actor::Service(service) => (SERVICES[service].to_owned(), SERVICES[service]),
        Actor::ServiceEvent => {
            (String::from("secretsmanager.amazonaws.com"), "secretsmanager.amazonaws.com")
        }
        Actor::Session(_) => (format!("198.51.100.{}", 100 + noise.salt % 20), PYTHON),
        Actor::Key(_) | Actor::Blank(..) => {
            let agents = [CLI, PYTHON, TERRAFORM];
            (format!("203.0.113.{}", 200 + noise.salt % 8), agents[(noise.salt >> 8) as usize % 3])
        }
    }
}
