//! What can be wrong with an input, in words that name it and never say what is in it.

use std::fmt;

/// An input that was not taken, or not wholly; the others count all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// File, account or call.
    pub input: String,
    /// What is wrong with it.
    pub problem: Problem,
}

impl Rejected {
    pub(crate) fn new(input: impl Into<String>, problem: Problem) -> Self {
        Self { input: input.into(), problem }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.input, self.problem)
    }
}

/// What is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It cannot be read at all.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// It breaks off.
    #[error("the JSON ends in the middle, at line {line} column {column}: is the file truncated?")]
    Truncated {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// It is no JSON.
    #[error("no JSON at line {line} column {column}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// JSON, but not as the AWS CLI prints it.
    #[error("line {line} column {column}: {reason}")]
    Shape {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is not as it should be.
        reason: String,
    },
    /// A credential report without what makes it one.
    #[error("looks like a credential report, but has no column {}", .0.join(", "))]
    Columns(Vec<String>),
    /// A row or a field of a credential report that cannot be understood.
    #[error("credential report, line {line}: {reason}")]
    Row {
        /// Line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing in it.
    #[error("the file is empty: did the command that was to write it fail?")]
    Empty,
    /// Not text.
    #[error("it is compressed: unpack it first ({0})")]
    Compressed(&'static str),
    /// Two states of one account, of which one is older.
    #[error(
        "two different outputs of {list} in one folder, {first} and {second}: which holds is not known, so \
         nothing of the account is taken. Keep one of them, or read each folder by itself with its own \
         --snapshot-time"
    )]
    Twice {
        /// The command.
        list: &'static str,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// A file that seems to be newer than what lies beside it.
    #[error(
        "{file} was written at {written}, but {other} says that it is of {said}: a copy looks newer than what it \
         tells, so nothing of the account is taken. Say with --snapshot-time when {file} was true, or keep what \
         was read at one time in a folder of its own"
    )]
    Copied {
        /// The file whose content has no time.
        file: String,
        /// When it was written.
        written: String,
        /// The file whose content has one.
        other: String,
        /// That time.
        said: String,
    },
    /// Neither the file nor its folder says of when it is.
    #[error("neither its content nor the file system says of when it is: give --snapshot-time")]
    NoTime,
    /// A key in two states.
    #[error(
        "access key {id} is of another state or time in {file} than elsewhere in the folder: which holds is not \
         known, so nothing of the account is taken. Keep one list of each user's keys"
    )]
    KeyTwice {
        /// The key's id.
        id: String,
        /// One of the files.
        file: String,
    },
    /// Nothing that is known here.
    #[error(
        "not recognised: neither output of the AWS CLI that an inventory is made of, nor a credential \
         report, nor a list of known accounts"
    )]
    NotRecognised,
    /// Nothing says which account it is of.
    #[error(
        "nothing in it or beside it says which account it is of: keep the files of each account in a \
         folder of its own, or name the folder by the account's number"
    )]
    WhichAccount,
    /// Its key has no name.
    #[error(
        "get-access-key-last-used prints no key id: name the file get-access-key-last-used.AKIA….json, or \
         add \"AccessKeyId\" to the object"
    )]
    WhichKey,
    /// Tags of nobody.
    #[error("list-user-tags prints no user: name the file list-user-tags-USER.json")]
    WhoseTags,
    /// Calls of nobody.
    #[error(
        "get-service-last-accessed-details names neither role nor user where nothing was called: name the file \
         service-last-accessed.role.NAME.json or service-last-accessed.user.NAME.json"
    )]
    WhoseCalls,
    /// A job that was still at work.
    #[error(
        "the job was not done yet: ask get-service-last-accessed-details again until it says COMPLETED"
    )]
    NotDone,
    /// A trail's state without the trail.
    #[error(
        "get-trail-status prints no name, and there is not one trail alone: name the file \
         get-trail-status.TRAIL.json, or add \"TrailARN\" to the object"
    )]
    WhichTrail,
    /// YAML that is not a list of known accounts.
    #[error("no list of known accounts: {0}")]
    Yaml(String),
    /// It tells of a time after the one that it is to be kept under.
    #[error("{0}")]
    Time(String),
    /// There is nothing that a snapshot could be made of.
    #[error("{0}")]
    Nothing(String),
    /// A call to AWS that failed.
    #[error("{0}")]
    Call(String),
}

impl From<serde_json::Error> for Problem {
    /// The parser's own words may hold values of the input; only what is missing is repeated.
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Eof => Self::Truncated { line, column },
            serde_json::error::Category::Data => {
                let words = error.to_string();
                let missing = words
                    .starts_with("missing field")
                    .then(|| words.split(" at line ").next().unwrap_or_default().to_owned());
                let reason = missing.unwrap_or_else(|| {
                    "a value is not of the kind that the AWS CLI prints there".to_owned()
                });
                Self::Shape { line, column, reason }
            }
            _ => Self::NotJson { line, column },
        }
    }
}
