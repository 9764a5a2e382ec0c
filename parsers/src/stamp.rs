//! The timestamps of mail logs: civil time as printed, with the offset if one is printed.
//!
//! A parser has no clock and no zone: what a line does not say (the year of RFC 3164, the zone of most logs) is the
//! caller's to add.

use crate::cut::Cut;
use crate::prim::{Parsed, fail, fraction};
use std::fmt;

/// A civil time as printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Year; 0 where the format has none (RFC 3164).
    pub year: i16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 60: a leap second is printed as 60.
    pub second: u8,
    /// Milliseconds; finer fractions are cut off.
    pub millis: u16,
    /// Seconds east of UTC, where the line carries an offset.
    pub offset_seconds: Option<i32>,
}

impl Stamp {
    /// Milliseconds since 1970: the civil time taken as UTC, less the offset if there is one.
    ///
    /// ```
    /// use mailpulse_parsers::exim;
    /// let with_zone = exim::parse(b"2018-06-06 20:55:01 +0200 Start queue run: pid=9")?.stamp;
    /// let without = exim::parse(b"2018-06-06 18:55:01 Start queue run: pid=9")?.stamp;
    /// assert_eq!((with_zone.utc_ms(), without.utc_ms()), (1_528_311_301_000, 1_528_311_301_000));
    /// # Ok::<(), mailpulse_parsers::Reject>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn utc_ms(&self) -> i64 {
        let seconds_of_day = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        let seconds = self.epoch_days() * 86_400 + seconds_of_day - i64::from(self.offset_seconds.unwrap_or(0));
        seconds * 1000 + i64::from(self.millis)
    }

    /// The civil time in UTC of so many seconds since 1970.
    pub(crate) fn of_epoch(seconds: i64) -> Stamp {
        // Howard Hinnant's `civil_from_days`.
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        Stamp {
            year: i16::try_from(year_of_era + era * 400 + next).unwrap_or(i16::MAX),
            month: month as u8,
            day: (day_of_year - (153 * ((month + 9) % 12) + 2) / 5 + 1) as u8,
            hour: (second / 3600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
            millis: 0,
            offset_seconds: Some(0),
        }
    }

    /// The same in a year, in which its day must exist.
    ///
    /// ```
    /// use mailpulse_parsers::Stamp;
    /// let leap_day = Stamp { month: 2, day: 29, ..Stamp::default() };
    /// assert_eq!(leap_day.in_year(2024).map(|stamp| stamp.year), Some(2024));
    /// assert_eq!(leap_day.in_year(2023), None);
    /// ```
    #[must_use]
    pub fn in_year(self, year: i16) -> Option<Stamp> {
        (self.day <= days_of_month(year, self.month)).then_some(Stamp { year, ..self })
    }

    /// A stamp without a year, dated by another one that stands before it in the line: that of the wrapper around it.
    ///
    /// ```
    /// use mailpulse_parsers::Stamp;
    /// let inner = Stamp { month: 12, day: 31, ..Stamp::default() };
    /// let outer = Stamp { year: 2026, month: 1, day: 1, ..Stamp::default() };
    /// assert_eq!(inner.dated_by(&outer).year, 2025);
    /// ```
    #[must_use]
    pub fn dated_by(self, outer: &Stamp) -> Stamp {
        let year = match (self.month, outer.month) {
            _ if self.year != 0 || outer.year == 0 => return self,
            (12, 1) => outer.year - 1,
            (1, 12) => outer.year + 1,
            _ => outer.year,
        };
        Stamp { year, ..self }
    }

    /// Days since 1970-01-01 of the civil date: Howard Hinnant's `days_from_civil`, years counted from March.
    #[inline]
    fn epoch_days(&self) -> i64 {
        let month = i64::from(self.month);
        let year = i64::from(self.year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
    }
}

/// As RFC 3339 has it, without what is not known: no offset if the line prints none, and the year 0000.
///
/// ```
/// let line = b"2018-06-06 18:55:01.120 +0200 1fQdLN-0001Ab-Cd Completed";
/// let record = mailpulse_parsers::exim::parse(line)?;
/// assert_eq!(record.stamp.to_string(), "2018-06-06T18:55:01.120+02:00");
/// # Ok::<(), mailpulse_parsers::Reject>(())
/// ```
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}T", self.year, self.month, self.day)?;
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)?;
        if self.millis > 0 {
            write!(f, ".{:03}", self.millis)?;
        }
        if let Some(seconds) = self.offset_seconds {
            let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs() / 60);
            write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)?;
        }
        Ok(())
    }
}

