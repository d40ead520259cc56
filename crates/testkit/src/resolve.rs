//! What can be known of each act and session from the records that were delivered.

use std::collections::{BTreeMap, BTreeSet};

use crate::callers::{masked_method, unsessioned};
use crate::delivered::Delivered;
use crate::model::{
    ActIntent, ActIx, Caller, Issue, RecIx, SessIx, SessionIntent, SessionKind, View, World,
};
use crate::tally::Uses;
use crate::truth::{Act, Session};

/// A row of the view, with what its session needs to know.
pub(crate) struct ActRow {
    pub(crate) act: Act,
    /// The most telling record held.
    view: View,
}

/// One row for each act of which any record is held; by [`ActIx`].
pub(crate) fn acts(delivered: &Delivered) -> Vec<Option<ActRow>> {
    delivered.world.acts.iter().map(|intent| act(delivered, intent)).collect()
}

fn act(delivered: &Delivered, intent: &ActIntent) -> Option<ActRow> {
    let world = delivered.world;
    let held: Vec<(RecIx, View)> = intent
        .copies
        .iter()
        .copied()
        .filter(|(record, view)| *view != View::Replaced && delivered.holds(*record))
        .collect();
    let find = |wanted: View| held.iter().find(|(_, view)| *view == wanted).map(|(r, _)| *r);
    let (full, masked, switch) = (find(View::Full), find(View::Masked), find(View::Switch));
    let (lead, view) = match (full, masked, switch) {
        (Some(record), _, _) => (record, View::Full),
        (None, Some(record), _) => (record, View::Masked),
        (None, None, Some(record)) => (record, View::Switch),
        (None, None, None) => return None,
    };
    let mut act = intent.full.clone();
    match view {
        View::Masked => mask(delivered, intent, &mut act, switch.is_some()),
        View::Switch => switch_only(delivered, intent, &mut act),
        View::Full | View::Replaced => {
            if masked.is_some() {
                act.caller_resolved_by = String::from("shared_event");
            }
        }
    }
    if switch.is_some() {
        act.method = String::from("console_switch");
        if let Some((ip, agent)) = &intent.switch_agent {
            // STS logs `AWS Internal`; the person's address and browser are what one asks for.
            act.source_ip = Some(ip.clone());
            act.user_agent = Some(agent.clone());
            act.source_service = None;
        }
    }
    let first = &world.records[lead.0];
    act.event_id = delivered.event_id(lead);
    act.event_time = first.at;
    act.aws_region = first.region.to_owned();
    let ids: BTreeSet<String> =
        held.iter().map(|(record, _)| delivered.event_id(*record)).collect();
    act.event_ids = ids.into_iter().collect();
    let recipients: BTreeSet<String> = held
        .iter()
        .map(|(record, _)| &world.records[record.0])
        .filter(|record| record.event_id.is_some())
        .map(|record| world.id(record.account))
        .collect();
    act.recipient_account_ids = recipients.into_iter().collect();
    act.copies = held.len() as u64;
    act.cross_account = match (&act.caller_account_id, &act.role_account_id) {
        (Some(caller), Some(role)) => caller != role,
        _ => false,
    };
    Some(ActRow { act, view })
}

/// Only the owner's copy is held.
fn mask(delivered: &Delivered, intent: &ActIntent, act: &mut Act, switched: bool) {
    let principal = act.caller_principal_id.clone().unwrap_or_default();
    act.caller_type = String::from("AWSAccount");
    act.method = match act.method.as_str() {
        "assume_root" => String::from("assume_root"),
        _ => masked_method(&principal),
    };
    act.caller_arn = None;
    act.caller_access_key_id = None;
    // A masked record has no session context; only the call's own MFA shows.
    act.mfa = false;
    if switched {
        act.caller_resolved_by = String::from("switch_role");
        act.caller = switched_caller(delivered, intent);
        act.caller_arn.clone_from(&intent.switch_from);
    } else if let Some(arn) = intent.unique.as_deref().and_then(|id| delivered.names.get(id)) {
        act.caller_resolved_by = String::from("principal_id");
        // No record of the act names the caller, so that its ARN with session stays unknown.
        act.caller = (*arn).to_owned();
    } else if let Some(caller) = intent.unique.as_deref().and_then(|id| switched_as(delivered, id))
    {
        act.caller_resolved_by = String::from("principal_id");
        act.caller = caller;
    } else {
        act.caller_resolved_by = String::from("none");
        let account = act.caller_account_id.clone().unwrap_or_default();
        act.caller = format!("{account}/{}", unsessioned(&principal));
    }
}

