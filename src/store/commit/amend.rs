//! Rows of earlier segments get the sender that has now been found.

use super::contents::Commit;
use super::replace::change;
use crate::normalise::join::Amendment;
use crate::store::catalogue::{Transaction, numbers, segments_from, take_orphan};
use crate::store::columnar::{self, ColumnarError};
use crate::store::error::StoreError;
use crate::store::handle::Store;
use std::collections::BTreeMap;

/// Gives rows of earlier segments the sender that has now been found. Returns the segments it replaced.
pub(super) fn amend(store: &Store, transaction: &Transaction<'_>, commit: &Commit) -> Result<Vec<i64>, StoreError> {
    let mut by_segment: BTreeMap<i64, Vec<&Amendment>> = BTreeMap::new();
    for amendment in &commit.changes.amendments {
        let segments = match amendment.orphan {
            true => take_orphan(transaction, commit.source, amendment.queue_id.as_bytes())?,
            false => segments_from(transaction, commit.source, amendment.from_ms, commit.again.is_some())?,
        };
        for segment in segments {
            by_segment.entry(segment).or_default().push(amendment);
        }
    }
    let mut replaced = Vec::new();
    for (old, amendments) in by_segment {
        let encoded = match columnar::amend(&store.files().events(old), &amendments) {
            Ok(encoded) => encoded,
            Err(error) if error.is_about_a_file() => {
                amend_later(store, transaction, &error)?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        change(store, transaction, old, commit.source, &encoded)?;
        replaced.push(old);
    }
    if !replaced.is_empty() {
        store.files().sync()?;
    }
    Ok(replaced)
}

/// A segment that is broken gets its senders when it is read again. What was sent of it stays as it is until then, and that is
/// noted.
fn amend_later(store: &Store, transaction: &Transaction<'_>, why: &ColumnarError) -> Result<(), StoreError> {
    tracing::warn!("{why}; `mailpulse store repair` repairs it");
    if store.outbox().ships() {
        numbers::add(transaction, "ship_stale", 1)?;
    }
    Ok(())
}