/// Exim's `YYYY-MM-DD HH:MM:SS[.mmm][ ±hhmm]`.
///
/// # Errors
/// Not of that shape, or a part out of range (days of the month included).
#[inline]
pub(crate) fn exim_stamp(input: &[u8]) -> Parsed<'_, Stamp> {
    let (rest, stamp) = civil(input, b' ')?;
    after_second(rest, stamp)
}

/// The minute of the line before: most lines are of the same one, and only their second need be read.
#[derive(Debug, Clone)]
pub(crate) struct LastMinute {
    text: [u8; 17],
    stamp: Stamp,
}

impl Default for LastMinute {
    fn default() -> Self {
        let epoch = Stamp {
            year: 1970,
            month: 1,
            day: 1,
            ..Stamp::default()
        };
        LastMinute {
            text: *b"1970-01-01 00:00:",
            stamp: epoch,
        }
    }
}

impl LastMinute {
    /// [`exim_stamp`] of the next line, into one that is there: to hand it on would be to read at once, in larger pieces,
    /// what was just written, for which a processor waits.
    ///
    /// # Errors
    /// As [`exim_stamp`].
    #[inline]
    pub(crate) fn exim_stamp<'a>(&mut self, input: &'a [u8], stamp: &mut Stamp) -> Parsed<'a, ()> {
        let Some(([minute @ .., tens, units], rest)) = input.split_first_chunk::<19>() else {
            return stamp_into(exim_stamp(input), stamp);
        };
        let mut bad = 0;
        let second = pair(*tens, *units, &mut bad);
        if *minute != self.text || bad > 9 || second > 60 {
            self.stamp = civil(input, b' ')?.1;
            self.text = *minute;
        }
        *stamp = self.stamp;
        stamp.second = second;
        match rest {
            // Most logs print no more.
            [b' ', next, ..] if !matches!(next, b'+' | b'-') => Ok((rest, ())),
            _ => stamp_into(after_second(rest, *stamp), stamp),
        }
    }
}

fn stamp_into<'a>(parsed: Parsed<'a, Stamp>, stamp: &mut Stamp) -> Parsed<'a, ()> {
    let (rest, read) = parsed?;
    *stamp = read;
    Ok((rest, ()))
}

/// What Exim may print behind the second.
fn after_second(input: &[u8], second: Stamp) -> Parsed<'_, Stamp> {
    let (mut rest, mut stamp) = (input, second);
    if let [b'.', digits @ ..] = rest {
        let (used, ms) = fraction(digits);
        if used == 0 {
            return fail(digits, "milliseconds");
        }
        stamp.millis = ms as u16;
        rest = digits.past(used);
    }
    if let [b' ', zone @ ..] = rest
        && matches!(zone.first(), Some(b'+' | b'-'))
        && let Some((seconds, used)) = numeric_zone(zone)
        && matches!(zone.get(used), None | Some(b' '))
    {
        stamp.offset_seconds = Some(seconds);
        rest = zone.past(used);
    }
    Ok((rest, stamp))
}

/// RFC 3339: `2018-06-06T18:55:01[.ffffff](Z|±hh:mm)`. A space for the `T` and a missing zone are taken too.
///
/// # Errors
/// Not of that shape, or a part out of range.
pub(crate) fn rfc3339(input: &[u8]) -> Parsed<'_, Stamp> {
    let separator = if input.get(10) == Some(&b't') { b't' } else { b'T' };
    let (mut rest, mut stamp) = civil(input, separator)?;
    if let [b'.' | b',', digits @ ..] = rest {
        let (used, ms) = fraction(digits);
        if used == 0 {
            return fail(digits, "a fraction of a second");
        }
        stamp.millis = ms as u16;
        rest = digits.past(used);
    }
    match rest {
        [b'Z' | b'z', after @ ..] => {
            stamp.offset_seconds = Some(0);
            rest = after;
        }
        [b'+' | b'-', ..] => match numeric_zone(rest) {
            Some((seconds, used)) => {
                stamp.offset_seconds = Some(seconds);
                rest = rest.past(used);
            }
            None => return fail(rest, "an offset from UTC"),
        },
        _ => {}
    }
    Ok((rest, stamp))
}

