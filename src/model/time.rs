//! Times: their types, which are those of the crate `mailpulse-time`, and how people write them, and durations:
//! `2018-06-06T18:00Z`, `2018-06-06 18:00`, `-24h`, `now`.

pub use mailpulse_time::{
    CivilDay, DAY_MIN, DAY_MS, DAY_S, HOUR_MIN, HOUR_MS, MINUTE_MS, MINUTE_S, Minute, SECOND_MS, UtcMs, UtcS, WEEK_S,
};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// What is further ahead of the clock than this has not happened, milliseconds: zones and clocks differ by less.
pub const AHEAD_MS: i64 = DAY_MS;

/// What words for times refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The clock: `now`.
    pub now_ms: UtcMs,
    /// What relative times (`-24h`) count back from: the clock, or the end of a history that has ended.
    pub at_ms: UtcMs,
}

impl End {
    /// The clock for both.
    pub fn clock(now_ms: UtcMs) -> End {
        End { now_ms, at_ms: now_ms }
    }

    /// A point in time; a time without a zone is UTC.
    ///
    /// # Errors
    /// The text is no time: which forms there are.
    pub fn parse(self, text: &str) -> Result<UtcMs, String> {
        self.parse_in(&TimeZone::UTC, text)
    }

    /// The same, where a time without a zone is of this one.
    ///
    /// # Errors
    /// The text is no time: which forms there are.
    pub fn parse_in(self, zone: &TimeZone, text: &str) -> Result<UtcMs, String> {
        let text = text.trim();
        if text == "now" {
            return Ok(self.now_ms);
        }
        match text.strip_prefix('-') {
            Some(back) => Ok(self.at_ms - parse_duration_ms(back)?),
            None => parse_absolute(zone, text),
        }
    }
}

fn parse_absolute(zone: &TimeZone, text: &str) -> Result<UtcMs, String> {
    // jiff wants seconds where a zone follows; people leave them out.
    let with_seconds = match text.strip_suffix('Z') {
        Some(civil) if civil.matches(':').count() == 1 => format!("{civil}:00Z"),
        _ => text.to_owned(),
    };
    if let Ok(time) = with_seconds.parse::<Timestamp>() {
        return Ok(UtcMs::from(time));
    }
    text.parse::<DateTime>()
        .ok()
        .and_then(|civil| zone.to_timestamp(civil).ok())
        .map(UtcMs::from)
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
        let (number, behind) = rest.split_at_checked(digits).ok_or_else(bad)?;
        let number: i64 = number.parse().map_err(|_| bad())?;
        let length = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at_checked(length).ok_or_else(bad)?;
        let factor = match unit {
            "ms" => 1,
            "s" => SECOND_MS,
            "m" | "min" => MINUTE_MS,
            "h" => HOUR_MS,
            "d" => DAY_MS,
            "w" => 7 * DAY_MS,
            _ => return Err(bad()),
        };
        sum = number
            .checked_mul(factor)
            .and_then(|ms| sum.checked_add(ms))
            .ok_or_else(bad)?;
        rest = behind;
    }
    Ok(sum)
}

/// RFC 3339 in UTC, with milliseconds only where there are some.
pub fn rfc3339(at: UtcMs) -> String {
    match at.timestamp() {
        Ok(time) => time.to_string(),
        Err(_) => format!("{} ms", at.get()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_times_in_many_ways() {
        let at = UtcMs::new(1_528_308_000_000); // 2018-06-06 18:00 UTC
        for text in [
            "2018-06-06T18:00Z",
            "2018-06-06 18:00",
            "2018-06-06T18:00:00+00:00",
            "2018-06-06T20:00:00+02:00",
        ] {
            assert_eq!(End::clock(UtcMs::EPOCH).parse(text), Ok(at), "{text}");
        }
        let end = End {
            now_ms: at + 1,
            at_ms: at,
        };
        assert_eq!(end.parse("2018-06-06"), Ok(at - 18 * 3_600_000));
        assert_eq!(end.parse("now"), Ok(at + 1));
        assert_eq!(end.parse("-1h30m"), Ok(at - 5_400_000));
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for text in ["2018-06-06 20:00", "2018-06-06T18:00Z", "2018-06-06T18:00:00Z"] {
            assert_eq!(end.parse_in(&berlin, text), Ok(at), "{text}");
        }
        assert!(end.parse("yesterday").is_err());
        assert!(parse_duration_ms("5 parsecs").is_err());
        assert!(parse_duration_ms("").is_err());
        assert!(parse_duration_ms("99999999999999w").is_err());
    }

    #[test]
    fn times_are_printed_as_rfc3339() {
        assert_eq!(rfc3339(UtcMs::new(1_528_308_000_000)), "2018-06-06T18:00:00Z");
        assert_eq!(rfc3339(UtcMs::new(1_528_308_000_120)), "2018-06-06T18:00:00.12Z");
    }
}
