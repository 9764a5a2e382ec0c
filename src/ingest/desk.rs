//! Where a source's lines are counted and its events collected until the next commit: lines = events + ignored +
//! unparsed, for each log and minute, whatever the format.

use super::feed::OpenLog;
use super::odd::OddFields;
use super::report::SourceReport;
use super::shapes::Shapes;
use crate::normalise::redact::text;
use crate::store::batch::Batch;
use crate::store::commit::{Counts, LogState};
use mailpulse_parsers::Odd;
use rustc_hash::FxHashMap;

const MINUTE_MS: i64 = 60_000;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It gave an event.
    Event,
    /// It was understood, and tells nothing about mail.
    Ignored,
    /// Another program than the log's own wrote it: it is ignored too.
    Foreign,
    /// It was understood, and another line gave its event: it is ignored too.
    Duplicate,
    /// It did not parse.
    Unparsed,
}

/// Batch, counters and shapes of one source.
#[derive(Debug)]
pub struct Desk {
    /// Events since the last commit.
    pub batch: Batch,
    /// Lines that did not parse since the last commit.
    pub shapes: Shapes,
    /// Fields left out since the last commit.
    pub odd: OddFields,
    /// Logs read since the last commit.
    pub touched: Vec<LogState>,
    /// What is told at the end.
    pub report: SourceReport,
    minutes: FxHashMap<i64, Counts>,
    minute: (i64, Counts),
    /// What has been counted of the lines in hand and not been added up: see [`Desk::settle`].
    fresh: Counts,
    /// Minute of lines without a time before the first that has one in this run.
    before: i64,
}

impl Desk {
    /// A desk for one host's logs of one kind.
    pub fn new(host: &str, kind: &'static str) -> Self {
        Desk {
            batch: Batch::new(1, None),
            shapes: Shapes::default(),
            odd: OddFields::default(),
            touched: Vec::new(),
            report: SourceReport {
                host: host.to_owned(),
                kind,
                ..SourceReport::default()
            },
            minutes: FxHashMap::default(),
            minute: (0, Counts::default()),
            fresh: Counts::default(),
            before: 0,
        }
    }

    /// A log is read from where it was left: lines without a time follow its newest one.
    pub fn begin(&mut self, state: &LogState) {
        self.before = state
            .span_ms
            .map_or(state.mtime_ms, |span| span.1)
            .div_euclid(MINUTE_MS);
    }

    /// Moves to the minute of a line.
    #[inline]
    pub fn at(&mut self, state: &mut LogState, ts_ms: i64) {
        if !(0..MINUTE_MS).contains(&ts_ms.wrapping_sub(self.minute.0.wrapping_mul(MINUTE_MS))) {
            self.settle(state);
            self.turn_minute(ts_ms.div_euclid(MINUTE_MS));
        }
        match &mut state.span_ms {
            Some((first, last)) => {
                *first = (*first).min(ts_ms);
                *last = (*last).max(ts_ms);
            }
            none => *none = Some((ts_ms, ts_ms)),
        }
    }

    fn turn_minute(&mut self, minute: i64) {
        let (old, counts) = std::mem::replace(&mut self.minute, (minute, Counts::default()));
        if old == 0 {
            // Lines before the first time: they belong to it.
            self.minute.1 = counts;
        } else if counts.lines > 0 {
            self.minutes.entry(old).or_default().add(&counts);
        }
    }

    /// Counts one line of `len` bytes; [`Desk::settle`] must follow the last of a chunk.
    #[inline]
    pub fn count(&mut self, outcome: Outcome, len: usize) {
        self.fresh.add(&counts_of(outcome, 1, len as u64 + 1));
    }

    /// Counts the lines of one record: the outcome is its first line's, the others belong to it.
    pub fn count_lines(&mut self, state: &mut LogState, outcome: Outcome, lines: u64, bytes: u64) {
        self.fresh.add(&counts_of(outcome, lines, bytes));
        self.settle(state);
    }

    /// Adds what was counted to the log's, the minute's and the report's sums: three sums a line would be dearer.
    pub fn settle(&mut self, state: &mut LogState) {
        let fresh = std::mem::take(&mut self.fresh);
        state.counts.add(&fresh);
        self.minute.1.add(&fresh);
        self.report.counts.add(&fresh);
    }

    /// What became of a record: `event` says whether it tells of mail.
    #[inline]
    pub fn outcome(&mut self, event: bool) -> Outcome {
        match (std::mem::take(&mut self.batch.repeated), event) {
            (true, _) => Outcome::Duplicate,
            (false, true) => Outcome::Event,
            (false, false) => Outcome::Ignored,
        }
    }

    /// Notes a line that did not parse.
    pub fn unparsed(&mut self, state: &LogState, line: &[u8], why: &str) -> Outcome {
        self.shapes.add(line, why, &text(&state.path));
        Outcome::Unparsed
    }

    /// Notes a field of a line that was left out.
    #[cold]
    pub fn odd(&mut self, state: &LogState, odd: &Odd<'_>) {
        self.odd.add(odd, &state.path);
    }

    /// The log's state belongs to the next commit.
    pub fn touch(&mut self, log: &OpenLog) {
        let mut state = log.state.clone();
        state.position = match &log.place {
            Some(place) => place.clone(),
            None => super::position::to_json(log.base, log.ordinal, &log.position),
        };
        self.touched.retain(|known| known.log_id != state.log_id);
        self.touched.push(state);
    }

    /// Counts by minute since the last call, oldest first.
    pub fn take_minutes(&mut self) -> Vec<(i64, Counts)> {
        if self.minute.0 == 0 && self.minute.1.lines > 0 {
            // Not one line since the start of the run had a time.
            let counts = std::mem::take(&mut self.minute.1);
            self.minutes.entry(self.before).or_default().add(&counts);
        }
        self.turn_minute(self.minute.0);
        let mut minutes: Vec<_> = self.minutes.drain().collect();
        minutes.sort_unstable_by_key(|(minute, _)| *minute);
        minutes
    }
}

#[inline]
fn counts_of(outcome: Outcome, lines: u64, bytes: u64) -> Counts {
    let (events, duplicates, unparsed) = match outcome {
        Outcome::Event => (1, 0, 0),
        Outcome::Ignored | Outcome::Foreign => (0, 0, 0),
        Outcome::Duplicate => (0, lines, 0),
        Outcome::Unparsed => (0, 0, 1),
    };
    Counts {
        lines,
        events,
        ignored: lines - events - unparsed,
        foreign: if outcome == Outcome::Foreign { lines } else { 0 },
        duplicates,
        unparsed,
        bytes,
    }
}