/// 1 to 12 for `Jan` to `Dec`.
#[inline]
pub(crate) fn month_number(name: [u8; 3]) -> Option<u8> {
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// RFC 3164: `Jun  6 18:55:01`; the year is absent and left 0. 29 February is valid, as the year is not known.
///
/// # Errors
/// Not of that shape, or a part out of range.
pub(crate) fn rfc3164(input: &[u8]) -> Parsed<'_, Stamp> {
    let Some((text, rest)) = input.split_first_chunk::<15>() else {
        return fail(input, "a timestamp (Mmm dd HH:MM:SS)");
    };
    let Some(month) = month_number([text[0], text[1], text[2]]) else {
        return fail(input, "a month's name");
    };
    if [text[3], text[6], text[9], text[12]] != *b"  ::" {
        return fail(input, "a timestamp (Mmm dd HH:MM:SS)");
    }
    let tens = if text[4] == b' ' { b'0' } else { text[4] };
    let mut bad = 0;
    let stamp = Stamp {
        month,
        day: pair(tens, text[5], &mut bad),
        hour: pair(text[7], text[8], &mut bad),
        minute: pair(text[10], text[11], &mut bad),
        second: pair(text[13], text[14], &mut bad),
        ..Stamp::default()
    };
    if bad > 9 {
        return fail(input, "a timestamp (Mmm dd HH:MM:SS)");
    }
    // Year 0 is a leap year in the proleptic calendar, so 29 February passes.
    in_range(input, &stamp, [4, 7, 10, 13])?;
    Ok((rest, stamp))
}

/// Month and day of `Jun  6`.
pub(crate) fn named_month(input: &[u8]) -> Option<(&[u8], u8, u8)> {
    let (text, rest) = input.split_first_chunk::<6>()?;
    let month = month_number([text[0], text[1], text[2]])?;
    let tens = if text[4] == b' ' { b'0' } else { text[4] };
    let mut bad = 0;
    let day = pair(tens, text[5], &mut bad);
    (text[3] == b' ' && bad <= 9 && day > 0).then_some((rest, month, day))
}

/// `HH:MM:SS`; a stamp without a date.
pub(crate) fn time_of_day(input: &[u8]) -> Option<(&[u8], Stamp)> {
    let (text, rest) = input.split_first_chunk::<8>()?;
    let mut bad = 0;
    let stamp = Stamp {
        hour: pair(text[0], text[1], &mut bad),
        minute: pair(text[3], text[4], &mut bad),
        second: pair(text[6], text[7], &mut bad),
        ..Stamp::default()
    };
    let good = bad <= 9 && stamp.hour <= 23 && stamp.minute <= 59 && stamp.second <= 60;
    (good && [text[2], text[5]] == *b"::").then_some((rest, stamp))
}

/// `YYYY-MM-DD?HH:MM:SS` at fixed places.
#[inline]
pub(crate) fn civil(input: &[u8], separator: u8) -> Parsed<'_, Stamp> {
    const SHAPE: &str = "a timestamp (YYYY-MM-DD HH:MM:SS)";
    let Some((text, rest)) = input.split_first_chunk::<19>() else {
        return fail(input, SHAPE);
    };
    // The three overlap.
    let (Some(date), Some(day), Some(time)) = (text.first_chunk(), text.past(8).first_chunk(), text.last_chunk())
    else {
        return fail(input, SHAPE);
    };
    let [(date, no_date), (day, no_day), (time, no_time)] = [
        pairs(*date, *b"0000-00-"),
        pairs(*day, [b'0', b'0', separator, b'0', b'0', b':', b'0', b'0']),
        pairs(*time, *b"00:00:00"),
    ];
    if no_date | no_day | no_time {
        return fail(input, SHAPE);
    }
    let stamp = Stamp {
        year: i16::from(date[0]) * 100 + i16::from(date[2]),
        month: date[5],
        day: day[0],
        hour: time[0],
        minute: time[3],
        second: time[6],
        millis: 0,
        offset_seconds: None,
    };
    if stamp.month.wrapping_sub(1) > 11 {
        return fail(input.past(5), "a month (01-12)");
    }
    in_range(input, &stamp, [8, 11, 14, 17])?;
    Ok((rest, stamp))
}

