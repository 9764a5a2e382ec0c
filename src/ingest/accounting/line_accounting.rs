//! Where a source's lines are counted and its events collected until the next commit: lines = events + ignored +
//! unparsed, for each log and minute, whatever the format.

use super::future::{Doubt, IN_THE_FUTURE, NewestLines, plausible};
use super::odd_fields::OddFields;
use super::unparsed_shapes::UnparsedShapes;
use crate::ingest::open_log::OpenLog;
use crate::ingest::position;
use crate::ingest::report::SourceReport;
use crate::model::text::text;
use crate::model::time::{MINUTE_MS, Minute, UtcMs};
use crate::normalise::redact::Redactor;
use crate::store::batch::Batch;
use crate::store::catalogue::{Counts, LogState};
use mailpulse_parsers::Odd;
use rustc_hash::FxHashMap;

/// Before the first time of a run.
const NO_MINUTE: Minute = Minute::new(i64::MIN / MINUTE_MS);

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineOutcome {
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
pub(crate) struct LineAccounting {
    /// Events since the last commit.
    pub batch: Batch,
    /// Lines that did not parse since the last commit.
    pub shapes: UnparsedShapes,
    /// Fields left out since the last commit.
    pub odd: OddFields,
    /// Takes local parts out of what is sampled.
    redactor: Redactor,
    /// Logs read since the last commit.
    pub touched: Vec<LogState>,
    /// What is told at the end.
    pub report: SourceReport,
    minutes: FxHashMap<Minute, Counts>,
    minute: (Minute, Counts),
    /// What has been counted of the lines in hand and not been added up: see [`LineAccounting::settle`].
    fresh: Counts,
    /// Minute of lines without a time before the first that has one in this run.
    before: Minute,
    /// The clock, as of the round.
    now_ms: UtcMs,
    /// The newest lines of the log in hand.
    recent: NewestLines,
    /// Of the round's other logs, if some of them are in the future.
    others: Vec<NewestLines>,
}

impl LineAccounting {
    /// Of one host's logs of one kind.
    pub(crate) fn new(host: &str, kind: &'static str, redactor: Redactor) -> Self {
        LineAccounting {
            batch: Batch::new(1, None),
            shapes: UnparsedShapes::default(),
            odd: OddFields::default(),
            redactor,
            touched: Vec::new(),
            report: SourceReport {
                host: host.to_owned(),
                kind,
                ..SourceReport::default()
            },
            minutes: FxHashMap::default(),
            minute: (NO_MINUTE, Counts::default()),
            fresh: Counts::default(),
            before: Minute::EPOCH,
            now_ms: UtcMs::EPOCH,
            recent: NewestLines::default(),
            others: Vec::new(),
        }
    }

    /// A round begins: what time it is.
    pub(crate) fn set_now(&mut self, now_ms: UtcMs) {
        self.now_ms = now_ms;
        self.others.clear();
    }

    /// A log is read from where it was left: lines without a time follow its newest one.
    pub(crate) fn begin(&mut self, state: &LogState) {
        if self.recent.log_id != state.log_id {
            let known = self.others.iter().position(|one| one.log_id == state.log_id);
            let next = known.map_or_else(|| NewestLines::of(state), |at| self.others.swap_remove(at));
            let last = std::mem::replace(&mut self.recent, next);
            self.others.extend((last.mask() != 0).then_some(last));
        }
        self.before = state.span_ms.map_or(state.mtime_ms, |span| span.1).minute();
    }

    /// Moves to the minute of a line, which stands at `offset`. An error says why its time cannot be true.
    #[inline]
    pub(crate) fn at(&mut self, state: &mut LogState, ts_ms: UtcMs, offset: u64) -> Result<(), &'static str> {
        // Another line of this minute has been looked at.
        if !self.minute.0.has(ts_ms) {
            self.look(state, ts_ms, offset)?;
            self.settle(state);
            self.turn_minute(ts_ms.minute());
        }
        self.recent.timed += 1;
        match &mut state.span_ms {
            Some((first, last)) => {
                *first = (*first).min(ts_ms);
                *last = (*last).max(ts_ms);
            }
            none => *none = Some((ts_ms, ts_ms)),
        }
        Ok(())
    }

    #[cold]
    fn look(&mut self, state: &LogState, ts_ms: UtcMs, offset: u64) -> Result<(), &'static str> {
        let newest_ms = state.span_ms.map(|span| span.1);
        let verdict = plausible(ts_ms, self.now_ms, state.mtime_ms, newest_ms);
        if verdict == Err(IN_THE_FUTURE) {
            self.recent.add_ahead(offset, ts_ms);
        }
        verdict
    }

    /// Whether lines that are in hand may have to wait: what is sealed now could not.
    pub(crate) fn is_undecided(&self) -> bool {
        self.recent.is_open()
    }

    /// At the end of a log: whether it is the clock that is wrong.
    pub(crate) fn doubt(&self, state: &LogState) -> Option<Doubt> {
        self.recent.doubt(&state.path)
    }

    /// At the end of a journal: whether it is the clock that is wrong, for any of its sequences.
    pub(crate) fn doubt_of_any(&self, path: &[u8]) -> Option<Doubt> {
        std::iter::once(&self.recent)
            .chain(&self.others)
            .find_map(|recent| recent.doubt(path))
    }

    /// What was counted so far is about to be committed.
    pub(crate) fn commit_recent(&mut self) {
        self.recent.commit();
        self.others.iter_mut().for_each(NewestLines::commit);
    }

    /// The newest lines of the log in hand, for its next run.
    pub(crate) fn ahead(&self) -> u128 {
        self.recent.mask()
    }

    /// Moves to the minute of another source's newest line in the same log.
    pub(crate) fn follow(&mut self, state: &mut LogState, other: &LineAccounting) {
        if other.minute.0 != NO_MINUTE && other.minute.0 != self.minute.0 {
            self.settle(state);
            self.turn_minute(other.minute.0);
        }
    }

    fn turn_minute(&mut self, minute: Minute) {
        let (old, counts) = std::mem::replace(&mut self.minute, (minute, Counts::default()));
        if old == NO_MINUTE {
            // Lines before the first time: they belong to it.
            self.minute.1 = counts;
        } else if counts.lines > 0 {
            self.minutes.entry(old).or_default().add(&counts);
        }
    }

    /// Counts one line of `len` bytes; [`LineAccounting::settle`] must follow the last of a chunk.
    #[inline]
    pub(crate) fn count(&mut self, outcome: LineOutcome, len: usize) {
        note(&mut self.fresh, outcome, 1, len as u64 + 1);
    }

    /// Counts the lines of one record: the outcome is its first line's, the others belong to it.
    pub(crate) fn count_lines(&mut self, state: &mut LogState, outcome: LineOutcome, lines: u64, bytes: u64) {
        note(&mut self.fresh, outcome, lines, bytes);
        self.settle(state);
    }

    /// Adds what was counted to the log's, the minute's and the report's sums: three sums a line would be dearer.
    pub(crate) fn settle(&mut self, state: &mut LogState) {
        let fresh = std::mem::take(&mut self.fresh);
        state.counts.add(&fresh);
        self.minute.1.add(&fresh);
        self.report.counts.add(&fresh);
    }

    /// What became of a record: `event` says whether it tells of mail.
    #[inline]
    pub(crate) fn outcome(&mut self, event: bool) -> LineOutcome {
        match (std::mem::take(&mut self.batch.repeated), event) {
            (true, _) => LineOutcome::Duplicate,
            (false, true) => LineOutcome::Event,
            (false, false) => LineOutcome::Ignored,
        }
    }

    /// Notes a line that did not parse.
    pub(crate) fn unparsed(&mut self, state: &LogState, line: &[u8], why: &str) -> LineOutcome {
        self.shapes.add(line, why, &text(&state.path), &self.redactor);
        LineOutcome::Unparsed
    }

    /// Notes a field of a line that was left out.
    #[cold]
    pub(crate) fn odd(&mut self, state: &LogState, odd: &Odd<'_>) {
        self.odd.add(odd, &state.path, &self.redactor);
    }

    /// The log's state belongs to the next commit.
    pub(crate) fn touch(&mut self, log: &OpenLog) {
        let mut state = log.state.clone();
        if self.recent.log_id == state.log_id {
            state.ahead = self.recent.mask();
        }
        state.position = match &log.place {
            Some(place) => place.clone(),
            None => position::to_json(log.base, log.ordinal, &log.position, log.by_line),
        };
        self.touched.retain(|known| known.log_id != state.log_id);
        self.touched.push(state);
    }

    /// Counts by minute since the last call, oldest first.
    pub(crate) fn take_minutes(&mut self) -> Vec<(Minute, Counts)> {
        if self.minute.0 == NO_MINUTE && self.minute.1.lines > 0 {
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

/// Counts the lines of one record; those behind the first tell nothing of their own.
#[inline]
fn note(counts: &mut Counts, outcome: LineOutcome, lines: u64, bytes: u64) {
    counts.lines += lines;
    counts.bytes += bytes;
    match outcome {
        LineOutcome::Event => {
            counts.events += 1;
            counts.ignored += lines - 1;
        }
        LineOutcome::Unparsed => {
            counts.unparsed += 1;
            counts.ignored += lines - 1;
        }
        LineOutcome::Ignored => counts.ignored += lines,
        LineOutcome::Foreign => {
            counts.ignored += lines;
            counts.foreign += lines;
        }
        LineOutcome::Duplicate => {
            counts.ignored += lines;
            counts.duplicates += lines;
        }
    }
}
