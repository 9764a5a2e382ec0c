//! `[[silence]]`: what is not reported, and when.

use crate::planned::{AlertSilence, SilenceHours};
use globset::{Glob, GlobMatcher};
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::at::At;
use super::errors::shown;
use super::raw::{RawDay, RawSilence};
use super::report::Report;
use super::zone::parse_timezone;

/// Checks one; `None` if it is of no use.
pub(super) fn check(raw: At<RawSilence>, report: &mut Report<'_>) -> Option<AlertSilence> {
    let at = raw.at();
    let raw = raw.into_inner();
    let about = [&raw.service, &raw.relay, &raw.hostgroup, &raw.provider];
    if about.iter().all(|glob| glob.is_none()) {
        let hint = "add `service`, `relay`, `hostgroup` or `provider`; `\"*\"` is all of them";
        report.add(&at, "[[silence]] does not define what is silenced", hint);
        return None;
    }
    let (from, until) = (moment(raw.from.as_ref(), report), moment(raw.until.as_ref(), report));
    if let (Some(begin), Some(end), Some(written)) = (from, until, &raw.until)
        && end <= begin
    {
        report.add(&written.at(), "`until` is not after `from`", "set a later end");
    }
    let zone = raw.timezone.as_ref().map(|text| {
        parse_timezone(text.get()).unwrap_or_else(|why| {
            report.add(&text.at(), why, "write a zone such as \"Europe/Berlin\"");
            TimeZone::UTC
        })
    });
    let hours = hours(raw.hours.as_ref(), report);
    let is_weekly = raw.days.is_some() || hours.is_some();
    let days = raw.days.map_or([true; 7], |days| {
        let mut all = [false; 7];
        days.iter().for_each(|day| all[number(*day.get())] = true);
        all
    });
    Some(AlertSilence {
        name: report.place(&at),
        reason: raw.reason.map(At::into_inner).unwrap_or_default(),
        service: glob(raw.service.as_ref(), report),
        relay: glob(raw.relay.as_ref(), report),
        hostgroup: glob(raw.hostgroup.as_ref(), report),
        provider: glob(raw.provider.as_ref(), report),
        from,
        until,
        weekly: is_weekly.then(|| SilenceHours {
            days,
            hours,
            zone: zone.unwrap_or(TimeZone::UTC),
        }),
    })
}

/// A day's place in the week.
pub(super) fn number(day: RawDay) -> usize {
    match day {
        RawDay::Mon => 0,
        RawDay::Tue => 1,
        RawDay::Wed => 2,
        RawDay::Thu => 3,
        RawDay::Fri => 4,
        RawDay::Sat => 5,
        RawDay::Sun => 6,
    }
}

fn glob(text: Option<&At<String>>, report: &mut Report<'_>) -> Option<GlobMatcher> {
    let text = text?;
    let glob = Glob::new(text.get());
    if glob.is_err() {
        let what = format!("`{}` is not a glob", shown(text.get()));
        report.add(&text.at(), what, "write a name, or a part of it with *");
    }
    glob.ok().map(|glob| glob.compile_matcher())
}

fn moment(text: Option<&At<String>>, report: &mut Report<'_>) -> Option<Timestamp> {
    let text = text?;
    let moment = text.get().parse::<Timestamp>();
    if moment.is_err() {
        let what = format!("`{}` is not a time", shown(text.get()));
        report.add(&text.at(), what, "write it as \"2018-06-06T18:00Z\"");
    }
    moment.ok()
}

fn hours(text: Option<&At<String>>, report: &mut Report<'_>) -> Option<(Time, Time)> {
    let text = text?;
    let time = |part: &str| Time::strptime("%H:%M", part.trim()).ok();
    let hours = text.get().split_once('-');
    let hours = hours.and_then(|(from, to)| Some((time(from)?, time(to)?)));
    let hours = hours.filter(|(from, to)| from != to);
    if hours.is_none() {
        let what = format!("`hours = \"{}\"` is not a range of hours", shown(text.get()));
        report.add(&text.at(), what, "write it as \"22:00-02:00\"");
    }
    hours
}
