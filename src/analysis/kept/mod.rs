//! What the detection knows, written down: a restart goes on from there, and a question about old weeks begins at the nearest
//! day. `watch` alone writes; everybody else only reads, and replays the history where nothing fits. Pages, which are asked again and
//! again, keep what they found out in memory.

mod expected_hours;
mod folder;
mod header;
mod snapshot;
mod subject;

pub(crate) use expected_hours::{BUCKETS_MIN, ExpectedHours};
pub use folder::Kept;
pub(crate) use folder::{EVERY, EXPECTED_PART};
pub use snapshot::{Snapshot, Standing};
pub use subject::KeptSubject;
