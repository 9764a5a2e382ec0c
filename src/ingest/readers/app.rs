//! Applications' logs. A record is its first line and the lines that belong to it (a stack trace, a message's text),
//! also across chunks and across a rotation; it is counted and stored when it is finished, under its first line.
//!
//! A record at the end of a log that is still being written is not finished: the log's position then stays before it,
//! and the next run reads it again, whole.

use super::context::ParseContext;
use super::line_time::begins_with_time;
use crate::ingest::accounting::{LineAccounting, LineOutcome, why};
use crate::ingest::open_log::OpenLog;
use crate::ingest::spec::{Grammar, Spec};
use crate::ingest::stamp_year::with_year;
use crate::model::log_kinds::LogKind;
use crate::model::time::UtcMs;
use crate::normalise::app::{AppNormaliser, AppSource, Placed};
use crate::normalise::clock::{DayClock, LogClock};
use crate::normalise::join::Recall;
use crate::source::Chunk;
use crate::source::identity::{Position, ReadMark, TAIL_BYTES, tail_hash};
use crate::store::catalogue::LogState;
use mailpulse_parsers::app::{Format, Time};
use std::sync::Arc;

/// What is kept of a record: a stack trace of that length says no more in its rest.
const RECORD_BYTES_MAX: usize = 64 << 10;
/// Lines without a start in a row. What goes on beyond that is no trace: the log's format has changed.
const CONTINUATION_LINES_MAX: u64 = 2000;

/// A record whose end has not been read yet.
#[derive(Debug)]
struct UnfinishedRecord {
    /// Log that its first line stands in.
    log_id: u64,
    offset: u64,
    text: Vec<u8>,
    lines: u64,
    bytes: u64,
    /// Position of the log before the record; None if the record can no longer be read again.
    before: Option<Position>,
}

/// Reads an application's lines.
#[derive(Debug)]
pub(crate) struct AppLines<'c> {
    pub(super) normaliser: AppNormaliser<'c>,
    spec: Arc<Spec>,
    format: Arc<Format>,
    open: Option<UnfinishedRecord>,
    days: DayClock,
    /// Time of the newest dated record: that of undated ones.
    last_ms: Option<UtcMs>,
    /// The last bytes before the chunk in hand.
    tail: Vec<u8>,
    /// Lines since the last one that began a record.
    without_start: u64,
}

/// A record that is finished: where it stands and what it says.
struct WholeRecord<'r> {
    offset: u64,
    text: &'r [u8],
    lines: u64,
    bytes: u64,
}

impl<'c> AppLines<'c> {
    pub(super) fn new(normaliser: AppNormaliser<'c>, spec: &Arc<Spec>) -> Self {
        let mut lines = AppLines {
            normaliser,
            spec: spec.clone(),
            format: format(spec),
            open: None,
            days: DayClock::default(),
            last_ms: None,
            tail: Vec::new(),
            without_start: 0,
        };
        lines.set_spec(spec);
        lines
    }

    pub(super) fn set_spec(&mut self, spec: &Arc<Spec>) {
        self.format = format(spec);
        let kind = LogKind::named(spec.kind);
        let source = AppSource {
            service: spec.service.clone(),
            usual_service: kind.and_then(|kind| kind.usual_service),
            copies: kind.is_some_and(|kind| kind.writes_copies),
        };
        self.normaliser.set_source(source);
        // A clock that began anew with every round would not know which pass of a repeated hour it is in.
        if self.spec.zone != spec.zone {
            self.normaliser.set_clock(LogClock::new(spec.zone.clone()));
        }
        self.spec = spec.clone();
        self.last_ms = None;
    }

    pub(super) fn relay(&self) -> String {
        self.spec.relay.clone().unwrap_or_default()
    }

