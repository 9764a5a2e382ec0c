//! Applications' logs. A record is its first line and the lines that belong to it (a stack trace, a message's text),
//! also across chunks and across a rotation; it is counted and stored when it is finished, under its first line.
//!
//! A record at the end of a log that is still being written is not finished: the log's position then stays before it,
//! and the next run reads it again, whole.

use super::super::desk::Outcome;
use super::super::digest::Bench;
use super::super::feed::OpenLog;
use super::super::kinds::{Spec, Way, usual_service, writes_copies};
use super::super::shapes::why;
use super::with_year;
use crate::normalise::app::{AppNormaliser, AppSource, Placed};
use crate::normalise::clock::{DayClock, LogClock};
use crate::normalise::join::Recall;
use crate::source::Chunk;
use crate::source::identity::{Mark, Position, TAIL_BYTES, tail_hash};
use crate::store::catalogue::LogState;
use mailpulse_parsers::app::{Format, Time};
use std::sync::Arc;

/// What is kept of a record: a stack trace of that length says no more in its rest.
const RECORD_BYTES_MAX: usize = 64 << 10;
/// Lines without a start in a row. What goes on beyond that is no trace: the log's format has changed.
const CONTINUATION_LINES_MAX: u64 = 2000;

/// A record whose end has not been read yet.
#[derive(Debug)]
struct Open {
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
pub struct AppLines<'c> {
    pub(super) normaliser: AppNormaliser<'c>,
    spec: Arc<Spec>,
    format: Arc<Format>,
    open: Option<Open>,
    days: DayClock,
    /// Time of the newest dated record: that of undated ones.
    last_ms: Option<i64>,
    /// The last bytes before the chunk in hand.
    tail: Vec<u8>,
    /// Lines since the last one that began a record.
    without_start: u64,
}

