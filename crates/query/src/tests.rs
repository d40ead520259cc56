//! Rules of the views, each on a few hand-made rows, whatever order the rows come in.

mod assuming;
mod equal_names;
mod held;
mod histories;
pub(crate) mod lake;
mod materialized;
mod overviews;
mod own_acts;
mod regressions;
mod reporting;
mod session_reports;
mod trails;
mod using;
mod verdicts;
mod ways_in;
mod whoing;
