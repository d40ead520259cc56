//! Texts as numbers: a session's key, role and caller are compared and hashed millions of times.
//!
//! Numbers depend on the order of arrival; whatever decides a result compares the texts.

use std::collections::HashMap;
use std::sync::Arc;

/// A text that [`Names`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name(u32);

/// Every text once.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<Arc<str>, Name>,
    texts: Vec<Arc<str>>,
}

impl Names {
    /// The number of `text`, given on first sight.
    pub(super) fn intern(&mut self, text: &str) -> Name {
        if let Some(name) = self.numbers.get(text) {
            return *name;
        }
        let name = Name(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, name);
        name
    }

    /// The text behind `name`.
    pub(super) fn text(&self, name: Name) -> &str {
        self.texts.get(name.0 as usize).map_or("", |text| text)
    }

    /// The text behind `name`, if there is one.
    pub(super) fn get(&self, name: Option<Name>) -> Option<&str> {
        name.map(|name| self.text(name))
    }

    /// The lesser text of two, where one may be absent.
    pub(super) fn min(&self, a: Option<Name>, b: Option<Name>) -> Option<Name> {
        match (a, b) {
            (Some(a), Some(b)) if self.text(b) < self.text(a) => Some(b),
            (Some(a), _) => Some(a),
            (None, b) => b,
        }
    }
}