/// Who has a unique id, where a console switch shows: its masked record has the id, and the console's own the name.
fn switched_as(delivered: &Delivered, id: &str) -> Option<String> {
    let told = |act: &&ActIntent| {
        let held = |wanted| {
            act.copies.iter().any(|(record, view)| *view == wanted && delivered.holds(*record))
        };
        act.unique.as_deref() == Some(id) && held(View::Masked) && held(View::Switch)
    };
    let act = delivered.world.acts.iter().find(told)?;
    Some(switched_caller(delivered, act))
}

/// The caller named by `SwitchFrom`, without session: a user, or a role as far as its ARN is known.
fn switched_caller(delivered: &Delivered, intent: &ActIntent) -> String {
    let from = intent.switch_from.clone().unwrap_or_default();
    if !from.contains(":assumed-role/") {
        return from;
    }
    let known = delivered.arns.get(intent.full.caller.as_str());
    match (known, from.rsplit_once('/')) {
        (Some(arn), _) => (*arn).to_owned(),
        (None, Some((without_session, _))) => without_session.to_owned(),
        (None, None) => from,
    }
}

/// Only the console's own record is held: it names role and session, and whom it was switched from.
fn switch_only(delivered: &Delivered, intent: &ActIntent, act: &mut Act) {
    act.caller = switched_caller(delivered, intent);
    act.caller_resolved_by = String::from("switch_role");
    act.caller_arn.clone_from(&intent.switch_from);
    act.event_source = String::from("signin.amazonaws.com");
    act.event_name = String::from("SwitchRole");
    act.caller_access_key_id = None;
    act.issued_access_key_id = None;
    act.issued_expiration = None;
    act.duration_seconds = None;
    // The record's identity is the new session: nothing in it but `SwitchFrom` is the caller's.
    act.caller_principal_id = None;
    act.mfa = false;
    let known = act.role_arn.as_deref().is_some_and(|arn| delivered.arns.contains(arn));
    // A session's ARN lacks the role's path.
    act.role_arn = None;
    act.role_arn_source = None;
    if !known {
        let account = act.role_account_id.clone().unwrap_or_default();
        act.role = Some(format!("{account}/{}", act.role_name.clone().unwrap_or_default()));
    }
}

/// Where a session comes from, as far as the delivered records tell.
#[derive(Debug, Clone, Default)]
struct Descent {
    parent: Option<SessIx>,
    link: &'static str,
    depth: u64,
    origin: String,
    kind: &'static str,
    origin_key: Option<String>,
    chain: Vec<String>,
}

