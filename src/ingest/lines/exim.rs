//! Exim's main log, in its own file, in syslog's envelope, or in the journal.

use super::super::desk::Outcome;
use super::super::digest::Bench;
use super::super::feed::OpenLog;
use super::super::kinds::{Format, Spec};
use super::super::shapes::why;
use super::{journal, with_year};
use crate::normalise::clock::LogClock;
use crate::normalise::exim::EximNormaliser;
use crate::normalise::join::Recall;
use crate::source::Chunk;
use mailpulse_parsers::Reject;
use mailpulse_parsers::exim::{self, record::Record};
use mailpulse_parsers::syslog::{self, Envelope, Pushed, Reassembler};
use std::sync::Arc;

/// Reads Exim's lines.
#[derive(Debug)]
pub struct EximLines<'c> {
    pub(super) normaliser: EximNormaliser<'c>,
    spec: Arc<Spec>,
    reassembler: Reassembler,
    parser: exim::Parser,
}

impl<'c> EximLines<'c> {
    pub(super) fn new(normaliser: EximNormaliser<'c>, spec: &Arc<Spec>) -> Self {
        EximLines {
            normaliser,
            spec: spec.clone(),
            reassembler: Reassembler::default(),
            parser: exim::Parser::default(),
        }
    }

    pub(super) fn set_spec(&mut self, spec: &Arc<Spec>) {
        if self.spec.zone != spec.zone {
            self.normaliser.set_clock(LogClock::new(spec.zone.clone()));
        }
        self.spec = spec.clone();
    }

    /// Pieces of a split line wait for the others.
    pub(super) fn is_inside(&self) -> bool {
        !self.reassembler.is_empty()
    }

    pub(super) fn chunk<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog, chunk: &Chunk) {
        let mut record = Record::default();
        for (offset, line) in chunk.lines() {
            match log.format {
                Format::Plain => {
                    let outcome = match self.parser.parse(line, &mut record) {
                        Ok(()) => self.record(bench, log, offset, &record),
                        Err(reject) => unparsed(bench, log, line, &reject),
                    };
                    bench.desk.count(outcome, line.len());
                }
                Format::Syslog => self.syslog_line(bench, log, offset, line),
                Format::Journal => self.journal_line(bench, log, offset, line),
            }
        }
    }

    #[inline]
    fn record<R: Recall>(
        &mut self,
        bench: &mut Bench<'_, R>,
        log: &mut OpenLog,
        offset: u64,
        record: &Record<'_>,
    ) -> Outcome {
        let ts_ms = self.normaliser.utc_ms(record);
        bench.desk.at(&mut log.state, ts_ms);
        let event = self
            .normaliser
            .record(record, ts_ms, offset, bench.recall, &mut bench.desk.batch);
        if event { Outcome::Event } else { Outcome::Ignored }
    }

    /// A line in syslog's envelope. Exim splits what syslog would cut; the event has the offset of the last part.
    fn syslog_line<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog, offset: u64, line: &[u8]) {
        let outcome = match syslog::envelope(line) {
            Ok(envelope) => self.enveloped(bench, log, offset, line, &envelope),
            Err(reject) => bench.desk.unparsed(&log.state, line, &why(&reject)),
        };
        bench.desk.count(outcome, line.len());
    }

    fn journal_line<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog, offset: u64, line: &[u8]) {
        let outcome = match journal::entry(line) {
            Ok(entry) => {
                let offset = entry.stand(bench.desk, log, offset);
                self.enveloped(bench, log, offset, line, &entry.envelope())
            }
            Err(why) => bench.desk.unparsed(&log.state, line, &why),
        };
        bench.desk.count(outcome, line.len());
    }

    fn enveloped<R: Recall>(
        &mut self,
        bench: &mut Bench<'_, R>,
        log: &mut OpenLog,
        offset: u64,
        line: &[u8],
        envelope: &Envelope<'_>,
    ) -> Outcome {
        if !envelope.tag.starts_with(b"exim") {
            return Outcome::Ignored;
        }
        match self.reassembler.push(envelope) {
            Pushed::Whole(_) => self.in_syslog(bench, log, offset, line, envelope),
            Pushed::Lines(lines) => {
                // Usually none (more pieces follow) or one; a second one is a line that was given up.
                let mut outcome = Outcome::Ignored;
                for whole in &lines {
                    let joined = Envelope {
                        rest: &whole.text,
                        ..*envelope
                    };
                    outcome = self.in_syslog(bench, log, offset, &whole.text, &joined);
                }
                outcome
            }
        }
    }

    fn in_syslog<R: Recall>(
        &mut self,
        bench: &mut Bench<'_, R>,
        log: &mut OpenLog,
        offset: u64,
        line: &[u8],
        envelope: &Envelope<'_>,
    ) -> Outcome {
        match exim::parse_in_syslog(envelope) {
            Ok(mut record) => {
                with_year(&mut record.stamp, &self.spec, log.state.mtime_ms);
                self.record(bench, log, offset, &record)
            }
            Err(reject) => bench.desk.unparsed(&log.state, line, &why(&reject)),
        }
    }

    pub(super) fn close<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog) {
        for rest in self.reassembler.finish() {
            let why = "a split line of syslog whose other pieces are missing";
            bench.desk.unparsed(&log.state, &rest.text, why);
        }
    }
}

/// What belongs to the line before (a wrapped panic, an empty line) tells nothing of its own.
fn unparsed<R: Recall>(bench: &mut Bench<'_, R>, log: &OpenLog, line: &[u8], reject: &Reject) -> Outcome {
    if exim::is_continuation(line) {
        return Outcome::Ignored;
    }
    bench.desk.unparsed(&log.state, line, &why(reject))
}
