//! What a commit holds.

use crate::model::time::Minute;
use crate::normalise::join::Changes;
use crate::store::catalogue::{Again, Counts, LogState, OddField, UnparsedShape, shadow};
use crate::store::columnar::EncodedSegment;

/// Everything that becomes true at once.
#[derive(Debug)]
pub struct Commit {
    /// Number of the source.
    pub source: i64,
    /// New segments.
    pub segments: Vec<EncodedSegment>,
    /// Logs read.
    pub logs: Vec<LogState>,
    /// Counts by minute, to be added.
    pub minutes: Vec<(Minute, Counts)>,
    /// Changes of the join.
    pub changes: Changes,
    /// Shapes of unparsed lines, to be added.
    pub unparsed: Vec<UnparsedShape>,
    /// Its rows were stored before and were lost: only they count, everything else is known.
    pub again: Option<Again>,
    /// Fields that were left out, to be added.
    pub odd_fields: Vec<OddField>,
    /// Lines of which pieces are still to come, as JSON, if they changed; empty if there are none.
    pub split_lines: Option<String>,
    /// What the same lines add to other sources: those of hosts that the lines of a central log named.
    pub others: Vec<Commit>,
}

impl Commit {
    /// This commit, and those of the other sources.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Commit> {
        std::iter::once(self).chain(&self.others)
    }

    /// Whether a server has its rows.
    pub(super) fn is_sent(&self) -> bool {
        self.again.is_some_and(|again| again.sent)
    }

    /// Which source the open messages are of. What is read again has its own, so that those of today stay as they are.
    pub(super) fn join_source(&self) -> i64 {
        match self.again {
            Some(_) => shadow(self.source),
            None => self.source,
        }
    }
}
