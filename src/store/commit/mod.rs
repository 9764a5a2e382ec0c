//! The commit: what one step of reading adds to the store, in one transaction; and how a segment takes the place of others.

mod amend;
mod contents;
mod heartbeats;
mod replace;
mod step;

pub use contents::Commit;
pub use heartbeats::put_heartbeats;
pub use replace::{change, put_in_place, replace};
pub use step::commit;
