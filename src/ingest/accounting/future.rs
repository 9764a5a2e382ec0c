//! Lines whose time cannot be true. One is an odd line: a newline in somebody's text, a program that was fed a wrong
//! date. Where they are most of what a log has to say, it is this machine's clock that is in doubt, not the log.

use crate::model::time::{AHEAD_MS, UtcMs};
use crate::store::catalogue::ClockDoubt;
use crate::store::catalogue::LogState;
use std::collections::VecDeque;

/// 1990-01-01: before it nobody logged mail as we read it; a clock without a battery says 1970 or 1980.
const FIRST: UtcMs = UtcMs::new(631_152_000_000);
/// So many of a log's newest lines are judged together, of those that have a time.
const NEWEST: u64 = 100;

/// Why a line in the future has no event.
pub(crate) const IN_THE_FUTURE: &str =
    "its time is in the future: over a day later than this machine's clock, the file's time and the lines before it";
/// Why one of long ago has none.
pub(crate) const TOO_OLD: &str = "its year is before 1990";

/// Whether a time can be true, for a log that was read to `newest_ms` out of a file of `mtime_ms`, at `now_ms`.
pub(crate) fn plausible(
    ts_ms: UtcMs,
    now_ms: UtcMs,
    mtime_ms: UtcMs,
    newest_ms: Option<UtcMs>,
) -> Result<(), &'static str> {
    let latest = now_ms.max(mtime_ms).max(newest_ms.unwrap_or(UtcMs::MIN));
    match () {
        () if ts_ms < FIRST => Err(TOO_OLD),
        () if ts_ms > latest.saturating_add(AHEAD_MS) => Err(IN_THE_FUTURE),
        () => Ok(()),
    }
}

/// A log of which this machine's clock says that it comes from the future.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Which log.
    pub log_id: u64,
    /// Its file, as bytes.
    pub path: Vec<u8>,
    /// Where reading waits: the first of these lines.
    pub offset: u64,
    /// Its time.
    pub first_ms: UtcMs,
    /// Lines in the future among the newest.
    pub ahead: u32,
    /// The newest lines that have a time.
    pub of: u32,
}

impl Doubt {
    /// As the store keeps it, with the clock that is in doubt.
    pub fn as_of(&self, clock_ms: UtcMs) -> ClockDoubt {
        ClockDoubt {
            log_id: self.log_id,
            path: self.path.clone(),
            first_ms: self.first_ms,
            clock_ms,
            ahead: self.ahead,
            newest: self.of,
        }
    }
}

/// The newest lines of one log, as far as they are in the future.
#[derive(Debug, Default)]
pub(crate) struct NewestLines {
    /// Of the log.
    pub log_id: u64,
    /// Lines with a time, in the log's life; from the hundredth on it need not be exact.
    pub timed: u64,
    /// A bit for each of them, the newest lowest, as of `at`.
    mask: u128,
    at: u64,
    /// Those that are not committed: count of `timed`, offset, time.
    ahead: VecDeque<(u64, u64, UtcMs)>,
    /// The first of those that were most of the newest lines ever since: offset, time.
    doubted: Option<(u64, UtcMs)>,
}

impl NewestLines {
    /// Of a log as it was committed.
    pub(super) fn of(state: &LogState) -> NewestLines {
        let timed = state.counts.lines.min(NEWEST);
        NewestLines {
            log_id: state.log_id,
            timed,
            mask: state.ahead,
            at: timed,
            ..NewestLines::default()
        }
    }

    /// The bits as of now.
    pub(super) fn mask(&self) -> u128 {
        let passed = u32::try_from(self.timed - self.at).unwrap_or(u32::MAX);
        self.mask.checked_shl(passed).unwrap_or(0) & ((1 << NEWEST) - 1)
    }

    /// The newest line is in the future.
    pub(crate) fn add_ahead(&mut self, offset: u64, ts_ms: UtcMs) {
        if !self.is_most() {
            self.doubted = None;
        }
        self.timed += 1;
        self.mask = self.mask() | 1;
        self.at = self.timed;
        self.ahead.push_back((self.timed, offset, ts_ms));
        while self.ahead.front().is_some_and(|(at, ..)| at + NEWEST <= self.timed) {
            self.ahead.pop_front();
        }
        if self.is_most() && self.doubted.is_none() {
            self.doubted = self.ahead.front().map(|(_, offset, ts_ms)| (*offset, *ts_ms));
        }
    }

