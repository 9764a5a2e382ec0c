//! Whose mail is whose, of what is stored: a change of attribution is noted when its first rows come (`settle`),
//! and stored rows are attributed anew (`relabel`, `judges`).

mod judges;
mod relabel;
mod senders;
mod settle;
mod tally;

pub use judges::{Relabel, Relabelled};
pub use relabel::relabel;
pub use settle::settle_attribution;
