//! From the civil time that a log prints to UTC. The zone is the source's unless the line carries an offset.

use crate::model::time::{CivilDay, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, UtcMs};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use mailpulse_parsers::Stamp;
use mailpulse_parsers::app::TimeOfDay;

/// Converts stamps of one log, in order. Offsets are looked up once per civil hour.
#[derive(Debug, Clone)]
pub(crate) struct LogClock {
    zone: TimeZone,
    is_utc: bool,
    /// Civil hour (milliseconds as if UTC, floored) and its offset in milliseconds, if the hour has just one.
    hour: Option<(i64, i64)>,
    last_ms: UtcMs,
    /// A civil date and its milliseconds since 1970: lines come a day's worth at a time.
    day: ((i16, u8, u8), i64),
}

impl LogClock {
    /// A clock for logs written in `zone`.
    pub(crate) fn new(zone: TimeZone) -> Self {
        LogClock {
            is_utc: zone == TimeZone::UTC,
            zone,
            hour: None,
            last_ms: UtcMs::MIN,
            day: ((1970, 1, 1), 0),
        }
    }

    /// Whether the civil time of a moment comes twice, or is skipped, by a change of the clock.
    pub(crate) fn is_repeated(&self, utc_ms: UtcMs) -> bool {
        let civil = utc_ms.timestamp().map(|at| self.zone.to_datetime(at));
        civil.is_ok_and(|civil| self.zone.to_ambiguous_timestamp(civil).is_ambiguous())
    }

    /// The zone's offset from UTC at a moment, seconds east.
    pub(crate) fn offset_s(&self, utc_ms: UtcMs) -> i32 {
        utc_ms.timestamp().map_or(0, |at| self.zone.to_offset(at).seconds())
    }

    /// The next stamps follow this time of the log: it was read up to there in an earlier life.
    pub(crate) fn goes_on_after(&mut self, newest_ms: UtcMs) {
        self.last_ms = newest_ms;
    }

    /// The time of a stamp. In the repeated hour when summer time ends, the later reading is taken as
    /// soon as the earlier one would go back in time.
    #[inline]
    pub(crate) fn utc_ms(&mut self, stamp: &Stamp) -> UtcMs {
        let civil_ms = self.civil_ms(stamp);
        if self.is_utc || stamp.offset_seconds.is_some() {
            self.last_ms = UtcMs::new(civil_ms);
            return self.last_ms;
        }
        let hour = civil_ms - civil_ms.rem_euclid(HOUR_MS);
        let offset_ms = match self.hour {
            Some((known, offset)) if known == hour => offset,
            _ => self.look_up(stamp, civil_ms, hour),
        };
        self.last_ms = UtcMs::new(civil_ms - offset_ms);
        self.last_ms
    }

    /// [`Stamp::utc_ms`], with the date's part remembered.
    #[inline]
    fn civil_ms(&mut self, stamp: &Stamp) -> i64 {
        let date = (stamp.year, stamp.month, stamp.day);
        if date != self.day.0 {
            let start = Stamp {
                year: stamp.year,
                month: stamp.month,
                day: stamp.day,
                ..Stamp::default()
            };
            self.day = (date, start.utc_ms());
        }
        let seconds = (i64::from(stamp.hour) * 60 + i64::from(stamp.minute)) * 60 + i64::from(stamp.second);
        let offset = i64::from(stamp.offset_seconds.unwrap_or(0));
        self.day.1 + (seconds - offset) * 1000 + i64::from(stamp.millis)
    }

    fn look_up(&mut self, stamp: &Stamp, civil_ms: i64, hour: i64) -> i64 {
        let civil = |s: &Stamp| {
            DateTime::new(
                s.year,
                s.month as i8,
                s.day as i8,
                s.hour as i8,
                s.minute as i8,
                // A leap second is in the minute that it ends.
                s.second.min(59) as i8,
                0,
            )
            .ok()
        };
        let Some(at) = civil(stamp) else { return 0 };
        let ms = |offset: jiff::tz::Offset| i64::from(offset.seconds()) * 1000;
        match self.zone.to_ambiguous_timestamp(at).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                // Zones that change inside an hour exist: only an hour with equal ends is remembered.
                let end = Stamp {
                    minute: 59,
                    second: 59,
                    ..*stamp
                };
                let start = Stamp {
                    minute: 0,
                    second: 0,
                    ..*stamp
                };
                let same = [start, end].iter().all(|s| {
                    civil(s).is_some_and(|c| {
                        matches!(self.zone.to_ambiguous_timestamp(c).offset(),
                            AmbiguousOffset::Unambiguous { offset: o } if o == offset)
                    })
                });
                self.hour = same.then_some((hour, ms(offset)));
                ms(offset)
            }
            AmbiguousOffset::Gap { before, .. } => ms(before),
            AmbiguousOffset::Fold { before, after } => {
                let [first, second] = [before, after].map(|offset| UtcMs::new(civil_ms - ms(offset)));
                // What was read before may also be a log of a later time.
                if first + MINUTE_MS < self.last_ms && self.last_ms <= second + HOUR_MS {
                    ms(after)
                } else {
                    ms(before)
                }
            }
        }
    }
}

/// Gives times of day their date: the day goes on when the clock goes back by hours.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DayClock {
    /// The day of the newest time.
    day: CivilDay,
    /// That time, milliseconds of the day; none before the first.
    newest_ms: Option<i64>,
}

impl DayClock {
    /// The first time is on this day.
    pub(crate) fn at(day: CivilDay) -> Self {
        DayClock { day, newest_ms: None }
    }