    fn is_most(&self) -> bool {
        2 * u64::from(self.mask().count_ones()) > self.timed.min(NEWEST)
    }

    /// Whether what comes next may show that lines which are not committed must wait.
    pub(super) fn is_open(&self) -> bool {
        self.ahead.back().is_some_and(|(at, ..)| at + NEWEST > self.timed)
    }

    /// Everything so far is committed.
    pub(super) fn commit(&mut self) {
        self.ahead.clear();
        self.doubted = None;
    }

    /// At the end of what there is: whether over half of the newest lines are in the future.
    pub(super) fn doubt(&self, path: &[u8]) -> Option<Doubt> {
        let (offset, first_ms) = self.doubted.filter(|_| self.is_most())?;
        Some(Doubt {
            log_id: self.log_id,
            path: path.to_vec(),
            offset,
            first_ms,
            ahead: self.mask().count_ones(),
            of: self.timed.min(NEWEST) as u32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = AHEAD_MS;
    const NOW: UtcMs = UtcMs::new(1_800_000_000_000);

    #[test]
    fn a_line_is_in_the_future_of_the_clock_the_file_and_the_line_before() {
        let none = None;
        assert_eq!(plausible(NOW + DAY, NOW, UtcMs::EPOCH, none), Ok(()));
        assert_eq!(plausible(NOW + DAY + 1, NOW, UtcMs::EPOCH, none), Err(IN_THE_FUTURE));
        assert_eq!(plausible(NOW + DAY + 1, NOW, NOW + 1, none), Ok(()));
        assert_eq!(
            plausible(NOW + DAY + 1, UtcMs::EPOCH, UtcMs::EPOCH, Some(NOW + 1)),
            Ok(())
        );
        assert_eq!(plausible(FIRST - 1, NOW, NOW, none), Err(TOO_OLD));
        assert_eq!(plausible(FIRST, NOW, NOW, none), Ok(()));
    }

    /// A log whose lines are good (`.`) or in the future (`x`); where reading waits, by the number of the line.
    fn waits(lines: &str) -> Option<u64> {
        let mut recent = NewestLines::default();
        for (at, line) in lines.bytes().enumerate() {
            match line {
                b'x' => recent.add_ahead(at as u64, NOW),
                _ => recent.timed += 1,
            }
        }
        recent.doubt(b"log").map(|doubt| doubt.offset)
    }

    #[test]
    fn over_half_of_the_newest_hundred_are_a_doubt() {
        let log = |good: usize, ahead: usize| ".".repeat(good) + &"x".repeat(ahead);
        assert_eq!(waits("x"), Some(0));
        assert_eq!(waits(".x"), None);
        assert_eq!(waits("x."), None);
        assert_eq!(waits(".xx"), Some(1));
        assert_eq!(waits(&log(1000, 50)), None);
        assert_eq!(waits(&log(1000, 51)), Some(1000));
        // However long it goes on, reading waits at the first.
        assert_eq!(waits(&log(1000, 5000)), Some(1000));
        assert_eq!(waits(&log(0, 5000)), Some(0));
    }

    #[test]
    fn good_lines_end_a_doubt_and_a_new_one_begins_later() {
        let run = "x".repeat(60) + &".".repeat(60);
        assert_eq!(waits(&run), None);
        assert_eq!(waits(&(run.clone() + &"x".repeat(60))), Some(120));
        assert_eq!(waits(&".x".repeat(500)), None);
        assert_eq!(waits(&"x.".repeat(500)), None);
        assert_eq!(waits(&".xx".repeat(500)), Some(1));
    }

    #[test]
    fn what_was_committed_is_counted_and_cannot_wait_any_more() {
        let mut recent = NewestLines::default();
        (0..100).for_each(|_| recent.timed += 1);
        (0..30).for_each(|at| recent.add_ahead(at, NOW));
        assert!(recent.is_open());
        recent.commit();
        assert!(!recent.is_open());
        (30..60).for_each(|at| recent.add_ahead(at, NOW));
        let doubt = recent.doubt(b"log").unwrap();
        assert_eq!((doubt.offset, doubt.ahead, doubt.of), (30, 60, 100));
    }
}
