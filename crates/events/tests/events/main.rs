//! What the reader makes of bytes: the shapes records come in, bad input, and properties that hold for
//! any input.
//!
//! Only [`support`] touches the crate's interface; the tests hold data. No record here is anybody's
//! real one: they follow CloudTrail's documentation and shapes seen in published logs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed expectation is how a test reports; helpers are not covered by clippy.toml"
)]

mod activity;
mod bad_input;
mod bounds;
mod credential_shapes;
mod forms;
mod gzip;
mod iam_changes;
mod properties;
mod support;
