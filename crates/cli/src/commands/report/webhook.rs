//! `--webhook URL`: one message for a run, in the form that Slack and those like it take: `text` and `blocks`.
//!
//! The address is a secret: it is in no error, log line or message. Times out, follows no redirects, tries
//! once; what failed is for the exit code to say, as the files are written by then.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::summary::{Ran, RunSummary};
use crate::exit::Usage;
use crate::settings::Secret;
use crate::{clock, term};

/// Slack's limits: <https://docs.slack.dev/reference/block-kit/blocks>.
const MAX_BLOCKS: usize = 50;
const MAX_TEXT: usize = 2_900;
const MAX_HEADER: usize = 140;
/// A row's value is cut after so many characters.
const MAX_VALUE: usize = 120;
/// Columns that say little in a message, or too much.
const LEFT_OUT: [&str; 2] = ["evidence_event_ids", "reason_codes"];
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Where a run is told.
#[derive(Debug)]
pub(super) struct Webhook {
    url: Secret,
    /// How many rows of each report.
    pub(super) rows: usize,
}

impl Webhook {
    pub(super) fn new(url: Secret, rows: usize) -> Result<Self, Usage> {
        let parsed = reqwest::Url::parse(url.reveal());
        if parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            Ok(Self { url, rows })
        } else {
            Err(Usage::new(
                "--webhook (ROLECALL_WEBHOOK): expected an address such as https://hooks.slack.com/services/…",
            ))
        }
    }

    /// Posts the message.
    pub(super) async fn post(&self, summary: &RunSummary<'_>) -> anyhow::Result<()> {
        let client = reqwest::Client::builder()
            .timeout(TIME_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("rolecall/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failed(&error))?;
        let request = client
            .post(self.url.reveal())
            .header("content-type", "application/json; charset=utf-8")
            .body(message(summary).to_string());
        let answer = request.send().await.map_err(|error| failed(&error))?;
        let status = answer.status();
        anyhow::ensure!(status.is_success(), "the webhook answered {}", status.as_u16());
        Ok(())
    }
}

/// In words of our own: the library's have the address in them, which is a secret.
fn failed(error: &reqwest::Error) -> anyhow::Error {
    let why = if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_connect() {
        "it cannot be reached"
    } else if error.is_builder() {
        "the connection cannot be set up"
    } else {
        "the connection broke"
    };
    anyhow::anyhow!("failed to post to the webhook: {why}")
}

fn message(summary: &RunSummary<'_>) -> Value {
    let headline = summary.headline();
    let as_of = format!("as of {}", clock::format_time(summary.as_of));
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": cut(&headline, MAX_HEADER)}}),
        json!({"type": "context", "elements": [{"type": "mrkdwn", "text": escape(&as_of)}]}),
    ];
    for (index, ran) in summary.ran.iter().enumerate() {
        if blocks.len() + 1 >= MAX_BLOCKS {
            let more = summary.ran.len() - index;
            let text = format!("… and {}", term::count(more as u64, "more report"));
            blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": text}}));
            break;
        }
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": section(ran)}}));
    }
    json!({"text": escape(&format!("{headline} ({as_of})")), "blocks": blocks})
}

fn section(ran: &Ran) -> String {
    let mut text = format!("*{}*: {}", escape(&ran.name), escape(&ran.line()));
    let Ok(done) = &ran.outcome else { return cut(&text, MAX_TEXT) };
    for row in &done.tally.top {
        let mut line = String::new();
        for (name, value) in row.iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str())) {
            let value = escape(&cut(value, MAX_VALUE)).replace('`', "'");
            // Writing to a String cannot fail.
            let _ = write!(line, "{}{name}={value}", if line.is_empty() { "" } else { "  " });
        }
        // A row that does not fit is left out, so that no escape is cut in two.
        if text.len() + line.len() + 4 > MAX_TEXT {
            text.push_str("\n…");
            break;
        }
        let _ = write!(text, "\n`{line}`");
    }
    text
}

/// Text that is no markup, no mention and acts on nobody's terminal.
fn escape(text: &str) -> String {
    term::visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused_without_being_shown() {
        for wrong in
            ["", "hooks.slack.com/services/T0/B0/secret", "file:///etc/secret", "ftp://h/secret"]
        {
            let error = Webhook::new(Secret::from(wrong.to_owned()), 5).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let url = Secret::from("https://hooks.example.com/services/secret".to_owned());
        let shown = format!("{:?}", Webhook::new(url, 5).unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn what_a_log_says_is_neither_markup_nor_mention() {
        assert_eq!(escape("<!channel> & *b* \u{1b}[2J"), "&lt;!channel&gt; &amp; *b* \\x1b[2J");
        assert_eq!(cut("äöü", 2), "äö…");
    }
}
