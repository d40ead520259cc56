//! What there is in accounts' IAM and which trails record them, asked of AWS or gathered from the files that
//! its CLI prints, and made into snapshots for the lake.
//!
//! Everything that is read becomes [`Facts`](facts::Facts) first, whichever way it came; what two
//! inputs say of one thing is put together there. [`snapshots`](assemble::snapshots) then makes one
//! snapshot per account and says what was not read. Nothing is guessed: where an input leaves
//! something open, the row is without it.
//!
//! Reads no clock, and knows nothing of SQL or of log files.

mod api;
mod assemble;
mod document;
mod error;
mod facts;
mod files;
mod keys;
mod output;
mod parts;
mod report;
mod settle;
mod stamp;
mod time;
mod trails;

pub use api::{Answer, Request, read_accounts};
pub use assemble::{Assembled, Origin, snapshots};
pub use error::{Problem, Rejected};
pub use facts::Facts;
pub use files::{Folder, read_folder};
pub use parts::Part;
pub use trails::Trail;
