//! A pass over segments: rows are read a group at a time, cut down to what a question needs, and summed up as they pass. What
//! is in memory at once is the columns of one group of rows, and what the answer is made of.
//!
//! 1. Of a group, the columns that conditions name are read first, as codes. A condition is evaluated once for each
//!    combination of values, never for a row; where none fulfils it, nothing else is read.
//! 2. Where the columns are of few values, rows that are alike become one row with a weight.
//! 3. What is left goes through the SELECTs that make a row of a row, and into the [`Reduction`].

mod fold;
mod groups;
mod parts;
mod pass;
mod quantiles;
mod rows;
mod spec;

pub(crate) use spec::WEIGHT;
pub use spec::{Reduction, RowStep, ScanFile, ScanPart, ScanTest, Summary, TableScan};