    pub(super) fn is_inside(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn open(&mut self, log: &OpenLog) {
        self.tail.clear();
        let newest = log.state.span_ms.map(|span| span.1);
        if let Some(newest) = newest {
            self.normaliser.clock().goes_on_after(newest);
        }
        self.last_ms = newest.or(self.last_ms);
        self.days = match (newest, log.first_day) {
            (Some(ms), _) => DayClock::after(ms, &self.spec.zone),
            (None, Some(day)) => DayClock::at(day),
            (None, None) => DayClock::after(log.state.mtime_ms, &self.spec.zone),
        };
    }

    /// Takes the lines of a chunk; the log's position was `before` it.
    pub(super) fn chunk<R: Recall>(&mut self, context: &mut ParseContext<'_, R>, before: &Position, chunk: &Chunk) {
        let bytes = chunk.bytes();
        let index = |line: &[u8]| line.as_ptr() as usize - bytes.as_ptr() as usize;
        // The record in hand, as long as it lies within this chunk: offset, start, end, lines.
        let mut hand: Option<(u64, usize, usize, u64)> = None;
        for (offset, line) in chunk.lines() {
            let (from, to) = (index(line), index(line) + line.len());
            if self.format.starts(line) {
                self.without_start = 0;
                self.finish_open(context);
                if let Some(done) = hand.replace((offset, from, to, 1)) {
                    self.whole(context, &whole(bytes, done));
                }
            } else if let Some(why) = self.foreign(line) {
                // It belongs to no record, and ends the one before it.
                self.finish_open(context);
                if let Some(done) = hand.take() {
                    self.whole(context, &whole(bytes, done));
                }
                let outcome = context.unparsed(line, &why);
                context.accounting.count(outcome, line.len());
            } else if let Some(hand) = &mut hand {
                (hand.2, hand.3) = (to, hand.3 + 1);
            } else if let Some(open) = &mut self.open {
                open.add(line);
            } else {
                // What belongs to a record that nobody has seen tells nothing.
                context.accounting.count(LineOutcome::Ignored, line.len());
            }
        }
        match hand {
            Some(done) if self.format.is_one_line() => self.whole(context, &whole(bytes, done)),
            Some(hand) => self.keep((context.state.log_id, before), chunk, &whole(bytes, hand), hand.1),
            None => {}
        }
        self.remember_tail(chunk);
    }

    /// Why a line that begins no record does not belong to the one before either: else a log whose format changed
    /// altogether would be one endless record, and nobody would see it.
    fn foreign(&mut self, line: &[u8]) -> Option<String> {
        self.without_start += 1;
        if line.is_empty() {
            return None;
        }
        if begins_with_time(line) && !self.format.continues_dated(line) {
            return Some(match self.format.parse(line) {
                Err(reject) => why(&reject),
                Ok(_) => "a dated line that begins no record of this format".to_owned(),
            });
        }
        (self.without_start > CONTINUATION_LINES_MAX)
            .then(|| format!("over {CONTINUATION_LINES_MAX} lines in a row of which none begins a record"))
    }

    /// The last record of a chunk may go on in the next one.
    fn keep(
        &mut self,
        (log_id, before_chunk): (u64, &Position),
        chunk: &Chunk,
        record: &WholeRecord<'_>,
        start: usize,
    ) {
        let simple = chunk.gaps().is_empty();
        let before = simple.then(|| {
            let bytes = chunk.bytes();
            let mut near = self.tail.clone();
            near.extend_from_slice(&bytes[start.saturating_sub(TAIL_BYTES)..start]);
            let mut position = before_chunk.clone();
            let mark = ReadMark {
                offset: record.offset,
                tail: tail_hash(&near[near.len().saturating_sub(TAIL_BYTES)..]),
                partial_flushed: false,
            };
            let rungs: Vec<_> = chunk
                .rungs()
                .iter()
                .copied()
                .filter(|rung| rung.0 <= record.offset)
                .collect();
            position.advance(mark, &rungs);
            position
        });
        self.open = Some(UnfinishedRecord {
            log_id,
            offset: record.offset,
            text: record.text[..record.text.len().min(RECORD_BYTES_MAX)].to_vec(),
            lines: record.lines,
            bytes: record.bytes,
            before,
        });
    }

    fn remember_tail(&mut self, chunk: &Chunk) {
        let bytes = chunk.bytes();
        if bytes.len() >= TAIL_BYTES {
            self.tail.clear();
        }
        self.tail
            .extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]);
        let extra = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..extra);
    }

    /// Finishes the record that came from an earlier chunk or file.
    fn finish_open<R: Recall>(&mut self, context: &mut ParseContext<'_, R>) {
        let Some(open) = self.open.take() else { return };
        if context.state.log_id == open.log_id {
            self.whole(context, &open.whole());
        } else if self.finish_in_closed_log(&open, context.recall, context.accounting) {
            context.accounting.batch.set_log(context.state.log_id);
        }
    }

    /// The same where its first line stands in a file that is closed already; whether that is known.
    fn finish_in_closed_log<R: Recall>(
        &mut self,
        open: &UnfinishedRecord,
        recall: &mut R,
        accounting: &mut LineAccounting,
    ) -> bool {
        let mut closed = accounting.touched.iter();
        let Some(at) = closed.position(|state| state.log_id == open.log_id) else {
            return false;
        };
        let mut state = accounting.touched.swap_remove(at);
        accounting.batch.set_log(open.log_id);
        self.whole(&mut ParseContext::new(recall, accounting, &mut state), &open.whole());
        accounting.touched.push(state);
        true
    }

    fn whole<R: Recall>(&mut self, context: &mut ParseContext<'_, R>, whole: &WholeRecord<'_>) {
        let outcome = self.outcome(context, whole);
        context
            .accounting
            .count_lines(context.state, outcome, whole.lines, whole.bytes);
    }

    fn outcome<R: Recall>(&mut self, context: &mut ParseContext<'_, R>, whole: &WholeRecord<'_>) -> LineOutcome {
        let first_line = || {
            let end = memchr::memchr(b'\n', whole.text).unwrap_or(whole.text.len());
            &whole.text[..end]
        };
        let record = match self.format.parse(whole.text) {
            Ok(record) => record,
            Err(reject) => return context.unparsed(first_line(), &why(&reject)),
        };
        let (ts_ms, dated) = self.time(&record.time, context.state);
        if let Err(why) = context.at(ts_ms, whole.offset) {
            return context.unparsed(first_line(), why);
        }
        if dated {
            self.last_ms = Some(ts_ms);
        }
        context.odd(record.odd.as_ref());
        let placed = Placed {
            record: &record,
            text: whole.text,
            ts_ms,
            offset: whole.offset,
        };
        let batch = &mut context.accounting.batch;
        let event = self.normaliser.record(&placed, context.recall, batch);
        context.accounting.outcome(event)
    }

    /// The record's time, and whether it is its own.
    fn time(&mut self, time: &Time, state: &LogState) -> (UtcMs, bool) {
        let ts_ms = match time {
            Time::Full(stamp) => {
                let mut stamp = *stamp;
                with_year(&mut stamp, &self.spec, state.mtime_ms);
                self.normaliser.clock().utc_ms(&stamp)
            }
            Time::TimeOfDay(time) => {
                let stamp = self.days.stamp(time);
                self.normaliser.clock().utc_ms(&stamp)
            }
            Time::Undated => return (self.last_ms.unwrap_or(state.mtime_ms), false),
        };
        (ts_ms, true)
    }

    /// Finishes what is open, because everything read so far is about to be committed.
    pub(super) fn flush<R: Recall>(&mut self, context: &mut ParseContext<'_, R>) {
        self.finish_open(context);
    }

    /// The log of a program that may still be writing has been read: what it has not finished is read again. At rest, the
    /// next file of the family may go on with it.
    pub(super) fn close_live<R: Recall>(&mut self, recall: &mut R, accounting: &mut LineAccounting, log: &mut OpenLog) {
        let is_held_back = |open: &mut UnfinishedRecord| open.log_id == log.state.log_id && open.before.is_some();
        match self.open.take_if(is_held_back).and_then(|open| open.before) {
            Some(before) => log.position = before,
            None => self.finish_open(&mut ParseContext::new(recall, accounting, &mut log.state)),
        }
    }

    pub(super) fn finish<R: Recall>(&mut self, recall: &mut R, accounting: &mut LineAccounting) {
        if let Some(open) = self.open.take() {
            self.finish_in_closed_log(&open, recall, accounting);
        }
    }
}

impl UnfinishedRecord {
    fn whole(&self) -> WholeRecord<'_> {
        WholeRecord {
            offset: self.offset,
            text: &self.text,
            lines: self.lines,
            bytes: self.bytes,
        }
    }

    fn add(&mut self, line: &[u8]) {
        self.lines += 1;
        self.bytes += line.len() as u64 + 1;
        if self.text.len() + line.len() < RECORD_BYTES_MAX {
            self.text.push(b'\n');
            self.text.extend_from_slice(line);
        }
    }
}

fn whole(bytes: &[u8], (offset, from, to, lines): (u64, usize, usize, u64)) -> WholeRecord<'_> {
    WholeRecord {
        offset,
        text: &bytes[from..to],
        lines,
        bytes: (to - from) as u64 + 1,
    }
}

fn format(spec: &Spec) -> Arc<Format> {
    match &spec.grammar {
        Grammar::App(format) => format.clone(),
        Grammar::Exim | Grammar::Postfix => unreachable!("a job's logs are of one kind"),
    }
}
