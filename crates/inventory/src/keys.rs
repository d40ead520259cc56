//! Access keys: ids from one input, slots and last use from another, put together.
//!
//! A credential report has no key ids. Its slot is a key's where the report's `last_rotated` is the
//! key's creation; a change of status moves `last_rotated`, so a slot and a key that are the only ones
//! left of a user belong together as well, as far as their states agree. Where several fit, none is
//! chosen, and the row says so; but what they tell may be the key's, so that it counts against any
//! certainty about the key.

use std::collections::BTreeMap;

use rolecall_lake::inventory::{AccessKeyRow, TimeFrom};

use crate::facts::{AccountFacts, Key, LastUse, Slot};
use crate::parts::Part;
use crate::report::ROOT;
use crate::stamp::Stamp;
use crate::time::words;

const SECOND: i64 = 1_000_000;
/// By how much a file may be younger than what it says: it may have been copied.
const COPIED: i64 = 86_400 * SECOND;

/// One user's keys and slots.
#[derive(Default)]
struct Holder<'a> {
    keys: Vec<(&'a str, &'a Key)>,
    slots: Vec<&'a Slot>,
}

/// How a slot was tied to a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tie {
    CreateDate,
    Elimination,
}

/// When keys were listed and when the credential report was made, where that is known.
#[derive(Clone, Copy)]
struct Times {
    listed: Option<Stamp>,
    reported: Option<Stamp>,
}

impl Times {
    fn of(facts: &AccountFacts) -> Self {
        let asked = facts.asked.map(|at| Stamp { at, from: TimeFrom::Api });
        let time = |part: Part| facts.parts.time(part);
        let listed = time(Part::AccessKeys).or_else(|| time(Part::AccessKeysOfSome)).or(asked);
        Self { listed, reported: time(Part::CredentialReport) }
    }

    /// Whether keys were listed after that for certain.
    fn listed_after(self, then: Option<i64>) -> bool {
        let slack = |listed: Stamp| if listed.from == TimeFrom::File { COPIED } else { 0 };
        self.listed.zip(then).is_some_and(|(listed, then)| listed.at > then + slack(listed))
    }

    /// Whether one of these slots may tell of another state than the list, and later.
    fn deny_status(self, key: &Key, slots: &[&Slot]) -> bool {
        if self.listed_after(self.reported.map(|reported| reported.at)) {
            return false;
        }
        // Each change of a status moves last_rotated: what was so before the list is another key's.
        let other = |slot: &&&Slot| !same_state(key, slot);
        let changed = |slot: &&Slot| !self.listed_after(slot.last_rotated);
        slots.iter().filter(other).count() == slots.len() || slots.iter().filter(other).any(changed)
    }
}

/// The account's keys, in the order of user, slot and id.
pub(crate) fn rows(facts: &AccountFacts) -> Vec<AccessKeyRow> {
    let mut holders: BTreeMap<&str, Holder<'_>> = BTreeMap::new();
    let nameless = Key::default();
    for (id, key) in &facts.keys {
        let used = facts.last_used.get(id).and_then(|used| used.user_name.as_deref());
        let user = key.user_name.as_deref().or(used).unwrap_or_default();
        holders.entry(user).or_default().keys.push((id, key));
    }
    for (id, used) in &facts.last_used {
        if !facts.keys.contains_key(id) {
            let user = used.user_name.as_deref().unwrap_or_default();
            holders.entry(user).or_default().keys.push((id, &nameless));
        }
    }
    for slot in &facts.slots {
        holders.entry(&slot.user_name).or_default().slots.push(slot);
    }
    let mut rows = Vec::new();
    for (user, holder) in holders {
        let start = rows.len();
        rows.extend(holder.rows(user, facts));
        rows[start..].sort_by(|a: &AccessKeyRow, b| {
            (a.slot.unwrap_or(3), &a.access_key_id).cmp(&(b.slot.unwrap_or(3), &b.access_key_id))
        });
    }
    rows
}

