//! Machines: EC2, Lambda, ECS, EKS and Roles Anywhere, and the crew behind the background noise.

use super::trust;
use crate::acts::Machine;
use crate::apis::{CHANGES, IDENTITY_CHECK, LOOKS, OBJECT_READS, Place};
use crate::json::Obj;
use crate::model::{
    Caller, Class, DEVELOPMENT, Dress, EUROPE, GLOBAL, KeyIx, PRODUCTION, RoleIx, SessIx, World,
};
use crate::record::PYTHON;
use crate::sts::{Assume, pair};
use crate::time::{HOUR, MINUTE, Micros, SECOND, Spelling};

/// EC2 hands out credentials for about six and a half hours.
const EC2_LIFE: i64 = 23_400;

const APP: Place<'static> = Place { ip: "198.51.100.21", agent: PYTHON, region: EUROPE };

pub(super) fn tell(world: &mut World) {
    ec2(world);
    functions(world);
    clusters(world);
    certificates(world);
}

/// EC2 takes a role for an instance: two credentials in the same second, one of them used.
fn instance_session(world: &mut World, role: RoleIx, instance: &str, at: Micros) -> SessIx {
    let mut spec = Assume::service("ec2.amazonaws.com", role, instance, at);
    spec.region = EUROPE;
    spec.life = EC2_LIFE;
    spec.terse = true;
    spec.spelling = Spelling::Plain;
    spec.dress = Dress { ec2_delivery: Some("2.0"), ..Dress::default() };
    world.assume(spec.clone());
    world.assume(spec)
}

fn ec2(world: &mut World) {
    let dev = world.id(DEVELOPMENT);
    let instances =
        world.role(DEVELOPMENT, "/", "app-instance", trust::service("ec2.amazonaws.com"));
    let reader = world.role(
        PRODUCTION,
        "/data/",
        "bucket-reader",
        trust::arn(&format!("arn:aws:iam::{dev}:role/app-instance")),
    );
    let instance = format!("i-0{}", world.dice.hex(16));
    world.scene("before_window", "a session that was issued before the logs begin, still in use");
    let mut spec = Assume::service("ec2.amazonaws.com", instances, &instance, world.start - HOUR);
    (spec.life, spec.terse, spec.lost, spec.region) = (EC2_LIFE, true, true, EUROPE);
    spec.dress = Dress { ec2_delivery: Some("2.0"), ..Dress::default() };
    let early = world.assume(spec);
    world.spend(early, (world.start + MINUTE, 3 * MINUTE), 3, &LOOKS, APP);
    let mut orphan = Assume::new(Caller::Session(early), reader, "app-0", world.start + 3 * MINUTE)
        .from(APP.ip, APP.agent);
    orphan.region = EUROPE;
    let child = world.assume(orphan);
    world.spend(child, (world.start + 4 * MINUTE, MINUTE), 1, &OBJECT_READS, APP);

    for day in 0..world.days {
        for turn in 0..4 {
            let at = world.at(day, turn * 6, 5, 0);
            world.scene("ec2_double_issue", "EC2 issues two credentials in the same second");
            let session = instance_session(world, instances, &instance, at);
            world.scene(
                "ec2_cross_account",
                "an instance role in development reads a production bucket through a role there",
            );
            world.spend(session, (at + MINUTE, 4 * HOUR), 3, &LOOKS, APP);
            let from = at + world.dice.between(20, 50) * MINUTE;
            let name = format!("app-{}", day * 4 + turn + 1);
            let mut spec =
                Assume::new(Caller::Session(session), reader, &name, from).from(APP.ip, APP.agent);
            spec.region = EUROPE;
            spec.additional = Some(endpoint("regional", EUROPE));
            let child = world.assume(spec);
            for record in
                world.spend(child, (from + 2 * SECOND, 30 * MINUTE), 3, &OBJECT_READS, APP)
            {
                world.show(record);
            }
        }
    }
}

/// `additionalEventData` that says which endpoint served the call.
pub(super) fn endpoint(kind: &str, region: &str) -> String {
    let details = Obj::new().str("awsServingRegion", region).str("endpointType", kind).end();
    Obj::new().raw("RequestDetails", &details).end()
}

