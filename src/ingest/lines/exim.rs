//! Exim's main log, in its own file, in syslog's envelope, or in the journal.

use super::super::desk::Outcome;
use super::super::digest::Bench;
use super::super::feed::OpenLog;
use super::super::kinds::{Format, Spec};
use super::super::shapes::why;
use super::foreground::Processes;
use super::peel::{Found, Peeler, TIMELESS, Trust, untrusted};
use super::split::{self, Piece, SplitLines};
use super::{journal, with_year};
use crate::normalise::clock::LogClock;
use crate::normalise::exim::EximNormaliser;
use crate::normalise::join::Recall;
use crate::normalise::repeats::refusal_key;
use crate::source::Chunk;
use crate::store::catalogue::LogState;
use mailpulse_parsers::exim::{
    self,
    record::{EximBody, EximRecord},
};
use mailpulse_parsers::layers::Mta;
use mailpulse_parsers::syslog::{self, Assembled, Envelope, Pushed};
use mailpulse_parsers::{Reject, Stamp};
use std::sync::Arc;

/// Reads Exim's lines.
#[derive(Debug)]
pub struct EximLines<'c> {
    pub(super) normaliser: EximNormaliser<'c>,
    spec: Arc<Spec>,
    pub(super) split: SplitLines,
    /// Logs of the family in hand that have been read as far as they go, if no program writes to the newest any more.
    at_rest: Vec<u64>,
    parser: exim::Parser,
    peeler: Peeler,
    processes: Processes,
}

impl<'c> EximLines<'c> {
    pub(super) fn new(normaliser: EximNormaliser<'c>, spec: &Arc<Spec>) -> Self {
        EximLines {
            normaliser,
            spec: spec.clone(),
            split: SplitLines::default(),
            at_rest: Vec::new(),
            parser: exim::Parser::default(),
            peeler: Peeler::default(),
            processes: Processes::default(),
        }
    }

    pub(super) fn set_spec(&mut self, spec: &Arc<Spec>) {
        if self.spec.zone != spec.zone {
            self.normaliser.set_clock(LogClock::new(spec.zone.clone()));
        }
        self.spec = spec.clone();
        self.at_rest.clear();
    }