impl<'a> Holder<'a> {
    fn rows(&self, user: &str, facts: &AccountFacts) -> Vec<AccessKeyRow> {
        let times = Times::of(facts);
        let ties = self.ties();
        let free: Vec<&Slot> = (0..self.slots.len())
            .filter(|slot| !ties.iter().any(|(_, tied, _)| tied == slot))
            .map(|slot| self.slots[slot])
            .collect();
        let mut taken: Vec<i64> = Vec::new();
        let mut rows = Vec::new();
        for (number, (id, key)) in self.keys.iter().enumerate() {
            let tie = ties.iter().find(|(tied, ..)| *tied == number);
            let mut row = self.row(user, id, key, facts);
            if let Some((_, slot, tie)) = tie {
                tied(&mut row, self.slots[*slot], *tie);
            } else if !facts.slots.is_empty() {
                let fitting = free.iter().copied().filter(|slot| could_be(key, slot));
                let fitting: Vec<&Slot> = fitting.collect();
                taken.extend(fitting.iter().map(|slot| slot.number));
                unmatched(&mut row, key, &fitting, times);
            }
            rows.push(row);
        }
        // A slot that may be one of the keys above is no key of its own.
        for slot in free.iter().filter(|slot| !taken.contains(&slot.number)) {
            rows.push(without_id(slot, !facts.keys.is_empty()));
        }
        rows
    }

    /// Key, slot and how: by creation where exactly one of each fits, then by what is left.
    fn ties(&self) -> Vec<(usize, usize, Tie)> {
        let mut ties: Vec<(usize, usize, Tie)> = Vec::new();
        let fits = |key: &Key, slot: &Slot| {
            same_second(key.created, slot.last_rotated) && same_state(key, slot)
        };
        for (number, (_, key)) in self.keys.iter().enumerate() {
            let slots: Vec<usize> =
                (0..self.slots.len()).filter(|slot| fits(key, self.slots[*slot])).collect();
            if let [slot] = slots[..] {
                let others = self.keys.iter().filter(|(_, key)| fits(key, self.slots[slot]));
                if others.count() == 1 {
                    ties.push((number, slot, Tie::CreateDate));
                }
            }
        }
        let keys = (0..self.keys.len()).filter(|key| !ties.iter().any(|(tied, ..)| tied == key));
        let keys: Vec<usize> = keys.collect();
        let slots = (0..self.slots.len()).filter(|at| !ties.iter().any(|(_, tied, _)| tied == at));
        let slots: Vec<usize> = slots.collect();
        if let ([key], [slot]) = (&keys[..], &slots[..]) {
            let (of, at) = (self.keys[*key].1, self.slots[*slot]);
            let known = of.created.is_some() && at.last_rotated.is_some();
            if known && could_be(of, at) && same_state(of, at) {
                ties.push((*key, *slot, Tie::Elimination));
            }
        }
        ties
    }

    fn row(&self, user: &str, id: &str, key: &Key, facts: &AccountFacts) -> AccessKeyRow {
        let of = facts.users.get(user);
        let used = facts.last_used.get(id);
        let known = |value: fn(&LastUse) -> Option<String>| used.and_then(value);
        AccessKeyRow {
            access_key_id: Some(id.to_owned()),
            user_name: user.to_owned(),
            user_arn: of.and_then(|of| of.user_arn.clone()),
            user_id: of.and_then(|of| of.user_id.clone()),
            is_root: user == ROOT,
            status: key.status.clone(),
            created: key.created,
            last_used: used.and_then(|used| used.at),
            last_used_service: known(|used| used.service.clone()),
            last_used_region: known(|used| used.region.clone()),
            last_used_known: used.is_some(),
            matched_by: used.map(|_| "access_key_id".to_owned()),
            ..AccessKeyRow::default()
        }
    }
}

fn same_second(one: Option<i64>, other: Option<i64>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one.div_euclid(SECOND) == other.div_euclid(SECOND))
}

