//! Is the log's zone what was configured? The first six characters of a message ID are the arrival's time in UTC.

use crate::model::time::{HOUR_MS, MINUTE_MS, UtcMs};
use crate::normalise::clock::LogClock;
use jiff::tz::{Offset, TimeZone};
use mailpulse_parsers::exim::record::{EximBody, EximRecord};
use mailpulse_parsers::exim::{parse, parse_in_syslog};
use mailpulse_parsers::syslog;

/// Clock differences that a mis-set zone would make are at least a quarter of an hour.
const ZONE_STEP_MS: i64 = 15 * MINUTE_MS;

/// So many arrivals are all looked at; of those after them one in [`ONE_IN`].
const ALL_OF: u32 = 1000;
const ONE_IN: u32 = 16;

/// The verdict is of so many arrivals at most, so that a zone that changes shows after months of another.
const WINDOW: u32 = 128;

/// Fewer prove nothing.
const PROOF_MIN: u32 = 5;

/// What message IDs say of a log's zone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ZoneVerdict {
    /// There are too few of them.
    #[default]
    Unknown,
    /// It is the one that was assumed.
    Right,
    /// It is another.
    Wrong(WrongZone),
}

/// By how much a log's clock is not what was assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongZone {
    /// The log's clock, read in the assumed zone, is so much ahead of the message IDs.
    pub ahead_ms: i64,
    /// The log's true offset from UTC then, seconds east.
    pub offset_s: i32,
    /// When that was: the last such arrival.
    pub at: UtcMs,
}

impl WrongZone {
    /// What is wrong and what to do. `here` is this machine's zone, if it is known: often it is the log's.
    pub fn words(&self, here: Option<&(String, TimeZone)>) -> String {
        let hours = self.ahead_ms as f64 / HOUR_MS as f64;
        let offset = offset_text(self.offset_s);
        let zone = match here.filter(|(_, zone)| is_at(zone, self.offset_s, self.at)) {
            Some((name, _)) => format!("`timezone = \"{name}\"`, this machine's zone, which fits"),
            None => format!("the zone's name, or `timezone = \"{offset}\"` if it knows no summer time"),
        };
        format!(
            "the log's clock is {hours:+} h from the times inside its message IDs: its zone is not what was assumed, and all \
             times are off by as much. The log is written in UTC{offset}: set `timezone` of this source (or --timezone) to \
             it: {zone}; then take back what was stored (`mailpulse store forget`) or begin a fresh store, and read the log \
             again"
        )
    }
}

fn offset_text(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Whether a zone has this offset at this time.
pub(crate) fn is_at(zone: &TimeZone, offset_s: i32, at: UtcMs) -> bool {
    at.timestamp()
        .is_ok_and(|at| zone.to_offset(at) == Offset::from_seconds(offset_s).unwrap_or(Offset::UTC))
}

/// Compares arrival times with the clock inside message IDs.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct ZoneCheck {
    seen: u32,
    checked: u32,
    off: u32,
    last_off_ms: i64,
    last_arrival: UtcMs,
}

/// By how much a clock is off, if it is by what a zone makes. A message may be written some minutes after its ID was made; a
/// zone is off by quarters of an hour.
fn off_by(ahead_ms: i64) -> Option<i64> {
    let rounded = (ahead_ms + ZONE_STEP_MS / 2).div_euclid(ZONE_STEP_MS) * ZONE_STEP_MS;
    let is_off = rounded != 0 && rounded.abs() <= 15 * HOUR_MS && (ahead_ms - rounded).abs() < 2 * MINUTE_MS;
    is_off.then_some(rounded)
}

impl ZoneCheck {
    /// Whether the next arrival is to be looked at.
    #[inline]
    pub(super) fn is_next_checked(&mut self) -> bool {
        self.seen = self.seen.wrapping_add(1);
        self.seen <= ALL_OF || self.seen.is_multiple_of(ONE_IN)
    }

    /// Takes one arrival: its time by the log's clock, and the one in its ID. The hour that a clock change repeats proves
    /// nothing: which of the two is meant was guessed.
    pub(super) fn check(&mut self, ts_ms: UtcMs, arrival: UtcMs, clock: &LogClock) {
        let off = off_by(ts_ms - arrival);
        if off.is_some() && clock.is_repeated(ts_ms) {
            return;
        }
        if self.checked >= WINDOW {
            self.checked /= 2;
            self.off /= 2;
        }
        self.checked += 1;
        if let Some(off_ms) = off {
            self.off += 1;
            self.last_off_ms = off_ms;
            self.last_arrival = arrival;
        }
    }

