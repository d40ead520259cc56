//! What the lake promises, tested through its public face on folders.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod support;

mod basics;
mod check;
mod digests;
mod files;
mod full;
mod inventory;
mod kills;
mod maintain;
mod model;
mod pruning;
mod retention;
mod steady;
mod trails;
