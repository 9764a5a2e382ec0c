//! All-day events of an iCalendar file (RFC 5545): what a holiday calendar consists of.
//!
//! Read are `DTSTART`, `DTEND` and a yearly `RRULE` without parts other than `INTERVAL`, `COUNT` and `UNTIL`; an event
//! that repeats otherwise counts once. Events with a time of day are meetings, not holidays, and are left out.

use super::holidays::{BadHoliday, day_number};
use jiff::civil::Date;

/// Longest holiday, days.
const SPAN_MAX: i32 = 31;
/// Years that a yearly event is repeated.
const YEARS_MAX: i16 = 60;

/// One event: line, first day, days.
pub type Span = (usize, i32, i32);

#[derive(Default)]
struct Event {
    line: usize,
    start: Option<Date>,
    end: Option<Date>,
    rule: Option<String>,
}

/// First day and length of each all-day event.
pub fn all_day_events(text: &str) -> Result<Vec<Span>, BadHoliday> {
    let mut spans = Vec::new();
    let mut event: Option<Event> = None;
    for (line, text) in unfold(text) {
        let Some((name, value)) = text.split_once(':') else {
            continue;
        };
        let name = name.split(';').next().unwrap_or_default();
        match name.to_ascii_uppercase().as_str() {
            "BEGIN" if value.eq_ignore_ascii_case("VEVENT") => {
                event = Some(Event {
                    line,
                    ..Event::default()
                });
            }
            "END" if value.eq_ignore_ascii_case("VEVENT") => {
                if let Some(event) = event.take() {
                    push(&event, &mut spans)?;
                }
            }
            "DTSTART" => set(&mut event, line, value, |event, date| event.start = date)?,
            "DTEND" => set(&mut event, line, value, |event, date| event.end = date)?,
            "RRULE" => {
                if let Some(event) = &mut event {
                    event.rule = Some(value.to_ascii_uppercase());
                }
            }
            _ => {}
        }
    }
    Ok(spans)
}

fn set(
    event: &mut Option<Event>,
    line: usize,
    value: &str,
    assign: impl Fn(&mut Event, Option<Date>),
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

fn push(event: &Event, spans: &mut Vec<Span>) -> Result<(), BadHoliday> {
    let Some(start) = event.start else { return Ok(()) };
    let first = day_number(start);
    let days = event.end.map_or(1, |end| day_number(end) - first).max(1);
    if days > SPAN_MAX {
        return Err(BadHoliday {
            line: event.line,
            why: "an event of more than 31 days is no holiday",
        });
    }
    spans.push((event.line, first, days));
    let Some(rule) = &event.rule else { return Ok(()) };
    let part = |name: &str| {
        let found = rule.split(';').find_map(|part| part.strip_prefix(name));
        found.and_then(|value| value.strip_prefix('='))
    };
    if part("FREQ") != Some("YEARLY") || part("BYDAY").is_some() || part("BYMONTH").is_some() {
        return Ok(());
    }
    let interval: i16 = part("INTERVAL")
        .and_then(|v| v.parse().ok())
        .unwrap_or(1)
        .clamp(1, YEARS_MAX);
    let count: i16 = part("COUNT")
        .and_then(|v| v.parse().ok())
        .unwrap_or(YEARS_MAX)
        .clamp(1, YEARS_MAX);
    let until = part("UNTIL").and_then(|v| Date::strptime("%Y%m%d", v.get(..8)?).ok());
    for repeat in 1..count {
        let year = start.year().saturating_add(repeat.saturating_mul(interval));
        // A 29 February has no day in most years.
        let Ok(date) = Date::new(year, start.month(), start.day()) else {
            continue;
        };
        if until.is_some_and(|until| date > until) || repeat.saturating_mul(interval) > YEARS_MAX {
            break;
        }
        spans.push((event.line, day_number(date), days));
    }
    Ok(())
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
            2
        );
    }

    #[test]
    fn a_bad_date_and_an_endless_event_are_errors() {
        let bad = all_day_events("BEGIN:VEVENT\nDTSTART:20141399\nEND:VEVENT").unwrap_err();
        assert_eq!((bad.line, bad.why), (2, "expected a date like 20261225"));
        let long = "BEGIN:VEVENT\nDTSTART:20140101\nDTEND:20240101\nEND:VEVENT";
        assert!(all_day_events(long).is_err());
    }
}
