//! `store reclassify`: reasons of stored rows by today's table, as corrections: a server that has them gets the old rows with
//! sign −1 and the new ones with +1. Rows whose words are not kept stay as they are. A segment a transaction; done again it
//! changes nothing.

use crate::model::time::UtcMs;
use crate::normalise::stored_reply::reason_of;
use crate::store::columnar::{self, StoredReply};
use crate::store::commit::put_in_place;
use crate::store::error::StoreError;
use crate::store::handle::Store;
use crate::store::segments::SegmentPart;
use std::collections::BTreeMap;

/// What was classified anew.
#[derive(Debug, Default)]
pub struct Reclassified {
    /// Rows whose words are kept.
    pub rows: u64,
    /// Rows by their reason before and after, where these differ.
    pub moved: BTreeMap<(String, String), u64>,
}

/// Classifies the replies of `[window_ms.0, window_ms.1)` anew.
///
/// # Errors
/// The store cannot be read or written; the outbox is full: what is done by then is done.
pub fn reclassify(store: &Store, window_ms: (UtcMs, UtcMs), is_dry: bool) -> Result<Reclassified, StoreError> {
    let mut done = Reclassified::default();
    let judge = |reply: StoredReply<'_>| reason_of(reply.source, reply.words, reply.enhanced_code);
    for segment in store.segments().between(window_ms.0, window_ms.1)? {
        let judged = store.segments().read_part(&segment, SegmentPart::Events, |path| {
            columnar::reclassify(path, window_ms.0..window_ms.1, &judge)
        })?;
        let Some(judged) = judged else { continue };
        done.rows += judged.rows;
        for (reasons, rows) in judged.moved {
            *done.moved.entry(reasons).or_default() += rows;
        }
        if let Some(encoded) = judged.segment.filter(|_| !is_dry) {
            put_in_place(store, &segment, &encoded, |transaction| {
                store.outbox().has_room(transaction)
            })?;
        }
    }
    Ok(done)
}
