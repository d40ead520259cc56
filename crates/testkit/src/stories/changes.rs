//! Changes of IAM state: keys, users, roles, trust policies, attachments, providers.

use super::trust;
use crate::apis::{LOOKS, Place};
use crate::json::Obj;
use crate::model::{
    AccountIx, Caller, Class, DEVELOPMENT, EUROPE, KeyIx, MANAGEMENT, PRODUCTION, RecIx, World,
};
use crate::record::{CLI, TERRAFORM};
use crate::sts::Assume;
use crate::time::{HOUR, MINUTE, Micros, SECOND, Spelling, localized};

pub(super) fn tell(world: &mut World) {
    // The builders' keys belong to no story.
    world.off_scene();
    let user = world.user(MANAGEMENT, "/system/", "terraform");
    let key = world.key(user, 250);
    let builder = world.user(DEVELOPMENT, "/system/", "terraform-dev");
    let builder = world.key(builder, 250);
    contractor(world, builder);
    recreated(world, builder);
    policies(world, key, builder);
}

/// Logs one change of IAM state.
pub(super) fn change(
    world: &mut World,
    key: KeyIx,
    at: Micros,
    name: &'static str,
    request: Obj,
    response: Option<Obj>,
) -> RecIx {
    let mut call = world.call(&Caller::Key(key), at, "iam.amazonaws.com", name);
    call.read_only = false;
    call.class = Class::Iam;
    call.ip = String::from("203.0.113.70");
    call.agent = String::from(TERRAFORM);
    call.request = Some(request.end());
    call.response = response.map(Obj::end);
    let record = world.emit(call);
    world.show(record);
    record
}

/// `CreateDate` and friends, the way IAM writes them.
fn created(at: Micros) -> String {
    localized(at, Spelling::Plain)
}

/// A user and key that are made, used, switched off and deleted while the logs run.
fn contractor(world: &mut World, by: KeyIx) {
    world.scene("key_life", "an access key is made, used, deactivated and deleted");
    let at = world.at(0, 9, 12, 0);
    let user = world.user(DEVELOPMENT, "/people/", "contractor");
    let key = world.key(user, 0);
    world.keys[key.0].created = at + 2 * SECOND;
    let (name, arn, id) = {
        let user = &world.users[user.0];
        (user.name.clone(), user.arn.clone(), user.id.clone())
    };
    let answer = Obj::new()
        .str("path", "/people/")
        .str("userName", &name)
        .str("userId", &id)
        .str("arn", &arn)
        .str("createDate", &created(at));
    change(
        world,
        by,
        at,
        "CreateUser",
        Obj::new().str("userName", &name).str("path", "/people/"),
        Some(Obj::new().raw("user", &answer.end())),
    );
    let key_id = world.keys[key.0].id.clone();
    let answer = Obj::new()
        .str("accessKeyId", &key_id)
        .str("status", "Active")
        .str("userName", &name)
        .str("createDate", &created(at + 2 * SECOND));
    change(
        world,
        by,
        at + 2 * SECOND,
        "CreateAccessKey",
        Obj::new().str("userName", &name),
        Some(Obj::new().raw("accessKey", &answer.end())),
    );
    let place = Place { ip: "203.0.113.71", agent: CLI, region: EUROPE };
    world.spend_key(&Caller::Key(key), (at + 20 * MINUTE, HOUR), 4, &LOOKS, place);
    let off = world.at(world.days - 1, 17, 0, 0);
    let request = || Obj::new().str("userName", &name).str("accessKeyId", &key_id);
    change(world, by, off, "UpdateAccessKey", request().str("status", "Inactive"), None);
    change(world, by, off + MINUTE, "DeleteAccessKey", request(), None);
    world.keys[key.0].active = false;
    world.keys[key.0].deleted = Some(off + MINUTE);
}

