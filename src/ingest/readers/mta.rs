//! What the readers of mail servers' logs share: whose a line is, whatever it is wrapped in.

use super::context::{ParseContext, RawLine};
use crate::ingest::accounting::{LineAccounting, LineOutcome};
use crate::ingest::journal_position::sequence_id;
use crate::ingest::spec::Spec;
use crate::ingest::stamp_year::with_year;
use crate::ingest::wrapping::{JournalEntry, LineContent, LineHead, Peeler, Trust, Wrapping, WrappingForm, untrusted};
use crate::model::time::UtcMs;
use crate::normalise::join::Recall;
use mailpulse_parsers::Stamp;
use mailpulse_parsers::layers::Mta;
use mailpulse_parsers::syslog::{self, Envelope};
use std::sync::Arc;

/// A mail server's lines in envelopes and wrappers. `None` for the outcome of a line means that it is a piece of one, which
/// is counted with all of its pieces.
pub(super) trait MtaLines {
    /// Which mail server.
    const MTA: Mta;

    /// How the log is read.
    fn spec(&self) -> &Arc<Spec>;

    /// What keeps the beginnings of lines that a runtime has cut.
    fn peeler(&mut self) -> &mut Peeler;

    /// A stamp as UTC milliseconds.
    fn stamp_ms(&mut self, stamp: &Stamp) -> UtcMs;

    /// Whether there may be more to take off than this envelope.
    fn may_hold_more(envelope: &Envelope<'_>, head: &LineHead) -> bool;

    /// A message of the mail server.
    fn own<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        line: RawLine<'_>,
        envelope: &Envelope<'_>,
    ) -> Option<LineOutcome>;

    /// What an Exim in the foreground printed in a line, and the time that stands around it.
    fn foreground<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        line: RawLine<'_>,
        text: &[u8],
        stamp: Option<Stamp>,
    ) -> LineOutcome;

    /// A text in no head that is known.
    fn unknown<R: Recall>(context: &mut ParseContext<'_, R>, line: RawLine<'_>, text: &[u8]) -> LineOutcome;

    /// A line that is wrapped as its log's are.
    #[inline]
    fn wrapped<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        form: &WrappingForm,
        line: RawLine<'_>,
    ) -> Option<LineOutcome> {
        match form.wrapping {
            Wrapping::Plain | Wrapping::Syslog => match syslog::envelope(line.bytes) {
                Ok(envelope) => self.enveloped(context, &form.head, line, &envelope),
                Err(_) => self.unusual(context, &form.head, line),
            },
            Wrapping::Journal => match JournalEntry::parse(line.bytes) {
                Ok(entry) => {
                    let offset = stand(&entry, context.accounting, context.state.log_id, line.offset);
                    let line = RawLine { offset, ..line };
                    self.enveloped(context, &form.head, line, &entry.envelope())
                }
                Err(why) => Some(context.unparsed(line.bytes, &why)),
            },
            Wrapping::Container => self.unusual(context, &form.head, line),
        }
    }

    /// The same of a line whose envelope is known, if it has a usual one.
    #[inline]
    fn wrapped_in<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        form: &WrappingForm,
        line: RawLine<'_>,
        envelope: Option<&Envelope<'_>>,
    ) -> Option<LineOutcome> {
        match envelope {
            Some(envelope) => self.enveloped(context, &form.head, line, envelope),
            None => self.wrapped(context, form, line),
        }
    }

    /// A line in an envelope of syslog.
    #[inline]
    fn enveloped<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        head: &LineHead,
        line: RawLine<'_>,
        envelope: &Envelope<'_>,
    ) -> Option<LineOutcome> {
        if Self::may_hold_more(envelope, head) {
            let spec = Arc::clone(self.spec());
            let content = Peeler::envelope(Self::MTA, line.bytes, envelope, Trust { spec: &spec, head });
            return self.content(context, line, content);
        }
        self.own(context, line, envelope)
    }

    /// A line whose head is none of the usual ones.
    #[cold]
    fn unusual<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        head: &LineHead,
        line: RawLine<'_>,
    ) -> Option<LineOutcome> {
        let spec = Arc::clone(self.spec());
        let mut peeler = std::mem::take(self.peeler());
        let outcome = peeler.line(Self::MTA, line.bytes, Trust { spec: &spec, head }, |content| {
            self.content(context, line, content)
        });
        *self.peeler() = peeler;
        outcome
    }

    /// What was found in a line.
    fn content<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        line: RawLine<'_>,
        content: LineContent<'_>,
    ) -> Option<LineOutcome> {
        Some(match content {
            LineContent::Own(envelope) => return self.own(context, line, &envelope),
            LineContent::Foreground(text, stamp) => self.foreground(context, line, text, stamp),
            LineContent::Foreign(envelope) => {
                // The log goes on, whoever writes.
                let ts_ms = self.envelope_ms(&envelope, context.state.mtime_ms);
                let _ = context.at(ts_ms, line.offset);
                LineOutcome::Foreign
            }
            LineContent::Nothing(_) => LineOutcome::Ignored,
            LineContent::Untrusted(tag) => context.unparsed(line.bytes, &untrusted(Self::MTA, tag)),
            LineContent::Unknown(text) => Self::unknown(context, line, text),
        })
    }

    /// The time of an envelope, in a file of `mtime_ms`.
    #[inline]
    fn envelope_ms(&mut self, envelope: &Envelope<'_>, mtime_ms: UtcMs) -> UtcMs {
        let mut stamp = envelope.stamp;
        with_year(&mut stamp, self.spec(), mtime_ms);
        self.stamp_ms(&stamp)
    }
}

/// Where an entry's event stands: in the log that the sequence is, whatever file or pipe the entry came out of. Without a
/// cursor it stays at `offset` of the log in hand.
fn stand(entry: &JournalEntry, accounting: &mut LineAccounting, log_id: u64, offset: u64) -> u64 {
    let Some((sequence, number)) = &entry.place else {
        accounting.batch.set_log(log_id);
        return offset;
    };
    let id = sequence_id(&accounting.report.host, accounting.report.kind, sequence);
    accounting.batch.set_log(id);
    *number
}
