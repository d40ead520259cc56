//! The steps of a commit, named so that a test can stop the process before or after each of them.

use std::fmt;
use std::sync::Arc;

use crate::schema::Table;

/// Called before and after every step; tests kill the process, panic or let others run in it.
pub type OnStep = Arc<dyn Fn(Step) + Send + Sync>;

/// One side of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Step {
    /// Before or after.
    pub when: When,
    /// What is done.
    pub action: Action,
    /// The table that it is done to.
    pub table: Table,
}

/// Which side of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// Nothing of the step has happened.
    Before,
    /// The step has succeeded.
    After,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Writes a batch's Parquet files, which nothing refers to yet.
    Write,
    /// Commits a batch's files, or for the ledger its entries.
    Commit,
    /// Writes a checkpoint of the log.
    Checkpoint,
    /// Writes the Parquet files that replace a partition's.
    Compact,
    /// Commits the replacement of a partition's files.
    Replace,
    /// Commits the removal of a table's expired days.
    Expire,
    /// Deletes files that nothing refers to any more.
    Vacuum,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Commit => "commit",
            Self::Checkpoint => "checkpoint",
            Self::Compact => "compact",
            Self::Replace => "replace",
            Self::Expire => "expire",
            Self::Vacuum => "vacuum",
        }
    }
}

impl fmt::Display for Step {
    /// `before:commit:activity` and the like: what a failpoint is named by.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = match self.when {
            When::Before => "before",
            When::After => "after",
        };
        write!(f, "{when}:{}:{}", self.action.as_str(), self.table)
    }
}

/// The hook of one lake handle; does nothing where none was given.
#[derive(Clone, Default)]
pub(crate) struct Hook(pub(crate) Option<OnStep>);

impl Hook {
    pub(crate) fn before(&self, action: Action, table: Table) {
        self.call(Step { when: When::Before, action, table });
    }

    pub(crate) fn after(&self, action: Action, table: Table) {
        self.call(Step { when: When::After, action, table });
    }

    fn call(&self, step: Step) {
        if let Some(on_step) = &self.0 {
            on_step(step);
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Hook(set)" } else { "Hook(none)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_the_names_that_failpoints_use() {
        let step = Step { when: When::Before, action: Action::Commit, table: Table::Activity };
        assert_eq!(step.to_string(), "before:commit:activity");
    }
}
