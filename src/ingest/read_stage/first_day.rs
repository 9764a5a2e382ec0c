//! The date of a log that prints only times of day: its last line was written when the file was, and every midnight
//! before that was a day earlier. So the file is read once before it is read.

use crate::ingest::spec::{Grammar, Spec};
use crate::model::time::{CivilDay, MINUTE_MS};
use crate::normalise::clock::{DayClock, civil, time_of_day_ms};
use crate::source::{Chunks, Content, Found, Limits, Pool};
use mailpulse_parsers::app::{Format, Time, TimeOfDay};

/// A file may be written a little before its line says, by clocks that differ.
const AHEAD_OF_FILE_MS: i64 = 10 * MINUTE_MS;

/// Day of the first time in a new log; None for logs that print dates.
pub(super) fn first_day(spec: &Spec, sample: &[u8], found: &Found, limits: &Limits) -> Option<CivilDay> {
    let Grammar::App(format) = &spec.grammar else {
        return None;
    };
    sample
        .split(|byte| *byte == b'\n')
        .find_map(|line| time_of_day(format, line))?;
    let content = Content::open(&found.path, limits).ok()?;
    let mut chunks = Chunks::new(content, limits, &Pool::new(limits, 2));
    let mut days = DayClock::at(CivilDay::EPOCH);
    let mut last = None;
    // What cannot be read to its end is told when it is read for good.
    while let Ok(Some(chunk)) = chunks.next_chunk() {
        for (_, line) in chunk.lines() {
            if let Some(time) = time_of_day(format, line) {
                let ms = time_of_day_ms(&time);
                last = Some((days.day_of(ms), ms));
            }
        }
    }
    let (day, ms) = last?;
    let (written, time_ms) = civil(found.mtime_ms, &spec.zone);
    let late = ms > time_ms + AHEAD_OF_FILE_MS;
    Some(written - i64::from(late) - (day - CivilDay::EPOCH))
}

fn time_of_day(format: &Format, line: &[u8]) -> Option<TimeOfDay> {
    let record = format.starts(line).then(|| format.parse(line).ok())??;
    match record.time {
        Time::TimeOfDay(time) => Some(time),
        Time::Full(_) | Time::Undated => None,
    }
}
