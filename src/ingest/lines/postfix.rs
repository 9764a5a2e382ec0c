//! Postfix, in syslog's envelope or in the journal.

use super::super::desk::Outcome;
use super::super::digest::Bench;
use super::super::feed::OpenLog;
use super::super::kinds::{Format, Spec};
use super::super::shapes::why;
use super::{journal, with_year};
use crate::normalise::clock::LogClock;
use crate::normalise::join::Recall;
use crate::normalise::postfix::PostfixNormaliser;
use crate::source::Chunk;
use mailpulse_parsers::postfix;
use mailpulse_parsers::syslog::{self, Envelope};
use std::sync::Arc;

/// Reads Postfix's lines.
#[derive(Debug)]
pub struct PostfixLines<'c> {
    pub(super) normaliser: PostfixNormaliser<'c>,
    spec: Arc<Spec>,
}

impl<'c> PostfixLines<'c> {
    pub(super) fn new(normaliser: PostfixNormaliser<'c>, spec: &Arc<Spec>) -> Self {
        PostfixLines {
            normaliser,
            spec: spec.clone(),
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
                    Err(_) if line.is_empty() => Outcome::Ignored,
                    Err(reject) => bench.desk.unparsed(&log.state, line, &why(&reject)),
                },
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
        if !postfix::is_postfix(envelope.tag) {
            return Outcome::Ignored;
        }
        let record = match postfix::parse(envelope.tag, envelope.rest) {
            Ok(record) => record,
            Err(reject) => return bench.desk.unparsed(&log.state, line, &why(&reject)),
        };
        let mut stamp = envelope.stamp;
        with_year(&mut stamp, &self.spec, log.state.mtime_ms);
        let ts_ms = self.normaliser.utc_ms(&stamp);
        bench.desk.at(&mut log.state, ts_ms);
        if let Some(odd) = &record.odd {
            bench.desk.odd(&log.state, odd);
        }
        let event = self
            .normaliser
            .record(&record, ts_ms, offset, bench.recall, &mut bench.desk.batch);
        if event { Outcome::Event } else { Outcome::Ignored }
    }
}
