//! The writing side of one source: drafts → segments → commits, in order.

use crate::normalise::join::Changes;
use crate::store::batch::SealedBatch;
use crate::store::catalogue::{Counts, LogState, OddField, UnparsedShape};
use crate::store::columnar::Encoder;
use crate::store::commit::{self, Commit};
use crate::store::{Store, StoreError};
use crossbeam_channel::{Receiver, Sender};

/// A commit whose rows are not encoded yet.
#[derive(Debug)]
pub struct Draft {
    /// Rows.
    pub sealed: SealedBatch,
    /// Logs read.
    pub logs: Vec<LogState>,
    /// Counts by minute.
    pub minutes: Vec<(i64, Counts)>,
    /// Changes of the join.
    pub changes: Changes,
    /// Shapes of unparsed lines.
    pub unparsed: Vec<UnparsedShape>,
    /// Fields that were left out.
    pub odd_fields: Vec<OddField>,
    /// See [`Commit::split_lines`].
    pub split_lines: Option<String>,
}

/// Commits drafts as they come; says so after each by giving its batch back for another use. Stops at the first error,
/// with nothing of that draft stored.
pub fn run(
    store: &Store,
    source: i64,
    drafts: &Receiver<Draft>,
    committed: &Sender<SealedBatch>,
) -> Result<(), StoreError> {
    let mut encoder = Encoder::default();
    for draft in drafts {
        // Nobody listening means that nobody waits.
        let _ = committed.send(write(store, source, draft, &mut encoder)?);
    }
    Ok(())
}

/// Commits one draft; gives its batch back.
pub fn write(store: &Store, source: i64, draft: Draft, encoder: &mut Encoder) -> Result<SealedBatch, StoreError> {
    let Draft {
        sealed,
        logs,
        minutes,
        changes,
        unparsed,
        odd_fields,
        split_lines,
    } = draft;
    let commit = Commit {
        source,
        segments: encoder.encode(&sealed)?,
        logs,
        minutes,
        changes,
        unparsed,
        again: None,
        odd_fields,
        split_lines,
    };
    commit::commit(store, &commit)?;
    commit
        .segments
        .into_iter()
        .for_each(|segment| encoder.take_back(segment));
    Ok(sealed)
}