fn functions(world: &mut World) {
    let account = world.id(PRODUCTION);
    let function = format!("arn:aws:lambda:{EUROPE}:{account}:function:order-fn");
    let trusted = trust::service("lambda.amazonaws.com");
    let lambda = world.role(PRODUCTION, "/service-role/", "order-fn-role", trusted);
    let trusted = trust::service("ecs-tasks.amazonaws.com");
    let tasks = world.role(PRODUCTION, "/", "cart-task", trusted);
    for day in 0..world.days {
        world.scene("lambda", "Lambda takes a function's role; the answer names no role session");
        for hour in [1, 9, 17] {
            let at = world.at(day, hour, 12, 0);
            let mut spec = Assume::service("lambda.amazonaws.com", lambda, "order-fn", at);
            (spec.region, spec.terse, spec.life) = (EUROPE, true, 43_200);
            spec.spelling = if hour == 9 { Spelling::Comma } else { Spelling::Narrow };
            let scope = Obj::new()
                .str("issuerType", "AWS::Lambda::Function")
                .str("credentialsIssuedTo", &function)
                .end();
            spec.dress = Dress { in_scope_of: Some(scope), ..Dress::default() };
            let session = world.assume(spec);
            let agent =
                "aws-sdk-nodejs/2.1692.0 linux/v20.18.0 exec-env/AWS_Lambda_nodejs20.x promise";
            let place = Place { ip: "198.51.100.90", agent, region: EUROPE };
            world.spend(session, (at + SECOND, 3 * HOUR), 4, &LOOKS, place);
        }
        world.scene("ecs_task", "ECS takes a task's role");
        for hour in [3, 15] {
            let at = world.at(day, hour, 31, 7);
            let task = world.dice.hex(32);
            let mut spec = Assume::service("ecs-tasks.amazonaws.com", tasks, &task, at);
            (spec.region, spec.life) = (EUROPE, 21_600);
            let session = world.assume(spec);
            let place = Place { ip: "198.51.100.91", agent: PYTHON, region: EUROPE };
            world.spend(session, (at + SECOND, 5 * HOUR), 4, &LOOKS, place);
        }
    }
}

fn clusters(world: &mut World) {
    let dev = world.id(DEVELOPMENT);
    let host = format!("oidc.eks.{EUROPE}.amazonaws.com/id/{}", world.dice.hex(32).to_uppercase());
    let provider_arn = format!("arn:aws:iam::{dev}:oidc-provider/{host}");
    let subject = "system:serviceaccount:shop:cart".to_owned();
    let trusted = trust::oidc(&provider_arn, &host, &subject);
    let irsa = world.role(DEVELOPMENT, "/eks/", "cart-irsa", trusted);
    let trusted = trust::service("pods.eks.amazonaws.com");
    let pods = world.role(DEVELOPMENT, "/eks/", "payments-pod", trusted);
    let trusted = trust::service("ec2.amazonaws.com");
    let nodes = world.role(DEVELOPMENT, "/eks/", "eks-node", trusted);
    let audience = String::from("sts.amazonaws.com");
    let caller = Caller::Web { provider_arn, audience, subject };
    let node = format!("i-0{}", world.dice.hex(16));
    let place = Place { ip: "198.51.100.44", agent: PYTHON, region: EUROPE };
    for day in 0..world.days {
        world.scene("eks_irsa", "a service account in EKS takes a role with its own token");
        for hour in [2, 14] {
            let at = world.at(day, hour, 18, 30);
            let name = format!("botocore-session-{}", at / SECOND);
            let mut spec = Assume::new(caller.clone(), irsa, &name, at).from(place.ip, place.agent);
            spec.region = EUROPE;
            let session = world.assume(spec);
            world.spend(session, (at + SECOND, 50 * MINUTE), 3, &LOOKS, place);
        }
        world.scene("eks_pod_identity", "a pod takes a role: the node's call, then EKS's");
        let at = world.at(day, 4, 40, 0);
        let node_session = instance_session(world, nodes, &node, at);
        for minute in [15, 75] {
            let at = at + minute * MINUTE;
            pod(world, node_session, pods, at, place);
        }
    }
}

