//! A sentence with places for figures: `not used for {days_idle|day}`, `{user_name}`, `{share|percent}`.
//!
//! After `|` stands a noun that the figure counts, in the plural where there is not one, `percent` for a share from
//! 0 to 1, or `ago` for whole days since. A sentence of which a figure is not known is not said at all: never a command with a hole in it.

use std::fmt;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Figure { name: String, form: Option<String> },
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (figure, after) =
                after.split_once('}').ok_or_else(|| format!("'{{' without '}}' in '{text}'"))?;
            let (name, form) = match figure.split_once('|') {
                Some((name, form)) => (name, Some(form.to_owned())),
                None => (figure, None),
            };
            let is_name =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            if name.is_empty() || !name.bytes().all(is_name) {
                return Err(format!("'{name}' is no name of a column, in '{text}'"));
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Figure { name: name.to_owned(), form });
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { pieces })
    }

    pub(super) fn figures(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Figure { name, .. } => Some(name.as_str()),
        })
    }

    /// The sentence with its figures; none where `figure` does not know one.
    pub(super) fn fill(&self, figure: impl Fn(&str) -> Option<String>) -> Option<String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Figure { name, form } => {
                    text.push_str(&in_form(figure(name)?, form.as_deref()));
                }
            }
        }
        Some(text)
    }
}

fn in_form(value: String, form: Option<&str>) -> String {
    match form {
        None => value,
        Some("percent") => match value.parse::<f64>() {
            Ok(share) => format!("{} %", (share * 1000.0).round() / 10.0),
            Err(_) => value,
        },
        Some("ago") if value == "0" => "less than a day ago".to_owned(),
        Some("ago") => format!("{} ago", in_form(value, Some("day"))),
        Some(noun) if value == "1" => format!("1 {noun}"),
        Some(noun) => format!("{value} {noun}s"),
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Figure { name, form: Some(form) } if form == "ago" => {
                    write!(f, "<{name}> days ago")?;
                }
                Piece::Figure { name, form: Some(form) } if form != "percent" => {
                    write!(f, "<{name}> {form}s")?;
                }
                Piece::Figure { name, .. } => write!(f, "<{name}>")?,
            }
        }
        Ok(())
    }
}
