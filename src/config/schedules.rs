//! `[[schedule]]`: mail that is promised for set times.

use std::sync::Arc;

use jiff::civil::Time;

use super::at::At;
use super::errors::shown;
use super::raw::{GRACE_MIN, RawSchedule};
use super::report::Report;
use super::silences::number;
use super::zone::parse_timezone;
use crate::detect::declared::DeclaredTime;
use crate::detect::rhythm::Rhythms;

/// All days of the week.
const EVERY_DAY: u8 = 0x7f;

/// Checks them all; what is of no use is left out.
pub(super) fn check(raw: Vec<At<RawSchedule>>, rhythms: &Rhythms, report: &mut Report<'_>) -> Arc<[DeclaredTime]> {
    let mut known: Vec<(DeclaredTime, String)> = Vec::new();
    for raw in raw {
        let (at, place) = (raw.at(), report.place(&raw.at()));
        let Some(time) = one(raw.into_inner(), rhythms, report) else {
            continue;
        };
        if let Some((_, other)) = known.iter().find(|(other, _)| overlap(other, &time)) {
            let what = format!(
                "the time of this [[schedule]] of `{}` overlaps with that of {other}: one mail would count for both",
                shown(&time.service)
            );
            report.add(
                &at,
                what,
                "lower `grace_minutes`, or give the mails services of their own",
            );
        }
        known.push((time, place));
    }
    known.into_iter().map(|(time, _)| time).collect()
}

fn one(raw: RawSchedule, rhythms: &Rhythms, report: &mut Report<'_>) -> Option<DeclaredTime> {
    // A key that is missing has been reported.
    let (service, written) = (raw.service?, raw.time?);
    let time = Time::strptime("%H:%M", written.get());
    if time.is_err() {
        let what = format!("`time = \"{}\"` is not a time of day", shown(written.get()));
        report.add(&written.at(), what, "write it as \"06:10\"");
    }
    if service.get().trim().is_empty() {
        let hint = "write the name of a service, as `mailpulse services` shows it";
        report.add(&service.at(), "`service` is empty", hint);
    }
    let weekdays = raw.days.as_ref().map_or(EVERY_DAY, |days| {
        days.iter().fold(0, |all, day| all | 1 << number(*day.get()))
    });
    if weekdays == 0 {
        let hint = "name days such as \"mon\", or remove `days` for every day";
        report.add(&written.at(), "`days` has no day, so that no mail is ever due", hint);
    }
    let rhythm = rhythms.of(service.get());
    let zone = match &raw.timezone {
        None => rhythm.zone.clone(),
        Some(text) => parse_timezone(text.get()).unwrap_or_else(|hint| {
            let what = format!("unknown `timezone = \"{}\"`", shown(text.get()));
            report.add(&text.at(), what, hint);
            rhythm.zone.clone()
        }),
    };
    let except = raw.except_holidays.as_ref().filter(|except| *except.get());
    if let Some(except) = except.filter(|_| rhythm.holidays.is_empty()) {
        let what = format!("no holidays are declared for `{}`", shown(service.get()));
        report.warn(&except.at(), what, "set `holidays` in [detect] or in its [[service]]");
    }
    Some(DeclaredTime {
        service: service.into_inner(),
        time: time.ok()?,
        grace_min: raw.grace_minutes.map_or(GRACE_MIN, |grace| *grace.get()).into(),
        weekdays,
        zone,
        holidays: except.map(|_| Arc::clone(&rhythm.holidays)),
    })
}

/// Whether a mail may be on time for both. Zones that differ may be hours apart, or not.
fn overlap(one: &DeclaredTime, other: &DeclaredTime) -> bool {
    let minute = |time: &DeclaredTime| i64::from(time.time.hour()) * 60 + i64::from(time.time.minute());
    let apart = (minute(one) - minute(other)).abs();
    let is_near = |apart: i64| apart <= one.grace_min + other.grace_min;
    let (is_same_day, is_next_day) = (is_near(apart), is_near(1_440 - apart));
    let after = |days: u8| (days << 1 | days >> 6) & EVERY_DAY;
    let (early, late) = match minute(one) < minute(other) {
        true => (one, other),
        false => (other, one),
    };
    one.service == other.service
        && one.zone == other.zone
        && (is_same_day && one.weekdays & other.weekdays != 0
            || is_next_day && after(late.weekdays) & early.weekdays != 0)
}
