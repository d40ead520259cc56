//! Questions and answers over the lake: views, functions, reports, lineage.
//!
//! [`Session`] holds the tables of one lake at one version and the views over them; [`Session::sql`]
//! answers a query, [`Reports`] are files in `queries/`, and [`who`] answers for one name. Does
//! not write anything, does not know where log files came from, and takes "now" as an argument.

mod catalog;
mod error;
mod findings;
mod front_matter;
mod functions;
mod lazy;
mod materialized;
mod owners;
mod params;
mod parts;
mod reasons;
mod reports;
mod session;
mod sessions;
mod suggest;
mod switches;
#[cfg(test)]
mod tests;
mod who;

pub use catalog::{Column, Relation, RelationKind};
pub use error::{Kind, QueryError};
pub use findings::Findings;
pub use functions::databases::AddressDatabase;
pub use functions::glob::glob;
pub use functions::networks::Networks;
pub use functions::{FUNCTIONS, FunctionDoc};
pub use owners::NamedOwner;
pub use params::{Param, ParamKind, Window, parse_time};
pub use parts::with_parts;
pub use reasons::{Confidence, Reason, Reasons};
pub use reports::{Report, ReportColumn, Reports};
pub use session::{Rows, Session, SessionOptions, Values};
pub use who::{ChainStep, Fact, NextCommand, ThingKind, WhoAnswer, WhoTable, who, who_in_zone};
