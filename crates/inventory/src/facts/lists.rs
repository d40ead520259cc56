//! Of lists that come in pieces: of which users they were, and which pages were there.
//!
//! Whether that makes a part whole is not decided here.

use std::collections::BTreeMap;

use crate::parts::Part;
use crate::stamp::Stamp;

/// Of which users a list was there, and as of when.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listed {
    /// By name.
    pub(crate) users: BTreeMap<String, Stamp>,
    /// Of all of them in one.
    pub(crate) all: Option<Stamp>,
    /// Empty lists, which name nobody, by what the file's name says.
    pub(crate) named: Vec<(String, Stamp)>,
}

impl Listed {
    pub(crate) fn add(&mut self, user: &str, stamp: Stamp) {
        let oldest = self.users.entry(user.to_owned()).or_insert(stamp);
        *oldest = stamp.min(*oldest);
    }
}

/// Which pages of a list were there.
#[derive(Debug)]
struct Pages {
    part: Part,
    /// One that another one has to follow.
    cut_off: bool,
    /// The last one, or all in one.
    last: bool,
}

/// The pages of each list, by the command that prints it and what it is of, where that is not the account.
#[derive(Debug, Default)]
pub(crate) struct PagesOfLists(BTreeMap<(&'static str, String), Pages>);

impl PagesOfLists {
    pub(crate) fn add(&mut self, list: &'static str, of: &str, part: Part, cut_off: bool) {
        let new = || Pages { part, cut_off: false, last: false };
        let pages = self.0.entry((list, of.to_owned())).or_insert_with(new);
        pages.cut_off |= cut_off;
        pages.last |= !cut_off;
    }

    /// Takes those whose last page was not there: the command, and what it lists.
    pub(crate) fn cut_off(&mut self) -> Vec<(&'static str, Part)> {
        let all = std::mem::take(&mut self.0).into_iter();
        let cut_off = all.filter(|(_, pages)| pages.cut_off && !pages.last);
        cut_off.map(|((list, _), pages)| (list, pages.part)).collect()
    }
}
