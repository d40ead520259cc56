//! How far a backfill has come, in a small JSON file that is replaced as a whole.

use std::path::Path;

use serde_json::{Value, json};

use super::EnqueueRequest;
use crate::IngestError;
use crate::source::listing::Position;

/// What the state file holds.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The last log file in a message that was sent.
    pub(super) position: Option<Position>,
    /// Log files in messages that were sent, all runs together.
    pub(super) enqueued_files: u64,
    pub(super) finished: bool,
}

impl State {
    /// Nothing where there is no file yet.
    pub(super) fn load(request: &EnqueueRequest) -> Result<Self, IngestError> {
        let Some(path) = &request.state_file else { return Ok(Self::default()) };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(failed(path, error)),
        };
        let state: Value = serde_json::from_str(&text)
            .map_err(|_| failed(path, "is not the state of a backfill"))?;
        if state.get("of") != Some(&identity(request)) {
            return Err(failed(
                path,
                "is the state of another backfill: name another file, or delete this one",
            ));
        }
        let text = |name: &str| state.get(name)?.as_str().map(str::to_owned);
        let position = match (text("day"), text("key")) {
            (Some(day), Some(key)) => Some(Position { day, key }),
            _ => None,
        };
        Ok(Self {
            position,
            enqueued_files: state.get("enqueued_files").and_then(Value::as_u64).unwrap_or(0),
            finished: state.get("finished").and_then(Value::as_bool).unwrap_or(false),
        })
    }

    /// Replaces the file, so that a kill leaves the old one or the new one.
    pub(super) fn save(&self, request: &EnqueueRequest) -> Result<(), IngestError> {
        let Some(path) = &request.state_file else { return Ok(()) };
        let state = json!({
            "of": identity(request),
            "day": self.position.as_ref().map(|position| &position.day),
            "key": self.position.as_ref().map(|position| &position.key),
            "enqueued_files": self.enqueued_files,
            "finished": self.finished,
        });
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        std::fs::write(&beside, format!("{state}\n")).map_err(|error| failed(path, error))?;
        std::fs::rename(&beside, path).map_err(|error| failed(path, error))
    }
}

fn identity(request: &EnqueueRequest) -> Value {
    let selection = &request.selection;
    json!({
        "source": format!("s3://{}/{}", request.bucket, request.prefix),
        "accounts": selection.accounts,
        "regions": selection.regions,
        "since": selection.since.map(|day| day.to_string()),
        "until": selection.until.map(|day| day.to_string()),
    })
}

fn failed(path: &Path, problem: impl std::fmt::Display) -> IngestError {
    IngestError::BackfillState { path: path.display().to_string(), problem: problem.to_string() }
}
