//! All-day events of an iCalendar file (RFC 5545): what a holiday calendar consists of.
//!
//! Read are `DTSTART`, `DTEND` and a yearly `RRULE` on a date or on the n-th weekday of a month (`BYMONTH=11;BYDAY=4TH`),
//! with `INTERVAL`, `COUNT` and `UNTIL`; an event that repeats otherwise counts once, and its line is told. Events with a
//! time of day are meetings, not holidays, and are left out.

use super::declared_day::{BadHoliday, day_number};
use jiff::civil::{Date, Weekday};

/// Longest holiday, days.
const SPAN_MAX: i32 = 31;
/// Years that a yearly event is repeated.
const YEARS_MAX: i16 = 60;

/// One event: line, first day, days.
pub type DaySpan = (usize, i32, i32);

/// What a calendar declares.
#[derive(Debug, Default)]
pub struct Calendar {
    /// Its events, repetitions too.
    pub spans: Vec<DaySpan>,
    /// Lines of the repetitions that are not understood.
    pub once: Vec<usize>,
}

#[derive(Default)]
struct CalendarEvent {
    line: usize,
    /// Where its repetition stands.
    rule_line: usize,
    start: Option<Date>,
    end: Option<Date>,
    rule: Option<String>,
}

/// First day and length of each all-day event.
pub fn all_day_events(text: &str) -> Result<Calendar, BadHoliday> {
    let mut calendar = Calendar::default();
    let mut event: Option<CalendarEvent> = None;
    for (line, text) in unfold(text) {
        let Some((name, value)) = text.split_once(':') else {
            continue;
        };
        let name = name.split(';').next().unwrap_or_default();
        match name.to_ascii_uppercase().as_str() {
            "BEGIN" if value.eq_ignore_ascii_case("VEVENT") => {
                event = Some(CalendarEvent {
                    line,
                    ..CalendarEvent::default()
                });
            }
            "END" if value.eq_ignore_ascii_case("VEVENT") => {
                if let Some(event) = event.take() {
                    push(&event, &mut calendar)?;
                }
            }
            "DTSTART" => set(&mut event, line, value, |event, date| event.start = date)?,
            "DTEND" => set(&mut event, line, value, |event, date| event.end = date)?,
            "RRULE" => {
                if let Some(event) = &mut event {
                    (event.rule, event.rule_line) = (Some(value.trim().to_ascii_uppercase()), line);
                }
            }
            _ => {}
        }
    }
    Ok(calendar)
}

fn set(
    event: &mut Option<CalendarEvent>,
    line: usize,
    value: &str,
    assign: impl Fn(&mut CalendarEvent, Option<Date>),
) -> Result<(), BadHoliday> {
    let Some(event) = event else { return Ok(()) };
    let value = value.trim();
    if value.len() != 8 {
        assign(event, None);
        return Ok(());
    }
    let date = Date::strptime("%Y%m%d", value).map_err(|_| BadHoliday {
        line,
        why: "expected a date like 20261225",
    })?;
    assign(event, Some(date));
    Ok(())
}

fn push(event: &CalendarEvent, calendar: &mut Calendar) -> Result<(), BadHoliday> {
    let Some(start) = event.start else { return Ok(()) };
    let first = day_number(start);
    let days = event.end.map_or(1, |end| day_number(end) - first).max(1);
    if days > SPAN_MAX {
        return Err(BadHoliday {
            line: event.line,
            why: "an event of more than 31 days is no holiday",
        });
    }
    calendar.spans.push((event.line, first, days));
    let Some(rule) = &event.rule else { return Ok(()) };
    let Some(rule) = Yearly::parse(rule, start) else {
        calendar.once.push(event.rule_line);
        return Ok(());
    };
    // A date that does not exist in a year (29 February) is none of those that `COUNT` counts.
    let mut left = rule.count.saturating_sub(1);
    for repeat in 1..=YEARS_MAX {
        let Some(years) = repeat.checked_mul(rule.interval).filter(|years| *years <= YEARS_MAX) else {
            break;
        };
        let Some(date) = rule.day.of(start.year().saturating_add(years), start) else {
            continue;
        };
        if left == 0 || rule.until.is_some_and(|until| date > until) {
            break;
        }
        left -= 1;
        calendar.spans.push((event.line, day_number(date), days));
    }
    Ok(())
}

/// A repetition that is understood.
struct Yearly {
    interval: i16,
    count: i16,
    until: Option<Date>,
    day: RecurringDay,
}

/// Which day of a year.
enum RecurringDay {
    /// That of the first event.
    Date,
    /// The n-th of a weekday in a month, from its end if negative.
    Weekday(i8, i8, Weekday),
}

impl RecurringDay {
    fn of(&self, year: i16, start: Date) -> Option<Date> {
        match self {
            RecurringDay::Date => Date::new(year, start.month(), start.day()).ok(),
            RecurringDay::Weekday(month, nth, weekday) => Date::new(year, *month, 1)
                .ok()?
                .nth_weekday_of_month(*nth, *weekday)
                .ok(),
        }
    }
}

