//! Text for a person at a terminal: how wide it is, whether colour is wanted, wrapping, and
//! above all making text from a log harmless before it is shown.
//!
//! Session names and user agents are chosen by whoever makes the call. Printed as they are, they
//! could move the cursor, recolour the lines above, or (with the bidirectional controls of
//! Unicode) show `admin` where the log says something else. [`visible`] spells such characters
//! out; everything for human eyes goes through it. It does not judge look-alike letters.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set or the terminal is a dumb one.
    #[default]
    Auto,
    /// Always, for a pager that understands it.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// The name to type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// The choice of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Auto, Self::Always, Self::Never].into_iter().find(|choice| choice.name() == name)
    }
}

/// The width that text for people is wrapped to where there is no terminal to ask.
const READING_WIDTH: usize = 100;

/// What is known about where text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Whether a person looks at it right now.
    pub(crate) terminal: bool,
    /// How many columns it has; `None` where there is no limit, as in a file.
    pub(crate) width: Option<usize>,
    /// Whether to colour.
    pub(crate) colour: bool,
}

impl Screen {
    /// Standard output.
    pub(crate) fn stdout(colour: Colour) -> Self {
        let stdout = io::stdout();
        let size = terminal_size::terminal_size_of(&stdout);
        Self::new(stdout.is_terminal(), size.map(|(width, _)| width.0), colour)
    }

    /// Standard error.
    pub(crate) fn stderr(colour: Colour) -> Self {
        let stderr = io::stderr();
        let size = terminal_size::terminal_size_of(&stderr);
        Self::new(stderr.is_terminal(), size.map(|(width, _)| width.0), colour)
    }

    fn new(terminal: bool, columns: Option<u16>, colour: Colour) -> Self {
        // A terminal that says zero columns (some do, over a serial line) has not said anything.
        let columns = columns.map(usize::from).filter(|columns| *columns > 0);
        Self {
            terminal,
            width: terminal.then(|| columns.unwrap_or(80)),
            colour: match colour {
                Colour::Auto => terminal,
                Colour::Always => true,
                Colour::Never => false,
            },
        }
    }

    /// A file or a pipe: no limit, no colour.
    pub(crate) fn plain() -> Self {
        Self { terminal: false, width: None, colour: false }
    }

    /// The width to wrap prose to.
    pub(crate) fn reading_width(&self) -> usize {
        self.width.unwrap_or(READING_WIDTH).max(20)
    }

    /// `text` in `ink`, where colour is wanted. The text must be harmless already.
    pub(crate) fn paint<'a>(&self, ink: Ink, text: &'a str) -> Painted<'a> {
        Painted { style: if self.colour { ink.style() } else { Style::new() }, text }
    }
}

/// The few ways in which text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Titles and column names.
    Bold,
    /// What matters less.
    Dim,
    /// What is well.
    Good,
    /// What deserves a look.
    Warn,
    /// What is wrong.
    Bad,
    /// Names to type: commands, columns, keywords.
    Name,
}

impl Ink {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Bold => Style::new().bold(),
            Self::Dim => Style::new().dimmed(),
            Self::Good => colour(AnsiColor::Green),
            Self::Warn => colour(AnsiColor::Yellow),
            Self::Bad => colour(AnsiColor::Red).bold(),
            Self::Name => colour(AnsiColor::Cyan),
        }
    }
}

/// Text with its style; see [`Screen::paint`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Painted<'a> {
    style: Style,
    text: &'a str,
}

impl fmt::Display for Painted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.style.render(), self.text, self.style.render_reset())
    }
}

/// `text` with every character spelled out that acts instead of showing: line breaks as `\n`,
/// an escape as `\x1b`, a direction override as `\u{202e}`.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    spell_out(text, acts)
}

/// Like [`visible`], for text of several lines: line breaks and tabs stay.
pub(crate) fn visible_lines(text: &str) -> Cow<'_, str> {
    spell_out(text, |c| !matches!(c, '\n' | '\t') && acts(c))
}

fn spell_out(text: &str, harmful: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            _ if !harmful(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ => {
                let code = u32::from(c);
                let written = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    _ => write!(out, "\\u{{{code:x}}}"),
                };
                debug_assert!(written.is_ok(), "writing to a string does not fail");
            }
        }
    }
    Cow::Owned(out)
}

/// Whether a character acts instead of showing: control characters of both sets, directions,
/// invisible ones, tags, and blanks that are letters.
pub(crate) fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The columns that `text` takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Wraps `text` to `columns`, the first line after `first`, the others after `rest`. Words longer
/// than a line (ARNs) stay whole, so that they can be copied.
pub(crate) fn wrap(text: &str, columns: usize, first: &str, rest: &str) -> String {
    let options = textwrap::Options::new(columns)
        .initial_indent(first)
        .subsequent_indent(rest)
        .break_words(false)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
    textwrap::fill(text, options)
}

