//! The outbox: what is to be sent to another store, in the order in which it became true here.
//!
//! A payload comes into being by the transaction that makes it true: a segment's own bytes (a hard link to its file, so that
//! compaction cannot touch it), the rows that a later log changed (the old ones taken back, the new ones said), and the
//! lines that a commit counted. Replayed in order, the outbox gives the rows of the store. A payload leaves it when it has
//! been taken; one that is refused stays, quarantined, until somebody decides.
//!
//! Small payloads go out together. Which do is written down before they are sent, so that a repetition has the same rows
//! under the same token.

mod minutes;
mod payload_files;
mod post;
mod resume;
mod send;
mod start;

pub(crate) use payload_files::{outbox_folder, payload_path};
pub use post::Outbox;
pub(crate) use post::note_ship_gap;
pub(crate) use start::{leave_undecided, was_shipping};
