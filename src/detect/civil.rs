//! A service's own civil time. Mail follows office hours, and those follow the clock on the wall through summer time.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mailpulse_time::{DAY_S, WEEK_S};

/// Civil time of one zone, with the offset kept until it changes.
#[derive(Debug, Clone)]
pub struct CivilClock {
    zone: TimeZone,
    offset_s: i64,
    from_s: i64,
    until_s: i64,
}

/// A moment on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Days since 1970-01-01.
    pub day: i32,
    /// Second of the day.
    pub day_s: i64,
    /// Second of the week, from Monday.
    pub week_s: i64,
}

/// What a minute is to the people who send.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalMinute {
    /// The minute on their wall, since 1970.
    pub wall: i64,
    /// A declared holiday.
    pub holiday: bool,
}

impl Default for CivilClock {
    fn default() -> Self {
        CivilClock::new(TimeZone::UTC)
    }
}

impl CivilClock {
    /// A clock of a zone.
    pub fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            offset_s: 0,
            from_s: i64::MAX,
            until_s: i64::MIN,
        }
    }

    /// Its zone.
    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Civil time at a moment, seconds since the epoch.
    pub fn at(&mut self, ts_s: i64) -> Civil {
        if ts_s < self.from_s || ts_s >= self.until_s {
            self.look_up(ts_s);
        }
        let local = ts_s.saturating_add(self.offset_s);
        Civil {
            day: local.div_euclid(DAY_S).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32,
            day_s: local.rem_euclid(DAY_S),
            // 1970-01-01 was a Thursday.
            week_s: local.saturating_add(3 * DAY_S).rem_euclid(WEEK_S),
        }
    }

    /// The minute on the wall at a minute, both since 1970.
    pub fn wall(&mut self, at: i64) -> i64 {
        let civil = self.at(at.saturating_mul(60));
        (i64::from(civil.day) * DAY_S + civil.day_s).div_euclid(60)
    }

    fn look_up(&mut self, ts_s: i64) {
        (self.offset_s, self.from_s, self.until_s) = (0, i64::MIN, i64::MAX);
        let Ok(at) = Timestamp::from_second(ts_s) else {
            return;
        };
        self.offset_s = i64::from(self.zone.to_offset(at).seconds());
        self.from_s = ts_s;
        let next = self.zone.following(at).next();
        // Without a transition ahead the offset holds; a year is enough of it at once.
        self.until_s = next.map_or(ts_s.saturating_add(366 * DAY_S), |next| next.timestamp().as_second());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monday_begins_the_week() {
        let mut clock = CivilClock::new(TimeZone::UTC);
        // 2018-06-04 was a Monday.
        assert_eq!(clock.at(1_528_070_400).week_s, 0);
        assert_eq!(clock.at(1_528_070_400 - 1).week_s, WEEK_S - 1);
        assert_eq!(
            clock.at(0),
            Civil {
                day: 0,
                day_s: 0,
                week_s: 3 * DAY_S
            }
        );
    }

    #[test]
    fn nine_in_berlin_is_nine_in_summer_and_in_winter() {
        let mut clock = CivilClock::new(TimeZone::get("Europe/Berlin").unwrap());
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        assert_eq!(clock.at(at("2018-01-15T08:00:00Z")).day_s, 9 * 3600);
        assert_eq!(clock.at(at("2018-07-16T07:00:00Z")).day_s, 9 * 3600);
        // Back in time again: a replay of another series.
        assert_eq!(clock.at(at("2018-03-25T00:59:59Z")).day_s, 2 * 3600 - 1);
        assert_eq!(clock.at(at("2018-03-25T01:00:00Z")).day_s, 3 * 3600);
    }

    #[test]
    fn times_beyond_the_calendar_do_not_panic() {
        let mut clock = CivilClock::new(TimeZone::UTC);
        for ts in [i64::MIN, i64::MAX, -377_705_116_801, 253_402_300_801] {
            clock.at(ts);
        }
    }
}
