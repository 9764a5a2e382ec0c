//! Forms of timestamps that the configuration describes, in the directives of strftime.

use super::time::{Time, TimeOfDay, from_epoch_ms, is_valid};
use crate::Stamp;
use crate::cut::Cut;
use crate::prim::fraction;
use crate::stamp::{month_number, numeric_zone};

/// A compiled form.
#[derive(Debug, Clone)]
pub(super) struct TimeFormat {
    items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Literal(Vec<u8>),
    Number(Part, Width),
    /// `%b`, or `%B` if `true`.
    Month(bool),
    /// `%a`, or `%A` if `true`.
    Weekday(bool),
    /// Digits after the point: so many, or as many as there are.
    Fraction(Option<usize>),
    AmPm,
    Offset,
    ZoneName,
    Epoch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    ShortYear,
    Month,
    Day,
    Hour,
    Hour12,
    Minute,
    Second,
}

/// Digits: this many, or two with the first blank or left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Digits(usize),
    Loose,
}

/// Every directive, for messages.
const KNOWN: &str =
    "%Y %y %m %-m %d %-d %e %b %B %a %A %H %-H %k %I %-I %l %M %S %f %3f %6f %9f %L %p %z %:z %Z %s %T %F %R %D %%";

impl TimeFormat {
    /// Compiles a form. The error is the offset in `text` in characters, and what is wrong there.
    pub(super) fn new(text: &str) -> Result<Self, (usize, String)> {
        let mut items = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            literal(&mut items, before);
            let (used, directive) = directive(after).ok_or_else(|| {
                let at = text.chars().count() - after.chars().count() - 1;
                (at, format!("unknown directive; known are {KNOWN}"))
            })?;
            items.extend(directive);
            rest = after.get(used..).unwrap_or_default();
        }
        literal(&mut items, rest);
        let format = TimeFormat { items };
        format.complete().map_err(|problem| (0, problem))?;
        Ok(format)
    }

    /// A time without its minutes is of no use, and one with half a date has no day.
    fn complete(&self) -> Result<(), String> {
        let has = |part: Part| {
            self.items
                .iter()
                .any(|item| matches!(item, Item::Number(p, _) if *p == part))
        };
        if self.items.contains(&Item::Epoch) {
            return Ok(());
        }
        let month = has(Part::Month) || self.items.iter().any(|item| matches!(item, Item::Month(_)));
        let hour = has(Part::Hour) || (has(Part::Hour12) && self.items.contains(&Item::AmPm));
        if !hour || !has(Part::Minute) {
            return Err("no time of day in it: %H and %M (or %I, %M and %p), or %s".to_owned());
        }
        if month != has(Part::Day) {
            return Err("half a date: day (%d) and month (%m or %b) go together".to_owned());
        }
        Ok(())
    }

    /// The same as a regular expression over bytes, without groups.
    pub(super) fn regex(&self) -> String {
        self.items
            .iter()
            .map(|item| match item {
                Item::Literal(text) => regex::escape(&String::from_utf8(text.clone()).unwrap_or_default()),
                Item::Number(_, Width::Digits(digits)) => format!("[0-9]{{{digits}}}"),
                Item::Number(_, Width::Loose) => " ?[0-9]{1,2}".to_owned(),
                Item::Month(false) | Item::Weekday(false) => "[A-Z][a-z]{2}".to_owned(),
                Item::Month(true) | Item::Weekday(true) => "[A-Z][a-z]{2,8}".to_owned(),
                Item::Fraction(Some(digits)) => format!("[0-9]{{{digits}}}"),
                Item::Fraction(None) => "[0-9]{1,9}".to_owned(),
                Item::AmPm => "[AaPp][Mm]".to_owned(),
                Item::Offset => "(?:Z|[+-][0-9]{2}:?[0-9]{2})".to_owned(),
                Item::ZoneName => "[A-Za-z][A-Za-z0-9_/+-]*".to_owned(),
                Item::Epoch => "[0-9]{1,11}".to_owned(),
            })
            .collect()
    }

    /// Reads a whole text. `None` if it is not of this form or a part is out of range.
    pub(super) fn parse(&self, text: &[u8]) -> Option<Time> {
        let mut read = Read::default();
        let mut rest = text;
        for item in &self.items {
            rest = read.item(item, rest)?;
        }
        if rest.is_empty() { read.time() } else { None }
    }
}

fn literal(items: &mut Vec<Item>, text: &str) {
    if text.is_empty() {
        return;
    }
    match items.last_mut() {
        Some(Item::Literal(before)) => before.extend_from_slice(text.as_bytes()),
        _ => items.push(Item::Literal(text.as_bytes().to_vec())),
    }
}

