//! What answers lack: segments that are broken, and rows that are missing. Whoever reads goes on with the rest, and whoever
//! asked is told afterwards.

use crate::model::time::UtcMs;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Lacks that are named; of more only the number is known.
const NAMED_MAX: usize = 1_000;

/// One thing that an answer lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerLack {
    /// The file, if there is one.
    pub path: Option<PathBuf>,
    /// Why it cannot be read; empty for rows that are known to be missing.
    pub why: String,
    /// Host of the source.
    pub host: String,
    /// Its kind.
    pub kind: String,
    /// First and last event, UTC milliseconds.
    pub span_ms: (UtcMs, UtcMs),
    /// Rows.
    pub rows: u64,
}

/// What was found to be lacking; shared by whoever reads and whoever tells.
#[derive(Debug, Clone, Default)]
pub struct Incomplete(Arc<Mutex<Lacks>>);

#[derive(Debug, Default)]
struct Lacks {
    /// By segment, and whether it is of the rates.
    lacks: BTreeMap<(i64, bool), AnswerLack>,
    more: u64,
    /// Segments that should have roll-ups, and have none.
    without_rollups: BTreeSet<i64>,
}

impl Incomplete {
    /// What is lacking, and how much more there is than is named.
    pub fn lacks(&self) -> (Vec<AnswerLack>, u64) {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (found.lacks.values().cloned().collect(), found.more)
    }

    /// How many segments an older program wrote without the roll-ups that a question could have used. The answer lacks nothing.
    pub fn without_rollups(&self) -> usize {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.without_rollups.len()
    }

    /// Notes one of them.
    pub(super) fn add_without_rollups(&self, segment: i64) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.without_rollups.insert(segment);
    }

    /// Forgets what was told.
    pub fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Lacks::default();
    }

    /// Notes a lack of a segment; `is_rates`: of its rates.
    pub(super) fn add(&self, segment: i64, is_rates: bool, lack: AnswerLack) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match found.lacks.len() < NAMED_MAX || found.lacks.contains_key(&(segment, is_rates)) {
            true => _ = found.lacks.insert((segment, is_rates), lack),
            false => found.more += 1,
        }
    }
}