/// Whether the key is old enough to be the slot's.
fn could_be(key: &Key, slot: &Slot) -> bool {
    let (made, changed) = (key.created, slot.last_rotated);
    made.zip(changed)
        .is_none_or(|(made, changed)| made.div_euclid(SECOND) <= changed.div_euclid(SECOND))
}

fn same_state(key: &Key, slot: &Slot) -> bool {
    match key.status.as_deref() {
        Some(status) => status.eq_ignore_ascii_case("active") == slot.active,
        None => true,
    }
}

/// Of two last uses the later one counts: either may lag behind.
fn take_later_use(row: &mut AccessKeyRow, slot: &Slot) {
    if slot.last_used > row.last_used {
        row.last_used = slot.last_used;
        row.last_used_service.clone_from(&slot.last_used_service);
        row.last_used_region.clone_from(&slot.last_used_region);
    }
}

fn tied(row: &mut AccessKeyRow, slot: &Slot, tie: Tie) {
    row.slot = Some(slot.number);
    row.last_rotated = slot.last_rotated;
    take_later_use(row, slot);
    row.last_used_known = true;
    row.matched_by = Some(match tie {
        Tie::CreateDate => "create_date".to_owned(),
        Tie::Elimination => "elimination".to_owned(),
    });
    if tie == Tie::Elimination {
        row.note = Some(format!(
            "tied to slot {} because no other key of the user is left; the slot changed at {}, after \
             the key was made",
            slot.number,
            slot.last_rotated.map(words).unwrap_or_default(),
        ));
    }
}

/// A key that no slot could be tied to, with the slots that are left. The key may be any of them: used as late as the
/// last of them, changed as late, and of another state than the list says.
fn unmatched(row: &mut AccessKeyRow, key: &Key, free: &[&Slot], times: Times) {
    let Some(latest) = free.iter().max_by_key(|slot| slot.last_used) else {
        row.note = Some(
            "the credential report does not have it: the report may be hours older".to_owned(),
        );
        return;
    };
    row.matched_by = Some("ambiguous".to_owned());
    row.last_rotated = free.iter().filter_map(|slot| slot.last_rotated).max();
    take_later_use(row, latest);
    let same_use = free.iter().all(|slot| slot.last_used == latest.last_used);
    // Whichever of several it is, it was used then, or never.
    row.last_used_known |= same_use && free.len() > 1;
    if times.deny_status(key, free) {
        row.status = None;
    }
    row.note = Some(which_slot(key, free, same_use));
}

/// What keeps a key from being tied to one of the slots that are left.
fn which_slot(key: &Key, free: &[&Slot], same_use: bool) -> String {
    if let [slot] = free {
        return match key.status.as_deref() {
            Some(status) if !same_state(key, slot) => format!(
                "the only slot left in the credential report tells of another state: {}, where \
                 list-access-keys says {status}",
                state(slot)
            ),
            _ => format!("slot {} of the credential report may be another key's", slot.number),
        };
    }
    let numbers: Vec<String> = free.iter().map(|slot| slot.number.to_string()).collect();
    let which = format!("slots {} of the credential report fit equally", numbers.join(" and "));
    if same_use {
        format!("{which}, and tell of the same last use")
    } else {
        format!("{which}, and tell of different last uses: give get-access-key-last-used")
    }
}

fn state(slot: &Slot) -> &'static str {
    if slot.active { "Active" } else { "Inactive" }
}

