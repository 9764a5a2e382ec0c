//! Exim's main log: records → events.
//!
//! A line gives at most one event, so that lines = events + ignored + unparsed. The life of a message is one `<=`,
//! any number of delivery lines, `Completed`; a cut-through `>>` and a bounce's `<=` may stand in either order.

mod line;
mod normaliser;
pub mod zone;

pub(crate) use normaliser::EximNormaliser;
pub use normaliser::authentication;
