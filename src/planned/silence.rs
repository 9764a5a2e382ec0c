//! What is not reported, and when.

use super::{KeptSilence, SilenceTarget};
use crate::model::time::{DAY_MIN, MINUTE_S, Minute, UtcMs, UtcS};
use globset::{Glob, GlobMatcher};
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

/// Longest time for which the end of weekly windows is looked for, minutes.
const LOOKED_MINUTES_MAX: i64 = 400 * DAY_MIN;
/// Most windows of one silence that are drawn.
const WINDOWS_MAX: usize = 500;

/// What an alarm is about.
#[derive(Debug, Clone, Copy)]
pub struct AlarmSubject<'a> {
    /// `service`, `relay`, `host`, `hostgroup` or `provider`.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The relay that is the cause.
    pub cause: Option<&'a str>,
}

/// A weekly window.
#[derive(Debug, Clone)]
pub struct SilenceHours {
    /// Monday first.
    pub days: [bool; 7],
    /// From and to; over midnight the window belongs to the day on which it began.
    pub hours: Option<(Time, Time)>,
    /// Whose days and hours they are.
    pub zone: TimeZone,
}

/// Alarms that are not reported.
#[derive(Debug, Clone)]
pub struct AlertSilence {
    /// Its name: `s3` of one that somebody added, file and line of a configured one.
    pub name: String,
    /// Why, if somebody said so.
    pub reason: String,
    /// Which services.
    pub service: Option<GlobMatcher>,
    /// Which relays, and alarms that they are the cause of.
    pub relay: Option<GlobMatcher>,
    /// Which hostgroups.
    pub hostgroup: Option<GlobMatcher>,
    /// Which providers.
    pub provider: Option<GlobMatcher>,
    pub from: Option<Timestamp>,
    /// End, exclusive.
    pub until: Option<Timestamp>,
    /// When in the week; `None` for always.
    pub weekly: Option<SilenceHours>,
}

impl AlertSilence {
    /// Of one that somebody added.
    ///
    /// # Errors
    /// A glob or a time is none.
    pub fn kept(kept: &KeptSilence) -> Result<AlertSilence, String> {
        let glob = |text: &str| {
            let glob = Glob::new(text).map_err(|why| why.to_string())?;
            Ok::<_, String>(Some(glob.compile_matcher()))
        };
        let time = |at: UtcMs| at.timestamp().map_err(|why| why.to_string());
        let mut silence = AlertSilence {
            name: format!("s{}", kept.id),
            reason: kept.reason.clone(),
            service: None,
            relay: None,
            hostgroup: None,
            provider: None,
            from: Some(time(kept.from_ms)?),
            until: Some(time(kept.until_ms)?),
            weekly: None,
        };
        match &kept.target {
            SilenceTarget::Service(name) => silence.service = glob(name)?,
            SilenceTarget::Relay(name) => silence.relay = glob(name)?,
            SilenceTarget::Hostgroup(name) => silence.hostgroup = glob(name)?,
            SilenceTarget::Provider(name) => silence.provider = glob(name)?,
        }
        Ok(silence)
    }

    /// Whether an alarm about this is not reported at a time.
    #[must_use]
    pub fn holds(&self, subject: AlarmSubject<'_>, at: Timestamp) -> bool {
        self.concerns(subject) && self.is_time(at)
    }

    fn concerns(&self, subject: AlarmSubject<'_>) -> bool {
        let glob = match subject.kind {
            "service" => &self.service,
            "relay" | "host" => &self.relay,
            "hostgroup" => &self.hostgroup,
            "provider" => &self.provider,
            _ => &None,
        };
        let names = |glob: &Option<GlobMatcher>, name: &str| glob.as_ref().is_some_and(|glob| glob.is_match(name));
        // What the relay does to others is work on the relay.
        names(glob, subject.name) || subject.cause.is_some_and(|cause| names(&self.relay, cause))
    }

    /// What it is about, with the globs as they were written.
    #[must_use]
    pub fn targets(&self) -> Vec<(&'static str, &str)> {
        let globs = [
            ("service", &self.service),
            ("relay", &self.relay),
            ("hostgroup", &self.hostgroup),
            ("provider", &self.provider),
        ];
        let named = globs
            .into_iter()
            .filter_map(|(kind, glob)| Some((kind, glob.as_ref()?)));
        named.map(|(kind, glob)| (kind, glob.glob().glob())).collect()
    }