/// One row for each session whose issue or use is held.
pub(crate) fn sessions(
    delivered: &Delivered,
    acts: &[Option<ActRow>],
) -> BTreeMap<SessIx, Session> {
    let world = delivered.world;
    // Parents always come before their children.
    let mut descents: BTreeMap<SessIx, Descent> = BTreeMap::new();
    for (index, intent) in world.sessions.iter().enumerate() {
        let index = SessIx(index);
        if let Some(view) = issue_view(delivered, acts, intent) {
            let act = act_of(acts, intent);
            let masked = act.filter(|_| view == View::Masked);
            let live = masked.and_then(|act| masked_parent(delivered, acts, index, act));
            let descent = descend(delivered, &descents, (index, intent), view, (act, live));
            descents.insert(index, descent);
        }
    }
    let mut rows = BTreeMap::new();
    for (index, intent) in world.sessions.iter().enumerate() {
        let index = SessIx(index);
        let uses = delivered.tally.sessions.get(&index).cloned().unwrap_or_default();
        match descents.get(&index) {
            Some(descent) => {
                let mut row = skeleton(delivered, index, intent, &uses);
                issued(delivered, acts, intent, &mut row);
                if let SessionKind::Role(role) = intent.kind
                    && !delivered.shows_role_id(intent, &uses, &world.roles[role.0])
                {
                    row.role_id = None;
                }
                trace(delivered, acts, &descents, descent, &mut row);
                rows.insert(index, row);
            }
            None if uses.count > 0 => {
                let mut row = skeleton(delivered, index, intent, &uses);
                unissued(world, index, intent, &mut row);
                rows.insert(index, row);
            }
            None => {}
        }
    }
    rows
}

fn act_of<'b>(acts: &'b [Option<ActRow>], intent: &SessionIntent) -> Option<&'b Act> {
    match intent.issue {
        Issue::Act(ActIx(act)) => acts[act].as_ref().map(|row| &row.act),
        Issue::Record(_) => None,
    }
}

fn issue_view(
    delivered: &Delivered,
    acts: &[Option<ActRow>],
    intent: &SessionIntent,
) -> Option<View> {
    match intent.issue {
        Issue::Act(ActIx(act)) => acts[act].as_ref().map(|row| row.view),
        Issue::Record(record) => delivered.holds(record).then_some(View::Full),
    }
}

fn descend(
    delivered: &Delivered,
    known: &BTreeMap<SessIx, Descent>,
    (index, intent): (SessIx, &SessionIntent),
    view: View,
    (act, live): (Option<&Act>, Option<SessIx>),
) -> Descent {
    let world = delivered.world;
    let own = principal(world, index);
    let caller = act.map_or_else(String::new, |act| act.caller.clone());
    let direct = |origin: String, kind| Descent {
        link: "none",
        chain: chain(vec![origin.clone()], intent, &own),
        origin,
        kind,
        ..Descent::default()
    };
    let below = |parent: SessIx, descent: &Descent, link| Descent {
        parent: Some(parent),
        link,
        depth: descent.depth + 1,
        chain: chain(descent.chain.clone(), intent, &own),
        ..descent.clone()
    };
    if view != View::Full {
        if let Some((parent, descent)) = live.and_then(|live| Some((live, known.get(&live)?))) {
            return below(parent, descent, "session");
        }
        let kind = match act.map(|act| act.caller_resolved_by.as_str()) {
            Some("none") | None => "account",
            Some(_) if caller.contains(":user/") => "iam_user",
            Some(_) => "role_session",
        };
        return direct(caller, kind);
    }
    match &intent.parent {
        Some(Caller::Key(key) | Caller::ForwardedKey(key, ..)) => {
            let info = &world.keys[key.0];
            let mut descent = direct(world.users[info.user.0].arn.clone(), "iam_user");
            descent.link = "long_term_key";
            descent.origin_key = Some(info.id.clone());
            descent
        }
        Some(Caller::Session(parent) | Caller::Forwarded(parent, _)) => {
            let above = &world.sessions[parent.0];
            match known.get(parent) {
                Some(descent) => {
                    let by_key = above.issued_key.as_ref() == Some(&above.used_key);
                    let link = if by_key { "key" } else { "session" };
                    below(*parent, descent, if above.was_let_in() { "sign_in" } else { link })
                }
                // Its issue is not held: the chain begins with it.
                None => match above.kind {
                    SessionKind::User(_) => direct(caller, "iam_user"),
                    SessionKind::Root(_) => direct(caller, "root"),
                    _ => direct(caller, "role_session"),
                },
            }
        }
        Some(Caller::Service(_)) => direct(caller, "service"),
        Some(Caller::Saml { provider_arn, .. }) if provider_arn.contains("/AWSSSO_") => {
            direct(caller, "identity_center")
        }
        Some(Caller::Saml { .. }) => direct(caller, "saml"),
        Some(Caller::Web { .. }) => direct(caller, "web_identity"),
        Some(Caller::Portal { .. }) => direct(caller, "identity_center"),
        Some(Caller::External { .. }) => direct(caller, "account"),
        Some(Caller::Certificate { .. }) => direct(caller, "unknown"),
        // A console sign-in: the user itself.
        None => direct(own.clone(), "iam_user"),
    }
}

