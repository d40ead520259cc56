//! What can go wrong with a lake, sorted by what the caller does about it.
//!
//! Messages are fragments that fit "failed to …" and name tables and places, never what a record
//! holds.

use std::error::Error as StdError;
use std::io;

use crate::schema::Table;

/// The result of lake operations.
pub type Result<T, E = LakeError> = std::result::Result<T, E>;

/// What the caller does about a [`LakeError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nothing is wrong with what was asked: try again later, with a newly opened lake.
    Retry,
    /// What was asked for cannot work: wrong place, wrong options, a lake that is too new.
    Invalid,
    /// The disk, the quota or the file size limit is used up.
    Full,
    /// An invariant of this crate does not hold.
    Bug,
}

/// An error of the lake.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// There is no lake at the place.
    #[error("open lake {uri}: there is no lake")]
    NoLake {
        /// Where it was looked for.
        uri: String,
    },
    /// The place of the lake cannot be understood or reached.
    #[error("open lake {uri}: {reason}")]
    Location {
        /// The place as given.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The lake was written by a newer version of this program.
    #[error(
        "open table {table}: it has lake format {found}, this version knows up to {supported}; \
         use a newer version"
    )]
    NewerFormat {
        /// The table.
        table: Table,
        /// The format that it has.
        found: u32,
        /// The newest format that this binary knows.
        supported: u32,
    },
    /// A table exists but was not made by this program, or was changed by another one.
    #[error("use table {table}: {reason}")]
    Foreign {
        /// The table.
        table: Table,
        /// What is wrong with it.
        reason: String,
    },
    /// A storage option would replace the conditional put that commits rest on.
    #[error("open lake: storage option {option} must not be set, it replaces the conditional put")]
    UnsafeOption {
        /// The option.
        option: String,
    },
    /// A batch holds more files than one commit may name.
    #[error("commit batch: it has {files} files, at most {limit} are allowed")]
    BatchTooLarge {
        /// Files in the batch.
        files: usize,
        /// The limit.
        limit: usize,
    },
    /// A version of a table's log that is needed is gone.
    #[error("read on in table {table}: version {version} of its log is gone")]
    LogGap {
        /// The table.
        table: Table,
        /// The missing version.
        version: u64,
    },
    /// Other writers were faster each time.
    #[error("commit to table {table}: gave up after {attempts} attempts, others were faster")]
    Contended {
        /// The table.
        table: Table,
        /// How often it was tried.
        attempts: usize,
    },
    /// Disk, quota or file size limit used up.
    #[error("{what}: no space left")]
    Full {
        /// What was being done.
        what: String,
        /// The error below.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The store answered with an error.
    #[error("{what}: {source}")]
    Storage {
        /// What was being done.
        what: String,
        /// The error below.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A commit or a file in the lake does not read as it should.
    #[error("read {what}: {reason}")]
    Corrupt {
        /// What was being read.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something that cannot happen, happened.
    #[error("{what}: {reason}")]
    Bug {
        /// What was being done.
        what: String,
        /// What happened.
        reason: String,
    },
}

impl LakeError {
    /// What the caller does about it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoLake { .. }
            | Self::Location { .. }
            | Self::NewerFormat { .. }
            | Self::Foreign { .. }
            | Self::UnsafeOption { .. }
            | Self::Corrupt { .. } => Kind::Invalid,
            Self::LogGap { .. } | Self::Contended { .. } | Self::Storage { .. } => Kind::Retry,
            Self::Full { .. } => Kind::Full,
            Self::BatchTooLarge { .. } | Self::Bug { .. } => Kind::Bug,
        }
    }

    /// An error of the store, or of what lies between it and us, met while doing `what`.
    pub(crate) fn storage<E>(what: impl Into<String>, source: E) -> Self
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (what, source) = (what.into(), source.into());
        if is_full(source.as_ref()) {
            Self::Full { what, source }
        } else {
            Self::Storage { what, source }
        }
    }

    /// An invariant of ours that does not hold, or an encoder that refused what we built.
    pub(crate) fn bug(what: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Bug { what: what.into(), reason: reason.to_string() }
    }
}

/// Whether anything in the chain of causes says that there is no room to write.
fn is_full(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io_error) = error.downcast_ref::<io::Error>() {
            match io_error.kind() {
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge => return true,
                _ => {}
            }
            // An io::Error's source() skips the error that it wraps.
            if let Some(inner) = io_error.get_ref()
                && is_full(inner)
            {
                return true;
            }
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(error: io::Error) -> Kind {
        let boxed: Box<dyn StdError + Send + Sync> = Box::new(error);
        let store = object_store::Error::Generic { store: "LocalFileSystem", source: boxed };
        let delta = deltalake::DeltaTableError::ObjectStore { source: store };
        LakeError::storage("write parquet", delta).kind()
    }

    #[test]
    fn no_space_is_told_apart_through_all_layers() {
        assert_eq!(kind_of(io::ErrorKind::StorageFull.into()), Kind::Full);
        assert_eq!(kind_of(io::ErrorKind::QuotaExceeded.into()), Kind::Full);
        assert_eq!(kind_of(io::ErrorKind::FileTooLarge.into()), Kind::Full);
        assert_eq!(
            kind_of(io::Error::other(io::Error::from(io::ErrorKind::StorageFull))),
            Kind::Full
        );
        assert_eq!(kind_of(io::ErrorKind::PermissionDenied.into()), Kind::Retry);
    }
}
