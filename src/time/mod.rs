//! What a time is: a point in time ([`UtcMs`], and [`UtcS`] where nothing finer than a second is meant), a minute ([`Minute`]),
//! a day ([`CivilDay`]), and how they become one another.
//!
//! All are integers since 1970-01-01 UTC, and are written as these integers: in JSON, in the catalogue, in columns, and in
//! the state of the detection. What tells them apart is their type, so that a minute is never taken for milliseconds. Durations
//! stay integers, with the unit last in their names. Civil times, which need a zone, are jiff's.
//!
//! Below all other crates but the parsers, whose times have no zone yet: the detection and the rooms of `mailpulse` name the
//! same types. No clock is read here.

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::ops::{Add, AddAssign, Sub, SubAssign};

/// A second, milliseconds.
pub const SECOND_MS: i64 = 1_000;
/// A minute, milliseconds.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// An hour, milliseconds.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// A day, milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// A minute, seconds.
pub const MINUTE_S: i64 = 60;
/// A day, seconds.
pub const DAY_S: i64 = 24 * 60 * MINUTE_S;
/// A week, seconds.
pub const WEEK_S: i64 = 7 * DAY_S;
/// An hour, minutes.
pub const HOUR_MIN: i64 = 60;
/// A day, minutes.
pub const DAY_MIN: i64 = 24 * HOUR_MIN;

/// A point in time, milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMs(i64);

/// A point in time, seconds since 1970-01-01 UTC: in alarms on their way out, in counts that people bring along, and in logs
/// that are simulated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcS(i64);

/// A minute, counted from 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minute(i64);

/// A day of the calendar, counted from 1970-01-01: of UTC, or of the zone in which a log is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CivilDay(i64);

/// What a count since 1970 does, whatever its unit: it goes on, and back, and the difference of two is a number of units.
macro_rules! count_since_1970 {
    ($name:ident, $unit:literal) => {
        impl $name {
            /// Before all others.
            pub const MIN: $name = $name(i64::MIN);
            /// After all others.
            pub const MAX: $name = $name(i64::MAX);
            /// The first one of 1970.
            pub const EPOCH: $name = $name(0);

            #[doc = concat!("So many ", $unit, " after the beginning of 1970.")]
            #[inline]
            #[must_use]
            pub const fn new(count: i64) -> Self {
                Self(count)
            }

            #[doc = concat!("The ", $unit, " since the beginning of 1970.")]
            #[inline]
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }

            #[doc = concat!("So many ", $unit, " later; at the end of all time, the last one.")]
            #[inline]
            #[must_use]
            pub const fn saturating_add(self, count: i64) -> Self {
                Self(self.0.saturating_add(count))
            }

            #[doc = concat!("So many ", $unit, " earlier; at the beginning of all time, the first one.")]
            #[inline]
            #[must_use]
            pub const fn saturating_sub(self, count: i64) -> Self {
                Self(self.0.saturating_sub(count))
            }

            #[doc = concat!("So many ", $unit, " later, if there is such a time.")]
            #[inline]
            #[must_use]
            pub const fn checked_add(self, count: i64) -> Option<Self> {
                match self.0.checked_add(count) {
                    Some(count) => Some(Self(count)),
                    None => None,
                }
            }

            #[doc = concat!("So many ", $unit, " earlier, if there is such a time.")]
            #[inline]
            #[must_use]
            pub const fn checked_sub(self, count: i64) -> Option<Self> {
                match self.0.checked_sub(count) {
                    Some(count) => Some(Self(count)),
                    None => None,
                }
            }

            #[doc = concat!("The ", $unit, " since another one, negative if that is later; as many as there can be at most.")]
            #[inline]
            #[must_use]
            pub const fn since(self, earlier: Self) -> i64 {
                self.0.saturating_sub(earlier.0)
            }

            #[doc = concat!("The last whole multiple of so many ", $unit, " that is not later.")]
            #[inline]
            #[must_use]
            pub const fn floor_to(self, step: i64) -> Self {
                Self(self.0.div_euclid(step).saturating_mul(step))
            }
        }

        impl Add<i64> for $name {
            type Output = Self;

            #[inline]
            fn add(self, count: i64) -> Self {
                Self(self.0 + count)
            }
        }

        impl Sub<i64> for $name {
            type Output = Self;

            #[inline]
            fn sub(self, count: i64) -> Self {
                Self(self.0 - count)
            }
        }

        impl Sub for $name {
            type Output = i64;

            #[inline]
            fn sub(self, earlier: Self) -> i64 {
                self.0 - earlier.0
            }
        }

        impl AddAssign<i64> for $name {
            #[inline]
            fn add_assign(&mut self, count: i64) {
                self.0 += count;
            }
        }

        impl SubAssign<i64> for $name {
            #[inline]
            fn sub_assign(&mut self, count: i64) {
                self.0 -= count;
            }
        }
    };
}

