//! `rolecall worker` from outside: real processes on a real queue, with faults on the way to it.
//!
//! Every message that names a log file ends as rows in the lake, exactly once, whatever happens; every
//! message that says nothing we know ends with the dead letters, and no other does. The emulator sends S3's
//! own notifications; what it cannot send is written by hand.

mod backfill;
mod crash;
mod files;
mod notifications;
mod outages;
mod settings;
mod stage;
mod stop;
