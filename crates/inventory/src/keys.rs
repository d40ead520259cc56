//! Access keys: ids from one input, slots and last use from another, put together.
//!
//! A credential report has no key ids. Its slot is a key's where the report's `last_rotated` is the
//! key's creation; a change of status moves `last_rotated`, so a slot and a key that are the only ones
//! left of a user belong together as well, as far as their states agree. Where several fit, none is
//! chosen, and the row says so.

use std::collections::BTreeMap;

use rolecall_lake::inventory::AccessKeyRow;

use crate::facts::{AccountFacts, Key, LastUse, Slot};
use crate::report::ROOT;
use crate::time::words;

const SECOND: i64 = 1_000_000;

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
                unmatched(&mut row, &fitting);
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
fn later_use(row: &mut AccessKeyRow, slot: &Slot) {
    if slot.last_used > row.last_used {
        row.last_used = slot.last_used;
        row.last_used_service.clone_from(&slot.last_used_service);
        row.last_used_region.clone_from(&slot.last_used_region);
    }
    row.last_used_known = true;
}

fn tied(row: &mut AccessKeyRow, slot: &Slot, tie: Tie) {
    row.slot = Some(slot.number);
    row.last_rotated = slot.last_rotated;
    later_use(row, slot);
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

/// A key that no slot could be tied to, with the slots that are left.
fn unmatched(row: &mut AccessKeyRow, free: &[&Slot]) {
    let Some(first) = free.first() else {
        row.note = Some(
            "the credential report does not have it: the report may be hours older".to_owned(),
        );
        return;
    };
    let numbers: Vec<String> = free.iter().map(|slot| slot.number.to_string()).collect();
    row.matched_by = Some("ambiguous".to_owned());
    let which = format!("slots {} of the credential report fit equally", numbers.join(" and "));
    let same_use = free.iter().all(|slot| slot.last_used == first.last_used);
    if free.len() == 1 {
        let what = "the only slot left in the credential report tells of another state";
        row.note = Some(what.to_owned());
    } else if same_use {
        // Whichever it is, it was used then, or never.
        later_use(row, first);
        row.note = Some(format!("{which}, and tell of the same last use"));
    } else {
        row.note = Some(format!(
            "{which}, and tell of different last uses: give get-access-key-last-used"
        ));
    }
}

/// A key that only the credential report knows.
fn without_id(slot: &Slot, ids_given: bool) -> AccessKeyRow {
    let status = if slot.active { "Active" } else { "Inactive" };
    AccessKeyRow {
        access_key_id: None,
        slot: Some(slot.number),
        user_name: slot.user_name.clone(),
        user_arn: Some(slot.user_arn.clone()),
        is_root: slot.user_name == ROOT,
        status: Some(status.to_owned()),
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
        let expected = [
            "A slot 0 by ambiguous used never unknown",
            "B slot 0 by ambiguous used never unknown",
        ];
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
