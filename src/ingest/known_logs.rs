//! What is known of a source's logs between rounds, as it was committed.

use super::journal_position::is_position;
use super::overlap::LogSpan;
use super::position::{self, KnownLog};
use crate::source::Found;
use crate::store::catalogue::LogState;
use crate::store::{Store, StoreError};
use rustc_hash::{FxHashMap, FxHashSet};
use std::os::unix::ffi::OsStrExt;

/// The logs of one source.
pub(super) struct KnownLogs {
    /// Those in files.
    pub in_files: Vec<KnownLog>,
    /// Highest numbers of logs that were forgotten, by their identity without the number.
    pub forgotten: FxHashMap<u64, u32>,
    /// Times of all logs, those of journals too.
    spans: Vec<LogSpan>,
    /// Logs that were read in this life.
    read: FxHashSet<u64>,
}

impl KnownLogs {
    /// What the store knows of the source's. A log whose position cannot be read would be read again, and its rows doubled:
    /// that is an error.
    pub(super) fn load(store: &Store, source: i64) -> Result<Self, StoreError> {
        let logs = store.positions().logs(source)?;
        let mut spans: Vec<LogSpan> = logs.iter().filter_map(LogSpan::of).collect();
        LogSpan::widen(&mut spans, store.positions().adopted_logs(source)?);
        let mut in_files = Vec::new();
        for state in logs {
            match position::known(state.clone()) {
                Some(log) => in_files.push(log),
                None if is_position(&state.position) => {}
                None => return Err(position::unreadable(&state)),
            }
        }
        Ok(KnownLogs {
            in_files,
            forgotten: store.positions().forgotten_ordinals(source)?,
            spans,
            read: FxHashSet::default(),
        })
    }

    /// Takes what was committed of a log.
    pub(super) fn learn(&mut self, state: LogState) {
        if let Some(span) = LogSpan::of(&state) {
            match self.spans.iter_mut().find(|known| known.is_of(&state)) {
                Some(known) => *known = span,
                None => self.spans.push(span),
            }
        }
        let Some(new) = position::known(state) else { return };
        let mut known = self.in_files.iter_mut();
        match known.find(|log| log.state.log_id == new.state.log_id) {
            Some(log) => *log = new,
            None => self.in_files.push(new),
        }
    }

    /// Looks what has become of the files.
    pub(crate) fn look_again(&mut self) {
        self.in_files.iter_mut().for_each(KnownLog::look_again);
    }

    /// By how much a file has grown since it was read.
    pub(super) fn growth(&self, found: &Found) -> u64 {
        let path = found.path.as_os_str().as_bytes();
        let known = self.in_files.iter().find(|log| log.state.path == path);
        match known.map(|log| log.state.size) {
            Some(size) if size <= found.size => found.size - size,
            _ => found.size,
        }
    }

    /// A log is read in this life.
    pub(super) fn begin(&mut self, log_id: u64) {
        self.read.insert(log_id);
    }

    /// Whether a log has been read since the source was opened.
    pub(crate) fn was_read(&self, log_id: u64) -> bool {
        self.read.contains(&log_id)
    }

    /// Times of the source's logs, as far as they are committed.
    pub(super) fn spans(&self) -> &[LogSpan] {
        &self.spans
    }
}
