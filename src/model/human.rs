//! Numbers for people: ages, sizes, rates and counts as tables, pages, alarms and graphs print them. JSON and CSV have the
//! raw numbers, with the unit in their key.

use super::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// From here on, hours beside days say nothing.
const DAYS_ALONE: i64 = 30;
const DAYS_OF_YEARS: i64 = 730;

/// A length of time in its two largest units: `120 ms`, `4.5 s`, `7 h 5 min`, `3 d 4 h`, `45 d`, `8.5 years`.
pub fn duration(ms: i64) -> String {
    let ms = ms.saturating_abs();
    let two = |large: i64, unit: &str, small: i64, of: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {of}"),
    };
    match ms {
        0 => "0 s".to_owned(),
        1..SECOND_MS => format!("{ms} ms"),
        SECOND_MS..10_000 if ms % SECOND_MS >= 50 => format!("{:.1} s", ms as f64 / SECOND_MS as f64),
        SECOND_MS..MINUTE_MS => format!("{} s", ms / SECOND_MS),
        MINUTE_MS..HOUR_MS => format!("{} min", ms / MINUTE_MS),
        _ if ms < 2 * DAY_MS => two(ms / HOUR_MS, "h", ms % HOUR_MS / MINUTE_MS, "min"),
        _ => match ms / DAY_MS {
            days @ ..DAYS_ALONE => two(days, "d", ms % DAY_MS / HOUR_MS, "h"),
            days @ ..DAYS_OF_YEARS => format!("{days} d"),
            days => format!("{:.1} years", days as f64 / 365.25),
        },
    }
}

/// How long ago: `3 d 4 h ago`; `in 5 min` for what is still to come.
pub fn ago(ms: i64) -> String {
    match ms {
        ..0 => format!("in {}", duration(ms)),
        _ => format!("{} ago", duration(ms)),
    }
}

/// A size with a decimal prefix: `512 B`, `17.2 MB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1e3;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A rate in the unit that suits it: `1.8/min`, `12/h`, `5/day`.
pub fn rate(per_minute: f64) -> String {
    let (value, unit) = match per_minute {
        p if p >= 1.0 => (p, "min"),
        p if p * 60.0 >= 1.0 => (p * 60.0, "h"),
        p => (p * 1_440.0, "day"),
    };
    format!("{}/{unit}", decimal(value))
}

/// A number with a decimal where it is below ten: `0`, `1.8`, `12`, `1,250`.
pub fn decimal(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let tenths = (value * 10.0).round() / 10.0;
    match tenths.abs() < 10.0 && tenths.fract() != 0.0 {
        true => format!("{tenths:.1}"),
        false => count(value.round() as i64),
    }
}

/// A count with its thousands apart: `1,234,567`.
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        out.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 alarm`, `1,200 alarms`.
pub fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(i64::try_from(number).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_two_units_at_most() {
        for (ms, text) in [
            (0, "0 s"),
            (120, "120 ms"),
            (4_500, "4.5 s"),
            (4_000, "4 s"),
            (59_999, "59 s"),
            (7 * MINUTE_MS, "7 min"),
            (7 * HOUR_MS + 5 * MINUTE_MS, "7 h 5 min"),
            (26 * HOUR_MS, "26 h"),
            (76 * HOUR_MS, "3 d 4 h"),
            (45 * DAY_MS + HOUR_MS, "45 d"),
            (3_098 * DAY_MS, "8.5 years"),
            (i64::MIN, "292271023.0 years"),
        ] {
            assert_eq!(duration(ms), text);
        }
        assert_eq!([ago(76 * HOUR_MS), ago(-MINUTE_MS)], ["3 d 4 h ago", "in 1 min"]);
    }

    #[test]
    fn sizes_rates_and_counts() {
        let sizes = [0, 999, 1_000, 17_249_000, 999_999, 1_000_000, u64::MAX].map(size);
        assert_eq!(
            sizes,
            ["0 B", "999 B", "1.0 kB", "17.2 MB", "1.0 MB", "1.0 MB", "18.4 EB"]
        );
        let rates = [1.8, 1_250.0, 0.2, 5.0 / 1_440.0, 0.0].map(rate);
        assert_eq!(rates, ["1.8/min", "1,250/min", "12/h", "5/day", "0/day"]);
        let counts = [0, 999, 1_000, -1_234_567, i64::MIN].map(count);
        assert_eq!(
            counts,
            ["0", "999", "1,000", "-1,234,567", "-9,223,372,036,854,775,808"]
        );
        assert_eq!(
            [counted(1, "alarm"), counted(1_200, "alarm")],
            ["1 alarm", "1,200 alarms"]
        );
        assert_eq!([decimal(f64::NAN), decimal(9.96), decimal(12.4)], ["-", "10", "12"]);
    }
}