/// What follows a `%`: its length and what it stands for.
fn directive(text: &str) -> Option<(usize, Vec<Item>)> {
    let two = |part| Item::Number(part, Width::Digits(2));
    let loose = |part| Item::Number(part, Width::Loose);
    let sign = |byte: u8| Item::Literal(vec![byte]);
    let year = Item::Number(Part::Year, Width::Digits(4));
    let (hour, minute, second) = (two(Part::Hour), two(Part::Minute), two(Part::Second));
    let (used, item) = match text.as_bytes() {
        [b'Y', ..] => (1, year),
        [b'y', ..] => (1, two(Part::ShortYear)),
        [b'm', ..] => (1, two(Part::Month)),
        [b'-', b'm', ..] => (2, loose(Part::Month)),
        [b'd', ..] => (1, two(Part::Day)),
        [b'-', b'd', ..] => (2, loose(Part::Day)),
        [b'e', ..] => (1, loose(Part::Day)),
        [b'b' | b'h', ..] => (1, Item::Month(false)),
        [b'B', ..] => (1, Item::Month(true)),
        [b'a', ..] => (1, Item::Weekday(false)),
        [b'A', ..] => (1, Item::Weekday(true)),
        [b'H', ..] => (1, hour),
        [b'-', b'H', ..] => (2, loose(Part::Hour)),
        [b'k', ..] => (1, loose(Part::Hour)),
        [b'I', ..] => (1, two(Part::Hour12)),
        [b'-', b'I', ..] => (2, loose(Part::Hour12)),
        [b'l', ..] => (1, loose(Part::Hour12)),
        [b'M', ..] => (1, minute),
        [b'S', ..] => (1, second),
        [b'f', ..] => (1, Item::Fraction(None)),
        [digits @ b'1'..=b'9', b'f', ..] => (2, Item::Fraction(Some(usize::from(digits - b'0')))),
        [b'L', ..] => (1, Item::Fraction(Some(3))),
        [b'p', ..] => (1, Item::AmPm),
        [b'z', ..] => (1, Item::Offset),
        [b':', b'z', ..] => (2, Item::Offset),
        [b'Z', ..] => (1, Item::ZoneName),
        [b's', ..] => (1, Item::Epoch),
        [b'%', ..] => (1, sign(b'%')),
        [b'T', ..] => return Some((1, vec![hour, sign(b':'), minute, sign(b':'), second])),
        [b'R', ..] => return Some((1, vec![hour, sign(b':'), minute])),
        [b'F', ..] => return Some((1, vec![year, sign(b'-'), two(Part::Month), sign(b'-'), two(Part::Day)])),
        [b'D', ..] => {
            let (month, day, year) = (two(Part::Month), two(Part::Day), two(Part::ShortYear));
            return Some((1, vec![month, sign(b'/'), day, sign(b'/'), year]));
        }
        _ => return None,
    };
    Some((used, vec![item]))
}

/// The parts that were read so far.
#[derive(Default)]
struct Read {
    stamp: Stamp,
    has_date: bool,
    afternoon: Option<bool>,
    epoch: Option<i64>,
}

impl Read {
    fn item<'a>(&mut self, item: &Item, text: &'a [u8]) -> Option<&'a [u8]> {
        match item {
            Item::Literal(literal) => text.strip_prefix(literal.as_slice()),
            Item::Number(part, width) => {
                let (rest, value) = number(text, *width)?;
                self.part(*part, value)?;
                Some(rest)
            }
            Item::Month(long) => {
                let length = if *long { letters(text) } else { 3 };
                self.stamp.month = month_number(*text.get(..length)?.first_chunk()?)?;
                Some(text.past(length))
            }
            Item::Weekday(long) => text.get(if *long { letters(text) } else { 3 }..),
            Item::Fraction(digits) => {
                let (used, ms) = fraction(text.get(..digits.unwrap_or(text.len()))?);
                self.stamp.millis = ms as u16;
                (used > 0 && digits.is_none_or(|digits| digits == used)).then(|| text.past(used))
            }
            Item::AmPm => {
                let [letter, b'M' | b'm', rest @ ..] = text else {
                    return None;
                };
                self.afternoon = Some(letter.eq_ignore_ascii_case(&b'p'));
                Some(rest)
            }
            Item::Offset => {
                if let Some(rest) = text.strip_prefix(b"Z") {
                    self.stamp.offset_seconds = Some(0);
                    return Some(rest);
                }
                let (seconds, used) = numeric_zone(text)?;
                self.stamp.offset_seconds = Some(seconds);
                Some(text.past(used))
            }
            Item::ZoneName => {
                let name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/' | b'+' | b'-');
                let used = text.iter().take_while(name).count();
                if matches!(text.until(used), b"UTC" | b"GMT" | b"Z") {
                    self.stamp.offset_seconds = Some(0);
                }
                (used > 0).then(|| text.past(used))
            }
            Item::Epoch => {
                let (rest, seconds) = crate::prim::decimal(text).ok()?;
                self.epoch = Some(i64::try_from(seconds).ok()?);
                Some(rest)
            }
        }
    }

    fn part(&mut self, part: Part, value: i16) -> Option<()> {
        let small = value as u8;
        match part {
            Part::Year => self.stamp.year = value,
            Part::ShortYear => self.stamp.year = if value < 70 { 2000 + value } else { 1900 + value },
            Part::Month => self.stamp.month = small,
            Part::Day => (self.stamp.day, self.has_date) = (small, true),
            Part::Hour => self.stamp.hour = small,
            Part::Hour12 if (1..=12).contains(&small) => self.stamp.hour = small % 12,
            Part::Hour12 => return None,
            Part::Minute => self.stamp.minute = small,
            Part::Second => self.stamp.second = small,
        }
        Some(())
    }

    fn time(mut self) -> Option<Time> {
        if let Some(seconds) = self.epoch {
            let ms = seconds.checked_mul(1000)?.checked_add(i64::from(self.stamp.millis))?;
            return Some(Time::Full(from_epoch_ms(ms)?));
        }
        if self.afternoon == Some(true) {
            self.stamp.hour = self.stamp.hour.checked_add(12).filter(|hour| *hour < 24)?;
        }
        if self.has_date {
            return is_valid(&self.stamp).then_some(Time::Full(self.stamp));
        }
        let Stamp {
            hour,
            minute,
            second,
            millis,
            ..
        } = self.stamp;
        (hour < 24 && minute < 60 && second <= 60).then_some(Time::TimeOfDay(TimeOfDay {
            hour,
            minute,
            second,
            millis,
        }))
    }
}