impl Yearly {
    /// Reads a rule in capitals; `None` if it says anything else.
    fn parse(rule: &str, start: Date) -> Option<Yearly> {
        let mut yearly = Yearly {
            interval: 1,
            count: i16::MAX,
            until: None,
            day: RecurringDay::Date,
        };
        let (mut is_yearly, mut month, mut weekday) = (false, None, None);
        for part in rule.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=')?;
            match name {
                "FREQ" => is_yearly = value == "YEARLY",
                "INTERVAL" => yearly.interval = value.parse().ok().filter(|n| *n > 0)?,
                "COUNT" => yearly.count = value.parse().ok().filter(|n| *n > 0)?,
                "UNTIL" => yearly.until = Some(Date::strptime("%Y%m%d", value.get(..8)?).ok()?),
                // Where a week begins matters to weekly rules alone.
                "WKST" => {}
                "BYMONTH" => month = Some(value.parse::<i8>().ok()?),
                // Of the first event's own day it says nothing new.
                "BYMONTHDAY" if value.parse() == Ok(start.day()) => {}
                "BYDAY" => weekday = Some(nth_weekday(value)?),
                _ => return None,
            }
        }
        yearly.day = match (month, weekday) {
            (None, None) => RecurringDay::Date,
            (Some(month), None) if month == start.month() => RecurringDay::Date,
            (Some(month), Some((nth, weekday))) => RecurringDay::Weekday(month, nth, weekday),
            _ => return None,
        };
        is_yearly.then_some(yearly)
    }
}

/// `4TH`, `-1MO`.
fn nth_weekday(text: &str) -> Option<(i8, Weekday)> {
    let (nth, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let weekday = match day {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    };
    let nth = nth.parse().ok().filter(|nth| (1..=5).contains(&i8::abs(*nth)))?;
    Some((nth, weekday))
}

/// Logical lines with the number of their first: a line that begins with white space continues the one before.
fn unfold(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(last)) => last.1.push_str(rest),
            _ => lines.push((index + 1, line.to_owned())),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(body: &str) -> Vec<(i32, i32)> {
        let text = format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{body}\nEND:VEVENT\nEND:VCALENDAR\n");
        all_day_events(&text)
            .unwrap()
            .spans
            .into_iter()
            .map(|(_, first, days)| (first, days))
            .collect()
    }

    #[test]
    fn a_folded_line_and_a_span() {
        assert_eq!(
            events("DTSTART;VALUE=DATE:2014\n 1225\nDTEND;VALUE=DATE:20141227"),
            [(16_429, 2)]
        );
    }

    #[test]
    fn meetings_are_no_holidays() {
        assert_eq!(events("DTSTART:20141225T100000Z\nDTEND:20141225T110000Z"), []);
    }

    #[test]
    fn yearly_events_repeat_until_told() {
        assert_eq!(
            events("DTSTART;VALUE=DATE:20141225\nRRULE:FREQ=YEARLY;UNTIL=20161231").len(),
            3
        );
        assert_eq!(
            events("DTSTART;VALUE=DATE:20160229\nRRULE:FREQ=YEARLY;COUNT=5").len(),
            5,
            "leap days alone are counted"
        );
    }

    #[test]
    fn the_nth_weekday_of_a_month_repeats() {
        let day = |text: &str| day_number(text.parse().unwrap());
        let thanksgiving = events("DTSTART;VALUE=DATE:20141127\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=3");
        assert_eq!(
            thanksgiving,
            ["2014-11-27", "2015-11-26", "2016-11-24"].map(|text| (day(text), 1))
        );
        let last_monday = events("DTSTART;VALUE=DATE:20150525\nRRULE:FREQ=YEARLY;UNTIL=20161231;BYDAY=-1MO;BYMONTH=5");
        assert_eq!(last_monday, ["2015-05-25", "2016-05-30"].map(|text| (day(text), 1)));
        assert_eq!(
            events("DTSTART;VALUE=DATE:20141225\nRRULE:FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25;WKST=MO;COUNT=2").len(),
            2
        );
    }

    #[test]
    fn a_repetition_that_is_not_understood_counts_once_and_is_told() {
        for rule in [
            "FREQ=WEEKLY;BYDAY=FR",
            "FREQ=YEARLY;BYDAY=MO,TU;BYMONTH=5",
            "FREQ=YEARLY;BYYEARDAY=100",
            "FREQ=YEARLY;BYEASTER=1",
            "FREQ=YEARLY;BYMONTH=13;BYDAY=6MO",
            "FREQ=YEARLY;UNTIL=soon",
            "FREQ=YEARLY;INTERVAL=0",
            "COUNT=3",
        ] {
            let text = format!("BEGIN:VEVENT\nDTSTART:20141225\nRRULE:{rule}\nEND:VEVENT");
            let calendar = all_day_events(&text).unwrap();
            assert_eq!((calendar.spans.len(), &calendar.once[..]), (1, &[3][..]), "{rule}");
        }
    }

    #[test]
    fn a_bad_date_and_an_endless_event_are_errors() {
        let bad = all_day_events("BEGIN:VEVENT\nDTSTART:20141399\nEND:VEVENT").unwrap_err();
        assert_eq!((bad.line, bad.why), (2, "expected a date like 20261225"));
        let long = "BEGIN:VEVENT\nDTSTART:20140101\nDTEND:20240101\nEND:VEVENT";
        assert!(all_day_events(long).is_err());
    }
}