    /// Whether one of its globs names this.
    #[must_use]
    pub fn names(&self, kind: &str, name: &str) -> bool {
        self.concerns(AlarmSubject {
            kind,
            name,
            cause: None,
        })
    }

    /// `relay mx1001`.
    #[must_use]
    pub fn about(&self) -> String {
        let parts = self.targets().into_iter().map(|(kind, glob)| format!("{kind} {glob}"));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Whether it holds at a time.
    #[must_use]
    pub fn is_time(&self, at: Timestamp) -> bool {
        if self.from.is_some_and(|from| at < from) || self.until.is_some_and(|until| at >= until) {
            return false;
        }
        let Some(weekly) = &self.weekly else { return true };
        let local = at.to_zoned(weekly.zone.clone());
        let today = local.weekday().to_monday_zero_offset() as usize;
        let (today, before) = (weekly.days[today], weekly.days[(today + 6) % 7]);
        match weekly.hours {
            None => today,
            Some((from, to)) if from < to => today && local.time() >= from && local.time() < to,
            // Past midnight the window belongs to the day on which it began.
            Some((from, to)) => today && local.time() >= from || before && local.time() < to,
        }
    }

    /// The stretches of a window in which it holds; of weekly ones a bounded number.
    #[must_use]
    pub fn spans(&self, (from_ms, until_ms): (UtcMs, UtcMs)) -> Vec<(UtcMs, UtcMs)> {
        let from_ms = self.from.map_or(from_ms, |from| UtcMs::from(from).max(from_ms));
        let until_ms = self.until.map_or(until_ms, |until| UtcMs::from(until).min(until_ms));
        if from_ms >= until_ms {
            return Vec::new();
        }
        if self.weekly.is_none() {
            return vec![(from_ms, until_ms)];
        }
        let mut spans: Vec<(UtcMs, UtcMs)> = Vec::new();
        let first = from_ms.minute();
        let last = (until_ms - 1).minute().min(first.saturating_add(LOOKED_MINUTES_MAX));
        for minute in first.up_to(last + 1) {
            let is_time = minute.start().timestamp().is_ok_and(|at| self.is_time(at));
            let (start, end) = (minute.start().max(from_ms), (minute + 1).start().min(until_ms));
            if !is_time {
                continue;
            }
            match spans.last_mut() {
                Some(span) if span.1 == start => span.1 = end,
                _ => spans.push((start, end)),
            }
            if spans.len() > WINDOWS_MAX {
                break;
            }
        }
        spans
    }
}

/// For how long an alarm was, or is, held back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SilencedSpan<'s> {
    /// By what, when it was found.
    pub by: &'s AlertSilence,
    /// The minute in which it is reported if it lasts; `None` while no end is in sight.
    pub until: Option<Minute>,
    /// It was over before it could be reported.
    pub is_never_reported: bool,
}

/// What holds back an alarm that was found at a minute, and until when: one silence may follow another.
pub(super) fn held<'s>(
    silences: &'s [AlertSilence],
    subject: AlarmSubject<'_>,
    detected: Minute,
    ended: Option<Minute>,
) -> Option<SilencedSpan<'s>> {
    let concerned: Vec<&AlertSilence> = silences.iter().filter(|one| one.concerns(subject)).collect();
    let at = |minute: Minute| {
        let time = minute.start().timestamp().ok()?;
        concerned.iter().copied().find(|silence| silence.is_time(time))
    };
    let by = at(detected)?;
    let mut minute = detected;
    let mut until = Some(detected);
    while let Some(silence) = at(minute) {
        // It ends at a minute that it names, unless hours of the week do.
        let end = silence.until.map(|end| (UtcS::from(end) + MINUTE_S - 1).minute());
        minute = match (&silence.weekly, end) {
            (None, Some(end)) => end.max(minute + 1),
            (None, None) => return Some(never(by, ended)),
            (Some(_), _) => minute + 1,
        };
        until = Some(minute);
        if minute - detected > LOOKED_MINUTES_MAX {
            return Some(never(by, ended));
        }
    }
    Some(SilencedSpan {
        by,
        until,
        is_never_reported: ended.is_some_and(|ended| until.is_some_and(|until| ended <= until)),
    })
}

