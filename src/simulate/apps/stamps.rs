//! Timestamps as the applications write them, all in UTC.

use super::super::clock::{DAY, HOUR, MINUTE, civil, weekday};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// An instant by the clock on the wall.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    /// Seconds since the epoch.
    t: i64,
    date: (i64, i64, i64),
    /// Hour, minute, second, millisecond.
    clock: (i64, i64, i64, i64),
}

impl Moment {
    /// Of milliseconds since the epoch.
    pub(super) fn new(ms: i64) -> Self {
        let t = ms.div_euclid(1000);
        let second = t.rem_euclid(DAY);
        Self {
            t,
            date: civil(t.div_euclid(DAY)),
            clock: (
                second / HOUR,
                second % HOUR / MINUTE,
                second % MINUTE,
                ms.rem_euclid(1000),
            ),
        }
    }

    fn month(&self) -> &'static str {
        MONTHS[(self.date.1 - 1) as usize]
    }

    /// `2018-06-06`
    pub(super) fn day(&self) -> String {
        let (year, month, day) = self.date;
        format!("{year}-{month:02}-{day:02}")
    }

    /// `201806`
    pub(super) fn year_and_month(&self) -> String {
        let (year, month, _) = self.date;
        format!("{year}{month:02}")
    }

    /// `19:02:11`
    pub(super) fn time(&self) -> String {
        let (hour, minute, second, _) = self.clock;
        format!("{hour:02}:{minute:02}:{second:02}")
    }

    /// `2018-06-06 19:02:11`
    pub(super) fn plain(&self) -> String {
        format!("{} {}", self.day(), self.time())
    }

    /// `2018-06-06 19:02:11,123`: log4j's ISO8601.
    pub(super) fn log4j(&self) -> String {
        format!("{},{:03}", self.plain(), self.clock.3)
    }

    /// `2018-06-06T19:02:11.123Z`
    pub(super) fn rfc3339(&self) -> String {
        format!("{}T{}.{:03}Z", self.day(), self.time(), self.clock.3)
    }

    /// `2018-06-06T19:02:11.123456+00:00`: PHP's `Y-m-d\TH:i:s.uP`.
    pub(super) fn php_micros(&self, micros: u64) -> String {
        format!("{}T{}.{:03}{micros:03}+00:00", self.day(), self.time(), self.clock.3)
    }

    /// `06-Jun-2018 19:02:11 UTC`: PHP's error log.
    pub(super) fn php(&self) -> String {
        let (year, _, day) = self.date;
        format!("{day:02}-{}-{year} {} UTC", self.month(), self.time())
    }

    /// `2018-06-06 7:02:11 PM`: PHP's `Y-m-d g:i:s A`.
    pub(super) fn twelve_hours(&self) -> String {
        let (hour, minute, second, _) = self.clock;
        let half = if hour < 12 { "AM" } else { "PM" };
        format!("{} {}:{minute:02}:{second:02} {half}", self.day(), (hour + 11) % 12 + 1)
    }

    /// `06/Jun/2018 19:02:11 +0000`
    pub(super) fn hue(&self) -> String {
        let (year, _, day) = self.date;
        format!("{day:02}/{}/{year} {} +0000", self.month(), self.time())
    }

    /// `Wed Jun  6 19:02:11 2018`: C's `asctime`.
    pub(super) fn asctime(&self) -> String {
        let (year, _, day) = self.date;
        let weekday = WEEKDAYS[weekday(self.t) as usize];
        format!("{weekday} {} {day:2} {} {year}", self.month(), self.time())
    }

    /// `2018-06-06`, or with the hour `2018-06-06-19`: the tail of a rolled file.
    pub(super) fn dated(&self, with_hour: bool) -> String {
        match with_hour {
            true => format!("{}-{:02}", self.day(), self.clock.0),
            false => self.day(),
        }
    }
}
