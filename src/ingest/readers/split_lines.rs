//! Lines that Exim split for syslog, of which pieces are still to come. They wait between two rounds, two files and two
//! lives of the reader: what has been read of them is part of the commit that puts the position behind it.
//!
//! A line is counted when it is whole, or when nobody waits for the rest of it any more: after ten minutes of the log's
//! time, or when the newest file has been at rest.

use crate::model::time::{MINUTE_MS, UtcMs};
use crate::store::catalogue::CatalogueError;
use mailpulse_parsers::Stamp;
use mailpulse_parsers::syslog::{Assembled, Envelope, Pending, Reassembler};
use serde::{Deserialize, Serialize};

/// syslogd writes the pieces of a line within a moment.
pub(super) const WAIT_MS: i64 = 10 * MINUTE_MS;

/// Where a piece stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SplitPiece {
    /// Its log.
    pub log_id: u64,
    /// Offset in the log.
    pub offset: u64,
    /// When syslog took it, UTC milliseconds.
    pub ts_ms: UtcMs,
    /// StoredBytes of the whole line that holds it, newline included.
    pub bytes: u64,
}

/// The open lines of one source.
#[derive(Debug, Default)]
pub(super) struct SplitLines {
    pub lines: Reassembler<SplitPiece>,
    /// They differ from what the store has.
    pub changed: bool,
}

impl SplitLines {
    /// Lines whose other pieces are overdue at this time of the log.
    pub(super) fn overdue(&mut self, now_ms: UtcMs) -> Vec<Assembled<SplitPiece>> {
        let lines = self
            .lines
            .give_up(|line| line.pieces.last().is_none_or(|piece| now_ms - piece.ts_ms > WAIT_MS));
        self.changed |= !lines.is_empty();
        lines
    }

    /// What the next commit has to store, if it is something new; empty: nothing waits.
    pub(crate) fn take_changes(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        if self.lines.is_empty() {
            return Some(String::new());
        }
        let stored: Vec<StoredSplitLine> = self.lines.pending().iter().map(StoredSplitLine::of).collect();
        serde_json::to_string(&stored).ok()
    }

    /// Puts back what an earlier life left open.
    pub(super) fn reopen(&mut self, stored: &str) -> Result<(), CatalogueError> {
        let stored: Vec<StoredSplitLine> = serde_json::from_str(stored)?;
        for line in stored {
            self.lines.reopen(line.pending());
        }
        Ok(())
    }
}

/// The envelope of a line that is whole, or given up.
pub(super) fn envelope(line: &Assembled<SplitPiece>) -> Envelope<'_> {
    Envelope {
        stamp: line.stamp,
        year_known: line.year_known,
        host: &line.host,
        tag: b"exim",
        pid: line.pid,
        rest: &line.text,
    }
}

/// An open line as the store keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct StoredSplitLine {
    host: StoredBytes,
    pid: Option<u32>,
    /// Year, month, day, hour, minute, second, milliseconds.
    stamp: [i16; 7],
    offset_seconds: Option<i32>,
    year_known: bool,
    text: StoredBytes,
    next: u32,
    pieces: u32,
    seen: Vec<SplitPiece>,
}

/// Text that an operator can read, where it is text.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum StoredBytes {
    Text(String),
    Raw(Vec<u8>),
}

impl StoredBytes {
    fn of(bytes: &[u8]) -> StoredBytes {
        match std::str::from_utf8(bytes) {
            Ok(text) => StoredBytes::Text(text.to_owned()),
            Err(_) => StoredBytes::Raw(bytes.to_vec()),
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            StoredBytes::Text(text) => text.into_bytes(),
            StoredBytes::Raw(bytes) => bytes,
        }
    }
}

impl StoredSplitLine {
    fn of(pending: &Pending<SplitPiece>) -> StoredSplitLine {
        let Pending { line, next, pieces } = pending;
        let at = &line.stamp;
        let small = [at.month, at.day, at.hour, at.minute, at.second].map(i16::from);
        let [month, day, hour, minute, second] = small;
        StoredSplitLine {
            host: StoredBytes::of(&line.host),
            pid: line.pid,
            stamp: [at.year, month, day, hour, minute, second, at.millis as i16],
            offset_seconds: at.offset_seconds,
            year_known: line.year_known,
            text: StoredBytes::of(&line.text),
            next: *next,
            pieces: *pieces,
            seen: line.pieces.clone(),
        }
    }

    fn pending(self) -> Pending<SplitPiece> {
        let [year, month, day, hour, minute, second, millis] = self.stamp;
        let small = |number: i16| number as u8;
        let stamp = Stamp {
            year,
            month: small(month),
            day: small(day),
            hour: small(hour),
            minute: small(minute),
            second: small(second),
            millis: millis as u16,
            offset_seconds: self.offset_seconds,
        };
        Pending {
            line: Assembled {
                host: self.host.into_bytes(),
                pid: self.pid,
                stamp,
                year_known: self.year_known,
                text: self.text.into_bytes(),
                begins: true,
                complete: false,
                pieces: self.seen,
            },
            next: self.next,
            pieces: self.pieces,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailpulse_parsers::syslog;

    #[test]
    fn an_open_line_is_the_same_after_the_store() {
        let piece = SplitPiece {
            log_id: u64::MAX,
            offset: 7,
            ts_ms: UtcMs::new(-1),
            bytes: 9,
        };
        let mut before = SplitLines::default();
        for line in [
            &b"2018-06-06T18:55:01.123+02:00 mx1 exim[7]: [1/3] text"[..],
            b"Jun  6 18:55:01 mx1 exim: [1\\2] \xff",
        ] {
            before.lines.push(&syslog::envelope(line).unwrap(), piece);
        }
        assert_eq!(before.take_changes(), None);
        before.changed = true;
        let stored = before.take_changes().unwrap();
        let mut after = SplitLines::default();
        after.reopen(&stored).unwrap();
        assert_eq!(before.lines.pending(), after.lines.pending());
        assert_eq!(after.take_changes(), None, "the store has it");
        assert_eq!(after.overdue(UtcMs::new(WAIT_MS)).len(), 2);
        assert_eq!(after.take_changes(), Some(String::new()));
    }
}
