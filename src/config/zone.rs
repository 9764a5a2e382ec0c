//! Time zones by name or offset.

use jiff::tz::{Offset, TimeZone};

use super::errors::nearest;

/// Default of every `timezone`; the code uses `TimeZone::UTC` for it.
pub(super) const DEFAULT_ZONE: &str = "UTC";

/// A zone by its IANA name, or a fixed offset: `Europe/Berlin`, `+02:00`, `-0330`. The error is the hint.
pub(crate) fn parse_timezone(text: &str) -> Result<TimeZone, String> {
    if let Some(offset) = fixed_offset(text) {
        return Ok(TimeZone::fixed(offset));
    }
    if matches!(text, "UTC" | "utc" | "Z") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(text).map_err(|_| {
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        match nearest(text, names.iter().map(String::as_str)) {
            Some(name) => format!("did you mean `{name}`?"),
            None if names.is_empty() => "this machine has no zone database: install tzdata, or write +02:00".to_owned(),
            None => "write a name such as `Europe/Berlin`, or an offset such as `+02:00`".to_owned(),
        }
    })
}

fn fixed_offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.strip_prefix('+') {
        Some(digits) => (1, digits),
        None => (-1, text.strip_prefix('-')?),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "00"),
    };
    let number = |part: &str| {
        part.parse::<i32>()
            .ok()
            .filter(|_| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 23 && minutes <= 59).then(|| Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_names() {
        for (text, seconds) in [
            ("+02:00", 7200),
            ("-0330", -12_600),
            ("+05", 18_000),
            ("+23:59", 86_340),
        ] {
            assert_eq!(fixed_offset(text).map(Offset::seconds), Some(seconds), "{text}");
        }
        for text in [
            "",
            "+",
            "+2",
            "+24:00",
            "+01:60",
            "+1:00",
            "++1:00",
            "+é0",
            "02:00",
            "+01:00:00",
        ] {
            assert_eq!(fixed_offset(text), None, "{text}");
        }
        assert_eq!(parse_timezone("UTC"), Ok(TimeZone::UTC));
    }
}
