//! Times and durations as people write them: `2018-06-06T18:00Z`, `2018-06-06 18:00`, `-24h`, `now`.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// UTC milliseconds of a point in time; a time without a zone is UTC. `now_ms` is what `now` and `-24h` refer to.
pub fn parse_time(text: &str, now_ms: i64) -> Result<i64, String> {
    let text = text.trim();
    if text == "now" {
        return Ok(now_ms);
    }
    if let Some(back) = text.strip_prefix('-') {
        return Ok(now_ms - parse_duration_ms(back)?);
    }
    // jiff wants seconds where a zone follows; people leave them out.
    let with_seconds = match text.strip_suffix('Z') {
        Some(civil) if civil.matches(':').count() == 1 => format!("{civil}:00Z"),
        _ => text.to_owned(),
    };
    if let Ok(time) = with_seconds.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    text.parse::<DateTime>()
        .ok()
        .and_then(|civil| TimeZone::UTC.to_timestamp(civil).ok())
        .map(|time| time.as_millisecond())
        .ok_or_else(|| {
            format!(
                "`{}` is no time; write 2018-06-06T18:00Z, 2018-06-06 18:00, -24h or now",
                text.escape_debug()
            )
        })
}

/// Milliseconds of a duration: `90s`, `5m`, `24h`, `7d`, `2w`, or several in a row (`1h30m`).
pub fn parse_duration_ms(text: &str) -> Result<i64, String> {
    let bad = || {
        format!(
            "`{}` is no duration; write 90s, 5m, 24h, 7d or 1h30m",
            text.escape_debug()
        )
    };
    let mut rest = text.trim();
    let mut sum = 0i64;
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let number: i64 = rest[..digits].parse().map_err(|_| bad())?;
        let unit = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |len| digits + len);
        let factor = match &rest[digits..unit] {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            _ => return Err(bad()),
        };
        sum = number
            .checked_mul(factor)
            .and_then(|ms| sum.checked_add(ms))
            .ok_or_else(bad)?;
        rest = &rest[unit..];
    }
    Ok(sum)
}

/// RFC 3339 in UTC, with milliseconds only where there are some.
pub fn rfc3339(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{ms} ms"),
    }
}

/// `7 h 5 min`, for people.
pub fn human_duration(ms: i64) -> String {
    let duration = SignedDuration::from_millis(ms.abs());
    let (hours, minutes, seconds) = (duration.as_hours(), duration.as_mins() % 60, duration.as_secs() % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, m) => format!("{m} min"),
        (h, 0) if h < 48 => format!("{h} h"),
        (h, m) if h < 48 => format!("{h} h {m} min"),
        (h, _) => format!("{} d", h / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_times_in_many_ways() {
        let at = 1_528_308_000_000; // 2018-06-06 18:00 UTC
        for text in [
            "2018-06-06T18:00Z",
            "2018-06-06 18:00",
            "2018-06-06T18:00:00+00:00",
            "2018-06-06T20:00:00+02:00",
        ] {
            assert_eq!(parse_time(text, 0), Ok(at), "{text}");
        }
        assert_eq!(parse_time("2018-06-06", 0), Ok(at - 18 * 3_600_000));
        assert_eq!(parse_time("now", at), Ok(at));
        assert_eq!(parse_time("-1h30m", at), Ok(at - 5_400_000));
        assert!(parse_time("yesterday", at).is_err());
        assert!(parse_duration_ms("5 parsecs").is_err());
        assert!(parse_duration_ms("").is_err());
        assert!(parse_duration_ms("99999999999999w").is_err());
    }

    #[test]
    fn times_are_printed_as_rfc3339() {
        assert_eq!(rfc3339(1_528_308_000_000), "2018-06-06T18:00:00Z");
        assert_eq!(rfc3339(1_528_308_000_120), "2018-06-06T18:00:00.12Z");
    }
}
