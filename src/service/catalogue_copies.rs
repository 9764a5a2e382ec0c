//! The hourly copy of the catalogue, made on a thread of its own: no round waits for it.

use crate::clock::now_ms;
use crate::model::time::{MINUTE_MS, UtcMs};
use crate::store::{Store, copies};
use std::path::Path;
use std::thread::JoinHandle;

/// From look to look whether a copy is due.
const LOOK_MS: i64 = MINUTE_MS;

/// Makes copies while `tail` works.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    next_ms: Option<UtcMs>,
    thread: Option<JoinHandle<()>>,
}

impl Copies {
    /// After a round: begins a copy if one is due, and none is under way.
    pub(crate) fn after(&mut self, store: &Path, now_ms: UtcMs) {
        let is_soon = |next: UtcMs| (next - LOOK_MS..next).contains(&now_ms);
        if self.next_ms.is_some_and(is_soon) || self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return;
        }
        self.next_ms = Some(now_ms + LOOK_MS);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("copying the catalogue failed; mailpulse tries again");
        }
        if !copies::is_due(store, now_ms) {
            return;
        }
        let store = store.to_owned();
        let copy = move || {
            if let Err(error) = copies::take(&store, now_ms) {
                tracing::warn!("cannot copy the catalogue: {}", error);
            }
        };
        match std::thread::Builder::new().name("copy".to_owned()).spawn(copy) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => tracing::warn!("cannot copy the catalogue: {error}"),
        }
    }
}

/// Copies the catalogue, if that is due. What was read is committed, whatever becomes of it.
pub(crate) fn copy_catalogue(store: &Store) {
    if let Err(error) = store.copy_catalogue(now_ms()) {
        tracing::warn!("cannot copy the catalogue: {}", error);
    }
}
