//! When a record was written: with date, with the time of day only, or not said at all.

use crate::Stamp;
use crate::cut::Cut;
use crate::prim::{Parsed, fail, fraction};
use crate::stamp::{civil, days_of_month, in_range, month_number, numeric_zone, pair};

/// The time of a record. What it lacks is the caller's to add: zone, date, or all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Date and time; the year is 0 where the format prints none.
    Full(Stamp),
    /// Time of day: the date follows from the file's time and from order.
    TimeOfDay(TimeOfDay),
    /// None: the time of a dated record nearby, or the file's.
    Undated,
}

/// A time of day as printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeOfDay {
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 60.
    pub second: u8,
    /// Milliseconds, 0 to 999; finer fractions are cut off.
    pub millis: u16,
}

/// `YYYY-MM-DD( |T)HH:MM:SS[(.|,)f][zone]`, zone `Z`, `±hhmm` or `±hh:mm`, with or without a space before it.
///
/// # Errors
/// Not of that shape, or a part out of range.
#[inline]
pub(super) fn iso(input: &[u8]) -> Parsed<'_, Stamp> {
    let separator = match input.get(10) {
        Some(b'T') => b'T',
        _ => b' ',
    };
    let (rest, mut stamp) = civil(input, separator)?;
    let (rest, millis) = millis(rest);
    stamp.millis = millis;
    let spaced = match rest {
        [b' ', b'+' | b'-', ..] => rest.past(1),
        // `10:00:00 Z`, and not `10:00:00 Zookeeper`.
        [b' ', b'Z', after @ ..] if after.first().is_none_or(|byte| !byte.is_ascii_alphanumeric()) => rest.past(1),
        _ => rest,
    };
    if let [b'Z', after @ ..] = spaced {
        stamp.offset_seconds = Some(0);
        return Ok((after, stamp));
    }
    if let Some((seconds, used)) = numeric_zone(spaced) {
        stamp.offset_seconds = Some(seconds);
        return Ok((spaced.past(used), stamp));
    }
    Ok((rest, stamp))
}

/// `.fff…` or `,fff…`, or nothing.
#[inline]
pub(super) fn millis(input: &[u8]) -> (&[u8], u16) {
    match input {
        [b'.' | b',', digits @ ..] => match fraction(digits) {
            (0, _) => (input, 0),
            (used, ms) => (digits.past(used), ms as u16),
        },
        _ => (input, 0),
    }
}

/// `HH:MM:SS[(.|,)f]`.
///
/// # Errors
/// Not of that shape, or a part out of range.
#[inline]
pub(super) fn time_of_day(input: &[u8]) -> Parsed<'_, TimeOfDay> {
    let Some((text, rest)) = input.split_first_chunk::<8>() else {
        return fail(input, "a time of day (HH:MM:SS)");
    };
    let mut bad = 0;
    let (hour, minute, second) = (
        pair(text[0], text[1], &mut bad),
        pair(text[3], text[4], &mut bad),
        pair(text[6], text[7], &mut bad),
    );
    if [text[2], text[5]] != *b"::" || bad > 9 || hour > 23 || minute > 59 || second > 60 {
        return fail(input, "a time of day (HH:MM:SS)");
    }
    let (rest, millis) = millis(rest);
    Ok((
        rest,
        TimeOfDay {
            hour,
            minute,
            second,
            millis,
        },
    ))
}

/// `06-Jun-2018 19:02:11` or `06/Jun/2018 19:02:11`, with `separator` as it is there.
///
/// # Errors
/// Not of that shape, or a part out of range.
#[inline]
pub(super) fn day_first(input: &[u8], separator: u8) -> Parsed<'_, Stamp> {
    const SHAPE: &str = "a timestamp (dd Mmm YYYY HH:MM:SS)";
    let Some((text, rest)) = input.split_first_chunk::<20>() else {
        return fail(input, SHAPE);
    };
    if [text[2], text[6], text[11], text[14], text[17]] != [separator, separator, b' ', b':', b':'] {
        return fail(input, SHAPE);
    }
    let Some(month) = month_number([text[3], text[4], text[5]]) else {
        return fail(input.past(3), "a month's name");
    };
    let mut bad = 0;
    let century = i16::from(pair(text[7], text[8], &mut bad));
    let stamp = Stamp {
        year: century * 100 + i16::from(pair(text[9], text[10], &mut bad)),
        month,
        day: pair(text[0], text[1], &mut bad),
        hour: pair(text[12], text[13], &mut bad),
        minute: pair(text[15], text[16], &mut bad),
        second: pair(text[18], text[19], &mut bad),
        ..Stamp::default()
    };
    if bad > 9 {
        return fail(input, SHAPE);
    }
    in_range(input, &stamp, [0, 12, 15, 18])?;
    Ok((rest, stamp))
}

/// ` ±hhmm` at the start, if it is there: offset in seconds, and the rest.
#[inline]
pub(super) fn spaced_offset(input: &[u8]) -> (&[u8], Option<i32>) {
    match input.strip_prefix(b" ").and_then(numeric_zone) {
        Some((seconds, used)) => (input.past(1 + used), Some(seconds)),
        None => (input, None),
    }
}