fn never(by: &AlertSilence, ended: Option<Minute>) -> SilencedSpan<'_> {
    SilencedSpan {
        by,
        until: None,
        is_never_reported: ended.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Minute;

    fn relay(from: &str, until: &str) -> AlertSilence {
        let ms = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        AlertSilence::kept(&KeptSilence {
            id: 3,
            target: SilenceTarget::Relay("mx10*".to_owned()),
            from_ms: UtcMs::new(ms(from)),
            until_ms: UtcMs::new(ms(until)),
            reason: "kernel".to_owned(),
        })
        .unwrap()
    }

    fn minute(text: &str) -> Minute {
        Minute::new(text.parse::<Timestamp>().unwrap().as_second() / 60)
    }

    const MX1001: AlarmSubject<'static> = AlarmSubject {
        kind: "relay",
        name: "mx1001",
        cause: None,
    };

    #[test]
    fn an_alarm_is_held_until_the_last_of_silences_that_follow_one_another() {
        let silences = [
            relay("2018-06-06T18:55:00Z", "2018-06-06T19:55:00Z"),
            relay("2018-06-06T19:50:00Z", "2018-06-06T20:30:00Z"),
        ];
        let found = minute("2018-06-06T18:57:00Z");
        let held_by = |silences: &[AlertSilence], ended| {
            let span = held(silences, MX1001, found, ended)?;
            Some((span.until, span.is_never_reported))
        };
        assert_eq!(
            held_by(&silences[..1], None),
            Some((Some(minute("2018-06-06T19:55:00Z")), false))
        );
        assert_eq!(
            held_by(&silences, None),
            Some((Some(minute("2018-06-06T20:30:00Z")), false))
        );
        let early = Some(minute("2018-06-06T19:10:00Z"));
        assert!(held_by(&silences[..1], early).unwrap().1);
        assert!(held_by(&silences[1..], None).is_none(), "it began later");
    }

    #[test]
    fn a_relay_silences_what_it_is_the_cause_of_and_nothing_else() {
        let silence = relay("2018-06-06T18:55:00Z", "2018-06-06T19:55:00Z");
        let at: Timestamp = "2018-06-06T19:00:00Z".parse().unwrap();
        let gerrit = AlarmSubject {
            kind: "service",
            name: "gerrit",
            cause: Some("mx1001"),
        };
        assert!(silence.holds(MX1001, at) && silence.holds(gerrit, at));
        let host = AlarmSubject { kind: "host", ..MX1001 };
        assert!(silence.holds(host, at));
        for other in [
            AlarmSubject { cause: None, ..gerrit },
            AlarmSubject {
                cause: Some("mx2001"),
                ..gerrit
            },
            AlarmSubject {
                name: "mx2001",
                ..MX1001
            },
            AlarmSubject {
                kind: "service",
                ..MX1001
            },
        ] {
            assert!(!silence.holds(other, at), "{other:?}");
        }
    }

    #[test]
    fn weekly_windows_are_drawn_where_they_hold() {
        let weekly = SilenceHours {
            days: [false, false, false, false, false, true, false],
            hours: Some((Time::constant(22, 0, 0, 0), Time::constant(2, 0, 0, 0))),
            zone: TimeZone::UTC,
        };
        let silence = AlertSilence {
            from: None,
            until: None,
            weekly: Some(weekly),
            ..relay("2018-06-06T18:55:00Z", "2018-06-06T19:55:00Z")
        };
        // 2018-06-09 was a Saturday.
        let ms = |text: &str| minute(text).start();
        let window = (ms("2018-06-08T00:00:00Z"), ms("2018-06-17T01:00:00Z"));
        assert_eq!(
            silence.spans(window),
            [
                (ms("2018-06-09T22:00:00Z"), ms("2018-06-10T02:00:00Z")),
                (ms("2018-06-16T22:00:00Z"), ms("2018-06-17T01:00:00Z")),
            ]
        );
        let found = minute("2018-06-09T23:00:00Z");
        let span = held(std::slice::from_ref(&silence), MX1001, found, None).unwrap();
        assert_eq!(span.until, Some(minute("2018-06-10T02:00:00Z")));
    }
}
