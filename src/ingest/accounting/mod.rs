//! Every line is counted here: lines = events + ignored + unparsed, for each log and minute, whatever the format. What does
//! not fit (lines that do not parse, fields that are left out, times that cannot be true) is noted beside.

mod future;
mod line_accounting;
mod odd_fields;
mod unparsed_shapes;

pub use future::Doubt;
pub(crate) use line_accounting::{LineAccounting, LineOutcome};
pub use unparsed_shapes::{UnparsedShapes, why};
