//! The year of a stamp that has none.

use super::spec::Spec;
use crate::model::time::{DAY_MS, UtcMs};
use mailpulse_parsers::Stamp;

/// A day of grace, for zones and for clocks.
const GRACE_MS: i64 = DAY_MS;

/// 29 February is at most so many years apart: around 1900 and 2100.
const LEAP_YEARS_APART: i16 = 8;

/// The year of an RFC 3164 stamp, which has none: the configured one, or else the last one in which the line is not
/// younger than its file. 29 February is of a leap year.
pub fn with_year(stamp: &mut Stamp, spec: &Spec, mtime_ms: UtcMs) {
    if stamp.year != 0 {
        return;
    }
    let newest = spec.year.unwrap_or_else(|| {
        let written = mtime_ms.timestamp();
        // Where the log's zone is ahead of UTC, its year may begin earlier.
        written.map_or(1970, |t| t.to_zoned(jiff::tz::TimeZone::UTC).year()) + 1
    });
    let fits = |year: i16| {
        let has_day = (stamp.month, stamp.day) != (2, 29) || jiff::civil::Date::new(year, 2, 29).is_ok();
        let in_year = Stamp { year, ..*stamp };
        has_day && (spec.year.is_some() || UtcMs::new(in_year.utc_ms()) <= mtime_ms + GRACE_MS)
    };
    let years = (newest - LEAP_YEARS_APART - 1..=newest).rev();
    stamp.year = years.into_iter().find(|year| fits(*year)).unwrap_or(newest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::spec::Grammar;
    use jiff::tz::TimeZone;

    #[test]
    fn the_year_of_a_stamp_without_one() {
        let year = |month: u8, day: u8, hour: u8, written: &str, configured: Option<i16>| {
            let spec = Spec {
                year: configured,
                ..Spec::of(Grammar::Postfix, TimeZone::UTC)
            };
            let mut stamp = Stamp {
                month,
                day,
                hour,
                ..Stamp::default()
            };
            let written: jiff::Timestamp = written.parse().unwrap();
            with_year(&mut stamp, &spec, UtcMs::from(written));
            stamp.year
        };
        assert_eq!(year(6, 6, 0, "2018-06-06T12:00:00Z", None), 2018);
        assert_eq!(year(12, 31, 23, "2019-01-01T00:00:02Z", None), 2018);
        assert_eq!(year(6, 7, 11, "2018-06-06T12:00:00Z", None), 2018);
        assert_eq!(year(6, 7, 13, "2018-06-06T12:00:00Z", None), 2017);
        // New Year's Day east of Greenwich.
        assert_eq!(year(1, 1, 1, "2018-12-31T23:30:00Z", None), 2019);
        for (written, leap) in [
            ("2024-02-29T12:00:00Z", 2024),
            ("2024-02-28T13:00:00Z", 2024),
            ("2024-02-27T12:00:00Z", 2020),
            ("2023-03-01T12:00:00Z", 2020),
            ("2027-01-01T00:00:00Z", 2024),
            ("1903-06-01T00:00:00Z", 1896),
        ] {
            assert_eq!(year(2, 29, 12, written, None), leap, "{written}");
        }
        assert_eq!(year(2, 29, 0, "2030-01-01T00:00:00Z", Some(2024)), 2024);
        assert_eq!(year(2, 29, 0, "2030-01-01T00:00:00Z", Some(2023)), 2020);
        assert_eq!(year(6, 6, 0, "2030-01-01T00:00:00Z", Some(2018)), 2018);
    }
}