/// The session that a masked caller is: its record keeps the principal id, which is role id and session
/// name. Of the sessions whose issue shows that id, just one must live at the time.
fn masked_parent(
    delivered: &Delivered,
    acts: &[Option<ActRow>],
    own: SessIx,
    act: &Act,
) -> Option<SessIx> {
    /// Clocks may disagree by this much.
    const SLACK: i64 = 2_000_000;
    /// What no record gives an end to may last this long.
    const LONGEST_LIFE: i64 = 36 * 3_600_000_000;
    let world = delivered.world;
    let (role_id, name) = act.caller_principal_id.as_deref()?.split_once(':')?;
    let lives = |(index, intent): &(usize, &SessionIntent)| {
        let SessionKind::Role(role) = intent.kind else { return false };
        if *index == own.0 || intent.name != name || world.roles[role.0].id != role_id {
            return false;
        }
        let Some(issue) = act_of(acts, intent).filter(|issue| issue.role_id.is_some()) else {
            return false;
        };
        let start = issue.event_time;
        let asked_for = issue.duration_seconds.map(|seconds| start + seconds * 1_000_000);
        let end = issue.issued_expiration.or(asked_for).unwrap_or(start + LONGEST_LIFE);
        start - SLACK <= act.event_time && act.event_time <= end + SLACK
    };
    let mut living = world.sessions.iter().enumerate().filter(lives);
    let (only, _) = living.next()?;
    living.next().is_none().then_some(SessIx(only))
}

/// A chain with one more session. A user that trades one credential for another stays one link.
fn chain(mut above: Vec<String>, intent: &SessionIntent, own: &str) -> Vec<String> {
    let same_user =
        matches!(intent.kind, SessionKind::User(_)) && above.last().is_some_and(|last| last == own);
    if !same_user {
        above.push(own.to_owned());
    }
    above
}

/// What a session acts as: the role with its path, else the ARN in its records.
fn principal(world: &World, session: SessIx) -> String {
    match world.sessions[session.0].kind {
        SessionKind::Role(role) => world.roles[role.0].arn.clone(),
        _ => world.session_arn(session),
    }
}

/// What uses and identity alone say.
fn skeleton(delivered: &Delivered, index: SessIx, intent: &SessionIntent, uses: &Uses) -> Session {
    let world = delivered.world;
    let arn = world.session_arn(index);
    let mut row = Session {
        issued_time: intent.created,
        used_access_key_ids: uses.keys.iter().cloned().collect(),
        source_identity: intent.source_identity.clone(),
        uses_by_key: uses.by_key,
        uses_by_sign_in: if intent.was_let_in() { uses.count } else { 0 },
        uses_by_session: if intent.was_let_in() { 0 } else { uses.count - uses.by_key },
        sign_in_session_arn: intent.dress.sign_in.clone().filter(|_| intent.was_let_in()),
        first_used: uses.first,
        last_used: uses.last,
        event_count: uses.count,
        error_count: uses.errors,
        principal_arn: arn.clone(),
        ..Session::default()
    };
    if let SessionKind::Role(role) = intent.kind {
        let role = &world.roles[role.0];
        row.role_arn = Some(role.arn.clone());
        row.role_account_id = Some(world.id(role.account));
        row.role_name = Some(role.name.clone());
        row.role_id = Some(role.id.clone());
        row.session_name = Some(intent.name.clone());
        row.session_arn = Some(arn);
    }
    match intent.kind {
        SessionKind::Root(account) => row.role_account_id = Some(world.id(account)),
        SessionKind::Federated(_) => row.session_name = Some(intent.name.clone()),
        SessionKind::Role(_) | SessionKind::User(_) => {}
    }
    row
}

