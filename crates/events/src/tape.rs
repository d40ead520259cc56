//! A cursor over simd-json's tape.
//!
//! simd-json's own `get` walks an object from its start for every key. A record has some ninety nodes
//! and we want thirty of them, so objects are walked once, and values are addressed by their place on
//! the tape. Every look-up is total: a value of another type than asked for is absent.

use simd_json::{Node, StaticNode};

/// Place of a value on the tape, or [`Place::ABSENT`], where every look-up finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(usize);

impl Place {
    /// The document itself.
    pub(crate) const ROOT: Self = Self(0);
    /// No value.
    pub(crate) const ABSENT: Self = Self(usize::MAX);

    fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::ABSENT
    }
}

/// The tape of one document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nodes<'t, 'a>(pub(crate) &'t [Node<'a>]);

impl<'t, 'a> Nodes<'t, 'a> {
    /// The text at `place`; `""` counts as absent.
    pub(crate) fn text(self, place: Place) -> Option<&'a str> {
        match self.0.get(place.0) {
            Some(Node::String(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The boolean at `place`, also where a service wrote it as text.
    pub(crate) fn flag(self, place: Place) -> Option<bool> {
        match self.0.get(place.0) {
            Some(Node::Static(StaticNode::Bool(flag))) => Some(*flag),
            Some(Node::String(text)) if text.eq_ignore_ascii_case("true") => Some(true),
            Some(Node::String(text)) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// The whole number at `place`, also where a service wrote it as text.
    pub(crate) fn integer(self, place: Place) -> Option<i64> {
        match self.0.get(place.0) {
            Some(Node::Static(StaticNode::I64(number))) => Some(*number),
            Some(Node::Static(StaticNode::U64(number))) => i64::try_from(*number).ok(),
            Some(Node::String(text)) => text.parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn is_array(self, place: Place) -> bool {
        matches!(self.0.get(place.0), Some(Node::Array { .. }))
    }

    pub(crate) fn is_object(self, place: Place) -> bool {
        matches!(self.0.get(place.0), Some(Node::Object { .. }))
    }

    /// The members of the object at `place`, as key and place of the value; none for anything else.
    pub(crate) fn members(self, place: Place) -> Members<'t, 'a> {
        let left = match self.0.get(place.0) {
            Some(Node::Object { len, .. }) => *len,
            _ => 0,
        };
        Members { nodes: self, next: place.next(), left }
    }

    /// The places of the elements of the array at `place`; none for anything else.
    pub(crate) fn elements(self, place: Place) -> Elements<'t, 'a> {
        let left = match self.0.get(place.0) {
            Some(Node::Array { len, .. }) => *len,
            _ => 0,
        };
        Elements { nodes: self, next: place.next(), left }
    }

    /// The place of the value of `key`, or [`Place::ABSENT`]. Of duplicate keys the last counts, as in
    /// most parsers.
    pub(crate) fn member(self, place: Place, key: &str) -> Place {
        let mut found = Place::ABSENT;
        for (name, value) in self.members(place) {
            if name == key {
                found = value;
            }
        }
        found
    }

    /// The place of the value at the end of `path`, or [`Place::ABSENT`].
    pub(crate) fn descend(self, place: Place, path: &[&str]) -> Place {
        path.iter().fold(place, |place, key| self.member(place, key))
    }

    /// The text at the end of `path` below `place`.
    pub(crate) fn text_at(self, place: Place, path: &[&str]) -> Option<&'a str> {
        self.text(self.descend(place, path))
    }

    /// Bytes of all text below `place`, names of members included.
    pub(crate) fn text_len(self, place: Place) -> usize {
        let nodes = self.0.get(place.0..self.after(place).0).unwrap_or_default();
        let lens = nodes.iter().map(|node| match node {
            Node::String(text) => text.len(),
            _ => 0,
        });
        lens.sum()
    }

    fn after(self, place: Place) -> Place {
        match self.0.get(place.0) {
            Some(Node::Object { count, .. } | Node::Array { count, .. }) => {
                Place(place.0.saturating_add(1).saturating_add(*count))
            }
            _ => place.next(),
        }
    }

    /// Writes the value at `place` as JSON text. Leaves off once `out` is longer than `most`.
    pub(crate) fn write_json(self, place: Place, out: &mut String, most: usize) {
        match self.0.get(place.0) {
            Some(Node::String(text)) => write_json_text(text, out),
            Some(Node::Static(value)) => out.push_str(&value.to_string()),
            Some(Node::Object { .. }) => {
                out.push('{');
                for (index, (key, value)) in self.members(place).enumerate() {
                    if out.len() > most {
                        return;
                    }
                    if index > 0 {
                        out.push(',');
                    }
                    write_json_text(key, out);
                    out.push(':');
                    self.write_json(value, out, most);
                }
                out.push('}');
            }
            Some(Node::Array { .. }) => {
                out.push('[');
                for (index, value) in self.elements(place).enumerate() {
                    if out.len() > most {
                        return;
                    }
                    if index > 0 {
                        out.push(',');
                    }
                    self.write_json(value, out, most);
                }
                out.push(']');
            }
            None => {}
        }
    }
}

fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                out.push_str(if c < '\u{10}' { "\\u000" } else { "\\u001" });
                out.extend(char::from_digit(u32::from(c) % 16, 16));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Members of an object, in the order written.
pub(crate) struct Members<'t, 'a> {
    nodes: Nodes<'t, 'a>,
    next: Place,
    left: usize,
}

impl<'a> Iterator for Members<'_, 'a> {
    type Item = (&'a str, Place);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let Some(Node::String(key)) = self.nodes.0.get(self.next.0) else { return None };
        let value = self.next.next();
        self.next = self.nodes.after(value);
        Some((key, value))
    }
}

/// Elements of an array, in order.
pub(crate) struct Elements<'t, 'a> {
    nodes: Nodes<'t, 'a>,
    next: Place,
    left: usize,
}

impl Iterator for Elements<'_, '_> {
    type Item = Place;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let value = self.next;
        self.next = self.nodes.after(value);
        Some(value)
    }
}
