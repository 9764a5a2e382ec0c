//! Segments: their files, how they are read, and what is done about files that are broken or that nobody names.

mod incomplete;
mod lost_found;
mod reading;
mod repeats;
mod segment_files;

pub use incomplete::{AnswerLack, Incomplete};
pub use lost_found::LostFoundContents;
pub(crate) use lost_found::{LOST_FOUND_BYTES_MAX, LostFound};
pub use reading::{SegmentTotals, Segments};
pub use repeats::Compared;
pub(crate) use repeats::StoredEvents;
pub use segment_files::SegmentPart;
pub(crate) use segment_files::{SegmentFiles, segment_files, segments_folder, write_file};
