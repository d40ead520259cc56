//! The part of a world that was delivered, and what it shows: nothing is known that no record shows.

use std::collections::{HashMap, HashSet};

use crate::model::{ActIx, Issue, RecIx, RoleInfo, SessionIntent, SessionKind, View, World};
use crate::tally::{Tally, Uses};

/// The delivered part of a world.
pub(crate) struct Delivered<'a> {
    pub(crate) world: &'a World,
    pub(crate) tally: &'a Tally,
    /// ARNs by unique id, where some delivered record shows both.
    pub(crate) names: HashMap<&'a str, &'a str>,
    pub(crate) arns: HashSet<&'a str>,
    /// Unique ids by ARN, where some delivered record shows both.
    ids: HashMap<&'a str, HashSet<&'a str>>,
}

impl<'a> Delivered<'a> {
    pub(crate) fn new(world: &'a World, tally: &'a Tally) -> Self {
        let mut names = HashMap::new();
        let mut arns = HashSet::new();
        let mut ids: HashMap<&str, HashSet<&str>> = HashMap::new();
        for record in tally.placements.keys() {
            for (id, arn) in &world.records[record.0].shows {
                names.insert(id.as_str(), arn.as_str());
                arns.insert(arn.as_str());
                ids.entry(arn.as_str()).or_default().insert(id.as_str());
            }
        }
        for (session, uses) in &tally.sessions {
            if let SessionKind::Role(role) = world.sessions[session.0].kind
                && uses.count > 0
            {
                let role = &world.roles[role.0];
                ids.entry(role.arn.as_str()).or_default().insert(role.id.as_str());
            }
        }
        for act in &world.acts {
            let held = act.copies.iter().any(|(record, view)| {
                *view != View::Switch && tally.placements.contains_key(record)
            });
            if held {
                arns.extend(act.full.role_arn.as_deref());
            }
        }
        Self { world, tally, names, arns, ids }
    }

    pub(crate) fn holds(&self, record: RecIx) -> bool {
        self.tally.placements.contains_key(&record)
    }

    /// Whether a record held shows the unique id of the role that a session has: its own issue, a use, or
    /// any other while the name had only one.
    pub(crate) fn shows_role_id(
        &self,
        intent: &SessionIntent,
        uses: &Uses,
        role: &RoleInfo,
    ) -> bool {
        let issue = match intent.issue {
            Issue::Act(ActIx(act)) => {
                self.world.acts[act].copies.iter().map(|(record, _)| *record).collect()
            }
            Issue::Record(record) => vec![record],
        };
        let shown_by = |record: &RecIx| {
            let shows = &self.world.records[record.0].shows;
            self.holds(*record) && shows.iter().any(|(id, _)| *id == role.id)
        };
        let ids = self.ids.get(role.arn.as_str());
        issue.iter().any(shown_by)
            || uses.count > 0
            || ids.is_some_and(|ids| ids.len() == 1 && ids.contains(role.id.as_str()))
    }

    /// The record's event id; of a record that has none, its log file and position.
    pub(crate) fn event_id(&self, record: RecIx) -> String {
        if let Some(id) = &self.world.records[record.0].event_id {
            return id.clone();
        }
        let placement = self.tally.placements.get(&record).and_then(|all| all.first());
        let (file, position) = placement.map_or((0, 0), |(file, position, _)| (*file, *position));
        let name = self.tally.files.get(file).map_or("", |file| &file.log_file);
        format!("{name}#{position}")
    }
}
