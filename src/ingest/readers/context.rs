//! What a reader works with: one line, and all that stands around it while it is read.

use crate::ingest::accounting::{LineAccounting, LineOutcome};
use crate::model::time::UtcMs;
use crate::normalise::join::Recall;
use crate::store::catalogue::LogState;
use mailpulse_parsers::Odd;

/// A line and where it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawLine<'l> {
    /// Offset in the log's content.
    pub offset: u64,
    /// Without its newline.
    pub bytes: &'l [u8],
}

/// The log that a line stands in, and what its reading changes.
pub(crate) struct ParseContext<'c, R: Recall> {
    /// Brings back open messages.
    pub recall: &'c mut R,
    /// Counters and batch.
    pub accounting: &'c mut LineAccounting,
    /// The log, as the next commit says.
    pub state: &'c mut LogState,
}

impl<'c, R: Recall> ParseContext<'c, R> {
    /// Of lines that stand in the log of this state.
    pub(crate) fn new(recall: &'c mut R, accounting: &'c mut LineAccounting, state: &'c mut LogState) -> Self {
        ParseContext {
            recall,
            accounting,
            state,
        }
    }

    /// Moves to the minute of a line; see [`LineAccounting::at`].
    #[inline]
    pub(crate) fn at(&mut self, ts_ms: UtcMs, offset: u64) -> Result<(), &'static str> {
        self.accounting.at(self.state, ts_ms, offset)
    }

    /// Notes a line that did not parse.
    pub(crate) fn unparsed(&mut self, line: &[u8], why: &str) -> LineOutcome {
        self.accounting.unparsed(self.state, line, why)
    }

    /// Notes a field that was left out, if there is one.
    #[inline]
    pub(crate) fn odd(&mut self, odd: Option<&Odd<'_>>) {
        if let Some(odd) = odd {
            self.accounting.odd(self.state, odd);
        }
    }
}
