//! Rules of the views, each on a few hand-made rows, whatever order the rows come in.

mod assuming;
mod held;
mod histories;
pub(crate) mod lake;
mod materialized;
mod overviews;
mod regressions;
mod reporting;
mod trails;
mod using;
mod verdicts;
mod whoing;