/// `2018-06-06 7:02:11 PM`, as PHP's `Y-m-d g:i:s A` prints it: one or two digits of the hour.
///
/// # Errors
/// Not of that shape, or a part out of range.
pub(super) fn twelve_hours(input: &[u8]) -> Parsed<'_, Stamp> {
    const SHAPE: &str = "a timestamp (YYYY-MM-DD h:MM:SS AM)";
    let Some((date, [b' ', clock @ ..])) = input.split_first_chunk::<10>() else {
        return fail(input, SHAPE);
    };
    let (tens, clock) = match clock {
        [tens, units, ..] if units.is_ascii_digit() => (*tens, clock.past(1)),
        _ => (b'0', clock),
    };
    let [
        units,
        b':',
        m1,
        m2,
        b':',
        s1,
        s2,
        b' ',
        half @ (b'A' | b'P'),
        b'M',
        rest @ ..,
    ] = clock
    else {
        return fail(input, SHAPE);
    };
    let mut bad = 0;
    let hour = pair(tens, *units, &mut bad);
    // With a zero hour it has the shape that is read already.
    let mut day = date.iter().chain(b" 00:").chain([m1, m2, &b':', s1, s2]);
    let day: [u8; 19] = std::array::from_fn(|_| day.next().copied().unwrap_or(0));
    let Ok((_, mut stamp)) = civil(&day, b' ') else {
        return fail(input, SHAPE);
    };
    if bad > 9 || !(1..=12).contains(&hour) {
        return fail(input, SHAPE);
    }
    stamp.hour = hour % 12 + if *half == b'P' { 12 } else { 0 };
    Ok((rest, stamp))
}

/// The civil time of milliseconds since 1970, in UTC. `None` outside the years 0 to 9999.
pub(super) fn from_epoch_ms(ms: i64) -> Option<Stamp> {
    let stamp = Stamp {
        millis: ms.rem_euclid(1000) as u16,
        ..Stamp::of_epoch(ms.div_euclid(1000))
    };
    (0..=9999).contains(&stamp.year).then_some(stamp)
}

/// Whether the parts of a stamp that was put together are in range.
pub(super) fn is_valid(stamp: &Stamp) -> bool {
    (1..=12).contains(&stamp.month)
        && (1..=days_of_month(stamp.year, stamp.month)).contains(&stamp.day)
        && stamp.hour < 24
        && stamp.minute < 60
        && stamp.second <= 60
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_528_311_731_000; // 2018-06-06T19:02:11Z

    #[test]
    fn forms() {
        for (text, ms) in [
            ("2018-06-06 19:02:11,123", MS + 123),
            ("2018-06-06T19:02:11.123456Z", MS + 123),
            ("2018-06-06T21:02:11+02:00", MS),
            ("2018-06-06 19:02:11.5 +0000", MS + 500),
            ("2018-06-06 19:02:11", MS),
            ("2018-06-06 19:02:11.123 Z", MS + 123),
        ] {
            let (rest, stamp) = iso(text.as_bytes()).unwrap();
            assert_eq!((rest, stamp.utc_ms()), (&b""[..], ms), "{text}");
        }
        assert_eq!(iso(b"2018-06-06 19:02:11, x").unwrap().0, b", x");
        assert_eq!(iso(b"2018-06-06 19:02:11 -- x").unwrap().0, b" -- x");
        assert_eq!(iso(b"2018-06-06 19:02:11 Zoo").unwrap().0, b" Zoo");
        assert_eq!(day_first(b"06/Jun/2018 19:02:11 ", b'/').unwrap().1.utc_ms(), MS);
        assert_eq!(day_first(b"06-Jun-2018 19:02:11", b'-').unwrap().1.utc_ms(), MS);
        for text in [
            "06-Jux-2018 19:02:11",
            "31-Jun-2018 19:02:11",
            "06-Jun-2018 19:02",
            "06/Jun/2018 19:02:11",
        ] {
            assert!(day_first(text.as_bytes(), b'-').is_err(), "{text}");
        }
        assert_eq!(time_of_day(b"05:40:47 [").unwrap().1.minute, 40);
        assert!(time_of_day(b"05:60:47").is_err());
    }

    #[test]
    fn clock_of_twelve_hours() {
        for (text, hour) in [
            ("2018-06-06 7:02:11 PM", 19),
            ("2018-06-06 12:02:11 PM", 12),
            ("2018-06-06 12:02:11 AM", 0),
            ("2018-06-06 11:02:11 AM", 11),
            ("2018-06-06 1:02:11 AM", 1),
        ] {
            assert_eq!(twelve_hours(text.as_bytes()).unwrap().1.hour, hour, "{text}");
        }
        for text in [
            "2018-06-06 13:02:11 PM",
            "2018-06-06 0:02:11 PM",
            "2018-06-06 7:02:11",
            "2018-06-06 7:02:61 PM",
            "",
        ] {
            assert!(twelve_hours(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn epoch_and_back() {
        for ms in [0, -1, MS + 7, 951_782_400_000, 253_402_300_799_999] {
            assert_eq!(from_epoch_ms(ms).unwrap().utc_ms(), ms);
            assert!(is_valid(&from_epoch_ms(ms).unwrap()));
        }
        for ms in [i64::MAX, i64::MIN, 253_402_300_800_000] {
            assert_eq!(from_epoch_ms(ms), None);
        }
    }
}
