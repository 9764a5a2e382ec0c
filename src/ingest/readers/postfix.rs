//! Postfix, in syslog's envelope or in the journal.

use super::context::{ParseContext, RawLine};
use super::mta::MtaLines;
use crate::ingest::accounting::{LineOutcome, why};
use crate::ingest::spec::Spec;
use crate::ingest::wrapping::{LineHead, Peeler, WrappingForm};
use crate::model::time::UtcMs;
use crate::normalise::clock::LogClock;
use crate::normalise::join::Recall;
use crate::normalise::messages::LineAt;
use crate::normalise::postfix::PostfixNormaliser;
use crate::normalise::repeats::refusal_key;
use crate::source::Chunk;
use mailpulse_parsers::Stamp;
use mailpulse_parsers::layers::Mta;
use mailpulse_parsers::postfix::{self, record::PostfixBody};
use mailpulse_parsers::syslog::{self, Envelope};
use std::sync::Arc;

/// Reads Postfix's lines.
#[derive(Debug)]
pub(crate) struct PostfixLines<'c> {
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

    pub(super) fn chunk<R: Recall>(&mut self, context: &mut ParseContext<'_, R>, form: &WrappingForm, chunk: &Chunk) {
        for (offset, bytes) in chunk.lines() {
            if let Some(outcome) = self.wrapped(context, form, RawLine { offset, bytes }) {
                context.accounting.count(outcome, bytes.len());
            }
        }
    }
}

impl MtaLines for PostfixLines<'_> {
    const MTA: Mta = Mta::Postfix;

    fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    fn peeler(&mut self) -> &mut Peeler {
        &mut self.peeler
    }

    #[inline]
    fn stamp_ms(&mut self, stamp: &Stamp) -> UtcMs {
        self.normaliser.utc_ms(stamp)
    }

    /// A container may be called as Postfix is: without a program behind the slash it is looked at more closely.
    #[inline]
    fn may_hold_more(envelope: &Envelope<'_>, _: &LineHead) -> bool {
        let is_own = postfix::is_postfix(envelope.tag) || postfix::is_mailscanner(envelope.tag);
        !is_own || envelope.tag == b"postfix"
    }

    fn own<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        line: RawLine<'_>,
        envelope: &Envelope<'_>,
    ) -> Option<LineOutcome> {
        let record = match postfix::parse(envelope.tag, envelope.rest) {
            Ok(record) => record,
            Err(reject) => return Some(context.unparsed(line.bytes, &why(&reject))),
        };
        let ts_ms = self.envelope_ms(envelope, context.state.mtime_ms);
        if let Err(why) = context.at(ts_ms, line.offset) {
            return Some(context.unparsed(line.bytes, why));
        }
        // A refusal names no message: it was written twice if the same process says the same in the same second.
        let recent = &mut self.normaliser.messages.join.recent;
        if record.queue_id.is_none()
            && matches!(record.body, PostfixBody::Rejection(_))
            && refusal_key(ts_ms, envelope).is_some_and(|refusal| {
                let lines = (line.offset, line.offset + line.bytes.len() as u64 + 1);
                recent.is_copied_refusal(refusal, lines, ts_ms)
            })
        {
            return Some(LineOutcome::Duplicate);
        }
        context.odd(record.odd.as_ref());
        let batch = &mut context.accounting.batch;
        let at = LineAt {
            ts_ms,
            offset: line.offset,
        };
        let event = self.normaliser.record(&record, at, context.recall, batch);
        Some(context.accounting.outcome(event))
    }

    fn foreground<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        line: RawLine<'_>,
        text: &[u8],
        _: Option<Stamp>,
    ) -> LineOutcome {
        Self::unknown(context, line, text)
    }

    fn unknown<R: Recall>(context: &mut ParseContext<'_, R>, line: RawLine<'_>, text: &[u8]) -> LineOutcome {
        match syslog::any_envelope(text) {
            Ok(_) => context.unparsed(line.bytes, "no line of Postfix"),
            Err(reject) => context.unparsed(line.bytes, &why(&reject)),
        }
    }
}