/// Eight bytes, where `shape` has a `0` for a digit: for each byte the number that it makes with the one behind
/// it, of use where both are digits; and whether they are not of that shape. All eight at once: every line has a stamp.
#[inline]
fn pairs(bytes: [u8; 8], shape: [u8; 8]) -> ([u8; 8], bool) {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // Digits are 0 to 9 now, what is fixed is 0. What is more reaches the top bit when this is added.
    let values = u64::from_le_bytes(bytes) ^ u64::from_le_bytes(shape);
    let room = u64::from_le_bytes(shape.map(|byte| if byte == b'0' { 0x76 } else { 0x7f }));
    let bad = (values | ((values & (0x7f * ONES)) + room)) & (0x80 * ONES) != 0;
    ((values.wrapping_mul(10).wrapping_add(values >> 8)).to_le_bytes(), bad)
}

/// Two digits; `bad` keeps the greatest digit value seen, so that one comparison at the end tells non-digits.
#[inline]
pub(crate) fn pair(tens: u8, units: u8, bad: &mut u8) -> u8 {
    let (tens, units) = (tens.wrapping_sub(b'0'), units.wrapping_sub(b'0'));
    *bad = (*bad).max(tens).max(units);
    tens.wrapping_mul(10).wrapping_add(units)
}

/// Day, hour, minute and second in range; `places` are their offsets.
#[inline]
pub(crate) fn in_range<'a>(input: &'a [u8], stamp: &Stamp, places: [usize; 4]) -> Parsed<'a, ()> {
    let [day, hour, minute, second] = places;
    if stamp.day.wrapping_sub(1) >= days_of_month(stamp.year, stamp.month) {
        fail(input.past(day), "a day of that month")
    } else if stamp.hour > 23 {
        fail(input.past(hour), "an hour (00-23)")
    } else if stamp.minute > 59 {
        fail(input.past(minute), "a minute (00-59)")
    } else if stamp.second > 60 {
        fail(input.past(second), "a second (00-60)")
    } else {
        Ok((input, ()))
    }
}

