//! A batch of events in memory, column by column, and what is counted beside them: per-minute rates.
//!
//! Rows name their message by slot; slots name their sender by origin. Text columns are dictionaries from the start,
//! so that a row costs a few integers and encoding a segment copies no strings.

mod events;
mod repeats;
mod rows;
mod wanted;

pub use events::{Batch, Reply};
pub(crate) use events::{SealedBatch, split_remote};
pub use repeats::Repeats;
pub use rows::{BatchRows, NONE};
pub use wanted::{StoredOffsets, WantedRows};
