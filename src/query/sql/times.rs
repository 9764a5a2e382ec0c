//! Literals of time, as everyone writes them: RFC 3339 with and without a zone, `YYYY-MM-DD[ HH:MM[:SS]]`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sqlparser::ast::{DataType, DateTimeField, Expr, Interval, UnaryOperator, Value, ValueWithSpan};

/// How a time is written, for messages.
pub(super) const HINT: &str = "write '2018-06-06 18:00', '2018-06-06T18:00:00Z' or milliseconds";

/// UTC milliseconds of a literal; without a zone it is UTC.
///
/// # Errors
/// It is no time, or one between two milliseconds, with the hint.
pub(super) fn literal_ms(text: &str) -> Result<i64, String> {
    let no_time = || format!("'{}' is no time; {HINT}", text.escape_debug());
    let trimmed = text.trim();
    if !trimmed.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(no_time());
    }
    let trimmed = trimmed
        .strip_suffix(" UTC")
        .map_or(trimmed.to_owned(), |civil| format!("{civil}Z"));
    let time = trimmed
        .parse::<Timestamp>()
        .or_else(|_| with_seconds(&trimmed).parse::<Timestamp>())
        .ok()
        .or_else(|| {
            trimmed
                .parse::<DateTime>()
                .ok()
                .and_then(|civil| TimeZone::UTC.to_timestamp(civil).ok())
        });
    let time = time.ok_or_else(no_time)?;
    if time.subsec_nanosecond() % 1_000_000 != 0 {
        let what = "is between two milliseconds, and times are whole milliseconds here";
        return Err(format!("'{}' {what}", text.escape_debug()));
    }
    Ok(time.as_millisecond())
}

/// `18:00Z` and `18:00+02:00` with the seconds that people leave out.
fn with_seconds(text: &str) -> String {
    let Some(at) = text.find(':') else {
        return text.to_owned();
    };
    match text.split_at_checked(at + 3) {
        Some((minutes, zone)) if zone.starts_with(['Z', 'z', '+', '-']) => format!("{minutes}:00{zone}"),
        _ => text.to_owned(),
    }
}

/// Whether a type is one of points in time: `TIMESTAMP`, `DATE`, and what other engines call them.
pub(super) fn is_time_type(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Timestamp(..)
            | DataType::Datetime(_)
            | DataType::Datetime64(..)
            | DataType::Date
            | DataType::Date32
            | DataType::TimestampNtz(_)
    )
}

/// The milliseconds of `INTERVAL '1 hour'`, `INTERVAL 90 MINUTE`; months and years have no fixed length.
///
/// # Errors
/// What it cannot be, and the hint.
pub(super) fn interval_ms(interval: &Interval) -> Result<i64, String> {
    let refused = || format!("`{interval}` is refused; write INTERVAL '90 minutes', or milliseconds");
    if interval.last_field.is_some() {
        return Err(refused());
    }
    let (negative, value) = match interval.value.as_ref() {
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => (true, expr.as_ref()),
        other => (false, other),
    };
    let text = match value {
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text) | Value::Number(text, _),
            ..
        }) => text,
        _ => return Err(refused()),
    };
    let mut words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    if let Some(field) = &interval.leading_field {
        words.push(unit(field).ok_or_else(refused)?.to_owned());
    }
    if words.is_empty() || !words.len().is_multiple_of(2) {
        return Err(refused());
    }
    let mut sum = 0i64;
    for pair in words.chunks(2) {
        let number: i64 = pair[0].parse().map_err(|_| refused())?;
        let ms = match pair[1].trim_end_matches('s') {
            "millisecond" | "m" if pair[1].starts_with("ms") || pair[1].starts_with("milli") => 1,
            "second" | "sec" => 1_000,
            "minute" | "min" => 60_000,
            "hour" | "h" => 3_600_000,
            "day" | "d" => 86_400_000,
            "week" | "w" => 7 * 86_400_000,
            _ => return Err(refused()),
        };
        sum = number
            .checked_mul(ms)
            .and_then(|ms| sum.checked_add(ms))
            .ok_or_else(refused)?;
    }
    Ok(if negative { -sum } else { sum })
}

fn unit(field: &DateTimeField) -> Option<&'static str> {
    Some(match field {
        DateTimeField::Millisecond | DateTimeField::Milliseconds => "milliseconds",
        DateTimeField::Second | DateTimeField::Seconds => "seconds",
        DateTimeField::Minute | DateTimeField::Minutes => "minutes",
        DateTimeField::Hour | DateTimeField::Hours => "hours",
        DateTimeField::Day | DateTimeField::Days => "days",
        DateTimeField::Week(None) | DateTimeField::Weeks => "weeks",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_many_ways() {
        let at = 1_528_308_000_000; // 2018-06-06 18:00 UTC
        for text in [
            "2018-06-06 18:00",
            "2018-06-06T18:00",
            "2018-06-06 18:00:00",
            "2018-06-06T18:00:00",
            "2018-06-06T18:00:00Z",
            "2018-06-06 18:00:00Z",
            "2018-06-06T18:00Z",
            "2018-06-06T18:00:00.000Z",
            "2018-06-06T20:00:00+02:00",
            "2018-06-06 20:00:00+02:00",
            "2018-06-06 20:00+02:00",
            "2018-06-06 20:00:00+02",
            "2018-06-06 18:00:00 UTC",
            " 2018-06-06T18:00:00.000 ",
        ] {
            assert_eq!(literal_ms(text), Ok(at), "{text}");
        }
        assert_eq!(literal_ms("2018-06-06"), Ok(at - 18 * 3_600_000));
        assert_eq!(literal_ms("2018-06-06 18:00:00.25"), Ok(at + 250));
        for text in [
            "",
            "yesterday",
            "now",
            "-24h",
            "2018-13-06",
            "2018-06-06 25:00",
            "18:00",
            "2018-06-06 18:00:00.0005",
        ] {
            assert!(literal_ms(text).is_err(), "{text}");
        }
    }
}