/// What is left to say where only uses are held. Their record says who a user or root is; a role
/// session's origin nothing tells.
fn unissued(world: &World, index: SessIx, intent: &SessionIntent, row: &mut Session) {
    row.access_key_id = row.used_access_key_ids.first().cloned();
    row.origin_kind = String::from(match intent.kind {
        SessionKind::User(_) => "iam_user",
        SessionKind::Root(_) => "root",
        SessionKind::Role(_) | SessionKind::Federated(_) => "unknown",
    });
    row.origin = (row.origin_kind != "unknown").then(|| row.principal_arn.clone());
    row.chain = vec![principal(world, index)];
    row.parent_link = String::from("none");
    row.link_method = String::from("none");
    // There is no issue to tie a use to.
    (row.uses_by_key, row.uses_by_sign_in, row.uses_by_session) = (0, 0, 0);
    row.sign_in_session_arn.clone_from(&intent.dress.sign_in);
}

/// What the issuing records say.
fn issued(
    delivered: &Delivered,
    acts: &[Option<ActRow>],
    intent: &SessionIntent,
    row: &mut Session,
) {
    row.issued_by = Some(intent.issued_by.to_owned());
    row.expires = Some(intent.expires);
    row.access_key_id.clone_from(&intent.issued_key);
    match intent.issue {
        Issue::Act(ActIx(index)) => {
            let Some(ActRow { act, view }) = &acts[index] else { return };
            row.session_id = Some(act.event_id.clone());
            row.issued_event_ids.clone_from(&act.event_ids);
            row.issued_time = act.event_time;
            row.caller = Some(act.caller.clone());
            row.caller_resolved_by = Some(act.caller_resolved_by.clone());
            row.parent_access_key_id.clone_from(&act.caller_access_key_id);
            if *view == View::Switch {
                row.issued_by = Some(String::from("SwitchRole"));
                row.expires = None;
                row.access_key_id = None;
            }
        }
        Issue::Record(record) => {
            let id = delivered.event_id(record);
            row.issued_event_ids = vec![id.clone()];
            row.session_id = Some(id);
            row.caller_resolved_by = Some(String::from("record"));
            let world = delivered.world;
            row.caller = Some(match &intent.parent {
                Some(caller) => {
                    let full = world.caller_row(caller);
                    row.parent_access_key_id = full.caller_access_key_id;
                    full.caller
                }
                None => row.principal_arn.clone(),
            });
            if intent.parent.is_none() || intent.was_let_in() {
                // How long a console session lasts is not logged, nor a program's.
                row.expires = None;
            }
        }
    }
}

fn trace(
    delivered: &Delivered,
    acts: &[Option<ActRow>],
    descents: &BTreeMap<SessIx, Descent>,
    descent: &Descent,
    row: &mut Session,
) {
    let world = delivered.world;
    row.parent_session_id = descent.parent.filter(|parent| descents.contains_key(parent)).and_then(
        |parent| match world.sessions[parent.0].issue {
            Issue::Act(ActIx(act)) => acts[act].as_ref().map(|row| row.act.event_id.clone()),
            Issue::Record(record) => Some(delivered.event_id(record)),
        },
    );
    row.parent_link = descent.link.to_owned();
    row.depth = descent.depth;
    row.origin = Some(descent.origin.clone());
    row.origin_kind = descent.kind.to_owned();
    row.origin_access_key_id.clone_from(&descent.origin_key);
    row.chain.clone_from(&descent.chain);
    row.link_method =
        String::from(match (row.uses_by_key, row.uses_by_sign_in, row.uses_by_session) {
            (0, 0, 0) => "none",
            (0, 0, _) => "session",
            (0, ..) => "sign_in",
            _ => "key",
        });
}