count_since_1970!(UtcMs, "milliseconds");
count_since_1970!(UtcS, "seconds");
count_since_1970!(Minute, "minutes");
count_since_1970!(CivilDay, "days");

impl UtcMs {
    /// The time that is so many seconds after the beginning of 1970.
    #[inline]
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND_MS))
    }

    /// The second that it is in.
    #[inline]
    #[must_use]
    pub const fn second(self) -> UtcS {
        UtcS(self.0.div_euclid(SECOND_MS))
    }

    /// The minute that it is in.
    #[inline]
    #[must_use]
    pub const fn minute(self) -> Minute {
        Minute(self.0.div_euclid(MINUTE_MS))
    }

    /// The day of UTC that it is in.
    #[inline]
    #[must_use]
    pub const fn day(self) -> CivilDay {
        CivilDay(self.0.div_euclid(DAY_MS))
    }

    /// The time as jiff has it, on the way to civil time.
    ///
    /// # Errors
    /// The calendar does not reach so far.
    pub fn timestamp(self) -> Result<Timestamp, jiff::Error> {
        Timestamp::from_millisecond(self.0)
    }
}

impl From<Timestamp> for UtcMs {
    #[inline]
    fn from(time: Timestamp) -> Self {
        Self(time.as_millisecond())
    }
}

impl UtcS {
    /// Its beginning.
    #[inline]
    #[must_use]
    pub const fn start(self) -> UtcMs {
        UtcMs::from_seconds(self.0)
    }

    /// The minute that it is in.
    #[inline]
    #[must_use]
    pub const fn minute(self) -> Minute {
        Minute(self.0.div_euclid(MINUTE_S))
    }

    /// The day of UTC that it is in.
    #[inline]
    #[must_use]
    pub const fn day(self) -> CivilDay {
        CivilDay(self.0.div_euclid(DAY_S))
    }

    /// The time as jiff has it, on the way to civil time.
    ///
    /// # Errors
    /// The calendar does not reach so far.
    pub fn timestamp(self) -> Result<Timestamp, jiff::Error> {
        Timestamp::from_second(self.0)
    }
}

impl From<Timestamp> for UtcS {
    #[inline]
    fn from(time: Timestamp) -> Self {
        Self(time.as_second())
    }
}

impl Minute {
    /// When it begins.
    #[inline]
    #[must_use]
    pub const fn start(self) -> UtcMs {
        UtcMs(self.0.saturating_mul(MINUTE_MS))
    }

    /// Whether a time is in it.
    #[inline]
    #[must_use]
    pub const fn has(self, time: UtcMs) -> bool {
        let behind = time.0.wrapping_sub(self.0.wrapping_mul(MINUTE_MS));
        behind >= 0 && behind < MINUTE_MS
    }

    /// Its first second.
    #[inline]
    #[must_use]
    pub const fn first_second(self) -> UtcS {
        UtcS(self.0.saturating_mul(MINUTE_S))
    }