/// Two columns: labels, and beside them their text, wrapped and hanging. Labels and text are made
/// harmless here; an entry without text is left out.
pub(crate) fn labelled<'a>(
    screen: &Screen,
    indent: usize,
    entries: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let entries: Vec<_> = entries
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(label, text)| (visible(label), visible_lines(text)))
        .collect();
    let label_width = entries.iter().map(|(label, _)| width(label)).max().unwrap_or(0);
    let hang = " ".repeat(indent + label_width + 2);

    let mut out = String::new();
    for (label, text) in &entries {
        let padding = " ".repeat(label_width - width(label) + 2);
        let wrapped: Vec<_> =
            text.lines().map(|line| wrap(line, screen.reading_width(), &hang, &hang)).collect();
        let wrapped = wrapped.join("\n");
        // The first line's indent gives way to the label.
        let body = wrapped.strip_prefix(hang.as_str()).unwrap_or(&wrapped);
        out.push_str(&" ".repeat(indent));
        out.push_str(&screen.paint(Ink::Dim, label).to_string());
        out.push_str(&padding);
        out.push_str(body);
        out.push('\n');
    }
    out
}

/// `1 row`, `1,234 rows`: a count with its noun, for people.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_spelled_out() {
        let check = |input: &str, expect: &str| assert_eq!(visible(input), expect);
        check("role/Admin-ü-日本", "role/Admin-ü-日本");
        check("\u{1b}[31mred\u{1b}[0m", "\\x1b[31mred\\x1b[0m");
        check("\u{9b}2J \u{7f} \0", "\\x9b2J \\x7f \\x00");
        check("a\r\nb\tc", "a\\r\\nb\\tc");
        check("user\u{202e}nimda", "user\\u{202e}nimda");
        check("ad\u{200b}min \u{2066}x\u{2069}", "ad\\u{200b}min \\u{2066}x\\u{2069}");
        check("tag\u{e0041}", "tag\\u{e0041}");
        assert_eq!(visible_lines("a\n\tb\u{7}\r"), "a\n\tb\\x07\\r");
        assert!(matches!(visible("plain"), Cow::Borrowed(_)));
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_acts_gets_through(text in "\\PC*|.*|\\p{C}*") {
            proptest::prop_assert!(!visible(&text).contains(acts));
            let lines = visible_lines(&text);
            proptest::prop_assert!(!lines.contains(|c| acts(c) && c != '\n' && c != '\t'));
        }
    }

    #[test]
    fn long_words_stay_whole_and_the_rest_wraps() {
        let arn = "arn:aws:sts::111122223333:assumed-role/a-long-role-name/session";
        let text = format!("taken by {arn} from the console");
        assert_eq!(
            wrap(&text, 30, "  ", "    "),
            format!("  taken by\n    {arn}\n    from the console")
        );
    }

    #[test]
    fn labels_line_up_and_text_hangs() {
        let screen = Screen { terminal: true, width: Some(32), colour: false };
        let text = labelled(
            &screen,
            2,
            [("who", "an IAM user, by name and by nothing else"), ("role\u{7}", "x"), ("no", "")],
        );
        assert_eq!(
            text,
            concat!(
                "  who       an IAM user, by name\n",
                "            and by nothing else\n",
                "  role\\x07  x\n"
            )
        );
    }

    #[test]
    fn cut_text_fits_whatever_its_width() {}

    #[test]
    fn colour_follows_the_choice() {
        let painted = |terminal, colour| {
            Screen::new(terminal, Some(80), colour).paint(Ink::Bold, "x").to_string()
        };
        assert_eq!(painted(true, Colour::Auto), "\u{1b}[1mx\u{1b}[0m");
        assert_eq!(painted(false, Colour::Auto), "x");
        assert_eq!(painted(true, Colour::Never), "x");
        assert_eq!(painted(false, Colour::Always), "\u{1b}[1mx\u{1b}[0m");
    }

    #[test]
    fn only_a_terminal_has_a_width() {
        assert_eq!(Screen::new(true, Some(0), Colour::Auto).width, Some(80));
        assert_eq!(Screen::new(true, Some(132), Colour::Auto).width, Some(132));
        assert_eq!(Screen::new(false, Some(132), Colour::Auto).width, None);
    }

    #[test]
    fn counts_agree_with_their_noun() {
        assert_eq!(count(0, "row"), "0 rows");
        assert_eq!(count(1, "row"), "1 row");
        assert_eq!(count(1_234_567, "row"), "1,234,567 rows");
    }
}
