//! Instants (seconds since the epoch, UTC), the stamps that Exim writes, base 62.

/// A minute, an hour, a day, in seconds.
pub(super) const MINUTE: i64 = 60;
pub(super) const HOUR: i64 = 3600;
pub(super) const DAY: i64 = 86_400;

/// 2018-06-06 18:55:00 UTC: Exim is stopped on mx1001.
pub const STOPPED: i64 = 1_528_311_300;
/// 2018-06-07 02:00:00 UTC: it is started again.
pub const RESTARTED: i64 = 1_528_336_800;
/// 2018-06-07 06:00:00 UTC: the logs end.
pub const UNTIL: i64 = 1_528_351_200;
/// 2018-06-07 00:00:00 UTC: `history_days` count back from here.
pub(super) const MIDNIGHT: i64 = 1_528_329_600;
/// logrotate runs at 06:25 UTC.
pub(super) const ROTATION_OF_DAY: i64 = 6 * HOUR + 25 * MINUTE;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Writes the last digits of `n` in base 62, as many as `out` has room for, as Exim's `string_base62`.
pub(super) fn base62(mut n: u64, out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        *digit = BASE62[(n % 62) as usize];
        n /= 62;
    }
}

/// Year, month and day of a day since the epoch (proleptic Gregorian, Howard Hinnant's algorithm).
pub(super) fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (
        yoe + era * 400 + i64::from(month <= 2),
        month,
        doy - (153 * mp + 2) / 5 + 1,
    )
}

/// Day of the week, 0 = Monday.
pub(super) fn weekday(t: i64) -> i64 {
    (t.div_euclid(DAY) + 3).rem_euclid(7)
}

/// Formats `YYYY-MM-DD HH:MM:SS`, keeping the last answer: most lines share their second with another.
pub(super) struct TimeFormatter {
    of: i64,
    text: [u8; 19],
}

impl TimeFormatter {
    /// A formatter that has formatted nothing yet.
    pub(super) fn new() -> Self {
        Self {
            of: i64::MIN,
            text: *b"0000-00-00 00:00:00",
        }
    }

    /// The stamp of an instant.
    pub(super) fn of(&mut self, t: i64) -> &[u8; 19] {
        if t != self.of {
            if t.div_euclid(DAY) != self.of.div_euclid(DAY) {
                let (year, month, day) = civil(t.div_euclid(DAY));
                put(&mut self.text[0..2], year / 100);
                put(&mut self.text[2..4], year % 100);
                put(&mut self.text[5..7], month);
                put(&mut self.text[8..10], day);
            }
            let second = t.rem_euclid(DAY);
            put(&mut self.text[11..13], second / HOUR);
            put(&mut self.text[14..16], second / MINUTE % 60);
            put(&mut self.text[17..19], second % 60);
            self.of = t;
        }
        &self.text
    }
}

/// Two decimal digits.
fn put(out: &mut [u8], n: i64) {
    out[0] = b'0' + (n / 10) as u8;
    out[1] = b'0' + (n % 10) as u8;
}

/// An instant as RFC 3339 in UTC.
#[expect(clippy::disallowed_methods, reason = "digits of our own making")]
pub fn rfc3339(t: i64) -> String {
    let mut stamp = TimeFormatter::new();
    let text = String::from_utf8_lossy(stamp.of(t));
    format!("{}Z", text.replace(' ', "T"))
}

/// A duration as Exim's `readconf_printtime`: `3s`, `2m3s`, `1h2m3s`, `3d4h`.
pub(super) fn duration(mut secs: i64) -> String {
    let mut text = String::new();
    for (unit, letter) in [(7 * DAY, 'w'), (DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm')] {
        if secs >= unit {
            text.push_str(&format!("{}{letter}", secs / unit));
            secs %= unit;
        }
    }
    if secs > 0 || text.is_empty() {
        text.push_str(&format!("{secs}s"));
    }
    text
}
