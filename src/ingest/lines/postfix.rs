//! Postfix, in syslog's envelope or in the journal.

use super::super::desk::Outcome;
use super::super::digest::Bench;
use super::super::feed::OpenLog;
use super::super::kinds::{Format, Spec};
use super::super::shapes::why;
use super::peel::{Found, Peeler, Trust, untrusted};
use super::{journal, with_year};
use crate::normalise::clock::LogClock;
use crate::normalise::join::Recall;
use crate::normalise::postfix::PostfixNormaliser;
use crate::normalise::repeats::refusal_key;
use crate::source::Chunk;
use mailpulse_parsers::layers::Mta;
use mailpulse_parsers::postfix::{self, record::PostfixBody};
use mailpulse_parsers::syslog::{self, Envelope};
use std::sync::Arc;

/// Reads Postfix's lines.
#[derive(Debug)]
pub struct PostfixLines<'c> {
    pub(super) normaliser: PostfixNormaliser<'c>,
    spec: Arc<Spec>,
    peeler: Peeler,
}

impl<'c> PostfixLines<'c> {
    pub(super) fn new(normaliser: PostfixNormaliser<'c>, spec: &Arc<Spec>) -> Self {
        PostfixLines {
            normaliser,
            spec: spec.clone(),
            peeler: Peeler::default(),
        }
    }

    pub(super) fn set_spec(&mut self, spec: &Arc<Spec>) {
        if self.spec.zone != spec.zone {
            self.normaliser.set_clock(LogClock::new(spec.zone.clone()));
        }
        self.spec = spec.clone();
    }

    pub(super) fn chunk<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog, chunk: &Chunk) {
        for (offset, line) in chunk.lines() {
            let outcome = match log.format {
                Format::Journal => match journal::entry(line) {
                    Ok(entry) => {
                        let offset = entry.stand(bench.desk, log, offset);
                        self.enveloped(bench, log, offset, line, &entry.envelope())
                    }
                    Err(why) => bench.desk.unparsed(&log.state, line, &why),
                },
                Format::Plain | Format::Syslog => match syslog::envelope(line) {
                    Ok(envelope) => self.enveloped(bench, log, offset, line, &envelope),
                    Err(_) => self.unusual(bench, log, offset, line),
                },
                Format::Wrapped => self.unusual(bench, log, offset, line),
            };
            bench.desk.count(outcome, line.len());
        }
    }

    fn enveloped<R: Recall>(
        &mut self,
        bench: &mut Bench<'_, R>,
        log: &mut OpenLog,
        offset: u64,
        line: &[u8],
        envelope: &Envelope<'_>,
    ) -> Outcome {
        // A container may be called as Postfix is: without a program behind the slash it is looked at more closely.
        if !postfix::is_postfix(envelope.tag) || envelope.tag == b"postfix" {
            let trust = Trust {
                spec: &self.spec.clone(),
                head: &log.head.clone(),
            };
            let found = Peeler::envelope(Mta::Postfix, line, envelope, trust);
            return self.found(bench, log, offset, line, found);
        }
        self.own(bench, log, offset, line, envelope)
    }

    /// A line whose head is none of the usual ones.
    #[cold]
    fn unusual<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog, offset: u64, line: &[u8]) -> Outcome {
        let mut peeler = std::mem::take(&mut self.peeler);
        let trust = Trust {
            spec: &self.spec.clone(),
            head: &log.head.clone(),
        };
        let outcome = peeler.line(Mta::Postfix, line, trust, |found| {
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
    ) -> Outcome {
        match found {
            Found::Own(envelope) => self.own(bench, log, offset, line, &envelope),
            Found::Foreign(envelope) => {
                // The log goes on, whoever writes.
                let ts_ms = self.envelope_ms(&envelope, log);
                let _ = bench.desk.at(&mut log.state, ts_ms, offset);
                Outcome::Foreign
            }
            Found::Nothing(_) => Outcome::Ignored,
            Found::Untrusted(tag) => bench.desk.unparsed(&log.state, line, &untrusted(Mta::Postfix, tag)),
            Found::Unknown(text) | Found::Foreground(text, _) => match syslog::any_envelope(text) {
                Ok(_) => bench.desk.unparsed(&log.state, line, "no line of Postfix"),
                Err(reject) => bench.desk.unparsed(&log.state, line, &why(&reject)),
            },
        }
    }

    fn own<R: Recall>(
        &mut self,
        bench: &mut Bench<'_, R>,
        log: &mut OpenLog,
        offset: u64,
        line: &[u8],
        envelope: &Envelope<'_>,
    ) -> Outcome {
        let record = match postfix::parse(envelope.tag, envelope.rest) {
            Ok(record) => record,
            Err(reject) => return bench.desk.unparsed(&log.state, line, &why(&reject)),
        };
        let ts_ms = self.envelope_ms(envelope, log);
        if let Err(why) = bench.desk.at(&mut log.state, ts_ms, offset) {
            return bench.desk.unparsed(&log.state, line, why);
        }
        // A refusal names no message: it was written twice if the same process says the same in the same second.
        let recent = &mut self.normaliser.messages.join.recent;
        if record.queue_id.is_none()
            && matches!(record.body, PostfixBody::Rejection(_))
            && refusal_key(ts_ms, envelope).is_some_and(|refusal| {
                let lines = (offset, offset + line.len() as u64 + 1);
                recent.is_copied_refusal(refusal, lines, ts_ms)
            })
        {
            return Outcome::Duplicate;
        }
        if let Some(odd) = &record.odd {
            bench.desk.odd(&log.state, odd);
        }
        let event = self
            .normaliser
            .record(&record, ts_ms, offset, bench.recall, &mut bench.desk.batch);
        bench.desk.outcome(event)
    }

    #[inline]
    fn envelope_ms(&mut self, envelope: &Envelope<'_>, log: &OpenLog) -> i64 {
        let mut stamp = envelope.stamp;
        with_year(&mut stamp, &self.spec, log.state.mtime_ms);
        self.normaliser.utc_ms(&stamp)
    }
}
