//! Logs that wait: most of their newest lines are in the future, so that it is this machine's clock that is in doubt.
//! They are looked at again when the clock (or the file's time) has come so far, and when there are more lines to judge by.

use crate::ingest::Job;
use crate::ingest::accounting::Doubt;
use crate::model::time::{AHEAD_MS, UtcMs};
use crate::service::follow::Backoff;
use crate::source::{Found, Stamp};
use rustc_hash::FxHashMap;
use std::os::unix::ffi::OsStrExt;

/// From try to try, milliseconds.
const RETRY_MS: (i64, i64) = (1_000, 60_000);

/// One log.
#[derive(Debug)]
struct Wait {
    doubt: Doubt,
    /// The file as it was; none of a journal.
    stamp: Option<Stamp>,
    retry: Backoff,
    /// This round reads it again.
    trying: bool,
}

impl Wait {
    fn is_due(&self, now_ms: UtcMs, found: Option<&Found>) -> bool {
        let stamp = found.map(Found::stamp);
        let mtime_ms = stamp.map_or(UtcMs::MIN, |stamp| stamp.mtime_ms);
        let is_past = self.doubt.first_ms.saturating_sub(AHEAD_MS) <= now_ms.max(mtime_ms);
        self.retry.is_due(now_ms) && (is_past || stamp != self.stamp || stamp.is_none())
    }
}

/// Those of one source.
#[derive(Debug, Default)]
pub(crate) struct Waits(FxHashMap<u64, Wait>);

impl Waits {
    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes out of a round's work what is not to be tried in it.
    pub(crate) fn leave_out(&mut self, work: &mut Job, now_ms: UtcMs) {
        if self.0.is_empty() {
            return;
        }
        for (_, family) in &mut work.families {
            family.files.retain(|found| {
                let is_it = |wait: &&mut Wait| {
                    let same = |stamp: Stamp| stamp.same_file(&found.stamp());
                    wait.stamp.is_some_and(same) || wait.doubt.path == found.path.as_os_str().as_bytes()
                };
                match self.0.values_mut().find(is_it) {
                    Some(wait) => {
                        wait.trying = wait.is_due(now_ms, Some(found));
                        wait.trying
                    }
                    None => true,
                }
            });
        }
        work.families.retain(|(_, family)| !family.files.is_empty());
        // The other sequences of a journal go on: what waits there is read up to its place.
        for wait in self.0.values_mut().filter(|wait| wait.stamp.is_none()) {
            wait.trying = wait.is_due(now_ms, None);
        }
    }

    /// Up to where the logs are read in this round.
    pub(crate) fn until(&self) -> FxHashMap<u64, u64> {
        let waiting = self.0.iter().filter(|(_, wait)| !wait.trying);
        waiting.map(|(log, wait)| (*log, wait.doubt.offset)).collect()
    }

    /// A log is in doubt, as `work` was read.
    pub(crate) fn add(&mut self, doubt: Doubt, work: &Job, now_ms: UtcMs) {
        let files = work.families.iter().flat_map(|(_, family)| &family.files);
        let found = { files }.find(|found| found.path.as_os_str().as_bytes() == doubt.path);
        let stamp = found.map(Found::stamp);
        let before = self.0.remove(&doubt.log_id);
        let mut retry = before.map_or(Backoff::new(RETRY_MS.0, RETRY_MS.1), |wait| wait.retry);
        retry.failed(now_ms);
        let wait = Wait {
            stamp,
            retry,
            trying: false,
            doubt,
        };
        self.0.insert(wait.doubt.log_id, wait);
    }

    /// A round has ended well: what was tried and is in doubt no more is read.
    pub(crate) fn end_round(&mut self) {
        self.0.retain(|_, wait| !wait.trying);
    }

    /// A round has failed: what was tried waits on.
    pub(crate) fn give_up_round(&mut self) {
        self.0.values_mut().for_each(|wait| wait.trying = false);
    }
}