    /// The first time is after this moment, in a log written in `zone`.
    pub(crate) fn after(at: UtcMs, zone: &TimeZone) -> Self {
        let (day, time_ms) = civil(at, zone);
        DayClock {
            day,
            newest_ms: Some(time_ms),
        }
    }

    /// The day that the next time of day stands on. A time that is late by less than twelve hours is
    /// out of order, a larger step back is midnight.
    pub(crate) fn day_of(&mut self, time_ms: i64) -> CivilDay {
        let newest_ms = self.newest_ms.unwrap_or(time_ms);
        let back = newest_ms - time_ms;
        if back < -DAY_MS / 2 {
            // A line of yesterday, written after midnight.
            return self.day - 1;
        }
        let midnight = back > DAY_MS / 2;
        self.day += i64::from(midnight);
        self.newest_ms = Some(if midnight { time_ms } else { newest_ms.max(time_ms) });
        self.day
    }

    /// The whole stamp of the next time of day.
    pub(crate) fn stamp(&mut self, time: &TimeOfDay) -> Stamp {
        let day = self.day_of(time_of_day_ms(time));
        let date = day.date();
        Stamp {
            year: date.year(),
            month: date.month() as u8,
            day: date.day() as u8,
            hour: time.hour,
            minute: time.minute,
            second: time.second,
            millis: time.millis,
            offset_seconds: None,
        }
    }
}

/// Milliseconds since midnight.
pub(crate) fn time_of_day_ms(time: &TimeOfDay) -> i64 {
    let seconds = i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + i64::from(time.second);
    seconds * 1000 + i64::from(time.millis)
}

/// Civil time of a moment: the day, and the milliseconds since midnight as a clock shows them.
pub fn civil(at: UtcMs, zone: &TimeZone) -> (CivilDay, i64) {
    let offset = at.timestamp().map_or(0, |time| zone.to_offset(time).seconds());
    let as_utc = at + i64::from(offset) * SECOND_MS;
    (as_utc.day(), as_utc - as_utc.day().start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(day: u8, hour: u8, minute: u8) -> Stamp {
        Stamp {
            year: 2018,
            month: 10,
            day,
            hour,
            minute,
            second: 0,
            ..Stamp::default()
        }
    }

    #[test]
    fn summer_time_ends_without_going_back() {
        let mut clock = LogClock::new(TimeZone::get("Europe/Berlin").unwrap());
        let times: Vec<UtcMs> = [(1, 30), (2, 10), (2, 50), (2, 5), (2, 55), (3, 1)]
            .map(|(h, m)| clock.utc_ms(&stamp(28, h, m)))
            .to_vec();
        assert!(times.is_sorted(), "{times:?}");
        assert_eq!(times[4] - times[2], 65 * 60_000);
    }

    #[test]
    fn the_repeated_hour_goes_on_where_an_earlier_life_left_it() {
        let zone = || TimeZone::get("Europe/Berlin").unwrap();
        let mut whole = LogClock::new(zone());
        let times = [(1, 30), (2, 10), (2, 50), (2, 5), (2, 20), (2, 55), (3, 1)].map(|(h, m)| stamp(28, h, m));
        let expected: Vec<UtcMs> = times.iter().map(|stamp| whole.utc_ms(stamp)).collect();
        for cut in 1..times.len() {
            let mut clock = LogClock::new(zone());
            clock.goes_on_after(expected[cut - 1]);
            let rest: Vec<UtcMs> = times[cut..].iter().map(|stamp| clock.utc_ms(stamp)).collect();
            assert_eq!(rest, expected[cut..], "cut before {cut}");
        }
        // An archive that is read after a log of a later time begins with the first pass of the hour.
        let mut clock = LogClock::new(zone());
        clock.goes_on_after(expected[6] + 30 * 86_400_000);
        assert_eq!(clock.utc_ms(&times[1]), expected[1]);
    }

    #[test]
    fn a_leap_second_has_the_offset_of_its_minute() {
        let at = |second: u8| Stamp {
            year: 2017,
            month: 1,
            day: 1,
            hour: 0,
            minute: 59,
            second,
            ..Stamp::default()
        };
        let utc = |second| LogClock::new(TimeZone::get("Europe/Berlin").unwrap()).utc_ms(&at(second));
        assert_eq!(utc(60), utc(59) + 1000);
        assert_eq!(utc(60), UtcMs::new(1_483_228_800_000));
    }

    #[test]
    fn times_of_day_cross_midnight_once() {
        let mut days = DayClock::at(CivilDay::new(100));
        let hour = |h: i64| h * HOUR_MS;
        let got = [22, 23, 0, 23, 1, 12, 11, 23, 2].map(|h| days.day_of(hour(h)));
        assert_eq!(got, [100, 100, 101, 100, 101, 101, 101, 101, 102].map(CivilDay::new));
    }

    #[test]
    fn a_time_of_day_gets_the_date_of_its_file() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        // 2018-06-06 23:30 UTC is the 7th in Berlin.
        let mut days = DayClock::after(UtcMs::new(1_528_327_800_000), &zone);
        let time = TimeOfDay {
            hour: 1,
            minute: 40,
            ..TimeOfDay::default()
        };
        let stamp = days.stamp(&time);
        assert_eq!((stamp.year, stamp.month, stamp.day, stamp.hour), (2018, 6, 7, 1));
    }

    #[test]
    fn an_offset_in_the_line_wins() {
        let mut clock = LogClock::new(TimeZone::get("Europe/Berlin").unwrap());
        let utc = Stamp {
            offset_seconds: Some(0),
            ..stamp(10, 12, 0)
        };
        assert_eq!(clock.utc_ms(&utc) - clock.utc_ms(&stamp(10, 12, 0)), 2 * 3_600_000);
    }
}