fn pod(world: &mut World, node: SessIx, role: RoleIx, at: Micros, place: Place) {
    let dev = world.id(DEVELOPMENT);
    let mut call = world.call(
        &Caller::Session(node),
        at,
        "eks-auth.amazonaws.com",
        "AssumeRoleForPodIdentity",
    );
    call.region = EUROPE;
    call.ip = place.ip.to_owned();
    call.agent = String::from(
        "aws-sdk-go-v2/1.32.5 os/linux lang/go#1.23.3 md/GOOS#linux api/eksauth#1.7.6",
    );
    call.request = Some(
        Obj::new().str("clusterName", "shop").str("token", "HIDDEN_DUE_TO_SECURITY_REASONS").end(),
    );
    call.class = Class::Credential;
    let record = world.emit(call);
    world.show(record);
    let uid = world.dice.uuid();
    let pod = format!("payments-{}-{}", world.dice.hex(9), world.dice.hex(5));
    let tail = world.dice.uuid();
    let name = format!("eks-shop-{}-{tail}", &pod[..14]);
    let mut spec = Assume::service("pods.eks.amazonaws.com", role, &name, at).lasting(21_600);
    spec.region = EUROPE;
    spec.tags = vec![
        pair("eks-cluster-arn", &format!("arn:aws:eks:{EUROPE}:{dev}:cluster/shop")),
        pair("eks-cluster-name", "shop"),
        pair("kubernetes-namespace", "payments"),
        pair("kubernetes-service-account", "payments"),
        pair("kubernetes-pod-name", &pod),
        pair("kubernetes-pod-uid", &uid),
    ];
    spec.transitive = spec.tags.iter().map(|(key, _)| key.clone()).collect();
    let session = world.assume(spec);
    world.spend(session, (at + 2 * SECOND, 40 * MINUTE), 3, &LOOKS, place);
}

fn certificates(world: &mut World) {
    let account_id = world.id(DEVELOPMENT);
    let trusted = trust::service("rolesanywhere.amazonaws.com");
    let role = world.role(DEVELOPMENT, "/", "datacentre-backup", trusted);
    let subject_arn =
        format!("arn:aws:rolesanywhere:{GLOBAL}:{account_id}:subject/{}", world.dice.uuid());
    let machine = Machine {
        account: DEVELOPMENT,
        subject_arn,
        common_name: "backup-01.corp.example.com",
        serial: world.dice.hex(32),
    };
    world.scene("roles_anywhere", "a machine outside AWS takes a role with its certificate");
    let place = Place { ip: "203.0.113.77", agent: PYTHON, region: GLOBAL };
    for day in 0..world.days {
        let at = world.at(day, 22, 10, 0);
        let session = world.create_session(&machine, role, at);
        world.spend(session, (at + 5 * SECOND, 40 * MINUTE), 3, &LOOKS, place);
    }
}

/// Who signs the background noise of each account.
pub(crate) struct Crew {
    /// By account: sessions with the time in which they may be used.
    pub(crate) sessions: Vec<Vec<(SessIx, Micros, Micros)>>,
    /// By account: keys of users that run all the time.
    pub(crate) keys: Vec<KeyIx>,
}

/// Instances and a monitoring user in every member account.
pub(super) fn crew(world: &mut World) -> Crew {
    world.off_scene();
    let (mut sessions, mut keys) = (Vec::new(), Vec::new());
    for account in 0..world.vendor {
        let user = world.user(account, "/system/", "monitor");
        keys.push(world.key(user, 500));
        let trusted = trust::service("ec2.amazonaws.com");
        let role = world.role(account, "/", "web-instance", trusted);
        let instance = format!("i-0{}", world.dice.hex(16));
        let mut shifts = Vec::new();
        for day in 0..world.days {
            for turn in 0..4 {
                let second = world.dice.between(0, 59);
                let at = world.at(day, turn * 6, 1, second);
                let session = instance_session(world, role, &instance, at);
                shifts.push((session, at + SECOND, at + 6 * HOUR));
            }
        }
        sessions.push(shifts);
    }
    Crew { sessions, keys }
}

/// What a deployment does with its session.
pub(super) fn deploy(world: &mut World, session: SessIx, from: Micros, place: Place) {
    world.spend(session, (from, MINUTE), 1, &IDENTITY_CHECK, place);
    world.spend(session, (from + MINUTE, 6 * MINUTE), 3, &CHANGES, place);
}
