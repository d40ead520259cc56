//! What came of an inventory, for people: a few lines for each account, and once what all have in common.

use std::collections::BTreeSet;
use std::io::Write;

use rolecall_ingest::doctor::Sight;
use rolecall_lake::Inventory;
use rolecall_lake::inventory::{PartRow, TimeFrom};

use crate::clock;
use crate::term::{self, Screen};

/// Parts that were read within so many microseconds are of one reading.
const ALIKE: i64 = 3_600_000_000;

/// Writes the accounts, and then what their trails record.
pub(super) fn write(
    out: &mut impl Write,
    screen: Screen,
    inventories: &[Inventory],
    trails: &[Sight],
) -> std::io::Result<()> {
    // With hundreds of accounts, what is missing of all of them would hide what is missing of one.
    let (mut read, mut missing) = (Vec::new(), Vec::new());
    if let [first, _, ..] = inventories {
        let snapshots = || inventories.iter().map(|one| &one.snapshot);
        let of_all = |line: &&String, list: fn(&rolecall_lake::SnapshotRow) -> &Vec<String>| {
            snapshots().all(|snapshot| list(snapshot).contains(line))
        };
        read = first.snapshot.parts.iter().filter(|line| of_all(line, |one| &one.parts)).collect();
        missing =
            first.snapshot.missing.iter().filter(|line| of_all(line, |one| &one.missing)).collect();
    }
    for inventory in inventories {
        account(out, screen, inventory, &read, &missing)?;
    }
    if inventories.len() > 1 {
        let each = term::count(inventories.len() as u64, "account");
        writeln!(out, "\nOf each of the {each}")?;
        write!(out, "{}", lines(screen, "read", &read, &missing))?;
    }
    if !trails.is_empty() {
        writeln!(out, "\nTrails")?;
    }
    for trail in trails {
        let whose = if trail.organization { ", of the whole organisation" } else { "" };
        let state = if trail.logging { "on" } else { "switched off" };
        writeln!(out, "{}{whose}: {state}", term::visible(&trail.trail_arn))?;
        let left_out: Vec<String> = trail.findings.iter().map(ToString::to_string).collect();
        let left_out = left_out.join("; ");
        write!(out, "{}", term::labelled(&screen, 2, [("does not record", left_out.as_str())]))?;
    }
    Ok(())
}

fn account(
    out: &mut impl Write,
    screen: Screen,
    inventory: &Inventory,
    read: &[&String],
    missing: &[&String],
) -> std::io::Result<()> {
    let snapshot = &inventory.snapshot;
    let name = snapshot.account_name.as_deref().unwrap_or_default();
    writeln!(
        out,
        "{}{}{} as of {}",
        snapshot.account_id,
        if name.is_empty() { "" } else { " " },
        term::visible(name),
        to_the_second(snapshot.snapshot_time),
    )?;
    writeln!(out, "  {}", counts(inventory))?;
    write!(out, "{}", ages(screen, &inventory.part_times))?;
    let rest = |all: &[String], shared: &[&String]| -> Vec<String> {
        let shared: BTreeSet<&str> = shared.iter().map(|line| line.as_str()).collect();
        all.iter().filter(|line| !shared.contains(line.as_str())).cloned().collect()
    };
    let (own, lacks) = (rest(&snapshot.parts, read), rest(&snapshot.missing, missing));
    let label = if read.is_empty() { "read" } else { "also read" };
    let (own, lacks): (Vec<_>, Vec<_>) = (own.iter().collect(), lacks.iter().collect());
    write!(out, "{}", lines(screen, label, &own, &lacks))
}

/// As of when each part tells, where they differ or where a file's own date is all that says so.
fn ages(screen: Screen, parts: &[PartRow]) -> String {
    let mut parts: Vec<&PartRow> = parts.iter().collect();
    parts.sort_by_key(|part| (std::cmp::Reverse(part.read_at), part.time_from));
    let alike = |one: &PartRow, other: &PartRow| {
        one.time_from == other.time_from && one.read_at - other.read_at < ALIKE
    };
    let mut groups: Vec<Vec<&PartRow>> = Vec::new();
    for part in parts {
        match groups.iter_mut().find(|group| alike(group[0], part)) {
            Some(group) => group.push(part),
            None => groups.push(vec![part]),
        }
    }
    let times = || groups.iter().flatten().map(|part| part.read_at);
    let apart = times().max().unwrap_or(0) - times().min().unwrap_or(0) >= ALIKE;
    let by_file = |group: &[&PartRow]| group.iter().any(|part| part.time_from == TimeFrom::File);
    let lines = groups.iter().filter(|group| apart || by_file(group));
    let lines: Vec<String> = lines.map(|group| age(group, groups.len() > 1)).collect();
    term::labelled(&screen, 2, lines.iter().map(|line| ("as of", line.as_str())))
}

fn age(group: &[&PartRow], named: bool) -> String {
    let oldest = group.iter().map(|part| part.read_at).min().unwrap_or(0);
    let mut words = to_the_second(oldest);
    if group.iter().any(|part| part.time_from == TimeFrom::File) {
        words.push_str(" by the file's modification time");
    }
    if named {
        let names = group.iter().map(|part| part.part.as_str()).collect::<Vec<_>>().join(", ");
        words.push_str(&format!(": {names}"));
    }
    words
}

/// Nobody asks for more.
fn to_the_second(micros: i64) -> String {
    clock::format_time(micros.div_euclid(1_000_000) * 1_000_000)
}

fn counts(inventory: &Inventory) -> String {
    let counts = [
        (inventory.users.len(), "user"),
        (inventory.access_keys.len(), "access key"),
        (inventory.credentials.len(), "other credential"),
        (inventory.groups.len(), "group"),
        (inventory.roles.len(), "role"),
        (inventory.trust_statements.len(), "trust statement"),
        (inventory.identity_providers.len(), "identity provider"),
        (inventory.identity_center_assignments.len(), "assignment"),
        (inventory.identity_store_users.len(), "identity store user"),
        (inventory.organization_policies.len(), "organisation-wide guardrail"),
        (inventory.known_accounts.len(), "known account"),
    ];
    let counts = counts.iter().filter(|(number, _)| *number > 0);
    let counts: Vec<String> =
        counts.map(|(number, noun)| term::count(*number as u64, noun)).collect();
    if counts.is_empty() { "empty".to_owned() } else { counts.join(", ") }
}

fn lines(screen: Screen, label: &str, read: &[&String], missing: &[&String]) -> String {
    let read = read.iter().map(|part| part.as_str()).collect::<Vec<_>>().join(", ");
    let missing = missing.iter().map(|line| ("missing", line.as_str()));
    term::labelled(&screen, 2, [(label, read.as_str())].into_iter().chain(missing))
}
