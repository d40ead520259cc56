//! What can go wrong between a question and its answer, by what the asker should do about it.

use std::path::PathBuf;

use datafusion::error::DataFusionError;

/// What the caller should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The question is wrong: SQL, a report's name, a parameter. Ask differently.
    Question,
    /// A report file is wrong: mend the file.
    ReportFile,
    /// Memory or disk ran out: give more, or ask for less.
    Resources,
    /// The lake could not be read.
    Lake,
    /// A mistake of ours.
    Bug,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The SQL does not parse, or names what is not there.
    #[error("{message}{}", hint_suffix(.hint))]
    Sql {
        /// DataFusion's own message.
        message: String,
        /// What may have been meant.
        hint: Option<String>,
    },
    /// The query failed while it ran.
    #[error("{0}")]
    Execution(String),
    /// Memory or spill space ran out.
    #[error("out of memory or spill space: {0}")]
    Resources(String),
    /// No report has this name.
    #[error("no report is called '{name}'; there are: {known}")]
    UnknownReport {
        /// The name that was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// No reason has this code.
    #[error("no reason code is called '{code}'{hint}")]
    UnknownReason {
        /// The code that was asked for.
        code: String,
        /// What may have been meant.
        hint: String,
    },
    /// The report does not have this parameter.
    #[error("report '{report}' has no parameter '{name}'; it has: {known}")]
    UnknownParameter {
        /// The report.
        report: String,
        /// The parameter that was given.
        name: String,
        /// The parameters it has.
        known: String,
    },
    /// A parameter without a default was not given.
    #[error("report '{report}' needs --{name}")]
    MissingParameter {
        /// The report.
        report: String,
        /// The parameter, as it is typed.
        name: String,
    },
    /// A parameter's value is not of its type.
    #[error("parameter '{name}': '{value}' is {problem}")]
    BadParameter {
        /// The parameter.
        name: String,
        /// What was given for it.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A report file does not read.
    #[error("{file}:{line}: {problem}")]
    ReportFile {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A folder or file of reports can't be read.
    #[error("{}: {source}", .path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A table that the views need is not there.
    #[error("the lake has no table '{0}'")]
    MissingTable(String),
    /// The lake could not be read.
    #[error("{0}")]
    Lake(String),
    /// A view or report of ours is wrong.
    #[error("{0}")]
    Bug(String),
}

fn hint_suffix(hint: &Option<String>) -> String {
    hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default()
}

impl QueryError {
    /// What the caller should do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Sql { .. }
            | Self::Execution(_)
            | Self::UnknownReport { .. }
            | Self::UnknownReason { .. }
            | Self::UnknownParameter { .. }
            | Self::MissingParameter { .. }
            | Self::BadParameter { .. } => Kind::Question,
            Self::ReportFile { .. } | Self::Unreadable { .. } => Kind::ReportFile,
            Self::Resources(_) => Kind::Resources,
            Self::MissingTable(_) | Self::Lake(_) => Kind::Lake,
            Self::Bug(_) => Kind::Bug,
        }
    }
}

/// Sorts an error of a query that the user wrote.
impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        let message = one_message(&error);
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => Self::Resources(message),
            DataFusionError::ObjectStore(_)
            | DataFusionError::ParquetError(_)
            | DataFusionError::IoError(_) => Self::Lake(message),
            DataFusionError::Execution(_) | DataFusionError::ArrowError(..) => {
                Self::Execution(message)
            }
            DataFusionError::Internal(_) => Self::Bug(message),
            _ => Self::Sql { message, hint: None },
        }
    }
}

/// DataFusion's message without the backtrace that it may append.
fn one_message(error: &DataFusionError) -> String {
    let message = error.strip_backtrace();
    message.trim_end().to_owned()
}
