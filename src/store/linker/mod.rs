//! The linker: one mail, once, over all hosts (`link`), by what the arrivals that share a Message-ID tell (`learn`) of the
//! hosts whose logs are there (`mtas`, `cover`).

mod cover;
mod learn;
mod link;
mod mtas;

pub(crate) use learn::LearntBySource;
pub use learn::learn;
pub use link::{Linked, link_hops};
pub use mtas::Mtas;
pub(crate) use mtas::mtas;
