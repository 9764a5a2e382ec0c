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
use crate::store::catalogue::CatalogueError;
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
        let newest = log.state.span_ms.map(|span| span.1);
        match (self, newest) {
            (Reader::Exim(lines), Some(newest)) => lines.normaliser.goes_on_after(newest),
            (Reader::Postfix(lines), Some(newest)) => lines.normaliser.goes_on_after(newest),
            (Reader::App(lines), _) => lines.open(log),
            _ => {}
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
    pub fn reopen_split_lines(&mut self, stored: &str) -> Result<(), CatalogueError> {
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

/// A day of grace, for zones and for clocks.
const GRACE_MS: i64 = 86_400_000;

/// 29 February is at most so many years apart: around 1900 and 2100.
const LEAP_YEARS_APART: i16 = 8;

/// The year of an RFC 3164 stamp, which has none: the configured one, or else the last one in which the line is not
/// younger than its file. 29 February is of a leap year.
pub(crate) fn with_year(stamp: &mut Stamp, spec: &Spec, mtime_ms: i64) {
    if stamp.year != 0 {
        return;
    }
    let newest = spec.year.unwrap_or_else(|| {
        let written = jiff::Timestamp::from_millisecond(mtime_ms);
        // Where the log's zone is ahead of UTC, its year may begin earlier.
        written.map_or(1970, |t| t.to_zoned(jiff::tz::TimeZone::UTC).year()) + 1
    });
    let fits = |year: i16| {
        let has_day = (stamp.month, stamp.day) != (2, 29) || jiff::civil::Date::new(year, 2, 29).is_ok();
        let in_year = Stamp { year, ..*stamp };
        has_day && (spec.year.is_some() || in_year.utc_ms() <= mtime_ms + GRACE_MS)
    };
    let years = (newest - LEAP_YEARS_APART - 1..=newest).rev();
    stamp.year = years.into_iter().find(|year| fits(*year)).unwrap_or(newest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    #[test]
    fn the_year_of_a_stamp_without_one() {
        let year = |month: u8, day: u8, hour: u8, written: &str, configured: Option<i16>| {
            let spec = Spec {
                year: configured,
                ..Spec::of(Way::Postfix, TimeZone::UTC)
            };
            let mut stamp = Stamp {
                month,
                day,
                hour,
                ..Stamp::default()
            };
            let written: jiff::Timestamp = written.parse().unwrap();
            with_year(&mut stamp, &spec, written.as_millisecond());
            stamp.year
        };
        assert_eq!(year(6, 6, 0, "2018-06-06T12:00:00Z", None), 2018);
        assert_eq!(year(12, 31, 23, "2019-01-01T00:00:02Z", None), 2018);
        assert_eq!(year(6, 7, 11, "2018-06-06T12:00:00Z", None), 2018);
        assert_eq!(year(6, 7, 13, "2018-06-06T12:00:00Z", None), 2017);
        // New Year's Day east of Greenwich.
        assert_eq!(year(1, 1, 1, "2018-12-31T23:30:00Z", None), 2019);
        for (written, leap) in [
            ("2024-02-29T12:00:00Z", 2024),
            ("2024-02-28T13:00:00Z", 2024),
            ("2024-02-27T12:00:00Z", 2020),
            ("2023-03-01T12:00:00Z", 2020),
            ("2027-01-01T00:00:00Z", 2024),
            ("1903-06-01T00:00:00Z", 1896),
        ] {
            assert_eq!(year(2, 29, 12, written, None), leap, "{written}");
        }
        assert_eq!(year(2, 29, 0, "2030-01-01T00:00:00Z", Some(2024)), 2024);
        assert_eq!(year(2, 29, 0, "2030-01-01T00:00:00Z", Some(2023)), 2020);
        assert_eq!(year(6, 6, 0, "2030-01-01T00:00:00Z", Some(2018)), 2018);
    }
}