    pub(super) fn chunk<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog, chunk: &Chunk) {
        let mut record = EximRecord::default();
        for (offset, line) in chunk.lines() {
            match log.format {
                Format::Plain => {
                    let outcome = match self.parser.parse(line, &mut record) {
                        Ok(()) => self.record(bench, &mut log.state, offset, line, &record),
                        Err(reject) => unparsed(bench, log, line, &reject),
                    };
                    bench.desk.count(outcome, line.len());
                }
                Format::Syslog => self.syslog_line(bench, log, offset, line),
                Format::Journal => self.journal_line(bench, log, offset, line),
                Format::Wrapped => {
                    if let Some(outcome) = self.unusual(bench, log, offset, line) {
                        bench.desk.count(outcome, line.len());
                    }
                }
            }
        }
    }

    #[inline]
    fn record<R: Recall>(
        &mut self,
        bench: &mut Bench<'_, R>,
        state: &mut LogState,
        offset: u64,
        line: &[u8],
        record: &EximRecord<'_>,
    ) -> Outcome {
        let ts_ms = self.normaliser.utc_ms(record);
        if let Err(why) = bench.desk.at(state, ts_ms, offset) {
            return bench.desk.unparsed(state, line, why);
        }
        if let Some(odd) = &record.odd {
            bench.desk.odd(state, odd);
        }
        let event = self
            .normaliser
            .record(record, ts_ms, offset, bench.recall, &mut bench.desk.batch);
        bench.desk.outcome(event)
    }

    /// A line in syslog's envelope. Exim splits what syslog would cut; the event has the offset of the last piece.
    fn syslog_line<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog, offset: u64, line: &[u8]) {
        let outcome = match syslog::envelope(line) {
            Ok(envelope) => self.enveloped(bench, log, offset, line, &envelope),
            Err(_) => self.unusual(bench, log, offset, line),
        };
        if let Some(outcome) = outcome {
            bench.desk.count(outcome, line.len());
        }
    }

    fn journal_line<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog, offset: u64, line: &[u8]) {
        let outcome = match journal::entry(line) {
            Ok(entry) => {
                let offset = entry.stand(bench.desk, log, offset);
                self.enveloped(bench, log, offset, line, &entry.envelope())
            }
            Err(why) => Some(bench.desk.unparsed(&log.state, line, &why)),
        };
        if let Some(outcome) = outcome {
            bench.desk.count(outcome, line.len());
        }
    }

    /// What became of the line; none if it is a piece of one, which is counted with all of its pieces.
    fn enveloped<R: Recall>(
        &mut self,
        bench: &mut Bench<'_, R>,
        log: &mut OpenLog,
        offset: u64,
        line: &[u8],
        envelope: &Envelope<'_>,
    ) -> Option<Outcome> {
        // Under a container's tag, or of one that is called as Exim is, there may be more to take off.
        if !Mta::Exim.owns(envelope.tag) || begins_with_head(envelope.rest) || log.head.foreground {
            let trust = Trust {
                spec: &self.spec.clone(),
                head: &log.head.clone(),
            };
            let found = Peeler::envelope(Mta::Exim, line, envelope, trust);
            return self.found(bench, log, offset, line, found);
        }
        self.own(bench, log, offset, line, envelope)
    }

    /// A line whose head is none of the usual ones.
    #[cold]
    fn unusual<R: Recall>(
        &mut self,
        bench: &mut Bench<'_, R>,
        log: &mut OpenLog,
        offset: u64,
        line: &[u8],
    ) -> Option<Outcome> {
        let mut peeler = std::mem::take(&mut self.peeler);
        let trust = Trust {
            spec: &self.spec.clone(),
            head: &log.head.clone(),
        };
        let outcome = peeler.line(Mta::Exim, line, trust, |found| {
            self.found(bench, log, offset, line, found)
        });
        self.peeler = peeler;
        outcome
    }

    fn found<R: Recall>(
        &mut self,
        bench: &mut Bench<'_, R>,
        log: &mut OpenLog,
        offset: u64,
        line: &[u8],
        found: Found<'_>,
    ) -> Option<Outcome> {
        Some(match found {
            Found::Own(envelope) => return self.own(bench, log, offset, line, &envelope),
            Found::Foreground(text, Some(stamp)) => self.foreground(bench, log, offset, text, stamp),
            Found::Foreground(_, None) => bench.desk.unparsed(&log.state, line, TIMELESS),
            Found::Foreign(envelope) => {
                // The log goes on, whoever writes.
                let ts_ms = self.envelope_ms(&envelope, &log.state);
                let _ = bench.desk.at(&mut log.state, ts_ms, offset);
                Outcome::Foreign
            }
            Found::Nothing(_) => Outcome::Ignored,
            Found::Untrusted(tag) => bench.desk.unparsed(&log.state, line, &untrusted(Mta::Exim, tag)),
            Found::Unknown(text) => match syslog::envelope(text) {
                Err(reject) => unparsed(bench, log, text, &reject),
                Ok(_) => bench.desk.unparsed(&log.state, line, "no line of Exim"),
            },
        })
    }

    /// A line of an Exim in the foreground, at the time that stands around it.
    fn foreground<R: Recall>(
        &mut self,
        bench: &mut Bench<'_, R>,
        log: &mut OpenLog,
        offset: u64,
        line: &[u8],
        mut stamp: Stamp,
    ) -> Outcome {
        let Some((pid, text)) = self.processes.text(line) else {
            return Outcome::Ignored;
        };
        with_year(&mut stamp, &self.spec, log.state.mtime_ms);
        let second = self.normaliser.stamp_ms(&stamp).div_euclid(1000);
        let mut whole = self
            .processes
            .id(text, pid, second, offset)
            .map_or_else(Vec::new, String::into_bytes);
        if !whole.is_empty() {
            whole.push(b' ');
        }
        whole.extend_from_slice(text);
        let envelope = Envelope {
            stamp,
            year_known: true,
            host: b"",
            tag: b"exim",
            pid,
            rest: &whole,
        };
        self.in_syslog(bench, &mut log.state, offset, text, &envelope)
    }

    /// A message that is Exim's.
    fn own<R: Recall>(
        &mut self,
        bench: &mut Bench<'_, R>,
        log: &mut OpenLog,
        offset: u64,
        line: &[u8],
        envelope: &Envelope<'_>,
    ) -> Option<Outcome> {
        let is_piece = syslog::split_marker(envelope.rest).is_some();
        if is_piece || !self.split.lines.is_empty() {
            let ts_ms = self.envelope_ms(envelope, &log.state);
            for lost in self.split.overdue(ts_ms) {
                self.joined(bench, &mut log.state, &lost);
            }
            if is_piece {
                self.piece(bench, log, envelope, (offset, line.len() as u64 + 1, ts_ms));
                return None;
            }
        }
        Some(self.in_syslog(bench, &mut log.state, offset, line, envelope))
    }

    fn envelope_ms(&mut self, envelope: &Envelope<'_>, state: &LogState) -> i64 {
        let mut stamp = envelope.stamp;
        with_year(&mut stamp, &self.spec, state.mtime_ms);
        self.normaliser.stamp_ms(&stamp)
    }

    /// Takes a piece of a line, with its offset, bytes and time.
    fn piece<R: Recall>(
        &mut self,
        bench: &mut Bench<'_, R>,
        log: &mut OpenLog,
        envelope: &Envelope<'_>,
        (offset, bytes, ts_ms): (u64, u64, i64),
    ) {
        let piece = Piece {
            log_id: bench.desk.batch.log_id().unwrap_or(log.state.log_id),
            offset,
            ts_ms,
            bytes,
        };
        self.split.changed = true;
        if let Pushed::Lines(lines) = self.split.lines.push(envelope, piece) {
            // Usually none (more pieces follow) or one; a second one is a line that was given up.
            for line in &lines {
                self.joined(bench, &mut log.state, line);
            }
        }
    }

    /// A split line that is whole again, or all that will be known of it: what is missing at its end is fields.
    fn joined<R: Recall>(&mut self, bench: &mut Bench<'_, R>, state: &mut LogState, line: &Assembled<Piece>) {
        const MISSING: &str = "a split line of syslog whose other pieces are missing";
        let Some(last) = line.pieces.last() else { return };
        let here = bench.desk.batch.log();
        bench.desk.batch.set_log(last.log_id);
        let mut outcome = if line.begins {
            self.in_syslog(bench, state, last.offset, &line.text, &split::envelope(line))
        } else {
            Outcome::Ignored
        };
        if !line.complete && outcome == Outcome::Ignored {
            outcome = bench.desk.unparsed(state, &line.text, MISSING);
        }
        bench.desk.batch.back_to_log(here);
        let bytes = line.pieces.iter().map(|piece| piece.bytes).sum();
        bench.desk.count_lines(state, outcome, line.pieces.len() as u64, bytes);
    }

    fn in_syslog<R: Recall>(
        &mut self,
        bench: &mut Bench<'_, R>,
        state: &mut LogState,
        offset: u64,
        line: &[u8],
        envelope: &Envelope<'_>,
    ) -> Outcome {
        match exim::parse_in_syslog(envelope) {
            Ok(mut record) => {
                with_year(&mut record.stamp, &self.spec, state.mtime_ms);
                if let (None, EximBody::Notice(notice)) = (record.id, &record.body)
                    && notice.kind.is_refusal()
                    && self.is_repeated(envelope, &record)
                {
                    return Outcome::Duplicate;
                }
                self.record(bench, state, offset, line, &record)
            }
            Err(reject) => bench.desk.unparsed(state, line, &why(&reject)),
        }
    }

    /// A refusal names no message: it was written twice if the same process says the same in the same second.
    fn is_repeated(&mut self, envelope: &Envelope<'_>, record: &EximRecord<'_>) -> bool {
        let refusal = refusal_key(self.normaliser.utc_ms(record), envelope);
        let recent = &mut self.normaliser.messages.join.recent;
        refusal.is_some_and(|refusal| !recent.is_new_refusal(refusal))
    }

    pub(super) fn close(&mut self, log: &mut OpenLog, live: bool) {
        match live {
            true => self.at_rest.clear(),
            false => self.at_rest.push(log.state.log_id),
        }
        // What waits for more of its line is looked at again, also if nothing more comes.
        let mut pieces = self.split.lines.pending().iter().flat_map(|open| &open.line.pieces);
        if pieces.any(|piece| piece.log_id == log.state.log_id) {
            log.position.complete = false;
        }
    }

    /// Nothing continues what is still open in logs at rest.
    pub(super) fn finish<R: Recall>(&mut self, bench: &mut Bench<'_, R>) {
        let at_rest = std::mem::take(&mut self.at_rest);
        if at_rest.is_empty() || self.split.lines.is_empty() {
            return;
        }
        // Counted where its last piece stands, or else in the newest of the logs that are closed now.
        let Some(mut newest) = bench.desk.touched.pop() else {
            return;
        };
        self.split.changed = true;
        let is_lost = |line: &Assembled<Piece>| line.pieces.last().is_none_or(|piece| at_rest.contains(&piece.log_id));
        for line in self.split.lines.give_up(is_lost) {
            let log_id = line.pieces.last().map_or(newest.log_id, |piece| piece.log_id);
            match bench.desk.touched.iter().position(|state| state.log_id == log_id) {
                Some(at) => {
                    let mut state = bench.desk.touched.swap_remove(at);
                    self.joined(bench, &mut state, &line);
                    bench.desk.touched.push(state);
                }
                None => self.joined(bench, &mut newest, &line),
            }
        }
        bench.desk.touched.push(newest);
    }
}

/// Whether a message may begin with a head of syslog, in which the time stands elsewhere than in Exim's own.
#[inline]
fn begins_with_head(text: &[u8]) -> bool {
    text.len() > 15 && ((text[9] == b':' && text[12] == b':') || (text[10] == b'T' && text[4] == b'-'))
}

/// What belongs to the line before (a wrapped panic, an empty line) tells nothing of its own.
fn unparsed<R: Recall>(bench: &mut Bench<'_, R>, log: &OpenLog, line: &[u8], reject: &Reject) -> Outcome {
    if exim::is_continuation(line) {
        return Outcome::Ignored;
    }
    bench.desk.unparsed(&log.state, line, &why(reject))
}
