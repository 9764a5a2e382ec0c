//! One reader a format: lines of a chunk → records → events in the batch. [`LogReader`] picks the one of a source's kind;
//! `mta` is what Exim's and Postfix' share.

mod app;
mod context;
mod exim;
mod foreground;
mod line_time;
mod log_reader;
mod mta;
mod postfix;
mod split_lines;

pub(crate) use context::{ParseContext, RawLine};
pub use foreground::Processes;
pub use line_time::begins_with_time;
pub(crate) use log_reader::LogReader;
