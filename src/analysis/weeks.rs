//! The same hours of the weeks before: is this less than usual, by a look that needs no model?

use crate::model::human;
use crate::model::time::{DAY_MS, MINUTE_MS, UtcMs, rfc3339};
use crate::query::history::MailHistory;
use crate::query::rates::RateQuestion;
use crate::query::series::{Series, SeriesSet};
use crate::query::{QueryError, Window};
use jiff::tz::TimeZone;

/// Weeks that are looked back.
const WEEKS: i64 = 4;
const WEEK_MS: i64 = 7 * DAY_MS;

/// A window beside the same hours of the weeks before.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weeks {
    /// This week first, and then those before it, all at the times of this one.
    pub set: SeriesSet,
    /// What comes of it, in a sentence; none without a week before.
    pub sentence: Option<String>,
}

/// Asks the same of each of the weeks before that the history has as a whole.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn weeks(store: &dyn MailHistory, question: &RateQuestion, zone: &TimeZone) -> Result<Weeks, QueryError> {
    let window = question.window;
    let first_ms = store.span(window.until_ms)?.map(|(first, _)| first);
    let Some(first_ms) = first_ms else {
        return Ok(Weeks::default());
    };
    let mut set = SeriesSet::default();
    let mut sums = Vec::new();
    for back in 0..=WEEKS {
        let since_ms = window.since_ms - back * WEEK_MS;
        if back > 0 && since_ms < first_ms {
            break;
        }
        let asked = RateQuestion {
            window: Window {
                since_ms,
                until_ms: window.until_ms - back * WEEK_MS,
            },
            ..question.clone()
        };
        let mut found = store.rates(&asked)?;
        let points = found.total();
        sums.push(points.iter().flatten().sum::<f64>() * (question.step_ms / MINUTE_MS) as f64);
        if back == 0 {
            found.series.clear();
            set = found;
        }
        set.series.push(Series {
            name: day_of(since_ms, zone),
            points,
            expected: None,
        });
    }
    let sentence = sums
        .split_first()
        .and_then(|(now, before)| sentence((window, zone), *now, before));
    Ok(Weeks { set, sentence })
}

fn day_of(at: UtcMs, zone: &TimeZone) -> String {
    match at.timestamp() {
        Ok(time) => time.to_zoned(zone.clone()).date().to_string(),
        Err(_) => rfc3339(at),
    }
}

/// `38 % less than on the last 4 Tuesdays (62 mails, 100 on average)`.
pub(super) fn sentence((window, zone): (Window, &TimeZone), now: f64, before: &[f64]) -> Option<String> {
    let average = before.iter().sum::<f64>() / before.len() as f64;
    if before.is_empty() || average <= 0.0 {
        return None;
    }
    let count = before.len();
    let when = match (weekday(window, zone), count) {
        (Some(day), 1) => format!("on the last {day}"),
        (Some(day), _) => format!("on the last {count} {day}s"),
        (None, 1) => "in the same hours of the last week".to_owned(),
        (None, _) => format!("in the same hours of the last {count} weeks"),
    };
    let percent = ((now / average - 1.0) * 100.0).round();
    let change = match percent {
        p if p < 0.0 => format!("{:.0} % less than", -p),
        p if p > 0.0 => format!("{p:.0} % more than"),
        _ => "As much as".to_owned(),
    };
    let (now, average) = (human::count(now.round() as i64), human::decimal(average));
    Some(format!("{change} {when}: {now} mails, {average} on average."))
}

/// The day of the week that a window lies in as a whole.
fn weekday(window: Window, zone: &TimeZone) -> Option<&'static str> {
    let time = |at: UtcMs| Some(at.timestamp().ok()?.to_zoned(zone.clone()));
    let (first, last) = (time(window.since_ms)?, time(window.until_ms - 1)?);
    let names = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];
    let number = first.weekday().to_monday_zero_offset();
    (first.date() == last.date()).then(|| names[number.rem_euclid(7) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_and_more_are_told_of_the_same_day_or_the_same_hours() {
        // 2018-06-06 18:00 UTC, a Wednesday.
        let since_ms = 1_528_308_000_000;
        let of = |hours: i64, now: f64, before: &[f64]| {
            let window = Window {
                since_ms: UtcMs::new(since_ms),
                until_ms: UtcMs::new(since_ms + hours * 3_600_000),
            };
            sentence((window, &TimeZone::UTC), now, before)
        };
        assert_eq!(
            of(6, 62.0, &[100.0, 90.0, 110.0, 100.0]).unwrap(),
            "38 % less than on the last 4 Wednesdays: 62 mails, 100 on average."
        );
        assert_eq!(
            of(7, 3.0, &[2.0]).unwrap(),
            "50 % more than in the same hours of the last week: 3 mails, 2 on average."
        );
        assert!(
            of(1, 2.0, &[2.0, 2.0])
                .unwrap()
                .starts_with("As much as on the last 2 Wednesdays")
        );
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let evening = Window {
            since_ms: UtcMs::new(since_ms),
            until_ms: UtcMs::new(since_ms + 5 * 3_600_000),
        };
        let said = sentence((evening, &berlin), 1.0, &[1.0]).unwrap();
        assert!(said.contains("hours"), "midnight is at 22:00 UTC there: {said}");
        assert_eq!(of(1, 5.0, &[]), None);
        assert_eq!(of(1, 5.0, &[0.0, 0.0]), None);
    }
}
