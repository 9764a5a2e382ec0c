//! One reader a format: lines of a chunk → records → events on the desk.

mod app;
mod exim;
pub(crate) mod foreground;
pub(crate) mod journal;
pub(crate) mod peek;
pub(crate) mod peel;
mod postfix;
mod split;

use super::digest::Bench;
use super::feed::OpenLog;
use super::kinds::{Spec, Way};
use crate::normalise::app::AppNormaliser;
use crate::normalise::clock::LogClock;
use crate::normalise::exim::EximNormaliser;
use crate::normalise::exim::zone::ZoneVerdict;
use crate::normalise::join::Recall;
use crate::normalise::messages::Messages;
use crate::normalise::postfix::PostfixNormaliser;
use crate::source::Chunk;
use crate::store::catalogue;
use app::AppLines;
pub(crate) use app::begins_with_time;
use exim::EximLines;
use mailpulse_parsers::Stamp;
use postfix::PostfixLines;
use std::sync::Arc;

/// Reads the logs of one host and kind, in order.
#[derive(Debug)]
pub enum Reader<'c> {
    /// Exim.
    Exim(Box<EximLines<'c>>),
    /// Postfix.
    Postfix(Box<PostfixLines<'c>>),
    /// An application.
    App(Box<AppLines<'c>>),
}

impl<'c> Reader<'c> {
    /// A reader; `spec` says how the first log is read.
    pub fn new(messages: Messages<'c>, spec: &Arc<Spec>) -> Self {
        let clock = LogClock::new(spec.zone.clone());
        match &spec.way {
            Way::Exim => Reader::Exim(Box::new(EximLines::new(EximNormaliser::new(messages, clock), spec))),
            Way::Postfix => Reader::Postfix(Box::new(PostfixLines::new(
                PostfixNormaliser::new(messages, clock),
                spec,
            ))),
            Way::App(_) => Reader::App(Box::new(AppLines::new(AppNormaliser::new(messages, clock), spec))),
        }
    }

    /// How the next logs are read; of the same kind as before.
    pub fn set_spec(&mut self, spec: &Arc<Spec>) {
        match self {
            Reader::Exim(lines) => lines.set_spec(spec),
            Reader::Postfix(lines) => lines.set_spec(spec),
            Reader::App(lines) => lines.set_spec(spec),
        }
    }

    /// The messages.
    pub fn messages(&self) -> &Messages<'c> {
        match self {
            Reader::Exim(lines) => &lines.normaliser.messages,
            Reader::Postfix(lines) => &lines.normaliser.messages,
            Reader::App(lines) => &lines.normaliser.messages,
        }
    }

    /// The messages, for changing.
    pub fn messages_mut(&mut self) -> &mut Messages<'c> {
        match self {
            Reader::Exim(lines) => &mut lines.normaliser.messages,
            Reader::Postfix(lines) => &mut lines.normaliser.messages,
            Reader::App(lines) => &mut lines.normaliser.messages,
        }
    }

    /// The MTA that the events are about; empty for an application whose relay nobody named.
    pub fn relay(&self) -> String {
        match self {
            Reader::App(lines) => lines.relay(),
            _ => self.messages().host.clone(),
        }
    }

    /// Whether the end of a record has not been read yet.
    pub fn is_inside(&self) -> bool {
        match self {
            Reader::Exim(_) | Reader::Postfix(_) => false,
            Reader::App(lines) => lines.is_inside(),
        }
    }

    /// What the times inside message IDs say of the log's zone.
    pub fn zone_verdict(&self) -> ZoneVerdict {
        match self {
            Reader::Exim(lines) => lines.normaliser.zone_verdict(),
            _ => ZoneVerdict::Unknown,
        }
    }

    /// A log begins or goes on.
    pub fn open(&mut self, log: &OpenLog) {
        if let Reader::App(lines) = self {
            lines.open(log);
        }
    }

    /// Takes the lines of a chunk.
    pub fn chunk<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog, chunk: &Chunk) {
        match self {
            Reader::Exim(lines) => lines.chunk(bench, log, chunk),
            Reader::Postfix(lines) => lines.chunk(bench, log, chunk),
            Reader::App(lines) => lines.chunk(bench, log, chunk),
        }
        bench.desk.settle(&mut log.state);
    }

    /// A batch is about to be sealed in the middle of a log: what is still open goes with it.
    pub fn before_seal<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog) {
        if let Reader::App(lines) = self {
            lines.flush(bench, log);
        }
    }

    /// Lines of which pieces are still to come, if they changed since the last call, as the store keeps them.
    pub fn take_split_lines(&mut self) -> Option<String> {
        match self {
            Reader::Exim(lines) => lines.split.take_changes(),
            Reader::Postfix(_) | Reader::App(_) => None,
        }
    }

    /// Puts back what an earlier life left of [`Reader::take_split_lines`].
    ///
    /// # Errors
    /// The store's text is not of that form.
    pub fn reopen_split_lines(&mut self, stored: &str) -> Result<(), catalogue::Error> {
        match self {
            Reader::Exim(lines) => lines.split.reopen(stored),
            Reader::Postfix(_) | Reader::App(_) => Ok(()),
        }
    }

    /// The log has been read as far as it goes. With `live`, its program may still be writing.
    pub fn close<R: Recall>(&mut self, bench: &mut Bench<'_, R>, log: &mut OpenLog, live: bool) {
        match self {
            Reader::Exim(lines) => lines.close(log, live),
            Reader::Postfix(_) => {}
            Reader::App(lines) => lines.close(bench, log, live),
        }
    }

    /// Nothing continues what is still open.
    pub fn finish<R: Recall>(&mut self, bench: &mut Bench<'_, R>) {
        match self {
            Reader::Exim(lines) => lines.finish(bench),
            Reader::Postfix(_) => {}
            Reader::App(lines) => lines.finish(bench),
        }
    }
}

/// The year of an RFC 3164 stamp, which has none: the configured one, or else the one in which the line is not
/// younger than its file.
pub(crate) fn with_year(stamp: &mut Stamp, spec: &Spec, mtime_ms: i64) {
    if stamp.year != 0 {
        return;
    }
    if let Some(year) = spec.year {
        stamp.year = year;
        return;
    }
    let year = jiff::Timestamp::from_millisecond(mtime_ms).map_or(1970, |t| t.to_zoned(jiff::tz::TimeZone::UTC).year());
    let in_year = Stamp { year, ..*stamp };
    // A day of grace, for zones and for clocks.
    let future = in_year.utc_ms() > mtime_ms + 86_400_000;
    stamp.year = if future { year - 1 } else { year };
}
