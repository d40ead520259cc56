//! What is done about a failure: the one place that decides between trying again, giving the message up to
//! the dead letters, and letting it go.
//!
//! | failure | what is done |
//! |---|---|
//! | throttling, an error of the service, no answer | tried again; all of them in a row stop receiving |
//! | access denied, a key of KMS refuses | the same: a policy can be mended, a dead letter is work; recorded |
//! | no such key, version or bucket | tried again a few times, because a notification may come early; then dead letter; recorded |
//! | a request that is wrong in itself | dead letter; recorded |
//! | archived | let go and counted: it cannot be read before somebody restores it, which is notified anew; recorded |
//! | larger than the cap, not a log file inside | let go and counted: reading it again gives the same. `ingest` tries it again when it is asked to; recorded |
//! | the lake refuses | tried again; receiving stops at once |
//! | the message itself cannot be read | dead letter |
//!
//! Recorded: the ledger has the file as refused, with the reason, so that nobody takes its day for held. Such a file is
//! no member: met again and readable, it is taken in.

use rolecall_lake::Kind;

use crate::IngestError;
use crate::error::FetchFailure;

/// What is done with the message that asked for something that failed. Where a message names several
/// objects, the greatest counts: as long as one of them may still be had, there is time for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disposition {
    /// Nothing more can be done for it: it is acknowledged, and counted.
    Discard,
    /// It is made visible again soon, and so moves on to the dead-letter queue.
    DeadLetter,
    /// It is made visible again after a pause that grows with every receive.
    Retry,
}

/// Who refuses, where a failure says something about more than one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refuser {
    /// The lake.
    Lake,
    /// A bucket, the key that it is encrypted with, or S3 as a whole.
    Source,
}

/// A judgement on a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// What is done with the message.
    pub disposition: Disposition,
    /// Who refuses, if it may refuse everything else as well.
    pub refuser: Option<Refuser>,
    /// Only a person can mend it, by other settings, permissions or another version of this program.
    pub fatal: bool,
}

/// Whether asking again soon may well mend it, so that it need not be recorded.
pub(crate) fn may_pass(error: &IngestError) -> bool {
    let IngestError::Fetching { kind, .. } = error else { return false };
    matches!(kind, FetchFailure::Throttled | FetchFailure::Server | FetchFailure::Unreachable)
}

/// A key that is not there is asked for at so many receives of its message.
pub const MISSING_KEY_RECEIVES: u32 = 5;

/// Judges a failure of a message that was received `receive_count` times.
pub fn judge(error: &IngestError, receive_count: u32) -> Judgement {
    use Disposition::{DeadLetter, Discard, Retry};
    let judgement = |disposition, refuser| Judgement { disposition, refuser, fatal: false };
    match error {
        IngestError::Fetching { kind, .. } => match kind {
            FetchFailure::Throttled
            | FetchFailure::Server
            | FetchFailure::Unreachable
            | FetchFailure::Denied
            | FetchFailure::Kms => judgement(Retry, Some(Refuser::Source)),
            FetchFailure::NoSuchKey | FetchFailure::NoSuchVersion | FetchFailure::NoSuchBucket
                if receive_count < MISSING_KEY_RECEIVES =>
            {
                judgement(Retry, None)
            }
            FetchFailure::NoSuchKey
            | FetchFailure::NoSuchVersion
            | FetchFailure::NoSuchBucket
            | FetchFailure::Invalid => judgement(DeadLetter, None),
            FetchFailure::Archived => judgement(Discard, None),
        },
        IngestError::TooLarge { .. } => judgement(Discard, None),
        IngestError::Lake(error) => Judgement {
            disposition: Retry,
            refuser: Some(Refuser::Lake),
            fatal: matches!(error.kind(), Kind::Invalid | Kind::Bug),
        },
        IngestError::Queue(error) => {
            Judgement { disposition: Retry, refuser: None, fatal: error.lasts() }
        }
        // The rest has nothing to do with a message, but a message must not be lost for it.
        _ => judgement(Retry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rolecall_lake::LakeError;

    fn fetching(kind: FetchFailure) -> IngestError {
        IngestError::Fetching { file: "s3://b/k".to_owned(), problem: "p".to_owned(), kind }
    }

    #[test]
    fn every_failure_is_judged() {
        use Disposition::{DeadLetter, Discard, Retry};
        let source = Some(Refuser::Source);
        for (kind, first, late, refuser) in [
            (FetchFailure::Throttled, Retry, Retry, source),
            (FetchFailure::Server, Retry, Retry, source),
            (FetchFailure::Unreachable, Retry, Retry, source),
            (FetchFailure::Denied, Retry, Retry, source),
            (FetchFailure::Kms, Retry, Retry, source),
            (FetchFailure::NoSuchKey, Retry, DeadLetter, None),
            (FetchFailure::NoSuchVersion, Retry, DeadLetter, None),
            (FetchFailure::NoSuchBucket, Retry, DeadLetter, None),
            (FetchFailure::Invalid, DeadLetter, DeadLetter, None),
            (FetchFailure::Archived, Discard, Discard, None),
        ] {
            let judged = judge(&fetching(kind), 1);
            assert_eq!((judged.disposition, judged.refuser), (first, refuser), "{kind:?}");
            let judged = judge(&fetching(kind), MISSING_KEY_RECEIVES);
            assert_eq!((judged.disposition, judged.refuser), (late, refuser), "{kind:?} again");
            assert!(!judged.fatal);
        }
        let too_large = IngestError::TooLarge { file: "f".to_owned(), cap: 1, size: 2 };
        assert_eq!(judge(&too_large, 1).disposition, Discard);
    }

    #[test]
    fn a_lake_that_only_a_person_can_mend_is_fatal() {
        let no_lake = LakeError::NoLake { uri: "x".to_owned() };
        let judged = judge(&no_lake.into(), 1);
        assert_eq!((judged.disposition, judged.refuser), (Disposition::Retry, Some(Refuser::Lake)));
        assert!(judged.fatal);
        let table = rolecall_lake::Table::Activity;
        let contended = LakeError::Contended { table, attempts: 3 };
        assert!(!judge(&contended.into(), 1).fatal);
    }

    #[test]
    fn of_several_failures_the_one_that_may_pass_counts() {
        let mut all = [Disposition::DeadLetter, Disposition::Retry, Disposition::Discard];
        all.sort();
        assert_eq!(all, [Disposition::Discard, Disposition::DeadLetter, Disposition::Retry]);
    }
}
