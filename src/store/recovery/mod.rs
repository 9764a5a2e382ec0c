//! What was lost, and how it comes back: a catalogue that is made anew (`repair`, `rebuild`, `adopt`), segments that are
//! broken (`mend`), and rows that come back from their logs (`reread`).

mod adopt;
mod broken_segments;
mod rebuild;
mod repair;
pub mod reread;

pub use broken_segments::Mended;
pub use rebuild::{MinuteGap, Rebuilt};
pub use repair::{Repaired, repair};