/// A role that is deleted and made again: same ARN, new id.
fn recreated(world: &mut World, by: KeyIx) {
    world.scene("recreated_role", "a role is deleted and made again: same ARN, another id");
    let trusted = trust::root(&world.id(DEVELOPMENT));
    let old = world.role(DEVELOPMENT, "/", "batch-runner", trusted.clone());
    let at = world.at(0, 15, 20, 0);
    let place = Place { ip: "203.0.113.70", agent: TERRAFORM, region: EUROPE };
    let session = world.assume(Assume::new(Caller::Key(by), old, "batch", at));
    world.spend(session, (at + SECOND, 10 * MINUTE), 2, &LOOKS, place);
    let when = world.at(world.days / 2, 6, 0, 0);
    let new = world.role(DEVELOPMENT, "/", "batch-runner", trusted.clone());
    world.roles[old.0].deleted = Some(when);
    world.roles[new.0].created = when + 30 * SECOND;
    let request = || Obj::new().str("roleName", "batch-runner");
    change(world, by, when, "DeleteRole", request(), None);
    let answer = Obj::new()
        .str("path", "/")
        .str("roleName", "batch-runner")
        .str("roleId", &world.roles[new.0].id)
        .str("arn", &world.roles[new.0].arn)
        .str("createDate", &created(when + 30 * SECOND))
        .str("assumeRolePolicyDocument", &percent(&trusted));
    change(
        world,
        by,
        when + 30 * SECOND,
        "CreateRole",
        request().str("path", "/").str("assumeRolePolicyDocument", &trusted),
        Some(Obj::new().raw("role", &answer.end())),
    );
    let at = world.at(world.days - 1, 15, 20, 0);
    let session = world.assume(Assume::new(Caller::Key(by), new, "batch", at));
    world.spend(session, (at + SECOND, 10 * MINUTE), 2, &LOOKS, place);
}

fn policies(world: &mut World, key: KeyIx, builder: KeyIx) {
    world.scene("iam_changes", "trust and permission policies, attachments and providers change");
    let at = world.at(1, 14, 0, 0);
    let document = trust::root(&world.id(MANAGEMENT));
    change(
        world,
        key,
        at,
        "UpdateAssumeRolePolicy",
        Obj::new().str("roleName", "jump").str("policyDocument", &document),
        None,
    );
    let policy = "arn:aws:iam::aws:policy/PowerUserAccess";
    change(
        world,
        builder,
        at + MINUTE,
        "AttachRolePolicy",
        Obj::new().str("roleName", "stage").str("policyArn", policy),
        None,
    );
    change(
        world,
        builder,
        at + 2 * MINUTE,
        "PutRolePolicy",
        Obj::new().str("roleName", "stage").str("policyName", "inline").str(
            "policyDocument",
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#,
        ),
        None,
    );
    let arn = format!("arn:aws:iam::{}:oidc-provider/gitlab.com", world.id(MANAGEMENT));
    change(
        world,
        key,
        at + 3 * MINUTE,
        "CreateOpenIDConnectProvider",
        Obj::new()
            .str("url", "https://gitlab.com")
            .raw("clientIDList", r#"["https://gitlab.com"]"#)
            .raw("thumbprintList", "[]"),
        Some(Obj::new().str("openIDConnectProviderArn", &arn)),
    );
    refused_change(world, builder, at + 4 * MINUTE, DEVELOPMENT);
    refused_change(world, key, at + 5 * MINUTE, PRODUCTION);
}

/// A change that is not allowed: it is logged, and nothing changes.
fn refused_change(world: &mut World, key: KeyIx, at: Micros, about: AccountIx) {
    let mut call = world.call(&Caller::Key(key), at, "iam.amazonaws.com", "CreateAccessKey");
    call.read_only = false;
    call.class = Class::Iam;
    let who = world.users[world.keys[key.0].user.0].arn.clone();
    let target = format!("arn:aws:iam::{}:user/noor", world.accounts[about].id);
    call.error = Some((
        String::from("AccessDenied"),
        format!(
            "User: {who} is not authorized to perform: iam:CreateAccessKey on resource: {target} because no identity-based policy allows the iam:CreateAccessKey action"
        ),
    ));
    world.emit(call);
}

/// Percent-encodes a policy document as IAM's answers do (RFC 3986).
fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
