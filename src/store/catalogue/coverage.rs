//! Of which time there is anything known: minutes with lines and heartbeats, and the stretches in which logs could be read.

use super::minutes::{
    SummedMinutes, heard_minutes, last_heartbeat_ms, last_line_ms, minutes_of, minutes_span, source_minutes, sum_of,
};
use super::positions::Positions;
use super::segments::span_until;
use super::sources::hosts_of_logs;
use super::{Catalogue, CatalogueError, Counts, SourceMinute};
use crate::model::time::{MINUTE_MS, UtcMs};
use std::collections::HashMap;

/// A stretch of time in which a host's log could be read, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covered {
    /// Host.
    pub host: String,
    /// First line.
    pub from_ms: UtcMs,
    /// Last line.
    pub to_ms: UtcMs,
}

/// Of which time there is anything known.
#[derive(Debug, Clone, Copy)]
pub struct Coverage<'c>(pub(in crate::store) &'c Catalogue);

impl Coverage<'_> {
    /// The last time not later than `until_ms` at which a tail had read a source to its end, to the minute: its start.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn heartbeat_ms(&self, until_ms: UtcMs) -> Result<Option<UtcMs>, CatalogueError> {
        last_heartbeat_ms(&self.0.connection(), until_ms)
    }

    /// The last time not later than `until_ms` of a line, whatever it says, to the minute: its start.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn line_ms(&self, until_ms: UtcMs) -> Result<Option<UtcMs>, CatalogueError> {
        last_line_ms(&self.0.connection(), until_ms)
    }

    /// Minutes with lines or heartbeats in `[since_ms, until_ms)`.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn minutes(&self, since_ms: UtcMs, until_ms: UtcMs) -> Result<Vec<SourceMinute>, CatalogueError> {
        source_minutes(&self.0.connection(), since_ms, until_ms)
    }

    /// Counts of a source by minute (its start), oldest first: so many milliseconds back from its newest.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn minutes_of(&self, source: i64, length_ms: i64) -> Result<Vec<(UtcMs, Counts)>, CatalogueError> {
        minutes_of(&self.0.connection(), source, length_ms)
    }

    /// Counts of a source over all minutes, and its first and last minute with lines, UTC milliseconds.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub(crate) fn sum_of(&self, source: i64) -> Result<Option<SummedMinutes>, CatalogueError> {
        sum_of(&self.0.connection(), source)
    }

    /// First and last minute with lines or heartbeats, UTC milliseconds.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub(crate) fn minutes_span(&self) -> Result<Option<(UtcMs, UtcMs)>, CatalogueError> {
        minutes_span(&self.0.connection())
    }

    /// First and last event of the store, UTC milliseconds.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn span(&self) -> Result<Option<(UtcMs, UtcMs)>, CatalogueError> {
        self.span_until(UtcMs::MAX)
    }

    /// First and last event that are not later than `until_ms`, UTC milliseconds.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn span_until(&self, until_ms: UtcMs) -> Result<Option<(UtcMs, UtcMs)>, CatalogueError> {
        span_until(&self.0.connection(), until_ms)
    }

    /// Stretches of time in which some log could be read: from its first to its last line, and over
    /// to the sibling that continues it; and minutes in which a tail found nothing more to read. Silence inside one is no
    /// mail; silence outside is no data. Of the second kind, those from `since_ms` on.
    pub fn stretches(&self, since_ms: UtcMs) -> Result<Vec<Covered>, CatalogueError> {
        let mut all = self.heard(since_ms)?;
        let hosts = hosts_of_logs(&self.0.connection())?;
        let sources = Positions(self.0).sources()?;
        let names: HashMap<i64, &str> = sources.iter().map(|source| (source.id, source.host.as_str())).collect();
        for source in &sources {
            let mut covered: Vec<(UtcMs, UtcMs)> = Vec::new();
            let mut spans: Vec<(UtcMs, UtcMs, bool)> = source
                .logs
                .iter()
                .filter_map(|log| log.span_ms.map(|(a, b)| (a, b, log.follows)))
                .collect();
            spans.sort_unstable();
            for (from, to, follows) in spans {
                match covered.last_mut() {
                    Some((_, last)) if follows && *last <= to => *last = to,
                    _ => covered.push((from, to)),
                }
            }
            // A host that lines name could be read while any line of the log came, from its own first one on.
            for host in hosts.iter().filter(|host| host.reader == source.id) {
                let (Some(name), Some(first)) = (names.get(&host.source), host.first_minute) else {
                    continue;
                };
                let seen = covered.iter().map(|(from, to)| ((*from).max(first.start()), *to));
                all.extend(seen.filter(|(from, to)| from <= to).map(|(from_ms, to_ms)| Covered {
                    host: (*name).to_owned(),
                    from_ms,
                    to_ms,
                }));
            }
            let host = &source.host;
            all.extend(covered.into_iter().map(|(from_ms, to_ms)| Covered {
                host: host.clone(),
                from_ms,
                to_ms,
            }));
        }
        Ok(all)
    }

    /// Minutes with heartbeats, those in a row together.
    fn heard(&self, since_ms: UtcMs) -> Result<Vec<Covered>, CatalogueError> {
        let minutes = heard_minutes(&self.0.connection(), since_ms.minute())?;
        let mut all: Vec<Covered> = Vec::new();
        let mut before = None;
        for (source, host, minute) in minutes {
            let goes_on = before.replace(source) == Some(source);
            let (from_ms, to_ms) = (minute.start(), minute.start() + MINUTE_MS - 1);
            match all.last_mut() {
                Some(last) if goes_on && last.to_ms + 1 == from_ms => last.to_ms = to_ms,
                _ => all.push(Covered { host, from_ms, to_ms }),
            }
        }
        Ok(all)
    }
}
