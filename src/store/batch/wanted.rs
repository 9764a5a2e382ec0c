//! Which rows of what is read a batch keeps, where it does not keep all.

use crate::model::time::{CivilDay, UtcMs};
use crate::store::catalogue::OffsetSpan;
use rustc_hash::FxHashMap;

/// Identities of stored rows: of each log the offsets, in pieces of 4 GiB, ascending.
#[derive(Debug, Default)]
pub struct StoredOffsets {
    offsets: FxHashMap<(u64, u32), Vec<u32>>,
}

impl StoredOffsets {
    /// Adds a row.
    pub fn add(&mut self, log: u64, offset: u64) {
        let piece = self.offsets.entry((log, (offset >> 32) as u32)).or_default();
        // A line may give several rows.
        if piece.last() != Some(&(offset as u32)) {
            piece.push(offset as u32);
        }
    }

    /// Puts them in order, before the first question.
    pub fn settle(&mut self) {
        for piece in self.offsets.values_mut() {
            piece.sort_unstable();
            piece.dedup();
        }
    }

    fn has(&self, log: u64, offset: u64) -> bool {
        let piece = self.offsets.get(&(log, (offset >> 32) as u32));
        piece.is_some_and(|piece| piece.binary_search(&(offset as u32)).is_ok())
    }
}

/// Which rows of what is read are added.
#[derive(Debug, Default)]
pub struct WantedRows {
    /// What is there.
    pub stored: StoredOffsets,
    /// Only these days, and of each day these offsets of logs (none: all). None: all that is not stored.
    pub days: Option<FxHashMap<CivilDay, Option<Vec<OffsetSpan>>>>,
    /// Up to where each log had been read; what comes after it was never stored.
    read_to: Option<FxHashMap<u64, u64>>,
}

impl WantedRows {
    /// Nothing that stands behind what was read of its log, or in a log that was not read.
    pub(crate) fn read_only(&mut self, read_to: FxHashMap<u64, u64>) {
        self.read_to = Some(read_to);
    }

    /// Whether a row is to be added.
    pub fn has(&self, log: u64, offset: u64, ts_ms: UtcMs) -> bool {
        let is_missing = match &self.days {
            None => true,
            Some(days) => match days.get(&ts_ms.day()) {
                None => false,
                Some(None) => true,
                Some(Some(spans)) => {
                    let holds = |span: &OffsetSpan| span.log == log && (span.first..=span.last).contains(&offset);
                    spans.iter().any(holds)
                }
            },
        };
        let was_read = || match &self.read_to {
            None => true,
            Some(read_to) => read_to.get(&log).is_some_and(|to| offset < *to),
        };
        is_missing && was_read() && !self.stored.has(log, offset)
    }
}