/// A record that is finished: where it stands and what it says.
struct Whole<'r> {
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
        let source = AppSource {
            service: spec.service.clone(),
            usual_service: usual_service(spec.kind),
            copies: writes_copies(spec.kind),
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

    pub(super) fn chunk<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog, chunk: &Chunk) {
        let bytes = chunk.bytes();
        let index = |line: &[u8]| line.as_ptr() as usize - bytes.as_ptr() as usize;
        // The record in hand, as long as it lies within this chunk: offset, start, end, lines.
        let mut hand: Option<(u64, usize, usize, u64)> = None;
        for (offset, line) in chunk.lines() {
            let (from, to) = (index(line), index(line) + line.len());
            if self.format.starts(line) {
                self.without_start = 0;
                self.finish_open(bench, Some(log));
                if let Some(done) = hand.replace((offset, from, to, 1)) {
                    self.whole(bench, &mut log.state, &whole(bytes, done));
                }
            } else if let Some(why) = self.foreign(line) {
                // It belongs to no record, and ends the one before it.
                self.finish_open(bench, Some(log));
                if let Some(done) = hand.take() {
                    self.whole(bench, &mut log.state, &whole(bytes, done));
                }
                let outcome = bench.desk.unparsed(&log.state, line, &why);
                bench.desk.count(outcome, line.len());
            } else if let Some(hand) = &mut hand {
                (hand.2, hand.3) = (to, hand.3 + 1);
            } else if let Some(open) = &mut self.open {
                open.add(line);
            } else {
                // What belongs to a record that nobody has seen tells nothing.
                bench.desk.count(Outcome::Ignored, line.len());
            }
        }
        match hand {
            Some(done) if self.format.is_one_line() => self.whole(bench, &mut log.state, &whole(bytes, done)),
            Some(hand) => self.keep(log, chunk, &whole(bytes, hand), hand.1),
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
    fn keep(&mut self, log: &OpenLog, chunk: &Chunk, record: &Whole<'_>, start: usize) {
        let simple = chunk.gaps().is_empty();
        let before = simple.then(|| {
            let bytes = chunk.bytes();
            let mut near = self.tail.clone();
            near.extend_from_slice(&bytes[start.saturating_sub(TAIL_BYTES)..start]);
            let mut position = log.position.clone();
            let mark = Mark {
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
        self.open = Some(Open {
            log_id: log.state.log_id,
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
    fn finish_open<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: Option<&mut OpenLog>) {
        let Some(open) = self.open.take() else { return };
        let record = Whole {
            offset: open.offset,
            text: &open.text,
            lines: open.lines,
            bytes: open.bytes,
        };
        match log {
            Some(log) if log.state.log_id == open.log_id => self.whole(bench, &mut log.state, &record),
            log => {
                // The first line stands in a file that is closed already.
                let Some(at) = bench.desk.touched.iter().position(|state| state.log_id == open.log_id) else {
                    return;
                };
                let mut state = bench.desk.touched.swap_remove(at);
                bench.desk.batch.set_log(open.log_id);
                self.whole(bench, &mut state, &record);
                bench.desk.touched.push(state);
                if let Some(log) = log {
                    bench.desk.batch.set_log(log.state.log_id);
                }
            }
        }
    }

    fn whole<R: Recall>(&mut self, bench: &mut Bench<'_, R>, state: &mut LogState, whole: &Whole<'_>) {
        let outcome = match self.format.parse(whole.text) {
            Ok(record) => 'told: {
                let (ts_ms, dated) = self.time(&record.time, state);
                if let Err(why) = bench.desk.at(state, ts_ms, whole.offset) {
                    let first = memchr::memchr(b'\n', whole.text).unwrap_or(whole.text.len());
                    break 'told bench.desk.unparsed(state, &whole.text[..first], why);
                }
                if dated {
                    self.last_ms = Some(ts_ms);
                }
                if let Some(odd) = &record.odd {
                    bench.desk.odd(state, odd);
                }
                let placed = Placed {
                    record: &record,
                    text: whole.text,
                    ts_ms,
                    offset: whole.offset,
                };
                let event = self.normaliser.record(&placed, bench.recall, &mut bench.desk.batch);
                bench.desk.outcome(event)
            }
            Err(reject) => {
                let first = memchr::memchr(b'\n', whole.text).unwrap_or(whole.text.len());
                bench.desk.unparsed(state, &whole.text[..first], &why(&reject))
            }
        };
        bench.desk.count_lines(state, outcome, whole.lines, whole.bytes);
    }

    /// The record's time, and whether it is its own.
    fn time(&mut self, time: &Time, state: &LogState) -> (i64, bool) {
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
    pub(super) fn flush<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog) {
        self.finish_open(bench, Some(log));
    }

    pub(super) fn close<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog, live: bool) {
        if !live {
            // The next file of the family may go on with it.
            return;
        }
        match self
            .open
            .take_if(|open| open.log_id == log.state.log_id && open.before.is_some())
        {
            Some(open) => {
                if let Some(before) = open.before {
                    log.position = before;
                }
            }
            None => self.finish_open(bench, Some(log)),
        }
    }

    pub(super) fn finish<R: Recall>(&mut self, bench: &mut Bench<'_, R>) {
        self.finish_open(bench, None);
    }
}

impl Open {
    fn add(&mut self, line: &[u8]) {
        self.lines += 1;
        self.bytes += line.len() as u64 + 1;
        if self.text.len() + line.len() < RECORD_BYTES_MAX {
            self.text.push(b'\n');
            self.text.extend_from_slice(line);
        }
    }
}

fn whole(bytes: &[u8], (offset, from, to, lines): (u64, usize, usize, u64)) -> Whole<'_> {
    Whole {
        offset,
        text: &bytes[from..to],
        lines,
        bytes: (to - from) as u64 + 1,
    }
}

/// Whether a line begins with a date or a time of its own, in whatever form: before the time of day stand only parts of
/// a date, a bracket, a syslog priority or a level. JSON may name its time anywhere near its start. A header line of a
/// mail (`Date: …`) and an indented line do not.
pub(crate) fn begins_with_time(line: &[u8]) -> bool {
    let time_at = |head: &[u8]| {
        head.windows(8).position(
            |part| matches!(part, [a, b, b':', c, d, b':', e, f] if [a, b, c, d, e, f].iter().all(|n| n.is_ascii_digit())),
        )
    };
    if line.starts_with(b"{\"") {
        return time_at(&line[..line.len().min(200)]).is_some();
    }
    if line.first().is_none_or(u8::is_ascii_whitespace) {
        return false;
    }
    time_at(&line[..line.len().min(48)])
        .is_some_and(|at| line[..at].split(|b| !b.is_ascii_alphanumeric()).all(is_of_date))
        && !line.starts_with(b":")
}

/// Part of a date, or the level before one: `2018`, `Jun`, `T`, `06T`, `ERROR`, `E0606`.
fn is_of_date(word: &[u8]) -> bool {
    const NAMES: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDecMonTueWedThuFriSatSun";
    let upper = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    (word.len() <= 8 && word.iter().all(upper)) || NAMES.chunks(3).any(|name| name == word)
}

fn format(spec: &Spec) -> Arc<Format> {
    match &spec.way {
        Way::App(format) => format.clone(),
        Way::Exim | Way::Postfix => unreachable!("a job's logs are of one kind"),
    }
}

#[cfg(test)]
mod tests {
    use super::begins_with_time;

    #[test]
    fn what_begins_with_a_time() {
        for line in [
            "2018-06-06 19:02:11 x",
            "[2018-06-06T19:02:11.123Z] x",
            "[06/Jun/2018 19:02:11 +0000] x",
            "Jun  6 19:02:11 host x",
            "Wed Jun  6 19:02:11 2018 x",
            "<22>1 2018-06-06T19:02:11Z x",
            "ERROR 2018-06-06 19:02:11 x",
            "E0606 19:02:11.123 x",
            "19:02:11 x",
            r#"{"level":"error","ts":"2018-06-06T19:02:11Z"}"#,
        ] {
            assert!(begins_with_time(line.as_bytes()), "{line}");
        }
        for line in [
            "",
            "Date: Wed, 06 Jun 2018 19:02:11 +0000",
            "Received: from x; Wed, 06 Jun 2018 19:02:11",
            "\tat 2018-06-06 19:02:11",
            "Caused by: it was 19:02:11",
            "the mail of 2018-06-06 19:02:11",
            "2018-06-06",
            "{\"a\":1}",
        ] {
            assert!(!begins_with_time(line.as_bytes()), "{line}");
        }
    }
}
