//! How a round reads: what `backfill` and `tail` do differently.

use crate::model::time::{MINUTE_MS, UtcMs};
use rustc_hash::FxHashMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A file that nobody wrote to for this long has its last line flushed, newline or not.
pub const QUIET_MS: i64 = MINUTE_MS;

/// Files that are open, by device and inode: they are read through their descriptor, whatever they are called by now.
pub(crate) type OpenFiles = FxHashMap<(u64, u64), Arc<File>>;

/// How a round reads.
#[derive(Debug, Default)]
pub struct Reading<'r> {
    /// Now, UTC milliseconds: tells whether a file is quiet.
    pub now_ms: UtcMs,
    /// Programs keep files open when they are renamed: a file that is not the newest of its family may grow as well.
    pub following: bool,
    /// Files that are open already.
    pub open_files: OpenFiles,
    /// Ends the reading early.
    pub stop: Option<&'r AtomicBool>,
    /// Logs that wait for the clock, and the offset (in a journal, the number) up to which they are read.
    pub until: FxHashMap<u64, u64>,
}

impl Reading<'_> {
    /// Whether reading is to end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}