/// A key that only the credential report knows.
fn without_id(slot: &Slot, ids_given: bool) -> AccessKeyRow {
    AccessKeyRow {
        access_key_id: None,
        slot: Some(slot.number),
        user_name: slot.user_name.clone(),
        user_arn: Some(slot.user_arn.clone()),
        is_root: slot.user_name == ROOT,
        status: Some(state(slot).to_owned()),
        last_rotated: slot.last_rotated,
        last_used: slot.last_used,
        last_used_service: slot.last_used_service.clone(),
        last_used_region: slot.last_used_region.clone(),
        last_used_known: true,
        note: ids_given.then(|| "list-access-keys does not have it".to_owned()),
        ..AccessKeyRow::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400 * SECOND;

    fn key(id: &str, created: i64, status: &str) -> (String, Key) {
        let key = Key {
            user_name: Some("ci".to_owned()),
            status: Some(status.to_owned()),
            created: Some(created),
        };
        (id.to_owned(), key)
    }

    fn slot(number: i64, active: bool, rotated: i64, used: Option<i64>) -> Slot {
        Slot {
            user_name: "ci".to_owned(),
            number,
            active,
            last_rotated: Some(rotated),
            last_used: used,
            ..Slot::default()
        }
    }

    /// Id, slot, how, last use, whether that is known.
    fn told(keys: Vec<(String, Key)>, slots: Vec<Slot>) -> Vec<String> {
        let facts =
            AccountFacts { keys: keys.into_iter().collect(), slots, ..AccountFacts::default() };
        let rows = rows(&facts).into_iter().map(|row| {
            format!(
                "{} slot {} by {} used {} {}",
                row.access_key_id.as_deref().unwrap_or("?"),
                row.slot.unwrap_or(0),
                row.matched_by.as_deref().unwrap_or("-"),
                row.last_used.map_or("never".to_owned(), |at| (at / DAY).to_string()),
                if row.last_used_known { "known" } else { "unknown" },
            )
        });
        rows.collect()
    }

    #[test]
    fn a_slot_is_tied_to_the_key_made_then() {
        let keys = || vec![key("A", 2 * DAY, "Active"), key("B", DAY, "Active")];
        let slots = vec![slot(1, true, DAY, Some(9 * DAY)), slot(2, true, 2 * DAY, None)];
        let expected =
            ["B slot 1 by create_date used 9 known", "A slot 2 by create_date used never known"];
        assert_eq!(told(keys(), slots), expected);
    }

    #[test]
    fn a_change_of_status_leaves_one_pair() {
        let keys = vec![key("A", DAY, "Active"), key("B", 2 * DAY, "Inactive")];
        let slots = vec![slot(1, true, DAY, None), slot(2, false, 5 * DAY, Some(3 * DAY))];
        let expected =
            ["A slot 1 by create_date used never known", "B slot 2 by elimination used 3 known"];
        assert_eq!(told(keys, slots), expected);
    }

    #[test]
    fn made_in_the_same_second_no_slot_is_guessed() {
        let keys = || vec![key("A", DAY, "Active"), key("B", DAY, "Active")];
        let slots = vec![slot(1, true, DAY, None), slot(2, true, DAY, Some(3 * DAY))];
        let expected =
            ["A slot 0 by ambiguous used 3 unknown", "B slot 0 by ambiguous used 3 unknown"];
        assert_eq!(told(keys(), slots), expected);
        let slots = vec![slot(1, true, DAY, None), slot(2, true, DAY, None)];
        let expected =
            ["A slot 0 by ambiguous used never known", "B slot 0 by ambiguous used never known"];
        assert_eq!(told(keys(), slots), expected);
        // Their states tell them apart.
        let keys = vec![key("A", DAY, "Inactive"), key("B", DAY, "Active")];
        let slots = vec![slot(1, true, DAY, None), slot(2, false, DAY, Some(3 * DAY))];
        let expected =
            ["B slot 1 by create_date used never known", "A slot 2 by create_date used 3 known"];
        assert_eq!(told(keys, slots), expected);
    }

    #[test]
    fn a_slot_without_a_key_and_a_key_without_a_slot_stay() {
        let slots = || vec![slot(2, false, 5 * DAY, Some(3 * DAY))];
        assert_eq!(told(Vec::new(), slots()), ["? slot 2 by - used 3 known"]);
        // Made after the report: not its slot.
        let keys = vec![key("A", 6 * DAY, "Active")];
        let expected = ["? slot 2 by - used 3 known", "A slot 0 by - used never unknown"];
        assert_eq!(told(keys, slots()), expected);
    }

    /// A key that was listed on that day, and a report of the 20th; where the time of the list is from a file or from
    /// IAM. State, last change, last use, whether that is known.
    fn dated(listed: i64, from: TimeFrom, status: &str, slots: &[Slot]) -> String {
        let mut facts = AccountFacts {
            keys: [key("A", DAY, status)].into_iter().collect(),
            slots: slots.to_vec(),
            ..AccountFacts::default()
        };
        facts.parts.tell(Part::AccessKeys, Some(Stamp { at: listed * DAY, from }));
        let report = Stamp { at: 20 * DAY, from: TimeFrom::Content };
        facts.parts.tell(Part::CredentialReport, Some(report));
        let row = &rows(&facts)[0];
        assert_eq!(row.matched_by.as_deref(), Some("ambiguous"));
        let day = |at: Option<i64>| at.map_or("-".to_owned(), |at| (at / DAY).to_string());
        let known = if row.last_used_known { "known" } else { "unknown" };
        let (status, changed) = (row.status.as_deref().unwrap_or("-"), day(row.last_rotated));
        format!("{status} changed {changed} used {} {known}", day(row.last_used))
    }

    #[test]
    fn regression_a_slot_of_another_state_is_a_word_on_the_key() {
        let active = [slot(1, true, 16 * DAY, Some(19 * DAY))];
        // The report is the newer word, or may be.
        for (listed, from) in [(14, TimeFrom::File), (20, TimeFrom::Api), (21, TimeFrom::File)] {
            let told = dated(listed, from, "Inactive", &active);
            assert_eq!(told, "- changed 16 used 19 unknown", "{listed}");
        }
        // The key was listed later.
        for (listed, from) in [(21, TimeFrom::Api), (22, TimeFrom::File)] {
            let told = dated(listed, from, "Inactive", &active);
            assert_eq!(told, "Inactive changed 16 used 19 unknown", "{listed}");
        }
        // Without times nothing can be compared.
        let facts = AccountFacts {
            keys: [key("A", DAY, "Inactive")].into_iter().collect(),
            slots: active.to_vec(),
            ..AccountFacts::default()
        };
        let rows = rows(&facts);
        assert_eq!((rows.len(), rows[0].status.as_deref()), (1, None));
        let note = rows[0].note.as_deref().unwrap_or_default();
        assert!(note.ends_with("another state: Active, where list-access-keys says Inactive"));
    }

    #[test]
    fn regression_the_later_use_of_two_slots_may_be_the_keys() {
        let slots = |first: bool, changed: i64| {
            [slot(1, first, changed * DAY, Some(19 * DAY)), slot(2, true, 5 * DAY, None)]
        };
        let told = |slots: &[Slot]| dated(14, TimeFrom::Api, "Active", slots);
        assert_eq!(told(&slots(true, 6)), "Active changed 6 used 19 unknown");
        // What was changed before the list is another key's; what was changed since may be this one.
        assert_eq!(told(&slots(false, 6)), "Active changed 6 used 19 unknown");
        assert_eq!(told(&slots(false, 16)), "- changed 16 used 19 unknown");
        // Neither slot is of the state that was listed.
        let told = dated(14, TimeFrom::Api, "Inactive", &slots(true, 6));
        assert_eq!(told, "- changed 6 used 19 unknown");
    }

    #[test]
    fn last_use_by_id_needs_no_slot_and_the_later_use_counts() {
        let used = LastUse { at: Some(7 * DAY), ..LastUse::default() };
        let mut facts = AccountFacts {
            keys: [key("A", DAY, "Active")].into_iter().collect(),
            last_used: [("A".to_owned(), used)].into_iter().collect(),
            ..AccountFacts::default()
        };
        let alone = rows(&facts);
        assert_eq!(alone[0].matched_by.as_deref(), Some("access_key_id"));
        assert_eq!((alone[0].last_used, alone[0].last_used_known), (Some(7 * DAY), true));
        facts.slots = vec![slot(1, true, DAY, Some(8 * DAY))];
        let both = rows(&facts);
        assert_eq!((both[0].slot, both[0].last_used), (Some(1), Some(8 * DAY)));
    }
}