    /// What the arrivals say, if nine in ten agree.
    pub(super) fn verdict(&self, clock: &LogClock) -> ZoneVerdict {
        match () {
            () if self.checked < PROOF_MIN => ZoneVerdict::Unknown,
            () if self.off * 10 >= self.checked * 9 => ZoneVerdict::Wrong(WrongZone {
                ahead_ms: self.last_off_ms,
                // What was taken off the printed time, and what should have been taken off too.
                offset_s: clock.offset_s(self.last_arrival + self.last_off_ms)
                    + i32::try_from(self.last_off_ms / 1000).unwrap_or(0),
                at: self.last_arrival,
            }),
            () if self.off * 10 <= self.checked => ZoneVerdict::Right,
            () => ZoneVerdict::Unknown,
        }
    }
}

/// What the lines of a log say of a zone that is assumed, without storing anything.
pub fn verdict_of<'l>(zone: &TimeZone, lines: impl Iterator<Item = &'l [u8]>) -> ZoneVerdict {
    let mut clock = LogClock::new(zone.clone());
    let mut check = ZoneCheck::default();
    for line in lines {
        let Some(record) = record_of(line) else { continue };
        let (EximBody::Arrival(_), Some(id)) = (&record.body, record.id) else {
            continue;
        };
        // A year that is not printed would have to be guessed.
        if let Some(epoch) = id.arrival_epoch().filter(|_| record.stamp.year > 0) {
            let ts_ms = clock.utc_ms(&record.stamp);
            check.check(ts_ms, UtcMs::from_seconds(epoch), &clock);
        }
    }
    check.verdict(&clock)
}

/// A line of the main log, or of syslog.
fn record_of(line: &[u8]) -> Option<EximRecord<'_>> {
    parse(line)
        .ok()
        .or_else(|| parse_in_syslog(&syslog::envelope(line).ok()?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(zone: &str, ahead: &[i64]) -> ZoneVerdict {
        let clock = LogClock::new(TimeZone::get(zone).unwrap());
        let mut check = ZoneCheck::default();
        let arrival = UtcMs::from_seconds(1_528_308_000);
        ahead.iter().for_each(|ms| check.check(arrival + *ms, arrival, &clock));
        check.verdict(&clock)
    }

    #[test]
    fn a_zone_is_off_by_hours_and_a_slow_arrival_by_seconds() {
        let ZoneVerdict::Wrong(wrong) = verdict("UTC", &[7_200_000, 7_201_000, 7_200_000, 7_230_000, 7_200_000]) else {
            panic!("two hours")
        };
        assert_eq!((wrong.ahead_ms, wrong.offset_s), (7_200_000, 7_200));
        assert_eq!(verdict("UTC", &[0, 1000, 30_000, 0, 400_000, 0]), ZoneVerdict::Right);
        assert_eq!(verdict("UTC", &[7_200_000; 4]), ZoneVerdict::Unknown);
        // A log in UTC that is read as Berlin's, in summer.
        let ZoneVerdict::Wrong(wrong) = verdict("Europe/Berlin", &[-7_200_000; 9]) else {
            panic!("two hours")
        };
        assert_eq!((wrong.ahead_ms, wrong.offset_s), (-7_200_000, 0));
    }

    #[test]
    fn a_zone_that_changes_after_months_shows() {
        let mut ahead = vec![0; 100_000];
        ahead.extend([3_600_000; 400]);
        assert!(matches!(verdict("UTC", &ahead), ZoneVerdict::Wrong(_)));
        ahead.extend([0; 400]);
        assert_eq!(verdict("UTC", &ahead), ZoneVerdict::Right);
    }

    #[test]
    fn the_repeated_hour_proves_nothing() {
        let clock = LogClock::new(TimeZone::get("Europe/Berlin").unwrap());
        let mut check = ZoneCheck::default();
        // 2018-10-28 02:30 is twice; the first was meant, and the second was taken.
        let at = |n: i64| UtcMs::from_seconds(1_540_686_600 + n);
        (0..20).for_each(|n| check.check(at(n) + HOUR_MS, at(n), &clock));
        assert_eq!(check.verdict(&clock), ZoneVerdict::Unknown);
    }

    #[test]
    fn the_cure_names_this_machines_zone_where_it_fits() {
        let wrong = WrongZone {
            ahead_ms: 7_200_000,
            offset_s: 7_200,
            at: UtcMs::from_seconds(1_528_308_000),
        };
        let here = |name: &str| (name.to_owned(), TimeZone::get(name).unwrap());
        assert!(
            wrong
                .words(Some(&here("Europe/Berlin")))
                .contains("`timezone = \"Europe/Berlin\"`, this machine's")
        );
        let other = wrong.words(Some(&here("Asia/Tokyo")));
        assert!(
            other.contains("UTC+02:00") && other.contains("`timezone = \"+02:00\"`"),
            "{other}"
        );
        assert_eq!(offset_text(-12_600), "-03:30");
    }
}
