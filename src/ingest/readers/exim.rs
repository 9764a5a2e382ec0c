//! Exim's main log, in its own file, in syslog's envelope, or in the journal.

use super::context::{ParseContext, RawLine};
use super::foreground::Processes;
use super::mta::MtaLines;
use super::split_lines::{self, SplitLines, SplitPiece};
use crate::ingest::accounting::{LineAccounting, LineOutcome, why};
use crate::ingest::open_log::OpenLog;
use crate::ingest::spec::Spec;
use crate::ingest::stamp_year::with_year;
use crate::ingest::wrapping::{LineHead, Peeler, TIMELESS, Wrapping, WrappingForm};
use crate::model::time::UtcMs;
use crate::normalise::clock::LogClock;
use crate::normalise::exim::EximNormaliser;
use crate::normalise::join::Recall;
use crate::normalise::messages::LineAt;
use crate::normalise::repeats::refusal_key;
use crate::source::Chunk;
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
pub(crate) struct EximLines<'c> {
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

    pub(super) fn chunk<R: Recall>(&mut self, context: &mut ParseContext<'_, R>, form: &WrappingForm, chunk: &Chunk) {
        let mut record = EximRecord::default();
        for (offset, bytes) in chunk.lines() {
            let line = RawLine { offset, bytes };
            let outcome = match form.wrapping {
                Wrapping::Plain => Some(match self.parser.parse(bytes, &mut record) {
                    Ok(()) => self.record(context, line, &record),
                    Err(reject) => unparsed(context, bytes, &reject),
                }),
                _ => self.wrapped(context, form, line),
            };
            if let Some(outcome) = outcome {
                context.accounting.count(outcome, bytes.len());
            }
        }
    }

    #[inline]
    fn record<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        line: RawLine<'_>,
        record: &EximRecord<'_>,
    ) -> LineOutcome {
        let ts_ms = self.normaliser.utc_ms(record);
        if let Err(why) = context.at(ts_ms, line.offset) {
            return context.unparsed(line.bytes, why);
        }
        context.odd(record.odd.as_ref());
        let batch = &mut context.accounting.batch;
        let at = LineAt {
            ts_ms,
            offset: line.offset,
        };
        let event = self.normaliser.record(record, at, context.recall, batch);
        context.accounting.outcome(event)
    }

    /// Takes a piece of a line.
    fn piece<R: Recall>(&mut self, context: &mut ParseContext<'_, R>, envelope: &Envelope<'_>, piece: SplitPiece) {
        self.split.changed = true;
        if let Pushed::Lines(lines) = self.split.lines.push(envelope, piece) {
            // Usually none (more pieces follow) or one; a second one is a line that was given up.
            for line in &lines {
                self.joined(context, line);
            }
        }
    }

    /// A split line that is whole again, or all that will be known of it: what is missing at its end is fields. Its event
    /// has the offset of the last piece.
    fn joined<R: Recall>(&mut self, context: &mut ParseContext<'_, R>, line: &Assembled<SplitPiece>) {
        const MISSING: &str = "a split line of syslog whose other pieces are missing";
        let Some(last) = line.pieces.last() else { return };
        let here = context.accounting.batch.log();
        context.accounting.batch.set_log(last.log_id);
        let mut outcome = if line.begins {
            let whole = RawLine {
                offset: last.offset,
                bytes: &line.text,
            };
            self.in_syslog(context, whole, &split_lines::envelope(line))
        } else {
            LineOutcome::Ignored
        };
        if !line.complete && outcome == LineOutcome::Ignored {
            outcome = context.unparsed(&line.text, MISSING);
        }
        context.accounting.batch.back_to_log(here);
        let bytes = line.pieces.iter().map(|piece| piece.bytes).sum();
        let lines = line.pieces.len() as u64;
        context.accounting.count_lines(context.state, outcome, lines, bytes);
    }

    fn in_syslog<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        line: RawLine<'_>,
        envelope: &Envelope<'_>,
    ) -> LineOutcome {
        match exim::parse_in_syslog(envelope) {
            Ok(mut record) => {
                with_year(&mut record.stamp, &self.spec, context.state.mtime_ms);
                if let (None, EximBody::Notice(notice)) = (record.id, &record.body)
                    && notice.kind.is_refusal()
                    && self.is_repeated(envelope, &record)
                {
                    return LineOutcome::Duplicate;
                }
                self.record(context, line, &record)
            }
            Err(reject) => context.unparsed(line.bytes, &why(&reject)),
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
    pub(super) fn finish<R: Recall>(&mut self, recall: &mut R, accounting: &mut LineAccounting) {
        let at_rest = std::mem::take(&mut self.at_rest);
        if at_rest.is_empty() || self.split.lines.is_empty() {
            return;
        }
        // Counted where its last piece stands, or else in the newest of the logs that are closed now.
        let Some(mut newest) = accounting.touched.pop() else {
            return;
        };
        self.split.changed = true;
        let is_lost =
            |line: &Assembled<SplitPiece>| line.pieces.last().is_none_or(|piece| at_rest.contains(&piece.log_id));
        for line in self.split.lines.give_up(is_lost) {
            let log_id = line.pieces.last().map_or(newest.log_id, |piece| piece.log_id);
            match accounting.touched.iter().position(|state| state.log_id == log_id) {
                Some(at) => {
                    let mut state = accounting.touched.swap_remove(at);
                    self.joined(&mut ParseContext::new(recall, accounting, &mut state), &line);
                    accounting.touched.push(state);
                }
                None => self.joined(&mut ParseContext::new(recall, accounting, &mut newest), &line),
            }
        }
        accounting.touched.push(newest);
    }
}

impl MtaLines for EximLines<'_> {
    const MTA: Mta = Mta::Exim;

    fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    fn peeler(&mut self) -> &mut Peeler {
        &mut self.peeler
    }

    fn stamp_ms(&mut self, stamp: &Stamp) -> UtcMs {
        self.normaliser.stamp_ms(stamp)
    }

    /// Under a container's tag, or of one that is called as Exim is, there may be more to take off.
    #[inline]
    fn may_hold_more(envelope: &Envelope<'_>, head: &LineHead) -> bool {
        !Mta::Exim.owns(envelope.tag) || begins_with_head(envelope.rest) || head.foreground
    }

    /// Exim splits what syslog would cut.
    fn own<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        line: RawLine<'_>,
        envelope: &Envelope<'_>,
    ) -> Option<LineOutcome> {
        let is_piece = syslog::split_marker(envelope.rest).is_some();
        if is_piece || !self.split.lines.is_empty() {
            let ts_ms = self.envelope_ms(envelope, context.state.mtime_ms);
            for lost in self.split.overdue(ts_ms) {
                self.joined(context, &lost);
            }
            if is_piece {
                let piece = SplitPiece {
                    log_id: context.accounting.batch.log_id().unwrap_or(context.state.log_id),
                    offset: line.offset,
                    ts_ms,
                    bytes: line.bytes.len() as u64 + 1,
                };
                self.piece(context, envelope, piece);
                return None;
            }
        }
        Some(self.in_syslog(context, line, envelope))
    }

    /// A line of an Exim in the foreground, at the time that stands around it.
    fn foreground<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        line: RawLine<'_>,
        text: &[u8],
        stamp: Option<Stamp>,
    ) -> LineOutcome {
        let Some(mut stamp) = stamp else {
            return context.unparsed(line.bytes, TIMELESS);
        };
        let Some((pid, text)) = self.processes.text(text) else {
            return LineOutcome::Ignored;
        };
        with_year(&mut stamp, &self.spec, context.state.mtime_ms);
        let second = self.normaliser.stamp_ms(&stamp).second();
        let mut whole = self
            .processes
            .id(text, pid, second.get(), line.offset)
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
        self.in_syslog(context, RawLine { bytes: text, ..line }, &envelope)
    }

    fn unknown<R: Recall>(context: &mut ParseContext<'_, R>, line: RawLine<'_>, text: &[u8]) -> LineOutcome {
        match syslog::envelope(text) {
            Err(reject) => unparsed(context, text, &reject),
            Ok(_) => context.unparsed(line.bytes, "no line of Exim"),
        }
    }
}

/// Whether a message may begin with a head of syslog, in which the time stands elsewhere than in Exim's own.
#[inline]
fn begins_with_head(text: &[u8]) -> bool {
    text.len() > 15 && ((text[9] == b':' && text[12] == b':') || (text[10] == b'T' && text[4] == b'-'))
}

/// What belongs to the line before (a wrapped panic, an empty line) tells nothing of its own.
fn unparsed<R: Recall>(context: &mut ParseContext<'_, R>, line: &[u8], reject: &Reject) -> LineOutcome {
    if exim::is_continuation(line) {
        return LineOutcome::Ignored;
    }
    context.unparsed(line, &why(reject))
}
