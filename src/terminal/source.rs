//! Where a board comes from: a store here, or a `serve` elsewhere.

use crate::analysis::overview::BoardSnapshot;
use anyhow::Result;

/// Gives the board, again and again.
pub(crate) trait BoardSource: Send {
    /// The board as of now.
    ///
    /// # Errors
    /// There is none: whoever asks goes on showing the last one, as one that is old.
    fn board(&mut self) -> Result<BoardSnapshot>;

    /// The report of an alarm's incident, as Markdown.
    ///
    /// # Errors
    /// There is no such alarm, or no answer.
    fn incident(&mut self, alarm: &str) -> Result<String>;
}
