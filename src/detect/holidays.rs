//! Declared holidays: days on which a service's silence is no news, and the days next to them.

use super::declared_day::{BadHoliday, day_number};
use super::ics;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most days that a list may hold.
pub const DAYS_MAX: usize = 20_000;

/// A set of civil days, as days since 1970-01-01.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holidays {
    days: BTreeSet<i32>,
    /// Lines of a calendar whose repetition is not understood: these days are declared once.
    once: Vec<usize>,
}

/// Lines that are kept of those whose repetition is not understood.
const ONCE_MAX: usize = 20;

/// How a day stands to the holidays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DayKind {
    /// A usual day.
    Usual,
    /// Next to a holiday, from the given second of the day on: less mail than usual is no wonder.
    NearFrom(u32),
    /// Declared.
    Holiday,
}

impl Holidays {
    /// Reads a calendar: iCalendar text, or one date (`2026-12-25`) a line with `#` comments.
    pub fn parse(text: &str) -> Result<Self, BadHoliday> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let calendar = text
            .lines()
            .find(|line| !line.trim().is_empty())
            .is_some_and(|line| line.trim().eq_ignore_ascii_case("BEGIN:VCALENDAR"));
        let mut holidays = Self::default();
        if calendar {
            let calendar = ics::all_day_events(text)?;
            for (line, first, days) in calendar.spans {
                for day in 0..days {
                    holidays.add(line, first.saturating_add(day))?;
                }
            }
            holidays.once = calendar.once;
            holidays.once.truncate(ONCE_MAX);
            return Ok(holidays);
        }
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let date: Date = line.parse().map_err(|_| BadHoliday {
                line: index + 1,
                why: "expected a date like 2026-12-25",
            })?;
            holidays.add(index + 1, day_number(date))?;
        }
        Ok(holidays)
    }

    fn add(&mut self, line: usize, day: i32) -> Result<(), BadHoliday> {
        if self.days.len() >= DAYS_MAX {
            let why = "more than 20000 days of holidays";
            return Err(BadHoliday { line, why });
        }
        self.days.insert(day);
        Ok(())
    }

    /// Adds the days of another calendar.
    pub fn extend(&mut self, other: &Holidays) {
        self.days.extend(&other.days);
    }

    /// Lines of events whose repetition is not understood, a few: they count once.
    pub fn once(&self) -> &[usize] {
        &self.once
    }

    /// Number of days.
    pub fn len(&self) -> usize {
        self.days.len()
    }

    /// Whether none is declared.
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// How a day stands: the afternoon before a holiday, the day after it, the weekend that follows, and the days
    /// between two holidays within a week are near.
    pub fn kind(&self, day: i32) -> DayKind {
        if self.days.is_empty() {
            return DayKind::Usual;
        }
        let has = |by: i32| self.days.contains(&day.saturating_add(by));
        if has(0) {
            return DayKind::Holiday;
        }
        let before = (1..7).find(|&by| has(-by));
        let after = (1..7).find(|&by| has(by));
        let bridge = matches!((before, after), (Some(before), Some(after)) if before + after <= 7);
        if has(-1) || bridge || self.follows_weekend(day) {
            return DayKind::NearFrom(0);
        }
        if has(1) {
            DayKind::NearFrom(43_200)
        } else {
            DayKind::Usual
        }
    }

    /// A weekend day whose weekend follows a holiday, or the Friday after one.
    fn follows_weekend(&self, day: i32) -> bool {
        // 1970-01-01 was a Thursday: 0 is Monday.
        let weekday = (day.saturating_add(3)).rem_euclid(7);
        if weekday < 5 {
            return false;
        }
        let friday = day - (weekday - 4);
        self.days.contains(&friday) || self.days.contains(&(friday - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> i32 {
        day_number(text.parse().unwrap())
    }

    #[test]
    fn dates_one_a_line() {
        let holidays = Holidays::parse("# public\n2014-12-25\n\n2014-12-26 # Boxing Day\r\n").unwrap();
        assert_eq!(holidays.len(), 2);
        assert_eq!(holidays.kind(day("2014-12-25")), DayKind::Holiday);
        assert_eq!(holidays.kind(day("2014-12-24")), DayKind::NearFrom(43_200));
        assert_eq!(holidays.kind(day("2014-12-23")), DayKind::Usual);
    }

    #[test]
    fn the_weekend_after_and_bridge_days_are_near() {
        let holidays = Holidays::parse("2014-12-25\n2014-12-26\n2014-12-31\n2015-01-01\n").unwrap();
        for near in [
            "2014-12-27",
            "2014-12-28",
            "2014-12-29",
            "2014-12-30",
            "2015-01-02",
            "2015-01-03",
            "2015-01-04",
        ] {
            assert_eq!(holidays.kind(day(near)), DayKind::NearFrom(0), "{near}");
        }
        assert_eq!(holidays.kind(day("2015-01-05")), DayKind::Usual);
    }

    #[test]
    fn a_line_that_is_no_date_is_named() {
        let why = Holidays::parse("2014-12-25\nChristmas\n").unwrap_err();
        assert_eq!(why.to_string(), "line 2: expected a date like 2026-12-25");
    }

    #[test]
    fn a_calendar_is_told_from_dates() {
        let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20141225\r\nDTEND;VALUE=DATE:20141227\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        let holidays = Holidays::parse(text).unwrap();
        assert_eq!(holidays.len(), 2);
        assert_eq!(holidays.kind(day("2014-12-26")), DayKind::Holiday);
    }
}
