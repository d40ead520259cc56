//! The worker against a queue and objects in memory, and a lake on a folder. Times are real but short; what
//! a test asserts does not hang on them being met exactly.

mod delivery;
mod failures;
mod model;
mod stopping;
mod support;