/// At most four digits.
fn number(text: &[u8], width: Width) -> Option<(&[u8], i16)> {
    let (text, digits) = match width {
        Width::Digits(digits) => (text, digits),
        Width::Loose => {
            let text = text.strip_prefix(b" ").unwrap_or(text);
            (
                text,
                text.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count(),
            )
        }
    };
    let mut value = 0i16;
    for byte in text.get(..digits).filter(|digits| !digits.is_empty())? {
        value = value * 10 + i16::from(byte.wrapping_sub(b'0').min(10));
        if !byte.is_ascii_digit() {
            return None;
        }
    }
    Some((text.past(digits), value))
}

fn letters(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(format: &str, text: &str) -> Option<i64> {
        let format = TimeFormat::new(format).unwrap();
        let time = format.parse(text.as_bytes());
        let whole = format!("^(?s-u:{})$", format.regex());
        let matches = regex::bytes::Regex::new(&whole).unwrap().is_match(text.as_bytes());
        assert!(matches || time.is_none(), "the expression is at least as wide: {text}");
        match time? {
            Time::Full(stamp) => Some(stamp.utc_ms()),
            Time::TimeOfDay(t) => Some(i64::from(t.hour) * 3_600_000 + i64::from(t.minute) * 60_000),
            Time::Undated => None,
        }
    }

    #[test]
    fn forms() {
        const MS: i64 = 1_528_311_731_000;
        for (format, text, want) in [
            ("%Y-%m-%d %H:%M:%S,%3f", "2018-06-06 19:02:11,123", Some(MS + 123)),
            ("%FT%T.%f%z", "2018-06-06T21:02:11.123456+02:00", Some(MS + 123)),
            ("%d/%b/%Y:%H:%M:%S %z", "06/Jun/2018:19:02:11 +0000", Some(MS)),
            ("%a %b %e %T %Y", "Wed Jun  6 19:02:11 2018", Some(MS)),
            (
                "%A, %B %-d %Y %l:%M:%S %p",
                "Wednesday, June 6 2018  7:02:11 pm",
                Some(MS),
            ),
            ("%D %I:%M:%S%p %Z", "06/06/18 12:02:11AM UTC", Some(MS - 19 * 3_600_000)),
            ("%s.%f", "1528311731.5", Some(MS + 500)),
            ("%H:%M", "05:40", Some(20_400_000)),
            ("%F %T", "2018-06-31 19:02:11", None),
            ("%F %T", "2018-06-06 19:02:11 ", None),
            ("%F %T", "2018-06-0a 19:02:11", None),
            ("%F %T", "", None),
            ("%I:%M %p", "13:00 PM", None),
        ] {
            assert_eq!(ms(format, text), want, "{format}: {text}");
        }
    }

    #[test]
    fn faults_say_where() {
        for (format, offset, words) in [
            ("%Y-%Q", 3, "unknown directive"),
            ("%Y-%m-%d", 0, "no time of day"),
            ("%m %H:%M", 0, "half a date"),
            ("%", 0, "unknown directive"),
            ("é%H:%M é%Q", 8, "unknown directive"),
        ] {
            let (at, problem) = TimeFormat::new(format).unwrap_err();
            assert!(at == offset && problem.contains(words), "{format}: {at} {problem}");
        }
    }
}
