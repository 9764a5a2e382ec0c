//! One log of an application: records are planned in any order and written in order of time.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::super::clock::UNTIL;
use super::super::impact::Phase;
use super::files::Files;
use super::logs::Log;
use super::submissions::Submissions;

/// What a record says of mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordMark {
    /// Nothing, or nothing that another record does not say.
    Everyday,
    /// A mail failed for the first time.
    Failed,
    /// It failed again.
    FailedAgain,
    /// A mail was handed in.
    Submitted,
}

/// A record that waits for its time: one line or more. Equal times keep the order in which they were planned.
struct PendingRecord {
    /// When, in milliseconds, and the how manyeth.
    key: (i64, u64),
    mark: RecordMark,
    text: String,
}

impl PartialEq for PendingRecord {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for PendingRecord {}

impl PartialOrd for PendingRecord {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PendingRecord {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

/// What one log holds.
#[derive(Default)]
pub(super) struct LogTotals {
    /// By phase.
    pub(super) counts: [Submissions; 3],
    /// By phase.
    pub(super) lines: [u64; 3],
    pub(super) failed: Vec<i64>,
    pub(super) bytes: u64,
    pub(super) files: Vec<PathBuf>,
}

/// A log and what it will say.
pub(super) struct LogWriter {
    pub(super) host: &'static str,
    /// The instants that the log covers, in milliseconds.
    span: Range<i64>,
    pending: BinaryHeap<Reverse<PendingRecord>>,
    order: u64,
    files: Files,
    written: LogTotals,
}

impl LogWriter {
    /// An empty log that begins at `from`; its old files are removed.
    pub(super) fn create(dir: &Path, log: &Log, from: i64) -> io::Result<Self> {
        Ok(Self {
            host: log.host,
            span: from * 1000..UNTIL * 1000,
            pending: BinaryHeap::new(),
            order: 0,
            files: Files::create(&dir.join(log.host), log.file, log.rotation, UNTIL)?,
            written: LogTotals::default(),
        })
    }

    /// Plans a record: `text` is its lines, the last newline included.
    pub(super) fn push(&mut self, ms: i64, mark: RecordMark, text: String) {
        if self.span.contains(&ms) {
            self.order += 1;
            let key = (ms, self.order);
            self.pending.push(Reverse(PendingRecord { key, mark, text }));
        }
    }

    /// Writes all records before `until`, in seconds.
    pub(super) fn drain(&mut self, until: i64) -> io::Result<()> {
        while self.pending.peek().is_some_and(|next| next.0.key.0 < until * 1000) {
            let Some(Reverse(record)) = self.pending.pop() else {
                break;
            };
            let (ms, _) = record.key;
            let phase = Phase::at(ms.div_euclid(1000)) as usize;
            let counts = &mut self.written.counts[phase];
            match record.mark {
                RecordMark::Everyday => {}
                RecordMark::Failed => {
                    counts.submit_failed += 1;
                    counts.failures += 1;
                    self.written.failed.push(ms.div_euclid(1000));
                }
                RecordMark::FailedAgain => counts.failures += 1,
                RecordMark::Submitted => counts.submitted += 1,
            }
            self.written.lines[phase] += record.text.lines().count() as u64;
            self.written.bytes += record.text.len() as u64;
            self.files.put(ms, record.text.as_bytes())?;
        }
        Ok(())
    }

    /// Closes the log and says what it holds.
    pub(super) fn finish(&mut self) -> io::Result<LogTotals> {
        self.written.files = self.files.finish()?;
        Ok(std::mem::take(&mut self.written))
    }
}