    /// The day of UTC that it is in.
    #[inline]
    #[must_use]
    pub const fn day(self) -> CivilDay {
        CivilDay(self.0.div_euclid(DAY_MIN))
    }

    /// The minutes from this one to another, which is not among them.
    #[inline]
    pub fn up_to(self, end: Minute) -> impl DoubleEndedIterator<Item = Minute> + Clone {
        (self.0..end.0).map(Minute)
    }
}

impl CivilDay {
    /// When it begins, in UTC.
    #[inline]
    #[must_use]
    pub const fn start(self) -> UtcMs {
        UtcMs(self.0.saturating_mul(DAY_MS))
    }

    /// Its first minute, in UTC.
    #[inline]
    #[must_use]
    pub const fn first_minute(self) -> Minute {
        Minute(self.0.saturating_mul(DAY_MIN))
    }

    /// The day as jiff has it; beyond its calendar, 1970-01-01.
    #[must_use]
    pub fn date(self) -> Date {
        let first = Date::constant(1970, 1, 1);
        let days = Span::new().try_days(self.0).unwrap_or_default();
        first.checked_add(days).unwrap_or(first)
    }

    /// The days from this one to another, which is not among them.
    #[inline]
    pub fn up_to(self, end: CivilDay) -> impl DoubleEndedIterator<Item = CivilDay> + Clone {
        (self.0..end.0).map(CivilDay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_one_another() {
        let at = UtcMs::new(1_528_308_065_120); // 2018-06-06 18:01:05.12 UTC
        assert_eq!(at.second(), UtcS::new(1_528_308_065));
        assert_eq!(at.second().start(), at.floor_to(SECOND_MS));
        assert_eq!(UtcS::from(at.timestamp().unwrap()), at.second());
        assert_eq!(at.minute(), Minute::new(25_471_801));
        assert_eq!(at.minute().start(), at.floor_to(MINUTE_MS));
        assert_eq!((at.minute(), at.day()), (at.second().minute(), at.second().day()));
        assert_eq!(at.minute().first_second().start(), at.minute().start());
        assert!(at.minute().has(at) && !(at.minute() - 1).has(at) && !at.minute().has(at + MINUTE_MS));
        assert_eq!(at.day(), at.minute().day());
        assert_eq!(at.day().start(), at.floor_to(DAY_MS));
        assert_eq!(at.day().first_minute().start(), at.day().start());
        assert_eq!(at.timestamp().unwrap().to_string(), "2018-06-06T18:01:05.12Z");
        assert_eq!(at.day().date().to_string(), "2018-06-06");
        assert_eq!(CivilDay::MAX.date().to_string(), "1970-01-01");
        assert_eq!(UtcMs::from(at.timestamp().unwrap()), at);
        // Before 1970 a minute begins before its times, too.
        assert_eq!(UtcMs::new(-1).minute(), Minute::new(-1));
        assert_eq!(UtcMs::new(-1).day().start(), UtcMs::new(-DAY_MS));
    }

    #[test]
    fn differences_are_numbers_and_ends_hold() {
        let at = UtcMs::EPOCH + HOUR_MS;
        assert_eq!(at - UtcMs::EPOCH, HOUR_MS);
        assert_eq!((at - HOUR_MS, UtcMs::EPOCH.since(at)), (UtcMs::EPOCH, -HOUR_MS));
        assert_eq!(UtcMs::MAX.saturating_add(1), UtcMs::MAX);
        assert_eq!(UtcMs::MAX.since(UtcMs::MIN), i64::MAX);
        assert_eq!((UtcMs::MAX.checked_add(1), UtcMs::MIN.checked_sub(1)), (None, None));
        assert_eq!(Minute::MAX.start(), UtcMs::MAX);
        assert!(UtcMs::MAX.timestamp().is_err());
        let minutes: Vec<_> = Minute::new(3).up_to(Minute::new(5)).collect();
        assert_eq!(minutes, [Minute::new(3), Minute::new(4)]);
        assert_eq!(Minute::new(5).up_to(Minute::new(3)).count(), 0);
    }
}