#[inline]
pub(crate) fn days_of_month(year: i16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// `±hhmm` or `±hh:mm`: seconds east of UTC and the length.
#[inline]
pub(crate) fn numeric_zone(input: &[u8]) -> Option<(i32, usize)> {
    let (sign, h1, h2, m1, m2, used) = match *input {
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, ..] => (sign, h1, h2, m1, m2, 6),
        [sign @ (b'+' | b'-'), h1, h2, m1, m2, ..] => (sign, h1, h2, m1, m2, 5),
        _ => return None,
    };
    let mut bad = 0;
    let (hours, minutes) = (pair(h1, h2, &mut bad), pair(m1, m2, &mut bad));
    if bad > 9 || hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
    Some((if sign == b'-' { -seconds } else { seconds }, used))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        exim_stamp(text.as_bytes()).unwrap().1.utc_ms()
    }

    #[test]
    fn exim_forms() {
        assert_eq!(ms("2018-06-06 18:55:01"), 1_528_311_301_000);
        assert_eq!(ms("2018-06-06 18:55:01.123"), 1_528_311_301_123);
        assert_eq!(ms("2018-06-06 18:55:01 +0000"), 1_528_311_301_000);
        assert_eq!(ms("2018-06-06 20:55:01.007 +0200 [12] x"), 1_528_311_301_007);
        assert_eq!(ms("2018-06-06 14:25:01 -0430"), 1_528_311_301_000);
        assert_eq!(ms("1970-01-01 00:00:00"), 0);
        assert_eq!(ms("1969-12-31 23:59:59.999"), -1);
        assert_eq!(ms("2000-02-29 00:00:00"), 951_782_400_000);
        assert_eq!(ms("2016-12-31 23:59:60"), 1_483_228_800_000);
        let (rest, stamp) = exim_stamp(b"2018-06-06 18:55:01 -4300 x").unwrap();
        assert_eq!((rest, stamp.offset_seconds), (&b" -4300 x"[..], None));
    }

    #[test]
    fn the_minute_before_changes_nothing() {
        let mut last = LastMinute::default();
        for text in [
            "1970-01-01 00:00:00 x",
            "2018-06-06 18:55:01 x",
            "2018-06-06 18:55:01.250 x",
            "2018-06-06 18:55:01 +0200 x",
            "2018-06-06 18:55:01",
            "2018-06-06 18:55:61 x",
            "2018-06-06 18:55:61 x",
            "2018-06-06 18:55:60 x",
            "2018-06-06 18:55:0x x",
            "2018-06-06 18:55:x0 x",
            "2018-06-06 18:55:59 x",
            "2018-06-06 18:56:00 x",
            "2018-06-06 18:55:01. x",
            "2018-06-06 18:55:01 x",
            "2018-06-06 18:55",
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ] {
            let mut stamp = Stamp::default();
            let read = last
                .exim_stamp(text.as_bytes(), &mut stamp)
                .map(|(rest, ())| (rest, stamp));
            assert_eq!(read, exim_stamp(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn ranges() {
        for text in [
            "2018-02-29 00:00:00",
            "2018-00-01 00:00:00",
            "2018-13-01 00:00:00",
            "2018-04-31 00:00:00",
            "2018-01-00 00:00:00",
            "2018-01-01 24:00:00",
            "2018-01-01 00:60:00",
            "2018-01-01 00:00:61",
            "2018-01-01T00:00:00",
            "2018-01-0a 00:00:00",
            "2018-01-01 00:00:0",
            "1900-02-29 00:00:00",
            "2018-01-01 00:00:00.",
            "",
        ] {
            assert!(exim_stamp(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn syslog_forms() {
        let stamp = rfc3164(b"Jun  6 18:55:01 host").unwrap().1;
        assert_eq!(
            (stamp.year, stamp.month, stamp.day, stamp.hour, stamp.second),
            (0, 6, 6, 18, 1)
        );
        assert_eq!(rfc3164(b"Feb 29 18:55:01").unwrap().1.day, 29);
        for text in [
            "Jun 31 18:55:01",
            "Jux  1 18:55:01",
            "Jun  0 18:55:01",
            "Jun  6 18:55",
            "Jun 6 18:55:01 ho",
        ] {
            assert!(rfc3164(text.as_bytes()).is_err(), "{text}");
        }
        for text in [
            "2018-06-06T18:55:01.123456+00:00",
            "2018-06-06T18:55:01.123Z",
            "2018-06-06T20:55:01.1239+0200",
            "2018-06-06T18:55:01.123",
        ] {
            assert_eq!(
                rfc3339(text.as_bytes()).unwrap().1.utc_ms(),
                1_528_311_301_123,
                "{text}"
            );
        }
    }

    #[test]
    fn a_year_that_is_not_printed_is_the_one_nearest_to_the_wrapper() {
        let stamp = |text: &[u8]| rfc3164(text).unwrap().1;
        let outer = |text: &[u8]| rfc3339(text).unwrap().1;
        for (inner, wrapper, year) in [
            (&b"Nov 19 13:39:04"[..], &b"2025-11-19T13:39:04Z"[..], 2025),
            (b"Dec 31 23:59:59", b"2026-01-01T00:00:00Z", 2025),
            (b"Jan  1 00:00:00", b"2025-12-31T23:59:59Z", 2026),
        ] {
            assert_eq!(stamp(inner).dated_by(&outer(wrapper)).year, year);
        }
        assert_eq!(stamp(b"Nov 19 13:39:04").dated_by(&Stamp::default()).year, 0);
    }

    #[test]
    fn days_agree_with_a_calendar_walk() {
        let (mut year, mut month, mut day) = (1970i16, 1u8, 1u8);
        for days in 0..60_000i64 {
            let stamp = Stamp {
                year,
                month,
                day,
                ..Stamp::default()
            };
            assert_eq!(stamp.utc_ms(), days * 86_400_000, "{stamp:?}");
            let back = Stamp::of_epoch(days * 86_400 + 45_296);
            assert_eq!((back.year, back.month, back.day), (year, month, day));
            assert_eq!((back.hour, back.minute, back.second), (12, 34, 56));
            day += 1;
            if day > days_of_month(year, month) {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }
}
