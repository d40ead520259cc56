//! The files of one day in little memory: what was loaded as a sorted list, what came since beside it.

use std::collections::HashMap;

use super::{FileKey, FileState};

/// Which files of one day the ledger knows.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// In order, each file once.
    loaded: Vec<(FileKey, FileState)>,
    fresh: HashMap<FileKey, FileState>,
}

impl Partition {
    /// Of entries in any order, several of which may be on one file.
    pub(super) fn new(mut entries: Vec<(FileKey, FileState)>) -> Self {
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.merge(next.1);
            }
            same
        });
        entries.shrink_to_fit();
        Self { loaded: entries, fresh: HashMap::new() }
    }

    /// How many files there are.
    pub(super) fn len(&self) -> usize {
        self.loaded.len() + self.fresh.len()
    }

    pub(super) fn get(&self, key: &FileKey) -> Option<FileState> {
        match self.position(key) {
            Ok(index) => Some(self.loaded[index].1),
            Err(_) => self.fresh.get(key).copied(),
        }
    }

    /// Takes in another entry.
    pub(super) fn insert(&mut self, key: FileKey, state: FileState) {
        match self.position(&key) {
            Ok(index) => self.loaded[index].1 = self.loaded[index].1.merge(state),
            Err(_) => {
                let entry = self.fresh.entry(key);
                entry.and_modify(|known| *known = known.merge(state)).or_insert(state);
            }
        }
    }

    fn position(&self, key: &FileKey) -> Result<usize, usize> {
        self.loaded.binary_search_by_key(key, |(known, _)| *known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::TableSet;
    use crate::rows::{ContentHash, FileStatus};

    fn state(status: FileStatus) -> FileState {
        FileState { status, held_by: TableSet::default(), content: ContentHash::of("") }
    }

    #[test]
    fn loaded_and_fresh_files_are_one_set() {
        let key = |number| FileKey(number % 3, number);
        let (complete, refused) = (state(FileStatus::Complete), state(FileStatus::Refused));
        let loaded = [5, 1, 4, 1].map(|number| (key(number), refused));
        let mut partition = Partition::new([loaded.as_slice(), &[(key(4), complete)]].concat());
        assert_eq!(partition.len(), 3);
        partition.insert(key(1), complete);
        partition.insert(key(7), refused);
        partition.insert(key(7), complete);
        assert_eq!(partition.len(), 4);
        let found = [1, 2, 4, 5, 7].map(|number| partition.get(&key(number)));
        assert_eq!(found, [Some(complete), None, Some(complete), Some(refused), Some(complete)]);
    }

    #[test]
    fn an_entry_takes_32_bytes() {
        assert_eq!(size_of::<(FileKey, FileState)>(), 32);
    }
}
