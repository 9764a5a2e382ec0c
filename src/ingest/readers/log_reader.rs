//! The reader of a source's kind.

use super::app::AppLines;
use super::context::{ParseContext, RawLine};
use super::exim::EximLines;
use super::mta::MtaLines;
use super::postfix::PostfixLines;
use crate::ingest::accounting::{LineAccounting, LineOutcome};
use crate::ingest::open_log::OpenLog;
use crate::ingest::spec::{Grammar, Spec};
use crate::ingest::wrapping::WrappingForm;
use crate::normalise::app::AppNormaliser;
use crate::normalise::clock::LogClock;
use crate::normalise::exim::EximNormaliser;
use crate::normalise::exim::zone::ZoneVerdict;
use crate::normalise::join::Recall;
use crate::normalise::messages::Messages;
use crate::normalise::postfix::PostfixNormaliser;
use crate::source::Chunk;
use crate::source::identity::Position;
use crate::store::catalogue::CatalogueError;
use mailpulse_parsers::syslog::Envelope;
use std::sync::Arc;

/// Reads the logs of one host and kind, in order.
#[derive(Debug)]
pub(crate) enum LogReader<'c> {
    Exim(Box<EximLines<'c>>),
    Postfix(Box<PostfixLines<'c>>),
    /// An application.
    App(Box<AppLines<'c>>),
}

impl<'c> LogReader<'c> {
    /// A reader; `spec` says how the first log is read.
    pub(crate) fn new(messages: Messages<'c>, spec: &Arc<Spec>) -> Self {
        let clock = LogClock::new(spec.zone.clone());
        match &spec.grammar {
            Grammar::Exim => LogReader::Exim(Box::new(EximLines::new(EximNormaliser::new(messages, clock), spec))),
            Grammar::Postfix => LogReader::Postfix(Box::new(PostfixLines::new(
                PostfixNormaliser::new(messages, clock),
                spec,
            ))),
            Grammar::App(_) => LogReader::App(Box::new(AppLines::new(AppNormaliser::new(messages, clock), spec))),
        }
    }

    /// How the next logs are read; of the same kind as before.
    pub(crate) fn set_spec(&mut self, spec: &Arc<Spec>) {
        match self {
            LogReader::Exim(lines) => lines.set_spec(spec),
            LogReader::Postfix(lines) => lines.set_spec(spec),
            LogReader::App(lines) => lines.set_spec(spec),
        }
    }

    /// The messages.
    pub(crate) fn messages(&self) -> &Messages<'c> {
        match self {
            LogReader::Exim(lines) => &lines.normaliser.messages,
            LogReader::Postfix(lines) => &lines.normaliser.messages,
            LogReader::App(lines) => &lines.normaliser.messages,
        }
    }

    /// The messages, for changing.
    pub(crate) fn messages_mut(&mut self) -> &mut Messages<'c> {
        match self {
            LogReader::Exim(lines) => &mut lines.normaliser.messages,
            LogReader::Postfix(lines) => &mut lines.normaliser.messages,
            LogReader::App(lines) => &mut lines.normaliser.messages,
        }
    }

    /// The MTA that the events are about; empty for an application whose relay nobody named.
    pub(crate) fn relay(&self) -> String {
        match self {
            LogReader::App(lines) => lines.relay(),
            _ => self.messages().host.clone(),
        }
    }

    /// Whether the end of a record has not been read yet.
    pub(crate) fn is_inside(&self) -> bool {
        match self {
            LogReader::Exim(_) | LogReader::Postfix(_) => false,
            LogReader::App(lines) => lines.is_inside(),
        }
    }

    /// What the times inside message IDs say of the log's zone.
    pub(crate) fn zone_verdict(&self) -> ZoneVerdict {
        match self {
            LogReader::Exim(lines) => lines.normaliser.zone_verdict(),
            _ => ZoneVerdict::Unknown,
        }
    }

    /// A log begins or goes on.
    pub(crate) fn open(&mut self, log: &OpenLog) {
        let newest = log.state.span_ms.map(|span| span.1);
        match (self, newest) {
            (LogReader::Exim(lines), Some(newest)) => lines.normaliser.goes_on_after(newest),
            (LogReader::Postfix(lines), Some(newest)) => lines.normaliser.goes_on_after(newest),
            (LogReader::App(lines), _) => lines.open(log),
            _ => {}
        }
    }

    /// Takes the lines of a chunk; the log's position was `before` it.
    pub(crate) fn chunk<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        form: &WrappingForm,
        before: &Position,
        chunk: &Chunk,
    ) {
        match self {
            LogReader::Exim(lines) => lines.chunk(context, form, chunk),
            LogReader::Postfix(lines) => lines.chunk(context, form, chunk),
            LogReader::App(lines) => lines.chunk(context, before, chunk),
        }
        context.accounting.settle(context.state);
    }

    /// Takes a line of a log whose lines are of several hosts, with its envelope of syslog if that is known: what became of it,
    /// or none of a piece of a line.
    pub(crate) fn line<R: Recall>(
        &mut self,
        context: &mut ParseContext<'_, R>,
        form: &WrappingForm,
        line: RawLine<'_>,
        envelope: Option<&Envelope<'_>>,
    ) -> Option<LineOutcome> {
        match self {
            LogReader::Exim(lines) => lines.wrapped_in(context, form, line, envelope),
            LogReader::Postfix(lines) => lines.wrapped_in(context, form, line, envelope),
            LogReader::App(_) => None,
        }
    }

    /// A batch is about to be sealed in the middle of a log: what is still open goes with it.
    pub(crate) fn before_seal<R: Recall>(&mut self, context: &mut ParseContext<'_, R>) {
        if let LogReader::App(lines) = self {
            lines.flush(context);
        }
    }

    /// Lines of which pieces are still to come, if they changed since the last call, as the store keeps them.
    pub(crate) fn take_split_lines(&mut self) -> Option<String> {
        match self {
            LogReader::Exim(lines) => lines.split.take_changes(),
            LogReader::Postfix(_) | LogReader::App(_) => None,
        }
    }

    /// Puts back what an earlier life left of [`LogReader::take_split_lines`].
    ///
    /// # Errors
    /// The store's text is not of that form.
    pub(crate) fn reopen_split_lines(&mut self, stored: &str) -> Result<(), CatalogueError> {
        match self {
            LogReader::Exim(lines) => lines.split.reopen(stored),
            LogReader::Postfix(_) | LogReader::App(_) => Ok(()),
        }
    }

    /// The log has been read as far as it goes. With `live`, its program may still be writing.
    pub(crate) fn close<R: Recall>(
        &mut self,
        recall: &mut R,
        accounting: &mut LineAccounting,
        log: &mut OpenLog,
        live: bool,
    ) {
        match self {
            LogReader::Exim(lines) => lines.close(log, live),
            LogReader::App(lines) if live => lines.close_live(recall, accounting, log),
            LogReader::Postfix(_) | LogReader::App(_) => {}
        }
    }

    /// Nothing continues what is still open.
    pub(crate) fn finish<R: Recall>(&mut self, recall: &mut R, accounting: &mut LineAccounting) {
        match self {
            LogReader::Exim(lines) => lines.finish(recall, accounting),
            LogReader::Postfix(_) => {}
            LogReader::App(lines) => lines.finish(recall, accounting),
        }
    }
}
