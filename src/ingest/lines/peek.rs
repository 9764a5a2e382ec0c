//! The first time in a log, before its lines are read for good.

use super::super::feed::OpenLog;
use super::super::kinds::{Format, Spec, Way};
use super::peel::{Found, Peeler, Trust};
use super::{journal, with_year};
use crate::normalise::clock::LogClock;
use crate::source::Chunk;
use mailpulse_parsers::app::Time;
use mailpulse_parsers::layers::Mta;
use mailpulse_parsers::{Stamp, exim, syslog};

/// Lines that are looked at.
const LINES_MAX: usize = 200;

/// UTC milliseconds of the first line that has a time; none if none of the first lines has a whole one.
pub(crate) fn first_ms(spec: &Spec, log: &OpenLog, chunk: &Chunk) -> Option<i64> {
    let mut lines = chunk.lines().take(LINES_MAX);
    let mut stamp = lines.find_map(|(_, line)| stamp(spec, log, line))?;
    with_year(&mut stamp, spec, log.state.mtime_ms);
    Some(LogClock::new(spec.zone.clone()).utc_ms(&stamp))
}

fn stamp(spec: &Spec, log: &OpenLog, line: &[u8]) -> Option<Stamp> {
    match (log.format, &spec.way) {
        (Format::Journal, _) => journal::entry(line).ok().map(|entry| entry.envelope().stamp),
        (_, Way::App(format)) => match format.starts(line).then(|| format.parse(line).ok())??.time {
            Time::Full(stamp) => Some(stamp),
            Time::TimeOfDay(_) | Time::Undated => None,
        },
        (Format::Plain, Way::Exim) => exim::parse(line).ok().map(|record| record.stamp),
        (_, way) => match syslog::envelope(line) {
            Ok(envelope) => Some(envelope.stamp),
            Err(_) => wrapped(spec, log, way, line),
        },
    }
}

/// In a wrapper, or under a head that is none of the usual ones.
fn wrapped(spec: &Spec, log: &OpenLog, way: &Way, line: &[u8]) -> Option<Stamp> {
    let mta = match way {
        Way::Exim => Mta::Exim,
        _ => Mta::Postfix,
    };
    let trust = Trust { spec, head: &log.head };
    Peeler::default().line(mta, line, trust, |found| match found {
        Found::Own(envelope) => Some(envelope.stamp),
        Found::Foreground(_, stamp) => stamp,
        _ => None,
    })
}
