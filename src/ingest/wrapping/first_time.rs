//! The first time in a log, before its lines are read for good.

use super::form::Wrapping;
use super::journal_entry::JournalEntry;
use super::peel::{LineContent, Peeler, Trust};
use crate::ingest::open_log::OpenLog;
use crate::ingest::spec::{Grammar, Spec};
use crate::ingest::stamp_year::with_year;
use crate::model::time::UtcMs;
use crate::normalise::clock::LogClock;
use crate::source::Chunk;
use mailpulse_parsers::app::Time;
use mailpulse_parsers::layers::Mta;
use mailpulse_parsers::{Stamp, exim, syslog};

/// Lines that are looked at.
const LINES_MAX: usize = 200;

/// The time of the first line that has a time; none if none of the first lines has a whole one.
pub fn first_ms(spec: &Spec, log: &OpenLog, chunk: &Chunk) -> Option<UtcMs> {
    let mut lines = chunk.lines().take(LINES_MAX);
    let mut stamp = lines.find_map(|(_, line)| stamp(spec, log, line))?;
    with_year(&mut stamp, spec, log.state.mtime_ms);
    Some(LogClock::new(spec.zone.clone()).utc_ms(&stamp))
}

fn stamp(spec: &Spec, log: &OpenLog, line: &[u8]) -> Option<Stamp> {
    match (log.form.wrapping, &spec.grammar) {
        (Wrapping::Journal, _) => JournalEntry::parse(line).ok().map(|entry| entry.envelope().stamp),
        (_, Grammar::App(format)) => match format.starts(line).then(|| format.parse(line).ok())??.time {
            Time::Full(stamp) => Some(stamp),
            Time::TimeOfDay(_) | Time::Undated => None,
        },
        (Wrapping::Plain, Grammar::Exim) => exim::parse(line).ok().map(|record| record.stamp),
        (_, grammar) => match syslog::envelope(line) {
            Ok(envelope) => Some(envelope.stamp),
            Err(_) => wrapped(spec, log, grammar, line),
        },
    }
}

/// In a wrapper, or under a head that is none of the usual ones.
fn wrapped(spec: &Spec, log: &OpenLog, grammar: &Grammar, line: &[u8]) -> Option<Stamp> {
    let mta = match grammar {
        Grammar::Exim => Mta::Exim,
        _ => Mta::Postfix,
    };
    let trust = Trust {
        spec,
        head: &log.form.head,
    };
    Peeler::default().line(mta, line, trust, |found| match found {
        LineContent::Own(envelope) => Some(envelope.stamp),
        LineContent::Foreground(_, stamp) => stamp,
        _ => None,
    })
}
